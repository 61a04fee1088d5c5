/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compat.h - differences between the kernels that the modules build for
 *
 * Linux 6.1 (Debian 12) to 6.12 (its backports).  Every difference is here and
 * nowhere else; the rest of the code is written for the newest kernel.
 */
#ifndef VMEM_LINUX_COMPAT_H
#define VMEM_LINUX_COMPAT_H

#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/uuid.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "vmemstore and vmemfs need Linux 6.1 or newer"
#endif

/*
 * Open a block device by its path, for reading and writing and exclusively for
 * @holder: a struct file since 6.9, a struct block_device before.
 */
struct vmem_bdev {
	struct block_device *bdev;
	struct file *file;
};

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
static inline int vmem_bdev_open(struct vmem_bdev *handle, const char *path,
				 void *holder)
{
	handle->file = bdev_file_open_by_path(path, BLK_OPEN_READ | BLK_OPEN_WRITE,
					      holder, NULL);
	if (IS_ERR(handle->file))
		return PTR_ERR(handle->file);
	handle->bdev = file_bdev(handle->file);
	return 0;
}

static inline void vmem_bdev_close(struct vmem_bdev *handle, void *holder)
{
	fput(handle->file);
}
#else
static inline int vmem_bdev_open(struct vmem_bdev *handle, const char *path,
				 void *holder)
{
	handle->bdev = blkdev_get_by_path(path, FMODE_READ | FMODE_WRITE | FMODE_EXCL,
					  holder);
	return PTR_ERR_OR_ZERO(handle->bdev);
}

static inline void vmem_bdev_close(struct vmem_bdev *handle, void *holder)
{
	blkdev_put(handle->bdev, FMODE_READ | FMODE_WRITE | FMODE_EXCL);
}
#endif

/*
 * A disk without a request queue, on memory: its properties are flags of the
 * queue, and since 6.11 "limits"; those are given at birth since 6.9.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
static inline struct gendisk *vmem_alloc_plain_disk(int node)
{
	struct queue_limits limits = {
		.logical_block_size = SECTOR_SIZE,
		.physical_block_size = PAGE_SIZE,
		.max_hw_sectors = UINT_MAX,
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
		.features = BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA |
			    BLK_FEAT_SYNCHRONOUS | BLK_FEAT_DAX,
#endif
	};

	return blk_alloc_disk(&limits, node);
}
#else
static inline struct gendisk *vmem_alloc_plain_disk(int node)
{
	struct gendisk *disk = blk_alloc_disk(node);

	if (!disk)
		return ERR_PTR(-ENOMEM);
	blk_queue_logical_block_size(disk->queue, SECTOR_SIZE);
	blk_queue_physical_block_size(disk->queue, PAGE_SIZE);
	blk_queue_max_hw_sectors(disk->queue, UINT_MAX);
	return disk;
}
#endif

static inline struct gendisk *vmem_alloc_disk(int node)
{
	struct gendisk *disk = vmem_alloc_plain_disk(node);

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
	if (!IS_ERR(disk)) {
		blk_queue_write_cache(disk->queue, true, true);
		blk_queue_flag_set(QUEUE_FLAG_NONROT, disk->queue);
		blk_queue_flag_set(QUEUE_FLAG_DAX, disk->queue);
	}
#endif
	return disk;
}

/*
 * File systems on the disk can discard, by their own way: fstrim(8) leaves disks
 * alone whose granularity is 0.  Since 6.9 it is that of a physical block at least.
 */
static inline void vmem_disk_can_discard(struct gendisk *disk)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
	disk->queue->limits.discard_granularity = PAGE_SIZE;
#endif
}

/* What a disk's open and release are given changed in 6.5. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#define VMEM_DEFINE_DISK_OPEN(name, opened)					\
	static int name(struct gendisk *disk, blk_mode_t mode)			\
	{									\
		return opened(disk);						\
	}
#define VMEM_DEFINE_DISK_RELEASE(name, closed)					\
	static void name(struct gendisk *disk)					\
	{									\
		closed(disk);							\
	}
#else
#define VMEM_DEFINE_DISK_OPEN(name, opened)					\
	static int name(struct block_device *bdev, fmode_t mode)		\
	{									\
		return opened(bdev->bd_disk);					\
	}
#define VMEM_DEFINE_DISK_RELEASE(name, closed)					\
	static void name(struct gendisk *disk, fmode_t mode)			\
	{									\
		closed(disk);							\
	}
#endif

/* ---- vmemfs ---- */

