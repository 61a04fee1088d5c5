// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* vfsprobe-others.c - locks, leases, notification, handles, swap, quota */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/quota.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vfsprobe.h"

static void ask_locks(int fd)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET }, part = { .l_type = F_RDLCK };
	int other = open("f", O_RDWR);

	ASK("fcntl lock", fcntl(fd, F_SETLK, &whole));
	ASK("another lock of the same process", fcntl(other, F_SETLK, &part));
	ASK("unlock", (whole.l_type = F_UNLCK, fcntl(fd, F_SETLK, &whole)));
	ASK("OFD lock", (whole.l_type = F_WRLCK, fcntl(fd, F_OFD_SETLK, &whole)));
	ASK("OFD lock through another open", fcntl(other, F_OFD_SETLK, &part));
	ASK("flock", flock(fd, LOCK_EX));
	ASK("flock through another open", flock(other, LOCK_EX | LOCK_NB));
	ASK("flock, released", flock(fd, LOCK_UN));
	close(other);
	ASK("a read lease of a file open for writing", fcntl(fd, F_SETLEASE, F_RDLCK));
	other = open("lease", O_RDONLY | O_CREAT, 0644);
	ASK("a read lease", fcntl(other, F_SETLEASE, F_RDLCK));
	ASK("F_GETLEASE", fcntl(other, F_GETLEASE));
	ASK("it ends", fcntl(other, F_SETLEASE, F_UNLCK));
	ASK("F_SET_RW_HINT", fcntl(fd, F_SET_RW_HINT, &(uint64_t){ 2 }));
	ASK("F_GETPIPE_SZ", fcntl(fd, F_GETPIPE_SZ));
	ASK("F_ADD_SEALS", fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	close(other);
}

static void ask_notify(void)
{
	static const uint32_t masks[] = { IN_CREATE, IN_MODIFY, IN_ATTRIB, IN_MOVED_FROM, IN_MOVED_TO,
					  IN_DELETE, IN_OPEN, IN_CLOSE_WRITE, IN_ACCESS };
	char events[4096], text[100] = "";
	int in = inotify_init1(IN_NONBLOCK), fd, fan;
	uint32_t seen = 0;
	ssize_t n, i;
	size_t k;

	must(in >= 0 && inotify_add_watch(in, ".", IN_ALL_EVENTS) >= 0, "inotify");
	fd = make_file("watched", 10);
	must(pread(fd, text, 1, 0) == 1 && !fchmod(fd, 0600) && !rename("watched", "moved") &&
	     !unlink("moved"), "events");
	close(fd);
	text[0] = '\0';
	n = read(in, events, sizeof(events));
	for (i = 0; i < n;) {
		struct inotify_event *e = (struct inotify_event *)(events + i);

		seen |= e->mask;
		i += (ssize_t)(sizeof(*e) + e->len);
	}
	for (k = 0; k < sizeof(masks) / sizeof(masks[0]); k++)
		strcat(text, seen & masks[k] ? "1" : "0");
	say("inotify: create modify attrib from to delete open close access", "%s", text);
	close(in);
	ASK("F_NOTIFY", (fd = open(".", O_RDONLY), fcntl(fd, F_NOTIFY, DN_CREATE)));
	fan = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID, O_RDONLY);
	ASK("fanotify_init with handles", fan < 0 ? -1 : 0);
	ASK("fanotify_mark of the file system",
	    fanotify_mark(fan, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_CREATE | FAN_DELETE, AT_FDCWD, "."));
	close(fan);
	close(fd);
}

