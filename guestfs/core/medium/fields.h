/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * fields.h - reading fields of the medium
 *
 * What format.h says, as functions: the parts of an extent, the kinds of inode
 * and their payload, bits of a bitmap.  The mounted file system, the check and
 * the repair decode with these; what they make of it is their own.
 */
#ifndef VMEM_FIELDS_H
#define VMEM_FIELDS_H

#include "medium/format.h"

/* struct vmem_dinode.mode, as st_mode of stat(2). */
#define MODE_TYPE	0170000u
#define MODE_FIFO	0010000u
#define MODE_CHR	0020000u
#define MODE_DIR	0040000u
#define MODE_BLK	0060000u
#define MODE_REG	0100000u
#define MODE_LNK	0120000u
#define MODE_SOCK	0140000u

/* Does the kind of the payload fit the kind of the inode (mode & MODE_TYPE)? */
static inline bool format_fits(uint32_t type, uint32_t format)
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

static inline uint64_t ext_lblk(const struct vmem_extent *e)
{
	return vmem_get64(e->w0) & VMEM_MAX_LBLK;
}

static inline uint64_t ext_len(const struct vmem_extent *e)
{
	return (vmem_get64(e->w0) >> VMEM_LBLK_BITS) + 1;
}

static inline uint64_t ext_pblk(const struct vmem_extent *e)
{
	return vmem_get64(e->w1) & ((1ull << VMEM_PBLK_BITS) - 1);
}

static inline bool ext_unwritten(const struct vmem_extent *e)
{
	return vmem_get64(e->w1) & VMEM_EXT_UNWRITTEN;
}

/* Are its window and flags possible where these incompat bits are set? */
static inline bool ext_flags_ok(const struct vmem_extent *e, uint64_t incompat)
{
	uint64_t known = incompat & VMEM_INCOMPAT_UNWRITTEN ? VMEM_EXT_UNWRITTEN : 0;

	return !((vmem_get64(e->w1) & ~known) >> VMEM_PBLK_BITS);
}

/* Flags that an inode may have where their feature bit is set, or is not. */
static inline uint32_t known_flags(bool feature)
{
	return feature ? VMEM_FL_KNOWN : 0;
}

static inline bool test_bit8(const uint8_t *map, uint32_t bit)
{
	return map[bit / 8] >> bit % 8 & 1;
}

/* ---- Extended attributes ---- */

/* At most so many units of the payload can hold a set, whatever else there is. */
static inline unsigned int xattr_units_max(const struct vmem_dinode *n)
{
	uint64_t size = vmem_get64(n->size);

	switch (vmem_get16(n->format)) {
	case VMEM_FMT_EXTENTS:
		return VMEM_XATTR_UNITS_EXT;
	case VMEM_FMT_DIR:
		return VMEM_XATTR_UNITS_DIR;
	case VMEM_FMT_INLINE:
		return size < VMEM_PAYLOAD_SIZE ?
			(unsigned int)(VMEM_PAYLOAD_SIZE - size) / VMEM_XATTR_UNIT : 0;
	default:
		return VMEM_PAYLOAD_SIZE / VMEM_XATTR_UNIT;
	}
}

/* Bytes of the payload that a set leaves for the rest. */
static inline unsigned int payload_size(const struct vmem_dinode *n)
{
	unsigned int units = n->xattr_units;

	return units * VMEM_XATTR_UNIT > VMEM_PAYLOAD_SIZE ? 0 : VMEM_PAYLOAD_SIZE - units * VMEM_XATTR_UNIT;
}

/* Entries that the root of an extent tree has room for. */
static inline unsigned int root_extents(const struct vmem_dinode *n)
{
	return payload_size(n) / (unsigned int)sizeof(struct vmem_extent);
}

/* One entry of a set, taken apart. */
struct xattr_item {
	unsigned int index;
	bool outside;
	const uint8_t *name;
	unsigned int name_len;
	const uint8_t *value;		/* outside: the vmem_xattr_ref */
	unsigned int size;
	unsigned int total;		/* bytes of the entry */
};

