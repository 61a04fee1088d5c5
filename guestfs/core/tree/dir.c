// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * dir.c - directories: a B+tree of names by hash
 *
 * Leaves hold variable-length entries in any order, all of whose hashes lie
 * in the leaf's range; index nodes hold lower bounds and blocks.  Nodes are
 * found by block number, without an extent map.  Names of equal hash stay in
 * one leaf.  Leaves are never joined; a directory gives its blocks back when
 * it is removed.
 */
#include "tree/node.h"

#define LEAF_END VMEM_BLOCK_SIZE
#define MAX_HASH (1ull << 62)		/* hashes are less: they are positions of readdir */
#define MAX_SAME_HASH 8			/* entries of one hash that a reader accepts */

/* The way from the root to a leaf. */
struct dir_path {
	struct {
		uint64_t block;
		unsigned int count, pos;	/* index nodes */
	} step[VMEM_DIR_MAX_HEIGHT];
	unsigned int height;			/* step[height - 1] is the leaf */
	const uint8_t *leaf;			/* its bytes, until the next change */
	uint64_t next;				/* lower bound of the next leaf, or UINT64_MAX */
};

/* ---- Reading nodes ---- */

static uint32_t magic_of(unsigned int level)
{
	return level ? VMEM_DIR_INDEX_MAGIC : VMEM_DIR_LEAF_MAGIC;
}

static struct vmem_dir_index get_index(const uint8_t *node, unsigned int i)
{
	struct vmem_dir_index e;

	vmem_fetch(&e, node + VMEM_NODE_HEAD + i * 16ull, sizeof(e));
	return e;
}

/* Last child whose lower bound is <= hash; the first counts as 0. */
static unsigned int search_index(const uint8_t *node, unsigned int count, uint64_t hash)
{
	unsigned int lo = 1, hi = count;

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;
		struct vmem_dir_index e = get_index(node, mid);

		if (vmem_get64(e.hash) <= hash)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo - 1;
}

/* Path to the leaf for hash.  -ENOENT: the directory has no leaf. */
static int find_leaf(struct vmem_fs *fs, const struct vmem_dinode *n, uint64_t ino,
		     uint64_t hash, struct dir_path *p)
{
	uint64_t block = vmem_get64(n->u.dir.root);
	unsigned int d;

	p->height = vmem_get32(n->u.dir.height);
	p->next = UINT64_MAX;
	if (!p->height)
		return -ENOENT;
	for (d = 0; d < p->height; d++) {
		unsigned int level = p->height - 1 - d, count = 0;
		const uint8_t *node = vmem_node_at(fs, block, magic_of(level), ino, level, &count);
		struct vmem_dir_index e;

		if (!node || (level && !count))
			return vmem_corrupt(fs, ino, block, "directory: node");
		p->step[d].block = block;
		p->step[d].count = count;
		p->leaf = node;
		if (!level)
			break;
		p->step[d].pos = search_index(node, count, hash);
		if (p->step[d].pos + 1 < count) {
			e = get_index(node, p->step[d].pos + 1);
			p->next = vmem_get64(e.hash);
		}
		e = get_index(node, p->step[d].pos);
		block = vmem_get64(e.block);
	}
	return 0;
}

static uint64_t leaf_of(const struct dir_path *p)
{
	return p->step[p->height - 1].block;
}

/* The head of the entry at off of a leaf; false when it cannot be one. */
static bool get_dirent(const uint8_t *leaf, unsigned int off, struct vmem_dirent *e)
{
	unsigned int len;

	if (off + VMEM_DIRENT_HEAD > LEAF_END)
		return false;
	vmem_fetch(e, leaf + off, VMEM_DIRENT_HEAD);
	len = vmem_get16(e->rec_len);
	if (len < VMEM_DIRENT_HEAD || len % 8 || len > LEAF_END - off)
		return false;
	if (!vmem_get32(e->ino))
		return true;
	return e->name_len && VMEM_DIRENT_LEN(e->name_len) <= len &&
	       vmem_get64(e->hash) >= 2 && vmem_get64(e->hash) < MAX_HASH;
}

static int bad_leaf(struct vmem_fs *fs, uint64_t ino, uint64_t block)
{
	return vmem_corrupt(fs, ino, block, "directory: entry");
}

/* ---- Searching a leaf ---- */

