/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmemstore-pci.c - the device on PCI: the store as a BAR
 */
#include "qemu/osdep.h"
#include "qemu/module.h"
#include "qemu/units.h"
#include "standard-headers/linux/virtio_pci.h"

#include "qapi/visitor.h"

#include "compat.h"
#include "insight.h"
#include "vmemstore.h"

#define TYPE_VMEMSTORE_PCI "vmemstore"
OBJECT_DECLARE_SIMPLE_TYPE(VMemStorePCI, VMEMSTORE_PCI)

struct VMemStorePCI {
    VirtIOPCIProxy parent_obj;
    VMemStore vdev;
    MemoryRegion bar;       /* container: the store, then nothing */
    PCIConfigWriteFunc *config_write;   /* virtio-pci's */
    MemoryRegionOps common_ops;         /* virtio-pci's, but for write */
    void (*common_write)(void *opaque, hwaddr address, uint64_t value,
                         unsigned length);      /* virtio-pci's */
};

/* Virtio v1.2, 4.1.2.1: PCI device id = 0x1040 + virtio device id. */
#define VMEMSTORE_PCI_DEVICE_ID (0x1040 + VIRTIO_ID_VMEMSTORE)

/* Virtio v1.2, 4.1.4.7: where the driver finds the shared memory region. */
static bool add_shm_capability(PCIDevice *dev, uint64_t length, Error **errp)
{
    struct virtio_pci_cap64 cap = {
        .cap = {
            .cap_len = sizeof(cap),
            .cfg_type = VIRTIO_PCI_CAP_SHARED_MEMORY_CFG,
            .bar = VMEMSTORE_BAR,
            .id = VMEMSTORE_SHM_ID,
            .length = cpu_to_le32((uint32_t)length),
        },
        .length_hi = cpu_to_le32(length >> 32),
    };
    int pos = pci_add_capability(dev, PCI_CAP_ID_VNDR, 0, sizeof(cap), errp);

    if (pos < 0) {
        return false;
    }
    /* The first two bytes are PCI's: the id and the link to the next. */
    memcpy(dev->config + pos + PCI_CAP_FLAGS,
           (uint8_t *)&cap + PCI_CAP_FLAGS, sizeof(cap) - PCI_CAP_FLAGS);
    return true;
}

/*
 * The doorbell can also be rung through a window in PCI configuration space.
 * The bus is then in the middle of an access, and must not be entered again by
 * another vCPU: so nothing that lets go of the big QEMU lock.
 */
static void vmemstore_config_write(PCIDevice *pci, uint32_t address,
                                   uint32_t value, int length)
{
    VMemStorePCI *dev = VMEMSTORE_PCI(pci);
    bool may_run = dev->vdev.may_run_in_vcpu;

    dev->vdev.may_run_in_vcpu = false;
    dev->config_write(pci, address, value, length);
    dev->vdev.may_run_in_vcpu = may_run;
}

/*
 * A queue keeps its size while it is enabled, as the specification has it (virtio
 * v1.2, 4.1.4.3.2: queue_size is written before).  QEMU's virtio maps the rings when
 * the queue is enabled, but would take a later size for that of the mapping, and end
 * by an assertion.
 */
static void vmemstore_common_write(void *opaque, hwaddr address, uint64_t value,
                                   unsigned length)
{
    VirtIOPCIProxy *proxy = opaque;
    uint16_t queue = VIRTIO_DEVICE(&VMEMSTORE_PCI(proxy)->vdev)->queue_sel;

    if (address != VIRTIO_PCI_COMMON_Q_SIZE || queue >= VIRTIO_QUEUE_MAX ||
        !proxy->vqs[queue].enabled) {
        VMEMSTORE_PCI(proxy)->common_write(opaque, address, value, length);
    }
}

static void keep_queue_sizes(VMemStorePCI *dev)
{
    MemoryRegion *registers = &VIRTIO_PCI(dev)->common.mr;

    dev->common_ops = *registers->ops;
    dev->common_write = dev->common_ops.write;
    dev->common_ops.write = vmemstore_common_write;
    registers->ops = &dev->common_ops;
}

/*
 * A BAR lies at a multiple of its size, and firmware keeps to a part of the address
 * space: OVMF to the last eighth of it, microvm to the last quarter.
 */
static bool check_address_space(VMemStorePCI *dev, uint64_t window, Error **errp)
{
    Object *cpu = first_cpu ? OBJECT(first_cpu) : NULL;
    const char *file = dev->vdev.file.path;
    uint64_t bits;

    /* Of x86 only; 0 when the CPU does not know either. */
    if (!cpu || !object_property_find(cpu, "phys-bits")) {
        return true;
    }
    bits = object_property_get_uint(cpu, "phys-bits", NULL);
    if (bits == 0 || bits > 62) {
        return true;
    }
    if (window >> bits) {
        error_setg(errp, "vmemstore: '%s' needs %" PRIu64 " GiB of address space, "
                   "but the CPU's addresses have %" PRIu64 " bits: give the CPU "
                   "more (with KVM: host-phys-bits=on), or a smaller max-size=",
                   file, window / GiB, bits);
        return false;
    }
    if (window >> (bits - 3) > 1) {
        warn_report("vmemstore: '%s' needs %" PRIu64 " GiB of address space, which "
                    "firmware may not find with addresses of %" PRIu64 " bits: give "
                    "the CPU more (with KVM: host-phys-bits=on), or a smaller "
                    "max-size=", file, window / GiB, bits);
    }
    return true;
}

