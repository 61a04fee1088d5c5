/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flush.c - the flush engine (see flush.h)
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/rcu.h"
#include "qemu/thread.h"
#include "qemu/timer.h"
#include "qemu/units.h"

#include <linux/types.h>

#include "compat.h"
#include "flush.h"
#include "trace.h"

typedef QSIMPLEQ_HEAD(, VMemStoreFlush) FlushList;

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

    QemuMutex lock;             /* the fields below; inside the big QEMU lock */
    QemuCond work;              /* something was submitted, or quit */
    QemuCond idle;              /* running became 0 */
    FlushList submitted;
    FlushList done;             /* executed, to be completed */
    uint32_t threads;
    uint32_t waiting;           /* threads asleep on work */
    uint32_t pending;           /* length of submitted */
    uint32_t running;
    bool quit;

    /* Atomic: set once by a worker, read by all. */
    bool io_error;
    bool io_error_reported;
    uint64_t executed;
    int64_t average_ns;         /* of a sync; moving */
};

static void flusher_unref(VMemStoreFlusher *f)
{
    if (qatomic_fetch_dec(&f->refs) == 1) {
        qemu_cond_destroy(&f->work);
        qemu_cond_destroy(&f->idle);
        qemu_mutex_destroy(&f->lock);
        g_free(f);
    }
}

/* One line per flush, before the guest can see the completion. */
static void write_trace_line(int fd, const VMemStoreSpan *spans, uint32_t nr,
                             uint32_t status)
{
    g_autoptr(GString) line = g_string_new("flush");

    g_string_append(line, status == VMEMSTORE_S_OK ? " ok" : " error");
    if (nr == 0) {
        g_string_append(line, " all");
    }
    for (uint32_t i = 0; i < nr; i++) {
        g_string_append_printf(line, " %" PRIu64 "+%" PRIu64,
                               spans[i].offset, spans[i].length);
    }
    g_string_append_c(line, '\n');
    /* The file is in append mode: one write is one whole line. */
    if (write(fd, line->str, line->len) != (ssize_t)line->len) {
        trace_vmemstore_trace_file_error(errno);
    }
}

static int execute_spans(VMemStoreFlusher *f, const VMemStoreFlush *flush,
                         uint64_t nth)
{
    const VMemStoreMapping *mapping = f->config.mapping;
    VMemStoreSpan spans[VMEMSTORE_MAX_RANGES];
    uint32_t nr = flush->nr_spans;

    /*
     * Linux marks pages clean after a failed write-back: a retry would succeed
     * without having written anything.  So the first error is final.
     */
    if (qatomic_read(&f->io_error)) {
        return -EIO;
    }
    if (f->config.fail_from && nth >= f->config.fail_from) {
        return -EIO;
    }
    if (nr == 0) {
        spans[0] = (VMemStoreSpan) { .offset = 0, .length = mapping->size };
        nr = 1;
    } else {
        memcpy(spans, flush->spans, nr * sizeof(spans[0]));
        nr = vmemstore_merge_spans(spans, nr, mapping->granule);
    }
    for (uint32_t i = 0; i < nr; i++) {
        qatomic_add(&f->config.stats->bytes, spans[i].length);
    }
    return vmemstore_mapping_sync(mapping, spans, nr);
}

/* Weight 1/8.  Threads may race: one sample is then lost, which is harmless. */
static void note_duration(VMemStoreFlusher *f, int64_t ns)
{
    int64_t average = qatomic_read(&f->average_ns);

    qatomic_set(&f->average_ns, average + (ns - average) / 8);
}

static void execute(VMemStoreFlusher *f, VMemStoreFlush *flush)
{
    VMemStoreStats *stats = f->config.stats;
    int64_t start = get_clock();
    int err;

    qatomic_inc(&stats->requests);
    qatomic_add(&stats->ranges, flush->nr_spans);
    if (flush->nr_spans == 0) {
        qatomic_inc(&stats->whole);
    }
    err = execute_spans(f, flush, qatomic_fetch_inc(&f->executed) + 1);
    if (err) {
        qatomic_set(&f->io_error, true);
        qatomic_inc(&stats->errors);
    }
    note_duration(f, get_clock() - start);
    flush->status = err ? VMEMSTORE_S_IOERR : VMEMSTORE_S_OK;
    if (f->config.trace_fd >= 0) {
        write_trace_line(f->config.trace_fd, flush->spans, flush->nr_spans,
                         flush->status);
    }
    trace_vmemstore_flush_done(flush, flush->nr_spans, err);
}

/* Big QEMU lock held. */
static void complete_list(VMemStoreFlusher *f, FlushList *list, bool cancelled)
{
    VMemStoreFlush *flush;

    while ((flush = QSIMPLEQ_FIRST(list))) {
        QSIMPLEQ_REMOVE_HEAD(list, next);
        f->config.ops->complete(f->config.opaque, flush, cancelled);
    }
}

/* Big QEMU lock held.  Completes whatever is done, by whichever thread. */
static void complete_done(VMemStoreFlusher *f)
{
    FlushList list = QSIMPLEQ_HEAD_INITIALIZER(list);
    bool any;

    qemu_mutex_lock(&f->lock);
    QSIMPLEQ_CONCAT(&list, &f->done);
    qemu_mutex_unlock(&f->lock);

    any = !QSIMPLEQ_EMPTY(&list);
    if (any && qatomic_read(&f->io_error) && !f->io_error_reported) {
        f->io_error_reported = true;
        f->config.ops->failed(f->config.opaque);
    }
    complete_list(f, &list, false);
    if (any) {
        f->config.ops->notify(f->config.opaque);
    }
}

