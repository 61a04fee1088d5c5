/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * folios.c - small and huge pages of a mapped file (see folios.h)
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "folios.h"

void vmemstore_folios_advise_small(void *base, uint64_t length)
{
    /* A fault in a VM_HUGEPAGE mapping reads 2 MiB whatever else was advised. */
    madvise(base, length, MADV_NOHUGEPAGE);
    madvise(base, length, MADV_RANDOM);
}

void vmemstore_folios_huge(void *base, uint64_t length)
{
    madvise(base, length, MADV_NORMAL);
    madvise(base, length, MADV_HUGEPAGE);
}

int vmemstore_folios_small(int fd, uint8_t *base, uint64_t offset,
                           uint64_t length)
{
    vmemstore_folios_advise_small(base + offset, length);
    if (msync(base + offset, length, MS_SYNC) < 0) {
        return -errno;
    }
    /* Only clean pages that nobody has mapped can be dropped; they come back. */
    madvise(base + offset, length, MADV_DONTNEED);
    posix_fadvise(fd, (off_t)offset, (off_t)length, POSIX_FADV_DONTNEED);
    return 0;
}
