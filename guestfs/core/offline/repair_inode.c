// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * repair_inode.c - the repair of inodes and extent trees
 *
 * Nodes are claimed first, of all inodes, those without a flaw before the
 * others, data after them: a reference that was damaged so that it leads to
 * something of another file must not take it away from there.
 */
#include "offline/repair_internal.h"

/* ---- Fields -------------------------------------------------------------- */

static bool is_device(uint32_t type)
{
	return type == MODE_CHR || type == MODE_BLK;
}

bool vmem_repair_inode_likely(const struct repair *r, const struct vmem_dinode *di)
{
	uint32_t type = vmem_get16(di->mode) & MODE_TYPE;
	unsigned int odd = 0;

	odd += !format_fits(type, vmem_get16(di->format));
	odd += (vmem_get32(di->flags) & ~vmem_repair_known_flags(r)) != 0;
	odd += vmem_has_xattrs(di) && !vmem_repair_with_xattrs(r);
	odd += vmem_get32(di->reserved0) != 0;
	odd += !all_zero(di->reserved1, sizeof(di->reserved1));
	odd += vmem_get16(di->depth) > VMEM_EXT_MAX_DEPTH;
	odd += vmem_get16(di->nr_ext) > root_extents(di);
	odd += vmem_get64(di->size) > VMEM_MAX_FILE_SIZE;
	odd += vmem_get64(di->blocks) > r->nr_blocks;
	odd += vmem_get32(di->parent) >= r->nr_inodes;
	odd += vmem_get32(di->rdev) && !is_device(type);
	return odd < 3;
}

/* Bytes before the first NUL. */
static uint64_t text_len(const uint8_t *p, uint64_t max)
{
	uint64_t n = 0;

	while (n < max && p[n])
		n++;
	return n;
}

static bool holds_target(const struct vmem_dinode *di, uint64_t xattr_blocks)
{
	uint64_t size = vmem_get64(di->size);

	return size && size <= payload_size(di) && vmem_get64(di->blocks) == xattr_blocks &&
	       !vmem_get16(di->nr_ext) && text_len(di->u.bytes, payload_size(di)) >= size;
}

/*
 * Type and format contradict each other.  What is set only for one kind of
 * inode decides: parent of directories, rdev of devices, blocks of files.
 */
static void choose_kind(struct vmem_dinode *di, uint64_t xattr_blocks)
{
	uint32_t mode = vmem_get16(di->mode), type = mode & MODE_TYPE, format;

	if (vmem_get32(di->parent)) {
		type = MODE_DIR;
		format = VMEM_FMT_DIR;
	} else if (vmem_get32(di->rdev)) {
		type = is_device(type) ? type : MODE_CHR;
		format = VMEM_FMT_NONE;
	} else if (holds_target(di, xattr_blocks)) {
		type = MODE_LNK;
		format = VMEM_FMT_INLINE;
	} else if (vmem_get64(di->blocks) != xattr_blocks || vmem_get64(di->size) || vmem_get16(di->nr_ext) ||
		   type == MODE_REG || vmem_get16(di->format) == VMEM_FMT_EXTENTS) {
		if (type != MODE_LNK || vmem_get64(di->blocks) != 1 + xattr_blocks ||
		    vmem_get64(di->size) >= VMEM_BLOCK_SIZE)
			type = MODE_REG;
		format = VMEM_FMT_EXTENTS;
	} else {
		if (!is_device(type) && type != MODE_SOCK)
			type = MODE_FIFO;
		format = VMEM_FMT_NONE;
	}
	di->mode = vmem_le16_of((mode & ~MODE_TYPE) | type);
	di->format = vmem_le16_of(format);
}

static void clear_inode(struct repair *r, uint64_t ino, struct vmem_dinode *di, const char *why)
{
	vmem_repair_fixed(r, false, "inode %llu: %s: cleared", (ull)ino, why);
	di->mode = vmem_le16_of(0);
	touched(r, di, sizeof(*di));
}

