// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* vfsprobe-times.c - which times move with what */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "vfsprobe.h"

static struct stat before[2];
static const char *watched[2];

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* A path that is gone is looked at no more. */
static void watch(const char *one, const char *two)
{
	watched[0] = one;
	watched[1] = two;
	must(!lstat(one, &before[0]) && (!two || !lstat(two, &before[1])), one);
	let_time_pass();
}

static void moved(const char *what)
{
	char text[64] = "";
	struct stat st;
	int i;

	for (i = 0; i < 2 && watched[i]; i++) {
		char part[16];

		if (lstat(watched[i], &st))
			continue;
		snprintf(part, sizeof(part), " %s%s%s%s",
			 same_time(st.st_atim, before[i].st_atim) ? "" : "a",
			 same_time(st.st_mtim, before[i].st_mtim) ? "" : "m",
			 same_time(st.st_ctim, before[i].st_ctim) ? "" : "c",
			 i ? "" : ",");
		strcat(text, part);
	}
	say(what, "times that move:%s", text);
}

#define MOVES(what, one, two, call) do { watch(one, two); must(!(call), what); moved(what); } while (0)

static void ask_file_times(int fd)
{
	char c = 'c';

	MOVES("write", "f", ".", pwrite(fd, &c, 1, 0) != 1);
	MOVES("append", "f", ".", pwrite(fd, &c, 1, 100000) != 1);
	MOVES("write of nothing", "f", ".", pwrite(fd, &c, 0, 0) != 0);
	MOVES("truncate to a smaller size", "f", ".", ftruncate(fd, 5000));
	MOVES("ftruncate to the same size", "f", ".", ftruncate(fd, 5000));
	MOVES("truncate to the same size", "f", ".", truncate("f", 5000));
	MOVES("truncate to a larger size", "f", ".", truncate("f", 9000));
	MOVES("open O_TRUNC", "f", ".", close(open("f", O_WRONLY | O_TRUNC)));
	MOVES("open O_TRUNC of an empty file", "f", ".", close(open("f", O_WRONLY | O_TRUNC)));
	MOVES("chmod", "f", ".", chmod("f", 0600));
	MOVES("chmod to the same mode", "f", ".", chmod("f", 0600));
	MOVES("chown to nobody in particular", "f", ".", chown("f", -1, -1));
	MOVES("utimes", "f", ".", utimes("f", NULL));
	MOVES("link", "f", ".", link("f", "f2"));
	MOVES("unlink of one of two names", "f", ".", unlink("f2"));
	MOVES("rename", "f", ".", rename("f", "f3") || rename("f3", "f"));
	MOVES("fsync", "f", ".", fsync(fd));
}

static void ask_dir_times(void)
{
	must(!mkdir("a", 0755) && !mkdir("b", 0755), "mkdir");
	MOVES("create, the directory", "a", ".", close(make_file("a/x", 0)));
	MOVES("mkdir, the directory", "a", ".", mkdir("a/d", 0755));
	MOVES("rename within, the directory", "a", ".", rename("a/x", "a/y"));
	MOVES("rename across, the directories", "a", "b", rename("a/y", "b/y"));
	MOVES("rename of a directory, itself and its old home", "a/d", "a", rename("a/d", "a/e"));
	MOVES("exchange, the directories", "a", "b",
	      syscall(SYS_renameat2, AT_FDCWD, "a/e", AT_FDCWD, "b/y", RENAME_EXCHANGE));
	MOVES("unlink, the directory", "a", ".", unlink("a/e"));
	MOVES("rmdir, the directory", "b", ".", rmdir("b/y"));
	MOVES("symlink, the directory", "a", ".", symlink("f", "a/s"));
	close(make_file("a/v", 1));
	close(make_file("a/w", 1));
	must(!link("a/v", "keep"), "link");
	MOVES("rename onto a file with a second name", "keep", "a", rename("a/w", "a/v"));
}

static void ask_map_times(int fd)
{
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	must(p != MAP_FAILED, "mmap");
	MOVES("a store through a mapping", "f", ".", (p[0] = 'm', 0));
	MOVES("msync after it", "f", ".", msync(p, 4096, MS_SYNC));
	MOVES("a store after that", "f", ".", (p[1] = 'm', 0));
	MOVES("fsync after that", "f", ".", (p[1] = 'n', fsync(fd)));
	munmap(p, 4096);
}

static void ask_atimes(void)
{
	struct timespec old[2] = { { 1000, 0 }, { 2000, 0 } };
	char buf[10];
	int fd;

	must(!utimensat(AT_FDCWD, "f", old, 0), "utimensat");
	fd = open("f", O_RDONLY);
	MOVES("read of an old file", "f", ".", pread(fd, buf, 1, 0) != 1);
	MOVES("read of it again", "f", ".", pread(fd, buf, 1, 0) != 1);
	must(!utimensat(AT_FDCWD, "f", old, 0), "utimensat");
	MOVES("read of nothing", "f", ".", pread(fd, buf, 1, 1000000) != 0);
	must(!utimensat(AT_FDCWD, "f", old, 0), "utimensat");
	MOVES("a mapping of it", "f", ".", mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
	close(fd);
	must(!utimensat(AT_FDCWD, "f", old, 0), "utimensat");
	fd = open("f", O_RDONLY | O_NOATIME);
	MOVES("read with O_NOATIME", "f", ".", pread(fd, buf, 1, 0) != 1);
	close(fd);
	must(!symlink("f", "s") && !utimensat(AT_FDCWD, "s", old, AT_SYMLINK_NOFOLLOW), "symlink");
	MOVES("readlink", "s", ".", readlink("s", buf, 10) != 1);
	must(!utimensat(AT_FDCWD, "a", old, 0), "utimensat");
	fd = open("a", O_RDONLY);
	MOVES("readdir", "a", ".", syscall(SYS_getdents64, fd, (char[4096]){ 0 }, 4096) <= 0);
	close(fd);
}

static void ask_ranges(void)
{
	static const long long seconds[] = { -9223372037LL, -2147483649LL, -1, 4294967296LL, 9223372036LL,
					     15032385535LL, 15032385536LL };
	size_t i;

	for (i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		struct timespec t[2] = { { seconds[i], 1 }, { seconds[i], 999999999 } };
		struct stat st;
		char name[64];

		snprintf(name, sizeof(name), "the second %lld", seconds[i]);
		must(!utimensat(AT_FDCWD, "f", t, 0) && !stat("f", &st), name);
		say(name, "%lld.%09ld", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	}
}

void ask_times(void)
{
	int fd = make_file("f", 5000);

	ask_file_times(fd);
	ask_dir_times();
	must(!ftruncate(fd, 4096) && pwrite(fd, "xyz", 3, 0) == 3, "write");
	ask_map_times(fd);
	close(fd);
	ask_atimes();
	ask_ranges();
}
