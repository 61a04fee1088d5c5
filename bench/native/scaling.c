// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * scaling.c - what a second thread brings
 *
 * Each thread has a directory and files of its own, in one mount on anonymous memory
 * whose flushes cost nothing.  Rounds with one and with two threads take turns; the
 * ratio is the median of the rounds' ratios.
 *
 *	scaling [rounds [milliseconds per round]]
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "offline/mkfs.h"
#include "vmem.h"

#define MAX_THREADS	2u
#define STORE		(256ull << 20)
#define FILES		64u		/* of each thread */
#define BLOCKS		256u		/* of the file that is read */
#define BLOCK		4096u
#define APPENDED	(8u << 20)	/* then the file is truncated */
#define BATCH		64u		/* operations between two looks at the clock's flag */
#define MAX_ROUNDS	99u

#define MUST(x) do { if (!(x)) { fprintf(stderr, "scaling: %s:%d: %s\n", __FILE__, __LINE__, #x); exit(1); } } while (0)
#define N(s) ((struct vmem_name){ (s), strlen(s) })

/* ---- Surroundings ---- */

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

/* As coarse as a kernel's. */
static int64_t env_now(const struct vmem_env *env)
{
	struct timespec t;

	(void)env;
	clock_gettime(CLOCK_REALTIME_COARSE, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void env_random(const struct vmem_env *env, void *buf, size_t len)
{
	(void)env;
	memset(buf, 4, len);
}

static void env_log(const struct vmem_env *env, enum vmem_log_level level, const char *fmt, ...)
{
	(void)env;
	(void)level;
	(void)fmt;
}

static void *env_lock_new(const struct vmem_env *env)
{
	pthread_rwlock_t *l = malloc(sizeof(*l));

	(void)env;
	if (l)
		pthread_rwlock_init(l, NULL);
	return l;
}

static void env_lock_free(const struct vmem_env *env, void *l)
{
	(void)env;
	pthread_rwlock_destroy(l);
	free(l);
}

static void env_lock(void *l) { pthread_rwlock_wrlock(l); }
static void env_lock_shared(void *l) { pthread_rwlock_rdlock(l); }
static void env_unlock(void *l) { pthread_rwlock_unlock(l); }

static int no_flush(struct vmem_store *store, const struct vmem_range *ranges, unsigned int nr)
{
	(void)store;
	(void)ranges;
	(void)nr;
	return 0;
}

static const struct vmem_env env = {
	.alloc = env_alloc, .free = env_free, .now = env_now, .random = env_random, .log = env_log,
	.lock_new = env_lock_new, .lock_free = env_lock_free, .lock = env_lock, .unlock = env_unlock,
	.lock_shared = env_lock_shared, .unlock_shared = env_unlock,
};

static struct vmem_store store = { .size = STORE, .backing = VMEM_BACKING_PAGE_CACHE, .flush = no_flush };
static struct vmem_fs *fs;

/* ---- Operations ---- */

struct thread {
	pthread_t id;
	struct vmem_inode dir, whole, pieces, log;
	uint64_t done;
	uint32_t seed;
	uint8_t buf[BLOCK];
};

static struct thread threads[MAX_THREADS];

static size_t from_buf(void *ctx, void *addr, size_t len)
{
	memcpy(addr, ctx, len);
	return len;
}

static size_t to_buf(void *ctx, void *addr, size_t len)
{
	memcpy(ctx, addr, len);
	return len;
}

static uint32_t pick(struct thread *t, uint32_t below)
{
	t->seed = t->seed * 1664525u + 1013904223u;
	return (t->seed >> 8) % below;
}

static void op_read(struct thread *t)
{
	MUST(vmem_read(&t->whole, pick(t, BLOCKS) * BLOCK, BLOCK, to_buf, t->buf) == BLOCK);
}

static void op_map(struct thread *t)
{
	struct vmem_map map;

	MUST(!vmem_map(&t->pieces, 2 * pick(t, BLOCKS), 1, &map) && map.pblk);
}

static void op_lookup(struct thread *t)
{
	uint64_t ino;
	char name[16];

	snprintf(name, sizeof(name), "file%u", pick(t, FILES));
	MUST(!vmem_lookup(&t->dir, N(name), &ino, NULL));
}

static void op_overwrite(struct thread *t)
{
	MUST(vmem_write(&t->whole, pick(t, BLOCKS) * BLOCK, BLOCK, from_buf, t->buf) == BLOCK);
}

static void op_create(struct thread *t)
{
	struct vmem_attr attr = { .mode = 0100644 };
	struct vmem_inode vi;

	MUST(!vmem_create(&t->dir, N("new"), &attr, &vi));
	MUST(!vmem_unlink(&t->dir, N("new"), &vi) && !vmem_iput(&vi));
}

static void op_append(struct thread *t)
{
	if (vmem_size(&t->log) >= APPENDED)
		MUST(!vmem_truncate(&t->log, 0));
	MUST(vmem_write(&t->log, vmem_size(&t->log), BLOCK, from_buf, t->buf) == BLOCK);
}

static const struct {
	const char *name;
	void (*op)(struct thread *t);
} ops[] = {
	{ "read 4 KiB", op_read }, { "extent lookup", op_map }, { "name lookup", op_lookup },
	{ "overwrite 4 KiB", op_overwrite }, { "create + unlink", op_create }, { "append 4 KiB", op_append },
};

/* ---- Rounds ---- */

static void (*running)(struct thread *t);
static atomic_bool go, stop;

static void *run_thread(void *arg)
{
	struct thread *t = arg;
	unsigned int i;

	while (!atomic_load(&go))
		;
	for (t->done = 0; !atomic_load_explicit(&stop, memory_order_relaxed); t->done += BATCH)
		for (i = 0; i < BATCH; i++)
			running(t);
	return NULL;
}

/* Operations per second of nr threads. */
static double rate(unsigned int nr, unsigned int ms)
{
	struct timespec a, b;
	uint64_t done = 0;
	unsigned int i;

	atomic_store(&go, false);
	atomic_store(&stop, false);
	for (i = 0; i < nr; i++)
		MUST(!pthread_create(&threads[i].id, NULL, run_thread, &threads[i]));
	usleep(2000);
	clock_gettime(CLOCK_MONOTONIC, &a);
	atomic_store(&go, true);
	usleep(ms * 1000);
	atomic_store(&stop, true);
	for (i = 0; i < nr; i++) {
		MUST(!pthread_join(threads[i].id, NULL));
		done += threads[i].done;
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	return (double)done / ((double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec));
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, unsigned int nr)
{
	qsort(v, nr, sizeof(*v), compare);
	return v[nr / 2];
}

static void measure(const char *domain, unsigned int rounds, unsigned int ms)
{
	static double one[MAX_ROUNDS], two[MAX_ROUNDS], ratio[MAX_ROUNDS];
	unsigned int i, k;

	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		running = ops[i].op;
		for (k = 0; k < rounds; k++) {
			one[k] = rate(1, ms);
			two[k] = rate(2, ms);
			ratio[k] = two[k] / one[k];
		}
		printf("%-6s %-16s %10.0f %10.0f  %.2f\n", domain, ops[i].name, median(one, rounds),
		       median(two, rounds), median(ratio, rounds));
		fflush(stdout);
	}
}

static void make(struct vmem_inode *dir, const char *name, uint16_t mode, struct vmem_inode *vi)
{
	struct vmem_attr attr = { .mode = mode };

	MUST(!vmem_create(dir, N(name), &attr, vi));
}

static void prepare(struct vmem_inode *root, struct thread *t, unsigned int nr)
{
	char name[16];
	unsigned int i;

	t->seed = nr;
	snprintf(name, sizeof(name), "dir%u", nr);
	make(root, name, 0040755, &t->dir);
	for (i = 0; i < FILES; i++) {
		struct vmem_inode vi;

		snprintf(name, sizeof(name), "file%u", i);
		make(&t->dir, name, 0100644, &vi);
		MUST(!vmem_iput(&vi));
	}
	make(&t->dir, "whole", 0100644, &t->whole);
	make(&t->dir, "pieces", 0100644, &t->pieces);
	make(&t->dir, "log", 0100644, &t->log);
	for (i = 0; i < BLOCKS; i++) {
		MUST(vmem_write(&t->whole, i * BLOCK, BLOCK, from_buf, t->buf) == BLOCK);
		MUST(vmem_write(&t->pieces, 2 * i * BLOCK, BLOCK, from_buf, t->buf) == BLOCK);
	}
}

static void run_domain(enum vmem_domain domain, const char *name, unsigned int rounds, unsigned int ms)
{
	struct vmem_mkfs_params params = { .size = STORE };
	struct vmem_mount_opts opts = { .domain = domain };
	struct vmem_mount_info info;
	struct vmem_inode root;
	unsigned int i;

	memset(store.base, 0, STORE);
	MUST(!vmem_mkfs(&store, &env, &params));
	MUST(!vmem_mount(&store, &env, &opts, &fs, &info));
	MUST(!vmem_iget(fs, VMEM_ROOT_INO, &root));
	for (i = 0; i < MAX_THREADS; i++)
		prepare(&root, &threads[i], i);
	measure(name, rounds, ms);
	for (i = 0; i < MAX_THREADS; i++)
		MUST(!vmem_iput(&threads[i].whole) && !vmem_iput(&threads[i].pieces) &&
		     !vmem_iput(&threads[i].log) && !vmem_iput(&threads[i].dir));
	MUST(!vmem_iput(&root));
	MUST(!vmem_umount(fs));
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? (unsigned int)atoi(argv[1]) : 9;
	unsigned int ms = argc > 2 ? (unsigned int)atoi(argv[2]) : 100;

	MUST(rounds && rounds <= MAX_ROUNDS && ms);
	store.base = mmap(NULL, STORE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(store.base != MAP_FAILED);
	printf("domain operation          1 thread  2 threads  ratio\n");
	run_domain(VMEM_DOMAIN_GUEST, "guest", rounds, ms);
	run_domain(VMEM_DOMAIN_HOST, "host", rounds, ms);
	munmap(store.base, STORE);
	return 0;
}
