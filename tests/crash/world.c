// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* world.c - runs operations on a machine and notes what the tree then is */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "internal.h"
#include "world.h"

#define LONG_NAME	250u
#define NOWHERE		UINT32_MAX

void real_name(const char *name, size_t len, char *buf, struct vmem_name *out)
{
	memcpy(buf, name, len);
	if (name[0] == 'L') {
		memset(buf + len, 'x', LONG_NAME - len);
		len = LONG_NAME;
	}
	out->name = buf;
	out->len = len;
}

/* ---- The model ---- */

static struct state *now(struct world *w)
{
	return w->s[w->nr + 1];
}

static unsigned int find_entry(const struct state *s, const char *path)
{
	unsigned int i;

	for (i = 0; i < s->nr; i++)
		if (!strcmp(s->e[i].path, path))
			return i;
	return NOWHERE;
}

/* Node of a path or handle; NOWHERE. */
static unsigned int find_node(const struct world *w, const struct state *s, const char *path)
{
	unsigned int i;

	if (!path[0])
		return 0;
	if (path[0] == '#') {
		i = w->handle[(unsigned int)(path[1] - '0') % HANDLES];
		return i ? i : NOWHERE;
	}
	i = find_entry(s, path);
	return i == NOWHERE ? NOWHERE : s->e[i].node;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static unsigned int parent_of(const struct world *w, const struct state *s, const char *path)
{
	char dir[PATH_LEN];
	const char *name = last_part(path);
	unsigned int n;

	if (path[0] == '#' || !path[0])
		return NOWHERE;
	memcpy(dir, path, PATH_LEN);
	dir[name == path ? 0 : name - path - 1] = 0;
	n = find_node(w, s, dir);
	return n != NOWHERE && s->node[n].kind == K_DIR ? n : NOWHERE;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

static void add_entry(struct state *s, const char *path, unsigned int node)
{
	memcpy(s->e[s->nr].path, path, PATH_LEN);
	s->e[s->nr++].node = node;
	qsort(s->e, s->nr, sizeof(s->e[0]), by_path);
}

static void remove_entry(struct state *s, const char *path)
{
	unsigned int i = find_entry(s, path);

	memmove(&s->e[i], &s->e[i + 1], (s->nr - i - 1) * sizeof(s->e[0]));
	s->nr--;
}

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(path, dir, n) && (path[n] == '/' || !path[n]);
}

static bool is_empty(const struct state *s, const char *dir)
{
	unsigned int i;

	for (i = 0; i < s->nr; i++)
		if (is_below(s->e[i].path, dir) && strcmp(s->e[i].path, dir))
			return false;
	return true;
}

/* Everything at or below `from` goes to `to`, which is not below it; false: too long. */
static bool move_entries(struct state *s, const char *from, const char *to)
{
	unsigned int i;

	for (i = 0; i < s->nr; i++) {
		char path[2 * PATH_LEN];

		if (!is_below(s->e[i].path, from))
			continue;
		snprintf(path, sizeof(path), "%s%s", to, s->e[i].path + strlen(from));
		if (strlen(path) >= PATH_LEN)
			return false;
		memset(s->e[i].path, 0, PATH_LEN);
		strcpy(s->e[i].path, path);
	}
	qsort(s->e, s->nr, sizeof(s->e[0]), by_path);
	return true;
}

static unsigned int links(const struct state *s, unsigned int node)
{
	unsigned int i, n = 0;

	for (i = 0; i < s->nr; i++)
		n += s->e[i].node == node;
	return n;
}

static void touched(struct world *w, unsigned int node)
{
	struct state *s = now(w);

	if (s->nr_touched < 8 && node != NOWHERE)
		s->touched[s->nr_touched++] = node;
}

static struct data *new_data(struct world *w, const struct data *old, uint32_t size)
{
	struct data *d = calloc(1, sizeof(*d) + size + 1);

	d->size = size;
	if (old)
		memcpy(d->bytes, old->bytes, old->size < size ? old->size : size);
	d->next = w->all_data;
	w->all_data = d;
	return d;
}

static uint8_t pattern(unsigned int write, uint64_t off)
{
	return (uint8_t)(1 + mix(write * 1000003ull + off / 8 + 1) % 251 + off % 4);
}

/* ---- Inodes in memory, as a VFS would keep them ---- */

static struct vmem_inode *inode_of(struct world *w, unsigned int node)
{
	int err;

	if (w->vi[node])
		return w->vi[node];
	w->vi[node] = calloc(1, sizeof(*w->vi[node]));
	err = vmem_iget(w->fs, w->ino[node], w->vi[node]);
	if (!err)
		return w->vi[node];
	snprintf(w->why, sizeof(w->why), "iget of inode %llu: error %d", (unsigned long long)w->ino[node], -err);
	free(w->vi[node]);
	w->vi[node] = NULL;
	return NULL;
}

static int forget(struct world *w, unsigned int node)
{
	int err = 0;

	if (w->vi[node])
		err = vmem_iput(w->vi[node]);
	free(w->vi[node]);
	w->vi[node] = NULL;
	return err;
}

/* The node may have lost its last name. */
static int evict(struct world *w, unsigned int node)
{
	if (links(now(w), node) || w->opens[node])
		return 0;
	now(w)->node[node].kind = K_NONE;
	now(w)->node[node].data = NULL;
	return forget(w, node);
}

/* ---- Operations; each returns 0, an errno, or INVALID before it did anything ---- */

#define INVALID 1

static int do_make(struct world *w, const struct op *op)
{
	static const uint16_t modes[] = { [OP_CREAT] = 0100644, [OP_MKDIR] = 0040755,
					  [OP_SYMLINK] = 0120777 };
	struct state *s = now(w);
	unsigned int dir = parent_of(w, s, op->a), node = w->next_node;
	struct vmem_attr attr = { .mode = modes[op->kind] };
	struct vmem_inode *parent, *vi;
	char buf[256], target[4096];
	struct data *d = NULL;
	struct vmem_name name;
	int err;

	if (dir == NOWHERE || find_entry(s, op->a) != NOWHERE || node == NODES || s->nr == ENTRIES ||
	    (op->kind == OP_SYMLINK && (!op->len || op->len > 4095)))
		return INVALID;
	parent = inode_of(w, dir);
	vi = calloc(1, sizeof(*vi));
	real_name(last_part(op->a), strlen(last_part(op->a)), buf, &name);
	if (op->kind == OP_SYMLINK) {
		uint32_t i;

		d = new_data(w, NULL, op->len);
		for (i = 0; i < op->len; i++)
			d->bytes[i] = (uint8_t)('a' + pattern(w->next_write, i) % 26);
		w->next_write++;
		memcpy(target, d->bytes, op->len);
		err = vmem_symlink(parent, name, target, op->len, &attr, vi);
	} else {
		if (op->kind == OP_CREAT)
			d = new_data(w, NULL, 0);
		err = vmem_create(parent, name, &attr, vi);
	}
	if (err) {
		free(vi);
		return err;
	}
	w->vi[node] = vi;
	w->ino[node] = vi->ino;
	w->next_node++;
	s->node[node].kind = op->kind == OP_CREAT ? K_FILE : op->kind == OP_MKDIR ? K_DIR : K_LINK;
	s->node[node].mode = attr.mode & 07777;
	s->node[node].data = d;
	add_entry(s, op->a, node);
	touched(w, dir);
	touched(w, node);
	return 0;
}

static int do_remove(struct world *w, const struct op *op)
{
	struct state *s = now(w);
	unsigned int dir = parent_of(w, s, op->a), node = find_node(w, s, op->a);
	struct vmem_inode *parent, *vi;
	struct vmem_name name;
	char buf[256];
	int err;

	if (dir == NOWHERE || node == NOWHERE || (s->node[node].kind == K_DIR) != (op->kind == OP_RMDIR) ||
	    (op->kind == OP_RMDIR && !is_empty(s, op->a)))
		return INVALID;
	parent = inode_of(w, dir);
	vi = inode_of(w, node);
	if (!parent || !vi)
		return -EIO;
	real_name(last_part(op->a), strlen(last_part(op->a)), buf, &name);
	err = op->kind == OP_RMDIR ? vmem_rmdir(parent, name, vi) : vmem_unlink(parent, name, vi);
	if (err)
		return err;
	remove_entry(s, op->a);
	touched(w, dir);
	touched(w, node);
	return evict(w, node);
}

static int do_link(struct world *w, const struct op *op)
{
	struct state *s = now(w);
	unsigned int dir = parent_of(w, s, op->b), node = find_node(w, s, op->a);
	struct vmem_inode *parent, *vi;
	struct vmem_name name;
	char buf[256];
	int err;

	if (dir == NOWHERE || node == NOWHERE || s->node[node].kind == K_DIR || s->nr == ENTRIES ||
	    find_entry(s, op->b) != NOWHERE)
		return INVALID;
	parent = inode_of(w, dir);
	vi = inode_of(w, node);
	if (!parent || !vi)
		return -EIO;
	real_name(last_part(op->b), strlen(last_part(op->b)), buf, &name);
	err = vmem_link(parent, name, vi);
	if (err)
		return err;
	add_entry(s, op->b, node);
	touched(w, dir);
	touched(w, node);
	return 0;
}

/* May `from` be renamed to (exchanged with) `to`? */
static bool rename_makes_sense(const struct world *w, const struct state *s, const struct op *op)
{
	unsigned int node = find_node(w, s, op->a), victim = find_node(w, s, op->b);
	bool dir, to_dir;

	if (parent_of(w, s, op->a) == NOWHERE || parent_of(w, s, op->b) == NOWHERE ||
	    node == NOWHERE || node == victim)
		return false;
	dir = s->node[node].kind == K_DIR;
	if (dir && is_below(op->b, op->a))
		return false;
	if (victim == NOWHERE)
		return op->kind == OP_RENAME;
	to_dir = s->node[victim].kind == K_DIR;
	if (to_dir && is_below(op->a, op->b))
		return false;
	return op->kind == OP_EXCHANGE || (dir == to_dir && (!to_dir || is_empty(s, op->b)));
}

static int rename_entries(struct world *w, const struct op *op, unsigned int victim)
{
	static const char aside[PATH_LEN] = "!";
	struct state *s = now(w);

	if (op->kind == OP_EXCHANGE)
		return move_entries(s, op->a, aside) && move_entries(s, op->b, op->a) &&
		       move_entries(s, aside, op->b) ? 0 : INVALID;
	if (victim != NOWHERE)
		remove_entry(s, op->b);
	return move_entries(s, op->a, op->b) ? 0 : INVALID;
}

static int do_rename(struct world *w, const struct op *op)
{
	struct state *s = now(w);
	unsigned int from = parent_of(w, s, op->a), to = parent_of(w, s, op->b);
	unsigned int node = find_node(w, s, op->a), victim = find_node(w, s, op->b);
	struct vmem_inode *a, *b, *vi, *v = NULL;
	struct vmem_name from_name, to_name;
	char buf[2][256];
	int err;

	if (!rename_makes_sense(w, s, op))
		return INVALID;
	if (rename_entries(w, op, victim)) {
		*s = *w->s[w->nr];
		return INVALID;
	}
	a = inode_of(w, from);
	b = inode_of(w, to);
	vi = inode_of(w, node);
	if (victim != NOWHERE)
		v = inode_of(w, victim);
	if (!a || !b || !vi || (victim != NOWHERE && !v))
		return -EIO;
	real_name(last_part(op->a), strlen(last_part(op->a)), buf[0], &from_name);
	real_name(last_part(op->b), strlen(last_part(op->b)), buf[1], &to_name);
	err = vmem_rename(a, from_name, vi, b, to_name, v,
			  op->kind == OP_EXCHANGE ? VMEM_RENAME_EXCHANGE : 0);
	if (err) {
		*s = *w->s[w->nr];
		return err;
	}
	touched(w, from);
	touched(w, to);
	touched(w, node);
	touched(w, victim);
	return victim != NOWHERE ? evict(w, victim) : 0;
}

static int do_chmod(struct world *w, const struct op *op)
{
	unsigned int node = find_node(w, now(w), op->a);
	struct vmem_attr attr = { .mode = (uint16_t)(op->len & 0777) };
	struct vmem_inode *vi;
	int err;

	if (node == NOWHERE || !node || now(w)->node[node].kind == K_LINK)
		return INVALID;
	vi = inode_of(w, node);
	err = vi ? vmem_setattr(vi, VMEM_SET_MODE, &attr) : -EIO;
	if (err)
		return err;
	now(w)->node[node].mode = attr.mode & 07777;
	touched(w, node);
	return 0;
}

/* ---- Contents ---- */

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
	const struct data *old = now(w)->node[node].data;
	struct data *d = new_data(w, old, old->size);
	uint8_t *p = d->bytes;
	uint32_t i;

	if (vmem_read(w->vi[node], 0, d->size, copy_out, &p) < 0)
		return -EIO;
	for (i = 0; i < d->size; i++)
		if (d->bytes[i] != old->bytes[i] && (i >= want->size || d->bytes[i] != want->bytes[i]))
			return -EIO;
	now(w)->node[node].data = d;
	return 0;
}

