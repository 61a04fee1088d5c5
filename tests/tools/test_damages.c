// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * test_damages.c - what no single field shows: contradictions, shapes, several damages at once
 *
 * test_checker.c damages each field in turn.  Here fields contradict each
 * other, trees have a level more, tables lie, and what one damage hides is
 * damaged, too.  Each is found with the words that it should be, and repaired
 * so that nothing is lost but the victim.
 */
#define _GNU_SOURCE
#include "image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "medium/hash.h"
#include "offline/mkfs.h"

#define MODE_TYPE	0170000u

/* ---- Superblock ---------------------------------------------------------- */

static void refused(const struct vmem_superblock *sb, uint64_t size, const char *words)
{
	const char *wrong = vmem_check_geometry(sb, size);
	struct vmem_mount_opts opts = { .read_only = true };
	struct vmem_fs *fs;

	if (!wrong || !strstr(wrong, words))
		fail_msg("geometry: %s instead of %s", wrong ? wrong : "accepted", words);
	/* Nor does a mount accept it. */
	*superblock() = *sb;
	fix_superblock();
	if (!vmem_mount(&the_store, env, &opts, &fs, NULL))
		fail_msg("mounted, although: %s", words);
	restore();
}

static void a_geometry_that_contradicts_itself_is_refused(void **state)
{
	const struct vmem_superblock good = *superblock();
	struct vmem_superblock sb = good;

	(void)state;
	assert_null(vmem_check_geometry(&sb, STORE_SIZE));
	sb.nr_blocks = vmem_le64_of(VMEM_MIN_BLOCKS - 1);
	refused(&sb, STORE_SIZE, "impossible number of blocks");
	sb.nr_blocks = vmem_le64_of(VMEM_MAX_BLOCKS + 1);
	refused(&sb, STORE_SIZE, "impossible number of blocks");
	sb = good;
	sb.ag_blocks = vmem_le32_of(0);
	refused(&sb, STORE_SIZE, "impossible group size");
	sb.ag_blocks = vmem_le32_of(VMEM_MAX_AG_BLOCKS + 8);
	refused(&sb, STORE_SIZE, "impossible group size");
	sb.ag_blocks = vmem_le32_of(1028);
	refused(&sb, STORE_SIZE, "impossible group size");
	sb = good;
	sb.inodes_per_ag = vmem_le32_of(VMEM_MAX_AG_INODES + 16);
	refused(&sb, STORE_SIZE, "inodes per group");
	sb.inodes_per_ag = vmem_le32_of(20);
	refused(&sb, STORE_SIZE, "inodes per group");
	sb = good;
	sb.inodes_per_ag = vmem_le32_of(0);
	refused(&sb, STORE_SIZE, "inodes per group");
	sb = good;
	sb.log_blocks = vmem_le64_of(VMEM_MIN_LOG_BLOCKS - 1);
	refused(&sb, STORE_SIZE, "the log overlaps something or is too small");
	sb = good;
	sb.agmeta0 = vmem_le64_of(vmem_get32(sb.ag_blocks) - 3);
	refused(&sb, STORE_SIZE, "the first group is too small");
	sb = good;
	sb.nr_blocks = vmem_le64_of(3ull * vmem_get32(sb.ag_blocks) + 5);
	sb.backup = vmem_le64_of(vmem_get64(sb.nr_blocks) - 1);
	refused(&sb, STORE_SIZE, "the last group is too small");
	/* As many descriptors as a store of tiny groups needs. */
	sb = good;
	sb.ag_blocks = vmem_le32_of(8);
	sb.nr_ags = vmem_le32_of(512);
	sb.nr_inodes = vmem_le64_of(512ull * vmem_get32(sb.inodes_per_ag));
	refused(&sb, STORE_SIZE, "the descriptors overlap");
	sb = good;
	sb.nr_blocks = vmem_le64_of(VMEM_MAX_BLOCKS);
	sb.backup = vmem_le64_of(VMEM_MAX_BLOCKS - 1);
	sb.ag_blocks = vmem_le32_of(VMEM_MAX_AG_BLOCKS);
	sb.nr_ags = vmem_le32_of(VMEM_MAX_BLOCKS / VMEM_MAX_AG_BLOCKS);
	sb.inodes_per_ag = vmem_le32_of(VMEM_MAX_AG_INODES);
	sb.itable_blocks = vmem_le32_of(VMEM_MAX_AG_INODES / VMEM_INODES_PER_BLOCK);
	sb.nr_inodes = vmem_le64_of(VMEM_MAX_BLOCKS / VMEM_MAX_AG_BLOCKS * VMEM_MAX_AG_INODES);
	refused(&sb, UINT64_MAX, "impossible number of inodes");
}

