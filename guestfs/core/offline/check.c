// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * check.c - a full read-only check of a vmemfs image
 *
 * Order of work: superblock and roots; then, group by group, each initialised
 * inode with the tree that hangs from it, which claims its blocks and counts
 * the links it gives (check_tree.c); then what can only be said at the end:
 * link counts, parents, reachability, and both bitmaps and the descriptor of
 * each group against what was claimed.
 */
#include "offline/check_internal.h"

#define DESC_SIZE	((uint32_t)sizeof(struct vmem_ag_desc))

void vmem_check_problem(struct checker *c, const char *fmt, ...)
{
	va_list ap;

	c->res->problems++;
	va_start(ap, fmt);
	c->p->problem(c->p->ctx, fmt, ap);
	va_end(ap);
}

static void *check_alloc(struct checker *c, size_t size)
{
	void *p = c->p->env->alloc(c->p->env, size);

	if (!p)
		c->error = -ENOMEM;
	return p;
}

static void check_free(struct checker *c, void *p, size_t size)
{
	if (p)
		c->p->env->free(c->p->env, p, size);
}

static void set_bits(uint8_t *map, uint32_t first, uint32_t end)
{
	for (; first < end && first % 8; first++)
		set_bit(map, first);
	if (first < end) {
		memset(map + first / 8, 0xff, (end - first) / 8);
		first += (end - first) & ~7u;
	}
	for (; first < end; first++)
		set_bit(map, first);
}

/* ---- Superblock and roots ------------------------------------------------ */

static const char *check_areas(const struct vmem_superblock *sb)
{
	uint64_t desc_start = vmem_get64(sb->desc_start);
	uint64_t log_start = vmem_get64(sb->log_start);
	uint64_t log_blocks = vmem_get64(sb->log_blocks);
	uint64_t agmeta0 = vmem_get64(sb->agmeta0);
	uint64_t nr_ags = vmem_get32(sb->nr_ags);
	uint64_t desc_blocks = (nr_ags * DESC_SIZE + VMEM_BLOCK_MASK) >> VMEM_BLOCK_SHIFT;
	uint64_t meta = 2ull + vmem_get32(sb->itable_blocks);
	uint64_t first = vmem_get32(sb->ag_blocks);
	uint64_t last = vmem_get64(sb->nr_blocks) - (nr_ags - 1) * first;

	if (desc_start != VMEM_DESC_START || log_start > first ||
	    desc_start + desc_blocks > log_start)
		return "the descriptors overlap something";
	if (log_blocks < VMEM_MIN_LOG_BLOCKS || log_blocks > first || agmeta0 > first ||
	    log_start + log_blocks > agmeta0)
		return "the log overlaps something or is too small";
	if (agmeta0 + meta + 1 > (nr_ags == 1 ? last : first))
		return "the first group is too small for its metadata";
	if (nr_ags > 1 && meta + 1 > last)
		return "the last group is too small for its metadata";
	return NULL;
}

const char *vmem_check_geometry(const struct vmem_superblock *sb, uint64_t size)
{
	uint64_t nr_blocks = vmem_get64(sb->nr_blocks);
	uint64_t ag_blocks = vmem_get32(sb->ag_blocks);
	uint64_t nr_ags = vmem_get32(sb->nr_ags);
	uint64_t per_ag = vmem_get32(sb->inodes_per_ag);

	if (nr_blocks < VMEM_MIN_BLOCKS || nr_blocks > VMEM_MAX_BLOCKS)
		return "impossible number of blocks";
	if (nr_blocks > size >> VMEM_BLOCK_SHIFT)
		return "the store is smaller than the file system";
	if (ag_blocks == 0 || ag_blocks > VMEM_MAX_AG_BLOCKS || ag_blocks % 8)
		return "impossible group size";
	if (nr_ags != (nr_blocks + ag_blocks - 1) / ag_blocks)
		return "the number of groups does not fit the number of blocks";
	if (per_ag == 0 || per_ag > VMEM_MAX_AG_INODES || per_ag % VMEM_INODES_PER_BLOCK)
		return "impossible number of inodes per group";
	if (vmem_get32(sb->itable_blocks) != per_ag / VMEM_INODES_PER_BLOCK)
		return "the inode tables do not fit the number of inodes";
	if (vmem_get64(sb->nr_inodes) != nr_ags * per_ag || nr_ags * per_ag > UINT32_MAX)
		return "impossible number of inodes";
	if (vmem_get64(sb->backup) != nr_blocks - 1)
		return "the backup superblock is not in the last block";
	return check_areas(sb);
}

