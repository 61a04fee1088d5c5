// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * aslinux.c - what system calls answer, a line for each
 *
 * The test runs it on the loader and on Linux: the lines must be the same, so
 * Linux itself says what is right.  Nothing here depends on who runs it, on
 * process numbers, or on the kind of file system.
 *
 *	aslinux			in an empty directory
 *	aslinux forever		wait for what nobody will do
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define BAD ((void *)0x123456789000)

static void line(const char *what, long result)
{
	printf("%s = %ld%s%s\n", what, result, result == -1 ? " " : "",
	       result == -1 ? strerrorname_np(errno) : "");
}

#define L(expr) (errno = 0, line(#expr, (long)(expr)))
/* Of functions that return the error. */
#define E(expr) do { \
	int err_ = (expr); \
	printf("%s = %s\n", #expr, err_ ? strerrorname_np(err_) : "0"); \
} while (0)

static struct timespec from_now(clockid_t clock, long ms)
{
	struct timespec t;

	clock_gettime(clock, &t);
	t.tv_nsec += ms * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

/* ---- Waits that end by their timeout, and not before ---- */

static struct timespec began;

static void begin(void)
{
	clock_gettime(CLOCK_MONOTONIC, &began);
}

static int lasted(long ms)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - began.tv_sec) * 1000000000l + now.tv_nsec - began.tv_nsec >= ms * 1000000;
}

/* The wall clock of the machine is not this one's: 25 ms are 20 by any. */
static void libc_waits(void)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
	pthread_cond_t cond = PTHREAD_COND_INITIALIZER, monotonic;
	pthread_condattr_t attr;
	struct timespec end;
	sem_t sem;

	sem_init(&sem, 0, 1);
	begin();
	end = from_now(CLOCK_REALTIME, 25);
	L(sem_timedwait(&sem, &end));
	L(sem_timedwait(&sem, &end));
	L(lasted(20));
	pthread_mutex_lock(&mutex);
	begin();
	end = from_now(CLOCK_REALTIME, 25);
	E(pthread_mutex_timedlock(&mutex, &end));
	L(lasted(20));
	begin();
	end = from_now(CLOCK_REALTIME, 25);
	E(pthread_cond_timedwait(&cond, &mutex, &end));
	L(lasted(20));
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&monotonic, &attr);
	begin();
	end = from_now(CLOCK_MONOTONIC, 25);
	E(pthread_cond_timedwait(&monotonic, &mutex, &end));
	L(lasted(25));
	pthread_rwlock_rdlock(&rwlock);
	begin();
	end = from_now(CLOCK_REALTIME, 25);
	E(pthread_rwlock_timedwrlock(&rwlock, &end));
	L(lasted(20));
}

static long futex(uint32_t *word, int op, uint32_t value, const struct timespec *t, uint32_t value3)
{
	return syscall(SYS_futex, word, op, value, t, NULL, value3);
}

static void futex_waits(void)
{
	static const struct timespec past = { 1, 0 }, bad = { 0, 1000000000 }, nap = { 0, 25000000 };
	static uint32_t words[2] = { 5, 5 };
	struct timespec end;

	begin();
	L(futex(words, FUTEX_WAIT, 5, &nap, 0));
	L(lasted(25));
	L(futex(words, FUTEX_WAIT_PRIVATE, 4, &nap, 0));
	L(futex(words, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 5, &nap, 0));
	begin();
	end = from_now(CLOCK_MONOTONIC, 25);
	L(futex(words, FUTEX_WAIT_BITSET, 5, &end, ~0u));
	L(lasted(25));
	begin();
	end = from_now(CLOCK_REALTIME, 25);
	L(futex(words, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 5, &end, ~0u));
	L(lasted(20));
	L(futex(words, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 5, &past, ~0u));
	L(futex(words, FUTEX_WAIT_BITSET, 5, &past, ~0u));
	L(futex(words, FUTEX_WAIT_BITSET, 5, &past, 0));
	L(futex(words, FUTEX_WAIT, 5, &bad, 0));
	L(futex(words, FUTEX_WAIT, 5, BAD, 0));
	L(futex((uint32_t *)((char *)words + 1), FUTEX_WAIT, 5, &nap, 0));
	L(futex(words, FUTEX_WAKE, 1, NULL, 0));
	L(syscall(SYS_futex, words, FUTEX_CMP_REQUEUE, 1, 1L, words + 1, 4));
	L(syscall(SYS_futex, words, FUTEX_CMP_REQUEUE, 1, 1L, words + 1, 5));
	L(futex(words, 77, 1, NULL, 0));
}

