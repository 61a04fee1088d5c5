/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * smallpages.c - which parts of the store the guest wants in small pages (see
 * smallpages.h)
 */
#include "qemu/osdep.h"
#include "qemu/bitmap.h"
#include "qemu/units.h"

#include "folios.h"
#include "smallpages.h"

static void remember(VMemStoreSmallPages *p, const VMemStoreMapping *m,
                     const VMemStoreSpan *span)
{
    if (!p->asked) {
        p->nr = m->max_size / VMEMSTORE_ALIGN;
        p->asked = bitmap_new(p->nr);
    }
    bitmap_set(p->asked, span->offset / VMEMSTORE_ALIGN,
               span->length / VMEMSTORE_ALIGN);
}

/* The first run behind @run, to be called with 0, 0 at first; false: no more. */
static bool next_run(const VMemStoreSmallPages *p, VMemStoreSpan *run)
{
    uint64_t at = (run->offset + run->length) / VMEMSTORE_ALIGN;
    uint64_t start = find_next_bit(p->asked, p->nr, at);
    uint64_t end = find_next_zero_bit(p->asked, p->nr, start);

    *run = (VMemStoreSpan) { start * VMEMSTORE_ALIGN,
                             (end - start) * VMEMSTORE_ALIGN };
    return start < p->nr;
}

static int make_small(const VMemStoreMapping *m, const VMemStoreSpan *span)
{
    return vmemstore_folios_small(m->fd, m->base, span->offset, span->length);
}

int vmemstore_small_pages_ask(VMemStoreSmallPages *p, const VMemStoreMapping *m,
                              VMemStoreSpan *spans, uint32_t nr)
{
    int err = 0;

    /* A huge page is small as a whole or not at all. */
    nr = vmemstore_merge_spans(spans, nr, VMEMSTORE_ALIGN);
    for (uint32_t i = 0; i < nr && !err; i++) {
        remember(p, m, &spans[i]);
        err = make_small(m, &spans[i]);
    }
    return err;
}

int vmemstore_small_pages_again(const VMemStoreSmallPages *p,
                                const VMemStoreMapping *m)
{
    VMemStoreSpan run = { 0 };
    int err = 0;

    while (!err && next_run(p, &run)) {
        err = make_small(m, &run);
    }
    return err;
}

/* Runs, and one of no length as the end. */
void vmemstore_small_pages_put(const VMemStoreSmallPages *p, QEMUFile *f)
{
    VMemStoreSpan run = { 0 };

    while (next_run(p, &run)) {
        qemu_put_be64(f, run.offset);
        qemu_put_be64(f, run.length);
    }
    qemu_put_be64(f, 0);
    qemu_put_be64(f, 0);
}

bool vmemstore_small_pages_get(VMemStoreSmallPages *p, const VMemStoreMapping *m,
                               QEMUFile *f)
{
    VMemStoreSpan run;

    for (;;) {
        run.offset = qemu_get_be64(f);
        run.length = qemu_get_be64(f);      /* 0, too, when the stream ends */
        if (run.length == 0) {
            return true;
        }
        if (run.offset % VMEMSTORE_ALIGN || run.length % VMEMSTORE_ALIGN ||
            run.offset >= m->size || run.length > m->size - run.offset) {
            return false;
        }
        remember(p, m, &run);
    }
}

void vmemstore_small_pages_forget(VMemStoreSmallPages *p)
{
    g_free(p->asked);
    *p = (VMemStoreSmallPages) { 0 };
}