/*
 * Firmware gives a port that is empty a small window, and a guest can seldom make it
 * larger.
 */
static void check_port(VMemStorePCI *dev, uint64_t window)
{
    PCIDevice *port = pci_bridge_get_device(pci_get_bus(PCI_DEVICE(dev)));
    uint64_t base, limit;

    if (!port || !DEVICE(dev)->hotplugged) {
        return;
    }
    base = pci_bridge_get_base(port, PCI_BASE_ADDRESS_MEM_PREFETCH);
    limit = pci_bridge_get_limit(port, PCI_BASE_ADDRESS_MEM_PREFETCH);
    if (limit < base || limit - base < window) {
        warn_report("vmemstore: '%s' needs %" PRIu64 " GiB of address space, but "
                    "firmware has set aside less for this port: if the guest finds "
                    "no place for it, start the VM with pref64-reserve=%" PRIu64 "G "
                    "for the port", dev->vdev.file.path, window / GiB,
                    2 * window / GiB);
    }
}

static void vmemstore_pci_realize(VirtIOPCIProxy *proxy, Error **errp)
{
    VMemStorePCI *dev = VMEMSTORE_PCI(proxy);
    PCIDevice *pci = PCI_DEVICE(proxy);
    uint64_t size, window;

    if (proxy->flags & VIRTIO_PCI_FLAG_MODERN_PIO_NOTIFY) {
        error_setg(errp, "vmemstore: modern-pio-notify=on is not supported: its "
                   "BAR is taken by the store");
        return;
    }
    if (proxy->flags & VIRTIO_PCI_FLAG_USE_IOEVENTFD &&
        dev->vdev.run_in_vcpu == ON_OFF_AUTO_ON) {
        error_setg(errp, "vmemstore: flush-in-vcpu=on does not go with ioeventfd=on, "
                   "by which the main loop takes the doorbell: leave one of them out");
        return;
    }
    virtio_pci_force_virtio_1(proxy);
    if (!qdev_realize(DEVICE(&dev->vdev), BUS(&proxy->bus), errp)) {
        return;
    }
    if (!dev->vdev.compat_pmem) {
        pci_config_set_device_id(pci->config, VMEMSTORE_PCI_DEVICE_ID);
    }
    dev->config_write = pci->config_write;
    pci->config_write = vmemstore_config_write;
    keep_queue_sizes(dev);
    dev->vdev.may_run_in_vcpu = vmemstore_allow_reentry(&proxy->notify.mr);

    size = dev->vdev.mapping.max_size;
    window = MAX(pow2ceil(size), VMEMSTORE_ROOM_MIN);
    if (!check_address_space(dev, window, errp) ||
        !add_shm_capability(pci, size, errp)) {
        qdev_unrealize(DEVICE(&dev->vdev));
        vmemstore_give_up(&dev->vdev);
        return;
    }
    check_port(dev, window);
    memory_region_init(&dev->bar, OBJECT(dev), "vmemstore.bar", window);
    memory_region_add_subregion(&dev->bar, 0, &dev->vdev.region.mr);
    pci_register_bar(pci, VMEMSTORE_BAR,
                     PCI_BASE_ADDRESS_SPACE_MEMORY |
                     PCI_BASE_ADDRESS_MEM_TYPE_64 |
                     PCI_BASE_ADDRESS_MEM_PREFETCH, &dev->bar);
}

/* While the store is in the BAR, it keeps the device that both belong to. */
static void vmemstore_pci_exit(PCIDevice *pci)
{
    VMemStorePCI *dev = VMEMSTORE_PCI(pci);
    ObjectClass *parent = object_class_by_name(TYPE_VIRTIO_PCI);

    memory_region_del_subregion(&dev->bar, &dev->vdev.region.mr);
    PCI_DEVICE_CLASS(parent)->exit(pci);
}

/*
 * Only here is it certain that no vCPU and no DMA uses the memory any more:
 * they hold a reference to the owner of the region, which is this.
 */
static void vmemstore_pci_instance_finalize(Object *obj)
{
    vmemstore_close(&VMEMSTORE_PCI(obj)->vdev);
}

