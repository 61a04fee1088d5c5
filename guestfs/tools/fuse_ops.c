// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* fuse_ops.c - the kernel's requests */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuse_vmemfs.h"

#define NS		1000000000ll
#define DAY_NS		(86400 * NS)
#define SECONDS_MAX	9223372035ll	/* as many fit into the core's times */
#define MAX_IO		(1u << 20)	/* of a request */

/* Nobody else changes the file system: what the kernel knows stays true. */
#define KNOWN_SECONDS	86400.0

static struct fuse_fs *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* To the core's results an error of the kernel's own. */
static void reply(fuse_req_t req, int err)
{
	fuse_reply_err(req, -err);
}

struct node *asked(fuse_req_t req, fuse_ino_t ino)
{
	struct node *node = node_of(fs_of(req), ino);

	if (!node)
		reply(req, -ESTALE);
	return node;
}

/* ---- Attributes ---- */

static int64_t ns_of(struct timespec ts)
{
	int64_t s = ts.tv_sec;

	if (s < -SECONDS_MAX || s > SECONDS_MAX)
		return (s < 0 ? -SECONDS_MAX : SECONDS_MAX) * NS;
	return s * NS + ts.tv_nsec;
}

static struct timespec timespec_of(int64_t ns)
{
	int64_t s = ns / NS - (ns % NS < 0);

	return (struct timespec){ .tv_sec = s, .tv_nsec = (long)(ns - s * NS) };
}

/* Returns its generation. */
static uint32_t stat_of(struct node *node, struct stat *st)
{
	struct vmem_attr a;

	vmem_see_ctime(&node->core);
	pthread_rwlock_rdlock(&node->lock);
	vmem_getattr(&node->core, &a);
	pthread_rwlock_unlock(&node->lock);
	*st = (struct stat){
		.st_ino = node->ino, .st_mode = a.mode, .st_nlink = a.nlink,
		.st_uid = a.uid, .st_gid = a.gid, .st_rdev = a.rdev,
		.st_size = (off_t)a.size, .st_blocks = (blkcnt_t)(a.blocks * (VMEM_BLOCK_SIZE / 512)),
		.st_blksize = VMEM_BLOCK_SIZE, .st_atim = timespec_of(a.atime),
		.st_mtim = timespec_of(a.mtime), .st_ctim = timespec_of(a.ctime),
	};
	return a.generation;
}

static struct fuse_entry_param entry_of(struct node *node)
{
	struct fuse_entry_param e = {
		.ino = node->ino, .attr_timeout = KNOWN_SECONDS, .entry_timeout = KNOWN_SECONDS,
	};

	e.generation = stat_of(node, &e.attr);
	return e;
}

/* With the reference that was taken for the kernel. */
static void reply_entry(fuse_req_t req, struct node *node)
{
	struct fuse_entry_param e = entry_of(node);

	if (fuse_reply_entry(req, &e) == -ENOENT)
		node_put(fs_of(req), node, 1);
}

static void reply_attr(fuse_req_t req, struct node *node)
{
	struct stat st;

	stat_of(node, &st);
	fuse_reply_attr(req, &st, KNOWN_SECONDS);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct node *node = asked(req, ino);

	(void)fi;
	if (node)
		reply_attr(req, node);
}

static int64_t time_asked(const struct fuse_fs *fs, struct timespec ts, bool now)
{
	return now ? fs->env.now(&fs->env) : ns_of(ts);
}

/* But the size. */
static int set_attr(struct fuse_fs *fs, struct node *node, const struct stat *st, int to_set)
{
	struct vmem_attr a, old;
	unsigned int which = VMEM_SET_CTIME;

	vmem_getattr(&node->core, &old);
	a = (struct vmem_attr){
		.mode = (uint16_t)st->st_mode, .uid = st->st_uid, .gid = st->st_gid,
		.atime = time_asked(fs, st->st_atim, to_set & FUSE_SET_ATTR_ATIME_NOW),
		.mtime = time_asked(fs, st->st_mtim, to_set & FUSE_SET_ATTR_MTIME_NOW),
		.ctime = vmem_next_ctime(old.ctime, fs->env.now(&fs->env), true),
	};
	which |= to_set & FUSE_SET_ATTR_MODE ? VMEM_SET_MODE : 0;
	which |= to_set & FUSE_SET_ATTR_UID ? VMEM_SET_UID : 0;
	which |= to_set & FUSE_SET_ATTR_GID ? VMEM_SET_GID : 0;
	which |= to_set & FUSE_SET_ATTR_ATIME ? VMEM_SET_ATIME : 0;
	which |= to_set & FUSE_SET_ATTR_MTIME ? VMEM_SET_MTIME : 0;
	return vmem_setattr(&node->core, which, &a);
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int to_set,
		       struct fuse_file_info *fi)
{
	struct node *node = asked(req, ino);
	int err = 0;

