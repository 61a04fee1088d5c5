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

static inline bool test_bit8(const uint8_t *map, uint32_t bit)
{
	return map[bit / 8] >> bit % 8 & 1;
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
