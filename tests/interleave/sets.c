// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* sets.c - pairs and their schedules, by sets */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "medium/fault.h"
#include "sets.h"

double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

bool finished(const struct run *r)
{
	return r->lab.count.failures >= r->stop || (r->seconds > 0 && cpu_seconds() > r->seconds);
}

/* ---- Telling ---- */

/* The command begins with the options that decide what is run, and how. */
static void report(struct run *r, const struct schedule *s)
{
	struct lab *l = &r->lab;
	char a[1000], b[1000], text[100];

	program_print(&l->program[0], a, sizeof(a));
	program_print(&l->program[1], b, sizeof(b));
	schedule_print(s, text, sizeof(text));
	l->count.failures++;
	printf("# FAILED in mode %s, store %s, start %s, schedule %s: %s\n", mode_name[l->mode],
	       store_name[l->store], l->start->name, text, l->why);
#ifdef VMEM_FAULTS
	printf("#   build/tests/interleave-faults --fault %d", (int)vmem_fault);
#elif defined(VMEM_SMALL_LIMITS)
	printf("#   build/tests/interleave-small");
#else
	printf("#   build/tests/interleave");
#endif
	if (l->state[0])
		printf(" --crash 1 --seed %llu", (unsigned long long)r->seed);
	printf("%s -v --replay %s %s %s '%s' '%s' %s %s\n", r->flags ? " --flags" : "", mode_name[l->mode],
	       store_name[l->store], l->start->name, a, b, text, l->state);
	fflush(stdout);
}

void report_order(struct run *r)
{
	struct schedule s = { 0 };

	memcpy(s.order, r->lab.order[r->lab.loading].order, sizeof(s.order));
	report(r, &s);
}

/* ---- Schedules ---- */

bool try_schedule(struct run *r, const struct schedule *s)
{
	if (lab_try(&r->lab, s))
		return true;
	report(r, s);
	return false;
}

/* With as many preemptions as there may be, only a sample may be wanted. */
static bool is_cut(const struct run *r, const struct schedule *s)
{
	uint64_t n = r->seed + r->lab.count.pairs * 7919;
	unsigned int i;

	if (r->cut < 2 || s->nr < r->preempt || !s->nr)
		return false;
	for (i = 0; i < s->nr; i++)
		n = n * 104729 + s->at[i];
	return mix(n) % r->cut;
}

/* All schedules that begin as s does, with up to `left` preemptions more.  One failure of a pair is enough. */
static bool extend(struct run *r, struct schedule *s, unsigned int left)
{
	uint32_t at = s->nr ? s->at[s->nr - 1] : 0, both;

	if (is_cut(r, s))
		return true;
	if (!try_schedule(r, s))
		return false;
	both = sched.both;
	for (at++; left && at <= both && !finished(r); at++) {
		s->at[s->nr++] = at;
		if (!extend(r, s, left - 1))
			return false;
		s->nr--;
	}
	return true;
}

void try_pair(struct run *r, const struct program *a, const struct program *b)
{
	unsigned int first;

	if (!lab_load(&r->lab, a, b)) {
		report_order(r);
		return;
	}
	for (first = 0; first < THREADS && !finished(r); first++) {
		struct schedule s = { .first = first };

		if (!extend(r, &s, r->preempt))
			return;
	}
}

/* ---- Units of a long run: a start, and the first of the two programs ---- */

static int unit_key(const struct run *r, const char *set, unsigned int first, char *key, size_t size)
{
	return snprintf(key, size, "%s %s %s %s %u ", set, mode_name[r->lab.mode], store_name[r->lab.store],
			r->lab.start->name, first);
}

/* Was it done?  Then its figures are added. */
static bool unit_done(struct run *r, const char *set, unsigned int first)
{
	FILE *f = r->journal ? fopen(r->journal, "r") : NULL;
	struct pair_counts *c = &r->lab.count;
	unsigned long long n[6] = { 0 };
	char line[300], key[100];
	int len = unit_key(r, set, first, key, sizeof(key));
	bool done = false;

	while (f && !done && fgets(line, sizeof(line), f))
		/* A line without an end was being written when the run was killed. */
		if (!strncmp(line, key, (size_t)len) && strchr(line, '\n')) {
			sscanf(line + len, "%llu %llu %llu %llu %llu %llu", &n[0], &n[1], &n[2], &n[3], &n[4], &n[5]);
			done = true;
		}
	if (f)
		fclose(f);
	c->pairs += n[0];
	c->schedules += n[1];
	c->steps += n[2];
	c->outcomes += n[3];
	r->lab.memory.count.states += n[4];
	c->failures += n[5];
	return done;
}

