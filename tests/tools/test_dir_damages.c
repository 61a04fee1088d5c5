// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * test_dir_damages.c - directories whose trees, leaves and names contradict each other
 *
 * As test_damages.c, for directories: nodes outside their range, leaves of
 * noise, leaves that an index has lost, circles.
 */
#include "image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "medium/hash.h"

/* ---- Trees of one level more --------------------------------------------- */

static struct vmem_dir_index *index_of(struct vmem_node *node)
{
	return (struct vmem_dir_index *)(node + 1);
}

/* The tree of the directory with many names: two index nodes below its topmost one. */
static void raise_directory_tree(void)
{
	struct vmem_node *top = dir_index_node();
	struct vmem_dir_index *idx = index_of(top);
	uint32_t nr = vmem_get16(top->count), half = nr / 2, level = vmem_get16(top->level);
	uint64_t a = make_node(VMEM_DIR_INDEX_MAGIC, ino_names, level, idx, half);
	uint64_t b = make_node(VMEM_DIR_INDEX_MAGIC, ino_names, level, idx + half, nr - half);

	idx[0].block = vmem_le64_of(a);
	idx[1].hash = idx[half].hash;
	idx[1].block = vmem_le64_of(b);
	memset(&idx[2], 0, (nr - 2) * sizeof(idx[0]));
	top->count = vmem_le16_of(2);
	top->level = vmem_le16_of(level + 1);
	inode(ino_names)->u.dir.height = vmem_le32_of(level + 2);
	add_blocks(ino_names, 2);
}

static struct vmem_node *middle_node(unsigned int i)
{
	return (struct vmem_node *)block(vmem_get64(index_of(dir_index_node())[i].block));
}

static void entries_outside_the_range_of_their_directory_index_are_found(void **state)
{
	(void)state;
	raise_directory_tree();
	expect_sound("a higher directory tree");
	index_of(middle_node(1))[1].hash = vmem_le64_of(0);
	expect_repair(0, "is not sorted at entry 1");
	raise_directory_tree();
	index_of(middle_node(0))[vmem_get16(middle_node(0)->count) - 1u].hash = vmem_le64_of(UINT64_MAX - 1);
	expect_repair(0, "is not sorted at entry");
}

/* The maps of what is claimed are made as groups are met: here in the midst of an index. */
static void without_memory_in_a_directory_the_check_says_so(void **state)
{
	uint64_t n = 0;
	int64_t found;

	(void)state;
	inode(ino_dense)->mode = vmem_le16_of(0);
	inode(ino_sparse)->mode = vmem_le16_of(0);
	for (n = 1; n < 4; n++)
		index_of(dir_index_node())[n].block =
			vmem_le64_of((n * 1024 + 700 + 1024 * (ino_names / vmem_get32(superblock()->inodes_per_ag))) % 4096);
	for (n = 1;; n++) {
		fail_allocation(n);
		found = check_image();
		assert_int_equal(allocated(), 0);
		if (fail_allocation(0) < n)
			break;
		assert_int_equal(found, -ENOMEM);
	}
	assert_true(found > 0 && n > 8);
	restore();
}

/* ---- Directories: nodes -------------------------------------------------- */

static void an_index_whose_count_is_lost_keeps_what_is_recognised(void **state)
{
	struct vmem_node *node = dir_index_node();
	struct vmem_dir_index *idx = index_of(node);
	uint32_t nr = vmem_get16(node->count), i;

	(void)state;
	node->count = vmem_le16_of(0);
	expect_repair(0, "has 0 entries");
	/* What lies behind looks like an entry, but not like the next one. */
	node->count = vmem_le16_of(0);
	idx[nr].hash = vmem_le64_of(5);
	idx[nr].block = vmem_le64_of(entry_block(&inode(ino_dense)->u.ext[0]));
	expect_repair(0, "has 0 entries");
	/* And up to the end of the block everything looks like entries. */
	node->count = vmem_le16_of(0);
	for (i = nr; i < VMEM_NODE_ENTRIES; i++) {
		idx[i].hash = vmem_le64_of(vmem_get64(idx[i - 1].hash) + 1);
		idx[i].block = vmem_le64_of(entry_block(&inode(ino_dense)->u.ext[0]));
	}
	expect_repair(0, "has 0 entries");
}

static void an_index_entry_cannot_take_another_directorys_leaf(void **state)
{
	struct vmem_dir_index *idx = index_of(dir_index_node());

	(void)state;
	idx[3].block = inode(VMEM_ROOT_INO)->u.dir.root;
	expect_repair_of(0, "is used twice");
	expect_report("is not the node it should be: dropped");
	restore();
}

static void a_directory_whose_root_is_in_doubt_is_made_of_its_leaves(void **state)
{
	static const uint32_t heights[] = { 0, 99 };
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		inode(ino_names)->u.dir.height = vmem_le32_of(heights[i]);
		fix_inode(ino_names);
		dir_index_node()->self = vmem_le64_of(1);
		expect_repair_of(0, "with root block");
		expect_report("emptied");
		restore();
	}
}

