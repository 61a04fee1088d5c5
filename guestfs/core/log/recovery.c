// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * recovery.c - replaying the log
 *
 * Two passes.  The first walks the records from the root's tail and finds how
 * far they count: to the first gap when the page cache was never lost, to the
 * end of the last closed group when it was.  The second puts their deltas into
 * the overlay; the mount then copies that home.  Nothing but file data that
 * rode in records is stored before, and that is idempotent, so recovery may
 * be cut at any point and started again.
 */
#include "log/log.h"

struct revoke {
	uint32_t ino;
	uint64_t lsn;
};

struct replay {
	struct vmem_fs *fs;
	uint64_t start, end;	/* records in [start, end) count */
	bool with_data;		/* the page cache was lost: so was data at home */
	bool broken;		/* a group was not whole: none behind it counts */
	unsigned int max_pages;	/* of the overlay */
	struct revoke *revokes;
	size_t nr_revokes, max_revokes;
};

/* ---- Reading records ---- */

/* A valid record at lsn, or NULL: the end of the log. */
static const struct vmem_rec *record_at(struct vmem_fs *fs, uint64_t lsn)
{
	uint64_t room = fs->log_size - lsn % fs->log_size;
	const struct vmem_rec *rec;
	uint32_t len;
	uint16_t type;

	if (room < sizeof(*rec) || lsn % VMEM_REC_ALIGN)
		return NULL;
	rec = (const void *)(fs->store->base + vmem_ring_off(fs, lsn));
	len = vmem_get32(rec->len);
	type = vmem_get16(rec->type);
	if (vmem_get64(rec->lsn) != lsn || len < sizeof(*rec) || len > room ||
	    len > VMEM_REC_MAX || len % VMEM_REC_ALIGN)
		return NULL;
	if (type < VMEM_REC_OP || type > VMEM_REC_PAD)
		return NULL;
	if (type == VMEM_REC_COMMIT && len < sizeof(*rec) + sizeof(struct vmem_rec_commit))
		return NULL;
	if (vmem_get32(rec->csum) != vmem_rec_csum(fs->crc, fs->seed, rec,
						   type == VMEM_REC_PAD ? sizeof(*rec) : len))
		return NULL;
	return rec;
}

/* Chain checksum of the records in [from, to); false when they do not end there. */
static bool chain_of(struct vmem_fs *fs, uint64_t from, uint64_t to, uint32_t *chain)
{
	*chain = fs->seed;
	while (from < to) {
		const struct vmem_rec *rec = record_at(fs, from);

		if (!rec)
			return false;
		*chain = fs->crc(*chain, &rec->csum, sizeof(rec->csum));
		from += vmem_get32(rec->len);
	}
	return from == to;
}

/* End of the group that this commit record closes, if it is whole; else accepted. */
static uint64_t closed_group(struct replay *r, const struct vmem_rec *rec, uint64_t at,
			     uint64_t accepted)
{
	const struct vmem_rec_commit *c = (const void *)(rec + 1);
	uint64_t start = vmem_get64(c->start), covers = vmem_get64(c->covers);
	uint32_t chain;

	if (r->broken || covers <= accepted || covers > at || start != accepted)
		return accepted;
	r->broken = !chain_of(r->fs, start, covers, &chain) || chain != vmem_get32(c->chain);
	return r->broken ? accepted : covers;
}

static int note_revoke(struct replay *r, uint32_t ino, uint64_t lsn)
{
	struct vmem_fs *fs = r->fs;

	if (r->nr_revokes == r->max_revokes) {
		size_t max = r->max_revokes ? 2 * r->max_revokes : 64;
		struct revoke *n = vmem_alloc(fs, max * sizeof(*n));

		if (!n)
			return -ENOMEM;
		if (r->nr_revokes)
			memcpy(n, r->revokes, r->nr_revokes * sizeof(*n));
		vmem_free(fs, r->revokes, r->max_revokes * sizeof(*n));
		r->revokes = n;
		r->max_revokes = max;
	}
	r->revokes[r->nr_revokes].ino = ino;
	r->revokes[r->nr_revokes++].lsn = lsn;
	return 0;
}

static bool revoke_before(const struct revoke *a, const struct revoke *b)
{
	return a->ino != b->ino ? a->ino < b->ino : a->lsn < b->lsn;
}

/* By inode, and of each inode the newest only. */
static void sort_revokes(struct replay *r)
{
	size_t gap = 1, i, k, out = 0;

	while (gap < r->nr_revokes / 3)
		gap = 3 * gap + 1;
	for (; gap; gap /= 3)
		for (i = gap; i < r->nr_revokes; i++) {
			struct revoke x = r->revokes[i];

			for (k = i; k >= gap && revoke_before(&x, &r->revokes[k - gap]); k -= gap)
				r->revokes[k] = r->revokes[k - gap];
			r->revokes[k] = x;
		}
	for (i = 0; i < r->nr_revokes; i++) {
		if (out && r->revokes[out - 1].ino == r->revokes[i].ino)
			out--;
		r->revokes[out++] = r->revokes[i];
	}
	r->nr_revokes = out;
}