static void a_label_may_fill_its_field(void **state)
{
	uint8_t label[VMEM_LABEL_LEN];

	(void)state;
	memset(label, 'l', sizeof(label));
	memcpy(superblock()->label, label, sizeof(label));
	fix_superblock();
	expect_sound("a label of full length");
	block(VMEM_DESC_START)[0] ^= 1;
	expect_repair_of(0, "free blocks");
	assert_memory_equal(superblock()->label, label, sizeof(label));
	restore();
}

/* A later version may have put something there. */
static void what_an_unknown_compatible_feature_keeps_in_the_superblock_stays(void **state)
{
	(void)state;
	superblock()->compat = vmem_le64_of(4);
	superblock()->reserved[5] = 7;
	fix_superblock();
	expect_sound("a compatible feature");
	block(VMEM_DESC_START)[0] ^= 1;
	expect_repair_of(0, "free blocks");
	assert_int_equal(superblock()->reserved[5], 7);
	restore();
}

/* With the superblock gone; at: where something like a backup is. */
static void try_backup(uint64_t at, void (*spoil)(struct vmem_superblock *sb))
{
	struct vmem_superblock *sb = (struct vmem_superblock *)block(at), copy = *superblock();
	uint64_t backup = vmem_get64(copy.backup);

	memset(superblock(), 0, sizeof(*sb));
	memset(block(backup), 0, sizeof(*sb));
	copy.backup = vmem_le64_of(at);
	*sb = copy;
	spoil(sb);
	expect_refusal("no backup of it was found");
}

static void unseal(struct vmem_superblock *sb)
{
	sb->created = vmem_le64_of(vmem_get64(sb->created) + 1);
}

static void enlarge(struct vmem_superblock *sb)
{
	sb->nr_blocks = vmem_le64_of(vmem_get64(sb->nr_blocks) + 1);
	sb->csum = vmem_le32_of(vmem_superblock_csum(env->crc32c, sb));
}

static void a_backup_counts_only_when_it_is_whole_and_fits(void **state)
{
	uint64_t last = STORE_SIZE / VMEM_BLOCK_SIZE - 1;

	(void)state;
	try_backup(last, unseal);
	try_backup(last, enlarge);
	try_backup(last - 7, enlarge);
}

/* The search ends after one group, however large the store. */
static void a_backup_is_looked_for_near_the_end_only(void **state)
{
	uint64_t size = (VMEM_MAX_AG_BLOCKS + 2048ull) * VMEM_BLOCK_SIZE, at = VMEM_MIN_BLOCKS + 99;
	struct vmem_store small = the_store;
	struct vmem_repair_result r;
	struct vmem_superblock *sb;

	(void)state;
	the_store.size = size;
	the_store.base = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(the_store.base != MAP_FAILED);
	sb = (struct vmem_superblock *)block(at);
	assert_int_equal(vmem_mkfs_plan((at + 1) * VMEM_BLOCK_SIZE, env,
					&(struct vmem_mkfs_params){ .label = "far" }, sb), 0);
	assert_int_equal(vmem_get64(sb->backup), at);
	assert_int_equal(repair_image(&r), -EUCLEAN);
	expect_report("no backup of it was found");
	munmap(the_store.base, size);
	the_store = small;
}

static void a_superblock_that_leads_to_noise_is_refused(void **state)
{
	unsigned int type;
	uint32_t ag;

	(void)state;
	for (type = 0; type < 2; type++) {
		for (ag = 0; ag < vmem_get32(superblock()->nr_ags); ag++)
			memset(block(vmem_sb_group_meta(superblock(), ag) + 2), 0xee,
			       vmem_get32(superblock()->itable_blocks) * VMEM_BLOCK_SIZE);
		if (type)	/* a mode alone does not make a root directory */
			inode(VMEM_ROOT_INO)->mode = vmem_le16_of(0040755);
		expect_refusal("no root directory and no inode with a right checksum");
	}
}

