/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hold.c - a disk that takes as long as a test wants (see hold.h)
 *
 * To be preloaded (LD_PRELOAD) into QEMU, in place of libc's msync(), of mmap() and
 * posix_fadvise(), which have these names where file offsets have 64 bits, and of
 * pthread_cond_wait().
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hold.h"

void *mmap64(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
int posix_fadvise64(int fd, off_t offset, off_t length, int advice);

typedef int CondWait(pthread_cond_t *cond, pthread_mutex_t *lock);

static Hold *hold;
static CondWait *cond_wait;

__attribute__((constructor))
static void map_file(void)
{
    const char *path = getenv(HOLD_FILE);
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*hold),
                                         PROT_READ | PROT_WRITE, MAP_SHARED,
                                         fd, 0);

    /* The version that programs of today have: glibc keeps an older one, too. */
    cond_wait = (CondWait *)dlvsym(RTLD_NEXT, "pthread_cond_wait", "GLIBC_2.3.2");
    if (p == MAP_FAILED || !cond_wait) {
        abort();
    }
    close(fd);
    hold = p;
}

static void wait_until_released(uint32_t before)
{
    __atomic_store_n(&hold->held, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&hold->release, __ATOMIC_SEQ_CST) <= before) {
        usleep(1000);
    }
}

int msync(void *addr, size_t length, int flags)
{
    uint32_t nr = __atomic_add_fetch(&hold->calls, 1, __ATOMIC_SEQ_CST);

    if (nr == __atomic_load_n(&hold->at, __ATOMIC_SEQ_CST)) {
        wait_until_released(0);
    }
    return (int)syscall(SYS_msync, addr, length, flags);
}

int posix_fadvise64(int fd, off_t offset, off_t length, int advice)
{
    if (advice == POSIX_FADV_WILLNEED) {
        uint32_t nr = __atomic_add_fetch(&hold->reads, 1, __ATOMIC_SEQ_CST);
        uint32_t at = __atomic_load_n(&hold->read_at, __ATOMIC_SEQ_CST);

        if (at && nr >= at) {
            wait_until_released(nr - at);
        }
    }
    return syscall(SYS_fadvise64, fd, offset, length, advice) < 0 ? errno : 0;
}

/* With HOLD_FAILS=fdatasync it does, as on a disk that lost what was dirty. */
int fdatasync(int fd)
{
    const char *fails = getenv(HOLD_FAILS);

    if (fails && !strcmp(fails, "fdatasync")) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock)
{
    if (gettid() == getpid()) {
        __atomic_store_n(&hold->waiting, 1, __ATOMIC_SEQ_CST);
    }
    return cond_wait(cond, lock);
}

void *mmap64(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
    if (hold && fd >= 0 && flags & MAP_FIXED) {
        usleep(__atomic_load_n(&hold->map_us, __ATOMIC_SEQ_CST));
        if (__atomic_load_n(&hold->map_fails, __ATOMIC_SEQ_CST)) {
            errno = ENOMEM;
            return MAP_FAILED;
        }
    }
    return (void *)syscall(SYS_mmap, addr, length, prot, flags, fd, offset);
}
