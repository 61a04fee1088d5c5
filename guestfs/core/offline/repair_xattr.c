// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * repair_xattr.c - the repair of extended attributes
 *
 * Their blocks name themselves and have checksums.  What a checksum still
 * vouches for is kept, also where the head of the block was damaged; all else goes:
 * an access list or a label that is not certain is worse than none.
 */
#include "offline/repair_internal.h"

static struct vmem_xattr_node *node_ptr(const struct repair *r, uint64_t block)
{
	return (struct vmem_xattr_node *)(void *)block_ptr(r, block);
}

static struct vmem_xattr_node expected_head(uint32_t magic, unsigned int piece, uint64_t ino,
					    uint64_t block, uint32_t len)
{
	struct vmem_xattr_node head = {
		.magic = vmem_le32_of(magic), .piece = vmem_le16_of(piece), .owner = vmem_le64_of(ino),
		.self = vmem_le64_of(block), .len = vmem_le32_of(len),
	};

	return head;
}

/* Its checksum, were the head as it should be. */
static uint32_t expected_csum(const struct repair *r, uint64_t block, const struct vmem_xattr_node *head)
{
	uint32_t c = r->crc(~0u, head, sizeof(*head));

	return r->crc(c, node_ptr(r, block) + 1, vmem_get32(head->len));
}

/* Is the block all that it should be, head included? */
static bool node_sound(const struct repair *r, uint64_t block, uint32_t magic, unsigned int piece,
		       uint64_t ino, uint32_t len)
{
	struct vmem_xattr_node head = expected_head(magic, piece, ino, block, len);

	if (!vmem_repair_block_ok(r, block, 1))
		return false;
	head.csum = node_ptr(r, block)->csum;
	if (memcmp(&head, node_ptr(r, block), sizeof(head)))
		return false;
	head.csum = vmem_le32_of(0);
	return expected_csum(r, block, &head) == vmem_get32(node_ptr(r, block)->csum);
}

/* Does its checksum vouch for the rest, were the head as it should be?  Then it becomes so. */
static bool mend_node(struct repair *r, uint64_t block, uint32_t magic, unsigned int piece,
		      uint64_t ino, uint32_t len)
{
	struct vmem_xattr_node head = expected_head(magic, piece, ino, block, len);

	if (!vmem_repair_block_ok(r, block, 1) || vmem_repair_claimed(r, block, 1) ||
	    expected_csum(r, block, &head) != vmem_get32(node_ptr(r, block)->csum))
		return false;
	vmem_repair_fixed(r, false, "inode %llu: the head of block %llu of extended attributes set right",
		(ull)ino, (ull)block);
	head.csum = node_ptr(r, block)->csum;
	*node_ptr(r, block) = head;
	touched(r, node_ptr(r, block), sizeof(head));
	return true;
}

/* ---- Sets ---- */

struct set {
	struct repair *r;
	uint64_t ino;
	struct vmem_dinode *di;
	uint8_t *p;			/* its first entry */
	uint32_t len, room;		/* bytes of the entries, and that there are */
};

/* Bytes of the entries from p on that are possible and sorted. */
static uint32_t sorted_len(const uint8_t *p, uint32_t room)
{
	const uint8_t *from = p, *end = p + room;
	struct xattr_item x, before = { 0 };

	for (; xattr_item_at(p, end, &x); p += x.total) {
		if (before.total && xattr_compare(x.index, x.name, x.name_len, &before) <= 0)
			break;
		before = x;
	}
	return (uint32_t)(p - from);
}

/* Where the set of the inode lies, if one is there. */
static bool find_set(struct repair *r, uint64_t ino, struct vmem_dinode *di, struct set *s)
{
	uint64_t block = vmem_get64(di->xattr);

	s->r = r;
	s->ino = ino;
	s->di = di;
	if (block) {
		if (!vmem_repair_block_ok(r, block, 1))
			return false;
		s->p = (uint8_t *)(node_ptr(r, block) + 1);
		s->room = VMEM_MIN(vmem_get32(node_ptr(r, block)->len), VMEM_XATTR_NODE_SPACE);
	} else {
		s->p = di->u.bytes + payload_size(di);
		s->room = VMEM_PAYLOAD_SIZE - payload_size(di);
	}
	s->len = sorted_len(s->p, s->room);
	return s->len > 0;
}

