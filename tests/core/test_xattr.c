// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* test_xattr.c - extended attributes: what is stored is found, whole, after any failure */
#include "fixture.h"
#include "fs/fs.h"
#include "medium/fields.h"

#define USER(name) VMEM_XATTR_USER, N(name)
#define LABEL "system_u:object_r:user_home_t:s0"	/* what an SELinux system gives a file */

static uint8_t big[VMEM_XATTR_MAX_VALUE];

static const uint8_t *bytes(unsigned int seed)
{
	size_t i;

	for (i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)((i * 2654435761u + seed * 97u) >> 13);
	return big;
}

static int set(struct vmem_inode *vi, unsigned int index, struct vmem_name name, const void *value, size_t size)
{
	struct vmem_xattr x = { index, name, value, size, 0 };

	return vmem_setxattr(vi, &x, 1, 0, NULL);
}

static int drop(struct vmem_inode *vi, unsigned int index, struct vmem_name name)
{
	return set(vi, index, name, NULL, 0);
}

static void expect(struct vmem_inode *vi, unsigned int index, struct vmem_name name, const void *value, size_t size)
{
	static uint8_t got[VMEM_XATTR_MAX_VALUE];

	assert_int_equal(vmem_getxattr(vi, index, name, NULL, 0), size);
	assert_int_equal(vmem_getxattr(vi, index, name, got, sizeof(got)), size);
	assert_memory_equal(got, value, size);
}

static bool has(struct vmem_inode *vi, unsigned int index, struct vmem_name name)
{
	int64_t len = vmem_getxattr(vi, index, name, NULL, 0);

	assert_true(len >= 0 || len == -ENODATA);
	return len >= 0;
}

static uint64_t blocks_of(const struct vmem_inode *vi)
{
	struct vmem_attr a;

	vmem_getattr(vi, &a);
	return a.blocks;
}

/* What the kernel's interface makes of an access list of nr entries. */
static void acl(uint8_t *buf, unsigned int nr)
{
	unsigned int i;

	memset(buf, 0, 4 + 8 * nr);
	buf[0] = 2;
	for (i = 0; i < nr; i++) {
		buf[4 + 8 * i] = (uint8_t)(1u << i);
		buf[4 + 8 * i + 2] = 6;
	}
}

/* ---- Values ---- */

static void a_value_of_any_size_is_found_as_it_was_set(void **state)
{
	static const size_t sizes[] = { 0, 1, 40, 200, 1024, 1025, 4064, 4065, 8128, 8129, 40000, 65535, 65536 };
	struct vmem_inode f;
	struct ctx c;
	size_t i;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "f", S_FILE, &f);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(set(&f, USER("a"), bytes((unsigned int)i), sizes[i]), 0);
		expect(&f, USER("a"), big, sizes[i]);
		put(&f);
		open_name(&c.root, "f", &f);
		expect(&f, USER("a"), big, sizes[i]);
	}
	put(&f);
	down(&c);
	again(&c);
	open_name(&c.root, "f", &f);
	expect(&f, USER("a"), bytes((unsigned int)i - 1), 65536);
	put(&f);
	finish(&c);
}

static void what_is_removed_gives_its_blocks_back(void **state)
{
	struct vmem_inode f;
	struct ctx c;
	uint64_t before;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "f", S_FILE, &f);
	before = free_blocks(&c);
	assert_int_equal(set(&f, USER("one"), bytes(1), 30000), 0);
	assert_int_equal(set(&f, USER("two"), bytes(2), 60000), 0);
	assert_int_equal(set(&f, USER("three"), bytes(3), 900), 0);
	assert_int_equal(blocks_of(&f), 8 + 15 + 1);
	assert_int_equal(free_blocks(&c), before - blocks_of(&f));
	assert_int_equal(set(&f, USER("two"), bytes(4), 10), 0);
	assert_int_equal(blocks_of(&f), 8 + 1);
	assert_int_equal(drop(&f, USER("three")), 0);
	/* What is left fits the inode, but for the value that has blocks. */
	assert_int_equal(blocks_of(&f), 8);
	assert_int_equal(drop(&f, USER("one")), 0);
	assert_int_equal(drop(&f, USER("two")), 0);
	assert_int_equal(blocks_of(&f), 0);
	assert_true(vmem_lacks_xattrs(&f));
	assert_int_equal(free_blocks(&c), before);
	put(&f);
	finish(&c);
}

