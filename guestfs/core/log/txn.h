/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* txn.h - the running transaction, which struct vmem_fs holds */
#ifndef VMEM_TXN_H
#define VMEM_TXN_H

#include "vmem.h"

#define VMEM_NR_TIMES		3u	/* atime, mtime, ctime: next to each other in an inode */
#define VMEM_TXN_INODES		5u
#ifdef VMEM_SMALL_LIMITS
/* A build for tests: what hardly ever fills up is full all the time. */
#define VMEM_TXN_BYTES		8192u
#define VMEM_TXN_RUNS		12u
#define VMEM_TXN_AGS		10u
#else
#define VMEM_TXN_BYTES		VMEM_REC_MAX	/* of a record that this code makes */
#define VMEM_TXN_RUNS		96u
#define VMEM_TXN_AGS		16u
#endif
#define VMEM_TXN_STEP		8u	/* entries of a table that one step may need, and groups */

/* A run of blocks; where it says so, of bytes. */
struct vmem_run {
	uint64_t start;
	uint64_t len;
};

/*
 * The running transaction.  Its changes are in the overlay at once, its
 * deltas gather in buf; txn_commit() makes them one record, txn_abort()
 * takes them back with the help of undo.
 */
struct vmem_txn {
	struct vmem_fs *fs;
	uint8_t *buf;			/* VMEM_TXN_BYTES */
	uint32_t len;
	uint32_t nr_deltas;
	uint8_t *undo;			/* 2 * VMEM_TXN_BYTES: old bytes, each behind a vmem_undo */
	uint32_t undo_len;
	int err;			/* first failure of a txn_ function */
	bool privileged;		/* may use the blocks kept for shrinking operations */
	struct {
		struct vmem_inode *vi;
		struct vmem_dinode n;
		vmem_le64 times[VMEM_NR_TIMES]; /* as they were when n was copied */
		bool shared;		/* not ours to change: only its times are written */
		uint64_t dirty_seq;	/* shared: the record takes its dirty ranges over */
	} inodes[VMEM_TXN_INODES];
	unsigned int nr_inodes;
	struct {
		struct vmem_run run;
		bool outside;		/* reserved before the transaction: an abort keeps it so */
	} allocs[VMEM_TXN_RUNS];
	struct vmem_run frees[VMEM_TXN_RUNS];
	unsigned int nr_allocs, nr_frees;
	struct {
		uint32_t ag;
		struct vmem_ag_desc old;
	} ags[VMEM_TXN_AGS];
	unsigned int nr_ags;
	struct vmem_run links[VMEM_TXN_RUNS];	/* bytes of the store that the record links */
	unsigned int nr_links;
	struct vmem_inode *revoked;	/* once the record is appended, no data of it rides */
};

/*
 * What the layers above do at the turns of a transaction's life: the log calls
 * nobody above it by name.  lock is held but by checkpointed(), which is called
 * with ckpt_lock.
 */
struct vmem_txn_hooks {
	/* The transaction, which touched groups, ends: the last deltas.  Failure: t->err. */
	void (*prepare)(struct vmem_txn *t);
	/* It is taken back; the overlay is as before it already. */
	void (*undo)(struct vmem_txn *t);
	/* Its record, which frees blocks, ends at lsn. */
	void (*appended)(struct vmem_txn *t, uint64_t lsn);
	/* fs->floor may have moved: recovery can touch less than before. */
	void (*floor_moved)(struct vmem_fs *fs);
	/* A checkpoint has been completed. */
	void (*checkpointed)(struct vmem_fs *fs);
};

#endif /* VMEM_TXN_H */
