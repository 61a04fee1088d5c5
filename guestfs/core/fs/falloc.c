// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * falloc.c - fallocate(2): blocks in advance, holes and zeros, pieces cut out and put in
 *
 * What is to read as zeros is freed, or called unwritten: no byte of it changes in place.
 * A block of which a part is to be zero is replaced by a copy, as a truncate does.
 * One record does it all where it fits.  A longer hole is made by calling the blocks
 * unwritten first, which takes 40 bytes of a record for an extent; that they are freed by
 * records that follow shows in their number only.
 */
#include "fs/fs.h"

/* ---- Blocks in advance ---- */

#define MAX_GIVEN 16u

struct prealloc {
	struct vmem_inode *vi;
	uint64_t pos, end;		/* blocks of the file */
	struct vmem_map map;		/* what the record being made allocated */
	struct { uint64_t lblk, nr; } given[MAX_GIVEN];	/* by this call, as far as there is room */
	unsigned int nr_given;
};

/* Is there room for all holes of the range?  What waits to be free counts after a checkpoint. */
static int do_look_for_room(struct vmem_txn *t, void *arg)
{
	const struct prealloc *p = arg;
	struct vmem_fs *fs = t->fs;
	uint64_t pos = p->pos, need = 0, held = fs->reserved + VMEM_RESERVED_BLOCKS;

	while (pos < p->end) {
		struct vmem_map map;
		int err = vmem_ext_lookup(fs, &p->vi->raw, p->vi->ino, pos, &map);

		if (err)
			return err;
		map.nr = VMEM_MIN(map.nr, p->end - pos);
		need += map.kind == VMEM_HOLE ? map.nr : 0;
		pos += map.nr;
	}
	if (!need || fs->free_blocks >= held + fs->pending_blocks + need)
		return 0;
	return fs->free_blocks >= held + need ? -EAGAIN : -ENOSPC;
}

/* Blocks for the hole at p->pos, or for a part of it. */
static int do_give(struct vmem_txn *t, void *arg)
{
	struct prealloc *p = arg;
	struct vmem_dinode *n = txn_inode(t, p->vi);
	uint64_t ino = p->vi->ino;
	struct vmem_run run;
	int err = vmem_ext_lookup(t->fs, n, ino, p->pos, &p->map);

	p->map.nr = VMEM_MIN(p->map.nr, p->end - p->pos);
	if (err || (p->map.kind != VMEM_HOLE && !VMEM_BROKEN(GIVE_BLIND)))
		return err;
	err = vmem_reserve_data(t->fs, ino, &p->map, p->map.nr, &run);
	if (err)
		return err;
	txn_take(t, run, false);
	p->map.nr = run.len;
	vmem_inode_touch_raw(t->fs, n, true);
	return txn_ext_insert(t, n, ino, p->pos, run.start, run.len, VMEM_UNWRITTEN);
}

static void note_given(struct prealloc *p)
{
	unsigned int last = p->nr_given - 1;

	if (p->nr_given && p->given[last].lblk + p->given[last].nr == p->pos) {
		p->given[last].nr += p->map.nr;
	} else if (p->nr_given < MAX_GIVEN) {
		p->given[p->nr_given].lblk = p->pos;
		p->given[p->nr_given++].nr = p->map.nr;
	}
}

/* ---- Hiding, and freeing what is hidden ---- */

struct range {
	struct vmem_inode *vi;
	uint64_t from, to;		/* bytes of the file that become zeros */
	uint64_t pos, end;		/* of these, whole blocks that are still to be done */
	uint64_t reached;		/* by the record that is being made */
	bool first;			/* it is the first: the block at the head is its, too */
	struct vmem_run gap;
	uint64_t size;			/* the last record sets it; 0: it stays */
};

static void range_init(struct range *r, struct vmem_inode *vi, uint64_t from, uint64_t to)
{
	memset(r, 0, sizeof(*r));
	r->vi = vi;
	r->from = from;
	r->to = to;
	r->pos = vmem_blocks_for(from);
	r->end = VMEM_MAX(to >> VMEM_BLOCK_SHIFT, r->pos);
	r->first = true;
}

