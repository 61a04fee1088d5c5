/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shadow.c - power cuts for tests (see shadow.h)
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shadow.h"

#define PAGE 4096u
#define SECTOR 512u
#define SECTORS (PAGE / SECTOR)

/* Written back by one look, at most. */
#define WINDOW_PAGES 512u

/*
 * Microseconds between two looks, at most, as powers of two.  A host that writes
 * back soon shows what relies on an order, one that seldom does what was never
 * flushed.
 */
#define EAGER 16
#define LAZY 22

/* Flushed spans remembered: what is about to be flushed is often near. */
#define RECENT 16u

/* ... before and behind it: where a log goes on, for one. */
#define NEAR_BEFORE 16u
#define NEAR_BEHIND 32u

/* One flush in so many takes long, up to so long. */
#define LINGER_ONE_IN 12
#define LINGER_MOST_NS 40000000

/* Copied at once. */
#define CHUNK (256u * 1024)

struct VMemStoreShadow {
    int fd;
    const uint8_t *base;        /* the store */
    const uint8_t *now;         /* the shadow, mapped for comparison */
    uint64_t max_size;          /* of the mapping; behind the file is nothing */

    pthread_mutex_t lock;       /* the shadow's contents, and all below */
    uint64_t size;
    pthread_cond_t wake;
    bool stop;
    uint64_t random_state;
    unsigned pace;              /* EAGER or LAZY */
    uint64_t until_cut;         /* flushes; 0: no cut by itself */
    VMemStoreSpan recent[RECENT];
    uint32_t next_recent;
    uint8_t buffer[CHUNK];
    pthread_t thread;
};

/* splitmix64; 0 .. n - 1 */
static uint64_t random_below(VMemStoreShadow *s, uint64_t n)
{
    uint64_t x = s->random_state += 0x9e3779b97f4a7c15ull;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return (x ^ (x >> 31)) % n;
}

/* ---- writing to the shadow; lock held ---- */

/*
 * Memory may change meanwhile, so it is read once, then written.  A kill does not
 * cut a write within a page.
 */
static int copy_bytes(VMemStoreShadow *s, uint64_t offset, uint32_t length)
{
    memcpy(s->buffer, s->base + offset, length);
    if (pwrite(s->fd, s->buffer, length, (off_t)offset) != (ssize_t)length) {
        return -(errno ? errno : EIO);
    }
    return 0;
}

static bool differs(const VMemStoreShadow *s, uint64_t offset, uint32_t length)
{
    return memcmp(s->base + offset, s->now + offset, length) != 0;
}

/* Which dirty pages the host writes back, and how. */
typedef struct Look {
    uint64_t one_in;
    bool whole;                 /* none of them is torn */
    const VMemStoreSpan *but;   /* not these: they are being flushed */
    uint32_t nr_but;
} Look;

/* A page is being written back: all of it is on the disk or some sectors. */
static void write_back(VMemStoreShadow *s, uint64_t page, bool whole)
{
    uint64_t sectors = whole || random_below(s, 2) ? ~0ull :
                       random_below(s, 1 << SECTORS);

    if (sectors == ~0ull) {
        copy_bytes(s, page * PAGE, PAGE);
        return;
    }
    for (uint32_t i = 0; i < SECTORS; i++) {
        if (sectors >> i & 1) {
            copy_bytes(s, page * PAGE + i * SECTOR, SECTOR);
        }
    }
}

static bool is_left_out(const Look *look, uint64_t page)
{
    for (uint32_t i = 0; i < look->nr_but; i++) {
        if (page * PAGE - look->but[i].offset < look->but[i].length) {
            return true;
        }
    }
    return false;
}

/* At the pages in [first, first + nr). */
static void look_at(VMemStoreShadow *s, uint64_t first, uint64_t nr,
                    const Look *look)
{
    for (uint64_t page = first; page < first + nr; page++) {
        if (differs(s, page * PAGE, PAGE) &&
            random_below(s, look->one_in) == 0 && !is_left_out(look, page)) {
            write_back(s, page, look->whole);
        }
    }
}

/* At what is near a span that was flushed. */
static void look_near(VMemStoreShadow *s, const VMemStoreSpan *span,
                      const Look *look)
{
    uint64_t first = span->offset / PAGE, nr = span->length / PAGE;
    uint64_t before = first < NEAR_BEFORE ? first : NEAR_BEFORE;
    uint64_t pages = s->size / PAGE - (first - before);

    nr += before + NEAR_BEHIND;
    nr = nr < WINDOW_PAGES ? nr : WINDOW_PAGES;
    look_at(s, first - before, nr < pages ? nr : pages, look);
}

