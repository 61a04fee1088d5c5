// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* names.c - operations on names, as Linux locks for them */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fs/fs.h"
#include "ops_internal.h"
#include "world.h"

static int make_in(struct vnode *dir, struct vmem_name name, const struct operation_text *o)
{
	static const uint16_t modes[] = { [DO_CREAT] = 0100644, [DO_MKDIR] = 0040755, [DO_SYMLINK] = 0120777 };
	struct vmem_attr attr = { .mode = modes[o->kind] };
	struct vnode *n = vnode_new();
	char target[400];
	int err;

	if (!n)
		return -ENOMEM;
	memset(target, 'a' + (int)(o->salt % 26), sizeof(target));
	if (o->kind == DO_SYMLINK)
		err = vmem_symlink(&dir->vi, name, target, o->len % sizeof(target), &attr, &n->vi);
	else
		err = vmem_create(&dir->vi, name, &attr, &n->vi);
	if (err)
		vnode_unmade(n);
	else
		vnode_made(n);
	return err ? err : vnode_put(n);
}

int vfs_make(const struct operation_text *o)
{
	struct vmem_name name;
	struct vnode *dir;
	uint64_t ino;
	char buf[256];
	int err = vfs_walk_parent(o->a, &dir, buf, &name);

	if (err)
		return err;
	lock_write(&dir->rwsem);
	err = vmem_get32(dir->vi.raw.nlink) ? vmem_lookup(&dir->vi, name, &ino, NULL) : -ESTALE;
	if (!err)
		err = -EEXIST;
	else if (err == -ENOENT)
		err = make_in(dir, name, o);
	else if (err == -ESTALE)
		err = -ENOENT;		/* the directory is removed */
	unlock_write(&dir->rwsem);
	vnode_put(dir);
	return err;
}

int vfs_remove(const struct operation_text *o)
{
	struct vnode *dir, *n = NULL;
	struct vmem_name name;
	char buf[256];
	int err = vfs_walk_parent(o->a, &dir, buf, &name);

	if (err)
		return err;
	lock_write(&dir->rwsem);
	err = vfs_lookup(dir, name, &n);
	if (!err && vmem_is_dir(&n->vi.raw) != (o->kind == DO_RMDIR))
		err = o->kind == DO_RMDIR ? -ENOTDIR : -EISDIR;
	else if (!err) {
		lock_write(&n->rwsem);
		err = o->kind == DO_RMDIR ? vmem_rmdir(&dir->vi, name, &n->vi) :
					    vmem_unlink(&dir->vi, name, &n->vi);
		unlock_write(&n->rwsem);
	}
	unlock_write(&dir->rwsem);
	if (n)
		vnode_put(n);
	vnode_put(dir);
	return err;
}

static int link_in(struct vnode *dir, struct vmem_name name, struct vnode *n)
{
	uint64_t ino;
	int err;

	lock_write(&dir->rwsem);
	err = vmem_get32(dir->vi.raw.nlink) ? vmem_lookup(&dir->vi, name, &ino, NULL) : -ESTALE;
	if (err == -ENOENT) {
		lock_write(&n->rwsem);
		err = vmem_link(&dir->vi, name, &n->vi);
		unlock_write(&n->rwsem);
	} else {
		err = err ? -ENOENT : -EEXIST;
	}
	unlock_write(&dir->rwsem);
	return err;
}

int vfs_link(const struct operation_text *o)
{
	struct vnode *dir, *n;
	struct vmem_name name;
	char buf[256];
	int err = vfs_walk(o->a, &n);

	if (err)
		return err;
	err = vmem_is_dir(&n->vi.raw) ? -EPERM : vfs_walk_parent(o->b, &dir, buf, &name);
	if (!err) {
		err = link_in(dir, name, n);
		vnode_put(dir);
	}
	vnode_put(n);
	return err;
}

/* ---- Renaming ---- */

struct ends {
	struct vnode *dir[2], *n[2];
	struct vmem_name name[2];
};

