// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* mkfs.c - make an empty vmemfs on a store */
#include "offline/mkfs.h"
#include "medium/hash.h"
#include "medium/fields.h"

/* What is decided first, in native integers; the superblock follows from it. */
struct geometry {
	uint64_t nr_blocks, log_blocks, desc_blocks, agmeta0;
	uint64_t max_blocks;		/* that it shall be able to have */
	uint32_t ag_blocks, nr_ags, inodes_per_ag, itable_blocks;
	uint32_t max_ags;		/* that inodes must have numbers for */
};

struct mkfs {
	struct vmem_store *store;
	vmem_crc_fn crc;
	struct vmem_superblock sb;
	uint64_t log_start, desc_start;
	int error;			/* first failure of a flush */
};

static uint64_t div_up(uint64_t a, uint64_t b)
{
	return a / b + (a % b != 0);
}

/* ---- Geometry ------------------------------------------------------------ */

static uint64_t default_log(uint64_t nr_blocks, uint32_t ag_blocks)
{
	uint64_t log = nr_blocks / 32;

	/* It lies in the first group, beside the inodes. */
	if (log > ag_blocks / 4)
		log = ag_blocks / 4;

	if (log < VMEM_MKFS_MIN_LOG) {
		log = nr_blocks / 16;
		if (log > VMEM_MKFS_MIN_LOG)
			log = VMEM_MKFS_MIN_LOG;
		if (log < VMEM_MIN_LOG_BLOCKS)
			log = VMEM_MIN_LOG_BLOCKS;
	}
	return log < VMEM_MKFS_MAX_LOG ? log : VMEM_MKFS_MAX_LOG;
}

static void set_groups(struct geometry *g, uint32_t ag_blocks)
{
	g->ag_blocks = ag_blocks;
	g->nr_ags = (uint32_t)div_up(g->nr_blocks, ag_blocks);
	g->max_ags = (uint32_t)div_up(g->max_blocks, ag_blocks);
}

static uint64_t inodes_wanted(const struct geometry *g, const struct vmem_mkfs_params *params)
{
	if (params->inodes || !params->inode_ratio)
		return params->inodes;
	return div_up(g->nr_blocks << VMEM_BLOCK_SHIFT, params->inode_ratio);
}

/* A group has bits for VMEM_MAX_AG_INODES: for more inodes it takes more groups. */
static void split_groups(struct geometry *g, uint64_t inodes)
{
	while (div_up(inodes, g->nr_ags) > VMEM_MAX_AG_INODES && g->ag_blocks / 2 >= VMEM_MKFS_MIN_SPLIT)
		set_groups(g, (g->ag_blocks / 2 + 63) & ~63u);
}

static int plan_groups(struct geometry *g, const struct vmem_env *env,
		       const struct vmem_mkfs_params *params)
{
	g->ag_blocks = params->ag_blocks ? params->ag_blocks : VMEM_MKFS_AG_BLOCKS;
	if (g->ag_blocks > VMEM_MAX_AG_BLOCKS || g->ag_blocks % 64 ||
	    g->ag_blocks < VMEM_MIN_BLOCKS) {
		env->log(env, VMEM_LOG_ERR,
			 "allocation groups must have %u to %u blocks, in steps of 64",
			 VMEM_MIN_BLOCKS, VMEM_MAX_AG_BLOCKS);
		return -EINVAL;
	}
	/* A small one that is to become large begins with a part of its first group. */
	if (g->max_blocks < g->ag_blocks)
		g->ag_blocks = (uint32_t)((g->max_blocks + 63) & ~63ull);
	set_groups(g, g->ag_blocks);
	if (!params->ag_blocks)
		split_groups(g, inodes_wanted(g, params));
	return 0;
}

/*
 * Inodes per group: as asked for, else in proportion to the group, but one for
 * a block of what there is.
 */
