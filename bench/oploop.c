// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * oploop.c - a fixed number of operations, for counting what each costs
 *
 *   oploop write4k-fsync|write4k-osync|append512-fsync FILE COUNT SIZE
 *
 * The same as the fio job of that name with as few instructions of its own as
 * can be, and none that depend on time.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

int main(int argc, char **argv)
{
	int osync;
	int failed;
	int fd;

	if (argc != 5) {
		fprintf(stderr, "usage: oploop JOB FILE COUNT SIZE\n");
		return 2;
	}
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
