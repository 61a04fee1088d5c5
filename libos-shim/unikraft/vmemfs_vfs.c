// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * vmemfs_vfs.c - a file system of vfscore, on the library
 *
 * A vnode has one handle of the library in v_data for as long as it lives, so
 * that a file that is unlinked while open stays; the root's is the library's
 * own.  vfscore walks paths, checks permissions, and holds the locks of the
 * vnodes that it passes.  It wants positive error numbers.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <vfscore/dentry.h>
#include <vfscore/file.h>
#include <vfscore/mount.h>
#include <vfscore/uio.h>
#include <vfscore/vnode.h>

#include "vmemfs.h"

#define VMEMFS_MAGIC	0x564d454dL	/* "VMEM" */
#define NSEC		1000000000ll

static struct vmemos *fs;

struct vmemos *vmemfs_mounted(void)
{
	return fs;
}

static struct vmemos_file *handle(const struct vnode *vp)
{
	return vp->v_data;
}

/* ---- Names ---- */

/* The best handle for a vnode: to read and write a file, to look at all else. */
static int open_handle(struct vmemos_file *dir, const char *name, const struct vmemos_stat *st,
		       int read_only, struct vmemos_file **file)
{
	unsigned int flags = VMEMOS_O_PATH | VMEMOS_O_NOFOLLOW;

	if (S_ISREG(st->mode))
		flags = (read_only ? VMEMOS_O_RDONLY : VMEMOS_O_RDWR) | VMEMOS_O_NOFOLLOW;
	else if (S_ISDIR(st->mode))
		flags = VMEMOS_O_RDONLY | VMEMOS_O_DIRECTORY;
	return vmemos_open(dir, name, flags, 0, file);
}

static int vmemfs_lookup(struct vnode *dvp, char *name, struct vnode **vpp)
{
	struct vmemos_file *file;
	struct vmemos_stat st;
	struct vnode *vp;
	int err;

	*vpp = NULL;
	if (!*name)
		return ENOENT;
	err = vmemos_stat(handle(dvp), name, VMEMOS_NOFOLLOW, &st);
	if (!err)
		err = open_handle(handle(dvp), name, &st, dvp->v_mount->m_flags & MNT_RDONLY, &file);
	if (err)
		return -err;
	if (vfscore_vget(dvp->v_mount, st.ino, &vp)) {
		vmemos_close(file);		/* it has one */
		*vpp = vp;
		return 0;
	}
	if (!vp) {
		vmemos_close(file);
		return ENOMEM;
	}
	vp->v_data = file;
	vp->v_mode = (mode_t)(st.mode & 07777);
	vp->v_type = IFTOVT(st.mode);
	vp->v_size = (off_t)st.size;
	*vpp = vp;
	return 0;
}

static int vmemfs_inactive(struct vnode *vp)
{
	if (vp->v_data && !(vp->v_flags & VROOT))
		vmemos_close(handle(vp));
	vp->v_data = NULL;
	return 0;
}

static int vmemfs_create(struct vnode *dvp, char *name, mode_t mode)
{
	return -vmemos_mknod(handle(dvp), name, mode, 0);
}

static int vmemfs_mkdir(struct vnode *dvp, char *name, mode_t mode)
{
	return -vmemos_mkdir(handle(dvp), name, mode);
}

static int vmemfs_remove(struct vnode *dvp, struct vnode *vp, char *name)
{
	(void)vp;
	return -vmemos_unlink(handle(dvp), name);
}

static int vmemfs_rmdir(struct vnode *dvp, struct vnode *vp, char *name)
{
	(void)vp;
	return -vmemos_rmdir(handle(dvp), name);
}

static int vmemfs_rename(struct vnode *dvp1, struct vnode *vp1, char *name1,
			 struct vnode *dvp2, struct vnode *vp2, char *name2)
{
	(void)vp1;
	(void)vp2;
	return -vmemos_rename(handle(dvp1), name1, handle(dvp2), name2, 0);
}

static int vmemfs_link(struct vnode *dvp, struct vnode *svp, char *name)
{
	return -vmemos_link(handle(svp), NULL, handle(dvp), name);
}

static int vmemfs_symlink(struct vnode *dvp, char *name, char *target)
{
	return -vmemos_symlink(target, handle(dvp), name);
}

static int vmemfs_readlink(struct vnode *vp, struct uio *uio)
{
	char target[PATH_MAX];
	int64_t len = vmemos_readlink(handle(vp), NULL, target, sizeof(target));

	if (len < 0)
		return (int)-len;
	if (uio->uio_offset < 0)
		return EINVAL;
	if (uio->uio_offset >= len)
		return 0;
	return vfscore_uiomove(target + uio->uio_offset, (int)(len - uio->uio_offset), uio);
}

