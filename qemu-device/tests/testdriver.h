/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * testdriver.h - a small polled driver of the device, over the qtest protocol
 *
 * It shows what another driver has to do, from docs/device.md alone, and lets
 * the tests do what no driver should.
 */
#ifndef TESTDRIVER_H
#define TESTDRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>

#ifdef VMEMSTORE_STANDALONE
#include "miniqtest.h"
#include "virtio_vmemstore.h"
#else
#include "libqtest.h"
#include "hw/vmemstore/virtio_vmemstore.h"
#endif

#define QUEUE_SIZE 128

/* The device number on bus 0, in a QEMU that driver_start() starts. */
#define DEVICE_SLOT 4

/* Guest memory that the tests use. */
#define DESC_ADDR   0x100000
#define AVAIL_ADDR  0x101000
#define USED_ADDR   0x102000
#define MSI_CONFIG  0x103000    /* the MSI-X vectors write here */
#define MSI_QUEUE   0x103010
#define BUFFER_ADDR 0x110000    /* one buffer of BUFFER_SIZE per descriptor */
#define BUFFER_SIZE 0x1000

#define DESC_NEXT     1
#define DESC_WRITE    2
#define DESC_INDIRECT 4

#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER      2
#define STATUS_DRIVER_OK   4
#define STATUS_FEATURES_OK 8
#define STATUS_NEEDS_RESET 64

/* Where each part of the device was found; guest physical addresses. */
typedef struct Driver {
    QTestState *qts;
    int pid;                    /* of QEMU */
    unsigned slot;              /* the device number on bus 0 */
    void (*idle)(void);         /* in the process of QEMU: let it work; or NULL */
    uint64_t common, isr, config, notify;
    uint64_t store;             /* the shared memory region */
    uint64_t store_length;
    int store_bar;
    uint64_t store_bar_size;
    uint64_t msix_table;        /* 0: none (vectors=0) */
    uint64_t features;          /* offered by the device */
    uint16_t avail_idx;
    uint16_t used_idx;
    uint16_t used_at_reset;     /* answers in the ring when it was reset */
} Driver;

typedef struct Descriptor {
    uint64_t addr;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
} Descriptor;

/*
 * Start QEMU with @machine ("q35", "pc") and @device_options after
 * "-device vmemstore,", find the device and bring it up.
 */
void driver_start(Driver *d, const char *machine, const char *device_options);
/* The same without touching the device: a migration may bring it up. */
void driver_launch(Driver *d, const char *machine, const char *device_options);
void driver_stop(Driver *d);
/* End QEMU by SIGKILL. */
void driver_kill(Driver *d);
/* Ring the doorbell; QEMU is to end itself, by SIGKILL, before it has answered all. */
void driver_last_doorbell(Driver *d);

/* Of a device that is there, at qts and slot: place its BARs, find its parts. */
void driver_find(Driver *d);

/* Reset the device and bring it up, queue and interrupts included. */
void driver_init(Driver *d);

/* Reset the queue only, and set it up again. */
void driver_reset_queue(Driver *d);

/* PCI configuration space of the device. */
uint32_t pci_read(Driver *d, uint8_t offset);
void pci_write(Driver *d, uint8_t offset, uint32_t value);

void config_read(Driver *d, struct vmemstore_config *config);
uint8_t device_status(Driver *d);

/* A numeric property of the device, read through the monitor. */
uint64_t device_property(Driver *d, const char *name);
/* One of the numbers of its property "stats"; false: there is none of that name. */
bool find_stat(Driver *d, const char *name, uint64_t *value);

/* Queue primitives: put a descriptor, offer a head, ring, wait. */
void put_descriptor(Driver *d, unsigned index, Descriptor desc);
void offer(Driver *d, uint16_t head);
void doorbell(Driver *d);
/* Wait until @nr more requests are answered; false after 10 s. */
bool wait_used(Driver *d, unsigned nr);

uint64_t buffer(unsigned index);

/*
 * Lay out one request in the descriptors @slot and @slot + 1, @length bytes of
 * it readable by the device, without offering it.
 */
void put_request(Driver *d, unsigned slot, const void *request, size_t length);
uint32_t response_status(Driver *d, unsigned slot);

/* Offer that request, ring, wait, and return its status. */
uint32_t run_request(Driver *d, const void *request, size_t length);

/* A request of @nr ranges given as offset, length pairs; returns the status. */
uint32_t ranges_request(Driver *d, uint32_t type, uint32_t nr,
                        const uint64_t *ranges);
/* The same for a flush. */
uint32_t flush(Driver *d, uint32_t nr, const uint64_t *ranges);

/* ---- test programs ---- */

typedef struct Test {
    const char *name;           /* a sentence: the property that it shows */
    void (*run)(void);
} Test;

/*
 * Begin a test program, add its tests, run them all; the result is that of the
 * program.  In between there is a folder for files, in $VMEMSTORE_TEST_DIR if set.
 */
void tests_begin(int *argc, char ***argv);
void tests_add(const Test *tests, size_t nr);
int tests_run(void);

/* The path of a file in that folder; with a size it is made, all of it a hole. */
char *test_file(const char *name, uint64_t size);

/*
 * Have @object, beside the test program, preloaded into QEMU.  The result is @size bytes
 * of memory that both have; the environment variable @variable names the file.
 */
void *share_with_preloaded(const char *program, const char *object,
                           const char *variable, size_t size);

#endif /* TESTDRIVER_H */
