// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * test_use.c - a mounted file system that meets damage
 *
 * Nobody has checked the image.  What is asked for and damaged is answered by
 * EUCLEAN, and nothing is changed from then on; what is not damaged works.
 */
#include "image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "medium/hash.h"
#include "offline/mkfs.h"

static struct vmem_fs *fs;

/* ---- Using the image ----------------------------------------------------- */

static void mount_it(void)
{
	struct vmem_mount_opts opts = { .read_only = false };

	assert_int_equal(vmem_mount(&the_store, env, &opts, &fs, NULL), 0);
}

static void unmount_it(void)
{
	vmem_umount(fs);
	assert_int_equal(allocated(), 0);
	restore();
}

/* Mount, use and unmount what was damaged, which is gone afterwards. */
#define MEETS(want, use) do { \
		int is_; \
		mount_it(); \
		is_ = (use); \
		if (is_ != (want)) \
			fail_msg("line %d: %s is %d, should be %d", __LINE__, #use, is_, (int)(want)); \
		assert_int_equal(vmem_is_read_only(fs), (want) == -EUCLEAN); \
		unmount_it(); \
	} while (0)

static int get(uint64_t ino)
{
	struct vmem_inode vi;
	int err = vmem_iget(fs, ino, &vi);

	return err ? err : vmem_iput(&vi);
}

static size_t pass(void *ctx, void *addr, size_t len)
{
	(void)ctx;
	(void)addr;
	return len;
}

static int read_file(uint64_t ino)
{
	struct vmem_inode vi;
	int64_t n;
	int err = vmem_iget(fs, ino, &vi);

	if (err)
		return err;
	n = vmem_read(&vi, 0, 4096 * VMEM_BLOCK_SIZE, pass, NULL);
	err = vmem_iput(&vi);
	return n < 0 ? (int)n : err;
}

static size_t fill(void *ctx, void *addr, size_t len)
{
	(void)ctx;
	memset(addr, 'u', len);
	return len;
}

static int write_file(uint64_t ino)
{
	struct vmem_inode vi;
	int64_t n;
	int err = vmem_iget(fs, ino, &vi);

	if (err)
		return err;
	n = vmem_write(&vi, vmem_size(&vi), 9 * VMEM_BLOCK_SIZE, fill, NULL);
	err = vmem_iput(&vi);
	return n < 0 ? (int)n : err;
}

static int read_link(uint64_t ino)
{
	struct vmem_inode vi;
	char buf[VMEM_BLOCK_SIZE];
	int err = vmem_iget(fs, ino, &vi);

	return err ? err : vmem_readlink(&vi, buf, sizeof(buf));
}

static int see(void *ctx, const char *name, size_t len, uint64_t ino, unsigned int type, uint64_t cookie)
{
	(void)name;
	(void)len;
	(void)ino;
	(void)type;
	(void)cookie;
	++*(unsigned int *)ctx;
	return 0;
}

static unsigned int nr_seen;

static int list(uint64_t ino)
{
	struct vmem_inode vi;
	uint64_t cookie = 0;
	int err = vmem_iget(fs, ino, &vi), err2;

	if (err)
		return err;
	nr_seen = 0;
	err = vmem_readdir(&vi, &cookie, see, &nr_seen);
	err2 = vmem_iput(&vi);
	return err ? err : err2;
}

static int look(uint64_t dir, struct vmem_name name)
{
	struct vmem_inode vi;
	uint64_t ino;
	int err = vmem_iget(fs, dir, &vi);

	if (!err)
		err = vmem_lookup(&vi, name, &ino, NULL);
	return err;
}

static int add_link(uint64_t dir, struct vmem_name name)
{
	struct vmem_inode vi, to;
	int err = vmem_iget(fs, dir, &vi);

	if (!err)
		err = vmem_iget(fs, ino_linked, &to);
	return err ? err : vmem_link(&vi, name, &to);
}

/* A name of the root directory goes, and its inode with it. */
static int remove_name(const char *name)
{
	struct vmem_inode root, vi;
	uint64_t ino;
	int err = vmem_iget(fs, VMEM_ROOT_INO, &root);

	if (!err)
		err = vmem_lookup(&root, name_of(name), &ino, NULL);
	if (!err)
		err = vmem_iget(fs, ino, &vi);
	if (err)
		return err;
	err = (vmem_get16(vi.raw.mode) & 0170000) == 0040000 ? vmem_rmdir(&root, name_of(name), &vi) :
		vmem_unlink(&root, name_of(name), &vi);
	return err ? err : vmem_iput(&vi);
}

