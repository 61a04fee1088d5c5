/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapping.c - the host file behind the store (see mapping.h)
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/host-utils.h"
#include "qemu/madvise.h"
#include "qemu/units.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/guest-random.h"

#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/types.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#include "folios.h"
#include "mapping.h"
#include "notes.h"
#include "virtio_vmemstore.h"

/* Not in the headers of every libc; mmap(2) gives the meaning. */
#ifndef MAP_SHARED_VALIDATE
#define MAP_SHARED_VALIDATE 0x03
#endif
#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif

static bool check_size(const char *path, uint64_t size, Error **errp)
{
    if (size == 0 || size % VMEMSTORE_ALIGN) {
        error_setg(errp, "vmemstore: the size of '%s' is %" PRIu64 " bytes, but "
                   "must be a non-zero multiple of 2 MiB: use 'truncate -s %%2M' "
                   "on it, or size= to create a file", path, size);
        return false;
    }
    return true;
}

static bool writes_file(const VMemStoreFile *file)
{
    return !file->readonly && !file->cow;
}

/* To open a FIFO would wait for somebody at its other end. */
static bool is_storage(const char *path, Error **errp)
{
    struct stat st;

    if (stat(path, &st) < 0 || S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)) {
        return true;            /* open() says what is wrong */
    }
    error_setg(errp, "vmemstore: '%s' is neither a regular file nor a block "
               "device", path);
    return false;
}

static int open_flags(const VMemStoreFile *file)
{
    return (writes_file(file) ? O_RDWR : O_RDONLY) | O_CLOEXEC;
}

/* Open the file, or create it when a size was asked for. */
static int open_file(const VMemStoreFile *file, bool *created, Error **errp)
{
    const char *path = file->path;
    bool writes = writes_file(file);
    int flags = open_flags(file);
    struct stat st;
    int fd;

    if (!is_storage(path, errp)) {
        return -1;
    }
    if (writes && stat(path, &st) == 0 && S_ISBLK(st.st_mode)) {
        flags |= O_EXCL;        /* EBUSY when it is mounted */
    }
    fd = open(path, flags);

    *created = false;
    if (fd < 0 && errno == ENOENT && file->size && !file->offset && writes) {
        if (!check_size(path, file->size, errp)) {
            return -1;
        }
        fd = open(path, flags | O_CREAT | O_EXCL, 0644);
        *created = fd >= 0;
    }
    if (fd < 0) {
        error_setg(errp, "vmemstore: cannot open '%s': %s%s", path,
                   strerror(errno), errno == ENOENT && !file->size && writes ?
                   " (give size= to create it)" : "");
    }
    return fd;
}

/* Stores that lie in one file beside each other do not concern each other. */
static VMemStoreLock lock_of(const VMemStoreMapping *m, const VMemStoreFile *file)
{
    return (VMemStoreLock) {
        .fd = m->fd,
        .exclusive = vmemstore_mapping_shared(m),
        .offset = file->offset,
        .size = file->offset ? file->size : 0,
    };
}

static void lock_error(const VMemStoreLock *lock, const char *path, int err,
                       Error **errp)
{
    VMemStoreLockHolder holder = vmemstore_lock_holder(lock);

    if (err != -EAGAIN) {
        error_setg(errp, "vmemstore: cannot lock '%s': %s", path, strerror(-err));
    } else if (holder == VMEMSTORE_LOCK_PROMISED) {
        error_setg(errp, "vmemstore: '%s' is in use by another process (locked) "
                   "that hands it over to another VM: wait for the end of the "
                   "migration, or end the VM that was migrated or saved", path);
    } else if (holder == VMEMSTORE_LOCK_READERS) {
        error_setg(errp, "vmemstore: '%s' is in use by another process (locked) "
                   "that reads it: stop all readers, or join them with "
                   "readonly=on or cow=on", path);
    } else {
        error_setg(errp, "vmemstore: '%s' is in use by another process (locked) "
                   "that may write to it: stop the other VM, device or tool first",
                   path);
    }
}

static bool lock_file(const VMemStoreMapping *m, const VMemStoreFile *file,
                      Error **errp)
{
    VMemStoreLock lock = lock_of(m, file);
    int err = vmemstore_lock(&lock);

    if (err) {
        lock_error(&lock, file->path, err, errp);
    }
    return !err;
}

