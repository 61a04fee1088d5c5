// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * repair_dir.c - the repair of directories and of what names lead to
 *
 * Entries are repaired where they lie.  A directory whose tree is not in
 * order gives all its names to a list and becomes empty; the core adds them
 * anew.  Leaves that no index leads to any more are found by their heads.
 */
#include "offline/repair_internal.h"

static struct vmem_dirent *entry(uint8_t *leaf, uint32_t off)
{
	return (struct vmem_dirent *)(void *)(leaf + off);
}

/* ---- Nodes --------------------------------------------------------------- */

static uint32_t magic_of(uint32_t level)
{
	return level ? VMEM_DIR_INDEX_MAGIC : VMEM_DIR_LEAF_MAGIC;
}

struct dwalk {
	struct repair *r;
	uint64_t ino;
	struct rinode *info;
	enum stage stage;
	uint64_t blocks;
	bool release;		/* the nodes are not needed any more */
	bool first;		/* link_leaf(): a directory gets only the name that it says itself */
	/* Called for each leaf in the walks after the claims; NULL: none. */
	void (*leaf)(struct dwalk *w, uint64_t block, uint64_t lo, uint64_t hi);
	uint64_t entries;
};

static void walk_dir(struct dwalk *w, uint64_t block, uint32_t level, uint64_t lo, uint64_t hi);

static void lose_node(struct dwalk *w, uint64_t block)
{
	vmem_repair_fixed(w->r, false, "directory %llu: block %llu is not the node it should be: dropped",
		(ull)w->ino, (ull)block);
	w->info->flags |= R_REBUILD | R_LOST_NODE;
}

static uint32_t index_count(struct dwalk *w, struct vmem_node *node)
{
	const struct vmem_dir_index *idx = (const struct vmem_dir_index *)(node + 1);
	uint32_t count = vmem_get16(node->count), n = 0;

	if (count && count <= VMEM_NODE_ENTRIES)
		return count;
	while (n < VMEM_NODE_ENTRIES && vmem_repair_block_ok(w->r, vmem_get64(idx[n].block), 1) &&
	       (n < 2 || vmem_get64(idx[n].hash) > vmem_get64(idx[n - 1].hash)))
		n++;
	w->info->flags |= R_REBUILD;
	node->count = vmem_le16_of(n);
	touched(w->r, node, sizeof(*node));
	return n;
}

/* Does this child stay?  Claims it in the first two stages. */
static bool take_node(struct dwalk *w, uint64_t block, uint32_t level)
{
	struct repair *r = w->r;
	unsigned int head = vmem_repair_head(r, block, magic_of(level), level, w->ino);

	if (w->stage == STAGE_DATA)
		return head == HEAD_PERFECT;
	if (w->stage == STAGE_SOUND) {
		if (head != HEAD_PERFECT)
			return true;
		if (vmem_repair_claimed(r, block, 1)) {
			lose_node(w, block);
			return false;
		}
		vmem_repair_claim(r, block, 1);
		walk_dir(w, block, level, 0, UINT64_MAX);
		return true;
	}
	if (head != HEAD_PERFECT) {
		if (!head_usable(head) || vmem_repair_claimed(r, block, 1)) {
			lose_node(w, block);
			return false;
		}
		vmem_repair_claim(r, block, 1);
		vmem_repair_fix_head(r, block, magic_of(level), level, w->ino);
		w->stage = STAGE_SOUND;
		walk_dir(w, block, level, 0, UINT64_MAX);
		w->stage = STAGE_MENDED;
	}
	walk_dir(w, block, level, 0, UINT64_MAX);
	return true;
}

