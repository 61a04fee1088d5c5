/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* mount.h - of vfscore, as vnode.h is */
#ifndef MOCK_MOUNT_H
#define MOCK_MOUNT_H

#include <limits.h>
#include <sys/statfs.h>

#include <vfscore/vnode.h>

struct mount {
	struct vfsops *m_op;
	int m_flags;
	int m_count;
	char m_path[PATH_MAX], m_special[PATH_MAX];
	struct device *m_dev;
	struct dentry *m_root, *m_covered;
	void *m_data;
	struct uk_list_head mnt_list;
	fsid_t m_fsid;
};

#define MNT_RDONLY	0x00000001

struct vfscore_fs_type {
	const char *vs_name;
	int (*vs_init)(void);
	struct vfsops *vs_op;
};

/* Unikraft gathers them in a section; the test has one driver. */
extern struct vfscore_fs_type *registered_fs;
#define UK_FS_REGISTER(fssw) struct vfscore_fs_type *registered_fs = &fssw;

struct vfsops {
	int (*vfs_mount)(struct mount *, const char *, int, const void *);
	int (*vfs_unmount)(struct mount *, int flags);
	int (*vfs_sync)(struct mount *);
	int (*vfs_vget)(struct mount *, struct vnode *);
	int (*vfs_statfs)(struct mount *, struct statfs *);
	struct vnops *vfs_vnops;
};

typedef int (*vfsop_vget_t)(struct mount *, struct vnode *);

int vfscore_nullop(void);
void vfscore_release_mp_dentries(struct mount *mp);

#endif
