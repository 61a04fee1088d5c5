/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* set.h - what was seen before: a set of 64-bit hashes */
#ifndef SET_H
#define SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct set {
	uint64_t *slot;
	size_t nr, max;
};

/* False: it was there. */
bool set_add(struct set *s, uint64_t key);
bool set_has(const struct set *s, uint64_t key);
void set_clear(struct set *s);
void set_free(struct set *s);

#endif
