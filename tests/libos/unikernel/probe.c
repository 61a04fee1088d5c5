// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * probe.c - an ordinary static Linux program that looks at what the loader serves
 *
 *	probe			each property, as TAP; natively it must pass, too
 *	probe fault KIND	do something forbidden, in the function that is named
 *	probe ops N		N durable overwrites of 4 KiB
 *	probe mapped N		N stores, made durable, to a mapping that was read before
 *	probe names N		N files made and removed
 *	probe orphan		write an unlinked file, say so, and wait
 *	probe random MANY	random numbers are there, or (MANY is 0) nobody says so
 *	probe exhaust		use up all memory, then move a mapping: no page is lost
 */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define BAD ((void *)0x123456789000)
#define STORE ((void *)0x200000001000)	/* where the loader has the whole store mapped */

static const char *failed;

#define CHECK(expr) do { \
	if (!(expr)) { \
		static char text_[256]; \
		snprintf(text_, sizeof(text_), "line %d: %s (errno %d)", __LINE__, #expr, errno); \
		failed = text_; \
		return; \
	} \
} while (0)

static int new_file(const char *name, size_t size)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

	return fd < 0 || ftruncate(fd, (off_t)size) ? -1 : fd;
}

/* ---- Mappings of files ---- */

static void shared_stores_are_the_file(void)
{
	char buf[8];
	int fd = new_file("f", 10 * PAGE);
	char *p = mmap(NULL, 10 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 3 * PAGE);

	CHECK(p != MAP_FAILED && q != MAP_FAILED);
	memcpy(p + 3 * PAGE, "stored", 6);
	CHECK(!memcmp(q, "stored", 6));
	CHECK(pread(fd, buf, 6, 3 * PAGE) == 6 && !memcmp(buf, "stored", 6));
	CHECK(pwrite(fd, "WRITTEN", 7, 3 * PAGE) == 7);
	CHECK(!memcmp(p + 3 * PAGE, "WRITTEN", 7) && !memcmp(q, "WRITTEN", 7));
	CHECK(msync(p, 10 * PAGE, MS_SYNC) == 0);
	CHECK(close(fd) == 0);
	p[9 * PAGE] = 'x';		/* the mapping outlives the descriptor */
	CHECK(munmap(p, 10 * PAGE) == 0 && munmap(q, PAGE) == 0);
	fd = open("f", O_RDONLY);
	CHECK(pread(fd, buf, 1, 9 * PAGE) == 1 && buf[0] == 'x');
	CHECK(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EACCES);
	CHECK(close(fd) == 0 && unlink("f") == 0);
}

static void read_maps_see_later_writes_and_growth(void)
{
	int fd = new_file("f", 4 * PAGE);
	char *p = mmap(NULL, 64 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	struct stat st;

	CHECK(p != MAP_FAILED && p[PAGE] == 0);
	CHECK(fstat(fd, &st) == 0 && st.st_blocks == 0);	/* reading filled no hole */
	CHECK(pwrite(fd, "now", 3, PAGE) == 3 && !memcmp(p + PAGE, "now", 3));
	CHECK(pwrite(fd, "grown", 5, 40 * PAGE + 10) == 5 && !memcmp(p + 40 * PAGE + 10, "grown", 5));
	CHECK(p[39 * PAGE] == 0);
	CHECK(ftruncate(fd, 2 * PAGE) == 0 && !memcmp(p + PAGE, "now", 3));
	CHECK(ftruncate(fd, 41 * PAGE) == 0 && p[40 * PAGE + 10] == 0);
	CHECK(munmap(p, 64 * PAGE) == 0 && close(fd) == 0 && unlink("f") == 0);
}

static void private_maps_are_copies(void)
{
	char c;
	int fd = new_file("f", 2 * PAGE);
	char *p;

	CHECK(pwrite(fd, "A", 1, 0) == 1);
	p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED && p[0] == 'A');
	p[0] = 'B';
	CHECK(pread(fd, &c, 1, 0) == 1 && c == 'A');
	CHECK(munmap(p, 2 * PAGE) == 0 && close(fd) == 0 && unlink("f") == 0);
}

