// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* check_tree.c - the check of inodes, extent trees and directories */
#include "offline/check_internal.h"

/* ---- Extent trees -------------------------------------------------------- */

struct extent_walk {
	uint64_t ino;
	uint64_t next;		/* first logical block not yet passed */
	uint64_t eof;		/* first logical block behind the file */
	uint64_t blocks;	/* held: mapped and tree nodes */
};

static void check_extent(struct checker *c, struct extent_walk *w,
			 const struct vmem_extent *e, uint64_t hi)
{
	uint64_t lblk = ext_lblk(e), len = ext_len(e);

	if (!ext_flags_ok(e, vmem_get64(c->sb->incompat)))
		vmem_check_problem(c, "inode %llu: extent at %llu has unknown flags", (ull)w->ino, (ull)lblk);
	if (lblk < w->next || lblk + len > hi)
		vmem_check_problem(c, "inode %llu: extent at %llu is out of order or overlaps",
			(ull)w->ino, (ull)lblk);
	else if (lblk + len > w->eof && !ext_unwritten(e))
		vmem_check_problem(c, "inode %llu: extent %llu+%llu reaches beyond the end of file",
			(ull)w->ino, (ull)lblk, (ull)len);
	if (lblk + len > w->next)
		w->next = lblk + len;
	w->blocks += len;
	vmem_check_claim(c, w->ino, ext_pblk(e), len);
}

