// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * check.c - a full read-only check of a vmemfs image
 *
 * Order of work: superblock and roots; then, group by group, each initialised
 * inode with the tree that hangs from it, which claims its blocks and counts
 * the links it gives; then what can only be said at the end: link counts,
 * parents, reachability, and both bitmaps and the descriptor of each group
 * against what was claimed.
 */
#include "check.h"
#include "hash.h"

typedef unsigned long long ull;

#define DESC_SIZE	((uint32_t)sizeof(struct vmem_ag_desc))
#define MODE_TYPE	0170000u
#define MODE_FIFO	0010000u
#define MODE_CHR	0020000u
#define MODE_DIR	0040000u
#define MODE_BLK	0060000u
#define MODE_REG	0100000u
#define MODE_LNK	0120000u
#define MODE_SOCK	0140000u

#define INFO_USED	(1u << 0)
#define INFO_DIR	(1u << 1)
#define INFO_REACHED	(1u << 2)	/* a way to the root is known */
#define INFO_ON_PATH	(1u << 3)	/* on the path that is being followed */

/* What the trees say about one inode. */
struct inode_info {
	uint32_t links;			/* directory entries that lead here */
	uint32_t parent;		/* directory with the first of them */
	uint32_t subdirs;		/* of a directory */
	uint32_t flags;			/* INFO_* */
};

struct group {
	uint32_t blocks;		/* in this group */
	uint32_t inited;		/* inodes initialised */
	uint32_t nr_dirs;
	uint8_t *claimed;		/* a bit per block outside metadata; NULL: none */
	struct inode_info *info;	/* inited of them; NULL: none */
};

struct checker {
	const struct vmem_check_params *p;
	struct vmem_check_result *res;
	vmem_crc_fn crc;
	const struct vmem_superblock *sb;
	uint64_t nr_blocks;
	uint64_t group0_meta_end;	/* all blocks below are metadata */
	uint32_t ag_blocks, nr_ags, inodes_per_ag, itable_blocks;
	struct group *groups;
	uint8_t *expected;		/* one block */
	int error;			/* -ENOMEM ends the check */
};

__attribute__((format(printf, 2, 3)))
static void problem(struct checker *c, const char *fmt, ...)
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

static const uint8_t *block_ptr(const struct checker *c, uint64_t block)
{
	return c->p->base + (block << VMEM_BLOCK_SHIFT);
}

static bool all_zero(const void *buf, size_t len)
{
	const uint8_t *p = buf;

	while (len--)
		if (*p++)
			return false;
	return true;
}

static bool test_bit(const uint8_t *map, uint32_t bit)
{
	return map[bit / 8] >> bit % 8 & 1;
}

static void set_bit(uint8_t *map, uint32_t bit)
{
	map[bit / 8] = (uint8_t)(map[bit / 8] | 1u << bit % 8);
}

static void set_bits(uint8_t *map, uint32_t first, uint32_t end)
{
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

	if (desc_start < VMEM_DESC_START || desc_start > first ||
	    log_start > first || desc_blocks > first || desc_start + desc_blocks > log_start)
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
	if (ag_blocks == 0 || ag_blocks > VMEM_MAX_AG_BLOCKS)
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
		problem(c, "superblock: the label is not zero-padded");
	if (!vmem_get64(sb->compat) && !all_zero(sb->reserved, sizeof(sb->reserved)))
		problem(c, "superblock: reserved bytes are not zero");
	backup = (const struct vmem_superblock *)block_ptr(c, vmem_get64(sb->backup));
	if (memcmp(sb, backup, sizeof(*sb)))
		problem(c, "superblock: the backup in block %llu differs",
			(ull)vmem_get64(sb->backup));
}

