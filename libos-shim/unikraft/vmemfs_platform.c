// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * vmemfs_platform.c - Unikraft as the library's platform
 *
 * The device is driven by the own platform's pci.c and virtio.c (Unikraft's
 * PCI bus driver knows no memory BARs); here is what these ask for.  The store
 * is mapped at VMEMOS_BASE, as everywhere, so that pointers in it stay valid.
 */
#include <cpuid.h>
#include <errno.h>
#include <string.h>

#include <uk/alloc.h>
#include <uk/assert.h>
#include <uk/config.h>
#include <uk/mutex.h>
#include <uk/plat/console.h>
#include <uk/plat/paging.h>
#include <uk/plat/time.h>
#include <uk/print.h>
#include <uk/random.h>

/* Of Unikraft's headers, too, in other words. */
#undef ALIGN_DOWN
#undef ALIGN_UP
#undef PAGE_SIZE
#include "platform.h"
#include "vmemfs.h"

/* ---- What pci.c and virtio.c ask for (platform.h) ---- */

struct cpu cpu;

static int64_t now(struct vmemos_platform *p)
{
	(void)p;
	return (int64_t)ukplat_wall_clock();
}

static void random_fill(struct vmemos_platform *p, void *buf, size_t len)
{
	(void)p;
	uk_random_fill_buffer(buf, len);
}

static void log_line(struct vmemos_platform *p, enum vmemos_log_level level, const char *line)
{
	(void)p;
	if (level != VMEMOS_LOG_INFO)
		uk_pr_warn("vmemfs: %s\n", line);
}

static void console(struct vmemos_platform *p, const char *text, size_t len)
{
	(void)p;
	ukplat_coutk(text, (unsigned int)len);
}

void platform_exit(int status)
{
	UK_CRASH("vmemfs: stopped, %d\n", status);
	__builtin_unreachable();
}

/* All of physical memory up to 512 GiB is there with CONFIG_PAGING. */
volatile void *map_mmio(uint64_t phys, uint64_t size)
{
	if (phys + size > DIRECTMAP_AREA_SIZE)
		fatal("the device's registers lie above 512 GiB");
	return (volatile void *)(DIRECTMAP_AREA_START + phys);
}

void map_large(uint64_t va, uint64_t phys, uint64_t size, uint64_t flags)
{
	(void)flags;
	if (ukplat_page_map(ukplat_pt_get_active(), va, phys, size / PAGE_SIZE,
			    PAGE_ATTR_PROT_READ | PAGE_ATTR_PROT_WRITE, 0))
		fatal("the store cannot be mapped");
}

static void cpu_detect(void)
{
	unsigned int a, b, c, d;

	if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
		cpu.clflushopt = !!(b & bit_CLFLUSHOPT);
		cpu.clwb = !!(b & bit_CLWB);
	}
	cpu.phys_bits = __get_cpuid(0x80000008, &a, &b, &c, &d) ? a & 0xff : 36;
}

/* ---- Locks: Unikraft's mutexes, shared or not ---- */

static void *lock_new(struct vmemos_platform *p)
{
	struct uk_mutex *m = uk_malloc(uk_alloc_get_default(), sizeof(*m));

	(void)p;
	if (m)
		uk_mutex_init(m);
	return m;
}

static void lock_free(struct vmemos_platform *p, void *lock)
{
	(void)p;
	uk_free(uk_alloc_get_default(), lock);
}

static void lock_take(void *lock)
{
	uk_mutex_lock(lock);
}

static void lock_drop(void *lock)
{
	uk_mutex_unlock(lock);
}

struct vmemos_platform machine = {
	.now = now, .random = random_fill, .log = log_line, .console = console,
	.lock_new = lock_new, .lock_free = lock_free, .lock = lock_take, .unlock = lock_drop,
	.lock_shared = lock_take, .unlock_shared = lock_drop,
};

int vmemfs_platform(struct vmemos_platform **platform)
{
	if (!machine.base) {
		cpu_detect();
		if (store_init())
			return -ENODEV;
	}
	machine.arena_size = (size_t)CONFIG_LIBVMEMFS_ARENA_MB << 20;
	if (!machine.arena)
		machine.arena = uk_memalign(uk_alloc_get_default(), 64, machine.arena_size);
	*platform = &machine;
	return machine.arena ? 0 : -ENOMEM;
}
