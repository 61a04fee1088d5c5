// SPDX-License-Identifier: GPL-2.0-or-later
/* dir.c - reading directories */
#include <linux/slab.h>

#include "vmemfs.h"

static int emit_entry(void *ctx, const char *name, size_t len, uint64_t ino,
		      unsigned int type, uint64_t cookie)
{
	struct dir_context *dir_ctx = ctx;

	/* It becomes d_off of the entry before. */
	dir_ctx->pos = cookie;
	return dir_emit(dir_ctx, name, len, ino, type) ? 0 : 1;
}

static int vmemfs_iterate(struct file *file, struct dir_context *ctx)
{
	struct inode *dir = file_inode(file);
	u64 cookie = ctx->pos;
	int err;

	err = vmem_readdir(vmemfs_core(dir), &cookie, emit_entry, ctx);
	/* After an error, too, or what was emitted before it would be read for ever. */
	ctx->pos = cookie;
	return err;
}

/* Positions are cookies: any, and far beyond s_maxbytes. */
static loff_t vmemfs_dir_llseek(struct file *file, loff_t offset, int whence)
{
	return generic_file_llseek_size(file, offset, whence, S64_MAX, S64_MAX);
}

const struct file_operations vmemfs_dir_ops = {
	.llseek = vmemfs_dir_llseek,
	.read = generic_read_dir,
	.iterate_shared = vmemfs_iterate,
	.unlocked_ioctl = vmemfs_ioctl,
#ifdef CONFIG_COMPAT
	.compat_ioctl = vmemfs_compat_ioctl,
#endif
	.fsync = vmemfs_fsync,
};
