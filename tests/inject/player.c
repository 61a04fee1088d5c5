// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* player.c - a machine on which calls fail, and the inodes that are held on it */
#include "player.h"
#include "internal.h"

/* The store's functions know the store only. */
static struct player *playing;

bool player_commits;

/* ---- Calls that fail ---- */

static struct {
	void *at;
	uint64_t failed;
	bool flush;
} sites[MAX_SITES];

static void note_site(void *at, bool flush)
{
	unsigned int i;

	for (i = 0; i < MAX_SITES && sites[i].at && sites[i].at != at; i++)
		;
	assert_true(i < MAX_SITES);
	sites[i].at = at;
	sites[i].flush = flush;
	sites[i].failed++;
}

void print_sites(const char *kind)
{
	uint64_t total = 0;
	unsigned int i;

	for (i = 0; i < MAX_SITES && sites[i].at; i++) {
		printf("# site %s %p %llu\n", sites[i].flush ? "flush" : "alloc", sites[i].at,
		       (unsigned long long)sites[i].failed);
		total += sites[i].failed;
	}
	printf("# %s: %llu failures injected at %u calls in the machine code\n", kind,
	       (unsigned long long)total, i);
}

static bool fails(struct player *p, bool flush, void *at)
{
	bool now;

	if (p->disarmed || p->failing == FAIL_NOTHING || flush != (p->failing != FAIL_ALLOC))
		return false;
	now = ++p->calls == p->fail_at;
	if (now) {
		p->fired = true;
		p->lines = 0;
		note_site(at, flush);
	}
	return now || (p->fired && p->failing == FAIL_FLUSHES);
}

static void *(*real_alloc)(const struct vmem_env *env, size_t size);
static int (*real_flush)(struct vmem_store *store, const struct vmem_range *r, unsigned int nr);

static void *env_alloc(const struct vmem_env *env, size_t size)
{
	return fails(playing, false, __builtin_return_address(0)) ? NULL : real_alloc(env, size);
}

static int store_flush(struct vmem_store *store, const struct vmem_range *r, unsigned int nr)
{
	return fails(playing, true, __builtin_return_address(0)) ? -EIO : real_flush(store, r, nr);
}

static int (*real_commit)(struct vmem_store *store, const struct vmem_parts *parts);

static int store_commit(struct vmem_store *store, const struct vmem_parts *parts)
{
	if (!fails(playing, true, __builtin_return_address(0)))
		return real_commit(store, parts);
	/* Nobody knows how far it came. */
	if (playing->fail_at % 2)
		(void)real_commit(store, parts);
	return -EIO;
}

static void env_log(const struct vmem_env *env, enum vmem_log_level level, const char *fmt, ...)
{
	va_list ap;

	(void)env;
	(void)level;
	va_start(ap, fmt);
	vsnprintf(playing->c.sim->last_log, sizeof(playing->c.sim->last_log), fmt, ap);
	va_end(ap);
	if (!playing->lines++)
		memcpy(playing->first_log, playing->c.sim->last_log, sizeof(playing->first_log));
}

static void env_kick(const struct vmem_env *env)
{
	(void)env;
	playing->kicked = true;
}

/* ---- Locks that know who forgot one ---- */

static void *lock_new(const struct vmem_env *env)
{
	return fails(playing, false, __builtin_return_address(0)) ? NULL :
		real_alloc(env, sizeof(struct lock));
}

static void lock_free(const struct vmem_env *env, void *lock)
{
	struct lock *l = lock;

	if (l->exclusive || l->shared)
		fail_msg("a lock is freed while it is held");
	env->free(env, lock, sizeof(struct lock));
}

static void lock(void *lock)
{
	struct lock *l = lock;

	if (l->exclusive || l->shared)
		fail_msg("deadlock: the lock is held");
	l->exclusive = true;
	playing->locks_held++;
}

static void unlock(void *lock)
{
	struct lock *l = lock;

	if (!l->exclusive)
		fail_msg("a lock is unlocked that is not held");
	l->exclusive = false;
	playing->locks_held--;
}

static void lock_shared(void *lock)
{
	struct lock *l = lock;

	if (l->exclusive)
		fail_msg("deadlock: the lock is held");
	l->shared++;
	playing->locks_held++;
}

static void unlock_shared(void *lock)
{
	struct lock *l = lock;

	if (!l->shared)
		fail_msg("a lock is unlocked that is not held");
	l->shared--;
	playing->locks_held--;
}

/* ---- Opening ---- */

