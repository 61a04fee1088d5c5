// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* model.c - what the tree is after each operation, as the test has it */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "pages.h"
#include "world_internal.h"

#define LONG_NAME	250u

void real_name(const char *name, size_t len, char *buf, struct vmem_name *out)
{
	memcpy(buf, name, len);
	if (name[0] == 'L') {
		memset(buf + len, 'x', LONG_NAME - len);
		len = LONG_NAME;
	}
	out->name = buf;
	out->len = len;
}

struct state *model_now(struct world *w)
{
	return w->s[w->nr + 1];
}

unsigned int model_find(const struct state *s, const char *path)
{
	unsigned int i;

	for (i = 0; i < s->nr; i++)
		if (!strcmp(s->e[i].path, path))
			return i;
	return NOWHERE;
}

/* Node of a path or handle; NOWHERE. */
unsigned int model_node(const struct world *w, const struct state *s, const char *path)
{
	unsigned int i;

	if (!path[0])
		return 0;
	if (path[0] == '#') {
		i = w->handle[(unsigned int)(path[1] - '0') % HANDLES];
		return i ? i : NOWHERE;
	}
	i = model_find(s, path);
	return i == NOWHERE ? NOWHERE : s->e[i].node;
}

const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

unsigned int model_parent(const struct world *w, const struct state *s, const char *path)
{
	char dir[PATH_LEN];
	const char *name = last_part(path);
	unsigned int n;

	if (path[0] == '#' || !path[0])
		return NOWHERE;
	memcpy(dir, path, PATH_LEN);
	dir[name == path ? 0 : name - path - 1] = 0;
	n = model_node(w, s, dir);
	return n != NOWHERE && s->node[n].kind == K_DIR ? n : NOWHERE;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

void model_add(struct state *s, const char *path, unsigned int node)
{
	memcpy(s->e[s->nr].path, path, PATH_LEN);
	s->e[s->nr++].node = node;
	qsort(s->e, s->nr, sizeof(s->e[0]), by_path);
}

void model_remove(struct state *s, const char *path)
{
	unsigned int i = model_find(s, path);

	memmove(&s->e[i], &s->e[i + 1], (s->nr - i - 1) * sizeof(s->e[0]));
	s->nr--;
}

bool model_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(path, dir, n) && (path[n] == '/' || !path[n]);
}

bool model_empty(const struct state *s, const char *dir)
{
	unsigned int i;

	for (i = 0; i < s->nr; i++)
		if (model_below(s->e[i].path, dir) && strcmp(s->e[i].path, dir))
			return false;
	return true;
}

/* Everything at or below `from` goes to `to`, which is not below it; false: too long. */
bool model_move(struct state *s, const char *from, const char *to)
{
	unsigned int i;

	for (i = 0; i < s->nr; i++) {
		char path[2 * PATH_LEN];

		if (!model_below(s->e[i].path, from))
			continue;
		snprintf(path, sizeof(path), "%s%s", to, s->e[i].path + strlen(from));
		if (strlen(path) >= PATH_LEN)
			return false;
		memset(s->e[i].path, 0, PATH_LEN);
		strcpy(s->e[i].path, path);
	}
	qsort(s->e, s->nr, sizeof(s->e[0]), by_path);
	return true;
}

unsigned int model_links(const struct state *s, unsigned int node)
{
	unsigned int i, n = 0;

	for (i = 0; i < s->nr; i++)
		n += s->e[i].node == node;
	return n;
}

void model_touched(struct world *w, unsigned int node)
{
	struct state *s = model_now(w);

	if (s->nr_touched < 8 && node != NOWHERE)
		s->touched[s->nr_touched++] = node;
}

struct data *model_data(struct world *w, const struct data *old, uint32_t size)
{
	struct data *d = calloc(1, sizeof(*d) + size + 1);

	d->size = size;
	if (old)
		memcpy(d->bytes, old->bytes, old->size < size ? old->size : size);
	d->next = w->all_data;
	w->all_data = d;
	return d;
}

uint8_t model_pattern(unsigned int write, uint64_t off)
{
	return (uint8_t)(1 + mix(write * 1000003ull + off / 8 + 1) % 251 + off % 4);
}

uint64_t model_value(unsigned int write, uint8_t *bytes, uint32_t size)
{
	uint32_t i;

	for (i = 0; i < size; i++)
		bytes[i] = model_pattern(write, i);
	return bytes_hash(bytes, size) | 1;
}

static uint64_t data_hash(struct data *d)
{
	if (!d->hash)
		d->hash = bytes_hash(d->bytes, d->size) | 1;
	return d->hash;
}

void model_hash(const struct world *w, struct state *s)
{
	uint64_t hash = 1;
	unsigned int i, k;

	for (i = 0; i < s->nr; i++)
		hash = mix(hash + bytes_hash(s->e[i].path, PATH_LEN) + s->e[i].node);
	for (i = 0; i < w->next_node; i++) {
		const struct node *n = &s->node[i];

		if (n->kind != K_NONE)
			hash = mix(hash + i * 1000003ull + mix(w->ino[i] * 77 + n->mode) * (n->kind + 1u) +
				   (n->data ? data_hash(n->data) : 0));
		for (k = 0; n->kind != K_NONE && k < NR_X; k++)
			if (n->x[k])
				hash = mix(hash + i * 1009ull + k + n->x[k]);
	}
	s->hash = hash;
}
