/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * region.c - the mapped file as guest memory (see region.h)
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/bswap.h"
#include "exec/ramblock.h"
#include "hw/core/cpu.h"

#include "compat.h"
#include "region.h"
#include "trace.h"

/* In its normal mode a ROM device is read as memory; this is for debuggers. */
static uint64_t read_store(void *opaque, hwaddr offset, unsigned size)
{
    VMemStoreRegion *r = opaque;
    const uint8_t *bytes = memory_region_get_ram_ptr(&r->mr);

    return ldn_le_p(bytes + offset, size);
}

static void refuse_write(void *opaque, hwaddr offset, uint64_t value,
                         unsigned size)
{
    VMemStoreRegion *r = opaque;

    qatomic_inc(&r->refused);
    trace_vmemstore_refused_write(offset, size);
}

static const MemoryRegionOps readonly_ops = {
    .read = read_store,
    .write = refuse_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

/*
 * QEMU's "ROM device" reads like RAM and hands writes to a function, with every
 * accelerator (KVM: a read-only memory slot, whose writes exit).  Its own way to
 * make one allocates the memory, too, so this turns RAM over our mapping into
 * one.  A merely read-only RAM region would drop the writes unseen.
 */
static void trap_writes(VMemStoreRegion *r)
{
    r->mr.ram = false;
    r->mr.rom_device = true;
    r->mr.ops = &readonly_ops;
    r->mr.opaque = r;
}

/*
 * QEMU can make RAM longer up to the length that it once had, but only RAM that
 * it has allocated itself.  The flag says so; it is not left set, for then the
 * stream of a migration could resize it, too.
 */
static void resize(VMemStoreRegion *r, uint64_t size)
{
    RAMBlock *block = r->mr.ram_block;

    block->flags |= RAM_RESIZEABLE;
    memory_region_ram_resize(&r->mr, size, &error_abort);
    block->flags &= ~RAM_RESIZEABLE;
}

void vmemstore_region_grow(VMemStoreRegion *r, const VMemStoreMapping *mapping)
{
    /*
     * KVM of QEMU before 8.0 removes the region for a moment: an instruction that
     * it cannot emulate must not meet that.
     */
    bool pause = kvm_enabled();

    if (pause) {
        pause_all_vcpus();
    }
    resize(r, mapping->size);
    if (pause) {
        resume_all_vcpus();
    }
}

void vmemstore_region_init(VMemStoreRegion *r, Object *owner,
                           const VMemStoreMapping *mapping)
{
    memory_region_init_ram_ptr(&r->mr, owner, "vmemstore.ram",
                               mapping->max_size, mapping->base);
    if (mapping->size < mapping->max_size) {
        resize(r, mapping->size);
    }
    if (mapping->readonly) {
        trap_writes(r);
    } else {
        /* Not part of a dump of guest memory. */
        memory_region_set_nonvolatile(&r->mr, true);
    }
}
