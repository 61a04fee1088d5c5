// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * write.c - writing to files
 *
 * Overwritten bytes go in place.  New data goes into reserved blocks, or
 * behind the end of file in the last one, before the one record that links
 * it.  In the domain host a small new piece of a file that is fsynced often
 * also rides in the record, so that the fsync needs the log alone.
 */
#include "fs/fs.h"

#ifdef VMEM_SMALL_LIMITS
#define MAX_UNUSED	1u
#else
#define MAX_UNUSED	4u
#endif
#define MAX_PIECES	8u
#define MAX_NEW_BLOCKS	2048u		/* 8 MiB by one record */

/* ---- Data in the log ---- */

struct unlog {
	struct vmem_inode *vi;
	uint64_t lo, hi;
};

/*
 * Bytes in [lo, hi) are about to change in place, but a replay would bring
 * back what rode in a record.  Revoke that, after what is home is flushed.
 */
static int do_unlog(struct vmem_txn *t, void *arg)
{
	struct unlog *u = arg;
	struct vmem_inode *vi = u->vi;
	struct vmem_logged *l = vmem_find_logged(t->fs, vi->ino);
	uint64_t pos;

	if (!l || l->hi <= u->lo || l->lo >= u->hi)
		return 0;
	for (pos = l->lo; pos < l->hi;) {
		struct vmem_map map;
		uint64_t in = pos & VMEM_BLOCK_MASK, n;
		int err = vmem_ext_lookup(t->fs, &vi->raw, vi->ino, pos >> VMEM_BLOCK_SHIFT, &map);

		if (err)
			return err;
		n = VMEM_MIN(l->hi - pos, (map.nr << VMEM_BLOCK_SHIFT) - in);
		/* Any number of pieces: past txn_link(); flushing too much does no harm. */
		if (map.pblk)
			vmem_ranges_add(t->fs->linked, (map.pblk << VMEM_BLOCK_SHIFT) + in, n);
		pos += n;
	}
	txn_revoke(t, vi->ino);
	txn_inode(t, vi);
	if (t->err)
		return t->err;
	t->revoked = vi;
	return 0;
}

int vmem_unlog(struct vmem_inode *vi, uint64_t lo, uint64_t hi)
{
	struct unlog u = { vi, lo, hi };

	return lo < hi && vmem_may_be_logged(vi) && !VMEM_BROKEN(UNLOG) ? vmem_run(vi->fs, do_unlog, &u) : 0;
}

/* ---- Writing ---- */

/* A piece of a write that needs a record: new blocks, or the last block's rest. */
struct piece {
	uint64_t pos;			/* first byte of the file */
	uint64_t lblk;
	struct vmem_run run;		/* blocks; len 0 = in place, behind the end of file */
	bool own;			/* blocks that the file had, unwritten: not reserved */
	uint64_t off, len;		/* bytes of the store that were stored */
	uint64_t head, tail;		/* of these, zeros before and behind the data */
};

struct write {
	struct vmem_inode *vi;
	uint64_t pos, end;		/* file bytes; end moves on as data arrives */
	struct piece piece[MAX_PIECES];
	unsigned int first, nr;		/* pieces before the first are linked */
	uint64_t new_blocks;
	struct vmem_run gap;		/* bytes behind the old end that became zeros */
	bool carry;			/* it may ride in its record */
	bool recorded;			/* there is a record of a part of it at least */
	bool was_to_ride;		/* so older data that rides was not revoked yet */

	/* The record being made: as many steps as it takes, at most max_steps. */
	unsigned int steps, max_steps;
	unsigned int next;		/* it links the pieces before this one, */
	uint64_t part;			/* and so many blocks of this */
	struct vmem_run unused[MAX_UNUSED]; /* reserved, but a mapping filled the hole */
	unsigned int nr_unused;
};

struct grab {
	uint64_t ino, want;
	const struct vmem_map *hole;
	struct vmem_run run;
};

