/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmemstore.c - a host file as guest memory, made durable by request
 *
 * The virtio device: options, configuration space, life.  The interface is in
 * virtio_vmemstore.h, the specification in docs/device.md; the request queue is
 * in requests.c.
 */
#include "qemu/osdep.h"
#include "qemu/module.h"
#include "qemu/units.h"
#include "qapi/visitor.h"
#include "standard-headers/linux/virtio_ids.h"

#include "compat.h"
#include "loss.h"
#include "trace.h"
#include "vmemstore.h"

/* ---- virtio ---- */

static uint64_t vmemstore_get_features(VirtIODevice *vdev, uint64_t features,
                                       Error **errp)
{
    VMemStore *s = VMEMSTORE(vdev);

    if (s->compat_pmem) {
        return vmemstore_pmem_features(features);
    }
    virtio_add_feature(&features, VMEMSTORE_F_COMMIT);
    if (s->readonly) {
        virtio_add_feature(&features, VMEMSTORE_F_RO);
    }
    if (s->cow) {
        virtio_add_feature(&features, VMEMSTORE_F_COW);
    }
    if (s->mapping.thin) {
        virtio_add_feature(&features, VMEMSTORE_F_PROVISION);
    }
    if (s->mapping.discards) {
        virtio_add_feature(&features, VMEMSTORE_F_DISCARD);
    }
    if (s->file.hugepages) {
        virtio_add_feature(&features, VMEMSTORE_F_SMALL_PAGES);
    }
    if (vmemstore_ahead_possible(&s->mapping)) {
        virtio_add_feature(&features, VMEMSTORE_F_PREFETCH);
    }
    if (s->serial) {
        virtio_add_feature(&features, VMEMSTORE_F_SERIAL);
    }
    if (vmemstore_mapping_shared(&s->mapping)) {
        virtio_add_feature(&features, VMEMSTORE_F_GROW);
    }
    virtio_add_feature(&features, VMEMSTORE_F_IN_USE);
    return features;
}

static void vmemstore_get_config(VirtIODevice *vdev, uint8_t *data)
{
    VMemStore *s = VMEMSTORE(vdev);
    struct vmemstore_config config = {
        .size = cpu_to_le64(s->mapping.size),
        .backing = cpu_to_le32(s->mapping.backing),
        .state = cpu_to_le32(s->state),
        .flush_granule = cpu_to_le32(s->mapping.granule),
        .max_ranges = cpu_to_le32(VMEMSTORE_MAX_RANGES),
        .space_granule = cpu_to_le32(s->mapping.block),
        .in_use = cpu_to_le32(s->hold.in_use),
    };

    if (s->compat_pmem) {
        vmemstore_pmem_get_config(s, data);
        return;
    }
    memcpy(config.generation, s->mapping.generation, sizeof(config.generation));
    if (s->serial) {
        memcpy(config.serial, s->serial, strlen(s->serial));
    }
    memcpy(data, &config, sizeof(config));
}

static void vmemstore_set_config(VirtIODevice *vdev, const uint8_t *data)
{
    VMemStore *s = VMEMSTORE(vdev);
    struct vmemstore_config config;

    if (!s->compat_pmem &&
        virtio_vdev_has_feature(vdev, VMEMSTORE_F_IN_USE)) {
        memcpy(&config, data, sizeof(config));
        vmemstore_hold_set(s, config.in_use != 0);
    }
}

/* Wait for what runs; nothing that was offered so far is answered any more. */
static void drop_requests(VMemStore *s)
{
    if (s->flusher) {
        vmemstore_flusher_cancel(s->flusher);
    }
    vmemstore_worker_cancel(s->worker);
    qatomic_set(&s->ahead.drop, true);
    vmemstore_worker_cancel(s->reader);
    qatomic_set(&s->ahead.drop, false);
}

void vmemstore_finish_requests(VMemStore *s)
{
    vmemstore_flusher_drain(s->flusher);
    vmemstore_worker_drain(s->worker);
    qatomic_set(&s->ahead.drop, true);
    vmemstore_worker_drain(s->reader);
    qatomic_set(&s->ahead.drop, false);
}

