/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmemfs.h - what the files of the Linux module share
 *
 * The file system itself is the core (vmem.h).  This module is its Linux home:
 * it finds the store behind a block device, and translates between the VFS and
 * the core's calls.  The VFS's inode locks are the caller's locks that vmem.h
 * asks for: exclusive for [W], shared or exclusive for [R].  Page faults hold
 * the mapping's invalidate_lock shared and use [F] calls only.
 *
 * Reading order: module.c, super.c (mount), store.c (the medium), env.c (the
 * core's services), inode.c, namei.c, dir.c, symlink.c, xattr.c, acl.c, file.c, falloc.c, dax.c (mmap), ahead.c.
 */
#ifndef VMEMFS_H
#define VMEMFS_H

#include <linux/fs.h>
#include <linux/fs_parser.h>
#include <linux/kobject.h>
#include <linux/mutex.h>
#include <linux/posix_acl.h>
#include <linux/workqueue.h>
#include <linux/xattr.h>

#include "compat.h"
#include "vmem.h"

#define VMEMFS_MAGIC		0x464d4556	/* statfs(2) f_type: bytes "VEMF" */
#define VMEMFS_REGIONS		256	/* parts of the store of which reads are counted */
#define VMEMFS_COMMIT_SECONDS	5		/* default of the mount option commit= */

struct dax_device;
struct fileattr;
struct vmemstore;

struct vmemfs_sb {
	struct super_block *sb;
	struct vmem_fs *fs;
	struct vmem_store store;
	struct vmem_env env;
	struct dax_device *dax_dev;
	struct vmemstore *device;	/* NULL: the disk is no vmemstore */
	struct mutex resize_lock;	/* store.size, while mounted */
	unsigned int commit_seconds;	/* 0: no periodic commit */
	unsigned long flags;		/* bits VMEMFS_SB_* */
	struct delayed_work commit_work;
	struct work_struct checkpoint_work;
	struct delayed_work orphan_work;
	spinlock_t orphan_lock;
	struct list_head orphans;	/* to be freed later */
	u32 regions[VMEMFS_REGIONS];	/* ahead.c: number << 8 | small files read; hints */
	struct kobject kobj;		/* /sys/fs/vmemfs/DEVICE */
	struct completion kobj_released;
};

/* What a new inode is to be, from its VFS inode to the core. */
struct vmemfs_new {
	struct vmem_attr attr;
	struct posix_acl *acl, *default_acl;	/* inherited; NULL: none */
	struct vmem_xattr *labels;		/* attr.xattrs; NULL: none */
	unsigned int max_labels;
};

/* Bits of vmemfs_sb.flags. */
#define VMEMFS_SB_WORKING	0	/* work items may be queued */
#define VMEMFS_SB_KICKED	1	/* the core asked for a checkpoint before that */
#define VMEMFS_SB_HOST_FULL	2	/* the last request for room was refused */
#define VMEMFS_SB_DISCARD	3	/* mount option discard */
#define VMEMFS_SB_GAVE_UP	4	/* the unmount waits for nobody any more */
#define VMEMFS_SB_NO_USER_XATTR	5	/* mount option nouser_xattr */
#define VMEMFS_SB_SHUT_DOWN	6	/* FS_IOC_SHUTDOWN */

struct vmemfs_inode {
	struct vmem_inode core;		/* core.fs is NULL until the core has filled it */
	s64 btime;			/* ns; constant, so stat needs no lock */
	bool mapped;			/* it has been: somebody may hold its pages */
	/* ahead.c; hints, so without a lock. */
	u8 asked_in_vain;		/* large reads whose pages were all in memory, in a row */
	u8 ask_again;			/* after so many large reads */
	pgoff_t asked_end;		/* the pages before it were asked for, ... */
	unsigned long asked_until;	/* ... and count as there until then, in jiffies */
	struct inode vfs_inode;
};

static inline struct vmemfs_sb *VMEMFS_SB(const struct super_block *sb)
{
	return sb->s_fs_info;
}

/* Has somebody shut it down?  Then every operation is -EIO. */
static inline bool vmemfs_is_shut(const struct inode *inode)
{
	return unlikely(test_bit(VMEMFS_SB_SHUT_DOWN, &VMEMFS_SB(inode->i_sb)->flags));
}

static inline struct vmemfs_inode *VMEMFS_I(const struct inode *inode)
{
	return container_of(inode, struct vmemfs_inode, vfs_inode);
}

static inline struct vmem_inode *vmemfs_core(const struct inode *inode)
{
	return &VMEMFS_I(inode)->core;
}

static inline struct vmem_name vmemfs_name(const struct qstr *qstr)
{
	return (struct vmem_name){ .name = qstr->name, .len = qstr->len };
}

/* ---- super.c, module.c ---- */

/* mode: one of xfs's, as FS_IOC_SHUTDOWN has them.  -EINVAL: it is none. */
int vmemfs_shutdown(struct super_block *sb, u32 mode);

/* For work in the background: stops while the machine is suspended, as flushes do. */
extern struct workqueue_struct *vmemfs_wq;

extern const struct super_operations vmemfs_super_ops;
int vmemfs_init_fs_context(struct fs_context *fc);
extern const struct fs_parameter_spec vmemfs_parameters[];

/* Allocate and free the memory of an inode. */
struct inode *vmemfs_alloc_inode(struct super_block *sb);
void vmemfs_free_inode(struct inode *inode);

/* ---- store.c: the medium ---- */

/*
 * Map the disk behind sb and fill sbi->store.  -EINVAL or -EOPNOTSUPP, with a
 * line in the kernel log, when vmemfs cannot use it.
 */
int vmemfs_store_open(struct vmemfs_sb *sbi);
void vmemfs_store_mounted(struct vmemfs_sb *sbi);
void vmemfs_store_umount(struct vmemfs_sb *sbi);
void vmemfs_store_close(struct vmemfs_sb *sbi);
/* The disk may have become larger: so does sbi->store.  resize_lock is held. */
int vmemfs_store_grown(struct vmemfs_sb *sbi);

/* ---- env.c: the core's services, and its periodic work ---- */

void vmemfs_env_init(struct vmemfs_sb *sbi);
/* Start and stop the commits and checkpoints in the background. */
void vmemfs_work_start(struct vmemfs_sb *sbi);
void vmemfs_work_stop(struct vmemfs_sb *sbi);

/* ---- sysfs.c: counters ---- */

int vmemfs_sysfs_init(void);
void vmemfs_sysfs_exit(void);
int vmemfs_sysfs_add(struct vmemfs_sb *sbi);
void vmemfs_sysfs_remove(struct vmemfs_sb *sbi);

/* ---- inode.c ---- */

/* VMEM_FL_*.  The inode is locked. */
int vmemfs_set_flags(struct inode *inode, u32 flags);

/* A referenced inode, or an ERR_PTR: -ESTALE when ino is free. */
struct inode *vmemfs_iget(struct super_block *sb, u64 ino);
/*
 * A new VFS inode with owner and mode, which the core is to fill, by new->attr; name may be
 * NULL.  Or an ERR_PTR.  vmemfs_end_new() when the core has (err = 0), or has not.
 */
struct inode *vmemfs_new_inode(vmemfs_idmap *idmap, struct inode *dir, const struct qstr *name,
			       umode_t mode, dev_t rdev, struct vmemfs_new *new);
void vmemfs_end_new(struct inode *inode, struct vmemfs_new *new, int err);
/*
 * After the core has made it: number, operations and hash.  Takes the reference and
 * returns one: of that inode, which is I_NEW, or of the one to use in its place, which
 * a file handle has brought in first; or an ERR_PTR, -EUCLEAN.
 */
struct inode *vmemfs_inode_made(struct inode *inode);
/* Forget one that the core has not made. */
void vmemfs_discard_new(struct inode *inode);
void vmemfs_evict_inode(struct inode *inode);
/* Copy all attributes from the core. */
void vmemfs_sync_attr(struct inode *inode);
/* Copy what reads and writes change: size, blocks, mtime, ctime. */
void vmemfs_sync_data_attr(struct inode *inode);
/* Copy ctime: all that a rename changes, which does not lock what it moves. */
void vmemfs_sync_ctime(struct inode *inode);
/* The blocks of a file, as the core counts them; needs no inode lock. */
static inline u64 vmemfs_blocks(const struct inode *inode)
{
	return vmem_get64(vmemfs_core(inode)->raw.blocks);
}
/* Copy their number; needs no inode lock. */
static inline void vmemfs_sync_blocks(struct inode *inode)
{
	inode->i_blocks = vmemfs_blocks(inode) << (VMEM_BLOCK_SHIFT - 9);
}
/* Report a contradiction between the VFS's and the core's view; -EUCLEAN. */
int vmemfs_corrupt(struct super_block *sb, u64 ino, const char *what);

int vmemfs_setattr(vmemfs_idmap *idmap, struct dentry *dentry, struct iattr *attr);
int vmemfs_getattr(vmemfs_idmap *idmap, const struct path *path, struct kstat *stat,
		   u32 request_mask, unsigned int flags);
/* vmemfs_update_time() has the arguments of inode_operations.update_time. */
VMEMFS_DECLARE_UPDATE_TIME(vmemfs_update_time);
/* A store through a mapping of the file is about to happen. */
void vmemfs_touch_mapped(struct file *file);
extern const struct inode_operations vmemfs_file_inode_ops;
extern const struct inode_operations vmemfs_special_inode_ops;

/* ---- xattr.c, acl.c ---- */

extern vmemfs_xattr_handler_ptr vmemfs_xattr_handlers[];
ssize_t vmemfs_listxattr(struct dentry *dentry, char *buffer, size_t size);
/* The label that the security modules want a new inode to have. */
int vmemfs_add_label(struct inode *inode, struct inode *dir, const struct qstr *name,
		     struct vmemfs_new *new);
/* One more for a new inode; takes name and value, which kfree() frees, also after an error. */
int vmemfs_add_new(struct vmemfs_new *new, unsigned int index, char *name, void *value, size_t size);
/* Set or remove (value NULL) one, and what else `which` says (VMEM_SET_*). */
int vmemfs_set_one(struct inode *inode, unsigned int index, const char *name, const void *value,
		   size_t size, int flags, unsigned int which, const struct vmem_attr *attr);

#ifdef CONFIG_FS_POSIX_ACL
struct posix_acl *vmemfs_get_acl(struct inode *inode, int type, bool rcu);
VMEMFS_DECLARE_SET_ACL(vmemfs_set_acl);
/* What a new inode inherits from its directory; its mode becomes what goes with that. */
int vmemfs_inherit_acl(struct inode *inode, struct inode *dir, struct vmemfs_new *new);
/* The new inode is there: the VFS knows its lists. */
void vmemfs_cache_acl(struct inode *inode, const struct vmemfs_new *new);
/* The core sets what `which` says, and, with the mode, the list that goes with it. */
int vmemfs_chmod(struct inode *inode, unsigned int which, const struct vmem_attr *attr);
#define VMEMFS_ACL_OPS	VMEMFS_GET_ACL(vmemfs_get_acl), .set_acl = vmemfs_set_acl,
#else
static inline int vmemfs_inherit_acl(struct inode *inode, struct inode *dir, struct vmemfs_new *new)
{
	return 0;
}
static inline void vmemfs_cache_acl(struct inode *inode, const struct vmemfs_new *new)
{
}
static inline int vmemfs_chmod(struct inode *inode, unsigned int which, const struct vmem_attr *attr)
{
	return vmem_setattr(vmemfs_core(inode), which, attr);
}
#define VMEMFS_ACL_OPS
#endif

/* ---- namei.c, dir.c, symlink.c, export.c ---- */

extern const struct inode_operations vmemfs_dir_inode_ops;
extern const struct file_operations vmemfs_dir_ops;
extern const struct inode_operations vmemfs_symlink_inode_ops;
extern const struct export_operations vmemfs_export_ops;

/* ---- file.c, falloc.c, dax.c, ioctl.c ---- */

extern const struct file_operations vmemfs_file_ops;
extern const struct address_space_operations vmemfs_aops;
extern const struct iomap_ops vmemfs_iomap_ops;
int vmemfs_fsync(struct file *file, loff_t start, loff_t end, int datasync);
long vmemfs_fallocate(struct file *file, int mode, loff_t offset, loff_t len);
int vmemfs_fiemap(struct inode *inode, struct fiemap_extent_info *info, u64 start, u64 len);
int vmemfs_mmap(struct file *file, struct vm_area_struct *vma);
long vmemfs_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
long vmemfs_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
int vmemfs_fileattr_get(struct dentry *dentry, struct fileattr *fa);
int vmemfs_fileattr_set(vmemfs_idmap *idmap, struct dentry *dentry, struct fileattr *fa);
/*
 * Empty the mapping from the block of `from` on.  With `frees`, the blocks are about to be
 * freed: waits until nobody holds their pages, -ERESTARTSYS after a signal.  The
 * invalidate_lock is held exclusively, and dropped while waiting.
 */
int vmemfs_unmap_from(struct inode *inode, loff_t from, bool frees);
/*
 * As that with `frees`, for the bytes [from, to), of which there is one at least.  What was
 * stored through the mapping is still found by fsync; private copies stay.
 */
int vmemfs_unmap_range(struct inode *inode, loff_t from, loff_t to);
/*
 * Empty the mapping of an inode that is being evicted.  True when somebody holds pages
 * of it, for direct I/O or in a pipe, and its blocks must not be used anew yet.
 */
bool vmemfs_empty_mapping(struct inode *inode);
/* Does somebody hold a page of the file's blocks [lblk, end)? */
struct page *vmemfs_pinned_page(struct vmemfs_sb *sbi, struct vmem_inode *core, u64 lblk, u64 end);

/* ---- ahead.c: read-ahead by the host ---- */

#define VMEMFS_AHEAD_SEQUENTIAL	1	/* somebody has said so */
#define VMEMFS_AHEAD_FAULT	2	/* little is known of what is read */

void __vmemfs_ahead(struct file *file, pgoff_t first, pgoff_t end, unsigned int hints);

/*
 * Pages [first, end) of the file are about to be read: what will be read after them may
 * be asked for.  Nothing is to do for who is well inside a window.
 */
static inline void vmemfs_ahead(struct file *file, pgoff_t first, pgoff_t end,
				unsigned int hints)
{
	const struct file_ra_state *ra = &file->f_ra;
	pgoff_t mark = ra->start + ra->size - ra->async_size;

	if (unlikely(first < ra->start || end > mark) && ra->ra_pages)
		__vmemfs_ahead(file, first, end, hints);
}

/* That many pages, a power of two, were just mapped by a fault. */
void vmemfs_ahead_fault(struct vm_fault *vmf, unsigned long pages);
int vmemfs_fadvise(struct file *file, loff_t offset, loff_t len, int advice);

/* ---- orphan.c: unlinked inodes that cannot be freed yet ---- */

/* Nobody has it any more.  It is freed when the mount is not frozen and its pages are free. */
void vmemfs_free_later(struct vmemfs_sb *sbi, struct vmem_inode *core);
/* Try all of them, as the work in the background does from time to time. */
void vmemfs_free_orphans(struct vmemfs_sb *sbi);
/* At the unmount, which cannot be refused: wait a while.  Is nobody left who holds a page? */
bool vmemfs_wait_unpinned(struct vmemfs_sb *sbi, struct vmem_inode *core);
/* Before the core frees them all. */
void vmemfs_orphans_end(struct vmemfs_sb *sbi);
void vmemfs_orphans_init(struct vmemfs_sb *sbi);

#endif /* VMEMFS_H */
