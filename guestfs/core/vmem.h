/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * vmem.h - the vmemfs core: everything that a home of it may call
 *
 * One implementation of the file system, linked into the Linux module, the
 * unikernel library, the host tools and the test programs.  It works on a
 * store, which is plain memory, and by inode number; paths, permission checks
 * and open-file semantics belong to the caller.
 *
 * Conventions
 *  - Results are 0 or a count, or a negative errno.  Besides those named at a
 *    call, any may return -ENOMEM, -EUCLEAN (the medium contradicts the
 *    format; reported once, the file system turns read-only), -EROFS, and
 *    -EIO (a host flush failed; sticky).
 *  - Offsets and sizes are bytes unless called block or nr; times are
 *    nanoseconds since 1970-01-01 UTC, signed.
 *  - An operation that changes the file system is entirely done or not at all,
 *    after any failure that the mount's durability domain covers, and is
 *    durable in the domains guest and pmem when the call returns; in the
 *    domain host when a later vmem_fsync() or vmem_sync() returns.
 *
 * Locking.  The core protects its own state by the locks of struct vmem_env.
 * The caller serialises calls on one struct vmem_inode: calls that change it
 * (marked [W]) exclude all others on it; calls marked [R] may run together.
 * Calls marked [F] may run at any time beside the others (page faults).
 * Directories count as inodes: vmem_lookup() is [R] on dir, vmem_create() [W].
 * The core never calls the caller's copy functions with a lock held.
 */
#ifndef VMEM_H
#define VMEM_H

#include "medium/format.h"

/* ---- The world, as seen by the core ------------------------------------ */

struct vmem_range {
	uint64_t offset;	/* bytes from the start of the store */
	uint64_t length;	/* bytes */
};

/* Ranges in two parts, and a mark in between. */
struct vmem_parts {
	const struct vmem_range *ranges;
	unsigned int nr_first;	/* of the first part, > 0 */
	unsigned int nr;	/* of both, > nr_first */
	uint64_t mark_offset;	/* bytes from the start of the store, a multiple of 8 */
	uint64_t mark_value;	/* stored there, little-endian, by one 8-byte store */
};

/* What backs the store; decides which domains a mount can offer. */
enum vmem_backing {
	VMEM_BACKING_PAGE_CACHE = 1,	/* host page cache: domains guest, host */
	VMEM_BACKING_DAX = 2,		/* MAP_SYNC pmem: domain pmem */
	VMEM_BACKING_VOLATILE = 3,	/* nothing survives the host: domain guest */
};

/*
 * The medium: memory that stays mapped at base while the store is in use.
 * Owned by the caller, must outlive the mount.
 */
struct vmem_store {
	uint8_t *base;		/* aligned to 4 KiB */
	uint64_t size;		/* bytes */
	enum vmem_backing backing;
	uint8_t generation[VMEM_GENERATION_LEN];
				/* changes whenever the host page cache may have been lost */
	bool read_only;		/* the core then never stores to base */
	void *ctx;		/* for the functions below */

	/*
	 * Make the ranges host-durable and return when they are.  Called
	 * without the lock that readers need, except by vmem_grow(), may sleep,
	 * may be called by several threads at once.  NULL when backing is not PAGE_CACHE, or
	 * when the caller accepts domain guest only.  0 or -EIO.
	 */
	int (*flush)(struct vmem_store *store, const struct vmem_range *ranges,
		     unsigned int nr);

	/*
	 * Make the first part host-durable, then store the mark, then make the
	 * second part durable; return when all is.  The store itself must make
	 * the mark, between the parts: one request in place of two flushes.
	 * Called as flush is.  NULL: the core flushes twice.  0 or -EIO, and
	 * then nothing is known about the mark; -EOPNOTSUPP: not this one,
	 * nothing has happened.
	 */
	int (*commit)(struct vmem_store *store, const struct vmem_parts *parts);

	/*
	 * Thin store: have the host find room for [off, off+len), so that no
	 * store to it can fail for want of any, until it is discarded.  Called
	 * with locks held, may sleep, may be called by several threads at once.
	 * NULL: the store has all its room.  0, -ENOSPC or -EIO.
	 */
	int (*provision)(struct vmem_store *store, uint64_t off, uint64_t len);