static bool check_node_head(struct checker *c, uint64_t ino, uint64_t block,
			    uint32_t magic, uint32_t level)
{
	const struct vmem_node *node = (const struct vmem_node *)block_ptr(c, block);

	if (vmem_get32(node->magic) != magic) {
		vmem_check_problem(c, "inode %llu: block %llu is not the tree node it should be", (ull)ino,
			(ull)block);
		return false;
	}
	if (vmem_get64(node->owner) != ino)
		vmem_check_problem(c, "inode %llu: block %llu says that it belongs to inode %llu", (ull)ino,
			(ull)block, (ull)vmem_get64(node->owner));
	if (vmem_get64(node->self) != block)
		vmem_check_problem(c, "inode %llu: block %llu says that it is block %llu", (ull)ino,
			(ull)block, (ull)vmem_get64(node->self));
	if (vmem_get64(node->reserved))
		vmem_check_problem(c, "inode %llu: block %llu: reserved bytes are not zero", (ull)ino,
			(ull)block);
	if (vmem_get16(node->level) != level) {
		vmem_check_problem(c, "inode %llu: block %llu has level %u instead of %u", (ull)ino,
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
				vmem_check_problem(c, "inode %llu: extent at %llu lies before its node's range",
					(ull)w->ino, (ull)ext_lblk(&e[i]));
			check_extent(c, w, &e[i], hi);
			continue;
		}
		child = ext_pblk(&e[i]);
		child_lo = ext_lblk(&e[i]);
		child_hi = i + 1 < count ? ext_lblk(&e[i + 1]) : hi;
		if (vmem_get64(e[i].w0) != child_lo || vmem_get64(e[i].w1) != child ||
		    child_lo < lo || child_lo >= child_hi || child_hi > hi) {
			vmem_check_problem(c, "inode %llu: extent index entry at %llu is out of order or has unknown bits",
				(ull)w->ino, (ull)child_lo);
			continue;
		}
		w->blocks++;
		if (!vmem_check_claim(c, w->ino, child, 1) ||
		    !check_node_head(c, w->ino, child, VMEM_EXT_NODE_MAGIC, level - 1))
			continue;
		node = (const struct vmem_node *)block_ptr(c, child);
		n = vmem_get16(node->count);
		if (n == 0 || n > VMEM_NODE_ENTRIES) {
			vmem_check_problem(c, "inode %llu: extent node %llu has %u entries", (ull)w->ino,
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
	if (depth > VMEM_EXT_MAX_DEPTH || count > root_extents(di) || (depth && !count)) {
		vmem_check_problem(c, "inode %llu: extent tree of depth %u with %u entries", (ull)ino, depth,
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
	const struct vmem_dinode *di = vmem_check_find_inode(c, ino, &info);
	uint32_t mode = di ? vmem_get16(di->mode) : 0;

	if (!mode || ino == VMEM_ROOT_INO) {
		vmem_check_problem(c, "directory %llu: entry at %llu:%u leads to %s inode %u", (ull)w->ino,
			(ull)block, off, mode ? "the root" : "unused", ino);
		return;
	}
	if (de->type != type_of_mode(mode))
		vmem_check_problem(c, "directory %llu: entry at %llu:%u has type %u, inode %u has %u",
			(ull)w->ino, (ull)block, off, de->type, ino, type_of_mode(mode));
	if ((mode & MODE_TYPE) == MODE_DIR) {
		w->info->subdirs++;
		if (info->links)
			vmem_check_problem(c, "directory %u has two names, in %u and in %llu", ino,
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
		vmem_check_problem(c, "directory %llu: name at %llu:%u %s", (ull)w->ino, (ull)block, off,
			fault);
	if (hash != vmem_name_hash(c->sb->hash_key, de->name, de->name_len))
		vmem_check_problem(c, "directory %llu: entry at %llu:%u has a wrong hash", (ull)w->ino,
			(ull)block, off);
	if (hash < lo || hash >= hi)
		vmem_check_problem(c, "directory %llu: entry at %llu:%u lies outside the hash range of its leaf",
			(ull)w->ino, (ull)block, off);
	if (name_is_double(leaf, off))
		vmem_check_problem(c, "directory %llu: entry at %llu:%u repeats a name", (ull)w->ino,
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
		vmem_check_problem(c, "directory %llu: leaf %llu has a count", (ull)w->ino, (ull)block);
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
		vmem_check_problem(c, "directory %llu: entry at %llu:%u has a wrong length", (ull)w->ino,
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
	if (!vmem_check_claim(c, w->ino, block, 1))
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
		vmem_check_problem(c, "directory %llu: index %llu has %u entries", (ull)w->ino, (ull)block,
			count);
		return;
	}
	for (i = 0; i < count && !c->error; i++) {
		child_lo = i ? vmem_get64(idx[i].hash) : lo;
		child_hi = i + 1 < count ? vmem_get64(idx[i + 1].hash) : hi;
		if (child_lo < lo || child_lo >= child_hi || child_hi > hi)
			vmem_check_problem(c, "directory %llu: index %llu is not sorted at entry %u",
				(ull)w->ino, (ull)block, i);
		else
			check_dir_node(c, w, vmem_get64(idx[i].block), level - 1, child_lo,
				       child_hi);
	}
}

static void check_directory(struct checker *c, uint64_t ino, const struct vmem_dinode *di,
			    struct inode_info *info, uint64_t xattr_blocks)
{
	struct dir_walk w = { .ino = ino, .info = info };
	uint32_t height = vmem_get32(di->u.dir.height);
	uint64_t root = vmem_get64(di->u.dir.root);

	if (height > VMEM_DIR_MAX_HEIGHT || !height != !root) {
		vmem_check_problem(c, "directory %llu: height %u with root block %llu", (ull)ino, height,
			(ull)root);
		return;
	}
	if (height)
		check_dir_node(c, &w, root, height - 1, 0, UINT64_MAX);
	if (vmem_get64(di->u.dir.nr_entries) != w.entries)
		vmem_check_problem(c, "directory %llu: says %llu entries, has %llu", (ull)ino,
			(ull)vmem_get64(di->u.dir.nr_entries), (ull)w.entries);
	if (vmem_get64(di->blocks) != w.blocks + xattr_blocks)
		vmem_check_problem(c, "directory %llu: says %llu blocks, has %llu", (ull)ino,
			(ull)vmem_get64(di->blocks), (ull)(w.blocks + xattr_blocks));
	if (vmem_get64(di->size) != w.blocks << VMEM_BLOCK_SHIFT)
		vmem_check_problem(c, "directory %llu: size %llu instead of %llu", (ull)ino,
			(ull)vmem_get64(di->size), (ull)(w.blocks << VMEM_BLOCK_SHIFT));
	if (vmem_get32(di->u.dir.reserved) || vmem_get16(di->depth) || vmem_get16(di->nr_ext))
		vmem_check_problem(c, "directory %llu: reserved fields are not zero", (ull)ino);
}

/* ---- Inodes -------------------------------------------------------------- */

static void check_held_blocks(struct checker *c, uint64_t ino, const struct vmem_dinode *di,
			      uint64_t held)
{
	if (vmem_get64(di->blocks) != held)
		vmem_check_problem(c, "inode %llu: says %llu blocks, has %llu", (ull)ino,
			(ull)vmem_get64(di->blocks), (ull)held);
}

static void check_file(struct checker *c, uint64_t ino, const struct vmem_dinode *di,
		       uint64_t xattr_blocks)
{
	if (vmem_get64(di->size) > VMEM_MAX_FILE_SIZE)
		vmem_check_problem(c, "inode %llu: impossible size %llu", (ull)ino,
			(ull)vmem_get64(di->size));
	check_held_blocks(c, ino, di, xattr_blocks + check_extents(c, ino, di));
	c->res->files++;
}

static void check_symlink(struct checker *c, uint64_t ino, const struct vmem_dinode *di,
			  uint64_t xattr_blocks)
{
	uint64_t size = vmem_get64(di->size), held = 0, i;
	bool is_inline = vmem_get16(di->format) == VMEM_FMT_INLINE;
	const uint8_t *target = di->u.bytes;

	c->res->symlinks++;
	if (size == 0 || size >= VMEM_BLOCK_SIZE || is_inline != (size <= VMEM_PAYLOAD_SIZE)) {
		vmem_check_problem(c, "symlink %llu: impossible length %llu", (ull)ino, (ull)size);
		size = 0;
	}
	if (!is_inline) {
		held = check_extents(c, ino, di);
		target = NULL;
		if (held == 1 && !ext_unwritten(&di->u.ext[0]) && ext_pblk(&di->u.ext[0]) < c->nr_blocks)
			target = block_ptr(c, ext_pblk(&di->u.ext[0]));
		else
			vmem_check_problem(c, "symlink %llu: not in one block", (ull)ino);
	} else if (vmem_get16(di->depth) || vmem_get16(di->nr_ext) ||
		   (size < payload_size(di) && !all_zero(target + size, payload_size(di) - size))) {
		vmem_check_problem(c, "symlink %llu: what it does not use is not zero", (ull)ino);
	}
	check_held_blocks(c, ino, di, xattr_blocks + held);
	for (i = 0; target && i < size; i++) {
		if (!target[i]) {
			vmem_check_problem(c, "symlink %llu: the target contains NUL", (ull)ino);
			break;
		}
	}
}

/* Fifos, sockets and devices hold nothing. */
static void check_special(struct checker *c, uint64_t ino, const struct vmem_dinode *di,
			  uint64_t xattr_blocks)
{
	if (vmem_get64(di->size) || vmem_get64(di->blocks) != xattr_blocks || vmem_get16(di->depth) ||
	    vmem_get16(di->nr_ext))
		vmem_check_problem(c, "inode %llu: a special file with contents", (ull)ino);
	c->res->others++;
}

static void check_inode_fields(struct checker *c, uint64_t ino, const struct vmem_dinode *di)
{
	uint32_t type = vmem_get16(di->mode) & MODE_TYPE, flags;

	if (vmem_get32(di->csum) != vmem_inode_csum(c->crc, di, ino))
		vmem_check_problem(c, "inode %llu: wrong checksum", (ull)ino);
	flags = vmem_get32(di->flags) & ~known_flags(vmem_get64(c->sb->incompat) & VMEM_INCOMPAT_FLAGS);
	if (flags)
		vmem_check_problem(c, "inode %llu: unknown flags %x", (ull)ino, flags);
	if (vmem_get32(di->rdev) && type != MODE_CHR && type != MODE_BLK)
		vmem_check_problem(c, "inode %llu: a device number on what is no device", (ull)ino);
	if (vmem_get32(di->parent) && type != MODE_DIR)
		vmem_check_problem(c, "inode %llu: a parent on what is no directory", (ull)ino);
	if (vmem_get32(di->reserved0) || !all_zero(di->reserved1, sizeof(di->reserved1)))
		vmem_check_problem(c, "inode %llu: reserved bytes are not zero", (ull)ino);
}

static void check_inode(struct checker *c, uint32_t ag, uint64_t ino,
			const struct vmem_dinode *di, struct inode_info *info)
{
	uint32_t mode = vmem_get16(di->mode), format = vmem_get16(di->format);
	uint64_t xattr_blocks;

	info->flags |= INFO_USED;
	c->res->used_inodes++;
	check_inode_fields(c, ino, di);
	xattr_blocks = vmem_check_xattrs(c, ino, di);
	if (!format_fits(mode & MODE_TYPE, format)) {
		vmem_check_problem(c, "inode %llu: mode %o does not go with format %u", (ull)ino, mode,
			format);
		return;
	}
	switch (mode & MODE_TYPE) {
	case MODE_REG:
		check_file(c, ino, di, xattr_blocks);
		break;
	case MODE_DIR:
		info->flags |= INFO_DIR;
		c->groups[ag].nr_dirs++;
		c->res->dirs++;
		check_directory(c, ino, di, info, xattr_blocks);
		break;
	case MODE_LNK:
		check_symlink(c, ino, di, xattr_blocks);
		break;
	default:
		check_special(c, ino, di, xattr_blocks);
	}
}

void vmem_check_inodes(struct checker *c, uint32_t ag)
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
			vmem_check_problem(c, "inode 0: in use");
		else
			check_inode(c, ag, first + i, &table[i], &g->info[i]);
	}
}
