/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * requests.h - the request queue: taken, checked, executed, answered
 */
#ifndef VMEMSTORE_REQUESTS_H
#define VMEMSTORE_REQUESTS_H

#include "flush.h"
#include "hw/virtio/virtio.h"
#include "worker.h"

typedef struct VMemStore VMemStore;

/* Descriptors in the queue, hence also the bound of flushes in flight. */
#define VMEMSTORE_QUEUE_SIZE 128

/* The doorbell. */
void vmemstore_handle_output(VirtIODevice *vdev, VirtQueue *vq);

/* Take requests that came while the VM stood still. */
void vmemstore_look_at_queue(VMemStore *s);

/* Both with the device, a VMemStore, as the opaque pointer. */
extern const VMemStoreFlusherOps vmemstore_flusher_ops;
extern const VMemStoreWorkerOps vmemstore_worker_ops;
extern const VMemStoreWorkerOps vmemstore_reader_ops;

#endif /* VMEMSTORE_REQUESTS_H */
