// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * files.c - system calls on files: arguments in, the library's call, result out
 */
#include <asm/stat.h>
#include <asm/statfs.h>
#include <asm/termbits.h>
#include <asm/termios.h>
#include <errno.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/stat.h>
#include <linux/uio.h>

#include "loader.h"

#define STORE_DEV	0x10
#define CONSOLE_RDEV	0x501
#define MAX_IO		0x7ffff000ull	/* of one call, as under Linux */
#define MAX_IOV		1024
#define SECOND		1000000000ll
#define STATFS_TYPE	0x766d6673	/* "vmfs" */
#define TIME_NOW	((1l << 30) - 1)
#define TIME_OMIT	((1l << 30) - 2)
#define END_OF_INPUT	4		/* ^D */

unsigned int umask_bits = 022;

/* ---- Data ---- */

/* A line, or what there is of it: the console has no other input. */
static int64_t console_line(char *buf, uint64_t len)
{
	uint64_t n = 0;
	int c;

	while (n < len) {
		c = console_read();
		if (c < 0) {
			__asm__ volatile("pause");
			continue;
		}
		if (c == END_OF_INPUT)
			break;
		buf[n++] = c == '\r' ? '\n' : (char)c;
		if (buf[n - 1] == '\n')
			break;
	}
	return (int64_t)n;
}

/* At pos, or at the file's own position when pos is NULL. */
static int64_t do_read(struct open_file *of, uint64_t addr, uint64_t len, const uint64_t *pos)
{
	void *buf = (void *)addr;

	if (len > MAX_IO)
		len = MAX_IO;
	if (!user_memory(addr, len, true))
		return -EFAULT;
	switch (of->kind) {
	case KIND_FILE:
		return pos ? vmemos_pread(of->file, buf, len, *pos) :
			     vmemos_read(of->file, buf, len);
	case KIND_CONSOLE:
		return pos ? -ESPIPE : console_line(buf, len);
	case KIND_ZERO:
		memset(buf, 0, len);
		return (int64_t)len;
	case KIND_RANDOM:
		random_bytes(buf, len);
		return (int64_t)len;
	default:
		return 0;
	}
}

static int64_t do_write(struct open_file *of, uint64_t addr, uint64_t len, const uint64_t *pos)
{
	const void *buf = (const void *)addr;
	int64_t n;

	if (len > MAX_IO)
		len = MAX_IO;
	if (!user_memory(addr, len, false))
		return -EFAULT;
	if (of->kind == KIND_CONSOLE)
		console_write(buf, len);
	if (of->kind != KIND_FILE)
		return (int64_t)len;
	n = pos ? vmemos_pwrite(of->file, buf, len, *pos) : vmemos_write(of->file, buf, len);
	vm_file_written(of->ino);
	return n;
}

typedef int64_t io_fn(struct open_file *of, uint64_t addr, uint64_t len, const uint64_t *pos);

static int64_t do_vector(io_fn *io, const uint64_t *a, bool at)
{
	const struct iovec *iov = (const struct iovec *)a[1];
	struct open_file *of = fd_get(a[0]);
	int64_t n, total = 0;
	uint64_t pos = a[3], i;

	if (!of)
		return -EBADF;
	if (a[2] > MAX_IOV)
		return -EINVAL;
	if (!user_memory(a[1], a[2] * sizeof(*iov), false))
		return -EFAULT;
	for (i = 0; i < a[2]; i++) {
		if (!iov[i].iov_len)
			continue;
		n = io(of, (uint64_t)iov[i].iov_base, iov[i].iov_len, at ? &pos : NULL);
		if (n < 0)
			return total ? total : n;
		total += n;
		pos += (uint64_t)n;
		if ((uint64_t)n < iov[i].iov_len)
			break;
	}
	return total;
}

static int64_t do_io(io_fn *io, const uint64_t *a, const uint64_t *pos)
{
	struct open_file *of = fd_get(a[0]);

	return of ? io(of, a[1], a[2], pos) : -EBADF;
}