static void an_unlinked_file_frees_any_number_of_large_values(void **state)
{
	struct vmem_inode f;
	struct ctx c;
	uint64_t before;
	char name[8];
	unsigned int i;

	up(&c, domain_of(state), 64 * MiB, 0);
	before = free_blocks(&c);
	make(&c.root, "f", S_FILE, &f);
	for (i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "v%u", i);
		assert_int_equal(set(&f, USER(name), bytes(i), 65536), 0);
	}
	assert_true(free_blocks(&c) < before - 60 * 17);
	assert_int_equal(vmem_unlink(&c.root, N("f"), &f), 0);
	put(&f);
	assert_int_equal(free_blocks(&c), before - 1);	/* the directory's leaf */
	finish(&c);
}

/* ---- Where a set lies ---- */

static void a_label_a_capability_or_an_access_list_costs_no_block(void **state)
{
	static const unsigned int modes[] = { S_FILE, S_DIR, 0010600, 0140600 };
	struct vmem_inode f;
	uint8_t list[44], cap[20] = { 1, 0, 0, 2 };
	struct ctx c;
	uint64_t before;
	char name[8];
	unsigned int i;

	acl(list, 5);
	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "first", S_FILE, &f);
	put(&f);
	before = free_blocks(&c);
	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		make(&c.root, name, modes[i], &f);
		assert_int_equal(set(&f, VMEM_XATTR_SECURITY, N("selinux"), LABEL, sizeof(LABEL) - 4), 0);
		assert_int_equal(set(&f, VMEM_XATTR_ACL_ACCESS, N(""), list, sizeof(list)), 0);
		expect(&f, VMEM_XATTR_SECURITY, N("selinux"), LABEL, sizeof(LABEL) - 4);
		expect(&f, VMEM_XATTR_ACL_ACCESS, N(""), list, sizeof(list));
		assert_int_equal(blocks_of(&f), 0);
		put(&f);
	}
	make(&c.root, "cap", S_FILE, &f);
	assert_int_equal(set(&f, VMEM_XATTR_SECURITY, N("capability"), cap, sizeof(cap)), 0);
	assert_int_equal(set(&f, VMEM_XATTR_SECURITY, N("selinux"), LABEL, sizeof(LABEL)), 0);
	assert_int_equal(blocks_of(&f), 0);
	put(&f);
	assert_int_equal(free_blocks(&c), before);
	finish(&c);
}

static void a_set_in_the_inode_and_its_extents_do_not_disturb_each_other(void **state)
{
	struct vmem_inode f;
	struct ctx c;
	uint64_t i;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "f", S_FILE, &f);
	assert_int_equal(set(&f, VMEM_XATTR_SECURITY, N("selinux"), LABEL, sizeof(LABEL)), 0);
	assert_int_equal(set(&f, USER("comment"), "0123456789abcdef0123456789abcdef", 32), 0);
	/* Every other block: an extent for each. */
	for (i = 0; i < 600; i++)
		write_pattern(&f, i * 2 * BLOCK, BLOCK, 5);
	expect(&f, VMEM_XATTR_SECURITY, N("selinux"), LABEL, sizeof(LABEL));
	put(&f);
	open_name(&c.root, "f", &f);
	for (i = 0; i < 600; i++)
		expect_pattern(&f, i * 2 * BLOCK, BLOCK, 5);
	expect(&f, USER("comment"), "0123456789abcdef0123456789abcdef", 32);
	assert_int_equal(vmem_truncate(&f, 0), 0);
	expect(&f, USER("comment"), "0123456789abcdef0123456789abcdef", 32);
	assert_int_equal(blocks_of(&f), 0);
	put(&f);
	finish(&c);
}

static void a_set_goes_where_the_extents_leave_room(void **state)
{
	struct vmem_inode f;
	struct ctx c;
	uint64_t i;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "f", S_FILE, &f);
	for (i = 0; i < 6; i++)
		write_pattern(&f, i * 2 * BLOCK, BLOCK, 5);
	assert_int_equal(set(&f, VMEM_XATTR_SECURITY, N("selinux"), LABEL, sizeof(LABEL)), 0);
	assert_int_equal(blocks_of(&f), 6);
	assert_int_equal(set(&f, USER("comment"), "0123456789abcdef0123456789abcdef", 32), 0);
	assert_int_equal(blocks_of(&f), 6 + 1);
	for (i = 0; i < 6; i++)
		expect_pattern(&f, i * 2 * BLOCK, BLOCK, 5);
	assert_int_equal(drop(&f, USER("comment")), 0);
	assert_int_equal(blocks_of(&f), 6);
	put(&f);
	finish(&c);
}

