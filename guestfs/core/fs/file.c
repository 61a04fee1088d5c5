// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * file.c - file contents: mapping, reading, stores through mappings, truncating
 *
 * Bytes of the last block behind the end of file may be anything: an append
 * that was lost, stores through a mapping.  Growing a file from behind its end
 * makes them zeros first.  Shrinking into a block copies what stays into a new
 * one: zeroing in place would destroy bytes that a host failure brings back.
 */
#include "fs/fs.h"

/* ---- Mapping ---- */

int vmem_map(struct vmem_inode *vi, uint64_t lblk, uint64_t max, struct vmem_map *map)
{
	struct vmem_fs *fs = vi->fs;
	int err;

	if (vmem_get16(vi->raw.format) != VMEM_FMT_EXTENTS || lblk > VMEM_MAX_LBLK)
		return -EINVAL;
	if (!vmem_peek_map(vi, lblk, map)) {
		vmem_lock_shared(fs);
		err = vmem_ext_lookup(fs, &vi->raw, vi->ino, lblk, map);
		vmem_unlock_shared(fs);
		if (err)
			return err;
	}
	map->nr = VMEM_MIN(map->nr, max);
	return 0;
}

int64_t vmem_seek(struct vmem_inode *vi, uint64_t off, bool hole)
{
	uint64_t size = vmem_size(vi);

	if (off >= size)
		return -ENXIO;
	while (off < size) {
		struct vmem_map map;
		int err = vmem_map(vi, off >> VMEM_BLOCK_SHIFT, VMEM_MAX_LBLK, &map);

		if (err)
			return err;
		if ((map.kind != VMEM_DATA) == hole)
			return (int64_t)off;
		off = (map.lblk + map.nr) << VMEM_BLOCK_SHIFT;
	}
	return hole ? (int64_t)size : -ENXIO;
}

/* ---- Reading ---- */

bool vmem_would_wait(struct vmem_fs *fs)
{
	if (!vmem_trylock_shared(fs))
		return true;
	vmem_unlock_shared(fs);
	return false;
}

int64_t vmem_read(struct vmem_inode *vi, uint64_t off, size_t len, vmem_copy copy, void *ctx)
{
	uint64_t size = vmem_size(vi), done = 0;

	if (!vmem_is_reg(&vi->raw))
		return vmem_is_dir(&vi->raw) ? -EISDIR : -EINVAL;
	if (off >= size)
		return 0;
	len = (size_t)VMEM_MIN(len, size - off);
	while (done < len) {
		uint64_t pos = off + done, in = pos & VMEM_BLOCK_MASK, n;
		struct vmem_map map;
		size_t moved;
		uint8_t *from;
		int err = vmem_map(vi, pos >> VMEM_BLOCK_SHIFT, VMEM_MAX_LBLK, &map);

		if (err)
			return done ? (int64_t)done : err;
		n = VMEM_MIN(len - done, (map.nr << VMEM_BLOCK_SHIFT) - in);
		n = VMEM_MIN(n, VMEM_COPY_STEP);
		from = vmem_map_addr(vi->fs->store, &map);
		if (from) {
			from += in;
		} else {
			/* copy() does not write to addr here. */
			from = (uint8_t *)(uintptr_t)vmem_zero_block;
			n = VMEM_MIN(n, VMEM_BLOCK_SIZE);
		}
		moved = copy(ctx, from, (size_t)n);
		done += moved;
		if (moved < n)
			return done ? (int64_t)done : -EFAULT;
	}
	return (int64_t)done;
}

/* ---- Stores through mappings ---- */

#define FILL_LOCKED 1u		/* blocks that are zeroed while the lock is held */

struct fill {
	struct vmem_inode *vi;
	uint64_t lblk, max;
	struct vmem_map map;
	struct vmem_run run;		/* reserved for it; zeros already */
};

/* Reserve blocks for the hole at f->lblk, as many as f->max; none where there is no hole. */
static int reserve_fill(struct vmem_txn *t, struct fill *f, const struct vmem_dinode *n)
{
	int err = vmem_ext_lookup(t->fs, n, f->vi->ino, f->lblk, &f->map);

	f->run.len = 0;
	if (err || (f->map.kind != VMEM_HOLE && !VMEM_BROKEN(FILL_BLIND)))
		return err;
	return vmem_reserve_data(t->fs, f->vi->ino, &f->map, VMEM_MIN(f->map.nr, f->max), &f->run);
}

