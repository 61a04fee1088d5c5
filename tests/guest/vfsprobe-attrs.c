// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* vfsprobe-attrs.c - attributes, and who may change them */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "vfsprobe.h"

static void say_mode(const char *name, const char *path)
{
	struct stat st;

	if (stat(path, &st))
		say(name, "%s", strerrorname_np(errno));
	else
		say(name, "%o, %u:%u", st.st_mode, st.st_uid, st.st_gid);
}

static void ask_stat(void)
{
	struct statx x;
	struct statfs fs;
	struct stat st;

	close(make_file("f", 5));
	must(!mkdir("d", 0755) && !symlink("f", "s"), "setup");
	must(!syscall(SYS_statx, AT_FDCWD, "f", 0, STATX_BASIC_STATS | STATX_BTIME | STATX_DIOALIGN, &x), "statx");
	say("statx, the mask", "%x", x.stx_mask);
	say("statx, attributes", "%llx", (unsigned long long)x.stx_attributes);
	say("statx, attributes there may be", "%llx", (unsigned long long)x.stx_attributes_mask);
	say("statx, block size", "%u", x.stx_blksize);
	say("statx, alignment of direct I/O", "%u %u", x.stx_dio_mem_align, x.stx_dio_offset_align);
	say("statx, mount id", "%s", x.stx_mask & STATX_MNT_ID ? "yes" : "no");
	ASK("statx with an unknown flag", syscall(SYS_statx, AT_FDCWD, "f", 0x800000, STATX_SIZE, &x));
	must(!stat("f", &st), "f");
	say("blocks of a file of 5 bytes", "%lld", (long long)st.st_blocks);
	must(!lstat("s", &st), "s");
	say("a symlink", "%o, size %lld, blocks %lld", st.st_mode, (long long)st.st_size, (long long)st.st_blocks);
	must(!stat("d", &st), "d");
	say("an empty directory", "%o, links %u", st.st_mode, (unsigned int)st.st_nlink);
	say("size of an empty directory", "%lld, blocks %lld", (long long)st.st_size, (long long)st.st_blocks);
	must(!statfs(".", &fs), "statfs");
	say("statfs", "block %ld, fragment %ld, name %ld, flags %lx", fs.f_bsize, fs.f_frsize,
	    fs.f_namelen, fs.f_flags);
	say("statfs, id", "%s", fs.f_fsid.__val[0] || fs.f_fsid.__val[1] ? "there" : "none");
}

