/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmemstore.c - a host file as guest memory, made durable by request
 *
 * The virtio device: configuration space, request queue, options.  The
 * interface is in virtio_vmemstore.h, the specification in docs/device.md.
 * Everything that comes from the guest is hostile input.
 */
#include "qemu/osdep.h"
#include "qemu/iov.h"
#include "qemu/module.h"
#include "qemu/units.h"
#include "standard-headers/linux/virtio_ids.h"

#include "compat.h"
#include "event.h"
#include "folios.h"
#include "hw/core/cpu.h"
#include "trace.h"
#include "vmemstore.h"

/* A request on its way; the element must come first for virtqueue_pop(). */
typedef struct VMemStoreRequest {
    VirtQueueElement elem;
    uint32_t type;              /* VMEMSTORE_REQ_* */
    uint32_t status;            /* of what is not a flush */
    VMemStoreFlush flush;       /* its spans are those of any request */
    VMemStoreJob job;           /* unless it is a flush */
} VMemStoreRequest;

/* ---- requests ---- */

/* Answer and release; the guest is not interrupted yet. */
static void push_response(VMemStore *s, VMemStoreRequest *req, uint32_t status)
{
    struct vmemstore_resp resp;

    if (s->compat_pmem) {
        status = vmemstore_pmem_response(s, status);
    }
    resp.status = cpu_to_le32(status);
    iov_from_buf(req->elem.in_sg, req->elem.in_num, 0, &resp, sizeof(resp));
    virtqueue_push(s->vq, &req->elem, sizeof(resp));
    g_free(req);
}

static bool copy_ranges(const VMemStore *s, VMemStoreRequest *req,
                        size_t header)
{
    struct vmemstore_range ranges[VMEMSTORE_MAX_RANGES];
    VMemStoreFlush *flush = &req->flush;
    size_t bytes = flush->nr_spans * sizeof(ranges[0]);

    if (iov_to_buf(req->elem.out_sg, req->elem.out_num,
                   header, ranges, bytes) != bytes) {
        return false;
    }
    for (uint32_t i = 0; i < flush->nr_spans; i++) {
        uint64_t offset = le64_to_cpu(ranges[i].offset);
        uint64_t length = le64_to_cpu(ranges[i].length);

        /* In this order no sum can overflow. */
        if (length == 0 || offset >= s->mapping.size ||
            length > s->mapping.size - offset) {
            return false;
        }
        flush->spans[i] = (VMemStoreSpan) { offset, length };
    }
    return true;
}

static uint32_t parse_flush(const VMemStore *s, VMemStoreRequest *req,
                            uint32_t nr_ranges)
{
    VMemStoreFlush *flush = &req->flush;

    if (nr_ranges > VMEMSTORE_MAX_RANGES) {
        return VMEMSTORE_S_INVALID;
    }
    flush->nr_spans = nr_ranges;
    flush->nr_first = nr_ranges;
    flush->spans[0] = (VMemStoreSpan) { 0, s->mapping.size };
    return copy_ranges(s, req, sizeof(struct vmemstore_req)) ?
           VMEMSTORE_S_OK : VMEMSTORE_S_INVALID;
}

static uint32_t parse_commit(const VMemStore *s, VMemStoreRequest *req)
{
    VMemStoreFlush *flush = &req->flush;
    struct vmemstore_commit commit;
    uint64_t offset, value;
    uint32_t flags;

    if (iov_to_buf(req->elem.out_sg, req->elem.out_num, 0, &commit,
                   sizeof(commit)) != sizeof(commit)) {
        return VMEMSTORE_S_INVALID;
    }
    flush->nr_spans = le32_to_cpu(commit.nr_ranges);
    flush->nr_first = le32_to_cpu(commit.nr_first);
    flags = le32_to_cpu(commit.flags);
    offset = le64_to_cpu(commit.mark_offset);
    value = le64_to_cpu(commit.mark_value);
    flush->has_mark = flags & VMEMSTORE_COMMIT_MARK;
    flush->mark_offset = offset;
    flush->mark_value = value;

    if (flush->nr_spans > VMEMSTORE_MAX_RANGES || flush->nr_first == 0 ||
        flush->nr_first >= flush->nr_spans || flags & ~VMEMSTORE_COMMIT_MARK ||
        offset % 8 || offset >= s->mapping.size ||
        (!flush->has_mark && (offset || value))) {
        return VMEMSTORE_S_INVALID;
    }
    return copy_ranges(s, req, sizeof(commit)) ?
           VMEMSTORE_S_OK : VMEMSTORE_S_INVALID;
}

