// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* crash.c - failures: behind a run, and within it */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fs/fs.h"
#include "pair.h"
#include "world_internal.h"

/* ---- Behind it ---- */

static enum mode recovering(enum mode mode)
{
	return mode == MODE_HOST ? MODE_KILL : mode;
}

/* What survives for sure, and nothing else. */
static void build_durable(struct explorer *x)
{
	unsigned int i;

	state_begin(x);
	for (i = 0; i < x->nr_dirty; i++)
		memcpy(state_change(x, x->dirty_list[i] * PAGE), x->durable + (size_t)x->dirty_list[i] * PAGE, PAGE);
	for (i = 0; i < x->nr_lines; i++)
		memcpy(state_change(x, x->lines[i] * LINE), x->durable + (size_t)x->lines[i] * LINE, LINE);
}

static uint64_t no_hash(const struct explorer *x)
{
	(void)x;
	return 0;
}

/* Pages that an fsync found dirty are durable, unless they were stored to again. */
static bool promises_kept(struct lab *l)
{
	char detail[100];
	unsigned int i;

	for (i = 0; i < vfs.nr_promised && (l->mode == MODE_HOST || l->mode == MODE_PMEM); i++) {
		const struct promise *p = &vfs.promised[i];

		if (bytes_hash(l->m.image + p->pblk * PAGE, PAGE) != p->hash ||
		    bytes_hash(l->x.durable + p->pblk * PAGE, PAGE) == p->hash)
			continue;
		snprintf(detail, sizeof(detail), "block %llu", (unsigned long long)p->pblk);
		return lab_fail(l, "fsync returned 0, but what was stored through the mapping is not durable", detail);
	}
	return true;
}

bool crash_at_end(struct lab *l, struct tree *t)
{
	static const struct other_judge none = { NULL, no_hash };	/* no state is built */
	static struct world nobody;
	struct explorer *x = &l->x;
	struct vmem_fs *fs;

	if (!nobody.s[0])
		world_init(&nobody, &l->m, l->mode);
	x->only = NULL;
	x->other = &none;
	if (!explore(x, &nobody, &l->trace, l->trace.nr, l->mode, recovering(l->mode), NULL))
		return lab_fail(l, x->why, "");
	if (!promises_kept(l))
		return false;
	if (vfs.spoiled)
		return true;
	build_durable(x);
	x->test.clock = 5000000000;
	x->test.store.generation[1] = (uint8_t)(l->m.store.generation[1] + (l->mode == MODE_HOST || l->mode == MODE_PMEM));
	if (machine_mount(&x->test, recovering(l->mode), &fs))
		return lab_fail(l, "mount after a failure", x->test.last_log);
	if (!tree_read(t, fs))
		return lab_fail(l, "reading after a failure", x->test.last_log[0] ? x->test.last_log : t->why);
	machine_forget(&x->test);
	return true;
}

/* ---- Within it ---- */

/* How many operations of each thread had begun, and were durable, at an event. */
struct progress {
	unsigned int begun[THREADS], done[THREADS];
	bool durable[THREADS][MAX_PROGRAM];
};

static struct lab *lab;			/* whose run is looked at */

static unsigned int thread_of(const struct event *e)
{
	return e->off / MAX_PROGRAM;
}

static const struct operation_text *op_of(const struct lab *l, const struct event *e)
{
	return &l->program[thread_of(e)].op[e->off % MAX_PROGRAM];
}

/* What the operation, which began at event `from`, makes durable: of what was done by then. */
static void note_synced(const struct lab *l, const struct trace *t, size_t from, const struct operation_text *o,
			struct progress *p)
{
	size_t i;

	for (i = 0; i < from; i++) {
		const struct event *e = &t->ev[i];

		if (e->kind == EV_DONE && (o->kind == DO_SYNC || o->kind == DO_FREEZE ||
					   !strcmp(op_of(l, e)->a, o->a)))
			p->durable[thread_of(e)][e->off % MAX_PROGRAM] = true;
	}
}

static bool syncs(const struct operation_text *o)
{
	return o->kind == DO_SYNC || o->kind == DO_FREEZE || o->kind == DO_FSYNC;
}

static void progress_at(const struct explorer *x, struct progress *p)
{
	size_t began[THREADS] = { 0 }, i;

	memset(p, 0, sizeof(*p));
	for (i = 0; i <= x->at && i < x->t->nr; i++) {
		const struct event *e = &x->t->ev[i];

		if (e->kind == EV_BEGIN) {
			p->begun[thread_of(e)]++;
			began[thread_of(e)] = i;
		} else if (e->kind == EV_DONE) {
			p->done[thread_of(e)]++;
			if (x->mode != MODE_HOST)
				p->durable[thread_of(e)][e->off % MAX_PROGRAM] = true;
			else if (syncs(op_of(lab, e)))
				note_synced(lab, x->t, began[thread_of(e)], op_of(lab, e), p);
		}
	}
}

static uint64_t progress_hash(const struct explorer *x)
{
	struct progress p;

	progress_at(x, &p);
	return mix(bytes_hash(&p, sizeof(p)) + lab->count.pairs);
}

static bool node_differs(const struct world *w, unsigned int i, unsigned int node)
{
	const struct node *a = &w->s[i]->node[node], *b = &w->s[i + 1]->node[node];

	return a->kind != b->kind || a->mode != b->mode || !a->data != !b->data ||
	       (a->data && (a->data->size != b->data->size || memcmp(a->data->bytes, b->data->bytes, a->data->size)));
}

