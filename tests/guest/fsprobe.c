// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* fsprobe.c - helper of the guest tests: the common part */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fsprobe.h"

void fail(const char *format, ...)
{
	int error = errno;
	va_list args;

	va_start(args, format);
	fprintf(stderr, "fsprobe: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, ": %s\n", strerror(error));
	va_end(args);
	exit(1);
}

void wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "fsprobe: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(1);
}

long long number(const char *text)
{
	char *end;
	long long value = strtoll(text, &end, 0);

	if (*end || end == text)
		wrong("'%s' is not a number", text);
	return value;
}

int open_file(const char *path, int flags)
{
	int fd = open(path, flags, 0644);

	if (fd < 0)
		fail("open %s", path);
	return fd;
}

void write_at(int fd, const void *buf, size_t len, off_t off)
{
	ssize_t done = pwrite(fd, buf, len, off);

	if (done < 0)
		fail("write %zu at %lld", len, (long long)off);
	if ((size_t)done != len)
		wrong("wrote %zd of %zu bytes at %lld", done, len, (long long)off);
}

size_t read_at(int fd, void *buf, size_t len, off_t off)
{
	ssize_t done = pread(fd, buf, len, off);

	if (done < 0)
		fail("read %zu at %lld", len, (long long)off);
	return (size_t)done;
}

void fill_pattern(void *buf, size_t len, uint64_t off, uint64_t seed)
{
	uint8_t *bytes = buf;
	size_t i;

	for (i = 0; i < len; i++)
		bytes[i] = pattern(seed, off + i);
}

long long check_pattern(const void *buf, size_t len, uint64_t off, uint64_t seed)
{
	const uint8_t *bytes = buf;
	size_t i;

	for (i = 0; i < len; i++)
		if (bytes[i] != pattern(seed, off + i))
			return (long long)(off + i);
	return -1;
}

static bool run_from(const struct command *commands, int argc, char **argv)
{
	for (; commands->name; commands++) {
		if (strcmp(commands->name, argv[1]))
			continue;
		if (argc - 2 < commands->nr_args)
			wrong("%s takes %d arguments", argv[1], commands->nr_args);
		commands->run(argv + 2);
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		wrong("usage: fsprobe COMMAND [ARGUMENTS]");
	if (!run_from(file_commands, argc, argv) && !run_from(name_commands, argc, argv) &&
	    !run_from(mmap_commands, argc, argv) && !run_from(stress_commands, argc, argv) &&
	    !run_from(handle_commands, argc, argv) && !run_from(pin_commands, argc, argv))
		wrong("unknown command '%s'", argv[1]);
	return 0;
}
