/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event.h - QMP events of the device
 *
 * QEMU's schema of events is fixed when it is built, so these are not in it: a
 * client that does not know them ignores them, as QMP asks of clients.
 */
#ifndef VMEMSTORE_EVENT_H
#define VMEMSTORE_EVENT_H

#include "hw/qdev-core.h"

/*
 * All of them carry {"device": ID, "qom-path": PATH} of @dev, which is the device
 * that the user made.  Big QEMU lock held.
 */

/* Data was lost: VMEMSTORE_ERROR with {"reason": TEXT}. */
void vmemstore_event_error(DeviceState *dev, const char *reason);

/*
 * And whoever uses the file next will not know: VMEMSTORE_LOSS_NOT_NOTED with
 * {"reason": TEXT}.
 */
void vmemstore_event_loss_not_noted(DeviceState *dev, const char *reason);

/* The guest was told that the store has @size bytes: VMEMSTORE_GROWN, {"size": N}. */
void vmemstore_event_grown(DeviceState *dev, uint64_t size);

/* It stays as it is, although that had begun: VMEMSTORE_NOT_GROWN, {"reason": TEXT}. */
void vmemstore_event_not_grown(DeviceState *dev, const char *reason);

#endif /* VMEMSTORE_EVENT_H */