static int do_write(struct world *w, const struct op *op)
{
	struct state *s = now(w);
	unsigned int node = find_node(w, s, op->a);
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
	vi = inode_of(w, node);
	if (!vi)
		return -EIO;
	d = new_data(w, s->node[node].data, (uint32_t)(off + op->len > size ? off + op->len : size));
	for (i = 0; i < op->len; i++)
		d->bytes[off + i] = pattern(w->next_write, (uint64_t)off + i);
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
		touched(w, node);
	s->node[node].data = d;
	return 0;
}

static int do_truncate(struct world *w, const struct op *op)
{
	unsigned int node = find_node(w, now(w), op->a);
	struct vmem_inode *vi;
	int64_t size;
	int err;

	if (node == NOWHERE || now(w)->node[node].kind != K_FILE)
		return INVALID;
	size = op->off + (op->from_end ? now(w)->node[node].data->size : 0);
	if (size < 0 || size > MAX_FILE)
		return INVALID;
	vi = inode_of(w, node);
	err = vi ? vmem_truncate(vi, (uint64_t)size) : -EIO;
	if (err)
		return err;
	now(w)->node[node].data = new_data(w, now(w)->node[node].data, (uint32_t)size);
	touched(w, node);
	return 0;
}

/* Store the bytes of d from off on through a mapping, block by block. */
static int store_mapped(struct world *w, struct vmem_inode *vi, const uint8_t *bytes,
			uint64_t off, uint64_t end)
{
	while (off < end) {
		uint64_t in = off % PAGE, n = VMEM_MIN(PAGE - in, end - off), at;
		struct vmem_map map;
		int err = vmem_map_write(vi, off / PAGE, 1, &map);

		if (err)
			return err;
		at = map.pblk * PAGE + in;
		memcpy(w->m->image + at, bytes, n);
		machine_stored(w->m, at, n);
		vmem_mark_dirty(vi, off, n);
		bytes += n;
		off += n;
	}
	/* As its user would. */
	if (w->m->store.drain)
		w->m->store.drain(&w->m->store);
	return 0;
}