/* A node that is there. */
static void walk_dir(struct dwalk *w, uint64_t block, uint32_t level, uint64_t lo, uint64_t hi)
{
	struct vmem_node *node = (struct vmem_node *)(void *)block_ptr(w->r, block);
	struct vmem_dir_index *idx = (struct vmem_dir_index *)(node + 1);
	uint32_t i, count;

	if (!level) {
		if (w->leaf)
			w->leaf(w, block, lo, hi);
		if (w->release)
			vmem_repair_unclaim(w->r, block);
		return;
	}
	count = index_count(w, node);
	for (i = 0; i < count && !w->r->error; i++) {
		uint64_t from = i ? vmem_get64(idx[i].hash) : lo;
		uint64_t to = i + 1 < count ? vmem_get64(idx[i + 1].hash) : hi;
		uint64_t child = vmem_get64(idx[i].block);

		if (!take_node(w, child, level - 1)) {
			/* Not to be met again: block 0 is never a node. */
			idx[i].block = vmem_le64_of(0);
			touched(w->r, &idx[i], sizeof(idx[i]));
			continue;
		}
		if (w->stage != STAGE_DATA)
			continue;
		w->blocks++;
		if (from < lo || from >= to || to > hi) {
			w->info->flags |= R_REBUILD;
			from = lo;
			to = hi;
		}
		walk_dir(w, child, level - 1, from, to);
	}
	if (w->release)
		vmem_repair_unclaim(w->r, block);
}

/* Walk a directory whose nodes are claimed. */
static void walk_leaves(struct dwalk *w, const struct vmem_dinode *di)
{
	uint32_t height = vmem_get32(di->u.dir.height);

	w->stage = STAGE_DATA;
	w->blocks = 0;
	w->entries = 0;
	if (!height || !take_node(w, vmem_get64(di->u.dir.root), height - 1))
		return;
	w->blocks++;
	walk_dir(w, vmem_get64(di->u.dir.root), height - 1, 0, UINT64_MAX);
}

static void make_empty(struct repair *r, uint64_t ino, struct vmem_dinode *di)
{
	memset(&di->u.dir, 0, sizeof(di->u.dir));
	di->blocks = vmem_le64_of(vmem_repair_xattr_blocks(r, ino, di));
	di->size = vmem_le64_of(0);
	vmem_repair_seal(r, ino, di);
}

/* Height and topmost node. */
static void fix_dir_root(struct repair *r, uint64_t ino, struct vmem_dinode *di,
			 struct rinode *info)
{
	uint64_t root = vmem_get64(di->u.dir.root);
	uint32_t height = vmem_get32(di->u.dir.height), level;

	if (vmem_repair_block_ok(r, root, 1)) {
		level = vmem_get16(((const struct vmem_node *)(const void *)block_ptr(r, root))->level);
		if (level < VMEM_DIR_MAX_HEIGHT && level + 1 != height &&
		    vmem_repair_head(r, root, magic_of(level), level, ino) == HEAD_PERFECT) {
			vmem_repair_fixed(r, false, "directory %llu: height %u set to %u", (ull)ino, height,
				level + 1);
			di->u.dir.height = vmem_le32_of(level + 1);
			vmem_repair_seal(r, ino, di);
			return;
		}
		if (height && height <= VMEM_DIR_MAX_HEIGHT)
			return;
	}
	if (!height && !root)
		return;
	vmem_repair_fixed(r, false, "directory %llu: height %u with root block %llu: emptied", (ull)ino, height,
		(ull)root);
	info->flags |= R_REBUILD | R_LOST_NODE;
	make_empty(r, ino, di);
}

void vmem_repair_dir_nodes(struct repair *r, uint64_t ino, struct vmem_dinode *di,
			   struct rinode *info, enum stage stage)
{
	struct dwalk w = { .r = r, .ino = ino, .info = info, .stage = stage };
	uint32_t height;

	if (stage == STAGE_SOUND)
		fix_dir_root(r, ino, di, info);
	height = vmem_get32(di->u.dir.height);
	if (height && !take_node(&w, vmem_get64(di->u.dir.root), height - 1))
		make_empty(r, ino, di);
}

/* ---- Entries ------------------------------------------------------------- */

