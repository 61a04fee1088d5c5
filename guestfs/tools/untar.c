// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * untar.c - see untar.h
 *
 * Names are looked up in the file system that is made, component by component, and only
 * through directories: nothing in an archive can reach anything else.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fill.h"
#include "lost_attrs.h"
#include "tar_attrs.h"
#include "tar_input.h"
#include "toolenv.h"
#include "untar.h"

#define TOLD	(-1)	/* as tar_error() returns it; else errors are of errno */
#define TIMES	(VMEM_SET_ATIME | VMEM_SET_MTIME | VMEM_SET_CTIME)

/* A directory, whose times are set when all is in it. */
struct dir_times {
	uint64_t ino;		/* 0: it is gone */
	int64_t atime, mtime, ctime;
};

struct untar {
	struct vmem_fs *fs;
	const struct untar_params *params;
	struct tar_input in;
	uint64_t made, absolute;
	struct lost_attrs lost;
	struct dir_times *dirs;
	size_t nr_dirs, max_dirs;
};

/* What is being made. */
struct member {
	struct archive_entry *entry;
	struct tar_xattrs xattrs;
	struct vmem_attr attr;
	struct vmem_inode dir;		/* where it goes */
	struct vmem_name name;		/* there; empty: it is the root */
	uint64_t target;		/* of a hard link, or 0 */
};

static int fail(const struct untar *u, const char *what, int err)
{
	return tar_error(&u->in, "%s: %s", what, strerror(-err));
}

/* ---- Paths ----------------------------------------------------------------- */

/* The next component that says something; false: there is none. */
static bool component(const char **path, struct vmem_name *name)
{
	do {
		*path += strspn(*path, "/");
		name->name = *path;
		name->len = strcspn(*path, "/");
		*path += name->len;
	} while (name->len == 1 && name->name[0] == '.');
	return name->len > 0;
}

/* A directory without an entry of its own. */
static int make_parent(struct untar *u, struct vmem_inode *dir, struct vmem_name name, uint64_t *ino)
{
	struct vmem_attr attr = { .mode = 040755 };
	struct vmem_inode vi;
	int err = vmem_create(dir, name, &attr, &vi), put;

	if (err)
		return fail(u, "a directory above it cannot be made in the image", err);
	*ino = vi.ino;
	u->made++;
	put = vmem_iput(&vi);
	return put ? fail(u, "a directory above it cannot be made in the image", put) : 0;
}

/* From dir to the directory of that name in it. */
static int enter(struct untar *u, struct vmem_inode *dir, struct vmem_name name, bool make)
{
	unsigned int type = DT_DIR;
	uint64_t ino;
	int err = vmem_lookup(dir, name, &ino, &type), put;

	if (err == -ENOENT && make)
		err = make_parent(u, dir, name, &ino);
	else if (err)
		err = err == -ENOENT ? err : fail(u, "cannot look for it in the image", err);
	else if (type != DT_DIR)
		err = tar_error(&u->in, "%.*s, above it, is %s", (int)(name.len < 64 ? name.len : 64), name.name,
				type == DT_LNK ? "a symbolic link, through which nothing is stored" :
				"no directory");
	put = vmem_iput(dir);
	if (!err && put)
		err = fail(u, "cannot be stored", put);
	if (!err) {
		err = vmem_iget(u->fs, ino, dir);
		err = err ? fail(u, "cannot be read in the image", err) : 0;
	}
	return err;
}

/*
 * The directory of a path and the name in it.  Without `make`, -ENOENT: there is no such
 * directory.  After 0 *dir is to be put.
 */
static int walk(struct untar *u, const char *path, bool make, struct vmem_inode *dir, struct vmem_name *name)
{
	struct vmem_name next;
	int err = vmem_iget(u->fs, VMEM_ROOT_INO, dir);

	if (err)
		return fail(u, "cannot read the root directory", err);
	*name = (struct vmem_name){ path, 0 };
	while (component(&path, &next)) {
		if (next.len == 2 && !memcmp(next.name, "..", 2)) {
			vmem_iput(dir);
			return tar_error(&u->in, "a name with \"..\" may lead anywhere");
		}
		if (name->len) {
			err = enter(u, dir, *name, make);
			if (err)
				return err;
		}
		*name = next;
	}
	return 0;
}

