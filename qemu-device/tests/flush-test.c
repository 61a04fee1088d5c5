/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flush-test.c - commits in two parts, and what a power cut leaves of them
 *
 * From the guest's side, like vmemstore-test.c.
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
#define SECTOR 512

static char *image, *shadow, *trace_file, *state_file;

static void start(Driver *d, const char *more)
{
    const char *all = getenv("VMEMSTORE_TEST_OPTIONS");
    g_autofree char *options = g_strdup_printf("file=%s,x-trace-file=%s%s%s",
                                               image, trace_file, more,
                                               all ? all : "");

    g_unlink(trace_file);
    driver_start(d, "q35", options);
}

static void assert_trace(const char *expected)
{
    g_autofree char *text = NULL;

    g_assert(g_file_get_contents(trace_file, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, expected);
}

static uint8_t *read_file(const char *path)
{
    char *contents;
    gsize length;

    g_assert(g_file_get_contents(path, &contents, &length, NULL));
    g_assert_cmpuint(length, ==, STORE_SIZE);
    return (uint8_t *)contents;
}

/* ---- commits ---- */

typedef struct Commit {
    struct vmemstore_commit head;
    struct vmemstore_range ranges[VMEMSTORE_MAX_RANGES + 1];
} Commit;

static const Commit good = {
    .head = {
        .type = VMEMSTORE_REQ_COMMIT, .nr_ranges = 3, .nr_first = 2,
        .flags = VMEMSTORE_COMMIT_MARK,
        .mark_offset = 65536 + 8, .mark_value = 0x1122334455667788ull,
    },
    .ranges = { { 0, 4096 }, { 8192, 100 }, { 65536, 4096 } },
};

static uint32_t run_commit(Driver *d, const Commit *c, uint32_t nr)
{
    return run_request(d, c, sizeof(c->head) + nr * sizeof(c->ranges[0]));
}

static void test_commit(void)
{
    Driver d;

    start(&d, "");
    g_assert(d.features >> VMEMSTORE_F_COMMIT & 1);
    g_assert_cmpuint(run_commit(&d, &good, 3), ==, VMEMSTORE_S_OK);
    g_assert_cmphex(qtest_readq(d.qts, d.store + good.head.mark_offset), ==,
                    good.head.mark_value);
    assert_trace("commit ok 0+4096 8192+100 | 65536+4096\n");
    driver_stop(&d);
}

static void test_commit_without_mark(void)
{
    Commit c = good;
    Driver d;

    c.head.flags = 0;
    c.head.mark_offset = c.head.mark_value = 0;
    start(&d, "");
    qtest_writeq(d.qts, d.store, 42);
    g_assert_cmpuint(run_commit(&d, &c, 3), ==, VMEMSTORE_S_OK);
    g_assert_cmpuint(qtest_readq(d.qts, d.store), ==, 42);
    assert_trace("commit ok 0+4096 8192+100 | 65536+4096\n");
    driver_stop(&d);
}

/* In the first part: no mark.  In the second: it is there, and the error too. */
static void test_failed_parts(void)
{
    for (int part = 1; part <= 2; part++) {
        g_autofree char *more = g_strdup_printf(",x-fail-flush=%d", part);
        struct vmemstore_config config;
        Driver d;

        start(&d, more);
        qtest_writeq(d.qts, d.store + good.head.mark_offset, 0);
        g_assert_cmpuint(run_commit(&d, &good, 3), ==, VMEMSTORE_S_IOERR);
        g_assert_cmphex(qtest_readq(d.qts, d.store + good.head.mark_offset), ==,
                        part == 1 ? 0 : good.head.mark_value);
        config_read(&d, &config);
        g_assert_cmpuint(config.state, ==, VMEMSTORE_STATE_IO_ERROR);
        g_assert_cmpuint(run_commit(&d, &good, 3), ==, VMEMSTORE_S_IOERR);
        driver_stop(&d);
    }
}

static void test_bad_commits(void)
{
    static const struct {
        uint32_t nr_ranges, nr_first, flags;
        uint64_t mark_offset, mark_value;
        uint64_t offset, length;    /* of the last range */
    } bad[] = {
        { 3, 0, 1, 8, 1, 0, 8 },            /* an empty part */
        { 3, 3, 1, 8, 1, 0, 8 },
        { 3, 4, 1, 8, 1, 0, 8 },
        { 3, UINT32_MAX, 1, 8, 1, 0, 8 },
        { 0, 0, 1, 8, 1, 0, 8 },
        { VMEMSTORE_MAX_RANGES + 1, 1, 1, 8, 1, 0, 8 },
        { UINT32_MAX, 1, 1, 8, 1, 0, 8 },
        { 3, 2, 2, 8, 1, 0, 8 },            /* unknown flags */
        { 3, 2, UINT32_MAX, 8, 1, 0, 8 },
        { 3, 2, 1, 4, 1, 0, 8 },            /* marks */
        { 3, 2, 1, 9, 1, 0, 8 },
        { 3, 2, 1, STORE_SIZE, 1, 0, 8 },
        { 3, 2, 1, UINT64_MAX - 7, 1, 0, 8 },
        { 3, 2, 0, 8, 0, 0, 8 },
        { 3, 2, 0, 0, 1, 0, 8 },
        { 3, 2, 1, 8, 1, 0, 0 },            /* ranges */
        { 3, 2, 1, 8, 1, STORE_SIZE, 1 },
        { 3, 2, 1, 8, 1, 4096, UINT64_MAX },
    };
    Driver d;

    start(&d, "");
    qtest_writeq(d.qts, d.store + 8, 7);
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        Commit c = good;

        c.head.nr_ranges = bad[i].nr_ranges;
        c.head.nr_first = bad[i].nr_first;
        c.head.flags = bad[i].flags;
        c.head.mark_offset = bad[i].mark_offset;
        c.head.mark_value = bad[i].mark_value;
        for (size_t k = 2; k < G_N_ELEMENTS(c.ranges); k++) {
            c.ranges[k].offset = bad[i].offset;
            c.ranges[k].length = bad[i].length;
        }
        g_assert_cmpuint(run_commit(&d, &c, VMEMSTORE_MAX_RANGES + 1), ==,
                         VMEMSTORE_S_INVALID);
    }
    g_assert_cmpuint(qtest_readq(d.qts, d.store + 8), ==, 7);
    for (size_t length = 8; length < sizeof(good.head) + 3 * 16; length++) {
        g_assert_cmpuint(run_request(&d, &good, length), ==, VMEMSTORE_S_INVALID);
    }
    g_assert_cmpuint(run_commit(&d, &good, 3), ==, VMEMSTORE_S_OK);
    assert_trace("commit ok 0+4096 8192+100 | 65536+4096\n");
    driver_stop(&d);
}

