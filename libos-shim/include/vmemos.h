/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * vmemos.h - vmemfs as a library: the whole contract
 *
 * Link libvmemos.a into a unikernel, or into a process, and it has durable
 * files, and the addresses of their bytes, in a store that is plain memory.
 * The library is freestanding: the world reaches it through one struct of
 * functions (struct vmemos_platform), its memory is an arena that the caller
 * gives, and it starts no threads.
 *
 * Conventions
 *  - Results are 0, a count or an offset, or a negative errno with Linux'
 *    values.  Named at a call are those that need a word; it may also return
 *    those of Linux' call of the same name (but none about permissions), and
 *    any may return -ENOMEM (the arena is full), -EUCLEAN (the image is damaged;
 *    the mount turns read-only: run fsck.vmemfs), -EROFS, -EIO (a host flush
 *    failed; sticky, unmount).
 *  - Offsets and sizes are bytes; times are nanoseconds since 1970 UTC.
 *  - Durability.  A call that returned survives the guest at once (kernel,
 *    QEMU, or the process of the host port killed).  What survives the host
 *    is said by the mount's domain: VMEMOS_DOMAIN_HOST: everything before the
 *    last vmemos_fsync() of that file, vmemos_persist() or vmemos_sync() that
 *    returned; VMEMOS_DOMAIN_PMEM: every call that returned;
 *    VMEMOS_DOMAIN_GUEST: nothing is promised.
 *  - An operation on names is done entirely or not at all, whatever fails.
 *    Overwritten bytes are not atomic: a failure may leave a part of them.
 *  - No permission checks: whoever links the library is root.
 *
 * Threads.  None needed.  Those that have them give the lock functions; then
 * any call may come from any thread, but a handle must not be closed, nor an
 * area released, while another call uses it.  fsync, persist and sync wait for
 * the host outside the library's lock, so that others go on, and join a group
 * commit; a checkpoint (log or arena full) and the provisioning of a thin store,
 * which any call that changes something may meet, hold the others up.
 * Nothing may be called from interrupts or signal handlers.
 */
#ifndef VMEMOS_H
#define VMEMOS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The platform ---------------------------------------------------------- */

/* A part of the store: bytes from its start. */
struct vmemos_range {
	uint64_t offset;
	uint64_t length;
};

/* Ranges in two parts, and a mark in between. */
struct vmemos_commit {
	const struct vmemos_range *ranges;
	unsigned int nr_first;		/* of the first part, > 0 */
	unsigned int nr;		/* of both, > nr_first */
	uint64_t mark_offset;		/* from the start of the store, a multiple of 8 */
	uint64_t mark_value;		/* stored there by one 8-byte store */
};

/* What holds the store; a vmemstore device says it (docs/device.md). */
enum vmemos_backing {
	VMEMOS_BACKING_PAGE_CACHE = 1,	/* the host's page cache; domains HOST, GUEST */
	VMEMOS_BACKING_DAX = 2,		/* persistent memory; domain PMEM */
	VMEMOS_BACKING_VOLATILE = 3,	/* lost with the host; domain GUEST */
};

enum vmemos_log_level { VMEMOS_LOG_ERR, VMEMOS_LOG_WARN, VMEMOS_LOG_INFO };

/*
 * Where the platforms here map the store.  With the same base at each start
 * raw pointers into the store survive reboots.  It is far from everything
 * that a Linux process or the own platform maps, AddressSanitizer's shadow
 * included (ThreadSanitizer's is there: it cannot be used with this base).
 */
#define VMEMOS_BASE		0x200000000000ull

#define VMEMOS_GENERATION_LEN	16

/*
 * Everything that the library asks of its surroundings.  Owned by the caller;
 * must stay in place and unchanged while mounted.  Fields that are not named
 * here must be zero, so that later ones can mean "not there" by it.
 */
struct vmemos_platform {
	void *ctx;		/* the platform's own */