static inline bool xattr_name_ok(unsigned int index, const uint8_t *name, size_t len)
{
	if (index == VMEM_XATTR_ACL_ACCESS || index == VMEM_XATTR_ACL_DEFAULT)
		return !len;
	if (index < VMEM_XATTR_USER || index > VMEM_XATTR_SECURITY || !len)
		return false;
	while (len--)
		if (!*name++)
			return false;
	return true;
}

/* The entry at p of a set that ends at end; false: there is none, or none that is possible. */
static inline bool xattr_item_at(const uint8_t *p, const uint8_t *end, struct xattr_item *x)
{
	struct vmem_xattr_entry e;

	if ((size_t)(end - p) < sizeof(e))
		return false;
	memcpy(&e, p, sizeof(e));
	x->index = e.index & ~VMEM_XATTR_OUTSIDE;
	x->outside = e.index & VMEM_XATTR_OUTSIDE;
	x->name = p + sizeof(e);
	x->name_len = e.name_len;
	x->value = x->name + e.name_len;
	x->size = vmem_get16(e.size);
	x->total = (unsigned int)sizeof(e) + x->name_len + x->size;
	if (x->total > (size_t)(end - p) || !xattr_name_ok(x->index, x->name, x->name_len))
		return false;
	return !x->outside || (x->size >= sizeof(struct vmem_xattr_ref) + 8 && !(x->size % 8) &&
			       x->size <= sizeof(struct vmem_xattr_ref) + 8 * VMEM_XATTR_MAX_RUNS);
}

/* In which order two names stand in a set: as memcmp(). */
static inline int xattr_compare(unsigned int index, const uint8_t *name, size_t len,
				const struct xattr_item *x)
{
	size_t both = len < x->name_len ? len : x->name_len;
	int diff = index == x->index ? 0 : index < x->index ? -1 : 1;

	if (!diff && both)
		diff = memcmp(name, x->name, both);
	if (!diff && len != x->name_len)
		diff = len < x->name_len ? -1 : 1;
	return diff;
}

static inline uint32_t xattr_ref_size(const struct xattr_item *x)
{
	vmem_le32 size;

	memcpy(&size, x->value, sizeof(size));
	return vmem_get32(size);
}

static inline unsigned int xattr_ref_runs(const struct xattr_item *x)
{
	return (x->size - (unsigned int)sizeof(struct vmem_xattr_ref)) / 8;
}

static inline void xattr_ref_run(const struct xattr_item *x, unsigned int i, uint64_t *block, uint64_t *nr)
{
	vmem_le64 run;

	memcpy(&run, x->value + sizeof(struct vmem_xattr_ref) + i * sizeof(run), sizeof(run));
	*block = vmem_get64(run) & ((1ull << VMEM_PBLK_BITS) - 1);
	*nr = vmem_get64(run) >> VMEM_PBLK_BITS;
}

/* Blocks that a value of this size needs. */
static inline uint32_t xattr_blocks_for(uint32_t size)
{
	return (size + VMEM_XATTR_NODE_SPACE - 1) / VMEM_XATTR_NODE_SPACE;
}

/* Bytes of the entries of a set that lies in the inode: zeros follow them. */
static inline unsigned int xattr_inline_len(const struct vmem_dinode *n)
{
	const uint8_t *p = n->u.bytes + payload_size(n), *end = n->u.bytes + VMEM_PAYLOAD_SIZE;
	const uint8_t *from = p;
	struct xattr_item x;

	while (xattr_item_at(p, end, &x))
		p += x.total;
	return (unsigned int)(p - from);
}

static inline bool all_zero(const void *buf, size_t len)
{
	const uint8_t *p = buf;

	while (len--)
		if (*p++)
			return false;
	return true;
}

#endif /* VMEM_FIELDS_H */
