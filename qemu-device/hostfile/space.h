/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * space.h - the blocks of the file on the host's disk: allocated at start, or
 * when the guest asks, and given back when it does not need them any more
 */
#ifndef VMEMSTORE_SPACE_H
#define VMEMSTORE_SPACE_H

#include "spans.h"

typedef enum VMemStorePrealloc {
    VMEMSTORE_PREALLOC_OFF,     /* thin: the guest asks before first use */
    VMEMSTORE_PREALLOC_FALLOC,  /* every block has its place */
    VMEMSTORE_PREALLOC_FULL,    /* and was written */
} VMemStorePrealloc;

/* "off", "falloc" or "full"; NULL means "falloc". */
bool vmemstore_prealloc_parse(const char *text, VMemStorePrealloc *prealloc,
                              Error **errp);

/*
 * Bring @size bytes at @offset of the regular file @fd to that state; it becomes
 * as long as that at least.  It is open for writing and locked.  PREALLOC_OFF
 * checks that the other functions will work.  @later: the part of PREALLOC_FULL
 * that takes long is left to vmemstore_space_fill().
 */
bool vmemstore_space_prepare(int fd, const char *path, uint64_t offset,
                             uint64_t size, VMemStorePrealloc prealloc,
                             bool later, Error **errp);

/*
 * The part of PREALLOC_FULL that takes long, for blocks that have their place: to
 * write zeros.  Any thread; ends early, with -ECANCELED, when @stop becomes true.
 * Returns 0 or -errno.
 */
int vmemstore_space_fill(int fd, const char *path, uint64_t offset,
                         uint64_t size, const bool *stop);

/*
 * Round spans to whole blocks (a power of two): outwards, or inwards, which may
 * leave fewer.  In place; returns the new number.
 */
uint32_t vmemstore_space_widen(VMemStoreSpan *spans, uint32_t nr,
                               uint64_t block);
uint32_t vmemstore_space_narrow(VMemStoreSpan *spans, uint32_t nr,
                                uint64_t block);

/*
 * Allocate the blocks of the spans, which count from @offset in the file, or
 * give them back, after which they read as zeros.  Any thread; may take long.  Returns 0 or -errno; then some of the
 * spans may have been done.
 */
int vmemstore_space_provision(int fd, uint64_t offset,
                              const VMemStoreSpan *spans, uint32_t nr);
int vmemstore_space_discard(int fd, uint64_t offset,
                            const VMemStoreSpan *spans, uint32_t nr);

#endif /* VMEMSTORE_SPACE_H */
