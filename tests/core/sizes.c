// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* sizes.c - see sizes.h */
#include "sizes.h"

void up_small(struct ctx *c, enum vmem_domain domain, enum shape shape, uint64_t size, uint64_t store)
{
	struct vmem_mkfs_params params = {
		.size = size, .log_blocks = 64, .max_size = shape == ONE_GROUP ? 16 * MiB : 0,
		.ag_blocks = shape == ONE_GROUP ? 0 : 512,
	};

	memset(c, 0, sizeof(*c));
	c->domain = domain;
	c->sim = sim_new(store, domain == VMEM_DOMAIN_PMEM ? VMEM_BACKING_DAX : VMEM_BACKING_PAGE_CACHE, 1);
	c->sim->snapshots = true;
	assert_int_equal(vmem_mkfs(&c->sim->store, &c->sim->env, &params), 0);
	again(c);
}

uint64_t size_of(struct ctx *c)
{
	struct vmem_statfs st;

	vmem_statfs(c->fs, &st);
	return st.blocks * BLOCK;
}

void make_file(struct ctx *c, const char *name, size_t len, unsigned int seed)
{
	struct vmem_inode vi;

	make(&c->root, name, S_FILE, &vi);
	write_pattern(&vi, 0, len, seed);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	put(&vi);
}

void expect_file(struct ctx *c, const char *name, size_t len, unsigned int seed)
{
	struct vmem_inode vi;

	open_name(&c->root, name, &vi);
	assert_int_equal(vmem_size(&vi), len);
	expect_pattern(&vi, 0, len, seed);
	put(&vi);
}

/* Write all there is; then it is as before. */
void use_everything(struct ctx *c)
{
	uint64_t before = free_blocks(c), nr;
	struct vmem_inode vi;

	make(&c->root, "all", S_FILE, &vi);
	nr = fill_store(&vi, 0);
	assert_true(nr + 40 > before);
	expect_pattern(&vi, 0, nr * BLOCK, 7);
	put(&vi);
	unlink_name(&c->root, "all");
	assert_int_equal(vmem_checkpoint(c->fs), 0);
	assert_int_equal(free_blocks(c), before);
}

const struct vmem_root *newest_root(const uint8_t *image)
{
	const struct vmem_root *a = (const void *)(image + BLOCK), *b = (const void *)(image + 2 * BLOCK);

	return vmem_get64(a->seq) > vmem_get64(b->seq) ? a : b;
}

/* What was there is there, the size is one of the two, and all space can be used. */
void expect_whole(struct ctx *c, uint64_t small, uint64_t large, bool done)
{
	uint64_t size = size_of(c);

	assert_true(size == large || (size == small && !done));
	assert_int_equal(vmem_get64(c->fs->root.grow_to), 0);
	expect_file(c, "old", 70000, 1);
	use_everything(c);
	finish(c);
}

void fail_nth(void *arg)
{
	struct nth *n = arg;

	if (n->left && !--n->left)
		n->sim->flush_fails = true;
}
