/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * pair.h - two programs, run by two threads under every schedule, and judged
 *
 * All schedules of a pair begin at one snapshot: image, mount and inodes as a setup
 * left them.  Of what had been stored before, all counts as durable.  Behind each one, in this order:
 *   - no lock is held, nothing is reserved, no error was met; mapped pages are the
 *     file's; times have moved;
 *   - everything is fsynced (or synced), and then the host fails (the VM is killed, power fails): what
 *     recovery finds is what is there now;
 *   - the inodes leave memory; names, contents and what the operations
 *     answered are those of one of the orders of whole operations;
 *   - two checkpoints leave nothing pending and no block unaccounted for;
 *   - it unmounts, the check is clean, the next mount finds the same.
 * Of a sample of schedules, crash states are built while they run, as tests/crash does.
 */
#ifndef PAIR_H
#define PAIR_H

#include "explore.h"
#include "hooks.h"
#include "ops.h"

#define MAX_ORDERS	20u

struct start {
	const char *name;
	const char *text;		/* then it is unmounted */
	const char *prelude;		/* then everything that was promised is durable */
	bool tight;			/* -ENOSPC may depend on the schedule */
	bool known_only;		/* too much to read for every pair */
};

/* What can be seen of a run. */
struct outcome {
	struct answer answer[THREADS][MAX_PROGRAM];
	struct tree tree;
	uint64_t handles;		/* contents of what is open */
	char order[MAX_ORDER + 1];
	int without;			/* the thread that does nothing; -1: none */
};

struct snapshot {
	uint8_t *image, *arena;
	struct vfs vfs;
	size_t arena_used;
	int64_t clock;
	uint64_t rng, live;
	bool provided[PAGES];
	struct page_hashes hashes;
};

struct pair_counts {
	uint64_t pairs, schedules, steps, outcomes, states, failures;
};

struct lab {
	enum mode mode;
	enum store_kind store;
	const struct start *start;
	struct machine m;
	uint8_t *base;			/* image before the mount */
	struct trace trace;
	struct snapshot snap;
	struct program program[THREADS];
	struct outcome order[MAX_ORDERS], now;
	unsigned int nr_orders;
	unsigned int loading;		/* the order that lab_load() runs */
	struct set results;		/* images that were checked */
	struct memory memory;
	struct options opt;
	struct explorer x;
	struct layout layout;
	struct world *worlds[MAX_ORDERS];
	unsigned int crash_every;	/* sample: crash states of one schedule in so many; 0: none */
	bool verbose;
	uint64_t number;		/* of the schedule: what chance decides follows from it */
	bool by_sync;			/* what ends the run; else an fsync of each inode */
	struct pair_counts count;
	char why[800];
	char state[100];		/* of a crash state that failed: its name */
	const char *only;		/* a crash state to be built, and no other */
};

void lab_init(struct lab *l);
void lab_free(struct lab *l);
/* False: the setup failed, see why. */
bool lab_begin(struct lab *l, enum mode mode, enum store_kind store, const struct start *start);
/* The two programs' orders are run, for comparison; false: see why. */
bool lab_load(struct lab *l, const struct program *a, const struct program *b);
/* Run and judge one schedule; false: see why. */
bool lab_try(struct lab *l, const struct schedule *s);

/* ---- judge.c, crash.c ---- */

bool lab_fail(struct lab *l, const char *what, const char *detail);
/* Back to the snapshot. */
bool lab_restore(struct lab *l);
/* Runs only; false: it did not come to its end. */
bool lab_run(struct lab *l, const struct schedule *s);
/* After a run: look at everything; order: nothing to compare with. */
bool judge_run(struct lab *l, bool order);
/* What is durable now is recovered: *t gets what is found. */
bool crash_at_end(struct lab *l, struct tree *t);
/* Are crash states within the runs of this pair looked at? */
bool crash_wanted(const struct lab *l);
/* Crash states within the run that has ended. */
bool crash_within(struct lab *l);
/* The states before and behind each operation of each order. */
bool crash_load(struct lab *l);

#endif
