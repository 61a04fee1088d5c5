// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* vfsprobe-data.c - read, write, truncate, allocate, copy; mappings */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vfsprobe.h"

static char buf[65536];

static void ask_ends(int fd)
{
	const off_t far = (off_t)1 << 43;

	ASK("read at the end", pread(fd, buf, 10, 10000));
	ASK("read across the end", pread(fd, buf, 10, 9995));
	ASK("read far behind the end", pread(fd, buf, 10, far));
	ASK("read at a negative offset", pread(fd, buf, 10, -1));
	ASK("write at a negative offset", pwrite(fd, buf, 10, -1));
	ASK("write at the last offset there is", pwrite(fd, buf, 10, INT64_MAX - 10));
	ASK("truncate to the largest number", ftruncate(fd, INT64_MAX));
	ASK("truncate to a negative size", ftruncate(fd, -1));
	ASK("a write of 1 TiB from the start", pwrite(fd, buf, 1, (off_t)1 << 40));
	ASK("back to 10000", ftruncate(fd, 10000));
	ASK("write of nothing behind the end", pwrite(fd, buf, 0, 20000));
	ASK("which leaves the size", lseek(fd, 0, SEEK_END));
}

static void ask_bad_memory(int fd)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec iov[2] = { { page, 4096 }, { page + 4096, 4096 } };

	must(page != MAP_FAILED && !mprotect(page + 4096, 4096, PROT_NONE), "mmap");
	ASK("read into bad memory", pread(fd, page + 4096, 10, 0));
	ASK("write from bad memory", pwrite(fd, page + 4096, 10, 0));
	ASK("readv, the second part into bad memory", preadv(fd, iov, 2, 0));
	ASK("writev, the second part from bad memory", pwritev(fd, iov, 2, 0));
	ASK("and the file is as long as before", lseek(fd, 0, SEEK_END));
	ASK("append from bad memory", pwrite(fd, page + 4096, 10, 10000));
	ASK("which adds nothing", lseek(fd, 0, SEEK_END));
	munmap(page, 8192);
}

static void ask_flags(int fd)
{
	struct iovec iov = { buf, 512 };
	int direct = open("f", O_RDWR | O_DIRECT), append = open("f", O_WRONLY | O_APPEND);
	int ro = open("f", O_RDONLY);
	void *aligned = aligned_alloc(4096, 4096);

	ASK("preadv2 RWF_NOWAIT", preadv2(fd, &iov, 1, 0, RWF_NOWAIT));
	ASK("preadv2 RWF_HIPRI", preadv2(fd, &iov, 1, 0, RWF_HIPRI));
	ASK("pwritev2 RWF_DSYNC", pwritev2(fd, &iov, 1, 0, RWF_DSYNC));
	ASK("pwritev2 RWF_SYNC", pwritev2(fd, &iov, 1, 0, RWF_SYNC));
	ASK("pwritev2 RWF_APPEND", pwritev2(fd, &iov, 1, 0, RWF_APPEND));
	ASK("which appends", lseek(fd, 0, SEEK_END));
	ASK("preadv2 with an unknown flag", preadv2(fd, &iov, 1, 0, 0x40000000));
	ASK("O_DIRECT, aligned", pread(direct, aligned, 4096, 0));
	ASK("O_DIRECT, 512 bytes", pread(direct, aligned, 512, 512));
	ASK("O_DIRECT, an odd offset", pread(direct, aligned, 100, 3));
	ASK("O_DIRECT, an odd write", pwrite(direct, aligned, 100, 3));
	ASK("O_DIRECT and RWF_NOWAIT, in place", (iov.iov_base = aligned, pwritev2(direct, &iov, 1, 0, RWF_NOWAIT)));
	ASK("pwrite with O_APPEND", pwrite(append, buf, 8, 0));
	ASK("appends, too", lseek(fd, 0, SEEK_END));
	ASK("write to a file that is open for reading", write(ro, buf, 1));
	ASK("ftruncate of it", ftruncate(ro, 0));
	ASK("fsync of a file that is open for reading", fsync(ro));
	ASK("fallocate of it", fallocate(ro, 0, 0, 10));
	ASK("sync_file_range", sync_file_range(fd, 0, 4096, SYNC_FILE_RANGE_WRITE));
	ASK("sync_file_range of a negative range", sync_file_range(fd, -1, 4096, SYNC_FILE_RANGE_WRITE));
	ASK("fdatasync", fdatasync(fd));
	ASK("syncfs", syncfs(fd));
	ASK("posix_fadvise DONTNEED", posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	ASK("posix_fadvise of a negative length", posix_fadvise(fd, 0, -1, POSIX_FADV_DONTNEED));
	ASK("posix_fadvise WILLNEED", posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED));
	ASK("posix_fadvise WILLNEED behind the end", posix_fadvise(fd, 1 << 20, 4096, POSIX_FADV_WILLNEED));
	ASK("posix_fadvise RANDOM", posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM));
	ASK("posix_fadvise NORMAL", posix_fadvise(fd, 0, 0, POSIX_FADV_NORMAL));
	ASK("posix_fadvise of no kind", posix_fadvise(fd, 0, 0, 99));
	ASK("readahead", readahead(fd, 0, 4096));
	close(direct);
	close(append);
	close(ro);
	free(aligned);
}