static void mapped_files_can_be_cut_and_unlinked(void)
{
	int fd = new_file("f", 8 * PAGE);
	char *p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(p != MAP_FAILED);
	memset(p, 'x', 8 * PAGE);
	CHECK(ftruncate(fd, PAGE + 100) == 0);
	CHECK(p[PAGE + 99] == 'x');
	CHECK(ftruncate(fd, 8 * PAGE) == 0);
	CHECK(p[PAGE + 99] == 'x' && p[PAGE + 100] == 0 && p[7 * PAGE] == 0);
	p[7 * PAGE] = 'y';
	CHECK(unlink("f") == 0 && p[7 * PAGE] == 'y' && close(fd) == 0 && p[7 * PAGE] == 'y');
	CHECK(munmap(p, 8 * PAGE) == 0);
}

static void parts_of_maps_can_go(void)
{
	int fd = new_file("f", 16 * PAGE);
	char *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *q, c;

	CHECK(p != MAP_FAILED);
	memset(p, 'a', 16 * PAGE);
	CHECK(munmap(p + 4 * PAGE, 4 * PAGE) == 0);
	p[3 * PAGE] = 'b';
	p[8 * PAGE] = 'c';
	CHECK(munmap(p, 4 * PAGE) == 0);
	q = mremap(p + 8 * PAGE, 8 * PAGE, 4 * PAGE, 0);
	CHECK(q == p + 8 * PAGE);
	q = mremap(q, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED && q[0] == 'c' && q[7 * PAGE] == 'a');
	CHECK(pread(fd, &c, 1, 3 * PAGE) == 1 && c == 'b');
	CHECK(munmap(q, 8 * PAGE) == 0 && close(fd) == 0 && unlink("f") == 0);
}

/* ---- Memory ---- */

