// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * ranges.c - change files and fsync them between marks (mark.h)
 *
 * usage: ranges DIR       DIR is empty, on vmemfs with durability=host,commit=0
 *
 * Prints "case NAME" per pair of marks with id 0, in their order.  ranges.py
 * knows what each case must flush.  Before each case everything is synced.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "mark.h"

#define BLOCK	4096
#define MIB	(1 << 20)

static char buf[4 * MIB];
static int top;

static void must(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "ranges: %s: %s\n", what, strerror(errno));
		exit(1);
	}
}

static void begin(const char *name)
{
	must(!syncfs(top), "syncfs");
	/* The file system's clock has a tick; times shall differ from those above. */
	usleep(20000);
	printf("case %s\n", name);
	MARK(MARK_BEGIN, 0);
}

static void end(void)
{
	MARK(MARK_END, 0);
}

static void put(int fd, size_t len, off_t off)
{
	must(pwrite(fd, buf, len, off) == (ssize_t)len, "write");
}

/* A file of `size` bytes whose blocks are in place and durable. */
static int made(const char *name, size_t size)
{
	int fd = open(name, O_CREAT | O_EXCL | O_RDWR, 0644);

	must(fd >= 0, name);
	put(fd, size, 0);
	must(!fsync(fd), "fsync");
	return fd;
}

/* ---- Overwriting: the data's blocks ---- */

static void overwrites(void)
{
	int fd = made("over", 256 * 1024), direct;
	struct iovec iov = { buf, BLOCK };
	int i;

	begin("overwrite-fdatasync");
	put(fd, BLOCK, 2 * BLOCK);
	must(!fdatasync(fd), "fdatasync");
	end();
	begin("overwrite-fsync");
	put(fd, BLOCK, 5 * BLOCK);
	must(!fsync(fd), "fsync");
	end();
	begin("overwrite-bytes");
	put(fd, 10, 8 * BLOCK - 5);
	must(!fdatasync(fd), "fdatasync");
	end();
	begin("overwrite-scattered");
	for (i = 0; i < 8; i++)
		put(fd, BLOCK, (off_t)i * 7 * BLOCK);
	must(!fdatasync(fd), "fdatasync");
	end();
	begin("overwrite-dsync-flag");
	must(pwritev2(fd, &iov, 1, 3 * BLOCK, RWF_DSYNC) == BLOCK, "pwritev2");
	end();
	begin("overwrite-twice");
	put(fd, BLOCK, 4 * BLOCK);
	must(!fdatasync(fd), "fdatasync");
	must(!fdatasync(fd), "fdatasync");
	end();
	direct = open("over", O_RDWR | O_DSYNC);
	must(direct >= 0, "open O_DSYNC");
	begin("overwrite-o-dsync");
	put(direct, 2 * BLOCK, 9 * BLOCK);
	end();
	must(!close(direct) && !close(fd), "close");
}

/* ---- New data: its blocks, then the log; small appends: the log ---- */

static void appends(void)
{
	int fd = made("small", 100), i;

	for (i = 0; i < 2; i++) {
		put(fd, 512, 100 + i * 512);
		must(!fsync(fd), "fsync");
	}
	begin("append-small");
	put(fd, 512, 100 + 2 * 512);
	must(!fsync(fd), "fsync");
	end();
	must(!close(fd), "close");

	fd = open("large", O_CREAT | O_RDWR, 0644);
	must(fd >= 0, "create");
	begin("append-large");
	put(fd, MIB, 0);
	must(!fsync(fd), "fsync");
	end();
	must(!close(fd), "close");

	fd = made("unaligned", 1000);
	begin("append-unaligned");
	put(fd, MIB, 1000);
	must(!fsync(fd), "fsync");
	end();
	must(!close(fd), "close");

	fd = made("sparse", BLOCK);
	begin("write-hole");
	put(fd, 3 * BLOCK, 100 * BLOCK);
	must(!fsync(fd), "fsync");
	end();
	must(!close(fd), "close");
}

