// SPDX-License-Identifier: GPL-2.0-or-later
/* store.c - the medium behind a block device: its memory, its way to durability */
#include <linux/blkdev.h>
#include <linux/dax.h>
#include <linux/libnvdimm.h>
#include <linux/pfn_t.h>

#include "vmemfs.h"
#include "vmemstore.h"

/* The core's ranges go to the driver as they are. */
static_assert(sizeof(struct vmem_range) == sizeof(struct vmemstore_krange));
static_assert(offsetof(struct vmem_range, length) ==
	      offsetof(struct vmemstore_krange, length));
static_assert(VMEM_GENERATION_LEN == VMEMSTORE_GENERATION_LEN);
static_assert((int)VMEM_BACKING_PAGE_CACHE == VMEMSTORE_BACKING_PAGE_CACHE);
static_assert((int)VMEM_BACKING_DAX == VMEMSTORE_BACKING_DAX);
static_assert((int)VMEM_BACKING_VOLATILE == VMEMSTORE_BACKING_VOLATILE);

static int store_flush(struct vmem_store *store, const struct vmem_range *ranges,
		       unsigned int nr)
{
	struct vmemfs_sb *sbi = store->ctx;

	/* For the driver, no ranges are the whole store. */
	if (!nr)
		return 0;
	return vmemstore_flush(sbi->device, (const struct vmemstore_krange *)ranges, nr);
}

static int store_commit(struct vmem_store *store, const struct vmem_parts *parts)
{
	struct vmemfs_sb *sbi = store->ctx;
	struct vmemstore_parts p = {
		.ranges = (const struct vmemstore_krange *)parts->ranges,
		.nr_first = parts->nr_first,
		.nr = parts->nr,
		.mark_offset = parts->mark_offset,
		.mark_value = parts->mark_value,
	};

	return vmemstore_commit(sbi->device, &p);
}

static int store_provision(struct vmem_store *store, u64 off, u64 len)
{
	struct vmemfs_sb *sbi = store->ctx;
	struct vmemstore_krange range = { off, len };
	int err = vmemstore_provision(sbi->device, &range, 1);

	/* Once per time that the host is full. */
	if (err == -ENOSPC && !test_and_set_bit(VMEMFS_SB_HOST_FULL, &sbi->flags))
		pr_warn("vmemfs (%s): the host's disk is full: no space for new data until it has room\n",
			sbi->sb->s_id);
	if (!err && test_and_clear_bit(VMEMFS_SB_HOST_FULL, &sbi->flags))
		pr_info("vmemfs (%s): the host's disk has room again\n", sbi->sb->s_id);
	return err;
}

static int store_discard(struct vmem_store *store, const struct vmem_range *ranges,
			 unsigned int nr)
{
	struct vmemfs_sb *sbi = store->ctx;

	return vmemstore_discard(sbi->device, (const struct vmemstore_krange *)ranges, nr);
}

static void store_lost(void *arg)
{
	struct vmemfs_sb *sbi = arg;

	(void)vmem_report_loss(sbi->fs);
}

static void store_writeback(struct vmem_store *store, const void *addr, size_t len)
{
	arch_wb_cache_pmem((void *)addr, len);
}

static void store_drain(struct vmem_store *store)
{
	pmem_wmb();
}

/* The whole disk as one piece of kernel memory. */
static int map_disk(struct vmemfs_sb *sbi, void **base, u64 *bytes)
{
	struct super_block *sb = sbi->sb;
	u64 size = bdev_nr_bytes(sb->s_bdev);
	pfn_t pfn;
	long pages;
	int id;

	id = dax_read_lock();
	pages = dax_direct_access(sbi->dax_dev, 0, PHYS_PFN(size), DAX_ACCESS, base, &pfn);
	dax_read_unlock(id);
	if (pages < 0) {
		pr_err("vmemfs (%s): cannot map the disk (%ld)\n", sb->s_id, pages);
		return pages;
	}
	if ((u64)pages < PHYS_PFN(size)) {
		pr_err("vmemfs (%s): only %ld of %lu pages are mapped in one piece: does the disk have bad blocks?\n",
		       sb->s_id, pages, PHYS_PFN(size));
		return -EINVAL;
	}
	*bytes = PHYS_PFN(size) << PAGE_SHIFT;
	return 0;
}