static int do_map(struct world *w, const struct op *op)
{
	struct state *s = now(w);
	unsigned int node = find_node(w, s, op->a);
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
	vi = inode_of(w, node);
	if (!vi)
		return -EIO;
	d = new_data(w, s->node[node].data, (uint32_t)size);
	for (i = 0; i < op->len; i++)
		d->bytes[off + i] = pattern(w->next_write, (uint64_t)off + i);
	w->next_write++;
	err = store_mapped(w, vi, d->bytes + off, (uint64_t)off, (uint64_t)off + op->len);
	if (err == -ENOSPC)
		return reread(w, node, d) ? -EIO : err;
	s->node[node].data = d;
	return err;
}

static int do_junk(struct world *w, const struct op *op)
{
	static uint8_t junk[PAGE];
	unsigned int node = find_node(w, now(w), op->a);
	struct vmem_inode *vi;
	uint64_t size;

	if (node == NOWHERE || now(w)->node[node].kind != K_FILE)
		return INVALID;
	size = now(w)->node[node].data->size;
	if (size % PAGE == 0)
		return INVALID;
	vi = inode_of(w, node);
	memset(junk, 0xee, sizeof(junk));
	return vi ? store_mapped(w, vi, junk, size, vmem_align_up(size, PAGE)) : -EIO;
}

