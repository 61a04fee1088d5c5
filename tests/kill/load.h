/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * load.h - what workloads share that say what they were promised
 *
 * Exit status: 0 right, 1 lost or damaged, 2 could not run.
 */
#ifndef TESTS_KILL_LOAD_H
#define TESTS_KILL_LOAD_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define AHEAD		1000u		/* "ack" lines that the console may hold back */
#define UNSEEN		100000u		/* operations since a test last looked for them */

/* One line on what went wrong, and the end. */
_Noreturn __attribute__((format(printf, 3, 4)))
static void die_as(const char *name, int status, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(status);
}

static inline uint64_t mix(uint64_t x)		/* splitmix64 */
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

#endif
