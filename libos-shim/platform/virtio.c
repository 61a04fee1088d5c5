// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * virtio.c - the vmemstore device by modern virtio-pci, one request at a time
 *
 * docs/device.md specifies the device; section numbers are virtio v1.2's.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>

#include "platform.h"
#include "virtio_vmemstore.h"

#define DEVICE_ID	(0x1af4 | (0x1040u + VIRTIO_ID_VMEMSTORE) << 16)
#define CAP_SHM		8		/* VIRTIO_PCI_CAP_SHARED_MEMORY_CFG (4.1.4.7) */
#define READY		(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
			 VIRTIO_CONFIG_S_FEATURES_OK)
#define WANTED		(1u << VMEMSTORE_F_RO | 1u << VMEMSTORE_F_PROVISION | 1u << VMEMSTORE_F_COMMIT)

#define QUEUE_SIZE	4		/* one request is three descriptors */
#define POLLS_PER_LOOK	(1u << 20)	/* looks at the status cost an exit */

/* Any capability of the device (4.1.4). */
union capability {
	struct virtio_pci_cap64 at;
	struct virtio_pci_notify_cap notify;
	uint32_t words[6];
};

static struct {
	volatile struct virtio_pci_common_cfg *common;
	volatile struct vmemstore_config *config;
	volatile uint16_t *doorbell;
	uint64_t notify;		/* physical: the doorbell is at an offset */
	uint32_t notify_multiplier, features;
	uint64_t store, store_len;	/* physical */
	uint32_t max_ranges;
} dev;

static struct vring queue;
static uint8_t queue_memory[512] __attribute__((aligned(4096)));
static struct vmemstore_commit head;	/* begins as struct vmemstore_req does */
static struct vmemstore_range sent[VMEMSTORE_MAX_RANGES];
static volatile struct vmemstore_resp response;

struct exits exits;

/* Of a variable of the image. */
static uint64_t phys_of(const volatile void *p)
{
	return (uint64_t)p - KERNEL_BASE;
}

static void take_capability(int pci, const union capability *c)
{
	uint64_t address = pci_bar_address(pci, c->at.cap.bar) + c->at.cap.offset;

	switch (c->at.cap.cfg_type) {
	case VIRTIO_PCI_CAP_COMMON_CFG:
		dev.common = map_mmio(address, sizeof(*dev.common));
		break;
	case VIRTIO_PCI_CAP_NOTIFY_CFG:
		dev.notify = address;
		dev.notify_multiplier = c->notify.notify_off_multiplier;
		break;
	case VIRTIO_PCI_CAP_DEVICE_CFG:
		dev.config = map_mmio(address, sizeof(*dev.config));
		break;
	case CAP_SHM:
		if (c->at.cap.id != VMEMSTORE_SHM_ID)
			break;
		dev.store = address + ((uint64_t)c->at.offset_hi << 32);
		dev.store_len = (uint64_t)c->at.length_hi << 32 | c->at.cap.length;
		break;
	}
}

static void find_registers(int pci)
{
	unsigned int cap, i;
	union capability c;

	for (cap = pci_read(pci, PCI_CAPABILITY_LIST) & 0xfc; cap; cap = c.at.cap.cap_next & 0xfc) {
		for (i = 0; i < 6; i++)
			c.words[i] = pci_read(pci, cap + 4 * i);
		/* The way through configuration space has no BAR. */
		if (c.at.cap.cap_vndr == PCI_CAP_ID_VNDR && c.at.cap.cfg_type != VIRTIO_PCI_CAP_PCI_CFG)
			take_capability(pci, &c);
	}
	if (!dev.common || !dev.notify || !dev.config || !dev.store)
		fatal("the vmemstore device lacks a virtio capability");
}

/* Reset, agree on features, set up queue 0. */
static void start_device(void)
{
	volatile struct virtio_pci_common_cfg *c = dev.common;

	c->device_status = 0;
	while (c->device_status)
		;
	c->device_status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;
	c->device_feature_select = 0;
	dev.features = c->device_feature & WANTED;
	c->guest_feature_select = 0;
	c->guest_feature = dev.features;
	c->guest_feature_select = 1;
	c->guest_feature = 1u << (VIRTIO_F_VERSION_1 - 32);
	c->device_status = READY;
	if (!(c->device_status & VIRTIO_CONFIG_S_FEATURES_OK))
		fatal("the vmemstore device refuses the driver's features");
	vring_init(&queue, QUEUE_SIZE, queue_memory, 64);
	queue.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	c->queue_select = VMEMSTORE_VQ_REQUEST;
	c->queue_size = QUEUE_SIZE;
	c->queue_desc_lo = (uint32_t)phys_of(queue.desc);
	c->queue_avail_lo = (uint32_t)phys_of(queue.avail);
	c->queue_used_lo = (uint32_t)phys_of(queue.used);
	c->queue_desc_hi = c->queue_avail_hi = c->queue_used_hi = 0;
	dev.doorbell = map_mmio(dev.notify + c->queue_notify_off * dev.notify_multiplier, 2);
	c->queue_enable = 1;
	c->device_status = READY | VIRTIO_CONFIG_S_DRIVER_OK;
}

/*
 * One doorbell, then poll: no interrupt, no further exit.  Nor does it yield, so on
 * one CPU with cooperative threads, as Unikraft has them, requests never overlap.
 */
