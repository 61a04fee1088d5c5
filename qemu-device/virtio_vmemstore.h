/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * virtio_vmemstore.h - the interface between the vmemstore device and a driver
 *
 * The whole contract in one header: the device model, the Linux driver and
 * other drivers (unikernels) include this very file.  The prose is in
 * docs/device.md.  Everything is little-endian.
 *
 * The includer provides __u8, __le16, __le32 and __le64 (a Linux or QEMU
 * build has them already; others include <linux/types.h>).
 */
#ifndef VIRTIO_VMEMSTORE_H
#define VIRTIO_VMEMSTORE_H

/*
 * Virtio device id.  63 is the highest id that the Linux 6.1 virtio-pci driver
 * binds (PCI device ids 0x1040..0x107f); it is not assigned by the virtio
 * specification (OASIS virtio v1.2, section 5).
 */
#define VIRTIO_ID_VMEMSTORE		63

/* The virtio shared-memory region (virtio v1.2, 2.10) that is the store. */
#define VMEMSTORE_SHM_ID		0

/* Virtqueues. */
#define VMEMSTORE_VQ_REQUEST		0
#define VMEMSTORE_NR_VQS		1

/* Device-specific feature bits. */
#define VMEMSTORE_F_RO			0	/* the store is read-only */
#define VMEMSTORE_F_COW			1	/* stores are private and lost with the VM */
#define VMEMSTORE_F_PROVISION		2	/* thin: PROVISION a range before its first use */
#define VMEMSTORE_F_DISCARD		3	/* DISCARD gives space back */
#define VMEMSTORE_F_PREFETCH		4	/* PREFETCH is advice that helps */
#define VMEMSTORE_F_SERIAL		5	/* the store has a serial */

#define VMEMSTORE_F_COMMIT		8	/* VMEMSTORE_REQ_COMMIT is understood */
#define VMEMSTORE_F_SMALL_PAGES		9	/* pages are huge but where SMALL_PAGES is asked for */
#define VMEMSTORE_F_GROW		10	/* the store may become larger, up to its region */
#define VMEMSTORE_F_IN_USE		11	/* the driver says when the store is in use */

/* struct vmemstore_config.backing */
#define VMEMSTORE_BACKING_PAGE_CACHE	1	/* host page cache: flush by request */
#define VMEMSTORE_BACKING_DAX		2	/* MAP_SYNC mapping: flush CPU caches */
#define VMEMSTORE_BACKING_VOLATILE	3	/* tmpfs, hugetlbfs, a copy: nothing survives the host */

/* struct vmemstore_config.state */
#define VMEMSTORE_STATE_IO_ERROR	(1u << 0) /* data was lost: sticky until the device is made anew */

#define VMEMSTORE_GENERATION_LEN	16
#define VMEMSTORE_SERIAL_LEN		20	/* as of a virtio block device */

/* Largest number of ranges that any request may carry. */
#define VMEMSTORE_MAX_RANGES		64

/* Device configuration space (virtio v1.2, 2.5); read-only but for in_use. */
struct vmemstore_config {
	__le64 size;		/* bytes of the store, from the start of the region; may grow */
	__le32 backing;		/* VMEMSTORE_BACKING_* */
	__le32 state;		/* VMEMSTORE_STATE_* */
	__u8 generation[VMEMSTORE_GENERATION_LEN];
				/* differs whenever the host page cache may have been lost */
	__le32 flush_granule;	/* bytes; ranges are widened to multiples of it */
	__le32 max_ranges;	/* ranges per request, at most VMEMSTORE_MAX_RANGES */
	__le32 space_granule;	/* bytes; PROVISION widens, DISCARD narrows ranges to multiples */
	__le32 in_use;		/* the driver writes 1 while the store is open, else 0 */
	__u8 serial[VMEMSTORE_SERIAL_LEN];
				/* with F_SERIAL: letters, digits, "-_.", then NUL bytes */
};

/* Request types. */
#define VMEMSTORE_REQ_FLUSH		1	/* make ranges host-durable */
#define VMEMSTORE_REQ_PROVISION		2	/* give ranges their place on the host's disk */
#define VMEMSTORE_REQ_DISCARD		3	/* take it away; their contents become zeros */
#define VMEMSTORE_REQ_PREFETCH		4	/* ranges will be read soon */
#define VMEMSTORE_REQ_COMMIT		8	/* the same in two parts, a mark in between */
#define VMEMSTORE_REQ_SMALL_PAGES	9	/* ranges are stored to and flushed in small pieces */

/*
 * A request is one descriptor chain: a device-readable vmemstore_req followed
 * by nr_ranges vmemstore_range, then a device-writable vmemstore_resp.
 * A FLUSH with nr_ranges == 0 flushes the whole store; the others need a range.
 */
struct vmemstore_req {
	__le32 type;		/* VMEMSTORE_REQ_* */
	__le32 nr_ranges;
};

/*
 * In place of the vmemstore_req of a COMMIT.  Makes the first nr_first ranges
 * host-durable, then stores the mark, then makes the other ranges durable, in
 * that order.  A journal's commit record must not be in memory before what it
 * commits is durable, for the host may write back any page at any time: the
 * mark is the 8-byte store that makes it valid.
 */
struct vmemstore_commit {
	__le32 type;		/* VMEMSTORE_REQ_COMMIT */
	__le32 nr_ranges;	/* of both parts */
	__le32 nr_first;	/* 1 .. nr_ranges - 1 */
	__le32 flags;		/* VMEMSTORE_COMMIT_*; other bits are 0 */
	__le64 mark_offset;	/* in the store, a multiple of 8; 0 without MARK */
	__le64 mark_value;	/* 0 without MARK */
};

#define VMEMSTORE_COMMIT_MARK	(1u << 0)	/* there is a mark */

struct vmemstore_range {
	__le64 offset;		/* bytes from the start of the store */
	__le64 length;		/* bytes, > 0 */
};

/* Bytes of one PREFETCH that are looked at; what is behind them is ignored. */
#define VMEMSTORE_PREFETCH_MOST		(16u << 20)

/* struct vmemstore_resp.status */
#define VMEMSTORE_S_OK			0
#define VMEMSTORE_S_IOERR		1	/* the host failed to write back; sticky */
#define VMEMSTORE_S_UNSUPP		2	/* request type unknown, or not offered */
#define VMEMSTORE_S_INVALID		3	/* malformed request or range outside the store */
#define VMEMSTORE_S_NOSPC		4	/* PROVISION: the host has no room */
#define VMEMSTORE_S_RESIDENT		5	/* PREFETCH: all of it was in memory */

struct vmemstore_resp {
	__le32 status;		/* VMEMSTORE_S_* */
};

#endif /* VIRTIO_VMEMSTORE_H */
