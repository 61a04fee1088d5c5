// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* paths.c - walking paths, open's flags, names and directories */
#include "check.h"

static char path[5000];

static int stat_of(const char *name)
{
	struct vmemos_stat st;

	return vmemos_stat(root, name, 0, &st);
}

static uint64_t ino_of(const char *name)
{
	struct vmemos_stat st;

	return vmemos_stat(root, name, 0, &st) ? 0 : st.ino;
}

static void dots_and_slashes(void)
{
	struct vmemos_file *f, *d;
	char where[64];

	OK(vmemos_mkdir(root, "d", 0755));
	OK(vmemos_mkdir(root, "/d/e//", 0755));
	f = make_file("d/e/f");
	CHECK(f);
	OK(vmemos_close(f));
	EXPECT(ino_of("//d/./e/../../d/e/f"), ino_of("d/e/f"));
	EXPECT(ino_of("../../d"), ino_of("d"));
	EXPECT(ino_of("/"), 1);
	EXPECT(stat_of("d/e/f/"), -ENOTDIR);
	EXPECT(stat_of("d/e/f/.."), -ENOTDIR);
	EXPECT(stat_of("d/x/.."), -ENOENT);
	EXPECT(stat_of(""), -ENOENT);
	OK(vmemos_open(root, "d/e", VMEMOS_O_DIRECTORY, 0, &d));
	OK(vmemos_open(d, "f", 0, 0, &f));
	OK(vmemos_close(f));
	OK(vmemos_open(d, "/d/e/f", 0, 0, &f));
	OK(vmemos_close(f));
	EXPECT(vmemos_dirpath(d, where, sizeof(where)), 4);
	CHECK(!strcmp(where, "/d/e"));
	EXPECT(vmemos_dirpath(root, where, sizeof(where)), 1);
	EXPECT(vmemos_dirpath(d, where, 4), -ERANGE);
	OK(vmemos_unlink(root, "d/e/f"));
	OK(vmemos_rmdir(root, "d/e"));
	EXPECT(vmemos_dirpath(d, where, sizeof(where)), -ENOENT);
	EXPECT(vmemos_open(d, "g", VMEMOS_O_CREAT, 0600, &f), -ENOENT);
	EXPECT(vmemos_open(d, "..", 0, 0, &f), -ENOENT);
	OK(vmemos_close(d));
	OK(vmemos_rmdir(root, "d/"));
}

static void symlinks_are_followed(void)
{
	struct vmemos_file *f;
	struct vmemos_stat st;
	char target[16];

	OK(vmemos_mkdir(root, "d", 0755));
	f = make_file("d/f");
	CHECK(f);
	OK(vmemos_close(f));
	OK(vmemos_symlink("d/../d", root, "to_d"));
	OK(vmemos_symlink("/to_d/", root, "d/abs"));
	OK(vmemos_symlink("f", root, "d/rel"));
	OK(vmemos_symlink("nowhere", root, "d/dangling"));
	OK(vmemos_symlink("loop", root, "loop"));
	EXPECT(ino_of("to_d/abs/abs/rel"), ino_of("d/f"));
	EXPECT(ino_of("to_d/"), ino_of("d"));
	EXPECT(stat_of("loop"), -ELOOP);
	EXPECT(stat_of("loop/x"), -ELOOP);
	EXPECT(stat_of("d/rel/"), -ENOTDIR);
	EXPECT(stat_of("d/dangling"), -ENOENT);
	OK(vmemos_stat(root, "to_d", VMEMOS_NOFOLLOW, &st));
	EXPECT(st.mode & VMEMOS_S_IFMT, VMEMOS_S_IFLNK);
	EXPECT(vmemos_readlink(root, "to_d", target, sizeof(target)), 6);
	CHECK(!memcmp(target, "d/../d", 6));
	EXPECT(vmemos_readlink(root, "d", target, sizeof(target)), -EINVAL);
	EXPECT(vmemos_open(root, "to_d", VMEMOS_O_NOFOLLOW, 0, &f), -ELOOP);
	OK(vmemos_open(root, "to_d", VMEMOS_O_NOFOLLOW | VMEMOS_O_PATH, 0, &f));
	EXPECT(vmemos_readlink(f, NULL, target, 1), 6);
	OK(vmemos_close(f));
	EXPECT(vmemos_open(root, "d/dangling", VMEMOS_O_CREAT | VMEMOS_O_EXCL, 0600, &f), -EEXIST);
	OK(vmemos_open(root, "d/dangling", VMEMOS_O_CREAT, 0600, &f));
	OK(vmemos_close(f));
	CHECK(exists("d/nowhere"));
	EXPECT(vmemos_symlink("", root, "x"), -ENOENT);
	OK(vmemos_unlink(root, "d/nowhere"));
	OK(vmemos_unlink(root, "d/dangling"));
	OK(vmemos_unlink(root, "d/rel"));
	OK(vmemos_unlink(root, "d/abs"));
	OK(vmemos_unlink(root, "d/f"));
	OK(vmemos_unlink(root, "to_d"));
	OK(vmemos_unlink(root, "loop"));
	OK(vmemos_rmdir(root, "d"));
}

