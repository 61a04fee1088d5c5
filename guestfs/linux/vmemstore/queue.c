// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * queue.c - requests to the device
 *
 * A flush is what fsync() waits for, so the way to the device is short: take a
 * slot, fill it, add it to the ring, kick, look whether the answer is there
 * already, and only then sleep.  There are never more slots than the ring has
 * room for.
 *
 * A device may carry out a lone flush within the kick.  So the first request
 * turns the interrupt off, and whoever leaves requests in flight behind turns
 * it on (see reap_ring()): a sleeper is never without it for longer than another
 * thread's kick.
 */
#include <linux/slab.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>

#include "internal.h"

/* A descriptor for what the device reads and one for its answer. */
#define DESCRIPTORS_PER_REQUEST	2

/* An answer that the device never gives: the slot shows if it wrote none. */
#define NO_ANSWER		cpu_to_le32(~0u)

static void slot_free(struct vmemstore *store, struct vmemstore_slot *slot)
{
	list_add(&slot->link, &store->free_slots);
	store->nr_free++;
}

/* Its sender and its answer come here, in either order. */
static void prefetch_finish(struct vmemstore *store, struct vmemstore_slot *slot)
{
	if (slot->in_flight || !slot->notified)
		return;
	store->nr_ahead--;
	slot_free(store, slot);
}

static void slot_finish(struct vmemstore *store, struct vmemstore_slot *slot,
			int error)
{
	slot->in_flight = false;
	if (slot->type == VMEMSTORE_REQ_PREFETCH) {
		prefetch_finish(store, slot);
		return;
	}
	store->nr_in_flight--;
	slot->error = error;
	complete(&slot->done);
}

/* Advice was answered.  What it was for may be in memory, or else was not. */
static void note_resident(struct vmemstore *store, const struct vmemstore_slot *slot)
{
	u32 *place = &store->resident[slot->reader % VMEMSTORE_READERS];

	if (slot->resp.status == cpu_to_le32(VMEMSTORE_S_RESIDENT))
		WRITE_ONCE(*place, slot->reader);
	else if (*place == slot->reader)
		WRITE_ONCE(*place, 0);
}

/*
 * Whatever the reason, a flush that did not succeed leaves unknown what is
 * durable, and a later one cannot repair it: the host marks pages clean after
 * a failed write-back.
 */
static int slot_result(struct vmemstore *store, struct vmemstore_slot *slot,
		       unsigned int length)
{
	u32 status = le32_to_cpu(READ_ONCE(slot->resp.status));

	if (slot->type == VMEMSTORE_REQ_PREFETCH) {
		note_resident(store, slot);
		return 0;
	}
	if (length >= sizeof(slot->resp) && status == VMEMSTORE_S_OK)
		return 0;
	if (slot->type == VMEMSTORE_REQ_PROVISION || slot->type == VMEMSTORE_REQ_DISCARD)
		return status == VMEMSTORE_S_NOSPC ? -ENOSPC :
		       status == VMEMSTORE_S_UNSUPP ? -EOPNOTSUPP : -EIO;
	atomic64_inc(&store->errors);
	if (!vmemstore_failed(store))
		dev_err(&store->vdev->dev,
			"flush failed (status %u); the store counts as failed from now on\n",
			status);
	WRITE_ONCE(store->failed, true);
	return -EIO;
}

static void finish_all(struct vmemstore *store, int error)
{
	unsigned int i;

	lockdep_assert_held(&store->lock);
	for (i = 0; i < store->nr_slots; i++)
		if (store->slots[i]->in_flight)
			slot_finish(store, store->slots[i], error);
}

/* Take the answers from the ring. */
static void reap(struct vmemstore *store)
{
	struct vmemstore_slot *slot;
	unsigned int length;

	lockdep_assert_held(&store->lock);
	while ((slot = virtqueue_get_buf(store->vq, &length)))
		if (slot->in_flight)
			slot_finish(store, slot,
				    slot_result(store, slot, length));

	/* A ring that the device garbled brings no more answers. */
	if (unlikely(virtqueue_is_broken(store->vq))) {
		WRITE_ONCE(store->failed, true);
		finish_all(store, -EIO);
	}
}

