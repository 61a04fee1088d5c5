// SPDX-License-Identifier: GPL-2.0-or-later
/* ioctl.c - requests to the file system, through any of its files or directories */
#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/fileattr.h>
#include <linux/mount.h>
#include <linux/uaccess.h>

#include "vmemfs.h"
#include "vmemfs_ioctl.h"

/* Of xfs first; ext4, f2fs and others have it under this number. */
#define IOC_SHUTDOWN	_IOR('X', 125, __u32)

/* FITRIM of fstrim(8): give free blocks back to the host. */
static long trim(struct file *file, struct fstrim_range __user *arg)
{
	struct super_block *sb = file_inode(file)->i_sb;
	struct fstrim_range range;
	u64 trimmed;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!VMEMFS_SB(sb)->store.discard)
		return -EOPNOTSUPP;
	if (copy_from_user(&range, arg, sizeof(range)))
		return -EFAULT;
	/* A frozen image stays as it is. */
	err = mnt_want_write_file(file);
	if (err)
		return err;
	err = vmem_trim(VMEMFS_SB(sb)->fs, range.start, range.len, range.minlen, &trimmed);
	mnt_drop_write_file(file);
	if (err)
		return err;
	range.len = trimmed;
	return copy_to_user(arg, &range, sizeof(range)) ? -EFAULT : 0;
}

/*
 * Write access to the mount keeps it from being remounted read-only or frozen, the
 * open file from being unmounted: as vmem_grow() wants it.
 */
static long resize(struct file *file, const u64 __user *arg)
{
	struct vmemfs_sb *sbi = VMEMFS_SB(file_inode(file)->i_sb);
	u64 size;
	int err;

	if (!capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (copy_from_user(&size, arg, sizeof(size)))
		return -EFAULT;
	err = mnt_want_write_file(file);
	if (err)
		return err;
	mutex_lock(&sbi->resize_lock);
	err = vmemfs_store_grown(sbi);
	if (!err)
		err = vmem_grow(sbi->fs, size);
	mutex_unlock(&sbi->resize_lock);
	mnt_drop_write_file(file);
	return err;
}

static long get_label(struct super_block *sb, char __user *arg)
{
	char label[FSLABEL_MAX] = "";
	struct vmem_statfs st;

	vmem_statfs(VMEMFS_SB(sb)->fs, &st);
	static_assert(sizeof(st.label) < sizeof(label));
	memcpy(label, st.label, sizeof(st.label));
	return copy_to_user(arg, label, sizeof(label)) ? -EFAULT : 0;
}

static long set_label(struct file *file, const char __user *arg)
{
	char label[FSLABEL_MAX];
	size_t len;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	/* As ext4: more than the longest, and a NUL, is not looked at. */
	if (copy_from_user(label, arg, VMEM_LABEL_LEN + 1))
		return -EFAULT;
	len = strnlen(label, VMEM_LABEL_LEN + 1);
	if (len > VMEM_LABEL_LEN)
		return -EINVAL;
	err = mnt_want_write_file(file);
	if (err)
		return err;
	err = vmem_set_label(VMEMFS_SB(file_inode(file)->i_sb)->fs, label, len);
	mnt_drop_write_file(file);
	return err;
}

static long shut_down(struct super_block *sb, const u32 __user *arg)
{
	u32 mode;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (get_user(mode, arg))
		return -EFAULT;
	return vmemfs_shutdown(sb, mode);
}

long vmemfs_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct super_block *sb = file_inode(file)->i_sb;

	switch (cmd) {
	case FITRIM:
		return trim(file, (struct fstrim_range __user *)arg);
	/* The number says long, every file system stores an int. */
	case FS_IOC_GETVERSION:
		return put_user(file_inode(file)->i_generation, (int __user *)arg);
	case FS_IOC_GETFSLABEL:
		return get_label(sb, (char __user *)arg);
	case FS_IOC_SETFSLABEL:
		return set_label(file, (const char __user *)arg);
	case IOC_SHUTDOWN:
		return shut_down(sb, (const u32 __user *)arg);
	case VMEMFS_IOC_RESIZE:
		return resize(file, (const u64 __user *)arg);
	default:
		return -ENOTTY;
	}
}

#ifdef CONFIG_COMPAT
long vmemfs_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	if (cmd == FS_IOC32_GETVERSION)
		cmd = FS_IOC_GETVERSION;
	return vmemfs_ioctl(file, cmd, (unsigned long)compat_ptr(arg));
}
#endif

/* ---- lsattr, chattr ---- */

#define KNOWN_XFLAGS (FS_XFLAG_SYNC | FS_XFLAG_IMMUTABLE | FS_XFLAG_APPEND | FS_XFLAG_NODUMP | \
		      FS_XFLAG_NOATIME)

static_assert(VMEM_FL_KNOWN == (FS_SYNC_FL | FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL |
				FS_NOATIME_FL | FS_DIRSYNC_FL));

int vmemfs_fileattr_get(struct dentry *dentry, struct fileattr *fa)
{
	fileattr_fill_flags(fa, vmem_flags(vmemfs_core(d_inode(dentry))));
	return 0;
}

/* The VFS has looked whether the caller may. */
int vmemfs_fileattr_set(vmemfs_idmap *idmap, struct dentry *dentry, struct fileattr *fa)
{
	struct inode *inode = d_inode(dentry);
	u32 flags = fa->flags;

	if (flags & ~VMEM_FL_KNOWN || fa->fsx_xflags & ~KNOWN_XFLAGS || fa->fsx_projid ||
	    fa->fsx_extsize || fa->fsx_cowextsize)
		return -EOPNOTSUPP;
	if (flags & VMEM_FL_DIRSYNC && !S_ISDIR(inode->i_mode))
		return -EOPNOTSUPP;
	return vmemfs_set_flags(inode, flags);
}
