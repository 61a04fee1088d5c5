/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * testdriver.c - a small polled driver of the device (see testdriver.h)
 */
#ifdef VMEMSTORE_STANDALONE
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#else
#include "qemu/osdep.h"
#include <glib/gstdio.h>
#endif

#include "testdriver.h"

#define PCI_CONFIG_ADDRESS 0xcf8
#define PCI_CONFIG_DATA 0xcfc

/* Addresses given to the BARs 1, 2 and 4. */
#define BAR1_ADDR 0xe0000000u
#define BAR2_ADDR 0x800000000ull
#define BAR4_ADDR 0x8000000000ull

/* struct virtio_pci_common_cfg (virtio v1.2, 4.1.4.3). */
enum {
    COMMON_DEVICE_FEATURE_SELECT = 0, COMMON_DEVICE_FEATURE = 4,
    COMMON_DRIVER_FEATURE_SELECT = 8, COMMON_DRIVER_FEATURE = 12,
    COMMON_MSIX_CONFIG = 16, COMMON_STATUS = 20,
    COMMON_QUEUE_SELECT = 22, COMMON_QUEUE_SIZE = 24, COMMON_QUEUE_MSIX = 26,
    COMMON_QUEUE_ENABLE = 28, COMMON_QUEUE_DESC = 32,
    COMMON_QUEUE_DRIVER = 40, COMMON_QUEUE_DEVICE = 48,
    COMMON_QUEUE_RESET = 58,
};

/* cfg_type of the virtio capabilities (virtio v1.2, 4.1.4). */
enum { CAP_COMMON = 1, CAP_NOTIFY = 2, CAP_ISR = 3, CAP_DEVICE = 4, CAP_SHM = 8 };

#define FEATURE_VERSION_1 (1ull << 32)
#define FEATURE_RING_RESET (1ull << 40)

static uint32_t pci_address(const Driver *d, uint8_t offset)
{
    return 0x80000000u | d->slot << 11 | offset;
}

uint32_t pci_read(Driver *d, uint8_t offset)
{
    qtest_outl(d->qts, PCI_CONFIG_ADDRESS, pci_address(d, offset & ~3u));
    return qtest_inl(d->qts, PCI_CONFIG_DATA) >> (8 * (offset & 3));
}

void pci_write(Driver *d, uint8_t offset, uint32_t value)
{
    qtest_outl(d->qts, PCI_CONFIG_ADDRESS, pci_address(d, offset));
    qtest_outl(d->qts, PCI_CONFIG_DATA, value);
}

static void place_bars(Driver *d)
{
    uint64_t mask;

    pci_write(d, 0x18, ~0u);
    pci_write(d, 0x1c, ~0u);
    mask = (uint64_t)pci_read(d, 0x1c) << 32 | (pci_read(d, 0x18) & ~15u);
    d->store_bar_size = -mask;

    pci_write(d, 0x14, BAR1_ADDR);
    pci_write(d, 0x18, (uint32_t)BAR2_ADDR);
    pci_write(d, 0x1c, BAR2_ADDR >> 32);
    pci_write(d, 0x20, (uint32_t)BAR4_ADDR);
    pci_write(d, 0x24, BAR4_ADDR >> 32);
    /* Memory space and bus master. */
    pci_write(d, 0x04, 0x06);
}

static uint64_t bar_address(unsigned bar)
{
    return bar == 1 ? BAR1_ADDR : bar == 2 ? BAR2_ADDR : BAR4_ADDR;
}

static void note_capability(Driver *d, uint8_t cap)
{
    uint8_t id = pci_read(d, cap);
    uint8_t type = pci_read(d, cap + 3);
    uint8_t bar = pci_read(d, cap + 4);
    uint64_t address = bar_address(bar) + pci_read(d, cap + 8);

    if (id == 0x11) {           /* MSI-X: enable; the table is in bar:offset */
        d->msix_table = bar_address(pci_read(d, cap + 4) & 7) +
                        (pci_read(d, cap + 4) & ~7u);
        pci_write(d, cap, (pci_read(d, cap) & 0x3fffffff) | 1u << 31);
    } else if (id == 9 && type == CAP_COMMON) {
        d->common = address;
    } else if (id == 9 && type == CAP_NOTIFY) {
        d->notify = address;    /* of queue 0 */
    } else if (id == 9 && type == CAP_ISR) {
        d->isr = address;
    } else if (id == 9 && type == CAP_DEVICE) {
        d->config = address;
    } else if (id == 9 && type == CAP_SHM &&
               (pci_read(d, cap + 4) >> 8 & 0xff) == VMEMSTORE_SHM_ID) {
        d->store = address + ((uint64_t)pci_read(d, cap + 16) << 32);
        d->store_length = (uint64_t)pci_read(d, cap + 20) << 32 |
                          pci_read(d, cap + 12);
        d->store_bar = bar;
    }
}