static void a_directory_keeps_its_set_when_it_grows_and_shrinks(void **state)
{
	struct vmem_inode d, f;
	uint8_t list[44];
	struct ctx c;
	char name[16];
	unsigned int i;
	struct vmem_attr a;

	acl(list, 5);
	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "d", S_DIR, &d);
	assert_int_equal(set(&d, VMEM_XATTR_ACL_DEFAULT, N(""), list, sizeof(list)), 0);
	assert_int_equal(set(&d, USER("large"), bytes(9), 5000), 0);
	for (i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "name%u", i);
		make(&d, name, S_FILE, &f);
		put(&f);
	}
	expect(&d, VMEM_XATTR_ACL_DEFAULT, N(""), list, sizeof(list));
	vmem_getattr(&d, &a);
	assert_int_equal(a.size, (a.blocks - 2) * BLOCK);
	for (i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "name%u", i);
		unlink_name(&d, name);
	}
	expect(&d, USER("large"), bytes(9), 5000);
	assert_int_equal(vmem_rmdir(&c.root, N("d"), &d), 0);
	put(&d);
	finish(&c);
}

static void a_symlink_has_room_behind_its_target(void **state)
{
	struct vmem_attr a = { .mode = 0777 };
	struct vmem_inode s;
	char target[145], got[145];
	struct ctx c;

	memset(target, 't', sizeof(target));
	up(&c, domain_of(state), 16 * MiB, 0);
	assert_int_equal(vmem_symlink(&c.root, N("short"), target, 90, &a, &s), 0);
	assert_int_equal(set(&s, VMEM_XATTR_SECURITY, N("selinux"), LABEL, sizeof(LABEL)), 0);
	assert_int_equal(blocks_of(&s), 0);
	assert_int_equal(vmem_readlink(&s, got, sizeof(got)), 90);
	assert_memory_equal(got, target, 90);
	put(&s);
	assert_int_equal(vmem_symlink(&c.root, N("long"), target, 144, &a, &s), 0);
	assert_int_equal(set(&s, VMEM_XATTR_SECURITY, N("selinux"), LABEL, sizeof(LABEL)), 0);
	assert_int_equal(blocks_of(&s), 1);
	assert_int_equal(vmem_readlink(&s, got, sizeof(got)), 144);
	assert_memory_equal(got, target, 144);
	put(&s);
	finish(&c);
}

/* ---- Names ---- */

struct seen {
	unsigned int nr;
	char text[1024];
};

static int see(void *ctx, unsigned int index, struct vmem_name name)
{
	struct seen *s = ctx;
	size_t len = strlen(s->text);

	s->nr++;
	snprintf(s->text + len, sizeof(s->text) - len, "%u:%.*s ", index, (int)name.len, name.name);
	return 0;
}

static void all_names_are_listed_in_order(void **state)
{
	struct vmem_inode f;
	struct seen s = { 0 };
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_GUEST, 16 * MiB, 0);
	make(&c.root, "f", S_FILE, &f);
	assert_int_equal(set(&f, VMEM_XATTR_SECURITY, N("capability"), "c", 1), 0);
	assert_int_equal(set(&f, USER("b"), "1", 1), 0);
	assert_int_equal(set(&f, VMEM_XATTR_TRUSTED, N("b"), "2", 1), 0);
	assert_int_equal(set(&f, USER("a"), "3", 1), 0);
	assert_int_equal(set(&f, USER("ab"), bytes(3), 9000), 0);
	assert_int_equal(vmem_listxattr(&f, see, &s), 0);
	assert_string_equal(s.text, "1:a 1:ab 1:b 2:b 3:capability ");
	expect(&f, VMEM_XATTR_TRUSTED, N("b"), "2", 1);
	expect(&f, USER("b"), "1", 1);
	put(&f);
	finish(&c);
}