static void anonymous_memory_is_zero_and_moves(void)
{
	char *p = mmap(NULL, 65 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *q;
	int i;

	CHECK(p != MAP_FAILED);
	for (i = 0; i < 64; i++) {
		CHECK(p[i * PAGE] == 0);
		p[i * PAGE] = (char)i;
	}
	CHECK(mprotect(p + PAGE, PAGE, PROT_NONE) == 0);
	CHECK(mprotect(p + PAGE, PAGE, PROT_READ) == 0 && p[PAGE] == 1);
	CHECK(mprotect(p, 64 * PAGE, PROT_READ | PROT_WRITE) == 0);
	CHECK(mprotect(p + 64 * PAGE, PAGE, PROT_READ) == 0);	/* in the way */
	q = mremap(p, 64 * PAGE, 256 * PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED);
	for (i = 0; i < 64; i++)
		CHECK(q[i * PAGE] == (char)i);
	CHECK(q[200 * PAGE] == 0);
	CHECK(madvise(q, PAGE, MADV_DONTNEED) == 0 && q[0] == 0);
	CHECK(munmap(q, 256 * PAGE) == 0 && munmap(p + 64 * PAGE, PAGE) == 0);
	for (i = 0; i < 2000; i++) {	/* memory comes back */
		p = mmap(NULL, 256 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(p != MAP_FAILED);
		p[(i % 256) * PAGE] = 1;
		CHECK(munmap(p, 256 * PAGE) == 0);
	}
	p = sbrk(0);
	CHECK(sbrk(100 * PAGE) == p && memset(p, 1, 100 * PAGE) && sbrk(-100 * PAGE));
	CHECK(sbrk(PAGE) == p && p[0] == 0);
}

/* A system call may change rax, rcx and r11, and nothing below the stack pointer. */
static void calls_keep_registers_and_the_red_zone(void)
{
	uint64_t bad = 0;

	__asm__ volatile(
		"mov $0x1122334455667788, %%r8; movq %%r8, %%xmm0; movq %%r8, %%xmm15\n"
		"mov %%r8, -8(%%rsp); mov %%r8, -128(%%rsp)\n"
		"mov $1, %%rdi; mov $2, %%rsi; mov $3, %%rdx; mov $4, %%r10; mov $5, %%r9\n"
		"std; mov %1, %%eax; syscall; pushfq; pop %%rcx; cld\n"
		"sub $1, %%rdi; sub $2, %%rsi; sub $3, %%rdx; sub $4, %%r10; sub $5, %%r9\n"
		"or %%rdi, %0; or %%rsi, %0; or %%rdx, %0; or %%r10, %0; or %%r9, %0\n"
		"xor $0x400, %%rcx; and $0x400, %%rcx; or %%rcx, %0\n"	/* DF is kept */
		"movq %%xmm0, %%rcx; xor %%r8, %%rcx; or %%rcx, %0\n"
		"movq %%xmm15, %%rcx; xor %%r8, %%rcx; or %%rcx, %0\n"
		"mov -128(%%rsp), %%rcx; xor %%r8, %%rcx; or %%rcx, %0\n"
		: "+&b"(bad) : "i"(SYS_getpid)
		: "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm0", "xmm15", "memory", "cc");
	CHECK(bad == 0);
}

/* A program may have the direction flag set; whoever copies for it must not. */
static void calls_copy_forwards(void)
{
	static struct utsname names[3];
	long result;

	__asm__ volatile("std; syscall; cld" : "=a"(result)
			 : "a"(SYS_uname), "D"(&names[1]) : "rcx", "r11", "memory", "cc");
	CHECK(result == 0 && !strcmp(names[1].sysname, "Linux"));
	CHECK(!strcmp(names[1].machine, "x86_64") && !names[0].machine[0]);
}

/* ---- Files ---- */

static void files_behave(void)
{
	struct iovec iov[2] = { { "ab", 2 }, { "cde", 3 } };
	char buf[16] = "";
	struct stat st;
	int fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0600), other;

	CHECK(fd >= 0 && open("f", O_CREAT | O_EXCL, 0600) < 0 && errno == EEXIST);
	CHECK(writev(fd, iov, 2) == 5);
	other = dup(fd);
	CHECK(lseek(other, 0, SEEK_CUR) == 5 && lseek(fd, 1, SEEK_SET) == 1);
	CHECK(read(other, buf, 10) == 4 && !memcmp(buf, "bcde", 4));	/* one position */
	CHECK(fcntl(fd, F_SETFL, O_APPEND) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	CHECK(write(fd, "!", 1) == 1 && fstat(fd, &st) == 0 && st.st_size == 6);
	CHECK(dup2(fd, 100) == 100 && close(fd) == 0 && close(other) == 0);
	CHECK(pread(100, buf, 16, 0) == 6 && !memcmp(buf, "abcde!", 6));
	CHECK(link("f", "g") == 0 && rename("f", "h") == 0 && symlink("h", "s") == 0);
	CHECK(stat("s", &st) == 0 && st.st_nlink == 2 && lstat("s", &st) == 0 && S_ISLNK(st.st_mode));
	CHECK(readlink("s", buf, 16) == 1 && buf[0] == 'h');
	CHECK(chmod("h", 0640) == 0 && stat("g", &st) == 0 && (st.st_mode & 07777) == 0640);
	CHECK(unlink("g") == 0 && unlink("h") == 0 && unlink("s") == 0);
	CHECK(pread(100, buf, 16, 0) == 6 && fstat(100, &st) == 0 && st.st_nlink == 0);
	CHECK(close(100) == 0 && close(100) < 0 && errno == EBADF);
}

static void directories_list_each_name_once(void)
{
	char name[32], cwd[PATH_MAX];
	bool seen[500] = { false };
	struct dirent *e;
	DIR *dir;
	int i;

	CHECK(mkdir("d", 0755) == 0 && chdir("d") == 0);
	for (i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "name%d", i);
		CHECK(close(open(name, O_CREAT | O_WRONLY, 0644)) == 0);
	}
	dir = opendir(".");
	CHECK(dir);
	for (i = 0; (e = readdir(dir));) {
		if (e->d_name[0] == '.')
			continue;
		CHECK(!seen[atoi(e->d_name + 4)]);
		seen[atoi(e->d_name + 4)] = true;
		i++;
	}
	CHECK(i == 500 && closedir(dir) == 0);
	CHECK(getcwd(cwd, sizeof(cwd)) && strlen(cwd) >= 2 && !strcmp(cwd + strlen(cwd) - 2, "/d"));
	for (i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "name%d", i);
		CHECK(unlink(name) == 0);
	}
	CHECK(chdir("..") == 0 && rmdir("d") == 0);
}

