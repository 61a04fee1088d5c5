// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* vfsprobe-alloc.c - fallocate: what a file is after each mode, and what a mapping of it shows */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vfsprobe.h"

#define PAGE	4096
#define PUNCH	(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

/* Page n is full of the n-th letter. */
static int make_pages(const char *path, int nr)
{
	int fd = make_file(path, 0), i;
	char page[PAGE];

	for (i = 0; i < nr; i++) {
		memset(page, 'a' + i, PAGE);
		must(pwrite(fd, page, PAGE, (off_t)i * PAGE) == PAGE, "write");
	}
	return fd;
}

/* A letter for a run of equal bytes, and how many; '.' is zero. */
static void say_contents(const char *what, const char *bytes, size_t len)
{
	char text[600] = "", one[32];
	size_t i = 0, n;

	for (; i < len && strlen(text) < 500; i += n) {
		for (n = 1; i + n < len && bytes[i + n] == bytes[i]; n++)
			;
		snprintf(one, sizeof(one), "%c%zu ", bytes[i] ? bytes[i] : '.', n);
		strcat(text, one);
	}
	say(what, "%s", text);
}

/* Kinds of what FIEMAP tells, adjacent ones of a kind as one. */
static void say_map(const char *what, int fd)
{
	struct { struct fiemap map; struct fiemap_extent extents[64]; } f = {
		.map = { .fm_length = ~0ull, .fm_extent_count = 64 },
	};
	char text[600] = "", one[64];
	unsigned int i, n;

	if (ioctl(fd, FS_IOC_FIEMAP, &f)) {
		result(what, -1);
		return;
	}
	for (i = 0; i < f.map.fm_mapped_extents; i += n) {
		struct fiemap_extent *e = f.extents + i;
		bool unwritten = e->fe_flags & FIEMAP_EXTENT_UNWRITTEN;
		unsigned long long end = e->fe_logical + e->fe_length;

		for (n = 1; i + n < f.map.fm_mapped_extents && e[n].fe_logical == end &&
		     unwritten == !!(e[n].fe_flags & FIEMAP_EXTENT_UNWRITTEN); n++)
			end += e[n].fe_length;
		snprintf(one, sizeof(one), "%llu-%llu%s ", e->fe_logical / PAGE, end / PAGE, unwritten ? "u" : "");
		if (strlen(text) < 500)
			strcat(text, one);
	}
	say(what, "%s", text);
}

/* All that a program can see of it. */
static void say_file(const char *what, int fd)
{
	static char bytes[64 * PAGE];
	struct stat st;
	char name[200];

	must(!fsync(fd) && !fstat(fd, &st), "fstat");
	snprintf(name, sizeof(name), "%s, size and blocks", what);
	say(name, "%lld %lld", (long long)st.st_size, (long long)st.st_blocks / 8);
	snprintf(name, sizeof(name), "%s, extents", what);
	say_map(name, fd);
	snprintf(name, sizeof(name), "%s, contents", what);
	say_contents(name, bytes, (size_t)pread(fd, bytes, sizeof(bytes), 0));
}

static void do_mode(const char *what, int mode, off_t off, off_t len)
{
	struct stat before, after;
	int fd = make_pages("f", 8);
	char name[200];

	must(!fchmod(fd, 04755) && !fsync(fd) && !fstat(fd, &before), "fstat");
	let_time_pass();
	ASK(what, fallocate(fd, mode, off, len));
	must(!fstat(fd, &after), "fstat");
	snprintf(name, sizeof(name), "%s, times moved", what);
	say(name, "%d %d", before.st_mtim.tv_nsec != after.st_mtim.tv_nsec, before.st_ctim.tv_nsec != after.st_ctim.tv_nsec);
	say_file(what, fd);
	close(fd);
}

