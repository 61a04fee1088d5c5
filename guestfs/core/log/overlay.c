// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * overlay.c - metadata blocks in DRAM
 *
 * A transaction changes metadata here, never on the medium.  In the domains
 * guest and pmem the record is applied at home right after it is published,
 * so pages are clean; in the domain host a page stays dirty until the next
 * checkpoint, because home must not get ahead of the host-durable log.
 *
 * A checkpoint takes home what was dirty when its epoch ended: these pages are
 * due.  Transactions go on meanwhile.  One that changes a due page freezes it
 * first: a copy of it goes home, and the page itself waits for the next
 * checkpoint.
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

/* Behind vmem_overlay_enter() in one order that all agree on, so more than "acquire". */
struct vmem_opage *vmem_overlay_find(struct vmem_fs *fs, uint64_t block)
{
	struct vmem_opage *op = __atomic_load_n(&fs->buckets[bucket_of(block)], __ATOMIC_SEQ_CST);

	while (op && op->block != block)
		op = __atomic_load_n(&op->next, __ATOMIC_SEQ_CST);
	return op;
}

/* By where the stack is: threads differ in that, in every home of the core. */
uint32_t *vmem_overlay_enter(struct vmem_fs *fs)
{
	uintptr_t stack = (uintptr_t)__builtin_frame_address(0);
	uint32_t *reader = &fs->stripes[(stack >> 14 ^ stack >> 23) % VMEM_STRIPES].readers;

	/* Before what he reads: vmem_overlay_reap() sees him, or he does not see what it frees. */
	__atomic_fetch_add(reader, 1, __ATOMIC_SEQ_CST);
	return reader;
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
		if (zero && vmem_overlay_freeze(fs, op))
			return NULL;
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
	__atomic_store_n(bucket, op, __ATOMIC_RELEASE);
	op->all = fs->opages;
	fs->opages = op;
	fs->nr_opages++;
	return op;
}

/* Is it to go home by the running checkpoint? */
static bool is_due(const struct vmem_fs *fs, const struct vmem_opage *op)
{
	return op->frozen || (op->dirty && op->epoch != fs->epoch);
}

int vmem_overlay_freeze(struct vmem_fs *fs, struct vmem_opage *op)
{
	if (!fs->going_home || op->frozen || !is_due(fs, op) || VMEM_BROKEN(HOME_NEWER))
		return 0;
	op->frozen = vmem_alloc(fs, VMEM_BLOCK_SIZE);
	if (!op->frozen)
		return -ENOMEM;
	memcpy(op->frozen, op->data, VMEM_BLOCK_SIZE);
	op->epoch = fs->epoch;
	return 0;
}

int vmem_overlay_dirty(struct vmem_fs *fs, struct vmem_opage *op)
{
	int err = vmem_overlay_freeze(fs, op);

	if (err)
		return err;
	if (!op->dirty) {
		op->dirty = true;
		op->epoch = fs->epoch;
		fs->nr_dirty++;
	}
	return 0;
}

