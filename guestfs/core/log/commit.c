// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * commit.c - group commit (domain host): records become durable, many at a time
 *
 * The records since the last commit record are a group.  Closing it makes the
 * data durable that they link, then the log with a commit record behind them.
 * One caller closes the group for all who wait.
 */
#include "log/log_internal.h"

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

	vmem_append_record(fs, (uint8_t *)&r, sizeof(r), VMEM_REC_COMMIT, 0);
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

	vmem_skip_end_of_ring(fs, sizeof(shown) + sizeof(r));
	vmem_seal_record(fs, &shown, fs->head, sizeof(shown), VMEM_REC_PAD);
	vmem_seal_record(fs, &hiding, fs->head, sizeof(hiding) + sizeof(r), VMEM_REC_PAD);
	r.rec.time = shown.time;
	vmem_seal_record(fs, &r.rec, fs->head + sizeof(shown), sizeof(r), VMEM_REC_COMMIT);

	mark.off = vmem_ring_off(fs, fs->head) + offsetof(struct vmem_rec, csum);
	mark.value = vmem_get32(shown.csum) | (uint64_t)vmem_get32(shown.len) << 32;
	vmem_store_record(fs, &r.rec);
	vmem_fence(fs->store);
	vmem_store_record(fs, VMEM_BROKEN(MARK_EARLY) ? &shown : &hiding);
	vmem_fence(fs->store);
	/* As they will be, so that the group that begins here can be closed, too. */
	vmem_chain_record(fs, &shown);
	vmem_chain_record(fs, &r.rec);
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

/* commit_lock and lock are held; unless `locked`, the latter is let go of. */
static int flush_group(struct vmem_fs *fs, const struct group *g, bool locked)
{
	uint64_t end;
	int err;

	if (g->sets[0]->nr && fs->store->commit && !VMEM_BROKEN(ONE_FLUSH))
		err = close_by_mark(fs, g, locked, &end);
	else
		err = close_by_flushes(fs, g, locked, &end);
	if (err)
		return err;
	fs->flushed = end;
	__atomic_store_n(&fs->stored_flushed, g->round, __ATOMIC_RELEASE);
	__atomic_store_n(&fs->committed, g->covers, __ATOMIC_RELEASE);
	return 0;
}

int vmem_close_group(struct vmem_fs *fs, bool locked)
{
	struct group g;

	/* A group that could not be flushed is followed by none: its data is not durable. */
	if (vmem_error(fs) == -EIO)
		return -EIO;
	if (!locked)
		vmem_lock(fs, fs->lock);
	g = take_group(fs);
	return flush_group(fs, &g, locked);
}

int vmem_close_group_at(struct vmem_fs *fs, void (*taken)(struct vmem_fs *fs, void *arg), void *arg)
{
	struct group g;
	bool open;

	if (vmem_error(fs) == -EIO)
		return -EIO;
	vmem_lock(fs, fs->lock);
	open = fs->last_op > fs->committed;
	if (open)
		g = take_group(fs);
	taken(fs, arg);
	if (open)
		return flush_group(fs, &g, false);
	vmem_unlock(fs, fs->lock);
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
		err = vmem_close_group(fs, false);
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
