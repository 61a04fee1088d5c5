// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * sync.c - fsync and sync: what an inode has still to flush, and how
 *
 * vmem_fsync() is where an fsync becomes a flush: of the inode's own ranges, or
 * of the running group (log/commit.c), whichever is needed.
 */
#include "fs/fs.h"

static int write_times(struct vmem_txn *t, void *arg)
{
	vmem_lock(t->fs, t->fs->dirty_lock);
	txn_inode_times(t, arg);
	vmem_unlock(t->fs, t->fs->dirty_lock);
	return 0;
}

static int flush_own(struct vmem_inode *vi, const struct vmem_range *r, unsigned int nr)
{
	struct vmem_fs *fs = vi->fs;
	unsigned int i;

	if (vmem_error(fs) == -EIO)
		return -EIO;
	vmem_count(&fs->stats.flushes, 1);
	vmem_count(&fs->stats.flush_ranges, nr);
	for (i = 0; i < nr; i++)
		vmem_count(&fs->stats.flush_bytes, r[i].length);
	return fs->store->flush(fs->store, r, nr) ? vmem_io_failed(fs) : 0;
}

int vmem_fsync(struct vmem_inode *vi, bool datasync)
{
	struct vmem_range own[VMEM_DIRTY_RANGES];
	struct vmem_fs *fs = vi->fs;
	uint64_t seq, lsn, round = 0;
	unsigned int nr, i;
	int err = 0;

	if (vmem_error(fs) == -EIO)
		return -EIO;
	if (VMEM_PEEK(fs->read_only))
		return 0;	/* what was replayed for reading is nobody's to commit */
	if (vmem_immediate(fs)) {
		/* A replay of the last record must not bring back older times. */
		if (VMEM_PEEK(vi->times_dirty) && !vmem_is_read_only(fs)) {
			VMEM_FLAG(vi->times_dirty, false);	/* first: another touch is for another fsync */
			vmem_retire_records(fs);
		}
		vmem_fence(fs->store);
		return 0;
	}
	vi->sync_credit = 2;
	if (!datasync && VMEM_PEEK(vi->times_dirty) && !vmem_is_read_only(fs))
		err = vmem_run(fs, write_times, vi);
	if (err)
		return err;

	vmem_lock(fs, fs->dirty_lock);
	nr = vi->nr_dirty;
	seq = vi->dirty_seq;
	for (i = 0; i < nr; i++) {
		own[i].offset = vi->dirty[i].offset;
		own[i].length = vi->dirty[i].length;
	}
	vmem_unlock(fs, fs->dirty_lock);

	lsn = __atomic_load_n(&vi->lsn, __ATOMIC_ACQUIRE);	/* after the ranges */
	if (lsn > __atomic_load_n(&fs->committed, __ATOMIC_ACQUIRE)) {
		if (nr) {
			vmem_lock(fs, fs->lock);
			round = fs->stored_round;
			for (i = 0; i < nr; i++)
				vmem_ranges_add(fs->stored, own[i].offset, own[i].length);
			vmem_unlock(fs, fs->lock);
		}
		err = vmem_commit(fs, lsn);
		/* A commit that had begun before covered our record, but not our bytes. */
		if (!err && nr && __atomic_load_n(&fs->stored_flushed, __ATOMIC_ACQUIRE) <= round &&
		    !VMEM_BROKEN(ROUND_OLD))
			err = flush_own(vi, own, nr);
	} else if (nr && !VMEM_BROKEN(FSYNC_DATA)) {
		err = flush_own(vi, own, nr);
	}
	if (!err && nr)
		vmem_dirty_done(vi, seq);
	return err;
}

/* ---- sync ---- */

/*
 * A record takes over what the inode must still flush: the ranges become
 * linked by it, and are forgotten when it is appended.
 */
static void hand_over(struct vmem_txn *t, struct vmem_inode *vi)
{
	uint32_t i;

	for (i = 0; i < vi->nr_dirty; i++)
		txn_link(t, vi->dirty[i].offset, vi->dirty[i].length);
	txn_inode_times(t, vi);
	t->inodes[t->nr_inodes - 1].dirty_seq = vi->dirty_seq;
}

/* Up to a transaction's worth of dirty inodes that this round has not seen. */
static int gather_dirty(struct vmem_txn *t, void *arg)
{
	struct vmem_fs *fs = t->fs;
	struct vmem_inode *vi;
	bool *more = arg;

	*more = false;
	vmem_lock(fs, fs->dirty_lock);
	for (vi = fs->dirty_inodes; vi && !*more; vi = vi->dirty_next) {
		if (vi->sync_round == fs->sync_round)
			continue;
		if (txn_full(t)) {
			*more = true;
			break;
		}
		vi->sync_round = fs->sync_round;
		hand_over(t, vi);
	}
	vmem_unlock(fs, fs->dirty_lock);
	return 0;
}

