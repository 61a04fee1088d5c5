// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - driver for the vmemstore device
 *
 * The device's shared-memory region becomes a libnvdimm region and so an
 * ordinary /dev/pmemN.  The region is made of one nvdimm that has no labels
 * and no commands: libnvdimm takes read-only and "has a flush" from there.
 */
#include <linux/blkdev.h>
#include <linux/dax.h>
#include <linux/memory_hotplug.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pfn_t.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "internal.h"

/* mm maps device memory in units of this (SUBSECTION_SIZE in mmzone.h). */
#define STORE_ALIGN	SZ_2M

/* The stores that vmemstore_get() can find. */
static LIST_HEAD(stores);
static DEFINE_MUTEX(stores_lock);

static void store_release(struct kref *ref)
{
	struct vmemstore *store = container_of(ref, struct vmemstore, ref);

	vmemstore_slots_free(store);
	kfree(store);
}

/*
 * Where the first byte of a DAX disk is in memory, or 0.  Asking the DAX device
 * rather than following device pointers is safe against its removal.
 */
static phys_addr_t disk_start(struct block_device *bdev)
{
	struct dax_device *dax;
	u64 offset;
	void *addr;
	pfn_t pfn;
	long ret;
	int id;

	dax = fs_dax_get_by_bdev(bdev, &offset, NULL, NULL);
	if (!dax)
		return 0;
	id = dax_read_lock();
	ret = dax_direct_access(dax, PHYS_PFN(offset), 1, DAX_ACCESS, &addr,
				&pfn);
	dax_read_unlock(id);
	fs_put_dax(dax, NULL);
	return ret > 0 ? pfn_t_to_phys(pfn) : 0;
}

struct vmemstore *vmemstore_get(struct block_device *bdev)
{
	struct vmemstore *store, *found = NULL;
	phys_addr_t start;

	/* A partition may start, but does not end, where the store does. */
	if (bdev_is_partition(bdev))
		return NULL;
	start = disk_start(bdev);
	mutex_lock(&stores_lock);
	list_for_each_entry(store, &stores, link)
		if (store->start == start && store->size == bdev_nr_bytes(bdev))
			found = store;
	if (found)
		kref_get(&found->ref);
	mutex_unlock(&stores_lock);
	return found;
}
EXPORT_SYMBOL_GPL(vmemstore_get);

void vmemstore_put(struct vmemstore *store)
{
	if (store)
		kref_put(&store->ref, store_release);
}
EXPORT_SYMBOL_GPL(vmemstore_put);

u32 vmemstore_backing(const struct vmemstore *store)
{
	return store->backing;
}
EXPORT_SYMBOL_GPL(vmemstore_backing);

void vmemstore_generation(const struct vmemstore *store,
			  u8 out[VMEMSTORE_GENERATION_LEN])
{
	memcpy(out, store->generation, VMEMSTORE_GENERATION_LEN);
}
EXPORT_SYMBOL_GPL(vmemstore_generation);

bool vmemstore_readonly(const struct vmemstore *store)
{
	return store->readonly;
}
EXPORT_SYMBOL_GPL(vmemstore_readonly);

bool vmemstore_cow(const struct vmemstore *store)
{
	return store->cow;
}
EXPORT_SYMBOL_GPL(vmemstore_cow);

bool vmemstore_thin(const struct vmemstore *store)
{
	return store->thin;
}
EXPORT_SYMBOL_GPL(vmemstore_thin);

bool vmemstore_discards(const struct vmemstore *store)
{
	return store->discards;
}
EXPORT_SYMBOL_GPL(vmemstore_discards);

bool vmemstore_failed(const struct vmemstore *store)
{
	return READ_ONCE(store->failed);
}
EXPORT_SYMBOL_GPL(vmemstore_failed);

static void tell_loss(struct vmemstore *store)
{
	mutex_lock(&store->hook_lock);
	if (vmemstore_failed(store) && store->lost)
		store->lost(store->lost_arg);
	mutex_unlock(&store->hook_lock);
}

void vmemstore_on_loss(struct vmemstore *store, void (*lost)(void *arg),
		       void *arg)
{
	mutex_lock(&store->hook_lock);
	store->lost = lost;
	store->lost_arg = arg;
	mutex_unlock(&store->hook_lock);
	tell_loss(store);
}
EXPORT_SYMBOL_GPL(vmemstore_on_loss);

u64 vmemstore_size(const struct vmemstore *store)
{
	return store->size;
}
EXPORT_SYMBOL_GPL(vmemstore_size);

/*
 * REQ_PREFLUSH and REQ_FUA on the block device.
 *
 * The caller sleeps here, and only then goes on with the bio.  (virtio_pmem
 * queues a child bio instead, which runs after the parent has stored its data:
 * a commit block may then reach the disk before what it commits.)
 */
static int region_flush(struct nd_region *region, struct bio *bio)
{
	return vmemstore_flush(nd_region_provider_data(region), NULL, 0);
}

