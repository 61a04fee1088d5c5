// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* test_grow.c - growing while mounted */
#include "medium/hash.h"
#include "sizes.h"

/* ---- Growing ---- */

static void it_grows_by_groups_while_it_is_used(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	up_small(&c, domain_of(state), GROUPS, 2 * MiB, 5 * MiB);
	assert_int_equal(size_of(&c), 2 * MiB);
	make_file(&c, "old", 300000, 1);
	make(&c.root, "open", S_FILE, &vi);
	assert_int_equal(vmem_grow(c.fs, 0), 0);
	assert_int_equal(size_of(&c), 5 * MiB);
	write_pattern(&vi, 0, 3 * MiB, 2);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	expect_file(&c, "old", 300000, 1);
	fail_and_mount(&c, (enum sim_failure)c.domain);
	assert_int_equal(size_of(&c), 5 * MiB);
	expect_file(&c, "old", 300000, 1);
	expect_file(&c, "open", 3 * MiB, 2);
	unlink_name(&c.root, "open");
	use_everything(&c);
	finish(&c);
}

static void its_last_group_grows_step_by_step(void **state)
{
	uint64_t size, was;
	struct ctx c;

	up_small(&c, domain_of(state), ONE_GROUP, 2 * MiB, 5 * MiB);
	make_file(&c, "old", 300000, 1);
	for (size = 2 * MiB + BLOCK; size <= 5 * MiB; size += 37 * BLOCK) {
		was = free_blocks(&c);
		assert_int_equal(vmem_grow(c.fs, size), 0);
		assert_int_equal(size_of(&c), size);
		assert_int_equal(free_blocks(&c) - was, size == 2 * MiB + BLOCK ? 1 : 37);
	}
	use_everything(&c);
	down(&c);
	again(&c);
	expect_file(&c, "old", 300000, 1);
	finish(&c);
}

static void new_groups_have_room_for_names(void **state)
{
	struct vmem_statfs before, after;
	struct vmem_inode vi;
	char name[16];
	unsigned int i;
	struct ctx c;

	up_small(&c, domain_of(state), GROUPS, 2 * MiB, 4 * MiB);
	vmem_statfs(c.fs, &before);
	assert_int_equal(vmem_grow(c.fs, 4 * MiB), 0);
	vmem_statfs(c.fs, &after);
	assert_int_equal(after.inodes, 2 * before.inodes);
	assert_int_equal(after.free_inodes, before.free_inodes + before.inodes);
	for (i = 0; i < after.free_inodes; i++) {
		snprintf(name, sizeof(name), "%u", i);
		make(&c.root, name, S_FILE, &vi);
		put(&vi);
	}
	assert_int_equal(try_make(&c.root, "more", S_FILE, &vi), -ENOSPC);
	finish(&c);
}

/* Copies of the descriptors' block that wait to go home know of the new groups. */
static void what_waits_for_a_checkpoint_does_not_undo_it(void **state)
{
	struct ctx c;

	up_small(&c, domain_of(state), GROUPS, 2 * MiB, 5 * MiB);
	make_file(&c, "before", 5000, 1);
	assert_int_equal(vmem_grow(c.fs, 0), 0);
	make_file(&c, "after", 5000, 2);
	assert_int_equal(vmem_checkpoint(c.fs), 0);
	down(&c);
	again(&c);
	use_everything(&c);
	expect_file(&c, "before", 5000, 1);
	expect_file(&c, "after", 5000, 2);
	finish(&c);
}

static void a_last_group_that_would_hold_nothing_is_left_out(void **state)
{
	struct ctx c;

	(void)state;
	up_small(&c, VMEM_DOMAIN_HOST, GROUPS, 2 * MiB, 5 * MiB);
	assert_int_equal(vmem_grow(c.fs, 2 * MiB + 20 * BLOCK), 0);
	assert_int_equal(size_of(&c), 2 * MiB);
	assert_int_equal(vmem_grow(c.fs, 4 * MiB + 30 * BLOCK), 0);
	assert_int_equal(size_of(&c), 4 * MiB);
	finish(&c);
}

