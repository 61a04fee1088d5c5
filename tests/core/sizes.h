/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* sizes.h - file systems that change their size, for test_grow and test_shrink */
#ifndef SIZES_H
#define SIZES_H

#include "fixture.h"
#include "fs/fs.h"

/* Two shapes of growth: new groups (of 512 blocks), and more of the only group. */
enum shape { GROUPS, ONE_GROUP, NR_SHAPES };

void up_small(struct ctx *c, enum vmem_domain domain, enum shape shape, uint64_t size, uint64_t store);
uint64_t size_of(struct ctx *c);
void make_file(struct ctx *c, const char *name, size_t len, unsigned int seed);
void expect_file(struct ctx *c, const char *name, size_t len, unsigned int seed);
void use_everything(struct ctx *c);
const struct vmem_root *newest_root(const uint8_t *image);
void expect_whole(struct ctx *c, uint64_t small, uint64_t large, bool done);

/* The n-th flush from now on fails, and all behind it: for sim->on_flush. */
struct nth {
	struct sim *sim;
	unsigned int left;
};

void fail_nth(void *arg);

#endif
