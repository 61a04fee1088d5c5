// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * disk.c - the store as /dev/pmemN, a disk and a DAX device, that can grow
 *
 * Not by way of libnvdimm, whose regions have one size for life: it would have to
 * be told the largest size that the store may ever get, pay the struct pages for
 * it, and show a disk that is too large.  Nor does it know when its disks are
 * open, which the host must know before it takes the device away.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/dax.h>
#include <linux/ioport.h>
#include <linux/memory_hotplug.h>
#include <linux/memregion.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pfn_t.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/virtio_config.h>

#include "internal.h"

/* Whoever has memory, also after the device has gone, until the disk is closed. */
static LIST_HEAD(stores);
static DEFINE_MUTEX(stores_lock);

/* Memory of the store that got its struct pages at once. */
struct part {
	struct list_head link;		/* on vmemstore.parts */
	struct dev_pagemap pgmap;
};

/* ---- memory ---- */

/* Memory that the host reports as broken: whoever uses it for DAX is told. */
static int part_failed(struct dev_pagemap *pgmap, unsigned long pfn,
		       unsigned long nr_pages, int flags)
{
	struct vmemstore *store = pgmap->owner;
	u64 offset = PFN_PHYS(pfn) - store->start;

	return dax_holder_notify_failure(store->dax, offset, PFN_PHYS(nr_pages), flags);
}

static const struct dev_pagemap_ops pagemap_ops = {
	.memory_failure = part_failed,
};

/*
 * Each page of the store takes a struct page of the machine's own memory.  That the
 * kernel would find it is not enough: what is left must do for all the rest.
 */
static int check_memory(struct vmemstore *store, u64 bytes)
{
	u64 need = PHYS_PFN(bytes) * sizeof(struct page);
	u64 have = PFN_PHYS((u64)max(si_mem_available(), 0L));

	if (need + PFN_PHYS((u64)totalram_pages()) / 16 <= have)
		return 0;
	dev_err(&store->vdev->dev, "%llu MiB of store need %llu MiB of this machine's memory, which has %llu MiB available: give it more memory, or a smaller store\n",
		bytes >> 20, DIV_ROUND_UP_ULL(need, SZ_1M), have >> 20);
	return -ENOMEM;
}

/* Kernel memory is one piece, however many parts there are. */
static int map_part(struct vmemstore *store, u64 start, u64 end)
{
	struct part *part;
	void *addr;
	int ret = check_memory(store, end - start);

	if (ret)
		return ret;
	part = kzalloc(sizeof(*part), GFP_KERNEL);
	if (!part)
		return -ENOMEM;
	part->pgmap.type = MEMORY_DEVICE_FS_DAX;
	part->pgmap.ops = &pagemap_ops;
	part->pgmap.owner = store;
	part->pgmap.nr_range = 1;
	part->pgmap.range.start = store->start + start;
	part->pgmap.range.end = store->start + end - 1;
	addr = memremap_pages(&part->pgmap, memory_add_physaddr_to_nid(store->start));
	if (IS_ERR(addr)) {
		kfree(part);
		return PTR_ERR(addr);
	}
	list_add(&part->link, &store->parts);
	if (!start)
		store->base = addr;
	return addr == store->base + start ? 0 : -ENXIO;
}

static void unmap_parts(struct vmemstore *store)
{
	struct part *part, *next;

	list_for_each_entry_safe(part, next, &store->parts, link) {
		list_del(&part->link);
		memunmap_pages(&part->pgmap);
		kfree(part);
	}
}

static bool overlap(const struct vmemstore *a, const struct vmemstore *b)
{
	return a->start < b->start + b->window && b->start < a->start + a->window;
}

/* The whole window, so that there is room when the store grows. */
static bool take_window(struct vmemstore *store)
{
	struct vmemstore *other;
	bool taken = false;

	mutex_lock(&stores_lock);
	list_for_each_entry(other, &stores, link)
		taken |= overlap(store, other);
	if (!taken)
		list_add(&store->link, &stores);
	mutex_unlock(&stores_lock);
	return !taken;
}

static void give_memory(struct vmemstore *store)
{
	unmap_parts(store);
	mutex_lock(&stores_lock);
	list_del(&store->link);
	mutex_unlock(&stores_lock);
}

static int take_memory(struct vmemstore *store)
{
	int ret;

	if (!take_window(store)) {
		dev_err(&store->vdev->dev, "its memory is in use by the disk that was here before: unmount that\n");
		return -EBUSY;
	}
	ret = map_part(store, 0, store->size);
	if (ret) {
		if (ret != -ENOMEM)
			dev_err(&store->vdev->dev, "cannot map the store (%d)\n", ret);
		give_memory(store);
	}
	return ret;
}