static uint32_t parse_space(const VMemStore *s, VMemStoreRequest *req,
                            uint32_t nr_ranges, bool offered)
{
    if (!offered) {
        return VMEMSTORE_S_UNSUPP;
    }
    if (nr_ranges == 0 || nr_ranges > VMEMSTORE_MAX_RANGES) {
        return VMEMSTORE_S_INVALID;
    }
    req->flush.nr_spans = nr_ranges;
    return copy_ranges(s, req, sizeof(struct vmemstore_req)) ?
           VMEMSTORE_S_OK : VMEMSTORE_S_INVALID;
}

static uint32_t parse_pmem_request(const VMemStore *s, VMemStoreRequest *req)
{
    req->flush = (VMemStoreFlush) {
        .spans[0] = { .offset = 0, .length = s->mapping.size },
    };
    req->type = VMEMSTORE_REQ_FLUSH;
    return vmemstore_pmem_parse_request(&req->elem);
}

/* Copy the request out of guest memory, where it may change, and check it. */
static uint32_t parse_request(const VMemStore *s, VMemStoreRequest *req)
{
    size_t length = iov_size(req->elem.out_sg, req->elem.out_num);
    struct vmemstore_req header = { 0 };
    uint32_t type, nr_ranges, status;

    req->flush = (VMemStoreFlush) { 0 };
    iov_to_buf(req->elem.out_sg, req->elem.out_num, 0, &header, sizeof(header));
    req->type = type = le32_to_cpu(header.type);
    nr_ranges = le32_to_cpu(header.nr_ranges);

    if (length < sizeof(header)) {
        status = VMEMSTORE_S_INVALID;
    } else if (type == VMEMSTORE_REQ_FLUSH) {
        status = parse_flush(s, req, nr_ranges);
    } else if (type == VMEMSTORE_REQ_COMMIT) {
        status = parse_commit(s, req);
    } else if (type == VMEMSTORE_REQ_PROVISION) {
        status = parse_space(s, req, nr_ranges, s->mapping.thin);
    } else if (type == VMEMSTORE_REQ_DISCARD) {
        status = parse_space(s, req, nr_ranges, s->mapping.discards);
    } else if (type == VMEMSTORE_REQ_SMALL_PAGES) {
        status = parse_space(s, req, nr_ranges, s->file.hugepages);
    } else {
        status = VMEMSTORE_S_UNSUPP;
    }
    if (status != VMEMSTORE_S_OK) {
        trace_vmemstore_bad_request(type, nr_ranges, length, status);
    }
    return status;
}

/*
 * Is this the moment, and the thread, to execute a flush at once?  If so, this
 * thread must.
 */
static bool can_run_now(VMemStore *s, const VMemStoreFlush *flush)
{
    /* The driver of virtio-pmem holds a lock while it rings the doorbell. */
    if (!s->may_run_in_vcpu || s->compat_pmem || !virtio_queue_empty(s->vq)) {
        return false;
    }
    switch (s->run_in_vcpu) {
    case ON_OFF_AUTO_ON:
        return vmemstore_flusher_reserve(s->flusher, false);
    case ON_OFF_AUTO_AUTO:
        return current_cpu && vmemstore_flusher_is_quick(s->flusher, flush) &&
               vmemstore_flusher_reserve(s->flusher, true);
    default:
        return false;
    }
}

/* Returns false when the queue may have gone meanwhile. */
static bool start_flush(VMemStore *s, VMemStoreFlush *flush)
{
    VMemStoreFlusher *flusher = s->flusher;

    if (!can_run_now(s, flush)) {
        vmemstore_flusher_submit(flusher, flush);
        return true;
    }
    s->busy = false;
    vmemstore_flusher_run(flusher, flush);
    if (s->flusher != flusher || s->busy) {
        return false;
    }
    s->busy = true;
    return true;
}

