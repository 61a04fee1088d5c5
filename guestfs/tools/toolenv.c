// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* toolenv.c - the surroundings of the core in a host process, and its store */
#define _GNU_SOURCE
#include <ctype.h>
#include <fcntl.h>
#include <libpmem.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "generation.h"
#include "lock.h"
#include "notes.h"
#include "medium/hash.h"
#include "toolenv.h"

static const char *tool_name = "vmemfs";
static bool tool_verbose, tool_in_background;

#define MAX_KEPT 1000u

static char **kept;		/* NULL: none are */
static size_t nr_kept;

void tool_keep_errors(void)
{
	if (!kept)
		kept = calloc(MAX_KEPT, sizeof(*kept));
}

size_t tool_kept_errors(const char *const **lines)
{
	*lines = (const char *const *)kept;
	return nr_kept;
}

__attribute__((format(printf, 1, 0)))
static void keep(const char *fmt, va_list ap)
{
	va_list again;

	va_copy(again, ap);
	if (kept && nr_kept < MAX_KEPT && vasprintf(&kept[nr_kept], fmt, again) >= 0)
		nr_kept++;
	va_end(again);
}

/* One line. */
__attribute__((format(printf, 1, 0)))
static void say(const char *fmt, va_list ap)
{
	keep(fmt, ap);
	if (tool_in_background) {
		vsyslog(LOG_DAEMON | LOG_ERR, fmt, ap);
		return;
	}
	flockfile(stderr);
	fprintf(stderr, "%s: ", tool_name);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	funlockfile(stderr);
}

void tool_use_syslog(void)
{
	openlog(tool_name, LOG_PID, LOG_DAEMON);
	tool_in_background = true;
}

/* ---- struct vmem_env ----------------------------------------------------- */

static void *env_alloc(const struct vmem_env *env, size_t size)
{
	(void)env;
	return calloc(1, size);
}

static void env_free(const struct vmem_env *env, void *p, size_t size)
{
	(void)env;
	(void)size;
	free(p);
}

