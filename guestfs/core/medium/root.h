/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * root.h - which root counts
 *
 * For everyone but the check, which judges an image by code of its own: what
 * one of them takes for the root, all others do, and so does the next mount.
 */
#ifndef VMEM_ROOT_H
#define VMEM_ROOT_H

#include "medium/format.h"
#include "medium/hash.h"
#include "medium/persist.h"

#define VMEM_ROOT_SEQ_END	(UINT64_MAX / 2)	/* seq and tail are less */
#define VMEM_ROOT_SEQ_RENEW	(UINT64_MAX / 4)	/* a repair of one beyond starts anew */

/* Is it whole, with possible positions, and of the file system with this uuid? */
bool vmem_root_valid(const struct vmem_root *root, const uint8_t uuid[VMEM_UUID_LEN], vmem_crc_fn crc);

/*
 * The slot of the newest valid root of the store at base, which has the first
 * three blocks at least, and a copy of that root, read once; VMEM_NR_ROOTS,
 * and *newest as it was: neither is valid.  Of two with one seq the first.
 */
unsigned int vmem_newest_root(const uint8_t *base, const uint8_t uuid[VMEM_UUID_LEN], vmem_crc_fn crc,
			      struct vmem_root *newest);

/*
 * Seal the root and store it into the slot, with `applied` as its tail says.  It becomes
 * valid at once, by its checksum, or not at all; drained, but not flushed.
 */
void vmem_store_root(struct vmem_store *store, unsigned int slot, struct vmem_root *root, vmem_crc_fn crc);

#endif /* VMEM_ROOT_H */
