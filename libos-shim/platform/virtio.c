// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * virtio.c - the vmemstore device by modern virtio-pci, one request at a time
 *
 * docs/device.md specifies the device; section numbers are virtio v1.2's.
 */
#include <linux/types.h>

#include "platform.h"
#include "virtio_vmemstore.h"

#define DEVICE_ID	(0x1af4 | (0x1040u + VIRTIO_ID_VMEMSTORE) << 16)
#define FEATURE_VERSION_1 (1u << 0)	/* of the upper 32 bits */

/* Capabilities (4.1.4). */
#define CAP_VENDOR	9
#define CAP_COMMON	1
#define CAP_NOTIFY	2
#define CAP_DEVICE	4
#define CAP_SHM		8

/* Device status (2.1). */
#define S_ACKNOWLEDGE	1
#define S_DRIVER	2
#define S_DRIVER_OK	4
#define S_FEATURES_OK	8
#define S_NEEDS_RESET	64

#define DESC_NEXT	1
#define DESC_WRITE	2
#define QUEUE_SIZE	2		/* one request is two descriptors */
#define POLLS_PER_LOOK	(1u << 20)	/* looks at the status cost an exit */

struct common_cfg {			/* 4.1.4.3 */
	uint32_t device_feature_select, device_feature;
	uint32_t driver_feature_select, driver_feature;
	uint16_t msix_config, num_queues;
	uint8_t status, generation;
	uint16_t queue_select, queue_size, queue_vector, queue_enable, queue_notify_off;
	uint32_t desc[2], driver[2], device[2];
};

struct queue {				/* 2.7 */
	struct { uint64_t addr; uint32_t len; uint16_t flags, next; } desc[QUEUE_SIZE];
	struct { uint16_t flags, idx, ring[QUEUE_SIZE]; } avail;
	struct {
		uint16_t flags, idx;
		struct { uint32_t id, len; } ring[QUEUE_SIZE];
	} used __attribute__((aligned(4)));
};

static struct {
	volatile struct common_cfg *common;
	volatile struct vmemstore_config *config;
	volatile uint16_t *doorbell;
	uint64_t notify;		/* physical: the doorbell is at an offset */
	uint32_t notify_multiplier;
	uint64_t store, store_len;	/* physical */
	uint32_t max_ranges;
} dev;

static volatile struct queue queue __attribute__((aligned(4096)));
static struct {
	struct vmemstore_req head;
	struct vmemstore_range ranges[VMEMSTORE_MAX_RANGES];
} request __attribute__((aligned(16)));
static volatile struct vmemstore_resp response;

struct exits exits;

/* Of a variable of the image. */
static uint64_t phys_of(const volatile void *p)
{
	return (uint64_t)p - KERNEL_BASE;
}

static void find_registers(int pci)
{
	unsigned int cap;
	uint32_t head, offset, length;
	uint64_t address;

	for (cap = pci_read(pci, 0x34) & 0xfc; cap; cap = head >> 8 & 0xfc) {
		head = pci_read(pci, cap);
		if ((head & 0xff) != CAP_VENDOR)
			continue;
		if (head >> 24 != CAP_COMMON && head >> 24 != CAP_NOTIFY &&
		    head >> 24 != CAP_DEVICE && head >> 24 != CAP_SHM)
			continue;
		offset = pci_read(pci, cap + 8);
		length = pci_read(pci, cap + 12);
		address = pci_bar_address(pci, pci_read(pci, cap + 4) & 0xff) + offset;
		switch (head >> 24) {
		case CAP_COMMON:
			dev.common = map_mmio(address, sizeof(*dev.common));
			break;
		case CAP_NOTIFY:
			dev.notify = address;
			dev.notify_multiplier = pci_read(pci, cap + 16);
			break;
		case CAP_DEVICE:
			dev.config = map_mmio(address, sizeof(*dev.config));
			break;
		case CAP_SHM:
			if ((pci_read(pci, cap + 4) >> 8 & 0xff) != VMEMSTORE_SHM_ID)
				break;
			dev.store = address + ((uint64_t)pci_read(pci, cap + 16) << 32);
			dev.store_len = (uint64_t)pci_read(pci, cap + 20) << 32 | length;
			break;
		}
	}
	if (!dev.common || !dev.notify || !dev.config || !dev.store)
		fatal("the vmemstore device lacks a virtio capability");
}