static int do_reserve_fill(struct vmem_txn *t, void *arg)
{
	struct fill *f = arg;

	return reserve_fill(t, f, &f->vi->raw);
}

static void zero_fill(struct fill *f)
{
	vmem_put_zero(f->vi->fs->store, f->run.start << VMEM_BLOCK_SHIFT,
		      (size_t)(f->run.len << VMEM_BLOCK_SHIFT));
}

/* The first nr of the blocks that are ready become the file's. */
static int link_fill(struct vmem_txn *t, struct fill *f, struct vmem_dinode *n, uint64_t nr, bool outside)
{
	struct vmem_run run = { f->run.start, nr };

	txn_take(t, run, outside);
	txn_link(t, run.start << VMEM_BLOCK_SHIFT, nr << VMEM_BLOCK_SHIFT);
	f->map.pblk = run.start;
	f->map.nr = nr;
	f->map.kind = VMEM_DATA;
	return txn_ext_insert(t, n, f->vi->ino, f->lblk, run.start, nr, VMEM_DATA);
}

/* A block or so: all by one record. */
static int do_fill(struct vmem_txn *t, void *arg)
{
	struct fill *f = arg;
	struct vmem_dinode *n = txn_inode(t, f->vi);
	int err = reserve_fill(t, f, n);

	if (err || !f->run.len)
		return err;
	zero_fill(f);
	return link_fill(t, f, n, f->run.len, false);
}

/* Blocks that were reserved and zeroed before; f->run keeps what another fault has made needless. */
static int do_link_fill(struct vmem_txn *t, void *arg)
{
	struct fill *f = arg;
	struct vmem_dinode *n = txn_inode(t, f->vi);
	int err = vmem_ext_lookup(t->fs, n, f->vi->ino, f->lblk, &f->map);

	if (err || (f->map.kind != VMEM_HOLE && !VMEM_BROKEN(FILL_BLIND)))
		return err;
	return link_fill(t, f, n, VMEM_MIN(f->map.nr, f->run.len), true);
}

/* Up to 2 MiB: the lock is not held while it is zeroed. */
static int fill_unlocked(struct fill *f)
{
	struct vmem_fs *fs = f->vi->fs;
	int err = vmem_run(fs, do_reserve_fill, f);
	uint64_t used;

	if (err || !f->run.len)
		return err;
	zero_fill(f);
	err = vmem_run(fs, do_link_fill, f);
	used = !err && f->map.pblk == f->run.start ? f->map.nr : 0;
	if (used < f->run.len) {
		struct vmem_run rest = { f->run.start + used, f->run.len - used };

		vmem_lock(fs, fs->lock);
		vmem_unreserve(fs, rest);
		vmem_unlock(fs, fs->lock);
	}
	return err;
}

/*
 * From here on nothing of the file rides in a record.  The lock orders this against
 * do_write(): it sees the flag, or vmem_unlog() sees what it has logged.
 */
static void note_writable(struct vmem_inode *vi)
{
	if (VMEM_PEEK(vi->mapped_writable))
		return;
	vmem_lock_shared(vi->fs);
	VMEM_FLAG(vi->mapped_writable, true);
	vmem_unlock_shared(vi->fs);
}

static int map_unwritten(struct vmem_inode *vi, uint64_t lblk, uint64_t max, struct vmem_map *map)
{
	int err = vmem_convert(vi, lblk, max);

	return err ? err : vmem_map(vi, lblk, max, map);
}

