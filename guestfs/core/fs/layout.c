// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * layout.c - file contents at consecutive addresses: finding them, asking for them
 *
 * Laying out: reserve one run, store zeros, link it by one record: as a write
 * into a hole does, but all or nothing.
 */
#include "fs/fs.h"

/* ---- Finding ---- */

/* Consecutive blocks of the file, also of several extents, that follow each other in the store. */
static int find_run(struct vmem_inode *vi, uint64_t lblk, uint64_t max, bool fill,
		    struct vmem_map *run)
{
	struct vmem_map next;
	int err = fill ? vmem_map_write(vi, lblk, max, run) : vmem_map(vi, lblk, max, run);

	if (err)
		run->nr = 0;
	while (!err && run->nr < max) {
		uint64_t from = lblk + run->nr, room = max - run->nr;

		err = fill ? vmem_map_write(vi, from, room, &next) :
			     vmem_map(vi, from, room, &next);
		if (err || next.kind != run->kind || next.pblk != (run->pblk ? run->pblk + run->nr : 0))
			break;
		run->nr += next.nr;
	}
	return err;
}

int vmem_find_span(struct vmem_inode *vi, uint64_t off, uint64_t len, bool fill,
		   struct vmem_span *span)
{
	uint64_t in = off & VMEM_BLOCK_MASK;
	struct vmem_map run = { 0 };
	int err;

	span->addr = NULL;
	span->len = 0;
	if (!len || off + len < off || off + len > VMEM_MAX_FILE_SIZE + 1 ||
	    vmem_blocks_for(off + len) > vmem_blocks_for(vmem_size(vi)))
		return -EINVAL;
	err = find_run(vi, off >> VMEM_BLOCK_SHIFT, vmem_blocks_for(in + len), fill, &run);
	if (run.nr)
		span->len = VMEM_MIN(len, (run.nr << VMEM_BLOCK_SHIFT) - in);
	if (run.nr && vmem_map_addr(vi->fs->store, &run))
		span->addr = vmem_map_addr(vi->fs->store, &run) + in;
	return err;
}

/* ---- Laying out ---- */

struct layout {
	struct vmem_inode *vi;
	uint64_t lblk, nr;
	struct vmem_run run;
};

static int check_hole(struct vmem_fs *fs, const struct vmem_dinode *n, const struct layout *l)
{
	uint64_t done = 0;

	while (done < l->nr) {
		struct vmem_map map;
		int err = vmem_ext_lookup(fs, n, l->vi->ino, l->lblk + done, &map);

		if (err)
			return err;
		if (map.kind != VMEM_HOLE)
			return -EEXIST;
		done += map.nr;
	}
	return 0;
}

static int reserve_op(struct vmem_txn *t, void *arg)
{
	struct layout *l = arg;
	uint64_t goal = vmem_inode_off(t->fs, l->vi->ino) >> VMEM_BLOCK_SHIFT;
	struct vmem_map prev;
	int err = 0;

	if (l->lblk) {
		err = vmem_ext_lookup(t->fs, &l->vi->raw, l->vi->ino, l->lblk - 1, &prev);
		goal = !err && prev.pblk ? prev.pblk + 1 : goal;
	}
	return err ? err : vmem_reserve_run(t->fs, goal, l->nr, &l->run);
}

static int link_op(struct vmem_txn *t, void *arg)
{
	struct layout *l = arg;
	struct vmem_dinode *n = txn_inode(t, l->vi);
	/* A fault in a mapping may have filled a part of it meanwhile. */
	int err = check_hole(t->fs, n, l);

	if (err)
		return err;
	txn_take(t, l->run, true);
	txn_link(t, l->run.start << VMEM_BLOCK_SHIFT, l->run.len << VMEM_BLOCK_SHIFT);
	vmem_inode_touch_raw(t->fs, n, false);
	return txn_ext_insert(t, n, l->vi->ino, l->lblk, l->run.start, l->nr, VMEM_DATA);
}

/* Blocks for a hole; the size reaches end then. */
static int fill_hole(struct layout *l, uint64_t end)
{
	struct vmem_fs *fs = l->vi->fs;
	uint64_t i;
	int err = vmem_run(fs, reserve_op, l);

	if (err)
		return err;
	if (vmem_size(l->vi) < end)
		err = vmem_truncate(l->vi, end);
	for (i = 0; i < l->nr && !err; i++)
		vmem_put_zero(fs->store, (l->run.start + i) << VMEM_BLOCK_SHIFT, VMEM_BLOCK_SIZE);
	if (!err)
		err = vmem_run(fs, link_op, l);
	if (err) {
		vmem_lock(fs, fs->lock);
		vmem_unreserve(fs, l->run);
		vmem_unlock(fs, fs->lock);
	}
	return err;
}

int vmem_layout(struct vmem_inode *vi, uint64_t off, uint64_t len)
{
	struct layout l = { .vi = vi, .lblk = off >> VMEM_BLOCK_SHIFT, .nr = vmem_blocks_for(len) };
	struct vmem_map run;
	int err;

	if (!vmem_is_reg(&vi->raw) || !len || off & VMEM_BLOCK_MASK)
		return -EINVAL;
	if (off > VMEM_MAX_FILE_SIZE || len > VMEM_MAX_FILE_SIZE - off)
		return -EFBIG;
	if (vmem_is_read_only(vi->fs))
		return vmem_refusal(vi->fs);
	err = vi->cut ? vmem_finish_cut(vi) : 0;
	if (!err)
		err = find_run(vi, l.lblk, l.nr, false, &run);
	if (err)
		return err;
	if (run.nr < l.nr)
		return -EEXIST;
	if (run.kind == VMEM_HOLE)
		return fill_hole(&l, off + len);
	if (vmem_size(vi) < off + len)
		err = vmem_truncate(vi, off + len);
	return err || run.kind == VMEM_DATA ? err : vmem_convert(vi, l.lblk, l.nr);
}