/* At pages anywhere, or near what was flushed lately. */
static void look_somewhere(VMemStoreShadow *s)
{
    static const uint64_t one_in[] = { 1, 4, 16 };
    Look look = { .one_in = one_in[random_below(s, 3)] };
    uint64_t pages = s->size / PAGE, first = random_below(s, pages);
    const VMemStoreSpan *span = &s->recent[random_below(s, RECENT)];

    if (span->length && random_below(s, 2)) {
        look_near(s, span, &look);
    } else {
        look_at(s, first, WINDOW_PAGES < pages - first ? WINDOW_PAGES :
                pages - first, &look);
    }
}

/*
 * A flush, and the host writes other pages before its own: most of them, if what
 * relies on the order of the two is to be found out.
 */
static void run_ahead(VMemStoreShadow *s, const VMemStoreSpan *spans,
                      uint32_t nr, bool everywhere)
{
    Look look = {
        .one_in = random_below(s, 4) ? 1 : 2,
        .whole = random_below(s, 8) != 0,
        .but = spans,
        .nr_but = nr,
    };

    if (everywhere) {
        look_at(s, 0, s->size / PAGE, &look);
        return;
    }
    for (uint32_t i = 0; i < RECENT; i++) {
        if (s->recent[i].length) {
            look_near(s, &s->recent[i], &look);
        }
    }
}

