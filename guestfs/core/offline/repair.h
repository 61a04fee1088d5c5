/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * repair.h - make a damaged vmemfs consistent again
 *
 * Works on a copy of the image (a private mapping), never on the image: the
 * caller stores what changed only when vmem_repair() says that the result is
 * consistent, and throws the copy away when it refuses.  So a refusal, a
 * failure or a bug leaves the image as it was.  Not linked into the kernel.
 *
 * What lies in trees is repaired where it lies.  Names are added, and blocks
 * that two files claimed are copied, by the core on the mounted copy, so that
 * directories and allocation are written by one piece of code.
 */
#ifndef VMEM_REPAIR_H
#define VMEM_REPAIR_H

#include <stdarg.h>

#include "vmem.h"

struct vmem_repair_params {
	/*
	 * The copy.  backing must be VMEM_BACKING_DAX: writeback is then called
	 * for each store to it, which tells the caller what changed.
	 */
	struct vmem_store *store;
	const struct vmem_env *env;
	enum vmem_domain domain;	/* for the clean root that is left */
	/*
	 * A bit per block, all zero, or NULL.  Set for what the trees of the
	 * damaged image hold: outside the metadata of groups a changed block
	 * without its bit is a new one.
	 */
	uint8_t *in_use;
	void *ctx;			/* for the functions below */

	/* Each change, and last the reason of a refusal: one line, fmt as for vmem_env.log. */
	void (*report)(void *ctx, const char *fmt, va_list ap);

	/*
	 * Now and then: what is being done, and how much of it; total 0 when
	 * that is not known.  May be NULL.
	 */
	void (*progress)(void *ctx, const char *what, uint64_t done, uint64_t total);
};

struct vmem_repair_result {
	uint64_t safe;		/* changes that lose nothing and guess nothing */
	uint64_t unsafe;	/* all others: for -y only */
	uint64_t connected;	/* inodes that went to lost+found */
	uint64_t copied;	/* blocks that two files claimed and that were copied */
};

/*
 * Repair.  0: vmem_check() finds nothing any more and the root is clean;
 * -EUCLEAN or -EPROTONOSUPPORT: refused, the reason was reported; -ENOMEM.
 * On a consistent image nothing is stored.
 */
int vmem_repair(const struct vmem_repair_params *params, struct vmem_repair_result *result);

#endif /* VMEM_REPAIR_H */
