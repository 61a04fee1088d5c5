/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * fs.h - the file system: what vmem.h promises, and what its files share
 *
 * Who may call it: offline.  Its locks are those of the caller: see [R], [W] and [F] in vmem.h.
 */
#ifndef VMEM_FS_H
#define VMEM_FS_H

#include "tree/tree.h"

#define VMEM_COPY_STEP		(1u << 20)	/* bytes that the caller copies in one piece */
#define VMEM_CARRY_MAX		(VMEM_TXN_BYTES / 16)	/* bytes of a write that may ride in its record */

/* ---- mount.c, orphans.c, grow.c ---- */

int vmem_recover_orphans(struct vmem_fs *fs, struct vmem_mount_info *info);
/*
 * Does this root say that the file system is growing?  Then sb gets the
 * superblock that counts, whatever is where it should be.
 */
bool vmem_growing(const struct vmem_fs *fs, const struct vmem_root *root, struct vmem_superblock *sb);
void vmem_forget_growth(struct vmem_root *root);
/* The mount found it growing: finish that. */
int vmem_resume_growth(struct vmem_fs *fs);

/* ---- inode.c ---- */

void vmem_inode_init(struct vmem_txn *t, struct vmem_inode *vi, uint64_t ino,
		     const struct vmem_attr *attr, unsigned int format);

/* Inodes are about to have these flags.  -EINVAL: not such. */
int vmem_enable_flags(struct vmem_fs *fs, uint32_t flags);
/* The fields that `which` (VMEM_SET_*) names become those of a. */
void vmem_set_fields(struct vmem_dinode *n, unsigned int which, const struct vmem_attr *a);

/* ---- xattr.c ---- */

/* A set of extended attributes in memory, while it is changed. */
struct vmem_xattr_buf;
int vmem_xattr_buf_new(struct vmem_fs *fs, struct vmem_xattr_buf **buf);
void vmem_xattr_buf_free(struct vmem_fs *fs, struct vmem_xattr_buf *buf);
static inline bool vmem_has_xattrs(const struct vmem_dinode *n)
{
	return vmem_get64(n->xattr) || n->xattr_units;
}
/* Does what the inode says of where its set lies make sense? */
bool vmem_xattrs_possible(const struct vmem_fs *fs, const struct vmem_dinode *n);
/* Could these nr be set?  -EINVAL, -ERANGE, -E2BIG. */
int vmem_judge_xattrs(const struct vmem_xattr *x, unsigned int nr);
/* Set and remove nr of them, as vmem_setxattr(); the rest of the inode is as it will be. */
int txn_set_xattrs(struct vmem_txn *t, struct vmem_inode *vi, struct vmem_xattr_buf *buf,
		   const struct vmem_xattr *x, unsigned int nr);
/* Free what the set holds, as much as fits the record; *done when it is all. */
int txn_drop_xattrs(struct vmem_txn *t, struct vmem_inode *vi, struct vmem_xattr_buf *buf, bool *done);

/* ---- feature.c ---- */

/* Is this one of VMEM_INCOMPAT_LATE set? */
static inline bool vmem_has(const struct vmem_fs *fs, uint64_t bit)
{
	return VMEM_PEEK(fs->features) & bit;
}
/* From here on what it says may be there: the superblock says so, durably. */
int vmem_enable(struct vmem_fs *fs, uint64_t bit);
/*
 * Is sb whole but for one of these bits or its checksum, one of which was stored when the
 * other was not yet?  Then it becomes what both say.
 */
bool vmem_complete_super(struct vmem_superblock *sb, vmem_crc_fn crc);
/* Does sb, which is not whole, differ from its backup in the label alone?  Then it becomes that. */
bool vmem_relabel_super(const struct vmem_store *store, struct vmem_superblock *sb, vmem_crc_fn crc);
/* A session that was lost while it changed one: the superblocks agree again. */
int vmem_mend_supers(struct vmem_fs *fs);

/* ---- times.c, sync.c ---- */

/* Times go in place, where they need no record; the other fields have theirs. */
void vmem_store_times(struct vmem_inode *vi);
/* Of its times: has none changed that an fsync must keep? */
bool vmem_is_only_atime(const struct vmem_inode *vi);
/* What fsync would have flushed follows the inode number, not the memory. */
int vmem_hand_over(struct vmem_inode *vi);
/* No vmem_sync() finds it any more; the shared lock waits for one that has. */
void vmem_hide_from_sync(struct vmem_inode *vi);
/* There was no memory for a record, or there can be none: what it had said becomes durable now. */
int vmem_flush_last(struct vmem_inode *vi);

/* ---- file.c ---- */

/* Free what lies beyond size, by as many records as it takes. */
int vmem_truncate_rest(struct vmem_inode *vi, uint64_t size);
/* The same for an inode that a failed truncate left with more than its size (vi->cut). */
int vmem_finish_cut(struct vmem_inode *vi);

/* ---- unwritten.c ---- */

/*
 * Blocks [lblk, lblk + nr), as far as the file reaches and they are unwritten, become zeroed
 * data.  -EINVAL: they lie behind its end.  [F]
 */
int vmem_convert(struct vmem_inode *vi, uint64_t lblk, uint64_t nr);

/* ---- write.c ---- */

/*
 * File bytes [lo, hi) are about to change in place: what rode in records for
 * them is revoked first.
 */
int vmem_unlog(struct vmem_inode *vi, uint64_t lo, uint64_t hi);
/*
 * The file grows from its end to behind pos: what a lost append or a mapping left in
 * the rest of its last block becomes zeros.  *gap gets the bytes that were
 * stored; the record that grows the file links them.
 */
int vmem_zero_gap(struct vmem_inode *vi, uint64_t pos, struct vmem_run *gap);
/* What was to link the gap has failed: its zeros are stored, but may be lost while it is not. */
void vmem_keep_gap(struct vmem_inode *vi, const struct vmem_run *gap);

#endif /* VMEM_FS_H */