static bool revoked(const struct replay *r, uint32_t ino, uint64_t lsn)
{
	size_t lo = 0, hi = r->nr_revokes;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (r->revokes[mid].ino == ino)
			return r->revokes[mid].lsn > lsn;
		if (r->revokes[mid].ino < ino)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

/* ---- Deltas ---- */

struct delta {
	unsigned int kind;
	uint64_t off;
	uint32_t len, aux;
	const uint8_t *bytes;
};

/* Decode the delta at *pos of the record and step over it. */
static int next_delta(struct vmem_fs *fs, const struct vmem_rec *rec, uint32_t *pos,
		      struct delta *d)
{
	uint32_t len = vmem_get32(rec->len);
	uint64_t where, payload = 0;
	struct vmem_delta raw;

	if (*pos + sizeof(raw) > len)
		return vmem_corrupt(fs, 0, 0, "log record: delta");
	memcpy(&raw, (const uint8_t *)rec + *pos, sizeof(raw));
	*pos += (uint32_t)sizeof(raw);
	where = vmem_get64(raw.where);
	d->kind = (unsigned int)(where >> 56);
	d->off = where & ((1ull << 56) - 1);
	d->len = vmem_get32(raw.len);
	d->aux = vmem_get32(raw.aux);
	d->bytes = (const uint8_t *)rec + *pos;
	if (d->kind == VMEM_D_BYTES || d->kind == VMEM_D_DATA)
		payload = vmem_align_up(d->len, 8);
	if (payload > len - *pos)
		return vmem_corrupt(fs, 0, 0, "log record: delta");
	*pos += (uint32_t)payload;
	return 0;
}

/* Metadata may lie anywhere but in the superblocks, roots and log. */
static bool delta_ok(const struct vmem_fs *fs, const struct delta *d)
{
	uint64_t first = d->off >> VMEM_BLOCK_SHIFT, last, log_end = fs->log_start + fs->log_blocks;

	if (d->kind == VMEM_D_REVOKE)
		return true;
	if (d->kind == VMEM_D_SETBITS || d->kind == VMEM_D_CLRBITS) {
		if (d->off & VMEM_BLOCK_MASK || d->len > 8 * VMEM_BLOCK_SIZE ||
		    d->aux > 8 * VMEM_BLOCK_SIZE - d->len)
			return false;
		last = first;
	} else {
		if (!d->len || d->len > VMEM_BLOCK_SIZE - (d->off & VMEM_BLOCK_MASK))
			return false;
		last = first;
	}
	return first >= fs->desc_start && last < fs->nr_blocks && first != fs->backup &&
	       (last < fs->log_start || first >= log_end);
}

static int apply_data(struct replay *r, const struct delta *d, uint64_t lsn)
{
	struct vmem_fs *fs = r->fs;
	int err;

	if (!r->with_data || revoked(r, d->aux, lsn))
		return 0;
	if (!vmem_block_ok(fs, d->off >> VMEM_BLOCK_SHIFT, 1))
		return vmem_corrupt(fs, d->aux, d->off >> VMEM_BLOCK_SHIFT, "log record: data");
	if (fs->store->read_only) {
		fs->env->log(fs->env, VMEM_LOG_ERR,
			     "needs recovery, but the store is read-only: mount it writable once");
		return -EROFS;
	}
	err = vmem_provision(fs, d->off >> VMEM_BLOCK_SHIFT, 1);
	if (err)
		return err;
	if (d->kind == VMEM_D_DATA)
		vmem_put(fs->store, d->off, d->bytes, d->len);
	else
		vmem_put_zero(fs->store, d->off, d->len);
	return 0;
}

static int apply_delta(struct replay *r, const struct delta *d, uint64_t lsn)
{
	struct vmem_fs *fs = r->fs;
	struct vmem_opage *op;
	uint32_t in = (uint32_t)(d->off & VMEM_BLOCK_MASK);
	bool set;

	if (!delta_ok(fs, d))
		return vmem_corrupt(fs, 0, d->off >> VMEM_BLOCK_SHIFT, "log record: range");
	if (d->kind == VMEM_D_REVOKE)
		return 0;
	if (d->kind == VMEM_D_DATA || d->kind == VMEM_D_DATAZERO)
		return apply_data(r, d, lsn);
	op = vmem_overlay_get(fs, d->off >> VMEM_BLOCK_SHIFT, false);
	if (!op)
		return -ENOMEM;
	if (fs->nr_opages > r->max_pages)
		return vmem_corrupt(fs, 0, d->off >> VMEM_BLOCK_SHIFT, "log: changes too much");
	vmem_overlay_dirty(fs, op);
	switch (d->kind) {
	case VMEM_D_BYTES:
		memcpy(op->data + in, d->bytes, d->len);
		return 0;
	case VMEM_D_ZERO:
		memset(op->data + in, 0, d->len);
		return 0;
	case VMEM_D_SETBITS:
	case VMEM_D_CLRBITS:
		set = d->kind == VMEM_D_SETBITS;
		if (VMEM_BROKEN(REPLAY_TOGGLES))
			set = !(op->data[d->aux >> 3] >> (d->aux & 7) & 1);
		vmem_bits_apply(op->data, d->aux, d->len, set);
		return 0;
	default:
		return vmem_corrupt(fs, 0, 0, "log record: unknown delta");
	}
}

/* ---- Passes ---- */

/* Call fn for each delta of the operation record. */
static int for_deltas(struct replay *r, const struct vmem_rec *rec,
		      int (*fn)(struct replay *r, const struct delta *d, uint64_t lsn))
{
	uint32_t pos = sizeof(*rec), nr = vmem_get16(rec->nr_deltas), i;

	for (i = 0; i < nr; i++) {
		struct delta d;
		int err = next_delta(r->fs, rec, &pos, &d);

		if (!err)
			err = fn(r, &d, vmem_get64(rec->lsn));
		if (err)
			return err;
	}
	return 0;
}

static int gather_revoke(struct replay *r, const struct delta *d, uint64_t lsn)
{
	return d->kind == VMEM_D_REVOKE ? note_revoke(r, d->aux, lsn) : 0;
}

static int replay_pass(struct replay *r, struct vmem_mount_info *info,
		       int (*fn)(struct replay *r, const struct delta *d, uint64_t lsn))
{
	uint64_t lsn = r->start;

	while (lsn < r->end) {
		const struct vmem_rec *rec = record_at(r->fs, lsn);
		int err;

		if (!rec)
			return vmem_corrupt(r->fs, 0, 0, "log record vanished");
		if (vmem_get16(rec->type) == VMEM_REC_OP) {
			err = for_deltas(r, rec, fn);
			if (err)
				return err;
			if (info)
				info->replayed++;
		}
		lsn += vmem_get32(rec->len);
	}
	return 0;
}

/* Find r->end; returns the end of the valid records. */
static uint64_t scan(struct replay *r, bool to_last_commit, struct vmem_mount_info *info)
{
	struct vmem_fs *fs = r->fs;
	uint64_t lsn = r->start, accepted = r->start, limit = r->start + fs->log_size, ops = 0;
	const struct vmem_rec *rec;

	while (lsn < limit && (rec = record_at(fs, lsn)) != NULL) {
		uint16_t type = vmem_get16(rec->type);

		/* It would lie over the first. */
		if (vmem_get32(rec->len) > limit - lsn)
			break;
		if (type == VMEM_REC_COMMIT) {
			uint64_t before = accepted;

			accepted = closed_group(r, rec, lsn, accepted);
			if (accepted != before)
				ops = 0;
		}
		ops += type == VMEM_REC_OP;
		lsn += vmem_get32(rec->len);
	}
	r->end = to_last_commit && !VMEM_BROKEN(OPEN_GROUP) ? accepted : lsn;
	info->dropped = to_last_commit ? ops : 0;
	/* What vmem_close_recovered() has to do. */
	fs->group_start = accepted;
	fs->last_op = to_last_commit || !ops ? accepted : lsn;
	chain_of(fs, accepted, fs->last_op, &fs->chain);
	return lsn;
}

/*
 * How many metadata blocks the records of one log can change.  A delta of 16 bytes can
 * name a whole block, so a forged log could want hundreds of times its size in memory.
 * Domain host: a checkpoint is made at VMEM_OVERLAY_PAGES, and as much may gather while it
 * runs.  The others have a record or two to replay, except when fsck has to go through
 * the whole log.
 */
static unsigned int max_pages(const struct vmem_fs *fs, const struct vmem_mount_info *info)
{
	return info->host_failed && vmem_get32(fs->root.domain) != VMEM_DOMAIN_HOST ?
	       ~0u : 4 * VMEM_OVERLAY_PAGES;
}

int vmem_recover(struct vmem_fs *fs, bool to_last_commit, struct vmem_mount_info *info)
{
	struct replay r = { .fs = fs, .start = fs->tail, .with_data = to_last_commit,
			    .max_pages = max_pages(fs, info) };
	uint64_t applied = vmem_get64(fs->root.applied), end;
	int err;

	/* Immediate domains: older records are home, and home has gone on since. */
	if (vmem_get32(fs->root.domain) != VMEM_DOMAIN_HOST && applied > fs->tail &&
	    applied - fs->tail <= fs->log_size && applied % VMEM_REC_ALIGN == 0 &&
	    !VMEM_BROKEN(REPLAY_OLD))
		r.start = applied;
	end = scan(&r, to_last_commit, info);
	err = replay_pass(&r, NULL, gather_revoke);
	sort_revokes(&r);
	if (!err)
		err = replay_pass(&r, info, apply_delta);
	vmem_free(fs, r.revokes, r.max_revokes * sizeof(*r.revokes));
	fs->head = VMEM_MAX(end, fs->head);
	return err;
}