/* The same of one that the caller has looked up before it was damaged. */
static int unlink_known(const char *name, uint64_t ino)
{
	struct vmem_inode root, vi;
	int err = vmem_iget(fs, VMEM_ROOT_INO, &root);

	if (!err)
		err = vmem_iget(fs, ino, &vi);
	return err ? err : vmem_unlink(&root, name_of(name), &vi);
}

/* ---- Inodes -------------------------------------------------------------- */

static struct vmem_dinode *sealed(uint64_t ino)
{
	fix_inode(ino);
	return inode(ino);
}

static void set_format(uint64_t ino, unsigned int format, uint64_t size)
{
	inode(ino)->format = vmem_le16_of(format);
	inode(ino)->size = vmem_le64_of(size);
	fix_inode(ino);
}

static void an_inode_that_contradicts_itself_is_not_used(void **state)
{
	(void)state;
	set_format(ino_dense, 77, 0);
	MEETS(-EUCLEAN, get(ino_dense));
	set_format(ino_dense, VMEM_FMT_INLINE, 20);
	MEETS(-EUCLEAN, get(ino_dense));
	set_format(ino_dense, VMEM_FMT_NONE, 0);
	MEETS(-EUCLEAN, get(ino_dense));
	set_format(ino_dense, VMEM_FMT_DIR, 0);
	MEETS(-EUCLEAN, get(ino_dense));
	set_format(ino_short, VMEM_FMT_INLINE, 0);
	MEETS(-EUCLEAN, get(ino_short));
	set_format(ino_short, VMEM_FMT_INLINE, VMEM_PAYLOAD_SIZE + 1);
	MEETS(-EUCLEAN, get(ino_short));
	set_format(ino_long, VMEM_FMT_EXTENTS, 0);
	MEETS(-EUCLEAN, get(ino_long));
	set_format(ino_long, VMEM_FMT_EXTENTS, VMEM_BLOCK_SIZE);
	MEETS(-EUCLEAN, get(ino_long));
	set_format(ino_fifo, VMEM_FMT_EXTENTS, 0);
	MEETS(-EUCLEAN, get(ino_fifo));
	inode(ino_dense)->nr_ext = vmem_le16_of(VMEM_INLINE_EXTENTS + 1);
	fix_inode(ino_dense);
	MEETS(-EUCLEAN, get(ino_dense));
	inode(ino_dense)->depth = vmem_le16_of(VMEM_EXT_MAX_DEPTH + 1);
	fix_inode(ino_dense);
	MEETS(-EUCLEAN, get(ino_dense));
	inode(ino_dir)->u.dir.height = vmem_le32_of(VMEM_DIR_MAX_HEIGHT + 1);
	fix_inode(ino_dir);
	MEETS(-EUCLEAN, get(ino_dir));
	MEETS(-ESTALE, get(0));
	MEETS(-ESTALE, get(vmem_get64(superblock()->nr_inodes)));
}

/* Who puts an unlinked root would free it. */
static void a_root_that_is_no_named_directory_is_not_used(void **state)
{
	(void)state;
	inode(VMEM_ROOT_INO)->nlink = vmem_le32_of(0);
	fix_inode(VMEM_ROOT_INO);
	MEETS(-EUCLEAN, get(VMEM_ROOT_INO));
	*inode(VMEM_ROOT_INO) = *inode(ino_fifo);
	fix_inode(VMEM_ROOT_INO);
	MEETS(-EUCLEAN, get(VMEM_ROOT_INO));
}

static struct vmem_ag_desc *desc_of(uint64_t ino)
{
	return (struct vmem_ag_desc *)block(VMEM_DESC_START) + ino / vmem_get32(superblock()->inodes_per_ag);
}

/* Each counter of a group has a limit, which the mount looks at. */
static void a_descriptor_with_impossible_counters_is_not_mounted(void **state)
{
	struct vmem_mount_opts opts = { .read_only = false };
	unsigned int i;

	(void)state;
	for (i = 0; i < 5; i++) {
		((vmem_le32 *)(void *)desc(1))[i] = vmem_le32_of(UINT32_MAX);
		assert_int_equal(vmem_mount(&the_store, env, &opts, &fs, NULL), -EUCLEAN);
		assert_int_equal(allocated(), 0);
		restore();
	}
}

