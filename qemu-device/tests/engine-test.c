/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine-test.c - every flush is synced after it was submitted, in order, and
 * no more often than needed; run under ThreadSanitizer
 */
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
    bool syncing[PAGES];        /* by a small sync */
    uint64_t stored[PAGES];     /* newest version in memory */
    uint64_t durable[PAGES];
    uint64_t marked;            /* durable[0] when the mark was stored */
    unsigned done;
    unsigned threads;
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
    bool large = is_large(spans, nr);

    pthread_mutex_lock(&w->lock);
    for (uint32_t i = 1; i < nr; i++) {
        g_assert(spans[i].offset > spans[i - 1].offset + spans[i - 1].length);
    }
    if (!large) {
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
    if (!large) {
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

static void world_start(World *w, bool gather)
{
    const VMemStoreEngineConfig config = {
        .ops = &ops, .opaque = w, .granule = PAGE, .threads = THREADS,
        .lanes = THREADS + 1, .gather = gather,
    };

    memset(w, 0, sizeof(*w));
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    w->engine = vmemstore_engine_new(&config);
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

static void submit_whole(World *w)
{
    VMemStoreFlush *whole = new_flush(0);

    whole->spans[0] = (VMemStoreSpan) { 0, 1 << 20 };
    submit(w, whole);
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
    while (nr) {
        VMemStoreFlushList list;
        VMemStoreFlush *flush;

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
    pthread_mutex_lock(&w->lock);
    while (w->holding < nr) {
        pthread_cond_wait(&w->changed, &w->lock);
    }
    pthread_mutex_unlock(&w->lock);
}

static void store(World *w, unsigned page, uint64_t version)
{
    pthread_mutex_lock(&w->lock);
    w->stored[page] = version;
    pthread_mutex_unlock(&w->lock);
}

static void test_waiters_share(void)
{
    World w;

    world_start(&w, true);
    set_hold(&w, true);
    store(&w, 3, 1);
    submit(&w, new_flush(1, 3));
    wait_holding(&w, 1);
    /* That sync has begun: these need another, but all of them the same. */
    store(&w, 3, 2);
    for (int i = 0; i < 64; i++) {
        submit(&w, new_flush(2, 3, 4));
    }
    set_hold(&w, false);
    wait_done(&w, 65);
    g_assert_cmpuint(w.syncs, ==, 2);
    g_assert_cmpuint(w.durable[3], ==, 2);
    world_stop(&w);
}

static void test_others_gather(void)
{
    World w;

    world_start(&w, true);
    set_hold(&w, true);
    submit(&w, new_flush(1, 0));
    wait_holding(&w, 1);
    for (unsigned i = 0; i < 100; i++) {
        submit(&w, new_flush(1, 2 + 2 * (i % 30)));
    }
    /* What is not one of them does not wait. */
    submit_whole(&w);
    wait_holding(&w, 2);
    set_hold(&w, false);
    wait_done(&w, 102);
    g_assert_cmpuint(w.syncs, ==, 3);
    world_stop(&w);
}

static void test_others_run_beside(void)
{
    World w;

    world_start(&w, false);
    set_hold(&w, true);
    for (unsigned i = 0; i < THREADS; i++) {
        submit(&w, new_flush(1, 2 * i));
        wait_holding(&w, i + 1);
    }
    g_assert_cmpuint(w.most_running, ==, THREADS);
    set_hold(&w, false);
    wait_done(&w, THREADS);
    g_assert_cmpuint(w.syncs, ==, THREADS);
    world_stop(&w);
}

static void test_large_does_not_hold_up(void)
{
    World w;

    world_start(&w, true);
    set_hold(&w, true);
    submit_whole(&w);
    wait_holding(&w, 1);
    submit(&w, new_flush(1, 3));
    wait_holding(&w, 2);
    submit_whole(&w);               /* shares no sync that has begun */
    set_hold(&w, false);
    wait_done(&w, 3);
    g_assert_cmpuint(w.syncs, ==, 3);
    world_stop(&w);
}

static void test_parts_in_order(void)
{
    for (int in_vcpu = 0; in_vcpu < 2; in_vcpu++) {
        VMemStoreFlush *commit = new_flush(2, 0, 9);
        World w;

        world_start(&w, true);
        commit->nr_first = 1;
        commit->has_mark = true;
        commit->mark_offset = 9 * PAGE;
        commit->mark_value = 77;
        store(&w, 0, 5);
        if (in_vcpu) {
            g_assert(vmemstore_engine_reserve(w.engine, true));
            g_assert(!vmemstore_engine_reserve(w.engine, true));
            vmemstore_engine_run(w.engine, commit);
        } else {
            submit(&w, commit);
        }
        wait_done(&w, 1);
        g_assert_cmpuint(w.syncs, ==, 2);
        g_assert_cmpuint(w.marked, ==, 5);
        g_assert_cmpuint(w.durable[9], ==, 77);
        world_stop(&w);
    }
}

static void test_failed_part_stops(void)
{
    VMemStoreFlush *commit = new_flush(2, 0, 9);
    VMemStoreFlushList list = { 0 };
    World w;

    world_start(&w, true);
    w.fail_from = 1;
    commit->nr_first = 1;
    commit->has_mark = true;
    commit->mark_offset = 9 * PAGE;
    commit->mark_value = 77;
    submit(&w, commit);
    while (!list.nr) {
        list = vmemstore_engine_take_done(w.engine);
        g_usleep(1000);
    }
    g_assert_cmpint(commit->err, ==, -EIO);
    g_assert_cmpuint(w.stored[9], ==, 0);
    g_assert_cmpuint(w.syncs, ==, 1);
    g_free(commit);
    world_stop(&w);
}

static void *let_go_soon(void *opaque)
{
    g_usleep(20000);
    set_hold(opaque, false);
    return NULL;
}

static void test_cancel(void)
{
    VMemStoreFlush *flush, *commit = new_flush(2, 0, 9);
    VMemStoreFlushList list;
    pthread_t thread;
    World w;

    world_start(&w, true);
    set_hold(&w, true);
    commit->nr_first = 1;
    submit(&w, commit);
    wait_holding(&w, 1);
    submit(&w, new_flush(1, 0));
    pthread_create(&thread, NULL, let_go_soon, &w);
    list = vmemstore_engine_cancel(w.engine);
    pthread_join(thread, NULL);
    g_assert_cmpuint(list.nr, ==, 2);
    g_assert_cmpuint(w.syncs, ==, 1);
    while ((flush = vmemstore_list_take(&list))) {
        g_free(flush);
    }
    submit(&w, new_flush(1, 0));    /* goes on */
    wait_done(&w, 1);
    world_stop(&w);
}

static void *cancel_all(void *opaque)
{
    World *w = opaque;
    VMemStoreFlushList *list = g_new(VMemStoreFlushList, 1);

    *list = vmemstore_engine_cancel(w->engine);
    return list;
}

/* Between taking the lane and using it, nothing runs yet. */
static void test_cancel_waits_for_submitter(void)
{
    g_autofree VMemStoreFlush *flush = new_flush(1, 0);
    VMemStoreFlushList *list;
    pthread_t thread;
    void *result;
    World w;

    world_start(&w, true);
    g_assert(vmemstore_engine_reserve(w.engine, true));
    pthread_create(&thread, NULL, cancel_all, &w);
    g_usleep(20000);
    vmemstore_engine_run(w.engine, flush);
    pthread_join(thread, &result);
    list = result;
    g_assert_cmpuint(list->nr, ==, 1);
    g_assert(list->first == flush);
    g_free(list);
    world_stop(&w);
}

/* ---- random flushes by several threads ---- */

typedef struct Client {
    World *w;
    unsigned seed;
} Client;

static bool is_done(World *w, VMemStoreFlush *flush, GHashTable *finished)
{
    VMemStoreFlushList list = vmemstore_engine_take_done(w->engine);
    VMemStoreFlush *f;

    while ((f = vmemstore_list_take(&list))) {
        g_hash_table_add(finished, f);
    }
    return g_hash_table_remove(finished, flush);
}

static GHashTable *finished;

static void *client(void *opaque)
{
    Client *c = opaque;
    World *w = c->w;
    GRand *rnd = g_rand_new_with_seed(c->seed);

    for (int i = 0; i < 2000; i++) {
        VMemStoreFlush *flush = new_flush(0);
        uint64_t versions[VMEMSTORE_FLUSH_SPANS];
        uint32_t nr = g_rand_int_range(rnd, 1, 6);

        flush->nr_spans = nr;
        flush->nr_first = g_rand_boolean(rnd) ? nr :
                          (uint32_t)g_rand_int_range(rnd, 1, nr + 1);
        pthread_mutex_lock(&w->lock);
        for (uint32_t k = 0; k < nr; k++) {
            unsigned page = g_rand_int_range(rnd, 0, PAGES);

            flush->spans[k] = (VMemStoreSpan) { page * PAGE, PAGE };
            versions[k] = ++w->stored[page];
        }
        pthread_mutex_unlock(&w->lock);
        submit(w, flush);
        pthread_mutex_lock(&w->lock);
        while (!is_done(w, flush, finished)) {
            wait_a_little(w);
        }
        for (uint32_t k = 0; k < nr; k++) {
            g_assert_cmpuint(w->durable[flush->spans[k].offset / PAGE], >=,
                             versions[k]);
        }
        pthread_cond_broadcast(&w->changed);
        pthread_mutex_unlock(&w->lock);
        g_free(flush);
    }
    g_rand_free(rnd);
    return NULL;
}

static void random_clients(bool gather)
{
    pthread_t threads[8];
    Client clients[8];
    World w;

    world_start(&w, gather);
    finished = g_hash_table_new(NULL, NULL);
    for (unsigned i = 0; i < 8; i++) {
        clients[i] = (Client) { &w, i };
        pthread_create(&threads[i], NULL, client, &clients[i]);
    }
    for (unsigned i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
    }
    g_hash_table_destroy(finished);
    world_stop(&w);
}

static void test_random_clients(void)
{
    random_clients(true);
    random_clients(false);
}

static void test_drain(void)
{
    World w;

    world_start(&w, false);
    set_hold(&w, true);
    submit(&w, new_flush(1, 0));
    wait_holding(&w, 1);
    /* Behind the one that is held, beside it, and in two parts. */
    for (unsigned i = 0; i < 32; i++) {
        VMemStoreFlush *flush = new_flush(2, i % PAGES, (i + 1) % PAGES);

        flush->nr_first = i % 2 ? 1 : 2;
        vmemstore_engine_submit(w.engine, flush);
    }
    set_hold(&w, false);
    vmemstore_engine_drain(w.engine);
    g_assert_cmpuint(w.running, ==, 0);
    /* No worker had to help, and nothing is left for one. */
    wait_done(&w, 33);
    world_stop(&w);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vmemstore/waiters for the same pages share one sync, not "
                    "one that had begun", test_waiters_share);
    g_test_add_func("/vmemstore/where one sync serves for all, flushes wait for the "
                    "one that runs", test_others_gather);
    g_test_add_func("/vmemstore/elsewhere flushes of other pages run beside each other, "
                    "as many as there are workers", test_others_run_beside);
    g_test_add_func("/vmemstore/a flush of the whole store holds up no small one",
                    test_large_does_not_hold_up);
    g_test_add_func("/vmemstore/the second part and the mark come after the first "
                    "part", test_parts_in_order);
    g_test_add_func("/vmemstore/when the first part fails there is no mark and no "
                    "second part", test_failed_part_stops);
    g_test_add_func("/vmemstore/cancelling waits for what runs and gives back the "
                    "rest", test_cancel);
    g_test_add_func("/vmemstore/cancelling waits for a thread that is about to sync",
                    test_cancel_waits_for_submitter);
    g_test_add_func("/vmemstore/draining syncs all that was queued, in both parts",
                    test_drain);
    g_test_add_func("/vmemstore/whatever eight threads flush at random is durable "
                    "when they are told so", test_random_clients);
    return g_test_run();
}