static int64_t env_now(const struct vmem_env *env)
{
	struct timespec ts;

	(void)env;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void env_random(const struct vmem_env *env, void *buf, size_t len)
{
	uint8_t *p = buf;

	(void)env;
	while (len) {
		ssize_t got = getrandom(p, len, 0);

		if (got < 0 && errno != EINTR) {
			tool_error("no random numbers: %s", strerror(errno));
			exit(TOOL_EXIT_FAILED);
		}
		if (got > 0) {
			p += got;
			len -= (size_t)got;
		}
	}
}

__attribute__((format(printf, 3, 4)))
static void env_log(const struct vmem_env *env, enum vmem_log_level level,
		    const char *fmt, ...)
{
	va_list ap;

	(void)env;
	if (level == VMEM_LOG_INFO && !tool_verbose)
		return;
	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

static struct vmem_env host_env = {
	.alloc = env_alloc,
	.free = env_free,
	.now = env_now,
	.random = env_random,
	.log = env_log,
};

const struct vmem_env *tool_init(const char *name, bool verbose)
{
	tool_name = name;
	tool_verbose = verbose;
	host_env.crc32c = vmem_best_crc32c();
	return &host_env;
}

/* ---- Locks --------------------------------------------------------------- */

/* A writer comes before readers that come later: none of the core's is taken twice. */
static void *env_lock_new(const struct vmem_env *env)
{
	pthread_rwlock_t *lock = malloc(sizeof(*lock));
	pthread_rwlockattr_t attr;

	(void)env;
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	if (lock && pthread_rwlock_init(lock, &attr)) {
		free(lock);
		lock = NULL;
	}
	pthread_rwlockattr_destroy(&attr);
	return lock;
}

static void env_lock_free(const struct vmem_env *env, void *lock)
{
	(void)env;
	if (lock)
		pthread_rwlock_destroy(lock);
	free(lock);
}

static void env_lock(void *lock)
{
	pthread_rwlock_wrlock(lock);
}

static void env_lock_shared(void *lock)
{
	pthread_rwlock_rdlock(lock);
}

static bool env_trylock_shared(void *lock)
{
	return pthread_rwlock_tryrdlock(lock) == 0;
}

static void env_unlock(void *lock)
{
	pthread_rwlock_unlock(lock);
}

const struct vmem_env *tool_threaded_env(void)
{
	static struct vmem_env env;

	env = host_env;
	env.lock_new = env_lock_new;
	env.lock_free = env_lock_free;
	env.lock = env_lock;
	env.unlock = env_unlock;
	env.lock_shared = env_lock_shared;
	env.unlock_shared = env_unlock;
	env.trylock_shared = env_trylock_shared;
	return &env;
}

static int64_t fixed_now;
static uint8_t fixed_key[16];

static int64_t env_fixed_now(const struct vmem_env *env)
{
	(void)env;
	return fixed_now;
}

static void env_derived(const struct vmem_env *env, void *buf, size_t len)
{
	static uint64_t calls;
	uint8_t *p = buf;

	(void)env;
	while (len--) {
		vmem_le64 n = vmem_le64_of(calls++);

		*p++ = (uint8_t)vmem_name_hash(fixed_key, &n, sizeof(n));
	}
}

const struct vmem_env *tool_fixed_env(int64_t now, const uint8_t key[16])
{
	static struct vmem_env env;

	env = host_env;
	env.now = env_fixed_now;
	fixed_now = now;
	if (key) {
		memcpy(fixed_key, key, sizeof(fixed_key));
		env.random = env_derived;
	}
	return &env;
}

/* ---- Messages ------------------------------------------------------------ */

void tool_error(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	errno = err;
}

int tool_end_output(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	tool_error("cannot write to standard output: %s", strerror(errno));
	return -1;
}

static int64_t progress_start, progress_last;
static const char *progress_what;
static bool progress_now;

void tool_progress_now(void)
{
	progress_now = true;
}

void tool_progress(const char *what, uint64_t done, uint64_t total)
{
	static int is_terminal = -1;
	bool tty, shown = progress_last != 0;
	int64_t now = env_now(NULL), every;

	if (is_terminal < 0)
		is_terminal = isatty(STDERR_FILENO);
	tty = is_terminal;
	every = tty ? 200 : progress_now ? 1000 : 10000;
	if (!progress_start)
		progress_start = now;
	if (!progress_now && now - progress_start < 2000000000)
		return;
	if (shown && now - progress_last < every * 1000000 && (what == progress_what || !progress_now))
		return;
	progress_last = now;
	progress_what = what;
	fprintf(stderr, "%s%s: %s: ", tty ? "\r" : "", tool_name, what);
	if (total)
		fprintf(stderr, "%llu%%", (unsigned long long)(done * 100 / total));
	else
		fprintf(stderr, "%llu", (unsigned long long)done);
	fputs(tty ? "\033[K" : "\n", stderr);
}

void tool_progress_end(void)
{
	if (progress_last && isatty(STDERR_FILENO))
		fputc('\n', stderr);
	progress_start = 0;
	progress_last = 0;
}

int tool_usage_error(const char *what, const char *arg)
{
	tool_error("%s%s (see %s --help)", what, arg, tool_name);
	return TOOL_EXIT_USAGE;
}

int tool_usage(const struct tool_options *t)
{
	fputs(t->usage, stderr);
	return TOOL_EXIT_USAGE;
}

int tool_parse_options(const struct tool_options *t, void *ctx, int argc, char **argv)
{
	int c, err = 0;

	while (!err && (c = getopt_long(argc, argv, t->letters, t->words, NULL)) != -1) {
		switch (c) {
		case 'V':
			printf("%s " TOOL_VERSION "\n", tool_name);
			return -1;
		case 'h':
			fputs(t->usage, stdout);
			return -1;
		case '?':
			return tool_usage(t);
		default:
			err = t->take(ctx, c, optarg);
		}
	}
	return err;
}

bool tool_parse_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	unsigned int shift = 0;
	unsigned long long n;
	const char *unit;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno)
		return false;
	if (*end) {
		unit = strchr(units, toupper((unsigned char)*end));
		if (!unit || end[1])
			return false;
		shift = 10 * (unsigned int)(unit - units + 1);
	}
	if (n > UINT64_MAX >> shift)
		return false;
	*bytes = n << shift;
	return true;
}

