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
#include "mount.h"
#include "log/txn.h"

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

/* Fill in the head of a record that is to lie at lsn. */
static void seal(const struct vmem_fs *fs, struct vmem_rec *rec, uint64_t lsn, uint32_t len,
		 unsigned int type)
{
	rec->lsn = vmem_le64_of(lsn);
	rec->len = vmem_le32_of(len);
	rec->type = vmem_le16_of(type);
	rec->reserved = vmem_le32_of(0);
	rec->csum = vmem_le32_of(vmem_rec_csum(fs->crc, fs->seed, rec,
					       type == VMEM_REC_PAD ? sizeof(*rec) : len));
}

/* Store a sealed record, its LSN last. */
static void store_record(struct vmem_fs *fs, const struct vmem_rec *rec)
{
	uint64_t lsn = vmem_get64(rec->lsn), off = vmem_ring_off(fs, lsn);
	size_t body = vmem_get16(rec->type) == VMEM_REC_PAD ? sizeof(*rec) : vmem_get32(rec->len);

	if (VMEM_BROKEN(PUBLISH_EARLY))
		vmem_put64(fs->store, off, lsn);
	vmem_put(fs->store, off + 8, (const uint8_t *)rec + 8, body - 8);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	vmem_put64(fs->store, off, lsn);
}

/* The record at the head is the newest of its group. */
static void chain_record(struct vmem_fs *fs, const struct vmem_rec *rec)
{
	uint32_t len = vmem_get32(rec->len);

	fs->chain = fs->crc(fs->chain, &rec->csum, sizeof(rec->csum));
	fs->head += len;
	fs->stats.record_bytes += len;
}

/* Append the record in buf; its body is there. */
static uint64_t put_record(struct vmem_fs *fs, uint8_t *buf, uint32_t len, unsigned int type,
			   uint32_t nr_deltas)
{
	struct vmem_rec *rec = (struct vmem_rec *)(void *)buf;
	uint64_t lsn = fs->head;

	rec->nr_deltas = vmem_le16_of(nr_deltas);
	rec->time = vmem_le64_of((uint64_t)vmem_now(fs));
	seal(fs, rec, lsn, len, type);
	store_record(fs, rec);
	chain_record(fs, rec);
	return lsn;
}

/* The next len bytes of the log shall be in one piece. */
static void skip_end_of_ring(struct vmem_fs *fs, uint32_t len)
{
	uint64_t room = fs->log_size - fs->head % fs->log_size;

	if (room < len) {
		uint8_t pad[sizeof(struct vmem_rec)] __attribute__((aligned(8)));

		put_record(fs, pad, (uint32_t)room, VMEM_REC_PAD, 0);
	}
}

static uint64_t append(struct vmem_fs *fs, uint8_t *buf, uint32_t len, unsigned int type,
		       uint32_t nr_deltas)
{
	uint64_t lsn;

	skip_end_of_ring(fs, len);
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
	t->revoked = NULL;
}

static bool need_checkpoint(const struct vmem_fs *fs)
{
	return fs->head - fs->tail + VMEM_LOG_SLACK > fs->log_size || fs->nr_dirty > fs->overlay_max;
}

void vmem_lock_overlay(struct vmem_fs *fs)
{
	vmem_lock(fs, fs->lock);
	while (fs->writing_home) {
		vmem_unlock(fs, fs->lock);
		vmem_lock(fs, fs->commit_lock);
		vmem_unlock(fs, fs->commit_lock);
		vmem_lock(fs, fs->lock);
	}
}

static int checkpoint(struct vmem_fs *fs, uint64_t seen);

