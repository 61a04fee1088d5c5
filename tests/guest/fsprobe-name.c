// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* fsprobe-name.c - names and directories */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fsprobe.h"

static void cmd_socket(char **argv)	/* PATH */
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	/* A small kernel has none, but their inodes. */
	if (fd < 0 && errno == ENOSYS && !mknod(argv[0], S_IFSOCK | 0777, 0))
		return;
	strncpy(addr.sun_path, argv[0], sizeof(addr.sun_path) - 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		fail("bind");
}

static void cmd_unlink(char **argv)	/* PATH */
{
	if (unlink(argv[0]))
		fail("unlink");
}

static void cmd_rename(char **argv)	/* FROM TO */
{
	if (rename(argv[0], argv[1]))
		fail("rename");
}

static void cmd_renameat2(char **argv)	/* FROM TO noreplace|exchange */
{
	unsigned int flags = strcmp(argv[2], "exchange") ? RENAME_NOREPLACE : RENAME_EXCHANGE;

	if (renameat2(AT_FDCWD, argv[0], AT_FDCWD, argv[1], flags))
		fail("renameat2");
}

static void cmd_rename_over_open(char **argv)	/* FROM TO, both made here */
{
	char text[8] = "";
	int from, to;

	from = open_file(argv[0], O_RDWR | O_CREAT | O_EXCL);
	to = open_file(argv[1], O_RDWR | O_CREAT | O_EXCL);
	write_at(from, "new", 3, 0);
	write_at(to, "old", 3, 0);
	if (rename(argv[0], argv[1]))
		fail("rename");
	read_at(to, text, sizeof(text), 0);
	if (strcmp(text, "old"))
		wrong("the replaced file lost its contents while open");
	write_at(to, "more", 4, 3);
	if (unlink(argv[1]))
		fail("unlink");
}

static void cmd_tmpfile(char **argv)	/* DIRECTORY NAME */
{
	char proc[64];
	int fd = open(argv[0], O_TMPFILE | O_RDWR, 0644);

	if (fd < 0)
		fail("O_TMPFILE");
	write_at(fd, "from nowhere\n", 13, 0);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, proc, AT_FDCWD, argv[1], AT_SYMLINK_FOLLOW))
		fail("linkat");
	/* Another one that never gets a name. */
	close(fd);
	fd = open(argv[0], O_TMPFILE | O_RDWR, 0644);
	if (fd < 0)
		fail("O_TMPFILE");
	write_at(fd, proc, sizeof(proc), 100000);
}

static void cmd_create_many(char **argv)	/* DIRECTORY COUNT */
{
	char path[256];
	long long i;

	for (i = 0; i < number(argv[1]); i++) {
		snprintf(path, sizeof(path), "%s/f%lld", argv[0], i);
		close(open_file(path, O_WRONLY | O_CREAT | O_EXCL));
	}
}

static void cmd_create_until_full(char **argv)	/* DIRECTORY */
{
	char path[256];
	int i, fd;

	for (i = 0;; i++) {
		snprintf(path, sizeof(path), "%s/f%d", argv[0], i);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
		if (fd < 0)
			break;
		close(fd);
	}
	if (errno != ENOSPC)
		fail("create");
	printf("%d files\n", i);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void cmd_readdir_unique(char **argv)	/* DIRECTORY COUNT */
{
	DIR *dir = opendir(argv[0]);
	long long nr = 0, max = number(argv[1]) + 100, i;
	char **names = calloc((size_t)max, sizeof(*names));
	struct dirent *entry;

	if (!dir || !names)
		fail("opendir");
	while ((entry = readdir(dir)) && nr < max)
		names[nr++] = strdup(entry->d_name);
	qsort(names, (size_t)nr, sizeof(*names), compare_names);
	for (i = 1; i < nr; i++)
		if (!strcmp(names[i - 1], names[i]))
			wrong("%s is listed twice", names[i]);
	if (nr != number(argv[1]))
		wrong("%lld entries are listed", nr);
}

static void cmd_seekdir(char **argv)	/* DIRECTORY */
{
	enum { NR = 200 };
	DIR *dir = opendir(argv[0]);
	char names[NR][256];
	long where[NR];
	int i;

	if (!dir)
		fail("opendir");
	for (i = 0; i < NR; i++) {
		struct dirent *entry;

		where[i] = telldir(dir);
		entry = readdir(dir);
		if (!entry)
			wrong("the directory is too small");
		strcpy(names[i], entry->d_name);
	}
	for (i = NR - 1; i >= 0; i -= 7) {
		struct dirent *entry;

		seekdir(dir, where[i]);
		entry = readdir(dir);
		if (!entry || strcmp(entry->d_name, names[i]))
			wrong("position %ld is %s, was %s", where[i],
			      entry ? entry->d_name : "the end", names[i]);
	}
}

static void cmd_remove_while_reading(char **argv)	/* DIRECTORY */
{
	DIR *dir = opendir(argv[0]);
	struct dirent *entry;

	if (!dir)
		fail("opendir");
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, 0))
			fail("unlink %s", entry->d_name);
	}
}

static void cmd_handle(char **argv)	/* MOUNT-POINT FILE, which is removed */
{
	union {
		struct file_handle handle;
		char space[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} h = { .handle = { .handle_bytes = MAX_HANDLE_SZ } };
	int mount_fd = open_file(argv[0], O_RDONLY), mount_id, fd;
	char text[16] = "";

	if (name_to_handle_at(AT_FDCWD, argv[1], &h.handle, &mount_id, 0))
		fail("name_to_handle_at");
	fd = open_by_handle_at(mount_fd, &h.handle, O_RDWR);
	if (fd < 0)
		fail("open_by_handle_at");
	read_at(fd, text, sizeof(text) - 1, 0);
	close(fd);
	if (strcmp(text, "handle\n"))
		wrong("the handle leads to another file");
	/* The handle of a copy under another inode dies with it. */
	fd = open_file("handle.tmp", O_RDWR | O_CREAT | O_EXCL);
	h.handle.handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(AT_FDCWD, "handle.tmp", &h.handle, &mount_id, 0))
		fail("name_to_handle_at");
	close(fd);
	if (unlink("handle.tmp"))
		fail("unlink");
	/* The inode number may be in use again: the generation tells. */
	fd = open_file("handle.tmp", O_RDWR | O_CREAT | O_EXCL);
	if (open_by_handle_at(mount_fd, &h.handle, O_RDONLY) != -1 || errno != ESTALE)
		wrong("the handle of a removed file is not stale");
	if (unlink("handle.tmp"))
		fail("unlink");
}

const struct command name_commands[] = {
	{ "socket", 1, cmd_socket },
	{ "unlink", 1, cmd_unlink },
	{ "rename", 2, cmd_rename },
	{ "renameat2", 3, cmd_renameat2 },
	{ "rename-over-open", 2, cmd_rename_over_open },
	{ "tmpfile", 2, cmd_tmpfile },
	{ "create-many", 2, cmd_create_many },
	{ "create-until-full", 1, cmd_create_until_full },
	{ "readdir-unique", 2, cmd_readdir_unique },
	{ "seekdir", 1, cmd_seekdir },
	{ "remove-while-reading", 1, cmd_remove_while_reading },
	{ "handle", 2, cmd_handle },
	{ NULL, 0, NULL }
};