/* Bytes [lo, hi) of a block of data become zeros: in a copy, for the record may be lost. */
static int clear_part(struct vmem_txn *t, struct vmem_inode *vi, struct vmem_dinode *n, uint64_t lo,
		      uint64_t hi)
{
	uint64_t from = lo & VMEM_BLOCK_MASK, to = from + (hi - lo), block, off;
	struct vmem_store *store = t->fs->store;
	struct vmem_map map;
	int err = vmem_ext_lookup(t->fs, n, vi->ino, lo >> VMEM_BLOCK_SHIFT, &map);

	if (err || map.kind != VMEM_DATA)
		return err;
	if (VMEM_BROKEN(PART_IN_PLACE)) {
		vmem_put_zero(store, (map.pblk << VMEM_BLOCK_SHIFT) + from, (size_t)(to - from));
		return 0;
	}
	err = txn_alloc_block(t, map.pblk, &block);
	if (err)
		return err;
	off = block << VMEM_BLOCK_SHIFT;
	vmem_put(store, off, vmem_map_addr(store, &map), VMEM_BLOCK_SIZE);
	vmem_put_zero(store, off + from, (size_t)(to - from));
	txn_link(t, off, VMEM_BLOCK_SIZE);
	map.nr = 1;
	return txn_ext_replace(t, n, vi->ino, &map, block);
}

/* The parts of blocks at both ends of the range, if the record that is being made is theirs. */
static int clear_parts(struct vmem_txn *t, const struct range *r, struct vmem_dinode *n, bool last)
{
	uint64_t head = VMEM_MIN(r->to, vmem_align_up(r->from, VMEM_BLOCK_SIZE));
	uint64_t tail = VMEM_MAX(head, r->to & ~(uint64_t)VMEM_BLOCK_MASK);
	int err = 0;

	if (r->first && head > r->from)
		err = clear_part(t, r->vi, n, r->from, head);
	if (!err && last && r->to > tail)
		err = clear_part(t, r->vi, n, tail, r->to);
	return err;
}

/* Data of the range becomes unwritten, as much as fits the record. */
static int do_hide(struct vmem_txn *t, void *arg)
{
	struct range *r = arg;
	struct vmem_dinode *n = txn_inode(t, r->vi);
	uint64_t pos;
	int err = 0;

	t->privileged = true;
	for (pos = r->pos; pos < r->end && !err && !txn_full(t); ) {
		struct vmem_map map;

		err = vmem_ext_lookup(t->fs, n, r->vi->ino, pos, &map);
		map.nr = VMEM_MIN(map.nr, r->end - pos);
		pos += map.nr;
		if (!err && map.kind == VMEM_DATA)
			err = txn_ext_set_kind(t, n, r->vi->ino, &map, VMEM_UNWRITTEN);
	}
	r->reached = pos;
	if (!err)
		err = clear_parts(t, r, n, pos == r->end);
	if (!err && pos == r->end && r->size)
		n->size = vmem_le64_of(r->size);
	txn_link(t, r->gap.start, r->gap.len);
	vmem_inode_touch_raw(t->fs, n, true);
	return err;
}

static int hide(struct range *r)
{
	int err;

	do {
		err = vmem_run(r->vi->fs, do_hide, r);
		if (err)
			return err;
		__atomic_store_n(&r->vi->zeroed_lsn, __atomic_load_n(&r->vi->lsn, __ATOMIC_RELAXED),
				 __ATOMIC_RELAXED);
		r->pos = r->reached;
		r->first = false;
		r->gap.len = 0;
	} while (r->pos < r->end);
	return 0;
}

/* Unwritten blocks of the range are freed, as many as fit the record. */
static int do_free_hidden(struct vmem_txn *t, void *arg)
{
	struct range *r = arg;
	struct vmem_dinode *n = txn_inode(t, r->vi);
	uint64_t pos;
	int err = 0;

	t->privileged = true;
	for (pos = r->pos; pos < r->end && !err && !txn_full(t); ) {
		struct vmem_map map;

		err = vmem_ext_lookup(t->fs, n, r->vi->ino, pos, &map);
		map.nr = VMEM_MIN(map.nr, r->end - pos);
		pos += map.nr;
		if (!err && map.kind == VMEM_UNWRITTEN)
			err = txn_ext_remove(t, n, r->vi->ino, &map);
	}
	r->reached = pos;
	return err;
}