/* The parts that do not decide whether one can go on. */
static void check_superblock_details(struct checker *c)
{
	const struct vmem_superblock *sb = c->sb;
	const struct vmem_superblock *backup;
	size_t len = 0;

	while (len < VMEM_LABEL_LEN && sb->label[len])
		len++;
	if (!all_zero(sb->label + len, VMEM_LABEL_LEN - len))
		vmem_check_problem(c, "superblock: the label is not zero-padded");
	if (!vmem_get64(sb->compat) && !all_zero(sb->reserved, sizeof(sb->reserved)))
		vmem_check_problem(c, "superblock: reserved bytes are not zero");
	backup = (const struct vmem_superblock *)block_ptr(c, vmem_get64(sb->backup));
	if (memcmp(sb, backup, sizeof(*sb)))
		vmem_check_problem(c, "superblock: the backup in block %llu differs",
			(ull)vmem_get64(sb->backup));
}

static int check_superblock(struct checker *c)
{
	const struct vmem_superblock *sb = (const struct vmem_superblock *)c->p->base;
	const char *wrong;

	if (c->p->size < VMEM_BLOCK_SIZE || vmem_get64(sb->magic) != VMEM_SB_MAGIC) {
		vmem_check_problem(c, "superblock: not a vmemfs image");
		return -EINVAL;
	}
	if (vmem_get16(sb->version_major) != VMEM_VERSION_MAJOR ||
	    vmem_get64(sb->incompat) & ~VMEM_INCOMPAT_KNOWN ||
	    vmem_get64(sb->ro_compat) & ~VMEM_RO_COMPAT_KNOWN) {
		vmem_check_problem(c, "superblock: version %u or features %llx/%llx are not known to this program",
			vmem_get16(sb->version_major), (ull)vmem_get64(sb->incompat),
			(ull)vmem_get64(sb->ro_compat));
		return -EPROTONOSUPPORT;
	}
	if (vmem_get32(sb->csum) != vmem_superblock_csum(c->crc, sb))
		vmem_check_problem(c, "superblock: wrong checksum");
	wrong = vmem_check_geometry(sb, c->p->size);
	if (wrong) {
		vmem_check_problem(c, "superblock: %s", wrong);
		return -EINVAL;
	}
	c->sb = sb;
	c->nr_blocks = vmem_get64(sb->nr_blocks);
	c->ag_blocks = vmem_get32(sb->ag_blocks);
	c->nr_ags = vmem_get32(sb->nr_ags);
	c->inodes_per_ag = vmem_get32(sb->inodes_per_ag);
	c->itable_blocks = vmem_get32(sb->itable_blocks);
	c->group0_meta_end = vmem_get64(sb->agmeta0) + 2 + c->itable_blocks;
	c->res->nr_blocks = c->nr_blocks;
	c->res->nr_inodes = vmem_get64(sb->nr_inodes);
	check_superblock_details(c);
	return 0;
}

/* Is there a valid record where a clean image must have none? */
static bool record_at(struct checker *c, uint64_t lsn, uint32_t seed)
{
	uint64_t ring = vmem_get64(c->sb->log_blocks) << VMEM_BLOCK_SHIFT;
	uint64_t pos = lsn % ring;
	const struct vmem_rec *rec = (const struct vmem_rec *)
		(block_ptr(c, vmem_get64(c->sb->log_start)) + pos);
	uint64_t len = vmem_get32(rec->len);

	if (vmem_get64(rec->lsn) != lsn || len < sizeof(*rec) || len % VMEM_REC_ALIGN ||
	    len > ring - pos)
		return false;
	if (vmem_get16(rec->type) == VMEM_REC_PAD)
		len = sizeof(*rec);
	else if (len > VMEM_REC_MAX)
		return false;
	return vmem_get32(rec->csum) == vmem_rec_csum(c->crc, seed, rec, len);
}

