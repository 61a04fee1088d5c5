// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* run.c - one operation */
#include <stdio.h>
#include <string.h>
#include "fs/fs.h"
#include "ops_internal.h"

/* ---- On all of the file system ---- */

static int sync_all(void)
{
	unsigned int i;

	for (i = 0; i < VNODES; i++) {
		struct vnode *n = &vfs.node[i];

		if (!n->used || n->life.written)
			continue;
		n->refs++;
		map_writeback(n);
		vnode_put(n);
	}
	return vmem_sync(vfs.fs);
}

/* Between the two looks nothing may reach the medium. */
static int freeze(void)
{
	int err;

	lock_write(&vfs.freezing);
	err = sync_all();
	lock_write(&vfs.resting);
	if (!err)
		err = vmem_sync(vfs.fs);
	if (!err)
		err = vmem_checkpoint(vfs.fs);
	vfs.stores_frozen = 0;
	vfs.frozen = true;
	sched_hook(HOOK_MAPPED);
	sched_hook(HOOK_MAPPED);
	vfs.frozen = false;
	if (vfs.stores_frozen)
		vfs_wrong("the medium changed while frozen", "freeze", (long long)vfs.stores_frozen);
	unlock_write(&vfs.resting);
	unlock_write(&vfs.freezing);
	return err;
}

/* As the worker does it, which rests while it is frozen. */
static int checkpoint(void)
{
	int err;

	lock_read(&vfs.resting);
	err = vmem_checkpoint(vfs.fs);
	unlock_read(&vfs.resting);
	return err;
}

/* Records that change nothing that is looked at. */
static int brim(const struct operation_text *o)
{
	struct vmem_fs *fs = vfs.fs;
	struct vmem_attr attr = { .mtime = 0 };
	struct vnode *root;
	int err = vnode_get(VMEM_ROOT_INO, &root);

	while (!err && fs->log_size - (fs->head - fs->tail) - VMEM_LOG_SLACK > o->len) {
		attr.mtime++;
		err = vmem_setattr(&root->vi, VMEM_SET_MTIME, &attr);
	}
	vnode_put(root);
	return err;
}

static int trim(void)
{
	uint64_t trimmed;
	int err = vmem_trim(vfs.fs, 0, IMAGE_SIZE, 0, &trimmed);

	return err == -EOPNOTSUPP ? 0 : err;
}

static int set_discard(bool on)
{
	vmem_set_discard(vfs.fs, on);
	return 0;
}

static int look_at_space(void)
{
	struct vmem_statfs st;

	vmem_statfs(vfs.fs, &st);
	return st.avail_blocks > st.blocks ? -ERANGE : 0;
}

static int set_label(const struct operation_text *o)
{
	char label[VMEM_LABEL_LEN];

	memset(label, 'a' - 1 + (int)o->len, sizeof(label));
	return vmem_set_label(vfs.fs, label, sizeof(label));
}

/* ---- All of them ---- */

static int64_t changing(const struct operation_text *o)
{
	int err;

	lock_read(&vfs.freezing);
	switch (o->kind) {
	case DO_CREAT: case DO_MKDIR: case DO_SYMLINK: err = vfs_make(o); break;
	case DO_UNLINK: case DO_RMDIR: err = vfs_remove(o); break;
	case DO_LINK: err = vfs_link(o); break;
	case DO_CHMOD: case DO_CHFLAGS: err = vfs_chmod(o); break;
	case DO_LABEL: err = set_label(o); break;
	case DO_TMPFILE: err = vfs_tmpfile(o); break;
	case DO_GROW: err = vmem_grow(vfs.fs, 0); break;
	case DO_TRIM: err = trim(); break;
	default: err = vfs_rename(o); break;
	}
	unlock_read(&vfs.freezing);
	return err;
}

static int64_t run(const struct operation_text *o, uint64_t *value)
{
	switch (o->kind) {
	case DO_CREAT: case DO_MKDIR: case DO_SYMLINK: case DO_UNLINK: case DO_RMDIR: case DO_LINK: case DO_CHMOD:
	case DO_TMPFILE: case DO_GROW: case DO_TRIM: case DO_RENAME: case DO_EXCHANGE: case DO_NOREPLACE:
	case DO_WHITEOUT: case DO_CHFLAGS: case DO_LABEL:
		return changing(o);
	case DO_LIST: return vfs_list(o, value);
	case DO_STAT: return vfs_stat(o, value);
	case DO_SYNC: return sync_all();
	case DO_CHECKPOINT: return checkpoint();
	case DO_DISCARD_ON: case DO_DISCARD_OFF: return set_discard(o->kind == DO_DISCARD_ON);
	case DO_OPEN: return vfs_open(o);
	case DO_CLOSE: return vfs_close(o);
	case DO_SHRINK: return vfs_shrink();
	case DO_HANDLE: return vfs_handle(o);
	case DO_FREEZE: return freeze();
	case DO_STATFS: return look_at_space();
	case DO_FILL: return vfs_fill(o);
	case DO_BRIM: return brim(o);
	case DO_HOLES: return vfs_holes(o);
	default: return vfs_on_file(o, value);
	}
}

struct answer operation_run(const struct operation_text *o)
{
	struct answer a = { 0 };

	a.result = run(o, &a.value);
	return a;
}
