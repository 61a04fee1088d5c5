// SPDX-License-Identifier: GPL-2.0-or-later
/* inode.c - the two views of an inode: the core's and the VFS's */
#include <linux/mm.h>
#include <linux/slab.h>

#include "vmemfs.h"

int vmemfs_corrupt(struct super_block *sb, u64 ino, const char *what)
{
	return vmem_report_damage(VMEMFS_SB(sb)->fs, ino, what);
}

/* ---- attributes ---- */

static s64 timespec_ns(struct timespec64 ts)
{
	return timespec64_to_ns(&ts);
}

static struct timespec64 core_ctime(const struct vmem_inode *core)
{
	return ns_to_timespec64(vmem_get64(core->raw.ctime));
}

/* A change of attributes is always seen by its ctime. */
static struct timespec64 next_ctime(struct inode *inode, struct timespec64 now)
{
	s64 old = vmem_get64(vmemfs_core(inode)->raw.ctime);

	return ns_to_timespec64(vmem_next_ctime(old, timespec_ns(now), true));
}

static void set_data_attr(struct inode *inode, const struct vmem_attr *attr)
{
	i_size_write(inode, attr->size);
	inode->i_blocks = attr->blocks << (VMEM_BLOCK_SHIFT - 9);
	vmemfs_set_mtime(inode, ns_to_timespec64(attr->mtime));
	vmemfs_set_ctime(inode, ns_to_timespec64(attr->ctime));
}

void vmemfs_sync_data_attr(struct inode *inode)
{
	struct vmem_attr attr;

	vmem_getattr(vmemfs_core(inode), &attr);
	set_data_attr(inode, &attr);
}

void vmemfs_sync_ctime(struct inode *inode)
{
	struct vmem_attr attr;

	vmem_getattr(vmemfs_core(inode), &attr);
	vmemfs_set_ctime(inode, ns_to_timespec64(attr.ctime));
}

void vmemfs_sync_attr(struct inode *inode)
{
	struct vmem_attr attr;

	vmem_getattr(vmemfs_core(inode), &attr);
	inode->i_mode = attr.mode;
	i_uid_write(inode, attr.uid);
	i_gid_write(inode, attr.gid);
	if (inode->i_nlink != attr.nlink)
		set_nlink(inode, attr.nlink);
	inode->i_generation = attr.generation;
	vmemfs_set_atime(inode, ns_to_timespec64(attr.atime));
	VMEMFS_I(inode)->btime = attr.btime;
	set_data_attr(inode, &attr);
}

/* What the VFS is to know of the flags. */
static void sync_flags(struct inode *inode)
{
	u32 flags = vmem_flags(vmemfs_core(inode));
	unsigned int set = 0;

	if (flags & VMEM_FL_SYNC)
		set |= S_SYNC;
	if (flags & VMEM_FL_IMMUTABLE)
		set |= S_IMMUTABLE;
	if (flags & VMEM_FL_APPEND)
		set |= S_APPEND;
	if (flags & VMEM_FL_NOATIME)
		set |= S_NOATIME;
	if (flags & VMEM_FL_DIRSYNC)
		set |= S_DIRSYNC;
	inode_set_flags(inode, set, S_SYNC | S_IMMUTABLE | S_APPEND | S_NOATIME | S_DIRSYNC);
}

int vmemfs_set_flags(struct inode *inode, u32 flags)
{
	struct vmem_attr attr = {
		.flags = flags,
		.ctime = timespec_ns(next_ctime(inode, current_time(inode))),
	};
	int err;

	err = vmem_setattr(vmemfs_core(inode), VMEM_SET_FLAGS | VMEM_SET_CTIME, &attr);
	if (err)
		return err;
	sync_flags(inode);
	vmemfs_sync_ctime(inode);
	return IS_SYNC(inode) ? vmem_fsync(vmemfs_core(inode), false) : 0;
}

static void fill_attributes(struct inode *inode, struct kstat *stat)
{
	u32 flags = vmem_flags(vmemfs_core(inode));

	if (flags & VMEM_FL_IMMUTABLE)
		stat->attributes |= STATX_ATTR_IMMUTABLE;
	if (flags & VMEM_FL_APPEND)
		stat->attributes |= STATX_ATTR_APPEND;
	if (flags & VMEM_FL_NODUMP)
		stat->attributes |= STATX_ATTR_NODUMP;
	stat->attributes_mask |= STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_NODUMP;
}

