/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * generation.c - the backing generation (see generation.h)
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <linux/fs.h>

#include "generation.h"
#include "instance.h"
#include "notes.h"

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

/* Notes (notes.h). */
#define ADOPTED_NOTE "generation"
#define LOST_NOTE "lost"            /* in the directory of this boot only */
#define IN_USE_NOTE "in-use"
#define INCOMPLETE_NOTE "incomplete"

#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif

/* Linux 5.15: counts up with every disk that appears, or is exchanged. */
#ifndef BLKGETDISKSEQ
#define BLKGETDISKSEQ _IOR(0x12, 128, uint64_t)
#endif

/*
 * What an adopted generation looks like in the extended attribute of the file.
 * Only bytes: every host that shares the file reads it.
 */
struct adopted {
    uint8_t epoch[16];          /* random; part of what this file computes */
    uint8_t home[16];           /* computed where the generation was adopted */
    uint8_t generation[16];
};

/* 1, or 0 without a record: then @a is all zeros. */
static int read_adopted(int fd, struct adopted *a)
{
    if (vmemstore_attr_get(fd, ADOPTED_NOTE, a, sizeof(*a)) == 0) {
        return 1;
    }
    memset(a, 0, sizeof(*a));
    return 0;
}

static int random_bytes(void *out, size_t len)
{
    return getrandom(out, len, 0) == (ssize_t)len ? 0 : -EIO;
}

/* ---- what the file is ---- */

struct identity {
    char boot_id[BOOT_ID_LEN];
    uint32_t inode_generation;
    uint64_t dev;
    uint64_t rdev;
    uint64_t ino;
    uint64_t disk_sequence;
    uint64_t instance;
    uint8_t epoch[16];
    uint8_t lost[16];
};

/*
 * Not every file system has inode generations: then they count as 0.  What a FUSE
 * server answers is of no worth.  The number of the request says long, most
 * file systems store an int.
 */
static uint32_t inode_generation(int fd)
{
    union {
        long room;
        int value;
    } answer = { 0 };
    struct statfs fs;

    if (fstatfs(fd, &fs) < 0 || fs.f_type == FUSE_SUPER_MAGIC ||
        ioctl(fd, FS_IOC_GETVERSION, &answer) < 0) {
        return 0;
    }
    return (uint32_t)answer.value;
}

/* Without @identity->epoch and ->lost, which are zeros. */
static int identify(int fd, struct identity *identity)
{
    struct stat st;
    int err;

    memset(identity, 0, sizeof(*identity));
    err = read_boot_id(identity->boot_id);
    if (err) {
        return err;
    }
    if (fstat(fd, &st) < 0) {
        return -errno;
    }
    identity->instance = vmemstore_instance(fd);
    if (S_ISBLK(st.st_mode)) {
        /* Not the node in /dev: a container has its own. */
        identity->rdev = st.st_rdev;
        if (ioctl(fd, BLKGETDISKSEQ, &identity->disk_sequence) < 0) {
            identity->disk_sequence = 0;
        }
        return 0;
    }
    identity->dev = st.st_dev;
    identity->ino = st.st_ino;
    if (S_ISREG(st.st_mode)) {
        identity->inode_generation = inode_generation(fd);
    }
    return 0;
}

static int note_key(int fd, uint8_t key[VMEMSTORE_NOTE_KEY_LEN])
{
    struct identity identity;
    int err = identify(fd, &identity);

    if (err == 0) {
        digest(&identity, sizeof(identity), key);
    }
    return err;
}

