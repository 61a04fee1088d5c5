// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* fill.c - see fill.h */
#include <errno.h>
#include <string.h>

#include "fill.h"

uint32_t fill_rdev(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | (major << 8) | ((minor & ~0xffu) << 12);
}

/* A vmem_copy from memory. */
static size_t copy_from_buf(void *ctx, void *addr, size_t len)
{
	const uint8_t **from = ctx;

	memcpy(addr, *from, len);
	*from += len;
	return len;
}

int fill_write(struct vmem_inode *vi, uint64_t off, const uint8_t *buf, size_t len)
{
	const uint8_t *from = buf;
	int64_t done = vmem_write(vi, off, len, copy_from_buf, &from);

	return done < 0 ? (int)done : done < (int64_t)len ? -ENOSPC : 0;
}

static bool is_zero(const uint8_t *p, size_t len)
{
	return !p[0] && !memcmp(p, p + 1, len - 1);
}

/* Where the block ends in which byte `at` of the buffer lies, or the buffer. */
static size_t next_block(uint64_t off, size_t at, size_t len)
{
	size_t left = VMEM_BLOCK_SIZE - (size_t)((off + at) & VMEM_BLOCK_MASK);

	return len - at < left ? len : at + left;
}

int fill_nonzero(struct vmem_inode *vi, uint64_t off, const uint8_t *buf, size_t len)
{
	size_t at = 0, end, next;
	int err = 0;

	while (at < len && !err) {
		for (end = at; end < len; end = next) {
			next = next_block(off, end, len);
			if (is_zero(buf + end, next - end))
				break;
		}
		if (end > at)
			err = fill_write(vi, off + at, buf + at, end - at);
		at = end < len ? next_block(off, end, len) : len;
	}
	return err;
}
