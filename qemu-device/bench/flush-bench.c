/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flush-bench.c - the flush engine against a whole-file fsync, without a VM
 *
 *	flush-bench FILE SECONDS
 *
 * Threads act as guests' tasks do: each stores to a page of its own in a mapped
 * file, and waits until that is durable.  Elsewhere in the file pages are dirty
 * (0, 16, 256 MiB) and made dirty again when they were written back.  Measured is
 * the time of one wait, for
 *   engine   the device's own engine and sync (engine.c, sync.c), as shipped
 *   fsync    what the other devices do: fsync(2) of the file per flush, one
 *            at a time
 *   shared   fsync(2) of the file, shared by all that wait (as Firecracker)
 * Prints one JSON object per measurement.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"
#include "sync.h"

#define MIB (1024ull * 1024)
#define PAGE 4096ull
#define OWN_PAGES (64 * 64)             /* 64 per waiter: a small log each */
#define DIRTY_FROM (64 * MIB)
#define FILE_SIZE (DIRTY_FROM + 256 * MIB)
#define MAX_WAITERS 64
#define MAX_SAMPLES 200000

enum method { ENGINE, FSYNC, SHARED };
static const char *const method_name[] = { "engine", "fsync", "shared" };

static int fd;
static uint8_t *base;
static enum method method;
static uint64_t dirty_bytes;
static double end;

static VMemStoreEngine *engine;
static VMemStoreSync syncer;
static unsigned workers;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool syncing;                    /* SHARED, FSYNC */
static uint64_t begun, ended;           /* SHARED: syncs */
static uint64_t syncs;

static uint32_t *samples;               /* ns / 16 */
static size_t nr_samples;

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "flush-bench: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- the engine, with workers as in QEMU ---- */

static int sync_spans(void *opaque, unsigned lane, const VMemStoreSpan *spans,
                      uint32_t nr, uint64_t nth)
{
    (void)opaque;
    (void)nth;
    return vmemstore_sync_spans(&syncer, lane, spans, nr);
}

static void done(void *opaque)
{
    VMemStoreFlushList list = vmemstore_engine_take_done(engine);
    VMemStoreFlush *flush;

    (void)opaque;
    pthread_mutex_lock(&lock);
    while ((flush = vmemstore_list_take(&list))) {
        must(flush->err == 0, "sync");
        flush->nr_spans = 0;            /* tells its waiter */
    }
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void *work(void *opaque)
{
    vmemstore_engine_work(opaque);
    __atomic_sub_fetch(&workers, 1, __ATOMIC_RELEASE);
    return NULL;
}

static bool start_worker(void *opaque, VMemStoreEngine *e)
{
    pthread_t thread;

    (void)opaque;
    __atomic_add_fetch(&workers, 1, __ATOMIC_RELAXED);
    must(pthread_create(&thread, NULL, work, e) == 0, "pthread_create");
    pthread_detach(thread);
    return true;
}

static void flush_by_engine(VMemStoreFlush *flush, uint64_t offset)
{
    flush->nr_spans = flush->nr_first = 1;
    flush->spans[0] = (VMemStoreSpan) { offset, PAGE };
    /* A lone flush runs where it is submitted, as in a vCPU. */
    if (vmemstore_engine_reserve(engine, true)) {
        vmemstore_engine_run(engine, flush);
        done(NULL);
    } else {
        vmemstore_engine_submit(engine, flush);
        vmemstore_engine_kick(engine);
    }
    /* Another thread may be about to take it from the done ones. */
    pthread_mutex_lock(&lock);
    while (flush->nr_spans) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
}

/* ---- what it is compared with ---- */

static void flush_by_fsync(void)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

    pthread_mutex_lock(&one_at_a_time);
    must(fsync(fd) == 0, "fsync");
    syncs++;
    pthread_mutex_unlock(&one_at_a_time);
}

static void flush_shared(void)
{
    uint64_t need;

    pthread_mutex_lock(&lock);
    need = begun + 1;
    while (ended < need) {
        if (syncing) {
            pthread_cond_wait(&changed, &lock);
            continue;
        }
        syncing = true;
        begun++;
        pthread_mutex_unlock(&lock);
        must(fsync(fd) == 0, "fsync");
        pthread_mutex_lock(&lock);
        syncs++;
        syncing = false;
        ended = begun;
        pthread_cond_broadcast(&changed);
    }
    pthread_mutex_unlock(&lock);
}

/* ---- the waiters, and the one who makes pages dirty ---- */

static void *waiter(void *opaque)
{
    uint64_t own = (uint64_t)(uintptr_t)opaque * 64 * PAGE;
    VMemStoreFlush *flush = calloc(1, sizeof(*flush));

    for (uint64_t i = 0; now() < end; i++) {
        uint64_t offset = own + i % 64 * PAGE;
        double start = now(), took;
        size_t at;

        *(volatile uint64_t *)(base + offset) = i;
        if (method == ENGINE) {
            flush_by_engine(flush, offset);
        } else if (method == FSYNC) {
            flush_by_fsync();
        } else {
            flush_shared();
        }
        took = now() - start;
        at = __atomic_fetch_add(&nr_samples, 1, __ATOMIC_RELAXED);
        if (at < MAX_SAMPLES) {
            samples[at] = (uint32_t)(took * 1e9 / 16);
        }
    }
    free(flush);
    return NULL;
}