uint64_t vmem_repair_xattr_blocks(struct repair *r, uint64_t ino, struct vmem_dinode *di)
{
	uint64_t nr = vmem_get64(di->xattr) ? 1 : 0, block, run;
	struct xattr_item x;
	struct set s;
	const uint8_t *p;
	unsigned int i;

	if (!find_set(r, ino, di, &s))
		return nr;
	for (p = s.p; xattr_item_at(p, s.p + s.len, &x); p += x.total)
		for (i = 0; x.outside && i < xattr_ref_runs(&x); i++) {
			xattr_ref_run(&x, i, &block, &run);
			nr += run;
		}
	return nr;
}

/* The set in the inode has these bytes now: it begins where it should. */
static void place_inline(struct set *s, uint32_t len)
{
	unsigned int units = (len + VMEM_XATTR_UNIT - 1) / VMEM_XATTR_UNIT;
	uint8_t *to = s->di->u.bytes + VMEM_PAYLOAD_SIZE - units * VMEM_XATTR_UNIT;

	memmove(to, s->p, len);
	if (to > s->p)
		memset(s->p, 0, (size_t)(to - s->p));
	memset(to + len, 0, units * VMEM_XATTR_UNIT - len);
	s->di->xattr_units = (uint8_t)units;
}

/* The set has these bytes now, and its checksum; nothing is left: there is none. */
static void shorten_set(struct set *s, uint32_t len)
{
	struct repair *r = s->r;
	uint64_t block = vmem_get64(s->di->xattr);
	struct vmem_xattr_node head;

	s->len = len;
	if (!block) {
		place_inline(s, len);
		s->p = s->di->u.bytes + payload_size(s->di);
	} else if (!len) {
		vmem_repair_unclaim(r, block);
		s->di->xattr = vmem_le64_of(0);
	} else {
		head = expected_head(VMEM_XATTR_SET_MAGIC, 0, s->ino, block, len);
		head.csum = vmem_le32_of(expected_csum(r, block, &head));
		*node_ptr(r, block) = head;
		touched(r, node_ptr(r, block), VMEM_BLOCK_SIZE);
	}
	vmem_repair_seal(r, s->ino, s->di);
}

/* ---- In the inode ---- */

/* Is what lies in the inode a set, to its last byte? */
static bool inline_sound(const struct vmem_dinode *di)
{
	uint32_t room = VMEM_PAYLOAD_SIZE - payload_size(di), len;
	const uint8_t *p = di->u.bytes + payload_size(di);

	if (!di->xattr_units || di->xattr_units > xattr_units_max(di))
		return false;
	len = sorted_len(p, room);
	return room - len < VMEM_XATTR_UNIT && all_zero(p + len, room - len);
}

static bool set_sound(const struct repair *r, uint64_t block, uint64_t ino)
{
	uint32_t len;

	if (!vmem_repair_block_ok(r, block, 1))
		return false;
	len = vmem_get32(node_ptr(r, block)->len);
	return len && len <= VMEM_XATTR_NODE_SPACE &&
	       node_sound(r, block, VMEM_XATTR_SET_MAGIC, 0, ino, len) &&
	       sorted_len((const uint8_t *)(node_ptr(r, block) + 1), len) == len;
}

/* What is no set, or overlaps extents that count, is none; of a damaged one the first entries stay. */
static void fix_inline(struct repair *r, uint64_t ino, struct vmem_dinode *di)
{
	bool possible = di->xattr_units <= xattr_units_max(di) &&
			(vmem_get16(di->format) != VMEM_FMT_EXTENTS ||
			 vmem_get16(di->nr_ext) <= root_extents(di));
	struct set s = { .r = r, .ino = ino, .di = di, .p = di->u.bytes + payload_size(di) };
	uint32_t len = possible ? sorted_len(s.p, VMEM_PAYLOAD_SIZE - payload_size(di)) : 0;

	vmem_repair_fixed(r, false, "inode %llu: extended attributes in it are damaged: %u bytes of them stay",
		(ull)ino, len);
	if (len || (possible && vmem_get16(di->format) != VMEM_FMT_EXTENTS))
		place_inline(&s, len);
	else
		di->xattr_units = 0;
}

