// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* fsprobe-handle.c - file handles: what an NFS server does with them */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fsprobe.h"

#define HANDLE_INO_GENERATION	1	/* FILEID_INO32_GEN of <linux/exportfs.h> */

union handle {
	struct file_handle h;
	char space[sizeof(struct file_handle) + MAX_HANDLE_SZ];
};

static void get_handle(const char *path, union handle *handle)
{
	int mount_id;

	handle->h.handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(AT_FDCWD, path, &handle->h, &mount_id, 0))
		fail("name_to_handle_at %s", path);
}

static void make_handle(union handle *handle, uint32_t ino, uint32_t generation)
{
	uint32_t words[2] = { ino, generation };

	memset(handle, 0, sizeof(*handle));
	handle->h.handle_bytes = sizeof(words);
	handle->h.handle_type = HANDLE_INO_GENERATION;
	memcpy(handle->h.f_handle, words, sizeof(words));
}

static void cmd_save_handle(char **argv)	/* PATH FILE */
{
	union handle handle;

	get_handle(argv[0], &handle);
	write_at(open_file(argv[1], O_WRONLY | O_CREAT), &handle, sizeof(handle), 0);
}

/* Whoever hangs, hangs alone: the test ends, and says so. */
static void in_child(void (*run)(char **argv), char **argv)
{
	int status, tries;
	pid_t pid = fork();

	if (!pid) {
		run(argv);
		exit(0);
	}
	for (tries = 0; tries < 1200; tries++) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			if (status)
				exit(1);
			return;
		}
		usleep(100000);
	}
	wrong("it hangs");
}

static void open_saved(char **argv)
{
	int mount_fd = open_file(argv[0], O_RDONLY), fd;
	union handle handle;
	struct stat by_handle, by_name;

	read_at(open_file(argv[1], O_RDONLY), &handle, sizeof(handle), 0);
	fd = open_by_handle_at(mount_fd, &handle.h, O_RDONLY);
	if (fd < 0)
		fail("open_by_handle_at");
	if (fstat(fd, &by_handle) || stat(argv[2], &by_name))
		fail("stat");
	if (by_handle.st_ino != by_name.st_ino)
		wrong("the handle leads to something else");
}

static void cmd_open_handle(char **argv)	/* MOUNT-POINT SAVED-HANDLE PATH */
{
	in_child(open_saved, argv);
}

/* ---- stale handles, while their numbers come into use again ---- */

struct stale {
	int mount_fd, nr;
	uint32_t generation;	/* of the handles; 0 fits any file */
	uint32_t first;		/* number of the first inode made; the others follow */
	atomic_bool end;
	atomic_llong found, refused;
};

static void *open_stale(void *arg)
{
	struct stale *s = arg;
	union handle handle;
	int i, fd;

	while (!s->end)
		for (i = 0; i < s->nr; i++) {
			make_handle(&handle, s->first + (uint32_t)i, s->generation);
			fd = open_by_handle_at(s->mount_fd, &handle.h, O_RDONLY | O_NONBLOCK);
			if (fd >= 0)
				close(fd);
			else if (errno != ESTALE && errno != ELOOP && errno != ENXIO)
				fail("open_by_handle_at");
			(fd < 0 ? &s->refused : &s->found)[0]++;
		}
	return NULL;
}

static void make_entry(int kind, const char *path)
{
	int fd = -1, bad = 0;
	char c = 0;

	switch (kind) {
	case 0:
		fd = open_file(path, O_RDWR | O_CREAT | O_EXCL);
		break;
	case 1:
		bad = mkdir(path, 0755);
		break;
	case 2:
		bad = symlink("nowhere", path);
		break;
	case 3:
		bad = mkfifo(path, 0644);
		break;
	default:
		fd = open(".", O_TMPFILE | O_RDWR, 0644);
		bad = fd < 0;
	}
	if (bad)
		fail("make %s", path);
	if (fd < 0)
		return;
	write_at(fd, path, strlen(path), 0);
	if (read_at(fd, &c, 1, 0) != 1 || c != path[0])
		wrong("%s lost its contents", path);
	close(fd);
}

static void check_entry(int kind, const char *path)
{
	static const mode_t type[] = { S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO };
	struct stat st;

	if (kind == 4)
		return;
	if (lstat(path, &st))
		fail("stat %s", path);
	if ((st.st_mode & S_IFMT) != type[kind])
		wrong("%s has mode %o", path, st.st_mode);
	if (kind == 1) {
		char in[80];

		snprintf(in, sizeof(in), "%s/in", path);
		close(open_file(in, O_WRONLY | O_CREAT | O_EXCL));
		if (unlink(in))
			fail("unlink %s", in);
	}
	if (kind == 1 ? rmdir(path) : unlink(path))
		fail("remove %s", path);
}

static void cmd_stale_handles(char **argv)	/* MOUNT-POINT ROUNDS GENERATION */
{
	struct stale s = { .mount_fd = open_file(argv[0], O_RDONLY), .nr = 12 };
	long long round, rounds = number(argv[1]);
	pthread_t thread;
	struct stat st;
	char path[64];
	int i;

	/* Numbers are given again from the lowest free one on. */
	close(open_file("first", O_WRONLY | O_CREAT));
	if (stat("first", &st) || unlink("first"))
		fail("first");
	s.first = (uint32_t)st.st_ino;
	s.generation = (uint32_t)number(argv[2]);
	if (pthread_create(&thread, NULL, open_stale, &s))
		wrong("pthread_create");
	for (round = 0; round < rounds; round++) {
		for (i = 0; i < 10; i++) {
			snprintf(path, sizeof(path), "e%d", i);
			make_entry(i % 5, path);
		}
		for (i = 0; i < 10; i++) {
			snprintf(path, sizeof(path), "e%d", i);
			check_entry(i % 5, path);
		}
	}
	s.end = true;
	pthread_join(thread, NULL);
	printf("%lld opened, %lld refused\n", (long long)s.found, (long long)s.refused);
	if (s.generation ? !s.refused || s.found : !s.found)
		wrong("the handles were not what they should be");
}

/* ---- a directory that is renamed while its mode changes ---- */

static void *rename_to_and_fro(void *arg)
{
	atomic_bool *end = arg;

	while (!*end)
		if (rename("moving", "moved") || rename("moved", "moving"))
			fail("rename");
	return NULL;
}

static void cmd_chmod_moving(char **argv)	/* ROUNDS */
{
	atomic_bool end = false;
	pthread_t thread;
	long long i;
	int fd;

	if (mkdir("moving", 0755))
		fail("mkdir");
	fd = open_file("moving", O_RDONLY | O_DIRECTORY);
	if (pthread_create(&thread, NULL, rename_to_and_fro, &end))
		wrong("pthread_create");
	for (i = 0; i < number(argv[0]); i++) {
		mode_t mode = i % 2 ? 0755 : 0711;
		struct stat st;

		if (fchmod(fd, mode) || fstat(fd, &st))
			fail("fchmod");
		if ((st.st_mode & 07777) != mode)
			wrong("chmod %lld said that it worked, and the mode is %o", i, st.st_mode);
	}
	end = true;
	pthread_join(thread, NULL);
	if (rmdir("moving"))
		fail("rmdir");
}

const struct command handle_commands[] = {
	{ "save-handle", 2, cmd_save_handle },
	{ "open-handle", 3, cmd_open_handle },
	{ "stale-handles", 3, cmd_stale_handles },
	{ "chmod-moving", 1, cmd_chmod_moving },
	{ NULL, 0, NULL }
};
