// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * parent.c - from a directory upwards: its parent, what it lies below, its path
 *
 * The caller keeps directories from moving meanwhile.
 */
#include "fs/fs.h"

int vmem_parent(const struct vmem_inode *dir, uint64_t *ino)
{
	if (!vmem_is_dir(&dir->raw))
		return -ENOTDIR;
	/* Removed: its parent's number may belong to something else by now. */
	if (!vmem_get32(dir->raw.nlink))
		return -ENOENT;
	*ino = vmem_get32(dir->raw.parent);
	return 0;
}

/* A way up. */
struct climb {
	struct vmem_inode at;		/* never put: it only reads */
	uint64_t steps, mark;		/* to notice a circle in a damaged image (Brent's way) */
};

static int climb_from(struct climb *c, const struct vmem_inode *dir)
{
	c->steps = 0;
	return vmem_iget(dir->fs, dir->ino, &c->at);
}

/* One step; not from the root. */
static int climb(struct climb *c)
{
	struct vmem_fs *fs = c->at.fs;
	uint64_t ino;
	int err = vmem_parent(&c->at, &ino);

	if (err)
		return err;
	if (!(c->steps & (c->steps - 1)))
		c->mark = c->at.ino;
	c->steps++;
	err = ino == c->mark ? -ESTALE : vmem_iget(fs, ino, &c->at);
	if (err == -ESTALE || (!err && (!vmem_is_dir(&c->at.raw) || !vmem_get32(c->at.raw.nlink))))
		return vmem_corrupt(fs, ino, 0, "parent of a directory");
	return err;
}

int vmem_is_below(const struct vmem_inode *dir, const struct vmem_inode *top, bool *below)
{
	struct climb c;
	int err = climb_from(&c, dir);

	while (!err && c.at.ino != top->ino && c.at.ino != VMEM_ROOT_INO)
		err = climb(&c);
	*below = c.at.ino == top->ino;
	return err;
}

/* ---- Paths, written backwards to the end of the buffer ---- */

struct backwards {
	uint64_t ino;			/* whose name comes next */
	char *buf;
	size_t left;			/* bytes in front of it */
	int err;
};

static int put_name(void *ctx, const char *name, size_t len, uint64_t ino, unsigned int type,
		    uint64_t cookie)
{
	struct backwards *b = ctx;

	(void)type;
	if (cookie < 2 || ino != b->ino)
		return 0;		/* "." and ".." come first */
	b->err = len + 1 > b->left ? -ERANGE : 0;
	if (!b->err) {
		b->left -= len + 1;
		b->buf[b->left] = '/';
		memcpy(b->buf + b->left + 1, name, len);
	}
	return 1;
}

int64_t vmem_dirpath(const struct vmem_inode *dir, char *buf, size_t size)
{
	struct backwards b = { .buf = buf, .left = size - 1 };
	struct climb c;
	size_t len;
	int err;

	if (!vmem_is_dir(&dir->raw))
		return -ENOTDIR;
	if (size < 2)
		return -ERANGE;
	err = climb_from(&c, dir);
	while (!err && c.at.ino != VMEM_ROOT_INO) {
		uint64_t cookie = 0;

		b.ino = c.at.ino;
		b.err = -ENOENT;
		err = climb(&c);
		if (!err)
			err = vmem_readdir(&c.at, &cookie, put_name, &b);
		if (!err && b.err == -ENOENT)
			err = vmem_corrupt(c.at.fs, b.ino, 0, "not in its parent");
		err = err ? err : b.err;
	}
	if (err)
		return err;
	if (b.left == size - 1)
		buf[--b.left] = '/';
	len = size - 1 - b.left;
	memmove(buf, buf + b.left, len);
	buf[len] = 0;
	return (int64_t)len;
}