static bool name_ok(const uint8_t *name, uint32_t len)
{
	uint32_t i;

	if (!len || (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'))))
		return false;
	for (i = 0; i < len; i++)
		if (name[i] == '/' || !name[i])
			return false;
	return true;
}

/* May an entry of a leaf start at off? */
static bool tiles(uint8_t *leaf, uint32_t off)
{
	const struct vmem_dirent *de = entry(leaf, off);
	uint32_t rec_len, need;

	if (VMEM_BLOCK_SIZE - off < VMEM_DIRENT_HEAD)
		return false;
	rec_len = vmem_get16(de->rec_len);
	need = vmem_get32(de->ino) ? VMEM_DIRENT_LEN(de->name_len) : VMEM_DIRENT_HEAD;
	return rec_len >= need && rec_len % 8 == 0 && rec_len <= VMEM_BLOCK_SIZE - off;
}

/* Does a name with its own hash lie at off, whatever the lengths around it say? */
static bool entry_proven(const struct repair *r, uint8_t *leaf, uint32_t off)
{
	const struct vmem_dirent *de = entry(leaf, off);

	if (VMEM_BLOCK_SIZE - off < VMEM_DIRENT_HEAD || !vmem_get32(de->ino) || !de->name_len ||
	    VMEM_DIRENT_LEN(de->name_len) > VMEM_BLOCK_SIZE - off)
		return false;
	return vmem_get64(de->hash) == vmem_name_hash(r->sb.hash_key, de->name, de->name_len);
}

/* Lengths do not fit: pack what entries there are into the block anew. */
static bool repack_leaf(struct repair *r, uint64_t block)
{
	uint8_t *leaf = block_ptr(r, block), *copy = vmem_repair_alloc(r, VMEM_BLOCK_SIZE);
	uint32_t off = VMEM_NODE_HEAD, to = VMEM_NODE_HEAD, last = 0, len;

	if (!copy)
		return false;
	memcpy(copy, leaf, VMEM_BLOCK_SIZE);
	memset(leaf + VMEM_NODE_HEAD, 0, VMEM_BLOCK_SIZE - VMEM_NODE_HEAD);
	while (off < VMEM_BLOCK_SIZE) {
		bool proven = entry_proven(r, copy, off), tiled = tiles(copy, off);

		if (!proven && !tiled) {
			off += 8;
			continue;
		}
		if (vmem_get32(entry(copy, off)->ino)) {
			len = VMEM_DIRENT_LEN(entry(copy, off)->name_len);
			memcpy(leaf + to, copy + off, VMEM_DIRENT_HEAD + entry(copy, off)->name_len);
			entry(leaf, to)->rec_len = vmem_le16_of(len);
			last = to;
			to += len;
		} else {
			len = VMEM_DIRENT_HEAD;
		}
		off += tiled ? vmem_get16(entry(copy, off)->rec_len) : len;
	}
	if (!last)
		last = VMEM_NODE_HEAD;
	entry(leaf, last)->rec_len = vmem_le16_of(VMEM_BLOCK_SIZE - last);
	touched(r, leaf, VMEM_BLOCK_SIZE);
	vmem_repair_free(r, copy, VMEM_BLOCK_SIZE);
	return true;
}

/* Afterwards the lengths fit; false: no memory. */
static bool check_tiling(struct repair *r, uint64_t ino, uint64_t block)
{
	uint8_t *leaf = block_ptr(r, block);
	struct vmem_node *node = (struct vmem_node *)(void *)leaf;
	uint32_t off = VMEM_NODE_HEAD;

	if (vmem_get16(node->count)) {
		vmem_repair_fixed(r, true, "directory %llu: leaf %llu had a count", (ull)ino, (ull)block);
		node->count = vmem_le16_of(0);
		touched(r, node, sizeof(*node));
	}
	while (off < VMEM_BLOCK_SIZE && tiles(leaf, off))
		off += vmem_get16(entry(leaf, off)->rec_len);
	if (off == VMEM_BLOCK_SIZE)
		return true;
	vmem_repair_fixed(r, false, "directory %llu: leaf %llu: wrong lengths at %u: kept what is recognised",
		(ull)ino, (ull)block, off);
	return repack_leaf(r, block);
}

static bool repeats(uint8_t *leaf, uint32_t off)
{
	const struct vmem_dirent *de = entry(leaf, off), *d;
	uint32_t o;

	for (o = VMEM_NODE_HEAD; o < off; o += vmem_get16(d->rec_len)) {
		d = entry(leaf, o);
		if (vmem_get32(d->ino) && d->name_len == de->name_len &&
		    !memcmp(d->name, de->name, de->name_len))
			return true;
	}
	return false;
}

/* What an entry leads to, or NULL when it must lead nowhere. */
static struct vmem_dinode *target(struct repair *r, uint32_t ino, struct rinode **info)
{
	struct vmem_dinode *di = ino == VMEM_ROOT_INO ? NULL : vmem_repair_inode(r, ino, info);

	return di && vmem_get16(di->mode) ? di : NULL;
}

static void drop_entry(struct repair *r, struct vmem_dirent *de)
{
	de->ino = vmem_le32_of(0);
	touched(r, de, VMEM_DIRENT_HEAD);
}

/* First walk: each entry by itself. */
static void fix_leaf(struct dwalk *w, uint64_t block, uint64_t lo, uint64_t hi)
{
	struct repair *r = w->r;
	uint8_t *leaf = block_ptr(r, block);
	struct vmem_dirent *de;
	struct rinode *info;
	uint32_t off;

	if (!check_tiling(r, w->ino, block))
		return;
	for (off = VMEM_NODE_HEAD; off < VMEM_BLOCK_SIZE; off += vmem_get16(de->rec_len)) {
		uint64_t hash;

		de = entry(leaf, off);
		if (!vmem_get32(de->ino))
			continue;
		if (!name_ok(de->name, de->name_len) || !target(r, vmem_get32(de->ino), &info)) {
			vmem_repair_fixed(r, false, "directory %llu: entry at %llu:%u has no possible name or inode (%u): dropped",
				(ull)w->ino, (ull)block, off, vmem_get32(de->ino));
			drop_entry(r, de);
			continue;
		}
		w->entries++;
		hash = vmem_name_hash(r->sb.hash_key, de->name, de->name_len);
		if (vmem_get64(de->hash) != hash) {
			vmem_repair_fixed(r, false, "directory %llu: entry at %llu:%u has a wrong hash", (ull)w->ino,
				(ull)block, off);
			de->hash = vmem_le64_of(hash);
			touched(r, de, VMEM_DIRENT_HEAD);
		}
		if (hash < lo || hash >= hi || repeats(leaf, off))
			w->info->flags |= R_REBUILD;
	}
}

/* ---- Lists --------------------------------------------------------------- */

static void add_name(struct repair *r, uint64_t dir, const struct vmem_dirent *de)
{
	struct rname *n = vmem_repair_alloc(r, sizeof(*n) + de->name_len);

	if (!n)
		return;
	n->id = AT_PENDING | r->next_id++;
	n->dir = (uint32_t)dir;
	n->ino = vmem_get32(de->ino);
	n->type = de->type;
	n->len = de->name_len;
	memcpy(n->name, de->name, de->name_len);
	n->next = r->names;
	r->names = n;
}

/* A leaf that says whose it is and that nothing claimed. */
static void adopt_leaf(struct repair *r, uint64_t block)
{
	uint8_t *leaf = block_ptr(r, block);
	const struct vmem_node *node = (const struct vmem_node *)(void *)leaf;
	uint64_t dir = vmem_get64(node->owner);
	struct rinode *info, *child;
	uint32_t off;

	if (vmem_get32(node->magic) != VMEM_DIR_LEAF_MAGIC || vmem_get64(node->self) != block ||
	    !vmem_repair_inode(r, dir, &info) || !(info->flags & R_LOST_NODE))
		return;
	vmem_repair_fixed(r, false, "directory %llu: block %llu is a leaf that was cut off: its names are kept",
		(ull)dir, (ull)block);
	vmem_repair_claim(r, block, 1);
	if (!check_tiling(r, dir, block))
		return;
	for (off = VMEM_NODE_HEAD; off < VMEM_BLOCK_SIZE; off += vmem_get16(entry(leaf, off)->rec_len)) {
		const struct vmem_dirent *de = entry(leaf, off);

		if (vmem_get32(de->ino) && name_ok(de->name, de->name_len) &&
		    target(r, vmem_get32(de->ino), &child))
			add_name(r, dir, de);
	}
	if (!r->hold)
		vmem_repair_unclaim(r, block);
}

static void find_lost_leaves(struct repair *r)
{
	uint32_t ag, i;

	for (ag = 0; ag < r->nr_ags; ag++) {
		const uint8_t *map = block_ptr(r, group_meta(r, ag)), *claimed = r->groups[ag].claimed;

		for (i = group_meta_len(r, ag); i < r->groups[ag].blocks && !r->error; i++) {
			uint64_t block = (uint64_t)ag * r->ag_blocks + i;

			if (i % 8 == 0 && !map[i / 8]) {
				i += 7;
				continue;
			}
			if (test_bit8(map, i) && !(claimed && test_bit8(claimed, i)) &&
			    vmem_repair_block_ok(r, block, 1))
				adopt_leaf(r, block);
		}
	}
}

/* ---- Links --------------------------------------------------------------- */

static bool give_link(struct repair *r, uint64_t dir, uint32_t ino, uint64_t at, bool first)
{
	struct rinode *child, *info;
	const struct vmem_dinode *di = target(r, ino, &child);

	if (!di)
		return false;
	if (!(child->flags & R_DIR)) {
		if (first)
			child->links++;
		return true;
	}
	/* A directory has one name: first in the directory that it names itself. */
	if (child->links)
		return first || child->at == at;
	if (first && vmem_get32(di->parent) != dir)
		return true;
	child->links = 1;
	child->parent = (uint32_t)dir;
	child->at = at;
	if (vmem_repair_inode(r, dir, &info))
		info->subdirs++;
	return true;
}

static void link_leaf(struct dwalk *w, uint64_t block, uint64_t lo, uint64_t hi)
{
	struct repair *r = w->r;
	uint8_t *leaf = block_ptr(r, block);
	uint32_t off;

	(void)lo;
	(void)hi;
	for (off = VMEM_NODE_HEAD; off < VMEM_BLOCK_SIZE; off += vmem_get16(entry(leaf, off)->rec_len)) {
		struct vmem_dirent *de = entry(leaf, off);
		uint32_t ino = vmem_get32(de->ino), type;
		struct rinode *child;

		if (!ino)
			continue;
		if (!give_link(r, w->ino, ino, (block << VMEM_BLOCK_SHIFT) + off, w->first)) {
			vmem_repair_fixed(r, false, "directory %llu: entry at %llu:%u is a second name of directory %u: dropped",
				(ull)w->ino, (ull)block, off, ino);
			drop_entry(r, de);
			continue;
		}
		w->entries++;
		type = (vmem_get16(target(r, ino, &child)->mode) & MODE_TYPE) >> 12;
		if (de->type != type) {
			vmem_repair_fixed(r, true, "directory %llu: entry at %llu:%u has type %u instead of %u",
				(ull)w->ino, (ull)block, off, de->type, type);
			de->type = (uint8_t)type;
			touched(r, de, VMEM_DIRENT_HEAD);
		}
	}
}

typedef void (*dir_fn)(struct repair *r, uint64_t ino, struct vmem_dinode *di, struct rinode *info);

static void for_dirs(struct repair *r, dir_fn fn)
{
	struct rinode *info;
	uint32_t ag, i;

	for (ag = 0; ag < r->nr_ags; ag++) {
		vmem_repair_step(r, "repairing names", ag, r->nr_ags);
		for (i = 0; i < r->groups[ag].inited && !r->error; i++) {
			uint64_t ino = (uint64_t)ag * r->inodes_per_ag + i;
			struct vmem_dinode *di = vmem_repair_inode(r, ino, &info);

			if (di && info->flags & R_DIR)
				fn(r, ino, di, info);
		}
	}
}

static void fix_dir(struct repair *r, uint64_t ino, struct vmem_dinode *di, struct rinode *info)
{
	struct dwalk w = { .r = r, .ino = ino, .info = info, .leaf = fix_leaf };

	walk_leaves(&w, di);
	w.blocks += vmem_repair_xattr_blocks(r, ino, di);
	/* Both are too high: an index has lost an entry without a trace. */
	if (w.entries < vmem_get64(di->u.dir.nr_entries) && w.blocks < vmem_get64(di->blocks))
		info->flags |= R_REBUILD | R_LOST_NODE;
	if (info->flags & R_REBUILD)
		r->dir_blocks += VMEM_MAX(w.blocks, VMEM_MIN(vmem_get64(di->blocks), r->nr_blocks)) + 1;
}

static void link_dir(struct repair *r, uint64_t ino, struct vmem_dinode *di, struct rinode *info, bool first)
{
	struct rinode state = { .flags = info->flags };	/* what the walk finds was found before */
	struct dwalk w = { .r = r, .ino = ino, .info = &state, .leaf = link_leaf, .first = first };

	walk_leaves(&w, di);
}

static void link_first(struct repair *r, uint64_t ino, struct vmem_dinode *di, struct rinode *info)
{
	link_dir(r, ino, di, info, true);
}

static void link_second(struct repair *r, uint64_t ino, struct vmem_dinode *di, struct rinode *info)
{
	link_dir(r, ino, di, info, false);
}

static void link_names(struct repair *r, bool first)
{
	struct rname *n;

	for (n = r->names; n; n = n->next)
		if (!give_link(r, n->dir, n->ino, n->id, first))
			n->ino = 0;
}

/* ---- Ways to the root ---------------------------------------------------- */

static void cut_name(struct repair *r, struct rinode *info)
{
	struct rinode *parent;

	if (info->at & AT_PENDING)
		info->flags |= R_CUT;
	else
		drop_entry(r, (struct vmem_dirent *)(void *)(r->store->base + info->at));
	if (vmem_repair_inode(r, info->parent, &parent))
		parent->subdirs--;
	info->links = 0;
}

/* All names that were cut at once: both may be many. */
static void drop_cut_names(struct repair *r)
{
	struct rinode *info;
	struct rname *n;

	for (n = r->names; n; n = n->next)
		/* It has no other: link_names() has dropped them. */
		if (n->ino && vmem_repair_inode(r, n->ino, &info) && info->flags & R_CUT)
			n->ino = 0;
}

/* As check_reachable() of check.c; a circle is cut open. */
static void open_circles(struct repair *r, uint64_t start, struct vmem_dinode *di,
			 struct rinode *unused)
{
	struct rinode *info;
	uint64_t ino = start;

	(void)di;
	(void)unused;
	while (ino != VMEM_ROOT_INO && vmem_repair_inode(r, ino, &info)) {
		if (info->flags & R_ON_PATH) {
			vmem_repair_fixed(r, false, "directory %llu: in a circle: its name is taken away",
				(ull)ino);
			cut_name(r, info);
		}
		if (!info->links || info->flags & (R_REACHED | R_ON_PATH))
			break;
		info->flags |= R_ON_PATH;
		ino = info->parent;
	}
	for (ino = start; ino != VMEM_ROOT_INO && vmem_repair_inode(r, ino, &info);
	     ino = info->parent) {
		if (!(info->flags & R_ON_PATH))
			break;
		info->flags = (info->flags & ~R_ON_PATH) | R_REACHED;
	}
}

/* ---- The end of each directory and inode --------------------------------- */

static void gather_leaf(struct dwalk *w, uint64_t block, uint64_t lo, uint64_t hi)
{
	uint8_t *leaf = block_ptr(w->r, block);
	uint32_t off;

	(void)lo;
	(void)hi;
	for (off = VMEM_NODE_HEAD; off < VMEM_BLOCK_SIZE; off += vmem_get16(entry(leaf, off)->rec_len)) {
		if (!vmem_get32(entry(leaf, off)->ino))
			continue;
		w->entries++;
		if (w->info->flags & R_REBUILD)
			add_name(w->r, w->ino, entry(leaf, off));
	}
}

static void finish_dir(struct repair *r, uint64_t ino, struct vmem_dinode *di, struct rinode *info)
{
	struct dwalk w = { .r = r, .ino = ino, .info = info, .leaf = gather_leaf,
			   .release = info->flags & R_REBUILD && !r->hold };
	uint64_t xattr_blocks;

	walk_leaves(&w, di);
	if (info->flags & R_REBUILD) {
		vmem_repair_fixed(r, false, "directory %llu: rebuilt", (ull)ino);
		make_empty(r, ino, di);
		return;
	}
	xattr_blocks = vmem_repair_xattr_blocks(r, ino, di);
	if (vmem_get64(di->u.dir.nr_entries) == w.entries && vmem_get64(di->blocks) == w.blocks + xattr_blocks &&
	    vmem_get64(di->size) == w.blocks << VMEM_BLOCK_SHIFT)
		return;
	vmem_repair_fixed(r, true, "directory %llu: has %llu entries in %llu blocks", (ull)ino,
		(ull)w.entries, (ull)w.blocks);
	di->u.dir.nr_entries = vmem_le64_of(w.entries);
	di->blocks = vmem_le64_of(w.blocks + xattr_blocks);
	di->size = vmem_le64_of(w.blocks << VMEM_BLOCK_SHIFT);
	vmem_repair_seal(r, ino, di);
}

/* No name leads here. */
static void lose_inode(struct repair *r, uint64_t ino, struct vmem_dinode *di,
		       struct rinode *info)
{
	bool empty_dir = info->flags & R_DIR && !vmem_get64(di->u.dir.nr_entries) &&
			 !(info->flags & R_REBUILD);
	bool freed = !vmem_get32(di->nlink) || !marked_used(r, ino);
	struct rlost *lost;

	if (freed && (empty_dir || !(info->flags & R_DIR))) {
		vmem_repair_fixed(r, false, "inode %llu: neither named nor counted: freed", (ull)ino);
		di->mode = vmem_le16_of(0);
		touched(r, di, sizeof(*di));
		return;
	}
	lost = vmem_repair_alloc(r, sizeof(*lost));
	if (!lost)
		return;
	lost->ino = (uint32_t)ino;
	lost->next = r->lost;
	r->lost = lost;
	info->links = 1;
}

static void fix_links(struct repair *r, uint64_t ino, struct vmem_dinode *di, struct rinode *info)
{
	bool dir = info->flags & R_DIR;
	uint32_t parent = 0, nlink;

	if (ino == VMEM_ROOT_INO) {
		parent = VMEM_ROOT_INO;
	} else if (!info->links) {
		lose_inode(r, ino, di, info);
		if (!vmem_get16(di->mode) || r->error)
			return;
		parent = dir ? vmem_get32(di->parent) : 0;	/* changed with its name */
	} else if (dir) {
		parent = info->parent;
	}
	nlink = dir ? 2 + info->subdirs : info->links;
	if (vmem_get32(di->nlink) == nlink && vmem_get32(di->parent) == parent)
		return;
	vmem_repair_fixed(r, true, "inode %llu: link count %u and parent %u: now %u and %u", (ull)ino,
		vmem_get32(di->nlink), vmem_get32(di->parent), nlink, parent);
	di->nlink = vmem_le32_of(nlink);
	di->parent = vmem_le32_of(parent);
	vmem_repair_seal(r, ino, di);
}

static void note_lost_nodes(struct repair *r, uint64_t ino, struct vmem_dinode *di,
			    struct rinode *info)
{
	(void)ino;
	(void)di;
	if (info->flags & R_LOST_NODE)
		r->lost_nodes = true;
}

/*
 * Twice what is needed, and some for lost+found, or not at all.  Where nodes
 * are missing, each block that the bitmap knows and no tree may be a leaf that
 * is adopted: it is held, too.
 */
static bool can_hold(const struct repair *r, bool missing)
{
	uint64_t free = 0, leaves = 0;
	uint32_t ag, i;

	for (ag = 0; ag < r->nr_ags; ag++) {
		const struct rgroup *g = &r->groups[ag];
		const uint8_t *map = block_ptr(r, group_meta(r, ag));
		uint32_t used = group_meta_len(r, ag), marked = 0;

		for (i = 0; g->claimed && i < VMEM_BLOCK_SIZE; i++)
			if (g->claimed[i])
				used += (uint32_t)__builtin_popcount(g->claimed[i]);
		free += g->blocks - VMEM_MIN(used, g->blocks);
		for (i = 0; missing && i < g->blocks / 8; i++)
			if (map[i])
				marked += (uint32_t)__builtin_popcount(map[i]);
		leaves += marked > used ? marked - used : 0;
	}
	return free > 2 * (r->dir_blocks + r->copy_blocks) + 3 * leaves + 64;
}

void vmem_repair_names(struct repair *r)
{
	struct rinode *info;
	uint32_t ag, i;

	r->dir_blocks = 0;
	for_dirs(r, fix_dir);
	r->next_id = 0;
	r->lost_nodes = false;
	for_dirs(r, note_lost_nodes);
	r->hold = can_hold(r, r->lost_nodes);
	if (r->lost_nodes)
		find_lost_leaves(r);
	for_dirs(r, link_first);
	link_names(r, true);
	for_dirs(r, link_second);
	link_names(r, false);
	for_dirs(r, open_circles);
	drop_cut_names(r);
	for_dirs(r, finish_dir);
	for (ag = 0; ag < r->nr_ags; ag++)
		for (i = 0; i < r->groups[ag].inited && !r->error; i++) {
			uint64_t ino = (uint64_t)ag * r->inodes_per_ag + i;
			struct vmem_dinode *di = vmem_repair_inode(r, ino, &info);

			if (di && info->flags & R_USED)
				fix_links(r, ino, di, info);
		}
}