/* ---- Times ----------------------------------------------------------------- */

/* Those that an archive may lack are of now, as when it is unpacked. */
static void times_of(const struct untar *u, const struct member *m, struct vmem_attr *attr, bool *fits)
{
	struct archive_entry *e = m->entry;
	struct timespec now, ts = { archive_entry_mtime(e), archive_entry_mtime_nsec(e) };

	attr->mtime = lost_time(ts, fits);
	if (u->params->reproducible) {
		attr->mtime = attr->mtime < u->params->now ? attr->mtime : u->params->now;
		attr->atime = u->params->now;
		attr->ctime = u->params->now;
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	ts = (struct timespec){ archive_entry_atime(e), archive_entry_atime_nsec(e) };
	attr->atime = lost_time(archive_entry_atime_is_set(e) ? ts : now, fits);
	ts = (struct timespec){ archive_entry_ctime(e), archive_entry_ctime_nsec(e) };
	attr->ctime = lost_time(archive_entry_ctime_is_set(e) ? ts : now, fits);
}

static int remember_dir(struct untar *u, uint64_t ino, const struct vmem_attr *attr)
{
	if (u->nr_dirs == u->max_dirs) {
		size_t max = u->max_dirs ? 2 * u->max_dirs : 256;
		struct dir_times *dirs = realloc(u->dirs, max * sizeof(*dirs));

		if (!dirs)
			return fail(u, "its times cannot be remembered", -ENOMEM);
		u->dirs = dirs;
		u->max_dirs = max;
	}
	u->dirs[u->nr_dirs++] = (struct dir_times){ ino, attr->atime, attr->mtime, attr->ctime };
	return 0;
}

static void forget_dir(struct untar *u, uint64_t ino)
{
	size_t i;

	for (i = 0; i < u->nr_dirs; i++)
		if (u->dirs[i].ino == ino)
			u->dirs[i].ino = 0;
}

/* In the order of the archive: of two entries for one directory the later one counts. */
static int set_dir_times(struct untar *u)
{
	int err = 0, put;
	size_t i;

	for (i = 0; i < u->nr_dirs && !err; i++) {
		const struct dir_times *d = &u->dirs[i];
		struct vmem_attr attr = { .atime = d->atime, .mtime = d->mtime, .ctime = d->ctime };
		struct vmem_inode vi;

		if (!d->ino)
			continue;
		err = vmem_iget(u->fs, d->ino, &vi);
		if (err)
			break;
		err = vmem_setattr(&vi, TIMES, &attr);
		put = vmem_iput(&vi);
		err = err ? err : put;
	}
	return err ? fail(u, "the times of a directory cannot be set", err) : 0;
}

/* ---- Members --------------------------------------------------------------- */

/* What is in the way of a member: it goes.  1: it is a directory, and stays. */
static int make_way(struct untar *u, struct member *m, bool for_dir, uint64_t *ino)
{
	struct vmem_inode old;
	struct vmem_attr attr;
	unsigned int type;
	int err = vmem_lookup(&m->dir, m->name, ino, &type), put;

	if (err == -ENOENT)
		return 0;
	if (!err && type == DT_DIR && for_dir)
		return 1;
	if (!err)
		err = vmem_iget(u->fs, *ino, &old);
	if (err)
		return fail(u, "cannot be replaced in the image", err);
	err = type == DT_DIR ? vmem_rmdir(&m->dir, m->name, &old) : vmem_unlink(&m->dir, m->name, &old);
	vmem_getattr(&old, &attr);
	put = vmem_iput(&old);
	if (err == -ENOTEMPTY)
		return tar_error(&u->in, "a directory of this name came before, and is not empty");
	if (err || put)
		return fail(u, "cannot be replaced in the image", err ? err : put);
	if (type == DT_DIR)
		forget_dir(u, *ino);
	u->made -= !attr.nlink;
	return 0;
}

/* The directory that is there, or the root, becomes as the archive has it. */
static int renew_dir(struct untar *u, struct member *m, uint64_t ino)
{
	struct vmem_inode vi;
	int err = 0, put;

	/* The root is what m->dir holds. */
	if (m->name.len)
		err = vmem_iget(u->fs, ino, &vi);
	if (!err) {
		struct vmem_inode *dir = m->name.len ? &vi : &m->dir;

		err = vmem_setattr(dir, VMEM_SET_MODE | VMEM_SET_UID | VMEM_SET_GID, &m->attr);
		if (!err && m->xattrs.nr)
			err = vmem_setxattr(dir, m->xattrs.x, m->xattrs.nr, 0, NULL);
		put = m->name.len ? vmem_iput(&vi) : 0;
		err = err ? err : put;
	}
	return err ? fail(u, "cannot be set", err) : remember_dir(u, ino, &m->attr);
}

static int make_dir(struct untar *u, struct member *m)
{
	uint64_t ino = VMEM_ROOT_INO;
	struct vmem_inode vi;
	int there = m->name.len ? make_way(u, m, true, &ino) : 1, err, put;

	if (there)
		return there < 0 ? TOLD : renew_dir(u, m, ino);
	err = vmem_create(&m->dir, m->name, &m->attr, &vi);
	if (err)
		return fail(u, "cannot be made in the image", err);
	u->made++;
	ino = vi.ino;
	put = vmem_iput(&vi);
	return put ? fail(u, "cannot be made in the image", put) : remember_dir(u, ino, &m->attr);
}

/* What a hard link leads to, which came before. */
static int find_target(struct untar *u, const char *path, uint64_t *ino)
{
	struct vmem_name name;
	struct vmem_inode dir;
	unsigned int type = DT_DIR;
	int err = walk(u, path, false, &dir, &name), put;

	if (!err) {
		if (name.len)
			err = vmem_lookup(&dir, name, ino, &type);
		put = vmem_iput(&dir);
		err = put ? put : err;
	}
	if (err == -ENOENT)
		return tar_error(&u->in, "a hard link to what is not there, or comes later");
	if (!err && type == DT_DIR)
		return tar_error(&u->in, "a hard link to a directory");
	return err && err != TOLD ? fail(u, "cannot look for what it links to", err) : err;
}

static int make_link(struct untar *u, struct member *m)
{
	struct vmem_inode vi;
	struct vmem_attr was;
	uint64_t old;
	int err, put;

	if (!vmem_lookup(&m->dir, m->name, &old, NULL) && old == m->target)
		return 0;
	if (make_way(u, m, false, &old) < 0)
		return TOLD;
	err = vmem_iget(u->fs, m->target, &vi);
	if (err)
		return fail(u, "cannot be linked", err);
	vmem_getattr(&vi, &was);
	err = vmem_link(&m->dir, m->name, &vi);
	if (!err)
		err = vmem_setattr(&vi, VMEM_SET_CTIME, &was);
	put = vmem_iput(&vi);
	return err || put ? fail(u, "cannot be linked", err ? err : put) : 0;
}

static int copy_data(struct untar *u, struct vmem_inode *vi, uint64_t size)
{
	const void *buf;
	uint64_t off;
	size_t len;
	int more, err = 0;

	while ((more = tar_data(&u->in, &buf, &len, &off)) > 0) {
		if (off > size || len > size - off)
			return tar_error(&u->in, "its map of holes is damaged");
		if (len)
			err = u->params->reproducible ? fill_nonzero(vi, off, buf, len) : fill_write(vi, off, buf, len);
		if (err)
			return fail(u, "cannot be written into the image", err);
	}
	if (!more && vmem_size(vi) < size) {
		err = vmem_truncate(vi, size);
		if (err)
			return fail(u, "cannot have its size in the image", err);
	}
	return more;
}

static int create(struct untar *u, struct member *m, struct vmem_inode *vi)
{
	const char *target = archive_entry_symlink(m->entry);
	int err;

	if (archive_entry_filetype(m->entry) != AE_IFLNK)
		err = vmem_create(&m->dir, m->name, &m->attr, vi);
	else if (!target || !*target)
		return tar_error(&u->in, "a symbolic link to nothing");
	else
		err = vmem_symlink(&m->dir, m->name, target, strlen(target), &m->attr, vi);
	return err ? fail(u, "cannot be made in the image", err) : 0;
}

static int make_other(struct untar *u, struct member *m)
{
	la_int64_t size = archive_entry_size(m->entry);
	struct vmem_inode vi;
	uint64_t old;
	int err, put;

	if (make_way(u, m, false, &old) < 0 || create(u, m, &vi))
		return TOLD;
	u->made++;
	err = 0;
	if (archive_entry_filetype(m->entry) == AE_IFREG)
		err = size < 0 ? tar_error(&u->in, "its size makes no sense") : copy_data(u, &vi, (uint64_t)size);
	if (!err) {
		/* Last of all, because contents change the times. */
		err = vmem_setattr(&vi, TIMES, &m->attr);
		err = err ? fail(u, "its times cannot be set", err) : 0;
	}
	put = vmem_iput(&vi);
	return put && !err ? fail(u, "cannot be finished in the image", put) : err;
}

static int make_member(struct untar *u, struct member *m)
{
	unsigned int type = archive_entry_filetype(m->entry);
	bool fits = true;

	if (!m->name.len && (m->target || type != AE_IFDIR))
		return tar_error(&u->in, "the root can only be a directory");
	if (m->target)
		return make_link(u, m);
	if (tar_attr_read(&u->in, m->entry, &m->xattrs, &m->attr))
		return TOLD;
	times_of(u, m, &m->attr, &fits);
	if (!fits)
		lost_note(&u->lost, LOST_TIMES, u->in.shown);
	if (m->xattrs.others)
		lost_note(&u->lost, LOST_OTHER, u->in.shown);
	return type == AE_IFDIR ? make_dir(u, m) : make_other(u, m);
}

static int take(struct untar *u, struct archive_entry *entry)
{
	const char *path = archive_entry_pathname(entry), *target = archive_entry_hardlink(entry);
	struct member m = { .entry = entry };
	int err, put;

	if (!path || !*path)
		return tar_error(&u->in, "it has no name");
	u->absolute += *path == '/';
	if (target && find_target(u, target, &m.target))
		return TOLD;
	if (tar_xattrs_read(&u->in, entry, &m.xattrs))
		return TOLD;
	err = walk(u, path, true, &m.dir, &m.name);
	if (!err) {
		err = make_member(u, &m);
		put = vmem_iput(&m.dir);
		if (put && !err)
			err = fail(u, "cannot be finished in the image", put);
	}
	tar_xattrs_free(&m.xattrs);
	return err;
}

static void say_notes(struct untar *u, bool complete)
{
	lost_say(&u->lost);
	if (complete && u->absolute)
		tool_error("note: a leading / was left out of names: %llu", (unsigned long long)u->absolute);
	if (complete && u->in.globals)
		tool_error("note: global headers of the archive, which say more than a comment, were passed over: %llu",
			   (unsigned long long)u->in.globals);
}

int64_t untar(struct vmem_fs *fs, const struct untar_params *params)
{
	struct untar u = { .fs = fs, .params = params };
	struct archive_entry *entry;
	int more, err = 0;

	if (tar_open(&u.in, params->path))
		return -1;
	while (!err && (more = tar_next(&u.in, &entry)))
		err = more < 0 ? TOLD : take(&u, entry);
	if (!err)
		err = set_dir_times(&u);
	if (!err)
		tar_drain(&u.in);
	tar_close(&u.in);
	say_notes(&u, !err);
	free(u.dirs);
	return err ? -1 : (int64_t)u.made;
}