static bool root_valid(struct checker *c, const struct vmem_root *root)
{
	return vmem_get64(root->magic) == VMEM_ROOT_MAGIC &&
	       vmem_get32(root->csum) == vmem_root_csum(c->crc, root) &&
	       !memcmp(root->uuid, c->sb->uuid, VMEM_UUID_LEN) &&
	       vmem_get64(root->tail) % VMEM_REC_ALIGN == 0 &&
	       vmem_get64(root->tail) < UINT64_MAX / 2 && vmem_get64(root->seq) < UINT64_MAX / 2;
}

static void check_newest_root(struct checker *c, unsigned int slot,
			      const struct vmem_root *root)
{
	uint64_t ring = vmem_get64(c->sb->log_blocks) << VMEM_BLOCK_SHIFT;
	uint64_t tail = vmem_get64(root->tail), applied = vmem_get64(root->applied);
	uint32_t state = vmem_get32(root->state), domain = vmem_get32(root->domain);

	if (state & ~(VMEM_STATE_MOUNTED | VMEM_STATE_NEEDS_CHECK | VMEM_STATE_ERROR))
		vmem_check_problem(c, "root %u: unknown state %x", slot, state);
	if (domain < VMEM_DOMAIN_GUEST || domain > VMEM_DOMAIN_PMEM)
		vmem_check_problem(c, "root %u: unknown durability domain %u", slot, domain);
	if (state & VMEM_STATE_MOUNTED ? applied < tail || applied - tail > ring
						: applied != tail)
		vmem_check_problem(c, "root %u: applied position %llu does not fit the tail %llu", slot,
			(ull)applied, (ull)tail);
	if (vmem_get64(root->grow_from) || vmem_get64(root->grow_to) || vmem_get64(root->grow_mount))
		vmem_check_problem(c, "root %u: growing from %llu to %llu blocks was not finished, which a mount would do",
			slot, (ull)vmem_get64(root->grow_from), (ull)vmem_get64(root->grow_to));
	if (!all_zero(root->reserved, sizeof(root->reserved)))
		vmem_check_problem(c, "root %u: reserved bytes are not zero", slot);
	if (state & VMEM_STATE_MOUNTED)
		vmem_check_problem(c, "root %u: not unmounted: the log must be replayed first", slot);
	else if (record_at(c, tail, vmem_get32(root->log_seed)))
		vmem_check_problem(c, "root %u: the log goes on after the end of a clean unmount", slot);
	c->res->needs_check = state & (VMEM_STATE_NEEDS_CHECK | VMEM_STATE_ERROR);
}

/* One slot may be invalid at any time: a crash may have cut its writing. */
static void check_roots(struct checker *c)
{
	const struct vmem_root *root[VMEM_NR_ROOTS];
	bool valid[VMEM_NR_ROOTS];
	unsigned int i, newest;

	for (i = 0; i < VMEM_NR_ROOTS; i++) {
		root[i] = (const struct vmem_root *)block_ptr(c, VMEM_ROOT_BLOCK(i));
		valid[i] = root_valid(c, root[i]);
	}
	c->res->root_slot = VMEM_NR_ROOTS;
	if (!valid[0] && !valid[1]) {
		vmem_check_problem(c, "roots: neither slot is valid");
		return;
	}
	if (valid[0] && valid[1] && vmem_get64(root[0]->seq) == vmem_get64(root[1]->seq))
		vmem_check_problem(c, "roots: both slots have sequence number %llu",
			(ull)vmem_get64(root[0]->seq));
	newest = !valid[0] ||
		 (valid[1] && vmem_get64(root[1]->seq) > vmem_get64(root[0]->seq));
	c->res->root_slot = newest;
	check_newest_root(c, newest, root[newest]);
}

/* ---- Groups -------------------------------------------------------------- */

static const struct vmem_ag_desc *desc_of(const struct checker *c, uint32_t ag)
{
	return (const struct vmem_ag_desc *)block_ptr(c, vmem_get64(c->sb->desc_start)) + ag;
}

