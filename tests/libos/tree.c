// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * tree.c - a tree that one home of vmemfs writes and another one reads
 *
 *	tree write SEED DIR	make it, and its list of sums "DIR/sums", as cksum(1) prints it
 *	tree verify DIR		read "DIR/sums" and everything that it names
 */
#include "check.h"

#define FILES 24u

static uint8_t buf[96 * 1024];
static char list[FILES * 64];

/* POSIX cksum: a CRC that every guest can compute, busybox included. */
static uint32_t posix_cksum(const uint8_t *data, size_t len)
{
	uint32_t crc = 0;
	size_t i, n;
	int bit;

	for (i = 0, n = len; i < len || n; i++) {
		uint8_t byte = i < len ? data[i] : (uint8_t)n;

		if (i >= len)
			n >>= 8;
		crc ^= (uint32_t)byte << 24;
		for (bit = 0; bit < 8; bit++)
			crc = crc << 1 ^ (crc >> 31 ? 0x04c11db7u : 0);
	}
	return ~crc;
}

static unsigned int number(const char *s)
{
	unsigned int n = 0;

	while (*s >= '0' && *s <= '9')
		n = n * 10 + (unsigned int)(*s++ - '0');
	return n;
}

static void write_tree(unsigned int seed, const char *dir)
{
	struct vmemos_file *f;
	char path[128];
	size_t at = 0, len;
	unsigned int i;

	OK(vmemos_mkdir(root, dir, 0755));
	vmemos_format(path, sizeof(path), "%s/sub", dir);
	OK(vmemos_mkdir(root, path, 0700));
	for (i = 0; i < FILES; i++) {
		len = (i * i * 173 + seed) % sizeof(buf);
		pattern(buf, len, seed + i);
		vmemos_format(path, sizeof(path), i % 3 ? "%s/file%u" : "%s/sub/file%u", dir, i);
		f = make_file(path);
		CHECK(f);
		EXPECT(vmemos_write(f, buf, len), len);
		OK(vmemos_fsync(f, false));
		OK(vmemos_close(f));
		at += vmemos_format(list + at, sizeof(list) - at, "%u %lu %s\n",
				    posix_cksum(buf, len), (unsigned long)len, path);
	}
	vmemos_format(path, sizeof(path), "%s/link", dir);
	OK(vmemos_symlink("sub/file0", root, path));
	vmemos_format(path, sizeof(path), "%s/sums", dir);
	f = make_file(path);
	CHECK(f);
	EXPECT(vmemos_write(f, list, at), at);
	OK(vmemos_close(f));
}

/* One line of the list: "SUM LENGTH PATH". */
static void verify_line(char *line)
{
	char *size = line, *path;
	struct vmemos_file *f;
	int64_t n;

	while (*size && *size != ' ')
		size++;
	path = size + 1;
	while (*path && *path != ' ')
		path++;
	*path++ = 0;
	OK(vmemos_open(root, path, VMEMOS_O_RDONLY, 0, &f));
	n = vmemos_read(f, buf, sizeof(buf));
	EXPECT(n, number(size + 1));
	EXPECT(posix_cksum(buf, (size_t)n), number(line));
	OK(vmemos_close(f));
}

static void verify_tree(const char *dir)
{
	struct vmemos_file *f;
	char path[128], *line = list, *end;
	unsigned int lines = 0;
	int64_t n;

	vmemos_format(path, sizeof(path), "%s/sums", dir);
	OK(vmemos_open(root, path, VMEMOS_O_RDONLY, 0, &f));
	n = vmemos_read(f, list, sizeof(list) - 1);
	CHECK(n > 0);
	OK(vmemos_close(f));
	list[n] = 0;
	for (end = list; *end; end++) {
		if (*end != '\n')
			continue;
		*end = 0;
		verify_line(line);
		line = end + 1;
		lines++;
	}
	CHECK(lines > 0);
}

static char **words;

static void test_write(void)
{
	write_tree(number(words[1]), words[2]);
}

static void test_verify(void)
{
	verify_tree(words[1]);
}

int vmemos_main(struct vmemos_platform *p, int argc, char **argv)
{
	static const struct property properties[] = {
		{ "write", test_write, false },
		{ "verify", test_verify, false },
	};

	words = argv;
	if (argc < 2 || (!strcmp(argv[0], "write") && argc < 3)) {
		vmemos_printf(p, "usage: tree write SEED DIR | tree verify DIR\n");
		return 2;
	}
	return check_all(p, 1, argv, properties, NR(properties));
}
