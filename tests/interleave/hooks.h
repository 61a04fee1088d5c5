/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * hooks.h - a machine (tests/crash) whose every service is a hook of the scheduler
 */
#ifndef HOOKS_H
#define HOOKS_H

#include "vfs.h"

/* What the store's host answers, and what it can. */
enum store_kind { STORE_PLAIN, STORE_TWO_FLUSHES, STORE_THIN, STORE_NO_DISCARD, NR_STORES };

extern const char *const store_name[NR_STORES];

/* From now on the machine is one with hooks; backing as the mode wants it. */
void hooks_set(struct machine *m, enum mode mode, enum store_kind kind);
/* The core's locks of this mount; the one named first is watched. */
void hooks_forget_locks(void);
/* A snapshot has their list; put it back. */
void hooks_keep_locks(void);
void hooks_restore_locks(void);
bool hooks_locks_free(char *why, size_t size);

/* Which thread read this time from the clock; false: none. */
bool hooks_who_read(int64_t time, unsigned int *thread);
void hooks_forget_times(void);

#endif