static bool file_size(int fd, const char *path, const struct stat *st,
                      uint64_t *size, Error **errp)
{
    if (S_ISREG(st->st_mode)) {
        *size = st->st_size;
        return true;
    }
    if (S_ISBLK(st->st_mode) && ioctl(fd, BLKGETSIZE64, size) == 0) {
        return true;
    }
    error_setg(errp, "vmemstore: '%s' is neither a regular file nor a block "
               "device", path);
    return false;
}

/* Which part of a file of @found bytes is the store?  find_backing() was called. */
static bool settle_part(VMemStoreMapping *m, const VMemStoreFile *file,
                        uint64_t found, Error **errp)
{
    const char *path = file->path;
    uint64_t size = file->size;

    m->offset = file->offset;
    m->size = found;
    if (!file->offset) {
        if (!check_size(path, found, errp)) {
            return false;
        }
        if (size && found != size) {
            error_setg(errp, "vmemstore: '%s' has %" PRIu64 " bytes, but size= "
                       "says %" PRIu64 ": leave size= out to use the file as it "
                       "is", path, found, size);
            return false;
        }
    } else if (file->offset % m->granule) {
        error_setg(errp, "vmemstore: offset= must be a multiple of %u for '%s'",
                   m->granule, path);
        return false;
    } else if (file->offset >= found || size > found - file->offset) {
        error_setg(errp, "vmemstore: '%s' has %" PRIu64 " bytes, but offset= and "
                   "size= need %" PRIu64 ": lengthen it ('truncate')", path, found,
                   file->offset + MAX(size, VMEMSTORE_ALIGN));
        return false;
    } else {
        m->size = size ? size : found - file->offset;
    }
    if (m->size % VMEMSTORE_ALIGN || m->size % m->granule) {
        error_setg(errp, "vmemstore: '%s' has %" PRIu64 " bytes for the store, but "
                   "they must be a multiple of %" PRIu64 ": give size=", path,
                   m->size, MAX((uint64_t)VMEMSTORE_ALIGN, m->granule));
        return false;
    }
    return true;
}

/*
 * Find out the size of the file, which is open.  When it is @ours, and not
 * another VM's or taken over from one, see to its blocks, too.
 */
static bool settle_size(VMemStoreMapping *m, const VMemStoreFile *file,
                        bool created, bool ours, Error **errp)
{
    const char *path = file->path;
    struct stat st;
    uint64_t found;

    if (fstat(m->fd, &st) < 0) {
        error_setg(errp, "vmemstore: cannot stat '%s': %s", path,
                   strerror(errno));
        return false;
    }
    if (!file_size(m->fd, path, &st, &found, errp)) {
        return false;
    }
    if (created) {
        found = file->size;
    }
    if (S_ISBLK(st.st_mode) && !file->offset && found % VMEMSTORE_ALIGN) {
        error_setg(errp, "vmemstore: the block device '%s' has %" PRIu64 " bytes, "
                   "but must have a multiple of 2 MiB: make it so, or use a part of "
                   "it by offset= and size=", path, found);
        return false;
    }
    if (!settle_part(m, file, found, errp)) {
        return false;
    }
    if (ours && S_ISREG(st.st_mode) && vmemstore_mapping_shared(m) &&
        !vmemstore_space_prepare(m->fd, path, m->offset, m->size,
                                 file->prealloc, false, errp)) {
        return false;
    }
    /* A block device may be thin below, but cannot be asked to allocate. */
    m->discards = vmemstore_mapping_shared(m) &&
                  file->prealloc == VMEMSTORE_PREALLOC_OFF;
    m->thin = m->discards && S_ISREG(st.st_mode);
    return true;
}

/* How much address space, in this process and in the guest, is the store's? */
static bool settle_room(VMemStoreMapping *m, const VMemStoreFile *file,
                        Error **errp)
{
    if (file->fixed || !vmemstore_mapping_shared(m)) {
        m->max_size = m->size;
        if (file->max_size && file->max_size != m->size) {
            error_setg(errp, "vmemstore: max-size= is of no use for '%s': with "
                       "readonly=on, cow=on or compat=virtio-pmem a store does "
                       "not grow", file->path);
            return false;
        }
        return true;
    }
    m->max_size = file->max_size ? file->max_size :
                  MAX(pow2ceil(m->size), VMEMSTORE_ROOM_MIN);
    if (m->max_size < m->size || m->max_size % VMEMSTORE_ALIGN) {
        error_setg(errp, "vmemstore: max-size= is %" PRIu64 " bytes, but must be a "
                   "multiple of 2 MiB, and %" PRIu64 ", the size of '%s', at least",
                   m->max_size, m->size, file->path);
        return false;
    }
    return true;
}