static void orphans_that_are_none_are_found_by_the_mount(void **state)
{
	struct vmem_mount_opts opts = { .read_only = false };
	uint8_t *orphans = block(vmem_sb_group_meta(superblock(), 0) + 1) + VMEM_ORPHAN_BITMAP_OFF;
	uint32_t last = vmem_get32(superblock()->inodes_per_ag) - 1;

	(void)state;
	desc(0)->nr_orphans = vmem_le32_of(1);
	orphans[last / 8] |= (uint8_t)(1u << last % 8);
	assert_int_equal(vmem_mount(&the_store, env, &opts, &fs, NULL), -EUCLEAN);
	assert_int_equal(allocated(), 0);
	restore();
	/* Counted, but not there: for fsck. */
	desc(0)->nr_orphans = vmem_le32_of(1);
	assert_int_equal(vmem_mount(&the_store, env, &opts, &fs, NULL), 0);
	unmount_it();
}

static int create_in(uint64_t dir)
{
	struct vmem_attr attr = { .mode = 0100644 };
	struct vmem_inode vi, new;
	int err = vmem_iget(fs, dir, &vi);

	if (!err)
		err = vmem_create(&vi, name_of("new"), &attr, &new);
	return err;
}

/* Free inodes that the bitmap does not have, and one that it should not have. */
static void an_inode_bitmap_that_contradicts_its_group_is_found(void **state)
{
	uint8_t *map = block(vmem_sb_group_meta(superblock(), 0) + 1);

	(void)state;
	memset(map, 0xff, VMEM_ORPHAN_BITMAP_OFF);
	MEETS(-EUCLEAN, create_in(VMEM_ROOT_INO));
	map[0] &= (uint8_t)~1u;
	MEETS(-EUCLEAN, create_in(VMEM_ROOT_INO));
}

static void a_block_bitmap_that_contradicts_its_group_is_found(void **state)
{
	uint32_t ag;

	(void)state;
	for (ag = 0; ag < 4; ag++)
		desc(ag)->free_blocks = vmem_le32_of(vmem_get32(desc(ag)->free_blocks) ^ 1u);
	MEETS(-EUCLEAN, write_file(ino_dense));
}

static void a_symlink_without_contents_is_found(void **state)
{
	(void)state;
	inode(ino_long)->nr_ext = vmem_le16_of(0);
	fix_inode(ino_long);
	MEETS(-EUCLEAN, read_link(ino_long));
}

static void counters_that_contradict_what_is_freed_are_found(void **state)
{
	uint32_t per_ag = vmem_get32(superblock()->inodes_per_ag);
	uint8_t *orphans;

	(void)state;
	inode(ino_dense)->nlink = vmem_le32_of(0);
	fix_inode(ino_dense);
	MEETS(-EUCLEAN, unlink_known("dense", ino_dense));
	inode(ino_dense)->nlink = vmem_le32_of(0);
	fix_inode(ino_dense);
	MEETS(-EUCLEAN, remove_name("dense"));
	desc_of(ino_dense)->free_inodes = vmem_le32_of(per_ag);
	MEETS(-EUCLEAN, remove_name("dense"));
	/* An orphan that nobody has counted. */
	orphans = block(vmem_sb_group_meta(superblock(), (uint32_t)(ino_dense / per_ag)) + 1) +
		  VMEM_ORPHAN_BITMAP_OFF;
	orphans[ino_dense % per_ag / 8] |= (uint8_t)(1u << ino_dense % per_ag % 8);
	MEETS(-EUCLEAN, remove_name("dense"));
	/* Not below zero. */
	desc_of(ino_dir)->nr_dirs = vmem_le32_of(0);
	MEETS(0, remove_name("dir"));
}

/* ---- Extents ------------------------------------------------------------- */

