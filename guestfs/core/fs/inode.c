// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* inode.c - inodes in memory and their attributes */
#include "medium/fields.h"
#include "fs/fs.h"

/* ---- Reading ---- */

static bool are_fields_possible(const struct vmem_fs *fs, const struct vmem_dinode *n)
{
	uint32_t format = vmem_get16(n->format);
	uint64_t size = vmem_get64(n->size);

	if (size > VMEM_MAX_FILE_SIZE || (vmem_has_xattrs(n) && !vmem_xattrs_possible(fs, n)))
		return false;
	if (vmem_get32(n->flags) & ~known_flags(vmem_has(fs, VMEM_INCOMPAT_FLAGS)))
		return false;
	switch (format) {
	case VMEM_FMT_NONE:	/* fifo, character or block device, socket */
		return 1u << (vmem_get16(n->mode) >> 12) & (1u << 1 | 1u << 2 | 1u << 6 | 1u << 12);
	case VMEM_FMT_INLINE:
		return vmem_is_lnk(n) && size && size <= VMEM_PAYLOAD_SIZE;
	case VMEM_FMT_EXTENTS:
		return (vmem_is_reg(n) || (vmem_is_lnk(n) && size && size < VMEM_BLOCK_SIZE)) &&
		       vmem_get16(n->nr_ext) <= root_extents(n) &&
		       vmem_get16(n->depth) <= VMEM_EXT_MAX_DEPTH;
	case VMEM_FMT_DIR:
		return vmem_is_dir(n) &&
		       vmem_get32(n->u.dir.height) <= VMEM_DIR_MAX_HEIGHT;
	default:
		return false;
	}
}

static int read_inode(struct vmem_fs *fs, uint64_t ino, struct vmem_inode *vi)
{
	uint64_t off, block;
	struct vmem_logged *l;

	if (!ino || ino >= fs->nr_inodes || !vmem_inode_used(fs, ino))
		return -ESTALE;
	off = vmem_inode_off(fs, ino);
	block = off >> VMEM_BLOCK_SHIFT;
	memcpy(&vi->raw, vmem_meta(fs, off), sizeof(vi->raw));
	if (vmem_get32(vi->raw.csum) != vmem_inode_csum(fs->crc, &vi->raw, ino))
		return vmem_corrupt(fs, ino, block, "inode checksum");
	if (!are_fields_possible(fs, &vi->raw))
		return vmem_corrupt(fs, ino, block, "inode fields");
	/* Putting an unlinked root would free it. */
	if (ino == VMEM_ROOT_INO && (!vmem_is_dir(&vi->raw) || !vmem_get32(vi->raw.nlink)))
		return vmem_corrupt(fs, ino, block, "root directory");
	/* Conservative: what concerned it before it was read again may not be flushed yet. */
	vi->lsn = fs->last_op;
	vi->zeroed_lsn = vmem_has(fs, VMEM_INCOMPAT_UNWRITTEN) ? fs->last_op : 0;
	l = vmem_find_logged(fs, ino);
	if (l)
		vi->logged_ckpt = l->ckpt;
	vi->cut = vmem_is_reg(&vi->raw) && vmem_get32(vi->raw.nlink) && vmem_is_orphan(fs, ino);
	return 0;
}

int vmem_iget(struct vmem_fs *fs, uint64_t ino, struct vmem_inode *vi)
{
	int err;

	memset(vi, 0, sizeof(*vi));
	vi->fs = fs;
	vi->ino = ino;
	if (!VMEM_BROKEN(IGET_EARLY))
		vmem_lock_shared(fs);
	err = read_inode(fs, ino, vi);
	if (!VMEM_BROKEN(IGET_EARLY))
		vmem_unlock_shared(fs);
	return err;
}

void vmem_getattr(const struct vmem_inode *vi, struct vmem_attr *attr)
{
	const struct vmem_dinode *n = &vi->raw;

	attr->mode = vmem_get16(n->mode);
	attr->uid = vmem_get32(n->uid);
	attr->gid = vmem_get32(n->gid);
	attr->nlink = vmem_get32(n->nlink);
	attr->rdev = vmem_get32(n->rdev);
	attr->generation = vmem_get32(n->generation);
	attr->size = vmem_get64(n->size);
	attr->blocks = vmem_get64(n->blocks);
	attr->atime = (int64_t)vmem_peek64(&n->atime);
	attr->mtime = (int64_t)vmem_peek64(&n->mtime);
	attr->ctime = (int64_t)vmem_peek64(&n->ctime);
	attr->btime = (int64_t)vmem_get64(n->btime);
	attr->flags = vmem_get32(n->flags);
	attr->xattrs = NULL;
	attr->nr_xattrs = 0;
}

/* ---- Making ---- */

