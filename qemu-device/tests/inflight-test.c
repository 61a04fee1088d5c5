/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inflight-test.c - reset, unplug and growth while the host takes its time
 *
 * The disk is busy for as long as the test wants: hold.so makes one msync() of
 * QEMU wait.  Meanwhile the test asks for the reset, or takes the device away,
 * which has to wait, too; another thread then lets the disk go on.
 */
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hold.h"
#include "testdriver.h"

#define STORE_SIZE (8ull << 20)

/* Registers of ACPI PCI hotplug (docs/specs/acpi_pci_hotplug). */
#define ACPI_PCI_EJECT 0xae08
#define ACPI_PCI_BUS   0xae10

/* How long it takes to map a file, while others go on. */
#define BUSY_US 200000

#define MARK_OFFSET (65536 + 8)
#define MARK        0x1122334455667788ull

typedef struct Commit {
    struct vmemstore_commit head;
    struct vmemstore_range ranges[2];
} Commit;

static const Commit commit = {
    .head = {
        .type = VMEMSTORE_REQ_COMMIT, .nr_ranges = 2, .nr_first = 1,
        .flags = VMEMSTORE_COMMIT_MARK,
        .mark_offset = MARK_OFFSET, .mark_value = MARK,
    },
    .ranges = { { 0, 4096 }, { 65536, 4096 } },
};

static char *image, *trace_file;
static Hold *hold;

static uint32_t get(const uint32_t *field)
{
    return __atomic_load_n(field, __ATOMIC_SEQ_CST);
}

/* ---- helpers ---- */

static void start(Driver *d, const char *more)
{
    g_autofree char *options = g_strdup_printf(
        "file=%s,x-trace-file=%s,flush-in-vcpu=off%s", image, trace_file, more);

    memset(hold, 0, sizeof(*hold));
    g_unlink(trace_file);
    driver_start(d, "pc", options);
    qtest_writeq(d->qts, d->store + MARK_OFFSET, 0);
}

static void assert_trace(const char *expected)
{
    g_autofree char *text = NULL;

    if (g_file_test(trace_file, G_FILE_TEST_EXISTS)) {
        g_assert(g_file_get_contents(trace_file, &text, NULL, NULL));
    }
    g_assert_cmpstr(text ? text : "", ==, expected);
}

static void hold_call(uint32_t nr)
{
    __atomic_store_n(&hold->at, get(&hold->calls) + nr, __ATOMIC_SEQ_CST);
}

static void wait_held(void)
{
    int64_t end = g_get_monotonic_time() + 300 * G_TIME_SPAN_SECOND;

    while (!get(&hold->held)) {
        g_assert(g_get_monotonic_time() < end);
        g_usleep(1000);
    }
}

static void let_go(void)
{
    __atomic_store_n(&hold->release, 1, __ATOMIC_SEQ_CST);
}

static void *release(void *opaque)
{
    Hold *h = opaque;
    int64_t end = g_get_monotonic_time() + 300 * G_TIME_SPAN_SECOND;

    while (!get(&h->waiting)) {
        g_assert(g_get_monotonic_time() < end);
        g_usleep(1000);
    }
    let_go();
    return NULL;
}

/* What comes next has to wait for the disk; when QEMU does, the disk goes on. */
static GThread *release_soon(void)
{
    __atomic_store_n(&hold->waiting, 0, __ATOMIC_SEQ_CST);
    return g_thread_new("release", release, hold);
}

static void assert_has_waited(GThread *thread)
{
    g_assert(get(&hold->release));
    g_thread_join(thread);
}

static void submit(Driver *d, unsigned slot, const void *request, size_t length)
{
    put_request(d, slot, request, length);
    offer(d, slot);
}

/* A commit whose part @part the disk is busy with, and flushes behind it. */
static void start_commit(Driver *d, unsigned part)
{
    const struct {
        struct vmemstore_req head;
        struct vmemstore_range range;
    } flush = {
        { .type = VMEMSTORE_REQ_FLUSH, .nr_ranges = 1 },
        { .offset = part == 1 ? 0 : 65536, .length = 4096 },
    };

    hold_call(part);
    submit(d, 0, &commit, sizeof(commit));
    doorbell(d);
    wait_held();
    /* They need the page that the disk is busy with. */
    for (unsigned slot = 2; slot < 20; slot += 2) {
        submit(d, slot, &flush, sizeof(flush));
    }
    doorbell(d);
    g_assert_cmphex(qtest_readq(d->qts, d->store + MARK_OFFSET), ==,
                    part == 1 ? 0 : MARK);
}

