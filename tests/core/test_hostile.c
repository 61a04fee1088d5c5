// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * test_hostile.c - images that somebody damaged, or made to do harm
 *
 * Whatever the bytes: no fault, no sanitizer finding, no endless loop, and
 * what is not an error is used a little.  SEED, RANDOM_SECONDS and RANDOM_SEEDS as for the
 * random tests.
 */
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include <sanitizer/common_interface_defs.h>
#pragma weak __sanitizer_set_death_callback	/* built without one, too */
#include "fixture.h"
#include "medium/hash.h"
#include "fs/fs.h"

#define STORE_SIZE	(4 * MiB)
#define HANG_SECONDS	60

/* ---- A populated image ---- */

static void populate(struct ctx *c, bool dirty)
{
	struct vmem_attr attr = { .mode = 0777 };
	struct vmem_inode vi, dir;
	char name[64];
	unsigned int i;

	make(&c->root, "dir", S_DIR, &dir);
	for (i = 0; i < 120; i++) {
		snprintf(name, sizeof(name), "a rather long name, so that leaves split %u", i);
		make(&dir, name, S_FILE, &vi);
		put(&vi);
	}
	make(&c->root, "deep", S_FILE, &vi);
	for (i = 0; i < 300; i++)
		write_pattern(&vi, 2ull * i * BLOCK, 10, 1);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	write_pattern(&vi, 600 * BLOCK, 100, 1);
	put(&vi);
	memset(name, 't', sizeof(name));
	assert_int_equal(vmem_symlink(&c->root, N("short"), name, 60, &attr, &vi), 0);
	put(&vi);
	assert_int_equal(vmem_symlink(&c->root, N("long"), (const char *)c->sim->now, 1, &attr, &vi), 0);
	put(&vi);
	make(&c->root, "open", S_FILE, &vi);
	write_pattern(&vi, 0, 50000, 1);
	assert_int_equal(vmem_unlink(&c->root, N("open"), &vi), 0);
	if (!dirty)
		put(&vi);
	put(&dir);
}

/* The image as bytes: unmounted, or as a killed guest leaves it. */
static uint8_t *populated(bool dirty)
{
	struct ctx c;
	uint8_t *image = malloc(STORE_SIZE);

	up(&c, VMEM_DOMAIN_HOST, STORE_SIZE, 0);
	if (dirty) {
		populate(&c, true);
		fail_now(&c, SIM_GUEST);
	} else {
		populate(&c, false);
		down(&c);
	}
	memcpy(image, c.sim->now, STORE_SIZE);
	sim_free(c.sim);
	return image;
}

/* ---- Damage ---- */

static struct vmem_superblock intact;	/* of the image before it was damaged */

static void seal_super(uint8_t *image)
{
	struct vmem_superblock *sb = (void *)image;

	sb->csum = vmem_le32_of(vmem_superblock_csum(vmem_crc32c, sb));
}

static void seal_root(uint8_t *image, unsigned int slot)
{
	struct vmem_root *r = (void *)(image + (1 + slot) * BLOCK);

	r->csum = vmem_le32_of(vmem_root_csum(vmem_crc32c, r));
}

static uint64_t odd_value(struct sim *sim, uint64_t old)
{
	static const uint64_t odd[] = { 0, 1, 2, 7, 255, 4095, 4096, 65535, 65536, UINT32_MAX,
					1ull << 40, INT64_MAX, UINT64_MAX };

	switch (sim_random(sim, 4)) {
	case 0:
		return odd[sim_random(sim, sizeof(odd) / sizeof(odd[0]))];
	case 1:
		return old ^ 1ull << sim_random(sim, 64);
	case 2:
		return old + sim_random(sim, 5) - 2;
	default:
		return sim_random(sim, UINT64_MAX);
	}
}

static void change_field(struct sim *sim, uint8_t *at)
{
	static const unsigned int sizes[] = { 1, 2, 4, 8 };
	unsigned int size = sizes[sim_random(sim, 4)];
	uint64_t v = 0;

	memcpy(&v, at, size);
	v = odd_value(sim, v);
	memcpy(at, &v, size);
}

/* An inode of group 0, sealed again. */
static void damage_inode(struct sim *sim, uint8_t *image)
{
	uint64_t ino = 1 + sim_random(sim, 8);
	uint8_t *at = image + (vmem_get64(intact.agmeta0) + 2) * BLOCK + ino * VMEM_INODE_SIZE;
	struct vmem_dinode *n = (void *)at;

	change_field(sim, at + 4 + sim_random(sim, 31) * 8 % 240);
	n->csum = vmem_le32_of(vmem_inode_csum(vmem_crc32c, n, ino));
}

