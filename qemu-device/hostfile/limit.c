/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * limit.c - resident-limit= (see limit.h)
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/units.h"
#include "qapi/error.h"

#include <sys/mman.h>

#include "insight.h"
#include "limit.h"
#include "trace.h"

#define INTERVAL_MS 1000

/* Let go at a time. */
#define STEP (2 * MiB)

/*
 * The pages leave this process's page tables, which keep nothing that the cache
 * does not have, and those that are clean leave the cache.
 */
static void let_go(const VMemStoreMapping *m, uint64_t offset, uint64_t length)
{
    madvise(m->base + offset, length, MADV_DONTNEED);
    posix_fadvise(m->fd, offset, length, POSIX_FADV_DONTNEED);
}

static bool stopped(VMemStoreLimit *l)
{
    bool stop;

    qemu_mutex_lock(&l->lock);
    stop = l->stop;
    qemu_mutex_unlock(&l->lock);
    return stop;
}

static void shrink(VMemStoreLimit *l)
{
    const VMemStoreMapping *m = l->mapping;
    uint64_t size = qatomic_read(&m->size);
    uint64_t resident = vmemstore_resident_bytes(m->base, size);
    uint64_t before = resident, seen = 0, length;

    for (; resident > l->limit && seen < size && !stopped(l); seen += length) {
        l->hand = l->hand < size ? l->hand : 0;
        length = MIN(STEP, size - l->hand);
        resident -= vmemstore_resident_bytes(m->base + l->hand, length);
        let_go(m, l->hand, length);
        resident += vmemstore_resident_bytes(m->base + l->hand, length);
        l->hand += length;
    }
    if (resident < before) {
        qatomic_add(&l->dropped, before - resident);
        trace_vmemstore_limit(before, resident, l->limit);
    }
}

static void *limit_thread(void *opaque)
{
    VMemStoreLimit *l = opaque;

    qemu_mutex_lock(&l->lock);
    while (!l->stop) {
        qemu_cond_timedwait(&l->wake, &l->lock, INTERVAL_MS);
        if (l->stop) {
            break;
        }
        qemu_mutex_unlock(&l->lock);
        shrink(l);
        qemu_mutex_lock(&l->lock);
    }
    qemu_mutex_unlock(&l->lock);
    return NULL;
}

void vmemstore_limit_start(VMemStoreLimit *l, const VMemStoreMapping *mapping,
                           uint64_t limit)
{
    if (!limit || l->started) {
        return;
    }
    l->mapping = mapping;
    l->limit = limit;
    l->hand = 0;
    l->stop = false;
    qemu_mutex_init(&l->lock);
    qemu_cond_init(&l->wake);
    l->started = true;
    qemu_thread_create(&l->thread, "vmemstore-limit", limit_thread, l,
                       QEMU_THREAD_JOINABLE);
}

void vmemstore_limit_stop(VMemStoreLimit *l)
{
    if (!l->started) {
        return;
    }
    qemu_mutex_lock(&l->lock);
    l->stop = true;
    qemu_cond_signal(&l->wake);
    qemu_mutex_unlock(&l->lock);
    qemu_thread_join(&l->thread);
    qemu_cond_destroy(&l->wake);
    qemu_mutex_destroy(&l->lock);
    l->started = false;
}
