// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * discard.c - the host's space: finding what a full host has room for, giving back what is free
 *
 * Blocks are discarded only when they could also be allocated again: their free
 * is durable in the mount's domain (see `pending` in blocks.c).  They stay busy
 * until the host has answered.
 */
#include "space/space_internal.h"

#define BATCH		32u		/* ranges in one request to discard */
#define BATCH_BLOCKS	8192u		/* blocks in it, when trimming */
#define MAX_PROBES	64u		/* requests to a full host by one allocation */

/* ---- A full host ---- */

/* Free blocks of the chunk that the host has room for, though not for all of it. */
static int probe_chunk(struct vmem_fs *fs, uint64_t start, uint64_t want, unsigned int *probes,
		       struct vmem_run *run)
{
	uint64_t end = start + VMEM_CHUNK_BLOCKS;

	while (start < end && *probes) {
		int err = vmem_next_free(fs, start, end, run);

		if (err)
			return err;
		start = run->start + run->len;
		run->len = VMEM_MIN(run->len, want);
		if (!run->len)
			break;
		(*probes)--;
		err = vmem_ask_for_room(fs, run->start, run->start + run->len);
		if (err != -ENOSPC)
			return err;
	}
	return -ENOSPC;
}

int vmem_probe_room(struct vmem_fs *fs, uint64_t goal, uint64_t want, struct vmem_run *run)
{
	uint32_t first = goal < fs->nr_blocks ? (uint32_t)(goal / fs->ag_blocks) : 0, i, c;
	unsigned int probes = MAX_PROBES;

	for (i = 0; i < fs->nr_ags && probes; i++) {
		uint32_t ag = (first + i) % fs->nr_ags;

		for (c = 0; c < VMEM_CHUNKS && probes; c++) {
			uint64_t start = (uint64_t)ag * fs->ag_blocks + c * VMEM_CHUNK_BLOCKS;
			int err;

			if (!fs->ags[ag].busy || !fs->ags[ag].chunk_free[c] ||
			    (__atomic_load_n(&fs->chunks->refused[ag], __ATOMIC_RELAXED) >> c & 1))
				continue;
			err = probe_chunk(fs, start, want, &probes, run);
			if (err != -ENOSPC)
				return err;
			if (probes)
				__atomic_fetch_or(&fs->chunks->refused[ag], 1ull << c, __ATOMIC_RELAXED);
		}
	}
	return -ENOSPC;
}

/* ---- Discarding ---- */

static int discard_runs(struct vmem_fs *fs, const struct vmem_run *runs, unsigned int nr)
{
	struct vmem_range r[BATCH] = { 0 };
	unsigned int i;
	int err;

	for (i = 0; i < nr; i++) {
		r[i].offset = runs[i].start << VMEM_BLOCK_SHIFT;
		r[i].length = runs[i].len << VMEM_BLOCK_SHIFT;
	}
	err = fs->store->discard(fs->store, r, nr);
	for (i = 0; i < nr && !err; i++)
		vmem_count(&fs->stats.discarded_blocks, runs[i].len);
	return err;
}

/*
 * Take the oldest freed blocks that recovery cannot touch any more.  They leave the
 * queue: who switches discarding off meanwhile must not release them.
 */
static unsigned int gather_pending(struct vmem_fs *fs, struct vmem_run *runs)
{
	unsigned int nr = 0;

	while (nr < BATCH && nr < fs->pending_nr &&
	       (fs->pending[fs->pending_first + nr].lsn <= fs->floor || VMEM_BROKEN(DISCARD_EARLY)))
		nr++;
	vmem_take_pending(fs, runs, nr);
	if (VMEM_BROKEN(DISCARD_RACE)) {
		fs->pending_first -= nr;
		fs->pending_nr += nr;
	}
	return nr;
}

