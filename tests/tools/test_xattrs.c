// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * test_xattrs.c - damage to extended attributes is found, and costs nobody else anything
 *
 * The image of the other tests, whose inodes have attributes of each kind: in the
 * inode, in a block, with values in blocks.  Each field is damaged in turn, once
 * so that the checksum tells, and once with the checksum made right again.
 */
#include "image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fields.h"
#include "medium/fields.h"
#include "medium/hash.h"
#include "offline/mkfs.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))
#define LABEL		"system_u:object_r:user_home_t:s0"

/* ---- The image ----------------------------------------------------------- */

static void give(struct vmem_fs *fs, uint64_t ino, unsigned int index, const char *name, size_t size)
{
	static uint8_t bytes[VMEM_XATTR_MAX_VALUE];
	struct vmem_xattr x = { index, name_of(name), bytes, size, 0 };
	struct vmem_inode vi;
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + ino + size + 1);
	if (!strcmp(name, "selinux")) {
		x.value = LABEL;
		x.size = sizeof(LABEL) - 1;
	}
	assert_int_equal(vmem_iget(fs, ino, &vi), 0);
	assert_int_equal(vmem_setxattr(&vi, &x, 1, 0, NULL), 0);
	assert_int_equal(vmem_iput(&vi), 0);
}

static int make_labelled_image(void **state)
{
	struct vmem_mount_opts opts = { .read_only = false };
	struct vmem_fs *fs;

	if (make_image(state))
		return -1;
	assert_int_equal(vmem_mount(&the_store, env, &opts, &fs, NULL), 0);
	give(fs, ino_dense, VMEM_XATTR_SECURITY, "selinux", 0);
	give(fs, ino_dense, VMEM_XATTR_USER, "comment", 20);
	give(fs, ino_dir, VMEM_XATTR_SECURITY, "selinux", 0);
	give(fs, ino_dir, VMEM_XATTR_ACL_DEFAULT, "", 44);
	give(fs, ino_short, VMEM_XATTR_SECURITY, "selinux", 0);
	give(fs, ino_chr, VMEM_XATTR_SECURITY, "selinux", 0);
	give(fs, ino_chr, VMEM_XATTR_USER, "large", 3000);
	give(fs, ino_sparse, VMEM_XATTR_SECURITY, "capability", 20);
	give(fs, ino_sparse, VMEM_XATTR_USER, "comment", 900);
	give(fs, ino_sparse, VMEM_XATTR_USER, "large", 20000);
	give(fs, ino_sparse, VMEM_XATTR_USER, "larger", 65536);
	give(fs, ino_names, VMEM_XATTR_USER, "comment", 300);
	give(fs, ino_names, VMEM_XATTR_USER, "large", 5000);
	give(fs, ino_fifo, VMEM_XATTR_TRUSTED, "comment", 500);
	give(fs, ino_long, VMEM_XATTR_TRUSTED, "comment", 500);
	assert_int_equal(vmem_umount(fs), 0);
	memcpy(pristine, the_store.base, STORE_SIZE);
	return lost_thing() != NULL;
}

static struct vmem_xattr_node *set_of(uint64_t ino)
{
	return (void *)block(vmem_get64(inode(ino)->xattr));
}

static uint8_t *entries_of(uint64_t ino)
{
	struct vmem_dinode *di = inode(ino);

	return vmem_get64(di->xattr) ? (uint8_t *)(set_of(ino) + 1) : di->u.bytes + payload_size(di);
}

/* The entry of this inode whose value lies in blocks. */
static struct xattr_item outside(uint64_t ino)
{
	uint8_t *p = entries_of(ino), *end = p + (vmem_get64(inode(ino)->xattr) ? vmem_get32(set_of(ino)->len) :
						  VMEM_PAYLOAD_SIZE - payload_size(inode(ino)));
	struct xattr_item x;

	for (; xattr_item_at(p, end, &x); p += x.total)
		if (x.outside)
			return x;
	fail_msg("no value in blocks");
	return x;
}

static struct vmem_xattr_node *value_of(uint64_t ino, unsigned int i)
{
	struct xattr_item x = outside(ino);
	uint64_t first, nr;

	xattr_ref_run(&x, 0, &first, &nr);
	assert_true(i < nr);
	return (void *)block(first + i);
}

static void seal(struct vmem_xattr_node *node)
{
	if (vmem_get32(node->len) <= VMEM_XATTR_NODE_SPACE)
		node->csum = vmem_le32_of(vmem_xattr_csum(env->crc32c, node, vmem_get32(node->len)));
}

static void seal_set(uint64_t ino)
{
	if (vmem_get64(inode(ino)->xattr))
		seal(set_of(ino));
	else
		fix_inode(ino);
}

/* ---- Damage -------------------------------------------------------------- */

static void damage(uint8_t *p, size_t size, unsigned int pattern)
{
	size_t i;

	if (pattern < 3)
		p[pattern == 0 ? 0 : pattern == 1 ? size - 1 : size / 2] ^= pattern == 0 ? 1 : pattern == 1 ? 0x80 : 0x10;
	for (i = 0; pattern == 3 && i < size; i++)
		p[i] = (uint8_t)~p[i];
}

