// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * repair.c - make a damaged vmemfs consistent again
 *
 * Superblock and roots first, then rounds: trees, names, bitmaps where they
 * lie (repair_inode.c, repair_dir.c), and what the core has to add on the
 * mounted copy (repair_mount.c).  A round that frees something leaves work
 * for the next; vmem_check() says when it is done.
 */
#include "offline/repair_internal.h"
#include "medium/root.h"

#define MAX_ROUNDS 6u

/* ---- Reports and memory -------------------------------------------------- */

__attribute__((format(printf, 2, 3)))
static void say(struct repair *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	r->p->report(r->p->ctx, fmt, ap);
	va_end(ap);
}

void vmem_repair_fixed(struct repair *r, bool safe, const char *fmt, ...)
{
	va_list ap;

	if (safe)
		r->res->safe++;
	else
		r->res->unsafe++;
	va_start(ap, fmt);
	r->p->report(r->p->ctx, fmt, ap);
	va_end(ap);
}

void vmem_repair_step(struct repair *r, const char *what, uint64_t done, uint64_t total)
{
	/* Names come by the million. */
	if (r->p->progress && (total || done % 1024 == 0))
		r->p->progress(r->p->ctx, what, done, total);
}

void *vmem_repair_alloc(struct repair *r, size_t size)
{
	void *p = r->env->alloc(r->env, size);

	if (!p)
		r->error = -ENOMEM;
	return p;
}

void vmem_repair_free(struct repair *r, void *p, size_t size)
{
	if (p)
		r->env->free(r->env, p, size);
}

/* ---- Blocks -------------------------------------------------------------- */

bool vmem_repair_block_ok(const struct repair *r, uint64_t block, uint64_t nr)
{
	uint64_t in;
	uint32_t ag;

	if (block >= r->nr_blocks || nr > r->nr_blocks - block || nr > r->ag_blocks)
		return false;
	ag = (uint32_t)(block / r->ag_blocks);
	in = block % r->ag_blocks;
	return in >= group_meta_len(r, ag) && in + nr <= r->groups[ag].blocks &&
	       block + nr <= r->nr_blocks - 1;
}

bool vmem_repair_claimed(const struct repair *r, uint64_t block, uint64_t nr)
{
	const uint8_t *map = r->groups[block / r->ag_blocks].claimed;
	uint32_t bit = (uint32_t)(block % r->ag_blocks);

	for (; map && nr; nr--, bit++)
		if (test_bit8(map, bit))
			return true;
	return false;
}

void vmem_repair_claim(struct repair *r, uint64_t block, uint64_t nr)
{
	struct rgroup *g = &r->groups[block / r->ag_blocks];

	if (!g->claimed)
		g->claimed = vmem_repair_alloc(r, VMEM_BLOCK_SIZE);
	if (g->claimed)
		vmem_bits_apply(g->claimed, (uint32_t)(block % r->ag_blocks), (uint32_t)nr, true);
}

void vmem_repair_unclaim(struct repair *r, uint64_t block)
{
	struct rgroup *g = &r->groups[block / r->ag_blocks];

	if (g->claimed)
		vmem_bits_apply(g->claimed, (uint32_t)(block % r->ag_blocks), 1, false);
}

unsigned int vmem_repair_head(const struct repair *r, uint64_t block, uint32_t magic,
			      uint32_t level, uint64_t ino)
{
	const struct vmem_node *node;

	if (!vmem_repair_block_ok(r, block, 1))
		return 0;
	node = (const struct vmem_node *)(const void *)block_ptr(r, block);
	return (vmem_get32(node->magic) == magic ? 1u : 0u) |
	       (vmem_get16(node->level) == level ? 2u : 0u) |
	       (vmem_get64(node->owner) == ino ? 4u : 0u) |
	       (vmem_get64(node->self) == block ? 8u : 0u) |
	       (vmem_get64(node->reserved) == 0 ? 16u : 0u);
}