static void ask_xattr(void)
{
	char buf[100];

	ASK("setxattr user.", setxattr("f", "user.a", "v", 1, 0));
	ASK("getxattr user.", getxattr("f", "user.a", buf, sizeof(buf)));
	ASK("getxattr of one that is not there", getxattr("f", "user.b", buf, sizeof(buf)));
	ASK("listxattr", listxattr("f", buf, sizeof(buf)));
	ASK("removexattr of one that is not there", removexattr("f", "user.b"));
	ASK("setxattr trusted.", setxattr("f", "trusted.a", "v", 1, 0));
	ASK("setxattr security.", setxattr("f", "security.a", "v", 1, 0));
	ASK("setxattr of an unknown namespace", setxattr("f", "nonsense.a", "v", 1, 0));
	ASK("setxattr user. of a symlink", lsetxattr("s", "user.a", "v", 1, 0));
	ASK("setxattr of a capability", setxattr("f", "security.capability",
		"\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, 0));
	ASK("getxattr of an ACL", getxattr("f", "system.posix_acl_access", buf, sizeof(buf)));
	ASK("setxattr of an ACL", setxattr("d", "system.posix_acl_default",
		"\2\0\0\0\1\0\7\0\377\377\377\377\4\0\5\0\377\377\377\377\40\0\5\0\377\377\377\377", 28, 0));
	ASK("remove the ACL", removexattr("d", "system.posix_acl_default"));
}

static void ask_xattr_limits(void)
{
	static char value[70000], name[300] = "user.";
	char buf[100];

	memset(name + 5, 'n', 255);
	ASK("setxattr of the longest name", setxattr("f", name, "v", 1, 0));
	ASK("removexattr of it", removexattr("f", name));
	memset(name + 5, 'n', 256);
	ASK("setxattr of a longer name", setxattr("f", name, "v", 1, 0));
	ASK("setxattr of no name", setxattr("f", "user.", "v", 1, 0));
	ASK("setxattr of an empty value", setxattr("f", "user.empty", "", 0, 0));
	ASK("getxattr of an empty value", getxattr("f", "user.empty", buf, sizeof(buf)));
	ASK("setxattr CREATE of one that is there", setxattr("f", "user.a", "w", 1, XATTR_CREATE));
	ASK("setxattr REPLACE of one that is not", setxattr("f", "user.b", "w", 1, XATTR_REPLACE));
	ASK("setxattr CREATE and REPLACE", setxattr("f", "user.a", "w", 1, XATTR_CREATE | XATTR_REPLACE));
	ASK("setxattr of 2000 bytes", setxattr("f", "user.a", value, 2000, XATTR_REPLACE));
	ASK("getxattr, the size", getxattr("f", "user.a", NULL, 0));
	ASK("getxattr into too little", getxattr("f", "user.a", buf, sizeof(buf)));
	ASK("listxattr, the size", listxattr("f", NULL, 0));
	ASK("listxattr into too little", listxattr("f", buf, 5));
	ASK("setxattr of 30000 bytes", setxattr("f", "user.a", value, 30000, 0));
	ASK("setxattr of 65536 bytes", setxattr("f", "user.a", value, 65536, 0));
	ASK("setxattr of 65537 bytes", setxattr("f", "user.a", value, 65537, 0));
	ASK("removexattr", removexattr("f", "user.a"));
	ASK("getxattr of what was removed", getxattr("f", "user.a", buf, sizeof(buf)));
	ASK("setxattr user. of a directory", setxattr("d", "user.a", "v", 1, 0));
	ASK("setxattr trusted. of a symlink", lsetxattr("s", "trusted.a", "v", 1, 0));
	ASK("getxattr of a symlink", lgetxattr("s", "trusted.a", buf, sizeof(buf)));
}

/* As linux/posix_acl_xattr.h has it: 5 entries, user 1000 among them. */
static size_t make_acl(unsigned char *acl, unsigned int user, unsigned int group, unsigned int mask)
{
	const unsigned int tags[] = { 1, 2, 4, 16, 32 }, perms[] = { 6, user, group, mask, 0 };
	unsigned int i;

	memset(acl, 0, 44);
	acl[0] = 2;
	for (i = 0; i < 5; i++) {
		unsigned char *e = acl + 4 + 8 * i;

		e[0] = (unsigned char)tags[i];
		e[2] = (unsigned char)perms[i];
		memset(e + 4, 0xff, 4);
		if (tags[i] == 2)
			memcpy(e + 4, "\350\3\0\0", 4);
	}
	return 44;
}

/* The permissions of each entry of a list, or the name of errno. */
static void say_acl(const char *name, const char *path, const char *kind)
{
	unsigned char acl[200];
	ssize_t len = getxattr(path, kind, acl, sizeof(acl));
	char text[100];
	int n = 0;
	ssize_t i;

	if (len < 0) {
		say(name, "%s", strerrorname_np(errno));
		return;
	}
	for (i = 4; i + 8 <= len && n < 80; i += 8)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " %u:%u", acl[i], acl[i + 2]);
	text[n] = 0;
	say(name, "%s", text);
}

#define ACCESS	"system.posix_acl_access"
#define DEFAULT	"system.posix_acl_default"

static void ask_acls(void)
{
	unsigned char acl[44];
	size_t len = make_acl(acl, 6, 4, 6);
	int fd;

	close(make_file("a", 5));
	must(!mkdir("ad", 0755), "ad");
	ASK("an access list", setxattr("a", ACCESS, acl, len, 0));
	say_mode("its mask is the group's mode", "a");
	say_acl("and is read back", "a", ACCESS);
	ASK("chmod 0640 of it", chmod("a", 0640));
	say_acl("changes the mask", "a", ACCESS);
	ASK("a list that the mode says as well", setxattr("a", ACCESS,
		"\2\0\0\0\1\0\6\0\377\377\377\377\4\0\4\0\377\377\377\377\40\0\4\0\377\377\377\377", 28, 0));
	say_acl("is none", "a", ACCESS);
	say_mode("but the mode", "a");
	ASK("a damaged list", setxattr("a", ACCESS, acl, 20, 0));
	ASK("a default list of a file", setxattr("a", DEFAULT, acl, len, 0));
	ASK("a default list", setxattr("ad", DEFAULT, acl, len, 0));
	close(open("ad/new", O_CREAT | O_WRONLY, 0666));
	say_mode("a new file has its mode", "ad/new");
	say_acl("and list", "ad/new", ACCESS);
	must(!mkdir("ad/sub", 0777), "ad/sub");
	say_mode("a new directory has its mode", "ad/sub");
	say_acl("and list, too", "ad/sub", ACCESS);
	say_acl("and passes it on", "ad/sub", DEFAULT);
	must(!symlink("x", "ad/link"), "ad/link");
	ASK("a new symlink has none", lgetxattr("ad/link", ACCESS, NULL, 0));
	ASK("mkfifo there", mkfifo("ad/fifo", 0622));
	say_acl("a new fifo has it", "ad/fifo", ACCESS);
	fd = open("ad", O_TMPFILE | O_RDWR, 0666);
	if (fd >= 0) {	/* over FUSE there are none */
		ASK("a file without a name has it", fgetxattr(fd, ACCESS, NULL, 0));
		close(fd);
	}
	ASK("removexattr of the default list", removexattr("ad", DEFAULT));
	ASK("removexattr of it again", removexattr("ad", DEFAULT));
	ASK("removexattr of an access list", removexattr("ad/new", ACCESS));
	say_mode("leaves the mode", "ad/new");
}

static void ask_capabilities(void)
{
	static const char cap[] = "\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
	char buf[100];
	int fd;

	close(make_file("c", 5));
	ASK("a capability", setxattr("c", "security.capability", cap, 20, 0));
	ASK("is read back", getxattr("c", "security.capability", buf, sizeof(buf)));
	fd = open("c", O_WRONLY);
	must(write(fd, "x", 1) == 1, "c");
	close(fd);
	ASK("a write takes it away", getxattr("c", "security.capability", buf, sizeof(buf)));
	must(!setxattr("c", "security.capability", cap, 20, 0), "c");
	ASK("chown", chown("c", 1000, 1000));
	ASK("takes it away, too", getxattr("c", "security.capability", buf, sizeof(buf)));
	must(!setxattr("c", "security.capability", cap, 20, 0) && !truncate("c", 2), "c");
	ASK("so does truncate", getxattr("c", "security.capability", buf, sizeof(buf)));
}

static void ask_modes(void)
{
	ASK("chmod 7777", chmod("f", 07777));
	say_mode("mode 7777", "f");
	ASK("chown", chown("f", 1000, 1000));
	say_mode("takes the set-id bits", "f");
	ASK("chown of nothing, of a set-id file", chmod("f", 06755) | chown("f", -1, -1));
	say_mode("leaves them", "f");
	ASK("chown of a file with set-gid but no group execution", chmod("f", 06744) | chown("f", 1000, 1000));
	say_mode("leaves that", "f");
	ASK("chown of a set-gid directory", chmod("d", 06777) | chown("d", 1000, 2000));
	say_mode("leaves its bits", "d");
	must(!mkdir("d/sub", 0755), "d/sub");
	close(make_file("d/file", 1));
	say_mode("a directory in a set-gid one", "d/sub");
	say_mode("a file in a set-gid one", "d/file");
	ASK("chmod of a symlink", fchmodat(AT_FDCWD, "s", 0600, AT_SYMLINK_NOFOLLOW));
	ASK("lchown", lchown("s", 5, 6));
	ASK("chown to the largest id", chown("f", 4294967294u, 4294967294u));
	say_mode("the largest id", "f");
}

void ask_attrs(void)
{
	ask_stat();
	ask_xattr();
	ask_xattr_limits();
	ask_acls();
	ask_capabilities();
	ask_modes();
}

/* ---- rights, as user 1000 of group 1000 ---- */

/* mine: 0644, 1000:1000; theirs: 0666, 0:0; suid: 4777, 0:0; sgid: 2777, 0:1000; private: 0600, 0:0 */

static void ask_owner(void)
{
	struct timespec now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } }, then[2] = { { 5, 0 }, { 6, 0 } };

	ASK("chmod of one's own", chmod("mine", 0640));
	ASK("chmod of another's", chmod("theirs", 0640));
	ASK("chown of one's own to another", chown("mine", 0, -1));
	ASK("chown of one's own to oneself", chown("mine", 1000, 1000));
	ASK("chgrp of one's own to a foreign group", chown("mine", -1, 2000));
	ASK("set-gid for a foreign group", chmod("foreign-group", 02755));
	say_mode("is taken away", "foreign-group");
	ASK("utimes to now, of another's that is writable", utimensat(AT_FDCWD, "theirs", now, 0));
	ASK("utimes to some time, of another's that is writable", utimensat(AT_FDCWD, "theirs", then, 0));
	ASK("utimes to now, of another's that is not", utimensat(AT_FDCWD, "private", now, 0));
	ASK("utimes of one's own", utimensat(AT_FDCWD, "mine", then, 0));
	ASK("O_NOATIME of one's own", open("mine", O_RDONLY | O_NOATIME) < 0 ? -1 : 0);
	ASK("O_NOATIME of another's", open("theirs", O_RDONLY | O_NOATIME) < 0 ? -1 : 0);
	ASK("open of a private one", open("private", O_RDONLY) < 0 ? -1 : 0);
	ASK("truncate of a private one", truncate("private", 0));
	ASK("mknod of a device", mknod("dev", S_IFCHR | 0600, makedev(1, 3)));
	ASK("mkfifo", mkfifo("fifo", 0600));
	ASK("setxattr security. without privilege", setxattr("mine", "security.a", "v", 1, 0));
	ASK("chroot", chroot("."));
}

