// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* pair.c - snapshots, runs, and the orders that results are compared with */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fs/fs.h"
#include "pair.h"

static struct lab *lab;			/* whose programs the threads run */

bool lab_fail(struct lab *l, const char *what, const char *detail)
{
	if (!l->why[0])
		snprintf(l->why, sizeof(l->why), "%s%s%s", what, detail[0] ? ": " : "", detail);
	return false;
}

/* ---- Snapshots ---- */

static bool run_text(struct lab *l, const char *text)
{
	static struct program p;
	unsigned int i;

	if (!program_parse(text, &p))
		return lab_fail(l, "bad operation", text);
	for (i = 0; i < p.nr; i++) {
		struct program one = { .nr = 1 };
		struct answer a = operation_run(&p.op[i]);
		char what[100], detail[400];

		if (a.result >= 0)
			continue;
		one.op[0] = p.op[i];
		program_print(&one, what, sizeof(what));
		snprintf(detail, sizeof(detail), "error %lld (%s)", (long long)-a.result, l->m.last_log);
		return lab_fail(l, what, detail);
	}
	return true;
}

static bool mount(struct lab *l)
{
	struct vmem_fs *fs;

	hooks_forget_locks();
	if (machine_mount(&l->m, l->mode, &fs))
		return lab_fail(l, "mount", l->m.last_log);
	if (l->store == STORE_THIN || l->store == STORE_NO_DISCARD)
		vmem_set_discard(fs, true);
	vfs_begin(&l->m, fs);
	sched.watched = fs->lock;
	return true;
}

static bool unmount(struct lab *l)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < NR_HANDLES && !err; i++)
		if (vfs.handle[i])
			err = vnode_put(vfs.handle[i]);
	if (!err)
		err = vfs_shrink();
	if (!err)
		err = vmem_umount(vfs.fs);
	vfs.fs = NULL;
	return !err || lab_fail(l, "unmount", l->m.last_log);
}

/* The session from its mount to the snapshot, recorded. */
static bool begin_session(struct lab *l)
{
	unsigned int i;

	l->m.clock = 1000000000;
	l->m.rng = 1000;
	if (!mount(l) || !run_text(l, l->start->prelude))
		return false;
	for (i = 0; i < VNODES; i++)
		vfs.node[i].nr_mtimes = 0;
	return true;
}

static void take_snapshot(struct lab *l)
{
	struct snapshot *s = &l->snap;
	uint32_t p;

	memcpy(s->image, l->m.image, IMAGE_SIZE);
	s->vfs = vfs;
	hooks_keep_locks();
	s->arena_used = l->m.arena_used;
	if (l->m.arena) {
		s->arena = realloc(s->arena, s->arena_used);
		memcpy(s->arena, l->m.arena, s->arena_used);
	}
	s->clock = l->m.clock;
	s->rng = l->m.rng;
	s->live = l->m.live;
	memcpy(s->provided, l->m.provided, sizeof(s->provided));
	for (p = 0; p < PAGES; p++)
		hash_page(&s->hashes, &l->layout, l->m.env.crc32c, p, s->image + (size_t)p * PAGE);
	machine_load(&l->m, s->image);
	machine_record(&l->m, &l->trace, false);
	explorer_load(&l->x, s->image);
}

/* All but the buffers of a transaction, whose contents count for nothing between two. */
static void restore_arena(struct lab *l)
{
	const struct vmem_txn *t = &l->snap.vfs.fs->txn;
	size_t lo = (size_t)(VMEM_MIN(t->buf, t->undo) - l->m.arena);
	size_t hi = (size_t)(VMEM_MAX(t->buf + VMEM_TXN_BYTES, t->undo + 2 * VMEM_TXN_BYTES) - l->m.arena);

	/* They lie side by side: fs->scratch follows. */
	memcpy(l->m.arena, l->snap.arena, lo);
	memcpy(l->m.arena + hi, l->snap.arena + hi, l->snap.arena_used - hi);
	l->m.arena_used = l->snap.arena_used;
}

