/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * mount.h - struct vmem_fs: a mounted file system, field by field, layer by layer
 *
 * A layer uses its own fields and those of the layers below it.  What each field
 * holds is declared in the header of its layer; locks are in the order they are taken.
 */
#ifndef VMEM_MOUNT_H
#define VMEM_MOUNT_H

#include "vmem.h"
#include "log/txn.h"
#include "medium/hash.h"

struct vmem_fs {
	/* medium: the store, and how the surroundings are reached */
	struct vmem_store *store;
	const struct vmem_env *env;
	vmem_crc_fn crc;
	enum vmem_domain domain;
	bool read_only;
	int error;			/* sticky: -EIO or -EUCLEAN */
	bool shut_down;			/* that is -EIO, but nothing has failed; atomic */
	struct vmem_stats stats;

	/* medium: geometry, from the superblock; nr_* and backup change under lock */
	uint64_t nr_blocks, nr_inodes, desc_start, log_start, log_blocks, agmeta0, backup;
	uint32_t ag_blocks, nr_ags, inodes_per_ag, itable_blocks;
	uint64_t features;		/* VMEM_INCOMPAT_* that are set; atomic, set under ckpt_lock */
	uint8_t hash_key[16], uuid[VMEM_UUID_LEN];
	char label[VMEM_LABEL_LEN + 1];

	/* medium: locks of all layers, in the order they are taken; log.h says what each is for */
	void *ckpt_lock, *commit_lock, *lock, *dirty_lock;

	/* medium: the host's room (room.c) */
	struct vmem_chunks *chunks;	/* NULL: the store is not thin; atomic */
	uint64_t discards;		/* requests whose blocks count as a hole since; lock */
	bool host_full;			/* refused chunks there may be; atomic */

	/* log: the root; ckpt_lock */
	struct vmem_root root;		/* as last written */
	unsigned int root_slot;

	/* log: the ring; lock */
	uint64_t log_off, log_size;	/* bytes; constant */
	uint64_t tail;			/* space before it is free */
	uint64_t head;			/* where the next record goes */
	uint64_t last_op;		/* end of the newest operation record; atomic */
	uint64_t committed;		/* records below it are durable in the domain; atomic */
	uint64_t flushed;		/* log bytes below it are host-durable; commit_lock */
	uint64_t group_start;
	uint64_t floor;			/* recovery never starts below it */
	uint64_t pmem_applied;		/* last `applied` that was stored (domain pmem) */
	uint64_t ckpts_done;		/* checkpoints that were completed */
	uint64_t ckpt_seq;		/* number of the current checkpoint period */
	uint64_t ckpt_live;		/* oldest period whose records could be replayed */
	uint32_t seed, chain;
	bool kicked;
	bool overflowed;		/* an operation without room in a record was logged; atomic */
	struct vmem_txn txn;
	const struct vmem_txn_hooks *hooks;

	/* log: the overlay; lock */
	struct vmem_opage **buckets, *opages;
	struct vmem_stripe *stripes;	/* VMEM_STRIPES */
	struct vmem_opage *limbo;	/* in no bucket any more, but a reader may look at them */
	uint32_t idle;			/* stripes that were seen empty since; a bit each */
	unsigned int nr_opages, nr_dirty;
	unsigned int overlay_max;	/* pages; a checkpoint is asked for at half */
	uint64_t epoch;			/* ends when a checkpoint begins */
	bool going_home;		/* pages of the epoch before; none leaves the overlay meanwhile */
	uint8_t *home_buf;		/* VMEM_HOME_BATCH pages, of the running checkpoint */

	/* log: what to flush, and when (domain host); lock, but a set that is being flushed */
	struct vmem_rangeset *linked;	/* linked by records since group_start: before the commit record */
	struct vmem_rangeset *linked_spare; /* the set being flushed */
	struct vmem_rangeset *stored;	/* in place: with any flush of the commit */
	struct vmem_rangeset *stored_spare;
	uint64_t stored_round;		/* number of the set `stored` */
	uint64_t stored_flushed;	/* sets below this number are host-durable; atomic */
	struct vmem_rangeset *home;	/* rode in records: at the checkpoint */
	struct vmem_rangeset *log_set;	/* of the running commit; commit_lock */
	struct vmem_rangeset *ckpt_set;	/* of the running checkpoint; ckpt_lock */
	struct vmem_logged *logged;	/* VMEM_LOGGED_MAX; purged by a checkpoint */
	unsigned int nr_logged;
	struct vmem_inode *dirty_inodes; /* dirty_lock */
	uint64_t sync_round;		/* dirty_lock */

	/* space: lock */
	struct vmem_ag *ags;
	uint64_t free_blocks, free_inodes, nr_dirs;
	uint64_t reserved;		/* busy without a record yet */
	uint64_t pending_blocks;
	struct vmem_pending *pending;	/* FIFO by lsn */
	size_t pending_first, pending_nr, pending_max;
	uint32_t dir_ag;		/* where the next directory goes */
	bool discard;			/* what becomes free, at the next checkpoint; atomic */

	/* tree: for the running transaction */
	uint8_t *scratch;		/* 2 blocks */

	/* fs: the mount; the caller keeps mount, remount and unmount apart */
	bool super_torn;		/* a feature bit or the label was being set when the last session was lost */
	bool check_done;
	bool never_write;		/* unknown features, or not recovered: no remount */
};

#endif /* VMEM_MOUNT_H */
