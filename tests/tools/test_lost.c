// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * test_lost.c - what a repair has to put somewhere: lost inodes and copies
 *
 * Names in lost+found that are taken, stores without a free block.  A repair
 * that finds no way refuses with the reason.
 */
#include "image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "medium/hash.h"
#include "offline/mkfs.h"

static uint8_t before[STORE_SIZE];

#define AS_DIRECTORY	0040755
#define AS_FILE		0100644

/* ---- Preparing the image by the core ------------------------------------- */

static struct vmem_fs *mount_image(struct vmem_inode *root)
{
	struct vmem_mount_opts opts = { .read_only = false };
	struct vmem_fs *fs;

	assert_int_equal(vmem_mount(&the_store, env, &opts, &fs, NULL), 0);
	assert_int_equal(vmem_iget(fs, VMEM_ROOT_INO, root), 0);
	return fs;
}

static void unmount_image(struct vmem_inode *root)
{
	struct vmem_fs *fs = root->fs;

	assert_int_equal(vmem_iput(root), 0);
	assert_int_equal(vmem_umount(fs), 0);
}

static void make_in(struct vmem_inode *dir, const char *name, uint16_t mode, struct vmem_inode *vi)
{
	struct vmem_attr attr = { .mode = mode };

	assert_int_equal(vmem_create(dir, name_of(name), &attr, vi), 0);
}

/* Its inode stays, but no name leads there. */
static void lose_name(uint64_t ino)
{
	name_for(root_leaf(), ino)->ino = vmem_le32_of(0);
	victim = ino;
}

static const char *number_of(uint64_t ino)
{
	static char text[32];

	snprintf(text, sizeof(text), "#%llu", (unsigned long long)ino);
	return text;
}

/* ---- lost+found ---------------------------------------------------------- */

/* lost+found has the number of the fifo already, and nr names made from it. */
static void take_numbers(unsigned int nr)
{
	struct vmem_inode root, dir, vi;
	struct vmem_fs *fs = mount_image(&root);
	char name[32];
	unsigned int i;

	make_in(&root, "lost+found", AS_DIRECTORY, &dir);
	assert_int_equal(vmem_iget(fs, ino_dense, &vi), 0);
	for (i = 0; i <= nr; i++) {
		snprintf(name, sizeof(name), i ? "#%llu.%u" : "#%llu", (unsigned long long)ino_fifo, i);
		assert_int_equal(vmem_link(&dir, name_of(name), &vi), 0);
	}
	assert_int_equal(vmem_iput(&vi), 0);
	assert_int_equal(vmem_iput(&dir), 0);
	unmount_image(&root);
}

static void a_lost_inode_whose_number_is_taken_gets_another_name(void **state)
{
	char name[32];

	(void)state;
	take_numbers(11);
	lose_name(ino_fifo);
	expect_sound_repair("a number that is taken");
	snprintf(name, sizeof(name), "#%llu.12", (unsigned long long)ino_fifo);
	assert_int_equal(find_name(find_name(VMEM_ROOT_INO, "lost+found"), name), ino_fifo);
	restore();
}

static void a_repair_that_finds_no_name_refuses(void **state)
{
	(void)state;
	take_numbers(999);
	lose_name(ino_fifo);
	expect_refusal("refused: the repaired image cannot be mounted or filled (error 17)");
}

static void a_file_called_lost_and_found_is_not_taken_for_the_directory(void **state)
{
	static const char *const names[] = { "lost+found", "lost+found.1", "lost+found.2" };
	struct vmem_inode root, vi;
	unsigned int taken, i;

	(void)state;
	for (taken = 1; taken <= 3; taken++) {
		mount_image(&root);
		for (i = 0; i < taken; i++) {
			make_in(&root, names[i], AS_FILE, &vi);
			assert_int_equal(vmem_iput(&vi), 0);
		}
		unmount_image(&root);
		lose_name(ino_fifo);
		if (taken == 3) {
			expect_refusal("refused: the repaired image cannot be mounted or filled (error 17)");
			continue;
		}
		expect_sound_repair("a file called lost+found");
		assert_int_equal(find_name(find_name(VMEM_ROOT_INO, names[taken]), number_of(ino_fifo)),
				 ino_fifo);
		restore();
	}
}

