/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * log.h - the redo log: transactions, records, group commit, checkpoints, recovery
 *
 * Offers: vmem_run(), which makes one record of an operation; the txn_ functions with
 * which the operation says what it changes; vmem_meta(), which reads metadata as the
 * newest transaction left it; vmem_commit(), which makes records durable.
 * Who may call it: space, tree, fs.  Whoever is above is told of the turns of a
 * transaction by struct vmem_txn_hooks.
 *
 * Its locks, in the order they are taken: ckpt_lock (a checkpoint runs), commit_lock (a
 * group is being closed), lock (exclusive: the running transaction; shared: readers of
 * metadata, whose pointers from vmem_meta() are good as long, or from
 * vmem_overlay_enter() to vmem_overlay_leave(), without it), dirty_lock (dirty ranges
 * and touched times of inodes).
 */
#ifndef VMEM_LOG_H
#define VMEM_LOG_H

#include "medium/medium.h"

#define VMEM_OVERLAY_BUCKETS	4096u
#define VMEM_STRIPES		32u	/* of the count of those who read without the lock */
#define VMEM_HOME_BATCH		8u	/* pages that a checkpoint copies before it lets go of the lock */
#define VMEM_HOME_LOOK		256u	/* and that it looks at */
#define VMEM_OVERLAY_MIN	64u	/* pages: more than one record can change */
#define VMEM_LOGGED_MAX		256u	/* inodes with data in the log */
/* Room in the log that a transaction needs: itself, a PAD before it, commit records. */
#define VMEM_LOG_SLACK		(2 * VMEM_TXN_BYTES + VMEM_BLOCK_SIZE)

/* ---- overlay.c: metadata in DRAM ---- */

struct vmem_opage {
	struct vmem_opage *next;	/* in the bucket */
	struct vmem_opage *all;		/* in the list of all */
	uint64_t block;
	uint64_t epoch;			/* in which it became dirty, or was frozen */
	bool dirty;			/* newer than home (domain host, recovery) */
	uint8_t *data;
	uint8_t *frozen;		/* as it was when the epoch before ended: to go home */
};

/* How many read pages of the overlay without the lock; a cache line, so that few share it. */
struct vmem_stripe {
	uint32_t readers;		/* atomic */
	uint32_t unused[15];
};

const uint8_t *vmem_meta(struct vmem_fs *fs, uint64_t off);
/* The overlay's page of block, made from home (or zeroed); NULL = no memory. */
struct vmem_opage *vmem_overlay_get(struct vmem_fs *fs, uint64_t block, bool zero);
struct vmem_opage *vmem_overlay_find(struct vmem_fs *fs, uint64_t block);
/* The page is about to be changed; -ENOMEM. */
int vmem_overlay_dirty(struct vmem_fs *fs, struct vmem_opage *op);
/* The same for one whose new contents nobody needs at home. */
int vmem_overlay_freeze(struct vmem_fs *fs, struct vmem_opage *op);
/* Bytes that are stored at home, too, without a record.  Lock held. */
void vmem_overlay_patch(struct vmem_fs *fs, uint64_t off, const void *src, uint32_t len);
/* The block was given up before a record mentioned it: nothing to write home. */
void vmem_overlay_clean(struct vmem_fs *fs, uint64_t block);
/* Recovery: have room for the dirty pages at home.  Transactions see to it page by page. */
int vmem_overlay_provision(struct vmem_fs *fs);
/* What is dirty now is due; lock held. */
void vmem_overlay_end_epoch(struct vmem_fs *fs);
/* Copy due pages home, note their ranges.  Takes the lock for moments. */
void vmem_overlay_writeback(struct vmem_fs *fs, struct vmem_rangeset *ranges);
/*
 * Who is in between may use vmem_meta() without the lock: pages that are dropped stay
 * until he leaves.  Does not wait, and nobody waits for him.
 */
uint32_t *vmem_overlay_enter(struct vmem_fs *fs);
static inline void vmem_overlay_leave(uint32_t *reader)
{
	__atomic_fetch_sub(reader, 1, __ATOMIC_RELEASE);
}
/* Free pages that were dropped, if nobody can look at them any more.  Lock held. */
void vmem_overlay_reap(struct vmem_fs *fs);
/*
 * Take pages that are home out of the overlay, or with dirty_too all of them.  Not while
 * readers hold those of the last time, unless dirty_too.  Lock held.
 */
