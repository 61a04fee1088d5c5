// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* fixture.c - a mounted file system on a simulated store */
#include "big.h"
#include "fixture.h"
#include "fs/fs.h"

enum vmem_domain domain_guest = VMEM_DOMAIN_GUEST;
enum vmem_domain domain_host = VMEM_DOMAIN_HOST;
enum vmem_domain domain_pmem = VMEM_DOMAIN_PMEM;

/* A program runs those of its tests that its first argument names (* is any text). */
__attribute__((constructor)) static void choose(int argc, char **argv, char **env)
{
	(void)env;
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
}

/* ---- Mounting ---- */

static void format(struct ctx *c, enum vmem_domain domain, uint64_t size, uint64_t log_blocks)
{
	struct vmem_mkfs_params params = { .label = "test", .log_blocks = log_blocks };

	/* Large stores get several groups, and room for many names. */
	if (size >= 64 * MiB) {
		params.ag_blocks = 4096;
		params.inodes = 45000;
	}
	memset(c, 0, sizeof(*c));
	c->domain = domain;
	c->sim = sim_new(size, domain == VMEM_DOMAIN_PMEM ? VMEM_BACKING_DAX :
			 VMEM_BACKING_PAGE_CACHE, 1);
	assert_int_equal(vmem_mkfs(&c->sim->store, &c->sim->env, &params), 0);
}

void up(struct ctx *c, enum vmem_domain domain, uint64_t size, uint64_t log_blocks)
{
	format(c, domain, size, log_blocks);
	again(c);
}

void up_threaded(struct ctx *c, enum vmem_domain domain, uint64_t size)
{
	format(c, domain, size, 0);
	sim_use_threads(c->sim);
	again(c);
}

int try_mount(struct ctx *c, const struct vmem_mount_opts *opts)
{
	return vmem_mount(&c->sim->store, &c->sim->env, opts, &c->fs, &c->info);
}

void again(struct ctx *c)
{
	struct vmem_mount_opts opts = { .domain = c->domain };

	assert_int_equal(try_mount(c, &opts), 0);
	assert_int_equal(vmem_iget(c->fs, VMEM_ROOT_INO, &c->root), 0);
}

void down(struct ctx *c)
{
	put(&c->root);
	assert_int_equal(vmem_umount(c->fs), 0);
	assert_int_equal(sim_check(c->sim), 0);
	assert_int_equal(c->sim->live, 0);
}

void finish(struct ctx *c)
{
	down(c);
	sim_free(c->sim);
}

void fail_now(struct ctx *c, enum sim_failure kind)
{
	sim_fail(c->sim, kind);
}

void fail_and_mount(struct ctx *c, enum sim_failure kind)
{
	fail_now(c, kind);
	again(c);
}

/* ---- Names ---- */

int try_make(struct vmem_inode *dir, const char *name, unsigned int mode, struct vmem_inode *vi)
{
	struct vmem_attr attr = { .mode = (uint16_t)mode };

	return vmem_create(dir, N(name), &attr, vi);
}

void make(struct vmem_inode *dir, const char *name, unsigned int mode, struct vmem_inode *vi)
{
	assert_int_equal(try_make(dir, name, mode, vi), 0);
}

void open_name(struct vmem_inode *dir, const char *name, struct vmem_inode *vi)
{
	uint64_t ino;

	assert_int_equal(vmem_lookup(dir, N(name), &ino, NULL), 0);
	assert_int_equal(vmem_iget(dir->fs, ino, vi), 0);
}

void put(struct vmem_inode *vi)
{
	assert_int_equal(vmem_iput(vi), 0);
}

void unlink_name(struct vmem_inode *dir, const char *name)
{
	struct vmem_inode vi;

	open_name(dir, name, &vi);
	assert_int_equal(vmem_unlink(dir, N(name), &vi), 0);
	put(&vi);
}

bool exists(struct vmem_inode *dir, const char *name)
{
	uint64_t ino;
	int err = vmem_lookup(dir, N(name), &ino, NULL);

	assert_true(!err || err == -ENOENT);
	return !err;
}

/* ---- Contents ---- */

struct span {
	struct sim *sim;
	uint8_t *p;
};

/* The one look behind the curtain: which store an inode lives on. */
static struct sim *sim_of_inode(const struct vmem_inode *vi)
{
	return vi->fs->store->ctx;
}