/* Take what has been answered; have the device interrupt for the rest. */
static void reap_ring(struct vmemstore *store)
{
	spin_lock_irq(&store->lock);
	reap(store);
	while (store->nr_in_flight && !virtqueue_enable_cb(store->vq))
		reap(store);
	spin_unlock_irq(&store->lock);
}

static void request_done(struct virtqueue *vq)
{
	struct vmemstore *store = vq->vdev->priv;
	unsigned long flags;

	spin_lock_irqsave(&store->lock, flags);
	if (store->vq)
		reap(store);
	spin_unlock_irqrestore(&store->lock, flags);
}

static int store_error(const struct vmemstore *store)
{
	if (store->gone || !store->vq)
		return -ENODEV;
	if (vmemstore_failed(store) || virtqueue_is_broken(store->vq))
		return -EIO;
	return 0;
}

/* A machine that sleeps does nothing: who comes then waits until it wakes up. */
static bool may_go_on(const struct vmemstore *store)
{
	return !store->suspended && (store_error(store) || !list_empty(&store->free_slots));
}

static void slot_fill_ranges(struct vmemstore_slot *slot, u32 type, unsigned int nr)
{
	struct vmemstore_req *req = (void *)slot->ranges - sizeof(*req);

	req->type = cpu_to_le32(type);
	req->nr_ranges = cpu_to_le32(nr);
	slot->start = req;
}

static void slot_fill_commit(struct vmemstore_slot *slot, unsigned int nr,
			     const struct vmemstore_parts *parts)
{
	struct vmemstore_commit *commit = (void *)slot->ranges - sizeof(*commit);

	commit->type = cpu_to_le32(VMEMSTORE_REQ_COMMIT);
	commit->nr_ranges = cpu_to_le32(nr);
	commit->nr_first = cpu_to_le32(nr - (parts->nr - parts->nr_first));
	commit->flags = cpu_to_le32(VMEMSTORE_COMMIT_MARK);
	commit->mark_offset = cpu_to_le64(parts->mark_offset);
	commit->mark_value = cpu_to_le64(parts->mark_value);
	slot->start = commit;
}

static void slot_fill(struct vmemstore_slot *slot, u32 type,
		      const struct vmemstore_krange *ranges, unsigned int nr,
		      const struct vmemstore_parts *parts)
{
	unsigned int i;

	slot->type = type;
	if (parts)
		slot_fill_commit(slot, nr, parts);
	else
		slot_fill_ranges(slot, type, nr);
	for (i = 0; i < nr; i++) {
		slot->ranges[i].offset = cpu_to_le64(ranges[i].offset);
		slot->ranges[i].length = cpu_to_le64(ranges[i].length);
	}
	slot->length = (void *)&slot->ranges[nr] - slot->start;
	slot->resp.status = NO_ANSWER;
}

/* Put a filled slot on the ring.  Returns true if the device wants a kick. */
static bool slot_send(struct vmemstore *store, struct vmemstore_slot *slot)
{
	struct scatterlist out, in, *sgs[] = { &out, &in };
	int ret;

	lockdep_assert_held(&store->lock);
	sg_init_one(&out, slot->start, slot->length);
	sg_init_one(&in, &slot->resp, sizeof(slot->resp));
	reinit_completion(&slot->done);
	slot->in_flight = true;
	if (!store->nr_in_flight)
		virtqueue_disable_cb(store->vq);
	if (slot->type != VMEMSTORE_REQ_PREFETCH)
		store->nr_in_flight++;
	ret = virtqueue_add_sgs(store->vq, sgs, 1, 1, slot, GFP_ATOMIC);
	if (unlikely(ret)) {
		slot_finish(store, slot, -EIO);
		return false;
	}
	return virtqueue_kick_prepare(store->vq);
}

/*
 * One request, of at most max_ranges ranges; a commit has @parts, of which
 * @ranges are the last ones.
 */