void player_new(struct player *p, uint64_t size, enum vmem_domain domain)
{
	struct vmem_env *env;

	memset(p, 0, sizeof(*p));
	playing = p;
	p->c.domain = domain;
	p->c.sim = sim_new(size, domain == VMEM_DOMAIN_PMEM ? VMEM_BACKING_DAX :
			   VMEM_BACKING_PAGE_CACHE, 1);
	env = &p->c.sim->env;
	real_alloc = env->alloc;
	real_flush = p->c.sim->store.flush;
	env->alloc = env_alloc;
	env->log = env_log;
	env->kick = env_kick;
	env->lock_new = lock_new;
	env->lock_free = lock_free;
	env->lock = lock;
	env->unlock = unlock;
	env->lock_shared = lock_shared;
	env->unlock_shared = unlock_shared;
	if (!real_flush)
		return;
	p->c.sim->store.flush = store_flush;
	if (player_commits) {
		sim_use_commits(p->c.sim);
		real_commit = p->c.sim->store.commit;
		p->c.sim->store.commit = store_commit;
	}
}

void player_open(struct player *p, const struct image *image)
{
	player_new(p, image->size, image->domain);
	memcpy(p->c.sim->now, image->bytes, image->size);
	memcpy(p->c.sim->durable, image->bytes, image->size);
}

void player_close(struct player *p)
{
	assert_int_equal(p->c.sim->live, 0);
	sim_free(p->c.sim);
	playing = NULL;
}

void make_image(struct image *image, const struct script *script, enum vmem_domain domain)
{
	struct vmem_mkfs_params params = { .log_blocks = script->log_blocks, .now = 1 };
	static struct op ops[MAX_OPS];
	unsigned int nr = parse_script(script->before, ops), i;
	static struct player p;

	if (script->size > 4 * MiB)
		params.ag_blocks = 1024;
	player_new(&p, script->size, domain);
	assert_int_equal(vmem_mkfs(&p.c.sim->store, &p.c.sim->env, &params), 0);
	assert_int_equal(player_mount(&p), 0);
	for (i = 0; i < nr; i++)
		if (play(&p, &ops[i]))
			fail_msg("%s: '%s' does not work", script->name, ops[i].text);
	assert_int_equal(player_put_all(&p), 0);
	assert_int_equal(player_umount(&p), 0);
	assert_int_equal(sim_check(p.c.sim), 0);
	image->size = script->size;
	image->domain = domain;
	image->bytes = malloc(image->size);
	memcpy(image->bytes, p.c.sim->now, image->size);
	player_close(&p);
}

int player_mount(struct player *p)
{
	struct vmem_mount_opts opts = { .domain = p->c.domain };
	int err;

	if (p->c.fs)
		return 0;
	err = try_mount(&p->c, &opts);
	if (!err)
		return 0;
	p->c.fs = NULL;
	if (p->c.sim->live)
		fail_msg("a mount that failed leaves %llu bytes", (unsigned long long)p->c.sim->live);
	return err;
}

int player_put_all(struct player *p)
{
	unsigned int i;
	int first = 0;

	memset(p->handle, 0, sizeof(p->handle));
	for (i = 0; i < MAX_HELD; i++)
		if (p->held[i].used) {
			int err = vmem_iput(&p->held[i].vi);

			first = first ? first : err;
			p->held[i].used = false;
		}
	return first;
}

int player_umount(struct player *p)
{
	int err = vmem_umount(p->c.fs);

	p->c.fs = NULL;
	p->kicked = false;
	if (p->c.sim->live)
		fail_msg("the unmount leaves %llu bytes", (unsigned long long)p->c.sim->live);
	return err;
}

__attribute__((format(printf, 2, 0)))
static void note_problem(void *ctx, const char *fmt, va_list ap)
{
	struct sim *sim = ((struct player *)ctx)->c.sim;

	vsnprintf(sim->last_log, sizeof(sim->last_log), fmt, ap);
}

int64_t player_fsck(struct player *p, struct vmem_check_result *result)
{
	struct vmem_check_params params = {
		.base = p->c.sim->now, .size = p->c.sim->store.size, .env = &p->c.sim->env,
		.ctx = p, .problem = note_problem,
	};

	return vmem_check(&params, result);
}

void player_check(struct player *p, const char *after)
{
	if (p->locks_held)
		fail_msg("after '%s' %u locks are held", after, p->locks_held);
	if (p->c.fs && p->c.fs->reserved)
		fail_msg("after '%s' %llu blocks are reserved", after,
			 (unsigned long long)p->c.fs->reserved);
}
