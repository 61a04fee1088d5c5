// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* times.c - times of inodes that change without a record */
#include "fs/fs.h"

void vmem_see_ctime(struct vmem_inode *vi)
{
	if (!__atomic_load_n(&vi->ctime_seen, __ATOMIC_SEQ_CST))
		__atomic_store_n(&vi->ctime_seen, true, __ATOMIC_SEQ_CST);
}

static int64_t touched_ctime(struct vmem_inode *vi, int64_t now)
{
	bool seen = VMEM_PEEK(vi->ctime_seen) &&
		    __atomic_exchange_n(&vi->ctime_seen, false, __ATOMIC_SEQ_CST);

	return vmem_next_ctime((int64_t)vmem_get64(vi->raw.ctime), now, seen);
}

static const unsigned int time_bits[VMEM_NR_TIMES] = {
	VMEM_SET_ATIME, VMEM_SET_MTIME, VMEM_SET_CTIME,
};

/* The times that are to be set, in memory; returns those that became others. */
static unsigned int set_times(struct vmem_inode *vi, unsigned int which, int64_t now)
{
	vmem_le64 *times = vmem_times(&vi->raw);
	unsigned int i, set = 0;

	for (i = 0; i < VMEM_NR_TIMES; i++) {
		uint64_t v;

		if (!(which & time_bits[i]))
			continue;
		v = (uint64_t)(time_bits[i] == VMEM_SET_CTIME ? touched_ctime(vi, now) : now);
		if (vmem_get64(times[i]) == v)
			continue;
		/* One store: others look at it without a lock. */
		__atomic_store_n(&times[i].raw, vmem_le64_of(v).raw, __ATOMIC_RELAXED);
		set |= time_bits[i];
	}
	return set;
}

/* Would set_times() do anything?  It may, where a change of ctime was seen. */
static bool times_differ(const struct vmem_inode *vi, unsigned int which, int64_t now)
{
	const struct vmem_dinode *n = &vi->raw;

	return (which & VMEM_SET_ATIME && vmem_peek64(&n->atime) != (uint64_t)now) ||
	       (which & VMEM_SET_MTIME && vmem_peek64(&n->mtime) != (uint64_t)now) ||
	       (which & VMEM_SET_CTIME && (vmem_peek64(&n->ctime) != (uint64_t)now ||
					   VMEM_PEEK(vi->ctime_seen)));
}

/* Domains guest and pmem: in memory, the overlay and at home, between two transactions. */
static void store_touched(struct vmem_inode *vi, unsigned int which, int64_t now)
{
	struct vmem_fs *fs = vi->fs;
	uint64_t off = vmem_inode_off(fs, vi->ino) + offsetof(struct vmem_dinode, atime);
	struct vmem_opage *op;
	unsigned int i, set;

	vmem_lock_shared(fs);
	/* Of two who touch, the later one's ctime is not before the other's, here and at home. */
	vmem_lock(fs, fs->dirty_lock);
	set = set_times(vi, which, now);
	op = set ? vmem_overlay_find(fs, off >> VMEM_BLOCK_SHIFT) : NULL;
	for (i = 0; i < VMEM_NR_TIMES; i++, off += sizeof(vmem_le64)) {
		vmem_le64 v = vmem_times(&vi->raw)[i];

		if (!(set & time_bits[i]))
			continue;
		if (op)
			memcpy(op->data + (off & VMEM_BLOCK_MASK), &v, sizeof(v));
		vmem_put64(fs->store, off, vmem_get64(v));
	}
	vmem_unlock(fs, fs->dirty_lock);
	vmem_unlock_shared(fs);
	if (set && fs->domain == VMEM_DOMAIN_PMEM)
		VMEM_FLAG(vi->times_dirty, true);
}

/* Domain host: in memory, for the next record. */
static void note_touched(struct vmem_inode *vi, unsigned int which, int64_t now)
{
	struct vmem_fs *fs = vi->fs;

	vmem_lock(fs, fs->dirty_lock);
	if (set_times(vi, which, now)) {
		VMEM_FLAG(vi->times_dirty, true);
		vmem_list_dirty(vi);
	}
	vmem_unlock(fs, fs->dirty_lock);
}

void vmem_touch(struct vmem_inode *vi, unsigned int which, int64_t now)
{
	if (vmem_is_read_only(vi->fs))
		return;
	/* Most touches come in the same tick as the one before. */
	if (!times_differ(vi, which, now))
		return;
	if (vmem_immediate(vi->fs))
		store_touched(vi, which, now);
	else
		note_touched(vi, which, now);
}

void vmem_store_times(struct vmem_inode *vi)
{
	struct vmem_fs *fs = vi->fs;
	uint64_t off = vmem_inode_off(fs, vi->ino) + offsetof(struct vmem_dinode, atime);
	vmem_le64 times[] = { vi->raw.atime, vi->raw.mtime, vi->raw.ctime };
	unsigned int i;

	vmem_lock(fs, fs->lock);
	vmem_overlay_patch(fs, off, times, sizeof(times));
	for (i = 0; i < 3; i++)
		vmem_put64(fs->store, off + i * sizeof(times[0]), vmem_get64(times[i]));
	if (!vmem_immediate(fs))
		vmem_ranges_add(fs->stored, off, sizeof(times));
	vmem_unlock(fs, fs->lock);
}

bool vmem_is_only_atime(const struct vmem_inode *vi)
{
	struct vmem_fs *fs = vi->fs;
	const struct vmem_dinode *n;
	bool only;

	if (vmem_immediate(fs) || vmem_is_read_only(fs))
		return false;
	vmem_lock_shared(fs);
	n = (const void *)vmem_meta(fs, vmem_inode_off(fs, vi->ino));
	only = vmem_get64(n->mtime) == vmem_get64(vi->raw.mtime) &&
	       vmem_get64(n->ctime) == vmem_get64(vi->raw.ctime);
	vmem_unlock_shared(fs);
	return only;
}