/* Metadata blocks at the start of a group. */
static uint32_t group_meta_len(const struct checker *c, uint32_t ag)
{
	return ag ? 2 + c->itable_blocks : (uint32_t)c->group0_meta_end;
}

static bool is_metadata(const struct checker *c, uint64_t block)
{
	return block % c->ag_blocks < group_meta_len(c, (uint32_t)(block / c->ag_blocks)) ||
	       block == c->nr_blocks - 1;
}

bool vmem_check_claim(struct checker *c, uint64_t ino, uint64_t block, uint64_t nr)
{
	struct group *g;
	uint32_t bit;

	if (block >= c->nr_blocks || nr > c->nr_blocks - block) {
		vmem_check_problem(c, "inode %llu: blocks %llu+%llu lie outside the file system", (ull)ino,
			(ull)block, (ull)nr);
		return false;
	}
	for (; nr; nr--, block++) {
		if (is_metadata(c, block)) {
			vmem_check_problem(c, "inode %llu: block %llu belongs to the metadata", (ull)ino,
				(ull)block);
			return false;
		}
		g = &c->groups[block / c->ag_blocks];
		if (!g->claimed)
			g->claimed = check_alloc(c, VMEM_BLOCK_SIZE);
		if (!g->claimed)
			return false;
		bit = (uint32_t)(block % c->ag_blocks);
		if (test_bit8(g->claimed, bit)) {
			vmem_check_problem(c, "inode %llu: block %llu is used twice", (ull)ino, (ull)block);
			return false;
		}
		set_bit(g->claimed, bit);
		c->res->used_blocks++;
	}
	return true;
}

const struct vmem_dinode *vmem_check_find_inode(const struct checker *c, uint64_t ino,
					    struct inode_info **info)
{
	uint64_t ag = ino / c->inodes_per_ag;
	uint32_t idx = (uint32_t)(ino % c->inodes_per_ag);

	if (ag >= c->nr_ags || idx >= c->groups[ag].inited)
		return NULL;
	if (info)
		*info = &c->groups[ag].info[idx];
	return (const struct vmem_dinode *)
		block_ptr(c, group_meta(c, (uint32_t)ag) + 2) + idx;
}

static int load_groups(struct checker *c)
{
	uint32_t ag;

	c->groups = check_alloc(c, c->nr_ags * sizeof(*c->groups));
	c->expected = check_alloc(c, VMEM_BLOCK_SIZE);
	if (c->error)
		return c->error;
	for (ag = 0; ag < c->nr_ags; ag++) {
		struct group *g = &c->groups[ag];
		uint64_t left = c->nr_blocks - group_start(c, ag);
		uint32_t init = vmem_get32(desc_of(c, ag)->itable_init);

		g->blocks = (uint32_t)(left < c->ag_blocks ? left : c->ag_blocks);
		if (init > c->itable_blocks) {
			vmem_check_problem(c, "group %u: %u inode table blocks initialised of %u", ag, init,
				c->itable_blocks);
			init = c->itable_blocks;
		}
		if (!init)
			continue;
		g->info = check_alloc(c, (size_t)init * VMEM_INODES_PER_BLOCK *
				      sizeof(*g->info));
		if (!g->info)
			return c->error;
		g->inited = init * VMEM_INODES_PER_BLOCK;
	}
	return 0;
}

static void free_groups(struct checker *c)
{
	uint32_t ag;

	for (ag = 0; c->groups && ag < c->nr_ags; ag++) {
		struct group *g = &c->groups[ag];

		check_free(c, g->claimed, VMEM_BLOCK_SIZE);
		check_free(c, g->info, g->inited * sizeof(*g->info));
	}
	check_free(c, c->groups, c->nr_ags * sizeof(*c->groups));
	check_free(c, c->expected, VMEM_BLOCK_SIZE);
}

/* ---- What only the end can tell ------------------------------------------ */

