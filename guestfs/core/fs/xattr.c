// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * xattr.c - extended attributes: finding, listing, setting, removing
 *
 * The set of an inode is copied, changed in memory and put back: into the end of
 * the inode's payload where it fits, else into a block, which is metadata and is
 * changed in place by the record.  A value that is too large for that lies in
 * blocks of its own, as the data of a file does: stored before the record that
 * links them, never changed, and freed by the record that replaces them.
 */
#include "medium/fields.h"
#include "fs/fs.h"

#define VALUE_INSIDE	1024u		/* larger values lie in blocks */

/*
 * What one operation may take: as much again is freed by it, or by a later one,
 * and both must fit a record.
 */
#define VALUE_RUNS	VMEM_MIN(VMEM_XATTR_MAX_RUNS, VMEM_TXN_RUNS / 2 - 2)
#define VALUE_AGS	(VMEM_TXN_AGS / 2 - 1)

struct vmem_xattr_buf {
	uint32_t len;			/* bytes of the set */
	union {
		uint8_t block[VMEM_BLOCK_SIZE];
		struct {
			struct vmem_xattr_node head;
			uint8_t set[VMEM_XATTR_NODE_SPACE];
		} s;
	} u;
	uint8_t value[VMEM_BLOCK_SIZE];	/* a block of a value */
};

_Static_assert(sizeof(((struct vmem_xattr_buf *)NULL)->u) == VMEM_BLOCK_SIZE, "a set fills its block");

int vmem_xattr_buf_new(struct vmem_fs *fs, struct vmem_xattr_buf **buf)
{
	*buf = vmem_alloc(fs, sizeof(**buf));
	return *buf ? 0 : -ENOMEM;
}

void vmem_xattr_buf_free(struct vmem_fs *fs, struct vmem_xattr_buf *buf)
{
	vmem_free(fs, buf, sizeof(*buf));
}

bool vmem_xattrs_possible(const struct vmem_fs *fs, const struct vmem_dinode *n)
{
	if (!vmem_has(fs, VMEM_INCOMPAT_XATTR))
		return false;
	return vmem_get64(n->xattr) ? !n->xattr_units : n->xattr_units <= xattr_units_max(n);
}

/* ---- Reading a set ---- */