	(void)fi;
	if (!node)
		return;
	pthread_rwlock_wrlock(&node->lock);
	/* With blocks: some may have been allocated in advance behind the end. */
	if ((to_set & FUSE_SET_ATTR_SIZE) && (uint64_t)st->st_size == vmem_size(&node->core) &&
	    !vmem_get64(node->core.raw.blocks))
		to_set |= FUSE_SET_ATTR_MTIME | (to_set & FUSE_SET_ATTR_MTIME ? 0 : FUSE_SET_ATTR_MTIME_NOW);
	else if (to_set & FUSE_SET_ATTR_SIZE)
		err = vmem_truncate(&node->core, (uint64_t)st->st_size);
	/* With the size went its times, unless others are asked for; without anything ctime moves. */
	if (!err && to_set != FUSE_SET_ATTR_SIZE)
		err = set_attr(fs_of(req), node, st, to_set);
	pthread_rwlock_unlock(&node->lock);
	if (err)
		reply(req, err);
	else
		reply_attr(req, node);
}

/* As relatime has it.  The node is locked. */
static void accessed(struct fuse_fs *fs, struct node *node)
{
	int64_t now = fs->env.now(&fs->env);
	struct vmem_attr a;

	if (fs->noatime || vmem_is_read_only(fs->core))
		return;
	vmem_getattr(&node->core, &a);
	if (a.atime <= a.mtime || a.atime <= a.ctime || now - a.atime >= DAY_NS)
		vmem_touch(&node->core, VMEM_SET_ATIME, now);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct vmem_statfs s;
	struct statvfs st;

	(void)ino;
	vmem_statfs(fs_of(req)->core, &s);
	st = (struct statvfs){
		.f_bsize = VMEM_BLOCK_SIZE, .f_frsize = VMEM_BLOCK_SIZE, .f_blocks = s.blocks,
		.f_bfree = s.free_blocks, .f_bavail = s.avail_blocks, .f_files = s.inodes,
		.f_ffree = s.free_inodes, .f_favail = s.free_inodes, .f_namemax = VMEM_NAME_MAX,
	};
	fuse_reply_statfs(req, &st);
}

/* ---- Names ---- */

static struct vmem_name name_of(const char *name)
{
	return (struct vmem_name){ .name = name, .len = strlen(name) };
}

/*
 * What the name leads to, with one more reference.  "." and ".." are asked for by who has a
 * handle, of any number; who has the file open does not ask, so without a name it is gone.
 */
static int look_up(struct fuse_fs *fs, struct node *dir, const char *name, struct node **node)
{
	uint64_t ino = dir->ino;
	int err = 0;

	pthread_rwlock_rdlock(&dir->lock);
	if (!strcmp(name, ".."))
		err = vmem_parent(&dir->core, &ino);
	else if (strcmp(name, "."))
		err = vmem_lookup(&dir->core, name_of(name), &ino, NULL);
	else if (!vmem_get32(dir->core.raw.nlink))
		err = -ESTALE;
	pthread_rwlock_unlock(&dir->lock);
	return err ? err : node_get(fs, ino, node);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	static const struct fuse_entry_param nothing = { .entry_timeout = KNOWN_SECONDS };
	struct fuse_fs *fs = fs_of(req);
	struct node *dir, *node;
	int err = node_get(fs, parent, &dir);

	if (!err) {
		err = look_up(fs, dir, name, &node);
		node_put(fs, dir, 1);
	}
	if (err == -ENOENT)
		fuse_reply_entry(req, &nothing);
	else if (err)
		reply(req, err);
	else
		reply_entry(req, node);
}