/* libqtest has a function for the process id in newer QEMU trees only. */
static int start_qemu(Driver *d, const char *machine, const char *device_options)
{
    g_autofree char *file = NULL;
    g_autofree char *args = NULL;
    g_autofree char *pid = NULL;

    g_assert(g_close(g_file_open_tmp("vmemstore-pid-XXXXXX", &file, NULL), NULL));
    args = g_strdup_printf("-machine %s -nodefaults -m 64M -pidfile %s "
                           "-device vmemstore,id=store,addr=%d,%s", machine,
                           file, DEVICE_SLOT, device_options);
    d->qts = qtest_init(args);
    g_assert(g_file_get_contents(file, &pid, NULL, NULL));
    g_unlink(file);
    return atoi(pid);
}

void driver_find(Driver *d)
{
    uint8_t cap;

    place_bars(d);
    for (cap = pci_read(d, 0x34); cap; cap = pci_read(d, cap + 1)) {
        note_capability(d, cap);
    }
    g_assert(d->common && d->notify && d->isr && d->config && d->store);
}

void driver_launch(Driver *d, const char *machine, const char *device_options)
{
    memset(d, 0, sizeof(*d));
    d->slot = DEVICE_SLOT;
    d->pid = start_qemu(d, machine, device_options);
}

void driver_start(Driver *d, const char *machine, const char *device_options)
{
    driver_launch(d, machine, device_options);
    driver_find(d);
    g_assert(d->msix_table);
    driver_init(d);
}

void driver_kill(Driver *d)
{
#ifdef VMEMSTORE_STANDALONE
    qtest_kill(d->qts);
#else
    /* libqtest takes a QEMU that ends by a signal for a broken one: it is not told. */
    qtest_remove_abrt_handler(d->qts);
    kill(d->pid, SIGKILL);
    g_assert(waitpid(d->pid, NULL, 0) == d->pid);
#endif
}

void driver_last_doorbell(Driver *d)
{
    siginfo_t end = { 0 };
    pid_t child = fork();

    g_assert(child >= 0);
    if (child == 0) {
        /* Without an answer a test fails; here that may be, and nobody is told. */
        int null = open("/dev/null", O_WRONLY);

        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        doorbell(d);
        _exit(0);
    }
    g_assert(waitpid(child, NULL, 0) == child);
    g_assert(waitid(P_PID, d->pid, &end, WEXITED | WNOWAIT) == 0);
    g_assert(end.si_code == CLD_KILLED && end.si_status == SIGKILL);
    driver_kill(d);             /* what is left of it */
}

void driver_stop(Driver *d)
{
    qtest_quit(d->qts);
    d->qts = NULL;
}

static void set_status(Driver *d, uint8_t status)
{
    qtest_writeb(d->qts, d->common + COMMON_STATUS, status);
}

uint8_t device_status(Driver *d)
{
    return qtest_readb(d->qts, d->common + COMMON_STATUS);
}

static void negotiate(Driver *d)
{
    uint64_t accept;

    qtest_writel(d->qts, d->common + COMMON_DEVICE_FEATURE_SELECT, 0);
    d->features = qtest_readl(d->qts, d->common + COMMON_DEVICE_FEATURE);
    qtest_writel(d->qts, d->common + COMMON_DEVICE_FEATURE_SELECT, 1);
    d->features |= (uint64_t)qtest_readl(d->qts,
                                d->common + COMMON_DEVICE_FEATURE) << 32;

    accept = d->features & (FEATURE_VERSION_1 | 1ull << VMEMSTORE_F_RO |
                            1ull << VMEMSTORE_F_COW |
                            1ull << VMEMSTORE_F_COMMIT |
                            1ull << VMEMSTORE_F_SMALL_PAGES |
                            1ull << VMEMSTORE_F_SERIAL |
                            1ull << VMEMSTORE_F_GROW |
                            1ull << VMEMSTORE_F_IN_USE |
                            1ull << 28 /* indirect descriptors */ |
                            FEATURE_RING_RESET);
    qtest_writel(d->qts, d->common + COMMON_DRIVER_FEATURE_SELECT, 0);
    qtest_writel(d->qts, d->common + COMMON_DRIVER_FEATURE, accept);
    qtest_writel(d->qts, d->common + COMMON_DRIVER_FEATURE_SELECT, 1);
    qtest_writel(d->qts, d->common + COMMON_DRIVER_FEATURE, accept >> 32);
}

