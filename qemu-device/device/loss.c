/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loss.c - data of the store was lost (see loss.h)
 */
#include "qemu/osdep.h"

#include "compat.h"
#include "event.h"
#include "loss.h"
#include "notes.h"
#include "trace.h"
#include "vmemstore.h"

typedef struct Loss {
    DeviceState *dev;       /* with a reference */
    char *path;
    int fd;
    int err;
} Loss;

/* Nobody would be told by the file any more: then the user is, here and now. */
static void change_generation_done(void *opaque)
{
    Loss *loss = opaque;

    trace_vmemstore_generation_change(loss->err);
    if (loss->err) {
        g_autofree char *text = g_strdup_printf(
            "the loss of data of '%s' cannot be noted (%s): what is started next on "
            "the file will take it for whole: check it first, and let "
            VMEMSTORE_RUN_DIR " be writable", loss->path, strerror(-loss->err));

        error_report("vmemstore: %s", text);
        vmemstore_event_loss_not_noted(loss->dev, text);
    }
    object_unref(OBJECT(loss->dev));
    g_free(loss->path);
    g_free(loss);
}

/* In a thread of its own: the disk that fails may also hang. */
static void *change_generation(void *opaque)
{
    Loss *loss = opaque;

    loss->err = vmemstore_generation_change(loss->fd);
    close(loss->fd);
    aio_bh_schedule_oneshot(qemu_get_aio_context(), change_generation_done,
                            loss);
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
    Loss *loss;

    if (fd < 0) {
        return;
    }
    /* What does not wait for the disk is done before anybody can end QEMU. */
    vmemstore_note_loss(fd);
    loss = g_new0(Loss, 1);
    loss->dev = vmemstore_user_device(s);
    object_ref(OBJECT(loss->dev));
    loss->path = g_strdup(s->path);
    loss->fd = fd;
    qemu_thread_create(&thread, "vmemstore-epoch", change_generation, loss,
                       QEMU_THREAD_DETACHED);
}

void vmemstore_report_loss(VMemStore *s, const char *reason)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(s);

    if (s->state & VMEMSTORE_STATE_IO_ERROR) {
        return;
    }
    trace_vmemstore_io_error(reason);
    s->mapping.spoiled = true;
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