static void ask_set_id(void)
{
	int fd = open("suid", O_RDWR);

	ASK("read of a set-uid file", read(fd, (char[1]){ 0 }, 1));
	say_mode("leaves the bit", "suid");
	ASK("write of nothing to it", write(fd, "", 0));
	say_mode("then", "suid");
	ASK("write to it", write(fd, "x", 1));
	say_mode("takes the bit", "suid");
	close(fd);
	ASK("truncate of one", truncate("suid2", 1));
	say_mode("takes it, too", "suid2");
	ASK("truncate of one to its size", truncate("suid3", 5));
	say_mode("and then", "suid3");
	ASK("open O_TRUNC of one", open("suid4", O_WRONLY | O_TRUNC) < 0 ? -1 : 0);
	say_mode("and here", "suid4");
	ASK("write to a set-gid file", truncate("sgid", 1));
	say_mode("takes that bit", "sgid");
	ASK("write to a set-gid file without group execution", truncate("locking", 1));
	say_mode("that file", "locking");
}

static void ask_dirs(void)
{
	ASK("create in a sticky directory", mknod("sticky/mine", S_IFREG | 0644, 0));
	ASK("remove another's there", unlink("sticky/theirs"));
	ASK("rename another's there", rename("sticky/theirs", "sticky/x"));
	ASK("rename over another's there", rename("sticky/mine", "sticky/theirs"));
	ASK("remove one's own there", unlink("sticky/mine"));
	ASK("create in a directory that is not writable", mknod("closed/x", S_IFREG | 0644, 0));
	ASK("remove there", unlink("closed/f"));
	ASK("look up where one may not search", access("secret/f", F_OK));
	ASK("list where one may not search", open("secret", O_RDONLY) < 0 ? -1 : 0);
	ASK("link to another's file", link("private", "linked"));
	ASK("mkdir in a set-gid directory", mkdir("setgid/d", 0755));
	say_mode("that directory", "setgid/d");
	ASK("create a set-gid file in a set-gid directory of a foreign group",
	    mknod("setgid/f", S_IFREG | 02755, 0));
	say_mode("which loses the bit", "setgid/f");
}

