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
#include "engine-world.h"

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

/* However many there are, of the same pages or of others. */
static void test_many_large_do_not_hold_up(void)
{
    for (int variant = 0; variant < 4; variant++) {
        bool gather = variant & 1, same = variant & 2;
        unsigned nr = same ? 100 : 2 * THREADS;
        World w;

        world_start(&w, gather);
        set_hold(&w, true);
        for (unsigned i = 0; i < nr; i++) {
            submit(&w, new_large(same ? 0 : (uint64_t)i << 24));
            wait_holding(&w, same ? 1 : MIN(i + 1, THREADS - 1));
        }
        submit(&w, new_flush(1, 3));
        wait_syncing(&w, 3);
        set_hold(&w, false);
        wait_done(&w, nr + 1);
        world_stop(&w);
    }
}

static void test_one_worker_does_all(void)
{
    World w;

    world_start_threads(&w, true, 1);
    set_hold(&w, true);
    submit_whole(&w);
    wait_holding(&w, 1);
    submit_whole(&w);
    submit(&w, new_flush(1, 3));
    set_hold(&w, false);
    wait_done(&w, 3);
    g_assert_cmpuint(w.most_running, ==, 1);
    world_stop(&w);
}

/* One worker is told of both, and is not to keep the second to itself. */
static void test_second_worker_is_woken(void)
{
    World w;

    world_start(&w, true);
    set_hold(&w, true);
    vmemstore_engine_submit(w.engine, new_flush(1, 3));
    vmemstore_engine_submit(w.engine, new_large(0));
    vmemstore_engine_kick(w.engine);
    wait_holding(&w, 2);
    set_hold(&w, false);
    wait_done(&w, 2);
    world_stop(&w);
}

/* Of those that wait for each other's pages, the oldest is the next. */
static void test_nobody_starves(void)
{
    World w;

    world_start(&w, false);
    set_hold(&w, true);
    submit(&w, new_flush(1, 3));
    wait_holding(&w, 1);
    /* Waits for the first; the one after it could run, and others like it, for ever. */
    vmemstore_engine_submit(w.engine, new_flush(2, 3, 4));
    vmemstore_engine_submit(w.engine, new_flush(1, 4));
    submit(&w, new_flush(1, 9));
    wait_holding(&w, 2);
    set_hold(&w, false);
    wait_done(&w, 4);
    /* The two share a sync, the third one. */
    g_assert_cmpuint(w.syncs, ==, 3);
    world_stop(&w);
}

/* ---- flushes in the thread that submits them ---- */

static void *run_flush(void *opaque)
{
    World *w = opaque;

    vmemstore_engine_run(w->engine, new_flush(1, 0));
    return NULL;
}

static void test_run_wakes(void)
{
    pthread_t thread;
    World w;

    world_start(&w, true);
    set_hold(&w, true);
    g_assert(vmemstore_engine_reserve(w.engine, true));
    pthread_create(&thread, NULL, run_flush, &w);
    wait_holding(&w, 1);
    submit(&w, new_flush(1, 3));
    set_hold(&w, false);
    pthread_join(thread, NULL);
    wait_done(&w, 2);
    g_assert_cmpuint(w.most_running, ==, 1);
    world_stop(&w);
}

static void test_run_overtakes_nobody(void)
{
    World w;

    world_start(&w, true);
    set_hold(&w, true);
    submit(&w, new_flush(1, 0));
    wait_holding(&w, 1);
    g_assert(!vmemstore_engine_reserve(w.engine, false));
    submit(&w, new_flush(1, 3));
    g_assert(!vmemstore_engine_reserve(w.engine, false));
    set_hold(&w, false);
    wait_done(&w, 2);
    world_stop(&w);
}

