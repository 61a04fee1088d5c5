// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* namei.c - operations on names: each is one transaction, so one record */
#include "fs/fs.h"

#define MAX_LINKS 0x7fffffffu

/* What the DT_* of dirent.h are made from. */
static unsigned int type_of(uint32_t mode)
{
	return (mode & MODE_TYPE) >> 12;
}

static void add_links(struct vmem_dinode *n, int delta)
{
	n->nlink = vmem_le32_of((uint64_t)((int64_t)vmem_get32(n->nlink) + delta));
}

static int check_dir(const struct vmem_inode *dir)
{
	if (!vmem_is_dir(&dir->raw))
		return -ENOTDIR;
	return vmem_get32(dir->raw.nlink) ? 0 : -ENOENT;
}

/* An entry and the inode that it leads to must agree, whatever the image says. */
static int check_entry(struct vmem_fs *fs, uint64_t ino, unsigned int type)
{
	const struct vmem_dinode *n;

	if (ino >= fs->nr_inodes || !vmem_inode_used(fs, ino))
		return vmem_corrupt(fs, ino, 0, "a directory entry leads to a free inode");
	n = (const void *)vmem_meta(fs, vmem_inode_off(fs, ino));
	if (type_of(vmem_get16(n->mode)) != type)
		return vmem_corrupt(fs, ino, 0, "a directory entry has another type");
	if (!vmem_get32(n->nlink))
		return vmem_corrupt(fs, ino, 0, "a directory entry leads to an unlinked inode");
	return 0;
}

/*
 * The same without the lock.  The entry stays, and so do the inode's type and a link; what
 * else of it changes meanwhile does not matter.  False: to be looked at again with the lock.
 */
static VMEM_RACY bool entry_agrees(struct vmem_fs *fs, uint64_t ino, unsigned int type)
{
	const struct vmem_dinode *n;
	vmem_le16 mode;

	if (ino >= __atomic_load_n(&fs->nr_inodes, __ATOMIC_RELAXED) || !vmem_peek_inode_used(fs, ino))
		return false;
	n = (const void *)vmem_meta(fs, vmem_inode_off(fs, ino));
	mode.raw = __atomic_load_n(&n->mode.raw, __ATOMIC_RELAXED);
	return type_of(vmem_get16(mode)) == type && __atomic_load_n(&n->nlink.raw, __ATOMIC_RELAXED);
}

int vmem_lookup(struct vmem_inode *dir, struct vmem_name name, uint64_t *ino, unsigned int *type)
{
	struct vmem_fs *fs = dir->fs;
	unsigned int found;
	uint32_t *reader;
	bool agrees;
	int err;

	if (!vmem_is_dir(&dir->raw))
		return -ENOTDIR;
	reader = vmem_overlay_enter(fs);
	VMEM_PEEKING();
	err = vmem_dir_find(dir, name, ino, &found);
	agrees = !err && entry_agrees(fs, *ino, found);
	vmem_overlay_leave(reader);
	if (!err && !agrees) {
		vmem_lock_shared(fs);
		err = check_entry(fs, *ino, found);
		vmem_unlock_shared(fs);
	}
	if (type)
		*type = found;
	return err;
}

/* ---- Making ---- */

struct names;

struct create {
	struct vmem_inode *dir, *vi;
	struct vmem_name name;
	const struct vmem_attr *attr;
	const char *target;
	size_t target_len;
	struct vmem_run run;		/* block of a long symlink */
	struct vmem_xattr_buf *buf;	/* for extended attributes; NULL: there are none */
	uint64_t near_ino;		/* without a name: whose group it goes to */
	struct names *names;		/* it takes the name that this rename leaves */
};

static unsigned int format_for(const struct create *c)
{
	switch (c->attr->mode & MODE_TYPE) {
	case MODE_DIR:
		return VMEM_FMT_DIR;
	case MODE_REG:
		return VMEM_FMT_EXTENTS;
	case MODE_LNK:
		return c->target_len <= VMEM_PAYLOAD_SIZE ? VMEM_FMT_INLINE : VMEM_FMT_EXTENTS;
	default:
		return VMEM_FMT_NONE;
	}
}

static int set_target(struct vmem_txn *t, struct create *c, struct vmem_dinode *n)
{
	if (!c->target)
		return 0;
	n->size = vmem_le64_of(c->target_len);
	if (c->target_len <= VMEM_PAYLOAD_SIZE) {
		memcpy(n->u.bytes, c->target, c->target_len);
		return 0;
	}
	txn_take(t, c->run, true);
	txn_link(t, c->run.start << VMEM_BLOCK_SHIFT, VMEM_BLOCK_SIZE);
	return txn_ext_insert(t, n, c->vi->ino, 0, c->run.start, 1, VMEM_DATA);
}