static void blocks_that_no_file_can_hold_are_not_read(void **state)
{
	uint64_t nr = STORE_SIZE / VMEM_BLOCK_SIZE, ag = vmem_get32(superblock()->ag_blocks);
	const struct vmem_extent bad[] = {
		extent(0, 5, 0), extent(0, 5, nr), extent(0, 5, nr - 3), extent(0, 5, 2 * ag - 3),
		extent(0, 5, ag), extent(0, 2, nr - 2), extent(0, 1, nr - 1),
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		inode(ino_dense)->u.ext[0] = bad[i];
		fix_inode(ino_dense);
		MEETS(-EUCLEAN, read_file(ino_dense));
	}
}

static int lay_out(uint64_t ino)
{
	struct vmem_inode vi;
	int err = vmem_iget(fs, ino, &vi), err2;

	if (err)
		return err;
	err = vmem_layout(&vi, VMEM_BLOCK_SIZE, VMEM_BLOCK_SIZE);
	err2 = vmem_iput(&vi);
	return err ? err : err2;
}

static void an_extent_tree_without_entries_is_found(void **state)
{
	(void)state;
	inode(ino_sparse)->nr_ext = vmem_le16_of(0);
	fix_inode(ino_sparse);
	MEETS(-EUCLEAN, read_file(ino_sparse));
	first_extent_node()->count = vmem_le16_of(0);
	MEETS(-EUCLEAN, read_file(ino_sparse));
	MEETS(0, lay_out(ino_sparse));
	first_extent_node()->count = vmem_le16_of(0);
	MEETS(-EUCLEAN, lay_out(ino_sparse));
	first_extent_node()->count = vmem_le16_of(VMEM_NODE_ENTRIES + 1);
	MEETS(-EUCLEAN, read_file(ino_sparse));
}

/* ---- Directories --------------------------------------------------------- */

static struct vmem_dirent *after(struct vmem_dirent *de)
{
	return (struct vmem_dirent *)((uint8_t *)de + vmem_get16(de->rec_len));
}

static struct vmem_dirent *last_of(struct vmem_node *leaf)
{
	struct vmem_dirent *de = (struct vmem_dirent *)(leaf + 1);

	while ((uint8_t *)after(de) < (uint8_t *)leaf + VMEM_BLOCK_SIZE)
		de = after(de);
	return de;
}

static uint64_t hash_of(const char *name, size_t len)
{
	return vmem_name_hash(superblock()->hash_key, name, len);
}

static void a_leaf_whose_entries_cannot_be_is_not_read(void **state)
{
	static const uint64_t hashes[] = { 1, 1ull << 62, UINT64_MAX };
	static const uint16_t lengths[] = { 0, 8, 20, 4096 };
	struct vmem_dirent *de = name_for(root_leaf(), ino_fifo);
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
		/* Who passes it on the way to another hash need not see it. */
		de->hash = vmem_le64_of(hashes[i]);
		MEETS(-ENOENT, look(VMEM_ROOT_INO, name_of("nobody")));
		de->hash = vmem_le64_of(hashes[i]);
		MEETS(-EUCLEAN, list(VMEM_ROOT_INO));
	}
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		de->rec_len = vmem_le16_of(lengths[i]);
		MEETS(-EUCLEAN, look(VMEM_ROOT_INO, name_of("nobody")));
		de->rec_len = vmem_le16_of(lengths[i]);
		MEETS(-EUCLEAN, list(VMEM_ROOT_INO));
	}
	de->name_len = 0;
	MEETS(-EUCLEAN, list(VMEM_ROOT_INO));
	de->name_len = 250;
	MEETS(-EUCLEAN, list(VMEM_ROOT_INO));
	/* Eight bytes are left: no entry. */
	de = last_of(root_leaf());
	de->rec_len = vmem_le16_of(vmem_get16(de->rec_len) - 8ull);
	MEETS(-EUCLEAN, look(VMEM_ROOT_INO, name_of("nobody")));
}

static void an_index_without_entries_is_found(void **state)
{
	(void)state;
	dir_index_node()->count = vmem_le16_of(0);
	MEETS(-EUCLEAN, look(ino_names, name_of("nobody")));
}

static void no_name_leads_to_the_root_or_to_its_own_directory(void **state)
{
	(void)state;
	name_for(root_leaf(), ino_fifo)->ino = vmem_le32_of(VMEM_ROOT_INO);
	MEETS(-EUCLEAN, look(VMEM_ROOT_INO, name_of("fifo")));
	name_for((struct vmem_node *)dir_leaf(3), ino_linked)->ino = vmem_le32_of(ino_names);
	MEETS(-EUCLEAN, list(ino_names) ? 0 : look(ino_names, (struct vmem_name){
		(const char *)name_for(dir_leaf(3), ino_names)->name,
		name_for(dir_leaf(3), ino_names)->name_len }));
}