	/*
	 * Give the room of the ranges back: blocks become zeros, unless the host
	 * fails.  Called without fs locks except ckpt_lock.  NULL: not possible.
	 * 0, -EOPNOTSUPP or -EIO.
	 */
	int (*discard)(struct vmem_store *store, const struct vmem_range *ranges,
		       unsigned int nr);

	/* Write back the cache lines of [addr, addr+len); NULL unless DAX. */
	void (*writeback)(struct vmem_store *store, const void *addr, size_t len);

	/* Order and drain earlier write-backs and non-temporal stores; NULL unless DAX. */
	void (*drain)(struct vmem_store *store);

	/*
	 * Sees every store of the core to the medium, after it happened.
	 * Compiled in only with VMEM_RECORD (crash explorer); else unused.
	 */
	void (*recorded)(struct vmem_store *store, uint64_t offset, size_t len);
};

enum vmem_log_level { VMEM_LOG_ERR, VMEM_LOG_WARN, VMEM_LOG_INFO };

#define VMEM_OVERLAY_PAGES 8192u

/* For struct vmem_env.overlay_pages, where `memory` bytes are all that there is. */
uint32_t vmem_overlay_pages(size_t memory);

/* Services of the surroundings.  Owned by the caller, must outlive the mount. */
struct vmem_env {
	void *ctx;

	/* Zeroed memory, or NULL.  May sleep but must not re-enter the file system. */
	void *(*alloc)(const struct vmem_env *env, size_t size);
	void (*free)(const struct vmem_env *env, void *p, size_t size);

	/* Wall clock in ns; need not be finer than a timer tick. */
	int64_t (*now)(const struct vmem_env *env);

	/* Unpredictable bytes. */
	void (*random)(const struct vmem_env *env, void *buf, size_t len);

	/* CRC32C (Castagnoli, reflected, no final inversion); NULL: the core's own. */
	uint32_t (*crc32c)(uint32_t crc, const void *buf, size_t len);

