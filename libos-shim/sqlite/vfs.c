// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* vfs.c - a sqlite3_vfs on the library */
#include <errno.h>
#include <string.h>

#include "sqlite3.h"
#include "vmemos_sqlite.h"

#define SHM_LOCKS	SQLITE_SHM_NLOCK
#define JULIAN_1970	210866760000000ll	/* ms from the Julian epoch to 1970 */

struct vfs_file;

/* An open database file: what its connections share. */
struct node {
	struct node *next;
	uint64_t ino;
	unsigned int refs;
	unsigned int shared;		/* connections that hold a lock */
	struct vfs_file *writer;	/* RESERVED or more */
	int pending;			/* no new SHARED */
	unsigned int shm_users;
	int regions;
	char **region;			/* the WAL index */
	unsigned int shm_shared[SHM_LOCKS];
	unsigned int shm_exclusive;	/* bits */
};

struct vfs_file {
	sqlite3_file base;
	struct vmemos_file *file;
	struct node *node;
	const char *path;		/* NULL: a temporary file; SQLite keeps it for us */
	int level;			/* SQLITE_LOCK_ */
	int uses_shm, persist_wal, delete_on_close;
	unsigned int shm_shared, shm_exclusive;	/* bits */
	sqlite3_int64 mmap_size;
	unsigned int fetched;		/* pages out */
};

static struct vmemos_platform *platform;
static struct vmemos *fs;
static struct node *nodes;

unsigned long vmemos_sqlite_fetched, vmemos_sqlite_copied;

static struct vfs_file *of(sqlite3_file *f)
{
	return (struct vfs_file *)(void *)f;
}

/* ---- What connections share ---- */

static struct node *get_node(uint64_t ino)
{
	struct node *n = nodes;

	while (n && n->ino != ino)
		n = n->next;
	if (!n) {
		n = sqlite3_malloc(sizeof(*n));
		if (!n)
			return NULL;
		memset(n, 0, sizeof(*n));
		n->ino = ino;
		n->next = nodes;
		nodes = n;
	}
	n->refs++;
	return n;
}

static void free_regions(struct node *n)
{
	while (n->regions)
		sqlite3_free(n->region[--n->regions]);
	sqlite3_free(n->region);
	n->region = NULL;
}

static void put_node(struct node *n)
{
	struct node **p = &nodes;

	if (--n->refs)
		return;
	while (*p != n)
		p = &(*p)->next;
	*p = n->next;
	free_regions(n);
	sqlite3_free(n);
}

/* ---- Data ---- */

static int vfs_read(sqlite3_file *f, void *buf, int amount, sqlite3_int64 off)
{
	int64_t n = vmemos_pread(of(f)->file, buf, (size_t)amount, (uint64_t)off);

	if (n == amount)
		return SQLITE_OK;
	if (n < 0)
		return SQLITE_IOERR_READ;
	memset((char *)buf + n, 0, (size_t)(amount - n));
	return SQLITE_IOERR_SHORT_READ;
}

