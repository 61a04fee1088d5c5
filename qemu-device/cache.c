/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cache.c - small folios in the host page cache (see cache.h)
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/units.h"
#include "qapi/error.h"

#include <sys/mman.h>

#include "cache.h"
#include "folios.h"
#include "generation.h"
#include "notes.h"

/* What is remembered, and read again, as one. */
#define CHUNK (1 * MiB)

/* Looking takes some 20 ns a page: beyond this nothing is read again. */
#define LOOK_LIMIT (64 * GiB)

/* Address space for one look at what is cached. */
#define WINDOW (1 * GiB)

static void note_chunks(VMemStoreCache *c, uint64_t start,
                        const uint8_t *resident, uint64_t length)
{
    size_t page = qemu_real_host_page_size();
    size_t per_chunk = CHUNK / page;

    for (uint64_t at = 0; at < length; at += CHUNK) {
        size_t found = 0;

        for (size_t i = 0; i < per_chunk; i++) {
            found += resident[at / page + i] & 1;
        }
        c->chunks[(start + at) / CHUNK] = found > per_chunk / 2;
    }
}

/* Best effort: without an answer nothing is read again. */
static void note_cached(VMemStoreCache *c)
{
    size_t page = qemu_real_host_page_size();
    g_autofree uint8_t *resident = g_malloc(WINDOW / page);

    c->chunks = g_malloc0(c->size / CHUNK);
    if (c->size > LOOK_LIMIT) {
        return;
    }
    for (uint64_t start = 0; start < c->size; start += WINDOW) {
        uint64_t length = MIN(WINDOW, c->size - start);
        void *p = mmap(NULL, length, PROT_READ, MAP_SHARED, c->fd,
                       c->offset + start);

        if (p == MAP_FAILED) {
            return;
        }
        if (mincore(p, length, resident) == 0) {
            note_chunks(c, start, resident, length);
        }
        munmap(p, length);
    }
}

bool vmemstore_cache_drop(VMemStoreCache *c, int fd, uint64_t offset,
                          uint64_t size, const char *path, Error **errp)
{
    int noted, err;

    c->fd = fd;
    c->offset = offset;
    c->size = size;
    note_cached(c);
    err = vmemstore_sync(fd, &noted);
    if (err) {
        error_setg(errp, "vmemstore: cannot write back '%s': %s: the disk under "
                   "it fails%s", path, strerror(-err), noted ? ". That cannot be "
                   "noted: what is started next on the file will not know that "
                   "data is lost: let " VMEMSTORE_RUN_DIR " be writable" : "");
        return false;
    }
    /* Pages that another process has mapped stay. */
    posix_fadvise(fd, offset, size, POSIX_FADV_DONTNEED);
    return true;
}

void vmemstore_cache_keep(VMemStoreCache *c, int fd, uint64_t offset,
                          uint64_t size)
{
    c->fd = fd;
    c->offset = offset;
    c->size = size;
    g_free(c->chunks);
    c->chunks = NULL;
}

/* Explicit read-ahead brings single pages, in large I/O. */
static void *read_again(void *opaque)
{
    VMemStoreCache *c = opaque;

    for (uint64_t at = 0; at < c->size && !qatomic_read(&c->stop); at += CHUNK) {
        if (c->chunks[at / CHUNK]) {
            posix_fadvise(c->fd, c->offset + at, CHUNK, POSIX_FADV_WILLNEED);
        }
    }
    return NULL;
}

void vmemstore_cache_start(VMemStoreCache *c, void *base)
{
    vmemstore_folios_advise_small(base, c->size);
    if (!c->chunks) {
        return;
    }
    c->started = true;
    c->stop = false;
    qemu_thread_create(&c->thread, "vmemstore-cache", read_again, c,
                       QEMU_THREAD_JOINABLE);
}

void vmemstore_cache_stop(VMemStoreCache *c)
{
    if (c->started) {
        qatomic_set(&c->stop, true);
        qemu_thread_join(&c->thread);
        c->started = false;
    }
    g_free(c->chunks);
    c->chunks = NULL;
}
