// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* fsprobe-file.c - contents and attributes of single files */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fsprobe.h"

#define CHUNK 100000

static char chunk[CHUNK];

static void cmd_pwrite(char **argv)	/* FILE OFFSET TEXT */
{
	int fd = open_file(argv[0], O_WRONLY | O_CREAT);

	write_at(fd, argv[2], strlen(argv[2]), number(argv[1]));
	close(fd);
}

static void cmd_pread(char **argv)	/* FILE OFFSET LENGTH, to stdout */
{
	int fd = open_file(argv[0], O_RDONLY);
	size_t n = read_at(fd, chunk, (size_t)number(argv[2]), number(argv[1]));

	fwrite(chunk, 1, n, stdout);
}

/* Write [off, off + len) of a pattern, in chunks of an odd size. */
static void fill(int fd, uint64_t off, uint64_t len, uint64_t seed)
{
	while (len) {
		size_t n = len < CHUNK ? len : CHUNK;

		fill_pattern(chunk, n, off, seed);
		write_at(fd, chunk, n, (off_t)off);
		off += n;
		len -= n;
	}
}

static void cmd_fill(char **argv)	/* FILE OFFSET LENGTH SEED */
{
	int fd = open_file(argv[0], O_WRONLY | O_CREAT);

	fill(fd, (uint64_t)number(argv[1]), (uint64_t)number(argv[2]), (uint64_t)number(argv[3]));
	if (close(fd))
		fail("close");
}

static void verify(const char *path, uint64_t off, uint64_t len, uint64_t seed)
{
	int fd = open_file(path, O_RDONLY);

	while (len) {
		size_t n = len < CHUNK ? len : CHUNK;
		long long bad;

		if (read_at(fd, chunk, n, (off_t)off) != n)
			wrong("%s ends before %llu", path, (unsigned long long)(off + n));
		bad = check_pattern(chunk, n, off, seed);
		if (bad >= 0)
			wrong("%s: wrong byte 0x%02x at %lld", path,
			      (uint8_t)chunk[bad - (long long)off], bad);
		off += n;
		len -= n;
	}
	close(fd);
}

static void cmd_verify(char **argv)	/* FILE OFFSET LENGTH SEED */
{
	verify(argv[0], (uint64_t)number(argv[1]), (uint64_t)number(argv[2]),
	       (uint64_t)number(argv[3]));
}

static void cmd_zeros(char **argv)	/* FILE OFFSET LENGTH */
{
	int fd = open_file(argv[0], O_RDONLY);
	long long off = number(argv[1]), len = number(argv[2]);

	while (len) {
		size_t n = len < CHUNK ? (size_t)len : CHUNK, i;

		if (read_at(fd, chunk, n, off) != n)
			wrong("%s ends before %lld", argv[0], off + (long long)n);
		for (i = 0; i < n; i++)
			if (chunk[i])
				wrong("%s: byte 0x%02x at %lld is not zero", argv[0],
				      (uint8_t)chunk[i], off + (long long)i);
		off += (long long)n;
		len -= (long long)n;
	}
}

static void cmd_truncate(char **argv)	/* FILE SIZE */
{
	int fd = open_file(argv[0], O_WRONLY | O_CREAT);

	if (ftruncate(fd, number(argv[1])))
		fail("truncate %s", argv[0]);
}

static void cmd_append(char **argv)	/* FILE TEXT, from offset 0 on */
{
	int fd = open_file(argv[0], O_WRONLY | O_APPEND);

	lseek(fd, 0, SEEK_SET);
	if (write(fd, argv[1], strlen(argv[1])) != (ssize_t)strlen(argv[1]))
		fail("write");
}

static void cmd_osync(char **argv)	/* FILE OFFSET TEXT */
{
	int fd = open_file(argv[0], O_WRONLY | O_CREAT | O_SYNC);

	write_at(fd, argv[2], strlen(argv[2]), number(argv[1]));
}

static void cmd_odirect(char **argv)	/* FILE OFFSET LENGTH SEED */
{
	int fd = open_file(argv[0], O_RDWR | O_CREAT | O_DIRECT);
	size_t len = (size_t)number(argv[2]);
	void *buf;

	if (posix_memalign(&buf, 4096, len))
		wrong("out of memory");
	fill_pattern(buf, len, (uint64_t)number(argv[1]), (uint64_t)number(argv[3]));
	write_at(fd, buf, len, number(argv[1]));
	memset(buf, 0, len);
	if (read_at(fd, buf, len, number(argv[1])) != len ||
	    check_pattern(buf, len, (uint64_t)number(argv[1]), (uint64_t)number(argv[3])) >= 0)
		wrong("read something else");
}

