// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * journal.c - the redo log: records, group commit, checkpoint
 *
 * A record is published by one store of its LSN after its body.  From then on
 * the operation is durable in the domain guest.  Home is written
 *   - in the domains guest and pmem right after, followed by root.applied, so
 *     that recovery replays what was being applied and nothing older;
 *   - in the domain host only by a checkpoint, after the record's group was
 *     closed and flushed.
 */
#include "internal.h"
#include "txn.h"

/* Room that a transaction needs: itself, a PAD before it, commit records. */
#define LOG_SLACK (2 * VMEM_REC_MAX + VMEM_BLOCK_SIZE)

uint64_t vmem_ring_off(const struct vmem_fs *fs, uint64_t lsn)
{
	return fs->log_off + lsn % fs->log_size;
}

static uint64_t applied_off(const struct vmem_fs *fs)
{
	return ((uint64_t)VMEM_ROOT_BLOCK(fs->root_slot) << VMEM_BLOCK_SHIFT) +
	       offsetof(struct vmem_root, applied);
}

/* ---- Appending ---- */

/* Store a record whose body is in buf; returns its position. */
static uint64_t put_record(struct vmem_fs *fs, uint8_t *buf, uint32_t len, unsigned int type,
			   uint32_t nr_deltas)
{
	struct vmem_rec *rec = (struct vmem_rec *)(void *)buf;
	uint64_t lsn = fs->head, off = vmem_ring_off(fs, lsn);
	size_t body = type == VMEM_REC_PAD ? sizeof(*rec) : len;

	rec->lsn = vmem_le64_of(lsn);
	rec->len = vmem_le32_of(len);
	rec->type = vmem_le16_of(type);
	rec->nr_deltas = vmem_le16_of(nr_deltas);
	rec->reserved = vmem_le32_of(0);
	rec->time = vmem_le64_of((uint64_t)vmem_now(fs));
	rec->csum = vmem_le32_of(vmem_rec_csum(fs->crc, fs->seed, rec, body));

	vmem_put(fs->store, off + 8, buf + 8, body - 8);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	vmem_put64(fs->store, off, lsn);
	fs->chain = fs->crc(fs->chain, &rec->csum, sizeof(rec->csum));
	fs->head += len;
	fs->stats.record_bytes += len;
	return lsn;
}

static uint64_t append(struct vmem_fs *fs, uint8_t *buf, uint32_t len, unsigned int type,
		       uint32_t nr_deltas)
{
	uint64_t room = fs->log_size - fs->head % fs->log_size;
	uint64_t lsn;

	if (room < len) {
		uint8_t pad[sizeof(struct vmem_rec)] __attribute__((aligned(8)));

		put_record(fs, pad, (uint32_t)room, VMEM_REC_PAD, 0);
	}
	lsn = put_record(fs, buf, len, type, nr_deltas);
	fs->stats.records++;
	if (!VMEM_BROKEN(FENCE_RECORD))
		vmem_fence(fs->store);
	return lsn;
}

/* Copy home what the record in t->buf changed, from the overlay. */
static void apply_home(struct vmem_txn *t)
{
	struct vmem_fs *fs = t->fs;
	uint32_t pos = sizeof(struct vmem_rec), i;

	for (i = 0; i < t->nr_deltas; i++) {
		struct vmem_delta d;
		uint64_t where, off;
		uint32_t len, kind;

		memcpy(&d, t->buf + pos, sizeof(d));
		pos += (uint32_t)sizeof(d);
		where = vmem_get64(d.where);
		off = where & ((1ull << 56) - 1);
		kind = (uint32_t)(where >> 56);
		len = vmem_get32(d.len);
		if (kind == VMEM_D_BYTES) {
			pos += (len + 7u) & ~7u;
		} else if (kind == VMEM_D_SETBITS || kind == VMEM_D_CLRBITS) {
			uint32_t first = vmem_get32(d.aux);

			len = (first + len - 1) / 8 - first / 8 + 1;
			off += first / 8;
		} else if (kind != VMEM_D_ZERO) {
			continue;
		}
		vmem_put(fs->store, off, vmem_meta(fs, off), len);
	}
}

