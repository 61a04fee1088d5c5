/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * migration.c - a VM moves to another QEMU, is saved, or pauses (migration.h)
 *
 * The stream has one section of ours beside the virtio device's, in two parts:
 *
 * start: what the store is, sent at once, so that a destination that does not
 *     fit is found before anything else is copied;
 * end: sent when the VM has stopped, after guest memory and before the state of
 *     any device, which may have its queues in the store.
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/units.h"
#include "migration/qemu-file-types.h"
#include "migration/register.h"
#include "qapi/qapi-commands-migration.h"

#include <sys/sysmacros.h>

#include "compat.h"
#include "loss.h"
#include "trace.h"
#include "vmemstore.h"

/* 4: the lock of lock.h.  No other is taken: none was released. */
#define STREAM_VERSION 4

/* Both ends must agree on these, too. */
#define STREAM_READONLY (1u << 0)
#define STREAM_THIN     (1u << 1)
#define STREAM_PMEM     (1u << 2)
#define STREAM_HUGE     (1u << 3)

/*
 * How long a source whose destination failed waits for it to let go of the
 * file: as long as a process takes to end.
 */
#define TAKE_BACK_TRIES 200
#define TAKE_BACK_MS 50

/*
 * A file that was handed over is kept for the destination, and for taking it back when
 * the destination fails: until the destination has had it that long without a break.
 */
#define WATCH_LOOKS 10
#define WATCH_MS 1000

static const char *const mode_names[] = {
    [VMEMSTORE_MIGRATE_OFF] = "off",
    [VMEMSTORE_MIGRATE_SHARED] = "shared",
    [VMEMSTORE_MIGRATE_COPY] = "copy",
};

/* ---- options ---- */

bool vmemstore_migration_parse(VMemStore *s, Error **errp)
{
    const char *text = s->migrate ? s->migrate : "off";
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(mode_names); i++) {
        if (g_str_equal(text, mode_names[i])) {
            break;
        }
    }
    if (i == G_N_ELEMENTS(mode_names)) {
        error_setg(errp, "vmemstore: migrate=%s is unknown: it is off, shared "
                   "(both ends have the same file) or copy (the contents travel "
                   "to another file)", text);
        return false;
    }
    s->migration.mode = i;
    if (s->cow && i != VMEMSTORE_MIGRATE_OFF) {
        error_setg(errp, "vmemstore: migrate=%s does not go with cow=on: what the "
                   "guest changed is in this process only", text);
        return false;
    }
    if (s->readonly && i == VMEMSTORE_MIGRATE_COPY) {
        error_setg(errp, "vmemstore: migrate=copy does not go with readonly=on: "
                   "the contents need not travel: use migrate=shared");
        return false;
    }
    if (s->file.prealloc == VMEMSTORE_PREALLOC_OFF &&
        i == VMEMSTORE_MIGRATE_COPY) {
        error_setg(errp, "vmemstore: migrate=copy does not go with prealloc=off: "
                   "the destination would not know which blocks the guest was "
                   "promised: use prealloc=falloc, or migrate=shared");
        return false;
    }
    if (s->powercut_path && i != VMEMSTORE_MIGRATE_OFF) {
        error_setg(errp, "vmemstore: migrate=%s does not go with x-powercut=: what "
                   "a power cut would leave is known to this process only", text);
        return false;
    }
    return true;
}

/* Does the file have one user at a time, one after the other? */
static bool hands_over(const VMemStore *s)
{
    return s->migration.mode == VMEMSTORE_MIGRATE_SHARED && !s->readonly;
}

bool vmemstore_migration_takes_over(const VMemStore *s)
{
    return hands_over(s) && runstate_check(RUN_STATE_INMIGRATE);
}

bool vmemstore_migration_arrives(const VMemStore *s)
{
    return s->migration.mode == VMEMSTORE_MIGRATE_COPY &&
           runstate_check(RUN_STATE_INMIGRATE);
}

