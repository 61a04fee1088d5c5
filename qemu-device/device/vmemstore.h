/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmemstore.h - the virtio device and what its parts share
 */
#ifndef VMEMSTORE_H
#define VMEMSTORE_H

#include <linux/types.h>
#include "hw/virtio/virtio.h"
#include "ahead.h"
#include "compat-pmem.h"
#include "fault.h"
#include "flush.h"
#include "growth.h"
#include "hold.h"
#include "limit.h"
#include "mapping.h"
#include "migration.h"
#include "region.h"
#include "requests.h"
#include "smallpages.h"
#include "worker.h"

#define TYPE_VMEMSTORE "vmemstore-device"
OBJECT_DECLARE_SIMPLE_TYPE(VMemStore, VMEMSTORE)

/* Since realize. */
typedef struct VMemStoreSpaceStats {
    uint64_t provisions;        /* PROVISION requests executed */
    uint64_t no_space;          /* ... answered with NOSPC */
    uint64_t discards;          /* DISCARD requests executed */
    uint64_t discarded;         /* bytes in them, after narrowing */
} VMemStoreSpaceStats;

/*
 * The first BAR that virtio-pci leaves free for 64 bits: it uses 0 for legacy
 * I/O, 1 for MSI-X, 4 and 5 for the modern registers; 2 only together with
 * modern-pio-notify, which this device does not offer.
 */
#define VMEMSTORE_BAR 2

struct VMemStore {
    VirtIODevice parent_obj;

    /* Options. */
    char *path;
    uint64_t size;
    uint64_t max_size;
    uint64_t offset;
    bool fake_dax;
    bool readonly;
    bool cow;
    bool hugepages;
    uint64_t resident_limit;
    char *prealloc;
    uint32_t flush_threads;
    char *trace_path;
    uint64_t fail_flush;
    char *powercut_path;
    uint64_t powercut_seed;
    uint64_t powercut_at;
    OnOffAuto run_in_vcpu;
    char *migrate;
    char *compat;
    char *serial;

    bool compat_pmem;           /* to the guest this is a virtio-pmem */
    bool unpinnable;            /* and QEMU was told so */
    VMemStoreFile file;         /* the options that concern it */
    char *full_path;            /* of the file, wherever this process goes */
    VMemStoreMapping mapping;
    VMemStoreRegion region;     /* the store; placed into a BAR by the transport */
    VirtQueue *vq;
    VMemStoreFlusher *flusher;  /* NULL: another VM has the file */
    VMemStoreWorker *worker;    /* provisions and discards */
    VMemStoreWorker *reader;    /* reads ahead */
    VMemStoreAhead ahead;
    VMemStoreSmallPages small_pages;
    VMemStoreFaults faults;
    VMemStoreLimit limit;
    VMemStoreStats stats;
    VMemStoreSpaceStats space;
    uint32_t state;             /* VMEMSTORE_STATE_* */
    int trace_fd;
    VMemStoreShadow *shadow;    /* test: what a power cut would leave; or NULL */
    VMemStoreMigration migration;
    VMemStoreGrowth growth;
    VMemStoreHold hold;
    Notifier exit;              /* QEMU ends with the device in it */

    /*
     * The queue is being worked on, under the big QEMU lock.  Keeps a doorbell
     * out that the guest made the device itself write, by an address it gave.
     */
    bool busy;
    bool may_run_in_vcpu;       /* set by the transport */
};

/* Begin and end to use the file; after a migration to us, and before one away. */
void vmemstore_engine_start(VMemStore *s);
void vmemstore_engine_stop(VMemStore *s);

/* Carry out and answer all requests, but not advice, which is answered only. */
void vmemstore_finish_requests(VMemStore *s);

/* Let go of the file and the memory: nobody may use them any more. */
void vmemstore_close(VMemStore *s);
/* The same for a device that does not come to be: a file made for it goes, too. */
void vmemstore_give_up(VMemStore *s);

/* What the user made: the device on its bus. */
static inline DeviceState *vmemstore_user_device(VMemStore *s)
{
    return DEVICE(s)->parent_bus->parent;
}

/* Make the types known to QOM; the loadable object calls them after its checks. */
void vmemstore_register_device(void);
void vmemstore_register_pci(void);

#endif /* VMEMSTORE_H */
