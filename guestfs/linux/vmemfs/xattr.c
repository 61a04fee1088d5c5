// SPDX-License-Identifier: GPL-2.0-or-later
/* xattr.c - extended attributes: what the VFS calls by their prefixes */
#include <linux/fs.h>
#include <linux/posix_acl_xattr.h>
#include <linux/security.h>
#include <linux/slab.h>

#include "vmemfs.h"

static struct vmem_name name_of(const char *name)
{
	return (struct vmem_name){ .name = name, .len = strlen(name) };
}

int vmemfs_set_one(struct inode *inode, unsigned int index, const char *name, const void *value,
		   size_t size, int flags, unsigned int which, const struct vmem_attr *attr)
{
	struct vmem_xattr x = {
		.index = index, .name = name_of(name), .value = value, .size = size, .flags = flags,
	};
	int err = vmem_setxattr(vmemfs_core(inode), &x, 1, which, attr);

	if (err)
		return err;
	vmemfs_sync_attr(inode);
	return IS_SYNC(inode) ? vmem_fsync(vmemfs_core(inode), false) : 0;
}

static_assert(VMEM_XATTR_CREATE == XATTR_CREATE);
static_assert(VMEM_XATTR_REPLACE == XATTR_REPLACE);

/* ---- handlers ---- */

static bool is_off(const struct xattr_handler *handler, const struct inode *inode)
{
	return handler->flags == VMEM_XATTR_USER &&
	       test_bit(VMEMFS_SB_NO_USER_XATTR, &VMEMFS_SB(inode->i_sb)->flags);
}

static int get_xattr(const struct xattr_handler *handler, struct dentry *dentry,
		     struct inode *inode, const char *name, void *buffer, size_t size)
{
	if (is_off(handler, inode))
		return -EOPNOTSUPP;
	if (vmemfs_is_shut(inode))
		return -EIO;
	return vmem_getxattr(vmemfs_core(inode), handler->flags, name_of(name), buffer, size);
}

static int set_xattr(const struct xattr_handler *handler, vmemfs_idmap *idmap,
		     struct dentry *dentry, struct inode *inode, const char *name,
		     const void *value, size_t size, int flags)
{
	if (is_off(handler, inode))
		return -EOPNOTSUPP;
	return vmemfs_set_one(inode, handler->flags, name, value, size, flags, 0, NULL);
}

static const struct xattr_handler user_handler = {
	.prefix = XATTR_USER_PREFIX,
	.flags = VMEM_XATTR_USER,
	.get = get_xattr,
	.set = set_xattr,
};

static const struct xattr_handler trusted_handler = {
	.prefix = XATTR_TRUSTED_PREFIX,
	.flags = VMEM_XATTR_TRUSTED,
	.get = get_xattr,
	.set = set_xattr,
};

static const struct xattr_handler security_handler = {
	.prefix = XATTR_SECURITY_PREFIX,
	.flags = VMEM_XATTR_SECURITY,
	.get = get_xattr,
	.set = set_xattr,
};

vmemfs_xattr_handler_ptr vmemfs_xattr_handlers[] = {
	&user_handler,
	&trusted_handler,
	&security_handler,
#ifdef CONFIG_FS_POSIX_ACL
	VMEMFS_ACL_HANDLERS
#endif
	NULL
};

/* ---- listing ---- */

struct list {
	struct dentry *dentry;
	char *buffer;			/* NULL: only the length is asked for */
	size_t size, len;
};

/* What the names of this index begin with; NULL: who asks does not see them. */
static const char *prefix_of(struct dentry *dentry, unsigned int index)
{
	const struct super_block *sb = dentry->d_sb;

	switch (index) {
	case VMEM_XATTR_USER:
		return test_bit(VMEMFS_SB_NO_USER_XATTR, &VMEMFS_SB(sb)->flags) ? NULL : XATTR_USER_PREFIX;
	case VMEM_XATTR_TRUSTED:
		return capable(CAP_SYS_ADMIN) ? XATTR_TRUSTED_PREFIX : NULL;
	case VMEM_XATTR_SECURITY:
		return XATTR_SECURITY_PREFIX;
	case VMEM_XATTR_ACL_ACCESS:
		return sb->s_flags & SB_POSIXACL ? XATTR_NAME_POSIX_ACL_ACCESS : NULL;
	case VMEM_XATTR_ACL_DEFAULT:
		return sb->s_flags & SB_POSIXACL ? XATTR_NAME_POSIX_ACL_DEFAULT : NULL;
	}
	return NULL;
}

static int list_one(void *ctx, unsigned int index, struct vmem_name name)
{
	struct list *list = ctx;
	const char *prefix = prefix_of(list->dentry, index);
	size_t head, len;

	if (!prefix)
		return 0;
	head = strlen(prefix);
	len = head + name.len + 1;
	if (list->buffer) {
		if (list->size - list->len < len)
			return -ERANGE;
		memcpy(list->buffer + list->len, prefix, head);
		memcpy(list->buffer + list->len + head, name.name, name.len);
		list->buffer[list->len + len - 1] = '\0';
	}
	list->len += len;
	return 0;
}

ssize_t vmemfs_listxattr(struct dentry *dentry, char *buffer, size_t size)
{
	struct list list = { .dentry = dentry, .buffer = buffer, .size = size };
	int err = vmem_listxattr(vmemfs_core(d_inode(dentry)), list_one, &list);

	return err ? err : list.len;
}

/* ---- new inodes ---- */

int vmemfs_add_new(struct vmemfs_new *new, unsigned int index, char *name, void *value, size_t size)
{
	unsigned int nr = new->attr.nr_xattrs, max = new->max_labels;
	struct vmem_xattr *x = new->labels;

	if (nr == max) {
		max = max ? 2 * max : 4;
		x = krealloc(new->labels, max * sizeof(*x), GFP_KERNEL);
	}
	if (!x || !value || !name) {
		kfree(name);
		kfree(value);
		return -ENOMEM;
	}
	x[nr] = (struct vmem_xattr){
		.index = index, .name = name_of(name), .value = value, .size = size,
	};
	new->labels = x;
	new->max_labels = max;
	new->attr.xattrs = x;
	new->attr.nr_xattrs = nr + 1;
	return 0;
}

static int add_labels(struct inode *inode, const struct xattr *labels, void *ctx)
{
	int err = 0;

	for (; labels->name && !err; labels++)
		err = vmemfs_add_new(ctx, VMEM_XATTR_SECURITY, kstrdup(labels->name, GFP_KERNEL),
				     kmemdup(labels->value, labels->value_len, GFP_KERNEL),
				     labels->value_len);
	return err;
}

int vmemfs_add_label(struct inode *inode, struct inode *dir, const struct qstr *name,
		     struct vmemfs_new *new)
{
	return security_inode_init_security(inode, dir, name, add_labels, new);
}