void vmem_overlay_patch(struct vmem_fs *fs, uint64_t off, const void *src, uint32_t len)
{
	struct vmem_opage *op = vmem_overlay_find(fs, off >> VMEM_BLOCK_SHIFT);
	uint32_t in = (uint32_t)(off & VMEM_BLOCK_MASK);

	if (!op)
		return;
	memcpy(op->data + in, src, len);
	if (op->frozen)
		memcpy(op->frozen + in, src, len);
	/* What is on its way home now is older than these bytes. */
	if (fs->going_home && !op->dirty)
		vmem_overlay_dirty(fs, op);
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

void vmem_overlay_end_epoch(struct vmem_fs *fs)
{
	fs->epoch++;
	fs->going_home = true;
}

/* A due page goes to buf; lock held. */
static void take_due(struct vmem_fs *fs, struct vmem_opage *op, uint8_t *buf)
{
	memcpy(buf, op->frozen ? op->frozen : op->data, VMEM_BLOCK_SIZE);
	if (op->frozen) {
		vmem_free(fs, op->frozen, VMEM_BLOCK_SIZE);
		op->frozen = NULL;
		return;
	}
	op->dirty = false;
	fs->nr_dirty--;
}

/* Up to HOME_BATCH due pages from *op on, which moves on behind them; lock held. */
static unsigned int take_batch(struct vmem_fs *fs, struct vmem_opage **op, uint64_t *blocks)
{
	unsigned int nr = 0, seen = 0;

	for (; *op && nr < VMEM_HOME_BATCH && seen < VMEM_HOME_LOOK; *op = (*op)->all, seen++) {
		if (!is_due(fs, *op))
			continue;
		blocks[nr] = (*op)->block;
		take_due(fs, *op, fs->home_buf + nr++ * VMEM_BLOCK_SIZE);
	}
	return nr;
}

/*
 * Nobody takes pages out of the list while some are going home, and what is put in
 * front is not due.  Home itself is stored to without the lock: that may wait for the host.
 */
void vmem_overlay_writeback(struct vmem_fs *fs, struct vmem_rangeset *ranges)
{
	uint64_t blocks[VMEM_HOME_BATCH];
	struct vmem_opage *op;
	unsigned int nr, i;

	vmem_lock(fs, fs->lock);
	op = fs->opages;
	vmem_unlock(fs, fs->lock);
	while (op) {
		vmem_lock(fs, fs->lock);
		nr = take_batch(fs, &op, blocks);
		vmem_unlock(fs, fs->lock);
		for (i = 0; i < nr; i++) {
			vmem_put(fs->store, blocks[i] << VMEM_BLOCK_SHIFT,
				 fs->home_buf + i * VMEM_BLOCK_SIZE, VMEM_BLOCK_SIZE);
			vmem_ranges_add(ranges, blocks[i] << VMEM_BLOCK_SHIFT, VMEM_BLOCK_SIZE);
		}
	}
	vmem_lock(fs, fs->lock);
	fs->going_home = false;
	vmem_unlock(fs, fs->lock);
}

static void unlink_page(struct vmem_fs *fs, const struct vmem_opage *op)
{
	struct vmem_opage **at = &fs->buckets[bucket_of(op->block)];

	while (*at != op)
		at = &(*at)->next;
	/* Who stands on the page goes on from it as before. */
	__atomic_store_n(at, op->next, __ATOMIC_RELEASE);
}

/*
 * A reader who could find a page in its bucket is counted since before it was taken out.
 * So each stripe must have been seen empty once since then; not all at one time.
 */
void vmem_overlay_reap(struct vmem_fs *fs)
{
	struct vmem_opage *op;
	unsigned int i;

	_Static_assert(VMEM_STRIPES == 32, "fs->idle has a bit for each");
	if (!fs->limbo)
		return;
	for (i = 0; i < VMEM_STRIPES; i++)
		if (!__atomic_load_n(&fs->stripes[i].readers, __ATOMIC_SEQ_CST))
			fs->idle |= 1u << i;
	if (fs->idle != UINT32_MAX && !VMEM_BROKEN(PAGE_EARLY))
		return;
	while ((op = fs->limbo) != NULL) {
		fs->limbo = op->all;
		vmem_free(fs, op->frozen, VMEM_BLOCK_SIZE);
		vmem_free(fs, op->data, VMEM_BLOCK_SIZE);
		vmem_free(fs, op, sizeof(*op));
	}
}

void vmem_overlay_drop(struct vmem_fs *fs, bool dirty_too)
{
	struct vmem_opage **all = &fs->opages, *op;

	vmem_overlay_reap(fs);
	/* Readers come and go: a block that changes all the time has one page that waits, not any number. */
	if (fs->limbo && !dirty_too)
		return;
	while ((op = *all) != NULL) {
		if (op->dirty && !dirty_too) {
			all = &op->all;
			continue;
		}
		*all = op->all;
		unlink_page(fs, op);
		op->all = fs->limbo;
		fs->limbo = op;
		fs->nr_opages--;
	}
	if (dirty_too)
		fs->nr_dirty = 0;
	fs->idle = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	vmem_overlay_reap(fs);
}

