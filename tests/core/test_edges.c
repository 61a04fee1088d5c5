// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* test_edges.c - limits, refusals, and paths that ordinary work seldom takes */
#include "fixture.h"
#include "medium/hash.h"
#include "fs/fs.h"

/* ---- Many ranges, many inodes ---- */

#define FILES 40u
#define SPOTS 11u

static unsigned int nr_files = FILES;

static void name_file(char *name, unsigned int i)
{
	snprintf(name, 16, "f%u", i);
}

/* Files of many blocks, each overwritten at places far apart. */
static void scatter(struct ctx *c, struct vmem_inode *vi, unsigned int spots)
{
	unsigned int i, k;
	char name[16];

	for (i = 0; i < nr_files; i++) {
		name_file(name, i);
		make(&c->root, name, S_FILE, &vi[i]);
		write_pattern(&vi[i], 0, 3 * SPOTS * BLOCK, i);
	}
	assert_int_equal(vmem_sync(c->fs), 0);
	for (i = 0; i < nr_files; i++)
		for (k = 0; k < spots; k++)
			write_pattern(&vi[i], 3 * k * BLOCK, 100, i + 100);
}

static void expect_scattered(struct ctx *c, unsigned int spots)
{
	struct vmem_inode vi;
	unsigned int i, k;
	char name[16];

	for (i = 0; i < nr_files; i++) {
		name_file(name, i);
		open_name(&c->root, name, &vi);
		for (k = 0; k < spots; k++)
			expect_pattern(&vi, 3 * k * BLOCK, 100, i + 100);
		put(&vi);
	}
}

/* More places than an inode remembers, more inodes than a record takes, more ranges than a set. */
static void a_sync_covers_overwrites_however_scattered(void **state)
{
	static struct vmem_inode vi[FILES];
	unsigned int commits, spots;
	struct ctx c;

	(void)state;
	for (commits = 0; commits < 2; commits++)
		for (spots = 8; spots <= SPOTS; spots += 3) {
			up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
			put(&c.root);
			assert_int_equal(vmem_umount(c.fs), 0);
			/* 8 ranges each: as many as a set holds, so that the log has no room in it. */
			nr_files = commits ? 32 : FILES;
			if (commits)
				sim_use_commits(c.sim);
			again(&c);
			scatter(&c, vi, spots);
			assert_int_equal(vmem_sync(c.fs), 0);
			fail_and_mount(&c, SIM_HOST);
			expect_scattered(&c, spots);
			finish(&c);
		}
	nr_files = FILES;
}

static void an_fsync_covers_more_overwrites_than_an_inode_remembers(void **state)
{
	static struct vmem_inode vi[FILES];
	unsigned int i;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	scatter(&c, vi, SPOTS);
	for (i = 0; i < nr_files; i++)
		assert_int_equal(vmem_fsync(&vi[i], i % 2), 0);
	fail_and_mount(&c, SIM_HOST);
	expect_scattered(&c, SPOTS);
	finish(&c);
}

/* Metadata pages are dropped and read again all the time. */
static void a_small_overlay_changes_nothing(void **state)
{
	struct vmem_inode dir, vi;
	unsigned int i, round;
	char name[16];
	struct ctx c;

	up(&c, domain_of(state), 64 * MiB, 0);
	down(&c);
	c.sim->env.overlay_pages = 64;
	again(&c);
	for (round = 0; round < 2; round++)
		for (i = 0; i < 300; i++) {
			name_file(name, i);
			if (round) {
				open_name(&c.root, name, &dir);
			} else {
				make(&c.root, name, S_DIR, &dir);
			}
			make(&dir, round ? "b" : "a", S_FILE, &vi);
			write_pattern(&vi, 0, 3 * BLOCK, i);
			put(&vi);
			put(&dir);
		}
	fail_and_mount(&c, SIM_GUEST);
	for (i = 0; i < 300; i++) {
		name_file(name, i);
		open_name(&c.root, name, &dir);
		open_name(&dir, "b", &vi);
		expect_pattern(&vi, 0, 3 * BLOCK, i);
		put(&vi);
		put(&dir);
	}
	finish(&c);
}

/* While a checkpoint flushes, records go on: their pages must outlive it. */
struct meanwhile {
	struct ctx *c;
	unsigned int next;
};