static void cmd_nowait(char **argv)	/* FILE LENGTH */
{
	int fd = open_file(argv[0], O_RDONLY);
	struct iovec iov = { chunk, (size_t)number(argv[1]) };
	ssize_t n = preadv2(fd, &iov, 1, 0, RWF_NOWAIT);

	if (n < 0 && errno != EAGAIN)
		fail("preadv2");
	if (n >= 0 && (size_t)n != iov.iov_len)
		wrong("read %zd bytes", n);
}

static void cmd_seek(char **argv)	/* FILE data|hole OFFSET, prints where */
{
	int fd = open_file(argv[0], O_RDONLY);
	off_t off = lseek(fd, number(argv[2]), strcmp(argv[1], "data") ? SEEK_HOLE : SEEK_DATA);

	if (off < 0)
		fail("lseek");
	printf("%lld\n", (long long)off);
}

static void cmd_sendfile(char **argv)	/* FROM TO */
{
	int in = open_file(argv[0], O_RDONLY), out = open_file(argv[1], O_WRONLY | O_CREAT);
	ssize_t n;

	while ((n = sendfile(out, in, NULL, 70001)) > 0)
		continue;
	if (n < 0)
		fail("sendfile");
}

static void cmd_badbuf(char **argv)	/* FILE */
{
	int fd = open_file(argv[0], O_RDWR | O_CREAT);
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ssize_t n;

	if (page == MAP_FAILED || munmap(page + 4096, 4096))
		fail("mmap");
	memset(page, 'x', 4096);
	if (pwrite(fd, page + 4096, 100, 0) != -1 || errno != EFAULT)
		wrong("a write from nowhere did not give EFAULT");
	n = pwrite(fd, page, 8192, 0);
	if (n != 4096 && !(n == -1 && errno == EFAULT))
		wrong("a write from half a buffer gave %zd", n);
	write_at(fd, page, 4096, 0);
	if (pread(fd, page + 4096, 100, 0) != -1 || errno != EFAULT)
		wrong("a read to nowhere did not give EFAULT");
	n = pread(fd, page + 4000, 4096, 0);
	if (n > 96)
		wrong("a read to half a buffer gave %zd", n);
}

static void cmd_vectored(char **argv)	/* FILE */
{
	int fd = open_file(argv[0], O_RDWR | O_CREAT);
	static char other[CHUNK];
	struct iovec iov[50];
	size_t total = 0, i;

	for (i = 0; i < 50; i++) {
		iov[i].iov_base = chunk + total;
		iov[i].iov_len = i * 37 + 1;
		total += iov[i].iov_len;
	}
	fill_pattern(chunk, total, 0, 11);
	if (pwritev(fd, iov, 50, 0) != (ssize_t)total)
		fail("pwritev");
	if (read_at(fd, other, CHUNK, 0) != total || memcmp(other, chunk, total))
		wrong("read something else");
	memset(chunk, 0, total);
	if (preadv(fd, iov, 50, 0) != (ssize_t)total || memcmp(other, chunk, total))
		wrong("readv gave something else");
}

static void cmd_write_to_rdonly(char **argv)	/* FILE */
{
	int fd = open_file(argv[0], O_RDONLY);

	write_at(fd, "y", 1, 0);
}

static void cmd_unlinked(char **argv)	/* FILE */
{
	int fd = open_file(argv[0], O_RDWR | O_CREAT | O_EXCL);
	struct stat st;

	fill(fd, 0, 50000, 3);
	if (unlink(argv[0]))
		fail("unlink");
	fill(fd, 50000, 50000, 3);
	if (read_at(fd, chunk, CHUNK, 0) != CHUNK || check_pattern(chunk, CHUNK, 0, 3) >= 0)
		wrong("the unlinked file lost its contents");
	if (fstat(fd, &st) || st.st_nlink != 0)
		wrong("the unlinked file has %lu links", (unsigned long)st.st_nlink);
	if (fsync(fd))
		fail("fsync");
}

static void cmd_fsync(char **argv)	/* FILE or DIRECTORY */
{
	int fd = open_file(argv[0], O_RDONLY);

	if (fsync(fd))
		fail("fsync %s", argv[0]);
}

