// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* roots.c - writing the root: where the log begins, and the state of the mount */
#include "log/log_internal.h"
#include "medium/root.h"

static uint64_t root_off(unsigned int slot)
{
	return (uint64_t)VMEM_ROOT_BLOCK(slot) << VMEM_BLOCK_SHIFT;
}

bool vmem_find_root(struct vmem_fs *fs)
{
	unsigned int slot = vmem_newest_root(fs->store->base, fs->uuid, fs->crc, &fs->root);

	if (slot < VMEM_NR_ROOTS)
		fs->root_slot = slot;
	return slot < VMEM_NR_ROOTS;
}

bool vmem_root_is_others(struct vmem_fs *fs)
{
	struct vmem_root r;
	unsigned int slot = vmem_newest_root(fs->store->base, fs->uuid, fs->crc, &r);

	return slot != fs->root_slot || vmem_get64(r.seq) != vmem_get64(fs->root.seq);
}

void vmem_put_root(struct vmem_fs *fs, uint32_t state, uint64_t tail)
{
	struct vmem_root *r = &fs->root;
	unsigned int slot = VMEM_BROKEN(ROOT_IN_PLACE) ? fs->root_slot : 1 - fs->root_slot;
	uint32_t keep = vmem_get32(r->state) & ~VMEM_STATE_MOUNTED;

	r->state = vmem_le32_of(keep | state);
	r->seq = vmem_le64_of(vmem_get64(r->seq) + 1);
	r->tail = vmem_le64_of(tail);
	r->log_seed = vmem_le32_of(fs->seed);
	r->domain = vmem_le32_of(fs->domain);
	r->write_time = vmem_le64_of((uint64_t)vmem_now(fs));
	vmem_store_root(fs->store, slot, r, fs->crc);
	fs->root_slot = slot;
	fs->pmem_applied = tail;
}

int vmem_flush_root(struct vmem_fs *fs)
{
	return vmem_flush_range(fs, root_off(fs->root_slot), VMEM_BLOCK_SIZE);
}

int vmem_write_root(struct vmem_fs *fs, uint32_t state, uint64_t tail)
{
	vmem_put_root(fs, state, tail);
	if (vmem_immediate(fs))
		return 0;
	return vmem_flush_root(fs);
}

int vmem_rewrite_root(struct vmem_fs *fs)
{
	/* What is home already must not be replayed: vmem_put_root() says `applied` anew. */
	uint64_t tail = vmem_immediate(fs) ? fs->head : vmem_get64(fs->root.tail);

	vmem_fence(fs->store);
	vmem_put_root(fs, VMEM_STATE_MOUNTED, tail);
	return vmem_flush_root(fs);
}