static void vmemstore_reset(VirtIODevice *vdev)
{
    VMemStore *s = VMEMSTORE(vdev);

    drop_requests(s);
    vmemstore_hold_set(s, false);
    if (!s->compat_pmem) {
        /* What the driver wrote would be written again with its next write. */
        stl_le_p(vdev->config + offsetof(struct vmemstore_config, in_use), 0);
    }
}

/*
 * Before QEMU forgets the ring.  Drivers that did not accept VIRTIO_F_RING_RESET can
 * write the register, too.
 */
static void vmemstore_queue_reset(VirtIODevice *vdev, uint32_t queue)
{
    if (queue == VMEMSTORE_VQ_REQUEST) {
        drop_requests(VMEMSTORE(vdev));
    }
}

/* ---- life ---- */

static bool open_trace_file(VMemStore *s, Error **errp)
{
    s->trace_fd = -1;
    if (!s->trace_path) {
        return true;
    }
    s->trace_fd = open(s->trace_path,
                       O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (s->trace_fd < 0) {
        error_setg(errp, "vmemstore: cannot open x-trace-file '%s': %s",
                   s->trace_path, strerror(errno));
        return false;
    }
    return true;
}

static bool open_shadow(VMemStore *s, Error **errp)
{
    if (!s->powercut_path && !s->powercut_at) {
        return true;
    }
    if (!s->powercut_path) {
        error_setg(errp, "vmemstore: x-powercut-at= is of no use without "
                   "x-powercut=, the file for what the power cut leaves");
        return false;
    }
    if (!vmemstore_mapping_shared(&s->mapping)) {
        error_setg(errp, "vmemstore: x-powercut= is of no use with readonly=on "
                   "or cow=on");
        return false;
    }
    if (s->offset) {
        error_setg(errp, "vmemstore: x-powercut= needs a store at the start of "
                   "its file: leave offset= out");
        return false;
    }
    /* Its thread looks at the store, and inherits this. */
    vmemstore_faults_unblock();
    s->shadow = vmemstore_shadow_open(s->powercut_path, s->mapping.fd,
                                      s->mapping.base, s->mapping.size,
                                      s->mapping.max_size, s->powercut_seed,
                                      s->powercut_at);
    if (!s->shadow) {
        error_setg(errp, "vmemstore: cannot make the x-powercut file '%s': %s",
                   s->powercut_path, errno == EBUSY ? "it is the store itself" :
                   strerror(errno));
        return false;
    }
    return true;
}

static void close_trace_file(VMemStore *s)
{
    if (s->trace_fd >= 0) {
        close(s->trace_fd);
        s->trace_fd = -1;
    }
}

/* It becomes a name in /dev/disk/by-id. */
static bool vmemstore_serial_ok(const char *serial)
{
    size_t len = strlen(serial);

    return len && len <= VMEMSTORE_SERIAL_LEN &&
           len == strspn(serial, "abcdefghijklmnopqrstuvwxyz"
                         "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
}

/* Physical addresses of x86-64 have 52 bits at most (Intel SDM, volume 3, 4.1.4). */
#define MAX_ROOM (UINT64_C(1) << 52)

static bool check_numbers(const VMemStore *s, Error **errp)
{
    if (s->size > INT64_MAX || s->offset > INT64_MAX - s->size) {
        error_setg(errp, "vmemstore: no file has %" PRIu64 " bytes from offset= "
                   "%" PRIu64 " on: give less", s->size, s->offset);
        return false;
    }
    if (s->max_size > MAX_ROOM) {
        error_setg(errp, "vmemstore: max-size= is %" PRIu64 " bytes, but no CPU has "
                   "addresses for more than %" PRIu64 " (4 PiB): give less",
                   s->max_size, MAX_ROOM);
        return false;
    }
    if (s->flush_threads < 1 || s->flush_threads > VMEMSTORE_QUEUE_SIZE) {
        error_setg(errp, "vmemstore: flush-threads= must be 1 to %d",
                   VMEMSTORE_QUEUE_SIZE);
        return false;
    }
    return true;
}

static bool check_options(const VMemStore *s, Error **errp)
{
    if (!s->path || !*s->path) {
        error_setg(errp, "vmemstore: file= is missing: name the file that is to "
                   "be the store");
        return false;
    }
    if (s->readonly && s->cow) {
        error_setg(errp, "vmemstore: readonly=on and cow=on exclude each other: "
                   "with cow=on the guest can write, and the file stays as it is");
        return false;
    }
    if (s->serial && !vmemstore_serial_ok(s->serial)) {
        error_setg(errp, "vmemstore: serial=%s is none: give 1 to %d letters, "
                   "digits, '-', '_' or '.'", s->serial, VMEMSTORE_SERIAL_LEN);
        return false;
    }
    if (s->hugepages && s->offset) {
        error_setg(errp, "vmemstore: hugepages=on needs a store at the start of "
                   "its file: leave offset= out");
        return false;
    }
    return check_numbers(s, errp);
}

void vmemstore_engine_start(VMemStore *s)
{
    VMemStoreFlusherConfig config = {
        .mapping = &s->mapping,
        .stats = &s->stats,
        .ops = &vmemstore_flusher_ops,
        .opaque = s,
        .threads = s->flush_threads,
        .fail_at = s->fail_flush,
        .trace_fd = s->trace_fd,
        .shadow = s->shadow,
    };

    s->flusher = vmemstore_flusher_new(&config);
    vmemstore_limit_start(&s->limit, &s->mapping, s->resident_limit);
}

void vmemstore_engine_stop(VMemStore *s)
{
    vmemstore_limit_stop(&s->limit);
    if (s->flusher) {
        vmemstore_flusher_destroy(s->flusher);
        s->flusher = NULL;
    }
}

/* What is not in the page cache cannot leave it. */
static bool check_limit(const VMemStore *s, Error **errp)
{
    if (!s->resident_limit || (vmemstore_mapping_shared(&s->mapping) &&
                               s->mapping.backing == VMEMSTORE_BACKING_PAGE_CACHE)) {
        return true;
    }
    error_setg(errp, "vmemstore: resident-limit= is of no use for '%s': with "
               "readonly=on, cow=on, and on tmpfs, hugetlbfs or persistent memory "
               "nothing would be freed: leave it out", s->path);
    return false;
}

/*
 * VFIO, vDPA, RDMA and SEV pin all of the guest's memory.  Linux does not pin what a
 * file system may have to write back, and VFIO would end QEMU when the guest switches
 * the store's BAR on.  So this says, as virtio-mem does, that pages come and go: QEMU
 * then refuses whichever of the two comes second.
 */
static bool refuse_pinning(VMemStore *s, Error **errp)
{
    const VMemStoreMapping *m = &s->mapping;

    if (!vmemstore_mapping_shared(m) ||
        (m->backing == VMEMSTORE_BACKING_VOLATILE && !m->discards)) {
        return true;
    }
    if (ram_block_discard_require(true) < 0) {
        error_setg(errp, "vmemstore: '%s' cannot be used beside a device that pins "
                   "the guest's memory (VFIO, vDPA): Linux does not pin pages of a "
                   "file: leave that out, or use readonly=on or cow=on", s->path);
        return false;
    }
    s->unpinnable = true;
    return true;
}

static void permit_pinning(VMemStore *s)
{
    if (s->unpinnable) {
        ram_block_discard_require(false);
        s->unpinnable = false;
    }
}

static void start_device(VMemStore *s)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(s);

    /* The memory of this object is part of the user's, which must outlive it. */
    vmemstore_region_init(&s->region, OBJECT(vmemstore_user_device(s)),
                          &s->mapping);
    if (vmemstore_faults_watch(&s->faults, s->mapping.base,
                               s->mapping.max_size, s->mapping.granule)) {
        event_notifier_set_handler(&s->faults.notifier, vmemstore_page_lost);
    } else {
        warn_report("vmemstore: too many stores: a page of '%s' that the host cannot "
                    "provide will kill QEMU", s->path);
    }
    s->worker = vmemstore_worker_new("vmemstore-space", &vmemstore_worker_ops, s);
    s->reader = vmemstore_worker_new("vmemstore-ahead", &vmemstore_reader_ops, s);
    if (s->mapping.fd >= 0) {
        vmemstore_mapping_advise(&s->mapping);
        vmemstore_engine_start(s);
    }
    /*
     * QEMU has a table of virtio device names and stops at an id that is not
     * in it, so this device borrows an id inside QEMU.  The guest sees the real
     * one, which the transport sets.
     */
    virtio_init(vdev, VIRTIO_ID_PMEM, s->compat_pmem ?
                vmemstore_pmem_config_size() : sizeof(struct vmemstore_config));
    vdev->name = "vmemstore";
    s->vq = virtio_add_queue(vdev, VMEMSTORE_QUEUE_SIZE,
                             vmemstore_handle_output);
}

static void stop_device(VMemStore *s)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(s);

    vmemstore_growth_stop(s);
    vmemstore_hold_set(s, false);
    vmemstore_engine_stop(s);
    vmemstore_worker_destroy(s->worker);
    s->worker = NULL;
    qatomic_set(&s->ahead.drop, true);
    vmemstore_worker_destroy(s->reader);
    s->reader = NULL;
    if (s->faults.watched) {
        event_notifier_set_handler(&s->faults.notifier, NULL);
    }
    virtio_delete_queue(s->vq);
    virtio_cleanup(vdev);
    permit_pinning(s);
    close_trace_file(s);
}

