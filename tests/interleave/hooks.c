// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* hooks.c - a machine whose every service is a hook of the scheduler */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hooks.h"
#include "fs/fs.h"
#include "ops.h"

#define TIMES 4096u

const char *const store_name[NR_STORES] = { "plain", "two-flushes", "thin", "no-discard" };

static struct vmem_store real_store;
static struct vmem_env real_env;
static struct lock *locks, *kept_locks;

static struct {
	int64_t now;
	unsigned int thread;
} times[TIMES];
static unsigned int nr_times;

/* Records that each thread has made. */
static uint64_t records[THREADS + 1], last_op_seen;
static struct {
	bool on;
	uint64_t records;
} poverty[THREADS + 1];

#ifdef VMEM_INTERLEAVE
/* internal.h: a flag is looked at, or changed, without the lock. */
void vmem_interleave(void)
{
	sched_hook(HOOK_FLAG);
}

/* What a transaction may be changing is looked at without the lock. */
void vmem_interleave_peek(void)
{
	sched_hook(HOOK_PEEK);
}
#endif

/* ---- Memory, clock, randomness ---- */

void poor(bool on)
{
	poverty[sched.thread].on = on;
	poverty[sched.thread].records = records[sched.thread];
}

static void *env_alloc(const struct vmem_env *env, size_t size)
{
	sched_hook(HOOK_ALLOC);
	if (poverty[sched.thread].on && records[sched.thread] != poverty[sched.thread].records)
		return NULL;
	return real_env.alloc(env, size);
}

/* Who reads a page of the overlay afterwards finds nothing that makes sense. */
static void env_free(const struct vmem_env *env, void *p, size_t size)
{
	if (size == VMEM_BLOCK_SIZE)
		memset(p, 0xa5, size);
	real_env.free(env, p, size);
}

static int64_t env_now(const struct vmem_env *env)
{
	int64_t now = real_env.now(env);

	if (sched.running && nr_times < TIMES) {
		times[nr_times].now = now;
		times[nr_times++].thread = sched.thread;
	}
	sched_hook(HOOK_NOW);
	return now;
}

bool hooks_who_read(int64_t time, unsigned int *thread)
{
	unsigned int i;

	for (i = 0; i < nr_times; i++)
		if (times[i].now == time) {
			*thread = times[i].thread;
			return true;
		}
	return false;
}

void hooks_forget_times(void)
{
	nr_times = 0;
}

static void env_random(const struct vmem_env *env, void *buf, size_t len)
{
	sched_hook(HOOK_RANDOM);
	real_env.random(env, buf, len);
}

static void env_kick(const struct vmem_env *env)
{
	(void)env;
	sched_hook(HOOK_KICK);
}

/* ---- Locks ---- */

static void *lock_new(const struct vmem_env *env)
{
	static const char *const names[] = { "lock", "ckpt_lock", "commit_lock", "dirty_lock" };
	struct lock *l = real_env.alloc(env, sizeof(*l)), *i;
	unsigned int nr = 0;

	for (i = locks; i; i = i->next)
		nr++;
	l->name = names[nr % 4];
	l->step = true;
	l->next = locks;
	locks = l;
	return l;
}

static void lock_free(const struct vmem_env *env, void *lock)
{
	struct lock **l;

	for (l = &locks; *l && *l != lock; l = &(*l)->next)
		;
	if (*l)
		*l = (*l)->next;
	real_env.free(env, lock, sizeof(struct lock));
}

static void lock(void *l)
{
	lock_write(l);
	if (l == sched.watched && vfs.fs)
		last_op_seen = vfs.fs->last_op;
}

static void unlock(void *l)
{
	if (l == sched.watched && vfs.fs && vfs.fs->last_op != last_op_seen)
		records[sched.thread]++;
	unlock_write(l);
}

static void lock_shared(void *l) { lock_read(l); }
static void unlock_shared(void *l) { unlock_read(l); }

void hooks_forget_locks(void)
{
	locks = NULL;
}