static void *write_back_thread(void *opaque)
{
    VMemStoreShadow *s = opaque;

    pthread_mutex_lock(&s->lock);
    while (!s->stop) {
        uint64_t us = random_below(s, 1ull << random_below(s, s->pace));
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += (long)us * 1000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&s->wake, &s->lock, &until);

        look_somewhere(s);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/*
 * Errors of order show when the power goes in the middle of a flush, while other
 * pages reach the disk: now and then that takes long.
 */
static void linger(VMemStoreShadow *s, const VMemStoreSpan *spans, uint32_t nr)
{
    struct timespec pause = { 0 };

    pthread_mutex_lock(&s->lock);
    if (random_below(s, LINGER_ONE_IN) == 0) {
        if (random_below(s, 2)) {
            run_ahead(s, spans, nr, false);
        } else {
            for (int i = 0; i < 8; i++) {
                look_somewhere(s);
            }
        }
        pause.tv_nsec = (long)random_below(s, LINGER_MOST_NS);
    }
    pthread_mutex_unlock(&s->lock);
    nanosleep(&pause, NULL);
}

/*
 * Lock held: the shadow stays as it is now.  Often the host has written much, but
 * nothing of this flush yet, sometimes a part of it, or all before it could say so.
 */
static void cut_power(VMemStoreShadow *s, const VMemStoreSpan *spans,
                      uint32_t nr)
{
    enum { NOTHING, SPANS = 3, PAGES = 6, ALL, WAYS } own = random_below(s, WAYS);
    Look look = { .one_in = own == PAGES ? 2 : 1, .whole = own != PAGES };

    if (random_below(s, 5)) {
        run_ahead(s, spans, nr, random_below(s, 2));
    }
    for (uint32_t i = 0; i < nr && own >= SPANS; i++) {
        if (own >= PAGES || random_below(s, 2)) {
            look_at(s, spans[i].offset / PAGE, spans[i].length / PAGE, &look);
        }
    }
    kill(getpid(), SIGKILL);
}

/* A flush begins. */
static void count_down(VMemStoreShadow *s, const VMemStoreSpan *spans,
                       uint32_t nr)
{
    pthread_mutex_lock(&s->lock);
    if (s->until_cut && --s->until_cut == 0) {
        cut_power(s, spans, nr);
    }
    pthread_mutex_unlock(&s->lock);
}

static int copy_span(VMemStoreShadow *s, const VMemStoreSpan *span)
{
    int err = 0;

    for (uint64_t at = 0; at < span->length && !err; at += CHUNK) {
        uint64_t left = span->length - at;
        uint32_t length = left < CHUNK ? (uint32_t)left : CHUNK;

        pthread_mutex_lock(&s->lock);
        if (differs(s, span->offset + at, length)) {
            err = copy_bytes(s, span->offset + at, length);
        }
        pthread_mutex_unlock(&s->lock);
    }
    return err;
}

int vmemstore_shadow_flushed(VMemStoreShadow *s, const VMemStoreSpan *spans,
                             uint32_t nr)
{
    count_down(s, spans, nr);
    linger(s, spans, nr);
    for (uint32_t i = 0; i < nr; i++) {
        int err = copy_span(s, &spans[i]);

        if (err) {
            return err;
        }
        pthread_mutex_lock(&s->lock);
        s->recent[s->next_recent++ % RECENT] = spans[i];
        pthread_mutex_unlock(&s->lock);
    }
    return 0;
}

/* ---- life ---- */

/* The parts of the store that are not holes, to a file of zeros. */
static int copy_file(int from, int to, uint64_t size, uint8_t *buffer)
{
    off_t at = 0, end;

    if (ftruncate(to, (off_t)size) < 0) {
        return -errno;
    }
    while ((at = lseek(from, at, SEEK_DATA)) >= 0 && (uint64_t)at < size) {
        end = lseek(from, at, SEEK_HOLE);
        while (at < end && (uint64_t)at < size) {
            ssize_t n = pread(from, buffer, end - at < CHUNK ?
                              (size_t)(end - at) : CHUNK, at);

            if (n <= 0 || pwrite(to, buffer, (size_t)n, at) != n) {
                return n == 0 ? 0 : -(errno ? errno : EIO);
            }
            at += n;
        }
    }
    return 0;
}

/* Complete under its name or not there: a copy cut short is no power cut. */
static int make_file(VMemStoreShadow *s, const char *path, int fd)
{
    size_t length = strlen(path) + sizeof(".new");
    char *name = malloc(length);
    struct stat store, shadow;
    int err = 0;

    if (!name) {
        return -ENOMEM;
    }
    snprintf(name, length, "%s.new", path);
    if (stat(path, &shadow) == 0 && fstat(fd, &store) == 0 &&
        shadow.st_dev == store.st_dev && shadow.st_ino == store.st_ino) {
        err = -EBUSY;
    }
    if (!err) {
        s->fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        err = s->fd < 0 ? -errno : copy_file(fd, s->fd, s->size, s->buffer);
    }
    if (!err && rename(name, path) < 0) {
        err = -errno;
    }
    free(name);
    return err;
}

static int start(VMemStoreShadow *s)
{
    pthread_condattr_t attr;
    void *p = mmap(NULL, s->max_size, PROT_READ, MAP_SHARED, s->fd, 0);
    int err;

    if (p == MAP_FAILED) {
        return -errno;
    }
    s->now = p;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->wake, &attr);
    pthread_condattr_destroy(&attr);
    err = pthread_create(&s->thread, NULL, write_back_thread, s);
    if (err) {
        munmap(p, s->max_size);
    }
    return -err;
}

VMemStoreShadow *vmemstore_shadow_open(const char *path, int fd,
                                       const uint8_t *base, uint64_t size,
                                       uint64_t max_size, uint64_t seed,
                                       uint64_t cut_at)
{
    VMemStoreShadow *s = calloc(1, sizeof(*s));
    int err;

    if (!s) {
        return NULL;
    }
    s->fd = -1;
    s->base = base;
    s->size = size;
    s->max_size = max_size;
    s->random_state = seed;
    s->pace = random_below(s, 2) ? LAZY : EAGER;
    s->until_cut = cut_at;
    err = make_file(s, path, fd);
    if (!err) {
        err = start(s);
    }
    if (err) {
        if (s->fd >= 0) {
            close(s->fd);
        }
        free(s);
        errno = -err;
        return NULL;
    }
    return s;
}

int vmemstore_shadow_lengthen(VMemStoreShadow *s, uint64_t size)
{
    return ftruncate(s->fd, (off_t)size) < 0 ? -errno : 0;
}

void vmemstore_shadow_grow(VMemStoreShadow *s, uint64_t size)
{
    pthread_mutex_lock(&s->lock);
    s->size = size;
    pthread_mutex_unlock(&s->lock);
}

void vmemstore_shadow_close(VMemStoreShadow *s)
{
    static const Look look = { .one_in = 2 };

    if (!s) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);

    /* What the host was writing when the power went. */
    look_at(s, 0, s->size / PAGE, &look);
    munmap((void *)s->now, s->max_size);
    close(s->fd);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