static void test_overlapping_in_flight(void)
{
    Driver d;

    start(&d, "");
    for (int round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 20; i++) {
            Commit c = good;

            c.head.mark_value = i;
            c.ranges[0].offset = i * 1000;
            put_request(&d, 2 * i, &c, sizeof(c.head) + 3 * sizeof(c.ranges[0]));
            offer(&d, 2 * i);
        }
        doorbell(&d);
        if (round % 2) {
            driver_init(&d);
            continue;
        }
        g_assert(wait_used(&d, 20));
        for (unsigned i = 0; i < 20; i++) {
            g_assert_cmpuint(response_status(&d, 2 * i), ==, VMEMSTORE_S_OK);
        }
    }
    g_assert_cmpuint(run_commit(&d, &good, 3), ==, VMEMSTORE_S_OK);
    driver_stop(&d);
}

static void test_readonly(void)
{
    Commit c = good;
    uint64_t before;
    Driver d;

    start(&d, ",readonly=on");
    before = qtest_readq(d.qts, d.store + c.head.mark_offset);
    c.head.mark_value = ~before;
    g_assert_cmpuint(run_commit(&d, &c, 3), ==, VMEMSTORE_S_OK);
    g_assert_cmphex(qtest_readq(d.qts, d.store + c.head.mark_offset), ==, before);
    driver_stop(&d);
}

/* ---- huge pages ---- */

/* Bytes of the image's mapping whose VmFlags (proc(5)) have @flag. */
static uint64_t mapped_with(Driver *d, const char *flag)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/smaps", d->pid);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    bool ours = false;
    uint64_t size = 0, sum = 0;

    g_assert(g_file_get_contents(path, &text, NULL, NULL));
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        if (g_ascii_isxdigit(**line) && strchr(*line, '-')) {
            ours = g_str_has_suffix(*line, image);
        } else if (g_str_has_prefix(*line, "Size:")) {
            size = g_ascii_strtoull(*line + 5, NULL, 10) * 1024;
        } else if (ours && g_str_has_prefix(*line, "VmFlags:") &&
                   strstr(*line, flag)) {
            sum += size;
        }
    }
    return sum;
}