/* Take the lock with room in the log for one record. */
static int txn_begin(struct vmem_fs *fs)
{
	uint64_t seen;
	int err;

	for (;;) {
		vmem_lock_overlay(fs);
		err = vmem_is_read_only(fs) ? vmem_refusal(fs) : 0;
		if (err)
			break;
		if (!need_checkpoint(fs)) {
			/* Pages that are home are kept for speed only. */
			if (fs->nr_opages - fs->nr_dirty > fs->overlay_max)
				vmem_overlay_drop(fs, false);
			txn_reset(&fs->txn);
			return 0;
		}
		seen = fs->ckpts_done;
		vmem_unlock(fs, fs->lock);
		err = checkpoint(fs, seen);
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
	if (fs->head - fs->tail > fs->log_size / 2 || fs->nr_dirty > fs->overlay_max / 2 ||
	    (fs->discard && fs->pending_blocks > VMEM_DISCARD_BLOCKS)) {
		fs->kicked = true;
		fs->env->kick(fs->env);
	}
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
		if (!t->inodes[i].shared)
			take_inode(vi, &t->inodes[i].n, t->inodes[i].times);
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
	txn_write_descs(t);
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
	lsn = append(fs, t->buf, len, VMEM_REC_OP, t->nr_deltas);
	__atomic_store_n(&fs->last_op, fs->head, __ATOMIC_RELEASE);
	finish_inodes(t);
	if (t->revoked)
		vmem_forget_logged(t->revoked);
	vmem_txn_pend_frees(t, fs->head);
	if (vmem_immediate(fs))
		applied_at_once(t, lsn);
	vmem_release_pending(fs);
	ask_for_checkpoint(fs);
	return 0;
}

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
	if (err == -EOVERFLOW && VMEM_BROKEN(FULL_RECORD))
		return vmem_corrupt(fs, 0, 0, "a tree is out of order");
	return err;
}

int vmem_run(struct vmem_fs *fs, vmem_op op, void *arg)
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
		err = checkpoint(fs, seen);
		if (err)
			return err;
	}
	return -ENOSPC;
}

static int close_group(struct vmem_fs *fs, bool locked);

