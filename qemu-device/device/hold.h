/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hold.h - what is in use in the guest cannot be unplugged
 *
 * A PCI device goes when the guest has let go of its slot, which Linux does
 * whatever is mounted on it.  So the driver says, in the configuration space,
 * whether the store is open, and device_del is refused meanwhile.
 */
#ifndef VMEMSTORE_HOLD_H
#define VMEMSTORE_HOLD_H

typedef struct VMemStore VMemStore;

typedef struct VMemStoreHold {
    bool in_use;
    Error *blocker;         /* of the unplugging; NULL: none */
} VMemStoreHold;

/* Big QEMU lock held. */
void vmemstore_hold_set(VMemStore *s, bool in_use);

#endif /* VMEMSTORE_HOLD_H */