void vmemstore_close(VMemStore *s)
{
    vmemstore_shadow_close(s->shadow);
    s->shadow = NULL;
    vmemstore_faults_forget(&s->faults);
    vmemstore_mapping_close(&s->mapping);
    vmemstore_small_pages_forget(&s->small_pages);
    g_free(s->full_path);
    s->full_path = NULL;
}

void vmemstore_give_up(VMemStore *s)
{
    bool created = s->mapping.created;

    vmemstore_close(s);
    if (created) {
        unlink(s->path);
    }
}

/* From now on the file is found whatever the current directory (-daemonize). */
static void keep_path(VMemStore *s)
{
    g_autofree char *here = g_get_current_dir();

    s->full_path = g_path_is_absolute(s->path) ? g_strdup(s->path) :
                   g_build_filename(here, s->path, NULL);
    s->file.path = s->full_path;
}

static bool open_mapping(VMemStore *s, Error **errp)
{
    bool opened = vmemstore_migration_takes_over(s) ?
                  vmemstore_mapping_reserve(&s->mapping, &s->file, errp) :
                  vmemstore_mapping_open(&s->mapping, &s->file, errp);

    if (opened) {
        keep_path(s);
    }
    return opened;
}

/* Devices are not taken apart when QEMU ends. */
static void end_with_qemu(Notifier *notifier, void *data)
{
    VMemStore *s = container_of(notifier, VMemStore, exit);

    if (!runstate_is_running()) {
        vmemstore_mapping_end_use(&s->mapping);
    }
}