static uint32_t stream_flags(const VMemStore *s)
{
    return (s->readonly ? STREAM_READONLY : 0) |
           (s->mapping.thin ? STREAM_THIN : 0) |
           (s->compat_pmem ? STREAM_PMEM : 0) |
           (s->file.hugepages ? STREAM_HUGE : 0);
}

/* ---- is it still the file that it was? ---- */

/* As the server has it, not this client's cache. */
static VMemStoreStamp stamp_of(int fd)
{
    VMemStoreStamp stamp = { 0 };
    struct statx st;

    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS,
              &st) == 0) {
        stamp.dev = makedev(st.stx_dev_major, st.stx_dev_minor);
        stamp.ino = st.stx_ino;
        /* That of a device is the directory entry's. */
        if (S_ISREG(st.stx_mode)) {
            stamp.seconds = st.stx_mtime.tv_sec;
            stamp.nanoseconds = st.stx_mtime.tv_nsec;
        }
    }
    return stamp;
}

/*
 * A store to a clean page changes the time of a file (but not on tmpfs and
 * hugetlbfs), and all pages are clean when the file is handed over.
 */
static bool same_stamp(const VMemStore *s, const VMemStoreStamp *was,
                       bool same_host, Error **errp)
{
    VMemStoreStamp is = stamp_of(s->mapping.fd);

    if ((same_host && is.dev != was->dev) || is.ino != was->ino) {
        error_setg(errp, "vmemstore: '%s' is not the file that the VM had: with "
                   "migrate=shared both ends must open the same one", s->path);
        return false;
    }
    if (is.seconds != was->seconds || is.nanoseconds != was->nanoseconds) {
        error_setg(errp, "vmemstore: '%s' was changed after the VM had let go of "
                   "it: the VM's memory does not fit to it any more", s->path);
        return false;
    }
    return true;
}

/* ---- the file comes and goes ---- */

/* Passes @err, of a write-back, on: the host tells of it once. */
static int check_written(VMemStore *s, int err, Error **errp)
{
    if (err) {
        vmemstore_report_loss(s, "a write-back failed");
        error_setg(errp, "vmemstore: the host failed to write back '%s', now or "
                   "earlier: what the guest stored may be in this host's memory "
                   "only", s->path);
    }
    return err;
}

static int sync_all(VMemStore *s, Error **errp)
{
    return check_written(s, vmemstore_flusher_sync_all(s->flusher), errp);
}

/* As the guest has asked, here or at the source. */
static int keep_small(VMemStore *s, Error **errp)
{
    int err = vmemstore_small_pages_again(&s->small_pages, &s->mapping);

    return check_written(s, err, errp);
}

static void later(QEMUTimer *timer, int64_t ms)
{
    timer_mod(timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + ms);
}

/* From now on everybody may have it. */
static void drop_promise(VMemStore *s)
{
    if (s->migration.promise.fd >= 0) {
        close(s->migration.promise.fd);
        s->migration.promise.fd = -1;
    }
}

static void watch_promise(void *opaque)
{
    VMemStore *s = opaque;
    VMemStoreMigration *mig = &s->migration;

    if (mig->promise.fd < 0) {
        return;
    }
    mig->looks = vmemstore_lock_is_taken(&mig->promise) ? mig->looks + 1 : 0;
    if (mig->looks < WATCH_LOOKS) {
        later(mig->watch, WATCH_MS);
        return;
    }
    drop_promise(s);
}

/* Everything is in the file, and the next may have it. */
static int hand_over(VMemStore *s, Error **errp)
{
    int err = sync_all(s, errp);

    if (err) {
        return err;
    }
    if (qatomic_read(&s->faults.lost)) {
        error_setg(errp, "vmemstore: pages of '%s' were lost", s->path);
        return -EIO;
    }
    s->migration.stamp = stamp_of(s->mapping.fd);
    s->migration.handed_over = true;
    vmemstore_engine_stop(s);
    s->migration.promise = vmemstore_mapping_hand_over(&s->mapping, &s->file);
    s->migration.looks = 0;
    later(s->migration.watch, WATCH_MS);
    trace_vmemstore_handed_over(s->path);
    return 0;
}

