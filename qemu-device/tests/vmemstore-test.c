/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmemstore-test.c - the device from the guest's side, good and hostile
 *
 * Runs against a stock QEMU with vmemstore.so (miniqtest.c), and inside a QEMU
 * tree as tests/qtest/vmemstore-test.c (libqtest).
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

#define STORE_SIZE (8ull << 20)

static char *image;
static char *trace_file;

/* ---- helpers ---- */

static void start_on(Driver *d, const char *machine, const char *more)
{
    const char *all = getenv("VMEMSTORE_TEST_OPTIONS");
    g_autofree char *options = g_strdup_printf("file=%s,x-trace-file=%s%s%s",
                                               image, trace_file, more,
                                               all ? all : "");

    g_unlink(trace_file);
    driver_start(d, machine, options);
}

static void start(Driver *d, const char *more)
{
    start_on(d, "q35", more);
}

static char *trace_text(void)
{
    char *text = NULL;

    g_assert(g_file_get_contents(trace_file, &text, NULL, NULL));
    return text;
}

static void assert_trace(const char *expected)
{
    g_autofree char *text = trace_text();

    g_assert_cmpstr(text, ==, expected);
}

static void assert_alive(Driver *d)
{
    const uint64_t range[] = { 0, 4096 };

    g_assert_cmpuint(device_status(d) & STATUS_NEEDS_RESET, ==, 0);
    g_assert_cmpuint(flush(d, 1, range), ==, VMEMSTORE_S_OK);
}

/* The device must have stopped until the next reset, and then work again. */
static void assert_broken_until_reset(Driver *d)
{
    int64_t end = g_get_monotonic_time() + 300 * G_TIME_SPAN_SECOND;

    while (!(device_status(d) & STATUS_NEEDS_RESET)) {
        g_assert(g_get_monotonic_time() < end);
        g_usleep(1000);
    }
    driver_init(d);
    assert_alive(d);
}

static uint32_t header_request(Driver *d, uint32_t type, uint32_t nr_ranges,
                               size_t length)
{
    uint8_t request[4096] = { 0 };
    struct vmemstore_req header = { .type = type, .nr_ranges = nr_ranges };
    struct vmemstore_range range = { .offset = 0, .length = 4096 };

    memcpy(request, &header, sizeof(header));
    for (size_t at = sizeof(header); at + sizeof(range) <= sizeof(request);
         at += sizeof(range)) {
        memcpy(request + at, &range, sizeof(range));
    }
    return run_request(d, request, length);
}

/* ---- what a well-behaved driver sees ---- */

static void test_identity(void)
{
    Driver d;

    start(&d, "");
    g_assert_cmphex(pci_read(&d, 0), ==, 0x107f1af4);
    g_assert_cmphex(pci_read(&d, 0x18) & 15, ==, 0xc);  /* 64-bit prefetchable */
    g_assert_cmpuint(d.store_bar, ==, 2);
    g_assert_cmpuint(d.store_bar_size, ==, 4ull << 30);
    g_assert_cmpuint(d.store_length, ==, d.store_bar_size);
    g_assert_cmpuint(d.features & 1u << VMEMSTORE_F_RO, ==, 0);
    driver_stop(&d);
}

static void test_config(void)
{
    struct vmemstore_config config, again;
    const uint8_t none[VMEMSTORE_GENERATION_LEN] = { 0 };
    Driver d;

    start(&d, "");
    config_read(&d, &config);
    g_assert_cmpuint(config.size, ==, STORE_SIZE);
    g_assert(config.backing == VMEMSTORE_BACKING_PAGE_CACHE ||
             config.backing == VMEMSTORE_BACKING_VOLATILE);
    g_assert_cmpuint(config.state, ==, 0);
    g_assert_cmpuint(config.flush_granule, ==, 4096);
    g_assert_cmpuint(config.max_ranges, ==, VMEMSTORE_MAX_RANGES);
    g_assert(memcmp(config.generation, none, sizeof(none)) != 0);
    for (unsigned i = 0; i < offsetof(struct vmemstore_config, in_use); i++) {
        qtest_writeb(d.qts, d.config + i, 0xff);
    }
    config_read(&d, &again);
    g_assert(memcmp(&config, &again, sizeof(config)) == 0);
    driver_stop(&d);

    start(&d, "");
    config_read(&d, &again);
    g_assert(memcmp(&config, &again, sizeof(config)) == 0);
    driver_stop(&d);
}

