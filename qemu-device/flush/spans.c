/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spans.c - lists of ranges of the store (see spans.h)
 */
#ifdef VMEMSTORE_STANDALONE
#include <stdlib.h>
#else
#include "qemu/osdep.h"
#endif

#include "spans.h"

static int compare_spans(const void *a, const void *b)
{
    const VMemStoreSpan *x = a, *y = b;

    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void round_span(VMemStoreSpan *span, uint64_t granule)
{
    uint64_t end = span->offset + span->length;

    span->offset &= ~(granule - 1);
    end = (end + granule - 1) & ~(granule - 1);
    span->length = end - span->offset;
}

uint32_t vmemstore_merge_spans(VMemStoreSpan *spans, uint32_t nr,
                               uint64_t granule)
{
    uint32_t last = 0;

    for (uint32_t i = 0; i < nr; i++) {
        round_span(&spans[i], granule);
    }
    if (nr < 2) {
        return nr;
    }
    qsort(spans, nr, sizeof(spans[0]), compare_spans);
    for (uint32_t i = 1; i < nr; i++) {
        uint64_t end = spans[last].offset + spans[last].length;
        uint64_t this_end = spans[i].offset + spans[i].length;

        if (spans[i].offset > end) {
            spans[++last] = spans[i];
        } else if (this_end > end) {
            spans[last].length = this_end - spans[last].offset;
        }
    }
    return last + 1;
}

bool vmemstore_spans_overlap(const VMemStoreSpan *a, uint32_t nr_a,
                             const VMemStoreSpan *b, uint32_t nr_b)
{
    uint32_t i = 0, k = 0;

    while (i < nr_a && k < nr_b) {
        if (a[i].offset + a[i].length <= b[k].offset) {
            i++;
        } else if (b[k].offset + b[k].length <= a[i].offset) {
            k++;
        } else {
            return true;
        }
    }
    return false;
}

uint64_t vmemstore_spans_bytes(const VMemStoreSpan *spans, uint32_t nr)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < nr; i++) {
        total += spans[i].length;
    }
    return total;
}