static int run_request(struct vmemstore *store, u32 type,
		       const struct vmemstore_krange *ranges, unsigned int nr,
		       const struct vmemstore_parts *parts)
{
	struct vmemstore_slot *slot;
	bool kick;
	int ret;

	spin_lock_irq(&store->lock);
	wait_event_lock_irq(store->slot_wait, may_go_on(store), store->lock);
	ret = store_error(store);
	if (ret) {
		spin_unlock_irq(&store->lock);
		return ret;
	}
	slot = list_first_entry(&store->free_slots, struct vmemstore_slot, link);
	list_del(&slot->link);
	store->nr_free--;
	slot_fill(slot, type, ranges, nr, parts);
	kick = slot_send(store, slot);
	spin_unlock_irq(&store->lock);

	/* The slot is ours: removal waits for it and so does not free the ring. */
	if (kick)
		virtqueue_notify(store->vq);
	reap_ring(store);
	wait_for_completion(&slot->done);
	ret = slot->error;

	spin_lock_irq(&store->lock);
	slot_free(store, slot);
	spin_unlock_irq(&store->lock);
	if (wq_has_sleeper(&store->slot_wait))
		wake_up(&store->slot_wait);
	return ret;
}

static bool ranges_valid(const struct vmemstore *store,
			 const struct vmemstore_krange *ranges, unsigned int nr)
{
	u64 size = vmemstore_size(store);
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (!ranges[i].length || ranges[i].length > size ||
		    ranges[i].offset > size - ranges[i].length)
			return false;
	return true;
}

int vmemstore_flush(struct vmemstore *store,
		    const struct vmemstore_krange *ranges, unsigned int nr)
{
	unsigned int part;
	int ret;

	might_sleep();
	if (!ranges_valid(store, ranges, nr))
		return -EINVAL;

	/* Nothing here can have made it dirty. */
	if (store->readonly)
		return 0;

	/* Non-temporal stores are not ordered by the ring's own barriers. */
	wmb();

	atomic64_inc(&store->flushes);
	atomic64_add(nr, &store->ranges);
	if (!nr)
		atomic64_inc(&store->whole_flushes);
	do {
		part = min(nr, store->max_ranges);
		ret = run_request(store, VMEMSTORE_REQ_FLUSH, ranges, part, NULL);
		ranges += part;
		nr -= part;
	} while (!ret && nr);
	return ret;
}
EXPORT_SYMBOL_GPL(vmemstore_flush);

static bool parts_valid(const struct vmemstore *store,
			const struct vmemstore_parts *parts)
{
	return parts->nr_first && parts->nr_first < parts->nr &&
	       IS_ALIGNED(parts->mark_offset, 8) &&
	       parts->mark_offset < vmemstore_size(store) &&
	       ranges_valid(store, parts->ranges, parts->nr);
}

int vmemstore_commit(struct vmemstore *store,
		     const struct vmemstore_parts *parts)
{
	const struct vmemstore_krange *ranges = parts->ranges;
	unsigned int nr = parts->nr;
	int ret = 0;

	might_sleep();
	if (!parts_valid(store, parts))
		return -EINVAL;
	/* One range of the first part must be in the request, too. */
	if (!store->commits || parts->nr - parts->nr_first >= store->max_ranges)
		return -EOPNOTSUPP;
	if (store->readonly)
		return -EROFS;
	wmb();

	atomic64_inc(&store->flushes);
	atomic64_inc(&store->commit_requests);
	atomic64_add(nr, &store->ranges);
	while (!ret && nr > store->max_ranges) {
		unsigned int ahead = min(nr - store->max_ranges, store->max_ranges);

		ret = run_request(store, VMEMSTORE_REQ_FLUSH, ranges, ahead, NULL);
		ranges += ahead;
		nr -= ahead;
	}
	return ret ?: run_request(store, VMEMSTORE_REQ_COMMIT, ranges, nr, parts);
}
EXPORT_SYMBOL_GPL(vmemstore_commit);

int vmemstore_small_pages(struct vmemstore *store,
			  const struct vmemstore_krange *ranges, unsigned int nr)
{
	might_sleep();
	if (!nr || nr > store->max_ranges || !ranges_valid(store, ranges, nr))
		return -EINVAL;
	if (!store->small_pages || store->readonly)
		return 0;
	return run_request(store, VMEMSTORE_REQ_SMALL_PAGES, ranges, nr, NULL);
}
EXPORT_SYMBOL_GPL(vmemstore_small_pages);

