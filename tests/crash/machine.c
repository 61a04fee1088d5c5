// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* machine.c - a machine that runs the core over an image, and can record it */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "medium/hash.h"
#include "../core/big.h"
#include "machine.h"

#define ARENA_SIZE	(256u << 20)

#if defined(__SANITIZE_ADDRESS__)
#define USE_ARENA false
#else
#define USE_ARENA true
#endif

const char *const mode_name[NR_MODES] = { "guest", "kill", "host", "pmem" };

uint64_t mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	return x ^ x >> 32;
}

/* ---- Memory: an arena that a crash empties; one block each under the sanitizer ---- */

struct block {
	struct block *next, *prev;
	size_t size, pad;
};

static void *env_alloc(const struct vmem_env *env, size_t size)
{
	struct machine *m = env->ctx;
	struct block *b;

	m->live += size;
	if (USE_ARENA) {
		uint8_t *p = m->arena + m->arena_used;
		size_t dirty, top;

		m->arena_used += (size + 15) & ~(size_t)15;
		if (m->arena_used > ARENA_SIZE) {
			fprintf(stderr, "crash: the arena is too small\n");
			exit(2);
		}
		top = m->arena_top;
		if (m->arena_used > m->arena_top)
			m->arena_top = m->arena_used;
		/*
		 * Fresh pages are zero.  The buffers of a transaction, most of what a
		 * mount takes, come as the last mount left them: nothing may read there
		 * what it has not written, and clearing them would be the greater part
		 * of a mount.
		 */
		if (size >= VMEM_REC_MAX)
			return p;
		dirty = top > (size_t)(p - m->arena) ? top - (size_t)(p - m->arena) : 0;
		memset(p, 0, dirty < size ? dirty : size);
		return p;
	}
	b = big_zalloc(sizeof(*b) + size);
	b->size = size;
	b->next = m->blocks;
	if (b->next)
		b->next->prev = b;
	m->blocks = b;
	return b + 1;
}

static void env_free(const struct vmem_env *env, void *p, size_t size)
{
	struct machine *m = env->ctx;
	struct block *b = (struct block *)p - 1;

	m->live -= size;
	if (USE_ARENA) {
		/* What was allocated last can be used again at once. */
		if ((uint8_t *)p + ((size + 15) & ~(size_t)15) == m->arena + m->arena_used)
			m->arena_used = (size_t)((uint8_t *)p - m->arena);
		return;
	}
	if (b->prev)
		b->prev->next = b->next;
	else
		m->blocks = b->next;
	if (b->next)
		b->next->prev = b->prev;
	big_free(b, sizeof(*b) + size);
}

void machine_forget(struct machine *m)
{
	while (m->blocks) {
		struct block *b = m->blocks;

		m->blocks = b->next;
		big_free(b, sizeof(*b) + b->size);
	}
	m->arena_used = 0;
	m->live = 0;
	m->mounted = false;
}

static int64_t env_now(const struct vmem_env *env)
{
	struct machine *m = env->ctx;

	return m->clock += 1000;
}

static void env_random(const struct vmem_env *env, void *buf, size_t len)
{
	struct machine *m = env->ctx;
	size_t i;

	for (i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)mix(++m->rng);
}

