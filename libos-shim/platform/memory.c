// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * memory.c - RAM, page by page, and the page tables
 */
#include "platform.h"
#include "start_info.h"

#define MAX_REGIONS	32
#define LOW_LIMIT	0x100000000ull	/* what boot.S has mapped */
#define PML4_SPAN	(1ull << 39)	/* what one entry of the top table maps */
#define CR4_SMAP	(1ull << 21)

/* Free memory that no one has had yet, [start, end). */
struct region {
	uint64_t start, end;
};

extern uint64_t boot_pml4[], boot_pd[], boot_pd_high[];
extern char image_start[], image_writable[], image_end[], boot_stack_guard[];

static struct region regions[MAX_REGIONS];
static unsigned int nr_regions;
static uint64_t free_list;	/* of pages given back: each holds the next one's address */
uint64_t pages_total, pages_free;
enum guard guard;

static void add_region(uint64_t start, uint64_t end)
{
	start = ALIGN_UP(start, PAGE_SIZE);
	end = ALIGN_DOWN(end, PAGE_SIZE);
	if (start >= end || nr_regions == MAX_REGIONS)
		return;
	regions[nr_regions++] = (struct region){ start, end };
	pages_free += (end - start) / PAGE_SIZE;
}

/* All but what is in use: the image and, above it, the module. */
static void add_ram(uint64_t start, uint64_t end)
{
	uint64_t image = (uint64_t)image_end - KERNEL_BASE;
	uint64_t module = (uint64_t)boot_module.data - DIRECT_BASE;
	uint64_t module_end = module + boot_module.size;

	start = MAX(start, image);
	if (boot_module.size && start < module_end && module < end) {
		add_region(start, module);
		start = ALIGN_UP(module_end, PAGE_SIZE);
	}
	add_region(start, end);
}

uint64_t page_alloc(void)
{
	uint64_t phys = free_list;
	unsigned int i;

	if (phys) {
		free_list = *(uint64_t *)direct(phys);
	} else {
		for (i = 0; i < nr_regions && regions[i].start == regions[i].end; i++)
			;
		if (i == nr_regions)
			return 0;
		phys = regions[i].start;
		regions[i].start += PAGE_SIZE;
	}
	pages_free--;
	memset(direct(phys), 0, PAGE_SIZE);
	return phys;
}

void page_free(uint64_t phys)
{
	*(uint64_t *)direct(phys) = free_list;
	free_list = phys;
	pages_free++;
}

void *memory_take(size_t size)
{
	unsigned int i;
	uint64_t start;

	for (i = 0; i < nr_regions; i++) {
		start = ALIGN_DOWN(regions[i].end - size, LARGE_PAGE);
		if (regions[i].end < size || start < regions[i].start)
			continue;
		pages_free -= (regions[i].end - start) / PAGE_SIZE;
		regions[i].end = start;
		return direct(start);
	}
	return NULL;
}

uint64_t *page_entry(uint64_t va, int level, bool create)
{
	uint64_t *table = boot_pml4, *entry, phys;
	int l;

	for (l = 4; l > level; l--) {
		entry = &table[va >> (12 + 9 * (l - 1)) & 511];
		if (!(*entry & PTE_PRESENT)) {
			phys = create ? page_alloc() : 0;
			if (!phys)
				return NULL;
			*entry = phys | PTE_PRESENT | PTE_WRITE | PTE_USER;
		}
		if (*entry & PTE_LARGE)
			return NULL;
		table = direct(*entry & PTE_ADDRESS);
	}
	return &table[va >> (12 + 9 * (level - 1)) & 511];
}

void map_large(uint64_t va, uint64_t phys, uint64_t size, uint64_t flags)
{
	uint64_t off, *entry;

	for (off = 0; off < size; off += LARGE_PAGE) {
		entry = page_entry(va + off, 2, true);
		if (!entry)
			fatal("no memory for page tables: give the machine more (-m)");
		*entry = (phys + off) | PTE_PRESENT | PTE_LARGE | flags;
	}
}

