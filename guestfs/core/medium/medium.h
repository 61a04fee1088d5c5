/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * medium.h - the lowest layer: the store, and what every part of the mounted file system needs
 *
 * Offers: stores and fences (persist.h), checksums (hash.h), where things lie (place.c,
 * geometry.h), the newest root (root.h), flushing (ranges.c), the host's room (room.c), and
 * telling of damage (error.c).  Who may call it: everyone.  It has no lock of its own: a set
 * of ranges belongs to its caller, the words of struct vmem_chunks are atomic.
 */
#ifndef VMEM_MEDIUM_H
#define VMEM_MEDIUM_H

#include "mount.h"
#include "medium/fields.h"
#include "medium/hash.h"
#include "medium/persist.h"

#define VMEM_RANGES_MAX		256u
#define VMEM_CHUNK_BLOCKS	512u	/* 2 MiB: what a huge page maps */
#define VMEM_CHUNKS		(VMEM_MAX_AG_BLOCKS / VMEM_CHUNK_BLOCKS)

/* ---- Small helpers ---- */

#define VMEM_MIN(a, b) ((a) < (b) ? (a) : (b))
#define VMEM_MAX(a, b) ((a) > (b) ? (a) : (b))

static inline uint64_t vmem_align_up(uint64_t v, uint64_t a)
{
	return (v + a - 1) & ~(a - 1);
}

static inline uint64_t vmem_blocks_for(uint64_t size)
{
	return (size + VMEM_BLOCK_MASK) >> VMEM_BLOCK_SHIFT;
}

/* ---- Services of struct vmem_env ---- */

static inline void vmem_lock(struct vmem_fs *fs, void *l)
{
	if (fs->env->lock)
		fs->env->lock(l);
}

static inline void vmem_unlock(struct vmem_fs *fs, void *l)
{
	if (fs->env->lock)
		fs->env->unlock(l);
}

static inline void vmem_lock_shared(struct vmem_fs *fs)
{
	if (fs->env->lock)
		fs->env->lock_shared(fs->lock);
}

static inline bool vmem_trylock_shared(struct vmem_fs *fs)
{
	if (!fs->env->lock)
		return true;
	return fs->env->trylock_shared && fs->env->trylock_shared(fs->lock);
}

static inline void vmem_unlock_shared(struct vmem_fs *fs)
{
	if (fs->env->lock)
		fs->env->unlock_shared(fs->lock);
}

