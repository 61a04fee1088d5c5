/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flush.h - the flush engine: bounded worker threads that sync ranges
 *
 * Life of a flush: submitted (big QEMU lock held), executed by a worker thread
 * without any lock, completed under the big QEMU lock by the same thread, so
 * that the path from the host's answer to the guest's interrupt has no detour
 * through the main loop.
 *
 * A lone flush may also be executed by the thread that submits it, a vCPU,
 * which then waits for it with no lock held.  That saves waking a worker and
 * waking the vCPU again, together as long as a fast disk takes.
 */
#ifndef VMEMSTORE_FLUSH_H
#define VMEMSTORE_FLUSH_H

#include "qemu/queue.h"
#include "mapping.h"
#include "spans.h"
#include "virtio_vmemstore.h"

/* One flush.  Checked by the submitter: every span lies inside the store. */
typedef struct VMemStoreFlush {
    uint32_t nr_spans;      /* 0: the whole store */
    uint32_t status;        /* out: VMEMSTORE_S_OK or VMEMSTORE_S_IOERR */
    QSIMPLEQ_ENTRY(VMemStoreFlush) next;
    VMemStoreSpan spans[VMEMSTORE_MAX_RANGES];
} VMemStoreFlush;

/* Since realize; readable by QOM while the workers count. */
typedef struct VMemStoreStats {
    uint64_t requests;      /* flush requests executed */
    uint64_t ranges;        /* ranges in them, as the guest gave them */
    uint64_t bytes;         /* bytes synced, after rounding and merging */
    uint64_t whole;         /* of the requests: flushes of the whole store */
    uint64_t errors;        /* requests answered with VMEMSTORE_S_IOERR */
    uint64_t invalid;       /* requests refused: malformed or unknown */
} VMemStoreStats;

typedef struct VMemStoreFlusher VMemStoreFlusher;

/* Called under the big QEMU lock. */
typedef struct VMemStoreFlusherOps {
    /* The flush is done (@cancelled: given up, the guest is not to be told). */
    void (*complete)(void *opaque, VMemStoreFlush *flush, bool cancelled);
    /* A batch of completions is over: interrupt the guest. */
    void (*notify)(void *opaque);
    /* A sync failed for the first time: from now on every flush fails. */
    void (*failed)(void *opaque);
} VMemStoreFlusherOps;

typedef struct VMemStoreFlusherConfig {
    const VMemStoreMapping *mapping;
    VMemStoreStats *stats;
    const VMemStoreFlusherOps *ops;
    void *opaque;           /* for the ops */
    uint32_t threads;       /* most workers, > 0; started when needed */
    uint64_t fail_from;     /* test: this flush (1 = first) and later ones fail */
    int trace_fd;           /* test: one line per flush goes here; or -1 */
} VMemStoreFlusherConfig;

/* Big QEMU lock held in all of these. */
VMemStoreFlusher *vmemstore_flusher_new(const VMemStoreFlusherConfig *config);
void vmemstore_flusher_submit(VMemStoreFlusher *f, VMemStoreFlush *flush);
/*
 * Would vmemstore_flusher_run() be good now?  Nothing else is in flight, and
 * the disk has been answering fast enough for a vCPU to wait.
 */
bool vmemstore_flusher_is_quick(VMemStoreFlusher *f,
                                const VMemStoreFlush *flush);
/*
 * Execute and complete in this thread.  Releases the big QEMU lock in between:
 * on return the device may have been reset, or @f destroyed.
 */
void vmemstore_flusher_run(VMemStoreFlusher *f, VMemStoreFlush *flush);
/* Wait for running syncs, then complete everything pending as cancelled. */
void vmemstore_flusher_cancel(VMemStoreFlusher *f);
/* Cancel and free; the threads end by themselves. */
void vmemstore_flusher_destroy(VMemStoreFlusher *f);

#endif /* VMEMSTORE_FLUSH_H */