static void unit_note(struct run *r, const char *set, unsigned int first, const struct pair_counts *before,
		      uint64_t states)
{
	FILE *f = r->journal ? fopen(r->journal, "a") : NULL;
	const struct pair_counts *c = &r->lab.count;
	char key[100];

	if (!f)
		return;
	unit_key(r, set, first, key, sizeof(key));
	fprintf(f, "%s%llu %llu %llu %llu %llu %llu\n", key, (unsigned long long)(c->pairs - before->pairs),
		(unsigned long long)(c->schedules - before->schedules), (unsigned long long)(c->steps - before->steps),
		(unsigned long long)(c->outcomes - before->outcomes),
		(unsigned long long)(r->lab.memory.count.states - states),
		(unsigned long long)(c->failures - before->failures));
	if (fclose(f)) {
		perror(r->journal);
		exit(2);
	}
}

static void tell(struct run *r, const char *set, unsigned int first)
{
	char key[100];

	if (!r->progress || cpu_seconds() < r->told + 5)
		return;
	r->told = cpu_seconds();
	unit_key(r, set, first, key, sizeof(key));
	fprintf(stderr, "%sof %u: %llu pairs, %llu schedules, %llu failures, %.0f s\n", key, nr_vocabulary,
		(unsigned long long)r->lab.count.pairs, (unsigned long long)r->lab.count.schedules,
		(unsigned long long)r->lab.count.failures, r->told);
}

/* ---- Sets ---- */

static void pairs_with(struct run *r, unsigned int first)
{
	static struct program a, b;
	unsigned int i;

	program_parse(vocabulary_text[first], &a);
	for (i = first; i < nr_vocabulary && !finished(r); i++) {
		if (r->sample > 1 && mix(r->seed * 31 + first * 1000 + i + r->lab.mode * 77 + r->lab.store * 777) % r->sample)
			continue;
		program_parse(vocabulary_text[i], &b);
		try_pair(r, &a, &b);
	}
}

static void run_pairs(struct run *r)
{
	unsigned int i;

	for (i = 0; i < nr_vocabulary && !finished(r); i++) {
		struct pair_counts before = r->lab.count;
		uint64_t states = r->lab.memory.count.states;

		tell(r, "pairs", i);
		if (unit_done(r, "pairs", i))
			continue;
		pairs_with(r, i);
		if (!finished(r))
			unit_note(r, "pairs", i, &before, states);
	}
}

static void run_known(struct run *r)
{
	static struct program a, b;
	unsigned int i;

	for (i = 0; i < nr_known_pairs && !finished(r); i++) {
		const struct known_pair *p = &known_pairs[i];
		bool right = !strcmp(p->start, r->lab.start->name) && p->store == r->lab.store;
		struct pair_counts before = r->lab.count;
		uint64_t states = r->lab.memory.count.states;

		if (!right || unit_done(r, "known", i))
			continue;
		if (!program_parse(p->a, &a) || !program_parse(p->b, &b)) {
			printf("# bad program: %s | %s\n", p->a, p->b);
			r->lab.count.failures++;
			continue;
		}
		try_pair(r, &a, &b);
		if (!finished(r))
			unit_note(r, "known", i, &before, states);
	}
}

bool begin_start(struct run *r, enum mode mode, enum store_kind store, const struct start *start)
{
	if (lab_begin(&r->lab, mode, store, start))
		return true;
	printf("# start %s failed in mode %s, store %s: %s\n", start->name, mode_name[mode], store_name[store],
	       r->lab.why);
	r->lab.count.failures++;
	return false;
}

static void run_start(struct run *r, bool pairs, unsigned int mode, unsigned int store, const struct start *start)
{
	if (!(r->modes >> mode & 1) || !(r->stores >> store & 1) || (pairs && start->known_only) ||
	    (r->start && strcmp(r->start, start->name)) ||
	    !begin_start(r, (enum mode)mode, (enum store_kind)store, start))
		return;
	if (pairs)
		run_pairs(r);
	else
		run_known(r);
}

int run_set(struct run *r, const char *set)
{
	const struct pair_counts *c = &r->lab.count;
	bool pairs = !strcmp(set, "pairs");
	unsigned int mode, store, i;

	if (!pairs && strcmp(set, "known"))
		return 2;
	for (mode = 0; mode < NR_MODES; mode++)
		for (store = 0; store < NR_STORES; store++)
			for (i = 0; i < nr_starts && !finished(r); i++)
				run_start(r, pairs, mode, store, &starts[i]);
	printf("%s %s: %llu pairs, %llu schedules, %llu steps, %llu results, %llu crash states, %llu failures, %.1f s\n",
	       c->failures ? "fail" : "pass", set, (unsigned long long)c->pairs, (unsigned long long)c->schedules,
	       (unsigned long long)c->steps, (unsigned long long)c->outcomes,
	       (unsigned long long)r->lab.memory.count.states, (unsigned long long)c->failures, cpu_seconds());
	return c->failures ? 1 : 0;
}
