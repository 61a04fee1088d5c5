// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* test_mkfs.c - every size and parameter gives a sound file system, or a clear refusal */
#define _GNU_SOURCE
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "offline/check.h"
#include "medium/hash.h"
#include "offline/mkfs.h"
#include "toolenv.h"

static struct vmem_env quiet_env;
static const struct vmem_env *env = &quiet_env;

static void no_log(const struct vmem_env *e, enum vmem_log_level level, const char *fmt, ...)
{
	(void)e;
	(void)level;
	(void)fmt;
}

static void on_problem(void *ctx, const char *fmt, va_list ap)
{
	(void)ctx;
	vprintf(fmt, ap);
	putchar('\n');
}

/* Sparse memory, not zero where mkfs has to write zeros. */
static void store_new(struct vmem_store *store, uint64_t size)
{
	memset(store, 0, sizeof(*store));
	store->size = size;
	store->backing = VMEM_BACKING_VOLATILE;
	store->base = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(store->base != MAP_FAILED);
	memset(store->base, 0xa5, size < 8u << 20 ? size : 8u << 20);
}

static int64_t check(const struct vmem_store *store, struct vmem_check_result *result)
{
	struct vmem_check_params params = {
		.base = store->base, .size = store->size, .env = env, .problem = on_problem,
	};

	return vmem_check(&params, result);
}

/* Make, check, mount, unmount, check. */
static void make_and_check(uint64_t size, const struct vmem_mkfs_params *params)
{
	struct vmem_mount_opts opts = { .read_only = false };
	struct vmem_check_result result;
	struct vmem_store store;
	struct vmem_fs *fs;

	store_new(&store, size);
	assert_int_equal(vmem_mkfs(&store, env, params), 0);
	assert_int_equal(check(&store, &result), 0);
	assert_int_equal(result.dirs, 1);
	assert_int_equal(result.used_inodes, 1);
	assert_int_equal(vmem_mount(&store, env, &opts, &fs, NULL), 0);
	assert_int_equal(vmem_umount(fs), 0);
	assert_int_equal(check(&store, &result), 0);
	munmap(store.base, store.size);
}

static void all_sizes_near_the_edges(void **state)
{
	struct vmem_mkfs_params params = { .label = NULL };
	uint64_t size;

	(void)state;
	for (size = 2u << 20; size < 2200u << 10; size += VMEM_BLOCK_SIZE)
		make_and_check(size, &params);
	for (size = 4; size <= 300; size += size < 40 ? 2 : 14)
		make_and_check(size << 20, &params);
	/* A last group from one block to more than its metadata. */
	for (size = 0; size < 700; size += 37)
		make_and_check((128ull << 20) + size * VMEM_BLOCK_SIZE, &params);
}

static void a_terabyte(void **state)
{
	struct vmem_mkfs_params params = { .label = NULL };

	(void)state;
	make_and_check(1ull << 40, &params);
}

static void parameters(void **state)
{
	struct vmem_mkfs_params params = {
		.log_blocks = 64, .inodes = 1000, .ag_blocks = 512, .label = "x",
	};

	(void)state;
	make_and_check(2 << 20, &params);
	make_and_check(16 << 20, &params);
	params.inodes = 1;
	make_and_check(16 << 20, &params);
	params.size = 8 << 20;
	make_and_check(16 << 20, &params);
}

/* The most blocks to which what is planned can grow. */
static uint64_t most(uint64_t size, uint64_t max_size)
{
	struct vmem_mkfs_params params = { .max_size = max_size };
	struct vmem_superblock sb;

	assert_int_equal(vmem_mkfs_plan(size, env, &params, &sb), 0);
	assert_true(vmem_get64(sb.nr_blocks) <= vmem_sb_max_blocks(&sb));
	return vmem_sb_max_blocks(&sb) << VMEM_BLOCK_SHIFT;
}

static void there_is_room_to_grow(void **state)
{
	struct vmem_mkfs_params params = { .max_size = 1ull << 40 };
	uint64_t size;

	(void)state;
	/* By default a thousandfold, but on small stores the rest of one block. */
	assert_int_equal(most(2 << 20, 0), 128ull << 21);
	for (size = 64ull << 20; size <= 16ull << 30; size *= 4)
		assert_int_equal(most(size, 0), 1024 * size);
	/* Inode numbers have 32 bits. */
	assert_in_range(most(1ull << 40, 0), 64ull << 40, 65ull << 40);
	assert_int_equal(most(1ull << 30, 1), 128ull << 27);
	assert_in_range(most(1ull << 30, 40ull << 40), 40ull << 40, 41ull << 40);
	assert_in_range(most(16 << 20, 1ull << 40), 1ull << 40, 2ull << 40);
	for (size = 8; size <= 256; size *= 2)
		make_and_check(size << 20, &params);
}

