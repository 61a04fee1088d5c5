/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * vfs.h - a small VFS over the core: inodes in memory and their locks, path
 * walks, mappings; as guestfs/linux/vmemfs has them from Linux
 *
 * What is locked around a call of the core, and in which order, is what its
 * contract (vmem.h) demands and Linux does: the inode's rwsem for [R] and [W], the
 * invalidate_lock between faults, truncation and write-back, one inode in memory per
 * number, the freeze lock around whatever changes the file system.
 */
#ifndef VFS_H
#define VFS_H

#include "machine.h"
#include "sched.h"

#define VNODES		40u
#define PTES		20u
#define NR_HANDLES	8u

/* A page of a file in somebody's page table. */
struct pte {
	uint64_t lblk, pblk;
	bool writable, dirty;
};

/* Between two points a thread set the mtime, to a time that it read between the two. */
#define MTIMES 8u
struct mtime_set {
	unsigned int thread;
	int64_t begin, end;		/* of the clock */
	uint64_t began, ended;		/* of vfs.now, which counts such points */
};

struct vnode {
	bool used;
	unsigned int refs;
	struct lock life;		/* held while it is read, or goes */
	struct lock rwsem, invalidate;
	struct vmem_inode vi;
	struct pte pte[PTES];
	unsigned int nr_ptes;
	struct mtime_set mtimes[MTIMES]; /* when its mtime was set, by whom */
	unsigned int nr_mtimes;
};

/* A page that an fsync found dirty, as it was then. */
struct promise {
	uint64_t pblk, hash;
};

struct vfs {
	struct machine *m;
	struct vmem_fs *fs;
	struct vnode node[VNODES];
	struct vnode *handle[NR_HANDLES];
	struct lock freezing;		/* shared by whoever changes something */
	struct lock resting;		/* ... by what goes on inside: evictions, checkpoints */
	struct lock renaming;
	struct promise found[THREADS + 1][PTES];	/* by the write-back that the thread ran last */
	unsigned int nr_found[THREADS + 1];
	struct promise promised[2 * PTES];		/* ... and then fsync returned 0 */
	unsigned int nr_promised;
	bool spoiled;			/* the medium was damaged */
	uint64_t stores_frozen;		/* stores to the medium while it was frozen */
	bool frozen;
	uint64_t now;
	char why[300];			/* the first thing that cannot be */
};

/* At one address for ever: inodes point to each other. */
extern struct vfs vfs;

void vfs_begin(struct machine *m, struct vmem_fs *fs);
struct mtime_set mtime_begin(void);
void mtime_end(struct vnode *n, struct mtime_set set);
/* Has a set that had ended before another began won?  Then a time has gone back. */
bool mtime_went_back(const struct vnode *n, int64_t mtime);
void vfs_wrong(const char *what, const char *path, long long n);

/* ---- vfs.c: inodes; all with a reference, to be put ---- */

int vnode_get(uint64_t ino, struct vnode **out);
int vnode_put(struct vnode *n);
/* Is there an inode of this number, with a name?  0, -ESTALE. */
int vnode_probe(uint64_t ino);
/* A new inode of the core becomes one in memory. */
struct vnode *vnode_new(void);
void vnode_made(struct vnode *n);
void vnode_unmade(struct vnode *n);
/* All that nobody refers to leave memory. */
int vfs_shrink(void);

/* A path, "." or a handle "#1". */
int vfs_walk(const char *path, struct vnode **out);
/* The directory that has, or would have, the path; *name is in buf. */
int vfs_walk_parent(const char *path, struct vnode **dir, char *buf, struct vmem_name *name);
/* What a name leads to; the directory is locked. */
int vfs_lookup(struct vnode *dir, struct vmem_name name, struct vnode **out);

/* ---- map.c: mappings ---- */

struct pte *pte_find(struct vnode *n, uint64_t lblk);
/* A store of len bytes within one page, through a mapping; faults as often as it takes. */
int map_store(struct vnode *n, uint64_t off, const uint8_t *bytes, size_t len);
int map_load(struct vnode *n, uint64_t off, uint8_t *bytes, size_t len);
/* As truncation does, with the blocks that have bytes [off, end). */
void map_drop(struct vnode *n, uint64_t off, uint64_t end);
/* What was stored through mappings is told to the core; its pages are protected. */
void map_writeback(struct vnode *n);
/* Under the invalidate lock. */
void map_writeback_locked(struct vnode *n);
/* Does each page still lie where the file has it?  Else why is set. */
bool map_right(void);

#endif
