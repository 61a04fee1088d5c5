/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * persist.h - every store of the core to the medium
 *
 * Nothing else in the core writes below store->base (file data arrives
 * through the caller's copy function, which follows the same rules).  What a
 * store needs to survive depends on the backing:
 *
 *   page cache	coherent memory: a retired store survives guest and QEMU; the
 *		host's failure is the business of store->flush.  Only the
 *		compiler and, where the CPU reorders stores, a release fence.
 *   DAX	written-back cache lines survive, so each store is followed by
 *		store->writeback, and vmem_fence() drains.
 */
#ifndef VMEM_PERSIST_H
#define VMEM_PERSIST_H

#include "medium/fault.h"
#include "vmem.h"

static inline void vmem_stored(struct vmem_store *store, uint64_t off, size_t len)
{
	size_t in_page = (size_t)(VMEM_BLOCK_SIZE - off % VMEM_BLOCK_SIZE);

	if (store->writeback && !(VMEM_BROKEN(WRITEBACK) && len < 64))
		store->writeback(store, store->base + off,
				 VMEM_BROKEN(LONG_NAME) && len > in_page ? in_page : len);
#ifdef VMEM_RECORD
	if (store->recorded)
		store->recorded(store, off, len);
#endif
}

static inline void vmem_put(struct vmem_store *store, uint64_t off, const void *src, size_t len)
{
	memcpy(store->base + off, src, len);
	vmem_stored(store, off, len);
}

static inline void vmem_put_zero(struct vmem_store *store, uint64_t off, size_t len)
{
	memset(store->base + off, 0, len);
	vmem_stored(store, off, len);
}

/* One 8-byte store that neither the compiler nor a crash can tear; off is aligned. */
static inline void vmem_put64(struct vmem_store *store, uint64_t off, uint64_t v)
{
	vmem_le64 le = vmem_le64_of(v);

	*(volatile uint64_t *)(void *)(store->base + off) = le.raw;
	vmem_stored(store, off, sizeof(le));
}

/* Stores before it survive whenever a store after it does. */
static inline void vmem_fence(struct vmem_store *store)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
	if (store->drain)
		store->drain(store);
}

#endif /* VMEM_PERSIST_H */
