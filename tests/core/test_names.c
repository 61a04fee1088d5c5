// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* test_names.c - directories, links, renames */
#include "fixture.h"
#include "medium/format.h"

static uint32_t links_of(const struct vmem_inode *vi)
{
	struct vmem_attr a;

	vmem_getattr(vi, &a);
	return a.nlink;
}

/* ---- Making and removing ---- */

static void a_new_name_is_found_and_an_unlinked_one_is_not(void **state)
{
	struct vmem_inode vi;
	uint64_t ino;
	unsigned int type;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	assert_int_equal(vmem_lookup(&c.root, N("file"), &ino, &type), 0);
	assert_int_equal(ino, vi.ino);
	assert_int_equal(type, 8);
	assert_false(exists(&c.root, "File"));
	assert_int_equal(vmem_unlink(&c.root, N("file"), &vi), 0);
	assert_false(exists(&c.root, "file"));
	put(&vi);
	finish(&c);
}

static void a_name_cannot_be_made_twice(void **state)
{
	struct vmem_inode vi, second;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	make(&c.root, "name", S_FILE, &vi);
	assert_int_equal(try_make(&c.root, "name", S_FILE, &second), -EEXIST);
	assert_int_equal(try_make(&c.root, "name", S_DIR, &second), -EEXIST);
	assert_int_equal(vmem_link(&c.root, N("name"), &vi), -EEXIST);
	put(&vi);
	finish(&c);
}

static void impossible_names_are_refused(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "/" };
	char name[257];
	struct vmem_inode vi;
	struct ctx c;
	size_t i;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(try_make(&c.root, bad[i], S_FILE, &vi), -EINVAL);
	assert_int_equal(vmem_create(&c.root, (struct vmem_name){ "a\0b", 3 },
				     &(struct vmem_attr){ .mode = S_FILE }, &vi), -EINVAL);
	memset(name, 'n', 256);
	name[256] = 0;
	assert_int_equal(try_make(&c.root, name, S_FILE, &vi), -ENAMETOOLONG);
	finish(&c);
}

static void names_of_every_length_work(void **state)
{
	char name[256];
	struct vmem_inode vi;
	struct ctx c;
	unsigned int len;

	up(&c, domain_of(state), 16 * MiB, 0);
	for (len = 1; len <= 255; len++) {
		memset(name, 'a' + (int)(len % 26), len);
		name[len] = 0;
		make(&c.root, name, S_FILE, &vi);
		put(&vi);
	}
	down(&c);
	again(&c);
	for (len = 1; len <= 255; len++) {
		memset(name, 'a' + (int)(len % 26), len);
		name[len] = 0;
		assert_true(exists(&c.root, name));
		unlink_name(&c.root, name);
		assert_false(exists(&c.root, name));
	}
	finish(&c);
}

static void a_directory_counts_its_subdirectories_as_links(void **state)
{
	struct vmem_inode a, b;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	assert_int_equal(links_of(&c.root), 2);
	make(&c.root, "a", S_DIR, &a);
	assert_int_equal(links_of(&c.root), 3);
	make(&a, "b", S_DIR, &b);
	assert_int_equal(links_of(&a), 3);
	assert_int_equal(vmem_rmdir(&a, N("b"), &b), 0);
	assert_int_equal(links_of(&a), 2);
	put(&b);
	put(&a);
	finish(&c);
}

static void only_an_empty_directory_can_be_removed(void **state)
{
	struct vmem_inode dir, vi;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	make(&c.root, "dir", S_DIR, &dir);
	make(&dir, "file", S_FILE, &vi);
	assert_int_equal(vmem_rmdir(&c.root, N("dir"), &dir), -ENOTEMPTY);
	assert_int_equal(vmem_rmdir(&dir, N("file"), &vi), -ENOTDIR);
	assert_int_equal(vmem_unlink(&c.root, N("dir"), &dir), -EISDIR);
	assert_int_equal(vmem_unlink(&dir, N("file"), &vi), 0);
	assert_int_equal(vmem_rmdir(&c.root, N("dir"), &dir), 0);
	assert_int_equal(try_make(&dir, "late", S_FILE, &vi), -ENOENT);
	put(&vi);
	put(&dir);
	finish(&c);
}