bool lab_restore(struct lab *l)
{
	const struct snapshot *s = &l->snap;

	l->why[0] = 0;
	l->state[0] = 0;
	l->m.last_log[0] = 0;
	if (l->m.arena) {
		machine_record_again(&l->m, &l->trace, s->image);
		restore_arena(l);
		vfs = s->vfs;
		l->m.live = s->live;
		l->m.mounted = true;
		l->m.hole = -1;
		memcpy(l->m.provided, s->provided, sizeof(s->provided));
		sched.watched = vfs.fs->lock;
		hooks_restore_locks();
	} else {
		machine_stop_recording(&l->m);
		machine_forget(&l->m);
		machine_load(&l->m, l->base);
		if (!begin_session(l))
			return false;
		machine_load(&l->m, s->image);
		machine_record(&l->m, &l->trace, false);
	}
	l->m.clock = s->clock;
	l->m.rng = s->rng;
	hooks_forget_times();
	return true;
}

/* ---- Beginning ---- */

static bool make_base(struct lab *l)
{
	struct vmem_mkfs_params p = {
		.size = FS_SIZE, .max_size = IMAGE_SIZE, .label = "crash", .log_blocks = 64, .now = 1, .log_seed = 7,
	};

	machine_stop_recording(&l->m);
	machine_forget(&l->m);
	memset(l->m.image, l->m.thin ? 0 : 0xa5, IMAGE_SIZE);
	l->m.rng = 1;
	l->m.clock = 1000;
	if (vmem_mkfs(&l->m.store, &l->m.env, &p))
		return lab_fail(l, "mkfs", l->m.last_log);
	if (!mount(l) || !run_text(l, l->start->text) || !unmount(l))
		return false;
	if (machine_check(&l->m))
		return lab_fail(l, "check of the setup", l->m.finding);
	memcpy(l->base, l->m.image, IMAGE_SIZE);
	machine_forget(&l->m);
	return true;
}

bool lab_begin(struct lab *l, enum mode mode, enum store_kind store, const struct start *start)
{
	l->mode = mode;
	l->store = store;
	l->start = start;
	l->why[0] = 0;
	hooks_set(&l->m, mode, store);
	l->opt.thin = l->m.thin;
	l->x.test.thin = l->m.thin;
	l->x.test.two_flushes = l->m.two_flushes;
	set_clear(&l->results);
	set_clear(&l->memory.states);
	set_clear(&l->memory.results);
	set_clear(&l->memory.pairs);
	if (!make_base(l))
		return false;
	layout_read(&l->layout, l->base);
	machine_load(&l->m, l->base);
	if (!begin_session(l))
		return false;
	if (vfs.why[0])
		return lab_fail(l, "setup", vfs.why);
	take_snapshot(l);
	return true;
}

/* ---- Running ---- */

static void mark(enum event_kind kind, unsigned int thread, unsigned int op)
{
	trace_add(&lab->trace, kind, thread * MAX_PROGRAM + op, 0, NULL, 0);
}

static void body(unsigned int thread)
{
	const struct program *p = &lab->program[thread];
	unsigned int i;

	for (i = 0; i < p->nr; i++) {
		sched_operation();
		mark(EV_BEGIN, thread, i);
		lab->now.answer[thread][i] = operation_run(&p->op[i]);
		mark(EV_DONE, thread, i);
	}
}

bool lab_run(struct lab *l, const struct schedule *s)
{
	unsigned int i;

	lab = l;
	memset(l->now.answer, 0, sizeof(l->now.answer));
	if (!lab_restore(l))
		return false;
	l->count.schedules++;
	l->number = s->first + 1;
	for (i = 0; i < s->nr; i++)
		l->number = l->number * 10007 + s->at[i];
	l->by_sync = mix(l->number) & 1;
	if (!sched_run(s, body))
		return lab_fail(l, "locks", sched.why);
	l->count.steps += sched.nr_steps;
	return true;
}

