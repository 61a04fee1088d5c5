// SPDX-License-Identifier: GPL-2.0-or-later
/* file.c - read, write, seek and fsync of regular files */
#include <linux/iomap.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/splice.h>
#include <linux/uio.h>

#include "vmemfs.h"

/*
 * A copy from a host whose disk is slow can take long.  Between the pieces in which
 * the core asks for it others get the CPU, and a killed process may end.
 */
static bool killed_between(size_t len)
{
	if (len < SZ_256K)
		return false;
	cond_resched();
	return fatal_signal_pending(current);
}

/*
 * Copies between an iov_iter and the store; struct vmem_copy of the core.
 * check_object_size() knows nothing of pmem, so the underscored variants.
 */
static size_t copy_out(void *ctx, void *addr, size_t len)
{
	if (killed_between(len))
		return 0;
	/* Survives an uncorrectable error of the host's memory, as a short read. */
	return _copy_mc_to_iter(addr, len, ctx);
}

static size_t copy_in(void *ctx, void *addr, size_t len)
{
	return killed_between(len) ? 0 : _copy_from_iter(addr, len, ctx);
}

/* For DAX backing: past the CPU caches; the core drains. */
static size_t copy_in_flushed(void *ctx, void *addr, size_t len)
{
	return killed_between(len) ? 0 : _copy_from_iter_flushcache(addr, len, ctx);
}

/* The size of what is read between two looks at what is to be read ahead. */
#define READ_PIECE SZ_4M

/* The inode is locked. */
static ssize_t read_pieces(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	ssize_t done = 0, ret;
	size_t piece;

	do {
		loff_t pos = iocb->ki_pos + done;

		piece = min_t(size_t, iov_iter_count(to), READ_PIECE);
		vmemfs_ahead(file, pos >> PAGE_SHIFT, ((pos + piece - 1) >> PAGE_SHIFT) + 1, 0);
		ret = vmem_read(vmemfs_core(file_inode(file)), pos, piece, copy_out, to);
		if (ret > 0)
			done += ret;
	} while (unlikely(ret == READ_PIECE) && iov_iter_count(to));
	return done ?: ret;
}

static ssize_t vmemfs_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;

	if (vmemfs_is_shut(inode))
		return -EIO;
	if (!iov_iter_count(to))
		return 0;
	if (iocb->ki_flags & IOCB_NOWAIT) {
		if (vmem_would_wait(vmemfs_core(inode)->fs) || !inode_trylock_shared(inode))
			return -EAGAIN;
	} else {
		inode_lock_shared(inode);
	}
	ret = read_pieces(iocb, to);
	inode_unlock_shared(inode);

	if (ret < 0)
		return ret;
	iocb->ki_pos += ret;
	file_accessed(iocb->ki_filp);
	return ret;
}

/*
 * Where a hole, or a preallocated block, was mapped, page tables show the zero page; make
 * them look again.  New blocks and those that became data are the only ones that can be
 * mapped so.  The core's counts say whether there are any: a page fault beside it may
 * have put an older one into i_blocks.
 */
static u64 new_data(const struct inode *inode)
{
	return vmemfs_blocks(inode) + READ_ONCE(vmemfs_core(inode)->converted);
}

static void forget_zero_pages(struct inode *inode, loff_t pos, size_t len, u64 before)
{
	if (new_data(inode) != before && len)
		invalidate_inode_pages2_range(inode->i_mapping, pos >> PAGE_SHIFT,
					      (pos + len - 1) >> PAGE_SHIFT);
}

static vmem_copy copy_for(struct inode *inode)
{
	bool dax = VMEMFS_SB(inode->i_sb)->store.backing == VMEM_BACKING_DAX;

	return dax ? copy_in_flushed : copy_in;
}

static ssize_t write_locked(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	u64 before = new_data(inode);
	ssize_t ret, len;
	loff_t pos;

	/* It may have been opened before it became so. */
	if (IS_IMMUTABLE(inode))
		return -EPERM;
	len = generic_write_checks(iocb, from);
	if (len <= 0)
		return len;
	ret = file_remove_privs(iocb->ki_filp);
	if (ret)
		return ret;
	pos = iocb->ki_pos;
	ret = vmem_write(vmemfs_core(inode), pos, len, copy_for(inode), from);
	vmemfs_sync_data_attr(inode);
	forget_zero_pages(inode, pos, len, before);
	if (ret > 0)
		iocb->ki_pos = pos + ret;
	return ret;
}

