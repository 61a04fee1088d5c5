/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * calls.h - the system calls that are served; included several times (main.c)
 *
 *   CALL(name)			sys_name() serves it
 *   AS(name, fn)		sys_fn() does, too
 *   AT(name, fn, args)		sys_fn() does, with AT_FDCWD before its `args` arguments
 */

/* files.c, fd.c */
CALL(read) CALL(write) CALL(pread64) CALL(pwrite64)
CALL(readv) CALL(writev) CALL(preadv) CALL(pwritev) CALL(lseek)
CALL(fsync) CALL(fdatasync) CALL(sync) AS(syncfs, sync) CALL(ftruncate) CALL(truncate)
CALL(openat) AT(open, openat, 3) CALL(creat) CALL(close) CALL(close_range)
CALL(dup) CALL(dup2) CALL(dup3) CALL(fcntl)
AS(flock, zero) AS(fadvise64, zero)
CALL(newfstatat) AT(stat, newfstatat, 2) CALL(lstat) CALL(fstat) CALL(statx)
CALL(faccessat) AS(faccessat2, faccessat) AT(access, faccessat, 2)
CALL(fchmodat) AT(chmod, fchmodat, 2) CALL(fchmod)
CALL(fchownat) AT(chown, fchownat, 3) CALL(lchown) CALL(fchown)
CALL(utimensat) CALL(umask) CALL(statfs) CALL(fstatfs)
CALL(mkdirat) AT(mkdir, mkdirat, 2) CALL(mknodat) AT(mknod, mknodat, 3)
CALL(unlinkat) AT(unlink, unlinkat, 1) CALL(rmdir)
CALL(rename) CALL(renameat) CALL(renameat2) CALL(link) CALL(linkat)
CALL(symlink) CALL(symlinkat) CALL(readlinkat) AT(readlink, readlinkat, 3)
CALL(getdents64) CALL(getcwd) CALL(chdir) CALL(fchdir) CALL(ioctl) CALL(poll)

/* vm.c */
CALL(mmap) CALL(munmap) CALL(mprotect) CALL(mremap) CALL(brk) CALL(madvise) CALL(msync)
CALL(vmemos_where)

/* process.c */
CALL(clock_gettime) CALL(clock_getres) CALL(gettimeofday) CALL(time)
CALL(nanosleep) CALL(clock_nanosleep) CALL(times) CALL(getrusage)
CALL(uname) CALL(sysinfo) CALL(getrandom) CALL(getrlimit) CALL(prlimit64)
AS(setrlimit, zero) CALL(sched_getaffinity) AS(sched_yield, zero) CALL(arch_prctl)
AS(getpid, one) AS(gettid, one) AS(set_tid_address, one) AS(getpgrp, one)
AS(getpgid, one) AS(getsid, one) AS(setsid, one) AS(getppid, zero) AS(setpgid, zero)
AS(getuid, zero) AS(geteuid, zero) AS(getgid, zero) AS(getegid, zero)
AS(setuid, zero) AS(setgid, zero) AS(setreuid, zero) AS(setregid, zero)
AS(setresuid, zero) AS(setresgid, zero) AS(getgroups, zero) AS(setgroups, zero)
AS(getresuid, getids) AS(getresgid, getids)
AS(set_robust_list, zero) CALL(futex)
CALL(rt_sigaction) CALL(rt_sigprocmask) CALL(sigaltstack) CALL(kill) CALL(tkill) CALL(tgkill)
CALL(exit_group) AS(exit, exit_group)
