/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmemstore.h - what the vmemstore driver offers to other kernel modules
 *
 * A store is host memory behind a virtio device (docs/device.md).  The driver
 * shows it as an ordinary /dev/pmemN with DAX; a file system that knows of it
 * finds the store behind its block device with vmemstore_get() and then asks
 * for exactly the ranges that it wants durable.
 *
 * Every function may be called from several threads at once.
 */
#ifndef VMEMSTORE_H
#define VMEMSTORE_H

#include <linux/types.h>
#include "virtio_vmemstore.h"

struct block_device;
struct vmemstore;

/**
 * struct vmemstore_krange - bytes of a store
 * @offset: first byte, from the start of the store, which is that of the disk
 * @length: number of bytes, more than 0
 */
struct vmemstore_krange {
	u64 offset;
	u64 length;
};

/**
 * vmemstore_get() - find the store behind a block device
 * @bdev: an open block device
 *
 * Only the whole disk counts, so that offsets on the disk are offsets in the
 * store: a partition does not.
 *
 * Context: may sleep.
 * Return: the store, to be given back with vmemstore_put(), or NULL if there
 * is none.  It remains valid after the device is gone: then flushes fail.
 */
struct vmemstore *vmemstore_get(struct block_device *bdev);

/**
 * vmemstore_put() - give a store back
 * @store: from vmemstore_get(), or NULL
 */
void vmemstore_put(struct vmemstore *store);

/**
 * vmemstore_flush() - make ranges of the store host-durable
 * @store: the store
 * @ranges: what to flush; the device widens them to its granule
 * @nr: how many; 0 flushes the whole store
 *
 * Stores that this CPU has made before the call are flushed, non-temporal ones
 * included; those of another CPU, if they happen before the call in the sense
 * of the kernel's memory model.  More ranges than the device takes in one
 * request are sent in several, one after another; there is no order between
 * ranges.  On VMEMSTORE_BACKING_DAX, CPU caches are the caller's business.
 *
 * The call allocates no memory, so reclaim may depend on it.
 *
 * Context: sleeps until the host has answered.
 * Return: 0; -EINVAL for a range that is empty or not inside the store; -EIO
 * if the host failed to write back, now or ever before (the error is sticky:
 * the host forgets which pages it lost); -ENODEV if the device is gone.
 */
int vmemstore_flush(struct vmemstore *store,
		    const struct vmemstore_krange *ranges, unsigned int nr);

/**
 * struct vmemstore_parts - ranges in two parts, and a mark between them
 * @ranges: of both parts; what is true of those of vmemstore_flush() is here
 * @nr_first: ranges of the first part, more than 0
 * @nr: of both parts, more than @nr_first
 * @mark_offset: bytes from the start of the store, a multiple of 8
 * @mark_value: is stored there, little-endian, by one 8-byte store
 */
struct vmemstore_parts {
	const struct vmemstore_krange *ranges;
	unsigned int nr_first, nr;
	u64 mark_offset, mark_value;
};

/**
 * vmemstore_commit() - make ranges host-durable, store a mark, flush the rest
 * @store: the store
 * @parts: what is to become durable
 *
 * In that order, by one request of the device: when the first part is durable
 * the device stores the mark, and then makes the second part durable.  A
 * journal's commit record is the use of it.  Otherwise as vmemstore_flush().
 *
 * Context: sleeps until the host has answered.
 * Return: as vmemstore_flush(); after -EIO it is not known whether the mark was
 * stored.  -EOPNOTSUPP if the device cannot or there are too many ranges in the
 * second part; nothing has happened then.
 */
int vmemstore_commit(struct vmemstore *store,
		     const struct vmemstore_parts *parts);

/**
 * vmemstore_small_pages() - say where little is stored and flushed often
 * @store: the store
 * @ranges: a journal, for example; up to VMEMSTORE_MAX_RANGES
 * @nr: how many, more than 0
 *
 * A store dirties, and a flush writes, a whole page of the host.  A host that was
 * told to use huge ones (hugepages=on) uses small ones there.
 *
 * Context: sleeps until the host has answered.
 * Return: 0, also where pages are small anyway; errors as vmemstore_flush().
 */
int vmemstore_small_pages(struct vmemstore *store,
			  const struct vmemstore_krange *ranges, unsigned int nr);

/**
 * vmemstore_can_commit() - whether the device understands vmemstore_commit()
 * @store: the store
 */
bool vmemstore_can_commit(const struct vmemstore *store);

/**
 * vmemstore_thin() - whether ranges must be provisioned before their first use
 * @store: the store
 */
bool vmemstore_thin(const struct vmemstore *store);

