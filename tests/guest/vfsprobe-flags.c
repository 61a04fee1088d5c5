// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* vfsprobe-flags.c - the flags of chattr: what they forbid, and who gets them */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "vfsprobe.h"

static int flags_of(const char *path)
{
	int flags = 0, fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);

	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags))
		flags = -1;
	close(fd);
	/* That ext4 keeps extents is its own affair. */
	return flags < 0 ? flags : flags & ~FS_EXTENT_FL;
}

static void set(const char *path, int flags)
{
	int fd = open(path, O_RDONLY), old = 0;

	must(fd >= 0 && !ioctl(fd, FS_IOC_GETFLAGS, &old), path);
	flags |= old & FS_EXTENT_FL;
	must(!ioctl(fd, FS_IOC_SETFLAGS, &flags), path);
	close(fd);
}

static unsigned long long attributes(const char *path)
{
	const unsigned long long asked = STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_NODUMP;
	struct statx x;

	must(!syscall(SYS_statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &x), path);
	must((x.stx_attributes_mask & asked) == asked, "attributes are known");
	return x.stx_attributes & asked;
}

static int opened(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int set_time(const char *path, long nanoseconds)
{
	const struct timespec times[2] = { { 1000, nanoseconds }, { 1000, nanoseconds } };

	return utimensat(AT_FDCWD, path, times, 0);
}

static int mapped(int fd)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? -1 : munmap(p, 4096);
}

#define ASK_OF(what, question, call)						\
	do {									\
		char line[100];							\
										\
		snprintf(line, sizeof(line), "%s, %s", what, question);	\
		ASK(line, call);						\
	} while (0)

/* Of a file f with the flag that `what` says, which fd had open for writing before. */
static void ask_file(const char *what, int fd)
{
	char buf[10] = "changed";
	struct statx x;

	must(!syscall(SYS_statx, AT_FDCWD, "f", 0, STATX_BASIC_STATS, &x), "f");
	say(what, "flags %x, attributes %llx", flags_of("f"), attributes("f"));
	ASK_OF(what, "read", pread(fd, buf, 4, 0));
	ASK_OF(what, "write to what was opened", pwrite(fd, "w", 1, 0));
	ASK_OF(what, "ftruncate of that", ftruncate(fd, 4));
	ASK_OF(what, "fallocate of that", fallocate(fd, 0, 0, 20));
	ASK_OF(what, "a shared mapping of that", mapped(fd));
	ASK_OF(what, "open for writing", opened("f", O_WRONLY));
	ASK_OF(what, "open to append", opened("f", O_WRONLY | O_APPEND));
	ASK_OF(what, "open to append, O_TRUNC", opened("f", O_WRONLY | O_APPEND | O_TRUNC));
	ASK_OF(what, "open O_TRUNC for reading", opened("f", O_RDONLY | O_TRUNC));
	ASK_OF(what, "open with O_CREAT", opened("f", O_RDONLY | O_CREAT));
	ASK_OF(what, "truncate", truncate("f", 5));
	ASK_OF(what, "chmod", chmod("f", 0640));
	ASK_OF(what, "chown", chown("f", 1, 1));
	ASK_OF(what, "utimes now", utimensat(AT_FDCWD, "f", NULL, 0));
	ASK_OF(what, "utimes", set_time("f", 5));
	ASK_OF(what, "setxattr", setxattr("f", "user.a", "v", 1, 0));
	ASK_OF(what, "removexattr", removexattr("f", "user.there"));
	ASK_OF(what, "setxattr of an access list", setxattr("f", "system.posix_acl_access",
		"\2\0\0\0\1\0\6\0\377\377\377\377\4\0\4\0\377\377\377\377\40\0\0\0\377\377\377\377", 28, 0));
	ASK_OF(what, "link", link("f", "f2"));
	ASK_OF(what, "rename", rename("f", "f3"));
	ASK_OF(what, "rename over it", rename("other", "f"));
	ASK_OF(what, "RENAME_EXCHANGE with it", syscall(SYS_renameat2, AT_FDCWD, "other", AT_FDCWD, "f",
							 RENAME_EXCHANGE));
	ASK_OF(what, "unlink", unlink("f"));
	say("what there is then", "%s", access("f", F_OK) ? "no f" : "f");
}