static void let_go(VMemStore *s)
{
    vmemstore_mapping_release(&s->mapping, &s->file);
}

static bool take_over(VMemStore *s, bool stale, Error **errp)
{
    if (!vmemstore_mapping_acquire(&s->mapping, &s->file, stale, errp)) {
        return false;
    }
    if (keep_small(s, errp)) {
        let_go(s);
        return false;
    }
    trace_vmemstore_taken_over(s->path, stale);
    return true;
}

/*
 * The migration failed, or the user goes on here after one.  On failure @again tells
 * whether that may change.
 */
static bool take_back(VMemStore *s, bool *again, Error **errp)
{
    *again = !take_over(s, false, errp);
    if (*again) {
        return false;
    }
    if (!same_stamp(s, &s->migration.stamp, true, errp)) {
        let_go(s);
        return false;
    }
    timer_del(s->migration.retry);
    drop_promise(s);
    vmemstore_engine_start(s);
    return true;
}

static void cannot_run(Error *err)
{
    error_reportf_err(err, "vmemstore: the VM cannot run: ");
}

/* The main loop goes on in between: there is a monitor, and other devices. */
static void try_again(void *opaque)
{
    VMemStore *s = opaque;
    VMemStoreMigration *mig = &s->migration;
    Error *err = NULL;
    bool again;

    if (s->flusher || !runstate_check(RUN_STATE_IO_ERROR)) {
        return;
    }
    if (take_back(s, &again, &err)) {
        vm_start();
    } else if (again && --mig->tries) {
        error_free(err);
        later(mig->retry, TAKE_BACK_MS);
    } else {
        cannot_run(err);
    }
}

/* Now, or soon: then the VM stays stopped until then. */
static bool take_back_soon(VMemStore *s, Error **errp)
{
    VMemStoreMigration *mig = &s->migration;
    Error *err = NULL;
    bool again;

    if (take_back(s, &again, &err)) {
        return true;
    }
    if (again) {
        warn_report("vmemstore: '%s' is still another's: the VM goes on when it has "
                    "it again, or says in %d s why not", s->path,
                    TAKE_BACK_TRIES * TAKE_BACK_MS / 1000);
        error_free(err);
        mig->tries = TAKE_BACK_TRIES;
        later(mig->retry, TAKE_BACK_MS);
    } else {
        error_propagate(errp, err);
    }
    return false;
}

/* ---- source ---- */

static bool has_capability(MigrationCapability wanted)
{
    MigrationCapabilityStatusList *list = qmp_query_migrate_capabilities(NULL);
    bool found = false;

    for (MigrationCapabilityStatusList *l = list; l; l = l->next) {
        found |= l->value->capability == wanted && l->value->state;
    }
    qapi_free_MigrationCapabilityStatusList(list);
    return found;
}

bool vmemstore_migration_is_idle(const VMemStore *s)
{
    return !qatomic_read(&s->migration.saving) &&
           !runstate_check(RUN_STATE_INMIGRATE);
}

/* What cannot be seen before: it depends on what the user is about to do. */
static bool check_kind(const VMemStore *s, Error **errp)
{
    static const MigrationCapability bad[] = {
        MIGRATION_CAPABILITY_POSTCOPY_RAM,
        MIGRATION_CAPABILITY_BACKGROUND_SNAPSHOT,
        MIGRATION_CAPABILITY_X_COLO,
    };

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        if (has_capability(bad[i])) {
            error_setg(errp, "vmemstore: the migration capability %s does not go "
                       "with this device: the store must be complete before the "
                       "VM runs on: turn it off",
                       MigrationCapability_str(bad[i]));
            return false;
        }
    }
    if (hands_over(s) && runstate_check(RUN_STATE_SAVE_VM)) {
        error_setg(errp, "vmemstore: a snapshot of the VM would not contain '%s', "
                   "which goes on changing: use migrate=copy, which puts the "
                   "contents into the snapshot", s->path);
        return false;
    }
    if (vmemstore_is_growing(s)) {
        error_setg(errp, "vmemstore: '%s' is growing: wait for the event "
                   "VMEMSTORE_GROWN", s->path);
        return false;
    }
    return true;
}

