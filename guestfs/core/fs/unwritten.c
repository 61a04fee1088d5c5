// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * unwritten.c - preallocated blocks become data
 *
 * They read as zeros, so making them zeros changes nothing that can be seen: they
 * are zeroed first, the record that calls them data links the zeros, and what is to be
 * written to them goes in place then.  That all happens under the lock: of two who
 * want the same block the second finds data, and does not zero what the first has
 * stored since.  Behind the end of file nothing but a write can want a block; there
 * the record that moves the end has the data linked at once (write.c).
 */
#include "fs/fs.h"

#define UNIT	64u	/* blocks that are zeroed while the lock is held */

struct convert {
	struct vmem_inode *vi;
	uint64_t lblk, nr;
};

static int do_convert(struct vmem_txn *t, void *arg)
{
	struct convert *c = arg;
	struct vmem_dinode *n = txn_inode(t, c->vi);
	struct vmem_map map;
	int err = vmem_ext_lookup(t->fs, n, c->vi->ino, c->lblk, &map);
	uint64_t off, len;

	c->nr = VMEM_MIN(c->nr, map.nr);
	if (err || (map.kind != VMEM_UNWRITTEN && !VMEM_BROKEN(CONVERT_BLIND)))
		return err;
	map.nr = c->nr;
	/* In a copy of the image it may be a hole of the host's file. */
	err = vmem_provision(t->fs, map.pblk, map.nr);
	if (err)
		return err;
	off = map.pblk << VMEM_BLOCK_SHIFT;
	len = map.nr << VMEM_BLOCK_SHIFT;
	if (!VMEM_BROKEN(CONVERT_STALE))
		vmem_put_zero(t->fs->store, off, (size_t)len);
	if (!VMEM_BROKEN(CONVERT_EARLY))
		txn_link(t, off, len);
	c->vi->converted++;
	return txn_ext_set_kind(t, n, c->vi->ino, &map, VMEM_DATA);
}

/*
 * Were they data until a record that the host's disk need not have yet?  Then that record
 * becomes durable before they are zeroed.
 */
static int settle(struct vmem_inode *vi)
{
	struct vmem_fs *fs = vi->fs;
	uint64_t lsn = VMEM_PEEK(vi->zeroed_lsn);

	if (vmem_immediate(fs) || lsn <= __atomic_load_n(&fs->committed, __ATOMIC_ACQUIRE) ||
	    VMEM_BROKEN(ZERO_EARLY))
		return 0;
	return vmem_commit(fs, lsn);
}

int vmem_convert(struct vmem_inode *vi, uint64_t lblk, uint64_t nr)
{
	uint64_t end = VMEM_MIN(lblk + nr, vmem_blocks_for(vmem_size(vi)));
	struct convert c = { .vi = vi, .lblk = lblk };
	int err;

	if (lblk >= end)
		return -EINVAL;
	err = settle(vi);
	if (!err)
		err = vmem_unlog(vi, lblk << VMEM_BLOCK_SHIFT, end << VMEM_BLOCK_SHIFT);
	for (; !err && c.lblk < end; c.lblk += c.nr) {
		c.nr = VMEM_MIN(end - c.lblk, UNIT);
		err = vmem_run(vi->fs, do_convert, &c);
	}
	return err;
}
