// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * grow.c - growing while mounted
 *
 * What says how large the file system is, the superblock, is many words and no
 * failure leaves it whole or as it was.  The root slots are changed as a whole.  So:
 *
 *  1. metadata of the new groups, where nobody looks yet; durable;
 *  2. a root that says "growing from .. to ..": from here on it has grown;
 *  3. the new backup superblock, then the superblock itself; durable;
 *  4. one record frees what the old end had kept: the old backup, and the
 *     blocks behind it that the last group did not have; durable;
 *  5. a root that does not say so any more.
 *
 * A mount that finds such a root makes the superblock from the old backup, which
 * is there until 4, and does 3 to 5 again.  Nothing can use what 4 frees before
 * 5, as no other record comes between: so a set bit says that 4 was not done.
 */
#include "medium/geometry.h"
#include "fs/fs.h"
#include "medium/fields.h"

/* ---- The root that says so ---- */

void vmem_forget_growth(struct vmem_root *root)
{
	root->grow_from = vmem_le64_of(0);
	root->grow_to = vmem_le64_of(0);
	root->grow_mount = vmem_le64_of(0);
}

bool vmem_growing(const struct vmem_fs *fs, const struct vmem_root *root, struct vmem_superblock *sb)
{
	uint64_t from = vmem_get64(root->grow_from), to = vmem_get64(root->grow_to);

	if (!to || vmem_get64(root->grow_mount) != vmem_get64(root->mount_count))
		return false;
	if (from < VMEM_MIN_BLOCKS || from >= to || to > fs->store->size >> VMEM_BLOCK_SHIFT)
		return false;
	memcpy(sb, fs->store->base + ((from - 1) << VMEM_BLOCK_SHIFT), sizeof(*sb));
	if (!vmem_sb_sealed(sb, fs->crc) || memcmp(sb->uuid, root->uuid, VMEM_UUID_LEN) ||
	    vmem_get64(sb->nr_blocks) != from || !vmem_get32(sb->ag_blocks) ||
	    !vmem_get32(sb->inodes_per_ag) || to > vmem_sb_max_blocks(sb))
		return false;
	vmem_sb_resize(sb, to, fs->crc);
	return true;
}

/* ---- From the switch to the end: also when a mount goes on with it ---- */

static int put_super(struct vmem_fs *fs, const struct vmem_superblock *sb, uint64_t block)
{
	vmem_store_super(fs->store, sb, block);
	return vmem_make_durable(fs, block << VMEM_BLOCK_SHIFT, VMEM_BLOCK_SIZE);
}

static int put_supers(struct vmem_fs *fs, const struct vmem_superblock *sb)
{
	int err = put_super(fs, sb, vmem_get64(sb->backup));

	return err ? err : put_super(fs, sb, VMEM_SB_BLOCK);
}

static int do_free(struct vmem_txn *t, void *arg)
{
	const struct vmem_run *run = arg;

	txn_free(t, run->start, run->len);
	return t->err;
}

/* The old backup, and what the group of it has got. */
static int free_rest(struct vmem_fs *fs, uint64_t from)
{
	uint32_t ag = (uint32_t)((from - 1) / fs->ag_blocks), bit = (uint32_t)((from - 1) % fs->ag_blocks);
	uint64_t end = VMEM_MIN((uint64_t)(ag + 1) * fs->ag_blocks, fs->backup);
	const uint8_t *map = vmem_meta(fs, vmem_ag_meta(fs, ag) << VMEM_BLOCK_SHIFT);
	struct vmem_run run = { from - 1, end - (from - 1) };

	if (!test_bit8(map, bit))
		return 0;
	if (!vmem_block_ok(fs, run.start, run.len))
		return vmem_corrupt(fs, 0, run.start, "growth");
	return vmem_run_locked(fs, do_free, &run);
}

static int forget(struct vmem_fs *fs)
{
	uint64_t from = vmem_get64(fs->root.grow_from);
	int err;

	vmem_forget_growth(&fs->root);
	err = vmem_rewrite_root(fs);
	/* A free block; nobody shall take it for a backup. */
	if (!err)
		vmem_put_zero(fs->store, (from - 1) << VMEM_BLOCK_SHIFT, sizeof(struct vmem_superblock));
	return err;
}

/* Steps 4 and 5. */
static int finish(struct vmem_fs *fs)
{
	int err = free_rest(fs, vmem_get64(fs->root.grow_from));

	return err ? err : forget(fs);
}

/* ckpt_lock is held. */
static int resume(struct vmem_fs *fs)
{
	struct vmem_superblock sb;
	int err;

	if (!vmem_get64(fs->root.grow_to))
		return 0;
	err = vmem_lock_all(fs);
	if (err)
		return err;
	err = vmem_growing(fs, &fs->root, &sb) ? put_supers(fs, &sb) :
	      vmem_corrupt(fs, 0, vmem_get64(fs->root.grow_from), "superblock of a growth");
	if (!err)
		err = finish(fs);
	vmem_unlock_all(fs);
	return err;
}