static int do_grab(struct vmem_txn *t, void *arg)
{
	struct grab *g = arg;

	return vmem_reserve_data(t->fs, g->ino, g->hole, g->want, &g->run);
}

/* Reserve blocks for the hole, behind those before it. */
static int grab_blocks(struct vmem_inode *vi, const struct vmem_map *hole, uint64_t want,
		       struct vmem_run *run)
{
	struct grab g = { .ino = vi->ino, .hole = hole, .want = want };
	int err = vmem_run(vi->fs, do_grab, &g);

	*run = g.run;
	return err;
}

static void drop_pieces(struct write *w, unsigned int from)
{
	struct vmem_fs *fs = w->vi->fs;

	vmem_lock(fs, fs->lock);
	for (; w->nr > from; w->nr--)
		if (!w->piece[w->nr - 1].own)
			vmem_unreserve(fs, w->piece[w->nr - 1].run);
	vmem_unlock(fs, fs->lock);
}

static void drop_unused(struct write *w)
{
	struct vmem_fs *fs = w->vi->fs;

	vmem_lock(fs, fs->lock);
	while (w->nr_unused)
		vmem_unreserve(fs, w->unused[--w->nr_unused]);
	vmem_unlock(fs, fs->lock);
}

/* Copy n bytes into the store at off, in steps; returns how many arrived. */
static uint64_t take_data(struct vmem_fs *fs, uint64_t off, uint64_t n, vmem_copy copy, void *ctx)
{
	uint64_t done = 0;

	while (done < n) {
		size_t step = (size_t)VMEM_MIN(n - done, VMEM_COPY_STEP);
		size_t got = copy(ctx, fs->store->base + off + done, step);

#ifdef VMEM_RECORD
		if (fs->store->recorded && got)
			fs->store->recorded(fs->store, off + done, got);
#endif
		done += got;
		if (got < step)
			break;
	}
	return done;
}

/* Blocks for a piece that is no data yet: of its own, behind the end of file, or new ones. */
static int find_blocks(struct write *w, const struct vmem_map *map, uint64_t want, struct piece *p)
{
	p->own = map->kind == VMEM_UNWRITTEN;
	if (!p->own)
		return grab_blocks(w->vi, map, want, &p->run);
	p->run.start = map->pblk;
	p->run.len = want;
	return vmem_provision_used(w->vi->fs, map->pblk, want);
}

/* New blocks at w->end: zero what the data does not cover, then the data. */
static int write_hole(struct write *w, const struct vmem_map *hole, uint64_t len, vmem_copy copy,
		      void *ctx)
{
	struct vmem_fs *fs = w->vi->fs;
	struct piece *p = &w->piece[w->nr];
	uint64_t in = w->end & VMEM_BLOCK_MASK, want, n, base, got, tail;
	int err;

	want = VMEM_MIN(hole->nr, vmem_blocks_for(in + len));
	want = VMEM_MIN(want, MAX_NEW_BLOCKS - w->new_blocks);
	p->pos = w->end;
	p->lblk = hole->lblk;
	err = find_blocks(w, hole, want, p);
	if (err)
		return err;
	w->nr++;
	n = VMEM_MIN(len, (p->run.len << VMEM_BLOCK_SHIFT) - in);
	base = p->run.start << VMEM_BLOCK_SHIFT;
	if (in)
		vmem_put_zero(fs->store, base, in);
	got = take_data(fs, base + in, n, copy, ctx);
	if (!got) {
		drop_pieces(w, w->nr - 1);
		return -EFAULT;
	}
	/* Blocks that a fault left without data are given back. */
	if (vmem_blocks_for(in + got) < p->run.len) {
		struct vmem_run rest = { p->run.start + vmem_blocks_for(in + got),
					 p->run.len - vmem_blocks_for(in + got) };

		vmem_lock(fs, fs->lock);
		if (!p->own)
			vmem_unreserve(fs, rest);
		vmem_unlock(fs, fs->lock);
		p->run.len -= rest.len;
	}
	tail = (in + got) & VMEM_BLOCK_MASK;
	if (tail)
		vmem_put_zero(fs->store, base + in + got, VMEM_BLOCK_SIZE - tail);
	p->off = base;
	p->len = p->run.len << VMEM_BLOCK_SHIFT;
	p->head = in;
	p->tail = tail ? VMEM_BLOCK_SIZE - tail : 0;
	w->new_blocks += p->run.len;
	w->end += got;
	return got < n ? -EFAULT : 0;
}

