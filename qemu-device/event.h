/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event.h - QMP events of the device
 *
 * QEMU's schema of events is fixed when it is built, so these are not in it: a
 * client that does not know VMEMSTORE_ERROR ignores it, as QMP asks of clients.
 */
#ifndef VMEMSTORE_EVENT_H
#define VMEMSTORE_EVENT_H

#include "hw/qdev-core.h"

/*
 * Data was lost: {"device": ID, "qom-path": PATH, "reason": TEXT} as event
 * VMEMSTORE_ERROR.  @dev is the device that the user made.  Big QEMU lock held.
 */
void vmemstore_event_error(DeviceState *dev, const char *reason);

#endif /* VMEMSTORE_EVENT_H */
