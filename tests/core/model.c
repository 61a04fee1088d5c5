// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* model.c - what the tree must look like */
#include <stdlib.h>
#include <string.h>
#include "model.h"

static void drop_data(struct model_data *d)
{
	if (d && !--d->refs)
		free(d);
}

static void drop_state(struct model_state *s)
{
	unsigned int i;

	for (i = 0; i < MODEL_NODES; i++)
		drop_data(s->node[i].data);
	free(s);
}

void model_init(struct model *m, uint64_t root_ino)
{
	memset(m, 0, sizeof(*m));
	m->state[0] = calloc(1, sizeof(*m->state[0]));
	m->nr = 1;
	m->state[0]->node[0].kind = MODEL_DIR;
	m->state[0]->node[0].ino = root_ino;
}

void model_free(struct model *m)
{
	while (m->nr)
		drop_state(m->state[--m->nr]);
}

struct model_state *model_step(struct model *m)
{
	struct model_state *s = malloc(sizeof(*s));
	unsigned int i;

	*s = *model_now(m);
	for (i = 0; i < MODEL_NODES; i++)
		if (s->node[i].data)
			s->node[i].data->refs++;
	m->state[m->nr++] = s;
	return s;
}

void model_undo(struct model *m)
{
	drop_state(m->state[--m->nr]);
}

bool model_full(const struct model *m)
{
	return m->nr + MODEL_NODES > MODEL_STATES;	/* a remount may drop every node */
}

struct model_data *model_change(struct model *m, unsigned int node)
{
	struct model_node *n = &model_now(m)->node[node];
	struct model_data *d = calloc(1, sizeof(*d));

	if (n->data) {
		d->size = n->data->size;
		memcpy(d->bytes, n->data->bytes, d->size);
		drop_data(n->data);
	}
	d->refs = 1;
	n->data = d;
	return d;
}

void model_drop(struct model *m, unsigned int node)
{
	struct model_node *n = &model_now(m)->node[node];

	drop_data(n->data);
	memset(n, 0, sizeof(*n));
}

/* Nothing can bring back the states before `first`, nor their contents. */
static void forget_past(struct model *m)
{
	unsigned int keep = m->first, i;

	for (i = 0; i < MODEL_NODES; i++)
		if (m->durable[i] < keep)
			keep = m->durable[i];
	for (i = 0; i < keep; i++)
		drop_state(m->state[i]);
	memmove(m->state, m->state + keep, (m->nr - keep) * sizeof(m->state[0]));
	m->nr -= keep;
	m->first -= keep;
	for (i = 0; i < MODEL_NODES; i++)
		m->durable[i] -= keep;
}

static bool same_names(const struct model_state *a, const struct model_state *b, unsigned int node)
{
	unsigned int i;

	for (i = 0; i < MODEL_NAMES; i++) {
		bool in_a = a->name[i].used && a->name[i].node == node;
		bool in_b = b->name[i].used && b->name[i].node == node;

		if (in_a != in_b || (in_a && memcmp(&a->name[i], &b->name[i], sizeof(a->name[i]))))
			return false;
	}
	return true;
}

/* The newest state that changed the node: its names, or its contents. */
static unsigned int last_change(const struct model *m, unsigned int node)
{
	unsigned int k = m->nr - 1;

	while (k > 0) {
		const struct model_state *a = m->state[k], *b = m->state[k - 1];

		if (a->node[node].kind != b->node[node].kind || a->node[node].xattr != b->node[node].xattr ||
		    a->node[node].flags != b->node[node].flags ||
		    a->node[node].data != b->node[node].data || !same_names(a, b, node))
			break;
		k--;
	}
	return k;
}

/* Overwriting in place makes no record, so only a change of size counts as one. */
static bool made_record(const struct model *m, unsigned int node, unsigned int k)
{
	const struct model_node *a = &m->state[k]->node[node], *b = &m->state[k - 1]->node[node];

	return a->kind != b->kind || a->xattr != b->xattr || a->flags != b->flags || !same_names(m->state[k], m->state[k - 1], node) ||
	       (a->data && b->data && a->data->size != b->data->size);
}

void model_fsynced(struct model *m, unsigned int node)
{
	unsigned int k = last_change(m, node);

	m->durable[node] = m->nr - 1;
	while (k > m->first && !made_record(m, node, k))
		k--;
	if (k > m->first)
		m->first = k;
	forget_past(m);
}

void model_synced(struct model *m)
{
	unsigned int i;

	m->first = m->nr - 1;
	for (i = 0; i < MODEL_NODES; i++)
		m->durable[i] = m->nr - 1;
	forget_past(m);
}

void model_fall_back(struct model *m, unsigned int k)
{
	struct model_state *s;
	unsigned int i;

	while (m->nr > k + 1)
		drop_state(m->state[--m->nr]);
	model_synced(m);
	s = model_now(m);
	for (i = 1; i < MODEL_NODES; i++)
		if (s->node[i].kind != MODEL_NONE && !model_links(s, i))
			model_drop(m, i);
}

unsigned int model_links(const struct model_state *s, unsigned int node)
{
	unsigned int i, n = 0;

	for (i = 0; i < MODEL_NAMES; i++)
		n += s->name[i].used && s->name[i].node == node;
	return n;
}

unsigned int model_subdirs(const struct model_state *s, unsigned int node)
{
	unsigned int i, n = 0;

	for (i = 0; i < MODEL_NAMES; i++)
		n += s->name[i].used && s->name[i].dir == node &&
		     s->node[s->name[i].node].kind == MODEL_DIR;
	return n;
}

/* Does the file reach byte i in state k?  A node that does not exist yet does not. */
static bool reaches(const struct model *m, unsigned int node, unsigned int k, size_t i)
{
	const struct model_node *n = &m->state[k]->node[node];

	return n->kind == MODEL_FILE && i < n->data->size;
}

static bool byte_fits(const struct model *m, unsigned int node, unsigned int k, size_t i,
		      uint8_t byte)
{
	unsigned int j;

	for (j = k + 1; j-- > m->durable[node] && reaches(m, node, j, i);)
		if (m->state[j]->node[node].data->bytes[i] == byte)
			return true;
	for (j = k + 1; j < m->nr && reaches(m, node, j, i); j++)
		if (m->state[j]->node[node].data->bytes[i] == byte)
			return true;
	return false;
}

bool model_bytes_fit(const struct model *m, unsigned int node, unsigned int k,
		     const uint8_t *bytes, size_t *where)
{
	const struct model_data *d;
	size_t i;

	if (k < m->durable[node])
		k = m->durable[node];	/* of equal size, else an fsync had counted it */
	d = m->state[k]->node[node].data;
	if (!memcmp(bytes, d->bytes, d->size))
		return true;
	for (i = 0; i < d->size; i++)
		if (bytes[i] != d->bytes[i] && !byte_fits(m, node, k, i, bytes[i])) {
			*where = i;
			return false;
		}
	return true;
}
