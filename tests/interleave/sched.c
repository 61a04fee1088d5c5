// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* sched.c - two threads on one CPU, switched where a schedule says */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include "sched.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define STACK (1u << 20)
#else
#define STACK (256u << 10)
#endif

const char *const hook_name[NR_HOOKS] = {
	"lock", "unlock", "lock shared", "unlock shared", "copy", "now", "random", "alloc", "provision",
	"discard", "flush", "commit", "kick", "store through a mapping", "store", "flag", "peek",
};

struct sched sched;

struct thread {
	ucontext_t context;
	void *stack;
	void *fake;			/* of the sanitizer */
	bool done;
	struct lock *wants;		/* waits for it; NULL: can run */
	bool shared;
};

static struct thread threads[THREADS];
static ucontext_t main_context;
static const struct schedule *plan;
static unsigned int next_preemption, operations;
static void (*run_body)(unsigned int thread);
#if defined(__SANITIZE_ADDRESS__)
static void *main_fake;
static const void *main_stack;
static size_t main_stack_size;
#endif

/* ---- Switching ---- */

static void to_main(struct thread *t)
{
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_start_switch_fiber(t->done ? NULL : &t->fake, main_stack, main_stack_size);
#endif
	swapcontext(&t->context, &main_context);
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_finish_switch_fiber(t->fake, &main_stack, &main_stack_size);
#endif
}

static void to_thread(unsigned int i)
{
	sched.thread = i;
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_start_switch_fiber(&main_fake, threads[i].stack, STACK);
#endif
	swapcontext(&main_context, &threads[i].context);
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_finish_switch_fiber(main_fake, NULL, NULL);
#endif
	sched.thread = MAIN;
}

static void entry(void)
{
	unsigned int i = sched.thread;

#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_finish_switch_fiber(NULL, &main_stack, &main_stack_size);
#endif
	run_body(i);
	threads[i].done = true;
	to_main(&threads[i]);
}

static void make_thread(unsigned int i)
{
	struct thread *t = &threads[i];

	if (!t->stack) {
		t->stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (t->stack == MAP_FAILED) {
			perror("interleave: mmap");
			exit(2);
		}
	}
	t->done = false;
	t->wants = NULL;
	getcontext(&t->context);
	t->context.uc_stack.ss_sp = t->stack;
	t->context.uc_stack.ss_size = STACK;
	t->context.uc_link = NULL;
	makecontext(&t->context, entry, 0);
}

/* ---- Deciding ---- */

static bool could_take(const struct lock *l, bool shared)
{
	unsigned int i;

	if (l->written)
		return false;
	for (i = 0; i <= THREADS && !shared; i++)
		if (l->readers[i])
			return false;
	return true;
}

static bool can_run(unsigned int i)
{
	const struct thread *t = &threads[i];

	return !t->done && (!t->wants || could_take(t->wants, t->shared));
}

void sched_hook(enum hook hook)
{
	unsigned int i = sched.thread;

	if (!sched.running || i == MAIN || !(sched.hooks >> hook & 1))
		return;
	if (sched.nr_steps == MAX_STEPS) {
		fprintf(stderr, "interleave: more than %u steps\n", MAX_STEPS);
		exit(2);
	}
	sched.step[sched.nr_steps++] = (struct step){ (uint8_t)i, (uint8_t)hook, false };
	if (!threads[!i].done)
		sched.both = sched.nr_steps;
	if (next_preemption < plan->nr && plan->at[next_preemption] == sched.nr_steps) {
		next_preemption++;
		if (can_run(!i)) {
			sched.step[sched.nr_steps - 1].switched = true;
			to_main(&threads[i]);
		}
	}
}

void sched_operation(void)
{
	unsigned int i = sched.thread;

	if (!plan->order[0])
		return;
	while (plan->order[operations] != (char)('A' + i) || (plan->stop && operations >= plan->stop))
		to_main(&threads[i]);
	operations++;
}

/* With an order, a thread comes back between operations only. */
static unsigned int pick(unsigned int last)
{
	char turn = plan->order[operations];

	if (plan->order[0] && turn)
		return (unsigned int)(turn - 'A');
	if (last == MAIN)
		return plan->first;
	return can_run(!last) ? !last : last;
}

static bool all_done(void)
{
	return (threads[0].done && threads[1].done) || (plan->stop && operations >= plan->stop);
}

