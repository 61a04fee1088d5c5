/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* sets.h - pairs and their schedules, by sets */
#ifndef SETS_H
#define SETS_H

#include "gen.h"

struct run {
	struct lab lab;
	unsigned int modes, stores;	/* bits */
	const char *start;		/* NULL: all */
	unsigned int preempt;		/* so many preemptions at most */
	unsigned int sample;		/* one pair in so many */
	unsigned int cut;		/* one schedule in so many of those with most preemptions */
	uint64_t seed, stop;
	double seconds;			/* CPU time; 0: no limit */
	bool flags;			/* looking at a flag is a step, too */
	const char *journal;		/* what is done, so that a run can be resumed */
	bool progress;
	double told;
};

double cpu_seconds(void);
bool finished(const struct run *r);
/* 2: no such set. */
int run_set(struct run *r, const char *set);
/* Begin at a start; false: it failed, which was told. */
bool begin_start(struct run *r, enum mode mode, enum store_kind store, const struct start *start);
/* All schedules of the two programs. */
void try_pair(struct run *r, const struct program *a, const struct program *b);
/* False: it failed, which was told with a command to replay it. */
bool try_schedule(struct run *r, const struct schedule *s);
/* What failed was the run of one of the orders. */
void report_order(struct run *r);

/* ---- faults.c ---- */

/* Bugs of guestfs/core/medium/fault.h that need two threads, as lines to print. */
void list_races(void);
bool is_race(unsigned int fault);
/* Seed it; 0: caught. */
int try_race(struct run *r, unsigned int fault);

#endif
