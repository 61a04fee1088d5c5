// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* sim.c - a store in memory, and the three ways in which it can fail */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "big.h"
#include "sim.h"

#define PAGE	4096u
#define SECTOR	512u
#define LINE	64u
#define RUBBISH	0xa5

enum line_state { LINE_CLEAN, LINE_DIRTY, LINE_WRITTEN_BACK };

struct sim_block {
	struct sim_block *next, *prev;
	size_t size;
	size_t pad;
};

static struct sim *sim_of(const struct vmem_env *env)
{
	return env->ctx;
}

uint64_t sim_random(struct sim *sim, uint64_t below)
{
	/* xorshift64* */
	sim->rng ^= sim->rng >> 12;
	sim->rng ^= sim->rng << 25;
	sim->rng ^= sim->rng >> 27;
	return below ? (sim->rng * 2685821657736338717ull >> 16) % below : 0;
}

/* ---- Environment ---- */

static void *env_alloc(const struct vmem_env *env, size_t size)
{
	struct sim *sim = sim_of(env);
	struct sim_block *b = NULL;

	pthread_mutex_lock(&sim->mutex);
	if (++sim->allocs != sim->alloc_fails_at)
		b = big_zalloc(sizeof(*b) + size);
	if (b) {
		b->size = size;
		b->next = sim->blocks;
		if (b->next)
			b->next->prev = b;
		sim->blocks = b;
		sim->live += size;
	}
	pthread_mutex_unlock(&sim->mutex);
	return b ? b + 1 : NULL;
}

static void env_free(const struct vmem_env *env, void *p, size_t size)
{
	struct sim *sim = sim_of(env);
	struct sim_block *b = (struct sim_block *)p - 1;

	if (b->size != size) {
		fprintf(stderr, "free of %zu bytes that were allocated as %zu\n", size, b->size);
		abort();
	}
	pthread_mutex_lock(&sim->mutex);
	if (b->prev)
		b->prev->next = b->next;
	else
		sim->blocks = b->next;
	if (b->next)
		b->next->prev = b->prev;
	sim->live -= size;
	pthread_mutex_unlock(&sim->mutex);
	big_free(b, sizeof(*b) + size);
}

void sim_forget_memory(struct sim *sim)
{
	while (sim->blocks) {
		struct sim_block *b = sim->blocks;

		sim->blocks = b->next;
		big_free(b, sizeof(*b) + b->size);
	}
	sim->live = 0;
}

static int64_t env_now(const struct vmem_env *env)
{
	return __atomic_add_fetch(&sim_of(env)->clock, 1000, __ATOMIC_RELAXED);
}

static void env_random(const struct vmem_env *env, void *buf, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)sim_random(sim_of(env), 256);
}

static void env_log(const struct vmem_env *env, enum vmem_log_level level, const char *fmt, ...)
{
	struct sim *sim = sim_of(env);
	va_list ap;

	(void)level;
	va_start(ap, fmt);
	vsnprintf(sim->last_log, sizeof(sim->last_log), fmt, ap);
	va_end(ap);
	sim->log_lines++;
}

static void *env_lock_new(const struct vmem_env *env)
{
	pthread_rwlock_t *lock = env_alloc(env, sizeof(*lock));

	if (lock)
		pthread_rwlock_init(lock, NULL);
	return lock;
}

static void env_lock_free(const struct vmem_env *env, void *lock)
{
	pthread_rwlock_destroy(lock);
	env_free(env, lock, sizeof(pthread_rwlock_t));
}

static void env_lock(void *lock)
{
	pthread_rwlock_wrlock(lock);
}

static void env_lock_shared(void *lock)
{
	pthread_rwlock_rdlock(lock);
}

static bool env_trylock_shared(void *lock)
{
	return !pthread_rwlock_tryrdlock(lock);
}

static void env_unlock(void *lock)
{
	pthread_rwlock_unlock(lock);
}

