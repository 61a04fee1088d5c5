/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * format.h - the vmemfs medium format, version 1
 *
 * Every structure that is ever stored, and nothing else.  docs/format.md says
 * the same in prose.  All integers are little-endian, all offsets are bytes
 * from the start of the store, all block numbers count 4 KiB blocks from
 * there.  A change here is a change of the format: it needs a feature bit.
 *
 * Layout of a store of N blocks:
 *
 *	block 0			superblock
 *	block 1, 2		root slots, written alternately
 *	block 3			reserved, zero
 *	desc_start ...		allocation group descriptors, 32 bytes each
 *	log_start ...		the log, a ring of log_blocks blocks
 *	agmeta0 ...		metadata of allocation group 0
 *	k * ag_blocks ...	metadata of allocation group k, k > 0
 *	N - 1			backup superblock
 *
 * Metadata of a group: one block of block bitmap, one block of inode and
 * orphan bitmap, itable_blocks blocks of inodes.
 */
#ifndef VMEM_FORMAT_H
#define VMEM_FORMAT_H

#include "medium/types.h"

#define VMEM_BLOCK_SHIFT	12
#define VMEM_BLOCK_SIZE		4096u
#define VMEM_BLOCK_MASK		(VMEM_BLOCK_SIZE - 1)

#define VMEM_SB_MAGIC		0x010053464d454d56ull	/* bytes "VMEMFS\0\1" */
#define VMEM_ROOT_MAGIC		0x544f4f524d454d56ull	/* bytes "VMEMROOT" */
#define VMEM_DIR_LEAF_MAGIC	0x464c4456u		/* bytes "VDLF" */
#define VMEM_DIR_INDEX_MAGIC	0x58494456u		/* bytes "VDIX" */
#define VMEM_EXT_NODE_MAGIC	0x54584556u		/* bytes "VEXT" */
#define VMEM_XATTR_SET_MAGIC	0x53415856u		/* bytes "VXAS" */
#define VMEM_XATTR_VALUE_MAGIC	0x56415856u		/* bytes "VXAV" */

#define VMEM_VERSION_MAJOR	1	/* refused when it differs */
#define VMEM_VERSION_MINOR	0	/* for people; the bits decide */

/*
 * Feature bits.  Unknown compat bits are ignored, unknown ro_compat bits
 * allow a read-only mount, unknown incompat bits refuse the mount.
 * mkfs sets none; those of VMEM_INCOMPAT_LATE come with the first use of what they say.
 */
#define VMEM_COMPAT_KNOWN	0ull
#define VMEM_RO_COMPAT_KNOWN	0ull
#define VMEM_INCOMPAT_KNOWN	VMEM_INCOMPAT_LATE
#define VMEM_INCOMPAT_LATE	(VMEM_INCOMPAT_UNWRITTEN | VMEM_INCOMPAT_XATTR | VMEM_INCOMPAT_FLAGS)
#define VMEM_INCOMPAT_UNWRITTEN	(1ull << 0)	/* extents with VMEM_EXT_UNWRITTEN */
#define VMEM_INCOMPAT_XATTR	(1ull << 4)	/* inodes with xattr or xattr_units != 0 */
#define VMEM_INCOMPAT_FLAGS	(1ull << 5)	/* inodes with flags != 0 */
/* Assigned, not yet implemented: an image that sets one is refused. */
#define VMEM_INCOMPAT_SHARED	(1ull << 1)	/* extents with VMEM_EXT_SHARED */
#define VMEM_INCOMPAT_WINDOW	(1ull << 2)	/* extents with a window other than 0 */
#define VMEM_INCOMPAT_INLINE	(1ull << 3)	/* regular files with VMEM_FMT_INLINE */

#define VMEM_SB_BLOCK		0u
#define VMEM_ROOT_BLOCK(i)	(1u + (i))
#define VMEM_NR_ROOTS		2u
#define VMEM_DESC_START		4u

#define VMEM_LABEL_LEN		64
#define VMEM_UUID_LEN		16
#define VMEM_GENERATION_LEN	16
#define VMEM_NAME_MAX		255

/* Geometry limits that a reader checks. */
#define VMEM_MAX_AG_BLOCKS	32768u	/* bits in one bitmap block */
#define VMEM_MAX_AG_INODES	16384u	/* bits in half a block */
#define VMEM_MIN_BLOCKS		512u	/* 2 MiB */
#define VMEM_MIN_LOG_BLOCKS	64u
#define VMEM_MAX_BLOCKS		(1ull << 40)

