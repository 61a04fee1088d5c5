/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* file.h - of vfscore, as vnode.h is */
#ifndef MOCK_FILE_H
#define MOCK_FILE_H

#include <vfscore/dentry.h>

struct vfscore_file {
	int fd;
	int f_flags;
	int f_count;
	off_t f_offset;
	void *f_data;
	int f_vfs_flags;
	struct dentry *f_dentry;
	struct uk_mutex f_lock;
};

#endif
