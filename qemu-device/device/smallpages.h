/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * smallpages.h - which parts of the store the guest wants in small pages
 *
 * With hugepages=on the store is in huge pages (folios.h) but where the guest asks
 * for small ones.  It asks once and relies on it, so that is remembered: a
 * mapping that is made anew, here or by the destination of a migration, gets it
 * again.
 *
 * The space worker's thread, or with it idle.
 */
#ifndef VMEMSTORE_SMALLPAGES_H
#define VMEMSTORE_SMALLPAGES_H

#include "migration/qemu-file-types.h"
#include "mapping.h"

typedef struct VMemStoreSmallPages {
    unsigned long *asked;       /* a bit for each VMEMSTORE_ALIGN bytes, or NULL */
    uint64_t nr;                /* bits; 0: nothing was asked for yet */
} VMemStoreSmallPages;

/*
 * The guest asks for these: widened to VMEMSTORE_ALIGN, which changes @spans, they
 * are small now, and remembered.  0 or -errno of the write-back that it takes.
 */
int vmemstore_small_pages_ask(VMemStoreSmallPages *p, const VMemStoreMapping *m,
                              VMemStoreSpan *spans, uint32_t nr);

/* The file was mapped anew, or filled: as asked before.  0 or -errno, as above. */
int vmemstore_small_pages_again(const VMemStoreSmallPages *p,
                                const VMemStoreMapping *m);

/* To and from the stream of a migration; false: it is damaged. */
void vmemstore_small_pages_put(const VMemStoreSmallPages *p, QEMUFile *f);
bool vmemstore_small_pages_get(VMemStoreSmallPages *p, const VMemStoreMapping *m,
                               QEMUFile *f);

/* Harmless when nothing was asked for. */
void vmemstore_small_pages_forget(VMemStoreSmallPages *p);

#endif /* VMEMSTORE_SMALLPAGES_H */
