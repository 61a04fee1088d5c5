/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * pages.h - hashes of images, page by page, so that a state that was seen
 * before is known by what it changes
 */
#ifndef PAGES_H
#define PAGES_H

#include "medium/hash.h"
#include "machine.h"

/* Where things are on an image of one group. */
struct layout {
	uint32_t log, log_end;		/* pages */
	uint32_t bitmap, itable, itable_end;
};

struct page_hashes {
	uint64_t raw[PAGES];
	uint64_t inodes[PAGES];		/* of the inode table: without times */
};

void layout_read(struct layout *l, const uint8_t *image);
static inline bool in_itable(const struct layout *l, uint32_t page)
{
	return page >= l->itable && page < l->itable_end;
}

uint64_t bytes_hash(const void *p, size_t len);
uint64_t page_hash(uint32_t page, const uint8_t *p);
/* Of 16 inodes: all but their times, and whether each checksum is right. */
uint64_t inodes_hash(const struct layout *l, vmem_crc_fn crc, uint32_t page, const uint8_t *p);
void hash_page(struct page_hashes *h, const struct layout *l, vmem_crc_fn crc, uint32_t page,
	       const uint8_t *p);
/*
 * What later use of a recovered image can depend on: everything but the log,
 * whose contents count no more; of the roots only the state; not the times of
 * inodes; of free blocks only whether they are zero (*not_zero: added if not NULL).
 * And about where in the ring the next record goes.
 */
uint64_t recovered_hash(const struct page_hashes *h, const struct layout *l, const uint8_t *image,
			uint64_t *not_zero);
uint64_t ring_place(const struct layout *l, const uint8_t *image);

#endif