static int save_start(QEMUFile *f, void *opaque, Error **errp)
{
    VMemStore *s = opaque;

    /* This thread reads the contents. */
    vmemstore_faults_unblock();
    /* Before it is looked at whether the store grows, and how large it is. */
    qatomic_set(&s->migration.saving, true);
    smp_mb();
    if (!check_kind(s, errp)) {
        return -EINVAL;
    }
    if (hands_over(s)) {
        vmemstore_writeback_start(&s->migration.writeback, s->file.path);
    }
    qemu_put_be32(f, s->migration.mode);
    qemu_put_be32(f, s->mapping.backing);
    qemu_put_be32(f, s->mapping.granule);
    qemu_put_be32(f, stream_flags(s));
    qemu_put_be64(f, s->mapping.size);
    qemu_put_be64(f, s->mapping.max_size);
    qemu_put_be64(f, s->mapping.offset);
    return 0;
}

static void put_stamp(QEMUFile *f, const VMemStoreStamp *stamp)
{
    qemu_put_be64(f, stamp->dev);
    qemu_put_be64(f, stamp->ino);
    qemu_put_be64(f, stamp->seconds);
    qemu_put_be64(f, stamp->nanoseconds);
}

/* Big QEMU lock held; the VM has stopped, and nothing is in flight. */
static int save_end(QEMUFile *f, void *opaque)
{
    VMemStore *s = opaque;
    uint8_t boot[16] = { 0 };
    Error *err = NULL;
    int ret = 0;

    vmemstore_writeback_stop(&s->migration.writeback);
    if (qatomic_read(&s->faults.lost)) {
        /* Perhaps just now: the guest must be told, wherever it goes on. */
        vmemstore_report_loss(s, VMEMSTORE_PAGE_LOST);
    }
    if (hands_over(s)) {
        /* It may have been handed over already, to a file of saved state. */
        ret = s->flusher ? hand_over(s, &err) : 0;
    } else {
        s->migration.stamp = stamp_of(s->mapping.fd);
    }
    if (ret == 0) {
        ret = vmemstore_host_boot(boot);
    }
    if (ret) {
        if (!err) {
            error_setg(&err, "vmemstore: cannot tell this host from others: %s",
                       strerror(-ret));
        }
        vmemstore_stream_error(f, ret, err);
        return ret;
    }
    qemu_put_buffer(f, boot, sizeof(boot));
    qemu_put_buffer(f, s->mapping.generation, sizeof(s->mapping.generation));
    put_stamp(f, &s->migration.stamp);
    qemu_put_be32(f, s->state);
    qemu_put_be32(f, s->hold.in_use);
    vmemstore_small_pages_put(&s->small_pages, f);
    return 0;
}

static void save_cleanup(void *opaque)
{
    VMemStore *s = opaque;

    vmemstore_writeback_stop(&s->migration.writeback);
    qatomic_set(&s->migration.saving, false);
}

/* ---- destination ---- */

static int damaged(const VMemStore *s)
{
    error_report("vmemstore: '%s': the stream is damaged", s->path);
    return -EINVAL;
}

/* From now on the file has neither the old contents nor the new. */
static int begin_arrival(VMemStore *s)
{
    int err = vmemstore_mark_incomplete(s->mapping.fd);

    if (err && err != -EOPNOTSUPP && err != -EPERM) {
        error_report("vmemstore: cannot mark '%s' as incomplete: %s", s->path,
                     strerror(-err));
        return err;
    }
    s->migration.arriving = true;
    vmemstore_writeback_start(&s->migration.writeback, s->file.path);
    return 0;
}