int vmem_resume_growth(struct vmem_fs *fs)
{
	int err;

	vmem_lock(fs, fs->ckpt_lock);
	err = resume(fs);
	vmem_unlock(fs, fs->ckpt_lock);
	return err;
}

/* ---- Up to the switch ---- */

struct growth {
	struct vmem_fs *fs;
	struct vmem_superblock sb;	/* as it is, then as it will be */
	uint64_t from, to;		/* blocks */
	uint32_t nr_ags;		/* then */
	struct vmem_ag *ags;		/* room for all, filled from the present ones on */
	struct vmem_chunks *chunks;	/* thin store */
	uint8_t *maps;			/* two blocks */
};

static int plan(struct growth *g, uint64_t new_size)
{
	struct vmem_fs *fs = g->fs;
	const struct vmem_env *env = fs->env;
	uint64_t most;

	if (new_size > fs->store->size) {
		env->log(env, VMEM_LOG_ERR, "cannot grow: the store has only %llu bytes",
			 (unsigned long long)fs->store->size);
		return -EINVAL;
	}
	memcpy(&g->sb, fs->store->base, sizeof(g->sb));
	if (!vmem_sb_sealed(&g->sb, fs->crc) || vmem_get64(g->sb.nr_blocks) != fs->nr_blocks ||
	    memcmp(g->sb.uuid, fs->uuid, VMEM_UUID_LEN))
		return vmem_corrupt(fs, 0, VMEM_SB_BLOCK, "superblock");
	g->from = fs->nr_blocks;
	g->to = vmem_sb_useful_blocks(&g->sb, (new_size ? new_size : fs->store->size) >> VMEM_BLOCK_SHIFT,
				      g->from - 1);
	if (g->to < g->from) {
		env->log(env, VMEM_LOG_ERR, "cannot shrink while mounted: unmount it, and run resize.vmemfs");
		return -EINVAL;
	}
	most = vmem_sb_max_blocks(&g->sb);
	if (g->to > g->from && g->to > most) {
		env->log(env, VMEM_LOG_ERR,
			 "can grow to %llu MiB at most: for more, make it anew by mkfs.vmemfs -E resize=SIZE",
			 (unsigned long long)(most >> (20 - VMEM_BLOCK_SHIFT)));
		return -EFBIG;
	}
	return 0;
}

static int get_memory(struct growth *g)
{
	struct vmem_fs *fs = g->fs;

	g->nr_ags = (uint32_t)((g->to + fs->ag_blocks - 1) / fs->ag_blocks);
	g->ags = vmem_alloc(fs, g->nr_ags * sizeof(g->ags[0]));
	g->maps = vmem_alloc(fs, 2 * VMEM_BLOCK_SIZE);
	if (fs->chunks)
		g->chunks = vmem_chunks_new(fs, g->to, g->nr_ags);
	return g->ags && g->maps && !fs->chunks == !g->chunks ? 0 : -ENOMEM;
}

static void put_memory(struct growth *g)
{
	struct vmem_fs *fs = g->fs;

	vmem_free(fs, g->ags, g->nr_ags * sizeof(g->ags[0]));
	vmem_free(fs, g->maps, 2 * VMEM_BLOCK_SIZE);
	vmem_chunks_free(fs, g->chunks);
}

/* What was stored lately becomes durable. */
static int flush_stored(struct vmem_fs *fs)
{
	struct vmem_rangeset *set = fs->ckpt_set;

	if (fs->store->flush && !VMEM_BROKEN(GROW_EARLY)) {
		vmem_fence(fs->store);
		return vmem_flush_sets(fs, &set, 1);
	}
	if (!VMEM_BROKEN(GROW_EARLY))
		vmem_fence(fs->store);
	set->nr = 0;
	return 0;
}

static int provide(struct vmem_fs *fs, uint64_t block, uint64_t nr)
{
	int err = 0;

	if (fs->store->provision) {
		vmem_count(&fs->stats.provisions, 1);
		err = fs->store->provision(fs->store, block << VMEM_BLOCK_SHIFT, nr << VMEM_BLOCK_SHIFT);
	}
	return err && err != -ENOSPC ? -EIO : err;
}

