// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* sets.c - sets of workloads */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "run.h"

#define MAX_LENGTH	6u	/* three operations, each with a sync behind it */

/* ---- Every sequence of so many operations ---- */

struct words {
	struct op op[MAX_VOCABULARY];
	unsigned int nr;
	unsigned int length;	/* operations of a sequence */
	bool sync;		/* with every kind of sync, or none, behind each */
};

static void extend(struct run *r, const struct words *v, struct op *seq, unsigned int n,
		   unsigned int left);

/* One in so many, if only a sample is wanted. */
static bool try_sequence(struct run *r, const struct op *seq, unsigned int n)
{
	if (r->sample > 1 && mix(r->counter++ + r->opt.seed * 77) % r->sample)
		return true;
	return try_ops(r, seq, n);
}

/* seq ends with a new operation: everything that begins with it. */
static void begin_with(struct run *r, const struct words *v, struct op *seq, unsigned int n,
		       unsigned int left)
{
	struct op sync[4];
	unsigned int nr, i;

	if (!try_sequence(r, seq, n))
		return;
	if (left)
		extend(r, v, seq, n, left);
	nr = v->sync ? persistence(&seq[n - 1], sync, 4) : 0;
	for (i = 0; i < nr && !finished(r); i++) {
		seq[n] = sync[i];
		if (try_sequence(r, seq, n + 1) && left)
			extend(r, v, seq, n + 1, left);
	}
}

static void extend(struct run *r, const struct words *v, struct op *seq, unsigned int n,
		   unsigned int left)
{
	unsigned int i;

	for (i = 0; i < v->nr && !finished(r); i++) {
		seq[n] = v->op[i];
		begin_with(r, v, seq, n + 1, left - 1);
	}
}

/* ---- Units ---- */

static void tell(struct run *r, const struct unit *u, const struct words *v)
{
	const struct counts *c = &r->memory.count;
	double now = clock_seconds();

	if (!r->progress || now < r->told + 5)
		return;
	r->told = now;
	fprintf(stderr, "%s %s, setup %s, operation %u of %u: %llu workloads, %llu states, %llu violations, %.0f s\n",
		u->set, mode_name[u->mode], u->setup, u->first + 1, v->nr, (unsigned long long)r->workloads,
		(unsigned long long)c->states, (unsigned long long)r->failures, now - r->began);
}

static void run_units(struct run *r, const char *set, const struct words *v)
{
	struct unit u = { set, r->mode, r->setup->name, 0 };
	struct op seq[MAX_LENGTH];

	for (u.first = 0; u.first < v->nr && !finished(r); u.first++) {
		struct counts before = r->memory.count;
		uint64_t workloads = r->workloads, failures = r->failures;
		clock_t cpu = clock();

		tell(r, &u, v);
		if (unit_done(r, &u))
			continue;
		seq[0] = v->op[u.first];
		begin_with(r, v, seq, 1, v->length - 1);
		if (!finished(r))
			unit_note(r, &u, &before, workloads, failures, (double)(clock() - cpu) / CLOCKS_PER_SEC);
	}
}

static void set_sequences(struct run *r, const char *set, const char *setup)
{
	static struct words v;
	unsigned int i;

	v.length = !strcmp(set, "one") ? 1 : !strcmp(set, "two") ? 2 : 3;
	v.sync = v.length < 3;
	v.nr = v.length < 3 ? vocabulary(v.op) : metadata_vocabulary(v.op);
	for (i = 0; i < nr_setups && !finished(r); i++)
		if ((!setup || !strcmp(setup, setups[i].name)) && v.length <= setups[i].longest &&
		    begin_setup(r, &setups[i]))
			run_units(r, set, &v);
}

/* ---- Random ---- */

/* The operations of a random workload are found by running them. */
static unsigned int make_random(struct run *r, uint64_t seed, struct op *op)
{
	uint64_t rng = mix(seed) << 20;
	unsigned int nr = 0, tries;

	machine_forget(&r->live);
	machine_record_again(&r->live, &r->trace, r->start_image);
	machine_stop_recording(&r->live);
	if (world_begin(&r->world, &r->start))
		return 0;
	for (tries = 0; tries < 20 * r->steps && nr < r->steps && nr < MAX_OPS; tries++) {
		enum run_result result;

		random_op(&r->world, &rng, &op[nr]);
		result = world_run(&r->world, &op[nr]);
		nr += result != RUN_INVALID;
		if (result == RUN_FAILED)
			break;
	}
	return nr;
}

static void set_random(struct run *r)
{
	static const char *const from[] = { "standard", "handles", "wrap", "full", "empty", "full-leaf",
					    "epoch", "brim" };
	static struct op op[MAX_OPS + 1];
	uint64_t seed;

	for (seed = r->opt.seed; !finished(r) && (!r->count || seed - r->opt.seed < r->count); seed++) {
		if (!begin_setup(r, find_setup(from[seed % 8])))
			return;
		try_ops(r, op, make_random(r, seed, op));
	}
}

static void set_list(struct run *r, const struct known *list, unsigned int nr)
{
	static struct op op[MAX_OPS];
	unsigned int i;

	for (i = 0; i < nr && !finished(r); i++)
		if (begin_setup(r, find_setup(list[i].setup)))
			try_ops(r, op, (unsigned int)ops_parse(list[i].text, op, MAX_OPS));
}

/* ---- A set ---- */

static void print_result(struct run *r, const char *set, uint64_t failures)
{
	const struct counts *c = &r->memory.count;

	printf("%s %s %s workloads %llu states %llu judged %llu failures %llu seconds %.1f "
	       "results %llu depth1 %llu depth2 %llu depth3 %llu\n",
	       failures ? "fail" : "pass", set, mode_name[r->mode], (unsigned long long)r->workloads,
	       (unsigned long long)c->states, (unsigned long long)c->judged, (unsigned long long)failures,
	       clock_seconds() - r->began, (unsigned long long)c->used, (unsigned long long)c->deep[1],
	       (unsigned long long)c->deep[2], (unsigned long long)c->deep[3]);
	fflush(stdout);
}

bool run_set(struct run *r, const char *set, const char *setup)
{
	uint64_t failures = r->failures;

	r->workloads = 0;
	memset(&r->memory.count, 0, sizeof(r->memory.count));
	r->counter = 0;
	r->began = clock_seconds();
	r->deadline = r->seconds > 0 ? r->began + r->seconds : 0;
	if (!strcmp(set, "random"))
		set_random(r);
	else if (!strcmp(set, "known"))
		set_list(r, known, nr_known);
	else if (!strcmp(set, "grow"))
		set_list(r, growing, nr_growing);
	else if (!strcmp(set, "one") || !strcmp(set, "two") || !strcmp(set, "three"))
		set_sequences(r, set, setup);
	else
		return false;
	print_result(r, set, r->failures - failures);
	return true;
}