static void forget(struct fuse_fs *fs, fuse_ino_t ino, uint64_t lookups)
{
	struct node *node = node_of(fs, ino);

	if (node)
		node_put(fs, node, lookups);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	forget(fs_of(req), ino, lookups);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	size_t i;

	for (i = 0; i < count; i++)
		forget(fs_of(req), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

/* A symbolic link has a target. */
static int make(fuse_req_t req, fuse_ino_t parent, const char *name, struct vmem_attr attr,
		const char *target, struct node **out)
{
	const struct fuse_ctx *who = fuse_req_ctx(req);
	struct node *dir = node_of(fs_of(req), parent), *node;
	struct vmem_attr of_dir;
	int err;

	if (!dir)
		return -ESTALE;
	node = node_new();
	if (!node)
		return -ENOMEM;
	attr.uid = who->uid;
	attr.gid = who->gid;
	pthread_rwlock_wrlock(&dir->lock);
	vmem_getattr(&dir->core, &of_dir);
	if (of_dir.mode & S_ISGID) {
		attr.gid = of_dir.gid;
		attr.mode |= S_ISDIR(attr.mode) ? S_ISGID : 0;
	}
	attr.flags = vmem_inherited_flags(&dir->core, target ? S_IFLNK : attr.mode);
	if (target)
		err = vmem_symlink(&dir->core, name_of(name), target, strlen(target), &attr, &node->core);
	else
		err = vmem_create(&dir->core, name_of(name), &attr, &node->core);
	pthread_rwlock_unlock(&dir->lock);
	if (err)
		node_drop(node);
	else
		*out = node_made(fs_of(req), node);
	return err;
}

static void make_and_reply(fuse_req_t req, fuse_ino_t parent, const char *name,
			   struct vmem_attr attr, const char *target)
{
	struct node *node;
	int err = make(req, parent, name, attr, target, &node);

	if (err)
		reply(req, err);
	else
		reply_entry(req, node);
}

/* The kernel's numbers of devices are those of the core. */
static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	make_and_reply(req, parent, name, (struct vmem_attr){
		.mode = (uint16_t)mode, .rdev = (uint32_t)rdev }, NULL);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	make_and_reply(req, parent, name, (struct vmem_attr){
		.mode = (uint16_t)((mode & 07777) | S_IFDIR) }, NULL);
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	make_and_reply(req, parent, name, (struct vmem_attr){ .mode = S_IFLNK | 0777 }, target);
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		      struct fuse_file_info *fi)
{
	struct vmem_attr attr = { .mode = (uint16_t)((mode & 07777) | S_IFREG) };
	struct fuse_entry_param e;
	struct node *node;
	int err = make(req, parent, name, attr, NULL, &node);

	if (err) {
		reply(req, err);
		return;
	}
	e = entry_of(node);
	fi->keep_cache = 1;
	if (fuse_reply_create(req, &e, fi) == -ENOENT)
		node_put(fs_of(req), node, 1);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	struct node *dir = asked(req, parent), *node;
	int err;

	if (!dir)
		return;
	err = node_get(fs_of(req), ino, &node);
	if (!err) {
		struct node *locked[NODES_MAX] = { dir, node };

		nodes_lock(locked);
		err = vmem_link(&dir->core, name_of(name), &node->core);
		nodes_unlock(locked);
		if (err)
			node_put(fs_of(req), node, 1);
	}
	if (err)
		reply(req, err);
	else
		reply_entry(req, node);
}

/* The kernel has locked the directory, and what is removed: the name leads there still. */
static void take_away(fuse_req_t req, fuse_ino_t parent, const char *name,
		      int (*remove)(struct vmem_inode *, struct vmem_name, struct vmem_inode *))
{
	struct node *dir = asked(req, parent), *node;
	int err;

	if (!dir)
		return;
	err = look_up(fs_of(req), dir, name, &node);
	if (!err) {
		struct node *locked[NODES_MAX] = { dir, node };

		nodes_lock(locked);
		err = remove(&dir->core, name_of(name), &node->core);
		nodes_unlock(locked);
		node_put(fs_of(req), node, 1);
	}
	reply(req, err);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	take_away(req, parent, name, vmem_unlink);
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	take_away(req, parent, name, vmem_rmdir);
}

/* The flag RENAME_WHITEOUT of renameat2(2): overlayfs asks for it, on top of this. */
#define LEAVES_WHITEOUT	(1u << 2)

struct move {
	struct node *from_dir, *to_dir;
	const char *from, *to;
	unsigned int flags;
	struct vmem_attr attr;		/* of a whiteout */
};

static int move_locked(struct fuse_fs *fs, const struct move *m, struct node *node, struct node *victim)
{
	struct vmem_inode *from = &m->from_dir->core, *to = &m->to_dir->core;
	struct vmem_inode *over = victim ? &victim->core : NULL;
	struct vmem_whiteout white = { .attr = &m->attr };
	struct node *left;
	int err;

	if (!(m->flags & LEAVES_WHITEOUT))
		return vmem_rename(from, name_of(m->from), &node->core, to, name_of(m->to), over, m->flags);
	left = node_new();
	if (!left)
		return -ENOMEM;
	white.vi = &left->core;
	err = vmem_rename_whiteout(from, name_of(m->from), &node->core, to, name_of(m->to), over,
				   m->flags & ~LEAVES_WHITEOUT, &white);
	if (err)
		node_drop(left);
	else
		node_put(fs, node_made(fs, left), 1);
	return err;
}

static int move(struct fuse_fs *fs, const struct move *m)
{
	struct node *node, *victim = NULL;
	int err = look_up(fs, m->from_dir, m->from, &node);

	if (err)
		return err;
	err = look_up(fs, m->to_dir, m->to, &victim);
	if (!err || err == -ENOENT) {
		struct node *locked[NODES_MAX] = { m->from_dir, m->to_dir, node, victim };

		nodes_lock(locked);
		err = move_locked(fs, m, node, victim);
		nodes_unlock(locked);
	}
	if (victim)
		node_put(fs, victim, 1);
	node_put(fs, node, 1);
	return err;
}

static void op_rename(fuse_req_t req, fuse_ino_t from_parent, const char *from,
		      fuse_ino_t to_parent, const char *to, unsigned int flags)
{
	const struct fuse_ctx *who = fuse_req_ctx(req);
	struct move m = {
		.from_dir = asked(req, from_parent), .from = from, .to = to, .flags = flags,
		.attr = { .mode = S_IFCHR, .uid = who->uid, .gid = who->gid },
	};

	if (!m.from_dir)
		return;
	m.to_dir = asked(req, to_parent);
	if (!m.to_dir)
		return;
	if (flags & ~(VMEM_RENAME_NOREPLACE | VMEM_RENAME_EXCHANGE | LEAVES_WHITEOUT))
		reply(req, -EINVAL);
	else
		reply(req, move(fs_of(req), &m));
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct node *node = asked(req, ino);
	char target[VMEM_BLOCK_SIZE];
	int len;

	if (!node)
		return;
	pthread_rwlock_rdlock(&node->lock);
	len = vmem_readlink(&node->core, target, sizeof(target) - 1);
	accessed(fs_of(req), node);
	pthread_rwlock_unlock(&node->lock);
	if (len < 0) {
		reply(req, len);
		return;
	}
	target[len] = 0;
	fuse_reply_readlink(req, target);
}

/* ---- Directories ---- */

struct name {
	uint64_t ino, next;		/* next: position of the name after this one */
	unsigned int type;
	char text[VMEM_NAME_MAX + 1];
};

/* What fits into an answer. */
struct listing {
	fuse_req_t req;
	bool plus;
	size_t left;
	unsigned int nr, max;
	struct name *names;
};

static size_t entry_size(const struct listing *l, const char *name)
{
	return l->plus ? fuse_add_direntry_plus(l->req, NULL, 0, name, NULL, 0) :
			 fuse_add_direntry(l->req, NULL, 0, name, NULL, 0);
}

static int take_name(void *ctx, const char *name, size_t len, uint64_t ino, unsigned int type,
		     uint64_t position)
{
	struct listing *l = ctx;
	struct name *n = &l->names[l->nr];
	size_t size;

	if (l->nr)
		n[-1].next = position;
	if (l->nr == l->max)
		return 1;
	memcpy(n->text, name, len);
	n->text[len] = 0;
	size = entry_size(l, n->text);
	if (size > l->left)
		return 1;
	l->left -= size;
	n->ino = ino;
	n->type = type;
	l->nr++;
	return 0;
}

/* With its attributes, and the reference that the kernel counts for them; or as if without. */
static size_t add_plus(struct listing *l, const struct name *n, char *buf, size_t size)
{
	struct fuse_entry_param e = { .attr = { .st_ino = n->ino, .st_mode = DTTOIF(n->type) } };
	struct node *node;

	if (strcmp(n->text, ".") && strcmp(n->text, "..") && !node_get(fs_of(l->req), n->ino, &node))
		e = entry_of(node);
	return fuse_add_direntry_plus(l->req, buf, size, n->text, &e, (off_t)n->next);
}

static size_t add_plain(struct listing *l, const struct name *n, char *buf, size_t size)
{
	struct stat st = { .st_ino = n->ino, .st_mode = DTTOIF(n->type) };

	return fuse_add_direntry(l->req, buf, size, n->text, &st, (off_t)n->next);
}

static void reply_names(struct listing *l, size_t size)
{
	char *buf = malloc(size ? size : 1);
	size_t used = 0;
	unsigned int i;

	for (i = 0; buf && i < l->nr; i++)
		used += l->plus ? add_plus(l, &l->names[i], buf + used, size - used) :
				  add_plain(l, &l->names[i], buf + used, size - used);
	if (buf)
		fuse_reply_buf(l->req, buf, used);
	else
		reply(l->req, -ENOMEM);
	free(buf);
}

static void list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, bool plus)
{
	struct node *dir = asked(req, ino);
	struct listing l = { .req = req, .plus = plus, .left = size };
	uint64_t position = (uint64_t)off;
	int err;

	if (!dir)
		return;
	l.max = (unsigned int)(size / entry_size(&l, ".")) + 1;
	l.names = calloc(l.max + 1, sizeof(l.names[0]));
	if (!l.names) {
		reply(req, -ENOMEM);
		return;
	}
	pthread_rwlock_rdlock(&dir->lock);
	err = vmem_readdir(&dir->core, &position, take_name, &l);
	accessed(fs_of(req), dir);
	pthread_rwlock_unlock(&dir->lock);
	if (l.nr)
		l.names[l.nr - 1].next = position;
	/* What was read before an error comes first; the next request has the error. */
	if (err && !l.nr)
		reply(req, err);
	else
		reply_names(&l, size);
	free(l.names);
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	(void)fi;
	list(req, ino, size, off, false);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
			   struct fuse_file_info *fi)
{
	(void)fi;
	list(req, ino, size, off, true);
}

