/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapping.h - the host file behind the store: open, lock, check, map, sync
 */
#ifndef VMEMSTORE_MAPPING_H
#define VMEMSTORE_MAPPING_H

#include "cache.h"
#include "generation.h"
#include "lock.h"
#include "space.h"
#include "spans.h"

/* The size rule and the alignment of the mapping: one huge page. */
#define VMEMSTORE_ALIGN (2 * MiB)

/*
 * Firmware places smaller BARs below 4 GiB, into a range that the MTRRs make
 * uncached.  So there is room for as much.
 */
#define VMEMSTORE_ROOM_MIN (4 * GiB)

/* What the user said about the file. */
typedef struct VMemStoreFile {
    const char *path;
    uint64_t size;          /* bytes, or 0: the rest of the file */
    uint64_t max_size;      /* bytes it may grow to, or 0: what costs nothing */
    bool fixed;             /* it cannot grow */
    uint64_t offset;        /* where the store begins in it */
    bool fake_dax;          /* test: treat it like persistent memory */
    bool readonly;          /* neither the guest nor we change it */
    bool cow;               /* the guest changes a private copy */
    bool hugepages;         /* but where the guest asks for small ones */
    VMemStorePrealloc prealloc;
    bool arrives;           /* a migration brings the contents */
} VMemStoreFile;

typedef struct VMemStoreMapping {
    int fd;                 /* owns the file lock; -1: not open */
    bool created;           /* the file was not there before */
    uint8_t *base;          /* VMEMSTORE_ALIGN-aligned */
    uint64_t offset;        /* bytes in the file */
    uint64_t size;          /* bytes; grows: atomic outside the big QEMU lock */
    uint64_t max_size;      /* bytes of address space, from base on */
    bool readonly;
    bool cow;
    bool hugepages;
    bool thin;              /* blocks are allocated when the guest asks */
    bool discards;          /* and can be given back */
    uint32_t block;         /* bytes: what those are rounded to */
    uint32_t backing;       /* VMEMSTORE_BACKING_* */
    uint32_t granule;       /* bytes: what a sync is rounded to */
    bool reads_disk;        /* the page cache does, for what it does not have */
    bool local;             /* no other host can change the file behind this one's cache */
    bool batches;           /* one sync makes all written pages durable */
    uint8_t generation[VMEMSTORE_BACKING_GENERATION_LEN];
    bool in_use;            /* noted (generation.h), until an orderly end */
    bool spoiled;           /* data was lost: there is none */
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

/*
 * The store grows, in three steps; the old part is not touched.
 *
 * First the file, to @size at least: a regular file is made longer and gets its
 * blocks as at start, but what prealloc=full writes; of a block device the size is looked
 * at anew.  On failure @errp says why, and the file is as it was.
 */
bool vmemstore_mapping_extend_file(const VMemStoreMapping *m,
                                   const VMemStoreFile *file, uint64_t size,
                                   Error **errp);
/*
 * Then its blocks, for prealloc=full, and that a host failure does not make it
 * short again.  Any thread; takes long, and ends early when @stop becomes true.
 * 0 or -errno.
 */
int vmemstore_mapping_settle_file(const VMemStoreMapping *m,
                                  const VMemStoreFile *file, uint64_t size,
                                  const bool *stop);
/* At last the mapping. */
bool vmemstore_mapping_extend(VMemStoreMapping *m, const VMemStoreFile *file,
                              uint64_t size, Error **errp);

/*
 * The orderly end of its use: write all back.  Called by vmemstore_mapping_close()
 * and _release(), and when QEMU ends with the device in it.  Nobody stores any more.
 */
void vmemstore_mapping_end_use(VMemStoreMapping *m);

/* Unmap, unlock, close.  Harmless when not open. */
void vmemstore_mapping_close(VMemStoreMapping *m);

/*
 * Two VMs that hand a file over (migration.h).  A mapping that is reserved or
 * released takes its place in memory, so that guest memory need not move, and
 * shows the file as it is; but it has no lock, and stores to it do not reach
 * the file.  @m->fd is -1 then.
 */

/* As vmemstore_mapping_open(), for a file that another VM still uses. */
bool vmemstore_mapping_reserve(VMemStoreMapping *m, const VMemStoreFile *file,
                               Error **errp);
/* Give up the lock.  Everything that was stored must have been synced. */
void vmemstore_mapping_release(VMemStoreMapping *m, const VMemStoreFile *file);
/* But to another VM only, until the file descriptor of the result is closed. */
VMemStoreLock vmemstore_mapping_hand_over(VMemStoreMapping *m,
                                          const VMemStoreFile *file);
/*
 * Lock and map the file.  @stale: this host's cache may hold old pages of it,
 * which are dropped.  On failure @m stays as it was.
 */
bool vmemstore_mapping_acquire(VMemStoreMapping *m, const VMemStoreFile *file,
                               bool stale, Error **errp);

#endif /* VMEMSTORE_MAPPING_H */
