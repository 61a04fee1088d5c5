/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compat.h - every difference between the QEMU versions, and between a build
 * inside a QEMU tree and the loadable object
 */
#ifndef VMEMSTORE_COMPAT_H
#define VMEMSTORE_COMPAT_H

#include "qemu/main-loop.h"
#include "qemu/error-report.h"
#include "qapi/error.h"
#include "migration/blocker.h"
#include "hw/qdev-properties.h"
#include "hw/pci/pci.h"
#include "hw/pci/pci_bridge.h"
#include "hw/virtio/virtio-pci.h"

#define VMEMSTORE_QEMU_AT_LEAST(major, minor) \
    (QEMU_VERSION_MAJOR > (major) || \
     (QEMU_VERSION_MAJOR == (major) && QEMU_VERSION_MINOR >= (minor)))

/* Headers moved. */
#if VMEMSTORE_QEMU_AT_LEAST(10, 0)
#include "qobject/qdict.h"
#include "system/cpus.h"
#include "system/kvm.h"
#include "system/qtest.h"
#include "system/runstate.h"
#include "system/system.h"
#else
#include "qapi/qmp/qdict.h"
#include "sysemu/cpus.h"
#include "sysemu/kvm.h"
#include "sysemu/qtest.h"
#include "sysemu/runstate.h"
#include "sysemu/sysemu.h"
#endif

/* The big QEMU lock was renamed. */
#if !VMEMSTORE_QEMU_AT_LEAST(9, 0)
#define bql_lock()   qemu_mutex_lock_iothread()
#define bql_unlock() qemu_mutex_unlock_iothread()
#endif

/* The end marker of a property list went away; lists became const. */
#if VMEMSTORE_QEMU_AT_LEAST(10, 0)
#define VMEMSTORE_PROPERTIES static const Property
#define VMEMSTORE_PROPERTIES_END
#else
#define VMEMSTORE_PROPERTIES static Property
#define VMEMSTORE_PROPERTIES_END DEFINE_PROP_END_OF_LIST(),
#endif

/* The name of a kind of property is now its type. */
#if VMEMSTORE_QEMU_AT_LEAST(10, 0)
#define VMEMSTORE_PROPERTY_TYPE type
#else
#define VMEMSTORE_PROPERTY_TYPE name
#endif

/* Class data and interface lists became const. */
#if VMEMSTORE_QEMU_AT_LEAST(10, 1)
#define VMEMSTORE_CLASS_DATA const void
#define VMEMSTORE_INTERFACES (const InterfaceInfo[])
#else
#define VMEMSTORE_CLASS_DATA void
#define VMEMSTORE_INTERFACES (InterfaceInfo[])
#endif

/*
 * Since 8.1, and in 7.2 since 7.2.6, QEMU drops an access to a device while
 * another one is being handled, unless the region opts out.  A handler that
 * lets go of the big QEMU lock must opt out, or accesses of other vCPUs get
 * lost.
 */
#if VMEMSTORE_QEMU_AT_LEAST(8, 1) || \
    (QEMU_VERSION_MAJOR == 7 && QEMU_VERSION_MINOR == 2 && \
     QEMU_VERSION_MICRO >= 6)
static inline bool vmemstore_allow_reentry(MemoryRegion *mr)
{
    mr->disable_reentrancy_guard = true;
    return true;
}
#else
static inline bool vmemstore_allow_reentry(MemoryRegion *mr)
{
    return false;
}
#endif

/*
 * A migration blocker is handed over by reference since 8.2.  Both functions
 * leave *reason NULL when no blocker is registered any more.
 */
static inline int vmemstore_add_blocker(Error **reason, Error **errp)
{
#if VMEMSTORE_QEMU_AT_LEAST(8, 2)
    return migrate_add_blocker(reason, errp);
#else
    int ret = migrate_add_blocker(*reason, errp);

    if (ret < 0) {
        error_free(*reason);
        *reason = NULL;
    }
    return ret;
#endif
}

static inline void vmemstore_del_blocker(Error **reason)
{
#if VMEMSTORE_QEMU_AT_LEAST(8, 2)
    migrate_del_blocker(reason);
#else
    if (*reason) {
        migrate_del_blocker(*reason);
        error_free(*reason);
        *reason = NULL;
    }
#endif
}

/* Since 9.1 the handlers that set up a migration can say what is wrong. */
#if VMEMSTORE_QEMU_AT_LEAST(9, 1)
#define VMEMSTORE_SETUP_HANDLER(name, function)                               \
static int name(QEMUFile *f, void *opaque, Error **errp)                      \
{                                                                             \
    return function(f, opaque, errp);                                         \
}
#else
#define VMEMSTORE_SETUP_HANDLER(name, function)                               \
static int name(QEMUFile *f, void *opaque)                                    \
{                                                                             \
    Error *err = NULL;                                                        \
    int ret = function(f, opaque, &err);                                      \
                                                                              \
    if (ret < 0) {                                                            \
        vmemstore_stream_error(f, ret, err);                                  \
    }                                                                         \
    return ret;                                                               \
}
#endif

/* A handler was renamed. */
#if VMEMSTORE_QEMU_AT_LEAST(10, 1)
#define VMEMSTORE_SAVE_COMPLETE save_complete
#else
#define VMEMSTORE_SAVE_COMPLETE save_live_complete_precopy
#endif

/* Of QEMU's own migration code, not in its public headers. */
void qemu_file_set_error_obj(QEMUFile *f, int ret, Error *err);
void migrate_set_error(MigrationState *s, const Error *error);
MigrationState *migrate_get_current(void);

/*
 * A migration failed, for the reason @err, which it takes: tell everybody, also
 * those who ask query-migrate.
 */
static inline void vmemstore_stream_error(QEMUFile *f, int ret, Error *err)
{
    error_report("%s", error_get_pretty(err));
    migrate_set_error(migrate_get_current(), err);
    qemu_file_set_error_obj(f, ret, err);
}

#endif /* VMEMSTORE_COMPAT_H */