/* ---- Data ---- */

static __thread sigjmp_buf *bus_error;

void on_bus_error(int sig)
{
	static const char text[] = "fuse.vmemfs: the image cannot be read or stored to: a disk error, or it was "
				   "truncated; the mount is dead, mount it again or run fsck.vmemfs\n";
	ssize_t written;

	(void)sig;
	if (bus_error)
		siglongjmp(*bus_error, 1);
	/* With locks of the core held.  What was acknowledged is in the image or in the page cache. */
	written = write(STDERR_FILENO, text, sizeof(text) - 1);
	(void)written;
	_exit(32);
}

struct source {
	struct tool_image *image;
	const char *from;
};

/* 0 where the disk below fails. */
static size_t copy_mapped(void *to, const void *from, size_t len)
{
	sigjmp_buf here;

	if (sigsetjmp(here, 0)) {
		bus_error = NULL;
		return 0;
	}
	bus_error = &here;
	memcpy(to, from, len);
	bus_error = NULL;
	return len;
}

/*
 * To the store.  Into the page cache, which is what is mapped, the kernel copies faster than
 * page faults let us, and has an error in place of a signal.
 */
static size_t copy_in(void *ctx, void *to, size_t len)
{
	struct source *s = ctx;
	struct vmem_store *store = &s->image->store;
	ssize_t done = 0;

	if (!store->writeback)
		done = pwrite(s->image->fd, s->from, len, (uint8_t *)to - store->base);
	if (done < (ssize_t)len)
		len = copy_mapped(to, s->from, len);
	if (store->writeback)
		store->writeback(store, to, len);
	s->from += len;
	return len;
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	struct node *node = asked(req, ino);
	struct source s = { &fs_of(req)->image, buf };
	int64_t done;

	(void)fi;
	if (!node)
		return;
	pthread_rwlock_wrlock(&node->lock);
	done = vmem_write(&node->core, (uint64_t)off, size, copy_in, &s);
	pthread_rwlock_unlock(&node->lock);
	if (done < 0)
		reply(req, done == -EFAULT ? -EIO : (int)done);
	else
		fuse_reply_write(req, (size_t)done);
}