/* What the file system under the file means for durability. */
static void find_backing(VMemStoreMapping *m)
{
    struct statfs fs;
    struct stat st;

    m->backing = VMEMSTORE_BACKING_PAGE_CACHE;
    m->granule = qemu_real_host_page_size();
    m->block = m->granule;
    if (fstat(m->fd, &st) < 0 || fstatfs(m->fd, &fs) < 0) {
        return;
    }
    if (S_ISBLK(st.st_mode)) {
        /* The file system found is the one of /dev. */
        fs.f_type = 0;
        m->batches = true;
    }
    if (is_power_of_2(st.st_blksize) && st.st_blksize <= VMEMSTORE_ALIGN) {
        m->block = MAX(m->block, st.st_blksize);
    }
    switch (fs.f_type) {
    case HUGETLBFS_MAGIC:
        m->granule = fs.f_bsize;
        m->block = fs.f_bsize;
        m->backing = VMEMSTORE_BACKING_VOLATILE;
        break;
    case TMPFS_MAGIC:
    case RAMFS_MAGIC:
        m->backing = VMEMSTORE_BACKING_VOLATILE;
        break;
    case EXT4_SUPER_MAGIC:
    case XFS_SUPER_MAGIC:
        m->batches = true;
        m->local = true;
        break;
    }
    m->reads_disk = m->backing == VMEMSTORE_BACKING_PAGE_CACHE;
    if (m->cow) {
        m->backing = VMEMSTORE_BACKING_VOLATILE;
    }
}

/* The bytes of the store from @start to @end. */
static void *map_at(const VMemStoreMapping *m, uint64_t start, uint64_t end,
                    int flags)
{
    int prot = PROT_READ | (m->readonly ? 0 : PROT_WRITE);

    return mmap(m->base + start, end - start, prot, flags | MAP_FIXED, m->fd,
                m->offset + start);
}

/*
 * Some accesses of QEMU's own to a read-only store are not cut at its end, and
 * read up to 7 bytes more (address_space_read() of a ROM device): they find zeros.
 */
static size_t tail_size(void)
{
    return qemu_real_host_page_size();
}

/*
 * Take an aligned place in memory, with room to grow: guest and host addresses
 * congruent modulo 2 MiB permit huge mappings.
 */
