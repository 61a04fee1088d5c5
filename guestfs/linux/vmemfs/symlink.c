// SPDX-License-Identifier: GPL-2.0-or-later
/* symlink.c - symbolic links */
#include <linux/namei.h>
#include <linux/slab.h>

#include "vmemfs.h"

static char *read_target(struct inode *inode)
{
	char *target = kmalloc(PATH_MAX, GFP_KERNEL);
	int len;

	if (!target)
		return ERR_PTR(-ENOMEM);
	len = vmem_readlink(vmemfs_core(inode), target, PATH_MAX - 1);
	if (len > 0 && len < PATH_MAX) {
		target[len] = '\0';
		return target;
	}
	kfree(target);
	return ERR_PTR(len < 0 ? len : vmemfs_corrupt(inode->i_sb, inode->i_ino,
						      "bad length of a symbolic link"));
}

/*
 * The target of a link never changes, so it is read once and then kept in
 * i_link, where walks find it without coming here.
 */
static const char *vmemfs_get_link(struct dentry *dentry, struct inode *inode,
				   struct delayed_call *done)
{
	char *target, *exact;

	if (!dentry)
		return ERR_PTR(-ECHILD);
	target = read_target(inode);
	if (IS_ERR(target))
		return target;
	exact = kstrdup(target, GFP_KERNEL);
	kfree(target);
	if (!exact)
		return ERR_PTR(-ENOMEM);
	if (cmpxchg_release(&inode->i_link, NULL, exact))
		kfree(exact);
	return inode->i_link;
}

const struct inode_operations vmemfs_symlink_inode_ops = {
	.get_link = vmemfs_get_link,
	.setattr = vmemfs_setattr,
	.getattr = vmemfs_getattr,
	.update_time = vmemfs_update_time,
	.listxattr = vmemfs_listxattr,
};