static void a_hard_link_keeps_the_file(void **state)
{
	struct vmem_inode vi, dir;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "one", S_FILE, &vi);
	make(&c.root, "dir", S_DIR, &dir);
	write_pattern(&vi, 0, 5000, 1);
	assert_int_equal(vmem_link(&dir, N("two"), &vi), 0);
	assert_int_equal(vmem_link(&dir, N("self"), &dir), -EPERM);
	assert_int_equal(links_of(&vi), 2);
	assert_int_equal(vmem_unlink(&c.root, N("one"), &vi), 0);
	assert_int_equal(links_of(&vi), 1);
	put(&vi);
	open_name(&dir, "two", &vi);
	expect_pattern(&vi, 0, 5000, 1);
	put(&vi);
	put(&dir);
	finish(&c);
}

static void symlinks_of_every_kind_of_length_read_back(void **state)
{
	static const size_t lens[] = { 1, 143, 144, 145, 2000, 4095 };
	struct vmem_attr attr = { .mode = 0777 };
	char target[4096], got[4096], name[16];
	struct vmem_inode vi;
	struct ctx c;
	size_t i;

	up(&c, domain_of(state), 16 * MiB, 0);
	memset(target, 't', sizeof(target));
	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		snprintf(name, sizeof(name), "link%zu", i);
		assert_int_equal(vmem_symlink(&c.root, N(name), target, lens[i], &attr, &vi), 0);
		put(&vi);
	}
	assert_int_equal(vmem_symlink(&c.root, N("long"), target, 4096, &attr, &vi), -ENAMETOOLONG);
	assert_int_equal(vmem_symlink(&c.root, N("none"), target, 0, &attr, &vi), -EINVAL);
	assert_int_equal(vmem_sync(c.fs), 0);
	fail_and_mount(&c, (enum sim_failure)c.domain);
	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		snprintf(name, sizeof(name), "link%zu", i);
		open_name(&c.root, name, &vi);
		assert_int_equal(vmem_readlink(&vi, got, sizeof(got)), lens[i]);
		assert_memory_equal(got, target, lens[i]);
		assert_int_equal(vmem_readlink(&vi, got, 1), lens[i]);
		put(&vi);
	}
	finish(&c);
}

static void special_files_keep_their_device_number(void **state)
{
	struct vmem_attr attr = { .mode = 0020600, .rdev = 0x12345678 }, got;
	struct vmem_inode vi;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	assert_int_equal(vmem_create(&c.root, N("dev"), &attr, &vi), 0);
	put(&vi);
	make(&c.root, "fifo", 0010600, &vi);
	put(&vi);
	down(&c);
	again(&c);
	open_name(&c.root, "dev", &vi);
	vmem_getattr(&vi, &got);
	assert_int_equal(got.rdev, 0x12345678);
	assert_int_equal(got.mode, 0020600);
	put(&vi);
	finish(&c);
}

static void a_type_that_is_none_is_refused_and_leaves_nothing(void **state)
{
	const unsigned int good = 1u << 1 | 1u << 2 | 1u << 4 | 1u << 6 | 1u << 8 | 1u << 12;
	struct vmem_statfs before, after;
	struct vmem_inode vi;
	unsigned int type;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	vmem_statfs(c.fs, &before);
	for (type = 0; type < 16; type++) {
		if (good & 1u << type)
			continue;
		assert_int_equal(try_make(&c.root, "odd", type << 12 | 0644, &vi), -EINVAL);
		assert_false(exists(&c.root, "odd"));
	}
	vmem_statfs(c.fs, &after);
	assert_int_equal(after.free_inodes, before.free_inodes);
	for (type = 0; type < 16; type++) {
		if (!(good & 1u << type))
			continue;
		make(&c.root, "good", type << 12 | 0644, &vi);
		put(&vi);
		down(&c);
		again(&c);
		open_name(&c.root, "good", &vi);
		assert_int_equal(type == 4 ? vmem_rmdir(&c.root, N("good"), &vi) :
				 vmem_unlink(&c.root, N("good"), &vi), 0);
		put(&vi);
	}
	finish(&c);
}