static void bad_arguments_are_errors(void)
{
	char c = 0;
	const struct iovec iov = { &c, 1 };
	int fd = new_file("f", 0);

	CHECK(write(fd, BAD, 10) < 0 && errno == EFAULT);
	CHECK(write(fd, STORE, 10) < 0 && errno == EFAULT);
	CHECK(open(BAD, O_RDONLY) < 0 && errno == EFAULT);
	CHECK(stat("f", BAD) < 0 && errno == EFAULT);
	CHECK(read(fd, (void *)-5000l, 10) <= 0);
	CHECK(open("nowhere/f", O_RDONLY) < 0 && errno == ENOENT);
	CHECK(open("f/g", O_RDONLY) < 0 && errno == ENOTDIR);
	CHECK(lseek(fd, -1, SEEK_SET) < 0 && errno == EINVAL);
	CHECK(pread(fd, &c, 1, -1) < 0 && errno == EINVAL);
	CHECK(pwrite(fd, &c, 1, -1) < 0 && errno == EINVAL);
	CHECK(preadv(fd, &iov, 1, -1) < 0 && errno == EINVAL);
	CHECK(pwritev(fd, &iov, 1, -1) < 0 && errno == EINVAL);
	CHECK(ftruncate(fd, -1) < 0 && errno == EINVAL);
	CHECK(truncate("f", -1) < 0 && errno == EINVAL);
	CHECK(access("f", 8) < 0 && errno == EINVAL);
	CHECK(symlink("f", "s") == 0 && readlink("s", &c, 0) < 0 && errno == EINVAL);
	CHECK(syscall(SYS_arch_prctl, ARCH_SET_FS, 1ul << 63) < 0 && errno == EPERM);
	CHECK(clock_getres(77, NULL) < 0 && errno == EINVAL);
	CHECK(close(fd) == 0 && unlink("f") == 0 && unlink("s") == 0);
}

