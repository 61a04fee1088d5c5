/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * shrink.h - cut what is free at the end of a vmemfs that is not mounted
 *
 * Nothing is moved: it shrinks as far as its last block that is in use.  The
 * store must hold a clean image, best one that vmem_check() has just passed.
 * Not linked into the kernel.
 */
#ifndef VMEM_SHRINK_H
#define VMEM_SHRINK_H

#include "vmem.h"

/*
 * *bytes: the least size.  -EINVAL: no vmemfs; -EUCLEAN: damaged, or not
 * unmounted; -EPROTONOSUPPORT: unknown features; each with one line by env->log.
 */
int vmem_shrink_limit(struct vmem_store *store, const struct vmem_env *env, uint64_t *bytes);

/*
 * Shrink to new_size bytes, or as much less as a last group would waste.  A failure
 * in the middle leaves an image that no mount accepts before fsck.vmemfs -p.
 * As vmem_shrink_limit(); -ENOSPC: less than that; -EINVAL: larger than it is;
 * -EROFS; -EIO.
 */
int vmem_shrink(struct vmem_store *store, const struct vmem_env *env, uint64_t new_size);

#endif /* VMEM_SHRINK_H */