static void only_devices_keep_a_device_number(void **state)
{
	static const unsigned int types[] = { 0010000, 0040000, 0100000, 0140000 };
	struct vmem_attr attr = { .rdev = 0x103 }, got;
	struct vmem_inode vi;
	struct ctx c;
	char name[] = "0";
	size_t i;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++, name[0]++) {
		attr.mode = (uint16_t)(types[i] | 0600);
		assert_int_equal(vmem_create(&c.root, N(name), &attr, &vi), 0);
		vmem_getattr(&vi, &got);
		assert_int_equal(got.rdev, 0);
		put(&vi);
	}
	assert_int_equal(vmem_symlink(&c.root, N("link"), "to", 2, &attr, &vi), 0);
	put(&vi);
	attr.mode = 0100600;
	assert_int_equal(vmem_tmpfile(c.fs, &attr, c.root.ino, &vi), 0);
	assert_int_equal(vmem_link(&c.root, N("linked"), &vi), 0);
	put(&vi);
	finish(&c);		/* the check finds nothing */
}

/* ---- Renaming ---- */

static void rename_moves_between_directories(void **state)
{
	struct vmem_inode a, b, vi;
	struct vmem_attr before, after;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "a", S_DIR, &a);
	make(&c.root, "b", S_DIR, &b);
	make(&a, "file", S_FILE, &vi);
	/* Its ctime says that something has changed. */
	vmem_see_ctime(&vi);
	vmem_getattr(&vi, &before);
	assert_int_equal(vmem_rename(&a, N("file"), &vi, &b, N("new"), NULL, 0), 0);
	vmem_getattr(&vi, &after);
	assert_true(after.ctime > before.ctime);
	assert_true(after.mtime == before.mtime);
	assert_false(exists(&a, "file"));
	assert_true(exists(&b, "new"));
	put(&vi);
	put(&a);
	put(&b);
	finish(&c);
}

static void renaming_a_directory_changes_its_parent(void **state)
{
	struct vmem_inode a, b, sub;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	make(&c.root, "a", S_DIR, &a);
	make(&c.root, "b", S_DIR, &b);
	make(&a, "sub", S_DIR, &sub);
	assert_int_equal(vmem_rename(&a, N("sub"), &sub, &b, N("sub"), NULL, 0), 0);
	assert_int_equal(links_of(&a), 2);
	assert_int_equal(links_of(&b), 3);
	assert_int_equal(vmem_get32(sub.raw.parent), b.ino);
	put(&sub);
	put(&a);
	put(&b);
	finish(&c);
}

static void rename_replaces_a_file_and_frees_it(void **state)
{
	struct vmem_inode vi, victim;
	struct ctx c;
	uint64_t free;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "from", S_FILE, &vi);
	write_pattern(&vi, 0, 1000, 1);
	free = free_blocks(&c);
	make(&c.root, "to", S_FILE, &victim);
	write_pattern(&victim, 0, 50000, 2);
	assert_int_equal(vmem_rename(&c.root, N("from"), &vi, &c.root, N("to"), &victim, 0), 0);
	assert_int_equal(links_of(&victim), 0);
	expect_pattern(&victim, 0, 50000, 2);	/* open files live on */
	put(&victim);
	put(&vi);
	assert_int_equal(free_blocks(&c), free);
	assert_false(exists(&c.root, "from"));
	open_name(&c.root, "to", &vi);
	expect_pattern(&vi, 0, 1000, 1);
	put(&vi);
	finish(&c);
}

