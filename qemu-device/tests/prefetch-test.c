/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * prefetch-test.c - PREFETCH brings what it names into the host's page cache, in single
 * pages, and is in nobody's way
 *
 * What is in the cache is asked of the kernel (mincore()), what QEMU has read and dirtied
 * is in /proc/PID/io.  The disk takes as long as a test wants: hold.so makes one
 * posix_fadvise() of QEMU wait.
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

#define MB (1ull << 20)
#define STORE_SIZE (96 * MB)
#define PAGE 4096ull

/* For hold.release: no read waits any more. */
#define ALL (UINT32_MAX / 2)

static char *image;
static Hold *hold;

static uint32_t get(const uint32_t *field)
{
    return __atomic_load_n(field, __ATOMIC_SEQ_CST);
}

static void set(uint32_t *field, uint32_t value)
{
    __atomic_store_n(field, value, __ATOMIC_SEQ_CST);
}

static void wait_for(const uint32_t *field)
{
    int64_t end = g_get_monotonic_time() + 300 * G_TIME_SPAN_SECOND;

    while (!get(field)) {
        g_assert(g_get_monotonic_time() < end);
        g_usleep(1000);
    }
}

/* ---- what the host has in memory ---- */

static void fill_image(void)
{
    g_autofree uint8_t *piece = g_malloc(MB);
    int fd = open(image, O_RDWR);

    memset(piece, 0x5a, MB);
    g_assert(fd >= 0);
    for (uint64_t at = 0; at < STORE_SIZE; at += MB) {
        g_assert(pwrite(fd, piece, MB, at) == (ssize_t)MB);
    }
    close(fd);
}

/* All of the image is on the disk, and nothing of it in memory. */
static void make_cold(void)
{
    int fd = open(image, O_RDWR);

    g_assert(fsync(fd) == 0);
    g_assert(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
    close(fd);
}

static uint64_t resident(uint64_t offset, uint64_t length)
{
    g_autofree uint8_t *pages = g_malloc(length / PAGE);
    int fd = open(image, O_RDWR);
    uint64_t found = 0;
    void *p = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, offset);

    g_assert(p != MAP_FAILED);
    g_assert(mincore(p, length, pages) == 0);
    for (uint64_t i = 0; i < length / PAGE; i++) {
        found += (pages[i] & 1) * PAGE;
    }
    munmap(p, length);
    close(fd);
    return found;
}

/* Reads end when the disk is ready. */
static void wait_resident(uint64_t offset, uint64_t length)
{
    int64_t end = g_get_monotonic_time() + 300 * G_TIME_SPAN_SECOND;

    while (resident(offset, length) < length) {
        g_assert(g_get_monotonic_time() < end);
        g_usleep(1000);
    }
}

/* What the kernel counts for the process: "read_bytes", "write_bytes" (pages dirtied). */
static uint64_t process_io(const Driver *d, const char *name)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/io", d->pid);
    g_autofree char *key = g_strdup_printf("\n%s: ", name);
    g_autofree char *text = NULL;
    const char *at;

    g_assert(g_file_get_contents(path, &text, NULL, NULL));
    at = strstr(text, key);
    g_assert(at);
    return g_ascii_strtoull(at + strlen(key), NULL, 10);
}

/* ---- the device ---- */

static void start(Driver *d, const char *more)
{
    g_autofree char *options = g_strdup_printf("file=%s%s", image, more);

    memset(hold, 0, sizeof(*hold));
    make_cold();
    driver_start(d, "q35", options);
}

static void start_on_what_is_cached(Driver *d)
{
    g_autofree char *options = g_strdup_printf("file=%s", image);

    memset(hold, 0, sizeof(*hold));
    driver_start(d, "q35", options);
}

static uint64_t stat_of(Driver *d, const char *name)
{
    uint64_t value;

    g_assert(find_stat(d, name, &value));
    return value;
}

static uint32_t prefetch(Driver *d, uint64_t offset, uint64_t length)
{
    const uint64_t range[] = { offset, length };

    return ranges_request(d, VMEMSTORE_REQ_PREFETCH, 1, range);
}

