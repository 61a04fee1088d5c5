/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine.c - which flushes are synced, when, and together (see engine.h)
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine.h"

/* Spans in one sync before merging; no flush has more than a fraction of it. */
#define BATCH_SPANS 1024

/* Flushes of one kind that fill_batch() looks at before it takes no more. */
#define MOST_BLOCKED 64

/* What one thread syncs at a time. */
typedef struct Batch {
    bool busy;
    bool large;
    VMemStoreFlushList flushes;
    uint64_t nth;           /* number of its newest part */
    uint32_t nr;
    VMemStoreSpan spans[BATCH_SPANS];
} Batch;

struct VMemStoreEngine {
    VMemStoreEngineConfig config;

    pthread_mutex_t lock;   /* all below */
    pthread_cond_t work;    /* something may be picked, or quit */
    pthread_cond_t idle;    /* running became 0 */
    VMemStoreFlushList waiting;
    VMemStoreFlushList done;
    uint32_t workers;
    uint32_t asleep;        /* of them */
    uint32_t running;       /* batches */
    uint32_t syncing;       /* flushes in them */
    uint64_t started;       /* parts whose sync has begun */
    bool startable;         /* something was queued that need not wait */
    bool quit;
    bool cancelling;        /* no sync may begin */
    bool submitting;        /* a thread uses lane 0, or is about to */
    VMemStoreEngineStats stats;
    int64_t average_ns;

    /* One per lane; the first is that of submitting threads. */
    Batch lanes[];
};

/* ---- lists ---- */

void vmemstore_list_add(VMemStoreFlushList *list, VMemStoreFlush *flush)
{
    flush->next = NULL;
    if (list->last) {
        list->last->next = flush;
    } else {
        list->first = flush;
    }
    list->last = flush;
    list->nr++;
}

VMemStoreFlush *vmemstore_list_take(VMemStoreFlushList *list)
{
    VMemStoreFlush *flush = list->first;

    if (flush) {
        list->first = flush->next;
        if (!list->first) {
            list->last = NULL;
        }
        list->nr--;
        flush->next = NULL;
    }
    return flush;
}

static void list_append(VMemStoreFlushList *to, VMemStoreFlushList *from)
{
    VMemStoreFlush *flush;

    while ((flush = vmemstore_list_take(from))) {
        vmemstore_list_add(to, flush);
    }
}

/* ---- flushes ---- */

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void prepare(const VMemStoreEngine *e, VMemStoreFlush *flush)
{
    uint32_t granule = e->config.granule;

    flush->err = 0;
    flush->part = 0;
    flush->submitted_ns = now_ns();
    if (flush->nr_spans == 0) {
        flush->merged[0] = flush->spans[0];
        flush->nr_merged[0] = 1;
        flush->nr_merged[1] = 0;
        return;
    }
    memcpy(flush->merged, flush->spans,
           flush->nr_spans * sizeof(flush->spans[0]));
    flush->nr_merged[0] = vmemstore_merge_spans(flush->merged, flush->nr_first,
                                                granule);
    memmove(flush->merged + flush->nr_merged[0],
            flush->merged + flush->nr_first,
            (flush->nr_spans - flush->nr_first) * sizeof(flush->spans[0]));
    flush->nr_merged[1] =
        vmemstore_merge_spans(flush->merged + flush->nr_merged[0],
                              flush->nr_spans - flush->nr_first, granule);
}

static const VMemStoreSpan *part_spans(const VMemStoreFlush *flush,
                                       uint32_t *nr)
{
    *nr = flush->nr_merged[flush->part];
    return flush->merged + (flush->part ? flush->nr_merged[0] : 0);
}

static bool is_large(const VMemStoreFlush *flush)
{
    uint32_t nr;
    const VMemStoreSpan *spans = part_spans(flush, &nr);

    return vmemstore_spans_bytes(spans, nr) >= VMEMSTORE_LARGE_FLUSH;
}

static bool overlap(const VMemStoreFlush *a, const VMemStoreSpan *spans,
                    uint32_t nr)
{
    uint32_t nr_a;
    const VMemStoreSpan *own = part_spans(a, &nr_a);

    return vmemstore_spans_overlap(own, nr_a, spans, nr);
}

