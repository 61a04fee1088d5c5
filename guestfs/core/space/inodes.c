// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* inodes.c - which inodes are in use, and which of those are orphans: two bitmaps per group */
#include "space/space_internal.h"

static uint64_t inode_bitmap(const struct vmem_fs *fs, uint32_t ag)
{
	return vmem_ag_meta(fs, ag) + 1;
}

bool vmem_inode_used(struct vmem_fs *fs, uint64_t ino)
{
	uint32_t ag = (uint32_t)(ino / fs->inodes_per_ag), i = (uint32_t)(ino % fs->inodes_per_ag);
	const uint8_t *map = vmem_meta(fs, inode_bitmap(fs, ag) << VMEM_BLOCK_SHIFT);

	return i / VMEM_INODES_PER_BLOCK < vmem_get32(fs->ags[ag].desc.itable_init) &&
	       (map[i >> 3] >> (i & 7) & 1);
}

/* ---- Allocating and freeing ---- */

static VMEM_RACY bool peek_used(const uint8_t *map, const struct vmem_ag_desc *d, uint32_t i)
{
	vmem_le32 init = { __atomic_load_n(&d->itable_init.raw, __ATOMIC_RELAXED) };

	return i / VMEM_INODES_PER_BLOCK < vmem_get32(init) &&
	       (__atomic_load_n(&map[i >> 3], __ATOMIC_RELAXED) >> (i & 7) & 1);
}

bool vmem_peek_inode_used(struct vmem_fs *fs, uint64_t ino)
{
	uint32_t ag = (uint32_t)(ino / fs->inodes_per_ag), i = (uint32_t)(ino % fs->inodes_per_ag);

	return peek_used(vmem_meta(fs, inode_bitmap(fs, ag) << VMEM_BLOCK_SHIFT),
			 (const void *)vmem_meta(fs, vmem_desc_off(fs, ag)), i);
}

/* A directory goes to the group with the most room, other inodes to their directory's. */
static uint32_t pick_ag(struct vmem_fs *fs, uint64_t near_ino, bool dir)
{
	uint32_t ag = (uint32_t)(near_ino / fs->inodes_per_ag), best = ag, i;
	uint32_t tries = VMEM_MIN(fs->nr_ags, 8u);

	if (!dir || fs->nr_ags == 1)
		return ag;
	best = fs->dir_ag % fs->nr_ags;
	for (i = 1; i < tries; i++) {
		uint32_t k = (fs->dir_ag + i) % fs->nr_ags;

		if (vmem_get32(fs->ags[k].desc.free_blocks) >
		    vmem_get32(fs->ags[best].desc.free_blocks))
			best = k;
	}
	fs->dir_ag = (best + 1) % fs->nr_ags;
	return best;
}

/* First inode of the group whose bit is clear, or inodes_per_ag. */
static uint32_t find_inode(struct vmem_fs *fs, uint32_t ag)
{
	const uint8_t *map = vmem_meta(fs, inode_bitmap(fs, ag) << VMEM_BLOCK_SHIFT);
	uint32_t i = fs->ags[ag].ihint;

	while (i < fs->inodes_per_ag) {
		if (map[i >> 3] == 0xff)
			i = (i | 7) + 1;
		else if (map[i >> 3] >> (i & 7) & 1)
			i++;
		else
			break;
	}
	return VMEM_MIN(i, fs->inodes_per_ag);
}

static void take_inode(struct vmem_txn *t, uint32_t ag, uint32_t i, bool dir)
{
	struct vmem_fs *fs = t->fs;
	struct vmem_ag_desc *d = vmem_touch_desc(t, ag);
	uint32_t block = i / VMEM_INODES_PER_BLOCK;

	if (!d)
		return;
	/* The table is initialised as far as it was ever used. */
	while (vmem_get32(d->itable_init) <= block && !t->err) {
		txn_new_block(t, vmem_ag_meta(fs, ag) + 2 + vmem_get32(d->itable_init), NULL, 0);
		vmem_add32(&d->itable_init, 1);
	}
	txn_bits(t, inode_bitmap(fs, ag), i, 1, true);
	vmem_add32(&d->free_inodes, -1);
	fs->free_inodes--;
	if (dir) {
		vmem_add32(&d->nr_dirs, 1);
		fs->nr_dirs++;
	}
	fs->ags[ag].ihint = i + 1;
}