void vmem_repair_fix_head(struct repair *r, uint64_t block, uint32_t magic, uint32_t level,
			  uint64_t ino)
{
	struct vmem_node *node = (struct vmem_node *)(void *)block_ptr(r, block);

	vmem_repair_fixed(r, false, "inode %llu: the head of node %llu set right", (ull)ino, (ull)block);
	node->magic = vmem_le32_of(magic);
	node->level = vmem_le16_of(level);
	node->owner = vmem_le64_of(ino);
	node->self = vmem_le64_of(block);
	node->reserved = vmem_le64_of(0);
	touched(r, node, sizeof(*node));
}

/* ---- Superblock ---------------------------------------------------------- */

static bool sb_sealed(const struct repair *r, const struct vmem_superblock *sb)
{
	return vmem_get64(sb->magic) == VMEM_SB_MAGIC &&
	       vmem_get32(sb->csum) == vmem_superblock_csum(r->crc, sb);
}

static const struct vmem_superblock *sb_at(const struct repair *r, uint64_t block)
{
	return (const struct vmem_superblock *)(const void *)block_ptr(r, block);
}

static const struct vmem_superblock *backup_at(const struct repair *r, uint64_t block)
{
	const struct vmem_superblock *sb = sb_at(r, block);

	return vmem_get64(sb->magic) == VMEM_SB_MAGIC && vmem_get64(sb->backup) == block &&
	       sb_sealed(r, sb) && !vmem_check_geometry(sb, r->store->size) ? sb : NULL;
}

/*
 * The backup lies in the last block of the file system: where what is left of
 * the superblock says so, or near the end of the store.
 */
static const struct vmem_superblock *find_backup(const struct repair *r)
{
	uint64_t nr = r->store->size >> VMEM_BLOCK_SHIFT, tries = VMEM_MAX_AG_BLOCKS, block = nr;
	uint64_t said = vmem_get64(sb_at(r, 0)->backup);
	const struct vmem_superblock *sb = NULL;

	if (said >= VMEM_MIN_BLOCKS - 1 && said < nr)
		sb = backup_at(r, said);
	while (!sb && block > VMEM_MIN_BLOCKS && tries--)
		sb = backup_at(r, --block);
	return sb;
}

static void load_superblock(struct repair *r, const struct vmem_superblock *sb)
{
	r->sb = *sb;
	r->nr_blocks = vmem_get64(sb->nr_blocks);
	r->nr_inodes = vmem_get64(sb->nr_inodes);
	r->agmeta0 = vmem_get64(sb->agmeta0);
	r->ag_blocks = vmem_get32(sb->ag_blocks);
	r->nr_ags = vmem_get32(sb->nr_ags);
	r->inodes_per_ag = vmem_get32(sb->inodes_per_ag);
	r->itable_blocks = vmem_get32(sb->itable_blocks);
}

static void write_superblocks(struct repair *r)
{
	struct vmem_superblock *sb = &r->sb;
	size_t len = 0;

	while (len < VMEM_LABEL_LEN && sb->label[len])
		len++;
	memset(sb->label + len, 0, VMEM_LABEL_LEN - len);
	if (!vmem_get64(sb->compat))
		memset(sb->reserved, 0, sizeof(sb->reserved));
	sb->csum = vmem_le32_of(vmem_superblock_csum(r->crc, sb));
	if (memcmp(sb, sb_at(r, 0), sizeof(*sb))) {
		vmem_repair_fixed(r, true, "superblock: set right%s",
			sb_sealed(r, sb_at(r, 0)) ? "" : ", from the backup");
		vmem_put(r->store, 0, sb, sizeof(*sb));
	}
	if (memcmp(sb, sb_at(r, r->nr_blocks - 1), sizeof(*sb))) {
		vmem_repair_fixed(r, true, "superblock: the backup was written anew");
		vmem_put(r->store, (r->nr_blocks - 1) << VMEM_BLOCK_SHIFT, sb, sizeof(*sb));
	}
}

