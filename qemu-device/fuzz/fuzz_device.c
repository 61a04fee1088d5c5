/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_device.c - the devices that are fuzzed (see fuzz_device.h)
 */
#include "qemu/osdep.h"
#include "qemu/rcu.h"
#include "qemu/units.h"
#include "qapi/qapi-commands-qdev.h"
#include "monitor/qdev.h"

#include "fuzz_device.h"
#include "hw/vmemstore/compat.h"

#define SIZE (8 * MiB)

/* The eject register of ACPI PCI hotplug (docs/specs/acpi_pci_hotplug). */
#define ACPI_PCI_EJECT 0xae08

/* The slots before are the machine's. */
#define FIRST_SLOT 4

/* cfg_type of the window to the BARs (virtio v1.2, 4.1.4.9). */
#define CAP_PCI_CFG 5

/* Half of them flush in this thread, where no time is lost by waking another. */
static FuzzDevice devices[] = {
    { "max-size=16M", false, SIZE },
    { "max-size=16M,flush-in-vcpu=on", true, SIZE },
    { "max-size=16M,prealloc=off,flush-in-vcpu=on", false, SIZE },
    { "max-size=32M,prealloc=off,flush-threads=1,flush-in-vcpu=off", true, SIZE },
    { "readonly=on,flush-in-vcpu=on", true, SIZE },
    { "cow=on", true, SIZE },
    { "compat=virtio-pmem", true, SIZE },
    { "max-size=16M,hugepages=on,flush-in-vcpu=on", false, SIZE },
    { "max-size=16M,flush-in-vcpu=on,x-powercut=SHADOW", true, SIZE },
    { "size=4M,offset=2M,max-size=8M,resident-limit=2M,packed=on,flush-in-vcpu=on",
      true, 4 * MiB },
    { "max-size=16M,x-fail-flush=3,vectors=0", true, SIZE },
    { "max-size=16M,x-dax=on,ioeventfd=on", true, SIZE },
};

void fuzz_idle(void)
{
    static unsigned count;

    bql_unlock();
    /* Where there are fewer processors than threads, sleep is long. */
    if (++count % 16) {
        sched_yield();
    } else {
        g_usleep(50);
    }
    bql_lock();
    main_loop_wait(true);
}

VMemStore *fuzz_device_state(const FuzzDevice *f)
{
    g_autofree char *path = g_strdup_printf("/machine/peripheral/%s/"
                                            "virtio-backend", f->id);

    return VMEMSTORE(object_resolve_path(path, NULL));
}

FuzzAbility fuzz_device_ability(FuzzDevice *f)
{
    const VMemStore *s = fuzz_device_state(f);
    bool pmem = s->compat_pmem;
    uint64_t features = pmem ? 0 : f->d.features;

    return (FuzzAbility) {
        .size = qtest_readq(f->d.qts, f->d.config + (pmem ? 8 : 0)),
        .pmem = pmem,
        .provision = features & 1u << VMEMSTORE_F_PROVISION,
        .discard = features & 1u << VMEMSTORE_F_DISCARD,
        .small_pages = features & 1u << VMEMSTORE_F_SMALL_PAGES,
        .prefetch = features & 1u << VMEMSTORE_F_PREFETCH,
        .lost = s->state || s->faults.lost,
    };
}

/* ---- files ---- */

static void name_files(FuzzDevice *f, unsigned number)
{
    const char *dir = getenv(f->tmpfs ? "VMEMSTORE_FUZZ_TMPFS" :
                             "VMEMSTORE_FUZZ_DISK");

    f->id = g_strdup_printf("fuzz%u", number);
    f->image = g_strdup_printf("%s/%s.img", dir ? dir : g_get_tmp_dir(), f->id);
    if (strstr(f->options, "x-powercut=")) {
        f->shadow = g_strdup_printf("%s.shadow", f->image);
    }
}

static void make_file(const FuzzDevice *f)
{
    int fd;

    unlink(f->image);
    fd = open(f->image, O_RDWR | O_CREAT | O_EXCL, 0644);
    g_assert(fd >= 0 && ftruncate(fd, SIZE) == 0);
    close(fd);
}

static bool is_locked(const FuzzDevice *f)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(f->image, O_RDWR);

    g_assert(fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0);
    close(fd);
    return lock.l_type != F_UNLCK;
}

/* ---- plugging ---- */

typedef struct Grain {
    struct rcu_head rcu;
} Grain;