static int vfs_write(sqlite3_file *f, const void *buf, int amount, sqlite3_int64 off)
{
	int64_t n = vmemos_pwrite(of(f)->file, buf, (size_t)amount, (uint64_t)off);

	if (n == amount)
		return SQLITE_OK;
	return n >= 0 || n == -ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int vfs_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	int err;

	/* Pages are out: the file stays longer than it must be, as on Windows. */
	if (of(f)->fetched)
		return SQLITE_OK;
	err = vmemos_ftruncate(of(f)->file, (uint64_t)size);
	return !err || err == -EBUSY ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

static int vfs_sync(sqlite3_file *f, int flags)
{
	(void)flags;
	/* Nobody needs the times of a database. */
	return vmemos_fsync(of(f)->file, true) ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int vfs_size(sqlite3_file *f, sqlite3_int64 *size)
{
	struct vmemos_stat st;

	if (vmemos_fstat(of(f)->file, &st))
		return SQLITE_IOERR_FSTAT;
	*size = (sqlite3_int64)st.size;
	return SQLITE_OK;
}

/* A page where it lies in the store, or NULL: SQLite then reads a copy. */
static int vfs_fetch(sqlite3_file *f, sqlite3_int64 off, int amount, void **page)
{
	struct vfs_file *v = of(f);
	const void *addr;
	int64_t n;

	*page = NULL;
	if (off + amount > v->mmap_size)
		return SQLITE_OK;
	n = vmemos_borrow(v->file, (uint64_t)off, (size_t)amount, &addr);
	if (n == amount) {
		v->fetched++;
		vmemos_sqlite_fetched++;
		*page = (void *)(uintptr_t)addr;
		return SQLITE_OK;
	}
	if (n > 0)
		vmemos_give_back(v->file);
	vmemos_sqlite_copied++;
	return SQLITE_OK;
}

static int vfs_unfetch(sqlite3_file *f, sqlite3_int64 off, void *page)
{
	(void)off;
	/* Without a page: forget what is mapped, which is nothing. */
	if (!page)
		return SQLITE_OK;
	vmemos_give_back(of(f)->file);
	of(f)->fetched--;
	return SQLITE_OK;
}

/* ---- Locks: between the connections of this program ---- */

static int vfs_lock(sqlite3_file *f, int level)
{
	struct vfs_file *v = of(f);
	struct node *n = v->node;

	if (v->level >= level)
		return SQLITE_OK;
	if (v->level == SQLITE_LOCK_NONE) {
		if (n->pending)
			return SQLITE_BUSY;
		n->shared++;
		v->level = SQLITE_LOCK_SHARED;
	}
	if (level == SQLITE_LOCK_SHARED)
		return SQLITE_OK;
	if (n->writer && n->writer != v)
		return SQLITE_BUSY;
	n->writer = v;
	if (level == SQLITE_LOCK_RESERVED) {
		v->level = level;
		return SQLITE_OK;
	}
	n->pending = 1;
	v->level = SQLITE_LOCK_PENDING;
	if (n->shared > 1)
		return SQLITE_BUSY;
	v->level = level;
	return SQLITE_OK;
}

static int vfs_unlock(sqlite3_file *f, int level)
{
	struct vfs_file *v = of(f);
	struct node *n = v->node;

	if (v->level <= level)
		return SQLITE_OK;
	if (n->writer == v) {
		n->writer = NULL;
		n->pending = 0;
	}
	if (level == SQLITE_LOCK_NONE)
		n->shared--;
	v->level = level;
	return SQLITE_OK;
}

static int vfs_check_reserved(sqlite3_file *f, int *reserved)
{
	*reserved = of(f)->node->writer != NULL;
	return SQLITE_OK;
}

/* ---- The WAL index ---- */

static int vfs_shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **mem)
{
	struct vfs_file *v = of(f);
	struct node *n = v->node;

	*mem = NULL;
	if (!v->uses_shm) {
		v->uses_shm = 1;
		n->shm_users++;
	}
	if (region >= n->regions && !extend)
		return SQLITE_OK;
	while (region >= n->regions) {
		char **list = sqlite3_realloc(n->region, (n->regions + 1) * (int)sizeof(*list));

		if (!list)
			return SQLITE_IOERR_NOMEM;
		n->region = list;
		list[n->regions] = sqlite3_malloc(size);
		if (!list[n->regions])
			return SQLITE_IOERR_NOMEM;
		memset(list[n->regions++], 0, (size_t)size);
	}
	*mem = n->region[region];
	return SQLITE_OK;
}

static void shm_release(struct vfs_file *v, unsigned int mask)
{
	int i;

	v->node->shm_exclusive &= ~(v->shm_exclusive & mask);
	v->shm_exclusive &= ~mask;
	for (i = 0; i < SHM_LOCKS; i++)
		if (v->shm_shared & mask & 1u << i)
			v->node->shm_shared[i]--;
	v->shm_shared &= ~mask;
}

static int vfs_shm_lock(sqlite3_file *f, int first, int count, int flags)
{
	struct vfs_file *v = of(f);
	struct node *n = v->node;
	unsigned int mask = ((1u << count) - 1) << first;
	int i;

	if (flags & SQLITE_SHM_UNLOCK) {
		shm_release(v, mask);
		return SQLITE_OK;
	}
	if (n->shm_exclusive & ~v->shm_exclusive & mask)
		return SQLITE_BUSY;
	if (flags & SQLITE_SHM_EXCLUSIVE) {
		for (i = first; i < first + count; i++)
			if (n->shm_shared[i] > (v->shm_shared >> i & 1))
				return SQLITE_BUSY;
		n->shm_exclusive |= mask;
		v->shm_exclusive |= mask;
		return SQLITE_OK;
	}
	for (i = first; i < first + count; i++)
		n->shm_shared[i] += !(v->shm_shared >> i & 1);
	v->shm_shared |= mask;
	return SQLITE_OK;
}

static void vfs_shm_barrier(sqlite3_file *f)
{
	(void)f;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* The last user's index is of no use: the next one builds it from the log. */
static int vfs_shm_unmap(sqlite3_file *f, int delete)
{
	struct vfs_file *v = of(f);

	(void)delete;
	if (!v->uses_shm)
		return SQLITE_OK;
	shm_release(v, ~0u);
	v->uses_shm = 0;
	if (!--v->node->shm_users)
		free_regions(v->node);
	return SQLITE_OK;
}

/* ---- About a file ---- */

static int has_moved(struct vfs_file *v)
{
	struct vmemos_stat st;

	return v->path && (vmemos_stat(vmemos_root(fs), v->path, 0, &st) || st.ino != v->node->ino);
}

static int vfs_control(sqlite3_file *f, int op, void *arg)
{
	struct vfs_file *v = of(f);
	sqlite3_int64 old = v->mmap_size, size;

	switch (op) {
	case SQLITE_FCNTL_LOCKSTATE:
		*(int *)arg = v->level;
		return SQLITE_OK;
	case SQLITE_FCNTL_PERSIST_WAL:
		if (*(int *)arg >= 0)
			v->persist_wal = *(int *)arg;
		*(int *)arg = v->persist_wal;
		return SQLITE_OK;
	case SQLITE_FCNTL_POWERSAFE_OVERWRITE:
		*(int *)arg = 1;
		return SQLITE_OK;
	case SQLITE_FCNTL_HAS_MOVED:
		*(int *)arg = has_moved(v);
		return SQLITE_OK;
	case SQLITE_FCNTL_VFSNAME:
		*(char **)arg = sqlite3_mprintf("vmemos");
		return SQLITE_OK;
	case SQLITE_FCNTL_MMAP_SIZE:
		size = *(sqlite3_int64 *)arg;
		if (size >= 0 && !v->fetched)
			v->mmap_size = size;
		*(sqlite3_int64 *)arg = old;
		return SQLITE_OK;
	default:
		return SQLITE_NOTFOUND;
	}
}

static int vfs_sector(sqlite3_file *f)
{
	(void)f;
	return 4096;
}

static int vfs_characteristics(sqlite3_file *f)
{
	int ordered = vmemos_get_domain(fs) == VMEMOS_DOMAIN_HOST ? 0 : SQLITE_IOCAP_SEQUENTIAL;

	(void)f;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE | SQLITE_IOCAP_SAFE_APPEND | ordered;
}

static int vfs_close(sqlite3_file *f)
{
	struct vfs_file *v = of(f);

	vfs_unlock(f, SQLITE_LOCK_NONE);
	vfs_shm_unmap(f, 0);
	put_node(v->node);
	vmemos_close(v->file);
	if (v->delete_on_close && v->path)
		vmemos_unlink(vmemos_root(fs), v->path);
	return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
	.iVersion = 3,
	.xClose = vfs_close,
	.xRead = vfs_read,
	.xWrite = vfs_write,
	.xTruncate = vfs_truncate,
	.xSync = vfs_sync,
	.xFileSize = vfs_size,
	.xLock = vfs_lock,
	.xUnlock = vfs_unlock,
	.xCheckReservedLock = vfs_check_reserved,
	.xFileControl = vfs_control,
	.xSectorSize = vfs_sector,
	.xDeviceCharacteristics = vfs_characteristics,
	.xShmMap = vfs_shm_map,
	.xShmLock = vfs_shm_lock,
	.xShmBarrier = vfs_shm_barrier,
	.xShmUnmap = vfs_shm_unmap,
	.xFetch = vfs_fetch,
	.xUnfetch = vfs_unfetch,
};

/* ---- Names ---- */

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *out)
{
	unsigned int how = flags & SQLITE_OPEN_READWRITE ? VMEMOS_O_RDWR : VMEMOS_O_RDONLY;
	struct vfs_file *v = of(f);
	struct vmemos_stat st;
	int err;

	(void)vfs;
	memset(v, 0, sizeof(*v));
	if (flags & SQLITE_OPEN_CREATE)
		how |= VMEMOS_O_CREAT;
	if (flags & SQLITE_OPEN_EXCLUSIVE)
		how |= VMEMOS_O_EXCL | VMEMOS_O_NOFOLLOW;
	if (!path)
		how = VMEMOS_O_RDWR | VMEMOS_O_TMPFILE;
	err = vmemos_open(vmemos_root(fs), path ? path : "/", how, 0644, &v->file);
	if (err == -EROFS && path && !(flags & SQLITE_OPEN_EXCLUSIVE)) {
		flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
		err = vmemos_open(vmemos_root(fs), path, VMEMOS_O_RDONLY, 0, &v->file);
	}
	if (err)
		return err == -ENOMEM ? SQLITE_NOMEM : SQLITE_CANTOPEN;
	v->node = vmemos_fstat(v->file, &st) ? NULL : get_node(st.ino);
	if (!v->node) {
		vmemos_close(v->file);
		return SQLITE_NOMEM;
	}
	v->path = path;
	v->delete_on_close = flags & SQLITE_OPEN_DELETEONCLOSE;
	v->base.pMethods = &methods;
	if (out)
		*out = flags;
	return SQLITE_OK;
}

/* The directory that holds path is durable. */
static int sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	struct vmemos_file *dir;
	char name[512];
	size_t len = slash && slash != path ? (size_t)(slash - path) : 1;
	int err;

	if (len >= sizeof(name))
		return -ENAMETOOLONG;
	memcpy(name, slash ? path : "/", len);
	name[len] = 0;
	err = vmemos_open(vmemos_root(fs), name, VMEMOS_O_DIRECTORY, 0, &dir);
	if (err)
		return err;
	err = vmemos_fsync(dir, true);
	vmemos_close(dir);
	return err;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
	int err = vmemos_unlink(vmemos_root(fs), path);

	(void)vfs;
	if (err)
		return err == -ENOENT ? SQLITE_IOERR_DELETE_NOENT : SQLITE_IOERR_DELETE;
	return sync && sync_directory(path) ? SQLITE_IOERR_DIR_FSYNC : SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *yes)
{
	struct vmemos_stat st;

	(void)vfs;
	*yes = vmemos_stat(vmemos_root(fs), path, 0, &st) == 0;
	/* An empty file is as good as none: so is SQLite's own VFS. */
	if (*yes && flags == SQLITE_ACCESS_EXISTS)
		*yes = (st.mode & VMEMOS_S_IFMT) != VMEMOS_S_IFREG || st.size > 0;
	return SQLITE_OK;
}

