/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * lost_attrs.h - what of a host file cannot be kept
 *
 * The format has five kinds of extended attributes, and times end in 2262: what is
 * left out is counted, and told at the end in one line for each kind.
 */
#ifndef VMEM_LOST_ATTRS_H
#define VMEM_LOST_ATTRS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

enum lost_kind {
	LOST_OTHER,		/* system.*, but for POSIX access control lists, and what there may be */
	LOST_TIMES,		/* before 1677 or after 2262 */
	NR_LOST
};

struct lost_attrs {
	struct {
		uint64_t files;
		char *first;	/* its path */
	} kind[NR_LOST];
};

/* A file of that kind; path is how to name it to people. */
void lost_note(struct lost_attrs *lost, enum lost_kind kind, const char *path);

/* Nanoseconds since 1970, the nearest that there is; *fits becomes false if it is another time. */
int64_t lost_time(struct timespec ts, bool *fits);

/* One line for each kind.  Frees what the notes hold. */
void lost_say(struct lost_attrs *lost);

#endif /* VMEM_LOST_ATTRS_H */