static void start_flush(Driver *d)
{
    const struct {
        struct vmemstore_req head;
        struct vmemstore_range ranges[2];
    } request = {
        { .type = VMEMSTORE_REQ_FLUSH, .nr_ranges = 2 },
        { { 0, 4096 }, { 1 << 20, 4096 } },
    };

    hold_call(1);
    for (unsigned slot = 0; slot < 20; slot += 2) {
        submit(d, slot, &request, sizeof(request));
    }
    doorbell(d);
    wait_held();
}

static uint16_t answers(Driver *d)
{
    return qtest_readw(d->qts, USED_ADDR + 2);
}

/* ---- reset ---- */

/* Of the device (driver_init()), or only of its queue (driver_reset_queue()). */
typedef void Reset(Driver *d);

static void reset_and_go_on(Driver *d, Reset *reset)
{
    const uint64_t range[] = { 4096, 4096 };
    uint32_t calls = get(&hold->calls);
    GThread *thread;

    g_assert_cmpuint(answers(d), ==, 0);
    thread = release_soon();
    reset(d);
    assert_has_waited(thread);
    /* Nothing was begun any more, and nothing is answered. */
    g_assert_cmpuint(get(&hold->calls), ==, calls);
    g_assert_cmpuint(d->used_at_reset, ==, 0);
    g_assert_cmpuint(answers(d), ==, 0);
    g_assert_cmpuint(flush(d, 1, range), ==, VMEMSTORE_S_OK);
    g_assert_cmpuint(answers(d), ==, 1);
    assert_trace("flush ok 4096+4096\n");
}

static void reset_in_part(unsigned part, Reset *reset)
{
    Driver d;

    start(&d, "");
    start_commit(&d, part);
    reset_and_go_on(&d, reset);
    driver_stop(&d);
}

static void test_reset_in_first_part(void)
{
    reset_in_part(1, driver_init);
}

static void test_reset_in_second_part(void)
{
    reset_in_part(2, driver_init);
}

static void test_queue_reset_in_first_part(void)
{
    reset_in_part(1, driver_reset_queue);
}

static void test_queue_reset_in_second_part(void)
{
    reset_in_part(2, driver_reset_queue);
}

static void reset_in_flush(Reset *reset)
{
    Driver d;

    start(&d, "");
    start_flush(&d);
    reset_and_go_on(&d, reset);
    driver_stop(&d);
}

static void test_reset_in_flush(void)
{
    reset_in_flush(driver_init);
}

static void test_queue_reset_in_flush(void)
{
    reset_in_flush(driver_reset_queue);
}

/* What is not a flush has a thread of its own, which calls msync() for this one. */
static void reset_in_small_pages(Reset *reset)
{
    const struct {
        struct vmemstore_req head;
        struct vmemstore_range range;
    } request = {
        { .type = VMEMSTORE_REQ_SMALL_PAGES, .nr_ranges = 1 },
        { 2 << 20, 4096 },
    };
    Driver d;

    start(&d, ",hugepages=on");
    hold_call(1);
    for (unsigned slot = 0; slot < 20; slot += 2) {
        submit(&d, slot, &request, sizeof(request));
    }
    doorbell(&d);
    wait_held();
    reset_and_go_on(&d, reset);
    driver_stop(&d);
}

static void test_reset_in_small_pages(void)
{
    reset_in_small_pages(driver_init);
}

static void test_queue_reset_in_small_pages(void)
{
    reset_in_small_pages(driver_reset_queue);
}

/* There is but one queue; to reset another one is nothing. */
static void test_reset_of_no_queue(void)
{
    GThread *thread;
    Driver d;

    start(&d, "");
    start_flush(&d);
    thread = release_soon();
    qtest_writew(d.qts, d.common + 22, VMEMSTORE_VQ_REQUEST + 1);
    qtest_writew(d.qts, d.common + 58, 1);
    /* That took no time. */
    g_assert(!get(&hold->release));
    __atomic_store_n(&hold->waiting, 1, __ATOMIC_SEQ_CST);
    g_thread_join(thread);
    g_assert(wait_used(&d, 10));
    driver_stop(&d);
}

/* ---- unplug ---- */

static bool is_locked(void)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(image, O_RDWR);

    g_assert(fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0);
    close(fd);
    return lock.l_type != F_UNLCK;
}

static void eject(Driver *d)
{
    qtest_outl(d->qts, ACPI_PCI_BUS, 0);
    qtest_outl(d->qts, ACPI_PCI_EJECT, 1u << DEVICE_SLOT);
}

