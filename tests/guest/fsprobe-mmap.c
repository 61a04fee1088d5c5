// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* fsprobe-mmap.c - one function per property of mapped files */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fsprobe.h"

#define PAGE 4096

static sigjmp_buf bus_jump;

static void on_sigbus(int signal)
{
	(void)signal;
	siglongjmp(bus_jump, 1);
}

/* Does touching *p give SIGBUS? */
static bool gives_sigbus(volatile char *p, bool write)
{
	bool bus = true;

	signal(SIGBUS, on_sigbus);
	if (!sigsetjmp(bus_jump, 1)) {
		if (write)
			*p = 1;
		else
			(void)*p;
		bus = false;
	}
	signal(SIGBUS, SIG_DFL);
	return bus;
}

static char *map_shared(int fd, size_t len)
{
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		fail("mmap");
	return p;
}

static int make_file(const char *path, size_t size)
{
	int fd = open_file(path, O_RDWR | O_CREAT | O_TRUNC);

	if (ftruncate(fd, (off_t)size))
		fail("ftruncate");
	return fd;
}

static int make_filled(const char *path, size_t size, uint64_t seed)
{
	int fd = open_file(path, O_RDWR | O_CREAT | O_TRUNC);
	char *buf = malloc(size);

	if (!buf)
		wrong("out of memory");
	fill_pattern(buf, size, 0, seed);
	write_at(fd, buf, size, 0);
	free(buf);
	return fd;
}

static void expect_in_file(int fd, off_t off, const char *text)
{
	char buf[64] = "";

	read_at(fd, buf, strlen(text), off);
	if (memcmp(buf, text, strlen(text)))
		wrong("read '%s' at %lld, not '%s'", buf, (long long)off, text);
}

static void do_msync(void *p, size_t len)
{
	if (msync(p, len, MS_SYNC))
		fail("msync");
}

static void map_read(char **argv)
{
	int fd = make_filled(argv[0], 30000, 5);

	if (check_pattern(map_shared(fd, 30000), 30000, 0, 5) >= 0)
		wrong("the mapping shows something else");
}

static void map_write(char **argv)
{
	int fd = make_filled(argv[0], 30000, 5);
	char *p = map_shared(fd, 30000);

	memcpy(p + 5000, "stored", 6);
	expect_in_file(fd, 5000, "stored");
	do_msync(p, 30000);
	munmap(p, 30000);
	expect_in_file(fd, 5000, "stored");
}

static void map_coherent(char **argv)
{
	int fd = make_filled(argv[0], 30000, 5), i;
	char *p = map_shared(fd, 30000), text[16];

	for (i = 0; i < 1000; i++) {
		off_t off = (i * 29) % 29000;

		snprintf(text, sizeof(text), "w%d.", i);
		write_at(fd, text, strlen(text), off);
		if (memcmp(p + off, text, strlen(text)))
			wrong("the mapping does not show a write");
		text[0] = 'm';
		memcpy(p + off, text, strlen(text));
		expect_in_file(fd, off, text);
	}
}

static void map_hole_read(char **argv)
{
	int fd = make_file(argv[0], 100000), i;
	char *p = map_shared(fd, 100000);

	for (i = 0; i < 100000; i++)
		if (p[i])
			wrong("a hole is not zero at %d", i);
	write_at(fd, "filled", 6, 50000);
	if (memcmp(p + 50000, "filled", 6))
		wrong("the mapping still shows the hole");
	write_at(fd, "X", 1, 99999);
	if (p[99999] != 'X')
		wrong("the mapping still shows the hole at its end");
}

static void map_hole_write(char **argv)
{
	int fd = make_file(argv[0], 100000);
	char *p = map_shared(fd, 100000);
	struct stat st;

	p[70000] = 'a';
	(void)*(volatile char *)(p + 4096);
	p[4096] = 'b';
	expect_in_file(fd, 70000, "a");
	expect_in_file(fd, 4096, "b");
	if (fstat(fd, &st) || st.st_blocks < 16)
		wrong("%lld blocks", (long long)st.st_blocks);
}