static inline uint64_t hash_at(const uint8_t *leaf, unsigned int off)
{
	vmem_le64 hash;

	vmem_fetch(&hash, leaf + off + offsetof(struct vmem_dirent, hash), sizeof(hash));
	return vmem_get64(hash);
}

static inline unsigned int rec_len_at(const uint8_t *leaf, unsigned int off)
{
	vmem_le16 len;

	vmem_fetch(&len, leaf + off + offsetof(struct vmem_dirent, rec_len), sizeof(len));
	return vmem_get16(len);
}

/* A place in a leaf: of an entry, and of the one before; prev 0 = none. */
struct cursor {
	unsigned int off, prev;
};

/*
 * Go on to an entry of this hash, or with `need` to one that has so many bytes behind
 * its name; or to LEAF_END.  Nothing counts of those that are passed but that they tile
 * the leaf; false: they do not.
 */
static inline __attribute__((__always_inline__)) bool
skip_entries(const uint8_t *leaf, uint64_t hash, unsigned int need, struct cursor *c)
{
	unsigned int off = c->off, prev = c->prev, lengths = 0;

	while (off <= LEAF_END - VMEM_DIRENT_HEAD && hash_at(leaf, off) != hash) {
		unsigned int len = rec_len_at(leaf, off);

		if (need && len >= VMEM_DIRENT_LEN(leaf[off + offsetof(struct vmem_dirent, name_len)]) + need)
			break;
		if (len < VMEM_DIRENT_HEAD)
			return false;
		lengths |= len;
		prev = off;
		off += len;
	}
	c->off = off;
	c->prev = prev;
	return !(lengths % 8) && (off <= LEAF_END - VMEM_DIRENT_HEAD || off == LEAF_END);
}

struct found {
	uint64_t block;
	unsigned int off, prev;		/* of the entry and the one before; prev 0 = none */
	unsigned int rec_len;
	uint32_t ino;
	uint8_t type;
};

/*
 * Find the name in the leaf f->block.  -ENOENT: f->prev is the last entry.  No name leads
 * to the root, nor a directory to itself.
 */
static int find_in_leaf(struct vmem_fs *fs, uint64_t dir_ino, const uint8_t *leaf, uint64_t hash,
			struct vmem_name name, struct found *f)
{
	struct cursor c = { VMEM_NODE_HEAD, 0 };

	for (;; c.prev = c.off, c.off += f->rec_len) {
		struct vmem_dirent e;

		if (!skip_entries(leaf, hash, 0, &c))
			return bad_leaf(fs, dir_ino, f->block);
		f->off = c.off;
		f->prev = c.prev;
		if (c.off == LEAF_END)
			return -ENOENT;
		if (!get_dirent(leaf, c.off, &e))
			return bad_leaf(fs, dir_ino, f->block);
		f->rec_len = vmem_get16(e.rec_len);
		f->ino = vmem_get32(e.ino);
		f->type = e.type;
		if (f->ino && vmem_get64(e.hash) == hash && e.name_len == name.len &&
		    !memcmp(leaf + c.off + VMEM_DIRENT_HEAD, name.name, name.len))
			return f->ino == VMEM_ROOT_INO || f->ino == dir_ino ?
			       bad_leaf(fs, dir_ino, f->block) : 0;
	}
}

static int find_entry(struct vmem_fs *fs, const struct vmem_dinode *n, uint64_t dir_ino,
		      struct vmem_name name, struct found *f)
{
	uint64_t hash = vmem_name_hash(fs->hash_key, name.name, name.len);
	struct dir_path p;
	int err = find_leaf(fs, n, dir_ino, hash, &p);

	if (err)
		return err;
	f->block = leaf_of(&p);
	return find_in_leaf(fs, dir_ino, p.leaf, hash, name, f);
}

static int check_name(struct vmem_name name)
{
	size_t i;

	if (name.len > VMEM_NAME_MAX)
		return -ENAMETOOLONG;
	if (!name.len || (name.name[0] == '.' &&
			  (name.len == 1 || (name.len == 2 && name.name[1] == '.'))))
		return -EINVAL;
	for (i = 0; i < name.len; i++)
		if (name.name[i] == '/' || !name.name[i])
			return -EINVAL;
	return 0;
}

int vmem_dir_find(struct vmem_inode *dir, struct vmem_name name, uint64_t *ino, unsigned int *type)
{
	struct found f;
	int err;

	if (name.len > VMEM_NAME_MAX)
		return -ENAMETOOLONG;
	err = find_entry(dir->fs, &dir->raw, dir->ino, name, &f);
	if (err)
		return err;
	*ino = f.ino;
	if (type)
		*type = f.type;
	return 0;
}

