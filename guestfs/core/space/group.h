/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* group.h - what the files of this layer share: allocation groups */
#ifndef VMEM_GROUP_H
#define VMEM_GROUP_H

#include "mount.h"

static inline uint32_t vmem_ag_size(const struct vmem_fs *fs, uint32_t ag)
{
	uint64_t start = (uint64_t)ag * fs->ag_blocks;

	return (uint32_t)VMEM_MIN(fs->ag_blocks, fs->nr_blocks - start);
}

static inline void vmem_add32(vmem_le32 *v, int64_t delta)
{
	*v = vmem_le32_of((uint64_t)((int64_t)vmem_get32(*v) + delta));
}

/* The group's descriptor, to be changed; remembered for undo and writing. */
struct vmem_ag_desc *vmem_touch_desc(struct vmem_txn *t, uint32_t ag);

#endif /* VMEM_GROUP_H */
