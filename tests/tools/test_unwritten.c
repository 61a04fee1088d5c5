// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * test_unwritten.c - damage to preallocated blocks is found, costs nobody else anything, and shows
 * nobody what they held before
 *
 * The image of the other tests, with unwritten extents in inodes and in nodes, between
 * data and behind the end of file.  Their blocks are full of STALE.
 */
#include "image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "medium/fields.h"
#include "medium/geometry.h"

#define STALE	0xee

/* ---- The image ----------------------------------------------------------- */

static void advance(struct vmem_fs *fs, uint64_t ino, unsigned int mode, uint64_t lblk, uint64_t nr)
{
	struct vmem_inode vi;

	assert_int_equal(vmem_iget(fs, ino, &vi), 0);
	assert_int_equal(vmem_fallocate(&vi, mode, lblk * VMEM_BLOCK_SIZE, nr * VMEM_BLOCK_SIZE), 0);
	assert_int_equal(vmem_iput(&vi), 0);
}

/* Entry i of the leaf of this inode that has the first extent, or of the inode. */
static struct vmem_extent *entry(uint64_t ino, unsigned int i)
{
	struct vmem_dinode *n = inode(ino);
	unsigned int level = vmem_get16(n->depth);
	struct vmem_extent *e = n->u.ext;

	for (; level; level--)
		e = (struct vmem_extent *)((struct vmem_node *)block(entry_block(e)) + 1);
	return e + i;
}

static void fill_stale(uint64_t ino, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (ext_unwritten(entry(ino, i)))
			memset(block(ext_pblk(entry(ino, i))), STALE, ext_len(entry(ino, i)) * VMEM_BLOCK_SIZE);
}

static int make_preallocated_image(void **state)
{
	struct vmem_mount_opts opts = { .read_only = false };
	struct vmem_fs *fs;

	if (make_image(state))
		return -1;
	assert_int_equal(vmem_mount(&the_store, env, &opts, &fs, NULL), 0);
	/* Data, unwritten, data, a hole, unwritten behind the end, twice. */
	advance(fs, ino_dense, VMEM_FALLOC_ZERO_RANGE, 1, 2);
	advance(fs, ino_dense, VMEM_FALLOC_KEEP_SIZE, 10, 5);
	advance(fs, ino_dense, VMEM_FALLOC_KEEP_SIZE, 20, 3);
	/* A block of data and a hole in turn: unwritten and data are neighbours in a node. */
	advance(fs, ino_sparse, 0, 3, 1);
	advance(fs, ino_sparse, VMEM_FALLOC_ZERO_RANGE, 8, 9);
	advance(fs, ino_linked, VMEM_FALLOC_KEEP_SIZE, 0, 4);
	assert_int_equal(vmem_umount(fs), 0);
	fill_stale(ino_dense, 5);
	fill_stale(ino_sparse, 20);
	fill_stale(ino_linked, 2);
	memcpy(pristine, the_store.base, STORE_SIZE);
	return lost_thing() != NULL;
}

/* ---- Damage -------------------------------------------------------------- */

static size_t look_for_stale(void *ctx, void *addr, size_t len)
{
	if (memchr(addr, STALE, len))
		*(bool *)ctx = true;
	return len;
}

static bool shows_stale(uint64_t ino)
{
	struct vmem_mount_opts opts = { .no_recovery = true };
	struct vmem_inode vi;
	struct vmem_fs *fs;
	bool stale = false;

	assert_int_equal(vmem_mount(&the_store, env, &opts, &fs, NULL), 0);
	if (!vmem_iget(fs, ino, &vi) && vmem_size(&vi) < STORE_SIZE)
		vmem_read(&vi, 0, (size_t)vmem_size(&vi), look_for_stale, &stale);
	vmem_umount(fs);
	return stale;
}

/* Found, and repaired so that only ino suffers; the image is restored. */
static void expect_mended(uint64_t ino, const char *what, unsigned int bit)
{
	char name[100];

	snprintf(name, sizeof(name), "%s, bit %u", what, bit);
	if (!check_image())
		fail_msg("%s was not found", name);
	victim = ino;
	expect_sound_repair(name);
	victim = 0;
	if (shows_stale(ino))
		fail_msg("%s: after the repair preallocated blocks show what they held", name);
	restore();
}

static void expect_valid(const char *what, unsigned int bit)
{
	if (check_image())
		fail_msg("%s, bit %u is valid, but: %s", what, bit, first_problem);
	restore();
}

/* Bit by bit.  The entry has neighbours, prev blocks before it and next blocks behind. */
static void damage_entry(uint64_t ino, struct vmem_extent *e, uint64_t lo, uint64_t hi)
{
	uint64_t w0 = vmem_get64(e->w0), w1 = vmem_get64(e->w1);
	unsigned int bit;

	assert_true(ext_unwritten(e));
	for (bit = 0; bit < 64; bit++) {
		e->w0 = vmem_le64_of(w0 ^ 1ull << bit);
		fix_inode(ino);
		if (bit < VMEM_LBLK_BITS && ext_lblk(e) >= lo && ext_lblk(e) + ext_len(e) <= hi)
			expect_valid("where it is in the file", bit);
		else
			expect_mended(ino, bit < VMEM_LBLK_BITS ? "where it is in the file" : "length", bit);
	}
	for (bit = 0; bit < 63; bit++) {
		e->w1 = vmem_le64_of(w1 ^ 1ull << bit);
		fix_inode(ino);
		expect_mended(ino, bit < VMEM_PBLK_BITS ? "block" : "flags", bit);
	}
}

