/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * space.c - the blocks of the file on the host's disk (see space.h)
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/timer.h"
#include "qemu/units.h"
#include "qapi/error.h"

#include <linux/falloc.h>
#include <sys/vfs.h>

#include "generation.h"
#include "space.h"

/* Zeros are written in pieces of this, ... */
#define PIECE (1 * MiB)
/* ... and leave the page cache after so many bytes. */
#define BATCH (64 * MiB)

/* What may be a hole where holes cannot be seen. */
#define BLOCK (64 * KiB)

#define REPORT_NS (5 * NANOSECONDS_PER_SECOND)

bool vmemstore_prealloc_parse(const char *text, VMemStorePrealloc *prealloc,
                              Error **errp)
{
    static const char *const names[] = { "off", "falloc", "full" };

    *prealloc = VMEMSTORE_PREALLOC_FALLOC;
    if (!text) {
        return true;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (g_str_equal(text, names[i])) {
            *prealloc = (VMemStorePrealloc)i;
            return true;
        }
    }
    error_setg(errp, "vmemstore: prealloc= must be off, falloc or full");
    return false;
}

static int allocate(int fd, int mode, uint64_t offset, uint64_t length)
{
    int ret;

    do {
        ret = fallocate(fd, mode, offset, length);
    } while (ret < 0 && errno == EINTR);
    return ret < 0 ? -errno : 0;
}

/* Spares the host a full disk for the moment that allocating in vain takes. */
static bool fits_at_all(int fd, uint64_t size)
{
    struct statfs fs;
    struct stat st;

    /* No blocks: no limit either (hugetlbfs). */
    if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0 || fs.f_blocks == 0) {
        return true;
    }
    return size / fs.f_bsize <=
           fs.f_bfree + (uint64_t)st.st_blocks * 512 / fs.f_bsize;
}

/* Is it as long as that, and does it have a block for each byte? */
static bool has_no_holes(int fd, uint64_t end)
{
    struct stat st;

    return fstat(fd, &st) == 0 && (uint64_t)st.st_size >= end &&
           st.st_blocks * 512 >= st.st_size;
}

static int lengthen(int fd, uint64_t end)
{
    struct stat st;

    if (fstat(fd, &st) < 0 ||
        ((uint64_t)st.st_size < end && ftruncate(fd, end) < 0)) {
        return -errno;
    }
    return 0;
}

/*
 * Give every block its place on the disk: a store into a hole of a full file
 * system would be lost.  A file system that cannot (FUSE, NFS before 4.2) can be
 * written to: then vmemstore_space_fill() does it for PREALLOC_FULL.
 */
static int allocate_all(int fd, uint64_t offset, uint64_t size,
                        VMemStorePrealloc prealloc)
{
    int err;

    if (!fits_at_all(fd, size)) {
        return -ENOSPC;
    }
    err = allocate(fd, 0, offset, size);
    if (err == -EOPNOTSUPP && has_no_holes(fd, offset + size)) {
        return 0;
    }
    if (err == -EOPNOTSUPP && prealloc == VMEMSTORE_PREALLOC_FULL) {
        return lengthen(fd, offset + size);
    }
    return err;
}

/* ---- prealloc=full ---- */

static int write_zeros(int fd, uint64_t offset, uint64_t length)
{
    g_autofree uint8_t *zeros = g_malloc0(PIECE);

    while (length) {
        ssize_t done = pwrite(fd, zeros, MIN(length, PIECE), offset);

        if (done < 0 && errno != EINTR) {
            return -errno;
        }
        if (done > 0) {
            offset += done;
            length -= done;
        }
    }
    return 0;
}

/*
 * Whatever the host's reason was, data may be lost: that is another failure than to
 * have no room for new blocks.
 */
static int write_back(int fd)
{
    int noted;

    return vmemstore_sync(fd, &noted) ? -EIO : 0;
}

/* To the disk and out of the cache, which would fill with zeros. */
static int settle(int fd, uint64_t offset, uint64_t length)
{
    int err = write_back(fd);

    if (err) {
        return err;
    }
    posix_fadvise(fd, offset, length, POSIX_FADV_DONTNEED);
    return 0;
}

static int fill_hole(int fd, const char *path, uint64_t start, uint64_t end,
                     uint64_t last, int64_t *reported, const bool *stop)
{
    int err = 0;

    for (uint64_t at = start; at < end && !err; at += BATCH) {
        uint64_t length = MIN(BATCH, end - at);

        if (stop && qatomic_read(stop)) {
            return -ECANCELED;
        }
        err = write_zeros(fd, at, length);
        if (!err) {
            err = settle(fd, at, length);
        }
        if (get_clock() - *reported > REPORT_NS) {
            *reported = get_clock();
            info_report("vmemstore: prealloc=full: '%s' is written up to %" PRIu64
                        " of %" PRIu64 " MiB", path, (at + length) / MiB,
                        last / MiB);
        }
    }
    return err;
}

/*
 * Where a file system neither allocates nor tells of holes, what reads as zeros may
 * be one: it is written.
 */
static int write_zeros_again(int fd, uint64_t start, uint64_t end,
                             const bool *stop)
{
    g_autofree uint8_t *piece = g_malloc(PIECE);
    int err = 0;

    for (uint64_t at = start; at < end && !err; at += PIECE) {
        uint64_t length = MIN(PIECE, end - at);
        ssize_t got = pread(fd, piece, length, at);

        if (stop && qatomic_read(stop)) {
            return -ECANCELED;
        }
        if (got != (ssize_t)length) {
            return got < 0 ? -errno : -EIO;
        }
        for (uint64_t i = 0; i < length && !err; i += BLOCK) {
            if (buffer_is_zero(piece + i, MIN(BLOCK, length - i))) {
                err = write_zeros(fd, at + i, MIN(BLOCK, length - i));
            }
        }
        if (!err && ((at + length) % BATCH == 0 || at + length == end)) {
            err = settle(fd, ROUND_DOWN(at, BATCH), BATCH);
        }
    }
    return err;
}

