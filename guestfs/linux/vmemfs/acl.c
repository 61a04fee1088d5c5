// SPDX-License-Identifier: GPL-2.0-or-later
/* acl.c - POSIX access control lists, which are stored as the VFS shows them */
#include <linux/fs.h>
#include <linux/posix_acl_xattr.h>
#include <linux/slab.h>

#include "vmemfs.h"

static unsigned int index_of(int type)
{
	return type == ACL_TYPE_ACCESS ? VMEM_XATTR_ACL_ACCESS : VMEM_XATTR_ACL_DEFAULT;
}

/* As an extended attribute, to be freed. */
static void *to_value(const struct posix_acl *acl, size_t *size)
{
	void *value;
	int err;

	*size = posix_acl_xattr_size(acl->a_count);
	value = kmalloc(*size, GFP_KERNEL);
	if (!value)
		return ERR_PTR(-ENOMEM);
	err = posix_acl_to_xattr(&init_user_ns, acl, value, *size);
	if (err >= 0)
		return value;
	kfree(value);
	return ERR_PTR(err);
}

/* ---- reading ---- */

static struct posix_acl *read_acl(struct inode *inode, int type, size_t size)
{
	const struct vmem_name none = { NULL, 0 };
	void *value = kvmalloc(size, GFP_KERNEL);
	struct posix_acl *acl;
	int len;

	if (!value)
		return ERR_PTR(-ENOMEM);
	len = vmem_getxattr(vmemfs_core(inode), index_of(type), none, value, size);
	acl = len < 0 ? ERR_PTR(len) : posix_acl_from_xattr(&init_user_ns, value, len);
	kvfree(value);
	return acl;
}

struct posix_acl *vmemfs_get_acl(struct inode *inode, int type, bool rcu)
{
	const struct vmem_name none = { NULL, 0 };
	struct posix_acl *acl;
	int size;

	if (rcu)
		return ERR_PTR(-ECHILD);
	/* It may be set to a longer one meanwhile. */
	do {
		size = vmem_getxattr(vmemfs_core(inode), index_of(type), none, NULL, 0);
		if (size <= 0)
			return size == -ENODATA || !size ? NULL : ERR_PTR(size);
		acl = read_acl(inode, type, size);
	} while (acl == ERR_PTR(-ERANGE));
	return acl == ERR_PTR(-ENODATA) ? NULL : acl;
}

/* ---- setting ---- */

static int put_acl(struct inode *inode, const struct posix_acl *acl, int type, umode_t mode)
{
	struct vmem_attr attr = { .mode = mode };
	unsigned int which = mode != inode->i_mode ? VMEM_SET_MODE : 0;
	void *value = NULL;
	size_t size = 0;
	int err;

	if (acl) {
		value = to_value(acl, &size);
		if (IS_ERR(value))
			return PTR_ERR(value);
	}
	err = vmemfs_set_one(inode, index_of(type), "", value, size, 0, which, &attr);
	if (err == -ENODATA && !acl) {
		/* There was none to remove. */
		err = which ? vmem_setattr(vmemfs_core(inode), which, &attr) : 0;
		vmemfs_sync_attr(inode);
	}
	kfree(value);
	return err;
}

static int set_acl(vmemfs_idmap *idmap, struct inode *inode, struct posix_acl *acl, int type)
{
	struct posix_acl *stored = acl;
	umode_t mode = inode->i_mode;
	int err;

	if (type == ACL_TYPE_DEFAULT && !S_ISDIR(inode->i_mode))
		return acl ? -EACCES : 0;
	if (type == ACL_TYPE_ACCESS && acl) {
		/* One that the mode says as well is not stored. */
		err = posix_acl_update_mode(idmap, inode, &mode, &stored);
		if (err)
			return err;
	}
	err = put_acl(inode, stored, type, mode);
	if (!err)
		set_cached_acl(inode, type, stored);
	return err;
}
VMEMFS_DEFINE_SET_ACL(vmemfs_set_acl, set_acl)

static int chmod_with(struct inode *inode, struct posix_acl **acl, unsigned int which,
		      const struct vmem_attr *attr)
{
	void *value;
	size_t size;
	int err = __posix_acl_chmod(acl, GFP_KERNEL, attr->mode);

	if (err)
		return err;
	value = to_value(*acl, &size);
	if (IS_ERR(value))
		return PTR_ERR(value);
	err = vmemfs_set_one(inode, VMEM_XATTR_ACL_ACCESS, "", value, size, 0, which, attr);
	if (!err)
		set_cached_acl(inode, ACL_TYPE_ACCESS, *acl);
	kfree(value);
	return err;
}

int vmemfs_chmod(struct inode *inode, unsigned int which, const struct vmem_attr *attr)
{
	struct posix_acl *acl = NULL;
	int err;

	if (IS_POSIXACL(inode) && !S_ISLNK(inode->i_mode))
		acl = vmemfs_get_inode_acl(inode, ACL_TYPE_ACCESS);
	if (IS_ERR(acl))
		return PTR_ERR(acl);
	if (!acl)
		return vmem_setattr(vmemfs_core(inode), which, attr);
	/* It puts ours, and gives another one, also when it fails. */
	err = chmod_with(inode, &acl, which, attr);
	posix_acl_release(acl);
	return err;
}

/* ---- new inodes ---- */

static int add_acl(struct vmemfs_new *new, const struct posix_acl *acl, int type)
{
	size_t size;
	void *value;

	if (!acl)
		return 0;
	value = to_value(acl, &size);
	if (IS_ERR(value))
		return PTR_ERR(value);
	return vmemfs_add_new(new, index_of(type), kstrdup("", GFP_KERNEL), value, size);
}

int vmemfs_inherit_acl(struct inode *inode, struct inode *dir, struct vmemfs_new *new)
{
	int err = posix_acl_create(dir, &inode->i_mode, &new->default_acl, &new->acl);

	if (!err)
		err = add_acl(new, new->acl, ACL_TYPE_ACCESS);
	return err ? err : add_acl(new, new->default_acl, ACL_TYPE_DEFAULT);
}

void vmemfs_cache_acl(struct inode *inode, const struct vmemfs_new *new)
{
	if (new->acl)
		set_cached_acl(inode, ACL_TYPE_ACCESS, new->acl);
	if (new->default_acl)
		set_cached_acl(inode, ACL_TYPE_DEFAULT, new->default_acl);
}