/* A node of a directory or an extent tree; nodes have no checksum. */
static void damage_node(struct sim *sim, uint8_t *image)
{
	uint64_t nr = STORE_SIZE / BLOCK, first = sim_random(sim, nr), i;

	for (i = 0; i < nr; i++) {
		uint8_t *at = image + (first + i) % nr * BLOCK;
		uint32_t magic;

		memcpy(&magic, at, 4);
		if (magic != VMEM_DIR_LEAF_MAGIC && magic != VMEM_DIR_INDEX_MAGIC &&
		    magic != VMEM_EXT_NODE_MAGIC)
			continue;
		change_field(sim, at + sim_random(sim, 2) * 4 + sim_random(sim, 500) * 8);
		return;
	}
}

/* A record of the log, sealed again. */
static void damage_log(struct sim *sim, uint8_t *image)
{
	struct vmem_root *r0 = (void *)(image + BLOCK), *r1 = (void *)(image + 2 * BLOCK);
	struct vmem_root *r = vmem_get64(r0->seq) > vmem_get64(r1->seq) ? r0 : r1;
	uint64_t start = vmem_get64(intact.log_start) * BLOCK;
	uint64_t size = vmem_get64(intact.log_blocks) * BLOCK;
	uint64_t lsn = vmem_get64(r->tail), skip = sim_random(sim, 60);

	while (lsn % VMEM_REC_ALIGN == 0) {
		struct vmem_rec *rec = (void *)(image + start + lsn % size);
		uint32_t len = vmem_get32(rec->len);

		if (vmem_get64(rec->lsn) != lsn ||
		    len < 64 || len > VMEM_REC_MAX || len > size - lsn % size)
			return;
		if (!skip--) {
			change_field(sim, (uint8_t *)rec + 12 + sim_random(sim, (len - 20) / 4) * 4);
			if (vmem_get32(rec->len) <= size - lsn % size && vmem_get32(rec->len) >= 32)
				rec->csum = vmem_le32_of(vmem_rec_csum(vmem_crc32c,
					vmem_get32(r->log_seed), rec, vmem_get32(rec->len)));
			return;
		}
		lsn += len;
	}
}

static void damage(struct sim *sim, uint8_t *image)
{
	unsigned int nr = 1 + (unsigned int)sim_random(sim, 4), i;

	for (i = 0; i < nr; i++) {
		switch (sim_random(sim, 8)) {
		case 0:
			change_field(sim, image + 16 + sim_random(sim, 20) * 8);
			seal_super(image);
			break;
		case 1:
			change_field(sim, image + (1 + sim_random(sim, 2)) * BLOCK + 12 +
				     sim_random(sim, 12) * 8);
			seal_root(image, 0);
			seal_root(image, 1);
			break;
		case 2:
		case 3:
			damage_inode(sim, image);
			break;
		case 4:
		case 5:
			damage_node(sim, image);
			break;
		case 6:
			damage_log(sim, image);
			break;
		default:
			change_field(sim, image + sim_random(sim, STORE_SIZE - 8));
		}
	}
}

/* ---- Use ---- */

struct visit {
	struct ctx *c;
	uint64_t ino[256];
	unsigned int nr;
};

static int note(void *ctx, const char *name, size_t len, uint64_t ino, unsigned int type,
		uint64_t cookie)
{
	struct visit *v = ctx;

	(void)type;
	(void)cookie;
	if (len && name[0] != '.' && v->nr < 256)
		v->ino[v->nr++] = ino;
	return v->nr == 256;
}

static void use_file(struct ctx *c, struct vmem_inode *vi)
{
	static uint8_t buf[300000];
	uint64_t size = vmem_size(vi);

	read_at(vi, 0, buf, sizeof(buf));
	read_at(vi, size > 1000 ? size - 1000 : 0, buf, 1000);
	vmem_seek(vi, 0, false);
	vmem_readlink(vi, (char *)buf, sizeof(buf));
	if (sim_random(c->sim, 2)) {
		write_at(vi, sim_random(c->sim, 100000), buf, 5000);
		write_at(vi, size, buf, 100);
		vmem_truncate(vi, sim_random(c->sim, 1000000));
		vmem_fsync(vi, false);
	}
}

static void visit_inode(struct ctx *c, uint64_t ino)
{
	struct visit *v = calloc(1, sizeof(*v));
	struct vmem_inode vi;
	uint64_t cookie = 0;
	unsigned int i;

	if (ino == VMEM_ROOT_INO || vmem_iget(c->fs, ino, &vi)) {
		free(v);
		return;
	}
	use_file(c, &vi);
	v->c = c;
	vmem_readdir(&vi, &cookie, note, v);
	for (i = 0; i < v->nr; i++) {
		struct vmem_inode child;

		if (v->ino[i] == ino || v->ino[i] == VMEM_ROOT_INO ||
		    vmem_iget(c->fs, v->ino[i], &child))
			continue;
		use_file(c, &child);
		vmem_iput(&child);
	}
	vmem_iput(&vi);
	free(v);
}