static size_t copy_in(void *ctx, void *addr, size_t len)
{
	struct span *s = ctx;

	sim_store(s->sim, addr, s->p, len);
	s->p += len;
	return len;
}

static size_t copy_out(void *ctx, void *addr, size_t len)
{
	struct span *s = ctx;

	memcpy(s->p, addr, len);
	s->p += len;
	return len;
}


int64_t write_at(struct vmem_inode *vi, uint64_t off, const void *buf, size_t len)
{
	struct span s = { sim_of_inode(vi), (uint8_t *)(uintptr_t)buf };

	return vmem_write(vi, off, len, copy_in, &s);
}

int64_t read_at(struct vmem_inode *vi, uint64_t off, void *buf, size_t len)
{
	struct span s = { NULL, buf };

	return vmem_read(vi, off, len, copy_out, &s);
}

/* Its buffer is as long as asked: looking at each byte's shadow would take most of the time. */
__attribute__((no_sanitize("address", "undefined")))
static void fill_pattern(uint8_t *buf, uint64_t off, size_t len, unsigned int seed)
{
	uint64_t x = (off + 1) * 0x9e3779b97f4a7c15ull + seed * 0xd1342543de82ef95ull;
	size_t i;

	for (i = 0; i < len; i++, x += 0x9e3779b97f4a7c15ull)
		buf[i] = (uint8_t)(x >> 56 ? x >> 56 : 1);
}

static uint8_t *pattern_bytes(uint64_t off, size_t len, unsigned int seed)
{
	uint8_t *buf = big_alloc(len);

	fill_pattern(buf, off, len, seed);
	return buf;
}

void write_pattern(struct vmem_inode *vi, uint64_t off, size_t len, unsigned int seed)
{
	uint8_t *buf = pattern_bytes(off, len, seed);

	assert_int_equal(write_at(vi, off, buf, len), len);
	big_free(buf, len);
}

void expect_bytes(struct vmem_inode *vi, uint64_t off, const void *want, size_t len)
{
	uint8_t *got = big_alloc(len + 1);
	size_t i;

	assert_int_equal(read_at(vi, off, got, len), len);
	i = memcmp(got, want, len) ? 0 : len;
	for (; i < len && got[i] == ((const uint8_t *)want)[i]; i++)
		;
	if (i < len)
		fail_msg("byte %llu is %02x, should be %02x", (unsigned long long)(off + i),
			 got[i], ((const uint8_t *)want)[i]);
	big_free(got, len + 1);
}

void expect_pattern(struct vmem_inode *vi, uint64_t off, size_t len, unsigned int seed)
{
	uint8_t *buf = pattern_bytes(off, len, seed);

	expect_bytes(vi, off, buf, len);
	big_free(buf, len);
}

void expect_zeros(struct vmem_inode *vi, uint64_t off, size_t len)
{
	uint8_t *buf = big_zalloc(len);

	expect_bytes(vi, off, buf, len);
	big_free(buf, len);
}

/* ---- Counting ---- */

uint64_t free_blocks(struct ctx *c)
{
	struct vmem_statfs st;

	vmem_statfs(c->fs, &st);
	return st.free_blocks;
}

uint64_t flushes_of(struct ctx *c)
{
	return c->sim->flushes;
}

uint64_t where(struct vmem_inode *vi, uint64_t off)
{
	struct vmem_map map;

	assert_int_equal(vmem_map(vi, off / BLOCK, 1, &map), 0);
	return map.pblk ? map.pblk * BLOCK + off % BLOCK : 0;
}

uint64_t fill_store(struct vmem_inode *vi, uint64_t first_block)
{
	uint64_t nr = 0;
	int64_t n;

	do {
		uint8_t *buf = pattern_bytes((first_block + nr) * BLOCK, BLOCK, 7);

		n = write_at(vi, (first_block + nr) * BLOCK, buf, BLOCK);
		big_free(buf, BLOCK);
		nr++;
	} while (n == BLOCK);
	assert_int_equal(n, -ENOSPC);
	return nr - 1;
}

/*
 * finish() looks for leaks; what a failed test leaves is no finding.  A fault
 * shows where it is, instead of being caught by cmocka.
 */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0:handle_segv=2:handle_sigbus=2:handle_sigfpe=2";
}
