// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* names.c - operations on names and attributes */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "pages.h"
#include "world_internal.h"

/* ---- Extended attributes ---- */

/* As the kernel shows a list of five entries, one of them from mode. */
static void make_acl(uint8_t *list, uint32_t mode)
{
	unsigned int i;

	memset(list, 0, 44);
	list[0] = 2;
	for (i = 0; i < 5; i++) {
		list[4 + 8 * i] = (uint8_t)(1u << i);
		list[6 + 8 * i] = (uint8_t)(mode >> (3 * (i % 3)) & 7);
	}
}

int do_xattr(struct world *w, const struct op *op)
{
	static uint8_t value[VMEM_XATTR_MAX_VALUE];
	unsigned int node = model_node(w, model_now(w), op->a), slot = op->len > 1000 ? X_LARGE : X_SMALL;
	struct vmem_xattr x = { .value = value, .size = op->len };
	struct vmem_inode *vi;
	uint64_t hash = 0;
	int err;

	if (node == NOWHERE || !node || !op->len || op->len > sizeof(value) ||
	    (op->kind == OP_UNSETXATTR && !model_now(w)->node[node].x[slot]))
		return INVALID;
	x.name = x_name(slot, &x.index);
	if (op->kind == OP_SETXATTR)
		hash = model_value(w->next_write++, value, op->len);
	else
		x.value = NULL;
	vi = world_inode(w, node);
	err = vi ? vmem_setxattr(vi, &x, 1, 0, NULL) : -EIO;
	if (err)
		return err;
	model_touched(w, node);
	model_now(w)->node[node].x[slot] = hash;
	return 0;
}

int do_acl(struct world *w, const struct op *op)
{
	unsigned int node = model_node(w, model_now(w), op->a);
	struct vmem_attr attr = { .mode = (uint16_t)(op->len & 0777) };
	struct vmem_xattr x = { .size = 44 };
	struct vmem_inode *vi;
	uint8_t list[44];
	int err;

	if (node == NOWHERE || !node || model_now(w)->node[node].kind == K_LINK)
		return INVALID;
	make_acl(list, op->len);
	x.name = x_name(X_ACL, &x.index);
	x.value = list;
	vi = world_inode(w, node);
	err = vi ? vmem_setxattr(vi, &x, 1, VMEM_SET_MODE, &attr) : -EIO;
	if (err)
		return err;
	model_touched(w, node);
	model_now(w)->node[node].mode = node_mode(attr.mode, model_now(w)->node[node].mode >> 12);
	model_now(w)->node[node].x[X_ACL] = bytes_hash(list, sizeof(list)) | 1;
	return 0;
}

/* The core has made the inode of the next node (err = 0), or not. */
static int keep_inode(struct world *w, struct vmem_inode *vi, int err)
{
	if (err) {
		free(vi);
		return err;
	}
	w->vi[w->next_node] = vi;
	w->ino[w->next_node++] = vi->ino;
	return 0;
}

/* What a file is labelled with at birth. */
static void add_labels(struct world *w, struct node *n, struct vmem_attr *attr)
{
	static struct vmem_xattr x[2];
	static uint8_t small[40], list[44];

	n->x[X_SMALL] = model_value(w->next_write++, small, sizeof(small));
	make_acl(list, attr->mode);
	n->x[X_ACL] = bytes_hash(list, sizeof(list)) | 1;
	x[0] = (struct vmem_xattr){ .value = small, .size = sizeof(small) };
	x[0].name = x_name(X_SMALL, &x[0].index);
	x[1] = (struct vmem_xattr){ .value = list, .size = sizeof(list) };
	x[1].name = x_name(X_ACL, &x[1].index);
	attr->xattrs = x;
	attr->nr_xattrs = 2;
	attr->flags = VMEM_FL_NODUMP;
}

/* ---- Names ---- */

int do_make(struct world *w, const struct op *op)
{
	static const uint16_t modes[] = { [OP_CREAT] = 0100644, [OP_MKDIR] = 0040755,
					  [OP_SYMLINK] = 0120777, [OP_LABELLED] = 0100640 };
	struct state *s = model_now(w);
	unsigned int dir = model_parent(w, s, op->a), node = w->next_node;
	struct vmem_attr attr = { .mode = modes[op->kind] };
	struct vmem_inode *parent, *vi;
	char buf[256], target[4096];
	struct node labelled = { .kind = K_NONE };
	struct data *d = NULL;
	struct vmem_name name;
	int err;

	if (dir == NOWHERE || model_find(s, op->a) != NOWHERE || node == NODES || s->nr == ENTRIES ||
	    (op->kind == OP_SYMLINK && (!op->len || op->len > 4095)))
		return INVALID;
	parent = world_inode(w, dir);
	vi = calloc(1, sizeof(*vi));
	real_name(last_part(op->a), strlen(last_part(op->a)), buf, &name);
	if (op->kind == OP_SYMLINK) {
		uint32_t i;

		d = model_data(w, NULL, op->len);
		for (i = 0; i < op->len; i++)
			d->bytes[i] = (uint8_t)('a' + model_pattern(w->next_write, i) % 26);
		w->next_write++;
		memcpy(target, d->bytes, op->len);
		err = vmem_symlink(parent, name, target, op->len, &attr, vi);
	} else {
		if (op->kind != OP_MKDIR)
			d = model_data(w, NULL, 0);
		if (op->kind == OP_LABELLED)
			add_labels(w, &labelled, &attr);
		err = vmem_create(parent, name, &attr, vi);
	}
	err = keep_inode(w, vi, err);
	if (err)
		return err;
	s->node[node].kind = op->kind == OP_SYMLINK ? K_LINK : op->kind == OP_MKDIR ? K_DIR : K_FILE;
	memcpy(s->node[node].x, labelled.x, sizeof(labelled.x));
	s->node[node].mode = node_mode(attr.mode, attr.flags);
	s->node[node].data = d;
	model_add(s, op->a, node);
	model_touched(w, dir);
	model_touched(w, node);
	return 0;
}