/* What this kind of inode does not use.  Stores only what changes: the copy grows by it. */
static bool zero_unused(const struct repair *r, struct vmem_dinode *di, uint64_t xattr_blocks)
{
	struct vmem_dinode n = *di;
	uint32_t type = vmem_get16(n.mode) & MODE_TYPE;
	bool extents = vmem_get16(n.format) == VMEM_FMT_EXTENTS;

	n.flags = vmem_le32_of(vmem_get32(n.flags) & vmem_repair_known_flags(r));
	n.reserved0 = vmem_le32_of(0);
	memset(n.reserved1, 0, sizeof(n.reserved1));
	if (!vmem_repair_with_xattrs(r)) {
		n.xattr = vmem_le64_of(0);
		n.xattr_units = 0;
	}
	if (!is_device(type))
		n.rdev = vmem_le32_of(0);
	if (type != MODE_DIR)
		n.parent = vmem_le32_of(0);
	else
		n.u.dir.reserved = vmem_le32_of(0);
	if (!extents) {
		n.depth = vmem_le16_of(0);
		n.nr_ext = vmem_le16_of(0);
		if (type != MODE_DIR)
			n.blocks = vmem_le64_of(xattr_blocks);
	}
	if (vmem_get16(n.format) == VMEM_FMT_NONE)
		n.size = vmem_le64_of(0);
	if (!memcmp(&n, di, sizeof(n)))
		return false;
	*di = n;
	return true;
}

/* A short target; false when there is none. */
static bool fix_short_target(struct repair *r, uint64_t ino, struct vmem_dinode *di)
{
	uint64_t size = vmem_get64(di->size), room = payload_size(di), len = text_len(di->u.bytes, room);

	if (!len)
		return false;
	if (!size || size > len)
		size = len;
	if (size == vmem_get64(di->size) &&
	    all_zero(di->u.bytes + size, room - size))
		return true;
	vmem_repair_fixed(r, false, "symlink %llu: length %llu set to %llu, the rest is zeroed", (ull)ino,
		(ull)vmem_get64(di->size), (ull)size);
	di->size = vmem_le64_of(size);
	memset(di->u.bytes + size, 0, room - size);
	return true;
}

/* A target in a block; a short one moves into the inode. */
static bool fix_long_target(struct repair *r, uint64_t ino, struct vmem_dinode *di, uint64_t xattr_blocks)
{
	uint64_t block = ext_pblk(&di->u.ext[0]), size = vmem_get64(di->size), len;
	struct vmem_extent whole = { vmem_le64_of(0), vmem_le64_of(block) };

	if (!vmem_repair_block_ok(r, block, 1))
		return false;
	len = text_len(block_ptr(r, block), VMEM_BLOCK_SIZE - 1);
	if (!len)
		return false;
	if (!size || size > len)
		size = len;
	if (size > VMEM_PAYLOAD_SIZE && size == vmem_get64(di->size) &&
	    !vmem_get16(di->depth) && vmem_get16(di->nr_ext) == 1 &&
	    vmem_get64(di->blocks) == 1 + xattr_blocks && !memcmp(&di->u.ext[0], &whole, sizeof(whole)))
		return true;
	if (size <= VMEM_PAYLOAD_SIZE)
		size = len;	/* the block holds more than the inode could */
	vmem_repair_fixed(r, false, "symlink %llu: length %llu set to %llu", (ull)ino,
		(ull)vmem_get64(di->size), (ull)size);
	di->size = vmem_le64_of(size);
	di->depth = vmem_le16_of(0);
	if (size > VMEM_PAYLOAD_SIZE) {
		di->nr_ext = vmem_le16_of(1);
		di->blocks = vmem_le64_of(1 + xattr_blocks);
		di->u.ext[0] = whole;
		return true;
	}
	di->format = vmem_le16_of(VMEM_FMT_INLINE);
	di->nr_ext = vmem_le16_of(0);
	di->blocks = vmem_le64_of(xattr_blocks);
	/* A set in the inode would have to move. */
	if (size > payload_size(di))
		di->xattr_units = 0;
	memset(di->u.bytes, 0, payload_size(di));
	memcpy(di->u.bytes, block_ptr(r, block), size);
	return true;
}