static int vmemfs_readdir(struct vnode *vp, struct vfscore_file *fp, struct dirent *dir)
{
	struct vmemos_dirent entry;
	int64_t pos = vmemos_lseek(handle(vp), fp->f_offset, VMEMOS_SEEK_SET);
	int got = pos < 0 ? (int)pos : vmemos_readdir(handle(vp), &entry);

	if (got <= 0)
		return got ? -got : ENOENT;	/* the end, in vfscore's words */
	fp->f_offset = entry.next;
	dir->d_ino = entry.ino;
	dir->d_off = entry.next;
	dir->d_reclen = sizeof(*dir);
	dir->d_type = entry.type;
	memcpy(dir->d_name, entry.name, (size_t)entry.len + 1);
	return 0;
}

/* ---- Data ---- */

/* Straight from the store: one copy, by vfscore, into the caller's memory. */
static int vmemfs_read(struct vnode *vp, struct vfscore_file *fp, struct uio *uio, int ioflag)
{
	(void)fp;
	(void)ioflag;
	if (vp->v_type != VREG)
		return vp->v_type == VDIR ? EISDIR : EINVAL;
	if (uio->uio_offset < 0)
		return EINVAL;
	while (uio->uio_resid > 0) {
		uint64_t off = (uint64_t)uio->uio_offset;
		const void *addr;
		int64_t n = vmemos_borrow(handle(vp), off, (size_t)uio->uio_resid, &addr);
		int err;

		if (n <= 0)
			return (int)-n;
		err = vfscore_uiomove((void *)(uintptr_t)addr, (int)n, uio);
		vmemos_give_back(handle(vp));
		if (err)
			return err;
	}
	return 0;
}

/* Up to n bytes of uio were taken from its first piece. */
static void advance(struct uio *uio, size_t n)
{
	uio->uio_iov->iov_base = (char *)uio->uio_iov->iov_base + n;
	uio->uio_iov->iov_len -= n;
	uio->uio_resid -= (ssize_t)n;
	uio->uio_offset += (off_t)n;
}

static int vmemfs_write(struct vnode *vp, struct uio *uio, int ioflag)
{
	int64_t n = 0;

	if (vp->v_type != VREG)
		return vp->v_type == VDIR ? EISDIR : EINVAL;
	if (ioflag & IO_APPEND)
		uio->uio_offset = vp->v_size;
	if (uio->uio_offset < 0)
		return EINVAL;
	while (uio->uio_resid > 0 && n >= 0) {
		const struct iovec *iov = uio->uio_iov;

		if (!iov->iov_len) {
			uio->uio_iov++;
			uio->uio_iovcnt--;
			continue;
		}
		n = vmemos_pwrite(handle(vp), iov->iov_base, iov->iov_len, (uint64_t)uio->uio_offset);
		if (n > 0)
			advance(uio, (size_t)n);
		if (uio->uio_offset > vp->v_size)
			vp->v_size = uio->uio_offset;
	}
	if (n >= 0 && ioflag & IO_SYNC)
		n = vmemos_fsync(handle(vp), false);
	return n < 0 ? (int)-n : 0;
}

static int vmemfs_truncate(struct vnode *vp, off_t length)
{
	int err = length < 0 ? -EINVAL : vmemos_ftruncate(handle(vp), (uint64_t)length);

	if (!err)
		vp->v_size = length;
	return -err;
}

static int vmemfs_fallocate(struct vnode *vp, int mode, off_t off, off_t len)
{
	struct vmemos_stat st;
	int err = off < 0 || len <= 0 ? -EINVAL :
		vmemos_fallocate(handle(vp), (unsigned int)mode, (uint64_t)off, (uint64_t)len);

	if (!err && !vmemos_fstat(handle(vp), &st))
		vp->v_size = (off_t)st.size;
	return -err;
}

/* What the other file systems of vfscore leave out. */
static int vmemfs_fsync(struct vnode *vp, struct vfscore_file *fp)
{
	(void)fp;
	return -vmemos_fsync(handle(vp), false);
}

/* ---- Attributes ---- */

static struct timespec to_timespec(int64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / NSEC), .tv_nsec = (long)(ns % NSEC) };

	if (ts.tv_nsec < 0) {
		ts.tv_sec--;
		ts.tv_nsec += NSEC;
	}
	return ts;
}

static int vmemfs_getattr(struct vnode *vp, struct vattr *attr)
{
	struct vmemos_stat st;
	int err = vmemos_fstat(handle(vp), &st);

	if (err)
		return -err;
	attr->va_nodeid = st.ino;
	attr->va_type = vp->v_type;
	attr->va_mode = (mode_t)(st.mode & 07777);
	attr->va_nlink = st.nlink;
	attr->va_uid = st.uid;
	attr->va_gid = st.gid;
	attr->va_rdev = st.rdev;
	attr->va_size = (off_t)st.size;
	attr->va_nblocks = st.blocks * (4096 / 512);
	attr->va_atime = to_timespec(st.atime);
	attr->va_mtime = to_timespec(st.mtime);
	attr->va_ctime = to_timespec(st.ctime);
	return 0;
}

