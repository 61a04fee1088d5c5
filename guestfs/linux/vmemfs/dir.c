// SPDX-License-Identifier: GPL-2.0-or-later
/* dir.c - reading directories */
#include <linux/compat.h>

#include "vmemfs.h"

/*
 * The position of an entry is a cookie of 62 bits.  A program of 32 bits that knows
 * no larger offsets, or NFS 2, gets its upper 31: at most, it sees an entry again whose
 * upper bits another one shares.  0 and 1 are "." and "..".
 */
#define SHORT_SHIFT	31
#define SHORT_END	S32_MAX

struct listing {
	struct dir_context *ctx;
	bool short_pos;
};

static bool wants_short(const struct file *file)
{
	if (file->f_mode & (FMODE_32BITHASH | FMODE_64BITHASH))
		return file->f_mode & FMODE_32BITHASH;
	return in_compat_syscall();
}

static loff_t short_pos(u64 cookie)
{
	if (cookie < 2)
		return cookie;
	if (cookie == S64_MAX)
		return SHORT_END;
	return clamp_t(u64, cookie >> SHORT_SHIFT, 2, SHORT_END - 1);
}

static u64 long_pos(loff_t pos)
{
	if (pos < 2)
		return pos;
	if (pos >= SHORT_END)
		return S64_MAX;
	return pos == 2 ? 2 : (u64)pos << SHORT_SHIFT;
}

static int emit_entry(void *arg, const char *name, size_t len, uint64_t ino,
		      unsigned int type, uint64_t cookie)
{
	struct listing *listing = arg;
	struct dir_context *ctx = listing->ctx;

	/* It becomes d_off of the entry before. */
	ctx->pos = listing->short_pos ? short_pos(cookie) : cookie;
	return dir_emit(ctx, name, len, ino, type) ? 0 : 1;
}

/* Where that position is, if the last listing ended there: entries may share it. */
static u64 exact_pos(const struct file *file, loff_t pos)
{
	u64 cookie = (unsigned long)file->private_data;

	return cookie && short_pos(cookie) == pos ? cookie : long_pos(pos);
}

static int vmemfs_iterate(struct file *file, struct dir_context *ctx)
{
	struct listing listing = { ctx, wants_short(file) };
	struct inode *dir = file_inode(file);
	u64 cookie = listing.short_pos ? exact_pos(file, ctx->pos) : ctx->pos;
	int err;

	if (vmemfs_is_shut(dir))
		return -EIO;
	err = vmem_readdir(vmemfs_core(dir), &cookie, emit_entry, &listing);
	/* After an error, too, or what was emitted before it would be read for ever. */
	ctx->pos = listing.short_pos ? short_pos(cookie) : cookie;
	if (listing.short_pos)
		file->private_data = (void *)(unsigned long)cookie;
	return err;
}

/* Positions are cookies: any, and far beyond s_maxbytes. */
static loff_t vmemfs_dir_llseek(struct file *file, loff_t offset, int whence)
{
	file->private_data = NULL;
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
