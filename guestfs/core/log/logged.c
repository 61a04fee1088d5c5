// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* logged.c - which inodes have data in the log: a small table, emptied by checkpoints */
#include "log/log_internal.h"

#define LOGGED_PROBES 8u

/* The slot of inode ino; the search has no order, so that slots can empty anywhere. */
static struct vmem_logged *probe_logged(struct vmem_fs *fs, uint64_t ino, uint64_t key)
{
	unsigned int i;

	for (i = 0; i < LOGGED_PROBES; i++) {
		struct vmem_logged *l = &fs->logged[(ino + i) % VMEM_LOGGED_MAX];

		if (l->ino == key)
			return l;
	}
	return NULL;
}

struct vmem_logged *vmem_find_logged(struct vmem_fs *fs, uint64_t ino)
{
	return fs->nr_logged ? probe_logged(fs, ino, ino) : NULL;
}

bool vmem_note_logged(struct vmem_inode *vi, uint64_t lo, uint64_t hi)
{
	struct vmem_fs *fs = vi->fs;
	struct vmem_logged *l = vmem_find_logged(fs, vi->ino);

	lo &= ~(uint64_t)VMEM_BLOCK_MASK;
	hi = vmem_align_up(hi, VMEM_BLOCK_SIZE);
	if (!l) {
		l = probe_logged(fs, vi->ino, 0);
		if (!l)
			return false;
		l->ino = vi->ino;
		l->lo = lo;
		l->hi = hi;
		fs->nr_logged++;
	}
	l->lo = VMEM_MIN(l->lo, lo);
	l->hi = VMEM_MAX(l->hi, hi);
	l->ckpt = fs->ckpt_seq;
	vi->logged_ckpt = fs->ckpt_seq;
	return true;
}

void vmem_forget_logged(struct vmem_inode *vi)
{
	struct vmem_logged *l = vmem_find_logged(vi->fs, vi->ino);

	if (l) {
		l->ino = 0;
		vi->fs->nr_logged--;
	}
	vi->logged_ckpt = 0;
}

void vmem_forget_old_logged(struct vmem_fs *fs)
{
	unsigned int i;

	for (i = 0; i < VMEM_LOGGED_MAX; i++)
		if (fs->logged[i].ino && fs->logged[i].ckpt < fs->ckpt_live) {
			fs->logged[i].ino = 0;
			fs->nr_logged--;
		}
}
