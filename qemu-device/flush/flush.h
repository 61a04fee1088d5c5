/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flush.h - flushes: the engine (engine.h) in QEMU
 *
 * Life of a flush: submitted (big QEMU lock held), synced by a worker thread
 * without any lock, together with others, completed under the big QEMU lock by
 * the same thread, so that the path from the host's answer to the guest's
 * interrupt has no detour through the main loop.
 *
 * A lone flush may also be synced by the thread that submits it, a vCPU, which
 * then waits for it with no lock held.  That saves waking a worker and waking
 * the vCPU again, together as long as a fast disk takes.
 */
#ifndef VMEMSTORE_FLUSH_H
#define VMEMSTORE_FLUSH_H

#include "engine.h"
#include "mapping.h"
#include "shadow.h"
#include "stats.h"
#include "virtio_vmemstore.h"

typedef struct VMemStoreFlusher VMemStoreFlusher;

/* Called under the big QEMU lock. */
typedef struct VMemStoreFlusherOps {
    /* The flush is done (@cancelled: given up, the guest is not to be told). */
    void (*complete)(void *opaque, VMemStoreFlush *flush, bool cancelled);
    /* A batch of completions is over: interrupt the guest. */
    void (*notify)(void *opaque);
    /* A sync failed for the first time: from now on every flush fails. */
    void (*failed)(void *opaque);
    /* Any thread, no lock: bytes of the store were changed, not by the guest. */
    void (*stored)(void *opaque, uint64_t offset, uint64_t length);
} VMemStoreFlusherOps;

typedef struct VMemStoreFlusherConfig {
    const VMemStoreMapping *mapping;
    VMemStoreStats *stats;
    const VMemStoreFlusherOps *ops;
    void *opaque;           /* for the ops */
    uint32_t threads;       /* most workers, > 0; started when needed */
    uint64_t fail_at;       /* test: this sync of a part (1 = first) fails, as a
                             * disk's, once */
    int trace_fd;           /* test: one line per flush goes here; or -1 */
    VMemStoreShadow *shadow;    /* test: learns what is durable; or NULL */
} VMemStoreFlusherConfig;

/* Big QEMU lock held in all of these. */
VMemStoreFlusher *vmemstore_flusher_new(const VMemStoreFlusherConfig *config);
/* Queue a flush; after the last of a doorbell, have the queue worked on. */
void vmemstore_flusher_submit(VMemStoreFlusher *f, VMemStoreFlush *flush);
void vmemstore_flusher_kick(VMemStoreFlusher *f);
/* Is it small, and has the disk been fast enough for a vCPU to wait? */
bool vmemstore_flusher_is_quick(VMemStoreFlusher *f,
                                const VMemStoreFlush *flush);
/* May this thread run a flush?  See vmemstore_engine_reserve(). */
bool vmemstore_flusher_reserve(VMemStoreFlusher *f, bool alone);
/*
 * After a reservation: execute and complete in this thread.  Releases the big
 * QEMU lock in between: on return the device may have been reset, or @f
 * destroyed.
 */
void vmemstore_flusher_run(VMemStoreFlusher *f, VMemStoreFlush *flush);
/* Wait for running syncs, then complete everything pending as cancelled. */
void vmemstore_flusher_cancel(VMemStoreFlusher *f);
/*
 * Execute and complete everything that was submitted.  Keeps the big QEMU lock:
 * for a VM that has just stopped.
 */
void vmemstore_flusher_drain(VMemStoreFlusher *f);
/*
 * Flush the whole store for the device itself, in this thread; nothing is in
 * flight.  Returns 0 or -errno; then every later flush fails, too.
 */
int vmemstore_flusher_sync_all(VMemStoreFlusher *f);
/* The store lost something already: every flush fails from now on. */
void vmemstore_flusher_fail(VMemStoreFlusher *f);
/* Cancel and free; the threads end by themselves. */
void vmemstore_flusher_destroy(VMemStoreFlusher *f);

/* What the engine has counted, and what is in flight. */
void vmemstore_flusher_get_stats(VMemStoreFlusher *f,
                                 VMemStoreEngineStats *stats);

#endif /* VMEMSTORE_FLUSH_H */
