/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * fields.h - every field of every structure of format.h, and whether it matters
 *
 * One list per structure: name, offset, size, verdict.  FOUND: the checker
 * reports any other value.  FREE: any value is valid.  A list that does not
 * cover its structure, as after a field was added, does not compile, and
 * run.sh compares the structures below with those that format.h defines.
 */
#ifndef TOOLS_TEST_FIELDS_H
#define TOOLS_TEST_FIELDS_H

#include "medium/format.h"

enum verdict { FOUND, FREE, OWN };	/* OWN: a test of its own looks at it */

struct field {
	const char *name;
	size_t off, size;
	enum verdict verdict;
};

#define M(X, type, member, verdict) \
	X(#type "." #member, offsetof(struct type, member), sizeof(((struct type *)0)->member), verdict)

#define SUPERBLOCK_FIELDS(X) \
	M(X, vmem_superblock, magic, FOUND) \
	M(X, vmem_superblock, csum, FREE)	/* made right again */ \
	M(X, vmem_superblock, version_major, FOUND) \
	M(X, vmem_superblock, version_minor, FREE)	/* for people */ \
	M(X, vmem_superblock, compat, FREE)	/* unknown ones are ignored */ \
	M(X, vmem_superblock, ro_compat, FOUND) \
	X("incompat, bits that are known or may be", offsetof(struct vmem_superblock, incompat), 1, OWN) \
	X("incompat, the others", offsetof(struct vmem_superblock, incompat) + 1, 7, FOUND) \
	M(X, vmem_superblock, uuid, FOUND)	/* no root fits then */ \
	X("label text", 56, 7, FREE) \
	X("label padding", 63, VMEM_LABEL_LEN - 7, FOUND) \
	M(X, vmem_superblock, nr_blocks, FOUND) \
	M(X, vmem_superblock, nr_inodes, FOUND) \
	M(X, vmem_superblock, desc_start, FOUND) \
	M(X, vmem_superblock, log_start, FOUND) \
	M(X, vmem_superblock, log_blocks, FOUND) \
	M(X, vmem_superblock, agmeta0, FOUND) \
	M(X, vmem_superblock, backup, FOUND) \
	M(X, vmem_superblock, ag_blocks, FOUND) \
	M(X, vmem_superblock, nr_ags, FOUND) \
	M(X, vmem_superblock, inodes_per_ag, FOUND) \
	M(X, vmem_superblock, itable_blocks, FOUND) \
	M(X, vmem_superblock, hash_key, FOUND) \
	M(X, vmem_superblock, created, FREE) \
	M(X, vmem_superblock, reserved, FOUND)

/* Of the newest slot.  The other one says "mounted": falling back to it is found. */
#define ROOT_FIELDS(X) \
	M(X, vmem_root, magic, FOUND) \
	M(X, vmem_root, csum, FREE) \
	M(X, vmem_root, state, FOUND) \
	X("vmem_root.seq, becoming older", 16, 1, FOUND) \
	X("vmem_root.seq, becoming newer or impossible", 17, 7, FREE) \
	M(X, vmem_root, tail, FOUND) \
	M(X, vmem_root, log_seed, FREE)		/* of an empty log */ \
	M(X, vmem_root, domain, FOUND) \
	M(X, vmem_root, generation, FREE)	/* of a session that ended well */ \
	M(X, vmem_root, uuid, FOUND) \
	M(X, vmem_root, mount_count, FREE) \
	M(X, vmem_root, mount_time, FREE) \
	M(X, vmem_root, write_time, FREE) \
	M(X, vmem_root, grow_from, FOUND) \
	M(X, vmem_root, grow_to, FOUND) \
	M(X, vmem_root, grow_mount, FOUND) \
	M(X, vmem_root, reserved, FOUND) \
	M(X, vmem_root, unused, FREE) \
	M(X, vmem_root, applied, FOUND)

#define DESC_FIELDS(X) \
	M(X, vmem_ag_desc, free_blocks, FOUND) \
	M(X, vmem_ag_desc, free_inodes, FOUND) \
	M(X, vmem_ag_desc, nr_dirs, FOUND) \
	M(X, vmem_ag_desc, nr_orphans, FOUND) \
	M(X, vmem_ag_desc, itable_init, FOUND) \
	M(X, vmem_ag_desc, reserved, FOUND)

/* All but the payload; three of them depend on the kind of the inode. */
#define INODE_FIELDS(X, SIZE, RDEV, PARENT) \
	M(X, vmem_dinode, csum, FREE) \
	X("vmem_dinode.mode, permissions", 4, 1, FREE) \
	X("vmem_dinode.mode, type", 5, 1, FOUND) \
	M(X, vmem_dinode, format, FOUND) \
	M(X, vmem_dinode, uid, FREE) \
	M(X, vmem_dinode, gid, FREE) \
	M(X, vmem_dinode, nlink, FOUND) \
	M(X, vmem_dinode, flags, FOUND) \
	M(X, vmem_dinode, size, SIZE) \
	M(X, vmem_dinode, blocks, FOUND) \
	M(X, vmem_dinode, atime, FREE) \
	M(X, vmem_dinode, mtime, FREE) \
	M(X, vmem_dinode, ctime, FREE) \
	M(X, vmem_dinode, btime, FREE) \
	M(X, vmem_dinode, generation, FREE) \
	M(X, vmem_dinode, rdev, RDEV) \
	M(X, vmem_dinode, parent, PARENT) \
	M(X, vmem_dinode, reserved0, FOUND) \
	M(X, vmem_dinode, xattr, FOUND) \
	M(X, vmem_dinode, depth, FOUND) \
	M(X, vmem_dinode, nr_ext, FOUND) \
	M(X, vmem_dinode, xattr_units, FOUND) \
	M(X, vmem_dinode, reserved1, FOUND)

#define DIR_ROOT_FIELDS(X) \
	X("vmem_dir_root.root", 112, 8, FOUND) \
	X("vmem_dir_root.height", 120, 4, FOUND) \
	X("vmem_dir_root.reserved", 124, 4, FOUND) \
	X("vmem_dir_root.nr_entries", 128, 8, FOUND)

#define DIRECTORY_FIELDS(X) \
	INODE_FIELDS(X, FOUND, FOUND, FOUND) \
	DIR_ROOT_FIELDS(X) \
	X("behind the directory root", 136, 120, FREE)
#define FIFO_FIELDS(X) \
	INODE_FIELDS(X, FOUND, FOUND, FOUND) \
	X("payload of a fifo", 112, 144, FREE)
#define DEVICE_FIELDS(X) \
	INODE_FIELDS(X, FOUND, FREE, FOUND) \
	X("payload of a device", 112, 144, FREE)
#define SYMLINK_FIELDS(X) \
	INODE_FIELDS(X, FOUND, FOUND, FOUND) \
	X("target", 112, 20, FREE) \
	X("behind the target", 132, 124, FOUND)
/* A size may be right or wrong, and extents have bits: a test each. */
#define FILE_FIELDS(X) \
	INODE_FIELDS(X, FREE, FOUND, FOUND) \
	X("extents", 112, 144, FREE)

#define NODE_FIELDS(X) \
	M(X, vmem_node, magic, FOUND) \
	M(X, vmem_node, level, FOUND) \
	M(X, vmem_node, count, FOUND)	/* of a leaf: must be 0 */ \
	M(X, vmem_node, owner, FOUND) \
	M(X, vmem_node, self, FOUND) \
	M(X, vmem_node, reserved, FOUND)

/* By bits and by bounds: see the tests of extents and of index entries. */
#define EXTENT_FIELDS(X) \
	M(X, vmem_extent, w0, FOUND) \
	M(X, vmem_extent, w1, FOUND)
#define DIR_INDEX_FIELDS(X) \
	M(X, vmem_dir_index, hash, FOUND) \
	M(X, vmem_dir_index, block, FOUND)

/* The values of index that are no other kind of name, and sizes that are still possible: a test each. */
#define XATTR_ENTRY_FIELDS(X) \
	M(X, vmem_xattr_entry, index, FOUND) \
	M(X, vmem_xattr_entry, name_len, FOUND) \
	M(X, vmem_xattr_entry, size, FOUND)
#define XATTR_REF_FIELDS(X) \
	M(X, vmem_xattr_ref, size, FOUND) \
	M(X, vmem_xattr_ref, reserved, FOUND)
#define XATTR_NODE_FIELDS(X) \
	M(X, vmem_xattr_node, magic, FOUND) \
	M(X, vmem_xattr_node, piece, FOUND) \
	M(X, vmem_xattr_node, reserved, FOUND) \
	M(X, vmem_xattr_node, owner, FOUND) \
	M(X, vmem_xattr_node, self, FOUND) \
	M(X, vmem_xattr_node, csum, FOUND) \
	M(X, vmem_xattr_node, len, FOUND)

#define DIRENT_FIELDS(X) \
	M(X, vmem_dirent, hash, FOUND) \
	M(X, vmem_dirent, ino, FOUND) \
	M(X, vmem_dirent, rec_len, FOUND) \
	M(X, vmem_dirent, name_len, FOUND) \
	M(X, vmem_dirent, type, FOUND)

/* Of the log.  FOUND: it ends before a record that is damaged there. */
#define REC_FIELDS(X) \
	M(X, vmem_rec, lsn, FOUND) \
	M(X, vmem_rec, csum, FOUND) \
	M(X, vmem_rec, len, FOUND) \
	M(X, vmem_rec, type, FOUND) \
	M(X, vmem_rec, nr_deltas, FOUND) \
	M(X, vmem_rec, reserved, FOUND) \
	M(X, vmem_rec, time, FOUND)
#define COMMIT_FIELDS(X) \
	M(X, vmem_rec_commit, start, FOUND) \
	M(X, vmem_rec_commit, covers, FOUND) \
	M(X, vmem_rec_commit, chain, FOUND) \
	M(X, vmem_rec_commit, reserved, FOUND)
#define DELTA_FIELDS(X) \
	M(X, vmem_delta, where, FOUND) \
	M(X, vmem_delta, len, FOUND) \
	M(X, vmem_delta, aux, FOUND)

#define AS_ENTRY(name, off, size, verdict)	{ name, off, size, verdict },
#define AS_SUM(name, off, size, verdict)	+ (size)
/* Defines the table `f` of a list that covers structure type. */
#define FIELD_TABLE(f, LIST, type) \
	_Static_assert(0 LIST(AS_SUM) == sizeof(struct type), #LIST " covers struct " #type); \
	static const struct field f[] = { LIST(AS_ENTRY) }

/* Every structure that format.h defines, with the list that covers it. */
#define ALL_STRUCTURES(S) \
	S(vmem_superblock, SUPERBLOCK_FIELDS) S(vmem_root, ROOT_FIELDS) S(vmem_ag_desc, DESC_FIELDS) \
	S(vmem_extent, EXTENT_FIELDS) S(vmem_dir_root, DIR_ROOT_FIELDS) S(vmem_dinode, FILE_FIELDS) \
	S(vmem_node, NODE_FIELDS) S(vmem_dir_index, DIR_INDEX_FIELDS) S(vmem_dirent, DIRENT_FIELDS) \
	S(vmem_xattr_entry, XATTR_ENTRY_FIELDS) S(vmem_xattr_ref, XATTR_REF_FIELDS) \
	S(vmem_xattr_node, XATTR_NODE_FIELDS) \
	S(vmem_rec, REC_FIELDS) S(vmem_rec_commit, COMMIT_FIELDS) S(vmem_delta, DELTA_FIELDS)
#define COVERED(type, LIST) \
	_Static_assert(0 LIST(AS_SUM) == sizeof(struct type), #LIST " covers struct " #type);
ALL_STRUCTURES(COVERED)

#endif