void vmem_inode_init(struct vmem_txn *t, struct vmem_inode *vi, uint64_t ino,
		     const struct vmem_attr *attr, unsigned int format)
{
	struct vmem_fs *fs = t->fs;
	vmem_le64 now = vmem_le64_of((uint64_t)vmem_now(fs));
	uint32_t type = attr->mode & MODE_TYPE;
	struct vmem_dinode old, *n;

	memcpy(&old, vmem_meta(fs, vmem_inode_off(fs, ino)), sizeof(old));
	memset(vi, 0, sizeof(*vi));
	vi->fs = fs;
	vi->ino = ino;
	n = txn_inode(t, vi);
	n->mode = vmem_le16_of(attr->mode);
	n->format = vmem_le16_of(format);
	n->uid = vmem_le32_of(attr->uid);
	n->gid = vmem_le32_of(attr->gid);
	if (type == MODE_CHR || type == MODE_BLK)
		n->rdev = vmem_le32_of(attr->rdev);
	n->nlink = vmem_le32_of(1);
	n->flags = vmem_le32_of(attr->flags);
	n->atime = now;
	n->mtime = now;
	n->ctime = now;
	n->btime = now;
	n->generation = vmem_le32_of(vmem_get32(old.generation) + 1);
}

/* ---- Changing ---- */

struct setattr {
	struct vmem_inode *vi;
	unsigned int which;
	const struct vmem_attr *attr;
};

void vmem_set_fields(struct vmem_dinode *n, unsigned int which, const struct vmem_attr *a)
{
	if (which & VMEM_SET_MODE)
		n->mode = vmem_le16_of((vmem_get16(n->mode) & MODE_TYPE) | (a->mode & 07777u));
	if (which & VMEM_SET_UID)
		n->uid = vmem_le32_of(a->uid);
	if (which & VMEM_SET_GID)
		n->gid = vmem_le32_of(a->gid);
	if (which & VMEM_SET_FLAGS)
		n->flags = vmem_le32_of(a->flags);
	if (which & VMEM_SET_ATIME)
		n->atime = vmem_le64_of((uint64_t)a->atime);
	if (which & VMEM_SET_MTIME)
		n->mtime = vmem_le64_of((uint64_t)a->mtime);
	if (which & VMEM_SET_CTIME)
		n->ctime = vmem_le64_of((uint64_t)a->ctime);
}

static int do_setattr(struct vmem_txn *t, void *arg)
{
	const struct setattr *s = arg;

	vmem_set_fields(txn_inode(t, s->vi), s->which, s->attr);
	return 0;
}

int vmem_enable_flags(struct vmem_fs *fs, uint32_t flags)
{
	if (flags & ~VMEM_FL_KNOWN)
		return -EINVAL;
	return flags ? vmem_enable(fs, VMEM_INCOMPAT_FLAGS) : 0;
}

int vmem_setattr(struct vmem_inode *vi, unsigned int which, const struct vmem_attr *attr)
{
	struct setattr s = { vi, which, attr };
	int err = 0;

	if (which & VMEM_SET_FLAGS)
		err = vmem_is_read_only(vi->fs) ? vmem_refusal(vi->fs) : vmem_enable_flags(vi->fs, attr->flags);
	if (err)
		return err;
	return vmem_run(vi->fs, do_setattr, &s);
}

/* ---- Forgetting ---- */

struct forget {
	struct vmem_inode *vi;
	struct vmem_xattr_buf *buf;	/* NULL: it has no extended attributes */
	bool done;
};

static int free_inode(struct vmem_txn *t, void *arg)
{
	struct forget *f = arg;
	struct vmem_inode *vi = f->vi;
	struct vmem_dinode *n = txn_inode(t, vi);
	bool dir = vmem_is_dir(n);
	uint32_t generation = vmem_get32(n->generation);
	int err;

	f->done = true;
	if (f->buf) {
		err = txn_drop_xattrs(t, vi, f->buf, &f->done);
		if (err || !f->done)
			return err;
	}
	txn_set_orphan(t, vi->ino, false);
	txn_free_inode(t, vi->ino, dir);
	memset(n, 0, sizeof(*n));
	n->generation = vmem_le32_of(generation);
	return 0;
}

static int forget_storage(struct vmem_inode *vi)
{
	struct forget f = { .vi = vi };
	int err = vmem_truncate_rest(vi, 0);

	if (!err && vmem_has_xattrs(&vi->raw))
		err = vmem_xattr_buf_new(vi->fs, &f.buf);
	while (!err && !f.done)
		err = vmem_run(vi->fs, free_inode, &f);
	vmem_xattr_buf_free(vi->fs, f.buf);
	return err;
}

int vmem_iput(struct vmem_inode *vi)
{
	struct vmem_fs *fs = vi->fs;
	bool dirty, ranges;
	int err = 0, cut = 0;

	if (!vmem_get32(vi->raw.nlink)) {
		/* First: once it is free, its number may belong to another inode. */
		vmem_hide_from_sync(vi);
		return vmem_is_read_only(fs) ? 0 : forget_storage(vi);
	}
	if (vi->cut && !vmem_is_read_only(fs))
		cut = vmem_finish_cut(vi);
	vmem_lock(fs, fs->dirty_lock);
	ranges = vi->nr_dirty;
	dirty = ranges || VMEM_PEEK(vi->times_dirty);
	vmem_unlock(fs, fs->dirty_lock);
	if (dirty && vmem_error(fs) != -EIO && !VMEM_PEEK(fs->read_only) && !VMEM_BROKEN(HANDLE_LOCAL)) {
		/* Inodes are forgotten when memory is short: not the time to wait for a flush. */
		if (!ranges && vmem_is_only_atime(vi))
			vmem_store_times(vi);
		else
			err = vmem_hand_over(vi);
		if (err && err != -EIO)
			err = vmem_flush_last(vi);
	}
	vmem_hide_from_sync(vi);
	return err ? err : cut;
}