static void lock_two(struct vnode *a, struct vnode *b)
{
	lock_write(&a->rwsem);
	if (b && b != a)
		lock_write(&b->rwsem);
}

static void unlock_two(struct vnode *a, struct vnode *b)
{
	if (b && b != a)
		unlock_write(&b->rwsem);
	unlock_write(&a->rwsem);
}

/* The directory above first. */
static int lock_dirs(struct ends *e, bool *turned)
{
	bool below = false;
	int err = 0;

	*turned = false;
	if (e->dir[0] != e->dir[1]) {
		lock_write(&vfs.renaming);
		err = vmem_is_below(&e->dir[0]->vi, &e->dir[1]->vi, &below);
		if (err == -ENOENT)
			err = 0;	/* one of them is removed: found below */
	}
	*turned = below;
	lock_two(e->dir[below], e->dir[!below]);
	return err;
}

static void unlock_dirs(struct ends *e, bool turned)
{
	unlock_two(e->dir[turned], e->dir[!turned]);
	if (e->dir[0] != e->dir[1])
		unlock_write(&vfs.renaming);
}

/* A directory would go below itself, or over one that it is below. */
static int check_loop(const struct ends *e, unsigned int flags)
{
	bool below = false;
	int i, err;

	for (i = 0; i < 2 && e->dir[0] != e->dir[1]; i++) {
		if (!e->n[i] || !vmem_is_dir(&e->n[i]->vi.raw))
			continue;
		err = vmem_is_below(&e->dir[!i]->vi, &e->n[i]->vi, &below);
		if (err)
			return err;
		if (below || e->n[i] == e->dir[!i])
			return !i || flags == VMEM_RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	}
	return 0;
}

/* What the core renames, it has locked. */
static int rename_core(struct ends *e, unsigned int flags, bool leaves)
{
	struct vmem_inode *victim = e->n[1] ? &e->n[1]->vi : NULL;
	struct vmem_attr attr = { .mode = 0020000 };
	struct vmem_whiteout white = { .attr = &attr };
	struct vnode *n;
	int err;

	if (!leaves)
		return vmem_rename(&e->dir[0]->vi, e->name[0], &e->n[0]->vi, &e->dir[1]->vi, e->name[1],
				   victim, flags);
	n = vnode_new();
	if (!n)
		return -ENOMEM;
	white.vi = &n->vi;
	err = vmem_rename_whiteout(&e->dir[0]->vi, e->name[0], &e->n[0]->vi, &e->dir[1]->vi, e->name[1],
				   victim, flags, &white);
	if (err)
		vnode_unmade(n);
	else
		vnode_made(n);
	return err ? err : vnode_put(n);
}

static int rename_locked(struct ends *e, unsigned int flags, bool leaves)
{
	bool turn;
	int err;

	if (!vmem_get32(e->dir[0]->vi.raw.nlink) || !vmem_get32(e->dir[1]->vi.raw.nlink))
		return -ENOENT;
	err = vfs_lookup(e->dir[0], e->name[0], &e->n[0]);
	if (err)
		return err;
	err = vfs_lookup(e->dir[1], e->name[1], &e->n[1]);
	if (err == -ENOENT && flags != VMEM_RENAME_EXCHANGE)
		err = 0;
	else if (!err && flags == VMEM_RENAME_NOREPLACE)
		err = -EEXIST;
	if (!err)
		err = check_loop(e, flags);
	if (err || e->n[0] == e->n[1])
		return err;
	turn = e->n[1] && e->n[1]->vi.ino < e->n[0]->vi.ino;
	lock_two(e->n[turn], e->n[!turn]);
	err = rename_core(e, flags, leaves);
	unlock_two(e->n[turn], e->n[!turn]);
	return err;
}