static int load_start(VMemStore *s, QEMUFile *f)
{
    uint32_t mode = qemu_get_be32(f);
    uint32_t backing = qemu_get_be32(f);
    uint32_t granule = qemu_get_be32(f);
    uint32_t flags = qemu_get_be32(f);
    uint64_t size = qemu_get_be64(f);
    uint64_t max_size = qemu_get_be64(f);
    uint64_t offset = qemu_get_be64(f);

    if (mode >= G_N_ELEMENTS(mode_names)) {
        return damaged(s);
    } else if (mode != s->migration.mode) {
        error_report("vmemstore: '%s' has migrate=%s here, but migrate=%s at the "
                     "source: give both the same", s->path,
                     mode_names[s->migration.mode], mode_names[mode]);
    } else if (size != s->mapping.size) {
        error_report("vmemstore: '%s' has %" PRIu64 " bytes, but %" PRIu64
                     " at the source: give both the same size", s->path,
                     s->mapping.size, size);
    } else if ((flags ^ stream_flags(s)) & STREAM_READONLY) {
        error_report("vmemstore: '%s' is %s here, but %s at the source: give both "
                     "the same readonly=", s->path,
                     s->readonly ? "read-only" : "writable",
                     s->readonly ? "writable" : "read-only");
    } else if (flags != stream_flags(s)) {
        error_report("vmemstore: '%s' is used otherwise than at the source: give "
                     "both the same prealloc=, hugepages= and compat=", s->path);
    } else if (max_size != s->mapping.max_size) {
        error_report("vmemstore: '%s' can grow to %" PRIu64 " bytes, but to %"
                     PRIu64 " at the source: give both the same max-size=",
                     s->path, s->mapping.max_size, max_size);
    } else if (backing != s->mapping.backing || granule != s->mapping.granule) {
        error_report("vmemstore: '%s' is on another kind of memory than at the "
                     "source (%u, pages of %u bytes, there %u, %u; see backing in "
                     "device.md), and the guest relies on it", s->path,
                     s->mapping.backing, s->mapping.granule, backing, granule);
    } else if (mode == VMEMSTORE_MIGRATE_SHARED && offset != s->mapping.offset) {
        error_report("vmemstore: the store begins at %" PRIu64 " in '%s', but at %"
                     PRIu64 " at the source: give both the same offset=",
                     s->mapping.offset, s->path, offset);
    } else if (mode == VMEMSTORE_MIGRATE_COPY) {
        return begin_arrival(s);
    } else {
        return 0;
    }
    return -EINVAL;
}

/*
 * The guest goes on under the generation that it knows: what it stored is there.
 * That this file has it now must be known when the VM is started anew on it, and
 * that the source's host does not have the newest pages any more, there.
 */
static int arrive_in(VMemStore *s, const uint8_t *generation, bool same_cache,
                     Error **errp)
{
    VMemStoreMapping *m = &s->mapping;
    uint8_t own[VMEMSTORE_BACKING_GENERATION_LEN];
    int err = vmemstore_backing_generation(m->fd, own);

    if (err == 0 && memcmp(own, generation, sizeof(own)) != 0) {
        err = vmemstore_adopt_generation(m->fd, generation);
        if (err && (same_cache || s->migration.mode == VMEMSTORE_MIGRATE_COPY)) {
            /* A new start will take it for a host failure: that is safe. */
            err = 0;
        }
    }
    if (err) {
        error_setg(errp, "vmemstore: cannot note in '%s' that it is used by this "
                   "host now (extended attribute user.vmemstore.generation: %s): "
                   "another host would not know that it lost what is not flushed",
                   s->path, strerror(-err));
        return err;
    }
    memcpy(m->generation, generation, sizeof(m->generation));
    return 0;
}

static int arrive_shared(VMemStore *s, const uint8_t *generation,
                         const VMemStoreStamp *stamp, bool same_host,
                         Error **errp)
{
    if (s->readonly) {
        /* It is not changed, and so neither noted nor handed over. */
        if (!same_stamp(s, stamp, same_host, errp)) {
            return -EINVAL;
        }
        memcpy(s->mapping.generation, generation,
               sizeof(s->mapping.generation));
        return 0;
    }
    if (s->flusher) {
        error_setg(errp, "vmemstore: '%s' is in use by this VM: a state that was "
                   "saved with migrate=shared is for a new QEMU", s->path);
        return -EBUSY;
    }
    if (!take_over(s, !same_host, errp)) {
        return -EBUSY;
    }
    if (!same_stamp(s, stamp, same_host, errp) ||
        arrive_in(s, generation, same_host, errp)) {
        let_go(s);
        return -EINVAL;
    }
    vmemstore_engine_start(s);
    return 0;
}

