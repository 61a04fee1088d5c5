/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hold.c - a disk that takes as long as a test wants (see hold.h)
 *
 * To be preloaded (LD_PRELOAD) into QEMU, in place of libc's msync() and mmap(),
 * which has this name where file offsets have 64 bits.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hold.h"

void *mmap64(void *addr, size_t length, int prot, int flags, int fd, off_t offset);

static Hold *hold;

__attribute__((constructor))
static void map_file(void)
{
    const char *path = getenv(HOLD_FILE);
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*hold),
                                         PROT_READ | PROT_WRITE, MAP_SHARED,
                                         fd, 0);

    if (p == MAP_FAILED) {
        abort();
    }
    close(fd);
    hold = p;
}

int msync(void *addr, size_t length, int flags)
{
    uint32_t nr = __atomic_add_fetch(&hold->calls, 1, __ATOMIC_SEQ_CST);

    if (nr == __atomic_load_n(&hold->at, __ATOMIC_SEQ_CST)) {
        __atomic_store_n(&hold->held, 1, __ATOMIC_SEQ_CST);
        while (!__atomic_load_n(&hold->release, __ATOMIC_SEQ_CST)) {
            usleep(1000);
        }
    }
    return (int)syscall(SYS_msync, addr, length, flags);
}

void *mmap64(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
    if (hold && fd >= 0 && flags & MAP_FIXED) {
        usleep(__atomic_load_n(&hold->map_us, __ATOMIC_SEQ_CST));
    }
    return (void *)syscall(SYS_mmap, addr, length, prot, flags, fd, offset);
}
