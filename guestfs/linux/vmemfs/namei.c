// SPDX-License-Identifier: GPL-2.0-or-later
/* namei.c - operations on names */
#include <linux/fs.h>
#include <linux/slab.h>

#include "vmemfs.h"

static struct inode *lookup_inode(struct inode *dir, const struct qstr *name)
{
	u64 ino;
	int err;

	if (vmemfs_is_shut(dir))
		return ERR_PTR(-EIO);
	err = vmem_lookup(vmemfs_core(dir), vmemfs_name(name), &ino, NULL);

	if (err == -ENOENT)
		return NULL;
	return err ? ERR_PTR(err) : vmemfs_iget(dir->i_sb, ino);
}

static struct dentry *vmemfs_lookup(struct inode *dir, struct dentry *dentry,
				    unsigned int flags)
{
	if (dentry->d_name.len > VMEM_NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	/* It passes errors on, and refuses a second name of a directory. */
	return d_splice_alias(lookup_inode(dir, &dentry->d_name), dentry);
}

/* With -o sync or -o dirsync, or such a flag of the directory.  The record concerns both. */
static int sync_names(struct inode *dir, struct inode *other)
{
	return IS_DIRSYNC(dir) || IS_DIRSYNC(other) ? vmem_fsync(vmemfs_core(dir), false) : 0;
}

/*
 * A directory has one dentry: if a handle has given it one, that comes here, and ours
 * stays empty, as mkdir() may leave it.
 */
static void attach(struct dentry *dentry, struct inode *inode)
{
	struct dentry *alias;

	if (!S_ISDIR(inode->i_mode)) {
		d_instantiate(dentry, inode);
		return;
	}
	d_drop(dentry);
	alias = d_splice_alias(inode, dentry);
	if (!IS_ERR(alias))
		dput(alias);
}

/* The core has made the inode (err = 0), or not: give it to the dentry or back. */
static int finish_new(struct inode *dir, struct dentry *dentry, struct inode *inode, int err)
{
	struct inode *made;

	if (err) {
		vmemfs_discard_new(inode);
		return err;
	}
	vmemfs_sync_attr(dir);
	made = vmemfs_inode_made(inode);
	if (IS_ERR(made))
		return PTR_ERR(made);
	if (made == inode)
		d_instantiate_new(dentry, made);
	else
		attach(dentry, made);
	return sync_names(dir, dir);
}

static int make_node(vmemfs_idmap *idmap, struct inode *dir, struct dentry *dentry,
		     umode_t mode, dev_t rdev)
{
	struct vmemfs_new new;
	struct inode *inode = vmemfs_new_inode(idmap, dir, &dentry->d_name, mode, rdev, &new);
	int err;

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	err = vmem_create(vmemfs_core(dir), vmemfs_name(&dentry->d_name), &new.attr,
			  vmemfs_core(inode));
	vmemfs_end_new(inode, &new, err);
	return finish_new(dir, dentry, inode, err);
}

static int vmemfs_create(vmemfs_idmap *idmap, struct inode *dir, struct dentry *dentry,
			 umode_t mode, bool excl)
{
	return make_node(idmap, dir, dentry, mode, 0);
}

static int vmemfs_mknod(vmemfs_idmap *idmap, struct inode *dir, struct dentry *dentry,
			umode_t mode, dev_t rdev)
{
	return make_node(idmap, dir, dentry, mode, rdev);
}

static int vmemfs_mkdir(vmemfs_idmap *idmap, struct inode *dir, struct dentry *dentry,
			umode_t mode)
{
	return make_node(idmap, dir, dentry, mode | S_IFDIR, 0);
}

static int vmemfs_symlink(vmemfs_idmap *idmap, struct inode *dir, struct dentry *dentry,
			  const char *target)
{
	struct vmemfs_new new;
	struct inode *inode = vmemfs_new_inode(idmap, dir, &dentry->d_name, S_IFLNK | 0777, 0, &new);
	int err;

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	err = vmem_symlink(vmemfs_core(dir), vmemfs_name(&dentry->d_name), target,
			   strlen(target), &new.attr, vmemfs_core(inode));
	vmemfs_end_new(inode, &new, err);
	return finish_new(dir, dentry, inode, err);
}

static int vmemfs_tmpfile(vmemfs_idmap *idmap, struct inode *dir, struct file *file,
			  umode_t mode)
{
	struct vmemfs_new new;
	struct inode *inode = vmemfs_new_inode(idmap, dir, NULL, mode, 0, &new);
	int err;

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	err = vmem_tmpfile(VMEMFS_SB(dir->i_sb)->fs, &new.attr, dir->i_ino, vmemfs_core(inode));
	vmemfs_end_new(inode, &new, err);
	if (err) {
		vmemfs_discard_new(inode);
		return finish_open_simple(file, err);
	}
	/* Without a link, no handle has brought in another one. */
	inode = vmemfs_inode_made(inode);
	if (IS_ERR(inode))
		return finish_open_simple(file, PTR_ERR(inode));
	/* d_tmpfile() takes the link away that the core has not given it. */
	set_nlink(inode, 1);
	d_tmpfile(file, inode);
	unlock_new_inode(inode);
	return finish_open_simple(file, 0);
}

static int vmemfs_link(struct dentry *old, struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(old);
	int err = vmem_link(vmemfs_core(dir), vmemfs_name(&dentry->d_name), vmemfs_core(inode));

	if (err)
		return err;
	vmemfs_sync_attr(dir);
	vmemfs_sync_attr(inode);
	ihold(inode);
	d_instantiate(dentry, inode);
	return sync_names(dir, dir);
}

static int vmemfs_unlink(struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);
	int err = vmem_unlink(vmemfs_core(dir), vmemfs_name(&dentry->d_name),
			      vmemfs_core(inode));

	if (err)
		return err;
	vmemfs_sync_attr(dir);
	vmemfs_sync_attr(inode);
	return sync_names(dir, dir);
}

