// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* test_space.c - orphans, the allocator, a store that is full, memory that is not there */
#include "big.h"
#include "fixture.h"
#include "fs/fs.h"

/* ---- Orphans ---- */

static void an_unlinked_open_file_can_be_read_and_written(void **state)
{
	struct vmem_inode vi;
	struct ctx c;
	uint64_t free;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	free = free_blocks(&c);
	write_pattern(&vi, 0, 20000, 1);
	assert_int_equal(vmem_unlink(&c.root, N("file"), &vi), 0);
	expect_pattern(&vi, 0, 20000, 1);
	write_pattern(&vi, 20000, 20000, 1);
	expect_pattern(&vi, 0, 40000, 1);
	put(&vi);
	assert_int_equal(free_blocks(&c), free);
	finish(&c);
}

static void recovery_frees_unlinked_open_files(void **state)
{
	struct vmem_inode vi;
	struct vmem_statfs before, after;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "other", S_FILE, &vi);
	put(&vi);
	vmem_statfs(c.fs, &before);
	make(&c.root, "file", S_FILE, &vi);
	write_pattern(&vi, 0, 200000, 1);
	assert_int_equal(vmem_unlink(&c.root, N("file"), &vi), 0);
	assert_int_equal(vmem_sync(c.fs), 0);
	fail_and_mount(&c, (enum sim_failure)c.domain);
	assert_int_equal(c.info.orphans, 1);
	vmem_statfs(c.fs, &after);
	assert_int_equal(after.free_blocks, before.free_blocks);
	assert_int_equal(after.free_inodes, before.free_inodes);
	finish(&c);
}

static void a_temporary_file_is_gone_unless_it_got_a_name(void **state)
{
	struct vmem_attr attr = { .mode = S_FILE };
	struct vmem_inode named, unnamed;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	assert_int_equal(vmem_tmpfile(c.fs, &attr, VMEM_ROOT_INO, &named), 0);
	assert_int_equal(vmem_tmpfile(c.fs, &attr, VMEM_ROOT_INO, &unnamed), 0);
	write_pattern(&named, 0, 5000, 1);
	write_pattern(&unnamed, 0, 5000, 2);
	assert_int_equal(vmem_link(&c.root, N("name"), &named), 0);
	assert_int_equal(vmem_sync(c.fs), 0);
	fail_and_mount(&c, (enum sim_failure)c.domain);
	assert_int_equal(c.info.orphans, 1);
	open_name(&c.root, "name", &named);
	expect_pattern(&named, 0, 5000, 1);
	put(&named);
	finish(&c);
}

/* Many records: a failure after each store leaves either size, and no lost block. */
static void a_long_truncate_is_finished_by_recovery(void **state)
{
	enum vmem_domain domain = domain_of(state);
	uint64_t at;
	bool cut = true;

	for (at = 1; cut; at += 37) {
		struct vmem_inode vi;
		struct ctx c;
		uint64_t size;
		unsigned int i;

		up(&c, domain, 8 * MiB, 0);
		c.sim->rng += at;
		make(&c.root, "file", S_FILE, &vi);
		for (i = 0; i < 400; i++)
			write_pattern(&vi, 2ull * i * BLOCK, BLOCK, 1);
		assert_int_equal(vmem_sync(c.fs), 0);
		c.sim->fail_kind = (enum sim_failure)domain;
		c.sim->fail_at = c.sim->stores + at;
		assert_int_equal(vmem_truncate(&vi, 1000), 0);
		cut = c.sim->left;
		if (!cut)
			c.sim->left = sim_failed_image(c.sim, c.sim->fail_kind);
		sim_restart(c.sim, c.sim->left, c.sim->fail_kind);
		again(&c);
		open_name(&c.root, "file", &vi);
		size = vmem_size(&vi);
		assert_true(size == 1000 || size == 799 * BLOCK);
		expect_pattern(&vi, 0, 1000, 1);
		assert_int_equal(vmem_truncate(&vi, 50000), 0);
		if (size == 1000)
			expect_zeros(&vi, 1000, 49000);
		put(&vi);
		finish(&c);
	}
}

