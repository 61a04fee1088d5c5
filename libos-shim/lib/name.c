// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* name.c - making, linking, removing and renaming by path */
#include "internal.h"

/* ---- Making ---- */

int vmemos_make(struct vmemos_inode *dir, const struct vmem_name *name,
		const struct vmemos_make *m, struct vmemos_inode **out)
{
	struct vmem_attr attr = { .mode = (uint16_t)m->mode, .rdev = m->rdev };
	struct vmemos_inode *inode = vmemos_inew(dir->fs);
	int err;

	if (!inode)
		return -ENOMEM;
	if (!name)
		err = vmem_tmpfile(dir->fs->core, &attr, dir->core.ino, &inode->core);
	else if (m->target)
		err = vmem_symlink(&dir->core, *name, m->target, strlen(m->target), &attr,
				   &inode->core);
	else
		err = vmem_create(&dir->core, *name, &attr, &inode->core);
	if (err) {
		vmemos_idrop(inode);
		return err;
	}
	vmemos_imade(inode);
	*out = inode;
	return 0;
}

static int make_at(struct vmemos_file *at, const char *path, const struct vmemos_make *m)
{
	struct vmemos_walk w;
	int err = vmemos_begin(at, path, VMEMOS_WALK_ENTRY, &w);

	if (!err && w.inode)
		err = -EEXIST;
	if (!err && w.slash && (m->mode & VMEMOS_S_IFMT) != VMEMOS_S_IFDIR)
		err = -ENOENT;
	if (!err)
		err = vmemos_make(w.dir, &w.name, m, &w.inode);
	return vmemos_end(&w, err);
}

int vmemos_mkdir(struct vmemos_file *at, const char *path, unsigned int mode)
{
	struct vmemos_make m = { VMEMOS_S_IFDIR | (mode & 07777), 0, NULL };

	return make_at(at, path, &m);
}

int vmemos_mknod(struct vmemos_file *at, const char *path, unsigned int mode, uint32_t rdev)
{
	struct vmemos_make m = { mode & (VMEMOS_S_IFMT | 07777), rdev, NULL };

	if (!(mode & VMEMOS_S_IFMT))
		m.mode |= VMEMOS_S_IFREG;
	if ((mode & VMEMOS_S_IFMT) == VMEMOS_S_IFDIR || (mode & VMEMOS_S_IFMT) == VMEMOS_S_IFLNK)
		return -EINVAL;
	return make_at(at, path, &m);
}

int vmemos_symlink(const char *target, struct vmemos_file *at, const char *path)
{
	struct vmemos_make m = { VMEMOS_S_IFLNK | 0777, 0, target };

	return *target ? make_at(at, path, &m) : -ENOENT;
}

int64_t vmemos_readlink(struct vmemos_file *at, const char *path, char *buf, size_t size)
{
	struct vmemos_walk w;
	int n = vmemos_begin(at, path, VMEMOS_WALK_LINK, &w);

	if (!n)
		n = vmem_readlink(&w.inode->core, buf, size);
	return vmemos_end(&w, n);
}

/* ---- Linking and removing ---- */

/* Two names of one mount.  Put both, even if the first is wrong already. */
static int begin_two(struct vmemos_file *from_at, const char *from, enum vmemos_follow follow,
		     struct vmemos_file *to_at, const char *to, struct vmemos_walk w[2])
{
	int err = vmemos_begin(from_at, from, follow, &w[0]);

	w[1].inode = w[1].dir = NULL;
	if (!err && to_at->inode->fs != w[0].fs)
		err = -EXDEV;
	return err ? err : vmemos_walk(to_at, to, VMEMOS_WALK_ENTRY, &w[1]);
}

int vmemos_link(struct vmemos_file *from_at, const char *from, struct vmemos_file *to_at,
		const char *to)
{
	struct vmemos_walk w[2];
	int err = begin_two(from_at, from, VMEMOS_WALK_LINK, to_at, to, w);

	if (!err && w[1].inode)
		err = -EEXIST;
	if (!err && w[1].slash)
		err = -ENOENT;
	if (!err)
		err = vmem_link(&w[1].dir->core, w[1].name, &w[0].inode->core);
	vmemos_walk_put(&w[1]);
	return vmemos_end(&w[0], err);
}

static int remove_at(struct vmemos_file *at, const char *path, bool dir)
{
	struct vmemos_walk w;
	int err = vmemos_begin(at, path, VMEMOS_WALK_ENTRY, &w);

	if (!err && w.last != VMEMOS_LAST_NAME)
		err = !dir ? -EISDIR : w.last == VMEMOS_LAST_DOT ? -EINVAL :
		      w.last == VMEMOS_LAST_ROOT ? -EBUSY : -ENOTEMPTY;
	if (!err && !w.inode)
		err = -ENOENT;
	if (!err && w.slash && !vmemos_is_dir(w.inode))
		err = -ENOTDIR;
	if (!err)
		err = dir ? vmem_rmdir(&w.dir->core, w.name, &w.inode->core) :
		      vmem_unlink(&w.dir->core, w.name, &w.inode->core);
	return vmemos_end(&w, err);
}

int vmemos_unlink(struct vmemos_file *at, const char *path)
{
	return remove_at(at, path, false);
}

int vmemos_rmdir(struct vmemos_file *at, const char *path)
{
	return remove_at(at, path, true);
}

/* ---- Renaming ---- */

/* Errors come in Linux' order. */
static int rename_walked(struct vmemos_walk *from, struct vmemos_walk *to, unsigned int flags)
{
	bool exchange = flags & VMEMOS_RENAME_EXCHANGE, noreplace = flags & VMEMOS_RENAME_NOREPLACE;

	if (from->last != VMEMOS_LAST_NAME || to->last != VMEMOS_LAST_NAME)
		return from->last == VMEMOS_LAST_NAME && noreplace ? -EEXIST : -EBUSY;
	if (!from->inode)
		return -ENOENT;
	if (noreplace && to->inode)
		return -EEXIST;
	if (exchange && !to->inode)
		return -ENOENT;
	if ((exchange && to->slash && !vmemos_is_dir(to->inode)) ||
	    ((from->slash || (to->slash && !exchange)) && !vmemos_is_dir(from->inode)))
		return -ENOTDIR;
	return vmem_rename(&from->dir->core, from->name, &from->inode->core,
			   &to->dir->core, to->name, to->inode ? &to->inode->core : NULL, flags);
}

int vmemos_rename(struct vmemos_file *from_at, const char *from, struct vmemos_file *to_at,
		  const char *to, unsigned int flags)
{
	struct vmemos_walk w[2];
	int err;

	_Static_assert(VMEMOS_RENAME_NOREPLACE == VMEM_RENAME_NOREPLACE &&
		       VMEMOS_RENAME_EXCHANGE == VMEM_RENAME_EXCHANGE,
		       "flags are handed over as they are");
	if (flags & ~(VMEMOS_RENAME_NOREPLACE | VMEMOS_RENAME_EXCHANGE) ||
	    flags == (VMEMOS_RENAME_NOREPLACE | VMEMOS_RENAME_EXCHANGE))
		return -EINVAL;
	err = begin_two(from_at, from, VMEMOS_WALK_ENTRY, to_at, to, w);
	if (!err)
		err = rename_walked(&w[0], &w[1], flags);
	vmemos_walk_put(&w[1]);
	return vmemos_end(&w[0], err);
}
