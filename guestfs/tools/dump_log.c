// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* dump_log.c - the log, record by record */
#include <stdio.h>

#include "dump.h"

struct log_walk {
	const struct dump *d;
	uint64_t ring;			/* bytes */
	const uint8_t *base;
	uint32_t seed, chain;
	uint64_t records, closed;	/* closed: end of the last closed group */
};

/* The valid record at lsn, or NULL: the log ends there. */
static const struct vmem_rec *record_at(const struct log_walk *w, uint64_t lsn)
{
	uint64_t room = w->ring - lsn % w->ring;
	const struct vmem_rec *rec = (const struct vmem_rec *)(w->base + lsn % w->ring);
	uint32_t len = vmem_get32(rec->len), type = vmem_get16(rec->type);

	if (vmem_get64(rec->lsn) != lsn || len < sizeof(*rec) || len % VMEM_REC_ALIGN ||
	    len > room || len > VMEM_REC_MAX)
		return NULL;
	if (vmem_get32(rec->csum) !=
	    vmem_rec_csum(w->d->env->crc32c, w->seed, rec,
			  type == VMEM_REC_PAD ? sizeof(*rec) : len))
		return NULL;
	return rec;
}

/* What lies at a byte of the store, in words. */
static void print_place(const struct dump *d, uint64_t off)
{
	const struct vmem_superblock *sb = d->sb;
	uint64_t block = off >> VMEM_BLOCK_SHIFT, log_start = vmem_get64(sb->log_start);
	uint32_t itable = vmem_get32(sb->itable_blocks), in = off & VMEM_BLOCK_MASK;
	uint32_t ag = (uint32_t)(block / vmem_get32(sb->ag_blocks));
	uint64_t meta = vmem_sb_group_meta(sb, ag);

	printf("%llu+%u", (ull)block, in);
	if (block >= d->nr_blocks)
		printf(" (outside)");
	else if (block >= vmem_get64(sb->desc_start) && block < log_start)
		printf(" (descriptor %llu)",
		       (ull)((off - (vmem_get64(sb->desc_start) << VMEM_BLOCK_SHIFT)) /
			     sizeof(struct vmem_ag_desc)));
	else if (block == meta)
		printf(" (block bitmap %u)", ag);
	else if (block == meta + 1)
		printf(" (%s bitmap %u)", in < VMEM_ORPHAN_BITMAP_OFF ? "inode" : "orphan", ag);
	else if (block >= meta + 2 && block < meta + 2 + itable)
		printf(" (inode %llu, byte %u)",
		       (ull)((uint64_t)ag * d->inodes_per_ag +
			     (block - meta - 2) * VMEM_INODES_PER_BLOCK + in / VMEM_INODE_SIZE),
		       in % VMEM_INODE_SIZE);
}

/* One change; returns the bytes it takes, 0 when it does not fit into room. */
static uint32_t print_delta(const struct dump *d, const struct vmem_delta *delta, uint32_t room)
{
	static const char *const names[] = {
		"?", "bytes", "zero", "set bits", "clear bits", "data", "data zero", "revoke",
	};
	uint64_t where = vmem_get64(delta->where), off = where & ((1ull << 56) - 1);
	uint32_t kind = (uint32_t)(where >> 56), len = vmem_get32(delta->len);
	uint32_t aux = vmem_get32(delta->aux);
	uint64_t size = sizeof(*delta);

	if (kind == VMEM_D_BYTES || kind == VMEM_D_DATA)
		size += ((uint64_t)len + 7) & ~7ull;
	if (size > room)
		return 0;
	printf("    %-10s ", names[kind <= VMEM_D_REVOKE ? kind : 0]);
	if (kind == VMEM_D_REVOKE) {
		printf("inode %u\n", aux);
		return (uint32_t)size;
	}
	print_place(d, off);
	if (kind == VMEM_D_SETBITS || kind == VMEM_D_CLRBITS)
		printf(" bits %u..%u", aux, aux + len - 1);
	else
		printf(" len %u", len);
	if (kind == VMEM_D_DATA || kind == VMEM_D_DATAZERO)
		printf(" inode %u", aux);
	putchar('\n');
	return (uint32_t)size;
}

static void print_deltas(const struct dump *d, const struct vmem_rec *rec)
{
	uint32_t len = vmem_get32(rec->len), pos = sizeof(*rec), i, size;

	for (i = 0; i < vmem_get16(rec->nr_deltas); i++) {
		if (len - pos < sizeof(struct vmem_delta)) {
			size = 0;
		} else {
			size = print_delta(d, (const struct vmem_delta *)
					   ((const uint8_t *)rec + pos), len - pos);
		}
		if (!size) {
			puts("    (the next change does not fit into the record)");
			return;
		}
		pos += size;
	}
}

static void print_commit(struct log_walk *w, const struct vmem_rec *rec)
{
	const struct vmem_rec_commit *c = (const struct vmem_rec_commit *)(rec + 1);

	if (vmem_get32(rec->len) < sizeof(*rec) + sizeof(*c)) {
		puts("    (too short)");
		return;
	}
	printf("    closes [%llu, %llu), chain %08x\n", (ull)vmem_get64(c->start),
	       (ull)vmem_get64(c->covers), vmem_get32(c->chain));
	w->closed = vmem_get64(c->covers);
}

static void print_record(struct log_walk *w, const struct vmem_rec *rec)
{
	static const char *const names[] = { "?", "op", "commit", "pad" };
	uint32_t type = vmem_get16(rec->type);
	char buf[40];

	printf("%llu: %s, %u bytes, %u changes, %s\n", (ull)vmem_get64(rec->lsn),
	       names[type <= VMEM_REC_PAD ? type : 0], vmem_get32(rec->len),
	       vmem_get16(rec->nr_deltas), dump_time((int64_t)vmem_get64(rec->time), buf));
	if (type == VMEM_REC_OP)
		print_deltas(w->d, rec);
	else if (type == VMEM_REC_COMMIT)
		print_commit(w, rec);
}

int dump_log(const struct dump *d)
{
	const struct vmem_root *root = dump_newest_root(d);
	struct log_walk w = { .d = d };
	const struct vmem_rec *rec;
	uint64_t tail, lsn;

	if (!root) {
		tool_error("neither root slot is valid: the log has no beginning");
		return 1;
	}
	w.ring = vmem_get64(d->sb->log_blocks) << VMEM_BLOCK_SHIFT;
	w.base = dump_block(d, vmem_get64(d->sb->log_start));
	w.seed = vmem_get32(root->log_seed);
	tail = vmem_get64(root->tail);
	w.closed = tail;
	if (tail % VMEM_REC_ALIGN) {
		tool_error("the tail of the log is not aligned");
		return 1;
	}
	/* At most one round: then a record would be overwritten by a newer one. */
	for (lsn = tail; lsn - tail < w.ring && (rec = record_at(&w, lsn)); w.records++) {
		print_record(&w, rec);
		lsn += vmem_get32(rec->len);
	}
	printf("log: %llu records from %llu to %llu, closed groups end at %llu, ring of %llu bytes\n",
	       (ull)w.records, (ull)tail, (ull)lsn, (ull)w.closed, (ull)w.ring);
	return 0;
}
