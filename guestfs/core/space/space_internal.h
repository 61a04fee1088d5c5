/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* space_internal.h - what the files of this layer share: allocation groups */
#ifndef VMEM_SPACE_INTERNAL_H
#define VMEM_SPACE_INTERNAL_H

#include "space/space.h"

static inline void vmem_add32(vmem_le32 *v, int64_t delta)
{
	*v = vmem_le32_of((uint64_t)((int64_t)vmem_get32(*v) + delta));
}

/* The group's descriptor, to be changed; remembered for undo and writing. */
struct vmem_ag_desc *vmem_touch_desc(struct vmem_txn *t, uint32_t ag);

/* A transaction is taken back: descriptors and blocks are as before it. */
void vmem_txn_undo_alloc(struct vmem_txn *t);
/* Blocks that the record at lsn freed wait until recovery cannot touch them. */
void vmem_txn_pend_frees(struct vmem_txn *t, uint64_t lsn);
/* Pending blocks that may be reused become free, unless they are discarded before. */
void vmem_release_pending(struct vmem_fs *fs);
/* After a checkpoint, ckpt_lock held: discard and release what became free. */
void vmem_discard_pending(struct vmem_fs *fs);

#endif /* VMEM_SPACE_INTERNAL_H */