static void change_names(struct ctx *c)
{
	struct vmem_inode vi;
	uint64_t ino;
	unsigned int i;
	char name[300];

	for (i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "%0200u", i);
		if (!try_make(&c->root, name, i % 4 ? S_FILE : S_DIR, &vi))
			vmem_iput(&vi);
	}
	if (!vmem_lookup(&c->root, N("deep"), &ino, NULL) && ino != VMEM_ROOT_INO &&
	    !vmem_iget(c->fs, ino, &vi)) {
		vmem_rename(&c->root, N("deep"), &vi, &c->root, N("moved"), NULL, 0);
		vmem_unlink(&c->root, N("moved"), &vi);
		vmem_iput(&vi);
	}
}

static void use_image(struct ctx *c)
{
	struct vmem_mount_opts opts = { .check = sim_random(c->sim, 2) };
	struct visit *v = calloc(1, sizeof(*v));
	uint64_t cookie = 0;
	unsigned int i;

	sim_check(c->sim);
	c->fs = NULL;
	if (!try_mount(c, &opts)) {
		if (!vmem_iget(c->fs, VMEM_ROOT_INO, &c->root)) {
			vmem_readdir(&c->root, &cookie, note, v);
			for (i = 0; i < v->nr; i++)
				visit_inode(c, v->ino[i]);
			for (i = 2; i < 12; i++)
				visit_inode(c, i);
			change_names(c);
			vmem_sync(c->fs);
			vmem_checkpoint(c->fs);
			vmem_iput(&c->root);
		}
		vmem_umount(c->fs);
	}
	assert_int_equal(c->sim->live, 0);
	free(v);
}

static volatile uint64_t running_seed;

/* Called when the process dies or hangs: async-signal-safe. */
static void tell_seed(int sig)
{
	char text[] = "\n# hostile: seed 00000000000000000000\n";
	uint64_t v = running_seed;
	size_t i = sizeof(text) - 3;

	for (; v; v /= 10)
		text[i--] = (char)('0' + v % 10);
	(void)!write(2, text, sizeof(text) - 1);
	if (sig)
		_exit(3);
}

static void tell_seed_at_death(void)
{
	tell_seed(0);
}

static void damaged_images_do_no_harm(bool dirty)
{
	const char *s = getenv("SEED"), *t = getenv("RANDOM_SECONDS"), *n = getenv("RANDOM_SEEDS");
	uint64_t seed = s ? strtoull(s, NULL, 0) : (uint64_t)time(NULL), first = seed;
	uint64_t least = n ? 8 * strtoull(n, NULL, 0) : 1;
	time_t end = time(NULL) + (t ? atoi(t) : 20) / 4;
	uint8_t *image = populated(dirty);

	memcpy(&intact, image, sizeof(intact));
	do {
		struct ctx c = { .sim = sim_new(STORE_SIZE, VMEM_BACKING_PAGE_CACHE, seed) };

		running_seed = seed;
		c.sim->quiet = true;
		alarm(HANG_SECONDS);
		memcpy(c.sim->now, image, STORE_SIZE);
		if (sim_random(c.sim, 2))
			c.sim->store.generation[0]++;
		damage(c.sim, c.sim->now);
		use_image(&c);
		sim_free(c.sim);
		seed++;
	} while (time(NULL) < end || seed - first < least);
	alarm(0);
	free(image);
	printf("# %llu images, seeds from %llu\n", (unsigned long long)(seed - first),
		(unsigned long long)first);
}

static void damaged_unmounted_images_do_no_harm(void **state)
{
	(void)state;
	damaged_images_do_no_harm(false);
}

static void damaged_images_of_a_killed_guest_do_no_harm(void **state)
{
	(void)state;
	damaged_images_do_no_harm(true);
}

/* ---- What is damage, whatever else there is ---- */

static void end_damaged(struct ctx *c)
{
	vmem_iput(&c->root);
	vmem_umount(c->fs);
	assert_int_equal(c->sim->live, 0);
	sim_free(c->sim);
}

static void an_extent_that_leaves_its_group_is_damage(void **state)
{
	struct vmem_dinode *n;
	struct vmem_inode vi;
	uint8_t byte;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 64 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	write_pattern(&vi, 0, 3 * BLOCK, 1);
	put(&vi);
	down(&c);
	memcpy(&intact, c.sim->now, sizeof(intact));
	n = (void *)(c.sim->now + (vmem_get64(intact.agmeta0) + 2) * BLOCK + vi.ino * VMEM_INODE_SIZE);
	assert_int_equal(vmem_get32(n->csum), vmem_inode_csum(vmem_crc32c, n, vi.ino));
	n->u.ext[0].w1 = vmem_le64_of(vmem_get32(intact.ag_blocks) - 1);
	n->csum = vmem_le32_of(vmem_inode_csum(vmem_crc32c, n, vi.ino));
	c.sim->quiet = true;
	again(&c);
	open_name(&c.root, "file", &vi);
	assert_int_equal(read_at(&vi, 0, &byte, 1), -EFSCORRUPTED);
	vmem_iput(&vi);
	end_damaged(&c);
}

