// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* vfsprobe-shutdown.c - what is left of a file system that is shut down (FS_IOC_SHUTDOWN) */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "vfsprobe.h"

#define SHUTDOWN	_IOR('X', 125, uint32_t)

static int shut_down(int fd, uint32_t mode)
{
	return ioctl(fd, SHUTDOWN, &mode);
}

static void ask_unprivileged(void)
{
	ASK("shut down without privilege", shut_down(open(".", O_RDONLY), 0));
}

static void ask_changes(int fd)
{
	ASK("shut down, write", pwrite(fd, "w", 1, 0));
	ASK("shut down, append", pwrite(fd, "w", 1, 100000));
	ASK("shut down, ftruncate", ftruncate(fd, 1));
	ASK("shut down, fchmod", fchmod(fd, 0600));
	ASK("shut down, fchown", fchown(fd, 1, 1));
	ASK("shut down, futimens", futimens(fd, NULL));
	ASK("shut down, create", open("new", O_CREAT | O_WRONLY, 0600));
	ASK("shut down, O_TMPFILE", open(".", O_TMPFILE | O_WRONLY, 0600));
	ASK("shut down, mkdir", mkdir("newdir", 0755));
	ASK("shut down, symlink", symlink("x", "newlink"));
	ASK("shut down, mknod", mknod("fifo", S_IFIFO | 0600, 0));
	ASK("shut down, link", link("kept", "link"));
	ASK("shut down, rename", rename("kept", "renamed"));
	ASK("shut down, unlink", unlink("kept"));
	ASK("shut down, rmdir", rmdir("dir"));
	ASK("shut down, fsetxattr", fsetxattr(fd, "user.a", "v", 1, 0));
	ASK("shut down, fremovexattr", fremovexattr(fd, "user.there"));
	ASK("shut down, fsync", fsync(fd));
	ASK("shut down, fdatasync", fdatasync(fd));
}

static void ask_reads(int fd, int dir)
{
	struct stat st;
	char buf[100];

	ASK("shut down, read", pread(fd, buf, 10, 0));
	ASK("shut down, read O_DIRECT behind the end", pread(fd, buf, 10, 1 << 20));
	ASK("shut down, open", open("kept", O_RDONLY));
	ASK("shut down, mmap", mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
	ASK("shut down, fstat", fstat(fd, &st));
	/* Entries that nobody has looked up. */
	ASK("shut down, stat of another", stat("unseen", &st));
	ASK("shut down, listing", syscall(SYS_getdents64, dir, buf, sizeof(buf)) < 0 ? -1 : 0);
}

void ask_shutdown(int mode)
{
	int fd, dir;

	must(!mkdir("dir", 0755), "dir");
	fd = make_file("kept", 5000);
	must(!fsetxattr(fd, "user.there", "v", 1, 0) && !fsync(fd), "kept");
	dir = open(".", O_RDONLY);
	must(!fsync(dir), "fsync");
	ask_as(1000, 1000, ask_unprivileged);
	ASK("shut down in a mode that is none", shut_down(fd, 7));
	ASK("shut down through a bad address", ioctl(fd, SHUTDOWN, 1));
	ASK("shut down", shut_down(fd, (uint32_t)mode));
	ASK("shut down again", shut_down(dir, (uint32_t)mode));
	ask_changes(fd);
	ask_reads(fd, dir);
}
