// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* image.c - see image.h */
#include "image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "medium/hash.h"
#include "offline/mkfs.h"
#include "toolenv.h"

#define AG_BLOCKS	1024u
#define NR_NAMES	600u
#define NR_EXTENTS	1400u

/* ---- The image ----------------------------------------------------------- */

static struct vmem_env test_env;
const struct vmem_env *env = &test_env;
uint64_t seed;

void test_arguments(int argc, char **argv, uint64_t usual)
{
	seed = argc > 2 ? strtoull(argv[2], NULL, 0) : usual ? usual : (uint64_t)time(NULL);
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	print_message("seed %llu\n", (unsigned long long)seed);
}
struct vmem_store the_store = { .size = STORE_SIZE, .backing = VMEM_BACKING_VOLATILE };
uint8_t *pristine;
struct vmem_check_result result;
char first_problem[512], all_problems[8192];

uint64_t ino_dense, ino_sparse, ino_names, ino_fifo, ino_chr, ino_short, ino_long,
	ino_freed, ino_dir, ino_linked;

static void on_problem(void *ctx, const char *fmt, va_list ap)
{
	size_t len = strlen(all_problems);
	char line[512];

	(void)ctx;
	vsnprintf(line, sizeof(line), fmt, ap);
	if (!first_problem[0])
		memcpy(first_problem, line, sizeof(line));
	snprintf(all_problems + len, sizeof(all_problems) - len, "%s\n", line);
}

int64_t check_image(void)
{
	struct vmem_check_params params = {
		.base = the_store.base, .size = the_store.size, .env = env, .problem = on_problem,
	};

	first_problem[0] = 0;
	all_problems[0] = 0;
	return vmem_check(&params, &result);
}

static size_t fill_pattern(void *ctx, void *addr, size_t len)
{
	(void)ctx;
	memset(addr, 0x5a, len);
	return len;
}

struct vmem_name name_of(const char *text)
{
	struct vmem_name n = { text, strlen(text) };

	return n;
}

static uint64_t make(struct vmem_inode *dir, const char *name, uint16_t mode, uint32_t rdev,
		     struct vmem_inode *vi)
{
	struct vmem_attr attr = { .mode = mode, .rdev = rdev };

	assert_int_equal(vmem_create(dir, name_of(name), &attr, vi), 0);
	return vi->ino;
}

static uint64_t make_symlink(struct vmem_inode *dir, const char *name, size_t len)
{
	struct vmem_attr attr = { .mode = 0120777 };
	struct vmem_inode vi;
	uint64_t ino;
	char target[1000];

	memset(target, 't', sizeof(target));
	assert_int_equal(vmem_symlink(dir, name_of(name), target, len, &attr, &vi), 0);
	ino = vi.ino;
	assert_int_equal(vmem_iput(&vi), 0);
	return ino;
}

static void put_at(struct vmem_inode *vi, uint64_t off, size_t len)
{
	assert_int_equal(vmem_write(vi, off, len, fill_pattern, NULL), len);
}

static void fill_files(struct vmem_inode *root)
{
	struct vmem_inode vi, dir;
	unsigned int i;
	char name[220];

	ino_dense = make(root, "dense", 0100644, 0, &vi);
	put_at(&vi, 0, 5 * VMEM_BLOCK_SIZE);
	vmem_iput(&vi);

	/* Every second block: an extent tree with index nodes. */
	ino_sparse = make(root, "sparse", 0100600, 0, &vi);
	for (i = 0; i < NR_EXTENTS; i++)
		put_at(&vi, i * 2ull * VMEM_BLOCK_SIZE, VMEM_BLOCK_SIZE);
	vmem_iput(&vi);

	/* Long names: a directory tree with an index. */
	ino_names = make(root, "names", 0040755, 0, &dir);
	ino_linked = make(&dir, "linked", 0100644, 0, &vi);
	put_at(&vi, 0, 100);
	for (i = 0; i < NR_NAMES; i++) {
		snprintf(name, sizeof(name), "%0200u", i);
		assert_int_equal(vmem_link(&dir, name_of(name), &vi), 0);
	}
	vmem_iput(&vi);
	vmem_iput(&dir);
}

static void fill_others(struct vmem_inode *root)
{
	struct vmem_inode vi;

	ino_fifo = make(root, "fifo", 0010644, 0, &vi);
	vmem_iput(&vi);
	ino_chr = make(root, "null", 0020666, 0x103, &vi);
	vmem_iput(&vi);
	ino_short = make_symlink(root, "short", 20);
	ino_long = make_symlink(root, "long", 1000);
	ino_dir = make(root, "dir", 0040755, 0, &vi);
	vmem_iput(&vi);
	ino_freed = make(root, "freed", 0100644, 0, &vi);
	assert_int_equal(vmem_unlink(root, name_of("freed"), &vi), 0);
	assert_int_equal(vmem_iput(&vi), 0);
}

