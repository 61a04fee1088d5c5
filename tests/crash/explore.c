// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* explore.c - the states that a failure may leave */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "explore.h"

enum { CLEAN, STORED, WRITTEN_BACK };

/* ---- States that were judged already ---- */

static uint64_t hash_page(uint32_t page, const uint8_t *p)
{
	uint64_t h[4] = { page, 1, 2, 3 }, v[4];
	unsigned int i, k;

	for (i = 0; i < PAGE; i += 32) {
		memcpy(v, p + i, 32);
		for (k = 0; k < 4; k++)
			h[k] = (h[k] ^ v[k]) * 0x9e3779b97f4a7c15ull + (h[k] >> 29);
	}
	return mix(h[0] ^ mix(h[1] ^ mix(h[2] ^ mix(h[3]))));
}

static uint64_t hash_of_now(struct explorer *x, uint32_t page)
{
	if (!x->hashed[page]) {
		x->now_sum -= x->now_hash[page];
		x->now_hash[page] = hash_page(page, x->now + (size_t)page * PAGE);
		x->now_sum += x->now_hash[page];
		x->hashed[page] = true;
	}
	return x->now_hash[page];
}

static bool see(struct explorer *x, uint64_t hash)
{
	size_t i;

	if (2 * x->nr_seen >= x->max_seen) {
		size_t max = x->max_seen;
		uint64_t *old = x->seen;

		x->max_seen = max ? 2 * max : 4096;
		x->seen = calloc(x->max_seen, sizeof(*x->seen));
		x->nr_seen = 0;
		for (i = 0; i < max; i++)
			if (old[i])
				see(x, old[i]);
		free(old);
	}
	hash |= 1;
	for (i = hash % x->max_seen; x->seen[i] && x->seen[i] != hash; i = (i + 1) % x->max_seen)
		;
	if (x->seen[i])
		return false;
	x->seen[i] = hash;
	x->nr_seen++;
	return true;
}

/* ---- Building one state ---- */

/* Begin with what the guest saw; false: not wanted, build nothing. */
static bool begin_state(struct explorer *x)
{
	struct machine *m = &x->test;

	x->number++;
	if (x->only && (unsigned long)strtoul(x->only + (x->only[0] == 'h'), NULL, 10) != x->number) {
		x->build = false;
		return false;
	}
	x->build = true;
	x->states++;
	while (m->nr_touched) {
		uint32_t p = m->touched_list[--m->nr_touched];

		memcpy(m->image + (size_t)p * PAGE, x->now + (size_t)p * PAGE, PAGE);
		m->touched[p] = false;
	}
	return true;
}

static uint8_t *change(struct explorer *x, uint32_t off)
{
	struct machine *m = &x->test;

	if (!m->touched[off / PAGE]) {
		m->touched[off / PAGE] = true;
		m->touched_list[m->nr_touched++] = off / PAGE;
	}
	return m->image + off;
}

static bool end_state(struct explorer *x)
{
	struct machine *m = &x->test;
	uint64_t sum;
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		hash_of_now(x, i);
	sum = x->now_sum;
	for (i = 0; i < m->nr_touched; i++) {
		uint32_t p = m->touched_list[i];

		sum += hash_page(p, m->image + (size_t)p * PAGE) - hash_of_now(x, p);
	}
	sum = mix(sum + mix(x->allowed.lo * 1000000ull + x->allowed.hi * 1000ull + x->allowed.done));
	if (!see(x, sum) && !x->only)
		return true;
	x->judged++;
	return judge(x);
}

static uint64_t pick(struct explorer *x, uint64_t salt, uint64_t below)
{
	return mix(x->opt->seed + x->number * 0x9e3779b97f4a7c15ull + mix(salt + x->at)) % below;
}

/* ---- Domain guest: a prefix of the stores; long ones may be cut at 8 bytes ---- */

static bool cut(struct explorer *x, const struct event *e, uint32_t from, uint32_t to)
{
	if (from >= to || (from == 0 && to == e->len) || !begin_state(x))
		return true;
	for (; from < to; from += 8 - (e->off + from) % 8) {
		uint32_t n = 8 - (e->off + from) % 8;

		memcpy(change(x, e->off + from), x->t->bytes + e->data + from,
		       n < to - from ? n : to - from);
	}
	return end_state(x);
}