static void unknown_flags_are_errors(void)
{
	const struct timespec times[2] = { { 1, 0 }, { 1, 0 } };
	int fd = new_file("f", 0);
	struct stat st;

	CHECK(fd >= 0 && symlink("f", "s") == 0);
	CHECK(syscall(SYS_unlinkat, AT_FDCWD, "f", 1) < 0 && errno == EINVAL);
	CHECK(syscall(SYS_linkat, AT_FDCWD, "f", AT_FDCWD, "g", 0x8000) < 0 && errno == EINVAL);
	CHECK(syscall(SYS_newfstatat, AT_FDCWD, "f", &st, 0x4000000) < 0 && errno == EINVAL);
	CHECK(syscall(SYS_fchownat, AT_FDCWD, "f", 0, 0, 1) < 0 && errno == EINVAL);
	CHECK(syscall(SYS_utimensat, AT_FDCWD, "f", times, 1) < 0 && errno == EINVAL);
	CHECK(syscall(SYS_dup3, fd, 50, 1) < 0 && errno == EINVAL);
	CHECK(stat("f", &st) == 0 && st.st_nlink == 1 && st.st_mtime > 1);
	/* And one that is known. */
	CHECK(linkat(AT_FDCWD, "s", AT_FDCWD, "g", AT_SYMLINK_FOLLOW) == 0);
	CHECK(lstat("g", &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 2);
	CHECK(close(fd) == 0 && unlink("f") == 0 && unlink("g") == 0 && unlink("s") == 0);
}

static void bad_mappings_are_errors(void)
{
	int fd = new_file("f", PAGE), dir = open(".", O_RDONLY), path = open("f", O_PATH);
	char *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;
	long end = syscall(SYS_brk, 0);
	int i;

	CHECK(p != MAP_FAILED && memset(p, 'x', 16 * PAGE));
	CHECK(mmap(NULL, 0, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, dir, 0) == MAP_FAILED && errno == ENODEV);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, path, 0) == MAP_FAILED && errno == EBADF);
	CHECK(mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0x7ffffffffffff000) == MAP_FAILED &&
	      errno == EOVERFLOW);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, -PAGE) == MAP_FAILED && errno == EOVERFLOW);
	CHECK(munmap((void *)1, PAGE) < 0 && errno == EINVAL);
	CHECK(mprotect(p, -1, PROT_NONE) < 0 && errno == ENOMEM);
	CHECK(mprotect(p + 1, PAGE, PROT_NONE) < 0 && errno == EINVAL);
	CHECK(madvise(p, -1, MADV_DONTNEED) < 0 && errno == EINVAL);
	CHECK(madvise(p, PAGE, 12345) < 0 && errno == EINVAL);
	CHECK(msync(p + 1, PAGE, MS_SYNC) < 0 && errno == EINVAL);
	CHECK(msync(p, PAGE, MS_SYNC | MS_ASYNC) < 0 && errno == EINVAL);
	CHECK(msync(p, PAGE, 0x100) < 0 && errno == EINVAL);
	CHECK(mremap(p, -1, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EINVAL);
	CHECK(mremap(p, 0, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EINVAL);
	CHECK(mremap(p, PAGE, -PAGE, MREMAP_MAYMOVE) == MAP_FAILED);
	CHECK(syscall(SYS_brk, -1ul) == end && syscall(SYS_brk, 0) == end);
	for (i = 0; i < 16; i++)
		CHECK(p[i * PAGE] == 'x');
	/* Behind its end there is nothing of a file, private or not, however often one asks. */
	q = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(q != MAP_FAILED && write(fd, q, 1) == 1);
	for (i = 0; i < 2; i++)
		CHECK(write(fd, q + PAGE, 1) < 0 && errno == EFAULT);
	CHECK(munmap(p, 16 * PAGE) == 0 && munmap(q, 2 * PAGE) == 0);
	CHECK(close(dir) == 0 && close(path) == 0 && close(fd) == 0 && unlink("f") == 0);
}

static void descriptors_used_up_leave_files_alone(void)
{
	struct rlimit old, few;
	struct stat st;
	int fd = new_file("f", 8), i;

	CHECK(fd >= 0 && getrlimit(RLIMIT_NOFILE, &old) == 0);
	few = old;
	few.rlim_cur = 256;
	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	while (dup(fd) >= 0)
		;
	CHECK(errno == EMFILE);
	CHECK(open("f", O_WRONLY | O_TRUNC) < 0 && errno == EMFILE);
	CHECK(stat("f", &st) == 0 && st.st_size == 8);
	CHECK(open("g", O_WRONLY | O_CREAT, 0644) < 0 && errno == EMFILE);
	CHECK(stat("g", &st) < 0 && errno == ENOENT);
	for (i = fd + 1; i < 1024; i++)
		close(i);
	CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
	CHECK(open("f", O_WRONLY | O_TRUNC) == fd + 1 && stat("f", &st) == 0 && st.st_size == 0);
	CHECK(close(fd + 1) == 0 && close(fd) == 0 && unlink("f") == 0);
}

static void time_passes(void)
{
	struct timespec a, b, nap = { 0, 20000000 };
	long ns;

	clock_gettime(CLOCK_MONOTONIC, &a);
	CHECK(nanosleep(&nap, NULL) == 0);
	clock_gettime(CLOCK_MONOTONIC, &b);
	ns = (b.tv_sec - a.tv_sec) * 1000000000l + b.tv_nsec - a.tv_nsec;
	CHECK(ns >= 20000000 && ns < 20000000000l);
	CHECK(time(NULL) > 1700000000);
	CHECK(poll(NULL, 0, 20) == 0);
	clock_gettime(CLOCK_MONOTONIC, &a);
	CHECK((a.tv_sec - b.tv_sec) * 1000000000l + a.tv_nsec - b.tv_nsec >= 20000000);
}

static void sleeps_into_the_past_end_and_bad_times_are_errors(void)
{
	static const struct timespec past = { 0, 0 }, bad[] = { { 0, 1000000000 }, { 0, -1 }, { -1, 0 } };
	size_t i;

	CHECK(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &past, NULL) == 0);
	CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL) == 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK(nanosleep(&bad[i], NULL) < 0 && errno == EINVAL);
		CHECK(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &bad[i], NULL) == EINVAL);
	}
}

