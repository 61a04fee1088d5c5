/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * growth-test.c - the store becomes larger, and is taken away, in use
 */
#ifdef VMEMSTORE_STANDALONE
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#else
#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include <sys/resource.h>
#endif

#include "testdriver.h"

#define MIB (1ull << 20)
#define SIZE (4 * MIB)
#define STORE "/machine/peripheral/store"

static char *image;

static void make_image(uint64_t size)
{
    g_autofree char *zeros = g_malloc0(size);

    g_assert(g_file_set_contents(image, zeros, size, NULL));
}

static void start(Driver *d, const char *machine, const char *more)
{
    const char *always = getenv("VMEMSTORE_TEST_OPTIONS");
    g_autofree char *options = g_strdup_printf("file=%s%s%s", image, more,
                                               always ? always : "");

    driver_start(d, machine, options);
}

static uint64_t file_size(const char *path)
{
    struct stat st;

    g_assert(stat(path, &st) == 0);
    return st.st_size;
}

static uint64_t file_blocks(void)
{
    struct stat st;

    g_assert(stat(image, &st) == 0);
    return st.st_blocks * 512;
}

static uint64_t file_word(const char *path, uint64_t offset)
{
    uint64_t value = 0;
    int fd = open(path, O_RDONLY);

    g_assert(pread(fd, &value, sizeof(value), offset) == sizeof(value));
    close(fd);
    return value;
}

static uint64_t config_size(Driver *d)
{
    struct vmemstore_config config;

    config_read(d, &config);
    return config.size;
}

/* Ask for it; the answer, empty when it was accepted. */
static char *ask(Driver *d, uint64_t size)
{
    return qtest_hmp(d->qts, "qom-set " STORE " size %" PRIu64, size);
}

static void assert_refused(Driver *d, uint64_t size, const char *why)
{
    uint64_t before = config_size(d), length = file_size(image);
    g_autofree char *answer = ask(d, size);

    g_assert(strstr(answer, why));
    g_assert_cmpuint(config_size(d), ==, before);
    g_assert_cmpuint(file_size(image), ==, length);
}

static void grow(Driver *d, uint64_t size)
{
    g_autofree char *answer = ask(d, size);
    int64_t end = g_get_monotonic_time() + 300 * G_TIME_SPAN_SECOND;

    g_assert_cmpstr(answer, ==, "");
    while (config_size(d) != size && g_get_monotonic_time() < end) {
        g_usleep(1000);
    }
    g_assert_cmpuint(config_size(d), ==, size);
    g_assert_cmpuint(device_property(d, "size"), ==, size);
}

static uint32_t flush_at(Driver *d, uint64_t offset)
{
    const uint64_t range[] = { offset, 4096 };

    return flush(d, 1, range);
}

static uint8_t config_generation(Driver *d)
{
    return qtest_readb(d->qts, d->common + 21);
}

/* ---- growth ---- */

static void test_guest_is_told(void)
{
    uint8_t generation;
    Driver d;

    make_image(SIZE);
    start(&d, "q35", "");
    g_assert(d.features & 1u << VMEMSTORE_F_GROW);
    g_assert_cmpuint(d.store_length, ==, 4096 * MIB);
    qtest_writeq(d.qts, d.store + 8, 0x1111);
    g_assert_cmpuint(flush_at(&d, SIZE), ==, VMEMSTORE_S_INVALID);
    generation = config_generation(&d);
    g_assert_cmphex(qtest_readl(d.qts, MSI_CONFIG), ==, 0);

    grow(&d, 3 * SIZE);
    qtest_qmp_eventwait(d.qts, "VMEMSTORE_GROWN");
    g_assert_cmphex(qtest_readl(d.qts, MSI_CONFIG), ==, 0xc0);
    g_assert_cmpuint(config_generation(&d), !=, generation);
    g_assert_cmpuint(file_size(image), ==, 3 * SIZE);
    g_assert_cmpuint(file_blocks(), >=, 3 * SIZE);

    g_assert_cmphex(qtest_readq(d.qts, d.store + 8), ==, 0x1111);
    qtest_writeq(d.qts, d.store + 3 * SIZE - 8, 0x2222);
    g_assert_cmpuint(flush_at(&d, 3 * SIZE - 4096), ==, VMEMSTORE_S_OK);
    g_assert_cmpuint(flush(&d, 0, NULL), ==, VMEMSTORE_S_OK);
    g_assert_cmpuint(flush_at(&d, 3 * SIZE), ==, VMEMSTORE_S_INVALID);
    g_assert_cmphex(file_word(image, 8), ==, 0x1111);
    g_assert_cmphex(file_word(image, 3 * SIZE - 8), ==, 0x2222);
    driver_init(&d);
    g_assert_cmpuint(config_size(&d), ==, 3 * SIZE);
    driver_stop(&d);
}