/* What this order allows at the event; false: it cannot be this order. */
static bool order_allows(const struct explorer *x, const struct outcome *o, const struct world *w,
			 const struct progress *p, struct allowed *a)
{
	unsigned int count[THREADS] = { 0 }, i, node;
	bool all_begun = true;

	memset(a, 0, sizeof(*a));
	a->host = x->mode == MODE_HOST;
	for (i = 0; o->order[i]; i++) {
		unsigned int t = (unsigned int)(o->order[i] - 'A'), op = count[t]++;

		all_begun &= op < p->begun[t];
		if (all_begun)
			a->hi = i + 1;
		if (!p->durable[t][op])
			continue;
		a->lo = i + 1;
		for (node = 0; node < w->next_node; node++)
			if (node_differs(w, i, node))
				a->dur[node] = i + 1;
	}
	a->label = labels_before(w, a->lo);
	return a->lo <= a->hi;
}

static bool some_order_allows(struct explorer *x)
{
	static struct allowed a;
	struct progress p;
	char why[300] = "";
	unsigned int k;

	progress_at(x, &p);
	for (k = 0; k < lab->nr_orders; k++) {
		if (lab->order[k].without >= 0 || !order_allows(x, &lab->order[k], lab->worlds[k], &p, &a))
			continue;
		if (tree_allowed(&x->tree, lab->worlds[k], &a))
			return true;
		memcpy(why, x->tree.why, sizeof(why));
	}
	memcpy(x->tree.why, why, sizeof(why));
	return false;
}

bool crash_within(struct lab *l)
{
	static const struct other_judge judge = { some_order_allows, progress_hash };
	static struct world nobody;
	struct explorer *x = &l->x;

	lab = l;
	x->other = &judge;
	x->only = l->only;
	x->generation = l->m.store.generation[1];
	x->id[0] = 0;
	if (explore(x, &nobody, &l->trace, 0, l->mode, recovering(l->mode), NULL))
		return true;
	snprintf(l->state, sizeof(l->state), "%s", x->failed);
	return lab_fail(l, "a failure meanwhile", x->why);
}

/* ---- What each order is, step by step ---- */

static unsigned int node_of(struct world *w, uint64_t ino)
{
	unsigned int i;

	for (i = 0; i < w->next_node; i++)
		if (w->ino[i] == ino)
			return i;
	w->ino[w->next_node] = ino;
	return w->next_node++;
}

static void state_from(struct world *w, unsigned int nr, const struct tree *t)
{
	struct state *s;
	unsigned int i;

	if (!w->s[nr])
		w->s[nr] = malloc(sizeof(*w->s[0]));
	s = w->s[nr];
	memset(s, 0, sizeof(*s));
	s->node[0] = (struct node){ .kind = K_DIR, .mode = 0755 };
	for (i = 0; i < t->nr; i++) {
		const struct seen *x = &t->s[i];
		unsigned int node = node_of(w, x->ino);

		memcpy(s->e[i].path, x->path, PATH_LEN);
		s->e[i].node = node;
		s->node[node].kind = x->kind;
		s->node[node].mode = x->mode;
		if (x->kind == K_DIR || s->node[node].data)
			continue;
		s->node[node].data = model_data(w, NULL, (uint32_t)x->size);
		memcpy(s->node[node].data->bytes, t->bytes + x->data, x->size);
	}
	s->nr = t->nr;
	w->nr = nr;
}

/* What the model of bytes and labels must know of the operation behind state i. */
static void note_op(struct world *w, unsigned int i, const struct operation_text *o)
{
	static const enum op_kind kinds[NR_OPERATIONS] = {
		[DO_LABEL] = OP_LABEL, [DO_FALLOC] = OP_FALLOC, [DO_FALLOC_KEEP] = OP_FALLOC_KEEP, [DO_PUNCH] = OP_PUNCH,
		[DO_ZERO] = OP_ZERO, [DO_COLLAPSE] = OP_COLLAPSE, [DO_INSERT] = OP_INSERT,
	};
	unsigned int k;

	memset(&w->op[i], 0, sizeof(w->op[i]));
	w->op[i].kind = kinds[o->kind];
	w->op[i].off = o->off;
	w->op[i].from_end = o->from_end;
	w->op[i].len = o->len;
	w->node_of_op[i] = NOWHERE;
	for (k = 0; k < w->s[i]->nr; k++)
		if (!strcmp(w->s[i]->e[k].path, o->a))
			w->node_of_op[i] = w->s[i]->e[k].node;
}

/* The tree behind the first nr operations of an order. */
static bool tree_behind(struct lab *l, const struct outcome *o, unsigned int nr, struct tree *t)
{
	struct schedule s = { .stop = nr };

	memcpy(s.order, o->order, sizeof(s.order));
	if (nr ? !lab_run(l, &s) : !lab_restore(l))
		return false;
	return tree_read(t, vfs.fs) || lab_fail(l, "reading the tree of an order", t->why);
}

bool crash_load(struct lab *l)
{
	unsigned int k, i, count[THREADS];
	static struct tree t;

	for (k = 0; k < l->nr_orders; k++) {
		struct outcome *o = &l->order[k];
		struct world *w = l->worlds[k];

		if (o->without >= 0)
			continue;
		if (!w)
			w = l->worlds[k] = calloc(1, sizeof(*w));
		while (w->all_data) {
			struct data *d = w->all_data;

			w->all_data = d->next;
			free(d);
		}
		w->next_node = 1;
		w->ino[0] = VMEM_ROOT_INO;
		memset(count, 0, sizeof(count));
		for (i = 0; i < strlen(o->order); i++) {
			unsigned int thread = (unsigned int)(o->order[i] - 'A');

			if (!tree_behind(l, o, i, &t))
				return false;
			state_from(w, i, &t);
			note_op(w, i, &l->program[thread].op[count[thread]++]);
		}
		state_from(w, i, &o->tree);
	}
	return true;
}