static void rename_replaces_an_empty_directory_only(void **state)
{
	struct vmem_inode a, b, sub, vi;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	make(&c.root, "a", S_DIR, &a);
	make(&c.root, "b", S_DIR, &b);
	make(&b, "sub", S_DIR, &sub);
	make(&c.root, "file", S_FILE, &vi);
	assert_int_equal(vmem_rename(&c.root, N("a"), &a, &c.root, N("b"), &b, 0), -ENOTEMPTY);
	assert_int_equal(vmem_rename(&c.root, N("a"), &a, &c.root, N("file"), &vi, 0), -ENOTDIR);
	assert_int_equal(vmem_rename(&c.root, N("file"), &vi, &c.root, N("a"), &a, 0), -EISDIR);
	assert_int_equal(vmem_rename(&c.root, N("a"), &a, &b, N("sub"), &sub, 0), 0);
	assert_int_equal(links_of(&c.root), 3);
	assert_int_equal(links_of(&b), 3);
	assert_int_equal(links_of(&sub), 0);
	put(&sub);
	put(&a);
	put(&b);
	put(&vi);
	finish(&c);
}

static void noreplace_refuses_an_existing_name(void **state)
{
	struct vmem_inode a, b;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	make(&c.root, "a", S_FILE, &a);
	make(&c.root, "b", S_FILE, &b);
	assert_int_equal(vmem_rename(&c.root, N("a"), &a, &c.root, N("b"), &b,
				     VMEM_RENAME_NOREPLACE), -EEXIST);
	assert_int_equal(vmem_rename(&c.root, N("a"), &a, &c.root, N("c"), NULL,
				     VMEM_RENAME_NOREPLACE), 0);
	assert_int_equal(vmem_rename(&c.root, N("c"), &a, &c.root, N("d"), NULL, 1u << 5), -EINVAL);
	put(&a);
	put(&b);
	finish(&c);
}

static void exchange_swaps_a_file_and_a_directory(void **state)
{
	struct vmem_inode a, b, dir, sub, got;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "dir", S_DIR, &dir);
	make(&dir, "file", S_FILE, &a);
	make(&c.root, "sub", S_DIR, &sub);
	make(&sub, "inner", S_FILE, &b);
	assert_int_equal(vmem_rename(&dir, N("file"), &a, &c.root, N("sub"), &sub,
				     VMEM_RENAME_EXCHANGE), 0);
	assert_int_equal(links_of(&c.root), 3);
	assert_int_equal(links_of(&dir), 3);
	assert_int_equal(vmem_get32(sub.raw.parent), dir.ino);
	open_name(&c.root, "sub", &got);
	assert_int_equal(got.ino, a.ino);
	put(&got);
	assert_int_equal(vmem_rename(&dir, N("file"), &sub, &dir, N("none"), NULL,
				     VMEM_RENAME_EXCHANGE), -ENOENT);
	put(&a);
	put(&b);
	put(&dir);
	put(&sub);
	finish(&c);
}

static const struct vmem_attr white_attr = { .mode = 0020000 };

static void expect_whiteout(struct vmem_inode *dir, const char *name)
{
	struct vmem_inode vi;
	struct vmem_attr a;

	open_name(dir, name, &vi);
	vmem_getattr(&vi, &a);
	assert_int_equal(a.mode, 0020000);
	assert_int_equal(a.rdev, 0);
	assert_int_equal(a.nlink, 1);
	put(&vi);
}