/* ---- Mounts -------------------------------------------------------------- */

/* Octal escapes of /proc/self/mountinfo, in place. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++, to++) {
		unsigned int code;

		*to = *s;
		if (*s == '\\' && sscanf(s + 1, "%3o", &code) == 1) {
			*to = (char)code;
			s += 3;
		}
	}
	*to = 0;
}

/* One line; proc(5): id, parent, major:minor, root, mount point, ... - type source options. */
static enum tool_mount mount_of_line(const char *line, dev_t dev, char where[PATH_MAX])
{
	const char *rest = strstr(line, " - ");
	unsigned int maj, min;
	char options[8];

	if (!rest || sscanf(line, "%*u %*u %u:%u %*s %4095s", &maj, &min, where) != 3 ||
	    makedev(maj, min) != dev || sscanf(rest, " - %*s %*s %7[^,\n ]", options) != 1)
		return TOOL_NOT_MOUNTED;
	unescape(where);
	return strcmp(options, "ro") ? TOOL_MOUNTED_RW : TOOL_MOUNTED_RO;
}

enum tool_mount tool_find_mount(dev_t dev, char **where)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	enum tool_mount how = TOOL_NOT_MOUNTED, one;
	char *line = NULL, place[PATH_MAX];
	size_t size = 0;

	*where = NULL;
	while (f && getline(&line, &size, f) > 0) {
		one = mount_of_line(line, dev, place);
		if (one == TOOL_NOT_MOUNTED)
			continue;
		if (!*where || !strcmp(place, "/")) {
			free(*where);
			*where = strdup(place);
		}
		how = one > how ? one : how;
	}
	free(line);
	if (f)
		fclose(f);
	return how;
}

/* ---- struct vmem_store --------------------------------------------------- */

/*
 * Linux tells one open file of a failed write-back, perhaps one that a VM left: whoever
 * comes next must know.
 */
int tool_lost(const struct tool_image *img)
{
	int err = vmemstore_generation_change(img->fd);

	if (err)
		tool_error("the loss of data cannot be noted (%s): what is started next on the image "
			   "will take it for whole: let " VMEMSTORE_RUN_DIR " be writable",
			   strerror(-err));
	return -EIO;
}

static int store_flush(struct vmem_store *store, const struct vmem_range *ranges,
		       unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (ranges[i].length &&
		    pmem_msync(store->base + ranges[i].offset, ranges[i].length))
			return tool_lost(store->ctx);
	return 0;
}

static void store_writeback(struct vmem_store *store, const void *addr, size_t len)
{
	struct tool_image *img = store->ctx;

	/*
	 * Not pmem although the backing is: /dev/pmemN in a guest, seen through
	 * the page cache of the device.  pmem_msync() does what is needed there.
	 */
	if (img->is_pmem)
		pmem_flush(addr, len);
	else if (pmem_msync(addr, len)) {
		img->failed = true;
		tool_lost(img);
	}
}

static void store_drain(struct vmem_store *store)
{
	(void)store;
	pmem_drain();
}

/* A snapshot is private memory: there is nothing to write back. */
static int snapshot_flush(struct vmem_store *store, const struct vmem_range *ranges,
			  unsigned int nr)
{
	(void)store;
	(void)ranges;
	(void)nr;
	return 0;
}

static void snapshot_writeback(struct vmem_store *store, const void *addr, size_t len)
{
	(void)store;
	(void)addr;
	(void)len;
}

static void snapshot_drain(struct vmem_store *store)
{
	(void)store;
}

/* What loses the contents of a file on this file system? */
static enum vmem_backing backing_of_file(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) == 0 &&
	    (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC ||
	     fs.f_type == HUGETLBFS_MAGIC))
		return VMEM_BACKING_VOLATILE;
	return VMEM_BACKING_PAGE_CACHE;
}

