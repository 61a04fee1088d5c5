// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * process.c - system calls on time, identity, limits and signals
 *
 * One process, number 1, of root, that nobody sends signals to but itself.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <linux/futex.h>
#include <linux/random.h>
#include <linux/resource.h>
#include <linux/signal.h>
#include <linux/sysinfo.h>
#include <linux/time.h>
#include <linux/utsname.h>

#include "loader.h"

#define MSR_FS_BASE	0xc0000100
#define SECOND		1000000000ull
#define NR_SIGNALS	65
#define DEFAULT_IGNORED	(BIT(SIGCHLD) | BIT(SIGCONT) | BIT(SIGURG) | BIT(SIGWINCH))

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

int64_t wait_end(const struct timespec *t, bool absolute, bool wall, uint64_t *end)
{
	uint64_t now = clock_monotonic(), boot = (uint64_t)machine.now(&machine) - now;

	*end = UINT64_MAX;
	if (!t)
		return 0;
	if (!user_memory((uint64_t)t, sizeof(*t), false))
		return -EFAULT;
	if (t->tv_sec < 0 || (uint64_t)t->tv_nsec >= SECOND)
		return -EINVAL;
	*end = MIN((uint64_t)t->tv_sec, INT64_MAX / SECOND) * SECOND + (uint64_t)t->tv_nsec;
	if (!absolute)
		*end += now;
	else if (wall)
		*end = MAX(*end, boot) - boot;
	return 0;
}

int64_t wait_until(uint64_t end, const char *what)
{
	if (end == UINT64_MAX) {
		say("vmemos: deadlock: the program waits for ever %s, and has no other thread\n", what);
		program_exit(128 + SIGABRT);
	}
	while (clock_monotonic() < end)
		__asm__ volatile("pause");
	return 0;
}

SYSCALL(clock_nanosleep)
{
	bool wall = a[0] == CLOCK_REALTIME || a[0] == CLOCK_TAI;
	uint64_t end;
	int64_t err = !a[2] ? -EFAULT : a[0] > CLOCK_TAI ? -EINVAL :
		      wait_end((const struct timespec *)a[2], a[1] & TIMER_ABSTIME, wall, &end);

	return err ? err : wait_until(end, "asleep");
}

/* Ticks of a hundredth of a second: of this process, of children that were not. */
SYSCALL(times)
{
	const uint64_t now = clock_monotonic() / (SECOND / 100), t[4] = { now };
	int64_t err = put_if_wanted(a[0], t, sizeof(t));

	return err ? err : (int64_t)now;
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

/* Where there is no RDRAND there is nothing that nobody can guess: say so, as before Linux is seeded. */
SYSCALL(getrandom)
{
	if (a[2] & ~(uint64_t)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
	    (a[2] & GRND_RANDOM && a[2] & GRND_INSECURE))
		return -EINVAL;
	if (!cpu.rdrand && !(a[2] & GRND_INSECURE))
		return a[2] & GRND_NONBLOCK ? -EAGAIN : -ENOSYS;
	machine.random(&machine, (void *)a[0], a[1]);
	return (int64_t)a[1];
}

/* That of descriptors holds (fd.c); the others are remembered. */
static uint64_t limits[RLIM_NLIMITS][2] = {
	[RLIMIT_CPU ... RLIMIT_DATA] = { UINT64_MAX, UINT64_MAX },
	[RLIMIT_STACK] = { STACK_SIZE, UINT64_MAX },
	[RLIMIT_CORE ... RLIMIT_NPROC] = { UINT64_MAX, UINT64_MAX },
	[RLIMIT_NOFILE] = { MAX_FDS, MAX_FDS },
	[RLIMIT_MEMLOCK ... RLIM_NLIMITS - 1] = { UINT64_MAX, UINT64_MAX },
};

SYSCALL(prlimit64)
{
	const uint64_t which = a[1], *set = (const uint64_t *)a[2];
	int64_t err;

	if (a[0] > 1 || which >= RLIM_NLIMITS)
		return a[0] > 1 ? -ESRCH : -EINVAL;
	if (set && !user_memory(a[2], sizeof(limits[0]), false))
		return -EFAULT;
	const uint64_t new[2] = { set ? set[0] : 0, set ? set[1] : 0 };
	if (new[0] > new[1] || (which == RLIMIT_NOFILE && new[1] > MAX_FDS))
		return new[0] > new[1] ? -EINVAL : -EPERM;
	err = put_if_wanted(a[3], limits[which], sizeof(limits[0]));
	if (err || !set)
		return err;
	memcpy(limits[which], new, sizeof(new));
	max_fds = limits[RLIMIT_NOFILE][0];
	return 0;
}

/* There is nobody but root. */
SYSCALL(set_ids)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		if ((uint32_t)a[i] && (uint32_t)a[i] != UINT32_MAX)
			return -EINVAL;
	return 0;
}

