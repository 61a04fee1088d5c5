// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * oploop.c - a fixed number of operations, for counting what each costs
 *
 *   oploop write4k-fsync|write4k-osync|append512-fsync FILE COUNT SIZE
 *   oploop create|mkdir|rename|unlink DIR COUNT 0
 *
 * The same as the fio job of that name with as few instructions of its own as
 * can be, and none that depend on time.  rename and unlink want what create made.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char buffer[4096];

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static int write_random(int fd, long count, long size, int with_fsync)
{
	uint32_t state = 20240229;
	uint32_t blocks = (uint32_t)(size / (long)sizeof(buffer));

	for (long i = 0; i < count; i++) {
		off_t at = (off_t)(next_random(&state) % blocks) * (off_t)sizeof(buffer);

		buffer[0] = (char)i;
		if (pwrite(fd, buffer, sizeof(buffer), at) != sizeof(buffer))
			return -1;
		if (with_fsync && fsync(fd) != 0)
			return -1;
	}
	return 0;
}

static int append(int fd, long count)
{
	for (long i = 0; i < count; i++) {
		buffer[0] = (char)i;
		if (pwrite(fd, buffer, 512, i * 512) != 512 || fsync(fd) != 0)
			return -1;
	}
	return 0;
}

/* Eight digits: snprintf() would cost as much as some of the operations. */
static const char *name_of(char *buf, char kind, long i)
{
	buf[0] = kind;
	buf[9] = 0;
	for (int at = 8; at > 0; at--, i /= 10)
		buf[at] = (char)('0' + i % 10);
	return buf;
}

static int create(const char *name, const char *unused)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);

	(void)unused;
	return fd < 0 ? -1 : close(fd);
}

static int make_dir(const char *name, const char *unused)
{
	(void)unused;
	return mkdir(name, 0755);
}

static int remove_name(const char *name, const char *unused)
{
	(void)unused;
	return unlink(name);
}

static const struct {
	const char *job;
	int (*op)(const char *name, const char *other);
} name_jobs[] = {
	{ "create", create }, { "mkdir", make_dir }, { "rename", rename }, { "unlink", remove_name },
};

/* -1: no such job; otherwise the exit status. */
static int run_name_job(const char *job, const char *dir, long count)
{
	char name[10], other[10];

	for (size_t k = 0; k < sizeof(name_jobs) / sizeof(name_jobs[0]); k++) {
		if (strcmp(job, name_jobs[k].job))
			continue;
		if (chdir(dir) != 0) {
			perror(dir);
			return 1;
		}
		for (long i = 0; i < count; i++)
			if (name_jobs[k].op(name_of(name, 'a', i), name_of(other, 'b', i)) != 0) {
				perror(name);
				return 1;
			}
		return 0;
	}
	return -1;
}

int main(int argc, char **argv)
{
	int osync;
	int failed;
	int fd;

	if (argc != 5) {
		fprintf(stderr, "usage: oploop JOB FILE COUNT SIZE\n");
		return 2;
	}
	failed = run_name_job(argv[1], argv[2], atol(argv[3]));
	if (failed >= 0)
		return failed;
	memset(buffer, 'v', sizeof(buffer));
	osync = strcmp(argv[1], "write4k-osync") == 0;
	fd = open(argv[2], O_RDWR | O_CREAT | (osync ? O_SYNC : 0), 0644);
	if (fd < 0) {
		perror(argv[2]);
		return 1;
	}
	if (strcmp(argv[1], "append512-fsync") == 0)
		failed = append(fd, atol(argv[3]));
	else
		failed = write_random(fd, atol(argv[3]), atol(argv[4]), !osync);
	if (failed) {
		perror("oploop");
		return 1;
	}
	return close(fd) != 0;
}