static void test_nothing_behind_the_end(void)
{
    Driver d;

    make_image(SIZE);
    start(&d, "q35", "");
    for (int i = 0; i < 3; i++) {
        uint64_t end = SIZE + i * 2 * MIB;

        qtest_writeq(d.qts, d.store + end, 0x3333);
        g_assert_cmphex(qtest_readq(d.qts, d.store + end), !=, 0x3333);
        grow(&d, end + 2 * MIB);
        g_assert_cmphex(qtest_readq(d.qts, d.store + end), ==, 0);
        qtest_writeq(d.qts, d.store + end, end);
    }
    for (int i = 0; i < 3; i++) {
        uint64_t at = SIZE + i * 2 * MIB;

        g_assert_cmphex(qtest_readq(d.qts, d.store + at), ==, at);
    }
    qtest_writeq(d.qts, d.store + d.store_length - 8, 1);
    driver_stop(&d);
}

/* A file that its owner has made longer, and what is in it. */
static void test_lengthened_file(void)
{
    Driver d;
    uint64_t value = 0x4444;
    int fd;

    make_image(SIZE);
    start(&d, "q35", ",max-size=16M");
    g_assert_cmpuint(d.store_length, ==, 16 * MIB);
    fd = open(image, O_WRONLY);
    g_assert(pwrite(fd, &value, sizeof(value), 2 * SIZE - 8) == sizeof(value));
    close(fd);
    g_assert_cmpuint(config_size(&d), ==, SIZE);
    grow(&d, 2 * SIZE);
    g_assert_cmphex(qtest_readq(d.qts, d.store + 2 * SIZE - 8), ==, value);
    assert_refused(&d, 18 * MIB, "can grow to 16777216 bytes only");
    driver_stop(&d);
}

static void test_refusals(void)
{
    Driver d;

    make_image(SIZE);
    start(&d, "q35", "");
    assert_refused(&d, SIZE / 2, "cannot become smaller");
    assert_refused(&d, 0, "cannot become smaller");
    assert_refused(&d, SIZE + MIB, "must be a multiple of 2 MiB");
    assert_refused(&d, 8192 * MIB, "can grow to 4294967296 bytes only");
    driver_stop(&d);

    start(&d, "q35", ",readonly=on");
    g_assert(!(d.features & 1u << VMEMSTORE_F_GROW));
    g_assert_cmpuint(d.store_length, ==, SIZE);
    assert_refused(&d, 2 * SIZE, "does not grow");
    driver_stop(&d);
    start(&d, "q35", ",cow=on");
    g_assert(!(d.features & 1u << VMEMSTORE_F_GROW));
    assert_refused(&d, 2 * SIZE, "does not grow");
    driver_stop(&d);
    start(&d, "q35 -incoming defer", ",migrate=copy");
    assert_refused(&d, 2 * SIZE, "during a migration");
    driver_stop(&d);
}

static void test_lost_data(void)
{
    Driver d;

    make_image(SIZE);
    start(&d, "q35", "");
    g_assert(truncate(image, SIZE / 2) == 0);
    qtest_writeq(d.qts, d.store + SIZE / 2, 0x1234);
    qtest_qmp_eventwait(d.qts, "VMEMSTORE_ERROR");
    assert_refused(&d, 2 * SIZE, "has lost data");
    driver_stop(&d);
}