void vmem_repair_fields(struct repair *r, uint64_t ino, struct vmem_dinode *di)
{
	struct vmem_dinode old = *di;
	bool with_xattrs = vmem_repair_with_xattrs(r);
	uint64_t xattr_blocks;
	uint32_t type;

	if (ino == 0) {
		clear_inode(r, ino, di, "this number is never used");
		return;
	}
	if (vmem_get32(di->csum) != vmem_inode_csum(r->crc, di, ino)) {
		if (!vmem_repair_inode_likely(r, di)) {
			clear_inode(r, ino, di, "not an inode");
			return;
		}
		vmem_repair_fixed(r, false, "inode %llu: wrong checksum, the fields are possible: accepted",
			(ull)ino);
		old.csum = vmem_le32_of(~vmem_get32(old.csum));
	}
	xattr_blocks = with_xattrs ? vmem_repair_xattr_blocks(r, ino, di) : 0;
	if (!format_fits(vmem_get16(di->mode) & MODE_TYPE, vmem_get16(di->format))) {
		choose_kind(di, xattr_blocks);
		vmem_repair_fixed(r, false, "inode %llu: mode %o and format %u contradict each other: now %o and %u",
			(ull)ino, vmem_get16(old.mode), vmem_get16(old.format),
			vmem_get16(di->mode), vmem_get16(di->format));
	}
	type = vmem_get16(di->mode) & MODE_TYPE;
	if (with_xattrs) {
		vmem_repair_xattr_fields(r, ino, di);
		xattr_blocks = vmem_repair_xattr_blocks(r, ino, di);
	}
	if (zero_unused(r, di, xattr_blocks))
		vmem_repair_fixed(r, true, "inode %llu: unused fields set to zero", (ull)ino);
	if (type == MODE_REG && vmem_get64(di->size) > VMEM_MAX_FILE_SIZE) {
		/* What is mapped decides, when the extents are walked. */
		vmem_repair_fixed(r, false, "inode %llu: impossible size %llu", (ull)ino,
			(ull)vmem_get64(di->size));
		di->size = vmem_le64_of(0);
	}
	if (type == MODE_LNK &&
	    !(vmem_get16(di->format) == VMEM_FMT_INLINE ? fix_short_target(r, ino, di)
							 : fix_long_target(r, ino, di, xattr_blocks))) {
		clear_inode(r, ino, di, "a symlink without target");
		return;
	}
	if (memcmp(&old, di, sizeof(old)))
		vmem_repair_seal(r, ino, di);
}

/* ---- Extent trees -------------------------------------------------------- */

struct walk {
	struct repair *r;
	uint64_t ino;
	enum stage stage;
	bool measure;		/* only count what STAGE_DATA would find */
	bool changed;
	uint64_t next;		/* first logical block not yet passed */
	uint64_t eof;		/* nothing may be mapped from here on */
	uint64_t blocks, end;
	uint64_t data_end;	/* behind the last that is no preallocation */
};

static struct vmem_extent make_extent(uint64_t lblk, uint64_t len, uint64_t pblk, uint64_t flags)
{
	struct vmem_extent e = {
		vmem_le64_of(lblk | (len - 1) << VMEM_LBLK_BITS), vmem_le64_of(pblk | flags),
	};

	return e;
}

/* Entries that look like ones, when the count is impossible. */
static uint32_t count_entries(const struct repair *r, const struct vmem_extent *e, uint32_t max)
{
	uint32_t n = 0;

	while (n < max && vmem_repair_block_ok(r, ext_pblk(&e[n]), ext_len(&e[n])) &&
	       (!n || ext_lblk(&e[n]) > ext_lblk(&e[n - 1])))
		n++;
	return n;
}

static void remember_copy(struct walk *w, uint64_t lblk, uint64_t pblk, uint64_t nr, uint64_t flags)
{
	struct repair *r = w->r;
	struct rcopy *copy;

	if (flags & VMEM_EXT_UNWRITTEN) {
		vmem_repair_fixed(r, false, "inode %llu: preallocated blocks %llu+%llu also belong to another inode: dropped",
			(ull)w->ino, (ull)pblk, (ull)nr);
		return;
	}
	if (r->copy_blocks + nr > r->nr_blocks) {
		vmem_repair_fixed(r, false, "inode %llu: blocks %llu+%llu are claimed too often: dropped",
			(ull)w->ino, (ull)pblk, (ull)nr);
		return;
	}
	copy = vmem_repair_alloc(r, sizeof(*copy));
	if (!copy)
		return;
	vmem_repair_fixed(r, false, "inode %llu: blocks %llu+%llu also belong to another inode: copied",
		(ull)w->ino, (ull)pblk, (ull)nr);
	copy->ino = (uint32_t)w->ino;
	copy->lblk = lblk;
	copy->pblk = pblk;
	copy->nr = nr;
	copy->next = r->copies;
	r->copies = copy;
	r->copy_blocks += nr;
}

/*
 * Some blocks of an extent belong to another inode: the longest run of others
 * stays, copies of the rest are made later.  Until then what lies there must
 * not be used for anything: it is claimed, and the next round frees it.
 */