/* Found, and repaired so that only ino suffers. */
static void expect_mended(uint64_t ino, const char *what, unsigned int pattern)
{
	char name[100];

	snprintf(name, sizeof(name), "%s, pattern %u", what, pattern);
	if (!check_image())
		fail_msg("%s was not found", name);
	victim = ino;
	expect_sound_repair(name);
	victim = 0;
}

static void damage_node(uint64_t ino, struct vmem_xattr_node *node)
{
	FIELD_TABLE(f, XATTR_NODE_FIELDS, vmem_xattr_node);
	unsigned int pattern, sealed;
	size_t i;

	for (i = 0; i < COUNT(f); i++)
		for (pattern = 0; pattern < 4; pattern++)
			for (sealed = 0; sealed < 2; sealed++) {
				restore();
				damage((uint8_t *)node + f[i].off, f[i].size, pattern);
				if (sealed && f[i].off == offsetof(struct vmem_xattr_node, csum))
					continue;
				if (sealed)
					seal(node);
				expect_mended(ino, f[i].name, pattern);
			}
	restore();
}

static void each_field_of_a_block_with_a_set(void **state)
{
	static uint64_t *const inodes[] = { &ino_sparse, &ino_names, &ino_fifo, &ino_long };
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(inodes); i++)
		damage_node(*inodes[i], set_of(*inodes[i]));
}

static void each_field_of_a_block_with_a_value(void **state)
{
	(void)state;
	damage_node(ino_sparse, value_of(ino_sparse, 0));
	damage_node(ino_sparse, value_of(ino_sparse, 4));
	damage_node(ino_names, value_of(ino_names, 1));
	damage_node(ino_chr, value_of(ino_chr, 0));
}

/* The checksum covers it: the head alone is set right, and nothing is lost at all. */
static void a_damaged_head_costs_nothing(void **state)
{
	static const size_t heads[] = { 0, 4, 6, 8, 16, 28 };
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(heads); i++) {
		((uint8_t *)set_of(ino_sparse))[heads[i]] ^= 0x21;
		expect_mended(0, "head of a set", (unsigned int)i);
		restore();
		((uint8_t *)value_of(ino_sparse, 2))[heads[i]] ^= 0x21;
		expect_mended(0, "head of a value", (unsigned int)i);
		restore();
	}
}

static void every_byte_of_contents_is_covered(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < vmem_get32(set_of(ino_sparse)->len); i += 37) {
		entries_of(ino_sparse)[i] ^= 4;
		expect_mended(ino_sparse, "contents of a set", i);
		restore();
	}
	for (i = 0; i < VMEM_XATTR_NODE_SPACE; i += 509) {
		((uint8_t *)(value_of(ino_sparse, 1) + 1))[i] ^= 4;
		expect_mended(ino_sparse, "contents of a value", i);
		restore();
	}
}

static void impossible_entries(void **state)
{
	static uint64_t *const inodes[] = { &ino_dense, &ino_dir, &ino_short, &ino_chr, &ino_sparse, &ino_names,
					    &ino_fifo, &ino_long };
	static const uint8_t index[] = { 0, 6, 0x7f, 0xff };
	unsigned int i, j;

	(void)state;
	for (i = 0; i < COUNT(inodes); i++) {
		uint64_t ino = *inodes[i];
		struct vmem_xattr_entry *e = (void *)entries_of(ino);

		for (j = 0; j < COUNT(index); j++) {
			e->index = index[j];
			seal_set(ino);
			expect_mended(ino, "index", j);
			restore();
		}
		e->name_len = 0;
		seal_set(ino);
		expect_mended(ino, "no name", 0);
		restore();
		e->name_len = 255;
		e->size = vmem_le16_of(65000);
		seal_set(ino);
		expect_mended(ino, "long name", 0);
		restore();
		((uint8_t *)(e + 1))[1] = 0;
		seal_set(ino);
		expect_mended(ino, "NUL in a name", 0);
		restore();
		e->size = vmem_le16_of(0xffff);
		seal_set(ino);
		expect_mended(ino, "size", 0);
		restore();
	}
}

static void unsorted_entries(void **state)
{
	uint8_t *p = entries_of(ino_dense), copy[VMEM_PAYLOAD_SIZE];
	struct xattr_item x;
	uint32_t len = xattr_inline_len(inode(ino_dense));

	(void)state;
	assert_true(xattr_item_at(p, p + len, &x));
	memcpy(copy, p, len);
	memcpy(p, copy + x.total, len - x.total);
	memcpy(p + len - x.total, copy, x.total);
	fix_inode(ino_dense);
	expect_mended(ino_dense, "order", 0);
	restore();
}