int vmem_map_write(struct vmem_inode *vi, uint64_t lblk, uint64_t max, struct vmem_map *map)
{
	struct fill f = { .vi = vi, .lblk = lblk };
	int err;

	if (!vmem_is_reg(&vi->raw) || lblk > VMEM_MAX_LBLK)
		return -EINVAL;
	if (vmem_is_read_only(vi->fs))
		return vmem_refusal(vi->fs);
	max = VMEM_MIN(max, VMEM_MAX_LBLK + 1 - lblk);
	note_writable(vi);
	err = vmem_unlog(vi, lblk << VMEM_BLOCK_SHIFT, (lblk + max) << VMEM_BLOCK_SHIFT);
	if (!err)
		err = vmem_map(vi, lblk, max, map);
	if (err)
		return err;
	if (map->kind == VMEM_DATA)
		return vmem_provision_used(vi->fs, map->pblk, map->nr);
	if (map->kind == VMEM_UNWRITTEN)
		return map_unwritten(vi, lblk, VMEM_MIN(max, VMEM_CHUNK_BLOCKS), map);
	f.max = VMEM_MIN(max, VMEM_CHUNK_BLOCKS);
	err = f.max > FILL_LOCKED ? fill_unlocked(&f) : vmem_run(vi->fs, do_fill, &f);
	if (err)
		return err;
	*map = f.map;
	map->nr = VMEM_MIN(map->nr, max);
	/* Preallocated meanwhile. */
	return map->kind == VMEM_UNWRITTEN ? map_unwritten(vi, lblk, map->nr, map) : 0;
}

void vmem_mark_dirty(struct vmem_inode *vi, uint64_t off, uint64_t len)
{
	struct vmem_fs *fs = vi->fs;
	uint64_t end = off + len;

	if (vmem_immediate(fs))
		return;
	while (off < end) {
		struct vmem_map map;
		uint64_t in = off & VMEM_BLOCK_MASK, n;

		if (vmem_map(vi, off >> VMEM_BLOCK_SHIFT, VMEM_MAX_LBLK, &map)) {
			/* Damaged, so nobody knows where these bytes lie: they are somewhere. */
			if (!VMEM_BROKEN(MARK_LOST))
				vmem_dirty_add(vi, 0, VMEM_PEEK(fs->nr_blocks) << VMEM_BLOCK_SHIFT);
			return;
		}
		n = VMEM_MIN(end - off, (map.nr << VMEM_BLOCK_SHIFT) - in);
		if (map.kind == VMEM_DATA)
			vmem_dirty_add(vi, (map.pblk << VMEM_BLOCK_SHIFT) + in, n);
		off += n;
	}
}

/* ---- Truncating ---- */

/* Replace the last block by a copy whose bytes from `in` on are zero. */
static int copy_tail(struct vmem_txn *t, struct vmem_inode *vi, struct vmem_dinode *n,
		     uint64_t size)
{
	struct vmem_fs *fs = t->fs;
	uint64_t lblk = size >> VMEM_BLOCK_SHIFT, block, off;
	uint32_t in = (uint32_t)(size & VMEM_BLOCK_MASK);
	struct vmem_map map;
	int err;

	if (!in || !vmem_is_reg(n))
		return 0;
	err = vmem_ext_lookup(fs, n, vi->ino, lblk, &map);
	if (err || map.kind != VMEM_DATA)
		return err;
	if (VMEM_BROKEN(TAIL_IN_PLACE)) {
		off = (map.pblk << VMEM_BLOCK_SHIFT) + in;
		vmem_put_zero(fs->store, off, VMEM_BLOCK_SIZE - in);
		return 0;
	}
	err = txn_alloc_block(t, map.pblk, &block);
	if (err)
		return err;
	off = block << VMEM_BLOCK_SHIFT;
	vmem_put(fs->store, off, fs->store->base + (map.pblk << VMEM_BLOCK_SHIFT), in);
	vmem_put_zero(fs->store, off + in, VMEM_BLOCK_SIZE - in);
	txn_link(t, off, VMEM_BLOCK_SIZE);
	return txn_ext_replace_last(t, n, vi->ino, lblk, block);
}

/* Free what lies beyond size, as much as fits the record; *done when it is all.  Moves nothing. */
static int truncate_step(struct vmem_txn *t, struct vmem_inode *vi, uint64_t size, bool *done)
{
	struct vmem_dinode *n = txn_inode(t, vi);

	t->privileged = true;
	if (vmem_is_dir(n))
		return txn_dir_free(t, vi, done);
	if (vmem_get16(n->format) != VMEM_FMT_EXTENTS) {
		*done = true;
		return 0;
	}
	return txn_ext_truncate(t, n, vi->ino, vmem_blocks_for(size), done);
}

struct truncate {
	struct vmem_inode *vi;
	uint64_t size;
	struct vmem_run gap;
	bool behind;			/* the size stays, but blocks lie behind it */
	bool done;
};