/* Unwritten blocks at w->end, before the end of file: faults may want them, too. */
static int make_data(struct write *w, const struct vmem_map *map, uint64_t len)
{
	uint64_t nr = vmem_blocks_for((w->end & VMEM_BLOCK_MASK) + len);

	return vmem_convert(w->vi, map->lblk, VMEM_MIN(map->nr, nr));
}

/* Mapped blocks at w->end: in place.  What lies behind the end of file needs a record. */
static int write_mapped(struct write *w, const struct vmem_map *map, uint64_t len,
			vmem_copy copy, void *ctx)
{
	struct vmem_inode *vi = w->vi;
	struct vmem_fs *fs = vi->fs;
	uint64_t size = vmem_size(vi), in = w->end & VMEM_BLOCK_MASK, n, got, off, over;
	int err;

	n = VMEM_MIN(len, (map->nr << VMEM_BLOCK_SHIFT) - in);
	off = (map->pblk << VMEM_BLOCK_SHIFT) + in;
	over = w->end < size ? VMEM_MIN(n, size - w->end) : 0;
	/* What will ride itself is replayed after what rode before. */
	err = vmem_unlog(vi, w->end, w->end + (w->carry ? over : n));
	if (!err)
		err = vmem_provision_used(fs, off >> VMEM_BLOCK_SHIFT, vmem_blocks_for(in + n));
	if (err)
		return err;
	got = take_data(fs, off, n, copy, ctx);
	over = VMEM_MIN(over, got);
	if (over && !vmem_immediate(fs))
		vmem_dirty_add(vi, off, over);
	if (got > over) {
		struct piece *p = &w->piece[w->nr++];

		p->pos = w->end + over;
		p->run.len = 0;
		p->own = false;
		p->off = off + over;
		p->len = got - over;
		p->head = 0;
		p->tail = 0;
	}
	w->end += got;
	return got < n ? -EFAULT : 0;
}

/*
 * A fault in a mapping filled a part of the hole meanwhile: our bytes join its
 * blocks, which keep what others stored around them.
 */
static void join_filled(struct vmem_txn *t, struct write *w, uint64_t lblk, struct vmem_run part,
			uint64_t pblk)
{
	struct vmem_store *store = t->fs->store;
	uint64_t first = lblk << VMEM_BLOCK_SHIFT, len = part.len << VMEM_BLOCK_SHIFT;
	uint64_t lo = VMEM_MAX(w->pos, first) - first, hi = VMEM_MIN(w->end, first + len) - first;

	vmem_put(store, (pblk << VMEM_BLOCK_SHIFT) + lo,
		 store->base + (part.start << VMEM_BLOCK_SHIFT) + lo, (size_t)(hi - lo));
	txn_link(t, pblk << VMEM_BLOCK_SHIFT, len);
}

/* Given back when the record is there. */
static void note_unused(struct write *w, struct vmem_run part)
{
	struct vmem_run *last = w->nr_unused ? &w->unused[w->nr_unused - 1] : NULL;

	if (last && last->start + last->len == part.start)
		last->len += part.len;
	else if (w->nr_unused < MAX_UNUSED)
		w->unused[w->nr_unused++] = part;
}

