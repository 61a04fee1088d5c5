/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * region.h - the mapped file as guest memory
 */
#ifndef VMEMSTORE_REGION_H
#define VMEMSTORE_REGION_H

#include "exec/memory.h"
#include "mapping.h"

typedef struct VMemStoreRegion {
    MemoryRegion mr;
    uint64_t refused;       /* atomic: writes to a read-only store, dropped */
} VMemStoreRegion;

/*
 * The mapping has grown: so does the guest's memory.  What was there stays, and
 * where it was.  Big QEMU lock held.
 */
void vmemstore_region_grow(VMemStoreRegion *r, const VMemStoreMapping *mapping);

/*
 * Make the mapping guest memory that belongs to @owner: plain RAM, or, when it
 * is read-only, memory that is read like RAM while writes are dropped and
 * counted.  Whoever uses it keeps @owner, hence @r must be part of that: it must
 * not be an object that is part of another one, which does not live longer for
 * being used.
 */
void vmemstore_region_init(VMemStoreRegion *r, Object *owner,
                           const VMemStoreMapping *mapping);

#endif /* VMEMSTORE_REGION_H */