/* Of more groups than one flush has ranges. */
static void a_large_growth_is_consistent(void **state)
{
	struct vmem_mkfs_params params = { .size = 1ull << 30 };
	struct vmem_mount_opts opts = { .read_only = false };
	struct vmem_check_result result;
	struct vmem_store store;
	struct vmem_statfs st;
	struct vmem_fs *fs;

	(void)state;
	store_new(&store, 64ull << 30);
	assert_int_equal(vmem_mkfs(&store, env, &params), 0);
	assert_int_equal(vmem_mount(&store, env, &opts, &fs, NULL), 0);
	assert_int_equal(vmem_grow(fs, 0), 0);
	vmem_statfs(fs, &st);
	assert_int_equal(st.blocks << VMEM_BLOCK_SHIFT, 64ull << 30);
	assert_int_equal(vmem_umount(fs), 0);
	assert_int_equal(check(&store, &result), 0);
	munmap(store.base, store.size);
}

/* Inode numbers have 32 bits: groups of a huge store have fewer. */
static void a_huge_store_has_no_more_inodes_than_numbers(void **state)
{
	struct vmem_mkfs_params params = { .log_blocks = 4096 };
	struct vmem_superblock sb;

	(void)state;
	assert_int_equal(vmem_mkfs_plan(1ull << 48, env, &params, &sb), 0);
	assert_true(vmem_get64(sb.nr_inodes) <= UINT32_MAX);
	assert_true(vmem_get64(sb.nr_inodes) > UINT32_MAX / 100 * 99);
	assert_null(vmem_check_geometry(&sb, 1ull << 48));
}

static void the_root_directory_has_the_owner_and_mode_that_were_asked_for(void **state)
{
	struct vmem_mkfs_params params = { .root_mode = 01770, .root_uid = 7, .root_gid = 8 };
	struct vmem_mount_opts opts = { .read_only = false };
	struct vmem_inode root;
	struct vmem_store store;
	struct vmem_attr attr;
	struct vmem_fs *fs;

	(void)state;
	store_new(&store, 4 << 20);
	assert_int_equal(vmem_mkfs(&store, env, &params), 0);
	assert_int_equal(vmem_mount(&store, env, &opts, &fs, NULL), 0);
	assert_int_equal(vmem_iget(fs, VMEM_ROOT_INO, &root), 0);
	vmem_getattr(&root, &attr);
	assert_int_equal(attr.mode, 0041770);
	assert_int_equal(attr.uid, 7);
	assert_int_equal(attr.gid, 8);
	assert_int_equal(vmem_umount(fs), 0);
	munmap(store.base, store.size);
}

static void a_read_only_store_is_refused_and_left_alone(void **state)
{
	struct vmem_mkfs_params params = { .label = NULL };
	struct vmem_store store;

	(void)state;
	store_new(&store, 4 << 20);
	store.read_only = true;
	assert_int_equal(vmem_mkfs(&store, env, &params), -EROFS);
	assert_int_equal(store.base[0], 0xa5);
	munmap(store.base, store.size);
}

static void same_parameters_give_the_same_bytes(void **state)
{
	struct vmem_mkfs_params params = {
		.uuid = { 1 }, .hash_key = { 2 }, .log_seed = 3, .now = 4,
	};
	struct vmem_store a, b;

	(void)state;
	store_new(&a, 4 << 20);
	store_new(&b, 4 << 20);
	assert_int_equal(vmem_mkfs(&a, env, &params), 0);
	assert_int_equal(vmem_mkfs(&b, env, &params), 0);
	assert_memory_equal(a.base, b.base, a.size);
	munmap(a.base, a.size);
	munmap(b.base, b.size);
}

static void refuse(uint64_t size, const struct vmem_mkfs_params *params, int err)
{
	struct vmem_superblock sb;

	assert_int_equal(vmem_mkfs_plan(size, env, params, &sb), err);
}