/* Where the bytes of a read lie: the kernel takes them out of the store. */
struct pieces {
	unsigned int nr;
	struct iovec iov[MAX_IO / VMEM_BLOCK_SIZE + 2];
};

static size_t add_piece(void *ctx, void *at, size_t len)
{
	struct pieces *p = ctx;
	struct iovec *last = p->nr ? &p->iov[p->nr - 1] : NULL;

	if (last && (char *)last->iov_base + last->iov_len == at)
		last->iov_len += len;
	else if (p->nr < sizeof(p->iov) / sizeof(p->iov[0]))
		p->iov[p->nr++] = (struct iovec){ at, len };
	else
		return 0;
	return len;
}

/*
 * The lock is held until the bytes are in the kernel.  Where the disk fails, the answer
 * does, and the kernel makes EIO of it.
 */
static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	struct node *node = asked(req, ino);
	struct pieces p = { .nr = 0 };
	int64_t len;

	(void)fi;
	if (!node)
		return;
	if (size > MAX_IO) {
		reply(req, -EINVAL);
		return;
	}
	pthread_rwlock_rdlock(&node->lock);
	len = vmem_read(&node->core, (uint64_t)off, size, add_piece, &p);
	if (len >= 0)
		accessed(fs_of(req), node);
	if (len < 0)
		reply(req, (int)len);
	else
		fuse_reply_iov(req, p.iov, (int)p.nr);
	pthread_rwlock_unlock(&node->lock);
}