bool sched_run(const struct schedule *s, void (*body)(unsigned int thread))
{
	unsigned int i, last = MAIN;

	plan = s;
	run_body = body;
	next_preemption = 0;
	operations = 0;
	sched.nr_steps = 0;
	sched.both = 0;
	sched.why[0] = 0;
	for (i = 0; i < THREADS; i++)
		make_thread(i);
	sched.running = true;
	while (!all_done() && !sched.why[0]) {
		i = pick(last);
		if (!can_run(i)) {
			snprintf(sched.why, sizeof(sched.why), "deadlock: A waits for %s, B for %s",
				 threads[0].wants ? threads[0].wants->name : "nothing",
				 threads[1].wants ? threads[1].wants->name : "nothing");
			break;
		}
		last = i;
		to_thread(i);
	}
	sched.running = false;
	return !sched.why[0];
}

/* ---- Locks ---- */

static void wrong(const char *what, const struct lock *l)
{
	if (!sched.why[0])
		snprintf(sched.why, sizeof(sched.why), "%s: %s", what, l->name);
}

/* Wait until it can be taken. */
static void wait_for(struct lock *l, bool shared)
{
	unsigned int i = sched.thread;

	if ((l->written && l->writer == i) || (!shared && l->readers[i])) {
		wrong("a lock is taken twice by one thread", l);
		if (i == MAIN)
			abort();
		to_main(&threads[i]);
	}
	while (!could_take(l, shared)) {
		if (i == MAIN) {
			fprintf(stderr, "interleave: %s is still locked\n", l->name);
			abort();
		}
		threads[i].wants = l;
		threads[i].shared = shared;
		to_main(&threads[i]);
	}
	if (i != MAIN)
		threads[i].wants = NULL;
}

void lock_write(struct lock *l)
{
	if (l->step)
		sched_hook(HOOK_LOCK);
	wait_for(l, false);
	l->written = true;
	l->writer = sched.thread;
}

void unlock_write(struct lock *l)
{
	if (!l->written || l->writer != sched.thread)
		wrong("unlocked, but not locked by this thread", l);
	l->written = false;
	if (l->step)
		sched_hook(HOOK_UNLOCK);
}

void lock_read(struct lock *l)
{
	if (l->step)
		sched_hook(HOOK_SHARED);
	wait_for(l, true);
	l->readers[sched.thread]++;
}

void unlock_read(struct lock *l)
{
	if (!l->readers[sched.thread])
		wrong("unlocked, but not locked by this thread", l);
	else
		l->readers[sched.thread]--;
	if (l->step)
		sched_hook(HOOK_UNSHARED);
}

bool lock_is_free(const struct lock *l)
{
	unsigned int i, n = l->written;

	for (i = 0; i <= THREADS; i++)
		n += l->readers[i];
	return !n;
}

/* ---- Schedules as text ---- */

bool schedule_parse(const char *text, struct schedule *s)
{
	char *end;

	memset(s, 0, sizeof(*s));
	if (text[0] == '=') {
		snprintf(s->order, sizeof(s->order), "%s", text + 1);
		return text[1] && strspn(text + 1, "AB") == strlen(text + 1) && strlen(text + 1) <= MAX_ORDER;
	}
	if (text[0] != 'A' && text[0] != 'B')
		return false;
	s->first = text[0] == 'B';
	for (text++; *text; text = end) {
		if (*text != '@' || s->nr == MAX_PREEMPTIONS)
			return false;
		s->at[s->nr++] = (uint32_t)strtoul(text + 1, &end, 10);
	}
	return true;
}

void schedule_print(const struct schedule *s, char *buf, size_t size)
{
	size_t n;
	unsigned int i;

	if (s->order[0]) {
		snprintf(buf, size, "=%s", s->order);
		return;
	}
	n = (size_t)snprintf(buf, size, "%c", 'A' + (int)s->first);
	for (i = 0; i < s->nr && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "@%u", s->at[i]);
}

void sched_print(void)
{
	uint32_t i;

	for (i = 0; i < sched.nr_steps; i++) {
		const struct step *s = &sched.step[i];

		printf("%5u %*s%c %s%s\n", i + 1, s->thread ? 30 : 0, "", 'A' + s->thread,
		       hook_name[s->hook], s->switched ? "   <-- preempted" : "");
	}
}
