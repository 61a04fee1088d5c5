/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* gen.h - where pairs begin, and which there are */
#ifndef GEN_H
#define GEN_H

#include "pair.h"

extern const struct start starts[];
extern const unsigned int nr_starts;
const struct start *find_start(const char *name);	/* NULL: there is none */

/* The programs of which every two make a pair. */
extern const char *const vocabulary_text[];
extern const unsigned int nr_vocabulary;

/* Pairs of longer programs, which once showed a bug or show one that is easily made. */
struct known_pair {
	const char *start, *a, *b;
	enum store_kind store;
	bool flags;			/* takes steps at flags (--flags) to show */
};

extern const struct known_pair known_pairs[];
extern const unsigned int nr_known_pairs;

#endif