static void ask_appending(void)
{
	int fd = open("f", O_RDWR | O_APPEND);

	ASK("append-only file, appended to, write", write(fd, "more", 4));
	ASK("append-only file, appended to, pwrite at its start", pwrite(fd, "more", 4, 0));
	ASK("append-only file, appended to, F_SETFL without O_APPEND", fcntl(fd, F_SETFL, 0));
	ASK("append-only file, appended to, ftruncate", ftruncate(fd, 1));
	ASK("append-only file, appended to, a shared mapping", mapped(fd));
	close(fd);
}

/* Of a directory d with a file and a directory in it. */
static void ask_dir(const char *what)
{
	say(what, "flags %x, attributes %llx", flags_of("d"), attributes("d"));
	ASK_OF(what, "create in it", opened("d/new", O_CREAT | O_WRONLY));
	ASK_OF(what, "mkdir in it", mkdir("d/newdir", 0755));
	ASK_OF(what, "symlink in it", symlink("x", "d/newlink"));
	ASK_OF(what, "O_TMPFILE in it", opened("d", O_TMPFILE | O_WRONLY));
	ASK_OF(what, "link into it", link("other", "d/link"));
	ASK_OF(what, "write to a file in it", opened("d/f", O_WRONLY | O_TRUNC));
	ASK_OF(what, "rename in it", rename("d/f", "d/g"));
	ASK_OF(what, "rename into it", rename("other", "d/other"));
	ASK_OF(what, "rename out of it", rename("d/f", "out"));
	ASK_OF(what, "unlink in it", unlink("d/f"));
	ASK_OF(what, "rmdir in it", rmdir("d/sub"));
	ASK_OF(what, "chmod of it", chmod("d", 0700));
	ASK_OF(what, "rename of it", rename("d", "d2"));
	ASK_OF(what, "rmdir of it", rmdir("d"));
}

static void refresh(void)
{
	/* What a question has left is not in the way of the next. */
	unlink("f");
	unlink("f2");
	unlink("f3");
	unlink("other");
	close(make_file("f", 10));
	close(make_file("other", 10));
	must(!setxattr("f", "user.there", "v", 1, 0), "setxattr");
}

static void ask_forbidden(void)
{
	int fd;

	refresh();
	fd = open("f", O_RDWR);
	set("f", FS_IMMUTABLE_FL);
	ask_file("immutable file", fd);
	set("f", 0);
	ASK("write when it is not immutable any more", write(fd, "w", 1));
	close(fd);
	refresh();
	fd = open("f", O_RDWR);
	set("f", FS_APPEND_FL);
	ask_file("append-only file", fd);
	ask_appending();
	set("f", 0);
	close(fd);
	must(!mkdir("d", 0755) && !mkdir("d/sub", 0755), "d");
	close(make_file("d/f", 10));
	set("d", FS_IMMUTABLE_FL);
	ask_dir("immutable directory");
	set("d", FS_APPEND_FL);
	ask_dir("append-only directory");
	set("d", 0);
}