/* ---- Roots, log, groups -------------------------------------------------- */

/* A record with a right checksum, where an empty log starts. */
static void put_record(unsigned int type, uint32_t len, uint32_t sealed)
{
	uint64_t ring = vmem_get64(superblock()->log_blocks) * VMEM_BLOCK_SIZE;
	struct vmem_rec *rec = (struct vmem_rec *)block(vmem_get64(superblock()->log_start));
	struct vmem_root *root = root_slot(true);

	root->tail = vmem_le64_of(9 * ring);
	root->applied = root->tail;
	fix_root(root);
	memset(rec, 0, sizeof(*rec));
	rec->lsn = root->tail;
	rec->len = vmem_le32_of(len);
	rec->type = vmem_le16_of(type);
	rec->csum = vmem_le32_of(vmem_rec_csum(env->crc32c, vmem_get32(root->log_seed), rec, sealed));
}

static void a_clean_log_ends_where_the_root_says(void **state)
{
	uint32_t huge = VMEM_REC_MAX + VMEM_REC_ALIGN;

	(void)state;
	put_record(VMEM_REC_PAD, VMEM_BLOCK_SIZE, sizeof(struct vmem_rec));
	expect_repair(0, "the log goes on after the end");
	put_record(VMEM_REC_OP, VMEM_BLOCK_SIZE, VMEM_BLOCK_SIZE);
	expect_repair(0, "the log goes on after the end");
	put_record(VMEM_REC_OP, huge, huge);	/* noise, whatever its checksum */
	expect_sound("a record larger than records are");
	restore();
}

static void a_root_whose_positions_contradict_each_other_is_found(void **state)
{
	uint64_t ring = vmem_get64(superblock()->log_blocks) * VMEM_BLOCK_SIZE, tail;
	struct vmem_root *root = root_slot(true);

	(void)state;
	tail = vmem_get64(root->tail) + ring;
	root->state = vmem_le32_of(VMEM_STATE_MOUNTED);
	root->tail = vmem_le64_of(tail);
	root->applied = vmem_le64_of(tail - VMEM_REC_ALIGN);
	fix_root(root);
	expect_repair(0, "does not fit the tail");
	root->state = vmem_le32_of(VMEM_STATE_MOUNTED);
	root->applied = vmem_le64_of(vmem_get64(root->tail) + ring + VMEM_REC_ALIGN);
	fix_root(root);
	expect_repair(0, "does not fit the tail");
}

/* A sequence that would soon reach its limit starts anew. */
static void a_repair_leaves_room_in_the_sequence_of_roots(void **state)
{
	struct vmem_root *root = root_slot(true);

	(void)state;
	root->seq = vmem_le64_of(UINT64_MAX / 3);
	fix_root(root);
	expect_sound("a high sequence number");
	block(VMEM_DESC_START)[0] ^= 1;
	expect_repair_of(0, "free blocks");
	assert_true(vmem_get64(root_slot(true)->seq) < 100);
	restore();
}

/* Inodes with right checksums that the bitmap knows tell how far the table goes. */
static void a_descriptor_that_hides_inodes_is_not_believed(void **state)
{
	(void)state;
	desc(0)->itable_init = vmem_le32_of(0);
	inode(ino_long)->csum = vmem_le32_of(1);	/* the last one: not to be told from noise */
	expect_repair_of(ino_long, "there is no root directory");
	expect_report("1 inode table blocks are initialised, not 0");
	restore();
	/* Without bitmap, too: the block with the root is always there. */
	desc(0)->itable_init = vmem_le32_of(0);
	memset(block(vmem_sb_group_meta(superblock(), 0) + 1), 0, VMEM_BLOCK_SIZE);
	expect_repair(0, "there is no root directory");
}

