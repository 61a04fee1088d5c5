/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * growth.c - the store becomes larger while the guest uses it (see growth.h)
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/units.h"

#include "compat.h"
#include "event.h"
#include "loss.h"
#include "trace.h"
#include "vmemstore.h"

bool vmemstore_is_growing(const VMemStore *s)
{
    return qatomic_read(&s->growth.active);
}

/* ---- may it? ---- */

static bool check_size(const VMemStore *s, uint64_t size, Error **errp)
{
    const VMemStoreMapping *m = &s->mapping;
    uint64_t unit = MAX(VMEMSTORE_ALIGN, m->granule);

    if (size < m->size) {
        error_setg(errp, "vmemstore: '%s' cannot become smaller than the %" PRIu64
                   " bytes that the guest has: take it away from the guest "
                   "(device_del), shrink the file system in it, then the file",
                   s->path, m->size);
        return false;
    }
    if (size % unit) {
        error_setg(errp, "vmemstore: the size must be a multiple of %" PRIu64 " "
                   "MiB", unit / MiB);
        return false;
    }
    if (size > m->max_size) {
        error_setg(errp, "vmemstore: '%s' can grow to %" PRIu64 " bytes only: "
                   "there is address space for no more: attach it again with "
                   "max-size=", s->path, m->max_size);
        return false;
    }
    return true;
}

static bool check_state(const VMemStore *s, Error **errp)
{
    if (s->compat_pmem || !vmemstore_mapping_shared(&s->mapping)) {
        error_setg(errp, "vmemstore: a store with readonly=on, cow=on or "
                   "compat=virtio-pmem does not grow: attach it again");
        return false;
    }
    if (vmemstore_is_growing(s)) {
        error_setg(errp, "vmemstore: '%s' is growing already: wait for the event "
                   "VMEMSTORE_GROWN", s->path);
        return false;
    }
    if (s->state & VMEMSTORE_STATE_IO_ERROR) {
        error_setg(errp, "vmemstore: '%s' has lost data: it does not grow",
                   s->path);
        return false;
    }
    return true;
}

/*
 * A migration that begins meanwhile looks whether it is growing, in another
 * thread, after it has said that it begins.
 */
static bool begin(VMemStore *s, Error **errp)
{
    qatomic_set(&s->growth.active, true);
    smp_mb();
    if (s->mapping.fd >= 0 && vmemstore_migration_is_idle(s)) {
        return true;
    }
    error_setg(errp, "vmemstore: '%s' cannot grow during a migration", s->path);
    return false;
}

/* ---- doing it ---- */

/* The file is ready: from here on everything is quick. */
static bool show_guest(VMemStore *s, Error **errp)
{
    uint64_t size = s->growth.size;
    int err;

    if (s->shadow) {
        err = vmemstore_shadow_lengthen(s->shadow, size);
        if (err) {
            error_setg(errp, "vmemstore: the x-powercut file cannot grow: %s",
                       strerror(-err));
            return false;
        }
    }
    if (!vmemstore_mapping_extend(&s->mapping, &s->file, size, errp)) {
        return false;
    }
    if (s->shadow) {
        vmemstore_shadow_grow(s->shadow, size);
    }
    if (s->file.size) {
        s->file.size = size;
    }
    vmemstore_region_grow(&s->region, &s->mapping);
    if (DEVICE(s)->realized) {
        virtio_notify_config(VIRTIO_DEVICE(s));
    }
    return true;
}

static void report(VMemStore *s, Error *err)
{
    VMemStoreGrowth *g = &s->growth;
    DeviceState *dev = vmemstore_user_device(s);

    if (!err) {
        vmemstore_event_grown(dev, g->size);
        return;
    }
    vmemstore_event_not_grown(dev, error_get_pretty(err));
    error_report_err(err);
    if (g->err == -EIO) {
        /* Whose page it was that could not be written is not known. */
        vmemstore_flusher_fail(s->flusher);
        vmemstore_report_loss(s, "a write-back failed");
    }
}

/* In the main loop, when the thread has ended. */
static void finish(void *opaque)
{
    VMemStore *s = opaque;
    VMemStoreGrowth *g = &s->growth;
    Object *user = OBJECT(vmemstore_user_device(s));
    Error *err = NULL;

    qemu_thread_join(&g->thread);
    qemu_bh_delete(g->done);
    qatomic_set(&g->active, false);
    /* Under KVM the vCPUs run on for a moment, and may unplug it (region.c). */
    object_ref(user);
    object_ref(OBJECT(s));
    if (g->err) {
        error_setg(&err, "vmemstore: '%s' does not grow: %s", s->path,
                   strerror(-g->err));
    } else {
        show_guest(s, &err);
    }
    trace_vmemstore_grown(s->path, g->size, g->err);
    if (DEVICE(s)->realized) {
        report(s, err);
    } else {
        error_free(err);
    }
    object_unref(OBJECT(s));
    object_unref(user);
}

static void *grow_thread(void *opaque)
{
    VMemStore *s = opaque;
    VMemStoreGrowth *g = &s->growth;

    g->err = vmemstore_mapping_settle_file(&s->mapping, &s->file, g->size,
                                           &g->stop);
    qemu_bh_schedule(g->done);
    return NULL;
}

bool vmemstore_grow(VMemStore *s, uint64_t size, Error **errp)
{
    VMemStoreGrowth *g = &s->growth;

    if (size == s->mapping.size) {
        return true;
    }
    if (!check_state(s, errp) || !check_size(s, size, errp)) {
        return false;
    }
    if (!begin(s, errp) ||
        !vmemstore_mapping_extend_file(&s->mapping, &s->file, size, errp)) {
        qatomic_set(&g->active, false);
        return false;
    }
    g->size = size;
    g->stop = false;
    g->done = qemu_bh_new(finish, s);
    qemu_thread_create(&g->thread, "vmemstore-grow", grow_thread, s,
                       QEMU_THREAD_JOINABLE);
    return true;
}

void vmemstore_growth_stop(VMemStore *s)
{
    VMemStoreGrowth *g = &s->growth;

    if (g->active) {
        qatomic_set(&g->stop, true);
        qemu_thread_join(&g->thread);
        qemu_bh_delete(g->done);
        qatomic_set(&g->active, false);
    }
}