/* Of a file to a new name and over a file, of a directory to another directory. */
static void a_rename_leaves_a_whiteout(void **state)
{
	struct vmem_inode vi, victim, dir, sub, white;
	const struct vmem_whiteout w = { &white_attr, &white };
	struct vmem_stats before, after;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	make(&c.root, "victim", S_FILE, &victim);
	make(&c.root, "dir", S_DIR, &dir);
	make(&c.root, "sub", S_DIR, &sub);
	vmem_get_stats(c.fs, &before);
	assert_int_equal(vmem_rename_whiteout(&c.root, N("file"), &vi, &dir, N("moved"), NULL,
					      VMEM_RENAME_NOREPLACE, &w), 0);
	vmem_get_stats(c.fs, &after);
	assert_int_equal(after.records, before.records + 1);
	put(&white);
	expect_whiteout(&c.root, "file");
	assert_int_equal(vmem_rename_whiteout(&dir, N("moved"), &vi, &c.root, N("victim"), &victim, 0, &w), 0);
	put(&white);
	put(&victim);
	expect_whiteout(&dir, "moved");
	assert_int_equal(vmem_rename_whiteout(&c.root, N("sub"), &sub, &dir, N("sub"), NULL, 0, &w), 0);
	put(&white);
	expect_whiteout(&c.root, "sub");
	assert_int_equal(links_of(&c.root), 3);
	assert_int_equal(links_of(&dir), 3);
	assert_int_equal(vmem_get32(sub.raw.parent), dir.ino);
	put(&sub);
	put(&dir);
	put(&vi);
	finish(&c);
}

static void a_whiteout_that_cannot_be_left_changes_nothing(void **state)
{
	const struct vmem_attr file = { .mode = S_FILE };
	struct vmem_inode a, b, white;
	const struct vmem_whiteout w = { &white_attr, &white }, wrong = { &file, &white };
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	make(&c.root, "a", S_FILE, &a);
	make(&c.root, "b", S_FILE, &b);
	assert_int_equal(vmem_link(&c.root, N("second"), &a), 0);
	assert_int_equal(vmem_rename_whiteout(&c.root, N("a"), &a, &c.root, N("c"), NULL, 0, &wrong), -EINVAL);
	assert_int_equal(vmem_rename_whiteout(&c.root, N("a"), &a, &c.root, N("b"), &b,
					      VMEM_RENAME_EXCHANGE, &w), -EINVAL);
	assert_int_equal(vmem_rename_whiteout(&c.root, N("a"), &a, &c.root, N("second"), &a, 0, &w), -EINVAL);
	assert_int_equal(vmem_rename_whiteout(&c.root, N("a"), &a, &c.root, N("b"), &b,
					      VMEM_RENAME_NOREPLACE, &w), -EEXIST);
	assert_int_equal(vmem_rename_whiteout(&c.root, N("x"), &a, &c.root, N("c"), NULL, 0, &w), -ENOENT);
	assert_int_equal(vmem_rename_whiteout(&c.root, N("b"), &a, &c.root, N("c"), NULL, 0, &w), -ENOENT);
	assert_true(exists(&c.root, "a"));
	assert_false(exists(&c.root, "c"));
	assert_int_equal(links_of(&a), 2);
	put(&a);
	put(&b);
	finish(&c);
}

static void renaming_one_link_over_another_of_the_same_file_does_nothing(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	make(&c.root, "a", S_FILE, &vi);
	assert_int_equal(vmem_link(&c.root, N("b"), &vi), 0);
	assert_int_equal(vmem_rename(&c.root, N("a"), &vi, &c.root, N("b"), &vi, 0), 0);
	assert_true(exists(&c.root, "a"));
	assert_true(exists(&c.root, "b"));
	assert_int_equal(links_of(&vi), 2);
	put(&vi);
	finish(&c);
}

