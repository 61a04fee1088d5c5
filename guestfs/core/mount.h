/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * mount.h - what the files of the core share
 *
 * Reading order: super.c (mount), journal.c (transactions, group commit,
 * checkpoint), overlay.c (metadata in DRAM), recovery.c, alloc.c, inode.c,
 * extent.c, dir.c, namei.c, parent.c, file.c, write.c, layout.c, grow.c.
 *
 * Locks, in the order they are taken: the caller's inode locks, ckpt_lock,
 * commit_lock, lock, dirty_lock.  `lock` exclusive is held by the one running transaction,
 * shared by readers of metadata.  Pointers from vmem_meta() are valid while
 * it is held.  A checkpoint keeps transactions out, but not readers, by writing_home.
 */
#ifndef VMEM_MOUNT_H
#define VMEM_MOUNT_H

#include "vmem.h"
#include "medium/hash.h"
#include "medium/persist.h"

#define VMEM_OVERLAY_BUCKETS	4096u
#define VMEM_OVERLAY_MIN	64u	/* pages: more than one record can change */
#define VMEM_RANGES_MAX		256u
#define VMEM_NR_TIMES		3u	/* atime, mtime, ctime: next to each other in an inode */
#define VMEM_TXN_INODES		5u
#ifdef VMEM_SMALL_LIMITS
/* A build for tests: what hardly ever fills up is full all the time. */
#define VMEM_TXN_BYTES		8192u
#define VMEM_TXN_RUNS		12u
#define VMEM_TXN_AGS		10u
#define VMEM_NODE_FILL		32u
#else
#define VMEM_TXN_BYTES		VMEM_REC_MAX	/* of a record that this code makes */
#define VMEM_TXN_RUNS		96u
#define VMEM_TXN_AGS		16u
#define VMEM_NODE_FILL		VMEM_NODE_ENTRIES /* a node with so many is split */
#endif
#define VMEM_TXN_STEP		8u	/* entries of a table that one step may need, and groups */
#define VMEM_CHUNK_BLOCKS	512u	/* 2 MiB: what a huge page maps */
#define VMEM_CHUNKS		(VMEM_MAX_AG_BLOCKS / VMEM_CHUNK_BLOCKS)
#define VMEM_LOGGED_MAX		256u	/* inodes with data in the log */
#define VMEM_COPY_STEP		(1u << 20)	/* bytes that the caller copies in one piece */
#define VMEM_CARRY_MAX		(VMEM_TXN_BYTES / 16)	/* bytes of a write that may ride in its record */
#define VMEM_DISCARD_BLOCKS	16384u	/* a checkpoint is asked for when more wait to be discarded */
#define VMEM_RESERVED_BLOCKS	32u	/* kept for shrinking operations */
/* Room in the log that a transaction needs: itself, a PAD before it, commit records. */
#define VMEM_LOG_SLACK		(2 * VMEM_TXN_BYTES + VMEM_BLOCK_SIZE)

struct vmem_opage {
	struct vmem_opage *next;	/* in the bucket */
	struct vmem_opage *all;		/* in the list of all */
	uint64_t block;
	bool dirty;			/* newer than home (domain host, recovery) */
	uint8_t *data;
};

struct vmem_rangeset {
	unsigned int nr;
	struct vmem_range r[VMEM_RANGES_MAX];
};

struct vmem_run {
	uint64_t start;
	uint64_t len;
};

/* Freed blocks that recovery could still touch: not to be reused before floor > lsn. */
struct vmem_pending {
	uint64_t lsn;
	struct vmem_run run;
};

struct vmem_ag {
	struct vmem_ag_desc desc;	/* as the running transaction has it */
	vmem_le64 *busy;		/* bitmap | reserved | pending; NULL = not loaded */
	uint32_t busy_free;		/* clear bits of busy */
	uint32_t ihint;			/* first inode that may be free */
	uint16_t chunk_free[VMEM_CHUNKS];
};

/* Thin store: what the host has room for.  All words are atomic. */
struct vmem_chunks {
	struct vmem_chunks *older;	/* of before the file system grew: others may still look at it */
	uint64_t nr_blocks;		/* of the file system, when this was made */
	uint32_t nr_ags;
	uint64_t *ready;		/* provisioned chunks, a word per group */
	uint64_t *refused;		/* chunks in which a full host has no room */
	uint64_t word[];
};

