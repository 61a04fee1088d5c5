// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * extent.c - the map of a file: a B+tree of extents
 *
 * The root is the inode's payload: up to nine entries, extents at depth 0,
 * children above.  Nodes are blocks of their own.  A transaction changes the
 * root in its copy of the inode and nodes through the overlay, so the tree is
 * read back through the same view, half-made changes included.
 */
#include "medium/fields.h"
#include "tree/node.h"

/* A node on the way from the root (level = depth) to a leaf (level 0). */
struct step {
	uint64_t block;			/* 0 = the inode */
	unsigned int level, count, max, pos;
};

struct path {
	struct step step[VMEM_EXT_MAX_DEPTH + 1];
	unsigned int depth;		/* step[0] is the root, step[depth] the leaf */
};

static struct vmem_extent make_ext(uint64_t lblk, uint64_t len, uint64_t pblk, enum vmem_kind kind)
{
	struct vmem_extent e = {
		vmem_le64_of(lblk | (len - 1) << VMEM_LBLK_BITS),
		vmem_le64_of(pblk | (kind == VMEM_UNWRITTEN ? VMEM_EXT_UNWRITTEN : 0)),
	};

	return e;
}

static struct vmem_extent make_index(uint64_t lblk, uint64_t block)
{
	return make_ext(lblk, 1, block, VMEM_DATA);
}

/* ---- Entries of a node ---- */

static uint64_t entry_off(const struct step *s, unsigned int i)
{
	return (s->block << VMEM_BLOCK_SHIFT) + VMEM_NODE_HEAD + (uint64_t)i * 16;
}

static struct vmem_extent get_entry(struct vmem_fs *fs, const struct vmem_dinode *n,
				    const struct step *s, unsigned int i)
{
	struct vmem_extent e;

	if (!s->block)
		return n->u.ext[i];
	vmem_fetch(&e, vmem_meta(fs, entry_off(s, i)), sizeof(e));
	return e;
}

static void put_entry(struct vmem_txn *t, struct vmem_dinode *n, const struct step *s,
		      unsigned int i, struct vmem_extent e)
{
	if (s->block)
		txn_write(t, entry_off(s, i), &e, sizeof(e));
	else
		n->u.ext[i] = e;
}

static void put_count(struct vmem_txn *t, struct vmem_dinode *n, struct step *s, unsigned int count)
{
	vmem_le16 v = vmem_le16_of(count);

	s->count = count;
	if (s->block)
		txn_write(t, (s->block << VMEM_BLOCK_SHIFT) + offsetof(struct vmem_node, count),
			  &v, sizeof(v));
	else
		n->nr_ext = v;
}

/* Move the entries from i on by one place, up or down, and count them. */
static void shift_entries(struct vmem_txn *t, struct vmem_dinode *n, struct step *s,
			  unsigned int i, int by)
{
	unsigned int nr = s->count - i;

	if (!s->block) {
		memmove(&n->u.ext[(int)i + by], &n->u.ext[i], nr * sizeof(n->u.ext[0]));
	} else if (nr) {
		uint8_t *tmp = t->fs->scratch;

		memcpy(tmp, vmem_meta(t->fs, entry_off(s, i)), nr * 16);
		txn_write(t, entry_off(s, (unsigned int)((int)i + by)), tmp, nr * 16);
	}
	put_count(t, n, s, (unsigned int)((int)s->count + by));
}

/* ---- Walking ---- */

/* *entries: those of the node, good until it is changed. */
static int load_node(struct vmem_fs *fs, uint64_t ino, uint64_t block, unsigned int level,
		     struct step *s, const uint8_t **entries)
{
	const uint8_t *node = vmem_node_at(fs, block, VMEM_EXT_NODE_MAGIC, ino, level, &s->count);

	s->block = block;
	s->level = level;
	s->max = VMEM_NODE_FILL;
	if (!node || !s->count)
		return vmem_corrupt(fs, ino, block, "extent tree: node");
	*entries = node + VMEM_NODE_HEAD;
	return 0;
}

