// SPDX-License-Identifier: GPL-2.0-or-later
/* export.c - file handles (NFS, open_by_handle_at): inode number and generation */
#include <linux/exportfs.h>

#include "vmemfs.h"

static struct inode *handle_inode(struct super_block *sb, u64 ino, u32 generation)
{
	struct inode *inode;

	if (!ino || ino > U32_MAX)
		return ERR_PTR(-ESTALE);
	inode = vmemfs_iget(sb, ino);
	if (IS_ERR(inode))
		return inode;
	/* Unlinked, but open: that goes on by its handle, too. */
	if (generation && inode->i_generation != generation) {
		iput(inode);
		return ERR_PTR(-ESTALE);
	}
	return inode;
}

static struct dentry *vmemfs_fh_to_dentry(struct super_block *sb, struct fid *fid, int len,
					  int type)
{
	return generic_fh_to_dentry(sb, fid, len, type, handle_inode);
}

static struct dentry *vmemfs_fh_to_parent(struct super_block *sb, struct fid *fid, int len,
					  int type)
{
	return generic_fh_to_parent(sb, fid, len, type, handle_inode);
}

static struct dentry *vmemfs_get_parent(struct dentry *child)
{
	struct inode *dir = d_inode(child);
	u64 ino;
	int err;

	/* Whoever asks has locked it. */
	err = vmem_parent(vmemfs_core(dir), &ino);
	if (err)
		return ERR_PTR(err);
	return d_obtain_alias(vmemfs_iget(dir->i_sb, ino));
}

/* nfsd asks for it before it answers. */
static int vmemfs_commit_metadata(struct inode *inode)
{
	return vmem_fsync(vmemfs_core(inode), false);
}

const struct export_operations vmemfs_export_ops = {
	VMEMFS_EXPORT_ENCODE_FH
	.fh_to_dentry = vmemfs_fh_to_dentry,
	.fh_to_parent = vmemfs_fh_to_parent,
	.get_parent = vmemfs_get_parent,
	.commit_metadata = vmemfs_commit_metadata,
};