/* The record at lsn is durable: bring home up to date and say so. */
static void applied_at_once(struct vmem_txn *t, uint64_t lsn)
{
	struct vmem_fs *fs = t->fs;

	if (fs->domain == VMEM_DOMAIN_PMEM) {
		/* append() drained: older home stores, and the older `applied`, are durable. */
		fs->floor = fs->pmem_applied;
		fs->pmem_applied = lsn;
		vmem_put64(fs->store, applied_off(fs), lsn);
		apply_home(t);
	} else {
		if (VMEM_BROKEN(APPLIED_EARLY))
			vmem_put64(fs->store, applied_off(fs), fs->head);
		apply_home(t);
		__atomic_thread_fence(__ATOMIC_RELEASE);
		vmem_put64(fs->store, applied_off(fs), fs->head);
		fs->floor = fs->head;
	}
	fs->committed = fs->head;
}

void vmem_retire_records(struct vmem_fs *fs)
{
	vmem_lock(fs, fs->lock);
	if (fs->pmem_applied < fs->head) {
		vmem_fence(fs->store);		/* home before the mark */
		vmem_put64(fs->store, applied_off(fs), fs->head);
		fs->pmem_applied = fs->head;
	}
	vmem_unlock(fs, fs->lock);
}

/* ---- Transactions ---- */

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
}

static bool need_checkpoint(const struct vmem_fs *fs)
{
	return fs->head - fs->tail + LOG_SLACK > fs->log_size || fs->nr_dirty > fs->overlay_max;
}

/* Take the lock with room in the log for one record. */
static int txn_begin(struct vmem_fs *fs)
{
	int err;

	for (;;) {
		vmem_lock(fs, fs->lock);
		err = fs->error == -EIO ? -EIO : (fs->error || fs->read_only) ? -EROFS : 0;
		if (err)
			break;
		if (!need_checkpoint(fs)) {
			/* Pages that are home are kept for speed only. */
			if (fs->nr_opages - fs->nr_dirty > fs->overlay_max)
				vmem_overlay_drop(fs, false);
			txn_reset(&fs->txn);
			return 0;
		}
		vmem_unlock(fs, fs->lock);
		err = vmem_checkpoint(fs);
		if (err)
			return err;
	}
	vmem_unlock(fs, fs->lock);
	return err;
}

static void txn_abort(struct vmem_txn *t)
{
	vmem_txn_undo(t);
	vmem_txn_undo_alloc(t);
}

static void note_links(struct vmem_txn *t)
{
	unsigned int i;

	for (i = 0; i < t->nr_links && !VMEM_BROKEN(DATA_LATE); i++)
		vmem_ranges_add(t->fs->linked, t->links[i].start, t->links[i].len);
}

static void ask_for_checkpoint(struct vmem_fs *fs)
{
	if (fs->kicked || !fs->env->kick)
		return;
	if (fs->head - fs->tail > fs->log_size / 2 || fs->nr_dirty > fs->overlay_max / 2) {
		fs->kicked = true;
		fs->env->kick(fs->env);
	}
}

/* The record is appended: inodes in memory are as it says. */
static void finish_inodes(struct vmem_txn *t)
{
	struct vmem_fs *fs = t->fs;
	unsigned int i;

	for (i = 0; i < t->nr_inodes; i++) {
		struct vmem_inode *vi = t->inodes[i].vi;
		const struct vmem_dinode *n = &t->inodes[i].n;

		__atomic_store_n(&vi->lsn, fs->head, __ATOMIC_RELEASE);
		if (!t->inodes[i].shared) {
			vi->raw = *n;
			vi->times_dirty = false;
			continue;
		}
		/* Times that were touched meanwhile are for the next record. */
		vmem_lock(fs, fs->dirty_lock);
		if (!memcmp(&vi->raw.atime, &n->atime, 3 * sizeof(n->atime)))
			vi->times_dirty = false;
		vmem_unlock(fs, fs->dirty_lock);
		vmem_dirty_done(vi, t->inodes[i].dirty_seq);
	}
}