static int do_rest(struct vmem_txn *t, void *arg)
{
	struct truncate *a = arg;
	int err = truncate_step(t, a->vi, a->size, &a->done);

	if (VMEM_BROKEN(LATE_TAIL) && !err && a->done)
		err = copy_tail(t, a->vi, txn_inode(t, a->vi), a->size);
	/* An unlinked inode stays an orphan until it is freed. */
	if (!err && a->done && vmem_get32(a->vi->raw.nlink))
		txn_set_orphan(t, a->vi->ino, false);
	return err;
}

int vmem_truncate_rest(struct vmem_inode *vi, uint64_t size)
{
	struct truncate a = { .vi = vi, .size = size };
	int err = 0;

	while (!err && !a.done)
		err = vmem_run(vi->fs, do_rest, &a);
	return err;
}

int vmem_finish_cut(struct vmem_inode *vi)
{
	int err = vmem_truncate_rest(vi, vmem_size(vi));

	if (!err)
		vi->cut = false;
	return err;
}

static int do_truncate(struct vmem_txn *t, void *arg)
{
	struct truncate *a = arg;
	struct vmem_dinode *n = txn_inode(t, a->vi);
	bool shrink = a->size < vmem_get64(n->size);
	int err = 0;

	n->size = vmem_le64_of(a->size);
	vmem_inode_touch_raw(t->fs, n, true);
	a->done = true;
	txn_link(t, a->gap.start, a->gap.len);
	/*
	 * The last block moves now or never: before the next record, which may have to
	 * wait for memory, a mapping may be made.
	 */
	if (shrink && !VMEM_BROKEN(LATE_TAIL)) {
		t->privileged = true;
		err = copy_tail(t, a->vi, n, a->size);
	}
	if ((shrink || a->behind) && !err)
		err = truncate_step(t, a->vi, a->size, &a->done);
	if (shrink && !err && a->done && VMEM_BROKEN(LATE_TAIL))
		err = copy_tail(t, a->vi, n, a->size);
	/* More to free than fits one record: recovery finishes it if we cannot. */
	if (!err && !a->done)
		txn_set_orphan(t, a->vi->ino, true);
	return err;
}

/* Preallocated blocks behind the end of file? */
static int look_behind(struct vmem_inode *vi, bool *behind)
{
	uint64_t end = vmem_blocks_for(vmem_size(vi));
	struct vmem_map map = { .nr = 0 };
	int err = end <= VMEM_MAX_LBLK ? vmem_map(vi, end, VMEM_MAX_LBLK, &map) : 0;

	*behind = !err && end <= VMEM_MAX_LBLK && (map.kind != VMEM_HOLE || end + map.nr <= VMEM_MAX_LBLK);
	return err;
}

uint64_t vmem_truncate_keeps(const struct vmem_inode *vi, uint64_t size)
{
	/* What stays of the last block gets another one: copy_tail(). */
	return size < vmem_size(vi) ? size & ~(uint64_t)VMEM_BLOCK_MASK : UINT64_MAX;
}

int vmem_truncate(struct vmem_inode *vi, uint64_t size)
{
	struct truncate a = { .vi = vi, .size = size };
	int err;

	if (!vmem_is_reg(&vi->raw))
		return vmem_is_dir(&vi->raw) ? -EISDIR : -EINVAL;
	if (size > VMEM_MAX_FILE_SIZE)
		return -EFBIG;
	if (vmem_is_read_only(vi->fs))
		return vmem_refusal(vi->fs);
	err = vi->cut ? vmem_finish_cut(vi) : 0;
	if (!err)
		err = vmem_zero_gap(vi, size, &a.gap);
	if (!err && size == vmem_size(vi) && vmem_has(vi->fs, VMEM_INCOMPAT_UNWRITTEN))
		err = look_behind(vi, &a.behind);
	if (!err)
		err = vmem_run(vi->fs, do_truncate, &a);
	if (err)
		vmem_keep_gap(vi, &a.gap);
	if (err || a.done)
		return err;
	/* The size is set.  What cannot be freed now is freed before it shows. */
	vi->cut = true;
	err = vmem_finish_cut(vi);
	return err && vmem_error(vi->fs) ? err : 0;
}