/* ---- Adding ---- */

static int new_block(struct vmem_txn *t, struct vmem_dinode *n, uint64_t near, uint64_t *block)
{
	int err = txn_alloc_block(t, near, block);

	if (err)
		return err;
	n->blocks = vmem_le64_of(vmem_get64(n->blocks) + 1);
	n->size = vmem_le64_of(vmem_get64(n->size) + VMEM_BLOCK_SIZE);
	return 0;
}

static int make_first_leaf(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino)
{
	uint8_t *block = t->fs->scratch;
	struct vmem_dirent free = { .rec_len = vmem_le16_of(LEAF_END - VMEM_NODE_HEAD) };
	uint64_t self;
	int err = new_block(t, n, vmem_inode_off(t->fs, ino) >> VMEM_BLOCK_SHIFT, &self);

	if (err)
		return err;
	vmem_node_init(block, magic_of(0), self, ino, 0, 0);
	memcpy(block + VMEM_NODE_HEAD, &free, sizeof(free));
	txn_new_block(t, self, block, VMEM_NODE_HEAD + VMEM_DIRENT_HEAD);
	n->u.dir.root = vmem_le64_of(self);
	n->u.dir.height = vmem_le32_of(1);
	return t->err;
}

/* Put an entry behind the name of the one at off; -ENOSPC: that has too little room. */
static int put_behind(struct vmem_txn *t, uint64_t dir_ino, uint64_t block, unsigned int off,
		      const struct vmem_dirent *new, struct vmem_name name)
{
	const uint8_t *leaf = vmem_meta(t->fs, block << VMEM_BLOCK_SHIFT);
	uint64_t base = block << VMEM_BLOCK_SHIFT;
	unsigned int need = VMEM_DIRENT_LEN(name.len), len, used;
	uint8_t buf[VMEM_DIRENT_HEAD + VMEM_NAME_MAX] __attribute__((aligned(8)));
	struct vmem_dirent *e = (struct vmem_dirent *)(void *)buf, at;

	if (!get_dirent(leaf, off, &at))
		return bad_leaf(t->fs, dir_ino, block);
	len = vmem_get16(at.rec_len);
	used = vmem_get32(at.ino) ? VMEM_DIRENT_LEN(at.name_len) : 0;
	if (len - used < need)
		return -ENOSPC;
	*e = *new;
	e->rec_len = vmem_le16_of(len - used);
	memcpy(e->name, name.name, name.len);
	if (used) {
		vmem_le16 shorter = vmem_le16_of(used);

		txn_write(t, base + off + offsetof(struct vmem_dirent, rec_len),
			  &shorter, sizeof(shorter));
	}
	txn_write(t, base + off + used, e, VMEM_DIRENT_HEAD + (uint32_t)name.len);
	return t->err;
}

/* Put an entry where the leaf has room first; -ENOSPC: nowhere. */
static int put_in_leaf(struct vmem_txn *t, uint64_t dir_ino, uint64_t block,
		       const struct vmem_dirent *new, struct vmem_name name)
{
	const uint8_t *leaf = vmem_meta(t->fs, block << VMEM_BLOCK_SHIFT);
	unsigned int off = VMEM_NODE_HEAD;
	int err = -ENOSPC;

	while (err == -ENOSPC && off < LEAF_END) {
		struct vmem_dirent at;

		if (!get_dirent(leaf, off, &at))
			return bad_leaf(t->fs, dir_ino, block);
		err = put_behind(t, dir_ino, block, off, new, name);
		off += vmem_get16(at.rec_len);
	}
	return err;
}

struct sort_key {
	uint64_t hash;
	uint32_t off;
};

#define MAX_ENTRIES ((LEAF_END - VMEM_NODE_HEAD) / 24)	/* shortest used entry: 24 bytes */

static void sort_keys(struct sort_key *k, unsigned int nr)
{
	static const unsigned int gaps[] = { 57, 23, 10, 4, 1 };
	unsigned int g, i, j;

	for (g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++)
		for (i = gaps[g]; i < nr; i++) {
			struct sort_key x = k[i];

			for (j = i; j >= gaps[g] && k[j - gaps[g]].hash > x.hash; j -= gaps[g])
				k[j] = k[j - gaps[g]];
			k[j] = x;
		}
}