static int free_hidden(struct vmem_inode *vi, uint64_t pos, uint64_t end)
{
	struct range r = { .vi = vi, .pos = pos, .end = end };
	int err = 0;

	while (!err && r.pos < r.end) {
		err = vmem_run(vi->fs, do_free_hidden, &r);
		r.pos = r.reached;
	}
	return err;
}

/* ---- The four kinds of call ---- */

static int do_touch(struct vmem_txn *t, void *arg)
{
	vmem_inode_touch_raw(t->fs, txn_inode(t, arg), true);
	return t->err;
}

/* All holes get unwritten blocks; after -ENOSPC it is as it was. */
static int give_blocks(struct vmem_inode *vi, uint64_t off, uint64_t len)
{
	struct prealloc p = { .vi = vi, .pos = off >> VMEM_BLOCK_SHIFT, .end = vmem_blocks_for(off + len) };
	int err = vmem_enable(vi->fs, VMEM_INCOMPAT_UNWRITTEN);
	unsigned int i;

	if (!err)
		err = vmem_run(vi->fs, do_look_for_room, &p);
	for (; !err && p.pos < p.end; p.pos += p.map.nr) {
		err = vmem_map(vi, p.pos, p.end - p.pos, &p.map);
		if (err || p.map.kind != VMEM_HOLE)
			continue;
		err = vmem_run(vi->fs, do_give, &p);
		if (!err && p.map.kind == VMEM_HOLE)
			note_given(&p);
	}
	/* Times move also where there were blocks everywhere. */
	if (!err && !p.nr_given)
		err = vmem_run(vi->fs, do_touch, vi);
	for (i = 0; err && i < p.nr_given; i++)
		(void)free_hidden(vi, p.given[i].lblk, p.given[i].lblk + p.given[i].nr);
	return err;
}

static int preallocate(struct vmem_inode *vi, uint64_t off, uint64_t len, bool keep_size)
{
	int err = give_blocks(vi, off, len);

	return err || keep_size || off + len <= vmem_size(vi) ? err : vmem_truncate(vi, off + len);
}

static int zero(struct vmem_inode *vi, uint64_t off, uint64_t len, bool keep_size)
{
	struct range r;
	int err = give_blocks(vi, off, len);

	range_init(&r, vi, off, off + len);
	if (!err && !keep_size && off + len > vmem_size(vi)) {
		r.size = off + len;
		err = vmem_zero_gap(vi, r.size, &r.gap);
	}
	if (!err)
		err = hide(&r);
	if (err)
		vmem_keep_gap(vi, &r.gap);
	return err;
}

/* By one record; -EOVERFLOW: it does not fit. */
static int do_punch(struct vmem_txn *t, void *arg)
{
	const struct range *r = arg;
	struct vmem_dinode *n = txn_inode(t, r->vi);
	uint64_t pos;
	int err = 0;

	t->privileged = true;
	for (pos = r->pos; pos < r->end && !err; ) {
		struct vmem_map map;

		err = vmem_ext_lookup(t->fs, n, r->vi->ino, pos, &map);
		map.nr = VMEM_MIN(map.nr, r->end - pos);
		pos += map.nr;
		if (!err && map.kind != VMEM_HOLE)
			err = txn_full(t) ? -EOVERFLOW : txn_ext_remove(t, n, r->vi->ino, &map);
	}
	if (!err)
		err = clear_parts(t, r, n, true);
	vmem_inode_touch_raw(t->fs, n, true);
	return err;
}

static int punch(struct vmem_inode *vi, uint64_t off, uint64_t len)
{
	struct range r;
	int err;

	range_init(&r, vi, off, off + len);
	err = vmem_try(vi->fs, do_punch, &r);
	if (err != -EOVERFLOW)
		return err;
	err = vmem_enable(vi->fs, VMEM_INCOMPAT_UNWRITTEN);
	if (!err)
		err = hide(&r);
	return err ? err : free_hidden(vi, vmem_blocks_for(off), (off + len) >> VMEM_BLOCK_SHIFT);
}

