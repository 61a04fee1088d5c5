// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * trap.c - exceptions: tell what and where, and end; never hang
 *
 * There are no interrupts.  Exceptions run on stacks of their own (IST),
 * because the interrupted code may have a red zone, or no stack at all.
 */
#include <asm/signal.h>

#include "platform.h"

#define FAULT_STACK	32768		/* page faults call the file system */
#define VECTORS		32
#define STUB_SIZE	16
#define DOUBLE_FAULT	8

struct gate {
	uint16_t low, selector;
	uint8_t ist, type;
	uint16_t middle;
	uint32_t high, zero;
};

/* Task state segment: only the interrupt stacks are used. */
struct tss {
	uint32_t zero0;
	uint64_t rsp[3], zero1, ist[7];
	uint64_t zero2;
	uint16_t zero3, io_map;
} __attribute__((packed));

struct symbol {
	uint64_t address;
	const char *name;
};

/* Made by `link` from the image itself. */
extern const struct symbol symbol_table[];
extern const uint64_t symbol_count;

extern char trap_stubs[], image_start[], image_writable[];
extern uint64_t gdt[];

int (*page_fault_hook)(uint64_t address, uint64_t error, const char **why);
const char *(*symbol_hook)(uint64_t address, uint64_t *offset);

static struct gate idt[VECTORS];
static struct tss tss;
static uint8_t fault_stack[FAULT_STACK] __attribute__((aligned(16)));
static uint8_t trap_stack[FAULT_STACK] __attribute__((aligned(16)));
static uint8_t double_fault_stack[FAULT_STACK] __attribute__((aligned(16)));
static unsigned int nested;

void trap_init(void)
{
	struct { uint16_t limit; uint64_t base; } __attribute__((packed)) pointer = {
		sizeof(idt) - 1, (uint64_t)idt
	};
	uint64_t stub, base = (uint64_t)&tss;
	unsigned int i;

	tss.ist[0] = (uint64_t)(trap_stack + FAULT_STACK);
	tss.ist[1] = (uint64_t)(fault_stack + FAULT_STACK);
	tss.ist[2] = (uint64_t)(double_fault_stack + FAULT_STACK);
	tss.io_map = sizeof(tss);
	gdt[TSS_SELECTOR / 8] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 |
				0x89ull << 40 | (base >> 24 & 0xff) << 56;
	gdt[TSS_SELECTOR / 8 + 1] = base >> 32;
	for (i = 0; i < VECTORS; i++) {
		stub = (uint64_t)trap_stubs + i * STUB_SIZE;
		idt[i] = (struct gate){
			.low = (uint16_t)stub, .selector = CODE_SELECTOR,
			.ist = i == TRAP_PAGE_FAULT ? 2 : i == DOUBLE_FAULT ? 3 : 1,
			.type = 0x8e, .middle = (uint16_t)(stub >> 16),
			.high = (uint32_t)(stub >> 32),
		};
	}
	__asm__ volatile("lidt %0; ltr %w1" : : "m"(pointer), "r"(TSS_SELECTOR));
}

static const char *find_symbol(uint64_t address, uint64_t *offset)
{
	uint64_t lo = 0, hi = symbol_count, mid;

	if (address < (uint64_t)image_start)
		return symbol_hook ? symbol_hook(address, offset) : NULL;
	if (address >= (uint64_t)image_writable)
		return NULL;
	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (symbol_table[mid].address <= address)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0)
		return NULL;
	*offset = address - symbol_table[lo - 1].address;
	return symbol_table[lo - 1].name;
}

static void say_address(const char *what, uint64_t address)
{
	uint64_t offset = 0;
	const char *name = find_symbol(address, &offset);

	if (name)
		say("  %s 0x%016lx %s+0x%lx\n", what, address, name, offset);
	else
		say("  %s 0x%016lx\n", what, address);
}

static bool readable(uint64_t va)
{
	const uint64_t *entry = page_entry(va, 2, false);

	if (entry && (*entry & PTE_PRESENT) && !(*entry & PTE_LARGE))
		entry = page_entry(va, 1, false);
	return entry && (*entry & PTE_PRESENT);
}