/* Last entry whose logical block is <= lblk; count if there is none. */
static unsigned int search(const uint8_t *entries, unsigned int count, uint64_t lblk)
{
	unsigned int lo = 0, hi = count;

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;
		struct vmem_extent e;

		vmem_fetch(&e.w0, entries + mid * 16ull, sizeof(e.w0));
		if (ext_lblk(&e) <= lblk)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? lo - 1 : count;
}

static int find_path(struct vmem_fs *fs, const struct vmem_dinode *n, uint64_t ino,
		     uint64_t lblk, struct path *p)
{
	unsigned int level = vmem_get16(n->depth);
	const uint8_t *entries = n->u.bytes;

	p->depth = level;
	p->step[0].block = 0;
	p->step[0].level = level;
	p->step[0].count = vmem_get16(n->nr_ext);
	p->step[0].max = root_extents(n);
	if (level && !p->step[0].count)
		return vmem_corrupt(fs, ino, 0, "extent tree: empty root");
	for (;;) {
		struct step *s = &p->step[p->depth - level];
		struct vmem_extent e;
		int err;

		s->pos = search(entries, s->count, lblk);
		if (!level)
			return 0;
		if (s->pos == s->count)
			s->pos = 0;	/* below the first: that child takes it */
		vmem_fetch(&e, entries + s->pos * 16ull, sizeof(e));
		level--;
		err = load_node(fs, ino, ext_pblk(&e), level, s + 1, &entries);
		if (err)
			return err;
	}
}

/* Start of the next extent behind the path's position, or "never". */
static int next_start(struct vmem_fs *fs, const struct vmem_dinode *n, const struct path *p,
		      uint64_t *lblk)
{
	unsigned int d = p->depth + 1;

	while (d-- > 0) {
		const struct step *s = &p->step[d];
		unsigned int next = s->pos == s->count ? 0 : s->pos + 1;

		if (next < s->count) {
			struct vmem_extent e = get_entry(fs, n, s, next);

			*lblk = ext_lblk(&e);
			return 0;
		}
	}
	*lblk = VMEM_MAX_LBLK + 1;
	return 0;
}

static int check_extent(struct vmem_fs *fs, uint64_t ino, const struct vmem_extent *e)
{
	if (!vmem_flags_ok(fs, e) || !vmem_block_ok(fs, ext_pblk(e), ext_len(e)))
		return vmem_corrupt(fs, ino, ext_pblk(e), "extent");
	return 0;
}

int vmem_ext_lookup(struct vmem_fs *fs, const struct vmem_dinode *n, uint64_t ino,
		    uint64_t lblk, struct vmem_map *map)
{
	struct path p;
	struct step *leaf;
	uint64_t next;
	int err = find_path(fs, n, ino, lblk, &p);

	if (err)
		return err;
	leaf = &p.step[p.depth];
	map->lblk = lblk;
	map->next_to = 0;
	if (leaf->pos < leaf->count) {
		struct vmem_extent e = get_entry(fs, n, leaf, leaf->pos);
		uint64_t in = lblk - ext_lblk(&e);

		if (in == ext_len(&e))
			map->next_to = ext_pblk(&e) + in;
		if (in < ext_len(&e)) {
			map->nr = ext_len(&e) - in;
			map->pblk = ext_pblk(&e) + in;
			map->kind = vmem_kind_of(&e);
			return check_extent(fs, ino, &e);
		}
	}
	next_start(fs, n, &p, &next);
	if (next <= lblk)
		return vmem_corrupt(fs, ino, 0, "extent tree: order");
	map->nr = next - lblk;
	map->pblk = 0;
	map->kind = VMEM_HOLE;
	return 0;
}

/* ---- Growing the tree ---- */

static int new_node(struct vmem_txn *t, struct vmem_dinode *n, uint64_t near, uint64_t *block)
{
	int err = txn_alloc_block(t, near, block);

	if (!err)
		n->blocks = vmem_le64_of(vmem_get64(n->blocks) + 1);
	return err;
}