static void what_is_impossible_is_refused_and_changes_nothing(void **state)
{
	struct vmem_mount_opts read_only = { .read_only = true };
	uint64_t stores;
	struct ctx c;

	(void)state;
	up_small(&c, VMEM_DOMAIN_HOST, GROUPS, 2 * MiB, 5 * MiB);
	stores = c.sim->stores;
	assert_int_equal(vmem_grow(c.fs, 2 * MiB), 0);
	assert_int_equal(vmem_grow(c.fs, 2 * MiB - BLOCK), -EINVAL);
	assert_int_equal(vmem_grow(c.fs, 5 * MiB + 1), -EINVAL);
	/* One block of descriptors: 128 groups of 2 MiB. */
	c.sim->store.size = 300 * MiB;
	assert_int_equal(vmem_grow(c.fs, 0), -EFBIG);
	assert_non_null(strstr(c.sim->last_log, "256 MiB"));
	assert_int_equal(vmem_grow(c.fs, 256 * MiB + 2 * MiB), -EFBIG);
	c.sim->store.size = 5 * MiB;
	assert_int_equal(c.sim->stores, stores);
	down(&c);
	assert_int_equal(try_mount(&c, &read_only), 0);
	assert_int_equal(vmem_grow(c.fs, 0), -EROFS);
	assert_int_equal(vmem_umount(c.fs), 0);
	again(&c);
	finish(&c);
}

static void a_damaged_backup_is_written_anew_and_a_damaged_superblock_refused(void **state)
{
	struct ctx c;

	(void)state;
	up_small(&c, VMEM_DOMAIN_HOST, GROUPS, 2 * MiB, 4 * MiB);
	c.sim->now[2 * MiB - BLOCK + 70] ^= 1;
	assert_int_equal(vmem_grow(c.fs, 3 * MiB), 0);
	down(&c);
	again(&c);
	c.sim->now[70] ^= 1;
	assert_int_equal(vmem_grow(c.fs, 4 * MiB), -EUCLEAN);
	put(&c.root);
	assert_int_equal(vmem_umount(c.fs), 0);
	c.sim->now[70] ^= 1;
	again(&c);
	assert_int_equal(size_of(&c), 3 * MiB);
	finish(&c);
}

/* ---- Failures ---- */

/* Fail at the n-th store of a growth, and again in the mount; false: it has no more. */
static bool fail_growing(enum vmem_domain domain, enum shape shape, uint64_t nth, enum sim_failure kind)
{
	const uint64_t small = 2 * MiB, large = 3 * MiB - 40 * BLOCK;
	bool cut;
	struct ctx c;

	up_small(&c, domain, shape, small, 3 * MiB);
	c.sim->rng += nth * 77;
	make_file(&c, "old", 70000, 1);
	c.sim->fail_at = c.sim->stores + nth;
	c.sim->fail_kind = kind;
	assert_int_equal(vmem_grow(c.fs, large), 0);
	cut = c.sim->left;
	sim_restart(c.sim, cut ? c.sim->left : sim_failed_image(c.sim, kind), kind);
	c.sim->fail_at = c.sim->stores + 1 + sim_random(c.sim, 24);
	again(&c);
	if (c.sim->left) {
		sim_restart(c.sim, c.sim->left, kind);
		again(&c);
	}
	c.sim->fail_at = 0;
	expect_whole(&c, small, large, !cut);
	return cut;
}

static void every_cut_leaves_the_old_or_the_new_size(void **state)
{
	enum vmem_domain domain = domain_of(state);
	unsigned int shape;
	uint64_t n;

	for (shape = 0; shape < NR_SHAPES; shape++) {
		for (n = 1; fail_growing(domain, (enum shape)shape, n, (enum sim_failure)domain); n++)
			;
		assert_true(n > 12);
		/* A kill of the VM alone, in the domain host. */
		for (n = 1; domain == VMEM_DOMAIN_HOST &&
			    fail_growing(domain, (enum shape)shape, n, SIM_GUEST); n++)
			;
	}
}