int vfs_rename(const struct operation_text *o)
{
	unsigned int flags = o->kind == DO_EXCHANGE ? VMEM_RENAME_EXCHANGE :
			     o->kind == DO_NOREPLACE ? VMEM_RENAME_NOREPLACE : 0;
	struct ends e = { 0 };
	char buf[2][256];
	bool turned;
	int err = vfs_walk_parent(o->a, &e.dir[0], buf[0], &e.name[0]), i;

	if (err)
		return err;
	err = vfs_walk_parent(o->b, &e.dir[1], buf[1], &e.name[1]);
	if (err) {
		vnode_put(e.dir[0]);
		return err;
	}
	err = lock_dirs(&e, &turned);
	if (!err)
		err = rename_locked(&e, flags, o->kind == DO_WHITEOUT);
	unlock_dirs(&e, turned);
	for (i = 0; i < 2; i++) {
		if (e.n[i])
			vnode_put(e.n[i]);
		vnode_put(e.dir[i]);
	}
	return err;
}

/* ---- Attributes, listing ---- */

int vfs_chmod(const struct operation_text *o)
{
	struct vmem_attr attr = { .mode = (uint16_t)(o->len & 07777), .flags = o->len };
	struct vnode *n;
	int err = vfs_walk(o->a, &n);

	if (err)
		return err;
	lock_write(&n->rwsem);
	err = vmem_setattr(&n->vi, o->kind == DO_CHFLAGS ? VMEM_SET_FLAGS : VMEM_SET_MODE, &attr);
	unlock_write(&n->rwsem);
	vnode_put(n);
	return err;
}

static int see(void *ctx, const char *name, size_t len, uint64_t ino, unsigned int type, uint64_t cookie)
{
	uint64_t *sum = ctx, h = type;
	size_t i;

	(void)ino;
	(void)cookie;
	for (i = 0; i < len; i++)
		h = mix(h * 31 + (uint8_t)name[i]);
	*sum += h;
	return 0;
}

int vfs_list(const struct operation_text *o, uint64_t *value)
{
	uint64_t cookie = 0;
	struct vnode *n;
	int err = vfs_walk(o->a, &n);

	if (err)
		return err;
	lock_read(&n->rwsem);
	err = vmem_is_dir(&n->vi.raw) ? vmem_readdir(&n->vi, &cookie, see, value) : -ENOTDIR;
	unlock_read(&n->rwsem);
	vnode_put(n);
	return err;
}

int vfs_stat(const struct operation_text *o, uint64_t *value)
{
	struct vmem_attr a;
	struct vnode *n;
	int err = vfs_walk(o->a, &n);

	if (err)
		return err;
	/* Without a lock, as stat(2): each field is right by itself. */
	vmem_getattr(&n->vi, &a);
	*value = (uint64_t)a.mode << 32 | a.nlink;
	vnode_put(n);
	return 0;
}

/* ---- Inodes without a path ---- */

static struct vnode **slot_of(const char *handle)
{
	return &vfs.handle[(unsigned int)(handle[1] - '0') % NR_HANDLES];
}

int vfs_tmpfile(const struct operation_text *o)
{
	struct vmem_attr attr = { .mode = 0100600 };
	struct vnode *n;
	int err;

	if (*slot_of(o->a))
		return -EMFILE;
	n = vnode_new();
	if (!n)
		return -ENOMEM;
	err = vmem_tmpfile(vfs.fs, &attr, VMEM_ROOT_INO, &n->vi);
	if (err) {
		vnode_unmade(n);
	} else {
		vnode_made(n);
	}
	if (!err && *slot_of(o->a)) {
		vnode_put(n);
		return -EMFILE;
	}
	if (!err)
		*slot_of(o->a) = n;
	return err;
}

int vfs_open(const struct operation_text *o)
{
	if (*slot_of(o->a))
		return -EMFILE;
	return vfs_walk(o->b, slot_of(o->a));
}

int vfs_close(const struct operation_text *o)
{
	struct vnode *n = *slot_of(o->a);

	if (!n)
		return -EBADF;
	*slot_of(o->a) = NULL;
	return vnode_put(n);
}

/* The number may be that of an inode which is just being made. */
int vfs_handle(const struct operation_text *o)
{
	return vnode_probe(o->len);
}