static void vmemstore_realize(DeviceState *dev, Error **errp)
{
    VMemStore *s = VMEMSTORE(dev);

    s->file = (VMemStoreFile) {
        .path = s->path,
        .size = s->size,
        .max_size = s->max_size,
        .offset = s->offset,
        .fake_dax = s->fake_dax,
        .readonly = s->readonly,
        .cow = s->cow,
        .hugepages = s->hugepages,
    };
    if (!check_options(s, errp) ||
        !vmemstore_prealloc_parse(s->prealloc, &s->file.prealloc, errp) ||
        !vmemstore_migration_parse(s, errp) ||
        !vmemstore_compat_parse(s, errp) || !open_trace_file(s, errp)) {
        return;
    }
    s->file.arrives = vmemstore_migration_arrives(s);
    s->file.fixed = s->compat_pmem;
    if (!open_mapping(s, errp)) {
        close_trace_file(s);
        return;
    }
    if (!check_limit(s, errp) || !open_shadow(s, errp) ||
        !refuse_pinning(s, errp)) {
        vmemstore_give_up(s);
        close_trace_file(s);
        return;
    }
    start_device(s);
    if (!vmemstore_migration_start(s, errp)) {
        stop_device(s);
        vmemstore_give_up(s);
        return;
    }
    s->exit.notify = end_with_qemu;
    qemu_add_exit_notifier(&s->exit);
    trace_vmemstore_realize(s->path, s->mapping.size, s->mapping.backing,
                            s->readonly);
}

static void vmemstore_unrealize(DeviceState *dev)
{
    VMemStore *s = VMEMSTORE(dev);

    qemu_remove_exit_notifier(&s->exit);
    vmemstore_migration_stop(s);
    stop_device(s);
}

