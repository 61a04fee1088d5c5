/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * insight-test.c - what the device shows of itself is true
 */
#ifdef VMEMSTORE_STANDALONE
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#else
#include "qemu/osdep.h"
#include <glib/gstdio.h>
#endif

#include "testdriver.h"

#define STORE_SIZE (8ull << 20)
#define PAGES (STORE_SIZE / 4096)

static char *image;

static void start(Driver *d, const char *more)
{
    g_autofree char *options = g_strdup_printf("file=%s%s", image, more);

    driver_start(d, "q35", options);
}

/* A number of the property "stats"; 0 when it has none of that name. */
static uint64_t stat_of(Driver *d, const char *name)
{
    uint64_t value;

    find_stat(d, name, &value);
    return value;
}

static void test_flushes_are_counted(void)
{
    const uint64_t ranges[] = { 0, 4096, 8192, 100, 8200, 4096 };
    Driver d;

    start(&d, "");
    g_assert_cmpuint(stat_of(&d, "flush-requests"), ==, 0);
    g_assert_cmpuint(flush(&d, 3, ranges), ==, VMEMSTORE_S_OK);
    g_assert_cmpuint(flush(&d, 0, NULL), ==, VMEMSTORE_S_OK);
    g_assert_cmpuint(flush(&d, 65, ranges), ==, VMEMSTORE_S_INVALID);
    g_assert_cmpuint(stat_of(&d, "flush-requests"), ==, 2);
    g_assert_cmpuint(stat_of(&d, "flush-whole"), ==, 1);
    g_assert_cmpuint(stat_of(&d, "flush-ranges"), ==, 3);
    g_assert_cmpuint(stat_of(&d, "flush-bytes"), ==, 3 * 4096 + STORE_SIZE);
    g_assert_cmpuint(stat_of(&d, "syncs"), ==, 2);
    g_assert_cmpuint(stat_of(&d, "flush-errors"), ==, 0);
    g_assert_cmpuint(stat_of(&d, "invalid-requests"), ==, 1);
    g_assert_cmpuint(stat_of(&d, "size"), ==, STORE_SIZE);
    g_assert_cmpuint(stat_of(&d, "provisioned-bytes"), ==, STORE_SIZE);
    driver_stop(&d);
}

static void test_latencies_are_counted(void)
{
    const uint64_t range[] = { 0, 4096 };
    uint64_t sum = 0;
    Driver d;

    start(&d, "");
    for (int i = 0; i < 5; i++) {
        g_assert_cmpuint(flush(&d, 1, range), ==, VMEMSTORE_S_OK);
    }
    for (uint64_t us = 1; us <= 1u << 22; us *= 2) {
        g_autofree char *name = g_strdup_printf("%lu", (unsigned long)us);

        sum += stat_of(&d, name);
    }
    g_assert_cmpuint(sum + stat_of(&d, "more"), ==, 5);
    g_assert_cmpuint(stat_of(&d, "flush-ns"), >, 0);
    driver_stop(&d);
}

static void test_memory_is_counted(void)
{
    Driver d;

    start(&d, "");
    for (unsigned page = 0; page < 100; page++) {
        qtest_writeq(d.qts, d.store + page * 4096, page);
    }
    g_assert_cmpuint(stat_of(&d, "resident-bytes"), >=, 100 * 4096);
    g_assert_cmpuint(stat_of(&d, "dirty-bytes"), >, 0);
    g_assert_cmpuint(flush(&d, 0, NULL), ==, VMEMSTORE_S_OK);
    g_assert_cmpuint(stat_of(&d, "dirty-bytes"), ==, 0);
    driver_stop(&d);
}

static void test_summary_in_qtree(void)
{
    const uint64_t range[] = { 0, 4096 };
    g_autofree char *text = NULL;
    Driver d;

    start(&d, "");
    g_assert_cmpuint(flush(&d, 1, range), ==, VMEMSTORE_S_OK);
    text = qtest_hmp(d.qts, "info qtree");
    g_assert(strstr(text, "summary = \"1 flushes of 4 KiB"));
    driver_stop(&d);
}

static void test_resident_limit(void)
{
    int64_t end = g_get_monotonic_time() + 300 * G_TIME_SPAN_SECOND;
    Driver d;

    start(&d, ",resident-limit=2M");
    for (unsigned page = 0; page < PAGES; page++) {
        qtest_writeq(d.qts, d.store + page * 4096ull, page + 1);
    }
    while (stat_of(&d, "resident-bytes") > 2u << 20) {
        g_assert(g_get_monotonic_time() < end);
        g_usleep(100000);
    }
    g_assert_cmpuint(stat_of(&d, "dropped-bytes"), >, 0);
    for (unsigned page = 0; page < PAGES; page++) {
        g_assert_cmpuint(qtest_readq(d.qts, d.store + page * 4096ull), ==, page + 1);
    }
    driver_stop(&d);
}

int main(int argc, char **argv)
{
    static const Test tests[] = {
        { "flushes, ranges, bytes and errors are counted",
          test_flushes_are_counted },
        { "each flush is in one class of latency", test_latencies_are_counted },
        { "resident and dirty bytes are shown", test_memory_is_counted },
        { "info qtree shows a summary", test_summary_in_qtree },
        { "pages beyond resident-limit leave memory, and nothing is lost",
          test_resident_limit },
    };

    tests_begin(&argc, &argv);
    image = test_file("disk.img", STORE_SIZE);
    tests_add(tests, G_N_ELEMENTS(tests));
    return tests_run();
}