/* MAP_SYNC is granted by DAX only (mmap(2)). */
static bool file_is_dax(int fd)
{
	void *p = mmap(NULL, VMEM_BLOCK_SIZE, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);

	if (p == MAP_FAILED)
		return false;
	munmap(p, VMEM_BLOCK_SIZE);
	return true;
}

static bool read_line(const char *dir, const char *name, char *line, int size)
{
	char path[PATH_MAX + 32];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	if (!f)
		return false;
	ok = fgets(line, size, f) != NULL;
	fclose(f);
	line[ok ? strcspn(line, "\n") : 0] = 0;
	return ok;
}

static bool parse_hex(const char *text, uint8_t *out, size_t len)
{
	unsigned int byte;
	size_t i;

	for (i = 0; i < len; i++) {
		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			return false;
		out[i] = (uint8_t)byte;
	}
	return true;
}

/*
 * Backing and generation of a /dev/pmemN of the vmemstore driver: attributes
 * of the virtio device, some steps above the disk in sysfs.
 */
static bool ask_driver(dev_t dev, struct vmem_store *store)
{
	char link[64], dir[PATH_MAX], backing[32], generation[64], *slash;

	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	if (!realpath(link, dir))
		return false;
	while ((slash = strrchr(dir, '/')) && slash != dir) {
		if (read_line(dir, "backing", backing, sizeof(backing)) &&
		    read_line(dir, "generation", generation, sizeof(generation)))
			break;
		*slash = 0;
	}
	if (!slash || slash == dir ||
	    !parse_hex(generation, store->generation, VMEM_GENERATION_LEN))
		return false;
	if (!strcmp(backing, "dax"))
		store->backing = VMEM_BACKING_DAX;
	else if (!strcmp(backing, "volatile"))
		store->backing = VMEM_BACKING_VOLATILE;
	else
		store->backing = VMEM_BACKING_PAGE_CACHE;
	return true;
}

/* Does the generation tell what may have been lost? (generation.h) */
static bool known_whole(struct tool_image *img, enum tool_access access)
{
	int begun;

	if (img->store.backing != VMEM_BACKING_PAGE_CACHE)
		return true;
	if (access != TOOL_WRITE)
		return !vmemstore_is_in_use(img->fd, 0);
	begun = vmemstore_use_begin(img->fd, 0);
	img->in_use = begun > 0;
	return begun >= 0;
}

static void find_backing(struct tool_image *img, const struct stat *st,
			 enum tool_access access)
{
	struct vmem_store *store = &img->store;

	if (S_ISBLK(st->st_mode) && ask_driver(st->st_rdev, store))
		return;
	/* Zeros equal no generation: recovery then assumes that the host failed. */
	store->backing = file_is_dax(img->fd) ? VMEM_BACKING_DAX : backing_of_file(img->fd);
	if (!known_whole(img, access) ||
	    vmemstore_backing_generation(img->fd, store->generation))
		memset(store->generation, 0, sizeof(store->generation));
}

/* A device that is held by a mount: fine if that is read-only, and wanted so. */
static int open_mounted(struct tool_image *img, const char *path, int mode, dev_t dev, bool wanted)
{
	char *where = NULL;
	enum tool_mount how = tool_find_mount(dev, &where);

	img->mounted = how == TOOL_MOUNTED_RO;
	img->is_root = where && !strcmp(where, "/");
	if (img->mounted && wanted)
		img->fd = open(path, mode | O_CLOEXEC);
	if (how == TOOL_NOT_MOUNTED)
		tool_error("%s is in use: by another program, or as a part of another device", path);
	else if (img->mounted && wanted && img->fd < 0)
		tool_error("cannot open %s: %s", path, strerror(errno));
	else if (img->fd < 0)
		tool_error("%s is mounted on %s: unmount it first", path, where ? where : "some directory");
	free(where);
	return img->fd < 0 ? -1 : 0;
}