int vmemfs_getattr(vmemfs_idmap *idmap, const struct path *path, struct kstat *stat,
		   u32 request_mask, unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);

	if (request_mask & STATX_CTIME)
		vmem_see_ctime(vmemfs_core(inode));
	vmemfs_fill_stat(idmap, request_mask, inode, stat);
	vmemfs_fill_cookie(stat, request_mask);
	fill_attributes(inode, stat);
	stat->result_mask |= STATX_BTIME;
	stat->btime = ns_to_timespec64(VMEMFS_I(inode)->btime);
	/* None is needed; who asks wants to know that O_DIRECT works, and allocates by it. */
	if ((request_mask & STATX_DIOALIGN) && S_ISREG(inode->i_mode)) {
		stat->result_mask |= STATX_DIOALIGN;
		stat->dio_mem_align = SECTOR_SIZE;
		stat->dio_offset_align = SECTOR_SIZE;
	}
	return 0;
}

static int set_size(struct inode *inode, loff_t size)
{
	struct address_space *mapping = inode->i_mapping;
	loff_t old = i_size_read(inode);
	int err;

	filemap_invalidate_lock(mapping);
	/* Stores past the end through a mapping would survive growth, too. */
	err = vmemfs_unmap_from(inode, min(old, size), size < old);
	if (!err)
		err = vmem_truncate(vmemfs_core(inode), size);
	if (err && size < old)
		/* With the mapping went the knowledge of what was stored through it. */
		vmem_mark_dirty(vmemfs_core(inode), size, old - size);
	vmemfs_sync_data_attr(inode);
	filemap_invalidate_unlock(mapping);
	return err;
}

/* What setattr_copy() has put into the VFS inode, to the core. */
static int set_attr(struct inode *inode, unsigned int ia_valid)
{
	struct vmem_attr attr = {
		.mode = inode->i_mode,
		.uid = i_uid_read(inode),
		.gid = i_gid_read(inode),
		.atime = timespec_ns(vmemfs_get_atime(inode)),
		.mtime = timespec_ns(vmemfs_get_mtime(inode)),
		.ctime = timespec_ns(vmemfs_get_ctime(inode)),
	};
	unsigned int which = 0;

	if (ia_valid & ATTR_MODE)
		which |= VMEM_SET_MODE;
	if (ia_valid & ATTR_UID)
		which |= VMEM_SET_UID;
	if (ia_valid & ATTR_GID)
		which |= VMEM_SET_GID;
	if (ia_valid & ATTR_ATIME)
		which |= VMEM_SET_ATIME;
	if (ia_valid & ATTR_MTIME)
		which |= VMEM_SET_MTIME;
	if (ia_valid & ATTR_CTIME)
		which |= VMEM_SET_CTIME;
	if (which & VMEM_SET_MODE)
		return vmemfs_chmod(inode, which, &attr);
	return which ? vmem_setattr(vmemfs_core(inode), which, &attr) : 0;
}

static int change_attr(vmemfs_idmap *idmap, struct inode *inode, struct iattr *attr)
{
	unsigned int ia_valid;
	int err;

	/* With blocks: some may have been allocated in advance behind the end. */
	if ((attr->ia_valid & ATTR_SIZE) && attr->ia_size == i_size_read(inode) &&
	    !vmemfs_blocks(inode)) {
		attr->ia_valid |= ATTR_MTIME | ATTR_CTIME;
	} else if (attr->ia_valid & ATTR_SIZE) {
		err = set_size(inode, attr->ia_size);
		if (err)
			return err;
		/* Done by the truncation, in its record. */
		if (!(attr->ia_valid & ATTR_MTIME_SET))
			attr->ia_valid &= ~(ATTR_MTIME | ATTR_CTIME);
	}
	ia_valid = attr->ia_valid & ~ATTR_SIZE;
	if (!(ia_valid & (ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_ATIME | ATTR_MTIME |
			  ATTR_CTIME)))
		return 0;
	attr->ia_ctime = next_ctime(inode, attr->ia_ctime);
	setattr_copy(idmap, inode, attr);
	err = set_attr(inode, ia_valid);
	vmemfs_sync_attr(inode);
	return err;
}

int vmemfs_setattr(vmemfs_idmap *idmap, struct dentry *dentry, struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	int err;

	/* A file that was opened before it became so can still be cut off, as far as the VFS goes. */
	if (IS_IMMUTABLE(inode))
		return -EPERM;
	if (vmemfs_is_shut(inode))
		return -EIO;
	err = setattr_prepare(idmap, dentry, attr);
	if (!err)
		err = change_attr(idmap, inode, attr);
	if (!err && IS_SYNC(inode))
		err = vmem_fsync(vmemfs_core(inode), false);
	return err;
}