/* Files are ready always; without a descriptor it is a sleep. */
static void selects(void)
{
	const struct timespec nap = { 0, 25000000 }, bad = { 0, 1000000000 };
	struct timeval short_nap = { 0, 25000 }, before = { -1, 0 };
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	struct pollfd p[2] = { { fd, POLLIN | POLLOUT, 0 }, { -1, POLLIN, 0 } };
	fd_set r, w, x;

	FD_ZERO(&r);
	FD_SET(fd, &r);
	w = x = r;
	L(select(fd + 1, &r, &w, &x, NULL));
	L(FD_ISSET(fd, &r) && FD_ISSET(fd, &w) && !FD_ISSET(fd, &x));
	L(select(-1, &r, NULL, NULL, NULL));
	L(select(fd + 1, BAD, NULL, NULL, NULL));
	L(select(0, NULL, NULL, NULL, &before));
	begin();
	L(select(0, NULL, NULL, NULL, &short_nap));
	L(lasted(25));
	begin();
	FD_ZERO(&r);
	L(pselect(fd + 1, &r, NULL, NULL, &nap, NULL));
	L(lasted(25));
	L(pselect(0, NULL, NULL, NULL, &bad, NULL));
	FD_SET(fd, &r);
	L(pselect(fd + 1, &r, NULL, NULL, NULL, NULL));
	L(ppoll(p, 2, NULL, NULL));
	L(p[0].revents == (POLLIN | POLLOUT) && !p[1].revents);
	begin();
	L(ppoll(p + 1, 1, &nap, NULL));
	L(lasted(25));
	L(close(fd) | unlink("f"));
	L(select(fd + 1, &r, NULL, NULL, NULL));
	L(poll(p, 1, -1));
	L(p[0].revents == POLLNVAL);
	L(sync_file_range(-1, 0, 0, 0));
}

/* ---- Signals ---- */

static int is_pending(int nr)
{
	sigset_t set;

	return sigpending(&set) ? -1 : sigismember(&set, nr);
}

static void blocked_signals_wait(void)
{
	static const struct timespec nap = { 0, 25000000 };
	siginfo_t info = { 0 };
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGKILL);
	L(sigprocmask(SIG_BLOCK, &set, NULL));
	L(sigprocmask(SIG_BLOCK, NULL, &old));
	L(sigismember(&old, SIGTERM));
	L(sigismember(&old, SIGKILL));
	L(kill(getpid(), SIGTERM));
	L(is_pending(SIGTERM));
	L(sigtimedwait(&set, &info, &nap));
	L(info.si_signo);
	L(is_pending(SIGTERM));
	begin();
	L(sigtimedwait(&set, &info, &nap));
	L(lasted(25));
	L(raise(SIGCHLD));		/* ignored by default, but blocked */
	L(is_pending(SIGCHLD));
	L(raise(SIGTERM));
	L(signal(SIGTERM, SIG_IGN) == SIG_DFL);
	L(is_pending(SIGTERM));		/* to ignore it is to drop it */
	L(raise(SIGTERM));
	L(is_pending(SIGTERM));
	L(sigprocmask(SIG_UNBLOCK, &set, NULL));
	L(is_pending(SIGTERM));
	L(is_pending(SIGCHLD));
	L(raise(SIGTERM));
	L(raise(SIGWINCH));
}

static void bad_signals(void)
{
	stack_t small = { .ss_sp = BAD, .ss_size = 100 }, good = { .ss_sp = BAD, .ss_size = 65536 }, now;
	struct sigaction action = { .sa_handler = SIG_IGN };
	sigset_t set;

	sigemptyset(&set);
	L(sigprocmask(77, &set, NULL));
	L(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4));
	L(syscall(SYS_rt_sigprocmask, SIG_BLOCK, BAD, NULL, 8));
	L(syscall(SYS_rt_sigaction, SIGKILL, &action, NULL, 8));
	L(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8));
	L(syscall(SYS_rt_sigpending, BAD, 8));
	L(kill(getpid(), 65));
	L(kill(getpid(), 0));
	L(kill(0x7ffffffe, 0));
	L(syscall(SYS_tkill, 0, SIGTERM));
	L(syscall(SYS_tgkill, getpid(), -1, SIGTERM));
	L(syscall(SYS_tgkill, 0x7ffffffe, 0x7ffffffe, 0));
	L(sigaltstack(&small, NULL));
	L(sigaltstack(&good, NULL));
	L(sigaltstack(NULL, &now));
	L(now.ss_sp == BAD && now.ss_size == 65536 && now.ss_flags == 0);
	good.ss_flags = SS_DISABLE;
	L(sigaltstack(&good, &now));
	L(sigaltstack(NULL, &now));
	L(now.ss_flags == SS_DISABLE);
}