static uint32_t ask_small_pages(Driver *d, uint64_t offset, uint64_t length)
{
    const struct {
        struct vmemstore_req head;
        struct vmemstore_range range;
    } request = {
        { .type = VMEMSTORE_REQ_SMALL_PAGES, .nr_ranges = 1 },
        { .offset = offset, .length = length },
    };

    return run_request(d, &request, sizeof(request));
}

static void test_small_pages(void)
{
    const uint64_t huge = 2ull << 20;
    struct vmemstore_config config;
    Driver d;

    start(&d, "");
    config_read(&d, &config);
    if (config.backing == VMEMSTORE_BACKING_DAX) {
        /* Memory itself is mapped: a flush writes lines of it, whatever the pages. */
        driver_stop(&d);
        g_test_skip("the file is not in the page cache");
        return;
    }
    g_assert(!(d.features >> VMEMSTORE_F_SMALL_PAGES & 1));
    g_assert_cmpuint(ask_small_pages(&d, 0, 4096), ==, VMEMSTORE_S_UNSUPP);
    g_assert_cmpuint(mapped_with(&d, " hg"), ==, 0);
    driver_stop(&d);

    start(&d, ",hugepages=on");
    g_assert(d.features >> VMEMSTORE_F_SMALL_PAGES & 1);
    g_assert_cmpuint(mapped_with(&d, " hg"), ==, STORE_SIZE);
    qtest_writeq(d.qts, d.store + huge, 5);
    g_assert_cmpuint(ask_small_pages(&d, STORE_SIZE, 1), ==, VMEMSTORE_S_INVALID);
    g_assert_cmpuint(ask_small_pages(&d, huge + 4096, huge), ==, VMEMSTORE_S_OK);
    g_assert_cmpuint(mapped_with(&d, " nh"), ==, 2 * huge);
    g_assert_cmpuint(mapped_with(&d, " hg"), ==, STORE_SIZE - 2 * huge);
    g_assert_cmpuint(qtest_readq(d.qts, d.store + huge), ==, 5);
    driver_stop(&d);
}

/* The VM's state is in a file, and with migrate=shared the store is free. */
static void save_state(Driver *d)
{
    g_autofree char *said = qtest_hmp(d->qts, "migrate -d exec:cat>%s", state_file);
    bool done = false;

    g_assert_cmpstr(said, ==, "");
    while (!done) {
        g_autofree char *text = qtest_hmp(d->qts, "info migrate");

        g_assert(!strstr(text, "failed"));
        done = strstr(text, "completed");
        g_usleep(10000);
    }
}

/* Another QEMU, with the state from there. */
static void load_state(Driver *d, const char *options)
{
    g_autofree char *all = g_strdup_printf("file=%s%s -incoming "
                                           "'exec:cat %s'", image, options,
                                           state_file);
    bool done = false;

    driver_launch(d, "q35", all);
    while (!done) {
        g_autofree char *text = qtest_hmp(d->qts, "info status");

        done = !strstr(text, "inmigrate");
        g_usleep(10000);
    }
}

static void assert_small(Driver *d)
{
    g_assert_cmpuint(mapped_with(d, " nh"), ==, 2ull << 20);
    g_assert_cmpuint(mapped_with(d, " hg"), ==, STORE_SIZE - (2ull << 20));
}

/* The guest asks once, and does not know of what happens to its VM. */
static void test_small_pages_stay(void)
{
    static const char *const modes[] = {
        ",hugepages=on,migrate=shared", ",hugepages=on,migrate=copy",
    };
    g_autofree char *copy = test_file("copy.img", STORE_SIZE);
    char *original = image;

    for (unsigned i = 0; i < G_N_ELEMENTS(modes); i++) {
        g_autofree char *options = g_strdup_printf("file=%s%s", image,
                                                   modes[i]);
        struct vmemstore_config config;
        Driver d, other;

        driver_start(&d, "q35", options);
        config_read(&d, &config);
        if (config.backing == VMEMSTORE_BACKING_DAX) {
            driver_stop(&d);
            g_test_skip("the file is not in the page cache");
            return;
        }
        g_assert_cmpuint(ask_small_pages(&d, 4ull << 20, 1), ==, VMEMSTORE_S_OK);
        assert_small(&d);
        save_state(&d);
        if (i == 1) {
            image = copy;
        }
        load_state(&other, modes[i]);
        assert_small(&other);
        driver_stop(&other);

        image = original;
        g_free(qtest_hmp(d.qts, "cont"));
        assert_small(&d);
        driver_stop(&d);
    }
    g_unlink(copy);
    g_unlink(state_file);
}