static void a_reader_gets_no_name_that_would_lead_it_astray(void **state)
{
	static const char *const bad[] = { ".", "..", "a/b" };
	struct vmem_dirent *de = name_for(root_leaf(), ino_fifo);
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		de->name_len = (uint8_t)strlen(bad[i]);
		memcpy(de->name, bad[i], strlen(bad[i]));
		MEETS(-EUCLEAN, list(VMEM_ROOT_INO));
	}
	de->name_len = 2;
	memcpy(de->name, ".x", 2);
	MEETS(0, list(VMEM_ROOT_INO));
	de->name_len = 3;
	memcpy(de->name, ".xy", 3);
	MEETS(0, list(VMEM_ROOT_INO));
}

/* A position of readdir is a hash: few names may share one, and none lies behind the next leaf. */
static void a_reader_does_not_go_in_circles(void **state)
{
	struct vmem_dir_index *idx = (struct vmem_dir_index *)(dir_index_node() + 1);
	struct vmem_dirent *de = some_dirent(dir_leaf(3));
	uint64_t hash = vmem_get64(de->hash);

	(void)state;
	after(de)->hash = de->hash;
	MEETS(0, list(ino_names));
	for (de = (struct vmem_dirent *)(dir_leaf(3) + 1);
	     (uint8_t *)de < (uint8_t *)dir_leaf(3) + VMEM_BLOCK_SIZE; de = after(de))
		de->hash = vmem_le64_of(hash);
	MEETS(-EUCLEAN, list(ino_names));
	some_dirent(dir_leaf(3))->hash = idx[6].hash;
	MEETS(-EUCLEAN, list(ino_names));
}

static void names_of_one_hash_are_told_apart(void **state)
{
	struct vmem_dirent *de = name_for(root_leaf(), ino_fifo);

	(void)state;
	de->hash = vmem_le64_of(hash_of("nobody", 6));
	MEETS(-ENOENT, look(VMEM_ROOT_INO, name_of("nobody")));
	de->hash = vmem_le64_of(hash_of("fif0", 4));
	MEETS(-ENOENT, look(VMEM_ROOT_INO, name_of("fif0")));
}

/* A name of full length, another one each time, whose hash lies in leaf 3. */
static struct vmem_name new_name(void)
{
	struct vmem_dir_index *idx = (struct vmem_dir_index *)(dir_index_node() + 1);
	static char text[VMEM_NAME_MAX + 1];
	static unsigned int nr;

	for (;;) {
		uint64_t hash;

		snprintf(text, sizeof(text), "%0255u", 1000 + nr++);
		hash = hash_of(text, VMEM_NAME_MAX);
		if (hash >= vmem_get64(idx[3].hash) && hash < vmem_get64(idx[4].hash))
			return (struct vmem_name){ text, VMEM_NAME_MAX };
	}
}

static unsigned int room_in_leaf(void)
{
	struct vmem_dirent *de = (struct vmem_dirent *)(dir_leaf(3) + 1);
	unsigned int used = VMEM_NODE_HEAD;

	for (; (uint8_t *)de < (uint8_t *)dir_leaf(3) + VMEM_BLOCK_SIZE; de = after(de))
		used += vmem_get32(de->ino) ? VMEM_DIRENT_LEN(de->name_len) : 0;
	return VMEM_BLOCK_SIZE - used;
}

/* Until one more of these names does not fit. */
static void fill_leaf(void)
{
	while (room_in_leaf() >= VMEM_DIRENT_LEN(VMEM_NAME_MAX)) {
		mount_it();
		assert_int_equal(add_link(ino_names, new_name()), 0);
		assert_int_equal(vmem_umount(fs), 0);
	}
}

/* From the i-th entry of leaf 3 on all get one hash: its lower bound, or the upper one. */
static void level_hashes(unsigned int from, bool high)
{
	struct vmem_dir_index *idx = (struct vmem_dir_index *)(dir_index_node() + 1);
	uint8_t *end = (uint8_t *)dir_leaf(3) + VMEM_BLOCK_SIZE;
	struct vmem_dirent *de;
	unsigned int i = 0;

	for (de = (struct vmem_dirent *)(dir_leaf(3) + 1); (uint8_t *)de < end; de = after(de), i++)
		if (i >= from)
			de->hash = vmem_le64_of(high ? vmem_get64(idx[4].hash) - 1 : vmem_get64(idx[3].hash));
}