SYSCALL(read) { return do_io(do_read, a, NULL); }
SYSCALL(write) { return do_io(do_write, a, NULL); }
SYSCALL(pread64) { return do_io(do_read, a, &a[3]); }
SYSCALL(pwrite64) { return do_io(do_write, a, &a[3]); }
SYSCALL(readv) { return do_vector(do_read, a, false); }
SYSCALL(writev) { return do_vector(do_write, a, false); }
SYSCALL(preadv) { return do_vector(do_read, a, true); }
SYSCALL(pwritev) { return do_vector(do_write, a, true); }

/* The open file, which must be one of the store. */
static struct open_file *store_file(uint64_t fd, int64_t *err)
{
	struct open_file *of = fd_get(fd);

	*err = !of ? -EBADF : of->kind != KIND_FILE ? -EINVAL : 0;
	return *err ? NULL : of;
}

SYSCALL(lseek)
{
	int64_t err;
	struct open_file *of = store_file(a[0], &err);

	if (!of)
		return err == -EBADF ? err : -ESPIPE;
	return vmemos_lseek(of->file, (int64_t)a[1], (enum vmemos_whence)a[2]);
}

/* fsync; fdatasync when a[1] is not 0. */
SYSCALL(fsync)
{
	int64_t err;
	struct open_file *of = store_file(a[0], &err);

	return of ? vmemos_fsync(of->file, a[1]) : err;
}

SYSCALL(sync)
{
	(void)a;
	return vmemos_sync(fs);
}

static int64_t do_truncate(struct vmemos_file *file, uint64_t size)
{
	struct vmemos_stat st;

	if ((int64_t)size < 0)
		return -EINVAL;
	vmemos_fstat(file, &st);
	vm_file_resize(st.ino, size);
	return vmemos_ftruncate(file, size);
}

SYSCALL(ftruncate)
{
	int64_t err;
	struct open_file *of = store_file(a[0], &err);

	return of ? do_truncate(of->file, a[1]) : err;
}

SYSCALL(truncate)
{
	struct vmemos_file *at, *file;
	int64_t err = path_at((uint64_t)AT_FDCWD, a[0], &at);

	if (!err)
		err = vmemos_open(at, (const char *)a[0], VMEMOS_O_WRONLY, 0, &file);
	if (err)
		return err;
	err = do_truncate(file, a[1]);
	vmemos_close(file);
	return err;
}

/* ---- Attributes ---- */

static void device_stat(const struct open_file *of, struct vmemos_stat *st)
{
	memset(st, 0, sizeof(*st));
	st->mode = VMEMOS_S_IFCHR | 0666;
	st->nlink = 1;
	st->ino = 1;
	st->rdev = of->rdev ? of->rdev : CONSOLE_RDEV;
}

static int64_t fd_stat(uint64_t fd, struct vmemos_stat *st)
{
	struct open_file *of = fd_get(fd);

	if (!of)
		return -EBADF;
	if (of->kind == KIND_FILE)
		return vmemos_fstat(of->file, st);
	device_stat(of, st);
	return 0;
}

/* What an *at() call means, by path, or by dirfd with AT_EMPTY_PATH. */
static int64_t at_stat(uint64_t dirfd, uint64_t path, uint64_t flags, struct vmemos_stat *st)
{
	struct vmemos_file *at;
	int err;

	if (flags & AT_EMPTY_PATH && user_memory(path, 1, false) && !*(const char *)path &&
	    (int)dirfd != AT_FDCWD)
		return fd_stat(dirfd, st);
	err = path_at(dirfd, path, &at);
	return err ? err : vmemos_stat(at, (const char *)path,
				       flags & AT_SYMLINK_NOFOLLOW ? VMEMOS_NOFOLLOW : 0, st);
}

static int64_t put_stat(int64_t err, const struct vmemos_stat *st, uint64_t to)
{
	struct stat *out = (struct stat *)to;

	if (err)
		return err;
	if (!user_memory(to, sizeof(*out), true))
		return -EFAULT;
	*out = (struct stat){
		.st_dev = STORE_DEV, .st_ino = st->ino, .st_nlink = st->nlink,
		.st_mode = st->mode, .st_uid = st->uid, .st_gid = st->gid,
		.st_rdev = st->rdev, .st_size = (int64_t)st->size, .st_blksize = PAGE_SIZE,
		.st_blocks = (int64_t)st->blocks * 8,
		.st_atime = (uint64_t)(st->atime / SECOND),
		.st_atime_nsec = (uint64_t)(st->atime % SECOND),
		.st_mtime = (uint64_t)(st->mtime / SECOND),
		.st_mtime_nsec = (uint64_t)(st->mtime % SECOND),
		.st_ctime = (uint64_t)(st->ctime / SECOND),
		.st_ctime_nsec = (uint64_t)(st->ctime % SECOND),
	};
	return 0;
}

