// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - driver for the vmemstore device: from its arrival to its removal
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "internal.h"

static void store_release(struct kref *ref)
{
	struct vmemstore *store = container_of(ref, struct vmemstore, ref);

	vmemstore_slots_free(store);
	kfree(store);
}

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
	return smp_load_acquire(&store->size);
}
EXPORT_SYMBOL_GPL(vmemstore_size);

static int read_config(struct vmemstore *store)
{
	struct virtio_device *vdev = store->vdev;
	struct virtio_shm_region shm;
	u32 state;

	if (!virtio_get_shm_region(vdev, &shm, VMEMSTORE_SHM_ID)) {
		dev_err(&vdev->dev, "the store has no place in the address space: give the CPU more address bits, the firmware a larger 64-bit PCI window, or the device a smaller max-size=\n");
		return -ENXIO;
	}
	virtio_cread_le(vdev, struct vmemstore_config, size, &store->size);
	virtio_cread_le(vdev, struct vmemstore_config, backing, &store->backing);
	virtio_cread_le(vdev, struct vmemstore_config, state, &state);
	virtio_cread_le(vdev, struct vmemstore_config, max_ranges,
			&store->max_ranges);
	virtio_cread_bytes(vdev, offsetof(struct vmemstore_config, generation),
			   store->generation, VMEMSTORE_GENERATION_LEN);
	if (virtio_has_feature(vdev, VMEMSTORE_F_SERIAL))
		virtio_cread_bytes(vdev, offsetof(struct vmemstore_config, serial),
				   store->serial, VMEMSTORE_SERIAL_LEN);
	store->start = shm.addr;
	store->window = shm.len;
	store->readonly = virtio_has_feature(vdev, VMEMSTORE_F_RO);
	store->commits = virtio_has_feature(vdev, VMEMSTORE_F_COMMIT);
	store->small_pages = virtio_has_feature(vdev, VMEMSTORE_F_SMALL_PAGES);
	store->prefetches = virtio_has_feature(vdev, VMEMSTORE_F_PREFETCH);
	store->cow = virtio_has_feature(vdev, VMEMSTORE_F_COW);
	store->thin = virtio_has_feature(vdev, VMEMSTORE_F_PROVISION);
	store->discards = virtio_has_feature(vdev, VMEMSTORE_F_DISCARD);
	store->failed = state & VMEMSTORE_STATE_IO_ERROR;

	if (!store->size || store->size > store->window) {
		dev_err(&vdev->dev, "the store (%llu bytes) is not inside its region (%llu bytes)\n",
			store->size, store->window);
		return -EINVAL;
	}
	if (!IS_ALIGNED(store->start, VMEMSTORE_UNIT) ||
	    !IS_ALIGNED(store->size, VMEMSTORE_UNIT)) {
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

/* The host could not read or write back a page. */
static void note_loss(struct vmemstore *store)
{
	if (!vmemstore_failed(store))
		dev_err(&store->vdev->dev,
			"the host could not read or write back a page; the store counts as failed from now on\n");
	WRITE_ONCE(store->failed, true);
	tell_loss(store);
}

static void note_size(struct vmemstore *store, u64 size)
{
	int ret;

	if (size <= store->size || !virtio_has_feature(store->vdev, VMEMSTORE_F_GROW))
		return;
	ret = vmemstore_disk_grow(store, size);
	if (ret)
		dev_err(&store->vdev->dev, "cannot grow to %llu bytes (%d)\n", size, ret);
}

static void look_at_config(struct work_struct *work)
{
	struct vmemstore *store = container_of(work, struct vmemstore, config_work);
	u32 state;
	u64 size;

	virtio_cread_le(store->vdev, struct vmemstore_config, state, &state);
	virtio_cread_le(store->vdev, struct vmemstore_config, size, &size);
	if (state & VMEMSTORE_STATE_IO_ERROR)
		note_loss(store);
	note_size(store, size);
}

/* In an interrupt. */
static void vmemstore_config_changed(struct virtio_device *vdev)
{
	struct vmemstore *store = vdev->priv;

	queue_work(system_freezable_wq, &store->config_work);
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
	INIT_LIST_HEAD(&store->parts);
	mutex_init(&store->use_lock);
	INIT_WORK(&store->config_work, look_at_config);
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
	ret = vmemstore_disk_add(store);
	if (ret)
		goto out_stop;
	/* What changed before the device was ready was not announced. */
	queue_work(system_freezable_wq, &store->config_work);
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

	cancel_work_sync(&store->config_work);

	/*
	 * A device that is there answers the last flushes of a disk that goes;
	 * nobody answers those of one that was torn out.
	 */
	if (vmemstore_queue_broken(store))
		vmemstore_queue_stop(store);
	vmemstore_disk_remove(store);
	vmemstore_queue_stop(store);

	vdev->priv = NULL;
	vmemstore_put(store);
}

#ifdef CONFIG_PM_SLEEP
static int vmemstore_freeze(struct virtio_device *vdev)
{
	struct vmemstore *store = vdev->priv;

	cancel_work_sync(&store->config_work);
	vmemstore_queue_suspend(store);
	return 0;
}

static int vmemstore_restore(struct virtio_device *vdev)
{
	struct vmemstore *store = vdev->priv;
	int ret;

	ret = vmemstore_queue_start(store);
	if (!ret)
		virtio_device_ready(vdev);
	vmemstore_queue_resume(store, !ret);
	if (ret)
		return ret;
	/* The device has forgotten it, and what has changed meanwhile was not told. */
	vmemstore_disk_say_use(store, true);
	queue_work(system_freezable_wq, &store->config_work);
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
	VMEMSTORE_F_PREFETCH,
	VMEMSTORE_F_SERIAL,
	VMEMSTORE_F_COW,
	VMEMSTORE_F_PROVISION,
	VMEMSTORE_F_DISCARD,
	VMEMSTORE_F_GROW,
	VMEMSTORE_F_IN_USE,
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
