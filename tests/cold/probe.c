// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * probe.c - reads a file in the guest in one of the ways that tests/cold/run compares
 *
 * usage: probe HOW FILE
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096
#define SMALL_FILES 1500
#define TIMES 256		/* places of those that do not read everything */

static int fd;
static off_t pages;
static volatile unsigned sum;

static void read_at(off_t page, size_t len)
{
	static char buf[1 << 20];

	if (pread(fd, buf, len, page * PAGE) < 0)
		err(1, "pread");
	sum += buf[0];
}

/* Each time another one, nowhere near the last, and never the first. */
static off_t place(unsigned i)
{
	return 1 + (off_t)(i * 2654435761u % 2147483647u) % (pages - 1);
}

static void sequential(size_t len)
{
	for (off_t page = 0; page < pages; page += len / PAGE)
		read_at(page, len);
}

static void read_sequential(void)
{
	sequential(PAGE);
}

static void read_large(void)
{
	sequential(1 << 20);
}

static void read_random(void)
{
	for (unsigned i = 0; i < TIMES; i++)
		read_at(place(i), PAGE);
}

/* From the middle, forward, after advice. */
static void read_advised(int advice)
{
	if (posix_fadvise(fd, 0, 0, advice))
		errx(1, "posix_fadvise");
	for (off_t page = pages / 2; page < pages; page++)
		read_at(page, PAGE);
}

static void read_as_random(void)
{
	read_advised(POSIX_FADV_RANDOM);
}

static void read_as_sequential(void)
{
	read_advised(POSIX_FADV_SEQUENTIAL);
}

static void will_need(void)
{
	if (posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED))
		errx(1, "posix_fadvise");
}

static void ask_readahead(void)
{
	if (readahead(fd, 0, pages * PAGE))
		err(1, "readahead");
}

static const unsigned char *map(int prot)
{
	void *p = mmap(NULL, pages * PAGE, prot, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		err(1, "mmap");
	return p;
}

static void map_sequential(void)
{
	const unsigned char *p = map(PROT_READ);

	for (off_t page = 0; page < pages; page++)
		sum += p[page * PAGE];
}

static void map_random(void)
{
	const unsigned char *p = map(PROT_READ);

	for (unsigned i = 0; i < TIMES; i++)
		sum += p[place(i) * PAGE];
}

static void write_and_sync(void)
{
	for (unsigned i = 0; i < TIMES; i++)
		if (pwrite(fd, "x", 1, place(i) * PAGE) != 1 || fdatasync(fd))
			err(1, "write");
}

/* As tar does it; the current directory is the file system's. */
static void read_tree(void)
{
	char name[16], buf[PAGE];

	for (unsigned i = 0; i < SMALL_FILES; i++) {
		int file;

		snprintf(name, sizeof(name), "small/%u", i);
		file = open(name, O_RDONLY);
		if (file < 0 || read(file, buf, PAGE) != PAGE)
			err(1, "%s", name);
		close(file);
	}
}

static const struct {
	const char *name;
	void (*run)(void);
} ways[] = {
	{ "read", read_sequential },
	{ "read1m", read_large },
	{ "random", read_random },
	{ "as-random", read_as_random },
	{ "as-sequential", read_as_sequential },
	{ "willneed", will_need },
	{ "readahead", ask_readahead },
	{ "map", map_sequential },
	{ "map-random", map_random },
	{ "write", write_and_sync },
	{ "tree", read_tree },
};

int main(int argc, char **argv)
{
	struct stat st;

	if (argc != 3)
		errx(2, "usage: probe HOW FILE");
	fd = open(argv[2], O_RDWR);
	if (fd < 0 || fstat(fd, &st))
		err(1, "%s", argv[2]);
	pages = st.st_size / PAGE;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (!strcmp(ways[i].name, argv[1])) {
			ways[i].run();
			return 0;
		}
	}
	errx(2, "no way '%s'", argv[1]);
}
