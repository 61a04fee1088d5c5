// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* contents.c - operations on contents, as Linux locks for them */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fs/fs.h"
#include "ops_internal.h"

#define MOST (2u << 20)

static uint8_t byte_at(uint32_t salt, uint64_t off)
{
	return (uint8_t)(1 + mix(salt * 1000003ull + off / 8 + 1) % 251 + off % 4);
}

/* ---- Copying ---- */

struct copying {
	uint32_t salt;
	uint64_t off;			/* of the file */
	uint64_t sum;
};

static size_t copy_in(void *ctx, void *addr, size_t len)
{
	struct copying *c = ctx;
	size_t i;

	sched_hook(HOOK_COPY);
	for (i = 0; i < len; i++)
		((uint8_t *)addr)[i] = byte_at(c->salt, c->off + i);
	if (vfs.m->store.writeback)
		vfs.m->store.writeback(&vfs.m->store, addr, len);
	c->off += len;
	return len;
}

static size_t copy_out(void *ctx, void *addr, size_t len)
{
	struct copying *c = ctx;
	size_t i;

	sched_hook(HOOK_COPY);
	for (i = 0; i < len; i++)
		c->sum = mix(c->sum * 31 + ((uint8_t *)addr)[i]);
	return len;
}

/* ---- Under the inode's lock ---- */

static int64_t offset_of(const struct vnode *n, const struct operation_text *o)
{
	return o->off + (o->from_end ? (int64_t)vmem_size(&n->vi) : 0);
}

static int64_t read_file(struct vnode *n, const struct operation_text *o, uint64_t *value)
{
	struct copying c = { 0 };
	int64_t got;

	lock_read(&n->rwsem);
	got = vmem_read(&n->vi, (uint64_t)offset_of(n, o), o->len, copy_out, &c);
	unlock_read(&n->rwsem);
	/* As touch_atime(): not while it is frozen. */
	if (!vfs.freezing.written) {
		lock_read(&vfs.freezing);
		vmem_touch(&n->vi, VMEM_SET_ATIME, vfs.m->env.now(&vfs.m->env));
		unlock_read(&vfs.freezing);
	}
	*value = c.sum;
	return got;
}

static int64_t write_file(struct vnode *n, const struct operation_text *o, uint64_t *value)
{
	struct copying c = { .salt = o->salt };
	struct mtime_set set;
	int64_t put;

	(void)value;
	lock_write(&n->rwsem);
	set = mtime_begin();
	c.off = (uint64_t)offset_of(n, o);
	put = c.off + o->len > MOST ? -EFBIG : vmem_write(&n->vi, c.off, o->len, copy_in, &c);
	if (put > 0)
		mtime_end(n, set);
	unlock_write(&n->rwsem);
	return put;
}

static int64_t truncate_file(struct vnode *n, const struct operation_text *o, uint64_t *value)
{
	struct mtime_set set;
	int64_t size;
	uint64_t old;
	int err;

	(void)value;
	lock_write(&n->rwsem);
	size = offset_of(n, o);
	old = vmem_size(&n->vi);
	if (size < 0 || size > MOST) {
		unlock_write(&n->rwsem);
		return -EINVAL;
	}
	lock_write(&n->invalidate);
	map_drop(n, VMEM_MIN(old, (uint64_t)size), UINT64_MAX - PAGE);
	set = mtime_begin();
	poor(o->kind == DO_POOR);
	err = vmem_truncate(&n->vi, (uint64_t)size);
	poor(false);
	if (!err)
		mtime_end(n, set);
	if (err && (uint64_t)size < old)
		vmem_mark_dirty(&n->vi, (uint64_t)size, old - (uint64_t)size);
	unlock_write(&n->invalidate);
	unlock_write(&n->rwsem);
	return err;
}

