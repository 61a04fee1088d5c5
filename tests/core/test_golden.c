// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* test_golden.c - an image of format version 1.0 is still read: see make_golden.c */
#include "fixture.h"

static void load_from(struct ctx *c, uint64_t store, const char *name)
{
	FILE *f = fopen(name, "rb");

	memset(c, 0, sizeof(*c));
	c->domain = VMEM_DOMAIN_HOST;
	c->sim = sim_new(store, VMEM_BACKING_PAGE_CACHE, 1);
	assert_non_null(f);
	assert_int_equal(fread(c->sim->now, 2 * MiB, 1, f), 1);
	fclose(f);
}

static void load(struct ctx *c, uint64_t store)
{
	load_from(c, store, GOLDEN_IMG);
}

static void expect_contents(struct ctx *c)
{
	struct vmem_inode vi, dir;
	struct vmem_attr attr;
	char name[32], target[16];
	unsigned int i;

	open_name(&c->root, "dir", &dir);
	for (i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "name-%u", i);
		assert_int_equal(exists(&dir, name), i != 5 && i != 6);
	}
	open_name(&c->root, "sparse", &vi);
	assert_int_equal(vmem_size(&vi), 11 * 20000 + 16);
	for (i = 0; i < 12; i++)
		expect_pattern(&vi, i * 20000ull, 16, 1);
	expect_zeros(&vi, 16, 19984);
	put(&vi);
	open_name(&dir, "linked", &vi);
	vmem_getattr(&vi, &attr);
	assert_int_equal(attr.nlink, 2);
	expect_pattern(&vi, 0, 400, 2);
	put(&vi);
	open_name(&c->root, "symlink", &vi);
	assert_int_equal(vmem_readlink(&vi, target, sizeof(target)), 10);
	assert_memory_equal(target, "dir/linked", 10);
	put(&vi);
	assert_true(exists(&c->root, "appended"));
	assert_true(exists(&c->root, "renamed"));
	put(&dir);
}

static void an_image_of_version_1_0_is_recovered_and_has_its_contents(void **state)
{
	struct ctx c;

	(void)state;
	load(&c, 2 * MiB);
	again(&c);
	assert_true(c.info.was_dirty);
	assert_false(c.info.host_failed);
	assert_true(c.info.replayed > 5);
	expect_contents(&c);
	finish(&c);
}

/* What was appended rode in the log; the rest was not synced after that. */
static void an_image_of_version_1_0_is_recovered_after_the_host_failed(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	(void)state;
	load(&c, 2 * MiB);
	c.sim->store.generation[0]++;
	again(&c);
	assert_true(c.info.host_failed);
	assert_true(c.info.dropped > 0);
	open_name(&c.root, "appended", &vi);
	expect_pattern(&vi, 0, 400, 2);
	put(&vi);
	assert_false(exists(&c.root, "symlink"));
	assert_false(exists(&c.root, "renamed"));
	finish(&c);
}

/* Its mkfs knew nothing of growth, but left the rest of a block of descriptors. */
static void an_image_of_version_1_0_grows(void **state)
{
	struct vmem_statfs st;
	struct ctx c;

	(void)state;
	load(&c, 5 * MiB);
	again(&c);
	assert_int_equal(vmem_grow(c.fs, 0), 0);
	expect_contents(&c);
	down(&c);
	again(&c);
	vmem_statfs(c.fs, &st);
	assert_int_equal(st.blocks * BLOCK, 5 * MiB);
	expect_contents(&c);
	finish(&c);
}

static void expect_xattr(struct vmem_inode *vi, unsigned int index, const char *name, const char *want, size_t size)
{
	static char got[VMEM_XATTR_MAX_VALUE];

	assert_int_equal(vmem_getxattr(vi, index, N(name), got, sizeof(got)), size);
	assert_memory_equal(got, want, size);
}

static void expect_xattrs(struct ctx *c)
{
	static char large[10000];
	struct vmem_inode vi;
	unsigned int i;

	memset(large, 'x', sizeof(large));
	for (i = 0; i < 2; i++) {
		open_name(&c->root, i ? "dir" : "sparse", &vi);
		expect_xattr(&vi, VMEM_XATTR_SECURITY, "selinux", "label", 6);
		expect_xattr(&vi, VMEM_XATTR_USER, "small", large, 20);
		expect_xattr(&vi, VMEM_XATTR_TRUSTED, "large", large, sizeof(large));
		if (!i)
			expect_xattr(&vi, VMEM_XATTR_USER, "middle", large, 700);
		put(&vi);
	}
}