/* Does the record take one more step?  It always takes the first. */
static bool takes_step(const struct vmem_txn *t, const struct write *w)
{
	if (VMEM_BROKEN(FULL_RECORD))
		return true;
	return !w->steps || (w->steps < w->max_steps && !txn_full(t) &&
			     (w->nr_unused < MAX_UNUSED || VMEM_BROKEN(UNUSED_LOST)));
}

/* Unwritten blocks behind the end of file, which nobody else can want, become data. */
static int link_own(struct vmem_txn *t, struct vmem_dinode *n, struct vmem_inode *vi,
		    struct vmem_map *map, struct vmem_run part)
{
	if (map->kind != VMEM_UNWRITTEN || map->pblk != part.start)
		return vmem_corrupt(t->fs, vi->ino, part.start, "extent tree: unwritten");
	map->nr = part.len;
	return txn_ext_set_kind(t, n, vi->ino, map, VMEM_DATA);
}

/* Link the blocks of a piece, where the file still has a hole; w->part: how many. */
static int link_blocks(struct vmem_txn *t, struct write *w, const struct piece *p)
{
	struct vmem_inode *vi = w->vi;
	struct vmem_dinode *n = txn_inode(t, vi);
	uint64_t nr;

	for (; w->part < p->run.len && takes_step(t, w); w->part += nr) {
		struct vmem_run part;
		struct vmem_map map;
		int err = vmem_ext_lookup(t->fs, n, vi->ino, p->lblk + w->part, &map);

		if (err)
			return err;
		w->steps++;
		nr = VMEM_MIN(map.nr, p->run.len - w->part);
		part.start = p->run.start + w->part;
		part.len = nr;
		if (p->own) {
			err = link_own(t, n, vi, &map, part);
			if (err)
				return err;
			continue;
		}
		if (map.pblk && !VMEM_BROKEN(WRITE_BLIND)) {
			join_filled(t, w, p->lblk + w->part, part, map.pblk);
			note_unused(w, part);
			continue;
		}
		txn_take(t, part, true);
		err = txn_ext_insert(t, n, vi->ino, p->lblk + w->part, part.start, nr,
				     VMEM_DATA);
		if (err)
			return err;
	}
	return t->err;
}

/* Link as many pieces as the record takes; data that rides in it needs no flush. */
static int link_pieces(struct vmem_txn *t, struct write *w, bool rides)
{
	w->steps = 0;
	w->nr_unused = 0;
	w->part = 0;
	for (w->next = w->first; w->next < w->nr && takes_step(t, w); w->next++) {
		const struct piece *p = &w->piece[w->next];
		int err;

		if (!p->run.len) {
			w->steps++;
			if (!rides)
				txn_link(t, p->off, p->len);
			continue;
		}
		err = link_blocks(t, w, p);
		if (err)
			return err;
		if (!rides)
			txn_link(t, p->off, w->part << VMEM_BLOCK_SHIFT);
		if (w->part < p->run.len)
			return 0;
		w->part = 0;
	}
	return 0;
}

/* Behind the last byte of the file that the record links. */
static uint64_t linked_end(const struct write *w)
{
	const struct piece *p = &w->piece[w->next];

	if (w->next == w->nr)
		return w->end;
	return w->part ? (p->lblk + w->part) << VMEM_BLOCK_SHIFT : p->pos;
}

/* The small write rides in its record: bytes, and zeros around them in new blocks. */
static void carry_data(struct vmem_txn *t, struct write *w)
{
	uint64_t ino = w->vi->ino;
	unsigned int i;

	for (i = 0; i < w->nr; i++) {
		struct piece *p = &w->piece[i];
		uint64_t off = p->off + p->head, end = p->off + p->len - p->tail;

		txn_data_zero(t, ino, p->off, (uint32_t)p->head);
		while (off < end) {
			uint64_t n = VMEM_MIN(end, (off | VMEM_BLOCK_MASK) + 1) - off;

			txn_data(t, ino, off, t->fs->store->base + off, (uint32_t)n);
			off += n;
		}
		txn_data_zero(t, ino, end, (uint32_t)p->tail);
	}
}