static bool flushes_overlap(const VMemStoreFlush *a, const VMemStoreFlush *b)
{
    uint32_t nr;
    const VMemStoreSpan *spans = part_spans(b, &nr);

    return overlap(a, spans, nr);
}

/* The part is durable.  Returns true when there is another to be synced. */
static bool next_part(VMemStoreEngine *e, VMemStoreFlush *flush)
{
    if (flush->err || flush->part || flush->nr_first == flush->nr_spans) {
        return false;
    }
    if (flush->has_mark) {
        e->config.ops->mark(e->config.opaque, flush->mark_offset,
                            flush->mark_value);
    }
    flush->part = 1;
    return true;
}

/* ---- batches ---- */

static bool is_being_synced(VMemStoreEngine *e, const VMemStoreFlush *flush,
                            bool large)
{
    for (uint32_t i = 0; i < e->config.lanes; i++) {
        Batch *b = &e->lanes[i];

        if (b->busy && b->large == large && overlap(flush, b->spans, b->nr)) {
            return true;
        }
    }
    return false;
}

/*
 * May no flush of this kind begin now?
 *
 * Large ones leave a worker to the small ones, if there are two.  Of small ones there
 * is one sync at a time where it can serve for all that waits: a second one beside it
 * only takes them apart, and each would have the disk empty its cache.
 */
static bool is_full(const VMemStoreEngine *e, bool large)
{
    uint32_t workers = e->config.threads, nr = 0;

    if (workers > 1 && workers > e->config.lanes - 1) {
        workers = e->config.lanes - 1;      /* a lane is not theirs */
    }
    for (uint32_t i = 0; i < e->config.lanes; i++) {
        nr += e->lanes[i].busy && e->lanes[i].large == large;
    }
    if (large) {
        return nr > 0 && nr + 1 >= workers;
    }
    return e->config.gather && nr > 0;
}

/* Flushes of one kind that wait, oldest first: the ones that fill_batch() met. */
typedef struct Blocked {
    VMemStoreFlush *flushes[MOST_BLOCKED];
    uint32_t nr;
} Blocked;

/*
 * Does it wait behind an older flush that waits?  Else a stream of small
 * flushes could keep one that touches all of their pages waiting for ever.
 */
static bool is_behind(const VMemStoreFlush *flush, const Blocked *older)
{
    for (uint32_t i = 0; i < older->nr; i++) {
        if (flushes_overlap(flush, older->flushes[i])) {
            return true;
        }
    }
    return false;
}

static bool fits(const VMemStoreEngine *e, const Batch *b,
                 const VMemStoreFlush *flush, bool large)
{
    uint32_t nr;
    const VMemStoreSpan *spans = part_spans(flush, &nr);

    if (b->flushes.nr == 0) {
        return true;
    }
    if (b->large != large || b->nr + nr > BATCH_SPANS) {
        return false;
    }
    /* b's spans are not merged yet, so they are compared flush by flush. */
    for (const VMemStoreFlush *f = b->flushes.first; f; f = f->next) {
        if (e->config.gather || overlap(f, spans, nr)) {
            return true;
        }
    }
    return false;
}

static void batch_add(VMemStoreEngine *e, Batch *b, VMemStoreFlush *flush)
{
    uint32_t nr;
    const VMemStoreSpan *spans = part_spans(flush, &nr);

    if (b->flushes.nr) {
        e->stats.joined++;
    }
    b->large = is_large(flush);
    b->nth = ++e->started;
    memcpy(b->spans + b->nr, spans, nr * sizeof(*spans));
    b->nr += nr;
    vmemstore_list_add(&b->flushes, flush);
}

static void batch_begin(VMemStoreEngine *e, Batch *b)
{
    b->nr = vmemstore_merge_spans(b->spans, b->nr, e->config.granule);
    b->busy = true;
    e->running++;
    e->stats.syncs++;
    e->stats.bytes += vmemstore_spans_bytes(b->spans, b->nr);
}

/*
 * Lock held.  Move from the queue to @b what may be synced now, together.
 * Returns whether something else could be synced beside it.
 */
