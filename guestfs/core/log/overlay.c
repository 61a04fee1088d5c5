// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * overlay.c - metadata blocks in DRAM
 *
 * A transaction changes metadata here, never on the medium.  In the domains
 * guest and pmem the record is applied at home right after it is published,
 * so pages are clean; in the domain host a page stays dirty until the next
 * checkpoint, because home must not get ahead of the host-durable log.
 */
#include "log/log.h"

uint32_t vmem_overlay_pages(size_t memory)
{
	/* A page with what describes it; twice as many, for those that are home; some room. */
	return (uint32_t)(memory / (VMEM_BLOCK_SIZE + 64) * 3 / 8);
}

static unsigned int bucket_of(uint64_t block)
{
	return (unsigned int)((block * 0x9e3779b97f4a7c15ull) >> 52) & (VMEM_OVERLAY_BUCKETS - 1);
}

struct vmem_opage *vmem_overlay_find(struct vmem_fs *fs, uint64_t block)
{
	struct vmem_opage *op = fs->buckets[bucket_of(block)];

	while (op && op->block != block)
		op = op->next;
	return op;
}

const uint8_t *vmem_meta(struct vmem_fs *fs, uint64_t off)
{
	struct vmem_opage *op = vmem_overlay_find(fs, off >> VMEM_BLOCK_SHIFT);

	return op ? op->data + (off & VMEM_BLOCK_MASK) : fs->store->base + off;
}

struct vmem_opage *vmem_overlay_get(struct vmem_fs *fs, uint64_t block, bool zero)
{
	struct vmem_opage *op = vmem_overlay_find(fs, block), **bucket;

	if (op) {
		if (zero)
			memset(op->data, 0, VMEM_BLOCK_SIZE);
		return op;
	}
	op = vmem_alloc(fs, sizeof(*op));
	if (!op)
		return NULL;
	op->data = vmem_alloc(fs, VMEM_BLOCK_SIZE);
	if (!op->data) {
		vmem_free(fs, op, sizeof(*op));
		return NULL;
	}
	op->block = block;
	if (!zero)
		memcpy(op->data, fs->store->base + (block << VMEM_BLOCK_SHIFT), VMEM_BLOCK_SIZE);
	bucket = &fs->buckets[bucket_of(block)];
	op->next = *bucket;
	*bucket = op;
	op->all = fs->opages;
	fs->opages = op;
	fs->nr_opages++;
	return op;
}

void vmem_overlay_dirty(struct vmem_fs *fs, struct vmem_opage *op)
{
	if (!op->dirty) {
		op->dirty = true;
		fs->nr_dirty++;
	}
}

void vmem_overlay_clean(struct vmem_fs *fs, uint64_t block)
{
	struct vmem_opage *op = vmem_overlay_find(fs, block);

	if (op && op->dirty) {
		op->dirty = false;
		fs->nr_dirty--;
	}
}

int vmem_overlay_provision(struct vmem_fs *fs)
{
	struct vmem_opage *op;
	int err = 0;

	for (op = fs->opages; op && !err; op = op->all)
		if (op->dirty)
			err = vmem_provision(fs, op->block, 1);
	return err;
}

void vmem_overlay_writeback(struct vmem_fs *fs, struct vmem_rangeset *ranges)
{
	struct vmem_opage *op;

	for (op = fs->opages; op; op = op->all) {
		uint64_t off = op->block << VMEM_BLOCK_SHIFT;

		if (!op->dirty)
			continue;
		vmem_put(fs->store, off, op->data, VMEM_BLOCK_SIZE);
		vmem_ranges_add(ranges, off, VMEM_BLOCK_SIZE);
		op->dirty = false;
	}
	fs->nr_dirty = 0;
}

void vmem_overlay_drop(struct vmem_fs *fs, bool dirty_too)
{
	struct vmem_opage *op = fs->opages, *next, **all = &fs->opages;

	memset(fs->buckets, 0, VMEM_OVERLAY_BUCKETS * sizeof(fs->buckets[0]));
	fs->nr_opages = 0;
	for (; op; op = next) {
		struct vmem_opage **bucket = &fs->buckets[bucket_of(op->block)];

		next = op->all;
		if (dirty_too || !op->dirty) {
			vmem_free(fs, op->data, VMEM_BLOCK_SIZE);
			vmem_free(fs, op, sizeof(*op));
			continue;
		}
		op->next = *bucket;
		*bucket = op;
		*all = op;
		all = &op->all;
		fs->nr_opages++;
	}
	*all = NULL;
	if (dirty_too)
		fs->nr_dirty = 0;
}