/* The limit of a file's size stands for the end of the disk. */
static void test_no_room(void)
{
    struct rlimit limit, small = { 6 * MIB, 6 * MIB };
    Driver d;

    make_image(SIZE);
    getrlimit(RLIMIT_FSIZE, &limit);
    small.rlim_max = limit.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    g_assert(setrlimit(RLIMIT_FSIZE, &small) == 0);
    start(&d, "q35", "");
    setrlimit(RLIMIT_FSIZE, &limit);
    assert_refused(&d, 2 * SIZE, "no room for the 8 MiB");
    g_assert_cmpuint(flush(&d, 0, NULL), ==, VMEMSTORE_S_OK);
    grow(&d, 6 * MIB);
    driver_stop(&d);
}

static void test_prealloc_is_kept(void)
{
    const uint64_t new_part[] = { SIZE, 2 * MIB };
    Driver d;

    make_image(SIZE);
    start(&d, "q35", ",prealloc=off");
    grow(&d, 4 * SIZE);
    g_assert_cmpuint(file_size(image), ==, 4 * SIZE);
    g_assert_cmpuint(file_blocks(), <=, SIZE + MIB);
    g_assert_cmpuint(ranges_request(&d, VMEMSTORE_REQ_PROVISION, 1, new_part),
                     ==, VMEMSTORE_S_OK);
    g_assert_cmpuint(file_blocks(), >=, SIZE + 2 * MIB);
    qtest_writeq(d.qts, d.store + SIZE, 0x5555);
    g_assert_cmpuint(ranges_request(&d, VMEMSTORE_REQ_DISCARD, 1, new_part),
                     ==, VMEMSTORE_S_OK);
    g_assert_cmphex(qtest_readq(d.qts, d.store + SIZE), ==, 0);
    driver_stop(&d);

    make_image(SIZE);
    start(&d, "q35", ",prealloc=full");
    grow(&d, 4 * SIZE);
    g_assert_cmpuint(file_blocks(), >=, 4 * SIZE);
    driver_stop(&d);
}

static bool can_allocate(void)
{
    int fd = open(image, O_RDWR);
    bool can;

    g_assert(fd >= 0);
    can = fallocate(fd, 0, 0, SIZE) == 0;
    close(fd);
    return can;
}

/* As with FUSE, and NFS before 4.2. */
static void test_no_allocation(void)
{
    Driver d;

    make_image(SIZE);
    if (can_allocate()) {
        g_test_skip("the file system allocates");
        return;
    }
    start(&d, "q35", "");
    assert_refused(&d, 2 * SIZE, "use prealloc=full");
    driver_stop(&d);
    start(&d, "q35", ",prealloc=full");
    grow(&d, 2 * SIZE);
    g_assert_cmpuint(file_size(image), ==, 2 * SIZE);
    g_assert_cmpuint(file_blocks(), >=, 2 * SIZE);
    qtest_writeq(d.qts, d.store + 2 * SIZE - 8, 0x5555);
    g_assert_cmpuint(flush_at(&d, 2 * SIZE - 4096), ==, VMEMSTORE_S_OK);
    driver_stop(&d);
}

/* Two stores may lie in one file beside each other. */
static void test_part_of_a_file(void)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET,
        .l_start = 10 * MIB, .l_len = 2 * MIB,
    };
    int fd;
    Driver d;

    make_image(12 * MIB);
    start(&d, "q35", ",offset=2M,size=4M");
    fd = open(image, O_RDWR);
    g_assert(fcntl(fd, F_OFD_SETLK, &lock) == 0);
    assert_refused(&d, 10 * MIB, "in use by another process");
    grow(&d, 8 * MIB);
    qtest_writeq(d.qts, d.store + 8 * MIB - 8, 0x6666);
    g_assert_cmpuint(flush(&d, 0, NULL), ==, VMEMSTORE_S_OK);
    g_assert_cmphex(file_word(image, 10 * MIB - 8), ==, 0x6666);
    lock.l_start = 9 * MIB;
    lock.l_len = MIB;
    g_assert(fcntl(fd, F_OFD_SETLK, &lock) < 0);
    close(fd);
    driver_stop(&d);
}