/**
 * vmemstore_discards() - whether vmemstore_discard() is possible
 * @store: the store
 */
bool vmemstore_discards(const struct vmemstore *store);

/**
 * vmemstore_provision() - have the host find room for ranges of a thin store
 * @store: the store
 * @ranges: what is about to be used for the first time
 * @nr: how many
 *
 * Afterwards, and until they are discarded, no store to the ranges fails for
 * want of room on the host.  A store that is not thin has it anyway.
 *
 * Context: sleeps until the host has answered.
 * Return: 0; -ENOSPC if the host has no room now; -EINVAL, -EIO, -ENODEV.
 */
int vmemstore_provision(struct vmemstore *store,
			const struct vmemstore_krange *ranges, unsigned int nr);

/**
 * vmemstore_discard() - give the space of ranges back to the host
 * @store: the store
 * @ranges: what is of no use any more; whole blocks of the host in them become
 *	zeros, and must be provisioned before their next use
 * @nr: how many
 *
 * Context: sleeps until the host has answered.
 * Return: 0; -EOPNOTSUPP, -EINVAL, -EIO, -ENODEV.
 */
int vmemstore_discard(struct vmemstore *store,
		      const struct vmemstore_krange *ranges, unsigned int nr);

/**
 * vmemstore_prefetches() - whether vmemstore_prefetch() is of any use
 * @store: the store
 */
bool vmemstore_prefetches(const struct vmemstore *store);

/**
 * vmemstore_prefetch() - say what will be read soon
 * @store: the store
 * @ranges: what the host may read ahead, by large reads; VMEMSTORE_PREFETCH_MOST bytes
 *	in all, those that lie one behind the other are joined
 * @nr: how many, up to VMEMSTORE_MAX_RANGES
 * @reader: for vmemstore_was_resident(), any number but 0
 *
 * Advice: it is dropped when much of it is under way, when the machine is going to
 * sleep, or when the device cannot.
 *
 * Context: any in which interrupts are on.  Never sleeps, and waits for no answer.
 * Return: whether it was sent.
 */
bool vmemstore_prefetch(struct vmemstore *store, const struct vmemstore_krange *ranges,
			unsigned int nr, u32 reader);

/**
 * vmemstore_was_resident() - whether a reader's advice was of no use
 * @store: the store
 * @reader: as in vmemstore_prefetch()
 *
 * True if all of what the reader's last answered advice named was in the host's memory
 * already.  It may also be forgotten.
 */
bool vmemstore_was_resident(const struct vmemstore *store, u32 reader);

/**
 * vmemstore_backing() - what is behind the store
 * @store: the store
 * Return: VMEMSTORE_BACKING_*
 */
u32 vmemstore_backing(const struct vmemstore *store);

/**
 * vmemstore_generation() - the backing generation
 * @store: the store
 * @out: receives the identifier; it differs from that of an earlier mount
 *	whenever the host's page cache may have been lost in between
 */
void vmemstore_generation(const struct vmemstore *store,
			  u8 out[VMEMSTORE_GENERATION_LEN]);

/**
 * vmemstore_readonly() - whether the device refuses writes
 * @store: the store
 */
bool vmemstore_readonly(const struct vmemstore *store);

/**
 * vmemstore_cow() - whether stores go to a private copy, lost when the VM ends
 * @store: the store
 */
bool vmemstore_cow(const struct vmemstore *store);

/**
 * vmemstore_failed() - whether the host has ever lost something of the store
 * @store: the store
 *
 * A flush has failed, or a page could not be read; what was loaded from there were
 * zeros.  True also if that was under an earlier driver, as long as the device lives.
 */
bool vmemstore_failed(const struct vmemstore *store);

/**
 * vmemstore_on_loss() - be told of that without asking for a flush
 * @store: the store
 * @lost: called with @arg, once or more, at once if it has happened; NULL ends it
 * @arg: for @lost
 *
 * There is one user of it at a time.  When the call with NULL has returned, @lost is
 * not called any more.
 *
 * Context: may sleep, and so may @lost, but it must not call this function.
 */
void vmemstore_on_loss(struct vmemstore *store, void (*lost)(void *arg),
		       void *arg);

/**
 * vmemstore_size() - the size of the store
 * @store: the store
 *
 * It may become larger at any time, and never becomes smaller.  The memory of
 * what has come, too, is behind what was there, in the kernel's address space and
 * for dax_direct_access().  The disk's capacity follows.
 *
 * Return: bytes
 */
u64 vmemstore_size(const struct vmemstore *store);

#endif /* VMEMSTORE_H */
