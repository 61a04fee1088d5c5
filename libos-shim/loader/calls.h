/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * calls.h - the system calls that are served; included several times (main.c)
 *
 *   CALL(name, checks)		sys_name() serves it, when its arguments are right
 *   FN(name, checks)		sys_name() is there for lines that follow
 *   AS(name, fn, args)		sys_fn() serves it, with other arguments, one for each character:
 *		0 to 5	that argument of the call	-	nothing, 0
 *		@	AT_FDCWD			t	true, 1
 *		N	AT_SYMLINK_NOFOLLOW		R	AT_REMOVEDIR
 *		C	O_CREAT | O_WRONLY | O_TRUNC		E	AT_EMPTY_PATH
 *		F	AT_SYMLINK_FOLLOW			A	AT_NO_AUTOMOUNT
 *
 * Checks go from the first argument on; what they have seen is what sys_name() gets:
 *   p	directory and path (two arguments): the handle, and the path as it is
 *   eN	the same, or a descriptor alone: NULL, or "" with AT_EMPTY_PATH in argument N.
 *	The path is NULL then; and so is the handle, of the console.
 *   s	a string
 *   f	a descriptor: its struct open_file
 *   F	one of a file of the store: its handle
 *   w	memory to write to; the next argument is its length
 *   nN	argument N is not negative
 *   bN...	the last one: argument N has no bits but those, named as above
 */

/* fd.c */
CALL(openat, "p") AS(open, openat, "@012") AS(creat, openat, "@0C1")
CALL(close, "") CALL(dup, "f") CALL(dup2, "") CALL(dup3, "") CALL(fcntl, "")
FN(chdir_at, "e2") AS(chdir, chdir_at, "@0-") AS(fchdir, chdir_at, "0--") CALL(getcwd, "w")

/* files.c */
CALL(read, "f") CALL(write, "f") CALL(pread64, "fn3") CALL(pwrite64, "fn3")
CALL(readv, "f") CALL(writev, "f") CALL(preadv, "fn3") CALL(pwritev, "fn3")
CALL(lseek, "f")
CALL(fsync, "F") AS(fdatasync, fsync, "0t") CALL(sync, "") AS(syncfs, sync, "")
CALL(ftruncate, "Fn1") FN(truncate_at, "pn2") AS(truncate, truncate_at, "@01")
CALL(newfstatat, "e3b3NEA") AS(stat, newfstatat, "@01-") AS(lstat, newfstatat, "@01N")
AS(fstat, newfstatat, "0-1-")
CALL(faccessat, "p") AS(faccessat2, faccessat, "012") AS(access, faccessat, "@01")
FN(chmod_at, "e3") AS(fchmodat, chmod_at, "012-") AS(chmod, chmod_at, "@01-")
AS(fchmod, chmod_at, "0-1-")
CALL(fchownat, "e4b4NE") AS(chown, fchownat, "@012-") AS(lchown, fchownat, "@012N")
AS(fchown, fchownat, "0-12-") CALL(utimensat, "e3b3NE") CALL(umask, "")
FN(statfs_at, "e3") AS(statfs, statfs_at, "@01-") AS(fstatfs, statfs_at, "0-1-")
CALL(mkdirat, "p") AS(mkdir, mkdirat, "@01") CALL(mknodat, "p") AS(mknod, mknodat, "@012")
CALL(unlinkat, "pb2R") AS(unlink, unlinkat, "@0-") AS(rmdir, unlinkat, "@0R")
CALL(renameat2, "pp") AS(renameat, renameat2, "0123-") AS(rename, renameat2, "@0@1-")
CALL(linkat, "e4pb4FE") AS(link, linkat, "@0@1-")
CALL(symlinkat, "sp") AS(symlink, symlinkat, "0@1")
CALL(readlinkat, "pw") AS(readlink, readlinkat, "@012")
CALL(getdents64, "Fw") CALL(ioctl, "f") CALL(poll, "")
FN(zero, "") AS(flock, zero, "") AS(fadvise64, zero, "")

/* vm.c */
CALL(mmap, "") CALL(munmap, "") CALL(mprotect, "") CALL(mremap, "") CALL(brk, "")
CALL(madvise, "") CALL(msync, "") CALL(vmemos_where, "")

/* process.c */
CALL(clock_gettime, "") CALL(clock_getres, "") CALL(gettimeofday, "") CALL(time, "")
CALL(clock_nanosleep, "") AS(nanosleep, clock_nanosleep, "--01") CALL(getrusage, "")
CALL(uname, "") CALL(sysinfo, "") CALL(getrandom, "w")
CALL(getrlimit, "") AS(prlimit64, getrlimit, "13") AS(setrlimit, zero, "")
AS(sched_yield, zero, "") CALL(arch_prctl, "") FN(one, "")
AS(getpid, one, "") AS(gettid, one, "") AS(set_tid_address, one, "") AS(getpgrp, one, "")
AS(getpgid, one, "") AS(getsid, one, "") AS(setsid, one, "") AS(getppid, zero, "")
AS(setpgid, zero, "") AS(getuid, zero, "") AS(geteuid, zero, "") AS(getgid, zero, "")
AS(getegid, zero, "") AS(setuid, zero, "") AS(setgid, zero, "") AS(setreuid, zero, "")
AS(setregid, zero, "") AS(setresuid, zero, "") AS(setresgid, zero, "")
AS(getgroups, zero, "") AS(setgroups, zero, "") AS(set_robust_list, zero, "")
CALL(futex, "") CALL(rt_sigaction, "") CALL(rt_sigprocmask, "")
CALL(kill, "") AS(tkill, kill, "01") AS(tgkill, kill, "12")
CALL(exit_group, "") AS(exit, exit_group, "0")
