// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * populate.c - fill a new file system from a directory of the host
 *
 * The tree is walked without recursion: a level is a directory whose names are
 * being copied.  Only the deepest is open, as the working directory, and its
 * parent is opened anew by "..", so that neither open files nor the stack limit
 * the depth.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fill.h"
#include "host_xattrs.h"
#include "lost_attrs.h"
#include "populate.h"
#include "toolenv.h"

#define COPY_CHUNK	(8u << 20)	/* bytes: what one record of the core can link */

/* Host inodes with several names: which inode of ours each one became. */
struct link_entry {
	dev_t dev;
	ino_t host_ino;
	uint64_t ino;		/* 0 = empty slot */
};

/* What is copied: its name in the directory that is open, and how to name it to people. */
struct source {
	const char *name;
	const char *path;
	struct stat st;
};

struct level {
	struct level *up;
	struct vmem_inode vi;
	struct stat st;
	struct dirent **names;	/* sorted, freed one by one */
	int nr_names, next;
	size_t path_len;
};

struct filler {
	struct vmem_fs *fs;
	const struct populate_params *params;
	uint64_t made;
	struct link_entry *links;	/* open addressing, a power of two slots */
	size_t nr_links, max_links;
	struct lost_attrs lost;

	struct level *level;		/* the deepest */
	int fd;				/* its directory, which is the working directory */
	char *path;			/* of what is being copied */
	size_t path_room;
	uint8_t *buf;			/* COPY_CHUNK, or NULL: contents go straight into the store */
};

static int fail(const struct source *src, const char *what, int err)
{
	tool_error("%s: %s: %s", src->path, what, strerror(err));
	return -1;
}

/* ---- Hard links ---------------------------------------------------------- */

static struct link_entry *link_slot(struct link_entry *links, size_t max,
				    dev_t dev, ino_t host_ino)
{
	size_t i = (size_t)(host_ino * 0x9e3779b97f4a7c15ull + dev) & (max - 1);

	while (links[i].ino && (links[i].dev != dev || links[i].host_ino != host_ino))
		i = (i + 1) & (max - 1);
	return &links[i];
}

static int grow_links(struct filler *f)
{
	size_t max = f->max_links ? f->max_links * 2 : 256, i;
	struct link_entry *links = calloc(max, sizeof(*links));

	if (!links)
		return -ENOMEM;
	for (i = 0; i < f->max_links; i++)
		if (f->links[i].ino)
			*link_slot(links, max, f->links[i].dev, f->links[i].host_ino) =
				f->links[i];
	free(f->links);
	f->links = links;
	f->max_links = max;
	return 0;
}

static int remember_link(struct filler *f, const struct source *src, uint64_t ino)
{
	struct link_entry *e;

	if (src->st.st_nlink < 2 || S_ISDIR(src->st.st_mode))
		return 0;
	if (f->nr_links * 2 >= f->max_links && grow_links(f))
		return fail(src, "cannot remember its links", ENOMEM);
	e = link_slot(f->links, f->max_links, src->st.st_dev, src->st.st_ino);
	e->dev = src->st.st_dev;
	e->host_ino = src->st.st_ino;
	e->ino = ino;
	f->nr_links++;
	return 0;
}

/* The inode that this source already became under another name, or 0. */
static uint64_t known_link(const struct filler *f, const struct source *src)
{
	if (src->st.st_nlink < 2 || S_ISDIR(src->st.st_mode) || !f->max_links)
		return 0;
	return link_slot(f->links, f->max_links, src->st.st_dev, src->st.st_ino)->ino;
}

/* ---- Attributes ---------------------------------------------------------- */

/* Whether they are kept exactly. */
static bool times_of(const struct filler *f, const struct stat *st, struct vmem_attr *attr)
{
	bool fits = true;

	attr->mtime = lost_time(st->st_mtim, &fits);
	if (f->params->reproducible) {
		attr->mtime = attr->mtime < f->params->now ? attr->mtime : f->params->now;
		attr->atime = f->params->now;
		attr->ctime = f->params->now;
		return fits;
	}
	attr->atime = lost_time(st->st_atim, &fits);
	attr->ctime = lost_time(st->st_ctim, &fits);
	return fits;
}

static void attr_of(const struct stat *st, struct vmem_attr *attr)
{
	memset(attr, 0, sizeof(*attr));
	attr->mode = (uint16_t)st->st_mode;
	attr->uid = st->st_uid;
	attr->gid = st->st_gid;
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		attr->rdev = fill_rdev(major(st->st_rdev), minor(st->st_rdev));
}

