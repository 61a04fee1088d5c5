/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * space.h - which blocks and inodes are free
 *
 * Offers: reserving, taking and freeing blocks (blocks.c: the allocator and its policy) and
 * inodes (inodes.c), the descriptors of groups (groups.c), discarding (discard.c).
 * Who may call it: tree, fs.  It has no lock of its own: all is under `lock` of the log,
 * exclusively, but what says otherwise.
 */
#ifndef VMEM_SPACE_H
#define VMEM_SPACE_H

#include "log/log.h"

#define VMEM_DISCARD_BLOCKS	16384u	/* a checkpoint is asked for when more wait to be discarded */
#define VMEM_RESERVED_BLOCKS	32u	/* kept for shrinking operations */

/* Freed blocks that recovery could still touch: not to be reused before floor > lsn. */
struct vmem_pending {
	uint64_t lsn;
	struct vmem_run run;
};

struct vmem_ag {
	struct vmem_ag_desc desc;	/* as the running transaction has it */
	vmem_le64 *busy;		/* bitmap | reserved | pending; NULL = not loaded */
	uint32_t busy_free;		/* clear bits of busy */
	uint32_t ihint;			/* first inode that may be free */
	uint16_t chunk_free[VMEM_CHUNKS];
};

/* For struct vmem_fs.hooks. */
extern const struct vmem_txn_hooks vmem_space_hooks;

/* ---- groups.c ---- */

int vmem_alloc_load(struct vmem_fs *fs);
void vmem_alloc_unload(struct vmem_fs *fs);
/*
 * The file system has nr_ags groups: ags, which this takes, has those behind
 * the present ones.  The caller changes the geometry with it, under lock.
 */
void vmem_alloc_extend(struct vmem_fs *fs, struct vmem_ag *ags, uint32_t nr_ags);

/* ---- blocks.c ---- */

/*
 * Find and mark busy up to want blocks near goal; *run gets 1..want of them.
 * -ENOSPC; -EAGAIN: a checkpoint would set some free.  Lock held exclusively.
 */
int vmem_reserve(struct vmem_fs *fs, uint64_t goal, uint64_t want, bool privileged,
		 struct vmem_run *run);
/*
 * The same for data of a file, for the hole or a part of its front.  2 MiB pieces of the
 * file get 2 MiB pieces of the store where it can be, so that a mapping has huge pages.
 */
int vmem_reserve_data(struct vmem_fs *fs, uint64_t ino, const struct vmem_map *hole, uint64_t want,
		      struct vmem_run *run);
void vmem_unreserve(struct vmem_fs *fs, struct vmem_run run);
/* Reserve exactly want blocks in one run.  As vmem_reserve(). */
int vmem_reserve_run(struct vmem_fs *fs, uint64_t goal, uint64_t want, struct vmem_run *run);
/* Reserved blocks become allocated; after an abort they are reserved again if `outside`. */
void txn_take(struct vmem_txn *t, struct vmem_run run, bool outside);
void txn_free(struct vmem_txn *t, uint64_t start, uint64_t len);
int txn_alloc_block(struct vmem_txn *t, uint64_t goal, uint64_t *block);
/*
 * The first nr of them leave the queue, into runs: busy and counted as pending until
 * vmem_hold_free(..., false), whatever becomes of the queue meanwhile.
 */
void vmem_take_pending(struct vmem_fs *fs, struct vmem_run *runs, size_t nr);
/*
 * The first free run in blocks [start, end), cut at the end of its group; len 0:
 * none before run->start, where to go on.
 */
int vmem_next_free(struct vmem_fs *fs, uint64_t start, uint64_t end, struct vmem_run *run);
/* Take a free run, as if it were pending, and give it back. */
void vmem_hold_free(struct vmem_fs *fs, struct vmem_run run, bool hold);

/* ---- inodes.c ---- */

bool vmem_inode_used(struct vmem_fs *fs, uint64_t ino);
/* The same without the lock, for an inode that stays as it is in this. */
bool vmem_peek_inode_used(struct vmem_fs *fs, uint64_t ino);
int txn_alloc_inode(struct vmem_txn *t, uint64_t near_ino, bool dir, uint64_t *ino);
void txn_free_inode(struct vmem_txn *t, uint64_t ino, bool dir);
void txn_set_orphan(struct vmem_txn *t, uint64_t ino, bool set);

static inline uint32_t vmem_orphans_in(const struct vmem_fs *fs, uint32_t ag)
{
	return vmem_get32(fs->ags[ag].desc.nr_orphans);
}

bool vmem_is_orphan(struct vmem_fs *fs, uint64_t ino);

/* ---- discard.c ---- */

/* The host is full: find free blocks that it has room for all the same.  -ENOSPC: none, or far. */
int vmem_probe_room(struct vmem_fs *fs, uint64_t goal, uint64_t want, struct vmem_run *run);

#endif /* VMEM_SPACE_H */