static void ask_limit(int fd)
{
	struct rlimit old, limit;

	must(!getrlimit(RLIMIT_FSIZE, &old), "getrlimit");
	limit = old;
	limit.rlim_cur = 20000;
	signal(SIGXFSZ, SIG_IGN);
	must(!setrlimit(RLIMIT_FSIZE, &limit), "setrlimit");
	ASK("write across RLIMIT_FSIZE", pwrite(fd, buf, 1000, 19500));
	ASK("write at RLIMIT_FSIZE", pwrite(fd, buf, 1000, 20000));
	ASK("truncate beyond RLIMIT_FSIZE", ftruncate(fd, 20001));
	must(!setrlimit(RLIMIT_FSIZE, &old) && !ftruncate(fd, 10000), "setrlimit");
}

static void ask_allocate(void)
{
	static const struct {
		const char *name;
		int mode;
	} modes[] = {
		{ "fallocate", 0 },
		{ "fallocate KEEP_SIZE", FALLOC_FL_KEEP_SIZE },
		{ "fallocate PUNCH_HOLE", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE },
		{ "fallocate PUNCH_HOLE alone", FALLOC_FL_PUNCH_HOLE },
		{ "fallocate ZERO_RANGE", FALLOC_FL_ZERO_RANGE },
		{ "fallocate COLLAPSE_RANGE", FALLOC_FL_COLLAPSE_RANGE },
		{ "fallocate INSERT_RANGE", FALLOC_FL_INSERT_RANGE },
		{ "fallocate UNSHARE_RANGE", FALLOC_FL_UNSHARE_RANGE },
		{ "fallocate with an unknown mode", 0x1000 },
	};
	int fd = make_file("allocated", 40000);
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		ASK(modes[i].name, fallocate(fd, modes[i].mode, 8192, 4096));
	ASK("fallocate of nothing", fallocate(fd, 0, 0, 0));
	ASK("fallocate at a negative offset", fallocate(fd, 0, -1, 10));
	say("posix_fallocate, which libc does by hand if need be", "%d", posix_fallocate(fd, 0, 100000));
	ASK("and it is as long", lseek(fd, 0, SEEK_END));
	close(fd);
}

static void ask_copy(int fd)
{
	int to = make_file("copy", 0), pipes[2];
	off_t in = 0, out = 0;

	must(!pipe(pipes), "pipe");
	ASK("copy_file_range", copy_file_range(fd, &in, to, &out, 5000, 0));
	ASK("copy_file_range at the end", (in = 1 << 20, copy_file_range(fd, &in, to, &out, 5000, 0)));
	ASK("copy_file_range onto itself", (in = 0, out = 100, copy_file_range(fd, &in, fd, &out, 5000, 0)));
	ASK("copy_file_range with a flag", (in = 0, copy_file_range(fd, &in, to, &out, 10, 1)));
	ASK("sendfile", (in = 0, sendfile(to, fd, &in, 4000)));
	ASK("splice to a pipe", (in = 0, splice(fd, &in, pipes[1], NULL, 4000, 0)));
	ASK("splice from a pipe", (in = 0, splice(pipes[0], NULL, to, &in, 4000, 0)));
	ASK("splice behind the end", (in = 1 << 20, splice(fd, &in, pipes[1], NULL, 4000, SPLICE_F_NONBLOCK)));
	close(to);
	close(pipes[0]);
	close(pipes[1]);
}