static void map_private(char **argv)
{
	int fd = make_filled(argv[0], 30000, 5);
	char *p = mmap(NULL, 30000, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	char buf[6];

	if (p == MAP_FAILED)
		fail("mmap");
	memcpy(p + 100, "secret", 6);
	read_at(fd, buf, 6, 100);
	if (!memcmp(buf, "secret", 6))
		wrong("a private store reached the file");
	/* Cutting off what follows leaves the private copy alone. */
	if (ftruncate(fd, 1000))
		fail("ftruncate");
	if (memcmp(p + 100, "secret", 6))
		wrong("the private copy is gone");
}

static void map_beyond(char **argv)
{
	int fd = make_filled(argv[0], 5000, 5);
	char *p = map_shared(fd, 4 * PAGE);

	if (gives_sigbus(p + 8000, false))
		wrong("SIGBUS inside the last page");
	if (!gives_sigbus(p + 2 * PAGE, false) || !gives_sigbus(p + 3 * PAGE, true))
		wrong("no SIGBUS beyond the end");
}

static void map_truncate(char **argv)
{
	int fd = make_filled(argv[0], 30000, 5);
	char *p = map_shared(fd, 30000);

	p[20000] = 1;
	if (ftruncate(fd, 10000))
		fail("ftruncate");
	if (!gives_sigbus(p + 20000, true))
		wrong("no SIGBUS after truncation");
	p[9000] = 'k';
	expect_in_file(fd, 9000, "k");
	if (p[10001])
		wrong("the rest of the last page is not zero");
	p[9001] = 'l';
	do_msync(p, 10000);
	expect_in_file(fd, 9001, "l");
}

static void expect_zeros(int fd, off_t off, size_t len)
{
	static char buf[PAGE];
	size_t i, n = read_at(fd, buf, len, off);

	for (i = 0; i < n; i++)
		if (buf[i])
			wrong("byte 0x%02x at %lld", (uint8_t)buf[i], (long long)off + (long long)i);
}

static void map_tail(char **argv)
{
	int fd = make_filled(argv[0], 5000, 5);
	char *p = map_shared(fd, 2 * PAGE);

	memset(p + 5000, 'G', 3000);
	if (ftruncate(fd, 8000))
		fail("ftruncate");
	expect_zeros(fd, 5000, 3000);
}

static void map_tail_write(char **argv)
{
	int fd = make_filled(argv[0], 5000, 5);
	char *p = map_shared(fd, 2 * PAGE);

	memset(p + 5000, 'G', 3000);
	write_at(fd, "new", 3, 7000);
	expect_zeros(fd, 5000, 2000);
	expect_in_file(fd, 7000, "new");
	memset(p + 7003, 'G', 1000);
	write_at(fd, "far", 3, 20000);
	expect_zeros(fd, 7003, 1189);
}

static void map_two(char **argv)
{
	int fd = make_filled(argv[0], 30000, 5), i;
	char *a = map_shared(fd, 30000), *b = map_shared(fd, 30000);

	for (i = 0; i < 30000; i += 777) {
		a[i] = (char)i;
		if (b[i] != (char)i)
			wrong("the other mapping differs at %d", i);
	}
}

#define SPARSE_SIZE (1ull << 32)
#define SPARSE_STEP (SPARSE_SIZE / 300 & ~7ull)

static void map_sparse(char **argv)
{
	int fd = make_file(argv[0], SPARSE_SIZE);
	char *p = map_shared(fd, SPARSE_SIZE);
	uint64_t off;

	for (off = 0; off + 8 < SPARSE_SIZE; off += SPARSE_STEP) {
		memcpy(p + off, &off, sizeof(off));
		if (off % 3 == 0)
			do_msync(p + (off & ~4095ull), PAGE);
	}
}

static void map_check_sparse(char **argv)
{
	int fd = open_file(argv[0], O_RDONLY);
	uint64_t off, found;

	for (off = 0; off + 8 < SPARSE_SIZE; off += SPARSE_STEP)
		if (read_at(fd, &found, 8, (off_t)off) != 8 || found != off)
			wrong("a store at %llu is lost", (unsigned long long)off);
}

static void map_unlinked(char **argv)
{
	int fd = make_filled(argv[0], 30000, 5);
	char *p = map_shared(fd, 30000);

	if (unlink(argv[0]))
		fail("unlink");
	close(fd);
	p[100] = 'u';
	if (p[100] != 'u' || check_pattern(p + 101, 29000, 101, 5) >= 0)
		wrong("the mapping lost its contents");
}

static void map_self(char **argv)
{
	int fd = make_filled(argv[0], 60000, 5);
	char *p = map_shared(fd, 60000);

	write_at(fd, p, 20000, 30000);
	if (memcmp(p, p + 30000, 20000))
		wrong("the copy differs");
	/* A source that is not in the page tables yet, and a hole. */
	munmap(p, 60000);
	if (ftruncate(fd, 200000))
		fail("ftruncate");
	p = map_shared(fd, 200000);
	write_at(fd, p + 60000, 50000, 120000);
	if (memcmp(p + 60000, p + 120000, 50000))
		wrong("the copy of a hole differs");
	if (pread(fd, p + 150000, 30000, 0) != 30000)
		fail("read into the own mapping");
	if (memcmp(p + 150000, p, 30000))
		wrong("the read into the own mapping differs");
}

static void map_direct_into(char **argv)
{
	int fd = make_file(argv[0], 65536), other = open_file("/proc/self/exe", O_RDONLY);
	char *p = map_shared(fd, 65536), buf[PAGE];

	if (read(other, p, 65536) != 65536)
		fail("read into a mapping");
	read_at(other, buf, PAGE, 8192);
	if (memcmp(p + 8192, buf, PAGE))
		wrong("the mapping differs");
}

static void map_mtime(char **argv)
{
	int fd = make_filled(argv[0], 30000, 5);
	struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
	char *p = map_shared(fd, 30000);
	struct stat st;

	if (futimens(fd, old))
		fail("futimens");
	p[5] = 1;
	do_msync(p, PAGE);
	if (fstat(fd, &st) || st.st_mtim.tv_sec == 1000)
		wrong("mtime did not move");
}

static void map_huge(char **argv)
{
	size_t len = 8 << 20;
	int fd = make_file(argv[0], len);
	char *p = map_shared(fd, len);

	fill_pattern(p, len, 0, 9);
	do_msync(p, len);
	if (check_pattern(p, len, 0, 9) >= 0)
		wrong("the mapping differs");
	/* Cut inside, grow, fill again. */
	if (ftruncate(fd, 3000001) || ftruncate(fd, (off_t)len))
		fail("ftruncate");
	if (check_pattern(p, 3000001, 0, 9) >= 0)
		wrong("what stays differs");
	if (p[3000001] || p[len - 1])
		wrong("what was cut off came back");
	fill_pattern(p, len, 0, 9);
}

static void map_refill(char **argv)
{
	int fd = make_filled(argv[0], 30000, 5), i;
	char *p = map_shared(fd, 30000), *buf = malloc(30000);

	for (i = 0; i < 20; i++) {
		if (ftruncate(fd, i * 100))
			fail("ftruncate");
		fill_pattern(buf, 30000, 0, (uint64_t)i);
		write_at(fd, buf, 30000, 0);
		if (check_pattern(p, 30000, 0, (uint64_t)i) >= 0)
			wrong("round %d: the mapping shows old contents", i);
		p[12345] = 1;
	}
}

#define THREAD_BYTES 40000

struct thread {
	pthread_t id;
	int fd, nr;
	char *map;
};

static void *store_and_sync(void *arg)
{
	struct thread *t = arg;
	int round, i;

	for (round = 0; round < 50; round++) {
		/* The threads share every page. */
		for (i = t->nr; i < THREAD_BYTES; i += 4)
			t->map[i] = (char)(round + i);
		if (msync(t->map, THREAD_BYTES, MS_SYNC))
			fail("msync");
		for (i = t->nr; i < THREAD_BYTES; i += 4)
			if (t->map[i] != (char)(round + i))
				wrong("thread %d lost a store at %d", t->nr, i);
	}
	return NULL;
}

static void map_threads(char **argv)
{
	int fd = make_file(argv[0], THREAD_BYTES), i;
	char *p = map_shared(fd, THREAD_BYTES);
	struct thread t[4];

	for (i = 0; i < 4; i++) {
		t[i] = (struct thread){ .fd = fd, .nr = i, .map = p };
		if (pthread_create(&t[i].id, NULL, store_and_sync, &t[i]))
			wrong("pthread_create");
	}
	for (i = 0; i < 4; i++)
		pthread_join(t[i].id, NULL);
}

static void map_nosync(char **argv)
{
	int fd = make_filled(argv[0], PAGE, 1);
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);

	if (p != MAP_FAILED || errno != EOPNOTSUPP)
		wrong("MAP_SYNC was accepted");
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

static void map_flush_again(char **argv)	/* FILE COUNTER */
{
	int fd = make_filled(argv[0], 40 * PAGE, 1), i;
	char *p = map_shared(fd, 40 * PAGE);
	long long before;

	for (i = 0; i < 10; i++) {
		before = counter(argv[1]);
		p[i % 3 * PAGE * 10] = (char)(i + 1);
		do_msync(p, 40 * PAGE);
		if (counter(argv[1]) < before + PAGE)
			wrong("msync %d flushed nothing", i);
	}
	/* Times are flushed with the first fsync; then there is nothing left. */
	do_msync(p, 40 * PAGE);
	before = counter(argv[1]);
	do_msync(p, 40 * PAGE);
	if (counter(argv[1]) != before)
		wrong("msync flushed although nothing was stored");
}

/* Truncation may move the last block: its page must be watched anew. */
static void map_flush_truncated(char **argv)	/* FILE COUNTER */
{
	int fd = make_filled(argv[0], 10 * PAGE, 1), i;
	char *p = map_shared(fd, 10 * PAGE);
	long long before;

	p[5 * PAGE] = 1;
	do_msync(p, 10 * PAGE);
	if (ftruncate(fd, 5 * PAGE + 100))
		fail("ftruncate");
	for (i = 0; i < 5; i++) {
		before = counter(argv[1]);
		p[5 * PAGE + i] = (char)(i + 2);
		do_msync(p, 10 * PAGE);
		if (counter(argv[1]) < before + PAGE)
			wrong("msync %d flushed nothing", i);
	}
}

/* A huge entry goes as a whole: what of it stays is flushed, and watched anew. */
static void flush_beside(char **argv, bool punch)
{
	size_t len = 4 << 20;
	int fd = make_filled(argv[0], len, 1), i;
	char *whole = map_shared(fd, len), *part = map_shared(fd, 64 << 10);
	long long before;

	whole[0] = 1;
	whole[len / 2] = 1;
	part[0] = 2;
	do_msync(whole, len);
	memset(part, 3, 64 << 10);
	if (punch ? fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1 << 20, 64 << 10) :
		    ftruncate(fd, 1 << 20))
		fail("cut");
	/* The log alone is less. */
	before = counter(argv[1]);
	if (fsync(fd))
		fail("fsync");
	if (counter(argv[1]) < before + (64 << 10))
		wrong("fsync flushed %lld bytes: not what was stored before the cut",
		      counter(argv[1]) - before);
	for (i = 0; i < 5; i++) {
		before = counter(argv[1]);
		part[i] = (char)(i + 4);
		if (fsync(fd))
			fail("fsync");
		if (counter(argv[1]) < before + PAGE)
			wrong("fsync %d flushed nothing", i);
	}
}