/* Last of all, because contents change the times. */
static int set_attr(const struct filler *f, struct vmem_inode *vi, const struct stat *st, unsigned int which)
{
	struct vmem_attr attr;

	attr_of(st, &attr);
	times_of(f, st, &attr);
	return vmem_setattr(vi, which | VMEM_SET_ATIME | VMEM_SET_MTIME | VMEM_SET_CTIME, &attr);
}

/* Its extended attributes, to be freed, and a note of what will not be there. */
static int read_xattrs(struct filler *f, const struct source *src, struct host_xattrs *set)
{
	struct vmem_attr attr;
	int err = host_xattrs_read(src->name, set);

	if (err)
		return fail(src, "cannot read its extended attributes", err);
	if (set->others)
		lost_note(&f->lost, LOST_OTHER, src->path);
	if (!times_of(f, &src->st, &attr))
		lost_note(&f->lost, LOST_TIMES, src->path);
	return 0;
}

/* ---- Contents ------------------------------------------------------------ */

struct file_reader {
	int fd;
	uint64_t off;
	int error;
	bool ended;		/* before it should have */
};

/* A vmem_copy that reads the host file straight into the store. */
static size_t read_into_store(void *ctx, void *addr, size_t len)
{
	struct file_reader *r = ctx;
	size_t done = 0;

	while (done < len) {
		ssize_t got = pread(r->fd, (uint8_t *)addr + done, len - done,
				    (off_t)(r->off + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			r->error = got < 0 ? errno : 0;
			r->ended = got == 0;
			break;
		}
		done += (size_t)got;
	}
	r->off += done;
	return done;
}

/* Copy the data in [off, end) of the host file. */
static int copy_range(const struct filler *f, struct vmem_inode *vi, const struct source *src,
		      struct file_reader *r, uint64_t off, uint64_t end)
{
	while (off < end) {
		size_t len = end - off < COPY_CHUNK ? (size_t)(end - off) : COPY_CHUNK;
		int64_t done;

		r->off = off;
		r->error = 0;
		done = vmem_write(vi, off, len, read_into_store, r);
		if (done < (int64_t)len) {
			if (r->error)
				return fail(src, "cannot read", r->error);
			if (r->ended)
				return fail(src, "became shorter while it was copied", EIO);
			return fail(src, "cannot be written into the image",
				    done < 0 ? (int)-done : ENOSPC);
		}
		off += len;
		tool_progress("files copied", f->made, 0);
	}
	return 0;
}

/* What is written, and in which pieces, depends on the contents alone. */
static int copy_nonzero(const struct filler *f, struct vmem_inode *vi, const struct source *src, int fd)
{
	uint64_t size = (uint64_t)src->st.st_size, off = 0;
	int err;

	while (off < size) {
		struct file_reader r = { .fd = fd, .off = off };
		size_t len = size - off < COPY_CHUNK ? (size_t)(size - off) : COPY_CHUNK;
		off_t data = lseek(fd, (off_t)off, SEEK_DATA);

		if (data < 0 && errno == ENXIO)		/* a hole up to the end */
			return 0;
		if (data >= (off_t)(off + len)) {
			off = (uint64_t)data / COPY_CHUNK * COPY_CHUNK;
			continue;
		}
		if (read_into_store(&r, f->buf, len) < len)
			return r.ended ? fail(src, "became shorter while it was copied", EIO) :
					 fail(src, "cannot read", r.error);
		err = fill_nonzero(vi, off, f->buf, len);
		if (err)
			return fail(src, "cannot be written into the image", -err);
		off += len;
		tool_progress("files copied", f->made, 0);
	}
	return 0;
}

/* With the host's holes. */
static int copy_data(const struct filler *f, struct vmem_inode *vi, const struct source *src, int fd)
{
	struct file_reader r = { .fd = fd };
	off_t size = src->st.st_size, data = 0, hole;
	int err = 0;

	while (!err && data < size) {
		data = lseek(fd, data, SEEK_DATA);
		if (data < 0 || data >= size)	/* ENXIO: a hole up to the end */
			break;
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0 || hole > size)
			hole = size;
		err = copy_range(f, vi, src, &r, (uint64_t)data, (uint64_t)hole);
		data = hole;
	}
	return err;
}

static int copy_file(const struct filler *f, struct vmem_inode *vi, const struct source *src)
{
	int fd = openat(f->fd, src->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), err;

	if (fd < 0)
		return fail(src, "cannot open", errno);
	err = f->buf ? copy_nonzero(f, vi, src, fd) : copy_data(f, vi, src, fd);
	close(fd);
	if (!err && vmem_size(vi) < (uint64_t)src->st.st_size) {
		err = -vmem_truncate(vi, (uint64_t)src->st.st_size);
		if (err)
			err = fail(src, "cannot set its size", err);
	}
	return err;
}

