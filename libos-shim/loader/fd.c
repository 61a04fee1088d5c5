// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * fd.c - descriptors and the open files behind them
 */
#include <errno.h>
#include <linux/fcntl.h>

#include "loader.h"

#define MAX_FDS		1024

static struct descriptor {
	struct open_file *of;
	bool close_on_exec;		/* remembered, though there is no exec */
} fds[MAX_FDS];

static struct open_file file_pool[MAX_FDS];
static struct open_file *free_files;
static struct vmemos_file *cwd;
struct open_file *open_files;

struct open_file *fd_get(uint64_t fd)
{
	return fd < MAX_FDS ? fds[fd].of : NULL;
}

static struct open_file *open_file_new(enum file_kind kind, unsigned int flags)
{
	static unsigned int used;
	struct open_file *of = free_files;

	if (of)
		free_files = of->next;
	else if (used < MAX_FDS)
		of = &file_pool[used++];
	else
		return NULL;
	*of = (struct open_file){ .kind = kind, .flags = flags, .next = open_files };
	open_files = of;
	return of;
}

void open_file_put(struct open_file *of)
{
	struct open_file **link = &open_files;

	if (--of->refs)
		return;
	if (of->file)
		vmemos_close(of->file);
	while (*link != of)
		link = &(*link)->next;
	*link = of->next;
	of->next = free_files;
	free_files = of;
}

/* The lowest free descriptor from `from` on becomes one of *of, which it holds. */
static int64_t fd_install(struct open_file *of, uint64_t from, bool close_on_exec)
{
	uint64_t fd = from;

	while (fd < MAX_FDS && fds[fd].of)
		fd++;
	if (fd >= MAX_FDS)
		return -EMFILE;
	of->refs++;
	fds[fd] = (struct descriptor){ of, close_on_exec };
	return (int64_t)fd;
}

static void fd_remove(uint64_t fd)
{
	struct open_file *of = fds[fd].of;

	fds[fd].of = NULL;
	open_file_put(of);
}

void fd_init(void)
{
	struct open_file *console = open_file_new(KIND_CONSOLE, VMEMOS_O_RDWR);
	unsigned int i;

	for (i = 0; i < 3; i++)
		fd_install(console, 0, false);
}

void fd_exit(void)
{
	uint64_t fd;

	for (fd = 0; fd < MAX_FDS; fd++)
		if (fds[fd].of)
			fd_remove(fd);
	if (cwd)
		vmemos_close(cwd);
	cwd = NULL;
}

struct vmemos_file *cwd_get(void)
{
	return cwd ? cwd : vmemos_root(fs);
}

int64_t cwd_set(struct vmemos_file *dir)
{
	if (cwd)
		vmemos_close(cwd);
	cwd = dir;
	return 0;
}

int path_at(uint64_t dirfd, uint64_t path, struct vmemos_file **at)
{
	struct open_file *of = fd_get(dirfd);

	*at = of ? of->file : NULL;
	if ((int)dirfd == AT_FDCWD)
		*at = cwd_get();
	if (!user_string(path))
		return -EFAULT;
	if (!*at && *(const char *)path != '/')
		return of ? -ENOTDIR : -EBADF;
	if (!*at)
		*at = vmemos_root(fs);
	return 0;
}

/* ---- Opening ---- */

/* Devices are what their number says, wherever they lie (Linux' devices.txt). */
static int device_kind(uint32_t rdev, enum file_kind *kind)
{
	switch (rdev) {
	case 0x103: *kind = KIND_NULL; break;
	case 0x105: *kind = KIND_ZERO; break;
	case 0x108: case 0x109: *kind = KIND_RANDOM; break;
	case 0x440: case 0x500: case 0x501: *kind = KIND_CONSOLE; break;
	default: return -ENXIO;
	}
	return 0;
}