int do_remove(struct world *w, const struct op *op)
{
	struct state *s = model_now(w);
	unsigned int dir = model_parent(w, s, op->a), node = model_node(w, s, op->a);
	struct vmem_inode *parent, *vi;
	struct vmem_name name;
	char buf[256];
	int err;

	if (dir == NOWHERE || node == NOWHERE || (s->node[node].kind == K_DIR) != (op->kind == OP_RMDIR) ||
	    (op->kind == OP_RMDIR && !model_empty(s, op->a)))
		return INVALID;
	parent = world_inode(w, dir);
	vi = world_inode(w, node);
	if (!parent || !vi)
		return -EIO;
	real_name(last_part(op->a), strlen(last_part(op->a)), buf, &name);
	err = op->kind == OP_RMDIR ? vmem_rmdir(parent, name, vi) : vmem_unlink(parent, name, vi);
	if (err)
		return err;
	model_remove(s, op->a);
	model_touched(w, dir);
	model_touched(w, node);
	return world_evict(w, node);
}

int do_link(struct world *w, const struct op *op)
{
	struct state *s = model_now(w);
	unsigned int dir = model_parent(w, s, op->b), node = model_node(w, s, op->a);
	struct vmem_inode *parent, *vi;
	struct vmem_name name;
	char buf[256];
	int err;

	if (dir == NOWHERE || node == NOWHERE || s->node[node].kind == K_DIR || s->nr == ENTRIES ||
	    model_find(s, op->b) != NOWHERE)
		return INVALID;
	parent = world_inode(w, dir);
	vi = world_inode(w, node);
	if (!parent || !vi)
		return -EIO;
	real_name(last_part(op->b), strlen(last_part(op->b)), buf, &name);
	err = vmem_link(parent, name, vi);
	if (err)
		return err;
	model_add(s, op->b, node);
	model_touched(w, dir);
	model_touched(w, node);
	return 0;
}

/* May `from` be renamed to (exchanged with) `to`? */
static bool rename_makes_sense(const struct world *w, const struct state *s, const struct op *op)
{
	unsigned int node = model_node(w, s, op->a), victim = model_node(w, s, op->b);
	bool dir, to_dir;

	if (model_parent(w, s, op->a) == NOWHERE || model_parent(w, s, op->b) == NOWHERE ||
	    node == NOWHERE || !strcmp(op->a, op->b))
		return false;
	dir = s->node[node].kind == K_DIR;
	if (dir && model_below(op->b, op->a))
		return false;
	if (victim == NOWHERE)
		return op->kind != OP_EXCHANGE;
	if (op->kind == OP_NOREPLACE)
		return true;
	to_dir = s->node[victim].kind == K_DIR;
	if (to_dir && model_below(op->a, op->b))
		return false;
	return op->kind == OP_EXCHANGE || (dir == to_dir && (!to_dir || model_empty(s, op->b)));
}

static int rename_entries(struct world *w, const struct op *op, unsigned int victim)
{
	static const char aside[PATH_LEN] = "!";
	struct state *s = model_now(w);

	if (op->kind == OP_EXCHANGE)
		return model_move(s, op->a, aside) && model_move(s, op->b, op->a) &&
		       model_move(s, aside, op->b) ? 0 : INVALID;
	if (victim != NOWHERE)
		model_remove(s, op->b);
	if (!model_move(s, op->a, op->b))
		return INVALID;
	if (op->kind == OP_WHITEOUT)
		model_add(s, op->a, w->next_node);
	return 0;
}

/* The core has made the whiteout of the rename (err = 0), or not. */
static int finish_whiteout(struct world *w, struct vmem_inode *vi, int err)
{
	unsigned int node = w->next_node;

	err = keep_inode(w, vi, err);
	if (err)
		return err;
	model_now(w)->node[node] = (struct node){ .kind = K_WHITE };
	model_touched(w, node);
	return 0;
}

static int rename_to(struct world *w, const struct op *op, struct vmem_inode *a, struct vmem_inode *vi,
		     struct vmem_inode *b, struct vmem_inode *victim)
{
	struct vmem_attr attr = { .mode = 0020000 };
	struct vmem_whiteout white = { .attr = &attr };
	struct vmem_name from, to;
	char buf[2][256];
	int err;