	/* The store: mapped at base, 4 KiB aligned, writable unless read_only. */
	void *base;
	uint64_t size;
	enum vmemos_backing backing;
	bool read_only;
	/* Changes whenever the host's page cache may have been lost; zeros: not known. */
	uint8_t generation[VMEMOS_GENERATION_LEN];

	/*
	 * Make these ranges host-durable and return when they are: 0 or -EIO.
	 * Called by several threads at once if there are some, with the library's
	 * lock held or not.  PAGE_CACHE only; NULL: domain GUEST is all there is.
	 */
	int (*flush)(struct vmemos_platform *p, const struct vmemos_range *ranges,
		     unsigned int nr);

	/*
	 * Make the first part host-durable, then store the mark, then make the
	 * second part durable, by one request to the host, which stores the
	 * mark.  Called as flush is; beside it.  0 or -EIO; -EOPNOTSUPP: not this
	 * one, nothing has happened.  NULL: two flushes do it.
	 */
	int (*commit)(struct vmemos_platform *p, const struct vmemos_commit *c);

	/*
	 * Thin store: have the host find room for the range before it is stored to.
	 * 0, -ENOSPC or -EIO.  Called with the library's lock.  NULL: the store has
	 * all its room.
	 */
	int (*provision)(struct vmemos_platform *p, const struct vmemos_range *range);

	/* DAX only, else NULL: write back the cache lines of [addr, addr+len) ... */
	void (*writeback)(struct vmemos_platform *p, const void *addr, size_t len);
	/* ... and order and drain earlier write-backs. */
	void (*drain)(struct vmemos_platform *p);

	/* Wall clock in ns. */
	int64_t (*now)(struct vmemos_platform *p);

	/* Unpredictable bytes: they tell records of one mount from those of another. */
	void (*random)(struct vmemos_platform *p, void *buf, size_t len);

	/* One complete line without newline, as people should read it.  NULL: silence. */
	void (*log)(struct vmemos_platform *p, enum vmemos_log_level level, const char *line);

	/* Standard output of programs that have no libc; the library itself never uses it. */
	void (*console)(struct vmemos_platform *p, const char *text, size_t len);

	/*
	 * Sleeping read-write locks; all six or none.  lock_new returns NULL when
	 * there is no memory.
	 */
	void *(*lock_new)(struct vmemos_platform *p);
	void (*lock_free)(struct vmemos_platform *p, void *lock);
	void (*lock)(void *lock);
	void (*unlock)(void *lock);
	void (*lock_shared)(void *lock);
	void (*unlock_shared)(void *lock);

	/*
	 * All memory that the library uses, aligned to 64 bytes.  At least
	 * VMEMOS_ARENA_MIN, and 5 KiB for each 128 MiB of the store.  Metadata
	 * that changed since the last checkpoint is kept there: with less than
	 * VMEMOS_ARENA_GOOD a burst of changes may make checkpoints early.  Each
	 * open file takes about 1 KiB.
	 */
	void *arena;
	size_t arena_size;
};

#define VMEMOS_ARENA_MIN	((size_t)2 << 20)
#define VMEMOS_ARENA_GOOD	((size_t)48 << 20)

/* ---- Mounting -------------------------------------------------------------- */

struct vmemos;			/* a mounted store */
struct vmemos_file;		/* an open file, directory or other inode */

enum vmemos_domain {
	VMEMOS_DOMAIN_DEFAULT = 0,	/* the strongest that the backing offers */
	VMEMOS_DOMAIN_GUEST = 1,
	VMEMOS_DOMAIN_HOST = 2,
	VMEMOS_DOMAIN_PMEM = 3,
};

struct vmemos_mount_opts {
	enum vmemos_domain domain;
	bool read_only;
};

/* Counters since mount. */
struct vmemos_counters {
	uint64_t records, record_bytes;	/* operations logged */
	uint64_t commits;		/* groups closed */
	uint64_t flushes, flush_ranges, flush_bytes; /* calls of platform->flush and commit */
	uint64_t checkpoints;
	uint64_t arena_used, arena_peak;
};