static int arrive_copy(VMemStore *s, const uint8_t *generation, uint32_t state,
                       Error **errp)
{
    VMemStoreMigration *mig = &s->migration;
    int err;

    vmemstore_writeback_stop(&mig->writeback);
    err = sync_all(s, errp);
    if (!err) {
        err = keep_small(s, errp);
    }
    if (!err) {
        err = arrive_in(s, generation, false, errp);
    }
    if (!err) {
        err = vmemstore_mark_complete(s->mapping.fd);
        if (err) {
            error_setg(errp, "vmemstore: cannot mark '%s' as complete: %s",
                       s->path, strerror(-err));
        }
    }
    mig->arriving = err != 0;
    if (!err && state & VMEMSTORE_STATE_IO_ERROR) {
        /* What the guest was told stays true for it. */
        s->state |= VMEMSTORE_STATE_IO_ERROR;
        vmemstore_flusher_fail(s->flusher);
    }
    return err;
}

static int load_end(VMemStore *s, QEMUFile *f)
{
    uint8_t boot[16] = { 0 }, source[16];
    uint8_t generation[VMEMSTORE_BACKING_GENERATION_LEN];
    VMemStoreStamp stamp;
    uint32_t state, in_use;
    Error *err = NULL;
    bool same_host, good;
    int ret;

    qemu_get_buffer(f, source, sizeof(source));
    qemu_get_buffer(f, generation, sizeof(generation));
    stamp.dev = qemu_get_be64(f);
    stamp.ino = qemu_get_be64(f);
    stamp.seconds = qemu_get_be64(f);
    stamp.nanoseconds = qemu_get_be64(f);
    state = qemu_get_be32(f);
    in_use = qemu_get_be32(f);
    good = vmemstore_small_pages_get(&s->small_pages, &s->mapping, f);
    ret = qemu_file_get_error(f);
    if (ret) {
        return ret;
    }
    if (!good) {
        return damaged(s);
    }
    same_host = vmemstore_host_boot(boot) == 0 &&
                memcmp(boot, source, sizeof(boot)) == 0;
    if (s->migration.mode == VMEMSTORE_MIGRATE_SHARED) {
        ret = arrive_shared(s, generation, &stamp, same_host, &err);
    } else {
        ret = arrive_copy(s, generation, state, &err);
    }
    if (ret) {
        error_report_err(err);
    } else {
        vmemstore_hold_set(s, in_use);
    }
    return ret;
}

/* The first part, and then the second. */
static int load_part(QEMUFile *f, void *opaque, int version)
{
    VMemStore *s = opaque;

    if (version != STREAM_VERSION) {
        error_report("vmemstore: '%s': the stream is of version %d, but this is "
                     "%d: use the same vmemstore at both ends", s->path, version,
                     STREAM_VERSION);
        return -EINVAL;
    }
    switch (qemu_get_byte(f)) {
    case 0:
        return load_start(s, f);
    case 1:
        return load_end(s, f);
    default:
        return damaged(s);
    }
}

static int load_cleanup(void *opaque)
{
    VMemStore *s = opaque;

    vmemstore_writeback_stop(&s->migration.writeback);
    return 0;
}

static int save_setup_part(QEMUFile *f, void *opaque, Error **errp)
{
    qemu_put_byte(f, 0);
    return save_start(f, opaque, errp);
}

static int save_complete_part(QEMUFile *f, void *opaque)
{
    qemu_put_byte(f, 1);
    return save_end(f, opaque);
}

VMEMSTORE_SETUP_HANDLER(save_setup_handler, save_setup_part)

static const SaveVMHandlers handlers = {
    .save_setup = save_setup_handler,
    .VMEMSTORE_SAVE_COMPLETE = save_complete_part,
    .save_cleanup = save_cleanup,
    .load_state = load_part,
    .load_cleanup = load_cleanup,
};