static int open_image(struct tool_image *img, const char *path, enum tool_access access,
		      bool ro_mounted, struct stat *st)
{
	int mode = access == TOOL_WRITE ? O_RDWR : O_RDONLY;
	uint64_t size;

	if (stat(path, st) < 0 ||
	    /* On a block device O_EXCL fails while it is mounted (open(2)). */
	    (img->fd = open(path, mode | O_CLOEXEC |
			    (S_ISBLK(st->st_mode) && access != TOOL_SNAPSHOT_BUSY ? O_EXCL : 0))) < 0) {
		if (errno != EBUSY) {
			tool_error("cannot open %s: %s", path, strerror(errno));
			return -1;
		}
		if (open_mounted(img, path, mode, st->st_rdev, ro_mounted))
			return -1;
	}
	/* What was read of the device before may be older than what a mount has stored since. */
	if (S_ISBLK(st->st_mode))
		(void)ioctl(img->fd, BLKFLSBUF, 0);
	if (S_ISREG(st->st_mode)) {
		img->store.size = (uint64_t)st->st_size;
	} else if (S_ISBLK(st->st_mode) && ioctl(img->fd, BLKGETSIZE64, &size) == 0) {
		img->store.size = size;
	} else {
		tool_error("%s is neither a regular file nor a block device", path);
		errno = EINVAL;
		return -1;
	}
	img->store.size &= ~(uint64_t)VMEM_BLOCK_MASK;
	if (!img->store.size) {
		tool_error("%s is empty", path);
		errno = EINVAL;
		return -1;
	}
	return 0;
}

/* The lock that the device takes, too: a VM and a tool exclude each other. */
static int lock_image(const struct tool_image *img, const char *path, enum tool_access access)
{
	VMemStoreLock lock = { .fd = img->fd, .exclusive = access == TOOL_WRITE };
	int err = access == TOOL_SNAPSHOT_BUSY ? 0 : vmemstore_lock(&lock);

	if (!err)
		return 0;
	if (err != -EAGAIN) {
		tool_error("cannot lock %s: %s", path, strerror(-err));
		errno = -err;
		return -1;
	}
	if (vmemstore_lock_holder(&lock) == VMEMSTORE_LOCK_PROMISED)
		tool_error("%s is being handed over from one VM to another: wait for the end of the migration, or end the VM that was migrated or saved", path);
	else
		tool_error("%s is used by a running VM or another tool: stop that first", path);
	errno = EBUSY;
	return -1;
}

static int map_image(struct tool_image *img, const char *path, enum tool_access access,
		     bool regular)
{
	size_t mapped = img->store.size;
	int is_pmem = 0;
	void *base;

	if (access == TOOL_WRITE && regular) {
		base = pmem_map_file(path, 0, 0, 0, &mapped, &is_pmem);
		img->is_pmem = is_pmem;
		img->by_libpmem = true;
	} else {
		/* libpmem maps neither block devices nor privately. */
		base = mmap(NULL, mapped, PROT_READ | PROT_WRITE,
			    access == TOOL_WRITE ? MAP_SHARED : MAP_PRIVATE | MAP_NORESERVE,
			    img->fd, 0);
		base = base == MAP_FAILED ? NULL : base;
	}
	if (!base || mapped < img->store.size) {
		tool_error("cannot map %s: %s", path, base ? "it shrank" : strerror(errno));
		errno = base ? EINVAL : errno;
		return -1;
	}
	/* Metadata is scattered: reading ahead would fill the page cache with the rest. */
	if (access != TOOL_SNAPSHOT_BUSY)
		madvise(base, mapped, MADV_RANDOM);
	img->store.base = base;
	img->mapped = mapped;
	return 0;
}

static int allocate(const struct tool_image *img, int mode, uint64_t off, uint64_t len)
{
	int err;

	do {
		err = fallocate(img->fd, mode, (off_t)off, (off_t)len) ? -errno : 0;
	} while (err == -EINTR);
	return err;
}

static int store_provision(struct vmem_store *store, uint64_t off, uint64_t len)
{
	int err = allocate(store->ctx, 0, off, len);

	return err && err != -ENOSPC && err != -EDQUOT ? -EIO : err ? -ENOSPC : 0;
}

static int store_discard(struct vmem_store *store, const struct vmem_range *ranges,
			 unsigned int nr)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < nr && !err; i++)
		err = allocate(store->ctx, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       ranges[i].offset, ranges[i].length);
	return err && err != -EOPNOTSUPP ? -EIO : err;
}