static int plan_inodes(struct geometry *g, const struct vmem_env *env,
		       const struct vmem_mkfs_params *params)
{
	uint64_t most = (UINT32_MAX / g->max_ags) & ~15ull;
	uint64_t wanted = inodes_wanted(g, params), per_ag;

	if (most > VMEM_MAX_AG_INODES)
		most = VMEM_MAX_AG_INODES;
	if (wanted) {
		per_ag = div_up(wanted, g->nr_ags);
		if (per_ag < 16)
			per_ag = 16;
		if (per_ag > most) {
			env->log(env, VMEM_LOG_ERR,
				 "%llu inodes do not fit: this store can have at most %llu",
				 (unsigned long long)wanted,
				 (unsigned long long)(most * g->nr_ags));
			return -EINVAL;
		}
	} else {
		per_ag = g->ag_blocks / VMEM_MKFS_INODE_RATIO;
		if (per_ag > VMEM_MKFS_AG_INODES)
			per_ag = VMEM_MKFS_AG_INODES;
		if (per_ag > g->nr_blocks)
			per_ag = g->nr_blocks & ~15ull;
		if (per_ag > most)
			per_ag = most;
	}
	g->inodes_per_ag = (uint32_t)((per_ag + 15) & ~15ull);
	g->itable_blocks = g->inodes_per_ag / VMEM_INODES_PER_BLOCK;
	return 0;
}

/* Give up a last group that would hold little but its own metadata: was there one? */
static bool drop_small_tail(struct geometry *g)
{
	uint64_t last = g->nr_blocks - (uint64_t)(g->nr_ags - 1) * g->ag_blocks;

	if (g->nr_ags == 1 || last >= 2u + g->itable_blocks + 1 + VMEM_MIN_TAIL)
		return false;
	g->nr_ags--;
	g->nr_blocks -= last;
	return true;
}

/* Blocks of the first group that there are, without its inodes, the log, and some data. */
static uint64_t room_for_descs(const struct geometry *g)
{
	uint64_t first = g->nr_blocks < g->ag_blocks ? g->nr_blocks : g->ag_blocks;
	uint64_t need = VMEM_DESC_START + g->log_blocks + 2 + g->itable_blocks + 1 + VMEM_MIN_TAIL;

	return g->log_blocks < first && need < first ? first - need : 0;
}

/* Descriptors of the groups, and of those that it may get when it grows. */
static void plan_descs(struct geometry *g, const struct vmem_mkfs_params *params)
{
	uint64_t least = div_up(g->max_ags > g->nr_ags ? g->max_ags : g->nr_ags, VMEM_DESCS_PER_BLOCK);
	uint64_t ags = (uint64_t)g->nr_ags * VMEM_MKFS_GROWTH, most = g->nr_blocks / VMEM_MKFS_MAX_RESERVE;

	g->desc_blocks = least;
	if (params->max_size)
		return;
	if (ags > UINT32_MAX / g->inodes_per_ag)
		ags = UINT32_MAX / g->inodes_per_ag;
	if (most > div_up(ags, VMEM_DESCS_PER_BLOCK))
		most = div_up(ags, VMEM_DESCS_PER_BLOCK);
	if (most > room_for_descs(g))
		most = room_for_descs(g);
	if (most > least)
		g->desc_blocks = most;
}