static int txn_commit(struct vmem_txn *t)
{
	struct vmem_fs *fs = t->fs;
	uint32_t len;
	uint64_t lsn;

	vmem_txn_write_inodes(t);
	txn_write_descs(t);
	if (t->err) {
		txn_abort(t);
		return t->err;
	}
	if (!t->nr_deltas && !t->nr_links)
		return 0;
	if (t->nr_links) {
		/* Data before the record that links it. */
		vmem_fence(fs->store);
		if (!vmem_immediate(fs))
			note_links(t);
	}
	len = (uint32_t)vmem_align_up(t->len, VMEM_REC_ALIGN);
	memset(t->buf + t->len, 0, len - t->len);
	lsn = append(fs, t->buf, len, VMEM_REC_OP, t->nr_deltas);
	__atomic_store_n(&fs->last_op, fs->head, __ATOMIC_RELEASE);
	finish_inodes(t);
	vmem_txn_pend_frees(t, fs->head);
	if (vmem_immediate(fs))
		applied_at_once(t, lsn);
	vmem_release_pending(fs);
	ask_for_checkpoint(fs);
	return 0;
}

int vmem_run(struct vmem_fs *fs, vmem_op op, void *arg)
{
	unsigned int tries;
	int err;

	for (tries = 0; tries < 3; tries++) {
		err = txn_begin(fs);
		if (err)
			return err;
		err = op(&fs->txn, arg);
		if (!err)
			err = fs->txn.err;
		if (err)
			txn_abort(&fs->txn);
		else
			err = txn_commit(&fs->txn);
		vmem_unlock(fs, fs->lock);
		if (err != -EAGAIN)
			return err;
		err = vmem_checkpoint(fs);
		if (err)
			return err;
	}
	return -ENOSPC;
}

/* ---- Group commit (domain host) ---- */

static struct vmem_rangeset *swap_set(struct vmem_rangeset **set, struct vmem_rangeset **spare)
{
	struct vmem_rangeset *full = *set;

	*set = *spare;
	*spare = full;
	return full;
}

static void add_log_range(struct vmem_fs *fs, struct vmem_rangeset *set, uint64_t from, uint64_t to)
{
	while (from < to) {
		uint64_t in = from % fs->log_size, n = VMEM_MIN(to - from, fs->log_size - in);

		vmem_ranges_add(set, fs->log_off + in, n);
		from += n;
	}
}

static void put_commit_record(struct vmem_fs *fs, uint64_t start, uint64_t covers, uint32_t chain)
{
	struct {
		struct vmem_rec rec;
		struct vmem_rec_commit c;
	} r = { 0 };

	r.c.start = vmem_le64_of(start);
	r.c.covers = vmem_le64_of(covers);
	r.c.chain = vmem_le32_of(chain);
	append(fs, (uint8_t *)&r, sizeof(r), VMEM_REC_COMMIT, 0);
	fs->stats.commits++;
}

/*
 * Close the running group: flush what its records link, then write the
 * commit record, then flush the log.  commit_lock is held; fs->lock too if
 * `locked`, else it is taken for moments only, and records that arrive
 * during the first flush belong to the next group.
 */
static int close_group(struct vmem_fs *fs, bool locked)
{
	struct vmem_rangeset *linked, *stored, *sets[2];
	uint64_t start, covers, end, round;
	uint32_t chain;
	int err = 0;

	if (!locked)
		vmem_lock(fs, fs->lock);
	linked = swap_set(&fs->linked, &fs->linked_spare);
	stored = swap_set(&fs->stored, &fs->stored_spare);
	round = ++fs->stored_round;
	sets[0] = linked;
	sets[1] = stored;
	start = fs->group_start;
	covers = fs->head;
	chain = fs->chain;
	fs->group_start = covers;
	fs->chain = fs->seed;

	if (linked->nr) {
		if (!locked)
			vmem_unlock(fs, fs->lock);
		err = vmem_flush_sets(fs, sets, 2);
		if (!locked)
			vmem_lock(fs, fs->lock);
	}
	if (!err)
		put_commit_record(fs, start, covers, chain);
	end = fs->head;
	if (!locked)
		vmem_unlock(fs, fs->lock);
	if (err)
		return err;

	add_log_range(fs, linked, fs->flushed, end);
	err = vmem_flush_sets(fs, sets, 2);
	if (err)
		return err;
	fs->flushed = end;
	__atomic_store_n(&fs->stored_flushed, round, __ATOMIC_RELEASE);
	__atomic_store_n(&fs->committed, covers, __ATOMIC_RELEASE);
	return 0;
}