	real_name(last_part(op->a), strlen(last_part(op->a)), buf[0], &from);
	real_name(last_part(op->b), strlen(last_part(op->b)), buf[1], &to);
	if (op->kind != OP_WHITEOUT)
		return vmem_rename(a, from, vi, b, to, victim,
				   op->kind == OP_EXCHANGE ? VMEM_RENAME_EXCHANGE :
				   op->kind == OP_NOREPLACE ? VMEM_RENAME_NOREPLACE : 0);
	white.vi = calloc(1, sizeof(*white.vi));
	err = vmem_rename_whiteout(a, from, vi, b, to, victim, 0, &white);
	return finish_whiteout(w, white.vi, err);
}

int do_rename(struct world *w, const struct op *op)
{
	struct state *s = model_now(w);
	unsigned int from = model_parent(w, s, op->a), to = model_parent(w, s, op->b);
	unsigned int node = model_node(w, s, op->a), victim = model_node(w, s, op->b);
	struct vmem_inode *a, *b, *vi, *v = NULL;
	bool stays;
	int err;

	if (!rename_makes_sense(w, s, op) ||
	    (op->kind == OP_WHITEOUT && (node == victim || w->next_node == NODES || s->nr == ENTRIES)))
		return INVALID;
	/* Two names of one inode: both stay. */
	stays = node == victim || (op->kind == OP_NOREPLACE && victim != NOWHERE);
	if (!stays && rename_entries(w, op, victim)) {
		*s = *w->s[w->nr];
		return INVALID;
	}
	a = world_inode(w, from);
	b = world_inode(w, to);
	vi = world_inode(w, node);
	if (victim != NOWHERE)
		v = world_inode(w, victim);
	if (!a || !b || !vi || (victim != NOWHERE && !v))
		return -EIO;
	err = rename_to(w, op, a, vi, b, v);
	if (stays)
		return op->kind != OP_NOREPLACE ? err : err == -EEXIST ? 0 : -EIO;
	if (err) {
		*s = *w->s[w->nr];
		return err;
	}
	model_touched(w, from);
	model_touched(w, to);
	model_touched(w, node);
	model_touched(w, victim);
	return victim != NOWHERE ? world_evict(w, victim) : 0;
}

int do_chmod(struct world *w, const struct op *op)
{
	unsigned int node = model_node(w, model_now(w), op->a);
	struct vmem_attr attr = { .mode = (uint16_t)(op->len & 0777), .flags = op->len & VMEM_FL_KNOWN };
	bool flags = op->kind == OP_CHFLAGS;
	struct vmem_inode *vi;
	uint32_t mode;
	int err;

	if (node == NOWHERE || !node || model_now(w)->node[node].kind == K_LINK)
		return INVALID;
	vi = world_inode(w, node);
	err = vi ? vmem_setattr(vi, flags ? VMEM_SET_FLAGS : VMEM_SET_MODE, &attr) : -EIO;
	if (err)
		return err;
	mode = model_now(w)->node[node].mode;
	mode = flags ? node_mode(mode, attr.flags) : node_mode(attr.mode, mode >> 12);
	/* The core makes no record of what changes nothing. */
	if (model_now(w)->node[node].mode != mode)
		model_touched(w, node);
	model_now(w)->node[node].mode = mode;
	return 0;
}

/* ---- Handles ---- */

static unsigned int slot_of(const char *handle)
{
	return (unsigned int)(handle[1] - '0') % HANDLES;
}

int do_open(struct world *w, const struct op *op)
{
	struct vmem_attr attr = { .mode = 0100600 };
	unsigned int slot = slot_of(op->a), node = w->next_node;
	struct vmem_inode *vi;
	int err;

	if (op->a[0] != '#' || w->handle[slot] || node == NODES)
		return INVALID;
	if (op->kind == OP_OPEN) {
		node = model_node(w, model_now(w), op->b);
		if (node == NOWHERE || !node)
			return INVALID;
		w->opens[node]++;
		w->handle[slot] = node;
		return world_inode(w, node) ? 0 : -EIO;
	}
	vi = calloc(1, sizeof(*vi));
	err = vmem_tmpfile(w->fs, &attr, VMEM_ROOT_INO, vi);
	err = keep_inode(w, vi, err);
	if (err)
		return err;
	model_now(w)->node[node] = (struct node){ .kind = K_FILE, .mode = 0600, .data = model_data(w, NULL, 0) };
	w->opens[node]++;
	w->handle[slot] = node;
	model_touched(w, node);
	return 0;
}

int do_close(struct world *w, const struct op *op)
{
	unsigned int node = model_node(w, model_now(w), op->a);

	if (node == NOWHERE || !node)
		return INVALID;
	if (op->a[0] == '#') {
		w->handle[slot_of(op->a)] = 0;
		w->opens[node]--;
		return world_evict(w, node);
	}
	return w->opens[node] || !w->vi[node] ? INVALID : world_forget(w, node);
}