/* No lock held; @flush is counted as running. */
static void execute_running(VMemStoreFlusher *f, VMemStoreFlush *flush)
{
    execute(f, flush);

    qemu_mutex_lock(&f->lock);
    QSIMPLEQ_INSERT_TAIL(&f->done, flush, next);
    if (--f->running == 0) {
        qemu_cond_broadcast(&f->idle);
    }
    qemu_mutex_unlock(&f->lock);
}

/* f->lock held; returns NULL when the thread is to end. */
static VMemStoreFlush *next_flush(VMemStoreFlusher *f)
{
    VMemStoreFlush *flush;

    while (QSIMPLEQ_EMPTY(&f->submitted) && !f->quit) {
        f->waiting++;
        qemu_cond_wait(&f->work, &f->lock);
        f->waiting--;
    }
    flush = QSIMPLEQ_FIRST(&f->submitted);
    if (flush) {
        QSIMPLEQ_REMOVE_HEAD(&f->submitted, next);
        f->pending--;
        f->running++;
    }
    return flush;
}

static void *flusher_thread(void *opaque)
{
    VMemStoreFlusher *f = opaque;
    VMemStoreFlush *flush;

    rcu_register_thread();
    qemu_mutex_lock(&f->lock);
    while ((flush = next_flush(f))) {
        qemu_mutex_unlock(&f->lock);
        execute_running(f, flush);

        bql_lock();
        complete_done(f);
        bql_unlock();
        qemu_mutex_lock(&f->lock);
    }
    qemu_mutex_unlock(&f->lock);
    flusher_unref(f);
    rcu_unregister_thread();
    return NULL;
}

/* f->lock held. */
static void start_thread(VMemStoreFlusher *f)
{
    QemuThread thread;

    qatomic_inc(&f->refs);
    f->threads++;
    qemu_thread_create(&thread, "vmemstore-flush", flusher_thread, f,
                       QEMU_THREAD_DETACHED);
}

VMemStoreFlusher *vmemstore_flusher_new(const VMemStoreFlusherConfig *config)
{
    VMemStoreFlusher *f = g_new0(VMemStoreFlusher, 1);

    f->config = *config;
    f->refs = 1;
    qemu_mutex_init(&f->lock);
    qemu_cond_init(&f->work);
    qemu_cond_init(&f->idle);
    QSIMPLEQ_INIT(&f->submitted);
    QSIMPLEQ_INIT(&f->done);
    return f;
}

void vmemstore_flusher_submit(VMemStoreFlusher *f, VMemStoreFlush *flush)
{
    trace_vmemstore_flush_submit(flush, flush->nr_spans);
    qemu_mutex_lock(&f->lock);
    QSIMPLEQ_INSERT_TAIL(&f->submitted, flush, next);
    f->pending++;
    if (f->pending > f->waiting && f->threads < f->config.threads) {
        start_thread(f);
    } else {
        qemu_cond_signal(&f->work);
    }
    qemu_mutex_unlock(&f->lock);
}

static uint64_t total_bytes(const VMemStoreFlush *flush)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < flush->nr_spans; i++) {
        /* Each is at most the size of the store: 64 of them do not overflow. */
        total += flush->spans[i].length;
    }
    return total;
}

bool vmemstore_flusher_is_quick(VMemStoreFlusher *f,
                                const VMemStoreFlush *flush)
{
    bool alone;

    if (flush->nr_spans == 0 || total_bytes(flush) > QUICK_BYTES ||
        qatomic_read(&f->average_ns) > QUICK_NS) {
        return false;
    }
    qemu_mutex_lock(&f->lock);
    alone = f->pending == 0 && f->running == 0;
    qemu_mutex_unlock(&f->lock);
    return alone;
}

void vmemstore_flusher_run(VMemStoreFlusher *f, VMemStoreFlush *flush)
{
    trace_vmemstore_flush_submit(flush, flush->nr_spans);
    qatomic_inc(&f->refs);
    qemu_mutex_lock(&f->lock);
    f->running++;
    qemu_mutex_unlock(&f->lock);

    bql_unlock();
    execute_running(f, flush);
    bql_lock();
    complete_done(f);
    flusher_unref(f);
}

void vmemstore_flusher_cancel(VMemStoreFlusher *f)
{
    FlushList list = QSIMPLEQ_HEAD_INITIALIZER(list);

    qemu_mutex_lock(&f->lock);
    QSIMPLEQ_CONCAT(&list, &f->submitted);
    f->pending = 0;
    while (f->running) {
        qemu_cond_wait(&f->idle, &f->lock);
    }
    QSIMPLEQ_CONCAT(&list, &f->done);
    qemu_mutex_unlock(&f->lock);
    complete_list(f, &list, true);
}

void vmemstore_flusher_destroy(VMemStoreFlusher *f)
{
    vmemstore_flusher_cancel(f);
    qemu_mutex_lock(&f->lock);
    f->quit = true;
    qemu_cond_broadcast(&f->work);
    qemu_mutex_unlock(&f->lock);
    flusher_unref(f);
}
