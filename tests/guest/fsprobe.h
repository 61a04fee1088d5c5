/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * fsprobe.h - what the files of the guest tests' helper program share
 *
 * fsprobe does what a shell cannot: system calls with odd arguments, mmap,
 * many processes.  Every command ends with status 0, or says what is wrong
 * and ends with 1.
 */
#ifndef FSPROBE_H
#define FSPROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct command {
	const char *name;
	int nr_args;			/* at least */
	void (*run)(char **argv);
};

extern const struct command file_commands[];
extern const struct command name_commands[];
extern const struct command mmap_commands[];
extern const struct command stress_commands[];
extern const struct command handle_commands[];
extern const struct command pin_commands[];

/* Print errno's text (fail) or only the message (wrong), end with 1. */
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void wrong(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

long long number(const char *text);
int open_file(const char *path, int flags);
void write_at(int fd, const void *buf, size_t len, off_t off);
/* Bytes read: less than len only at the end of the file. */
size_t read_at(int fd, void *buf, size_t len, off_t off);

/* Byte off of the contents that `seed` stands for. */
static inline uint8_t pattern(uint64_t seed, uint64_t off)
{
	uint64_t x = (off + 1) * 0x9e3779b97f4a7c15ull + seed * 0xbf58476d1ce4e5b9ull;

	return (uint8_t)(x >> 33);
}

void fill_pattern(void *buf, size_t len, uint64_t off, uint64_t seed);
/* Offset of the first wrong byte of the pattern, or -1. */
long long check_pattern(const void *buf, size_t len, uint64_t off, uint64_t seed);

#endif /* FSPROBE_H */