static void ask_modes(void)
{
	do_mode("allocate inside", 0, PAGE, 3 * PAGE);
	do_mode("allocate across the end", 0, 7 * PAGE, 5 * PAGE);
	do_mode("allocate 100 bytes behind the end", 0, 8 * PAGE + 100, 100);
	do_mode("allocate across the end, size kept", FALLOC_FL_KEEP_SIZE, 7 * PAGE, 5 * PAGE);
	do_mode("allocate far behind the end, size kept", FALLOC_FL_KEEP_SIZE, 20 * PAGE, 2 * PAGE);
	do_mode("punch pages", PUNCH, 2 * PAGE, 3 * PAGE);
	do_mode("punch parts of pages", PUNCH, 2 * PAGE + 100, 3 * PAGE);
	do_mode("punch inside a page", PUNCH, 2 * PAGE + 100, 50);
	do_mode("punch across the end", PUNCH, 6 * PAGE + 100, 10 * PAGE);
	do_mode("punch behind the end", PUNCH, 9 * PAGE, PAGE);
	do_mode("punch it all", PUNCH, 0, 1ll << 40);
	do_mode("zero pages", FALLOC_FL_ZERO_RANGE, 2 * PAGE, 3 * PAGE);
	do_mode("zero parts of pages", FALLOC_FL_ZERO_RANGE, 2 * PAGE + 100, 3 * PAGE);
	do_mode("zero inside a page", FALLOC_FL_ZERO_RANGE, 2 * PAGE + 100, 50);
	do_mode("zero across the end", FALLOC_FL_ZERO_RANGE, 7 * PAGE, 3 * PAGE);
	do_mode("zero across the end, size kept", FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 7 * PAGE, 3 * PAGE);
	do_mode("collapse", FALLOC_FL_COLLAPSE_RANGE, 2 * PAGE, 3 * PAGE);
	do_mode("collapse from the start", FALLOC_FL_COLLAPSE_RANGE, 0, PAGE);
	do_mode("collapse to the end", FALLOC_FL_COLLAPSE_RANGE, 6 * PAGE, 2 * PAGE);
	do_mode("collapse behind the end", FALLOC_FL_COLLAPSE_RANGE, 9 * PAGE, PAGE);
	do_mode("collapse parts of pages", FALLOC_FL_COLLAPSE_RANGE, 100, PAGE);
	do_mode("collapse 100 bytes", FALLOC_FL_COLLAPSE_RANGE, 0, 100);
	do_mode("collapse, size kept", FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, 0, PAGE);
	do_mode("insert", FALLOC_FL_INSERT_RANGE, 2 * PAGE, 3 * PAGE);
	do_mode("insert at the start", FALLOC_FL_INSERT_RANGE, 0, PAGE);
	do_mode("insert at the end", FALLOC_FL_INSERT_RANGE, 8 * PAGE, PAGE);
	do_mode("insert behind the end", FALLOC_FL_INSERT_RANGE, 9 * PAGE, PAGE);
	do_mode("insert parts of pages", FALLOC_FL_INSERT_RANGE, 100, PAGE);
	do_mode("insert too much", FALLOC_FL_INSERT_RANGE, PAGE, 0x7ffffffffffff000ll);
	do_mode("zero and punch", FALLOC_FL_ZERO_RANGE | PUNCH, 0, PAGE);
	do_mode("allocate beyond all sizes", 0, 0x7fffffffffff0000ll, PAGE);
}

/* What is written into blocks that are there in advance, and what becomes of the others. */
static void ask_life(void)
{
	int fd = make_file("life", 0);

	ASK("allocate 16 pages", fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 16 * PAGE));
	say_file("allocated", fd);
	must(pwrite(fd, "abc", 3, 5 * PAGE + 10) == 3, "write");
	say_file("allocated, and a few bytes written", fd);
	must(pwrite(fd, "abc", 3, 7 * PAGE - 1) == 3, "write");
	say_file("allocated, and written across two pages", fd);
	ASK("the data", lseek(fd, 0, SEEK_DATA));
	ASK("the hole behind it", lseek(fd, 5 * PAGE, SEEK_HOLE));
	must(!ftruncate(fd, 6 * PAGE), "ftruncate");
	say_file("allocated, and cut", fd);
	must(!fallocate(fd, FALLOC_FL_KEEP_SIZE, 6 * PAGE, 4 * PAGE), "fallocate");
	say_file("and allocated behind the end", fd);
	must(!ftruncate(fd, 6 * PAGE), "ftruncate");
	say_file("and cut to the size that it has", fd);
	must(!fallocate(fd, FALLOC_FL_KEEP_SIZE, 6 * PAGE, 4 * PAGE) && !ftruncate(fd, 8 * PAGE), "ftruncate");
	say_file("and allocated, and grown", fd);
	close(fd);
}

static sigjmp_buf jump;

static void on_bus(int signal)
{
	(void)signal;
	siglongjmp(jump, 1);
}

static const char *touch(volatile char *p)
{
	const char *answer = "SIGBUS";

	signal(SIGBUS, on_bus);
	if (!sigsetjmp(jump, 1)) {
		(void)*p;
		answer = "is there";
	}
	signal(SIGBUS, SIG_DFL);
	return answer;
}

static char *map_pages(int fd, int nr, int flags)
{
	char *p = mmap(NULL, (size_t)nr * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);

	must(p != MAP_FAILED, "mmap");
	return p;
}

