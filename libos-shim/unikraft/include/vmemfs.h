/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* vmemfs.h - vmemfs in Unikraft, beside the ordinary file calls */
#ifndef VMEMFS_H
#define VMEMFS_H

#include "vmemos.h"

/* The mounted store, for vmemos_acquire() and its kin; NULL before it is mounted. */
struct vmemos *vmemfs_mounted(void);

/* Between the driver's two files: the platform, ready to be mounted.  0, or a negative errno. */
int vmemfs_platform(struct vmemos_platform **platform);

#endif
