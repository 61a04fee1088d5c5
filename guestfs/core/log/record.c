// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * record.c - the redo log: appending a record, and bringing home what it says
 *
 * A record is published by one store of its LSN after its body.  From then on
 * the operation is durable in the domain guest.  Home is written
 *   - in the domains guest and pmem right after, followed by root.applied, so
 *     that recovery replays what was being applied and nothing older;
 *   - in the domain host only by a checkpoint, after the record's group was
 *     closed and flushed.
 */
#include "log/log_internal.h"

uint64_t vmem_ring_off(const struct vmem_fs *fs, uint64_t lsn)
{
	return fs->log_off + lsn % fs->log_size;
}

static uint64_t applied_off(const struct vmem_fs *fs)
{
	return ((uint64_t)VMEM_ROOT_BLOCK(fs->root_slot) << VMEM_BLOCK_SHIFT) +
	       offsetof(struct vmem_root, applied);
}

/* ---- Appending ---- */

void vmem_seal_record(const struct vmem_fs *fs, struct vmem_rec *rec, uint64_t lsn, uint32_t len,
		 unsigned int type)
{
	rec->lsn = vmem_le64_of(lsn);
	rec->len = vmem_le32_of(len);
	rec->type = vmem_le16_of(type);
	rec->reserved = vmem_le32_of(0);
	rec->csum = vmem_le32_of(vmem_rec_csum(fs->crc, fs->seed, rec,
					       type == VMEM_REC_PAD ? sizeof(*rec) : len));
}

void vmem_store_record(struct vmem_fs *fs, const struct vmem_rec *rec)
{
	uint64_t lsn = vmem_get64(rec->lsn), off = vmem_ring_off(fs, lsn);
	size_t body = vmem_get16(rec->type) == VMEM_REC_PAD ? sizeof(*rec) : vmem_get32(rec->len);

	if (VMEM_BROKEN(PUBLISH_EARLY))
		vmem_put64(fs->store, off, lsn);
	vmem_put(fs->store, off + 8, (const uint8_t *)rec + 8, body - 8);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	vmem_put64(fs->store, off, lsn);
}

void vmem_chain_record(struct vmem_fs *fs, const struct vmem_rec *rec)
{
	uint32_t len = vmem_get32(rec->len);

	fs->chain = fs->crc(fs->chain, &rec->csum, sizeof(rec->csum));
	fs->head += len;
	fs->stats.record_bytes += len;
}

/* Append the record in buf; its body is there. */
static uint64_t put_record(struct vmem_fs *fs, uint8_t *buf, uint32_t len, unsigned int type,
			   uint32_t nr_deltas)
{
	struct vmem_rec *rec = (struct vmem_rec *)(void *)buf;
	uint64_t lsn = fs->head;

	rec->nr_deltas = vmem_le16_of(nr_deltas);
	rec->time = vmem_le64_of((uint64_t)vmem_now(fs));
	vmem_seal_record(fs, rec, lsn, len, type);
	vmem_store_record(fs, rec);
	vmem_chain_record(fs, rec);
	return lsn;
}

void vmem_skip_end_of_ring(struct vmem_fs *fs, uint32_t len)
{
	uint64_t room = fs->log_size - fs->head % fs->log_size;

	if (room < len) {
		uint8_t pad[sizeof(struct vmem_rec)] __attribute__((aligned(8)));

		put_record(fs, pad, (uint32_t)room, VMEM_REC_PAD, 0);
	}
}

uint64_t vmem_append_record(struct vmem_fs *fs, uint8_t *buf, uint32_t len, unsigned int type,
		       uint32_t nr_deltas)
{
	uint64_t lsn;

	vmem_skip_end_of_ring(fs, len);
	lsn = put_record(fs, buf, len, type, nr_deltas);
	fs->stats.records++;
	if (!VMEM_BROKEN(FENCE_RECORD))
		vmem_fence(fs->store);
	return lsn;
}

/* ---- Home ---- */

/* Copy home what the record in t->buf changed, from the overlay. */
static void apply_home(struct vmem_txn *t)
{
	struct vmem_fs *fs = t->fs;
	uint32_t pos = sizeof(struct vmem_rec), i;

	for (i = 0; i < t->nr_deltas; i++) {
		struct vmem_delta d;
		uint64_t where, off;
		uint32_t len, kind;

		memcpy(&d, t->buf + pos, sizeof(d));
		pos += (uint32_t)sizeof(d);
		where = vmem_get64(d.where);
		off = where & ((1ull << 56) - 1);
		kind = (uint32_t)(where >> 56);
		len = vmem_get32(d.len);
		if (kind == VMEM_D_BYTES) {
			pos += (len + 7u) & ~7u;
		} else if (kind == VMEM_D_SETBITS || kind == VMEM_D_CLRBITS) {
			uint32_t first = vmem_get32(d.aux);

			len = (first + len - 1) / 8 - first / 8 + 1;
			off += first / 8;
		} else if (kind != VMEM_D_ZERO) {
			continue;
		}
		vmem_put(fs->store, off, vmem_meta(fs, off), len);
	}
}

void vmem_applied_at_once(struct vmem_txn *t, uint64_t lsn)
{
	struct vmem_fs *fs = t->fs;

	if (fs->domain == VMEM_DOMAIN_PMEM) {
		/* vmem_append_record() drained: older home stores, and the older `applied`, are durable. */
		fs->floor = fs->pmem_applied;
		fs->pmem_applied = lsn;
		vmem_put64(fs->store, applied_off(fs), lsn);
		apply_home(t);
	} else {
		if (VMEM_BROKEN(APPLIED_EARLY))
			vmem_put64(fs->store, applied_off(fs), fs->head);
		apply_home(t);
		__atomic_thread_fence(__ATOMIC_RELEASE);
		vmem_put64(fs->store, applied_off(fs), fs->head);
		fs->floor = fs->head;
	}
	fs->committed = fs->head;
}

void vmem_retire_records(struct vmem_fs *fs)
{
	vmem_lock(fs, fs->lock);
	if (fs->pmem_applied < fs->head) {
		vmem_fence(fs->store);		/* home before the mark */
		vmem_put64(fs->store, applied_off(fs), fs->head);
		fs->pmem_applied = fs->head;
	}
	vmem_unlock(fs, fs->lock);
}
