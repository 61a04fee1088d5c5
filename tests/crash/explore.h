/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * explore.h - builds the states that a failure may leave behind a trace, and
 * judges each
 *
 * A state has a name, 153:2: the second one that is built at event 153 of the
 * trace, which depends on nothing but the workload, the mode and the options.
 * States within the recovery of a state are named below it: 153:2.17:4 is the
 * 4th state at event 17 of the recovery of state 153:2; 153:2.h17:4 the same,
 * but the host failed in a recovery after a kill.
 */
#ifndef EXPLORE_H
#define EXPLORE_H

#include "pages.h"
#include "set.h"
#include "world.h"

#define MAX_DEPTH	4u	/* the crash of the workload, and three of recoveries */

struct options {
	unsigned int every;	/* look at one crash point in so many (1: all) */
	unsigned int nest;	/* explore the recovery of one state in so many; 0: none */
	unsigned int again;	/* recover twice one state in so many; 0: none */
	unsigned int vectors;	/* random states at a crash point */
	unsigned int behind;	/* pages or lines left behind, one at a time, at most */
	unsigned int cuts;	/* stores of up to so many words are cut behind each of them */
	uint64_t seed;
	bool verbose;
	bool thorough;		/* check and use every result, not only new ones */
	bool two_flushes;	/* the store has no commit in two parts */
	bool thin;		/* the store is thin, free blocks are discarded */
};

struct counts {
	uint64_t states;	/* built */
	uint64_t judged;	/* of these, recovered: no equal one was before */
	uint64_t used;		/* of these, the result was new: checked, used, checked again */
	uint64_t deep[MAX_DEPTH]; /* states by depth: 0 of the workload, 1.. of recoveries */
};

/* What holds for every workload from one setup on, at every depth. */
struct memory {
	struct set prefixes;	/* traces that were explored to their end */
	struct set states;	/* judged: image, and what is allowed */
	struct set results;	/* recovered images that were checked and used */
	struct set pairs;	/* recovered image, and what is allowed: it is */
	struct counts count;
};

struct explorer;

/* Who else says what may be there, in place of `allowed`: where two threads ran. */
struct other_judge {
	bool (*tree_allowed)(struct explorer *x);
	uint64_t (*allowed_hash)(const struct explorer *x);	/* two of the same hash allow the same */
};

struct explorer {
	const struct options *opt;
	struct memory *memory;
	enum mode mode;		/* of the failure */
	enum mode mount;	/* of the mount that recovers */
	unsigned int depth;
	const struct world *w;
	const struct other_judge *other;	/* NULL: `allowed` */
	struct explorer *below;

	/* position in the trace; three images that differ from start in moved pages only */
	const uint8_t *start;
	struct layout layout;
	uint8_t *now, *durable;	/* what the guest sees; what survives for sure */
	bool moved[PAGES];
	uint32_t moved_list[PAGES];
	unsigned int nr_moved;
	const struct trace *t;
	size_t at;
	struct allowed allowed;
	uint64_t allowed_hash;

	/* domain host: pages that were stored to since their flush */
	bool dirty[PAGES];
	uint32_t dirty_list[PAGES];
	unsigned int nr_dirty;
	size_t *versions[PAGES];	/* events that stored to the page since its flush */
	size_t nr_versions[PAGES], max_versions[PAGES];

	/* domain pmem: lines that have not arrived, and the first store of each since it had */
	uint8_t line[LINES];
	uint32_t lines[LINES];
	size_t first_store[LINES];
	unsigned int nr_lines;

	/* the state being built: test.image, which differs from now in touched pages */
	struct machine test;
	struct page_hashes base, hashes;	/* of start, of now */
	uint64_t base_sum, sum;
	uint32_t stale[PAGES];		/* pages of now that were not hashed yet */
	bool is_stale[PAGES];
	unsigned int nr_stale;
	unsigned int number;		/* of the state at this event */
	const char *only;		/* replay: "153:2.17:4"; NULL: all */
	size_t only_at;
	unsigned int only_number;
	uint8_t generation;		/* of the backing, when the trace was made */
	struct trace recovery;
	uint8_t *saved;			/* the state, while its recovery is explored */
	uint8_t *kept;			/* pages of the state, while it is judged */
	uint32_t kept_list[PAGES];
	unsigned int nr_kept;
	struct tree tree;
	char id[64];			/* of the state above */

	char why[700];
	char failed[100];		/* name of the state */
};

void explorer_init(struct explorer *x, const struct options *opt, struct memory *memory,
		   unsigned int depth);
void explorer_free(struct explorer *x);
/* Every trace from now on begins with this image, which must stay as it is. */
void explorer_load(struct explorer *x, const uint8_t *start);
/*
 * All the states that a failure in mode leaves after any event of t from
 * `from` on.  False: x->failed violates, see x->why.
 */
bool explore(struct explorer *x, const struct world *w, const struct trace *t, size_t from,
	     enum mode mode, enum mode mount, const struct allowed *allowed);

/* The events of t from `from` on, for people. */
void explorer_print(const struct world *w, const struct trace *t, size_t from);

/* ---- states.c ---- */

/* A machine is at event e of the trace: build and judge the states that a failure leaves there. */
bool states_cut(struct explorer *x, const struct event *e);
bool states_guest(struct explorer *x);
bool states_host(struct explorer *x, const struct event *e);
bool states_pmem(struct explorer *x, const struct event *e);

/* ---- explore.c, for states.c and judge.c ---- */

/* Begin with what the guest saw; false: not wanted, build nothing. */
bool state_begin(struct explorer *x);
/* Where to store what is different at off. */
uint8_t *state_change(struct explorer *x, uint32_t off);
/* Judge it, if it is new. */
bool state_end(struct explorer *x);

/* ---- judge.c ---- */

/* Recover test.image and look at it; state: its hash.  False: see x->why. */
bool judge(struct explorer *x, uint64_t state);

#endif
