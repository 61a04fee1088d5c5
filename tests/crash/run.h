/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* run.h - running workloads, one by one and by sets */
#ifndef RUN_H
#define RUN_H

#include <stdio.h>
#include "explore.h"
#include "gen.h"

struct run {
	struct options opt;
	enum mode mode;
	const struct setup *setup;
	struct machine live;
	struct world world, start;	/* start: as the setup left it */
	uint8_t *start_image;
	struct trace trace;
	struct explorer x;
	struct memory memory;
	uint64_t workloads, failures, stop;
	unsigned int sample, steps;
	uint64_t counter;		/* of sequences */
	uint64_t count;			/* of random workloads; 0: no limit */
	double seconds, deadline;
	unsigned int verify;		/* look for unrecorded stores in one workload of so many */
	const char *only;		/* --replay: the state */

	/* sets of sequences, cut into units by setup and first operation */
	const char *journal;		/* units that are done */
	bool progress;
	double began, told;
};

/* CPU time: what a limit buys does not depend on who else is busy. */
double clock_seconds(void);

/* ---- run.c ---- */

void run_init(struct run *r);
void run_free(struct run *r);
/* Make an image as the setup says; every workload from now on begins there. */
bool begin_setup(struct run *r, const struct setup *setup);
/* Run the operations and explore every crash; false: one makes no sense here. */
bool try_ops(struct run *r, const struct op *op, unsigned int nr);
bool finished(const struct run *r);

/* ---- sets.c ---- */

/* False: no set of this name. */
bool run_set(struct run *r, const char *set, const char *setup);

/* ---- journal.c: units that are done, so that a run can be resumed ---- */

struct unit {
	const char *set;
	enum mode mode;
	const char *setup;
	unsigned int first;		/* operation of the vocabulary */
};

/* Is the unit done?  Then its figures are added to those of the run. */
bool unit_done(struct run *r, const struct unit *u);
void unit_note(struct run *r, const struct unit *u, const struct counts *before,
	       uint64_t workloads, uint64_t failures, double cpu);

/* ---- faults.c ---- */

/* Bugs of guestfs/core/medium/fault.h, as lines to print. */
void list_faults(void);
unsigned int nr_faults(void);
/* Seed it; 0: caught, and its replay shows it again. */
/* Only a thin store shows it. */
bool fault_is_thin(unsigned int fault);
int try_fault(struct run *r, unsigned int fault);

#endif
