// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* states.c - what a failure in each domain may leave of what the guest saw */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "explore.h"

#define MOST_LINES	4u	/* so many lines on their way: all combinations ... */
#define MOST_VECTORS	81u	/* ... of their versions, if there are no more */

static uint64_t pick(const struct explorer *x, uint64_t salt, uint64_t below)
{
	return mix(x->opt->seed + x->number * 0x9e3779b97f4a7c15ull + mix(salt + x->at)) % below;
}

/* ---- Domain guest: a prefix of the stores, each of which is a run of words ---- */

/* The bytes [from, to) of a store arrived, and no others. */
static bool cut(struct explorer *x, const struct event *e, uint32_t from, uint32_t to)
{
	uint32_t n;

	if (from >= to || (from == 0 && to == e->len) || !state_begin(x))
		return true;
	for (; from < to; from += n) {
		n = PAGE - (e->off + from) % PAGE;
		n = n < to - from ? n : to - from;
		memcpy(state_change(x, e->off + from), x->t->bytes + e->data + from, n);
	}
	return state_end(x);
}

/* Behind every word that the store changes. */
static bool cut_everywhere(struct explorer *x, const struct event *e)
{
	const uint8_t *new = x->t->bytes + e->data, *old = x->now + e->off;
	uint32_t from = 0, to = 8 - e->off % 8;

	for (; to < e->len; from = to, to += 8)
		if (memcmp(new + from, old + from, to - from) && !cut(x, e, 0, to))
			return false;
	return true;
}

bool states_cut(struct explorer *x, const struct event *e)
{
	uint32_t first = 8 - e->off % 8, half = ((e->off + e->len / 2) & ~7u) - e->off;
	uint32_t last = ((e->off + e->len - 1) & ~7u) - e->off;

	if (e->len <= first)
		return true;
	/* A copy may begin at its end. */
	if (!cut(x, e, last, e->len))
		return false;
	if (e->len / 8 <= x->opt->cuts)
		return cut_everywhere(x, e);
	return cut(x, e, 0, first) && (half <= first || half >= last || cut(x, e, 0, half)) &&
	       (last <= first || cut(x, e, 0, last));
}

bool states_guest(struct explorer *x)
{
	return !state_begin(x) || state_end(x);
}

/* ---- Domain host: any version of any page ---- */

/* What the first nr of the page's stores since its flush have made of it. */
static void version(struct explorer *x, uint32_t page, size_t nr, uint8_t *out)
{
	uint32_t start = page * PAGE;
	size_t i;

	memcpy(out, x->durable + start, PAGE);
	for (i = 0; i < nr; i++) {
		const struct event *e = &x->t->ev[x->versions[page][i]];
		uint32_t lo = e->off > start ? e->off : start;
		uint32_t hi = e->off + e->len < start + PAGE ? e->off + e->len : start + PAGE;

		memcpy(out + lo - start, x->t->bytes + e->data + (lo - e->off), hi - lo);
	}
}

static void page_from(struct explorer *x, uint32_t page, const uint8_t *from)
{
	memcpy(state_change(x, page * PAGE), from, PAGE);
}

/* Sectors of a page, each from one of two versions. */
static void torn_page(struct explorer *x, uint32_t page, const uint8_t *a, const uint8_t *b)
{
	uint64_t which = pick(x, page + 77, 255) + 1;
	uint8_t *to = state_change(x, page * PAGE);
	unsigned int i;

	for (i = 0; i < PAGE / SECTOR; i++)
		memcpy(to + i * SECTOR, (which >> i & 1 ? a : b) + i * SECTOR, SECTOR);
}

static void all_durable(struct explorer *x)
{
	unsigned int i;

	for (i = 0; i < x->nr_dirty; i++)
		page_from(x, x->dirty_list[i], x->durable + (size_t)x->dirty_list[i] * PAGE);
}

static bool host_none(struct explorer *x)
{
	if (!state_begin(x))
		return true;
	all_durable(x);
	return state_end(x);
}

