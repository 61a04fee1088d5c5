// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* test_tools.c - mkfs, check and repair on a machine whose calls fail */
#include "player.h"
#include "medium/hash.h"
#include "offline/repair.h"
#include "offline/shrink.h"

/* ---- mkfs ---- */

static void a_format_whose_flush_fails_is_an_error_and_leaves_nothing_to_mount(void **state)
{
	struct vmem_mkfs_params params = { .label = "x" };
	static struct player p;
	uint64_t n;
	int err;

	(void)state;
	for (n = 1, err = -EIO; err; n++) {
		player_new(&p, 4 * MiB, VMEM_DOMAIN_HOST);
		p.failing = FAIL_FLUSH;
		p.fail_at = n;
		err = vmem_mkfs(&p.c.sim->store, &p.c.sim->env, &params);
		assert_int_equal(err, p.fired ? -EIO : 0);
		p.failing = FAIL_NOTHING;
		assert_int_equal(player_mount(&p), err ? -EINVAL : 0);
		if (!err)
			assert_int_equal(player_umount(&p), 0);
		player_close(&p);
	}
	assert_true(n > 2);
}

/* ---- check ---- */

static void a_check_without_memory_says_so(void **state)
{
	struct vmem_check_result result;
	static struct player p;
	struct image image;
	int64_t found = -ENOMEM;
	uint64_t n;

	(void)state;
	make_image(&image, &scripts[2], VMEM_DOMAIN_HOST);
	for (n = 1; found; n++) {
		player_open(&p, &image);
		p.failing = FAIL_ALLOC;
		p.fail_at = n;
		found = player_fsck(&p, &result);
		if (found != (p.fired ? -ENOMEM : 0))
			fail_msg("allocation %llu: %lld, %s", (unsigned long long)n, (long long)found,
				 p.c.sim->last_log);
		player_close(&p);
	}
	assert_true(n > 4);
	free(image.bytes);
}

/* ---- repair ---- */

static uint8_t *inode_at(struct player *p, uint64_t ino)
{
	struct vmem_superblock *sb = (void *)p->c.sim->now;

	return p->c.sim->now + (vmem_get64(sb->agmeta0) + 2) * BLOCK + ino * VMEM_INODE_SIZE;
}

static void seal(struct player *p, uint64_t ino)
{
	struct vmem_dinode *n = (void *)inode_at(p, ino);

	n->csum = vmem_le32_of(vmem_inode_csum(vmem_crc32c, n, ino));
}

/* The root directory's inode is gone. */
static void lose_root(struct player *p)
{
	memset(inode_at(p, VMEM_ROOT_INO), 0, VMEM_INODE_SIZE);
}

/* Two files claim the same blocks. */
static void share_blocks(struct player *p)
{
	struct vmem_dinode *a = NULL;
	uint64_t ino;

	for (ino = VMEM_FIRST_INO; ino < 16; ino++) {
		struct vmem_dinode *b = (void *)inode_at(p, ino);

		if (vmem_get16(b->format) != VMEM_FMT_EXTENTS)
			continue;
		if (a) {
			b->u = a->u;
			b->size = a->size;
			b->blocks = a->blocks;
			b->depth = a->depth;
			b->nr_ext = a->nr_ext;
			seal(p, ino);
			return;
		}
		a = b;
	}
	fail_msg("there are no two files");
}

/* The leaf of a directory is noise. */
static void lose_leaf(struct player *p)
{
	struct vmem_dinode *n = (void *)inode_at(p, VMEM_ROOT_INO);
	uint8_t *leaf = p->c.sim->now + vmem_get64(n->u.dir.root) * BLOCK;

	memset(leaf + VMEM_NODE_HEAD + 40, 0x5a, 200);
}

static void drain(struct vmem_store *store)
{
	(void)store;
}

static void written(struct vmem_store *store, const void *addr, size_t len)
{
	(void)store;
	(void)addr;
	(void)len;
}

__attribute__((format(printf, 2, 0)))
static void note_report(void *ctx, const char *fmt, va_list ap)
{
	struct sim *sim = ((struct player *)ctx)->c.sim;

	vsnprintf(sim->last_log, sizeof(sim->last_log), fmt, ap);
}

static int repair(struct player *p)
{
	struct vmem_store copy = p->c.sim->store;
	struct vmem_repair_params params = {
		.store = &copy, .env = &p->c.sim->env, .domain = p->c.domain, .ctx = p, .report = note_report,
	};
	struct vmem_repair_result result;

	copy.backing = VMEM_BACKING_DAX;
	copy.flush = NULL;
	copy.recorded = NULL;
	copy.writeback = written;
	copy.drain = drain;
	return vmem_repair(&params, &result);
}

static void a_repair_without_memory_says_so(void **state)
{
	static void (*const damage[])(struct player *p) = { lose_root, share_blocks, lose_leaf };
	static struct player p;
	struct image image;
	unsigned int d, s;
	uint64_t n;

	(void)state;
	for (s = 0; s < 3; s++) {
		make_image(&image, &scripts[s], VMEM_DOMAIN_HOST);
		for (d = 0; d < sizeof(damage) / sizeof(damage[0]); d++) {
			bool fired = true;

			for (n = 1; fired; n++) {
				int err;

				player_open(&p, &image);
				damage[d](&p);
				p.failing = FAIL_ALLOC;
				p.fail_at = n;
				err = repair(&p);
				if (err != (p.fired ? -ENOMEM : 0))
					fail_msg("%s, damage %u, allocation %llu: %d, %s",
						 scripts[s].name, d, (unsigned long long)n, err,
						 p.c.sim->last_log);
				fired = p.fired;
				player_close(&p);
			}
			assert_true(n > 5);
		}
		free(image.bytes);
	}
}

/* ---- shrink ---- */

static void a_shrink_whose_flush_fails_is_an_error_and_leaves_what_fsck_repairs(void **state)
{
	static struct player p;
	struct image image;
	int err = -EIO;
	uint64_t n;

	(void)state;
	make_image(&image, &scripts[2], VMEM_DOMAIN_HOST);
	for (n = 1; err; n++) {
		player_open(&p, &image);
		p.failing = FAIL_FLUSH;
		p.fail_at = n;
		err = vmem_shrink(&p.c.sim->store, &p.c.sim->env, image.size - 100 * BLOCK);
		assert_int_equal(err, p.fired ? -EIO : 0);
		p.failing = FAIL_NOTHING;
		if (err)
			assert_int_equal(repair(&p), 0);
		assert_int_equal(sim_check(p.c.sim), 0);
		assert_int_equal(player_mount(&p), 0);
		assert_int_equal(player_umount(&p), 0);
		player_close(&p);
	}
	assert_true(n > 5);
	free(image.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_format_whose_flush_fails_is_an_error_and_leaves_nothing_to_mount),
		cmocka_unit_test(a_check_without_memory_says_so),
		cmocka_unit_test(a_repair_without_memory_says_so),
		cmocka_unit_test(a_shrink_whose_flush_fails_is_an_error_and_leaves_what_fsck_repairs),
	};
	int failed = cmocka_run_group_tests_name("tools", tests, NULL, NULL);

	print_sites("tools");
	return failed;
}
