/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lock.h - who may use the file of a store
 *
 * Open-file-description locks (fcntl(2)) on the bytes of the store, or on all of the
 * file: one writer, or any number of readers.  They go away with the process, however
 * it dies, and are not lost when other code opens and closes the same file.  QEMU's own
 * drives on the same file are found, and find us.
 *
 * Between two VMs of which one hands its file over to the other nobody has these
 * bytes.  The one that had them then keeps a promise: a lock on bytes that are
 * VMEMSTORE_LOCK_PROMISE further on.  A lock on all of a file includes them, so
 * others stay out; the VM that is to have the file locks all but the promise.
 *
 * Plain C and POSIX: the tools of the file system use it, too.
 */
#ifndef VMEMSTORE_LOCK_H
#define VMEMSTORE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

/* No file is that long. */
#define VMEMSTORE_LOCK_PROMISE (UINT64_C(1) << 62)

typedef struct VMemStoreLock {
    int fd;
    bool exclusive;
    uint64_t offset;
    uint64_t size;          /* bytes, or 0: to the end, wherever that will be */
} VMemStoreLock;

/* Who is in the way? */
typedef enum VMemStoreLockHolder {
    VMEMSTORE_LOCK_NOBODY,      /* any more */
    VMEMSTORE_LOCK_READERS,     /* whom a reader could have joined */
    VMEMSTORE_LOCK_WRITER,
    VMEMSTORE_LOCK_PROMISED,    /* to another VM: it is being handed over */
} VMemStoreLockHolder;

/* 0 or -errno; -EAGAIN: somebody is in the way. */
int vmemstore_lock(const VMemStoreLock *lock);
VMemStoreLockHolder vmemstore_lock_holder(const VMemStoreLock *lock);
void vmemstore_unlock(const VMemStoreLock *lock);

/* To whom the file is handed over, or who takes it back: whatever was promised. */
int vmemstore_lock_promised(const VMemStoreLock *lock);
/*
 * Let go of the file, but keep others out until @fd is closed.  Where another still
 * keeps such a promise, that one has to do.
 */
void vmemstore_lock_hand_over(const VMemStoreLock *lock);
/* Has somebody got it who was handed it over? */
bool vmemstore_lock_is_taken(const VMemStoreLock *lock);

#endif /* VMEMSTORE_LOCK_H */
