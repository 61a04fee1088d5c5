// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * no_ndctl.c - what a statically linked libpmem wants of libndctl and libdaxctl
 *
 * Debian ships libpmem.a, but neither of these as an archive.  libpmem asks
 * them only for bad blocks, unsafe shutdown counts and the layout of device
 * DAX, which the tools never ask for; a context that cannot be made is the
 * answer that libpmem expects on a machine without NVDIMMs.  So the tools are
 * single files, which an initramfs can hold.
 */
#include <errno.h>

int ndctl_new(void **ctx);

int ndctl_new(void **ctx)
{
	*ctx = (void *)0;
	return -ENOSYS;
}

/* Never called without a context; each is referred to by libpmem. */
#define UNREACHED(name) void *name(void); void *name(void) { return (void *)0; }

UNREACHED(daxctl_dev_get_devname)
UNREACHED(daxctl_dev_get_first)
UNREACHED(daxctl_dev_get_next)
UNREACHED(ndctl_btt_get_block_device)
UNREACHED(ndctl_bus_get_first)
UNREACHED(ndctl_bus_get_next)
UNREACHED(ndctl_dax_get_align)
UNREACHED(ndctl_dax_get_daxctl_region)
UNREACHED(ndctl_dax_get_size)
UNREACHED(ndctl_namespace_get_block_device)
UNREACHED(ndctl_namespace_get_btt)
UNREACHED(ndctl_namespace_get_dax)
UNREACHED(ndctl_namespace_get_first)
UNREACHED(ndctl_namespace_get_next)
UNREACHED(ndctl_namespace_get_pfn)
UNREACHED(ndctl_pfn_get_block_device)
UNREACHED(ndctl_region_get_first)
UNREACHED(ndctl_region_get_id)
UNREACHED(ndctl_region_get_next)
UNREACHED(ndctl_region_get_numa_node)
UNREACHED(ndctl_unref)