static void test_serial(void)
{
    struct vmemstore_config config;
    const uint8_t none[VMEMSTORE_SERIAL_LEN] = { 0 };
    Driver d;

    start(&d, "");
    config_read(&d, &config);
    g_assert(!(d.features & 1u << VMEMSTORE_F_SERIAL));
    g_assert_cmpmem(config.serial, sizeof(none), none, sizeof(none));
    driver_stop(&d);

    start(&d, ",serial=disk-0.a_Z");
    config_read(&d, &config);
    g_assert(d.features & 1u << VMEMSTORE_F_SERIAL);
    g_assert_cmpstr((char *)config.serial, ==, "disk-0.a_Z");
    driver_stop(&d);

    start(&d, ",serial=12345678901234567890");
    config_read(&d, &config);
    g_assert_cmpmem(config.serial, sizeof(config.serial), "12345678901234567890", 20);
    driver_stop(&d);
}

/* A copy is another file: nobody knows what of it the host had written. */
static void test_copy_has_another_generation(void)
{
    struct vmemstore_config config, copied;
    g_autofree char *contents = NULL;
    g_autofree char *original = g_strdup(image);
    gsize length;
    Driver d;

    start(&d, "");
    config_read(&d, &config);
    driver_stop(&d);

    g_assert(g_file_get_contents(image, &contents, &length, NULL));
    g_free(image);
    image = g_strconcat(original, ".copy", NULL);
    g_assert(g_file_set_contents(image, contents, length, NULL));
    start(&d, "");
    config_read(&d, &copied);
    driver_stop(&d);
    g_assert(memcmp(config.generation, copied.generation,
                    sizeof(config.generation)) != 0);
    g_unlink(image);
    g_free(image);
    image = g_steal_pointer(&original);
}

static void test_store_is_the_file(void)
{
    const char text[] = "stores reach the file at once";
    char found[sizeof(text)];
    uint64_t at = STORE_SIZE - 4096;
    int fd = open(image, O_RDWR);
    Driver d;

    start(&d, "");
    qtest_memwrite(d.qts, d.store + at, text, sizeof(text));
    g_assert(pread(fd, found, sizeof(found), at) == sizeof(found));
    g_assert_cmpstr(found, ==, text);

    g_assert(pwrite(fd, "back", 5, 123) == 5);
    qtest_memread(d.qts, d.store + 123, found, 5);
    g_assert_cmpstr(found, ==, "back");
    driver_stop(&d);
    close(fd);
}

static void test_beyond_the_store_is_nothing(void)
{
    Driver d;

    start(&d, "");
    qtest_writeq(d.qts, d.store + STORE_SIZE, 1);
    qtest_writeq(d.qts, d.store + d.store_bar_size - 8, 1);
    g_assert_cmphex(qtest_readq(d.qts, d.store + STORE_SIZE), !=, 1);
    assert_alive(&d);
    driver_stop(&d);
}

static void test_flush_ranges(void)
{
    const uint64_t one[] = { 4096, 4096 };
    const uint64_t three[] = { 20480, 1, 8192, 100, 0, STORE_SIZE };
    Driver d;

    start(&d, "");
    g_assert_cmpuint(flush(&d, 1, one), ==, VMEMSTORE_S_OK);
    g_assert_cmpuint(flush(&d, 3, three), ==, VMEMSTORE_S_OK);
    g_assert_cmpuint(flush(&d, 0, NULL), ==, VMEMSTORE_S_OK);
    assert_trace("flush ok 4096+4096\n"
                 "flush ok 20480+1 8192+100 0+8388608\n"
                 "flush ok all\n");
    driver_stop(&d);
}

