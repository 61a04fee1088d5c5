/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compat.h - differences between the kernels that the modules build for
 *
 * Linux 6.1 (Debian 12) to 6.12 (its backports).  Every difference is here and
 * nowhere else; the rest of the code is written for the newest kernel.
 */
#ifndef VMEM_LINUX_COMPAT_H
#define VMEM_LINUX_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "vmemstore and vmemfs need Linux 6.1 or newer"
#endif

#endif /* VMEM_LINUX_COMPAT_H */