static int plan_geometry(uint64_t size, const struct vmem_env *env,
			 const struct vmem_mkfs_params *params, struct geometry *g)
{
	int err;

	if (params->size > size) {
		env->log(env, VMEM_LOG_ERR, "the store has only %llu bytes",
			 (unsigned long long)size);
		return -EINVAL;
	}
	g->nr_blocks = (params->size ? params->size : size) >> VMEM_BLOCK_SHIFT;
	if (g->nr_blocks < VMEM_MIN_BLOCKS || g->nr_blocks > VMEM_MAX_BLOCKS) {
		env->log(env, VMEM_LOG_ERR,
			 "a store of %llu bytes cannot be used: 2 MiB to 4 PiB are possible",
			 (unsigned long long)(g->nr_blocks << VMEM_BLOCK_SHIFT));
		return g->nr_blocks < VMEM_MIN_BLOCKS ? -ENOSPC : -EINVAL;
	}
	g->max_blocks = params->max_size >> VMEM_BLOCK_SHIFT;
	if (g->max_blocks > VMEM_MAX_BLOCKS) {
		env->log(env, VMEM_LOG_ERR, "4 PiB are the most to which it can grow");
		return -EINVAL;
	}
	if (g->max_blocks < g->nr_blocks)
		g->max_blocks = g->nr_blocks;
	err = plan_groups(g, env, params);
	if (err)
		return err;
	err = plan_inodes(g, env, params);
	/* The inodes that it would have had are the others' then. */
	if (!err && drop_small_tail(g))
		err = plan_inodes(g, env, params);
	if (err)
		return err;
	g->log_blocks = params->log_blocks ? params->log_blocks : default_log(g->nr_blocks, g->ag_blocks);
	plan_descs(g, params);
	if (g->log_blocks < VMEM_MIN_LOG_BLOCKS) {
		env->log(env, VMEM_LOG_ERR, "the log needs at least %u KiB",
			 VMEM_MIN_LOG_BLOCKS * (VMEM_BLOCK_SIZE / 1024));
		return -EINVAL;
	}
	g->agmeta0 = VMEM_DESC_START + g->desc_blocks + g->log_blocks;
	if (g->desc_blocks > room_for_descs(g)) {
		env->log(env, VMEM_LOG_ERR,
			 "log, inodes and descriptors do not fit into the first %llu bytes: ask for a smaller log, fewer inodes or less growth",
			 (unsigned long long)(g->nr_blocks < g->ag_blocks ? g->nr_blocks : g->ag_blocks) <<
			 VMEM_BLOCK_SHIFT);
		return -ENOSPC;
	}
	return 0;
}

static void choose_uuid(const struct vmem_env *env, const uint8_t *asked, uint8_t *uuid)
{
	memcpy(uuid, asked, VMEM_UUID_LEN);
	if (!all_zero(uuid, VMEM_UUID_LEN))
		return;
	env->random(env, uuid, VMEM_UUID_LEN);
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);	/* RFC 4122: version 4, */
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);	/* variant 1 */
}

static int set_label(struct vmem_superblock *sb, const struct vmem_env *env,
		     const char *label)
{
	size_t len = 0;

	while (label && label[len]) {
		if (len == VMEM_LABEL_LEN) {
			env->log(env, VMEM_LOG_ERR, "the label is longer than %d bytes",
				 VMEM_LABEL_LEN);
			return -EINVAL;
		}
		sb->label[len] = (uint8_t)label[len];
		len++;
	}
	return 0;
}

