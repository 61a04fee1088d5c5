/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine-world.h - what the engine's tests have around the engine: a disk, a store,
 * workers
 */
#ifndef ENGINE_WORLD_H
#define ENGINE_WORLD_H

#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

#define PAGE 4096
#define PAGES 64
#define THREADS 4

/* A disk that syncs when it is told to, and a store of one counter per page. */
typedef struct World {
    VMemStoreEngine *engine;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool hold;                  /* syncs wait */
    unsigned holding;           /* syncs that do */
    unsigned running, most_running;
    unsigned syncs;
    uint64_t fail_from;
    bool syncing[PAGES];        /* by a small sync of a worker */
    uint64_t stored[PAGES];     /* newest version in memory */
    uint64_t durable[PAGES];
    uint64_t marked;            /* durable[0] when the mark was stored */
    unsigned threads;
    pthread_mutex_t submitting; /* as the big QEMU lock: one submits or cancels */
} World;

static void *work(void *opaque)
{
    World *w = opaque;

    vmemstore_engine_work(w->engine);
    __atomic_sub_fetch(&w->threads, 1, __ATOMIC_RELEASE);
    return NULL;
}

static bool start_worker(void *opaque,
                         G_GNUC_UNUSED VMemStoreEngine *engine)
{
    World *w = opaque;
    pthread_t thread;

    __atomic_add_fetch(&w->threads, 1, __ATOMIC_RELAXED);
    g_assert(pthread_create(&thread, NULL, work, w) == 0);
    pthread_detach(thread);
    return true;
}

static bool is_large(const VMemStoreSpan *spans, uint32_t nr)
{
    return vmemstore_spans_bytes(spans, nr) >= VMEMSTORE_LARGE_FLUSH;
}

static void each_page(World *w, const VMemStoreSpan *spans, uint32_t nr,
                      void (*fn)(World *w, unsigned page))
{
    for (uint32_t i = 0; i < nr; i++) {
        for (uint64_t at = 0; at < spans[i].length; at += PAGE) {
            fn(w, (unsigned)((spans[i].offset + at) / PAGE % PAGES));
        }
    }
}

static uint64_t snapshot[THREADS + 1][PAGES];

static void begin_page(World *w, unsigned page)
{
    g_assert(!w->syncing[page]);
    w->syncing[page] = true;
}

static void end_page(World *w, unsigned page)
{
    w->syncing[page] = false;
}

static int sync_spans(void *opaque, unsigned lane, const VMemStoreSpan *spans,
                      uint32_t nr, uint64_t nth)
{
    World *w = opaque;
    bool pages = lane && !is_large(spans, nr);

    pthread_mutex_lock(&w->lock);
    for (uint32_t i = 1; i < nr; i++) {
        g_assert(spans[i].offset > spans[i - 1].offset + spans[i - 1].length);
    }
    if (pages) {
        each_page(w, spans, nr, begin_page);
    }
    w->syncs++;
    w->running++;
    w->most_running = MAX(w->most_running, w->running);
    /* What is stored from now on need not be among what becomes durable. */
    memcpy(snapshot[lane], w->stored, sizeof(w->stored));
    w->holding++;
    pthread_cond_broadcast(&w->changed);
    while (w->hold) {
        pthread_cond_wait(&w->changed, &w->lock);
    }
    w->holding--;
    for (uint32_t i = 0; i < nr; i++) {
        for (uint64_t at = 0; at < spans[i].length; at += PAGE) {
            unsigned page = (unsigned)((spans[i].offset + at) / PAGE % PAGES);

            w->durable[page] = MAX(w->durable[page], snapshot[lane][page]);
        }
    }
    if (pages) {
        each_page(w, spans, nr, end_page);
    }
    w->running--;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    return w->fail_from && nth >= w->fail_from ? -EIO : 0;
}

static void mark(void *opaque, uint64_t offset, uint64_t value)
{
    World *w = opaque;

    pthread_mutex_lock(&w->lock);
    w->marked = w->durable[0];
    w->stored[offset / PAGE] = value;
    pthread_mutex_unlock(&w->lock);
}

