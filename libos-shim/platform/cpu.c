// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * cpu.c - features, clock, random numbers
 *
 * x86-64 gives SSE2 and a TSC; everything else is asked for.
 */
#include <cpuid.h>

#include "platform.h"

#define MSR_EFER	0xc0000080
#define EFER_NXE	(1u << 11)
#define CR4_OSXSAVE	(1ull << 18)

struct cpu cpu;

/* AVX and its kin work only when their registers are enabled; no one saves
 * them here, because the shim is compiled without vector registers. */
static void enable_xsave(void)
{
	uint32_t a, b, c, d;
	uint64_t cr4;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | CR4_OSXSAVE));
	__cpuid_count(13, 0, a, b, c, d);
	a &= (a & 0xe0) == 0xe0 ? 0xe7 : 0x07;	/* x87, SSE, AVX, and AVX-512 as a whole */
	__asm__ volatile("xsetbv" : : "a"(a), "d"(0), "c"(0));
}

/* RDRAND may be announced, and broken: it never succeeds then, or always says the same. */
static bool rdrand_works(void)
{
	uint64_t first, v = 0;
	unsigned int i;
	uint8_t ok;

	__asm__ volatile("rdrand %0" : "=r"(first) : : "cc");
	for (i = 0; i < 16; i++) {
		__asm__ volatile("rdrand %0; setc %1" : "=r"(v), "=q"(ok) : : "cc");
		if (ok && v != first)
			return true;
	}
	return false;
}

void cpu_init(void)
{
	uint32_t a, b, c, d, max;

	__cpuid(0, max, b, c, d);
	__cpuid(1, a, b, c, d);
	cpu.features_edx = d;
	cpu.rdrand = c >> 30 & 1 && rdrand_works();
	if (c >> 26 & 1 && max >= 13)
		enable_xsave();
	if (max >= 7) {
		__cpuid_count(7, 0, a, b, c, d);
		cpu.smap = b >> 20 & 1;
		cpu.clflushopt = b >> 23 & 1;
		cpu.clwb = b >> 24 & 1;
	}
	__cpuid(0x80000001, a, b, c, d);
	cpu.nx = d >> 20 & 1 ? PTE_NX : 0;
	cpu.phys_bits = 36;
	if (__get_cpuid(0x80000008, &a, &b, &c, &d))
		cpu.phys_bits = a & 0xff;
	if (cpu.nx)
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
}

/* ---- Clock: the TSC, against the interval timer; the date from the RTC ---- */

#define PIT_HZ		1193182u
#define PIT_CHANNEL0	0x40
#define PIT_COMMAND	0x43
#define RTC_INDEX	0x70
#define RTC_DATA	0x71
#define SECOND		1000000000ull

static uint64_t tsc_start, tsc_hz;
static int64_t wall_start;

static uint64_t number(const char *s)
{
	uint64_t n = 0;

	while (s && *s >= '0' && *s <= '9')
		n = n * 10 + (uint64_t)(*s++ - '0');
	return n;
}

/* A count of channel 0 with the TSC of the same moment. */
static uint16_t pit_read(uint64_t *tsc)
{
	uint16_t count;

	outb(PIT_COMMAND, 0);		/* latch */
	*tsc = rdtsc();
	count = inb(PIT_CHANNEL0);
	return (uint16_t)(count | inb(PIT_CHANNEL0) << 8);
}

/*
 * The median of five short runs: being preempted by the host in one of them
 * must not spoil the clock.  0: no timer answers.
 */
static uint64_t calibrate(void)
{
	uint64_t hz[5], t0, t1;
	unsigned int i, k, tries;
	uint16_t c0, ticks;

	outb(PIT_COMMAND, 0x34);	/* channel 0, rate generator, 65536 */
	outb(PIT_CHANNEL0, 0);
	outb(PIT_CHANNEL0, 0);
	for (i = 0; i < 5; i++) {
		c0 = pit_read(&t0);
		for (ticks = 0, tries = 0; ticks < PIT_HZ / 2000; tries++) {
			if (tries == 100000)
				return 0;
			ticks = (uint16_t)(c0 - pit_read(&t1));
		}
		t1 = (t1 - t0) * PIT_HZ / ticks;
		for (k = i; k > 0 && hz[k - 1] > t1; k--)
			hz[k] = hz[k - 1];
		hz[k] = t1;
	}
	return hz[2];
}

static unsigned int rtc_register(unsigned int i)
{
	outb(RTC_INDEX, (uint8_t)i);
	return inb(RTC_DATA);
}

/* Seconds since 1970, or 0 when there is no RTC. */
static uint64_t rtc_read(void)
{
	static const uint8_t registers[6] = { 0, 2, 4, 7, 8, 9 };
	unsigned int i, v[6], again, status = rtc_register(11);
	uint64_t days;

	if (status == 0xff)
		return 0;
	do {				/* a second may end in between */
		for (i = 0; i < 6; i++)
			v[i] = rtc_register(registers[i]);
		again = rtc_register(0) != v[0] || rtc_register(10) & 0x80;
	} while (again);
	for (i = 0; i < 6 && !(status & 4); i++)
		v[i] = (v[i] >> 4) * 10 + (v[i] & 15);
	/* The year begins in March; days from the civil calendar. */
	v[5] += v[4] <= 2 ? 1999 : 2000;
	days = v[5] * 365ull + v[5] / 4 - v[5] / 100 + v[5] / 400 +
	       ((v[4] + 9) % 12 * 153 + 2) / 5 + v[3] - 1 - 719468;
	return ((days * 24 + v[2]) * 60 + v[1]) * 60 + v[0];
}

void clock_init(void)
{
	uint64_t seconds = number(platform_option("time", NULL));

	tsc_hz = number(platform_option("tsc_khz", NULL)) * 1000;
	if (!tsc_hz)
		tsc_hz = calibrate();
	if (!tsc_hz)
		fatal("no interval timer answers: give tsc_khz=N on the command line");
	tsc_start = rdtsc();
	wall_start = (int64_t)((seconds ? seconds : rtc_read()) * SECOND);
}

static uint64_t ns_since(uint64_t tsc)
{
	uint64_t ticks = rdtsc() - tsc;

	return ticks / tsc_hz * SECOND + ticks % tsc_hz * SECOND / tsc_hz;
}

uint64_t clock_monotonic(void)
{
	return ns_since(tsc_start);
}

uint64_t clock_since_boot(void)
{
	return ns_since(boot_tsc);
}

int64_t clock_wall(struct vmemos_platform *p)
{
	(void)p;
	return wall_start + (int64_t)clock_monotonic();
}

/*
 * RDRAND, or else what the TSC has of it: enough to tell mounts apart, not for
 * keys.  The loader does not give the latter to a program as random numbers.
 */
void random_bytes(struct vmemos_platform *p, void *buf, size_t len)
{
	static uint64_t state;
	uint8_t *to = buf;
	uint64_t v = 0;
	size_t i;

	(void)p;
	for (i = 0; i < len; i++, v >>= 8) {
		if (i % 8 == 0) {
			state = (state + rdtsc()) * 0x9e3779b97f4a7c15ull;
			v = state ^ state >> 29;
			if (cpu.rdrand)
				__asm__ volatile("1: rdrand %0; jnc 1b" : "=r"(v));
		}
		to[i] = (uint8_t)v;
	}
}