int vmem_mkfs_plan(uint64_t size, const struct vmem_env *env,
		   const struct vmem_mkfs_params *params, struct vmem_superblock *sb)
{
	struct geometry g;
	int err = plan_geometry(size, env, params, &g);

	if (err)
		return err;
	memset(sb, 0, sizeof(*sb));
	err = set_label(sb, env, params->label);
	if (err)
		return err;
	sb->magic = vmem_le64_of(VMEM_SB_MAGIC);
	sb->version_major = vmem_le16_of(VMEM_VERSION_MAJOR);
	sb->version_minor = vmem_le16_of(VMEM_VERSION_MINOR);
	choose_uuid(env, params->uuid, sb->uuid);
	sb->nr_blocks = vmem_le64_of(g.nr_blocks);
	sb->nr_inodes = vmem_le64_of((uint64_t)g.nr_ags * g.inodes_per_ag);
	sb->desc_start = vmem_le64_of(VMEM_DESC_START);
	sb->log_start = vmem_le64_of(VMEM_DESC_START + g.desc_blocks);
	sb->log_blocks = vmem_le64_of(g.log_blocks);
	sb->agmeta0 = vmem_le64_of(g.agmeta0);
	sb->backup = vmem_le64_of(g.nr_blocks - 1);
	sb->ag_blocks = vmem_le32_of(g.ag_blocks);
	sb->nr_ags = vmem_le32_of(g.nr_ags);
	sb->inodes_per_ag = vmem_le32_of(g.inodes_per_ag);
	sb->itable_blocks = vmem_le32_of(g.itable_blocks);
	memcpy(sb->hash_key, params->hash_key, sizeof(sb->hash_key));
	if (all_zero(sb->hash_key, sizeof(sb->hash_key)))
		env->random(env, sb->hash_key, sizeof(sb->hash_key));
	sb->created = vmem_le64_of((uint64_t)(params->now ? params->now : env->now(env)));
	sb->csum = vmem_le32_of(vmem_superblock_csum(env->crc32c ? env->crc32c : vmem_crc32c,
						     sb));
	return 0;
}

/* ---- Writing ------------------------------------------------------------- */

static uint8_t *block_ptr(struct mkfs *m, uint64_t block)
{
	return m->store->base + (block << VMEM_BLOCK_SHIFT);
}

/* These blocks were stored. */
static void stored(struct mkfs *m, uint64_t block, uint64_t nr)
{
	if (m->store->writeback)
		m->store->writeback(m->store, block_ptr(m, block),
				    (size_t)(nr << VMEM_BLOCK_SHIFT));
}

/*
 * All that was stored becomes durable.  One flush of the whole store: it holds
 * nothing but what was just made, and thousands of small flushes take minutes.
 */
static void persist(struct mkfs *m)
{
	struct vmem_range all = { 0, m->store->size };
	int err;

	if (m->store->drain)
		m->store->drain(m->store);
	if (!m->store->flush)
		return;
	err = m->store->flush(m->store, &all, 1);
	if (err && !m->error)
		m->error = err;
}

static void zero_blocks(struct mkfs *m, uint64_t block, uint64_t nr)
{
	memset(block_ptr(m, block), 0, (size_t)(nr << VMEM_BLOCK_SHIFT));
	stored(m, block, nr);
}

static void write_root_inode(struct mkfs *m, const struct vmem_mkfs_params *params)
{
	uint64_t itable = vmem_sb_group_meta(&m->sb, 0) + 2;
	uint16_t perm = params->root_mode ? params->root_mode : 0755;
	struct vmem_dinode *di;

	zero_blocks(m, itable, 1);
	di = (struct vmem_dinode *)block_ptr(m, itable) + VMEM_ROOT_INO;
	di->mode = vmem_le16_of(MODE_DIR | (perm & 07777u));
	di->format = vmem_le16_of(VMEM_FMT_DIR);
	di->uid = vmem_le32_of(params->root_uid);
	di->gid = vmem_le32_of(params->root_gid);
	di->nlink = vmem_le32_of(2);
	di->atime = di->mtime = di->ctime = di->btime = m->sb.created;
	di->generation = vmem_le32_of(1);
	di->parent = vmem_le32_of(VMEM_ROOT_INO);
	di->csum = vmem_le32_of(vmem_inode_csum(m->crc, di, VMEM_ROOT_INO));
	stored(m, itable, 1);
}

/* Bitmaps and descriptor of one group; its inode table is left uninitialised. */
static void write_group(struct mkfs *m, uint32_t ag)
{
	struct vmem_ag_desc *desc = (struct vmem_ag_desc *)block_ptr(m, m->desc_start) + ag;
	uint64_t meta = vmem_sb_group_meta(&m->sb, ag);
	uint8_t *maps = block_ptr(m, meta);

	vmem_sb_new_group(&m->sb, ag, maps, desc);
	if (ag == 0) {
		maps[VMEM_BLOCK_SIZE] |= (1u << VMEM_FIRST_INO) - 1;
		desc->free_inodes = vmem_le32_of(vmem_get32(desc->free_inodes) - VMEM_FIRST_INO);
		desc->nr_dirs = vmem_le32_of(1);
		desc->itable_init = vmem_le32_of(1);
	}
	stored(m, meta, 2);
}