void sim_use_threads(struct sim *sim)
{
	sim->env.lock_new = env_lock_new;
	sim->env.lock_free = env_lock_free;
	sim->env.lock = env_lock;
	sim->env.unlock = env_unlock;
	sim->env.lock_shared = env_lock_shared;
	sim->env.unlock_shared = env_unlock;
	sim->env.trylock_shared = env_trylock_shared;
	sim->store.recorded = NULL;
	sim->snapshots = false;
}

/* ---- The host's page cache ---- */

static void drop_snaps(struct sim_page *page)
{
	while (page->nr)
		free(page->snap[--page->nr]);
	page->dirty = false;
}

static void page_stored(struct sim *sim, uint64_t nr)
{
	struct sim_page *page = &sim->pages[nr];
	unsigned int slot;

	page->dirty = true;
	if (!sim->snapshots || sim_random(sim, 4))
		return;
	if (page->nr < SIM_SNAPS) {
		slot = page->nr++;
		page->snap[slot] = malloc(PAGE);
	} else {
		slot = (unsigned int)sim_random(sim, SIM_SNAPS);
	}
	memcpy(page->snap[slot], sim->now + nr * PAGE, PAGE);
}

static void remember_request(struct sim *sim, const struct vmem_range *r, unsigned int nr)
{
	struct sim_request *q = &sim->requests[sim->flushes % SIM_REQUESTS];

	q->nr = nr < SIM_REQ_RANGES ? nr : SIM_REQ_RANGES;
	memcpy(q->r, r, q->nr * sizeof(*r));
	sim->flushes++;
}

#if defined(__SANITIZE_THREAD__)
/* The host reads what the guest may be storing to: no mutex can order that. */
__attribute__((no_sanitize("thread")))
static void host_copy(uint8_t *to, const uint8_t *from, uint64_t len)
{
	const uint64_t *f = (const void *)from;
	uint64_t *t = (void *)to, i;

	for (i = 0; i < len / 8; i++)
		t[i] = f[i];
}
#else
static void host_copy(uint8_t *to, const uint8_t *from, uint64_t len)
{
	memcpy(to, from, len);
}
#endif

static int store_flush(struct vmem_store *store, const struct vmem_range *r, unsigned int nr)
{
	struct sim *sim = store->ctx;
	unsigned int i;
	uint64_t p;
	int err = 0;

	if (sim->on_flush)
		sim->on_flush(sim->on_flush_arg);
	pthread_mutex_lock(&sim->mutex);
	remember_request(sim, r, nr);
	if (sim->flush_fails)
		err = -EIO;
	for (i = 0; i < nr && !err; i++) {
		if (r[i].length > sim->size || r[i].offset > sim->size - r[i].length) {
			fprintf(stderr, "flush of a range outside the store\n");
			abort();
		}
		host_copy(sim->durable + r[i].offset, sim->now + r[i].offset, r[i].length);
		for (p = r[i].offset / PAGE; p * PAGE < r[i].offset + r[i].length; p++)
			drop_snaps(&sim->pages[p]);
	}
	pthread_mutex_unlock(&sim->mutex);
	return err;
}

static int store_commit(struct vmem_store *store, const struct vmem_parts *parts)
{
	struct sim *sim = store->ctx;
	vmem_le64 mark = vmem_le64_of(parts->mark_value);
	int err = store_flush(store, parts->ranges, parts->nr_first);

	sim->commits++;
	if (err)
		return err;
	*(volatile uint64_t *)(void *)(store->base + parts->mark_offset) = mark.raw;
	if (store->recorded)
		store->recorded(store, parts->mark_offset, sizeof(mark));
	return store_flush(store, parts->ranges + parts->nr_first, parts->nr - parts->nr_first);
}

void sim_use_commits(struct sim *sim)
{
	sim->store.commit = store_commit;
}

void sim_forget_flushes(struct sim *sim)
{
	sim->commits = 0;
	sim->flushes = 0;
}

