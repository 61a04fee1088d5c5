// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* check_xattr.c - checking the extended attributes of an inode */
#include "offline/check_internal.h"

struct xattr_walk {
	struct checker *c;
	uint64_t ino, blocks;
};

/* Is the block of this kind, and this inode's?  *len gets the bytes of its contents. */
static bool check_node(struct xattr_walk *w, uint64_t block, uint32_t magic, unsigned int piece,
		       uint32_t *len)
{
	struct checker *c = w->c;
	const struct vmem_xattr_node *node;

	w->blocks++;
	if (!vmem_check_claim(c, w->ino, block, 1))
		return false;
	node = (const struct vmem_xattr_node *)block_ptr(c, block);
	*len = vmem_get32(node->len);
	if (vmem_get32(node->magic) != magic || vmem_get16(node->piece) != piece) {
		vmem_check_problem(c, "inode %llu: block %llu does not hold the extended attributes that it should",
			(ull)w->ino, (ull)block);
		return false;
	}
	if (vmem_get64(node->owner) != w->ino || vmem_get64(node->self) != block ||
	    vmem_get16(node->reserved))
		vmem_check_problem(c, "inode %llu: block %llu of extended attributes says that it is block %llu of inode %llu",
			(ull)w->ino, (ull)block, (ull)vmem_get64(node->self), (ull)vmem_get64(node->owner));
	if (*len > VMEM_XATTR_NODE_SPACE) {
		vmem_check_problem(c, "inode %llu: block %llu of extended attributes has %u bytes",
			(ull)w->ino, (ull)block, *len);
		return false;
	}
	if (vmem_get32(node->csum) != vmem_xattr_csum(c->crc, node, *len)) {
		vmem_check_problem(c, "inode %llu: block %llu of extended attributes has a wrong checksum",
			(ull)w->ino, (ull)block);
		return false;
	}
	return true;
}

/* A value that lies in blocks. */
static void check_value(struct xattr_walk *w, const struct xattr_item *x)
{
	uint32_t size = xattr_ref_size(x), left = size, len;
	unsigned int i, piece = 0;
	vmem_le32 reserved;

	memcpy(&reserved, x->value + offsetof(struct vmem_xattr_ref, reserved), sizeof(reserved));
	if (vmem_get32(reserved))
		vmem_check_problem(w->c, "inode %llu: extended attribute: reserved bytes are not zero", (ull)w->ino);
	for (i = 0; i < xattr_ref_runs(x); i++) {
		uint64_t block, nr;

		xattr_ref_run(x, i, &block, &nr);
		if (!nr || nr > xattr_blocks_for(left))
			break;
		for (; nr; nr--, block++) {
			uint32_t want = left < VMEM_XATTR_NODE_SPACE ? left : VMEM_XATTR_NODE_SPACE;

			if (check_node(w, block, VMEM_XATTR_VALUE_MAGIC, piece++, &len) && len != want)
				vmem_check_problem(w->c, "inode %llu: block %llu of an extended attribute has %u bytes instead of %u",
					(ull)w->ino, (ull)block, len, want);
			left -= want;
		}
	}
	if (left || i < xattr_ref_runs(x) || !size || size > VMEM_XATTR_MAX_VALUE)
		vmem_check_problem(w->c, "inode %llu: the blocks of an extended attribute do not fit its size %u",
			(ull)w->ino, size);
}

/* Entries from p to end; returns where they end. */
static const uint8_t *check_entries(struct xattr_walk *w, const uint8_t *p, const uint8_t *end)
{
	struct xattr_item x, before = { 0 };

	for (; xattr_item_at(p, end, &x); p += x.total) {
		if (before.total && xattr_compare(x.index, x.name, x.name_len, &before) <= 0)
			vmem_check_problem(w->c, "inode %llu: extended attributes are not sorted", (ull)w->ino);
		if (x.outside)
			check_value(w, &x);
		before = x;
	}
	return p;
}

static void check_inline(struct xattr_walk *w, const struct vmem_dinode *di)
{
	const uint8_t *end = di->u.bytes + VMEM_PAYLOAD_SIZE, *p;
	size_t left;

	if (di->xattr_units > xattr_units_max(di)) {
		vmem_check_problem(w->c, "inode %llu: no room for %u units of extended attributes",
			(ull)w->ino, di->xattr_units);
		return;
	}
	p = check_entries(w, di->u.bytes + payload_size(di), end);
	left = (size_t)(end - p);
	if (left >= VMEM_XATTR_UNIT || !all_zero(p, left))
		vmem_check_problem(w->c, "inode %llu: the end of its extended attributes is damaged", (ull)w->ino);
}

uint64_t vmem_check_xattrs(struct checker *c, uint64_t ino, const struct vmem_dinode *di)
{
	struct xattr_walk w = { .c = c, .ino = ino };
	uint64_t block = vmem_get64(di->xattr);
	const uint8_t *set;
	uint32_t len;

	if (!block && !di->xattr_units)
		return 0;
	if (!(vmem_get64(c->sb->incompat) & VMEM_INCOMPAT_XATTR)) {
		vmem_check_problem(c, "inode %llu: extended attributes without their feature bit", (ull)ino);
		return 0;
	}
	if (block && di->xattr_units)
		vmem_check_problem(c, "inode %llu: two sets of extended attributes", (ull)ino);
	if (di->xattr_units)
		check_inline(&w, di);
	if (block && check_node(&w, block, VMEM_XATTR_SET_MAGIC, 0, &len)) {
		set = block_ptr(c, block) + VMEM_NODE_HEAD;
		if (!len || check_entries(&w, set, set + len) != set + len)
			vmem_check_problem(c, "inode %llu: block %llu: extended attributes are damaged",
				(ull)ino, (ull)block);
	}
	return w.blocks;
}