static int repair_superblock(struct repair *r)
{
	const struct vmem_superblock *sb = sb_at(r, 0);
	const char *wrong = "it has no right checksum";

	if (r->store->size < VMEM_MIN_BLOCKS * VMEM_BLOCK_SIZE) {
		say(r, "refused: the store is too small for a vmemfs: restore what was cut off");
		return -EUCLEAN;
	}
	if (sb_sealed(r, sb))
		wrong = vmem_check_geometry(sb, r->store->size);
	if (wrong) {
		sb = find_backup(r);
		if (!sb) {
			say(r, "refused: the superblock cannot be used (%s), and no backup of it was found",
			    wrong);
			return -EUCLEAN;
		}
	}
	if (vmem_get16(sb->version_major) != VMEM_VERSION_MAJOR ||
	    vmem_get64(sb->incompat) & ~VMEM_INCOMPAT_KNOWN ||
	    vmem_get64(sb->ro_compat) & ~VMEM_RO_COMPAT_KNOWN) {
		say(r, "refused: version %u or features %llx/%llx are not known to this program: use a newer fsck.vmemfs",
		    vmem_get16(sb->version_major), (ull)vmem_get64(sb->incompat),
		    (ull)vmem_get64(sb->ro_compat));
		return -EPROTONOSUPPORT;
	}
	load_superblock(r, sb);
	return 0;
}

/* ---- Roots --------------------------------------------------------------- */

/* The newest root that is valid: is there one? */
static bool newest_root(const struct repair *r, struct vmem_root *root)
{
	return vmem_newest_root(block_ptr(r, 0), r->sb.uuid, r->crc, root) < VMEM_NR_ROOTS;
}

/*
 * Two clean roots whose log is empty: whatever lies in it has another seed.
 * seq + 1 is that of the root that says that the image is being repaired.
 */
static void write_roots(struct repair *r)
{
	struct vmem_root root;
	uint64_t seq = 0, lsn = 0;
	uint32_t seed;
	unsigned int i;

	memset(&root, 0, sizeof(root));
	if (newest_root(r, &root)) {
		seq = vmem_get64(root.seq);
		lsn = VMEM_MAX(vmem_get64(root.tail), vmem_get64(root.applied));
	}
	if (seq > VMEM_ROOT_SEQ_RENEW)
		seq = 0;
	if (lsn > UINT64_MAX / 4)
		lsn = 0;
	lsn = vmem_align_up(lsn, VMEM_REC_ALIGN) + (vmem_get64(r->sb.log_blocks) << VMEM_BLOCK_SHIFT);
	r->env->random(r->env, &seed, sizeof(seed));
	root.magic = vmem_le64_of(VMEM_ROOT_MAGIC);
	root.state = vmem_le32_of(0);
	root.tail = vmem_le64_of(lsn);
	root.applied = vmem_le64_of(lsn);
	root.log_seed = vmem_le32_of(seed);
	root.domain = vmem_le32_of(r->p->domain);
	root.write_time = vmem_le64_of((uint64_t)r->env->now(r->env));
	memcpy(root.uuid, r->sb.uuid, VMEM_UUID_LEN);
	vmem_forget_growth(&root);
	memset(root.reserved, 0, sizeof(root.reserved));
	for (i = 0; i < VMEM_NR_ROOTS; i++) {
		root.seq = vmem_le64_of(seq + 2 + i);
		root.csum = vmem_le32_of(vmem_root_csum(r->crc, &root));
		vmem_put(r->store, VMEM_ROOT_BLOCK(i) * (uint64_t)VMEM_BLOCK_SIZE, &root, sizeof(root));
	}
}

/* Replay the log, or give it up. */
static int repair_log(struct repair *r)
{
	struct vmem_root root;
	struct vmem_mount_opts opts = { .check = true };
	struct vmem_fs *fs;
	int err;

	if (!newest_root(r, &root)) {
		vmem_repair_fixed(r, false, "roots: neither slot is valid: made anew; what the log held is lost");
		write_roots(r);
		return 0;
	}
	if (!(vmem_get32(root.state) & VMEM_STATE_MOUNTED))
		return 0;
	err = vmem_mount(r->store, r->env, &opts, &fs, NULL);
	if (!err)
		err = vmem_umount(fs);
	if (err == -ENOMEM)
		return err;
	if (err) {
		vmem_repair_fixed(r, false, "log: cannot be replayed (error %d): discarded", -err);
		write_roots(r);
	} else {
		vmem_repair_fixed(r, true, "log: replayed");
	}
	return 0;
}