/* ---- A full store ---- */

static void a_full_store_says_so_and_its_space_comes_back(void **state)
{
	struct vmem_inode vi;
	struct ctx c;
	uint64_t free, nr;
	unsigned int round;

	up(&c, domain_of(state), 8 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	put(&vi);
	free = free_blocks(&c);
	for (round = 0; round < 3; round++) {
		open_name(&c.root, "file", &vi);
		nr = fill_store(&vi, 0);
		assert_true(nr > free - 64);
		assert_true(free_blocks(&c) <= VMEM_RESERVED_BLOCKS);
		expect_pattern(&vi, 0, nr * BLOCK, 7);
		put(&vi);
		down(&c);
		again(&c);
		open_name(&c.root, "file", &vi);
		expect_pattern(&vi, 0, nr * BLOCK, 7);
		assert_int_equal(vmem_truncate(&vi, 0), 0);
		put(&vi);
		assert_int_equal(free_blocks(&c), free);
	}
	finish(&c);
}

/* What is free is often in the group's part that is looked at first. */
static void files_that_grow_in_turn_fill_a_small_store(void **state)
{
	struct vmem_inode vi[2];
	unsigned int i = 0;
	struct ctx c;

	up(&c, domain_of(state), 4 * MiB, 0);
	make(&c.root, "one", S_FILE, &vi[0]);
	make(&c.root, "two", S_FILE, &vi[1]);
	while (write_at(&vi[i % 2], i / 2 * (uint64_t)BLOCK, c.sim->now, BLOCK) == BLOCK)
		i++;
	/* The last block had no room for the nodes that it splits. */
	assert_true(free_blocks(&c) <= VMEM_RESERVED_BLOCKS + 2);
	put(&vi[0]);
	put(&vi[1]);
	finish(&c);
}

static void a_large_write_to_a_full_store_is_short(void **state)
{
	struct vmem_inode vi;
	uint8_t *buf = calloc(1, 16 * MiB);
	struct ctx c;
	int64_t n;

	up(&c, domain_of(state), 8 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	n = write_at(&vi, 0, buf, 16 * MiB);
	assert_true(n > 6 * (int64_t)MiB && n < 8 * (int64_t)MiB);
	assert_int_equal(vmem_size(&vi), n);
	assert_int_equal(write_at(&vi, (uint64_t)n, buf, BLOCK), -ENOSPC);
	expect_zeros(&vi, 0, (size_t)n);
	free(buf);
	put(&vi);
	finish(&c);
}

/* Names of 255 bytes, each another. */
static const char *long_name(unsigned int i)
{
	static char name[256];

	memset(name, 'l', 255);
	snprintf(name, 11, "%010u", i);
	name[10] = 'l';
	return name;
}

static unsigned int make_until_full(struct ctx *c)
{
	struct vmem_inode vi;
	unsigned int nr = 0;
	int err;

	while (!(err = try_make(&c->root, long_name(nr), S_FILE, &vi))) {
		put(&vi);
		nr++;
	}
	assert_int_equal(err, -ENOSPC);
	return nr;
}

/* Names take no inode, so they go on until the directory gets no block. */
static unsigned int link_until_full(struct ctx *c, struct vmem_inode *vi)
{
	unsigned int nr = 0;
	int err;

	while (!(err = vmem_link(&c->root, N(long_name(nr)), vi)))
		nr++;
	assert_int_equal(err, -ENOSPC);
	return nr;
}

static void running_out_of_inodes_is_no_damage(void **state)
{
	struct vmem_statfs st;
	struct ctx c;
	unsigned int nr;

	up(&c, domain_of(state), 8 * MiB, 0);
	vmem_statfs(c.fs, &st);
	nr = make_until_full(&c);
	assert_int_equal(nr, st.free_inodes);
	down(&c);
	again(&c);
	finish(&c);
}

static void a_store_filled_by_names_can_be_emptied(void **state)
{
	struct vmem_inode vi, linked;
	struct ctx c;
	unsigned int i, nr;

	up(&c, domain_of(state), 4 * MiB, 0);
	make(&c.root, "linked", S_FILE, &linked);
	make(&c.root, "file", S_FILE, &vi);
	fill_store(&vi, 0);
	nr = link_until_full(&c, &linked);
	assert_int_equal(vmem_sync(c.fs), 0);
	for (i = 0; i < nr; i++)
		assert_int_equal(vmem_unlink(&c.root, N(long_name(i)), &linked), 0);
	assert_int_equal(vmem_truncate(&vi, 0), 0);
	assert_true(fill_store(&vi, 0) > 100);
	put(&vi);
	put(&linked);
	finish(&c);
}

static void a_file_can_be_cut_inside_a_block_when_the_store_is_full(void **state)
{
	struct vmem_inode vi, linked;
	struct ctx c;
	uint64_t nr;

	up(&c, domain_of(state), 4 * MiB, 0);
	make(&c.root, "linked", S_FILE, &linked);
	make(&c.root, "file", S_FILE, &vi);
	nr = fill_store(&vi, 0);
	link_until_full(&c, &linked);
	assert_int_equal(vmem_truncate(&vi, (nr - 1) * BLOCK + 100), 0);
	expect_pattern(&vi, 0, (nr - 1) * BLOCK + 100, 7);
	put(&vi);
	put(&linked);
	finish(&c);
}

static void no_block_is_given_out_twice(void **state)
{
	struct vmem_inode vi[4];
	char name[8];
	struct ctx c;
	unsigned int i, k;

	up(&c, domain_of(state), 16 * MiB, 0);
	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		make(&c.root, name, S_FILE, &vi[i]);
	}
	for (k = 0; k < 300; k++) {
		i = (unsigned int)sim_random(c.sim, 4);
		if (sim_random(c.sim, 10) == 0)
			assert_int_equal(vmem_truncate(&vi[i], 0), 0);
		else
			write_pattern(&vi[i], vmem_size(&vi[i]), 1 + sim_random(c.sim, 20000), i);
	}
	for (i = 0; i < 4; i++) {
		expect_pattern(&vi[i], 0, vmem_size(&vi[i]), i);
		put(&vi[i]);
	}
	finish(&c);
}

/* The block of a removed file must not be reused before the removal is durable. */
static void freed_blocks_keep_their_bytes_until_the_host_cannot_bring_the_file_back(void **state)
{
	struct vmem_inode vi, next;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 4 * MiB, 0);
	make(&c.root, "old", S_FILE, &vi);
	write_pattern(&vi, 0, 100000, 1);
	make(&c.root, "new", S_FILE, &next);
	assert_int_equal(vmem_sync(c.fs), 0);
	assert_int_equal(vmem_unlink(&c.root, N("old"), &vi), 0);
	put(&vi);
	/* Written, never synced, but the host writes pages back as it likes. */
	write_pattern(&next, 0, 2 * MiB, 2);
	memcpy(c.sim->durable + c.fs->log_off + c.fs->log_size,
	       c.sim->now + c.fs->log_off + c.fs->log_size,
	       c.sim->size - c.fs->log_off - c.fs->log_size - BLOCK);
	{
		uint8_t *image = big_alloc(c.sim->size);

		memcpy(image, c.sim->durable, c.sim->size);
		sim_restart(c.sim, image, SIM_HOST);
	}
	again(&c);
	open_name(&c.root, "old", &vi);
	expect_pattern(&vi, 0, 100000, 1);
	put(&vi);
	finish(&c);
}