static void test_flush_interrupts(void)
{
    const uint64_t range[] = { 0, 1 };
    int64_t end = g_get_monotonic_time() + 300 * G_TIME_SPAN_SECOND;
    Driver d;

    start(&d, "");
    g_assert_cmpuint(flush(&d, 1, range), ==, VMEMSTORE_S_OK);
    while (qtest_readl(d.qts, MSI_QUEUE) != 0xf1) {
        g_assert(g_get_monotonic_time() < end);
    }
    g_assert_cmphex(qtest_readl(d.qts, MSI_CONFIG), ==, 0);
    driver_stop(&d);
}

static void submit_many(Driver *d, unsigned nr)
{
    for (unsigned i = 0; i < nr; i++) {
        const struct {
            struct vmemstore_req header;
            struct vmemstore_range range;
        } request = {
            { .type = VMEMSTORE_REQ_FLUSH, .nr_ranges = 1 },
            { .offset = i * 4096, .length = 4096 },
        };

        qtest_writeq(d->qts, d->store + i * 4096, i);
        put_request(d, 2 * i, &request, sizeof(request));
        offer(d, 2 * i);
    }
    doorbell(d);
}

static void test_many_in_flight(void)
{
    const unsigned nr = QUEUE_SIZE / 2;
    g_auto(GStrv) lines = NULL;
    g_autofree char *text = NULL;
    Driver d;

    start(&d, "");
    for (int round = 0; round < 5; round++) {
        submit_many(&d, nr);
        g_assert(wait_used(&d, nr));
        for (unsigned i = 0; i < nr; i++) {
            g_assert_cmpuint(response_status(&d, 2 * i), ==, VMEMSTORE_S_OK);
        }
    }
    text = trace_text();
    lines = g_strsplit(text, "\n", -1);
    g_assert_cmpuint(g_strv_length(lines), ==, 5 * nr + 1);
    driver_stop(&d);
}

static void test_reset_in_flight(void)
{
    Driver d;

    start(&d, "");
    for (int round = 0; round < 50; round++) {
        submit_many(&d, 1 + round % (QUEUE_SIZE / 2));
        driver_init(&d);
        /* No answer of before the reset may appear after it. */
        g_assert_cmpuint(qtest_readw(d.qts, USED_ADDR + 2), ==, 0);
    }
    assert_alive(&d);
    driver_stop(&d);
}

/* The eject register of ACPI PCI hotplug (docs/specs/acpi_pci_hotplug). */
#define ACPI_PCI_EJECT 0xae08

