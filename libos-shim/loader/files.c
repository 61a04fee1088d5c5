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
#include <linux/time.h>
#include <linux/uio.h>

#include "loader.h"

#define STORE_DEV	0x10
#define CONSOLE_RDEV	0x501
#define MAX_IOV		1024
#define SECOND		1000000000ll
#define LAST_SECOND	(INT64_MAX / SECOND - 1)	/* in the year 2262 */
#define STATFS_TYPE	0x766d6673	/* "vmfs" */
#define STATFS_VALID	0x20		/* ST_VALID and ST_RDONLY of statfs(2) */
#define STATFS_READ_ONLY 1
#define TIME_NOW	((1l << 30) - 1)	/* UTIME_NOW and _OMIT of utimensat(2) */
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
		machine.random(&machine, buf, len);
		return (int64_t)len;
	default:
		return 0;
	}
}

static int64_t do_write(struct open_file *of, uint64_t addr, uint64_t len, const uint64_t *pos)
{
	const void *buf = (const void *)addr;
	int64_t n;

	if (!user_memory(addr, len, false))
		return -EFAULT;
	if (of->kind == KIND_CONSOLE)
		machine.console(&machine, buf, len);
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
	int64_t n, total = 0;
	uint64_t pos = a[3], i;

	if (a[2] > MAX_IOV)
		return -EINVAL;
	if (!user_memory(a[1], a[2] * sizeof(*iov), false))
		return -EFAULT;
	for (i = 0; i < a[2]; i++) {
		if (!iov[i].iov_len)
			continue;
		n = io(open_file(a[0]), (uint64_t)iov[i].iov_base, iov[i].iov_len,
		       at ? &pos : NULL);
		if (n < 0)
			return total ? total : n;
		total += n;
		pos += (uint64_t)n;
		if ((uint64_t)n < iov[i].iov_len)
			break;
	}
	return total;
}

SYSCALL(read) { return do_read(open_file(a[0]), a[1], a[2], NULL); }
SYSCALL(write) { return do_write(open_file(a[0]), a[1], a[2], NULL); }
SYSCALL(pread64) { return do_read(open_file(a[0]), a[1], a[2], &a[3]); }
SYSCALL(pwrite64) { return do_write(open_file(a[0]), a[1], a[2], &a[3]); }
SYSCALL(readv) { return do_vector(do_read, a, false); }
SYSCALL(writev) { return do_vector(do_write, a, false); }
SYSCALL(preadv) { return do_vector(do_read, a, true); }
SYSCALL(pwritev) { return do_vector(do_write, a, true); }

SYSCALL(lseek)
{
	struct open_file *of = open_file(a[0]);

	return of->kind != KIND_FILE ? -ESPIPE :
	       vmemos_lseek(of->file, (int64_t)a[1], (enum vmemos_whence)a[2]);
}

/* fdatasync when a[1] is not 0. */
SYSCALL(fsync) { return vmemos_fsync(handle(a[0]), a[1]); }

SYSCALL(nothing) { (void)a; return 0; }

SYSCALL(sync) { (void)a; return vmemos_sync(fs); }

SYSCALL(ftruncate)
{
	struct vmemos_stat st;

	vmemos_fstat(handle(a[0]), &st);
	if (a[1] < st.size)
		vm_file_cut(st.ino);
	return vmemos_ftruncate(handle(a[0]), a[1]);
}

SYSCALL(truncate_at)
{
	struct vmemos_file *file;
	int64_t err = vmemos_open(handle(a[0]), text(a[1]), VMEMOS_O_WRONLY, 0, &file);

	if (err)
		return err;
	err = sys_ftruncate((const uint64_t[]){ (uint64_t)file, a[2] });
	vmemos_close(file);
	return err;
}

/* ---- Attributes ---- */

/* Of a path, or of what a descriptor leads to. */
static int64_t stat_at(const uint64_t *a, uint64_t flags, struct vmemos_stat *st)
{
	if (a[0])
		return vmemos_stat(handle(a[0]), text(a[1]), (unsigned int)flags, st);
	*st = (struct vmemos_stat){
		.mode = VMEMOS_S_IFCHR | 0666, .nlink = 1, .ino = 1, .rdev = CONSOLE_RDEV,
	};
	return 0;
}