static void work_meanwhile(void *arg)
{
	struct meanwhile *m = arg;
	struct vmem_inode dir, vi;
	char name[16];

	name_file(name, m->next);
	open_name(&m->c->root, name, &dir);
	make(&dir, "meanwhile", S_FILE, &vi);
	put(&vi);
	put(&dir);
	m->next++;
}

static void records_made_during_a_checkpoint_survive_it(void **state)
{
	struct meanwhile m = { .next = 0 };
	struct vmem_inode dir;
	unsigned int i;
	char name[16];
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 64 * MiB, 0);
	down(&c);
	c.sim->env.overlay_pages = 64;
	again(&c);
	m.c = &c;
	for (i = 0; i < 400; i++) {
		name_file(name, i);
		make(&c.root, name, S_DIR, &dir);
		put(&dir);
	}
	for (i = 0; i < 12; i++) {
		unsigned int k;
		struct vmem_inode vi;

		for (k = 0; k < 10; k++) {
			name_file(name, 100 + i * 10 + k);
			open_name(&c.root, name, &dir);
			make(&dir, "before", S_FILE, &vi);
			put(&vi);
			put(&dir);
		}
		c.sim->on_flush = work_meanwhile;
		c.sim->on_flush_arg = &m;
		assert_int_equal(vmem_checkpoint(c.fs), 0);
		c.sim->on_flush = NULL;
	}
	assert_true(m.next >= 24);
	for (i = 0; i < m.next; i++) {
		name_file(name, i);
		open_name(&c.root, name, &dir);
		assert_true(exists(&dir, "meanwhile"));
		put(&dir);
	}
	fail_and_mount(&c, SIM_GUEST);
	for (i = 0; i < m.next; i++) {
		name_file(name, i);
		open_name(&c.root, name, &dir);
		assert_true(exists(&dir, "meanwhile"));
		put(&dir);
	}
	finish(&c);
}

/* The keys of the nodes above follow a first block that comes later. */
static void blocks_written_backwards_read_back(void **state)
{
	unsigned int i, nr = 600;
	struct vmem_inode vi;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "a", S_FILE, &vi);
	for (i = nr; i-- > 0;)
		write_pattern(&vi, 2ull * i * BLOCK + 2 * BLOCK, 10, i);
	for (i = 0; i < nr; i++)
		expect_pattern(&vi, 2ull * i * BLOCK + 2 * BLOCK, 10, i);
	write_pattern(&vi, 0, 10, 7);
	expect_pattern(&vi, 0, 10, 7);
	fail_and_mount(&c, SIM_GUEST);
	open_name(&c.root, "a", &vi);
	for (i = 0; i < nr; i++)
		expect_pattern(&vi, 2ull * i * BLOCK + 2 * BLOCK, 10, i);
	assert_int_equal(vmem_truncate(&vi, 5 * BLOCK), 0);
	expect_pattern(&vi, 4 * BLOCK, 10, 1);
	put(&vi);
	finish(&c);
}

/* ---- Refusals ---- */

static struct vmem_dinode *medium_inode(struct ctx *c, uint64_t ino)
{
	uint64_t meta = vmem_get64(((struct vmem_superblock *)(void *)c->sim->now)->agmeta0);

	return (void *)(c->sim->now + (meta + 2) * BLOCK + ino * VMEM_INODE_SIZE);
}

/* While it is not mounted: the inode has so many links. */
/* More leaves than an index has entries: nodes of the level between are split, too. */
static void a_directory_of_three_levels_keeps_every_name(void **state)
{
	struct vmem_inode dir, vi;
	unsigned int i;
	char name[256];
	uint64_t ino;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	make(&c.root, "dir", S_DIR, &dir);
	make(&c.root, "file", S_FILE, &vi);
	for (i = 0; i < 3600; i++) {
		snprintf(name, sizeof(name), "%0250u", i);
		assert_int_equal(vmem_link(&dir, N(name), &vi), 0);
	}
	assert_int_equal(vmem_get32(dir.raw.u.dir.height), 3);
	assert_int_equal(vmem_sync(c.fs), 0);
	put(&vi);
	put(&dir);
	fail_and_mount(&c, SIM_HOST);
	open_name(&c.root, "dir", &dir);
	open_name(&c.root, "file", &vi);
	assert_int_equal(vmem_get32(vi.raw.nlink), 3601);
	for (i = 0; i < 3600; i++) {
		snprintf(name, sizeof(name), "%0250u", i);
		assert_int_equal(vmem_lookup(&dir, N(name), &ino, NULL), 0);
		assert_int_equal(ino, vi.ino);
	}
	put(&vi);
	put(&dir);
	finish(&c);
}

