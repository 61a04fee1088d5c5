/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * generation.h - has the host lost its page cache since this file was last used?
 *
 * Plain libc and Linux only, no QEMU header: the device and the host tools link
 * the same function, so that a tool that works on the image directly computes
 * what a guest would be told.
 */
#ifndef VMEMSTORE_GENERATION_H
#define VMEMSTORE_GENERATION_H

#include <stdint.h>

#define VMEMSTORE_BACKING_GENERATION_LEN 16

/*
 * Fill @out with the backing generation of the open file @fd: a hash of the
 * host's boot id and of the identity of the file (device, inode number, inode
 * generation where the file system has one).  It differs after a host reboot
 * and for a copied or re-created file, which are the cases in which stores
 * that were never flushed may be missing.  It is not a checksum of the
 * contents and not a secret.
 *
 * Returns 0, or a negative errno value; then @out is undefined.
 */
int vmemstore_backing_generation(int fd, uint8_t out[16]);

#endif /* VMEMSTORE_GENERATION_H */