SYSCALL(newfstatat)
{
	struct vmemos_stat st;
	struct stat out;
	int64_t err = stat_at(a, a[3], &st);

	if (err)
		return err;
	out = (struct stat){
		.st_dev = STORE_DEV, .st_ino = st.ino, .st_nlink = st.nlink,
		.st_mode = st.mode, .st_uid = st.uid, .st_gid = st.gid,
		.st_rdev = st.rdev, .st_size = (int64_t)st.size, .st_blksize = PAGE_SIZE,
		.st_blocks = (int64_t)st.blocks * 8,
		.st_atime = (uint64_t)(st.atime / SECOND),
		.st_atime_nsec = (uint64_t)(st.atime % SECOND),
		.st_mtime = (uint64_t)(st.mtime / SECOND),
		.st_mtime_nsec = (uint64_t)(st.mtime % SECOND),
		.st_ctime = (uint64_t)(st.ctime / SECOND),
		.st_ctime_nsec = (uint64_t)(st.ctime % SECOND),
	};
	return put(a[2], &out, sizeof(out));
}

/* Root may do everything, but execute only what anyone may. */
SYSCALL(access_at)
{
	struct vmemos_stat st;
	int64_t err = a[2] > 7 ? -EINVAL : stat_at(a, a[3] & AT_SYMLINK_NOFOLLOW, &st);

	/* What is written to through a device node is not the store. */
	if (!err && a[2] & 2 && read_only && ((st.mode & VMEMOS_S_IFMT) == VMEMOS_S_IFREG ||
					      (st.mode & VMEMOS_S_IFMT) == VMEMOS_S_IFDIR))
		err = -EROFS;
	if (!err && a[2] & 1 && (st.mode & VMEMOS_S_IFMT) == VMEMOS_S_IFREG && !(st.mode & 0111))
		err = -EACCES;
	return err;
}

static int64_t set_at(const uint64_t *a, uint64_t flags, unsigned int which,
		      const struct vmemos_stat *st)
{
	return !a[0] ? -EINVAL :
	       vmemos_setattr(handle(a[0]), text(a[1]), (unsigned int)flags, which, st);
}

SYSCALL(chmod_at)
{
	struct vmemos_stat st = { .mode = (uint32_t)a[2] };

	return set_at(a, a[3], VMEMOS_SET_MODE, &st);
}

SYSCALL(fchownat)
{
	struct vmemos_stat st = { .uid = (uint32_t)a[2], .gid = (uint32_t)a[3] };
	unsigned int which = ((int)a[2] != -1 ? VMEMOS_SET_UID : 0) |
			     ((int)a[3] != -1 ? VMEMOS_SET_GID : 0);

	return set_at(a, a[4], which, &st);
}

static bool is_time(const struct timespec *t)
{
	return t->tv_nsec == TIME_NOW || t->tv_nsec == TIME_OMIT ||
	       (t->tv_nsec >= 0 && t->tv_nsec < SECOND);
}

/* A time to set, unless it is to stay: then `bit` goes out of *which. */
static int64_t new_time(const struct timespec *t, unsigned int bit, unsigned int *which)
{
	if (t && t->tv_nsec == TIME_OMIT)
		*which &= ~bit;
	return !t || t->tv_nsec == TIME_NOW ? machine.now(&machine) :
	       MIN(MAX(t->tv_sec, -LAST_SECOND), LAST_SECOND) * SECOND + t->tv_nsec;
}

SYSCALL(utimensat)
{
	const struct timespec *t = (const struct timespec *)a[2];
	unsigned int which = VMEMOS_SET_ATIME | VMEMOS_SET_MTIME;
	struct vmemos_stat st;

	if (t && !user_memory(a[2], 2 * sizeof(*t), false))
		return -EFAULT;
	if (t && !(is_time(t) && is_time(t + 1)))
		return -EINVAL;
	st = (struct vmemos_stat){
		.atime = new_time(t, VMEMOS_SET_ATIME, &which),
		.mtime = new_time(t ? t + 1 : NULL, VMEMOS_SET_MTIME, &which),
	};
	return set_at(a, a[3], which, &st);
}

SYSCALL(umask)
{
	unsigned int old = umask_bits;

	umask_bits = a[0] & 0777;
	return old;
}