static int set_xattrs(struct vmem_txn *t, struct create *c)
{
	return c->buf ? txn_set_xattrs(t, c->vi, c->buf, c->attr->xattrs, c->attr->nr_xattrs) : 0;
}

static int do_create(struct vmem_txn *t, void *arg)
{
	struct create *c = arg;
	uint32_t mode = c->attr->mode;
	bool dir = type_of(mode) == 4;
	struct vmem_dinode *n, *d;
	struct vmem_dir_place place;
	uint64_t ino;
	int err = vmem_dir_place(t, c->dir, c->name, &place);

	if (!err)
		err = txn_alloc_inode(t, c->dir->ino, dir, &ino);
	if (err)
		return err;
	vmem_inode_init(t, c->vi, ino, c->attr, format_for(c));
	n = txn_inode(t, c->vi);
	err = set_target(t, c, n);
	if (!err)
		err = set_xattrs(t, c);
	if (!err)
		err = txn_dir_add(t, c->dir, &place, c->name, ino, type_of(mode));
	if (err || !dir)
		return err;
	n->nlink = vmem_le32_of(2);
	n->parent = vmem_le32_of(c->dir->ino);
	d = txn_inode(t, c->dir);
	if (vmem_get32(d->nlink) >= MAX_LINKS)
		return -EMLINK;
	add_links(d, 1);
	return 0;
}

/* Run op, which makes an inode that may have flags and extended attributes from the beginning. */
static int make(struct vmem_fs *fs, vmem_op op, struct create *c)
{
	const struct vmem_attr *a = c->attr;
	int err;

	if (!a->nr_xattrs && !a->flags)
		return vmem_run(fs, op, c);
	if (vmem_is_read_only(fs))
		return vmem_refusal(fs);
	if (a->flags) {
		err = vmem_enable_flags(fs, a->flags);
		if (err || !a->nr_xattrs)
			return err ? err : vmem_run(fs, op, c);
	}
	err = vmem_judge_xattrs(a->xattrs, a->nr_xattrs);
	if (!err)
		err = vmem_enable(fs, VMEM_INCOMPAT_XATTR);
	if (!err)
		err = vmem_xattr_buf_new(fs, &c->buf);
	if (!err)
		err = vmem_try(fs, op, c);
	vmem_xattr_buf_free(fs, c->buf);
	return err == -EOVERFLOW ? -ENOSPC : err;
}

int vmem_create(struct vmem_inode *dir, struct vmem_name name,
		const struct vmem_attr *attr, struct vmem_inode *vi)
{
	/* fifo, character device, directory, block device, file, socket */
	const unsigned int types = 1u << 1 | 1u << 2 | 1u << 4 | 1u << 6 | 1u << 8 | 1u << 12;
	struct create c = { .dir = dir, .vi = vi, .name = name, .attr = attr };
	int err = check_dir(dir);

	if (!err && !(1u << type_of(attr->mode) & types))
		err = -EINVAL;
	return err ? err : make(dir->fs, do_create, &c);
}

/* A long target is data: stored into a block before the record that links it. */
static int reserve_op(struct vmem_txn *t, void *arg)
{
	struct create *c = arg;

	return vmem_reserve(t->fs, vmem_inode_off(t->fs, c->dir->ino) >> VMEM_BLOCK_SHIFT, 1, false,
			    &c->run);
}

int vmem_symlink(struct vmem_inode *dir, struct vmem_name name,
		 const char *target, size_t target_len,
		 const struct vmem_attr *attr, struct vmem_inode *vi)
{
	struct vmem_attr a = *attr;
	struct create c = { .dir = dir, .vi = vi, .name = name, .attr = &a,
			    .target = target, .target_len = target_len };
	struct vmem_fs *fs = dir->fs;
	int err = check_dir(dir);

	a.mode = (uint16_t)(MODE_LNK | (attr->mode & 07777u));
	if (!err && (!target_len || target_len >= VMEM_BLOCK_SIZE))
		err = target_len ? -ENAMETOOLONG : -EINVAL;
	if (!err && target_len > VMEM_PAYLOAD_SIZE)
		err = vmem_run(fs, reserve_op, &c);
	if (err)
		return err;
	if (c.run.len) {
		uint64_t off = c.run.start << VMEM_BLOCK_SHIFT;

		vmem_put(fs->store, off, target, target_len);
		vmem_put_zero(fs->store, off + target_len, VMEM_BLOCK_SIZE - target_len);
	}
	err = make(fs, do_create, &c);
	if (err && c.run.len) {
		vmem_lock(fs, fs->lock);
		vmem_unreserve(fs, c.run);
		vmem_unlock(fs, fs->lock);
	}
	return err;
}