static void what_cannot_be_a_name_or_a_value_is_refused(void **state)
{
	struct vmem_inode f;
	char name[257], got[4];
	struct ctx c;

	(void)state;
	memset(name, 'n', sizeof(name));
	up(&c, VMEM_DOMAIN_GUEST, 16 * MiB, 0);
	make(&c.root, "f", S_FILE, &f);
	name[256] = 0;
	assert_int_equal(set(&f, USER(name), "x", 1), -ERANGE);
	name[255] = 0;
	assert_int_equal(set(&f, USER(name), "x", 1), 0);
	expect(&f, USER(name), "x", 1);
	assert_int_equal(set(&f, USER(""), "x", 1), -EINVAL);
	assert_int_equal(set(&f, 0, N("a"), "x", 1), -EINVAL);
	assert_int_equal(set(&f, 6, N("a"), "x", 1), -EINVAL);
	assert_int_equal(set(&f, VMEM_XATTR_USER, (struct vmem_name){ "a\0b", 3 }, "x", 1), -EINVAL);
	assert_int_equal(set(&f, VMEM_XATTR_ACL_ACCESS, N("a"), "x", 1), -EINVAL);
	assert_int_equal(set(&f, USER("a"), big, 65537), -E2BIG);
	assert_int_equal(set(&f, USER("a"), "12345", 5), 0);
	assert_int_equal(vmem_getxattr(&f, USER("a"), got, sizeof(got)), -ERANGE);
	assert_int_equal(drop(&f, USER("b")), -ENODATA);
	put(&f);
	finish(&c);
}

static void create_and_replace_are_kept_apart(void **state)
{
	struct vmem_xattr x = { USER("a"), "1", 1, VMEM_XATTR_REPLACE };
	struct vmem_inode f;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_GUEST, 16 * MiB, 0);
	make(&c.root, "f", S_FILE, &f);
	assert_int_equal(vmem_setxattr(&f, &x, 1, 0, NULL), -ENODATA);
	x.flags = VMEM_XATTR_CREATE;
	assert_int_equal(vmem_setxattr(&f, &x, 1, 0, NULL), 0);
	assert_int_equal(vmem_setxattr(&f, &x, 1, 0, NULL), -EEXIST);
	x.flags = VMEM_XATTR_REPLACE;
	x.value = "2";
	assert_int_equal(vmem_setxattr(&f, &x, 1, 0, NULL), 0);
	expect(&f, USER("a"), "2", 1);
	put(&f);
	finish(&c);
}

static void a_full_set_says_so_and_stays_as_it_was(void **state)
{
	struct vmem_inode f;
	struct ctx c;
	uint64_t before;
	char name[32];
	unsigned int i;
	int err = 0;

	(void)state;
	up(&c, VMEM_DOMAIN_GUEST, 16 * MiB, 0);
	make(&c.root, "f", S_FILE, &f);
	for (i = 0; !err; i++) {
		snprintf(name, sizeof(name), "attribute_%u", i);
		before = free_blocks(&c);
		err = set(&f, USER(name), name, strlen(name));
	}
	assert_int_equal(err, -ENOSPC);
	assert_true(i > 130);
	assert_int_equal(free_blocks(&c), before);
	assert_false(has(&f, USER(name)));
	while (--i) {
		snprintf(name, sizeof(name), "attribute_%u", i - 1);
		expect(&f, USER(name), name, strlen(name));
	}
	put(&f);
	finish(&c);
}

static void a_full_store_refuses_a_value_and_keeps_the_old_one(void **state)
{
	struct vmem_inode f, fill;
	struct ctx c;

	up(&c, domain_of(state), 4 * MiB, 0);
	make(&c.root, "f", S_FILE, &f);
	make(&c.root, "fill", S_FILE, &fill);
	assert_int_equal(set(&f, USER("a"), bytes(1), 20000), 0);
	fill_store(&fill, 0);
	assert_int_equal(set(&f, USER("a"), bytes(2), 20000), -ENOSPC);
	expect(&f, USER("a"), bytes(1), 20000);
	assert_int_equal(drop(&f, USER("a")), 0);
	put(&f);
	put(&fill);
	finish(&c);
}

/* ---- One record ---- */