struct vmemos_statfs {
	uint64_t blocks, free_blocks, avail_blocks;	/* of 4096 bytes */
	uint64_t inodes, free_inodes;
	uint8_t uuid[16];
	char label[65];
	uint32_t name_max;				/* 255 */
};

/*
 * Mount the store, replaying its log and freeing what was unlinked but open
 * when it was left.  opts may be NULL.  Without a log function the errors
 * mean: -EINVAL: no vmemfs in there (mkfs.vmemfs), or the platform struct is
 * incomplete; -EPROTONOSUPPORT: other version; -EUCLEAN: damaged, or the host
 * failed under domain GUEST (fsck.vmemfs); -EOPNOTSUPP: the backing does not
 * offer that domain; -ENOSPC: thin store, and the host is full.
 */
int vmemos_mount(struct vmemos_platform *platform, const struct vmemos_mount_opts *opts,
		 struct vmemos **fs);

/*
 * Everything durable, marked clean; after damage: what was stored is durable, and
 * the mark says damaged.  -EBUSY: files are open or areas acquired, it is still
 * mounted.  After any other result it is gone, and must not be used any more.
 */
int vmemos_umount(struct vmemos *fs);

int vmemos_sync(struct vmemos *fs);
void vmemos_statfs(struct vmemos *fs, struct vmemos_statfs *st);
void vmemos_get_counters(struct vmemos *fs, struct vmemos_counters *c);
enum vmemos_domain vmemos_get_domain(struct vmemos *fs);

/* ---- Paths and handles ------------------------------------------------------ */

/*
 * Paths are NUL-terminated, components up to 255 bytes, the whole up to 4095.
 * A relative path starts at the directory handle `at`; an absolute one at the
 * root, whatever `at` is.  The root is always open: vmemos_root().  Symbolic
 * links are followed, up to 40, except a last component where it says so.
 *
 * New files belong to root.  NULL in place of a path means the inode of `at`
 * itself, where a call takes one that exists: stat, setattr, link (from),
 * readlink.
 *
 * Any path call may return -ENOENT, -ENOTDIR, -ELOOP, -ENAMETOOLONG.
 */

/* The handle of the root directory; never closed. */
struct vmemos_file *vmemos_root(struct vmemos *fs);

/* Flags of open(2), with Linux' values on x86-64; others are ignored. */
#define VMEMOS_O_RDONLY		0
#define VMEMOS_O_WRONLY		01
#define VMEMOS_O_RDWR		02
#define VMEMOS_O_ACCMODE	03
#define VMEMOS_O_CREAT		0100
#define VMEMOS_O_EXCL		0200
#define VMEMOS_O_TRUNC		01000
#define VMEMOS_O_APPEND		02000
#define VMEMOS_O_DSYNC		010000		/* each write is an fdatasync, too */
#define VMEMOS_O_DIRECTORY	0200000
#define VMEMOS_O_NOFOLLOW	0400000		/* a symlink as last component: -ELOOP */
#define VMEMOS_O_SYNC		04010000
#define VMEMOS_O_PATH		010000000	/* any kind of inode, for *at, stat, readlink */
#define VMEMOS_O_TMPFILE	020200000	/* path is a directory; the file has no name */

/* File types and permissions, as st_mode of Linux. */
#define VMEMOS_S_IFMT		0170000
#define VMEMOS_S_IFIFO		0010000
#define VMEMOS_S_IFCHR		0020000
#define VMEMOS_S_IFDIR		0040000
#define VMEMOS_S_IFBLK		0060000
#define VMEMOS_S_IFREG		0100000
#define VMEMOS_S_IFLNK		0120000
#define VMEMOS_S_IFSOCK		0140000

struct vmemos_stat {
	uint64_t ino;
	uint32_t mode, nlink, uid, gid;
	uint32_t rdev;			/* as Linux' new_encode_dev() */
	uint32_t generation;
	uint64_t size, blocks;		/* bytes; 4096-byte blocks held */
	int64_t atime, mtime, ctime, btime;
};