bool sim_request_has(const struct sim *sim, unsigned int i, uint64_t off)
{
	const struct sim_request *q = &sim->requests[i % SIM_REQUESTS];
	unsigned int k;

	for (k = 0; k < q->nr; k++)
		if (off >= q->r[k].offset && off - q->r[k].offset < q->r[k].length)
			return true;
	return false;
}

/* One version of a page: durable, present, or one in between. */
static const uint8_t *pick_version(struct sim *sim, uint64_t nr)
{
	struct sim_page *page = &sim->pages[nr];
	uint64_t which = sim_random(sim, 2 + page->nr);

	if (which == 0)
		return sim->durable + nr * PAGE;
	return which == 1 ? sim->now + nr * PAGE : page->snap[which - 2];
}

/* image is a copy of what is there now, or that itself. */
static void lose_pages(struct sim *sim, uint8_t *image)
{
	uint64_t nr, s;

	for (nr = 0; nr < sim->size / PAGE; nr++) {
		const uint8_t *a, *b;

		if (!sim->pages[nr].dirty)
			continue;
		a = pick_version(sim, nr);
		b = sim_random(sim, 3) ? a : pick_version(sim, nr);
		for (s = 0; s < PAGE; s += SECTOR) {
			const uint8_t *from = (sim_random(sim, 2) ? a : b) + s;

			if (from != image + nr * PAGE + s)
				memcpy(image + nr * PAGE + s, from, SECTOR);
		}
	}
}

/* ---- CPU caches before a DIMM ---- */

static void line_changes(struct sim *sim, uint64_t off, size_t len, enum line_state to)
{
	uint64_t l;

	for (l = off / LINE; l * LINE < off + len; l++) {
		if (sim->line[l] == LINE_CLEAN)
			sim->dirty_lines[sim->nr_dirty_lines++] = l;
		sim->line[l] = (uint8_t)to;
	}
}

static void store_writeback(struct vmem_store *store, const void *addr, size_t len)
{
	struct sim *sim = store->ctx;

	pthread_mutex_lock(&sim->mutex);
	sim->writebacks++;
	line_changes(sim, (uint64_t)((const uint8_t *)addr - sim->now), len, LINE_WRITTEN_BACK);
	pthread_mutex_unlock(&sim->mutex);
}

static void store_drain(struct vmem_store *store)
{
	struct sim *sim = store->ctx;
	size_t i, left = 0;

	pthread_mutex_lock(&sim->mutex);
	sim->drains++;
	for (i = 0; i < sim->nr_dirty_lines; i++) {
		uint64_t l = sim->dirty_lines[i];

		if (sim->line[l] == LINE_WRITTEN_BACK) {
			memcpy(sim->durable + l * LINE, sim->now + l * LINE, LINE);
			sim->line[l] = LINE_CLEAN;
		} else {
			sim->dirty_lines[left++] = l;
		}
	}
	sim->nr_dirty_lines = left;
	pthread_mutex_unlock(&sim->mutex);
}

/* What differs from it becomes as in image; most does not. */
static void copy_pages(uint8_t *to, const uint8_t *image, uint64_t size)
{
	uint64_t p;

	for (p = 0; p < size; p += PAGE)
		if (memcmp(to + p, image + p, PAGE))
			memcpy(to + p, image + p, PAGE);
}

/* durable becomes what it is after the failure: lines that were under way came, or not. */
static void lose_lines(struct sim *sim, uint8_t *durable)
{
	bool all = sim_random(sim, 8) == 0;
	size_t i;
	uint64_t w;

	for (i = 0; i < sim->nr_dirty_lines; i++) {
		uint64_t off = sim->dirty_lines[i] * LINE;
		bool torn = sim_random(sim, 4) == 0, take = sim_random(sim, 2);

		for (w = off; w < off + LINE; w += 8) {
			if (torn)
				take = sim_random(sim, 2);
			if (take || all)
				memcpy(durable + w, sim->now + w, 8);
		}
	}
}