static int run_request(uint32_t type, const struct vmemos_range *ranges, unsigned int nr)
{
	const volatile uint16_t *used = &queue.used->idx;
	uint16_t next = (uint16_t)(queue.avail->idx + 1);
	uint32_t polls = 0, length = type == VMEMSTORE_REQ_COMMIT ? sizeof(head) :
								     sizeof(struct vmemstore_req);
	unsigned int i;

	head.type = type;
	head.nr_ranges = nr;
	for (i = 0; i < nr; i++)
		sent[i] = (struct vmemstore_range){ ranges[i].offset, ranges[i].length };
	response.status = VMEMSTORE_S_IOERR;
	queue.desc[0] = (struct vring_desc){ phys_of(&head), length, VRING_DESC_F_NEXT, 1 };
	queue.desc[1] = (struct vring_desc){ phys_of(sent), nr * (uint32_t)sizeof(sent[0]),
					     VRING_DESC_F_NEXT, 2 };
	queue.desc[2] = (struct vring_desc){ phys_of(&response), sizeof(response),
					     VRING_DESC_F_WRITE, 0 };
	__asm__ volatile("" : : : "memory");
	queue.avail->idx = next;	/* each of its ring's entries is 0, the first descriptor */
	__asm__ volatile("mfence" : : : "memory");
	*dev.doorbell = VMEMSTORE_VQ_REQUEST;
	exits.doorbells++;
	while (*used != next) {
		__asm__ volatile("pause");
		if (++polls % POLLS_PER_LOOK == 0 &&
		    dev.common->device_status & VIRTIO_CONFIG_S_NEEDS_RESET)
			return -EIO;	/* it will never answer */
	}
	__asm__ volatile("" : : : "memory");
	return response.status == VMEMSTORE_S_OK ? 0 :
	       response.status == VMEMSTORE_S_NOSPC ? -ENOSPC : -EIO;
}

static int store_flush(struct vmemos_platform *p, const struct vmemos_range *ranges,
		       unsigned int nr)
{
	unsigned int n;
	int err = 0;

	(void)p;
	for (; nr && !err; nr -= n, ranges += n) {
		n = MIN(nr, dev.max_ranges);
		err = run_request(VMEMSTORE_REQ_FLUSH, ranges, n);
	}
	return err;
}

static int store_commit(struct vmemos_platform *p, const struct vmemos_commit *c)
{
	/* What does not fit goes ahead; of the first part one range must remain. */
	unsigned int ahead = c->nr > dev.max_ranges ? c->nr - dev.max_ranges : 0;
	int err;

	if (ahead >= c->nr_first)
		return -EOPNOTSUPP;
	err = store_flush(p, c->ranges, ahead);
	head.nr_first = c->nr_first - ahead;
	head.flags = VMEMSTORE_COMMIT_MARK;
	head.mark_offset = c->mark_offset;
	head.mark_value = c->mark_value;
	return err ? err : run_request(VMEMSTORE_REQ_COMMIT, c->ranges + ahead, c->nr - ahead);
}

static int store_provision(struct vmemos_platform *p, const struct vmemos_range *range)
{
	(void)p;
	return run_request(VMEMSTORE_REQ_PROVISION, range, 1);
}

/* Write cache lines back by the best instruction that there is. */
static void store_writeback(struct vmemos_platform *p, const void *addr, size_t len)
{
	const volatile char *line = (const volatile char *)((uintptr_t)addr & ~63ull);
	const volatile char *end = (const volatile char *)addr + len;

	(void)p;
	for (; line < end; line += 64) {
		if (cpu.clwb)
			__asm__ volatile("clwb %0" : : "m"(*line) : "memory");
		else if (cpu.clflushopt)
			__asm__ volatile("clflushopt %0" : : "m"(*line) : "memory");
		else
			__asm__ volatile("clflush %0" : : "m"(*line) : "memory");
	}
}

static void store_drain(struct vmemos_platform *p)
{
	(void)p;
	__asm__ volatile("sfence" : : : "memory");
}

int store_init(void)
{
	int pci = pci_find(DEVICE_ID);
	unsigned int i;

	if (pci < 0)
		return -ENODEV;
	find_registers(pci);
	start_device();
	machine.read_only = dev.features >> VMEMSTORE_F_RO & 1;
	machine.base = (void *)VMEMOS_BASE;
	machine.size = dev.config->size;
	if (machine.size > dev.store_len)
		fatal("the vmemstore device's store is larger than its BAR");
	if (dev.store < 1ull << 32)
		say("vmemos: the store lies below 4 GiB: the firmware may have made it uncached\n");
	map_large(VMEMOS_BASE, dev.store, machine.size, PTE_WRITE | PTE_USER | cpu.nx);
	for (i = 0; i < VMEMOS_GENERATION_LEN; i++)
		machine.generation[i] = dev.config->generation[i];
	dev.max_ranges = dev.config->max_ranges;
	if (dev.max_ranges == 0 || dev.max_ranges > VMEMSTORE_MAX_RANGES)
		dev.max_ranges = VMEMSTORE_MAX_RANGES;
	if (dev.features >> VMEMSTORE_F_PROVISION & 1)
		machine.provision = store_provision;
	machine.backing = (enum vmemos_backing)dev.config->backing;
	if (machine.backing == VMEMOS_BACKING_PAGE_CACHE) {
		machine.flush = store_flush;
		machine.commit = dev.features >> VMEMSTORE_F_COMMIT & 1 ? store_commit : NULL;
	} else if (machine.backing == VMEMOS_BACKING_DAX) {
		machine.writeback = store_writeback;
		machine.drain = store_drain;
	} else {
		machine.backing = VMEMOS_BACKING_VOLATILE;
	}
	return 0;
}
