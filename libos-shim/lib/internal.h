/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * internal.h - what the files of the library share
 *
 * Reading order: env.c (mount; the core's surroundings), arena.c, inode.c,
 * path.c, file.c, name.c, area.c.
 *
 * Locks, in the order they are taken: fs->lock, then the core's own, then the
 * arena's.  fs->lock is held exclusively by every call but those that only
 * read through a handle (shared) and those that make durable (none, but the
 * calls above, too, may have to wait for the host: a checkpoint, a provision).
 */
#ifndef VMEMOS_INTERNAL_H
#define VMEMOS_INTERNAL_H

#include "vmem.h"
#include "vmemos.h"

#define VMEMOS_ORDERS		34u	/* 64 bytes to 512 GiB */
#define VMEMOS_BUCKETS		256u
#define VMEMOS_IDLE_MAX		64u	/* inodes that are kept although nobody uses them */
#define VMEMOS_PATH_MAX		4096u
#define VMEMOS_MAX_LINKS	40u

/* A buddy allocator in the caller's arena. */
struct vmemos_chunk {
	struct vmemos_chunk *next, **link;
};

struct vmemos_arena {
	void *lock;
	uint8_t *base;			/* units of 64 bytes follow */
	uint8_t *tags;			/* per unit: order + 1 of the free chunk that starts there */
	size_t units;
	struct vmemos_chunk *free[VMEMOS_ORDERS];
	uint64_t used, peak;		/* bytes */
};

/* An inode in memory: open, acquired, or remembered. */
struct vmemos_inode {
	struct vmem_inode core;
	struct vmemos *fs;
	struct vmemos_inode *hash_next;
	uint32_t refs;			/* 0: idle */
	uint32_t borrows;
	uint64_t borrowed_end;		/* no borrow reaches behind it */
	struct vmemos_area *areas;
};

struct vmemos_file {
	struct vmemos_inode *inode;
	unsigned int flags;
	uint64_t pos;
};

struct vmemos {
	struct vmemos_platform *platform;
	struct vmem_store store;
	struct vmem_env env;
	struct vmem_fs *core;
	struct vmemos_arena arena;
	void *lock;
	struct vmemos_inode *hash[VMEMOS_BUCKETS];
	unsigned int nr_idle, hand;	/* hand: the bucket that gives one up next */
	struct vmemos_inode *nameless;	/* unlinked, unused: their storage is to be freed */
	unsigned int nr_files;		/* handles but the root's */
	unsigned int nr_areas;
	struct vmemos_file root;
};

static inline void vmemos_lock_it(struct vmemos *fs, void *lock)
{
	if (lock)
		fs->platform->lock(lock);
}

static inline void vmemos_unlock_it(struct vmemos *fs, void *lock)
{
	if (lock)
		fs->platform->unlock(lock);
}

static inline void vmemos_lock(struct vmemos *fs)
{
	vmemos_lock_it(fs, fs->lock);
}

static inline void vmemos_unlock(struct vmemos *fs)
{
	vmemos_unlock_it(fs, fs->lock);
}

static inline void vmemos_lock_shared(struct vmemos *fs)
{
	if (fs->lock)
		fs->platform->lock_shared(fs->lock);
}

static inline void vmemos_unlock_shared(struct vmemos *fs)
{
	if (fs->lock)
		fs->platform->unlock_shared(fs->lock);
}

static inline uint64_t vmemos_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline unsigned int vmemos_type(const struct vmemos_inode *inode)
{
	return vmem_get16(inode->core.raw.mode) & VMEMOS_S_IFMT;
}

static inline bool vmemos_is_dir(const struct vmemos_inode *inode)
{
	return vmemos_type(inode) == VMEMOS_S_IFDIR;
}

/* ---- arena.c ---- */

/* The arena's memory, with struct vmemos in front; NULL: it is too small. */
struct vmemos *vmemos_arena_init(struct vmemos_platform *p);
/* As struct vmem_env has them.  Memory is zeroed. */
void *vmemos_alloc(const struct vmem_env *env, size_t size);
void vmemos_free(const struct vmem_env *env, void *mem, size_t size);

/* ---- inode.c: fs->lock is held exclusively ---- */

int vmemos_iget(struct vmemos *fs, uint64_t ino, struct vmemos_inode **inode);
void vmemos_ihold(struct vmemos_inode *inode);
/* Its last user frees it, and its storage, when it has no name. */
void vmemos_iput(struct vmemos_inode *inode);
/* Memory for an inode that the core is about to make, and its end: made or not. */
struct vmemos_inode *vmemos_inew(struct vmemos *fs);
void vmemos_imade(struct vmemos_inode *inode);
void vmemos_idrop(struct vmemos_inode *inode);
/* Give back the memory of idle inodes, down to `keep`. */
void vmemos_ishrink(struct vmemos *fs, unsigned int keep);
/* vmemos_alloc(), for which idle inodes go if they must. */
void *vmemos_need(struct vmemos *fs, size_t size);

/* ---- path.c: fs->lock is held exclusively, but before vmemos_begin() ---- */

enum vmemos_last { VMEMOS_LAST_NAME, VMEMOS_LAST_DOT, VMEMOS_LAST_DOTDOT, VMEMOS_LAST_ROOT };

/* Where a path leads. */
struct vmemos_walk {
	struct vmemos *fs;
	struct vmemos_inode *dir;	/* that holds the last name; NULL unless LAST_NAME */
	struct vmemos_inode *inode;	/* NULL: there is none of that name */
	struct vmem_name name;		/* points into the path or into buf */
	enum vmemos_last last;
	bool slash;			/* slashes follow: it must be a directory */
	char buf[VMEMOS_PATH_MAX];	/* targets of symlinks */
};

/* What becomes of a symlink as last component; the first two: something must be there. */
enum vmemos_follow {
	VMEMOS_WALK_FOLLOW,
	VMEMOS_WALK_LINK,		/* itself, unless a slash follows */
	VMEMOS_WALK_ENTRY,		/* itself; whether slashes are right says the caller */
	VMEMOS_WALK_CREATE,		/* as FOLLOW; a slash behind it: -EISDIR */
	VMEMOS_WALK_EXCLUSIVE,		/* as LINK; a slash behind it: -EISDIR */
};

/*
 * Errors but, of the last three, a missing last component; that is `inode`
 * NULL.  path NULL: the inode of `at`.  Put it afterwards.
 */
int vmemos_walk(struct vmemos_file *at, const char *path, enum vmemos_follow follow,
		struct vmemos_walk *w);
void vmemos_walk_put(struct vmemos_walk *w);
/* The same with the lock, for most calls; the end returns err. */
int vmemos_begin(struct vmemos_file *at, const char *path, enum vmemos_follow follow,
		 struct vmemos_walk *w);
int vmemos_end(struct vmemos_walk *w, int err);

/* ---- name.c, file.c, area.c ---- */

/* A new inode: its mode with the type; target: of a symlink. */
struct vmemos_make {
	unsigned int mode;
	uint32_t rdev;
	const char *target;
};

/* fs->lock is held exclusively.  name NULL: a file without a name.  *inode is held. */
int vmemos_make(struct vmemos_inode *dir, const struct vmem_name *name,
		const struct vmemos_make *m, struct vmemos_inode **inode);
/* 0, -EBADF, -EISDIR */
int vmemos_may_read(const struct vmemos_file *file);
/* fs->lock is held exclusively.  -EBUSY: an address in use would move. */
int vmemos_truncate_inode(struct vmemos_inode *inode, uint64_t size);
int vmemos_fallocate_inode(struct vmemos_inode *inode, unsigned int mode, uint64_t off, uint64_t len);
/* What may have been stored through areas counts as stored; lock held, shared or not. */
void vmemos_areas_stored(struct vmemos_inode *inode);

#endif /* VMEMOS_INTERNAL_H */