static bool start_request(VMemStore *s, VMemStoreRequest *req)
{
    if (req->type == VMEMSTORE_REQ_FLUSH || req->type == VMEMSTORE_REQ_COMMIT) {
        return start_flush(s, &req->flush);
    }
    vmemstore_worker_submit(s->worker, &req->job);
    return true;
}

/* Takes one request off the queue; false when there is no more to do. */
static bool handle_request(VMemStore *s)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(s);
    VMemStoreRequest *req = virtqueue_pop(s->vq, sizeof(*req));
    uint32_t status;

    if (!req) {
        return false;
    }
    if (iov_size(req->elem.in_sg, req->elem.in_num) <
        sizeof(struct vmemstore_resp)) {
        virtio_error(vdev, "vmemstore: a request has no room for its response");
        virtqueue_detach_element(s->vq, &req->elem, 0);
        g_free(req);
        return false;
    }
    status = s->compat_pmem ? parse_pmem_request(s, req) :
             parse_request(s, req);
    if (status == VMEMSTORE_S_OK) {
        return start_request(s, req);
    }
    qatomic_inc(&s->stats.invalid);
    push_response(s, req, status);
    virtio_notify(vdev, s->vq);
    return true;
}

void vmemstore_look_at_queue(VMemStore *s)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(s);
    bool may_run = s->may_run_in_vcpu;

    if (vdev->status & VIRTIO_CONFIG_S_DRIVER_OK) {
        s->may_run_in_vcpu = false;     /* this is none */
        virtio_queue_notify(vdev, VMEMSTORE_VQ_REQUEST);
        s->may_run_in_vcpu = may_run;
    }
}

static void vmemstore_handle_output(VirtIODevice *vdev, VirtQueue *vq)
{
    VMemStore *s = VMEMSTORE(vdev);

    /* A VM that does not run, because another has the file, needs no answer. */
    if (s->busy || !s->flusher) {
        return;
    }
    s->busy = true;
    while (handle_request(s)) {
        /* Every request of this doorbell. */
    }
    if (s->flusher) {
        vmemstore_flusher_kick(s->flusher);
    }
    s->busy = false;
}

/* ---- what the flush engine calls ---- */

static void flush_complete(void *opaque, VMemStoreFlush *flush, bool cancelled)
{
    VMemStore *s = opaque;
    VMemStoreRequest *req = container_of(flush, VMemStoreRequest, flush);
    bool was_busy = s->busy;

    s->busy = true;
    if (cancelled) {
        virtqueue_detach_element(s->vq, &req->elem, 0);
        g_free(req);
    } else {
        /* What is in a page that was lost cannot be flushed. */
        push_response(s, req, flush->err || qatomic_read(&s->faults.lost) ?
                      VMEMSTORE_S_IOERR : VMEMSTORE_S_OK);
    }
    s->busy = was_busy;
}

static void flush_notify(void *opaque)
{
    VMemStore *s = opaque;
    bool was_busy = s->busy;

    s->busy = true;
    virtio_notify(VIRTIO_DEVICE(s), s->vq);
    s->busy = was_busy;
}

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

/* Data was lost, for good: tell the guest and the user. */
static void report_loss(VMemStore *s, const char *reason)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(s);

    if (s->state & VMEMSTORE_STATE_IO_ERROR) {
        return;
    }
    trace_vmemstore_io_error(reason);
    change_generation_soon(s);
    s->state |= VMEMSTORE_STATE_IO_ERROR;
    virtio_notify_config(vdev);
    /* Its parent is what the user made: the device on its bus. */
    vmemstore_event_error(DEVICE(vdev)->parent_bus->parent, reason);
}

static void flush_failed(void *opaque)
{
    report_loss(opaque, "a flush failed");
}

/* A migration sends what the guest, or this, marks as changed. */
static void flush_stored(void *opaque, uint64_t offset, uint64_t length)
{
    VMemStore *s = opaque;

    memory_region_set_dirty(&s->region.mr, offset, length);
}

static const VMemStoreFlusherOps flusher_ops = {
    .complete = flush_complete,
    .notify = flush_notify,
    .failed = flush_failed,
    .stored = flush_stored,
};

/* ---- what the worker and the handler of faults call ---- */

