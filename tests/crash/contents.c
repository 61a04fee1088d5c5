// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* contents.c - operations on contents */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fs/fs.h"
#include "world_internal.h"

struct copy {
	struct machine *m;
	const uint8_t *from;
};

static size_t copy_in(void *ctx, void *addr, size_t len)
{
	struct copy *c = ctx;

	memcpy(addr, c->from, len);
	if (c->m->store.writeback)
		c->m->store.writeback(&c->m->store, addr, len);
	c->from += len;
	return len;
}

static size_t copy_out(void *ctx, void *addr, size_t len)
{
	uint8_t **to = ctx;

	memcpy(*to, addr, len);
	*to += len;
	return len;
}

/* A failed write may have changed what it was to overwrite: take that over. */
static int reread(struct world *w, unsigned int node, const struct data *want)
{
	const struct data *old = model_now(w)->node[node].data;
	struct data *d = model_data(w, old, old->size);
	uint8_t *p = d->bytes;
	uint32_t i;

	if (vmem_read(w->vi[node], 0, d->size, copy_out, &p) < 0)
		return -EIO;
	for (i = 0; i < d->size; i++)
		if (d->bytes[i] != old->bytes[i] && (i >= want->size || d->bytes[i] != want->bytes[i]))
			return -EIO;
	model_now(w)->node[node].data = d;
	return 0;
}

int do_write(struct world *w, const struct op *op)
{
	struct state *s = model_now(w);
	unsigned int node = model_node(w, s, op->a);
	int64_t size, off, n;
	struct vmem_inode *vi;
	struct data *d;
	uint32_t i;

	if (node == NOWHERE || s->node[node].kind != K_FILE)
		return INVALID;
	size = s->node[node].data->size;
	off = op->off + (op->from_end ? size : 0);
	if (off < 0 || !op->len || off + op->len > MAX_FILE)
		return INVALID;
	vi = world_inode(w, node);
	if (!vi)
		return -EIO;
	d = model_data(w, s->node[node].data, (uint32_t)(off + op->len > size ? off + op->len : size));
	for (i = 0; i < op->len; i++)
		d->bytes[off + i] = model_pattern(w->next_write, (uint64_t)off + i);
	w->next_write++;
	n = vmem_write(vi, (uint64_t)off, op->len, copy_in, &(struct copy){ w->m, d->bytes + off });
	if (n == -ENOSPC)
		return reread(w, node, d) ? -EIO : -ENOSPC;
	if (n < 0)
		return (int)n;
	if (n < op->len) {
		uint32_t end = (uint32_t)(off + n);

		/* What was not written is as before. */
		if (end < size)
			memcpy(d->bytes + end, s->node[node].data->bytes + end, (size_t)size - end);
		d->size = end > size ? end : (uint32_t)size;
	}
	if (d->size != size)
		model_touched(w, node);
	s->node[node].data = d;
	return 0;
}

int do_truncate(struct world *w, const struct op *op)
{
	unsigned int node = model_node(w, model_now(w), op->a);
	struct vmem_inode *vi;
	int64_t size;
	int err;

	if (node == NOWHERE || model_now(w)->node[node].kind != K_FILE)
		return INVALID;
	size = op->off + (op->from_end ? model_now(w)->node[node].data->size : 0);
	if (size < 0 || size > MAX_FILE)
		return INVALID;
	vi = world_inode(w, node);
	err = vi ? vmem_truncate(vi, (uint64_t)size) : -EIO;
	if (err)
		return err;
	model_now(w)->node[node].data = model_data(w, model_now(w)->node[node].data, (uint32_t)size);
	model_touched(w, node);
	return 0;
}

/* What the operation makes of the contents. */
static struct data *after_falloc(struct world *w, const struct op *op, const struct data *old,
				 uint32_t off, uint32_t len)
{
	bool cut = op->kind == OP_COLLAPSE, grows = op->kind == OP_FALLOC || op->kind == OP_ZERO;
	uint32_t size = old->size, end = off + len, end_in = VMEM_MIN(end, size);
	struct data *d;

	if (grows)
		size = VMEM_MAX(size, end);
	if (op->kind == OP_INSERT || cut)
		size = cut ? size - len : size + len;
	d = model_data(w, old, size);
	if (op->kind == OP_INSERT)
		memcpy(d->bytes + end, old->bytes + off, old->size - off);
	else if (cut)
		memcpy(d->bytes + off, old->bytes + end, old->size - end);
	if (op->kind == OP_INSERT)
		memset(d->bytes + off, 0, len);
	else if ((op->kind == OP_PUNCH || op->kind == OP_ZERO) && off < end_in)
		memset(d->bytes + off, 0, end_in - off);
	return d;
}

