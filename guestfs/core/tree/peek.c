// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * peek.c - what holds a block of a file, for whoever does not take the lock
 *
 * A transaction that changes the extents of an inode makes its sequence word odd
 * first, and even again afterwards.  A reader walks the tree as it finds it and looks
 * whether the word is what it was: else what it read may be half of one tree and half of
 * another, and it walks again.  So nothing that is read here is trusted before it is
 * used as an address, and no contradiction is reported: under the lock it is there
 * still, or never was.
 */
#include "medium/fault.h"
#include "medium/fields.h"
#include "tree/node.h"

#define PEEKS 3u			/* tries; then the lock */

/* The entries of a node, or of the inode. */
struct view {
	const struct vmem_extent *e;
	unsigned int count;
};

/* Copy words that a transaction may be changing; into fields of any size. */
static VMEM_RACY void peek_words(void *to, const void *from, unsigned int nr)
{
	const uint64_t *p = from;
	uint8_t *q = to;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		uint64_t word = __atomic_load_n(&p[i], __ATOMIC_RELAXED);

		memcpy(q + i * sizeof(word), &word, sizeof(word));
	}
}

static VMEM_RACY unsigned int peek16(const vmem_le16 *v)
{
	vmem_le16 copy = { __atomic_load_n(&v->raw, __ATOMIC_RELAXED) };

	return vmem_get16(copy);
}

static struct vmem_extent peek_entry(const struct view *v, unsigned int i)
{
	struct vmem_extent e;

	peek_words(&e, &v->e[i], sizeof(e) / 8);
	return e;
}

static bool peek_node(struct vmem_fs *fs, uint64_t ino, uint64_t block, unsigned int level,
		      struct view *v)
{
	const uint8_t *node;
	struct vmem_node head;

	if (!vmem_block_ok(fs, block, 1))
		return false;
	node = vmem_meta(fs, block << VMEM_BLOCK_SHIFT);
	peek_words(&head, node, sizeof(head) / 8);
	v->e = (const void *)(node + VMEM_NODE_HEAD);
	v->count = vmem_get16(head.count);
	VMEM_PEEKING();
	return vmem_get32(head.magic) == VMEM_EXT_NODE_MAGIC && vmem_get16(head.level) == level &&
	       vmem_get64(head.owner) == ino && vmem_get64(head.self) == block && v->count &&
	       v->count <= VMEM_NODE_ENTRIES;
}

/* How many entries begin at lblk or before. */
static unsigned int search(const struct view *v, uint64_t lblk)
{
	unsigned int lo = 0, hi = v->count;

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;
		struct vmem_extent e = peek_entry(v, mid);

		if (ext_lblk(&e) <= lblk)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The leaf's entries up to lblk have been counted: is lblk in the last of them, or in a hole? */
static bool peek_leaf(struct vmem_fs *fs, const struct view *v, unsigned int nr, uint64_t lblk,
		      uint64_t limit, struct vmem_map *map)
{
	map->lblk = lblk;
	map->next_to = 0;
	if (nr) {
		struct vmem_extent e = peek_entry(v, nr - 1);
		uint64_t in = lblk - ext_lblk(&e);

		if (in == ext_len(&e))
			map->next_to = ext_pblk(&e) + in;
		if (in < ext_len(&e)) {
			map->nr = ext_len(&e) - in;
			map->pblk = ext_pblk(&e) + in;
			map->kind = vmem_kind_of(&e);
			return vmem_flags_ok(fs, &e) &&
			       vmem_block_ok(fs, ext_pblk(&e), ext_len(&e));
		}
	}
	map->nr = limit - lblk;
	map->pblk = 0;
	map->kind = VMEM_HOLE;
	return limit > lblk;
}

static bool walk(struct vmem_inode *vi, uint64_t lblk, struct vmem_map *map)
{
	struct view v = { vi->raw.u.ext, peek16(&vi->raw.nr_ext) };
	unsigned int level = peek16(&vi->raw.depth), nr;
	uint64_t limit = VMEM_MAX_LBLK + 1;

	if (level > VMEM_EXT_MAX_DEPTH || v.count > VMEM_INLINE_EXTENTS || (level && !v.count))
		return false;
	for (;;) {
		struct vmem_extent e;

		nr = search(&v, lblk);
		if (nr < v.count) {
			e = peek_entry(&v, nr);
			limit = VMEM_MIN(limit, ext_lblk(&e));
		}
		if (!level)
			return peek_leaf(vi->fs, &v, nr, lblk, limit, map);
		e = peek_entry(&v, nr ? nr - 1 : 0);
		if (!peek_node(vi->fs, vi->ino, ext_pblk(&e), --level, &v))
			return false;
	}
}

bool vmem_peek_map(struct vmem_inode *vi, uint64_t lblk, struct vmem_map *map)
{
	unsigned int tries;

	for (tries = 0; tries < PEEKS; tries++) {
		uint32_t seq = __atomic_load_n(&vi->seq, __ATOMIC_ACQUIRE);
		uint32_t *reader;
		bool found;

		VMEM_PEEKING();
		if (seq & 1)
			continue;
		reader = vmem_overlay_enter(vi->fs);
		found = walk(vi, lblk, map);
		vmem_overlay_leave(reader);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&vi->seq, __ATOMIC_RELAXED) == seq || VMEM_BROKEN(SEQ_BLIND))
			return found;
	}
	return false;
}