/* For /proc/iomem, as long as the device is there. */
static int show_memory(struct vmemstore *store)
{
	if (request_mem_region(store->start, store->window, "vmemstore"))
		return 0;
	dev_err(&store->vdev->dev, "its place in the address space (%pa) is reserved for something else: give the device a smaller max-size=\n",
		&store->start);
	return -EBUSY;
}

static void hide_memory(struct vmemstore *store)
{
	release_mem_region(store->start, store->window);
}

/* ---- the block device ---- */

/* On persistent memory past the CPU's caches: nobody would write them back. */
static void copy_in(const struct vmemstore *store, void *to, const void *from,
		    size_t length)
{
	if (store->backing == VMEMSTORE_BACKING_DAX)
		memcpy_flushcache(to, from, length);
	else
		memcpy(to, from, length);
}

static int copy_segment(const struct vmemstore *store, struct bio_vec *bvec,
			u64 offset, bool write)
{
	void *memory = bvec_kmap_local(bvec);
	int ret = 0;

	if (write) {
		flush_dcache_page(bvec->bv_page);
		copy_in(store, store->base + offset, memory, bvec->bv_len);
	} else {
		if (copy_mc_to_kernel(memory, store->base + offset, bvec->bv_len))
			ret = -EIO;
		flush_dcache_page(bvec->bv_page);
	}
	kunmap_local(memory);
	return ret;
}

static int copy_bio(const struct vmemstore *store, struct bio *bio)
{
	struct bvec_iter iter;
	struct bio_vec bvec;
	int ret = 0;

	bio_for_each_segment(bvec, bio, iter) {
		ret = copy_segment(store, &bvec, (u64)iter.bi_sector << SECTOR_SHIFT,
				   op_is_write(bio_op(bio)));
		if (ret)
			break;
	}
	return ret;
}

static int flush_disk(struct vmemstore *store, const struct vmemstore_krange *range)
{
	if (store->backing == VMEMSTORE_BACKING_DAX) {
		/* What was stored has left the caches. */
		wmb();
		return 0;
	}
	return vmemstore_flush(store, range, range ? 1 : 0);
}

/*
 * The caller sleeps while the host flushes, and only then goes on with the bio: a
 * commit block must not be stored before what it commits is durable.
 */
static void submit(struct bio *bio)
{
	struct vmemstore *store = bio->bi_bdev->bd_disk->private_data;
	struct vmemstore_krange range = {
		.offset = (u64)bio->bi_iter.bi_sector << SECTOR_SHIFT,
		.length = bio->bi_iter.bi_size,
	};
	unsigned long start = bio_start_io_acct(bio);
	int ret = 0;

	if (bio->bi_opf & REQ_PREFLUSH)
		ret = flush_disk(store, NULL);
	if (!ret && range.length) {
		ret = copy_bio(store, bio);
		if (!ret && bio->bi_opf & REQ_FUA)
			ret = flush_disk(store, &range);
	}
	bio->bi_status = errno_to_blk_status(ret);
	bio_end_io_acct(bio, start);
	bio_endio(bio);
}

/* Lock held.  The host refuses to unplug what is in use. */
static void tell_use(struct vmemstore *store)
{
	u32 in_use = store->openers > 0;

	if (store->says_use)
		virtio_cwrite_le(store->vdev, struct vmemstore_config, in_use, &in_use);
}

static int disk_opened(struct gendisk *disk)
{
	struct vmemstore *store = disk->private_data;

	mutex_lock(&store->use_lock);
	if (!store->openers++)
		tell_use(store);
	mutex_unlock(&store->use_lock);
	return 0;
}

static void disk_closed(struct gendisk *disk)
{
	struct vmemstore *store = disk->private_data;

	mutex_lock(&store->use_lock);
	if (!--store->openers)
		tell_use(store);
	mutex_unlock(&store->use_lock);
}

void vmemstore_disk_say_use(struct vmemstore *store, bool says)
{
	mutex_lock(&store->use_lock);
	store->says_use = says && virtio_has_feature(store->vdev, VMEMSTORE_F_IN_USE);
	tell_use(store);
	mutex_unlock(&store->use_lock);
}

/* Nobody has the disk open, nobody will. */
static void free_disk(struct gendisk *disk)
{
	struct vmemstore *store = disk->private_data;

	give_memory(store);
	memregion_free(store->number);
	vmemstore_put(store);
}

VMEM_DEFINE_DISK_OPEN(open, disk_opened)
VMEM_DEFINE_DISK_RELEASE(release, disk_closed)

static const struct block_device_operations disk_ops = {
	.owner		= THIS_MODULE,
	.submit_bio	= submit,
	.open		= open,
	.release	= release,
	.free_disk	= free_disk,
};

struct vmemstore *vmemstore_get(struct block_device *bdev)
{
	struct vmemstore *store;

