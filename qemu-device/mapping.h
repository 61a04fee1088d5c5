/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapping.h - the host file behind the store: open, lock, check, map, sync
 */
#ifndef VMEMSTORE_MAPPING_H
#define VMEMSTORE_MAPPING_H

#include "cache.h"
#include "generation.h"
#include "space.h"
#include "spans.h"

/* The size rule and the alignment of the mapping: one huge page. */
#define VMEMSTORE_ALIGN (2 * MiB)

/* What the user said about the file. */
typedef struct VMemStoreFile {
    const char *path;
    uint64_t size;          /* bytes the file must have, or 0 */
    bool readonly;          /* neither the guest nor we change it */
    bool cow;               /* the guest changes a private copy */
    VMemStorePrealloc prealloc;
} VMemStoreFile;

typedef struct VMemStoreMapping {
    int fd;                 /* owns the file lock; -1: not open */
    uint8_t *base;          /* VMEMSTORE_ALIGN-aligned */
    uint64_t size;          /* bytes */
    bool readonly;
    bool cow;
    bool thin;              /* blocks are allocated when the guest asks */
    bool discards;          /* and can be given back */
    uint32_t block;         /* bytes: what those are rounded to */
    uint32_t backing;       /* VMEMSTORE_BACKING_* */
    uint32_t granule;       /* bytes: what a sync is rounded to */
    bool batches;           /* one sync makes all written pages durable */
    uint8_t generation[VMEMSTORE_BACKING_GENERATION_LEN];
    VMemStoreCache cache;
} VMemStoreMapping;

/*
 * Open, lock, check and map the file.  A missing one is created with its blocks
 * allocated when a size is given.  On failure @errp is set to one line that
 * says what to do, and @m is as if never opened.
 */
bool vmemstore_mapping_open(VMemStoreMapping *m, const VMemStoreFile *file,
                            Error **errp);

/* Do stores to the mapping change the file? */
static inline bool vmemstore_mapping_shared(const VMemStoreMapping *m)
{
    return !m->readonly && !m->cow;
}

/*
 * Keep what faults bring into the page cache small (cache.h).  To be called
 * when QEMU knows the mapping as guest memory: it asks for huge pages then.
 */
void vmemstore_mapping_advise(VMemStoreMapping *m);

/* Unmap, unlock, close.  Harmless when not open. */
void vmemstore_mapping_close(VMemStoreMapping *m);

#endif /* VMEMSTORE_MAPPING_H */
