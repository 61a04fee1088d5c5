// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * blocks.c - which blocks are free, and which of them a request gets
 *
 * The medium has one bitmap per allocation group.  In memory a group has
 * `busy`: the bitmap plus blocks that are reserved (data is being stored into
 * them, no record yet) or pending (freed, but recovery could still write to
 * them).
 *
 * Free space is to stay in huge-page pieces, also in a file system that has been used
 * for long.  So large requests get whole 2 MiB chunks, of whichever group, and small ones
 * fill chunks that are broken already: also the rest of a large one, which would
 * otherwise break a chunk for each file.  2 MiB pieces of a file lie in chunks, if it was
 * written by large requests, or when it has become large by small ones.
 */
#include "space/space_internal.h"

#define WORD_BITS 64u
#define LARGE_FILE	(4 * VMEM_CHUNK_BLOCKS)	/* the next piece of it is worth a whole chunk */

/* Bits [w * WORD_BITS, ...) of the bitmap, which has the byte order of the medium. */
static uint64_t busy_word(const struct vmem_ag *a, uint32_t w)
{
	return vmem_get64(a->busy[w]);
}

static int ag_load(struct vmem_fs *fs, uint32_t ag)
{
	struct vmem_ag *a = &fs->ags[ag];
	uint32_t w, nr = vmem_ag_size(fs, ag);

	if (a->busy)
		return 0;
	a->busy = vmem_alloc(fs, VMEM_BLOCK_SIZE);
	if (!a->busy)
		return -ENOMEM;
	memcpy(a->busy, vmem_meta(fs, vmem_ag_meta(fs, ag) << VMEM_BLOCK_SHIFT), VMEM_BLOCK_SIZE);
	/* Whatever the medium says: nothing beyond the group, no metadata. */
	vmem_bits_apply((uint8_t *)a->busy, nr, VMEM_MAX_AG_BLOCKS - nr, true);
	vmem_bits_apply((uint8_t *)a->busy, 0, (uint32_t)(vmem_ag_meta(fs, ag) + 2 +
			fs->itable_blocks - (uint64_t)ag * fs->ag_blocks), true);
	if (fs->backup / fs->ag_blocks == ag)
		vmem_bits_apply((uint8_t *)a->busy, (uint32_t)(fs->backup % fs->ag_blocks), 1, true);
	a->busy_free = 0;
	memset(a->chunk_free, 0, sizeof(a->chunk_free));
	for (w = 0; w < VMEM_MAX_AG_BLOCKS / WORD_BITS; w++) {
		uint32_t n = WORD_BITS - vmem_popcount64(busy_word(a, w));

		a->chunk_free[w * WORD_BITS / VMEM_CHUNK_BLOCKS] =
			(uint16_t)(a->chunk_free[w * WORD_BITS / VMEM_CHUNK_BLOCKS] + n);
		a->busy_free += n;
	}
	/* Counters that follow the bitmap from here on must start from it. */
	if (a->busy_free != vmem_get32(a->desc.free_blocks)) {
		vmem_free(fs, a->busy, VMEM_BLOCK_SIZE);
		a->busy = NULL;
		return vmem_corrupt(fs, 0, vmem_ag_meta(fs, ag), "block bitmap");
	}
	return 0;
}

/* ---- Searching ---- */

static bool is_busy(const struct vmem_ag *a, uint32_t bit)
{
	return busy_word(a, bit / WORD_BITS) >> (bit % WORD_BITS) & 1;
}

/* First free bit in [bit, end), or end. */
static uint32_t next_free(const struct vmem_ag *a, uint32_t bit, uint32_t end)
{
	while (bit < end) {
		uint64_t w = ~busy_word(a, bit / WORD_BITS) >> (bit % WORD_BITS);

		if (w)
			return VMEM_MIN(bit + (uint32_t)__builtin_ctzll(w), end);
		bit = (bit / WORD_BITS + 1) * WORD_BITS;
	}
	return end;
}