/* Without waiting for the answer. */
static void submit(Driver *d, unsigned slot, uint32_t type, uint64_t offset,
                   uint64_t length)
{
    const struct {
        struct vmemstore_req head;
        struct vmemstore_range range;
    } request = {
        { .type = type, .nr_ranges = 1 }, { .offset = offset, .length = length },
    };

    put_request(d, slot, &request, sizeof(request));
    offer(d, slot);
    doorbell(d);
}

static bool offered(const Driver *d)
{
    return d->features >> VMEMSTORE_F_PREFETCH & 1;
}

/* ---- tests ---- */

static void test_brings_what_it_names(void)
{
    const uint64_t ranges[] = { 2 * MB + 5, 100, 4 * MB, MB, 8 * MB - PAGE, 1 };
    Driver d;

    start(&d, "");
    g_assert(offered(&d));
    g_assert_cmpuint(resident(0, STORE_SIZE), ==, 0);
    g_assert_cmpuint(ranges_request(&d, VMEMSTORE_REQ_PREFETCH, 3, ranges), ==,
                     VMEMSTORE_S_OK);
    wait_resident(2 * MB, PAGE);
    wait_resident(4 * MB, MB);
    wait_resident(8 * MB - PAGE, PAGE);
    g_assert_cmpuint(resident(0, STORE_SIZE), ==, MB + 2 * PAGE);
    g_assert_cmpuint(stat_of(&d, "prefetch-requests"), ==, 1);
    g_assert_cmpuint(stat_of(&d, "prefetch-bytes"), ==, MB + 2 * PAGE);
    g_assert_cmpuint(stat_of(&d, "prefetch-resident"), ==, 0);

    /* The second time there is nothing to do, and the answer says so. */
    g_assert_cmpuint(prefetch(&d, 4 * MB, MB), ==, VMEMSTORE_S_RESIDENT);
    g_assert_cmpuint(stat_of(&d, "prefetch-bytes"), ==, MB + 2 * PAGE);
    g_assert_cmpuint(stat_of(&d, "prefetch-resident"), ==, 1);
    g_assert_cmpuint(prefetch(&d, 5 * MB - PAGE, 2 * PAGE), ==, VMEMSTORE_S_OK);
    g_assert_cmpuint(stat_of(&d, "prefetch-bytes"), ==, MB + 3 * PAGE);
    driver_stop(&d);
}

/*
 * A store dirties all of its folio, and a flush writes that.  Of every 64th page one
 * byte is stored; then each is flushed.
 */
static void assert_flushes_are_small(Driver *d)
{
    uint64_t before = process_io(d, "write_bytes"), stores = 0;

    for (uint64_t at = 0; at < 8 * MB; at += 64 * PAGE, stores++) {
        const uint64_t range[] = { at, PAGE };

        qtest_writeb(d->qts, d->store + at, 1);
        g_assert_cmpuint(flush(d, 1, range), ==, VMEMSTORE_S_OK);
    }
    g_assert_cmpuint(process_io(d, "write_bytes") - before, <=,
                     stores * 2 * PAGE);
}

static void test_pages_stay_small(void)
{
    Driver d;

    start(&d, "");
    g_assert_cmpuint(prefetch(&d, 0, 8 * MB), ==, VMEMSTORE_S_OK);
    wait_resident(0, 8 * MB);
    assert_flushes_are_small(&d);
    driver_stop(&d);
}

/* A load of one page reads that page, also beside what was read ahead. */
static void test_lone_loads_stay_small(void)
{
    uint64_t before, loads = 0;
    Driver d;

    start(&d, "");
    g_assert_cmpuint(prefetch(&d, 0, MB), ==, VMEMSTORE_S_OK);
    wait_resident(0, MB);
    before = process_io(&d, "read_bytes");
    for (uint64_t at = 2 * MB; at < 34 * MB; at += MB, loads++) {
        qtest_readb(d.qts, d.store + at);
    }
    g_assert_cmpuint(process_io(&d, "read_bytes") - before, <=,
                     loads * 2 * PAGE);
    g_assert_cmpuint(resident(0, STORE_SIZE), <=, MB + loads * 2 * PAGE);
    driver_stop(&d);
}

