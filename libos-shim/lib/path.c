// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* path.c - from a path to an inode: the core knows numbers and single names only */
#include "internal.h"

/* What name in dir leads to; 0 and NULL: nothing. */
static int lookup(struct vmemos_inode *dir, struct vmem_name name, struct vmemos_inode **inode)
{
	uint64_t ino;
	int err = vmem_lookup(&dir->core, name, &ino, NULL);

	*inode = NULL;
	return !err ? vmemos_iget(dir->fs, ino, inode) : err == -ENOENT ? 0 : err;
}

/* The walk goes on with the target of a symlink, then with rest. */
static int expand(struct vmemos_walk *w, struct vmemos_inode *link, const char **rest)
{
	size_t len = (size_t)vmem_size(&link->core), tail = strlen(*rest);
	int err;

	if (!len || len + 1 + tail + 1 > sizeof(w->buf))
		return len ? -ENAMETOOLONG : -ENOENT;
	memmove(w->buf + len + 1, *rest, tail + 1);
	w->buf[len] = '/';
	err = vmem_readlink(&link->core, w->buf, len);
	if (err < 0)
		return err;
	/* No slash more than the path has: one at the end asks for a directory. */
	if (!tail)
		w->buf[len] = 0;
	*rest = w->buf;
	return 0;
}

struct step {
	struct vmemos_inode *dir;	/* held */
	const char *path;		/* what is left */
	unsigned int links;
	enum vmemos_follow follow;
	bool slash;			/* a symlink was the last component, and a slash followed */
};

static void move_to(struct step *s, struct vmemos_inode *dir)
{
	vmemos_iput(s->dir);
	s->dir = dir;
}

/* The component name: 1 when it was the last one, 0 to go on. */
static int walk_name(struct step *s, struct vmemos_walk *w, struct vmem_name name, bool slash)
{
	bool last = !*s->path;
	struct vmemos_inode *inode;
	int err;

	if (last && slash && s->follow >= VMEMOS_WALK_CREATE)
		return -EISDIR;
	err = lookup(s->dir, name, &inode);
	if (err)
		return err;
	if (!inode && !last)
		return -ENOENT;
	if (inode && vmemos_type(inode) == VMEMOS_S_IFLNK &&
	    (!last || s->follow == VMEMOS_WALK_FOLLOW || s->follow == VMEMOS_WALK_CREATE ||
	     ((slash || s->slash) && s->follow == VMEMOS_WALK_LINK))) {
		err = ++s->links > VMEMOS_MAX_LINKS ? -ELOOP : expand(w, inode, &s->path);
		vmemos_iput(inode);
		if (!err && w->buf[0] == '/') {
			vmemos_ihold(s->dir->fs->root.inode);
			move_to(s, s->dir->fs->root.inode);
		}
		s->slash |= last && slash;
		return err;
	}
	if (!last) {
		move_to(s, inode);
		return 0;
	}
	w->dir = s->dir;
	w->inode = inode;
	w->name = name;
	w->last = VMEMOS_LAST_NAME;
	w->slash = slash || s->slash;
	s->dir = NULL;
	if (inode && w->slash && s->follow != VMEMOS_WALK_ENTRY && !vmemos_is_dir(inode)) {
		vmemos_walk_put(w);
		return -ENOTDIR;
	}
	return 1;
}

/* The next component: 1 when the walk is over. */
static int walk_step(struct step *s, struct vmemos_walk *w)
{
	struct vmem_name name = { s->path, 0 };
	struct vmemos_inode *parent;
	uint64_t ino;
	bool slash;
	int err;

	if (!vmemos_is_dir(s->dir))
		return -ENOTDIR;
	while (name.name[name.len] && name.name[name.len] != '/')
		name.len++;
	s->path += name.len;
	slash = *s->path == '/';
	while (*s->path == '/')
		s->path++;
	if (name.len == 1 && name.name[0] == '.') {
		w->last = VMEMOS_LAST_DOT;
	} else if (name.len == 2 && name.name[0] == '.' && name.name[1] == '.') {
		err = vmem_parent(&s->dir->core, &ino);
		if (!err)
			err = vmemos_iget(s->dir->fs, ino, &parent);
		if (err)
			return err;
		move_to(s, parent);
		w->last = VMEMOS_LAST_DOTDOT;
	} else if (name.len) {
		return walk_name(s, w, name, slash);
	}
	if (*s->path)
		return 0;
	w->inode = s->dir;
	s->dir = NULL;
	return 1;
}

int vmemos_walk(struct vmemos_file *at, const char *path, enum vmemos_follow follow,
		struct vmemos_walk *w)
{
	struct step s = { at->inode, path, 0, follow, false };
	int err = 0;

	w->fs = at->inode->fs;
	w->dir = NULL;
	w->inode = NULL;
	w->slash = false;
	w->last = VMEMOS_LAST_ROOT;
	if (!path) {
		vmemos_ihold(at->inode);
		w->inode = at->inode;
		return 0;
	}
	if (!*path)
		return -ENOENT;
	if (strlen(path) >= VMEMOS_PATH_MAX)
		return -ENAMETOOLONG;
	if (*path == '/')
		s.dir = at->inode->fs->root.inode;
	while (*s.path == '/')
		s.path++;
	vmemos_ihold(s.dir);
	while (!err)
		err = walk_step(&s, w);
	if (s.dir)
		vmemos_iput(s.dir);
	if (err < 0)
		return err;
	return w->inode || follow >= VMEMOS_WALK_ENTRY ? 0 : -ENOENT;
}

void vmemos_walk_put(struct vmemos_walk *w)
{
	if (w->inode)
		vmemos_iput(w->inode);
	if (w->dir)
		vmemos_iput(w->dir);
	w->inode = NULL;
	w->dir = NULL;
}

int vmemos_begin(struct vmemos_file *at, const char *path, enum vmemos_follow follow,
		 struct vmemos_walk *w)
{
	vmemos_lock(at->inode->fs);
	return vmemos_walk(at, path, follow, w);
}

int vmemos_end(struct vmemos_walk *w, int err)
{
	vmemos_walk_put(w);
	vmemos_unlock(w->fs);
	return err;
}