static void a_group_whose_count_does_not_fit_its_bitmap_is_damage(void **state)
{
	struct vmem_ag_desc *desc;
	struct vmem_inode vi;
	int64_t done;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	down(&c);
	memcpy(&intact, c.sim->now, sizeof(intact));
	desc = (void *)(c.sim->now + vmem_get64(intact.desc_start) * BLOCK);
	desc->free_blocks = vmem_le32_of(vmem_get32(desc->free_blocks) - 1);
	c.sim->quiet = true;
	again(&c);
	done = try_make(&c.root, "file", S_FILE, &vi);
	if (!done) {
		done = write_at(&vi, 0, "x", 1);
		vmem_iput(&vi);
	}
	assert_int_equal(done, -EFSCORRUPTED);
	end_damaged(&c);
}

/* The last delta of the log's first operation that has bytes; *room: up to the record's end. */
static struct vmem_delta *last_delta(uint8_t *image, struct vmem_rec **rec, uint32_t *room)
{
	const struct vmem_root *r0 = (void *)(image + BLOCK), *r1 = (void *)(image + 2 * BLOCK);
	const struct vmem_root *r = vmem_get64(r0->seq) > vmem_get64(r1->seq) ? r0 : r1;
	struct vmem_delta *found = NULL;
	uint32_t at = sizeof(**rec), i;

	*rec = (void *)(image + vmem_get64(intact.log_start) * BLOCK +
			vmem_get64(r->tail) % (vmem_get64(intact.log_blocks) * BLOCK));
	assert_int_equal(vmem_get16((*rec)->type), VMEM_REC_OP);
	for (i = 0; i < vmem_get16((*rec)->nr_deltas); i++) {
		struct vmem_delta *d = (void *)((uint8_t *)*rec + at);
		uint64_t kind = vmem_get64(d->where) >> 56;

		at += sizeof(*d);
		if (kind == VMEM_D_BYTES) {
			found = d;
			*room = vmem_get32((*rec)->len) - at;
		}
		if (kind == VMEM_D_BYTES || kind == VMEM_D_DATA)
			at += (vmem_get32(d->len) + 7) & ~7u;
	}
	assert_non_null(found);
	return found;
}

static void a_record_with_a_delta_that_leads_elsewhere_is_damage(void **state)
{
	struct vmem_mount_opts opts = { .domain = VMEM_DOMAIN_HOST };
	const struct vmem_root *root;
	struct vmem_delta *d, sound;
	struct vmem_rec *rec;
	struct vmem_inode vi;
	unsigned int i;
	uint32_t room;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, STORE_SIZE, 0);
	make(&c.root, "file", S_FILE, &vi);
	fail_now(&c, SIM_GUEST);
	memcpy(&intact, c.sim->now, sizeof(intact));
	d = last_delta(c.sim->now, &rec, &room);
	sound = *d;
	root = (void *)(c.sim->now + BLOCK);
	c.sim->quiet = true;
	for (i = 0; i < 3; i++) {
		*d = sound;
		if (i == 0)	/* into the log */
			d->where = vmem_le64_of((uint64_t)VMEM_D_BYTES << 56 | vmem_get64(intact.log_start) * BLOCK);
		else if (i == 1)	/* into a root */
			d->where = vmem_le64_of((uint64_t)VMEM_D_BYTES << 56 | BLOCK);
		else	/* its bytes go beyond the record */
			d->len = vmem_le32_of(room + 8);
		rec->csum = vmem_le32_of(vmem_rec_csum(vmem_crc32c, vmem_get32(root->log_seed), rec,
						       vmem_get32(rec->len)));
		assert_int_equal(try_mount(&c, &opts), -EFSCORRUPTED);
	}
	assert_int_equal(c.sim->live, 0);
	sim_free(c.sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damaged_unmounted_images_do_no_harm),
		cmocka_unit_test(damaged_images_of_a_killed_guest_do_no_harm),
		cmocka_unit_test(an_extent_that_leaves_its_group_is_damage),
		cmocka_unit_test(a_group_whose_count_does_not_fit_its_bitmap_is_damage),
		cmocka_unit_test(a_record_with_a_delta_that_leads_elsewhere_is_damage),
	};

	signal(SIGALRM, tell_seed);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(tell_seed_at_death);
	return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