/* ---- Groups -------------------------------------------------------------- */

static struct vmem_dinode *table_of(const struct repair *r, uint32_t ag)
{
	return (struct vmem_dinode *)(void *)block_ptr(r, group_meta(r, ag) + 2);
}

static bool inode_sealed(const struct repair *r, uint64_t ino, const struct vmem_dinode *di)
{
	return vmem_get16(di->mode) && vmem_get32(di->csum) == vmem_inode_csum(r->crc, di, ino);
}

/* Behind the last inode of a group that its bitmap knows; may be too high by seven. */
static uint32_t last_marked(const struct repair *r, uint32_t ag)
{
	const uint8_t *map = block_ptr(r, group_meta(r, ag) + 1);
	uint32_t bytes = r->inodes_per_ag / 8;

	while (bytes && !map[bytes - 1])
		bytes--;
	return bytes * 8;
}

/*
 * Initialised blocks of the inode table: as the descriptor says, and as far as
 * inodes that the bitmap knows have right checksums.  Older file systems may
 * have left inodes behind them.
 */
static uint32_t find_initialised(struct repair *r, uint32_t ag)
{
	struct vmem_ag_desc *desc = desc_of(r, ag);
	struct vmem_dinode *table = table_of(r, ag);
	uint32_t said = vmem_get32(desc->itable_init), init = said, i;
	uint64_t first = (uint64_t)ag * r->inodes_per_ag;

	if (init > r->itable_blocks)
		init = ag ? 0 : 1;
	for (i = last_marked(r, ag); i-- > init * VMEM_INODES_PER_BLOCK;)
		if (marked_used(r, first + i) && inode_sealed(r, first + i, &table[i])) {
			uint32_t from = init * VMEM_INODES_PER_BLOCK;

			init = i / VMEM_INODES_PER_BLOCK + 1;
			for (i = from; i < init * VMEM_INODES_PER_BLOCK; i++)
				if (!marked_used(r, first + i) || !inode_sealed(r, first + i, &table[i])) {
					table[i].mode = vmem_le16_of(0);
					touched(r, &table[i], sizeof(table[i]));
				}
			break;
		}
	if (!init && !ag)
		init = 1;
	if (init != said) {
		vmem_repair_fixed(r, false, "group %u: %u inode table blocks are initialised, not %u", ag,
			init, said);
		desc->itable_init = vmem_le32_of(init);
		touched(r, desc, sizeof(*desc));
	}
	return init;
}

static int load_groups(struct repair *r)
{
	uint32_t ag;

	r->groups = vmem_repair_alloc(r, r->nr_ags * sizeof(*r->groups));
	if (!r->groups)
		return r->error;
	for (ag = 0; ag < r->nr_ags; ag++) {
		struct rgroup *g = &r->groups[ag];
		uint64_t left = r->nr_blocks - (uint64_t)ag * r->ag_blocks;

		g->blocks = (uint32_t)VMEM_MIN(left, r->ag_blocks);
		g->inited = find_initialised(r, ag) * VMEM_INODES_PER_BLOCK;
		if (!g->inited)
			continue;
		g->info = vmem_repair_alloc(r, g->inited * sizeof(*g->info));
		if (!g->info)
			return r->error;
	}
	return 0;
}

static void free_round(struct repair *r)
{
	uint32_t ag;

	for (ag = 0; r->groups && ag < r->nr_ags; ag++) {
		struct rgroup *g = &r->groups[ag];

		vmem_repair_free(r, g->claimed, VMEM_BLOCK_SIZE);
		vmem_repair_free(r, g->info, g->inited * sizeof(*g->info));
	}
	vmem_repair_free(r, r->groups, r->nr_ags * sizeof(*r->groups));
	r->groups = NULL;
	while (r->names) {
		struct rname *n = r->names;

		r->names = n->next;
		vmem_repair_free(r, n, sizeof(*n) + n->len);
	}
	while (r->lost) {
		struct rlost *l = r->lost;

		r->lost = l->next;
		vmem_repair_free(r, l, sizeof(*l));
	}
	while (r->copies) {
		struct rcopy *c = r->copies;

		r->copies = c->next;
		vmem_repair_free(r, c, sizeof(*c));
	}
	r->copy_blocks = 0;
}