static bool cuts(struct explorer *x, const struct event *e)
{
	uint32_t first = 8 - e->off % 8, half = ((e->off + e->len / 2) & ~7u) - e->off;
	uint32_t last = ((e->off + e->len - 1) & ~7u) - e->off;

	if (e->len <= first)
		return true;
	return cut(x, e, 0, first) && cut(x, e, last, e->len) &&
	       (half <= first || half >= last || cut(x, e, 0, half)) && (last <= first || cut(x, e, 0, last));
}

/* ---- Domain host: any version of any page ---- */

/* Apply what the first nr of the page's events stored to it. */
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
	memcpy(change(x, page * PAGE), from, PAGE);
}

/* Sectors of a page, each from one of two versions. */
static void torn_page(struct explorer *x, uint32_t page, const uint8_t *a, const uint8_t *b)
{
	uint64_t which = pick(x, page + 77, 255) + 1;
	uint8_t *to = change(x, page * PAGE);
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
	if (!begin_state(x))
		return true;
	all_durable(x);
	return end_state(x);
}

static bool host_ahead(struct explorer *x, uint32_t page, bool torn)
{
	const uint8_t *new = x->now + (size_t)page * PAGE, *old = x->durable + (size_t)page * PAGE;

	if (!begin_state(x))
		return true;
	all_durable(x);
	if (torn)
		torn_page(x, page, new, old);
	else
		page_from(x, page, new);
	return end_state(x);
}

static bool host_behind(struct explorer *x, uint32_t page, bool torn)
{
	const uint8_t *new = x->now + (size_t)page * PAGE, *old = x->durable + (size_t)page * PAGE;

	if (!begin_state(x))
		return true;
	if (torn)
		torn_page(x, page, new, old);
	else
		page_from(x, page, old);
	return end_state(x);
}

static bool host_random(struct explorer *x)
{
	uint8_t a[PAGE], b[PAGE];
	unsigned int i, mood;

	if (!begin_state(x))
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
	return end_state(x);
}

static bool host_each_behind(struct explorer *x)
{
	unsigned int i, step = x->nr_dirty / (x->opt->behind ? x->opt->behind : 1) + 1;

	for (i = (unsigned int)(x->at % step); i < x->nr_dirty; i += step)
		if (!host_behind(x, x->dirty_list[i], false) || !host_ahead(x, x->dirty_list[i], false))
			return false;
	return true;
}

static bool host_states(struct explorer *x, const struct event *e)
{
	uint32_t p;
	unsigned int i;

	if (begin_state(x) && !end_state(x))
		return false;
	for (p = e->off / PAGE; e->kind == EV_STORE && p * PAGE < e->off + e->len; p++)
		if (!host_ahead(x, p, false) || !host_ahead(x, p, true) || !host_behind(x, p, false) ||
		    !host_behind(x, p, true))
			return false;
	if (e->kind != EV_STORE && (!host_none(x) || !host_each_behind(x)))
		return false;
	for (i = 0; i < x->opt->vectors; i++)
		if (!host_random(x))
			return false;
	return true;
}

/* ---- Domain pmem: any cache lines that were not drained ---- */

static void line_from(struct explorer *x, uint32_t line, const uint8_t *from)
{
	memcpy(change(x, line * LINE), from + (size_t)line * LINE, LINE);
}

static bool pmem_subset(struct explorer *x, uint64_t subset)
{
	unsigned int i;

	if (!begin_state(x))
		return true;
	for (i = 0; i < x->nr_lines; i++)
		if (!(subset >> (i < 63 ? i : 63) & 1))
			line_from(x, x->lines[i], x->durable);
	return end_state(x);
}

/* One line that arrives alone (or alone does not). */
static bool pmem_one(struct explorer *x, uint32_t line, bool ahead)
{
	unsigned int i;

	if (!begin_state(x))
		return true;
	for (i = 0; i < x->nr_lines; i++)
		if ((x->lines[i] == line) != ahead)
			line_from(x, x->lines[i], x->durable);
	return end_state(x);
}

