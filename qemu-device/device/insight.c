/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * insight.c - what the device shows of itself (see insight.h)
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/cutils.h"
#include "qemu/units.h"
#include "qapi/error.h"
#include "qapi/visitor.h"

#include <sys/mman.h>

#include "insight.h"

/* Looked at at a time. */
#define WINDOW (1 * GiB)

uint64_t vmemstore_resident_bytes(uint8_t *base, uint64_t size)
{
    size_t page = qemu_real_host_page_size();
    g_autofree uint8_t *resident = g_malloc(MIN(WINDOW, size) / page);
    uint64_t pages = 0;

    for (uint64_t at = 0; base && at < size; at += WINDOW) {
        uint64_t length = MIN(WINDOW, size - at);

        if (mincore(base + at, length, resident) < 0) {
            break;
        }
        for (uint64_t i = 0; i < length / page; i++) {
            pages += resident[i] & 1;
        }
    }
    return pages * page;
}

/*
 * From /proc/self/smaps: its dirty lines count pages that are dirty in the page
 * cache or in this process's page tables, which is where every vCPU's stores are.
 */
uint64_t vmemstore_dirty_bytes(const VMemStoreMapping *m)
{
    uintptr_t first = (uintptr_t)m->base, end = first + m->size;
    FILE *f = fopen("/proc/self/smaps", "r");
    unsigned long from, to, kib, sum = 0;
    bool ours = false;
    char line[512];

    if (!f) {
        return 0;
    }
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
            ours = from >= first && to <= end;
        } else if (ours && (sscanf(line, "Shared_Dirty: %lu", &kib) == 1 ||
                            sscanf(line, "Private_Dirty: %lu", &kib) == 1)) {
            sum += kib;
        }
    }
    fclose(f);
    return sum * KiB;
}

uint64_t vmemstore_provisioned_bytes(const VMemStoreMapping *m)
{
    struct stat st;

    if (m->fd < 0 || fstat(m->fd, &st) < 0) {
        return 0;
    }
    return S_ISREG(st.st_mode) ? MIN(m->size, (uint64_t)st.st_blocks * 512) :
           m->size;
}

static bool visit_number(Visitor *v, const char *name, uint64_t value,
                         Error **errp)
{
    return visit_type_uint64(v, name, &value, errp);
}

/* Buckets by their upper bound in microseconds; those that are empty are left out. */
static bool visit_latency(VMemStore *s, Visitor *v, Error **errp)
{
    bool ok = visit_start_struct(v, "latency-us", NULL, 0, errp);

    for (unsigned i = 0; ok && i < VMEMSTORE_LATENCIES; i++) {
        uint64_t count = qatomic_read(&s->stats.latency[i]);
        g_autofree char *name = i == VMEMSTORE_LATENCIES - 1 ?
                                g_strdup("more") : g_strdup_printf("%u", 1u << i);

        if (count) {
            ok = visit_number(v, name, count, errp);
        }
    }
    if (ok) {
        ok = visit_check_struct(v, errp);
    }
    visit_end_struct(v, NULL);
    return ok;
}

void vmemstore_visit_stats(VMemStore *s, Visitor *v, const char *name,
                           Error **errp)
{
    VMemStoreEngineStats engine = { 0 };
    const VMemStoreStats *stats = &s->stats;
    bool ok;

    if (s->flusher) {
        vmemstore_flusher_get_stats(s->flusher, &engine);
    }
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        { "flush-requests", qatomic_read(&stats->requests) },
        { "commits", qatomic_read(&stats->commits) },
        { "flush-whole", qatomic_read(&stats->whole) },
        { "flush-ranges", qatomic_read(&stats->ranges) },
        { "flush-bytes", qatomic_read(&stats->bytes) },
        { "flush-errors", qatomic_read(&stats->errors) },
        { "flush-ns", qatomic_read(&stats->latency_ns) },
        { "syncs", engine.syncs },
        { "joined", engine.joined },
        { "in-flight", engine.in_flight },
        { "invalid-requests", qatomic_read(&stats->invalid) },
        { "prefetch-requests", qatomic_read(&s->ahead.requests) },
        { "prefetch-bytes", qatomic_read(&s->ahead.bytes) },
        { "prefetch-resident", qatomic_read(&s->ahead.resident) },
        { "prefetch-dropped", qatomic_read(&s->ahead.dropped) },
        { "lost-pages", qatomic_read(&s->faults.lost) },
        { "io-error", !!(s->state & VMEMSTORE_STATE_IO_ERROR) },
        { "size", s->mapping.size },
        { "max-size", s->mapping.max_size },
        { "in-use", s->hold.in_use },
        { "provisioned-bytes", vmemstore_provisioned_bytes(&s->mapping) },
        { "resident-bytes", vmemstore_resident_bytes(s->mapping.base,
                                                     s->mapping.size) },
        { "dirty-bytes", vmemstore_dirty_bytes(&s->mapping) },
        { "resident-limit", s->resident_limit },
        { "dropped-bytes", qatomic_read(&s->limit.dropped) },
    };

    ok = visit_start_struct(v, name, NULL, 0, errp);
    if (!ok) {
        return;
    }
    for (size_t i = 0; ok && i < G_N_ELEMENTS(numbers); i++) {
        ok = visit_number(v, numbers[i].name, numbers[i].value, errp);
    }
    if (ok && visit_latency(s, v, errp)) {
        visit_check_struct(v, errp);
    }
    visit_end_struct(v, NULL);
}

char *vmemstore_summary(VMemStore *s)
{
    g_autofree char *resident =
        size_to_str(vmemstore_resident_bytes(s->mapping.base, s->mapping.size));
    g_autofree char *dirty = size_to_str(vmemstore_dirty_bytes(&s->mapping));
    g_autofree char *flushed = size_to_str(qatomic_read(&s->stats.bytes));
    uint64_t requests = qatomic_read(&s->stats.requests);

    return g_strdup_printf("%" PRIu64 " flushes of %s, %" PRIu64 " us each, %"
                           PRIu64 " errors; %s in memory, %s dirty", requests,
                           flushed, requests ?
                           qatomic_read(&s->stats.latency_ns) / requests / 1000 :
                           0, qatomic_read(&s->stats.errors), resident, dirty);
}
