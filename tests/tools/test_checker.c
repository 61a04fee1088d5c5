// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * test_checker.c - every field of every structure matters, or provably does not
 *
 * A small image is filled by the core so that it has each kind of structure.
 * Then each field is damaged in turn, by several patterns, with the checksum
 * made right again where there is one, so that the checker has to know the
 * meaning.  A field is either FOUND: each damage is reported; or FREE: any
 * value is valid, and the checker must not complain.  Bytes that no field of a
 * table covers fail the test, too.
 *
 * Each damage that is found is then repaired: the result must be sound, a
 * second repair must store nothing, and nothing may be lost but what belongs
 * to the victim, the inode that was damaged.
 */
#include "image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fields.h"
#include "medium/hash.h"
#include "offline/mkfs.h"

/* ---- Damage -------------------------------------------------------------- */

/* Fields one after the other, so that none is forgotten and none is met twice. */
static void assert_complete(const struct field *f, size_t nr, size_t size)
{
	size_t i, sum = 0;

	for (i = 0; i < nr; i++) {
		assert_int_equal(f[i].off, sum);
		sum += f[i].size;
	}
	assert_int_equal(sum, size);
}

/* ---- Repair -------------------------------------------------------------- */

static bool may_refuse;			/* no repair is possible, or perhaps none */
static unsigned int repair_each = 1;	/* of so many like damages */
static uint64_t repairs, refusals;
static uint8_t damaged[STORE_SIZE];

/* The damage stays in the_store.base. */
static void repair_damage(const char *name, unsigned int pattern)
{
	struct vmem_repair_result r;
	const char *lost;
	int err;

	memcpy(damaged, the_store.base, STORE_SIZE);
	err = repair_image(&r);
	repairs++;
	if (err && !may_refuse)
		fail_msg("%s: pattern %u: repair gave %d:\n%s", name, pattern, err, all_reports);
	if (err && !strstr(last_report, "refused"))
		fail_msg("%s: pattern %u: refused without a reason: %s", name, pattern, last_report);
	refusals += err != 0;
	if (!err) {
		if (check_image())
			fail_msg("%s: pattern %u: after the repair: %s", name, pattern, first_problem);
		lost = lost_thing();
		if (lost)
			fail_msg("%s: pattern %u: the repair lost %s:\n%s", name, pattern, lost, all_reports);
		if (repair_image(&r) || stores || r.safe || r.unsafe)
			fail_msg("%s: pattern %u: a second repair changed something: %s", name, pattern,
				 last_report);
	}
	memcpy(the_store.base, damaged, STORE_SIZE);
}

static void expect(const char *name, unsigned int pattern, enum verdict verdict)
{
	static unsigned int serial;
	int64_t problems = check_image();

	if (verdict == FOUND && problems == 0)
		fail_msg("%s: pattern %u was not found", name, pattern);
	if (verdict == FREE && problems != 0)
		fail_msg("%s: pattern %u is valid, but: %s", name, pattern, first_problem);
	if (verdict == FOUND && serial++ % repair_each == 0)
		repair_damage(name, pattern);
}

/* Each byte-wise pattern changes the field. */
static void damage(uint8_t *p, size_t size, unsigned int pattern)
{
	size_t i;

	switch (pattern) {
	case 0:
		p[0] ^= 1;
		break;
	case 1:
		p[size - 1] ^= 0x80;
		break;
	case 2:
		p[size / 2] ^= 0x10;
		break;
	default:
		for (i = 0; i < size; i++)
			p[i] = (uint8_t)~p[i];
	}
}

typedef void (*fix_fn)(void *arg);

