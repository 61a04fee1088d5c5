/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * vfsprobe.h - what the files of the contract's probe share
 *
 * vfsprobe asks a file system what a program can see of it, and prints one line
 * "NAME: ANSWER" for each question.  It judges nothing: two file systems of one
 * guest are asked, and the answers compared.  So an answer must not depend on
 * inode numbers, on the clock, or on where blocks lie.
 */
#ifndef VFSPROBE_H
#define VFSPROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* "NAME: TEXT" */
void say(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "NAME: 3", or the name of errno if the result is negative. */
void result(const char *name, long long ret);
#define ASK(name, call) do { errno = 0; result(name, (long long)(call)); } while (0)

/* A file of that many bytes of 'x'; exits if it cannot be made. */
int make_file(const char *path, size_t len);
void must(bool ok, const char *what);
/* More than a tick of the kernel's clock. */
void let_time_pass(void);
/* In a child with that user and group, no privilege left: the questions of ask. */
void ask_as(uid_t uid, gid_t gid, void (*ask)(void));

void ask_names(void);
void ask_times(void);
void ask_data(void);
void ask_maps(void);
void ask_attrs(void);
void ask_rights(void);
void ask_ioctls(void);
void ask_flags_enforced(void);
/* The file system is of no use then. */
void ask_shutdown(int mode);
void ask_extents(void);
void ask_alloc(void);
void ask_async(void);
void ask_others(void);

#endif /* VFSPROBE_H */
