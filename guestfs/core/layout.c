// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * layout.c - file contents at consecutive addresses, when asked for
 *
 * Reserve one run, store zeros, link it by one record: as a write into a hole
 * does, but all or nothing.
 */
#include "internal.h"

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
		if (map.pblk)
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
	int err = check_hole(t->fs, &l->vi->raw, l);

	if (!err && l->lblk) {
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
	return txn_ext_insert(t, n, l->vi->ino, l->lblk, l->run.start, l->nr);
}

int vmem_layout(struct vmem_inode *vi, uint64_t lblk, uint64_t nr)
{
	struct layout l = { .vi = vi, .lblk = lblk, .nr = nr };
	struct vmem_fs *fs = vi->fs;
	uint64_t blocks = (vmem_size(vi) + VMEM_BLOCK_MASK) >> VMEM_BLOCK_SHIFT, i;
	int err;

	if (!vmem_is_reg(&vi->raw) || !nr || lblk >= blocks || nr > blocks - lblk)
		return -EINVAL;
	if (vmem_is_read_only(fs))
		return vmem_refusal(fs);
	err = vmem_run(fs, reserve_op, &l);
	if (err)
		return err;
	for (i = 0; i < nr; i++)
		vmem_put_zero(fs->store, (l.run.start + i) << VMEM_BLOCK_SHIFT, VMEM_BLOCK_SIZE);
	err = vmem_run(fs, link_op, &l);
	if (err) {
		vmem_lock(fs, fs->lock);
		vmem_unreserve(fs, l.run);
		vmem_unlock(fs, fs->lock);
	}
	return err;
}
