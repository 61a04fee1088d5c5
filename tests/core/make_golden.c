// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * make_golden.c - write the image that test_golden.c reads
 *
 * Run once per format version, by the code of that version: the image is in
 * the repository, so that later code shows that it still reads it.
 *
 *	make_golden FILE [xattr|flags|unwritten] && xz -9e FILE
 */
#include "fixture.h"

/* Extended attributes: in the inode, in a block, with a value in blocks. */
static void set(struct vmem_inode *vi, unsigned int index, const char *name, const char *value, size_t size)
{
	struct vmem_xattr x = { index, N(name), value, size, 0 };

	assert_int_equal(vmem_setxattr(vi, &x, 1, 0, NULL), 0);
}

static void add_xattrs(struct vmem_inode *root, const char *file)
{
	static char large[10000];
	struct vmem_inode vi;

	memset(large, 'x', sizeof(large));
	open_name(root, file, &vi);
	set(&vi, VMEM_XATTR_SECURITY, "selinux", "label", 6);
	set(&vi, VMEM_XATTR_USER, "small", large, 20);
	if (!strcmp(file, "sparse"))
		set(&vi, VMEM_XATTR_USER, "middle", large, 700);
	set(&vi, VMEM_XATTR_TRUSTED, "large", large, sizeof(large));
	put(&vi);
}

static void set_flags(struct vmem_inode *root, const char *name, uint32_t flags)
{
	struct vmem_attr a = { .flags = flags };
	struct vmem_inode vi;

	open_name(root, name, &vi);
	assert_int_equal(vmem_setattr(&vi, VMEM_SET_FLAGS, &a), 0);
	put(&vi);
}

/* Blocks in advance: between data and behind the end; with `more`, data that became zeros and pieces that moved. */
static void preallocate(struct vmem_inode *root, const char *name, bool more)
{
	struct vmem_inode vi;

	open_name(root, name, &vi);
	if (more) {
		assert_int_equal(vmem_fallocate(&vi, VMEM_FALLOC_ZERO_RANGE, BLOCK, 2 * BLOCK), 0);
		assert_int_equal(vmem_fallocate(&vi, VMEM_FALLOC_INSERT_RANGE, 0, 2 * BLOCK), 0);
		assert_int_equal(vmem_fallocate(&vi, VMEM_FALLOC_COLLAPSE_RANGE, 0, BLOCK), 0);
	} else {
		assert_int_equal(vmem_fallocate(&vi, 0, 0, 8 * BLOCK), 0);
	}
	assert_int_equal(vmem_fallocate(&vi, VMEM_FALLOC_KEEP_SIZE, 20 * BLOCK, 5 * BLOCK), 0);
	put(&vi);
}

/* An image of a killed guest: some of it is at home, the rest in the log. */
int main(int argc, char **argv)
{
	struct vmem_mkfs_params params = { .label = "golden", .uuid = { 0x60, 0x1d }, .now = 1 };
	struct vmem_attr attr = { .mode = 0777 };
	struct vmem_inode vi, dir;
	char name[32];
	struct ctx c = { .domain = VMEM_DOMAIN_HOST };
	const char *with = argc == 3 ? argv[2] : "";
	unsigned int i;
	FILE *f;

	if (argc != 2 && argc != 3) {
		fprintf(stderr, "usage: make_golden FILE [xattr|flags|unwritten]\n");
		return 2;
	}
	c.sim = sim_new(2 * MiB, VMEM_BACKING_PAGE_CACHE, 1);
	memset(c.sim->now, 0, c.sim->size);
	assert_int_equal(vmem_mkfs(&c.sim->store, &c.sim->env, &params), 0);
	again(&c);
	make(&c.root, "dir", S_DIR, &dir);
	for (i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "name-%u", i);
		make(&dir, name, i % 10 ? S_FILE : S_DIR, &vi);
		put(&vi);
	}
	make(&c.root, "sparse", S_FILE, &vi);
	for (i = 0; i < 12; i++)
		write_pattern(&vi, i * 20000ull, 16, 1);
	put(&vi);
	if (!strcmp(with, "unwritten")) {
		make(&c.root, "zeroed", S_FILE, &vi);
		write_pattern(&vi, 0, 4 * BLOCK + 5, 3);
		put(&vi);
		preallocate(&c.root, "sparse", false);
	}
	if (!strcmp(with, "xattr"))
		add_xattrs(&c.root, "sparse");
	else if (!strcmp(with, "flags"))
		set_flags(&c.root, "sparse", VMEM_FL_IMMUTABLE | VMEM_FL_SYNC);
	assert_int_equal(vmem_checkpoint(c.fs), 0);

	make(&c.root, "appended", S_FILE, &vi);
	for (i = 0; i < 4; i++) {
		write_pattern(&vi, i * 100ull, 100, 2);
		assert_int_equal(vmem_fsync(&vi, false), 0);
	}
	assert_int_equal(vmem_link(&dir, N("linked"), &vi), 0);
	put(&vi);
	assert_int_equal(vmem_symlink(&c.root, N("symlink"), "dir/linked", 10, &attr, &vi), 0);
	put(&vi);
	open_name(&dir, "name-5", &vi);
	assert_int_equal(vmem_rename(&dir, N("name-5"), &vi, &c.root, N("renamed"), NULL, 0), 0);
	put(&vi);
	unlink_name(&dir, "name-6");
	put(&dir);
	if (!strcmp(with, "unwritten"))
		preallocate(&c.root, "zeroed", true);
	else if (!strcmp(with, "xattr"))
		add_xattrs(&c.root, "dir");
	else if (!strcmp(with, "flags"))
		set_flags(&c.root, "dir", VMEM_FL_DIRSYNC | VMEM_FL_NODUMP | VMEM_FL_NOATIME | VMEM_FL_APPEND);

	f = fopen(argv[1], "wb");
	if (!f || fwrite(c.sim->now, c.sim->size, 1, f) != 1 || fclose(f)) {
		perror(argv[1]);
		return 1;
	}
	return 0;
}
