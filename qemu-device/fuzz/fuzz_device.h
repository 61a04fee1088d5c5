/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_device.h - the devices that are fuzzed, one for each set of options
 *
 * A device is plugged when an input uses it for the first time, and lives on
 * from input to input.  fuzz_device_settle() brings it back to where it was, or
 * makes it anew when that cannot be.
 */
#ifndef FUZZ_DEVICE_H
#define FUZZ_DEVICE_H

#include "fuzz_request.h"
#include "hw/vmemstore/vmemstore.h"

typedef struct FuzzDevice {
    const char *options;        /* after "vmemstore,file=IMAGE," */
    bool tmpfs;                 /* where its file is */
    uint64_t size;

    char *id;
    char *image;
    char *shadow;               /* x-powercut=; or NULL */
    Driver d;
    uint8_t window;             /* the capability that is a window to the BARs */
    bool plugged;
    bool spoiled;               /* it, and its file, are to be made anew */
    bool moved;                 /* its PCI configuration is to be made anew */
} FuzzDevice;

/* Any number gives a device, plugged and up. */
FuzzDevice *fuzz_device_get(QTestState *qts, unsigned number);

VMemStore *fuzz_device_state(const FuzzDevice *f);
FuzzAbility fuzz_device_ability(FuzzDevice *f);

/* PCI configuration: anew, as firmware and driver would. */
void fuzz_device_find(FuzzDevice *f);

/* Take it away, with device_del before if @ask; false: that was refused. */
bool fuzz_device_unplug(FuzzDevice *f, bool ask);
void fuzz_device_plug(FuzzDevice *f);

/* Back to where it was, and does it still work?  For the end of an input. */
void fuzz_device_settle(FuzzDevice *f);

/* Run a request and compare its answer with what the specification says. */
void fuzz_device_check(FuzzDevice *f, const FuzzRequest *req);
void fuzz_check_status(FuzzDevice *f, const FuzzAbility *before,
                       const FuzzRequest *req, uint32_t status);

/* Let the other threads and the main loop of QEMU work for a moment. */
void fuzz_idle(void);

#endif /* FUZZ_DEVICE_H */