volatile void *map_mmio(uint64_t phys, uint64_t size)
{
	static uint64_t next = MMIO_BASE;
	uint64_t va = next, start = ALIGN_DOWN(phys, LARGE_PAGE);
	uint64_t length = ALIGN_UP(phys + size, LARGE_PAGE) - start;

	map_large(va, start, length, PTE_WRITE | PTE_USER | PTE_UNCACHED | cpu.nx);
	next += length;
	return (volatile void *)(va + phys - start);
}

/* The image in 4 KiB pages: code is not writable, data not executable. */
static void protect_image(void)
{
	uint64_t va = KERNEL_BASE, *table, phys;
	unsigned int i, k;

	for (i = 0; i < 512; i++) {
		if (va >= (uint64_t)image_end) {
			boot_pd_high[i] = 0;
			continue;
		}
		phys = page_alloc();
		if (!phys)
			fatal("no memory for page tables: give the machine more (-m)");
		table = direct(phys);
		for (k = 0; k < 512; k++, va += PAGE_SIZE)
			if (va >= (uint64_t)image_start && va < (uint64_t)image_end)
				table[k] = (va - KERNEL_BASE) | PTE_PRESENT |
					   (va < (uint64_t)image_writable ? 0 : PTE_WRITE | cpu.nx);
		boot_pd_high[i] = phys | PTE_PRESENT | PTE_WRITE;
	}
}

void guard_page(const void *page)
{
	*page_entry((uint64_t)page, 1, false) = 0;
	flush_tlb_page((uint64_t)page);
}

void guard_memory(void)
{
	static const uint64_t guarded[][2] = {
		{ VMEMOS_BASE, 2 * VMEMOS_BASE }, { DIRECT_BASE, KERNEL_BASE },
	};
	uint64_t va, cr4;
	unsigned int i;

	guard = cpu.smap ? GUARD_SMAP : GUARD_WP;
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	if (cpu.smap)
		__asm__ volatile("clac; mov %0, %%cr4" : : "r"(cr4 | CR4_SMAP) : "memory");
	for (i = 0; !cpu.smap && i < 2; i++)
		for (va = guarded[i][0]; va < ALIGN_DOWN(guarded[i][1], PML4_SPAN); va += PML4_SPAN)
			boot_pml4[va / PML4_SPAN % 512] &= ~PTE_WRITE;
	__asm__ volatile("mov %%cr3, %%rax; mov %%rax, %%cr3" : : : "rax", "memory");
}

static void map_ram(const struct hvm_memmap *map, unsigned int nr)
{
	uint64_t base, end, low_end = 0;
	unsigned int i, high;

	/* First what boot.S has mapped: the page tables of the rest come from there. */
	for (high = 0; high < 2; high++) {
		for (i = 0; i < nr; i++) {
			if (map[i].type != HVM_MEMMAP_RAM || (map[i].address >= LOW_LIMIT) != high)
				continue;
			base = ALIGN_DOWN(map[i].address, LARGE_PAGE);
			end = map[i].address + map[i].size;
			if (high)
				map_large(DIRECT_BASE + base, base, end - base,
					  PTE_WRITE | PTE_USER | cpu.nx);
			else
				low_end = MAX(low_end, end);
			pages_total += map[i].size / PAGE_SIZE;
			add_ram(map[i].address, end);
		}
	}
	/* Holes below 4 GiB may be devices: no cached mapping of them. */
	for (base = 0; base < LOW_LIMIT; base += LARGE_PAGE)
		boot_pd[base / LARGE_PAGE] = base < ALIGN_UP(low_end, LARGE_PAGE) ?
			base | PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_LARGE | cpu.nx : 0;
}

void memory_init(const struct hvm_start_info *info)
{
	if (info->version < 1 || !info->memmap_entries)
		fatal("no memory map at the PVH entry: boot by QEMU -kernel");
	map_ram(direct(info->memmap), info->memmap_entries);
	protect_image();
	guard_page(boot_stack_guard);
}