struct vmem_dinode *vmem_repair_inode(const struct repair *r, uint64_t ino, struct rinode **info)
{
	uint64_t ag = ino / r->inodes_per_ag;
	uint32_t i = (uint32_t)(ino % r->inodes_per_ag);

	if (!ino || ag >= r->nr_ags || i >= r->groups[ag].inited)
		return NULL;
	*info = &r->groups[ag].info[i];
	return table_of(r, (uint32_t)ag) + i;
}

void vmem_repair_seal(struct repair *r, uint64_t ino, struct vmem_dinode *di)
{
	di->csum = vmem_le32_of(vmem_inode_csum(r->crc, di, ino));
	touched(r, di, sizeof(*di));
}

static uint32_t count_zeros(const uint8_t *map, uint32_t nr)
{
	uint32_t i, n = 0;

	for (i = 0; i < nr / 8; i++)
		n += map[i] ? 8 - (uint32_t)__builtin_popcount(map[i]) : 8;
	for (i *= 8; i < nr; i++)
		n += !test_bit8(map, i);
	return n;
}

/* Write a bitmap block if it differs. */
static void put_bitmap(struct repair *r, uint32_t ag, const char *what, uint64_t block,
		       const uint8_t *expected)
{
	if (!memcmp(block_ptr(r, block), expected, VMEM_BLOCK_SIZE))
		return;
	vmem_repair_fixed(r, true, "group %u: %s bitmap set right", ag, what);
	vmem_put(r->store, block << VMEM_BLOCK_SHIFT, expected, VMEM_BLOCK_SIZE);
}

/* Tell the caller which blocks of a group trees hold, before anything is added. */
static void tell_in_use(struct repair *r, uint32_t ag)
{
	const struct rgroup *g = &r->groups[ag];
	uint8_t *map = r->p->in_use + (uint64_t)ag * r->ag_blocks / 8;
	uint32_t i;

	for (i = 0; g->claimed && i < (g->blocks + 7) / 8; i++)
		map[i] |= g->claimed[i];
}

/* Bitmaps and descriptor of a group, from what is in use. */
static void repair_maps(struct repair *r, uint32_t ag, uint8_t *map)
{
	const struct rgroup *g = &r->groups[ag];
	struct vmem_ag_desc *desc = desc_of(r, ag), want = { .itable_init = desc->itable_init };
	uint32_t end = ag + 1 == r->nr_ags ? g->blocks - 1 : g->blocks, i, dirs = 0;

	if (g->claimed)
		memcpy(map, g->claimed, VMEM_BLOCK_SIZE);
	else
		memset(map, 0, VMEM_BLOCK_SIZE);
	vmem_bits_apply(map, 0, group_meta_len(r, ag), true);
	vmem_bits_apply(map, end, VMEM_BLOCK_SIZE * 8 - end, true);
	put_bitmap(r, ag, "block", group_meta(r, ag), map);
	want.free_blocks = vmem_le32_of(count_zeros(map, g->blocks));

	memset(map, 0, VMEM_BLOCK_SIZE);
	for (i = 0; i < g->inited; i++) {
		uint32_t mode = vmem_get16(table_of(r, ag)[i].mode);

		if (mode || (!ag && !i))
			vmem_bits_apply(map, i, 1, true);
		dirs += (mode & MODE_TYPE) == MODE_DIR;
	}
	vmem_bits_apply(map, r->inodes_per_ag, VMEM_MAX_AG_INODES - r->inodes_per_ag, true);
	put_bitmap(r, ag, "inode", group_meta(r, ag) + 1, map);
	want.free_inodes = vmem_le32_of(count_zeros(map, r->inodes_per_ag));
	want.nr_dirs = vmem_le32_of(dirs);
	if (!memcmp(desc, &want, sizeof(want)))
		return;
	vmem_repair_fixed(r, true, "group %u: descriptor set right", ag);
	*desc = want;
	touched(r, desc, sizeof(*desc));
}