struct vmem_logged {
	uint64_t ino;			/* 0 = empty */
	uint64_t ckpt;			/* checkpoint period of the newest of them */
	uint64_t lo, hi;		/* file bytes that rode in records */
};

/*
 * The running transaction.  Its changes are in the overlay at once, its
 * deltas gather in buf; txn_commit() makes them one record, txn_abort()
 * takes them back with the help of undo.
 */
struct vmem_txn {
	struct vmem_fs *fs;
	uint8_t *buf;			/* VMEM_TXN_BYTES */
	uint32_t len;
	uint32_t nr_deltas;
	uint8_t *undo;			/* 2 * VMEM_TXN_BYTES: old bytes, each behind a vmem_undo */
	uint32_t undo_len;
	int err;			/* first failure of a txn_ function */
	bool privileged;		/* may use the blocks kept for shrinking operations */
	struct {
		struct vmem_inode *vi;
		struct vmem_dinode n;
		vmem_le64 times[VMEM_NR_TIMES]; /* as they were when n was copied */
		bool shared;		/* not ours to change: only its times are written */
		uint64_t dirty_seq;	/* shared: the record takes its dirty ranges over */
	} inodes[VMEM_TXN_INODES];
	unsigned int nr_inodes;
	struct {
		struct vmem_run run;
		bool outside;		/* reserved before the transaction: an abort keeps it so */
	} allocs[VMEM_TXN_RUNS];
	struct vmem_run frees[VMEM_TXN_RUNS];
	unsigned int nr_allocs, nr_frees;
	struct {
		uint32_t ag;
		struct vmem_ag_desc old;
	} ags[VMEM_TXN_AGS];
	unsigned int nr_ags;
	struct vmem_run links[VMEM_TXN_RUNS];	/* bytes of the store that the record links */
	unsigned int nr_links;
	struct vmem_inode *revoked;	/* once the record is appended, no data of it rides */
};

struct vmem_fs {
	struct vmem_store *store;
	const struct vmem_env *env;
	vmem_crc_fn crc;
	enum vmem_domain domain;
	bool read_only, check_done;
	bool never_write;		/* unknown features, or not recovered: no remount */
	int error;			/* sticky: -EIO or -EUCLEAN */

	/* geometry, from the superblock; nr_* and backup change under lock */
	uint64_t nr_blocks, nr_inodes, desc_start, log_start, log_blocks, agmeta0, backup;
	uint32_t ag_blocks, nr_ags, inodes_per_ag, itable_blocks;
	uint8_t hash_key[16], uuid[VMEM_UUID_LEN];
	char label[VMEM_LABEL_LEN + 1];

	/* root */
	struct vmem_root root;		/* as last written */
	unsigned int root_slot;

	/* log */
	uint64_t log_off, log_size;	/* bytes */
	uint64_t tail;			/* space before it is free */
	uint64_t head;			/* where the next record goes */
	uint64_t last_op;		/* end of the newest operation record */
	uint64_t committed;		/* records below it are durable in the domain */
	uint64_t flushed;		/* log bytes below it are host-durable */
	uint64_t group_start;
	uint64_t floor;			/* recovery never starts below it */
	uint64_t pmem_applied;		/* last `applied` that was stored (domain pmem) */
	uint64_t ckpts_done;		/* checkpoints that were completed */
	uint64_t ckpt_seq;		/* number of the current checkpoint period */
	uint64_t ckpt_live;		/* oldest period whose records could be replayed */
	uint32_t seed, chain;
	bool kicked;
	bool writing_home;		/* no transaction may begin: commit_lock is held until it may */
	struct vmem_txn txn;

	/* overlay */
	struct vmem_opage **buckets, *opages;
	unsigned int nr_opages, nr_dirty;
	unsigned int overlay_max;	/* pages; a checkpoint is asked for at half */

	/* host domain: what to flush, and when */
	struct vmem_rangeset *linked;	/* linked by records since group_start: before the commit record */
	struct vmem_rangeset *linked_spare; /* the set being flushed */
	struct vmem_rangeset *stored;	/* in place: with any flush of the commit */
	struct vmem_rangeset *stored_spare;
	uint64_t stored_round;		/* number of the set `stored`; lock */
	uint64_t stored_flushed;	/* sets below this number are host-durable */
	struct vmem_rangeset *home;	/* rode in records: at the checkpoint */
	struct vmem_rangeset *log_set;	/* of the running commit */
	struct vmem_rangeset *ckpt_set;	/* of the running checkpoint */
	struct vmem_logged *logged;	/* VMEM_LOGGED_MAX; purged by a checkpoint */
	unsigned int nr_logged;
	struct vmem_inode *dirty_inodes;
	uint64_t sync_round;

