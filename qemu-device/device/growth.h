/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * growth.h - the store becomes larger while the guest uses it
 *
 * The user asks by setting the property "size".  Whether there is room is known
 * at once; making it durable, and writing zeros (prealloc=full), takes long and
 * happens in a thread.  Then the guest sees the new part at the end of the old
 * one, and is told by a change of the configuration.
 */
#ifndef VMEMSTORE_GROWTH_H
#define VMEMSTORE_GROWTH_H

#include "qemu/main-loop.h"
#include "qemu/thread.h"

typedef struct VMemStore VMemStore;

typedef struct VMemStoreGrowth {
    bool active;            /* atomic: the thread is at work, or has just ended */
    bool stop;              /* atomic */
    uint64_t size;          /* wanted; bytes */
    int err;                /* of the thread */
    QemuThread thread;
    QEMUBH *done;
} VMemStoreGrowth;

/*
 * Grow to @size bytes.  Big QEMU lock held.  True: it will be done, or failed for
 * a reason of the host's disk, soon; an event tells (event.h).
 */
bool vmemstore_grow(VMemStore *s, uint64_t size, Error **errp);

/* Is it on its way?  Any thread. */
bool vmemstore_is_growing(const VMemStore *s);

/* Give up what is on its way.  Harmless when nothing is. */
void vmemstore_growth_stop(VMemStore *s);

#endif /* VMEMSTORE_GROWTH_H */