static int do_write(struct vmem_txn *t, void *arg)
{
	struct write *w = arg;
	struct vmem_inode *vi = w->vi;
	struct vmem_dinode *n = txn_inode(t, vi);
	bool carry = w->carry && (!VMEM_PEEK(vi->mapped_writable) || VMEM_BROKEN(RIDE_RACE)) &&
		     vmem_note_logged(vi, w->pos, w->end);
	struct unlog u = { vi, w->pos, w->end };
	int err = w->was_to_ride && !carry ? do_unlog(t, &u) : 0;

	if (!err)
		err = link_pieces(t, w, carry);
	if (err)
		return err;
	/* What rides must do so whole, and to where the file has it. */
	if (carry && (w->next < w->nr || w->nr_unused))
		return -EOVERFLOW;
	txn_link(t, w->gap.start, w->gap.len);
	if (carry) {
		carry_data(t, w);
		t->fs->stats.carried++;
	}
	if (linked_end(w) > vmem_get64(n->size))
		n->size = vmem_le64_of(linked_end(w));
	vmem_inode_touch_raw(t->fs, n, true);
	return 0;
}

/* The record is there: what it linked is done with, blocks that it did not need are free. */
static void finish_record(struct write *w)
{
	struct piece *p = &w->piece[w->next];

	if (w->part) {
		p->lblk += w->part;
		p->pos = p->lblk << VMEM_BLOCK_SHIFT;
		p->run.start += w->part;
		p->run.len -= w->part;
		p->off += w->part << VMEM_BLOCK_SHIFT;
		p->len -= w->part << VMEM_BLOCK_SHIFT;
		p->head = 0;
	}
	w->first = w->next;
	w->recorded = true;
	w->gap.len = 0;
	w->was_to_ride = false;
	if (w->nr_unused)
		drop_unused(w);
}

/* By as many records as it takes.  After an error pieces from the first on are not linked. */
static int link_all(struct write *w)
{
	int err = 0;

	w->first = 0;
	w->max_steps = UINT32_MAX;
	while (!err && w->first < w->nr) {
		err = vmem_try(w->vi->fs, do_write, w);
		if (!err) {
			finish_record(w);
		} else if (err == -EOVERFLOW && w->carry) {
			w->carry = false;
			err = 0;
		} else if (err == -EOVERFLOW && w->steps > 1) {
			w->max_steps = w->steps / 2;
			err = 0;
		} else if (err == -EOVERFLOW) {
			err = vmem_overflowed(w->vi->fs);
		}
	}
	return err;
}

/* Will this write ride in its record?  Only a small one to a file that is fsynced often. */
static bool wants_carry(struct vmem_inode *vi, uint64_t len)
{
	if (vmem_immediate(vi->fs) || vi->mapped_writable || !vi->sync_credit ||
	    len > VMEM_CARRY_MAX)
		return false;
	vi->sync_credit--;
	return true;
}

/* Nothing but data changed: times without a record. */
static void stored_in_place(struct vmem_inode *vi)
{
	vmem_touch(vi, VMEM_SET_MTIME | VMEM_SET_CTIME, vmem_now(vi->fs));
	/* No record drains what was written back: domain pmem. */
	if (vmem_immediate(vi->fs))
		vmem_fence(vi->fs->store);
}

static int64_t store_in_place(struct vmem_inode *vi, uint64_t off, uint64_t len, vmem_copy copy,
			      void *ctx)
{
	uint64_t got = take_data(vi->fs, off, len, copy, ctx);

	if (!got)
		return -EFAULT;
	if (!vmem_immediate(vi->fs))
		vmem_dirty_add(vi, off, got);
	stored_in_place(vi);
	return (int64_t)got;
}

