/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* repair_internal.h - what the files of the repair share */
#ifndef VMEM_REPAIR_INTERNAL_H
#define VMEM_REPAIR_INTERNAL_H

#include "offline/check.h"
#include "medium/hash.h"
#include "fs/fs.h"
#include "medium/fields.h"
#include "medium/persist.h"
#include "offline/repair.h"

typedef unsigned long long ull;

#define R_USED		(1u << 0)
#define R_DIR		(1u << 1)
#define R_REBUILD	(1u << 2)	/* directory: its names are added anew */
#define R_LOST_NODE	(1u << 3)	/* directory: a node of it is missing */
#define R_REACHED	(1u << 4)
#define R_ON_PATH	(1u << 5)
#define R_CUT		(1u << 6)	/* directory: its pending name is dropped */

#define AT_PENDING	(1ull << 63)

struct rinode {
	uint32_t links, parent, subdirs, flags;
	uint64_t at;		/* of a directory: the byte where its name lies, or AT_PENDING | id */
};

struct rgroup {
	uint32_t blocks;	/* in this group */
	uint32_t inited;	/* inodes initialised */
	uint8_t *claimed;	/* a bit per block outside metadata; NULL: none */
	struct rinode *info;	/* inited of them; NULL: none */
};

/* A name to add by the core. */
struct rname {
	struct rname *next;
	uint64_t id;
	uint32_t dir, ino;	/* ino 0: dropped */
	uint8_t type, len;
	char name[];
};

/* An inode that goes to lost+found. */
struct rlost {
	struct rlost *next;
	uint32_t ino;
};

/* Blocks that another file claimed first: the file gets a copy of them. */
struct rcopy {
	struct rcopy *next;
	uint32_t ino;
	uint64_t lblk, pblk, nr;
};

struct repair {
	const struct vmem_repair_params *p;
	struct vmem_repair_result *res;
	struct vmem_store *store;
	const struct vmem_env *env;
	vmem_crc_fn crc;
	struct vmem_superblock sb;
	uint64_t nr_blocks, agmeta0, nr_inodes;
	uint32_t ag_blocks, nr_ags, inodes_per_ag, itable_blocks;
	struct rgroup *groups;
	struct rname *names;
	struct rlost *lost;
	struct rcopy *copies;
	bool lost_nodes;		/* a directory lacks nodes: some leaf may have them */
	uint64_t next_id;
	unsigned int suffix;	/* last one of names made from numbers */
	uint64_t copy_blocks;	/* in copies: never more than the store has */
	uint64_t dir_blocks;	/* of directories that are made anew */
	/*
	 * There is space enough to leave the blocks of these alone until the
	 * next round: a repair that is cut while it is stored finds them again.
	 */
	bool hold;
	bool names_left;	/* names found no space, and their old places are given back */
	int error;		/* -ENOMEM */
};

/* ---- repair.c ---- */

__attribute__((format(printf, 3, 4)))
void vmem_repair_fixed(struct repair *r, bool safe, const char *fmt, ...);
/* Tell of progress. */
void vmem_repair_step(struct repair *r, const char *what, uint64_t done, uint64_t total);
void *vmem_repair_alloc(struct repair *r, size_t size);
void vmem_repair_free(struct repair *r, void *p, size_t size);

/* May nr blocks from block hold data or nodes? */
bool vmem_repair_block_ok(const struct repair *r, uint64_t block, uint64_t nr);
bool vmem_repair_claimed(const struct repair *r, uint64_t block, uint64_t nr);
void vmem_repair_claim(struct repair *r, uint64_t block, uint64_t nr);
void vmem_repair_unclaim(struct repair *r, uint64_t block);

/* The inode if its number is possible and its table block initialised, else NULL. */
struct vmem_dinode *vmem_repair_inode(const struct repair *r, uint64_t ino, struct rinode **info);
/* The inode was changed: checksum. */
void vmem_repair_seal(struct repair *r, uint64_t ino, struct vmem_dinode *di);

/*
 * The node at block: bit 0 magic, 1 level, 2 owner, 3 self are right, 4 reserved
 * is zero; 0 when no node can be there.
 */
unsigned int vmem_repair_head(const struct repair *r, uint64_t block, uint32_t magic,
			      uint32_t level, uint64_t ino);
