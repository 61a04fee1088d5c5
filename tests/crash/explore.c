// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* explore.c - follows a trace, and builds states at each of its events */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "explore.h"

enum { CLEAN, STORED, WRITTEN_BACK };

/* ---- Building one state ---- */

bool state_begin(struct explorer *x)
{
	struct machine *m = &x->test;

	x->number++;
	if (x->only && x->number != x->only_number)
		return false;
	while (m->nr_touched) {
		uint32_t p = m->touched_list[--m->nr_touched];

		memcpy(m->image + (size_t)p * PAGE, x->now + (size_t)p * PAGE, PAGE);
		m->touched[p] = false;
	}
	return true;
}

uint8_t *state_change(struct explorer *x, uint32_t off)
{
	struct machine *m = &x->test;

	if (!m->touched[off / PAGE]) {
		m->touched[off / PAGE] = true;
		m->touched_list[m->nr_touched++] = off / PAGE;
	}
	return m->image + off;
}

static void hash_now(struct explorer *x)
{
	while (x->nr_stale) {
		uint32_t p = x->stale[--x->nr_stale];

		x->sum -= x->hashes.raw[p];
		hash_page(&x->hashes, &x->layout, x->test.env.crc32c, p, x->now + (size_t)p * PAGE);
		x->sum += x->hashes.raw[p];
		x->is_stale[p] = false;
	}
}