/*
 * By frame pointers, where there are: a program compiled without shows less.
 * A function that has not made its frame yet has its caller on top of the stack.
 */
static void backtrace(uint64_t rsp, uint64_t rbp)
{
	const uint64_t *frame;
	unsigned int depth;
	uint64_t next;

	if (rsp % 8 == 0 && readable(rsp) && find_symbol(*(const uint64_t *)rsp, &next))
		say_address("on its stack", *(const uint64_t *)rsp);
	for (depth = 0; depth < 24 && rbp % 8 == 0; depth++, rbp = next) {
		if (!rbp || !readable(rbp) || !readable(rbp + 8))
			return;
		frame = (const uint64_t *)rbp;
		next = frame[0];
		if (!frame[1])
			return;
		say_address("called from", frame[1]);
		if (next <= rbp)
			return;
	}
}

/* What a vector is called, and the signal that it would be: SIGSEGV if none is named. */
static const struct {
	const char *name;
	int signal;
} traps[VECTORS] = {
	[0] = { "division error", SIGFPE }, [1] = { "debug trap", SIGTRAP },
	[2] = { .name = "NMI" }, [3] = { "breakpoint", SIGTRAP }, [4] = { .name = "overflow" },
	[5] = { .name = "bound range" }, [6] = { "invalid instruction", SIGILL },
	[7] = { .name = "no FPU" }, [8] = { .name = "double fault" },
	[10] = { .name = "invalid TSS" }, [11] = { .name = "segment not present" },
	[12] = { .name = "stack fault" }, [13] = { .name = "general protection" },
	[16] = { "x87 error", SIGFPE }, [17] = { .name = "alignment" },
	[18] = { .name = "machine check" }, [19] = { "SIMD error", SIGFPE },
};

static uint64_t fault_address(void)
{
	uint64_t cr2;

	__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
	return cr2;
}

/* Print what and where, and end with status 128 + signal.  why: of a page fault. */
static void report(const struct trap_frame *f, const char *why, int signal)
{
	const char *name = traps[f->vector].name;

	/* A fault while reporting one: say so once, then only end. */
	if (++nested > 2)
		platform_exit(128 + signal);
	if (f->vector == TRAP_PAGE_FAULT)
		say("vmemos: page fault: %s at 0x%016lx: %s\n", f->error & FAULT_WRITE ? "write" :
		    f->error & 16 ? "instruction" : "read", fault_address(), why);
	else
		say("vmemos: %s (vector %lu, error 0x%lx)\n", name ? name : "trap", f->vector,
		    f->error);
	say_address(f->rip < KERNEL_BASE ? "in the program, at" : "in the image, at", f->rip);
	if (nested == 1)
		backtrace(f->rsp, f->rbp);
	say("  rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", f->rax, f->rbx, f->rcx, f->rdx);
	say("  rsi %016lx rdi %016lx rbp %016lx rsp %016lx\n", f->rsi, f->rdi, f->rbp, f->rsp);
	say("  r8  %016lx r9  %016lx r10 %016lx r11 %016lx\n", f->r8, f->r9, f->r10, f->r11);
	say("  r12 %016lx r13 %016lx r14 %016lx r15 %016lx\n", f->r12, f->r13, f->r14, f->r15);
	platform_exit(128 + signal);
}

void trap(struct trap_frame *f);
void trap(struct trap_frame *f)
{
	static bool in_fault;
	const char *why = "not mapped";
	int signal = traps[f->vector].signal ? traps[f->vector].signal : SIGSEGV;
	const uint64_t before = guard_open();

	if (f->vector == TRAP_PAGE_FAULT && page_fault_hook && !in_fault && !nested) {
		in_fault = true;
		signal = page_fault_hook(fault_address(), f->error, &why);
		in_fault = false;
		if (signal == 0) {
			guard_close(before);
			return;
		}
	}
	report(f, why, signal);
}
