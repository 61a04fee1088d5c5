/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loss.h - data of the store was lost, for good: tell the guest and the user,
 * and whoever opens the file next
 */
#ifndef VMEMSTORE_LOSS_H
#define VMEMSTORE_LOSS_H

#include "qemu/event_notifier.h"

typedef struct VMemStore VMemStore;

/* A reason: see fault.h. */
#define VMEMSTORE_PAGE_LOST "the host could not provide a page of the file"

/* Big QEMU lock held.  Only the first time counts. */
void vmemstore_report_loss(VMemStore *s, const char *reason);

/* A handler for the notifier of faults (fault.h). */
void vmemstore_page_lost(EventNotifier *notifier);

#endif /* VMEMSTORE_LOSS_H */