bool state_end(struct explorer *x)
{
	struct machine *m = &x->test;
	struct counts *count = &x->memory->count;
	uint64_t sum;
	unsigned int i;

	hash_now(x);
	sum = x->sum;
	for (i = 0; i < m->nr_touched; i++) {
		uint32_t p = m->touched_list[i];

		sum += page_hash(p, m->image + (size_t)p * PAGE) - x->hashes.raw[p];
	}
	count->states++;
	count->deep[x->depth]++;
	sum = mix(sum + x->allowed_hash + mix(x->mode * 4 + x->mount));
	if (!set_add(&x->memory->states, sum) && !x->only)
		return true;
	count->judged++;
	return judge(x, sum);
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

static void line_stored(struct explorer *x, uint32_t l)
{
	if (x->line[l] == CLEAN) {
		x->lines[x->nr_lines++] = l;
		x->first_store[l] = x->at;
	}
	x->line[l] = STORED;
}

static void follow_store(struct explorer *x, const struct event *e)
{
	uint32_t p, l;

	memcpy(x->now + e->off, x->t->bytes + e->data, e->len);
	for (p = e->off / PAGE; p * PAGE < e->off + e->len; p++) {
		state_change(x, p * PAGE);	/* the test image is behind now */
		if (!x->is_stale[p])
			x->stale[x->nr_stale++] = p;
		x->is_stale[p] = true;
		if (!x->moved[p])
			x->moved_list[x->nr_moved++] = p;
		x->moved[p] = true;
		if (x->mode == MODE_HOST)
			page_stored(x, p);
	}
	for (l = e->off / LINE; x->mode == MODE_PMEM && l * LINE < e->off + e->len; l++)
		line_stored(x, l);
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

static void note_allowed(struct explorer *x)
{
	x->allowed_hash = x->other ? x->other->allowed_hash(x) : allowed_hash(&x->allowed, x->w);
}

/* The states before and after one event. */
static bool states_at(struct explorer *x, const struct event *e, bool look)
{
	bool guest = x->mode == MODE_GUEST || x->mode == MODE_KILL;

	switch (e->kind) {
	case EV_STORE:
		if (guest && look && !states_cut(x, e))
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
		if (look && !states_host(x, e))
			return false;
		follow_flush(x, e);
		return true;
	case EV_BEGIN:
		if (!x->other)
			allowed_begin(&x->allowed, e->off);
		note_allowed(x);
		return true;
	case EV_DONE:
		if (!x->other)
			allowed_done(&x->allowed, x->w, e->off);
		note_allowed(x);
		break;
	}
	if (!look)
		return true;
	if (x->mode == MODE_HOST)
		return states_host(x, e);
	return x->mode == MODE_PMEM ? states_pmem(x, e) : states_guest(x);
}

/* All three images are as at the start again. */
static void rewind_images(struct explorer *x)
{
	struct machine *m = &x->test;

	while (x->nr_moved) {
		uint32_t p = x->moved_list[--x->nr_moved];
		size_t off = (size_t)p * PAGE;

		memcpy(x->now + off, x->start + off, PAGE);
		memcpy(x->durable + off, x->start + off, PAGE);
		state_change(x, p * PAGE);
		x->hashes.raw[p] = x->base.raw[p];
		x->hashes.inodes[p] = x->base.inodes[p];
		x->moved[p] = false;
	}
	while (m->nr_touched) {
		uint32_t p = m->touched_list[--m->nr_touched];

		memcpy(m->image + (size_t)p * PAGE, x->start + (size_t)p * PAGE, PAGE);
		m->touched[p] = false;
	}
	x->sum = x->base_sum;
	while (x->nr_stale)
		x->is_stale[x->stale[--x->nr_stale]] = false;
	while (x->nr_dirty) {
		x->dirty[x->dirty_list[--x->nr_dirty]] = false;
		x->nr_versions[x->dirty_list[x->nr_dirty]] = 0;
	}
	while (x->nr_lines)
		x->line[x->lines[--x->nr_lines]] = CLEAN;
}

void explorer_load(struct explorer *x, const uint8_t *start)
{
	struct machine *m = &x->test;
	uint32_t p;

	x->start = start;
	rewind_images(x);
	layout_read(&x->layout, start);
	memcpy(x->now, start, IMAGE_SIZE);
	memcpy(x->durable, start, IMAGE_SIZE);
	memcpy(m->image, start, IMAGE_SIZE);
	x->base_sum = 0;
	for (p = 0; p < PAGES; p++) {
		hash_page(&x->base, &x->layout, m->env.crc32c, p, start + (size_t)p * PAGE);
		x->base_sum += x->base.raw[p];
	}
	x->hashes = x->base;
	x->sum = x->base_sum;
}

/* Where the state x->only is; false: its name is nonsense. */
static bool find_only(struct explorer *x)
{
	unsigned long at;
	char *end;

	if (!x->only)
		return true;
	at = strtoul(x->only + (x->only[0] == 'h'), &end, 10);
	x->only_at = at;
	if (*end != ':')
		return false;
	x->only_number = (unsigned int)strtoul(end + 1, &end, 10);
	return !*end || *end == '.';
}

bool explore(struct explorer *x, const struct world *w, const struct trace *t, size_t from,
	     enum mode mode, enum mode mount, const struct allowed *allowed)
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
	note_allowed(x);
	machine_set_mode(&x->test, mount);
	rewind_images(x);
	if (!find_only(x)) {
		snprintf(x->why, sizeof(x->why), "\"%s\" is no name of a state", x->only);
		return false;
	}
	for (x->at = 0; x->at < t->nr; x->at++) {
		bool look = x->at >= from && (every == 1 || mix(x->opt->seed + x->at) % every == 0) &&
			    (!x->only || x->at == x->only_at);

		x->number = 0;
		if (!states_at(x, &t->ev[x->at], look)) {
			if (!x->failed[0])
				snprintf(x->failed, sizeof(x->failed), "%s%zu:%u", x->id, x->at, x->number);
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

void explorer_init(struct explorer *x, const struct options *opt, struct memory *memory,
		   unsigned int depth)
{
	memset(x, 0, sizeof(*x));
	x->opt = opt;
	x->memory = memory;
	x->depth = depth;
	x->now = malloc(IMAGE_SIZE);
	x->durable = malloc(IMAGE_SIZE);
	x->saved = malloc(IMAGE_SIZE);
	x->kept = malloc(IMAGE_SIZE);
	x->generation = 1;
	machine_init(&x->test);
	x->test.two_flushes = opt->two_flushes;
	x->test.thin = opt->thin;
	if (depth + 1 < MAX_DEPTH) {
		x->below = malloc(sizeof(*x->below));
		explorer_init(x->below, opt, memory, depth + 1);
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
	free(x->kept);
	for (i = 0; i < PAGES; i++)
		free(x->versions[i]);
	free(x->tree.bytes);
	trace_free(&x->recovery);
	machine_free(&x->test);
}