	/* One complete line, no newline, printf-like with %s %d %u %x %llu %llx only. */
	void (*log)(const struct vmem_env *env, enum vmem_log_level level,
		    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

	/*
	 * Sleeping read-write locks; lock_new returns NULL when out of memory.
	 * All six NULL: the caller is single-threaded.
	 */
	void *(*lock_new)(const struct vmem_env *env);
	void (*lock_free)(const struct vmem_env *env, void *lock);
	void (*lock)(void *lock);
	void (*unlock)(void *lock);
	void (*lock_shared)(void *lock);
	void (*unlock_shared)(void *lock);
	/* For vmem_write_nowait() and vmem_would_wait(); NULL: they never find it free. */
	bool (*trylock_shared)(void *lock);

	/*
	 * Metadata pages that may wait in memory for a checkpoint, and as many again
	 * that are kept for speed.  0: VMEM_OVERLAY_PAGES; other values are at least 64.
	 */
	uint32_t overlay_pages;

	/*
	 * Asks for vmem_checkpoint() to be called soon from another context;
	 * called with locks held, must not block.  NULL: the core does it by
	 * itself when the log is full.
	 */
	void (*kick)(const struct vmem_env *env);
};

/* ---- File systems -------------------------------------------------------- */

struct vmem_fs;		/* opaque */

struct vmem_mount_opts {
	/*
	 * The domain that fsync promises.  Page-cache backing offers HOST and
	 * GUEST, volatile backing GUEST, DAX backing PMEM; another one is
	 * refused.  0: HOST on page-cache backing that can flush, else the only
	 * one there is.
	 */
	enum vmem_domain domain;
	bool read_only;		/* no changes by the user; recovery may still write */
	bool no_recovery;	/* use the image as it lies; implies read_only (tools) */
	bool check;		/* fsck: mount although VMEM_STATE_NEEDS_CHECK is set */
	bool check_done;	/* fsck: clear VMEM_STATE_NEEDS_CHECK and _ERROR at unmount */
};

/* What the mount found and did. */
struct vmem_mount_info {
	bool was_dirty;		/* it was not unmounted cleanly */
	bool host_failed;	/* the backing generation differed */
	uint64_t replayed;	/* records replayed */
	uint64_t dropped;	/* valid records after the last closed group, dropped */
	uint64_t orphans;	/* inodes freed or truncated */
};

struct vmem_statfs {
	uint64_t blocks, free_blocks, avail_blocks;	/* 4 KiB */
	uint64_t inodes, free_inodes;
	uint8_t uuid[VMEM_UUID_LEN];
	char label[VMEM_LABEL_LEN + 1];
	uint64_t dirs;
};

/* Counters since mount, for tests and statistics. */
struct vmem_stats {
	uint64_t records, record_bytes;	/* appended to the log */
	uint64_t commits;		/* groups closed */
	uint64_t flushes;		/* store.flush and store.commit calls */
	uint64_t flush_ranges, flush_bytes;
	uint64_t checkpoints;
	uint64_t carried;		/* writes whose data rode in the record */
	uint64_t overlay_pages;		/* now */
	uint64_t provisions;		/* store.provision calls */
	uint64_t discarded_blocks;
};

/*
 * Mount.  Verifies the superblock and roots, replays the log, frees orphans.
 * -EINVAL: not a vmemfs image, or the store is smaller than it says;
 * -EPROTONOSUPPORT: other version or unknown features;
 * -ENOSPC: thin store, and the host is full;
 * -EUCLEAN: damaged, or VMEM_STATE_NEEDS_CHECK; -EROFS: needs recovery and
 * cannot write; -ENOTSUP: the domain is not possible on this backing.
 * Each with one line by env->log that says what to do.  info may be NULL.
 */
int vmem_mount(struct vmem_store *store, const struct vmem_env *env,
	       const struct vmem_mount_opts *opts, struct vmem_fs **fs,
	       struct vmem_mount_info *info);

/* Checkpoint, mark clean, free.  All inodes must have been put before.
 * Frees fs whatever it returns. */
int vmem_umount(struct vmem_fs *fs);

/* Everything before is durable in the mount's domain on return (sync). */
int vmem_sync(struct vmem_fs *fs);

/*
 * From here on nothing is stored, as if the power had been cut: what changes or flushes
 * anything is -EIO, vmem_umount() frees the memory, and the next mount recovers.
 */
void vmem_shutdown(struct vmem_fs *fs);

/*
 * Write home what the log holds and move its tail (after env->kick, or at
 * leisure).  After an error: note it in the root, so that the next mount tells.
 */
int vmem_checkpoint(struct vmem_fs *fs);

/*
 * Switch between read-only and read-write (remount).  -EROFS: cannot become
 * writable, after an error with a line by env->log that says why; -EBUSY: cannot
 * become read-only while an unlinked inode is held.
 */
int vmem_remount(struct vmem_fs *fs, bool read_only);

/*
 * Grow, while it is used, to new_size bytes (whole blocks of it; a last
 * group too small for anything is left out), or with 0 to all of store->size.
 * The store may have become larger before the call: whoever owns it raises
 * store->size, and base stays, so that the new part follows the old one in
 * memory.  The core looks at size in vmem_mount(), here, in vmem_remount() and
 * in vmem_umount() only: the caller keeps these apart from each other and from
 * the change of size, and may let all other calls run meanwhile.
 *
 * As large as that already: 0, and nothing happens.  After a failure of guest
 * or host it is as large as before or has all the new size; the next mount that
 * can write finishes what was begun.
 * -EINVAL: smaller than it is, or larger than the store; -EFBIG: the
 * descriptors have no room (see vmem_mkfs_params.max_size), with a line by
 * env->log that says how large it can get; -ENOSPC: thin store, and the host is
 * full.  After these, and after -ENOMEM, it is as it was; but a second call may
 * be needed to finish one that ran out of memory at its very end.
 */
int vmem_grow(struct vmem_fs *fs, uint64_t new_size);

/*
 * Discard blocks at the next checkpoint after they became free.  Without effect
 * when the store cannot.
 */
void vmem_set_discard(struct vmem_fs *fs, bool on);

/*
 * Discard all free blocks in bytes [start, start+len) of the store, in runs of
 * at least min_len; *trimmed: bytes.  -EOPNOTSUPP, -EROFS, -EINVAL.
 */
int vmem_trim(struct vmem_fs *fs, uint64_t start, uint64_t len, uint64_t min_len,
	      uint64_t *trimmed);

/* The caller met what the format does not allow: report, turn read-only; -EUCLEAN. */
int vmem_report_damage(struct vmem_fs *fs, uint64_t ino, const char *what);

/* The caller knows that the store has lost something: as after a flush that failed; -EIO. */
int vmem_report_loss(struct vmem_fs *fs);

/*
 * The bytes that are stored to and flushed often and in small pieces: the roots
 * and the log.  Constant while mounted.
 */
#define VMEM_HOT_RANGES 2
void vmem_hot_ranges(const struct vmem_fs *fs, struct vmem_range ranges[VMEM_HOT_RANGES]);

void vmem_statfs(struct vmem_fs *fs, struct vmem_statfs *st);

/*
 * A new label of up to VMEM_LABEL_LEN bytes without NUL; durable, on the host, too, when
 * this returns.  -EINVAL: it is none.
 */
int vmem_set_label(struct vmem_fs *fs, const char *label, size_t len);
void vmem_get_stats(struct vmem_fs *fs, struct vmem_stats *st);
enum vmem_domain vmem_get_domain(const struct vmem_fs *fs);
bool vmem_is_read_only(const struct vmem_fs *fs);

/* ---- Inodes --------------------------------------------------------------- */

#define VMEM_DIRTY_RANGES 8

/* Data of an inode that was stored in place, and not flushed. */
struct vmem_dirty {
	uint64_t offset, length;	/* bytes of the store */
	uint64_t seq;			/* of the newest store to it */
};

/*
 * An inode in memory.  The caller provides the memory (usually embedded in
 * its own inode) and guarantees at most one per inode number at a time.
 * Fields are the core's; read them through the accessors below.
 */
struct vmem_inode {
	struct vmem_fs *fs;
	uint64_t ino;
	struct vmem_dinode raw;		/* as the log has it; times may be newer */
	uint64_t lsn;			/* end of the newest record that concerns it */
	uint64_t logged_ckpt;		/* checkpoint period in which data last rode in a record */
	uint64_t zeroed_lsn;		/* end of the newest record that made data unwritten; atomic */
	uint32_t seq;			/* odd: a transaction is changing the extents; atomic */
	uint32_t converted;		/* times that unwritten blocks became data; lock */
	uint32_t sync_credit;		/* > 0: fsynced lately, small appends ride in records */
	bool times_dirty;		/* raw times are newer than any record (host) */
	bool mapped_writable;		/* mmap stores may bypass us: nothing rides */
	bool ctime_seen;		/* since it changed; atomic */
	bool cut;			/* blocks behind the size are still to be freed */
	/* Data stored in place, not yet flushed (domain host); dirty_lock of the fs. */
	uint32_t nr_dirty;
	uint64_t dirty_seq;
	struct vmem_dirty dirty[VMEM_DIRTY_RANGES];
	struct vmem_inode *dirty_next, **dirty_link;
	uint64_t sync_round;
};

/*
 * An extended attribute: its prefix is index (VMEM_XATTR_* of format.h), its name
 * what follows that: 1..255 bytes without NUL; of the two access lists nothing.
 */
struct vmem_xattr;

/* Attributes, as stat(2) has them. */
struct vmem_attr {
	uint16_t mode;			/* type and permissions */
	uint32_t uid, gid, nlink, rdev, generation;
	uint64_t size, blocks;		/* bytes; 4 KiB blocks */
	int64_t atime, mtime, ctime, btime;
	uint32_t flags;			/* VMEM_FL_*, which the caller enforces */
	/* Of a new inode: extended attributes that it has from the beginning.  Otherwise ignored. */
	const struct vmem_xattr *xattrs;
	unsigned int nr_xattrs;
};

/*
 * Read inode ino into *vi.  -ESTALE: no such inode (free or out of range).
 * An unlinked inode that is still an orphan is returned with nlink 0.
 */
int vmem_iget(struct vmem_fs *fs, uint64_t ino, struct vmem_inode *vi);

/*
 * The caller forgets *vi: the last reference is gone.  Frees the inode and
 * its blocks when nlink is 0; what fails of that is done by the unmount, or
 * by calling it again.  [W]
 */
int vmem_iput(struct vmem_inode *vi);

/*
 * The caller forgets *vi, an unlinked inode, but it is not freed: it can be read by
 * vmem_iget() and put later, or the unmount frees it.  [W]
 */
void vmem_leave_orphan(struct vmem_inode *vi);

void vmem_getattr(const struct vmem_inode *vi, struct vmem_attr *attr);	/* [R] */
static inline uint64_t vmem_size(const struct vmem_inode *vi)
{
	return vmem_get64(vi->raw.size);
}

/* VMEM_FL_*.  [R] */
static inline uint32_t vmem_flags(const struct vmem_inode *vi)
{
	return vmem_get32(vi->raw.flags);
}

#define VMEM_SET_MODE	(1u << 0)	/* permission bits only */
#define VMEM_SET_UID	(1u << 1)
#define VMEM_SET_GID	(1u << 2)
#define VMEM_SET_ATIME	(1u << 3)
#define VMEM_SET_MTIME	(1u << 4)
#define VMEM_SET_CTIME	(1u << 5)
#define VMEM_SET_FLAGS	(1u << 6)

/* Change attributes by one record.  -EINVAL: unknown flags.  [W] */
int vmem_setattr(struct vmem_inode *vi, unsigned int which, const struct vmem_attr *attr);

/* The flags that an inode of this mode gets from the directory in which it is made.  [R] */
static inline uint32_t vmem_inherited_flags(const struct vmem_inode *dir, uint32_t mode)
{
	uint32_t flags = vmem_flags(dir) &
			 (VMEM_FL_SYNC | VMEM_FL_NODUMP | VMEM_FL_NOATIME | VMEM_FL_DIRSYNC);

	switch (mode >> 12) {
	case 4:
		return flags;
	case 8:
		return flags & ~VMEM_FL_DIRSYNC;
	default:
		return flags & (VMEM_FL_NODUMP | VMEM_FL_NOATIME);
	}
}

/*
 * The ctime of a change at `now`, where that of the change before is old.  The
 * clock moves in ticks: where the old one was seen, or is in a record anyway, it
 * differs all the same, so that ctime serves as a change attribute (NFS).  A
 * clock that was set back by more than a second is followed.
 */
static inline int64_t vmem_next_ctime(int64_t old, int64_t now, bool seen)
{
	if (old < now || (uint64_t)old - (uint64_t)now > 1000000000u)
		return now;
	return (int64_t)((uint64_t)old + seen);
}

/* Somebody is about to look at ctime: the next change gives it another value.  [F] */
void vmem_see_ctime(struct vmem_inode *vi);

/*
 * Store times without a record (atime updates, mmap writes): 8-byte stores,
 * durable at the next vmem_fsync in domain host.  which: VMEM_SET_?TIME; ctime
 * becomes vmem_next_ctime() of now.  [F]
 */
void vmem_touch(struct vmem_inode *vi, unsigned int which, int64_t now);

/*
 * Set the size.  Shrinking frees blocks and zeroes the rest of the last one;
 * the caller has unmapped the pages beyond, the partial one included, before.
 * Blocks that were preallocated behind the end are freed, also when the size stays.
 * Where freeing them takes several records and memory runs out, the rest is
 * freed by the next change of the inode, its vmem_iput(), or the unmount.
 * -EFBIG, -ENOSPC, -EISDIR, -EINVAL (neither file nor directory).  [W]
 */
int vmem_truncate(struct vmem_inode *vi, uint64_t size);

/* File bytes below the result stay at their addresses when vmem_truncate() sets this size.  [R] */
uint64_t vmem_truncate_keeps(const struct vmem_inode *vi, uint64_t size);

#define VMEM_FALLOC_KEEP_SIZE		0x01u	/* same values as fallocate(2) */
#define VMEM_FALLOC_PUNCH_HOLE		0x02u	/* with KEEP_SIZE */
#define VMEM_FALLOC_COLLAPSE_RANGE	0x08u
#define VMEM_FALLOC_ZERO_RANGE		0x10u
#define VMEM_FALLOC_INSERT_RANGE	0x20u
#define VMEM_FALLOC_UNSHARE_RANGE	0x40u

/*
 * fallocate(2).  Without a mode: holes of [off, off+len) get blocks, which read as
 * zeros.  After -ENOSPC no block more is held than before.  What is zeroed, punched or
 * moved is so after a failure, or is as before; only a hole in more extents than one
 * record can name (some 1500) appears from its front on by several.  For all but
 * preallocation the caller has unmapped the pages that are concerned, those that are so
 * in part included; for COLLAPSE and INSERT all from off on.
 * -EINVAL: len is 0; COLLAPSE reaches the end of the file, INSERT lies behind it, or they are
 * not of whole blocks; -EFBIG: too large, or what moves is in more extents than a
 * record can name (some 3500, 80 that are cut out); -EOPNOTSUPP: no such mode; -ENOSPC,
 * -EISDIR.  [W]
 */
int vmem_fallocate(struct vmem_inode *vi, unsigned int mode, uint64_t off, uint64_t len);
/* What it would refuse before it changes anything; all but -ENOSPC and what is too scattered.  [R] */
int vmem_may_fallocate(const struct vmem_inode *vi, unsigned int mode, uint64_t off, uint64_t len);

/* ---- Extended attributes --------------------------------------------------- */

/*
 * An inode has one set of them, names and small values in 4064 bytes; a value up
 * to 64 KiB lies in blocks of its own where it has to.  Small sets lie in the inode.
 */
struct vmem_name {
	const char *name;
	size_t len;
};

#define VMEM_XATTR_CREATE	(1u << 0)	/* same values as setxattr(2) */
#define VMEM_XATTR_REPLACE	(1u << 1)

struct vmem_xattr {
	unsigned int index;
	struct vmem_name name;
	const void *value;	/* NULL: it is removed */
	size_t size;		/* at most 65536 */
	unsigned int flags;	/* VMEM_XATTR_CREATE, _REPLACE or neither */
};

/*
 * Copies the value; returns its size.  size 0: only that.  -ENODATA: it has no such
 * attribute; -ERANGE: the value has more than size bytes; -EINVAL: no such name.  [F]
 */
int64_t vmem_getxattr(struct vmem_inode *vi, unsigned int index, struct vmem_name name,
		      void *buf, size_t size);

/*
 * Set and remove nr attributes of different names, and of the inode what `which` says
 * (VMEM_SET_*, attr; 0: nothing), by one record; ctime becomes now unless `which` has
 * it.  -ENODATA: there is none to remove or replace; -EEXIST; -E2BIG: a value has more
 * than 64 KiB; -ERANGE: a name has more than 255 bytes; -EINVAL: it is none; -ENOSPC:
 * the set is full, or the store, or what is free is in too many pieces.  [W]
 */
int vmem_setxattr(struct vmem_inode *vi, const struct vmem_xattr *x, unsigned int nr,
		  unsigned int which, const struct vmem_attr *attr);

/* One call per attribute, in the order of index and name; non-zero stops.  Locks are held. */
typedef int (*vmem_fillxattr)(void *ctx, unsigned int index, struct vmem_name name);

/* All of them.  0, or what fill() said.  [F] */
int vmem_listxattr(struct vmem_inode *vi, vmem_fillxattr fill, void *ctx);

/* Has it none at all?  No lock is taken.  [F] */
static inline bool vmem_lacks_xattrs(const struct vmem_inode *vi)
{
	return !vmem_get64(vi->raw.xattr) && !vi->raw.xattr_units;
}

/* ---- Names ---------------------------------------------------------------- */

/* Names are 1..255 bytes, not "." or "..", and contain neither '/' nor NUL;
 * the core answers -EINVAL or -ENAMETOOLONG otherwise. */

/*
 * 0 and *ino, *type (DT_*; may be NULL); -ENOENT; -EUCLEAN also when the inode
 * is not what the entry says.  [R] dir
 */
int vmem_lookup(struct vmem_inode *dir, struct vmem_name name, uint64_t *ino,
		unsigned int *type);

/*
 * Make a file of any kind but a symlink: attr gives mode (with type), uid,
 * gid and, of a device, rdev; size, times, nlink are set by the core.  *vi
 * becomes the new inode.  -EINVAL (no such type), -EEXIST, -ENOSPC, -EMLINK.
 * [W] dir
 */
int vmem_create(struct vmem_inode *dir, struct vmem_name name,
		const struct vmem_attr *attr, struct vmem_inode *vi);

/* target: 1..4095 bytes without NUL.  -ENAMETOOLONG, as vmem_create.  [W] dir */
int vmem_symlink(struct vmem_inode *dir, struct vmem_name name,
		 const char *target, size_t target_len,
		 const struct vmem_attr *attr, struct vmem_inode *vi);

/* Copies up to size bytes, returns the length of the target.  [R] */
int vmem_readlink(struct vmem_inode *vi, char *buf, size_t size);

/* -EEXIST, -EMLINK, -EPERM (a directory), -ENOENT (nlink is 0).  [W] dir, vi */
int vmem_link(struct vmem_inode *dir, struct vmem_name name, struct vmem_inode *vi);

/* Make an unlinked regular file (O_TMPFILE); vmem_link() may name it.  [W] dir not changed */
int vmem_tmpfile(struct vmem_fs *fs, const struct vmem_attr *attr, uint64_t near_ino,
		 struct vmem_inode *vi);

/* vi is what name leads to.  -ENOENT, -EISDIR.  [W] dir, vi */
int vmem_unlink(struct vmem_inode *dir, struct vmem_name name, struct vmem_inode *vi);

/* -ENOTEMPTY, -ENOTDIR, -ENOENT.  [W] dir, vi */
int vmem_rmdir(struct vmem_inode *dir, struct vmem_name name, struct vmem_inode *vi);

#define VMEM_RENAME_NOREPLACE	(1u << 0)	/* same values as renameat2(2) */
#define VMEM_RENAME_EXCHANGE	(1u << 1)

/*
 * Rename, by one record, victim included.  vi is what from leads to; victim
 * is what to leads to, or NULL.  -EINVAL: a directory would move below itself;
 * -ENOENT, -EEXIST, -ENOTEMPTY, -ENOTDIR, -EISDIR, -ENOSPC, -EMLINK.  [W] all
 * four; from_dir may equal to_dir.  If they differ, no directory above them
 * may move meanwhile.
 */
int vmem_rename(struct vmem_inode *from_dir, struct vmem_name from, struct vmem_inode *vi,
		struct vmem_inode *to_dir, struct vmem_name to, struct vmem_inode *victim,
		unsigned int flags);

/* A new character device, as by vmem_create(): *vi becomes it. */
struct vmem_whiteout {
	const struct vmem_attr *attr;
	struct vmem_inode *vi;
};

/*
 * As vmem_rename() without VMEM_RENAME_EXCHANGE, and by the same record `from` leads to
 * the whiteout.  -EINVAL, too: that is no character device, or victim is vi.  [W] all four
 */
int vmem_rename_whiteout(struct vmem_inode *from_dir, struct vmem_name from, struct vmem_inode *vi,
			 struct vmem_inode *to_dir, struct vmem_name to, struct vmem_inode *victim,
			 unsigned int flags, const struct vmem_whiteout *white);

/*
 * One call per entry; non-zero stops (that entry was not taken).  cookie is
 * the position of this entry: pass it to come back to it.
 */
typedef int (*vmem_filldir)(void *ctx, const char *name, size_t len, uint64_t ino,
			    unsigned int type, uint64_t cookie);

/*
 * Entries from *cookie on (0 = start), in hash order, "." and ".." first.
 * On return *cookie is the position of the next entry, INT64_MAX at the end.
 * An entry present throughout is seen exactly once.  [R]
 */
int vmem_readdir(struct vmem_inode *dir, uint64_t *cookie, vmem_filldir fill, void *ctx);

/* The directory that holds this one; the root's is the root.  -ENOENT: it is removed.  [R] */
int vmem_parent(const struct vmem_inode *dir, uint64_t *ino);

/* Is dir top, or somewhere below it?  No directory above dir may move meanwhile.  [R] */
int vmem_is_below(const struct vmem_inode *dir, const struct vmem_inode *top, bool *below);

/*
 * The absolute path of a directory, with a NUL; its length without.  -ERANGE:
 * longer than size; -ENOENT: it is removed.  No directory above dir may change
 * meanwhile.  [R]
 */
int64_t vmem_dirpath(const struct vmem_inode *dir, char *buf, size_t size);

/* ---- Data ----------------------------------------------------------------- */

/*
 * Moves up to len bytes between the store at addr and the caller's buffer,
 * which it advances; returns the bytes moved, fewer on a fault.  For writes
 * it must reach the domain pmem by itself when the backing is DAX
 * (write back or store non-temporally).  Called without locks.
 */
typedef size_t (*vmem_copy)(void *ctx, void *addr, size_t len);

/* Read.  Bytes moved, 0 at or after the end of file; -EFAULT, -EISDIR.  Holes
 * are passed to copy as zeros outside the store.  [R] */
int64_t vmem_read(struct vmem_inode *vi, uint64_t off, size_t len, vmem_copy copy, void *ctx);

/*
 * Write; updates size, mtime and ctime.  Bytes written, fewer than len only
 * after -ENOSPC or a fault in the middle; -ENOSPC, -EFBIG, -EFAULT, -EISDIR.
 * New blocks appear by one record for up to 8 MiB, by more where the file or the
 * free space is in many pieces; overwritten bytes go in place and are never
 * copied.  [W]
 */
int64_t vmem_write(struct vmem_inode *vi, uint64_t off, size_t len, vmem_copy copy, void *ctx);

/*
 * As vmem_write(), where that needs neither a record nor a lock that somebody
 * holds: of bytes that the file has in place, as many as lie together.  -EAGAIN:
 * nothing was done, it may have to wait, or would fail; -EFAULT.  [W]
 */
int64_t vmem_write_nowait(struct vmem_inode *vi, uint64_t off, size_t len, vmem_copy copy,
			  void *ctx);

/* Would a vmem_read() wait now for somebody who changes the file system?  [F] */
bool vmem_would_wait(struct vmem_fs *fs);

enum vmem_kind {
	VMEM_HOLE,		/* zeros, no block */
	VMEM_DATA,
	VMEM_UNWRITTEN,		/* zeros, too: what its blocks hold is nobody's to see */
};

/* A piece of a file's mapping. */
struct vmem_map {
	uint64_t lblk;		/* first block of the file */
	uint64_t nr;		/* blocks, > 0 */
	uint64_t pblk;		/* block of the store that it has; 0 = hole */
	uint64_t next_to;	/* hole: behind the block of lblk - 1; 0 = that is a hole, too */
	enum vmem_kind kind;
};

/* Where the bytes of the piece lie; NULL: they are zeros. */
static inline uint8_t *vmem_map_addr(const struct vmem_store *store, const struct vmem_map *map)
{
	return map->kind == VMEM_DATA ? store->base + (map->pblk << VMEM_BLOCK_SHIFT) : NULL;
}

/* What file block lblk lies in, at most max blocks of it.  [R] [F] */
int vmem_map(struct vmem_inode *vi, uint64_t lblk, uint64_t max, struct vmem_map *map);

/*
 * As vmem_map, for a store through a mapping: what is no data becomes zeroed blocks
 * first (at most max).  Remembers that mapped stores bypass the core.
 * -ENOSPC; -EINVAL: a preallocated block behind the end of file.  [F]
 */
int vmem_map_write(struct vmem_inode *vi, uint64_t lblk, uint64_t max, struct vmem_map *map);

/* Bytes of a file that lie at consecutive addresses of the store. */
struct vmem_span {
	uint8_t *addr;		/* NULL: a hole */
	uint64_t len;
};

/*
 * The bytes from off on that lie at consecutive addresses, or in one hole; at
 * most len.  With `fill` holes become zeroed blocks first, as by
 * vmem_map_write(): only then it shows whether these fit on to the others.
 * After -ENOSPC *span tells how far it went all the same.  -EINVAL: len is 0, or
 * reaches behind the last block of the file.  [R] [F]
 */
int vmem_find_span(struct vmem_inode *vi, uint64_t off, uint64_t len, bool fill,
		   struct vmem_span *span);

/*
 * Lay the file out so that [off, off+len) is one span; off is a multiple of 4 KiB.
 * A hole gets one run of zeroed blocks, by one record; the file grows to
 * off+len if it was shorter.  0, too, when it lies so already.  -ENOSPC: no free
 * run is as long; -EEXIST: data lies there, but elsewhere; -EFBIG, -EINVAL.  [W]
 */
int vmem_layout(struct vmem_inode *vi, uint64_t off, uint64_t len);

/* SEEK_DATA / SEEK_HOLE of lseek(2): new offset or -ENXIO.  [R] */
int64_t vmem_seek(struct vmem_inode *vi, uint64_t off, bool hole);

/*
 * Bytes [off, off+len) of the file were or will be stored through a mapping:
 * the next vmem_fsync flushes them.  Free in the domains guest and pmem.  [F]
 */
void vmem_mark_dirty(struct vmem_inode *vi, uint64_t off, uint64_t len);

/*
 * Make the inode durable in the mount's domain: data, and metadata unless
 * datasync and only times changed.  Joins the running group commit.  One
 * host flush when nothing it linked lies outside the log, two otherwise,
 * none when nothing changed.  [F]
 */
int vmem_fsync(struct vmem_inode *vi, bool datasync);

#endif /* VMEM_H */
