// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * orphan.c - unlinked inodes that cannot be freed yet
 *
 * The last reference may go while the mount is frozen, when nothing may be stored.  And
 * somebody may hold pages of the file still, by vmsplice(2) or for direct I/O: what is
 * read or stored there must not become another file's.  Such an inode is left an
 * orphan, and tried again from time to time; nobody waits for it but an unmount.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "vmemfs.h"

#define RETRY_JIFFIES	(HZ / 4)
#define UNMOUNT_SECONDS	60

struct orphan {
	struct list_head link;
	u64 ino;
};

static void list_orphans(struct vmemfs_sb *sbi, struct list_head *orphans)
{
	bool empty;

	spin_lock(&sbi->orphan_lock);
	list_splice_tail(orphans, &sbi->orphans);
	empty = list_empty(&sbi->orphans);
	spin_unlock(&sbi->orphan_lock);
	if (!empty && test_bit(VMEMFS_SB_WORKING, &sbi->flags))
		queue_delayed_work(vmemfs_wq, &sbi->orphan_work, RETRY_JIFFIES);
}

void vmemfs_free_later(struct vmemfs_sb *sbi, struct vmem_inode *core)
{
	struct orphan *o = kmalloc(sizeof(*o), GFP_NOFS | __GFP_NOFAIL);
	LIST_HEAD(one);

	o->ino = core->ino;
	vmem_leave_orphan(core);
	list_add(&o->link, &one);
	list_orphans(sbi, &one);
}

/* False: it is to be tried again. */
static bool try_to_free(struct vmemfs_sb *sbi, u64 ino)
{
	struct vmem_inode *core = kzalloc(sizeof(*core), GFP_NOFS);
	int err = -ENOMEM;

	if (core)
		err = vmem_iget(sbi->fs, ino, core);
	if (!err)
		err = vmemfs_pinned_page(sbi, core, 0, U64_MAX) ? -EBUSY : vmem_iput(core);
	kfree(core);
	return err != -EBUSY && err != -ENOMEM;
}

void vmemfs_free_orphans(struct vmemfs_sb *sbi)
{
	struct orphan *o, *next;
	LIST_HEAD(orphans);

	spin_lock(&sbi->orphan_lock);
	list_splice_init(&sbi->orphans, &orphans);
	spin_unlock(&sbi->orphan_lock);
	list_for_each_entry_safe(o, next, &orphans, link) {
		if (!try_to_free(sbi, o->ino))
			continue;
		list_del(&o->link);
		kfree(o);
	}
	list_orphans(sbi, &orphans);
}

/* It may have been queued just before a freeze stopped it, and run after that. */
static void orphan_worker(struct work_struct *work)
{
	struct vmemfs_sb *sbi = container_of(to_delayed_work(work), struct vmemfs_sb,
					     orphan_work);
	LIST_HEAD(none);

	if (sb_start_intwrite_trylock(sbi->sb)) {
		vmemfs_free_orphans(sbi);
		sb_end_intwrite(sbi->sb);
	} else {
		/* A thaw starts it before it lets go. */
		list_orphans(sbi, &none);
	}
}

bool vmemfs_wait_unpinned(struct vmemfs_sb *sbi, struct vmem_inode *core)
{
	unsigned long end = jiffies + UNMOUNT_SECONDS * HZ;

	while (vmemfs_pinned_page(sbi, core, 0, U64_MAX)) {
		if (test_bit(VMEMFS_SB_GAVE_UP, &sbi->flags))
			return false;
		if (time_after(jiffies, end) || fatal_signal_pending(current)) {
			pr_warn("vmemfs (%s): unmounted while somebody holds pages of its files\n",
				sbi->sb->s_id);
			set_bit(VMEMFS_SB_GAVE_UP, &sbi->flags);
		}
		schedule_timeout_killable(HZ / 10);
	}
	return true;
}

void vmemfs_orphans_end(struct vmemfs_sb *sbi)
{
	struct vmem_inode *core = kzalloc(sizeof(*core), GFP_KERNEL | __GFP_NOFAIL);
	struct orphan *o, *next;

	list_for_each_entry_safe(o, next, &sbi->orphans, link) {
		if (!vmem_iget(sbi->fs, o->ino, core))
			vmemfs_wait_unpinned(sbi, core);
		list_del(&o->link);
		kfree(o);
	}
	kfree(core);
}

void vmemfs_orphans_init(struct vmemfs_sb *sbi)
{
	spin_lock_init(&sbi->orphan_lock);
	INIT_LIST_HEAD(&sbi->orphans);
	INIT_DELAYED_WORK(&sbi->orphan_work, orphan_worker);
}
