// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * process.c - system calls on time, identity, limits and signals
 *
 * One process, number 1, of root, that nobody sends signals to but itself.
 */
#include <asm/prctl.h>
#include <asm/signal.h>
#include <errno.h>
#include <linux/futex.h>
#include <linux/resource.h>
#include <linux/sysinfo.h>
#include <linux/time.h>
#include <linux/utsname.h>

#include "loader.h"

#define MSR_FS_BASE	0xc0000100
#define SECOND		1000000000ull
#define NR_SIGNALS	65
#define DEFAULT_IGNORED	(1ull << 17 | 1ull << 18 | 1ull << 23 | 1ull << 28) /* CHLD, CONT, URG, WINCH */

/* ---- Time ---- */

static int64_t put_time(uint64_t to, uint64_t ns, uint64_t unit)
{
	const uint64_t t[2] = { ns / SECOND, ns % SECOND / unit };

	return put_if_wanted(to, t, sizeof(t));
}

SYSCALL(clock_gettime)
{
	bool wall = a[0] == CLOCK_REALTIME || a[0] == CLOCK_REALTIME_COARSE || a[0] == CLOCK_TAI;

	if (a[0] > CLOCK_TAI)
		return -EINVAL;
	return put_time(a[1], wall ? (uint64_t)machine.now(&machine) : clock_monotonic(), 1);
}

SYSCALL(clock_getres) { return a[0] > CLOCK_TAI ? -EINVAL : put_time(a[1], 1, 1); }
SYSCALL(gettimeofday) { return put_time(a[0], (uint64_t)machine.now(&machine), 1000); }

SYSCALL(time)
{
	const int64_t now = machine.now(&machine) / (int64_t)SECOND;
	int64_t err = put_if_wanted(a[0], &now, sizeof(now));

	return err ? err : now;
}

int64_t sleep_until(uint64_t end)
{
	while (clock_monotonic() < end)
		__asm__ volatile("pause");
	return 0;
}

SYSCALL(clock_nanosleep)
{
	const uint64_t *t = (const uint64_t *)a[2];
	uint64_t end, boot, now = clock_monotonic();

	if (!user_memory(a[2], 16, false))
		return -EFAULT;
	if (a[0] > CLOCK_TAI || (int64_t)t[0] < 0 || t[1] >= SECOND)
		return -EINVAL;
	end = MIN(t[0], INT64_MAX / SECOND) * SECOND + t[1];
	boot = (uint64_t)machine.now(&machine) - now;
	if (!(a[1] & TIMER_ABSTIME))
		end += now;
	else if (a[0] == CLOCK_REALTIME || a[0] == CLOCK_TAI)
		end = MAX(end, boot) - boot;
	return sleep_until(end);
}

SYSCALL(getrusage)
{
	const uint64_t now = clock_monotonic();
	const struct rusage r = { .ru_utime = { (long)(now / SECOND), (long)(now % SECOND / 1000) },
				  .ru_maxrss = (long)(vm_counters.pages * 4) };

	return put(a[1], &r, sizeof(r));
}

/* ---- Identity and limits ---- */

SYSCALL(zero) { (void)a; return 0; }
SYSCALL(one) { (void)a; return 1; }

SYSCALL(uname)
{
	static const struct new_utsname names = {
		"Linux", "vmemos", "6.1.0", "libos-shim", "x86_64", "(none)"
	};

	return put(a[0], &names, sizeof(names));
}

SYSCALL(sysinfo)
{
	const struct sysinfo s = {
		.uptime = (long)(clock_monotonic() / SECOND), .totalram = pages_total,
		.freeram = pages_free, .procs = 1, .mem_unit = PAGE_SIZE,
	};

	return put(a[0], &s, sizeof(s));
}

SYSCALL(getrandom)
{
	machine.random(&machine, (void *)a[0], a[1]);
	return (int64_t)a[1];
}

SYSCALL(getrlimit)
{
	uint64_t limit[2] = { UINT64_MAX, UINT64_MAX };

	if (a[0] == RLIMIT_STACK)
		limit[0] = STACK_SIZE;
	if (a[0] == RLIMIT_NOFILE)
		limit[0] = limit[1] = MAX_FDS;
	return put_if_wanted(a[1], limit, sizeof(limit));
}

SYSCALL(arch_prctl)
{
	uint64_t base;

	switch (a[0]) {
	case ARCH_SET_FS:
		if (a[1] >= PROGRAM_TOP)
			return -EPERM;
		wrmsr(MSR_FS_BASE, a[1]);
		return 0;
	case ARCH_GET_FS:
		base = rdmsr(MSR_FS_BASE);
		return put(a[1], &base, sizeof(base));
	default:
		return -EINVAL;
	}
}

/* With one thread nobody will ever wake a waiter: say that it was woken. */
SYSCALL(futex)
{
	if (((int)a[1] & FUTEX_CMD_MASK) != FUTEX_WAIT)
		return 0;
	if (!user_memory(a[0], 4, false))
		return -EFAULT;
	return *(const uint32_t *)a[0] == (uint32_t)a[2] ? -EINTR : -EAGAIN;
}

/* ---- Signals: remembered, delivered to no handler; the default actions hold ---- */

static struct sigaction actions[NR_SIGNALS];
static uint64_t blocked;

SYSCALL(rt_sigaction)
{
	struct sigaction old;

	if (a[0] == 0 || a[0] >= NR_SIGNALS)
		return -EINVAL;
	old = actions[a[0]];
	if (a[1] && !user_memory(a[1], sizeof(old), false))
		return -EFAULT;
	if (a[1])
		memcpy(&actions[a[0]], (const void *)a[1], sizeof(old));
	return put_if_wanted(a[2], &old, sizeof(old));
}

SYSCALL(rt_sigprocmask)
{
	uint64_t old = blocked, set;

	if (a[1] && !user_memory(a[1], sizeof(set), false))
		return -EFAULT;
	set = a[1] ? *(const uint64_t *)a[1] : 0;
	if (a[1])
		blocked = a[0] == 0 ? blocked | set : a[0] == 1 ? blocked & ~set : set;
	return put_if_wanted(a[2], &old, sizeof(old));
}

SYSCALL(kill)
{
	const uint64_t pid = a[0], nr = a[1];

	if (pid > 1 && pid != ~0ull)
		return -EPERM;	/* no other process */
	if (nr >= NR_SIGNALS)
		return -EINVAL;
	if (nr == 0 || actions[nr].sa_handler == SIG_IGN || DEFAULT_IGNORED >> nr & 1)
		return 0;
	say("vmemos: the program ended itself by signal %lu\n", nr);
	program_exit(128 + (int)nr);
}

SYSCALL(exit_group) { program_exit((int)a[0] & 0xff); }
