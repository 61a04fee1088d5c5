/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compat-test.c - the device as a virtio-pmem, as its driver sees it
 *
 * The layout of a request and of the configuration space is that of the virtio
 * specification (v1.2, 5.19), written down here once more.
 */
#ifdef VMEMSTORE_STANDALONE
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

#define PMEM_DEVICE_ID 0x105b       /* 0x1040 + 27 */
#define PMEM_F_SHMEM_REGION 0
#define PMEM_OK 0
#define PMEM_EIO 1

static char *image;

static void start(Driver *d, const char *more)
{
    g_autofree char *options =
        g_strdup_printf("file=%s,compat=virtio-pmem%s", image, more);

    driver_start(d, "q35", options);
}

static uint32_t pmem_request(Driver *d, uint32_t type)
{
    return run_request(d, &type, sizeof(type));
}

static void test_identity(void)
{
    Driver d;

    start(&d, "");
    g_assert_cmphex(pci_read(&d, 2) & 0xffff, ==, PMEM_DEVICE_ID);
    g_assert_cmphex(d.features & 0xffffff, ==, 1u << PMEM_F_SHMEM_REGION);
    /* Both ways to find the memory agree, and nothing else is said. */
    g_assert_cmphex(qtest_readq(d.qts, d.config), ==, d.store);
    g_assert_cmphex(qtest_readq(d.qts, d.config + 8), ==, STORE_SIZE);
    g_assert_cmphex(d.store_length, ==, STORE_SIZE);
    g_assert_cmphex(qtest_readl(d.qts, d.config + 16), ==, 0xffffffff);
    driver_stop(&d);
}

static void test_moved_bar(void)
{
    Driver d;

    start(&d, "");
    pci_write(&d, 0x04, 0);
    pci_write(&d, 0x1c, 0x10);
    pci_write(&d, 0x04, 0x06);
    g_assert_cmphex(qtest_readq(d.qts, d.config), ==, 0x1000000000ull);
    driver_stop(&d);
}

static void test_flush(void)
{
    g_autofree char *contents = NULL;
    Driver d;

    start(&d, "");
    qtest_writeq(d.qts, d.store + 4096, 0x1122334455667788ull);
    g_assert_cmpuint(pmem_request(&d, 0), ==, PMEM_OK);
    g_assert_cmpuint(device_property(&d, "flush-requests"), ==, 1);
    g_assert_cmpuint(device_property(&d, "flush-whole"), ==, 1);
    driver_stop(&d);
    g_assert(g_file_get_contents(image, &contents, NULL, NULL));
    g_assert_cmphex(*(uint64_t *)(contents + 4096), ==, 0x1122334455667788ull);
}

static void test_malformed(void)
{
    uint8_t short_request[3] = { 0 };
    Driver d;

    start(&d, "");
    g_assert_cmpuint(pmem_request(&d, 1), ==, PMEM_EIO);
    g_assert_cmpuint(pmem_request(&d, VMEMSTORE_REQ_FLUSH + 0x100), ==, PMEM_EIO);
    g_assert_cmpuint(run_request(&d, short_request, sizeof(short_request)), ==,
                     PMEM_EIO);
    g_assert_cmpuint(device_property(&d, "invalid-requests"), ==, 3);
    g_assert_cmpuint(device_property(&d, "flush-requests"), ==, 0);
    g_assert_cmpuint(pmem_request(&d, 0), ==, PMEM_OK);
    driver_stop(&d);
}

static void test_sticky_error(void)
{
    Driver d;

    start(&d, ",x-fail-flush=2");
    g_assert_cmpuint(pmem_request(&d, 0), ==, PMEM_OK);
    g_assert_cmpuint(pmem_request(&d, 0), ==, PMEM_EIO);
    driver_init(&d);
    g_assert_cmpuint(pmem_request(&d, 0), ==, PMEM_EIO);
    driver_stop(&d);
}

static void test_readonly(void)
{
    Driver d;

    start(&d, ",readonly=on");
    g_assert_cmpuint(pmem_request(&d, 0), ==, PMEM_OK);
    qtest_writeb(d.qts, d.store, 1);
    g_assert_cmpuint(device_property(&d, "refused-writes"), ==, 1);
    g_assert_cmpuint(pmem_request(&d, 0), ==, PMEM_EIO);
    driver_stop(&d);
}

int main(int argc, char **argv)
{
    static const Test tests[] = {
        { "compat: the guest sees a virtio-pmem, which says where its memory is",
          test_identity },
        { "compat: also after the guest moved it", test_moved_bar },
        { "compat: a flush is one of the whole store", test_flush },
        { "compat: requests of another kind are errors", test_malformed },
        { "compat: a failed flush is final", test_sticky_error },
        { "compat: what was stored into a read-only store in vain fails the next flush",
          test_readonly },
    };

    tests_begin(&argc, &argv);
    image = test_file("disk.img", STORE_SIZE);
    tests_add(tests, G_N_ELEMENTS(tests));
    return tests_run();
}