/* Each leads to the one before; Linux follows 40 of them. */
static void so_many_symlinks_are_followed(void)
{
	char name[] = "l?", target[] = "//";
	char last;

	for (last = 'A'; last <= 'A' + 40; last++) {
		name[1] = last;
		OK(vmemos_symlink(target, root, name));
		memcpy(target, name, sizeof(name));
	}
	name[1] = 'A' + 39;
	OK(stat_of(name));
	EXPECT(stat_of(target), -ELOOP);
	for (last = 'A'; last <= 'A' + 40; last++) {
		name[1] = last;
		OK(vmemos_unlink(root, name));
	}
}

static void long_names(void)
{
	struct vmemos_file *f;
	size_t i;

	memset(path, 'n', 256);
	path[256] = 0;
	EXPECT(stat_of(path), -ENAMETOOLONG);
	EXPECT(vmemos_mkdir(root, path, 0755), -ENAMETOOLONG);
	/* A file of that name would be no directory: Linux says this first. */
	memcpy(path + 256, "/", 2);
	EXPECT(vmemos_open(root, path, VMEMOS_O_CREAT | VMEMOS_O_RDWR, 0600, &f), -EISDIR);
	path[255] = 0;
	OK(vmemos_mkdir(root, path, 0755));
	OK(vmemos_rmdir(root, path));
	for (i = 0; i < 4096; i++)
		path[i] = i % 2 ? '/' : '.';
	path[4096] = 0;
	EXPECT(stat_of(path), -ENAMETOOLONG);
	path[4095] = 0;
	OK(stat_of(path));
	/* A target that leaves no room for the rest. */
	memset(path, '/', 4000);
	path[4000] = 0;
	OK(vmemos_symlink(path, root, "far"));
	path[0] = 'f', path[1] = 'a', path[2] = 'r';
	for (i = 0; i < 200; i++)
		path[3 + i] = i % 2 ? '.' : '/';
	path[203] = 0;
	EXPECT(stat_of(path), -ENAMETOOLONG);
	OK(stat_of("far"));
	OK(vmemos_unlink(root, "far"));
	OK(vmemos_open(root, "/", VMEMOS_O_DIRECTORY, 0, &f));
	OK(vmemos_close(f));
}