/* ---- Memory -------------------------------------------------------------- */

static uint64_t nr_allocations, fail_at, live;

uint64_t fail_allocation(uint64_t n)
{
	uint64_t before = nr_allocations;

	nr_allocations = 0;
	fail_at = n;
	return before;
}

uint64_t allocated(void)
{
	return live;
}

static void *counted_alloc(const struct vmem_env *e, size_t size)
{
	void *p = ++nr_allocations == fail_at ? NULL : calloc(1, size);

	(void)e;
	live += p ? size : 0;
	return p;
}

static void counted_free(const struct vmem_env *e, void *p, size_t size)
{
	(void)e;
	live -= size;
	free(p);
}

/* ---- Making it ----------------------------------------------------------- */

static void seeded_random(const struct vmem_env *e, void *buf, size_t len)
{
	static uint64_t x;
	uint8_t *p = buf;

	(void)e;
	for (x += seed; len; len--) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		*p++ = (uint8_t)(x >> 56);
	}
}

int make_image(void **state)
{
	/* Areas lie against each other: one that is moved a little lies over another. */
	struct vmem_mkfs_params params = { .ag_blocks = AG_BLOCKS, .label = "damage", .max_size = 1 };
	struct vmem_mount_opts opts = { .read_only = false };
	struct vmem_inode root;
	struct vmem_fs *fs;

	(void)state;
	test_env = *tool_init("test_checker", false);
	test_env.random = seeded_random;
	test_env.alloc = counted_alloc;
	test_env.free = counted_free;
	the_store.base = aligned_alloc(VMEM_BLOCK_SIZE, STORE_SIZE);
	pristine = malloc(STORE_SIZE);
	if (!the_store.base || !pristine)
		return -1;
	memset(the_store.base, 0xa5, STORE_SIZE);
	assert_int_equal(vmem_mkfs(&the_store, env, &params), 0);
	assert_int_equal(vmem_mount(&the_store, env, &opts, &fs, NULL), 0);
	assert_int_equal(vmem_iget(fs, VMEM_ROOT_INO, &root), 0);
	fill_files(&root);
	fill_others(&root);
	assert_int_equal(vmem_iput(&root), 0);
	assert_int_equal(vmem_umount(fs), 0);
	memcpy(pristine, the_store.base, STORE_SIZE);
	return 0;
}

int free_image(void **state)
{
	(void)state;
	free(the_store.base);
	free(pristine);
	return 0;
}

void restore(void)
{
	memcpy(the_store.base, pristine, STORE_SIZE);
}

/* ---- Finding structures -------------------------------------------------- */

struct vmem_superblock *superblock(void)
{
	return (struct vmem_superblock *)the_store.base;
}

uint8_t *block(uint64_t nr)
{
	return the_store.base + nr * VMEM_BLOCK_SIZE;
}

struct vmem_dinode *inode(uint64_t ino)
{
	uint32_t per_ag = vmem_get32(superblock()->inodes_per_ag);
	uint64_t meta = vmem_sb_group_meta(superblock(), (uint32_t)(ino / per_ag));

	return (struct vmem_dinode *)block(meta + 2) + ino % per_ag;
}

struct vmem_root *root_slot(bool newest)
{
	struct vmem_root *a = (struct vmem_root *)block(1), *b = (struct vmem_root *)block(2);

	return (vmem_get64(a->seq) > vmem_get64(b->seq)) == newest ? a : b;
}

uint64_t entry_block(const struct vmem_extent *e)
{
	return vmem_get64(e->w1) & ((1ull << VMEM_PBLK_BITS) - 1);
}

struct vmem_node *first_extent_node(void)
{
	return (struct vmem_node *)block(entry_block(&inode(ino_sparse)->u.ext[0]));
}

struct vmem_node *dir_index_node(void)
{
	return (struct vmem_node *)block(vmem_get64(inode(ino_names)->u.dir.root));
}

struct vmem_node *dir_leaf(unsigned int i)
{
	struct vmem_dir_index *idx = (struct vmem_dir_index *)(dir_index_node() + 1);

	return (struct vmem_node *)block(vmem_get64(idx[i].block));
}

