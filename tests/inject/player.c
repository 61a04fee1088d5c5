// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* player.c - a machine on which calls fail, and the inodes that are held on it */
#include "player.h"
#include "fs/fs.h"

/* The store's functions know the store only. */
static struct player *playing;

bool player_commits;

/* ---- Calls that fail ---- */

enum call { CALL_ALLOC, CALL_FLUSH, CALL_PROVISION, CALL_DISCARD };
static const char *const call_name[] = { "alloc", "flush", "provision", "discard" };

static struct {
	void *at;
	uint64_t failed;
	enum call call;
} sites[MAX_SITES];

static void note_site(void *at, enum call call)
{
	unsigned int i;

	for (i = 0; i < MAX_SITES && sites[i].at && sites[i].at != at; i++)
		;
	assert_true(i < MAX_SITES);
	sites[i].at = at;
	sites[i].call = call;
	sites[i].failed++;
}

void print_sites(const char *kind)
{
	uint64_t total = 0;
	unsigned int i;

	for (i = 0; i < MAX_SITES && sites[i].at; i++) {
		printf("# site %s %p %llu\n", call_name[sites[i].call], sites[i].at,
		       (unsigned long long)sites[i].failed);
		total += sites[i].failed;
	}
	printf("# %s: %llu failures injected at %u calls in the machine code\n", kind,
	       (unsigned long long)total, i);
}

static bool fails(struct player *p, enum call call, void *at)
{
	static const enum call which[] = {
		[FAIL_ALLOC] = CALL_ALLOC, [FAIL_FLUSH] = CALL_FLUSH, [FAIL_FLUSHES] = CALL_FLUSH,
		[FAIL_PROVISION] = CALL_PROVISION, [HOST_FULL] = CALL_PROVISION,
		[FAIL_DISCARD] = CALL_DISCARD,
	};
	bool now;

	if (p->disarmed || p->failing == FAIL_NOTHING || call != which[p->failing])
		return false;
	now = ++p->calls == p->fail_at;
	if (now) {
		p->fired = true;
		p->lines = 0;
		note_site(at, call);
	}
	return now || (p->fired && p->failing == FAIL_FLUSHES);
}

static void *(*real_alloc)(const struct vmem_env *env, size_t size);
static int (*real_flush)(struct vmem_store *store, const struct vmem_range *r, unsigned int nr);

static void *env_alloc(const struct vmem_env *env, size_t size)
{
	return fails(playing, CALL_ALLOC, __builtin_return_address(0)) ? NULL : real_alloc(env, size);
}

/* What another thread does while a flush runs. */
static void do_meanwhile(void)
{
	void (*what)(struct player *p) = playing->meanwhile;

	playing->meanwhile = NULL;
	if (what)
		what(playing);
}

static int store_flush(struct vmem_store *store, const struct vmem_range *r, unsigned int nr)
{
	if (fails(playing, CALL_FLUSH, __builtin_return_address(0)))
		return -EIO;
	do_meanwhile();
	return real_flush(store, r, nr);
}

static int (*real_commit)(struct vmem_store *store, const struct vmem_parts *parts);

static int store_commit(struct vmem_store *store, const struct vmem_parts *parts)
{
	if (!fails(playing, CALL_FLUSH, __builtin_return_address(0))) {
		do_meanwhile();
		return real_commit(store, parts);
	}
	/* Nobody knows how far it came. */
	if (playing->fail_at % 2)
		(void)real_commit(store, parts);
	return -EIO;
}

/* ---- A host that has no room for everything ---- */

static int store_provision(struct vmem_store *store, uint64_t off, uint64_t len)
{
	struct host *h = &playing->host;
	uint64_t first = off / BLOCK, end = (off + len) / BLOCK, b, more = 0;

	assert_true(off % BLOCK == 0 && len && len % BLOCK == 0 && end <= store->size / BLOCK);
	if (fails(playing, CALL_PROVISION, __builtin_return_address(0))) {
		if (playing->failing != HOST_FULL)
			return playing->error;
		h->limit = h->nr;
	} else if (playing->failing == HOST_FULL && playing->calls == playing->fail_at + 1 &&
		   playing->error != -ENOSPC) {
		return playing->error;
	}
	for (b = first; b < end; b++)
		more += !h->has[b];
	if (h->nr + more > h->limit)
		return -ENOSPC;
	memset(h->has + first, true, end - first);
	h->nr += more;
	return 0;
}

/* On the medium at once: the worst that it can do. */
static void punch(struct sim *sim, struct host *h, const struct vmem_range *r)
{
	uint64_t b, end = (r->offset + r->length) / BLOCK;

	assert_true(r->offset % BLOCK == 0 && r->length && end <= sim->size / BLOCK);
	memset(sim->now + r->offset, 0, r->length);
	memset(sim->durable + r->offset, 0, r->length);
	if (sim->store.backing != VMEM_BACKING_DAX)
		sim_stored(sim, r->offset, r->length);
	for (b = r->offset / BLOCK; b < end; b++) {
		h->nr -= h->has[b];
		h->has[b] = false;
	}
}

