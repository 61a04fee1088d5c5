// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* test_format.c - making a file system, and which images are mounted */
#define _GNU_SOURCE
#include <sys/mman.h>
#include "fixture.h"
#include "medium/hash.h"

static struct vmem_superblock *super_of(struct ctx *c)
{
	return (void *)c->sim->now;
}

static void seal_super(struct ctx *c)
{
	super_of(c)->csum = vmem_le32_of(vmem_superblock_csum(vmem_crc32c, super_of(c)));
}

/* Formatted and unmounted, with one file. */
static void image(struct ctx *c)
{
	struct vmem_inode vi;

	up(c, VMEM_DOMAIN_HOST, 4 * MiB, 0);
	make(&c->root, "file", S_FILE, &vi);
	write_pattern(&vi, 0, 10000, 1);
	put(&vi);
	down(c);
}

static int mount_result(struct ctx *c)
{
	struct vmem_mount_opts opts = { .domain = VMEM_DOMAIN_HOST };
	int err = try_mount(c, &opts);

	if (err) {
		assert_int_equal(c->sim->live, 0);
		assert_true(c->sim->log_lines > 0);	/* said why */
	} else {
		assert_int_equal(vmem_umount(c->fs), 0);
	}
	c->sim->log_lines = 0;
	return err;
}

/* ---- mkfs ---- */

static void a_store_of_any_size_is_formatted_or_refused(void **state)
{
	uint64_t size;
	unsigned int made = 0;

	(void)state;
	for (size = 64 * 1024; size <= 20 * MiB; size = size * 9 / 8 + 1234) {
		struct sim *sim = sim_new((size + BLOCK - 1) / BLOCK * BLOCK,
					  VMEM_BACKING_PAGE_CACHE, 1);
		struct vmem_mkfs_params params = { 0 };
		int err;

		sim->store.size = size;
		err = vmem_mkfs(&sim->store, &sim->env, &params);
		assert_true(!err || err == -ENOSPC || err == -EINVAL);
		assert_true(!err || size < 3 * MiB);
		if (!err) {
			assert_int_equal(sim_check(sim), 0);
			made++;
		}
		sim_free(sim);
	}
	assert_true(made > 10);
}

static void groups_of_every_size_are_consistent(void **state)
{
	uint32_t ag;

	(void)state;
	for (ag = 512; ag <= 4096; ag += 64 * 5) {
		struct sim *sim = sim_new(13 * MiB, VMEM_BACKING_PAGE_CACHE, 1);
		struct vmem_mkfs_params params = { .ag_blocks = ag };
		struct vmem_mount_opts opts = { 0 };
		struct vmem_inode root, vi;
		struct vmem_fs *fs;

		assert_int_equal(vmem_mkfs(&sim->store, &sim->env, &params), 0);
		assert_int_equal(vmem_mount(&sim->store, &sim->env, &opts, &fs, NULL), 0);
		assert_int_equal(vmem_iget(fs, VMEM_ROOT_INO, &root), 0);
		make(&root, "file", S_FILE, &vi);
		fill_store(&vi, 0);
		put(&vi);
		put(&root);
		assert_int_equal(vmem_umount(fs), 0);
		assert_int_equal(sim_check(sim), 0);
		sim_free(sim);
	}
}

static void a_format_is_durable_when_it_returns(void **state)
{
	struct vmem_mkfs_params params = { 0 };
	struct ctx c = { .sim = sim_new(4 * MiB, VMEM_BACKING_PAGE_CACHE, 1) };

	(void)state;
	assert_int_equal(vmem_mkfs(&c.sim->store, &c.sim->env, &params), 0);
	c.domain = VMEM_DOMAIN_HOST;
	fail_and_mount(&c, SIM_HOST);
	finish(&c);
}

static void label_and_identity_are_kept(void **state)
{
	struct vmem_mkfs_params params = { .label = "a label", .uuid = { 1, 2, 3 } };
	struct vmem_mount_opts opts = { 0 };
	struct vmem_statfs st;
	struct ctx c;

	(void)state;
	image(&c);
	assert_int_equal(vmem_mkfs(&c.sim->store, &c.sim->env, &params), 0);
	assert_int_equal(try_mount(&c, &opts), 0);
	vmem_statfs(c.fs, &st);
	assert_string_equal(st.label, "a label");
	assert_memory_equal(st.uuid, params.uuid, VMEM_UUID_LEN);
	assert_int_equal(vmem_umount(c.fs), 0);
	sim_free(c.sim);
}

/* ---- Which images are mounted ---- */