SYSCALL(setgroups) { return a[0] ? -EPERM : 0; }
SYSCALL(getpgid) { return a[0] > 1 ? -ESRCH : 1; }
SYSCALL(setpgid) { return a[0] > 1 ? -ESRCH : a[1] > 1 ? -EPERM : 0; }
SYSCALL(no_child) { (void)a; return -ECHILD; }
SYSCALL(no_network) { (void)a; return -EAFNOSUPPORT; }

SYSCALL(sched_getaffinity)
{
	static const uint64_t one_cpu = 1;
	int64_t err = a[0] > 1 ? -ESRCH : a[1] < 8 || a[1] % 8 ? -EINVAL :
		      put(a[2], &one_cpu, sizeof(one_cpu));

	return err ? err : (int64_t)sizeof(one_cpu);
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

/* With one thread nobody ever wakes a waiter: it waits for its timeout. */
static int64_t futex_wait(const uint64_t *a, bool bitset)
{
	const bool wall = a[1] & FUTEX_CLOCK_REALTIME;
	uint64_t end;
	int64_t err = wait_end((const struct timespec *)a[3], bitset, wall, &end);

	if (err || (bitset && !(uint32_t)a[5]) || a[0] % 4)
		return err ? err : -EINVAL;
	if (!user_memory(a[0], 4, false))
		return -EFAULT;
	if (*(const uint32_t *)a[0] != (uint32_t)a[2])
		return -EAGAIN;
	wait_until(end, "for a lock or another thread");
	return -ETIMEDOUT;
}

SYSCALL(futex)
{
	const bool wall = a[1] & FUTEX_CLOCK_REALTIME;

	switch (a[1] & (uint32_t)FUTEX_CMD_MASK) {
	case FUTEX_WAIT:
		return wall ? -ENOSYS : futex_wait(a, false);
	case FUTEX_WAIT_BITSET:
		return futex_wait(a, true);
	case FUTEX_CMP_REQUEUE:
		if (a[0] % 4 || !user_memory(a[0], 4, false))
			return a[0] % 4 ? -EINVAL : -EFAULT;
		return *(const uint32_t *)a[0] == (uint32_t)a[5] ? 0 : -EAGAIN;
	case FUTEX_WAKE: case FUTEX_WAKE_BITSET: case FUTEX_REQUEUE:
		return a[0] % 4 || wall ? (wall ? -ENOSYS : -EINVAL) : 0;
	default:
		return -ENOSYS;		/* libc asks so for locks that inherit priorities */
	}
}

/*
 * ---- Signals: remembered, delivered to no handler; the default actions hold ----
 *
 * A signal that is blocked stays pending until it is let in, or fetched.
 */

#define BIT(nr)		(1ull << ((nr) - 1))
#define UNBLOCKABLE	(BIT(SIGKILL) | BIT(SIGSTOP))

static struct sigaction actions[NR_SIGNALS];
static uint64_t blocked, pending;

static bool is_ignored(uint64_t nr)
{
	return actions[nr].sa_handler == SIG_IGN ||
	       (actions[nr].sa_handler == SIG_DFL && DEFAULT_IGNORED & BIT(nr));
}

/* Let in what is pending and not blocked. */
static void deliver(void)
{
	uint64_t nr, now = pending & ~blocked;

	pending &= blocked;
	for (nr = 1; nr < NR_SIGNALS; nr++) {
		if (!(now & BIT(nr)) || is_ignored(nr))
			continue;
		say("vmemos: the program ended itself by signal %lu\n", nr);
		program_exit(128 + (int)nr);
	}
}

SYSCALL(rt_sigaction)
{
	struct sigaction old;

	if (a[0] == 0 || a[0] >= NR_SIGNALS || a[3] != sizeof(uint64_t) ||
	    (a[1] && UNBLOCKABLE & BIT(a[0])))
		return -EINVAL;
	old = actions[a[0]];
	if (a[1] && !user_memory(a[1], sizeof(old), false))
		return -EFAULT;
	if (a[1])
		memcpy(&actions[a[0]], (const void *)a[1], sizeof(old));
	if (a[1] && is_ignored(a[0]))
		pending &= ~BIT(a[0]);
	return put_if_wanted(a[2], &old, sizeof(old));
}

SYSCALL(rt_sigprocmask)
{
	const uint64_t old = blocked;
	uint64_t set;

	if (a[3] != sizeof(set) || (a[1] && a[0] > SIG_SETMASK))
		return -EINVAL;
	if (a[1] && !user_memory(a[1], sizeof(set), false))
		return -EFAULT;
	if (a[1]) {
		set = *(const uint64_t *)a[1];
		blocked = a[0] == SIG_BLOCK ? blocked | set :
			  a[0] == SIG_UNBLOCK ? blocked & ~set : set;
		blocked &= ~UNBLOCKABLE;
	}
	deliver();
	return put_if_wanted(a[2], &old, sizeof(old));
}

SYSCALL(rt_sigpending)
{
	return a[1] > sizeof(pending) ? -EINVAL : put(a[0], &pending, a[1]);
}

/* Take one of the set that is pending; nobody sends one meanwhile. */
SYSCALL(rt_sigtimedwait)
{
	siginfo_t info = { .si_code = SI_USER, .si_pid = 1 };
	uint64_t end, nr;
	int64_t err;

	if (a[3] != sizeof(uint64_t))
		return -EINVAL;
	if (!user_memory(a[0], sizeof(uint64_t), false))
		return -EFAULT;
	err = wait_end((const struct timespec *)a[2], false, false, &end);
	if (err)
		return err;
	for (nr = 1; nr < NR_SIGNALS; nr++) {
		if (!(pending & *(const uint64_t *)a[0] & BIT(nr)))
			continue;
		pending &= ~BIT(nr);
		info.si_signo = (int)nr;
		err = put_if_wanted(a[1], &info, sizeof(info));
		return err ? err : (int64_t)nr;
	}
	wait_until(end, "for a signal");
	return -EAGAIN;
}

SYSCALL(pause) { (void)a; return wait_until(UINT64_MAX, "for a signal"); }

SYSCALL(rt_sigsuspend)
{
	if (a[1] != sizeof(blocked))
		return -EINVAL;
	if (!user_memory(a[0], sizeof(blocked), false))
		return -EFAULT;
	blocked = *(const uint64_t *)a[0] & ~UNBLOCKABLE;
	deliver();
	return sys_pause(a);
}

SYSCALL(kill)
{
	const uint64_t nr = a[1];

	if (nr >= NR_SIGNALS)
		return -EINVAL;
	if ((int32_t)a[0] != 0 && (int32_t)a[0] != 1)
		return -ESRCH;	/* no other process, and -1 means all others */
	if (nr)
		pending |= BIT(nr);	/* while it is blocked, though it be ignored */
	deliver();
	return 0;
}

/* Of a thread: 0 and below are no numbers of one. */
SYSCALL(tkill)
{
	return (int32_t)a[0] <= 0 ? -EINVAL : sys_kill(a);
}

SYSCALL(tgkill)
{
	return (int32_t)a[0] <= 0 ? -EINVAL : (int32_t)a[0] != 1 ? -ESRCH : sys_tkill(a + 1);
}

/* Remembered, as handlers are. */
SYSCALL(sigaltstack)
{
	static stack_t now = { .ss_flags = SS_DISABLE };
	stack_t old = now, set;

	if (a[0]) {
		if (!user_memory(a[0], sizeof(set), false))
			return -EFAULT;
		memcpy(&set, (const void *)a[0], sizeof(set));
		if (set.ss_flags & ~(SS_DISABLE | SS_ONSTACK | (int)SS_AUTODISARM))
			return -EINVAL;
		if (!(set.ss_flags & SS_DISABLE) && set.ss_size < MINSIGSTKSZ)
			return -ENOMEM;
		now = set.ss_flags & SS_DISABLE ? (stack_t){ .ss_flags = SS_DISABLE } : set;
	}
	return put_if_wanted(a[1], &old, sizeof(old));
}

SYSCALL(exit_group) { program_exit((int)a[0] & 0xff); }