/* Bitmaps of the new groups, where nobody looks yet. */
static int put_maps(struct growth *g)
{
	struct vmem_fs *fs = g->fs;
	int err = provide(fs, g->to - 1, 1);
	uint32_t ag;

	for (ag = fs->nr_ags; ag < g->nr_ags && !err; ag++) {
		uint64_t off = vmem_sb_group_meta(&g->sb, ag) << VMEM_BLOCK_SHIFT;

		err = provide(fs, off >> VMEM_BLOCK_SHIFT, 2);
		if (err)
			break;
		vmem_sb_new_group(&g->sb, ag, g->maps, &g->ags[ag].desc);
		vmem_put(fs->store, off, g->maps, 2 * VMEM_BLOCK_SIZE);
		vmem_ranges_add(fs->ckpt_set, off, 2 * VMEM_BLOCK_SIZE);
		if (fs->ckpt_set->nr == VMEM_RANGES_MAX)
			err = flush_stored(fs);
	}
	if (!err)
		return flush_stored(fs);
	fs->ckpt_set->nr = 0;
	return err;
}

/*
 * Their descriptors.  The first of them may share a block with present ones, a
 * copy of which waits to go home: it must not take zeros there.
 */
static int put_descs(struct growth *g)
{
	struct vmem_fs *fs = g->fs;
	uint32_t ag;

	for (ag = fs->nr_ags; ag < g->nr_ags; ag++) {
		uint64_t off = vmem_desc_off(fs, ag);
		struct vmem_opage *op = vmem_overlay_find(fs, off >> VMEM_BLOCK_SHIFT);

		vmem_put(fs->store, off, &g->ags[ag].desc, sizeof(g->ags[ag].desc));
		if (op)
			memcpy(op->data + (off & VMEM_BLOCK_MASK), &g->ags[ag].desc, sizeof(g->ags[ag].desc));
		vmem_ranges_add(fs->ckpt_set, off, sizeof(g->ags[ag].desc));
	}
	return flush_stored(fs);
}

/* A mount may need the old backup: it must be as good as the superblock is. */
static int check_backup(struct growth *g)
{
	struct vmem_fs *fs = g->fs;

	if (!memcmp(fs->store->base + (fs->backup << VMEM_BLOCK_SHIFT), &g->sb, sizeof(g->sb)))
		return 0;
	fs->env->log(fs->env, VMEM_LOG_WARN, "the backup superblock was damaged: written anew");
	return put_super(fs, &g->sb, fs->backup);
}

/* ---- The switch ---- */

static int switch_root(struct growth *g)
{
	struct vmem_root *r = &g->fs->root;

	r->grow_from = vmem_le64_of(g->from);
	r->grow_to = vmem_le64_of(g->to);
	r->grow_mount = r->mount_count;
	return vmem_rewrite_root(g->fs);
}

/* In memory, too. */
static void take_over(struct growth *g)
{
	struct vmem_fs *fs = g->fs;

	vmem_alloc_extend(fs, g->ags, g->nr_ags);
	g->ags = NULL;
	__atomic_store_n(&fs->nr_blocks, g->to, __ATOMIC_RELAXED);
	__atomic_store_n(&fs->nr_inodes, vmem_get64(g->sb.nr_inodes), __ATOMIC_RELAXED);
	__atomic_store_n(&fs->backup, g->to - 1, __ATOMIC_RELAXED);
	if (g->chunks)
		vmem_room_extend(fs, g->chunks, g->from);
	g->chunks = NULL;
}

/* All locks are held. */
static int switch_over(struct growth *g)
{
	struct vmem_fs *fs = g->fs;
	int err = put_descs(g);

	if (!err && VMEM_BROKEN(GROW_SUPER_FIRST))
		err = put_supers(fs, &g->sb);
	if (!err)
		err = switch_root(g);
	if (!err && VMEM_BROKEN(GROW_DONE_EARLY))
		err = forget(fs);
	if (!err)
		err = put_supers(fs, &g->sb);
	if (err)
		return err;
	take_over(g);
	return VMEM_BROKEN(GROW_DONE_EARLY) ? free_rest(fs, g->from) : finish(fs);
}

static int grow(struct growth *g)
{
	struct vmem_fs *fs = g->fs;
	int err = get_memory(g);

	if (!err)
		err = check_backup(g);
	vmem_sb_resize(&g->sb, g->to, fs->crc);
	if (!err)
		err = put_maps(g);
	if (!err)
		err = vmem_lock_all(fs);
	if (!err) {
		err = switch_over(g);
		vmem_unlock_all(fs);
	}
	put_memory(g);
	if (!err)
		fs->env->log(fs->env, VMEM_LOG_INFO, "has grown from %llu to %llu blocks of 4 KiB",
			     (unsigned long long)g->from, (unsigned long long)g->to);
	return err;
}

int vmem_grow(struct vmem_fs *fs, uint64_t new_size)
{
	struct growth g = { .fs = fs };
	int err;

	vmem_lock(fs, fs->ckpt_lock);
	err = vmem_is_read_only(fs) ? vmem_refusal(fs) : resume(fs);
	if (!err)
		err = plan(&g, new_size);
	if (!err && g.to > g.from)
		err = grow(&g);
	vmem_unlock(fs, fs->ckpt_lock);
	return err;
}
