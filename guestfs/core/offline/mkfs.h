/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * mkfs.h - make an empty vmemfs on a store
 *
 * File-system logic of mkfs.vmemfs, free of files and options, so that test
 * programs and a unikernel can format a store as well.  Not linked into the
 * kernel.
 */
#ifndef VMEM_MKFS_H
#define VMEM_MKFS_H

#include "medium/geometry.h"
#include "vmem.h"

#define VMEM_MKFS_AG_BLOCKS	32768u	/* 128 MiB: all the bits of a bitmap block */
#define VMEM_MKFS_MIN_SPLIT	4096u	/* groups do not become smaller for the sake of inodes */
#define VMEM_MKFS_AG_INODES	8160u	/* with both bitmaps exactly 2 MiB of metadata */
#define VMEM_MKFS_INODE_RATIO	4u	/* blocks per inode in smaller groups */
#define VMEM_MKFS_MAX_LOG	4096u	/* default log, blocks: 16 MiB ... */
#define VMEM_MKFS_MIN_LOG	256u	/* ... to 1 MiB, less on stores below 16 MiB */
#define VMEM_MKFS_GROWTH	1024u	/* room to grow by this factor, if it is cheap: */
#define VMEM_MKFS_MAX_RESERVE	1024u	/* at most one block in so many */

/* All zero is a good default: random identity, present time, mode 0755. */
struct vmem_mkfs_params {
	uint64_t size;			/* bytes to use; 0: the whole store */
	const char *label;		/* UTF-8, at most VMEM_LABEL_LEN bytes; NULL: none */
	uint8_t uuid[VMEM_UUID_LEN];	/* zero: random, RFC 4122 version 4 */
	uint64_t log_blocks;		/* 0: by size, see above */
	uint64_t inodes;		/* at least so many in all; 0: by the next, or by size */
	uint64_t inode_ratio;		/* bytes for each inode; 0: by size */
	uint32_t ag_blocks;		/* multiple of 64; 0: VMEM_MKFS_AG_BLOCKS */
	uint64_t max_size;		/* bytes to which it can grow; 0: see VMEM_MKFS_GROWTH */
	int64_t now;			/* ns since 1970; 0: env->now() */
	uint8_t hash_key[16];		/* zero: random */
	uint32_t log_seed;		/* 0: random */
	uint32_t root_uid, root_gid;	/* owner of the root directory */
	uint16_t root_mode;		/* its permission bits; 0: 0755 */
};

/*
 * Compute the superblock that vmem_mkfs() would write on a store of size
 * bytes.  -EINVAL: a parameter is impossible; -ENOSPC: the store is too small
 * for them; each with one line by env->log.
 */
int vmem_mkfs_plan(uint64_t size, const struct vmem_env *env,
		   const struct vmem_mkfs_params *params, struct vmem_superblock *sb);

/*
 * Make an empty file system; all contents of the store are lost.  The primary
 * superblock is erased first and written last, so that an interrupted call
 * leaves nothing that mounts.  Results as vmem_mkfs_plan(); -EROFS, -EIO.
 */
int vmem_mkfs(struct vmem_store *store, const struct vmem_env *env,
	      const struct vmem_mkfs_params *params);

#endif /* VMEM_MKFS_H */