/* The root is full: its entries move into a new node below it. */
static int grow_root(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino)
{
	unsigned int depth = vmem_get16(n->depth), count = vmem_get16(n->nr_ext);
	uint8_t *block = t->fs->scratch;
	uint64_t self;
	int err;

	if (depth == VMEM_EXT_MAX_DEPTH)
		return -EFBIG;
	err = new_node(t, n, vmem_inode_off(t->fs, ino) >> VMEM_BLOCK_SHIFT, &self);
	if (err)
		return err;
	vmem_node_init(block, VMEM_EXT_NODE_MAGIC, self, ino, depth, count);
	memcpy(block + VMEM_NODE_HEAD, n->u.ext, count * sizeof(n->u.ext[0]));
	txn_new_block(t, self, block, VMEM_NODE_HEAD + count * 16);
	n->u.ext[0] = make_index(ext_lblk(&n->u.ext[0]), self);
	memset(&n->u.ext[1], 0, payload_size(n) - sizeof(n->u.ext[0]));
	n->nr_ext = vmem_le16_of(1);
	n->depth = vmem_le16_of(depth + 1);
	return t->err;
}

/* Split the full node at step d; its parent has room.  Appending keeps it full. */
static int split_node(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino, struct path *p,
		      unsigned int d)
{
	struct step *s = &p->step[d], *parent = &p->step[d - 1];
	bool append = s->pos + 1 >= s->count && s->pos < s->count;
	unsigned int keep = append ? s->count - 1 : s->count / 2, moved = s->count - keep;
	uint8_t *block = t->fs->scratch;
	struct vmem_extent first = get_entry(t->fs, n, s, keep);
	uint64_t self;
	int err = new_node(t, n, s->block, &self);

	if (err)
		return err;
	vmem_node_init(block, VMEM_EXT_NODE_MAGIC, self, ino, s->level, moved);
	memcpy(block + VMEM_NODE_HEAD, vmem_meta(t->fs, entry_off(s, keep)), moved * 16);
	txn_new_block(t, self, block, VMEM_NODE_HEAD + moved * 16);
	put_count(t, n, s, keep);
	shift_entries(t, n, parent, parent->pos + 1, 1);
	put_entry(t, n, parent, parent->pos + 1, make_index(ext_lblk(&first), self));
	return t->err;
}

/*
 * A path to the leaf for lblk that has room for one more entry.  Each round
 * splits one node of the path, so a tree in order is done after its depth.
 */
static int find_room(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino, uint64_t lblk,
		     struct path *p)
{
	unsigned int round;

	for (round = 0; round < 2 * VMEM_EXT_MAX_DEPTH; round++) {
		unsigned int d;
		int err = find_path(t->fs, n, ino, lblk, p);

		if (err)
			return err;
		d = p->depth;
		if (p->step[d].count < p->step[d].max)
			return 0;
		while (d > 0 && p->step[d - 1].count >= p->step[d - 1].max)
			d--;
		err = d ? split_node(t, n, ino, p, d) : grow_root(t, n, ino);
		if (err)
			return err;
	}
	return vmem_corrupt(t->fs, ino, p->step[p->depth].block, "extent tree: order");
}

/* Keep the parents' first keys right when an entry became the leaf's first. */
static void fix_keys(struct vmem_txn *t, struct vmem_dinode *n, struct path *p, uint64_t lblk)
{
	unsigned int d = p->depth;

	while (d > 0) {
		struct step *parent = &p->step[d - 1];
		struct vmem_extent e = get_entry(t->fs, n, parent, parent->pos);

		if (ext_lblk(&e) <= lblk)
			return;
		put_entry(t, n, parent, parent->pos, make_index(lblk, ext_pblk(&e)));
		d--;
	}
}

/* Lengthen the extent before lblk, if the new blocks continue it. */
static bool extend(struct vmem_txn *t, struct vmem_dinode *n, struct step *leaf,
		   uint64_t lblk, uint64_t pblk, uint64_t nr, enum vmem_kind kind)
{
	struct vmem_extent e;
	uint64_t len;

	if (leaf->pos == leaf->count)
		return false;
	e = get_entry(t->fs, n, leaf, leaf->pos);
	len = ext_len(&e);
	if (ext_lblk(&e) + len != lblk || ext_pblk(&e) + len != pblk || vmem_kind_of(&e) != kind ||
	    len + nr > VMEM_MAX_EXT_LEN || (pblk - 1) / t->fs->ag_blocks != pblk / t->fs->ag_blocks)
		return false;
	put_entry(t, n, leaf, leaf->pos, make_ext(ext_lblk(&e), len + nr, ext_pblk(&e), kind));
	return true;
}