static void done(void *opaque)
{
    World *w = opaque;

    pthread_mutex_lock(&w->lock);
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static const VMemStoreEngineOps ops = { sync_spans, mark, start_worker, done };

static void world_start_threads(World *w, bool gather, unsigned threads)
{
    const VMemStoreEngineConfig config = {
        .ops = &ops, .opaque = w, .granule = PAGE, .threads = threads,
        .lanes = threads + 1, .gather = gather,
    };

    memset(w, 0, sizeof(*w));
    pthread_mutex_init(&w->lock, NULL);
    pthread_mutex_init(&w->submitting, NULL);
    pthread_cond_init(&w->changed, NULL);
    w->engine = vmemstore_engine_new(&config);
}

static void world_start(World *w, bool gather)
{
    world_start_threads(w, gather, THREADS);
}

static void world_stop(World *w)
{
    vmemstore_engine_quit(w->engine);
    while (__atomic_load_n(&w->threads, __ATOMIC_ACQUIRE)) {
        g_usleep(100);
    }
    vmemstore_engine_free(w->engine);
}

static VMemStoreFlush *new_flush(uint32_t nr, ...)
{
    VMemStoreFlush *flush = g_new0(VMemStoreFlush, 1);
    va_list ap;

    va_start(ap, nr);
    for (uint32_t i = 0; i < nr; i++) {
        flush->spans[i].offset = va_arg(ap, unsigned) * (uint64_t)PAGE;
        flush->spans[i].length = PAGE;
    }
    va_end(ap);
    flush->nr_spans = flush->nr_first = nr;
    return flush;
}

static void submit(World *w, VMemStoreFlush *flush)
{
    vmemstore_engine_submit(w->engine, flush);
    vmemstore_engine_kick(w->engine);
}

static VMemStoreFlush *new_large(uint64_t offset)
{
    VMemStoreFlush *large = new_flush(1, 0);

    large->spans[0] = (VMemStoreSpan) { offset, VMEMSTORE_LARGE_FLUSH };
    return large;
}

static void submit_whole(World *w)
{
    VMemStoreFlush *whole = new_flush(0);

    whole->spans[0] = (VMemStoreSpan) { 0, 1 << 20 };
    submit(w, whole);
}

/* For what must happen, however busy the machine is. */
static int64_t deadline(void)
{
    return g_get_monotonic_time() + 60 * G_TIME_SPAN_SECOND;
}

/* Lock held. */
static void wait_a_little(World *w)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&w->changed, &w->lock, &until);
}

/* Take what is done until there were @nr; frees them. */
static void wait_done(World *w, unsigned nr)
{
    int64_t end = deadline();

    while (nr) {
        VMemStoreFlushList list;
        VMemStoreFlush *flush;

        g_assert(g_get_monotonic_time() < end);
        pthread_mutex_lock(&w->lock);
        list = vmemstore_engine_take_done(w->engine);
        if (!list.nr) {
            wait_a_little(w);
        }
        pthread_mutex_unlock(&w->lock);
        while ((flush = vmemstore_list_take(&list))) {
            g_assert_cmpuint(nr, >, 0);
            nr--;
            g_assert_cmpint(flush->err, ==, 0);
            g_free(flush);
        }
    }
}

static void set_hold(World *w, bool hold)
{
    pthread_mutex_lock(&w->lock);
    w->hold = hold;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static void wait_holding(World *w, unsigned nr)
{
    int64_t end = deadline();

    pthread_mutex_lock(&w->lock);
    while (w->holding < nr) {
        g_assert(g_get_monotonic_time() < end);
        wait_a_little(w);
    }
    pthread_mutex_unlock(&w->lock);
}

/* A small sync of the page has begun. */
static void wait_syncing(World *w, unsigned page)
{
    int64_t end = deadline();

    pthread_mutex_lock(&w->lock);
    while (!w->syncing[page]) {
        g_assert(g_get_monotonic_time() < end);
        wait_a_little(w);
    }
    pthread_mutex_unlock(&w->lock);
}

static void store(World *w, unsigned page, uint64_t version)
{
    pthread_mutex_lock(&w->lock);
    w->stored[page] = version;
    pthread_mutex_unlock(&w->lock);
}

#endif /* ENGINE_WORLD_H */
