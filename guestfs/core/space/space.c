// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * space.c - the host's space: thin stores and discarding
 *
 * A thin store has holes, and a host whose disk may be full.  Before a block is
 * stored to, its 2 MiB chunk is provisioned by a request to the host, once per
 * mount: `ready` remembers which are, one bit per chunk and one word per
 * allocation group.  When the host has no room for a whole chunk, it may have
 * had it for the very blocks for long: so they are asked for, each time.  New
 * blocks come from ready chunks then, or from where some were used before:
 * `refused` remembers the chunks in which that was tried in vain.
 *
 * Blocks are discarded only when they could also be allocated again: their free
 * is durable in the mount's domain (see `pending` in alloc.c).  They stay busy
 * until the host has answered.
 */
#include "mount.h"

#define BATCH		32u		/* ranges in one request to discard */
#define BATCH_BLOCKS	8192u		/* blocks in it, when trimming */
#define MAX_PROBES	64u		/* requests to a full host by one allocation */

/* ---- Provisioning ---- */

static size_t chunks_size(uint32_t nr_ags)
{
	return sizeof(struct vmem_chunks) + 2 * (size_t)nr_ags * sizeof(uint64_t);
}

struct vmem_chunks *vmem_chunks_new(struct vmem_fs *fs, uint64_t nr_blocks, uint32_t nr_ags)
{
	struct vmem_chunks *c = vmem_alloc(fs, chunks_size(nr_ags));

	if (c) {
		c->nr_blocks = nr_blocks;
		c->nr_ags = nr_ags;
		c->ready = c->word;
		c->refused = c->word + nr_ags;
	}
	return c;
}

void vmem_chunks_free(struct vmem_fs *fs, struct vmem_chunks *c)
{
	if (c)
		vmem_free(fs, c, chunks_size(c->nr_ags));
}

static struct vmem_chunks *chunks_of(const struct vmem_fs *fs)
{
	return __atomic_load_n(&fs->chunks, __ATOMIC_ACQUIRE);
}

/*
 * Who looks at the old one sees what was ready, and still is as long as its
 * blocks are in use; what it notes there is lost, and asked for again.
 */
void vmem_space_extend(struct vmem_fs *fs, struct vmem_chunks *c, uint64_t nr_blocks)
{
	struct vmem_chunks *old = chunks_of(fs);
	uint64_t last = nr_blocks - 1;
	uint32_t ag;

	for (ag = 0; ag < old->nr_ags; ag++)
		c->ready[ag] = __atomic_load_n(&old->ready[ag], __ATOMIC_RELAXED);
	/* Of the chunk with the old end, the host was asked for a part. */
	c->ready[last / fs->ag_blocks] &= ~(1ull << last % fs->ag_blocks / VMEM_CHUNK_BLOCKS);
	c->older = old;
	__atomic_store_n(&fs->chunks, c, __ATOMIC_RELEASE);
}

int vmem_space_load(struct vmem_fs *fs)
{
	int err;

	if (!fs->store->provision)
		return 0;
	fs->chunks = vmem_chunks_new(fs, fs->nr_blocks, fs->nr_ags);
	if (!fs->chunks)
		return -ENOMEM;
	/* What a mount, and the log, write without asking again. */
	err = vmem_provision(fs, 0, fs->agmeta0 + 2 + fs->itable_blocks);
	return err ? err : vmem_provision(fs, fs->backup, 1);
}

void vmem_space_unload(struct vmem_fs *fs)
{
	while (fs->chunks) {
		struct vmem_chunks *c = fs->chunks;

		fs->chunks = c->older;
		vmem_chunks_free(fs, c);
	}
}

static int ask_for(struct vmem_fs *fs, uint64_t start, uint64_t end)
{
	int err = fs->store->provision(fs->store, start << VMEM_BLOCK_SHIFT,
				       (end - start) << VMEM_BLOCK_SHIFT);

	vmem_count(&fs->stats.provisions, 1);
	return err && err != -ENOSPC ? -EIO : err;
}

static void forget_refusals(struct vmem_fs *fs, struct vmem_chunks *c)
{
	uint32_t ag;

	if (!__atomic_exchange_n(&fs->host_full, false, __ATOMIC_RELAXED))
		return;
	for (ag = 0; ag < c->nr_ags; ag++)
		__atomic_store_n(&c->refused[ag], 0, __ATOMIC_RELAXED);
}