/* An entry of a leaf that is in use, as the one behind it is, with names of the same length. */
struct vmem_dirent *some_dirent(struct vmem_node *leaf)
{
	struct vmem_dirent *de = (struct vmem_dirent *)(leaf + 1), *next;
	uint8_t *end = (uint8_t *)leaf + VMEM_BLOCK_SIZE;

	for (;; de = next) {
		next = (struct vmem_dirent *)((uint8_t *)de + vmem_get16(de->rec_len));
		if ((uint8_t *)next >= end)
			fail_msg("no two such entries in the leaf");
		if (vmem_get32(de->ino) && vmem_get32(next->ino) && de->name_len == next->name_len)
			return de;
	}
}

struct vmem_dirent *name_for(struct vmem_node *leaf, uint64_t ino)
{
	struct vmem_dirent *de = (struct vmem_dirent *)(leaf + 1);
	uint8_t *end = (uint8_t *)leaf + VMEM_BLOCK_SIZE;

	while (vmem_get32(de->ino) != ino) {
		de = (struct vmem_dirent *)((uint8_t *)de + vmem_get16(de->rec_len));
		if ((uint8_t *)de >= end)
			fail_msg("no name for inode %llu in the leaf", (unsigned long long)ino);
	}
	return de;
}

struct vmem_node *root_leaf(void)
{
	return (struct vmem_node *)block(vmem_get64(inode(VMEM_ROOT_INO)->u.dir.root));
}

void make_circle(void)
{
	struct vmem_dinode *root = inode(VMEM_ROOT_INO), *names = inode(ino_names);
	struct vmem_dirent *de = name_for(root_leaf(), ino_names);

	de->ino = vmem_le32_of(0);
	root->u.dir.nr_entries = vmem_le64_of(vmem_get64(root->u.dir.nr_entries) - 1);
	root->nlink = vmem_le32_of(vmem_get32(root->nlink) - 1);
	fix_inode(VMEM_ROOT_INO);
	de = some_dirent(dir_leaf(3));
	de->ino = vmem_le32_of(ino_names);
	de->type = 4;
	names->nlink = vmem_le32_of(3);
	names->parent = vmem_le32_of(ino_names);
	fix_inode(ino_names);
	/* One name of the hard-linked file less. */
	inode(ino_linked)->nlink = vmem_le32_of(vmem_get32(inode(ino_linked)->nlink) - 1);
	fix_inode(ino_linked);
}

/* ---- Making checksums right again ---------------------------------------- */

void fix_superblock(void)
{
	struct vmem_superblock *sb = superblock();
	uint64_t backup = vmem_get64(((struct vmem_superblock *)pristine)->backup);

	sb->csum = vmem_le32_of(vmem_superblock_csum(env->crc32c, sb));
	memcpy(block(backup), sb, sizeof(*sb));
}

void fix_root(struct vmem_root *root)
{
	root->csum = vmem_le32_of(vmem_root_csum(env->crc32c, root));
}

void fix_inode(uint64_t ino)
{
	struct vmem_dinode *di = inode(ino);

	di->csum = vmem_le32_of(vmem_inode_csum(env->crc32c, di, ino));
}

/* ---- Repair -------------------------------------------------------------- */

uint64_t victim, stores;
char last_report[512], all_reports[8192];
static char first_reports[sizeof(all_reports)];

static void on_report(void *ctx, const char *fmt, va_list ap)
{
	size_t len = strlen(all_reports);

	(void)ctx;
	vsnprintf(last_report, sizeof(last_report), fmt, ap);
	snprintf(all_reports + len, sizeof(all_reports) - len, "%s\n", last_report);
}

void ignore_report(void *ctx, const char *fmt, va_list ap)
{
	(void)ctx;
	(void)fmt;
	(void)ap;
}

static void count_store(struct vmem_store *s, const void *addr, size_t len)
{
	(void)s;
	(void)addr;
	(void)len;
	stores++;
}

static void no_drain(struct vmem_store *s)
{
	(void)s;
}

int repair_image(struct vmem_repair_result *r)
{
	struct vmem_store copy = the_store;
	struct vmem_repair_params params = {
		.store = &copy, .env = env, .domain = VMEM_DOMAIN_GUEST, .report = on_report,
	};

	copy.backing = VMEM_BACKING_DAX;
	copy.writeback = count_store;
	copy.drain = no_drain;
	copy.flush = NULL;
	stores = 0;
	last_report[0] = 0;
	all_reports[0] = 0;
	return vmem_repair(&params, r);
}

static size_t hash_bytes(void *ctx, void *addr, size_t len)
{
	uint32_t *crc = ctx;

	*crc = env->crc32c(*crc, addr, len);
	return len;
}