static void a_last_group_that_is_shorter_is_repaired_like_others(void **state)
{
	struct vmem_mkfs_params params = { .ag_blocks = 1024, .log_blocks = 64, .inodes = 64 };
	uint64_t free_before;

	(void)state;
	the_store.size = STORE_SIZE - 300 * VMEM_BLOCK_SIZE;
	assert_int_equal(vmem_mkfs(&the_store, env, &params), 0);
	free_before = vmem_get32(desc(3)->free_blocks);
	assert_true(free_before > 600 && free_before < 724);
	memset(block(vmem_sb_group_meta(superblock(), 3)), 0x55, VMEM_BLOCK_SIZE);
	desc(3)->free_blocks = vmem_le32_of(1000);
	assert_true(check_image() > 0);
	{
		struct vmem_repair_result r;

		assert_int_equal(repair_image(&r), 0);
		assert_int_equal(r.unsafe, 0);
	}
	expect_sound("a short last group");
	assert_int_equal(vmem_get32(desc(3)->free_blocks), free_before);
	the_store.size = STORE_SIZE;
	restore();
}

/* ---- Inodes -------------------------------------------------------------- */

static void what_has_an_impossible_checksum_is_an_inode_only_if_it_looks_like_one(void **state)
{
	(void)state;
	inode(ino_chr)->uid = vmem_le32_of(7);
	expect_repair_of(0, "wrong checksum");
	expect_report("the fields are possible: accepted");
	assert_int_equal(vmem_get32(inode(ino_chr)->uid), 7);
	restore();
	memset(inode(ino_dense), 0xee, VMEM_INODE_SIZE);
	expect_repair_of(ino_dense, "wrong checksum");
	expect_report("not an inode: cleared");
	assert_int_equal(vmem_get16(inode(ino_dense)->mode), 0);
	restore();
}

/* A mode and a format that contradict each other, and what else an inode says. */
static const struct kind {
	uint32_t type, format, parent, rdev;
	uint64_t blocks, size;
	uint32_t nr_ext;
	const char *text;
	uint32_t want_type, want_format;
} kinds[] = {
	{ 0010000, VMEM_FMT_DIR, 1, 0, 0, 0, 0, "", 0040000, VMEM_FMT_DIR },
	{ 0010000, VMEM_FMT_DIR, 0, 0x103, 0, 0, 0, "", 0020000, VMEM_FMT_NONE },
	{ 0060000, VMEM_FMT_DIR, 0, 0x103, 0, 0, 0, "", 0060000, VMEM_FMT_NONE },
	{ 0060000, VMEM_FMT_DIR, 0, 0, 0, 0, 0, "", 0060000, VMEM_FMT_NONE },
	{ 0010000, VMEM_FMT_INLINE, 0, 0, 0, 5, 0, "hello", 0120000, VMEM_FMT_INLINE },
	/* Not a target: too long, too short, or with blocks or extents. */
	{ 0010000, VMEM_FMT_INLINE, 0, 0, 0, VMEM_PAYLOAD_SIZE + 1, 0, "hello", 0100000, VMEM_FMT_EXTENTS },
	{ 0010000, VMEM_FMT_INLINE, 0, 0, 0, 6, 0, "hello", 0100000, VMEM_FMT_EXTENTS },
	{ 0010000, VMEM_FMT_INLINE, 0, 0, 1, 5, 0, "hello", 0100000, VMEM_FMT_EXTENTS },
	{ 0010000, VMEM_FMT_INLINE, 0, 0, 0, 5, 1, "hello", 0100000, VMEM_FMT_EXTENTS },
	{ 0010000, VMEM_FMT_INLINE, 0, 0, 0, 0, 1, "", 0100000, VMEM_FMT_EXTENTS },
	{ 0010000, VMEM_FMT_DIR, 0, 0, 3, 0, 0, "", 0100000, VMEM_FMT_EXTENTS },
	{ 0100000, VMEM_FMT_NONE, 0, 0, 0, 0, 0, "", 0100000, VMEM_FMT_EXTENTS },
	{ 0010000, VMEM_FMT_EXTENTS, 0, 0, 0, 0, 0, "", 0100000, VMEM_FMT_EXTENTS },
	/* More than one block, or too long for one: not a long target. */
	{ 0120000, VMEM_FMT_DIR, 0, 0, 2, 1000, 0, "", 0100000, VMEM_FMT_EXTENTS },
	{ 0120000, VMEM_FMT_DIR, 0, 0, 1, VMEM_BLOCK_SIZE, 0, "", 0100000, VMEM_FMT_EXTENTS },
	{ 0140000, VMEM_FMT_INLINE, 0, 0, 0, 0, 0, "", 0140000, VMEM_FMT_NONE },
	{ 0150000, VMEM_FMT_NONE, 0, 0, 0, 0, 0, "", 0010000, VMEM_FMT_NONE },
};