bool vmemstore_can_commit(const struct vmemstore *store)
{
	return store->commits;
}
EXPORT_SYMBOL_GPL(vmemstore_can_commit);

static int space_request(struct vmemstore *store, u32 type,
			 const struct vmemstore_krange *ranges, unsigned int nr)
{
	unsigned int part;
	int ret = 0;

	might_sleep();
	if (!ranges_valid(store, ranges, nr))
		return -EINVAL;
	for (; nr && !ret; ranges += part, nr -= part) {
		part = min(nr, store->max_ranges);
		ret = run_request(store, type, ranges, part, NULL);
	}
	return ret;
}

int vmemstore_provision(struct vmemstore *store,
			const struct vmemstore_krange *ranges, unsigned int nr)
{
	if (!store->thin)
		return 0;
	atomic64_inc(&store->provisions);
	return space_request(store, VMEMSTORE_REQ_PROVISION, ranges, nr);
}
EXPORT_SYMBOL_GPL(vmemstore_provision);

int vmemstore_discard(struct vmemstore *store,
		      const struct vmemstore_krange *ranges, unsigned int nr)
{
	if (!store->discards)
		return -EOPNOTSUPP;
	atomic64_inc(&store->discard_requests);
	return space_request(store, VMEMSTORE_REQ_DISCARD, ranges, nr);
}
EXPORT_SYMBOL_GPL(vmemstore_discard);

/* ---- advice ---- */

bool vmemstore_prefetches(const struct vmemstore *store)
{
	return store->prefetches;
}
EXPORT_SYMBOL_GPL(vmemstore_prefetches);

bool vmemstore_was_resident(const struct vmemstore *store, u32 reader)
{
	return READ_ONCE(store->resident[reader % VMEMSTORE_READERS]) == reader;
}
EXPORT_SYMBOL_GPL(vmemstore_was_resident);

/* Ranges that lie one behind the other become one.  Returns their number. */
static unsigned int slot_join_ranges(struct vmemstore_slot *slot,
				     const struct vmemstore_krange *ranges, unsigned int nr)
{
	struct vmemstore_krange last = ranges[0];
	unsigned int i, joined = 0;

	for (i = 1; i <= nr; i++) {
		if (i < nr && ranges[i].offset == last.offset + last.length) {
			last.length += ranges[i].length;
			continue;
		}
		slot->ranges[joined].offset = cpu_to_le64(last.offset);
		slot->ranges[joined++].length = cpu_to_le64(last.length);
		if (i < nr)
			last = ranges[i];
	}
	return joined;
}

static void slot_fill_prefetch(struct vmemstore_slot *slot, const struct vmemstore_krange *ranges,
			       unsigned int nr, u32 reader)
{
	nr = slot_join_ranges(slot, ranges, nr);
	slot->type = VMEMSTORE_REQ_PREFETCH;
	slot_fill_ranges(slot, VMEMSTORE_REQ_PREFETCH, nr);
	slot->length = (void *)&slot->ranges[nr] - slot->start;
	slot->resp.status = NO_ANSWER;
	slot->reader = reader;
	slot->notified = false;
}

/*
 * Answers to advice cause no interrupt: they are looked for here, and with those of
 * other requests.
 */
static struct vmemstore_slot *take_slot_for_advice(struct vmemstore *store)
{
	struct vmemstore_slot *slot;

	lockdep_assert_held(&store->lock);
	if (store->suspended || store_error(store))
		return NULL;
	reap(store);
	if (store->nr_ahead >= store->nr_slots / VMEMSTORE_SLOTS_PER_PREFETCH ||
	    store->nr_free <= store->nr_slots / 2)
		return NULL;
	slot = list_first_entry(&store->free_slots, struct vmemstore_slot, link);
	list_del(&slot->link);
	store->nr_free--;
	store->nr_ahead++;
	return slot;
}