/*
 * The common case: bytes that the file has already.  Stores what one extent
 * takes of them; 0 when there is a hole at pos.
 */
static int64_t overwrite(struct vmem_inode *vi, uint64_t pos, uint64_t len, vmem_copy copy,
			 void *ctx)
{
	uint64_t in = pos & VMEM_BLOCK_MASK;
	struct vmem_map map;
	int err = vmem_map(vi, pos >> VMEM_BLOCK_SHIFT, VMEM_MAX_LBLK, &map);

	if (err || map.kind != VMEM_DATA)
		return err;
	len = VMEM_MIN(len, vmem_size(vi) - pos);
	len = VMEM_MIN(len, (map.nr << VMEM_BLOCK_SHIFT) - in);
	err = vmem_unlog(vi, pos, pos + len);
	/* In use as it is, it may be a hole of the host's file: in a copy of the image. */
	if (!err)
		err = vmem_provision_used(vi->fs, map.pblk, vmem_blocks_for(in + len));
	if (err)
		return err;
	return store_in_place(vi, (map.pblk << VMEM_BLOCK_SHIFT) + in, len, copy, ctx);
}

/* The host has room for all of these blocks of one group. */
static bool all_ready(struct vmem_fs *fs, uint64_t start, uint64_t nr)
{
	uint64_t in = start % fs->ag_blocks, chunk;
	uint64_t ready = vmem_ready_chunks(fs, (uint32_t)(start / fs->ag_blocks));

	for (chunk = in / VMEM_CHUNK_BLOCKS; chunk <= (in + nr - 1) / VMEM_CHUNK_BLOCKS; chunk++)
		if (!(ready >> chunk & 1))
			return false;
	return true;
}

int64_t vmem_write_nowait(struct vmem_inode *vi, uint64_t pos, size_t len, vmem_copy copy,
			  void *ctx)
{
	uint64_t in = pos & VMEM_BLOCK_MASK, size = vmem_size(vi);
	struct vmem_fs *fs = vi->fs;
	struct vmem_logged *rides;
	struct vmem_map map;
	int err;

	if (!vmem_is_reg(&vi->raw) || vmem_is_read_only(fs) || vi->cut || !len || pos >= size ||
	    len > size - pos || !vmem_trylock_shared(fs))
		return -EAGAIN;
	err = vmem_ext_lookup(fs, &vi->raw, vi->ino, pos >> VMEM_BLOCK_SHIFT, &map);
	/* What rides in a record must be revoked first, by another. */
	rides = vmem_may_be_logged(vi) ? vmem_find_logged(fs, vi->ino) : NULL;
	if (rides && pos < rides->hi && pos + len > rides->lo)
		err = -EAGAIN;
	vmem_unlock_shared(fs);
	if (err || map.kind != VMEM_DATA)
		return -EAGAIN;
	len = (size_t)VMEM_MIN(len, (map.nr << VMEM_BLOCK_SHIFT) - in);
	if (!all_ready(fs, map.pblk, vmem_blocks_for(in + len)))
		return -EAGAIN;
	return store_in_place(vi, (map.pblk << VMEM_BLOCK_SHIFT) + in, len, copy, ctx);
}

