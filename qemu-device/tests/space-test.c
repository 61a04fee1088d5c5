/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * space-test.c - thin files, full disks, and pages that the host cannot provide
 *
 * From the guest's side, like vmemstore-test.c.  $VMEMSTORE_TEST_DIR should be
 * on a file system of its own of some 64 MiB ($VMEMSTORE_TEST_SMALL=1): the
 * tests fill it up.
 */
#ifdef VMEMSTORE_STANDALONE
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#else
#include "qemu/osdep.h"
#include <glib/gstdio.h>
#endif

#include "testdriver.h"

#define MIB (1ull << 20)
#define STORE_SIZE (32 * MIB)
#define CHUNK (2 * MIB)

static char *image;
static char *filler;

static void start(Driver *d, const char *more)
{
    g_autofree char *options = g_strdup_printf("file=%s,size=32M%s", image, more);

    g_unlink(image);
    driver_start(d, "q35", options);
}

static bool has_feature(const Driver *d, unsigned bit)
{
    return d->features >> bit & 1;
}

static uint64_t allocated(void)
{
    struct stat st;

    g_assert(stat(image, &st) == 0);
    return (uint64_t)st.st_blocks * 512;
}

static uint32_t provision(Driver *d, uint64_t offset, uint64_t length)
{
    const uint64_t range[] = { offset, length };

    return ranges_request(d, VMEMSTORE_REQ_PROVISION, 1, range);
}

static uint32_t discard(Driver *d, uint64_t offset, uint64_t length)
{
    const uint64_t range[] = { offset, length };

    return ranges_request(d, VMEMSTORE_REQ_DISCARD, 1, range);
}

/* To the last byte. */
static void fill_disk(void)
{
    static uint8_t zeros[64 * 1024];
    int fd = open(filler, O_WRONLY | O_CREAT | O_APPEND, 0644);

    g_assert(fd >= 0);
    for (size_t piece = sizeof(zeros); piece > 0; piece /= 2) {
        while (write(fd, zeros, piece) > 0) {
            /* more */
        }
        g_assert(fsync(fd) == 0 || errno == ENOSPC);
    }
    close(fd);
}

/* Some file systems give a removed file's blocks back later, but those that are cut at once. */
static void empty_disk(void)
{
    g_assert(truncate(filler, 0) == 0);
    g_unlink(filler);
}

static uint32_t state_of(Driver *d)
{
    struct vmemstore_config config;

    config_read(d, &config);
    return config.state;
}

/* ---- what a well-behaved driver sees ---- */

static void test_only_thin_stores_offer(void)
{
    const uint64_t range[] = { 0, 4096 };
    Driver d;

    start(&d, "");
    g_assert(!has_feature(&d, VMEMSTORE_F_PROVISION));
    g_assert(!has_feature(&d, VMEMSTORE_F_DISCARD));
    g_assert_cmpuint(allocated(), >=, STORE_SIZE);
    g_assert_cmpuint(provision(&d, 0, 4096), ==, VMEMSTORE_S_UNSUPP);
    g_assert_cmpuint(discard(&d, 0, 4096), ==, VMEMSTORE_S_UNSUPP);
    g_assert_cmpuint(flush(&d, 1, range), ==, VMEMSTORE_S_OK);
    driver_stop(&d);
}

static void test_provision_and_discard(void)
{
    struct vmemstore_config config;
    Driver d;

    start(&d, ",prealloc=off");
    g_assert(has_feature(&d, VMEMSTORE_F_PROVISION));
    g_assert(has_feature(&d, VMEMSTORE_F_DISCARD));
    config_read(&d, &config);
    g_assert_cmpuint(config.space_granule, >=, 4096);
    g_assert_cmpuint(allocated(), <, CHUNK);

    g_assert_cmpuint(provision(&d, CHUNK, CHUNK), ==, VMEMSTORE_S_OK);
    g_assert_cmpuint(allocated(), >=, CHUNK);
    qtest_writeq(d.qts, d.store + CHUNK + 8, 0x1234);
    /* Again, and over its ends: what is there stays as it is. */
    g_assert_cmpuint(provision(&d, CHUNK - 1, CHUNK + 2), ==, VMEMSTORE_S_OK);
    g_assert_cmphex(qtest_readq(d.qts, d.store + CHUNK + 8), ==, 0x1234);

    /* Not a whole block: nothing. */
    g_assert_cmpuint(discard(&d, CHUNK + 1, config.space_granule - 1), ==,
                     VMEMSTORE_S_OK);
    g_assert_cmphex(qtest_readq(d.qts, d.store + CHUNK + 8), ==, 0x1234);
    g_assert_cmpuint(discard(&d, 0, STORE_SIZE), ==, VMEMSTORE_S_OK);
    g_assert_cmpuint(allocated(), <, CHUNK);
    g_assert_cmphex(qtest_readq(d.qts, d.store + CHUNK + 8), ==, 0);
    g_assert_cmpuint(device_property(&d, "provision-requests"), ==, 2);
    g_assert_cmpuint(device_property(&d, "discard-requests"), ==, 2);
    g_assert_cmpuint(device_property(&d, "discard-bytes"), ==, STORE_SIZE);
    driver_stop(&d);
    g_assert_cmpuint(allocated(), <, CHUNK);
}