static bool take_place(VMemStoreMapping *m, const char *path, Error **errp)
{
    size_t align = MAX(VMEMSTORE_ALIGN, m->granule);
    size_t reserved = m->max_size + align + tail_size();
    uint8_t *area, *end;

    area = mmap(NULL, reserved, PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (area == MAP_FAILED) {
        error_setg(errp, "vmemstore: cannot reserve %zu bytes of address space "
                   "for '%s': %s", reserved, path, strerror(errno));
        return false;
    }
    m->base = (uint8_t *)ROUND_UP((uintptr_t)area, align);
    end = m->base + m->max_size + tail_size();
    if (m->base > area) {
        munmap(area, m->base - area);
    }
    if (area + reserved > end) {
        munmap(end, area + reserved - end);
    }
    if (mprotect(end - tail_size(), tail_size(), PROT_READ) < 0) {
        error_setg(errp, "vmemstore: cannot map the page behind '%s': %s", path,
                   strerror(errno));
        return false;           /* the caller closes the mapping */
    }
    return true;
}

/* Map the file into the place that was taken for it. */
static bool map_file(VMemStoreMapping *m, const VMemStoreFile *file,
                     Error **errp)
{
    void *p = MAP_FAILED;

    if (m->backing == VMEMSTORE_BACKING_PAGE_CACHE) {
        /* Fails with EOPNOTSUPP unless the file is on real persistent memory. */
        p = map_at(m, 0, m->size, MAP_SHARED_VALIDATE | MAP_SYNC);
        if (p != MAP_FAILED) {
            m->backing = VMEMSTORE_BACKING_DAX;
        }
    }
    if (p == MAP_FAILED) {
        /* A private copy takes memory only for what is changed. */
        p = map_at(m, 0, m->size,
                   m->cow ? MAP_PRIVATE | MAP_NORESERVE : MAP_SHARED);
    }
    if (p == MAP_FAILED) {
        error_setg(errp, "vmemstore: cannot map '%s': %s", file->path,
                   strerror(errno));
        return false;
    }
    if (file->fake_dax && m->backing == VMEMSTORE_BACKING_PAGE_CACHE) {
        m->backing = VMEMSTORE_BACKING_DAX;
    }
    return true;
}

/* Whose dirty pages are worth keeping small. */
static bool has_page_cache(const VMemStoreMapping *m)
{
    return m->backing == VMEMSTORE_BACKING_PAGE_CACHE &&
           vmemstore_mapping_shared(m);
}

/*
 * Where it cannot be known what was lost, every start has a generation of its own.
 * @ours: not another VM's, or taken over from one.
 */
static int find_generation(VMemStoreMapping *m, const char *path, bool ours)
{
    bool uses = ours && has_page_cache(m);
    int err = uses ? vmemstore_use_begin(m->fd, m->offset) : 0;

    m->in_use = err > 0;
    if (err < 0) {
        warn_report("vmemstore: whether '%s' loses data when QEMU is killed cannot be "
                    "noted (%s), so every start counts as one after a failure of the "
                    "host: let " VMEMSTORE_RUN_DIR " be writable", path,
                    strerror(-err));
    }
    if (err < 0 || (!uses && vmemstore_is_in_use(m->fd, m->offset))) {
        return qemu_guest_getrandom(m->generation, sizeof(m->generation), NULL);
    }
    return vmemstore_backing_generation(m->fd, m->generation);
}

static bool read_generation(VMemStoreMapping *m, const char *path, bool ours,
                            Error **errp)
{
    int err = find_generation(m, path, ours);

    if (err < 0) {
        error_setg(errp, "vmemstore: cannot compute the generation of '%s': %s",
                   path, strerror(-err));
        return false;
    }
    return true;
}

/* A migration that brought the contents may have ended too early. */
static bool check_complete(const VMemStoreMapping *m, const VMemStoreFile *file,
                           Error **errp)
{
    if (file->arrives || !vmemstore_is_incomplete(m->fd)) {
        return true;
    }
    error_setg(errp, "vmemstore: '%s' is incomplete: a migration to it was cut "
               "off. Migrate to it again, or delete it", file->path);
    return false;
}

static bool fill_mapping(VMemStoreMapping *m, const VMemStoreFile *file,
                         bool created, Error **errp)
{
    const char *path = file->path;

    find_backing(m);
    if (!lock_file(m, file, errp) || !check_complete(m, file, errp) ||
        !settle_size(m, file, created, true, errp) ||
        !settle_room(m, file, errp)) {
        return false;
    }
    if (has_page_cache(m) &&
        !vmemstore_cache_drop(&m->cache, m->fd, m->offset, m->size,
                              m->hugepages || !m->local, path, errp)) {
        return false;
    }
    return read_generation(m, path, true, errp) && take_place(m, path, errp) && map_file(m, file, errp);
}

void vmemstore_mapping_advise(VMemStoreMapping *m)
{
    if (has_page_cache(m) && m->hugepages) {
        vmemstore_folios_huge(m->base, m->size);
    } else if (has_page_cache(m)) {
        vmemstore_cache_start(&m->cache, m->base);
    }
}

bool vmemstore_mapping_open(VMemStoreMapping *m, const VMemStoreFile *file,
                            Error **errp)
{
    bool created;

    memset(m, 0, sizeof(*m));
    m->readonly = file->readonly;
    m->cow = file->cow;
    m->hugepages = file->hugepages;
    m->fd = open_file(file, &created, errp);
    if (m->fd < 0) {
        return false;
    }
    if (!fill_mapping(m, file, created, errp)) {
        vmemstore_mapping_close(m);
        if (created) {
            unlink(file->path);
        }
        return false;
    }
    m->created = created;
    return true;
}

void vmemstore_mapping_end_use(VMemStoreMapping *m)
{
    int noted;

    if (m->in_use && !m->spoiled && vmemstore_sync(m->fd, &noted) == 0) {
        vmemstore_use_end(m->fd, m->offset);
        m->in_use = false;
    }
}

void vmemstore_mapping_close(VMemStoreMapping *m)
{
    vmemstore_cache_stop(&m->cache);
    vmemstore_mapping_end_use(m);
    if (m->base) {
        munmap(m->base, m->max_size + tail_size());
        m->base = NULL;
    }
    if (m->fd >= 0) {
        close(m->fd);
        m->fd = -1;
    }
}

/* ---- growth ---- */

/* The part of the file that the store will have; NULL: the lock covers it. */
static const VMemStoreFile *more_to_lock(const VMemStoreMapping *m,
                                         const VMemStoreFile *file,
                                         uint64_t size, VMemStoreFile *more)
{
    if (!file->offset || !file->size) {
        return NULL;
    }
    *more = *file;
    more->offset = file->offset + m->size;
    more->size = size - m->size;
    return more;
}

/* @found: bytes in the file, as @st says. */
static bool lengthen(const VMemStoreMapping *m, const VMemStoreFile *file,
                     const struct stat *st, uint64_t found, uint64_t size,
                     Error **errp)
{
    struct stat now;

    if (!S_ISREG(st->st_mode)) {
        if (found >= m->offset + size) {
            return true;
        }
        error_setg(errp, "vmemstore: '%s' has %" PRIu64 " bytes, but %" PRIu64
                   " are needed: enlarge the block device first", file->path,
                   found, m->offset + size);
        return false;
    }
    if (vmemstore_space_prepare(m->fd, file->path, m->offset, size,
                                file->prealloc, true, errp)) {
        return true;
    }
    /* What could be had is given back: nobody uses it. */
    if (fstat(m->fd, &now) == 0 && now.st_size > st->st_size &&
        ftruncate(m->fd, st->st_size) < 0) {
        warn_report("vmemstore: '%s' could not be made short again: %s",
                    file->path, strerror(errno));
    }
    return false;
}

bool vmemstore_mapping_extend_file(const VMemStoreMapping *m,
                                   const VMemStoreFile *file, uint64_t size,
                                   Error **errp)
{
    VMemStoreFile part;
    const VMemStoreFile *more = more_to_lock(m, file, size, &part);
    struct stat st;
    uint64_t found;

    if (fstat(m->fd, &st) < 0) {
        error_setg(errp, "vmemstore: cannot stat '%s': %s", file->path,
                   strerror(errno));
        return false;
    }
    if (!file_size(m->fd, file->path, &st, &found, errp) ||
        (more && !lock_file(m, more, errp))) {
        return false;
    }
    if (!lengthen(m, file, &st, found, size, errp)) {
        if (more) {
            VMemStoreLock lock = lock_of(m, more);

            vmemstore_unlock(&lock);
        }
        return false;
    }
    return true;
}

int vmemstore_mapping_settle_file(const VMemStoreMapping *m,
                                  const VMemStoreFile *file, uint64_t size,
                                  const bool *stop)
{
    uint64_t start = m->offset + m->size, length = size - m->size;
    int err = 0, noted;

    if (file->prealloc == VMEMSTORE_PREALLOC_FULL) {
        err = vmemstore_space_fill(m->fd, file->path, start, length, stop);
    }
    if (!err && vmemstore_sync(m->fd, &noted)) {
        err = -EIO;             /* whatever the host's reason was */
    }
    if (has_page_cache(m) && !m->hugepages) {
        /* It may have come in large folios (cache.h). */
        posix_fadvise(m->fd, start, length, POSIX_FADV_DONTNEED);
    }
    return err;
}

bool vmemstore_mapping_extend(VMemStoreMapping *m, const VMemStoreFile *file,
                              uint64_t size, Error **errp)
{
    bool dax = m->backing == VMEMSTORE_BACKING_DAX && !file->fake_dax;
    uint8_t *part = m->base + m->size;
    uint64_t length = size - m->size;

    if (map_at(m, m->size, size, dax ? MAP_SHARED_VALIDATE | MAP_SYNC :
               MAP_SHARED) == MAP_FAILED) {
        error_setg(errp, "vmemstore: cannot map more of '%s': %s", file->path,
                   strerror(errno));
        if (mmap(part, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
                 MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED) {
            abort();            /* as QEMU does without memory */
        }
        return false;
    }
    /* As QEMU had the first part. */
    qemu_madvise(part, length, QEMU_MADV_DONTFORK);
    if (has_page_cache(m) && m->hugepages) {
        vmemstore_folios_huge(part, length);
    } else if (has_page_cache(m)) {
        vmemstore_folios_advise_small(part, length);
    }
    qatomic_set(&m->size, size);
    return true;
}

/* ---- handing a file over ---- */

/* What is not ours is shown, but not changed. */
static void show_file(VMemStoreMapping *m, const char *path)
{
    int prot = PROT_READ | PROT_WRITE;
    int flags = MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *p = MAP_FAILED;

    if (fd >= 0) {
        p = mmap(m->base, m->size, prot, flags, fd, m->offset);
        close(fd);
    }
    if (p == MAP_FAILED &&
        mmap(m->base, m->size, prot, flags | MAP_ANONYMOUS, -1, 0) ==
        MAP_FAILED) {
        abort();                /* as QEMU does without memory */
    }
}

static void close_file(VMemStoreMapping *m)
{
    if (m->fd >= 0) {
        close(m->fd);
        m->fd = -1;
    }
}

bool vmemstore_mapping_reserve(VMemStoreMapping *m, const VMemStoreFile *file,
                               Error **errp)
{
    const char *path = file->path;

    memset(m, 0, sizeof(*m));
    m->hugepages = file->hugepages;
    m->fd = -1;
    if (!is_storage(path, errp)) {
        return false;
    }
    /* Without O_EXCL: the other VM may be on this host. */
    m->fd = open(path, open_flags(file));
    if (m->fd < 0) {
        error_setg(errp, "vmemstore: cannot open '%s': %s", path,
                   strerror(errno));
        return false;
    }
    find_backing(m);
    if (!settle_size(m, file, false, false, errp) ||
        !settle_room(m, file, errp) || !read_generation(m, path, false, errp)) {
        goto fail;
    }
    /* Maps it only to learn whether it can be mapped, and what it is on. */
    if (!take_place(m, path, errp) || !map_file(m, file, errp)) {
        goto fail;
    }
    show_file(m, path);
    close_file(m);
    return true;

fail:
    vmemstore_mapping_close(m);
    return false;
}

void vmemstore_mapping_release(VMemStoreMapping *m, const VMemStoreFile *file)
{
    vmemstore_cache_stop(&m->cache);
    vmemstore_mapping_end_use(m);
    show_file(m, file->path);
    close_file(m);
}

VMemStoreLock vmemstore_mapping_hand_over(VMemStoreMapping *m,
                                          const VMemStoreFile *file)
{
    VMemStoreLock lock = lock_of(m, file);

    vmemstore_cache_stop(&m->cache);
    vmemstore_mapping_end_use(m);
    show_file(m, file->path);
    vmemstore_lock_hand_over(&lock);
    m->fd = -1;
    return lock;
}

static bool lock_promised(const VMemStoreMapping *m, const VMemStoreFile *file,
                          Error **errp)
{
    VMemStoreLock lock = lock_of(m, file);
    int err = vmemstore_lock_promised(&lock);

    if (err) {
        lock_error(&lock, file->path, err, errp);
    }
    return !err;
}

bool vmemstore_mapping_acquire(VMemStoreMapping *m, const VMemStoreFile *file,
                               bool stale, Error **errp)
{
    const char *path = file->path;
    VMemStoreFile again = *file;
    VMemStoreMapping old = *m;
    bool created;

    if (!file->offset) {
        again.size = 0;         /* nothing is to be created any more */
    }
    m->fd = open_file(&again, &created, errp);
    if (m->fd < 0) {
        return false;
    }
    find_backing(m);
    if (!lock_promised(m, file, errp) ||
        !settle_size(m, &again, false, false, errp)) {
        goto fail;
    }
    if (!file->offset && m->size > old.size) {
        m->size = old.size;     /* longer, but the guest was not told */
    }
    if (m->size != old.size || m->granule != old.granule) {
        error_setg(errp, "vmemstore: '%s' is not what it was when this QEMU "
                   "started: its size is %" PRIu64 " bytes, and was %" PRIu64,
                   path, m->size, old.size);
        goto fail;
    }
    /* Pages stay in the cache as long as they are mapped. */
    if (stale && (mmap(m->base, m->size, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
                       -1, 0) == MAP_FAILED ||
                  !vmemstore_cache_drop(&m->cache, m->fd, m->offset, m->size, true,
                                        path, errp))) {
        goto fail;
    }
    vmemstore_cache_keep(&m->cache, m->fd, m->offset, m->size);
    /* Its generation comes with the VM. */
    m->in_use = vmemstore_use_begin(m->fd, m->offset) > 0;
    if (map_file(m, file, errp)) {
        vmemstore_mapping_advise(m);
        return true;
    }

fail:
    close(m->fd);
    *m = old;
    show_file(m, path);
    return false;
}
