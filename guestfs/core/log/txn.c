// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* txn.c - building a transaction: deltas, their effect on the overlay, undo */
#include "log/log_internal.h"

/* What txn_abort() puts back: len bytes follow, padded to 8. */
struct vmem_undo {
	struct vmem_opage *op;
	uint32_t off, len;		/* bytes; bits for SETBITS and CLRBITS */
	uint32_t kind;			/* VMEM_D_BYTES, _SETBITS or _CLRBITS */
	uint32_t total;			/* of this entry, to walk backwards: stored behind it too */
};

#define ALIGN8(x) (((x) + 7u) & ~7u)

static void fail(struct vmem_txn *t, int err)
{
	if (!t->err)
		t->err = err;
}

/* Append a delta; payload may be NULL with payload_len 0. */
static bool add_delta(struct vmem_txn *t, unsigned int kind, uint64_t off, uint32_t len,
		      uint32_t aux, const void *payload, uint32_t payload_len)
{
	struct vmem_delta d;
	uint32_t padded = ALIGN8(payload_len);

	if (t->err)
		return false;
	if (t->len + sizeof(d) + padded > VMEM_TXN_BYTES) {
		fail(t, -EOVERFLOW);
		return false;
	}
	d.where = vmem_le64_of(off | (uint64_t)kind << 56);
	d.len = vmem_le32_of(len);
	d.aux = vmem_le32_of(aux);
	memcpy(t->buf + t->len, &d, sizeof(d));
	t->len += (uint32_t)sizeof(d);
	if (payload_len) {
		memset(t->buf + t->len + padded - 8, 0, 8);
		memcpy(t->buf + t->len, payload, payload_len);
		t->len += padded;
	}
	t->nr_deltas++;
	return true;
}

static bool add_undo(struct vmem_txn *t, struct vmem_opage *op, unsigned int kind,
		     uint32_t off, uint32_t len)
{
	uint32_t bytes = kind == VMEM_D_BYTES ? ALIGN8(len) : 0;
	struct vmem_undo u = {
		.op = op, .off = off, .len = len, .kind = kind,
		.total = (uint32_t)sizeof(u) + bytes + 8,
	};
	uint64_t total = u.total;

	if (t->undo_len + u.total > 2 * VMEM_TXN_BYTES) {
		fail(t, -EOVERFLOW);
		return false;
	}
	memcpy(t->undo + t->undo_len, &u, sizeof(u));
	if (bytes)
		memcpy(t->undo + t->undo_len + sizeof(u), op->data + off, len);
	t->undo_len += u.total;
	memcpy(t->undo + t->undo_len - 8, &total, 8);
	return true;
}

void vmem_txn_undo(struct vmem_txn *t)
{
	while (t->undo_len) {
		struct vmem_undo u;
		uint64_t total;

		memcpy(&total, t->undo + t->undo_len - 8, 8);
		t->undo_len -= (uint32_t)total;
		memcpy(&u, t->undo + t->undo_len, sizeof(u));
		if (u.kind == VMEM_D_BYTES)
			memcpy(u.op->data + u.off, t->undo + t->undo_len + sizeof(u), u.len);
		else
			vmem_bits_apply(u.op->data, u.off, u.len, u.kind == VMEM_D_CLRBITS);
	}
}

static struct vmem_opage *page_of(struct vmem_txn *t, uint64_t block, bool zero)
{
	struct vmem_opage *op = NULL;
	int err = t->err ? t->err : vmem_provision(t->fs, block, 1);

	if (!err)
		op = vmem_overlay_get(t->fs, block, zero);
	if (op && !vmem_immediate(t->fs) && vmem_overlay_dirty(t->fs, op))
		op = NULL;
	if (!op)
		fail(t, err ? err : -ENOMEM);
	return op;
}