	/* allocator */
	struct vmem_ag *ags;
	uint64_t free_blocks, free_inodes, nr_dirs;
	uint64_t reserved;		/* busy without a record yet */
	uint64_t pending_blocks;
	struct vmem_pending *pending;	/* FIFO by lsn */
	size_t pending_first, pending_nr, pending_max;
	uint32_t dir_ag;		/* where the next directory goes */

	struct vmem_chunks *chunks;	/* NULL: the store is not thin; atomic */
	uint64_t discards;		/* requests whose blocks count as a hole since; lock */
	bool host_full;			/* refused chunks there may be; atomic */
	bool discard;			/* what becomes free, at the next checkpoint; atomic */

	uint8_t *scratch;		/* 2 blocks, for the running transaction */
	void *lock, *ckpt_lock, *commit_lock, *dirty_lock;
	struct vmem_stats stats;
};

/* ---- small helpers ---- */

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
#define VMEM_PEEK(flag) (vmem_interleave(), __atomic_load_n(&(flag), __ATOMIC_RELAXED))
#define VMEM_FLAG(flag, v) (vmem_interleave(), __atomic_store_n(&(flag), (v), __ATOMIC_RELAXED))
#else
#define VMEM_PEEK(flag) __atomic_load_n(&(flag), __ATOMIC_RELAXED)
#define VMEM_FLAG(flag, v) __atomic_store_n(&(flag), (v), __ATOMIC_RELAXED)
#endif

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

/* The VMEM_NR_TIMES times of an inode. */
static inline vmem_le64 *vmem_times(struct vmem_dinode *n)
{
	return (vmem_le64 *)(void *)((uint8_t *)n + offsetof(struct vmem_dinode, atime));
}

static inline bool vmem_is_dir(const struct vmem_dinode *n)
{
	return (vmem_get16(n->mode) & 0170000u) == 0040000u;
}

static inline bool vmem_is_reg(const struct vmem_dinode *n)
{
	return (vmem_get16(n->mode) & 0170000u) == 0100000u;
}

static inline bool vmem_is_lnk(const struct vmem_dinode *n)
{
	return (vmem_get16(n->mode) & 0170000u) == 0120000u;
}

/* ---- super.c ---- */

/* Report a contradiction on the medium once, turn read-only; returns -EUCLEAN. */
int vmem_corrupt(struct vmem_fs *fs, uint64_t ino, uint64_t block, const char *what);
/* The first failed flush: sticky; returns -EIO. */
int vmem_io_failed(struct vmem_fs *fs);
/* After an error: what a change answers. */
int vmem_refusal(const struct vmem_fs *fs);
/* The newest root of the file system with this uuid becomes fs->root. */
bool vmem_find_root(struct vmem_fs *fs);
/* Has somebody else written a root since this mount read or wrote its own? */
bool vmem_root_is_others(struct vmem_fs *fs);
/* Write the other slot.  It becomes valid at once, by its checksum, or not at all. */
void vmem_put_root(struct vmem_fs *fs, uint32_t state, uint64_t tail);
/* The root that was put becomes durable, on the host, too. */
int vmem_flush_root(struct vmem_fs *fs);
/* Put and, in the domain host, flush. */
int vmem_write_root(struct vmem_fs *fs, uint32_t state, uint64_t tail);
int vmem_flush_range(struct vmem_fs *fs, uint64_t off, uint64_t len);
/* Write it as it is but for what the caller changed; ckpt_lock and lock held; durable in every domain. */
int vmem_rewrite_root(struct vmem_fs *fs);
/* These bytes become durable, on the host, too. */
int vmem_settle(struct vmem_fs *fs, uint64_t off, uint64_t len);
uint64_t vmem_ag_meta(const struct vmem_fs *fs, uint32_t ag);
/* May file data or a node live in blocks [start, start + nr)? */
bool vmem_block_ok(const struct vmem_fs *fs, uint64_t start, uint64_t nr);

/* ---- overlay.c ---- */