/* QEMU frees a device only when no vCPU can be using it any more. */
static void wait_until_unlocked(void)
{
    int64_t end = g_get_monotonic_time() + 300 * G_TIME_SPAN_SECOND;
    int fd = open(image, O_RDWR);
    struct flock lock;

    do {
        g_assert(g_get_monotonic_time() < end);
        g_usleep(1000);
        lock = (struct flock) { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        g_assert(fcntl(fd, F_OFD_GETLK, &lock) == 0);
    } while (lock.l_type != F_UNLCK);
    close(fd);
}

static void test_unplug_in_flight(void)
{
    Driver d, second;

    for (unsigned nr = 0; nr <= QUEUE_SIZE / 2; nr += 16) {
        start_on(&d, "pc", "");
        submit_many(&d, nr);
        qtest_outl(d.qts, ACPI_PCI_EJECT, 1 << DEVICE_SLOT);
        g_assert_cmphex(pci_read(&d, 0), ==, UINT32_MAX);
        /* The file becomes free although the first QEMU still runs. */
        wait_until_unlocked();
        start(&second, "");
        assert_alive(&second);
        driver_stop(&second);
        driver_stop(&d);
    }
}

/*
 * The memory that the guest sees must keep all of the device, not only the part
 * that it belongs to: QEMU goes on using it for a moment.
 */
static void test_unplug_with_store_mapped_alone(void)
{
    Driver d;

    start_on(&d, "pc", "");
    assert_alive(&d);
    pci_write(&d, 0x14, UINT32_MAX);
    pci_write(&d, 0x20, UINT32_MAX);
    pci_write(&d, 0x24, UINT32_MAX);
    g_assert_cmpuint(device_status(&d), ==, 0);
    qtest_writeq(d.qts, d.store, 1);
    qtest_outl(d.qts, ACPI_PCI_EJECT, 1 << DEVICE_SLOT);
    wait_until_unlocked();
    g_usleep(300000);
    g_assert_cmphex(pci_read(&d, 0), ==, UINT32_MAX);
    driver_stop(&d);
}

static void test_readonly(void)
{
    struct stat before, after;
    const uint64_t range[] = { 0, 4096 };
    uint64_t value;
    Driver d;

    g_assert(g_chmod(image, 0444) == 0 && stat(image, &before) == 0);
    start(&d, ",readonly=on");
    g_assert_cmpuint(d.features & 1u << VMEMSTORE_F_RO, ==, 1u << VMEMSTORE_F_RO);
    value = qtest_readq(d.qts, d.store);
    qtest_writeq(d.qts, d.store, ~value);
    g_assert_cmphex(qtest_readq(d.qts, d.store), ==, value);
    g_assert_cmpuint(flush(&d, 1, range), ==, VMEMSTORE_S_OK);
    driver_stop(&d);
    g_assert(stat(image, &after) == 0);
    g_assert(before.st_mtim.tv_sec == after.st_mtim.tv_sec &&
             before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
    g_assert(g_chmod(image, 0644) == 0);
}

static void test_errors_stick(void)
{
    const uint64_t range[] = { 0, 4096 };
    struct vmemstore_config config;
    Driver d;

    start(&d, ",x-fail-flush=2");
    g_assert_cmpuint(flush(&d, 1, range), ==, VMEMSTORE_S_OK);
    config_read(&d, &config);
    g_assert_cmpuint(config.state, ==, 0);
    g_assert_cmpuint(flush(&d, 1, range), ==, VMEMSTORE_S_IOERR);
    config_read(&d, &config);
    g_assert_cmpuint(config.state, ==, VMEMSTORE_STATE_IO_ERROR);
    g_assert_cmphex(qtest_readl(d.qts, MSI_CONFIG), ==, 0xc0);
    g_assert_cmpuint(flush(&d, 1, range), ==, VMEMSTORE_S_IOERR);

    driver_init(&d);
    g_assert_cmpuint(flush(&d, 0, NULL), ==, VMEMSTORE_S_IOERR);
    config_read(&d, &config);
    g_assert_cmpuint(config.state, ==, VMEMSTORE_STATE_IO_ERROR);
    assert_trace("flush ok 0+4096\nflush error 0+4096\nflush error 0+4096\n"
                 "flush error all\n");
    driver_stop(&d);
}

/* ---- malformed requests: an answer, and the device goes on ---- */

static void test_bad_ranges(void)
{
    const uint64_t bad[][2] = {
        { STORE_SIZE, 1 },
        { STORE_SIZE - 4096, 4097 },
        { STORE_SIZE + 4096, 4096 },
        { 0, STORE_SIZE + 1 },
        { 0, UINT64_MAX },
        { UINT64_MAX, 1 },
        { UINT64_MAX, UINT64_MAX },
        { 4096, UINT64_MAX - 4095 },
        { UINT64_MAX - 4095, 8192 },
        { 4096, 0 },
        { STORE_SIZE, 0 },
    };
    Driver d;

    start(&d, "");
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        const uint64_t second[] = { 0, 4096, bad[i][0], bad[i][1] };

        g_assert_cmpuint(flush(&d, 1, bad[i]), ==, VMEMSTORE_S_INVALID);
        g_assert_cmpuint(flush(&d, 2, second), ==, VMEMSTORE_S_INVALID);
    }
    g_assert(!g_file_test(trace_file, G_FILE_TEST_EXISTS) ||
             strlen(trace_text()) == 0);
    assert_alive(&d);
    driver_stop(&d);
}

static void test_bad_counts(void)
{
    const uint32_t type = VMEMSTORE_REQ_FLUSH;
    Driver d;

    start(&d, "");
    g_assert_cmpuint(header_request(&d, type, 65, 8 + 65 * 16), ==,
                     VMEMSTORE_S_INVALID);
    g_assert_cmpuint(header_request(&d, type, UINT32_MAX, 4096), ==,
                     VMEMSTORE_S_INVALID);
    g_assert_cmpuint(header_request(&d, type, 0x10000001, 24), ==,
                     VMEMSTORE_S_INVALID);
    g_assert_cmpuint(header_request(&d, type, 64, 8 + 64 * 16), ==,
                     VMEMSTORE_S_OK);
    assert_alive(&d);
    driver_stop(&d);
}

static void test_short_requests(void)
{
    const uint32_t type = VMEMSTORE_REQ_FLUSH;
    Driver d;

    start(&d, "");
    for (size_t length = 1; length < 8; length++) {
        g_assert_cmpuint(header_request(&d, type, 0, length), ==,
                         VMEMSTORE_S_INVALID);
    }
    for (size_t length = 8; length < 24; length++) {
        g_assert_cmpuint(header_request(&d, type, 1, length), ==,
                         VMEMSTORE_S_INVALID);
    }
    assert_alive(&d);
    driver_stop(&d);
}

static void test_unknown_types(void)
{
    const uint32_t types[] = { 0, 2, 0x7fffffff, UINT32_MAX };
    Driver d;

    start(&d, "");
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        g_assert_cmpuint(header_request(&d, types[i], 1, 24), ==,
                         VMEMSTORE_S_UNSUPP);
    }
    assert_alive(&d);
    driver_stop(&d);
}