static bool share_extent(struct walk *w, struct vmem_extent *e)
{
	struct repair *r = w->r;
	uint64_t lblk = ext_lblk(e), len = ext_len(e), pblk = ext_pblk(e), i, run = 0, best = 0, at = 0;
	uint64_t flags = vmem_repair_flags(r, e);

	for (i = 0; i < len; i++) {
		run = vmem_repair_claimed(r, pblk + i, 1) ? 0 : run + 1;
		if (run > best) {
			best = run;
			at = i + 1 - run;
		}
	}
	if (!best) {
		remember_copy(w, lblk, pblk, len, flags);
		return false;
	}
	vmem_repair_claim(r, pblk, len);
	if (at)
		remember_copy(w, lblk, pblk, at, flags);
	if (at + best < len)
		remember_copy(w, lblk + at + best, pblk + at + best, len - at - best, flags);
	*e = make_extent(lblk + at, best, pblk + at, flags);
	touched(r, e, sizeof(*e));
	w->changed = true;
	w->end = lblk + at + best;
	w->blocks += best;
	return true;
}

/* Keep an extent?  It may become shorter.  next: where the one after it starts. */
static bool keep_extent(struct walk *w, struct vmem_extent *e, uint64_t next)
{
	struct repair *r = w->r;
	uint64_t lblk = ext_lblk(e), len = ext_len(e), pblk = ext_pblk(e), end = lblk + len;
	uint64_t flags = vmem_repair_flags(r, e);

	if (next >= w->next && next < end)
		end = next;
	if (end > w->eof && !flags)
		end = w->eof;
	if (lblk < w->next || end <= lblk || !vmem_repair_block_ok(r, pblk, end - lblk)) {
		if (!w->measure)
			vmem_repair_fixed(r, false, "inode %llu: extent %llu+%llu at block %llu is impossible: dropped",
				(ull)w->ino, (ull)lblk, (ull)len, (ull)pblk);
		return false;
	}
	w->next = end;
	if (!flags)
		w->data_end = end;
	w->end = end;
	if (w->measure) {
		w->blocks += end - lblk;
		return true;
	}
	if (end - lblk != len || vmem_get64(e->w1) != (pblk | flags)) {
		vmem_repair_fixed(r, false, "inode %llu: extent %llu+%llu is now %llu+%llu", (ull)w->ino,
			(ull)lblk, (ull)len, (ull)lblk, (ull)(end - lblk));
		*e = make_extent(lblk, end - lblk, pblk, flags);
		touched(r, e, sizeof(*e));
		w->changed = true;
	}
	if (vmem_repair_claimed(r, pblk, end - lblk))
		return share_extent(w, e);
	vmem_repair_claim(r, pblk, end - lblk);
	w->blocks += end - lblk;
	return true;
}

static uint32_t walk_entries(struct walk *w, struct vmem_extent *e, uint32_t count, uint32_t level);

static void walk_node(struct walk *w, uint64_t block, uint32_t level)
{
	struct vmem_node *node = (struct vmem_node *)(void *)block_ptr(w->r, block);
	struct vmem_extent *e = (struct vmem_extent *)(node + 1);
	uint32_t count = vmem_get16(node->count), left;

	if (!count || count > VMEM_NODE_ENTRIES)
		count = count_entries(w->r, e, VMEM_NODE_ENTRIES);
	left = walk_entries(w, e, count, level);
	if (!w->measure && left != vmem_get16(node->count)) {
		node->count = vmem_le16_of(left);
		if (!left)
			memset(e, 0, sizeof(*e));	/* or it would be counted again */
		touched(w->r, node, sizeof(*node) + sizeof(*e));
		w->changed = true;
	}
}

/* Keep a child?  Nodes are claimed in the first two stages. */
static bool keep_child(struct walk *w, uint64_t block, uint32_t level)
{
	struct repair *r = w->r;
	unsigned int head = vmem_repair_head(r, block, VMEM_EXT_NODE_MAGIC, level, w->ino);
	bool sound = head == HEAD_PERFECT;

	if (w->stage == STAGE_DATA) {
		w->blocks++;
		walk_node(w, block, level);
		return true;
	}
	if (w->stage == STAGE_SOUND) {
		if (!sound)
			return true;
		if (vmem_repair_claimed(r, block, 1)) {
			vmem_repair_fixed(r, false, "inode %llu: extent node %llu occurs twice: dropped",
				(ull)w->ino, (ull)block);
			return false;
		}
		vmem_repair_claim(r, block, 1);
		walk_node(w, block, level);
		return true;
	}
	if (!sound) {
		if (!head_usable(head) || vmem_repair_claimed(r, block, 1)) {
			vmem_repair_fixed(r, false, "inode %llu: block %llu is not the extent node it should be: dropped",
				(ull)w->ino, (ull)block);
			return false;
		}
		vmem_repair_claim(r, block, 1);
		vmem_repair_fix_head(r, block, VMEM_EXT_NODE_MAGIC, level, w->ino);
		w->stage = STAGE_SOUND;
		walk_node(w, block, level);
		w->stage = STAGE_MENDED;
	}
	walk_node(w, block, level);
	return true;
}