const uint8_t *vmem_meta(struct vmem_fs *fs, uint64_t off);
/* The overlay's page of block, made from home (or zeroed); NULL = no memory. */
struct vmem_opage *vmem_overlay_get(struct vmem_fs *fs, uint64_t block, bool zero);
struct vmem_opage *vmem_overlay_find(struct vmem_fs *fs, uint64_t block);
void vmem_overlay_dirty(struct vmem_fs *fs, struct vmem_opage *op);
/* The block was given up before a record mentioned it: nothing to write home. */
void vmem_overlay_clean(struct vmem_fs *fs, uint64_t block);
/* Recovery: have room for the dirty pages at home.  Transactions see to it page by page. */
int vmem_overlay_provision(struct vmem_fs *fs);
/* Copy dirty pages home, note their ranges, mark them clean. */
void vmem_overlay_writeback(struct vmem_fs *fs, struct vmem_rangeset *ranges);
void vmem_overlay_drop(struct vmem_fs *fs, bool dirty_too);
void vmem_bits_apply(uint8_t *map, uint32_t first, uint32_t nr, bool set);

/* ---- ranges.c ---- */

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

/* ---- journal.c ---- */

typedef int (*vmem_op)(struct vmem_txn *t, void *arg);

/*
 * Take the lock, to change the overlay: exclusively, and not while a checkpoint copies
 * it home.  That lets readers go on, and holds commit_lock.
 */
void vmem_lock_overlay(struct vmem_fs *fs);
/*
 * Run op as one transaction, again after a checkpoint when it says -EAGAIN.
 * -EOVERFLOW: a record has no room for what it does; nothing has happened.
 */
int vmem_run(struct vmem_fs *fs, vmem_op op, void *arg);
/*
 * Take commit_lock and lock, with room in the log for one record, if ckpt_lock is
 * held.  Then one transaction can be run, and made durable in the mount's domain.
 */
int vmem_lock_all(struct vmem_fs *fs);
void vmem_unlock_all(struct vmem_fs *fs);
int vmem_run_locked(struct vmem_fs *fs, vmem_op op, void *arg);

void txn_write(struct vmem_txn *t, uint64_t off, const void *src, uint32_t len);
/* A block begins with len bytes of src, and goes on with zeros. */
void txn_new_block(struct vmem_txn *t, uint64_t block, const void *src, uint32_t len);
void txn_bits(struct vmem_txn *t, uint64_t block, uint32_t first, uint32_t nr, bool set);
void txn_data(struct vmem_txn *t, uint64_t ino, uint64_t off, const void *src, uint32_t len);
void txn_data_zero(struct vmem_txn *t, uint64_t ino, uint64_t off, uint32_t len);
void txn_revoke(struct vmem_txn *t, uint64_t ino);
/* The record links these bytes: flush them before it counts as host-durable. */
void txn_link(struct vmem_txn *t, uint64_t off, uint64_t len);
/* The copy of the inode that the transaction changes; NULL after t->err. */
struct vmem_dinode *txn_inode(struct vmem_txn *t, struct vmem_inode *vi);
/*
 * The same for an inode that others may be using: nothing but its times goes
 * into the record, and of *vi only lsn and times_dirty change.  dirty_lock is held.
 */
void txn_inode_times(struct vmem_txn *t, struct vmem_inode *vi);
/* Little room left: stop and go on in another transaction. */
bool txn_full(const struct vmem_txn *t);

/* Make everything below lsn host-durable: join or close the running group. */
int vmem_commit(struct vmem_fs *fs, uint64_t lsn);
/*
 * Only the guest had failed, so recovery replays records that the host's disk
 * need not have, and that no commit record may cover.  Before they go home,
 * makes the log durable and closes their group: a host failure meanwhile must
 * find them, too.
 */
int vmem_close_recovered(struct vmem_fs *fs);
/*
 * After an error: the root says so, whatever happens next.  Nothing else on
 * the medium changes.
 */
int vmem_note_error(struct vmem_fs *fs);
/* Domain pmem: recovery need not replay anything that was done so far. */
void vmem_retire_records(struct vmem_fs *fs);
uint64_t vmem_ring_off(const struct vmem_fs *fs, uint64_t lsn);

/* ---- recovery.c ---- */

int vmem_recover(struct vmem_fs *fs, bool to_last_commit, struct vmem_mount_info *info);
int vmem_recover_orphans(struct vmem_fs *fs, struct vmem_mount_info *info);

/* ---- alloc.c ---- */

int vmem_alloc_load(struct vmem_fs *fs);
void vmem_alloc_unload(struct vmem_fs *fs);
/*
 * The file system has nr_ags groups: ags, which this takes, has those behind
 * the present ones.  The caller changes the geometry with it, under lock.
 */
