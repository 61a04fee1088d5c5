// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * cost.c - what durability costs in instructions and host flushes
 *
 * The processor's trap flag makes each instruction a signal, which counts it.
 * The flush is replaced by one that only counts: what the host does then is
 * another matter.  Instructions of the copying are counted as well; one that
 * repeats itself (rep movs) counts once.
 *
 *	cost		prints a table
 *	cost check	TAP: the figures of docs/libos.md, and not a third more
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <ucontext.h>

#include "check.h"

#define WARM_UP	4	/* a file that is fsynced often is handled otherwise than the first time */
#define ROUNDS	5	/* the median counts: now and then a checkpoint falls into one */

static unsigned long flushes, steps;
static greg_t last_rip;
static uint8_t page[BLOCK];
static struct vmemos_file *file;
static struct vmemos_area area;

static int count_flush(struct vmemos_platform *p, const struct vmemos_range *r, unsigned int nr)
{
	(void)p;
	(void)r;
	(void)nr;
	flushes++;
	return 0;
}

/* ---- What is measured ---- */

static void overwrite(unsigned int i)
{
	vmemos_pwrite(file, page, BLOCK, (i % 64) * BLOCK);
	vmemos_fsync(file, true);
}

static void persist(unsigned int i)
{
	char *to = (char *)area.addr + (i % 64) * BLOCK;

	memcpy(to, page, BLOCK);
	vmemos_persist(&area, to, BLOCK);
}

static void append_page(unsigned int i)
{
	vmemos_pwrite(file, page, BLOCK, MiB + i * BLOCK);
	vmemos_fsync(file, true);
}

static void append_line(unsigned int i)
{
	vmemos_pwrite(file, page, 100, 8 * MiB + i * 100);
	vmemos_fsync(file, true);
}

static void fsync_unchanged(unsigned int i)
{
	(void)i;
	vmemos_fsync(file, true);
}

static void read_page(unsigned int i)
{
	vmemos_pread(file, page, BLOCK, (i % 64) * BLOCK);
}

static void borrow_page(unsigned int i)
{
	const void *addr;

	vmemos_borrow(file, (i % 64) * BLOCK, BLOCK, &addr);
	vmemos_give_back(file);
}

static void create(unsigned int i)
{
	char name[16];

	vmemos_format(name, sizeof(name), "c%u", i);
	vmemos_mknod(root, name, VMEMOS_S_IFREG | 0644, 0);
}

static void look_for_nothing(unsigned int i)
{
	struct vmemos_stat st;

	(void)i;
	vmemos_stat(root, "there-is-no-such-file", 0, &st);
}

static const struct operation {
	const char *name;
	void (*run)(unsigned int i);
	unsigned int figure, flushes;	/* of docs/libos.md */
	unsigned int copies;		/* of 4 KiB */
} operations[] = {
	{ "overwrite 4 KiB in place, fdatasync", overwrite, 1400, 1, 1 },
	{ "store 4 KiB at an address, persist", persist, 560, 1, 1 },
	{ "append 4 KiB, fdatasync", append_page, 8100, 1, 2 },
	{ "append 100 bytes, fdatasync", append_line, 3500, 1, 0 },
	{ "fdatasync of what did not change", fsync_unchanged, 90, 0, 0 },
	{ "read 4 KiB", read_page, 450, 0, 1 },
	{ "borrow 4 KiB and give it back", borrow_page, 470, 0, 0 },
	{ "create a file", create, 8000, 0, 0 },
	{ "look up a name that is not there", look_for_nothing, 1400, 0, 0 },
};

/* A libc on a processor without fast string instructions copies 4 KiB by some 300. */
static long limit(const struct operation *op)
{
	return (long)op->figure * 4 / 3 + 300l * op->copies;
}

/* ---- Counting ---- */

static void count_step(int signal, siginfo_t *info, void *context)
{
	greg_t rip = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

	(void)signal;
	(void)info;
	steps += rip != last_rip;
	last_rip = rip;
}

/* TF is bit 8 of the flags; a few instructions here are counted, too. */
static void trap_flag(bool on)
{
	if (on)
		__asm__ volatile("pushf; orq $0x100, (%%rsp); popf" : : : "memory", "cc");
	else
		__asm__ volatile("pushf; andq $~0x100, (%%rsp); popf" : : : "memory", "cc");
}

static int by_size(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return (x > y) - (x < y);
}

static bool measure(const struct operation *op, bool check)
{
	long counted[ROUNDS], flushed[ROUNDS];
	unsigned int round;
	bool good;

	for (round = 0; round < WARM_UP; round++)
		op->run(round);
	for (round = 0; round < ROUNDS; round++) {
		steps = 0;
		flushes = 0;
		trap_flag(true);
		op->run(WARM_UP + round);
		trap_flag(false);
		counted[round] = (long)steps;
		flushed[round] = (long)flushes;
	}
	qsort(counted, ROUNDS, sizeof(counted[0]), by_size);
	qsort(flushed, ROUNDS, sizeof(flushed[0]), by_size);
	good = counted[ROUNDS / 2] <= limit(op) && flushed[ROUNDS / 2] == op->flushes;
	if (check)
		vmemos_printf(platform, "%s - %s: %ld instructions, at most %ld; %ld host flushes\n",
			      good ? "ok" : "not ok", op->name, counted[ROUNDS / 2], limit(op),
			      flushed[ROUNDS / 2]);
	else
		vmemos_printf(platform, "%6ld instructions, %ld host flushes: %s\n",
			      counted[ROUNDS / 2], flushed[ROUNDS / 2], op->name);
	return good;
}

/* ---- The store ---- */

static int start(struct vmemos_platform *machine)
{
	if (vmemos_mount(machine, NULL, &fs))
		return 1;
	root = vmemos_root(fs);
	return vmemos_open(root, "f", VMEMOS_O_RDWR | VMEMOS_O_CREAT, 0644, &file);
}

/* Mapped files do not ride in the log; what is measured next is not mapped. */
static int unmap(struct vmemos_platform *machine)
{
	vmemos_release(&area);
	vmemos_close(file);
	vmemos_umount(fs);
	return start(machine);
}

int vmemos_main(struct vmemos_platform *p, int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = count_step, .sa_flags = SA_SIGINFO };
	bool check = argc > 0 && !strcmp(argv[0], "check"), good = true;
	struct vmemos_platform machine = *p;
	unsigned int i;

	machine.flush = count_flush;
	/* As in a unikernel without threads. */
	machine.lock_new = NULL;
	machine.lock_free = NULL;
	machine.lock = machine.unlock = NULL;
	machine.lock_shared = machine.unlock_shared = NULL;
	platform = p;
	sigaction(SIGTRAP, &action, NULL);
	if (start(&machine) || vmemos_layout(file, 0, MiB) ||
	    vmemos_acquire(file, 0, MiB, VMEMOS_WHOLE, &area) || vmemos_fsync(file, false))
		return 1;
	for (i = 0; i < NR(operations); i++) {
		if (operations[i].run == append_page && unmap(&machine))
			return 1;
		good &= measure(&operations[i], check);
	}
	vmemos_close(file);
	vmemos_umount(fs);
	return check && !good;
}