static uint32_t space_status(VMemStore *s, int err)
{
    switch (-err) {
    case 0:
        return VMEMSTORE_S_OK;
    case ENOSPC:
        qatomic_inc(&s->space.no_space);
        return VMEMSTORE_S_NOSPC;
    case EOPNOTSUPP:
        return VMEMSTORE_S_UNSUPP;
    default:
        return VMEMSTORE_S_IOERR;
    }
}

static int keep_small(VMemStore *s, VMemStoreSpan *spans, uint32_t nr)
{
    int err = 0;

    /* A huge page is small as a whole or not at all. */
    nr = vmemstore_merge_spans(spans, nr, VMEMSTORE_ALIGN);
    for (uint32_t i = 0; i < nr && !err; i++) {
        err = vmemstore_folios_small(s->mapping.fd, s->mapping.base,
                                     spans[i].offset, spans[i].length);
    }
    return err;
}

static void space_run(void *opaque, VMemStoreJob *job)
{
    VMemStore *s = opaque;
    VMemStoreRequest *req = container_of(job, VMemStoreRequest, job);
    VMemStoreSpan *spans = req->flush.spans;
    uint32_t nr = req->flush.nr_spans, block = s->mapping.block;
    int err;

    if (req->type == VMEMSTORE_REQ_PROVISION) {
        nr = vmemstore_space_widen(spans, nr, block);
        qatomic_inc(&s->space.provisions);
        err = vmemstore_space_provision(s->mapping.fd, s->mapping.offset,
                                        spans, nr);
    } else if (req->type == VMEMSTORE_REQ_SMALL_PAGES) {
        err = keep_small(s, spans, nr);
    } else {
        nr = vmemstore_space_narrow(spans, nr, block);
        qatomic_inc(&s->space.discards);
        for (uint32_t i = 0; i < nr; i++) {
            qatomic_add(&s->space.discarded, spans[i].length);
        }
        err = vmemstore_space_discard(s->mapping.fd, s->mapping.offset,
                                      spans, nr);
    }
    trace_vmemstore_space_done(req->type, nr, err);
    req->status = space_status(s, err);
}

static void space_complete(void *opaque, VMemStoreJob *job, bool cancelled)
{
    VMemStore *s = opaque;
    VMemStoreRequest *req = container_of(job, VMemStoreRequest, job);
    bool was_busy = s->busy;

    s->busy = true;
    if (cancelled) {
        virtqueue_detach_element(s->vq, &req->elem, 0);
        g_free(req);
    } else {
        push_response(s, req, req->status);
        virtio_notify(VIRTIO_DEVICE(s), s->vq);
    }
    s->busy = was_busy;
}

static const VMemStoreWorkerOps worker_ops = {
    .run = space_run,
    .complete = space_complete,
};

static void page_lost(EventNotifier *notifier)
{
    VMemStore *s = container_of(notifier, VMemStore, faults.notifier);

    if (event_notifier_test_and_clear(notifier)) {
        report_loss(s, "the host could not provide a page of the file");
    }
}

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
    };

    if (s->compat_pmem) {
        vmemstore_pmem_get_config(s, data);
        return;
    }
    memcpy(config.generation, s->mapping.generation, sizeof(config.generation));
    memcpy(data, &config, sizeof(config));
}