static void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
		     struct fuse_file_info *fi)
{
	struct node *node = asked(req, ino);
	int64_t at = -EINVAL;

	(void)fi;
	if (!node)
		return;
	pthread_rwlock_rdlock(&node->lock);
	if (whence == SEEK_DATA || whence == SEEK_HOLE)
		at = off < 0 ? -ENXIO : vmem_seek(&node->core, (uint64_t)off, whence == SEEK_HOLE);
	pthread_rwlock_unlock(&node->lock);
	if (at < 0)
		reply(req, (int)at);
	else
		fuse_reply_lseek(req, at);
}

/* The kernel has forgotten the pages that change, and asks for attributes afterwards. */
static void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
			 struct fuse_file_info *fi)
{
	struct node *node = asked(req, ino);
	int err;

	(void)fi;
	if (!node)
		return;
	pthread_rwlock_wrlock(&node->lock);
	err = off < 0 || len < 0 ? -EINVAL :
		vmem_fallocate(&node->core, (unsigned int)mode, (uint64_t)off, (uint64_t)len);
	pthread_rwlock_unlock(&node->lock);
	reply(req, err);
}

/* Of directories, too.  What was stored through mappings the kernel has written before. */
static void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct node *node = asked(req, ino);

	(void)fi;
	if (node)
		reply(req, vmem_fsync(&node->core, datasync));
}

/* Of an open file nothing is to be remembered: told once, the kernel does not come again. */
static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fi->keep_cache = 1;
	if (fs_of(req)->without_open)
		reply(req, -ENOSYS);
	else
		fuse_reply_open(req, fi);
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	const unsigned int without = FUSE_CAP_NO_OPEN_SUPPORT | FUSE_CAP_NO_OPENDIR_SUPPORT;
	struct fuse_fs *fs = userdata;

	fs->without_open = (conn->capable & without) == without;
	/* Without these, the kernel truncates and clears set-id bits by requests of its own. */
	conn->want &= ~(unsigned int)(FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_HANDLE_KILLPRIV);
	/* Times that change do not mean that somebody else has changed the contents. */
	conn->want &= ~(unsigned int)FUSE_CAP_AUTO_INVAL_DATA;
	conn->want |= conn->capable & (FUSE_CAP_EXPLICIT_INVAL_DATA | FUSE_CAP_EXPORT_SUPPORT |
				       FUSE_CAP_CACHE_SYMLINKS);
}

const struct fuse_lowlevel_ops fuse_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.readlink = op_readlink,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.open = op_open,
	.opendir = op_open,
	.create = op_create,
	.read = op_read,
	.write = op_write,
	.fsync = op_fsync,
	.fsyncdir = op_fsync,
	.lseek = op_lseek,
	.fallocate = op_fallocate,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.statfs = op_statfs,
	.getxattr = op_getxattr,
	.setxattr = op_setxattr,
	.listxattr = op_listxattr,
	.removexattr = op_removexattr,
};
