/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sync.c - make pages of a mapped file survive the host (see sync.h)
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef VMEMSTORE_LIBPMEM
#include <libpmem.h>
#endif

#include "sync.h"

/* Has a write-back of the file failed since this was last asked of @fd? */
static int written_back(int fd)
{
    return sync_file_range(fd, 0, 1, SYNC_FILE_RANGE_WAIT_BEFORE) < 0 ?
           -errno : 0;
}

/* The same file, opened anew: dup() would share what was told. */
static int open_again(int fd)
{
    char path[sizeof("/proc/self/fd/") + 12];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_CLOEXEC);
}

void vmemstore_sync_init(VMemStoreSync *s, int fd, uint64_t offset,
                         uint8_t *base, bool batches, unsigned nr_lanes)
{
    s->fd = fd;
    s->offset = offset;
    s->base = base;
    s->batches = batches;
    s->nr_lanes = 0;
    s->lanes = calloc(nr_lanes, sizeof(s->lanes[0]));
    while (s->lanes && s->nr_lanes < nr_lanes) {
        int again = open_again(fd);

        if (again < 0) {
            break;
        }
        s->lanes[s->nr_lanes++] = again;
    }
    if (s->nr_lanes < 2) {
        /* A lone lane can rely on what the mapping is told. */
        vmemstore_sync_fini(s);
        s->nr_lanes = 1;
    }
}

void vmemstore_sync_fini(VMemStoreSync *s)
{
    for (unsigned i = 0; s->lanes && i < s->nr_lanes; i++) {
        close(s->lanes[i]);
    }
    free(s->lanes);
    s->lanes = NULL;
    s->nr_lanes = 0;
}

/*
 * Write the pages of all spans but the last, all at once, and wait.  They are
 * then on the disk but perhaps in its cache, and a block that was unwritten may
 * still be so in the file system's metadata.
 */
static int write_spans(const VMemStoreSync *s, const VMemStoreSpan *spans,
                       uint32_t nr)
{
    for (uint32_t i = 0; i < nr; i++) {
        if (sync_file_range(s->fd, s->offset + spans[i].offset,
                            spans[i].length, SYNC_FILE_RANGE_WRITE) < 0) {
            return -errno;
        }
    }
    for (uint32_t i = 0; i < nr - 1; i++) {
        if (sync_file_range(s->fd, s->offset + spans[i].offset,
                            spans[i].length, SYNC_FILE_RANGE_WAIT_BEFORE |
                            SYNC_FILE_RANGE_WRITE |
                            SYNC_FILE_RANGE_WAIT_AFTER) < 0) {
            return -errno;
        }
    }
    return 0;
}

static int sync_span(const VMemStoreSync *s, const VMemStoreSpan *span)
{
#ifdef VMEMSTORE_LIBPMEM
    if (s->dax) {
        /* MAP_SYNC: the file's metadata is durable since the page was mapped. */
        pmem_persist(s->base + span->offset, span->length);
        return 0;
    }
#endif
    return msync(s->base + span->offset, span->length, MS_SYNC) < 0 ?
           -errno : 0;
}

int vmemstore_sync_spans(VMemStoreSync *s, unsigned lane,
                         const VMemStoreSpan *spans, uint32_t nr)
{
    int err = 0;

    /*
     * Each msync() makes the disk empty its cache, which takes most of the
     * time.  On ext4 and xfs that of the last span serves for all: both then
     * commit what belongs to the file, not just to the range.
     */
    if (nr > 1 && s->batches && !s->dax) {
        err = write_spans(s, spans, nr);
        if (!err) {
            err = sync_span(s, &spans[nr - 1]);
        }
    } else {
        for (uint32_t i = 0; i < nr && !err; i++) {
            err = sync_span(s, &spans[i]);
        }
    }
    if (!err && s->lanes) {
        err = written_back(s->lanes[lane]);
    }
    return err;
}