SYSCALL(statfs_at)
{
	struct vmemos_stat exists;
	struct vmemos_statfs st;
	int64_t err = stat_at(a, 0, &exists);
	struct statfs out;

	vmemos_statfs(fs, &st);
	out = (struct statfs){
		.f_type = STATFS_TYPE, .f_bsize = PAGE_SIZE, .f_blocks = (int64_t)st.blocks,
		.f_bfree = (int64_t)st.free_blocks, .f_bavail = (int64_t)st.avail_blocks,
		.f_files = (int64_t)st.inodes, .f_ffree = (int64_t)st.free_inodes,
		.f_namelen = st.name_max, .f_frsize = PAGE_SIZE,
		.f_flags = STATFS_VALID | (read_only ? STATFS_READ_ONLY : 0),
	};
	return err ? err : put(a[2], &out, sizeof(out));
}

/* There are no extended attributes here, as on many a file system. */
SYSCALL(no_xattr)
{
	struct vmemos_stat exists;
	int64_t err = stat_at(a, a[2], &exists);

	return err ? err : a[3] ? -EOPNOTSUPP : 0;
}

/* The modes that go together, as Linux has it. */
static int fallocate_mode(uint64_t mode)
{
	const uint64_t punch = VMEMOS_FALLOC_PUNCH_HOLE, keep = VMEMOS_FALLOC_KEEP_SIZE;

	if (mode & ~0x7bull || (mode & (punch | VMEMOS_FALLOC_ZERO_RANGE)) == (punch | VMEMOS_FALLOC_ZERO_RANGE) ||
	    (mode & punch && !(mode & keep)))
		return -EOPNOTSUPP;
	if ((mode & VMEMOS_FALLOC_COLLAPSE_RANGE && mode & ~(uint64_t)VMEMOS_FALLOC_COLLAPSE_RANGE) ||
	    (mode & VMEMOS_FALLOC_INSERT_RANGE && mode & ~(uint64_t)VMEMOS_FALLOC_INSERT_RANGE) ||
	    (mode & VMEMOS_FALLOC_UNSHARE_RANGE && mode & ~(uint64_t)(VMEMOS_FALLOC_UNSHARE_RANGE | keep)))
		return -EINVAL;
	return 0;
}

SYSCALL(fallocate)
{
	struct open_file *of = open_file(a[0]);
	uint64_t mode = (uint32_t)a[1];
	struct vmemos_stat st;
	int err;

	if (of->flags & VMEMOS_O_PATH)
		return -EBADF;
	if ((int64_t)a[2] < 0 || (int64_t)a[3] <= 0)
		return -EINVAL;
	err = fallocate_mode(mode);
	if (err)
		return err;
	if ((of->flags & VMEMOS_O_ACCMODE) == VMEMOS_O_RDONLY)
		return -EBADF;
	if (of->kind != KIND_FILE)
		return -ENODEV;
	if (a[2] > (uint64_t)INT64_MAX - a[3])
		return -EFBIG;
	/* What becomes zeros, or moves, is mapped anew. */
	if (mode & ~(uint64_t)(VMEMOS_FALLOC_KEEP_SIZE | VMEMOS_FALLOC_UNSHARE_RANGE)) {
		vmemos_fstat(of->file, &st);
		vm_file_cut(st.ino);
	}
	return vmemos_fallocate(of->file, (unsigned int)mode, a[2], a[3]);
}

/* ---- Names ---- */

SYSCALL(mkdirat)
{
	return vmemos_mkdir(handle(a[0]), text(a[1]), (unsigned int)a[2] & 07777 & ~umask_bits);
}

SYSCALL(mknodat)
{
	return vmemos_mknod(handle(a[0]), text(a[1]), (unsigned int)a[2] & ~umask_bits,
			    (uint32_t)a[3]);
}

SYSCALL(unlinkat)
{
	return a[2] & AT_REMOVEDIR ? vmemos_rmdir(handle(a[0]), text(a[1])) :
				     vmemos_unlink(handle(a[0]), text(a[1]));
}

SYSCALL(renameat2)
{
	return vmemos_rename(handle(a[0]), text(a[1]), handle(a[2]), text(a[3]),
			     (unsigned int)a[4]);
}

SYSCALL(linkat)
{
	struct vmemos_file *from = NULL;
	int64_t err = !a[0] ? -EXDEV : !a[1] || !(a[4] & AT_SYMLINK_FOLLOW) ? 0 :
		      vmemos_open(handle(a[0]), text(a[1]), VMEMOS_O_PATH, 0, &from);

	if (!err)
		err = vmemos_link(from ? from : handle(a[0]), from ? NULL : text(a[1]),
				  handle(a[2]), text(a[3]));
	if (from)
		vmemos_close(from);
	return err;
}

SYSCALL(symlinkat) { return vmemos_symlink(text(a[0]), handle(a[1]), text(a[2])); }