static void each_field_of_what_leads_to_a_value(void **state)
{
	static uint64_t *const inodes[] = { &ino_chr, &ino_sparse, &ino_names };
	FIELD_TABLE(f, XATTR_REF_FIELDS, vmem_xattr_ref);
	unsigned int i, pattern;
	size_t j;

	(void)state;
	for (i = 0; i < COUNT(inodes); i++) {
		uint64_t ino = *inodes[i];
		uint8_t *ref = (uint8_t *)(uintptr_t)outside(ino).value;

		for (pattern = 0; pattern < 4; pattern++) {
			for (j = 0; j < COUNT(f); j++) {
				damage(ref + f[j].off, f[j].size, pattern);
				seal_set(ino);
				expect_mended(ino, f[j].name, pattern);
				restore();
			}
			damage(ref + sizeof(struct vmem_xattr_ref), 8, pattern);
			seal_set(ino);
			expect_mended(ino, "run", pattern);
			restore();
		}
	}
}

static void where_an_inode_has_its_set(void **state)
{
	static uint64_t *const inodes[] = { &ino_dense, &ino_dir, &ino_short, &ino_chr, &ino_sparse, &ino_names,
					    &ino_fifo, &ino_long };
	static const uint8_t units[] = { 1, 2, 5, 9, 10, 255 };
	unsigned int i, j;

	(void)state;
	for (i = 0; i < COUNT(inodes); i++) {
		uint64_t ino = *inodes[i], elsewhere[] = { 0, 1, 1ull << 40, vmem_get64(inode(ino_dense)->u.ext[0].w1),
							   vmem_get64(inode(ino_fifo)->xattr) };

		for (j = 0; j < COUNT(units); j++) {
			if (inode(ino)->xattr_units == units[j])
				continue;
			inode(ino)->xattr_units = units[j];
			fix_inode(ino);
			expect_mended(ino, "xattr_units", j);
			restore();
		}
		for (j = 0; j < COUNT(elsewhere); j++) {
			if (vmem_get64(inode(ino)->xattr) == elsewhere[j])
				continue;
			inode(ino)->xattr = vmem_le64_of(elsewhere[j]);
			fix_inode(ino);
			expect_mended(ino, "xattr", j);
			restore();
		}
	}
}

static void blocks_of_attributes_in_double_use(void **state)
{
	uint64_t value = (uint64_t)((uint8_t *)value_of(ino_sparse, 2) - the_store.base) / VMEM_BLOCK_SIZE;

	(void)state;
	/* The attributes have checksums: it is the file that is wrong. */
	inode(ino_dense)->u.ext[0] = extent(0, 1, value);
	inode(ino_dense)->u.ext[1] = extent(1, 4, value + 200);
	inode(ino_dense)->nr_ext = vmem_le16_of(2);
	fix_inode(ino_dense);
	expect_mended(ino_dense, "a file that claims a value", 0);
	restore();
	inode(ino_fifo)->xattr = inode(ino_long)->xattr;
	fix_inode(ino_fifo);
	expect_mended(ino_fifo, "a set of another", 0);
	restore();
}

static void blocks_that_the_bitmap_does_not_know(void **state)
{
	uint64_t nr[] = { vmem_get64(inode(ino_fifo)->xattr),
			  (uint64_t)((uint8_t *)value_of(ino_names, 0) - the_store.base) / VMEM_BLOCK_SIZE };
	unsigned int i;

	(void)state;
	for (i = 0; i < COUNT(nr); i++) {
		uint32_t per_ag = vmem_get32(superblock()->ag_blocks);
		uint8_t *map = block(vmem_sb_group_meta(superblock(), (uint32_t)(nr[i] / per_ag)));

		map[nr[i] % per_ag / 8] ^= (uint8_t)(1u << nr[i] % 8);
		expect_mended(0, "bitmap", i);
		restore();
	}
}

static void without_the_feature_bit_there_are_none(void **state)
{
	(void)state;
	superblock()->incompat = vmem_le64_of(0);
	fix_superblock();
	assert_true(check_image() > 0);
	expect_found("extended attributes without their feature bit");
	restore();
}

static int start(void **state)
{
	(void)state;
	restore();
	victim = 0;
	return 0;
}

/* usage: test_xattrs [TEST [SEED]] */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_field_of_a_block_with_a_set, start),
		cmocka_unit_test_setup(each_field_of_a_block_with_a_value, start),
		cmocka_unit_test_setup(a_damaged_head_costs_nothing, start),
		cmocka_unit_test_setup(every_byte_of_contents_is_covered, start),
		cmocka_unit_test_setup(impossible_entries, start),
		cmocka_unit_test_setup(unsorted_entries, start),
		cmocka_unit_test_setup(each_field_of_what_leads_to_a_value, start),
		cmocka_unit_test_setup(where_an_inode_has_its_set, start),
		cmocka_unit_test_setup(blocks_of_attributes_in_double_use, start),
		cmocka_unit_test_setup(blocks_that_the_bitmap_does_not_know, start),
		cmocka_unit_test_setup(without_the_feature_bit_there_are_none, start),
	};

	test_arguments(argc, argv, 0);
	return cmocka_run_group_tests_name("xattrs", tests, make_labelled_image, free_image);
}