/* ---- Names and attributes: the log ---- */

static void sync_dir(void)
{
	must(!fsync(top), "fsync of the directory");
}

static void metadata(void)
{
	int fd = made("attr", BLOCK);

	begin("create");
	must(!close(open("new", O_CREAT | O_EXCL | O_RDWR, 0644)), "create");
	sync_dir();
	end();
	begin("mkdir");
	must(!mkdir("newdir", 0755), "mkdir");
	sync_dir();
	end();
	begin("rename");
	must(!rename("new", "newer"), "rename");
	sync_dir();
	end();
	begin("link");
	must(!link("newer", "newest"), "link");
	sync_dir();
	end();
	begin("symlink");
	must(!symlink("newer", "sym"), "symlink");
	sync_dir();
	end();
	begin("unlink");
	must(!unlink("newest"), "unlink");
	sync_dir();
	end();
	begin("rmdir");
	must(!rmdir("newdir"), "rmdir");
	sync_dir();
	end();
	begin("chmod");
	must(!fchmod(fd, 0600), "fchmod");
	must(!fsync(fd), "fsync");
	end();
	begin("grow");
	must(!ftruncate(fd, 10 * MIB), "ftruncate");
	must(!fsync(fd), "fsync");
	end();
	must(!close(fd), "close");
}

/* ---- Nothing to do: no request ---- */

static void unchanged(void)
{
	int fd = made("same", 64 * 1024);

	begin("fsync-unchanged");
	must(!fsync(fd) && !fdatasync(fd), "fsync");
	sync_dir();
	end();
	begin("sync-unchanged");
	must(!syncfs(top), "syncfs");
	must(!syncfs(top), "syncfs");
	end();
	/* Reading changes a time: once for the log, then no more. */
	must(pread(fd, buf + MIB, 100, 0) == 100, "read");
	must(!syncfs(top), "syncfs");
	begin("sync-after-read");
	must(!syncfs(top), "syncfs");
	must(!fsync(fd), "fsync");
	end();
	begin("fsync-other-file");
	must(!close(open("other", O_CREAT | O_RDWR, 0644)), "create");
	must(!fdatasync(fd), "fdatasync");
	end();
	must(!close(fd), "close");
}

/* ---- Mappings: the pages stored to ---- */

