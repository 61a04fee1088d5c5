// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * speedtest1.c - SQLite's speedtest1, as it is in its source, without a libc
 *
 * The little that it wants of stdio and stdlib is here, on SQLite's own printf
 * and the platform's console.  The source itself is included at the end.
 */
#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sqlite3.h"
#include "vmemos_sqlite.h"

static struct vmemos_platform *platform;
static struct vmemos *fs;
static void *at_exit[5];
static int exit_status;

static char heap[64 << 20] __attribute__((aligned(64)));

static int vsay(const char *fmt, va_list ap)
{
	char line[1024];

	sqlite3_vsnprintf(sizeof(line), line, fmt, ap);
	platform->console(platform, line, strlen(line));
	return 0;
}

__attribute__((format(printf, 1, 2)))
static int say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(fmt, ap);
	va_end(ap);
	return 0;
}

__attribute__((noreturn))
static void leave(int status)
{
	exit_status = status;
	__builtin_longjmp(at_exit, 1);
}

static int number(const char *s)
{
	int sign = *s == '-' ? -1 : 1, n = 0;

	for (s += *s == '-'; *s >= '0' && *s <= '9'; s++)
		n = n * 10 + *s - '0';
	return sign * n;
}

static char *find_char(const char *s, int c)
{
	for (; *s != (char)c; s++)
		if (!*s)
			return NULL;
	return (char *)(uintptr_t)s;
}

static char *find_text(const char *s, const char *what)
{
	for (; *s; s++)
		if (!strncmp(s, what, strlen(what)))
			return (char *)(uintptr_t)s;
	return NULL;
}

static int remove_file(const char *path)
{
	return vmemos_unlink(vmemos_root(fs), path);
}

#undef isdigit
#undef isspace
#undef isupper
#undef islower
#undef tolower
#undef stdout
#undef stderr
#define isdigit(c)	((c) >= '0' && (c) <= '9')
#define isspace(c)	((c) == ' ' || ((c) >= '\t' && (c) <= '\r'))
#define isupper(c)	((c) >= 'A' && (c) <= 'Z')
#define islower(c)	((c) >= 'a' && (c) <= 'z')
#define tolower(c)	(isupper(c) ? (c) + 32 : (c))
#define stdout		NULL
#define stderr		NULL
#define printf		say
#define fprintf(f, ...)	say(__VA_ARGS__)
#define vfprintf(f, fmt, ap) vsay(fmt, ap)
#define fflush(f)	((void)0)
#define fopen(name, mode) NULL
#define fclose(f)	((void)0)
#define fwrite(p, size, nr, f) ((void)0)
#define fgets(line, size, f) NULL
#define getpid()	1
#define malloc(size)	sqlite3_malloc64((sqlite3_uint64)(size))
#define free(p)		sqlite3_free(p)
#define atoi(s)		number(s)
#define strtol(s, end, base) number(s)
#define strchr(s, c)	find_char(s, c)
#define strstr(s, what)	find_text(s, what)
#define unlink(name)	remove_file(name)
#define exit(status)	leave(status)
#define main		speedtest1

int speedtest1(int argc, char **argv);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#include SPEEDTEST1
#pragma GCC diagnostic pop

/* The words are speedtest1's own options and the name of the database. */
int vmemos_main(struct vmemos_platform *p, int argc, char **argv)
{
	static char *args[32] = { "speedtest1" };
	struct vmemos_counters c;
	int i, err = vmemos_mount(p, NULL, &fs);

	platform = p;
	if (err)
		return 1;
	for (i = 0; i < argc && i < 30; i++)
		args[i + 1] = argv[i];
	if (vmemos_sqlite(p, fs, heap, sizeof(heap)))
		return 1;
	if (!__builtin_setjmp(at_exit))
		exit_status = speedtest1(i + 1, args);
	vmemos_get_counters(fs, &c);
	vmemos_printf(p, "-- pages read in the store %lu, copied %lu; host flushes %lu, records %lu\n",
		      vmemos_sqlite_fetched, vmemos_sqlite_copied, (unsigned long)c.flushes,
		      (unsigned long)c.records);
	err = vmemos_umount(fs);
	return exit_status ? exit_status : err ? 1 : 0;
}
