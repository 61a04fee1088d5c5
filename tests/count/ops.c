// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * ops.c - do each file operation N times between marks (mark.h)
 *
 * usage: ops DIR N        DIR is empty
 *
 * Prints "region NAME N", one line per region in the order of the marks, when
 * all is done: printing earlier would be counted.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "mark.h"

#define MAX 2000

static char file[MAX][16], other[MAX][16], dir[MAX][16];
static char buf[65536] __attribute__((aligned(4096)));
static int big = -1, tail = -1, holes = -1;
static char *map, *hole_map;
static const char *regions[64];
static unsigned int nr_regions;

static void must(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "ops: %s: %s\n", what, strerror(errno));
		exit(1);
	}
}

/* ---- Operations: each does the i-th of N ---- */

static void op_create(int i)
{
	int fd = open(file[i], O_CREAT | O_EXCL | O_RDWR, 0644);

	must(fd >= 0 && !close(fd), "create");
}

static void op_open(int i)
{
	int fd = open(file[i], O_RDONLY);

	must(fd >= 0 && !close(fd), "open");
}

static void op_stat(int i)
{
	struct stat st;

	must(!stat(file[i], &st), "stat");
}

static void op_lookup_missing(int i)
{
	struct stat st;

	must(stat(other[i], &st) < 0, "lookup of a missing name");
}

static void op_chmod(int i)
{
	must(!chmod(file[i], 0600), "chmod");
}

static void op_chown(int i)
{
	must(!chown(file[i], 1, 1), "chown");
}

static void op_utimes(int i)
{
	struct timespec ts[2] = { { .tv_sec = 1000000000 + i }, { .tv_sec = 1100000000 } };

	must(!utimensat(AT_FDCWD, file[i], ts, 0), "utimensat");
}

static void op_link(int i)
{
	must(!link(file[i], other[i]), "link");
}

static void op_unlink_link(int i)
{
	must(!unlink(other[i]), "unlink");
}

static void op_symlink(int i)
{
	must(!symlink(file[i], other[i]), "symlink");
}

static void op_readlink(int i)
{
	must(readlink(other[i], buf, sizeof(buf)) > 0, "readlink");
}

static void op_rename(int i)
{
	must(!rename(file[i], other[i]), "rename");
}

static void op_rename_over(int i)
{
	int fd = open(file[i], O_CREAT | O_EXCL | O_RDWR, 0644);

	must(fd >= 0 && !close(fd) && !rename(other[i], file[i]), "rename over a file");
}

static void op_mkdir(int i)
{
	must(!mkdir(dir[i], 0755), "mkdir");
}

static void op_rmdir(int i)
{
	must(!rmdir(dir[i]), "rmdir");
}

static void op_readdir(int i)
{
	static DIR *d;

	if (!i)
		d = opendir(".");
	must(d && readdir(d), "readdir");
}

static void op_append_512(int i)
{
	(void)i;
	must(write(tail, buf, 512) == 512, "append");
}

static void op_append_4k(int i)
{
	(void)i;
	must(write(tail, buf, 4096) == 4096, "append");
}

static void op_overwrite_512(int i)
{
	must(pwrite(big, buf, 512, (off_t)(i % MAX) * 4096 + 512) == 512, "overwrite");
}

static void op_overwrite_4k(int i)
{
	must(pwrite(big, buf, 4096, (off_t)(i % MAX) * 4096) == 4096, "overwrite");
}

static void op_read_4k(int i)
{
	must(pread(big, buf, 4096, (off_t)(i % MAX) * 4096) == 4096, "read");
}

static void op_fill_hole(int i)
{
	must(pwrite(holes, buf, 4096, (off_t)i * 8192) == 4096, "write into a hole");
}

static void op_seek_hole(int i)
{
	must(lseek(big, (off_t)i, SEEK_HOLE) > 0, "seek");
}

static void op_statfs(int i)
{
	struct statfs st;

	(void)i;
	must(!statfs(".", &st), "statfs");
}

/* The file has N blocks of 4 KiB and loses one and a half. */
static void op_shrink(int i)
{
	must(!ftruncate(tail, (off_t)(MAX - i) * 4096 - 2048), "truncate");
}

static void op_grow(int i)
{
	must(!ftruncate(holes, (off_t)(i + 1) * 1000000), "truncate");
}

static void op_mmap(int i)
{
	char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, big, 0);

	must(p != MAP_FAILED, "mmap");
	p[i % 65536] = (char)i;
	must(!munmap(p, 65536), "munmap");
}

static void op_map_store(int i)
{
	((volatile char *)map)[(size_t)i * 4096] = (char)i;
}

static void op_map_hole(int i)
{
	((volatile char *)hole_map)[(size_t)i * 4096] = (char)i;
}

static void op_tmpfile(int i)
{
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);

	(void)i;
	must(fd >= 0 && write(fd, buf, 4096) == 4096 && !close(fd), "tmpfile");
}

static void op_unlink_file(int i)
{
	must(!unlink(file[i]), "unlink");
}

/* What may leave the guest. */
static void op_overwrite_fdatasync(int i)
{
	op_overwrite_4k(i);
	must(!fdatasync(big), "fdatasync");
}

static void op_append_fsync(int i)
{
	op_append_512(i);
	must(!fsync(tail), "fsync");
}

static void op_create_fsync_dir(int i)
{
	int fd = open(".", O_RDONLY | O_DIRECTORY);

	op_create(i);
	must(fd >= 0 && !fsync(fd) && !close(fd), "fsync of the directory");
}

static void op_msync(int i)
{
	op_map_store(i);
	must(!msync(map + (size_t)i * 4096, 4096, MS_SYNC), "msync");
}

