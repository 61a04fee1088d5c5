// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* fsck_store.c - see fsck_store.h */
#include <stdlib.h>

#include "fsck_store.h"
#include "offline/mkfs.h"
#include "medium/persist.h"
#include "medium/root.h"

/* ---- The copy ------------------------------------------------------------ */

static void note_change(struct vmem_store *store, const void *addr, size_t len)
{
	struct fsck_copy *c = store->ctx;
	uint64_t off = (uint64_t)((const uint8_t *)addr - store->base);
	uint64_t block = off >> VMEM_BLOCK_SHIFT, end = (off + len + VMEM_BLOCK_MASK) >> VMEM_BLOCK_SHIFT;

	for (; block < end; block++)
		c->changed[block / 8] = (uint8_t)(c->changed[block / 8] | 1u << block % 8);
}

static void no_drain(struct vmem_store *store)
{
	(void)store;
}

int fsck_copy_init(struct fsck_copy *c, const struct vmem_store *image, uint8_t *base)
{
	/* Of these, too, only the pages that are needed become memory. */
	c->changed = calloc(1, image->size / VMEM_BLOCK_SIZE / 8 + 1);
	c->in_use = calloc(1, image->size / VMEM_BLOCK_SIZE / 8 + 1);
	if (!c->changed || !c->in_use) {
		fsck_copy_free(c);
		return -ENOMEM;
	}
	c->store = *image;
	c->store.base = base;
	c->store.backing = VMEM_BACKING_DAX;	/* the core then tells each store */
	c->store.ctx = c;
	c->store.flush = NULL;
	c->store.writeback = note_change;
	c->store.drain = no_drain;
	return 0;
}

void fsck_copy_free(struct fsck_copy *c)
{
	free(c->changed);
	free(c->in_use);
	c->changed = NULL;
	c->in_use = NULL;
}

/* ---- Into the image ------------------------------------------------------ */

/* Everything stored before is durable. */
static int flush_image(struct vmem_store *image)
{
	struct vmem_range all = { 0, image->size };

	if (image->drain)
		image->drain(image);
	return image->flush && image->flush(image, &all, 1) ? -EIO : 0;
}

/* In the order in which they are stored; index nodes of level n are INDEX_TOP + 7 - n. */
enum kind { NEW, INODES, INDEX_TOP, LEAVES = INDEX_TOP + 8, MAPS, NR_KINDS, ANY };

static bool test_bit(const uint8_t *map, uint64_t bit)
{
	return map[bit / 8] >> bit % 8 & 1;
}

static unsigned int kind_of(const struct fsck_copy *c, uint64_t block)
{
	const struct vmem_superblock *sb = (const struct vmem_superblock *)(const void *)c->store.base;
	const struct vmem_node *node = (const struct vmem_node *)(const void *)
		(c->store.base + (block << VMEM_BLOCK_SHIFT));
	uint64_t meta = vmem_sb_group_meta(sb, (uint32_t)(block / vmem_get32(sb->ag_blocks)));
	uint32_t magic = vmem_get32(node->magic), level = vmem_get16(node->level);

	if (block < meta + 2)
		return MAPS;
	if (block < meta + 2 + vmem_get32(sb->itable_blocks))
		return INODES;
	if (!test_bit(c->in_use, block))
		return NEW;
	if ((magic == VMEM_DIR_INDEX_MAGIC || magic == VMEM_EXT_NODE_MAGIC) && level && level < 8)
		return INDEX_TOP + 7 - level;
	return LEAVES;
}

/* Changed blocks of a kind in [first, end). */
static int store_blocks(const struct fsck_copy *c, struct vmem_store *image, uint64_t first,
			uint64_t end, unsigned int kind)
{
	bool any = false;
	uint64_t block, word;

	for (block = first; block < end; block++) {
		if (block % 64 == 0 && block + 64 <= end) {
			memcpy(&word, c->changed + block / 8, sizeof(word));
			if (!word) {
				block += 63;
				continue;
			}
		}
		if (!test_bit(c->changed, block) || (kind != ANY && kind_of(c, block) != kind))
			continue;
		vmem_put(image, block << VMEM_BLOCK_SHIFT, c->store.base + (block << VMEM_BLOCK_SHIFT),
			 VMEM_BLOCK_SIZE);
		any = true;
	}
	return any ? flush_image(image) : 0;
}

static int put_root(struct vmem_store *image, unsigned int slot, const struct vmem_root *root)
{
	vmem_put(image, VMEM_ROOT_BLOCK(slot) * (uint64_t)VMEM_BLOCK_SIZE, root, sizeof(*root));
	return flush_image(image);
}

/* Until the repair is complete, a mount must refuse: the root asks for a check. */
static int store_marker(const struct fsck_copy *c, struct vmem_store *image, vmem_crc_fn crc)
{
	const struct vmem_superblock *sb = (const struct vmem_superblock *)(const void *)c->store.base;
	static const struct vmem_root none;
	struct vmem_root root;
	unsigned int newest = vmem_newest_root(image->base, sb->uuid, crc, &root);

	if (newest == VMEM_NR_ROOTS)
		return 0;	/* without a root nothing can be mounted */
	if (vmem_get64(root.seq) > VMEM_ROOT_SEQ_RENEW)
		/* Those of the repair are not newer: then there shall be none meanwhile. */
		return put_root(image, 1 - newest, &none) || put_root(image, newest, &none) ? -EIO : 0;
	root.seq = vmem_le64_of(vmem_get64(root.seq) + 1);
	root.state = vmem_le32_of(vmem_get32(root.state) | VMEM_STATE_NEEDS_CHECK);
	root.csum = vmem_le32_of(vmem_root_csum(crc, &root));
	return put_root(image, 1 - newest, &root);
}

int fsck_copy_store(const struct fsck_copy *c, struct vmem_store *image, vmem_crc_fn crc)
{
	const struct vmem_superblock *sb = (const struct vmem_superblock *)(const void *)c->store.base;
	uint64_t log = vmem_get64(sb->log_start), log_end = log + vmem_get64(sb->log_blocks);
	uint64_t backup = vmem_get64(sb->backup);
	int err = store_marker(c, image, crc);
	unsigned int kind;

	for (kind = NEW; kind < NR_KINDS && !err; kind++) {
		err = store_blocks(c, image, VMEM_DESC_START, log, kind);
		if (!err)
			err = store_blocks(c, image, log_end, backup, kind);
	}
	if (!err)
		err = store_blocks(c, image, VMEM_ROOT_BLOCK(0), VMEM_DESC_START, ANY);
	if (!err)
		err = store_blocks(c, image, backup, backup + 1, ANY);
	if (!err)
		err = store_blocks(c, image, VMEM_SB_BLOCK, VMEM_SB_BLOCK + 1, ANY);
	return err;
}