/* One page is ahead of all others (behind them); torn: a part of it. */
static bool host_one(struct explorer *x, uint32_t page, bool ahead, bool torn)
{
	const uint8_t *new = x->now + (size_t)page * PAGE, *old = x->durable + (size_t)page * PAGE;

	if (!state_begin(x))
		return true;
	if (ahead)
		all_durable(x);
	if (torn)
		torn_page(x, page, new, old);
	else
		page_from(x, page, ahead ? new : old);
	return state_end(x);
}

/* One page is behind, but not as far as its last flush. */
static bool host_between(struct explorer *x, uint32_t page)
{
	uint8_t a[PAGE];

	if (x->nr_versions[page] < 2 || !state_begin(x))
		return true;
	version(x, page, 1 + pick(x, page, x->nr_versions[page] - 1), a);
	page_from(x, page, a);
	return state_end(x);
}

static bool host_random(struct explorer *x)
{
	uint8_t a[PAGE], b[PAGE];
	unsigned int i, mood;

	if (!state_begin(x))
		return true;
	mood = (unsigned int)pick(x, 1, 3);
	for (i = 0; i < x->nr_dirty; i++) {
		uint32_t p = x->dirty_list[i];
		size_t nr = x->nr_versions[p], v = pick(x, p * 4ull, nr + 1);

		if (mood == 1)
			v = pick(x, p * 4ull + 1, 2) ? nr : 0;
		if (mood == 2 && pick(x, p * 4ull + 1, 4))
			v = nr;
		version(x, p, v, a);
		if (pick(x, p * 4ull + 2, 3)) {
			page_from(x, p, a);
			continue;
		}
		version(x, p, pick(x, p * 4ull + 3, nr + 1), b);
		torn_page(x, p, a, b);
	}
	return state_end(x);
}

static bool host_each(struct explorer *x)
{
	unsigned int i, step = x->nr_dirty / (x->opt->behind ? x->opt->behind : 1) + 1;

	for (i = (unsigned int)(x->at % step); i < x->nr_dirty; i += step)
		if (!host_one(x, x->dirty_list[i], false, false) || !host_one(x, x->dirty_list[i], true, false))
			return false;
	return true;
}

bool states_host(struct explorer *x, const struct event *e)
{
	uint32_t p;
	unsigned int i;

	if (state_begin(x) && !state_end(x))
		return false;
	for (p = e->off / PAGE; e->kind == EV_STORE && p * PAGE < e->off + e->len; p++)
		if (!host_one(x, p, true, false) || !host_one(x, p, true, true) || !host_one(x, p, false, false) ||
		    !host_one(x, p, false, true) || !host_between(x, p))
			return false;
	if (e->kind != EV_STORE && (!host_none(x) || !host_each(x)))
		return false;
	for (i = 0; i < x->opt->vectors; i++)
		if (!host_random(x))
			return false;
	return true;
}

/* ---- Domain pmem: any cache lines that have not arrived ---- */

static uint32_t in_line(const struct event *e, uint32_t start, uint32_t *lo)
{
	uint32_t hi = e->off + e->len < start + LINE ? e->off + e->len : start + LINE;

	*lo = e->off > start ? e->off : start;
	return e->kind == EV_STORE && *lo < hi ? hi - *lo : 0;
}

static unsigned int line_versions(const struct explorer *x, uint32_t line)
{
	unsigned int n = 0;
	uint32_t lo;
	size_t i;

	for (i = x->first_store[line]; i <= x->at; i++)
		n += in_line(&x->t->ev[i], line * LINE, &lo) > 0;
	return n;
}

/* What the first nr stores to the line since it arrived last have made of it. */
static void line_version(const struct explorer *x, uint32_t line, unsigned int nr, uint8_t *out)
{
	uint32_t start = line * LINE, lo;
	size_t i;

	memcpy(out, x->durable + start, LINE);
	for (i = x->first_store[line]; nr && i <= x->at; i++) {
		const struct event *e = &x->t->ev[i];
		uint32_t n = in_line(e, start, &lo);

		if (!n)
			continue;
		memcpy(out + lo - start, x->t->bytes + e->data + (lo - e->off), n);
		nr--;
	}
}

