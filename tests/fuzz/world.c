// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* world.c - the store and the environment, and what they watch over */
#include "fuzz.h"

#define LIVE_MAX (64ull << 20)	/* bytes; the core must never want more here */

struct world world;

struct block {
	struct block *next, *prev;
	size_t size, pad;
};
static struct block *blocks;

void broken(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("broken: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	abort();
}

/* ---- Environment ---- */

static void *env_alloc(const struct vmem_env *env, size_t size)
{
	struct block *b;

	(void)env;
	if (++world.allocs == world.fail_at)
		return NULL;
	if (world.live + size > LIVE_MAX)
		broken("%llu bytes allocated and %zu more wanted",
		       (unsigned long long)world.live, size);
	b = calloc(1, sizeof(*b) + size);
	if (!b)
		return NULL;
	b->size = size;
	b->next = blocks;
	if (b->next)
		b->next->prev = b;
	blocks = b;
	world.live += size;
	if (world.live > world.peak)
		world.peak = world.live;
	return b + 1;
}

static void env_free(const struct vmem_env *env, void *p, size_t size)
{
	struct block *b = (struct block *)p - 1;

	(void)env;
	if (b->size != size)
		broken("%zu bytes allocated, %zu freed", b->size, size);
	if (b->prev)
		b->prev->next = b->next;
	else
		blocks = b->next;
	if (b->next)
		b->next->prev = b->prev;
	world.live -= size;
	free(b);
}

void world_crash(void)
{
	while (blocks) {
		struct block *b = blocks;

		blocks = b->next;
		free(b);
	}
	world.live = 0;
}

static int64_t env_now(const struct vmem_env *env)
{
	(void)env;
	return (int64_t)(world.clock += 1000);
}

static void env_random(const struct vmem_env *env, void *buf, size_t len)
{
	uint8_t *p = buf;

	(void)env;
	while (len--) {
		world.rng = world.rng * 6364136223846793005ull + 1442695040888963407ull;
		*p++ = (uint8_t)(world.rng >> 56);
	}
}

static void env_log(const struct vmem_env *env, enum vmem_log_level level, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	(void)env;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (world.verbose)
		fprintf(stderr, "# core %d: %s\n", (int)level, line);
	if (strncmp(line, "damaged:", 8))
		return;
	world.damaged = true;
	if (world.pristine)
		broken("the checker finds nothing, but the core says: %s", line);
}

/* ---- Store ---- */

static int store_flush(struct vmem_store *store, const struct vmem_range *r, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (r[i].offset > store->size || r[i].length > store->size - r[i].offset)
			broken("flush of %llu+%llu", (unsigned long long)r[i].offset,
			       (unsigned long long)r[i].length);
	return 0;
}

static void store_writeback(struct vmem_store *store, const void *addr, size_t len)
{
	uint64_t off = (uint64_t)((const uint8_t *)addr - store->base);

	if (off > store->size || len > store->size - off)
		broken("write-back of %llu+%zu", (unsigned long long)off, len);
}

static void store_drain(struct vmem_store *store)
{
	(void)store;
}

void world_touch(uint64_t off, uint64_t len)
{
	uint64_t b;

	for (b = off / BLOCK; b <= (off + len - 1) / BLOCK; b++)
		world.base->touched[b] = 1;
}

static bool sealed(const struct vmem_superblock *sb)
{
	return vmem_get32(sb->csum) == vmem_superblock_csum(vmem_crc32c, sb);
}

/* The two copies differ in the label at most, and in the checksum with it. */
static bool differ_in_label(struct vmem_superblock a, struct vmem_superblock b)
{
	b.csum = a.csum;
	memcpy(b.label, a.label, sizeof(b.label));
	return !memcmp(&a, &b, sizeof(a));
}

/*
 * What may be stored to a superblock: the two words of a feature bit; a whole copy with
 * another label, the backup first; the same by a mount, after a crash between the two.
 */
static bool changes_super(uint64_t off, size_t len, uint64_t backup)
{
	const struct vmem_superblock *first = (const void *)world.store.base;
	const struct vmem_superblock *second = (const void *)(world.store.base + backup);
	bool to_first = off < BLOCK;

	if (to_first && len == 8)
		return off == offsetof(struct vmem_superblock, csum) ||
		       off == offsetof(struct vmem_superblock, incompat);
	if (!to_first && (off < backup || off - backup >= BLOCK))
		return false;
	off -= to_first ? 0 : backup;
	if (off == sizeof(*first) && len == BLOCK - sizeof(*first))
		return sealed(to_first ? second : first);
	if (off || len != sizeof(*first) || !sealed(second))
		return false;
	return to_first ? !memcmp(first, second, sizeof(*first)) : differ_in_label(*first, *second);
}

/* Every store of the core: none when it must not, to a superblock only that. */
static void store_recorded(struct vmem_store *store, uint64_t off, size_t len)
{
	uint64_t backup = vmem_get64(world.base->sb.backup) * BLOCK;

	if (!len)
		return;
	if (off > store->size || len > store->size - off)
		broken("store to %llu+%zu", (unsigned long long)off, len);
	if (world.frozen)
		broken("store to %llu+%zu of a mount that must not change the medium",
		       (unsigned long long)off, len);
	if (!world.repairing && (off < BLOCK || (off < backup + BLOCK && off + len > backup &&
			    vmem_get64(world.base->sb.nr_blocks) == world.base->nr_blocks)) &&
	    !changes_super(off, len, backup))
		broken("store to %llu+%zu, which is a superblock", (unsigned long long)off, len);
	world_touch(off, len);
}

void init_world(struct base *base)
{
	world.base = base;
	world.store = (struct vmem_store){
		.base = base->work, .size = base->nr_blocks * BLOCK, .backing = base->backing,
		.generation = "0123456789abcde",
	};
	world.env = (struct vmem_env){
		.alloc = env_alloc, .free = env_free, .now = env_now, .random = env_random,
		.log = env_log,
	};
	world.allocs = 0;
	world.fail_at = 0;
	world.clock = 1700000000000000000ull;
	world.rng = 1;
	world.frozen = false;
	world.damaged = false;
	world.repairing = false;
	world.pristine = false;
}

static void add_backing(const struct fuzz_header *head)
{
	struct vmem_store *s = &world.store;

	if (head->backing % 4)
		s->backing = (enum vmem_backing)(head->backing % 4);
	if (s->backing == VMEM_BACKING_PAGE_CACHE) {
		s->flush = store_flush;
	} else if (s->backing == VMEM_BACKING_DAX) {
		s->writeback = store_writeback;
		s->drain = store_drain;
	}
}

void world_start(struct base *base, const struct fuzz_header *head)
{
	uint64_t b;

	for (b = 0; b < base->nr_blocks; b++)
		if (base->touched[b])
			memcpy(base->work + b * BLOCK, base->image + b * BLOCK, BLOCK);
	memset(base->touched, 0, base->nr_blocks);
	init_world(base);
	add_backing(head);
	world.store.read_only = head->mount & MOUNT_STORE_READ_ONLY;
	world.store.recorded = store_recorded;
	world.fail_at = head->fail_alloc;
	if (head->mount & MOUNT_HOST_FAILED)
		world.store.generation[0] = 'x';
}

void world_end(void)
{
	if (world.live)
		broken("%llu bytes were not given back", (unsigned long long)world.live);
}

void expect_errno(int64_t err)
{
	if (err < -4095 || err == -EFAULT || err == -EOVERFLOW || err == -EAGAIN)
		broken("result %lld", (long long)err);
}

/* ---- Check ---- */

static void problem(void *ctx, const char *fmt, va_list ap)
{
	char line[512];

	(void)ctx;
	vsnprintf(line, sizeof(line), fmt, ap);
	if (world.verbose)
		fprintf(stderr, "# check: %s\n", line);
}

int64_t world_check(bool *needs_check)
{
	struct vmem_check_params params = {
		.base = world.store.base, .size = world.store.size, .env = &world.env,
		.problem = problem,
	};
	struct vmem_check_result res;
	bool was_frozen = world.frozen;
	int64_t n;

	world.frozen = true;
	n = vmem_check(&params, &res);
	world.frozen = was_frozen;
	if (n < 0 && n != -EPROTONOSUPPORT && n != -ENOMEM)
		broken("check says %lld", (long long)n);
	if (needs_check)
		*needs_check = res.needs_check;
	return n;
}