static int do_tmpfile(struct vmem_txn *t, void *arg)
{
	struct create *c = arg;
	uint64_t ino;
	int err = txn_alloc_inode(t, c->near_ino, false, &ino);

	if (err)
		return err;
	vmem_inode_init(t, c->vi, ino, c->attr, format_for(c));
	txn_inode(t, c->vi)->nlink = vmem_le32_of(0);
	txn_set_orphan(t, ino, true);
	return set_xattrs(t, c);
}

int vmem_tmpfile(struct vmem_fs *fs, const struct vmem_attr *attr, uint64_t near_ino,
		 struct vmem_inode *vi)
{
	struct create c = { .vi = vi, .attr = attr, .near_ino = near_ino };

	if (type_of(attr->mode) != 8)
		return -EINVAL;
	return make(fs, do_tmpfile, &c);
}

/* ---- Reading symlinks ---- */

int vmem_readlink(struct vmem_inode *vi, char *buf, size_t size)
{
	struct vmem_fs *fs = vi->fs;
	size_t len = (size_t)vmem_get64(vi->raw.size), n = VMEM_MIN(len, size);
	struct vmem_map map;
	int err;

	if (!vmem_is_lnk(&vi->raw))
		return -EINVAL;
	if (vmem_get16(vi->raw.format) == VMEM_FMT_INLINE) {
		memcpy(buf, vi->raw.u.bytes, n);
		return (int)len;
	}
	err = vmem_map(vi, 0, 1, &map);
	if (err)
		return err;
	if (map.kind != VMEM_DATA)
		return vmem_corrupt(fs, vi->ino, 0, "symlink without contents");
	memcpy(buf, fs->store->base + (map.pblk << VMEM_BLOCK_SHIFT), n);
	return (int)len;
}

/* ---- Linking and unlinking ---- */

struct names {
	struct vmem_inode *from_dir, *vi, *to_dir, *victim;
	struct vmem_name from, to;
	unsigned int flags;
	uint64_t white;			/* the whiteout that takes the name `from`; 0: nothing does */
};

static int do_link(struct vmem_txn *t, void *arg)
{
	struct names *a = arg;
	struct vmem_dinode *n = txn_inode(t, a->vi);
	struct vmem_dir_place place;
	int err = vmem_dir_place(t, a->to_dir, a->to, &place);

	if (err)
		return err;
	if (vmem_get32(n->nlink) >= MAX_LINKS)
		return -EMLINK;
	if (!vmem_get32(n->nlink))
		txn_set_orphan(t, a->vi->ino, false);	/* a tmpfile gets a name */
	add_links(n, 1);
	vmem_inode_touch_raw(t->fs, n, false);
	return txn_dir_add(t, a->to_dir, &place, a->to, a->vi->ino, type_of(vmem_get16(n->mode)));
}

int vmem_link(struct vmem_inode *dir, struct vmem_name name, struct vmem_inode *vi)
{
	struct names a = { .to_dir = dir, .to = name, .vi = vi };
	int err = check_dir(dir);

	if (!err && vmem_is_dir(&vi->raw))
		err = -EPERM;
	/* It may get its first name, and is no orphan then. */
	if (!err && vi->cut)
		err = vmem_finish_cut(vi);
	return err ? err : vmem_run(dir->fs, do_link, &a);
}

/* One name less; the last one makes it an orphan until it is put. */
static int drop_link(struct vmem_txn *t, struct vmem_inode *vi)
{
	struct vmem_dinode *n = txn_inode(t, vi);

	if (!vmem_get32(n->nlink))
		return vmem_corrupt(t->fs, vi->ino, 0, "link count of a named inode is 0");
	if (vmem_is_dir(n))
		n->nlink = vmem_le32_of(0);
	else
		add_links(n, -1);
	vmem_inode_touch_raw(t->fs, n, false);
	if (!vmem_get32(n->nlink) && !VMEM_BROKEN(ORPHAN))
		txn_set_orphan(t, vi->ino, true);
	return 0;
}

