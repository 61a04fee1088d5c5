/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compat-pmem.h - the device as a virtio-pmem, for guests without our driver
 *
 * compat=virtio-pmem: to the guest this is the virtio-pmem device of the virtio
 * specification (v1.2, 5.19), whose driver Linux has had since 5.3.  The store
 * is the same BAR; the driver finds it as the device's shared memory region
 * (Linux 6.8 and later), or by an address in the configuration space (before).
 */
#ifndef VMEMSTORE_COMPAT_PMEM_H
#define VMEMSTORE_COMPAT_PMEM_H

#include "hw/virtio/virtio.h"

typedef struct VMemStore VMemStore;

/* Understand and check compat=; before the file is opened. */
bool vmemstore_compat_parse(VMemStore *s, Error **errp);

/* What takes the place of our own, when s->compat_pmem. */
size_t vmemstore_pmem_config_size(void);
void vmemstore_pmem_get_config(VMemStore *s, uint8_t *data);
uint64_t vmemstore_pmem_features(uint64_t features);
/* VMEMSTORE_S_OK: it asks to flush the whole store. */
uint32_t vmemstore_pmem_parse_request(const VirtQueueElement *elem);
/* What the driver is to get for a VMEMSTORE_S_*. */
uint32_t vmemstore_pmem_response(const VMemStore *s, uint32_t status);

#endif /* VMEMSTORE_COMPAT_PMEM_H */