static int hash_xattr(void *ctx, unsigned int index, struct vmem_name name)
{
	uint32_t *crc = ctx;

	*crc = env->crc32c(*crc, &index, sizeof(index));
	*crc = env->crc32c(*crc, name.name, name.len);
	return 0;
}

uint32_t xattr_digest(struct vmem_inode *vi)
{
	static const char *const names[] = { "comment", "large", "larger", "selinux", "capability" };
	static uint8_t value[VMEM_XATTR_MAX_VALUE];
	uint32_t crc = 0;
	unsigned int i, index;

	vmem_listxattr(vi, hash_xattr, &crc);
	for (index = 1; index <= 5; index++)
		for (i = 0; i < (index > 3 ? 1 : sizeof(names) / sizeof(names[0])); i++) {
			int64_t len = vmem_getxattr(vi, index, name_of(index > 3 ? "" : names[i]), value,
						    sizeof(value));

			if (len > 0)
				crc = env->crc32c(crc, value, (size_t)len);
		}
	return crc;
}

/* What an inode is and holds, in one number. */
static uint32_t digest(struct vmem_fs *fs, uint64_t ino)
{
	struct vmem_inode vi;
	struct vmem_attr attr;
	char target[1024];
	uint32_t crc = 0;
	int len;

	if (vmem_iget(fs, ino, &vi))
		return 0;
	vmem_getattr(&vi, &attr);
	crc = env->crc32c(crc, &attr.mode, sizeof(attr.mode));
	crc = env->crc32c(crc, &attr.rdev, sizeof(attr.rdev));
	crc ^= xattr_digest(&vi);
	if ((attr.mode & 0170000) == 0040000)
		return crc;
	crc = env->crc32c(crc, &attr.size, sizeof(attr.size));
	if ((attr.mode & 0170000) == 0100000)
		vmem_read(&vi, 0, (size_t)attr.size, hash_bytes, &crc);
	len = vmem_readlink(&vi, target, sizeof(target));
	if (len > 0)
		crc = env->crc32c(crc, target, (size_t)len);
	return crc;
}

static bool leads_to(struct vmem_fs *fs, uint64_t dir, const char *name, uint64_t ino)
{
	struct vmem_inode vi;
	uint64_t found = 0;

	return !vmem_iget(fs, dir, &vi) && !vmem_lookup(&vi, name_of(name), &found, NULL) &&
	       found == ino;
}

/* What is not as it was; NULL: nothing but the victim. */
const char *lost_thing(void)
{
	const struct { const char *name; uint64_t dir, ino; } all[] = {
		{ "dense", 1, ino_dense }, { "sparse", 1, ino_sparse }, { "names", 1, ino_names },
		{ "linked", ino_names, ino_linked }, { "fifo", 1, ino_fifo }, { "null", 1, ino_chr },
		{ "short", 1, ino_short }, { "long", 1, ino_long }, { "dir", 1, ino_dir },
	};
	static uint32_t was[sizeof(all) / sizeof(all[0])];
	struct vmem_mount_opts opts = { .no_recovery = true };
	const char *lost = NULL;
	struct vmem_fs *fs;
	char name[220];
	unsigned int i;

	if (vmem_mount(&the_store, env, &opts, &fs, NULL))
		return "the mount";
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		uint32_t is = victim == all[i].ino ? 0 : digest(fs, all[i].ino);

		if (!was[i])	/* the first call */
			was[i] = is;	/* of the sound image */
		if (victim != all[i].ino && is != was[i])
			lost = all[i].name;
		if (victim != all[i].ino && victim != all[i].dir &&
		    !leads_to(fs, all[i].dir, all[i].name, all[i].ino))
			lost = all[i].name;
	}
	for (i = 0; i < NR_NAMES && victim != ino_names && !lost; i++) {
		snprintf(name, sizeof(name), "%0200u", i);
		if (!leads_to(fs, ino_names, name, ino_linked))
			lost = "one of many names";
	}
	vmem_umount(fs);
	return lost;
}

void expect_sound_repair(const char *what)
{
	struct vmem_repair_result r;
	const char *lost;
	int err = repair_image(&r);

	if (err)
		fail_msg("%s: the repair gave %d:\n%s", what, err, all_reports);
	assert_int_equal(allocated(), 0);
	if (check_image())
		fail_msg("%s: after the repair: %s", what, first_problem);
	lost = lost_thing();
	if (lost)
		fail_msg("%s: the repair lost %s:\n%s", what, lost, all_reports);
	memcpy(first_reports, all_reports, sizeof(all_reports));
	if (repair_image(&r) || stores)
		fail_msg("%s: a second repair changed something: %s", what, last_report);
	memcpy(all_reports, first_reports, sizeof(all_reports));
}

