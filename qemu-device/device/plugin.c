/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plugin.c - registration, in a stock QEMU or inside a QEMU tree
 *
 * As a loadable object the device enters a stock QEMU through its TCG plugin
 * loader (which also works without TCG): the loader runs before -device is
 * looked at, and QEMU exports its symbols for plugins.  Unlike a plugin this
 * code uses QEMU's own structures, so it refuses any other QEMU than the one
 * it was built for.
 */
#include "qemu/osdep.h"
#include "qemu/module.h"

#include "compat.h"
#include "vmemstore.h"

#ifdef VMEMSTORE_LOADABLE

#include "qemu/error-report.h"
#include "qemu/qemu-plugin.h"
#include "qapi/qapi-commands-control.h"
#include "trace/control.h"

/* From trace-events, by QEMU's tracetool. */
extern TraceEvent *vmemstore_trace_events[];

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

/* The version of the QEMU binary that this object is for, "7.2.22". */
static const char built_for[] = VMEMSTORE_BUILT_FOR;

static bool same_version(void)
{
    VersionInfo *info = qmp_query_version(NULL);
    g_autofree char *running =
        g_strdup_printf("%" PRId64 ".%" PRId64 ".%" PRId64, info->qemu->major,
                        info->qemu->minor, info->qemu->micro);
    bool same = g_str_equal(running, built_for);

    if (!same) {
        error_report("vmemstore: built for QEMU %s, but this is QEMU %s (%s): "
                     "build vmemstore.so anew on this machine", built_for,
                     running, info->package);
    }
    qapi_free_VersionInfo(info);
    return same;
}

/*
 * The head of QEMU's struct TypeImpl (qom/object.c), the same from 7.2 to 10.0 at
 * least.  The function that told the size of a type is gone from 10.0.  Should the
 * head change, no size will fit, and the object is refused.
 */
typedef struct TypeHead {
    const char *name;
    size_t class_size;
    size_t instance_size;
} TypeHead;

static size_t instance_size(const char *type)
{
    ObjectClass *class = object_class_by_name(type);
    const TypeHead *head = class ? (const TypeHead *)class->type : NULL;

    return head ? head->instance_size : 0;
}

/* The headers this was compiled with and the binary must agree on layout. */
static bool same_layout(void)
{
    const struct {
        const char *type;
        size_t size;
    } types[] = {
        { TYPE_DEVICE, sizeof(DeviceState) },
        { TYPE_PCI_DEVICE, sizeof(PCIDevice) },
        { TYPE_VIRTIO_DEVICE, sizeof(VirtIODevice) },
        { TYPE_VIRTIO_PCI, sizeof(VirtIOPCIProxy) },
        { TYPE_MEMORY_REGION, sizeof(MemoryRegion) },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        size_t size = instance_size(types[i].type);

        if (size != types[i].size) {
            error_report("vmemstore: %s has %zu bytes in this QEMU and %zu in "
                         "the headers vmemstore.so was built with: build it anew "
                         "on this machine", types[i].type, size, types[i].size);
            return false;
        }
    }
    return true;
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
                                           const qemu_info_t *info,
                                           int argc, char **argv)
{
    if (!same_version() || !same_layout()) {
        return -1;
    }
    trace_event_register_group(vmemstore_trace_events);
    vmemstore_register_device();
    vmemstore_register_pci();
    return 0;
}

#else

static void vmemstore_register_types(void)
{
    vmemstore_register_device();
    vmemstore_register_pci();
}

type_init(vmemstore_register_types)

#endif