static int do_fsync(struct world *w, const struct op *op)
{
	unsigned int node = find_node(w, now(w), op->a);
	struct vmem_inode *vi;

	if (node == NOWHERE)
		return INVALID;
	w->node_of_op[w->nr] = node;
	vi = inode_of(w, node);
	return vi ? vmem_fsync(vi, op->kind == OP_FDATASYNC) : -EIO;
}

/* ---- Handles ---- */

static unsigned int slot_of(const char *handle)
{
	return (unsigned int)(handle[1] - '0') % HANDLES;
}

static int do_open(struct world *w, const struct op *op)
{
	struct vmem_attr attr = { .mode = 0100600 };
	unsigned int slot = slot_of(op->a), node = w->next_node;
	struct vmem_inode *vi;
	int err;

	if (op->a[0] != '#' || w->handle[slot] || node == NODES)
		return INVALID;
	if (op->kind == OP_OPEN) {
		node = find_node(w, now(w), op->b);
		if (node == NOWHERE || !node)
			return INVALID;
		w->opens[node]++;
		w->handle[slot] = node;
		return inode_of(w, node) ? 0 : -EIO;
	}
	vi = calloc(1, sizeof(*vi));
	err = vmem_tmpfile(w->fs, &attr, VMEM_ROOT_INO, vi);
	if (err) {
		free(vi);
		return err;
	}
	w->vi[node] = vi;
	w->ino[node] = vi->ino;
	w->next_node++;
	now(w)->node[node] = (struct node){ K_FILE, 0600, new_data(w, NULL, 0) };
	w->opens[node]++;
	w->handle[slot] = node;
	touched(w, node);
	return 0;
}

