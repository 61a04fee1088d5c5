// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* test_size.c - a store that is smaller than the file system on it says */
#include <sys/mman.h>
#include "player.h"
#include "medium/hash.h"

#define SIZE (8 * MiB)

static struct player p;
static uint8_t *before;

static struct vmem_superblock *super(void)
{
	return (void *)p.c.sim->now;
}

/* A file system of several groups, unmounted or killed. */
static void make_store(bool killed)
{
	struct vmem_mkfs_params params = { .ag_blocks = 512 };
	static struct op ops[MAX_OPS];
	unsigned int i, nr = parse_script("mkdir d; creat d/f; write d/f 0 600000; creat g; holes g 30", ops);

	player_new(&p, SIZE, VMEM_DOMAIN_HOST);
	assert_int_equal(vmem_mkfs(&p.c.sim->store, &p.c.sim->env, &params), 0);
	assert_int_equal(player_mount(&p), 0);
	for (i = 0; i < nr; i++)
		assert_int_equal(play(&p, &ops[i]), 0);
	if (killed) {
		memset(p.held, 0, sizeof(p.held));
		fail_now(&p.c, SIM_GUEST);
		p.c.fs = NULL;
	} else {
		assert_int_equal(player_put_all(&p), 0);
		assert_int_equal(player_umount(&p), 0);
	}
	before = malloc(SIZE);
	memcpy(before, p.c.sim->now, SIZE);
}

static void drop_store(void)
{
	free(before);
	player_close(&p);
}

/* All ways to mount refuse, say so in one line, and leave the bytes alone. */
static void expect_refusal(int want, uint64_t size, const char *what)
{
	static const struct vmem_mount_opts ways[] = {
		{ .domain = VMEM_DOMAIN_HOST }, { .domain = VMEM_DOMAIN_GUEST }, { .read_only = true },
		{ .no_recovery = true }, { .check = true }, { .check = true, .check_done = true },
	};
	unsigned int i;

	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		int err;

		p.lines = 0;
		err = try_mount(&p.c, &ways[i]);
		p.c.fs = NULL;
		if (err != want || p.lines != 1)
			fail_msg("%s, %llu bytes, way %u: %d, %u lines: %s", what, (unsigned long long)size,
				 i, err, p.lines, p.first_log);
		assert_int_equal(p.c.sim->live, 0);
	}
	assert_memory_equal(p.c.sim->now, before, size);
}

/* Nothing behind the end is looked at: there is no memory. */
static void try_size(uint64_t size)
{
	uint64_t end = (size + BLOCK - 1) / BLOCK * BLOCK;
	struct vmem_check_result result;

	assert_int_equal(mprotect(p.c.sim->now + end, SIZE - end, PROT_NONE), 0);
	p.c.sim->store.size = size;
	expect_refusal(-EINVAL, size, "store cut");
	assert_true(player_fsck(&p, &result) > 0);
	p.c.sim->store.size = SIZE;
	assert_int_equal(mprotect(p.c.sim->now, SIZE, PROT_READ | PROT_WRITE), 0);
}

static void a_store_cut_at_any_structure_is_refused(void **state)
{
	uint64_t border[400];
	unsigned int nr = 0, i, killed;
	uint32_t ag;
	int64_t d;

	(void)state;
	for (killed = 0; killed < 2; killed++) {
		make_store(killed);
		for (nr = 0; nr < 5; nr++)	/* superblock, roots, reserved block, descriptors */
			border[nr] = nr;
		border[nr++] = vmem_get64(super()->log_start);
		border[nr++] = vmem_get64(super()->agmeta0);
		for (ag = 0; ag < vmem_get32(super()->nr_ags); ag++) {
			uint64_t meta = vmem_sb_group_meta(super(), ag);

			border[nr++] = meta;
			border[nr++] = meta + 1;
			border[nr++] = meta + 2;
			border[nr++] = meta + 2 + vmem_get32(super()->itable_blocks);
			border[nr++] = (uint64_t)ag * vmem_get32(super()->ag_blocks);
		}
		border[nr++] = vmem_get64(super()->backup);
		border[nr++] = vmem_get64(super()->nr_blocks);
		for (i = 0; i < nr; i++)
			for (d = -1; d <= 1; d++) {
				int64_t size = (int64_t)(border[i] * BLOCK) + d;

				if (size >= 0 && (uint64_t)size < vmem_get64(super()->nr_blocks) * BLOCK)
					try_size((uint64_t)size);
			}
		drop_store();
	}
	printf("# %u borders\n", nr);
}

static void seal_super(void)
{
	super()->csum = vmem_le32_of(vmem_superblock_csum(vmem_crc32c, super()));
	memcpy(before, p.c.sim->now, BLOCK);
}

/* The superblock, all of it in order, is that of a larger store. */
static void a_file_system_larger_than_its_store_is_refused(void **state)
{
	static const uint64_t sizes[] = { SIZE + 2 * MiB, 2 * SIZE, 100 * SIZE, 1ull << 40 };
	struct vmem_mkfs_params params = { .ag_blocks = 0 };
	struct vmem_superblock sb;
	unsigned int i;

	(void)state;
	make_store(false);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(vmem_mkfs_plan(sizes[i], &p.c.sim->env, &params, &sb), 0);
		memcpy(super(), &sb, sizeof(sb));
		seal_super();
		expect_refusal(-EINVAL, SIZE, "larger superblock");
	}
	drop_store();
}

/* Each number of the geometry too large, the others as they were. */
static void a_geometry_that_does_not_fit_is_refused(void **state)
{
	static const struct {
		const char *name;
		size_t off, len;
	} field[] = {
		{ "nr_blocks", 120, 8 }, { "nr_inodes", 128, 8 }, { "desc_start", 136, 8 },
		{ "log_start", 144, 8 }, { "log_blocks", 152, 8 }, { "agmeta0", 160, 8 },
		{ "backup", 168, 8 }, { "ag_blocks", 176, 4 }, { "nr_ags", 180, 4 },
		{ "inodes_per_ag", 184, 4 }, { "itable_blocks", 188, 4 },
	};
	uint64_t v, old, want[6];
	unsigned int i, k;

	(void)state;
	make_store(true);
	for (i = 0; i < sizeof(field) / sizeof(field[0]); i++) {
		uint8_t *at = p.c.sim->now + field[i].off;

		old = 0;
		memcpy(&old, at, field[i].len);
		want[0] = old + 512;
		want[1] = 2 * old + 512;
		want[2] = 0x7fffffff;
		want[3] = 0xffffffff;
		want[4] = 1ull << 44;
		want[5] = ~0ull;
		for (k = 0; k < (field[i].len == 8 ? 6 : 4); k++) {
			v = want[k];
			memcpy(at, &v, field[i].len);
			seal_super();
			expect_refusal(-EUCLEAN, SIZE, field[i].name);
		}
		memcpy(at, &old, field[i].len);
	}
	seal_super();
	drop_store();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_store_cut_at_any_structure_is_refused),
		cmocka_unit_test(a_file_system_larger_than_its_store_is_refused),
		cmocka_unit_test(a_geometry_that_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests_name("size", tests, NULL, NULL);
}