/*
 * The chunk was provisioned.  Whoever asked without the lock looks whether a part was
 * discarded meanwhile: not his own blocks, which are in use, but others of the chunk.
 */
static void note_ready(struct vmem_fs *fs, struct vmem_chunks *c, uint32_t ag, uint32_t chunk,
		       bool locked, uint64_t discards)
{
	if (!locked)
		vmem_lock_shared(fs);
	if (fs->discards == discards || VMEM_BROKEN(READY_LATE))
		__atomic_fetch_or(&c->ready[ag], 1ull << chunk, __ATOMIC_RELEASE);
	if (!locked)
		vmem_unlock_shared(fs);
}

/* The chunk, or at least blocks [from, to) of it. */
static int provision_chunk(struct vmem_fs *fs, struct vmem_chunks *c, uint32_t ag, uint32_t chunk,
			   uint64_t from, uint64_t to, bool locked)
{
	uint64_t discards = __atomic_load_n(&fs->discards, __ATOMIC_ACQUIRE);
	uint64_t start = (uint64_t)ag * fs->ag_blocks + chunk * VMEM_CHUNK_BLOCKS;
	uint64_t end = VMEM_MIN(start + VMEM_CHUNK_BLOCKS, c->nr_blocks);
	int err;

	end = VMEM_MIN(end, (uint64_t)(ag + 1) * fs->ag_blocks);
	err = ask_for(fs, start, end);
	if (err == -ENOSPC) {
		__atomic_store_n(&fs->host_full, true, __ATOMIC_RELAXED);
		return ask_for(fs, from, to);
	}
	if (!err) {
		forget_refusals(fs, c);
		note_ready(fs, c, ag, chunk, locked, discards);
	}
	return err;
}

int vmem_provision_slow(struct vmem_fs *fs, uint64_t start, uint64_t nr, bool locked)
{
	struct vmem_chunks *c = chunks_of(fs);
	uint64_t end = start + nr;

	while (start < end) {
		uint32_t ag = (uint32_t)(start / fs->ag_blocks);
		uint32_t in = (uint32_t)(start % fs->ag_blocks), chunk = in / VMEM_CHUNK_BLOCKS;
		uint64_t next = (uint64_t)ag * fs->ag_blocks +
				VMEM_MIN((chunk + 1) * VMEM_CHUNK_BLOCKS, fs->ag_blocks);

		if (!(__atomic_load_n(&c->ready[ag], __ATOMIC_ACQUIRE) >> chunk & 1)) {
			int err = provision_chunk(fs, c, ag, chunk, start, VMEM_MIN(end, next), locked);

			if (err)
				return err;
		}
		start = next;
	}
	return 0;
}

uint64_t vmem_ready_chunks(const struct vmem_fs *fs, uint32_t ag)
{
	return fs->chunks ? __atomic_load_n(&fs->chunks->ready[ag], __ATOMIC_ACQUIRE) : ~0ull;
}

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
		err = ask_for(fs, run->start, run->start + run->len);
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

void vmem_note_free(struct vmem_fs *fs, uint32_t ag, uint32_t chunk)
{
	__atomic_fetch_and(&fs->chunks->refused[ag], ~(1ull << chunk), __ATOMIC_RELAXED);
}

/* The host has taken back what was in these blocks; lock held. */
static void forget_ready(struct vmem_fs *fs, struct vmem_run run)
{
	uint32_t ag = (uint32_t)(run.start / fs->ag_blocks);
	uint32_t c = (uint32_t)(run.start % fs->ag_blocks) / VMEM_CHUNK_BLOCKS;
	uint32_t last = (uint32_t)((run.start + run.len - 1) % fs->ag_blocks) / VMEM_CHUNK_BLOCKS;

	__atomic_fetch_add(&fs->discards, 1, __ATOMIC_RELEASE);
	for (; fs->chunks && c <= last && !VMEM_BROKEN(HOLE); c++)
		__atomic_fetch_and(&fs->chunks->ready[ag], ~(1ull << c), __ATOMIC_RELEASE);
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
			forget_ready(fs, runs[i]);
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
			forget_ready(fs, t->runs[i]);
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
