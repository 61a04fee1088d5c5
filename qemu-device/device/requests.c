/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * requests.c - the request queue (see requests.h)
 *
 * Everything that comes from the guest is hostile input.
 */
#include "qemu/osdep.h"
#include "qemu/iov.h"
#include "qemu/units.h"

#include "compat.h"
#include "hw/core/cpu.h"
#include "loss.h"
#include "requests.h"
#include "trace.h"
#include "vmemstore.h"

/* A request on its way; the element must come first for virtqueue_pop(). */
typedef struct VMemStoreRequest {
    VirtQueueElement elem;
    uint32_t type;              /* VMEMSTORE_REQ_* */
    uint32_t status;            /* of what is not a flush */
    bool lost;                  /* it met a write-back that failed */
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
    req->lost = false;
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
    } else if (type == VMEMSTORE_REQ_PREFETCH) {
        status = parse_space(s, req, nr_ranges,
                             vmemstore_ahead_possible(&s->mapping));
    } else {
        status = VMEMSTORE_S_UNSUPP;
    }
    if (status != VMEMSTORE_S_OK) {
        trace_vmemstore_bad_request(type, nr_ranges, length, status);
    }
    return status;
}

/*
 * The doorbell may also come in the main loop, by the DMA of another device or by
 * an event fd.  Under qtest there are no vCPUs, and the main loop plays their part.
 */
static bool is_vcpu(void)
{
    return current_cpu || qtest_enabled();
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
        return is_vcpu() && vmemstore_flusher_reserve(s->flusher, false);
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

static void answer_at_once(VMemStore *s, VMemStoreRequest *req, uint32_t status)
{
    push_response(s, req, status);
    virtio_notify(VIRTIO_DEVICE(s), s->vq);
}

static void start_prefetch(VMemStore *s, VMemStoreRequest *req)
{
    if (vmemstore_ahead_begin(&s->ahead, req->flush.spans,
                              &req->flush.nr_spans)) {
        vmemstore_worker_submit(s->reader, &req->job);
    } else {
        answer_at_once(s, req, VMEMSTORE_S_OK);
    }
}

static bool start_request(VMemStore *s, VMemStoreRequest *req)
{
    if (req->type == VMEMSTORE_REQ_FLUSH || req->type == VMEMSTORE_REQ_COMMIT) {
        return start_flush(s, &req->flush);
    }
    if (req->type == VMEMSTORE_REQ_PREFETCH) {
        start_prefetch(s, req);
        return true;
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
    answer_at_once(s, req, status);
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

void vmemstore_handle_output(VirtIODevice *vdev, VirtQueue *vq)
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

/* ---- what the flush engine and the worker call ---- */

/* Tell the guest, unless nobody there waits any more. */
static void finish_request(VMemStore *s, VMemStoreRequest *req, bool cancelled,
                           uint32_t status)
{
    bool was_busy = s->busy;

    s->busy = true;
    if (cancelled) {
        virtqueue_detach_element(s->vq, &req->elem, 0);
        g_free(req);
    } else {
        push_response(s, req, status);
    }
    s->busy = was_busy;
}

static void interrupt_guest(void *opaque)
{
    VMemStore *s = opaque;
    bool was_busy = s->busy;

    s->busy = true;
    virtio_notify(VIRTIO_DEVICE(s), s->vq);
    s->busy = was_busy;
}

static void flush_complete(void *opaque, VMemStoreFlush *flush, bool cancelled)
{
    VMemStore *s = opaque;

    /* What is in a page that was lost cannot be flushed. */
    finish_request(s, container_of(flush, VMemStoreRequest, flush), cancelled,
                   flush->err || qatomic_read(&s->faults.lost) ?
                   VMEMSTORE_S_IOERR : VMEMSTORE_S_OK);
}

static void flush_failed(void *opaque)
{
    vmemstore_report_loss(opaque, "a flush failed");
}

/* A migration sends what the guest, or this, marks as changed. */
static void flush_stored(void *opaque, uint64_t offset, uint64_t length)
{
    VMemStore *s = opaque;

    memory_region_set_dirty(&s->region.mr, offset, length);
}

const VMemStoreFlusherOps vmemstore_flusher_ops = {
    .complete = flush_complete,
    .notify = interrupt_guest,
    .failed = flush_failed,
    .stored = flush_stored,
};

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
        err = vmemstore_small_pages_ask(&s->small_pages, &s->mapping, spans, nr);
        req->lost = err != 0;
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
    VMemStoreRequest *req = container_of(job, VMemStoreRequest, job);
    VMemStore *s = opaque;
    uint32_t status = req->status;

    if (req->lost && s->flusher) {
        /* The kernel has told, and marked the pages clean: as a failed flush. */
        vmemstore_flusher_fail(s->flusher);
        vmemstore_report_loss(s, "a write-back failed");
    }
    finish_request(opaque, req, cancelled, status);
    if (!cancelled) {
        interrupt_guest(opaque);
    }
}

const VMemStoreWorkerOps vmemstore_worker_ops = {
    .run = space_run,
    .complete = space_complete,
};

static void ahead_run(void *opaque, VMemStoreJob *job)
{
    VMemStore *s = opaque;
    VMemStoreRequest *req = container_of(job, VMemStoreRequest, job);

    req->status = vmemstore_ahead_run(&s->ahead, &s->mapping, req->flush.spans,
                                      req->flush.nr_spans);
    trace_vmemstore_ahead_done(req->flush.spans[0].offset,
                               req->flush.spans[0].length, req->flush.nr_spans,
                               req->status);
}

static void ahead_complete(void *opaque, VMemStoreJob *job, bool cancelled)
{
    VMemStoreRequest *req = container_of(job, VMemStoreRequest, job);
    VMemStore *s = opaque;

    vmemstore_ahead_end(&s->ahead, req->flush.spans, req->flush.nr_spans);
    finish_request(s, req, cancelled, req->status);
    if (!cancelled) {
        interrupt_guest(s);
    }
}

const VMemStoreWorkerOps vmemstore_reader_ops = {
    .run = ahead_run,
    .complete = ahead_complete,
};