SYSCALL(readlinkat)
{
	int64_t n = vmemos_readlink(handle(a[0]), text(a[1]), (char *)a[2], a[3]);

	return !a[3] ? -EINVAL : n > (int64_t)a[3] ? (int64_t)a[3] : n;
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
	struct linux_dirent64 *out;
	struct vmemos_dirent e;
	uint64_t done = 0, length;
	int64_t err, start;

	for (;;) {
		start = vmemos_lseek(handle(a[0]), 0, VMEMOS_SEEK_CUR);
		err = vmemos_readdir(handle(a[0]), &e);
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
	vmemos_lseek(handle(a[0]), start, VMEMOS_SEEK_SET);	/* it did not fit */
	return done ? (int64_t)done : -EINVAL;
}

/* ---- Devices ---- */

SYSCALL(ioctl)
{
	const struct winsize w = { .ws_row = 24, .ws_col = 80 };
	const struct termios t = {
		.c_cflag = B115200 | CS8 | CREAD, .c_lflag = ICANON, .c_cc[VEOF] = END_OF_INPUT,
	};

	if (open_file(a[0])->kind != KIND_CONSOLE)
		return -ENOTTY;
	switch (a[1]) {
	case TCGETS: return put(a[2], &t, sizeof(t));
	case TIOCGWINSZ: return put(a[2], &w, sizeof(w));
	case TCSETS: case TCSETSW: case TCSETSF: return 0;
	default: return -ENOTTY;
	}
}

/*
 * What is open is ready always: reading the console waits by itself.  Returns the
 * number of descriptors, or of negative ones none: then it waits until `end`.
 */
static int64_t poll_until(uint64_t fds, uint64_t nr, uint64_t end)
{
	struct pollfd *p = (struct pollfd *)fds;
	int64_t ready = 0;
	uint64_t i;

	if (nr > MAX_FDS || !user_memory(fds, nr * sizeof(*p), true))
		return nr > MAX_FDS ? -EINVAL : -EFAULT;
	for (i = 0; i < nr; i++) {
		p[i].revents = 0;
		if (p[i].fd >= 0)
			p[i].revents = fd_get((uint64_t)p[i].fd) ?
				p[i].events & (POLLIN | POLLOUT) : POLLNVAL;
		ready += p[i].revents != 0;
	}
	return ready ? ready : wait_until(end, "in poll()");
}

SYSCALL(poll)
{
	return poll_until(a[0], a[1], (int)a[2] < 0 ? UINT64_MAX :
			  clock_monotonic() + (a[2] & INT32_MAX) * 1000000);
}

SYSCALL(ppoll)
{
	uint64_t end;
	int64_t err = wait_end((const struct timespec *)a[2], false, false, &end);

	return err ? err : poll_until(a[0], a[1], end);
}

/* The sets stay as they are but the third: nothing is ever exceptional. */
static int64_t select_until(const uint64_t *a, uint64_t end)
{
	const uint64_t nr = MIN((uint32_t)a[0], MAX_FDS), words = (nr + 63) / 64;
	uint64_t i, k, *set;
	int64_t ready = 0;

	if ((int32_t)a[0] < 0)
		return -EINVAL;
	for (k = 1; k <= 3; k++) {
		set = (uint64_t *)a[k];
		if (set && !user_memory(a[k], words * 8, true))
			return -EFAULT;
		for (i = 0; set && i < nr; i++) {
			if (!(set[i / 64] >> i % 64 & 1))
				continue;
			if (!fd_get(i))
				return -EBADF;
			ready += k < 3;
		}
	}
	if (a[3])
		memset((void *)a[3], 0, words * 8);
	return ready ? ready : wait_until(end, "in select()");
}

SYSCALL(pselect6)
{
	uint64_t end;
	int64_t err = wait_end((const struct timespec *)a[4], false, false, &end);

	return err ? err : select_until(a, end);
}

SYSCALL(select)
{
	const int64_t *t = (const int64_t *)a[4];	/* struct timeval */
	uint64_t end = UINT64_MAX;

	if (t && !user_memory(a[4], 16, false))
		return -EFAULT;
	if (t && (t[0] < 0 || t[1] < 0))
		return -EINVAL;
	if (t)
		end = clock_monotonic() + (uint64_t)MIN(t[0], LAST_SECOND / 2) * SECOND +
		      (uint64_t)MIN(t[1], SECOND) * 1000;
	return select_until(a, end);
}
