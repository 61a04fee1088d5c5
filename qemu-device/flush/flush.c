/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flush.c - flushes: the engine in QEMU (see flush.h)
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/rcu.h"
#include "qemu/thread.h"
#include "qemu/timer.h"
#include "qemu/units.h"

#include <linux/types.h>

#include "compat.h"
#include "fault.h"
#include "flush.h"
#include "sync.h"
#include "trace.h"

QEMU_BUILD_BUG_ON(VMEMSTORE_FLUSH_SPANS != VMEMSTORE_MAX_RANGES);

/*
 * A vCPU waits for a flush itself while the disk takes less than this on
 * average: four times what the two wake-ups cost that it saves.
 */
#define QUICK_NS (250 * SCALE_US)

/* ... and the flush is not larger than this. */
#define QUICK_BYTES (256 * KiB)

/*
 * The device holds one reference, every thread another: a thread may still be
 * on its way to the big QEMU lock when the device goes, and joining it there
 * would deadlock.
 */
struct VMemStoreFlusher {
    VMemStoreFlusherConfig config;
    int refs;                   /* atomic */
    VMemStoreEngine *engine;
    VMemStoreSync sync;
    bool io_error;              /* atomic: set once by a worker, read by all */
    bool io_error_reported;     /* big QEMU lock */
    bool has_failed;            /* atomic: x-fail-flush= has */
};

static void flusher_unref(VMemStoreFlusher *f)
{
    if (qatomic_fetch_dec(&f->refs) == 1) {
        vmemstore_engine_free(f->engine);
        g_free(f);
    }
}

/* ---- called by the engine ---- */

static int sync_parts(void *opaque, unsigned lane, const VMemStoreSpan *spans,
                      uint32_t nr, uint64_t nth)
{
    VMemStoreFlusher *f = opaque;
    int err;

    /*
     * Linux marks pages clean after a failed write-back: a retry would succeed
     * without having written anything.  So the first error is final.
     */
    if (qatomic_read(&f->io_error)) {
        return -EIO;
    }
    if (!vmemstore_mapping_shared(f->config.mapping)) {
        return 0;
    }
    trace_vmemstore_sync(lane, nr, spans[0].offset, spans[0].length);
    if (f->config.fail_at && nth >= f->config.fail_at &&
        !qatomic_xchg(&f->has_failed, true)) {
        err = -EIO;
    } else {
        err = vmemstore_sync_spans(&f->sync, lane, spans, nr);
    }
    if (!err && f->config.shadow) {
        err = vmemstore_shadow_flushed(f->config.shadow, spans, nr);
    }
    if (err) {
        qatomic_set(&f->io_error, true);
    } else {
        qatomic_add(&f->config.stats->bytes, vmemstore_spans_bytes(spans, nr));
    }
    return err;
}

static void store_mark(void *opaque, uint64_t offset, uint64_t value)
{
    VMemStoreFlusher *f = opaque;
    const VMemStoreMapping *mapping = f->config.mapping;

    if (!mapping->readonly) {
        /* The vCPUs see it like a store of each other. */
        qatomic_set((uint64_t *)(mapping->base + offset), cpu_to_le64(value));
        f->config.ops->stored(f->config.opaque, offset, sizeof(value));
    }
}

static void *worker_thread(void *opaque)
{
    VMemStoreFlusher *f = opaque;

    rcu_register_thread();
    /* A commit's mark is stored by this thread. */
    vmemstore_faults_unblock();
    vmemstore_engine_work(f->engine);
    flusher_unref(f);
    rcu_unregister_thread();
    return NULL;
}

static bool start_worker(void *opaque, VMemStoreEngine *engine)
{
    VMemStoreFlusher *f = opaque;
    QemuThread thread;

    qatomic_inc(&f->refs);
    qemu_thread_create(&thread, "vmemstore-flush", worker_thread, f,
                       QEMU_THREAD_DETACHED);
    return true;
}

/* ---- completion ---- */

/* One line per flush, before the guest can see the completion. */
static void write_trace_line(int fd, const VMemStoreFlush *flush)
{
    bool ordered = flush->nr_first < flush->nr_spans;
    g_autoptr(GString) line = g_string_new(ordered ? "commit" : "flush");

    g_string_append(line, flush->err ? " error" : " ok");
    if (flush->nr_spans == 0) {
        g_string_append(line, " all");
    }
    for (uint32_t i = 0; i < flush->nr_spans; i++) {
        g_string_append_printf(line, "%s %" PRIu64 "+%" PRIu64,
                               ordered && i == flush->nr_first ? " |" : "",
                               flush->spans[i].offset, flush->spans[i].length);
    }
    g_string_append_c(line, '\n');
    /* The file is in append mode: one write is one whole line. */
    if (write(fd, line->str, line->len) != (ssize_t)line->len) {
        trace_vmemstore_trace_file_error(errno);
    }
}

static void count_flush(VMemStoreStats *stats, const VMemStoreFlush *flush)
{
    int64_t ns = get_clock() - flush->submitted_ns;
    unsigned bucket = ns < SCALE_US ? 0 : 64 - clz64(ns / SCALE_US);

    qatomic_inc(&stats->requests);
    qatomic_add(&stats->ranges, flush->nr_spans);
    if (flush->nr_spans == 0) {
        qatomic_inc(&stats->whole);
    }
    if (flush->nr_first < flush->nr_spans) {
        qatomic_inc(&stats->commits);
    }
    if (flush->err) {
        qatomic_inc(&stats->errors);
    }
    qatomic_inc(&stats->latency[MIN(bucket, VMEMSTORE_LATENCIES - 1)]);
    qatomic_add(&stats->latency_ns, ns);
}