SYSCALL(newfstatat)
{
	struct vmemos_stat st;

	return put_stat(at_stat(a[0], a[1], a[3], &st), &st, a[2]);
}

SYSCALL(fstat)
{
	struct vmemos_stat st;

	return put_stat(fd_stat(a[0], &st), &st, a[1]);
}

static struct statx_timestamp statx_time(int64_t ns)
{
	return (struct statx_timestamp){ .tv_sec = ns / SECOND, .tv_nsec = (uint32_t)(ns % SECOND) };
}

SYSCALL(statx)
{
	struct statx *out = (struct statx *)a[4];
	struct vmemos_stat st;
	int64_t err = at_stat(a[0], a[1], a[2], &st);

	if (err)
		return err;
	if (!user_memory(a[4], sizeof(*out), true))
		return -EFAULT;
	*out = (struct statx){
		.stx_mask = STATX_BASIC_STATS | STATX_BTIME, .stx_blksize = PAGE_SIZE,
		.stx_nlink = st.nlink, .stx_uid = st.uid, .stx_gid = st.gid,
		.stx_mode = (uint16_t)st.mode, .stx_ino = st.ino, .stx_size = st.size,
		.stx_blocks = st.blocks * 8, .stx_atime = statx_time(st.atime),
		.stx_btime = statx_time(st.btime), .stx_ctime = statx_time(st.ctime),
		.stx_mtime = statx_time(st.mtime), .stx_rdev_major = st.rdev >> 8 & 0xfff,
		.stx_rdev_minor = (st.rdev & 0xff) | (st.rdev >> 12 & 0xfff00),
		.stx_dev_minor = STORE_DEV,
	};
	return 0;
}

/* Root may do everything, but execute only what anyone may. */
SYSCALL(faccessat)
{
	struct vmemos_stat st;
	int64_t err = at_stat(a[0], a[1], 0, &st);

	if (!err && a[2] & 1 && (st.mode & VMEMOS_S_IFMT) == VMEMOS_S_IFREG && !(st.mode & 0111))
		err = -EACCES;
	return err;
}

static int64_t set_at(uint64_t dirfd, uint64_t path, uint64_t flags, unsigned int which,
		      const struct vmemos_stat *st)
{
	struct vmemos_file *at;
	int64_t err;

	if (!path || (flags & AT_EMPTY_PATH && user_memory(path, 1, false) && !*(char *)path)) {
		struct open_file *of = store_file(dirfd, &err);

		return of ? vmemos_fsetattr(of->file, which, st) : err;
	}
	err = path_at(dirfd, path, &at);
	return err ? err : vmemos_setattr(at, (const char *)path,
					  flags & AT_SYMLINK_NOFOLLOW ? VMEMOS_NOFOLLOW : 0,
					  which, st);
}

SYSCALL(fchmodat)
{
	struct vmemos_stat st = { .mode = (uint32_t)a[2] };

	return set_at(a[0], a[1], 0, VMEMOS_SET_MODE, &st);
}

SYSCALL(fchownat)
{
	struct vmemos_stat st = { .uid = (uint32_t)a[2], .gid = (uint32_t)a[3] };
	unsigned int which = ((int)a[2] != -1 ? VMEMOS_SET_UID : 0) |
			     ((int)a[3] != -1 ? VMEMOS_SET_GID : 0);

	return set_at(a[0], a[1], a[4], which, &st);
}