static void attributes_and_mode_change_together(void **state)
{
	struct vmem_inode f;
	uint8_t list[44];
	struct vmem_xattr x[2] = { { VMEM_XATTR_ACL_ACCESS, { NULL, 0 }, list, sizeof(list), 0 },
				   { USER("gone"), NULL, 0, 0 } };
	struct vmem_attr a = { .mode = 0640 };
	struct vmem_stats before, after;
	struct ctx c;

	acl(list, 5);
	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "f", S_FILE, &f);
	assert_int_equal(set(&f, USER("gone"), "1", 1), 0);
	vmem_get_stats(c.fs, &before);
	assert_int_equal(vmem_setxattr(&f, x, 2, VMEM_SET_MODE, &a), 0);
	vmem_get_stats(c.fs, &after);
	assert_int_equal(after.records, before.records + 1);
	vmem_getattr(&f, &a);
	assert_int_equal(a.mode, 0100640);
	assert_false(has(&f, USER("gone")));
	expect(&f, VMEM_XATTR_ACL_ACCESS, N(""), list, sizeof(list));
	put(&f);
	finish(&c);
}

static void a_new_inode_has_its_attributes_by_the_same_record(void **state)
{
	static const unsigned int types[] = { S_FILE, S_DIR, 0010644 };
	uint8_t list[44];
	struct vmem_xattr x[2] = { { VMEM_XATTR_SECURITY, N("selinux"), LABEL, sizeof(LABEL), 0 },
				   { VMEM_XATTR_ACL_ACCESS, { NULL, 0 }, list, sizeof(list), 0 } };
	struct vmem_stats before, after;
	struct vmem_inode f;
	struct ctx c;
	unsigned int i;
	char name[8];

	acl(list, 5);
	up(&c, domain_of(state), 16 * MiB, 0);
	for (i = 0; i < 5; i++) {
		struct vmem_attr a = { .mode = 0100644, .xattrs = x, .nr_xattrs = 2 };

		snprintf(name, sizeof(name), "f%u", i);
		vmem_get_stats(c.fs, &before);
		if (i < 3) {
			a.mode = (uint16_t)types[i];
			assert_int_equal(vmem_create(&c.root, N(name), &a, &f), 0);
		} else if (i == 3) {
			assert_int_equal(vmem_symlink(&c.root, N(name), "target", 6, &a, &f), 0);
		} else {
			assert_int_equal(vmem_tmpfile(c.fs, &a, 1, &f), 0);
		}
		vmem_get_stats(c.fs, &after);
		assert_int_equal(after.records, before.records + 1);
		expect(&f, VMEM_XATTR_SECURITY, N("selinux"), LABEL, sizeof(LABEL));
		expect(&f, VMEM_XATTR_ACL_ACCESS, N(""), list, sizeof(list));
		put(&f);
	}
	x[1].value = bytes(3);
	x[1].size = 9000;
	{
		struct vmem_attr a = { .mode = S_FILE, .xattrs = x, .nr_xattrs = 2 };

		assert_int_equal(vmem_create(&c.root, N("large"), &a, &f), 0);
		expect(&f, VMEM_XATTR_ACL_ACCESS, N(""), big, 9000);
		put(&f);
	}
	finish(&c);
}

static void what_was_synced_survives_the_failure_and_the_rest_is_whole(void **state)
{
	struct vmem_inode f;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "f", S_FILE, &f);
	assert_int_equal(set(&f, USER("small"), "1234", 4), 0);
	assert_int_equal(set(&f, USER("large"), bytes(1), 50000), 0);
	assert_int_equal(vmem_fsync(&f, false), 0);
	assert_int_equal(set(&f, USER("small"), "5678", 4), 0);
	fail_and_mount(&c, (enum sim_failure)c.domain);
	open_name(&c.root, "f", &f);
	expect(&f, USER("large"), bytes(1), 50000);
	assert_int_equal(vmem_getxattr(&f, USER("small"), NULL, 0), 4);
	put(&f);
	finish(&c);
}

/* ---- Flags ---- */

