// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* file.c - handles: opening, reading and writing, attributes, directories */
#include "internal.h"

/* ---- Handles ---- */

static bool wants_write(unsigned int flags)
{
	return (flags & VMEMOS_O_ACCMODE) != VMEMOS_O_RDONLY;
}

static int make_tmpfile(struct vmemos_walk *w, unsigned int flags, const struct vmemos_make *m)
{
	struct vmemos_inode *dir = w->inode;
	int err;

	if (!dir)
		return -ENOENT;
	if (!vmemos_is_dir(dir))
		return -ENOTDIR;
	if (!wants_write(flags))
		return -EINVAL;
	err = vmemos_make(dir, NULL, m, &w->inode);
	if (!err)
		vmemos_iput(dir);
	return err;
}

/* The inode is there: may it be opened so? */
static int check_open(struct vmemos_inode *inode, unsigned int flags)
{
	unsigned int type = vmemos_type(inode);
	/* Linux truncates for a reader, too. */
	bool changes = wants_write(flags) || flags & VMEMOS_O_TRUNC;

	if (flags & VMEMOS_O_DIRECTORY && type != VMEMOS_S_IFDIR)
		return -ENOTDIR;
	if (flags & VMEMOS_O_PATH)
		return 0;
	if (type == VMEMOS_S_IFLNK)
		return -ELOOP;
	if (type == VMEMOS_S_IFDIR)
		return changes || flags & VMEMOS_O_CREAT ? -EISDIR : 0;
	if (type != VMEMOS_S_IFREG)
		return -ENXIO;
	if (changes && vmem_is_read_only(inode->fs->core))
		return -EROFS;
	if (flags & VMEMOS_O_TRUNC && vmem_size(&inode->core))
		return vmemos_truncate_inode(inode, 0);
	return 0;
}

static int open_walked(struct vmemos_walk *w, unsigned int flags, unsigned int mode)
{
	const struct vmemos_make m = { .mode = VMEMOS_S_IFREG | (mode & 07777) };
	unsigned int tmpfile = VMEMOS_O_TMPFILE & ~(unsigned int)VMEMOS_O_DIRECTORY;

	if (flags & tmpfile)
		return make_tmpfile(w, flags, &m);
	if (!w->inode)		/* the walk says -ENOENT if it must be there */
		return vmemos_make(w->dir, &w->name, &m, &w->inode);
	if (flags & VMEMOS_O_CREAT && flags & VMEMOS_O_EXCL)
		return -EEXIST;
	return check_open(w->inode, flags);
}

static enum vmemos_follow follow_to_open(unsigned int flags)
{
	if (flags & VMEMOS_O_CREAT)
		return flags & (VMEMOS_O_EXCL | VMEMOS_O_NOFOLLOW) ? VMEMOS_WALK_EXCLUSIVE :
		       VMEMOS_WALK_CREATE;
	return flags & VMEMOS_O_NOFOLLOW ? VMEMOS_WALK_LINK : VMEMOS_WALK_FOLLOW;
}

int vmemos_open(struct vmemos_file *at, const char *path, unsigned int flags,
		unsigned int mode, struct vmemos_file **file)
{
	struct vmemos *fs = at->inode->fs;
	struct vmemos_file *f = NULL;
	struct vmemos_walk w;
	int err;

	if (flags & VMEMOS_O_PATH)
		flags &= VMEMOS_O_PATH | VMEMOS_O_DIRECTORY | VMEMOS_O_NOFOLLOW;
	err = vmemos_begin(at, path, follow_to_open(flags), &w);
	/* The handle first: a file that was made, or cut, stays so. */
	if (!err)
		f = vmemos_need(fs, sizeof(*f));
	if (!err)
		err = f ? open_walked(&w, flags, mode) : -ENOMEM;
	if (!err) {
		*f = (struct vmemos_file){ .inode = w.inode, .flags = flags };
		vmemos_ihold(w.inode);
		fs->nr_files++;
	} else if (f) {
		vmemos_free(&fs->env, f, sizeof(*f));
		f = NULL;
	}
	*file = f;
	return vmemos_end(&w, err);
}

int vmemos_close(struct vmemos_file *file)
{
	struct vmemos *fs = file->inode->fs;

	if (file == &fs->root)
		return -EBADF;
	vmemos_lock(fs);
	fs->nr_files--;
	vmemos_iput(file->inode);
	vmemos_free(&fs->env, file, sizeof(*file));
	vmemos_unlock(fs);
	return 0;
}

void vmemos_set_append(struct vmemos_file *file, bool append)
{
	file->flags &= ~(unsigned int)VMEMOS_O_APPEND;
	file->flags |= append ? VMEMOS_O_APPEND : 0;
}

/* ---- Data ---- */

struct copy {
	struct vmemos_platform *platform;
	const uint8_t *from;
	uint8_t *to;
};