static void check_link_count(struct checker *c, uint64_t ino, const struct vmem_dinode *di,
			     const struct inode_info *info)
{
	uint32_t nlink = vmem_get32(di->nlink), found = info->links;

	if (info->flags & INFO_DIR)
		found = 2 + info->subdirs;
	if (ino == VMEM_ROOT_INO) {
		if (!(info->flags & INFO_DIR))
			vmem_check_problem(c, "inode 1: the root is not a directory");
		else if (vmem_get32(di->parent) != VMEM_ROOT_INO)
			vmem_check_problem(c, "directory 1: the root's parent is %u",
				vmem_get32(di->parent));
	} else if (!info->links) {
		vmem_check_problem(c, "inode %llu: in use, but no directory leads to it", (ull)ino);
	} else if (info->flags & INFO_DIR && vmem_get32(di->parent) != info->parent) {
		vmem_check_problem(c, "directory %llu: its parent is %u, it says %u", (ull)ino, info->parent,
			vmem_get32(di->parent));
	}
	if (nlink != found)
		vmem_check_problem(c, "inode %llu: link count %u instead of %u", (ull)ino, nlink, found);
}

/*
 * Follow parents from a directory until the root, a directory whose way is
 * known, a dead end (told already: it has no name) or a circle.  All on the
 * way then count as known, so that each is passed only once.
 */
static void check_reachable(struct checker *c, uint64_t start)
{
	struct inode_info *info;
	uint64_t ino = start;

	while (ino != VMEM_ROOT_INO && vmem_check_find_inode(c, ino, &info)) {
		if (info->flags & INFO_ON_PATH)
			vmem_check_problem(c, "directory %llu: in a circle that no path from the root enters",
				(ull)ino);
		if (!info->links || info->flags & (INFO_REACHED | INFO_ON_PATH))
			break;
		info->flags |= INFO_ON_PATH;
		ino = info->parent;
	}
	for (ino = start; ino != VMEM_ROOT_INO && vmem_check_find_inode(c, ino, &info);
	     ino = info->parent) {
		if (!(info->flags & INFO_ON_PATH))
			break;
		info->flags = (info->flags & ~INFO_ON_PATH) | INFO_REACHED;
	}
}

static void check_names(struct checker *c)
{
	uint32_t ag, i;

	for (ag = 0; ag < c->nr_ags; ag++) {
		const struct group *g = &c->groups[ag];

		for (i = 0; i < g->inited; i++) {
			uint64_t ino = (uint64_t)ag * c->inodes_per_ag + i;

			if (!(g->info[i].flags & INFO_USED))
				continue;
			check_link_count(c, ino, vmem_check_find_inode(c, ino, NULL), &g->info[i]);
			if (g->info[i].flags & INFO_DIR)
				check_reachable(c, ino);
		}
	}
}