static void test_malformed(void)
{
    const uint32_t types[] = { VMEMSTORE_REQ_PROVISION, VMEMSTORE_REQ_DISCARD };
    const uint64_t bad[][2] = {
        { STORE_SIZE, 1 }, { 0, STORE_SIZE + 1 }, { UINT64_MAX, 2 }, { 4096, 0 },
    };
    Driver d;

    start(&d, ",prealloc=off");
    for (size_t t = 0; t < G_N_ELEMENTS(types); t++) {
        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
            g_assert_cmpuint(ranges_request(&d, types[t], 1, bad[i]), ==,
                             VMEMSTORE_S_INVALID);
        }
        g_assert_cmpuint(ranges_request(&d, types[t], 0, NULL), ==,
                         VMEMSTORE_S_INVALID);
    }
    g_assert_cmpuint(allocated(), <, CHUNK);
    driver_stop(&d);
}

static void test_reset_in_flight(void)
{
    const struct {
        struct vmemstore_req header;
        struct vmemstore_range range;
    } request = {
        { .type = VMEMSTORE_REQ_PROVISION, .nr_ranges = 1 },
        { .offset = 0, .length = STORE_SIZE },
    };
    Driver d;

    start(&d, ",prealloc=off");
    for (int round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 8; i++) {
            put_request(&d, 2 * i, &request, sizeof(request));
            offer(&d, 2 * i);
        }
        doorbell(&d);
        driver_init(&d);
        /* No answer of before the reset may appear after it. */
        g_assert_cmpuint(qtest_readw(d.qts, USED_ADDR + 2), ==, 0);
    }
    g_assert_cmpuint(provision(&d, 0, 4096), ==, VMEMSTORE_S_OK);
    driver_stop(&d);
}

/* A block that was merely allocated counts as a hole. */
static void test_full_is_written(void)
{
    Driver d;
    int fd;

    start(&d, ",prealloc=full");
    g_assert(!has_feature(&d, VMEMSTORE_F_PROVISION));
    driver_stop(&d);
    fd = open(image, O_RDONLY);
    g_assert(fd >= 0 && lseek(fd, 0, SEEK_HOLE) == (off_t)STORE_SIZE);
    close(fd);
}

static void test_full_keeps_contents(void)
{
    g_autofree char *options = g_strdup_printf("file=%s,prealloc=full", image);
    uint64_t value = 0x1234;
    Driver d;
    int fd;

    g_unlink(image);
    fd = open(image, O_RDWR | O_CREAT | O_EXCL, 0644);
    g_assert(fd >= 0 && ftruncate(fd, STORE_SIZE) == 0);
    g_assert(pwrite(fd, &value, 8, 12 * MIB) == 8);
    driver_start(&d, "q35", options);
    g_assert_cmphex(qtest_readq(d.qts, d.store + 12 * MIB), ==, value);
    driver_stop(&d);
    g_assert(lseek(fd, 0, SEEK_HOLE) == (off_t)STORE_SIZE);
    close(fd);
}

/* ---- a full disk ---- */

static void test_no_space_is_a_status(void)
{
    const uint64_t range[] = { CHUNK, 4096 };
    Driver d;

    start(&d, ",prealloc=off");
    g_assert_cmpuint(provision(&d, CHUNK, CHUNK), ==, VMEMSTORE_S_OK);
    fill_disk();
    g_assert_cmpuint(provision(&d, 2 * CHUNK, CHUNK), ==, VMEMSTORE_S_NOSPC);
    g_assert_cmpuint(device_property(&d, "provision-no-space"), ==, 1);
    /* What was provisioned before goes on working, to the disk. */
    for (uint64_t at = CHUNK; at < 2 * CHUNK; at += 4096) {
        qtest_writeq(d.qts, d.store + at, at);
    }
    g_assert_cmpuint(flush(&d, 1, range), ==, VMEMSTORE_S_OK);
    g_assert_cmpuint(flush(&d, 0, NULL), ==, VMEMSTORE_S_OK);
    g_assert_cmpuint(state_of(&d), ==, 0);
    g_assert_cmpuint(device_property(&d, "lost-pages"), ==, 0);

    empty_disk();
    g_assert_cmpuint(provision(&d, 2 * CHUNK, CHUNK), ==, VMEMSTORE_S_OK);
    driver_stop(&d);
}