static void set_links(struct ctx *c, uint64_t ino, uint32_t nlink)
{
	struct vmem_dinode *n = medium_inode(c, ino);

	n->nlink = vmem_le32_of(nlink);
	n->csum = vmem_le32_of(vmem_inode_csum(vmem_crc32c, n, ino));
}

static void the_last_link_is_refused(void **state)
{
	struct vmem_inode dir, full, sub, vi, file;
	uint64_t dir_ino, file_ino;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 4 * MiB, 0);
	make(&c.root, "full", S_DIR, &full);
	make(&c.root, "dir", S_DIR, &dir);
	make(&c.root, "file", S_FILE, &file);
	dir_ino = full.ino;
	file_ino = file.ino;
	put(&full);
	put(&dir);
	put(&file);
	down(&c);
	set_links(&c, dir_ino, 0x7fffffff);
	set_links(&c, file_ino, 0x7fffffff);
	again(&c);
	open_name(&c.root, "full", &full);
	open_name(&c.root, "dir", &dir);
	open_name(&c.root, "file", &file);
	assert_int_equal(try_make(&full, "sub", S_DIR, &sub), -EMLINK);
	assert_int_equal(vmem_rename(&c.root, N("dir"), &dir, &full, N("dir"), NULL, 0), -EMLINK);
	assert_int_equal(vmem_link(&c.root, N("link"), &file), -EMLINK);
	assert_true(exists(&c.root, "dir"));
	assert_false(exists(&full, "dir"));
	assert_false(exists(&c.root, "link"));
	make(&full, "plain", S_FILE, &vi);
	assert_int_equal(vmem_unlink(&full, N("plain"), &vi), 0);
	put(&vi);
	put(&full);
	put(&dir);
	put(&file);
	put(&c.root);
	assert_int_equal(vmem_umount(c.fs), 0);
	set_links(&c, dir_ino, 2);
	set_links(&c, file_ino, 1);
	again(&c);
	finish(&c);
}

/* ---- What a damaged image says of names ---- */

/* It is read-only by now, and no check would pass it. */
static void finish_damaged(struct ctx *c)
{
	put(&c->root);
	vmem_umount(c->fs);
	sim_free(c->sim);
}

/* Five, one in the other, and the numbers of more. */
enum { DEPTH = 5, A_FILE = DEPTH, UNLINKED, FREE, BROKEN, PARENTS };

static void make_deep(struct ctx *c, uint64_t *ino)
{
	struct vmem_inode dirs[DEPTH], file, other, broken;
	unsigned int i;

	for (i = 0; i < DEPTH; i++) {
		make(i ? &dirs[i - 1] : &c->root, "d", S_DIR, &dirs[i]);
		ino[i] = dirs[i].ino;
	}
	make(&c->root, "file", S_FILE, &file);
	make(&c->root, "other", S_DIR, &other);
	ino[A_FILE] = file.ino;
	ino[UNLINKED] = other.ino;
	ino[FREE] = other.ino + 1000;
	make(&c->root, "broken", S_DIR, &broken);
	ino[BROKEN] = broken.ino;
	put(&file);
	put(&other);
	put(&broken);
	for (i = 0; i < DEPTH; i++)
		put(&dirs[i]);
}

