// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * cost.c - what durability costs in instructions and host flushes
 *
 * A child works on the library and is single-stepped by its parent.  The
 * flush is replaced by one that only counts: what the host does then is
 * another matter.  Instructions of the copying are counted as well; one that
 * repeats itself (rep movs) counts once.
 *
 *	cost		prints a table
 *	cost check	TAP: the figures that docs/libos.md promises
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define WARM_UP	4	/* a file that is fsynced often is handled otherwise than the first time */
#define ROUNDS	5	/* the median counts: now and then a checkpoint falls into one */

struct shared {
	unsigned long flushes;
};

static struct shared *shared;
static uint8_t page[BLOCK];
static struct vmemos_file *file;
static struct vmemos_area area;

static int count_flush(struct vmemos_platform *p, const struct vmemos_range *r, unsigned int nr)
{
	(void)p;
	(void)r;
	(void)nr;
	shared->flushes++;
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
	vmemos_give_back(file, (i % 64) * BLOCK);
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
	unsigned int most, flushes;	/* what is promised */
} operations[] = {
	{ "overwrite 4 KiB in place, fdatasync", overwrite, 2500, 1 },
	{ "store 4 KiB at an address, persist", persist, 2000, 1 },
	{ "append 4 KiB, fdatasync", append_page, 20000, 1 },
	{ "append 100 bytes, fdatasync", append_line, 15000, 1 },
	{ "fdatasync of what did not change", fsync_unchanged, 300, 0 },
	{ "read 4 KiB", read_page, 1000, 0 },
	{ "borrow 4 KiB and give it back", borrow_page, 800, 0 },
	{ "create a file", create, 15000, 0 },
	{ "look up a name that is not there", look_for_nothing, 2500, 0 },
};

/* ---- The child ---- */

static void mark(void)
{
	__asm__ volatile("int3" : : : "memory");
}

static int work(struct vmemos_platform *p)
{
	struct vmemos_platform machine = *p;
	unsigned int i, round;

	machine.flush = count_flush;
	/* A unikernel without threads. */
	machine.lock_new = NULL;
	machine.lock_free = NULL;
	machine.lock = machine.unlock = NULL;
	machine.lock_shared = machine.unlock_shared = NULL;
	platform = &machine;
	if (vmemos_mount(&machine, NULL, &fs))
		return 1;
	root = vmemos_root(fs);
	if (vmemos_open(root, "f", VMEMOS_O_RDWR | VMEMOS_O_CREAT, 0644, &file) ||
	    vmemos_layout(file, 0, MiB) || vmemos_acquire(file, 0, MiB, VMEMOS_WHOLE, &area) ||
	    vmemos_fsync(file, false))
		return 1;
	for (i = 0; i < NR(operations); i++) {
		/* Mapped files do not ride in the log: only what stores there is measured so. */
		if (operations[i].run == append_page) {
			vmemos_release(&area);
			vmemos_close(file);
			vmemos_umount(fs);
			if (vmemos_mount(&machine, NULL, &fs))
				return 1;
			root = vmemos_root(fs);
			vmemos_open(root, "f", VMEMOS_O_RDWR, 0, &file);
		}
		for (round = 0; round < WARM_UP; round++)
			operations[i].run(round);
		for (; round < WARM_UP + ROUNDS; round++) {
			mark();
			operations[i].run(round);
			mark();
		}
	}
	return 0;
}

/* ---- The parent ---- */

/* Run to the next mark. */
static int run_to_mark(pid_t pid)
{
	int status;

	ptrace(PTRACE_CONT, pid, 0, 0);
	return waitpid(pid, &status, 0) == pid && WIFSTOPPED(status) &&
	       WSTOPSIG(status) == SIGTRAP ? 0 : -1;
}

/* Step to the next mark; the instructions on the way, or -1. */
static long step_to_mark(pid_t pid)
{
	unsigned long long last = 0;
	struct user_regs_struct regs;
	siginfo_t info;
	long n = 0;
	int status;

	for (;;) {
		if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) || waitpid(pid, &status, 0) != pid ||
		    !WIFSTOPPED(status))
			return -1;
		ptrace(PTRACE_GETSIGINFO, pid, 0, &info);
		if (info.si_code == SI_KERNEL)
			return n;
		ptrace(PTRACE_GETREGS, pid, 0, &regs);
		n += regs.rip != last;
		last = regs.rip;
	}
}

static int by_size(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return (x > y) - (x < y);
}

static int measure(struct vmemos_platform *p, pid_t pid, bool check)
{
	long steps[ROUNDS], flushes[ROUNDS];
	unsigned int i, round;
	int status = 0;

	for (i = 0; i < NR(operations); i++) {
		const struct operation *op = &operations[i];
		bool good;

		for (round = 0; round < ROUNDS; round++) {
			unsigned long before;

			if (run_to_mark(pid))
				return 1;
			before = shared->flushes;
			steps[round] = step_to_mark(pid);
			flushes[round] = (long)(shared->flushes - before);
			if (steps[round] < 0)
				return 1;
		}
		qsort(steps, ROUNDS, sizeof(steps[0]), by_size);
		qsort(flushes, ROUNDS, sizeof(flushes[0]), by_size);
		good = steps[ROUNDS / 2] <= op->most && flushes[ROUNDS / 2] == op->flushes;
		status |= !good;
		if (check)
			vmemos_printf(p, "%s - %s: %ld instructions, at most %u; %ld host flushes\n",
				      good ? "ok" : "not ok", op->name, steps[ROUNDS / 2], op->most,
				      flushes[ROUNDS / 2]);
		else
			vmemos_printf(p, "%-40s %6ld instructions, %ld host flushes\n", op->name,
				      steps[ROUNDS / 2], flushes[ROUNDS / 2]);
	}
	return check ? status : 0;
}

int vmemos_main(struct vmemos_platform *p, int argc, char **argv)
{
	int status, result;
	pid_t pid;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(work(p));
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) {
		vmemos_printf(p, "cannot trace a child\n");
		return 2;
	}
	result = measure(p, pid, argc > 0 && !strcmp(argv[0], "check"));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return result;
}