static void test_request_in_pieces(void)
{
    const uint64_t words[] = { 1 | 1ull << 32, 4096, 4096 };
    Driver d;

    start(&d, "");
    qtest_memwrite(d.qts, buffer(0), words, sizeof(words));
    for (unsigned i = 0; i < sizeof(words); i++) {
        put_descriptor(&d, i, (Descriptor) { .addr = buffer(0) + i, .length = 1,
                       .flags = DESC_NEXT, .next = i + 1 });
    }
    for (unsigned i = 0; i < 4; i++) {
        put_descriptor(&d, 24 + i, (Descriptor) { .addr = buffer(1) + i,
                       .length = 1, .next = 25 + i,
                       .flags = DESC_WRITE | (i < 3 ? DESC_NEXT : 0) });
    }
    offer(&d, 0);
    doorbell(&d);
    g_assert(wait_used(&d, 1));
    g_assert_cmpuint(qtest_readl(d.qts, buffer(1)), ==, VMEMSTORE_S_OK);
    assert_trace("flush ok 4096+4096\n");
    driver_stop(&d);
}

/* ---- broken queues: the device stops until a reset ---- */

static void run_broken(Driver *d, Descriptor first, Descriptor second)
{
    put_descriptor(d, 0, first);
    put_descriptor(d, 1, second);
    offer(d, 0);
    doorbell(d);
    assert_broken_until_reset(d);
}

static void test_no_response_buffer(void)
{
    const Descriptor alone = { .addr = buffer(0), .length = 8 };
    const Descriptor request = { .addr = buffer(0), .length = 8,
                                 .flags = DESC_NEXT, .next = 1 };
    const Descriptor small = { .addr = buffer(1), .length = 3,
                               .flags = DESC_WRITE };
    Driver d;

    start(&d, "");
    run_broken(&d, alone, small);
    run_broken(&d, request, small);
    driver_stop(&d);
}