/* Who the mount says that users are: a mnt_idmap since 6.3. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
typedef struct mnt_idmap vmemfs_idmap;
#else
typedef struct user_namespace vmemfs_idmap;
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#define vmemfs_fill_stat(idmap, mask, inode, stat) generic_fillattr(idmap, mask, inode, stat)
#else
#define vmemfs_fill_stat(idmap, mask, inode, stat) generic_fillattr(idmap, inode, stat)
#endif

/*
 * Access control lists have calls of their own since 6.2, and set_acl() is given a dentry;
 * before, they come as extended attributes, by handlers of the kernel's.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#define VMEMFS_ACL_HANDLERS
#define VMEMFS_GET_ACL(name)	.get_inode_acl = name
#define VMEMFS_DECLARE_SET_ACL(name) \
	int name(vmemfs_idmap *idmap, struct dentry *dentry, struct posix_acl *acl, int type)
#define VMEMFS_DEFINE_SET_ACL(name, set)					\
	VMEMFS_DECLARE_SET_ACL(name)						\
	{									\
		return set(idmap, d_inode(dentry), acl, type);			\
	}
#define vmemfs_get_inode_acl(inode, type)	get_inode_acl(inode, type)
#else
#define VMEMFS_ACL_HANDLERS	&posix_acl_access_xattr_handler, &posix_acl_default_xattr_handler,
#define VMEMFS_GET_ACL(name)	.get_acl = name
#define VMEMFS_DECLARE_SET_ACL(name) \
	int name(vmemfs_idmap *idmap, struct inode *inode, struct posix_acl *acl, int type)
#define VMEMFS_DEFINE_SET_ACL(name, set)					\
	VMEMFS_DECLARE_SET_ACL(name)						\
	{									\
		return set(idmap, inode, acl, type);				\
	}
#define vmemfs_get_inode_acl(inode, type)	get_acl(inode, type)
#endif

/* The list of handlers of extended attributes is constant since 6.7. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
typedef const struct xattr_handler *const vmemfs_xattr_handler_ptr;
#else
typedef const struct xattr_handler *vmemfs_xattr_handler_ptr;
#endif

/* Times are behind accessors since 6.7. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
#define vmemfs_get_atime(inode)		inode_get_atime(inode)
#define vmemfs_get_mtime(inode)		inode_get_mtime(inode)
#define vmemfs_get_ctime(inode)		inode_get_ctime(inode)
#define vmemfs_set_atime(inode, ts)	inode_set_atime_to_ts(inode, ts)
#define vmemfs_set_mtime(inode, ts)	inode_set_mtime_to_ts(inode, ts)
#define vmemfs_set_ctime(inode, ts)	inode_set_ctime_to_ts(inode, ts)
#else
#define vmemfs_get_atime(inode)		((inode)->i_atime)
#define vmemfs_get_mtime(inode)		((inode)->i_mtime)
#define vmemfs_get_ctime(inode)		((inode)->i_ctime)
#define vmemfs_set_atime(inode, ts)	((inode)->i_atime = (ts))
#define vmemfs_set_mtime(inode, ts)	((inode)->i_mtime = (ts))
#define vmemfs_set_ctime(inode, ts)	((inode)->i_ctime = (ts))
#endif

/*
 * inode_operations.update_time: since 6.6 the file system takes the time by
 * itself.  store(inode, flags, now) passes it on.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#define VMEMFS_DECLARE_UPDATE_TIME(name) int name(struct inode *inode, int flags)
#define VMEMFS_DEFINE_UPDATE_TIME(name, store)					\
	int name(struct inode *inode, int flags)				\
	{									\
		return store(inode, flags, current_time(inode));		\
	}
#else
#define VMEMFS_DECLARE_UPDATE_TIME(name) \
	int name(struct inode *inode, struct timespec64 *time, int flags)
#define VMEMFS_DEFINE_UPDATE_TIME(name, store)					\
	int name(struct inode *inode, struct timespec64 *time, int flags)	\
	{									\
		return store(inode, flags, *time);				\
	}
#endif

/* The change attribute: since 6.3 part of the attributes; before, ctime itself is taken. */
static inline void vmemfs_fill_cookie(struct kstat *stat, u32 request_mask)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	if (!(request_mask & STATX_CHANGE_COOKIE))
		return;
	stat->result_mask |= STATX_CHANGE_COOKIE;
	stat->change_cookie = timespec64_to_ns(&stat->ctime);
#endif
}

static inline void vmemfs_set_uuid(struct super_block *sb, const u8 *uuid)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
	super_set_uuid(sb, uuid, UUID_SIZE);
#else
	import_uuid(&sb->s_uuid, uuid);
#endif
}

/* File handles of inode number and generation were the default until 6.7. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
#define VMEMFS_EXPORT_ENCODE_FH	.encode_fh = generic_encode_ino32_fh,
#else
#define VMEMFS_EXPORT_ENCODE_FH
#endif

/* What a file can do: MAP_SYNC, and writes that may not wait without O_DIRECT. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#define VMEMFS_FOP_FLAGS	.fop_flags = FOP_MMAP_SYNC | FOP_BUFFER_WASYNC,
#define VMEMFS_FMODE_BUF_WASYNC	0
#else
#define VMEMFS_FOP_FLAGS	.mmap_supported_flags = MAP_SYNC,
#define VMEMFS_FMODE_BUF_WASYNC	FMODE_BUF_WASYNC
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#define vmemfs_splice_read	copy_splice_read
#else
#define vmemfs_splice_read	generic_file_splice_read
#endif

/* References to a page of a DAX disk that nobody holds. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
#define VMEMFS_DAX_PAGE_FREE	0
#else
#define VMEMFS_DAX_PAGE_FREE	1
#endif

/* The size of a fault: an order since 6.6. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
typedef unsigned int vmemfs_fault_order;
#define VMEMFS_FAULT_PTE	0
#define vmemfs_fault_pages(order)	(1UL << (order))
#else
typedef enum page_entry_size vmemfs_fault_order;
#define VMEMFS_FAULT_PTE	PE_SIZE_PTE
#define vmemfs_fault_pages(order)	((order) == PE_SIZE_PMD ? 1UL << (PMD_SHIFT - PAGE_SHIFT) : 1UL)
#endif

static inline void vmemfs_vm_flags_set(struct vm_area_struct *vma, unsigned long flags)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_set(vma, flags);
#else
	vma->vm_flags |= flags;
#endif
}

#endif /* VMEM_LINUX_COMPAT_H */
