/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * calls.h - the system calls that are served; included several times (main.c)
 *
 *   CALL(name)			sys_name() serves it
 *   AS(name, fn, args)		sys_fn() does, with other arguments, one for each character:
 *		0 to 5	that argument of the call	-	nothing, 0
 *		@	AT_FDCWD			t	true, 1
 *		N	AT_SYMLINK_NOFOLLOW		R	AT_REMOVEDIR
 *		C	O_CREAT | O_WRONLY | O_TRUNC
 */

/* fd.c */
CALL(openat) AS(open, openat, "@012") AS(creat, openat, "@0C1")
CALL(close) CALL(close_range) CALL(dup) CALL(dup2) CALL(dup3) CALL(fcntl)
AS(flock, zero, "") AS(fadvise64, zero, "")

/* files.c */
CALL(read) CALL(write) CALL(pread64) CALL(pwrite64)
CALL(readv) CALL(writev) CALL(preadv) CALL(pwritev) CALL(lseek)
AS(fsync, fsync, "0-") AS(fdatasync, fsync, "0t") CALL(sync) AS(syncfs, sync, "")
CALL(ftruncate) CALL(truncate)
CALL(newfstatat) AS(stat, newfstatat, "@01-") AS(lstat, newfstatat, "@01N")
CALL(fstat) CALL(statx)
CALL(faccessat) AS(faccessat2, faccessat, "012") AS(access, faccessat, "@01")
CALL(fchmodat) AS(chmod, fchmodat, "@01") AS(fchmod, fchmodat, "0-1")
CALL(fchownat) AS(chown, fchownat, "@012-") AS(lchown, fchownat, "@012N")
AS(fchown, fchownat, "0-12-") CALL(utimensat) CALL(umask) CALL(statfs) CALL(fstatfs)
CALL(mkdirat) AS(mkdir, mkdirat, "@01") CALL(mknodat) AS(mknod, mknodat, "@012")
CALL(unlinkat) AS(unlink, unlinkat, "@0-") AS(rmdir, unlinkat, "@0R")
CALL(renameat2) AS(renameat, renameat2, "0123-") AS(rename, renameat2, "@0@1-")
CALL(linkat) AS(link, linkat, "@0@1-") CALL(symlinkat) AS(symlink, symlinkat, "0@1")
CALL(readlinkat) AS(readlink, readlinkat, "@012")
CALL(getdents64) CALL(getcwd) CALL(chdir) CALL(fchdir) CALL(ioctl) CALL(poll)

/* vm.c */
CALL(mmap) CALL(munmap) CALL(mprotect) CALL(mremap) CALL(brk) CALL(madvise) CALL(msync)
CALL(vmemos_where)

/* process.c */
CALL(clock_gettime) CALL(clock_getres) CALL(gettimeofday) CALL(time)
CALL(nanosleep) CALL(clock_nanosleep) CALL(times) CALL(getrusage)
CALL(uname) CALL(sysinfo) CALL(getrandom) CALL(getrlimit) AS(prlimit64, getrlimit, "13")
AS(setrlimit, zero, "") CALL(sched_getaffinity) AS(sched_yield, zero, "") CALL(arch_prctl)
AS(getpid, one, "") AS(gettid, one, "") AS(set_tid_address, one, "") AS(getpgrp, one, "")
AS(getpgid, one, "") AS(getsid, one, "") AS(setsid, one, "") AS(getppid, zero, "")
AS(setpgid, zero, "") AS(getuid, zero, "") AS(geteuid, zero, "") AS(getgid, zero, "")
AS(getegid, zero, "") AS(setuid, zero, "") AS(setgid, zero, "") AS(setreuid, zero, "")
AS(setregid, zero, "") AS(setresuid, zero, "") AS(setresgid, zero, "")
AS(getgroups, zero, "") AS(setgroups, zero, "")
AS(getresuid, getids, "012") AS(getresgid, getids, "012")
AS(set_robust_list, zero, "") CALL(futex) CALL(rt_sigaction) CALL(rt_sigprocmask)
CALL(sigaltstack) CALL(kill) AS(tkill, kill, "01") AS(tgkill, kill, "12")
CALL(exit_group) AS(exit, exit_group, "0")