static void a_directory_that_no_way_leads_up_from_is_damage(void **state)
{
	struct vmem_inode deep, moved;
	uint64_t ino[PARENTS];
	unsigned int to;
	char path[200];
	struct ctx c;

	(void)state;
	for (to = 1; to < PARENTS; to++) {
		up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
		make_deep(&c, ino);
		make(&c.root, "moved", S_DIR, &moved);
		put(&moved);
		down(&c);
		medium_inode(&c, ino[0])->parent = vmem_le32_of(ino[to]);
		set_links(&c, ino[0], 3);
		set_links(&c, ino[UNLINKED], 0);
		medium_inode(&c, ino[BROKEN])->csum = vmem_le32_of(1);
		again(&c);
		assert_int_equal(vmem_iget(c.fs, ino[DEPTH - 1], &deep), 0);
		open_name(&c.root, "moved", &moved);
		assert_int_equal(vmem_rename(&c.root, N("moved"), &moved, &deep, N("x"), NULL, 0),
				 -EUCLEAN);
		assert_int_equal(vmem_dirpath(&deep, path, sizeof(path)), -EUCLEAN);
		put(&moved);
		put(&deep);
		finish_damaged(&c);
	}
}

/* Wherever an entry of this name and number lies; in the log nobody reads it any more. */
static void redirect_entries(struct ctx *c, const char *name, uint64_t ino, uint64_t to)
{
	uint64_t off;

	for (off = 0; off + 64 < 16 * MiB; off += 8) {
		struct vmem_dirent *e = (void *)(c->sim->now + off);

		if (e->name_len == strlen(name) && vmem_get32(e->ino) == ino &&
		    !memcmp(e->name, name, strlen(name)))
			e->ino = vmem_le32_of(to);
	}
}

/* The head of the entry of this name in the directory's only leaf. */
static struct vmem_dirent *entry_of(struct ctx *c, uint64_t dir, const char *name)
{
	uint8_t *leaf = c->sim->now + vmem_get64(medium_inode(c, dir)->u.dir.root) * BLOCK;
	unsigned int off;

	for (off = VMEM_NODE_HEAD; off < BLOCK;) {
		struct vmem_dirent *e = (void *)(leaf + off);

		if (e->name_len == strlen(name) && !memcmp(e->name, name, strlen(name)))
			return e;
		off += vmem_get16(e->rec_len);
	}
	fail_msg("no entry %s", name);
	return NULL;
}

static void entries_that_do_not_tile_their_leaf_are_damage_for_who_passes_them(void **state)
{
	static const unsigned int lengths[] = { 0, 8, 20, 28, 4080, 65528 };
	unsigned int i;

	(void)state;
	for (i = 0; i < 2 * sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct vmem_inode vi;
		uint64_t ino;
		struct ctx c;

		up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
		make(&c.root, "before", S_FILE, &vi);
		put(&vi);
		make(&c.root, "bad", S_FILE, &vi);
		put(&vi);
		make(&c.root, "behind", S_FILE, &vi);
		put(&vi);
		down(&c);
		entry_of(&c, VMEM_ROOT_INO, "bad")->rec_len = vmem_le16_of(lengths[i / 2]);
		again(&c);
		assert_int_equal(vmem_lookup(&c.root, N("before"), &ino, NULL), 0);
		if (i % 2)
			assert_int_equal(vmem_lookup(&c.root, N("behind"), &ino, NULL), -EUCLEAN);
		else
			assert_int_equal(try_make(&c.root, "new", S_FILE, &vi), -EUCLEAN);
		finish_damaged(&c);
	}
}

/* Two that tile the rest of the leaf, but the second one begins at no multiple of eight. */
static void entries_off_their_alignment_are_damage_for_who_passes_them(void **state)
{
	struct vmem_dirent *bad, second;
	struct vmem_inode vi;
	unsigned int room;
	uint64_t ino;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	make(&c.root, "bad", S_FILE, &vi);
	put(&vi);
	down(&c);
	bad = entry_of(&c, VMEM_ROOT_INO, "bad");
	room = vmem_get16(bad->rec_len);
	second = *bad;
	second.hash = vmem_le64_of(vmem_get64(bad->hash) ^ 8);
	second.rec_len = vmem_le16_of(room - 36);
	bad->rec_len = vmem_le16_of(36);
	memcpy((uint8_t *)bad + 36, &second, sizeof(second));
	again(&c);
	assert_int_equal(vmem_lookup(&c.root, N("behind"), &ino, NULL), -EUCLEAN);
	finish_damaged(&c);
}

enum lie { NO_LIE, NO_LINKS, ANOTHER_TYPE, A_FREE_INODE, NO_INODE, BEHIND_THE_LAST, LIES };