void vmem_overlay_drop(struct vmem_fs *fs, bool dirty_too);

/* ---- roots.c: where the log begins, and the state of the mount ---- */

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
/* Write it as it is but for what the caller changed; ckpt_lock and lock held; durable in every domain. */
int vmem_rewrite_root(struct vmem_fs *fs);

/* ---- journal.c: one operation, one transaction, one record ---- */

typedef int (*vmem_op)(struct vmem_txn *t, void *arg);
/*
 * Run op as one transaction, again after a checkpoint when it says -EAGAIN.
 * -EOVERFLOW: a record has no room for what it does; nothing has happened.  vmem_try() is
 * for who then tries with less; from vmem_run() it is a bug of the core, and logged.
 */
int vmem_try(struct vmem_fs *fs, vmem_op op, void *arg);
int vmem_run(struct vmem_fs *fs, vmem_op op, void *arg);
/* Log that bug, once for a mount; returns -EOVERFLOW. */
int vmem_overflowed(struct vmem_fs *fs);
/*
 * Take commit_lock and lock, with room in the log for one record, if ckpt_lock is
 * held.  Then one transaction can be run, and made durable in the mount's domain.
 */
int vmem_lock_all(struct vmem_fs *fs);
void vmem_unlock_all(struct vmem_fs *fs);
int vmem_run_locked(struct vmem_fs *fs, vmem_op op, void *arg);
/* Once, until a checkpoint has been made; lock is held. */
void vmem_ask_for_checkpoint(struct vmem_fs *fs);

/* ---- txn.c: what the operation changes ---- */

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
/*
 * The nodes of its tree are about to change: readers without the lock find out.  What
 * changes in the inode itself does so when the record is appended.
 */
void txn_change_tree(struct vmem_txn *t, const struct vmem_dinode *n);
/* Little room left: stop and go on in another transaction. */
bool txn_full(const struct vmem_txn *t);
void vmem_inode_touch_raw(struct vmem_fs *fs, struct vmem_dinode *n, bool mtime);

/* ---- logged.c: data in the log ---- */

struct vmem_logged {
	uint64_t ino;			/* 0 = empty */
	uint64_t ckpt;			/* checkpoint period of the newest of them */
	uint64_t lo, hi;		/* file bytes that rode in records */
};

struct vmem_logged *vmem_find_logged(struct vmem_fs *fs, uint64_t ino);
/* What rode of this inode was revoked. */
void vmem_forget_logged(struct vmem_inode *vi);
static inline bool vmem_may_be_logged(const struct vmem_inode *vi)
{
	return vi->logged_ckpt && vi->logged_ckpt >= __atomic_load_n(&vi->fs->ckpt_live, __ATOMIC_RELAXED);
}
/*
 * Remember that file bytes [lo, hi) ride in the record being made, and zeros
 * to both ends of their blocks.  False: no slot.
 */
bool vmem_note_logged(struct vmem_inode *vi, uint64_t lo, uint64_t hi);
/* Those of periods before fs->ckpt_live: a replay does not meet them any more. */
void vmem_forget_old_logged(struct vmem_fs *fs);

/* ---- dirty.c: what was stored in place and not flushed ---- */

/* Domain host: [off, off+len) of the store was stored in place for vi. */
void vmem_dirty_add(struct vmem_inode *vi, uint64_t off, uint64_t len);
/* Does the block at off of the store hold bytes of vi that were not flushed? */
bool vmem_is_dirty(struct vmem_inode *vi, uint64_t off);
/* What was stored up to seq needs no flush any more. */
void vmem_dirty_done(struct vmem_inode *vi, uint64_t seq);
/* On the list of inodes that vmem_sync() has to look at; dirty_lock is held. */
void vmem_list_dirty(struct vmem_inode *vi);
void vmem_unlist_dirty(struct vmem_inode *vi);

/* ---- commit.c, checkpoint.c, record.c ---- */

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

#endif /* VMEM_LOG_H */
