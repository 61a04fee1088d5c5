// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * fd.c - descriptors, the open files behind them, and where paths start
 */
#include <errno.h>
#include <linux/fcntl.h>

#include "loader.h"

static struct descriptor {
	struct open_file *of;
	bool close_on_exec;		/* remembered, though there is no exec */
} fds[MAX_FDS];

static struct pool files = { .size = sizeof(struct open_file) };
static struct vmemos_file *cwd;
struct open_file *open_files;
uint64_t max_fds = MAX_FDS;

struct open_file *fd_get(uint64_t fd)
{
	return fd < MAX_FDS ? fds[fd].of : NULL;
}

/* The caller holds it. */
static struct open_file *open_file_new(enum file_kind kind, unsigned int flags)
{
	struct open_file *of = pool_take(&files);

	if (!of)
		return NULL;
	*of = (struct open_file){ .kind = kind, .flags = flags, .refs = 1, .next = open_files };
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
	pool_give(&files, of);
}

/* The lowest free descriptor from `from` on. */
static int64_t fd_free(uint64_t from)
{
	while (from < max_fds && fds[from].of)
		from++;
	return from < max_fds ? (int64_t)from : -EMFILE;
}

/* It becomes one of *of, which it holds. */
static int64_t fd_install(struct open_file *of, uint64_t from, bool close_on_exec)
{
	int64_t fd = fd_free(from);

	if (fd < 0)
		return fd;
	of->refs++;
	fds[fd] = (struct descriptor){ of, close_on_exec };
	return fd;
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

	if (!console)
		fatal("no memory for the program: give the machine more (-m)");
	for (i = 0; i < 3; i++)
		fd_install(console, 0, false);
	open_file_put(console);
}

void fd_exit(void)
{
	uint64_t fd;

	for (fd = 0; fd < MAX_FDS; fd++)
		if (fds[fd].of)
			fd_remove(fd);
	if (cwd)
		vmemos_close(cwd);
}

/* ---- Where paths start ---- */

static struct vmemos_file *cwd_get(void)
{
	return cwd ? cwd : vmemos_root(fs);
}

int check_path(uint64_t *a, bool may_be_alone, bool may_be_empty)
{
	bool at_cwd = (int)a[0] == AT_FDCWD, alone = may_be_alone && !a[1] && !at_cwd;
	struct open_file *of = fd_get(a[0]);
	struct vmemos_file *at = at_cwd ? cwd_get() : of ? of->file : NULL;

	if (!alone && !user_string(a[1]))
		return -EFAULT;
	if (alone || (may_be_empty && !*text(a[1]))) {
		if (!at && !of)
			return -EBADF;
		a[1] = 0;
	} else if (!at) {
		if (*text(a[1]) != '/')
			return of ? -ENOTDIR : -EBADF;
		at = vmemos_root(fs);
	}
	a[0] = (uint64_t)at;
	return 0;
}

SYSCALL(chdir_at)
{
	struct vmemos_file *dir;
	int err;

	if (!a[0])
		return -ENOTDIR;
	err = vmemos_open(handle(a[0]), a[1] ? text(a[1]) : ".", VMEMOS_O_DIRECTORY, 0, &dir);
	if (err)
		return err;
	if (cwd)
		vmemos_close(cwd);
	cwd = dir;
	return 0;
}

SYSCALL(getcwd)
{
	int64_t n = vmemos_dirpath(cwd_get(), (char *)a[0], a[1]);

	return n < 0 ? n : n + 1;	/* the call counts the NUL */
}

/* ---- Opening ---- */

/* Devices are what their number says, wherever they lie (Linux' devices.txt). */
static const struct {
	uint32_t rdev;
	enum file_kind kind;
} devices[] = {
	{ 0x103, KIND_NULL }, { 0x105, KIND_ZERO }, { 0x108, KIND_RANDOM }, { 0x109, KIND_RANDOM },
	{ 0x440, KIND_CONSOLE }, { 0x500, KIND_CONSOLE }, { 0x501, KIND_CONSOLE },
};

static int open_device(struct vmemos_file *at, const char *path, struct open_file *of)
{
	struct vmemos_stat st;
	unsigned int i;
	int err = vmemos_open(at, path, VMEMOS_O_PATH, 0, &of->file);

	if (err)
		return err;
	vmemos_fstat(of->file, &st);
	for (i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		of->kind = devices[i].kind;
		if ((st.mode & VMEMOS_S_IFMT) == VMEMOS_S_IFCHR && st.rdev == devices[i].rdev)
			return of->kind == KIND_RANDOM && !cpu.rdrand ? -ENODEV : 0;
	}
	return -ENXIO;
}

SYSCALL(openat)
{
	const unsigned int flags = (unsigned int)a[2], mode = (unsigned int)a[3] & ~umask_bits;
	struct vmemos_stat st;
	struct open_file *of;
	int64_t fd = fd_free(0);	/* before anything is made or cut */

	if (fd < 0)
		return fd;
	if (flags & O_TRUNC && !vmemos_stat(handle(a[0]), text(a[1]), 0, &st))
		vm_file_cut(st.ino);
	of = open_file_new(KIND_FILE, flags & ~(unsigned int)(O_CREAT | O_EXCL | O_TRUNC));
	if (!of)
		return -ENFILE;
	fd = vmemos_open(handle(a[0]), text(a[1]), flags, mode, &of->file);
	if (fd == -ENXIO)
		fd = open_device(handle(a[0]), text(a[1]), of);
	if (!fd) {
		vmemos_fstat(of->file, &st);
		of->ino = st.ino;
		fd = fd_install(of, 0, flags & O_CLOEXEC);
	}
	open_file_put(of);
	return fd;
}

SYSCALL(close)
{
	if (!fd_get(a[0]))
		return -EBADF;
	fd_remove(a[0]);
	return 0;
}

SYSCALL(dup) { return fd_install(open_file(a[0]), 0, false); }

SYSCALL(dup2)
{
	struct open_file *of = fd_get(a[0]);

	if (!of || a[1] >= max_fds)
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
	return a[0] == a[1] || a[2] & ~(uint64_t)O_CLOEXEC ? -EINVAL : sys_dup2(a);
}

SYSCALL(fcntl)
{
	static const int16_t unlocked = F_UNLCK;	/* l_type, the first field */
	struct open_file *of = fd_get(a[0]);

	if (!of)
		return -EBADF;
	switch (a[1]) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return a[2] < max_fds ? fd_install(of, a[2], a[1] == F_DUPFD_CLOEXEC) : -EINVAL;
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
	/* There is one process: no lock is ever held by another. */
	case F_GETLK: case F_OFD_GETLK:
		return put(a[2], &unlocked, sizeof(unlocked));
	case F_SETLK: case F_SETLKW: case F_OFD_SETLK: case F_OFD_SETLKW:
		return 0;
	default:
		return -EINVAL;
	}
}