static int make_symlink(const struct filler *f, struct vmem_name name, const struct source *src,
			const struct vmem_attr *attr, struct vmem_inode *vi)
{
	char target[VMEM_BLOCK_SIZE];
	ssize_t len = readlinkat(f->fd, src->name, target, sizeof(target));

	if (len < 0)
		return -errno;
	return vmem_symlink(&f->level->vi, name, target, (size_t)len, attr, vi);
}

/* ---- Levels -------------------------------------------------------------- */

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_entry(const struct dirent *de)
{
	return strcmp(de->d_name, ".") && strcmp(de->d_name, "..");
}

/* The directory fd is open instead of the one before. */
static int change_dir(struct filler *f, int fd)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = fd;
	if (fchdir(fd) < 0) {
		tool_error("%s: cannot enter: %s", f->path, strerror(errno));
		return -1;
	}
	return 0;
}

/* The level, whose inode is there, becomes the deepest; takes over fd. */
static int enter(struct filler *f, struct level *l, int fd)
{
	l->path_len = strlen(f->path);
	l->up = f->level;
	f->level = l;
	if (change_dir(f, fd))
		return -1;
	l->nr_names = scandirat(fd, ".", &l->names, is_entry, by_bytes);
	if (l->nr_names < 0) {
		tool_error("%s: %s", f->path, strerror(errno));
		l->nr_names = 0;
		return -1;
	}
	return 0;
}

/* The deepest directory's inode is put, and what the level holds is freed. */
static int drop_level(struct filler *f)
{
	struct level *l = f->level;
	int err = vmem_iput(&l->vi);

	f->level = l->up;
	while (l->next < l->nr_names)
		free(l->names[l->next++]);
	free(l->names);
	free(l);
	return err;
}