static void test_a_request_is_bounded(void)
{
    const uint64_t long_ones[] = { 0, 12 * MB, 20 * MB, 12 * MB, 40 * MB, MB };
    Driver d;

    start(&d, "");
    g_assert_cmpuint(ranges_request(&d, VMEMSTORE_REQ_PREFETCH, 3, long_ones), ==,
                     VMEMSTORE_S_OK);
    wait_resident(20 * MB, VMEMSTORE_PREFETCH_MOST - 12 * MB);
    g_assert_cmpuint(stat_of(&d, "prefetch-bytes"), ==, VMEMSTORE_PREFETCH_MOST);
    g_assert_cmpuint(resident(40 * MB, MB), ==, 0);
    driver_stop(&d);
}

/* The disk is busy with the first of six; four may wait, and what is more is dropped. */
static void test_what_waits_is_bounded(void)
{
    Driver d;

    start(&d, "");
    set(&hold->read_at, 1);
    for (unsigned i = 0; i < 5; i++) {
        submit(&d, 2 * i, VMEMSTORE_REQ_PREFETCH, i * 16 * MB, 16 * MB);
    }
    wait_for(&hold->held);
    submit(&d, 10, VMEMSTORE_REQ_PREFETCH, 80 * MB, PAGE);
    /* Two of them are answered without the disk. */
    g_assert(wait_used(&d, 2));
    g_assert_cmpuint(response_status(&d, 8), ==, VMEMSTORE_S_OK);
    g_assert_cmpuint(response_status(&d, 10), ==, VMEMSTORE_S_OK);
    g_assert_cmpuint(stat_of(&d, "prefetch-dropped"), ==, 2);
    set(&hold->release, ALL);
    g_assert(wait_used(&d, 4));
    g_assert_cmpuint(stat_of(&d, "prefetch-requests"), ==, 6);
    g_assert_cmpuint(stat_of(&d, "prefetch-bytes"), ==, 64 * MB);
    driver_stop(&d);
}

static void test_nobody_waits_for_it(void)
{
    const uint64_t range[] = { 40 * MB, PAGE };
    Driver d;

    start(&d, ",prealloc=off");
    set(&hold->read_at, 1);
    submit(&d, 2, VMEMSTORE_REQ_PREFETCH, 0, 16 * MB);
    wait_for(&hold->held);
    submit(&d, 4, VMEMSTORE_REQ_FLUSH, 40 * MB, PAGE);
    g_assert(wait_used(&d, 1));
    g_assert_cmpuint(response_status(&d, 4), ==, VMEMSTORE_S_OK);
    submit(&d, 6, VMEMSTORE_REQ_PROVISION, range[0], range[1]);
    g_assert(wait_used(&d, 1));
    g_assert_cmpuint(response_status(&d, 6), ==, VMEMSTORE_S_OK);
    set(&hold->release, ALL);
    g_assert(wait_used(&d, 1));
    driver_stop(&d);
}

static uint16_t answers(Driver *d)
{
    return qtest_readw(d->qts, USED_ADDR + 2);
}

static void *release_when_waiting(void *opaque)
{
    Hold *h = opaque;

    wait_for(&h->waiting);
    set(&h->release, 1);
    return NULL;
}

/* The disk is busy with the first piece of the first of three. */
static void start_three(Driver *d)
{
    g_autofree char *said = NULL;

    start(d, "");
    said = qtest_hmp(d->qts, "cont");
    set(&hold->read_at, 1);
    for (unsigned i = 0; i < 3; i++) {
        submit(d, 2 * i, VMEMSTORE_REQ_PREFETCH, i * 16 * MB, 16 * MB);
    }
    wait_for(&hold->held);
    set(&hold->waiting, 0);
}