static void ask_handles(int dir)
{
	struct {
		struct file_handle h;
		unsigned char bytes[MAX_HANDLE_SZ];
	} f = { .h.handle_bytes = MAX_HANDLE_SZ };
	int mount_id, fd;
	char c = 0;

	ASK("name_to_handle_at into too little room",
	    (f.h.handle_bytes = 1, name_to_handle_at(AT_FDCWD, "f", &f.h, &mount_id, 0)));
	f.h.handle_bytes = MAX_HANDLE_SZ;
	ASK("name_to_handle_at", name_to_handle_at(AT_FDCWD, "f", &f.h, &mount_id, 0));
	ASK("open_by_handle_at", (fd = open_by_handle_at(dir, &f.h, O_RDONLY)) < 0 ? -1 : 0);
	ASK("which reads", pread(fd, &c, 1, 0));
	close(fd);
	ASK("open_by_handle_at for writing", (fd = open_by_handle_at(dir, &f.h, O_RDWR)) < 0 ? -1 : 0);
	close(fd);
	f.h.f_handle[4] ^= 0xff;
	ASK("a handle of another generation", open_by_handle_at(dir, &f.h, O_RDONLY));
	memset(f.h.f_handle, 0xff, 8);
	ASK("a handle of no inode", open_by_handle_at(dir, &f.h, O_RDONLY));
	memset(f.h.f_handle, 0, 8);
	ASK("a handle of inode 0", open_by_handle_at(dir, &f.h, O_RDONLY));
	f.h.handle_type = 77;
	ASK("a handle of an unknown type", open_by_handle_at(dir, &f.h, O_RDONLY));
	f.h.handle_bytes = MAX_HANDLE_SZ;
	must(!name_to_handle_at(AT_FDCWD, "sub", &f.h, &mount_id, 0), "handle of sub");
	ASK("open a directory by handle", (fd = open_by_handle_at(dir, &f.h, O_RDONLY | O_DIRECTORY)) < 0 ? -1 : 0);
	close(fd);
	f.h.handle_bytes = MAX_HANDLE_SZ;
	must(!name_to_handle_at(AT_FDCWD, "unlinked", &f.h, &mount_id, 0), "handle");
	fd = open("unlinked", O_RDONLY);
	must(!unlink("unlinked"), "unlink");
	c = (char)open_by_handle_at(dir, &f.h, O_RDONLY);
	result("a handle of a file that is unlinked, but open", c < 0 ? -1 : 0);
	close(c);
	close(fd);
	ASK("and when it is closed", open_by_handle_at(dir, &f.h, O_RDONLY));
}

static int run(const char *path)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		execl(path, path, (char *)NULL);
		_exit(errno);
	}
	must(pid > 0 && waitpid(pid, &status, 0) == pid, "fork");
	return WEXITSTATUS(status);
}

static void ask_exec(void)
{
	int fd = make_file("script", 0), from = open("/bin/busybox", O_RDONLY), to;
	struct stat st;

	must(write(fd, "#!/bin/true\n", 12) == 12, "script");
	fflush(stdout);
	say("exec without the right", "%s", strerrorname_np(run("./script")) ?: "fine");
	must(!fchmod(fd, 0755), "chmod");
	say("exec of a file that is open for writing", "%s", strerrorname_np(run("./script")));
	close(fd);
	say("exec of a script", "%d", run("./script"));
	to = make_file("true", 0);
	must(!fstat(from, &st), "fstat");
	while (copy_file_range(from, NULL, to, NULL, (size_t)st.st_size, 0) > 0)
		;
	must(!fchmod(to, 0755), "chmod");
	close(to);
	say("exec of a program", "%d", run("./true"));
	close(from);
}

static void ask_epoll(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
	struct epoll_event e = { .events = EPOLLIN };
	int ep = epoll_create1(0);

	ASK("poll", poll(&p, 1, 0));
	say("which says", "%x", (unsigned int)p.revents);
	ASK("epoll of a file", epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
	close(ep);
}

static void ask_swap(void)
{
	int fd = make_file("swap", 1 << 20);

	must(pwrite(fd, "\1\0\0\0\376\0\0\0", 8, 1024) == 8 && pwrite(fd, "SWAPSPACE2", 10, 4086) == 10 &&
	     !fchmod(fd, 0600) && !fsync(fd), "swap");
	close(fd);
	ASK("swapon", swapon("swap", 0));
	ASK("swapoff", swapoff("swap"));
}

void ask_others(void)
{
	int fd = make_file("f", 100), dir = open(".", O_RDONLY);
	struct dqblk quota;

	must(!mkdir("sub", 0755), "sub");
	close(make_file("unlinked", 1));
	ask_locks(fd);
	ask_notify();
	ask_handles(dir);
	ask_epoll(fd);
	close(fd);
	ask_exec();
	ask_swap();
	ASK("quotactl_fd", syscall(443, dir, QCMD(Q_GETQUOTA, USRQUOTA), 0, &quota));
	close(dir);
}
