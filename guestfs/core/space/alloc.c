// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * alloc.c - blocks and inodes
 *
 * The medium has one bitmap per allocation group.  In memory a group has
 * `busy`: the bitmap plus blocks that are reserved (data is being stored into
 * them, no record yet) or pending (freed, but recovery could still write to
 * them).  Large requests get whole 2 MiB chunks; small ones fill chunks that
 * are broken already, so that free space stays in huge-page pieces.
 */
#include "mount.h"

#define WORD_BITS 64u

uint64_t vmem_ag_meta(const struct vmem_fs *fs, uint32_t ag)
{
	return ag ? (uint64_t)ag * fs->ag_blocks : fs->agmeta0;
}

static uint32_t ag_size(const struct vmem_fs *fs, uint32_t ag)
{
	uint64_t start = (uint64_t)ag * fs->ag_blocks;

	return (uint32_t)VMEM_MIN(fs->ag_blocks, fs->nr_blocks - start);
}

uint64_t vmem_desc_off(const struct vmem_fs *fs, uint32_t ag)
{
	return (fs->desc_start << VMEM_BLOCK_SHIFT) + (uint64_t)ag * sizeof(struct vmem_ag_desc);
}

bool vmem_block_ok(const struct vmem_fs *fs, uint64_t start, uint64_t nr)
{
	uint32_t ag;
	uint64_t meta, first;

	if (!start || start >= fs->nr_blocks || nr > fs->nr_blocks - start)
		return false;
	ag = (uint32_t)(start / fs->ag_blocks);
	if (start + nr > (uint64_t)ag * fs->ag_blocks + ag_size(fs, ag))
		return false;
	meta = vmem_ag_meta(fs, ag);
	first = meta + 2 + fs->itable_blocks;
	return start >= first && (start > fs->backup || start + nr <= fs->backup);
}

/* ---- Loading ---- */

int vmem_alloc_load(struct vmem_fs *fs)
{
	uint32_t i;

	fs->ags = vmem_alloc(fs, fs->nr_ags * sizeof(fs->ags[0]));
	if (!fs->ags)
		return -ENOMEM;
	fs->free_blocks = 0;
	fs->free_inodes = 0;
	fs->nr_dirs = 0;
	for (i = 0; i < fs->nr_ags; i++) {
		struct vmem_ag_desc *d = &fs->ags[i].desc;

		memcpy(d, vmem_meta(fs, vmem_desc_off(fs, i)), sizeof(*d));
		if (vmem_get32(d->free_blocks) > ag_size(fs, i) ||
		    vmem_get32(d->free_inodes) > fs->inodes_per_ag ||
		    vmem_get32(d->nr_dirs) > fs->inodes_per_ag ||
		    vmem_get32(d->nr_orphans) > fs->inodes_per_ag ||
		    vmem_get32(d->itable_init) > fs->itable_blocks)
			return vmem_corrupt(fs, 0, vmem_desc_off(fs, i) >> VMEM_BLOCK_SHIFT,
					    "allocation group descriptor");
		fs->free_blocks += vmem_get32(d->free_blocks);
		fs->free_inodes += vmem_get32(d->free_inodes);
		fs->nr_dirs += vmem_get32(d->nr_dirs);
	}
	return 0;
}

void vmem_alloc_unload(struct vmem_fs *fs)
{
	uint32_t i;

	for (i = 0; fs->ags && i < fs->nr_ags; i++)
		vmem_free(fs, fs->ags[i].busy, VMEM_BLOCK_SIZE);
	vmem_free(fs, fs->ags, fs->nr_ags * sizeof(fs->ags[0]));
	vmem_free(fs, fs->pending, fs->pending_max * sizeof(fs->pending[0]));
	fs->ags = NULL;
	fs->pending = NULL;
}

void vmem_alloc_extend(struct vmem_fs *fs, struct vmem_ag *ags, uint32_t nr_ags)
{
	uint32_t i;

	memcpy(ags, fs->ags, fs->nr_ags * sizeof(ags[0]));
	vmem_free(fs, fs->ags, fs->nr_ags * sizeof(ags[0]));
	fs->ags = ags;
	for (i = fs->nr_ags; i < nr_ags; i++) {
		fs->free_blocks += vmem_get32(ags[i].desc.free_blocks);
		fs->free_inodes += vmem_get32(ags[i].desc.free_inodes);
	}
	fs->nr_ags = nr_ags;
}

