// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* world.c - runs operations on a machine and notes what the tree then is */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fs/fs.h"
#include "world_internal.h"

/* ---- Inodes in memory, as a VFS would keep them ---- */

struct vmem_inode *world_inode(struct world *w, unsigned int node)
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

int world_forget(struct world *w, unsigned int node)
{
	int err = 0;

	if (w->vi[node])
		err = vmem_iput(w->vi[node]);
	free(w->vi[node]);
	w->vi[node] = NULL;
	return err;
}

/* The node may have lost its last name. */
int world_evict(struct world *w, unsigned int node)
{
	if (model_links(model_now(w), node) || w->opens[node])
		return 0;
	model_now(w)->node[node].kind = K_NONE;
	model_now(w)->node[node].data = NULL;
	memset(model_now(w)->node[node].x, 0, sizeof(model_now(w)->node[node].x));
	return world_forget(w, node);
}

static int do_umount(struct world *w)
{
	struct vmem_fs *fs = w->fs;
	unsigned int i;
	int err = 0;

	for (i = w->next_node; i-- > 0 && !err;)
		err = world_forget(w, i);
	w->fs = NULL;
	return err ? err : vmem_umount(fs);
}

/* Of a thin store, all that is free goes back then. */
static int do_checkpoint(struct world *w)
{
	int err = vmem_checkpoint(w->fs);
	uint64_t trimmed;

	if (err || !w->m->thin)
		return err;
	return vmem_trim(w->fs, 0, IMAGE_SIZE, 0, &trimmed);
}

static uint64_t room_in_log(const struct world *w, bool before_checkpoint)
{
	const struct vmem_fs *fs = w->fs;

	if (before_checkpoint)
		return fs->log_size - (fs->head - fs->tail) - VMEM_LOG_SLACK;
	return fs->log_size - fs->head % fs->log_size;
}

/* Records that change nothing that is looked at, until op->len bytes of the log are left. */
static int do_spin(struct world *w, const struct op *op)
{
	struct vmem_inode *root = world_inode(w, 0);
	struct vmem_attr attr = { .mtime = 0 };
	int err = 0;

	while (!err && room_in_log(w, op->kind == OP_BRIM) > op->len) {
		attr.mtime++;
		err = vmem_setattr(root, VMEM_SET_MTIME, &attr);
	}
	return err;
}

static int do_label(struct world *w)
{
	char label[VMEM_LABEL_LEN];

	memset(label, 'a' + (int)labels_before(w, w->nr), sizeof(label));
	return vmem_set_label(w->fs, label, sizeof(label));
}

static int run(struct world *w, const struct op *op)
{
	switch (op->kind) {
	case OP_CREAT: case OP_MKDIR: case OP_SYMLINK: case OP_LABELLED: return do_make(w, op);
	case OP_SETXATTR: case OP_UNSETXATTR: return do_xattr(w, op);
	case OP_ACL: return do_acl(w, op);
	case OP_UNLINK: case OP_RMDIR: return do_remove(w, op);
	case OP_LABEL: return do_label(w);
	case OP_CHMOD: case OP_CHFLAGS: return do_chmod(w, op);
	case OP_LINK: return do_link(w, op);
	case OP_RENAME: case OP_NOREPLACE: case OP_EXCHANGE: case OP_WHITEOUT: return do_rename(w, op);
	case OP_WRITE: return do_write(w, op);
	case OP_TRUNCATE: return do_truncate(w, op);
	case OP_FALLOC: case OP_FALLOC_KEEP: case OP_PUNCH: case OP_ZERO: case OP_COLLAPSE: case OP_INSERT:
		return do_falloc(w, op);
	case OP_MAP: return do_map(w, op);
	case OP_JUNK: return do_junk(w, op);
	case OP_FSYNC: case OP_FDATASYNC: return do_fsync(w, op);
	case OP_SYNC: return vmem_sync(w->fs);
	case OP_CHECKPOINT: return do_checkpoint(w);
	case OP_OPEN: case OP_TMPFILE: return do_open(w, op);
	case OP_CLOSE: return do_close(w, op);
	case OP_FILL: return do_fill(w, op);
	case OP_SPIN: case OP_BRIM: return do_spin(w, op);
	case OP_GROW: return vmem_grow(w->fs, 0);
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
	if (!w->m->trace || w->trusting || !memcmp(w->m->shadow, w->m->image, IMAGE_SIZE))
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
	*model_now(w) = *w->s[w->nr];
	model_now(w)->nr_touched = 0;
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
	model_hash(w, model_now(w));
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
	model_hash(w, w->s[0]);
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
