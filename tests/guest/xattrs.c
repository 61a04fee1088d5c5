// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * xattrs.c - helper of guest tests: sets and shows extended attributes
 *
 * usage: xattrs set PATH NAME HEX
 *        xattrs show PATH...	"NAME=HEX" of each, sorted by name, in one line for a path
 *
 * Of what overlayfs keeps of handles, which differ between file systems, only the name is shown.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#define VALUE_MAX	65536

static unsigned char value[VALUE_MAX];

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int set(const char *path, const char *name, const char *hex)
{
	size_t len = strlen(hex) / 2, i;
	unsigned int byte;

	for (i = 0; i < len && i < sizeof(value); i++) {
		sscanf(hex + 2 * i, "%2x", &byte);
		value[i] = (unsigned char)byte;
	}
	if (!lsetxattr(path, name, value, len, 0))
		return 0;
	perror(path);
	return 1;
}

static int has_handle(const char *name)
{
	const char *last = strrchr(name, '.');

	return strstr(name, ".overlay.") && (!strcmp(last, ".origin") || !strcmp(last, ".upper") ||
					     !strcmp(last, ".uuid"));
}

static void show_one(const char *path, const char *name)
{
	ssize_t len = lgetxattr(path, name, value, sizeof(value)), i;

	printf(" %s=", name);
	if (len < 0)
		printf("?");
	for (i = 0; i < len && !has_handle(name); i++)
		printf("%02x", value[i]);
}

static int show(const char *path)
{
	static char names[VALUE_MAX];
	char *list[200], *p;
	ssize_t len = llistxattr(path, names, sizeof(names));
	size_t nr = 0, i;

	if (len < 0) {
		perror(path);
		return 1;
	}
	for (p = names; p < names + len && nr < 200; p += strlen(p) + 1)
		list[nr++] = p;
	qsort(list, nr, sizeof(list[0]), by_name);
	printf("%s", path);
	for (i = 0; i < nr; i++)
		show_one(path, list[i]);
	printf("\n");
	return 0;
}

int main(int argc, char **argv)
{
	int i, bad = 0;

	if (argc == 5 && !strcmp(argv[1], "set"))
		return set(argv[2], argv[3], argv[4]);
	if (argc < 3 || strcmp(argv[1], "show")) {
		fprintf(stderr, "usage: xattrs set PATH NAME HEX | xattrs show PATH...\n");
		return 2;
	}
	for (i = 2; i < argc; i++)
		bad |= show(argv[i]);
	return bad;
}
