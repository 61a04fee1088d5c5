/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * tree.h - the trees of an inode: extents of a file, names of a directory
 *
 * Who may call it: fs.  It has no lock of its own: functions called txn_ run in a
 * transaction, the others need `lock` of the log, at least shared; but vmem_peek_map()
 * and the readers of a directory, which nobody changes meanwhile.
 */
#ifndef VMEM_TREE_H
#define VMEM_TREE_H

#include "space/space.h"

#ifdef VMEM_SMALL_LIMITS
#define VMEM_NODE_FILL		32u
#else
#define VMEM_NODE_FILL		VMEM_NODE_ENTRIES /* a node with so many is split */
#endif

/* ---- extent.c ---- */

int vmem_ext_lookup(struct vmem_fs *fs, const struct vmem_dinode *n, uint64_t ino,
		    uint64_t lblk, struct vmem_map *map);
/* Map nr blocks at lblk, where a hole is, to pblk. */
int txn_ext_insert(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino,
		   uint64_t lblk, uint64_t pblk, uint64_t nr, enum vmem_kind kind);
/* The piece, of one extent as vmem_ext_lookup() said, becomes one of that kind. */
int txn_ext_set_kind(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino,
		     const struct vmem_map *map, enum vmem_kind kind);
/* The piece becomes a hole; its blocks are freed. */
int txn_ext_remove(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino,
		   const struct vmem_map *map);
/* The piece is data in other blocks; its own are freed. */
int txn_ext_replace(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino,
		    const struct vmem_map *map, uint64_t pblk);
/*
 * What the file has from block `from` on moves by so many blocks, to where holes are.
 * -EFBIG: too far.
 */
int txn_ext_shift(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino, uint64_t from, int64_t by);
/*
 * Map lblk, which is data, to pblk instead.  That block is freed, and with it
 * what follows it in its extent; later extents stay.
 */
int txn_ext_replace_last(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino,
			 uint64_t lblk, uint64_t pblk);
/* Unmap from the end down to block `from`; *done when nothing is left. */
int txn_ext_truncate(struct vmem_txn *t, struct vmem_dinode *n, uint64_t ino,
		     uint64_t from, bool *done);

/* ---- peek.c ---- */

/* As vmem_ext_lookup(), without the lock.  False: it takes the lock to find out, or to say why not. */
bool vmem_peek_map(struct vmem_inode *vi, uint64_t lblk, struct vmem_map *map);

/* ---- dir.c ---- */

int vmem_dir_find(struct vmem_inode *dir, struct vmem_name name, uint64_t *ino, unsigned int *type);
/* Where a name goes; good until the transaction changes the directory's nodes. */
struct vmem_dir_place {
	uint64_t hash, block;
	unsigned int off;		/* of an entry with room behind it; 0: none was found */
};
/* Find that for a name that is not there yet: -EEXIST.  -EINVAL, -ENAMETOOLONG: no name. */
int vmem_dir_place(struct vmem_txn *t, struct vmem_inode *dir, struct vmem_name name,
		   struct vmem_dir_place *place);
int txn_dir_add(struct vmem_txn *t, struct vmem_inode *dir, const struct vmem_dir_place *place,
		struct vmem_name name, uint64_t ino, unsigned int type);
int txn_dir_remove(struct vmem_txn *t, struct vmem_inode *dir, struct vmem_name name, uint64_t ino);
int txn_dir_replace(struct vmem_txn *t, struct vmem_inode *dir, struct vmem_name name,
		    uint64_t old_ino, uint64_t ino, unsigned int type);
int txn_dir_free(struct vmem_txn *t, struct vmem_inode *dir, bool *done);

#endif /* VMEM_TREE_H */
