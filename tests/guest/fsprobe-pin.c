// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* fsprobe-pin.c - what is held beyond its time: pages in pipes, files in a frozen mount */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fsprobe.h"

#define PAGE	4096
#define HELD	(8 * PAGE)		/* fits into a pipe */
#define SEED	41

static void fill_file(int fd, size_t size, uint64_t seed)
{
	char *buf = malloc(size);

	if (!buf)
		wrong("out of memory");
	fill_pattern(buf, size, 0, seed);
	write_at(fd, buf, size, 0);
	free(buf);
}

/* Until the store is full: every free block is used anew. */
static void fill_store(const char *path)
{
	static char chunk[1 << 20];
	int fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);

	memset(chunk, 'n', sizeof(chunk));
	while (write(fd, chunk, sizeof(chunk)) > 0)
		;
	if (errno != ENOSPC)
		fail("fill the store");
	close(fd);
}

static unsigned long long free_blocks(const char *path)
{
	struct statvfs st;

	if (statvfs(path, &st))
		fail("statvfs");
	return st.f_bfree;
}

/* A file whose pages are in a pipe, and nowhere mapped any more. */
static int hold_pages(const char *path, int pipe_fds[2], bool stored)
{
	int fd = open_file(path, O_RDWR | O_CREAT | O_TRUNC);
	struct iovec iov = { .iov_len = HELD };

	fill_file(fd, HELD, SEED);
	iov.iov_base = mmap(NULL, HELD, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (iov.iov_base == MAP_FAILED || pipe(pipe_fds))
		fail("mmap, pipe");
	if (stored)
		*(volatile char *)iov.iov_base = (char)pattern(SEED, 0);
	if (vmsplice(pipe_fds[1], &iov, 1, 0) != HELD)
		fail("vmsplice");
	munmap(iov.iov_base, HELD);
	return fd;
}

static void expect_held(int pipe_fd)
{
	char buf[HELD];
	size_t done = 0;
	ssize_t n;

	while (done < HELD) {
		n = read(pipe_fd, buf + done, HELD - done);
		if (n <= 0)
			fail("read the pipe");
		done += (size_t)n;
	}
	if (check_pattern(buf, HELD, 0, SEED) >= 0)
		wrong("another file's contents are in the pipe");
}

static void wait_for_room(const char *path, unsigned long long blocks)
{
	int tries;

	for (tries = 0; free_blocks(path) < blocks; tries++) {
		if (tries == 1200)
			wrong("the blocks are not free: %llu of %llu", free_blocks(path), blocks);
		usleep(100000);
	}
}

static void cmd_pinned_unlink(char **argv)	/* FILE FILLER 0|1: stored to through the mapping */
{
	unsigned long long before = free_blocks(".");
	int pipe_fds[2], fd;

	fd = hold_pages(argv[0], pipe_fds, number(argv[2]));
	if (unlink(argv[0]))
		fail("unlink");
	close(fd);
	fill_store(argv[1]);
	expect_held(pipe_fds[0]);
	if (unlink(argv[1]))
		fail("unlink");
	wait_for_room(".", before - 8);
}

static void cut(int fd)
{
	if (ftruncate(fd, PAGE + 100))
		fail("ftruncate");
}

static void punch(int fd)
{
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE + 100, 5 * PAGE))
		fail("fallocate PUNCH_HOLE");
}

static void collapse(int fd)
{
	if (fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, PAGE, 5 * PAGE))
		fail("fallocate COLLAPSE_RANGE");
}

/* Pages are held while take() takes their blocks from the file. */
static void taken_while_held(char **argv, void (*take)(int fd))
{
	unsigned long long before = free_blocks(".");
	int pipe_fds[2], fd, status, tries;
	pid_t pid;

	fd = hold_pages(argv[0], pipe_fds, true);
	pid = fork();
	if (!pid) {
		take(fd);
		exit(0);
	}
	/* It may wait for the pages, or not: then it is done soon. */
	for (tries = 0; tries < 20; tries++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			break;
		usleep(100000);
	}
	fill_store(argv[1]);
	expect_held(pipe_fds[0]);
	if (tries == 20 && waitpid(pid, &status, 0) != pid)
		fail("waitpid");
	if (status)
		wrong("taking them has failed");
	if (unlink(argv[0]) || unlink(argv[1]))
		fail("unlink");
	close(fd);
	wait_for_room(".", before - 8);
}

static void cmd_pinned_truncate(char **argv)	/* FILE FILLER */
{
	taken_while_held(argv, cut);
}

static void cmd_pinned_punch(char **argv)	/* FILE FILLER */
{
	taken_while_held(argv, punch);
	taken_while_held(argv, collapse);
}

/* Ends with the pages in a pipe that its parent has: stdout. */
static void cmd_pinned_pipe(char **argv)	/* FILE */
{
	int fd = open_file(argv[0], O_RDWR | O_CREAT | O_TRUNC);
	struct iovec iov = { .iov_len = HELD };

	fill_file(fd, HELD, SEED);
	iov.iov_base = mmap(NULL, HELD, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (iov.iov_base == MAP_FAILED)
		fail("mmap");
	*(volatile char *)iov.iov_base = (char)pattern(SEED, 0);
	if (vmsplice(1, &iov, 1, 0) != HELD)
		fail("vmsplice");
}

static long long counter(const char *path)
{
	char text[32] = "";
	int fd = open_file(path, O_RDONLY);

	if (read(fd, text, sizeof(text) - 1) <= 0)
		fail("read %s", path);
	close(fd);
	return atoll(text);
}

static void cmd_frozen_unlinked(char **argv)	/* MOUNT-POINT RECORDS-COUNTER */
{
	unsigned long long before = free_blocks(argv[0]);
	int root = open_file(argv[0], O_RDONLY), fd, tmp;
	struct fstrim_range all = { .len = ~0ull };
	long long records;
	pid_t trimmer;

	fd = open_file("frozen", O_RDWR | O_CREAT);
	tmp = open(".", O_TMPFILE | O_RDWR, 0644);
	if (tmp < 0)
		fail("O_TMPFILE");
	fill_file(fd, HELD, SEED);
	fill_file(tmp, HELD, SEED);
	if (unlink("frozen"))
		fail("unlink");
	if (ioctl(root, FIFREEZE, 0))
		fail("FIFREEZE");
	records = counter(argv[1]);
	close(fd);
	close(tmp);
	trimmer = fork();
	if (!trimmer) {
		/* Waits for the thaw, or is refused; on a store with a fixed size, at once. */
		ioctl(root, FITRIM, &all);
		exit(0);
	}
	usleep(300000);
	sync();
	records = counter(argv[1]) - records;
	if (ioctl(root, FITHAW, 0))
		fail("FITHAW");
	waitpid(trimmer, NULL, 0);
	if (records)
		wrong("%lld records while frozen", records);
	wait_for_room(argv[0], before);
}

const struct command pin_commands[] = {
	{ "pinned-unlink", 3, cmd_pinned_unlink },
	{ "pinned-truncate", 2, cmd_pinned_truncate },
	{ "pinned-punch", 2, cmd_pinned_punch },
	{ "pinned-pipe", 1, cmd_pinned_pipe },
	{ "frozen-unlinked", 2, cmd_frozen_unlinked },
	{ NULL, 0, NULL }
};