/*
 * Write zeros wherever nothing was written: blocks that are merely allocated
 * count as holes, too.  Nobody else writes: the file is locked.
 */
int vmemstore_space_fill(int fd, const char *path, uint64_t offset,
                         uint64_t size, const bool *stop)
{
    int64_t reported = get_clock();
    uint64_t at = offset, end = offset + size;
    /* Data on its way to the disk would be taken for a hole. */
    int err = write_back(fd);

    if (err) {
        return err;
    }
    if (allocate(fd, 0, offset, size) == -EOPNOTSUPP) {
        return write_zeros_again(fd, offset, end, stop);
    }
    while (at < end) {
        off_t hole = lseek(fd, at, SEEK_HOLE), data;

        if (hole < 0) {
            return -errno;
        }
        if ((uint64_t)hole >= end) {
            break;
        }
        data = lseek(fd, hole, SEEK_DATA);
        if (data < 0 && errno != ENXIO) {
            return -errno;
        }
        at = data < 0 ? end : MIN((uint64_t)data, end);
        err = fill_hole(fd, path, hole, at, end, &reported, stop);
        if (err) {
            return err;
        }
    }
    return 0;
}

/* ---- prealloc=off ---- */

/* Punching behind the end of the file changes nothing, but tells. */
static bool prepare_thin(int fd, const char *path, uint64_t end, Error **errp)
{
    struct stat st;
    int err = fstat(fd, &st) < 0 ? -errno : 0;

    if (!err && lengthen(fd, end) < 0) {
        error_setg(errp, "vmemstore: '%s' cannot have %" PRIu64 " bytes: %s: use a "
                   "smaller file", path, end, strerror(errno));
        return false;
    }
    if (!err) {
        err = allocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                       MAX((uint64_t)st.st_size, end), 2 * PIECE);
    }
    if (err) {
        error_setg(errp, "vmemstore: prealloc=off does not work with '%s': its "
                   "file system cannot allocate blocks on demand (%s): leave it "
                   "out", path, strerror(-err));
    }
    return !err;
}

bool vmemstore_space_prepare(int fd, const char *path, uint64_t offset,
                             uint64_t size, VMemStorePrealloc prealloc,
                             bool later, Error **errp)
{
    int err;

    if (prealloc == VMEMSTORE_PREALLOC_OFF) {
        return prepare_thin(fd, path, offset + size, errp);
    }
    err = allocate_all(fd, offset, size, prealloc);
    if (!err && prealloc == VMEMSTORE_PREALLOC_FULL && !later) {
        err = vmemstore_space_fill(fd, path, offset, size, NULL);
    }
    if (!err) {
        return true;
    }
    if (err == -ENOSPC || err == -EDQUOT || err == -EFBIG) {
        error_setg(errp, "vmemstore: no room for the %" PRIu64 " MiB of '%s' "
                   "(%s): free space, use a smaller file, or prealloc=off",
                   size / MiB, path, strerror(-err));
    } else if (err == -EOPNOTSUPP) {
        error_setg(errp, "vmemstore: the file system of '%s' cannot allocate the "
                   "blocks of its %" PRIu64 " MiB: use prealloc=full, which writes "
                   "them, or a file of that size without holes", path, size / MiB);
    } else {
        error_setg(errp, "vmemstore: cannot allocate the blocks of '%s': %s",
                   path, strerror(-err));
    }
    return false;
}

/* ---- requests ---- */

uint32_t vmemstore_space_widen(VMemStoreSpan *spans, uint32_t nr,
                               uint64_t block)
{
    for (uint32_t i = 0; i < nr; i++) {
        uint64_t end = ROUND_UP(spans[i].offset + spans[i].length, block);

        spans[i].offset = ROUND_DOWN(spans[i].offset, block);
        spans[i].length = end - spans[i].offset;
    }
    return nr;
}

uint32_t vmemstore_space_narrow(VMemStoreSpan *spans, uint32_t nr,
                                uint64_t block)
{
    uint32_t left = 0;

    for (uint32_t i = 0; i < nr; i++) {
        uint64_t start = ROUND_UP(spans[i].offset, block);
        uint64_t end = ROUND_DOWN(spans[i].offset + spans[i].length, block);

        if (end > start) {
            spans[left++] = (VMemStoreSpan) { start, end - start };
        }
    }
    return left;
}

int vmemstore_space_provision(int fd, uint64_t offset,
                              const VMemStoreSpan *spans, uint32_t nr)
{
    int err = 0;

    for (uint32_t i = 0; i < nr && !err; i++) {
        uint64_t start = offset + spans[i].offset;

        err = allocate(fd, FALLOC_FL_KEEP_SIZE, start, spans[i].length);
        /* NFS 4.2 can allocate, but not behind the end (RFC 7862, 15.1). */
        if (err == -EOPNOTSUPP) {
            err = allocate(fd, 0, start, spans[i].length);
        }
    }
    return err == -EDQUOT ? -ENOSPC : err;
}

int vmemstore_space_discard(int fd, uint64_t offset,
                            const VMemStoreSpan *spans, uint32_t nr)
{
    int err = 0;

    for (uint32_t i = 0; i < nr && !err; i++) {
        err = allocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                       offset + spans[i].offset, spans[i].length);
    }
    return err;
}
