/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * internal.h - the vmemstore driver's own types
 */
#ifndef VMEMSTORE_INTERNAL_H
#define VMEMSTORE_INTERNAL_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "vmemstore.h"

/*
 * Requests in flight.  More waiters than this gain nothing: the host merges
 * what waits anyway, and a waiter here waits for the next free slot.
 */
#define VMEMSTORE_MAX_SLOTS	64

/*
 * Advice to read ahead never takes more than one slot in so many: a flush finds one
 * free.  A ring of fewer takes no advice.
 */
#define VMEMSTORE_SLOTS_PER_PREFETCH	8

/* Readers whose last advice is remembered, see vmemstore_was_resident(). */
#define VMEMSTORE_READERS		64

/* mm maps device memory in units of this (SUBSECTION_SIZE in mmzone.h). */
#define VMEMSTORE_UNIT		SZ_2M

/*
 * One request, made ready when the device is probed so that a flush allocates
 * nothing.  A slot is on the free list, or belongs to the thread that took it
 * from there until that thread puts it back.  Nobody waits for advice to read ahead:
 * its slot goes back to the list when it has been both notified and answered.
 */
struct vmemstore_slot {
	struct list_head link;		/* on vmemstore.free_slots */
	struct completion done;
	bool in_flight;			/* the device has it; under vmemstore.lock */
	bool notified;			/* PREFETCH: the sender needs it no more; ditto */
	int error;			/* valid once done */
	u32 type;			/* VMEMSTORE_REQ_* */
	u32 reader;			/* PREFETCH: who reads */
	void *start;			/* of what the device reads: its head */
	size_t length;			/* of that, bytes */

	/* What the device reads and writes, apart from what the CPU does. */
	struct vmemstore_resp resp ____cacheline_aligned;
	/* A vmemstore_req or vmemstore_commit, ending where the ranges begin. */
	u8 head[sizeof(struct vmemstore_commit)] ____cacheline_aligned;
	struct vmemstore_range ranges[];
};

static_assert(offsetof(struct vmemstore_slot, ranges) ==
	      offsetofend(struct vmemstore_slot, head));

struct vmemstore {
	struct kref ref;
	struct virtio_device *vdev;	/* valid until removal */

	/* Grows; release and acquire: what it covers is mapped. */
	u64 size;

	/* Constant after probe. */
	phys_addr_t start;
	u64 window;			/* bytes that it may grow to */
	u32 backing;
	u32 max_ranges;
	bool readonly;
	bool commits;			/* the device takes VMEMSTORE_REQ_COMMIT */
	bool small_pages;		/* ... and VMEMSTORE_REQ_SMALL_PAGES */
	bool prefetches;		/* ... and VMEMSTORE_REQ_PREFETCH */
	bool cow;
	bool thin;			/* wants ranges provisioned */
	bool discards;
	u8 generation[VMEMSTORE_GENERATION_LEN];
	u8 serial[VMEMSTORE_SERIAL_LEN];

	/* Queue: everything here is under the lock, but for the slots' done. */
	spinlock_t lock;
	struct virtqueue *vq;		/* NULL while there is none */
	bool gone;			/* the device is being or was removed */
	bool suspended;			/* requests wait for the resume */
	bool failed;			/* a flush failed: sticky; read without the lock */
	struct list_head free_slots;
	unsigned int nr_free;
	unsigned int nr_in_flight;	/* that somebody waits for */
	unsigned int nr_ahead;		/* slots of advice */
	wait_queue_head_t slot_wait;	/* for a free slot, or for all of them */
	unsigned int nr_slots;
	struct vmemstore_slot *slots[VMEMSTORE_MAX_SLOTS];

	/* Whose last advice was for what is in memory; by a hash, so it may be forgotten. */
	u32 resident[VMEMSTORE_READERS];

	/* Counters, for sysfs. */
	atomic64_t flushes;
	atomic64_t ranges;
	atomic64_t whole_flushes;
	atomic64_t commit_requests;
	atomic64_t errors;
	atomic64_t provisions;
	atomic64_t discard_requests;
	atomic64_t prefetch_requests;
	atomic64_t prefetches_dropped;

	/* The device's configuration changes. */
	struct work_struct config_work;
	struct mutex hook_lock;
	void (*lost)(void *arg);	/* under hook_lock */
	void *lost_arg;

	/* disk.c */
	struct list_head link;		/* in its list of stores */
	int number;			/* of /dev/pmemN */
	void *base;			/* of the store, in kernel memory */
	struct list_head parts;
	struct gendisk *disk;
	struct dax_device *dax;
	struct mutex use_lock;		/* for the following */
	unsigned int openers;		/* of the disk */
	bool says_use;			/* the device wants to know of them */
};

/* disk.c: /dev/pmemN */
int vmemstore_disk_add(struct vmemstore *store);
void vmemstore_disk_remove(struct vmemstore *store);
int vmemstore_disk_grow(struct vmemstore *store, u64 size);
/* From now on the device is told whether the disk is open; or not any more. */
void vmemstore_disk_say_use(struct vmemstore *store, bool says);

/* queue.c */
int vmemstore_slots_alloc(struct vmemstore *store);
void vmemstore_slots_free(struct vmemstore *store);
int vmemstore_queue_start(struct vmemstore *store);
void vmemstore_queue_stop(struct vmemstore *store);
/* Lets requests in flight end, and later ones wait, until the machine is awake again. */
void vmemstore_queue_suspend(struct vmemstore *store);
/* After vmemstore_queue_start(); if that has failed, all fail with -ENODEV from now on. */
void vmemstore_queue_resume(struct vmemstore *store, bool works);
bool vmemstore_queue_broken(struct vmemstore *store);

/* sysfs.c */
extern const struct attribute_group *vmemstore_groups[];

#endif /* VMEMSTORE_INTERNAL_H */