/* Copy the block of this kind; *len gets the bytes of its contents. */
static bool copy_node(struct vmem_fs *fs, uint64_t ino, uint64_t block, const uint8_t *from,
		      uint32_t magic, unsigned int piece, uint8_t *to, uint32_t *len)
{
	const struct vmem_xattr_node *head = (const void *)to;

	memcpy(to, from, VMEM_BLOCK_SIZE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	*len = vmem_get32(head->len);
	return vmem_get32(head->magic) == magic && vmem_get16(head->piece) == piece &&
	       vmem_get64(head->owner) == ino && vmem_get64(head->self) == block &&
	       *len <= VMEM_XATTR_NODE_SPACE &&
	       vmem_get32(head->csum) == vmem_xattr_csum(fs->crc, head, *len);
}

static int bad_set(struct vmem_fs *fs, uint64_t ino, uint64_t block)
{
	return vmem_corrupt(fs, ino, block, "extended attributes");
}

/* Are the entries of the set possible, and sorted? */
static bool is_set(const uint8_t *p, uint32_t len)
{
	const uint8_t *end = p + len;
	struct xattr_item x, before = { 0 };

	for (; p < end; p += x.total) {
		if (!xattr_item_at(p, end, &x))
			return false;
		if (before.total && xattr_compare(x.index, x.name, x.name_len, &before) <= 0)
			return false;
		before = x;
	}
	return true;
}

/* Copy the set of the inode into buf.  The lock of the log is held. */
static int load_set(struct vmem_fs *fs, uint64_t ino, const struct vmem_dinode *n,
		    struct vmem_xattr_buf *b)
{
	uint64_t block = vmem_get64(n->xattr);

	b->len = 0;
	if (block) {
		if (!vmem_block_ok(fs, block, 1) ||
		    !copy_node(fs, ino, block, vmem_meta(fs, block << VMEM_BLOCK_SHIFT),
			       VMEM_XATTR_SET_MAGIC, 0, b->u.block, &b->len))
			return bad_set(fs, ino, block);
	} else if (n->xattr_units) {
		b->len = xattr_inline_len(n);
		memcpy(b->u.s.set, n->u.bytes + payload_size(n), b->len);
	}
	return is_set(b->u.s.set, b->len) ? 0 : bad_set(fs, ino, block);
}

/* The entry of this name in the set at p, or where it goes: x->total is 0 then. */
static const uint8_t *find(const uint8_t *p, uint32_t len, unsigned int index, struct vmem_name name,
			   struct xattr_item *x)
{
	const uint8_t *end = p + len;

	while (p < end && xattr_item_at(p, end, x)) {
		int diff = xattr_compare(index, (const uint8_t *)name.name, name.len, x);

		if (!diff)
			return p;
		if (diff < 0)
			break;
		p += x->total;
	}
	x->total = 0;
	return p;
}

/* ---- Reading a value ---- */

static int copy_piece(struct vmem_fs *fs, uint64_t ino, uint64_t block, unsigned int piece,
		      struct vmem_xattr_buf *b, uint8_t *to, uint32_t left)
{
	uint32_t want = VMEM_MIN(left, VMEM_XATTR_NODE_SPACE), len;

	if (!copy_node(fs, ino, block, fs->store->base + (block << VMEM_BLOCK_SHIFT),
		       VMEM_XATTR_VALUE_MAGIC, piece, b->value, &len) || len != want)
		return bad_set(fs, ino, block);
	memcpy(to, b->value + VMEM_NODE_HEAD, want);
	return 0;
}

/* The value of an entry whose value lies in blocks. */
static int copy_value(struct vmem_fs *fs, uint64_t ino, const struct xattr_item *x,
		      struct vmem_xattr_buf *b, uint8_t *to)
{
	uint32_t left = xattr_ref_size(x);
	unsigned int i, piece = 0;
	int err = 0;

	for (i = 0; i < xattr_ref_runs(x) && !err; i++) {
		uint64_t block, nr;

		xattr_ref_run(x, i, &block, &nr);
		if (!nr || nr > xattr_blocks_for(left) || !vmem_block_ok(fs, block, nr))
			return bad_set(fs, ino, block);
		for (; nr && !err; nr--, block++) {
			err = copy_piece(fs, ino, block, piece++, b, to, left);
			to += VMEM_MIN(left, VMEM_XATTR_NODE_SPACE);
			left -= VMEM_MIN(left, VMEM_XATTR_NODE_SPACE);
		}
	}
	return !err && left ? bad_set(fs, ino, 0) : err;
}

/* The set of an inode, for a look: where it lies in the inode, or a copy of its block. */
struct view {
	const uint8_t *set;
	uint32_t len;
	struct vmem_xattr_buf *buf;	/* NULL: it lies in the inode */
};

static int look_at(struct vmem_inode *vi, struct view *v)
{
	const struct vmem_dinode *n = &vi->raw;
	int err;

	if (!vmem_get64(n->xattr)) {
		v->set = n->u.bytes + payload_size(n);
		v->len = xattr_inline_len(n);
		return is_set(v->set, v->len) ? 0 : bad_set(vi->fs, vi->ino, 0);
	}
	err = vmem_xattr_buf_new(vi->fs, &v->buf);
	if (!err)
		err = load_set(vi->fs, vi->ino, n, v->buf);
	if (err)
		return err;
	v->set = v->buf->u.s.set;
	v->len = v->buf->len;
	return 0;
}

static int64_t get_value(struct vmem_inode *vi, struct view *v, const struct xattr_item *x,
			 void *buf, size_t size)
{
	uint32_t len = x->outside ? xattr_ref_size(x) : x->size;
	int err = 0;

	if (len > VMEM_XATTR_MAX_VALUE)
		return bad_set(vi->fs, vi->ino, vmem_get64(vi->raw.xattr));
	if (!size)
		return len;
	if (size < len)
		return -ERANGE;
	if (!x->outside) {
		memcpy(buf, x->value, len);
		return len;
	}
	if (!v->buf)
		err = vmem_xattr_buf_new(vi->fs, &v->buf);
	if (!err)
		err = copy_value(vi->fs, vi->ino, x, v->buf, buf);
	return err ? err : (int64_t)len;
}

static int64_t get_locked(struct vmem_inode *vi, unsigned int index, struct vmem_name name,
			  void *buf, size_t size)
{
	struct view v = { NULL, 0, NULL };
	struct xattr_item x;
	int64_t len = look_at(vi, &v);

	if (!len) {
		find(v.set, v.len, index, name, &x);
		len = x.total ? get_value(vi, &v, &x, buf, size) : -ENODATA;
	}
	vmem_xattr_buf_free(vi->fs, v.buf);
	return len;
}

int64_t vmem_getxattr(struct vmem_inode *vi, unsigned int index, struct vmem_name name,
		      void *buf, size_t size)
{
	int64_t len;

	if (name.len > VMEM_NAME_MAX)
		return -ERANGE;
	if (!xattr_name_ok(index, (const uint8_t *)name.name, name.len))
		return -EINVAL;
	vmem_lock_shared(vi->fs);
	len = vmem_has_xattrs(&vi->raw) ? get_locked(vi, index, name, buf, size) : -ENODATA;
	vmem_unlock_shared(vi->fs);
	return len;
}

static int list_locked(struct vmem_inode *vi, vmem_fillxattr fill, void *ctx)
{
	struct view v = { NULL, 0, NULL };
	struct xattr_item x;
	int err = look_at(vi, &v);
	const uint8_t *p = v.set, *end;

	end = err ? p : p + v.len;

	for (; !err && xattr_item_at(p, end, &x); p += x.total)
		err = fill(ctx, x.index, (struct vmem_name){ (const char *)x.name, x.name_len });
	vmem_xattr_buf_free(vi->fs, v.buf);
	return err;
}

int vmem_listxattr(struct vmem_inode *vi, vmem_fillxattr fill, void *ctx)
{
	int err;

	vmem_lock_shared(vi->fs);
	err = vmem_has_xattrs(&vi->raw) ? list_locked(vi, fill, ctx) : 0;
	vmem_unlock_shared(vi->fs);
	return err;
}

/* ---- Values in blocks ---- */

static void add_blocks(struct vmem_dinode *n, int64_t nr)
{
	n->blocks = vmem_le64_of((uint64_t)((int64_t)vmem_get64(n->blocks) + nr));
}

static void seal_node(struct vmem_fs *fs, struct vmem_xattr_node *head, uint32_t magic,
		      unsigned int piece, uint64_t ino, uint64_t block, uint32_t len)
{
	memset(head, 0, sizeof(*head));
	head->magic = vmem_le32_of(magic);
	head->piece = vmem_le16_of(piece);
	head->owner = vmem_le64_of(ino);
	head->self = vmem_le64_of(block);
	head->len = vmem_le32_of(len);
	head->csum = vmem_le32_of(vmem_xattr_csum(fs->crc, head, len));
}

static int free_value(struct vmem_txn *t, uint64_t ino, struct vmem_dinode *n, const struct xattr_item *x)
{
	unsigned int i;

	for (i = 0; x->outside && i < xattr_ref_runs(x); i++) {
		uint64_t block, nr;

		xattr_ref_run(x, i, &block, &nr);
		if (!nr || !vmem_block_ok(t->fs, block, nr))
			return bad_set(t->fs, ino, block);
		txn_free(t, block, nr);
		add_blocks(n, -(int64_t)nr);
	}
	return t->err;
}

/* Pieces of the value, from this one on, into the blocks of a run. */
static void store_pieces(struct vmem_txn *t, uint64_t ino, const struct vmem_xattr *v,
			 struct vmem_run run, unsigned int piece, uint8_t *buf)
{
	struct vmem_fs *fs = t->fs;
	uint64_t i;

	for (i = 0; i < run.len; i++, piece++) {
		size_t done = (size_t)piece * VMEM_XATTR_NODE_SPACE;
		uint32_t len = (uint32_t)VMEM_MIN(v->size - done, VMEM_XATTR_NODE_SPACE);

		memcpy(buf + VMEM_NODE_HEAD, (const uint8_t *)v->value + done, len);
		seal_node(fs, (struct vmem_xattr_node *)(void *)buf, VMEM_XATTR_VALUE_MAGIC, piece, ino,
			  run.start + i, len);
		vmem_put(fs->store, (run.start + i) << VMEM_BLOCK_SHIFT, buf, VMEM_NODE_HEAD + len);
	}
	if (!VMEM_BROKEN(VALUE_UNLINKED))
		txn_link(t, run.start << VMEM_BLOCK_SHIFT, run.len << VMEM_BLOCK_SHIFT);
}

/* Store the value into blocks; ref becomes what leads to them, of *len bytes. */
static int store_value(struct vmem_txn *t, uint64_t ino, struct vmem_dinode *n,
		       const struct vmem_xattr *v, struct vmem_xattr_buf *b, uint8_t *ref, uint32_t *len)
{
	uint64_t goal = vmem_inode_off(t->fs, ino) >> VMEM_BLOCK_SHIFT;
	struct vmem_xattr_ref head = { vmem_le32_of(v->size), vmem_le32_of(0) };
	unsigned int nr = xattr_blocks_for((uint32_t)v->size), done = 0;

	memcpy(ref, &head, sizeof(head));
	*len = sizeof(head);
	while (done < nr) {
		struct vmem_run run;
		vmem_le64 word;
		int err = vmem_reserve(t->fs, goal, nr - done, false, &run);

		if (err)
			return err;
		txn_take(t, run, false);
		if (!t->err && (t->nr_allocs > VALUE_RUNS || t->nr_ags > VALUE_AGS))
			return -ENOSPC;
		if (t->err)
			return t->err;
		store_pieces(t, ino, v, run, done, b->value);
		word = vmem_le64_of(run.start | run.len << VMEM_PBLK_BITS);
		memcpy(ref + *len, &word, sizeof(word));
		*len += (uint32_t)sizeof(word);
		done += (unsigned int)run.len;
		goal = run.start + run.len;
	}
	add_blocks(n, nr);
	return t->err;
}

/* ---- Changing a set ---- */

static int remove_entry(struct vmem_txn *t, uint64_t ino, struct vmem_dinode *n, struct vmem_xattr_buf *b,
			uint8_t *at, const struct xattr_item *x)
{
	uint32_t behind = b->len - (uint32_t)(at - b->u.s.set) - x->total;
	uint32_t total = x->total;
	int err = free_value(t, ino, n, x);

	memmove(at, at + total, behind);
	b->len -= total;
	return err;
}

static void insert_entry(struct vmem_xattr_buf *b, uint8_t *at, const struct vmem_xattr *v,
			 bool outside, const void *value, uint32_t len)
{
	struct vmem_xattr_entry e = {
		.index = (uint8_t)(v->index | (outside ? VMEM_XATTR_OUTSIDE : 0)),
		.name_len = (uint8_t)v->name.len, .size = vmem_le16_of(len),
	};
	uint32_t total = (uint32_t)(sizeof(e) + v->name.len) + len;

	memmove(at + total, at, b->len - (size_t)(at - b->u.s.set));
	memcpy(at, &e, sizeof(e));
	if (v->name.len)
		memcpy(at + sizeof(e), v->name.name, v->name.len);
	if (len)
		memcpy(at + sizeof(e) + v->name.len, value, len);
	b->len += total;
}

static int change_one(struct vmem_txn *t, uint64_t ino, struct vmem_dinode *n, struct vmem_xattr_buf *b,
		      const struct vmem_xattr *v)
{
	uint8_t ref[sizeof(struct vmem_xattr_ref) + 8 * VMEM_XATTR_MAX_RUNS];
	struct xattr_item x;
	uint8_t *at = b->u.s.set + (find(b->u.s.set, b->len, v->index, v->name, &x) - b->u.s.set);
	uint32_t room = VMEM_XATTR_NODE_SPACE - (b->len - x.total);
	uint32_t head = (uint32_t)(sizeof(struct vmem_xattr_entry) + v->name.len);
	uint32_t len = (uint32_t)v->size;
	bool outside;
	int err = 0;

	if (x.total && v->flags & VMEM_XATTR_CREATE)
		return -EEXIST;
	if (!x.total && (!v->value || v->flags & VMEM_XATTR_REPLACE))
		return -ENODATA;
	outside = v->value && (len > VALUE_INSIDE || head + len > room);
	if (outside)
		err = store_value(t, ino, n, v, b, ref, &len);
	/* After the new one has its blocks: what they may be is counted. */
	if (!err && x.total)
		err = remove_entry(t, ino, n, b, at, &x);
	if (err || !v->value)
		return err;
	if (head + len > room)
		return -ENOSPC;
	insert_entry(b, at, v, outside, outside ? ref : v->value, len);
	return 0;
}

/* ---- Putting a set back ---- */

/* Units that the set may take in the inode now. */
static unsigned int inline_room(const struct vmem_dinode *n)
{
	unsigned int units = xattr_units_max(n);

	if (vmem_get16(n->format) == VMEM_FMT_EXTENTS)
		units = VMEM_MIN(units, VMEM_INLINE_EXTENTS - vmem_get16(n->nr_ext));
	return units;
}

/* The block that holds the set becomes what buf has. */
static int change_block(struct vmem_txn *t, uint64_t block, const struct vmem_xattr_buf *b)
{
	const uint8_t *old = vmem_meta(t->fs, block << VMEM_BLOCK_SHIFT), *new = b->u.block;
	uint32_t from = VMEM_NODE_HEAD, end = VMEM_NODE_HEAD + b->len;

	while (from < end && old[from] == new[from])
		from++;
	while (from < end && old[end - 1] == new[end - 1])
		end--;
	txn_write(t, block << VMEM_BLOCK_SHIFT, new, VMEM_NODE_HEAD);
	if (from < end)
		txn_write(t, (block << VMEM_BLOCK_SHIFT) + from, new + from, end - from);
	return t->err;
}

static int put_in_block(struct vmem_txn *t, uint64_t ino, struct vmem_dinode *n, struct vmem_xattr_buf *b)
{
	uint64_t block = vmem_get64(n->xattr);
	bool is_new = !block;
	int err = 0;

	if (is_new)
		err = txn_alloc_block(t, vmem_inode_off(t->fs, ino) >> VMEM_BLOCK_SHIFT, &block);
	if (err)
		return err;
	seal_node(t->fs, &b->u.s.head, VMEM_XATTR_SET_MAGIC, 0, ino, block, b->len);
	if (!is_new)
		return change_block(t, block, b);
	txn_new_block(t, block, b->u.block, VMEM_NODE_HEAD + b->len);
	n->xattr = vmem_le64_of(block);
	add_blocks(n, 1);
	return t->err;
}

static int put_set(struct vmem_txn *t, uint64_t ino, struct vmem_dinode *n, struct vmem_xattr_buf *b)
{
	unsigned int units = (b->len + VMEM_XATTR_UNIT - 1) / VMEM_XATTR_UNIT;
	uint64_t block = vmem_get64(n->xattr);
	bool fits = units <= inline_room(n);

	/* What the set had of the payload is the tree's again, which wants zeros there. */
	memset(n->u.bytes + payload_size(n), 0, VMEM_PAYLOAD_SIZE - payload_size(n));
	n->xattr_units = fits ? (uint8_t)units : 0;
	if (!fits)
		return put_in_block(t, ino, n, b);
	memcpy(n->u.bytes + payload_size(n), b->u.s.set, b->len);
	if (block) {
		txn_free(t, block, 1);
		n->xattr = vmem_le64_of(0);
		add_blocks(n, -1);
	}
	return t->err;
}

int txn_set_xattrs(struct vmem_txn *t, struct vmem_inode *vi, struct vmem_xattr_buf *buf,
		   const struct vmem_xattr *x, unsigned int nr)
{
	struct vmem_dinode *n = txn_inode(t, vi);
	unsigned int i;
	int err = load_set(t->fs, vi->ino, n, buf);

	for (i = 0; i < nr && !err; i++)
		err = change_one(t, vi->ino, n, buf, &x[i]);
	return err ? err : put_set(t, vi->ino, n, buf);
}

/* ---- Operations ---- */

int vmem_judge_xattrs(const struct vmem_xattr *x, unsigned int nr)
{
	for (; nr--; x++) {
		if (x->name.len > VMEM_NAME_MAX)
			return -ERANGE;
		if (!xattr_name_ok(x->index, (const uint8_t *)x->name.name, x->name.len) ||
		    x->flags & ~(VMEM_XATTR_CREATE | VMEM_XATTR_REPLACE))
			return -EINVAL;
		if (x->size > VMEM_XATTR_MAX_VALUE)
			return -E2BIG;
	}
	return 0;
}

struct change {
	struct vmem_inode *vi;
	struct vmem_xattr_buf *buf;
	const struct vmem_xattr *x;
	unsigned int nr, which;
	const struct vmem_attr *attr;
};

static int do_change(struct vmem_txn *t, void *arg)
{
	const struct change *c = arg;
	struct vmem_dinode *n = txn_inode(t, c->vi);
	int err = txn_set_xattrs(t, c->vi, c->buf, c->x, c->nr);

	vmem_inode_touch_raw(t->fs, n, false);
	if (!err && c->which)
		vmem_set_fields(n, c->which, c->attr);
	return err;
}

int vmem_setxattr(struct vmem_inode *vi, const struct vmem_xattr *x, unsigned int nr,
		  unsigned int which, const struct vmem_attr *attr)
{
	struct change c = { .vi = vi, .x = x, .nr = nr, .which = which, .attr = attr };
	unsigned int i;
	int err = vmem_judge_xattrs(x, nr);

	if (!err && vmem_is_read_only(vi->fs))
		err = vmem_refusal(vi->fs);
	for (i = 0; i < nr && !err; i++)
		if (x[i].value)
			err = vmem_enable(vi->fs, VMEM_INCOMPAT_XATTR);
	if (!err)
		err = vmem_xattr_buf_new(vi->fs, &c.buf);
	if (!err && VMEM_BROKEN(ACL_AND_MODE) && which) {
		c.which = 0;
		err = vmem_try(vi->fs, do_change, &c);
		if (!err)
			err = vmem_setattr(vi, which, attr);
	} else if (!err) {
		err = vmem_try(vi->fs, do_change, &c);
	}
	vmem_xattr_buf_free(vi->fs, c.buf);
	return err == -EOVERFLOW ? -ENOSPC : err;
}

/* ---- Forgetting ---- */

/* The last entry of the set. */
static uint8_t *last_entry(struct vmem_xattr_buf *b, struct xattr_item *x)
{
	uint8_t *p = b->u.s.set, *end = p + b->len, *last = p;

	for (; xattr_item_at(p, end, x); p += x->total)
		last = p;
	xattr_item_at(last, end, x);
	return last;
}

int txn_drop_xattrs(struct vmem_txn *t, struct vmem_inode *vi, struct vmem_xattr_buf *b, bool *done)
{
	struct vmem_dinode *n = txn_inode(t, vi);
	struct xattr_item x;
	int err = load_set(t->fs, vi->ino, n, b);

	while (!err && b->len && !txn_full(t) && t->nr_frees + VALUE_RUNS + 2 <= VMEM_TXN_RUNS) {
		uint8_t *last = last_entry(b, &x);

		err = remove_entry(t, vi->ino, n, b, last, &x);
	}
	*done = !b->len;
	return err ? err : put_set(t, vi->ino, n, b);
}