static void set_vector(Driver *d, unsigned vector, uint64_t address,
                       uint32_t data)
{
    uint64_t entry = d->msix_table + 16 * vector;

    qtest_writel(d->qts, entry, address);
    qtest_writel(d->qts, entry + 4, address >> 32);
    qtest_writel(d->qts, entry + 8, data);
    qtest_writel(d->qts, entry + 12, 0);
    qtest_writel(d->qts, address, 0);
}

static void set_up_queue(Driver *d)
{
    uint8_t zeros[3 * 0x1000] = { 0 };

    qtest_memwrite(d->qts, DESC_ADDR, zeros, sizeof(zeros));
    qtest_writew(d->qts, d->common + COMMON_QUEUE_SELECT, VMEMSTORE_VQ_REQUEST);
    qtest_writew(d->qts, d->common + COMMON_QUEUE_SIZE, QUEUE_SIZE);
    qtest_writew(d->qts, d->common + COMMON_QUEUE_MSIX, 1);
    qtest_writel(d->qts, d->common + COMMON_QUEUE_DESC, DESC_ADDR);
    qtest_writel(d->qts, d->common + COMMON_QUEUE_DESC + 4, 0);
    qtest_writel(d->qts, d->common + COMMON_QUEUE_DRIVER, AVAIL_ADDR);
    qtest_writel(d->qts, d->common + COMMON_QUEUE_DRIVER + 4, 0);
    qtest_writel(d->qts, d->common + COMMON_QUEUE_DEVICE, USED_ADDR);
    qtest_writel(d->qts, d->common + COMMON_QUEUE_DEVICE + 4, 0);
    qtest_writew(d->qts, d->common + COMMON_QUEUE_ENABLE, 1);
    d->avail_idx = 0;
    d->used_idx = 0;
}

void driver_init(Driver *d)
{
    uint8_t status = STATUS_ACKNOWLEDGE | STATUS_DRIVER;

    set_status(d, 0);
    g_assert_cmpuint(device_status(d), ==, 0);
    d->used_at_reset = qtest_readw(d->qts, USED_ADDR + 2);
    set_status(d, status);
    negotiate(d);
    set_status(d, status |= STATUS_FEATURES_OK);
    g_assert(device_status(d) & STATUS_FEATURES_OK);
    if (d->msix_table) {
        set_vector(d, 0, MSI_CONFIG, 0xc0);
        set_vector(d, 1, MSI_QUEUE, 0xf1);
        qtest_writew(d->qts, d->common + COMMON_MSIX_CONFIG, 0);
    }
    set_up_queue(d);
    set_status(d, status | STATUS_DRIVER_OK);
}

void driver_reset_queue(Driver *d)
{
    g_assert(d->features & FEATURE_RING_RESET);
    qtest_writew(d->qts, d->common + COMMON_QUEUE_SELECT, VMEMSTORE_VQ_REQUEST);
    qtest_writew(d->qts, d->common + COMMON_QUEUE_RESET, 1);
    /* Done when it reads 0; QEMU is before it goes on. */
    g_assert_cmpuint(qtest_readw(d->qts, d->common + COMMON_QUEUE_RESET), ==, 0);
    g_assert_cmpuint(qtest_readw(d->qts, d->common + COMMON_QUEUE_ENABLE), ==, 0);
    d->used_at_reset = qtest_readw(d->qts, USED_ADDR + 2);
    set_up_queue(d);
}

void config_read(Driver *d, struct vmemstore_config *config)
{
    uint8_t bytes[sizeof(*config)];

    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = qtest_readb(d->qts, d->config + i);
    }
    memcpy(config, bytes, sizeof(bytes));
}

uint64_t device_property(Driver *d, const char *name)
{
    g_autofree char *text = qtest_hmp(d->qts, "qom-get /machine/peripheral/store "
                                      "%s", name);
    char *end;
    uint64_t value = g_ascii_strtoull(text, &end, 0);

    g_assert(end > text);
    return value;
}

bool find_stat(Driver *d, const char *name, uint64_t *value)
{
    g_autofree char *text = qtest_hmp(d->qts, "qom-get /machine/peripheral/store "
                                      "stats");
    g_autofree char *key = g_strdup_printf("\"%s\": ", name);
    const char *at = strstr(text, key);

    *value = at ? g_ascii_strtoull(at + strlen(key), NULL, 10) : 0;
    return at;
}

void put_descriptor(Driver *d, unsigned index, Descriptor desc)
{
    qtest_memwrite(d->qts, DESC_ADDR + 16 * index, &desc, sizeof(desc));
}

void offer(Driver *d, uint16_t head)
{
    qtest_writew(d->qts, AVAIL_ADDR + 4 + 2 * (d->avail_idx % QUEUE_SIZE), head);
    d->avail_idx++;
    qtest_writew(d->qts, AVAIL_ADDR + 2, d->avail_idx);
}

