// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* vfsprobe-ioctls.c - the requests of file tools, and where data and holes are */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vfsprobe.h"

#ifndef FS_IOC_SETVERSION
#define FS_IOC_SETVERSION _IOW('v', 2, long)
#endif

static void set_flags(const char *name, int fd, int change)
{
	int flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags)) {
		result(name, -1);
		return;
	}
	flags |= change;
	ASK(name, ioctl(fd, FS_IOC_SETFLAGS, &flags));
	flags &= ~change;
	(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static void ask_flags(int fd, int dir)
{
	struct fsxattr x;
	int flags = 0;

	ASK("FS_IOC_GETFLAGS", ioctl(fd, FS_IOC_GETFLAGS, &flags));
	/* That ext4 keeps extents is its own affair. */
	say("flags of a new file", "%x", (unsigned int)flags & ~(unsigned int)FS_EXTENT_FL);
	ASK("FS_IOC_GETFLAGS of a directory", ioctl(dir, FS_IOC_GETFLAGS, &flags));
	set_flags("FS_IOC_SETFLAGS to what they are", fd, 0);
	set_flags("chattr +i", fd, FS_IMMUTABLE_FL);
	set_flags("chattr +a", fd, FS_APPEND_FL);
	set_flags("chattr +A", fd, FS_NOATIME_FL);
	set_flags("chattr +S", fd, FS_SYNC_FL);
	set_flags("chattr +D of a directory", dir, FS_DIRSYNC_FL);
	set_flags("chattr +d", fd, FS_NODUMP_FL);
	set_flags("chattr +c", fd, FS_COMPR_FL);
	set_flags("chattr +C", fd, FS_NOCOW_FL);
	set_flags("chattr +P", fd, FS_PROJINHERIT_FL);
	set_flags("an unknown flag", fd, 0x40);
	ASK("FS_IOC_FSGETXATTR", ioctl(fd, FS_IOC_FSGETXATTR, &x));
	say("project and flags of it", "%u %x", x.fsx_projid, x.fsx_xflags);
	ASK("FS_IOC_FSSETXATTR of that", ioctl(fd, FS_IOC_FSSETXATTR, &x));
	ASK("FS_IOC_FSSETXATTR of a project", (x.fsx_projid = 5, ioctl(fd, FS_IOC_FSSETXATTR, &x)));
	ASK("FS_IOC_FSSETXATTR of an unknown flag",
	    (x.fsx_projid = 0, x.fsx_xflags = 1u << 30, ioctl(fd, FS_IOC_FSSETXATTR, &x)));
}

static void ask_flags_of_others(void)
{
	int fd = open("free", O_RDWR), flags = 0;

	ASK("lsattr of another's file", ioctl(fd, FS_IOC_GETFLAGS, &flags));
	ASK("chattr of another's file", ioctl(fd, FS_IOC_SETFLAGS, &flags));
	flags |= FS_IMMUTABLE_FL;
	fd = open("own", O_RDWR);
	ASK("chattr +i of one's own, without privilege", ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

static void ask_numbers(int fd, int dir)
{
	char label[FSLABEL_MAX] = "";
	long version = 0;
	int n = 0;

	ASK("FS_IOC_GETVERSION", ioctl(fd, FS_IOC_GETVERSION, &version));
	ASK("FS_IOC_GETVERSION of a directory", ioctl(dir, FS_IOC_GETVERSION, &version));
	ASK("FS_IOC_SETVERSION", ioctl(fd, FS_IOC_SETVERSION, &version));
	ASK("FS_IOC_GETFSLABEL", ioctl(fd, FS_IOC_GETFSLABEL, label));
	say("the label", "%s", label);
	ASK("FS_IOC_GETFSLABEL through a directory", ioctl(dir, FS_IOC_GETFSLABEL, label));
	ASK("FS_IOC_SETFSLABEL", ioctl(fd, FS_IOC_SETFSLABEL, label));
	ASK("FS_IOC_SETFSLABEL to another", ioctl(dir, FS_IOC_SETFSLABEL, "another label"));
	ASK("FS_IOC_GETFSLABEL then", ioctl(fd, FS_IOC_GETFSLABEL, label));
	say("the label then", "%s", label);
	memset(label, 'x', sizeof(label));
	ASK("FS_IOC_SETFSLABEL to 256 bytes", ioctl(fd, FS_IOC_SETFSLABEL, label));
	ASK("FS_IOC_SETFSLABEL to none", ioctl(fd, FS_IOC_SETFSLABEL, ""));
	ASK("FS_IOC_SETFSLABEL to what it was", ioctl(fd, FS_IOC_SETFSLABEL, "vfs-test"));
	ASK("FS_IOC_SETFSLABEL of a bad address", ioctl(fd, FS_IOC_SETFSLABEL, 1));
	ASK("FIGETBSZ", ioctl(fd, FIGETBSZ, &n));
	say("the block size", "%d", n);
	ASK("FIGETBSZ of a directory", ioctl(dir, FIGETBSZ, &n));
	ASK("FIBMAP", (n = 0, ioctl(fd, FIBMAP, &n)));
	ASK("FIONREAD", (lseek(fd, 4, SEEK_SET), ioctl(fd, FIONREAD, &n)));
	say("which is what is left", "%d", n);
	ASK("FIONBIO", (n = 1, ioctl(fd, FIONBIO, &n)));
	ASK("FIOASYNC", ioctl(fd, FIOASYNC, &n));
	ASK("an unknown request", ioctl(fd, _IO('V', 0x7f)));
	ASK("an unknown request to a directory", ioctl(dir, _IO('V', 0x7f)));
	ASK("a terminal's request", ioctl(fd, 0x5401, label));
}

static void ask_space_requests(int fd)
{
	struct file_clone_range range = { .src_fd = fd, .src_length = 4096 };
	struct fstrim_range trim = { 0, UINT64_MAX, 0 };
	int to = make_file("clone", 0);
	struct {
		struct file_dedupe_range head;
		struct file_dedupe_range_info info;
	} dedupe = { .head = { .src_length = 4096, .dest_count = 1 }, .info = { .dest_fd = to } };
	struct space_resv {
		short type, whence;
		long long start, len;
		int sysid;
		unsigned int pid;
		int pad[4];
	} space = { .len = 4096 };

	ASK("FICLONE", ioctl(to, FICLONE, fd));
	ASK("FICLONERANGE", ioctl(to, FICLONERANGE, &range));
	ASK("FIDEDUPERANGE", ioctl(fd, FIDEDUPERANGE, &dedupe));
	/* On a disk that cannot discard. */
	ASK("FITRIM", ioctl(fd, FITRIM, &trim));
	ASK("FITRIM of a bad address", ioctl(fd, FITRIM, 1));
	ASK("FS_IOC_RESVSP", ioctl(fd, _IOW('X', 40, struct space_resv), &space));
	ASK("FS_IOC_UNRESVSP", ioctl(fd, _IOW('X', 41, struct space_resv), &space));
	close(to);
}

static void ask_unprivileged(void)
{
	struct fstrim_range trim = { 0, UINT64_MAX, 0 };
	int fd = open("free", O_RDWR), n = 0;

	ask_flags_of_others();
	ASK("FS_IOC_SETFSLABEL without privilege", ioctl(fd, FS_IOC_SETFSLABEL, "mine"));
	ASK("FITRIM without privilege", ioctl(fd, FITRIM, &trim));
	ASK("FIFREEZE without privilege", ioctl(fd, FIFREEZE, 0));
	ASK("FIBMAP without privilege", ioctl(fd, FIBMAP, &n));
}

void ask_ioctls(void)
{
	int fd = make_file("f", 10000), dir = open(".", O_RDONLY);

	ask_flags(fd, dir);
	ask_numbers(fd, dir);
	ask_space_requests(fd);
	close(make_file("free", 10));
	close(make_file("own", 10));
	must(!chmod("free", 0666) && !chown("own", 1000, 1000), "chmod");
	ask_as(1000, 1000, ask_unprivileged);
	close(fd);
	close(dir);
}

/* ---- where data and holes are ---- */

/* The extents in one line, those that follow one another joined; not where they lie on the disk. */
static void fiemap(const char *name, int fd, uint64_t start, uint64_t len, unsigned int flags)
{
	char text[400] = "";
	size_t size = sizeof(struct fiemap) + 50 * sizeof(struct fiemap_extent);
	struct fiemap *map = calloc(1, size);
	uint64_t end = 0;
	unsigned int i;

	map->fm_start = start;
	map->fm_length = len;
	map->fm_flags = flags;
	map->fm_extent_count = 50;
	if (ioctl(fd, FS_IOC_FIEMAP, map)) {
		result(name, -1);
		free(map);
		return;
	}
	for (i = 0; i < map->fm_mapped_extents; i++) {
		struct fiemap_extent *e = &map->fm_extents[i];
		bool joined = i && e->fe_logical == end;

		end = e->fe_logical + e->fe_length;
		if (!joined)
			sprintf(text + strlen(text), " %llu..", (unsigned long long)e->fe_logical);
		if (i + 1 == map->fm_mapped_extents || map->fm_extents[i + 1].fe_logical != end)
			sprintf(text + strlen(text), "%llu(%x)", (unsigned long long)end, e->fe_flags);
	}
	say(name, "%s", text);
	free(map);
}

static void count_extents(const char *name, int fd)
{
	struct fiemap map = { .fm_length = UINT64_MAX };

	if (ioctl(fd, FS_IOC_FIEMAP, &map))
		result(name, -1);
	else
		say(name, "%s", map.fm_mapped_extents ? "some" : "none");
}

static void ask_fiemap(int fd, int empty, int dir)
{
	fiemap("FIEMAP", fd, 0, UINT64_MAX, FIEMAP_FLAG_SYNC);
	fiemap("FIEMAP of a part", fd, 5000, 10, 0);
	fiemap("FIEMAP of a hole", fd, 30000, 10, 0);
	fiemap("FIEMAP of the last byte", fd, 1048576, 1, 0);
	fiemap("FIEMAP behind the end", fd, 1 << 21, 4096, 0);
	fiemap("FIEMAP far behind the end", fd, (uint64_t)1 << 62, 4096, 0);
	fiemap("FIEMAP of nothing", fd, 0, 0, 0);
	fiemap("FIEMAP of more than there is", fd, UINT64_MAX - 1, 10, 0);
	fiemap("FIEMAP with an unknown flag", fd, 0, 4096, 1u << 20);
	fiemap("FIEMAP of xattrs", fd, 0, UINT64_MAX, FIEMAP_FLAG_XATTR);
	fiemap("FIEMAP of an empty file", empty, 0, UINT64_MAX, 0);
	fiemap("FIEMAP of an empty file behind the end", empty, 10, 10, 0);
	count_extents("FIEMAP counts", fd);
	count_extents("FIEMAP counts of an empty file", empty);
	must(!ftruncate(empty, 1 << 20), "ftruncate");
	fiemap("FIEMAP of a file of a hole", empty, 0, UINT64_MAX, 0);
	count_extents("FIEMAP counts of a file of a hole", empty);
	must(!ftruncate(empty, 0), "ftruncate");
	count_extents("FIEMAP counts of a directory", dir);
	ASK("FIEMAP of a bad address", ioctl(fd, FS_IOC_FIEMAP, 1));
}

static void ask_seek(int fd, int empty)
{
	ASK("SEEK_DATA from the start", lseek(fd, 0, SEEK_DATA));
	ASK("SEEK_DATA within data", lseek(fd, 5, SEEK_DATA));
	ASK("SEEK_HOLE from the start", lseek(fd, 0, SEEK_HOLE));
	ASK("SEEK_HOLE within the hole", lseek(fd, 30000, SEEK_HOLE));
	ASK("SEEK_DATA within the hole", lseek(fd, 30000, SEEK_DATA));
	ASK("SEEK_HOLE in the last block", lseek(fd, 1048576, SEEK_HOLE));
	ASK("SEEK_DATA at the end", lseek(fd, 1048577, SEEK_DATA));
	ASK("SEEK_HOLE at the end", lseek(fd, 1048577, SEEK_HOLE));
	ASK("SEEK_HOLE behind the end", lseek(fd, 1 << 21, SEEK_HOLE));
	ASK("SEEK_DATA at -1", lseek(fd, -1, SEEK_DATA));
	ASK("SEEK_HOLE at -1", lseek(fd, -1, SEEK_HOLE));
	ASK("SEEK_DATA in an empty file", lseek(empty, 0, SEEK_DATA));
	ASK("SEEK_HOLE in an empty file", lseek(empty, 0, SEEK_HOLE));
	must(!ftruncate(empty, 5000), "ftruncate");
	ASK("SEEK_DATA in a file of a hole", lseek(empty, 0, SEEK_DATA));
	ASK("SEEK_HOLE in a file of a hole", lseek(empty, 0, SEEK_HOLE));
	ASK("SEEK_HOLE in it, further", lseek(empty, 4999, SEEK_HOLE));
	ASK("SEEK_SET to -1", lseek(fd, -1, SEEK_SET));
	ASK("SEEK_END and the largest number", lseek(fd, INT64_MAX, SEEK_END));
	ASK("SEEK_END and 10", lseek(fd, 10, SEEK_END));
	ASK("SEEK_CUR and the largest number", lseek(fd, INT64_MAX, SEEK_CUR));
	ASK("SEEK_SET to 8 TiB", lseek(fd, (off_t)1 << 43, SEEK_SET));
	ASK("an unknown whence", lseek(fd, 0, 17));
}

void ask_extents(void)
{
	int fd = make_file("f", 10000), empty = make_file("e", 0), dir = open("..", O_RDONLY);

	must(pwrite(fd, "x", 1, 1 << 20) == 1 && !fsync(fd), "write");
	ask_fiemap(fd, empty, dir);
	ask_seek(fd, empty);
	close(fd);
	close(empty);
	close(dir);
}