static int store_discard(struct vmem_store *store, const struct vmem_range *r, unsigned int nr)
{
	bool failed = fails(playing, CALL_DISCARD, __builtin_return_address(0));

	(void)store;
	/* Nobody knows how far a host came that fails; one that refuses does nothing. */
	if (failed)
		nr = playing->error == -EIO ? (nr + 1) / 2 : 0;
	while (nr--)
		punch(playing->c.sim, &playing->host, r++);
	return failed ? playing->error : 0;
}

void player_stored(struct player *p, uint64_t off, size_t len)
{
	uint64_t b;

	for (b = off / BLOCK; p->host.thin && len && b <= (off + len - 1) / BLOCK; b++)
		p->host.homeless += !p->host.has[b];
}

static void (*real_recorded)(struct vmem_store *store, uint64_t off, size_t len);

static void store_recorded(struct vmem_store *store, uint64_t off, size_t len)
{
	player_stored(playing, off, len);
	real_recorded(store, off, len);
}

void player_make_room(struct player *p)
{
	p->host.limit = p->c.sim->size / BLOCK;
}

/* It has room for the blocks that are not zero: a copy leaves the others out. */
static void use_thin_host(struct player *p)
{
	static const uint8_t zeros[BLOCK];
	struct sim *sim = p->c.sim;
	uint64_t b;

	assert_true(sim->size / BLOCK <= MAX_BLOCKS);
	p->host.thin = true;
	for (b = 0; b < sim->size / BLOCK; b++) {
		p->host.has[b] = memcmp(sim->now + b * BLOCK, zeros, BLOCK);
		p->host.nr += p->host.has[b];
	}
	player_make_room(p);
	real_recorded = sim->store.recorded;
	sim->store.recorded = store_recorded;
	sim->store.provision = store_provision;
	sim->store.discard = store_discard;
}

/* ---- The other services ---- */

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
	return fails(playing, CALL_ALLOC, __builtin_return_address(0)) ? NULL :
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

static void make_player(struct player *p, const uint8_t *bytes, uint64_t size,
			enum vmem_domain domain)
{
	struct vmem_env *env;

	memset(p, 0, sizeof(*p));
	playing = p;
	p->c.domain = domain;
	p->c.sim = sim_new_of(bytes, size, domain == VMEM_DOMAIN_PMEM ? VMEM_BACKING_DAX :
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

void player_new(struct player *p, uint64_t size, enum vmem_domain domain)
{
	make_player(p, NULL, size, domain);
}

void player_open(struct player *p, const struct image *image)
{
	make_player(p, image->bytes, image->size, image->domain);
	if (image->thin)
		use_thin_host(p);
}

void player_close(struct player *p)
{
	assert_int_equal(p->c.sim->live, 0);
	sim_free(p->c.sim);
	playing = NULL;
}

void make_image(struct image *image, const struct script *script, enum vmem_domain domain)
{
	struct vmem_mkfs_params params = {
		.size = script->fs_size, .log_blocks = script->log_blocks, .now = 1,
	};
	static struct op ops[MAX_OPS];
	unsigned int nr = parse_script(script->before, ops), i;
	static struct player p;

	/* Groups that begin behind what a mount asks for room for. */
	if (script->size > 4 * MiB)
		params.ag_blocks = script->thin ? 512 : 1024;
	player_new(&p, script->size, domain);
	if (script->thin)
		use_thin_host(&p);
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
	image->thin = script->thin;
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

/* Busy in memory: used, reserved, or freed and not yet to be had; and nothing else. */
static void check_busy(struct player *p, const char *after)
{
	struct vmem_fs *fs = p->c.fs;
	uint64_t waiting = 0;
	uint32_t ag;

	for (ag = 0; ag < fs->nr_ags; ag++)
		if (fs->ags[ag].busy)
			waiting += vmem_get32(fs->ags[ag].desc.free_blocks) -
				   (uint64_t)fs->ags[ag].busy_free;
	if (waiting != fs->reserved + fs->pending_blocks)
		fail_msg("after '%s' %llu free blocks are busy, of which %llu are freed ones", after,
			 (unsigned long long)waiting, (unsigned long long)fs->pending_blocks);
}

void player_check(struct player *p, const char *after)
{
	if (p->host.homeless)
		fail_msg("after '%s': %llu stores to where the host has no room", after,
			 (unsigned long long)p->host.homeless);
	if (p->c.fs && !p->c.fs->error)
		check_busy(p, after);
	if (p->locks_held)
		fail_msg("after '%s' %u locks are held", after, p->locks_held);
	if (p->c.fs && p->c.fs->reserved)
		fail_msg("after '%s' %llu blocks are reserved", after,
			 (unsigned long long)p->c.fs->reserved);
}