static size_t copy_out(void *ctx, void *addr, size_t len)
{
	struct copy *c = ctx;

	memcpy(c->to, addr, len);
	c->to += len;
	return len;
}

static size_t copy_in(void *ctx, void *addr, size_t len)
{
	struct copy *c = ctx;

	memcpy(addr, c->from, len);
	c->from += len;
	if (c->platform->writeback)
		c->platform->writeback(c->platform, addr, len);
	return len;
}

int vmemos_may_read(const struct vmemos_file *file)
{
	if (file->flags & VMEMOS_O_PATH || (file->flags & VMEMOS_O_ACCMODE) == VMEMOS_O_WRONLY)
		return -EBADF;
	return vmemos_is_dir(file->inode) ? -EISDIR : 0;
}

/* At *pos, which moves on.  The lock is held, shared at least. */
static int64_t read_at(struct vmemos_file *file, void *buf, size_t len, uint64_t *pos)
{
	struct copy c = { file->inode->fs->platform, NULL, buf };
	int64_t n = vmemos_may_read(file);

	if (!n)
		n = vmem_read(&file->inode->core, *pos, len, copy_out, &c);
	if (n > 0)
		*pos += (uint64_t)n;
	return n;
}

int64_t vmemos_pread(struct vmemos_file *file, void *buf, size_t len, uint64_t off)
{
	int64_t n;

	vmemos_lock_shared(file->inode->fs);
	n = read_at(file, buf, len, &off);
	vmemos_unlock_shared(file->inode->fs);
	return n;
}

int64_t vmemos_read(struct vmemos_file *file, void *buf, size_t len)
{
	int64_t n;

	vmemos_lock(file->inode->fs);
	n = read_at(file, buf, len, &file->pos);
	vmemos_unlock(file->inode->fs);
	return n;
}

/* At *pos, or, if `append` and the handle says so, at the end; *pos moves on. */
static int64_t write_at(struct vmemos_file *file, const void *buf, size_t len, uint64_t *pos,
			bool append)
{
	struct copy c = { file->inode->fs->platform, buf, NULL };
	int64_t n;
	int err = 0;

	if (!wants_write(file->flags))
		return -EBADF;
	vmemos_lock(file->inode->fs);
	if (append && file->flags & VMEMOS_O_APPEND)
		*pos = vmem_size(&file->inode->core);
	n = vmem_write(&file->inode->core, *pos, len, copy_in, &c);
	if (n > 0)
		*pos += (uint64_t)n;
	vmemos_unlock(file->inode->fs);
	if (n > 0 && file->flags & VMEMOS_O_DSYNC)
		err = vmemos_fsync(file, (file->flags & VMEMOS_O_SYNC) != VMEMOS_O_SYNC);
	return err ? err : n;
}

int64_t vmemos_pwrite(struct vmemos_file *file, const void *buf, size_t len, uint64_t off)
{
	return write_at(file, buf, len, &off, false);
}

int64_t vmemos_write(struct vmemos_file *file, const void *buf, size_t len)
{
	return write_at(file, buf, len, &file->pos, true);
}

/* The position that lseek asks for, or an error. */
static int64_t seek_target(struct vmemos_file *file, int64_t off, enum vmemos_whence whence)
{
	int64_t from = whence == VMEMOS_SEEK_CUR ? (int64_t)file->pos : 0;

	if (vmemos_is_dir(file->inode))
		return (whence == VMEMOS_SEEK_SET && off >= 0) ||
		       (whence == VMEMOS_SEEK_CUR && !off) ? from + off : -EINVAL;
	switch (whence) {
	case VMEMOS_SEEK_END:
		from = (int64_t)vmem_size(&file->inode->core);
		break;
	case VMEMOS_SEEK_DATA:
	case VMEMOS_SEEK_HOLE:
		return off < 0 ? -ENXIO :
		       vmem_seek(&file->inode->core, (uint64_t)off, whence == VMEMOS_SEEK_HOLE);
	case VMEMOS_SEEK_SET:
	case VMEMOS_SEEK_CUR:
		break;
	default:
		return -EINVAL;
	}
	if (off > INT64_MAX - from)
		return -EOVERFLOW;
	return from + off < 0 ? -EINVAL : from + off;
}

int64_t vmemos_lseek(struct vmemos_file *file, int64_t off, enum vmemos_whence whence)
{
	int64_t pos;

	if (file->flags & VMEMOS_O_PATH)
		return -EBADF;
	vmemos_lock(file->inode->fs);
	pos = seek_target(file, off, whence);
	if (pos >= 0)
		file->pos = (uint64_t)pos;
	vmemos_unlock(file->inode->fs);
	return pos;
}