void hooks_keep_locks(void)
{
	kept_locks = locks;
}

void hooks_restore_locks(void)
{
	locks = kept_locks;
}

bool hooks_locks_free(char *why, size_t size)
{
	const struct lock *l;
	unsigned int i;

	for (l = locks; l; l = l->next)
		if (!lock_is_free(l)) {
			snprintf(why, size, "%s is still held", l->name);
			return false;
		}
	for (i = 0; i < VNODES; i++)
		if (!lock_is_free(&vfs.node[i].rwsem) || !lock_is_free(&vfs.node[i].invalidate) ||
		    !lock_is_free(&vfs.node[i].life)) {
			snprintf(why, size, "an inode is still locked");
			return false;
		}
	return true;
}

/* ---- The store ---- */

/* What is stored after the request has begun need not be in it. */
static int flush(struct vmem_store *store, const struct vmem_range *r, unsigned int nr)
{
	int err;

	sched_hook(HOOK_FLUSH);
	err = real_store.flush(store, r, nr);
	sched_hook(HOOK_FLUSH);
	return err;
}

static int commit(struct vmem_store *store, const struct vmem_parts *parts)
{
	vmem_le64 mark = vmem_le64_of(parts->mark_value);

	sched_hook(HOOK_COMMIT);
	real_store.flush(store, parts->ranges, parts->nr_first);
	sched_hook(HOOK_COMMIT);
	memcpy(store->base + parts->mark_offset, &mark, sizeof(mark));
	store->recorded(store, parts->mark_offset, sizeof(mark));
	real_store.flush(store, parts->ranges + parts->nr_first, parts->nr - parts->nr_first);
	sched_hook(HOOK_COMMIT);
	return 0;
}

static int provision(struct vmem_store *store, uint64_t off, uint64_t len)
{
	int err;

	sched_hook(HOOK_PROVISION);
	err = real_store.provision(store, off, len);
	sched_hook(HOOK_PROVISION);
	return err;
}

/* The host may do it at any time of the request: at its end others have done most. */
static int discard(struct vmem_store *store, const struct vmem_range *r, unsigned int nr)
{
	int err;

	sched_hook(HOOK_DISCARD);
	err = real_store.discard(store, r, nr);
	sched_hook(HOOK_DISCARD);
	return err;
}

static int no_discard(struct vmem_store *store, const struct vmem_range *r, unsigned int nr)
{
	(void)store;
	(void)r;
	(void)nr;
	sched_hook(HOOK_DISCARD);
	sched_hook(HOOK_DISCARD);
	return -EOPNOTSUPP;
}

static void recorded(struct vmem_store *store, uint64_t off, size_t len)
{
	vfs.stores_frozen += vfs.frozen;
	real_store.recorded(store, off, len);
	sched_hook(HOOK_STORE);
}

void hooks_set(struct machine *m, enum mode mode, enum store_kind kind)
{
	static bool kept;

	if (!kept) {
		real_env = m->env;
		real_store = m->store;
		kept = true;
	}
	m->store = real_store;
	m->thin = kind == STORE_THIN || kind == STORE_NO_DISCARD;
	m->two_flushes = kind == STORE_TWO_FLUSHES;
	machine_set_mode(m, mode);
	real_store = m->store;
	m->env.alloc = env_alloc;
	m->env.free = env_free;
	m->env.now = env_now;
	m->env.random = env_random;
	m->env.kick = env_kick;
	m->env.lock_new = lock_new;
	m->env.lock_free = lock_free;
	m->env.lock = lock;
	m->env.unlock = unlock;
	m->env.lock_shared = lock_shared;
	m->env.unlock_shared = unlock_shared;
	m->store.flush = m->store.flush ? flush : NULL;
	m->store.commit = m->store.commit ? commit : NULL;
	m->store.provision = m->store.provision ? provision : NULL;
	m->store.discard = !m->store.discard ? NULL : kind == STORE_NO_DISCARD ? no_discard : discard;
	m->store.recorded = recorded;
}
