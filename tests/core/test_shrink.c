// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* test_shrink.c - shrinking what is not mounted */
#include "offline/repair.h"
#include "offline/shrink.h"
#include "sizes.h"

static uint64_t limit_of(struct ctx *c)
{
	uint64_t bytes;

	assert_int_equal(vmem_shrink_limit(&c->sim->store, &c->sim->env, &bytes), 0);
	return bytes;
}

static void what_is_free_at_the_end_is_cut(void **state)
{
	unsigned int shape;
	uint64_t least;
	struct ctx c;

	for (shape = 0; shape < NR_SHAPES; shape++) {
		up_small(&c, domain_of(state), (enum shape)shape, 6 * MiB, 6 * MiB);
		make_file(&c, "old", 70000, 1);
		make_file(&c, "behind", 3 * MiB, 2);
		down(&c);
		assert_int_equal(vmem_shrink(&c.sim->store, &c.sim->env, 6 * MiB + BLOCK), -EINVAL);
		least = limit_of(&c);
		assert_true(least > 3 * MiB && least < 5 * MiB + 100 * BLOCK);
		assert_int_equal(vmem_shrink(&c.sim->store, &c.sim->env, least - BLOCK), -ENOSPC);
		assert_int_equal(vmem_shrink(&c.sim->store, &c.sim->env, least + 200 * BLOCK), 0);
		assert_int_equal(sim_check(c.sim), 0);
		again(&c);
		assert_true(size_of(&c) <= least + 200 * BLOCK && size_of(&c) >= least);
		expect_file(&c, "behind", 3 * MiB, 2);
		unlink_name(&c.root, "behind");
		down(&c);
		least = limit_of(&c);
		assert_int_equal(vmem_shrink(&c.sim->store, &c.sim->env, least), 0);
		assert_int_equal(limit_of(&c), least);
		assert_int_equal(sim_check(c.sim), 0);
		again(&c);
		assert_int_equal(size_of(&c), least);
		use_everything(&c);
		assert_int_equal(vmem_grow(c.fs, 0), 0);
		expect_whole(&c, 0, 6 * MiB, true);
	}
}

/* ... also when little but metadata is left of the last group. */
static void a_last_group_with_a_block_in_use_stays(void **state)
{
	struct vmem_superblock *sb;
	struct vmem_inode vi;
	struct vmem_map map;
	uint64_t nr, least;
	struct ctx c;

	(void)state;
	up_small(&c, VMEM_DOMAIN_HOST, GROUPS, 4 * MiB, 4 * MiB);
	make(&c.root, "all", S_FILE, &vi);
	for (nr = fill_store(&vi, 0); nr; nr--) {
		assert_int_equal(vmem_map(&vi, nr - 1, 1, &map), 0);
		if (map.pblk < 512 + 60)
			break;
	}
	assert_int_equal(vmem_truncate(&vi, nr * BLOCK), 0);
	put(&vi);
	down(&c);
	sb = (void *)c.sim->now;
	least = limit_of(&c);
	assert_true(least > 512 * BLOCK);
	assert_true(least < (512 + 2 + vmem_get32(sb->itable_blocks) + 1 + 64) * BLOCK);
	assert_int_equal(vmem_shrink(&c.sim->store, &c.sim->env, least), 0);
	assert_int_equal(vmem_get64(sb->nr_blocks), least / BLOCK);
	/* As small as that already: nothing happens. */
	nr = c.sim->stores;
	assert_int_equal(vmem_shrink(&c.sim->store, &c.sim->env, least), 0);
	assert_int_equal(c.sim->stores, nr);
	assert_int_equal(sim_check(c.sim), 0);
	again(&c);
	open_name(&c.root, "all", &vi);
	expect_pattern(&vi, 0, vmem_size(&vi), 7);
	put(&vi);
	finish(&c);
}

static int shrink_result(struct ctx *c)
{
	uint64_t bytes;
	int err = vmem_shrink(&c->sim->store, &c->sim->env, 3 * MiB);

	if (err != -EROFS)
		assert_int_equal(vmem_shrink_limit(&c->sim->store, &c->sim->env, &bytes), err);
	return err;
}

static void what_is_no_sound_image_is_not_shrunk(void **state)
{
	struct vmem_superblock *sb, was;
	struct ctx c;

	(void)state;
	up_small(&c, VMEM_DOMAIN_HOST, GROUPS, 4 * MiB, 4 * MiB);
	down(&c);
	sb = (void *)c.sim->now;
	was = *sb;
	c.sim->store.size = 1 * MiB;
	assert_int_equal(shrink_result(&c), -EINVAL);
	c.sim->store.size = 3 * MiB;
	assert_int_equal(shrink_result(&c), -EUCLEAN);
	c.sim->store.size = 4 * MiB;
	sb->magic = vmem_le64_of(1);
	assert_int_equal(shrink_result(&c), -EINVAL);
	*sb = was;
	sb->incompat = vmem_le64_of(1ull << 40);
	assert_int_equal(shrink_result(&c), -EPROTONOSUPPORT);
	*sb = was;
	sb->label[0] ^= 1;
	assert_int_equal(shrink_result(&c), -EUCLEAN);
	*sb = was;
	c.sim->store.read_only = true;
	assert_int_equal(shrink_result(&c), -EROFS);
	c.sim->store.read_only = false;
	again(&c);
	assert_int_equal(size_of(&c), 4 * MiB);
	finish(&c);
}

