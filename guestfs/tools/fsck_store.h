/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * fsck_store.h - the private copy that is repaired, and its way into the image
 *
 * The copy notes which blocks the repair stores to; only those reach the image.
 */
#ifndef VMEM_FSCK_STORE_H
#define VMEM_FSCK_STORE_H

#include "medium/hash.h"
#include "vmem.h"

struct fsck_copy {
	struct vmem_store store;	/* give this one to vmem_repair(); ctx points here */
	uint8_t *changed;		/* a bit per block */
	uint8_t *in_use;		/* the same, for vmem_repair() */
};

/* base: private memory with the bytes of the image, which the caller keeps.  0 or -ENOMEM. */
int fsck_copy_init(struct fsck_copy *c, const struct vmem_store *image, uint8_t *base);
void fsck_copy_free(struct fsck_copy *c);

/*
 * Store what changed, so that a failure at any point leaves an image that no
 * mount accepts and that can be repaired again with the same result.  0, or
 * -EIO: the image may be in the middle of that.
 *
 * First a root that asks for a check.  Then new blocks, to which nothing leads
 * yet; inodes and index nodes from the top down, so that what moved to a new
 * block is reached there before its old place is stored to; the other blocks
 * of trees; bitmaps and descriptors, by which a second repair finds what the
 * trees do not lead to; roots; the backup; the superblock.  Each is durable
 * before the next.  The log is not stored: it is empty under the new roots,
 * and must stay as it is under the old ones.
 */
int fsck_copy_store(const struct fsck_copy *c, struct vmem_store *image, vmem_crc_fn crc);

#endif