static void test_bad_descriptors(void)
{
    const Descriptor response = { .addr = buffer(1), .length = 4,
                                  .flags = DESC_WRITE };
    const Descriptor loop = { .addr = buffer(0), .length = 8,
                              .flags = DESC_NEXT, .next = 0 };
    const Descriptor far_next = { .addr = buffer(0), .length = 8,
                                  .flags = DESC_NEXT, .next = QUEUE_SIZE };
    const Descriptor empty = { .addr = buffer(0), .length = 0,
                               .flags = DESC_NEXT, .next = 1 };
    const Descriptor bad_table = { .addr = buffer(0), .length = 17,
                                   .flags = DESC_INDIRECT };
    Driver d;

    start(&d, "");
    run_broken(&d, loop, response);
    run_broken(&d, far_next, response);
    run_broken(&d, empty, response);
    run_broken(&d, bad_table, response);
    driver_stop(&d);
}

static void test_bad_rings(void)
{
    Driver d;

    start(&d, "");
    offer(&d, QUEUE_SIZE);          /* a head that does not exist */
    doorbell(&d);
    assert_broken_until_reset(&d);

    d.avail_idx += 1000;            /* more requests than descriptors */
    offer(&d, 0);
    doorbell(&d);
    assert_broken_until_reset(&d);
    driver_stop(&d);
}

/* A request that the device would read out of, or answer into, the store. */
static void test_buffers_in_the_store(void)
{
    const uint64_t words[] = { 1 | 1ull << 32, 0, 4096 };
    Driver d;

    start(&d, "");
    qtest_memwrite(d.qts, d.store, words, sizeof(words));
    put_descriptor(&d, 0, (Descriptor) { .addr = d.store, .length = 24,
                   .flags = DESC_NEXT, .next = 1 });
    put_descriptor(&d, 1, (Descriptor) { .addr = d.store + 4096, .length = 4,
                   .flags = DESC_WRITE });
    qtest_writel(d.qts, d.store + 4096, 0xdeadbeef);
    offer(&d, 0);
    doorbell(&d);
    g_assert(wait_used(&d, 1));
    g_assert_cmpuint(qtest_readl(d.qts, d.store + 4096), ==, VMEMSTORE_S_OK);
    driver_stop(&d);
}

/* Rings beyond what QEMU has mapped of them would be its end. */
static void test_queue_keeps_its_size(void)
{
    Driver d;

    start(&d, "");
    qtest_writew(d.qts, d.common + 24, 1024);
    g_assert_cmpuint(qtest_readw(d.qts, d.common + 24), ==, QUEUE_SIZE);
    for (unsigned i = 0; i < 2 * QUEUE_SIZE; i++) {
        assert_alive(&d);
    }
    driver_stop(&d);
}

/* ---- random input, from a seed ---- */

static void test_random_registers(void)
{
    g_autoptr(GRand) rnd = g_rand_new_with_seed(1);
    Driver d;

    start(&d, "");
    for (int i = 0; i < 20000; i++) {
        /* BAR 4: 16 KiB of common, ISR, device and notify registers. */
        uint64_t at = d.common + g_rand_int_range(rnd, 0, 0x4000);
        uint32_t value = g_rand_boolean(rnd) ? g_rand_int(rnd) :
                         (uint32_t)g_rand_int_range(rnd, 0, 16);

        switch (g_rand_int_range(rnd, 0, 4)) {
        case 0:
            qtest_writeb(d.qts, at, value);
            break;
        case 1:
            qtest_writew(d.qts, at, value);
            break;
        case 2:
            qtest_writel(d.qts, at, value);
            break;
        default:
            qtest_readl(d.qts, at);
        }
    }
    driver_init(&d);
    assert_alive(&d);
    driver_stop(&d);
}