/*
 * Open, and make when O_CREAT says so; mode: permissions of a new file.
 * -EEXIST, -EISDIR (a directory for writing), -ENXIO (a fifo, socket or
 * device without O_PATH: the library has none), -EBUSY (O_TRUNC of an acquired
 * file), -ENOSPC.
 */
int vmemos_open(struct vmemos_file *at, const char *path, unsigned int flags,
		unsigned int mode, struct vmemos_file **file);

/* The last handle, and area, of an unlinked file frees it; where memory does not
 * suffice for that a later call does it, or the unmount. */
int vmemos_close(struct vmemos_file *file);

/* Change O_APPEND of an open file (fcntl F_SETFL); other bits are ignored. */
void vmemos_set_append(struct vmemos_file *file, bool append);

/* At the position of the handle, which moves on.  Bytes moved; short at the
 * end of file, or when the store is full.  -EBADF, -EISDIR, -ENOSPC, -EFBIG. */
int64_t vmemos_read(struct vmemos_file *file, void *buf, size_t len);
int64_t vmemos_write(struct vmemos_file *file, const void *buf, size_t len);
int64_t vmemos_pread(struct vmemos_file *file, void *buf, size_t len, uint64_t off);
int64_t vmemos_pwrite(struct vmemos_file *file, const void *buf, size_t len, uint64_t off);

enum vmemos_whence {
	VMEMOS_SEEK_SET = 0, VMEMOS_SEEK_CUR = 1, VMEMOS_SEEK_END = 2,
	VMEMOS_SEEK_DATA = 3, VMEMOS_SEEK_HOLE = 4,
};

/* The new position; -EINVAL, -ENXIO.  Of a directory: SEEK_SET of 0 or of a
 * position that vmemos_readdir() gave. */
int64_t vmemos_lseek(struct vmemos_file *file, int64_t off, enum vmemos_whence whence);

/* The file, its size and attributes, and the name that it was made with, are
 * durable (data_only: not its times, if nothing else changed).
 * No host flush when nothing changed, one or two otherwise. */
int vmemos_fsync(struct vmemos_file *file, bool data_only);

/* -EBUSY: the file would shrink into an acquired or borrowed range; -EFBIG. */
int vmemos_ftruncate(struct vmemos_file *file, uint64_t size);

/* Modes of fallocate(2), with its numbers. */
#define VMEMOS_FALLOC_KEEP_SIZE		0x01u
#define VMEMOS_FALLOC_PUNCH_HOLE	0x02u	/* with KEEP_SIZE */
#define VMEMOS_FALLOC_COLLAPSE_RANGE	0x08u
#define VMEMOS_FALLOC_ZERO_RANGE	0x10u
#define VMEMOS_FALLOC_INSERT_RANGE	0x20u
#define VMEMOS_FALLOC_UNSHARE_RANGE	0x40u

/*
 * As fallocate(2); mode 0: blocks in advance.  -EBUSY: bytes would become zeros, or move,
 * in an acquired or borrowed range; -EBADF: not open for writing; -EINVAL: len is 0, or a
 * piece to be cut out or put in is not of whole blocks or not inside the file;
 * -EFBIG, -ENOSPC, -EISDIR, -EOPNOTSUPP: no such mode.
 */
int vmemos_fallocate(struct vmemos_file *file, unsigned int mode, uint64_t off, uint64_t len);

#define VMEMOS_NOFOLLOW		0x100u	/* the symlink itself (AT_SYMLINK_NOFOLLOW) */

/* Other bits of flags are ignored. */
int vmemos_stat(struct vmemos_file *at, const char *path, unsigned int flags,
		struct vmemos_stat *st);

static inline int vmemos_fstat(struct vmemos_file *file, struct vmemos_stat *st)
{
	return vmemos_stat(file, NULL, 0, st);
}

