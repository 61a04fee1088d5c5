// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * arena.c - the library's memory: buddies in the caller's arena
 *
 * Whoever frees says the size, so chunks need no header, and most of what the
 * core asks for are pages, of which none is wasted.  A tag per 64 bytes tells
 * whether a buddy is free.
 */
#include "internal.h"

#define UNIT ((size_t)64)

static unsigned int order_of(size_t size)
{
	unsigned int order = 0;

	while (UNIT << order < size)
		order++;
	return order;
}

static void push(struct vmemos_arena *a, size_t unit, unsigned int order)
{
	struct vmemos_chunk *c = (void *)(a->base + unit * UNIT);

	c->next = a->free[order];
	c->link = &a->free[order];
	if (c->next)
		c->next->link = &c->next;
	a->free[order] = c;
	a->tags[unit] = (uint8_t)(order + 1);
}

static size_t take(struct vmemos_arena *a, struct vmemos_chunk *c)
{
	size_t unit = (size_t)((uint8_t *)c - a->base) / UNIT;

	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	a->tags[unit] = 0;
	return unit;
}

bool vmemos_arena_init(struct vmemos_arena *a, struct vmemos_platform *p, void *mem, size_t size)
{
	size_t units, unit = 0;

	memset(a, 0, sizeof(*a));
	if (!mem || (uintptr_t)mem % UNIT || size < VMEMOS_ARENA_MIN)
		return false;
	a->platform = p;
	/* One tag for each unit, in front of them. */
	units = size / (UNIT + 1);
	a->tags = mem;
	a->base = (uint8_t *)mem + (units + UNIT - 1) / UNIT * UNIT;
	units = ((uint8_t *)mem + size >= a->base) ?
		(size_t)((uint8_t *)mem + size - a->base) / UNIT : 0;
	a->units = units < size / (UNIT + 1) ? units : size / (UNIT + 1);
	memset(a->tags, 0, a->units);
	if (p->lock_new) {
		a->lock = p->lock_new(p);
		if (!a->lock)
			return false;
	}
	while (unit < a->units) {
		unsigned int order = 0;

		while (order + 1 < VMEMOS_ORDERS && !(unit & (((size_t)2 << order) - 1)) &&
		       unit + ((size_t)2 << order) <= a->units)
			order++;
		push(a, unit, order);
		unit += (size_t)1 << order;
	}
	return true;
}

/* The heads of the lists are in the struct, and the first chunks point to them. */
void vmemos_arena_move(struct vmemos_arena *to, const struct vmemos_arena *from)
{
	unsigned int i;

	*to = *from;
	for (i = 0; i < VMEMOS_ORDERS; i++)
		if (to->free[i])
			to->free[i]->link = &to->free[i];
}

void vmemos_arena_fini(struct vmemos_arena *a)
{
	if (a->lock)
		a->platform->lock_free(a->platform, a->lock);
	a->lock = NULL;
}

static void *alloc_locked(struct vmemos_arena *a, unsigned int order)
{
	unsigned int from = order;
	size_t unit;

	while (from < VMEMOS_ORDERS && !a->free[from])
		from++;
	if (from >= VMEMOS_ORDERS)
		return NULL;
	unit = take(a, a->free[from]);
	while (from > order) {
		from--;
		push(a, unit + ((size_t)1 << from), from);
	}
	a->used += UNIT << order;
	if (a->used > a->peak)
		a->peak = a->used;
	return a->base + unit * UNIT;
}

void *vmemos_arena_alloc(struct vmemos_arena *a, size_t size)
{
	void *mem;

	if (!size || size > a->units * UNIT)
		return NULL;
	if (a->lock)
		a->platform->lock(a->lock);
	mem = alloc_locked(a, order_of(size));
	if (a->lock)
		a->platform->unlock(a->lock);
	if (mem)
		memset(mem, 0, size);
	return mem;
}

void vmemos_arena_free(struct vmemos_arena *a, void *mem, size_t size)
{
	unsigned int order = order_of(size);
	size_t unit = (size_t)((uint8_t *)mem - a->base) / UNIT;

	if (a->lock)
		a->platform->lock(a->lock);
	a->used -= UNIT << order;
	while (order + 1 < VMEMOS_ORDERS) {
		size_t buddy = unit ^ ((size_t)1 << order);

		if (buddy >= a->units || a->tags[buddy] != order + 1)
			break;
		take(a, (void *)(a->base + buddy * UNIT));
		unit &= ~((size_t)1 << order);
		order++;
	}
	push(a, unit, order);
	if (a->lock)
		a->platform->unlock(a->lock);
}
