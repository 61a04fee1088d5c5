// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* dirty.c - what was stored in place and must still be flushed: ranges of an inode, a list of inodes */
#include "log/log_internal.h"

void vmem_list_dirty(struct vmem_inode *vi)
{
	struct vmem_fs *fs = vi->fs;

	if (vi->dirty_link)
		return;
	vi->dirty_next = fs->dirty_inodes;
	if (vi->dirty_next)
		vi->dirty_next->dirty_link = &vi->dirty_next;
	vi->dirty_link = &fs->dirty_inodes;
	fs->dirty_inodes = vi;
}

void vmem_unlist_dirty(struct vmem_inode *vi)
{
	if (!vi->dirty_link)
		return;
	*vi->dirty_link = vi->dirty_next;
	if (vi->dirty_next)
		vi->dirty_next->dirty_link = vi->dirty_link;
	vi->dirty_link = NULL;
}

/* Full: join the two that lie closest. */
static void join_closest(struct vmem_inode *vi)
{
	struct vmem_dirty *d = vi->dirty;
	uint64_t best = UINT64_MAX, end;
	uint32_t i, k, a = 0, b = 1;

	for (i = 0; i < vi->nr_dirty; i++)
		for (k = 0; k < vi->nr_dirty; k++) {
			uint64_t gap = d[k].offset - d[i].offset;

			if (i != k && d[k].offset >= d[i].offset && gap < best) {
				best = gap;
				a = i;
				b = k;
			}
		}
	end = VMEM_MAX(d[a].offset + d[a].length, d[b].offset + d[b].length);
	d[a].length = end - d[a].offset;
	d[a].seq = VMEM_MAX(d[a].seq, d[b].seq);
	d[b] = d[--vi->nr_dirty];
}

void vmem_dirty_add(struct vmem_inode *vi, uint64_t off, uint64_t len)
{
	struct vmem_fs *fs = vi->fs;
	uint64_t start = off & ~(uint64_t)VMEM_BLOCK_MASK;
	uint64_t end = vmem_align_up(off + len, VMEM_BLOCK_SIZE);
	uint32_t i;

	vmem_lock(fs, fs->dirty_lock);
	vi->dirty_seq++;
	for (i = 0; i < vi->nr_dirty; i++) {
		struct vmem_dirty *d = &vi->dirty[i];

		if (start <= d->offset + d->length && end >= d->offset) {
			end = VMEM_MAX(end, d->offset + d->length);
			d->offset = VMEM_MIN(start, d->offset);
			d->length = end - d->offset;
			d->seq = vi->dirty_seq;
			goto out;
		}
	}
	if (vi->nr_dirty == VMEM_DIRTY_RANGES)
		join_closest(vi);
	vi->dirty[vi->nr_dirty].offset = start;
	vi->dirty[vi->nr_dirty].length = end - start;
	vi->dirty[vi->nr_dirty++].seq = vi->dirty_seq;
out:
	vmem_list_dirty(vi);
	vmem_unlock(fs, fs->dirty_lock);
}

bool vmem_is_dirty(struct vmem_inode *vi, uint64_t off)
{
	bool dirty = false;
	uint32_t i;

	vmem_lock(vi->fs, vi->fs->dirty_lock);
	for (i = 0; i < vi->nr_dirty; i++)
		dirty |= off >= vi->dirty[i].offset && off - vi->dirty[i].offset < vi->dirty[i].length;
	vmem_unlock(vi->fs, vi->fs->dirty_lock);
	return dirty;
}

/* The ranges up to seq have been flushed. */
void vmem_dirty_done(struct vmem_inode *vi, uint64_t seq)
{
	struct vmem_fs *fs = vi->fs;
	uint32_t i = 0;

	vmem_lock(fs, fs->dirty_lock);
	while (i < vi->nr_dirty) {
		if (vi->dirty[i].seq <= seq || VMEM_BROKEN(DIRTY_LOST))
			vi->dirty[i] = vi->dirty[--vi->nr_dirty];
		else
			i++;
	}
	if (!vi->nr_dirty && !VMEM_PEEK(vi->times_dirty))
		vmem_unlist_dirty(vi);
	vmem_unlock(fs, fs->dirty_lock);
}