static void impossible_parameters_are_refused(void **state)
{
	struct vmem_mkfs_params p = { .label = NULL };
	char label[70];

	(void)state;
	refuse((2 << 20) - VMEM_BLOCK_SIZE, &p, -ENOSPC);
	refuse(0, &p, -ENOSPC);
	refuse(UINT64_MAX, &p, -EINVAL);
	p.size = 4 << 20;
	refuse(2 << 20, &p, -EINVAL);
	p = (struct vmem_mkfs_params){ .ag_blocks = 100 };
	refuse(64 << 20, &p, -EINVAL);
	p = (struct vmem_mkfs_params){ .ag_blocks = 64 };
	refuse(64 << 20, &p, -EINVAL);
	p = (struct vmem_mkfs_params){ .ag_blocks = 65536 };
	refuse(64 << 20, &p, -EINVAL);
	p = (struct vmem_mkfs_params){ .log_blocks = 63 };
	refuse(64 << 20, &p, -EINVAL);
	p = (struct vmem_mkfs_params){ .log_blocks = 20000 };
	refuse(64 << 20, &p, -ENOSPC);
	p = (struct vmem_mkfs_params){ .log_blocks = UINT64_MAX };
	refuse(64 << 20, &p, -ENOSPC);
	p = (struct vmem_mkfs_params){ .inodes = 100000 };
	refuse(64 << 20, &p, -EINVAL);
	p = (struct vmem_mkfs_params){ .inodes = UINT64_MAX };
	refuse(64 << 20, &p, -EINVAL);
	p = (struct vmem_mkfs_params){ .max_size = 5ull << 50 };
	refuse(64 << 20, &p, -EINVAL);
	p = (struct vmem_mkfs_params){ .max_size = 16ull << 40 };
	refuse(2 << 20, &p, -ENOSPC);
	memset(label, 'l', sizeof(label));
	label[65] = 0;
	p = (struct vmem_mkfs_params){ .label = label };
	refuse(64 << 20, &p, -EINVAL);
	label[64] = 0;
	refuse(64 << 20, &p, 0);
}

/* ---- An interrupted mkfs ---- */

static unsigned int flushes_left;
static bool for_good;			/* after one that failed all do */

static int failing_flush(struct vmem_store *store, const struct vmem_range *r, unsigned int nr)
{
	(void)store;
	(void)r;
	(void)nr;
	if (flushes_left) {
		flushes_left--;
		return 0;
	}
	flushes_left = for_good ? 0 : UINT_MAX;
	return -EIO;
}

static void a_failed_flush_leaves_no_file_system(void **state)
{
	struct vmem_mkfs_params params = { .label = NULL };
	struct vmem_store store;
	unsigned int i, k;
	int err;

	(void)state;
	store_new(&store, 4 << 20);
	assert_int_equal(vmem_mkfs(&store, env, &params), 0);
	store.backing = VMEM_BACKING_PAGE_CACHE;
	store.flush = failing_flush;
	for (k = 0; k < 2; k++) {
		for_good = k;
		for (i = 0, err = -EIO; err; i++) {
			flushes_left = i;
			err = vmem_mkfs(&store, env, &params);
			if (err && i < 2)	/* the last flush is that of the superblock itself */
				assert_true(vmem_get64(*(vmem_le64 *)store.base) != VMEM_SB_MAGIC);
			assert_true(i < 10);
		}
	}
	munmap(store.base, store.size);
}

static uint32_t bitwise_crc32c(const uint8_t *p, size_t len)
{
	uint32_t crc = ~0u;
	int i;

	while (len--) {
		crc ^= *p++;
		for (i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc;
}

static void both_checksum_functions_agree(void **state)
{
	uint8_t buf[300];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(buf); i++) {
		buf[i] = (uint8_t)(i * 37);
		assert_int_equal(env->crc32c(~0u, buf, i), bitwise_crc32c(buf, i));
		assert_int_equal(vmem_crc32c(~0u, buf, i), bitwise_crc32c(buf, i));
	}
	/* RFC 3720 B.4: "123456789", with the final inversion. */
	assert_int_equal(~vmem_crc32c(~0u, "123456789", 9), 0xe3069283);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_sizes_near_the_edges),
		cmocka_unit_test(a_terabyte),
		cmocka_unit_test(parameters),
		cmocka_unit_test(there_is_room_to_grow),
		cmocka_unit_test(a_large_growth_is_consistent),
		cmocka_unit_test(a_huge_store_has_no_more_inodes_than_numbers),
		cmocka_unit_test(the_root_directory_has_the_owner_and_mode_that_were_asked_for),
		cmocka_unit_test(a_read_only_store_is_refused_and_left_alone),
		cmocka_unit_test(same_parameters_give_the_same_bytes),
		cmocka_unit_test(impossible_parameters_are_refused),
		cmocka_unit_test(a_failed_flush_leaves_no_file_system),
		cmocka_unit_test(both_checksum_functions_agree),
	};

	quiet_env = *tool_init("test_mkfs", false);
	quiet_env.log = no_log;
	return cmocka_run_group_tests_name("mkfs", tests, NULL, NULL);
}
