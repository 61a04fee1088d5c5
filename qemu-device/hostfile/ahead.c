/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ahead.c - PREFETCH (see ahead.h)
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/units.h"

#include <linux/types.h>
#include <sys/mman.h>

#include "ahead.h"
#include "virtio_vmemstore.h"

/*
 * Asked for at a time.  Linux cuts a piece of advice to what the disk takes as one, or
 * to its read-ahead, which is 128 KiB unless somebody has changed it.
 */
#define PIECE (128 * KiB)

bool vmemstore_ahead_possible(const VMemStoreMapping *m)
{
    return m->reads_disk && m->backing != VMEMSTORE_BACKING_DAX && !m->hugepages;
}

bool vmemstore_ahead_begin(VMemStoreAhead *a, VMemStoreSpan *spans,
                           uint32_t *nr)
{
    uint64_t left = VMEMSTORE_PREFETCH_MOST;
    uint32_t kept = 0;

    qatomic_inc(&a->requests);
    for (; kept < *nr && left; kept++) {
        spans[kept].length = MIN(spans[kept].length, left);
        left -= spans[kept].length;
    }
    if (a->under_way + VMEMSTORE_PREFETCH_MOST - left > VMEMSTORE_AHEAD_MOST) {
        qatomic_inc(&a->dropped);
        return false;
    }
    *nr = kept;
    a->under_way += VMEMSTORE_PREFETCH_MOST - left;
    return true;
}

void vmemstore_ahead_end(VMemStoreAhead *a, const VMemStoreSpan *spans,
                         uint32_t nr)
{
    a->under_way -= vmemstore_spans_bytes(spans, nr);
}

/* Whole pages, up to PIECE of them.  Returns the bytes that were not in memory. */
static uint64_t read_piece(const VMemStoreMapping *m, uint64_t at,
                           uint64_t length, size_t page)
{
    uint8_t resident[PIECE / 4096];
    uint64_t missing = 0, first = length, end = 0;

    if (mincore(m->base + at, length, resident) < 0) {
        return 0;
    }
    for (uint64_t i = 0; i < length; i += page) {
        if (!(resident[i / page] & 1)) {
            missing += page;
            first = MIN(first, i);
            end = i + page;
        }
    }
    if (missing) {
        posix_fadvise(m->fd, m->offset + at + first, end - first,
                      POSIX_FADV_WILLNEED);
    }
    return missing;
}

uint32_t vmemstore_ahead_run(VMemStoreAhead *a, const VMemStoreMapping *m,
                             const VMemStoreSpan *spans, uint32_t nr)
{
    size_t page = qemu_real_host_page_size();
    uint64_t missing = 0;

    for (uint32_t i = 0; i < nr; i++) {
        uint64_t at = ROUND_DOWN(spans[i].offset, page);
        uint64_t end = ROUND_UP(spans[i].offset + spans[i].length, page), next;

        for (; at < end; at = next) {
            if (qatomic_read(&a->drop)) {
                qatomic_inc(&a->dropped);
                return VMEMSTORE_S_OK;
            }
            next = MIN(ROUND_DOWN(at, PIECE) + PIECE, end);
            missing += read_piece(m, at, next - at, page);
        }
    }
    qatomic_add(&a->bytes, missing);
    qatomic_add(&a->resident, !missing);
    return missing ? VMEMSTORE_S_OK : VMEMSTORE_S_RESIDENT;
}