void txn_write(struct vmem_txn *t, uint64_t off, const void *src, uint32_t len)
{
	const uint8_t *p = src;

	while (len) {
		uint32_t in = (uint32_t)(off & VMEM_BLOCK_MASK);
		uint32_t n = VMEM_MIN(len, VMEM_BLOCK_SIZE - in);
		struct vmem_opage *op = page_of(t, off >> VMEM_BLOCK_SHIFT, false);

		if (!op || !add_delta(t, VMEM_D_BYTES, off, n, 0, p, n) ||
		    !add_undo(t, op, VMEM_D_BYTES, in, n))
			return;
		memmove(op->data + in, p, n);
		off += n;
		p += n;
		len -= n;
	}
}

/* No undo: nothing that is left after an abort leads to the block. */
void txn_new_block(struct vmem_txn *t, uint64_t block, const void *src, uint32_t len)
{
	struct vmem_opage *op = page_of(t, block, true);
	uint64_t off = block << VMEM_BLOCK_SHIFT;

	if (!op || !add_delta(t, VMEM_D_ZERO, off, VMEM_BLOCK_SIZE, 0, NULL, 0))
		return;
	if (len) {
		if (!add_delta(t, VMEM_D_BYTES, off, len, 0, src, len))
			return;
		memcpy(op->data, src, len);
	}
}

void txn_bits(struct vmem_txn *t, uint64_t block, uint32_t first, uint32_t nr, bool set)
{
	unsigned int kind = set ? VMEM_D_SETBITS : VMEM_D_CLRBITS;
	struct vmem_opage *op = page_of(t, block, false);

	if (!op || !add_delta(t, kind, block << VMEM_BLOCK_SHIFT, nr, first, NULL, 0) ||
	    !add_undo(t, op, kind, first, nr))
		return;
	vmem_bits_apply(op->data, first, nr, set);
}

void txn_data(struct vmem_txn *t, uint64_t ino, uint64_t off, const void *src, uint32_t len)
{
	if (add_delta(t, VMEM_D_DATA, off, len, (uint32_t)ino, src, len))
		vmem_ranges_add(t->fs->home, off, len);
}

void txn_data_zero(struct vmem_txn *t, uint64_t ino, uint64_t off, uint32_t len)
{
	if (len && add_delta(t, VMEM_D_DATAZERO, off, len, (uint32_t)ino, NULL, 0))
		vmem_ranges_add(t->fs->home, off, len);
}

void txn_revoke(struct vmem_txn *t, uint64_t ino)
{
	add_delta(t, VMEM_D_REVOKE, 0, 0, (uint32_t)ino, NULL, 0);
}

void txn_link(struct vmem_txn *t, uint64_t off, uint64_t len)
{
	if (!len)
		return;
	if (t->nr_links == VMEM_TXN_RUNS) {
		fail(t, -EOVERFLOW);
		return;
	}
	t->links[t->nr_links].start = off;
	t->links[t->nr_links++].len = len;
}

struct vmem_dinode *txn_inode(struct vmem_txn *t, struct vmem_inode *vi)
{
	unsigned int i;

	for (i = 0; i < t->nr_inodes; i++)
		if (t->inodes[i].vi == vi)
			return &t->inodes[i].n;
	t->inodes[i].vi = vi;
	t->inodes[i].n = vi->raw;
	memcpy(t->inodes[i].times, vmem_times(&t->inodes[i].n), sizeof(t->inodes[i].times));
	t->inodes[i].shared = false;
	t->inodes[i].dirty_seq = 0;
	t->nr_inodes++;
	return &t->inodes[i].n;
}

/* The sequence word of the inode becomes odd, before what is stored next, ... */
static void raise_seq(struct vmem_inode *vi)
{
	if (!(vi->seq & 1) && !VMEM_BROKEN(SEQ_KEPT)) {
		__atomic_store_n(&vi->seq, vi->seq + 1, __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_RELEASE);
	}
}

/* ... and even, behind what was stored before. */
static void lower_seq(struct vmem_inode *vi)
{
	if (vi->seq & 1)
		__atomic_store_n(&vi->seq, vi->seq + 1, __ATOMIC_RELEASE);
}