static uint64_t size_of_file(void)
{
    struct stat st;

    g_assert(stat(image, &st) == 0);
    return st.st_size;
}

static void test_growth_on_a_full_disk(void)
{
    const char *command = "qom-set /machine/peripheral/store size 48M";
    g_autofree char *refused = NULL, *granted = NULL;
    Driver d;

    start(&d, "");
    fill_disk();
    refused = qtest_hmp(d.qts, "%s", command);
    g_assert(strstr(refused, "no room for the 48 MiB"));
    g_assert_cmpuint(size_of_file(), ==, STORE_SIZE);
    g_assert_cmpuint(allocated(), <=, STORE_SIZE + MIB);
    g_assert_cmpuint(flush(&d, 0, NULL), ==, VMEMSTORE_S_OK);

    empty_disk();
    granted = qtest_hmp(d.qts, "%s", command);
    g_assert_cmpstr(granted, ==, "");
    qtest_qmp_eventwait(d.qts, "VMEMSTORE_GROWN");
    g_assert_cmpuint(allocated(), >=, 48 * MIB);
    driver_stop(&d);
}

static void assert_lost(Driver *d)
{
    const uint64_t range[] = { 0, 4096 };

    qtest_qmp_eventwait(d->qts, "VMEMSTORE_ERROR");
    g_assert_cmpuint(device_property(d, "lost-pages"), ==, 1);
    g_assert_cmpuint(state_of(d), ==, VMEMSTORE_STATE_IO_ERROR);
    g_assert_cmpuint(flush(d, 1, range), ==, VMEMSTORE_S_IOERR);
    driver_init(d);
    g_assert_cmpuint(flush(d, 1, range), ==, VMEMSTORE_S_IOERR);
}

/* A driver that does not ask. */
static void test_store_into_a_hole(void)
{
    Driver d;

    start(&d, ",prealloc=off");
    fill_disk();
    qtest_writeq(d.qts, d.store + 4 * CHUNK, 0x1234);
    g_assert_cmphex(qtest_readq(d.qts, d.store + 4 * CHUNK), ==, 0x1234);
    assert_lost(&d);
    driver_stop(&d);
    g_unlink(filler);
}

static void test_truncated(void)
{
    Driver d;

    start(&d, "");
    qtest_writeq(d.qts, d.store + 4 * CHUNK, 0x1234);
    g_assert(truncate(image, 4 * CHUNK) == 0);
    g_assert_cmphex(qtest_readq(d.qts, d.store + 4 * CHUNK), ==, 0);
    qtest_writeq(d.qts, d.store + 4 * CHUNK + 8, 0x5678);
    g_assert_cmphex(qtest_readq(d.qts, d.store + 4 * CHUNK + 8), ==, 0x5678);
    assert_lost(&d);
    driver_stop(&d);
}

/* ---- */

int main(int argc, char **argv)
{
    static const Test tests[] = {
        { "only a thin store offers to provision and discard",
          test_only_thin_stores_offer },
        { "provisioning allocates, discarding gives back",
          test_provision_and_discard },
        { "malformed requests for space are refused", test_malformed },
        { "reset while space is provisioned", test_reset_in_flight },
        { "a truncated file is an error, not the end", test_truncated },
        { "prealloc=full writes every block", test_full_is_written },
        { "prealloc=full keeps what is in the file", test_full_keeps_contents },
    };
    static const Test small[] = {
        { "a full disk is a status", test_no_space_is_a_status },
        { "growth on a full disk is refused, and works when there is room",
          test_growth_on_a_full_disk },
        { "a store into a hole of a full disk is an error, not the end",
          test_store_into_a_hole },
    };

    tests_begin(&argc, &argv);
    image = test_file("disk.img", 0);
    filler = test_file("filler", 0);
    tests_add(tests, G_N_ELEMENTS(tests));
    if (getenv("VMEMSTORE_TEST_SMALL")) {
        tests_add(small, G_N_ELEMENTS(small));
    }
    return tests_run();
}
