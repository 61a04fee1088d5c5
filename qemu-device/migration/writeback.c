/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * writeback.c - write back while a migration runs (see writeback.h)
 */
#include "qemu/osdep.h"

#include "writeback.h"

#define INTERVAL_MS 500

static void *write_back(void *opaque)
{
    VMemStoreWriteback *w = opaque;

    /* A failure stays to be found by whoever flushes: see below. */
    while (qemu_sem_timedwait(&w->stop, INTERVAL_MS) < 0 &&
           fdatasync(w->fd) == 0) {
        /* Again and again. */
    }
    return NULL;
}

void vmemstore_writeback_start(VMemStoreWriteback *w, const char *path)
{
    if (w->started) {
        return;
    }
    /* Linux tells each open file of a failure once: so this needs its own. */
    w->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (w->fd < 0) {
        return;
    }
    w->started = true;
    qemu_sem_init(&w->stop, 0);
    qemu_thread_create(&w->thread, "vmemstore-wback", write_back, w,
                       QEMU_THREAD_JOINABLE);
}

void vmemstore_writeback_stop(VMemStoreWriteback *w)
{
    if (w->started) {
        qemu_sem_post(&w->stop);
        qemu_thread_join(&w->thread);
        qemu_sem_destroy(&w->stop);
        close(w->fd);
        w->started = false;
    }
}