/* Reset, agree on features (RO only tells), set up queue 0.  True: read-only. */
static bool start_device(void)
{
	volatile struct common_cfg *c = dev.common;
	uint32_t features;

	c->status = 0;
	while (c->status)
		;
	c->status = S_ACKNOWLEDGE | S_DRIVER;
	c->device_feature_select = 0;
	features = c->device_feature & 1u << VMEMSTORE_F_RO;
	c->driver_feature_select = 0;
	c->driver_feature = features;
	c->driver_feature_select = 1;
	c->driver_feature = FEATURE_VERSION_1;
	c->status = S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK;
	if (!(c->status & S_FEATURES_OK))
		fatal("the vmemstore device refuses the driver's features");
	c->queue_select = VMEMSTORE_VQ_REQUEST;
	c->queue_size = QUEUE_SIZE;
	c->desc[0] = (uint32_t)phys_of(&queue.desc);
	c->driver[0] = (uint32_t)phys_of(&queue.avail);
	c->device[0] = (uint32_t)phys_of(&queue.used);
	c->desc[1] = c->driver[1] = c->device[1] = 0;
	dev.doorbell = map_mmio(dev.notify + c->queue_notify_off * dev.notify_multiplier, 2);
	queue.avail.flags = 1;		/* no interrupts (2.7.7) */
	c->queue_enable = 1;
	c->status = S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK | S_DRIVER_OK;
	return features != 0;
}

/* One doorbell, then poll: no interrupt, no further exit. */
static int run_request(unsigned int nr_ranges)
{
	uint16_t next = queue.avail.idx;
	uint32_t polls = 0;

	request.head.type = VMEMSTORE_REQ_FLUSH;
	request.head.nr_ranges = nr_ranges;
	response.status = VMEMSTORE_S_IOERR;
	queue.desc[0].addr = phys_of(&request);
	queue.desc[0].len = (uint32_t)(sizeof(request.head) +
				       nr_ranges * sizeof(request.ranges[0]));
	queue.desc[0].flags = DESC_NEXT;
	queue.desc[0].next = 1;
	queue.desc[1].addr = phys_of(&response);
	queue.desc[1].len = sizeof(response);
	queue.desc[1].flags = DESC_WRITE;
	queue.avail.ring[next % QUEUE_SIZE] = 0;
	__asm__ volatile("" : : : "memory");
	queue.avail.idx = ++next;
	__asm__ volatile("mfence" : : : "memory");
	*dev.doorbell = VMEMSTORE_VQ_REQUEST;
	exits.doorbells++;
	while (queue.used.idx != next) {
		__asm__ volatile("pause");
		if (++polls % POLLS_PER_LOOK == 0 && dev.common->status & S_NEEDS_RESET)
			return -5;	/* EIO: it will never answer */
	}
	__asm__ volatile("" : : : "memory");
	return response.status == VMEMSTORE_S_OK ? 0 : -5;
}

static int store_flush(struct vmemos_platform *p, const struct vmemos_range *ranges,
		       unsigned int nr)
{
	unsigned int i, n;
	int err = 0;

	(void)p;
	for (; nr && !err; nr -= n, ranges += n) {
		n = MIN(nr, dev.max_ranges);
		for (i = 0; i < n; i++)
			request.ranges[i] = (struct vmemstore_range){
				.offset = ranges[i].offset, .length = ranges[i].length
			};
		err = run_request(n);
	}
	return err;
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

void store_init(void)
{
	const uint64_t nx = cpu.nx ? PTE_NX : 0;
	int pci = pci_find(DEVICE_ID);
	unsigned int i;

	if (pci < 0)
		fatal("no vmemstore device: give QEMU -device vmemstore,file=... "
		      "(on microvm also pcie=on)");
	find_registers(pci);
	machine.read_only = start_device();
	machine.base = (void *)VMEMOS_BASE;
	machine.size = dev.config->size;
	if (machine.size > dev.store_len)
		fatal("the vmemstore device's store is larger than its BAR");
	if (dev.store < 1ull << 32)
		say("vmemos: the store lies below 4 GiB: the firmware may have made it uncached\n");
	map_large(VMEMOS_BASE, dev.store, machine.size, PTE_WRITE | nx);
	for (i = 0; i < VMEMOS_GENERATION_LEN; i++)
		machine.generation[i] = dev.config->generation[i];
	dev.max_ranges = dev.config->max_ranges;
	if (dev.max_ranges == 0 || dev.max_ranges > VMEMSTORE_MAX_RANGES)
		dev.max_ranges = VMEMSTORE_MAX_RANGES;
	machine.backing = (enum vmemos_backing)dev.config->backing;
	if (machine.backing == VMEMOS_BACKING_PAGE_CACHE) {
		machine.flush = store_flush;
	} else if (machine.backing == VMEMOS_BACKING_DAX) {
		machine.writeback = store_writeback;
		machine.drain = store_drain;
	} else {
		machine.backing = VMEMOS_BACKING_VOLATILE;
	}
}