/* ---- Memory ---- */

static int some_operations(struct ctx *c)
{
	struct vmem_inode dir, vi;
	unsigned int i;
	int err = try_make(&c->root, "dir", S_DIR, &dir);

	if (err)
		return err;
	for (i = 0; !err && i < 40; i++) {
		const char *name = long_name(i);

		err = try_make(&dir, name, S_FILE, &vi);
		if (!err && i % 10 == 3) {
			uint8_t buf[5000] = { 1 };
			int64_t n = write_at(&vi, i * 1000ull, buf, sizeof(buf));

			err = n < 0 ? (int)n : 0;
			if (!err)
				err = vmem_truncate(&vi, 4242);
		}
		if (!err && i % 7 == 0)
			err = vmem_rename(&dir, N(name), &vi, &c->root, N(name), NULL, 0);
		if (!err && i % 7 && i % 9 == 2)
			err = vmem_unlink(&dir, N(name), &vi);
		if (!err)
			err = vmem_iput(&vi);
	}
	return err;
}

/* Each allocation fails in turn; what was done before is there, and nothing is damaged. */
static void out_of_memory_is_an_error_and_no_damage(void **state)
{
	enum vmem_domain domain = domain_of(state);
	unsigned int nth;
	bool reached = true;

	for (nth = 1; reached; nth++) {
		struct ctx c;
		int err;

		up(&c, domain, 4 * MiB, 0);
		c.sim->alloc_fails_at = c.sim->allocs + nth;
		err = some_operations(&c);
		reached = c.sim->allocs >= c.sim->alloc_fails_at;
		c.sim->alloc_fails_at = 0;
		assert_true(!err || err == -ENOMEM);
		if (vmem_is_read_only(c.fs))
			fail_msg("allocation %u turned the mount read-only", nth);
		fail_and_mount(&c, SIM_GUEST);
		finish(&c);
	}
	assert_true(nth > 20);
}