static void test_reset_drops_the_rest(void)
{
    GThread *thread;
    Driver d;

    start_three(&d);
    thread = g_thread_new("release", release_when_waiting, hold);
    driver_init(&d);
    g_assert(get(&hold->release));
    g_thread_join(thread);
    g_assert_cmpuint(get(&hold->reads), ==, 1);
    g_assert_cmpuint(answers(&d), ==, 0);
    set(&hold->release, ALL);
    g_assert_cmpuint(prefetch(&d, 80 * MB, PAGE), ==, VMEMSTORE_S_OK);
    g_assert_cmpuint(get(&hold->reads), ==, 2);
    driver_stop(&d);
}

/* Whenever QEMU's main thread waits, the disk does one more of its reads. */
static void *read_when_waiting(void *opaque)
{
    Hold *h = opaque;

    while (get(&h->release) < ALL) {
        if (get(&h->waiting)) {
            set(&h->waiting, 0);
            __atomic_add_fetch(&h->release, 1, __ATOMIC_SEQ_CST);
        }
        g_usleep(1000);
    }
    return NULL;
}

/*
 * A VM that stops answers all, so that a migration has nothing in flight.  It waits for
 * its vCPU, too, and only then for the disk.
 */
static void test_stop_drops_the_rest(void)
{
    g_autofree char *said = NULL;
    GThread *thread;
    Driver d;

    start_three(&d);
    thread = g_thread_new("read", read_when_waiting, hold);
    said = qtest_hmp(d.qts, "stop");
    set(&hold->release, ALL);
    g_thread_join(thread);
    g_assert_cmpuint(get(&hold->reads), <, 16 * MB / (128 << 10));
    g_assert_cmpuint(answers(&d), ==, 3);
    g_assert_cmpuint(stat_of(&d, "prefetch-dropped"), ==, 3);
    driver_stop(&d);
}

static void test_refuses(void)
{
    static const uint64_t bad[][2] = {
        { 0, 0 }, { STORE_SIZE, 1 }, { 0, STORE_SIZE + 1 },
        { STORE_SIZE - 1, 2 }, { UINT64_MAX, 1 }, { 1, UINT64_MAX },
        { UINT64_MAX, UINT64_MAX },
    };
    uint64_t many[2 * 65] = { 0 };
    Driver d;

    start(&d, "");
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_cmpuint(prefetch(&d, bad[i][0], bad[i][1]), ==,
                         VMEMSTORE_S_INVALID);
    }
    for (size_t i = 0; i < 65; i++) {
        many[2 * i] = i * PAGE;
        many[2 * i + 1] = PAGE;
    }
    g_assert_cmpuint(ranges_request(&d, VMEMSTORE_REQ_PREFETCH, 0, NULL), ==,
                     VMEMSTORE_S_INVALID);
    g_assert_cmpuint(ranges_request(&d, VMEMSTORE_REQ_PREFETCH, 65, many), ==,
                     VMEMSTORE_S_INVALID);
    g_assert_cmpuint(stat_of(&d, "invalid-requests"), ==,
                     G_N_ELEMENTS(bad) + 2);
    g_assert_cmpuint(stat_of(&d, "prefetch-requests"), ==, 0);
    g_assert_cmpuint(get(&hold->reads), ==, 0);
    driver_stop(&d);
}

static void test_not_offered(void)
{
    Driver d;

    start(&d, ",hugepages=on");
    g_assert(!offered(&d));
    g_assert_cmpuint(prefetch(&d, 0, PAGE), ==, VMEMSTORE_S_UNSUPP);
    driver_stop(&d);

    start(&d, ",x-dax=on");
    g_assert(!offered(&d));
    driver_stop(&d);
}

static void test_shared_stores(void)
{
    static const char *const options[] = { ",readonly=on", ",cow=on" };

    for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
        Driver d;

        start(&d, options[i]);
        g_assert(offered(&d));
        g_assert_cmpuint(prefetch(&d, 4 * MB, MB), ==, VMEMSTORE_S_OK);
        wait_resident(4 * MB, MB);
        g_assert_cmpuint(stat_of(&d, "prefetch-bytes"), ==, MB);
        driver_stop(&d);
    }
}

