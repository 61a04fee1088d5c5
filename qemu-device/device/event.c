/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event.c - QMP events of the device (see event.h)
 */
#include "qemu/osdep.h"
#include "qapi/qapi-emit-events.h"
#include "qapi/qmp-event.h"

#include "compat.h"
#include "event.h"

/* Takes the reference to @data. */
static void emit(const char *name, DeviceState *dev, QDict *data)
{
    QDict *event = qmp_event_build_dict(name);
    g_autofree char *path = object_get_canonical_path(OBJECT(dev));

    if (dev->id) {
        qdict_put_str(data, "device", dev->id);
    }
    qdict_put_str(data, "qom-path", path);
    qdict_put(event, "data", data);
    /* The name in the dictionary is sent; the number only decides on throttling. */
    qapi_event_emit(QAPI_EVENT_RESUME, event);
    qobject_unref(event);
}

void vmemstore_event_error(DeviceState *dev, const char *reason)
{
    QDict *data = qdict_new();

    qdict_put_str(data, "reason", reason);
    emit("VMEMSTORE_ERROR", dev, data);
}

void vmemstore_event_loss_not_noted(DeviceState *dev, const char *reason)
{
    QDict *data = qdict_new();

    qdict_put_str(data, "reason", reason);
    emit("VMEMSTORE_LOSS_NOT_NOTED", dev, data);
}

void vmemstore_event_grown(DeviceState *dev, uint64_t size)
{
    QDict *data = qdict_new();

    qdict_put_int(data, "size", size);
    emit("VMEMSTORE_GROWN", dev, data);
}

void vmemstore_event_not_grown(DeviceState *dev, const char *reason)
{
    QDict *data = qdict_new();

    qdict_put_str(data, "reason", reason);
    emit("VMEMSTORE_NOT_GROWN", dev, data);
}