/* Which fields of *st to set. */
#define VMEMOS_SET_MODE		(1u << 0)	/* permission bits */
#define VMEMOS_SET_UID		(1u << 1)
#define VMEMOS_SET_GID		(1u << 2)
#define VMEMOS_SET_ATIME	(1u << 3)
#define VMEMOS_SET_MTIME	(1u << 4)

int vmemos_setattr(struct vmemos_file *at, const char *path, unsigned int flags,
		   unsigned int which, const struct vmemos_stat *st);

int vmemos_mkdir(struct vmemos_file *at, const char *path, unsigned int mode);
/* A fifo, socket, device or regular file; mode with its type. */
int vmemos_mknod(struct vmemos_file *at, const char *path, unsigned int mode, uint32_t rdev);
/* -EISDIR; -EBUSY is never returned: open and acquired files live on, unnamed. */
int vmemos_unlink(struct vmemos_file *at, const char *path);
/* -ENOTEMPTY, -EBUSY (the root), -EINVAL ("."). */
int vmemos_rmdir(struct vmemos_file *at, const char *path);

#define VMEMOS_RENAME_NOREPLACE	(1u << 0)	/* as renameat2(2) */
#define VMEMOS_RENAME_EXCHANGE	(1u << 1)

/* Atomic, a replaced file included.  -EINVAL (below itself), -EEXIST,
 * -ENOTEMPTY, -EISDIR, -EBUSY ("." or ".."). */
int vmemos_rename(struct vmemos_file *from_at, const char *from, struct vmemos_file *to_at,
		  const char *to, unsigned int flags);

/* A hard link; the last component of from is not followed.  from NULL: a name
 * for an open file, O_TMPFILE's for example.  -EPERM, -EEXIST. */
int vmemos_link(struct vmemos_file *from_at, const char *from, struct vmemos_file *to_at,
		const char *to);
int vmemos_symlink(const char *target, struct vmemos_file *at, const char *path);
/* Length of the target; up to size bytes are stored, no NUL is added.  -EINVAL. */
int64_t vmemos_readlink(struct vmemos_file *at, const char *path, char *buf, size_t size);

struct vmemos_dirent {
	uint64_t ino;
	int64_t next;			/* position behind this entry, for vmemos_lseek() */
	uint8_t type;			/* DT_* of dirent.h */
	uint8_t len;
	char name[256];			/* NUL-terminated */
};

/* The next entry, "." and ".." first: 1, or 0 at the end. */
int vmemos_readdir(struct vmemos_file *dir, struct vmemos_dirent *entry);

/* Absolute path of an open directory.  Its length; -ERANGE, -ENOENT (removed), -ENOTDIR. */
int64_t vmemos_dirpath(struct vmemos_file *dir, char *buf, size_t size);

/* ---- The single-level store ------------------------------------------------- */

/*
 * Bytes of a file as addresses in the store: no copy, no cache.
 *
 * borrow	read-only and short: a look at bytes, given back soon.
 * area		acquired, writable, until released: a mapping.
 *
 * What others do to the file meanwhile, by this library:
 *   write	seen at once: the addresses are the file.
 *   rename	nothing changes: data does not move.
 *   unlink, rename over it, close
 *		the storage lives until the last area is released or borrow is
 *		given back; stores to it remain visible through what is open.
 *   truncate, O_TRUNC
 *		to a size below the end of an area or borrow, or into its last
 *		block: refused, -EBUSY, nothing changes.  Growing is free.
 *   umount	refused, -EBUSY.
 */

/*
 * Look at the file from off on.  *addr is the address of the byte at off, the
 * result how many bytes follow it there (at most len; ask again for more), 0
 * at the end of file.  A hole gives zeros that are not in the store.  Each
 * success but 0 needs one vmemos_give_back() before the handle is closed.
 * -EBADF, -EISDIR.
 */
int64_t vmemos_borrow(struct vmemos_file *file, uint64_t off, size_t len, const void **addr);
void vmemos_give_back(struct vmemos_file *file);

