/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* types.h - the types of virtio_vmemstore.h, where there are no Linux headers */
#ifndef VMEMFS_LINUX_TYPES_H
#define VMEMFS_LINUX_TYPES_H

#include <stdint.h>

typedef uint8_t __u8;
typedef uint16_t __le16;
typedef uint32_t __le32;
typedef uint64_t __le64;

#endif