/* A subdirectory goes away; "." and the directory's own name stay. */
static int drop_subdir(struct vmem_txn *t, struct vmem_inode *dir)
{
	struct vmem_dinode *n = txn_inode(t, dir);

	if (vmem_get32(n->nlink) < 3)
		return vmem_corrupt(t->fs, dir->ino, 0, "link count of a directory");
	add_links(n, -1);
	return 0;
}

static int do_unlink(struct vmem_txn *t, void *arg)
{
	struct names *a = arg;
	int err = txn_dir_remove(t, a->from_dir, a->from, a->vi->ino);

	if (!err)
		err = drop_link(t, a->vi);
	if (!err && vmem_is_dir(&a->vi->raw))
		err = drop_subdir(t, a->from_dir);
	return err;
}

int vmem_unlink(struct vmem_inode *dir, struct vmem_name name, struct vmem_inode *vi)
{
	struct names a = { .from_dir = dir, .from = name, .vi = vi };
	int err = check_dir(dir);

	if (!err && vmem_is_dir(&vi->raw))
		err = -EISDIR;
	return err ? err : vmem_run(dir->fs, do_unlink, &a);
}

int vmem_rmdir(struct vmem_inode *dir, struct vmem_name name, struct vmem_inode *vi)
{
	struct names a = { .from_dir = dir, .from = name, .vi = vi };
	int err = check_dir(dir);

	if (!err && !vmem_is_dir(&vi->raw))
		err = -ENOTDIR;
	if (!err && vmem_get64(vi->raw.u.dir.nr_entries))
		err = -ENOTEMPTY;
	return err ? err : vmem_run(dir->fs, do_unlink, &a);
}

/* ---- Rename ---- */

/* A directory changes its parent: ".." and both parents' link counts. */
static int reparent(struct vmem_txn *t, struct vmem_inode *vi, struct vmem_inode *from,
		    struct vmem_inode *to)
{
	int err;

	if (!vmem_is_dir(&vi->raw) || from == to)
		return 0;
	if (vmem_get32(txn_inode(t, to)->nlink) >= MAX_LINKS)
		return -EMLINK;
	if (!VMEM_BROKEN(PARENT))
		txn_inode(t, vi)->parent = vmem_le32_of(to->ino);
	err = drop_subdir(t, from);
	add_links(txn_inode(t, to), 1);
	return err;
}

static int do_exchange(struct vmem_txn *t, struct names *a)
{
	int err = txn_dir_replace(t, a->from_dir, a->from, a->vi->ino, a->victim->ino,
				  type_of(vmem_get16(a->victim->raw.mode)));

	if (!err)
		err = txn_dir_replace(t, a->to_dir, a->to, a->victim->ino, a->vi->ino,
				      type_of(vmem_get16(a->vi->raw.mode)));
	if (!err)
		err = reparent(t, a->vi, a->from_dir, a->to_dir);
	if (!err)
		err = reparent(t, a->victim, a->to_dir, a->from_dir);
	vmem_inode_touch_raw(t->fs, txn_inode(t, a->vi), false);
	vmem_inode_touch_raw(t->fs, txn_inode(t, a->victim), false);
	return err;
}

static int leave_name(struct vmem_txn *t, struct names *a)
{
	if (!a->white)
		return txn_dir_remove(t, a->from_dir, a->from, a->vi->ino);
	return txn_dir_replace(t, a->from_dir, a->from, a->vi->ino, a->white, type_of(MODE_CHR));
}

static int do_rename(struct vmem_txn *t, void *arg)
{
	struct names *a = arg;
	unsigned int type = type_of(vmem_get16(a->vi->raw.mode));
	struct vmem_dir_place place;
	int err;

	if (a->flags & VMEM_RENAME_EXCHANGE)
		return do_exchange(t, a);
	err = leave_name(t, a);
	if (err)
		return err;
	if (a->victim) {
		err = txn_dir_replace(t, a->to_dir, a->to, a->victim->ino, a->vi->ino, type);
		if (!err && !VMEM_BROKEN(VICTIM))
			err = drop_link(t, a->victim);
		if (!err && vmem_is_dir(&a->victim->raw))
			err = drop_subdir(t, a->to_dir);
	} else {
		err = vmem_dir_place(t, a->to_dir, a->to, &place);
		if (!err)
			err = txn_dir_add(t, a->to_dir, &place, a->to, a->vi->ino, type);
	}
	if (!err)
		err = reparent(t, a->vi, a->from_dir, a->to_dir);
	vmem_inode_touch_raw(t->fs, txn_inode(t, a->vi), false);
	return err;
}