static uint64_t random_address(GRand *rnd, const Driver *d)
{
    switch (g_rand_int_range(rnd, 0, 5)) {
    case 0:
        return (uint64_t)g_rand_int(rnd) << 32 | g_rand_int(rnd);
    case 1:
        return d->store + g_rand_int_range(rnd, 0, 2 * STORE_SIZE);
    case 2:
        return d->common + g_rand_int_range(rnd, 0, 0x4000);
    default:
        return buffer(g_rand_int_range(rnd, 0, QUEUE_SIZE));
    }
}

static void random_round(GRand *rnd, Driver *d)
{
    for (unsigned i = 0; i < 8; i++) {
        uint32_t words[64];

        for (unsigned w = 0; w < G_N_ELEMENTS(words); w++) {
            words[w] = g_rand_int_range(rnd, 0, 4) ?
                       (uint32_t)g_rand_int_range(rnd, 0, 3) :
                       g_rand_int(rnd);
        }
        qtest_memwrite(d->qts, buffer(i), words, sizeof(words));
        put_descriptor(d, i, (Descriptor) {
            .addr = random_address(rnd, d),
            .length = g_rand_int_range(rnd, 0, 8) ?
                      (uint32_t)g_rand_int_range(rnd, 0, 64) : g_rand_int(rnd),
            .flags = g_rand_int_range(rnd, 0, 8),
            .next = g_rand_int_range(rnd, 0, 9),
        });
    }
    for (unsigned i = 0; i < 4; i++) {
        offer(d, g_rand_int_range(rnd, 0, 9));
    }
    doorbell(d);
}

static void test_random_queue(void)
{
    g_autoptr(GRand) rnd = g_rand_new_with_seed(2);
    Driver d;

    start(&d, "");
    for (int round = 0; round < 500; round++) {
        random_round(rnd, &d);
        if (device_status(&d) & STATUS_NEEDS_RESET || round % 16 == 0) {
            driver_init(&d);
        }
    }
    driver_init(&d);
    assert_alive(&d);
    driver_stop(&d);
}

/* ---- */

int main(int argc, char **argv)
{
    static const Test tests[] = {
        { "identity", test_identity },
        { "config space", test_config },
        { "a serial", test_serial },
        { "a copy has another generation", test_copy_has_another_generation },
        { "the store is the file", test_store_is_the_file },
        { "beyond the store is nothing", test_beyond_the_store_is_nothing },
        { "flush syncs the ranges asked for", test_flush_ranges },
        { "flush interrupts", test_flush_interrupts },
        { "many flushes in flight", test_many_in_flight },
        { "reset with flushes in flight", test_reset_in_flight },
        { "unplug with flushes in flight", test_unplug_in_flight },
        { "unplug with nothing mapped but the store",
          test_unplug_with_store_mapped_alone },
        { "readonly", test_readonly },
        { "flush errors stick", test_errors_stick },
        { "ranges outside the store are refused", test_bad_ranges },
        { "bad range counts are refused", test_bad_counts },
        { "short requests are refused", test_short_requests },
        { "unknown request types are refused", test_unknown_types },
        { "a request may come in pieces", test_request_in_pieces },
        { "no room for the response stops the queue", test_no_response_buffer },
        { "bad descriptors stop the queue", test_bad_descriptors },
        { "bad rings stop the queue", test_bad_rings },
        { "requests may lie in the store", test_buffers_in_the_store },
        { "an enabled queue keeps its size", test_queue_keeps_its_size },
        { "random register accesses", test_random_registers },
        { "random queue contents", test_random_queue },
    };

    tests_begin(&argc, &argv);
    image = test_file("disk.img", STORE_SIZE);
    trace_file = test_file("trace", 0);
    tests_add(tests, G_N_ELEMENTS(tests));
    return tests_run();
}
