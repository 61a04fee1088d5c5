// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * test_ageing.c - files of a used file system have huge pages, as those of a fresh one
 *
 * Files of all sizes come and go until what was written is several times the store,
 * three quarters of which stay in use (as WineFS's evaluation has it, which takes the sizes from
 * a study of real file systems: half of the files are small, most bytes are in large
 * ones).  Then new files take half of what is free; their 2 MiB pieces that a huge page
 * could map are counted.  Contents are not stored: only where they would lie matters.
 */
#include <sys/mman.h>
#include "fixture.h"

#define STORE		(1024 * MiB)
#define CHUNK		512u		/* blocks */
#define DIRS		16u
#define MAX_FILES	100000u
#define NEW_SIZE	(16 * MiB)
#define TIMES		4u		/* the store is written anew */

static struct vmem_store store;
static struct vmem_fs *fs;
static struct vmem_inode root, dirs[DIRS];
static struct { unsigned int id; uint64_t blocks; } files[MAX_FILES];
static unsigned int nr_files, next_id;
static uint64_t used, written, seed = 1;

/* ---- Surroundings ---- */

static void *env_alloc(const struct vmem_env *env, size_t size) { (void)env; return calloc(1, size); }
static void env_free(const struct vmem_env *env, void *p, size_t size) { (void)env; (void)size; free(p); }
static int64_t env_now(const struct vmem_env *env) { (void)env; return 1700000000000000000; }
static void env_random(const struct vmem_env *env, void *buf, size_t len) { (void)env; memset(buf, 4, len); }

static void env_log(const struct vmem_env *env, enum vmem_log_level level, const char *fmt, ...)
{
	(void)env;
	(void)level;
	(void)fmt;
}

static const struct vmem_env env = {
	.alloc = env_alloc, .free = env_free, .now = env_now, .random = env_random, .log = env_log,
};

static int no_flush(struct vmem_store *s, const struct vmem_range *ranges, unsigned int nr)
{
	(void)s;
	(void)ranges;
	(void)nr;
	return 0;
}

static size_t leave_out(void *ctx, void *addr, size_t len)
{
	(void)ctx;
	(void)addr;
	return len;
}

/* ---- Files ---- */

static unsigned int rnd(unsigned int below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned int)(seed >> 33) % below;
}

/* Logarithms are distributed normally, about: half are below 24 KiB, a fiftieth is above 2 MiB. */
static uint64_t random_size(void)
{
	int64_t sum = 0, log2;		/* in 1/1024 */
	unsigned int i;

	for (i = 0; i < 12; i++)
		sum += rnd(1024);
	log2 = 4700 + (sum - 6 * 1024) * 32 / 10;
	if (log2 < 0)
		return 1024;
	log2 = log2 > 14 * 1024 ? 14 * 1024 : log2;
	return ((uint64_t)1 << log2 / 1024) * (1024 + (uint64_t)log2 % 1024);
}

static void name_of(unsigned int id, char name[16])
{
	snprintf(name, 16, "f%u", id);
}

static void write_by(struct vmem_inode *vi, uint64_t size, uint64_t piece)
{
	while (vmem_size(vi) < size) {
		uint64_t at = vmem_size(vi);
		int64_t n = vmem_write(vi, at, (size_t)(size - at < piece ? size - at : piece), leave_out, NULL);

		assert_true(n > 0);
	}
}

static void create_one(void)
{
	static const uint64_t pieces[] = { 16 << 10, 128 << 10, 1 << 20, 64 << 20 };
	struct vmem_attr attr = { .mode = S_FILE };
	uint64_t size = random_size(), blocks = (size + BLOCK - 1) / BLOCK;
	struct vmem_inode vi;
	char name[16];

	assert_true(nr_files < MAX_FILES);
	name_of(next_id, name);
	assert_int_equal(vmem_create(&dirs[next_id % DIRS], N(name), &attr, &vi), 0);
	write_by(&vi, size, pieces[rnd(4)]);
	assert_int_equal(vmem_iput(&vi), 0);
	files[nr_files].id = next_id++;
	files[nr_files++].blocks = blocks;
	used += blocks;
	written += blocks;
}

static void remove_named(struct vmem_inode *dir, const char *name)
{
	struct vmem_inode vi;
	uint64_t ino;

	assert_int_equal(vmem_lookup(dir, N(name), &ino, NULL), 0);
	assert_int_equal(vmem_iget(fs, ino, &vi), 0);
	assert_int_equal(vmem_unlink(dir, N(name), &vi), 0);
	assert_int_equal(vmem_iput(&vi), 0);
}

static void remove_one(void)
{
	unsigned int i = rnd(nr_files);
	char name[16];

	name_of(files[i].id, name);
	remove_named(&dirs[files[i].id % DIRS], name);
	used -= files[i].blocks;
	files[i] = files[--nr_files];
}

/* ---- What new files get ---- */

