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
#include <sys/stat.h>
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

int vmemstore_backing_generation(int fd, uint8_t out[16])
{
    struct {
        char boot_id[BOOT_ID_LEN];
        uint32_t inode_generation;
        uint64_t dev;
        uint64_t rdev;
        uint64_t ino;
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
    identity.dev = st.st_dev;
    identity.rdev = st.st_rdev;
    identity.ino = st.st_ino;

    put_le64(out, mix(fnv1a(FNV_START_LOW, &identity, sizeof(identity))));
    put_le64(out + 8, mix(fnv1a(FNV_START_HIGH, &identity, sizeof(identity))));
    return 0;
}
