// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * vfs32.c - questions of a 32-bit program that knows no large files
 *
 * It has no libc, so that it can be built without one of 32 bits:
 * cc -m32 -nostdlib -static.  Asks about what lies in the current directory: rd, with many
 * entries, and big, of 3 GiB.  Output as that of vfsprobe.
 */
#include <stddef.h>
#include <stdint.h>

/* System calls of i386. */
enum { EXIT = 1, READ = 3, WRITE = 4, OPEN = 5, CLOSE = 6, LSEEK = 19, IOCTL = 54, FTRUNCATE = 93,
       GETDENTS = 141, GETDENTS64 = 220 };

#define O_LARGEFILE	0100000
#define O_RDWR		2
#define FS_IOC32_GETFLAGS	0x80046601u
#define FS_IOC32_SETFLAGS	0x40046602u
#define FS_IOC32_GETVERSION	0x80047601u
#define FS_IOC_FSGETXATTR	0x801c581fu
#define FIGETBSZ		2u
#define FITRIM			0xc0185879u
#define MAX_ENTRIES		1000

struct dirent32 {
	uint32_t ino, off;
	uint16_t len;
	char name[];
};

static struct {
	uint32_t off, name;
} entries[MAX_ENTRIES];

static int call(int nr, uintptr_t a, uintptr_t b, uintptr_t c)
{
	int ret;

	__asm__ volatile("int $0x80" : "=a"(ret) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory");
	return ret;
}

static void print(const char *text)
{
	size_t n = 0;

	while (text[n])
		n++;
	(void)call(WRITE, 1, (uintptr_t)text, n);
}

static void result(const char *name, int value)
{
	char digits[12], *p = digits + 11;
	unsigned int v = value < 0 ? 0u - (unsigned int)value : (unsigned int)value;

	*p = '\0';
	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	if (value < 0)
		*--p = '-';
	print("32 bits, ");
	print(name);
	print(": ");
	print(p);
	print("\n");
}

static int open_path(const char *path, int flags)
{
	return call(OPEN, (uintptr_t)path, (uintptr_t)flags, 0);
}

static uint32_t name_hash(const char *name)
{
	uint32_t h = 5381;

	while (*name)
		h = h * 33 + (unsigned char)*name++;
	return h;
}

/* All entries; their number, or an error. */
static int read_all(int fd)
{
	static char buf[600];
	int nr = 0, n, i;

	while ((n = call(GETDENTS, (uintptr_t)fd, (uintptr_t)buf, sizeof(buf))) > 0)
		for (i = 0; i < n && nr < MAX_ENTRIES; nr++) {
			struct dirent32 *d = (struct dirent32 *)(buf + i);

			entries[nr].off = d->off;
			entries[nr].name = name_hash(d->name);
			i += d->len;
		}
	return n < 0 ? n : nr;
}

static int names_twice(int nr)
{
	int i, k, twice = 0;

	for (i = 0; i < nr; i++)
		for (k = 0; k < i; k++)
			twice += entries[i].name == entries[k].name;
	return twice;
}

/* From the position of each entry the one behind it is read. */
static int wrong_seeks(int fd, int nr)
{
	static char buf[600];
	int i, bad = 0;

	for (i = 0; i + 1 < nr; i++) {
		struct dirent32 *d = (struct dirent32 *)buf;

		bad += call(LSEEK, (uintptr_t)fd, entries[i].off, 0) != (int)entries[i].off ||
		       call(GETDENTS, (uintptr_t)fd, (uintptr_t)buf, sizeof(buf)) <= 0 ||
		       name_hash(d->name) != entries[i + 1].name;
	}
	return bad;
}

static void ask_directory(void)
{
	int fd = open_path("rd", 0), nr = read_all(fd), i, large = 0;
	static char buf[600];

	result("entries of a directory", nr);
	result("entries that came twice", names_twice(nr));
	for (i = 0; i < nr; i++)
		large += (int32_t)entries[i].off < 0;
	result("positions that are no offset", large);
	result("positions that lead elsewhere", wrong_seeks(fd, nr));
	result("back to the start", call(LSEEK, (uintptr_t)fd, 0, 0));
	result("and all entries again", read_all(fd));
	(void)call(LSEEK, (uintptr_t)fd, 0, 0);
	for (i = 0; call(GETDENTS64, (uintptr_t)fd, (uintptr_t)buf, sizeof(buf)) > 0; i++)
		large += *(uint64_t *)(buf + 8) > INT32_MAX;
	result("positions of getdents64 that are no offset", large);
	(void)call(CLOSE, (uintptr_t)fd, 0, 0);
}

static void ask_file(void)
{
	int fd, value = 0, fsx[7];

	result("open of a large file", open_path("big", O_RDWR));
	fd = open_path("big", O_RDWR | O_LARGEFILE);
	result("open of it, O_LARGEFILE", fd < 0 ? fd : 0);
	result("lseek to its end", call(LSEEK, (uintptr_t)fd, 0, 2));
	result("ftruncate to a negative size", call(FTRUNCATE, (uintptr_t)fd, (uintptr_t)-1, 0));
	result("FS_IOC32_GETFLAGS", call(IOCTL, (uintptr_t)fd, FS_IOC32_GETFLAGS, (uintptr_t)&value));
	result("FS_IOC32_SETFLAGS from a bad address", call(IOCTL, (uintptr_t)fd, FS_IOC32_SETFLAGS, 1));
	result("FS_IOC32_GETVERSION", call(IOCTL, (uintptr_t)fd, FS_IOC32_GETVERSION, (uintptr_t)&value));
	result("FS_IOC_FSGETXATTR", call(IOCTL, (uintptr_t)fd, FS_IOC_FSGETXATTR, (uintptr_t)fsx));
	result("FIGETBSZ", call(IOCTL, (uintptr_t)fd, FIGETBSZ, (uintptr_t)&value));
	result("the block size", value);
	result("FITRIM of a bad address", call(IOCTL, (uintptr_t)fd, FITRIM, 1));
}

void _start(void)
{
	ask_directory();
	ask_file();
	(void)call(EXIT, 0, 0, 0);
}
