/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* gen.h - where workloads begin, and workloads that nobody wrote */
#ifndef GEN_H
#define GEN_H

#include "world.h"

struct setup {
	const char *name, *text;
	const char *prelude;	/* each workload begins with it, in the session that fails */
	unsigned int longest;	/* sequences of up to so many operations begin here */
	bool one_group;		/* grows by more of its group, else by another */
};

extern const struct setup setups[];
extern const unsigned int nr_setups;
const struct setup *find_setup(const char *name);	/* NULL: there is none */

/* Workloads that once showed a bug, or show one that is easily made. */
struct known {
	const char *setup, *text;
};

extern const struct known known[];
extern const unsigned int nr_known;
/* Workloads that grow. */
extern const struct known growing[];
extern const unsigned int nr_growing;

/* Every operation that may make sense after one of the setups; returns how many. */
#define MAX_VOCABULARY 512u
unsigned int vocabulary(struct op *op);
/* Of these, the ones on names. */
unsigned int metadata_vocabulary(struct op *op);
/* What may come between two operations, or behind the last. */
unsigned int persistence(const struct op *after, struct op *op, unsigned int max);
/* A random operation; most make sense. */
void random_op(const struct world *w, uint64_t *rng, struct op *op);

#endif