static void add_blocks(struct vmem_dinode *n, uint64_t nr)
{
	n->blocks = vmem_le64_of(vmem_get64(n->blocks) + nr);
}

static void sub_blocks(struct vmem_dinode *n, uint64_t nr)
{
	n->blocks = vmem_le64_of(vmem_get64(n->blocks) - VMEM_MIN(nr, vmem_get64(n->blocks)));
}

/* Blocks that the inode holds already, or that its caller counts. */
static int insert(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino,
		  uint64_t lblk, uint64_t pblk, uint64_t nr, enum vmem_kind kind)
{
	struct path p;
	struct step *leaf;
	unsigned int at;
	int err = find_path(t->fs, n, ino, lblk, &p);

	if (err)
		return err;
	if (extend(t, n, &p.step[p.depth], lblk, pblk, nr, kind))
		return t->err;
	if (p.step[p.depth].count >= p.step[p.depth].max)
		err = find_room(t, n, ino, lblk, &p);
	if (err)
		return err;
	leaf = &p.step[p.depth];
	at = leaf->pos == leaf->count ? 0 : leaf->pos + 1;
	shift_entries(t, n, leaf, at, 1);
	put_entry(t, n, leaf, at, make_ext(lblk, nr, pblk, kind));
	if (!at)
		fix_keys(t, n, &p, lblk);
	return t->err;
}

int txn_ext_insert(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino,
		   uint64_t lblk, uint64_t pblk, uint64_t nr, enum vmem_kind kind)
{
	txn_change_tree(t, n);
	add_blocks(n, nr);
	return insert(t, n, ino, lblk, pblk, nr, kind);
}

/* ---- Taking pieces out ---- */

/* Of a node of the path, the entry at its position goes. */
static void drop_entry(struct vmem_txn *t, struct vmem_dinode *n, struct step *s)
{
	shift_entries(t, n, s, s->pos + 1, -1);
	if (!s->block)
		memset(&n->u.ext[s->count], 0, sizeof(n->u.ext[0]));
}

/* The leaf at the end of the path is empty: free it, and parents that become so. */
static void drop_empty(struct vmem_txn *t, struct vmem_dinode *n, struct path *p)
{
	unsigned int d = p->depth;

	while (d > 0 && !p->step[d].count) {
		txn_free(t, p->step[d].block, 1);
		sub_blocks(n, 1);
		drop_entry(t, n, &p->step[d - 1]);
		d--;
	}
	if (!p->step[0].count) {
		n->depth = vmem_le16_of(0);
		memset(&n->u, 0, payload_size(n));
	}
}

/* What blocks [lblk, lblk + nr) of the file lie in: one extent, or part of one.  It gets no block. */
static int take_out(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino, uint64_t lblk,
		    uint64_t nr)
{
	struct path p;
	struct step *leaf;
	struct vmem_extent e;
	uint64_t before, behind;
	int err = find_path(t->fs, n, ino, lblk, &p);

	if (err)
		return err;
	leaf = &p.step[p.depth];
	e = get_entry(t->fs, n, leaf, leaf->pos);
	before = lblk - ext_lblk(&e);
	behind = ext_len(&e) - before - nr;
	if (before) {
		put_entry(t, n, leaf, leaf->pos,
			  make_ext(ext_lblk(&e), before, ext_pblk(&e), vmem_kind_of(&e)));
		if (behind)
			err = insert(t, n, ino, lblk + nr, ext_pblk(&e) + before + nr, behind,
				     vmem_kind_of(&e));
	} else if (behind) {
		/* The key of the node stays: it is a lower bound. */
		put_entry(t, n, leaf, leaf->pos,
			  make_ext(lblk + nr, behind, ext_pblk(&e) + nr, vmem_kind_of(&e)));
	} else {
		drop_entry(t, n, leaf);
		drop_empty(t, n, &p);
	}
	return err ? err : t->err;
}