/* The order of the index is damaged, and so is what the inode says of its blocks. */
static void a_directory_is_made_anew_whatever_it_says_of_its_blocks(void **state)
{
	static const uint64_t blocks[] = { 0, 1ull << 40 };
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		index_of(dir_index_node())[3].hash = vmem_le64_of(0);
		inode(ino_names)->blocks = vmem_le64_of(blocks[i]);
		fix_inode(ino_names);
		expect_repair(0, "is not sorted");
	}
}

/* ---- Directories: leaves ------------------------------------------------- */

static struct vmem_dirent *after(struct vmem_dirent *de)
{
	return (struct vmem_dirent *)((uint8_t *)de + vmem_get16(de->rec_len));
}

static void name_it(struct vmem_dirent *de, const char *name)
{
	de->name_len = (uint8_t)strlen(name);
	memcpy(de->name, name, strlen(name));
	de->hash = vmem_le64_of(vmem_name_hash(superblock()->hash_key, de->name, de->name_len));
}

static void names_that_cannot_be_are_found_and_dropped(void **state)
{
	static const struct { const char *name, *words; } bad[] = {
		{ "", "is empty" }, { ".", "is . or .." }, { "..", "is . or .." }, { "a/b", "contains / or NUL" },
	};
	static const char *const good[] = { ".x", ".hidden", "...", "x" };
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		name_it(name_for(root_leaf(), ino_fifo), bad[i].name);
		expect_repair(ino_fifo, bad[i].words);
	}
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		name_it(name_for(root_leaf(), ino_fifo), good[i]);
		expect_sound(good[i]);
		block(VMEM_DESC_START)[0] ^= 1;
		victim = ino_fifo;	/* by another name */
		expect_sound_repair(good[i]);
		assert_int_equal(name_for(root_leaf(), ino_fifo)->name_len, strlen(good[i]));
		restore();
	}
}

static void names_are_double_only_when_their_bytes_are(void **state)
{
	struct vmem_dirent *de = some_dirent(dir_leaf(3)), *next = after(de);
	unsigned int shorter;

	(void)state;
	for (shorter = 0; shorter < 2; shorter++) {
		next->hash = de->hash;
		next->name_len = (uint8_t)(next->name_len - shorter);
		expect_found("has a wrong hash");
		assert_null(strstr(all_problems, "repeats a name"));
		expect_repair(shorter ? ino_names : 0, "has a wrong hash");
	}
}

/* The last entry ends eight bytes too early: there is no room for another one's head. */
static void a_leaf_that_does_not_end_with_its_block_keeps_its_names(void **state)
{
	struct vmem_dirent *de = (struct vmem_dirent *)(dir_leaf(3) + 1);

	(void)state;
	while ((uint8_t *)after(de) < (uint8_t *)dir_leaf(3) + VMEM_BLOCK_SIZE)
		de = after(de);
	de->rec_len = vmem_le16_of(vmem_get16(de->rec_len) - 8ull);
	expect_repair(0, "has a wrong length");
}

static void a_leaf_of_noise_is_emptied_and_one_with_some_keeps_the_rest(void **state)
{
	struct vmem_node *leaf = dir_leaf(3);
	struct vmem_dirent *first = (struct vmem_dirent *)(leaf + 1), *end;

	(void)state;
	memset(leaf + 1, 0xff, VMEM_BLOCK_SIZE - VMEM_NODE_HEAD);
	expect_repair(ino_names, "has a wrong length");
	/* An entry that is free, one whose length is wrong, and at the end half a name. */
	first->ino = vmem_le32_of(0);
	after(first)->rec_len = vmem_le16_of(1);
	end = (struct vmem_dirent *)((uint8_t *)leaf + VMEM_BLOCK_SIZE - 24);
	end->ino = vmem_le32_of(ino_linked);
	end->rec_len = vmem_le16_of(4);
	end->name_len = 255;
	expect_repair(ino_names, "has a wrong length");
}

static void an_entry_leads_only_to_inodes_that_can_be(void **state)
{
	struct vmem_dirent *de = some_dirent(dir_leaf(3));

	(void)state;
	de->ino = vmem_le32_of(vmem_get32(superblock()->inodes_per_ag) - 1);
	expect_repair_of(ino_names, "leads to unused inode");
	expect_report("no possible name or inode");
	restore();
}

/* ---- Directories: leaves that were cut off -------------------------------- */

static void lose_index(void)
{
	memset(dir_index_node(), 0, VMEM_BLOCK_SIZE);
}