/* ---- what is in the cache when QEMU starts ---- */

/* Read the image as `cat` does: the kernel reads ahead, by folios as large as it likes. */
static void read_image(void)
{
    g_autofree uint8_t *piece = g_malloc(MB);
    int fd = open(image, O_RDONLY);

    while (read(fd, piece, MB) > 0) {
        /* All of it. */
    }
    close(fd);
}

/* Advice may be dropped, and a host may take pages back at any time: all but some. */
#define MOST_OF_IT (STORE_SIZE / 4 * 3)

static void prefetch_all(Driver *d)
{
    int64_t end = g_get_monotonic_time() + 300 * G_TIME_SPAN_SECOND;

    while (resident(0, STORE_SIZE) < MOST_OF_IT) {
        g_assert(g_get_monotonic_time() < end);
        for (uint64_t at = 0; at < STORE_SIZE; at += 16 * MB) {
            prefetch(d, at, 16 * MB);
        }
        g_usleep(100000);
    }
}

/*
 * A first QEMU has all of the image read ahead, in small folios; then another one finds it
 * in the cache.  Whether they are small is told to root only.
 */
static void test_small_folios_are_kept(void)
{
    Driver d;

    if (geteuid() != 0) {
        g_test_skip("needs root, who sees the folios");
        return;
    }
    start(&d, "");
    prefetch_all(&d);
    driver_stop(&d);

    start_on_what_is_cached(&d);
    g_assert_cmpuint(resident(0, STORE_SIZE), >=, MOST_OF_IT);
    g_assert_cmpuint(process_io(&d, "read_bytes"), <, STORE_SIZE / 2);
    g_assert_cmpuint(get(&hold->reads), ==, 0);
    assert_flushes_are_small(&d);
    driver_stop(&d);
}

/* Large folios are not kept, and come back as small ones. */
static void test_large_folios_are_not_kept(void)
{
    Driver d;

    int64_t end = g_get_monotonic_time() + 300 * G_TIME_SPAN_SECOND;

    make_cold();
    read_image();
    start_on_what_is_cached(&d);
    while (resident(0, STORE_SIZE) < MOST_OF_IT) {
        g_assert(g_get_monotonic_time() < end);
        g_usleep(1000);
    }
    assert_flushes_are_small(&d);
    driver_stop(&d);
}

int main(int argc, char **argv)
{
    static const Test tests[] = {
        { "PREFETCH brings what it names into memory, and says when it was there",
          test_brings_what_it_names },
        { "PREFETCH brings small pages: a flush of one writes 8 KiB at most",
          test_pages_stay_small },
        { "lone loads beside it read 8 KiB at most", test_lone_loads_stay_small },
        { "of a PREFETCH of more than 16 MiB the rest is ignored",
          test_a_request_is_bounded },
        { "of PREFETCHes no more than 64 MiB wait: the others are dropped",
          test_what_waits_is_bounded },
        { "neither FLUSH nor PROVISION waits for PREFETCH", test_nobody_waits_for_it },
        { "a reset waits for one piece of PREFETCH, and answers none",
          test_reset_drops_the_rest },
        { "a VM that stops drops what was to be read ahead, and answers all",
          test_stop_drops_the_rest },
        { "PREFETCH of what is not in the store is refused", test_refuses },
        { "PREFETCH is not offered where nothing is read, or by huge pages",
          test_not_offered },
        { "PREFETCH works for stores that many VMs share", test_shared_stores },
        { "what is cached in small folios is there after a start, and not read again",
          test_small_folios_are_kept },
        { "what is cached in large folios is read again, and small then",
          test_large_folios_are_not_kept },
    };

    tests_begin(&argc, &argv);
    image = test_file("disk.img", STORE_SIZE);
    hold = share_with_preloaded(argv[0], "hold.so", HOLD_FILE, sizeof(*hold));
    fill_image();
    tests_add(tests, G_N_ELEMENTS(tests));
    return tests_run();
}