static int read_config(struct vmemstore *store)
{
	struct virtio_device *vdev = store->vdev;
	struct virtio_shm_region shm;
	u32 state;

	if (!virtio_get_shm_region(vdev, &shm, VMEMSTORE_SHM_ID)) {
		dev_err(&vdev->dev, "the device has no shared-memory region\n");
		return -ENXIO;
	}
	virtio_cread_le(vdev, struct vmemstore_config, size, &store->size);
	virtio_cread_le(vdev, struct vmemstore_config, backing, &store->backing);
	virtio_cread_le(vdev, struct vmemstore_config, state, &state);
	virtio_cread_le(vdev, struct vmemstore_config, max_ranges,
			&store->max_ranges);
	virtio_cread_bytes(vdev, offsetof(struct vmemstore_config, generation),
			   store->generation, VMEMSTORE_GENERATION_LEN);
	store->start = shm.addr;
	store->readonly = virtio_has_feature(vdev, VMEMSTORE_F_RO);
	store->commits = virtio_has_feature(vdev, VMEMSTORE_F_COMMIT);
	store->small_pages = virtio_has_feature(vdev, VMEMSTORE_F_SMALL_PAGES);
	store->cow = virtio_has_feature(vdev, VMEMSTORE_F_COW);
	store->thin = virtio_has_feature(vdev, VMEMSTORE_F_PROVISION);
	store->discards = virtio_has_feature(vdev, VMEMSTORE_F_DISCARD);
	store->failed = state & VMEMSTORE_STATE_IO_ERROR;

	if (!store->size || store->size > shm.len) {
		dev_err(&vdev->dev, "the store (%llu bytes) is not inside its region (%llu bytes)\n",
			store->size, shm.len);
		return -EINVAL;
	}
	if (!IS_ALIGNED(store->start, STORE_ALIGN) ||
	    !IS_ALIGNED(store->size, STORE_ALIGN)) {
		dev_err(&vdev->dev, "the store (%llu bytes at %pa) is not a multiple of 2 MiB\n",
			store->size, &store->start);
		return -EINVAL;
	}
	if (store->backing < VMEMSTORE_BACKING_PAGE_CACHE ||
	    store->backing > VMEMSTORE_BACKING_VOLATILE) {
		dev_err(&vdev->dev, "unknown backing %u\n", store->backing);
		return -EINVAL;
	}
	if (!store->max_ranges || store->max_ranges > VMEMSTORE_MAX_RANGES) {
		dev_err(&vdev->dev, "bad number of ranges per request (%u)\n",
			store->max_ranges);
		return -EINVAL;
	}
	if (store->start < SZ_4G)
		dev_warn(&vdev->dev, "the store is below 4 GiB, where firmware maps memory uncached: it will be slow\n");
	if (store->failed)
		dev_warn(&vdev->dev, "the host has failed to write back parts of the store\n");
	return 0;
}

static void config_work(struct work_struct *work)
{
	struct vmemstore *store = container_of(work, struct vmemstore, config_work);
	struct virtio_device *vdev = store->vdev;
	u32 state;

	virtio_cread_le(vdev, struct vmemstore_config, state, &state);
	if (!(state & VMEMSTORE_STATE_IO_ERROR))
		return;
	if (!vmemstore_failed(store))
		dev_err(&vdev->dev,
			"the host could not read or write back a page; the store counts as failed from now on\n");
	WRITE_ONCE(store->failed, true);
	tell_loss(store);
}

static void vmemstore_config_changed(struct virtio_device *vdev)
{
	struct vmemstore *store = vdev->priv;

	schedule_work(&store->config_work);
}

static struct nvdimm *create_nvdimm(struct vmemstore *store)
{
	/* Synchronous, so that the region finds it ready. */
	unsigned long flags = BIT(NDD_REGISTER_SYNC);

	/* "Unarmed" is how a region becomes, and is shown as, read-only. */
	if (store->readonly)
		flags |= BIT(NDD_UNARMED);
	return nvdimm_create(store->bus, store, NULL, flags, 0, 0, NULL);
}

static struct nd_region *create_region(struct vmemstore *store,
				       struct nvdimm *nvdimm)
{
	struct resource res = {
		.start = store->start,
		.end = store->start + store->size - 1,
	};
	struct nd_mapping_desc mapping = {
		.nvdimm = nvdimm,
		.size = store->size,
	};
	struct nd_region_desc desc = {
		.res = &res,
		.mapping = &mapping,
		.num_mappings = 1,
		.provider_data = store,
		.numa_node = memory_add_physaddr_to_nid(res.start),
		.target_node = phys_to_target_node(res.start),
	};

	if (desc.target_node == NUMA_NO_NODE)
		desc.target_node = desc.numa_node;
	set_bit(ND_REGION_PAGEMAP, &desc.flags);
	if (store->backing != VMEMSTORE_BACKING_DAX) {
		/*
		 * The host's page cache is coherent memory: no cache-line
		 * write-back (which is what PERSIST_CACHE tells fs/dax), but
		 * a flush, and so no MAP_SYNC (which ASYNC forbids).
		 */
		set_bit(ND_REGION_PERSIST_CACHE, &desc.flags);
		set_bit(ND_REGION_ASYNC, &desc.flags);
		desc.flush = region_flush;
	}
	return nvdimm_pmem_region_create(store->bus, &desc);
}