static void an_image_with_extended_attributes_is_recovered_and_has_them(void **state)
{
	struct ctx c;

	(void)state;
	load_from(&c, 5 * MiB, XATTR_IMG);
	again(&c);
	assert_true(c.info.replayed > 5);
	expect_contents(&c);
	expect_xattrs(&c);
	assert_int_equal(vmem_grow(c.fs, 0), 0);
	down(&c);
	again(&c);
	expect_xattrs(&c);
	finish(&c);
}

static void an_image_with_flags_is_recovered_and_has_them(void **state)
{
	struct vmem_inode sparse, dir;
	struct vmem_attr a;
	struct ctx c;

	(void)state;
	load_from(&c, 5 * MiB, FLAGS_IMG);
	again(&c);
	assert_true(c.info.replayed > 5);
	expect_contents(&c);
	open_name(&c.root, "sparse", &sparse);
	open_name(&c.root, "dir", &dir);
	vmem_getattr(&sparse, &a);
	assert_int_equal(a.flags, VMEM_FL_IMMUTABLE | VMEM_FL_SYNC);
	vmem_getattr(&dir, &a);
	assert_int_equal(a.flags, VMEM_FL_DIRSYNC | VMEM_FL_NODUMP | VMEM_FL_NOATIME | VMEM_FL_APPEND);
	put(&sparse);
	put(&dir);
	finish(&c);
}

static enum vmem_kind kind_at(struct vmem_inode *vi, uint64_t lblk)
{
	struct vmem_map map;

	assert_int_equal(vmem_map(vi, lblk, 1, &map), 0);
	return map.kind;
}

static void an_image_with_unwritten_extents_is_recovered_and_has_them(void **state)
{
	struct vmem_inode sparse, zeroed;
	unsigned int i;
	struct ctx c;

	(void)state;
	load_from(&c, 5 * MiB, UNWRITTEN_IMG);
	again(&c);
	assert_true(c.info.replayed > 5);
	expect_contents(&c);
	open_name(&c.root, "sparse", &sparse);
	open_name(&c.root, "zeroed", &zeroed);
	for (i = 0; i < 60; i++) {
		/* 12 pieces of 20000 bytes from each other; 8 blocks and 5 in advance. */
		bool data = i * BLOCK / 20000 != ((i + 1) * BLOCK - 1) / 20000 || !i;

		assert_int_equal(kind_at(&sparse, i), data && i < 55 ? VMEM_DATA :
				 i < 8 || (i >= 20 && i < 25) ? VMEM_UNWRITTEN : VMEM_HOLE);
	}
	/* A block was put in at the front, two became zeros, and blocks lie behind the end. */
	assert_int_equal(vmem_size(&zeroed), 5 * BLOCK + 5);
	for (i = 0; i < 30; i++)
		assert_int_equal(kind_at(&zeroed, i), i == 0 ? VMEM_HOLE : i == 2 || i == 3 ? VMEM_UNWRITTEN :
				 i < 6 ? VMEM_DATA : i >= 20 && i < 25 ? VMEM_UNWRITTEN : VMEM_HOLE);
	expect_zeros(&zeroed, 0, BLOCK);
	expect_zeros(&zeroed, 2 * BLOCK, 2 * BLOCK);
	write_pattern(&zeroed, 22 * BLOCK, 10, 5);
	expect_zeros(&zeroed, 20 * BLOCK, 2 * BLOCK);
	put(&sparse);
	put(&zeroed);
	finish(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_of_version_1_0_is_recovered_and_has_its_contents),
		cmocka_unit_test(an_image_of_version_1_0_is_recovered_after_the_host_failed),
		cmocka_unit_test(an_image_of_version_1_0_grows),
		cmocka_unit_test(an_image_with_unwritten_extents_is_recovered_and_has_them),
		cmocka_unit_test(an_image_with_flags_is_recovered_and_has_them),
		cmocka_unit_test(an_image_with_extended_attributes_is_recovered_and_has_them),
	};

	return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