/* A whole extent changes its kind where it stands, or joins the one before it in its node. */
static bool set_whole(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino, uint64_t lblk,
		      uint64_t nr, enum vmem_kind kind, int *err)
{
	struct path p;
	struct step *leaf;
	struct vmem_extent e;

	*err = find_path(t->fs, n, ino, lblk, &p);
	if (*err)
		return true;
	leaf = &p.step[p.depth];
	e = get_entry(t->fs, n, leaf, leaf->pos);
	if (ext_lblk(&e) != lblk || ext_len(&e) != nr)
		return false;
	if (leaf->pos) {
		struct step before = *leaf;

		before.pos--;
		if (extend(t, n, &before, lblk, ext_pblk(&e), nr, kind)) {
			drop_entry(t, n, leaf);
			*err = t->err;
			return true;
		}
	}
	put_entry(t, n, leaf, leaf->pos, make_ext(lblk, nr, ext_pblk(&e), kind));
	*err = t->err;
	return true;
}

int txn_ext_set_kind(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino,
		     const struct vmem_map *map, enum vmem_kind kind)
{
	int err;

	txn_change_tree(t, n);
	if (set_whole(t, n, ino, map->lblk, map->nr, kind, &err))
		return err;
	err = take_out(t, n, ino, map->lblk, map->nr);
	return err ? err : insert(t, n, ino, map->lblk, map->pblk, map->nr, kind);
}

int txn_ext_remove(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino,
		   const struct vmem_map *map)
{
	txn_change_tree(t, n);
	txn_free(t, map->pblk, map->nr);
	sub_blocks(n, map->nr);
	return t->err ? t->err : take_out(t, n, ino, map->lblk, map->nr);
}

int txn_ext_replace(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino,
		    const struct vmem_map *map, uint64_t pblk)
{
	int err = txn_ext_remove(t, n, ino, map);

	return err ? err : txn_ext_insert(t, n, ino, map->lblk, pblk, map->nr, VMEM_DATA);
}

/* ---- Moving ---- */

static int shift_below(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino, struct step *s,
		       uint64_t from, int64_t by);

/* The children that may have something from `from` on. */
static int shift_children(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino, struct step *s,
			  uint64_t from, int64_t by)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < s->count && !err; i++) {
		struct vmem_extent e = get_entry(t->fs, n, s, i), next;
		const uint8_t *entries;
		struct step child;

		if (i + 1 < s->count) {
			next = get_entry(t->fs, n, s, i + 1);
			if (ext_lblk(&next) <= from)
				continue;
		}
		err = load_node(t->fs, ino, ext_pblk(&e), s->level - 1, &child, &entries);
		if (!err)
			err = shift_below(t, n, ino, &child, from, by);
	}
	return err;
}

/*
 * The entries of a node, and of those below it.  A key that lies in what has been cut
 * out leads to what moves to its front.
 */
static int shift_below(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino, struct step *s,
		       uint64_t from, int64_t by)
{
	uint64_t least = by < 0 ? from + (uint64_t)by : from;
	struct vmem_extent *e = (void *)t->fs->scratch;
	unsigned int i, first = s->count;
	int err = s->level ? shift_children(t, n, ino, s, from, by) : 0;

	if (err)
		return err;
	for (i = 0; i < s->count; i++) {
		uint64_t lblk;

		e[i] = get_entry(t->fs, n, s, i);
		lblk = ext_lblk(&e[i]);
		if (lblk < least)
			continue;
		first = VMEM_MIN(first, i);
		lblk = lblk < from ? least : lblk + (uint64_t)by;
		e[i].w0 = vmem_le64_of(lblk | (vmem_get64(e[i].w0) & ~VMEM_MAX_LBLK));
	}
	if (s->block && first < s->count)
		txn_write(t, entry_off(s, first), &e[first], (s->count - first) * 16);
	else if (first < s->count)
		memcpy(&n->u.ext[first], &e[first], (s->count - first) * sizeof(e[0]));
	return t->err;
}

/* Behind the last extent. */
static int mapped_end(struct vmem_fs *fs, const struct vmem_dinode *n, uint64_t ino, uint64_t *end)
{
	struct path p;
	int err = find_path(fs, n, ino, VMEM_MAX_LBLK, &p);

	*end = 0;
	if (!err && p.step[p.depth].count) {
		struct vmem_extent e = get_entry(fs, n, &p.step[p.depth], p.step[p.depth].count - 1);

		*end = ext_lblk(&e) + ext_len(&e);
	}
	return err;
}

