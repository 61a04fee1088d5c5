/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* gen.h - where workloads begin, and workloads that nobody wrote */
#ifndef GEN_H
#define GEN_H

#include "world.h"

struct setup {
	const char *name, *text;	/* of known[]: the setup, and what follows it */
};

extern const struct setup setups[];
extern const unsigned int nr_setups;

/* Workloads that once showed a bug. */
extern const struct setup known[];
extern const unsigned int nr_known;

/* Every operation that may make sense after one of the setups; returns how many. */
#define MAX_VOCABULARY 512u
unsigned int vocabulary(struct op *op);
/* What may come between two operations, or behind the last. */
unsigned int persistence(const struct op *after, struct op *op, unsigned int max);
/* A random operation; most make sense. */
void random_op(const struct world *w, uint64_t *rng, struct op *op);

#endif
