// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* names.c - operations on names and attributes */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "world_internal.h"

int do_make(struct world *w, const struct op *op)
{
	static const uint16_t modes[] = { [OP_CREAT] = 0100644, [OP_MKDIR] = 0040755,
					  [OP_SYMLINK] = 0120777 };
	struct state *s = model_now(w);
	unsigned int dir = model_parent(w, s, op->a), node = w->next_node;
	struct vmem_attr attr = { .mode = modes[op->kind] };
	struct vmem_inode *parent, *vi;
	char buf[256], target[4096];
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
		if (op->kind == OP_CREAT)
			d = model_data(w, NULL, 0);
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
	return model_move(s, op->a, op->b) ? 0 : INVALID;
}

int do_rename(struct world *w, const struct op *op)
{
	struct state *s = model_now(w);
	unsigned int from = model_parent(w, s, op->a), to = model_parent(w, s, op->b);
	unsigned int node = model_node(w, s, op->a), victim = model_node(w, s, op->b);
	struct vmem_inode *a, *b, *vi, *v = NULL;
	struct vmem_name from_name, to_name;
	char buf[2][256];
	bool stays;
	int err;

	if (!rename_makes_sense(w, s, op))
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
	real_name(last_part(op->a), strlen(last_part(op->a)), buf[0], &from_name);
	real_name(last_part(op->b), strlen(last_part(op->b)), buf[1], &to_name);
	err = vmem_rename(a, from_name, vi, b, to_name, v,
			  op->kind == OP_EXCHANGE ? VMEM_RENAME_EXCHANGE :
			  op->kind == OP_NOREPLACE ? VMEM_RENAME_NOREPLACE : 0);
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
	struct vmem_attr attr = { .mode = (uint16_t)(op->len & 0777) };
	struct vmem_inode *vi;
	int err;

	if (node == NOWHERE || !node || model_now(w)->node[node].kind == K_LINK)
		return INVALID;
	vi = world_inode(w, node);
	err = vi ? vmem_setattr(vi, VMEM_SET_MODE, &attr) : -EIO;
	if (err)
		return err;
	/* The core makes no record of what changes nothing. */
	if (model_now(w)->node[node].mode != (attr.mode & 07777u))
		model_touched(w, node);
	model_now(w)->node[node].mode = attr.mode & 07777;
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
	if (err) {
		free(vi);
		return err;
	}
	w->vi[node] = vi;
	w->ino[node] = vi->ino;
	w->next_node++;
	model_now(w)->node[node] = (struct node){ K_FILE, 0600, model_data(w, NULL, 0) };
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
