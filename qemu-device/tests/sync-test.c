/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sync-test.c - every span of a sync is written, waited for and asked for errors
 *
 * sync.c as it ships, on a real file; the linker hands its system calls to this, which
 * notes them, lets them through, and fails those that a test wants.  Linux tells each open
 * file once of a write-back that failed, and so does this.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sync.h"

#define PAGE 4096
#define PAGES 64
#define LANES 3
#define MOST_CALLS 32
#define MOST_FDS 1024

int __real_msync(void *addr, size_t length, int flags);
int __wrap_msync(void *addr, size_t length, int flags);
int __real_sync_file_range(int fd, off_t offset, off_t length, unsigned flags);
int __wrap_sync_file_range(int fd, off_t offset, off_t length, unsigned flags);

typedef struct Call {
    bool durable;               /* msync(): journal and disk cache, too */
    uint64_t offset, length;    /* of the store */
} Call;

static Call waits[MOST_CALLS];  /* calls that wait for the write-back of a range */
static unsigned nr_waits, nr_calls, fail_call;
static unsigned errors, told[MOST_FDS];     /* write-backs that failed; who knows */

static uint8_t *base;
static int file;
static VMemStoreSync sync_state;

/* ---- the system calls ---- */

static void note_wait(bool durable, uint64_t offset, uint64_t length)
{
    g_assert_cmpuint(nr_waits, <, MOST_CALLS);
    waits[nr_waits++] = (Call) { durable, offset, length };
}

/* Has the open file not been told yet?  Or is this the call that fails? */
static bool fails(int fd)
{
    bool news = told[fd] < errors;

    told[fd] = errors;
    if (news || ++nr_calls == fail_call) {
        errno = EIO;
        return true;
    }
    return false;
}

int __wrap_msync(void *addr, size_t length, int flags)
{
    g_assert_cmpint(flags, ==, MS_SYNC);
    note_wait(true, (uint64_t)((uint8_t *)addr - base), length);
    return fails(file) ? -1 : __real_msync(addr, length, flags);
}

int __wrap_sync_file_range(int fd, off_t offset, off_t length, unsigned flags)
{
    const unsigned all = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                         SYNC_FILE_RANGE_WAIT_AFTER;

    if ((flags & all) == all) {
        note_wait(false, (uint64_t)offset, (uint64_t)length);
    }
    return fails(fd) ? -1 : __real_sync_file_range(fd, offset, length, flags);
}

/* ---- tests ---- */

static const VMemStoreSpan spans[] = {
    { 1 * PAGE, PAGE }, { 9 * PAGE, 2 * PAGE }, { 20 * PAGE, PAGE }, { 63 * PAGE, PAGE },
};

static void begin(bool batches)
{
    nr_waits = nr_calls = fail_call = errors = 0;
    memset(told, 0, sizeof(told));
    memset(base, 1, PAGES * PAGE);
    vmemstore_sync_init(&sync_state, file, 0, base, batches, LANES);
    g_assert_cmpuint(sync_state.nr_lanes, ==, LANES);
}

static void end(void)
{
    vmemstore_sync_fini(&sync_state);
}

static int run(unsigned lane, uint32_t nr)
{
    return vmemstore_sync_spans(&sync_state, lane, spans, nr);
}

static bool is_awaited(const VMemStoreSpan *span)
{
    for (unsigned i = 0; i < nr_waits; i++) {
        if (waits[i].offset <= span->offset && waits[i].offset + waits[i].length >=
            span->offset + span->length) {
            return true;
        }
    }
    return false;
}

static void test_all_are_awaited(void)
{
    for (unsigned batches = 0; batches < 2; batches++) {
        for (uint32_t nr = 1; nr <= G_N_ELEMENTS(spans); nr++) {
            begin(batches);
            g_assert_cmpint(run(0, nr), ==, 0);
            for (uint32_t i = 0; i < nr; i++) {
                g_assert(is_awaited(&spans[i]));
            }
            /* The journal and the disk's cache come after what belongs to them. */
            g_assert(waits[nr_waits - 1].durable);
            for (unsigned i = 0; i < nr_waits && !batches; i++) {
                g_assert(waits[i].durable);
            }
            end();
        }
    }
}

static void test_any_error_is_told(void)
{
    for (unsigned batches = 0; batches < 2; batches++) {
        for (uint32_t nr = 1; nr <= G_N_ELEMENTS(spans); nr++) {
            unsigned calls;

            begin(batches);
            g_assert_cmpint(run(1, nr), ==, 0);
            calls = nr_calls;
            end();
            g_assert_cmpuint(calls, >, nr);     /* and the lane's own */
            for (unsigned which = 1; which <= calls; which++) {
                begin(batches);
                fail_call = which;
                g_assert_cmpint(run(1, nr), ==, -EIO);
                end();
            }
        }
    }
}

/* Linux tells open files, of which a number may be one more; they share their position. */
static void test_lanes_are_open_files(void)
{
    begin(true);
    for (unsigned lane = 0; lane < LANES; lane++) {
        g_assert_cmpint(lseek(sync_state.lanes[lane], 0, SEEK_CUR), ==, 0);
        g_assert_cmpint(lseek(sync_state.lanes[lane], PAGE, SEEK_SET), ==, PAGE);
    }
    g_assert_cmpint(lseek(file, 0, SEEK_CUR), ==, 0);
    end();
}

/* One lane's sync meets the error that belongs to another's page. */
static void test_each_lane_is_told(void)
{
    begin(true);
    for (unsigned failures = 1; failures <= 2; failures++) {
        errors++;
        for (unsigned lane = 0; lane < LANES; lane++) {
            g_assert_cmpint(run(lane, 2), ==, -EIO);
        }
    }
    end();
}

int main(int argc, char **argv)
{
    g_autofree char *path = NULL;

    g_test_init(&argc, &argv, NULL);
    file = g_file_open_tmp("sync-test.XXXXXX", &path, NULL);
    g_assert(file >= 0 && unlink(path) == 0 && ftruncate(file, PAGES * PAGE) == 0);
    base = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    g_assert(base != MAP_FAILED);
    g_test_add_func("/vmemstore/every span of a sync is waited for, and then the disk's cache",
                    test_all_are_awaited);
    g_test_add_func("/vmemstore/an error of any of its calls is one of the sync",
                    test_any_error_is_told);
    g_test_add_func("/vmemstore/each lane has an open file of its own",
                    test_lanes_are_open_files);
    g_test_add_func("/vmemstore/a write-back that fails is told to each lane",
                    test_each_lane_is_told);
    return g_test_run();
}