/* ---- power cuts ---- */

static void fill_page(Driver *d, unsigned page, uint8_t value)
{
    uint8_t bytes[4096];

    memset(bytes, value, sizeof(bytes));
    qtest_memwrite(d->qts, d->store + page * 4096ull, bytes, sizeof(bytes));
}

static bool is_all(const uint8_t *p, uint8_t value, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (p[i] != value) {
            return false;
        }
    }
    return true;
}

/* A page that is lost is an error of the store, whoever meets it first. */
static void test_shadow_of_lost_pages(void)
{
    g_autofree char *more = g_strdup_printf(",x-powercut=%s", shadow);
    Driver d;

    start(&d, more);
    g_assert(truncate(image, STORE_SIZE / 4) == 0);
    while (device_property(&d, "lost-pages") == 0) {
        g_usleep(10000);
    }
    driver_stop(&d);
    g_assert(truncate(image, STORE_SIZE) == 0);
    g_unlink(shadow);
}

#define CUT_PAGES 64

/*
 * Flushed pages have their value or the one stored after; of the others each
 * sector has any value that it had.  Returns the number of torn pages.
 */
static unsigned check_shadow(const uint8_t *flushed, const uint8_t *newest)
{
    g_autofree uint8_t *is = read_file(shadow);
    unsigned torn = 0;

    for (unsigned page = 0; page < CUT_PAGES; page++) {
        bool same = true;

        for (unsigned s = 0; s < 4096 / SECTOR; s++) {
            const uint8_t *at = is + page * 4096 + s * SECTOR;

            g_assert_cmpuint(*at, >=, flushed[page]);
            g_assert_cmpuint(*at, <=, newest[page]);
            g_assert(is_all(at, *at, SECTOR));
            same = same && *at == is[page * 4096];
        }
        torn += !same;
    }
    return torn;
}

static void test_power_cut(void)
{
    unsigned torn = 0;

    for (int cut = 1; cut <= 6; cut++) {
        g_autoptr(GRand) rnd = g_rand_new_with_seed(cut);
        g_autofree char *more = g_strdup_printf(
            ",x-powercut=%s,x-powercut-seed=%d", shadow, cut);
        uint8_t flushed[CUT_PAGES] = { 0 }, newest[CUT_PAGES] = { 0 };
        g_autofree uint8_t *zeros = g_malloc0(STORE_SIZE);
        Driver d;

        g_assert(g_file_set_contents(image, (char *)zeros, STORE_SIZE, NULL));
        start(&d, more);
        for (int i = 0; i < 200; i++) {
            unsigned page = g_rand_int_range(rnd, 0, CUT_PAGES);
            const uint64_t range[] = { page * 4096ull + 100, 4000 };

            fill_page(&d, page, ++newest[page]);
            if (g_rand_int_range(rnd, 0, 4) == 0) {
                g_assert_cmpuint(flush(&d, 1, range), ==, VMEMSTORE_S_OK);
                flushed[page] = newest[page];
            }
        }
        if (cut % 2) {
            driver_kill(&d);
        } else {
            driver_stop(&d);
        }
        torn += check_shadow(flushed, newest);
        g_unlink(shadow);
    }
    /* A shadow that is never torn would prove nothing. */
    g_assert_cmpuint(torn, >, 0);
}

static void test_mark_in_shadow(void)
{
    g_autofree char *more = g_strdup_printf(",x-powercut=%s", shadow);
    g_autofree uint8_t *is = NULL;
    Driver d;

    start(&d, more);
    fill_page(&d, 0, 3);
    g_assert_cmpuint(run_commit(&d, &good, 3), ==, VMEMSTORE_S_OK);
    driver_kill(&d);
    is = read_file(shadow);
    g_assert(is_all(is, 3, 4096));
    g_assert(memcmp(is + good.head.mark_offset, &good.head.mark_value, 8) == 0);
    g_unlink(shadow);
}

