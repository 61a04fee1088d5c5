// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * cost.c - instructions for a durable 4 KiB write, by the library's calls
 *
 *	cost guest|host
 *
 * To be run with -icount shift=0: then the TSC counts instructions.  (Each
 * word that a string instruction moves counts as one: 512 for the copy.)
 */
#include <string.h>

#include "vmemos.h"

#define PAGE	4096u
#define PAGES	16u
#define ROUNDS	100u

static char page[4 * PAGE];
static struct vmemos *fs;
static struct vmemos_file *file;
static struct vmemos_area area;

static uint64_t tsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

static int overwrite(unsigned int i)
{
	return vmemos_pwrite(file, page, PAGE, i % PAGES * PAGE) == PAGE ? 0 : -1;
}

static int overwrite_and_sync(unsigned int i)
{
	return overwrite(i) ? -1 : vmemos_fsync(file, true);
}

static int store_and_persist(unsigned int i)
{
	char *to = (char *)area.addr + i % PAGES * PAGE;

	memcpy(to, page, PAGE);
	return vmemos_persist(&area, to, PAGE);
}

static int append_and_sync(unsigned int i)
{
	return vmemos_pwrite(file, page, PAGE, (PAGES + i) * PAGE) == PAGE ?
		vmemos_fsync(file, true) : -1;
}

/* More than rides in a record: data, and a log that links it. */
static int append_16_and_sync(unsigned int i)
{
	return vmemos_pwrite(file, page, 4 * PAGE, (PAGES + ROUNDS + 4 * i) * PAGE) == 4 * PAGE ?
		vmemos_fsync(file, true) : -1;
}

static int measure(struct vmemos_platform *p, const char *what, int (*fn)(unsigned int i))
{
	struct vmemos_counters before, after;
	uint64_t start;
	unsigned int i;

	vmemos_get_counters(fs, &before);
	start = tsc();
	for (i = 0; i < ROUNDS; i++)
		if (fn(i))
			return 1;
	start = tsc() - start;
	vmemos_get_counters(fs, &after);
	vmemos_printf(p, "%s: %lu instructions, %lu exits per 100\n", what, start / ROUNDS,
		      after.flushes - before.flushes);
	return 0;
}

int vmemos_main(struct vmemos_platform *p, int argc, char **argv)
{
	struct vmemos_mount_opts opts = { .domain = VMEMOS_DOMAIN_HOST };
	unsigned int i;
	int bad = 0;

	if (argc > 0 && !strcmp(argv[0], "guest"))
		opts.domain = VMEMOS_DOMAIN_GUEST;
	if (vmemos_mount(p, &opts, &fs) ||
	    vmemos_open(vmemos_root(fs), "cost", VMEMOS_O_RDWR | VMEMOS_O_CREAT | VMEMOS_O_TRUNC,
			0644, &file))
		return 1;
	for (i = 0; i < PAGES; i++)
		bad |= overwrite(i);
	bad |= vmemos_fsync(file, false);
	bad |= measure(p, "pwrite of 4 KiB in place", overwrite);
	bad |= measure(p, "the same and fdatasync", overwrite_and_sync);
	bad |= measure(p, "4 KiB appended and fdatasync", append_and_sync);
	bad |= measure(p, "16 KiB appended and fdatasync", append_16_and_sync);
	bad |= vmemos_acquire(file, 0, PAGES * PAGE, VMEMOS_WHOLE, &area);
	bad |= measure(p, "4 KiB stored and persist", store_and_persist);
	bad |= vmemos_release(&area);
	bad |= vmemos_close(file);
	return vmemos_umount(fs) || bad;
}