/* The key of an index entry is the first logical block below it. */
static bool fix_key(struct walk *w, struct vmem_extent *e, uint64_t block)
{
	const struct vmem_node *node;

	if (w->stage != STAGE_DATA || w->measure)
		return true;
	node = (const struct vmem_node *)(void *)block_ptr(w->r, block);
	if (!vmem_get16(node->count)) {
		vmem_repair_unclaim(w->r, block);
		w->blocks--;
		return false;
	}
	/* A lower bound is as good, if it is above what comes before. */
	if (ext_lblk(e) <= ext_lblk((const struct vmem_extent *)(node + 1)) && ext_len(e) == 1 &&
	    vmem_get64(e->w1) == block && ext_lblk(e) >= w->end)
		return true;
	vmem_repair_fixed(w->r, false, "inode %llu: index entry of extent node %llu set right",
		(ull)w->ino, (ull)block);
	*e = make_extent(ext_lblk((const struct vmem_extent *)(node + 1)), 1, block, 0);
	touched(w->r, e, sizeof(*e));
	w->changed = true;
	return true;
}

/* Walk the entries of a node, or of the inode, and drop those that cannot stay. */
static uint32_t walk_entries(struct walk *w, struct vmem_extent *e, uint32_t count, uint32_t level)
{
	uint32_t i, left = 0;

	for (i = 0; i < count && !w->r->error; i++) {
		uint64_t before = w->end, after, block = ext_pblk(&e[i]);
		bool keep = true;

		if (level) {
			keep = keep_child(w, block, level - 1);
			if (keep) {
				after = w->end;
				w->end = before;
				keep = fix_key(w, &e[i], block);
				w->end = after;
			}
		} else if (w->stage == STAGE_DATA) {
			keep = keep_extent(w, &e[i], i + 1 < count ? ext_lblk(&e[i + 1]) : UINT64_MAX);
		}
		if (w->measure) {
			left++;
			continue;
		}
		if (!keep) {
			w->changed = true;
			continue;
		}
		if (left != i) {
			e[left] = e[i];
			touched(w->r, &e[left], sizeof(e[left]));
		}
		left++;
	}
	return w->r->error ? count : left;
}

static uint64_t size_in_blocks(const struct vmem_dinode *di)
{
	return (vmem_get64(di->size) >> VMEM_BLOCK_SHIFT) +
	       !!(vmem_get64(di->size) & VMEM_BLOCK_MASK);
}

/* Do extents in the inode itself, and nothing else, explain what it says of its size? */
static bool extents_add_up(const struct repair *r, const struct vmem_dinode *di, uint64_t xattr_blocks)
{
	uint32_t nr = vmem_get16(di->nr_ext), i;
	uint64_t sum = xattr_blocks, next = 0, end = 0;

	if (vmem_get16(di->depth) || nr > root_extents(di))
		return false;
	for (i = 0; i < nr; i++) {
		const struct vmem_extent *e = &di->u.ext[i];

		if (ext_lblk(e) < next || !vmem_repair_block_ok(r, ext_pblk(e), ext_len(e)))
			return false;
		sum += ext_len(e);
		next = ext_lblk(e) + ext_len(e);
		if (!vmem_repair_flags(r, e))
			end = next;
	}
	return sum == vmem_get64(di->blocks) && end <= size_in_blocks(di);
}

/*
 * Depth and number of entries in the inode, as what they lead to says.  Blocks
 * of data are looked at only when there is a doubt: they are many.
 */