static void what_was_not_unmounted_is_not_shrunk(void **state)
{
	struct ctx c;
	uint64_t bytes;

	(void)state;
	up_small(&c, VMEM_DOMAIN_HOST, GROUPS, 4 * MiB, 4 * MiB);
	fail_now(&c, SIM_GUEST);
	assert_int_equal(vmem_shrink_limit(&c.sim->store, &c.sim->env, &bytes), -EUCLEAN);
	assert_int_equal(vmem_shrink(&c.sim->store, &c.sim->env, 3 * MiB), -EUCLEAN);
	again(&c);
	finish(&c);
}

__attribute__((format(printf, 2, 0)))
static void no_report(void *ctx, const char *fmt, va_list ap)
{
	(void)ctx;
	(void)fmt;
	(void)ap;
}

static void tell_nobody(struct vmem_store *store, const void *addr, size_t len)
{
	(void)store;
	(void)addr;
	(void)len;
}

/* As fsck.vmemfs -p does it, which refuses what would lose something. */
static void preen(struct sim *sim)
{
	struct vmem_store store = sim->store;
	struct vmem_repair_params params = {
		.store = &store, .env = &sim->env, .domain = VMEM_DOMAIN_PMEM, .report = no_report,
	};
	struct vmem_repair_result result;

	store.backing = VMEM_BACKING_DAX;
	store.flush = NULL;
	store.writeback = tell_nobody;
	store.drain = NULL;
	store.recorded = NULL;
	assert_int_equal(vmem_repair(&params, &result), 0);
	assert_int_equal(result.unsafe, 0);
}

static void a_flush_that_fails_stops_a_shrink(void **state)
{
	unsigned int n;
	int err = -EIO;

	(void)state;
	for (n = 1; err; n++) {
		struct ctx c;
		struct nth nth;

		up_small(&c, VMEM_DOMAIN_HOST, GROUPS, 4 * MiB, 4 * MiB);
		make_file(&c, "old", 70000, 1);
		down(&c);
		nth = (struct nth){ c.sim, n };
		c.sim->on_flush = fail_nth;
		c.sim->on_flush_arg = &nth;
		err = vmem_shrink(&c.sim->store, &c.sim->env, 3 * MiB);
		assert_true(!err || err == -EIO);
		c.sim->on_flush = NULL;
		c.sim->flush_fails = false;
		if (err)
			preen(c.sim);
		again(&c);
		expect_whole(&c, 4 * MiB, 3 * MiB, !err);
	}
	assert_true(n > 6);
}

static void every_cut_of_a_shrink_is_repaired(void **state)
{
	enum sim_failure kind = (enum sim_failure)domain_of(state);
	struct vmem_mount_opts opts = { .domain = domain_of(state) };
	bool cut = true;
	uint64_t n;

	for (n = 1; cut; n++) {
		struct ctx c;
		int err;

		up_small(&c, domain_of(state), n % 2 ? GROUPS : ONE_GROUP, 4 * MiB, 4 * MiB);
		make_file(&c, "old", 70000, 1);
		down(&c);
		c.sim->rng += n;
		c.sim->fail_at = c.sim->stores + n;
		c.sim->fail_kind = kind;
		assert_int_equal(vmem_shrink(&c.sim->store, &c.sim->env, 3 * MiB), 0);
		cut = c.sim->left;
		sim_restart(c.sim, cut ? c.sim->left : sim_failed_image(c.sim, kind), kind);
		err = try_mount(&c, &opts);
		if (err) {
			assert_int_equal(err, -EUCLEAN);
			preen(c.sim);
		} else {
			assert_int_equal(vmem_umount(c.fs), 0);
		}
		again(&c);
		expect_whole(&c, 4 * MiB, 3 * MiB, !cut);
	}
	assert_true(n > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_DOMAIN(what_is_free_at_the_end_is_cut),
		cmocka_unit_test(a_last_group_with_a_block_in_use_stays),
		cmocka_unit_test(what_is_no_sound_image_is_not_shrunk),
		cmocka_unit_test(what_was_not_unmounted_is_not_shrunk),
		cmocka_unit_test(a_flush_that_fails_stops_a_shrink),
		EACH_DOMAIN(every_cut_of_a_shrink_is_repaired),
	};

	return cmocka_run_group_tests_name("shrink", tests, NULL, NULL);
}