/* ---- Files ---- */

static char *map_holes(const char *name, long pages, int prot, int *fd)
{
	*fd = open(name, O_RDWR | O_CREAT, 0644);
	if (*fd < 0 || ftruncate(*fd, pages * PAGE))
		return MAP_FAILED;
	return mmap(NULL, (size_t)pages * PAGE, prot, MAP_SHARED, *fd, 0);
}

static long blocks(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -1 : (long)st.st_blocks;
}

static long sum(const char *p, long pages)
{
	long total = 0, i;

	for (i = 0; i < pages; i++)
		total += p[i * PAGE];
	return total;
}

static void sparse_maps_stay_sparse(void)
{
	int fd, other;
	char *p = map_holes("holes", 4096, PROT_READ | PROT_WRITE, &fd);
	char *q = map_holes("holes", 4096, PROT_READ, &other);
	char c = 0;

	L(sum(p, 4096));
	L(sum(q, 4096));
	L(blocks(fd));
	L(pwrite(fd, p + 300 * PAGE, 10, 0) == 10 && blocks(fd) < 16384);	/* the kernel looks, too */
	L(sum(q, 4096));			/* the holes are mapped again */
	p[1000 * PAGE] = 'x';
	L(q[1000 * PAGE]);
	L(pread(fd, &c, 1, 1000 * PAGE) == 1 && c == 'x');
	L(pread(fd, p + 1001 * PAGE, 1, 1000 * PAGE));	/* the kernel stores, too */
	L(q[1001 * PAGE]);
	L(sum(p, 4096) == 2 * 'x' && sum(q, 4096) == 2 * 'x');
	L(blocks(fd) > 0 && blocks(fd) < 16384);
	L(mprotect(p, 4096 * PAGE, PROT_READ));
	L(mprotect(p, 4096 * PAGE, PROT_READ | PROT_WRITE));
	p[1002 * PAGE] = 'x';
	L(sum(q, 4096) == 3 * 'x');
	L(munmap(p, 4096 * PAGE) | munmap(q, 4096 * PAGE) | close(fd) | close(other) | unlink("holes"));
}

/* Bytes of the file, as a number. */
static unsigned long contents(int fd)
{
	static unsigned char bytes[32 * PAGE];
	unsigned long sum = 0;
	ssize_t n = pread(fd, bytes, sizeof(bytes), 0), i;

	for (i = 0; i < n; i++)
		sum = sum * 31 + bytes[i];
	return sum + (unsigned long)n;
}

static void allocation_modes(int fd)
{
	static const struct { int mode; off_t off, len; } calls[] = {
		{ FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, PAGE },
		{ FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4 * PAGE + 100, 2 * PAGE },
		{ FALLOC_FL_PUNCH_HOLE, 0, PAGE },
		{ FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, PAGE },
		{ FALLOC_FL_KEEP_SIZE, 10 * PAGE, 10 * PAGE },
		{ 0, 10 * PAGE, 100 },
		{ 0x1000, 0, PAGE },
		{ 0, 0x7fffffffffffffffll, 0x7fffffffffffffffll },
	};
	unsigned char *p;
	size_t i;

	for (i = 0; i < 8; i++)
		L(pwrite(fd, "some of the bytes", 17, (off_t)i * PAGE + 77));
	p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	L(p == MAP_FAILED);
	p[5 * PAGE] = 'm';
	p[7 * PAGE] = 'n';
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		L(fallocate(fd, calls[i].mode, calls[i].off, calls[i].len));
		L(contents(fd));
		L(p[PAGE + 77] + p[5 * PAGE] + p[7 * PAGE]);
	}
	p[5 * PAGE] = 'o';
	L(contents(fd));
	L(munmap(p, 8 * PAGE));
	L(fallocate(0, 0x1000, 0, 10));
	L(ftruncate(fd, 3 * PAGE));
}