/* Growing, cut right after the root that says so. */
static void up_cut(struct ctx *c, enum shape shape)
{
	uint64_t n = 0;

	do {
		if (n)
			sim_free(c->sim);
		up_small(c, VMEM_DOMAIN_HOST, shape, 2 * MiB, 3 * MiB);
		make_file(c, "old", 70000, 1);
		c->sim->fail_at = c->sim->stores + ++n;
		c->sim->fail_kind = SIM_GUEST;
		assert_int_equal(vmem_grow(c->fs, 0), 0);
		assert_non_null(c->sim->left);
	} while (!vmem_get64(newest_root(c->sim->left)->grow_to));
	sim_restart(c->sim, c->sim->left, SIM_GUEST);
}

static void a_torn_superblock_is_made_from_the_old_backup(void **state)
{
	struct vmem_superblock *sb;
	struct ctx c;

	(void)state;
	up_cut(&c, GROUPS);
	sb = (void *)c.sim->now;
	sb->nr_blocks = vmem_le64_of(3 * MiB / BLOCK);
	sb->nr_ags = vmem_le32_of(77);
	again(&c);
	expect_whole(&c, 0, 3 * MiB, true);
}

static void a_mount_that_cannot_write_has_the_new_size(void **state)
{
	struct vmem_mount_opts no_recovery = { .no_recovery = true };
	struct vmem_superblock *sb;
	uint64_t stores;
	struct ctx c;

	(void)state;
	up_cut(&c, ONE_GROUP);
	sb = (void *)c.sim->now;
	sb->csum = vmem_le32_of(0);
	stores = c.sim->stores;
	assert_int_equal(try_mount(&c, &no_recovery), 0);
	assert_int_equal(size_of(&c), 3 * MiB);
	assert_int_equal(vmem_umount(c.fs), 0);
	c.sim->store.read_only = true;
	again(&c);
	assert_int_equal(size_of(&c), 3 * MiB);
	expect_file(&c, "old", 70000, 1);
	put(&c.root);
	assert_int_equal(vmem_umount(c.fs), 0);
	assert_int_equal(c.sim->stores, stores);
	c.sim->store.read_only = false;
	again(&c);
	expect_whole(&c, 0, 3 * MiB, true);
}

/* It keeps what it does not know in the root, and counts its mounts. */
static void a_mount_by_an_older_vmemfs_ends_the_growth(void **state)
{
	struct vmem_root *r;
	unsigned int shape;
	struct ctx c;

	(void)state;
	for (shape = 0; shape < NR_SHAPES; shape++) {
		up_cut(&c, (enum shape)shape);
		r = (void *)(uintptr_t)newest_root(c.sim->now);
		r->mount_count = vmem_le64_of(vmem_get64(r->mount_count) + 1);
		r->csum = vmem_le32_of(vmem_root_csum(vmem_crc32c, r));
		again(&c);
		assert_int_equal(size_of(&c), 2 * MiB);
		assert_int_equal(vmem_grow(c.fs, 0), 0);
		expect_whole(&c, 0, 3 * MiB, true);
	}
}

/* The new part of the file was never written to the disk, say, and the copy lacks it. */
static void a_store_that_lacks_the_new_part_is_as_before(void **state)
{
	struct ctx c;

	(void)state;
	up_cut(&c, GROUPS);
	c.sim->store.size = 2 * MiB;
	again(&c);
	assert_int_equal(size_of(&c), 2 * MiB);
	expect_file(&c, "old", 70000, 1);
	c.sim->store.size = 3 * MiB;
	assert_int_equal(vmem_grow(c.fs, 0), 0);
	expect_whole(&c, 0, 3 * MiB, true);
}