void vmem_alloc_extend(struct vmem_fs *fs, struct vmem_ag *ags, uint32_t nr_ags);
uint64_t vmem_desc_off(const struct vmem_fs *fs, uint32_t ag);
/*
 * Find and mark busy up to want blocks near goal; *run gets 1..want of them.
 * -ENOSPC; -EAGAIN: a checkpoint would set some free.  Lock held exclusively.
 */
int vmem_reserve(struct vmem_fs *fs, uint64_t goal, uint64_t want, bool privileged,
		 struct vmem_run *run);
void vmem_unreserve(struct vmem_fs *fs, struct vmem_run run);
/* Reserve exactly want blocks in one run.  As vmem_reserve(). */
int vmem_reserve_run(struct vmem_fs *fs, uint64_t goal, uint64_t want, struct vmem_run *run);
/* Reserved blocks become allocated; after an abort they are reserved again if `outside`. */
void txn_take(struct vmem_txn *t, struct vmem_run run, bool outside);
void txn_free(struct vmem_txn *t, uint64_t start, uint64_t len);
int txn_alloc_block(struct vmem_txn *t, uint64_t goal, uint64_t *block);
/* Pending blocks that may be reused become free, unless they are discarded before. */
void vmem_release_pending(struct vmem_fs *fs);
/*
 * The first nr of them leave the queue, into runs: busy and counted as pending until
 * vmem_hold_free(..., false), whatever becomes of the queue meanwhile.
 */
void vmem_take_pending(struct vmem_fs *fs, struct vmem_run *runs, size_t nr);
/*
 * The first free run in blocks [start, end), cut at the end of its group; len 0:
 * none before run->start, where to go on.
 */
int vmem_next_free(struct vmem_fs *fs, uint64_t start, uint64_t end, struct vmem_run *run);
/* Take a free run, as if it were pending, and give it back. */
void vmem_hold_free(struct vmem_fs *fs, struct vmem_run run, bool hold);
void vmem_txn_undo_alloc(struct vmem_txn *t);
void vmem_txn_pend_frees(struct vmem_txn *t, uint64_t lsn);
void txn_write_descs(struct vmem_txn *t);

int txn_alloc_inode(struct vmem_txn *t, uint64_t near_ino, bool dir, uint64_t *ino);
void txn_free_inode(struct vmem_txn *t, uint64_t ino, bool dir);
void txn_set_orphan(struct vmem_txn *t, uint64_t ino, bool set);

static inline uint32_t vmem_orphans_in(const struct vmem_fs *fs, uint32_t ag)
{
	return vmem_get32(fs->ags[ag].desc.nr_orphans);
}
bool vmem_is_orphan(struct vmem_fs *fs, uint64_t ino);

/* ---- space.c ---- */

int vmem_space_load(struct vmem_fs *fs);
void vmem_space_unload(struct vmem_fs *fs);
/* What is known of the host's room, for a file system of another size; NULL = no memory. */
struct vmem_chunks *vmem_chunks_new(struct vmem_fs *fs, uint64_t nr_blocks, uint32_t nr_ags);
void vmem_chunks_free(struct vmem_fs *fs, struct vmem_chunks *c);
/* The file system has grown from nr_blocks; lock held.  Takes c. */
void vmem_space_extend(struct vmem_fs *fs, struct vmem_chunks *c, uint64_t nr_blocks);
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
/* The host is full: find free blocks that it has room for all the same.  -ENOSPC: none, or far. */
int vmem_probe_room(struct vmem_fs *fs, uint64_t goal, uint64_t want, struct vmem_run *run);
/* Thin store: blocks of the chunk became free. */
void vmem_note_free(struct vmem_fs *fs, uint32_t ag, uint32_t chunk);
/* Thin store: chunks of the group whose blocks the host has room for. */
uint64_t vmem_ready_chunks(const struct vmem_fs *fs, uint32_t ag);
/* After a checkpoint, ckpt_lock held: discard and release what became free. */
void vmem_discard_pending(struct vmem_fs *fs);

/* ---- grow.c ---- */

/*
 * Does this root say that the file system is growing?  Then sb gets the
 * superblock that counts, whatever is where it should be.
 */
bool vmem_growing(const struct vmem_fs *fs, const struct vmem_root *root, struct vmem_superblock *sb);
void vmem_forget_growth(struct vmem_root *root);
/* The mount found it growing: finish that. */
int vmem_resume_growth(struct vmem_fs *fs);

/* ---- inode.c ---- */

