/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * insight.h - what the device shows of itself to the host's administrator
 */
#ifndef VMEMSTORE_INSIGHT_H
#define VMEMSTORE_INSIGHT_H

#include "vmemstore.h"

/* Bytes of a mapped file that are in memory (mincore(2): some 5 ms per GiB). */
uint64_t vmemstore_resident_bytes(uint8_t *base, uint64_t size);
/* Bytes that were changed and not yet written back. */
uint64_t vmemstore_dirty_bytes(const VMemStoreMapping *m);
/* Bytes of the file that have their place on the disk. */
uint64_t vmemstore_provisioned_bytes(const VMemStoreMapping *m);

/* Everything, as a struct with name @name. */
void vmemstore_visit_stats(VMemStore *s, Visitor *v, const char *name,
                           Error **errp);

/* One line of it, for "info qtree". */
char *vmemstore_summary(VMemStore *s);

#endif /* VMEMSTORE_INSIGHT_H */
