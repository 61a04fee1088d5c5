/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * check.h - a full read-only check of a vmemfs image
 *
 * Reads the bytes as they lie and shares nothing with the mounted file system
 * but format.h, fields.h (how its fields are read) and the checksums, so that
 * a bug of the core cannot hide itself.  The log must have been replayed: an
 * image that was not unmounted is mounted and unmounted first (fsck.vmemfs does
 * so in private memory).
 *
 * Any bytes are safe input: every reference is checked before it is followed,
 * each block is visited once, recursion is bounded by the tree heights of the
 * format, and memory is linear in the initialised inodes and used groups.
 * Not linked into the kernel.
 */
#ifndef VMEM_CHECK_H
#define VMEM_CHECK_H

#include <stdarg.h>

#include "vmem.h"

struct vmem_check_params {
	const uint8_t *base;		/* the image, aligned to 4 KiB */
	uint64_t size;			/* bytes mapped at base */
	const struct vmem_env *env;	/* alloc, free and crc32c are used */
	void *ctx;			/* for the two functions below */

	/* Each finding: one line without newline; fmt as for vmem_env.log. */
	void (*problem)(void *ctx, const char *fmt, va_list ap);

	/* Now and then: groups of groups done.  May be NULL. */
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
};

/* What was found in use, for the summary. */
struct vmem_check_result {
	uint64_t problems;
	uint64_t files, dirs, symlinks, others;
	uint64_t used_blocks, nr_blocks;	/* used: metadata included */
	uint64_t used_inodes, nr_inodes;	/* used: without the reserved inode 0 */
	unsigned int root_slot;		/* of the root that counts; VMEM_NR_ROOTS: there is none */
	bool needs_check;		/* the image asks for a check (VMEM_STATE_*) */
};

/*
 * Check everything.  Returns the number of problems, each told by
 * params->problem; or -ENOMEM; or -EPROTONOSUPPORT, told as a problem: the
 * image is of another version or has features that this code does not know.
 */
int64_t vmem_check(const struct vmem_check_params *params,
		   struct vmem_check_result *result);

/*
 * NULL when the fields of the superblock make sense together and fit into
 * size bytes, else what is wrong.  Magic, checksum and features are not looked at.
 */
const char *vmem_check_geometry(const struct vmem_superblock *sb, uint64_t size);

#endif /* VMEM_CHECK_H */
