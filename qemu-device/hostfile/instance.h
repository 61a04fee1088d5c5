/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * instance.h - which mount of its file system is a file in?
 *
 * Plain libc and Linux only, no QEMU header: part of generation.h.
 */
#ifndef VMEMSTORE_INSTANCE_H
#define VMEMSTORE_INSTANCE_H

#include <stdint.h>

/* There is nothing that a new mount could lose. */
#define VMEMSTORE_INSTANCE_NONE 1

/*
 * A number that lives as long as the kernel keeps the file system of @fd in
 * memory, and with it the page cache: it differs after the last mount of it is
 * gone and it is mounted again, and is the same in all mount namespaces, through
 * all bind mounts and remounts.  Unique until the next boot.  0: not known.
 */
uint64_t vmemstore_instance(int fd);

#endif /* VMEMSTORE_INSTANCE_H */