static void ask_holes(void)
{
	int fd = make_file("sparse", 0);
	struct stat st;
	size_t i;

	must(pwrite(fd, "a", 1, 1 << 20) == 1 && pread(fd, buf, 4096, 5000) == 4096, "sparse");
	for (i = 0; i < 4096 && !buf[i]; i++)
		;
	say("a hole reads as zeros", "%s", i == 4096 ? "yes" : "no");
	must(!fstat(fd, &st), "fstat");
	say("blocks of a file of a hole and a byte", "%lld", (long long)st.st_blocks);
	must(!ftruncate(fd, 10) && !ftruncate(fd, 1 << 20) && !fstat(fd, &st), "ftruncate");
	say("blocks after that has been cut", "%lld", (long long)st.st_blocks);
	must(pwrite(fd, "abcdefgh", 8, 0) == 8 && !ftruncate(fd, 3) && !ftruncate(fd, 8) &&
	     pread(fd, buf, 8, 0) == 8, "cut");
	say("what was cut is zeros when the file grows", "%s", memcmp(buf, "abc\0\0\0\0\0", 8) ? "no" : "yes");
	ASK("write into the middle of a hole", pwrite(fd, "x", 1, 500000));
	close(fd);
}

void ask_data(void)
{
	int fd = make_file("f", 10000);

	ask_ends(fd);
	ask_bad_memory(fd);
	ask_flags(fd);
	must(!ftruncate(fd, 10000), "ftruncate");
	ask_limit(fd);
	ask_allocate();
	ask_copy(fd);
	ask_holes();
	close(fd);
}

/* ---- mappings ---- */

static sigjmp_buf jump;

static void caught(int sig)
{
	siglongjmp(jump, sig);
}

/* "fine", or the signal that touching it brings. */
static const char *touch(volatile char *p, bool store)
{
	int sig = sigsetjmp(jump, 1);

	if (sig)
		return sig == SIGBUS ? "SIGBUS" : "SIGSEGV";
	if (store)
		*p = 'T';
	else
		(void)*p;
	return "fine";
}

#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif

static char *map(int fd, int prot, int flags, size_t len)
{
	char *p = mmap(NULL, len, prot, flags, fd, 0);

	must(p != MAP_FAILED, "mmap");
	return p;
}

static void ask_mmap(int fd)
{
	int ro = open("m", O_RDONLY), wo = open("m", O_WRONLY), dir = open(".", O_RDONLY);
	const int rw = PROT_READ | PROT_WRITE;
	void *failed = MAP_FAILED;

	errno = 0;
	ASK("map a file open for reading for stores", mmap(NULL, 4096, rw, MAP_SHARED, ro, 0) == failed ? -1 : 0);
	ASK("map it privately for stores", mmap(NULL, 4096, rw, MAP_PRIVATE, ro, 0) == failed ? -1 : 0);
	ASK("map a file open for writing only", mmap(NULL, 4096, rw, MAP_SHARED, wo, 0) == failed ? -1 : 0);
	ASK("map a directory", mmap(NULL, 4096, PROT_READ, MAP_SHARED, dir, 0) == failed ? -1 : 0);
	ASK("map at an odd offset", mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 100) == failed ? -1 : 0);
	ASK("map for execution", mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, ro, 0) == failed ? -1 : 0);
	ASK("MAP_SHARED_VALIDATE", mmap(NULL, 4096, rw, MAP_SHARED_VALIDATE, fd, 0) == failed ? -1 : 0);
	ASK("MAP_SYNC where a store is not durable by itself",
	    mmap(NULL, 4096, rw, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0) == failed ? -1 : 0);
	ASK("MAP_POPULATE", mmap(NULL, 4096, rw, MAP_SHARED | MAP_POPULATE, fd, 0) == failed ? -1 : 0);
	ASK("MAP_LOCKED", mmap(NULL, 4096, rw, MAP_SHARED | MAP_LOCKED, fd, 0) == failed ? -1 : 0);
	close(ro);
	close(wo);
	close(dir);
}