static bool fill_batch(VMemStoreEngine *e, Batch *b)
{
    const bool full[2] = { is_full(e, false), is_full(e, true) };
    VMemStoreFlushList rest = { 0 };
    Blocked blocked[2];
    VMemStoreFlush *flush;
    bool more = false;

    blocked[0].nr = blocked[1].nr = 0;
    b->nr = 0;
    b->flushes = (VMemStoreFlushList) { 0 };
    while ((flush = vmemstore_list_take(&e->waiting))) {
        bool large = is_large(flush);
        Blocked *older = &blocked[large];

        if (full[large] || older->nr == MOST_BLOCKED) {
            vmemstore_list_add(&rest, flush);
            continue;
        }
        if (!is_being_synced(e, flush, large) && !is_behind(flush, older)) {
            if (fits(e, b, flush, large)) {
                batch_add(e, b, flush);
                continue;
            }
            more = more || large || b->large || !e->config.gather;
        }
        older->flushes[older->nr++] = flush;
        vmemstore_list_add(&rest, flush);
    }
    e->waiting = rest;
    if (b->flushes.nr) {
        batch_begin(e, b);
    }
    return more;
}

/*
 * Lock held, and let go while syncing.  Returns the flushes whose second part
 * is now to be synced; the others are done.
 */
static VMemStoreFlushList sync_batch(VMemStoreEngine *e, Batch *b)
{
    VMemStoreFlushList again = { 0 }, done = { 0 };
    uint32_t nr = b->flushes.nr;
    VMemStoreFlush *flush;
    int64_t start, ns;
    int err;

    e->syncing += nr;
    pthread_mutex_unlock(&e->lock);
    start = now_ns();
    err = e->config.ops->sync(e->config.opaque, (unsigned)(b - e->lanes),
                              b->spans, b->nr, b->nth);
    ns = now_ns() - start;
    while ((flush = vmemstore_list_take(&b->flushes))) {
        flush->err = err;
        vmemstore_list_add(next_part(e, flush) ? &again : &done, flush);
    }
    pthread_mutex_lock(&e->lock);
    e->syncing -= nr;
    b->busy = false;
    /* Weight 1/8. */
    __atomic_store_n(&e->average_ns, e->average_ns + (ns - e->average_ns) / 8,
                     __ATOMIC_RELAXED);
    list_append(&e->done, &done);
    return again;
}

static void batch_end(VMemStoreEngine *e)
{
    if (--e->running == 0) {
        pthread_cond_broadcast(&e->idle);
    }
}

/* ---- workers ---- */

/* Lock held.  Have the queue looked at by somebody who has time. */
static void wake(VMemStoreEngine *e)
{
    if (e->waiting.nr == 0) {
        return;
    }
    if (e->asleep) {
        pthread_cond_signal(&e->work);
    } else if (e->workers < e->config.threads) {
        e->workers++;
        if (!e->config.ops->start_worker(e->config.opaque, e)) {
            e->workers--;
        }
    }
}

/* Lock held.  A free lane, but that of the submitting threads; NULL: none. */
static Batch *free_lane(VMemStoreEngine *e)
{
    for (uint32_t i = e->config.lanes > 1 ? 1 : 0; i < e->config.lanes; i++) {
        if (!e->lanes[i].busy && !(i == 0 && e->submitting)) {
            return &e->lanes[i];
        }
    }
    return NULL;
}

/*
 * Lock held, and let go while syncing.  Sync the next batch; false when there is
 * none that may be synced now.
 */
static bool sync_next(VMemStoreEngine *e)
{
    Batch *b = e->cancelling ? NULL : free_lane(e);
    bool more = b && fill_batch(e, b);
    VMemStoreFlushList again;

    if (!b || !b->flushes.nr) {
        return false;
    }
    if (more) {
        wake(e);
    }
    again = sync_batch(e, b);
    /* They were there before all that waits. */
    list_append(&again, &e->waiting);
    e->waiting = again;
    batch_end(e);
    wake(e);
    return true;
}

void vmemstore_engine_work(VMemStoreEngine *e)
{
    pthread_mutex_lock(&e->lock);
    while (!e->quit) {
        if (!sync_next(e)) {
            e->asleep++;
            pthread_cond_wait(&e->work, &e->lock);
            e->asleep--;
            continue;
        }
        pthread_mutex_unlock(&e->lock);
        e->config.ops->done(e->config.opaque);
        pthread_mutex_lock(&e->lock);
    }
    e->workers--;
    pthread_mutex_unlock(&e->lock);
}

/* ---- the submitter's side ---- */