static int vmemfs_setattr(struct vnode *vp, struct vattr *attr)
{
	struct vmemos_stat st = {
		.mode = attr->va_mode, .uid = attr->va_uid, .gid = attr->va_gid,
		.atime = attr->va_atime.tv_sec * NSEC + attr->va_atime.tv_nsec,
		.mtime = attr->va_mtime.tv_sec * NSEC + attr->va_mtime.tv_nsec,
	};
	unsigned int which = 0;

	which |= attr->va_mask & AT_MODE ? VMEMOS_SET_MODE : 0;
	which |= attr->va_mask & AT_UID ? VMEMOS_SET_UID : 0;
	which |= attr->va_mask & AT_GID ? VMEMOS_SET_GID : 0;
	which |= attr->va_mask & AT_ATIME ? VMEMOS_SET_ATIME : 0;
	which |= attr->va_mask & AT_MTIME ? VMEMOS_SET_MTIME : 0;
	return which ? -vmemos_setattr(handle(vp), NULL, 0, which, &st) : 0;
}

static struct vnops vmemfs_vnops = {
	.vop_open = (vnop_open_t)vfscore_vop_nullop,
	.vop_close = (vnop_close_t)vfscore_vop_nullop,
	.vop_read = vmemfs_read,
	.vop_write = vmemfs_write,
	.vop_seek = (vnop_seek_t)vfscore_vop_nullop,
	.vop_ioctl = (vnop_ioctl_t)vfscore_vop_einval,
	.vop_fsync = vmemfs_fsync,
	.vop_readdir = vmemfs_readdir,
	.vop_lookup = vmemfs_lookup,
	.vop_create = vmemfs_create,
	.vop_remove = vmemfs_remove,
	.vop_rename = vmemfs_rename,
	.vop_mkdir = vmemfs_mkdir,
	.vop_rmdir = vmemfs_rmdir,
	.vop_getattr = vmemfs_getattr,
	.vop_setattr = vmemfs_setattr,
	.vop_inactive = vmemfs_inactive,
	.vop_truncate = vmemfs_truncate,
	.vop_link = vmemfs_link,
	.vop_cache = NULL,
	.vop_fallocate = vmemfs_fallocate,
	.vop_readlink = vmemfs_readlink,
	.vop_symlink = vmemfs_symlink,
#ifdef VOP_POLL
	.vop_poll = (vnop_poll_t)vfscore_vop_einval,
#endif
};

/* ---- The file system ---- */

static int vmemfs_mount(struct mount *mp, const char *dev, int flags, const void *data)
{
	struct vmemos_mount_opts opts = { .read_only = flags & MNT_RDONLY };
	struct vmemos_platform *platform;
	int err;

	(void)dev;
	(void)data;
	if (fs)
		return EBUSY;		/* one device, one mount */
	err = vmemfs_platform(&platform);
	if (!err)
		err = vmemos_mount(platform, &opts, &fs);
	if (err)
		return -err;
	mp->m_data = fs;
	mp->m_root->d_vnode->v_data = vmemos_root(fs);
	return 0;
}

static int vmemfs_unmount(struct mount *mp, int flags)
{
	int err;

	(void)flags;
	vfscore_release_mp_dentries(mp);
	err = vmemos_umount(fs);
	if (err != -EBUSY)
		fs = NULL;
	return -err;
}

static int vmemfs_sync(struct mount *mp)
{
	return -vmemos_sync(mp->m_data);
}

static int vmemfs_statfs(struct mount *mp, struct statfs *st)
{
	struct vmemos_statfs s;

	vmemos_statfs(mp->m_data, &s);
	memset(st, 0, sizeof(*st));
	st->f_type = VMEMFS_MAGIC;
	st->f_bsize = 4096;
	st->f_blocks = s.blocks;
	st->f_bfree = s.free_blocks;
	st->f_bavail = s.avail_blocks;
	st->f_files = s.inodes;
	st->f_ffree = s.free_inodes;
	st->f_namelen = s.name_max;
	return 0;
}

static struct vfsops vmemfs_vfsops = {
	.vfs_mount = vmemfs_mount,
	.vfs_unmount = vmemfs_unmount,
	.vfs_sync = vmemfs_sync,
	.vfs_vget = (vfsop_vget_t)vfscore_nullop,
	.vfs_statfs = vmemfs_statfs,
	.vfs_vnops = &vmemfs_vnops,
};

static struct vfscore_fs_type vmemfs_type = {
	.vs_name = "vmemfs",
	.vs_init = NULL,
	.vs_op = &vmemfs_vfsops,
};

UK_FS_REGISTER(vmemfs_type);