static char *get_backing(Object *obj, Error **errp)
{
    switch (VMEMSTORE_PCI(obj)->vdev.mapping.backing) {
    case VMEMSTORE_BACKING_PAGE_CACHE:
        return g_strdup("page-cache");
    case VMEMSTORE_BACKING_DAX:
        return g_strdup("dax");
    case VMEMSTORE_BACKING_VOLATILE:
        return g_strdup("volatile");
    default:
        return g_strdup("none");        /* not realized yet */
    }
}

static char *get_generation(Object *obj, Error **errp)
{
    const uint8_t *bytes = VMEMSTORE_PCI(obj)->vdev.mapping.generation;
    GString *text = g_string_new("");

    for (size_t i = 0; i < VMEMSTORE_GENERATION_LEN; i++) {
        g_string_append_printf(text, "%02x", bytes[i]);
    }
    return g_string_free(text, false);
}

static void vmemstore_pci_instance_init(Object *obj)
{
    VMemStorePCI *dev = VMEMSTORE_PCI(obj);
    VMemStoreStats *stats = &dev->vdev.stats;
    const struct {
        const char *name;
        const uint64_t *value;
    } counters[] = {
        { "flush-requests", &stats->requests },
        { "flush-ranges", &stats->ranges },
        { "flush-bytes", &stats->bytes },
        { "flush-whole", &stats->whole },
        { "flush-errors", &stats->errors },
        { "invalid-requests", &stats->invalid },
        { "refused-writes", &dev->vdev.region.refused },
        { "lost-pages", &dev->vdev.faults.lost },
        { "provision-requests", &dev->vdev.space.provisions },
        { "provision-no-space", &dev->vdev.space.no_space },
        { "discard-requests", &dev->vdev.space.discards },
        { "discard-bytes", &dev->vdev.space.discarded },
    };

    virtio_instance_init_common(obj, &dev->vdev, sizeof(dev->vdev),
                                TYPE_VMEMSTORE);
    for (size_t i = 0; i < G_N_ELEMENTS(counters); i++) {
        object_property_add_uint64_ptr(obj, counters[i].name,
                                       counters[i].value, OBJ_PROP_FLAG_READ);
    }
}

static void get_stats(Object *obj, Visitor *v, const char *name, void *opaque,
                      Error **errp)
{
    vmemstore_visit_stats(&VMEMSTORE_PCI(obj)->vdev, v, name, errp);
}

static void get_summary(Object *obj, Visitor *v, const char *name, void *opaque,
                        Error **errp)
{
    g_autofree char *text = vmemstore_summary(&VMEMSTORE_PCI(obj)->vdev);

    visit_type_str(v, name, &text, errp);
}

/* "info qtree" shows properties of this kind only. */
static const PropertyInfo summary_info = {
    .VMEMSTORE_PROPERTY_TYPE = "str",
    .description = "What happened so far, in one line",
    .get = get_summary,
};

VMEMSTORE_PROPERTIES vmemstore_pci_properties[] = {
    { .name = "summary", .info = &summary_info },
    /*
     * Off: the doorbell is then taken in the vCPU thread, which hands the flush
     * straight to a worker; with an event fd the main loop would come between.
     */
    DEFINE_PROP_BIT("ioeventfd", VirtIOPCIProxy, flags,
                    VIRTIO_PCI_FLAG_USE_IOEVENTFD_BIT, false),
    DEFINE_PROP_UINT32("vectors", VirtIOPCIProxy, nvectors, 2),
    VMEMSTORE_PROPERTIES_END
};

static void vmemstore_pci_class_init(ObjectClass *klass,
                                     VMEMSTORE_CLASS_DATA *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(klass);
    VirtioPCIClass *vpc = VIRTIO_PCI_CLASS(klass);

    device_class_set_props(dc, vmemstore_pci_properties);
    set_bit(DEVICE_CATEGORY_STORAGE, dc->categories);
    dc->desc = "a host file as guest memory, made durable by request";
    object_class_property_add(klass, "stats", "struct", get_stats, NULL, NULL,
                              NULL);
    object_class_property_add_str(klass, "backing", get_backing, NULL);
    object_class_property_add_str(klass, "generation", get_generation, NULL);
    vpc->realize = vmemstore_pci_realize;
    pc->exit = vmemstore_pci_exit;
    pc->class_id = PCI_CLASS_OTHERS;
    pc->revision = 1;
}

static const TypeInfo vmemstore_pci_info = {
    .name = TYPE_VMEMSTORE_PCI,
    .parent = TYPE_VIRTIO_PCI,
    .instance_size = sizeof(VMemStorePCI),
    .instance_init = vmemstore_pci_instance_init,
    .instance_finalize = vmemstore_pci_instance_finalize,
    .class_init = vmemstore_pci_class_init,
    .interfaces = VMEMSTORE_INTERFACES {
        { INTERFACE_PCIE_DEVICE },
        { INTERFACE_CONVENTIONAL_PCI_DEVICE },
        { }
    },
};

void vmemstore_register_pci(void)
{
    type_register_static(&vmemstore_pci_info);
}
