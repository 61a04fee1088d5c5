// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* orphans.c - inodes without a name that a lost session left: freed at the next mount */
#include "fs/fs.h"

static int recover_orphan(struct vmem_fs *fs, uint64_t ino)
{
	struct vmem_inode *vi = vmem_alloc(fs, sizeof(*vi));
	int err;

	if (!vi)
		return -ENOMEM;
	err = vmem_iget(fs, ino, vi);
	if (err == -ESTALE)
		err = vmem_corrupt(fs, ino, 0, "orphan that is no inode");
	if (!err && vmem_get32(vi->raw.nlink) && !vmem_is_reg(&vi->raw))
		err = vmem_corrupt(fs, ino, 0, "orphan that has names and is no file");
	if (!err)
		err = vmem_iput(vi);	/* frees the inode, or what lies behind its size */
	vmem_free(fs, vi, sizeof(*vi));
	return err;
}

int vmem_recover_orphans(struct vmem_fs *fs, struct vmem_mount_info *info)
{
	uint32_t ag, i;

	for (ag = 0; ag < fs->nr_ags && !VMEM_BROKEN(ORPHANS_KEPT); ag++) {
		for (i = 0; vmem_orphans_in(fs, ag) && i < fs->inodes_per_ag; i++) {
			uint64_t map = ((vmem_ag_meta(fs, ag) + 1) << VMEM_BLOCK_SHIFT) +
				       VMEM_ORPHAN_BITMAP_OFF;
			int err;

			if (!(vmem_meta(fs, map)[i >> 3] >> (i & 7) & 1))
				continue;
			err = recover_orphan(fs, (uint64_t)ag * fs->inodes_per_ag + i);
			if (err)
				return err;
			info->orphans++;
		}
	}
	return 0;
}
