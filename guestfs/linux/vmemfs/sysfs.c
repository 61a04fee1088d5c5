// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sysfs.c - /sys/fs/vmemfs/DEVICE/: the counters of the core
 *
 * One read-only file each; the counters start at 0 with the mount (struct
 * vmem_stats says what they count).
 */
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/sysfs.h>

#include "vmemfs.h"

static struct kset *vmemfs_kset;

struct counter {
	struct attribute attr;
	size_t offset;		/* in struct vmem_stats */
};

#define COUNTER(_name) \
	static struct counter counter_##_name = { \
		.attr = { .name = #_name, .mode = 0444 }, \
		.offset = offsetof(struct vmem_stats, _name), \
	}

COUNTER(records);
COUNTER(record_bytes);
COUNTER(commits);
COUNTER(flushes);
COUNTER(flush_ranges);
COUNTER(flush_bytes);
COUNTER(checkpoints);
COUNTER(carried);
COUNTER(overlay_pages);
COUNTER(provisions);
COUNTER(discarded_blocks);

static struct attribute *vmemfs_attrs[] = {
	&counter_records.attr,
	&counter_record_bytes.attr,
	&counter_commits.attr,
	&counter_flushes.attr,
	&counter_flush_ranges.attr,
	&counter_flush_bytes.attr,
	&counter_checkpoints.attr,
	&counter_carried.attr,
	&counter_overlay_pages.attr,
	&counter_provisions.attr,
	&counter_discarded_blocks.attr,
	NULL
};
ATTRIBUTE_GROUPS(vmemfs);

static ssize_t counter_show(struct kobject *kobj, struct attribute *attr, char *buf)
{
	struct vmemfs_sb *sbi = container_of(kobj, struct vmemfs_sb, kobj);
	struct counter *counter = container_of(attr, struct counter, attr);
	struct vmem_stats stats;

	vmem_get_stats(sbi->fs, &stats);
	return sysfs_emit(buf, "%llu\n", *(u64 *)((u8 *)&stats + counter->offset));
}

static const struct sysfs_ops counter_ops = {
	.show = counter_show,
};

static void vmemfs_kobj_release(struct kobject *kobj)
{
	complete(&container_of(kobj, struct vmemfs_sb, kobj)->kobj_released);
}

static const struct kobj_type vmemfs_ktype = {
	.sysfs_ops = &counter_ops,
	.default_groups = vmemfs_groups,
	.release = vmemfs_kobj_release,
};

int vmemfs_sysfs_add(struct vmemfs_sb *sbi)
{
	int err;

	init_completion(&sbi->kobj_released);
	sbi->kobj.kset = vmemfs_kset;
	err = kobject_init_and_add(&sbi->kobj, &vmemfs_ktype, NULL, "%s", sbi->sb->s_id);
	if (err)
		vmemfs_sysfs_remove(sbi);
	return err;
}

/* Returns when nobody reads the files any more. */
void vmemfs_sysfs_remove(struct vmemfs_sb *sbi)
{
	kobject_put(&sbi->kobj);
	wait_for_completion(&sbi->kobj_released);
}

int vmemfs_sysfs_init(void)
{
	vmemfs_kset = kset_create_and_add("vmemfs", NULL, fs_kobj);
	return vmemfs_kset ? 0 : -ENOMEM;
}

void vmemfs_sysfs_exit(void)
{
	kset_unregister(vmemfs_kset);
}
