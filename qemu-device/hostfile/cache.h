/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cache.h - keep the store's pages in the host page cache in small folios
 *
 * The page cache keeps a file in folios of up to 2 MiB, and a store dirties all
 * of one: after a sequential read with read-ahead, each flush of one 4 KiB page
 * writes 1.7 MiB on average.  So the cache is emptied when the store is opened,
 * if it has large folios of it, and is then filled with single pages only: no read-ahead
 * on faults, and what was cached before is read again in the background.
 */
#ifndef VMEMSTORE_CACHE_H
#define VMEMSTORE_CACHE_H

#include "qemu/thread.h"

typedef struct VMemStoreCache {
    int fd;                 /* borrowed */
    uint64_t offset;        /* bytes in the file, a multiple of the page size */
    uint64_t size;          /* bytes */
    uint8_t *chunks;        /* 1: that chunk was in the cache */
    QemuThread thread;      /* reads them again */
    bool large;             /* something in the cache may be in a large folio */
    bool started;
    bool stop;              /* atomic */
} VMemStoreCache;

/*
 * Write back and empty the cache of @fd; remembers what was in it.  If that is in small
 * folios already, as after another QEMU, it stays, unless @all is to go.
 */
bool vmemstore_cache_drop(VMemStoreCache *c, int fd, uint64_t offset, uint64_t size,
                          bool all, const char *path, Error **errp);

/* The cache of @fd stays as it is, or need not be read again when dropped. */
void vmemstore_cache_keep(VMemStoreCache *c, int fd, uint64_t offset,
                          uint64_t size);

/* Advise the mapping of the file at @base, and start reading again. */
void vmemstore_cache_start(VMemStoreCache *c, void *base);

/* Stop reading; before the file is closed.  Harmless when never started. */
void vmemstore_cache_stop(VMemStoreCache *c);

#endif /* VMEMSTORE_CACHE_H */