int vmem_commit(struct vmem_fs *fs, uint64_t lsn)
{
	int err = 0;

	if (__atomic_load_n(&fs->committed, __ATOMIC_ACQUIRE) >= lsn)
		return fs->error == -EIO ? -EIO : 0;
	vmem_lock(fs, fs->commit_lock);
	if (fs->error == -EIO)
		err = -EIO;
	else if (fs->committed < lsn)
		err = close_group(fs, false);
	vmem_unlock(fs, fs->commit_lock);
	return err;
}

int vmem_close_recovered(struct vmem_fs *fs)
{
	struct vmem_rangeset *set = fs->ckpt_set;
	int err;

	/* Neither the log nor the data that it links may have reached the disk. */
	vmem_ranges_add(set, 0, fs->store->size);
	err = vmem_flush_sets(fs, &set, 1);
	if (err || fs->last_op <= fs->group_start)
		return err;
	put_commit_record(fs, fs->group_start, fs->head, fs->chain);
	add_log_range(fs, set, fs->group_start, fs->head);
	return vmem_flush_sets(fs, &set, 1);
}

/* ---- Checkpoint ---- */

static void forget_logged(struct vmem_fs *fs)
{
	unsigned int i;

	for (i = 0; i < VMEM_LOGGED_MAX; i++)
		if (fs->logged[i].ino && fs->logged[i].ckpt < fs->ckpt_live) {
			fs->logged[i].ino = 0;
			fs->nr_logged--;
		}
}

/* Everything below tail is home and durable there: give the space back. */
static void tail_moved(struct vmem_fs *fs, uint64_t tail, uint64_t period)
{
	fs->tail = tail;
	fs->floor = VMEM_MAX(fs->floor, tail);
	fs->ckpt_live = period;
	fs->kicked = false;
	fs->stats.checkpoints++;
	forget_logged(fs);
	vmem_release_pending(fs);
	if (fs->nr_opages > fs->overlay_max / 2)
		vmem_overlay_drop(fs, false);
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

/* Close the group and move the overlay home; *tail is where replay then starts. */
static int settle(struct vmem_fs *fs, struct vmem_rangeset *set, uint64_t *tail, uint64_t *period)
{
	unsigned int i;
	int err = 0;

	if (VMEM_BROKEN(HOME_EARLY))
		vmem_overlay_writeback(fs, set);
	if (fs->last_op > fs->committed)
		err = close_group(fs, true);
	/* The group that runs on begins here, with the commit record itself. */
	*tail = fs->group_start;
	*period = ++fs->ckpt_seq;
	if (err)
		return err;
	vmem_overlay_writeback(fs, set);
	for (i = 0; i < fs->home->nr; i++)
		vmem_ranges_add(set, fs->home->r[i].offset, fs->home->r[i].length);
	fs->home->nr = 0;
	return 0;
}

static int checkpoint_host(struct vmem_fs *fs)
{
	struct vmem_rangeset *set = fs->ckpt_set;
	uint64_t tail, period;
	int err;

	vmem_lock(fs, fs->commit_lock);
	vmem_lock(fs, fs->lock);
	err = settle(fs, set, &tail, &period);
	vmem_unlock(fs, fs->lock);
	vmem_unlock(fs, fs->commit_lock);
	if (err)
		return err;

	/* New records only touch the overlay, so home stays as it is meanwhile. */
	err = VMEM_BROKEN(TAIL_EARLY) ? 0 : vmem_flush_sets(fs, &set, 1);
	if (!err)
		err = vmem_write_root(fs, VMEM_STATE_MOUNTED, tail);
	if (err)
		return err;
	vmem_lock(fs, fs->lock);
	tail_moved(fs, tail, period);
	vmem_unlock(fs, fs->lock);
	return 0;
}

int vmem_checkpoint(struct vmem_fs *fs)
{
	int err;

	if (fs->error)
		return fs->error == -EIO ? -EIO : -EROFS;
	if (fs->read_only)
		return 0;
	vmem_lock(fs, fs->ckpt_lock);
	err = vmem_immediate(fs) ? checkpoint_immediate(fs) : checkpoint_host(fs);
	vmem_unlock(fs, fs->ckpt_lock);
	return err;
}
