/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* node.h - the head that extent nodes and directory blocks share */
#ifndef VMEM_NODE_H
#define VMEM_NODE_H

#include "tree/tree.h"

/*
 * Copy from a node, once: on a damaged image a file may hold the same block,
 * and whoever writes to it must not change a value between its check and its use.
 */
static inline void vmem_fetch(void *to, const uint8_t *from, size_t len)
{
	memcpy(to, from, len);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Are the flags of an extent possible here? */
static inline bool vmem_flags_ok(const struct vmem_fs *fs, const struct vmem_extent *e)
{
	return !(vmem_get64(e->w1) >> VMEM_PBLK_BITS) || ext_flags_ok(e, VMEM_PEEK(fs->features));
}

static inline enum vmem_kind vmem_kind_of(const struct vmem_extent *e)
{
	return ext_unwritten(e) ? VMEM_UNWRITTEN : VMEM_DATA;
}

/* Make block the image of an empty node. */
static inline void vmem_node_init(uint8_t *block, uint32_t magic, uint64_t self, uint64_t owner,
				  unsigned int level, unsigned int count)
{
	struct vmem_node head = {
		.magic = vmem_le32_of(magic),
		.level = vmem_le16_of(level),
		.count = vmem_le16_of(count),
		.owner = vmem_le64_of(owner),
		.self = vmem_le64_of(self),
	};

	memset(block, 0, VMEM_BLOCK_SIZE);
	memcpy(block, &head, sizeof(head));
}

/*
 * The node of this kind at block, whose entries *count gets; NULL: there is none.
 * Valid as what vmem_meta() returns, and until a transaction first changes the block.
 */
static inline const uint8_t *vmem_node_at(struct vmem_fs *fs, uint64_t block, uint32_t magic,
					  uint64_t owner, unsigned int level, unsigned int *count)
{
	struct vmem_node head;
	const uint8_t *node;

	if (!vmem_block_ok(fs, block, 1))
		return NULL;
	node = vmem_meta(fs, block << VMEM_BLOCK_SHIFT);
	vmem_fetch(&head, node, sizeof(head));
	*count = vmem_get16(head.count);
	return vmem_get32(head.magic) == magic && vmem_get16(head.level) == level &&
	       vmem_get64(head.owner) == owner && vmem_get64(head.self) == block &&
	       *count <= VMEM_NODE_ENTRIES ? node : NULL;
}

#endif /* VMEM_NODE_H */