static void test_power_cut(void)
{
    g_autofree char *shadow = g_strconcat(image, ".shadow", NULL);
    g_autofree char *options = g_strdup_printf(",x-powercut=%s", shadow);
    Driver d;

    make_image(SIZE);
    start(&d, "q35", options);
    grow(&d, 2 * SIZE);
    g_assert_cmpuint(file_size(shadow), ==, 2 * SIZE);
    qtest_writeq(d.qts, d.store + 2 * SIZE - 8, 0x7777);
    g_assert_cmpuint(flush_at(&d, 2 * SIZE - 4096), ==, VMEMSTORE_S_OK);
    driver_kill(&d);
    g_assert_cmphex(file_word(shadow, 2 * SIZE - 8), ==, 0x7777);
    g_unlink(shadow);
}

/* ---- unplugging; by ACPI, whose registers "pc" has at fixed addresses ---- */

#define ACPI_EJECT 0xae08
#define ACPI_BUS   0xae10

static void set_in_use(Driver *d, uint32_t value)
{
    qtest_writel(d->qts, d->config + offsetof(struct vmemstore_config, in_use),
                 value);
}

static void assert_held(Driver *d)
{
    g_autofree char *answer = qtest_hmp(d->qts, "device_del store");

    g_assert(strstr(answer, "is in use in the guest: unmount or close it"));
}

/* What the guest's kernel does when it is asked to let go. */
static void eject(Driver *d)
{
    qtest_outl(d->qts, ACPI_BUS, 0);
    qtest_outl(d->qts, ACPI_EJECT, 1u << DEVICE_SLOT);
}

static void unplug(Driver *d)
{
    g_autofree char *answer = qtest_hmp(d->qts, "device_del store");

    g_assert_cmpstr(answer, ==, "");
    eject(d);
    qtest_qmp_eventwait(d->qts, "DEVICE_DELETED");
}

static void test_held_while_in_use(void)
{
    struct vmemstore_config config;
    Driver d;

    make_image(SIZE);
    start(&d, "pc", "");
    g_assert(d.features & 1u << VMEMSTORE_F_IN_USE);
    set_in_use(&d, 1);
    config_read(&d, &config);
    g_assert_cmpuint(config.in_use, ==, 1);
    assert_held(&d);
    set_in_use(&d, 1);
    assert_held(&d);
    set_in_use(&d, 0);
    unplug(&d);
    driver_stop(&d);
}

/* A guest that died holds nothing. */
static void test_reset_releases(void)
{
    Driver d;

    make_image(SIZE);
    start(&d, "pc", "");
    set_in_use(&d, 1);
    assert_held(&d);
    driver_init(&d);
    /* A write elsewhere does not bring it back. */
    qtest_writel(d.qts, d.config, 0xffffffff);
    g_assert_cmpuint(config_size(&d), ==, SIZE);
    unplug(&d);
    driver_stop(&d);
}

static void test_unplug_in_flight(void)
{
    struct {
        struct vmemstore_commit head;
        struct vmemstore_range ranges[2];
    } commit = {
        .head = { .type = VMEMSTORE_REQ_COMMIT, .nr_ranges = 2, .nr_first = 1,
                  .flags = VMEMSTORE_COMMIT_MARK, .mark_value = 1 },
        .ranges = { { 4096, 3 * MIB }, { 0, 4096 } },
    };
    g_autofree char *answer = NULL;
    Driver d;

    make_image(SIZE);
    start(&d, "pc", ",flush-in-vcpu=off");
    for (uint64_t at = 0; at < SIZE; at += 4096) {
        qtest_writeq(d.qts, d.store + at, at);
    }
    answer = qtest_hmp(d.qts, "device_del store");
    for (unsigned slot = 0; slot < 16; slot += 2) {
        put_request(&d, slot, &commit, sizeof(commit));
        offer(&d, slot);
    }
    doorbell(&d);
    eject(&d);
    qtest_qmp_eventwait(d.qts, "DEVICE_DELETED");
    driver_stop(&d);
}