static void flags_of_open(void)
{
	struct vmemos_file *f;
	struct vmemos_stat st;

	EXPECT(vmemos_open(root, "a", 0, 0, &f), -ENOENT);
	EXPECT(vmemos_open(root, "a/", VMEMOS_O_CREAT, 0644, &f), -EISDIR);
	OK(vmemos_open(root, "a", VMEMOS_O_RDWR | VMEMOS_O_CREAT | VMEMOS_O_EXCL, 0640, &f));
	EXPECT(vmemos_write(f, "hello", 5), 5);
	OK(vmemos_close(f));
	OK(vmemos_stat(root, "a", 0, &st));
	EXPECT(st.mode, VMEMOS_S_IFREG | 0640);
	EXPECT(vmemos_open(root, "a", VMEMOS_O_CREAT | VMEMOS_O_EXCL, 0644, &f), -EEXIST);
	EXPECT(vmemos_open(root, "a", VMEMOS_O_DIRECTORY, 0, &f), -ENOTDIR);
	EXPECT(vmemos_open(root, "/", VMEMOS_O_RDWR, 0, &f), -EISDIR);
	OK(vmemos_open(root, "a", VMEMOS_O_WRONLY | VMEMOS_O_TRUNC, 0, &f));
	OK(vmemos_fstat(f, &st));
	EXPECT(st.size, 0);
	OK(vmemos_close(f));
	OK(vmemos_open(root, ".", VMEMOS_O_RDWR | VMEMOS_O_TMPFILE, 0600, &f));
	EXPECT(vmemos_write(f, "anon", 4), 4);
	OK(vmemos_link(f, NULL, root, "named"));
	OK(vmemos_close(f));
	OK(vmemos_stat(root, "named", 0, &st));
	EXPECT(st.size, 4);
	OK(vmemos_mknod(root, "fifo", VMEMOS_S_IFIFO | 0600, 0));
	EXPECT(vmemos_open(root, "fifo", VMEMOS_O_RDWR, 0, &f), -ENXIO);
	OK(vmemos_unlink(root, "fifo"));
	EXPECT(vmemos_mknod(root, "odd", 0170000 | 0600, 0), -EINVAL);
	OK(vmemos_mknod(root, "odd", VMEMOS_S_IFSOCK | 0600, 0x103));
	OK(vmemos_stat(root, "odd", 0, &st));
	EXPECT(st.rdev, 0);
	OK(vmemos_unlink(root, "odd"));
	OK(vmemos_unlink(root, "named"));
	OK(vmemos_unlink(root, "a"));
}

static void names_come_and_go(void)
{
	struct vmemos_stat st;
	struct vmemos_file *f = make_file("a");

	CHECK(f);
	OK(vmemos_mkdir(root, "d", 0755));
	OK(vmemos_mkdir(root, "d/e", 0755));
	OK(vmemos_link(root, "a", root, "d/b"));
	EXPECT(vmemos_link(root, "a", root, "d/b"), -EEXIST);
	EXPECT(vmemos_link(root, "d", root, "x"), -EPERM);
	OK(vmemos_stat(root, "d/b", 0, &st));
	EXPECT(st.nlink, 2);
	OK(vmemos_fstat(f, &st));
	EXPECT(st.nlink, 2);
	EXPECT(vmemos_mkdir(root, "a", 0755), -EEXIST);
	EXPECT(vmemos_mkdir(root, "/", 0755), -EEXIST);
	EXPECT(vmemos_unlink(root, "d"), -EISDIR);
	EXPECT(vmemos_unlink(root, "/"), -EISDIR);
	EXPECT(vmemos_rmdir(root, "a"), -ENOTDIR);
	EXPECT(vmemos_rmdir(root, "d"), -ENOTEMPTY);
	EXPECT(vmemos_rmdir(root, "d/."), -EINVAL);
	EXPECT(vmemos_rmdir(root, "d/e/.."), -ENOTEMPTY);
	EXPECT(vmemos_rmdir(root, "/"), -EBUSY);
	OK(vmemos_unlink(root, "a"));
	EXPECT(vmemos_unlink(root, "a"), -ENOENT);
	OK(vmemos_close(f));
	OK(vmemos_unlink(root, "d/b"));
	OK(vmemos_rmdir(root, "d/e"));
	OK(vmemos_rmdir(root, "d"));
}