int txn_ext_shift(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino, uint64_t from, int64_t by)
{
	struct vmem_map rest, before = { .nr = 0 };
	struct path p;
	uint64_t end;
	bool split;
	int err = mapped_end(t->fs, n, ino, &end);

	if (!err && by > 0 && end > VMEM_MAX_LBLK + 1 - (uint64_t)by)
		err = -EFBIG;
	if (!err && from)
		err = vmem_ext_lookup(t->fs, n, ino, from - 1, &before);
	if (!err)
		err = vmem_ext_lookup(t->fs, n, ino, from, &rest);
	if (err || end <= from)
		return err;
	txn_change_tree(t, n);
	/* An extent that begins before `from` is cut in two. */
	split = before.nr > 1 && before.kind != VMEM_HOLE;
	err = split ? take_out(t, n, ino, from, rest.nr) : 0;
	if (!err)
		err = find_path(t->fs, n, ino, from, &p);
	if (err)
		return err;
	err = shift_below(t, n, ino, &p.step[0], from, by);
	if (!err && split)
		err = insert(t, n, ino, from + (uint64_t)by, rest.pblk, rest.nr, rest.kind);
	return err;
}

/* ---- Cutting from the end ---- */

int txn_ext_replace_last(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino,
			 uint64_t lblk, uint64_t pblk)
{
	struct path p;
	struct step *leaf;
	struct vmem_extent e;
	uint64_t keep, cut;
	int err = find_path(t->fs, n, ino, lblk, &p);

	if (err)
		return err;
	txn_change_tree(t, n);
	leaf = &p.step[p.depth];
	e = get_entry(t->fs, n, leaf, leaf->pos);
	err = check_extent(t->fs, ino, &e);
	if (err)
		return err;
	keep = lblk - ext_lblk(&e);
	cut = ext_len(&e) - keep;
	txn_free(t, ext_pblk(&e) + keep, cut);
	sub_blocks(n, cut);
	if (keep) {
		put_entry(t, n, leaf, leaf->pos, make_ext(ext_lblk(&e), keep, ext_pblk(&e), VMEM_DATA));
		return t->err ? t->err : txn_ext_insert(t, n, ino, lblk, pblk, 1, VMEM_DATA);
	}
	put_entry(t, n, leaf, leaf->pos, make_ext(lblk, 1, pblk, VMEM_DATA));
	add_blocks(n, 1);
	return t->err;
}

/* Cut the last extent down to `from`; *more when one before it could be concerned. */
static int cut_last(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino, uint64_t from,
		    bool *more)
{
	struct path p;
	struct step *leaf;
	struct vmem_extent e;
	uint64_t start, keep;
	int err = find_path(t->fs, n, ino, VMEM_MAX_LBLK, &p);

	*more = false;
	if (err)
		return err;
	leaf = &p.step[p.depth];
	if (!leaf->count)
		return 0;
	e = get_entry(t->fs, n, leaf, leaf->count - 1);
	err = check_extent(t->fs, ino, &e);
	start = ext_lblk(&e);
	if (err || start + ext_len(&e) <= from)
		return err;
	keep = start < from ? from - start : 0;
	txn_free(t, ext_pblk(&e) + keep, ext_len(&e) - keep);
	sub_blocks(n, ext_len(&e) - keep);
	if (keep) {
		put_entry(t, n, leaf, leaf->count - 1,
			  make_ext(start, keep, ext_pblk(&e), vmem_kind_of(&e)));
		return t->err;
	}
	drop_entry(t, n, leaf);
	drop_empty(t, n, &p);
	*more = true;
	return t->err;
}

int txn_ext_truncate(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino,
		     uint64_t from, bool *done)
{
	bool more = true;

	txn_change_tree(t, n);
	while (more && !txn_full(t)) {
		int err = cut_last(t, n, ino, from, &more);

		if (err)
			return err;
	}
	*done = !more;
	return 0;
}