static void a_kind_that_contradicts_its_format_becomes_what_the_other_fields_say(void **state)
{
	struct vmem_dinode *di = inode(ino_fifo);
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct kind *k = &kinds[i];

		di->mode = vmem_le16_of(k->type | 0644);
		di->format = vmem_le16_of(k->format);
		di->parent = vmem_le32_of(k->parent);
		di->rdev = vmem_le32_of(k->rdev);
		di->blocks = vmem_le64_of(k->blocks);
		di->size = vmem_le64_of(k->size);
		di->nr_ext = vmem_le16_of(k->nr_ext);
		memcpy(di->u.bytes, k->text, strlen(k->text));
		fix_inode(ino_fifo);
		expect_repair_of(ino_fifo, "does not go with format");
		if (vmem_get16(di->mode) != (k->want_type | 0644) ||
		    vmem_get16(di->format) != k->want_format)
			fail_msg("kind %u is now %o, %u:\n%s", i, vmem_get16(di->mode),
				 vmem_get16(di->format), all_reports);
		restore();
	}
	/* A target in a block stays one. */
	inode(ino_long)->format = vmem_le16_of(VMEM_FMT_NONE);
	fix_inode(ino_long);
	expect_repair(0, "does not go with format");
}

/* What one field of a symlink says wrong, the others and the text say right. */
static void a_symlink_keeps_its_target_whatever_field_is_wrong(void **state)
{
	struct vmem_dinode *l = inode(ino_long), *s = inode(ino_short);

	(void)state;
	s->size = vmem_le64_of(0);
	fix_inode(ino_short);
	expect_repair(0, "impossible length 0");
	l->size = vmem_le64_of(0);
	fix_inode(ino_long);
	expect_repair(0, "impossible length 0");
	l->size = vmem_le64_of(2000);
	l->nr_ext = vmem_le16_of(0);
	fix_inode(ino_long);
	expect_repair(0, "not in one block");
	l->nr_ext = vmem_le16_of(2);
	fix_inode(ino_long);
	expect_repair(0, "inode");
	l->blocks = vmem_le64_of(2);
	fix_inode(ino_long);
	expect_repair(0, "says 2 blocks, has 1");
	l->depth = vmem_le16_of(1);
	fix_inode(ino_long);
	expect_repair(0, "is not the tree node");
	l->u.ext[0].w0 = vmem_le64_of(5);
	fix_inode(ino_long);
	expect_repair(0, "beyond the end of file");
}

static void a_symlink_without_a_target_is_cleared(void **state)
{
	(void)state;
	inode(ino_short)->u.bytes[0] = 0;
	fix_inode(ino_short);
	expect_repair_of(ino_short, "contains NUL");
	expect_report("a symlink without target: cleared");
	restore();
	inode(ino_long)->u.ext[0].w1 = vmem_le64_of(STORE_SIZE / VMEM_BLOCK_SIZE + 5);
	fix_inode(ino_long);
	expect_repair_of(ino_long, "not in one block");
	expect_report("a symlink without target: cleared");
	restore();
	block(entry_block(&inode(ino_long)->u.ext[0]))[0] = 0;
	expect_repair_of(ino_long, "contains NUL");
	expect_report("a symlink without target: cleared");
	restore();
}

/* ---- Extents ------------------------------------------------------------- */

static struct vmem_extent *entries_of(struct vmem_node *node)
{
	return (struct vmem_extent *)(node + 1);
}

static struct vmem_node *extent_leaf(void)
{
	struct vmem_node *node = first_extent_node();