static int register_store(struct vmemstore *store)
{
	struct nvdimm *nvdimm;

	store->bus_desc.provider_name = "vmemstore";
	store->bus_desc.module = THIS_MODULE;
	store->bus = nvdimm_bus_register(&store->vdev->dev, &store->bus_desc);
	if (!store->bus)
		return -ENOMEM;
	nvdimm = create_nvdimm(store);
	if (!nvdimm || !create_region(store, nvdimm)) {
		nvdimm_bus_unregister(store->bus);
		return -ENOMEM;
	}
	return 0;
}

static int vmemstore_validate(struct virtio_device *vdev)
{
	if (!vdev->config->get)
		return -EINVAL;
	/* Two descriptors in the ring are cheaper than an allocated table. */
	__virtio_clear_bit(vdev, VIRTIO_RING_F_INDIRECT_DESC);
	return 0;
}

static int vmemstore_probe(struct virtio_device *vdev)
{
	struct vmemstore *store;
	int ret;

	store = kzalloc(sizeof(*store), GFP_KERNEL);
	if (!store)
		return -ENOMEM;
	kref_init(&store->ref);
	spin_lock_init(&store->lock);
	init_waitqueue_head(&store->slot_wait);
	INIT_LIST_HEAD(&store->free_slots);
	INIT_WORK(&store->config_work, config_work);
	mutex_init(&store->hook_lock);
	store->vdev = vdev;
	vdev->priv = store;

	ret = read_config(store);
	if (ret)
		goto out_put;
	ret = vmemstore_queue_start(store);
	if (ret)
		goto out_put;
	ret = vmemstore_slots_alloc(store);
	if (ret)
		goto out_stop;

	/* The disk may be read, and flushed, before probe has returned. */
	virtio_device_ready(vdev);
	ret = register_store(store);
	if (ret)
		goto out_stop;
	mutex_lock(&stores_lock);
	list_add(&store->link, &stores);
	mutex_unlock(&stores_lock);
	/* What changed before the device was ready was not announced. */
	schedule_work(&store->config_work);
	return 0;

out_stop:
	vmemstore_queue_stop(store);
out_put:
	vdev->priv = NULL;
	vmemstore_put(store);
	return ret;
}

static void vmemstore_remove(struct virtio_device *vdev)
{
	struct vmemstore *store = vdev->priv;

	mutex_lock(&stores_lock);
	list_del(&store->link);
	mutex_unlock(&stores_lock);
	cancel_work_sync(&store->config_work);

	/*
	 * A device that is there answers the last flushes of a disk that goes;
	 * nobody answers those of one that was torn out.
	 */
	if (vmemstore_queue_broken(store))
		vmemstore_queue_stop(store);
	nvdimm_bus_unregister(store->bus);
	vmemstore_queue_stop(store);

	vdev->priv = NULL;
	vmemstore_put(store);
}

#ifdef CONFIG_PM_SLEEP
static int vmemstore_freeze(struct virtio_device *vdev)
{
	struct vmemstore *store = vdev->priv;

	cancel_work_sync(&store->config_work);
	vmemstore_queue_stop(store);
	return 0;
}

static int vmemstore_restore(struct virtio_device *vdev)
{
	struct vmemstore *store = vdev->priv;
	int ret;

	ret = vmemstore_queue_start(store);
	if (ret)
		return ret;
	virtio_device_ready(vdev);
	spin_lock_irq(&store->lock);
	store->gone = false;
	spin_unlock_irq(&store->lock);
	return 0;
}
#endif

static const struct virtio_device_id vmemstore_ids[] = {
	{ VIRTIO_ID_VMEMSTORE, VIRTIO_DEV_ANY_ID },
	{ 0 },
};
MODULE_DEVICE_TABLE(virtio, vmemstore_ids);

static const unsigned int vmemstore_features[] = {
	VMEMSTORE_F_RO,
	VMEMSTORE_F_COMMIT,
	VMEMSTORE_F_SMALL_PAGES,
	VMEMSTORE_F_COW,
	VMEMSTORE_F_PROVISION,
	VMEMSTORE_F_DISCARD,
};

static struct virtio_driver vmemstore_driver = {
	.driver.name		= KBUILD_MODNAME,
	.driver.owner		= THIS_MODULE,
	.driver.dev_groups	= vmemstore_groups,
	.id_table		= vmemstore_ids,
	.feature_table		= vmemstore_features,
	.feature_table_size	= ARRAY_SIZE(vmemstore_features),
	.validate		= vmemstore_validate,
	.probe			= vmemstore_probe,
	.remove			= vmemstore_remove,
	.config_changed		= vmemstore_config_changed,
#ifdef CONFIG_PM_SLEEP
	.freeze			= vmemstore_freeze,
	.restore		= vmemstore_restore,
#endif
};
module_virtio_driver(vmemstore_driver);

MODULE_DESCRIPTION("vmemstore: a host file as guest memory");
MODULE_LICENSE("GPL");