static void damage_fields(void *base, const struct field *f, size_t nr, fix_fn fix, void *arg)
{
	unsigned int pattern;
	size_t i;

	for (i = 0; i < nr; i++) {
		for (pattern = 0; pattern < 4 && f[i].verdict != OWN; pattern++) {
			restore();
			damage((uint8_t *)base + f[i].off, f[i].size, pattern);
			if (fix)
				fix(arg);
			expect(f[i].name, pattern, f[i].verdict);
		}
	}
	restore();
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- Tests --------------------------------------------------------------- */

static void a_sound_image_has_no_problem(void **state)
{
	(void)state;
	restore();
	if (check_image())
		fail_msg("%s", first_problem);
	assert_int_equal(result.files, 3);
	assert_int_equal(result.dirs, 3);
	assert_int_equal(result.symlinks, 2);
	assert_int_equal(result.others, 2);
	assert_true(vmem_get16(inode(ino_sparse)->depth) >= 1);
	assert_int_equal(vmem_get32(inode(ino_names)->u.dir.height), 2);
	assert_null(lost_thing());
}

/* Nothing but one inode may suffer from what follows. */
static void set_victim(uint64_t ino)
{
	victim = ino;
	may_refuse = false;
	repair_each = 1;
}

static void fix_sb_arg(void *arg)
{
	(void)arg;
	fix_superblock();
}

static void superblock_fields(void **state)
{
	FIELD_TABLE(f, SUPERBLOCK_FIELDS, vmem_superblock);

	(void)state;
	set_victim(0);
	may_refuse = true;	/* the backup is damaged alike */
	assert_complete(f, COUNT(f), sizeof(struct vmem_superblock));
	damage_fields(superblock(), f, COUNT(f), fix_sb_arg, NULL);
}

/* A feature may be there without being used. */
static void feature_bits(void **state)
{
	unsigned int i;

	(void)state;
	set_victim(0);
	may_refuse = true;
	for (i = 0; i < 8; i++) {
		restore();
		((uint8_t *)&superblock()->incompat)[0] ^= (uint8_t)(1u << i);
		fix_sb_arg(NULL);
		expect("incompat", i, VMEM_INCOMPAT_KNOWN >> i & 1 ? FREE : FOUND);
	}
	restore();
}

static void superblock_checksums(void **state)
{
	size_t i;

	(void)state;
	set_victim(0);
	repair_each = 8;
	for (i = 0; i < sizeof(struct vmem_superblock); i++) {
		restore();
		the_store.base[i] ^= 4;
		expect("superblock without a right checksum", (unsigned int)i, FOUND);
		restore();
		block(vmem_get64(superblock()->backup))[i] ^= 4;
		expect("backup superblock", (unsigned int)i, FOUND);
	}
	restore();
}

static void fix_root_arg(void *arg)
{
	fix_root(arg);
}

static void root_fields(void **state)
{
	FIELD_TABLE(f, ROOT_FIELDS, vmem_root);
	struct vmem_root *root = root_slot(true);

	(void)state;
	set_victim(0);
	assert_complete(f, COUNT(f), sizeof(struct vmem_root));
	damage_fields(root, f, 3, fix_root_arg, root);
	damage_fields(root, f + 5, COUNT(f) - 5, fix_root_arg, root);

	root->seq = vmem_le64_of(vmem_get64(root->seq) + (1ull << 40));
	fix_root(root);
	expect("vmem_root.seq, becoming newer", 0, FREE);
	root->seq = vmem_le64_of(1ull << 63);
	fix_root(root);
	expect("vmem_root.seq, impossible", 0, FOUND);
	restore();

	root->seq = vmem_le64_of(vmem_get64(root->seq) - 2);
	fix_root(root);
	expect(f[3].name, 0, FOUND);
	restore();
	root->seq = root_slot(false)->seq;
	fix_root(root);
	expect("vmem_root.seq, equal", 0, FOUND);
	restore();
}

static void a_state_that_needs_attention(void **state)
{
	struct vmem_root *root = root_slot(true);

	(void)state;
	set_victim(0);
	root->state = vmem_le32_of(VMEM_STATE_NEEDS_CHECK);
	fix_root(root);
	expect("needs check", 0, FREE);
	assert_true(result.needs_check);
	root->state = vmem_le32_of(VMEM_STATE_MOUNTED);
	fix_root(root);
	expect("mounted", 0, FOUND);
	memset(block(1), 0, 2 * VMEM_BLOCK_SIZE);
	expect("no root", 0, FOUND);
	restore();
}

static void descriptor_fields(void **state)
{
	FIELD_TABLE(f, DESC_FIELDS, vmem_ag_desc);
	struct vmem_ag_desc *desc = (struct vmem_ag_desc *)block(VMEM_DESC_START);
	uint32_t ag;

	(void)state;
	set_victim(0);
	assert_complete(f, COUNT(f), sizeof(struct vmem_ag_desc));
	/* Group 0 is in use; a first table block too few or too many matters there. */
	damage_fields(&desc[0], f, COUNT(f), NULL, NULL);
	for (ag = 1; ag < vmem_get32(superblock()->nr_ags); ag++) {
		damage_fields(&desc[ag], f, 4, NULL, NULL);
		damage_fields(&desc[ag], f + 5, 1, NULL, NULL);
	}
}

static void every_bit_of_the_bitmaps(void **state)
{
	uint32_t ag, bit;

	(void)state;
	set_victim(0);
	repair_each = 16;
	for (ag = 0; ag < vmem_get32(superblock()->nr_ags); ag++) {
		uint8_t *map = block(vmem_sb_group_meta(superblock(), ag));

		/* Steps that are odd meet each position in a byte. */
		for (bit = 0; bit < 2 * VMEM_BLOCK_SIZE * 8; bit += bit < 1100 ? 7 : 501) {
			map[bit / 8] = (uint8_t)(map[bit / 8] ^ 1u << bit % 8);
			expect("bitmap", bit, FOUND);
			map[bit / 8] = (uint8_t)(map[bit / 8] ^ 1u << bit % 8);
		}
	}
}

static void fix_inode_arg(void *arg)
{
	fix_inode(*(uint64_t *)arg);
}

/* Byte 5 of an inode holds type and two permission bits: only the top bits. */
static void damage_inode(uint64_t ino, const struct field *f, size_t nr)
{
	size_t i;

	set_victim(ino);
	for (i = 0; i < nr; i++) {
		if (f[i].off == 5) {
			restore();
			((uint8_t *)inode(ino))[5] ^= 0x10;
			fix_inode(ino);
			expect(f[i].name, 4, FOUND);
			restore();
			((uint8_t *)inode(ino))[5] ^= 0x80;
			fix_inode(ino);
			expect(f[i].name, 7, FOUND);
			restore();
		} else {
			damage_fields(inode(ino), &f[i], 1, fix_inode_arg, &ino);
		}
	}
}

static void directory_inode_fields(void **state)
{
	FIELD_TABLE(f, DIRECTORY_FIELDS, vmem_dinode);

	(void)state;
	assert_complete(f, COUNT(f), VMEM_INODE_SIZE);
	damage_inode(ino_names, f, COUNT(f));
	damage_inode(VMEM_ROOT_INO, f, COUNT(f));
	damage_inode(ino_dir, f, COUNT(f));
}

static void special_inode_fields(void **state)
{
	FIELD_TABLE(fifo, FIFO_FIELDS, vmem_dinode);
	FIELD_TABLE(chr, DEVICE_FIELDS, vmem_dinode);

	(void)state;
	assert_complete(fifo, COUNT(fifo), VMEM_INODE_SIZE);
	assert_complete(chr, COUNT(chr), VMEM_INODE_SIZE);
	damage_inode(ino_fifo, fifo, COUNT(fifo));
	damage_inode(ino_chr, chr, COUNT(chr));
}

static void symlink_inode_fields(void **state)
{
	FIELD_TABLE(f, SYMLINK_FIELDS, vmem_dinode);

	(void)state;
	assert_complete(f, COUNT(f), VMEM_INODE_SIZE);
	damage_inode(ino_short, f, COUNT(f));
	inode(ino_short)->u.bytes[3] = 0;
	fix_inode(ino_short);
	expect("NUL in a short target", 0, FOUND);
	restore();
	set_victim(ino_long);
	block(entry_block(&inode(ino_long)->u.ext[0]))[30] = 0;
	expect("NUL in a long target", 0, FOUND);
	restore();
	inode(ino_long)->size = vmem_le64_of(100);
	fix_inode(ino_long);
	expect("a short target in a block", 0, FOUND);
	restore();
}

static void file_inode_fields(void **state)
{
	FIELD_TABLE(f, FILE_FIELDS, vmem_dinode);
	size_t i;

	(void)state;
	set_victim(ino_dense);
	assert_complete(f, COUNT(f), VMEM_INODE_SIZE);
	for (i = 0; i < COUNT(f) - 1; i++)
		if (f[i].off != offsetof(struct vmem_dinode, size))
			damage_inode(ino_dense, &f[i], 1);
	/* Sizes: more is a hole at the end, less leaves blocks behind the end. */
	inode(ino_dense)->size = vmem_le64_of(9 * VMEM_BLOCK_SIZE);
	fix_inode(ino_dense);
	expect("a larger size", 0, FREE);
	inode(ino_dense)->size = vmem_le64_of(4 * VMEM_BLOCK_SIZE + 1);
	fix_inode(ino_dense);
	expect("a size within the last block", 0, FREE);
	inode(ino_dense)->size = vmem_le64_of(4 * VMEM_BLOCK_SIZE);
	fix_inode(ino_dense);
	expect("a smaller size", 0, FOUND);
	inode(ino_dense)->size = vmem_le64_of(VMEM_MAX_FILE_SIZE + 1);
	fix_inode(ino_dense);
	expect("an impossible size", 0, FOUND);
	restore();
}

static void inode_checksums_cover_all_but_times(void **state)
{
	uint64_t ino = ino_dense;
	size_t i;

	(void)state;
	set_victim(ino_dense);
	for (i = 0; i < VMEM_INODE_SIZE; i++) {
		((uint8_t *)inode(ino))[i] ^= 1;
		expect("inode byte", (unsigned int)i, i >= 40 && i < 64 ? FREE : FOUND);
		restore();
	}
}

static void free_inodes(void **state)
{
	(void)state;
	set_victim(ino_dense);
	inode(ino_freed)->generation = vmem_le32_of(77);
	expect("generation of a free inode", 0, FREE);
	inode(ino_freed)->mode = vmem_le16_of(0100644);
	fix_inode(ino_freed);
	expect("a free inode with a mode", 0, FOUND);
	restore();
	inode(0)->mode = vmem_le16_of(0100644);
	fix_inode(0);
	expect("inode 0 with a mode", 0, FOUND);
	restore();
	inode(ino_dense)->mode = vmem_le16_of(0);
	expect("a named inode without a mode", 0, FOUND);
	restore();
}

static void expect_words(uint64_t ino, struct vmem_extent *e, uint64_t w0, uint64_t w1,
			 const char *what)
{
	e->w0 = vmem_le64_of(w0);
	e->w1 = vmem_le64_of(w1);
	fix_inode(ino);
	expect(what, 0, FOUND);
	restore();
}

/* e: the first of two entries at least, in an inode or a node. */
static void damage_extents(uint64_t ino, struct vmem_extent *e)
{
	uint64_t w0 = vmem_get64(e->w0), w1 = vmem_get64(e->w1);
	unsigned int bit;

	set_victim(ino);
	for (bit = 52; bit < 64; bit++)
		expect_words(ino, e, w0, w1 ^ 1ull << bit, "window and flags");
	for (bit = 0; bit < 52; bit++)
		expect_words(ino, e, w0, w1 ^ 1ull << bit, "block");
	for (bit = 44; bit < 64; bit++)
		expect_words(ino, e, w0 ^ 1ull << bit, w1, "length");
	expect_words(ino, e, w0 + (1ull << 43), w1, "logical block behind the end");
}

static void extents(void **state)
{
	struct vmem_dinode *di = inode(ino_sparse);
	struct vmem_node *node = first_extent_node();
	struct vmem_extent *e;

	(void)state;
	damage_extents(ino_dense, inode(ino_dense)->u.ext);
	damage_extents(ino_sparse, di->u.ext);

	while (vmem_get16(node->level))
		node = (struct vmem_node *)block(entry_block((struct vmem_extent *)(node + 1)));
	e = (struct vmem_extent *)(node + 1);
	damage_extents(ino_sparse, e);
	expect_words(ino_sparse, e, vmem_get64(e[1].w0), vmem_get64(e[0].w1), "overlap");
	/* An index entry above its child's first extent hides it. */
	expect_words(ino_sparse, &di->u.ext[1], vmem_get64(di->u.ext[1].w0) + 1,
		     vmem_get64(di->u.ext[1].w1), "index entry too high");
	expect_words(ino_sparse, &di->u.ext[1], vmem_get64(di->u.ext[0].w0),
		     vmem_get64(di->u.ext[1].w1), "index entries not sorted");
}

static void a_block_used_twice(void **state)
{
	struct vmem_extent *e = (struct vmem_extent *)(first_extent_node() + 1);

	(void)state;
	inode(ino_dense)->u.ext[0].w1 = vmem_le64_of(entry_block(e));
	fix_inode(ino_dense);
	assert_true(check_image() > 0);
	assert_non_null(strstr(first_problem, "used twice"));
	set_victim(ino_dense);
	repair_damage("a block used twice", 0);
	restore();
}

static void node_heads(void **state)
{
	FIELD_TABLE(f, NODE_FIELDS, vmem_node);

	(void)state;
	set_victim(ino_sparse);
	assert_complete(f, COUNT(f), sizeof(struct vmem_node));
	damage_fields(first_extent_node(), f, COUNT(f), NULL, NULL);
	set_victim(ino_names);
	damage_fields(dir_index_node(), f, COUNT(f), NULL, NULL);
	damage_fields(dir_leaf(3), f, COUNT(f), NULL, NULL);
}

static void directory_index_entries(void **state)
{
	FIELD_TABLE(f, DIR_INDEX_FIELDS, vmem_dir_index);
	const struct field *child = &f[1];	/* the hash: below */
	struct vmem_dir_index *idx = (struct vmem_dir_index *)(dir_index_node() + 1);
	uint64_t first = UINT64_MAX;
	struct vmem_dirent *de;
	uint32_t off;

	(void)state;
	set_victim(ino_names);
	damage_fields(&idx[0], child, 1, NULL, NULL);
	damage_fields(&idx[3], child, 1, NULL, NULL);
	idx[0].hash = vmem_le64_of(12345);
	expect("the first entry's hash counts as 0", 0, FREE);
	restore();
	idx[3].hash = idx[4].hash;
	expect("an empty range", 0, FOUND);
	restore();
	idx[3].hash = vmem_le64_of(0);
	expect("not sorted", 0, FOUND);
	restore();
	for (off = VMEM_NODE_HEAD; off < VMEM_BLOCK_SIZE; off += vmem_get16(de->rec_len)) {
		de = (struct vmem_dirent *)((uint8_t *)dir_leaf(3) + off);
		if (vmem_get32(de->ino) && vmem_get64(de->hash) < first)
			first = vmem_get64(de->hash);
	}
	idx[3].hash = vmem_le64_of(first + 1);
	expect("a bound above the leaf's first name", 0, FOUND);
	restore();
}

static void directory_entries(void **state)
{
	FIELD_TABLE(f, DIRENT_FIELDS, vmem_dirent);
	static const struct field name = { "vmem_dirent.name", VMEM_DIRENT_HEAD, 5, FOUND };
	struct vmem_node *leaf = dir_leaf(3);
	struct vmem_dirent *de = some_dirent(leaf), *next;

	(void)state;
	set_victim(ino_names);
	assert_complete(f, COUNT(f), VMEM_DIRENT_HEAD);
	damage_fields(de, f, COUNT(f), NULL, NULL);
	damage_fields(de, &name, 1, NULL, NULL);
	de->ino = vmem_le32_of(VMEM_ROOT_INO);
	expect("a name for the root", 0, FOUND);
	restore();
	de->ino = vmem_le32_of(0);
	expect("a name taken away", 0, FOUND);
	restore();
	de->name[3] = '/';
	de->hash = vmem_le64_of(vmem_name_hash(superblock()->hash_key, de->name, de->name_len));
	expect("a slash in a name", 0, FOUND);
	restore();
	next = (struct vmem_dirent *)((uint8_t *)de + vmem_get16(de->rec_len));
	assert_int_equal(de->name_len, next->name_len);
	memcpy(next->name, de->name, de->name_len);
	next->hash = de->hash;
	expect("a name twice", 0, FOUND);
	restore();
}

static void circles(void **state)
{
	(void)state;
	make_circle();
	assert_true(check_image() > 0);
	assert_non_null(strstr(first_problem, "circle"));
	set_victim(ino_names);
	repair_damage("a circle", 0);
	restore();
}

static void a_store_that_is_too_small(void **state)
{
	(void)state;
	set_victim(0);
	may_refuse = true;
	the_store.size -= VMEM_BLOCK_SIZE;
	expect("one block less", 0, FOUND);
	the_store.size = 100;
	expect("100 bytes", 0, FOUND);
	the_store.size = STORE_SIZE;
	memset(the_store.base, 0, VMEM_BLOCK_SIZE);
	expect("no superblock", 0, FOUND);
	restore();
}

/* Whatever lies there, the checker ends; the sanitizers watch. */
static void random_damage_ends(void **state)
{
	uint64_t x = 42, meta_end = vmem_get64(superblock()->agmeta0) + 2 + 16;
	unsigned int round, i;

	(void)state;
	for (round = 0; round < 400; round++) {
		restore();
		for (i = 0; i < 1 + round % 20; i++) {
			x = x * 6364136223846793005ull + 1442695040888963407ull;
			the_store.base[(x >> 20) % (meta_end * VMEM_BLOCK_SIZE)] =
				(uint8_t)(x >> 8);
			block(1100 + (x >> 33) % 900)[(x >> 13) % 64] = (uint8_t)x;
		}
		fix_superblock();
		if (check_image() > 0 && round % 4 == 0) {
			struct vmem_repair_result r;

			if (!repair_image(&r) && check_image())
				fail_msg("round %u: after the repair: %s", round, first_problem);
		}
	}
	restore();
	print_message("%llu damages repaired, %llu more refused\n",
		      (unsigned long long)(repairs - refusals), (unsigned long long)refusals);
}

#define PRINT_NAME(type, LIST) puts(#type);

/* usage: test_checker [TEST [SEED]] | --structs */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sound_image_has_no_problem),
		cmocka_unit_test(superblock_fields),
		cmocka_unit_test(feature_bits),
		cmocka_unit_test(superblock_checksums),
		cmocka_unit_test(root_fields),
		cmocka_unit_test(a_state_that_needs_attention),
		cmocka_unit_test(descriptor_fields),
		cmocka_unit_test(every_bit_of_the_bitmaps),
		cmocka_unit_test(directory_inode_fields),
		cmocka_unit_test(special_inode_fields),
		cmocka_unit_test(symlink_inode_fields),
		cmocka_unit_test(file_inode_fields),
		cmocka_unit_test(inode_checksums_cover_all_but_times),
		cmocka_unit_test(free_inodes),
		cmocka_unit_test(extents),
		cmocka_unit_test(a_block_used_twice),
		cmocka_unit_test(node_heads),
		cmocka_unit_test(directory_index_entries),
		cmocka_unit_test(directory_entries),
		cmocka_unit_test(circles),
		cmocka_unit_test(a_store_that_is_too_small),
		cmocka_unit_test(random_damage_ends),
	};

	if (argc > 1 && !strcmp(argv[1], "--structs")) {
		ALL_STRUCTURES(PRINT_NAME)
		return 0;
	}
	test_arguments(argc, argv, 0);
	return cmocka_run_group_tests_name("checker", tests, make_image, free_image);
}