/* Length of the free run at bit, at most want. */
static uint32_t run_length(const struct vmem_ag *a, uint32_t bit, uint64_t want)
{
	uint32_t n = 0, max = (uint32_t)VMEM_MIN(want, VMEM_MAX_AG_BLOCKS - bit);

	while (n < max) {
		uint32_t at = bit + n;
		uint64_t w = busy_word(a, at / WORD_BITS) >> (at % WORD_BITS);
		uint32_t left = WORD_BITS - at % WORD_BITS;
		uint32_t clear = w ? (uint32_t)__builtin_ctzll(w) : left;

		n += VMEM_MIN(clear, left);
		if (clear < left)
			break;
	}
	return VMEM_MIN(n, max);
}

struct best {
	uint32_t bit, len;
};

static void offer(struct best *b, uint32_t bit, uint32_t len)
{
	if (len > b->len) {
		b->bit = bit;
		b->len = len;
	}
}

/* How much of the run at bit lies in the chunks. */
static uint32_t in_chunks(uint64_t chunks, uint32_t bit, uint32_t len)
{
	uint32_t end = bit + len, at = bit;

	if (chunks == ~0ull)
		return len;
	while (at < end && (chunks >> (at / VMEM_CHUNK_BLOCKS) & 1))
		at = (at / VMEM_CHUNK_BLOCKS + 1) * VMEM_CHUNK_BLOCKS;
	return VMEM_MIN(at, end) - bit;
}

/* The best run for a small request among the broken chunks. */
static struct best search_broken(const struct vmem_ag *a, uint64_t chunks, uint32_t from_chunk,
				 uint64_t want)
{
	struct best b = { 0, 0 };
	uint32_t i;

	for (i = 0; i < VMEM_CHUNKS && b.len < want; i++) {
		uint32_t c = (from_chunk + i) % VMEM_CHUNKS;
		uint32_t bit = c * VMEM_CHUNK_BLOCKS, end = bit + VMEM_CHUNK_BLOCKS;

		if (!a->chunk_free[c] || a->chunk_free[c] == VMEM_CHUNK_BLOCKS ||
		    !(chunks >> c & 1))
			continue;
		while (b.len < want && (bit = next_free(a, bit, end)) < end) {
			uint32_t n = run_length(a, bit, want);

			offer(&b, bit, in_chunks(chunks, bit, n));
			bit += n;
		}
	}
	return b;
}

static struct best search_whole(const struct vmem_ag *a, uint64_t chunks, uint32_t from_chunk,
				uint64_t want)
{
	struct best b = { 0, 0 };
	uint32_t i;

	for (i = 0; i < VMEM_CHUNKS && b.len < want; i++) {
		uint32_t c = (from_chunk + i) % VMEM_CHUNKS;

		if (a->chunk_free[c] == VMEM_CHUNK_BLOCKS)
			offer(&b, c * VMEM_CHUNK_BLOCKS,
			      in_chunks(chunks, c * VMEM_CHUNK_BLOCKS,
					run_length(a, c * VMEM_CHUNK_BLOCKS, want)));
	}
	return b;
}

struct request {
	uint64_t goal, want;
	uint32_t in;		/* data of a file: the first is that block of a 2 MiB piece of it */
	bool whole;		/* it begins such a piece: in a whole chunk, if there is one */
};

/* A run that is too short ends where a chunk does, so that what follows begins one. */
static struct best cut_short(struct best b, uint64_t want)
{
	uint32_t in_last = (b.bit + b.len) % VMEM_CHUNK_BLOCKS;

	if (b.len < want && b.len > in_last)
		b.len -= in_last;
	return b;
}

/*
 * Right behind what the file has already: one longer extent.  Then from a whole chunk on,
 * if it is for much, or begins a piece; with `fragments`, as many as there are somewhere.
 */
static struct best search_large(const struct vmem_ag *a, uint64_t chunks, uint32_t goal,
				const struct request *rq, bool fragments)
{
	struct best b = { goal, 0 };

	if (goal && !is_busy(a, goal) && (fragments || !rq->whole))
		b.len = in_chunks(chunks, goal, run_length(a, goal, rq->want));
	if (b.len == rq->want || b.len >= (fragments ? 1 : VMEM_CHUNK_BLOCKS))
		return cut_short(b, rq->want);
	if (fragments)
		return search_broken(a, chunks, goal / VMEM_CHUNK_BLOCKS, rq->want);
	return cut_short(search_whole(a, chunks, goal / VMEM_CHUNK_BLOCKS, rq->want), rq->want);
}