int learn_image(void **state)
{
	if (make_image(state))
		return -1;
	assert_null(lost_thing());
	return 0;
}

/* ---- Expectations -------------------------------------------------------- */

void expect_found(const char *words)
{
	if (check_image() <= 0 || !strstr(all_problems, words))
		fail_msg("not found: %s; but: %s", words, all_problems);
}

void expect_sound(const char *what)
{
	if (check_image())
		fail_msg("%s: %s", what, all_problems);
}

void expect_report(const char *words)
{
	if (!strstr(all_reports, words))
		fail_msg("not reported: %s; but: %s", words, all_reports);
}

void expect_repair_of(uint64_t ino, const char *words)
{
	victim = ino;
	expect_found(words);
	expect_sound_repair(words);
}

void expect_repair(uint64_t ino, const char *words)
{
	expect_repair_of(ino, words);
	restore();
}

void expect_refusal(const char *words)
{
	struct vmem_repair_result r;
	int err = repair_image(&r);

	if (err != -EUCLEAN || !strstr(last_report, "refused") || !strstr(last_report, words))
		fail_msg("not refused (%d): %s; but: %s", err, words, all_reports);
	assert_int_equal(allocated(), 0);
	restore();
}

uint64_t find_name(uint64_t dir, const char *name)
{
	struct vmem_mount_opts opts = { .no_recovery = true };
	struct vmem_inode vi;
	struct vmem_fs *fs;
	uint64_t ino = 0;

	assert_int_equal(vmem_mount(&the_store, env, &opts, &fs, NULL), 0);
	assert_int_equal(vmem_iget(fs, dir, &vi), 0);
	if (vmem_lookup(&vi, name_of(name), &ino, NULL))
		ino = 0;
	vmem_umount(fs);
	return ino;
}

/* ---- Making more of it --------------------------------------------------- */

struct vmem_ag_desc *desc(uint32_t ag)
{
	return (struct vmem_ag_desc *)block(VMEM_DESC_START) + ag;
}

uint64_t free_run(uint64_t *start)
{
	uint64_t nr = STORE_SIZE / VMEM_BLOCK_SIZE, i, run = 0, best = 0;
	uint32_t ag_blocks = vmem_get32(superblock()->ag_blocks);

	for (i = 0; i < nr; i++) {
		const uint8_t *map = block(vmem_sb_group_meta(superblock(), (uint32_t)(i / ag_blocks)));
		uint64_t bit = i % ag_blocks;

		run = map[bit / 8] >> bit % 8 & 1 ? 0 : run + 1;
		if (!bit && run)
			run = 1;
		if (run > best) {
			best = run;
			*start = i + 1 - run;
		}
	}
	return best;
}

/* A free block, which is used from now on. */
static uint64_t take_block(void)
{
	uint64_t start = 0, bit;
	uint32_t ag;

	assert_true(free_run(&start) > 0);
	ag = (uint32_t)(start / vmem_get32(superblock()->ag_blocks));
	bit = start % vmem_get32(superblock()->ag_blocks);
	block(vmem_sb_group_meta(superblock(), ag))[bit / 8] |= (uint8_t)(1u << bit % 8);
	desc(ag)->free_blocks = vmem_le32_of(vmem_get32(desc(ag)->free_blocks) - 1ull);
	return start;
}

uint64_t make_node(uint32_t magic, uint64_t ino, uint32_t level, const void *entries, uint32_t nr)
{
	uint64_t at = take_block();
	struct vmem_node *node = (struct vmem_node *)block(at);

	memset(node, 0, VMEM_BLOCK_SIZE);
	node->magic = vmem_le32_of(magic);
	node->level = vmem_le16_of(level);
	node->count = vmem_le16_of(nr);
	node->owner = vmem_le64_of(ino);
	node->self = vmem_le64_of(at);
	memcpy(node + 1, entries, nr * 16);
	return at;
}

void add_blocks(uint64_t ino, int64_t nr)
{
	struct vmem_dinode *di = inode(ino);

	di->blocks = vmem_le64_of(vmem_get64(di->blocks) + (uint64_t)nr);
	if (ino == ino_names)
		di->size = vmem_le64_of(vmem_get64(di->blocks) * VMEM_BLOCK_SIZE);
	fix_inode(ino);
}
