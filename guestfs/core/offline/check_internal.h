/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* check_internal.h - what the two files of the checker share */
#ifndef VMEM_CHECK_INTERNAL_H
#define VMEM_CHECK_INTERNAL_H

#include "offline/check.h"
#include "medium/hash.h"
#include "medium/fields.h"

typedef unsigned long long ull;

#define INFO_USED	(1u << 0)
#define INFO_DIR	(1u << 1)
#define INFO_REACHED	(1u << 2)	/* a way to the root is known */
#define INFO_ON_PATH	(1u << 3)	/* on the path that is being followed */

/* What the trees say about one inode. */
struct inode_info {
	uint32_t links;			/* directory entries that lead here */
	uint32_t parent;		/* directory with the first of them */
	uint32_t subdirs;		/* of a directory */
	uint32_t flags;			/* INFO_* */
};

struct group {
	uint32_t blocks;		/* in this group */
	uint32_t inited;		/* inodes initialised */
	uint32_t nr_dirs;
	uint8_t *claimed;		/* a bit per block outside metadata; NULL: none */
	struct inode_info *info;	/* inited of them; NULL: none */
};

struct checker {
	const struct vmem_check_params *p;
	struct vmem_check_result *res;
	vmem_crc_fn crc;
	const struct vmem_superblock *sb;
	uint64_t nr_blocks;
	uint64_t group0_meta_end;	/* all blocks below are metadata */
	uint32_t ag_blocks, nr_ags, inodes_per_ag, itable_blocks;
	struct group *groups;
	uint8_t *expected;		/* one block */
	int error;			/* -ENOMEM ends the check */
};

/* ---- check.c ---- */

/* Count and tell a finding. */
__attribute__((format(printf, 2, 3)))
void vmem_check_problem(struct checker *c, const char *fmt, ...);

/*
 * Note that inode ino holds these blocks.  Stops at the first that it cannot
 * hold, so that all claims together cost no more than the store has blocks.
 */
bool vmem_check_claim(struct checker *c, uint64_t ino, uint64_t block, uint64_t nr);

/* The inode if its number, not 0, is possible and its table block initialised, else NULL. */
const struct vmem_dinode *vmem_check_find_inode(const struct checker *c, uint64_t ino,
						struct inode_info **info);

/* ---- check_tree.c ---- */

/* Each initialised inode of a group, and what hangs from it. */
void vmem_check_inodes(struct checker *c, uint32_t ag);

/* ---- check_xattr.c ---- */

/* The extended attributes of an inode; returns the blocks that they hold. */
uint64_t vmem_check_xattrs(struct checker *c, uint64_t ino, const struct vmem_dinode *di);

/* ---- small helpers ---- */

static inline const uint8_t *block_ptr(const struct checker *c, uint64_t block)
{
	return c->p->base + (block << VMEM_BLOCK_SHIFT);
}

static inline void set_bit(uint8_t *map, uint32_t bit)
{
	map[bit / 8] = (uint8_t)(map[bit / 8] | 1u << bit % 8);
}

static inline uint64_t group_start(const struct checker *c, uint32_t ag)
{
	return (uint64_t)ag * c->ag_blocks;
}

static inline uint64_t group_meta(const struct checker *c, uint32_t ag)
{
	return ag ? group_start(c, ag) : vmem_get64(c->sb->agmeta0);
}

#endif /* VMEM_CHECK_INTERNAL_H */