SYSCALL(utimensat)
{
	const struct { int64_t sec, nsec; } *t = (const void *)a[2];
	struct vmemos_stat st = { .atime = clock_wall() };
	unsigned int which = VMEMOS_SET_ATIME | VMEMOS_SET_MTIME;

	st.mtime = st.atime;
	if (a[2]) {
		if (!user_memory(a[2], 2 * sizeof(*t), false))
			return -EFAULT;
		if (t[0].nsec == TIME_OMIT)
			which &= ~VMEMOS_SET_ATIME;
		else if (t[0].nsec != TIME_NOW)
			st.atime = t[0].sec * SECOND + t[0].nsec;
		if (t[1].nsec == TIME_OMIT)
			which &= ~VMEMOS_SET_MTIME;
		else if (t[1].nsec != TIME_NOW)
			st.mtime = t[1].sec * SECOND + t[1].nsec;
	}
	return set_at(a[0], a[1], a[3], which, &st);
}

SYSCALL(umask)
{
	unsigned int old = umask_bits;

	umask_bits = a[0] & 0777;
	return old;
}

static int64_t put_statfs(uint64_t to)
{
	struct statfs *out = (struct statfs *)to;
	struct vmemos_statfs st;

	if (!user_memory(to, sizeof(*out), true))
		return -EFAULT;
	vmemos_statfs(fs, &st);
	*out = (struct statfs){
		.f_type = STATFS_TYPE, .f_bsize = PAGE_SIZE, .f_blocks = (int64_t)st.blocks,
		.f_bfree = (int64_t)st.free_blocks, .f_bavail = (int64_t)st.avail_blocks,
		.f_files = (int64_t)st.inodes, .f_ffree = (int64_t)st.free_inodes,
		.f_namelen = st.name_max, .f_frsize = PAGE_SIZE,
	};
	return 0;
}

SYSCALL(statfs)
{
	struct vmemos_stat st;
	int64_t err = at_stat((uint64_t)AT_FDCWD, a[0], 0, &st);

	return err ? err : put_statfs(a[1]);
}

SYSCALL(fstatfs) { return fd_get(a[0]) ? put_statfs(a[1]) : -EBADF; }

/* ---- Names ---- */

SYSCALL(mkdirat)
{
	struct vmemos_file *at;
	int err = path_at(a[0], a[1], &at);

	return err ? err : vmemos_mkdir(at, (const char *)a[1],
					(unsigned int)a[2] & 07777 & ~umask_bits);
}

SYSCALL(mknodat)
{
	struct vmemos_file *at;
	int err = path_at(a[0], a[1], &at);
	unsigned int mode = (unsigned int)a[2] & ~umask_bits;

	if (!(mode & VMEMOS_S_IFMT))
		mode |= VMEMOS_S_IFREG;
	return err ? err : vmemos_mknod(at, (const char *)a[1], mode, (uint32_t)a[3]);
}

SYSCALL(unlinkat)
{
	struct vmemos_file *at;
	int err = path_at(a[0], a[1], &at);

	if (err)
		return err;
	return a[2] & AT_REMOVEDIR ? vmemos_rmdir(at, (const char *)a[1]) :
				     vmemos_unlink(at, (const char *)a[1]);
}

SYSCALL(renameat2)
{
	struct vmemos_file *from, *to;
	int err = path_at(a[0], a[1], &from);

	if (!err)
		err = path_at(a[2], a[3], &to);
	return err ? err : vmemos_rename(from, (const char *)a[1], to, (const char *)a[3],
					 (unsigned int)a[4]);
}

SYSCALL(linkat)
{
	struct vmemos_file *from, *to;
	struct open_file *of = fd_get(a[0]);
	int err = path_at(a[2], a[3], &to);

	if (!err && a[4] & AT_EMPTY_PATH && of && of->file)
		return vmemos_flink(of->file, to, (const char *)a[3]);
	if (!err)
		err = path_at(a[0], a[1], &from);
	return err ? err : vmemos_link(from, (const char *)a[1], to, (const char *)a[3]);
}

SYSCALL(symlinkat)
{
	struct vmemos_file *at;
	int err = path_at(a[1], a[2], &at);

	if (!err && !user_string(a[0]))
		err = -EFAULT;
	return err ? err : vmemos_symlink((const char *)a[0], at, (const char *)a[2]);
}

SYSCALL(readlinkat)
{
	struct vmemos_file *at;
	int64_t n = path_at(a[0], a[1], &at);

	if (n || !user_memory(a[2], a[3], true))
		return n ? n : -EFAULT;
	n = vmemos_readlink(at, (const char *)a[1], (char *)a[2], a[3]);
	return n > (int64_t)a[3] ? (int64_t)a[3] : n;
}

