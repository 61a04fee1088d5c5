// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* lost_attrs.c - see lost_attrs.h */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "lost_attrs.h"
#include "toolenv.h"

/* ---- Counting ------------------------------------------------------------ */

void lost_note(struct lost_attrs *lost, enum lost_kind kind, const char *path)
{
	if (!lost->kind[kind].files++)
		lost->kind[kind].first = strdup(path);
}

void lost_say(struct lost_attrs *lost)
{
	static const char *const what[NR_LOST] = {
		[LOST_OTHER] = "extended attributes of another kind, which are not kept",
		[LOST_TIMES] = "times outside 1677 to 2262, set to the end of that",
	};
	unsigned int i;

	for (i = 0; i < NR_LOST; i++) {
		uint64_t files = lost->kind[i].files;

		if (files)
			tool_error("note: %llu file%s with %s; the first is %s", (unsigned long long)files,
				   files == 1 ? "" : "s", what[i],
				   lost->kind[i].first ? lost->kind[i].first : "unknown");
		free(lost->kind[i].first);
	}
	memset(lost, 0, sizeof(*lost));
}

/* ---- Times --------------------------------------------------------------- */

/* Whole seconds, as Linux ends its range (s_time_min, s_time_max). */
#define TIME_MAX (INT64_MAX / 1000000000 - 1)

int64_t lost_time(struct timespec ts, bool *fits)
{
	if (ts.tv_sec >= -TIME_MAX && ts.tv_sec < TIME_MAX)
		return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
	if (ts.tv_sec != TIME_MAX || ts.tv_nsec)
		*fits = false;
	return (ts.tv_sec < 0 ? -TIME_MAX : TIME_MAX) * 1000000000;
}