/* Statistics are counted under different locks. */
static inline void vmem_count(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static inline void *vmem_alloc(struct vmem_fs *fs, size_t size)
{
	return fs->env->alloc(fs->env, size);
}

static inline void vmem_free(struct vmem_fs *fs, void *p, size_t size)
{
	if (p)
		fs->env->free(fs->env, p, size);
}

static inline int64_t vmem_now(struct vmem_fs *fs)
{
	return fs->env->now(fs->env);
}

/*
 * Flags that are looked at without the lock under which they change: whoever
 * acts on one either may be late or looks again under the lock.
 */
#ifdef VMEM_INTERLEAVE
/* The concurrency explorer: another thread may run just before. */
void vmem_interleave(void);
void vmem_interleave_peek(void);
#define VMEM_PEEKING() vmem_interleave_peek()
#define VMEM_PEEK(flag) (vmem_interleave(), __atomic_load_n(&(flag), __ATOMIC_RELAXED))
#define VMEM_FLAG(flag, v) (vmem_interleave(), __atomic_store_n(&(flag), (v), __ATOMIC_RELAXED))
#else
#define VMEM_PEEKING() ((void)0)	/* without the lock, at something that may be changing */
#define VMEM_PEEK(flag) __atomic_load_n(&(flag), __ATOMIC_RELAXED)
#define VMEM_FLAG(flag, v) __atomic_store_n(&(flag), (v), __ATOMIC_RELAXED)
#endif

/* A word that others may be storing, as a whole. */
static inline uint64_t vmem_peek64(const vmem_le64 *word)
{
	vmem_le64 v = { __atomic_load_n(&word->raw, __ATOMIC_RELAXED) };

	return vmem_get64(v);
}

/* A function that reads what may be changing, and whose caller finds out. */
#ifdef __SANITIZE_THREAD__
#define VMEM_RACY __attribute__((__noinline__, __no_sanitize_thread__))
#else
#define VMEM_RACY inline __attribute__((__always_inline__))
#endif

/* It grows under the lock; what is a block once stays one. */
static inline uint64_t vmem_nr_blocks(const struct vmem_fs *fs)
{
	return __atomic_load_n(&fs->nr_blocks, __ATOMIC_RELAXED);
}

/* ---- The kinds of inode ---- */

/* The VMEM_NR_TIMES times of an inode. */
static inline vmem_le64 *vmem_times(struct vmem_dinode *n)
{
	return (vmem_le64 *)(void *)((uint8_t *)n + offsetof(struct vmem_dinode, atime));
}

static inline bool vmem_is_dir(const struct vmem_dinode *n)
{
	return (vmem_get16(n->mode) & MODE_TYPE) == MODE_DIR;
}

static inline bool vmem_is_reg(const struct vmem_dinode *n)
{
	return (vmem_get16(n->mode) & MODE_TYPE) == MODE_REG;
}

static inline bool vmem_is_lnk(const struct vmem_dinode *n)
{
	return (vmem_get16(n->mode) & MODE_TYPE) == MODE_LNK;
}

/* ---- error.c: damage and failed flushes ---- */

/* The sticky error: 0, -EIO or -EUCLEAN. */
static inline int vmem_error(const struct vmem_fs *fs)
{
	return VMEM_PEEK(fs->error);
}

/* Domains in which a record is durable, and applied at home, at once. */
static inline bool vmem_immediate(const struct vmem_fs *fs)
{
	return fs->domain != VMEM_DOMAIN_HOST;
}

/* Report a contradiction on the medium once, turn read-only; returns -EUCLEAN. */
int vmem_corrupt(struct vmem_fs *fs, uint64_t ino, uint64_t block, const char *what);
/* The first failed flush: sticky; returns -EIO. */
int vmem_io_failed(struct vmem_fs *fs);
/* After an error: what a change answers. */
int vmem_refusal(const struct vmem_fs *fs);

/* ---- place.c: where things lie ---- */

static inline uint32_t vmem_ag_size(const struct vmem_fs *fs, uint32_t ag)
{
	uint64_t start = (uint64_t)ag * fs->ag_blocks;

	return (uint32_t)VMEM_MIN(fs->ag_blocks, fs->nr_blocks - start);
}
uint64_t vmem_ag_meta(const struct vmem_fs *fs, uint32_t ag);
uint64_t vmem_desc_off(const struct vmem_fs *fs, uint32_t ag);
uint64_t vmem_inode_off(const struct vmem_fs *fs, uint64_t ino);
/* May file data or a node live in blocks [start, start + nr)? */
bool vmem_block_ok(const struct vmem_fs *fs, uint64_t start, uint64_t nr);

/* ---- bits.c ---- */

/* Zeros, as many as a block has. */
extern const uint8_t vmem_zero_block[VMEM_BLOCK_SIZE];
void vmem_bits_apply(uint8_t *map, uint32_t first, uint32_t nr, bool set);

/* ---- ranges.c: what is to be flushed ---- */

struct vmem_rangeset {
	unsigned int nr;
	struct vmem_range r[VMEM_RANGES_MAX];
};

void vmem_ranges_add(struct vmem_rangeset *set, uint64_t off, uint64_t len);
void vmem_ranges_sort(struct vmem_rangeset *set);
/*
 * Flush the union of the sets by one request and empty them.  The first set
 * gathers the others, so it must be able to hold a merged union.
 */
int vmem_flush_sets(struct vmem_fs *fs, struct vmem_rangeset *const *sets, unsigned int nr);
/*
 * The same, then the mark, then the ranges of `second`: store.commit.
 * -EOPNOTSUPP: not possible; the ranges are still in the sets.
 */
int vmem_commit_sets(struct vmem_fs *fs, struct vmem_rangeset *const *sets, unsigned int nr,
		     struct vmem_rangeset *second, uint64_t mark_off, uint64_t mark_value);
int vmem_flush_range(struct vmem_fs *fs, uint64_t off, uint64_t len);
/* These bytes become durable in every domain: on the host, too. */
int vmem_make_durable(struct vmem_fs *fs, uint64_t off, uint64_t len);

/* ---- room.c: thin stores ---- */

/* Thin store: what the host has room for.  All words are atomic. */
struct vmem_chunks {
	struct vmem_chunks *older;	/* of before the file system grew: others may still look at it */
	uint64_t nr_blocks;		/* of the file system, when this was made */
	uint32_t nr_ags;
	uint64_t *ready;		/* provisioned chunks, a word per group */
	uint64_t *refused;		/* chunks in which a full host has no room */
	uint64_t word[];
};

int vmem_room_load(struct vmem_fs *fs);
void vmem_room_unload(struct vmem_fs *fs);
/* What is known of the host's room, for a file system of another size; NULL = no memory. */
struct vmem_chunks *vmem_chunks_new(struct vmem_fs *fs, uint64_t nr_blocks, uint32_t nr_ags);
void vmem_chunks_free(struct vmem_fs *fs, struct vmem_chunks *c);
/* The file system has grown from nr_blocks; lock held.  Takes c. */
void vmem_room_extend(struct vmem_fs *fs, struct vmem_chunks *c, uint64_t nr_blocks);
int vmem_provision_slow(struct vmem_fs *fs, uint64_t start, uint64_t nr, bool locked);

/* Before blocks are stored to: the host has room for them.  Lock held exclusively.  -ENOSPC, -EIO. */
static inline int vmem_provision(struct vmem_fs *fs, uint64_t start, uint64_t nr)
{
	return VMEM_PEEK(fs->chunks) ? vmem_provision_slow(fs, start, nr, true) : 0;
}

/* The same without the lock, for blocks that are in use. */
static inline int vmem_provision_used(struct vmem_fs *fs, uint64_t start, uint64_t nr)
{
	return VMEM_PEEK(fs->chunks) ? vmem_provision_slow(fs, start, nr, false) : 0;
}

/* Ask the host for blocks [start, end).  -ENOSPC, -EIO. */
int vmem_ask_for_room(struct vmem_fs *fs, uint64_t start, uint64_t end);
/* The host has taken back what was in these blocks; lock held. */
void vmem_forget_ready(struct vmem_fs *fs, struct vmem_run run);
/* Thin store: blocks of the chunk became free. */
void vmem_note_free(struct vmem_fs *fs, uint32_t ag, uint32_t chunk);
/* Thin store: chunks of the group whose blocks the host has room for. */
uint64_t vmem_ready_chunks(const struct vmem_fs *fs, uint32_t ag);

#endif /* VMEM_MEDIUM_H */