static void map_flush_huge_cut(char **argv)	/* FILE COUNTER */
{
	flush_beside(argv, false);
}

static void map_flush_huge_punched(char **argv)	/* FILE COUNTER */
{
	flush_beside(argv, true);
}

/* What was stored and not synced yet is flushed where a collapse has moved it. */
static void map_flush_moved(char **argv)	/* FILE COUNTER */
{
	int fd = make_filled(argv[0], 64 * PAGE, 1);
	char *p = map_shared(fd, 64 * PAGE);
	long long before;

	do_msync(p, 64 * PAGE);
	memset(p + 40 * PAGE, 3, 20 * PAGE);
	if (fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 4 * PAGE, 8 * PAGE))
		fail("fallocate");
	before = counter(argv[1]);
	if (fsync(fd))
		fail("fsync");
	if (counter(argv[1]) < before + 20 * PAGE)
		wrong("fsync flushed %lld bytes", counter(argv[1]) - before);
	if (p[32 * PAGE] != 3 || p[52 * PAGE - 1] != 3)
		wrong("it is not there");
}

/* Faults make huge pages of blocks in advance, too; another mapping has seen zeros. */
static void map_allocated(char **argv)
{
	size_t len = 8 << 20, i;
	int fd = open_file(argv[0], O_RDWR | O_CREAT | O_TRUNC);
	char *p, *other;

	if (fallocate(fd, 0, 0, (off_t)len))
		fail("fallocate");
	p = map_shared(fd, len);
	other = map_shared(fd, len);
	for (i = 0; i < len; i += PAGE)
		if (other[i])
			wrong("not zero at %zu", i);
	fill_pattern(p, len / 2, 0, 9);
	write_at(fd, "written", 7, (off_t)len - 7);
	if (check_pattern(other, len / 2, 0, 9) >= 0 || memcmp(other + len - 7, "written", 7))
		wrong("the other mapping shows the zeros of before");
	expect_zeros(fd, (off_t)len / 2, PAGE);
}

