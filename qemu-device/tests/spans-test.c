/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spans-test.c - merged spans cover the granules that were asked for, each once
 */
#include <glib.h>
#include <stdbool.h>
#include <string.h>

#include "spans.h"

#define GRANULE 4096
#define GRANULES 64
#define MOST 16

static void check_random_list(GRand *rnd)
{
    VMemStoreSpan spans[MOST];
    bool wanted[GRANULES] = { 0 }, found[GRANULES] = { 0 };
    uint32_t nr = g_rand_int_range(rnd, 1, MOST + 1);
    uint32_t merged;

    for (uint32_t i = 0; i < nr; i++) {
        spans[i].offset = g_rand_int_range(rnd, 0, GRANULES * GRANULE);
        spans[i].length = 1 + g_rand_int_range(rnd, 0,
                          MIN(3 * GRANULE, GRANULES * GRANULE - (int)spans[i].offset));
        for (uint64_t g = spans[i].offset / GRANULE;
             g <= (spans[i].offset + spans[i].length - 1) / GRANULE; g++) {
            wanted[g] = true;
        }
    }
    merged = vmemstore_merge_spans(spans, nr, GRANULE);
    g_assert_cmpuint(merged, <=, nr);
    for (uint32_t i = 0; i < merged; i++) {
        g_assert_cmpuint(spans[i].offset % GRANULE, ==, 0);
        g_assert_cmpuint(spans[i].length % GRANULE, ==, 0);
        g_assert_cmpuint(spans[i].length, >, 0);
        /* Sorted, with a gap: otherwise they should have been one. */
        g_assert(i == 0 ||
                 spans[i].offset > spans[i - 1].offset + spans[i - 1].length);
        for (uint64_t at = 0; at < spans[i].length; at += GRANULE) {
            found[(spans[i].offset + at) / GRANULE] = true;
        }
    }
    g_assert(memcmp(wanted, found, sizeof(wanted)) == 0);
}

static void test_random_lists(void)
{
    g_autoptr(GRand) rnd = g_rand_new_with_seed(3);

    for (int i = 0; i < 100000; i++) {
        check_random_list(rnd);
    }
}

static void test_no_span(void)
{
    g_assert_cmpuint(vmemstore_merge_spans(NULL, 0, GRANULE), ==, 0);
}

static void test_end_of_a_large_store(void)
{
    const uint64_t size = 1ull << 50;
    VMemStoreSpan spans[] = { { size - 1, 1 }, { 0, 1 } };

    g_assert_cmpuint(vmemstore_merge_spans(spans, 2, GRANULE), ==, 2);
    g_assert_cmpuint(spans[1].offset, ==, size - GRANULE);
    g_assert_cmpuint(spans[1].length, ==, GRANULE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vmemstore/no span stays none", test_no_span);
    g_test_add_func("/vmemstore/spans at the end of a large store",
                    test_end_of_a_large_store);
    g_test_add_func("/vmemstore/merged spans cover what was asked for, once",
                    test_random_lists);
    return g_test_run();
}