struct vmem_superblock {
	vmem_le64 magic;		/* 0 */
	vmem_le32 csum;			/* 8: CRC32C of these 512 bytes, csum as zero */
	vmem_le16 version_major;	/* 12 */
	vmem_le16 version_minor;	/* 14 */
	vmem_le64 compat;		/* 16 */
	vmem_le64 ro_compat;		/* 24 */
	vmem_le64 incompat;		/* 32 */
	uint8_t uuid[VMEM_UUID_LEN];	/* 40 */
	uint8_t label[VMEM_LABEL_LEN];	/* 56: UTF-8, zero-padded */
	vmem_le64 nr_blocks;		/* 120 */
	vmem_le64 nr_inodes;		/* 128: nr_ags * inodes_per_ag, < 2^32 */
	vmem_le64 desc_start;		/* 136: block */
	vmem_le64 log_start;		/* 144: block */
	vmem_le64 log_blocks;		/* 152 */
	vmem_le64 agmeta0;		/* 160: block, metadata of group 0 */
	vmem_le64 backup;		/* 168: block of the backup superblock */
	vmem_le32 ag_blocks;		/* 176 */
	vmem_le32 nr_ags;		/* 180 */
	vmem_le32 inodes_per_ag;	/* 184: multiple of 16 */
	vmem_le32 itable_blocks;	/* 188: inodes_per_ag / 16 */
	uint8_t hash_key[16];		/* 192: SipHash-2-4 key of names */
	vmem_le64 created;		/* 208: ns since 1970 */
	uint8_t reserved[512 - 216];
};

/* struct vmem_root.state */
#define VMEM_STATE_MOUNTED	(1u << 0)	/* not unmounted: replay the log */
#define VMEM_STATE_NEEDS_CHECK	(1u << 1)	/* host failed under durability=guest */
#define VMEM_STATE_ERROR	(1u << 2)	/* corruption was met, or a flush failed: run fsck */

/* Durability domains, struct vmem_root.domain. */
enum vmem_domain {
	VMEM_DOMAIN_GUEST = 1,	/* guest, VM or QEMU fails: every retired store survives */
	VMEM_DOMAIN_HOST = 2,	/* host fails: only flushed ranges survive for sure */
	VMEM_DOMAIN_PMEM = 3,	/* power fails on DAX pmem: flushed cache lines survive */
};

struct vmem_root {
	vmem_le64 magic;		/* 0 */
	vmem_le32 csum;			/* 8: CRC32C of the first 256 bytes, csum as zero */
	vmem_le32 state;		/* 12: VMEM_STATE_* */
	vmem_le64 seq;			/* 16: the slot with the higher one is newer */
	vmem_le64 tail;			/* 24: LSN where replay starts */
	vmem_le32 log_seed;		/* 32: CRC seed of the records after tail */
	vmem_le32 domain;		/* 36: enum vmem_domain of the mount */
	uint8_t generation[VMEM_GENERATION_LEN]; /* 40: of the backing, at mount */
	uint8_t uuid[VMEM_UUID_LEN];	/* 56: as in the superblock */
	vmem_le64 mount_count;		/* 72 */
	vmem_le64 mount_time;		/* 80: ns since 1970 */
	vmem_le64 write_time;		/* 88: ns since 1970 */
	/*
	 * The file system is growing; void unless grow_mount is mount_count, so
	 * that a writer that knows nothing of it ends it by its next mount.
	 */
	vmem_le64 grow_from;		/* 96: blocks it had, */
	vmem_le64 grow_to;		/* 104: has now */
	vmem_le64 grow_mount;		/* 112 */
	uint8_t reserved[256 - 120];
	uint8_t unused[256];
	/*
	 * Outside the checksum, one 8-byte store each: records below it are
	 * home already (domains guest and pmem; in host it stays at tail).
	 */
	vmem_le64 applied;		/* 512: LSN */
};

struct vmem_ag_desc {
	vmem_le32 free_blocks;
	vmem_le32 free_inodes;
	vmem_le32 nr_dirs;
	vmem_le32 nr_orphans;		/* bits set in the orphan bitmap */
	vmem_le32 itable_init;		/* inode table blocks that are initialised */
	vmem_le32 reserved[3];
};

/* Block of inode bitmap: inodes in the first half, orphans in the second. */
#define VMEM_ORPHAN_BITMAP_OFF	2048u