static void tell(struct ctx *c, uint64_t ino, enum lie lie)
{
	switch (lie) {
	case NO_LINKS:
		set_links(c, ino, 0);
		break;
	case ANOTHER_TYPE:
		medium_inode(c, ino)->mode = vmem_le16_of(0010644);
		set_links(c, ino, 1);
		break;
	case A_FREE_INODE:
		redirect_entries(c, "file", ino, ino + 1);
		break;
	case NO_INODE:
		redirect_entries(c, "file", ino, 0);
		break;
	case BEHIND_THE_LAST:
		redirect_entries(c, "file", ino, 0xfffffff0);
		break;
	default:
		break;
	}
}

static void an_entry_that_contradicts_its_inode_is_damage(void **state)
{
	struct vmem_inode vi;
	uint64_t ino, found;
	enum lie lie;
	struct ctx c;
	int err;

	(void)state;
	for (lie = NO_LIE; lie < LIES; lie++) {
		up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
		make(&c.root, "file", S_FILE, &vi);
		ino = vi.ino;
		put(&vi);
		down(&c);
		tell(&c, ino, lie);
		again(&c);
		err = vmem_lookup(&c.root, N("file"), &found, NULL);
		/* 0 is what a free entry has. */
		assert_int_equal(err, lie == NO_LIE ? 0 : lie == NO_INODE ? -ENOENT : -EUCLEAN);
		finish_damaged(&c);
	}
}

static void calls_that_make_no_sense_are_refused(void **state)
{
	struct vmem_attr attr = { .mode = S_DIR };
	struct vmem_inode a, b, vi, gone;
	struct vmem_map map;
	char name[300];
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 4 * MiB, 0);
	make(&c.root, "a", S_FILE, &a);
	make(&c.root, "b", S_FILE, &b);
	make(&c.root, "gone", S_DIR, &gone);
	memset(name, 'n', sizeof(name));
	assert_int_equal(vmem_tmpfile(c.fs, &attr, 1, &vi), -EINVAL);
	assert_int_equal(vmem_create(&c.root, (struct vmem_name){ name, 256 }, &attr, &vi), -ENAMETOOLONG);
	attr.mode = 0644;		/* of no kind, or of one that has a call of its own */
	assert_int_equal(vmem_create(&c.root, N("x"), &attr, &vi), -EINVAL);
	attr.mode = 0120777;
	assert_int_equal(vmem_create(&c.root, N("x"), &attr, &vi), -EINVAL);
	assert_int_equal(vmem_symlink(&c.root, N("x"), name, 0, &attr, &vi), -EINVAL);
	assert_int_equal(vmem_symlink(&c.root, N("x"), (const char *)c.sim->now, BLOCK, &attr, &vi), -ENAMETOOLONG);
	assert_int_equal(vmem_readlink(&a, name, sizeof(name)), -EINVAL);
	/* The caller's inode is not that of the name. */
	assert_int_equal(vmem_unlink(&c.root, N("a"), &b), -ENOENT);
	assert_int_equal(vmem_rename(&c.root, N("a"), &a, &c.root, N("b"), &a, VMEM_RENAME_EXCHANGE), 0);
	assert_int_equal(vmem_rename(&c.root, N("a"), &b, &c.root, N("c"), NULL, 0), -ENOENT);
	assert_int_equal(vmem_rename(&c.root, N("a"), &a, &c.root, N("c"), &b, 0), -ENOENT);
	assert_int_equal(vmem_rename(&c.root, N("a"), &a, &c.root, N("b"), &gone, VMEM_RENAME_EXCHANGE), -ENOENT);
	assert_int_equal(vmem_rename(&c.root, N("a"), &a, &c.root, N("c"), NULL, 8), -EINVAL);
	/* Neither a file nor a directory. */
	make(&c.root, "fifo", 0010644, &vi);
	assert_int_equal(vmem_truncate(&vi, 0), -EINVAL);
	assert_int_equal(write_at(&vi, 0, "x", 1), -EINVAL);
	assert_int_equal(write_at(&c.root, 0, "x", 1), -EISDIR);
	put(&vi);
	/* In a directory that is gone. */
	assert_int_equal(vmem_rmdir(&c.root, N("gone"), &gone), 0);
	assert_int_equal(vmem_unlink(&gone, N("a"), &a), -ENOENT);
	assert_int_equal(vmem_rmdir(&gone, N("a"), &gone), -ENOENT);
	assert_int_equal(vmem_symlink(&gone, N("a"), "target", 6, &attr, &vi), -ENOENT);
	assert_int_equal(vmem_rename(&gone, N("a"), &a, &c.root, N("x"), NULL, 0), -ENOENT);
	assert_int_equal(vmem_rename(&c.root, N("a"), &a, &gone, N("x"), NULL, 0), -ENOENT);
	/* Behind all that a file can have. */
	assert_int_equal(vmem_map(&a, VMEM_MAX_LBLK + 1, 1, &map), -EINVAL);
	assert_int_equal(vmem_map_write(&a, VMEM_MAX_LBLK + 1, 1, &map), -EINVAL);
	assert_int_equal(vmem_map_write(&c.root, 0, 1, &map), -EINVAL);
	put(&gone);
	put(&a);
	put(&b);
	finish(&c);
}