static void op_sync(int i)
{
	must(!chmod(file[i], 0644), "chmod");
	must(!syncfs(big), "syncfs");
}

static void op_clean_fsync(int i)
{
	(void)i;
	must(!fsync(big), "fsync");
}

/* What must be counted: they show that the counters count. */
static void op_control_clwb(int i)
{
	__asm__ volatile("clwb %0" : "+m"(buf[(unsigned int)i * 64 % sizeof(buf)]));
}

static void op_control_clflush(int i)
{
	__asm__ volatile("clflush %0" : "+m"(buf[(unsigned int)i * 64 % sizeof(buf)]));
}

static void op_control_port(int i)
{
	(void)i;
	outb(0, 0x80);
}

/* ---- Running them ---- */

static void region(const char *name, void (*op)(int i), int from, int n)
{
	int i;

	regions[nr_regions++] = name;
	MARK(MARK_BEGIN, 0);
	for (i = from; i < from + n; i++)
		op(i);
	MARK(MARK_END, 0);
}

static void fill(int fd, size_t blocks)
{
	size_t i;

	for (i = 0; i < blocks; i++)
		must(write(fd, buf, 4096) == 4096, "write");
}

static void prepare(int n)
{
	int i, fd;

	for (i = 0; i < MAX; i++) {
		snprintf(file[i], sizeof(file[i]), "f%04d", i);
		snprintf(other[i], sizeof(other[i]), "o%04d", i);
		snprintf(dir[i], sizeof(dir[i]), "d%04d", i);
	}
	memset(buf, 'x', sizeof(buf));
	must((big = open("big", O_CREAT | O_RDWR, 0644)) >= 0, "create");
	fill(big, MAX);
	must((tail = open("tail", O_CREAT | O_RDWR | O_APPEND, 0644)) >= 0, "create");
	must((holes = open("holes", O_CREAT | O_RDWR, 0644)) >= 0, "create");
	fd = open("sparse", O_CREAT | O_RDWR, 0644);
	must(fd >= 0 && !ftruncate(fd, (off_t)n * 4096), "truncate");
	map = mmap(NULL, MAX * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, big, 0);
	hole_map = mmap(NULL, (size_t)n * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(map != MAP_FAILED && hole_map != MAP_FAILED && !close(fd), "mmap");
	must(!ioperm(0x80, 1, 1), "ioperm");
	must(!syncfs(big), "syncfs");
}

static void names(int n)
{
	region("create", op_create, 0, n);
	region("open", op_open, 0, n);
	region("stat", op_stat, 0, n);
	region("lookup of a missing name", op_lookup_missing, 0, n);
	region("chmod", op_chmod, 0, n);
	region("chown", op_chown, 0, n);
	region("utimensat", op_utimes, 0, n);
	region("link", op_link, 0, n);
	region("unlink of a second link", op_unlink_link, 0, n);
	region("rename", op_rename, 0, n);
	region("create, rename over it", op_rename_over, 0, n);
	region("symlink", op_symlink, 0, n);
	region("readlink", op_readlink, 0, n);
	region("mkdir", op_mkdir, 0, n);
	region("readdir of one name", op_readdir, 0, n);
	region("rmdir", op_rmdir, 0, n);
	region("O_TMPFILE, write 4 KiB, close", op_tmpfile, 0, n);
}

static void contents(int n)
{
	region("append 512 B", op_append_512, 0, n);
	region("append 4 KiB", op_append_4k, 0, n);
	region("overwrite 512 B", op_overwrite_512, 0, n);
	region("overwrite 4 KiB", op_overwrite_4k, 0, n);
	region("read 4 KiB", op_read_4k, 0, n);
	region("write 4 KiB into a hole", op_fill_hole, 0, n);
	region("lseek SEEK_HOLE", op_seek_hole, 0, n);
	region("statfs", op_statfs, 0, n);
	must(!ftruncate(tail, 0), "truncate");
	fill(tail, MAX);
	region("truncate to half a block less", op_shrink, 0, n);
	region("truncate to grow", op_grow, 0, n);
	region("mmap, store, munmap", op_mmap, 0, n);
	region("first store to a mapped page", op_map_store, 0, n);
	region("second store to a mapped page", op_map_store, 0, n);
	region("first store to a mapped hole", op_map_hole, 0, n);
	region("unlink", op_unlink_file, 0, n);
}

static void syncing(int n)
{
	/* What the operations above left behind is not theirs. */
	must(!syncfs(big), "syncfs");
	region("fsync of a clean file", op_clean_fsync, 0, n);
	region("overwrite 4 KiB, fdatasync", op_overwrite_fdatasync, 0, n);
	region("append 512 B, fsync", op_append_fsync, 0, n);
	region("create, fsync of the directory", op_create_fsync_dir, 0, n);
	region("store to a mapped page, msync", op_msync, 0, n);
	region("chmod, syncfs", op_sync, 0, n);
	region("control: clwb", op_control_clwb, 0, n);
	region("control: clflush", op_control_clflush, 0, n);
	region("control: port write", op_control_port, 0, n);
}

int main(int argc, char **argv)
{
	int n = argc == 3 ? atoi(argv[2]) : 0;
	unsigned int i;

	if (n < 1 || n > MAX / 2) {
		fprintf(stderr, "usage: ops DIR N, with N up to %d\n", MAX / 2);
		return 2;
	}
	must(!chdir(argv[1]), argv[1]);
	prepare(n);
	names(n);
	contents(n);
	syncing(n);
	for (i = 0; i < nr_regions; i++)
		printf("region %s %d\n", regions[i], n);
	return 0;
}