static void only_leaves_of_a_directory_that_lost_them_are_adopted(void **state)
{
	struct vmem_node *leaf[4] = { dir_leaf(0), dir_leaf(1), dir_leaf(2), dir_leaf(3) };
	struct vmem_dirent *de = some_dirent(leaf[3]);

	(void)state;
	leaf[0]->self = vmem_le64_of(1);
	leaf[1]->owner = vmem_le64_of(1ull << 40);
	leaf[2]->owner = vmem_le64_of(ino_dir);
	de->ino = vmem_le32_of(0);
	name_it(after(de), "..");
	after(after(de))->ino = vmem_le32_of(vmem_get32(superblock()->inodes_per_ag) - 1);
	lose_index();
	expect_repair_of(ino_names, "is not the tree node it should be");
	assert_int_equal(vmem_get64(inode(ino_dir)->u.dir.nr_entries), 0);
	restore();
}

static void directories_that_lost_their_nodes_get_their_own_names_back(void **state)
{
	(void)state;
	memset(inode(VMEM_ROOT_INO), 0, VMEM_INODE_SIZE);
	lose_index();
	expect_repair(0, "there is no root directory");
}

static void without_memory_for_a_leaf_that_was_cut_off_the_repair_says_so(void **state)
{
	struct vmem_repair_result r;
	unsigned int i;
	uint64_t n;
	int err;

	(void)state;
	for (n = 1; n < 60; n++) {
		for (i = 0; i < vmem_get16(dir_index_node()->count); i++)
			((struct vmem_dirent *)(dir_leaf(i) + 1))->rec_len = vmem_le16_of(4);
		lose_index();
		fail_allocation(n);
		err = repair_image(&r);
		assert_true(fail_allocation(0) >= n);
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(allocated(), 0);
		restore();
	}
}

static void a_name_that_two_cut_off_entries_have_is_kept_for_both(void **state)
{
	struct vmem_dirent *de = some_dirent(dir_leaf(3)), *next = after(de);
	char name[32];

	(void)state;
	memcpy(next->name, de->name, de->name_len);
	next->hash = de->hash;
	next->ino = vmem_le32_of(ino_dense);
	lose_index();
	expect_repair_of(ino_names, "is not the tree node it should be");
	snprintf(name, sizeof(name), "#%llu", (unsigned long long)ino_dense);
	if (find_name(ino_names, name) != ino_dense) {
		snprintf(name, sizeof(name), "#%llu", (unsigned long long)ino_linked);
		assert_int_equal(find_name(ino_names, name), ino_linked);
	}
	restore();
}

static void a_directory_gets_no_second_name_from_a_leaf_that_was_cut_off(void **state)
{
	struct vmem_dirent *de = some_dirent(dir_leaf(3));

	(void)state;
	de->ino = vmem_le32_of(ino_dir);
	de->type = 4;
	lose_index();
	expect_repair_of(ino_names, "is not the tree node it should be");
	assert_int_equal(vmem_get32(inode(ino_dir)->parent), VMEM_ROOT_INO);
	restore();
}

static void a_circle_through_a_leaf_that_was_cut_off_is_opened(void **state)
{
	(void)state;
	make_circle();
	lose_index();
	expect_repair_of(ino_names, "is not the tree node it should be");
	expect_report("in a circle: its name is taken away");
	restore();
}

static int start(void **state)
{
	(void)state;
	restore();
	return 0;
}

/* usage: test_dir_damages [TEST [SEED]] */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(entries_outside_the_range_of_their_directory_index_are_found, start),
		cmocka_unit_test_setup(without_memory_in_a_directory_the_check_says_so, start),
		cmocka_unit_test_setup(an_index_whose_count_is_lost_keeps_what_is_recognised, start),
		cmocka_unit_test_setup(an_index_entry_cannot_take_another_directorys_leaf, start),
		cmocka_unit_test_setup(a_directory_whose_root_is_in_doubt_is_made_of_its_leaves, start),
		cmocka_unit_test_setup(a_directory_is_made_anew_whatever_it_says_of_its_blocks, start),
		cmocka_unit_test_setup(names_that_cannot_be_are_found_and_dropped, start),
		cmocka_unit_test_setup(names_are_double_only_when_their_bytes_are, start),
		cmocka_unit_test_setup(a_leaf_that_does_not_end_with_its_block_keeps_its_names, start),
		cmocka_unit_test_setup(a_leaf_of_noise_is_emptied_and_one_with_some_keeps_the_rest, start),
		cmocka_unit_test_setup(an_entry_leads_only_to_inodes_that_can_be, start),
		cmocka_unit_test_setup(only_leaves_of_a_directory_that_lost_them_are_adopted, start),
		cmocka_unit_test_setup(directories_that_lost_their_nodes_get_their_own_names_back, start),
		cmocka_unit_test_setup(without_memory_for_a_leaf_that_was_cut_off_the_repair_says_so, start),
		cmocka_unit_test_setup(a_name_that_two_cut_off_entries_have_is_kept_for_both, start),
		cmocka_unit_test_setup(a_directory_gets_no_second_name_from_a_leaf_that_was_cut_off, start),
		cmocka_unit_test_setup(a_circle_through_a_leaf_that_was_cut_off_is_opened, start),
	};

	test_arguments(argc, argv, 0);
	return cmocka_run_group_tests_name("directories", tests, learn_image, free_image);
}
