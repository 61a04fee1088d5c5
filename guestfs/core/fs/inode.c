// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* inode.c - inodes in memory and their attributes */
#include "mount.h"

uint64_t vmem_inode_off(const struct vmem_fs *fs, uint64_t ino)
{
	uint32_t ag = (uint32_t)(ino / fs->inodes_per_ag), i = (uint32_t)(ino % fs->inodes_per_ag);

	return ((vmem_ag_meta(fs, ag) + 2) << VMEM_BLOCK_SHIFT) + (uint64_t)i * VMEM_INODE_SIZE;
}

/* ---- Reading ---- */

static bool format_fits(const struct vmem_dinode *n)
{
	uint32_t format = vmem_get16(n->format);
	uint64_t size = vmem_get64(n->size);

	if (size > VMEM_MAX_FILE_SIZE || vmem_get64(n->xattr))
		return false;
	switch (format) {
	case VMEM_FMT_NONE:	/* fifo, character or block device, socket */
		return 1u << (vmem_get16(n->mode) >> 12) & (1u << 1 | 1u << 2 | 1u << 6 | 1u << 12);
	case VMEM_FMT_INLINE:
		return vmem_is_lnk(n) && size && size <= VMEM_PAYLOAD_SIZE;
	case VMEM_FMT_EXTENTS:
		return (vmem_is_reg(n) || (vmem_is_lnk(n) && size && size < VMEM_BLOCK_SIZE)) &&
		       vmem_get16(n->nr_ext) <= VMEM_INLINE_EXTENTS &&
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
	if (!format_fits(&vi->raw))
		return vmem_corrupt(fs, ino, block, "inode fields");
	/* Putting an unlinked root would free it. */
	if (ino == VMEM_ROOT_INO && (!vmem_is_dir(&vi->raw) || !vmem_get32(vi->raw.nlink)))
		return vmem_corrupt(fs, ino, block, "root directory");
	/* Conservative: what concerned it before it was read again may not be flushed yet. */
	vi->lsn = fs->last_op;
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
	attr->atime = (int64_t)vmem_get64(n->atime);
	attr->mtime = (int64_t)vmem_get64(n->mtime);
	attr->ctime = (int64_t)vmem_get64(n->ctime);
	attr->btime = (int64_t)vmem_get64(n->btime);
}

/* ---- Making ---- */

void vmem_inode_touch_raw(struct vmem_fs *fs, struct vmem_dinode *n, bool mtime)
{
	int64_t now = vmem_now(fs);

	n->ctime = vmem_le64_of((uint64_t)vmem_next_ctime((int64_t)vmem_get64(n->ctime), now, true));
	if (mtime)
		n->mtime = vmem_le64_of((uint64_t)now);
}

void vmem_inode_init(struct vmem_txn *t, struct vmem_inode *vi, uint64_t ino,
		     const struct vmem_attr *attr, unsigned int format)
{
	struct vmem_fs *fs = t->fs;
	vmem_le64 now = vmem_le64_of((uint64_t)vmem_now(fs));
	uint32_t type = attr->mode & 0170000u;
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
	if (type == 0020000u || type == 0060000u)
		n->rdev = vmem_le32_of(attr->rdev);
	n->nlink = vmem_le32_of(1);
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

static int do_setattr(struct vmem_txn *t, void *arg)
{
	const struct setattr *s = arg;
	const struct vmem_attr *a = s->attr;
	struct vmem_dinode *n = txn_inode(t, s->vi);

	if (s->which & VMEM_SET_MODE)
		n->mode = vmem_le16_of((vmem_get16(n->mode) & 0170000u) | (a->mode & 07777u));
	if (s->which & VMEM_SET_UID)
		n->uid = vmem_le32_of(a->uid);
	if (s->which & VMEM_SET_GID)
		n->gid = vmem_le32_of(a->gid);
	if (s->which & VMEM_SET_ATIME)
		n->atime = vmem_le64_of((uint64_t)a->atime);
	if (s->which & VMEM_SET_MTIME)
		n->mtime = vmem_le64_of((uint64_t)a->mtime);
	if (s->which & VMEM_SET_CTIME)
		n->ctime = vmem_le64_of((uint64_t)a->ctime);
	return 0;
}

int vmem_setattr(struct vmem_inode *vi, unsigned int which, const struct vmem_attr *attr)
{
	struct setattr s = { vi, which, attr };

	return vmem_run(vi->fs, do_setattr, &s);
}

/* ---- Dirty inodes (domain host): what fsync and sync must still flush ---- */

/* dirty_lock is held. */
static void list_dirty(struct vmem_inode *vi)
{
	struct vmem_fs *fs = vi->fs;

	if (vi->dirty_link)
		return;
	vi->dirty_next = fs->dirty_inodes;
	if (vi->dirty_next)
		vi->dirty_next->dirty_link = &vi->dirty_next;
	vi->dirty_link = &fs->dirty_inodes;
	fs->dirty_inodes = vi;
}

static void unlist_dirty(struct vmem_inode *vi)
{
	if (!vi->dirty_link)
		return;
	*vi->dirty_link = vi->dirty_next;
	if (vi->dirty_next)
		vi->dirty_next->dirty_link = vi->dirty_link;
	vi->dirty_link = NULL;
}

void vmem_see_ctime(struct vmem_inode *vi)
{
	if (!__atomic_load_n(&vi->ctime_seen, __ATOMIC_SEQ_CST))
		__atomic_store_n(&vi->ctime_seen, true, __ATOMIC_SEQ_CST);
}

static int64_t touched_ctime(struct vmem_inode *vi, int64_t now)
{
	bool seen = VMEM_PEEK(vi->ctime_seen) &&
		    __atomic_exchange_n(&vi->ctime_seen, false, __ATOMIC_SEQ_CST);

	return vmem_next_ctime((int64_t)vmem_get64(vi->raw.ctime), now, seen);
}

static const unsigned int time_bits[VMEM_NR_TIMES] = {
	VMEM_SET_ATIME, VMEM_SET_MTIME, VMEM_SET_CTIME,
};

/* The times that are to be set, in memory; returns those that became others. */
static unsigned int set_times(struct vmem_inode *vi, unsigned int which, int64_t now)
{
	vmem_le64 *times = vmem_times(&vi->raw);
	unsigned int i, set = 0;

	for (i = 0; i < VMEM_NR_TIMES; i++) {
		uint64_t v;

		if (!(which & time_bits[i]))
			continue;
		v = (uint64_t)(time_bits[i] == VMEM_SET_CTIME ? touched_ctime(vi, now) : now);
		if (vmem_get64(times[i]) == v)
			continue;
		times[i] = vmem_le64_of(v);
		set |= time_bits[i];
	}
	return set;
}

/* Would set_times() do anything?  It may, where a change of ctime was seen. */
static bool times_differ(const struct vmem_inode *vi, unsigned int which, int64_t now)
{
	const struct vmem_dinode *n = &vi->raw;

	return (which & VMEM_SET_ATIME && vmem_get64(n->atime) != (uint64_t)now) ||
	       (which & VMEM_SET_MTIME && vmem_get64(n->mtime) != (uint64_t)now) ||
	       (which & VMEM_SET_CTIME && (vmem_get64(n->ctime) != (uint64_t)now ||
					   VMEM_PEEK(vi->ctime_seen)));
}

/* Domains guest and pmem: in memory, the overlay and at home, between two transactions. */
static void store_touched(struct vmem_inode *vi, unsigned int which, int64_t now)
{
	struct vmem_fs *fs = vi->fs;
	uint64_t off = vmem_inode_off(fs, vi->ino) + offsetof(struct vmem_dinode, atime);
	struct vmem_opage *op;
	unsigned int i, set;

	vmem_lock_shared(fs);
	set = set_times(vi, which, now);
	op = set ? vmem_overlay_find(fs, off >> VMEM_BLOCK_SHIFT) : NULL;
	for (i = 0; i < VMEM_NR_TIMES; i++, off += sizeof(vmem_le64)) {
		vmem_le64 v = vmem_times(&vi->raw)[i];

		if (!(set & time_bits[i]))
			continue;
		if (op)
			memcpy(op->data + (off & VMEM_BLOCK_MASK), &v, sizeof(v));
		vmem_put64(fs->store, off, vmem_get64(v));
	}
	vmem_unlock_shared(fs);
	if (set && fs->domain == VMEM_DOMAIN_PMEM)
		VMEM_FLAG(vi->times_dirty, true);
}

/* Domain host: in memory, for the next record. */
static void note_touched(struct vmem_inode *vi, unsigned int which, int64_t now)
{
	struct vmem_fs *fs = vi->fs;

	vmem_lock(fs, fs->dirty_lock);
	if (set_times(vi, which, now)) {
		VMEM_FLAG(vi->times_dirty, true);
		list_dirty(vi);
	}
	vmem_unlock(fs, fs->dirty_lock);
}

void vmem_touch(struct vmem_inode *vi, unsigned int which, int64_t now)
{
	if (vmem_is_read_only(vi->fs))
		return;
	if (!vmem_immediate(vi->fs))
		note_touched(vi, which, now);
	else if (times_differ(vi, which, now))
		store_touched(vi, which, now);
}

/* Full: join the two that lie closest. */
static void join_closest(struct vmem_inode *vi)
{
	struct vmem_dirty *d = vi->dirty;
	uint64_t best = UINT64_MAX, end;
	uint32_t i, k, a = 0, b = 1;

	for (i = 0; i < vi->nr_dirty; i++)
		for (k = 0; k < vi->nr_dirty; k++) {
			uint64_t gap = d[k].offset - d[i].offset;

			if (i != k && d[k].offset >= d[i].offset && gap < best) {
				best = gap;
				a = i;
				b = k;
			}
		}
	end = VMEM_MAX(d[a].offset + d[a].length, d[b].offset + d[b].length);
	d[a].length = end - d[a].offset;
	d[a].seq = VMEM_MAX(d[a].seq, d[b].seq);
	d[b] = d[--vi->nr_dirty];
}

void vmem_dirty_add(struct vmem_inode *vi, uint64_t off, uint64_t len)
{
	struct vmem_fs *fs = vi->fs;
	uint64_t start = off & ~(uint64_t)VMEM_BLOCK_MASK;
	uint64_t end = vmem_align_up(off + len, VMEM_BLOCK_SIZE);
	uint32_t i;

	vmem_lock(fs, fs->dirty_lock);
	vi->dirty_seq++;
	for (i = 0; i < vi->nr_dirty; i++) {
		struct vmem_dirty *d = &vi->dirty[i];

		if (start <= d->offset + d->length && end >= d->offset) {
			end = VMEM_MAX(end, d->offset + d->length);
			d->offset = VMEM_MIN(start, d->offset);
			d->length = end - d->offset;
			d->seq = vi->dirty_seq;
			goto out;
		}
	}
	if (vi->nr_dirty == VMEM_DIRTY_RANGES)
		join_closest(vi);
	vi->dirty[vi->nr_dirty].offset = start;
	vi->dirty[vi->nr_dirty].length = end - start;
	vi->dirty[vi->nr_dirty++].seq = vi->dirty_seq;
out:
	list_dirty(vi);
	vmem_unlock(fs, fs->dirty_lock);
}

bool vmem_is_dirty(struct vmem_inode *vi, uint64_t off)
{
	bool dirty = false;
	uint32_t i;

	vmem_lock(vi->fs, vi->fs->dirty_lock);
	for (i = 0; i < vi->nr_dirty; i++)
		dirty |= off >= vi->dirty[i].offset && off - vi->dirty[i].offset < vi->dirty[i].length;
	vmem_unlock(vi->fs, vi->fs->dirty_lock);
	return dirty;
}

/* The ranges up to seq have been flushed. */
void vmem_dirty_done(struct vmem_inode *vi, uint64_t seq)
{
	struct vmem_fs *fs = vi->fs;
	uint32_t i = 0;

	vmem_lock(fs, fs->dirty_lock);
	while (i < vi->nr_dirty) {
		if (vi->dirty[i].seq <= seq || VMEM_BROKEN(DIRTY_LOST))
			vi->dirty[i] = vi->dirty[--vi->nr_dirty];
		else
			i++;
	}
	if (!vi->nr_dirty && !VMEM_PEEK(vi->times_dirty))
		unlist_dirty(vi);
	vmem_unlock(fs, fs->dirty_lock);
}

/* ---- fsync, sync ---- */

static int write_times(struct vmem_txn *t, void *arg)
{
	vmem_lock(t->fs, t->fs->dirty_lock);
	txn_inode_times(t, arg);
	vmem_unlock(t->fs, t->fs->dirty_lock);
	return 0;
}

static int flush_own(struct vmem_inode *vi, const struct vmem_range *r, unsigned int nr)
{
	struct vmem_fs *fs = vi->fs;
	unsigned int i;

	if (vmem_error(fs) == -EIO)
		return -EIO;
	vmem_count(&fs->stats.flushes, 1);
	vmem_count(&fs->stats.flush_ranges, nr);
	for (i = 0; i < nr; i++)
		vmem_count(&fs->stats.flush_bytes, r[i].length);
	return fs->store->flush(fs->store, r, nr) ? vmem_io_failed(fs) : 0;
}

int vmem_fsync(struct vmem_inode *vi, bool datasync)
{
	struct vmem_range own[VMEM_DIRTY_RANGES];
	struct vmem_fs *fs = vi->fs;
	uint64_t seq, lsn, round = 0;
	unsigned int nr, i;
	int err = 0;

	if (vmem_error(fs) == -EIO)
		return -EIO;
	if (VMEM_PEEK(fs->read_only))
		return 0;	/* what was replayed for reading is nobody's to commit */
	if (vmem_immediate(fs)) {
		/* A replay of the last record must not bring back older times. */
		if (VMEM_PEEK(vi->times_dirty) && !vmem_is_read_only(fs)) {
			VMEM_FLAG(vi->times_dirty, false);	/* first: another touch is for another fsync */
			vmem_retire_records(fs);
		}
		vmem_fence(fs->store);
		return 0;
	}
	vi->sync_credit = 2;
	if (!datasync && VMEM_PEEK(vi->times_dirty) && !vmem_is_read_only(fs))
		err = vmem_run(fs, write_times, vi);
	if (err)
		return err;

	vmem_lock(fs, fs->dirty_lock);
	nr = vi->nr_dirty;
	seq = vi->dirty_seq;
	for (i = 0; i < nr; i++) {
		own[i].offset = vi->dirty[i].offset;
		own[i].length = vi->dirty[i].length;
	}
	vmem_unlock(fs, fs->dirty_lock);

	lsn = __atomic_load_n(&vi->lsn, __ATOMIC_ACQUIRE);	/* after the ranges */
	if (lsn > __atomic_load_n(&fs->committed, __ATOMIC_ACQUIRE)) {
		if (nr) {
			vmem_lock(fs, fs->lock);
			round = fs->stored_round;
			for (i = 0; i < nr; i++)
				vmem_ranges_add(fs->stored, own[i].offset, own[i].length);
			vmem_unlock(fs, fs->lock);
		}
		err = vmem_commit(fs, lsn);
		/* A commit that had begun before covered our record, but not our bytes. */
		if (!err && nr && __atomic_load_n(&fs->stored_flushed, __ATOMIC_ACQUIRE) <= round &&
		    !VMEM_BROKEN(ROUND_OLD))
			err = flush_own(vi, own, nr);
	} else if (nr && !VMEM_BROKEN(FSYNC_DATA)) {
		err = flush_own(vi, own, nr);
	}
	if (!err && nr)
		vmem_dirty_done(vi, seq);
	return err;
}

/*
 * A record takes over what the inode must still flush: the ranges become
 * linked by it, and are forgotten when it is appended.
 */
static void hand_over(struct vmem_txn *t, struct vmem_inode *vi)
{
	uint32_t i;

	for (i = 0; i < vi->nr_dirty; i++)
		txn_link(t, vi->dirty[i].offset, vi->dirty[i].length);
	txn_inode_times(t, vi);
	t->inodes[t->nr_inodes - 1].dirty_seq = vi->dirty_seq;
}

/* Up to a transaction's worth of dirty inodes that this round has not seen. */
static int gather_dirty(struct vmem_txn *t, void *arg)
{
	struct vmem_fs *fs = t->fs;
	struct vmem_inode *vi;
	bool *more = arg;

	*more = false;
	vmem_lock(fs, fs->dirty_lock);
	for (vi = fs->dirty_inodes; vi && !*more; vi = vi->dirty_next) {
		if (vi->sync_round == fs->sync_round)
			continue;
		if (txn_full(t)) {
			*more = true;
			break;
		}
		vi->sync_round = fs->sync_round;
		hand_over(t, vi);
	}
	vmem_unlock(fs, fs->dirty_lock);
	return 0;
}

/* Nothing can be recorded on a damaged file system; what was stored becomes durable. */
static int flush_all_dirty(struct vmem_fs *fs)
{
	struct vmem_rangeset *set = fs->ckpt_set;
	struct vmem_inode *vi;
	uint32_t i;
	int err;

	vmem_lock(fs, fs->ckpt_lock);
	vmem_lock(fs, fs->dirty_lock);
	for (vi = fs->dirty_inodes; vi; vi = vi->dirty_next)
		for (i = 0; i < vi->nr_dirty; i++)
			vmem_ranges_add(set, vi->dirty[i].offset, vi->dirty[i].length);
	vmem_unlock(fs, fs->dirty_lock);
	err = vmem_flush_sets(fs, &set, 1);
	vmem_unlock(fs, fs->ckpt_lock);
	return err;
}

int vmem_sync(struct vmem_fs *fs)
{
	bool more = true;
	int err = 0;

	if (vmem_error(fs) == -EIO)
		return -EIO;
	if (VMEM_PEEK(fs->read_only))
		return 0;
	if (vmem_immediate(fs)) {
		vmem_fence(fs->store);
		return 0;
	}
	vmem_lock(fs, fs->dirty_lock);
	fs->sync_round++;
	vmem_unlock(fs, fs->dirty_lock);
	while (!err && more && !vmem_error(fs))
		err = vmem_run(fs, gather_dirty, &more);
	if (vmem_error(fs) == -EUCLEAN)
		err = flush_all_dirty(fs);
	return err ? err : vmem_commit(fs, __atomic_load_n(&fs->last_op, __ATOMIC_ACQUIRE));
}

/* ---- Forgetting ---- */

/* What fsync would have flushed must follow the inode number, not the memory. */
static int hand_over_last(struct vmem_txn *t, void *arg)
{
	vmem_lock(t->fs, t->fs->dirty_lock);
	hand_over(t, arg);
	vmem_unlock(t->fs, t->fs->dirty_lock);
	return 0;
}

static int free_inode(struct vmem_txn *t, void *arg)
{
	struct vmem_inode *vi = arg;
	struct vmem_dinode *n = txn_inode(t, vi);
	bool dir = vmem_is_dir(n);
	uint32_t generation = vmem_get32(n->generation);

	txn_set_orphan(t, vi->ino, false);
	txn_free_inode(t, vi->ino, dir);
	memset(n, 0, sizeof(*n));
	n->generation = vmem_le32_of(generation);
	return 0;
}

static int forget_storage(struct vmem_inode *vi)
{
	int err = vmem_truncate_rest(vi, 0);

	return err ? err : vmem_run(vi->fs, free_inode, vi);
}

/* No vmem_sync() finds it any more; the shared lock waits for one that has. */
static void hide_from_sync(struct vmem_inode *vi)
{
	struct vmem_fs *fs = vi->fs;
	bool listed;

	vmem_lock(fs, fs->dirty_lock);
	listed = vi->dirty_link;
	vmem_unlock(fs, fs->dirty_lock);
	if (!listed)
		return;
	vmem_lock_shared(fs);
	vmem_lock(fs, fs->dirty_lock);
	unlist_dirty(vi);
	vmem_unlock(fs, fs->dirty_lock);
	vmem_unlock_shared(fs);
}

/* Times go in place, where they need no record; the other fields have theirs. */
static void store_times(struct vmem_inode *vi)
{
	struct vmem_fs *fs = vi->fs;
	uint64_t off = vmem_inode_off(fs, vi->ino) + offsetof(struct vmem_dinode, atime);
	vmem_le64 times[] = { vi->raw.atime, vi->raw.mtime, vi->raw.ctime };
	struct vmem_opage *op;
	unsigned int i;

	vmem_lock_overlay(fs);
	op = vmem_overlay_find(fs, off >> VMEM_BLOCK_SHIFT);
	if (op)
		memcpy(op->data + (off & VMEM_BLOCK_MASK), times, sizeof(times));
	for (i = 0; i < 3; i++)
		vmem_put64(fs->store, off + i * sizeof(times[0]), vmem_get64(times[i]));
	if (!vmem_immediate(fs))
		vmem_ranges_add(fs->stored, off, sizeof(times));
	vmem_unlock(fs, fs->lock);
}

/* Of its times: has none changed that an fsync must keep? */
static bool is_only_atime(const struct vmem_inode *vi)
{
	struct vmem_fs *fs = vi->fs;
	const struct vmem_dinode *n;
	bool only;

	if (vmem_immediate(fs) || vmem_is_read_only(fs))
		return false;
	vmem_lock_shared(fs);
	n = (const void *)vmem_meta(fs, vmem_inode_off(fs, vi->ino));
	only = vmem_get64(n->mtime) == vmem_get64(vi->raw.mtime) &&
	       vmem_get64(n->ctime) == vmem_get64(vi->raw.ctime);
	vmem_unlock_shared(fs);
	return only;
}

/* There was no memory for a record, or there can be none: what it had said becomes durable now. */
static int flush_last(struct vmem_inode *vi)
{
	struct vmem_range own[VMEM_DIRTY_RANGES + 1];
	struct vmem_fs *fs = vi->fs;
	unsigned int i;

	if (vmem_immediate(fs)) {
		if (!vmem_is_read_only(fs))
			vmem_retire_records(fs);	/* the times are home already */
		return 0;
	}
	if (!vmem_is_read_only(fs))
		store_times(vi);
	vmem_lock(fs, fs->dirty_lock);
	for (i = 0; i < vi->nr_dirty; i++) {
		own[i].offset = vi->dirty[i].offset;
		own[i].length = vi->dirty[i].length;
	}
	vmem_unlock(fs, fs->dirty_lock);
	own[i].offset = vmem_inode_off(fs, vi->ino) & ~(uint64_t)VMEM_BLOCK_MASK;
	own[i].length = VMEM_BLOCK_SIZE;
	return flush_own(vi, own, i + 1);
}

void vmem_leave_orphan(struct vmem_inode *vi)
{
	hide_from_sync(vi);
}

int vmem_iput(struct vmem_inode *vi)
{
	struct vmem_fs *fs = vi->fs;
	bool dirty, ranges;
	int err = 0, cut = 0;

	if (!vmem_get32(vi->raw.nlink)) {
		/* First: once it is free, its number may belong to another inode. */
		hide_from_sync(vi);
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
		if (!ranges && is_only_atime(vi))
			store_times(vi);
		else
			err = vmem_run(fs, hand_over_last, vi);
		if (err && err != -EIO)
			err = flush_last(vi);
	}
	hide_from_sync(vi);
	return err ? err : cut;
}