void vmem_discard_pending(struct vmem_fs *fs)
{
	struct vmem_run runs[BATCH];
	unsigned int nr, i;

	while (__atomic_load_n(&fs->discard, __ATOMIC_RELAXED)) {
		vmem_lock(fs, fs->lock);
		nr = gather_pending(fs, runs);
		vmem_unlock(fs, fs->lock);
		if (!nr)
			return;
		/* On failure the space is not given back, and nothing else. */
		if (discard_runs(fs, runs, nr) == -EOPNOTSUPP)
			vmem_set_discard(fs, false);
		vmem_lock(fs, fs->lock);
		if (VMEM_BROKEN(DISCARD_RACE))
			vmem_take_pending(fs, runs, VMEM_MIN(nr, fs->pending_nr));
		for (i = 0; i < nr; i++) {
			vmem_hold_free(fs, runs[i], false);
			vmem_forget_ready(fs, runs[i]);
		}
		vmem_unlock(fs, fs->lock);
	}
}

void vmem_set_discard(struct vmem_fs *fs, bool on)
{
	__atomic_store_n(&fs->discard, on && fs->store->discard, __ATOMIC_RELAXED);
}

/* ---- Trimming: all that is free ---- */

struct trim {
	uint64_t at, end, min;		/* blocks */
	struct vmem_run runs[BATCH];
	unsigned int nr;
};

/* Take the next free runs; they count as pending, so that who needs them waits. */
static int take_free(struct vmem_fs *fs, struct trim *t)
{
	uint64_t total = 0;

	t->nr = 0;
	while (t->at < t->end && t->nr < BATCH && total < BATCH_BLOCKS) {
		struct vmem_run *run = &t->runs[t->nr];
		int err = vmem_next_free(fs, t->at, VMEM_MIN(t->end, t->at + BATCH_BLOCKS), run);

		if (err)
			return err;
		t->at = run->start + run->len;
		if (!run->len || run->len < t->min)
			continue;
		if (!VMEM_BROKEN(TRIM_UNHELD))
			vmem_hold_free(fs, *run, true);
		total += run->len;
		t->nr++;
	}
	return 0;
}

static int trim_step(struct vmem_fs *fs, struct trim *t, uint64_t *trimmed)
{
	unsigned int i;
	int err;

	vmem_lock(fs, fs->lock);
	err = take_free(fs, t);
	vmem_unlock(fs, fs->lock);
	if (t->nr) {
		int discarded = discard_runs(fs, t->runs, t->nr);

		vmem_lock(fs, fs->lock);
		for (i = 0; i < t->nr; i++) {
			if (!VMEM_BROKEN(TRIM_UNHELD))
				vmem_hold_free(fs, t->runs[i], false);
			vmem_forget_ready(fs, t->runs[i]);
			*trimmed += discarded ? 0 : t->runs[i].len << VMEM_BLOCK_SHIFT;
		}
		vmem_unlock(fs, fs->lock);
		err = err ? err : discarded;
	}
	return err;
}

int vmem_trim(struct vmem_fs *fs, uint64_t start, uint64_t len, uint64_t min_len,
	      uint64_t *trimmed)
{
	uint64_t nr_blocks;
	struct trim *t;
	int err = 0;

	*trimmed = 0;
	if (!fs->store->discard)
		return -EOPNOTSUPP;
	if (vmem_is_read_only(fs))
		return -EROFS;
	vmem_lock_shared(fs);
	nr_blocks = fs->nr_blocks;
	vmem_unlock_shared(fs);
	start = vmem_align_up(start, VMEM_BLOCK_SIZE) >> VMEM_BLOCK_SHIFT;
	if (start >= nr_blocks || min_len > (uint64_t)fs->ag_blocks << VMEM_BLOCK_SHIFT)
		return -EINVAL;
	t = vmem_alloc(fs, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->at = start;
	t->end = start + VMEM_MIN(len >> VMEM_BLOCK_SHIFT, nr_blocks - start);
	t->min = VMEM_MAX(vmem_align_up(min_len, VMEM_BLOCK_SIZE) >> VMEM_BLOCK_SHIFT, 1);
	while (t->at < t->end && !err) {
		/* An allocation that finds nothing else waits for this lock. */
		vmem_lock(fs, fs->ckpt_lock);
		err = trim_step(fs, t, trimmed);
		vmem_unlock(fs, fs->ckpt_lock);
	}
	vmem_free(fs, t, sizeof(*t));
	return err;
}
