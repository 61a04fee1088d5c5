// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * journal.c - the redo log: the life of a transaction
 *
 * One operation is one transaction is one record.  A record is appended by
 * record.c, made durable by commit.c and forgotten by checkpoint.c; what its
 * body is made of is in txn.c.
 */
#include "log/log_internal.h"

static void txn_reset(struct vmem_txn *t)
{
	t->len = sizeof(struct vmem_rec);
	t->nr_deltas = 0;
	t->undo_len = 0;
	t->err = 0;
	t->privileged = false;
	t->nr_inodes = 0;
	t->nr_allocs = 0;
	t->nr_frees = 0;
	t->nr_ags = 0;
	t->nr_links = 0;
	t->revoked = NULL;
}

/* Take the lock with room in the log for one record. */
static int txn_begin(struct vmem_fs *fs)
{
	uint64_t seen;
	int err;

	for (;;) {
		vmem_lock(fs, fs->lock);
		err = vmem_is_read_only(fs) ? vmem_refusal(fs) : 0;
		if (err)
			break;
		if (!vmem_need_checkpoint(fs)) {
			/* Pages that are home are kept for speed only. */
			if (fs->nr_opages - fs->nr_dirty > fs->overlay_max && !fs->going_home)
				vmem_overlay_drop(fs, false);
			txn_reset(&fs->txn);
			return 0;
		}
		seen = fs->ckpts_done;
		vmem_unlock(fs, fs->lock);
		err = vmem_checkpoint_since(fs, seen);
		if (err)
			return err;
	}
	vmem_unlock(fs, fs->lock);
	return err;
}

static void txn_abort(struct vmem_txn *t)
{
	vmem_txn_undo(t);
	t->fs->hooks->undo(t);
}

/* ---- Commit ---- */

static void note_links(struct vmem_txn *t)
{
	unsigned int i;

	for (i = 0; i < t->nr_links && !VMEM_BROKEN(DATA_LATE); i++)
		vmem_ranges_add(t->fs->linked, t->links[i].start, t->links[i].len);
}

void vmem_ask_for_checkpoint(struct vmem_fs *fs)
{
	if (fs->kicked || !fs->env->kick)
		return;
	fs->kicked = true;
	fs->env->kick(fs->env);
}

/* Times that were touched while the record was made are for the next one. */
static void finish_times(struct vmem_inode *vi, struct vmem_dinode *n)
{
	struct vmem_fs *fs = vi->fs;

	if (!VMEM_PEEK(vi->times_dirty))
		return;
	vmem_lock(fs, fs->dirty_lock);
	if (VMEM_BROKEN(TOUCH_LOST) ||
	    !memcmp(vmem_times(&vi->raw), vmem_times(n), VMEM_NR_TIMES * sizeof(vmem_le64)))
		VMEM_FLAG(vi->times_dirty, false);
	vmem_unlock(fs, fs->dirty_lock);
}

/* *vi becomes what the record says, but for times that it did not set. */
static void take_inode(struct vmem_inode *vi, struct vmem_dinode *n, const vmem_le64 *before)
{
	const size_t head = offsetof(struct vmem_dinode, atime);
	const size_t tail = head + VMEM_NR_TIMES * sizeof(vmem_le64);
	vmem_le64 *mine = vmem_times(&vi->raw);
	const vmem_le64 *said = vmem_times(n);
	unsigned int i;

	memcpy(&vi->raw, n, head);
	for (i = 0; i < VMEM_NR_TIMES; i++)
		if (vmem_get64(said[i]) != vmem_get64(before[i]) || VMEM_BROKEN(TOUCH_LOST))
			mine[i] = said[i];
	memcpy((uint8_t *)&vi->raw + tail, (const uint8_t *)n + tail, sizeof(*n) - tail);
}

