/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ahead.h - PREFETCH: bring ranges of the store into the host's page cache
 *
 * A fault in the store brings one page, so that its folio is small (cache.h), and costs
 * one read of the disk.  Explicit read-ahead brings single pages, too, but by
 * large reads.  The guest knows what it will read.
 *
 * All of it is advice: errors are ignored, what is too much is dropped, and a VM that
 * stops, a reset or a migration drop the rest.  A thread of its own does it, so that no
 * flush and no provision waits for a read.
 */
#ifndef VMEMSTORE_AHEAD_H
#define VMEMSTORE_AHEAD_H

#include "mapping.h"
#include "spans.h"

/* Bytes that may wait or be under way. */
#define VMEMSTORE_AHEAD_MOST (64 * MiB)

typedef struct VMemStoreAhead {
    uint64_t under_way;         /* bytes; the big QEMU lock held */
    bool drop;                  /* atomic: the rest is not wanted any more */

    /* Since realize; atomic. */
    uint64_t requests;          /* PREFETCH requests that were valid */
    uint64_t bytes;             /* read ahead: what was not in memory */
    uint64_t resident;          /* requests for what was in memory already */
    uint64_t dropped;           /* requests of which something was dropped */
} VMemStoreAhead;

/* Has the store anything that could be read ahead, and in small pages? */
bool vmemstore_ahead_possible(const VMemStoreMapping *m);

/*
 * Take a request on, or false: too much is under way.  The spans become as short as a
 * request may be (VMEMSTORE_PREFETCH_MOST); @nr may become smaller.
 */
bool vmemstore_ahead_begin(VMemStoreAhead *a, VMemStoreSpan *spans,
                           uint32_t *nr);

/*
 * Read it.  Returns a status for the answer: VMEMSTORE_S_OK or _RESIDENT.  Any
 * thread; one request at a time.
 */
uint32_t vmemstore_ahead_run(VMemStoreAhead *a, const VMemStoreMapping *m,
                             const VMemStoreSpan *spans, uint32_t nr);

/* It has been answered, whatever became of it. */
void vmemstore_ahead_end(VMemStoreAhead *a, const VMemStoreSpan *spans,
                         uint32_t nr);

#endif /* VMEMSTORE_AHEAD_H */
