/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * calls.h - the system calls that are served; included several times (main.c)
 *
 *   CALL(name, checks)		sys_name() serves it, when its arguments are right
 *   FN(name, checks)		sys_name() is there for lines that follow
 *   AS(name, fn, args)		sys_fn() serves it, with other arguments, one for each character:
 *		0 to 5	that argument of the call	-	nothing, 0
 *		@	AT_FDCWD			t	true, 1
 *		N	AT_SYMLINK_NOFOLLOW		R	AT_REMOVEDIR, of the same value: AT_EACCESS
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
CALL(fsync, "F") AS(fdatasync, fsync, "0t") AS(sync_file_range, fsync, "0t")
CALL(sync, "") AS(syncfs, sync, "")
CALL(ftruncate, "Fn1") FN(truncate_at, "pn2") AS(truncate, truncate_at, "@01")
CALL(newfstatat, "e3b3NEA") AS(stat, newfstatat, "@01-") AS(lstat, newfstatat, "@01N")
AS(fstat, newfstatat, "0-1-")
FN(access_at, "e3b3NER") AS(faccessat, access_at, "012-") AS(faccessat2, access_at, "0123")
AS(access, access_at, "@01-")
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
CALL(getdents64, "Fw") CALL(ioctl, "f") CALL(poll, "") CALL(ppoll, "") CALL(select, "")
CALL(pselect6, "")
FN(nothing, "f") AS(flock, nothing, "0") AS(fadvise64, nothing, "0") CALL(fallocate, "f")
FN(no_xattr, "e2") AS(getxattr, no_xattr, "@0-t") AS(lgetxattr, no_xattr, "@0Nt")
AS(fgetxattr, no_xattr, "0--t") AS(setxattr, no_xattr, "@0-t") AS(lsetxattr, no_xattr, "@0Nt")
AS(fsetxattr, no_xattr, "0--t") AS(removexattr, no_xattr, "@0-t")
AS(lremovexattr, no_xattr, "@0Nt") AS(fremovexattr, no_xattr, "0--t")
AS(listxattr, no_xattr, "@0--") AS(llistxattr, no_xattr, "@0N-") AS(flistxattr, no_xattr, "0---")

/* vm.c */
CALL(mmap, "") CALL(munmap, "") CALL(mprotect, "") CALL(mremap, "") CALL(brk, "")
CALL(madvise, "") CALL(msync, "") CALL(mlock, "") AS(mlock2, mlock, "01")
CALL(vmemos_where, "") FN(zero, "") AS(munlock, zero, "") AS(mlockall, zero, "")
AS(munlockall, zero, "")

/* process.c */
CALL(clock_gettime, "") CALL(clock_getres, "") CALL(gettimeofday, "") CALL(time, "")
CALL(clock_nanosleep, "") AS(nanosleep, clock_nanosleep, "--01") CALL(getrusage, "")
CALL(times, "") CALL(uname, "") CALL(sysinfo, "") CALL(getrandom, "w")
CALL(prlimit64, "") AS(getrlimit, prlimit64, "-0-1") AS(setrlimit, prlimit64, "-01-")
AS(sched_yield, zero, "") CALL(sched_getaffinity, "") CALL(arch_prctl, "") FN(one, "")
AS(getpid, one, "") AS(gettid, one, "") AS(set_tid_address, one, "") AS(getpgrp, one, "")
CALL(getpgid, "") AS(getsid, getpgid, "0") AS(setsid, one, "") AS(getppid, zero, "")
CALL(setpgid, "") AS(getuid, zero, "") AS(geteuid, zero, "") AS(getgid, zero, "")
AS(getegid, zero, "") FN(set_ids, "") AS(setuid, set_ids, "0--") AS(setgid, set_ids, "0--")
AS(setreuid, set_ids, "01-") AS(setregid, set_ids, "01-") AS(setresuid, set_ids, "012")
AS(setresgid, set_ids, "012") AS(getgroups, zero, "") CALL(setgroups, "")
AS(set_robust_list, zero, "") FN(no_child, "") AS(wait4, no_child, "")
AS(waitid, no_child, "") FN(no_network, "") AS(socket, no_network, "")
AS(socketpair, no_network, "")
CALL(futex, "") CALL(rt_sigaction, "") CALL(rt_sigprocmask, "") CALL(rt_sigpending, "")
CALL(rt_sigtimedwait, "") CALL(rt_sigsuspend, "") CALL(pause, "") CALL(sigaltstack, "")
CALL(kill, "") CALL(tkill, "") CALL(tgkill, "")
CALL(exit_group, "") AS(exit, exit_group, "0")