int vmem_run_locked(struct vmem_fs *fs, vmem_op op, void *arg)
{
	int err;

	txn_reset(&fs->txn);
	err = run_once(fs, op, arg);
	if (!err && !vmem_immediate(fs) && fs->last_op > fs->committed)
		err = close_group(fs, true);
	return err;
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

struct commit_record {
	struct vmem_rec rec;
	struct vmem_rec_commit c;
};

static struct commit_record commit_record(uint64_t start, uint64_t covers, uint32_t chain)
{
	struct commit_record r = { 0 };

	r.c.start = vmem_le64_of(start);
	r.c.covers = vmem_le64_of(covers);
	r.c.chain = vmem_le32_of(chain);
	return r;
}

static void put_commit_record(struct vmem_fs *fs, uint64_t start, uint64_t covers, uint32_t chain)
{
	struct commit_record r = commit_record(start, covers, chain);

	append(fs, (uint8_t *)&r, sizeof(r), VMEM_REC_COMMIT, 0);
	fs->stats.commits++;
}

/* One 8-byte store that makes a commit record count. */
struct mark {
	uint64_t off, value;
};

/*
 * Append a commit record that does not count yet, but over which the log goes
 * on: it is inside a PAD record.  The mark gives that the length of its head
 * alone, and the checksum of that, so that the next record is the commit.
 */
static struct mark put_hidden_commit(struct vmem_fs *fs, uint64_t start, uint64_t covers,
				     uint32_t chain)
{
	struct vmem_rec shown = { .time = vmem_le64_of((uint64_t)vmem_now(fs)) }, hiding = shown;
	struct commit_record r = commit_record(start, covers, chain);
	struct mark mark;

	skip_end_of_ring(fs, sizeof(shown) + sizeof(r));
	seal(fs, &shown, fs->head, sizeof(shown), VMEM_REC_PAD);
	seal(fs, &hiding, fs->head, sizeof(hiding) + sizeof(r), VMEM_REC_PAD);
	r.rec.time = shown.time;
	seal(fs, &r.rec, fs->head + sizeof(shown), sizeof(r), VMEM_REC_COMMIT);

	mark.off = vmem_ring_off(fs, fs->head) + offsetof(struct vmem_rec, csum);
	mark.value = vmem_get32(shown.csum) | (uint64_t)vmem_get32(shown.len) << 32;
	store_record(fs, &r.rec);
	vmem_fence(fs->store);
	store_record(fs, VMEM_BROKEN(MARK_EARLY) ? &shown : &hiding);
	vmem_fence(fs->store);
	/* As they will be, so that the group that begins here can be closed, too. */
	chain_record(fs, &shown);
	chain_record(fs, &r.rec);
	fs->stats.records += 2;
	fs->stats.commits++;
	return mark;
}

/* What a commit takes with it, and what its record will say. */
struct group {
	struct vmem_rangeset *sets[2];	/* what its records link; what was stored in place */
	uint64_t start, covers, round;
	uint32_t chain;
};

/* The next record begins another group. */
static struct group take_group(struct vmem_fs *fs)
{
	struct group g = {
		.sets = { swap_set(&fs->linked, &fs->linked_spare),
			  swap_set(&fs->stored, &fs->stored_spare) },
		.start = fs->group_start,
		.covers = fs->head,
		.round = ++fs->stored_round,
		.chain = fs->chain,
	};

	fs->group_start = g.covers;
	fs->chain = fs->seed;
	return g;
}

/*
 * By two flushes: what the records link, then, with the commit record behind
 * them, the log.  Records that arrive during the first belong to the next
 * group.  Without links the first is left out.
 */
static int close_by_flushes(struct vmem_fs *fs, const struct group *g, bool locked, uint64_t *end)
{
	int err = 0;

	if (g->sets[0]->nr && !VMEM_BROKEN(ONE_FLUSH)) {
		if (!locked)
			vmem_unlock(fs, fs->lock);
		err = vmem_flush_sets(fs, g->sets, 2);
		if (!locked)
			vmem_lock(fs, fs->lock);
	}
	if (!err)
		put_commit_record(fs, g->start, g->covers, g->chain);
	*end = fs->head;
	if (!locked)
		vmem_unlock(fs, fs->lock);
	if (err)
		return err;
	add_log_range(fs, g->sets[0], fs->flushed, *end);
	return vmem_flush_sets(fs, g->sets, 2);
}

/* By one request, which makes the commit record count between its parts. */
static int close_by_mark(struct vmem_fs *fs, const struct group *g, bool locked, uint64_t *end)
{
	struct mark mark = put_hidden_commit(fs, g->start, g->covers, g->chain);
	struct vmem_rangeset *log = fs->log_set;
	int err;

	*end = fs->head;
	if (!locked)
		vmem_unlock(fs, fs->lock);
	add_log_range(fs, log, fs->flushed, *end);
	err = vmem_commit_sets(fs, g->sets, 2, log, mark.off, mark.value);
	if (err != -EOPNOTSUPP)
		return err;
	err = vmem_flush_sets(fs, g->sets, 2);
	if (err)
		return err;
	vmem_put64(fs->store, mark.off, mark.value);
	return vmem_flush_sets(fs, &log, 1);
}

/*
 * Close the running group.  commit_lock is held; fs->lock too if `locked`,
 * else it is taken for moments only.
 */
static int close_group(struct vmem_fs *fs, bool locked)
{
	struct group g;
	uint64_t end;
	int err;

	/* A group that could not be flushed is followed by none: its data is not durable. */
	if (vmem_error(fs) == -EIO)
		return -EIO;
	if (!locked)
		vmem_lock(fs, fs->lock);
	g = take_group(fs);
	if (g.sets[0]->nr && fs->store->commit && !VMEM_BROKEN(ONE_FLUSH))
		err = close_by_mark(fs, &g, locked, &end);
	else
		err = close_by_flushes(fs, &g, locked, &end);
	if (err)
		return err;
	fs->flushed = end;
	__atomic_store_n(&fs->stored_flushed, g.round, __ATOMIC_RELEASE);
	__atomic_store_n(&fs->committed, g.covers, __ATOMIC_RELEASE);
	return 0;
}

int vmem_commit(struct vmem_fs *fs, uint64_t lsn)
{
	uint64_t seen = fs->committed;
	bool ours;
	int err = 0;

	if (__atomic_load_n(&fs->committed, __ATOMIC_ACQUIRE) >= lsn)
		return vmem_error(fs) == -EIO ? -EIO : 0;
	vmem_lock(fs, fs->commit_lock);
	ours = fs->committed < lsn;
	if (VMEM_BROKEN(JOIN_CLOSED) && fs->committed != seen)
		ours = false;
	if (vmem_error(fs) == -EIO)
		err = -EIO;
	else if (ours)
		err = close_group(fs, false);
	if (!ours && VMEM_BROKEN(LOCK_KEPT))
		return err;
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
	fs->ckpts_done++;
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

/*
 * Close the group and move the overlay home; *tail is where replay then starts.
 * commit_lock is held; nobody else changes fs->writing_home.  No flush is waited for
 * with fs->lock held: transactions wait for commit_lock meanwhile, readers for nothing.
 */
static int settle(struct vmem_fs *fs, struct vmem_rangeset *set, uint64_t *tail, uint64_t *period)
{
	unsigned int i;
	int err = 0;

	if (VMEM_BROKEN(HOME_EARLY))
		vmem_overlay_writeback(fs, set);
	/* Most of the group, while transactions go on: what is left then is little. */
	if (__atomic_load_n(&fs->last_op, __ATOMIC_ACQUIRE) > fs->committed)
		err = close_group(fs, false);
	if (err)
		return err;
	vmem_lock(fs, fs->lock);
	fs->writing_home = true;
	vmem_unlock(fs, fs->lock);
	if (fs->last_op > fs->committed)
		err = close_group(fs, false);
	if (!err) {
		/* The group that runs on begins here, with the commit record itself. */
		*tail = fs->group_start;
		*period = fs->ckpt_seq + 1;
		vmem_overlay_writeback(fs, set);
		for (i = 0; i < fs->home->nr; i++)
			vmem_ranges_add(set, fs->home->r[i].offset, fs->home->r[i].length);
		fs->home->nr = 0;
	}
	vmem_lock(fs, fs->lock);
	fs->ckpt_seq++;
	fs->writing_home = false;
	vmem_unlock(fs, fs->lock);
	return err;
}

static int checkpoint_host(struct vmem_fs *fs)
{
	struct vmem_rangeset *set = fs->ckpt_set;
	uint64_t tail = 0, period = 0;
	int err;

	if (VMEM_BROKEN(LOCK_ORDER)) {
		vmem_lock(fs, fs->lock);
		vmem_lock(fs, fs->commit_lock);
		vmem_unlock(fs, fs->lock);
	} else {
		vmem_lock(fs, fs->commit_lock);
	}
	err = settle(fs, set, &tail, &period);
	vmem_unlock(fs, fs->commit_lock);
	if (err)
		return err;

	/* New records only touch the overlay, so home stays as it is meanwhile. */
	err = VMEM_BROKEN(TAIL_EARLY) ? 0 : vmem_flush_sets(fs, &set, 1);
	if (VMEM_BROKEN(TAIL_LATE))
		tail = fs->head;
	if (!err)
		err = vmem_write_root(fs, VMEM_STATE_MOUNTED, tail);
	if (err)
		return err;
	vmem_lock(fs, fs->lock);
	tail_moved(fs, tail, period);
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
		else if (!need_checkpoint(fs))
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

/* seen UINT64_MAX: in any case. */
static int checkpoint(struct vmem_fs *fs, uint64_t seen)
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
		vmem_discard_pending(fs);
	err = vmem_immediate(fs) ? checkpoint_immediate(fs) : checkpoint_host(fs);
	if (!err)
		vmem_discard_pending(fs);
	vmem_unlock(fs, fs->ckpt_lock);
	return err;
}

int vmem_checkpoint(struct vmem_fs *fs)
{
	return checkpoint(fs, UINT64_MAX);
}
