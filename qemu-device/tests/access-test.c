/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * access-test.c - who may change the file: read-only, private and shared stores
 *
 * From the guest's side, like vmemstore-test.c.
 */
#ifdef VMEMSTORE_STANDALONE
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

#include <errno.h>
#include <sys/xattr.h>

#include "testdriver.h"

#define STORE_SIZE (8ull << 20)
#define MARK 0x1122334455667788ull

static char *image;
static const char *lost;    /* --lost FILE: what a test is to spoil */

static void start(Driver *d, const char *more)
{
    g_autofree char *options = g_strdup_printf("file=%s%s", image, more);

    driver_start(d, "q35", options);
}

static bool has_feature(const Driver *d, unsigned bit)
{
    return d->features >> bit & 1;
}

/* The file as it is now, to be compared with the file as it was. */
typedef struct Snapshot {
    struct stat st;
    char *contents;
} Snapshot;

static Snapshot take_snapshot(void)
{
    Snapshot shot;
    gsize length;

    g_assert(stat(image, &shot.st) == 0);
    g_assert(g_file_get_contents(image, &shot.contents, &length, NULL));
    g_assert_cmpuint(length, ==, STORE_SIZE);
    return shot;
}

static void assert_unchanged(Snapshot *before)
{
    Snapshot now = take_snapshot();

    g_assert(memcmp(before->contents, now.contents, STORE_SIZE) == 0);
    g_assert(before->st.st_mtim.tv_sec == now.st.st_mtim.tv_sec &&
             before->st.st_mtim.tv_nsec == now.st.st_mtim.tv_nsec);
    g_free(before->contents);
    g_free(now.contents);
}

static void test_readonly_drops_and_counts(void)
{
    Snapshot before = take_snapshot();
    uint64_t value;
    Driver d;

    start(&d, ",readonly=on");
    g_assert(has_feature(&d, VMEMSTORE_F_RO));
    g_assert(!has_feature(&d, VMEMSTORE_F_COW));
    g_assert_cmpuint(device_property(&d, "refused-writes"), ==, 0);
    value = qtest_readq(d.qts, d.store);
    qtest_writeq(d.qts, d.store, ~value);
    qtest_writeb(d.qts, d.store + 7, ~value);
    qtest_writel(d.qts, d.store + STORE_SIZE - 4, ~value);
    g_assert_cmphex(qtest_readq(d.qts, d.store), ==, value);
    g_assert_cmpuint(device_property(&d, "refused-writes"), ==, 3);
    driver_stop(&d);
    assert_unchanged(&before);
}

/* QEMU reads beyond the end of such memory, where the process may have none. */
static void test_readonly_ends(void)
{
    Driver d;

    start(&d, ",readonly=on");
    for (unsigned i = 0; i <= 8; i++) {
        qtest_readq(d.qts, d.store + STORE_SIZE - i);
    }
    g_assert_cmpuint(device_status(&d) & STATUS_NEEDS_RESET, ==, 0);
    driver_stop(&d);
}

/* The device itself is a writer, too, when the guest says where. */
static void test_readonly_refuses_dma(void)
{
    const uint64_t words[] = { 1 | 1ull << 32, 0, 4096 };
    Snapshot before = take_snapshot();
    Driver d;

    start(&d, ",readonly=on");
    qtest_memwrite(d.qts, buffer(0), words, sizeof(words));
    put_descriptor(&d, 0, (Descriptor) { .addr = buffer(0), .length = 24,
                   .flags = DESC_NEXT, .next = 1 });
    put_descriptor(&d, 1, (Descriptor) { .addr = d.store + 4096, .length = 4,
                   .flags = DESC_WRITE });
    offer(&d, 0);
    doorbell(&d);
    g_assert(wait_used(&d, 1) || device_status(&d) & STATUS_NEEDS_RESET);
    driver_init(&d);
    driver_stop(&d);
    assert_unchanged(&before);
}

static void test_readonly_shared(void)
{
    Driver d, second;

    start(&d, ",readonly=on");
    start(&second, ",readonly=on");
    g_assert_cmphex(qtest_readq(d.qts, d.store + 4096), ==, MARK);
    g_assert_cmphex(qtest_readq(second.qts, second.store + 4096), ==, MARK);
    driver_stop(&second);
    driver_stop(&d);
}

static void test_cow_is_private(void)
{
    const uint64_t range[] = { 0, STORE_SIZE };
    Snapshot before = take_snapshot();
    Driver d, second;

    start(&d, ",cow=on");
    g_assert(has_feature(&d, VMEMSTORE_F_COW));
    g_assert(!has_feature(&d, VMEMSTORE_F_RO));
    start(&second, ",cow=on");
    for (uint64_t at = 0; at < STORE_SIZE; at += 1 << 20) {
        qtest_writeq(d.qts, d.store + at, ~MARK);
    }
    qtest_writeq(d.qts, d.store + 4096, ~MARK);
    g_assert_cmphex(qtest_readq(d.qts, d.store + 4096), ==, ~MARK);
    g_assert_cmphex(qtest_readq(second.qts, second.store + 4096), ==, MARK);
    g_assert_cmpuint(flush(&d, 1, range), ==, VMEMSTORE_S_OK);
    g_assert_cmpuint(device_property(&d, "refused-writes"), ==, 0);
    driver_stop(&second);
    driver_stop(&d);
    assert_unchanged(&before);
}

