/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * vnode.h - what the driver uses of Unikraft's vfscore, in the words of its
 * interface (lib/vfscore/include/vfscore/vnode.h, release 0.17), for the tests
 */
#ifndef MOCK_VNODE_H
#define MOCK_VNODE_H

#include <dirent.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include <uk/list.h>
#include <uk/mutex.h>
#include <vfscore/uio.h>

struct mount;
struct vnode;
struct vnops;
struct vfscore_file;
struct eventpoll_cb;

enum vtype { VNON, VREG, VDIR, VBLK, VCHR, VLNK, VSOCK, VFIFO, VBAD };

struct vnode {
	uint64_t v_ino;
	struct uk_list_head v_link;
	struct mount *v_mount;
	struct vnops *v_op;
	int v_refcnt;
	int v_type;
	int v_flags;
	mode_t v_mode;
	off_t v_size;
	struct uk_mutex v_lock;
	struct uk_list_head v_names;
	void *v_data;
};

#define VROOT		0x0001

struct vattr {
	unsigned int va_mask;
	enum vtype va_type;
	mode_t va_mode;
	nlink_t va_nlink;
	uid_t va_uid;
	gid_t va_gid;
	dev_t va_fsid;
	ino_t va_nodeid;
	struct timespec va_atime, va_mtime, va_ctime;
	dev_t va_rdev;
	uint64_t va_nblocks;
	off_t va_size;
};

#define AT_MODE		0x00002
#define AT_UID		0x00004
#define AT_GID		0x00008
#define AT_ATIME	0x00100
#define AT_MTIME	0x00200

#define IO_APPEND	0x0001
#define IO_SYNC		0x0002

typedef int (*vnop_open_t)(struct vfscore_file *);
typedef int (*vnop_close_t)(struct vnode *, struct vfscore_file *);
typedef int (*vnop_read_t)(struct vnode *, struct vfscore_file *, struct uio *, int);
typedef int (*vnop_write_t)(struct vnode *, struct uio *, int);
typedef int (*vnop_seek_t)(struct vnode *, struct vfscore_file *, off_t, off_t);
typedef int (*vnop_ioctl_t)(struct vnode *, struct vfscore_file *, unsigned long, void *);
typedef int (*vnop_fsync_t)(struct vnode *, struct vfscore_file *);
typedef int (*vnop_readdir_t)(struct vnode *, struct vfscore_file *, struct dirent *);
typedef int (*vnop_lookup_t)(struct vnode *, char *, struct vnode **);
typedef int (*vnop_create_t)(struct vnode *, char *, mode_t);
typedef int (*vnop_remove_t)(struct vnode *, struct vnode *, char *);
typedef int (*vnop_rename_t)(struct vnode *, struct vnode *, char *, struct vnode *,
			     struct vnode *, char *);
typedef int (*vnop_mkdir_t)(struct vnode *, char *, mode_t);
typedef int (*vnop_rmdir_t)(struct vnode *, struct vnode *, char *);
typedef int (*vnop_getattr_t)(struct vnode *, struct vattr *);
typedef int (*vnop_setattr_t)(struct vnode *, struct vattr *);
typedef int (*vnop_inactive_t)(struct vnode *);
typedef int (*vnop_truncate_t)(struct vnode *, off_t);
typedef int (*vnop_link_t)(struct vnode *, struct vnode *, char *);
typedef int (*vnop_cache_t)(struct vnode *, struct vfscore_file *, struct uio *);
typedef int (*vnop_fallocate_t)(struct vnode *, int, off_t, off_t);
typedef int (*vnop_readlink_t)(struct vnode *, struct uio *);
typedef int (*vnop_symlink_t)(struct vnode *, char *, char *);
typedef int (*vnop_poll_t)(struct vnode *, unsigned int *, struct eventpoll_cb *);

struct vnops {
	vnop_open_t vop_open;
	vnop_close_t vop_close;
	vnop_read_t vop_read;
	vnop_write_t vop_write;
	vnop_seek_t vop_seek;
	vnop_ioctl_t vop_ioctl;
	vnop_fsync_t vop_fsync;
	vnop_readdir_t vop_readdir;
	vnop_lookup_t vop_lookup;
	vnop_create_t vop_create;
	vnop_remove_t vop_remove;
	vnop_rename_t vop_rename;
	vnop_mkdir_t vop_mkdir;
	vnop_rmdir_t vop_rmdir;
	vnop_getattr_t vop_getattr;
	vnop_setattr_t vop_setattr;
	vnop_inactive_t vop_inactive;
	vnop_truncate_t vop_truncate;
	vnop_link_t vop_link;
	vnop_cache_t vop_cache;
	vnop_fallocate_t vop_fallocate;
	vnop_readlink_t vop_readlink;
	vnop_symlink_t vop_symlink;
	vnop_poll_t vop_poll;
};

#define VOP_POLL(VP, EP, ECB) ((VP)->v_op->vop_poll)(VP, EP, ECB)

int vfscore_vop_nullop(void);
int vfscore_vop_einval(void);
int vfscore_vget(struct mount *mp, uint64_t ino, struct vnode **vpp);

extern enum vtype iftovt_tab[];
#define IFTOVT(mode) (iftovt_tab[((mode) & S_IFMT) >> 12])

#endif
