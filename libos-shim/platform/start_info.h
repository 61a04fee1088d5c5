/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * start_info.h - what the loader tells at the PVH entry (xen
 * public/arch-x86/hvm/start_info.h, version 1); addresses are physical
 */
#ifndef START_INFO_H
#define START_INFO_H

#include <stdint.h>

#define HVM_START_MAGIC	0x336ec578
#define HVM_MEMMAP_RAM	1

struct hvm_start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modules, cmdline, rsdp, memmap;
	uint32_t memmap_entries, reserved;
};

struct hvm_module {
	uint64_t address, size, cmdline, reserved;
};

struct hvm_memmap {
	uint64_t address, size;
	uint32_t type, reserved;
};

#endif /* START_INFO_H */
