/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* paging.h - of Unikraft (plat/common/include/uk/plat/paging.h and x86's part of it) */
#ifndef MOCK_PAGING_H
#define MOCK_PAGING_H

#include <stdint.h>

typedef uint64_t __vaddr_t;
typedef uint64_t __paddr_t;

#define PAGE_SHIFT		12
#define PAGE_SIZE		(1ul << PAGE_SHIFT)
#define ALIGN_UP(v, a)		(((v) + (a) - 1) & ~((__typeof__(v))(a) - 1))
#define PAGE_ATTR_PROT_READ	0x01
#define PAGE_ATTR_PROT_WRITE	0x02
#define DIRECTMAP_AREA_START	0xffffff8000000000
#define DIRECTMAP_AREA_END	0xffffffffffffffff
#define DIRECTMAP_AREA_SIZE	(DIRECTMAP_AREA_END - DIRECTMAP_AREA_START + 1)

struct uk_pagetable;
struct uk_pagetable *ukplat_pt_get_active(void);
int ukplat_page_map(struct uk_pagetable *pt, __vaddr_t vaddr, __paddr_t paddr,
		    unsigned long pages, unsigned long attr, unsigned long flags);

#endif
