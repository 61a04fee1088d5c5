/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * platform.h - what the own platform offers beyond struct vmemos_platform
 *
 * For the platform itself and for the loader.  One CPU, no interrupts, ring 0.
 * An ordinary unikernel needs only vmemos.h.
 */
#ifndef PLATFORM_H
#define PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "layout.h"
#include "vmemos.h"

#define PAGE_SIZE	4096ull
#define LARGE_PAGE	0x200000ull
#define ALIGN_DOWN(x, a) ((x) & ~((uint64_t)(a) - 1))
#define ALIGN_UP(x, a)	ALIGN_DOWN((x) + (a) - 1, a)
#define MIN(a, b)	((a) < (b) ? (a) : (b))
#define MAX(a, b)	((a) > (b) ? (a) : (b))

/* What the program gets; its console works from the first instruction on (start.c). */
extern struct vmemos_platform machine;

static inline void *direct(uint64_t phys)
{
	return (void *)(DIRECT_BASE + phys);
}

/* ---- The machine (start.c, cpu.c) ---- */

/* The first module (-initrd); size 0: none. */
struct module {
	const uint8_t *data;
	size_t size;
};

extern struct module boot_module;
extern uint64_t boot_tsc;	/* at the PVH entry */

/*
 * Options are the words of the command line before "--", NAME or NAME=VALUE;
 * without "--" there are none.  The value, "" or NULL; *at is where to go on
 * searching for a second one of that name (NULL: only the first is wanted).
 */
const char *platform_option(const char *name, unsigned int *at);
extern bool error_told;		/* one was logged: what is wrong, and what to do */

/* Features of CPUID that matter here. */
struct cpu {
	uint64_t nx;			/* PTE_NX or 0 */
	bool rdrand, clwb, clflushopt, smap;
	unsigned int phys_bits;
	uint32_t features_edx;		/* CPUID 1, for AT_HWCAP */
};

extern struct cpu cpu;

void cpu_init(void);
void clock_init(void);			/* fatal() when no timer answers */
uint64_t clock_monotonic(void);		/* ns since clock_init() */
uint64_t clock_since_boot(void);	/* ns since the PVH entry */
int64_t clock_wall(struct vmemos_platform *p);	/* machine.now */
void random_bytes(struct vmemos_platform *p, void *buf, size_t len);	/* machine.random */

/* What left the virtual machine: each is an exit under hardware virtualization. */
struct exits {
	uint64_t doorbells;	/* requests to the store device */
	uint64_t console;	/* serial port accesses */
};

extern struct exits exits;

/* ---- Console and end (console.c, trap.c) ---- */

void console_init(void);
void console_write(struct vmemos_platform *p, const char *text, size_t len); /* machine.console */
/* One byte, or -1 when there is none yet. */
int console_read(void);
#define say(...) vmemos_printf(&machine, __VA_ARGS__)

/*
 * End the machine.  isa-debug-exit at port 0xf4, which works on all machine
 * types, makes QEMU exit with status * 2 + 3, so never with 1, which is an
 * error of its own; above 126 the console tells the status.  Without the
 * device: a reset (-no-reboot ends QEMU).
 */
void platform_exit(int status) __attribute__((noreturn));
/* One line that says what to do, and status 125: the program never ran. */
#define fatal(fmt, ...) (say("vmemos: " fmt "\n", ##__VA_ARGS__), platform_exit(125))

struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

#define TRAP_PAGE_FAULT	14
#define FAULT_WRITE	2	/* bit of the error code */

void trap_init(void);
/* May handle a page fault (0), or say why not: a signal and *why. */
extern int (*page_fault_hook)(uint64_t address, uint64_t error, const char **why);
/* The program's own symbols: the name, *offset set; NULL. */
extern const char *(*symbol_hook)(uint64_t address, uint64_t *offset);

/* ---- Memory (memory.c) ---- */

#define PTE_PRESENT	(1ull << 0)
#define PTE_WRITE	(1ull << 1)
#define PTE_USER	(1ull << 2)	/* the shim's: guard_memory() */
#define PTE_UNCACHED	(3ull << 3)	/* PWT, PCD */
#define PTE_LARGE	(1ull << 7)
#define PTE_OWNED	(1ull << 9)	/* for software: the page goes with the entry */
#define PTE_ADDRESS	0x000ffffffffff000ull
#define PTE_NX		(1ull << 63)

struct hvm_start_info;
void memory_init(const struct hvm_start_info *info);
extern uint64_t pages_total, pages_free;

/* A zeroed page's physical address; 0: none left. */
uint64_t page_alloc(void);
void page_free(uint64_t phys);
/* Consecutive memory, never given back, 2 MiB-aligned; NULL: no such run. */
void *memory_take(size_t size);

/*
 * The entry that maps va at level 1 (4 KiB) or 2 (2 MiB).  create: make the
 * tables on the way; else NULL when there are none.  NULL, too: no memory, or
 * va lies in a larger page.
 */
uint64_t *page_entry(uint64_t va, int level, bool create);
/* Map [phys, phys + size) in 2 MiB pages. */
void map_large(uint64_t va, uint64_t phys, uint64_t size, uint64_t flags);
/* Unmap a page of the image: below a stack, so that an overflow traps. */
void guard_page(const void *page);
/* Device registers, uncached. */
volatile void *map_mmio(uint64_t phys, uint64_t size);

/*
 * From here on what is mapped with PTE_USER (the store, all RAM by DIRECT_BASE,
 * device registers) is out of a program's reach but between guard_open() and
 * guard_close(): who serves a program calls these first and last.  It costs a
 * register, and no exit, where the CPU has SMAP: EFLAGS.AC lets through, which the
 * way back to the program restores by itself.  Elsewhere CR0.WP does.
 */
void guard_memory(void);
extern enum guard { GUARD_NONE, GUARD_SMAP, GUARD_WP } guard;

#define CR0_WP		(1ull << 16)

static inline uint64_t read_cr0(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr0, %0" : "=r"(v));
	return v;
}

static inline void write_cr0(uint64_t v)
{
	__asm__ volatile("mov %0, %%cr0" : : "r"(v) : "memory");
}

static inline uint64_t guard_open(void)
{
	uint64_t before = 0;

	if (guard == GUARD_SMAP)
		__asm__ volatile("stac" : : : "memory", "cc");
	if (guard == GUARD_WP) {
		before = read_cr0();
		write_cr0(before & ~CR0_WP);
	}
	return before;
}

static inline void guard_close(uint64_t before)
{
	if (guard == GUARD_WP)
		write_cr0(before);
}

static inline void flush_tlb_page(uint64_t va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

/* ---- The store (pci.c, virtio.c) ---- */

/* The first device with this id: its position, or -1. */
int pci_find(uint32_t vendor_and_device);
uint32_t pci_read(int dev, unsigned int offset);
void pci_write(int dev, unsigned int offset, uint32_t value);
/* Where a memory BAR is; assigned here if the firmware did not. */
uint64_t pci_bar_address(int dev, unsigned int bar);

/* Find the vmemstore device, map its store, fill in what machine has of it.  -ENODEV: none. */
int store_init(void);

/* ---- Ports and registers ---- */

static inline void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void outl(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint64_t rdtsc(void)
{
	return __builtin_ia32_rdtsc();
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}

#endif /* PLATFORM_H */