int vmemfs_store_grown(struct vmemfs_sb *sbi)
{
	void *base;
	u64 size;
	int err = map_disk(sbi, &base, &size);

	if (err)
		return err;
	if (base != sbi->store.base) {
		pr_err("vmemfs (%s): the disk has moved in memory: unmount it to use its new size\n",
		       sbi->sb->s_id);
		return -EINVAL;
	}
	if (size > sbi->store.size)
		sbi->store.size = size;
	return 0;
}

static int choose_backing(struct vmemfs_sb *sbi)
{
	struct vmem_store *store = &sbi->store;

	sbi->device = vmemstore_get(sbi->sb->s_bdev);
	if (sbi->device) {
		store->backing = vmemstore_backing(sbi->device);
		vmemstore_generation(sbi->device, store->generation);
		store->read_only = vmemstore_readonly(sbi->device);
		if (vmemstore_thin(sbi->device))
			store->provision = store_provision;
		if (vmemstore_discards(sbi->device))
			store->discard = store_discard;
	} else if (dax_synchronous(sbi->dax_dev)) {
		/* An nvdimm: written-back cache lines are durable. */
		store->backing = VMEM_BACKING_DAX;
	} else {
		pr_err("vmemfs (%s): flushing this disk takes whole-disk requests: use -device vmemstore, or an nvdimm\n",
		       sbi->sb->s_id);
		return -EOPNOTSUPP;
	}

	if (store->backing == VMEM_BACKING_PAGE_CACHE)
		store->flush = store_flush;
	if (store->flush && vmemstore_can_commit(sbi->device))
		store->commit = store_commit;
	if (store->backing == VMEM_BACKING_DAX) {
		store->drain = store_drain;
		if (dax_write_cache_enabled(sbi->dax_dev))
			store->writeback = store_writeback;
	}
	return 0;
}

/* The mount follows the disk; say why, since nobody asked for it. */
static void obey_device(struct vmemfs_sb *sbi)
{
	struct super_block *sb = sbi->sb;
	bool device = sbi->store.read_only;

	sbi->store.read_only |= bdev_read_only(sb->s_bdev);
	if (sbi->store.read_only) {
		pr_info("vmemfs (%s): the disk is read-only, and so is the mount: %s\n", sb->s_id,
			device ? "its device has readonly=on" : "it was set so (blockdev --setrw)");
		sb->s_flags |= SB_RDONLY;
	}
	if (sbi->device && vmemstore_cow(sbi->device))
		pr_info("vmemfs (%s): the store is copy-on-write (cow=on): changes are lost when the VM ends\n",
			sb->s_id);
}

int vmemfs_store_open(struct vmemfs_sb *sbi)
{
	struct super_block *sb = sbi->sb;
	void *base = NULL;
	u64 start;
	int err;

	if (bdev_is_partition(sb->s_bdev)) {
		pr_err("vmemfs (%s): is a partition: use the whole disk\n", sb->s_id);
		return -EINVAL;
	}
	sbi->dax_dev = fs_dax_get_by_bdev(sb->s_bdev, &start, NULL, NULL);
	if (!sbi->dax_dev) {
		pr_err("vmemfs (%s): is not memory (no DAX): use /dev/pmemN\n", sb->s_id);
		return -EINVAL;
	}
	sbi->store.ctx = sbi;
	err = map_disk(sbi, &base, &sbi->store.size);
	sbi->store.base = base;
	if (!err)
		err = choose_backing(sbi);
	if (err) {
		vmemfs_store_close(sbi);
		return err;
	}
	obey_device(sbi);
	return 0;
}

void vmemfs_store_mounted(struct vmemfs_sb *sbi)
{
	struct vmem_range hot[VMEM_HOT_RANGES];

	if (!sbi->device)
		return;
	vmemstore_on_loss(sbi->device, store_lost, sbi);
	/* Where the host should not use huge pages.  Only speed depends on it. */
	vmem_hot_ranges(sbi->fs, hot);
	(void)vmemstore_small_pages(sbi->device, (struct vmemstore_krange *)hot,
				    VMEM_HOT_RANGES);
}

void vmemfs_store_umount(struct vmemfs_sb *sbi)
{
	if (sbi->device)
		vmemstore_on_loss(sbi->device, NULL, NULL);
}

void vmemfs_store_close(struct vmemfs_sb *sbi)
{
	vmemstore_put(sbi->device);
	fs_put_dax(sbi->dax_dev, NULL);
}