/* Pages are unmapped, but for blocks in advance: nothing that is mapped changes then. */
static int64_t fallocate_file(struct vnode *n, const struct operation_text *o, uint64_t *value)
{
	static const unsigned int modes[NR_OPERATIONS] = {
		[DO_FALLOC_KEEP] = VMEM_FALLOC_KEEP_SIZE, [DO_PUNCH] = VMEM_FALLOC_PUNCH_HOLE | VMEM_FALLOC_KEEP_SIZE,
		[DO_ZERO] = VMEM_FALLOC_ZERO_RANGE, [DO_COLLAPSE] = VMEM_FALLOC_COLLAPSE_RANGE,
		[DO_INSERT] = VMEM_FALLOC_INSERT_RANGE,
	};
	bool moves = o->kind == DO_COLLAPSE || o->kind == DO_INSERT, advance = !modes[o->kind] || o->kind == DO_FALLOC_KEEP;
	struct mtime_set set;
	uint64_t off;
	int err;

	(void)value;
	lock_write(&n->rwsem);
	off = (uint64_t)offset_of(n, o);
	if (off > MOST || off + o->len > MOST) {
		unlock_write(&n->rwsem);
		return -EINVAL;
	}
	if (!advance) {
		lock_write(&n->invalidate);
		map_writeback_locked(n);
		map_drop(n, off, moves ? UINT64_MAX - PAGE : off + o->len);
	}
	set = mtime_begin();
	err = vmem_fallocate(&n->vi, modes[o->kind], off, o->len);
	if (!err)
		mtime_end(n, set);
	if (!advance)
		unlock_write(&n->invalidate);
	unlock_write(&n->rwsem);
	return err;
}

static int64_t layout_file(struct vnode *n, const struct operation_text *o, uint64_t *value)
{
	struct mtime_set set;
	uint64_t old;
	int err;

	(void)value;
	lock_write(&n->rwsem);
	lock_write(&n->invalidate);
	set = mtime_begin();
	old = vmem_size(&n->vi);
	err = vmem_layout(&n->vi, (uint64_t)o->off, o->len);
	if (!err && vmem_size(&n->vi) != old)
		mtime_end(n, set);
	unlock_write(&n->invalidate);
	unlock_write(&n->rwsem);
	return err;
}

static int64_t seek_file(struct vnode *n, const struct operation_text *o, uint64_t *value)
{
	int64_t at;

	(void)value;
	lock_read(&n->rwsem);
	at = vmem_seek(&n->vi, (uint64_t)o->off, true);
	unlock_read(&n->rwsem);
	return at;
}

/* ---- Page by page ---- */

static int64_t map_file(struct vnode *n, const struct operation_text *o, uint64_t *value)
{
	uint64_t off = (uint64_t)o->off, end = off + o->len;
	uint8_t bytes[PAGE];
	int err = 0;

	(void)value;
	while (off < end && !err) {
		uint64_t len = VMEM_MIN(PAGE - off % PAGE, end - off), i;

		for (i = 0; i < len; i++)
			bytes[i] = byte_at(o->salt, off + i);
		err = map_store(n, off, bytes, (size_t)len);
		off += len;
	}
	if (vfs.m->store.drain)
		vfs.m->store.drain(&vfs.m->store);
	return err;
}

static int64_t load_file(struct vnode *n, const struct operation_text *o, uint64_t *value)
{
	uint64_t off = (uint64_t)o->off, end = off + o->len;
	uint8_t bytes[PAGE];
	int err = 0;

	while (off < end && !err) {
		uint64_t len = VMEM_MIN(PAGE - off % PAGE, end - off), i;

		err = map_load(n, off, bytes, (size_t)len);
		for (i = 0; i < len; i++)
			*value = mix(*value * 31 + bytes[i]);
		off += len;
	}
	return err;
}

static int64_t span_file(struct vnode *n, const struct operation_text *o, uint64_t *value)
{
	struct vmem_span span;
	int err;

	(void)value;
	lock_read(&n->rwsem);
	err = vmem_find_span(&n->vi, (uint64_t)o->off, o->len, true, &span);
	unlock_read(&n->rwsem);
	return err;
}

static int64_t touch_file(struct vnode *n, const struct operation_text *o, uint64_t *value)
{
	(void)o;
	(void)value;
	vmem_touch(&n->vi, VMEM_SET_ATIME, vfs.m->env.now(&vfs.m->env));
	return 0;
}

