// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* vfs.c - inodes in memory and path walks */
#include <stdio.h>
#include <string.h>
#include "fs/fs.h"
#include "hooks.h"
#include "world.h"

struct vfs vfs;

void vfs_wrong(const char *what, const char *path, long long n)
{
	if (!vfs.why[0])
		snprintf(vfs.why, sizeof(vfs.why), "%s: %s (%lld)", path, what, n);
}

void vfs_begin(struct machine *m, struct vmem_fs *fs)
{
	unsigned int i;

	memset(&vfs, 0, sizeof(vfs));
	vfs.m = m;
	vfs.fs = fs;
	vfs.freezing.name = "the freeze lock";
	vfs.resting.name = "the freeze lock of the inside";
	vfs.renaming.name = "the rename mutex";
	for (i = 0; i < VNODES; i++) {
		vfs.node[i].life.name = "an inode that comes or goes";
		vfs.node[i].rwsem.name = "an inode's rwsem";
		vfs.node[i].invalidate.name = "an inode's invalidate_lock";
	}
}

/* ---- Inodes ---- */

static struct vnode *find(uint64_t ino)
{
	unsigned int i;

	for (i = 0; i < VNODES; i++)
		if (vfs.node[i].used && vfs.node[i].vi.ino == ino)
			return &vfs.node[i];
	return NULL;
}

struct vnode *vnode_new(void)
{
	unsigned int i;

	for (i = 0; i < VNODES && vfs.node[i].used; i++)
		;
	if (i == VNODES) {
		vfs_wrong("no room for inodes", "vfs", i);
		return NULL;
	}
	vfs.node[i].used = true;
	vfs.node[i].refs = 1;
	vfs.node[i].nr_ptes = 0;
	vfs.node[i].nr_mtimes = 0;
	memset(&vfs.node[i].vi, 0, sizeof(vfs.node[i].vi));
	return &vfs.node[i];
}

void vnode_unmade(struct vnode *n)
{
	n->used = false;
	n->refs = 0;
}

void vnode_made(struct vnode *n)
{
	unsigned int i;

	for (i = 0; i < VNODES; i++)
		/* As insert_inode_locked(): one that goes does not count. */
		if (&vfs.node[i] != n && vfs.node[i].used && !vfs.node[i].life.written &&
		    vfs.node[i].vi.ino == n->vi.ino)
			vfs_wrong("a new inode's number is in use", "vfs", (long long)n->vi.ino);
}

int vnode_get(uint64_t ino, struct vnode **out)
{
	struct vnode *n;
	int err;

	while ((n = find(ino)) && (n->life.written)) {
		/* It is being read, or goes: look again when that is over. */
		lock_write(&n->life);
		unlock_write(&n->life);
	}
	*out = n;
	if (n) {
		n->refs++;
		return 0;
	}
	n = vnode_new();
	if (!n)
		return -ENOMEM;
	n->vi.ino = ino;
	lock_write(&n->life);
	err = vmem_iget(vfs.fs, ino, &n->vi);
	if (err)
		vnode_unmade(n);
	unlock_write(&n->life);
	*out = n;
	return err;
}

int vnode_probe(uint64_t ino)
{
	struct vnode *n = find(ino);
	struct vmem_inode vi;
	int err = 0;

	if (!n)
		err = vmem_iget(vfs.fs, ino, &vi);
	if (err)
		return err;
	return vmem_get32(n ? n->vi.raw.nlink : vi.raw.nlink) ? 0 : -ESTALE;
}

/* Nobody refers to it any more. */
static int evict(struct vnode *n)
{
	bool changes = !vmem_get32(n->vi.raw.nlink);
	int err;

	lock_write(&n->life);
	if (n->refs) {			/* somebody found it first */
		unlock_write(&n->life);
		return 0;
	}
	if (changes)
		lock_read(&vfs.resting);
	else
		map_writeback(n);
	n->nr_ptes = 0;
	err = vmem_iput(&n->vi);
	if (changes)
		unlock_read(&vfs.resting);
	n->used = false;
	unlock_write(&n->life);
	return err;
}

int vnode_put(struct vnode *n)
{
	if (--n->refs || vmem_get32(n->vi.raw.nlink))
		return 0;
	return evict(n);
}

int vfs_shrink(void)
{
	unsigned int i;
	int err = 0, one;

	for (i = 0; i < VNODES; i++) {
		struct vnode *n = &vfs.node[i];

		if (!n->used || n->refs || n->life.written)
			continue;
		one = evict(n);
		err = err ? err : one;
	}
	return err;
}

/* ---- Times ---- */

struct mtime_set mtime_begin(void)
{
	return (struct mtime_set){ .thread = sched.thread, .begin = vfs.m->clock, .began = ++vfs.now };
}

void mtime_end(struct vnode *n, struct mtime_set set)
{
	set.end = vfs.m->clock;
	set.ended = ++vfs.now;
	if (n->nr_mtimes < MTIMES)
		n->mtimes[n->nr_mtimes++] = set;
}

bool mtime_went_back(const struct vnode *n, int64_t mtime)
{
	unsigned int i, thread = MAIN;
	uint64_t ended = 0;

	/* Which of them set it?  If none, it is older than all. */
	if (hooks_who_read(mtime, &thread))
		for (i = 0; i < n->nr_mtimes; i++)
			if (n->mtimes[i].thread == thread && n->mtimes[i].begin < mtime && mtime <= n->mtimes[i].end)
				ended = n->mtimes[i].ended;
	for (i = 0; i < n->nr_mtimes; i++)
		if (n->mtimes[i].began > ended)
			return true;
	return false;
}

/* ---- Paths ---- */

int vfs_lookup(struct vnode *dir, struct vmem_name name, struct vnode **out)
{
	uint64_t ino;
	int err = vmem_lookup(&dir->vi, name, &ino, NULL);

	return err ? err : vnode_get(ino, out);
}

static int step_down(struct vnode **at, const char *part, size_t len)
{
	struct vnode *dir = *at, *next = NULL;
	struct vmem_name name;
	char buf[256];
	int err;

	real_name(part, len, buf, &name);
	if (!vmem_is_dir(&dir->vi.raw))
		return -ENOTDIR;
	lock_read(&dir->rwsem);
	err = vfs_lookup(dir, name, &next);
	unlock_read(&dir->rwsem);
	if (err)
		return err;
	vnode_put(dir);
	*at = next;
	return 0;
}

static int walk(const char *path, size_t len, struct vnode **out)
{
	int err = vnode_get(VMEM_ROOT_INO, out);

	while (!err && len) {
		const char *slash = memchr(path, '/', len);
		size_t n = slash ? (size_t)(slash - path) : len;

		err = step_down(out, path, n);
		if (err)
			vnode_put(*out);
		path += n + (slash != NULL);
		len -= n + (slash != NULL);
	}
	return err;
}

int vfs_walk(const char *path, struct vnode **out)
{
	if (path[0] == '#') {
		*out = vfs.handle[(unsigned int)(path[1] - '0') % NR_HANDLES];
		if (!*out)
			return -EBADF;
		(*out)->refs++;
		return 0;
	}
	return walk(path, strcmp(path, ".") ? strlen(path) : 0, out);
}

int vfs_walk_parent(const char *path, struct vnode **dir, char *buf, struct vmem_name *name)
{
	const char *slash = strrchr(path, '/'), *part = slash ? slash + 1 : path;

	real_name(part, strlen(part), buf, name);
	return walk(path, slash ? (size_t)(slash - path) : 0, dir);
}