static void made(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	close(make_file(path, 5));
	must(!chown(path, uid, gid) && !chmod(path, mode), path);
}

static void made_dir(const char *path, mode_t mode, gid_t gid)
{
	must(!mkdir(path, 0755) && !chown(path, 0, gid) && !chmod(path, mode), path);
}

static void ask_unprivileged(void)
{
	ask_owner();
	ask_set_id();
	ask_dirs();
}

void ask_rights(void)
{
	must(!chmod(".", 0777) && !chmod("..", 0755), "chmod");
	made("mine", 0644, 1000, 1000);
	made("theirs", 0666, 0, 0);
	made("private", 0600, 0, 0);
	made("foreign-group", 0755, 1000, 2000);
	made("suid", 04777, 0, 0);
	made("suid2", 04777, 0, 0);
	made("suid3", 04777, 0, 0);
	made("suid4", 04777, 0, 0);
	made("sgid", 02777, 0, 1000);
	made("locking", 02766, 0, 2000);
	made_dir("sticky", 01777, 0);
	made_dir("closed", 0755, 0);
	made_dir("secret", 0700, 0);
	made_dir("setgid", 02777, 2000);
	made("sticky/theirs", 0666, 0, 0);
	made("closed/f", 0666, 0, 0);
	ask_as(1000, 1000, ask_unprivileged);
}