/* The used entries of a leaf with hash >= from, by hash; -EUCLEAN: it does not tile. */
static int sorted_entries(const uint8_t *leaf, uint64_t from, struct sort_key *k)
{
	unsigned int off, nr = 0;

	for (off = VMEM_NODE_HEAD; off < LEAF_END;) {
		struct vmem_dirent e;

		if (!get_dirent(leaf, off, &e) || nr == MAX_ENTRIES)
			return -EUCLEAN;
		if (vmem_get32(e.ino) && vmem_get64(e.hash) >= from) {
			k[nr].hash = vmem_get64(e.hash);
			k[nr++].off = off;
		}
		off += vmem_get16(e.rec_len);
	}
	sort_keys(k, nr);
	return (int)nr;
}

/*
 * Copy entries k[0..nr) of old into a fresh leaf image; the last one takes the rest.
 * Returns where its name ends: what follows is of no meaning.
 */
static uint32_t build_leaf(uint8_t *block, const uint8_t *old, const struct sort_key *k,
		       unsigned int nr, uint64_t self, uint64_t ino)
{
	unsigned int off = VMEM_NODE_HEAD, end = off, i;

	vmem_node_init(block, magic_of(0), self, ino, 0, 0);
	for (i = 0; i < nr; i++) {
		const struct vmem_dirent *e = (const void *)(old + k[i].off);
		unsigned int len = VMEM_DIRENT_LEN(e->name_len);
		unsigned int rec_len = i + 1 < nr ? len : LEAF_END - off;
		struct vmem_dirent *to = (void *)(block + off);

		memcpy(to, e, VMEM_DIRENT_HEAD + e->name_len);
		to->rec_len = vmem_le16_of(rec_len);
		end = off + len;
		off += rec_len;
	}
	return end;
}

/* Where to split: near the middle, never between equal hashes; 0 = nowhere. */
static unsigned int split_point(const struct sort_key *k, unsigned int nr)
{
	unsigned int mid = nr / 2, i;

	for (i = mid; i < nr; i++)
		if (i && k[i].hash != k[i - 1].hash)
			return i;
	for (i = mid; i > 0; i--)
		if (k[i].hash != k[i - 1].hash)
			return i;
	return 0;
}

/* Index node at step d gets an entry behind the child that was split; it has room. */
static void add_index(struct vmem_txn *t, struct dir_path *p, unsigned int d, uint64_t hash,
		      uint64_t block)
{
	uint64_t base = p->step[d].block << VMEM_BLOCK_SHIFT;
	unsigned int at = p->step[d].pos + 1, nr = p->step[d].count - at;
	struct vmem_dir_index e = { vmem_le64_of(hash), vmem_le64_of(block) };
	vmem_le16 count = vmem_le16_of(p->step[d].count + 1);
	uint8_t *tmp = t->fs->scratch;

	memcpy(tmp, &e, sizeof(e));
	memcpy(tmp + 16, vmem_meta(t->fs, base + VMEM_NODE_HEAD + at * 16ull), nr * 16ull);
	txn_write(t, base + VMEM_NODE_HEAD + at * 16ull, tmp, (nr + 1) * 16);
	txn_write(t, base + offsetof(struct vmem_node, count), &count, sizeof(count));
	p->step[d].count++;
}

/* A new root above the old one. */
static int grow_root(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino)
{
	unsigned int height = vmem_get32(n->u.dir.height);
	struct vmem_dir_index e = { vmem_le64_of(0), n->u.dir.root };
	uint8_t *block = t->fs->scratch;
	uint64_t self;
	int err;

	if (height == VMEM_DIR_MAX_HEIGHT)
		return -ENOSPC;
	err = new_block(t, n, vmem_get64(n->u.dir.root), &self);
	if (err)
		return err;
	vmem_node_init(block, magic_of(height), self, ino, height, 1);
	memcpy(block + VMEM_NODE_HEAD, &e, sizeof(e));
	txn_new_block(t, self, block, VMEM_NODE_HEAD + sizeof(e));
	n->u.dir.root = vmem_le64_of(self);
	n->u.dir.height = vmem_le32_of(height + 1);
	return t->err;
}