static void ask_mapped(void)
{
	static const struct {
		const char *name;
		int mode;
	} modes[] = {
		{ "mapped, punched", PUNCH }, { "mapped, zeroed", FALLOC_FL_ZERO_RANGE },
		{ "mapped, collapsed", FALLOC_FL_COLLAPSE_RANGE }, { "mapped, inserted", FALLOC_FL_INSERT_RANGE },
	};
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		int fd = make_pages("m", 8);
		char *shared = map_pages(fd, 8, MAP_SHARED), *private = map_pages(fd, 8, MAP_PRIVATE), name[100];

		memset(shared + 100, 'S', 8 * PAGE - 200);
		memset(private + 3 * PAGE, 'P', 10);
		ASK(modes[i].name, fallocate(fd, modes[i].mode, 2 * PAGE, 2 * PAGE));
		snprintf(name, sizeof(name), "%s, the bytes", modes[i].name);
		say_contents(name, shared, 6 * PAGE);
		snprintf(name, sizeof(name), "%s, its end", modes[i].name);
		say(name, "%s", touch(shared + 7 * PAGE));
		snprintf(name, sizeof(name), "%s, the private copy", modes[i].name);
		say(name, "%c", modes[i].mode == PUNCH || modes[i].mode == FALLOC_FL_ZERO_RANGE ? private[3 * PAGE] : '-');
		memset(shared + 2 * PAGE + 50, 'T', PAGE);
		must(!msync(shared, 6 * PAGE, MS_SYNC), "msync");
		snprintf(name, sizeof(name), "%s, and stored to", modes[i].name);
		say_file(name, fd);
		munmap(shared, 8 * PAGE);
		munmap(private, 8 * PAGE);
		close(fd);
	}
}

/* Blocks in advance are zeros in a mapping, and what a write puts there shows. */
static void ask_mapped_allocated(void)
{
	int fd = make_file("ma", 0), i;
	char *p;

	must(!fallocate(fd, 0, 0, 8 * PAGE), "fallocate");
	p = map_pages(fd, 8, MAP_SHARED);
	for (i = 0; i < 8; i++)
		(void)*(volatile char *)(p + i * PAGE);
	must(pwrite(fd, "written", 7, 3 * PAGE) == 7, "write");
	say_contents("allocated, mapped, written", p, 8 * PAGE);
	memcpy(p + 5 * PAGE, "stored", 6);
	must(!msync(p, 8 * PAGE, MS_SYNC), "msync");
	/* Which blocks become data is the file system's to decide. */
	say_contents("which is also stored to", p, 8 * PAGE);
	close(fd);
}

static void ask_refused(void)
{
	int fd = make_pages("r", 8), append = open("r", O_WRONLY | O_APPEND), pipes[2];
	struct rlimit old, limit;

	must(!pipe(pipes) && !mkfifo("fifo", 0600), "pipe");
	ASK("allocate in a pipe", fallocate(pipes[1], 0, 0, PAGE));
	ASK("posix_fallocate with O_APPEND", posix_fallocate(append, 0, 10 * PAGE));
	ASK("punch with O_APPEND", fallocate(append, PUNCH, 0, PAGE));
	must(!getrlimit(RLIMIT_FSIZE, &old), "getrlimit");
	limit = old;
	limit.rlim_cur = 11 * PAGE;
	signal(SIGXFSZ, SIG_IGN);
	must(!setrlimit(RLIMIT_FSIZE, &limit), "setrlimit");
	ASK("allocate up to RLIMIT_FSIZE", fallocate(fd, 0, 0, 11 * PAGE));
	ASK("allocate across RLIMIT_FSIZE", fallocate(fd, 0, 0, 12 * PAGE));
	ASK("allocate beyond it, size kept", fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 12 * PAGE));
	ASK("zero across RLIMIT_FSIZE", fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 12 * PAGE));
	must(!setrlimit(RLIMIT_FSIZE, &old), "setrlimit");
	close(append);
	close(pipes[0]);
	close(pipes[1]);
	close(fd);
}

static void ask_set_id(void)
{
	static const int modes[] = { 0, PUNCH, FALLOC_FL_ZERO_RANGE };
	int fd = open("s", O_RDWR);
	struct stat st;
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		must(!fchmod(fd, 04755) && !fallocate(fd, modes[i], 0, PAGE) && !fstat(fd, &st), "set-id");
		say(i ? i == 1 ? "mode of a set-id file, punched" : "zeroed" : "mode of a set-id file, allocated",
		    "%o", st.st_mode);
	}
	close(fd);
}

void ask_alloc(void)
{
	int fd = make_pages("s", 2);

	must(!fchown(fd, 1000, 1000), "fchown");
	ask_as(1000, 1000, ask_set_id);
	close(fd);
	ask_modes();
	ask_life();
	ask_mapped();
	ask_mapped_allocated();
	ask_refused();
}