	while (vmem_get16(node->level))
		node = (struct vmem_node *)block(entry_block(entries_of(node)));
	return node;
}

static void blocks_that_no_file_can_hold_are_found_and_given_back(void **state)
{
	struct vmem_extent *e = inode(ino_dense)->u.ext;

	(void)state;
	e[0] = extent(0, 5, 2 * vmem_get32(superblock()->ag_blocks) - 2);
	fix_inode(ino_dense);
	expect_repair(ino_dense, "belongs to the metadata");
	e[0] = extent(0, 1, vmem_get64(superblock()->backup));
	fix_inode(ino_dense);
	expect_repair(ino_dense, "belongs to the metadata");
}

static void extents_out_of_order_are_found_and_those_in_order_kept(void **state)
{
	struct vmem_dinode *di = inode(ino_dense);
	uint64_t pblk = entry_block(&di->u.ext[0]);
	struct vmem_extent *e = entries_of(extent_leaf());

	(void)state;
	di->u.ext[0] = extent(0, 3, pblk);
	di->u.ext[1] = extent(2, 2, pblk + 3);
	di->nr_ext = vmem_le16_of(2);
	fix_inode(ino_dense);
	expect_repair(ino_dense, "out of order or overlaps");
	e[2].w0 = e[0].w0;
	expect_repair(ino_sparse, "out of order or overlaps");
	/* A count that is impossible: those that rise are taken for entries. */
	extent_leaf()->count = vmem_le16_of(0);
	e[7].w0 = e[0].w0;
	expect_repair(ino_sparse, "has 0 entries");
}

static void a_wrong_root_of_an_extent_tree_is_put_right_by_what_it_leads_to(void **state)
{
	struct vmem_dinode *di = inode(ino_sparse);
	static const uint16_t depths[] = { 0, 2, 5, 99 };
	unsigned int i;

	(void)state;
	di->nr_ext = vmem_le16_of(0);
	fix_inode(ino_sparse);
	expect_repair(0, "with 0 entries");
	for (i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
		di->depth = vmem_le16_of(depths[i]);
		fix_inode(ino_sparse);
		expect_repair(0, "inode");
	}
	/* What is not there any more is not made up. */
	di->nr_ext = vmem_le16_of(0);
	di->u.ext[0].w1 = vmem_le64_of(0);
	fix_inode(ino_sparse);
	expect_repair(ino_sparse, "with 0 entries");
	di->nr_ext = vmem_le16_of(0);
	di->depth = vmem_le16_of(0);
	fix_inode(ino_sparse);
	expect_repair(ino_sparse, "says");
	first_extent_node()->level = vmem_le16_of(200);
	expect_repair(0, "has level 200");
}

static void an_extent_node_that_occurs_twice_counts_once(void **state)
{
	struct vmem_dinode *di = inode(ino_sparse);

	(void)state;
	di->u.ext[1].w1 = di->u.ext[0].w1;
	fix_inode(ino_sparse);
	expect_repair_of(ino_sparse, "is used twice");
	expect_report("occurs twice: dropped");
	restore();
}

/* More copies than the store has blocks: none of them takes another file's. */
static void blocks_that_are_claimed_too_often_are_not_all_copied(void **state)
{
	struct vmem_dinode *di = inode(ino_dense);
	uint64_t start, len = free_run(&start);
	unsigned int i;

	(void)state;
	assert_true((VMEM_INLINE_EXTENTS - 1) * len > STORE_SIZE / VMEM_BLOCK_SIZE);
	for (i = 0; i < VMEM_INLINE_EXTENTS; i++)
		di->u.ext[i] = extent(i * len, len, start);
	di->nr_ext = vmem_le16_of(VMEM_INLINE_EXTENTS);
	di->size = vmem_le64_of(VMEM_INLINE_EXTENTS * len * VMEM_BLOCK_SIZE);
	fix_inode(ino_dense);
	expect_repair_of(ino_dense, "is used twice");
	expect_report("are claimed too often: dropped");
	expect_report("no space for all copies: zeros remain");
	restore();
}

/* ---- Trees of one level more --------------------------------------------- */