/* ---- Stores and failures ---- */

uint8_t *sim_failed_image(struct sim *sim, enum sim_failure kind)
{
	uint8_t *image = big_alloc(sim->size);

	memcpy(image, kind == SIM_PMEM ? sim->durable : sim->now, sim->size);
	if (kind == SIM_HOST)
		lose_pages(sim, image);
	else if (kind == SIM_PMEM)
		lose_lines(sim, image);
	return image;
}

static void count_store(struct sim *sim)
{
	if (++sim->stores == sim->fail_at && !sim->left)
		sim->left = sim_failed_image(sim, sim->fail_kind);
}

void sim_stored(struct sim *sim, uint64_t off, size_t len)
{
	uint64_t p;

	for (p = off / PAGE; p * PAGE < off + len; p++)
		page_stored(sim, p);
	count_store(sim);
}

/* The core writes back what it stores, at once, and says so before it says "stored". */
static void store_recorded(struct vmem_store *store, uint64_t off, size_t len)
{
	struct sim *sim = store->ctx;
	uint64_t l;

	if (store->backing != VMEM_BACKING_DAX) {
		sim_stored(sim, off, len);
		return;
	}
	for (l = off / LINE; l * LINE < off + len; l++)
		if (sim->line[l] != LINE_WRITTEN_BACK) {
			fprintf(stderr, "store at %llu was not written back\n",
				(unsigned long long)off);
			abort();
		}
	count_store(sim);
}

void sim_store(struct sim *sim, void *to, const void *from, size_t len)
{
	memcpy(to, from, len);
	if (sim->store.writeback)
		sim->store.writeback(&sim->store, to, len);
}

/* The machine boots; its memory, and what a flush would have had to do, is gone. */
static void boot(struct sim *sim, enum sim_failure kind)
{
	uint64_t p;

	if (kind != SIM_GUEST)
		for (p = 0; p < sim->size / PAGE; p++)
			drop_snaps(&sim->pages[p]);
	if (kind == SIM_HOST)
		sim->store.generation[1]++;
	memset(sim->line, LINE_CLEAN, sim->size / LINE);
	sim->nr_dirty_lines = 0;
	sim_forget_memory(sim);
	big_free(sim->left, sim->size);
	sim->left = NULL;
	sim->fail_at = 0;
}

void sim_restart(struct sim *sim, uint8_t *image, enum sim_failure kind)
{
	copy_pages(sim->now, image, sim->size);
	if (kind != SIM_GUEST)
		copy_pages(sim->durable, image, sim->size);
	if (sim->left == image)
		sim->left = NULL;
	boot(sim, kind);
	big_free(image, sim->size);
}

void sim_fail(struct sim *sim, enum sim_failure kind)
{
	if (kind == SIM_HOST) {
		lose_pages(sim, sim->now);
		copy_pages(sim->durable, sim->now, sim->size);
	} else if (kind == SIM_PMEM) {
		lose_lines(sim, sim->durable);
		copy_pages(sim->now, sim->durable, sim->size);
	}
	boot(sim, kind);
}

/* ---- Checking ---- */

static void print_problem(void *ctx, const char *fmt, va_list ap)
{
	if (((struct sim *)ctx)->quiet)
		return;
	fputs("# check: ", stdout);
	vprintf(fmt, ap);
	putchar('\n');
}

int64_t sim_check(struct sim *sim)
{
	struct vmem_check_params p = {
		.base = sim->now, .size = sim->size, .env = &sim->env, .ctx = sim,
		.problem = print_problem,
	};
	struct vmem_check_result r;

	return vmem_check(&p, &r);
}

/* ---- Making ---- */

/*
 * Stores are large, and most of the time that a short test takes goes into the page faults
 * of a new one.  So the memory of the last ones is kept, and only what differs is stored to.
 */
#define KEPT		8u
#define KEPT_BYTES	((uint64_t)256 << 20)