static void env_log(const struct vmem_env *env, enum vmem_log_level level, const char *fmt, ...)
{
	struct machine *m = env->ctx;
	va_list ap;

	(void)level;
	va_start(ap, fmt);
	vsnprintf(m->last_log, sizeof(m->last_log), fmt, ap);
	va_end(ap);
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t fast_crc(uint32_t crc, const void *buf, size_t len)
{
	const uint8_t *p = buf;
	uint64_t c = crc;

	for (; len >= 8; len -= 8, p += 8) {
		uint64_t v;

		memcpy(&v, p, 8);
		c = __builtin_ia32_crc32di(c, v);
	}
	for (; len; len--)
		c = __builtin_ia32_crc32qi((uint32_t)c, *p++);
	return (uint32_t)c;
}
#endif

/* ---- Traces ---- */

static void *grown(void *p, size_t *max, size_t need, size_t unit)
{
	if (need <= *max)
		return p;
	*max = need + need / 2 + 256;
	p = realloc(p, *max * unit);
	if (!p)
		abort();
	return p;
}

void trace_add(struct trace *t, enum event_kind kind, uint32_t off, uint32_t len,
	       const void *data, size_t data_len)
{
	t->ev = grown(t->ev, &t->max, t->nr + 1, sizeof(t->ev[0]));
	t->bytes = grown(t->bytes, &t->max_bytes, t->nr_bytes + data_len, 1);
	t->ev[t->nr++] = (struct event){ kind, off, len, t->nr_bytes };
	if (data_len)
		memcpy(t->bytes + t->nr_bytes, data, data_len);
	t->nr_bytes += data_len;
}

void trace_free(struct trace *t)
{
	free(t->ev);
	free(t->bytes);
	memset(t, 0, sizeof(*t));
}

void trace_copy(struct trace *to, const struct trace *t, size_t nr)
{
	size_t bytes = nr < t->nr ? t->ev[nr].data : t->nr_bytes;

	to->ev = grown(to->ev, &to->max, nr, sizeof(to->ev[0]));
	to->bytes = grown(to->bytes, &to->max_bytes, bytes, 1);
	if (nr)
		memcpy(to->ev, t->ev, nr * sizeof(t->ev[0]));
	if (bytes)
		memcpy(to->bytes, t->bytes, bytes);
	to->nr = nr;
	to->nr_bytes = bytes;
}

static const char *where(const struct machine *m, uint32_t off, char *buf, size_t size)
{
	const struct vmem_superblock *sb = (const void *)m->image;
	uint32_t block = off / PAGE, in = off % PAGE;
	uint32_t log = (uint32_t)vmem_get64(sb->log_start), nr = (uint32_t)vmem_get64(sb->log_blocks);
	uint32_t ag_blocks = vmem_get32(sb->ag_blocks), ag = block / ag_blocks;
	uint32_t meta = ag ? ag * ag_blocks : (uint32_t)vmem_get64(sb->agmeta0);

	if (block == 0)
		snprintf(buf, size, "superblock+%u", in);
	else if (block <= 2)
		snprintf(buf, size, in >= 512 ? "root slot %u applied" : "root slot %u", block - 1);
	else if (block < log)
		snprintf(buf, size, "group descriptor %u+%u", (block - 4) * 128 + in / 32, in % 32);
	else if (block < log + nr)
		snprintf(buf, size, "log+0x%x", off - log * PAGE);
	else if (block == meta)
		snprintf(buf, size, "block bitmap %u+%u", ag, in);
	else if (block == meta + 1)
		snprintf(buf, size, "%s bitmap %u+%u", in < 2048 ? "inode" : "orphan", ag, in % 2048);
	else if (block > meta && block < meta + 2 + vmem_get32(sb->itable_blocks))
		snprintf(buf, size, "inode %u+%u", ag * vmem_get32(sb->inodes_per_ag) +
			 (block - meta - 2) * 16 + in / 256, in % 256);
	else
		snprintf(buf, size, "block %u+%u", block, in);
	return buf;
}

void trace_print(const struct machine *m, const struct event *e, const struct trace *t)
{
	const struct vmem_range *r;
	char buf[80];
	uint32_t i;

	switch (e->kind) {
	case EV_STORE:
		printf("store      0x%06x %5u  %s\n", e->off, e->len, where(m, e->off, buf, sizeof(buf)));
		break;
	case EV_WRITEBACK:
		printf("write back 0x%06x %5u  %s\n", e->off, e->len, where(m, e->off, buf, sizeof(buf)));
		break;
	case EV_DRAIN:
		printf("drain\n");
		break;
	case EV_FLUSH:
		r = (const void *)(t->bytes + e->data);
		printf("flush     ");
		for (i = 0; i < e->len; i++) {
			struct vmem_range x;

			memcpy(&x, r + i, sizeof(x));
			printf(" 0x%06x+0x%x", (unsigned int)x.offset, (unsigned int)x.length);
		}
		printf("\n");
		break;
	default:
		printf("%s operation %u\n", e->kind == EV_BEGIN ? "begin" : "done ", e->off);
	}
}

/* ---- The store ---- */

static void touch(struct machine *m, uint64_t off, size_t len)
{
	uint64_t p;

	for (p = off / PAGE; p * PAGE < off + len; p++)
		if (!m->touched[p]) {
			m->touched[p] = true;
			m->touched_list[m->nr_touched++] = (uint32_t)p;
		}
}

/* Whoever stores to a hole of a thin file may be killed by a full host. */
static void look_for_holes(struct machine *m, uint64_t off, size_t len)
{
	uint64_t p;

	if (!m->thin || !m->mounted || m->hole >= 0)
		return;
	for (p = off / PAGE; p * PAGE < off + len; p++)
		if (!m->provided[p])
			m->hole = (int)p;
}

/* What differs from the shadow was stored. */
static void record_store(struct machine *m, uint64_t off, size_t len)
{
	if (!memcmp(m->shadow + off, m->image + off, len))
		return;
	memcpy(m->shadow + off, m->image + off, len);
	trace_add(m->trace, EV_STORE, (uint32_t)off, (uint32_t)len, m->image + off, len);
}

static void store_recorded(struct vmem_store *store, uint64_t off, size_t len)
{
	struct machine *m = store->ctx;

	touch(m, off, len);
	look_for_holes(m, off, len);
	if (m->trace && len)
		record_store(m, off, len);
}

/* The core writes back before it says "stored"; so this is the store. */
static void store_writeback(struct vmem_store *store, const void *addr, size_t len)
{
	struct machine *m = store->ctx;
	uint64_t off = (uint64_t)((const uint8_t *)addr - m->image);

	touch(m, off, len);
	look_for_holes(m, off, len);
	if (!m->trace || !len)
		return;
	record_store(m, off, len);
	trace_add(m->trace, EV_WRITEBACK, (uint32_t)off, (uint32_t)len, NULL, 0);
}

static void store_drain(struct vmem_store *store)
{
	struct machine *m = store->ctx;

	if (m->trace)
		trace_add(m->trace, EV_DRAIN, 0, 0, NULL, 0);
}

static int store_flush(struct vmem_store *store, const struct vmem_range *r, unsigned int nr)
{
	struct machine *m = store->ctx;

	if (m->trace)
		trace_add(m->trace, EV_FLUSH, 0, nr, r, nr * sizeof(*r));
	return 0;
}

/* As the device does it; the mark is a store like any other. */
static int store_commit(struct vmem_store *store, const struct vmem_parts *parts)
{
	vmem_le64 mark = vmem_le64_of(parts->mark_value);

	store_flush(store, parts->ranges, parts->nr_first);
	memcpy(store->base + parts->mark_offset, &mark, sizeof(mark));
	store->recorded(store, parts->mark_offset, sizeof(mark));
	store_flush(store, parts->ranges + parts->nr_first, parts->nr - parts->nr_first);
	return 0;
}

void machine_stored(struct machine *m, uint64_t off, size_t len)
{
	if (m->store.writeback)
		m->store.writeback(&m->store, m->image + off, len);
	m->store.recorded(&m->store, off, len);
}

static int store_provision(struct vmem_store *store, uint64_t off, uint64_t len)
{
	struct machine *m = store->ctx;

	memset(m->provided + off / PAGE, true, (len + PAGE - 1) / PAGE);
	return 0;
}

/*
 * To the guest and to those who look at the page cache a discarded page is zero at
 * once; the disk has the old page or the hole, until it is flushed or used again.
 * So it is a store of zeros like any other.
 */
static int store_discard(struct vmem_store *store, const struct vmem_range *r, unsigned int nr)
{
	static const uint8_t zeros[PAGE];
	struct machine *m = store->ctx;
	unsigned int i;
	uint64_t off;

	for (i = 0; i < nr; i++)
		for (off = r[i].offset; off < r[i].offset + r[i].length; off += PAGE) {
			m->provided[off / PAGE] = true;
			if (memcmp(m->image + off, zeros, PAGE)) {
				memset(m->image + off, 0, PAGE);
				machine_stored(m, off, PAGE);
			}
			m->provided[off / PAGE] = false;
		}
	return 0;
}

void machine_set_mode(struct machine *m, enum mode mode)
{
	bool dax = mode == MODE_PMEM;

	m->store.backing = dax ? VMEM_BACKING_DAX : VMEM_BACKING_PAGE_CACHE;
	m->store.flush = dax ? NULL : store_flush;
	m->store.commit = dax || m->two_flushes ? NULL : store_commit;
	m->store.writeback = dax ? store_writeback : NULL;
	m->store.drain = dax ? store_drain : NULL;
	m->store.provision = m->thin ? store_provision : NULL;
	m->store.discard = m->thin ? store_discard : NULL;
}

void machine_record(struct machine *m, struct trace *t, bool more)
{
	if (!more)
		t->nr = t->nr_bytes = 0;
	if (!m->shadow)
		m->shadow = malloc(IMAGE_SIZE);
	memcpy(m->shadow, m->image, IMAGE_SIZE);
	m->trace = t;
}

void machine_load(struct machine *m, const uint8_t *start)
{
	while (m->nr_touched)
		m->touched[m->touched_list[--m->nr_touched]] = false;
	memcpy(m->image, start, IMAGE_SIZE);
}

void machine_record_again(struct machine *m, struct trace *t, const uint8_t *start)
{
	t->nr = t->nr_bytes = 0;
	while (m->nr_touched) {
		uint32_t p = m->touched_list[--m->nr_touched];

		memcpy(m->image + (size_t)p * PAGE, start + (size_t)p * PAGE, PAGE);
		memcpy(m->shadow + (size_t)p * PAGE, start + (size_t)p * PAGE, PAGE);
		m->touched[p] = false;
	}
	m->trace = t;
}

void machine_stop_recording(struct machine *m)
{
	m->trace = NULL;
}

/* ---- Mounting and checking ---- */

int machine_mount(struct machine *m, enum mode mode, struct vmem_fs **fs)
{
	struct vmem_mount_opts opts = {
		.domain = mode == MODE_GUEST ? VMEM_DOMAIN_GUEST : 0,
	};

	int err;

	m->last_log[0] = 0;
	m->mounted = true;
	m->hole = -1;
	memset(m->provided, 0, sizeof(m->provided));
	err = vmem_mount(&m->store, &m->env, &opts, fs, NULL);
	if (!err && m->thin)
		vmem_set_discard(*fs, true);
	return err;
}

static void note_problem(void *ctx, const char *fmt, va_list ap)
{
	struct machine *m = ctx;

	if (!m->finding[0])
		vsnprintf(m->finding, sizeof(m->finding), fmt, ap);
}

bool machine_met_hole(struct machine *m)
{
	if (!m->mounted || !m->thin || m->hole < 0)
		return false;
	snprintf(m->finding, sizeof(m->finding), "page %d was stored to, but not provisioned", m->hole);
	return true;
}

int64_t machine_check(struct machine *m)
{
	struct vmem_check_params p = {
		.base = m->image, .size = IMAGE_SIZE, .env = &m->env, .ctx = m,
		.problem = note_problem,
	};
	struct vmem_check_result r;

	m->finding[0] = 0;
	if (machine_met_hole(m))
		return 1;
	return vmem_check(&p, &r);
}

static uint8_t *map_memory(size_t size)
{
	uint8_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		perror("crash: mmap");
		exit(2);
	}
	return p;
}

void machine_init(struct machine *m)
{
	memset(m, 0, sizeof(*m));
	m->image = map_memory(IMAGE_SIZE);
	if (USE_ARENA)
		m->arena = map_memory(ARENA_SIZE);
	m->clock = 1000000000;
	m->env = (struct vmem_env){
		.ctx = m, .alloc = env_alloc, .free = env_free, .now = env_now,
		.random = env_random, .log = env_log, .crc32c = vmem_crc32c,
	};
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2"))
		m->env.crc32c = fast_crc;
#endif
	m->store = (struct vmem_store){
		.base = m->image, .size = IMAGE_SIZE, .ctx = m, .recorded = store_recorded,
		.generation = { 1 },
	};
}

void machine_free(struct machine *m)
{
	machine_forget(m);
	munmap(m->image, IMAGE_SIZE);
	if (m->arena)
		munmap(m->arena, ARENA_SIZE);
	free(m->shadow);
}