static int64_t fsync_file(struct vnode *n, const struct operation_text *o, uint64_t *value)
{
	unsigned int i, t = sched.thread;
	int err;

	(void)value;
	if (vmem_get_domain(vfs.fs) != VMEM_DOMAIN_GUEST)
		map_writeback(n);
	else
		vfs.nr_found[t] = 0;
	err = vmem_fsync(&n->vi, o->kind == DO_FDATASYNC);
	for (i = 0; i < vfs.nr_found[t] && !err && vfs.nr_promised < 2 * PTES; i++)
		vfs.promised[vfs.nr_promised++] = vfs.found[t][i];
	return err;
}

/* The extents of a file become unreadable. */
static int64_t spoil_file(struct vnode *n, const struct operation_text *o, uint64_t *value)
{
	uint64_t node = vmem_get64(n->vi.raw.u.ext[0].w1) * VMEM_BLOCK_SIZE;
	uint8_t *p = (uint8_t *)(uintptr_t)vmem_meta(vfs.fs, node);

	(void)o;
	(void)value;
	if (!vmem_get16(n->vi.raw.depth))
		return -EINVAL;
	vfs.spoiled = true;
	memset(p, 0xee, VMEM_NODE_HEAD);
	return 0;
}

int64_t vfs_on_file(const struct operation_text *o, uint64_t *value)
{
	static const struct {
		on_file call;
		bool changes;
	} calls[NR_OPERATIONS] = {
		[DO_READ] = { read_file, false }, [DO_WRITE] = { write_file, true },
		[DO_TRUNCATE] = { truncate_file, true }, [DO_POOR] = { truncate_file, true },
		[DO_FALLOC] = { fallocate_file, true }, [DO_FALLOC_KEEP] = { fallocate_file, true },
		[DO_PUNCH] = { fallocate_file, true }, [DO_ZERO] = { fallocate_file, true },
		[DO_COLLAPSE] = { fallocate_file, true }, [DO_INSERT] = { fallocate_file, true },
		[DO_LAYOUT] = { layout_file, true }, [DO_SEEK] = { seek_file, false },
		[DO_MAP] = { map_file, false }, [DO_LOAD] = { load_file, false },
		[DO_SPAN] = { span_file, true }, [DO_TOUCH] = { touch_file, true },
		[DO_SPOIL] = { spoil_file, false }, [DO_FSYNC] = { fsync_file, false }, [DO_FDATASYNC] = { fsync_file, false },
	};
	struct vnode *n;
	int64_t result = vfs_walk(o->a, &n);

	if (result)
		return result;
	if (calls[o->kind].changes)
		lock_read(&vfs.freezing);
	if (!vmem_is_reg(&n->vi.raw) && o->kind != DO_FSYNC && o->kind != DO_FDATASYNC && o->kind != DO_TOUCH)
		result = -EISDIR;
	else
		result = calls[o->kind].call(n, o, value);
	if (calls[o->kind].changes)
		unlock_read(&vfs.freezing);
	vnode_put(n);
	return result;
}

/* ---- Preparing ---- */

int vfs_fill(const struct operation_text *o)
{
	struct operation_text one = { .kind = DO_WRITE, .from_end = true, .salt = o->salt };
	struct vmem_statfs st;
	uint64_t value;
	int64_t n = 0;

	memcpy(one.a, o->a, sizeof(one.a));
	for (;;) {
		vmem_statfs(vfs.fs, &st);
		if (n < 0 || st.avail_blocks <= o->len)
			break;
		one.len = st.avail_blocks - o->len < 16 ? PAGE : 16 * PAGE;
		n = vfs_on_file(&one, &value);
	}
	return n == -ENOSPC || n > 0 ? 0 : (int)n;
}

int vfs_holes(const struct operation_text *o)
{
	struct operation_text one = { .kind = DO_WRITE, .len = PAGE, .salt = o->salt };
	int64_t n = PAGE;
	uint64_t value;
	uint32_t i;

	memcpy(one.a, o->a, sizeof(one.a));
	for (i = 0; i < o->len && n == PAGE; i++) {
		one.off = (2 * (int64_t)i + 1) * PAGE;
		n = vfs_on_file(&one, &value);
	}
	return n == PAGE ? 0 : -EIO;
}
