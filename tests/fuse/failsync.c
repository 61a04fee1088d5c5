// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * failsync.c - preloaded: a disk that fails, and one that counts
 *
 * Each msync(2) adds a line to the file $SYNCS, and fails while there is a file $SYNC_FAILS.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int msync(void *addr, size_t len, int flags)
{
	int fd = open(getenv("SYNCS"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, "msync\n", 6) != 6)
		abort();
	close(fd);
	if (!access(getenv("SYNC_FAILS"), F_OK)) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_msync, addr, len, flags);
}
