/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sync.h - make pages of a mapped file survive the host
 *
 * Plain C and POSIX, so that tests and the benchmark link it without QEMU.
 */
#ifndef VMEMSTORE_SYNC_H
#define VMEMSTORE_SYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "spans.h"

typedef struct VMemStoreSync {
    int fd;                 /* borrowed: that of the mapping */
    uint64_t offset;        /* in the file, of what is mapped */
    uint8_t *base;          /* the file, mapped shared */
    bool dax;               /* persistent memory: no page cache to write back */
    bool batches;           /* one sync makes all written pages durable (ext4,
                             * xfs, block devices) */
    unsigned nr_lanes;
    int *lanes;             /* one open file per lane, see below */
} VMemStoreSync;

/*
 * Prepare for syncs that run at the same time, in up to @nr_lanes lanes.
 *
 * Linux tells each open file of a failed write-back once.  Syncs that run
 * together share the mapping's, so one may be told of the failure of another's
 * page, and that other of none.  So each lane asks through an open file of its
 * own afterwards.  Where the host refuses those there is one lane.
 */
void vmemstore_sync_init(VMemStoreSync *s, int fd, uint64_t offset,
                         uint8_t *base, bool batches, unsigned nr_lanes);
/* Harmless when never prepared. */
void vmemstore_sync_fini(VMemStoreSync *s);

/*
 * Make the @nr > 0 spans, multiples of the page size, survive a host failure.
 * One call per lane at a time.  Blocks.  Returns 0 or -errno; then nothing is
 * certain about any page of the file that was not synced before.
 */
int vmemstore_sync_spans(VMemStoreSync *s, unsigned lane,
                         const VMemStoreSpan *spans, uint32_t nr);

#endif /* VMEMSTORE_SYNC_H */