static size_t copy_some(void *ctx, void *addr, size_t len)
{
	size_t *left = ctx, n = len < *left ? len : *left;

	(void)addr;
	*left -= n;
	return n;
}

static int stop(void *ctx, const char *name, size_t len, uint64_t ino, unsigned int type, uint64_t cookie)
{
	(void)name;
	(void)len;
	(void)ino;
	(void)type;
	(void)cookie;
	return --*(unsigned int *)ctx == 0;
}

static void a_reader_may_stop_at_any_name(void **state)
{
	unsigned int nr, left;
	uint64_t cookie, last = 0;
	struct vmem_inode vi;
	struct ctx c;

	up(&c, domain_of(state), 4 * MiB, 0);
	make(&c.root, "a", S_FILE, &vi);
	put(&vi);
	make(&c.root, "b", S_FILE, &vi);
	put(&vi);
	for (nr = 1; nr <= 4; nr++) {
		left = nr;
		cookie = 0;
		assert_int_equal(vmem_readdir(&c.root, &cookie, stop, &left), 0);
		assert_int_equal(left, 0);
		assert_true(cookie >= last && cookie < INT64_MAX);	/* that of the one not taken */
		last = cookie;
	}
	left = 3;
	assert_int_equal(vmem_readdir(&c.root, &cookie, stop, &left), 0);
	assert_int_equal(left, 2);
	finish(&c);
}

/* What is stored to again and again: roots and log, and not data. */
static void the_hot_ranges_are_those_of_roots_and_log(void **state)
{
	struct vmem_range r[VMEM_HOT_RANGES];
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 4 * MiB, 64);
	vmem_hot_ranges(c.fs, r);
	assert_int_equal(r[0].offset, VMEM_ROOT_BLOCK(0) * BLOCK);
	assert_int_equal(r[0].length, VMEM_NR_ROOTS * BLOCK);
	assert_true(r[1].offset >= (VMEM_DESC_START + 1) * BLOCK);
	assert_int_equal(r[1].length, 64 * BLOCK);
	finish(&c);
}

/* Features that only writing needs to know: to be read, but not to be recovered. */
static void what_only_a_later_version_may_write_is_read(void **state)
{
	struct vmem_mount_opts opts = { .domain = VMEM_DOMAIN_HOST };
	struct vmem_superblock *sb;
	struct vmem_inode vi;
	struct ctx c;
	int dirty;

	(void)state;
	for (dirty = 0; dirty < 2; dirty++) {
		up(&c, VMEM_DOMAIN_HOST, 4 * MiB, 0);
		make(&c.root, "file", S_FILE, &vi);
		put(&vi);
		if (dirty)
			fail_now(&c, SIM_GUEST);
		else
			down(&c);
		sb = (void *)c.sim->now;
		sb->ro_compat = vmem_le64_of(1ull << 40);
		sb->csum = vmem_le32_of(vmem_superblock_csum(vmem_crc32c, sb));
		assert_int_equal(try_mount(&c, &opts), dirty ? -EROFS : 0);
		if (dirty) {
			assert_non_null(strstr(c.sim->last_log, "unknown read-only features"));
		} else {
			assert_true(vmem_is_read_only(c.fs));
			assert_int_equal(vmem_remount(c.fs, true), 0);
			assert_int_equal(vmem_remount(c.fs, false), -EROFS);
			assert_int_equal(vmem_umount(c.fs), 0);
		}
		sim_free(c.sim);
	}
}