static int compute(int fd, const uint8_t epoch[16], uint8_t out[16])
{
    struct identity identity;
    uint8_t key[VMEMSTORE_NOTE_KEY_LEN];
    int err = identify(fd, &identity);

    if (err) {
        return err;
    }
    digest(&identity, sizeof(identity), key);
    err = vmemstore_run_get(key, LOST_NOTE, identity.lost,
                            sizeof(identity.lost));
    if (err && err != -ENOENT) {
        /* There is one that cannot be read, or somebody keeps it from us. */
        memset(identity.lost, 0xff, sizeof(identity.lost));
    }
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

/* What the kernel tells of here, it tells nobody else. */
static int make_durable(int fd)
{
    int err = fsync(fd) < 0 ? -errno : 0;

    if (err) {
        vmemstore_generation_change(fd);
    }
    return err;
}

static int set_durably(int fd, const char *name, const void *data, size_t len)
{
    int err = vmemstore_attr_set(fd, name, data, len);

    return err ? err : make_durable(fd);
}

int vmemstore_adopt_generation(int fd, const uint8_t generation[16])
{
    struct adopted a;
    int err = random_bytes(a.epoch, sizeof(a.epoch));

    if (!err) {
        err = compute(fd, a.epoch, a.home);
    }
    if (err) {
        return err;
    }
    memcpy(a.generation, generation, sizeof(a.generation));
    return set_durably(fd, ADOPTED_NOTE, &a, sizeof(a));
}

/* ---- data was lost ---- */

int vmemstore_note_loss(int fd)
{
    uint8_t key[VMEMSTORE_NOTE_KEY_LEN], lost[16];
    int err = note_key(fd, key);

    if (!err) {
        err = random_bytes(lost, sizeof(lost));
    }
    return err ? err : vmemstore_run_set(key, LOST_NOTE, lost, sizeof(lost));
}

/* In the attribute as if adopted elsewhere: no file computes a home of zeros. */
int vmemstore_generation_change(int fd)
{
    struct adopted a = { 0 };
    int noted = vmemstore_note_loss(fd);
    int err = random_bytes(a.epoch, sizeof(a.epoch));

    if (!err) {
        err = vmemstore_attr_set(fd, ADOPTED_NOTE, &a, sizeof(a));
    }
    return noted == 0 ? 0 : err;
}

int vmemstore_sync(int fd, int *noted)
{
    int err = fdatasync(fd) < 0 ? -errno : 0;

    *noted = err ? vmemstore_generation_change(fd) : 0;
    return err;
}

/* ---- in use ---- */

/* Stores beside each other in one file have one each. */
static const char *in_use_name(char text[64], uint64_t offset)
{
    snprintf(text, 64, offset ? IN_USE_NOTE "-%llx" : IN_USE_NOTE,
             (unsigned long long)offset);
    return text;
}

static int needs_note(int fd)
{
    return vmemstore_instance(fd) == 0;
}

int vmemstore_is_in_use(int fd, uint64_t offset)
{
    uint8_t key[VMEMSTORE_NOTE_KEY_LEN], byte;
    char name[64];

    in_use_name(name, offset);
    return needs_note(fd) &&
           (vmemstore_attr_get(fd, name, &byte, 1) == 0 ||
            (note_key(fd, key) == 0 &&
             vmemstore_run_get(key, name, &byte, 1) == 0));
}

int vmemstore_use_begin(int fd, uint64_t offset)
{
    uint8_t key[VMEMSTORE_NOTE_KEY_LEN];
    char name[64];
    int err = 0;

    if (!needs_note(fd)) {
        return 0;
    }
    if (vmemstore_is_in_use(fd, offset)) {
        err = vmemstore_generation_change(fd);
    }
    in_use_name(name, offset);
    if (!err && set_durably(fd, name, "1", 1)) {
        err = note_key(fd, key);
        if (!err) {
            err = vmemstore_run_set(key, name, "1", 1);
        }
    }
    return err ? err : 1;
}

void vmemstore_use_end(int fd, uint64_t offset)
{
    uint8_t key[VMEMSTORE_NOTE_KEY_LEN];
    char name[64];

    if (!needs_note(fd)) {
        return;
    }
    in_use_name(name, offset);
    vmemstore_attr_remove(fd, name);
    if (note_key(fd, key) == 0) {
        vmemstore_run_remove(key, name);
    }
}

/* ---- contents on their way ---- */

int vmemstore_mark_incomplete(int fd)
{
    return set_durably(fd, INCOMPLETE_NOTE, "1", 1);
}

int vmemstore_mark_complete(int fd)
{
    int err;

    if (!vmemstore_is_incomplete(fd)) {
        return 0;
    }
    err = vmemstore_attr_remove(fd, INCOMPLETE_NOTE);
    return err ? err : make_durable(fd);
}

int vmemstore_is_incomplete(int fd)
{
    uint8_t byte;

    return vmemstore_attr_get(fd, INCOMPLETE_NOTE, &byte, 1) == 0;
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