static void a_leaf_is_never_split_between_equal_hashes(void **state)
{
	(void)state;
	fill_leaf();
	level_hashes(0, false);
	MEETS(-ENOSPC, add_link(ino_names, new_name()));
	fill_leaf();
	level_hashes(2, true);
	MEETS(0, add_link(ino_names, new_name()));
}

static void a_damaged_directory_that_goes_is_told_of(void **state)
{
	struct vmem_fs *was;
	struct vmem_inode dir, vi;
	struct vmem_attr attr = { .mode = 0100644 };
	uint64_t leaf, ag = vmem_get32(superblock()->ag_blocks);
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		/* A directory that had a name has a leaf. */
		mount_it();
		was = fs;
		assert_int_equal(vmem_iget(fs, ino_dir, &dir), 0);
		assert_int_equal(vmem_create(&dir, name_of("name"), &attr, &vi), 0);
		assert_int_equal(vmem_unlink(&dir, name_of("name"), &vi), 0);
		assert_int_equal(vmem_iput(&vi), 0);
		assert_int_equal(vmem_iput(&dir), 0);
		assert_int_equal(vmem_umount(was), 0);
		leaf = vmem_get64(sealed(ino_dir)->u.dir.root);
		assert_true(leaf > 0);
		if (i == 0) {		/* no blocks, it says: not below zero */
			inode(ino_dir)->blocks = vmem_le64_of(0);
			fix_inode(ino_dir);
			MEETS(0, remove_name("dir"));
		} else if (i == 1) {	/* its leaf is free, the bitmap says */
			uint8_t *map = block(vmem_sb_group_meta(superblock(), (uint32_t)(leaf / ag)));

			map[leaf % ag / 8] &= (uint8_t)~(1u << leaf % ag % 8);
			MEETS(-EUCLEAN, remove_name("dir"));
		} else {		/* its leaf is none */
			((struct vmem_node *)block(leaf))->magic = vmem_le32_of(0);
			MEETS(-EUCLEAN, remove_name("dir"));
		}
	}
}

static int start(void **state)
{
	(void)state;
	restore();
	return 0;
}

/* usage: test_use [TEST [SEED]] */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_inode_that_contradicts_itself_is_not_used, start),
		cmocka_unit_test_setup(a_root_that_is_no_named_directory_is_not_used, start),
		cmocka_unit_test_setup(a_descriptor_with_impossible_counters_is_not_mounted, start),
		cmocka_unit_test_setup(orphans_that_are_none_are_found_by_the_mount, start),
		cmocka_unit_test_setup(an_inode_bitmap_that_contradicts_its_group_is_found, start),
		cmocka_unit_test_setup(a_block_bitmap_that_contradicts_its_group_is_found, start),
		cmocka_unit_test_setup(a_symlink_without_contents_is_found, start),
		cmocka_unit_test_setup(counters_that_contradict_what_is_freed_are_found, start),
		cmocka_unit_test_setup(blocks_that_no_file_can_hold_are_not_read, start),
		cmocka_unit_test_setup(an_extent_tree_without_entries_is_found, start),
		cmocka_unit_test_setup(a_leaf_whose_entries_cannot_be_is_not_read, start),
		cmocka_unit_test_setup(an_index_without_entries_is_found, start),
		cmocka_unit_test_setup(no_name_leads_to_the_root_or_to_its_own_directory, start),
		cmocka_unit_test_setup(a_reader_gets_no_name_that_would_lead_it_astray, start),
		cmocka_unit_test_setup(a_reader_does_not_go_in_circles, start),
		cmocka_unit_test_setup(names_of_one_hash_are_told_apart, start),
		cmocka_unit_test_setup(a_leaf_is_never_split_between_equal_hashes, start),
		cmocka_unit_test_setup(a_damaged_directory_that_goes_is_told_of, start),
	};

	test_arguments(argc, argv, 0);
	return cmocka_run_group_tests_name("use", tests, make_image, free_image);
}