/* Before it is made, what the user says; then what it has, and shall have. */
static void get_size(Object *obj, Visitor *v, const char *name, void *opaque,
                     Error **errp)
{
    VMemStore *s = VMEMSTORE(obj);
    uint64_t size = DEVICE(obj)->realized ? s->mapping.size : s->size;

    visit_type_size(v, name, &size, errp);
}

static void set_size(Object *obj, Visitor *v, const char *name, void *opaque,
                     Error **errp)
{
    VMemStore *s = VMEMSTORE(obj);
    uint64_t size;

    if (!visit_type_size(v, name, &size, errp)) {
        return;
    }
    if (DEVICE(obj)->realized) {
        vmemstore_grow(s, size, errp);
    } else {
        s->size = size;
    }
}

static const PropertyInfo size_info = {
    .VMEMSTORE_PROPERTY_TYPE = "size",
    .description = "Bytes; may be set to more while the device is in use",
    .realized_set_allowed = true,
    .get = get_size,
    .set = set_size,
};

static void vmemstore_instance_init(Object *obj)
{
    VMemStore *s = VMEMSTORE(obj);

    s->mapping.fd = -1;
    s->trace_fd = -1;
}

VMEMSTORE_PROPERTIES vmemstore_properties[] = {
    DEFINE_PROP_STRING("file", VMemStore, path),
    { .name = "size", .info = &size_info },
    DEFINE_PROP_SIZE("max-size", VMemStore, max_size, 0),
    DEFINE_PROP_SIZE("offset", VMemStore, offset, 0),
    DEFINE_PROP_BOOL("readonly", VMemStore, readonly, false),
    DEFINE_PROP_BOOL("cow", VMemStore, cow, false),
    DEFINE_PROP_STRING("prealloc", VMemStore, prealloc),
    DEFINE_PROP_BOOL("hugepages", VMemStore, hugepages, false),
    DEFINE_PROP_SIZE("resident-limit", VMemStore, resident_limit, 0),
    DEFINE_PROP_UINT32("flush-threads", VMemStore, flush_threads, 4),
    DEFINE_PROP_STRING("x-trace-file", VMemStore, trace_path),
    DEFINE_PROP_BOOL("x-dax", VMemStore, fake_dax, false),
    DEFINE_PROP_UINT64("x-fail-flush", VMemStore, fail_flush, 0),
    DEFINE_PROP_STRING("x-powercut", VMemStore, powercut_path),
    DEFINE_PROP_UINT64("x-powercut-seed", VMemStore, powercut_seed, 1),
    DEFINE_PROP_UINT64("x-powercut-at", VMemStore, powercut_at, 0),
    DEFINE_PROP_ON_OFF_AUTO("flush-in-vcpu", VMemStore, run_in_vcpu,
                            ON_OFF_AUTO_AUTO),
    DEFINE_PROP_STRING("migrate", VMemStore, migrate),
    DEFINE_PROP_STRING("compat", VMemStore, compat),
    DEFINE_PROP_STRING("serial", VMemStore, serial),
    VMEMSTORE_PROPERTIES_END
};

static void vmemstore_class_init(ObjectClass *klass, VMEMSTORE_CLASS_DATA *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    VirtioDeviceClass *vdc = VIRTIO_DEVICE_CLASS(klass);

    device_class_set_props(dc, vmemstore_properties);
    set_bit(DEVICE_CATEGORY_STORAGE, dc->categories);
    dc->vmsd = &vmemstore_vmstate;
    /* Useless without the BAR that vmemstore-pci.c gives it. */
    dc->user_creatable = false;
    vdc->realize = vmemstore_realize;
    vdc->unrealize = vmemstore_unrealize;
    vdc->get_features = vmemstore_get_features;
    vdc->get_config = vmemstore_get_config;
    vdc->set_config = vmemstore_set_config;
    vdc->reset = vmemstore_reset;
    vdc->queue_reset = vmemstore_queue_reset;
}

static const TypeInfo vmemstore_info = {
    .name = TYPE_VMEMSTORE,
    .parent = TYPE_VIRTIO_DEVICE,
    .instance_size = sizeof(VMemStore),
    .instance_init = vmemstore_instance_init,
    .class_init = vmemstore_class_init,
};

void vmemstore_register_device(void)
{
    type_register_static(&vmemstore_info);
}
