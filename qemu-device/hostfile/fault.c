/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fault.c - pages of the mapping that the host cannot provide (see fault.h)
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"

#include <sys/mman.h>

#include "compat.h"
#include "fault.h"
#include "hw/core/cpu.h"

/*
 * The signal handler reads these in any thread at any time, so they are never
 * freed.  A base that is set makes the rest valid.
 */
#define MAX_WATCHED 64

static struct {
    uint8_t *base;              /* atomic; NULL: unused */
    uint64_t size;
    VMemStoreFaults *faults;    /* lives as long as anybody uses the mapping */
} watched[MAX_WATCHED];

/* QEMU's own handler: memory errors of the host, for KVM. */
static struct sigaction previous;
static bool installed;

static VMemStoreFaults *find_watched(const uint8_t *addr)
{
    for (int i = 0; i < MAX_WATCHED; i++) {
        uint8_t *base = qatomic_load_acquire(&watched[i].base);

        if (base && addr >= base && addr < base + watched[i].size) {
            return watched[i].faults;
        }
    }
    return NULL;
}

/*
 * In a signal handler: only calls that are bare system calls.  The faulting
 * instruction then runs again, on a page of zeros.
 */
static bool replace_page(VMemStoreFaults *f, uint8_t *addr)
{
    uint8_t *page = (uint8_t *)((uintptr_t)addr & ~(uintptr_t)(f->granule - 1));

    if (mmap(page, f->granule, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
        return false;
    }
    qatomic_inc(&f->lost);
    event_notifier_set(&f->notifier);
    return true;
}

static void handle_sigbus(int sig, siginfo_t *info, void *context)
{
    int saved = errno;

    if (info->si_code == BUS_ADRERR) {
        VMemStoreFaults *f = find_watched(info->si_addr);

        if (f && replace_page(f, info->si_addr)) {
            errno = saved;
            return;
        }
    }
    errno = saved;
    if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(sig, info, context);
    } else if (previous.sa_handler != SIG_DFL &&
               previous.sa_handler != SIG_IGN) {
        previous.sa_handler(sig);
    } else {
        /* The instruction faults again, and then kills. */
        sigaction(SIGBUS, &previous, NULL);
    }
}

/*
 * With KVM some threads get the memory errors of the host by this signal, and
 * the main thread through a descriptor: then it must remain blocked.
 */
void vmemstore_faults_unblock(void)
{
    sigset_t set;

    if (kvm_enabled()) {
        return;
    }
    sigemptyset(&set);
    sigaddset(&set, SIGBUS);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void unblock_in_cpu(CPUState *cpu, run_on_cpu_data data)
{
    vmemstore_faults_unblock();
}

static void install(void)
{
    struct sigaction action = {
        .sa_sigaction = handle_sigbus,
        .sa_flags = SA_SIGINFO,
    };
    CPUState *cpu;

    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &previous);
    vmemstore_faults_unblock();
    CPU_FOREACH(cpu) {
        async_run_on_cpu(cpu, unblock_in_cpu, RUN_ON_CPU_NULL);
    }
    installed = true;
}

bool vmemstore_faults_watch(VMemStoreFaults *f, void *base, uint64_t size,
                            uint64_t granule)
{
    int slot = 0;

    while (slot < MAX_WATCHED && watched[slot].base) {
        slot++;
    }
    if (slot == MAX_WATCHED || event_notifier_init(&f->notifier, 0) < 0) {
        return false;
    }
    if (!installed) {
        install();
    }
    f->granule = granule;
    f->watched = true;
    watched[slot].size = size;
    watched[slot].faults = f;
    qatomic_store_release(&watched[slot].base, base);
    return true;
}

void vmemstore_faults_forget(VMemStoreFaults *f)
{
    if (!f->watched) {
        return;
    }
    for (int i = 0; i < MAX_WATCHED; i++) {
        if (watched[i].faults == f) {
            watched[i].faults = NULL;
            qatomic_set(&watched[i].base, NULL);
        }
    }
    event_notifier_cleanup(&f->notifier);
    f->watched = false;
}
