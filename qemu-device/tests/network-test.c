/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * network-test.c - a store on a network file system, used from two hosts
 *
 * Three views of one folder, given by the environment: $VMEMSTORE_TEST_DIR and
 * $VMEMSTORE_TEST_PEER as two clients have it, each with a page cache of its own,
 * and $VMEMSTORE_TEST_SERVER as the server has it.  $VMEMSTORE_TEST_PEER_QEMU
 * starts a QEMU that takes itself for one on another host.  A third client,
 * $VMEMSTORE_TEST_SOFT, gives up early when the server does not answer;
 * $VMEMSTORE_TEST_STOP is the shell's command that stops the server.
 */
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "testdriver.h"

#define STORE_SIZE (8ull << 20)
#define PAGES (STORE_SIZE / 4096)
#define OLD 0x0123456789abcdefull

static char *here, *there, *server;     /* the store, as each of them has it */
static char *halt;

/* The word at the start of @page, by a read of @path. */
static uint64_t word_in(const char *path, unsigned page)
{
    int fd = open(path, O_RDONLY);
    uint64_t word;

    g_assert(fd >= 0);
    g_assert(pread(fd, &word, 8, 4096ull * page) == 8);
    close(fd);
    return word;
}

/* A store of known contents, of which the other client has all in its cache. */
static void make_store(void)
{
    int fd = open(here, O_RDWR | O_CREAT | O_TRUNC, 0644);

    g_assert(fd >= 0);
    for (unsigned page = 0; page < PAGES; page++) {
        uint64_t word = OLD + page;

        g_assert(pwrite(fd, &word, 8, 4096ull * page) == 8);
    }
    g_assert(ftruncate(fd, STORE_SIZE) == 0 && fsync(fd) == 0);
    close(fd);
    for (unsigned page = 0; page < PAGES; page++) {
        g_assert_cmphex(word_in(there, page), ==, OLD + page);
    }
}

static void start(Driver *d, const char *file, const char *more)
{
    g_autofree char *options = g_strdup_printf("file=%s%s", file, more);

    driver_start(d, "q35", options);
}

static void test_flush_reaches_the_server(void)
{
    const uint64_t ranges[] = { 3 * 4096, 4096, 100 * 4096, 8192 };
    struct vmemstore_config config;
    Driver d;

    make_store();
    start(&d, here, "");
    config_read(&d, &config);
    g_assert_cmpuint(config.backing, ==, VMEMSTORE_BACKING_PAGE_CACHE);
    for (unsigned page = 0; page < PAGES; page++) {
        qtest_writeq(d.qts, d.store + 4096ull * page, page);
    }
    g_assert_cmpuint(flush(&d, 2, ranges), ==, VMEMSTORE_S_OK);
    g_assert_cmphex(word_in(server, 3), ==, 3);
    g_assert_cmphex(word_in(server, 100), ==, 100);
    g_assert_cmphex(word_in(server, 101), ==, 101);
    g_assert_cmpuint(flush(&d, 0, NULL), ==, VMEMSTORE_S_OK);
    for (unsigned page = 0; page < PAGES; page++) {
        g_assert_cmphex(word_in(server, page), ==, page);
    }
    driver_stop(&d);
}

/* ---- migration ---- */

/* Firmware that does nothing, so that a VM can run and its BARs stay in place. */
static void make_halt(void)
{
    g_autofree char *code = g_malloc(64 * 1024);

    memset(code, 0xf4, 64 * 1024);
    g_assert(g_file_set_contents(halt, code, 64 * 1024, NULL));
}

static void expect_hmp(Driver *d, const char *command)
{
    g_autofree char *answer = qtest_hmp(d->qts, "%s", command);

    g_assert_cmpstr(answer, ==, "");
}

static void wait_hmp(Driver *d, const char *command, const char *text)
{
    int64_t end = g_get_monotonic_time() + 300 * G_TIME_SPAN_SECOND;

    for (;;) {
        g_autofree char *answer = qtest_hmp(d->qts, "%s", command);

        if (strstr(answer, text)) {
            return;
        }
        if (strstr(answer, "failed") || g_get_monotonic_time() > end) {
            g_error("%s: %s", command, answer);
        }
        g_usleep(10000);
    }
}

/* The other end: its store is mapped only when it has the machine. */
static void start_target(Driver *d, const char *socket)
{
    g_autofree char *args = g_strdup_printf(
        "-machine q35 -nodefaults -m 64M -device vmemstore,id=store,addr=%d,file=%s,"
        "migrate=shared -incoming defer -bios %s", DEVICE_SLOT, there, halt);
    g_autofree char *command = g_strdup_printf("migrate_incoming unix:%s", socket);
    g_autofree char *qemu = g_strdup(getenv("QTEST_QEMU_BINARY"));

    g_setenv("QTEST_QEMU_BINARY", getenv("VMEMSTORE_TEST_PEER_QEMU"), true);
    memset(d, 0, sizeof(*d));
    d->qts = qtest_init(args);
    g_setenv("QTEST_QEMU_BINARY", qemu, true);
    expect_hmp(d, "migrate_set_capability return-path on");
    expect_hmp(d, command);
}

/*
 * Nothing is flushed before: that the source writes all back is the point.
 */