static void a_failed_rename_changes_nothing(void **state)
{
	char name[256];
	struct vmem_inode vi, other;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	make(&c.root, "a", S_FILE, &vi);
	memset(name, 'x', 255);
	name[255] = '/';
	assert_int_equal(vmem_rename(&c.root, N("a"), &vi, &c.root,
				     (struct vmem_name){ name, 256 }, NULL, 0), -ENAMETOOLONG);
	assert_int_equal(vmem_rename(&c.root, N("a"), &vi, &c.root, N("x/y"), NULL, 0), -EINVAL);
	assert_int_equal(vmem_rename(&c.root, N("z"), &vi, &c.root, N("x"), NULL, 0), -ENOENT);
	make(&c.root, "b", S_FILE, &other);
	assert_int_equal(vmem_rename(&c.root, N("a"), &vi, &c.root, N("b"), NULL, 0), -EEXIST);
	put(&other);
	assert_true(exists(&c.root, "b"));
	assert_true(exists(&c.root, "a"));
	assert_false(exists(&c.root, "x"));
	put(&vi);
	finish(&c);
}

static void no_directory_moves_below_itself(void **state)
{
	struct vmem_inode a, b, deep, other;
	bool below;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	make(&c.root, "a", S_DIR, &a);
	make(&a, "b", S_DIR, &b);
	make(&b, "deep", S_DIR, &deep);
	make(&c.root, "other", S_DIR, &other);
	assert_int_equal(vmem_is_below(&deep, &a, &below), 0);
	assert_true(below);
	assert_int_equal(vmem_is_below(&a, &deep, &below), 0);
	assert_false(below);
	assert_int_equal(vmem_is_below(&deep, &other, &below), 0);
	assert_false(below);
	assert_int_equal(vmem_is_below(&other, &c.root, &below), 0);
	assert_true(below);
	/* Into itself, and into what lies in it. */
	assert_int_equal(vmem_rename(&c.root, N("a"), &a, &a, N("x"), NULL, 0), -EINVAL);
	assert_int_equal(vmem_rename(&c.root, N("a"), &a, &deep, N("x"), NULL, 0), -EINVAL);
	/* In place of what it lies in; exchanged with it. */
	assert_int_equal(vmem_rename(&b, N("deep"), &deep, &c.root, N("a"), &a, 0), -ENOTEMPTY);
	assert_int_equal(vmem_rename(&b, N("deep"), &deep, &c.root, N("a"), &a,
				     VMEM_RENAME_EXCHANGE), -EINVAL);
	/* Up, and aside, is no loop. */
	assert_int_equal(vmem_rename(&b, N("deep"), &deep, &c.root, N("deep"), NULL, 0), 0);
	assert_int_equal(vmem_rename(&c.root, N("a"), &a, &deep, N("a"), NULL, 0), 0);
	put(&a);
	put(&b);
	put(&deep);
	put(&other);
	finish(&c);
}

static void a_directory_knows_its_path(void **state)
{
	struct vmem_inode a, b, file;
	char path[600];
	uint64_t ino;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	make(&c.root, "a", S_DIR, &a);
	make(&a, "a longer name", S_DIR, &b);
	make(&a, "file", S_FILE, &file);
	assert_int_equal(vmem_dirpath(&c.root, path, sizeof(path)), 1);
	assert_string_equal(path, "/");
	assert_int_equal(vmem_dirpath(&b, path, sizeof(path)), 16);
	assert_string_equal(path, "/a/a longer name");
	assert_int_equal(vmem_dirpath(&b, path, 17), 16);
	assert_int_equal(vmem_dirpath(&b, path, 16), -ERANGE);
	assert_int_equal(vmem_dirpath(&b, path, 1), -ERANGE);
	assert_int_equal(vmem_dirpath(&file, path, sizeof(path)), -ENOTDIR);
	assert_int_equal(vmem_parent(&b, &ino), 0);
	assert_int_equal(ino, a.ino);
	assert_int_equal(vmem_parent(&c.root, &ino), 0);
	assert_int_equal(ino, c.root.ino);
	assert_int_equal(vmem_parent(&file, &ino), -ENOTDIR);
	assert_int_equal(vmem_rmdir(&a, N("a longer name"), &b), 0);
	assert_int_equal(vmem_dirpath(&b, path, sizeof(path)), -ENOENT);
	assert_int_equal(vmem_parent(&b, &ino), -ENOENT);
	put(&a);
	put(&b);
	put(&file);
	finish(&c);
}

