// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * test_repair.c - a repair that is cut off or fails
 *
 * The way of a repair into the image is recorded: each store and each flush.
 * From that every state is built that a kill can leave (each prefix of the
 * stores) and, of those that a failure of the host can leave (any of the
 * stores since the last flush, torn at 512 bytes), all of none, one, all but
 * one, and a few by chance.  No mount may accept a state in the middle, and
 * repairing it gives the same tree as the repair that was not cut.
 *
 * Then memory that runs out at every allocation, and flushes that fail.
 */
#include "image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fsck_store.h"
#include "medium/hash.h"
#include "offline/mkfs.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))
#define SECTOR		512u

/* ---- Damages ------------------------------------------------------------- */

static void no_root_directory(void)
{
	memset(inode(VMEM_ROOT_INO), 0, VMEM_INODE_SIZE);
}

static void no_superblock(void)
{
	inode(ino_dense)->nlink = vmem_le32_of(3);
	fix_inode(ino_dense);
	memset(block(0), 0, VMEM_BLOCK_SIZE);
}

static void no_backup(void)
{
	memset(block(vmem_get64(superblock()->backup)), 0, VMEM_BLOCK_SIZE);
}

static void no_roots(void)
{
	memset(block(1), 0, 2 * VMEM_BLOCK_SIZE);
	inode(ino_dense)->nlink = vmem_le32_of(3);
	fix_inode(ino_dense);
}

static void newer_root_of_another(void)
{
	struct vmem_root *root = root_slot(true), *other = root_slot(false);

	*other = *root;
	other->seq = vmem_le64_of(vmem_get64(root->seq) + 5);
	other->uuid[3] ^= 1;
	fix_root(other);
	memset(block(vmem_sb_group_meta(superblock(), 0)), 0, VMEM_BLOCK_SIZE);
}

static void no_directory_index(void)
{
	memset(dir_index_node(), 0, VMEM_BLOCK_SIZE);
}

static void a_block_claimed_twice(void)
{
	inode(ino_dense)->u.ext[0].w1 = ((struct vmem_extent *)(first_extent_node() + 1))->w1;
	fix_inode(ino_dense);
}

static void no_bitmaps(void)
{
	uint32_t ag;

	for (ag = 0; ag < vmem_get32(superblock()->nr_ags); ag++)
		memset(block(vmem_sb_group_meta(superblock(), ag)), 0, 2 * VMEM_BLOCK_SIZE);
}

/* The older slot says that the log must be replayed; nothing valid lies in it. */
static void a_root_that_says_mounted(void)
{
	struct vmem_root *root = root_slot(true);

	root->state = vmem_le32_of(VMEM_STATE_MOUNTED);
	root->applied = vmem_le64_of(vmem_get64(root->tail) + 64 * VMEM_BLOCK_SIZE);
	fix_root(root);
	memset(block(vmem_sb_group_meta(superblock(), 1)), 0, VMEM_BLOCK_SIZE);
}

static const struct {
	const char *name;
	void (*make)(void);
	uint64_t *victim;
} damages[] = {
	{ "no root directory", no_root_directory, NULL },
	{ "no superblock", no_superblock, NULL },
	{ "no backup superblock", no_backup, NULL },
	{ "no roots", no_roots, NULL },
	{ "a newer root of another file system", newer_root_of_another, NULL },
	{ "a directory without its index", no_directory_index, NULL },
	{ "a block claimed twice", a_block_claimed_twice, &ino_dense },
	{ "no bitmaps", no_bitmaps, NULL },
	{ "a root that says mounted", a_root_that_says_mounted, NULL },
};

static void make_damage(unsigned int which)
{
	restore();
	damages[which].make();
	victim = damages[which].victim ? *damages[which].victim : 0;
}

/* ---- The tree in one text ------------------------------------------------ */

struct listing {
	struct vmem_fs *fs;
	char *text;
	size_t len, size;
	uint64_t dirs[64];
	unsigned int nr_dirs;
};

static size_t add_crc(void *ctx, void *addr, size_t len)
{
	uint32_t *crc = ctx;

	*crc = env->crc32c(*crc, addr, len);
	return len;
}

