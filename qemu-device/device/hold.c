/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hold.c - what is in use in the guest cannot be unplugged (see hold.h)
 */
#include "qemu/osdep.h"

#include "compat.h"
#include "trace.h"
#include "vmemstore.h"

void vmemstore_hold_set(VMemStore *s, bool in_use)
{
    VMemStoreHold *hold = &s->hold;
    DeviceState *dev = vmemstore_user_device(s);

    if (in_use == hold->in_use) {
        return;
    }
    trace_vmemstore_in_use(s->path, in_use);
    hold->in_use = in_use;
    if (in_use) {
        error_setg(&hold->blocker, "vmemstore: '%s' is in use in the guest: "
                   "unmount or close it there first", s->path);
        qdev_add_unplug_blocker(dev, hold->blocker);
    } else {
        qdev_del_unplug_blocker(dev, hold->blocker);
        error_free(hold->blocker);
        hold->blocker = NULL;
    }
}