/* ---- Large directories ---- */

#define MANY 20000u

struct seen {
	uint8_t times[2 * MANY];
	unsigned int stop_after, taken, dots;
};

static int see(void *ctx, const char *name, size_t len, uint64_t ino, unsigned int type,
	       uint64_t cookie)
{
	struct seen *s = ctx;
	char buf[256];

	(void)ino;
	(void)type;
	(void)cookie;
	if (s->stop_after && s->taken == s->stop_after)
		return 1;
	s->taken++;
	memcpy(buf, name, len);
	buf[len] = 0;
	if (buf[0] == '.')
		s->dots++;
	else
		s->times[atoi(buf + 1)]++;
	return 0;
}

static const char *nth(unsigned int i)
{
	static char name[32];

	snprintf(name, sizeof(name), "n%u", i);
	return name;
}

static void make_many(struct vmem_inode *dir, unsigned int from, unsigned int to)
{
	for (; from < to; from++) {
		struct vmem_inode vi;

		make(dir, nth(from), S_FILE, &vi);
		put(&vi);
	}
}

static void twenty_thousand_names_are_each_found_and_seen_once(void **state)
{
	struct seen *s = calloc(1, sizeof(*s));
	uint64_t cookie = 0, before;
	struct vmem_inode dir;
	struct ctx c;
	unsigned int i;

	up(&c, domain_of(state), 128 * MiB, 0);
	before = free_blocks(&c);
	make(&c.root, "dir", S_DIR, &dir);
	make_many(&dir, 0, MANY);
	for (i = 0; i < MANY; i++)
		assert_true(exists(&dir, nth(i)));
	assert_int_equal(vmem_readdir(&dir, &cookie, see, s), 0);
	for (i = 0; i < MANY; i++)
		assert_int_equal(s->times[i], 1);
	assert_int_equal(s->taken, MANY + 2);
	assert_int_equal(s->dots, 2);
	assert_true(cookie == INT64_MAX);
	for (i = 0; i < MANY; i++)
		unlink_name(&dir, nth(i));
	assert_int_equal(vmem_rmdir(&c.root, N("dir"), &dir), 0);
	put(&dir);
	assert_int_equal(vmem_checkpoint(c.fs), 0);
	assert_int_equal(free_blocks(&c), before - 1);	/* the root's leaf */
	free(s);
	finish(&c);
}

static uint64_t blocks_of(struct vmem_inode *dir)
{
	struct vmem_attr attr;

	vmem_getattr(dir, &attr);
	return attr.blocks;
}

static void room_of_removed_names_is_used_before_a_directory_grows(void **state)
{
	const unsigned int full = (BLOCK - VMEM_NODE_HEAD) / VMEM_DIRENT_LEN(4);
	struct vmem_inode dir;
	struct ctx c;
	unsigned int i;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "dir", S_DIR, &dir);
	make_many(&dir, 100, 100 + full);
	assert_int_equal(blocks_of(&dir), 1);
	/* The first, one in the middle, two neighbours, the last. */
	unlink_name(&dir, nth(100));
	unlink_name(&dir, nth(150));
	unlink_name(&dir, nth(200));
	unlink_name(&dir, nth(201));
	unlink_name(&dir, nth(100 + full - 1));
	make_many(&dir, 500, 505);
	assert_int_equal(blocks_of(&dir), 1);
	for (i = 500; i < 505; i++)
		assert_true(exists(&dir, nth(i)));
	assert_true(exists(&dir, nth(101)));
	assert_false(exists(&dir, nth(150)));
	make_many(&dir, 505, 506);
	assert_int_equal(blocks_of(&dir), 3);
	put(&dir);
	finish(&c);
}