/* What a power cut in the midst of a commit left. */
typedef struct Left {
    bool first, second;         /* some of that part */
} Left;

/* In its first or second sync; the second part had been flushed before. */
static Left cut_in_commit(int part, int seed)
{
    const uint64_t log[] = { 65536, 4096 };
    g_autofree uint8_t *zeros = g_malloc0(STORE_SIZE);
    g_autofree uint8_t *is = NULL;
    g_autofree char *more = g_strdup_printf(
        ",x-powercut=%s,x-powercut-seed=%d,x-powercut-at=%d", shadow, seed, 1 + part);
    Left left = { 0 };
    Driver d;

    g_assert(g_file_set_contents(image, (char *)zeros, STORE_SIZE, NULL));
    start(&d, more);
    fill_page(&d, 16, 1);
    g_assert_cmpuint(flush(&d, 1, log), ==, VMEMSTORE_S_OK);
    fill_page(&d, 0, 2);
    fill_page(&d, 2, 2);
    fill_page(&d, 16, 2);
    put_request(&d, 0, &good, sizeof(good.head) + 3 * sizeof(good.ranges[0]));
    offer(&d, 0);
    driver_last_doorbell(&d);

    is = read_file(shadow);
    g_unlink(shadow);
    for (unsigned s = 0; s < 4096 / SECTOR; s++) {
        const uint8_t *data = is + s * SECTOR, *end = is + 65536 + s * SECTOR;
        uint8_t value = end[SECTOR - 1];

        g_assert(is_all(data, data[0], SECTOR));
        g_assert(data[0] == 2 || (data[0] == 0 && part == 1));
        g_assert(is_all(end + 16, value, SECTOR - 16));
        g_assert(value == 1 || value == 2);
        left.first |= data[0] == 2;
        left.second |= value == 2;
    }
    if (part == 1) {
        g_assert(memcmp(is + good.head.mark_offset, &good.head.mark_value, 8) != 0);
    } else {
        g_assert(is_all(is + 2 * 4096, 2, 4096));
    }
    return left;
}

/* Each order that the host may choose is seen, sooner or later. */
static void test_cut_in_commit(void)
{
    bool first = false, second = false, none = false;
    bool early = false, late = false;
    int seed;

    for (seed = 1; seed <= 60 && !(first && second && none); seed++) {
        Left left = cut_in_commit(1, seed);

        first |= left.first && !left.second;
        second |= left.second && !left.first;
        none |= !left.first && !left.second;
    }
    g_assert(first && second && none);
    for (seed = 1; seed <= 60 && !(early && late); seed++) {
        Left left = cut_in_commit(2, seed);

        g_assert(left.first);
        early |= !left.second;
        late |= left.second;
    }
    g_assert(early && late);
}

/* ---- */

int main(int argc, char **argv)
{
    static const Test tests[] = {
        { "a commit flushes both parts and stores the mark", test_commit },
        { "a commit may do without a mark", test_commit_without_mark },
        { "a part that fails is an error, and no mark precedes its part",
          test_failed_parts },
        { "malformed commits are refused, and store no mark", test_bad_commits },
        { "overlapping commits in flight, and a reset among them",
          test_overlapping_in_flight },
        { "a commit changes no read-only store", test_readonly },
        { "with huge pages, they are small where the guest asks for it",
          test_small_pages },
        { "and stay so when the VM is saved, goes on, or migrates",
          test_small_pages_stay },
        { "what plays a power cut survives a page that is lost",
          test_shadow_of_lost_pages },
        { "a power cut keeps what was flushed and tears the rest",
          test_power_cut },
        { "a power cut keeps a commit that was answered", test_mark_in_shadow },
        { "a power cut in a commit keeps its order, and no other",
          test_cut_in_commit },
    };

    tests_begin(&argc, &argv);
    image = test_file("disk.img", STORE_SIZE);
    trace_file = test_file("trace", 0);
    shadow = test_file("shadow.img", 0);
    state_file = test_file("state", 0);
    tests_add(tests, G_N_ELEMENTS(tests));
    return tests_run();
}