/* The tree of the sparse file: two index nodes of two levels more. */
static void raise_extent_tree(void)
{
	struct vmem_dinode *di = inode(ino_sparse);
	uint32_t nr = vmem_get16(di->nr_ext), half = nr / 2, level = vmem_get16(di->depth);
	uint64_t a = make_node(VMEM_EXT_NODE_MAGIC, ino_sparse, level, di->u.ext, half);
	uint64_t b = make_node(VMEM_EXT_NODE_MAGIC, ino_sparse, level, di->u.ext + half, nr - half);
	struct vmem_extent second = { di->u.ext[half].w0, vmem_le64_of(b) };

	assert_true(half > 1 && nr - half > 1);
	memset(&di->u, 0, sizeof(di->u));
	di->u.ext[0].w1 = vmem_le64_of(a);
	di->u.ext[1] = second;
	di->nr_ext = vmem_le16_of(2);
	di->depth = vmem_le16_of(level + 1);
	add_blocks(ino_sparse, 2);
}

static void entries_outside_the_range_of_their_extent_node_are_found(void **state)
{
	struct vmem_dinode *di = inode(ino_sparse);
	struct vmem_node *a, *b;
	struct vmem_extent *e;

	(void)state;
	raise_extent_tree();
	expect_sound("a higher extent tree");
	b = (struct vmem_node *)block(entry_block(&di->u.ext[1]));
	entries_of(b)[0].w0 = vmem_le64_of(0);	/* below what leads here */
	expect_repair(0, "out of order or has unknown bits");

	raise_extent_tree();
	a = (struct vmem_node *)block(entry_block(&di->u.ext[0]));
	e = &entries_of(a)[vmem_get16(a->count) - 1];
	e->w0 = vmem_le64_of(VMEM_MAX_LBLK - 5);
	expect_repair(0, "out of order or has unknown bits");
}

static int start(void **state)
{
	(void)state;
	restore();
	return 0;
}

/* usage: test_damages [TEST [SEED]] */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_geometry_that_contradicts_itself_is_refused, start),
		cmocka_unit_test_setup(a_label_may_fill_its_field, start),
		cmocka_unit_test_setup(what_an_unknown_compatible_feature_keeps_in_the_superblock_stays, start),
		cmocka_unit_test_setup(a_backup_counts_only_when_it_is_whole_and_fits, start),
		cmocka_unit_test_setup(a_backup_is_looked_for_near_the_end_only, start),
		cmocka_unit_test_setup(a_superblock_that_leads_to_noise_is_refused, start),
		cmocka_unit_test_setup(a_clean_log_ends_where_the_root_says, start),
		cmocka_unit_test_setup(a_root_whose_positions_contradict_each_other_is_found, start),
		cmocka_unit_test_setup(a_repair_leaves_room_in_the_sequence_of_roots, start),
		cmocka_unit_test_setup(a_descriptor_that_hides_inodes_is_not_believed, start),
		cmocka_unit_test_setup(a_last_group_that_is_shorter_is_repaired_like_others, start),
		cmocka_unit_test_setup(what_has_an_impossible_checksum_is_an_inode_only_if_it_looks_like_one, start),
		cmocka_unit_test_setup(a_kind_that_contradicts_its_format_becomes_what_the_other_fields_say, start),
		cmocka_unit_test_setup(a_symlink_keeps_its_target_whatever_field_is_wrong, start),
		cmocka_unit_test_setup(a_symlink_without_a_target_is_cleared, start),
		cmocka_unit_test_setup(blocks_that_no_file_can_hold_are_found_and_given_back, start),
		cmocka_unit_test_setup(extents_out_of_order_are_found_and_those_in_order_kept, start),
		cmocka_unit_test_setup(a_wrong_root_of_an_extent_tree_is_put_right_by_what_it_leads_to, start),
		cmocka_unit_test_setup(an_extent_node_that_occurs_twice_counts_once, start),
		cmocka_unit_test_setup(blocks_that_are_claimed_too_often_are_not_all_copied, start),
		cmocka_unit_test_setup(entries_outside_the_range_of_their_extent_node_are_found, start),
	};

	test_arguments(argc, argv, 0);
	return cmocka_run_group_tests_name("damages", tests, learn_image, free_image);
}
