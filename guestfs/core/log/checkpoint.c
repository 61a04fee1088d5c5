// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * checkpoint.c - the log is emptied: what its records say goes home
 *
 * A checkpoint closes the running group, copies the overlay home, flushes that,
 * and moves the tail in the root.  Space of the log and freed blocks come back.
 */
#include "log/log_internal.h"

bool vmem_need_checkpoint(const struct vmem_fs *fs)
{
	return fs->head - fs->tail + VMEM_LOG_SLACK > fs->log_size || fs->nr_dirty > fs->overlay_max;
}

/* Everything below tail is home and durable there: give the space back. */
static void tail_moved(struct vmem_fs *fs, uint64_t tail, uint64_t period)
{
	fs->tail = tail;
	fs->floor = VMEM_MAX(fs->floor, tail);
	fs->ckpt_live = period;
	fs->kicked = false;
	fs->ckpts_done++;
	fs->stats.checkpoints++;
	vmem_forget_old_logged(fs);
	fs->hooks->floor_moved(fs);
	if (fs->nr_opages > fs->overlay_max / 2 || VMEM_BROKEN(PAGE_EARLY))
		vmem_overlay_drop(fs, false);
	else
		vmem_overlay_reap(fs);
}

static int checkpoint_immediate(struct vmem_fs *fs)
{
	int err;

	vmem_lock(fs, fs->lock);
	vmem_fence(fs->store);		/* pmem: home stores are durable now */
	err = vmem_write_root(fs, VMEM_STATE_MOUNTED, fs->head);
	if (!err)
		tail_moved(fs, fs->head, fs->ckpt_seq);
	vmem_unlock(fs, fs->lock);
	return err;
}

/* Where a checkpoint cuts: what was before goes home. */
struct cut {
	struct vmem_rangeset *set;	/* what is to be flushed at home */
	uint64_t tail;			/* replay starts here then */
	uint64_t period;		/* the checkpoint period that begins */
};

/* The group is taken, or there is none; lock held. */
static void cut_here(struct vmem_fs *fs, void *arg)
{
	struct cut *cut = arg;
	unsigned int i;

	/* The group that runs on begins here. */
	cut->tail = fs->group_start;
	cut->period = ++fs->ckpt_seq;
	for (i = 0; i < fs->home->nr; i++)
		vmem_ranges_add(cut->set, fs->home->r[i].offset, fs->home->r[i].length);
	fs->home->nr = 0;
	vmem_overlay_end_epoch(fs);
}

/*
 * Close the group and copy what its records changed home.  Nobody waits for that but who
 * needs the group's commit: transactions and readers go on, as long as the log has room.
 */
static int settle(struct vmem_fs *fs, struct cut *cut)
{
	int err;

	if (VMEM_BROKEN(LOCK_ORDER)) {
		vmem_lock(fs, fs->lock);
		vmem_lock(fs, fs->commit_lock);
		vmem_unlock(fs, fs->lock);
	} else {
		vmem_lock(fs, fs->commit_lock);
	}
	if (VMEM_BROKEN(HOME_EARLY)) {
		vmem_overlay_end_epoch(fs);
		vmem_overlay_writeback(fs, cut->set);
	}
	err = vmem_close_group_at(fs, cut_here, cut);
	vmem_unlock(fs, fs->commit_lock);
	if (!err)
		vmem_overlay_writeback(fs, cut->set);
	return err;
}

static int checkpoint_host(struct vmem_fs *fs)
{
	struct cut cut = { .set = fs->ckpt_set };
	int err = settle(fs, &cut);

	if (err)
		return err;
	/* New records only touch the overlay, so home stays as it is meanwhile. */
	err = VMEM_BROKEN(TAIL_EARLY) ? 0 : vmem_flush_sets(fs, &cut.set, 1);
	if (VMEM_BROKEN(TAIL_LATE))
		cut.tail = fs->head;
	if (!err)
		err = vmem_write_root(fs, VMEM_STATE_MOUNTED, cut.tail);
	if (err)
		return err;
	vmem_lock(fs, fs->lock);
	tail_moved(fs, cut.tail, cut.period);
	vmem_unlock(fs, fs->lock);
	return 0;
}

int vmem_lock_all(struct vmem_fs *fs)
{
	int err = 0;

	while (!err) {
		vmem_lock(fs, fs->commit_lock);
		vmem_lock(fs, fs->lock);
		if (vmem_is_read_only(fs))
			err = vmem_refusal(fs);
		else if (!vmem_need_checkpoint(fs))
			return 0;
		vmem_unlock_all(fs);
		if (!err)
			err = vmem_immediate(fs) ? checkpoint_immediate(fs) : checkpoint_host(fs);
	}
	return err;
}

void vmem_unlock_all(struct vmem_fs *fs)
{
	vmem_unlock(fs, fs->lock);
	vmem_unlock(fs, fs->commit_lock);
}

int vmem_note_error(struct vmem_fs *fs)
{
	uint32_t state;
	uint64_t tail;
	int err = 0;

	if (VMEM_PEEK(fs->shut_down))
		return 0;
	vmem_lock(fs, fs->ckpt_lock);
	tail = vmem_get64(fs->root.tail);
	state = vmem_get32(fs->root.state);
	if (!(state & VMEM_STATE_ERROR)) {
		fs->root.state = vmem_le32_of(state | VMEM_STATE_ERROR);
		vmem_lock(fs, fs->lock);
		vmem_fence(fs->store);
		/* What is home already must not be replayed: its blocks may be others' now. */
		if (vmem_immediate(fs))
			tail = fs->head;
		err = vmem_write_root(fs, VMEM_STATE_MOUNTED, tail);
		vmem_unlock(fs, fs->lock);
	}
	vmem_unlock(fs, fs->ckpt_lock);
	return err;
}

/*
 * ckpt_lock is held: was a checkpoint completed since the caller found that it needs
 * one, having counted `seen`?  Then it looks again before it makes another.
 */
static bool overtaken(struct vmem_fs *fs, uint64_t seen)
{
	bool later;

	vmem_lock_shared(fs);
	later = fs->ckpts_done != seen;
	vmem_unlock_shared(fs);
	return later;
}

int vmem_checkpoint_since(struct vmem_fs *fs, uint64_t seen)
{
	int err;

	if (VMEM_PEEK(fs->read_only))
		return vmem_error(fs) ? vmem_refusal(fs) : 0;
	if (vmem_error(fs)) {
		vmem_note_error(fs);
		return vmem_refusal(fs);
	}
	vmem_lock(fs, fs->ckpt_lock);
	if (seen != UINT64_MAX && overtaken(fs, seen)) {
		vmem_unlock(fs, fs->ckpt_lock);
		return 0;
	}
	if (VMEM_BROKEN(DISCARD_EARLY))
		fs->hooks->checkpointed(fs);
	err = vmem_immediate(fs) ? checkpoint_immediate(fs) : checkpoint_host(fs);
	if (!err)
		fs->hooks->checkpointed(fs);
	vmem_unlock(fs, fs->ckpt_lock);
	return err;
}

int vmem_checkpoint(struct vmem_fs *fs)
{
	return vmem_checkpoint_since(fs, UINT64_MAX);
}