static void ask_inherited(void)
{
	const int all = FS_SYNC_FL | FS_NODUMP_FL | FS_NOATIME_FL | FS_DIRSYNC_FL;
	int fd, flags = 0;

	must(!mkdir("heir", 0755), "heir");
	set("heir", all);
	close(make_file("heir/f", 1));
	must(!mkdir("heir/d", 0755) && !symlink("x", "heir/s") && !mkfifo("heir/p", 0600), "heirs");
	say("a file inherits", "%x", flags_of("heir/f"));
	say("a directory inherits", "%x", flags_of("heir/d"));
	say("a symlink inherits", "%llx", attributes("heir/s"));
	say("a fifo inherits", "%llx", attributes("heir/p"));
	fd = open("heir", O_TMPFILE | O_RDWR, 0600);
	must(fd >= 0 && !ioctl(fd, FS_IOC_GETFLAGS, &flags), "O_TMPFILE");
	say("a file without a name inherits", "%x", (unsigned int)flags & ~(unsigned int)FS_EXTENT_FL);
	close(fd);
	set("heir", all | FS_APPEND_FL);
	close(make_file("heir/g", 1));
	say("of a directory that is append-only, too", "%x", flags_of("heir/g"));
	set("heir", 0);
	say("flags that are taken away", "%x", flags_of("heir"));
	fd = open("heir/d", O_RDONLY);
	flags = FS_NODUMP_FL;
	ASK("chattr = of a directory", ioctl(fd, FS_IOC_SETFLAGS, &flags));
	close(fd);
	fd = open("heir/f", O_RDWR);
	must(!ioctl(fd, FS_IOC_GETFLAGS, &flags), "heir/f");
	flags |= FS_DIRSYNC_FL;
	ASK("chattr +D of a file", ioctl(fd, FS_IOC_SETFLAGS, &flags));
	close(fd);
	say("which leaves its flags", "%x", flags_of("heir/f"));
}

static void ask_xflags(void)
{
	struct fsxattr x;
	int fd;

	must(!mkdir("x", 0755), "x");
	set("x", FS_DIRSYNC_FL | FS_SYNC_FL);
	fd = open("x", O_RDONLY);
	must(!ioctl(fd, FS_IOC_FSGETXATTR, &x), "FSGETXATTR");
	say("FS_IOC_FSGETXATTR of flags", "%x", x.fsx_xflags);
	x.fsx_xflags = FS_XFLAG_NODUMP | FS_XFLAG_NOATIME;
	ASK("FS_IOC_FSSETXATTR of others", ioctl(fd, FS_IOC_FSSETXATTR, &x));
	say("which leaves those that it has no word for", "%x", flags_of("x"));
	close(fd);
}

static void ask_effects(void)
{
	struct stat before, after;
	char byte;
	int fd;

	fd = make_file("quiet", 10);
	set("quiet", FS_NOATIME_FL);
	must(!set_time("quiet", 0) && pread(fd, &byte, 1, 0) == 1 && !fstat(fd, &after), "quiet");
	say("atime of a file with +A that was read", "%lld", (long long)after.st_atime);
	must(!fstat(fd, &before), "quiet");
	let_time_pass();
	set("quiet", FS_NOATIME_FL | FS_NODUMP_FL);
	must(!fstat(fd, &after), "quiet");
	say("chattr moves ctime", "%s", before.st_ctim.tv_sec != after.st_ctim.tv_sec ||
	    before.st_ctim.tv_nsec != after.st_ctim.tv_nsec ? "yes" : "no");
	say("and mtime", "%s", before.st_mtim.tv_sec != after.st_mtim.tv_sec ? "yes" : "no");
	set("quiet", FS_SYNC_FL);
	ASK("write to a file with +S", write(fd, "w", 1));
	close(fd);
}

static bool can_set(void)
{
	int fd = make_file("can", 1), flags = 0;
	bool can = !ioctl(fd, FS_IOC_GETFLAGS, &flags) && !ioctl(fd, FS_IOC_SETFLAGS, &flags);

	close(fd);
	say("flags can be set", "%s", can ? "yes" : "no");
	return can;
}

void ask_flags_enforced(void)
{
	/* By FUSE they cannot. */
	if (!can_set())
		return;
	must(!mkdir("flags", 0755) && !chdir("flags"), "flags");
	ask_forbidden();
	ask_inherited();
	ask_xflags();
	ask_effects();
	must(!chdir(".."), "..");
}