/* Big QEMU lock held.  Completes whatever is done, by whichever thread. */
static void complete_done(VMemStoreFlusher *f)
{
    VMemStoreFlushList list = vmemstore_engine_take_done(f->engine);
    VMemStoreFlush *flush;
    bool any = list.nr > 0;

    if (any && qatomic_read(&f->io_error) && !f->io_error_reported) {
        f->io_error_reported = true;
        f->config.ops->failed(f->config.opaque);
    }
    while ((flush = vmemstore_list_take(&list))) {
        count_flush(f->config.stats, flush);
        if (f->config.trace_fd >= 0) {
            write_trace_line(f->config.trace_fd, flush);
        }
        trace_vmemstore_flush_done(flush, flush->nr_spans, flush->err);
        f->config.ops->complete(f->config.opaque, flush, false);
    }
    if (any) {
        f->config.ops->notify(f->config.opaque);
    }
}

/* Something is done, in a worker. */
static void worker_done(void *opaque)
{
    VMemStoreFlusher *f = opaque;

    bql_lock();
    complete_done(f);
    bql_unlock();
}

static const VMemStoreEngineOps engine_ops = {
    .sync = sync_parts,
    .mark = store_mark,
    .start_worker = start_worker,
    .done = worker_done,
};

/* ---- the device's side ---- */

VMemStoreFlusher *vmemstore_flusher_new(const VMemStoreFlusherConfig *config)
{
    VMemStoreFlusher *f = g_new0(VMemStoreFlusher, 1);
    VMemStoreEngineConfig engine = {
        .ops = &engine_ops,
        .opaque = f,
        .granule = config->mapping->granule,
        .threads = config->threads,
        .gather = config->mapping->batches,
    };

    f->config = *config;
    f->refs = 1;
    /* One for each worker, and one for the vCPUs. */
    f->sync.dax = config->mapping->backing == VMEMSTORE_BACKING_DAX;
    vmemstore_sync_init(&f->sync, config->mapping->fd,
                        config->mapping->offset, config->mapping->base,
                        config->mapping->batches, config->threads + 1);
    engine.lanes = f->sync.nr_lanes;
    f->engine = vmemstore_engine_new(&engine);
    if (!f->engine) {
        abort();                /* as g_new0() would */
    }
    return f;
}

void vmemstore_flusher_submit(VMemStoreFlusher *f, VMemStoreFlush *flush)
{
    trace_vmemstore_flush_submit(flush, flush->nr_spans);
    vmemstore_engine_submit(f->engine, flush);
}

void vmemstore_flusher_kick(VMemStoreFlusher *f)
{
    vmemstore_engine_kick(f->engine);
}

bool vmemstore_flusher_is_quick(VMemStoreFlusher *f,
                                const VMemStoreFlush *flush)
{
    return flush->nr_spans &&
           vmemstore_spans_bytes(flush->spans, flush->nr_spans) <= QUICK_BYTES &&
           vmemstore_engine_average_ns(f->engine) <= QUICK_NS;
}

bool vmemstore_flusher_reserve(VMemStoreFlusher *f, bool alone)
{
    return vmemstore_engine_reserve(f->engine, alone);
}

void vmemstore_flusher_run(VMemStoreFlusher *f, VMemStoreFlush *flush)
{
    trace_vmemstore_flush_submit(flush, flush->nr_spans);
    qatomic_inc(&f->refs);

    bql_unlock();
    vmemstore_engine_run(f->engine, flush);
    bql_lock();
    complete_done(f);
    flusher_unref(f);
}

void vmemstore_flusher_cancel(VMemStoreFlusher *f)
{
    VMemStoreFlushList list = vmemstore_engine_cancel(f->engine);
    VMemStoreFlush *flush;

    while ((flush = vmemstore_list_take(&list))) {
        f->config.ops->complete(f->config.opaque, flush, true);
    }
}

void vmemstore_flusher_get_stats(VMemStoreFlusher *f,
                                 VMemStoreEngineStats *stats)
{
    vmemstore_engine_get_stats(f->engine, stats);
}

void vmemstore_flusher_drain(VMemStoreFlusher *f)
{
    vmemstore_engine_drain(f->engine);
    complete_done(f);
}

int vmemstore_flusher_sync_all(VMemStoreFlusher *f)
{
    VMemStoreFlush all = { .nr_spans = 0 };
    VMemStoreSpan span = { .offset = 0, .length = f->config.mapping->size };
    VMemStoreEngineStats stats;

    vmemstore_engine_get_stats(f->engine, &stats);
    all.err = sync_parts(f, 0, &span, 1, stats.syncs + stats.joined + 1);
    if (f->config.trace_fd >= 0) {
        write_trace_line(f->config.trace_fd, &all);
    }
    if (all.err && !f->io_error_reported) {
        f->io_error_reported = true;
        f->config.ops->failed(f->config.opaque);
    }
    return all.err;
}

void vmemstore_flusher_fail(VMemStoreFlusher *f)
{
    qatomic_set(&f->io_error, true);
    f->io_error_reported = true;
}

void vmemstore_flusher_destroy(VMemStoreFlusher *f)
{
    vmemstore_flusher_cancel(f);
    vmemstore_engine_quit(f->engine);
    vmemstore_sync_fini(&f->sync);
    flusher_unref(f);
}
