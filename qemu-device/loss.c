/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loss.c - data of the store was lost (see loss.h)
 */
#include "qemu/osdep.h"

#include "compat.h"
#include "event.h"
#include "loss.h"
#include "trace.h"
#include "vmemstore.h"

/* In a thread of its own: the disk that fails may also hang. */
static void *change_generation(void *opaque)
{
    int fd = GPOINTER_TO_INT(opaque);
    int err = vmemstore_generation_change(fd);

    trace_vmemstore_generation_change(err);
    close(fd);
    return NULL;
}

/*
 * Whoever opens the file next must not believe that everything stored is there:
 * the error itself ends with this device.
 */
static void change_generation_soon(VMemStore *s)
{
    int fd = vmemstore_mapping_shared(&s->mapping) ?
             qemu_dup(s->mapping.fd) : -1;
    QemuThread thread;

    if (fd >= 0) {
        qemu_thread_create(&thread, "vmemstore-epoch", change_generation,
                           GINT_TO_POINTER(fd), QEMU_THREAD_DETACHED);
    }
}

void vmemstore_report_loss(VMemStore *s, const char *reason)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(s);

    if (s->state & VMEMSTORE_STATE_IO_ERROR) {
        return;
    }
    trace_vmemstore_io_error(reason);
    change_generation_soon(s);
    s->state |= VMEMSTORE_STATE_IO_ERROR;
    virtio_notify_config(vdev);
    vmemstore_event_error(vmemstore_user_device(s), reason);
}

void vmemstore_page_lost(EventNotifier *notifier)
{
    VMemStore *s = container_of(notifier, VMemStore, faults.notifier);

    if (event_notifier_test_and_clear(notifier)) {
        vmemstore_report_loss(s, VMEMSTORE_PAGE_LOST);
    }
}