static void test_cow_is_volatile(void)
{
    struct vmemstore_config config;
    Driver d;

    start(&d, ",cow=on");
    config_read(&d, &config);
    g_assert_cmpuint(config.backing, ==, VMEMSTORE_BACKING_VOLATILE);
    /* A reset of the guest keeps what it stored, the end of QEMU does not. */
    qtest_writeq(d.qts, d.store, ~MARK);
    driver_init(&d);
    g_assert_cmphex(qtest_readq(d.qts, d.store), ==, ~MARK);
    driver_stop(&d);
    start(&d, ",cow=on");
    g_assert_cmphex(qtest_readq(d.qts, d.store), !=, ~MARK);
    driver_stop(&d);
}

static void test_part_of_a_file(void)
{
    const uint64_t range[] = { 0, 4096 }, inside = 3 << 20;
    uint64_t value;
    Snapshot before = take_snapshot(), after;
    Driver d;

    start(&d, ",offset=2M,size=4M");
    g_assert_cmpuint(device_property(&d, "size"), ==, 4 << 20);
    g_assert_cmphex(qtest_readq(d.qts, d.store + 4096), !=, MARK);
    qtest_writeq(d.qts, d.store + inside, 5);
    g_assert_cmpuint(flush(&d, 1, range), ==, VMEMSTORE_S_OK);
    driver_stop(&d);
    after = take_snapshot();
    memcpy(&value, after.contents + (2 << 20) + inside, sizeof(value));
    g_assert_cmpuint(value, ==, 5);
    memset(after.contents + (2 << 20) + inside, 0, sizeof(value));
    g_assert(memcmp(before.contents, after.contents, STORE_SIZE) == 0);
    g_free(before.contents);
    g_free(after.contents);
}

/* What the host lost it forgets, but not the file: its generation changes. */
static void test_failed_flush_marks(void)
{
    g_autofree char *options = g_strdup_printf("file=%s,x-fail-flush=1",
                                               lost ? lost : image);
    const uint64_t range[] = { 0, 4096 };
    int64_t end = g_get_monotonic_time() + 300 * G_TIME_SPAN_SECOND;
    Driver d;

    driver_start(&d, "q35", options);
    g_assert_cmpuint(flush(&d, 1, range), ==, VMEMSTORE_S_IOERR);
    while (getxattr(lost ? lost : image, "user.vmemstore.generation", NULL,
                    0) != 48 &&
           errno != EOPNOTSUPP) {
        g_assert(g_get_monotonic_time() < end);
        g_usleep(1000);
    }
    driver_stop(&d);
}

static void test_no_permission_needed(void)
{
    const char *const options[] = { ",readonly=on", ",cow=on" };
    Driver d;

    g_assert(g_chmod(image, 0444) == 0);
    for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
        start(&d, options[i]);
        g_assert_cmphex(qtest_readq(d.qts, d.store + 4096), ==, MARK);
        driver_stop(&d);
    }
    g_assert(g_chmod(image, 0644) == 0);
}

/* ---- */

static void store_mark(void)
{
    const uint64_t mark = MARK;
    int fd = open(image, O_RDWR);

    g_assert(fd >= 0 && pwrite(fd, &mark, sizeof(mark), 4096) == sizeof(mark));
    close(fd);
}

int main(int argc, char **argv)
{
    static const Test tests[] = {
        { "a read-only store drops and counts writes",
          test_readonly_drops_and_counts },
        { "a read across the end of a read-only store does no harm",
          test_readonly_ends },
        { "a read-only store is safe from the device, too",
          test_readonly_refuses_dma },
        { "two guests read one file", test_readonly_shared },
        { "copy-on-write leaves file and neighbour alone",
          test_cow_is_private },
        { "copy-on-write is volatile", test_cow_is_volatile },
        { "readers need no permission to write", test_no_permission_needed },
        { "a part of a file is a store, the rest is not", test_part_of_a_file },
        { "a failed flush leaves its mark", test_failed_flush_marks },
    };

    tests_begin(&argc, &argv);
    for (int i = 1; i + 1 < argc; i++) {
        lost = g_str_equal(argv[i], "--lost") ? argv[i + 1] : lost;
    }
    image = test_file("disk.img", STORE_SIZE);
    store_mark();
    tests_add(tests, G_N_ELEMENTS(tests));
    return tests_run();
}