/* Bytes in place need no record; neither a set-id bit nor a flush may be in the way. */
static ssize_t write_nowait(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;

	if (iocb_is_dsync(iocb) || !inode_trylock(inode))
		return -EAGAIN;
	ret = IS_IMMUTABLE(inode) ? -EPERM : generic_write_checks(iocb, from);
	if (ret > 0 && !IS_NOSEC(inode))
		ret = -EAGAIN;
	if (ret > 0)
		ret = vmem_write_nowait(vmemfs_core(inode), iocb->ki_pos, ret, copy_for(inode), from);
	if (ret > 0) {
		vmemfs_sync_data_attr(inode);
		iocb->ki_pos += ret;
	}
	inode_unlock(inode);
	return ret;
}

static ssize_t vmemfs_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;

	if (vmemfs_is_shut(inode))
		return -EIO;
	if (iocb->ki_flags & IOCB_NOWAIT)
		return write_nowait(iocb, from);
	inode_lock(inode);
	ret = write_locked(iocb, from);
	inode_unlock(inode);
	return ret > 0 ? generic_write_sync(iocb, ret) : ret;
}

static loff_t seek_data_hole(struct file *file, loff_t offset, bool hole)
{
	struct inode *inode = file_inode(file);

	if (offset < 0)
		return -ENXIO;
	inode_lock_shared(inode);
	offset = vmem_seek(vmemfs_core(inode), offset, hole);
	inode_unlock_shared(inode);
	if (offset < 0)
		return offset;
	return vfs_setpos(file, offset, inode->i_sb->s_maxbytes);
}

static loff_t vmemfs_llseek(struct file *file, loff_t offset, int whence)
{
	if (whence == SEEK_DATA || whence == SEEK_HOLE)
		return seek_data_hole(file, offset, whence == SEEK_HOLE);
	return generic_file_llseek(file, offset, whence);
}

/*
 * What was stored through mappings is found, and its pages are protected, before the
 * core flushes: a store after that faults and is found by the next fsync.  In
 * the domain guest a store is durable when it has retired, but mtime moves with
 * such a fault.
 */
int vmemfs_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct inode *inode = file_inode(file);
	int err;

	if (vmem_get_domain(VMEMFS_SB(inode->i_sb)->fs) != VMEM_DOMAIN_GUEST ||
	    mapping_tagged(file->f_mapping, PAGECACHE_TAG_DIRTY)) {
		err = file_write_and_wait_range(file, start, end);
		if (err)
			return err;
	}
	return vmem_fsync(vmemfs_core(inode), datasync);
}

/* For io_uring: a request is complete when it has been made. */
static int vmemfs_iopoll(struct kiocb *iocb, struct io_comp_batch *batch, unsigned int flags)
{
	return 0;
}

static int vmemfs_open(struct inode *inode, struct file *file)
{
	if (vmemfs_is_shut(inode))
		return -EIO;
	file->f_mode |= FMODE_NOWAIT | FMODE_CAN_ODIRECT | VMEMFS_FMODE_BUF_WASYNC;
	return generic_file_open(inode, file);
}

int vmemfs_fiemap(struct inode *inode, struct fiemap_extent_info *info, u64 start, u64 len)
{
	int err;

	inode_lock_shared(inode);
	err = iomap_fiemap(inode, info, start, len, &vmemfs_iomap_ops);
	inode_unlock_shared(inode);
	return err;
}

const struct file_operations vmemfs_file_ops = {
	.llseek = vmemfs_llseek,
	.read_iter = vmemfs_read_iter,
	.write_iter = vmemfs_write_iter,
	.iopoll = vmemfs_iopoll,
	.mmap = vmemfs_mmap,
	.unlocked_ioctl = vmemfs_ioctl,
#ifdef CONFIG_COMPAT
	.compat_ioctl = vmemfs_compat_ioctl,
#endif
	VMEMFS_FOP_FLAGS
	.open = vmemfs_open,
	.fsync = vmemfs_fsync,
	.get_unmapped_area = thp_get_unmapped_area,
	.splice_read = vmemfs_splice_read,
	.splice_write = iter_file_splice_write,
	.fallocate = vmemfs_fallocate,
	.fadvise = vmemfs_fadvise,
};