/* As much of a write as the tables take. */
static __attribute__((__noinline__)) int64_t
write_some(struct vmem_inode *vi, uint64_t pos, uint64_t len, vmem_copy copy,
			  void *ctx, struct vmem_run gap)
{
	struct write w VMEM_UNINITIALIZED;
	int err = 0, rec_err = 0;

	w.vi = vi;
	w.pos = pos;
	w.end = pos;
	w.nr = 0;
	w.new_blocks = 0;
	w.gap = gap;
	w.carry = wants_carry(vi, len);
	w.was_to_ride = w.carry;
	w.recorded = false;

	while (!err && w.end < pos + len && w.nr < MAX_PIECES && w.new_blocks < MAX_NEW_BLOCKS) {
		struct vmem_map map;

		err = vmem_map(vi, w.end >> VMEM_BLOCK_SHIFT, VMEM_MAX_LBLK, &map);
		if (err)
			break;
		if (map.kind == VMEM_DATA)
			err = write_mapped(&w, &map, pos + len - w.end, copy, ctx);
		else if (map.kind == VMEM_UNWRITTEN && map.lblk < vmem_blocks_for(vmem_size(vi)))
			err = make_data(&w, &map, pos + len - w.end);
		else
			err = write_hole(&w, &map, pos + len - w.end, copy, ctx);
	}
	if (w.nr)
		rec_err = link_all(&w);
	else if (w.end > pos)
		stored_in_place(vi);
	if (rec_err) {
		w.end = w.piece[w.first].pos;
		drop_pieces(&w, w.first);
		if (!w.recorded)
			return rec_err;
	}
	return w.end > pos ? (int64_t)(w.end - pos) : err;
}

int vmem_zero_gap(struct vmem_inode *vi, uint64_t pos, struct vmem_run *gap)
{
	struct vmem_fs *fs = vi->fs;
	uint64_t size = vmem_size(vi), in = size & VMEM_BLOCK_MASK, rest, off;
	struct vmem_map map;
	int err;

	if (pos <= size || !in || VMEM_BROKEN(GAP))
		return 0;
	err = vmem_map(vi, size >> VMEM_BLOCK_SHIFT, 1, &map);
	if (err || map.kind != VMEM_DATA)
		return err;
	rest = VMEM_BLOCK_SIZE - in;
	off = (map.pblk << VMEM_BLOCK_SHIFT) + in;
	if (memcmp(fs->store->base + off, vmem_zero_block, (size_t)rest)) {
		err = vmem_unlog(vi, size, size + rest);
		if (!err)
			err = vmem_provision_used(fs, off >> VMEM_BLOCK_SHIFT, 1);
		if (err)
			return err;
		vmem_put_zero(fs->store, off, (size_t)rest);
	} else if (!vmem_is_dirty(vi, off)) {
		return 0;
	}
	gap->start = off;
	gap->len = rest;
	return 0;
}

void vmem_keep_gap(struct vmem_inode *vi, const struct vmem_run *gap)
{
	if (!gap->len)
		return;
	if (vmem_immediate(vi->fs))
		vmem_fence(vi->fs->store);
	else
		vmem_dirty_add(vi, gap->start, gap->len);
}

int64_t vmem_write(struct vmem_inode *vi, uint64_t off, size_t len, vmem_copy copy, void *ctx)
{
	struct vmem_run gap = { 0, 0 };
	uint64_t done = 0;
	int err;

	if (!vmem_is_reg(&vi->raw))
		return vmem_is_dir(&vi->raw) ? -EISDIR : -EINVAL;
	if (vmem_is_read_only(vi->fs))
		return vmem_refusal(vi->fs);
	if (off > VMEM_MAX_FILE_SIZE || len > VMEM_MAX_FILE_SIZE - off)
		return -EFBIG;
	err = vi->cut ? vmem_finish_cut(vi) : 0;
	if (!err)
		err = vmem_zero_gap(vi, off, &gap);
	if (!err && VMEM_BROKEN(SIZE_EARLY) && off + len > vmem_size(vi))
		err = vmem_truncate(vi, off + len);
	if (err)
		return err;
	while (done < len) {
		uint64_t pos = off + done;
		int64_t n = 0;

		if (pos < vmem_size(vi))
			n = overwrite(vi, pos, len - done, copy, ctx);
		if (!n)
			n = write_some(vi, pos, len - done, copy, ctx, gap);
		if (n <= 0) {
			vmem_keep_gap(vi, &gap);
			return done ? (int64_t)done : n;
		}
		done += (uint64_t)n;
		gap.len = 0;
	}
	return (int64_t)done;
}
