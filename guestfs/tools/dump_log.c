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

static const char *kind_name(uint32_t kind)
{
	static const char *const names[] = {
		"?", "bytes", "zero", "set bits", "clear bits", "data", "data zero", "revoke",
	};

	return names[kind <= VMEM_D_REVOKE ? kind : 0];
}

static void json_delta(struct json *j, const struct vmem_delta *delta)
{
	uint64_t where = vmem_get64(delta->where);
	uint32_t kind = (uint32_t)(where >> 56), aux = vmem_get32(delta->aux);
	bool bits = kind == VMEM_D_SETBITS || kind == VMEM_D_CLRBITS;

	json_object(j, NULL);
	json_string(j, "kind", kind_name(kind));
	if (kind != VMEM_D_REVOKE) {
		json_number(j, "offset", where & ((1ull << 56) - 1));
		json_number(j, bits ? "bits" : "length", vmem_get32(delta->len));
	}
	if (bits)
		json_number(j, "first_bit", aux);
	else if (kind >= VMEM_D_DATA)
		json_number(j, "ino", aux);
	json_close(j);
}

/* One change; returns the bytes it takes, 0 when it does not fit into room. */
static uint32_t print_delta(const struct dump *d, const struct vmem_delta *delta, uint32_t room)
{
	uint64_t where = vmem_get64(delta->where), off = where & ((1ull << 56) - 1);
	uint32_t kind = (uint32_t)(where >> 56), len = vmem_get32(delta->len);
	uint32_t aux = vmem_get32(delta->aux);
	uint64_t size = sizeof(*delta);

	if (kind == VMEM_D_BYTES || kind == VMEM_D_DATA)
		size += ((uint64_t)len + 7) & ~7ull;
	if (size > room)
		return 0;
	if (d->json) {
		json_delta(d->json, delta);
		return (uint32_t)size;
	}
	printf("    %-10s ", kind_name(kind));
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

static void say_damage(const struct dump *d, const char *what)
{
	if (d->json)
		tool_error("a record of the log is damaged: %s", what);
	else
		printf("    (%s)\n", what);
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
			say_damage(d, "the next change does not fit into the record");
			return;
		}
		pos += size;
	}
}

static void print_commit(struct log_walk *w, const struct vmem_rec *rec)
{
	const struct vmem_rec_commit *c = (const struct vmem_rec_commit *)(rec + 1);

	if (vmem_get32(rec->len) < sizeof(*rec) + sizeof(*c)) {
		say_damage(w->d, "too short");
		return;
	}
	w->closed = vmem_get64(c->covers);
	if (w->d->json) {
		json_number(w->d->json, "closes_from", vmem_get64(c->start));
		json_number(w->d->json, "closes_to", vmem_get64(c->covers));
		json_hex_number(w->d->json, "chain", vmem_get32(c->chain), 8);
		return;
	}
	printf("    closes [%llu, %llu), chain %08x\n", (ull)vmem_get64(c->start),
	       (ull)vmem_get64(c->covers), vmem_get32(c->chain));
}

static const char *type_name(uint32_t type)
{
	static const char *const names[] = { "?", "op", "commit", "pad" };

	return names[type <= VMEM_REC_PAD ? type : 0];
}

static void json_record(struct log_walk *w, const struct vmem_rec *rec)
{
	struct json *j = w->d->json;
	uint32_t type = vmem_get16(rec->type);

	json_object(j, NULL);
	json_number(j, "lsn", vmem_get64(rec->lsn));
	json_string(j, "type", type_name(type));
	json_number(j, "length", vmem_get32(rec->len));
	dump_json_time(j, "time", (int64_t)vmem_get64(rec->time));
	if (type == VMEM_REC_OP) {
		json_list(j, "changes");
		print_deltas(w->d, rec);
		json_close(j);
	} else if (type == VMEM_REC_COMMIT) {
		print_commit(w, rec);
	}
	json_close(j);
}

static void print_record(struct log_walk *w, const struct vmem_rec *rec)
{
	uint32_t type = vmem_get16(rec->type);
	char buf[40];

	if (w->d->json) {
		json_record(w, rec);
		return;
	}
	printf("%llu: %s, %u bytes, %u changes, %s\n", (ull)vmem_get64(rec->lsn), type_name(type),
	       vmem_get32(rec->len), vmem_get16(rec->nr_deltas),
	       dump_time((int64_t)vmem_get64(rec->time), buf));
	if (type == VMEM_REC_OP)
		print_deltas(w->d, rec);
	else if (type == VMEM_REC_COMMIT)
		print_commit(w, rec);
}

/* At most one round: then a record would be overwritten by a newer one.  Returns the end. */
static uint64_t print_records(struct log_walk *w, uint64_t tail)
{
	const struct vmem_rec *rec;
	uint64_t lsn;

	for (lsn = tail; lsn - tail < w->ring && (rec = record_at(w, lsn)); w->records++) {
		print_record(w, rec);
		lsn += vmem_get32(rec->len);
	}
	return lsn;
}

static void json_log(struct log_walk *w, uint64_t tail)
{
	struct json *j = w->d->json;
	uint64_t end;

	json_object(j, "log");
	json_list(j, "records");
	end = print_records(w, tail);
	json_close(j);
	json_number(j, "tail", tail);
	json_number(j, "end", end);
	json_number(j, "closed", w->closed);
	json_number(j, "ring", w->ring);
	json_close(j);
}

int dump_log(const struct dump *d)
{
	const struct vmem_root *root = dump_newest_root(d);
	struct log_walk w = { .d = d };
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
	if (d->json) {
		json_log(&w, tail);
		return 0;
	}
	lsn = print_records(&w, tail);
	printf("log: %llu records from %llu to %llu, closed groups end at %llu, ring of %llu bytes\n",
	       (ull)w.records, (ull)tail, (ull)lsn, (ull)w.closed, (ull)w.ring);
	return 0;
}