/* Overwritten in place, by somebody who has only just opened the file. */
static void data_that_rode_in_the_log_stays_overwritten_by_who_opens_the_file_later(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 4 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	write_pattern(&vi, 0, 5000, 1);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	write_pattern(&vi, 5000, 100, 1);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	put(&vi);
	open_name(&c.root, "file", &vi);
	write_pattern(&vi, 5000, 50, 2);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	fail_and_mount(&c, SIM_HOST);
	open_name(&c.root, "file", &vi);
	expect_pattern(&vi, 0, 5000, 1);
	expect_pattern(&vi, 5000, 50, 2);
	expect_pattern(&vi, 5050, 50, 1);
	put(&vi);
	finish(&c);
}

static void without_memory_a_run_is_not_laid_out_and_nothing_is_kept(void **state)
{
	struct vmem_inode vi;
	uint64_t free, n;
	int err = -ENOMEM;
	struct ctx c;

	up(&c, domain_of(state), 4 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	write_pattern(&vi, 0, 3 * BLOCK, 1);
	put(&vi);
	for (n = 1; err; n++) {
		/* Nothing is in memory that it needs; the file has to grow. */
		open_name(&c.root, "file", &vi);
		assert_int_equal(vmem_truncate(&vi, 3 * BLOCK), 0);
		put(&vi);
		down(&c);
		again(&c);
		open_name(&c.root, "file", &vi);
		free = free_blocks(&c);
		c.sim->alloc_fails_at = c.sim->allocs + n;
		err = vmem_layout(&vi, 20 * BLOCK, 10 * BLOCK);
		c.sim->alloc_fails_at = 0;
		assert_true(!err || err == -ENOMEM);
		assert_int_equal(free_blocks(&c), err ? free : free - 10);
		assert_int_equal(where(&vi, 20 * BLOCK) != 0, !err);
		put(&vi);
	}
	assert_true(n > 3);
	finish(&c);
}

static void a_read_into_a_bad_buffer_is_short_or_an_error(void **state)
{
	struct vmem_inode vi;
	struct ctx c;
	size_t left;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 4 * MiB, 0);
	make(&c.root, "a", S_FILE, &vi);
	write_pattern(&vi, 0, 3 * BLOCK, 1);
	left = 5000;
	assert_int_equal(vmem_read(&vi, 0, 3 * BLOCK, copy_some, &left), 5000);
	left = 0;
	assert_int_equal(vmem_read(&vi, 0, 3 * BLOCK, copy_some, &left), -EFAULT);
	put(&vi);
	finish(&c);
}

static void an_open_unlinked_file_keeps_the_mount_writable(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	up(&c, domain_of(state), 4 * MiB, 0);
	make(&c.root, "a", S_FILE, &vi);
	assert_int_equal(vmem_unlink(&c.root, N("a"), &vi), 0);
	assert_int_equal(vmem_remount(c.fs, true), -EBUSY);
	write_pattern(&vi, 0, 100, 1);
	put(&vi);
	assert_int_equal(vmem_remount(c.fs, true), 0);
	finish(&c);
}

/* ---- Damage ---- */

static void what_was_stored_before_damage_is_durable_after_sync(void **state)
{
	struct vmem_mount_opts opts = { .domain = VMEM_DOMAIN_HOST, .check = true };
	struct vmem_inode vi, new;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 4 * MiB, 0);
	make(&c.root, "a", S_FILE, &vi);
	write_pattern(&vi, 0, 3 * BLOCK, 1);
	assert_int_equal(vmem_sync(c.fs), 0);
	write_pattern(&vi, 0, 100, 2);
	make(&c.root, "new", S_FILE, &new);
	assert_int_equal(vmem_report_damage(c.fs, 7, "a test says so"), -EUCLEAN);
	assert_true(vmem_is_read_only(c.fs));
	assert_int_equal(write_at(&vi, 0, "x", 1), -EROFS);
	assert_int_equal(vmem_sync(c.fs), 0);
	fail_now(&c, SIM_HOST);
	assert_int_equal(try_mount(&c, &opts), 0);
	assert_int_equal(vmem_iget(c.fs, VMEM_ROOT_INO, &c.root), 0);
	open_name(&c.root, "a", &vi);
	expect_pattern(&vi, 0, 100, 2);
	assert_true(exists(&c.root, "new"));
	put(&vi);
	finish(&c);
}

