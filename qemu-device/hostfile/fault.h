/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fault.h - pages of the mapping that the host cannot provide
 *
 * A load or store to a page that the host has no room for, cannot read, or
 * that lies behind the end of a file that somebody truncated, ends in SIGBUS.
 * Instead of dying, QEMU gets a zeroed page there, and the device an error that
 * sticks: what was, or would have been, in that page is lost.
 *
 * It helps under TCG, for guest code and for DMA by the main thread.  Under KVM
 * the host kernel meets the fault, and QEMU stops the VM.
 */
#ifndef VMEMSTORE_FAULT_H
#define VMEMSTORE_FAULT_H

#include "qemu/event_notifier.h"

typedef struct VMemStoreFaults {
    uint64_t granule;           /* bytes replaced at a time; a power of two */
    uint64_t lost;              /* atomic: pages replaced */
    EventNotifier notifier;     /* set after each */
    bool watched;
} VMemStoreFaults;

/*
 * Watch the mapping.  Big QEMU lock held.  False when there are too many
 * mappings or no descriptors left; SIGBUS then kills, as without us.
 */
bool vmemstore_faults_watch(VMemStoreFaults *f, void *base, uint64_t size,
                            uint64_t granule);
/* Nothing touches the mapping any more.  Harmless when not watched. */
void vmemstore_faults_forget(VMemStoreFaults *f);

/*
 * QEMU's threads start with the signal blocked, and then it kills: one that
 * touches the store must call this first, or be made by one that has.  That is
 * done for the vCPUs there are at the first watch, and for the main thread; threads
 * that QEMU makes for itself (multifd, compression, iothreads) do not.
 */
void vmemstore_faults_unblock(void);

#endif /* VMEMSTORE_FAULT_H */