static void a_name_that_stays_is_seen_once_while_others_come_and_go(void **state)
{
	struct seen *s = calloc(1, sizeof(*s));
	uint64_t cookie = 0;
	struct vmem_inode dir;
	struct ctx c;
	unsigned int i, steps = 0;

	(void)state;
	up(&c, VMEM_DOMAIN_GUEST, 64 * MiB, 0);
	make(&c.root, "dir", S_DIR, &dir);
	make_many(&dir, 0, 6000);
	s->stop_after = 500;
	while (cookie != INT64_MAX) {
		s->taken = 0;
		assert_int_equal(vmem_readdir(&dir, &cookie, see, s), 0);
		/* Even names below 6000 go, new ones from MANY on come. */
		for (i = 0; i < 100 && steps * 200 + 2 * i < 6000; i++)
			unlink_name(&dir, nth(steps * 200 + 2 * i));
		make_many(&dir, MANY + steps * 200, MANY + steps * 200 + 200);
		assert_true(++steps < 90);
	}
	for (i = 1; i < 6000; i += 2)
		assert_int_equal(s->times[i], 1);
	for (i = 0; i < 2 * MANY; i++)
		assert_true(s->times[i] <= 1);
	free(s);
	put(&dir);
	finish(&c);
}

static void an_entry_that_was_not_taken_comes_again(void **state)
{
	struct seen *s = calloc(1, sizeof(*s));
	uint64_t cookie = 0;
	struct ctx c;
	unsigned int i;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	make_many(&c.root, 0, 50);
	s->stop_after = 1;
	while (cookie != INT64_MAX) {
		s->taken = 0;
		assert_int_equal(vmem_readdir(&c.root, &cookie, see, s), 0);
	}
	for (i = 0; i < 50; i++)
		assert_int_equal(s->times[i], 1);
	free(s);
	finish(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_DOMAIN(a_new_name_is_found_and_an_unlinked_one_is_not),
		cmocka_unit_test(a_name_cannot_be_made_twice),
		cmocka_unit_test(impossible_names_are_refused),
		EACH_DOMAIN(names_of_every_length_work),
		cmocka_unit_test(a_directory_counts_its_subdirectories_as_links),
		cmocka_unit_test(only_an_empty_directory_can_be_removed),
		EACH_DOMAIN(a_hard_link_keeps_the_file),
		EACH_DOMAIN(symlinks_of_every_kind_of_length_read_back),
		cmocka_unit_test(special_files_keep_their_device_number),
		cmocka_unit_test(a_type_that_is_none_is_refused_and_leaves_nothing),
		cmocka_unit_test(only_devices_keep_a_device_number),
		EACH_DOMAIN(rename_moves_between_directories),
		cmocka_unit_test(renaming_a_directory_changes_its_parent),
		EACH_DOMAIN(rename_replaces_a_file_and_frees_it),
		cmocka_unit_test(rename_replaces_an_empty_directory_only),
		cmocka_unit_test(noreplace_refuses_an_existing_name),
		EACH_DOMAIN(exchange_swaps_a_file_and_a_directory),
		EACH_DOMAIN(a_rename_leaves_a_whiteout),
		cmocka_unit_test(a_whiteout_that_cannot_be_left_changes_nothing),
		cmocka_unit_test(renaming_one_link_over_another_of_the_same_file_does_nothing),
		cmocka_unit_test(a_failed_rename_changes_nothing),
		cmocka_unit_test(no_directory_moves_below_itself),
		cmocka_unit_test(a_directory_knows_its_path),
		EACH_DOMAIN(twenty_thousand_names_are_each_found_and_seen_once),
		EACH_DOMAIN(room_of_removed_names_is_used_before_a_directory_grows),
		cmocka_unit_test(a_name_that_stays_is_seen_once_while_others_come_and_go),
		cmocka_unit_test(an_entry_that_was_not_taken_comes_again),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
