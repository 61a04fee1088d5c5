/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* vmemfs_ioctl.h - requests of vmemfs, for programs (resize.vmemfs) */
#ifndef VMEMFS_IOCTL_H
#define VMEMFS_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

/*
 * Grow the mounted file system, through any of its files or directories: the
 * argument points to its new size in bytes, 0: as large as the disk is.
 * Needs CAP_SYS_RESOURCE.  EINVAL: smaller than it is, or larger than the disk;
 * EFBIG: its descriptors have no room (mkfs.vmemfs -E resize=); EROFS; ENOSPC:
 * the host is full; EIO; ENOMEM.
 */
#define VMEMFS_IOC_RESIZE	_IOW('V', 0xd0, __u64)

#endif