/* A piece is cut out, or room for one is made: what lies behind moves. */
static int do_move(struct vmem_txn *t, void *arg)
{
	const struct range *r = arg;
	struct vmem_dinode *n = txn_inode(t, r->vi);
	uint64_t len = r->to - r->from, size = vmem_get64(n->size);
	bool cut = r->size < size;
	int err = cut && !VMEM_BROKEN(COLLAPSE_KEEPS) ? do_punch(t, arg) : 0;

	t->privileged = cut;
	if (!err)
		err = txn_ext_shift(t, n, r->vi->ino, cut ? r->end : r->pos,
				    (int64_t)(cut ? 0 - len : len) / VMEM_BLOCK_SIZE);
	n->size = vmem_le64_of(r->size);
	vmem_inode_touch_raw(t->fs, n, true);
	return err;
}

static int move(struct vmem_inode *vi, uint64_t off, uint64_t len, bool cut)
{
	uint64_t size = vmem_size(vi);
	struct range r;
	int err;

	range_init(&r, vi, off, off + len);
	r.size = cut ? size - len : size + len;
	/* What rides in records is remembered by where it is in the file. */
	err = vmem_unlog(vi, 0, UINT64_MAX);
	if (!err)
		err = vmem_try(vi->fs, do_move, &r);
	return err == -EOVERFLOW ? -EFBIG : err;
}

static int may_move(const struct vmem_inode *vi, uint64_t off, uint64_t len, bool cut)
{
	uint64_t size = vmem_size(vi);

	if ((off | len) & VMEM_BLOCK_MASK || (cut ? off + len : off) >= size)
		return -EINVAL;
	return !cut && len > VMEM_MAX_FILE_SIZE - size ? -EFBIG : 0;
}

int vmem_may_fallocate(const struct vmem_inode *vi, unsigned int mode, uint64_t off, uint64_t len)
{
	bool keep = mode & VMEM_FALLOC_KEEP_SIZE;

	if (!vmem_is_reg(&vi->raw))
		return vmem_is_dir(&vi->raw) ? -EISDIR : -EINVAL;
	if (!len)
		return -EINVAL;
	if (off > VMEM_MAX_FILE_SIZE || len > VMEM_MAX_FILE_SIZE - off)
		return -EFBIG;
	if (vmem_is_read_only(vi->fs))
		return vmem_refusal(vi->fs);
	switch (mode & ~VMEM_FALLOC_KEEP_SIZE) {
	case 0:
	case VMEM_FALLOC_UNSHARE_RANGE:
	case VMEM_FALLOC_ZERO_RANGE:
		return 0;
	case VMEM_FALLOC_PUNCH_HOLE:
		return keep ? 0 : -EOPNOTSUPP;
	case VMEM_FALLOC_COLLAPSE_RANGE:
		return keep ? -EOPNOTSUPP : may_move(vi, off, len, true);
	case VMEM_FALLOC_INSERT_RANGE:
		return keep ? -EOPNOTSUPP : may_move(vi, off, len, false);
	default:
		return -EOPNOTSUPP;
	}
}

int vmem_fallocate(struct vmem_inode *vi, unsigned int mode, uint64_t off, uint64_t len)
{
	bool keep = mode & VMEM_FALLOC_KEEP_SIZE;
	int err = vmem_may_fallocate(vi, mode, off, len);

	if (!err && vi->cut)
		err = vmem_finish_cut(vi);
	if (err)
		return err;
	switch (mode & ~VMEM_FALLOC_KEEP_SIZE) {
	case VMEM_FALLOC_PUNCH_HOLE:
		return punch(vi, off, len);
	case VMEM_FALLOC_ZERO_RANGE:
		return zero(vi, off, len, keep);
	case VMEM_FALLOC_COLLAPSE_RANGE:
		return move(vi, off, len, true);
	case VMEM_FALLOC_INSERT_RANGE:
		return move(vi, off, len, false);
	default:	/* nothing is shared */
		return preallocate(vi, off, len, keep);
	}
}
