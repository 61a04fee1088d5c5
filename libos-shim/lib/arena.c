// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * arena.c - the library's memory: buddies in the caller's arena, behind struct
 * vmemos
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

struct vmemos *vmemos_arena_init(struct vmemos_platform *p)
{
	const size_t head = (sizeof(struct vmemos) + UNIT - 1) / UNIT * UNIT;
	struct vmemos *fs = p->arena;
	struct vmemos_arena *a;
	unsigned int order;
	size_t unit;

	if (!fs || (uintptr_t)fs % UNIT || p->arena_size < VMEMOS_ARENA_MIN)
		return NULL;
	memset(fs, 0, sizeof(*fs));
	a = &fs->arena;
	/* One tag for each unit, in front of them. */
	a->units = (p->arena_size - head - UNIT) / (UNIT + 1);
	a->tags = (uint8_t *)fs + head;
	a->base = a->tags + (a->units + UNIT - 1) / UNIT * UNIT;
	memset(a->tags, 0, a->units);
	/* The largest chunks that lie right and fit. */
	for (unit = 0; unit < a->units; unit += (size_t)1 << order) {
		order = unit ? (unsigned int)__builtin_ctzll(unit) : VMEMOS_ORDERS - 1;
		while (unit + ((size_t)1 << order) > a->units)
			order--;
		push(a, unit, order);
	}
	return fs;
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

void *vmemos_alloc(const struct vmem_env *env, size_t size)
{
	struct vmemos *fs = env->ctx;
	void *mem;

	if (!size || size > fs->arena.units * UNIT)
		return NULL;
	vmemos_lock_it(fs, fs->arena.lock);
	mem = alloc_locked(&fs->arena, order_of(size));
	vmemos_unlock_it(fs, fs->arena.lock);
	if (mem)
		memset(mem, 0, size);
	return mem;
}

void vmemos_free(const struct vmem_env *env, void *mem, size_t size)
{
	struct vmemos *fs = env->ctx;
	struct vmemos_arena *a = &fs->arena;
	unsigned int order = order_of(size);
	size_t unit = (size_t)((uint8_t *)mem - a->base) / UNIT;

	vmemos_lock_it(fs, a->lock);
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
	vmemos_unlock_it(fs, a->lock);
}