/* Times that change as a side effect: no record, durable with the next fsync. */
static int update_time(struct inode *inode, int flags, struct timespec64 now)
{
	struct vmem_inode *core = vmemfs_core(inode);
	unsigned int which = 0;

	if (flags & S_ATIME)
		which |= VMEM_SET_ATIME;
	if (flags & S_MTIME)
		which |= VMEM_SET_MTIME;
	if (flags & S_CTIME)
		which |= VMEM_SET_CTIME;
	vmem_touch(core, which, timespec_ns(now));
	if (flags & S_ATIME)
		vmemfs_set_atime(inode, now);
	if (flags & S_MTIME)
		vmemfs_set_mtime(inode, now);
	if (flags & S_CTIME)
		vmemfs_set_ctime(inode, core_ctime(core));
	return 0;
}
VMEMFS_DEFINE_UPDATE_TIME(vmemfs_update_time, update_time)

void vmemfs_touch_mapped(struct file *file)
{
	struct inode *inode = file_inode(file);

	file_update_time(file);
	/* It does nothing within a tick. */
	if (READ_ONCE(vmemfs_core(inode)->ctime_seen))
		update_time(inode, S_CTIME, current_time(inode));
}

/* ---- lifetime ---- */

static int set_operations(struct inode *inode, dev_t rdev)
{
	switch (inode->i_mode & S_IFMT) {
	case S_IFREG:
		inode->i_op = &vmemfs_file_inode_ops;
		inode->i_fop = &vmemfs_file_ops;
		inode->i_mapping->a_ops = &vmemfs_aops;
		inode->i_flags |= S_DAX;
		return 0;
	case S_IFDIR:
		inode->i_op = &vmemfs_dir_inode_ops;
		inode->i_fop = &vmemfs_dir_ops;
		return 0;
	case S_IFLNK:
		inode->i_op = &vmemfs_symlink_inode_ops;
		return 0;
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		inode->i_op = &vmemfs_special_inode_ops;
		init_special_inode(inode, inode->i_mode, rdev);
		return 0;
	}
	return vmemfs_corrupt(inode->i_sb, inode->i_ino, "unknown file type");
}

static dev_t core_rdev(struct inode *inode)
{
	struct vmem_attr attr;

	vmem_getattr(vmemfs_core(inode), &attr);
	return new_decode_dev(attr.rdev);
}

/* No write has to look for capabilities, nobody for lists, until there are any. */
static void note_attributes(struct inode *inode)
{
	if (!vmem_lacks_xattrs(vmemfs_core(inode)))
		return;
	inode_has_no_xattr(inode);
	cache_no_acl(inode);
}

static int read_inode(struct inode *inode)
{
	struct vmem_inode *core = vmemfs_core(inode);
	int err = vmem_iget(VMEMFS_SB(inode->i_sb)->fs, inode->i_ino, core);

	if (err) {
		core->fs = NULL;
		return err;
	}
	/*
	 * No name leads to it, and whoever has it open has it in the hash: it is one
	 * that is being made, or that waits to be freed.  Putting it would free it.
	 */
	if (!vmem_get32(core->raw.nlink)) {
		core->fs = NULL;
		return -ESTALE;
	}
	if (vmem_size(core) > inode->i_sb->s_maxbytes)
		return vmemfs_corrupt(inode->i_sb, inode->i_ino, "size beyond the maximum");
	vmemfs_sync_attr(inode);
	sync_flags(inode);
	note_attributes(inode);
	return set_operations(inode, core_rdev(inode));
}

static bool is_hashed(struct super_block *sb, u64 ino)
{
	bool found;

	rcu_read_lock();
	found = find_inode_by_ino_rcu(sb, ino);
	rcu_read_unlock();
	return found;
}

/* iget_locked() says the same of an inode that is just being made as of memory that is short. */
static struct inode *get_locked(struct super_block *sb, u64 ino)
{
	struct inode *inode;
	int tries;

	for (tries = 0; tries < 100; tries++) {
		inode = iget_locked(sb, ino);
		if (inode)
			return inode;
		if (is_hashed(sb, ino))
			return ERR_PTR(-ESTALE);
		/* It may have been made, and removed, meanwhile. */
		cond_resched();
	}
	return ERR_PTR(-ENOMEM);
}