/* A clean root whose log is empty and starts at LSN 0; the other slot is void. */
static void write_roots(struct mkfs *m, uint32_t log_seed)
{
	static const enum vmem_domain natural[] = {
		[VMEM_BACKING_PAGE_CACHE] = VMEM_DOMAIN_HOST,
		[VMEM_BACKING_DAX] = VMEM_DOMAIN_PMEM,
		[VMEM_BACKING_VOLATILE] = VMEM_DOMAIN_GUEST,
	};
	struct vmem_root *root;

	zero_blocks(m, VMEM_ROOT_BLOCK(0), VMEM_NR_ROOTS);
	root = (struct vmem_root *)block_ptr(m, VMEM_ROOT_BLOCK(0));
	root->magic = vmem_le64_of(VMEM_ROOT_MAGIC);
	root->seq = vmem_le64_of(1);
	root->log_seed = vmem_le32_of(log_seed);
	root->domain = vmem_le32_of(natural[m->store->backing]);
	memcpy(root->generation, m->store->generation, VMEM_GENERATION_LEN);
	memcpy(root->uuid, m->sb.uuid, VMEM_UUID_LEN);
	root->write_time = m->sb.created;
	root->csum = vmem_le32_of(vmem_root_csum(m->crc, root));
	stored(m, VMEM_ROOT_BLOCK(0), 1);
}

static void write_superblock(struct mkfs *m, uint64_t block)
{
	zero_blocks(m, block, 1);
	memcpy(block_ptr(m, block), &m->sb, sizeof(m->sb));
	stored(m, block, 1);
}

int vmem_mkfs(struct vmem_store *store, const struct vmem_env *env,
	      const struct vmem_mkfs_params *params)
{
	struct mkfs m = { .store = store, .crc = env->crc32c ? env->crc32c : vmem_crc32c };
	uint32_t log_seed = params->log_seed, ag;
	int err;

	if (store->read_only) {
		env->log(env, VMEM_LOG_ERR, "the store is read-only");
		return -EROFS;
	}
	err = vmem_mkfs_plan(store->size, env, params, &m.sb);
	if (err)
		return err;
	if (!log_seed)
		env->random(env, &log_seed, sizeof(log_seed));
	m.desc_start = vmem_get64(m.sb.desc_start);
	m.log_start = vmem_get64(m.sb.log_start);

	zero_blocks(&m, VMEM_SB_BLOCK, 1);
	persist(&m);

	zero_blocks(&m, VMEM_DESC_START - 1, 1);
	zero_blocks(&m, m.desc_start, m.log_start - m.desc_start);
	/* Written, not left sparse: a commit must not have to allocate on the host. */
	zero_blocks(&m, m.log_start, vmem_get64(m.sb.log_blocks));
	for (ag = 0; ag < vmem_get32(m.sb.nr_ags); ag++)
		write_group(&m, ag);
	write_root_inode(&m, params);
	write_roots(&m, log_seed);
	write_superblock(&m, vmem_get64(m.sb.backup));
	/* write_group() filled the descriptors one by one. */
	stored(&m, m.desc_start, m.log_start - m.desc_start);
	persist(&m);

	if (!m.error)
		write_superblock(&m, VMEM_SB_BLOCK);
	persist(&m);
	if (m.error) {
		zero_blocks(&m, VMEM_SB_BLOCK, 1);	/* nobody shall trust it */
		env->log(env, VMEM_LOG_ERR, "the store could not be written (error %d)",
			 -m.error);
	}
	return m.error;
}