static void write_whole(struct vmem_inode *vi)
{
	write_by(vi, NEW_SIZE, NEW_SIZE);
}

static void write_pieces(struct vmem_inode *vi)
{
	write_by(vi, NEW_SIZE, 64 << 10);
}

static void allocate(struct vmem_inode *vi)
{
	assert_int_equal(vmem_fallocate(vi, 0, 0, NEW_SIZE), 0);
}

/* As a fault in a hole asks for it. */
static void fault(struct vmem_inode *vi)
{
	uint64_t lblk = 0;
	struct vmem_map map;

	assert_int_equal(vmem_truncate(vi, NEW_SIZE), 0);
	for (; lblk < NEW_SIZE / BLOCK; lblk += map.nr)
		assert_int_equal(vmem_map_write(vi, lblk, CHUNK - lblk % CHUNK, &map), 0);
}

static unsigned int huge_pieces(struct vmem_inode *vi)
{
	unsigned int nr = 0;
	uint64_t lblk;

	for (lblk = 0; lblk < NEW_SIZE / BLOCK; lblk += CHUNK) {
		struct vmem_map map;

		assert_int_equal(vmem_map(vi, lblk, CHUNK, &map), 0);
		nr += map.pblk && map.nr == CHUNK && map.pblk % CHUNK == 0;
	}
	return nr;
}

/* 2 MiB pieces that new files got whole, of 100. */
static unsigned int share_of(void (*make_contents)(struct vmem_inode *vi), unsigned int nr)
{
	struct vmem_attr attr = { .mode = S_FILE };
	unsigned int i, huge = 0;
	struct vmem_inode vi;
	char name[16];

	for (i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "new%u", i);
		assert_int_equal(vmem_create(&root, N(name), &attr, &vi), 0);
		make_contents(&vi);
		huge += huge_pieces(&vi);
		assert_int_equal(vmem_iput(&vi), 0);
	}
	for (i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "new%u", i);
		remove_named(&root, name);
	}
	assert_int_equal(vmem_sync(fs), 0);
	return 100 * huge / (nr * (unsigned int)(NEW_SIZE / BLOCK / CHUNK));
}

static void set_up(void)
{
	struct vmem_mkfs_params params = { .size = STORE };
	struct vmem_mount_opts opts = { .domain = VMEM_DOMAIN_GUEST };
	struct vmem_attr attr = { .mode = S_DIR };
	struct vmem_mount_info info;
	unsigned int i;

	store = (struct vmem_store){ .size = STORE, .backing = VMEM_BACKING_PAGE_CACHE, .flush = no_flush };
	store.base = mmap(NULL, STORE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(store.base != MAP_FAILED);
	assert_int_equal(vmem_mkfs(&store, &env, &params), 0);
	assert_int_equal(vmem_mount(&store, &env, &opts, &fs, &info), 0);
	assert_int_equal(vmem_iget(fs, VMEM_ROOT_INO, &root), 0);
	for (i = 0; i < DIRS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "d%u", i);
		assert_int_equal(vmem_create(&root, N(name), &attr, &dirs[i]), 0);
	}
}

static void tear_down(void)
{
	unsigned int i;

	for (i = 0; i < DIRS; i++)
		assert_int_equal(vmem_iput(&dirs[i]), 0);
	assert_int_equal(vmem_iput(&root), 0);
	assert_int_equal(vmem_umount(fs), 0);
	munmap(store.base, STORE);
}

static void new_files_have_huge_pages_when_the_file_system_has_aged(void **state)
{
	static const struct {
		const char *how;
		void (*make_contents)(struct vmem_inode *vi);
		unsigned int fresh_least;
	} ways[] = {
		{ "written at once", write_whole, 100 },
		{ "written by 64 KiB", write_pieces, 50 },
		{ "allocated in advance", allocate, 100 },
		{ "stored to through a mapping", fault, 100 },
	};
	const uint64_t blocks = STORE / BLOCK, full = blocks / 4 * 3;
	const unsigned int nr = (unsigned int)(STORE / 8 / NEW_SIZE);
	unsigned int i, fresh[4], aged;

	(void)state;
	set_up();
	for (i = 0; i < 4; i++) {
		fresh[i] = share_of(ways[i].make_contents, nr);
		assert_true(fresh[i] >= ways[i].fresh_least);
	}
	while (written < TIMES * blocks) {
		while (used < full)
			create_one();
		while (used > full - blocks / 20)
			remove_one();
	}
	while (used < full)
		create_one();
	for (i = 0; i < 4; i++) {
		aged = share_of(ways[i].make_contents, nr);
		print_message("%s: %u %% of the pieces, on a fresh store %u %%\n", ways[i].how, aged, fresh[i]);
		assert_true(100 * aged >= 90 * fresh[i]);
	}
	tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_files_have_huge_pages_when_the_file_system_has_aged),
	};

	return cmocka_run_group_tests_name("ageing", tests, NULL, NULL);
}