struct inode *vmemfs_iget(struct super_block *sb, u64 ino)
{
	struct inode *inode = get_locked(sb, ino);
	int err;

	if (IS_ERR(inode))
		return inode;
	if (!(inode->i_state & I_NEW))
		return inode;
	err = read_inode(inode);
	if (err) {
		iget_failed(inode);
		return ERR_PTR(err);
	}
	unlock_new_inode(inode);
	return inode;
}

struct inode *vmemfs_new_inode(vmemfs_idmap *idmap, struct inode *dir, const struct qstr *name,
			       umode_t mode, dev_t rdev, struct vmemfs_new *new)
{
	struct inode *inode = new_inode(dir->i_sb);
	int err;

	if (!inode)
		return ERR_PTR(-ENOMEM);
	inode_init_owner(idmap, inode, dir, mode);
	memset(new, 0, sizeof(*new));
	err = vmemfs_inherit_acl(inode, dir, new);
	if (!err)
		err = vmemfs_add_label(inode, dir, name, new);
	new->attr.mode = inode->i_mode;
	new->attr.uid = i_uid_read(inode);
	new->attr.gid = i_gid_read(inode);
	new->attr.rdev = new_encode_dev(rdev);
	new->attr.flags = vmem_inherited_flags(vmemfs_core(dir), inode->i_mode);
	if (!err)
		return inode;
	vmemfs_end_new(inode, new, err);
	vmemfs_discard_new(inode);
	return ERR_PTR(err);
}

void vmemfs_end_new(struct inode *inode, struct vmemfs_new *new, int err)
{
	unsigned int i;

	if (!err) {
		note_attributes(inode);
		vmemfs_cache_acl(inode, new);
	}
	posix_acl_release(new->acl);
	posix_acl_release(new->default_acl);
	for (i = 0; i < new->attr.nr_xattrs; i++) {
		kfree(new->labels[i].name.name);
		kfree(new->labels[i].value);
	}
	kfree(new->labels);
}

void vmemfs_discard_new(struct inode *inode)
{
	vmemfs_core(inode)->fs = NULL;
	iput(inode);
}

/*
 * The number is in use from the moment the core has made the inode.  Whoever has
 * an old handle of that number, or guesses one, may have the inode read, and
 * in the hash, before we come: that one is the file then, as good as ours.
 */
struct inode *vmemfs_inode_made(struct inode *inode)
{
	struct inode *other;
	int err;

	inode->i_ino = vmemfs_core(inode)->ino;
	vmemfs_sync_attr(inode);
	sync_flags(inode);
	err = set_operations(inode, core_rdev(inode));
	if (err) {
		iput(inode);
		return ERR_PTR(err);
	}
	while (insert_inode_locked(inode) < 0) {
		other = ilookup(inode->i_sb, inode->i_ino);
		if (!other)
			continue;	/* gone again */
		vmemfs_discard_new(inode);
		return other;
	}
	return inode;
}

static void put_core(struct inode *inode, bool pinned)
{
	struct vmem_inode *core = vmemfs_core(inode);
	struct super_block *sb = inode->i_sb;

	if (inode->i_nlink) {
		(void)vmem_iput(core);
		return;
	}
	/* Waiting for the thaw could keep those waiting who are to bring it. */
	if (pinned || !sb_start_intwrite_trylock(sb)) {
		vmemfs_free_later(VMEMFS_SB(sb), core);
		return;
	}
	/* Blocks that could not be freed are freed by the unmount: it is an orphan. */
	(void)vmem_iput(core);
	sb_end_intwrite(sb);
}

void vmemfs_evict_inode(struct inode *inode)
{
	bool pinned = vmemfs_empty_mapping(inode);

	clear_inode(inode);
	if (vmemfs_core(inode)->fs)
		put_core(inode, pinned);
}

const struct inode_operations vmemfs_file_inode_ops = {
	.setattr = vmemfs_setattr,
	.getattr = vmemfs_getattr,
	.update_time = vmemfs_update_time,
	.listxattr = vmemfs_listxattr,
	VMEMFS_ACL_OPS
	.fiemap = vmemfs_fiemap,
	.fileattr_get = vmemfs_fileattr_get,
	.fileattr_set = vmemfs_fileattr_set,
};

const struct inode_operations vmemfs_special_inode_ops = {
	.setattr = vmemfs_setattr,
	.getattr = vmemfs_getattr,
	.update_time = vmemfs_update_time,
	.listxattr = vmemfs_listxattr,
	VMEMFS_ACL_OPS
};