int do_falloc(struct world *w, const struct op *op)
{
	static const unsigned int modes[] = {
		[OP_FALLOC] = 0, [OP_FALLOC_KEEP] = VMEM_FALLOC_KEEP_SIZE,
		[OP_PUNCH] = VMEM_FALLOC_PUNCH_HOLE | VMEM_FALLOC_KEEP_SIZE, [OP_ZERO] = VMEM_FALLOC_ZERO_RANGE,
		[OP_COLLAPSE] = VMEM_FALLOC_COLLAPSE_RANGE, [OP_INSERT] = VMEM_FALLOC_INSERT_RANGE,
	};
	unsigned int node = model_node(w, model_now(w), op->a);
	bool moves = op->kind == OP_COLLAPSE || op->kind == OP_INSERT;
	const struct data *old;
	struct vmem_inode *vi;
	uint64_t lsn;
	int64_t off;
	int err;

	if (node == NOWHERE || model_now(w)->node[node].kind != K_FILE)
		return INVALID;
	old = model_now(w)->node[node].data;
	off = op->off + (op->from_end ? old->size : 0);
	if (off < 0 || !op->len || off + op->len > MAX_FILE)
		return INVALID;
	if (moves && (off % PAGE || op->len % PAGE || old->size + op->len > MAX_FILE ||
		      off + (op->kind == OP_COLLAPSE ? op->len : 0) >= old->size))
		return INVALID;
	w->node_of_op[w->nr] = node;
	vi = world_inode(w, node);
	if (!vi)
		return -EIO;
	lsn = vi->lsn;
	err = vmem_fallocate(vi, modes[op->kind], (uint64_t)off, op->len);
	/* In more pieces than a record can name; with small limits that is few. */
	if (err == -EFBIG && moves)
		return INVALID;
	if (err)
		return err;
	model_now(w)->node[node].data = after_falloc(w, op, old, (uint32_t)off, op->len);
	if (vi->lsn != lsn)
		model_touched(w, node);
	return 0;
}

/* Store the bytes of d from off on through a mapping, block by block. */
static int store_mapped(struct world *w, struct vmem_inode *vi, const uint8_t *bytes,
			uint64_t off, uint64_t end)
{
	int err = 0;

	while (off < end) {
		uint64_t in = off % PAGE, n = VMEM_MIN(PAGE - in, end - off), at;
		struct vmem_map map;

		err = vmem_map_write(vi, off / PAGE, 1, &map);
		if (err)
			break;
		at = map.pblk * PAGE + in;
		memcpy(w->m->image + at, bytes, n);
		machine_stored(w->m, at, n);
		vmem_mark_dirty(vi, off, n);
		bytes += n;
		off += n;
	}
	/* As its user would, who gets a signal where there is no block. */
	if (w->m->store.drain)
		w->m->store.drain(&w->m->store);
	return err;
}

int do_map(struct world *w, const struct op *op)
{
	struct state *s = model_now(w);
	unsigned int node = model_node(w, s, op->a);
	struct vmem_inode *vi;
	struct data *d;
	int64_t size, off;
	uint32_t i;
	int err;

	if (node == NOWHERE || s->node[node].kind != K_FILE)
		return INVALID;
	size = s->node[node].data->size;
	off = op->off + (op->from_end ? size : 0);
	if (off < 0 || !op->len || off + op->len > size)
		return INVALID;
	vi = world_inode(w, node);
	if (!vi)
		return -EIO;
	d = model_data(w, s->node[node].data, (uint32_t)size);
	for (i = 0; i < op->len; i++)
		d->bytes[off + i] = model_pattern(w->next_write, (uint64_t)off + i);
	w->next_write++;
	err = store_mapped(w, vi, d->bytes + off, (uint64_t)off, (uint64_t)off + op->len);
	if (err == -ENOSPC)
		return reread(w, node, d) ? -EIO : err;
	s->node[node].data = d;
	return err;
}

int do_junk(struct world *w, const struct op *op)
{
	static uint8_t junk[PAGE];
	unsigned int node = model_node(w, model_now(w), op->a);
	struct vmem_inode *vi;
	uint64_t size;

	if (node == NOWHERE || model_now(w)->node[node].kind != K_FILE)
		return INVALID;
	size = model_now(w)->node[node].data->size;
	if (size % PAGE == 0)
		return INVALID;
	vi = world_inode(w, node);
	memset(junk, 0xee, sizeof(junk));
	return vi ? store_mapped(w, vi, junk, size, vmem_align_up(size, PAGE)) : -EIO;
}

int do_fsync(struct world *w, const struct op *op)
{
	unsigned int node = model_node(w, model_now(w), op->a);
	struct vmem_inode *vi;

	if (node == NOWHERE)
		return INVALID;
	w->node_of_op[w->nr] = node;
	vi = world_inode(w, node);
	return vi ? vmem_fsync(vi, op->kind == OP_FDATASYNC) : -EIO;
}

/* ---- Preparing ---- */

/* Nearly full: a write of one block after the other, then some are given back. */
int do_fill(struct world *w, const struct op *op)
{
	struct op one = { .kind = OP_WRITE, .from_end = true, .len = 16 * PAGE };
	struct vmem_statfs st;
	unsigned int node = model_node(w, model_now(w), op->a);
	int err = 0;

	if (node == NOWHERE || model_now(w)->node[node].kind != K_FILE)
		return INVALID;
	memcpy(one.a, op->a, sizeof(one.a));
	while (!err) {
		vmem_statfs(w->fs, &st);
		if (st.avail_blocks <= op->len)
			break;
		if (st.avail_blocks - op->len < 16)
			one.len = PAGE;
		err = do_write(w, &one);
	}
	return err == -ENOSPC ? 0 : err;
}