static void line_from(struct explorer *x, uint32_t line, const uint8_t *from)
{
	memcpy(state_change(x, line * LINE), from, LINE);
}

/* All arrived, or none. */
static bool pmem_all(struct explorer *x, bool arrived)
{
	unsigned int i;

	if (!state_begin(x))
		return true;
	for (i = 0; i < x->nr_lines && !arrived; i++)
		line_from(x, x->lines[i], x->durable + (size_t)x->lines[i] * LINE);
	return state_end(x);
}

/* Each line at the version that the digits of `vector` say. */
static bool pmem_vector(struct explorer *x, const unsigned int *nr, unsigned int vector)
{
	uint8_t bytes[LINE];
	unsigned int i;

	if (!state_begin(x))
		return true;
	for (i = 0; i < x->nr_lines; vector /= nr[i] + 1, i++) {
		unsigned int v = vector % (nr[i] + 1);

		if (v == nr[i])
			continue;
		line_version(x, x->lines[i], v, bytes);
		line_from(x, x->lines[i], bytes);
	}
	return state_end(x);
}

static bool pmem_every_vector(struct explorer *x)
{
	unsigned int nr[MOST_LINES], i, total = 1, v;

	for (i = 0; i < x->nr_lines; i++) {
		nr[i] = line_versions(x, x->lines[i]);
		total *= nr[i] + 1;
	}
	/* Too many versions: each line old or new; those between are left to chance. */
	for (i = 0; total > MOST_VECTORS && i < x->nr_lines; i++)
		nr[i] = 1;
	if (total > MOST_VECTORS)
		total = 1u << x->nr_lines;
	for (v = 0; v < total; v++)
		if (!pmem_vector(x, nr, v))
			return false;
	return true;
}

/* One line that arrives alone (or alone does not). */
static bool pmem_one(struct explorer *x, uint32_t line, bool ahead)
{
	unsigned int i;

	if (!state_begin(x))
		return true;
	for (i = 0; i < x->nr_lines; i++)
		if ((x->lines[i] == line) != ahead)
			line_from(x, x->lines[i], x->durable + (size_t)x->lines[i] * LINE);
	return state_end(x);
}

/* Words of each line, some from one of its versions, some from the newest. */
static bool pmem_words(struct explorer *x)
{
	uint8_t bytes[LINE];
	unsigned int i;
	uint32_t w;

	if (!state_begin(x))
		return true;
	for (i = 0; i < x->nr_lines; i++) {
		uint64_t take = pick(x, i, 3) ? pick(x, 1000 + i, 256) : pick(x, 2000 + i, 2) * 255;

		line_version(x, x->lines[i], (unsigned int)pick(x, 3000 + i, line_versions(x, x->lines[i])), bytes);
		for (w = 0; w < LINE; w += 8)
			if (!(take >> w / 8 & 1))
				memcpy(state_change(x, x->lines[i] * LINE + w), bytes + w, 8);
	}
	return state_end(x);
}

bool states_pmem(struct explorer *x, const struct event *e)
{
	unsigned int i, step;

	if (x->nr_lines <= MOST_LINES) {
		if (!pmem_every_vector(x))
			return false;
	} else {
		if (!pmem_all(x, false) || !pmem_all(x, true))
			return false;
		step = x->nr_lines / (x->opt->behind ? x->opt->behind : 1) + 1;
		for (i = (unsigned int)(x->at % step); i < x->nr_lines; i += step)
			if (!pmem_one(x, x->lines[i], true) || !pmem_one(x, x->lines[i], false))
				return false;
	}
	for (i = 0; i < x->opt->vectors && e->kind == EV_STORE && x->nr_lines; i++)
		if (!pmem_words(x))
			return false;
	return true;
}