static void doubles_and_wide_vectors_work(void)
{
	volatile double x = 2;
	char text[32];

	snprintf(text, sizeof(text), "%.6f", x * 1.618034);
	CHECK(!strcmp(text, "3.236068"));
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2")) {
		uint64_t in[4] = { 1, 2, 3, 4 }, out[4];

		__asm__ volatile("vmovdqu %1, %%ymm3; vpaddq %%ymm3, %%ymm3, %%ymm4; vmovdqu %%ymm4, %0"
				 : "=m"(out) : "m"(in) : "xmm3", "xmm4");
		CHECK(out[0] == 2 && out[3] == 8);
	}
#endif
}

/* ---- Faults ---- */

static __attribute__((noinline)) void fault_null(void) { *(volatile int *)8 = 1; }
static __attribute__((noinline)) void fault_code(void) { *(volatile char *)(uintptr_t)fault_null = 1; }
static __attribute__((noinline)) void fault_invalid(void) { __asm__ volatile("ud2"); }
static __attribute__((noinline)) void fault_divide(void)
{
	__asm__ volatile("xor %%edx, %%edx; mov $1, %%eax; xor %%ecx, %%ecx; div %%ecx"
			 : : : "eax", "ecx", "edx");
}
static __attribute__((noinline)) void fault_stack(void)
{
	volatile char big[100000];

	big[0] = 1;
	fault_stack();
	big[1] = big[0];
}
static __attribute__((noinline)) void fault_no_stack(void) { __asm__ volatile("mov $8, %rsp; push %rax"); }
static __attribute__((noinline)) void fault_jump(void) { __asm__ volatile("mov $0x10, %eax; jmp *%rax"); }
static __attribute__((noinline)) void fault_jump_far(void) { __asm__ volatile("mov $0x7ffe00000000, %rax; jmp *%rax"); }
static __attribute__((noinline)) void fault_breakpoint(void) { __asm__ volatile("int3"); }
static __attribute__((noinline)) void fault_data_as_code(void)
{
	static char bytes[16] = "\xc3";

	((void (*)(void))(uintptr_t)bytes)();
}
static __attribute__((noinline)) void fault_general(void)
{
	__asm__ volatile("mov $0x8000000000000000, %rax; mov (%rax), %rax");
}
static __attribute__((noinline)) void fault_beyond(void)
{
	int fd = new_file("f", PAGE);
	volatile char *p = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);

	p[2 * PAGE];
}
static __attribute__((noinline)) void fault_beyond_private(void)
{
	int fd = new_file("f", PAGE);
	volatile char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	p[2 * PAGE] = 1;
}
/* A hole of a file is to be filled on a store that is full.  No name stays behind. */
static __attribute__((noinline)) void fault_full(void)
{
	static char page[PAGE];
	int holes = new_file("holes", 64 * PAGE), fd = new_file("full", 0);
	volatile char *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, holes, 0);
	int i;

	unlink("holes");
	unlink("full");
	while (write(fd, page, PAGE) == PAGE)
		;
	for (i = 0; i < 64; i++)
		p[i * PAGE] = 1;
}
static __attribute__((noinline)) void fault_read_only(void)
{
	int fd = new_file("f", PAGE);
	volatile char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

	p[0] = 1;
}
static __attribute__((noinline)) void fault_tables(void)
{
	/* The page tables are the machine's, not the program's: lose them all. */
	__asm__ volatile("xor %eax, %eax; mov %rax, %cr3; mov (%rax), %rax");
}

