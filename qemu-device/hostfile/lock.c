/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lock.c - who may use the file of a store (see lock.h)
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lock.h"

static struct flock flock_of(const VMemStoreLock *lock)
{
    return (struct flock) {
        .l_type = lock->exclusive ? F_WRLCK : F_RDLCK,
        .l_whence = SEEK_SET,
        .l_start = lock->offset,
        .l_len = lock->size,
    };
}

/* Without the promise. */
static struct flock bytes_of(const VMemStoreLock *lock)
{
    struct flock bytes = flock_of(lock);

    if (!lock->size) {
        bytes.l_len = VMEMSTORE_LOCK_PROMISE - lock->offset;
    }
    return bytes;
}

static struct flock promise_of(const VMemStoreLock *lock)
{
    struct flock promise = flock_of(lock);

    promise.l_start += VMEMSTORE_LOCK_PROMISE;
    return promise;
}

static int set(int fd, struct flock *lock)
{
    if (fcntl(fd, F_OFD_SETLK, lock) == 0) {
        return 0;
    }
    /* Some file systems say EACCES. */
    return errno == EACCES ? -EAGAIN : -errno;
}

/* What stands in the way of it: F_UNLCK when nothing does. */
static struct flock conflict(int fd, struct flock lock)
{
    if (fcntl(fd, F_OFD_GETLK, &lock) < 0) {
        lock.l_type = F_UNLCK;
    }
    return lock;
}

static bool is_promise(struct flock found)
{
    return found.l_type != F_UNLCK && (uint64_t)found.l_start >= VMEMSTORE_LOCK_PROMISE;
}

/*
 * QEMU's own drives lock single bytes (block/file-posix.c), for reading, and look
 * whether others have some: 100 and on say what they do, 200 and on what they do not
 * bear from others.  Bit 0 is to read, 1 to write, 3 to resize.  A writer of ours has
 * all bytes; a reader has all but these, of which it takes what a read-only drive
 * does.  Whoever locks first, the other looks.
 */
#define DRIVE_FIRST 100
#define DRIVE_DOES 100
#define DRIVE_BEARS_NOT 200
#define DRIVE_END 300
#define READ 0
#define WRITE 1
#define RESIZE 3

typedef struct Bytes {
    uint64_t start, end;        /* 0: to the end, wherever that is */
} Bytes;

static const Bytes reader_bytes[] = {
    { 0, DRIVE_FIRST },
    { DRIVE_DOES + READ, DRIVE_DOES + READ + 1 },
    { DRIVE_BEARS_NOT + WRITE, DRIVE_BEARS_NOT + WRITE + 1 },
    { DRIVE_BEARS_NOT + RESIZE, DRIVE_BEARS_NOT + RESIZE + 1 },
    { DRIVE_END, 0 },
};

/* Locked by anybody else, they are in the way of a reader. */
static const uint64_t writer_bytes[] = {
    DRIVE_DOES + WRITE, DRIVE_DOES + RESIZE, DRIVE_BEARS_NOT + READ,
};

static struct flock piece(short type, uint64_t start, uint64_t end)
{
    return (struct flock) {
        .l_type = type,
        .l_whence = SEEK_SET,
        .l_start = start,
        .l_len = end ? end - start : 0,
    };
}

static bool drive_writes(const VMemStoreLock *lock)
{
    for (unsigned i = 0; i < sizeof(writer_bytes) / sizeof(*writer_bytes); i++) {
        uint64_t at = writer_bytes[i];

        if (conflict(lock->fd, piece(F_WRLCK, at, at + 1)).l_type != F_UNLCK) {
            return true;
        }
    }
    return false;
}

/* A reader of a store at the start of the file: parts further on do not meet them. */
static int lock_beside_drives(const VMemStoreLock *lock)
{
    int err = 0;

    for (unsigned i = 0; i < sizeof(reader_bytes) / sizeof(*reader_bytes) && !err;
         i++) {
        struct flock bytes = piece(F_RDLCK, reader_bytes[i].start,
                                   reader_bytes[i].end);

        err = set(lock->fd, &bytes);
    }
    if (!err && drive_writes(lock)) {
        err = -EAGAIN;
    }
    if (err) {
        vmemstore_unlock(lock);
    }
    return err;
}

/* A lock that goes to the end includes the promise. */
static bool is_promised(const VMemStoreLock *lock)
{
    return lock->size && is_promise(conflict(lock->fd, promise_of(lock)));
}

int vmemstore_lock(const VMemStoreLock *lock)
{
    struct flock all = flock_of(lock);
    int err;

    /* Who hands it over must not take this for the other VM's lock. */
    if (is_promised(lock)) {
        return -EAGAIN;
    }
    if (!lock->exclusive && lock->offset < DRIVE_END) {
        return lock_beside_drives(lock);
    }
    err = set(lock->fd, &all);
    /* It may have been handed over in between. */
    if (!err && is_promised(lock)) {
        vmemstore_unlock(lock);
        err = -EAGAIN;
    }
    return err;
}

VMemStoreLockHolder vmemstore_lock_holder(const VMemStoreLock *lock)
{
    VMemStoreLock writer = *lock;
    struct flock found = conflict(lock->fd, flock_of(lock));

    if (is_promised(lock) || is_promise(found)) {
        return VMEMSTORE_LOCK_PROMISED;
    }
    if (lock->offset < DRIVE_END && drive_writes(lock)) {
        return VMEMSTORE_LOCK_WRITER;
    }
    /* Readers are not in each other's way, but in a writer's. */
    writer.exclusive = true;
    found = conflict(lock->fd, flock_of(&writer));
    return found.l_type == F_UNLCK ? VMEMSTORE_LOCK_NOBODY :
           found.l_type == F_RDLCK ? VMEMSTORE_LOCK_READERS : VMEMSTORE_LOCK_WRITER;
}

void vmemstore_unlock(const VMemStoreLock *lock)
{
    struct flock all = flock_of(lock);

    all.l_type = F_UNLCK;
    set(lock->fd, &all);
}

int vmemstore_lock_promised(const VMemStoreLock *lock)
{
    struct flock bytes = bytes_of(lock);

    return set(lock->fd, &bytes);
}

void vmemstore_lock_hand_over(const VMemStoreLock *lock)
{
    struct flock promise = promise_of(lock), bytes = bytes_of(lock);

    set(lock->fd, &promise);
    bytes.l_type = F_UNLCK;
    set(lock->fd, &bytes);
}

bool vmemstore_lock_is_taken(const VMemStoreLock *lock)
{
    return conflict(lock->fd, bytes_of(lock)).l_type != F_UNLCK;
}