#define VMEM_INODE_SIZE		256u
#define VMEM_INODES_PER_BLOCK	16u
#define VMEM_ROOT_INO		1u	/* inode 0 is never used */
#define VMEM_FIRST_INO		2u

/* struct vmem_dinode.flags: values of the FS_*_FL of linux/fs.h */
#define VMEM_FL_SYNC		0x00000008u	/* each write is durable when it returns */
#define VMEM_FL_IMMUTABLE	0x00000010u
#define VMEM_FL_APPEND		0x00000020u
#define VMEM_FL_NODUMP		0x00000040u
#define VMEM_FL_NOATIME		0x00000080u
#define VMEM_FL_DIRSYNC		0x00010000u	/* of a directory: as SYNC, operations on its names */
#define VMEM_FL_KNOWN		(VMEM_FL_SYNC | VMEM_FL_IMMUTABLE | VMEM_FL_APPEND | VMEM_FL_NODUMP | \
				 VMEM_FL_NOATIME | VMEM_FL_DIRSYNC)

/* struct vmem_dinode.format */
#define VMEM_FMT_NONE		0	/* no payload: fifo, socket, device */
#define VMEM_FMT_INLINE		1	/* payload is the contents (symlink) */
#define VMEM_FMT_EXTENTS	2	/* payload is the root of the extent tree */
#define VMEM_FMT_DIR		3	/* payload is struct vmem_dir_root */

#define VMEM_PAYLOAD_SIZE	144u
#define VMEM_INLINE_EXTENTS	9u

/*
 * Extent or index entry, 16 bytes.
 *	w0: bits 0..43 logical block, bits 44..63 length in blocks minus one
 *	w1: bits 0..51 block, bits 52..59 window, bits 60..63 flags
 * In an index entry the length, window and flags are zero, and block is that
 * of the child, whose entries all have logical blocks >= this one's.
 */
struct vmem_extent {
	vmem_le64 w0;
	vmem_le64 w1;
};

#define VMEM_LBLK_BITS		44
#define VMEM_MAX_LBLK		((1ull << VMEM_LBLK_BITS) - 1)
#define VMEM_MAX_EXT_LEN	(1ull << 20)
#define VMEM_PBLK_BITS		52
#define VMEM_EXT_UNWRITTEN	(1ull << 63)	/* reads as zeros; it may lie behind the end of file */
#define VMEM_EXT_SHARED		(1ull << 62)
#define VMEM_MAX_FILE_SIZE	((1ull << (VMEM_LBLK_BITS + VMEM_BLOCK_SHIFT)) - 1)

/* Payload of VMEM_FMT_DIR. */
struct vmem_dir_root {
	vmem_le64 root;			/* block of the topmost node, 0 = empty */
	vmem_le32 height;		/* 0 = empty, 1 = the root is a leaf */
	vmem_le32 reserved;
	vmem_le64 nr_entries;		/* without "." and "..", which are not stored */
};

struct vmem_dinode {
	vmem_le32 csum;			/* 0: CRC32C, csum and the three times as zero */
	vmem_le16 mode;			/* 4: as st_mode; 0 = free */
	vmem_le16 format;		/* 6: VMEM_FMT_* */
	vmem_le32 uid;			/* 8 */
	vmem_le32 gid;			/* 12 */
	vmem_le32 nlink;		/* 16 */
	vmem_le32 flags;		/* 20: VMEM_FL_* */
	vmem_le64 size;			/* 24: bytes */
	vmem_le64 blocks;		/* 32: blocks held, tree and directory nodes included */
	vmem_le64 atime;		/* 40: ns since 1970, signed; these three are */
	vmem_le64 mtime;		/* 48:   single 8-byte stores and may be */
	vmem_le64 ctime;		/* 56:   stored without a record */
	vmem_le64 btime;		/* 64: birth, ns since 1970 */
	vmem_le32 generation;		/* 72: of this inode number, for file handles */
	vmem_le32 rdev;			/* 76: Linux huge-encoded device number */
	vmem_le32 parent;		/* 80: of a directory: where ".." leads */
	vmem_le32 reserved0;		/* 84 */
	vmem_le64 xattr;		/* 88: block with a set of extended attributes, 0 = none */
	vmem_le16 depth;		/* 96: extent tree: 0 = payload holds extents */
	vmem_le16 nr_ext;		/* 98: entries in the payload */
	uint8_t xattr_units;		/* 100: the last so many 16 bytes of u are a set of xattrs */
	uint8_t reserved1[11];		/* 101 */
	union {				/* 112 */
		uint8_t bytes[VMEM_PAYLOAD_SIZE];
		struct vmem_extent ext[VMEM_INLINE_EXTENTS];
		struct vmem_dir_root dir;
	} u;
};