static void ask_advice(char *p)
{
	unsigned char core[4];

	ASK("mlock", mlock(p, 8192));
	ASK("mincore", mincore(p, 8192, core));
	say("which says of a page that was touched", "%d", core[0] & 1);
	ASK("munlock", munlock(p, 8192));
	ASK("madvise WILLNEED", madvise(p, 8192, MADV_WILLNEED));
	ASK("madvise DONTNEED", madvise(p, 8192, MADV_DONTNEED));
	ASK("madvise REMOVE", madvise(p, 4096, MADV_REMOVE));
	ASK("madvise POPULATE_WRITE", madvise(p, 4096, MADV_POPULATE_WRITE));
	ASK("madvise COLD", madvise(p, 4096, MADV_COLD));
	ASK("madvise PAGEOUT", madvise(p, 4096, MADV_PAGEOUT));
	ASK("madvise HUGEPAGE", madvise(p, 4096, MADV_HUGEPAGE));
	ASK("madvise FREE", madvise(p, 4096, MADV_FREE));
	ASK("msync MS_ASYNC", msync(p, 8192, MS_ASYNC));
	ASK("msync MS_INVALIDATE", msync(p, 8192, MS_SYNC | MS_INVALIDATE));
	ASK("mprotect to read-only", mprotect(p, 4096, PROT_READ));
	say("a store then brings", "%s", touch(p, true));
	ASK("mprotect back", mprotect(p, 4096, PROT_READ | PROT_WRITE));
	say("a store then is", "%s", touch(p, true));
}

static void ask_pages(int fd)
{
	char *p = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED, 16384), *q, c = 0;

	say("the last page", "%s", touch(p + 5000, true));
	say("its rest behind the end", "%s", touch(p + 7000, true));
	say("the page behind the end, read", "%s", touch(p + 8192, false));
	say("the page behind the end, stored to", "%s", touch(p + 8192, true));
	must(!ftruncate(fd, 12288), "ftruncate");
	say("the same when the file has grown", "%s", touch(p + 8192, true));
	must(pread(fd, &c, 1, 7000) == 1, "pread");
	say("what was stored behind the end is there then", "%s", c ? "yes" : "no");
	must(pread(fd, &c, 1, 8192) == 1, "pread");
	say("read sees the store", "%s", c == 'T' ? "yes" : "no");
	must(pwrite(fd, "W", 1, 8192) == 1, "pwrite");
	say("the mapping sees a write", "%s", p[8192] == 'W' ? "yes" : "no");
	q = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE, 16384);
	q[8192] = 'P';
	must(pread(fd, &c, 1, 8192) == 1, "pread");
	say("a private store stays private", "%s", c == 'W' ? "yes" : "no");
	must(!ftruncate(fd, 6000), "ftruncate");
	say("a page that was cut off", "%s", touch(p + 8192, false));
	say("a private page that was cut off", "%s", touch(q + 8192, false));
	must(!ftruncate(fd, 1 << 20), "ftruncate");
	say("read of a hole through a mapping", "%s", p[8192] ? "not zero" : "zero");
	must(pwrite(fd, "W", 1, 8192) == 1, "pwrite");
	say("and a write to the hole is seen", "%s", p[8192] == 'W' ? "yes" : "no");
	ask_advice(p);
	munmap(p, 16384);
	munmap(q, 16384);
}

static void ask_self_copy(int fd)
{
	char *p = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED, 8192);
	int other = make_file("other", 8192);

	memset(p, 'A', 8192);
	ASK("write of a file's own mapping to it", pwrite(fd, p, 4096, 4096));
	ASK("read of a file into its own mapping", pread(fd, p + 4096, 4096, 0));
	ASK("write of it to another", pwrite(other, p, 8192, 0));
	ASK("an unaligned overlap", pwrite(fd, p + 1, 4096, 0));
	ASK("an append of its own mapping", pwrite(fd, p, 4096, 8192));
	munmap(p, 8192);
	close(other);
}

void ask_maps(void)
{
	int fd = make_file("m", 6000);

	signal(SIGBUS, caught);
	signal(SIGSEGV, caught);
	ask_mmap(fd);
	ask_pages(fd);
	must(!ftruncate(fd, 0) && !ftruncate(fd, 8192), "ftruncate");
	ask_self_copy(fd);
	signal(SIGBUS, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	close(fd);
}