static void vmemstore_reset(VirtIODevice *vdev)
{
    VMemStore *s = VMEMSTORE(vdev);

    if (s->flusher) {
        vmemstore_flusher_cancel(s->flusher);
    }
    vmemstore_worker_cancel(s->worker);
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
    if (!s->powercut_path) {
        return true;
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
    s->shadow = vmemstore_shadow_open(s->powercut_path, s->mapping.fd,
                                      s->mapping.base, s->mapping.size,
                                      s->powercut_seed);
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
    if (s->hugepages && s->offset) {
        error_setg(errp, "vmemstore: hugepages=on needs a store at the start of "
                   "its file: leave offset= out");
        return false;
    }
    if (s->flush_threads < 1 || s->flush_threads > VMEMSTORE_QUEUE_SIZE) {
        error_setg(errp, "vmemstore: flush-threads= must be 1 to %d",
                   VMEMSTORE_QUEUE_SIZE);
        return false;
    }
    return true;
}

void vmemstore_engine_start(VMemStore *s)
{
    VMemStoreFlusherConfig config = {
        .mapping = &s->mapping,
        .stats = &s->stats,
        .ops = &flusher_ops,
        .opaque = s,
        .threads = s->flush_threads,
        .fail_from = s->fail_flush,
        .trace_fd = s->trace_fd,
        .shadow = s->shadow,
    };

    s->flusher = vmemstore_flusher_new(&config);
    if (vmemstore_mapping_shared(&s->mapping)) {
        vmemstore_limit_start(&s->limit, &s->mapping, s->resident_limit);
    }
}

void vmemstore_engine_stop(VMemStore *s)
{
    vmemstore_limit_stop(&s->limit);
    if (s->flusher) {
        vmemstore_flusher_destroy(s->flusher);
        s->flusher = NULL;
    }
}

static void start_device(VMemStore *s)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(s);

    vmemstore_region_init(&s->region, OBJECT(s), &s->mapping);
    if (vmemstore_faults_watch(&s->faults, s->mapping.base, s->mapping.size,
                               s->mapping.granule)) {
        event_notifier_set_handler(&s->faults.notifier, page_lost);
    }
    s->worker = vmemstore_worker_new(&worker_ops, s);
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

    vmemstore_engine_stop(s);
    vmemstore_worker_destroy(s->worker);
    s->worker = NULL;
    if (s->faults.watched) {
        event_notifier_set_handler(&s->faults.notifier, NULL);
    }
    virtio_delete_queue(s->vq);
    virtio_cleanup(vdev);
    close_trace_file(s);
}

static void close_store(VMemStore *s)
{
    vmemstore_shadow_close(s->shadow);
    s->shadow = NULL;
    vmemstore_faults_forget(&s->faults);
    vmemstore_mapping_close(&s->mapping);
}

static bool open_mapping(VMemStore *s, Error **errp)
{
    if (vmemstore_migration_takes_over(s)) {
        return vmemstore_mapping_reserve(&s->mapping, &s->file, errp);
    }
    return vmemstore_mapping_open(&s->mapping, &s->file, errp);
}

static void vmemstore_realize(DeviceState *dev, Error **errp)
{
    VMemStore *s = VMEMSTORE(dev);

    s->file = (VMemStoreFile) {
        .path = s->path,
        .size = s->size,
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
    if (!open_mapping(s, errp)) {
        close_trace_file(s);
        return;
    }
    if (!open_shadow(s, errp)) {
        close_store(s);
        close_trace_file(s);
        return;
    }
    start_device(s);
    if (!vmemstore_migration_start(s, errp)) {
        stop_device(s);
        return;
    }
    trace_vmemstore_realize(s->path, s->mapping.size, s->mapping.backing,
                            s->readonly);
}

static void vmemstore_unrealize(DeviceState *dev)
{
    VMemStore *s = VMEMSTORE(dev);

    vmemstore_migration_stop(s);
    stop_device(s);
}

static void vmemstore_instance_init(Object *obj)
{
    VMemStore *s = VMEMSTORE(obj);

    s->mapping.fd = -1;
    s->trace_fd = -1;
}

/*
 * Only here is it certain that no vCPU and no DMA uses the memory any more:
 * they hold a reference to the owner of the region.
 */
static void vmemstore_instance_finalize(Object *obj)
{
    close_store(VMEMSTORE(obj));
}

VMEMSTORE_PROPERTIES vmemstore_properties[] = {
    DEFINE_PROP_STRING("file", VMemStore, path),
    DEFINE_PROP_SIZE("size", VMemStore, size, 0),
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
    DEFINE_PROP_ON_OFF_AUTO("flush-in-vcpu", VMemStore, run_in_vcpu,
                            ON_OFF_AUTO_AUTO),
    DEFINE_PROP_STRING("migrate", VMemStore, migrate),
    DEFINE_PROP_STRING("compat", VMemStore, compat),
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
    vdc->reset = vmemstore_reset;
}

static const TypeInfo vmemstore_info = {
    .name = TYPE_VMEMSTORE,
    .parent = TYPE_VIRTIO_DEVICE,
    .instance_size = sizeof(VMemStore),
    .instance_init = vmemstore_instance_init,
    .instance_finalize = vmemstore_instance_finalize,
    .class_init = vmemstore_class_init,
};

void vmemstore_register_device(void)
{
    type_register_static(&vmemstore_info);
}