static void unplug_and_look(Driver *d)
{
    g_autofree char *answer = qtest_hmp(d->qts, "device_del store");
    int64_t end = g_get_monotonic_time() + 300 * G_TIME_SPAN_SECOND;
    uint32_t calls = get(&hold->calls);
    GThread *thread;

    g_assert_cmpstr(answer, ==, "");
    g_assert(is_locked());
    thread = release_soon();
    eject(d);
    assert_has_waited(thread);
    qtest_qmp_eventwait(d->qts, "DEVICE_DELETED");
    g_assert_cmphex(pci_read(d, 0), ==, UINT32_MAX);
    while (is_locked()) {
        g_assert(g_get_monotonic_time() < end);
        g_usleep(1000);
    }
    /* The ranges of one flush are one sync, by one call or two. */
    g_assert_cmpuint(get(&hold->calls), <=, calls + 1);
    g_assert_cmpuint(answers(d), ==, 0);
    assert_trace("");
    driver_stop(d);
}

static void unplug_in_part(unsigned part)
{
    Driver d;

    start(&d, "");
    start_commit(&d, part);
    unplug_and_look(&d);
}

static void test_unplug_in_first_part(void)
{
    unplug_in_part(1);
}

static void test_unplug_in_second_part(void)
{
    unplug_in_part(2);
}

static void test_unplug_in_flush(void)
{
    Driver d;

    start(&d, "");
    start_flush(&d);
    unplug_and_look(&d);
}

static void test_in_use(void)
{
    g_autofree char *answer = NULL;
    Driver d;

    start(&d, "");
    qtest_writel(d.qts, d.config + offsetof(struct vmemstore_config, in_use), 1);
    start_commit(&d, 1);
    answer = qtest_hmp(d.qts, "device_del store");
    g_assert(strstr(answer, "is in use in the guest"));
    let_go();
    g_assert(wait_used(&d, 10));
    for (unsigned slot = 0; slot < 20; slot += 2) {
        g_assert_cmpuint(response_status(&d, slot), ==, VMEMSTORE_S_OK);
    }
    g_assert_cmphex(qtest_readq(d.qts, d.store + MARK_OFFSET), ==, MARK);
    driver_stop(&d);
}

static void test_reset_lets_go(void)
{
    g_autofree char *answer = NULL;
    struct vmemstore_config config;
    Driver d;

    start(&d, "");
    qtest_writel(d.qts, d.config + offsetof(struct vmemstore_config, in_use), 1);
    config_read(&d, &config);
    g_assert_cmpuint(config.in_use, ==, 1);
    driver_init(&d);
    config_read(&d, &config);
    g_assert_cmpuint(config.in_use, ==, 0);
    answer = qtest_hmp(d.qts, "device_del store");
    g_assert_cmpstr(answer, ==, "");
    driver_stop(&d);
}

/* ---- a doorbell that the device rings itself ---- */

/* The guest may say that the answer goes to the doorbell's register. */
static void test_own_doorbell(void)
{
    const uint64_t words[] = { VMEMSTORE_REQ_FLUSH | 1ull << 32, 0, 4096 };
    const uint32_t unknown[] = { UINT32_MAX, 0 };
    Driver d;

    start(&d, "");
    hold_call(1);
    qtest_memwrite(d.qts, buffer(0), words, sizeof(words));
    put_descriptor(&d, 0, (Descriptor) { .addr = buffer(0), .length = sizeof(words),
                   .flags = DESC_NEXT, .next = 1 });
    put_descriptor(&d, 1, (Descriptor) { .addr = d.notify, .length = 4,
                   .flags = DESC_WRITE });
    offer(&d, 0);
    doorbell(&d);
    wait_held();
    /* Offered, but nobody has rung. */
    submit(&d, 2, unknown, sizeof(unknown));
    let_go();
    g_assert(wait_used(&d, 1));
    g_assert_cmpuint(answers(&d), ==, 1);
    doorbell(&d);
    g_assert(wait_used(&d, 1));
    g_assert_cmpuint(response_status(&d, 2), ==, VMEMSTORE_S_UNSUPP);
    driver_stop(&d);
}

/* ---- a page that is not there ---- */