static void each_bit_of_an_extent_in_an_inode(void **state)
{
	(void)state;
	assert_int_equal(vmem_get16(inode(ino_dense)->nr_ext), 5);
	damage_entry(ino_dense, entry(ino_dense, 1), 1, 3);
	damage_entry(ino_dense, entry(ino_dense, 3), 5, 20);
	damage_entry(ino_dense, entry(ino_dense, 4), 15, VMEM_MAX_LBLK + 1);
	damage_entry(ino_linked, entry(ino_linked, 1), 1, VMEM_MAX_LBLK + 1);
}

static void each_bit_of_an_extent_in_a_node(void **state)
{
	unsigned int i, seen = 0;

	(void)state;
	assert_true(vmem_get16(inode(ino_sparse)->depth) > 0);
	for (i = 1; i < 12; i++) {
		struct vmem_extent *e = entry(ino_sparse, i);

		if (!ext_unwritten(e))
			continue;
		damage_entry(ino_sparse, e, ext_lblk(e - 1) + ext_len(e - 1), ext_lblk(e + 1));
		seen++;
	}
	assert_true(seen > 1);
}

/* Data it may be as well, but not behind the end; then the blocks say what the size is. */
static void what_is_called_data(void **state)
{
	struct vmem_extent *e = entry(ino_dense, 1);

	(void)state;
	e->w1 = vmem_le64_of(ext_pblk(e));
	fix_inode(ino_dense);
	expect_valid("unwritten", 63);
	e = entry(ino_dense, 4);
	e->w1 = vmem_le64_of(ext_pblk(e));
	fix_inode(ino_dense);
	expect_repair_of(ino_dense, "reaches beyond the end of file");
	expect_report("as its blocks say");
	restore();
}

static void data_that_is_called_unwritten(void **state)
{
	struct vmem_extent *e = entry(ino_dense, 2);

	(void)state;
	e->w1 = vmem_le64_of(ext_pblk(e) | VMEM_EXT_UNWRITTEN);
	fix_inode(ino_dense);
	expect_valid("data", 63);
}

/* A long symlink's target is data. */
static void a_target_is_never_preallocated(void **state)
{
	struct vmem_extent *e = entry(ino_long, 0);

	(void)state;
	e->w1 = vmem_le64_of(ext_pblk(e) | VMEM_EXT_UNWRITTEN);
	fix_inode(ino_long);
	victim = ino_long;
	assert_true(check_image() > 0);
	expect_sound_repair("a target in preallocated blocks");
}

/* Who has data there keeps it, whoever claims it first. */
static void blocks_in_double_use(void **state)
{
	struct vmem_extent *sparse = entry(ino_sparse, 0);

	(void)state;
	entry(ino_dense, 1)->w1 = vmem_le64_of(ext_pblk(sparse) | VMEM_EXT_UNWRITTEN);
	fix_inode(ino_dense);
	expect_mended(ino_dense, "preallocated, but another's data", 0);
	entry(ino_linked, 1)->w1 = vmem_le64_of(ext_pblk(sparse) | VMEM_EXT_UNWRITTEN);
	fix_inode(ino_linked);
	expect_mended(ino_linked, "preallocated, but another's data", 1);
	entry(ino_linked, 1)->w1 = entry(ino_dense, 3)->w1;
	fix_inode(ino_linked);
	expect_mended(ino_linked, "preallocated by two", 0);
}

static void blocks_that_the_bitmap_does_not_know(void **state)
{
	uint64_t nr = ext_pblk(entry(ino_dense, 3));
	uint32_t per_ag = vmem_get32(superblock()->ag_blocks);
	uint8_t *map = block(vmem_sb_group_meta(superblock(), (uint32_t)(nr / per_ag)));

	(void)state;
	map[nr % per_ag / 8] ^= (uint8_t)(1u << nr % 8);
	expect_mended(0, "bitmap", 0);
}

static void without_the_feature_bit_there_are_none(void **state)
{
	(void)state;
	superblock()->incompat = vmem_le64_of(vmem_get64(superblock()->incompat) & ~VMEM_INCOMPAT_UNWRITTEN);
	fix_superblock();
	expect_found("unknown flags");
}

static int start(void **state)
{
	(void)state;
	restore();
	victim = 0;
	return 0;
}

/* usage: test_unwritten [TEST [SEED]] */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_bit_of_an_extent_in_an_inode, start),
		cmocka_unit_test_setup(each_bit_of_an_extent_in_a_node, start),
		cmocka_unit_test_setup(what_is_called_data, start),
		cmocka_unit_test_setup(data_that_is_called_unwritten, start),
		cmocka_unit_test_setup(a_target_is_never_preallocated, start),
		cmocka_unit_test_setup(blocks_in_double_use, start),
		cmocka_unit_test_setup(blocks_that_the_bitmap_does_not_know, start),
		cmocka_unit_test_setup(without_the_feature_bit_there_are_none, start),
	};

	test_arguments(argc, argv, 0);
	return cmocka_run_group_tests_name("unwritten", tests, make_preallocated_image, free_image);
}
