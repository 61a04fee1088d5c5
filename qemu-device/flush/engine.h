/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine.h - which flushes are synced, when, and together
 *
 * Plain C and POSIX threads, so that tests and the benchmark run the very code
 * that runs in QEMU (flush.c puts it there).
 *
 * A sync covers what was stored before it began.  So a flush needs one that
 * begins after it was submitted, and any such one will do:
 *
 *  - what waits when a worker becomes free is synced as one, sorted and merged;
 *  - a flush of pages that are just being synced waits for that sync to end,
 *    and then shares the next with all that have come meanwhile;
 *  - so does a flush of other pages where one sync can serve both (gather); else
 *    it runs beside, up to one per worker;
 *  - large flushes (a whole store) and small ones neither share nor wait for
 *    each other, and large ones never take the last of several workers: a commit
 *    is not held up by a checkpoint, unless there is but one worker.
 *
 * A flush may have two parts: the second is synced when the first is durable.
 * In between a mark of 8 bytes may be stored into the store.
 */
#ifndef VMEMSTORE_ENGINE_H
#define VMEMSTORE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "spans.h"

/* Ranges in one request of the guest: VMEMSTORE_MAX_RANGES, checked in flush.c. */
#define VMEMSTORE_FLUSH_SPANS 64

/* From this size on (bytes of one part) a flush counts as large. */
#define VMEMSTORE_LARGE_FLUSH (1024 * 1024)

/* One flush.  Checked by the submitter: every span lies inside the store. */
typedef struct VMemStoreFlush {
    /* As the guest gave it. */
    uint32_t nr_spans;      /* 0: the whole store, which is then spans[0] */
    uint32_t nr_first;      /* of them: the first part; the rest is the second.
                             * Equal to nr_spans: there is but one */
    bool has_mark;
    uint64_t mark_offset, mark_value;   /* stored between the parts */
    VMemStoreSpan spans[VMEMSTORE_FLUSH_SPANS];

    int err;                /* out: 0 or -errno */
    int64_t submitted_ns;   /* out: CLOCK_MONOTONIC */

    /* The engine's. */
    struct VMemStoreFlush *next;
    uint32_t part;          /* being synced, 0 or 1 */
    uint32_t nr_merged[2];  /* spans of each part, in that order in merged */
    VMemStoreSpan merged[VMEMSTORE_FLUSH_SPANS];
} VMemStoreFlush;

/* First in, first out. */
typedef struct VMemStoreFlushList {
    VMemStoreFlush *first, *last;
    uint32_t nr;
} VMemStoreFlushList;

void vmemstore_list_add(VMemStoreFlushList *list, VMemStoreFlush *flush);
VMemStoreFlush *vmemstore_list_take(VMemStoreFlushList *list);

typedef struct VMemStoreEngine VMemStoreEngine;

/*
 * By several threads at once; without the engine's lock, but start_worker().
 */
typedef struct VMemStoreEngineOps {
    /*
     * Make sorted spans durable, 0 or -errno; one call per lane at a time.
     * @nth: parts of flushes that have been synced so far, these included.
     */
    int (*sync)(void *opaque, unsigned lane, const VMemStoreSpan *spans,
                uint32_t nr, uint64_t nth);
    /* Store 8 bytes by one store. */
    void (*mark)(void *opaque, uint64_t offset, uint64_t value);
    /*
     * Start a thread that runs vmemstore_engine_work(); false: none to be had.
     * Must not call the engine.
     */
    bool (*start_worker)(void *opaque, VMemStoreEngine *engine);
    /* Something was added to what vmemstore_engine_take_done() gives. */
    void (*done)(void *opaque);
} VMemStoreEngineOps;

typedef struct VMemStoreEngineConfig {
    const VMemStoreEngineOps *ops;
    void *opaque;
    uint32_t granule;       /* spans are widened to multiples of it */
    uint32_t threads;       /* most workers, > 0; started when needed */
    uint32_t lanes;         /* most syncs at a time, > 0 */
    bool gather;            /* sync what has nothing in common together, too */
} VMemStoreEngineConfig;

VMemStoreEngine *vmemstore_engine_new(const VMemStoreEngineConfig *config);
/* No worker and no flush may be left. */
void vmemstore_engine_free(VMemStoreEngine *e);

/* Queue a flush; nothing may happen to it before vmemstore_engine_kick(). */
void vmemstore_engine_submit(VMemStoreEngine *e, VMemStoreFlush *flush);
void vmemstore_engine_kick(VMemStoreEngine *e);

/*
 * Take the one lane that a flush may use in the thread that submits it; false
 * when that is not free.  With @alone, or where one sync serves for all (gather),
 * only when nothing at all is in flight.
 */
bool vmemstore_engine_reserve(VMemStoreEngine *e, bool alone);
/* Sync @flush in this thread, after a reservation; it is then among the done. */
void vmemstore_engine_run(VMemStoreEngine *e, VMemStoreFlush *flush);

/* What is finished: the caller's from now on. */
VMemStoreFlushList vmemstore_engine_take_done(VMemStoreEngine *e);

/*
 * Sync all that is queued, also in this thread; it is then among the done.
 * Nothing may be submitted meanwhile.
 */
void vmemstore_engine_drain(VMemStoreEngine *e);

/* Wait for running syncs; everything pending is the caller's from now on. */
VMemStoreFlushList vmemstore_engine_cancel(VMemStoreEngine *e);

/* Workers return from vmemstore_engine_work() as soon as they can. */
void vmemstore_engine_quit(VMemStoreEngine *e);
/* The life of a worker. */
void vmemstore_engine_work(VMemStoreEngine *e);

/* Bytes and number of syncs so far, after merging; in flight now. */
typedef struct VMemStoreEngineStats {
    uint64_t syncs;
    uint64_t bytes;
    uint64_t joined;        /* parts that shared another's sync */
    uint32_t in_flight;
} VMemStoreEngineStats;

void vmemstore_engine_get_stats(VMemStoreEngine *e, VMemStoreEngineStats *stats);

/* Of a sync, moving, in nanoseconds. */
int64_t vmemstore_engine_average_ns(const VMemStoreEngine *e);

#endif /* VMEMSTORE_ENGINE_H */
