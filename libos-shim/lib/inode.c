// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * inode.c - inodes in memory: one per number, counted, some remembered
 *
 * The core wants at most one struct vmem_inode per number.  Inodes that nobody
 * uses any more are kept for a while: a path is walked again soon, and one
 * that is closed, opened and fsynced then still knows that nothing changed.
 */
#include "internal.h"

static struct vmemos_inode **bucket_of(struct vmemos *fs, uint64_t ino)
{
	return &fs->hash[ino % VMEMOS_BUCKETS];
}

static void unhash(struct vmemos_inode *inode)
{
	struct vmemos_inode **p = bucket_of(inode->fs, inode->core.ino);

	while (*p != inode)
		p = &(*p)->hash_next;
	*p = inode->hash_next;
}

/* Of what has no name and no user.  Where that fails, a later call does it, or the unmount. */
static void free_storage(struct vmemos *fs)
{
	struct vmemos_inode *inode;

	while ((inode = fs->nameless) && !vmem_iput(&inode->core)) {
		fs->nameless = inode->hash_next;
		vmemos_idrop(inode);
	}
}

void vmemos_ishrink(struct vmemos *fs, unsigned int keep)
{
	struct vmemos_inode *inode;

	while (fs->nr_idle > keep) {
		inode = fs->hash[fs->hand++ % VMEMOS_BUCKETS];
		while (inode && inode->refs)
			inode = inode->hash_next;
		if (inode) {
			fs->nr_idle--;
			unhash(inode);
			/* A failed flush is told by the next fsync; of all else the unmount takes care. */
			(void)vmem_iput(&inode->core);
			vmemos_idrop(inode);
		}
	}
}

void *vmemos_need(struct vmemos *fs, size_t size)
{
	void *mem = vmemos_alloc(&fs->env, size);

	if (mem)
		return mem;
	vmemos_ishrink(fs, 0);
	return vmemos_alloc(&fs->env, size);
}

struct vmemos_inode *vmemos_inew(struct vmemos *fs)
{
	struct vmemos_inode *inode = vmemos_need(fs, sizeof(*inode));

	if (inode) {
		inode->fs = fs;
		inode->refs = 1;
	}
	return inode;
}

void vmemos_imade(struct vmemos_inode *inode)
{
	struct vmemos_inode **bucket = bucket_of(inode->fs, inode->core.ino);

	inode->hash_next = *bucket;
	*bucket = inode;
}

void vmemos_idrop(struct vmemos_inode *inode)
{
	vmemos_free(&inode->fs->env, inode, sizeof(*inode));
}

int vmemos_iget(struct vmemos *fs, uint64_t ino, struct vmemos_inode **out)
{
	struct vmemos_inode *inode = *bucket_of(fs, ino);
	int err;

	while (inode && inode->core.ino != ino)
		inode = inode->hash_next;
	if (inode) {
		vmemos_ihold(inode);
		*out = inode;
		return 0;
	}
	inode = vmemos_inew(fs);
	if (!inode)
		return -ENOMEM;
	err = vmem_iget(fs->core, ino, &inode->core);
	if (err) {
		vmemos_idrop(inode);
		return err;
	}
	vmemos_imade(inode);
	*out = inode;
	return 0;
}

void vmemos_ihold(struct vmemos_inode *inode)
{
	if (!inode->refs++)
		inode->fs->nr_idle--;
}

void vmemos_iput(struct vmemos_inode *inode)
{
	struct vmemos *fs = inode->fs;

	if (--inode->refs)
		return;
	if (!vmem_get32(inode->core.raw.nlink)) {
		unhash(inode);
		inode->hash_next = fs->nameless;
		fs->nameless = inode;
	} else {
		fs->nr_idle++;
		vmemos_ishrink(fs, VMEMOS_IDLE_MAX);
	}
	free_storage(fs);
}