static void mappings(void)
{
	int fd = made("mapped", 256 * 1024);
	char *p = mmap(NULL, 256 * 1024, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	must(p != MAP_FAILED, "mmap");
	begin("mmap-msync");
	p[5 * BLOCK + 17] = 1;
	must(!msync(p + 5 * BLOCK, BLOCK, MS_SYNC), "msync");
	end();
	begin("mmap-fsync");
	p[6 * BLOCK] = 1;
	must(!fsync(fd), "fsync");
	end();
	begin("mmap-fdatasync");
	p[9 * BLOCK] = 1;
	p[20 * BLOCK] = 1;
	must(!fdatasync(fd), "fdatasync");
	end();
	begin("mmap-again");
	p[9 * BLOCK] = 2;
	must(!fdatasync(fd), "fdatasync");
	end();
	begin("mmap-unchanged");
	must(!msync(p, 256 * 1024, MS_SYNC), "msync");
	end();
	begin("mmap-and-write");
	p[30 * BLOCK] = 1;
	put(fd, BLOCK, 40 * BLOCK);
	must(!fdatasync(fd), "fdatasync");
	end();
	must(!munmap(p, 256 * 1024) && !close(fd), "munmap");

	fd = open("maphole", O_CREAT | O_RDWR, 0644);
	must(fd >= 0 && !ftruncate(fd, 256 * 1024), "ftruncate");
	p = mmap(NULL, 256 * 1024, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(p != MAP_FAILED, "mmap");
	begin("mmap-hole");
	p[7 * BLOCK] = 1;
	must(!fsync(fd), "fsync");
	end();
	must(!munmap(p, 256 * 1024) && !close(fd), "munmap");
}

static void many_files(void)
{
	int a = made("many-a", 64 * 1024), b = made("many-b", 64 * 1024);

	begin("syncfs");
	put(a, BLOCK, 3 * BLOCK);
	put(b, 2 * BLOCK, 6 * BLOCK);
	put(b, 64 * 1024, 64 * 1024);
	must(!mkdir("many-dir", 0755), "mkdir");
	must(!syncfs(top), "syncfs");
	end();
	must(!close(a) && !close(b), "close");
}

/* ---- Threads ---- */

#define APPENDS	100
#define ROUNDS	200
#define SPAN	64

struct worker {
	pthread_t thread;
	unsigned int id;
	int fd;
};

static void *append_and_fsync(void *arg)
{
	struct worker *w = arg;
	int i;

	for (i = 0; i < APPENDS; i++) {
		must(write(w->fd, buf, 20) == 20, "write");
		must(!fsync(w->fd), "fsync");
	}
	return NULL;
}

static void mark_round(unsigned int kind, unsigned int id)
{
	switch (kind << 4 | id) {
	case MARK_BEGIN << 4 | 1: MARK(MARK_BEGIN, 1); break;
	case MARK_BEGIN << 4 | 2: MARK(MARK_BEGIN, 2); break;
	case MARK_BEGIN << 4 | 3: MARK(MARK_BEGIN, 3); break;
	case MARK_BEGIN << 4 | 4: MARK(MARK_BEGIN, 4); break;
	case MARK_END << 4 | 1: MARK(MARK_END, 1); break;
	case MARK_END << 4 | 2: MARK(MARK_END, 2); break;
	case MARK_END << 4 | 3: MARK(MARK_END, 3); break;
	case MARK_END << 4 | 4: MARK(MARK_END, 4); break;
	}
}

/* Up to 200 us, by spinning: a sleep takes a timer tick. */
static void pause_a_bit(unsigned int *seed)
{
	struct timespec start, now;
	long ns = rand_r(seed) % 200000;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000000000 + now.tv_nsec - start.tv_nsec < ns);
}

/*
 * A record and a block in place: the fsync must wait for both, whoever flushes.
 * The pause lets another thread close the record's group before the block is
 * there: that thread's flush must then not be taken for one of the block.
 */
static void *overwrite_and_fsync(void *arg)
{
	struct worker *w = arg;
	unsigned int seed = w->id;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		must(!fchmod(w->fd, i % 2 ? 0600 : 0644), "fchmod");
		pause_a_bit(&seed);
		put(w->fd, 100, (off_t)(i % SPAN) * BLOCK);
		mark_round(MARK_BEGIN, w->id);
		must(!fdatasync(w->fd), "fdatasync");
		mark_round(MARK_END, w->id);
	}
	return NULL;
}

static void threads(const char *name, unsigned int nr, size_t size, void *(*fn)(void *arg))
{
	struct worker w[8];
	char path[32];
	unsigned int i;

	for (i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), "%s-%u", name, i + 1);
		w[i].id = i + 1;
		w[i].fd = made(path, size);
		must(lseek(w[i].fd, 0, SEEK_END) >= 0, "lseek");
	}
	begin(name);
	for (i = 0; i < nr; i++)
		must(!pthread_create(&w[i].thread, NULL, fn, &w[i]), "pthread_create");
	for (i = 0; i < nr; i++)
		must(!pthread_join(w[i].thread, NULL), "pthread_join");
	end();
	for (i = 0; i < nr; i++)
		must(!close(w[i].fd), "close");
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: ranges DIR\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
	must(!chdir(argv[1]), argv[1]);
	must((top = open(".", O_RDONLY | O_DIRECTORY)) >= 0, "open");
	memset(buf, 'r', sizeof(buf));
	overwrites();
	appends();
	metadata();
	unchanged();
	mappings();
	many_files();
	threads("threads2", 2, 20, append_and_fsync);
	threads("threads8", 8, 20, append_and_fsync);
	threads("own", 4, SPAN * BLOCK, overwrite_and_fsync);
	return 0;
}