int txn_alloc_inode(struct vmem_txn *t, uint64_t near_ino, bool dir, uint64_t *ino)
{
	struct vmem_fs *fs = t->fs;
	uint32_t first = pick_ag(fs, near_ino, dir), k;

	for (k = 0; k < fs->nr_ags; k++) {
		uint32_t ag = (first + k) % fs->nr_ags, i;

		if (!vmem_get32(fs->ags[ag].desc.free_inodes))
			continue;
		i = find_inode(fs, ag);
		if (i == fs->inodes_per_ag) {
			fs->ags[ag].ihint = 0;
			i = find_inode(fs, ag);
		}
		if (i == fs->inodes_per_ag || (!ag && i < VMEM_FIRST_INO))
			return vmem_corrupt(fs, 0, inode_bitmap(fs, ag), "inode bitmap");
		*ino = (uint64_t)ag * fs->inodes_per_ag + i;
		take_inode(t, ag, i, dir);
		return t->err;
	}
	return -ENOSPC;
}

void txn_free_inode(struct vmem_txn *t, uint64_t ino, bool dir)
{
	struct vmem_fs *fs = t->fs;
	uint32_t ag = (uint32_t)(ino / fs->inodes_per_ag), i = (uint32_t)(ino % fs->inodes_per_ag);
	struct vmem_ag_desc *d = vmem_touch_desc(t, ag);

	if (!d || t->err)
		return;
	if (vmem_get32(d->free_inodes) >= fs->inodes_per_ag || !vmem_inode_used(fs, ino)) {
		t->err = vmem_corrupt(fs, ino, inode_bitmap(fs, ag), "freeing an inode that is free");
		return;
	}
	txn_bits(t, inode_bitmap(fs, ag), i, 1, false);
	if (t->err)
		return;
	vmem_add32(&d->free_inodes, 1);
	fs->free_inodes++;
	if (dir && vmem_get32(d->nr_dirs)) {
		vmem_add32(&d->nr_dirs, -1);
		fs->nr_dirs--;
	}
	fs->ags[ag].ihint = VMEM_MIN(fs->ags[ag].ihint, i);
}

/* ---- Orphans ---- */

void txn_set_orphan(struct vmem_txn *t, uint64_t ino, bool set)
{
	struct vmem_fs *fs = t->fs;
	uint32_t ag = (uint32_t)(ino / fs->inodes_per_ag), i = (uint32_t)(ino % fs->inodes_per_ag);
	const uint8_t *map = vmem_meta(fs, (inode_bitmap(fs, ag) << VMEM_BLOCK_SHIFT) +
				       VMEM_ORPHAN_BITMAP_OFF);
	struct vmem_ag_desc *d;

	if ((map[i >> 3] >> (i & 7) & 1) == set)
		return;
	d = vmem_touch_desc(t, ag);
	if (!d || t->err)
		return;
	if (!set && !vmem_get32(d->nr_orphans)) {
		t->err = vmem_corrupt(fs, ino, inode_bitmap(fs, ag), "number of orphans");
		return;
	}
	txn_bits(t, inode_bitmap(fs, ag), VMEM_ORPHAN_BITMAP_OFF * 8 + i, 1, set);
	if (!t->err)
		vmem_add32(&d->nr_orphans, set ? 1 : -1);
}

bool vmem_is_orphan(struct vmem_fs *fs, uint64_t ino)
{
	uint32_t ag = (uint32_t)(ino / fs->inodes_per_ag), i = (uint32_t)(ino % fs->inodes_per_ag);
	const uint8_t *map;

	if (!vmem_orphans_in(fs, ag))
		return false;
	map = vmem_meta(fs, (inode_bitmap(fs, ag) << VMEM_BLOCK_SHIFT) + VMEM_ORPHAN_BITMAP_OFF);
	return map[i >> 3] >> (i & 7) & 1;
}
