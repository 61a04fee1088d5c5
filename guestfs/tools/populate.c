// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* populate.c - fill a new file system from a directory of the host */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "populate.h"
#include "toolenv.h"

#define COPY_CHUNK	(8u << 20)	/* bytes: what one record of the core can link */

/* Host inodes with several names: which inode of ours each one became. */
struct link_entry {
	dev_t dev;
	ino_t host_ino;
	uint64_t ino;		/* 0 = empty slot */
};

struct filler {
	struct vmem_fs *fs;
	uint64_t made;
	struct link_entry *links;	/* open addressing, a power of two slots */
	size_t nr_links, max_links;
};

/* What is copied: where it lies on the host, and how to name it to people. */
struct source {
	int dir_fd;
	const char *name;
	const char *path;
	struct stat st;
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

static int64_t nanoseconds(struct timespec ts)
{
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void attr_of(const struct stat *st, struct vmem_attr *attr)
{
	memset(attr, 0, sizeof(*attr));
	attr->mode = (uint16_t)st->st_mode;
	attr->uid = st->st_uid;
	attr->gid = st->st_gid;
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))	/* Linux huge encoding */
		attr->rdev = (uint32_t)((minor(st->st_rdev) & 0xff) |
					(major(st->st_rdev) << 8) |
					((minor(st->st_rdev) & ~0xffu) << 12));
	attr->atime = nanoseconds(st->st_atim);
	attr->mtime = nanoseconds(st->st_mtim);
	attr->ctime = nanoseconds(st->st_ctim);
}

/* Last of all, because contents change the times. */
static int set_attr(struct vmem_inode *vi, const struct source *src, unsigned int which)
{
	struct vmem_attr attr;
	int err;

	attr_of(&src->st, &attr);
	err = vmem_setattr(vi, which | VMEM_SET_ATIME | VMEM_SET_MTIME | VMEM_SET_CTIME, &attr);
	return err ? fail(src, "cannot set its attributes", -err) : 0;
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
static int copy_range(struct vmem_inode *vi, const struct source *src, struct file_reader *r,
		      uint64_t off, uint64_t end)
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
	}
	return 0;
}

static int copy_file(struct vmem_inode *vi, const struct source *src)
{
	struct file_reader r = { .fd = openat(src->dir_fd, src->name,
					      O_RDONLY | O_NOFOLLOW | O_CLOEXEC) };
	off_t size = src->st.st_size, data = 0, hole;
	int err = 0;

	if (r.fd < 0)
		return fail(src, "cannot open", errno);
	while (!err && data < size) {
		data = lseek(r.fd, data, SEEK_DATA);
		if (data < 0 || data >= size)	/* ENXIO: a hole up to the end */
			break;
		hole = lseek(r.fd, data, SEEK_HOLE);
		if (hole < 0 || hole > size)
			hole = size;
		err = copy_range(vi, src, &r, (uint64_t)data, (uint64_t)hole);
		data = hole;
	}
	close(r.fd);
	if (!err && vmem_size(vi) < (uint64_t)size) {
		err = -vmem_truncate(vi, (uint64_t)size);
		if (err)
			err = fail(src, "cannot set its size", err);
	}
	return err;
}

static int make_symlink(struct vmem_inode *dir, struct vmem_name name,
			const struct source *src, const struct vmem_attr *attr,
			struct vmem_inode *vi)
{
	char target[VMEM_BLOCK_SIZE];
	ssize_t len = readlinkat(src->dir_fd, src->name, target, sizeof(target));

	if (len < 0)
		return -errno;
	return vmem_symlink(dir, name, target, (size_t)len, attr, vi);
}

/* ---- Trees --------------------------------------------------------------- */

static int fill_dir(struct filler *f, struct vmem_inode *dir, int fd, const char *path);

static int link_again(struct filler *f, struct vmem_inode *dir, struct vmem_name name,
		      const struct source *src, uint64_t ino)
{
	struct vmem_inode vi;
	int err = vmem_iget(f->fs, ino, &vi), put;

	if (err)
		return fail(src, "cannot link it", -err);
	err = vmem_link(dir, name, &vi);
	if (!err && set_attr(&vi, src, 0))
		err = -EIO;
	put = vmem_iput(&vi);
	if (err || put)
		return fail(src, "cannot link it", -(err ? err : put));
	return 0;
}

static int fill_subdir(struct filler *f, struct vmem_inode *vi, const struct source *src)
{
	int fd = openat(src->dir_fd, src->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return fail(src, "cannot open", errno);
	return fill_dir(f, vi, fd, src->path);
}

static int copy_entry(struct filler *f, struct vmem_inode *dir, const struct source *src)
{
	struct vmem_name name = { src->name, strlen(src->name) };
	uint64_t known = known_link(f, src);
	struct vmem_attr attr;
	struct vmem_inode vi;
	int err, put;

	if (known)
		return link_again(f, dir, name, src, known);
	attr_of(&src->st, &attr);
	if (S_ISLNK(src->st.st_mode))
		err = make_symlink(dir, name, src, &attr, &vi);
	else
		err = vmem_create(dir, name, &attr, &vi);
	if (err)
		return fail(src, "cannot be made in the image", -err);
	tool_progress("files copied", ++f->made, 0);

	if (S_ISDIR(src->st.st_mode))
		err = fill_subdir(f, &vi, src);
	else if (S_ISREG(src->st.st_mode))
		err = copy_file(&vi, src);
	if (!err)
		err = set_attr(&vi, src, 0);
	if (!err)
		err = remember_link(f, src, vi.ino);
	put = vmem_iput(&vi);
	if (put && !err)
		err = fail(src, "cannot be finished in the image", -put);
	return err;
}

/* Takes over fd. */
static int fill_dir(struct filler *f, struct vmem_inode *dir, int fd, const char *path)
{
	DIR *d = fdopendir(fd);
	struct dirent *de;
	int err = 0;

	if (!d) {
		tool_error("%s: %s", path, strerror(errno));
		close(fd);
		return -1;
	}
	while (!err && (errno = 0, de = readdir(d))) {
		struct source src = { .dir_fd = fd, .name = de->d_name };
		char *full;

		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		if (asprintf(&full, "%s/%s", path, de->d_name) < 0) {
			err = -1;
			break;
		}
		src.path = full;
		if (fstatat(fd, src.name, &src.st, AT_SYMLINK_NOFOLLOW) < 0)
			err = fail(&src, "cannot stat", errno);
		else
			err = copy_entry(f, dir, &src);
		free(full);
	}
	if (!err && errno) {
		tool_error("%s: %s", path, strerror(errno));
		err = -1;
	}
	closedir(d);
	return err;
}

int64_t populate(struct vmem_fs *fs, const char *path)
{
	struct source src = { .dir_fd = AT_FDCWD, .name = path, .path = path };
	struct filler f = { .fs = fs };
	struct vmem_inode root;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err, put;

	if (fd < 0 || fstat(fd, &src.st) < 0) {
		err = fail(&src, "cannot open", errno);
		if (fd >= 0)
			close(fd);
		return err;
	}
	err = vmem_iget(fs, VMEM_ROOT_INO, &root);
	if (err) {
		close(fd);
		return fail(&src, "cannot read the new root directory", -err);
	}
	err = fill_dir(&f, &root, fd, path);
	if (!err)
		err = set_attr(&root, &src, VMEM_SET_MODE | VMEM_SET_UID | VMEM_SET_GID);
	put = vmem_iput(&root);
	if (put && !err)
		err = fail(&src, "cannot finish the root directory", -put);
	free(f.links);
	tool_progress_end();
	return err ? -1 : (int64_t)f.made;
}