static void test_migration(void)
{
    g_autofree char *socket = g_strdup_printf("%s/migration.%d",
                                              g_get_tmp_dir(), getpid());
    g_autofree char *more = g_strdup_printf(",migrate=shared -bios %s", halt);
    g_autofree char *command = NULL;
    Driver source, target;
    uint64_t store;

    make_store();
    make_halt();
    start(&source, here, more);
    expect_hmp(&source, "cont");
    store = source.store;
    for (unsigned page = 0; page < PAGES; page += 2) {
        qtest_writeq(source.qts, store + 4096ull * page, ~(uint64_t)page);
    }
    start_target(&target, socket);
    command = g_strdup_printf("migrate -d unix:%s", socket);
    expect_hmp(&source, "migrate_set_capability return-path on");
    expect_hmp(&source, command);
    wait_hmp(&source, "info migrate", "status: completed");
    expect_hmp(&target, "cont");
    wait_hmp(&target, "info status", "running");
    for (unsigned page = 0; page < PAGES; page++) {
        g_assert_cmphex(qtest_readq(target.qts, store + 4096ull * page), ==,
                        page % 2 ? OLD + page : ~(uint64_t)page);
        g_assert_cmphex(word_in(server, page), ==,
                        page % 2 ? OLD + page : ~(uint64_t)page);
    }
    driver_stop(&target);
    driver_stop(&source);
    g_unlink(socket);
    g_unlink(halt);
}

/* ---- the server's disk is full, the server goes away ---- */

static void fill_server(const char *filler)
{
    static uint8_t zeros[64 * 1024];
    int fd = open(filler, O_WRONLY | O_CREAT | O_APPEND, 0644);

    g_assert(fd >= 0);
    for (size_t piece = sizeof(zeros); piece >= 512; piece /= 2) {
        while (write(fd, zeros, piece) > 0) {
            /* more */
        }
    }
    g_assert(fsync(fd) == 0);
    close(fd);
}

static void test_full_server(void)
{
    g_autofree char *filler = g_strconcat(server, ".filler", NULL);
    const uint64_t ranges[] = { 0, 2 << 20, 4 << 20, 2 << 20 };
    Driver d;

    g_unlink(here);
    start(&d, here, ",size=8M,prealloc=off");
    g_assert_cmpuint(ranges_request(&d, VMEMSTORE_REQ_PROVISION, 1, ranges), ==,
                     VMEMSTORE_S_OK);
    fill_server(filler);
    g_assert_cmpuint(ranges_request(&d, VMEMSTORE_REQ_PROVISION, 1, ranges + 2),
                     ==, VMEMSTORE_S_NOSPC);
    /* What was promised is there. */
    for (uint64_t at = 0; at < 2 << 20; at += 4096) {
        qtest_writeq(d.qts, d.store + at, at);
    }
    g_assert_cmpuint(flush(&d, 1, ranges), ==, VMEMSTORE_S_OK);
    g_unlink(filler);
    g_assert_cmpuint(ranges_request(&d, VMEMSTORE_REQ_PROVISION, 1, ranges + 2),
                     ==, VMEMSTORE_S_OK);
    driver_stop(&d);
}

static void test_server_away(void)
{
    g_autofree char *file = g_build_filename(getenv("VMEMSTORE_TEST_SOFT"),
                                             "network.img", NULL);
    const uint64_t range[] = { 0, STORE_SIZE };
    struct vmemstore_config config;
    Driver d;

    make_store();
    start(&d, file, "");
    g_assert_cmpuint(flush(&d, 1, range), ==, VMEMSTORE_S_OK);
    for (unsigned page = 0; page < PAGES; page++) {
        qtest_writeq(d.qts, d.store + 4096ull * page, page);
    }
    g_assert(system(getenv("VMEMSTORE_TEST_STOP")) == 0);
    g_assert_cmpuint(flush(&d, 1, range), ==, VMEMSTORE_S_IOERR);
    qtest_qmp_eventwait(d.qts, "VMEMSTORE_ERROR");
    config_read(&d, &config);
    g_assert_cmpuint(config.state, ==, VMEMSTORE_STATE_IO_ERROR);
    /* What is in memory can still be used. */
    g_assert_cmpuint(qtest_readq(d.qts, d.store + 4096), ==, 1);
    g_assert_cmpuint(flush(&d, 1, range), ==, VMEMSTORE_S_IOERR);
    driver_stop(&d);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    here = g_build_filename(getenv("VMEMSTORE_TEST_DIR"), "network.img", NULL);
    there = g_build_filename(getenv("VMEMSTORE_TEST_PEER"), "network.img", NULL);
    server = g_build_filename(getenv("VMEMSTORE_TEST_SERVER"), "network.img", NULL);
    halt = g_build_filename(g_get_tmp_dir(), "halt.bin", NULL);
    g_test_add_func("/vmemstore/a flush is on the server when it returns",
                    test_flush_reaches_the_server);
    g_test_add_func("/vmemstore/a VM that moves to another host finds every byte there",
                    test_migration);
    g_test_add_func("/vmemstore/a full server is a status", test_full_server);
    g_test_add_func("/vmemstore/a server that goes away is an I/O error, not the end",
                    test_server_away);
    return g_test_run();
}