static void a_directory_that_was_freed_is_kept_when_it_has_names(void **state)
{
	uint64_t entries = vmem_get64(inode(ino_names)->u.dir.nr_entries);
	unsigned int damaged;

	(void)state;
	for (damaged = 0; damaged < 2; damaged++) {
		lose_name(ino_names);
		inode(ino_names)->nlink = vmem_le32_of(0);
		if (damaged) {		/* its names are not where its index says, and not counted */
			struct vmem_dir_index *idx = (struct vmem_dir_index *)(dir_index_node() + 1);

			idx[3].hash = vmem_le64_of(0);
			inode(ino_names)->u.dir.nr_entries = vmem_le64_of(0);
		}
		fix_inode(ino_names);
		expect_sound_repair("a freed directory with names");
		assert_int_equal(find_name(find_name(VMEM_ROOT_INO, "lost+found"), number_of(ino_names)),
				 ino_names);
		assert_int_equal(vmem_get64(inode(ino_names)->u.dir.nr_entries), entries);
		restore();
	}
	lose_name(ino_dir);
	inode(ino_dir)->nlink = vmem_le32_of(0);
	fix_inode(ino_dir);
	expect_sound_repair("an empty freed directory");
	assert_int_equal(vmem_get16(inode(ino_dir)->mode), 0);
	assert_int_equal(find_name(VMEM_ROOT_INO, "lost+found"), 0);
	restore();
}

/* ---- A full store -------------------------------------------------------- */

static size_t fill(void *ctx, void *addr, size_t len)
{
	(void)ctx;
	memset(addr, 'f', len);
	return len;
}

/* Nobody but root finds a block. */
static uint64_t fill_image(void)
{
	struct vmem_inode root, vi;
	uint64_t off = 0;

	mount_image(&root);
	make_in(&root, "filler", AS_FILE, &vi);
	while (vmem_write(&vi, off, VMEM_BLOCK_SIZE, fill, NULL) == VMEM_BLOCK_SIZE)
		off += VMEM_BLOCK_SIZE;
	assert_int_equal(vmem_iput(&vi), 0);
	unmount_image(&root);
	return vi.ino;
}

static void append_extent(uint64_t ino, uint64_t pblk, uint64_t len)
{
	struct vmem_dinode *di = inode(ino);
	uint32_t nr = vmem_get16(di->nr_ext);
	uint64_t lblk = vmem_get64(di->size) / VMEM_BLOCK_SIZE;

	assert_true(nr < VMEM_INLINE_EXTENTS && !vmem_get16(di->depth));
	di->u.ext[nr].w0 = vmem_le64_of(lblk | (len - 1) << VMEM_LBLK_BITS);
	di->u.ext[nr].w1 = vmem_le64_of(pblk);
	di->nr_ext = vmem_le16_of(nr + 1ull);
	di->size = vmem_le64_of((lblk + len) * VMEM_BLOCK_SIZE);
	di->blocks = vmem_le64_of(vmem_get64(di->blocks) + len);
	fix_inode(ino);
}

/* What the core keeps back is in use, too: no block is free. */
static void take_the_rest(void)
{
	uint32_t ag_blocks = vmem_get32(superblock()->ag_blocks);
	uint64_t nr = STORE_SIZE / VMEM_BLOCK_SIZE, i, run = 0;

	for (i = 0; i <= nr; i++) {
		const uint8_t *map = block(vmem_sb_group_meta(superblock(), (uint32_t)(i / ag_blocks) % 4));
		uint64_t bit = i % ag_blocks;
		bool used = i == nr || map[bit / 8] >> bit % 8 & 1;

		if (run && (used || !bit)) {
			append_extent(ino_dense, i - run, run);
			run = 0;
		}
		run = used ? 0 : run + 1;
	}
}