/* Every page once per second, in small steps. */
static void *dirtier(void *opaque)
{
    uint64_t step = dirty_bytes / 50 / PAGE * PAGE, at = 0;

    (void)opaque;
    while (dirty_bytes && now() < end) {
        for (uint64_t i = 0; i < step; i += PAGE) {
            *(volatile uint64_t *)(base + DIRTY_FROM + (at + i) % dirty_bytes) += 1;
        }
        at += step;
        usleep(20000);
    }
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void measure(unsigned waiters, double seconds)
{
    pthread_t threads[MAX_WAITERS + 1];
    VMemStoreEngineStats stats = { 0 };
    size_t nr;

    for (uint64_t i = 0; i < dirty_bytes; i += PAGE) {
        *(volatile uint64_t *)(base + DIRTY_FROM + i) += 1;
    }
    nr_samples = 0;
    syncs = begun = ended = 0;
    end = now() + seconds;
    pthread_create(&threads[waiters], NULL, dirtier, NULL);
    for (unsigned i = 0; i < waiters; i++) {
        pthread_create(&threads[i], NULL, waiter, (void *)(uintptr_t)i);
    }
    for (unsigned i = 0; i <= waiters; i++) {
        pthread_join(threads[i], NULL);
    }
    if (method == ENGINE) {
        static uint64_t before;

        vmemstore_engine_get_stats(engine, &stats);
        syncs = stats.syncs - before;
        before = stats.syncs;
    }
    must(fsync(fd) == 0, "fsync");
    nr = nr_samples < MAX_SAMPLES ? nr_samples : MAX_SAMPLES;
    qsort(samples, nr, sizeof(samples[0]), by_value);
    printf("{\"method\": \"%s\", \"dirty_mib\": %llu, \"waiters\": %u, "
           "\"flushes\": %zu, \"syncs\": %llu, \"p50_us\": %.1f, "
           "\"p99_us\": %.1f, \"per_second\": %.0f}\n",
           method_name[method], (unsigned long long)(dirty_bytes / MIB), waiters,
           nr_samples, (unsigned long long)syncs, samples[nr / 2] * 16 / 1e3,
           samples[nr * 99 / 100] * 16 / 1e3, (double)nr_samples / seconds);
    fflush(stdout);
}

static void open_file(const char *path)
{
    static uint8_t zeros[MIB];

    fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    must(fd >= 0, path);
    for (uint64_t at = 0; at < FILE_SIZE; at += MIB) {
        must(pwrite(fd, zeros, MIB, (off_t)at) == (ssize_t)MIB, path);
    }
    must(fsync(fd) == 0, "fsync");
    /* Small folios, as the device keeps its cache (cache.h). */
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    base = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    must(base != MAP_FAILED, "mmap");
    madvise(base, FILE_SIZE, MADV_NOHUGEPAGE);
    madvise(base, FILE_SIZE, MADV_RANDOM);
    for (uint64_t at = 0; at < FILE_SIZE; at += MIB) {
        posix_fadvise(fd, (off_t)at, MIB, POSIX_FADV_WILLNEED);
    }
}

int main(int argc, char **argv)
{
    static const VMemStoreEngineOps ops = {
        sync_spans, NULL, start_worker, done
    };
    static const unsigned waiters[] = { 1, 4, 16, 64 };
    static const uint64_t dirty[] = { 0, 16 * MIB, 256 * MIB };
    VMemStoreEngineConfig config = {
        .ops = &ops, .granule = PAGE, .threads = 4, .gather = true,
    };
    double seconds = argc == 3 ? atof(argv[2]) : 0;

    if (seconds <= 0) {
        fprintf(stderr, "usage: flush-bench FILE SECONDS\n");
        return 2;
    }
    open_file(argv[1]);
    samples = malloc(MAX_SAMPLES * sizeof(samples[0]));
    vmemstore_sync_init(&syncer, fd, 0, base, true, config.threads + 1);
    config.lanes = syncer.nr_lanes;
    engine = vmemstore_engine_new(&config);
    must(samples && engine, "memory");
    /* The methods side by side, so that what else the machine does hits all. */
    for (unsigned d = 0; d < 3; d++) {
        for (unsigned w = 0; w < 4; w++) {
            for (method = ENGINE; method <= SHARED; method++) {
                dirty_bytes = dirty[d];
                measure(waiters[w], seconds);
            }
        }
    }
    vmemstore_engine_quit(engine);
    while (__atomic_load_n(&workers, __ATOMIC_ACQUIRE)) {
        usleep(1000);
    }
    vmemstore_engine_free(engine);
    vmemstore_sync_fini(&syncer);
    unlink(argv[1]);
    return 0;
}