static struct best search_small(const struct vmem_ag *a, uint64_t chunks, uint32_t goal, uint64_t want)
{
	uint32_t chunk = goal / VMEM_CHUNK_BLOCKS;
	struct best whole, broken;

	/* Not the first of a whole one. */
	if (goal && !is_busy(a, goal) && a->chunk_free[chunk] < VMEM_CHUNK_BLOCKS) {
		uint32_t n = in_chunks(chunks, goal, run_length(a, goal, want));

		if (n)
			return (struct best){ goal, n };
	}
	broken = search_broken(a, chunks, chunk, want);
	if (broken.len == want)
		return broken;
	whole = search_whole(a, chunks, chunk, want);
	return whole.len ? whole : broken;
}

static bool is_large(const struct request *rq)
{
	return rq->whole || rq->want >= VMEM_CHUNK_BLOCKS;
}

static struct best search_ag(const struct vmem_ag *a, uint64_t chunks, uint32_t goal,
			     const struct request *rq, bool fragments)
{
	struct request up_to = *rq;

	/* Up to the next piece of the file, which is to begin a chunk. */
	if (rq->in && (!goal || is_busy(a, goal)))
		up_to.want = VMEM_MIN(rq->want, VMEM_CHUNK_BLOCKS - rq->in);
	if (is_large(&up_to))
		return search_large(a, chunks, goal, &up_to, fragments);
	return search_small(a, chunks, goal, up_to.want);
}

static void mark(struct vmem_fs *fs, uint64_t start, uint64_t len, bool busy)
{
	uint32_t ag = (uint32_t)(start / fs->ag_blocks), bit = (uint32_t)(start % fs->ag_blocks);
	struct vmem_ag *a = &fs->ags[ag];
	uint32_t i = bit, end = bit + (uint32_t)len;

	if (!a->busy)
		return;		/* loading it later reads the bitmap, which has it right */
	vmem_bits_apply((uint8_t *)a->busy, bit, (uint32_t)len, busy);
	while (i < end) {
		uint32_t c = i / VMEM_CHUNK_BLOCKS;
		uint32_t n = VMEM_MIN(end, (c + 1) * VMEM_CHUNK_BLOCKS) - i;

		a->chunk_free[c] = (uint16_t)(busy ? a->chunk_free[c] - n : a->chunk_free[c] + n);
		if (!busy && fs->chunks)
			vmem_note_free(fs, ag, c);
		i += n;
	}
	a->busy_free = busy ? a->busy_free - (uint32_t)len : a->busy_free + (uint32_t)len;
}

/* Look in every group; ready_only: in chunks that the host has room for.  len 0: nothing. */
static int look_for(struct vmem_fs *fs, const struct request *rq, bool ready_only, bool fragments,
		    struct vmem_run *run)
{
	uint64_t goal = rq->goal;
	uint32_t least = fragments ? 1 : VMEM_CHUNK_BLOCKS;
	uint32_t first = goal < fs->nr_blocks ? (uint32_t)(goal / fs->ag_blocks) : 0, i;

	run->len = 0;
	for (i = 0; i < fs->nr_ags && !run->len; i++) {
		uint32_t ag = (first + i) % fs->nr_ags;
		uint64_t chunks = ready_only ? vmem_ready_chunks(fs, ag) : ~0ull;
		struct best b;
		int err;

		if (!chunks || (!fs->ags[ag].busy && vmem_get32(fs->ags[ag].desc.free_blocks) < least))
			continue;
		err = ag_load(fs, ag);
		if (err)
			return err;
		if (fs->ags[ag].busy_free < least)
			continue;
		b = search_ag(&fs->ags[ag], chunks, i ? 0 : (uint32_t)(goal % fs->ag_blocks), rq, fragments);
		run->start = (uint64_t)ag * fs->ag_blocks + b.bit;
		run->len = b.len;
	}
	return 0;
}

/* A large one gets fragments only if no group has a whole chunk. */
static int find_run(struct vmem_fs *fs, const struct request *rq, bool ready_only, struct vmem_run *run)
{
	int err = look_for(fs, rq, ready_only, !is_large(rq), run);

	return err || run->len || !is_large(rq) ? err : look_for(fs, rq, ready_only, true, run);
}