static int do_close(struct world *w, const struct op *op)
{
	unsigned int node = find_node(w, now(w), op->a);

	if (node == NOWHERE || !node)
		return INVALID;
	if (op->a[0] == '#') {
		w->handle[slot_of(op->a)] = 0;
		w->opens[node]--;
		return evict(w, node);
	}
	return w->opens[node] || !w->vi[node] ? INVALID : forget(w, node);
}

static int do_umount(struct world *w)
{
	struct vmem_fs *fs = w->fs;
	unsigned int i;
	int err = 0;

	for (i = w->next_node; i-- > 0 && !err;)
		err = forget(w, i);
	w->fs = NULL;
	return err ? err : vmem_umount(fs);
}

/* ---- Preparing ---- */

/* Nearly full: a write of one block after the other, then some are given back. */
static int do_fill(struct world *w, const struct op *op)
{
	struct op one = { .kind = OP_WRITE, .from_end = true, .len = 16 * PAGE };
	struct vmem_statfs st;
	unsigned int node = find_node(w, now(w), op->a);
	int err = 0;

	if (node == NOWHERE || now(w)->node[node].kind != K_FILE)
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

/* Records that leave nothing, until the log is op->len bytes before its end. */
static int do_spin(struct world *w, const struct op *op)
{
	struct vmem_inode *root = inode_of(w, 0), vi;
	struct vmem_attr attr = { .mode = 0100644 };
	struct vmem_name name = { "spin", 4 };
	int err = 0;

	while (!err && w->fs->head % w->fs->log_size < w->fs->log_size - op->len) {
		err = vmem_create(root, name, &attr, &vi);
		if (!err)
			err = vmem_unlink(root, name, &vi);
		if (!err)
			err = vmem_iput(&vi);
	}
	return err;
}

static int run(struct world *w, const struct op *op)
{
	switch (op->kind) {
	case OP_CREAT: case OP_MKDIR: case OP_SYMLINK: return do_make(w, op);
	case OP_UNLINK: case OP_RMDIR: return do_remove(w, op);
	case OP_CHMOD: return do_chmod(w, op);
	case OP_LINK: return do_link(w, op);
	case OP_RENAME: case OP_EXCHANGE: return do_rename(w, op);
	case OP_WRITE: return do_write(w, op);
	case OP_TRUNCATE: return do_truncate(w, op);
	case OP_MAP: return do_map(w, op);
	case OP_JUNK: return do_junk(w, op);
	case OP_FSYNC: case OP_FDATASYNC: return do_fsync(w, op);
	case OP_SYNC: return vmem_sync(w->fs);
	case OP_CHECKPOINT: return vmem_checkpoint(w->fs);
	case OP_OPEN: case OP_TMPFILE: return do_open(w, op);
	case OP_CLOSE: return do_close(w, op);
	case OP_FILL: return do_fill(w, op);
	case OP_SPIN: return do_spin(w, op);
	default: return do_umount(w);
	}
}

static void event(struct world *w, enum event_kind kind)
{
	if (w->m->trace)
		trace_add(w->m->trace, kind, w->nr, 0, NULL, 0);
}

/* Everything that was stored must have been told. */
static bool all_recorded(struct world *w)
{
	if (!w->m->trace || !memcmp(w->m->shadow, w->m->image, IMAGE_SIZE))
		return true;
	snprintf(w->why, sizeof(w->why), "a store to the medium was not reported");
	return false;
}

enum run_result world_run(struct world *w, const struct op *op)
{
	char text[100];
	int err;

	if (w->nr == MAX_OPS + 1)
		return RUN_INVALID;
	if (!w->s[w->nr + 1])
		w->s[w->nr + 1] = malloc(sizeof(*w->s[0]));
	*now(w) = *w->s[w->nr];
	now(w)->nr_touched = 0;
	w->op[w->nr] = *op;
	w->node_of_op[w->nr] = NOWHERE;
	event(w, EV_BEGIN);
	err = run(w, op);
	if (err == INVALID) {
		if (w->m->trace)
			w->m->trace->nr--;
		return RUN_INVALID;
	}
	event(w, EV_DONE);
	op_print(op, text, sizeof(text));
	if (err && err != -ENOSPC) {
		if (!w->why[0])
			snprintf(w->why, sizeof(w->why), "%s: error %d (%s)", text, -err, w->m->last_log);
		return RUN_FAILED;
	}
	w->nr++;
	return all_recorded(w) ? RUN_OK : RUN_FAILED;
}

/* ---- Beginning and ending ---- */

void world_init(struct world *w, struct machine *m, enum mode mode)
{
	memset(w, 0, sizeof(*w));
	w->m = m;
	w->mode = mode;
	w->s[0] = calloc(1, sizeof(*w->s[0]));
	w->s[0]->node[0].kind = K_DIR;
	w->s[0]->node[0].mode = 0755;
	w->ino[0] = VMEM_ROOT_INO;
	w->next_node = 1;
	w->next_write = 1;
}

static void drop_inodes(struct world *w)
{
	unsigned int i;

	for (i = 0; i < NODES; i++) {
		free(w->vi[i]);
		w->vi[i] = NULL;
		w->opens[i] = 0;
	}
	memset(w->handle, 0, sizeof(w->handle));
}

static void drop_data(struct world *w)
{
	while (w->all_data) {
		struct data *d = w->all_data;

		w->all_data = d->next;
		free(d);
	}
}

int world_begin(struct world *w, const struct world *from)
{
	drop_inodes(w);
	drop_data(w);
	w->nr = 0;
	w->why[0] = 0;
	if (from) {
		*w->s[0] = *from->s[from->nr];
		memcpy(w->ino, from->ino, sizeof(w->ino));
		w->next_node = from->next_node;
		w->next_write = from->next_write;
	}
	return machine_mount(w->m, w->mode, &w->fs);
}

void world_free(struct world *w)
{
	unsigned int i;

	drop_inodes(w);
	drop_data(w);
	for (i = 0; i < MAX_OPS + 2; i++)
		free(w->s[i]);
	memset(w, 0, sizeof(*w));
}
