// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* groups.c - allocation groups: their descriptors in memory and in transactions */
#include "space/space_internal.h"

/* ---- Loading ---- */

int vmem_alloc_load(struct vmem_fs *fs)
{
	uint32_t i;

	fs->ags = vmem_alloc(fs, fs->nr_ags * sizeof(fs->ags[0]));
	if (!fs->ags)
		return -ENOMEM;
	fs->free_blocks = 0;
	fs->free_inodes = 0;
	fs->nr_dirs = 0;
	for (i = 0; i < fs->nr_ags; i++) {
		struct vmem_ag_desc *d = &fs->ags[i].desc;

		memcpy(d, vmem_meta(fs, vmem_desc_off(fs, i)), sizeof(*d));
		if (vmem_get32(d->free_blocks) > vmem_ag_size(fs, i) ||
		    vmem_get32(d->free_inodes) > fs->inodes_per_ag ||
		    vmem_get32(d->nr_dirs) > fs->inodes_per_ag ||
		    vmem_get32(d->nr_orphans) > fs->inodes_per_ag ||
		    vmem_get32(d->itable_init) > fs->itable_blocks)
			return vmem_corrupt(fs, 0, vmem_desc_off(fs, i) >> VMEM_BLOCK_SHIFT,
					    "allocation group descriptor");
		fs->free_blocks += vmem_get32(d->free_blocks);
		fs->free_inodes += vmem_get32(d->free_inodes);
		fs->nr_dirs += vmem_get32(d->nr_dirs);
	}
	return 0;
}

void vmem_alloc_unload(struct vmem_fs *fs)
{
	uint32_t i;

	for (i = 0; fs->ags && i < fs->nr_ags; i++)
		vmem_free(fs, fs->ags[i].busy, VMEM_BLOCK_SIZE);
	vmem_free(fs, fs->ags, fs->nr_ags * sizeof(fs->ags[0]));
	vmem_free(fs, fs->pending, fs->pending_max * sizeof(fs->pending[0]));
	fs->ags = NULL;
	fs->pending = NULL;
}

void vmem_alloc_extend(struct vmem_fs *fs, struct vmem_ag *ags, uint32_t nr_ags)
{
	uint32_t i;

	memcpy(ags, fs->ags, fs->nr_ags * sizeof(ags[0]));
	vmem_free(fs, fs->ags, fs->nr_ags * sizeof(ags[0]));
	fs->ags = ags;
	for (i = fs->nr_ags; i < nr_ags; i++) {
		fs->free_blocks += vmem_get32(ags[i].desc.free_blocks);
		fs->free_inodes += vmem_get32(ags[i].desc.free_inodes);
	}
	fs->nr_ags = nr_ags;
}

/* ---- Descriptors in a transaction ---- */

struct vmem_ag_desc *vmem_touch_desc(struct vmem_txn *t, uint32_t ag)
{
	struct vmem_ag_desc *d = &t->fs->ags[ag].desc;
	unsigned int i;

	for (i = 0; i < t->nr_ags; i++)
		if (t->ags[i].ag == ag)
			return d;
	if (t->nr_ags == VMEM_TXN_AGS) {
		if (!t->err)
			t->err = -EOVERFLOW;
		return NULL;
	}
	t->ags[t->nr_ags].ag = ag;
	t->ags[t->nr_ags++].old = *d;
	return d;
}

static void write_descs(struct vmem_txn *t)
{
	unsigned int i;

	for (i = 0; i < t->nr_ags; i++)
		txn_write(t, vmem_desc_off(t->fs, t->ags[i].ag), &t->fs->ags[t->ags[i].ag].desc,
			  offsetof(struct vmem_ag_desc, reserved));
}

/* ---- What the log does for this layer ---- */

const struct vmem_txn_hooks vmem_space_hooks = {
	.prepare = write_descs,
	.undo = vmem_txn_undo_alloc,
	.appended = vmem_txn_pend_frees,
	.floor_moved = vmem_release_pending,
	.checkpointed = vmem_discard_pending,
};
