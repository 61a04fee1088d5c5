// SPDX-License-Identifier: GPL-2.0-or-later
/* module.c - registration of the file system, inode memory */
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "vmemfs.h"

static struct kmem_cache *inode_cache;
struct workqueue_struct *vmemfs_wq;

static void init_once(void *p)
{
	struct vmemfs_inode *vi = p;

	inode_init_once(&vi->vfs_inode);
}

struct inode *vmemfs_alloc_inode(struct super_block *sb)
{
	struct vmemfs_inode *vi = alloc_inode_sb(sb, inode_cache, GFP_KERNEL);

	if (!vi)
		return NULL;
	memset(&vi->core, 0, sizeof(vi->core));
	vi->btime = 0;
	vi->mapped = false;
	vi->asked_in_vain = 0;
	vi->ask_again = 0;
	vi->asked_end = 0;
	vi->asked_until = jiffies;
	return &vi->vfs_inode;
}

/* Called after a grace period: walks in RCU mode may have used i_link. */
void vmemfs_free_inode(struct inode *inode)
{
	if (S_ISLNK(inode->i_mode))
		kfree(inode->i_link);
	kmem_cache_free(inode_cache, VMEMFS_I(inode));
}

static struct file_system_type vmemfs_type = {
	.owner = THIS_MODULE,
	.name = "vmemfs",
	.init_fs_context = vmemfs_init_fs_context,
	.parameters = vmemfs_parameters,
	.kill_sb = kill_block_super,
	.fs_flags = FS_REQUIRES_DEV | FS_ALLOW_IDMAP,
};
MODULE_ALIAS_FS("vmemfs");

static int __init vmemfs_init(void)
{
	int err;

	inode_cache = kmem_cache_create("vmemfs_inode", sizeof(struct vmemfs_inode), 0,
					SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT, init_once);
	if (!inode_cache)
		return -ENOMEM;
	vmemfs_wq = alloc_workqueue("vmemfs", WQ_UNBOUND | WQ_FREEZABLE | WQ_MEM_RECLAIM, 0);
	err = vmemfs_wq ? vmemfs_sysfs_init() : -ENOMEM;
	if (err)
		goto out_wq;
	err = register_filesystem(&vmemfs_type);
	if (err)
		goto out_sysfs;
	return 0;

out_sysfs:
	vmemfs_sysfs_exit();
out_wq:
	if (vmemfs_wq)
		destroy_workqueue(vmemfs_wq);
	kmem_cache_destroy(inode_cache);
	return err;
}

static void __exit vmemfs_exit(void)
{
	unregister_filesystem(&vmemfs_type);
	vmemfs_sysfs_exit();
	destroy_workqueue(vmemfs_wq);
	/* Inodes are freed by RCU. */
	rcu_barrier();
	kmem_cache_destroy(inode_cache);
}

module_init(vmemfs_init);
module_exit(vmemfs_exit);
MODULE_DESCRIPTION("vmemfs: a file system on host memory");
MODULE_LICENSE("GPL");