static void cmd_syncfs(char **argv)	/* FILE or DIRECTORY */
{
	int fd = open_file(argv[0], O_RDONLY);

	if (syncfs(fd))
		fail("syncfs %s", argv[0]);
}

static void cmd_fdatasync(char **argv)	/* FILE */
{
	int fd = open_file(argv[0], O_RDONLY);

	if (fdatasync(fd))
		fail("fdatasync %s", argv[0]);
}

static void cmd_overwrite_fsync(char **argv)	/* FILE OFFSET LENGTH */
{
	int fd = open_file(argv[0], O_WRONLY);

	write_at(fd, chunk, (size_t)number(argv[2]), number(argv[1]));
	if (fdatasync(fd))
		fail("fdatasync");
}

static void cmd_append_fsync(char **argv)	/* FILE BYTES TIMES */
{
	int fd = open_file(argv[0], O_WRONLY | O_CREAT | O_APPEND);
	long long i;

	for (i = 0; i < number(argv[2]); i++) {
		if (write(fd, chunk, (size_t)number(argv[1])) != number(argv[1]))
			fail("write");
		if (fsync(fd))
			fail("fsync");
	}
}

/* ---- attributes ---- */

static void cmd_as(char **argv)		/* UID COMMAND... */
{
	uid_t uid = (uid_t)number(argv[0]);

	if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		fail("becoming user %u", uid);
	execvp(argv[1], argv + 1);
	fail("%s", argv[1]);
}

static void cmd_utimens(char **argv)	/* FILE ASEC ANSEC MSEC MNSEC */
{
	struct timespec ts[2] = {
		{ number(argv[1]), number(argv[2]) },
		{ number(argv[3]), number(argv[4]) },
	};
	int fd = open_file(argv[0], O_WRONLY | O_CREAT);

	if (futimens(fd, ts))
		fail("futimens");
}