static int check_superblock(struct checker *c)
{
	const struct vmem_superblock *sb = (const struct vmem_superblock *)c->p->base;
	const char *wrong;

	if (c->p->size < VMEM_BLOCK_SIZE || vmem_get64(sb->magic) != VMEM_SB_MAGIC) {
		problem(c, "superblock: not a vmemfs image");
		return -EINVAL;
	}
	if (vmem_get16(sb->version_major) != VMEM_VERSION_MAJOR ||
	    vmem_get64(sb->incompat) & ~VMEM_INCOMPAT_KNOWN ||
	    vmem_get64(sb->ro_compat) & ~VMEM_RO_COMPAT_KNOWN) {
		problem(c, "superblock: version %u or features %llx/%llx are not known to this program",
			vmem_get16(sb->version_major), (ull)vmem_get64(sb->incompat),
			(ull)vmem_get64(sb->ro_compat));
		return -EPROTONOSUPPORT;
	}
	if (vmem_get32(sb->csum) != vmem_superblock_csum(c->crc, sb))
		problem(c, "superblock: wrong checksum");
	wrong = vmem_check_geometry(sb, c->p->size);
	if (wrong) {
		problem(c, "superblock: %s", wrong);
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
	       !memcmp(root->uuid, c->sb->uuid, VMEM_UUID_LEN);
}

static void check_newest_root(struct checker *c, unsigned int slot,
			      const struct vmem_root *root)
{
	uint64_t ring = vmem_get64(c->sb->log_blocks) << VMEM_BLOCK_SHIFT;
	uint64_t tail = vmem_get64(root->tail), applied = vmem_get64(root->applied);
	uint32_t state = vmem_get32(root->state), domain = vmem_get32(root->domain);

	if (state & ~(VMEM_STATE_MOUNTED | VMEM_STATE_NEEDS_CHECK | VMEM_STATE_ERROR))
		problem(c, "root %u: unknown state %x", slot, state);
	if (domain < VMEM_DOMAIN_GUEST || domain > VMEM_DOMAIN_PMEM)
		problem(c, "root %u: unknown durability domain %u", slot, domain);
	if (tail % VMEM_REC_ALIGN)
		problem(c, "root %u: the log's tail %llu is not aligned", slot, (ull)tail);
	else if (state & VMEM_STATE_MOUNTED ? applied < tail || applied - tail > ring
						: applied != tail)
		problem(c, "root %u: applied position %llu does not fit the tail %llu", slot,
			(ull)applied, (ull)tail);
	if (!all_zero(root->reserved, sizeof(root->reserved)))
		problem(c, "root %u: reserved bytes are not zero", slot);
	if (state & VMEM_STATE_MOUNTED)
		problem(c, "root %u: not unmounted: the log must be replayed first", slot);
	else if (tail % VMEM_REC_ALIGN == 0 && record_at(c, tail, vmem_get32(root->log_seed)))
		problem(c, "root %u: the log goes on after the end of a clean unmount", slot);
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
	if (!valid[0] && !valid[1]) {
		problem(c, "roots: neither slot is valid");
		return;
	}
	if (valid[0] && valid[1] && vmem_get64(root[0]->seq) == vmem_get64(root[1]->seq))
		problem(c, "roots: both slots have sequence number %llu",
			(ull)vmem_get64(root[0]->seq));
	newest = !valid[0] ||
		 (valid[1] && vmem_get64(root[1]->seq) > vmem_get64(root[0]->seq));
	check_newest_root(c, newest, root[newest]);
}

/* ---- Groups -------------------------------------------------------------- */

static const struct vmem_ag_desc *desc_of(const struct checker *c, uint32_t ag)
{
	return (const struct vmem_ag_desc *)block_ptr(c, vmem_get64(c->sb->desc_start)) + ag;
}

static uint64_t group_start(const struct checker *c, uint32_t ag)
{
	return (uint64_t)ag * c->ag_blocks;
}

static uint64_t group_meta(const struct checker *c, uint32_t ag)
{
	return ag ? group_start(c, ag) : vmem_get64(c->sb->agmeta0);
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

/*
 * Note that inode ino holds these blocks.  Stops at the first that it cannot
 * hold, so that all claims together cost no more than the store has blocks.
 */
static bool claim_blocks(struct checker *c, uint64_t ino, uint64_t block, uint64_t nr)
{
	struct group *g;
	uint32_t bit;

	if (block >= c->nr_blocks || nr > c->nr_blocks - block) {
		problem(c, "inode %llu: blocks %llu+%llu lie outside the file system", (ull)ino,
			(ull)block, (ull)nr);
		return false;
	}
	for (; nr; nr--, block++) {
		if (is_metadata(c, block)) {
			problem(c, "inode %llu: block %llu belongs to the metadata", (ull)ino,
				(ull)block);
			return false;
		}
		g = &c->groups[block / c->ag_blocks];
		if (!g->claimed)
			g->claimed = check_alloc(c, VMEM_BLOCK_SIZE);
		if (!g->claimed)
			return false;
		bit = (uint32_t)(block % c->ag_blocks);
		if (test_bit(g->claimed, bit)) {
			problem(c, "inode %llu: block %llu is used twice", (ull)ino, (ull)block);
			return false;
		}
		set_bit(g->claimed, bit);
		c->res->used_blocks++;
	}
	return true;
}

/* The inode if its number is valid and its table block initialised, else NULL. */
static const struct vmem_dinode *find_inode(const struct checker *c, uint64_t ino,
					    struct inode_info **info)
{
	uint64_t ag = ino / c->inodes_per_ag;
	uint32_t idx = (uint32_t)(ino % c->inodes_per_ag);

	if (ino == 0 || ag >= c->nr_ags || idx >= c->groups[ag].inited)
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
			problem(c, "group %u: %u inode table blocks initialised of %u", ag, init,
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

/* ---- Extent trees -------------------------------------------------------- */

struct extent_walk {
	uint64_t ino;
	uint64_t next;		/* first logical block not yet passed */
	uint64_t eof;		/* first logical block behind the file */
	uint64_t blocks;	/* held: mapped and tree nodes */
};

static uint64_t ext_lblk(const struct vmem_extent *e)
{
	return vmem_get64(e->w0) & VMEM_MAX_LBLK;
}

static uint64_t ext_len(const struct vmem_extent *e)
{
	return (vmem_get64(e->w0) >> VMEM_LBLK_BITS) + 1;
}

static uint64_t ext_pblk(const struct vmem_extent *e)
{
	return vmem_get64(e->w1) & ((1ull << VMEM_PBLK_BITS) - 1);
}

static void check_extent(struct checker *c, struct extent_walk *w,
			 const struct vmem_extent *e, uint64_t hi)
{
	uint64_t lblk = ext_lblk(e), len = ext_len(e);

	if (vmem_get64(e->w1) >> VMEM_PBLK_BITS)
		problem(c, "inode %llu: extent at %llu has unknown flags", (ull)w->ino, (ull)lblk);
	if (lblk < w->next || lblk + len > hi)
		problem(c, "inode %llu: extent at %llu is out of order or overlaps",
			(ull)w->ino, (ull)lblk);
	else if (lblk + len > w->eof)
		problem(c, "inode %llu: extent %llu+%llu reaches beyond the end of file",
			(ull)w->ino, (ull)lblk, (ull)len);
	if (lblk + len > w->next)
		w->next = lblk + len;
	w->blocks += len;
	claim_blocks(c, w->ino, ext_pblk(e), len);
}

static bool check_node_head(struct checker *c, uint64_t ino, uint64_t block,
			    uint32_t magic, uint32_t level)
{
	const struct vmem_node *node = (const struct vmem_node *)block_ptr(c, block);

	if (vmem_get32(node->magic) != magic) {
		problem(c, "inode %llu: block %llu is not the tree node it should be", (ull)ino,
			(ull)block);
		return false;
	}
	if (vmem_get64(node->owner) != ino)
		problem(c, "inode %llu: block %llu says that it belongs to inode %llu", (ull)ino,
			(ull)block, (ull)vmem_get64(node->owner));
	if (vmem_get64(node->self) != block)
		problem(c, "inode %llu: block %llu says that it is block %llu", (ull)ino,
			(ull)block, (ull)vmem_get64(node->self));
	if (vmem_get64(node->reserved))
		problem(c, "inode %llu: block %llu: reserved bytes are not zero", (ull)ino,
			(ull)block);
	if (vmem_get16(node->level) != level) {
		problem(c, "inode %llu: block %llu has level %u instead of %u", (ull)ino,
			(ull)block, vmem_get16(node->level), level);
		return false;
	}
	return true;
}

/* Entries [0, count) of a node of this level, which covers [lo, hi). */
static void check_extent_entries(struct checker *c, struct extent_walk *w,
				 const struct vmem_extent *e, uint32_t count,
				 uint32_t level, uint64_t lo, uint64_t hi)
{
	const struct vmem_node *node;
	uint64_t child, child_lo, child_hi;
	uint32_t i, n;

	for (i = 0; i < count && !c->error; i++) {
		if (level == 0) {
			if (ext_lblk(&e[i]) < lo)
				problem(c, "inode %llu: extent at %llu lies before its node's range",
					(ull)w->ino, (ull)ext_lblk(&e[i]));
			check_extent(c, w, &e[i], hi);
			continue;
		}
		child = ext_pblk(&e[i]);
		child_lo = ext_lblk(&e[i]);
		child_hi = i + 1 < count ? ext_lblk(&e[i + 1]) : hi;
		if (vmem_get64(e[i].w0) != child_lo || vmem_get64(e[i].w1) != child ||
		    child_lo < lo || child_lo >= child_hi || child_hi > hi) {
			problem(c, "inode %llu: extent index entry at %llu is out of order or has unknown bits",
				(ull)w->ino, (ull)child_lo);
			continue;
		}
		w->blocks++;
		if (!claim_blocks(c, w->ino, child, 1) ||
		    !check_node_head(c, w->ino, child, VMEM_EXT_NODE_MAGIC, level - 1))
			continue;
		node = (const struct vmem_node *)block_ptr(c, child);
		n = vmem_get16(node->count);
		if (n == 0 || n > VMEM_NODE_ENTRIES) {
			problem(c, "inode %llu: extent node %llu has %u entries", (ull)w->ino,
				(ull)child, n);
			continue;
		}
		check_extent_entries(c, w, (const struct vmem_extent *)(node + 1), n, level - 1,
				     child_lo, child_hi);
	}
}

/* The extent tree of a file or long symlink; returns the blocks it holds. */
static uint64_t check_extents(struct checker *c, uint64_t ino, const struct vmem_dinode *di)
{
	struct extent_walk w = { .ino = ino };
	uint32_t depth = vmem_get16(di->depth), count = vmem_get16(di->nr_ext);

	w.eof = (vmem_get64(di->size) >> VMEM_BLOCK_SHIFT) +
		!!(vmem_get64(di->size) & VMEM_BLOCK_MASK);
	if (depth > VMEM_EXT_MAX_DEPTH || count > VMEM_INLINE_EXTENTS || (depth && !count)) {
		problem(c, "inode %llu: extent tree of depth %u with %u entries", (ull)ino, depth,
			count);
		return 0;
	}
	check_extent_entries(c, &w, di->u.ext, count, depth, 0, VMEM_MAX_LBLK + 1);
	return w.blocks;
}

/* ---- Directories --------------------------------------------------------- */

struct dir_walk {
	uint64_t ino;
	uint64_t entries;
	uint64_t blocks;
	struct inode_info *info;
};

static unsigned int type_of_mode(uint32_t mode)
{
	return (mode & MODE_TYPE) >> 12;	/* as IFTODT() of dirent.h */
}

/* Why a name cannot be one, or NULL. */
static const char *name_fault(const uint8_t *name, uint32_t len)
{
	uint32_t i;

	if (len == 0)
		return "is empty";
	if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
		return "is . or ..";
	for (i = 0; i < len; i++)
		if (name[i] == '/' || name[i] == 0)
			return "contains / or NUL";
	return NULL;
}

/* Count the link that an entry gives, and compare with the inode it leads to. */
static void check_link(struct checker *c, struct dir_walk *w, uint64_t block, uint32_t off,
		       const struct vmem_dirent *de)
{
	struct inode_info *info;
	uint32_t ino = vmem_get32(de->ino);
	const struct vmem_dinode *di = find_inode(c, ino, &info);
	uint32_t mode = di ? vmem_get16(di->mode) : 0;

	if (!mode || ino == VMEM_ROOT_INO) {
		problem(c, "directory %llu: entry at %llu:%u leads to %s inode %u", (ull)w->ino,
			(ull)block, off, mode ? "the root" : "unused", ino);
		return;
	}
	if (de->type != type_of_mode(mode))
		problem(c, "directory %llu: entry at %llu:%u has type %u, inode %u has %u",
			(ull)w->ino, (ull)block, off, de->type, ino, type_of_mode(mode));
	if ((mode & MODE_TYPE) == MODE_DIR) {
		w->info->subdirs++;
		if (info->links)
			problem(c, "directory %u has two names, in %u and in %llu", ino,
				info->parent, (ull)w->ino);
	}
	if (!info->links)
		info->parent = (uint32_t)w->ino;
	info->links++;
}

static bool same_name(const struct vmem_dirent *a, const struct vmem_dirent *b)
{
	return a->name_len == b->name_len && !memcmp(a->name, b->name, a->name_len);
}

/* Does an entry before off have the same name?  All before are well-formed. */
static bool name_is_double(const uint8_t *leaf, uint32_t off)
{
	const struct vmem_dirent *de = (const struct vmem_dirent *)(leaf + off), *d;
	uint32_t o;

	for (o = VMEM_NODE_HEAD; o < off; o += vmem_get16(d->rec_len)) {
		d = (const struct vmem_dirent *)(leaf + o);
		if (vmem_get32(d->ino) && vmem_get64(d->hash) == vmem_get64(de->hash) &&
		    same_name(d, de))
			return true;
	}
	return false;
}

static void check_dirent(struct checker *c, struct dir_walk *w, uint64_t block, uint32_t off,
			 uint64_t lo, uint64_t hi)
{
	const uint8_t *leaf = block_ptr(c, block);
	const struct vmem_dirent *de = (const struct vmem_dirent *)(leaf + off);
	uint64_t hash = vmem_get64(de->hash);
	const char *fault = name_fault(de->name, de->name_len);

	w->entries++;
	if (fault)
		problem(c, "directory %llu: name at %llu:%u %s", (ull)w->ino, (ull)block, off,
			fault);
	if (hash != vmem_name_hash(c->sb->hash_key, de->name, de->name_len))
		problem(c, "directory %llu: entry at %llu:%u has a wrong hash", (ull)w->ino,
			(ull)block, off);
	if (hash < lo || hash >= hi)
		problem(c, "directory %llu: entry at %llu:%u lies outside the hash range of its leaf",
			(ull)w->ino, (ull)block, off);
	if (name_is_double(leaf, off))
		problem(c, "directory %llu: entry at %llu:%u repeats a name", (ull)w->ino,
			(ull)block, off);
	check_link(c, w, block, off, de);
}

static void check_leaf(struct checker *c, struct dir_walk *w, uint64_t block,
		       uint64_t lo, uint64_t hi)
{
	const uint8_t *leaf = block_ptr(c, block);
	const struct vmem_dirent *de;
	uint32_t off, rec_len, need;

	if (!check_node_head(c, w->ino, block, VMEM_DIR_LEAF_MAGIC, 0))
		return;
	if (vmem_get16(((const struct vmem_node *)leaf)->count))
		problem(c, "directory %llu: leaf %llu has a count", (ull)w->ino, (ull)block);
	for (off = VMEM_NODE_HEAD; off < VMEM_BLOCK_SIZE; off += rec_len) {
		de = (const struct vmem_dirent *)(leaf + off);
		/* Multiples of 8: the head may still reach over the end of the block. */
		if (VMEM_BLOCK_SIZE - off < VMEM_DIRENT_HEAD)
			break;
		rec_len = vmem_get16(de->rec_len);
		need = vmem_get32(de->ino) ? VMEM_DIRENT_LEN(de->name_len) : VMEM_DIRENT_HEAD;
		if (rec_len < need || rec_len % 8 || rec_len > VMEM_BLOCK_SIZE - off)
			break;
		if (vmem_get32(de->ino))
			check_dirent(c, w, block, off, lo, hi);
	}
	if (off != VMEM_BLOCK_SIZE)
		problem(c, "directory %llu: entry at %llu:%u has a wrong length", (ull)w->ino,
			(ull)block, off);
}

/* The node in block, of this level, whose hashes must lie in [lo, hi). */
static void check_dir_node(struct checker *c, struct dir_walk *w, uint64_t block,
			   uint32_t level, uint64_t lo, uint64_t hi)
{
	const struct vmem_node *node;
	const struct vmem_dir_index *idx;
	uint64_t child_lo, child_hi;
	uint32_t i, count;

	w->blocks++;
	if (!claim_blocks(c, w->ino, block, 1))
		return;
	if (level == 0) {
		check_leaf(c, w, block, lo, hi);
		return;
	}
	if (!check_node_head(c, w->ino, block, VMEM_DIR_INDEX_MAGIC, level))
		return;
	node = (const struct vmem_node *)block_ptr(c, block);
	idx = (const struct vmem_dir_index *)(node + 1);
	count = vmem_get16(node->count);
	if (count == 0 || count > VMEM_NODE_ENTRIES) {
		problem(c, "directory %llu: index %llu has %u entries", (ull)w->ino, (ull)block,
			count);
		return;
	}
	for (i = 0; i < count && !c->error; i++) {
		child_lo = i ? vmem_get64(idx[i].hash) : lo;
		child_hi = i + 1 < count ? vmem_get64(idx[i + 1].hash) : hi;
		if (child_lo < lo || child_lo >= child_hi || child_hi > hi)
			problem(c, "directory %llu: index %llu is not sorted at entry %u",
				(ull)w->ino, (ull)block, i);
		else
			check_dir_node(c, w, vmem_get64(idx[i].block), level - 1, child_lo,
				       child_hi);
	}
}

static void check_directory(struct checker *c, uint64_t ino, const struct vmem_dinode *di,
			    struct inode_info *info)
{
	struct dir_walk w = { .ino = ino, .info = info };
	uint32_t height = vmem_get32(di->u.dir.height);
	uint64_t root = vmem_get64(di->u.dir.root);

	if (height > VMEM_DIR_MAX_HEIGHT || !height != !root) {
		problem(c, "directory %llu: height %u with root block %llu", (ull)ino, height,
			(ull)root);
		return;
	}
	if (height)
		check_dir_node(c, &w, root, height - 1, 0, UINT64_MAX);
	if (vmem_get64(di->u.dir.nr_entries) != w.entries)
		problem(c, "directory %llu: says %llu entries, has %llu", (ull)ino,
			(ull)vmem_get64(di->u.dir.nr_entries), (ull)w.entries);
	if (vmem_get64(di->blocks) != w.blocks)
		problem(c, "directory %llu: says %llu blocks, has %llu", (ull)ino,
			(ull)vmem_get64(di->blocks), (ull)w.blocks);
	if (vmem_get64(di->size) != w.blocks << VMEM_BLOCK_SHIFT)
		problem(c, "directory %llu: size %llu instead of %llu", (ull)ino,
			(ull)vmem_get64(di->size), (ull)(w.blocks << VMEM_BLOCK_SHIFT));
	if (vmem_get32(di->u.dir.reserved) || vmem_get16(di->depth) || vmem_get16(di->nr_ext))
		problem(c, "directory %llu: reserved fields are not zero", (ull)ino);
}

/* ---- Inodes -------------------------------------------------------------- */

static void check_held_blocks(struct checker *c, uint64_t ino, const struct vmem_dinode *di,
			      uint64_t held)
{
	if (vmem_get64(di->blocks) != held)
		problem(c, "inode %llu: says %llu blocks, has %llu", (ull)ino,
			(ull)vmem_get64(di->blocks), (ull)held);
}

static void check_file(struct checker *c, uint64_t ino, const struct vmem_dinode *di)
{
	if (vmem_get64(di->size) > VMEM_MAX_FILE_SIZE)
		problem(c, "inode %llu: impossible size %llu", (ull)ino,
			(ull)vmem_get64(di->size));
	check_held_blocks(c, ino, di, check_extents(c, ino, di));
	c->res->files++;
}

static void check_symlink(struct checker *c, uint64_t ino, const struct vmem_dinode *di)
{
	uint64_t size = vmem_get64(di->size), held = 0, i;
	bool is_inline = vmem_get16(di->format) == VMEM_FMT_INLINE;
	const uint8_t *target = di->u.bytes;

	c->res->symlinks++;
	if (size == 0 || size >= VMEM_BLOCK_SIZE || is_inline != (size <= VMEM_PAYLOAD_SIZE)) {
		problem(c, "symlink %llu: impossible length %llu", (ull)ino, (ull)size);
		size = 0;
	}
	if (!is_inline) {
		held = check_extents(c, ino, di);
		target = NULL;
		if (held == 1 && ext_pblk(&di->u.ext[0]) < c->nr_blocks)
			target = block_ptr(c, ext_pblk(&di->u.ext[0]));
		else
			problem(c, "symlink %llu: not in one block", (ull)ino);
	} else if (vmem_get16(di->depth) || vmem_get16(di->nr_ext) ||
		   !all_zero(target + size, VMEM_PAYLOAD_SIZE - size)) {
		problem(c, "symlink %llu: what it does not use is not zero", (ull)ino);
	}
	check_held_blocks(c, ino, di, held);
	for (i = 0; target && i < size; i++) {
		if (!target[i]) {
			problem(c, "symlink %llu: the target contains NUL", (ull)ino);
			break;
		}
	}
}

/* Fifos, sockets and devices hold nothing. */
static void check_special(struct checker *c, uint64_t ino, const struct vmem_dinode *di)
{
	if (vmem_get64(di->size) || vmem_get64(di->blocks) || vmem_get16(di->depth) ||
	    vmem_get16(di->nr_ext))
		problem(c, "inode %llu: a special file with contents", (ull)ino);
	c->res->others++;
}

/* Does the kind of the payload fit the kind of the inode? */
static bool format_fits(uint32_t type, uint32_t format)
{
	switch (type) {
	case MODE_REG:
		return format == VMEM_FMT_EXTENTS;
	case MODE_DIR:
		return format == VMEM_FMT_DIR;
	case MODE_LNK:
		return format == VMEM_FMT_INLINE || format == VMEM_FMT_EXTENTS;
	case MODE_CHR:
	case MODE_BLK:
	case MODE_FIFO:
	case MODE_SOCK:
		return format == VMEM_FMT_NONE;
	default:
		return false;
	}
}

static void check_inode_fields(struct checker *c, uint64_t ino, const struct vmem_dinode *di)
{
	uint32_t type = vmem_get16(di->mode) & MODE_TYPE;

	if (vmem_get32(di->csum) != vmem_inode_csum(c->crc, di, ino))
		problem(c, "inode %llu: wrong checksum", (ull)ino);
	if (vmem_get32(di->flags))
		problem(c, "inode %llu: unknown flags %x", (ull)ino, vmem_get32(di->flags));
	if (vmem_get32(di->rdev) && type != MODE_CHR && type != MODE_BLK)
		problem(c, "inode %llu: a device number on what is no device", (ull)ino);
	if (vmem_get32(di->parent) && type != MODE_DIR)
		problem(c, "inode %llu: a parent on what is no directory", (ull)ino);
	if (vmem_get64(di->xattr))
		problem(c, "inode %llu: extended attributes without their feature bit", (ull)ino);
	if (vmem_get32(di->reserved0) || !all_zero(di->reserved1, sizeof(di->reserved1)))
		problem(c, "inode %llu: reserved bytes are not zero", (ull)ino);
}

static void check_inode(struct checker *c, uint32_t ag, uint64_t ino,
			const struct vmem_dinode *di, struct inode_info *info)
{
	uint32_t mode = vmem_get16(di->mode), format = vmem_get16(di->format);

	info->flags |= INFO_USED;
	c->res->used_inodes++;
	check_inode_fields(c, ino, di);
	if (!format_fits(mode & MODE_TYPE, format)) {
		problem(c, "inode %llu: mode %o does not go with format %u", (ull)ino, mode,
			format);
		return;
	}
	switch (mode & MODE_TYPE) {
	case MODE_REG:
		check_file(c, ino, di);
		break;
	case MODE_DIR:
		info->flags |= INFO_DIR;
		c->groups[ag].nr_dirs++;
		c->res->dirs++;
		check_directory(c, ino, di, info);
		break;
	case MODE_LNK:
		check_symlink(c, ino, di);
		break;
	default:
		check_special(c, ino, di);
	}
}

static void check_group_inodes(struct checker *c, uint32_t ag)
{
	const struct group *g = &c->groups[ag];
	const struct vmem_dinode *table = (const struct vmem_dinode *)
		block_ptr(c, group_meta(c, ag) + 2);
	uint64_t first = (uint64_t)ag * c->inodes_per_ag;
	uint32_t i;

	for (i = 0; i < g->inited && !c->error; i++) {
		if (!vmem_get16(table[i].mode))
			continue;
		if (first + i == 0)
			problem(c, "inode 0: in use");
		else
			check_inode(c, ag, first + i, &table[i], &g->info[i]);
	}
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
			problem(c, "inode 1: the root is not a directory");
		else if (vmem_get32(di->parent) != VMEM_ROOT_INO)
			problem(c, "directory 1: the root's parent is %u",
				vmem_get32(di->parent));
	} else if (!info->links) {
		problem(c, "inode %llu: in use, but no directory leads to it", (ull)ino);
	} else if (info->flags & INFO_DIR && vmem_get32(di->parent) != info->parent) {
		problem(c, "directory %llu: its parent is %u, it says %u", (ull)ino, info->parent,
			vmem_get32(di->parent));
	}
	if (nlink != found)
		problem(c, "inode %llu: link count %u instead of %u", (ull)ino, nlink, found);
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

	while (ino != VMEM_ROOT_INO && find_inode(c, ino, &info)) {
		if (info->flags & INFO_ON_PATH)
			problem(c, "directory %llu: in a circle that no path from the root enters",
				(ull)ino);
		if (!info->links || info->flags & (INFO_REACHED | INFO_ON_PATH))
			break;
		info->flags |= INFO_ON_PATH;
		ino = info->parent;
	}
	for (ino = start; ino != VMEM_ROOT_INO && find_inode(c, ino, &info); ino = info->parent) {
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
			check_link_count(c, ino, find_inode(c, ino, NULL), &g->info[i]);
			if (g->info[i].flags & INFO_DIR)
				check_reachable(c, ino);
		}
	}
}

/* Tell where a bitmap differs from what it should be, run by run. */
static void compare_bitmaps(struct checker *c, const char *what, uint64_t first,
			    const uint8_t *is, const uint8_t *should, uint32_t nr)
{
	uint32_t i = 0, from;
	bool used;

	while (i < nr) {
		if (is[i / 8] == should[i / 8] && i % 8 == 0) {
			i += 8;
			continue;
		}
		if (test_bit(is, i) == test_bit(should, i)) {
			i++;
			continue;
		}
		used = test_bit(is, i);
		from = i++;
		while (i < nr && test_bit(is, i) == used && test_bit(should, i) != used)
			i++;
		problem(c, "%s %llu to %llu: marked %s", what, (ull)(first + from),
			(ull)(first + i - 1), used ? "used, but nothing uses them"
						   : "free, but in use");
	}
}

static uint32_t count_zeros(const uint8_t *map, uint32_t nr)
{
	uint32_t i, n = 0;

	for (i = 0; i < nr; i++)
		n += !test_bit(map, i);
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
		problem(c, "group %u: says %u free blocks, has %u", ag,
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
		problem(c, "group %u: orphans are left", ag);

	free_inodes = count_zeros(c->expected, c->inodes_per_ag);
	if (vmem_get32(desc_of(c, ag)->free_inodes) != free_inodes)
		problem(c, "group %u: says %u free inodes, has %u", ag,
			vmem_get32(desc_of(c, ag)->free_inodes), free_inodes);
}

static void check_desc(struct checker *c, uint32_t ag)
{
	const struct vmem_ag_desc *desc = desc_of(c, ag);

	if (vmem_get32(desc->nr_dirs) != c->groups[ag].nr_dirs)
		problem(c, "group %u: says %u directories, has %u", ag,
			vmem_get32(desc->nr_dirs), c->groups[ag].nr_dirs);
	if (vmem_get32(desc->nr_orphans))
		problem(c, "group %u: says %u orphans are left", ag,
			vmem_get32(desc->nr_orphans));
	if (!all_zero(desc->reserved, sizeof(desc->reserved)))
		problem(c, "group %u: reserved bytes of the descriptor are not zero", ag);
}

static void check_root_dir(struct checker *c)
{
	const struct vmem_dinode *di = find_inode(c, VMEM_ROOT_INO, NULL);

	if (!di || !vmem_get16(di->mode))
		problem(c, "inode 1: there is no root directory");
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
		check_group_inodes(&c, ag);
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
