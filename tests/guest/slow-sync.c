// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* slow-sync.c - for LD_PRELOAD: a host whose disk takes seconds for a flush */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#define SECONDS 2

int msync(void *addr, size_t len, int flags)
{
	int (*real)(void *, size_t, int) = (int (*)(void *, size_t, int))dlsym(RTLD_NEXT, "msync");

	sleep(SECONDS);
	return real(addr, len, flags);
}

int fdatasync(int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");

	sleep(SECONDS);
	return real(fd);
}