/* ---- Reserving ---- */

static int reserve(struct vmem_fs *fs, struct request *rq, bool privileged, struct vmem_run *run)
{
	uint64_t held = fs->reserved + fs->pending_blocks + (privileged ? 0 : VMEM_RESERVED_BLOCKS);
	bool may_wait = fs->pending_blocks > 0;
	int err;

	if (fs->free_blocks <= held)
		return may_wait ? -EAGAIN : -ENOSPC;
	rq->want = VMEM_MIN(rq->want, fs->free_blocks - held);
	rq->want = VMEM_MIN(rq->want, VMEM_MAX_EXT_LEN);
	err = find_run(fs, rq, false, run);
	if (!err && run->len) {
		err = vmem_provision(fs, run->start, run->len);
		if (err == -ENOSPC)
			err = find_run(fs, rq, true, run);
		if (!err && !run->len)
			err = vmem_probe_room(fs, rq->goal, rq->want, run);
		if (err == -ENOSPC && may_wait)
			err = -EAGAIN;
	}
	if (err)
		return err;
	if (!run->len)
		return may_wait ? -EAGAIN : -ENOSPC;
	mark(fs, run->start, run->len, true);
	fs->reserved += run->len;
	return 0;
}

int vmem_reserve(struct vmem_fs *fs, uint64_t goal, uint64_t want, bool privileged,
		 struct vmem_run *run)
{
	struct request rq = { .goal = goal, .want = want };

	return reserve(fs, &rq, privileged, run);
}

int vmem_reserve_data(struct vmem_fs *fs, uint64_t ino, const struct vmem_map *hole, uint64_t want,
		      struct vmem_run *run)
{
	struct request rq = { .goal = hole->next_to, .want = want };

	rq.in = (uint32_t)(hole->lblk % VMEM_CHUNK_BLOCKS);
	if (rq.in && hole->next_to % VMEM_CHUNK_BLOCKS != rq.in)
		rq.want = VMEM_MIN(want, VMEM_CHUNK_BLOCKS - rq.in);
	rq.whole = !rq.in && (want >= VMEM_CHUNK_BLOCKS || (hole->next_to && hole->lblk >= LARGE_FILE));
	/* What is less than a piece is asked for by itself: it fills a broken chunk. */
	if (rq.whole && want > VMEM_CHUNK_BLOCKS)
		rq.want -= want % VMEM_CHUNK_BLOCKS;
	if (!rq.goal)
		rq.goal = vmem_inode_off(fs, ino) >> VMEM_BLOCK_SHIFT;
	return reserve(fs, &rq, false, run);
}

/* A run of exactly want blocks: from a whole chunk on, or wherever there is one. */
static struct best search_exact(const struct vmem_ag *a, uint32_t goal, uint64_t want)
{
	struct best b = { goal, 0 };
	uint32_t bit = 0;

	if (goal && !is_busy(a, goal))
		b.len = run_length(a, goal, want);
	if (b.len < want && want >= VMEM_CHUNK_BLOCKS)
		b = search_whole(a, ~0ull, goal / VMEM_CHUNK_BLOCKS, want);
	while (b.len < want && (bit = next_free(a, bit, VMEM_MAX_AG_BLOCKS)) < VMEM_MAX_AG_BLOCKS) {
		b.bit = bit;
		b.len = run_length(a, bit, want);
		bit += b.len;
	}
	return b;
}

int vmem_reserve_run(struct vmem_fs *fs, uint64_t goal, uint64_t want, struct vmem_run *run)
{
	uint64_t held = fs->reserved + fs->pending_blocks + VMEM_RESERVED_BLOCKS;
	uint32_t first = goal < fs->nr_blocks ? (uint32_t)(goal / fs->ag_blocks) : 0, i;
	int none = fs->pending_blocks ? -EAGAIN : -ENOSPC;

	if (fs->free_blocks < held || fs->free_blocks - held < want)
		return none;
	for (i = 0; i < fs->nr_ags; i++) {
		uint32_t ag = (first + i) % fs->nr_ags;
		struct best b;
		int err = ag_load(fs, ag);

		if (err)
			return err;
		if (fs->ags[ag].busy_free < want)
			continue;
		b = search_exact(&fs->ags[ag], i ? 0 : (uint32_t)(goal % fs->ag_blocks), want);
		if (b.len < want)
			continue;
		run->start = (uint64_t)ag * fs->ag_blocks + b.bit;
		run->len = want;
		err = vmem_provision(fs, run->start, want);
		if (err)
			return err;
		mark(fs, run->start, run->len, true);
		fs->reserved += run->len;
		return 0;
	}
	return none;
}