static int list_entry(void *ctx, const char *name, size_t len, uint64_t ino, unsigned int type,
		      uint64_t cookie)
{
	struct listing *l = ctx;
	struct vmem_inode vi;
	struct vmem_attr attr;
	uint32_t crc = 0;

	if (cookie < 2)
		return 0;
	assert_int_equal(vmem_iget(l->fs, ino, &vi), 0);
	vmem_getattr(&vi, &attr);
	if ((attr.mode & 0170000) == 0100000)
		vmem_read(&vi, 0, (size_t)attr.size, add_crc, &crc);
	else if ((attr.mode & 0170000) == 0040000 && l->nr_dirs < COUNT(l->dirs))
		l->dirs[l->nr_dirs++] = ino;
	assert_true(l->size - l->len > 400);
	l->len += (size_t)snprintf(l->text + l->len, l->size - l->len, "%.*s %u %o %u %llu %x\n", (int)len,
				   name, type, attr.mode, attr.nlink,
				   (attr.mode & 0170000) == 0040000 ? 0 : (unsigned long long)attr.size, crc);
	return 0;
}

/* To be freed by the caller; NULL: it cannot be mounted. */
static char *list_tree(void)
{
	struct listing l = { .size = 1u << 19, .dirs = { VMEM_ROOT_INO }, .nr_dirs = 1 };
	struct vmem_mount_opts opts = { .no_recovery = true };
	unsigned int i;

	if (vmem_mount(&the_store, env, &opts, &l.fs, NULL))
		return NULL;
	l.text = calloc(1, l.size);
	assert_non_null(l.text);
	for (i = 0; i < l.nr_dirs; i++) {
		struct vmem_inode dir;
		uint64_t cookie = 0;

		assert_int_equal(vmem_iget(l.fs, l.dirs[i], &dir), 0);
		l.len += (size_t)snprintf(l.text + l.len, l.size - l.len, "directory:\n");
		assert_int_equal(vmem_readdir(&dir, &cookie, list_entry, &l), 0);
	}
	vmem_umount(l.fs);
	return l.text;
}

/* ---- Recording ----------------------------------------------------------- */

struct event {
	uint64_t off;
	size_t len;		/* 0: a flush that ended */
	uint8_t *bytes;
};

static struct event *events;
static unsigned int nr_events, fail_flush, nr_flushes;
static bool after_failure;

static void add_event(uint64_t off, size_t len, const void *bytes)
{
	struct event *e;

	events = realloc(events, (nr_events + 1) * sizeof(*events));
	assert_non_null(events);
	e = &events[nr_events++];
	e->off = off;
	e->len = len;
	e->bytes = malloc(len + 1);
	assert_non_null(e->bytes);
	memcpy(e->bytes, bytes, len);
}

static void forget_events(void)
{
	while (nr_events)
		free(events[--nr_events].bytes);
	free(events);
	events = NULL;
}

static void see_store(struct vmem_store *s, const void *addr, size_t len)
{
	assert_false(after_failure);
	add_event((uint64_t)((const uint8_t *)addr - s->base), len, addr);
}

static void see_drain(struct vmem_store *s)
{
	(void)s;
}

static int see_flush(struct vmem_store *s, const struct vmem_range *r, unsigned int nr)
{
	assert_int_equal(nr, 1);
	assert_int_equal(r->offset, 0);
	assert_int_equal(r->length, s->size);
	if (++nr_flushes == fail_flush) {
		after_failure = true;
		return -EIO;
	}
	add_event(0, 0, "");
	return 0;
}

/* Repair as fsck.vmemfs does it: a copy, then what changed. */
static int repair_by_copy(void)
{
	struct vmem_store image = the_store;
	struct vmem_repair_result r;
	struct fsck_copy c;
	struct vmem_repair_params params = {
		.store = &c.store, .env = env, .domain = VMEM_DOMAIN_HOST, .report = ignore_report,
	};
	uint8_t *base = aligned_alloc(VMEM_BLOCK_SIZE, STORE_SIZE);
	int err;

	assert_non_null(base);
	memcpy(base, the_store.base, STORE_SIZE);
	image.writeback = see_store;
	image.drain = see_drain;
	image.flush = see_flush;
	nr_flushes = 0;
	after_failure = false;
	assert_int_equal(fsck_copy_init(&c, &image, base), 0);
	params.in_use = c.in_use;
	err = vmem_repair(&params, &r);
	if (!err)
		err = fsck_copy_store(&c, &image, env->crc32c);
	fsck_copy_free(&c);
	free(base);
	return err;
}

/* ---- States -------------------------------------------------------------- */

static uint8_t *damaged_image;
static char *repaired_tree;
static uint64_t nr_states, rng = 1;

static uint64_t chance(uint64_t n)
{
	rng = rng * 6364136223846793005ull + 1442695040888963407ull;
	return (rng >> 33) % n;
}

static bool is_anchor(const struct event *e)
{
	uint64_t nr = e->off / VMEM_BLOCK_SIZE;

	return nr < VMEM_DESC_START || nr == STORE_SIZE / VMEM_BLOCK_SIZE - 1;
}

