/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * folio-bench.c - what a flush of one 4 KiB page writes, in small and huge pages
 *
 *	folio-bench FILE
 *
 * Maps the file as the device does, without and with hugepages=on, and in the
 * latter case with the first half kept small, as the guest asks for its log.
 * Bytes are those that the kernel counts for this process when pages become
 * dirty (write_bytes of /proc/self/io): a flush writes them all.  Prints JSON.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "folios.h"

#define MIB (1024ull * 1024)
#define SIZE (64 * MIB)
#define ALIGN (2 * MIB)
#define FLUSHES 300

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "folio-bench: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static uint64_t number_in(const char *path, const char *key)
{
    FILE *f = fopen(path, "r");
    uint64_t sum = 0, value;
    char line[300];

    must(f != NULL, path);
    while (fgets(line, sizeof(line), f)) {
        if (!strncmp(line, key, strlen(key)) &&
            sscanf(line + strlen(key), " %lu", &value) == 1) {
            sum += value;
        }
    }
    fclose(f);
    return sum;
}

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void measure(uint8_t *base, uint64_t from, const char *pages,
                    const char *where)
{
    uint64_t before = number_in("/proc/self/io", "write_bytes:");
    static double us[FLUSHES];

    for (unsigned i = 0; i < FLUSHES; i++) {
        uint64_t at = from + (i * 37ull % (16 * MIB / 4096)) * 4096;
        double start = now_us();

        *(volatile uint64_t *)(base + at) = i + 1;
        must(msync(base + at, 4096, MS_SYNC) == 0, "msync");
        us[i] = now_us() - start;
    }
    qsort(us, FLUSHES, sizeof(us[0]), by_value);
    printf("{\"pages\": \"%s\", \"where\": \"%s\", \"flush_kib\": %.1f, "
           "\"p50_us\": %.1f}\n", pages, where,
           (double)(number_in("/proc/self/io", "write_bytes:") - before) /
           FLUSHES / 1024, us[FLUSHES / 2]);
}

static uint8_t *map(int fd)
{
    uint8_t *area = mmap(NULL, SIZE + ALIGN, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint8_t *base = (uint8_t *)(((uintptr_t)area + ALIGN - 1) & ~(ALIGN - 1));

    must(area != MAP_FAILED, "mmap");
    must(mmap(base, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
              0) != MAP_FAILED, "mmap");
    return base;
}

static void touch_all(const uint8_t *base)
{
    for (uint64_t at = 0; at < SIZE; at += 4096) {
        (void)*(volatile const uint8_t *)(base + at);
    }
}

int main(int argc, char **argv)
{
    static uint8_t zeros[MIB];
    uint8_t *base;
    int fd;

    if (argc != 2) {
        fprintf(stderr, "usage: folio-bench FILE\n");
        return 2;
    }
    fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0644);
    must(fd >= 0, argv[1]);
    for (uint64_t at = 0; at < SIZE; at += MIB) {
        must(pwrite(fd, zeros, MIB, (off_t)at) == (ssize_t)MIB, argv[1]);
    }
    must(fsync(fd) == 0, "fsync");
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);

    base = map(fd);
    vmemstore_folios_small(fd, base, 0, SIZE);
    touch_all(base);
    measure(base, 0, "small", "anywhere");
    munmap(base, SIZE);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);

    base = map(fd);
    vmemstore_folios_huge(base, SIZE);
    touch_all(base);
    printf("{\"pages\": \"huge\", \"mapped_huge_kib\": %lu}\n",
           number_in("/proc/self/smaps", "FilePmdMapped:"));
    measure(base, SIZE / 2, "huge", "data");
    vmemstore_folios_small(fd, base, 0, SIZE / 2);
    touch_all(base);
    measure(base, 0, "huge", "log");
    measure(base, SIZE / 2, "huge", "data");
    unlink(argv[1]);
    return 0;
}