const VMStateDescription vmemstore_vmstate = {
    .name = "vmemstore",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (const VMStateField[]) {
        VMSTATE_VIRTIO_DEVICE,
        VMSTATE_END_OF_LIST()
    },
};

/* ---- the VM stops and goes on ---- */

/* May the VM run on what the store is now? */
static bool settle(VMemStore *s, Error **errp)
{
    if (s->migration.arriving) {
        error_setg(errp, "'%s' is incomplete: loading it was cut off", s->path);
        return false;
    }
    return s->flusher ||
           (s->migration.handed_over && take_back_soon(s, errp));
}

/* Before any other device starts, and after all have stopped. */
static void run_first(void *opaque, bool running, RunState state)
{
    VMemStore *s = opaque;
    Error *err = NULL;

    if (running) {
        s->migration.settled = settle(s, &err);
        if (err) {
            cannot_run(err);
        }
    } else if (s->flusher) {
        vmemstore_finish_requests(s);
    }
}

/* After all other devices have started, and before the vCPUs. */
static void run_last(void *opaque, bool running, RunState state)
{
    VMemStore *s = opaque;

    if (running && s->migration.settled) {
        vmemstore_look_at_queue(s);
    } else if (running) {
        /* So that all of them stop again, and no vCPU starts. */
        vm_stop(RUN_STATE_IO_ERROR);
    }
}

/* ---- life ---- */

static bool block(VMemStore *s, Error **errp)
{
    VMemStoreMigration *mig = &s->migration;

    if (mig->mode != VMEMSTORE_MIGRATE_OFF) {
        return true;
    }
    error_setg(&mig->blocker, "vmemstore: a VM with this device cannot be "
               "migrated or saved: its contents are in '%s': give the device "
               "migrate=shared (both ends have this file) or migrate=copy (the "
               "contents travel) at both ends", s->path);
    return vmemstore_add_blocker(&mig->blocker, errp) >= 0;
}

bool vmemstore_migration_start(VMemStore *s, Error **errp)
{
    VMemStoreMigration *mig = &s->migration;
    g_autofree char *device = NULL;

    if (!block(s, errp)) {
        return false;
    }
    mig->promise.fd = -1;
    mig->watch = timer_new_ms(QEMU_CLOCK_REALTIME, watch_promise, s);
    mig->retry = timer_new_ms(QEMU_CLOCK_REALTIME, try_again, s);
    mig->first = qemu_add_vm_change_state_handler_prio(run_first, s, INT_MIN);
    mig->last = qemu_add_vm_change_state_handler_prio(run_last, s, INT_MAX);
    if (mig->mode == VMEMSTORE_MIGRATE_OFF) {
        return true;
    }
    device = qdev_get_dev_path(DEVICE(s));
    mig->id = g_strdup_printf("%s/vmemstore-file", device ? device : "");
    register_savevm_live(mig->id, VMSTATE_INSTANCE_ID_ANY, STREAM_VERSION,
                         &handlers, s);
    if (mig->mode == VMEMSTORE_MIGRATE_COPY) {
        vmstate_register_ram(&s->region.mr, DEVICE(s));
    }
    return true;
}

void vmemstore_migration_stop(VMemStore *s)
{
    VMemStoreMigration *mig = &s->migration;

    vmemstore_writeback_stop(&mig->writeback);
    vmemstore_del_blocker(&mig->blocker);
    if (mig->watch) {
        timer_free(mig->watch);
        timer_free(mig->retry);
        mig->watch = mig->retry = NULL;
        drop_promise(s);
    }
    if (mig->id) {
        if (mig->mode == VMEMSTORE_MIGRATE_COPY) {
            vmstate_unregister_ram(&s->region.mr, DEVICE(s));
        }
        unregister_savevm(NULL, mig->id, s);
        g_free(mig->id);
        mig->id = NULL;
    }
    if (mig->first) {
        qemu_del_vm_change_state_handler(mig->first);
        qemu_del_vm_change_state_handler(mig->last);
        mig->first = mig->last = NULL;
    }
}
