/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * layout.h - the address space, for C, assembler and the linker script
 *
 * The lower half belongs to the program and to the store; the upper half:
 *   DIRECT_BASE	all RAM, by physical address
 *   MMIO_BASE		device registers, in the order of mapping
 *   KERNEL_BASE	the image (the first GiB of physical memory)
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#define DIRECT_BASE	0xffff800000000000
#define MMIO_BASE	0xffffc00000000000
#ifndef KERNEL_BASE		/* Unikraft has its image elsewhere */
#define KERNEL_BASE	0xffffffff80000000
#endif
#define KERNEL_PHYS	0x100000	/* where the image is loaded */

#define CODE_SELECTOR	0x08
#define DATA_SELECTOR	0x10
#define TSS_SELECTOR	0x18

#define BOOT_STACK_SIZE	0x10000

#endif /* LAYOUT_H */