static void cmd_times(char **argv)	/* FILE, prints atime and mtime */
{
	struct stat st;

	if (stat(argv[0], &st))
		fail("stat");
	printf("%lld.%09ld %lld.%09ld\n", (long long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
	       (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static void cmd_ctime_moves(char **argv)	/* FILE */
{
	struct stat before, after;

	if (stat(argv[0], &before))
		fail("stat");
	usleep(50000);
	if (chmod(argv[0], 0600) || stat(argv[0], &after))
		fail("chmod");
	if (after.st_ctim.tv_sec == before.st_ctim.tv_sec &&
	    after.st_ctim.tv_nsec == before.st_ctim.tv_nsec)
		wrong("ctime did not move");
}

static struct timespec last_ctime;

static void expect_new_ctime(const char *path, const char *what)
{
	struct stat st;

	if (stat(path, &st))
		fail("stat of %s", path);
	if (st.st_ctim.tv_sec < last_ctime.tv_sec ||
	    (st.st_ctim.tv_sec == last_ctime.tv_sec && st.st_ctim.tv_nsec <= last_ctime.tv_nsec))
		wrong("%s: ctime of %s was %lld.%09ld, and is %lld.%09ld", what, path,
		      (long long)last_ctime.tv_sec, last_ctime.tv_nsec,
		      (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
	last_ctime = st.st_ctim;
}

/* Many changes within each tick of the clock. */
static void change_often(int fd, const char *file)
{
	char other[300];
	int i;

	snprintf(other, sizeof(other), "%s.2", file);
	for (i = 0; i < 50; i++) {
		write_at(fd, "in place", 8, 0);
		expect_new_ctime(file, "a write in place");
		write_at(fd, "x", 1, 4096 + i);
		expect_new_ctime(file, "an append");
		if (fchmod(fd, 0600) || (expect_new_ctime(file, "chmod"), futimens(fd, NULL)))
			fail("chmod");
		expect_new_ctime(file, "utimes");
		if (link(file, other) || (expect_new_ctime(file, "link"), unlink(other)))
			fail("link");
		expect_new_ctime(file, "unlink");
	}
}

static void cmd_changes(char **argv)	/* DIRECTORY: each change of it, and of a file in it, has another ctime */
{
	char file[256], name[300];
	int fd, i;

	snprintf(file, sizeof(file), "%s/file", argv[0]);
	fd = open_file(file, O_RDWR | O_CREAT);
	write_at(fd, "some", 4, 4092);
	change_often(fd, file);
	close(fd);
	memset(&last_ctime, 0, sizeof(last_ctime));
	for (i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "%s/%d", argv[0], i);
		if (mknod(name, S_IFREG | 0600, 0) || (expect_new_ctime(argv[0], "mknod"), rename(name, file)))
			fail("mknod");
		expect_new_ctime(argv[0], "rename");
	}
}

static void cmd_mapped_changes(char **argv)	/* FILE: the same of stores through a mapping, each fsynced */
{
	int fd = open_file(argv[0], O_RDWR | O_CREAT), i;
	char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED || ftruncate(fd, 4096))
		fail("mmap");
	for (i = 0; i < 50; i++) {
		map[i] = 'm';
		expect_new_ctime(argv[0], "a store through a mapping");
		write_at(fd, "w", 1, i);
		expect_new_ctime(argv[0], "a write in place");
		if (fsync(fd))
			fail("fsync");
	}
}

static void cmd_btime(char **argv)	/* FILE, prints seconds */
{
	struct statx stx;

	if (statx(AT_FDCWD, argv[0], 0, STATX_BTIME, &stx))
		fail("statx");
	if (!(stx.stx_mask & STATX_BTIME))
		wrong("no birth time");
	printf("%lld\n", (long long)stx.stx_btime.tv_sec);
}

static void cmd_is_dax(char **argv)	/* FILE */
{
	struct statx stx;

	if (statx(AT_FDCWD, argv[0], 0, STATX_BASIC_STATS, &stx))
		fail("statx");
	if (!(stx.stx_attributes & STATX_ATTR_DAX))
		wrong("not DAX");
}

static void cmd_write_sync(char **argv)	/* PATH LENGTH */
{
	size_t len = (size_t)number(argv[1]);
	char *buf = calloc(1, len);

	if (!buf)
		wrong("out of memory");
	write_at(open_file(argv[0], O_WRONLY | O_SYNC), buf, len, 0);
	free(buf);
}

static void cmd_freeze(char **argv)	/* MOUNT POINT */
{
	int fd = open_file(argv[0], O_RDONLY);

	if (ioctl(fd, FIFREEZE, 0))
		fail("FIFREEZE");
	usleep(200000);
	if (ioctl(fd, FITHAW, 0))
		fail("FITHAW");
}

/* ---- a full store ---- */

#define FULL_FILE 20000000		/* bytes of each file that fills the store */

/* False when the store is full. */
static bool fill_one(const char *path, uint64_t seed)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0644);
	uint64_t off = 0;
	ssize_t n = 0;

	while (fd >= 0 && off < FULL_FILE) {
		fill_pattern(chunk, CHUNK, off, seed);
		n = pwrite(fd, chunk, CHUNK, (off_t)off);
		if (n < 0)
			break;
		off += (uint64_t)n;
	}
	if ((fd < 0 || n < 0) && errno != ENOSPC)
		fail("%s", path);
	if (fd >= 0)
		close(fd);
	return fd >= 0 && n >= 0;
}

static void cmd_fill_until_full(char **argv)	/* DIRECTORY */
{
	char path[256];
	uint64_t i = 0;

	do
		snprintf(path, sizeof(path), "%s/f%d", argv[0], (int)i);
	while (fill_one(path, i++));
}

static void cmd_verify_full(char **argv)	/* DIRECTORY */
{
	char path[256];
	struct stat st;
	int i;

	for (i = 0;; i++) {
		snprintf(path, sizeof(path), "%s/f%d", argv[0], i);
		if (stat(path, &st))
			break;
		verify(path, 0, (uint64_t)st.st_size, (uint64_t)i);
	}
	if (!i)
		wrong("nothing to verify");
}

static void cmd_unlinked_space(char **argv)	/* FILE BYTES */
{
	int fd = open_file(argv[0], O_RDWR | O_CREAT | O_EXCL);
	struct statfs before, during, after;

	if (fstatfs(fd, &before))
		fail("statfs");
	fill(fd, 0, (uint64_t)number(argv[1]), 1);
	if (unlink(argv[0]) || fstatfs(fd, &during))
		fail("unlink");
	if (before.f_bfree - during.f_bfree < (uint64_t)number(argv[1]) / 4096)
		wrong("the blocks of an open file were freed");
	close(fd);
	if (statfs(".", &after))
		fail("statfs");
	if (after.f_bfree < before.f_bfree)
		wrong("%llu blocks did not come back",
		      (unsigned long long)(before.f_bfree - after.f_bfree));
}

/* ---- damage ---- */

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 24;
}

/*
 * Change bytes of blocks that are in use, so not zero: a few single bytes, and
 * words that are replaced by values at the edges of types.
 */
static void cmd_flip(char **argv)	/* DISK SEED BYTES */
{
	static const uint64_t edges[] = { 0, 1, 0x7fffffff, 0xffffffff, 1ull << 63, ~0ull, 4096 };
	int fd = open_file(argv[0], O_RDWR), left = 12, tries = 100000;
	uint64_t state = (uint64_t)number(argv[1]) * 0x9e3779b97f4a7c15ull;
	uint64_t end = (uint64_t)number(argv[2]) / 8, word;

	while (left && tries--) {
		off_t off = (off_t)(next_random(&state) % end * 8);

		/* The superblock and roots are checked first: leave them alone. */
		if (off < 4 * 4096 || read_at(fd, &word, 8, off) != 8 || !word)
			continue;
		if (next_random(&state) % 2)
			word ^= 1ull << next_random(&state) % 64;
		else
			word = edges[next_random(&state) % 7];
		write_at(fd, &word, 8, off);
		left--;
	}
}

static void cmd_fallocate(char **argv)	/* FILE MODE OFFSET LENGTH */
{
	int fd = open_file(argv[0], O_RDWR | O_CREAT);

	if (fallocate(fd, (int)number(argv[1]), number(argv[2]), number(argv[3])))
		fail("fallocate");
	close(fd);
}

/* A program may count on what it was given, when nobody else gets a block any more. */
static void cmd_allocated_when_full(char **argv)	/* FILE DIRECTORY */
{
	size_t len = 8 << 20, i;
	int fd = open_file(argv[0], O_RDWR | O_CREAT | O_TRUNC);
	char *p, *buf = malloc(len / 2);

	if (!buf || fallocate(fd, 0, 0, (off_t)len))
		fail("fallocate");
	cmd_fill_until_full(argv + 1);
	fill_pattern(buf, len / 2, 0, 77);
	write_at(fd, buf, len / 2, 0);
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		fail("mmap");
	for (i = len / 2; i < len; i += 4096)
		p[i] = 'm';
	if (msync(p, len, MS_SYNC) || check_pattern(p, len / 2, 0, 77) >= 0)
		wrong("what was written is not there");
	/* More than there is: refused, and nothing of it is kept. */
	if (!fallocate(fd, 0, 0, 1ll << 30) || errno != ENOSPC)
		fail("fallocate of too much");
}

const struct command file_commands[] = {
	{ "fallocate", 4, cmd_fallocate },
	{ "allocated-when-full", 2, cmd_allocated_when_full },
	{ "pwrite", 3, cmd_pwrite },
	{ "pread", 3, cmd_pread },
	{ "fill", 4, cmd_fill },
	{ "verify", 4, cmd_verify },
	{ "zeros", 3, cmd_zeros },
	{ "truncate", 2, cmd_truncate },
	{ "append", 2, cmd_append },
	{ "osync", 3, cmd_osync },
	{ "odirect", 4, cmd_odirect },
	{ "nowait", 2, cmd_nowait },
	{ "seek", 3, cmd_seek },
	{ "sendfile", 2, cmd_sendfile },
	{ "badbuf", 1, cmd_badbuf },
	{ "vectored", 1, cmd_vectored },
	{ "write-to-rdonly", 1, cmd_write_to_rdonly },
	{ "unlinked", 1, cmd_unlinked },
	{ "fsync", 1, cmd_fsync },
	{ "write-sync", 2, cmd_write_sync },
	{ "syncfs", 1, cmd_syncfs },
	{ "fdatasync", 1, cmd_fdatasync },
	{ "overwrite-fsync", 3, cmd_overwrite_fsync },
	{ "append-fsync", 3, cmd_append_fsync },
	{ "as", 2, cmd_as },
	{ "utimens", 5, cmd_utimens },
	{ "times", 1, cmd_times },
	{ "ctime-moves", 1, cmd_ctime_moves },
	{ "changes", 1, cmd_changes },
	{ "mapped-changes", 1, cmd_mapped_changes },
	{ "btime", 1, cmd_btime },
	{ "is-dax", 1, cmd_is_dax },
	{ "freeze", 1, cmd_freeze },
	{ "fill-until-full", 1, cmd_fill_until_full },
	{ "verify-full", 1, cmd_verify_full },
	{ "flip", 3, cmd_flip },
	{ "unlinked-space", 2, cmd_unlinked_space },
	{ NULL, 0, NULL }
};