static void damage_is_told_by_the_next_mount_even_after_a_kill(void **state)
{
	struct ctx c;

	up(&c, domain_of(state), 4 * MiB, 0);
	vmem_report_damage(c.fs, 7, "a test says so");
	assert_int_equal(vmem_checkpoint(c.fs), -EROFS);	/* as env->kick asks for */
	assert_int_equal(vmem_remount(c.fs, false), -EROFS);
	assert_non_null(strstr(c.sim->last_log, "stays read-only after damage"));
	c.sim->last_log[0] = 0;
	fail_and_mount(&c, SIM_GUEST);
	assert_non_null(strstr(c.sim->last_log, "was met earlier"));
	finish(&c);
}

/* As a failed flush: it sticks, and the next mount says so. */
static void a_loss_that_the_caller_reports_is_one_for_good(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	up(&c, domain_of(state), 4 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	write_pattern(&vi, 0, 5000, 1);
	assert_int_equal(vmem_report_loss(c.fs), -EIO);
	assert_non_null(strstr(c.sim->last_log, "could not read or write back"));
	assert_int_equal(vmem_report_loss(c.fs), -EIO);
	assert_true(vmem_is_read_only(c.fs));
	assert_int_equal(vmem_fsync(&vi, false), -EIO);
	assert_int_equal(vmem_sync(c.fs), -EIO);
	assert_int_equal(write_at(&vi, 0, "x", 1), -EIO);
	expect_pattern(&vi, 0, 5000, 1);
	assert_int_equal(vmem_iput(&vi), 0);
	assert_int_equal(vmem_iput(&c.root), 0);
	assert_int_equal(vmem_umount(c.fs), -EIO);
	again(&c);
	assert_non_null(strstr(c.sim->last_log, "run fsck.vmemfs"));
	put(&c.root);
	assert_int_equal(vmem_umount(c.fs), 0);
	sim_free(c.sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sync_covers_overwrites_however_scattered),
		cmocka_unit_test(an_fsync_covers_more_overwrites_than_an_inode_remembers),
		EACH_DOMAIN(a_small_overlay_changes_nothing),
		cmocka_unit_test(records_made_during_a_checkpoint_survive_it),
		EACH_DOMAIN(blocks_written_backwards_read_back),
		cmocka_unit_test(a_directory_of_three_levels_keeps_every_name),
		cmocka_unit_test(the_last_link_is_refused),
		cmocka_unit_test(a_directory_that_no_way_leads_up_from_is_damage),
		cmocka_unit_test(entries_that_do_not_tile_their_leaf_are_damage_for_who_passes_them),
		cmocka_unit_test(entries_off_their_alignment_are_damage_for_who_passes_them),
		cmocka_unit_test(an_entry_that_contradicts_its_inode_is_damage),
		cmocka_unit_test(calls_that_make_no_sense_are_refused),
		cmocka_unit_test(data_that_rode_in_the_log_stays_overwritten_by_who_opens_the_file_later),
		EACH_DOMAIN(without_memory_a_run_is_not_laid_out_and_nothing_is_kept),
		EACH_DOMAIN(a_reader_may_stop_at_any_name),
		cmocka_unit_test(the_hot_ranges_are_those_of_roots_and_log),
		cmocka_unit_test(what_only_a_later_version_may_write_is_read),
		cmocka_unit_test(a_read_into_a_bad_buffer_is_short_or_an_error),
		EACH_DOMAIN(an_open_unlinked_file_keeps_the_mount_writable),
		cmocka_unit_test(what_was_stored_before_damage_is_durable_after_sync),
		EACH_DOMAIN(damage_is_told_by_the_next_mount_even_after_a_kill),
		EACH_DOMAIN(a_loss_that_the_caller_reports_is_one_for_good),
	};

	return cmocka_run_group_tests_name("edges", tests, NULL, NULL);
}