void vmemstore_engine_submit(VMemStoreEngine *e, VMemStoreFlush *flush)
{
    prepare(e, flush);
    pthread_mutex_lock(&e->lock);
    vmemstore_list_add(&e->waiting, flush);
    if (!is_full(e, is_large(flush))) {
        e->startable = true;
    }
    pthread_mutex_unlock(&e->lock);
}

void vmemstore_engine_kick(VMemStoreEngine *e)
{
    pthread_mutex_lock(&e->lock);
    if (e->startable) {
        e->startable = false;
        wake(e);
    }
    pthread_mutex_unlock(&e->lock);
}

bool vmemstore_engine_reserve(VMemStoreEngine *e, bool alone)
{
    bool ok;

    /* Who does not share with those that wait would keep them waiting. */
    alone = alone || e->config.gather;
    pthread_mutex_lock(&e->lock);
    ok = !e->submitting && !e->lanes[0].busy &&
         (!alone || (e->waiting.nr == 0 && e->running == 0));
    if (ok) {
        e->submitting = true;
    }
    pthread_mutex_unlock(&e->lock);
    return ok;
}

void vmemstore_engine_run(VMemStoreEngine *e, VMemStoreFlush *flush)
{
    Batch *b = &e->lanes[0];
    VMemStoreFlushList again = { 0 };

    prepare(e, flush);
    pthread_mutex_lock(&e->lock);
    e->running++;               /* from part to part */
    do {
        b->nr = 0;
        b->flushes = (VMemStoreFlushList) { 0 };
        batch_add(e, b, flush);
        batch_begin(e, b);
        again = sync_batch(e, b);
        batch_end(e);
    } while (again.nr && !e->cancelling);
    list_append(&e->waiting, &again);
    e->submitting = false;
    batch_end(e);
    wake(e);
    pthread_mutex_unlock(&e->lock);
}

VMemStoreFlushList vmemstore_engine_take_done(VMemStoreEngine *e)
{
    VMemStoreFlushList list;

    pthread_mutex_lock(&e->lock);
    list = e->done;
    e->done = (VMemStoreFlushList) { 0 };
    pthread_mutex_unlock(&e->lock);
    return list;
}

void vmemstore_engine_drain(VMemStoreEngine *e)
{
    pthread_mutex_lock(&e->lock);
    while (e->waiting.nr || e->running) {
        if (!sync_next(e)) {
            pthread_cond_wait(&e->idle, &e->lock);
        }
    }
    pthread_mutex_unlock(&e->lock);
}

VMemStoreFlushList vmemstore_engine_cancel(VMemStoreEngine *e)
{
    VMemStoreFlushList list = { 0 };

    pthread_mutex_lock(&e->lock);
    e->cancelling = true;
    /* A submitting thread that is yet to begin will not ask again. */
    while (e->running || e->submitting) {
        pthread_cond_wait(&e->idle, &e->lock);
    }
    e->cancelling = false;
    list_append(&list, &e->waiting);
    list_append(&list, &e->done);
    pthread_mutex_unlock(&e->lock);
    return list;
}

void vmemstore_engine_quit(VMemStoreEngine *e)
{
    pthread_mutex_lock(&e->lock);
    e->quit = true;
    pthread_cond_broadcast(&e->work);
    pthread_mutex_unlock(&e->lock);
}

/* ---- life ---- */

VMemStoreEngine *vmemstore_engine_new(const VMemStoreEngineConfig *config)
{
    VMemStoreEngine *e = calloc(1, sizeof(*e) +
                                config->lanes * sizeof(e->lanes[0]));

    if (!e) {
        return NULL;
    }
    e->config = *config;
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->work, NULL);
    pthread_cond_init(&e->idle, NULL);
    return e;
}

void vmemstore_engine_free(VMemStoreEngine *e)
{
    pthread_cond_destroy(&e->work);
    pthread_cond_destroy(&e->idle);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

void vmemstore_engine_get_stats(VMemStoreEngine *e, VMemStoreEngineStats *stats)
{
    pthread_mutex_lock(&e->lock);
    *stats = e->stats;
    stats->in_flight = e->waiting.nr + e->syncing;
    pthread_mutex_unlock(&e->lock);
}

int64_t vmemstore_engine_average_ns(const VMemStoreEngine *e)
{
    return __atomic_load_n(&e->average_ns, __ATOMIC_RELAXED);
}