/* QEMU's RCU thread waits up to 50 ms for more to come, unless there are 30. */
static void drain_rcu(void)
{
    for (int i = 0; i < 30; i++) {
        Grain *grain = g_new(Grain, 1);

        g_free_rcu(grain, rcu);
    }
    drain_call_rcu();
}

static void wait_until_gone(const FuzzDevice *f)
{
    int64_t end = g_get_monotonic_time() + 20 * G_TIME_SPAN_SECOND;

    do {
        g_assert(g_get_monotonic_time() < end);
        main_loop_wait(true);
        drain_rcu();
    } while (is_locked(f));
}

static QDict *device_options(const FuzzDevice *f)
{
    g_auto(GStrv) options = g_strsplit(f->options, ",", -1);
    QDict *dict = qdict_new();

    qdict_put_str(dict, "driver", "vmemstore");
    qdict_put_str(dict, "id", f->id);
    qdict_put_str(dict, "bus", "pci.0");
    qdict_put_str(dict, "file", f->image);
    for (char **option = options; *option; option++) {
        g_auto(GStrv) pair = g_strsplit(*option, "=", 2);

        qdict_put_str(dict, pair[0], strcmp(pair[1], "SHADOW") ? pair[1] :
                      f->shadow);
    }
    return dict;
}

void fuzz_device_plug(FuzzDevice *f)
{
    g_autofree char *slot = g_strdup_printf("0x%x", f->d.slot);
    QDict *options;

    if (f->spoiled) {
        make_file(f);
        f->spoiled = false;
    }
    options = device_options(f);
    qdict_put_str(options, "addr", slot);
    qmp_device_add(options, NULL, &error_abort);
    qobject_unref(options);
    f->plugged = true;
    fuzz_device_find(f);
}

bool fuzz_device_unplug(FuzzDevice *f, bool ask)
{
    bool held = fuzz_device_state(f)->hold.in_use;
    Error *err = NULL;

    if (ask) {
        qmp_device_del(f->id, &err);
        g_assert(!err == !held);
        error_free(err);
        if (held) {
            return false;
        }
    }
    qtest_outl(f->d.qts, ACPI_PCI_EJECT, 1u << f->d.slot);
    g_assert(pci_read(&f->d, 0) == UINT32_MAX);
    f->plugged = false;
    wait_until_gone(f);
    return true;
}

void fuzz_device_find(FuzzDevice *f)
{
    Driver found = { .qts = f->d.qts, .slot = f->d.slot, .idle = fuzz_idle };

    f->d = found;
    pci_write(&f->d, 0x04, 0);
    driver_find(&f->d);
    for (uint8_t cap = pci_read(&f->d, 0x34); cap;
         cap = pci_read(&f->d, cap + 1)) {
        if ((pci_read(&f->d, cap) & 0xff) == PCI_CAP_ID_VNDR &&
            (pci_read(&f->d, cap + 3) & 0xff) == CAP_PCI_CFG) {
            f->window = cap;
        }
    }
    f->moved = false;
}

FuzzDevice *fuzz_device_get(QTestState *qts, unsigned number)
{
    static FuzzDevice *last;
    FuzzDevice *f;

    number %= G_N_ELEMENTS(devices);
    f = &devices[number];
    if (last && last != f) {
        pci_write(&last->d, 0x04, 0);   /* the BARs are at the same place */
        last->moved = true;
    }
    last = f;
    if (!f->id) {
        name_files(f, number);
        f->d.qts = qts;
        f->d.slot = FIRST_SLOT + number;
        f->spoiled = true;
    }
    if (!f->plugged) {
        fuzz_device_plug(f);
    } else if (f->moved) {
        fuzz_device_find(f);
    }
    driver_init(&f->d);
    return f;
}

/* ---- is it right? ---- */

/* What a flush has made durable is what a power cut leaves. */
static void check_shadow(const FuzzDevice *f, const FuzzRequest *req)
{
    const VMemStore *s = fuzz_device_state(f);
    struct vmemstore_req head;
    struct vmemstore_range range;
    g_autofree uint8_t *found = NULL;
    int fd;

    memcpy(&head, req->bytes, sizeof(head));
    if (!f->shadow || head.type != VMEMSTORE_REQ_FLUSH || head.nr_ranges == 0) {
        return;
    }
    memcpy(&range, req->bytes + sizeof(head), sizeof(range));
    range.length = MIN(range.length, 64 * KiB);
    found = g_malloc(range.length);
    fd = open(f->shadow, O_RDONLY);
    g_assert(fd >= 0 && pread(fd, found, range.length, range.offset) ==
             (ssize_t)range.length);
    close(fd);
    g_assert(memcmp(found, s->mapping.base + range.offset, range.length) == 0);
}