static void apply(const struct event *e)
{
	memcpy(the_store.base + e->off, e->bytes, e->len);
}

static void apply_torn(const struct event *e)
{
	size_t off;

	for (off = 0; off < e->len; off += SECTOR)
		if (chance(2))
			memcpy(the_store.base + e->off + off, e->bytes + off,
			       e->len - off < SECTOR ? e->len - off : SECTOR);
}

/* The first n events. */
static void apply_prefix(unsigned int n)
{
	unsigned int i;

	memcpy(the_store.base, damaged_image, STORE_SIZE);
	for (i = 0; i < n; i++)
		apply(&events[i]);
}

/* Repairing this state again gives the same; the state itself is lost. */
static void expect_same_result(const char *what)
{
	struct vmem_repair_result r;
	const char *lost;
	char *tree;
	int err;

	nr_states++;
	err = repair_image(&r);
	if (err)
		fail_msg("%s: the second repair gives %d:\n%s", what, err, all_reports);
	if (check_image() || result.needs_check)
		fail_msg("%s: after the second repair: %s", what, first_problem);
	lost = lost_thing();
	if (lost)
		fail_msg("%s: the second repair lost %s:\n%s", what, lost, all_reports);
	tree = list_tree();
	if (!tree || strcmp(tree, repaired_tree))
		fail_msg("%s: the second repair gives another tree:\n%s", what, all_reports);
	free(tree);
	if (repair_image(&r) || stores)
		fail_msg("%s: a third repair changes something: %s", what, last_report);
}

/* Between the first block of the body and the first root no mount may accept it. */
static void expect_refused(const char *what)
{
	struct vmem_mount_opts opts = { .read_only = true };
	struct vmem_fs *fs;

	if (vmem_mount(&the_store, env, &opts, &fs, NULL) == 0) {
		vmem_umount(fs);
		fail_msg("%s: an image in the middle of a repair was mounted", what);
	}
}

static void try_state(const char *name, const char *kind, unsigned int at, bool in_body)
{
	char what[200];

	snprintf(what, sizeof(what), "%s, %s at event %u of %u", name, kind, at, nr_events);
	if (in_body)
		expect_refused(what);
	expect_same_result(what);
}

/* Events [from, to) were stored since the last flush: any of them may be there. */
static void try_epoch(const char *name, unsigned int from, unsigned int to)
{
	bool body = from > 0 && !is_anchor(&events[from]);
	unsigned int i, k, step = (to - from) / 4 + 1;

	for (i = from; i < to; i += step) {
		apply_prefix(from);
		apply(&events[i]);
		try_state(name, "one of an epoch", i, body);
		apply_prefix(to);
		memcpy(the_store.base + events[i].off, damaged_image + events[i].off, events[i].len);
		/* The marker and the root that replaces it lie in one place. */
		for (k = 0; k < from; k++)
			if (events[k].off == events[i].off)
				apply(&events[k]);
		try_state(name, "all but one of an epoch", i, body && to - from > 1);
	}
	for (k = 0; k < 3; k++) {
		apply_prefix(from);
		for (i = from; i < to; i++)
			if (chance(2))
				apply_torn(&events[i]);
		try_state(name, "torn blocks", from, false);
	}
}

static void try_cuts(unsigned int which)
{
	const char *name = damages[which].name;
	unsigned int i, from = 0, step = 1;

	make_damage(which);
	memcpy(damaged_image, the_store.base, STORE_SIZE);
	fail_flush = 0;
	assert_int_equal(repair_by_copy(), 0);
	assert_int_equal(check_image(), 0);
	repaired_tree = list_tree();
	assert_non_null(repaired_tree);
	if (nr_events > 40)
		step = nr_events / 40 + 1;
	for (i = 0; i <= nr_events; i++) {
		bool body = i > 0 && i < nr_events && events[i - 1].len && !is_anchor(&events[i - 1]);

		if (i % step && i > 3 && i + 6 < nr_events)
			continue;
		apply_prefix(i);
		try_state(name, "cut", i, body);
	}
	for (i = 0; i < nr_events; i++) {
		if (events[i].len)
			continue;
		if (i > from)
			try_epoch(name, from, i);
		from = i + 1;
	}
	forget_events();
	free(repaired_tree);
}

static void a_repair_that_is_cut_is_made_again_with_the_same_result(void **state)
{
	unsigned int i;

	(void)state;
	nr_states = 0;
	for (i = 0; i < COUNT(damages); i++)
		try_cuts(i);
	print_message("%llu states\n", (unsigned long long)nr_states);
}

/* ---- Failures ------------------------------------------------------------ */