/* Whoever stores the mark, a thread of the device's here, survives that. */
static void test_mark_in_lost_page(void)
{
    const uint32_t slot = 0;
    Driver d;

    start(&d, "");
    hold_call(1);
    submit(&d, slot, &commit, sizeof(commit));
    doorbell(&d);
    wait_held();
    g_assert(truncate(image, 4096) == 0);
    let_go();
    g_assert(wait_used(&d, 1));
    g_assert_cmpuint(response_status(&d, slot), ==, VMEMSTORE_S_IOERR);
    g_assert_cmpuint(device_property(&d, "lost-pages"), >, 0);
    driver_stop(&d);
    g_assert(truncate(image, STORE_SIZE) == 0);
}

/* ---- growth ---- */

/* The thread that plays the power cut looks at the store all the time. */
static void test_nobody_looks_too_early(void)
{
    g_autofree char *shadow = test_file("shadow", 0);
    g_autofree char *options = g_strconcat(",x-powercut=", shadow, NULL);
    g_autofree char *answer = NULL;
    Driver d;

    start(&d, options);
    __atomic_store_n(&hold->map_us, BUSY_US, __ATOMIC_SEQ_CST);
    answer = qtest_hmp(d.qts, "qom-set /machine/peripheral/store size 64M");
    g_assert_cmpstr(answer, ==, "");
    qtest_qmp_eventwait(d.qts, "VMEMSTORE_GROWN");
    driver_stop(&d);
    g_assert(truncate(image, STORE_SIZE) == 0);
}

static void test_growth_that_fails(void)
{
    static const char *const command = "qom-set /machine/peripheral/store size 64M";
    g_autofree char *first = NULL, *second = NULL;
    struct vmemstore_config config;
    Driver d;

    start(&d, "");
    __atomic_store_n(&hold->map_fails, 1, __ATOMIC_SEQ_CST);
    first = qtest_hmp(d.qts, "%s", command);
    g_assert_cmpstr(first, ==, "");
    qtest_qmp_eventwait(d.qts, "VMEMSTORE_NOT_GROWN");
    config_read(&d, &config);
    g_assert_cmpuint(config.size, ==, STORE_SIZE);
    qtest_writeq(d.qts, d.store + STORE_SIZE - 8, MARK);
    __atomic_store_n(&hold->map_fails, 0, __ATOMIC_SEQ_CST);
    second = qtest_hmp(d.qts, "%s", command);
    g_assert_cmpstr(second, ==, "");
    qtest_qmp_eventwait(d.qts, "VMEMSTORE_GROWN");
    g_assert_cmphex(qtest_readq(d.qts, d.store + STORE_SIZE - 8), ==, MARK);
    driver_stop(&d);
    g_assert(truncate(image, STORE_SIZE) == 0);
}

/* ---- */

int main(int argc, char **argv)
{
    static const Test tests[] = {
        { "a reset waits for the flush that runs, and answers none",
          test_reset_in_flush },
        { "a reset in the first part of a commit: the second is not begun",
          test_reset_in_first_part },
        { "a reset in the second part of a commit", test_reset_in_second_part },
        { "a reset while SMALL_PAGES is executed", test_reset_in_small_pages },
        { "a queue reset waits for the flush that runs, answers none, and the new "
          "queue works", test_queue_reset_in_flush },
        { "a queue reset in the first part of a commit: the second is not begun",
          test_queue_reset_in_first_part },
        { "a queue reset in the second part of a commit",
          test_queue_reset_in_second_part },
        { "a queue reset while SMALL_PAGES is executed",
          test_queue_reset_in_small_pages },
        { "a reset of a queue that there is not changes nothing",
          test_reset_of_no_queue },
        { "unplug waits for the flush that runs", test_unplug_in_flush },
        { "unplug in the first part of a commit", test_unplug_in_first_part },
        { "unplug in the second part of a commit", test_unplug_in_second_part },
        { "device_del is refused while in use, and what is in flight is answered",
          test_in_use },
        { "a reset of the device lets the store go", test_reset_lets_go },
        { "an answer that rings the doorbell starts nothing", test_own_doorbell },
        { "a commit's mark in a page that is lost is an error, and not QEMU's end",
          test_mark_in_lost_page },
        { "growth: nobody looks at what is not there yet",
          test_nobody_looks_too_early },
        { "growth that fails is an event, and the store works and can grow again",
          test_growth_that_fails },
    };

    tests_begin(&argc, &argv);
    image = test_file("disk.img", STORE_SIZE);
    trace_file = test_file("trace", 0);
    hold = share_with_preloaded(argv[0], "hold.so", HOLD_FILE, sizeof(*hold));
    tests_add(tests, G_N_ELEMENTS(tests));
    return tests_run();
}