static bool pmem_words(struct explorer *x)
{
	unsigned int i;
	uint32_t w;

	if (!begin_state(x))
		return true;
	for (i = 0; i < x->nr_lines; i++) {
		uint64_t take = pick(x, i, 3) ? pick(x, 1000 + i, 256) : pick(x, 2000 + i, 2) * 255;

		for (w = 0; w < LINE; w += 8) {
			uint32_t off = x->lines[i] * LINE + w;

			if (!(take >> w / 8 & 1))
				memcpy(change(x, off), x->durable + off, 8);
		}
	}
	return end_state(x);
}

static bool pmem_states(struct explorer *x, const struct event *e)
{
	unsigned int i, step;
	uint64_t s;

	if (x->nr_lines <= 4) {
		for (s = 0; s < 1ull << x->nr_lines; s++)
			if (!pmem_subset(x, s))
				return false;
	} else {
		if (!pmem_subset(x, 0) || !pmem_subset(x, ~0ull))
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

/* ---- Following the trace ---- */

static void page_stored(struct explorer *x, uint32_t p)
{
	if (!x->dirty[p]) {
		x->dirty[p] = true;
		x->dirty_list[x->nr_dirty++] = p;
	}
	if (x->nr_versions[p] == x->max_versions[p]) {
		x->max_versions[p] = 2 * x->max_versions[p] + 8;
		x->versions[p] = realloc(x->versions[p], x->max_versions[p] * sizeof(size_t));
	}
	x->versions[p][x->nr_versions[p]++] = x->at;
}

static void follow_store(struct explorer *x, const struct event *e)
{
	uint32_t p, l;

	memcpy(x->now + e->off, x->t->bytes + e->data, e->len);
	for (p = e->off / PAGE; p * PAGE < e->off + e->len; p++) {
		change(x, p * PAGE);	/* the test image is behind now */
		x->hashed[p] = false;
		if (x->mode == MODE_HOST)
			page_stored(x, p);
	}
	for (l = e->off / LINE; x->mode == MODE_PMEM && l * LINE < e->off + e->len; l++) {
		if (x->line[l] == CLEAN)
			x->lines[x->nr_lines++] = l;
		x->line[l] = STORED;
	}
}

static void follow_flush(struct explorer *x, const struct event *e)
{
	unsigned int i, k, left = 0;

	for (i = 0; i < e->len; i++) {
		struct vmem_range r;

		memcpy(&r, x->t->bytes + e->data + i * sizeof(r), sizeof(r));
		for (k = 0; k < x->nr_dirty; k++) {
			uint32_t p = x->dirty_list[k];

			if ((uint64_t)p * PAGE + PAGE <= r.offset || (uint64_t)p * PAGE >= r.offset + r.length)
				continue;
			memcpy(x->durable + (size_t)p * PAGE, x->now + (size_t)p * PAGE, PAGE);
			x->dirty[p] = false;
			x->nr_versions[p] = 0;
		}
	}
	for (k = 0; k < x->nr_dirty; k++)
		if (x->dirty[x->dirty_list[k]])
			x->dirty_list[left++] = x->dirty_list[k];
	x->nr_dirty = left;
}

static void follow_writeback(struct explorer *x, const struct event *e)
{
	uint32_t l;

	for (l = e->off / LINE; l * LINE < e->off + e->len; l++)
		if (x->line[l] == STORED)
			x->line[l] = WRITTEN_BACK;
}

static void follow_drain(struct explorer *x)
{
	unsigned int i, left = 0;

	for (i = 0; i < x->nr_lines; i++) {
		uint32_t l = x->lines[i];

		if (x->line[l] == WRITTEN_BACK) {
			memcpy(x->durable + (size_t)l * LINE, x->now + (size_t)l * LINE, LINE);
			x->line[l] = CLEAN;
		} else {
			x->lines[left++] = l;
		}
	}
	x->nr_lines = left;
}

/* The states before and after one event. */
static bool states_at(struct explorer *x, const struct event *e, bool look)
{
	bool guest = x->mode == MODE_GUEST || x->mode == MODE_KILL;

	switch (e->kind) {
	case EV_STORE:
		if (guest && look && !cuts(x, e))
			return false;
		follow_store(x, e);
		break;
	case EV_WRITEBACK:
		follow_writeback(x, e);
		return true;
	case EV_DRAIN:
		follow_drain(x);
		return true;
	case EV_FLUSH:
		if (x->mode != MODE_HOST)
			return true;
		if (look && !host_states(x, e))
			return false;
		follow_flush(x, e);
		return true;
	case EV_BEGIN:
		allowed_begin(&x->allowed, e->off);
		return true;
	case EV_DONE:
		allowed_done(&x->allowed, x->w, e->off);
		break;
	}
	if (!look)
		return true;
	if (x->mode == MODE_HOST)
		return host_states(x, e);
	if (x->mode == MODE_PMEM)
		return pmem_states(x, e);
	return !begin_state(x) || end_state(x);
}

static void start_from(struct explorer *x, const uint8_t *start)
{
	unsigned int i;

	x->start = start;
	memcpy(x->now, start, IMAGE_SIZE);
	memcpy(x->durable, start, IMAGE_SIZE);
	memcpy(x->test.image, start, IMAGE_SIZE);
	for (i = 0; i < x->test.nr_touched; i++)
		x->test.touched[x->test.touched_list[i]] = false;
	x->test.nr_touched = 0;
	memset(x->hashed, 0, sizeof(x->hashed));
	memset(x->now_hash, 0, sizeof(x->now_hash));
	x->now_sum = 0;
	memset(x->dirty, 0, sizeof(x->dirty));
	memset(x->nr_versions, 0, sizeof(x->nr_versions));
	x->nr_dirty = 0;
	memset(x->line, CLEAN, sizeof(x->line));
	x->nr_lines = 0;
	if (x->nr_seen)
		memset(x->seen, 0, x->max_seen * sizeof(*x->seen));
	x->nr_seen = 0;
	x->number = 0;
}

bool explore(struct explorer *x, const struct world *w, const struct trace *t, size_t from,
	     const uint8_t *start, enum mode mode, enum mode mount, const struct allowed *allowed)
{
	unsigned int every = x->opt->every ? x->opt->every : 1;

	x->mode = mode;
	x->mount = mount;
	x->failed[0] = 0;
	x->w = w;
	x->t = t;
	if (allowed)
		x->allowed = *allowed;
	else
		allowed_init(&x->allowed, mode);
	x->allowed.host = mode == MODE_HOST;
	machine_set_mode(&x->test, mount);
	start_from(x, start);
	for (x->at = 0; x->at < t->nr; x->at++) {
		bool look = x->at >= from && (every == 1 || mix(x->opt->seed + x->at) % every == 0);

		if (!states_at(x, &t->ev[x->at], look)) {
			if (!x->failed[0])
				snprintf(x->failed, sizeof(x->failed), "%s%u", x->id, x->number);
			return false;
		}
	}
	return true;
}

void explorer_print(const struct world *w, const struct trace *t, size_t from)
{
	char text[100];
	size_t i;

	for (i = from; i < t->nr; i++) {
		const struct event *e = &t->ev[i];

		printf("%5zu ", i);
		if (e->kind == EV_BEGIN || e->kind == EV_DONE) {
			op_print(&w->op[e->off], text, sizeof(text));
			printf("%s %s\n", e->kind == EV_BEGIN ? "---- " : "done ", text);
		} else {
			trace_print(w->m, e, t);
		}
	}
}

/* ---- Making ---- */

void explorer_init(struct explorer *x, const struct options *opt, unsigned int depth)
{
	memset(x, 0, sizeof(*x));
	x->opt = opt;
	x->depth = depth;
	x->now = malloc(IMAGE_SIZE);
	x->durable = malloc(IMAGE_SIZE);
	x->saved = malloc(IMAGE_SIZE);
	x->generation = 1;
	machine_init(&x->test);
	if (depth + 1 < MAX_DEPTH) {
		x->below = malloc(sizeof(*x->below));
		explorer_init(x->below, opt, depth + 1);
	}
}

void explorer_free(struct explorer *x)
{
	unsigned int i;

	if (x->below)
		explorer_free(x->below);
	free(x->below);
	free(x->now);
	free(x->durable);
	free(x->saved);
	for (i = 0; i < PAGES; i++)
		free(x->versions[i]);
	free(x->seen);
	free(x->tree.bytes);
	free(x->tree2.bytes);
	trace_free(&x->recovery);
	machine_free(&x->test);
}