void vmem_repair_xattr_fields(struct repair *r, uint64_t ino, struct vmem_dinode *di)
{
	uint64_t block = vmem_get64(di->xattr);

	if (block && di->xattr_units) {
		vmem_repair_fixed(r, false, "inode %llu: two sets of extended attributes: one is dropped", (ull)ino);
		if (set_sound(r, block, ino) || !inline_sound(di))
			di->xattr_units = 0;
		else
			di->xattr = vmem_le64_of(0);
	}
	if (di->xattr_units && !inline_sound(di))
		fix_inline(r, ino, di);
}

/* ---- Values ---- */

/* What a walk over the blocks of a value does with each. */
typedef bool (*piece_fn)(struct repair *r, uint64_t block, unsigned int piece, uint64_t ino, uint32_t len);

static bool piece_sound(struct repair *r, uint64_t block, unsigned int piece, uint64_t ino, uint32_t len)
{
	return node_sound(r, block, VMEM_XATTR_VALUE_MAGIC, piece, ino, len);
}

static bool piece_unclaimed(struct repair *r, uint64_t block, unsigned int piece, uint64_t ino, uint32_t len)
{
	(void)piece;
	(void)ino;
	(void)len;
	return !vmem_repair_claimed(r, block, 1);
}

static bool piece_claim(struct repair *r, uint64_t block, unsigned int piece, uint64_t ino, uint32_t len)
{
	(void)piece;
	(void)ino;
	(void)len;
	vmem_repair_claim(r, block, 1);
	return true;
}

static bool piece_mend(struct repair *r, uint64_t block, unsigned int piece, uint64_t ino, uint32_t len)
{
	return node_sound(r, block, VMEM_XATTR_VALUE_MAGIC, piece, ino, len) ||
	       mend_node(r, block, VMEM_XATTR_VALUE_MAGIC, piece, ino, len);
}

/* Does fn say yes to each piece of a value that has the blocks it needs? */
static bool for_pieces(const struct set *s, const struct xattr_item *x, piece_fn fn)
{
	uint32_t left = xattr_ref_size(x);
	unsigned int i, piece = 0;

	if (!left || left > VMEM_XATTR_MAX_VALUE)
		return false;
	for (i = 0; i < xattr_ref_runs(x); i++) {
		uint64_t block, nr;

		xattr_ref_run(x, i, &block, &nr);
		if (!nr || nr > xattr_blocks_for(left) || !vmem_repair_block_ok(s->r, block, nr))
			return false;
		for (; nr; nr--, block++) {
			uint32_t len = VMEM_MIN(left, VMEM_XATTR_NODE_SPACE);

			if (!fn(s->r, block, piece++, s->ino, len))
				return false;
			left -= len;
		}
	}
	return !left;
}

/* Keep the value of an entry?  In STAGE_SOUND one that is not sound waits for STAGE_MENDED. */
static bool keep_value(const struct set *s, const struct xattr_item *x, enum stage stage, bool is_new)
{
	bool sound = for_pieces(s, x, piece_sound);

	if (sound && stage == STAGE_MENDED && !is_new)
		return true;
	if (!sound && stage == STAGE_SOUND)
		return true;
	if (!sound && !for_pieces(s, x, piece_mend))
		return false;
	return for_pieces(s, x, piece_unclaimed) && for_pieces(s, x, piece_claim);
}

static void fix_reserved(struct set *s, uint8_t *value)
{
	uint8_t *reserved = value + offsetof(struct vmem_xattr_ref, reserved);
	uint64_t block = vmem_get64(s->di->xattr);

	if (all_zero(reserved, sizeof(vmem_le32)))
		return;
	vmem_repair_fixed(s->r, true, "inode %llu: reserved bytes of an extended attribute set to zero", (ull)s->ino);
	memset(reserved, 0, sizeof(vmem_le32));
	if (block)
		touched(s->r, node_ptr(s->r, block), VMEM_BLOCK_SIZE);
	shorten_set(s, s->len);
}