static int split_leaf(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino, struct dir_path *p)
{
	unsigned int d = p->height - 1, cut;
	uint64_t old = p->step[d].block, self;
	uint8_t *copy = t->fs->scratch, *image = copy + VMEM_BLOCK_SIZE;
	struct sort_key *k = vmem_alloc(t->fs, MAX_ENTRIES * sizeof(*k));
	uint32_t end;
	int nr, err = -ENOMEM;

	if (!k)
		return err;
	memcpy(copy, vmem_meta(t->fs, old << VMEM_BLOCK_SHIFT), VMEM_BLOCK_SIZE);
	nr = sorted_entries(copy, 0, k);
	err = nr < 0 ? bad_leaf(t->fs, ino, old) : 0;
	cut = nr > 0 ? split_point(k, (unsigned int)nr) : 0;
	if (!err && !cut)
		err = -ENOSPC;		/* a block full of one hash */
	if (!err)
		err = new_block(t, n, old, &self);
	if (!err) {
		end = build_leaf(image, copy, k + cut, (unsigned int)nr - cut, self, ino);
		txn_new_block(t, self, image, end);
		end = build_leaf(image, copy, k, cut, old, ino);
		txn_write(t, old << VMEM_BLOCK_SHIFT, image, end);
		add_index(t, p, d - 1, k[cut].hash, self);
		err = t->err;
	}
	vmem_free(t->fs, k, MAX_ENTRIES * sizeof(*k));
	return err;
}

static int split_index(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino,
		       struct dir_path *p, unsigned int d)
{
	unsigned int keep = p->step[d].count / 2, moved = p->step[d].count - keep;
	uint64_t base = p->step[d].block << VMEM_BLOCK_SHIFT, self;
	struct vmem_dir_index first = get_index(vmem_meta(t->fs, base), keep);
	vmem_le16 count = vmem_le16_of(keep);
	uint8_t *image = t->fs->scratch;
	int err = new_block(t, n, p->step[d].block, &self);

	if (err)
		return err;
	vmem_node_init(image, magic_of(p->height - 1 - d), self, ino, p->height - 1 - d, moved);
	memcpy(image + VMEM_NODE_HEAD, vmem_meta(t->fs, base + VMEM_NODE_HEAD + keep * 16ull),
	       moved * 16ull);
	txn_new_block(t, self, image, VMEM_NODE_HEAD + moved * 16);
	txn_write(t, base + offsetof(struct vmem_node, count), &count, sizeof(count));
	add_index(t, p, d - 1, vmem_get64(first.hash), self);
	return t->err;
}

/* Make room in the leaf for hash: split it, or the lowest full node above it. */
static int make_room(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino, struct dir_path *p)
{
	unsigned int d = p->height - 1;

	while (d > 0 && p->step[d - 1].count >= VMEM_NODE_FILL)
		d--;
	if (!d)
		return grow_root(t, n, ino);
	return d == p->height - 1 ? split_leaf(t, n, ino, p) : split_index(t, n, ino, p, d);
}

/* Unsigned: a damaged count may be anything, and wraps. */
static void count_entries(struct vmem_dinode *n, int delta)
{
	n->u.dir.nr_entries = vmem_le64_of(vmem_get64(n->u.dir.nr_entries) + (uint64_t)(int64_t)delta);
}

/* An entry with so many bytes behind its name; 0: there is none. */
static unsigned int find_gap(const uint8_t *leaf, unsigned int last, unsigned int need)
{
	struct cursor c = { last, 0 };

	/* What was never used is at the end, where the newest entries are, too. */
	if (last && skip_entries(leaf, 0, need, &c) && c.off == last)
		return last;
	c.off = VMEM_NODE_HEAD;
	return skip_entries(leaf, 0, need, &c) && c.off < LEAF_END ? c.off : 0;
}

int vmem_dir_place(struct vmem_txn *t, struct vmem_inode *dir, struct vmem_name name,
		   struct vmem_dir_place *place)
{
	struct vmem_dinode *n = txn_inode(t, dir);
	struct dir_path p;
	struct found f;
	int err = check_name(name);

	if (err)
		return err;
	place->hash = vmem_name_hash(t->fs->hash_key, name.name, name.len);
	place->off = 0;
	err = find_leaf(t->fs, n, dir->ino, place->hash, &p);
	if (err)
		return err == -ENOENT ? 0 : err;
	place->block = leaf_of(&p);
	f.block = place->block;
	err = find_in_leaf(t->fs, dir->ino, p.leaf, place->hash, name, &f);
	if (err != -ENOENT)
		return err ? err : -EEXIST;
	place->off = find_gap(p.leaf, f.prev, VMEM_DIRENT_LEN(name.len));
	return 0;
}