static void an_intact_image_is_mounted(void **state)
{
	struct ctx c;

	(void)state;
	image(&c);
	assert_int_equal(mount_result(&c), 0);
	sim_free(c.sim);
}

static void a_store_without_vmemfs_is_refused(void **state)
{
	struct ctx c;

	(void)state;
	image(&c);
	memset(c.sim->now, 0, c.sim->size);
	assert_int_equal(mount_result(&c), -EINVAL);
	memset(c.sim->now, 0x5a, c.sim->size);
	assert_int_equal(mount_result(&c), -EINVAL);
	sim_free(c.sim);
}

static void a_truncated_store_is_refused(void **state)
{
	static const uint64_t sizes[] = { 0, 100, BLOCK, 2 * MiB, 4 * MiB - BLOCK, 4 * MiB - 1 };
	struct ctx c;
	size_t i;

	(void)state;
	image(&c);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		c.sim->store.size = sizes[i];
		assert_int_equal(mount_result(&c), -EINVAL);
	}
	sim_free(c.sim);
}

static void another_major_version_is_refused(void **state)
{
	struct ctx c;

	(void)state;
	image(&c);
	super_of(&c)->version_major = vmem_le16_of(2);
	seal_super(&c);
	assert_int_equal(mount_result(&c), -EPROTONOSUPPORT);
	sim_free(c.sim);
}

static void another_minor_version_is_mounted(void **state)
{
	struct ctx c;

	(void)state;
	image(&c);
	super_of(&c)->version_minor = vmem_le16_of(9);
	seal_super(&c);
	assert_int_equal(mount_result(&c), 0);
	sim_free(c.sim);
}

static void an_unknown_incompat_bit_is_refused(void **state)
{
	unsigned int bit;
	struct ctx c;

	(void)state;
	image(&c);
	for (bit = 0; bit < 64; bit++) {
		bool known = VMEM_INCOMPAT_KNOWN >> bit & 1;

		super_of(&c)->incompat = vmem_le64_of(1ull << bit);
		seal_super(&c);
		assert_int_equal(mount_result(&c), known ? 0 : -EPROTONOSUPPORT);
	}
	sim_free(c.sim);
}

static void an_unknown_compat_bit_is_ignored(void **state)
{
	struct ctx c;

	(void)state;
	image(&c);
	super_of(&c)->compat = vmem_le64_of(1ull << 40);
	seal_super(&c);
	again(&c);
	assert_false(vmem_is_read_only(c.fs));
	put(&c.root);
	assert_int_equal(vmem_umount(c.fs), 0);
	sim_free(c.sim);
}

static void an_unknown_ro_compat_bit_allows_reading_only(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	(void)state;
	image(&c);
	super_of(&c)->ro_compat = vmem_le64_of(1ull << 40);
	seal_super(&c);
	again(&c);
	assert_true(vmem_is_read_only(c.fs));
	open_name(&c.root, "file", &vi);
	expect_pattern(&vi, 0, 10000, 1);
	assert_int_equal(write_at(&vi, 0, "x", 1), -EROFS);
	assert_int_equal(vmem_remount(c.fs, false), -EROFS);
	put(&vi);
	put(&c.root);
	assert_int_equal(vmem_umount(c.fs), 0);
	sim_free(c.sim);
}

static void a_wrong_superblock_checksum_is_refused(void **state)
{
	struct ctx c;

	(void)state;
	image(&c);
	super_of(&c)->label[3] ^= 1;
	assert_int_equal(mount_result(&c), -EUCLEAN);
	sim_free(c.sim);
}

static void one_damaged_root_slot_is_survived_and_two_are_not(void **state)
{
	struct ctx c;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		image(&c);
		c.sim->now[(1 + i) * BLOCK + 20] ^= 1;
		assert_int_equal(mount_result(&c), 0);
		c.sim->now[1 * BLOCK + 20] ^= 1;
		c.sim->now[2 * BLOCK + 20] ^= 1;
		assert_int_equal(mount_result(&c), -EUCLEAN);
		sim_free(c.sim);
	}
}

static void a_damaged_inode_is_reported_and_turns_the_mount_read_only(void **state)
{
	struct vmem_inode vi;
	uint64_t ino;
	struct ctx c;

	(void)state;
	image(&c);
	again(&c);
	assert_int_equal(vmem_lookup(&c.root, N("file"), &ino, NULL), 0);
	open_name(&c.root, "file", &vi);
	put(&vi);
	down(&c);
	/* The inode table of group 0: inode 2 of the first block. */
	c.sim->now[(vmem_get64(super_of(&c)->agmeta0) + 2) * BLOCK + ino * 256 + 24] ^= 1;
	again(&c);
	assert_int_equal(vmem_iget(c.fs, ino, &vi), -EUCLEAN);
	assert_true(vmem_is_read_only(c.fs));
	assert_int_equal(try_make(&c.root, "new", S_FILE, &vi), -EROFS);
	put(&c.root);
	vmem_umount(c.fs);
	assert_int_equal(mount_result(&c), 0);	/* with a warning */
	c.sim->quiet = true;
	assert_true(sim_check(c.sim) > 0);
	sim_free(c.sim);
}