/* No directory may move below itself, nor, exchanged, what it is exchanged with. */
static int check_loop(const struct names *a)
{
	bool below = false;
	int err = 0;

	if (a->from_dir == a->to_dir)
		return 0;
	if (vmem_is_dir(&a->vi->raw))
		err = vmem_is_below(a->to_dir, a->vi, &below);
	if (!err && below)
		return -EINVAL;
	if (!err && a->victim && vmem_is_dir(&a->victim->raw))
		err = vmem_is_below(a->from_dir, a->victim, &below);
	if (err || !below)
		return err;
	/* The victim has from_dir below it: it could not become a part of itself, and is not empty. */
	return a->flags & VMEM_RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
}

static int check_victim(const struct names *a)
{
	const struct vmem_dinode *vi = &a->vi->raw, *victim = &a->victim->raw;

	if (a->flags & VMEM_RENAME_EXCHANGE || a->victim == a->vi)
		return 0;
	if (vmem_is_dir(vi) && !vmem_is_dir(victim))
		return -ENOTDIR;
	if (!vmem_is_dir(vi) && vmem_is_dir(victim))
		return -EISDIR;
	if (vmem_is_dir(victim) && vmem_get64(victim->u.dir.nr_entries))
		return -ENOTEMPTY;
	return 0;
}

/* Errors come in the order that rename(2) has on Linux. */
static int check_rename(const struct names *a)
{
	int err = check_dir(a->from_dir);

	if (!err)
		err = check_dir(a->to_dir);
	if (!err && a->flags & ~(VMEM_RENAME_NOREPLACE | VMEM_RENAME_EXCHANGE))
		err = -EINVAL;
	if (!err && a->victim && a->flags & VMEM_RENAME_NOREPLACE)
		err = -EEXIST;
	if (!err && !a->victim && a->flags & VMEM_RENAME_EXCHANGE)
		err = -ENOENT;
	if (!err)
		err = check_loop(a);
	if (!err && a->victim)
		err = check_victim(a);
	return err;
}

int vmem_rename(struct vmem_inode *from_dir, struct vmem_name from, struct vmem_inode *vi,
		struct vmem_inode *to_dir, struct vmem_name to, struct vmem_inode *victim,
		unsigned int flags)
{
	struct names a = { from_dir, vi, to_dir, victim, from, to, flags, 0 };
	int err = check_rename(&a);

	if (err)
		return err;
	if (victim == vi)
		return 0;		/* two names of one inode: rename(2) does nothing */
	if (VMEM_BROKEN(TWO_RECORDS) && !victim && !vmem_is_dir(&vi->raw)) {
		err = vmem_link(to_dir, to, vi);
		return err ? err : vmem_unlink(from_dir, from, vi);
	}
	return vmem_run(from_dir->fs, do_rename, &a);
}

static int do_rename_whiteout(struct vmem_txn *t, void *arg)
{
	struct create *c = arg;
	uint64_t ino;
	int err = txn_alloc_inode(t, c->dir->ino, false, &ino);

	if (err)
		return err;
	vmem_inode_init(t, c->vi, ino, c->attr, VMEM_FMT_NONE);
	err = set_xattrs(t, c);
	c->names->white = ino;
	return err ? err : do_rename(t, c->names);
}

int vmem_rename_whiteout(struct vmem_inode *from_dir, struct vmem_name from, struct vmem_inode *vi,
			 struct vmem_inode *to_dir, struct vmem_name to, struct vmem_inode *victim,
			 unsigned int flags, const struct vmem_whiteout *white)
{
	struct names a = { from_dir, vi, to_dir, victim, from, to, flags, 0 };
	struct create c = { .dir = from_dir, .vi = white->vi, .attr = white->attr, .names = &a };
	int err = check_rename(&a);

	if (!err && (flags & VMEM_RENAME_EXCHANGE || victim == vi || (white->attr->mode & MODE_TYPE) != MODE_CHR))
		err = -EINVAL;
	if (err)
		return err;
	if (VMEM_BROKEN(WHITEOUT_LATE)) {
		err = vmem_run(from_dir->fs, do_rename, &a);
		return err ? err : vmem_create(from_dir, from, white->attr, white->vi);
	}
	return make(from_dir->fs, do_rename_whiteout, &c);
}