static void fix_tree_root(struct repair *r, uint64_t ino, struct vmem_dinode *di)
{
	const struct vmem_extent *e = di->u.ext;
	uint32_t depth = vmem_get16(di->depth), nr = vmem_get16(di->nr_ext), filled = 0, level, i;
	uint32_t max = root_extents(di);
	uint64_t first = ext_pblk(&e[0]);
	const struct vmem_node *node;

	if (extents_add_up(r, di, vmem_repair_xattr_blocks(r, ino, di)))
		return;
	node = (const struct vmem_node *)(void *)block_ptr(r, vmem_repair_block_ok(r, first, 1) ? first : 0);
	level = vmem_get16(node->level);
	if (vmem_repair_head(r, first, VMEM_EXT_NODE_MAGIC, level, ino) == HEAD_PERFECT &&
	    level < VMEM_EXT_MAX_DEPTH && (nr || depth)) {
		depth = level + 1;
	} else if (depth) {
		bool node_found = false;

		for (i = 0; i < max && depth <= VMEM_EXT_MAX_DEPTH; i++)
			node_found |= head_usable(vmem_repair_head(r, ext_pblk(&e[i]),
				VMEM_EXT_NODE_MAGIC, depth - 1, ino));
		if (!node_found)
			depth = 0;
	}
	while (filled < max && vmem_get64(e[filled].w1))
		filled++;
	if (nr > max || (!depth && nr < filled) || (depth && !nr))
		nr = filled;
	if (depth && !nr)
		depth = 0;
	if (depth == vmem_get16(di->depth) && nr == vmem_get16(di->nr_ext))
		return;
	vmem_repair_fixed(r, false, "inode %llu: extent tree of depth %u with %u entries: now %u and %u",
		(ull)ino, vmem_get16(di->depth), vmem_get16(di->nr_ext), depth, nr);
	di->depth = vmem_le16_of(depth);
	di->nr_ext = vmem_le16_of(nr);
	vmem_repair_seal(r, ino, di);
}

/*
 * Extents behind the end of file: when their number is the one that the inode
 * says it holds, the size is what is wrong.
 */
static void fix_size(struct walk *w, struct vmem_dinode *di)
{
	uint32_t depth = vmem_get16(di->depth);
	uint64_t eof = size_in_blocks(di);
	struct walk m = *w;

	w->eof = eof;
	if ((vmem_get16(di->mode) & MODE_TYPE) != MODE_REG)
		return;
	m.measure = true;
	m.eof = VMEM_MAX_LBLK + 1;
	walk_entries(&m, di->u.ext, vmem_get16(di->nr_ext), depth);
	if (m.data_end <= eof || m.blocks + vmem_repair_xattr_blocks(w->r, w->ino, di) != vmem_get64(di->blocks))
		return;
	vmem_repair_fixed(w->r, false, "inode %llu: size %llu set to %llu, as its blocks say", (ull)w->ino,
		(ull)vmem_get64(di->size), (ull)(m.data_end << VMEM_BLOCK_SHIFT));
	di->size = vmem_le64_of(VMEM_MIN(m.data_end << VMEM_BLOCK_SHIFT, VMEM_MAX_FILE_SIZE));
	w->eof = m.data_end;
	w->changed = true;
}

void vmem_repair_extents(struct repair *r, uint64_t ino, struct vmem_dinode *di, enum stage stage)
{
	struct walk w = { .r = r, .ino = ino, .stage = stage, .eof = VMEM_MAX_LBLK + 1 };
	uint32_t count;

	if ((vmem_get16(di->mode) & MODE_TYPE) == MODE_LNK) {
		if (stage != STAGE_DATA)	/* one block, no nodes */
			return;
	} else if (stage == STAGE_SOUND) {
		fix_tree_root(r, ino, di);
	}
	if (stage == STAGE_DATA)
		fix_size(&w, di);
	count = walk_entries(&w, di->u.ext, vmem_get16(di->nr_ext), vmem_get16(di->depth));
	if (count != vmem_get16(di->nr_ext)) {
		memset(&di->u.ext[count], 0, (root_extents(di) - count) * sizeof(di->u.ext[0]));
		di->nr_ext = vmem_le16_of(count);
		if (!count)
			di->depth = vmem_le16_of(0);
		w.changed = true;
	}
	w.blocks += vmem_repair_xattr_blocks(r, ino, di);
	if (stage == STAGE_DATA && w.blocks != vmem_get64(di->blocks)) {
		vmem_repair_fixed(r, true, "inode %llu: holds %llu blocks, not %llu", (ull)ino, (ull)w.blocks,
			(ull)vmem_get64(di->blocks));
		di->blocks = vmem_le64_of(w.blocks);
		w.changed = true;
	}
	if (w.changed)
		vmem_repair_seal(r, ino, di);
}
