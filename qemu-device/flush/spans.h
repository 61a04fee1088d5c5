/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spans.h - lists of ranges of the store
 *
 * Plain C, so that a test can link it without QEMU.
 */
#ifndef VMEMSTORE_SPANS_H
#define VMEMSTORE_SPANS_H

#include <stdbool.h>
#include <stdint.h>

/* A range of the store, in bytes from its start. */
typedef struct VMemStoreSpan {
    uint64_t offset;
    uint64_t length;
} VMemStoreSpan;

/*
 * Round @nr spans outwards to @granule (a power of two), sort them, and merge
 * those that touch.  In place; returns the new number.  No span may be empty or
 * end behind UINT64_MAX - @granule.
 */
uint32_t vmemstore_merge_spans(VMemStoreSpan *spans, uint32_t nr,
                               uint64_t granule);

/* Have two sorted lists a byte in common? */
bool vmemstore_spans_overlap(const VMemStoreSpan *a, uint32_t nr_a,
                             const VMemStoreSpan *b, uint32_t nr_b);

uint64_t vmemstore_spans_bytes(const VMemStoreSpan *spans, uint32_t nr);

#endif /* VMEMSTORE_SPANS_H */