/* Bits [w * WORD_BITS, ...) of the bitmap, which has the byte order of the medium. */
static uint64_t busy_word(const struct vmem_ag *a, uint32_t w)
{
	return vmem_get64(a->busy[w]);
}

static int ag_load(struct vmem_fs *fs, uint32_t ag)
{
	struct vmem_ag *a = &fs->ags[ag];
	uint32_t w, nr = ag_size(fs, ag);

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

static struct best search_ag(const struct vmem_ag *a, uint64_t chunks, uint32_t goal,
			     uint64_t want)
{
	uint32_t chunk = goal / VMEM_CHUNK_BLOCKS;
	struct best whole, broken;

	/* Right behind what the file has already: one longer extent. */
	if (goal && !is_busy(a, goal)) {
		uint32_t n = in_chunks(chunks, goal, run_length(a, goal, want));

		if (n == want || (n && want < VMEM_CHUNK_BLOCKS) || n >= VMEM_CHUNK_BLOCKS)
			return (struct best){ goal, n };
	}
	if (want >= VMEM_CHUNK_BLOCKS) {
		whole = search_whole(a, chunks, chunk, want);
		return whole.len ? whole : search_broken(a, chunks, chunk, want);
	}
	broken = search_broken(a, chunks, chunk, want);
	if (broken.len == want)
		return broken;
	whole = search_whole(a, chunks, chunk, want);
	return whole.len ? whole : broken;
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
static int find_run(struct vmem_fs *fs, uint64_t goal, uint64_t want, bool ready_only,
		    struct vmem_run *run)
{
	uint32_t first = goal < fs->nr_blocks ? (uint32_t)(goal / fs->ag_blocks) : 0, i;

	run->len = 0;
	for (i = 0; i < fs->nr_ags && !run->len; i++) {
		uint32_t ag = (first + i) % fs->nr_ags;
		uint64_t chunks = ready_only ? vmem_ready_chunks(fs, ag) : ~0ull;
		struct best b;
		int err;

		if (!chunks || (!fs->ags[ag].busy && !vmem_get32(fs->ags[ag].desc.free_blocks)))
			continue;
		err = ag_load(fs, ag);
		if (err)
			return err;
		if (!fs->ags[ag].busy_free)
			continue;
		b = search_ag(&fs->ags[ag], chunks, i ? 0 : (uint32_t)(goal % fs->ag_blocks), want);
		run->start = (uint64_t)ag * fs->ag_blocks + b.bit;
		run->len = b.len;
	}
	return 0;
}

int vmem_reserve(struct vmem_fs *fs, uint64_t goal, uint64_t want, bool privileged,
		 struct vmem_run *run)
{
	uint64_t held = fs->reserved + fs->pending_blocks + (privileged ? 0 : VMEM_RESERVED_BLOCKS);
	bool may_wait = fs->pending_blocks > 0;
	int err;

	if (fs->free_blocks <= held)
		return may_wait ? -EAGAIN : -ENOSPC;
	want = VMEM_MIN(want, fs->free_blocks - held);
	want = VMEM_MIN(want, VMEM_MAX_EXT_LEN);
	err = find_run(fs, goal, want, false, run);
	if (!err && run->len) {
		err = vmem_provision(fs, run->start, run->len);
		if (err == -ENOSPC)
			err = find_run(fs, goal, want, true, run);
		if (!err && !run->len)
			err = vmem_probe_room(fs, goal, want, run);
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

/* ---- Transactions: descriptors ---- */

/* The group's descriptor, to be changed; remembered for undo and writing. */
static struct vmem_ag_desc *touch_desc(struct vmem_txn *t, uint32_t ag)
{
	struct vmem_ag_desc *d = &t->fs->ags[ag].desc;
	unsigned int i;

	for (i = 0; i < t->nr_ags; i++)
		if (t->ags[i].ag == ag)
			return d;
	if (t->nr_ags == VMEM_TXN_AGS) {
		if (!t->err)
			t->err = -EOVERFLOW;
		return NULL;
	}
	t->ags[t->nr_ags].ag = ag;
	t->ags[t->nr_ags++].old = *d;
	return d;
}

static void add32(vmem_le32 *v, int64_t delta)
{
	*v = vmem_le32_of((uint64_t)((int64_t)vmem_get32(*v) + delta));
}

void txn_write_descs(struct vmem_txn *t)
{
	unsigned int i;

	for (i = 0; i < t->nr_ags; i++)
		txn_write(t, vmem_desc_off(t->fs, t->ags[i].ag), &t->fs->ags[t->ags[i].ag].desc,
			  offsetof(struct vmem_ag_desc, reserved));
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

/* ---- Transactions: blocks ---- */

static void set_block_bits(struct vmem_txn *t, uint64_t start, uint64_t len, bool set)
{
	struct vmem_fs *fs = t->fs;
	uint32_t ag = (uint32_t)(start / fs->ag_blocks);
	struct vmem_ag_desc *d = touch_desc(t, ag);

	if (!d)
		return;
	txn_bits(t, vmem_ag_meta(fs, ag), (uint32_t)(start % fs->ag_blocks), (uint32_t)len, set);
	if (t->err)
		return;
	add32(&d->free_blocks, set ? -(int64_t)len : (int64_t)len);
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
	end = VMEM_MIN(end - ag_start, ag_size(fs, ag));
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

/* ---- Inodes ---- */

static uint64_t inode_bitmap(const struct vmem_fs *fs, uint32_t ag)
{
	return vmem_ag_meta(fs, ag) + 1;
}

bool vmem_inode_used(struct vmem_fs *fs, uint64_t ino)
{
	uint32_t ag = (uint32_t)(ino / fs->inodes_per_ag), i = (uint32_t)(ino % fs->inodes_per_ag);
	const uint8_t *map = vmem_meta(fs, inode_bitmap(fs, ag) << VMEM_BLOCK_SHIFT);

	return i / VMEM_INODES_PER_BLOCK < vmem_get32(fs->ags[ag].desc.itable_init) &&
	       (map[i >> 3] >> (i & 7) & 1);
}

/* A directory goes to the group with the most room, other inodes to their directory's. */
static uint32_t pick_ag(struct vmem_fs *fs, uint64_t near_ino, bool dir)
{
	uint32_t ag = (uint32_t)(near_ino / fs->inodes_per_ag), best = ag, i;
	uint32_t tries = VMEM_MIN(fs->nr_ags, 8u);

	if (!dir || fs->nr_ags == 1)
		return ag;
	best = fs->dir_ag % fs->nr_ags;
	for (i = 1; i < tries; i++) {
		uint32_t k = (fs->dir_ag + i) % fs->nr_ags;

		if (vmem_get32(fs->ags[k].desc.free_blocks) >
		    vmem_get32(fs->ags[best].desc.free_blocks))
			best = k;
	}
	fs->dir_ag = (best + 1) % fs->nr_ags;
	return best;
}

/* First inode of the group whose bit is clear, or inodes_per_ag. */
static uint32_t find_inode(struct vmem_fs *fs, uint32_t ag)
{
	const uint8_t *map = vmem_meta(fs, inode_bitmap(fs, ag) << VMEM_BLOCK_SHIFT);
	uint32_t i = fs->ags[ag].ihint;

	while (i < fs->inodes_per_ag) {
		if (map[i >> 3] == 0xff)
			i = (i | 7) + 1;
		else if (map[i >> 3] >> (i & 7) & 1)
			i++;
		else
			break;
	}
	return VMEM_MIN(i, fs->inodes_per_ag);
}

static void take_inode(struct vmem_txn *t, uint32_t ag, uint32_t i, bool dir)
{
	struct vmem_fs *fs = t->fs;
	struct vmem_ag_desc *d = touch_desc(t, ag);
	uint32_t block = i / VMEM_INODES_PER_BLOCK;

	if (!d)
		return;
	/* The table is initialised as far as it was ever used. */
	while (vmem_get32(d->itable_init) <= block && !t->err) {
		txn_new_block(t, vmem_ag_meta(fs, ag) + 2 + vmem_get32(d->itable_init), NULL, 0);
		add32(&d->itable_init, 1);
	}
	txn_bits(t, inode_bitmap(fs, ag), i, 1, true);
	add32(&d->free_inodes, -1);
	fs->free_inodes--;
	if (dir) {
		add32(&d->nr_dirs, 1);
		fs->nr_dirs++;
	}
	fs->ags[ag].ihint = i + 1;
}

int txn_alloc_inode(struct vmem_txn *t, uint64_t near_ino, bool dir, uint64_t *ino)
{
	struct vmem_fs *fs = t->fs;
	uint32_t first = pick_ag(fs, near_ino, dir), k;

	for (k = 0; k < fs->nr_ags; k++) {
		uint32_t ag = (first + k) % fs->nr_ags, i;

		if (!vmem_get32(fs->ags[ag].desc.free_inodes))
			continue;
		i = find_inode(fs, ag);
		if (i == fs->inodes_per_ag) {
			fs->ags[ag].ihint = 0;
			i = find_inode(fs, ag);
		}
		if (i == fs->inodes_per_ag || (!ag && i < VMEM_FIRST_INO))
			return vmem_corrupt(fs, 0, inode_bitmap(fs, ag), "inode bitmap");
		*ino = (uint64_t)ag * fs->inodes_per_ag + i;
		take_inode(t, ag, i, dir);
		return t->err;
	}
	return -ENOSPC;
}

void txn_free_inode(struct vmem_txn *t, uint64_t ino, bool dir)
{
	struct vmem_fs *fs = t->fs;
	uint32_t ag = (uint32_t)(ino / fs->inodes_per_ag), i = (uint32_t)(ino % fs->inodes_per_ag);
	struct vmem_ag_desc *d = touch_desc(t, ag);

	if (!d || t->err)
		return;
	if (vmem_get32(d->free_inodes) >= fs->inodes_per_ag || !vmem_inode_used(fs, ino)) {
		t->err = vmem_corrupt(fs, ino, inode_bitmap(fs, ag), "freeing an inode that is free");
		return;
	}
	txn_bits(t, inode_bitmap(fs, ag), i, 1, false);
	if (t->err)
		return;
	add32(&d->free_inodes, 1);
	fs->free_inodes++;
	if (dir && vmem_get32(d->nr_dirs)) {
		add32(&d->nr_dirs, -1);
		fs->nr_dirs--;
	}
	fs->ags[ag].ihint = VMEM_MIN(fs->ags[ag].ihint, i);
}

void txn_set_orphan(struct vmem_txn *t, uint64_t ino, bool set)
{
	struct vmem_fs *fs = t->fs;
	uint32_t ag = (uint32_t)(ino / fs->inodes_per_ag), i = (uint32_t)(ino % fs->inodes_per_ag);
	const uint8_t *map = vmem_meta(fs, (inode_bitmap(fs, ag) << VMEM_BLOCK_SHIFT) +
				       VMEM_ORPHAN_BITMAP_OFF);
	struct vmem_ag_desc *d;

	if ((map[i >> 3] >> (i & 7) & 1) == set)
		return;
	d = touch_desc(t, ag);
	if (!d || t->err)
		return;
	if (!set && !vmem_get32(d->nr_orphans)) {
		t->err = vmem_corrupt(fs, ino, inode_bitmap(fs, ag), "number of orphans");
		return;
	}
	txn_bits(t, inode_bitmap(fs, ag), VMEM_ORPHAN_BITMAP_OFF * 8 + i, 1, set);
	if (!t->err)
		add32(&d->nr_orphans, set ? 1 : -1);
}

bool vmem_is_orphan(struct vmem_fs *fs, uint64_t ino)
{
	uint32_t ag = (uint32_t)(ino / fs->inodes_per_ag), i = (uint32_t)(ino % fs->inodes_per_ag);
	const uint8_t *map;

	if (!vmem_orphans_in(fs, ag))
		return false;
	map = vmem_meta(fs, (inode_bitmap(fs, ag) << VMEM_BLOCK_SHIFT) + VMEM_ORPHAN_BITMAP_OFF);
	return map[i >> 3] >> (i & 7) & 1;
}