static int open_device(struct vmemos_file *at, const char *path, struct open_file *of)
{
	struct vmemos_stat st;
	int err = vmemos_stat(at, path, 0, &st);

	if (err)
		return err;
	if ((st.mode & VMEMOS_S_IFMT) != VMEMOS_S_IFCHR)
		return -ENXIO;
	of->rdev = st.rdev;
	return device_kind(st.rdev, &of->kind);
}

static int64_t do_open(uint64_t dirfd, uint64_t path, unsigned int flags, unsigned int mode)
{
	struct vmemos_file *at;
	struct open_file *of;
	struct vmemos_stat st;
	int64_t fd = path_at(dirfd, path, &at);

	if (fd)
		return fd;
	if (flags & O_TRUNC && !vmemos_stat(at, (const char *)path, 0, &st))
		vm_file_resize(st.ino, 0);
	of = open_file_new(KIND_FILE, flags & ~(unsigned int)(O_CREAT | O_EXCL | O_TRUNC));
	if (!of)
		return -ENFILE;
	fd = vmemos_open(at, (const char *)path, flags, mode & ~umask_bits, &of->file);
	if (fd == -ENXIO)
		fd = open_device(at, (const char *)path, of);
	else if (!fd && !(fd = vmemos_fstat(of->file, &st)))
		of->ino = st.ino;
	if (!fd)
		fd = fd_install(of, 0, flags & O_CLOEXEC);
	if (fd < 0) {
		of->refs = 1;
		open_file_put(of);
	}
	return fd;
}

SYSCALL(openat)
{
	return do_open(a[0], a[1], (unsigned int)a[2], (unsigned int)a[3]);
}

SYSCALL(close)
{
	if (!fd_get(a[0]))
		return -EBADF;
	fd_remove(a[0]);
	return 0;
}

SYSCALL(close_range)
{
	uint64_t fd;

	for (fd = a[0]; fd <= a[1] && fd < MAX_FDS; fd++)
		if (fds[fd].of)
			fd_remove(fd);
	return 0;
}

SYSCALL(dup)
{
	struct open_file *of = fd_get(a[0]);

	return of ? fd_install(of, 0, false) : -EBADF;
}

SYSCALL(dup2)
{
	struct open_file *of = fd_get(a[0]);

	if (!of || a[1] >= MAX_FDS)
		return -EBADF;
	if (a[0] == a[1])
		return (int64_t)a[1];
	of->refs++;
	if (fds[a[1]].of)
		fd_remove(a[1]);
	fds[a[1]] = (struct descriptor){ of, false };
	return (int64_t)a[1];
}

SYSCALL(dup3)
{
	return a[0] == a[1] ? -EINVAL : sys_dup2(a);
}

/* There is one process: no lock is ever held by another. */
static int64_t fcntl_lock(uint64_t cmd, uint64_t arg)
{
	struct flock *lock = (struct flock *)arg;

	if (!user_memory(arg, sizeof(*lock), true))
		return -EFAULT;
	if (cmd == F_GETLK || cmd == F_OFD_GETLK)
		lock->l_type = F_UNLCK;
	return 0;
}

SYSCALL(fcntl)
{
	struct open_file *of = fd_get(a[0]);

	if (!of)
		return -EBADF;
	switch (a[1]) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return a[2] < MAX_FDS ? fd_install(of, a[2], a[1] == F_DUPFD_CLOEXEC) : -EINVAL;
	case F_GETFD:
		return fds[a[0]].close_on_exec;
	case F_SETFD:
		fds[a[0]].close_on_exec = a[2] & FD_CLOEXEC;
		return 0;
	case F_GETFL:
		return of->flags;
	case F_SETFL:
		of->flags = (of->flags & ~(unsigned int)(O_APPEND | O_NONBLOCK)) |
			    (a[2] & (O_APPEND | O_NONBLOCK));
		if (of->file)
			vmemos_set_append(of->file, a[2] & O_APPEND);
		return 0;
	case F_GETLK: case F_SETLK: case F_SETLKW:
	case F_OFD_GETLK: case F_OFD_SETLK: case F_OFD_SETLKW:
		return fcntl_lock(a[1], a[2]);
	default:
		return -EINVAL;
	}
}
