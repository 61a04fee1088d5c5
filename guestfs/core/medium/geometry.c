// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* geometry.c - see geometry.h */
#include "medium/geometry.h"
#include "medium/medium.h"

bool vmem_sb_sealed(const struct vmem_superblock *sb, vmem_crc_fn crc)
{
	return vmem_get64(sb->magic) == VMEM_SB_MAGIC &&
	       vmem_get32(sb->csum) == vmem_superblock_csum(crc, sb);
}

uint32_t vmem_sb_group_blocks(const struct vmem_superblock *sb, uint32_t ag)
{
	uint64_t ag_blocks = vmem_get32(sb->ag_blocks);
	uint64_t left = vmem_get64(sb->nr_blocks) - ag * ag_blocks;

	return (uint32_t)VMEM_MIN(left, ag_blocks);
}

uint64_t vmem_sb_group_meta(const struct vmem_superblock *sb, uint32_t ag)
{
	if (ag == 0)
		return vmem_get64(sb->agmeta0);
	return (uint64_t)ag * vmem_get32(sb->ag_blocks);
}

uint64_t vmem_sb_max_blocks(const struct vmem_superblock *sb)
{
	uint64_t descs = vmem_get64(sb->log_start) - vmem_get64(sb->desc_start);
	uint64_t groups = VMEM_MIN(descs * VMEM_DESCS_PER_BLOCK,
				   UINT32_MAX / vmem_get32(sb->inodes_per_ag));

	return VMEM_MIN(groups * vmem_get32(sb->ag_blocks), VMEM_MAX_BLOCKS);
}

uint64_t vmem_sb_useful_blocks(const struct vmem_superblock *sb, uint64_t nr_blocks, uint64_t keep)
{
	uint64_t ag_blocks = vmem_get32(sb->ag_blocks), last = nr_blocks % ag_blocks;

	if (last && last < 2 + vmem_get32(sb->itable_blocks) + 1 + VMEM_MIN_TAIL &&
	    nr_blocks / ag_blocks > keep / ag_blocks)
		nr_blocks -= last;
	return nr_blocks;
}

void vmem_sb_resize(struct vmem_superblock *sb, uint64_t nr_blocks, vmem_crc_fn crc)
{
	uint64_t ag_blocks = vmem_get32(sb->ag_blocks), nr_ags = (nr_blocks + ag_blocks - 1) / ag_blocks;

	sb->nr_blocks = vmem_le64_of(nr_blocks);
	sb->nr_ags = vmem_le32_of(nr_ags);
	sb->nr_inodes = vmem_le64_of(nr_ags * vmem_get32(sb->inodes_per_ag));
	sb->backup = vmem_le64_of(nr_blocks - 1);
	sb->csum = vmem_le32_of(vmem_superblock_csum(crc, sb));
}

void vmem_store_super(struct vmem_store *store, const struct vmem_superblock *sb, uint64_t block)
{
	uint64_t off = block << VMEM_BLOCK_SHIFT;

	vmem_put_zero(store, off + sizeof(*sb), VMEM_BLOCK_SIZE - sizeof(*sb));
	vmem_put(store, off, sb, sizeof(*sb));
}

void vmem_sb_new_group(const struct vmem_superblock *sb, uint32_t ag, uint8_t *maps,
		       struct vmem_ag_desc *desc)
{
	uint64_t start = (uint64_t)ag * vmem_get32(sb->ag_blocks);
	uint32_t blocks = vmem_sb_group_blocks(sb, ag), inodes = vmem_get32(sb->inodes_per_ag);
	uint32_t used = (uint32_t)(vmem_sb_group_meta(sb, ag) - start) + 2 + vmem_get32(sb->itable_blocks);
	uint32_t end = ag + 1 == vmem_get32(sb->nr_ags) ? blocks - 1 : blocks;

	memset(maps, 0, 2 * VMEM_BLOCK_SIZE);
	vmem_bits_apply(maps, 0, used, true);
	vmem_bits_apply(maps, end, VMEM_MAX_AG_BLOCKS - end, true);
	vmem_bits_apply(maps + VMEM_BLOCK_SIZE, inodes, VMEM_MAX_AG_INODES - inodes, true);
	memset(desc, 0, sizeof(*desc));
	desc->free_blocks = vmem_le32_of(end - used);
	desc->free_inodes = vmem_le32_of(inodes);
}
