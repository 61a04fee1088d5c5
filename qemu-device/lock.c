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