struct linux_dirent64 {
	uint64_t ino;
	int64_t next;
	uint16_t length;
	uint8_t type;
	char name[];
} __attribute__((packed));

SYSCALL(getdents64)
{
	int64_t err, start;
	struct open_file *of = store_file(a[0], &err);
	struct linux_dirent64 *out;
	struct vmemos_dirent e;
	uint64_t done = 0, length;

	if (!of)
		return err == -EBADF ? err : -ENOTDIR;
	if (!user_memory(a[1], a[2], true))
		return -EFAULT;
	for (;;) {
		start = vmemos_lseek(of->file, 0, VMEMOS_SEEK_CUR);
		err = vmemos_readdir(of->file, &e);
		if (err <= 0)
			return err ? err : (int64_t)done;
		length = ALIGN_UP(sizeof(*out) + e.len + 1u, 8);
		if (done + length > a[2])
			break;
		out = (struct linux_dirent64 *)(a[1] + done);
		*out = (struct linux_dirent64){ .ino = e.ino, .next = e.next,
						.length = (uint16_t)length, .type = e.type };
		memcpy(out->name, e.name, e.len + 1u);
		done += length;
	}
	vmemos_lseek(of->file, start, VMEMOS_SEEK_SET);	/* it did not fit */
	return done ? (int64_t)done : -EINVAL;
}

/* ---- Directories ---- */

SYSCALL(getcwd)
{
	int64_t n;

	if (!user_memory(a[0], a[1], true))
		return -EFAULT;
	n = vmemos_dirpath(cwd_get(), (char *)a[0], a[1]);
	return n < 0 ? n : n + 1;	/* the call counts the NUL */
}

SYSCALL(chdir)
{
	struct vmemos_file *at, *dir;
	int64_t err = path_at((uint64_t)AT_FDCWD, a[0], &at);

	if (!err)
		err = vmemos_open(at, (const char *)a[0], VMEMOS_O_DIRECTORY, 0, &dir);
	return err ? err : cwd_set(dir);
}

SYSCALL(fchdir)
{
	struct vmemos_file *dir;
	int64_t err;
	struct open_file *of = store_file(a[0], &err);

	if (of)
		err = vmemos_open(of->file, ".", VMEMOS_O_DIRECTORY, 0, &dir);
	return err ? err : cwd_set(dir);
}

/* ---- Devices ---- */

SYSCALL(ioctl)
{
	struct open_file *of = fd_get(a[0]);
	struct termios *t = (struct termios *)a[2];
	struct winsize *w = (struct winsize *)a[2];

	if (!of || of->kind != KIND_CONSOLE)
		return of ? -ENOTTY : -EBADF;
	switch (a[1]) {
	case TCGETS:
		if (!user_memory(a[2], sizeof(*t), true))
			return -EFAULT;
		*t = (struct termios){ .c_cflag = B115200 | CS8 | CREAD, .c_lflag = ICANON };
		t->c_cc[VEOF] = END_OF_INPUT;
		return 0;
	case TIOCGWINSZ:
		if (!user_memory(a[2], sizeof(*w), true))
			return -EFAULT;
		*w = (struct winsize){ .ws_row = 24, .ws_col = 80 };
		return 0;
	case TCSETS: case TCSETSW: case TCSETSF:
		return 0;
	default:
		return -ENOTTY;
	}
}

/* Everything is ready always: reading the console waits by itself. */
SYSCALL(poll)
{
	struct pollfd *p = (struct pollfd *)a[0];
	int64_t ready = 0;
	uint64_t i;

	if (a[1] > 1024 || !user_memory(a[0], a[1] * sizeof(*p), true))
		return a[1] > 1024 ? -EINVAL : -EFAULT;
	for (i = 0; i < a[1]; i++) {
		p[i].revents = 0;
		if (p[i].fd >= 0)
			p[i].revents = fd_get((uint64_t)p[i].fd) ?
				p[i].events & (POLLIN | POLLOUT) : POLLNVAL;
		ready += p[i].revents != 0;
	}
	return ready;
}