static void renames(void)
{
	struct vmemos_file *f = make_file("a");
	uint64_t a, b;

	CHECK(f);
	OK(vmemos_close(f));
	f = make_file("b");
	CHECK(f);
	OK(vmemos_close(f));
	OK(vmemos_mkdir(root, "d", 0755));
	OK(vmemos_mkdir(root, "d/e", 0755));
	a = ino_of("a");
	b = ino_of("b");
	EXPECT(vmemos_rename(root, "a", root, "b", VMEMOS_RENAME_NOREPLACE), -EEXIST);
	OK(vmemos_rename(root, "a", root, "b", VMEMOS_RENAME_EXCHANGE));
	EXPECT(ino_of("a"), b);
	OK(vmemos_rename(root, "b", root, "a", 0));
	EXPECT(ino_of("a"), a);
	CHECK(!exists("b"));
	EXPECT(vmemos_rename(root, "d", root, "d/e/x", 0), -EINVAL);
	EXPECT(vmemos_rename(root, "d", root, "d/e", 0), -EINVAL);
	EXPECT(vmemos_rename(root, "d/e", root, "d", 0), -ENOTEMPTY);
	EXPECT(vmemos_rename(root, "d/e", root, "d", VMEMOS_RENAME_EXCHANGE), -EINVAL);
	EXPECT(vmemos_rename(root, "a", root, "d", 0), -EISDIR);
	EXPECT(vmemos_rename(root, "d", root, "a", 0), -ENOTDIR);
	EXPECT(vmemos_rename(root, "a", root, "c/", 0), -ENOTDIR);
	EXPECT(vmemos_rename(root, ".", root, "x", 0), -EBUSY);
	EXPECT(vmemos_rename(root, "d/..", root, "x", 0), -EBUSY);
	EXPECT(vmemos_rename(root, "gone", root, "x", 0), -ENOENT);
	OK(vmemos_rename(root, "d/e", root, "e2/", 0));
	EXPECT(ino_of("e2/.."), 1);
	OK(vmemos_rename(root, "a", root, "e2/a", 0));
	CHECK(again());
	EXPECT(ino_of("e2/a"), a);
	OK(vmemos_unlink(root, "e2/a"));
	OK(vmemos_rmdir(root, "e2"));
	OK(vmemos_rmdir(root, "d"));
}

/* names n0 .. n199; seen[i] counts */
static uint8_t seen[200];

static int note_entry(const struct vmemos_dirent *e)
{
	unsigned int n = 0;
	size_t i;

	if (e->name[0] != 'n')
		return 0;
	for (i = 1; i < e->len; i++)
		n = n * 10 + (unsigned int)(e->name[i] - '0');
	if (n >= NR(seen) || e->type != 8)
		return -1;
	seen[n]++;
	return 0;
}

static void directories_list_each_name_once(void)
{
	struct vmemos_dirent e;
	struct vmemos_file *f, *d;
	int64_t middle = 0;
	unsigned int i, n = 0;
	char name[16];

	OK(vmemos_mkdir(root, "d", 0755));
	for (i = 0; i < NR(seen); i++) {
		vmemos_format(name, sizeof(name), "d/n%u", i);
		OK(vmemos_mknod(root, name, VMEMOS_S_IFREG | 0644, 0));
	}
	memset(seen, 0, sizeof(seen));
	OK(vmemos_open(root, "d", 0, 0, &d));
	while (vmemos_readdir(d, &e) == 1) {
		OK(note_entry(&e));
		if (++n == 100)
			middle = e.next;
	}
	EXPECT(n, NR(seen) + 2);
	for (i = 0; i < NR(seen); i++)
		EXPECT(seen[i], 1);
	/* From a position in the middle on there are as many as there were. */
	EXPECT(vmemos_lseek(d, middle, VMEMOS_SEEK_SET), middle);
	for (n = 0; vmemos_readdir(d, &e) == 1; n++)
		OK(note_entry(&e));
	EXPECT(n, NR(seen) + 2 - 100);
	EXPECT(vmemos_lseek(d, 0, VMEMOS_SEEK_SET), 0);
	EXPECT(vmemos_readdir(d, &e), 1);
	CHECK(!strcmp(e.name, "."));
	OK(vmemos_close(d));
	for (i = 0; i < NR(seen); i++) {
		vmemos_format(name, sizeof(name), "d/n%u", i);
		OK(vmemos_unlink(root, name));
	}
	f = make_file("plain");
	CHECK(f);
	EXPECT(vmemos_readdir(f, &e), -ENOTDIR);
	OK(vmemos_close(f));
	OK(vmemos_unlink(root, "plain"));
	OK(vmemos_rmdir(root, "d"));
}

int vmemos_main(struct vmemos_platform *p, int argc, char **argv)
{
	static const struct property list[] = {
		{ "dots and slashes lead where Linux leads", dots_and_slashes, false },
		{ "symbolic links are followed, up to a limit", symlinks_are_followed, false },
		{ "40 of them, as on Linux", so_many_symlinks_are_followed, false },
		{ "names and paths have limits", long_names, false },
		{ "the flags of open do what they say", flags_of_open, false },
		{ "names are made, linked and removed", names_come_and_go, false },
		{ "renames replace, exchange, and never make a loop", renames, false },
		{ "a directory lists each name once", directories_list_each_name_once, false },
	};

	return check_all(p, argc, argv, list, NR(list));
}
