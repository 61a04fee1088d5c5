// SPDX-License-Identifier: GPL-2.0-or-later
/* ioctl.c - requests to the file system, through any of its files or directories */
#include <linux/capability.h>
#include <linux/uaccess.h>

#include "vmemfs.h"

/* FITRIM of fstrim(8): give free blocks back to the host. */
static long trim(struct super_block *sb, struct fstrim_range __user *arg)
{
	struct fstrim_range range;
	u64 trimmed;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&range, arg, sizeof(range)))
		return -EFAULT;
	err = vmem_trim(VMEMFS_SB(sb)->fs, range.start, range.len, range.minlen, &trimmed);
	if (err)
		return err;
	range.len = trimmed;
	return copy_to_user(arg, &range, sizeof(range)) ? -EFAULT : 0;
}

long vmemfs_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct super_block *sb = file_inode(file)->i_sb;

	switch (cmd) {
	case FITRIM:
		return trim(sb, (struct fstrim_range __user *)arg);
	default:
		return -ENOTTY;
	}
}
