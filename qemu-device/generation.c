/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * generation.c - the backing generation (see generation.h)
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <linux/fs.h>

#include "generation.h"

/* Changes at every boot of the host (Linux, Documentation/admin-guide/sysctl/kernel.rst). */
#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_LEN 36

/* FNV-1a, 64 bits (draft-eastlake-fnv): two of them with different starts. */
#define FNV_PRIME 0x100000001b3ULL
#define FNV_START_LOW 0xcbf29ce484222325ULL
#define FNV_START_HIGH 0x9ae16a3b2f90404fULL

static uint64_t fnv1a(uint64_t hash, const void *data, size_t len)
{
    const uint8_t *p = data;

    while (len--) {
        hash = (hash ^ *p++) * FNV_PRIME;
    }
    return hash;
}

/* Spread the last bytes over all bits (the finalizer of MurmurHash3). */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdULL;
    x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53ULL;
    return x ^ (x >> 33);
}

static int read_boot_id(char id[BOOT_ID_LEN])
{
    ssize_t got;
    int err = 0;
    int fd = open(BOOT_ID_FILE, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return -errno;
    }
    got = read(fd, id, BOOT_ID_LEN);
    if (got < 0) {
        err = -errno;
    } else if (got != BOOT_ID_LEN) {
        err = -EIO;
    }
    close(fd);
    return err;
}

static void put_le64(uint8_t *out, uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

static void digest(const void *data, size_t len, uint8_t out[16])
{
    put_le64(out, mix(fnv1a(FNV_START_LOW, data, len)));
    put_le64(out + 8, mix(fnv1a(FNV_START_HIGH, data, len)));
}

/*
 * What an adopted generation looks like in the extended attribute of the file.
 * Only bytes: every host that shares the file reads it.
 */
#define ADOPTED_ATTR "user.vmemstore.generation"

/* Linux 5.15: counts up with every disk that appears, or is exchanged. */
#ifndef BLKGETDISKSEQ
#define BLKGETDISKSEQ _IOR(0x12, 128, uint64_t)
#endif

#define INCOMPLETE_ATTR "user.vmemstore.incomplete"

struct adopted {
    uint8_t epoch[16];          /* random; part of what this file computes */
    uint8_t home[16];           /* computed where the generation was adopted */
    uint8_t generation[16];
};

/* 1, or 0 without a record: then @a is all zeros. */
static int read_adopted(int fd, struct adopted *a)
{
    memset(a, 0, sizeof(*a));
    if (fgetxattr(fd, ADOPTED_ATTR, a, sizeof(*a)) == (ssize_t)sizeof(*a)) {
        return 1;
    }
    memset(a, 0, sizeof(*a));
    return 0;
}

static int compute(int fd, const uint8_t epoch[16], uint8_t out[16])
{
    struct {
        char boot_id[BOOT_ID_LEN];
        uint32_t inode_generation;
        uint64_t dev;
        uint64_t rdev;
        uint64_t ino;
        uint64_t disk_sequence;
        uint8_t epoch[16];
    } identity;
    struct stat st;
    int inode_generation = 0;
    int err;

    memset(&identity, 0, sizeof(identity));
    err = read_boot_id(identity.boot_id);
    if (err) {
        return err;
    }
    if (fstat(fd, &st) < 0) {
        return -errno;
    }
    /* Not every file system has inode generations: then they count as 0. */
    if (S_ISREG(st.st_mode) &&
        ioctl(fd, FS_IOC_GETVERSION, &inode_generation) == 0) {
        identity.inode_generation = (uint32_t)inode_generation;
    }
    if (S_ISBLK(st.st_mode) &&
        ioctl(fd, BLKGETDISKSEQ, &identity.disk_sequence) < 0) {
        identity.disk_sequence = 0;
    }
    identity.dev = st.st_dev;
    identity.rdev = st.st_rdev;
    identity.ino = st.st_ino;
    memcpy(identity.epoch, epoch, sizeof(identity.epoch));
    digest(&identity, sizeof(identity), out);
    return 0;
}

int vmemstore_backing_generation(int fd, uint8_t out[16])
{
    struct adopted a;
    int found = read_adopted(fd, &a);
    int err = compute(fd, a.epoch, out);

    if (err == 0 && found && memcmp(a.home, out, sizeof(a.home)) == 0) {
        memcpy(out, a.generation, sizeof(a.generation));
    }
    return err;
}

int vmemstore_adopt_generation(int fd, const uint8_t generation[16])
{
    struct adopted a;
    int err;

    if (getrandom(a.epoch, sizeof(a.epoch), 0) != (ssize_t)sizeof(a.epoch)) {
        return -EIO;
    }
    err = compute(fd, a.epoch, a.home);
    if (err) {
        return err;
    }
    memcpy(a.generation, generation, sizeof(a.generation));
    if (fsetxattr(fd, ADOPTED_ATTR, &a, sizeof(a), 0) < 0 || fsync(fd) < 0) {
        return -errno;
    }
    return 0;
}

/* As if adopted elsewhere: no file computes a home of zeros. */
int vmemstore_generation_change(int fd)
{
    struct adopted a = { 0 };

    if (getrandom(a.epoch, sizeof(a.epoch), 0) != (ssize_t)sizeof(a.epoch)) {
        return -EIO;
    }
    return fsetxattr(fd, ADOPTED_ATTR, &a, sizeof(a), 0) < 0 ? -errno : 0;
}

int vmemstore_mark_incomplete(int fd)
{
    return fsetxattr(fd, INCOMPLETE_ATTR, "1", 1, 0) < 0 || fsync(fd) < 0 ?
           -errno : 0;
}

int vmemstore_mark_complete(int fd)
{
    if (!vmemstore_is_incomplete(fd)) {
        return 0;
    }
    return fremovexattr(fd, INCOMPLETE_ATTR) < 0 || fsync(fd) < 0 ? -errno : 0;
}

int vmemstore_is_incomplete(int fd)
{
    return fgetxattr(fd, INCOMPLETE_ATTR, NULL, 0) >= 0;
}

int vmemstore_host_boot(uint8_t out[16])
{
    char boot_id[BOOT_ID_LEN];
    int err = read_boot_id(boot_id);

    if (err == 0) {
        digest(boot_id, sizeof(boot_id), out);
    }
    return err;
}