/* The record is appended: inodes in memory are as it says. */
static void finish_inodes(struct vmem_txn *t)
{
	struct vmem_fs *fs = t->fs;
	unsigned int i;

	for (i = 0; i < t->nr_inodes; i++) {
		struct vmem_inode *vi = t->inodes[i].vi;

		__atomic_store_n(&vi->lsn, fs->head, __ATOMIC_RELEASE);
		if (!t->inodes[i].shared) {
			vmem_txn_begin_change(vi);
			take_inode(vi, &t->inodes[i].n, t->inodes[i].times);
		}
		finish_times(vi, &t->inodes[i].n);
		if (t->inodes[i].shared)
			vmem_dirty_done(vi, t->inodes[i].dirty_seq);
	}
}

static int txn_commit(struct vmem_txn *t)
{
	struct vmem_fs *fs = t->fs;
	uint32_t len;
	uint64_t lsn;

	vmem_txn_write_inodes(t);
	if (t->nr_ags)
		fs->hooks->prepare(t);
	if (t->err) {
		txn_abort(t);
		return t->err;
	}
	if (!t->nr_deltas && !t->nr_links)
		return 0;
	if (t->nr_links) {
		/* Data before the record that links it. */
		if (!VMEM_BROKEN(FENCE_DATA))
			vmem_fence(fs->store);
		if (!vmem_immediate(fs))
			note_links(t);
	}
	len = (uint32_t)vmem_align_up(t->len, VMEM_REC_ALIGN);
	memset(t->buf + t->len, 0, len - t->len);
	lsn = vmem_append_record(fs, t->buf, len, VMEM_REC_OP, t->nr_deltas);
	__atomic_store_n(&fs->last_op, fs->head, __ATOMIC_RELEASE);
	finish_inodes(t);
	if (t->revoked)
		vmem_forget_logged(t->revoked);
	if (t->nr_frees)
		fs->hooks->appended(t, fs->head);
	if (vmem_immediate(fs))
		vmem_applied_at_once(t, lsn);
	fs->hooks->floor_moved(fs);
	if (fs->head - fs->tail > fs->log_size / 2 || fs->nr_dirty > fs->overlay_max / 2)
		vmem_ask_for_checkpoint(fs);
	return 0;
}

/* ---- Running an operation ---- */

/* Lock held. */
static int run_once(struct vmem_fs *fs, vmem_op op, void *arg)
{
	struct vmem_txn *t = &fs->txn;
	int err = op(t, arg);

	if (!err)
		err = t->err;
	if (err)
		txn_abort(t);
	else
		err = txn_commit(t);
	vmem_txn_end_changes(t);
	if (err == -EOVERFLOW && VMEM_BROKEN(FULL_RECORD))
		return vmem_corrupt(fs, 0, 0, "a tree is out of order");
	return err;
}

int vmem_try(struct vmem_fs *fs, vmem_op op, void *arg)
{
	unsigned int tries;
	uint64_t seen;
	int err;

	for (tries = 0; tries < 3; tries++) {
		err = txn_begin(fs);
		if (err)
			return err;
		err = run_once(fs, op, arg);
		seen = fs->ckpts_done;
		vmem_unlock(fs, fs->lock);
		if (err != -EAGAIN)
			return err;
		err = vmem_checkpoint_since(fs, seen);
		if (err)
			return err;
	}
	return -ENOSPC;
}

int vmem_overflowed(struct vmem_fs *fs)
{
	if (!__atomic_exchange_n(&fs->overflowed, true, __ATOMIC_RELAXED))
		fs->env->log(fs->env, VMEM_LOG_ERR,
			     "an operation was refused that no record of the log has room for; nothing is damaged: this is a bug, please report it");
	return -EOVERFLOW;
}

int vmem_run(struct vmem_fs *fs, vmem_op op, void *arg)
{
	int err = vmem_try(fs, op, arg);

	return err == -EOVERFLOW ? vmem_overflowed(fs) : err;
}

int vmem_run_locked(struct vmem_fs *fs, vmem_op op, void *arg)
{
	int err;

	txn_reset(&fs->txn);
	err = run_once(fs, op, arg);
	if (!err && !vmem_immediate(fs) && fs->last_op > fs->committed)
		err = vmem_close_group(fs, true);
	return err;
}
