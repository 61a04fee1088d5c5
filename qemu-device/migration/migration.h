/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * migration.h - a VM moves to another QEMU, is saved, or pauses
 *
 * migrate=shared: both ends have the same file.  The source flushes it and
 * gives up its lock when its VM has stopped; the destination then takes the
 * lock, and nobody else can (lock.h).  A device that has not got the file is idle: it has no flusher, and its
 * memory is not the file (mapping.h).
 *
 * migrate=copy: the contents travel as guest memory does, into another file,
 * which is flushed before the VM goes on.
 *
 * Otherwise a blocker refuses.
 */
#ifndef VMEMSTORE_MIGRATION_H
#define VMEMSTORE_MIGRATION_H

#include "migration/vmstate.h"
#include "qemu/timer.h"
#include "compat.h"
#include "lock.h"
#include "writeback.h"

typedef struct VMemStore VMemStore;
struct VMChangeStateEntry;          /* QEMU's runstate.h, which moved */

typedef enum VMemStoreMigrate {
    VMEMSTORE_MIGRATE_OFF,
    VMEMSTORE_MIGRATE_SHARED,
    VMEMSTORE_MIGRATE_COPY,
} VMemStoreMigrate;

/* When and what a file was; see same_stamp(). */
typedef struct VMemStoreStamp {
    uint64_t dev, ino;
    uint64_t seconds, nanoseconds;      /* of the last modification */
} VMemStoreStamp;

typedef struct VMemStoreMigration {
    VMemStoreMigrate mode;
    char *id;                       /* of the section in the stream */
    struct VMChangeStateEntry *first, *last;
    Error *blocker;
    VMemStoreWriteback writeback;
    bool saving;                    /* atomic: a migration away has begun */
    bool arriving;                  /* copy: the contents are on their way */
    bool settled;                   /* the VM may run */
    bool handed_over;               /* shared: released, and then was: */
    VMemStoreStamp stamp;
    VMemStoreLock promise;          /* keeps others out of it; fd -1: no more */
    unsigned looks;                 /* at whether it was taken */
    unsigned tries;                 /* to take it back that are left */
    QEMUTimer *watch, *retry;       /* for the two */
} VMemStoreMigration;

/* Understand and check migrate=; before the file is opened. */
bool vmemstore_migration_parse(VMemStore *s, Error **errp);
/* Is another VM still using the file, from which this one is to take over? */
bool vmemstore_migration_takes_over(const VMemStore *s);
/* Will a migration bring the contents? */
bool vmemstore_migration_arrives(const VMemStore *s);

/* Is no migration under way, neither to here nor away?  As far as this takes part. */
bool vmemstore_migration_is_idle(const VMemStore *s);

/* Register; before the guest can run.  The region exists. */
bool vmemstore_migration_start(VMemStore *s, Error **errp);
/* Harmless when not started. */
void vmemstore_migration_stop(VMemStore *s);

/* The virtio part of the device's state. */
extern const VMStateDescription vmemstore_vmstate;

#endif /* VMEMSTORE_MIGRATION_H */