/* Threads punch, zero and allocate while others store: a store after a call stays. */
#define SHARED_PAGES 64

static void *punch_and_store(void *arg)
{
	static const int modes[] = { FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE, 0 };
	struct thread *t = arg;
	int round, i;

	for (round = 0; round < 60; round++) {
		off_t off = (round * 7 + t->nr) % SHARED_PAGES / 4 * 4 * PAGE + t->nr * PAGE;
		char *own = t->map + off;

		if (fallocate(t->fd, modes[round % 3], off, PAGE))
			fail("fallocate");
		for (i = 0; round % 3 < 2 && i < PAGE; i++)
			if (own[i])
				wrong("thread %d: byte %02x after round %d", t->nr, own[i] & 0xff, round);
		memset(own, round + 1, PAGE);
		if (round % 5 == 0 && fsync(t->fd))
			fail("fsync");
		for (i = 0; i < PAGE; i++)
			if (own[i] != (char)(round + 1))
				wrong("thread %d lost a store of round %d", t->nr, round);
	}
	return NULL;
}

static void map_punch_threads(char **argv)
{
	int fd = make_file(argv[0], SHARED_PAGES * PAGE), i;
	char *p = map_shared(fd, SHARED_PAGES * PAGE);
	struct thread t[4];

	for (i = 0; i < 4; i++) {
		t[i] = (struct thread){ .fd = fd, .nr = i, .map = p };
		if (pthread_create(&t[i].id, NULL, punch_and_store, &t[i]))
			wrong("pthread_create");
	}
	for (i = 0; i < 4; i++)
		pthread_join(t[i].id, NULL);
}