void tool_thin(struct tool_image *img, bool discard)
{
	struct stat st;

	/* The first block is there: to ask for it tells whether one can ask. */
	if (fstat(img->fd, &st) || !S_ISREG(st.st_mode) || allocate(img, 0, 0, VMEM_BLOCK_SIZE))
		return;
	if (discard || (uint64_t)st.st_blocks * 512 < (uint64_t)st.st_size)
		img->store.provision = store_provision;
	if (discard)
		img->store.discard = store_discard;
}

static void set_functions(struct tool_image *img, enum tool_access access)
{
	struct vmem_store *store = &img->store;
	bool private = access != TOOL_WRITE;

	store->ctx = img;
	if (store->backing == VMEM_BACKING_DAX) {
		store->writeback = private ? snapshot_writeback : store_writeback;
		store->drain = private ? snapshot_drain : store_drain;
	} else {
		store->flush = private ? snapshot_flush : store_flush;
	}
}

static int open_and_map(struct tool_image *img, const char *path, enum tool_access access, bool ro_mounted)
{
	struct stat st;

	memset(img, 0, sizeof(*img));
	img->fd = -1;
	if (open_image(img, path, access, ro_mounted, &st) || lock_image(img, path, access)) {
		tool_close(img);
		return -1;
	}
	find_backing(img, &st, access);
	if (map_image(img, path, access, S_ISREG(st.st_mode))) {
		tool_close(img);
		return -1;
	}
	set_functions(img, access);
	return 0;
}

void tool_forget_backing(struct tool_image *img)
{
	memset(img->store.generation, 0, sizeof(img->store.generation));
	img->store.backing = VMEM_BACKING_PAGE_CACHE;
	img->store.writeback = NULL;
	img->store.drain = NULL;
	img->store.flush = img->store.flush ? img->store.flush : store_flush;
}

int tool_open(struct tool_image *img, const char *path, enum tool_access access)
{
	return open_and_map(img, path, access, false);
}

int tool_open_mounted(struct tool_image *img, const char *path, enum tool_access access)
{
	return open_and_map(img, path, access, true);
}

static void unmap_image(struct tool_image *img)
{
	if (img->store.base && img->by_libpmem)
		pmem_unmap(img->store.base, img->mapped);
	else if (img->store.base)
		munmap(img->store.base, img->mapped);
	img->store.base = NULL;
}

void tool_close(struct tool_image *img)
{
	int err = errno, noted;

	unmap_image(img);
	if (img->in_use && !img->failed && vmemstore_sync(img->fd, &noted) == 0)
		vmemstore_use_end(img->fd, 0);
	if (img->fd >= 0)
		close(img->fd);
	img->fd = -1;
	errno = err;
}

static int set_file_size(int fd, uint64_t size)
{
	struct stat st;
	int err = 0;

	if (fstat(fd, &st))
		return errno;
	/* A store into a hole of a full host disk would kill the VM. */
	if (size > (uint64_t)st.st_size && (uint64_t)st.st_blocks * 512 >= (uint64_t)st.st_size)
		err = posix_fallocate(fd, st.st_size, (off_t)size - st.st_size);
	/* What could be allocated is given back. */
	if (ftruncate(fd, err ? st.st_size : (off_t)size) && !err)
		err = errno;
	return err;
}

int tool_set_size(struct tool_image *img, const char *path, uint64_t size)
{
	int err = set_file_size(img->fd, size);

	if (err) {
		tool_error("cannot give %s a size of %llu bytes: %s", path, (unsigned long long)size,
			   strerror(err));
		return -1;
	}
	unmap_image(img);
	img->store.size = size;
	return map_image(img, path, TOOL_WRITE, true) || tool_sync(img, path) ? -1 : 0;
}

int tool_sync(const struct tool_image *img, const char *path)
{
	if (img->failed)
		errno = EIO;
	else if (fsync(img->fd) == 0)
		return 0;
	tool_error("cannot write back %s: %s", path, strerror(errno));
	tool_lost(img);
	return -1;
}
