/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * fuse_vmemfs.h - what the files of fuse.vmemfs share
 *
 * The kernel's FUSE is the VFS above the core here: it resolves paths, checks rights and
 * holds the locks of directories while names change.  This program translates its requests.
 * fuse_vmemfs.c mounts and ends, fuse_node.c has the inodes in memory, fuse_ops.c and
 * fuse_xattr.c the requests, fuse_flush.c what an fsync does to the image.
 */
#ifndef VMEM_FUSE_H
#define VMEM_FUSE_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#include <pthread.h>

#include "flush/sync.h"
#include "toolenv.h"

#define NODE_BUCKETS	(1u << 16)

/* An inode that the kernel knows, or that a request is about. */
struct node {
	struct vmem_inode core;
	pthread_rwlock_t lock;		/* the caller's lock that vmem.h asks for */
	uint64_t ino;
	uint64_t refs;			/* the kernel's lookups and ours; nodes_lock */
	bool busy;			/* is being read, or freed: wait; nodes_lock */
	struct node *next;		/* in its bucket */
};

struct fuse_fs {
	struct tool_image image;
	struct vmem_env env;
	struct vmem_fs *core;
	bool noatime;
	bool without_open;		/* the kernel need not tell of files that are opened */

	pthread_mutex_t nodes_lock;
	pthread_cond_t nodes_cond;	/* one is not busy any more */
	struct node **nodes;		/* by number */

	VMemStoreSync sync;
	pthread_mutex_t lanes_lock;
	pthread_cond_t lanes_cond;
	unsigned int free_lanes;	/* a bit for each */

	/* The thread that commits from time to time, and writes home. */
	pthread_t keeper;
	pthread_mutex_t keeper_lock;
	pthread_cond_t keeper_cond;
	unsigned int commit_seconds;	/* 0: never */
	bool kicked, stopping;		/* keeper_lock */
};

/* ---- fuse_node.c ---- */

int nodes_init(struct fuse_fs *fs);
/* The last: what the kernel has not forgotten is forgotten. */
void nodes_end(struct fuse_fs *fs);

/* One more reference.  -ESTALE: there is no such inode. */
int node_get(struct fuse_fs *fs, uint64_t ino, struct node **node);
void node_put(struct fuse_fs *fs, struct node *node, uint64_t refs);
/* One that the kernel holds: no reference more.  NULL: it does not. */
struct node *node_of(struct fuse_fs *fs, uint64_t ino);

/* For the core to make an inode in. */
struct node *node_new(void);
/* It has: the node to use from now on, with one reference; not `made` when a handle came first. */
struct node *node_made(struct fuse_fs *fs, struct node *made);
/* It has not. */
void node_drop(struct node *node);

/* The numbers of all regular files; to be freed.  None when there is no memory. */
uint64_t *nodes_files(struct fuse_fs *fs, size_t *nr);

/* Exclusively, all at once; NULL and one that stands there twice are skipped. */
#define NODES_MAX 4
void nodes_lock(struct node *nodes[NODES_MAX]);
void nodes_unlock(struct node *nodes[NODES_MAX]);

/* ---- fuse_flush.c ---- */

/* Of an image in the page cache: its flush is one for several threads. */
void flush_init(struct fuse_fs *fs);
void flush_end(struct fuse_fs *fs);

/* ---- fuse_ops.c ---- */

extern const struct fuse_lowlevel_ops fuse_ops;
/* The node of a request, or NULL: that is answered. */
struct node *asked(fuse_req_t req, fuse_ino_t ino);

/* ---- fuse_xattr.c ---- */

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
		 int flags);
void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);
void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);

/* A mapped image tells so of errors below: a copy fails then; elsewhere the program ends. */
void on_bus_error(int sig);

#endif /* VMEM_FUSE_H */
