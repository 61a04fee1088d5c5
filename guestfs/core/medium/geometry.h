/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* geometry.h - what a superblock says of groups, and how a new one is made */
#ifndef VMEM_GEOMETRY_H
#define VMEM_GEOMETRY_H

#include "medium/format.h"
#include "medium/hash.h"
#include "medium/persist.h"

#define VMEM_DESCS_PER_BLOCK	(VMEM_BLOCK_SIZE / (uint32_t)sizeof(struct vmem_ag_desc))
#define VMEM_MIN_TAIL		64u	/* data blocks that justify a partial last group */

/* The superblock of another place or size may be damaged: is this one whole? */
bool vmem_sb_sealed(const struct vmem_superblock *sb, vmem_crc_fn crc);

/* Blocks from the start of group ag to its end, which in the last may be fewer. */
uint32_t vmem_sb_group_blocks(const struct vmem_superblock *sb, uint32_t ag);

/* First metadata block of group ag: block bitmap, inode bitmap, inode table. */
uint64_t vmem_sb_group_meta(const struct vmem_superblock *sb, uint32_t ag);

/* The most blocks that descriptors and inode numbers have room for. */
uint64_t vmem_sb_max_blocks(const struct vmem_superblock *sb);

/*
 * nr_blocks, or fewer: without a last group that would hold little but its own
 * metadata, if that is another one than has block `keep`.
 */
uint64_t vmem_sb_useful_blocks(const struct vmem_superblock *sb, uint64_t nr_blocks, uint64_t keep);

/* The same superblock of a file system of nr_blocks, which vmem_sb_max_blocks() allows. */
void vmem_sb_resize(struct vmem_superblock *sb, uint64_t nr_blocks, vmem_crc_fn crc);

/* Store the superblock, sealed, into the block: what the format says of it, and zeros. */
void vmem_store_super(struct vmem_store *store, const struct vmem_superblock *sb, uint64_t block);

/* Both bitmaps (two blocks) and the descriptor of an empty group. */
void vmem_sb_new_group(const struct vmem_superblock *sb, uint32_t ag, uint8_t *maps,
		       struct vmem_ag_desc *desc);

#endif /* VMEM_GEOMETRY_H */