/* ---- Rounds -------------------------------------------------------------- */

/* A directory must be there, to hold the others. */
static void repair_root_dir(struct repair *r)
{
	struct rinode *info;
	struct vmem_dinode *di = vmem_repair_inode(r, VMEM_ROOT_INO, &info);
	vmem_le64 now = vmem_le64_of((uint64_t)r->env->now(r->env));
	vmem_le32 generation;

	if (info->flags & R_DIR)
		return;
	vmem_repair_fixed(r, false, "inode 1: there is no root directory: made anew");
	generation = di->generation;
	memset(di, 0, sizeof(*di));
	di->mode = vmem_le16_of(MODE_DIR | 0755);
	di->format = vmem_le16_of(VMEM_FMT_DIR);
	di->nlink = vmem_le32_of(2);
	di->atime = di->mtime = di->ctime = di->btime = now;
	di->generation = generation;
	di->parent = vmem_le32_of(VMEM_ROOT_INO);
	vmem_repair_seal(r, VMEM_ROOT_INO, di);
	/* Its leaves say whose they are. */
	info->flags = R_USED | R_DIR | R_REBUILD | R_LOST_NODE;
}

static const char *const stage_name[] = {
	[STAGE_FIELDS] = "repairing inodes", [STAGE_SOUND] = "finding nodes",
	[STAGE_MENDED] = "repairing nodes", [STAGE_DATA] = "repairing extents",
};

typedef void (*inode_fn)(struct repair *r, uint64_t ino, struct vmem_dinode *di,
			 struct rinode *info, enum stage stage);

static void for_inodes(struct repair *r, inode_fn fn, enum stage stage)
{
	uint32_t ag, i;

	for (ag = 0; ag < r->nr_ags; ag++) {
		struct rgroup *g = &r->groups[ag];

		vmem_repair_step(r, stage_name[stage], ag, r->nr_ags);
		for (i = 0; i < g->inited && !r->error; i++)
			if (vmem_get16(table_of(r, ag)[i].mode))
				fn(r, (uint64_t)ag * r->inodes_per_ag + i, &table_of(r, ag)[i],
				   &g->info[i], stage);
	}
}

static void one_inode_fields(struct repair *r, uint64_t ino, struct vmem_dinode *di,
			     struct rinode *info, enum stage stage)
{
	uint32_t mode;

	(void)stage;
	vmem_repair_fields(r, ino, di);
	mode = vmem_get16(di->mode);
	if (mode)
		info->flags |= R_USED | ((mode & MODE_TYPE) == MODE_DIR ? R_DIR : 0);
}

static void one_inode_tree(struct repair *r, uint64_t ino, struct vmem_dinode *di,
			   struct rinode *info, enum stage stage)
{
	vmem_repair_xattrs(r, ino, di, stage);
	if (info->flags & R_DIR) {
		if (stage != STAGE_DATA)
			vmem_repair_dir_nodes(r, ino, di, info, stage);
	} else if (vmem_get16(di->format) == VMEM_FMT_EXTENTS) {
		vmem_repair_extents(r, ino, di, stage);
	} else if (stage == STAGE_DATA) {
		vmem_repair_only_xattrs(r, ino, di);
	}
}

static void repair_offline(struct repair *r, bool first)
{
	uint8_t *map = vmem_repair_alloc(r, VMEM_BLOCK_SIZE);
	enum stage stage;
	uint32_t ag;

	if (!map)
		return;
	for_inodes(r, one_inode_fields, STAGE_FIELDS);
	repair_root_dir(r);
	for (stage = STAGE_SOUND; stage <= STAGE_DATA; stage++)
		for_inodes(r, one_inode_tree, stage);
	if (!r->error)
		vmem_repair_names(r);
	for (ag = 0; ag < r->nr_ags && !r->error; ag++) {
		if (first && r->p->in_use)
			tell_in_use(r, ag);
		repair_maps(r, ag, map);
	}
	vmem_repair_free(r, map, VMEM_BLOCK_SIZE);
}

