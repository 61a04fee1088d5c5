// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* run.c - runs a workload, recorded, and has its crashes explored */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "medium/fault.h"
#include "run.h"

static const struct op umount = { .kind = OP_UMOUNT };

double clock_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

bool finished(const struct run *r)
{
	return r->failures >= r->stop || (r->deadline > 0 && clock_seconds() > r->deadline);
}

/* ---- Telling ---- */

static void workload_text(const struct op *op, unsigned int nr, char *out, size_t size)
{
	size_t n = 0;
	unsigned int i;

	out[0] = 0;
	for (i = 0; i < nr && n < size; i++) {
		char one[100];

		op_print(&op[i], one, sizeof(one));
		n += (size_t)snprintf(out + n, size - n, "%s%s", i ? "; " : "", one);
	}
}

/* The command begins with the options that decide which states are built, and how. */
static void report(struct run *r, const struct op *op, unsigned int nr, const char *why)
{
	static char text[MAX_OPS * 100];
	const struct options *o = &r->opt;

	workload_text(op, nr, text, sizeof(text));
	r->failures++;
	printf("# FAILED in mode %s, setup %s, state %s: %s\n", mode_name[r->mode], r->setup->name,
	       r->x.failed[0] ? r->x.failed : "-", why);
#ifdef VMEM_FAULTS
	printf("#   build/tests/crash-faults --fault %d", (int)vmem_fault);
#else
	printf("#   build/tests/crash");
#endif
	printf(" --seed %llu --every %u --vectors %u --behind %u --cuts %u%s%s -v --replay %s %s '%s' %s\n",
	       (unsigned long long)o->seed, o->every, o->vectors, o->behind, o->cuts,
	       o->two_flushes ? " --two-flushes" : "", o->thin ? " --thin" : "", mode_name[r->mode], r->setup->name, text, r->x.failed);
	fflush(stdout);
}

/* ---- One workload ---- */

/* Run the operations, recorded; the last one unmounts.  RUN_INVALID: one makes no sense. */
static enum run_result record(struct run *r, const struct op *op, unsigned int nr)
{
	struct world *w = &r->world;
	enum run_result result = RUN_OK;
	unsigned int i;
	int err;

	w->trusting = r->workloads % r->verify != 0;
	machine_forget(&r->live);
	machine_record_again(&r->live, &r->trace, r->start_image);
	r->live.clock = 2000000000;
	r->live.rng = 1000;
	err = world_begin(w, &r->start);
	if (err) {
		snprintf(w->why, sizeof(w->why), "mount: error %d (%s)", -err, r->live.last_log);
		return RUN_FAILED;
	}
	for (i = 0; i < nr && result == RUN_OK; i++)
		result = world_run(w, &op[i]);
	if (result == RUN_OK)
		result = world_run(w, &umount);
	machine_stop_recording(&r->live);
	if (result == RUN_OK && (w->trusting ? machine_met_hole(&r->live) : machine_check(&r->live) != 0)) {
		snprintf(w->why, sizeof(w->why), "check without any failure: %s", r->live.finding);
		return RUN_FAILED;
	}
	return result;
}

/* Hash of the trace up to event i, given that up to the one before. */
static uint64_t next_hash(const struct run *r, uint64_t hash, size_t i)
{
	const struct trace *t = &r->trace;
	const struct event *e = &t->ev[i];
	size_t end = i + 1 < t->nr ? t->ev[i + 1].data : t->nr_bytes;

	hash = mix(hash + (uint64_t)e->kind * 7 + mix((uint64_t)e->off << 32 | e->len));
	if (end > e->data)
		hash = mix(hash + bytes_hash(t->bytes + e->data, end - e->data));
	if (e->kind == EV_BEGIN)
		hash = mix(hash + bytes_hash(&r->world.op[e->off], sizeof(struct op)));
	return hash;
}

/*
 * How much of the trace is what another workload had, to the byte: its crash
 * points were explored then.  explored: it is now.
 */
