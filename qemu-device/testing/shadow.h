/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shadow.h - power cuts for tests: a file that holds what one could have left
 *
 * The shadow is another file of the store's size.  At every instant, also when
 * QEMU is killed, it is what a host could have on its disk that lost power just
 * then: what was flushed, and of all other pages, in units of 512 bytes, any
 * version since.  Copied over the store, or used in its place, it is the disk
 * after the power came back; being another file, its generation differs too.
 *
 * Which pages are dirty?  Those that differ from the shadow: memory is compared
 * with it, a window at a time.  The kernel's own knowledge would not do: the
 * dirty bits of /proc/self/pagemap say nothing of file pages that were written
 * back and are clean, soft-dirty bits need a kernel option and slow every store,
 * and mincore(2) knows residency only.  Comparing works on every kernel, with
 * every accelerator, and for stores by the guest and by the device.
 *
 * Plain C and POSIX threads.
 */
#ifndef VMEMSTORE_SHADOW_H
#define VMEMSTORE_SHADOW_H

#include <stdint.h>

#include "spans.h"

typedef struct VMemStoreShadow VMemStoreShadow;

/*
 * Make @path a copy of the file @fd, which is mapped at @base, and begin to
 * write pages of the latter to it at random moments, as @seed decides.  It may
 * grow to @max_size bytes.  The @cut_at-th flush is the last: the power goes, and
 * SIGKILL ends the process; 0: none.  NULL: see errno.
 */
VMemStoreShadow *vmemstore_shadow_open(const char *path, int fd,
                                       const uint8_t *base, uint64_t size,
                                       uint64_t max_size, uint64_t seed,
                                       uint64_t cut_at);

/* The spans were flushed: they are in the shadow on return.  0 or -errno. */
int vmemstore_shadow_flushed(VMemStoreShadow *s, const VMemStoreSpan *spans,
                             uint32_t nr);

/*
 * The store grows: first the file, before memory does, 0 or -errno; then it has
 * @size bytes that are looked at, mapped from the same address on.
 */
int vmemstore_shadow_lengthen(VMemStoreShadow *s, uint64_t size);
void vmemstore_shadow_grow(VMemStoreShadow *s, uint64_t size);

/* The power goes.  Harmless with NULL. */
void vmemstore_shadow_close(VMemStoreShadow *s);

#endif /* VMEMSTORE_SHADOW_H */