/* ---- Read-only ---- */

static void a_read_only_store_is_never_stored_to(void **state)
{
	struct vmem_mount_opts opts = { 0 };
	struct vmem_attr attr = { .mode = S_FILE };
	struct vmem_inode vi, new;
	struct vmem_map map;
	unsigned int dirty;

	(void)state;
	for (dirty = 0; dirty < 2; dirty++) {
		struct ctx c;

		image(&c);
		if (dirty) {
			again(&c);
			open_name(&c.root, "file", &vi);
			write_pattern(&vi, 10000, 10, 1);
			fail_now(&c, SIM_GUEST);
		}
		c.sim->store.read_only = true;
		mprotect(c.sim->now, c.sim->size, PROT_READ);
		assert_int_equal(try_mount(&c, &opts), 0);
		assert_int_equal(vmem_iget(c.fs, VMEM_ROOT_INO, &c.root), 0);
		assert_true(vmem_is_read_only(c.fs));
		open_name(&c.root, "file", &vi);
		expect_pattern(&vi, 0, dirty ? 10010 : 10000, 1);
		assert_int_equal(write_at(&vi, 0, "x", 1), -EROFS);
		assert_int_equal(write_at(&vi, 50000, "x", 1), -EROFS);
		assert_int_equal(vmem_truncate(&vi, 1), -EROFS);
		assert_int_equal(vmem_truncate(&vi, 12000), -EROFS);
		assert_int_equal(vmem_map_write(&vi, 1000, 1, &map), -EROFS);
		assert_int_equal(vmem_map_write(&vi, 0, 1, &map), -EROFS);
		assert_int_equal(vmem_setattr(&vi, VMEM_SET_UID, &attr), -EROFS);
		assert_int_equal(vmem_create(&c.root, N("new"), &attr, &new), -EROFS);
		assert_int_equal(vmem_tmpfile(c.fs, &attr, 1, &new), -EROFS);
		assert_int_equal(vmem_unlink(&c.root, N("file"), &vi), -EROFS);
		assert_int_equal(vmem_fsync(&vi, false), 0);
		assert_int_equal(vmem_sync(c.fs), 0);
		assert_int_equal(vmem_checkpoint(c.fs), 0);
		assert_int_equal(vmem_remount(c.fs, false), -EROFS);
		vmem_touch(&vi, VMEM_SET_ATIME, 1);
		put(&vi);
		put(&c.root);
		assert_int_equal(vmem_umount(c.fs), 0);
		mprotect(c.sim->now, c.sim->size, PROT_READ | PROT_WRITE);
		sim_free(c.sim);
	}
}

static void a_read_only_mount_leaves_a_clean_image_as_it_is(void **state)
{
	struct vmem_mount_opts opts = { .read_only = true };
	uint8_t *copy;
	struct ctx c;

	(void)state;
	image(&c);
	copy = malloc(c.sim->size);
	memcpy(copy, c.sim->now, c.sim->size);
	assert_int_equal(try_mount(&c, &opts), 0);
	assert_int_equal(vmem_umount(c.fs), 0);
	assert_memory_equal(copy, c.sim->now, c.sim->size);
	free(copy);
	sim_free(c.sim);
}

static void an_image_mounted_without_recovery_stays_read_only(void **state)
{
	struct vmem_mount_opts opts = { .no_recovery = true };
	struct vmem_inode vi;
	struct ctx c;

	(void)state;
	image(&c);
	again(&c);
	make(&c.root, "late", S_FILE, &vi);
	fail_now(&c, SIM_GUEST);
	assert_int_equal(try_mount(&c, &opts), 0);
	assert_int_equal(vmem_remount(c.fs, false), -EROFS);
	assert_int_equal(vmem_umount(c.fs), 0);
	again(&c);
	assert_true(exists(&c.root, "late"));
	finish(&c);
}