/* A root that claims a growth, and a backup to go with it: sealed, but nonsense. */
static void forge(struct sim *sim, uint64_t from, uint64_t to)
{
	struct vmem_superblock sb;
	struct vmem_root *r = (void *)(uintptr_t)newest_root(sim->now);
	uint64_t word = sim_random(sim, 13) * 8;

	memcpy(&sb, sim->now, sizeof(sb));
	sb.nr_blocks = vmem_le64_of(from);
	sb.backup = vmem_le64_of(from - 1);
	if (sim_random(sim, 2))
		((uint8_t *)&sb)[120 + (word < 72 ? word : 0)] ^= (uint8_t)(1u << sim_random(sim, 8));
	sb.csum = vmem_le32_of(vmem_superblock_csum(vmem_crc32c, &sb));
	memcpy(sim->now + (from - 1) * BLOCK, &sb, sizeof(sb));
	r->grow_from = vmem_le64_of(from);
	r->grow_to = vmem_le64_of(to);
	r->grow_mount = r->mount_count;
	r->csum = vmem_le32_of(vmem_root_csum(vmem_crc32c, r));
}

static void a_forged_growth_does_no_harm_to_the_program(void **state)
{
	struct vmem_mount_opts opts = { .domain = VMEM_DOMAIN_HOST };
	unsigned int i, mounted = 0;
	uint8_t *image;
	struct ctx c;

	(void)state;
	up_small(&c, VMEM_DOMAIN_HOST, GROUPS, 2 * MiB, 3 * MiB);
	make_file(&c, "old", 70000, 1);
	down(&c);
	image = malloc(c.sim->size);
	memcpy(image, c.sim->now, c.sim->size);
	c.sim->quiet = true;
	for (i = 0; i < 300; i++) {
		uint64_t from = 512 + (sim_random(c.sim, 2) ? 0 : sim_random(c.sim, 256));

		memcpy(c.sim->now, image, c.sim->size);
		forge(c.sim, from, from + 1 + sim_random(c.sim, 256));
		if (!try_mount(&c, &opts)) {
			mounted++;
			if (!vmem_iget(c.fs, VMEM_ROOT_INO, &c.root))
				put(&c.root);
			vmem_umount(c.fs);
		}
		assert_int_equal(c.sim->live, 0);
	}
	assert_true(mounted > 50);
	free(image);
	sim_free(c.sim);
}

static void without_memory_it_stays_as_it_was(void **state)
{
	unsigned int shape;
	struct ctx c;
	uint64_t n;
	int err;

	for (shape = 0; shape < NR_SHAPES; shape++)
		for (n = 1, err = -ENOMEM; err; n++) {
			up_small(&c, domain_of(state), (enum shape)shape, 2 * MiB, 3 * MiB);
			make_file(&c, "old", 70000, 1);
			/* What is not in memory takes memory. */
			down(&c);
			again(&c);
			c.sim->alloc_fails_at = c.sim->allocs + n;
			err = vmem_grow(c.fs, 0);
			c.sim->alloc_fails_at = 0;
			assert_true(!err || err == -ENOMEM);
			if (err && n % 2) {
				make_file(&c, "more", 5000, 2);
				down(&c);
				again(&c);
			}
			assert_int_equal(vmem_grow(c.fs, 0), 0);
			expect_whole(&c, 0, 3 * MiB, true);
		}
}

/* The log is so full that the next operation waits for a checkpoint. */
static void fill_log(struct ctx *c)
{
	struct vmem_attr attr = { 0 };
	struct vmem_inode vi;

	make(&c->root, "filler", S_FILE, &vi);
	while (c->fs->head - c->fs->tail + VMEM_LOG_SLACK <= c->fs->log_size) {
		attr.mode ^= 0100;
		assert_int_equal(vmem_setattr(&vi, VMEM_SET_MODE, &attr), 0);
	}
	put(&vi);
}

static void with_a_full_log_it_makes_room_for_its_record(void **state)
{
	struct ctx c;

	up_small(&c, domain_of(state), ONE_GROUP, 2 * MiB, 3 * MiB);
	make_file(&c, "old", 70000, 1);
	fill_log(&c);
	assert_int_equal(vmem_grow(c.fs, 0), 0);
	assert_true(c.fs->head - c.fs->tail + VMEM_LOG_SLACK <= c.fs->log_size);
	fail_and_mount(&c, (enum sim_failure)c.domain);
	unlink_name(&c.root, "filler");
	expect_whole(&c, 0, 3 * MiB, true);
}