static void flags_are_kept_and_inherited_as_the_type_allows(void **state)
{
	static const struct { uint16_t mode; uint32_t flags; } made[] = {
		{ S_FILE, VMEM_FL_SYNC | VMEM_FL_NODUMP | VMEM_FL_NOATIME }, { S_DIR, VMEM_FL_KNOWN & ~(VMEM_FL_IMMUTABLE | VMEM_FL_APPEND) },
		{ 0010600, VMEM_FL_NODUMP | VMEM_FL_NOATIME },
	};
	struct vmem_attr a = { .flags = VMEM_FL_KNOWN };
	struct vmem_inode dir, vi;
	struct ctx c;
	unsigned int i;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "dir", S_DIR, &dir);
	assert_int_equal(vmem_setattr(&dir, VMEM_SET_FLAGS, &a), 0);
	for (i = 0; i < 3; i++) {
		char name[2] = { (char)('a' + i), 0 };

		a = (struct vmem_attr){ .mode = made[i].mode, .flags = vmem_inherited_flags(&dir, made[i].mode) };
		assert_int_equal(a.flags, made[i].flags);
		assert_int_equal(vmem_create(&dir, N(name), &a, &vi), 0);
		put(&vi);
	}
	put(&dir);
	down(&c);
	again(&c);
	open_name(&c.root, "dir", &dir);
	vmem_getattr(&dir, &a);
	assert_int_equal(a.flags, VMEM_FL_KNOWN);
	for (i = 0; i < 3; i++) {
		char name[2] = { (char)('a' + i), 0 };

		open_name(&dir, name, &vi);
		vmem_getattr(&vi, &a);
		assert_int_equal(a.flags, made[i].flags);
		put(&vi);
	}
	put(&dir);
	finish(&c);
}

static void unknown_flags_are_refused_and_none_need_no_feature(void **state)
{
	struct vmem_attr a = { .flags = 0 };
	struct vmem_inode f, g;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	make(&c.root, "f", S_FILE, &f);
	assert_int_equal(vmem_setattr(&f, VMEM_SET_FLAGS, &a), 0);
	a.flags = 1;
	assert_int_equal(vmem_setattr(&f, VMEM_SET_FLAGS, &a), -EINVAL);
	a.mode = S_FILE;
	assert_int_equal(vmem_create(&c.root, N("g"), &a, &g), -EINVAL);
	assert_int_equal(vmem_get64(((const struct vmem_superblock *)(const void *)c.sim->store.base)->incompat), 0);
	a.flags = VMEM_FL_IMMUTABLE;
	assert_int_equal(vmem_setattr(&f, VMEM_SET_FLAGS, &a), 0);
	assert_int_equal(vmem_get64(((const struct vmem_superblock *)(const void *)c.sim->store.base)->incompat),
			 VMEM_INCOMPAT_FLAGS);
	put(&f);
	finish(&c);
}

/* ---- The feature bit ---- */

static const struct vmem_superblock *super_of(struct ctx *c)
{
	return (const void *)c->sim->store.base;
}

static void an_image_without_attributes_has_no_feature(void **state)
{
	struct vmem_inode f;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	make(&c.root, "f", S_FILE, &f);
	assert_int_equal(drop(&f, USER("a")), -ENODATA);
	assert_false(has(&f, USER("a")));
	put(&f);
	down(&c);
	assert_int_equal(vmem_get64(super_of(&c)->incompat), 0);
	again(&c);
	open_name(&c.root, "f", &f);
	assert_int_equal(set(&f, USER("a"), "1", 1), 0);
	assert_int_equal(drop(&f, USER("a")), 0);
	put(&f);
	down(&c);
	assert_int_equal(vmem_get64(super_of(&c)->incompat), VMEM_INCOMPAT_XATTR);
	sim_free(c.sim);
}

/* Its two words are stored one after the other, and either may be lost. */
static void a_superblock_that_was_getting_its_bit_is_completed(void **state)
{
	unsigned int lost;

	(void)state;
	for (lost = 0; lost < 4; lost++) {
		struct vmem_superblock old, *sb, *backup;
		struct vmem_inode f;
		struct ctx c;

		up(&c, VMEM_DOMAIN_GUEST, 16 * MiB, 0);
		memcpy(&old, super_of(&c), sizeof(old));
		make(&c.root, "f", S_FILE, &f);
		assert_int_equal(set(&f, USER("a"), "1", 1), 0);
		assert_int_equal(drop(&f, USER("a")), 0);
		put(&f);
		fail_now(&c, SIM_GUEST);
		sb = (void *)c.sim->store.base;
		backup = (void *)(c.sim->store.base + vmem_get64(sb->backup) * BLOCK);
		if (lost & 1)
			sb->csum = old.csum;
		if (lost & 2)
			sb->incompat = old.incompat;
		*backup = old;
		again(&c);
		/* Both lost: nothing of it had begun. */
		if (lost == 3)
			assert_int_equal(vmem_get64(sb->incompat), 0);
		down(&c);
		assert_memory_equal(sb, backup, sizeof(*sb));
		sim_free(c.sim);
	}
}