/* Head of an extent node, directory index or directory leaf block. */
struct vmem_node {
	vmem_le32 magic;
	vmem_le16 level;		/* leaves are 0 */
	vmem_le16 count;		/* entries (extent node, directory index) */
	vmem_le64 owner;		/* inode number */
	vmem_le64 self;			/* own block number */
	vmem_le64 reserved;
};

#define VMEM_NODE_HEAD		32u
#define VMEM_NODE_ENTRIES	((VMEM_BLOCK_SIZE - VMEM_NODE_HEAD) / 16u)	/* 254 */
#define VMEM_EXT_MAX_DEPTH	5u
#define VMEM_DIR_MAX_HEIGHT	6u

/* Entry of a directory index; sorted by hash; the first counts as 0. */
struct vmem_dir_index {
	vmem_le64 hash;			/* lower bound of the child's hashes */
	vmem_le64 block;
};

/*
 * Entry of a directory leaf.  Entries tile the block from VMEM_NODE_HEAD to
 * its end in any order; rec_len is a multiple of 8 and may exceed the need.
 * The hash is SipHash-2-4 of the name under hash_key, shifted right by 2,
 * and at least 2: it is the readdir cookie, and checks the name.
 */
struct vmem_dirent {
	vmem_le64 hash;
	vmem_le32 ino;			/* 0 = free */
	vmem_le16 rec_len;
	uint8_t name_len;
	uint8_t type;			/* DT_* of dirent.h */
	uint8_t name[];
};

/*
 * Extended attributes.  An inode has at most one set of them: in the last
 * xattr_units * 16 bytes of u, or in the block xattr.  A set is its entries,
 * one behind the other, sorted by index and name; in the inode zeros follow.
 */
#define VMEM_XATTR_UNIT		16u
#define VMEM_XATTR_UNITS_EXT	6u	/* at most, with VMEM_FMT_EXTENTS: three extents are left, */
#define VMEM_XATTR_UNITS_DIR	7u	/* with VMEM_FMT_DIR */

/* struct vmem_xattr_entry.index: what the name begins with. */
#define VMEM_XATTR_USER		1u	/* "user." */
#define VMEM_XATTR_TRUSTED	2u	/* "trusted." */
#define VMEM_XATTR_SECURITY	3u	/* "security." */
#define VMEM_XATTR_ACL_ACCESS	4u	/* "system.posix_acl_access", all of it */
#define VMEM_XATTR_ACL_DEFAULT	5u	/* "system.posix_acl_default" */
#define VMEM_XATTR_OUTSIDE	0x80u	/* the value lies in blocks: vmem_xattr_ref */

struct vmem_xattr_entry {
	uint8_t index;			/* VMEM_XATTR_*; 0: the set ends here */
	uint8_t name_len;		/* of an ACL 0 */
	vmem_le16 size;			/* bytes that follow the name: the value, or a vmem_xattr_ref */
};

#define VMEM_XATTR_MAX_VALUE	65536u
#define VMEM_XATTR_MAX_RUNS	17u

struct vmem_xattr_ref {
	vmem_le32 size;			/* of the value */
	vmem_le32 reserved;
	vmem_le64 run[];		/* bits 0..51 block, bits 52..63 number of blocks */
};

/* Head of a block with a set, or with a piece of a value. */
struct vmem_xattr_node {
	vmem_le32 magic;
	vmem_le16 piece;		/* of a value: which; of a set 0 */
	vmem_le16 reserved;
	vmem_le64 owner;		/* inode number */
	vmem_le64 self;			/* own block number */
	vmem_le32 csum;			/* CRC32C of this head, csum as zero, and the contents */
	vmem_le32 len;			/* bytes of contents; what follows them is ignored */
};

#define VMEM_XATTR_NODE_SPACE	(VMEM_BLOCK_SIZE - VMEM_NODE_HEAD)	/* 4064 */

#define VMEM_DIRENT_HEAD	16u
#define VMEM_DIRENT_LEN(name_len) ((VMEM_DIRENT_HEAD + (unsigned int)(name_len) + 7u) & ~7u)