/* What is not the program's: the store and the machine's own memory, at their addresses. */
static __attribute__((noinline)) void fault_store(void) { memset((void *)0x200000000000, 0x55, 64); }
static __attribute__((noinline)) void fault_store_read(void) { *(volatile char *)STORE; }
static __attribute__((noinline)) void fault_machine(void) { *(volatile long *)0xffff800000800000 = 1; }
static __attribute__((noinline)) void fault_registers(void) { *(volatile int *)0xffffc00000000000 = 0; }

/* The first page of a file that is mapped, by the store's own address of it. */
static __attribute__((noinline)) void fault_alias(void)
{
	int fd = new_file("f", PAGE);
	volatile char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	long at;

	p[0] = 'x';
	at = syscall(0x7665, p);	/* vmemos_where */
	if (at > 0)
		((volatile char *)0x200000000000)[at] = 'y';
}

static int do_fault(const char *kind)
{
	static const struct { const char *kind; void (*fn)(void); } kinds[] = {
		{ "null", fault_null }, { "code", fault_code }, { "invalid", fault_invalid },
		{ "divide", fault_divide }, { "stack", fault_stack }, { "no_stack", fault_no_stack },
		{ "jump", fault_jump }, { "data_as_code", fault_data_as_code },
		{ "general", fault_general }, { "beyond", fault_beyond },
		{ "read_only", fault_read_only }, { "tables", fault_tables },
		{ "jump_far", fault_jump_far }, { "breakpoint", fault_breakpoint },
		{ "beyond_private", fault_beyond_private }, { "full", fault_full },
		{ "store", fault_store }, { "store_read", fault_store_read },
		{ "machine", fault_machine }, { "registers", fault_registers }, { "alias", fault_alias },
	};
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].kind, kind))
			kinds[i].fn();
	return 0;
}

/* ---- What operations cost ---- */

static int durable_writes(int n)
{
	static char page[PAGE];
	int fd = new_file("ops", 0), i;

	for (i = 0; i < 16; i++)
		if (write(fd, page, PAGE) != PAGE)
			return 1;
	if (fsync(fd))
		return 1;
	for (i = 0; i < n; i++)
		if (pwrite(fd, page, PAGE, i % 16 * PAGE) != PAGE || fdatasync(fd))
			return 1;
	return close(fd) || unlink("ops");
}

static int mapped_stores(int n)
{
	static char page[PAGE];
	int fd = new_file("mapped", 0), i;
	volatile char *p;

	for (i = 0; i < 16; i++)
		if (write(fd, page, PAGE) != PAGE)
			return 1;
	p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fsync(fd) || p == MAP_FAILED || p[0])
		return 1;
	for (i = 0; i < n; i++) {
		p[i % 16 * PAGE]++;
		if (msync((void *)p, 16 * PAGE, MS_SYNC))
			return 1;
	}
	return close(fd) || unlink("mapped");
}

static int names(int n)
{
	char name[32];
	int i;

	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		if (close(open(name, O_CREAT | O_WRONLY, 0644)) || unlink(name))
			return 1;
	}
	return 0;
}

static int orphan(void)
{
	static char page[PAGE] = "kept";
	int fd = new_file("orphan", 0), i;

	for (i = 0; i < 64; i++)
		if (write(fd, page, PAGE) != PAGE)
			return 1;
	unlink("orphan");
	puts("orphan written");
	fflush(stdout);
	for (;;)
		sleep(1);
}