static void a_directory_of_a_full_store_is_made_anew_in_its_own_blocks(void **state)
{
	struct vmem_dir_index *idx = (struct vmem_dir_index *)(dir_index_node() + 1);

	(void)state;
	fill_image();
	idx[3].hash = vmem_le64_of(0);
	victim = 0;
	expect_sound_repair("an index that is not sorted");
	expect_report("rebuilt");
	restore();
}

/* Whether they fit into as many blocks as before depends on their hashes. */
static void without_a_free_block_names_are_kept_or_the_repair_refuses(void **state)
{
	struct vmem_repair_result r;
	int err;

	(void)state;
	fill_image();
	take_the_rest();
	memset(dir_index_node(), 0, VMEM_BLOCK_SIZE);
	victim = ino_dense;	/* longer than it was */
	memcpy(before, the_store.base, STORE_SIZE);
	err = repair_image(&r);
	if (err) {
		assert_int_equal(err, -EUCLEAN);
		if (!strstr(last_report, "not all names of damaged directories can be kept"))
			fail_msg("refused for another reason: %s", last_report);
	} else {
		memcpy(the_store.base, before, STORE_SIZE);
		expect_sound_repair("no index and no free block");
	}
	restore();
}

static void without_space_for_a_copy_zeros_remain(void **state)
{
	uint64_t filler;

	(void)state;
	filler = fill_image();
	inode(ino_dense)->u.ext[0] = inode(filler)->u.ext[0];
	inode(ino_dense)->size = inode(filler)->size;
	fix_inode(ino_dense);
	victim = ino_dense;
	expect_sound_repair("a block of two files");
	expect_report("no space for all copies: zeros remain");
	restore();
}

static void without_a_block_for_its_copy_a_target_is_lost(void **state)
{
	struct vmem_dinode *di = inode(ino_long);
	uint64_t was = entry_block(&di->u.ext[0]);

	(void)state;
	fill_image();
	take_the_rest();
	di->u.ext[0].w1 = inode(ino_dense)->u.ext[0].w1;
	fix_inode(ino_long);
	append_extent(ino_dense, was, 1);
	victim = ino_long;
	memset(block(was), 0x5a, VMEM_BLOCK_SIZE);
	assert_true(check_image() > 0);
	{
		struct vmem_repair_result r;

		assert_int_equal(repair_image(&r), 0);
	}
	expect_report("no space for all copies: its target is lost");
	expect_report("a symlink without target: cleared");
	assert_int_equal(check_image(), 0);
	assert_int_equal(vmem_get16(di->mode), 0);
	restore();
}

static void without_a_block_for_lost_and_found_the_repair_says_what_is_left(void **state)
{
	(void)state;
	fill_image();
	take_the_rest();
	lose_name(ino_fifo);
	expect_refusal("refused: this is left after");
}

static int start(void **state)
{
	(void)state;
	restore();
	return 0;
}

/* usage: test_lost [TEST [SEED]] */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_lost_inode_whose_number_is_taken_gets_another_name, start),
		cmocka_unit_test_setup(a_repair_that_finds_no_name_refuses, start),
		cmocka_unit_test_setup(a_file_called_lost_and_found_is_not_taken_for_the_directory, start),
		cmocka_unit_test_setup(a_directory_that_was_freed_is_kept_when_it_has_names, start),
		cmocka_unit_test_setup(a_directory_of_a_full_store_is_made_anew_in_its_own_blocks, start),
		cmocka_unit_test_setup(without_a_free_block_names_are_kept_or_the_repair_refuses, start),
		cmocka_unit_test_setup(without_space_for_a_copy_zeros_remain, start),
		cmocka_unit_test_setup(without_a_block_for_its_copy_a_target_is_lost, start),
		cmocka_unit_test_setup(without_a_block_for_lost_and_found_the_repair_says_what_is_left, start),
	};

	/* With this one names do not fit without a free block. */
	test_arguments(argc, argv, 3);
	return cmocka_run_group_tests_name("lost", tests, learn_image, free_image);
}
