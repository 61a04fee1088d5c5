/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * dump.h - what the parts of dump.vmemfs share
 *
 * All of them read the image as it lies and may meet anything there: every
 * block number goes through dump_block(), every walk has a budget of nodes.
 */
#ifndef VMEM_DUMP_H
#define VMEM_DUMP_H

#include "offline/check.h"
#include "medium/hash.h"
#include "offline/mkfs.h"
#include "json.h"
#include "toolenv.h"

typedef unsigned long long ull;

struct dump {
	struct tool_image img;
	const struct vmem_env *env;
	const struct vmem_superblock *sb;	/* geometry is verified */
	uint64_t nr_blocks;
	uint32_t inodes_per_ag;
	struct json *json;			/* NULL: text, for people */
};

/* The block's bytes, or NULL when it lies outside the file system. */
const uint8_t *dump_block(const struct dump *d, uint64_t block);

/* "2026-01-02 03:04:05.000000006" in UTC; buf has 40 bytes. */
const char *dump_time(int64_t ns, char *buf);

/* The newest valid root, or NULL. */
const struct vmem_root *dump_newest_root(const struct dump *d);

/* NULL: it is not initialised or does not exist. */
const struct vmem_dinode *dump_find_inode(const struct dump *d, uint64_t ino);

/* Of a file, and of a directory, one by one; non-zero stops, and is returned. */
typedef int (*dump_extent_fn)(void *ctx, const struct vmem_extent *e);
typedef int (*dump_dirent_fn)(void *ctx, const struct vmem_dirent *de);
int dump_extents(const struct dump *d, const struct vmem_dinode *di, dump_extent_fn fn, void *ctx);
int dump_dirents(const struct dump *d, const struct vmem_dinode *di, dump_dirent_fn fn, void *ctx);

/* The set of extended attributes in [*p, *end), and its head, if it has a block of its own. */
const struct vmem_xattr_node *dump_xattr_set(const struct dump *d, const struct vmem_dinode *di,
					     const uint8_t **p, const uint8_t **end);
/* What a symbolic link leads to. */
const uint8_t *dump_target(const struct dump *d, const struct vmem_dinode *di, size_t *len);

#define DUMP_FLAGS 8
/* As the letters of lsattr(1). */
void dump_flags(uint32_t flags, char letters[DUMP_FLAGS]);

/* Root slot 0 or 1 as it lies; the name of a durability domain. */
const struct vmem_root *dump_root_slot(const struct dump *d, unsigned int slot);
const char *dump_domain(uint32_t domain);

/* Each shows its part on stdout and returns an exit status. */
int dump_superblock(const struct dump *d);
int dump_udev(const struct dump *d);
int dump_log(const struct dump *d);
int dump_inode(const struct dump *d, uint64_t ino);
int dump_tree(const struct dump *d);
int dump_contents(const struct dump *d, uint64_t ino);
int dump_hex(const struct dump *d, uint64_t block);

/* The same, as JSON, for the above. */
void dump_json_superblock(const struct dump *d);
void dump_json_inode(const struct dump *d, uint64_t ino, const struct vmem_dinode *di);
/* di is NULL: the name leads to nothing. */
void dump_json_entry(const struct dump *d, const uint8_t *path, size_t len, uint64_t ino,
		     const struct vmem_dinode *di);
void dump_json_time(struct json *j, const char *key, int64_t ns);

#endif /* VMEM_DUMP_H */