/* Nothing can be recorded on a damaged file system; what was stored becomes durable. */
static int flush_all_dirty(struct vmem_fs *fs)
{
	struct vmem_rangeset *set = fs->ckpt_set;
	struct vmem_inode *vi;
	uint32_t i;
	int err;

	vmem_lock(fs, fs->ckpt_lock);
	vmem_lock(fs, fs->dirty_lock);
	for (vi = fs->dirty_inodes; vi; vi = vi->dirty_next)
		for (i = 0; i < vi->nr_dirty; i++)
			vmem_ranges_add(set, vi->dirty[i].offset, vi->dirty[i].length);
	vmem_unlock(fs, fs->dirty_lock);
	err = vmem_flush_sets(fs, &set, 1);
	vmem_unlock(fs, fs->ckpt_lock);
	return err;
}

int vmem_sync(struct vmem_fs *fs)
{
	bool more = true;
	int err = 0;

	if (vmem_error(fs) == -EIO)
		return -EIO;
	if (VMEM_PEEK(fs->read_only))
		return 0;
	if (vmem_immediate(fs)) {
		vmem_fence(fs->store);
		return 0;
	}
	vmem_lock(fs, fs->dirty_lock);
	fs->sync_round++;
	vmem_unlock(fs, fs->dirty_lock);
	while (!err && more && !vmem_error(fs))
		err = vmem_run(fs, gather_dirty, &more);
	if (vmem_error(fs) == -EUCLEAN)
		err = flush_all_dirty(fs);
	return err ? err : vmem_commit(fs, __atomic_load_n(&fs->last_op, __ATOMIC_ACQUIRE));
}

/* ---- Shutting down ---- */

void vmem_shutdown(struct vmem_fs *fs)
{
	/* Whoever makes a record has made it, or sees the error. */
	vmem_lock(fs, fs->lock);
	if (vmem_error(fs) != -EIO) {
		VMEM_FLAG(fs->shut_down, !vmem_error(fs));
		VMEM_FLAG(fs->error, -EIO);
	}
	vmem_unlock(fs, fs->lock);
}

/* ---- An inode leaves memory ---- */

/* What fsync would have flushed must follow the inode number, not the memory. */
static int hand_over_last(struct vmem_txn *t, void *arg)
{
	vmem_lock(t->fs, t->fs->dirty_lock);
	hand_over(t, arg);
	vmem_unlock(t->fs, t->fs->dirty_lock);
	return 0;
}

int vmem_hand_over(struct vmem_inode *vi)
{
	return vmem_run(vi->fs, hand_over_last, vi);
}

void vmem_hide_from_sync(struct vmem_inode *vi)
{
	struct vmem_fs *fs = vi->fs;
	bool listed;

	vmem_lock(fs, fs->dirty_lock);
	listed = vi->dirty_link;
	vmem_unlock(fs, fs->dirty_lock);
	if (!listed)
		return;
	vmem_lock_shared(fs);
	vmem_lock(fs, fs->dirty_lock);
	vmem_unlist_dirty(vi);
	vmem_unlock(fs, fs->dirty_lock);
	vmem_unlock_shared(fs);
}

int vmem_flush_last(struct vmem_inode *vi)
{
	struct vmem_range own[VMEM_DIRTY_RANGES + 1];
	struct vmem_fs *fs = vi->fs;
	unsigned int i;

	if (vmem_immediate(fs)) {
		if (!vmem_is_read_only(fs))
			vmem_retire_records(fs);	/* the times are home already */
		return 0;
	}
	if (!vmem_is_read_only(fs))
		vmem_store_times(vi);
	vmem_lock(fs, fs->dirty_lock);
	for (i = 0; i < vi->nr_dirty; i++) {
		own[i].offset = vi->dirty[i].offset;
		own[i].length = vi->dirty[i].length;
	}
	vmem_unlock(fs, fs->dirty_lock);
	own[i].offset = vmem_inode_off(fs, vi->ino) & ~(uint64_t)VMEM_BLOCK_MASK;
	own[i].length = VMEM_BLOCK_SIZE;
	return flush_own(vi, own, i + 1);
}

void vmem_leave_orphan(struct vmem_inode *vi)
{
	vmem_hide_from_sync(vi);
}