int vmemos_fsync(struct vmemos_file *file, bool data_only)
{
	struct vmemos_inode *inode = file->inode;

	if (file->flags & VMEMOS_O_PATH)
		return -EBADF;
	vmemos_lock_shared(inode->fs);
	vmemos_areas_stored(inode);
	vmemos_unlock_shared(inode->fs);
	return vmem_fsync(&inode->core, data_only);
}

int vmemos_ftruncate(struct vmemos_file *file, uint64_t size)
{
	int err;

	if (!wants_write(file->flags))
		return file->flags & VMEMOS_O_PATH ? -EBADF : -EINVAL;
	vmemos_lock(file->inode->fs);
	err = vmemos_truncate_inode(file->inode, size);
	vmemos_unlock(file->inode->fs);
	return err;
}

int vmemos_fallocate(struct vmemos_file *file, unsigned int mode, uint64_t off, uint64_t len)
{
	int err;

	if (!wants_write(file->flags))
		return -EBADF;
	vmemos_lock(file->inode->fs);
	err = vmemos_fallocate_inode(file->inode, mode, off, len);
	vmemos_unlock(file->inode->fs);
	return err;
}

/* ---- Attributes ---- */

static enum vmemos_follow follow_by(unsigned int flags)
{
	return flags & VMEMOS_NOFOLLOW ? VMEMOS_WALK_LINK : VMEMOS_WALK_FOLLOW;
}

int vmemos_stat(struct vmemos_file *at, const char *path, unsigned int flags,
		struct vmemos_stat *st)
{
	struct vmemos_walk w;
	struct vmem_attr a;
	int err = vmemos_begin(at, path, follow_by(flags), &w);

	if (!err) {
		vmem_getattr(&w.inode->core, &a);
		*st = (struct vmemos_stat){
			.ino = w.inode->core.ino, .mode = a.mode, .nlink = a.nlink, .uid = a.uid,
			.gid = a.gid, .rdev = a.rdev, .generation = a.generation,
			.size = a.size, .blocks = a.blocks, .atime = a.atime,
			.mtime = a.mtime, .ctime = a.ctime, .btime = a.btime,
		};
	}
	return vmemos_end(&w, err);
}

int vmemos_setattr(struct vmemos_file *at, const char *path, unsigned int flags,
		   unsigned int which, const struct vmemos_stat *st)
{
	const unsigned int known = VMEM_SET_MODE | VMEM_SET_UID | VMEM_SET_GID | VMEM_SET_ATIME |
				   VMEM_SET_MTIME;
	struct vmemos_platform *p = at->inode->fs->platform;
	struct vmem_attr a = {
		.mode = (uint16_t)(st->mode & 07777), .uid = st->uid, .gid = st->gid,
		.atime = st->atime, .mtime = st->mtime, .ctime = p->now(p),
	};
	struct vmemos_walk w;
	int err;

	_Static_assert(VMEMOS_SET_MODE == VMEM_SET_MODE && VMEMOS_SET_UID == VMEM_SET_UID &&
		       VMEMOS_SET_GID == VMEM_SET_GID && VMEMOS_SET_ATIME == VMEM_SET_ATIME &&
		       VMEMOS_SET_MTIME == VMEM_SET_MTIME, "bits are handed over as they are");
	if (which & ~known)
		return -EINVAL;
	err = vmemos_begin(at, path, follow_by(flags), &w);
	if (!err)
		err = vmem_setattr(&w.inode->core, which | VMEM_SET_CTIME, &a);
	return vmemos_end(&w, err);
}

/* ---- Directories ---- */

struct one_entry {
	struct vmemos_dirent *entry;
	bool taken;
};

static int take_one(void *ctx, const char *name, size_t len, uint64_t ino, unsigned int type,
		    uint64_t cookie)
{
	struct one_entry *one = ctx;

	(void)cookie;
	if (one->taken)
		return 1;
	one->taken = true;
	one->entry->ino = ino;
	one->entry->type = (uint8_t)type;
	one->entry->len = (uint8_t)len;
	memcpy(one->entry->name, name, len);
	one->entry->name[len] = 0;
	return 0;
}

int vmemos_readdir(struct vmemos_file *dir, struct vmemos_dirent *entry)
{
	struct one_entry one = { entry, false };
	struct vmemos *fs = dir->inode->fs;
	int err;

	if (dir->flags & VMEMOS_O_PATH)
		return -EBADF;
	vmemos_lock(fs);
	err = vmemos_is_dir(dir->inode) ?
	      vmem_readdir(&dir->inode->core, &dir->pos, take_one, &one) : -ENOTDIR;
	entry->next = (int64_t)dir->pos;
	vmemos_unlock(fs);
	return err ? err : one.taken;
}

int64_t vmemos_dirpath(struct vmemos_file *dir, char *buf, size_t size)
{
	struct vmemos *fs = dir->inode->fs;
	int64_t len;

	vmemos_lock(fs);
	len = vmem_dirpath(&dir->inode->core, buf, size);
	vmemos_unlock(fs);
	return len;
}