uint64_t vmem_inode_off(const struct vmem_fs *fs, uint64_t ino);
bool vmem_inode_used(struct vmem_fs *fs, uint64_t ino);
void vmem_inode_init(struct vmem_txn *t, struct vmem_inode *vi, uint64_t ino,
		     const struct vmem_attr *attr, unsigned int format);
void vmem_inode_touch_raw(struct vmem_fs *fs, struct vmem_dinode *n, bool mtime);

/* Domain host: [off, off+len) of the store was stored in place for vi. */
void vmem_dirty_add(struct vmem_inode *vi, uint64_t off, uint64_t len);
/* Does the block at off of the store hold bytes of vi that were not flushed? */
bool vmem_is_dirty(struct vmem_inode *vi, uint64_t off);
/* What was stored up to seq needs no flush any more. */
void vmem_dirty_done(struct vmem_inode *vi, uint64_t seq);

/* On the list of inodes that vmem_sync() has to look at; dirty_lock is held. */
void vmem_list_dirty(struct vmem_inode *vi);
void vmem_unlist_dirty(struct vmem_inode *vi);

/* Times go in place, where they need no record; the other fields have theirs. */
void vmem_store_times(struct vmem_inode *vi);
/* Of its times: has none changed that an fsync must keep? */
bool vmem_is_only_atime(const struct vmem_inode *vi);
/* What fsync would have flushed follows the inode number, not the memory. */
int vmem_hand_over(struct vmem_inode *vi);
/* No vmem_sync() finds it any more; the shared lock waits for one that has. */
void vmem_hide_from_sync(struct vmem_inode *vi);
/* There was no memory for a record, or there can be none: what it had said becomes durable now. */
int vmem_flush_last(struct vmem_inode *vi);

/* ---- extent.c ---- */

int vmem_ext_lookup(struct vmem_fs *fs, const struct vmem_dinode *n, uint64_t ino,
		    uint64_t lblk, struct vmem_map *map);
/* Map nr blocks at lblk, where a hole is, to pblk. */
int txn_ext_insert(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino,
		   uint64_t lblk, uint64_t pblk, uint64_t nr);
/*
 * Map lblk, which has a block, to pblk instead.  That block is freed, and with it
 * what follows it in its extent; later extents stay.
 */
int txn_ext_replace_last(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino,
			 uint64_t lblk, uint64_t pblk);
/* Unmap from the end down to block `from`; *done when nothing is left. */
int txn_ext_truncate(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino,
		     uint64_t from, bool *done);

/* ---- dir.c ---- */

int vmem_dir_find(struct vmem_inode *dir, struct vmem_name name, uint64_t *ino, unsigned int *type);
int txn_dir_add(struct vmem_txn *t, struct vmem_inode *dir, struct vmem_name name,
		uint64_t ino, unsigned int type);
int txn_dir_remove(struct vmem_txn *t, struct vmem_inode *dir, struct vmem_name name, uint64_t ino);
int txn_dir_replace(struct vmem_txn *t, struct vmem_inode *dir, struct vmem_name name,
		    uint64_t old_ino, uint64_t ino, unsigned int type);
int txn_dir_free(struct vmem_txn *t, struct vmem_inode *dir, bool *done);

/* ---- file.c ---- */

/* Free what lies beyond size, by as many records as it takes. */
int vmem_truncate_rest(struct vmem_inode *vi, uint64_t size);
/* The same for an inode that a failed truncate left with more than its size (vi->cut). */
int vmem_finish_cut(struct vmem_inode *vi);

/* ---- write.c ---- */

struct vmem_logged *vmem_find_logged(struct vmem_fs *fs, uint64_t ino);
/* What rode of this inode was revoked. */
void vmem_forget_logged(struct vmem_inode *vi);
/*
 * File bytes [lo, hi) are about to change in place: what rode in records for
 * them is revoked first.
 */
int vmem_unlog(struct vmem_inode *vi, uint64_t lo, uint64_t hi);
/*
 * The file grows from its end to behind pos: what a lost append or a mapping left in
 * the rest of its last block becomes zeros.  *gap gets the bytes that were
 * stored; the record that grows the file links them.
 */
int vmem_zero_gap(struct vmem_inode *vi, uint64_t pos, struct vmem_run *gap);
/* What was to link the gap has failed: its zeros are stored, but may be lost while it is not. */
void vmem_keep_gap(struct vmem_inode *vi, const struct vmem_run *gap);

#endif /* VMEM_MOUNT_H */
