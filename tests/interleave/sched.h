/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * sched.h - two threads on one CPU, switched where a schedule says
 *
 * A thread can be switched away from at a hook: where the core calls its
 * surroundings (locks, copy, clock, memory, the store's requests), where it looks at
 * a flag without a lock (VMEM_PEEK, VMEM_FLAG), and where a mapping is stored to.
 * Hooks count as steps.  A schedule names the thread that begins and the
 * steps at which it is preempted: "A@12@30"; "A" is one thread after the other.
 * A thread that waits for a lock is switched away from, too; that needs no name.
 * "=ABA" runs whole operations in this order, which is what a result is compared with.
 */
#ifndef SCHED_H
#define SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define THREADS		2u
#define MAIN		THREADS		/* whoever prepares and judges */
#define MAX_PREEMPTIONS	4u
#define MAX_ORDER	8u		/* operations of both threads */
#define MAX_STEPS	65536u

enum hook {
	HOOK_LOCK, HOOK_UNLOCK, HOOK_SHARED, HOOK_UNSHARED, HOOK_COPY, HOOK_NOW, HOOK_RANDOM, HOOK_ALLOC,
	HOOK_PROVISION, HOOK_DISCARD, HOOK_FLUSH, HOOK_COMMIT, HOOK_KICK, HOOK_MAPPED, HOOK_STORE, HOOK_FLAG, HOOK_PEEK,
	NR_HOOKS
};

extern const char *const hook_name[NR_HOOKS];

/* A sleeping read-write lock; all zero: free. */
struct lock {
	bool written;
	unsigned int writer;		/* thread, if written */
	unsigned int readers[THREADS + 1];
	bool step;			/* the core's: taking and leaving it are steps */
	const char *name;
	struct lock *next;		/* of those of the core */
};

struct schedule {
	unsigned int first;			/* thread */
	unsigned int nr;
	uint32_t at[MAX_PREEMPTIONS];		/* steps, ascending */
	char order[MAX_ORDER + 1];		/* not empty: whole operations */
	unsigned int stop;			/* with an order: end behind so many operations; 0: all */
};

struct step {
	uint8_t thread, hook;
	bool switched;
};

struct sched {
	bool running;
	unsigned int thread;			/* that runs; MAIN: none */
	uint32_t nr_steps;			/* steps so far ... */
	uint32_t both;				/* ... while both threads were alive */
	struct step step[MAX_STEPS];
	const struct lock *watched;		/* fs->lock */
	unsigned int hooks;			/* bits: which hooks are steps */
	char why[300];				/* a deadlock, a lock that is not held ... */
};

extern struct sched sched;

/* Runs body(0) and body(1) to their ends; false: see sched.why. */
bool sched_run(const struct schedule *s, void (*body)(unsigned int thread));
/* A thread begins its next operation. */
void sched_operation(void);
/* Step, and perhaps switch. */
void sched_hook(enum hook hook);

void lock_write(struct lock *l);
void unlock_write(struct lock *l);
void lock_read(struct lock *l);
void unlock_read(struct lock *l);
bool lock_is_free(const struct lock *l);

bool schedule_parse(const char *text, struct schedule *s);
void schedule_print(const struct schedule *s, char *buf, size_t size);
/* What happened, for people. */
void sched_print(void);

#endif