/* Entries whose values are lost go.  is_new: none of them has been claimed yet. */
static void fix_values(struct set *s, enum stage stage, bool is_new)
{
	uint32_t at = 0;
	struct xattr_item x;

	while (at < s->len && xattr_item_at(s->p + at, s->p + s->len, &x)) {
		if (x.outside)
			fix_reserved(s, s->p + at + sizeof(struct vmem_xattr_entry) + x.name_len);
		if (!x.outside || keep_value(s, &x, stage, is_new)) {
			at += x.total;
			continue;
		}
		vmem_repair_fixed(s->r, false, "inode %llu: the value of extended attribute %.*s is damaged: removed",
			(ull)s->ino, (int)x.name_len, (const char *)x.name);
		memmove(s->p + at, s->p + at + x.total, s->len - at - x.total);
		shorten_set(s, s->len - x.total);
	}
}

/* ---- In a block ---- */

static void drop_set(struct repair *r, uint64_t ino, struct vmem_dinode *di)
{
	vmem_repair_fixed(r, false, "inode %llu: block %llu does not hold its extended attributes: dropped",
		(ull)ino, (ull)vmem_get64(di->xattr));
	di->xattr = vmem_le64_of(0);
	vmem_repair_seal(r, ino, di);
}

/* The checksum is right for one of the places where the set may end. */
static bool mend_set(struct repair *r, uint64_t ino, uint64_t block)
{
	const uint8_t *p = (const uint8_t *)(node_ptr(r, block) + 1);
	uint32_t max = sorted_len(p, VMEM_XATTR_NODE_SPACE), len = 0;
	struct xattr_item x;

	while (len < max && xattr_item_at(p + len, p + max, &x)) {
		len += x.total;
		if (mend_node(r, block, VMEM_XATTR_SET_MAGIC, 0, ino, len))
			return true;
	}
	return false;
}

/* The block that holds the set: is it there, and this inode's?  *is_new: from now on. */
static bool take_set(struct repair *r, uint64_t ino, struct vmem_dinode *di, enum stage stage, bool *is_new)
{
	uint64_t block = vmem_get64(di->xattr);
	bool sound = set_sound(r, block, ino);

	*is_new = stage == STAGE_SOUND;
	if (sound && stage == STAGE_MENDED)
		return true;
	if (!sound && stage == STAGE_SOUND)
		return false;
	if (!vmem_repair_block_ok(r, block, 1) || vmem_repair_claimed(r, block, 1) ||
	    (!sound && !mend_set(r, ino, block))) {
		drop_set(r, ino, di);
		return false;
	}
	vmem_repair_claim(r, block, 1);
	*is_new = true;
	return true;
}

void vmem_repair_xattrs(struct repair *r, uint64_t ino, struct vmem_dinode *di, enum stage stage)
{
	bool is_new = stage == STAGE_SOUND;
	struct set s;

	if (!vmem_has_xattrs(di) || stage == STAGE_DATA)
		return;
	if (vmem_get64(di->xattr) && !take_set(r, ino, di, stage, &is_new))
		return;
	if (!find_set(r, ino, di, &s))
		return;
	if (is_new)
		fix_values(&s, STAGE_SOUND, true);
	if (stage == STAGE_MENDED && s.len)
		fix_values(&s, STAGE_MENDED, false);
}

/* Of inodes without a tree: the blocks of their attributes are all that they hold. */
void vmem_repair_only_xattrs(struct repair *r, uint64_t ino, struct vmem_dinode *di)
{
	uint64_t nr = vmem_repair_xattr_blocks(r, ino, di);

	if (vmem_get64(di->blocks) == nr)
		return;
	vmem_repair_fixed(r, true, "inode %llu: holds %llu blocks, not %llu", (ull)ino, (ull)nr,
		(ull)vmem_get64(di->blocks));
	di->blocks = vmem_le64_of(nr);
	vmem_repair_seal(r, ino, di);
}
