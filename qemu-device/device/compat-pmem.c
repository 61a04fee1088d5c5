/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compat-pmem.c - the device as a virtio-pmem (see compat-pmem.h)
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/iov.h"
#include "standard-headers/linux/virtio_pmem.h"

#include "compat.h"
#include "vmemstore.h"

/* Virtio v1.2, 5.19: the shared memory region 0 is the memory. */
#ifndef VIRTIO_PMEM_F_SHMEM_REGION
#define VIRTIO_PMEM_F_SHMEM_REGION 0
#endif
QEMU_BUILD_BUG_ON(VMEMSTORE_SHM_ID != 0);

/* Virtio v1.2, 5.19: what a flush may return. */
#define PMEM_OK  0
#define PMEM_EIO 1

/* Both devices' answers are of the same form. */
QEMU_BUILD_BUG_ON(sizeof(struct virtio_pmem_resp) !=
                  sizeof(struct vmemstore_resp));

bool vmemstore_compat_parse(VMemStore *s, Error **errp)
{
    if (!s->compat || g_str_equal(s->compat, "none")) {
        return true;
    }
    if (!g_str_equal(s->compat, "virtio-pmem")) {
        error_setg(errp, "vmemstore: compat=%s is unknown: it is none or "
                   "virtio-pmem", s->compat);
        return false;
    }
    if (s->file.prealloc == VMEMSTORE_PREALLOC_OFF) {
        error_setg(errp, "vmemstore: compat=virtio-pmem does not go with "
                   "prealloc=off: such a guest does not ask for blocks before it "
                   "uses them");
        return false;
    }
    if (s->serial) {
        error_setg(errp, "vmemstore: compat=virtio-pmem does not go with serial=: "
                   "a virtio-pmem has none");
        return false;
    }
    s->compat_pmem = true;
    return true;
}

size_t vmemstore_pmem_config_size(void)
{
    return sizeof(struct virtio_pmem_config);
}

/*
 * Where the guest, or its firmware, has put the BAR.  By the time a driver asks,
 * it is enabled.  PCI addresses are those of memory on this machine.
 */
static uint64_t store_address(VMemStore *s)
{
    BusState *bus = qdev_get_parent_bus(DEVICE(s));
    pcibus_t address = pci_get_bar_addr(PCI_DEVICE(bus->parent), VMEMSTORE_BAR);

    return address == PCI_BAR_UNMAPPED ? 0 : address;
}

void vmemstore_pmem_get_config(VMemStore *s, uint8_t *data)
{
    struct virtio_pmem_config config = {
        .start = cpu_to_le64(store_address(s)),
        .size = cpu_to_le64(s->mapping.size),
    };

    memcpy(data, &config, sizeof(config));
}

uint64_t vmemstore_pmem_features(uint64_t features)
{
    virtio_add_feature(&features, VIRTIO_PMEM_F_SHMEM_REGION);
    return features;
}

uint32_t vmemstore_pmem_parse_request(const VirtQueueElement *elem)
{
    struct virtio_pmem_req req;

    if (iov_to_buf(elem->out_sg, elem->out_num, 0, &req, sizeof(req)) !=
        sizeof(req)) {
        return VMEMSTORE_S_INVALID;
    }
    return le32_to_cpu(req.type) == VIRTIO_PMEM_REQ_TYPE_FLUSH ?
           VMEMSTORE_S_OK : VMEMSTORE_S_UNSUPP;
}

uint32_t vmemstore_pmem_response(const VMemStore *s, uint32_t status)
{
    /*
     * A virtio-pmem cannot say that it is read-only.  So a guest that stored in
     * vain all the same is told when it asks whether that is durable.
     */
    bool vain = s->readonly && qatomic_read(&s->region.refused);

    return status == VMEMSTORE_S_OK && !vain ? PMEM_OK : PMEM_EIO;
}
