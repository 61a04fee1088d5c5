/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* fill.h - what is needed to fill a new file system, wherever the files come from */
#ifndef VMEM_FILL_H
#define VMEM_FILL_H

#include "vmem.h"

/* A device number as the format has it: Linux' huge encoding. */
uint32_t fill_rdev(uint32_t major, uint32_t minor);

/* Write len bytes of buf at off of the file.  0 or a negative errno. */
int fill_write(struct vmem_inode *vi, uint64_t off, const uint8_t *buf, size_t len);

/* The same, but what is zero in whole, or in a part of the first or last block, stays as it is: a hole. */
int fill_nonzero(struct vmem_inode *vi, uint64_t off, const uint8_t *buf, size_t len);

#endif /* VMEM_FILL_H */