static void after_a_flush_that_fails_nothing_more_is_stored(void **state)
{
	unsigned int i, n;

	(void)state;
	for (i = 0; i < COUNT(damages); i++) {
		make_damage(i);
		memcpy(damaged_image, the_store.base, STORE_SIZE);
		fail_flush = 0;
		assert_int_equal(repair_by_copy(), 0);
		repaired_tree = list_tree();
		n = nr_flushes;
		forget_events();
		for (fail_flush = 1; fail_flush <= n; fail_flush++) {
			memcpy(the_store.base, damaged_image, STORE_SIZE);
			assert_int_equal(repair_by_copy(), -EIO);
			assert_true(after_failure);
			/* Not called clean, unless only the superblocks were left to do. */
			if (fail_flush + 2 < n)
				assert_true(check_image() || result.needs_check);
			forget_events();
			expect_same_result(damages[i].name);
		}
		free(repaired_tree);
	}
	fail_flush = 0;
}

static void without_memory_the_check_says_so(void **state)
{
	uint64_t n;

	(void)state;
	restore();
	for (n = 1;; n++) {
		int64_t found;

		fail_allocation(n);
		found = check_image();
		if (fail_allocation(0) < n) {
			assert_int_equal(found, 0);
			break;
		}
		assert_int_equal(found, -ENOMEM);
		assert_int_equal(allocated(), 0);
	}
	assert_true(n > 3);
}

static void without_memory_the_repair_says_so(void **state)
{
	struct vmem_repair_result r;
	unsigned int i;
	uint64_t n, total = 0;
	int err;

	(void)state;
	for (i = 0; i < COUNT(damages); i++) {
		make_damage(i);
		memcpy(damaged_image, the_store.base, STORE_SIZE);
		for (n = 1;; n += n < 60 ? 1 : 7) {
			memcpy(the_store.base, damaged_image, STORE_SIZE);
			fail_allocation(n);
			err = repair_image(&r);
			assert_int_equal(allocated(), 0);
			if (fail_allocation(0) < n) {
				assert_int_equal(err, 0);
				break;
			}
			total++;
			if (err != -ENOMEM)
				fail_msg("%s: allocation %llu: %d:\n%s", damages[i].name,
					 (unsigned long long)n, err, all_reports);
		}
	}
	print_message("%llu allocations failed\n", (unsigned long long)total);
}

static size_t fill(void *ctx, void *addr, size_t len)
{
	(void)ctx;
	memset(addr, 'f', len);
	return len;
}

/* Without space for a second one, a directory that is made anew takes its own blocks. */
static void on_a_full_store_a_directory_keeps_its_names(void **state)
{
	struct vmem_mount_opts opts = { .read_only = false };
	struct vmem_attr attr = { .mode = 0100644 };
	struct vmem_inode root, vi;
	struct vmem_statfs st;
	uint64_t off = 0;
	struct vmem_fs *fs;

	(void)state;
	restore();
	assert_int_equal(vmem_mount(&the_store, env, &opts, &fs, NULL), 0);
	assert_int_equal(vmem_iget(fs, VMEM_ROOT_INO, &root), 0);
	assert_int_equal(vmem_create(&root, name_of("filler"), &attr, &vi), 0);
	while (vmem_write(&vi, off, VMEM_BLOCK_SIZE, fill, NULL) == VMEM_BLOCK_SIZE)
		off += VMEM_BLOCK_SIZE;
	assert_int_equal(vmem_iput(&vi), 0);
	assert_int_equal(vmem_iput(&root), 0);
	vmem_statfs(fs, &st);
	assert_int_equal(st.avail_blocks, 0);
	assert_int_equal(vmem_umount(fs), 0);
	no_directory_index();
	victim = 0;
	fail_flush = 0;
	assert_int_equal(repair_by_copy(), 0);
	forget_events();
	assert_int_equal(check_image(), 0);
	assert_null(lost_thing());
}

static int setup(void **state)
{
	if (make_image(state))
		return -1;
	damaged_image = malloc(STORE_SIZE);
	assert_null(lost_thing());
	return damaged_image ? 0 : -1;
}

static int teardown(void **state)
{
	free(damaged_image);
	return free_image(state);
}

/* usage: test_repair [TEST [SEED]] */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_repair_that_is_cut_is_made_again_with_the_same_result),
		cmocka_unit_test(after_a_flush_that_fails_nothing_more_is_stored),
		cmocka_unit_test(on_a_full_store_a_directory_keeps_its_names),
		cmocka_unit_test(without_memory_the_check_says_so),
		cmocka_unit_test(without_memory_the_repair_says_so),
	};

	test_arguments(argc, argv, 0);
	return cmocka_run_group_tests_name("repair", tests, setup, teardown);
}
