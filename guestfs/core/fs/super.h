/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* super.h - between super.c, which reads the superblock, and mount.c */
#ifndef VMEM_SUPER_H
#define VMEM_SUPER_H

#include "fs/fs.h"

#define VMEM_REFUSE(env, code, ...) \
	((env)->log((env), VMEM_LOG_ERR, __VA_ARGS__), (code))

/* The superblock, or what it is going to be, and the newest root. */
int vmem_read_super(struct vmem_fs *fs, bool *force_ro);

#endif /* VMEM_SUPER_H */