static void remount_switches_both_ways(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	up(&c, domain_of(state), 4 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	assert_int_equal(vmem_remount(c.fs, true), 0);
	assert_int_equal(write_at(&vi, 0, "x", 1), -EROFS);
	assert_int_equal(sim_check(c.sim), 0);
	assert_int_equal(vmem_remount(c.fs, false), 0);
	write_pattern(&vi, 0, 100, 1);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	fail_and_mount(&c, (enum sim_failure)c.domain);
	open_name(&c.root, "file", &vi);
	expect_pattern(&vi, 0, 100, 1);
	put(&vi);
	finish(&c);
}

static void a_domain_that_the_backing_cannot_give_is_refused(void **state)
{
	struct vmem_mount_opts opts = { .domain = VMEM_DOMAIN_HOST };
	struct ctx c;

	(void)state;
	image(&c);
	c.sim->store.backing = VMEM_BACKING_VOLATILE;
	assert_int_equal(try_mount(&c, &opts), -ENOTSUP);
	opts.domain = 0;
	assert_int_equal(try_mount(&c, &opts), 0);
	assert_int_equal(vmem_get_domain(c.fs), VMEM_DOMAIN_GUEST);
	assert_int_equal(vmem_umount(c.fs), 0);
	c.sim->store.backing = VMEM_BACKING_PAGE_CACHE;
	c.sim->store.flush = NULL;
	opts.domain = VMEM_DOMAIN_HOST;
	assert_int_equal(try_mount(&c, &opts), -ENOTSUP);
	opts.domain = 0;
	assert_int_equal(try_mount(&c, &opts), 0);
	assert_int_equal(vmem_get_domain(c.fs), VMEM_DOMAIN_GUEST);
	assert_int_equal(vmem_umount(c.fs), 0);
	c.sim->store.read_only = true;
	assert_int_equal(try_mount(&c, &opts), 0);
	assert_int_equal(vmem_get_domain(c.fs), VMEM_DOMAIN_HOST);
	assert_int_equal(vmem_umount(c.fs), 0);
	assert_int_equal(c.sim->live, 0);
	sim_free(c.sim);
}

static void an_overlay_for_so_much_memory_fits_into_it(void **state)
{
	size_t memory;

	(void)state;
	for (memory = 2 * MiB; memory <= 1024 * MiB; memory *= 2) {
		uint64_t pages = vmem_overlay_pages(memory);

		assert_true(pages >= 64);
		/* As many again are kept for speed. */
		assert_true(2 * pages * (BLOCK + 64) < memory);
	}
}

static void every_crc32c_gives_the_same(void **state)
{
	vmem_crc_fn best = vmem_best_crc32c();
	uint8_t buf[64];
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i * 37 + 11);
	for (i = 0; i < 9; i++)
		for (len = 0; i + len <= sizeof(buf); len++)
			assert_int_equal(best(0x12345678, buf + i, len),
					 vmem_crc32c(0x12345678, buf + i, len));
	/* RFC 3720, B.4: 32 bytes of zeros. */
	memset(buf, 0, sizeof(buf));
	assert_int_equal(~vmem_crc32c(~0u, buf, 32), 0x8a9136aa);
	assert_int_equal(~best(~0u, buf, 32), 0x8a9136aa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_crc32c_gives_the_same),
		cmocka_unit_test(an_overlay_for_so_much_memory_fits_into_it),
		cmocka_unit_test(a_store_of_any_size_is_formatted_or_refused),
		cmocka_unit_test(groups_of_every_size_are_consistent),
		cmocka_unit_test(a_format_is_durable_when_it_returns),
		cmocka_unit_test(label_and_identity_are_kept),
		cmocka_unit_test(an_intact_image_is_mounted),
		cmocka_unit_test(a_store_without_vmemfs_is_refused),
		cmocka_unit_test(a_truncated_store_is_refused),
		cmocka_unit_test(another_major_version_is_refused),
		cmocka_unit_test(another_minor_version_is_mounted),
		cmocka_unit_test(an_unknown_incompat_bit_is_refused),
		cmocka_unit_test(an_unknown_compat_bit_is_ignored),
		cmocka_unit_test(an_unknown_ro_compat_bit_allows_reading_only),
		cmocka_unit_test(a_wrong_superblock_checksum_is_refused),
		cmocka_unit_test(one_damaged_root_slot_is_survived_and_two_are_not),
		cmocka_unit_test(a_damaged_inode_is_reported_and_turns_the_mount_read_only),
		cmocka_unit_test(a_read_only_store_is_never_stored_to),
		cmocka_unit_test(a_read_only_mount_leaves_a_clean_image_as_it_is),
		cmocka_unit_test(an_image_mounted_without_recovery_stays_read_only),
		EACH_DOMAIN(remount_switches_both_ways),
		cmocka_unit_test(a_domain_that_the_backing_cannot_give_is_refused),
	};

	return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