/*
 * The log.  An LSN is a byte position in an endless log; it lies at offset
 * LSN % (log_blocks * 4096) of the ring.  Records start at multiples of
 * VMEM_REC_ALIGN and never wrap: a PAD record fills the end of the ring.
 * A record is valid when its lsn is its position and its checksum, seeded
 * with root.log_seed, is right.
 */
#define VMEM_REC_ALIGN		32u
#define VMEM_REC_MAX		65536u	/* bytes, header included */

#define VMEM_REC_OP		1	/* one operation: deltas follow */
#define VMEM_REC_COMMIT		2	/* closes a group: vmem_rec_commit follows */
#define VMEM_REC_PAD		3	/* nothing follows; only the header is checksummed */

struct vmem_rec {
	vmem_le64 lsn;			/* stored last, by one 8-byte store */
	vmem_le32 csum;			/* CRC32C(seed) of lsn, then of bytes 12..len */
	vmem_le32 len;			/* bytes, header included, multiple of VMEM_REC_ALIGN */
	vmem_le16 type;			/* VMEM_REC_* */
	vmem_le16 nr_deltas;
	vmem_le32 reserved;
	vmem_le64 time;			/* ns since 1970 */
};

struct vmem_rec_commit {
	vmem_le64 start;		/* LSN: the group is [start, covers) */
	vmem_le64 covers;		/* LSN */
	vmem_le32 chain;		/* CRC32C(seed) of the csums of its records, in order */
	vmem_le32 reserved[3];
};

/*
 * One change of a record, followed by len bytes of contents (BYTES, DATA),
 * padded to a multiple of 8.  Physical and idempotent.
 */
struct vmem_delta {
	vmem_le64 where;		/* bits 0..55 byte offset, bits 56..63 VMEM_D_* */
	vmem_le32 len;			/* bytes; bits for SETBITS and CLRBITS */
	vmem_le32 aux;			/* first bit (SETBITS, CLRBITS); inode (DATA*, REVOKE) */
};

#define VMEM_D_BYTES		1	/* metadata: these bytes */
#define VMEM_D_ZERO		2	/* metadata: zeros */
#define VMEM_D_SETBITS		3	/* bitmap block at where: set len bits from aux */
#define VMEM_D_CLRBITS		4
#define VMEM_D_DATA		5	/* file data riding in the record */
#define VMEM_D_DATAZERO		6	/* file data: zeros */
#define VMEM_D_REVOKE		7	/* forget earlier DATA* of inode aux: they are durable at home */

#define VMEM_ASSERT_SIZE(type, n) \
	_Static_assert(sizeof(type) == (n), "format: size of " #type)
#define VMEM_ASSERT_OFF(type, field, n) \
	_Static_assert(offsetof(type, field) == (n), "format: offset of " #field)

VMEM_ASSERT_SIZE(struct vmem_superblock, 512);
VMEM_ASSERT_OFF(struct vmem_superblock, nr_blocks, 120);
VMEM_ASSERT_OFF(struct vmem_superblock, hash_key, 192);
VMEM_ASSERT_OFF(struct vmem_root, grow_from, 96);
VMEM_ASSERT_OFF(struct vmem_root, reserved, 120);
VMEM_ASSERT_OFF(struct vmem_root, applied, 512);
VMEM_ASSERT_SIZE(struct vmem_ag_desc, 32);
VMEM_ASSERT_SIZE(struct vmem_extent, 16);
VMEM_ASSERT_SIZE(struct vmem_dinode, VMEM_INODE_SIZE);
VMEM_ASSERT_OFF(struct vmem_dinode, generation, 72);
VMEM_ASSERT_OFF(struct vmem_dinode, xattr_units, 100);
VMEM_ASSERT_OFF(struct vmem_dinode, u, 112);
VMEM_ASSERT_SIZE(struct vmem_node, VMEM_NODE_HEAD);
VMEM_ASSERT_SIZE(struct vmem_dir_index, 16);
VMEM_ASSERT_SIZE(struct vmem_xattr_entry, 4);
VMEM_ASSERT_SIZE(struct vmem_xattr_node, VMEM_NODE_HEAD);
VMEM_ASSERT_OFF(struct vmem_dirent, name, VMEM_DIRENT_HEAD);
VMEM_ASSERT_SIZE(struct vmem_rec, 32);
VMEM_ASSERT_SIZE(struct vmem_rec_commit, 32);
VMEM_ASSERT_SIZE(struct vmem_delta, 16);

#endif /* VMEM_FORMAT_H */
