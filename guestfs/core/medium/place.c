// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* place.c - where groups, descriptors and inodes of a mounted file system lie */
#include "medium/medium.h"

uint64_t vmem_ag_meta(const struct vmem_fs *fs, uint32_t ag)
{
	return ag ? (uint64_t)ag * fs->ag_blocks : fs->agmeta0;
}

uint64_t vmem_desc_off(const struct vmem_fs *fs, uint32_t ag)
{
	return (fs->desc_start << VMEM_BLOCK_SHIFT) + (uint64_t)ag * sizeof(struct vmem_ag_desc);
}

uint64_t vmem_inode_off(const struct vmem_fs *fs, uint64_t ino)
{
	uint32_t ag = (uint32_t)(ino / fs->inodes_per_ag), i = (uint32_t)(ino % fs->inodes_per_ag);

	return ((vmem_ag_meta(fs, ag) + 2) << VMEM_BLOCK_SHIFT) + (uint64_t)i * VMEM_INODE_SIZE;
}

bool vmem_block_ok(const struct vmem_fs *fs, uint64_t start, uint64_t nr)
{
	uint32_t ag;
	uint64_t meta, first, nr_blocks = vmem_nr_blocks(fs);
	uint64_t backup = __atomic_load_n(&fs->backup, __ATOMIC_RELAXED);

	if (!start || start >= nr_blocks || nr > nr_blocks - start)
		return false;
	ag = (uint32_t)(start / fs->ag_blocks);
	if (start + nr > (uint64_t)(ag + 1) * fs->ag_blocks)
		return false;
	meta = vmem_ag_meta(fs, ag);
	first = meta + 2 + fs->itable_blocks;
	return start >= first && (start > backup || start + nr <= backup);
}
