// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* root.c - see root.h */
#include "medium/root.h"

bool vmem_root_valid(const struct vmem_root *root, const uint8_t uuid[VMEM_UUID_LEN], vmem_crc_fn crc)
{
	return vmem_get64(root->magic) == VMEM_ROOT_MAGIC &&
	       vmem_get32(root->csum) == vmem_root_csum(crc, root) &&
	       !memcmp(root->uuid, uuid, VMEM_UUID_LEN) &&
	       vmem_get64(root->tail) % VMEM_REC_ALIGN == 0 &&
	       vmem_get64(root->tail) < VMEM_ROOT_SEQ_END && vmem_get64(root->seq) < VMEM_ROOT_SEQ_END;
}

unsigned int vmem_newest_root(const uint8_t *base, const uint8_t uuid[VMEM_UUID_LEN], vmem_crc_fn crc,
			      struct vmem_root *newest)
{
	unsigned int found = VMEM_NR_ROOTS, i;

	for (i = 0; i < VMEM_NR_ROOTS; i++) {
		struct vmem_root r;

		memcpy(&r, base + ((size_t)VMEM_ROOT_BLOCK(i) << VMEM_BLOCK_SHIFT), sizeof(r));
		if (!vmem_root_valid(&r, uuid, crc) ||
		    (found < VMEM_NR_ROOTS && vmem_get64(r.seq) <= vmem_get64(newest->seq)))
			continue;
		*newest = r;
		found = i;
	}
	return found;
}

void vmem_store_root(struct vmem_store *store, unsigned int slot, struct vmem_root *root, vmem_crc_fn crc)
{
	uint64_t off = (uint64_t)VMEM_ROOT_BLOCK(slot) << VMEM_BLOCK_SHIFT;

	root->applied = root->tail;
	root->csum = vmem_le32_of(vmem_root_csum(crc, root));
	vmem_put64(store, off + offsetof(struct vmem_root, applied), vmem_get64(root->applied));
	vmem_fence(store);
	vmem_put(store, off, root, 256);
	vmem_fence(store);
}
