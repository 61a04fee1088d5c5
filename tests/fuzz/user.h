/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* user.h - the open inodes of whoever uses the file system */
#ifndef USER_H
#define USER_H

#include "fuzz.h"

#define SLOTS		8u
#define MAX_OPEN	64u

/* Inodes that are open: one per number, as the core demands. */
struct slot {
	struct vmem_inode *vi;		/* NULL: free */
	unsigned int refs;
	uint32_t nlink;			/* after the operation before, if counted */
	bool counted;
};

struct user {
	struct vmem_fs *fs;
	struct slot all[MAX_OPEN];
	struct slot *open[SLOTS];	/* for operations; open[0] is the root */
};

/* NULL: no such inode, or too many are open. */
struct slot *get_inode(struct user *u, uint64_t ino);
void put_inode(struct slot *s);
/* vi, from malloc(), was just made by the core; it becomes an open inode. */
struct slot *adopt_inode(struct user *u, struct vmem_inode *vi);

/* Reads what it is given; ctx is a byte. */
size_t copy_out(void *ctx, void *addr, size_t len);

#endif
