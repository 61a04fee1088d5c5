/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * instance.c - which mount of its file system is a file in? (see instance.h)
 *
 * The number of a superblock's directory in sysfs: the kernel makes one at mount,
 * takes it away with the superblock, and never uses the number again (fs/kernfs,
 * ids of 64 bits since Linux 5.5).  Mount ids would not do: each mount namespace
 * has its own.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <linux/btrfs.h>
#include <linux/magic.h>

#include "instance.h"

/* Not in the headers of every libc and kernel. */
#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif
#ifndef F2FS_SUPER_MAGIC
#define F2FS_SUPER_MAGIC 0xF2F52010
#endif
#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

#define PATH_LEN 320

/* A directory elsewhere (no sysfs in a chroot) would say nothing. */
static uint64_t node_in_sysfs(const char *path)
{
    struct statfs fs;
    struct stat st;

    if (statfs(path, &fs) < 0 || fs.f_type != SYSFS_MAGIC ||
        stat(path, &st) < 0) {
        return 0;
    }
    return st.st_ino;
}

/* ext4 and its like name theirs after the disk. */
static uint64_t of_disk(const char *type, dev_t dev)
{
    char link[PATH_LEN], disk[PATH_LEN], path[2 * PATH_LEN];
    const char *name;
    ssize_t len;

    snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(dev), minor(dev));
    len = readlink(link, disk, sizeof(disk) - 1);
    if (len <= 0) {
        return 0;
    }
    disk[len] = 0;
    name = strrchr(disk, '/');
    snprintf(path, sizeof(path), "/sys/fs/%s/%s", type, name ? name + 1 : disk);
    return node_in_sysfs(path);
}

/* It may have many disks: the name is its UUID. */
static uint64_t of_btrfs(int fd)
{
    struct btrfs_ioctl_fs_info_args info;
    char path[PATH_LEN] = "/sys/fs/btrfs/";
    size_t at = strlen(path);

    memset(&info, 0, sizeof(info));
    if (ioctl(fd, BTRFS_IOC_FS_INFO, &info) < 0) {
        return 0;
    }
    for (unsigned i = 0; i < sizeof(info.fsid); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            path[at++] = '-';
        }
        at += (size_t)snprintf(path + at, sizeof(path) - at, "%02x",
                               info.fsid[i]);
    }
    return node_in_sysfs(path);
}

/* FUSE and network file systems: write-back of the superblock. */
static uint64_t of_writeback(dev_t dev, const char *suffix)
{
    char path[PATH_LEN];

    snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u%s", major(dev),
             minor(dev), suffix);
    return node_in_sysfs(path);
}

uint64_t vmemstore_instance(int fd)
{
    struct statfs fs;
    struct stat st;

    if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0) {
        return 0;
    }
    if (S_ISBLK(st.st_mode)) {
        /* What is cached, and each error, lives as long as the disk. */
        return VMEMSTORE_INSTANCE_NONE;
    }
    switch (fs.f_type) {
    case TMPFS_MAGIC:
    case RAMFS_MAGIC:
    case HUGETLBFS_MAGIC:
        return VMEMSTORE_INSTANCE_NONE;
    case EXT4_SUPER_MAGIC:
        return of_disk("ext4", st.st_dev);
    case XFS_SUPER_MAGIC:
        return of_disk("xfs", st.st_dev);
    case F2FS_SUPER_MAGIC:
        return of_disk("f2fs", st.st_dev);
    case BTRFS_SUPER_MAGIC:
        return of_btrfs(fd);
    case FUSE_SUPER_MAGIC:
        return major(st.st_dev) ? of_writeback(st.st_dev, "-fuseblk") :
               of_writeback(st.st_dev, "");
    default:
        /* That of a disk outlives the file system. */
        return major(st.st_dev) ? 0 : of_writeback(st.st_dev, "");
    }
}