/*
 * Lay the file out so that [off, off+len) lies at consecutive addresses of
 * the store: where there are holes only, one run of zeroed blocks is linked by
 * one record; the file grows to off+len if it was shorter.  off is a multiple
 * of 4096.  0 also when it lies so already.  -ENOSPC: no free run is as long
 * (VMEMOS_LAYOUT_MAX at most); -EEXIST: data lies there, but elsewhere; -EINVAL:
 * off, or len 0; -EFBIG.
 */
int vmemos_layout(struct vmemos_file *file, uint64_t off, uint64_t len);

/* A run does not cross an allocation group: 128 MiB less 2 MiB of metadata. */
#define VMEMOS_LAYOUT_MAX	((uint64_t)126 << 20)

#define VMEMOS_READ		(1u << 0)	/* never stored to; holes stay holes */
#define VMEMOS_WHOLE		(1u << 1)	/* all of it at one address, or -EXDEV */

/* An acquired range.  The caller provides the memory and reads the first three. */
struct vmemos_area {
	void *addr;		/* of the byte at off; NULL: a hole (VMEMOS_READ only) */
	uint64_t off;		/* in the file */
	uint64_t len;		/* at most what was asked for */
	unsigned int flags;
	struct vmemos_inode *inode;
	struct vmemos_area *next, **link;
};

/*
 * Acquire file bytes from off on: as many of len as lie at consecutive
 * addresses (acquire what follows by another area).  Holes become zeroed
 * blocks.  The range must lie in the file's blocks: -EINVAL behind the last one
 * (bytes behind the end in the last block are accessible, but not part of it).  The
 * area stays when the handle is closed.  -EBADF (not open for that),
 * -EISDIR, -ENOSPC, -EXDEV.
 */
int vmemos_acquire(struct vmemos_file *file, uint64_t off, uint64_t len, unsigned int flags,
		   struct vmemos_area *area);

/*
 * What was stored at [addr, addr+len) of the area is durable in the mount's
 * domain, and so is what the file needs to reach it.  One host flush of these
 * bytes' pages (and one of the log, when the file itself changed since its last
 * fsync); none in the domains GUEST and PMEM.  -EINVAL: not in the area.
 */
int vmemos_persist(struct vmemos_area *area, const void *addr, size_t len);

/* The addresses must not be used any more.  A later fsync of the file, or
 * vmemos_sync(), makes durable what was stored and not persisted. */
int vmemos_release(struct vmemos_area *area);

/* ---- For programs without a libc -------------------------------------------- */

/*
 * printf with %s %c %d %i %u %x %p %%, l, ll and z, width and zero padding.  Stores at
 * most size bytes, NUL included; returns the length that it would have had.
 */
size_t vmemos_vformat(char *buf, size_t size, const char *fmt, va_list ap);
size_t vmemos_format(char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* To platform->console, lines up to 511 bytes. */
void vmemos_printf(struct vmemos_platform *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * The program.  The own platform (libos-shim/platform) and the host harness
 * (libvmemos_main.a: PROGRAM IMAGE WORD...) start it with a platform that is
 * ready but not mounted.  argv[0] is the first word, not the program's name;
 * the result is the exit status.
 */
int vmemos_main(struct vmemos_platform *p, int argc, char **argv);

/* ---- Port: a process of the host (libvmemos_host.a, -lpmem) ------------------ */

/*
 * Map an image (regular file, or block device) at VMEMOS_BASE and fill in
 * *p: the store, its flush by msync of ranges, clock, random numbers, log to
 * standard error, pthread locks, an arena.  Locks the image as the device and
 * the tools do.  0, or a negative errno after one line that says what is
 * wrong: that of open(2), -EBUSY (in use), -EINVAL (it can hold no image), -EEXIST
 * (the addresses are taken).
 */
int vmemos_host_open(struct vmemos_platform *p, const char *path);
/* After vmemos_umount(). */
void vmemos_host_close(struct vmemos_platform *p);

#ifdef __cplusplus
}
#endif

#endif /* VMEMOS_H */