static int vmemfs_rmdir(struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);
	int err = vmem_rmdir(vmemfs_core(dir), vmemfs_name(&dentry->d_name),
			     vmemfs_core(inode));

	if (err)
		return err;
	vmemfs_sync_attr(dir);
	vmemfs_sync_attr(inode);
	return sync_names(dir, dir);
}

/* The core renames, and what the name leads to then is a whiteout of overlayfs. */
static int rename_whiteout(vmemfs_idmap *idmap, struct inode *from_dir, struct dentry *from,
			   struct inode *to_dir, struct dentry *to, unsigned int flags)
{
	struct vmem_inode *victim = d_really_is_positive(to) ? vmemfs_core(d_inode(to)) : NULL;
	struct vmem_whiteout white;
	struct vmemfs_new new;
	struct inode *inode;
	int err;

	inode = vmemfs_new_inode(idmap, from_dir, &from->d_name, S_IFCHR | WHITEOUT_MODE,
				 WHITEOUT_DEV, &new);
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	white = (struct vmem_whiteout){ .attr = &new.attr, .vi = vmemfs_core(inode) };
	err = vmem_rename_whiteout(vmemfs_core(from_dir), vmemfs_name(&from->d_name),
				   vmemfs_core(d_inode(from)), vmemfs_core(to_dir),
				   vmemfs_name(&to->d_name), victim, flags, &white);
	vmemfs_end_new(inode, &new, err);
	if (err) {
		vmemfs_discard_new(inode);
		return err;
	}
	/* Whoever looks the name up finds it, here or in the image. */
	inode = vmemfs_inode_made(inode);
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	if (inode->i_state & I_NEW)
		unlock_new_inode(inode);
	iput(inode);
	return 0;
}

static int rename_core(vmemfs_idmap *idmap, struct inode *from_dir, struct dentry *from,
		       struct inode *to_dir, struct dentry *to, unsigned int flags)
{
	struct inode *victim = d_inode(to);

	if (flags & RENAME_WHITEOUT)
		return rename_whiteout(idmap, from_dir, from, to_dir, to, flags & ~RENAME_WHITEOUT);
	return vmem_rename(vmemfs_core(from_dir), vmemfs_name(&from->d_name),
			   vmemfs_core(d_inode(from)), vmemfs_core(to_dir),
			   vmemfs_name(&to->d_name), victim ? vmemfs_core(victim) : NULL, flags);
}

static int vmemfs_rename(vmemfs_idmap *idmap, struct inode *from_dir, struct dentry *from,
			 struct inode *to_dir, struct dentry *to, unsigned int flags)
{
	struct inode *inode = d_inode(from), *victim = d_inode(to);
	int err;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	err = rename_core(idmap, from_dir, from, to_dir, to, flags);
	if (err)
		return err;
	vmemfs_sync_attr(from_dir);
	if (to_dir != from_dir)
		vmemfs_sync_attr(to_dir);
	/* The VFS has not locked what moves; its mode may be changing just now. */
	vmemfs_sync_ctime(inode);
	if (victim && (flags & RENAME_EXCHANGE))
		vmemfs_sync_ctime(victim);
	else if (victim)
		vmemfs_sync_attr(victim);
	return sync_names(from_dir, to_dir);
}

static_assert(VMEM_RENAME_NOREPLACE == RENAME_NOREPLACE);
static_assert(VMEM_RENAME_EXCHANGE == RENAME_EXCHANGE);

const struct inode_operations vmemfs_dir_inode_ops = {
	.lookup = vmemfs_lookup,
	.create = vmemfs_create,
	.mknod = vmemfs_mknod,
	.mkdir = vmemfs_mkdir,
	.symlink = vmemfs_symlink,
	.tmpfile = vmemfs_tmpfile,
	.link = vmemfs_link,
	.unlink = vmemfs_unlink,
	.rmdir = vmemfs_rmdir,
	.rename = vmemfs_rename,
	.setattr = vmemfs_setattr,
	.getattr = vmemfs_getattr,
	.update_time = vmemfs_update_time,
	.listxattr = vmemfs_listxattr,
	VMEMFS_ACL_OPS
	.fileattr_get = vmemfs_fileattr_get,
	.fileattr_set = vmemfs_fileattr_set,
};