static void map_mtime_again(char **argv)
{
	int fd = make_filled(argv[0], 2 * PAGE, 5), i;
	char *p = map_shared(fd, 2 * PAGE);
	struct stat before, after;

	for (i = 0; i < 4; i++) {
		if (fstat(fd, &before))
			fail("fstat");
		/* The clock of the file times is that of the timer. */
		usleep(50000);
		p[i % 2 * PAGE] = (char)i;
		do_msync(p, 2 * PAGE);
		if (fstat(fd, &after))
			fail("fstat");
		if (before.st_mtim.tv_sec == after.st_mtim.tv_sec &&
		    before.st_mtim.tv_nsec == after.st_mtim.tv_nsec)
			wrong("mtime did not move with store %d", i);
	}
}

static void cmd_mmap_full(char **argv)	/* FILE */
{
	int fd = make_file(argv[0], 64 << 20);
	char *p = map_shared(fd, 64 << 20);
	long i;

	for (i = 0; i < 64 << 20; i += PAGE)
		if (gives_sigbus(p + i, true))
			return;
	wrong("no SIGBUS, %ld MiB fit into a full store", i >> 20);
}

static void cmd_mmap_readonly(char **argv)	/* FILE */
{
	int fd = open_file(argv[0], O_RDONLY);
	char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0), buf[PAGE];
	size_t n = read_at(fd, buf, PAGE, 0);

	if (p == MAP_FAILED || memcmp(p, buf, n))
		wrong("the mapping differs from the file");
	if (mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED)
		wrong("a writable mapping was given");
}

static const struct command maps[] = {
	{ "read", 1, map_read },
	{ "write", 1, map_write },
	{ "coherent", 1, map_coherent },
	{ "hole-read", 1, map_hole_read },
	{ "hole-write", 1, map_hole_write },
	{ "private", 1, map_private },
	{ "beyond", 1, map_beyond },
	{ "truncate", 1, map_truncate },
	{ "tail", 1, map_tail },
	{ "tail-write", 1, map_tail_write },
	{ "two", 1, map_two },
	{ "sparse", 1, map_sparse },
	{ "check-sparse", 1, map_check_sparse },
	{ "unlinked", 1, map_unlinked },
	{ "self", 1, map_self },
	{ "direct-into", 1, map_direct_into },
	{ "mtime", 1, map_mtime },
	{ "huge", 1, map_huge },
	{ "refill", 1, map_refill },
	{ "threads", 1, map_threads },
	{ "nosync", 1, map_nosync },
	{ "flush-huge-cut", 2, map_flush_huge_cut },
	{ "flush-huge-punched", 2, map_flush_huge_punched },
	{ "flush-moved", 2, map_flush_moved },
	{ "allocated", 1, map_allocated },
	{ "punch-threads", 1, map_punch_threads },
	{ "mtime-again", 1, map_mtime_again },
	{ "flush-again", 2, map_flush_again },
	{ "flush-truncated", 2, map_flush_truncated },
};

static void cmd_mmap(char **argv)	/* PROPERTY FILE ... */
{
	size_t i;

	for (i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		if (!strcmp(maps[i].name, argv[0])) {
			maps[i].run(argv + 1);
			return;
		}
	wrong("unknown property '%s'", argv[0]);
}

const struct command mmap_commands[] = {
	{ "mmap", 2, cmd_mmap },
	{ "mmap-full", 1, cmd_mmap_full },
	{ "mmap-readonly", 1, cmd_mmap_readonly },
	{ NULL, 0, NULL }
};