void vmem_unreserve(struct vmem_fs *fs, struct vmem_run run)
{
	if (!run.len)
		return;
	mark(fs, run.start, run.len, false);
	fs->reserved -= run.len;
}

/* ---- Transactions ---- */

static void set_block_bits(struct vmem_txn *t, uint64_t start, uint64_t len, bool set)
{
	struct vmem_fs *fs = t->fs;
	uint32_t ag = (uint32_t)(start / fs->ag_blocks);
	struct vmem_ag_desc *d = vmem_touch_desc(t, ag);

	if (!d)
		return;
	txn_bits(t, vmem_ag_meta(fs, ag), (uint32_t)(start % fs->ag_blocks), (uint32_t)len, set);
	if (t->err)
		return;
	vmem_add32(&d->free_blocks, set ? -(int64_t)len : (int64_t)len);
	fs->free_blocks = set ? fs->free_blocks - len : fs->free_blocks + len;
}

void txn_take(struct vmem_txn *t, struct vmem_run run, bool outside)
{
	if (t->nr_allocs == VMEM_TXN_RUNS) {
		if (!t->err)
			t->err = -EOVERFLOW;
		if (!outside)
			vmem_unreserve(t->fs, run);
		return;
	}
	t->allocs[t->nr_allocs].run = run;
	t->allocs[t->nr_allocs++].outside = outside;
	t->fs->reserved -= run.len;
	set_block_bits(t, run.start, run.len, true);
}

int txn_alloc_block(struct vmem_txn *t, uint64_t goal, uint64_t *block)
{
	struct vmem_run run;
	int err = vmem_reserve(t->fs, goal, 1, t->privileged, &run);

	if (err)
		return err;
	txn_take(t, run, false);
	*block = run.start;
	return t->err;
}

static bool bits_all_set(const uint8_t *map, uint32_t first, uint64_t nr)
{
	uint64_t i = first, end = first + nr;

	while (i < end) {
		uint32_t bit = i & 7;
		uint64_t n = VMEM_MIN(8 - bit, end - i);
		uint32_t mask = ((1u << n) - 1) << bit;

		if ((map[i >> 3] & mask) != mask)
			return false;
		i += n;
	}
	return true;
}

static bool grow_pending(struct vmem_fs *fs)
{
	size_t max = fs->pending_max ? 2 * fs->pending_max : VMEM_TXN_RUNS;
	struct vmem_pending *p = vmem_alloc(fs, max * sizeof(*p));

	if (!p)
		return false;
	if (fs->pending_nr)
		memcpy(p, fs->pending + fs->pending_first, fs->pending_nr * sizeof(*p));
	vmem_free(fs, fs->pending, fs->pending_max * sizeof(*p));
	fs->pending = p;
	fs->pending_first = 0;
	fs->pending_max = max;
	return true;
}

/* Room for the frees of the running transaction and one more: no commit can fail for want of it. */
static bool pending_room(struct vmem_txn *t)
{
	struct vmem_fs *fs = t->fs;

	if (!fs->pending_nr)
		fs->pending_first = 0;
	if (fs->pending_first + fs->pending_nr + t->nr_frees < fs->pending_max)
		return true;
	/* The front is free: mostly empty, it need not grow. */
	if (2 * (fs->pending_nr + t->nr_frees) < fs->pending_max) {
		memmove(fs->pending, fs->pending + fs->pending_first,
			fs->pending_nr * sizeof(fs->pending[0]));
		fs->pending_first = 0;
		return true;
	}
	return grow_pending(fs);
}

