/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * explore.h - builds the states that a failure may leave behind a trace, and
 * judges each
 *
 * A state has a number: its place in the order in which the explorer builds
 * them, which depends on nothing but the workload, the mode and the options.
 * States within the recovery of a state are numbered below it: 17.4 is the
 * 4th state of the recovery of state 17; 17.h4 the same, but the host failed
 * in a recovery after a kill.
 */
#ifndef EXPLORE_H
#define EXPLORE_H

#include "world.h"

#define MAX_DEPTH	4u	/* the crash of the workload, and three of recoveries */

struct options {
	unsigned int every;	/* look at one crash point in so many (1: all) */
	unsigned int nest;	/* explore the recovery of one state in so many; 0: none */
	unsigned int again;	/* recover twice one state in so many; 0: none */
	unsigned int vectors;	/* random states at a crash point */
	unsigned int behind;	/* pages or lines left behind, one at a time, at most */
	uint64_t seed;
	bool verbose;
	bool two_flushes;	/* the store has no commit in two parts */
};

struct explorer {
	const struct options *opt;
	enum mode mode;		/* of the failure */
	enum mode mount;	/* of the mount that recovers */
	unsigned int depth;
	const struct world *w;
	struct explorer *below;

	/* position in the trace */
	uint8_t *now, *durable;	/* what the guest sees; what survives for sure */
	bool dirty[PAGES];
	uint32_t dirty_list[PAGES];
	unsigned int nr_dirty;
	uint8_t line[LINES];
	uint32_t lines[LINES];
	unsigned int nr_lines;
	const struct trace *t;
	const uint8_t *start;
	size_t at;
	size_t *versions[PAGES];	/* events that stored to the page since its flush */
	size_t nr_versions[PAGES], max_versions[PAGES];
	struct allowed allowed;

	/* the state being built: test.image, which differs from now in touched pages */
	struct machine test;
	uint64_t now_hash[PAGES], now_sum;
	bool hashed[PAGES];
	uint64_t *seen;			/* hashes of states judged */
	size_t nr_seen, max_seen;
	unsigned int number;
	const char *only;		/* replay: "17.4"; NULL: all */
	bool build;			/* this state is wanted */
	uint8_t generation;	/* of the backing, when the trace was made */
	struct trace recovery;
	uint8_t *saved;		/* the state, while its recovery is explored */
	struct tree tree, tree2;
	char id[64];			/* of the state above */

	uint64_t states, judged;	/* built; not seen before */
	char why[700];
	char failed[100];		/* number of the state */
};

void explorer_init(struct explorer *x, const struct options *opt, unsigned int depth);
void explorer_free(struct explorer *x);
/*
 * All the states that a failure in mode leaves after any event of t from
 * `from` on; start is the image before t.  False: x->failed violates, see x->why.
 */
bool explore(struct explorer *x, const struct world *w, const struct trace *t, size_t from,
	     const uint8_t *start, enum mode mode, enum mode mount, const struct allowed *allowed);

/* The events of t from `from` on, for people. */
void explorer_print(const struct world *w, const struct trace *t, size_t from);

/* judge.c: recover test.image and look at it; false: see x->why. */
bool judge(struct explorer *x);

#endif