static void with_a_full_log_that_cannot_be_flushed_it_stays_as_it_was(void **state)
{
	struct ctx c;

	(void)state;
	up_small(&c, VMEM_DOMAIN_HOST, ONE_GROUP, 2 * MiB, 3 * MiB);
	make_file(&c, "old", 70000, 1);
	fill_log(&c);
	c.sim->flush_fails = true;
	assert_int_equal(vmem_grow(c.fs, 0), -EIO);
	assert_int_equal(size_of(&c), 2 * MiB);
	c.sim->flush_fails = false;
	fail_and_mount(&c, SIM_GUEST);
	assert_int_equal(size_of(&c), 2 * MiB);
	unlink_name(&c.root, "filler");
	assert_int_equal(vmem_grow(c.fs, 0), 0);
	expect_whole(&c, 0, 3 * MiB, true);
}

/*
 * It has grown, but for its end: that is due before the file system becomes read-only,
 * or, if the host fails, in the next mount.
 */
static void a_growth_without_memory_ends_before_a_remount(void **state)
{
	unsigned int found = 0;
	struct ctx c;
	uint64_t n;
	int err = -ENOMEM;

	for (n = 1; err; n++) {
		up_small(&c, domain_of(state), ONE_GROUP, 2 * MiB, 3 * MiB);
		make_file(&c, "old", 70000, 1);
		down(&c);
		again(&c);
		c.sim->alloc_fails_at = c.sim->allocs + n;
		err = vmem_grow(c.fs, 0);
		c.sim->alloc_fails_at = 0;
		if (err && vmem_get64(c.fs->root.grow_to) && !found && c.domain == VMEM_DOMAIN_HOST) {
			found++;
			c.sim->flush_fails = true;
			assert_int_equal(vmem_remount(c.fs, true), -EIO);
			assert_true(vmem_is_read_only(c.fs));
			c.sim->flush_fails = false;
			fail_and_mount(&c, SIM_HOST);
			expect_whole(&c, 0, 3 * MiB, true);
			n--;		/* again, with a host that is well */
		} else if (err && vmem_get64(c.fs->root.grow_to)) {
			found++;
			c.sim->alloc_fails_at = c.sim->allocs + 1;
			assert_int_equal(vmem_remount(c.fs, true), -ENOMEM);
			c.sim->alloc_fails_at = 0;
			assert_false(vmem_is_read_only(c.fs));
			assert_int_equal(vmem_remount(c.fs, true), 0);
			assert_int_equal(vmem_get64(newest_root(c.sim->now)->grow_to), 0);
			assert_int_equal(vmem_remount(c.fs, false), 0);
			expect_whole(&c, 0, 3 * MiB, true);
		} else {
			assert_int_equal(vmem_grow(c.fs, 0), 0);
			expect_whole(&c, 0, 3 * MiB, true);
		}
	}
	assert_true(found);
}

static void a_flush_that_fails_makes_it_read_only_and_the_next_mount_whole(void **state)
{
	unsigned int n;
	struct ctx c;
	int err = -EIO;

	(void)state;
	for (n = 1; err; n++) {
		struct nth nth;

		up_small(&c, VMEM_DOMAIN_HOST, GROUPS, 2 * MiB, 3 * MiB);
		make_file(&c, "old", 70000, 1);
		nth = (struct nth){ c.sim, n };
		c.sim->on_flush = fail_nth;
		c.sim->on_flush_arg = &nth;
		err = vmem_grow(c.fs, 0);
		assert_true(!err || err == -EIO);
		c.sim->on_flush = NULL;
		if (err) {
			assert_true(vmem_is_read_only(c.fs));
			assert_int_equal(vmem_grow(c.fs, 0), -EIO);
		}
		c.sim->flush_fails = false;
		fail_and_mount(&c, n % 2 ? SIM_HOST : SIM_GUEST);
		expect_whole(&c, 2 * MiB, 3 * MiB, !err);
	}
	assert_true(n > 6);
}

/* ---- Thin stores ---- */

static struct {
	bool has[3 * MiB / BLOCK];
	uint64_t limit;			/* nothing behind this byte */
	unsigned int fails_at;		/* a request; 0: none */
	int error;
	void (*recorded)(struct vmem_store *store, uint64_t off, size_t len);
	unsigned int homeless;
} thin;

