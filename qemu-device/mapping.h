/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapping.h - the host file behind the store: open, lock, check, map, sync
 */
#ifndef VMEMSTORE_MAPPING_H
#define VMEMSTORE_MAPPING_H

#include "cache.h"
#include "generation.h"
#include "spans.h"

/* The size rule and the alignment of the mapping: one huge page. */
#define VMEMSTORE_ALIGN (2 * MiB)

typedef struct VMemStoreMapping {
    int fd;                 /* owns the file lock; -1: not open */
    uint8_t *base;          /* VMEMSTORE_ALIGN-aligned */
    uint64_t size;          /* bytes */
    bool readonly;
    uint32_t backing;       /* VMEMSTORE_BACKING_* */
    uint32_t granule;       /* bytes: what a sync is rounded to */
    bool batches;           /* one sync makes all written pages durable */
    uint8_t generation[VMEMSTORE_BACKING_GENERATION_LEN];
    VMemStoreCache cache;
} VMemStoreMapping;

/*
 * Open, lock, check and map @path.  @size: 0, or the bytes the file must have;
 * a missing file is then created with its blocks allocated.  On failure @errp
 * is set to one line that says what to do, and @m is as if never opened.
 */
bool vmemstore_mapping_open(VMemStoreMapping *m, const char *path,
                            uint64_t size, bool readonly, Error **errp);

/* Unmap, unlock, close.  Harmless when not open. */
/*
 * Keep what faults bring into the page cache small (cache.h).  To be called
 * when QEMU knows the mapping as guest memory: it asks for huge pages then.
 */
void vmemstore_mapping_advise(VMemStoreMapping *m);

void vmemstore_mapping_close(VMemStoreMapping *m);

/*
 * Make the @nr > 0 spans survive a host failure.  They must be multiples of the
 * granule.  Blocks; any thread.  Returns 0 or -errno; then nothing is certain
 * about any of them.
 */
int vmemstore_mapping_sync(const VMemStoreMapping *m,
                           const VMemStoreSpan *spans, uint32_t nr);

#endif /* VMEMSTORE_MAPPING_H */
