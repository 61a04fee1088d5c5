// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * open.c - opening an image in a process: the error tells what is wrong
 *
 *	open IMAGE IMAGE DIRECTORY	the image that is open already; an empty directory
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

static const char *image, *dir;

static int open_there(const char *name)
{
	struct vmemos_platform p;
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return vmemos_host_open(&p, path);
}

static void errors_are_those_of_open(void)
{
	struct vmemos_platform p;
	char path[300];

	EXPECT(open_there("nowhere"), -ENOENT);
	EXPECT(open_there("."), -EISDIR);
	snprintf(path, sizeof(path), "%s/loop", dir);
	OK(symlink("loop", path));
	EXPECT(open_there("loop"), -ELOOP);
	EXPECT(open_there("loop/image"), -ELOOP);
	EXPECT(vmemos_host_open(&p, "/dev/null"), -EINVAL);
}

static void empty_files_hold_no_image(void)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/empty", dir);
	fd = open(path, O_CREAT | O_WRONLY, 0644);
	CHECK(fd >= 0);
	close(fd);
	EXPECT(open_there("empty"), -EINVAL);
}

static void one_in_use_is_busy(void)
{
	struct vmemos_platform p;

	EXPECT(vmemos_host_open(&p, image), -EBUSY);
}

int vmemos_main(struct vmemos_platform *p, int argc, char **argv)
{
	static const struct property list[] = {
		{ "an image that cannot be opened: the error is that of open", errors_are_those_of_open, true },
		{ "an empty file can hold no image", empty_files_hold_no_image, true },
		{ "an image that is in use is busy", one_in_use_is_busy, true },
	};

	if (argc < 2)
		return 2;
	image = argv[0];
	dir = argv[1];
	return check_all(p, 0, NULL, list, NR(list));
}
