// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* vfsprobe-names.c - names: open, link, rename, remove, readdir */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "vfsprobe.h"

static int opened(int fd)
{
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static void ask_open(void)
{
	close(make_file("f", 10));
	must(!mkdir("d", 0755) && !symlink("f", "s") && !symlink("nowhere", "dangling"), "setup");
	ASK("open O_EXCL of a file that is there", opened(open("f", O_CREAT | O_EXCL | O_WRONLY, 0600)));
	ASK("open O_DIRECTORY of a file", opened(open("f", O_DIRECTORY)));
	ASK("open O_NOFOLLOW of a symlink", opened(open("s", O_NOFOLLOW)));
	ASK("open O_PATH|O_NOFOLLOW of a symlink", opened(open("s", O_PATH | O_NOFOLLOW)));
	ASK("open a directory for writing", opened(open("d", O_WRONLY)));
	ASK("open O_TRUNC of a directory", opened(open("d", O_RDONLY | O_TRUNC)));
	ASK("create through a dangling symlink", opened(open("dangling", O_CREAT | O_WRONLY, 0600)));
	ASK("and there it is", access("nowhere", F_OK));
	ASK("open O_EXCL through a symlink", opened(open("s", O_CREAT | O_EXCL | O_WRONLY, 0600)));
	ASK("open with a trailing slash", opened(open("f/", O_RDONLY)));
	ASK("create with a trailing slash", opened(open("new/", O_CREAT | O_WRONLY, 0600)));
	ASK("open O_DIRECT", opened(open("f", O_RDONLY | O_DIRECT)));
	ASK("open O_DIRECT of a directory", opened(open("d", O_RDONLY | O_DIRECT)));
	ASK("open O_SYNC", opened(open("f", O_WRONLY | O_SYNC)));
	ASK("open O_NOATIME", opened(open("f", O_RDONLY | O_NOATIME)));
	ASK("open O_RDWR|O_APPEND|O_TRUNC", opened(open("f", O_RDWR | O_APPEND | O_TRUNC)));
}

static void ask_tmpfile(void)
{
	struct stat st;
	char path[64];
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);

	result("open O_TMPFILE", fd < 0 ? -1 : 0);
	if (fd < 0)
		return;
	must(!fstat(fd, &st), "fstat");
	say("links of a temporary file", "%u", (unsigned int)st.st_nlink);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ASK("give it a name", linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	ASK("and another", linkat(AT_FDCWD, path, AT_FDCWD, "named2", AT_SYMLINK_FOLLOW));
	must(!fstat(fd, &st), "fstat");
	say("links then", "%u", (unsigned int)st.st_nlink);
	close(fd);
	fd = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ASK("name one that was opened O_EXCL", linkat(AT_FDCWD, path, AT_FDCWD, "no", AT_SYMLINK_FOLLOW));
	close(fd);
	ASK("O_TMPFILE read-only", opened(open(".", O_TMPFILE | O_RDONLY, 0600)));
}

static void ask_lengths(void)
{
	char name[400], *path = malloc(5000);

	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	ASK("create a name of 255 bytes", mknod(name, S_IFREG | 0600, 0));
	ASK("remove a name of 255 bytes", unlink(name));
	name[255] = 'n';
	name[256] = '\0';
	ASK("create a name of 256 bytes", mknod(name, S_IFREG | 0600, 0));
	ASK("look up a name of 256 bytes", access(name, F_OK));
	ASK("a name that is no UTF-8", mknod("\xff\xfe\x80", S_IFREG | 0600, 0));
	ASK("names that differ in case", mknod("CASE", S_IFREG | 0600, 0) | mknod("case", S_IFREG | 0600, 0));
	memset(path, 'p', 4999);
	path[4999] = '\0';
	ASK("a symlink of 4999 bytes", symlink(path, "toolong"));
	path[4095] = '\0';
	ASK("a symlink of 4095 bytes", symlink(path, "long"));
	ASK("a symlink of 4000 bytes", (path[4000] = '\0', symlink(path, "long4000")));
	ASK("readlink of it", readlink("long4000", path, 5000));
	ASK("readlink into 10 bytes", readlink("long4000", path, 10));
	ASK("an empty symlink", symlink("", "empty"));
	ASK("readlink of a file", readlink("f", path, 10));
	free(path);
}

static void ask_links(void)
{
	struct stat st;
	int fd = make_file("victim", 1);

	ASK("link a directory", link("d", "d2"));
	ASK("link over a name", link("f", "s"));
	ASK("link a symlink itself", link("s", "s2"));
	say("which is a symlink", "%s", !lstat("s2", &st) && S_ISLNK(st.st_mode) ? "yes" : "no");
	must(!unlink("victim"), "unlink");
	ASK("link an unlinked file", linkat(fd, "", AT_FDCWD, "again", AT_EMPTY_PATH));
	close(fd);
	ASK("link in another file system", link("f", "/tmp/elsewhere"));
	ASK("unlink a directory", unlink("d"));
	ASK("rmdir a file", rmdir("f"));
	ASK("rmdir .", rmdir("d/."));
	ASK("rmdir ..", rmdir("d/.."));
	must(!mkdir("d/sub", 0755), "d/sub");
	ASK("rmdir of a directory that is not empty", rmdir("d"));
	must(!stat("d", &st), "d");
	say("links of a directory with one below", "%u", (unsigned int)st.st_nlink);
	ASK("mkdir over a file", mkdir("f", 0755));
	ASK("mkdir below a file", mkdir("f/x", 0755));
	ASK("remove what is not there", unlink("absent"));
}

static void ask_removed_dir(void)
{
	int fd;

	must(!mkdir("gone", 0755), "gone");
	fd = open("gone", O_RDONLY | O_DIRECTORY);
	must(fd >= 0 && !rmdir("gone"), "rmdir");
	ASK("create in a removed directory", opened(openat(fd, "x", O_CREAT | O_WRONLY, 0600)));
	ASK("O_TMPFILE in it", opened(openat(fd, ".", O_TMPFILE | O_WRONLY, 0600)));
	ASK("mkdir in it", mkdirat(fd, "x", 0755));
	ASK("link into it", linkat(AT_FDCWD, "f", fd, "x", 0));
	ASK("rename into it", renameat(AT_FDCWD, "f", fd, "x"));
	ASK("its ..", faccessat(fd, "..", F_OK, 0));
	ASK("fsync of a removed directory", fsync(fd));
	close(fd);
}

static long rename2(const char *from, const char *to, unsigned int flags)
{
	return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static void tell_whiteout(const char *question, const char *name)
{
	struct stat st;

	must(!lstat(name, &st), name);
	say(question, "%o, device %llx, %llu links, owner %u", st.st_mode, (unsigned long long)st.st_rdev,
	       (unsigned long long)st.st_nlink, st.st_uid);
}

static void ask_whiteouts(void)
{
	close(make_file("w1", 10));
	close(make_file("w2", 10));
	must(!mkdir("wd", 0755) && !mkdir("wd2", 0755), "setup");
	ASK("RENAME_WHITEOUT", rename2("w1", "w3", RENAME_WHITEOUT));
	tell_whiteout("what it leaves", "w1");
	ASK("RENAME_WHITEOUT over a file", rename2("w3", "w2", RENAME_WHITEOUT));
	ASK("RENAME_WHITEOUT over a whiteout", rename2("w2", "w3", RENAME_WHITEOUT));
	ASK("RENAME_WHITEOUT of a whiteout", rename2("w2", "w4", RENAME_WHITEOUT));
	ASK("RENAME_WHITEOUT of a directory", rename2("wd", "wd2/wd", RENAME_WHITEOUT));
	tell_whiteout("what that leaves", "wd");
	ASK("RENAME_WHITEOUT over a directory", rename2("w3", "wd2", RENAME_WHITEOUT));
	ASK("RENAME_WHITEOUT|RENAME_NOREPLACE over a file", rename2("w3", "w4", RENAME_WHITEOUT | RENAME_NOREPLACE));
	ASK("RENAME_WHITEOUT|RENAME_EXCHANGE", rename2("w3", "w4", RENAME_WHITEOUT | RENAME_EXCHANGE));
	ASK("RENAME_WHITEOUT to itself", rename2("w3", "w3", RENAME_WHITEOUT));
	ASK("RENAME_WHITEOUT of what is not there", rename2("absent", "w5", RENAME_WHITEOUT));
	ASK("a whiteout is opened", opened(open("w1", O_RDONLY)));
	ASK("a whiteout is removed", unlink("w1"));
}

static void ask_rename(void)
{
	struct stat st;

	must(!mkdir("r", 0755) && !chdir("r") && !mkdir("a", 0755) && !mkdir("b", 0755) &&
	     !mkdir("b/full", 0755), "setup");
	close(make_file("f", 1));
	close(make_file("g", 2));
	must(!link("f", "f2"), "link");
	ASK("rename onto itself", rename("f", "f"));
	ASK("rename onto a link to itself", rename("f", "f2"));
	ASK("and both are there", access("f", F_OK) | access("f2", F_OK));
	ASK("rename a directory below itself", rename("b", "b/full/x"));
	ASK("rename a directory onto one that is full", rename("a", "b"));
	ASK("rename a directory onto a file", rename("a", "f"));
	ASK("rename a file onto a directory", rename("f", "a"));
	ASK("rename ..", rename("..", "x"));
	ASK("rename .", rename(".", "x"));
	ASK("rename with a trailing slash", rename("f", "new/"));
	ASK("rename what is not there", rename("absent", "x"));
	ASK("rename onto a file", rename("g", "f"));
	say("which has its size then", "%lld", stat("f", &st) ? -1 : (long long)st.st_size);
	ASK("RENAME_NOREPLACE onto a file", rename2("f", "f2", RENAME_NOREPLACE));
	ASK("RENAME_NOREPLACE", rename2("f", "h", RENAME_NOREPLACE));
	ASK("RENAME_EXCHANGE of file and directory", rename2("h", "b", RENAME_EXCHANGE));
	ASK("RENAME_EXCHANGE with what is not there", rename2("h", "absent", RENAME_EXCHANGE));
	ASK("RENAME_EXCHANGE of a directory and what is below it", rename2("h", "h/full", RENAME_EXCHANGE));
	ASK("RENAME_NOREPLACE|RENAME_EXCHANGE", rename2("h", "b", RENAME_NOREPLACE | RENAME_EXCHANGE));
	ask_whiteouts();
	ASK("an unknown flag of renameat2", rename2("h", "x", 1u << 20));
	must(!chdir(".."), "..");
}

static void ask_nodes(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "socket" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct stat st;

	ASK("a socket", bind(fd, (struct sockaddr *)&address, sizeof(address)));
	close(fd);
	ASK("open a socket", opened(open("socket", O_RDWR)));
	ASK("a fifo", mkfifo("fifo", 0600));
	ASK("open a fifo for writing, O_NONBLOCK", opened(open("fifo", O_WRONLY | O_NONBLOCK)));
	ASK("a device of a large number", mknod("device", S_IFCHR | 0600, makedev(4000, 1000000)));
	say("whose number is kept", "%s", !stat("device", &st) && st.st_rdev == makedev(4000, 1000000) ? "yes" : "no");
	ASK("a null device", mknod("null", S_IFCHR | 0600, makedev(1, 3)));
	ASK("open it", opened(open("null", O_WRONLY)));
	ASK("a whiteout device", mknod("whiteout", S_IFCHR, 0));
	ASK("mknod of a directory", mknod("nodedir", S_IFDIR | 0755, 0));
}

static void list(const char *name, int fd)
{
	char buf[4096], types[64] = "";
	size_t files = 0, all = 0;
	long n, i;

	while ((n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0)
		for (i = 0; i < n; i += ((struct dirent64 *)(buf + i))->d_reclen) {
			struct dirent64 *d = (struct dirent64 *)(buf + i);

			all++;
			files += d->d_type == DT_REG;
			if (d->d_type == DT_UNKNOWN)
				strcpy(types, " and unknown types");
		}
	say(name, "%zu entries, %zu files%s%s", all, files, types, n < 0 ? strerrorname_np(errno) : "");
}

static void ask_readdir(void)
{
	char name[32], buf[64];
	int fd, i;

	must(!mkdir("rd", 0755), "rd");
	for (i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "rd/entry-%d", i);
		must(!mknod(name, S_IFREG | 0644, 0), name);
	}
	must(!mkdir("rd/dir", 0755), "rd/dir");
	fd = open("rd", O_RDONLY | O_DIRECTORY);
	ASK("getdents64 into 10 bytes", syscall(SYS_getdents64, fd, buf, 10));
	ASK("getdents64 into 24 bytes", syscall(SYS_getdents64, fd, buf, 24));
	list("a directory of 301", fd);
	ASK("getdents64 at the end", syscall(SYS_getdents64, fd, buf, sizeof(buf)));
	ASK("lseek of a directory to its start", lseek(fd, 0, SEEK_SET));
	list("again", fd);
	ASK("lseek of a directory to -1", lseek(fd, -1, SEEK_SET));
	ASK("SEEK_DATA in a directory", lseek(fd, 0, SEEK_DATA));
	ASK("read of a directory", read(fd, buf, 10));
	ASK("pread of a directory", pread(fd, buf, 10, 0));
	ASK("ftruncate of a directory", ftruncate(fd, 0));
	ASK("truncate of a directory", truncate("rd", 0));
	ASK("getdents64 of a file", (close(fd), fd = open("f", O_RDONLY), syscall(SYS_getdents64, fd, buf, 64)));
	close(fd);
}

void ask_names(void)
{
	ask_open();
	ask_tmpfile();
	ask_lengths();
	ask_links();
	ask_removed_dir();
	ask_rename();
	ask_nodes();
	ask_readdir();
}