static size_t known_prefix(struct run *r, bool explored)
{
	uint64_t hash = 1;
	size_t i, from = 0;

	for (i = 0; i < r->trace.nr; i++) {
		hash = next_hash(r, hash, i);
		if (r->trace.ev[i].kind != EV_DONE)
			continue;
		if (explored)
			set_add(&r->memory.prefixes, hash);
		else if (set_has(&r->memory.prefixes, hash))
			from = i + 1;
	}
	return from;
}

static bool explore_trace(struct run *r)
{
	struct explorer *x = &r->x;
	size_t from = r->only ? 0 : known_prefix(r, false);

	if (r->opt.verbose)
		explorer_print(&r->world, &r->trace, 0);
	x->only = r->only;
	x->generation = r->live.store.generation[1];
	x->id[0] = 0;
	if (!explore(x, &r->world, &r->trace, from, r->mode, r->mode == MODE_HOST ? MODE_KILL : r->mode, NULL))
		return false;
	known_prefix(r, true);
	return true;
}

bool try_ops(struct run *r, const struct op *ops, unsigned int nr_ops)
{
	static struct op op[2 * MAX_OPS];
	int nr = ops_parse(r->setup->prelude, op, MAX_OPS);
	enum run_result result;

	memcpy(&op[nr], ops, nr_ops * sizeof(*op));
	result = record(r, op, (unsigned int)nr + nr_ops);
	r->x.failed[0] = 0;
	if (result == RUN_INVALID)
		return false;
	r->workloads++;
	if (result == RUN_FAILED)
		report(r, ops, nr_ops, r->world.why);
	else if (!explore_trace(r))
		report(r, ops, nr_ops, r->x.why);
	return true;
}

/* ---- Setups ---- */

static void forget_all(struct memory *m)
{
	set_clear(&m->prefixes);
	set_clear(&m->states);
	set_clear(&m->results);
	set_clear(&m->pairs);
}

bool begin_setup(struct run *r, const struct setup *setup)
{
	static struct op op[MAX_OPS];
	struct vmem_mkfs_params p = {
		.size = FS_SIZE, .max_size = setup->one_group ? IMAGE_SIZE : 0,
		.label = "crash", .log_blocks = 64, .now = 1, .log_seed = 7,
	};
	int nr = ops_parse(setup->text, op, MAX_OPS), i;
	enum run_result result = RUN_OK;

	r->setup = setup;
	forget_all(&r->memory);
	machine_forget(&r->live);
	machine_set_mode(&r->live, r->mode);
	memset(r->live.image, r->live.thin ? 0 : 0xa5, IMAGE_SIZE);
	r->live.rng = 1;
	world_free(&r->start);
	world_init(&r->start, &r->live, r->mode);
	if (vmem_mkfs(&r->live.store, &r->live.env, &p) || world_begin(&r->start, NULL)) {
		printf("# mkfs: %s\n", r->live.last_log);
		return false;
	}
	for (i = 0; i < nr && result == RUN_OK; i++)
		result = world_run(&r->start, &op[i]);
	if (result == RUN_OK)
		result = world_run(&r->start, &umount);
	if (nr < 0 || result != RUN_OK || machine_check(&r->live)) {
		printf("# setup %s failed: %s %s\n", setup->name, r->start.why, r->live.finding);
		r->failures++;
		return false;
	}
	memcpy(r->start_image, r->live.image, IMAGE_SIZE);
	machine_load(&r->live, r->start_image);
	machine_record(&r->live, &r->trace, false);
	machine_stop_recording(&r->live);
	explorer_load(&r->x, r->start_image);
	return true;
}

/* ---- Making ---- */

void run_init(struct run *r)
{
	machine_init(&r->live);
	r->live.two_flushes = r->opt.two_flushes;
	r->live.thin = r->opt.thin;
	explorer_init(&r->x, &r->opt, &r->memory, 0);
	r->start_image = calloc(1, IMAGE_SIZE);
	world_init(&r->world, &r->live, r->mode);
}

void run_free(struct run *r)
{
	explorer_free(&r->x);
	world_free(&r->world);
	world_free(&r->start);
	trace_free(&r->trace);
	set_free(&r->memory.prefixes);
	set_free(&r->memory.states);
	set_free(&r->memory.results);
	set_free(&r->memory.pairs);
	free(r->start_image);
	machine_free(&r->live);
}
