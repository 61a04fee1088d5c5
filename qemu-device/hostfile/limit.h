/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * limit.h - resident-limit=: keep little of the file in the host's memory
 *
 * A thread looks once a second, and lets go of clean pages when there are more
 * than the limit, beginning where it ended the last time.  Dirty pages are
 * written back first, and go the next time.  Advice: a guest that uses more at
 * once has it, at the price of reading it again.
 */
#ifndef VMEMSTORE_LIMIT_H
#define VMEMSTORE_LIMIT_H

#include "qemu/thread.h"
#include "mapping.h"

typedef struct VMemStoreLimit {
    const VMemStoreMapping *mapping;
    uint64_t limit;         /* bytes */
    uint64_t hand;          /* where to go on */
    uint64_t dropped;       /* atomic: bytes let go */
    QemuThread thread;
    QemuMutex lock;
    QemuCond wake;
    bool started;
    bool stop;
} VMemStoreLimit;

/* Nothing when @limit is 0. */
void vmemstore_limit_start(VMemStoreLimit *l, const VMemStoreMapping *mapping,
                           uint64_t limit);
/* Before the mapping goes.  Harmless when never started. */
void vmemstore_limit_stop(VMemStoreLimit *l);

#endif /* VMEMSTORE_LIMIT_H */
