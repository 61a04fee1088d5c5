// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * faults.c - calls of a tool that fail, or end it, when they are told to
 *
 * Linked with --wrap.  FAULT=NAME:N in the environment: the N-th call of
 * calloc, mmap, pmem_msync or fsync fails; kill:N: the N-th pmem_msync is the
 * end, by SIGKILL; int:N and bus:N: SIGINT or SIGBUS comes just before it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

void *__real_calloc(size_t nr, size_t size);
void *__wrap_calloc(size_t nr, size_t size);
void *__real_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);
int __real_pmem_msync(const void *addr, size_t len);
int __wrap_pmem_msync(const void *addr, size_t len);
int __real_fsync(int fd);
int __wrap_fsync(int fd);

/* Is this the call, the nr-th of its name? */
static bool meant(const char *name, unsigned long nr)
{
	const char *fault = getenv("FAULT");
	size_t len = strlen(name);

	return fault && !strncmp(fault, name, len) && fault[len] == ':' &&
	       strtoul(fault + len + 1, NULL, 10) == nr;
}

void *__wrap_calloc(size_t nr, size_t size)
{
	static unsigned long calls;

	if (!meant("calloc", ++calls))
		return __real_calloc(nr, size);
	errno = ENOMEM;
	return NULL;
}

void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	static unsigned long calls;

	if (fd < 0 || !meant("mmap", ++calls))
		return __real_mmap(addr, len, prot, flags, fd, off);
	errno = ENOMEM;
	return (void *)-1;
}

int __wrap_pmem_msync(const void *addr, size_t len)
{
	static unsigned long calls;

	calls++;
	if (meant("kill", calls))
		raise(SIGKILL);
	if (meant("int", calls))
		kill(getpid(), SIGINT);
	if (meant("bus", calls))
		raise(SIGBUS);
	if (!meant("pmem_msync", calls))
		return __real_pmem_msync(addr, len);
	errno = EIO;
	return -1;
}

int __wrap_fsync(int fd)
{
	static unsigned long calls;

	if (!meant("fsync", ++calls))
		return __real_fsync(fd);
	errno = EIO;
	return -1;
}