void txn_change_tree(struct vmem_txn *t, const struct vmem_dinode *n)
{
	unsigned int i;

	for (i = 0; i < t->nr_inodes; i++)
		if (&t->inodes[i].n == n)
			raise_seq(t->inodes[i].vi);
}

void vmem_txn_begin_change(struct vmem_inode *vi)
{
	raise_seq(vi);
}

void vmem_txn_end_changes(struct vmem_txn *t)
{
	unsigned int i;

	for (i = 0; i < t->nr_inodes; i++)
		if (!t->inodes[i].shared)
			lower_seq(t->inodes[i].vi);
}

void txn_inode_times(struct vmem_txn *t, struct vmem_inode *vi)
{
	txn_inode(t, vi);
	t->inodes[t->nr_inodes - 1].shared = true;
}

void vmem_inode_touch_raw(struct vmem_fs *fs, struct vmem_dinode *n, bool mtime)
{
	int64_t now = vmem_now(fs);

	n->ctime = vmem_le64_of((uint64_t)vmem_next_ctime((int64_t)vmem_get64(n->ctime), now, true));
	if (mtime)
		n->mtime = vmem_le64_of((uint64_t)now);
}

bool txn_full(const struct vmem_txn *t)
{
	return t->len > VMEM_TXN_BYTES / 2 || t->undo_len > VMEM_TXN_BYTES ||
	       t->nr_allocs + VMEM_TXN_STEP > VMEM_TXN_RUNS ||
	       t->nr_frees + VMEM_TXN_STEP > VMEM_TXN_RUNS ||
	       t->nr_links + VMEM_TXN_STEP > VMEM_TXN_RUNS ||
	       t->nr_ags + VMEM_TXN_STEP > VMEM_TXN_AGS ||
	       t->nr_inodes == VMEM_TXN_INODES;
}

static inline __attribute__((__always_inline__)) uint64_t word_at(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Of the four 8-byte words at a and b: a bit for each that differs. */
static inline uint32_t differing_words(const uint8_t *a, const uint8_t *b)
{
	uint64_t d0 = word_at(a) ^ word_at(b), d1 = word_at(a + 8) ^ word_at(b + 8);
	uint64_t d2 = word_at(a + 16) ^ word_at(b + 16), d3 = word_at(a + 24) ^ word_at(b + 24);

	if (!(d0 | d1 | d2 | d3))
		return 0;
	return (d0 != 0) | (uint32_t)(d1 != 0) << 1 | (uint32_t)(d2 != 0) << 2 |
	       (uint32_t)(d3 != 0) << 3;
}

/* Write what changed in an inode, in runs of 8-byte words. */
static void write_inode(struct vmem_txn *t, uint64_t ino, const struct vmem_dinode *n)
{
	uint64_t off = vmem_inode_off(t->fs, ino);
	const uint8_t *new = (const uint8_t *)n, *old = vmem_meta(t->fs, off);
	uint64_t changed = 0;
	unsigned int i;

	_Static_assert(VMEM_INODE_SIZE / 8 <= 32, "a bit for each word, and room to shift");
	for (i = 0; i < VMEM_INODE_SIZE; i += 32)
		changed |= (uint64_t)differing_words(old + i, new + i) << (i / 8);
	while (changed) {
		unsigned int first = (unsigned int)__builtin_ctzll(changed), end = first + 1;

		/* Four equal words in between cost less than a second delta, which is applied by itself. */
		while (changed >> end & 31)
			end += (unsigned int)__builtin_ctzll(changed >> end) + 1;
		txn_write(t, off + first * 8ull, new + first * 8, (end - first) * 8);
		changed &= ~0ull << end;
	}
}

void vmem_txn_write_inodes(struct vmem_txn *t)
{
	unsigned int i;

	for (i = 0; i < t->nr_inodes; i++) {
		struct vmem_dinode *n = &t->inodes[i].n;
		uint64_t ino = t->inodes[i].vi->ino;

		n->csum = vmem_le32_of(vmem_inode_csum(t->fs->crc, n, ino));
		write_inode(t, ino, n);
	}
}
