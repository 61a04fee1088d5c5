/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cache.c - small folios in the host page cache (see cache.h)
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/units.h"
#include "qapi/error.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22       /* Linux 5.14 */
#endif

#include "cache.h"
#include "folios.h"
#include "generation.h"
#include "notes.h"

/* What is remembered, and read again, as one. */
#define CHUNK (1 * MiB)

/*
 * Looking takes some 20 ns a page.  Where the kernel cannot say at once that a part is not
 * cached at all (cachestat(), Linux 6.5), nothing is read again of a store beyond this.
 */
#define LOOK_LIMIT (64 * GiB)

/* Address space for one look at what is cached. */
#define WINDOW (1 * GiB)

/* linux/mman.h of newer kernels: struct cachestat_range, struct cachestat. */
#define NR_CACHESTAT 451

/* Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PFN    ((UINT64_C(1) << 55) - 1)
#define KPF_COMPOUND   (UINT64_C(3) << 15)      /* head or tail of a large folio */

/* Pages of [offset, offset + length) of the file in the cache, or -1: nobody knows. */
static int64_t cached_pages(int fd, uint64_t offset, uint64_t length)
{
    uint64_t range[2] = { offset, length }, counts[5];

    return syscall(NR_CACHESTAT, fd, range, counts, 0) < 0 ? -1 :
           (int64_t)counts[0];
}

/* Have the pages in the page table.  They are cached, or nothing is lost by reading them. */
static bool map_pages(const uint8_t *at, const uint8_t *resident, size_t nr)
{
    size_t page = qemu_real_host_page_size(), end;

    for (size_t i = 0; i < nr; i = end) {
        for (end = i; end < nr && resident[end] & 1; end++) {
            /* The end of a run. */
        }
        if (end > i && madvise((void *)(at + i * page), (end - i) * page,
                               MADV_POPULATE_READ) < 0) {
            return false;
        }
        end = MAX(end, i + 1);
    }
    return true;
}

/*
 * Is one of @nr pages at @at, of those that are cached, in a large folio?  The kernel tells
 * who may see physical addresses (CAP_SYS_ADMIN); for anybody else any may be.
 */
static bool has_large_folio(const uint8_t *at, const uint8_t *resident, size_t nr,
                            const int fds[2])
{
    g_autofree uint64_t *entries = g_new(uint64_t, nr);
    ssize_t bytes = nr * sizeof(*entries);
    uint64_t flags;

    if (!map_pages(at, resident, nr) ||
        pread(fds[0], entries, bytes,
              (uintptr_t)at / qemu_real_host_page_size() * sizeof(*entries)) != bytes) {
        return true;
    }
    for (size_t i = 0; i < nr; i++) {
        uint64_t pfn = entries[i] & PAGEMAP_PFN;

        if (resident[i] & 1 &&
            (!pfn || pread(fds[1], &flags, sizeof(flags), pfn * sizeof(flags)) !=
             sizeof(flags) || flags & KPF_COMPOUND)) {
            return true;
        }
    }
    return false;
}

static void note_chunks(VMemStoreCache *c, uint64_t start, const uint8_t *p,
                        const uint8_t *resident, uint64_t length, const int fds[2])
{
    size_t page = qemu_real_host_page_size();
    size_t per_chunk = CHUNK / page;

    for (uint64_t at = 0; at < length; at += CHUNK) {
        const uint8_t *pages = resident + at / page;
        size_t found = 0;

        for (size_t i = 0; i < per_chunk; i++) {
            found += pages[i] & 1;
        }
        c->chunks[(start + at) / CHUNK] = found > per_chunk / 2;
        if (found && !c->large) {
            c->large = has_large_folio(p + at, pages, per_chunk, fds);
        }
    }
}

static void note_windows(VMemStoreCache *c, const int fds[2])
{
    size_t page = qemu_real_host_page_size();
    g_autofree uint8_t *resident = g_malloc(WINDOW / page);

    for (uint64_t start = 0; start < c->size; start += WINDOW) {
        uint64_t length = MIN(WINDOW, c->size - start);
        void *p;

        if (cached_pages(c->fd, c->offset + start, length) == 0) {
            continue;
        }
        p = mmap(NULL, length, PROT_READ, MAP_SHARED, c->fd, c->offset + start);
        if (p == MAP_FAILED) {
            c->large = true;
            return;
        }
        vmemstore_folios_advise_small(p, length);
        if (mincore(p, length, resident) == 0) {
            note_chunks(c, start, p, resident, length, fds);
        } else {
            c->large = true;
        }
        munmap(p, length);
    }
}

/* Best effort: without an answer nothing is read again. */
static void note_cached(VMemStoreCache *c)
{
    int fds[2];

    c->chunks = g_malloc0(c->size / CHUNK);
    c->large = false;
    if (c->size > LOOK_LIMIT && cached_pages(c->fd, c->offset, c->size) < 0) {
        c->large = true;
        return;
    }
    fds[0] = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    fds[1] = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
    note_windows(c, fds);
    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
}

bool vmemstore_cache_drop(VMemStoreCache *c, int fd, uint64_t offset, uint64_t size,
                          bool all, const char *path, Error **errp)
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
    if (!all && !c->large) {
        vmemstore_cache_keep(c, fd, offset, size);
        return true;
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