static void a_mount_without_memory_fails_and_frees_what_it_got(void **state)
{
	struct vmem_mount_opts opts = { .domain = domain_of(state) };
	unsigned int nth;
	struct vmem_inode vi;
	struct ctx c;
	int err = -ENOMEM;

	up(&c, opts.domain, 4 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	fail_now(&c, SIM_GUEST);
	for (nth = 1; err; nth++) {
		c.sim->alloc_fails_at = c.sim->allocs + nth;
		err = try_mount(&c, &opts);
		assert_true(!err || err == -ENOMEM);
		if (err)
			assert_int_equal(c.sim->live, 0);
	}
	c.sim->alloc_fails_at = 0;
	assert_int_equal(vmem_iget(c.fs, VMEM_ROOT_INO, &c.root), 0);
	assert_true(exists(&c.root, "file"));
	finish(&c);
}

/* Wherever memory ends in it: its storage is free at the latest when it is put again. */
static void an_inode_whose_put_failed_can_be_put_again(void **state)
{
	unsigned int nth, i, failures = 0;
	bool reached = true;

	for (nth = 1; reached; nth++) {
		struct vmem_statfs before, after;
		struct vmem_inode vi;
		struct ctx c;
		int err;

		up(&c, domain_of(state), 8 * MiB, 0);
		make(&c.root, "pieces", S_FILE, &vi);
		vmem_statfs(c.fs, &before);
		for (i = 0; i < 300; i++)
			write_pattern(&vi, 2 * i * BLOCK, BLOCK, i);
		assert_int_equal(vmem_unlink(&c.root, N("pieces"), &vi), 0);
		/* What it needs is in memory no more. */
		assert_int_equal(vmem_checkpoint(c.fs), 0);
		vmem_overlay_drop(c.fs, false);
		c.sim->alloc_fails_at = c.sim->allocs + nth;
		err = vmem_iput(&vi);
		reached = c.sim->allocs >= c.sim->alloc_fails_at;
		c.sim->alloc_fails_at = 0;
		if (err) {
			failures++;
			assert_int_equal(err, -ENOMEM);
			vmem_statfs(c.fs, &after);
			assert_int_equal(after.free_inodes, before.free_inodes);
			put(&vi);
		}
		assert_int_equal(vmem_checkpoint(c.fs), 0);
		vmem_statfs(c.fs, &after);
		assert_int_equal(after.free_inodes, before.free_inodes + 1);
		assert_int_equal(after.free_blocks, before.free_blocks);
		finish(&c);
	}
	assert_true(failures);
}

/* The n-th allocation of memory fails; then no block and no inode is gone. */
static bool make_or_take_nothing(struct ctx *c, const char *name, unsigned int nth)
{
	struct vmem_statfs before, after;
	struct vmem_inode vi;
	int err;

	vmem_statfs(c->fs, &before);
	c->sim->alloc_fails_at = c->sim->allocs + nth;
	err = try_make(&c->root, name, S_FILE, &vi);
	c->sim->alloc_fails_at = 0;
	if (!err) {
		put(&vi);
		return true;
	}
	assert_int_equal(err, -ENOMEM);
	vmem_statfs(c->fs, &after);
	assert_int_equal(after.free_blocks, before.free_blocks);
	assert_int_equal(after.free_inodes, before.free_inodes);
	return false;
}

/* The node of a transaction that was taken back is not written over data. */
static void an_aborted_split_does_not_overwrite_file_data(void **state)
{
	struct vmem_inode vi, data;
	unsigned int nth, i, failed = 0;
	struct ctx c;

	(void)state;
	for (nth = 1; nth < 12; nth++) {
		up(&c, VMEM_DOMAIN_HOST, 4 * MiB, 0);
		make(&c.root, "data", S_FILE, &data);
		for (i = 0; i < 12; i++) {
			make(&c.root, long_name(i), S_FILE, &vi);
			put(&vi);
		}
		/* The next names split the leaf. */
		for (; i < 16; i++)
			failed += !make_or_take_nothing(&c, long_name(i), nth);
		fill_store(&data, 0);
		assert_int_equal(vmem_checkpoint(c.fs), 0);
		expect_pattern(&data, 0, vmem_size(&data), 7);
		put(&data);
		finish(&c);
	}
	assert_true(failed > 3);
}

static void blocks_of_a_failed_create_come_back(void **state)
{
	struct vmem_attr attr = { .mode = 0777 };
	char target[1000];
	struct vmem_inode vi;
	struct ctx c;
	uint64_t free;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 4 * MiB, 0);
	make(&c.root, "name", S_FILE, &vi);
	free = free_blocks(&c);
	memset(target, 't', sizeof(target));
	assert_int_equal(vmem_symlink(&c.root, N("name"), target, 1000, &attr, &vi), -EEXIST);
	assert_int_equal(free_blocks(&c), free);
	/* Nor an inode: what the next one writes of its group is right. */
	assert_int_equal(try_make(&c.root, "name", S_DIR, &vi), -EEXIST);
	make(&c.root, "other", S_FILE, &vi);
	put(&vi);
	finish(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_DOMAIN(an_unlinked_open_file_can_be_read_and_written),
		EACH_DOMAIN(recovery_frees_unlinked_open_files),
		EACH_DOMAIN(a_temporary_file_is_gone_unless_it_got_a_name),
		EACH_DOMAIN(a_long_truncate_is_finished_by_recovery),
		EACH_DOMAIN(a_full_store_says_so_and_its_space_comes_back),
		EACH_DOMAIN(files_that_grow_in_turn_fill_a_small_store),
		EACH_DOMAIN(a_large_write_to_a_full_store_is_short),
		EACH_DOMAIN(running_out_of_inodes_is_no_damage),
		EACH_DOMAIN(a_store_filled_by_names_can_be_emptied),
		EACH_DOMAIN(a_file_can_be_cut_inside_a_block_when_the_store_is_full),
		EACH_DOMAIN(no_block_is_given_out_twice),
		cmocka_unit_test(freed_blocks_keep_their_bytes_until_the_host_cannot_bring_the_file_back),
		EACH_DOMAIN(out_of_memory_is_an_error_and_no_damage),
		EACH_DOMAIN(a_mount_without_memory_fails_and_frees_what_it_got),
		EACH_DOMAIN(an_inode_whose_put_failed_can_be_put_again),
		cmocka_unit_test(an_aborted_split_does_not_overwrite_file_data),
		cmocka_unit_test(blocks_of_a_failed_create_come_back),
	};

	return cmocka_run_group_tests_name("space", tests, NULL, NULL);
}