static void test_unplug_while_growing(void)
{
    g_autofree char *answer = NULL;
    Driver d;

    make_image(SIZE);
    start(&d, "pc", ",prealloc=full");
    answer = ask(&d, 256 * MIB);
    g_assert_cmpstr(answer, ==, "");
    unplug(&d);
    driver_stop(&d);
}

/* ---- both ends of a migration ---- */

static void wait_migrated(QTestState *qts)
{
    int64_t end = g_get_monotonic_time() + 300 * G_TIME_SPAN_SECOND;
    bool done = false;

    while (!done && g_get_monotonic_time() < end) {
        g_autofree char *status = qtest_hmp(qts, "info migrate");

        g_assert(!strstr(status, "failed"));
        done = strstr(status, "completed") != NULL;
        g_usleep(10000);
    }
    g_assert(done);
}

static void test_migrates(void)
{
    g_autofree char *stream = g_strconcat(image, ".stream", NULL);
    g_autofree char *other = g_strconcat(image, ".other", NULL);
    g_autofree char *args = g_strdup_printf(
        "-machine pc -nodefaults -m 64M -incoming 'exec:cat <%s' -device vmemstore,"
        "id=store,addr=%d,file=%s,size=8M,migrate=copy", stream, DEVICE_SLOT, other);
    g_autofree char *begun = NULL, *size = NULL;
    Driver d;

    make_image(SIZE);
    start(&d, "pc", ",migrate=copy");
    grow(&d, 2 * SIZE);
    qtest_writeq(d.qts, d.store + 2 * SIZE - 8, 0x8888);
    set_in_use(&d, 1);
    begun = qtest_hmp(d.qts, "migrate -d exec:cat>%s", stream);
    wait_migrated(d.qts);
    driver_stop(&d);

    d.qts = qtest_init(args);
    wait_migrated(d.qts);
    assert_held(&d);
    size = qtest_hmp(d.qts, "qom-get " STORE " size");
    g_assert_cmpuint(g_ascii_strtoull(size, NULL, 0), ==, 2 * SIZE);
    g_assert_cmphex(qtest_readq(d.qts, d.store + 2 * SIZE - 8), ==, 0x8888);
    grow(&d, 3 * SIZE);
    set_in_use(&d, 0);
    unplug(&d);
    driver_stop(&d);
    g_unlink(stream);
    g_unlink(other);
}

int main(int argc, char **argv)
{
    static const Test tests[] = {
        { "the store grows in use, and the guest is told", test_guest_is_told },
        { "what is behind its end does no harm, and leaves no trace",
          test_nothing_behind_the_end },
        { "a file that was lengthened is used when the device is told",
          test_lengthened_file },
        { "growth that cannot be is refused, with the reason", test_refusals },
        { "a store that has lost data does not grow", test_lost_data },
        { "growth on a full disk is refused, and leaves nothing behind",
          test_no_room },
        { "the new part is allocated as the old one", test_prealloc_is_kept },
        { "a file system that cannot allocate is written to, or refused",
          test_no_allocation },
        { "a part of a file grows up to its neighbour", test_part_of_a_file },
        { "a power cut after growth leaves what was flushed", test_power_cut },
        { "device_del is refused while the store is in use, then done",
          test_held_while_in_use },
        { "a reset ends the use", test_reset_releases },
        { "unplugging with commits in flight", test_unplug_in_flight },
        { "unplugging while the store grows", test_unplug_while_growing },
        { "a VM that migrates keeps its size, its room to grow and its hold",
          test_migrates },
    };

    tests_begin(&argc, &argv);
    image = test_file("disk.img", 0);
    tests_add(tests, G_N_ELEMENTS(tests));
    return tests_run();
}
