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
#include "toolenv.h"

typedef unsigned long long ull;

struct dump {
	struct tool_image img;
	const struct vmem_env *env;
	const struct vmem_superblock *sb;	/* geometry is verified */
	uint64_t nr_blocks;
	uint32_t inodes_per_ag;
};

/* The block's bytes, or NULL when it lies outside the file system. */
const uint8_t *dump_block(const struct dump *d, uint64_t block);

/* "2026-01-02 03:04:05.000000006" in UTC; buf has 40 bytes. */
const char *dump_time(int64_t ns, char *buf);

/* The newest valid root, or NULL. */
const struct vmem_root *dump_newest_root(const struct dump *d);

/* Each shows its part on stdout and returns an exit status. */
int dump_superblock(const struct dump *d);
int dump_udev(const struct dump *d);
int dump_log(const struct dump *d);
int dump_inode(const struct dump *d, uint64_t ino);
int dump_tree(const struct dump *d);
int dump_contents(const struct dump *d, uint64_t ino);
int dump_hex(const struct dump *d, uint64_t block);

#endif /* VMEM_DUMP_H */