/* The caller has checked the range with vmem_block_ok(). */
void txn_free(struct vmem_txn *t, uint64_t start, uint64_t len)
{
	struct vmem_fs *fs = t->fs;
	uint32_t ag = (uint32_t)(start / fs->ag_blocks);

	if (t->err)
		return;
	if (!bits_all_set(vmem_meta(fs, vmem_ag_meta(fs, ag) << VMEM_BLOCK_SHIFT),
			  (uint32_t)(start % fs->ag_blocks), len)) {
		t->err = vmem_corrupt(fs, 0, start, "freeing a block that is free");
		return;
	}
	if (t->nr_frees == VMEM_TXN_RUNS) {
		t->err = -EOVERFLOW;
		return;
	}
	/* busy must still have them when the bitmap no longer does. */
	t->err = pending_room(t) ? ag_load(fs, ag) : -ENOMEM;
	if (t->err)
		return;
	t->frees[t->nr_frees].start = start;
	t->frees[t->nr_frees++].len = len;
	set_block_bits(t, start, len, false);
}

void vmem_txn_undo_alloc(struct vmem_txn *t)
{
	struct vmem_fs *fs = t->fs;
	unsigned int i;

	for (i = 0; i < t->nr_ags; i++) {
		struct vmem_ag_desc *d = &fs->ags[t->ags[i].ag].desc, *old = &t->ags[i].old;

		fs->free_blocks += vmem_get32(old->free_blocks) - (uint64_t)vmem_get32(d->free_blocks);
		fs->free_inodes += vmem_get32(old->free_inodes) - (uint64_t)vmem_get32(d->free_inodes);
		fs->nr_dirs += vmem_get32(old->nr_dirs) - (uint64_t)vmem_get32(d->nr_dirs);
		*d = *old;
	}
	for (i = 0; i < t->nr_allocs; i++) {
		struct vmem_run *run = &t->allocs[i].run;

		if (t->allocs[i].outside) {
			fs->reserved += run->len;
		} else {
			/* It may hold file data next: its page must not go home. */
			vmem_overlay_clean(fs, run->start);
			mark(fs, run->start, run->len, false);
		}
	}
}

/* ---- Freed blocks wait until recovery cannot touch them ---- */

void vmem_txn_pend_frees(struct vmem_txn *t, uint64_t lsn)
{
	struct vmem_fs *fs = t->fs;
	unsigned int i;

	for (i = 0; i < t->nr_frees; i++) {
		fs->pending[fs->pending_first + fs->pending_nr].lsn = lsn;
		fs->pending[fs->pending_first + fs->pending_nr++].run = t->frees[i];
		fs->pending_blocks += t->frees[i].len;
	}
	if (fs->discard && fs->pending_blocks > VMEM_DISCARD_BLOCKS)
		vmem_ask_for_checkpoint(fs);
}

void vmem_take_pending(struct vmem_fs *fs, struct vmem_run *runs, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		runs[i] = fs->pending[fs->pending_first + i].run;
	fs->pending_first += nr;
	fs->pending_nr -= nr;
}

void vmem_release_pending(struct vmem_fs *fs)
{
	struct vmem_run run;

	/* Those are for the next checkpoint. */
	if (VMEM_PEEK(fs->discard))
		return;
	while (fs->pending_nr && (VMEM_BROKEN(REUSE_EARLY) ||
				  fs->pending[fs->pending_first].lsn <= fs->floor)) {
		vmem_take_pending(fs, &run, 1);
		vmem_hold_free(fs, run, false);
	}
}

/* ---- Free space, for trimming ---- */

int vmem_next_free(struct vmem_fs *fs, uint64_t start, uint64_t end, struct vmem_run *run)
{
	uint32_t ag = (uint32_t)(start / fs->ag_blocks);
	uint64_t ag_start = (uint64_t)ag * fs->ag_blocks;
	uint32_t bit = (uint32_t)(start - ag_start);
	int err = ag_load(fs, ag);

	if (err)
		return err;
	end = VMEM_MIN(end - ag_start, vmem_ag_size(fs, ag));
	bit = next_free(&fs->ags[ag], bit, (uint32_t)end);
	run->start = ag_start + bit;
	run->len = bit < end ? run_length(&fs->ags[ag], bit, end - bit) : 0;
	return 0;
}

void vmem_hold_free(struct vmem_fs *fs, struct vmem_run run, bool hold)
{
	mark(fs, run.start, run.len, hold);
	fs->pending_blocks = hold ? fs->pending_blocks + run.len : fs->pending_blocks - run.len;
}
