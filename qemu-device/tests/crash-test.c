/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crash-test.c - the host's kernel dies, and what was flushed is there
 *
 * usage: crash-test store|check|check-loss FILE
 *
 * "store" fills the store, flushes every other stretch of it, in each way that
 * there is; then somebody crashes the host.
 * "check" looks at the file afterwards; "check-loss" fails, too, when nothing at
 * all is lost: then there was no crash, or a flush flushes everything.
 */
#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "testdriver.h"

#define STORE_SIZE (8ull << 20)
#define STRETCH (64 * 1024ull)
#define PAGE 4096ull

/* Ranges of one request. */
#define PIECES 8
#define PIECE (STRETCH / PIECES)

/*
 * Stretches: 0 flushed alone, 2 by a COMMIT's parts, 4 and 6 by ranges of one request,
 * odd ones never.
 */
static bool is_flushed(uint64_t offset)
{
    return offset / STRETCH % 2 == 0;
}

/* The last range is the one that the host's journal commit comes with. */
static void flush_pieces(Driver *d, uint64_t at)
{
    uint64_t ranges[2 * 2 * PIECES];

    for (unsigned i = 0; i < PIECES; i++) {
        ranges[4 * i] = at + i * PIECE;
        ranges[4 * i + 1] = PIECE;
        ranges[4 * i + 2] = at + 2 * STRETCH + i * PIECE;
        ranges[4 * i + 3] = PIECE;
    }
    g_assert_cmpuint(flush(d, 2 * PIECES, ranges), ==, VMEMSTORE_S_OK);
}

static uint64_t word(uint64_t offset)
{
    return offset ^ 0x5555555555555555ull;
}

static void flush_stretches(Driver *d)
{
    for (uint64_t at = 0; at < STORE_SIZE; at += 8 * STRETCH) {
        const uint64_t range[] = { at, STRETCH };
        struct {
            struct vmemstore_commit head;
            struct vmemstore_range ranges[2];
        } commit = {
            .head = { .type = VMEMSTORE_REQ_COMMIT, .nr_ranges = 2, .nr_first = 1 },
            .ranges = { { at + 2 * STRETCH, STRETCH - PAGE },
                        { at + 3 * STRETCH - PAGE, PAGE } },
        };

        g_assert_cmpuint(flush(d, 1, range), ==, VMEMSTORE_S_OK);
        g_assert_cmpuint(run_request(d, &commit, sizeof(commit)), ==,
                         VMEMSTORE_S_OK);
        flush_pieces(d, at + 4 * STRETCH);
    }
}

static int store(const char *file)
{
    g_autofree char *options = g_strdup_printf("file=%s", file);
    Driver d;

    driver_start(&d, "q35", options);
    for (uint64_t at = 0; at < STORE_SIZE; at += PAGE) {
        qtest_writeq(d.qts, d.store + at, word(at));
    }
    flush_stretches(&d);
    qtest_kill(d.qts);
    return 0;
}

static int check(const char *file, bool must_lose)
{
    g_autofree char *contents = NULL;
    unsigned lost = 0;
    gsize length;

    g_assert(g_file_get_contents(file, &contents, &length, NULL));
    g_assert_cmpuint(length, ==, STORE_SIZE);
    for (uint64_t at = 0; at < STORE_SIZE; at += PAGE) {
        uint64_t found;

        memcpy(&found, contents + at, sizeof(found));
        if (found == word(at)) {
            continue;
        }
        if (is_flushed(at)) {
            fprintf(stderr, "crash-test: %" PRIu64 " was flushed, and is lost\n", at);
            return 1;
        }
        lost++;
    }
    printf("%u of %" PRIu64 " pages that nobody had flushed were lost\n", lost,
           (uint64_t)(STORE_SIZE / PAGE / 2));
    return must_lose && !lost ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && g_str_equal(argv[1], "store")) {
        return store(argv[2]);
    }
    if (argc == 3 && g_str_equal(argv[1], "check")) {
        return check(argv[2], false);
    }
    if (argc == 3 && g_str_equal(argv[1], "check-loss")) {
        return check(argv[2], true);
    }
    fprintf(stderr, "usage: crash-test store|check|check-loss FILE\n");
    return 2;
}
