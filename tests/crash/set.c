// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* set.c - open addressing; a set that has grown too large forgets all, which only costs time */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "set.h"

#define FIRST_SIZE	(1u << 12)
#define MOST		(24u << 20)	/* keys: half a gigabyte */

static size_t place(const struct set *s, uint64_t key)
{
	size_t i = (size_t)(key * 0x9e3779b97f4a7c15ull >> 20) & (s->max - 1);

	while (s->slot[i] && s->slot[i] != key)
		i = (i + 1) & (s->max - 1);
	return i;
}

static void grow(struct set *s)
{
	struct set old = *s;
	size_t i;

	s->max = old.max ? 2 * old.max : FIRST_SIZE;
	s->slot = calloc(s->max, sizeof(*s->slot));
	if (!s->slot) {
		fprintf(stderr, "crash: out of memory\n");
		exit(2);
	}
	for (i = 0; i < old.max; i++)
		if (old.slot[i])
			s->slot[place(s, old.slot[i])] = old.slot[i];
	free(old.slot);
}

bool set_add(struct set *s, uint64_t key)
{
	size_t i;

	key |= !key;
	if (s->nr >= MOST)
		set_clear(s);
	if (2 * s->nr >= s->max)
		grow(s);
	i = place(s, key);
	if (s->slot[i])
		return false;
	s->slot[i] = key;
	s->nr++;
	return true;
}

bool set_has(const struct set *s, uint64_t key)
{
	key |= !key;
	return s->max && s->slot[place(s, key)];
}

void set_clear(struct set *s)
{
	if (s->nr)
		memset(s->slot, 0, s->max * sizeof(*s->slot));
	s->nr = 0;
}

void set_free(struct set *s)
{
	free(s->slot);
	memset(s, 0, sizeof(*s));
}
