/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * fixture.h - a mounted file system on a simulated store, and short words for
 * what the tests do with it
 *
 * Everything here asserts success unless it returns a result.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim.h"

#define MiB (1ull << 20)
#define BLOCK 4096u

struct ctx {
	struct sim *sim;
	enum vmem_domain domain;
	struct vmem_fs *fs;
	struct vmem_inode root;
	struct vmem_mount_info info;
};

/* Name a test once per domain; the test finds its domain by domain_of(state). */
#define EACH_DOMAIN(f) \
	{ #f "_guest", f, NULL, NULL, &domain_guest }, \
	{ #f "_host", f, NULL, NULL, &domain_host }, \
	{ #f "_pmem", f, NULL, NULL, &domain_pmem }
extern enum vmem_domain domain_guest, domain_host, domain_pmem;

static inline enum vmem_domain domain_of(void **state)
{
	return *(enum vmem_domain *)*state;
}

/* Format and mount; log_blocks 0: the default. */
void up(struct ctx *c, enum vmem_domain domain, uint64_t size, uint64_t log_blocks);
void up_threaded(struct ctx *c, enum vmem_domain domain, uint64_t size);
/* Unmount; the check finds nothing, no memory is left. */
void down(struct ctx *c);
/* Mount what down() or a failure left. */
void again(struct ctx *c);
int try_mount(struct ctx *c, const struct vmem_mount_opts *opts);
/* down() and give the store back. */
void finish(struct ctx *c);
/* The failure happens now: nothing is unmounted, inodes in memory are gone. */
void fail_now(struct ctx *c, enum sim_failure kind);
/* As fail_now() and again(). */
void fail_and_mount(struct ctx *c, enum sim_failure kind);

static inline struct vmem_name N(const char *s)
{
	return (struct vmem_name){ s, strlen(s) };
}

#define S_FILE	0100644
#define S_DIR	0040755

/* Make name in dir; *vi is the new inode. */
void make(struct vmem_inode *dir, const char *name, unsigned int mode, struct vmem_inode *vi);
int try_make(struct vmem_inode *dir, const char *name, unsigned int mode, struct vmem_inode *vi);
/* Look name up and get it. */
void open_name(struct vmem_inode *dir, const char *name, struct vmem_inode *vi);
void put(struct vmem_inode *vi);
void unlink_name(struct vmem_inode *dir, const char *name);
bool exists(struct vmem_inode *dir, const char *name);

int64_t write_at(struct vmem_inode *vi, uint64_t off, const void *buf, size_t len);
int64_t read_at(struct vmem_inode *vi, uint64_t off, void *buf, size_t len);
/* Write len bytes that depend on seed and their place in the file. */
void write_pattern(struct vmem_inode *vi, uint64_t off, size_t len, unsigned int seed);
void expect_pattern(struct vmem_inode *vi, uint64_t off, size_t len, unsigned int seed);
void expect_zeros(struct vmem_inode *vi, uint64_t off, size_t len);
/* Every byte is readable as this. */
void expect_bytes(struct vmem_inode *vi, uint64_t off, const void *want, size_t len);

uint64_t free_blocks(struct ctx *c);
uint64_t flushes_of(struct ctx *c);
/* Store offset of a byte of the file; 0: a hole. */
uint64_t where(struct vmem_inode *vi, uint64_t off);

/* Write single blocks until the store is full; returns how many. */
uint64_t fill_store(struct vmem_inode *vi, uint64_t first_block);

#endif
