/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * check.h - the harness of programs that run in a process and as a unikernel
 *
 * A program is a list of properties, each a function on a mount of its own.
 * Freestanding: nothing but vmemos.h is needed.
 */
#ifndef CHECK_H
#define CHECK_H

#include <errno.h>
#include <string.h>

#include "vmemos.h"

#define KiB (1ull << 10)
#define MiB (1ull << 20)
#define BLOCK 4096u

/* What a test works on. */
extern struct vmemos_platform *platform;
extern struct vmemos *fs;
extern struct vmemos_file *root;

struct property {
	const char *name;		/* a sentence */
	void (*test)(void);
	bool unmounted;			/* the test mounts by itself */
};

/* Run them all, print TAP; the exit status.  words[0] of argv, if any, names one. */
int check_all(struct vmemos_platform *p, int argc, char **argv,
	      const struct property *list, unsigned int nr);

/* The running test fails here: says what, and returns false. */
bool check_failed(const char *file, int line, const char *what, long long got, long long want);

#define NR(a) (sizeof(a) / sizeof((a)[0]))

/* The value of an expression, as an integer.  Leaves the test when it is another. */
#define EXPECT(expr, want) do { \
	long long got_ = (long long)(expr), want_ = (long long)(want); \
	if (got_ != want_) { \
		check_failed(__FILE__, __LINE__, #expr, got_, want_); \
		return; \
	} \
} while (0)
#define OK(expr) EXPECT(expr, 0)
#define CHECK(expr) EXPECT(!!(expr), 1)

/* Short words for what most tests do. */
struct vmemos_file *make_file(const char *path);	/* O_RDWR | O_CREAT; NULL, told */
void pattern(void *buf, size_t len, unsigned int seed);
bool is_pattern(const void *buf, size_t len, unsigned int seed);
bool is_zeros(const void *buf, size_t len);
bool exists(const char *path);
uint64_t free_blocks(void);
bool in_store(const void *addr, size_t len);
/* Remount: what only memory knew is gone. */
bool again(void);

#endif