/* There was no room at hand: look everywhere in the leaf, and make some. */
static int add_anywhere(struct vmem_txn *t, struct vmem_inode *dir, const struct vmem_dirent *e,
			struct vmem_name name)
{
	struct vmem_dinode *n = txn_inode(t, dir);
	int err = vmem_get32(n->u.dir.height) ? 0 : make_first_leaf(t, n, dir->ino);

	while (!err) {
		struct dir_path p;

		err = find_leaf(t->fs, n, dir->ino, vmem_get64(e->hash), &p);
		if (err)
			break;
		err = put_in_leaf(t, dir->ino, leaf_of(&p), e, name);
		if (err != -ENOSPC)
			break;
		err = make_room(t, n, dir->ino, &p);
	}
	return err;
}

int txn_dir_add(struct vmem_txn *t, struct vmem_inode *dir, const struct vmem_dir_place *place,
		struct vmem_name name, uint64_t ino, unsigned int type)
{
	struct vmem_dinode *n = txn_inode(t, dir);
	struct vmem_dirent e = {
		.hash = vmem_le64_of(place->hash),
		.ino = vmem_le32_of(ino),
		.name_len = (uint8_t)name.len,
		.type = (uint8_t)type,
	};
	int err = -ENOSPC;

	if (place->off)
		err = put_behind(t, dir->ino, place->block, place->off, &e, name);
	if (err == -ENOSPC)
		err = add_anywhere(t, dir, &e, name);
	if (err)
		return err;
	count_entries(n, 1);
	vmem_inode_touch_raw(t->fs, n, true);
	return 0;
}

/* ---- Removing and replacing ---- */

int txn_dir_remove(struct vmem_txn *t, struct vmem_inode *dir, struct vmem_name name, uint64_t ino)
{
	struct vmem_dinode *n = txn_inode(t, dir);
	struct found f;
	uint64_t base;
	int err = find_entry(t->fs, n, dir->ino, name, &f);

	if (err)
		return err;
	if (f.ino != ino)
		return -ENOENT;
	if (!vmem_get64(n->u.dir.nr_entries))
		return vmem_corrupt(t->fs, dir->ino, f.block, "directory: number of entries");
	base = f.block << VMEM_BLOCK_SHIFT;
	if (f.prev) {
		vmem_le16 len = vmem_le16_of(f.off - f.prev + f.rec_len);

		txn_write(t, base + f.prev + offsetof(struct vmem_dirent, rec_len), &len, sizeof(len));
	} else {
		vmem_le32 none = vmem_le32_of(0);

		txn_write(t, base + f.off + offsetof(struct vmem_dirent, ino), &none, sizeof(none));
	}
	count_entries(n, -1);
	vmem_inode_touch_raw(t->fs, n, true);
	return t->err;
}

int txn_dir_replace(struct vmem_txn *t, struct vmem_inode *dir, struct vmem_name name,
		    uint64_t old_ino, uint64_t ino, unsigned int type)
{
	struct vmem_dinode *n = txn_inode(t, dir);
	vmem_le32 to = vmem_le32_of(ino);
	uint8_t type8 = (uint8_t)type;
	struct found f;
	uint64_t off;
	int err = find_entry(t->fs, n, dir->ino, name, &f);

	if (err)
		return err;
	if (f.ino != old_ino)
		return -ENOENT;
	off = (f.block << VMEM_BLOCK_SHIFT) + f.off;
	txn_write(t, off + offsetof(struct vmem_dirent, ino), &to, sizeof(to));
	if (f.type != type8)
		txn_write(t, off + offsetof(struct vmem_dirent, type), &type8, 1);
	vmem_inode_touch_raw(t->fs, n, true);
	return t->err;
}