/*
 * A superblock that leads to the wrong places would make everything there look
 * damaged.  No inode with a right checksum and no likely root: refuse.
 */
static bool looks_like_ours(struct repair *r)
{
	const struct vmem_dinode *root = table_of(r, 0) + VMEM_ROOT_INO;
	uint32_t ag, i;

	if ((vmem_get16(root->mode) & MODE_TYPE) == MODE_DIR && vmem_repair_inode_likely(r, root))
		return true;
	for (ag = 0; ag < r->nr_ags; ag++)
		for (i = 0; i < r->groups[ag].inited; i++)
			if (inode_sealed(r, (uint64_t)ag * r->inodes_per_ag + i, &table_of(r, ag)[i]))
				return true;
	say(r, "refused: there is no root directory and no inode with a right checksum where the superblock says: nothing was changed");
	return false;
}

static int repair_round(struct repair *r, bool first)
{
	int err = load_groups(r);

	if (!err && first && !looks_like_ours(r))
		err = -EUCLEAN;
	if (!err) {
		repair_offline(r, first);
		err = r->error;
	}
	if (!err) {
		write_roots(r);
		if (r->names || r->lost || r->copies)
			err = vmem_repair_mounted(r);
		if (r->names_left) {
			err = -EUCLEAN;
			say(r, "refused: without a free block not all names of damaged directories can be kept: copy the files that matter");
		} else if (err && err != -ENOMEM && err != -ENOSPC) {
			say(r, "refused: the repaired image cannot be mounted or filled (error %d)", -err);
		}
	}
	free_round(r);
	return err;
}

/* ---- The whole ----------------------------------------------------------- */

struct judge {
	struct repair *r;
	bool tell;
};

__attribute__((format(printf, 2, 0)))
static void on_problem(void *ctx, const char *fmt, va_list ap)
{
	struct judge *j = ctx;

	if (j->tell)
		j->r->p->report(j->r->p->ctx, fmt, ap);
	j->tell = false;
}

static void on_check_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct judge *j = ctx;

	vmem_repair_step(j->r, "checking", done, total);
}

static int64_t check(struct repair *r, bool tell, bool *needs_check)
{
	struct judge j = { r, tell };
	struct vmem_check_params params = {
		.base = r->store->base, .size = r->store->size, .env = r->env,
		.ctx = &j, .problem = on_problem, .progress = on_check_progress,
	};
	struct vmem_check_result result;
	int64_t found = vmem_check(&params, &result);

	*needs_check = result.needs_check;
	return found;
}

static int repair_all(struct repair *r)
{
	bool needs_check;
	unsigned int round;
	int64_t found;
	int err = repair_log(r);

	if (err)
		return err;
	found = check(r, false, &needs_check);
	if (!found && needs_check)
		vmem_repair_fixed(r, true, "root: the check that was asked for is done");
	for (round = 0; found > 0 && round < MAX_ROUNDS; round++) {
		err = repair_round(r, !round);
		/* No space on the first way: the next round finds more that is free. */
		if (err && err != -ENOSPC)
			return err == -ENOMEM ? err : -EUCLEAN;
		write_roots(r);
		found = check(r, round + 1 == MAX_ROUNDS, &needs_check);
	}
	if (found <= 0)
		return (int)found;
	say(r, "refused: this is left after %u rounds; the image is as it was", MAX_ROUNDS);
	return -EUCLEAN;
}

int vmem_repair(const struct vmem_repair_params *params, struct vmem_repair_result *result)
{
	struct repair *r = params->env->alloc(params->env, sizeof(*r));
	int err;

	memset(result, 0, sizeof(*result));
	if (!r)
		return -ENOMEM;
	r->p = params;
	r->res = result;
	r->store = params->store;
	r->env = params->env;
	r->crc = r->env->crc32c ? r->env->crc32c : vmem_crc32c;
	err = repair_superblock(r);
	if (!err) {
		write_superblocks(r);
		err = repair_all(r);
		/* Clean, and newer than what marks an image as being repaired. */
		if (!err && (result->safe || result->unsafe))
			write_roots(r);
	}
	params->env->free(params->env, r, sizeof(*r));
	return err;
}