static void allocation(void)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644), reader = open("f", O_RDONLY);
	char buf[8] = "xxxxxxx";
	struct stat st;

	L(write(fd, "data", 4));
	E(posix_fallocate(fd, 0, 3 * PAGE));
	L(fstat(fd, &st) | (st.st_size != 3 * PAGE));
	L(blocks(fd) >= 24);
	L(pread(fd, buf, 8, 0) == 8 && !memcmp(buf, "data\0\0\0\0", 8));
	E(posix_fallocate(fd, 0, 0));
	E(posix_fallocate(fd, -1, 10));
	E(posix_fallocate(reader, 0, 10));
	L(fallocate(reader, 0, 0, 10));
	L(fallocate(fd, 0, 0, 0));
	L(fallocate(-1, 0, 0, 10));
	allocation_modes(fd);
	L(flock(-1, LOCK_EX));
	E(posix_fadvise(-1, 0, 0, 0));
	L(flock(fd, LOCK_EX));
	L(close(fd) | close(reader));
}

static void attributes(void)
{
	static const struct timespec bad[2] = { { 1, 2000000000 }, { 1, 0 } };
	char buf[8];

	L(symlink("nowhere", "dangling"));
	L(syscall(SYS_faccessat2, AT_FDCWD, "dangling", F_OK, AT_SYMLINK_NOFOLLOW));
	L(syscall(SYS_faccessat2, AT_FDCWD, "dangling", F_OK, 0));
	L(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, AT_EACCESS));
	L(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, 0x8000));
	L(faccessat(AT_FDCWD, "f", R_OK, 0));
	L(utimensat(AT_FDCWD, "f", bad, 0));
	L(getxattr("nowhere", "user.x", buf, 8));
	L(lgetxattr("nowhere", "user.x", buf, 8));
	L(fgetxattr(-1, "user.x", buf, 8));
	L(setxattr("nowhere", "user.x", "v", 1, 0));
	L(listxattr("nowhere", buf, 8));
	L(getxattr(BAD, "user.x", buf, 8));
	L(unlink("dangling") | unlink("f"));
}

/* ---- Memory, limits, the rest ---- */

static void mappings(void)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;

	L(ftruncate(fd, PAGE));
	L(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | 0x2000000, fd, 0));
	L(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE, fd, 0) != MAP_FAILED);
	L(mlock(p, 4 * PAGE));
	L(munlock(p, 4 * PAGE));
	L(mlock(BAD, PAGE));
	L(madvise(p, 4 * PAGE, MADV_POPULATE_WRITE));
	L(madvise(BAD, PAGE, MADV_POPULATE_READ));
	q = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	L((uintptr_t)q < 1ull << 31);
	L(q[0]);
	L(close(fd) | unlink("f"));
}

static void limits_hold(void)
{
	struct rlimit old, few, now;

	L(getrlimit(RLIMIT_NOFILE, &old));
	few = (struct rlimit){ 20, old.rlim_max };
	L(setrlimit(RLIMIT_NOFILE, &few));
	L(getrlimit(RLIMIT_NOFILE, &now));
	L(now.rlim_cur);
	L(dup2(1, 19));
	L(dup2(1, 20));
	L(fcntl(1, F_DUPFD, 20));
	L(fcntl(1, F_DUPFD, 19));
	L(setrlimit(RLIMIT_NOFILE, &old));
	few = (struct rlimit){ 2, 1 };
	L(setrlimit(RLIMIT_CORE, &few));
	few = (struct rlimit){ 0, old.rlim_max };
	L(setrlimit(RLIMIT_CORE, &few));
	L(getrlimit(RLIMIT_CORE, &now));
	L(now.rlim_cur);
	L(getrlimit(99, &now));
	L(prlimit(0, RLIMIT_CORE, NULL, &now));
	L(prlimit(0x7ffffffe, RLIMIT_CORE, NULL, &now));
	L(close(19));
}

static void others(void)
{
	uint64_t word = 0;
	int status;

	L(waitpid(-1, &status, 0));
	L(waitid(P_ALL, 0, NULL, WEXITED));
	L(socket(77, SOCK_STREAM, 0));
	L(getrandom(&word, 8, 0x100));
	L(getrandom(&word, 8, GRND_RANDOM | GRND_INSECURE));
	L(getrandom(&word, 8, GRND_INSECURE));
	L(getrandom(BAD, 8, 0));
	L(syscall(SYS_sched_getaffinity, 0, 1, &word));
	L(getpgid(0x7ffffffe));
	L(setpgid(0x7ffffffe, 0));
}

static int wait_for_ever(void)
{
	sem_t sem;

	sem_init(&sem, 0, 0);
	puts("waiting");
	fflush(stdout);
	sem_wait(&sem);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "forever"))
		return wait_for_ever();
	libc_waits();
	futex_waits();
	selects();
	blocked_signals_wait();
	bad_signals();
	sparse_maps_stay_sparse();
	allocation();
	attributes();
	mappings();
	limits_hold();
	others();
	return 0;
}
