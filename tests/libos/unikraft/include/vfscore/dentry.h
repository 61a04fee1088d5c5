/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* dentry.h - of vfscore, as vnode.h is */
#ifndef MOCK_DENTRY_H
#define MOCK_DENTRY_H

#include <uk/list.h>
#include <uk/mutex.h>

struct dentry {
	struct uk_hlist_node d_link;
	int d_refcnt;
	char *d_path;
	struct vnode *d_vnode;
	struct mount *d_mount;
	struct dentry *d_parent;
	struct uk_list_head d_names_link;
	struct uk_mutex d_lock;
	struct uk_list_head d_child_list, d_child_link;
};

#endif