/* Its words are stored one after the other, in one copy of the superblock after the other. */
static void a_label_that_was_being_changed_is_the_old_or_the_new(void **state)
{
	const char *const label = "another label, of more words than one";
	unsigned int lost;

	(void)state;
	for (lost = 0; lost < 4; lost++) {
		struct vmem_superblock old, *sb, *backup;
		struct vmem_statfs st;
		struct ctx c;

		up(&c, VMEM_DOMAIN_GUEST, 16 * MiB, 0);
		memcpy(&old, super_of(&c), sizeof(old));
		assert_int_equal(vmem_set_label(c.fs, label, strlen(label)), 0);
		vmem_statfs(c.fs, &st);
		assert_string_equal(st.label, label);
		fail_now(&c, SIM_GUEST);
		sb = (void *)c.sim->store.base;
		backup = (void *)(c.sim->store.base + vmem_get64(sb->backup) * BLOCK);
		if (lost == 1)		/* the superblock is half old */
			memcpy(sb->label + 8, old.label + 8, sizeof(old.label) - 8);
		if (lost > 1)		/* it is old, and the backup new, or half new */
			*sb = old;
		if (lost == 3)
			memcpy(backup->label + 8, old.label + 8, sizeof(old.label) - 8);
		again(&c);
		vmem_statfs(c.fs, &st);
		assert_string_equal(st.label, lost > 1 ? "test" : label);
		down(&c);
		assert_memory_equal(sb, backup, sizeof(*sb));
		again(&c);
		finish(&c);
	}
}

static void what_is_no_label_is_refused(void **state)
{
	char label[VMEM_LABEL_LEN + 1];
	struct vmem_statfs st;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	memset(label, 'x', sizeof(label));
	assert_int_equal(vmem_set_label(c.fs, label, sizeof(label)), -EINVAL);
	assert_int_equal(vmem_set_label(c.fs, "a\0b", 3), -EINVAL);
	assert_int_equal(vmem_set_label(c.fs, label, VMEM_LABEL_LEN), 0);
	assert_int_equal(vmem_set_label(c.fs, label, 0), 0);
	vmem_statfs(c.fs, &st);
	assert_string_equal(st.label, "");
	finish(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_DOMAIN(a_value_of_any_size_is_found_as_it_was_set),
		EACH_DOMAIN(what_is_removed_gives_its_blocks_back),
		EACH_DOMAIN(an_unlinked_file_frees_any_number_of_large_values),
		EACH_DOMAIN(a_label_a_capability_or_an_access_list_costs_no_block),
		EACH_DOMAIN(a_set_in_the_inode_and_its_extents_do_not_disturb_each_other),
		EACH_DOMAIN(a_set_goes_where_the_extents_leave_room),
		EACH_DOMAIN(a_directory_keeps_its_set_when_it_grows_and_shrinks),
		EACH_DOMAIN(a_symlink_has_room_behind_its_target),
		cmocka_unit_test(all_names_are_listed_in_order),
		cmocka_unit_test(what_cannot_be_a_name_or_a_value_is_refused),
		cmocka_unit_test(create_and_replace_are_kept_apart),
		cmocka_unit_test(a_full_set_says_so_and_stays_as_it_was),
		EACH_DOMAIN(a_full_store_refuses_a_value_and_keeps_the_old_one),
		EACH_DOMAIN(attributes_and_mode_change_together),
		EACH_DOMAIN(a_new_inode_has_its_attributes_by_the_same_record),
		EACH_DOMAIN(what_was_synced_survives_the_failure_and_the_rest_is_whole),
		EACH_DOMAIN(flags_are_kept_and_inherited_as_the_type_allows),
		cmocka_unit_test(unknown_flags_are_refused_and_none_need_no_feature),
		cmocka_unit_test(an_image_without_attributes_has_no_feature),
		cmocka_unit_test(a_superblock_that_was_getting_its_bit_is_completed),
		cmocka_unit_test(a_label_that_was_being_changed_is_the_old_or_the_new),
		cmocka_unit_test(what_is_no_label_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