static int thin_provision(struct vmem_store *store, uint64_t off, uint64_t len)
{
	uint64_t b;

	assert_true(len && off + len <= store->size);
	if (off + len > thin.limit)
		return -ENOSPC;
	if (thin.fails_at && !--thin.fails_at)
		return thin.error;
	for (b = off / BLOCK; b < (off + len) / BLOCK; b++)
		thin.has[b] = true;
	return 0;
}

static void thin_recorded(struct vmem_store *store, uint64_t off, size_t len)
{
	uint64_t b;

	for (b = off / BLOCK; b <= (off + len - 1) / BLOCK; b++)
		thin.homeless += !thin.has[b];
	thin.recorded(store, off, len);
}

static void a_thin_store_is_asked_for_room_first(void **state)
{
	unsigned int shape;
	struct ctx c;

	for (shape = 0; shape < NR_SHAPES; shape++) {
		up_small(&c, domain_of(state), (enum shape)shape, 2 * MiB, 3 * MiB);
		make_file(&c, "old", 70000, 1);
		down(&c);
		memset(&thin, 0, sizeof(thin));
		thin.limit = 2 * MiB;
		thin.recorded = c.sim->store.recorded;
		c.sim->store.provision = thin_provision;
		c.sim->store.recorded = thin_recorded;
		again(&c);
		assert_int_equal(vmem_grow(c.fs, 0), -ENOSPC);
		assert_int_equal(size_of(&c), 2 * MiB);
		use_everything(&c);
		thin.limit = 3 * MiB;
		for (thin.error = -ENOSPC; shape == GROUPS; thin.error = -EFAULT) {
			thin.fails_at = 2;
			assert_int_equal(vmem_grow(c.fs, 0), thin.error == -ENOSPC ? -ENOSPC : -EIO);
			if (thin.error == -EFAULT)
				break;
		}
		assert_int_equal(size_of(&c), 2 * MiB);
		assert_int_equal(vmem_grow(c.fs, 3 * MiB - 100 * BLOCK), 0);
		assert_int_equal(vmem_grow(c.fs, 0), 0);
		use_everything(&c);
		assert_int_equal(thin.homeless, 0);
		c.sim->store.recorded = thin.recorded;
		expect_whole(&c, 0, 3 * MiB, true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_DOMAIN(it_grows_by_groups_while_it_is_used),
		EACH_DOMAIN(its_last_group_grows_step_by_step),
		EACH_DOMAIN(new_groups_have_room_for_names),
		EACH_DOMAIN(what_waits_for_a_checkpoint_does_not_undo_it),
		EACH_DOMAIN(with_a_full_log_it_makes_room_for_its_record),
		cmocka_unit_test(with_a_full_log_that_cannot_be_flushed_it_stays_as_it_was),
		cmocka_unit_test(a_last_group_that_would_hold_nothing_is_left_out),
		cmocka_unit_test(what_is_impossible_is_refused_and_changes_nothing),
		cmocka_unit_test(a_damaged_backup_is_written_anew_and_a_damaged_superblock_refused),
		EACH_DOMAIN(every_cut_leaves_the_old_or_the_new_size),
		cmocka_unit_test(a_torn_superblock_is_made_from_the_old_backup),
		cmocka_unit_test(a_mount_that_cannot_write_has_the_new_size),
		cmocka_unit_test(a_mount_by_an_older_vmemfs_ends_the_growth),
		cmocka_unit_test(a_store_that_lacks_the_new_part_is_as_before),
		cmocka_unit_test(a_forged_growth_does_no_harm_to_the_program),
		EACH_DOMAIN(without_memory_it_stays_as_it_was),
		EACH_DOMAIN(a_growth_without_memory_ends_before_a_remount),
		cmocka_unit_test(a_flush_that_fails_makes_it_read_only_and_the_next_mount_whole),
		EACH_DOMAIN(a_thin_store_is_asked_for_room_first),
	};

	return cmocka_run_group_tests_name("grow", tests, NULL, NULL);
}