#define HEAD_PERFECT	31u
/* At least three of the first four. */
static inline bool head_usable(unsigned int bits)
{
	return __builtin_popcount(bits & 15u) >= 3;
}
void vmem_repair_fix_head(struct repair *r, uint64_t block, uint32_t magic, uint32_t level,
			  uint64_t ino);

/* ---- repair_inode.c ---- */

enum stage {
	STAGE_FIELDS,	/* inodes by themselves */
	STAGE_SOUND,	/* claim nodes whose head is right */
	STAGE_MENDED,	/* claim others that are still recognised */
	STAGE_DATA,	/* claim data */
};

/* Make the fields of an inode in use possible, or clear it. */
void vmem_repair_fields(struct repair *r, uint64_t ino, struct vmem_dinode *di);
/* Could these bytes with a wrong checksum be an inode? */
bool vmem_repair_inode_likely(const struct repair *r, const struct vmem_dinode *di);
void vmem_repair_extents(struct repair *r, uint64_t ino, struct vmem_dinode *di,
			 enum stage stage);

/* The flags of an extent, as far as the superblock allows them. */
static inline uint64_t vmem_repair_flags(const struct repair *r, const struct vmem_extent *e)
{
	return vmem_get64(r->sb.incompat) & VMEM_INCOMPAT_UNWRITTEN ?
		vmem_get64(e->w1) & VMEM_EXT_UNWRITTEN : 0;
}

/* The flags that an inode may have. */
static inline uint32_t vmem_repair_known_flags(const struct repair *r)
{
	return known_flags(vmem_get64(r->sb.incompat) & VMEM_INCOMPAT_FLAGS);
}

/* ---- repair_xattr.c ---- */

/* May inodes have extended attributes? */
static inline bool vmem_repair_with_xattrs(const struct repair *r)
{
	return vmem_get64(r->sb.incompat) & VMEM_INCOMPAT_XATTR;
}
/* What the inode itself says of its attributes: made possible. */
void vmem_repair_xattr_fields(struct repair *r, uint64_t ino, struct vmem_dinode *di);
/* Claim their blocks, and drop those that are damaged. */
void vmem_repair_xattrs(struct repair *r, uint64_t ino, struct vmem_dinode *di, enum stage stage);
/* Blocks that they hold, as far as that can be seen. */
uint64_t vmem_repair_xattr_blocks(struct repair *r, uint64_t ino, struct vmem_dinode *di);
void vmem_repair_only_xattrs(struct repair *r, uint64_t ino, struct vmem_dinode *di);

/* ---- repair_dir.c ---- */

void vmem_repair_dir_nodes(struct repair *r, uint64_t ino, struct vmem_dinode *di,
			   struct rinode *info, enum stage stage);
/* All that follows once everything is claimed: names, parents, link counts. */
void vmem_repair_names(struct repair *r);

/* ---- repair_mount.c ---- */

/* Mount the copy and add names, lost inodes and copies.  0 or a negative errno. */
int vmem_repair_mounted(struct repair *r);

/* ---- small helpers ---- */

static inline uint8_t *block_ptr(const struct repair *r, uint64_t block)
{
	return r->store->base + (block << VMEM_BLOCK_SHIFT);
}

static inline void touched(struct repair *r, const void *p, size_t len)
{
	vmem_stored(r->store, (uint64_t)((const uint8_t *)p - r->store->base), len);
}

static inline uint64_t group_meta(const struct repair *r, uint32_t ag)
{
	return ag ? (uint64_t)ag * r->ag_blocks : r->agmeta0;
}

static inline uint32_t group_meta_len(const struct repair *r, uint32_t ag)
{
	return (uint32_t)(group_meta(r, ag) - (uint64_t)ag * r->ag_blocks) + 2 + r->itable_blocks;
}

static inline struct vmem_ag_desc *desc_of(const struct repair *r, uint32_t ag)
{
	return (struct vmem_ag_desc *)(void *)block_ptr(r, vmem_get64(r->sb.desc_start)) + ag;
}

/* As the inode bitmap of the medium says. */
static inline bool marked_used(const struct repair *r, uint64_t ino)
{
	return test_bit8(block_ptr(r, group_meta(r, (uint32_t)(ino / r->inodes_per_ag)) + 1),
			 (uint32_t)(ino % r->inodes_per_ag));
}

#endif /* VMEM_REPAIR_INTERNAL_H */