bool lab_try(struct lab *l, const struct schedule *s)
{
	return lab_run(l, s) && judge_run(l, false);
}

/* ---- Orders of whole operations ---- */

static bool add_orders(struct lab *l, char *order, unsigned int a, unsigned int b)
{
	unsigned int n = (unsigned int)strlen(order);
	struct outcome *o = &l->order[l->nr_orders];
	bool ok = true;

	if (a || b) {
		if (a) {
			strcpy(order + n, "A");
			ok = add_orders(l, order, a - 1, b);
		}
		if (b && ok) {
			strcpy(order + n, "B");
			ok = add_orders(l, order, a, b - 1);
		}
		order[n] = 0;
		return ok;
	}
	if (l->nr_orders == MAX_ORDERS)
		return lab_fail(l, "too many orders", order);
	memcpy(o->order, order, sizeof(o->order));
	o->without = -1;
	l->nr_orders++;
	return true;
}

/* A path is no lock: what it led to may have been renamed when the operation gets there. */
static void add_failing(struct lab *l)
{
	unsigned int t;

	for (t = 0; t < THREADS; t++)
		if (l->program[0].nr != 1 || l->program[1].nr != 1 ||
		    (l->program[!t].op[0].kind != DO_RENAME && l->program[!t].op[0].kind != DO_EXCHANGE &&
		     l->program[!t].op[0].kind != DO_WHITEOUT) ||
		    l->nr_orders == MAX_ORDERS)
			continue;
		else {
			struct outcome *o = &l->order[l->nr_orders++];

			snprintf(o->order, sizeof(o->order), "%c", 'A' + (int)!t);
			o->without = (int)t;
		}
}

static void swap_trees(struct tree *a, struct tree *b)
{
	struct tree t = *a;

	*a = *b;
	*b = t;
}

bool lab_load(struct lab *l, const struct program *a, const struct program *b)
{
	char order[MAX_ORDER + 1] = "";
	unsigned int i;

	l->why[0] = 0;
	l->program[0] = *a;
	l->program[1] = *b;
	l->nr_orders = 0;
	if (a->nr + b->nr > MAX_ORDER)
		return lab_fail(l, "too many operations", "");
	if (!add_orders(l, order, a->nr, b->nr))
		return false;
	add_failing(l);
	for (i = 0; i < l->nr_orders; i++) {
		struct outcome *o = &l->order[i];
		struct schedule s = { 0 };

		l->loading = i;
		memcpy(s.order, o->order, sizeof(s.order));
		s.stop = o->without < 0 ? 0 : 1;
		if (!lab_run(l, &s) || !judge_run(l, true))
			return false;
		memcpy(o->answer, l->now.answer, sizeof(o->answer));
		o->handles = l->now.handles;
		swap_trees(&o->tree, &l->now.tree);
	}
	l->count.pairs++;
	return !crash_wanted(l) || crash_load(l);
}

/* ---- Making ---- */

void lab_init(struct lab *l)
{
	machine_init(&l->m);
	l->base = malloc(IMAGE_SIZE);
	l->snap.image = malloc(IMAGE_SIZE);
	explorer_init(&l->x, &l->opt, &l->memory, MAX_DEPTH - 1);
}

void lab_free(struct lab *l)
{
	unsigned int i;

	explorer_free(&l->x);
	machine_free(&l->m);
	free(l->base);
	free(l->snap.image);
	free(l->snap.arena);
	trace_free(&l->trace);
	free(l->now.tree.bytes);
	for (i = 0; i < MAX_ORDERS; i++)
		free(l->order[i].tree.bytes);
	set_free(&l->results);
	set_free(&l->memory.states);
	set_free(&l->memory.results);
	set_free(&l->memory.pairs);
}