void doorbell(Driver *d)
{
    qtest_writew(d->qts, d->notify, VMEMSTORE_VQ_REQUEST);
}

bool wait_used(Driver *d, unsigned nr)
{
    uint16_t wanted = d->used_idx + nr;
    int64_t end = g_get_monotonic_time() + 300 * G_TIME_SPAN_SECOND;

    do {
        d->used_idx = qtest_readw(d->qts, USED_ADDR + 2);
        if (d->used_idx == wanted) {
            return true;
        }
        if (d->idle) {
            d->idle();
        } else {
            g_usleep(100);
        }
    } while (g_get_monotonic_time() < end);
    return false;
}

uint64_t buffer(unsigned index)
{
    return BUFFER_ADDR + (uint64_t)index * BUFFER_SIZE;
}

void put_request(Driver *d, unsigned slot, const void *request, size_t length)
{
    qtest_memwrite(d->qts, buffer(slot), request, length);
    qtest_writel(d->qts, buffer(slot + 1), 0xdeadbeef);
    put_descriptor(d, slot, (Descriptor) { .addr = buffer(slot),
                   .length = length, .flags = DESC_NEXT, .next = slot + 1 });
    put_descriptor(d, slot + 1, (Descriptor) { .addr = buffer(slot + 1),
                   .length = sizeof(struct vmemstore_resp),
                   .flags = DESC_WRITE });
}

uint32_t response_status(Driver *d, unsigned slot)
{
    return qtest_readl(d->qts, buffer(slot + 1));
}

uint32_t run_request(Driver *d, const void *request, size_t length)
{
    put_request(d, 0, request, length);
    offer(d, 0);
    doorbell(d);
    g_assert(wait_used(d, 1));
    return response_status(d, 0);
}

uint32_t ranges_request(Driver *d, uint32_t type, uint32_t nr,
                        const uint64_t *ranges)
{
    size_t length = sizeof(struct vmemstore_req) +
                    nr * sizeof(struct vmemstore_range);
    g_autofree uint8_t *request = g_malloc(length);
    struct vmemstore_req header = {
        .type = type, .nr_ranges = nr,
    };

    /* The machine that runs the tests is little-endian, as the interface is. */
    memcpy(request, &header, sizeof(header));
    if (nr) {
        memcpy(request + sizeof(header), ranges,
               nr * sizeof(struct vmemstore_range));
    }
    return run_request(d, request, length);
}

uint32_t flush(Driver *d, uint32_t nr, const uint64_t *ranges)
{
    return ranges_request(d, VMEMSTORE_REQ_FLUSH, nr, ranges);
}

/* ---- test programs ---- */

static char *folder;

void tests_begin(int *argc, char ***argv)
{
    const char *parent = getenv("VMEMSTORE_TEST_DIR");

    g_test_init(argc, argv, NULL);
    /* What QEMU uses after it was freed is wrong then (mallopt(3)). */
    g_setenv("MALLOC_PERTURB_", "165", FALSE);
    folder = g_build_filename(parent ? parent : g_get_tmp_dir(),
                              "vmemstore-test-XXXXXX", NULL);
    g_assert(g_mkdtemp(folder));
}

void tests_add(const Test *tests, size_t nr)
{
    for (size_t i = 0; i < nr; i++) {
        g_autofree char *path = g_strconcat("/vmemstore/", tests[i].name, NULL);

        g_test_add_func(path, tests[i].run);
    }
}

static void remove_folder(void)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;

    g_assert(dir);
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);

        g_unlink(path);
    }
    g_dir_close(dir);
    g_rmdir(folder);
    g_free(folder);
}

int tests_run(void)
{
    int failed = g_test_run();

    remove_folder();
    return failed;
}

char *test_file(const char *name, uint64_t size)
{
    char *path = g_build_filename(folder, name, NULL);
    int fd;

    if (size) {
        fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0644);
        g_assert(fd >= 0 && ftruncate(fd, size) == 0);
        close(fd);
    }
    return path;
}

void *share_with_preloaded(const char *program, const char *object,
                           const char *variable, size_t size)
{
    g_autofree char *at = g_path_get_dirname(program);
    g_autofree char *path = test_file(variable, size);
    g_autofree char *command = NULL;
    int fd = open(path, O_RDWR);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    g_assert(memory != MAP_FAILED);
    close(fd);
    g_setenv(variable, path, TRUE);
    command = g_strdup_printf("env LD_PRELOAD=%s/%s %s", at, object,
                              getenv("QTEST_QEMU_BINARY"));
    g_setenv("QTEST_QEMU_BINARY", command, TRUE);
    return memory;
}