	/* Offsets on a partition are not those in the store. */
	if (bdev_is_partition(bdev) || bdev->bd_disk->fops != &disk_ops)
		return NULL;
	store = bdev->bd_disk->private_data;
	kref_get(&store->ref);
	return store;
}
EXPORT_SYMBOL_GPL(vmemstore_get);

/* ---- the DAX device ---- */

static long direct_access(struct dax_device *dax, pgoff_t pgoff, long nr_pages,
			  enum dax_access_mode mode, void **kaddr, pfn_t *pfn)
{
	struct vmemstore *store = dax_get_private(dax);
	u64 offset = PFN_PHYS(pgoff), size = vmemstore_size(store);

	if (offset >= size)
		return -ERANGE;
	if (kaddr)
		*kaddr = store->base + offset;
	if (pfn)
		*pfn = phys_to_pfn_t(store->start + offset, PFN_DEV | PFN_MAP);
	return PHYS_PFN(size - offset);
}

static int zero_page_range(struct dax_device *dax, pgoff_t pgoff, size_t nr_pages)
{
	struct vmemstore *store = dax_get_private(dax);
	size_t i;

	for (i = 0; i < nr_pages; i++)
		copy_in(store, store->base + PFN_PHYS(pgoff + i),
			page_address(ZERO_PAGE(0)), PAGE_SIZE);
	return 0;
}

static const struct dax_operations dax_ops = {
	.direct_access	 = direct_access,
	.zero_page_range = zero_page_range,
};

static int create_dax(struct vmemstore *store)
{
	struct dax_device *dax = alloc_dax(store, &dax_ops);
	int ret;

	if (IS_ERR_OR_NULL(dax))
		return dax ? PTR_ERR(dax) : -EOPNOTSUPP;
	if (store->backing == VMEMSTORE_BACKING_DAX) {
		/* MAP_SYNC; caches to be written back, and passed by copies. */
		set_dax_synchronous(dax);
		set_dax_nocache(dax);
		dax_write_cache(dax, true);
	}
	set_dax_nomc(dax);
	ret = dax_add_host(dax, store->disk);
	if (ret) {
		kill_dax(dax);
		put_dax(dax);
		return ret;
	}
	store->dax = dax;
	return 0;
}

static void remove_dax(struct vmemstore *store)
{
	dax_remove_host(store->disk);
	kill_dax(store->dax);
	put_dax(store->dax);
}

/* ---- life ---- */

static int create_disk(struct vmemstore *store)
{
	struct gendisk *disk;

	disk = vmem_alloc_disk(memory_add_physaddr_to_nid(store->start));
	if (IS_ERR(disk))
		return PTR_ERR(disk);
	disk->fops = &disk_ops;
	disk->private_data = store;
	if (store->discards)
		vmem_disk_can_discard(disk);
	snprintf(disk->disk_name, DISK_NAME_LEN, "pmem%d", store->number);
	set_capacity(disk, store->size >> SECTOR_SHIFT);
	set_disk_ro(disk, store->readonly);
	store->disk = disk;
	return 0;
}

int vmemstore_disk_add(struct vmemstore *store)
{
	int ret;

	/* Numbers that libnvdimm takes its own from, too. */
	store->number = memregion_alloc(GFP_KERNEL);
	if (store->number < 0)
		return store->number;
	ret = show_memory(store);
	if (ret)
		goto out_number;
	ret = take_memory(store);
	if (ret)
		goto out_shown;
	ret = create_disk(store);
	if (ret)
		goto out_memory;
	ret = create_dax(store);
	if (ret)
		goto out_disk;
	kref_get(&store->ref);
	vmemstore_disk_say_use(store, true);
	ret = device_add_disk(&store->vdev->dev, store->disk, NULL);
	if (!ret)
		return 0;

	vmemstore_disk_say_use(store, false);
	vmemstore_put(store);
	remove_dax(store);
out_disk:
	put_disk(store->disk);
out_memory:
	give_memory(store);
out_shown:
	hide_memory(store);
out_number:
	memregion_free(store->number);
	return ret;
}

void vmemstore_disk_remove(struct vmemstore *store)
{
	remove_dax(store);
	del_gendisk(store->disk);
	/* A file system may still have it; the device cannot be told any more. */
	vmemstore_disk_say_use(store, false);
	hide_memory(store);
	put_disk(store->disk);
}

int vmemstore_disk_grow(struct vmemstore *store, u64 size)
{
	int ret;

	if (size > store->window || !IS_ALIGNED(size, VMEMSTORE_UNIT))
		return -EINVAL;
	ret = map_part(store, store->size, size);
	if (ret)
		return ret;
	/* Its memory is there before anybody learns of it. */
	smp_store_release(&store->size, size);
	set_capacity_and_notify(store->disk, size >> SECTOR_SHIFT);
	return 0;
}