/* Tell where a bitmap of nr bits, whole bytes, differs from what it should be. */
static void compare_bitmaps(struct checker *c, const char *what, uint64_t first,
			    const uint8_t *is, const uint8_t *should, uint32_t nr)
{
	uint32_t i = 0, from;
	bool used;

	if (!memcmp(is, should, nr / 8))
		return;
	while (i < nr) {
		/* Never in the middle of a byte: what lies behind has a difference. */
		if (is[i / 8] == should[i / 8]) {
			i += 8;
			continue;
		}
		if (test_bit8(is, i) == test_bit8(should, i)) {
			i++;
			continue;
		}
		used = test_bit8(is, i);
		from = i++;
		while (i < nr && test_bit8(is, i) == used && test_bit8(should, i) != used)
			i++;
		vmem_check_problem(c, "%s %llu to %llu: marked %s", what, (ull)(first + from),
			(ull)(first + i - 1), used ? "used, but nothing uses them"
						   : "free, but in use");
	}
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

static void check_block_bitmap(struct checker *c, uint32_t ag)
{
	const struct group *g = &c->groups[ag];
	const uint8_t *map = block_ptr(c, group_meta(c, ag));
	bool last = ag + 1 == c->nr_ags;
	uint32_t free_blocks;

	if (g->claimed)
		memcpy(c->expected, g->claimed, VMEM_BLOCK_SIZE);
	else
		memset(c->expected, 0, VMEM_BLOCK_SIZE);
	set_bits(c->expected, 0, group_meta_len(c, ag));
	set_bits(c->expected, last ? g->blocks - 1 : g->blocks, VMEM_BLOCK_SIZE * 8);
	compare_bitmaps(c, "blocks", group_start(c, ag), map, c->expected,
			VMEM_BLOCK_SIZE * 8);
	c->res->used_blocks += group_meta_len(c, ag) + (last ? 1 : 0);

	free_blocks = count_zeros(c->expected, g->blocks);
	if (vmem_get32(desc_of(c, ag)->free_blocks) != free_blocks)
		vmem_check_problem(c, "group %u: says %u free blocks, has %u", ag,
			vmem_get32(desc_of(c, ag)->free_blocks), free_blocks);
}

static void check_inode_bitmap(struct checker *c, uint32_t ag)
{
	const struct group *g = &c->groups[ag];
	const uint8_t *map = block_ptr(c, group_meta(c, ag) + 1);
	uint32_t i, free_inodes;

	memset(c->expected, 0, VMEM_BLOCK_SIZE);
	for (i = 0; i < g->inited; i++)
		if (g->info[i].flags & INFO_USED)
			set_bit(c->expected, i);
	if (ag == 0)
		set_bit(c->expected, 0);
	set_bits(c->expected, c->inodes_per_ag, VMEM_MAX_AG_INODES);
	compare_bitmaps(c, "inodes", (uint64_t)ag * c->inodes_per_ag, map, c->expected,
			VMEM_MAX_AG_INODES);
	if (!all_zero(map + VMEM_ORPHAN_BITMAP_OFF, VMEM_BLOCK_SIZE - VMEM_ORPHAN_BITMAP_OFF))
		vmem_check_problem(c, "group %u: orphans are left", ag);

	free_inodes = count_zeros(c->expected, c->inodes_per_ag);
	if (vmem_get32(desc_of(c, ag)->free_inodes) != free_inodes)
		vmem_check_problem(c, "group %u: says %u free inodes, has %u", ag,
			vmem_get32(desc_of(c, ag)->free_inodes), free_inodes);
}

static void check_desc(struct checker *c, uint32_t ag)
{
	const struct vmem_ag_desc *desc = desc_of(c, ag);

	if (vmem_get32(desc->nr_dirs) != c->groups[ag].nr_dirs)
		vmem_check_problem(c, "group %u: says %u directories, has %u", ag,
			vmem_get32(desc->nr_dirs), c->groups[ag].nr_dirs);
	if (vmem_get32(desc->nr_orphans))
		vmem_check_problem(c, "group %u: says %u orphans are left", ag,
			vmem_get32(desc->nr_orphans));
	if (!all_zero(desc->reserved, sizeof(desc->reserved)))
		vmem_check_problem(c, "group %u: reserved bytes of the descriptor are not zero", ag);
}

static void check_root_dir(struct checker *c)
{
	const struct vmem_dinode *di = vmem_check_find_inode(c, VMEM_ROOT_INO, NULL);

	if (!di || !vmem_get16(di->mode))
		vmem_check_problem(c, "inode 1: there is no root directory");
}

int64_t vmem_check(const struct vmem_check_params *params, struct vmem_check_result *result)
{
	struct checker c = {
		.p = params, .res = result,
		.crc = params->env->crc32c ? params->env->crc32c : vmem_crc32c,
	};
	uint32_t ag;
	int err;

	memset(result, 0, sizeof(*result));
	err = check_superblock(&c);
	if (err)
		return err == -EPROTONOSUPPORT ? err : (int64_t)result->problems;
	check_roots(&c);
	err = load_groups(&c);
	for (ag = 0; !err && ag < c.nr_ags; ag++) {
		if (params->progress)
			params->progress(params->ctx, ag, c.nr_ags);
		vmem_check_inodes(&c, ag);
		err = c.error;
	}
	if (!err) {
		check_root_dir(&c);
		check_names(&c);
		for (ag = 0; ag < c.nr_ags; ag++) {
			check_block_bitmap(&c, ag);
			check_inode_bitmap(&c, ag);
			check_desc(&c, ag);
		}
	}
	free_groups(&c);
	return err ? err : (int64_t)result->problems;
}
