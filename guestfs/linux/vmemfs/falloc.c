// SPDX-License-Identifier: GPL-2.0-or-later
/* falloc.c - fallocate: the pages of what moves, or becomes zeros, leave the page tables first */
#include <linux/fs.h>
#include <linux/falloc.h>
#include <linux/mm.h>

#include "vmemfs.h"

/* The page tables, before the core changes the file. */
static int prepare(struct inode *inode, int mode, loff_t offset, loff_t end)
{
	loff_t size = i_size_read(inode);

	if (mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE))
		return vmemfs_unmap_range(inode, offset, inode->i_sb->s_maxbytes);
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) {
		int err = vmemfs_unmap_range(inode, offset, end);

		if (err)
			return err;
	}
	/* Stores past the end through a mapping would survive growth. */
	if (!(mode & FALLOC_FL_KEEP_SIZE) && end > size)
		return vmemfs_unmap_from(inode, size, false);
	return 0;
}

static int fallocate_locked(struct file *file, int mode, loff_t offset, loff_t len)
{
	struct inode *inode = file_inode(file);
	loff_t size = i_size_read(inode), grown = size;
	int err;

	/* It may have been opened before it became so. */
	if (IS_IMMUTABLE(inode))
		return -EPERM;
	if (mode & FALLOC_FL_INSERT_RANGE)
		grown = size + len;
	else if (!(mode & (FALLOC_FL_KEEP_SIZE | FALLOC_FL_COLLAPSE_RANGE)))
		grown = max(size, offset + len);
	err = vmem_may_fallocate(vmemfs_core(inode), mode, offset, len);
	if (!err)
		err = inode_newsize_ok(inode, grown);
	if (!err)
		err = file_remove_privs(file);
	if (err)
		return err;
	filemap_invalidate_lock(inode->i_mapping);
	err = prepare(inode, mode, offset, offset + len);
	if (!err)
		err = vmem_fallocate(vmemfs_core(inode), mode, offset, len);
	vmemfs_sync_data_attr(inode);
	/* Private copies behind the new end are lost, as by a truncate. */
	if (i_size_read(inode) < size)
		truncate_pagecache(inode, i_size_read(inode));
	filemap_invalidate_unlock(inode->i_mapping);
	return err;
}

long vmemfs_fallocate(struct file *file, int mode, loff_t offset, loff_t len)
{
	struct inode *inode = file_inode(file);
	int err;

	if (vmemfs_is_shut(inode))
		return -EIO;
	inode_lock(inode);
	err = fallocate_locked(file, mode, offset, len);
	inode_unlock(inode);
	if (!err && ((file->f_flags & O_DSYNC) || IS_SYNC(inode)))
		err = vmem_fsync(vmemfs_core(inode), false);
	return err;
}