/* Free the nodes of an empty directory, rightmost leaf first. */
int txn_dir_free(struct vmem_txn *t, struct vmem_inode *dir, bool *done)
{
	struct vmem_dinode *n = txn_inode(t, dir);

	while (vmem_get32(n->u.dir.height) && !txn_full(t)) {
		struct dir_path p;
		unsigned int d;
		int err = find_leaf(t->fs, n, dir->ino, UINT64_MAX, &p);

		if (err)
			return err;
		for (d = p.height; d-- > 0;) {
			txn_free(t, p.step[d].block, 1);
			if (vmem_get64(n->blocks))
				n->blocks = vmem_le64_of(vmem_get64(n->blocks) - 1);
			if (vmem_get64(n->size) >= VMEM_BLOCK_SIZE)
				n->size = vmem_le64_of(vmem_get64(n->size) - VMEM_BLOCK_SIZE);
			if (!d || p.step[d - 1].count > 1)
				break;
		}
		if (!d) {
			memset(&n->u, 0, payload_size(n));
		} else {
			vmem_le16 count = vmem_le16_of(p.step[d - 1].count - 1u);

			txn_write(t, (p.step[d - 1].block << VMEM_BLOCK_SHIFT) +
				  offsetof(struct vmem_node, count), &count, sizeof(count));
		}
		if (t->err)
			return t->err;
	}
	*done = !vmem_get32(n->u.dir.height);
	return 0;
}

/* ---- Reading ---- */

/* Copy the leaf that holds the first hash >= from; *next is where the one behind begins. */
static int copy_leaf(struct vmem_inode *dir, uint64_t from, uint8_t *leaf, uint64_t *next)
{
	struct vmem_fs *fs = dir->fs;
	uint32_t *reader = vmem_overlay_enter(fs);
	struct dir_path p;
	int err;

	err = find_leaf(fs, &dir->raw, dir->ino, from, &p);
	if (!err) {
		memcpy(leaf, p.leaf, VMEM_BLOCK_SIZE);
		*next = p.next;
	}
	vmem_overlay_leave(reader);
	return err;
}

static int fill_leaf(struct vmem_inode *dir, const uint8_t *leaf, struct sort_key *k,
		     uint64_t *cookie, vmem_filldir fill, void *ctx)
{
	int nr = sorted_entries(leaf, *cookie, k), i;

	if (nr < 0)
		return bad_leaf(dir->fs, dir->ino, 0);
	for (i = 0; i < nr; i++) {
		const struct vmem_dirent *e = (const void *)(leaf + k[i].off);
		struct vmem_name name = { (const char *)e->name, e->name_len };

		/* "." or "x/.." from a damaged leaf would send its reader in circles. */
		if (check_name(name))
			return bad_leaf(dir->fs, dir->ino, 0);
		/* More than fit its reader's buffer would be repeated for ever. */
		if (i + MAX_SAME_HASH < nr && k[i + MAX_SAME_HASH].hash == k[i].hash)
			return bad_leaf(dir->fs, dir->ino, 0);
		*cookie = k[i].hash;
		if (fill(ctx, (const char *)e->name, e->name_len, vmem_get32(e->ino), e->type,
			 k[i].hash))
			return 1;
		/* Names of equal hash share a position: repeat rather than lose one. */
		if (i + 1 == nr || k[i + 1].hash != k[i].hash)
			*cookie = k[i].hash + 1;
	}
	return 0;
}

int vmem_readdir(struct vmem_inode *dir, uint64_t *cookie, vmem_filldir fill, void *ctx)
{
	struct vmem_fs *fs = dir->fs;
	uint64_t next = 0;
	uint8_t *leaf;
	struct sort_key *k;
	int err = 0;

	if (!vmem_is_dir(&dir->raw))
		return -ENOTDIR;
	if (*cookie == 0) {
		if (fill(ctx, ".", 1, dir->ino, 4, 0))
			return 0;
		*cookie = 1;
	}
	if (*cookie == 1) {
		if (fill(ctx, "..", 2, vmem_get32(dir->raw.parent), 4, 1))
			return 0;
		*cookie = 2;
	}
	leaf = vmem_alloc(fs, VMEM_BLOCK_SIZE);
	k = vmem_alloc(fs, MAX_ENTRIES * sizeof(*k));
	if (!leaf || !k)
		err = -ENOMEM;
	while (!err && *cookie < INT64_MAX) {
		uint64_t from = *cookie;

		err = copy_leaf(dir, from, leaf, &next);
		if (!err)
			err = fill_leaf(dir, leaf, k, cookie, fill, ctx);
		if (!err && (next <= from || next < *cookie))
			err = bad_leaf(fs, dir->ino, 0);
		if (!err)
			*cookie = VMEM_MIN(next, (uint64_t)INT64_MAX);
	}
	vmem_free(fs, leaf, VMEM_BLOCK_SIZE);
	vmem_free(fs, k, MAX_ENTRIES * sizeof(*k));
	if (err == -ENOENT)
		*cookie = INT64_MAX;
	return err == 1 || err == -ENOENT ? 0 : err;
}
