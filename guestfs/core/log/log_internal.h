/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* log_internal.h - what the files of this layer share */
#ifndef VMEM_LOG_INTERNAL_H
#define VMEM_LOG_INTERNAL_H

#include "log/log.h"

/* ---- txn.c ---- */

/* From here to vmem_txn_end_changes(): what readers without the lock look at changes. */
void vmem_txn_begin_change(struct vmem_inode *vi);
/* The inodes of the transaction are as they stay, after its record or an abort. */
void vmem_txn_end_changes(struct vmem_txn *t);
/* Put the overlay back as it was, newest change first. */
void vmem_txn_undo(struct vmem_txn *t);
/* Checksum the changed inodes and turn them into deltas. */
void vmem_txn_write_inodes(struct vmem_txn *t);

/* ---- record.c: lock is held ---- */

/* Fill in the head of a record that is to lie at lsn. */
void vmem_seal_record(const struct vmem_fs *fs, struct vmem_rec *rec, uint64_t lsn, uint32_t len,
		      unsigned int type);
/* Store a sealed record, its LSN last. */
void vmem_store_record(struct vmem_fs *fs, const struct vmem_rec *rec);
/* The record at the head is the newest of its group. */
void vmem_chain_record(struct vmem_fs *fs, const struct vmem_rec *rec);
/* The next len bytes of the log shall be in one piece. */
void vmem_skip_end_of_ring(struct vmem_fs *fs, uint32_t len);
/* Append the record in buf, whose body is there, and drain; returns its LSN. */
uint64_t vmem_append_record(struct vmem_fs *fs, uint8_t *buf, uint32_t len, unsigned int type,
			    uint32_t nr_deltas);
/* The record at lsn is durable: bring home up to date and say so. */
void vmem_applied_at_once(struct vmem_txn *t, uint64_t lsn);

/* ---- commit.c ---- */

/*
 * Close the running group.  commit_lock is held; fs->lock too if `locked`,
 * else it is taken for moments only.
 */
int vmem_close_group(struct vmem_fs *fs, bool locked);
/*
 * The same, if there is a group to close, without the lock.  taken() runs with the lock
 * held, when the group has its last record and the next one has none.
 */
int vmem_close_group_at(struct vmem_fs *fs, void (*taken)(struct vmem_fs *fs, void *arg), void *arg);

/* ---- checkpoint.c ---- */

/* Is there no room for another record, or for what it changes?  lock is held. */
bool vmem_need_checkpoint(const struct vmem_fs *fs);
/*
 * Unless one was completed since the caller, who had counted `seen` of them,
 * found that it needs one.  UINT64_MAX: in any case.
 */
int vmem_checkpoint_since(struct vmem_fs *fs, uint64_t seen);

#endif /* VMEM_LOG_INTERNAL_H */