/* A relative path starts at the root. */
static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int size, char *out)
{
	(void)vfs;
	sqlite3_snprintf(size, out, path[0] == '/' ? "%s" : "/%s", path);
	return strlen(path) + 2 > (size_t)size ? SQLITE_CANTOPEN : SQLITE_OK;
}

/* ---- The rest of the world ---- */

static int vfs_random(sqlite3_vfs *vfs, int len, char *out)
{
	(void)vfs;
	platform->random(platform, out, (size_t)len);
	return len;
}

/* Nobody else runs: a lock that is busy stays busy. */
static int vfs_sleep(sqlite3_vfs *vfs, int microseconds)
{
	(void)vfs;
	return microseconds;
}

static int vfs_time64(sqlite3_vfs *vfs, sqlite3_int64 *ms)
{
	(void)vfs;
	*ms = platform->now(platform) / 1000000 + JULIAN_1970;
	return SQLITE_OK;
}

static int vfs_time(sqlite3_vfs *vfs, double *days)
{
	sqlite3_int64 ms;

	vfs_time64(vfs, &ms);
	*days = (double)ms / 86400000.0;
	return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int len, char *text)
{
	(void)vfs;
	(void)len;
	(void)text;
	return 0;
}

static sqlite3_vfs vmemos_vfs = {
	.iVersion = 2,
	.szOsFile = sizeof(struct vfs_file),
	.mxPathname = 500,
	.zName = "vmemos",
	.xOpen = vfs_open,
	.xDelete = vfs_delete,
	.xAccess = vfs_access,
	.xFullPathname = vfs_full_path,
	.xRandomness = vfs_random,
	.xSleep = vfs_sleep,
	.xCurrentTime = vfs_time,
	.xGetLastError = vfs_last_error,
	.xCurrentTimeInt64 = vfs_time64,
};

/* SQLITE_OS_OTHER: there is no other operating system.  Called by sqlite3_initialize(). */
int sqlite3_os_init(void)
{
	return sqlite3_vfs_register(&vmemos_vfs, 1);
}

int sqlite3_os_end(void)
{
	return SQLITE_OK;
}

int vmemos_sqlite(struct vmemos_platform *p, struct vmemos *mount, void *heap, int heap_size)
{
	int err = sqlite3_config(SQLITE_CONFIG_HEAP, heap, heap_size, 64);

	platform = p;
	fs = mount;
	return err ? err : sqlite3_initialize();
}