/* All names of the deepest directory were copied. */
static int leave(struct filler *f)
{
	struct level *l = f->level, *up = l->up;
	unsigned int which = up ? 0 : VMEM_SET_MODE | VMEM_SET_UID | VMEM_SET_GID;
	struct stat st;
	int err, put, fd;

	f->path[l->path_len] = 0;
	err = set_attr(f, &l->vi, &l->st, which);
	put = drop_level(f);
	if (err || put) {
		tool_error("%s: cannot be finished in the image: %s", f->path, strerror(-(err ? err : put)));
		return -1;
	}
	if (!up)
		return 0;
	fd = openat(f->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != up->st.st_dev || st.st_ino != up->st.st_ino) {
		tool_error("%s: the way back from it is lost: %s", f->path,
			   fd < 0 ? strerror(errno) : "it was moved while it was copied");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return change_dir(f, fd);
}

/* ---- Trees --------------------------------------------------------------- */

static int link_again(struct filler *f, struct vmem_name name, const struct source *src, uint64_t ino)
{
	struct vmem_inode vi;
	int err = vmem_iget(f->fs, ino, &vi), put;

	if (err)
		return fail(src, "cannot link it", -err);
	err = vmem_link(&f->level->vi, name, &vi);
	if (!err)
		err = set_attr(f, &vi, &src->st, 0);
	put = vmem_iput(&vi);
	if (err || put)
		return fail(src, "cannot link it", -(err ? err : put));
	return 0;
}

static int make_inode(struct filler *f, struct source *src, struct vmem_inode *vi)
{
	struct vmem_name name = { src->name, strlen(src->name) };
	struct host_xattrs set;
	struct vmem_attr attr;
	int err;

	if (read_xattrs(f, src, &set))
		return -1;
	attr_of(&src->st, &attr);
	attr.xattrs = set.x;
	attr.nr_xattrs = set.nr;
	if (S_ISLNK(src->st.st_mode))
		err = make_symlink(f, name, src, &attr, vi);
	else
		err = vmem_create(&f->level->vi, name, &attr, vi);
	host_xattrs_free(&set);
	if (err)
		return fail(src, "cannot be made in the image", -err);
	tool_progress("files copied", ++f->made, 0);
	return 0;
}

static int copy_dir(struct filler *f, struct source *src)
{
	struct level *l = calloc(1, sizeof(*l));
	int fd = openat(f->fd, src->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), err;

	if (!l || fd < 0) {
		err = fail(src, "cannot open", l ? errno : ENOMEM);
	} else {
		err = make_inode(f, src, &l->vi);
		l->st = src->st;
	}
	if (!err)
		return enter(f, l, fd);
	if (fd >= 0)
		close(fd);
	free(l);
	return err;
}

static int copy_other(struct filler *f, struct source *src)
{
	struct vmem_inode vi;
	int err = make_inode(f, src, &vi), put;

	if (err)
		return err;
	if (S_ISREG(src->st.st_mode))
		err = copy_file(f, &vi, src);
	if (!err) {
		err = set_attr(f, &vi, &src->st, 0);
		err = err ? fail(src, "cannot set its attributes", -err) : remember_link(f, src, vi.ino);
	}
	put = vmem_iput(&vi);
	if (put && !err)
		err = fail(src, "cannot be finished in the image", -put);
	return err;
}

static bool is_image(const struct filler *f, const struct source *src)
{
	const struct stat *image = f->params->image;

	if (!S_ISREG(src->st.st_mode) || src->st.st_dev != image->st_dev || src->st.st_ino != image->st_ino)
		return false;
	tool_error("note: %s is this image: not copied into itself", src->path);
	return true;
}

static int copy_entry(struct filler *f, const char *name)
{
	struct source src = { .name = name, .path = f->path };
	uint64_t known;

	if (fstatat(f->fd, name, &src.st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(&src, "cannot stat", errno);
	if (is_image(f, &src))
		return 0;
	known = known_link(f, &src);
	if (known)
		return link_again(f, (struct vmem_name){ name, strlen(name) }, &src, known);
	return S_ISDIR(src.st.st_mode) ? copy_dir(f, &src) : copy_other(f, &src);
}

/* f->path becomes that of a name in the deepest directory. */
static int set_path(struct filler *f, const char *name)
{
	size_t len = f->level->path_len, need = len + strlen(name) + 2;
	char *longer;

	if (need > f->path_room) {
		longer = realloc(f->path, 2 * need);
		if (!longer) {
			tool_error("%s: %s", f->path, strerror(ENOMEM));
			return -1;
		}
		f->path = longer;
		f->path_room = 2 * need;
	}
	f->path[len] = '/';
	memcpy(f->path + len + 1, name, strlen(name) + 1);
	return 0;
}

static int copy_tree(struct filler *f)
{
	int err = 0;

	while (f->level && !err) {
		struct level *l = f->level;

		if (l->next < l->nr_names) {
			struct dirent *de = l->names[l->next++];

			err = set_path(f, de->d_name) || copy_entry(f, de->d_name) ? -1 : 0;
			free(de);
		} else {
			err = leave(f);
		}
	}
	return err;
}

/* Enter the directory of the host and the root of the file system. */
static int begin(struct filler *f)
{
	struct level *l = calloc(1, sizeof(*l));
	int fd = open(f->params->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

	f->path = strdup(f->params->path);
	f->path_room = f->path ? strlen(f->path) + 1 : 0;
	if (f->params->reproducible)
		f->buf = malloc(COPY_CHUNK);
	if (!l || !f->path || (f->params->reproducible && !f->buf)) {
		tool_error("out of memory");
		err = -1;
	} else if (fd < 0 || fstat(fd, &l->st) < 0) {
		tool_error("%s: cannot open: %s", f->path, strerror(errno));
		err = -1;
	} else {
		err = vmem_iget(f->fs, VMEM_ROOT_INO, &l->vi);
		if (err)
			tool_error("cannot read the new root directory: %s", strerror(-err));
	}
	if (!err)
		return enter(f, l, fd);
	if (fd >= 0)
		close(fd);
	free(l);
	return -1;
}

/* Of the directory itself. */
static int copy_root_xattrs(struct filler *f)
{
	struct source root = { .name = ".", .path = f->path, .st = f->level->st };
	struct host_xattrs set;
	int err = read_xattrs(f, &root, &set);

	if (err)
		return err;
	if (set.nr)
		err = vmem_setxattr(&f->level->vi, set.x, set.nr, 0, NULL);
	host_xattrs_free(&set);
	return err ? fail(&root, "cannot keep its extended attributes", -err) : 0;
}

int64_t populate(struct vmem_fs *fs, const struct populate_params *params)
{
	struct filler f = { .fs = fs, .params = params, .fd = -1 };
	int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC), err;

	if (here < 0) {
		tool_error("cannot open the working directory: %s", strerror(errno));
		return -1;
	}
	err = begin(&f);
	if (!err)
		err = copy_root_xattrs(&f);
	if (!err)
		err = copy_tree(&f);
	while (f.level)
		drop_level(&f);
	tool_progress_end();
	lost_say(&f.lost);
	if (f.fd >= 0)
		close(f.fd);
	if (fchdir(here) < 0) {
		tool_error("cannot return to the working directory: %s", strerror(errno));
		err = -1;
	}
	close(here);
	free(f.links);
	free(f.path);
	free(f.buf);
	return err ? -1 : (int64_t)f.made;
}