static struct {
	uint8_t *p;
	uint64_t size;
} kept[KEPT];
static unsigned int nr_kept;
static uint64_t kept_bytes;

static uint8_t *take_kept(unsigned int i)
{
	uint8_t *p = kept[i].p;

	kept_bytes -= kept[i].size;
	nr_kept--;
	memmove(&kept[i], &kept[i + 1], (nr_kept - i) * sizeof(kept[0]));
	return p;
}

/* The ones kept longest make room. */
static void unmap_memory(uint8_t *p, uint64_t size)
{
	while (nr_kept && (nr_kept == KEPT || kept_bytes + size > KEPT_BYTES)) {
		uint64_t old = kept[0].size;

		munmap(take_kept(0), old);
	}
	kept[nr_kept].p = p;
	kept[nr_kept++].size = size;
	kept_bytes += size;
}

static uint8_t *map_kept(uint64_t size)
{
	unsigned int i;

	for (i = 0; i < nr_kept; i++)
		if (kept[i].size == size)
			return take_kept(i);
	return NULL;
}

/* Memory that holds image, or rubbish. */
static uint8_t *map_memory(uint64_t size, const uint8_t *image)
{
	static uint8_t rubbish[PAGE];
	uint8_t *p = map_kept(size);
	bool new = !p;
	uint64_t at;

	if (new)
		p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		abort();
	/* Where the host has none, it goes without. */
	if (new)
		(void)madvise(p, size, MADV_HUGEPAGE);
	memset(rubbish, RUBBISH, sizeof(rubbish));
	for (at = 0; at < size; at += PAGE) {
		const uint8_t *from = image ? image + at : rubbish;
		size_t len = size - at < PAGE ? size - at : PAGE;

		if (new || memcmp(p + at, from, len))
			memcpy(p + at, from, len);
	}
	return p;
}

struct sim *sim_new_of(const uint8_t *image, uint64_t size, enum vmem_backing backing, uint64_t seed)
{
	struct sim *sim = calloc(1, sizeof(*sim));

	sim->size = size;
	sim->rng = seed * 0x9e3779b97f4a7c15ull + 1;
	sim->clock = 1000000000;
	sim->now = map_memory(size, image);
	sim->durable = map_memory(size, image);
	sim->pages = big_zalloc(size / PAGE * sizeof(sim->pages[0]));
	sim->line = big_zalloc(size / LINE);
	sim->dirty_lines = big_alloc(size / LINE * sizeof(sim->dirty_lines[0]));
	pthread_mutex_init(&sim->mutex, NULL);
	sim->env = (struct vmem_env){
		.ctx = sim, .alloc = env_alloc, .free = env_free, .now = env_now,
		.random = env_random, .log = env_log,
	};
	sim->store = (struct vmem_store){
		.base = sim->now, .size = size, .backing = backing, .ctx = sim,
		.recorded = store_recorded, .generation = { 1 },
	};
	if (backing == VMEM_BACKING_PAGE_CACHE)
		sim->store.flush = store_flush;
	if (backing == VMEM_BACKING_DAX) {
		sim->store.writeback = store_writeback;
		sim->store.drain = store_drain;
	}
	return sim;
}

struct sim *sim_new(uint64_t size, enum vmem_backing backing, uint64_t seed)
{
	return sim_new_of(NULL, size, backing, seed);
}

void sim_free(struct sim *sim)
{
	uint64_t p;

	sim_forget_memory(sim);
	for (p = 0; p < sim->size / PAGE; p++)
		drop_snaps(&sim->pages[p]);
	unmap_memory(sim->now, sim->size);
	unmap_memory(sim->durable, sim->size);
	big_free(sim->pages, sim->size / PAGE * sizeof(sim->pages[0]));
	big_free(sim->line, sim->size / LINE);
	big_free(sim->dirty_lines, sim->size / LINE * sizeof(sim->dirty_lines[0]));
	big_free(sim->left, sim->size);
	free(sim);
}