static void check_mark(FuzzDevice *f, const FuzzRequest *req)
{
    uint64_t offset, value;

    if (fuzz_request_mark(req, &offset, &value) &&
        !fuzz_device_state(f)->mapping.readonly) {
        g_assert_cmphex(qtest_readq(f->d.qts, f->d.store + offset), ==, value);
    }
}

/* Data may be lost at any time, but then every flush says so. */
static bool flush_may_say(const FuzzAbility *before, const FuzzAbility *now,
                          bool failed)
{
    return failed ? now->lost : !before->lost;
}

void fuzz_check_status(FuzzDevice *f, const FuzzAbility *before,
                       const FuzzRequest *req, uint32_t status)
{
    FuzzAbility now = fuzz_device_ability(f);
    uint32_t expected = fuzz_expected_status(before, req);

    /* It grew meanwhile. */
    if (expected != fuzz_expected_status(&now, req)) {
        return;
    }
    if (expected != VMEMSTORE_S_OK) {
        g_assert_cmpuint(status, ==, before->pmem ? 1 : expected);
        return;
    }
    if (f->spoiled) {
        return;
    }
    switch (req->bytes[0]) {
    case 0:                     /* of virtio-pmem */
    case VMEMSTORE_REQ_FLUSH:
    case VMEMSTORE_REQ_COMMIT:
        g_assert(status == VMEMSTORE_S_OK || status == VMEMSTORE_S_IOERR);
        g_assert(flush_may_say(before, &now, status));
        break;
    case VMEMSTORE_REQ_PROVISION:
        g_assert(status == VMEMSTORE_S_OK || status == VMEMSTORE_S_NOSPC);
        break;
    case VMEMSTORE_REQ_PREFETCH:
        g_assert(status == VMEMSTORE_S_OK || status == VMEMSTORE_S_RESIDENT);
        break;
    default:
        g_assert(status == VMEMSTORE_S_OK || status == VMEMSTORE_S_UNSUPP);
    }
    if (status == VMEMSTORE_S_OK && !before->pmem) {
        check_shadow(f, req);
        check_mark(f, req);
    }
}

void fuzz_device_check(FuzzDevice *f, const FuzzRequest *req)
{
    FuzzAbility can = fuzz_device_ability(f);
    uint32_t status = run_request(&f->d, req->bytes, req->length);

    fuzz_check_status(f, &can, req, status);
}

/* ---- the end of an input ---- */

static bool is_worn_out(const FuzzDevice *f)
{
    const VMemStore *s = fuzz_device_state(f);

    return s->state || s->faults.lost || s->mapping.size != f->size ||
           (s->fail_flush && s->stats.requests);
}

static void check_health(FuzzDevice *f)
{
    FuzzRequest flush = { .length = sizeof(struct vmemstore_req) +
                                    sizeof(struct vmemstore_range) };
    const struct vmemstore_range range = { .offset = 0, .length = 4096 };

    if (!fuzz_device_state(f)->compat_pmem) {
        flush.bytes[0] = VMEMSTORE_REQ_FLUSH;
        flush.bytes[4] = 1;
        memcpy(flush.bytes + sizeof(struct vmemstore_req), &range, sizeof(range));
    }
    /* No answer of before the reset may come after it. */
    fuzz_idle();
    g_assert_cmpuint(qtest_readw(f->d.qts, USED_ADDR + 2), ==, 0);
    g_assert_cmpuint(device_status(&f->d) & STATUS_NEEDS_RESET, ==, 0);
    fuzz_device_check(f, &flush);
}

void fuzz_device_settle(FuzzDevice *f)
{
    if (!runstate_is_running()) {
        vm_start();
    }
    if (f->plugged) {
        while (vmemstore_is_growing(fuzz_device_state(f))) {
            fuzz_idle();
        }
        if (f->moved) {
            fuzz_device_find(f);
        }
        driver_init(&f->d);
        check_health(f);
        f->spoiled |= is_worn_out(f);
        /* The thread that keeps a shadow never rests. */
        if (f->spoiled || f->shadow) {
            fuzz_device_unplug(f, true);
        }
    }
}
