/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * folios.h - small and huge pages of a mapped file
 *
 * A store dirties all of the folio in the page cache that it hits, and a flush
 * writes that: 4 KiB at best, 2 MiB at worst.  Huge pages in turn save the host
 * and the guest most of their page table walks and faults.  So both have their
 * place: small ones where little is stored and flushed often, as in a log, huge
 * ones where data is read or stored in bulk.
 *
 * Plain C.
 */
#ifndef VMEMSTORE_FOLIOS_H
#define VMEMSTORE_FOLIOS_H

#include <stdint.h>

/* From now on faults in the mapping bring single pages. */
void vmemstore_folios_advise_small(void *base, uint64_t length);

/* From now on faults in the mapping bring huge pages, if the host has any. */
void vmemstore_folios_huge(void *base, uint64_t length);

/*
 * The bytes at @offset of the file, mapped at @base, are to be in small pages:
 * what the cache holds in larger ones is written back and dropped.  0 or -errno
 * of the write-back.
 */
int vmemstore_folios_small(int fd, uint8_t *base, uint64_t offset,
                           uint64_t length);

#endif /* VMEMSTORE_FOLIOS_H */