bool vmemstore_prefetch(struct vmemstore *store, const struct vmemstore_krange *ranges,
			unsigned int nr, u32 reader)
{
	struct vmemstore_slot *slot;
	bool kick = false;

	if (!store->prefetches || !nr || nr > store->max_ranges ||
	    !ranges_valid(store, ranges, nr))
		return false;
	spin_lock_irq(&store->lock);
	slot = take_slot_for_advice(store);
	if (slot) {
		slot_fill_prefetch(slot, ranges, nr, reader);
		kick = slot_send(store, slot);
	}
	spin_unlock_irq(&store->lock);
	if (!slot) {
		atomic64_inc(&store->prefetches_dropped);
		return false;
	}
	atomic64_inc(&store->prefetch_requests);

	/* The slot is not free before this, and so removal waits. */
	if (kick)
		virtqueue_notify(store->vq);
	spin_lock_irq(&store->lock);
	slot->notified = true;
	prefetch_finish(store, slot);
	/* Removal may wait for this slot. */
	if (unlikely(store->gone))
		wake_up_all(&store->slot_wait);
	spin_unlock_irq(&store->lock);
	return true;
}
EXPORT_SYMBOL_GPL(vmemstore_prefetch);

int vmemstore_queue_start(struct vmemstore *store)
{
	struct virtqueue *vq;

	vq = virtio_find_single_vq(store->vdev, request_done, "requests");
	if (IS_ERR(vq))
		return PTR_ERR(vq);
	if (virtqueue_get_vring_size(vq) < DESCRIPTORS_PER_REQUEST) {
		store->vdev->config->del_vqs(store->vdev);
		return -EINVAL;
	}
	spin_lock_irq(&store->lock);
	store->vq = vq;
	spin_unlock_irq(&store->lock);
	return 0;
}

/**
 * vmemstore_queue_stop() - reset the device and let everyone who waits go
 * @store: the store
 *
 * Flushes in flight and later ones fail with -ENODEV.
 */
void vmemstore_queue_stop(struct vmemstore *store)
{
	if (!store->vq)
		return;
	virtio_reset_device(store->vdev);

	spin_lock_irq(&store->lock);
	store->gone = true;
	finish_all(store, -ENODEV);
	wake_up_all(&store->slot_wait);
	wait_event_lock_irq(store->slot_wait, store->nr_free == store->nr_slots,
			    store->lock);
	store->vq = NULL;
	spin_unlock_irq(&store->lock);

	store->vdev->config->del_vqs(store->vdev);
}

void vmemstore_queue_suspend(struct vmemstore *store)
{
	spin_lock_irq(&store->lock);
	store->suspended = true;
	/* The device answers still; a flush that is cut off would count as failed. */
	wait_event_lock_irq(store->slot_wait,
			    store->nr_free + store->nr_ahead == store->nr_slots ||
			    virtqueue_is_broken(store->vq),
			    store->lock);
	spin_unlock_irq(&store->lock);
	vmemstore_queue_stop(store);
}

void vmemstore_queue_resume(struct vmemstore *store, bool works)
{
	spin_lock_irq(&store->lock);
	store->gone = !works;
	store->suspended = false;
	wake_up_all(&store->slot_wait);
	spin_unlock_irq(&store->lock);
}

bool vmemstore_queue_broken(struct vmemstore *store)
{
	return !store->vq || virtqueue_is_broken(store->vq);
}

void vmemstore_slots_free(struct vmemstore *store)
{
	unsigned int i;

	for (i = 0; i < store->nr_slots; i++)
		kfree(store->slots[i]);
}

/* As many slots as the ring takes, with room for the ranges of a request. */
int vmemstore_slots_alloc(struct vmemstore *store)
{
	unsigned int i, nr;

	nr = min_t(unsigned int, VMEMSTORE_MAX_SLOTS,
		   virtqueue_get_vring_size(store->vq) / DESCRIPTORS_PER_REQUEST);
	for (i = 0; i < nr; i++) {
		struct vmemstore_slot *slot;

		slot = kzalloc(struct_size(slot, ranges, store->max_ranges),
			       GFP_KERNEL);
		if (!slot)
			return -ENOMEM;
		init_completion(&slot->done);
		store->slots[store->nr_slots++] = slot;
		list_add_tail(&slot->link, &store->free_slots);
		store->nr_free++;
	}
	return 0;
}