static bool gives_random(const char *path)
{
	uint64_t word = 0;
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		return errno == ENODEV ? false : true;
	return read(fd, &word, 8) == 8 && close(fd) == 0 && word;
}

/* The two devices were made by the test. */
static int random_numbers(int there)
{
	uint64_t a = 0, b = 0;
	long got = syscall(SYS_getrandom, &a, 8, 0), err = errno;

	if (there)
		return got != 8 || syscall(SYS_getrandom, &b, 8, 0) != 8 || a == b ||
		       !gives_random("/random") || !gives_random("/urandom");
	return got != -1 || err != ENOSYS || a ||
	       syscall(SYS_getrandom, &a, 8, GRND_NONBLOCK) != -1 || errno != EAGAIN || a ||
	       syscall(SYS_getrandom, &a, 8, GRND_INSECURE) != 8 || !a ||
	       gives_random("/random") || gives_random("/urandom");
}

/* Only where memory is the machine's: the host would be in trouble. */
static int exhaust(void)
{
	const size_t size = 2048ul << 20;
	char *room = mmap(NULL, 64ul << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *p = mmap(NULL, 17 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *all = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;
	size_t at = 0;
	int i;

	if (room == MAP_FAILED || p == MAP_FAILED || all == MAP_FAILED)
		return 2;
	for (i = 0; i < 16; i++)
		p[i * PAGE] = (char)('A' + i);
	if (mprotect(p + 16 * PAGE, PAGE, PROT_READ))	/* in the way */
		return 2;
	while (at < size && syscall(SYS_getrandom, all + at, 1, 0) == 1)
		at += PAGE;
	q = mremap(p, 16 * PAGE, 600 * PAGE, MREMAP_MAYMOVE);
	munmap(all, size);
	if (at == size)
		return 2;
	p = q == MAP_FAILED ? p : q;
	for (i = 0; i < 16; i++)
		if (p[i * PAGE] != 'A' + i)
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
#define P(name) { #name, name }
	static const struct { const char *name; void (*test)(void); } tests[] = {
		P(shared_stores_are_the_file), P(read_maps_see_later_writes_and_growth),
		P(private_maps_are_copies), P(mapped_files_can_be_cut_and_unlinked),
		P(parts_of_maps_can_go), P(anonymous_memory_is_zero_and_moves),
		P(calls_keep_registers_and_the_red_zone), P(calls_copy_forwards), P(files_behave),
		P(directories_list_each_name_once), P(bad_arguments_are_errors),
		P(unknown_flags_are_errors), P(bad_mappings_are_errors),
		P(descriptors_used_up_leave_files_alone), P(time_passes),
		P(sleeps_into_the_past_end_and_bad_times_are_errors), P(doubles_and_wide_vectors_work),
	};
	int bad = 0;
	size_t i;

	if (argc > 2 && !strcmp(argv[1], "fault"))
		return do_fault(argv[2]);
	if (argc > 2 && !strcmp(argv[1], "ops"))
		return durable_writes(atoi(argv[2]));
	if (argc > 2 && !strcmp(argv[1], "mapped"))
		return mapped_stores(atoi(argv[2]));
	if (argc > 2 && !strcmp(argv[1], "names"))
		return names(atoi(argv[2]));
	if (argc > 1 && !strcmp(argv[1], "orphan"))
		return orphan();
	if (argc > 2 && !strcmp(argv[1], "random"))
		return random_numbers(atoi(argv[2]));
	if (argc > 1 && !strcmp(argv[1], "exhaust"))
		return exhaust();
	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		failed = NULL;
		tests[i].test();
		printf("%s %s%s%s\n", failed ? "not ok" : "ok", tests[i].name, failed ? ": " : "",
		       failed ? failed : "");
		bad |= failed != NULL;
	}
	return bad;
}