static void test_run_beside(void)
{
    World w;

    world_start(&w, false);
    set_hold(&w, true);
    submit(&w, new_flush(1, 3));
    wait_holding(&w, 1);
    g_assert(!vmemstore_engine_reserve(w.engine, true));
    g_assert(vmemstore_engine_reserve(w.engine, false));
    set_hold(&w, false);
    run_flush(&w);
    wait_done(&w, 2);
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

#define CLIENTS 8

typedef struct Client {
    World *w;
    unsigned seed;
} Client;

static GHashTable *finished, *cancelled;
static bool clients_left;

static void note(VMemStoreFlushList list, GHashTable *table)
{
    VMemStoreFlush *f;

    while ((f = vmemstore_list_take(&list))) {
        g_hash_table_add(table, f);
    }
}

/* Lock held.  Wait until it is done; false when it was cancelled. */
static bool wait_flush(World *w, VMemStoreFlush *flush)
{
    int64_t end = deadline();

    while (true) {
        note(vmemstore_engine_take_done(w->engine), finished);
        if (g_hash_table_remove(finished, flush)) {
            return true;
        }
        if (g_hash_table_remove(cancelled, flush)) {
            return false;
        }
        g_assert(g_get_monotonic_time() < end);
        wait_a_little(w);
    }
}

/* In another thread or in this one, as it comes. */
static void start_flush(World *w, VMemStoreFlush *flush, GRand *rnd)
{
    bool run;

    pthread_mutex_lock(&w->submitting);
    run = g_rand_int_range(rnd, 0, 4) == 0 &&
          vmemstore_engine_reserve(w->engine, g_rand_boolean(rnd));
    if (!run) {
        submit(w, flush);
    }
    pthread_mutex_unlock(&w->submitting);
    if (run) {
        vmemstore_engine_run(w->engine, flush);
    }
}

/* Store, and make the flush of it; versions of all pages are noted. */
static VMemStoreFlush *random_flush(World *w, GRand *rnd, uint64_t *versions)
{
    VMemStoreFlush *flush = new_flush(0);
    uint32_t nr = g_rand_int_range(rnd, 1, 6);

    flush->nr_spans = nr;
    flush->nr_first = g_rand_boolean(rnd) ? nr :
                      (uint32_t)g_rand_int_range(rnd, 1, nr + 1);
    pthread_mutex_lock(&w->lock);
    for (uint32_t k = 0; k < nr; k++) {
        unsigned page = g_rand_int_range(rnd, 0, PAGES);

        flush->spans[k] = (VMemStoreSpan) { page * PAGE, PAGE };
        w->stored[page]++;
    }
    memcpy(versions, w->stored, sizeof(w->stored));
    pthread_mutex_unlock(&w->lock);
    if (g_rand_int_range(rnd, 0, 8) == 0) {
        flush->spans[0] = (VMemStoreSpan) { 0, VMEMSTORE_LARGE_FLUSH };
    }
    return flush;
}

static void *client(void *opaque)
{
    Client *c = opaque;
    World *w = c->w;
    GRand *rnd = g_rand_new_with_seed(c->seed);

    for (int i = 0; i < 2000; i++) {
        uint64_t versions[PAGES];
        VMemStoreFlush *flush = random_flush(w, rnd, versions);

        start_flush(w, flush, rnd);
        pthread_mutex_lock(&w->lock);
        if (wait_flush(w, flush)) {
            for (uint32_t k = 0; k < flush->nr_spans; k++) {
                for (uint64_t at = 0; at < flush->spans[k].length; at += PAGE) {
                    unsigned page = (flush->spans[k].offset + at) / PAGE % PAGES;

                    g_assert_cmpuint(w->durable[page], >=, versions[page]);
                }
            }
        }
        pthread_cond_broadcast(&w->changed);
        pthread_mutex_unlock(&w->lock);
        g_free(flush);
    }
    g_rand_free(rnd);
    return NULL;
}

static void *canceller(void *opaque)
{
    World *w = opaque;

    while (__atomic_load_n(&clients_left, __ATOMIC_ACQUIRE)) {
        VMemStoreFlushList list;

        g_usleep(2000);
        pthread_mutex_lock(&w->submitting);
        list = vmemstore_engine_cancel(w->engine);
        pthread_mutex_unlock(&w->submitting);
        pthread_mutex_lock(&w->lock);
        note(list, cancelled);
        pthread_cond_broadcast(&w->changed);
        pthread_mutex_unlock(&w->lock);
    }
    return NULL;
}

static void random_clients(bool gather, unsigned workers, bool cancel)
{
    pthread_t threads[CLIENTS], other;
    Client clients[CLIENTS];
    World w;

    world_start_threads(&w, gather, workers);
    finished = g_hash_table_new(NULL, NULL);
    cancelled = g_hash_table_new(NULL, NULL);
    __atomic_store_n(&clients_left, cancel, __ATOMIC_RELEASE);
    pthread_create(&other, NULL, canceller, &w);
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = (Client) { &w, i };
        pthread_create(&threads[i], NULL, client, &clients[i]);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        pthread_join(threads[i], NULL);
    }
    __atomic_store_n(&clients_left, false, __ATOMIC_RELEASE);
    pthread_join(other, NULL);
    g_hash_table_destroy(finished);
    g_hash_table_destroy(cancelled);
    world_stop(&w);
}

static void test_random_clients(void)
{
    random_clients(true, THREADS, false);
    random_clients(false, THREADS, false);
    random_clients(true, 1, false);
}

static void test_random_clients_cancelled(void)
{
    random_clients(true, THREADS, true);
    random_clients(false, THREADS, true);
}

static void drain(bool gather)
{
    World w;

    world_start(&w, gather);
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

static void test_drain(void)
{
    drain(true);
    drain(false);
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
    g_test_add_func("/vmemstore/many large flushes hold up no small one, be they of the "
                    "same pages or of others", test_many_large_do_not_hold_up);
    g_test_add_func("/vmemstore/a single worker syncs large and small ones",
                    test_one_worker_does_all);
    g_test_add_func("/vmemstore/when a small and a large flush wait, two workers "
                    "are woken", test_second_worker_is_woken);
    g_test_add_func("/vmemstore/a flush that waits for others' pages is not overtaken by "
                    "those that want its own", test_nobody_starves);
    g_test_add_func("/vmemstore/a flush in the submitter's thread wakes who waited "
                    "for it", test_run_wakes);
    g_test_add_func("/vmemstore/where one sync serves for all, no flush in the submitter's "
                    "thread overtakes others", test_run_overtakes_nobody);
    g_test_add_func("/vmemstore/elsewhere it runs beside them", test_run_beside);
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
    g_test_add_func("/vmemstore/the same, cancelled again and again: nobody is forgotten",
                    test_random_clients_cancelled);
    return g_test_run();
}
