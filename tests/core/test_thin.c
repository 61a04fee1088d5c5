// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* test_thin.c - a host that may have no room: provisioning, a full host, discarding */
#include "fixture.h"
#include "fs/fs.h"
#include "space/space_internal.h"

#define CHUNK		(2 * MiB)
#define MAX_BLOCKS	8192u

/* The host's file: which blocks it has room for, and how many it can have. */
static struct {
	struct sim *sim;
	void (*recorded)(struct vmem_store *store, uint64_t off, size_t len);
	bool has[MAX_BLOCKS];
	uint64_t nr, limit;
	unsigned int provisions, refused, discards;
	unsigned int breaks_after;	/* refused so often, the next request fails otherwise; 0: never */
	uint64_t discarded;
	bool keeps;			/* it cannot take room back */
	uint64_t homeless;		/* stores to blocks that it has no room for */
	bool counts;			/* stores are being watched */
} host;

static int host_provision(struct vmem_store *store, uint64_t off, uint64_t len)
{
	uint64_t first = off / BLOCK, end = (off + len) / BLOCK, b, more = 0;

	assert_true(off % BLOCK == 0 && len && len % BLOCK == 0 && end <= store->size / BLOCK);
	host.provisions++;
	for (b = first; b < end; b++)
		more += !host.has[b];
	if (host.nr + more > host.limit) {
		host.refused++;
		return host.refused == host.breaks_after ? -EIO : -ENOSPC;
	}
	for (b = first; b < end; b++)
		host.has[b] = true;
	host.nr += more;
	return 0;
}

/* On the medium at once: the worst that it can do. */
static int host_discard(struct vmem_store *store, const struct vmem_range *ranges, unsigned int nr)
{
	unsigned int i;

	host.discards++;
	if (host.keeps)
		return -EOPNOTSUPP;
	host.counts = false;
	for (i = 0; i < nr; i++) {
		uint64_t b = ranges[i].offset / BLOCK, end = b + ranges[i].length / BLOCK;

		assert_true(ranges[i].length && end <= store->size / BLOCK);
		host.discarded += ranges[i].length;
		memset(host.sim->now + ranges[i].offset, 0, ranges[i].length);
		memset(host.sim->durable + ranges[i].offset, 0, ranges[i].length);
		if (store->backing != VMEM_BACKING_DAX)
			sim_stored(host.sim, ranges[i].offset, ranges[i].length);
		for (; b < end; b++) {
			host.nr -= host.has[b];
			host.has[b] = false;
		}
	}
	host.counts = true;
	return 0;
}

static void host_recorded(struct vmem_store *store, uint64_t off, size_t len)
{
	uint64_t b;

	for (b = off / BLOCK; host.counts && b <= (off + len - 1) / BLOCK; b++)
		host.homeless += !host.has[b];
	host.recorded(store, off, len);
}

/* A copy that left out blocks of zeros, or a host that lost what was merely provisioned. */
static void only_what_is_written(void)
{
	static const uint8_t zeros[BLOCK];
	uint64_t b;

	host.nr = 0;
	for (b = 0; b < host.sim->size / BLOCK; b++) {
		host.has[b] = memcmp(host.sim->now + b * BLOCK, zeros, BLOCK);
		host.nr += host.has[b];
	}
}

static void thin_up(struct ctx *c, enum vmem_domain domain, uint64_t size)
{
	uint64_t trimmed;

	up(c, domain, size, 0);
	memset(&host, 0, sizeof(host));
	host.sim = c->sim;
	host.limit = size / BLOCK;
	host.recorded = c->sim->store.recorded;
	/* The simulated store is full of rubbish at first. */
	c->sim->store.discard = host_discard;
	assert_int_equal(vmem_trim(c->fs, 0, size, 0, &trimmed), 0);
	down(c);
	only_what_is_written();
	host.discards = 0;
	host.keeps = false;
	host.discarded = 0;
	host.counts = true;
	c->sim->store.provision = host_provision;
	c->sim->store.recorded = host_recorded;
	again(c);
}

static void thin_finish(struct ctx *c)
{
	assert_int_equal(host.homeless, 0);
	down(c);
	assert_int_equal(host.homeless, 0);
	c->sim->store.recorded = host.recorded;
	sim_free(c->sim);
}

static void write_file(struct ctx *c, const char *name, size_t len, unsigned int seed)
{
	struct vmem_inode vi;

	make(&c->root, name, S_FILE, &vi);
	write_pattern(&vi, 0, len, seed);
	put(&vi);
}

/* ---- Provisioning ---- */

static void some_operation(struct ctx *c, unsigned int i)
{
	struct vmem_attr attr = { .mode = 0777 };
	struct vmem_inode vi;
	struct vmem_map map;
	char name[32], target[1000];

	snprintf(name, sizeof(name), "name%u", i);
	memset(target, 'x', sizeof(target));
	switch (sim_random(c->sim, 6)) {
	case 0:
		assert_int_equal(vmem_symlink(&c->root, N(name), target, sizeof(target), &attr, &vi), 0);
		break;
	case 1:
		make(&c->root, name, S_DIR, &vi);
		break;
	case 2:
		make(&c->root, name, S_FILE, &vi);
		assert_int_equal(vmem_truncate(&vi, 640 * BLOCK), 0);
		assert_int_equal(vmem_map_write(&vi, sim_random(c->sim, 600), 40, &map), 0);
		break;
	default:
		make(&c->root, name, S_FILE, &vi);
		write_pattern(&vi, sim_random(c->sim, 9000), sim_random(c->sim, 40000), i);
		assert_int_equal(vmem_truncate(&vi, sim_random(c->sim, 50000)), 0);
		write_pattern(&vi, 60000, 100, i);
		assert_int_equal(vmem_fsync(&vi, false), 0);
	}
	put(&vi);
	if (i > 10) {
		snprintf(name, sizeof(name), "name%u", i - 10);
		if (exists(&c->root, name)) {
			open_name(&c->root, name, &vi);
			if (!vmem_is_dir(&vi.raw))
				assert_int_equal(vmem_unlink(&c->root, N(name), &vi), 0);
			put(&vi);
		}
	}
}

static void every_store_goes_where_the_host_has_room(void **state)
{
	enum vmem_domain domain = domain_of(state);
	unsigned int round, i;
	struct ctx c;

	thin_up(&c, domain, 32 * MiB);
	for (round = 0; round < 8; round++) {
		for (i = 0; i < 60; i++)
			some_operation(&c, round * 100 + i);
		fail_now(&c, (enum sim_failure)domain);
		only_what_is_written();
		again(&c);
		assert_int_equal(host.homeless, 0);
	}
	thin_finish(&c);
}

static void a_used_chunk_is_not_provisioned_again(void **state)
{
	struct vmem_inode vi;
	unsigned int i, before;
	struct ctx c;

	thin_up(&c, domain_of(state), 16 * MiB);
	make(&c.root, "file", S_FILE, &vi);
	write_pattern(&vi, 0, 8 * BLOCK, 1);
	before = host.provisions;
	for (i = 8; i < 60; i++) {
		write_pattern(&vi, i * BLOCK, BLOCK, 1);
		write_pattern(&vi, 0, BLOCK, 1);
		assert_int_equal(vmem_fsync(&vi, false), 0);
	}
	assert_int_equal(host.provisions, before);
	put(&vi);
	thin_finish(&c);
}

/* ---- A full host ---- */

static void a_full_host_is_an_error_of_the_call_and_nothing_else(void **state)
{
	struct vmem_inode old, vi;
	struct ctx c;

	thin_up(&c, domain_of(state), 32 * MiB);
	make(&c.root, "old", S_FILE, &old);
	write_pattern(&old, 0, 3 * MiB, 1);
	make(&c.root, "file", S_FILE, &vi);
	host.limit = host.nr;
	assert_int_equal(fill_store(&vi, 0) < 6 * MiB / BLOCK, true);
	assert_true(host.refused > 0);
	assert_int_equal(vmem_fsync(&vi, false), 0);

	/* What is there can be read, changed, made durable and removed. */
	write_pattern(&old, 1000, 1 * MiB, 2);
	assert_int_equal(vmem_fsync(&old, false), 0);
	expect_pattern(&old, 1000, 1 * MiB, 2);
	put(&vi);
	unlink_name(&c.root, "file");
	assert_int_equal(vmem_sync(c.fs), 0);
	assert_int_equal(vmem_checkpoint(c.fs), 0);

	/* Room that it has already is used again, ... */
	make(&c.root, "again", S_FILE, &vi);
	write_pattern(&vi, 0, 100000, 3);
	/* ... and all of it once the host has room. */
	assert_int_equal(write_at(&vi, 100000, host.sim->now, 10 * MiB) < (int64_t)(10 * MiB), true);
	host.limit = host.sim->size / BLOCK;
	write_pattern(&vi, 0, 10 * MiB, 4);
	expect_pattern(&vi, 0, 10 * MiB, 4);
	expect_pattern(&old, 1000, 1 * MiB, 2);
	put(&vi);
	put(&old);
	thin_finish(&c);
}

static void a_mount_does_not_need_more_than_it_had(void **state)
{
	struct ctx c;

	thin_up(&c, domain_of(state), 32 * MiB);
	write_file(&c, "file", 3 * MiB, 1);
	assert_int_equal(vmem_sync(c.fs), 0);
	host.limit = host.nr;
	fail_and_mount(&c, SIM_GUEST);
	assert_true(exists(&c.root, "file"));
	thin_finish(&c);
}

/* Nobody remembers then which chunks are provisioned, and some are only in part. */
static void after_a_mount_a_full_host_still_has_what_it_had(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	thin_up(&c, domain_of(state), 32 * MiB);
	write_file(&c, "keep", 700000, 1);
	write_file(&c, "drop", 700000, 2);
	write_file(&c, "hole", 300000, 3);
	down(&c);
	only_what_is_written();
	again(&c);
	host.limit = host.nr;
	open_name(&c.root, "keep", &vi);
	write_pattern(&vi, 0, 700000, 4);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	expect_pattern(&vi, 0, 700000, 4);
	put(&vi);
	unlink_name(&c.root, "drop");
	assert_int_equal(vmem_sync(c.fs), 0);
	assert_int_equal(vmem_checkpoint(c.fs), 0);
	assert_int_equal(vmem_checkpoint(c.fs), 0);
	write_file(&c, "instead", 600000, 5);
	open_name(&c.root, "instead", &vi);
	expect_pattern(&vi, 0, 600000, 5);
	put(&vi);
	thin_finish(&c);
}

/* Blocks of zeros that a copy of the image left out are in use all the same. */
static void an_overwrite_of_what_a_full_host_does_not_have_is_refused(void **state)
{
	const size_t len = 8 * MiB;
	uint8_t *zeros = calloc(1, len);
	struct vmem_inode vi;
	struct ctx c;

	thin_up(&c, domain_of(state), 32 * MiB);
	make(&c.root, "zeros", S_FILE, &vi);
	assert_int_equal(write_at(&vi, 0, zeros, len), len);
	put(&vi);
	down(&c);
	only_what_is_written();
	again(&c);
	host.limit = host.nr;
	open_name(&c.root, "zeros", &vi);
	/* The mount has asked for whole chunks, which may hold the beginning. */
	assert_int_equal(write_at(&vi, len - 1, "x", 1), -ENOSPC);
	assert_int_equal(write_at(&vi, len - MiB, zeros, 3 * BLOCK), -ENOSPC);
	host.limit = host.sim->size / BLOCK;
	write_pattern(&vi, 0, len, 1);
	expect_pattern(&vi, 0, len, 1);
	put(&vi);
	thin_finish(&c);
	free(zeros);
}

static void a_mount_without_room_for_its_log_is_refused(void **state)
{
	struct ctx c;

	thin_up(&c, domain_of(state), 32 * MiB);
	down(&c);
	only_what_is_written();
	host.limit = host.nr;
	assert_int_equal(try_mount(&c, &(struct vmem_mount_opts){ .domain = c.domain }), -ENOSPC);
	assert_non_null(strstr(c.sim->last_log, "the host has no room"));
	host.limit = host.sim->size / BLOCK;
	again(&c);
	thin_finish(&c);
}

/* The host is asked at once: what was preallocated can be stored to, however full it is by then. */
static void what_is_preallocated_has_room_or_is_refused(void **state)
{
	struct vmem_attr attr;
	struct vmem_map map;
	struct vmem_inode vi;
	uint64_t free, lblk;
	struct ctx c;

	thin_up(&c, domain_of(state), 32 * MiB);
	make(&c.root, "ahead", S_FILE, &vi);
	write_pattern(&vi, 0, 100, 1);
	free = free_blocks(&c);
	host.limit = host.nr + 2 * CHUNK / BLOCK;
	assert_int_equal(vmem_fallocate(&vi, 0, 0, 12 * MiB), -ENOSPC);
	assert_int_equal(vmem_size(&vi), 100);
	vmem_getattr(&vi, &attr);
	assert_int_equal(attr.blocks, 1);
	assert_int_equal(vmem_checkpoint(c.fs), 0);
	assert_int_equal(free_blocks(&c), free);
	assert_int_equal(vmem_fallocate(&vi, VMEM_FALLOC_KEEP_SIZE, 0, 3 * MiB), 0);
	host.limit = 0;
	for (lblk = 1; lblk < 3 * MiB / BLOCK; lblk += 2)
		write_pattern(&vi, lblk * BLOCK, BLOCK, 2);
	for (lblk = 2; lblk < 3 * MiB / BLOCK; lblk += 2) {
		assert_int_equal(vmem_map_write(&vi, lblk, 1, &map), 0);
		assert_true(host.has[map.pblk]);
	}
	assert_int_equal(vmem_fsync(&vi, false), 0);
	put(&vi);
	thin_finish(&c);
}

/* The blocks of a hole go back to the host, as those of a removed file. */
static void a_hole_gives_room_back(void **state)
{
	struct vmem_inode vi;
	uint64_t had;
	struct ctx c;

	thin_up(&c, domain_of(state), 32 * MiB);
	vmem_set_discard(c.fs, true);
	write_file(&c, "disk", 12 * MiB, 1);
	open_name(&c.root, "disk", &vi);
	assert_int_equal(vmem_checkpoint(c.fs), 0);
	had = host.nr;
	assert_int_equal(vmem_fallocate(&vi, VMEM_FALLOC_PUNCH_HOLE | VMEM_FALLOC_KEEP_SIZE, 2 * MiB, 8 * MiB), 0);
	assert_int_equal(vmem_checkpoint(c.fs), 0);
	assert_int_equal(vmem_checkpoint(c.fs), 0);
	assert_true(host.nr + 8 * MiB / BLOCK <= had + 1);
	expect_pattern(&vi, 0, 2 * MiB, 1);
	expect_zeros(&vi, 2 * MiB, 8 * MiB);
	expect_pattern(&vi, 10 * MiB, 2 * MiB, 1);
	put(&vi);
	thin_finish(&c);
}

/* ---- Discarding ---- */

static void freed_blocks_are_discarded_at_the_next_checkpoint(void **state)
{
	uint64_t room;
	struct ctx c;

	thin_up(&c, domain_of(state), 32 * MiB);
	vmem_set_discard(c.fs, true);
	room = host.nr;
	write_file(&c, "file", 8 * MiB, 1);
	assert_true(host.nr >= room + 6 * MiB / BLOCK);
	assert_int_equal(vmem_sync(c.fs), 0);
	unlink_name(&c.root, "file");
	assert_int_equal(host.discards, 0);
	assert_int_equal(vmem_checkpoint(c.fs), 0);
	assert_int_equal(vmem_checkpoint(c.fs), 0);
	assert_true(host.discarded >= 8 * MiB);
	assert_true(host.nr <= room + CHUNK / BLOCK);
	write_file(&c, "again", 8 * MiB, 2);
	thin_finish(&c);
}

static void a_host_that_cannot_discard_is_asked_once(void **state)
{
	unsigned int i;
	struct ctx c;

	thin_up(&c, domain_of(state), 32 * MiB);
	vmem_set_discard(c.fs, true);
	host.keeps = true;
	for (i = 0; i < 3; i++) {
		write_file(&c, "file", 1 * MiB, 1);
		assert_int_equal(vmem_sync(c.fs), 0);
		unlink_name(&c.root, "file");
		assert_int_equal(vmem_checkpoint(c.fs), 0);
		assert_int_equal(vmem_checkpoint(c.fs), 0);
	}
	assert_int_equal(host.discards, 1);
	thin_finish(&c);
}

/* The free must be durable first: a failure may bring the file back. */
static void nothing_is_discarded_that_a_failure_brings_back(void **state)
{
	enum vmem_domain domain = domain_of(state);
	unsigned int round, i;
	struct ctx c;

	thin_up(&c, domain, 16 * MiB);
	for (round = 0; round < 20; round++) {
		char name[32];

		vmem_set_discard(c.fs, true);
		for (i = 0; i < 6; i++) {
			snprintf(name, sizeof(name), "%u.%u", round, i);
			write_file(&c, name, 300000, i);
		}
		assert_int_equal(vmem_sync(c.fs), 0);
		for (i = 0; i < 6; i++) {
			snprintf(name, sizeof(name), "%u.%u", round, i);
			unlink_name(&c.root, name);
			if (sim_random(c.sim, 3) == 0)
				vmem_discard_pending(c.fs);
			if (sim_random(c.sim, 8) == 0)
				assert_int_equal(vmem_checkpoint(c.fs), 0);
		}
		fail_and_mount(&c, (enum sim_failure)domain);
		for (i = 0; i < 6; i++) {
			struct vmem_inode vi;

			snprintf(name, sizeof(name), "%u.%u", round, i);
			if (!exists(&c.root, name))
				continue;
			open_name(&c.root, name, &vi);
			expect_pattern(&vi, 0, 300000, i);
			put(&vi);
			unlink_name(&c.root, name);
		}
	}
	thin_finish(&c);
}

static void trimming_gives_all_free_blocks_back(void **state)
{
	struct vmem_inode vi;
	uint64_t trimmed;
	struct ctx c;

	thin_up(&c, domain_of(state), 32 * MiB);
	write_file(&c, "keep", 3 * MiB, 1);
	write_file(&c, "drop", 10 * MiB, 2);
	unlink_name(&c.root, "drop");
	assert_int_equal(vmem_sync(c.fs), 0);
	assert_int_equal(vmem_checkpoint(c.fs), 0);
	assert_int_equal(vmem_checkpoint(c.fs), 0);
	assert_int_equal(vmem_trim(c.fs, 0, UINT64_MAX, 0, &trimmed), 0);
	assert_int_equal(trimmed, free_blocks(&c) * BLOCK);
	assert_int_equal(host.nr, (32 * MiB - trimmed) / BLOCK);
	open_name(&c.root, "keep", &vi);
	expect_pattern(&vi, 0, 3 * MiB, 1);
	put(&vi);
	write_file(&c, "more", 10 * MiB, 3);

	/* Only long runs of a part. */
	assert_int_equal(vmem_trim(c.fs, 16 * MiB, 4 * MiB, CHUNK, &trimmed), 0);
	assert_true(trimmed <= 4 * MiB && trimmed % BLOCK == 0);
	assert_int_equal(vmem_trim(c.fs, 32 * MiB, 1, 0, &trimmed), -EINVAL);
	thin_finish(&c);
}

/* Files of one block, every second of which is gone again: free runs of one block. */
static void fragment(struct ctx *c, const char *what, unsigned int nr)
{
	unsigned int i;
	char name[16];

	for (i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "%s%u", what, i);
		write_file(c, name, BLOCK, i);
	}
	assert_int_equal(vmem_sync(c->fs), 0);
	for (i = 0; i < nr; i += 2) {
		snprintf(name, sizeof(name), "%s%u", what, i);
		unlink_name(&c->root, name);
	}
	assert_int_equal(vmem_sync(c->fs), 0);
	assert_int_equal(vmem_checkpoint(c->fs), 0);
	assert_int_equal(vmem_checkpoint(c->fs), 0);
}

static void expect_fragments(struct ctx *c, const char *what, unsigned int nr)
{
	struct vmem_inode vi;
	unsigned int i;
	char name[16];

	for (i = 1; i < nr; i += 2) {
		snprintf(name, sizeof(name), "%s%u", what, i);
		open_name(&c->root, name, &vi);
		expect_pattern(&vi, 0, BLOCK, i);
		put(&vi);
	}
}

/* More runs, and more blocks, than one request takes. */
static void however_scattered_all_that_is_free_is_given_back(void **state)
{
	uint64_t trimmed, large;
	struct ctx c;

	thin_up(&c, domain_of(state), 32 * MiB);
	vmem_set_discard(c.fs, true);
	fragment(&c, "a", 200);
	assert_true(host.discards > 3 && host.discarded >= 100 * BLOCK);
	vmem_set_discard(c.fs, false);
	fragment(&c, "b", 200);
	host.discards = 0;
	assert_int_equal(vmem_trim(c.fs, 0, UINT64_MAX, 0, &trimmed), 0);
	assert_true(host.discards > 3);
	assert_int_equal(trimmed, free_blocks(&c) * BLOCK);
	assert_int_equal(host.nr, (32 * MiB - trimmed) / BLOCK);
	/* But for what is shorter than was asked for. */
	assert_int_equal(vmem_trim(c.fs, 0, UINT64_MAX, CHUNK, &large), 0);
	assert_true(large > 0 && large + 100 * BLOCK <= trimmed);
	expect_fragments(&c, "a", 200);
	expect_fragments(&c, "b", 200);
	thin_finish(&c);
}

/* An allocation on a full host asks for some of what is free, not for each block of it. */
static void a_full_host_is_not_asked_for_ever(void **state)
{
	struct vmem_inode vi;
	uint64_t trimmed;
	unsigned int before;
	struct ctx c;

	thin_up(&c, domain_of(state), 8 * MiB);
	fragment(&c, "f", 400);
	make(&c.root, "file", S_FILE, &vi);
	assert_int_equal(vmem_sync(c.fs), 0);
	assert_int_equal(vmem_trim(c.fs, 0, UINT64_MAX, 0, &trimmed), 0);
	host.limit = host.nr;
	before = host.provisions;
	assert_int_equal(write_at(&vi, 0, host.sim->now, BLOCK), -ENOSPC);
	assert_true(host.provisions > before + 32 && host.provisions < before + 100);
	expect_fragments(&c, "f", 400);
	host.limit = host.sim->size / BLOCK;
	write_pattern(&vi, 0, 3 * BLOCK, 9);
	expect_pattern(&vi, 0, 3 * BLOCK, 9);
	put(&vi);
	thin_finish(&c);
}

/* While somebody waits: the host has room again, and another has filled the first block. */
struct filler {
	struct ctx *c;
	struct vmem_inode *vi;
	struct vmem_map map;
};

static void fill_meanwhile(void *arg)
{
	struct filler *f = arg;

	f->c->sim->on_flush = NULL;
	host.limit = host.sim->size / BLOCK;
	assert_int_equal(vmem_map_write(f->vi, 0, 1, &f->map), 0);
}

static void who_waited_for_room_to_fill_a_hole_may_find_it_filled(void **state)
{
	struct vmem_inode vi;
	struct vmem_map map;
	struct filler f;
	uint64_t trimmed;
	struct ctx c;

	(void)state;
	thin_up(&c, VMEM_DOMAIN_HOST, 16 * MiB);
	/* More pieces than it is asked for: the last one that was refused is not the last there is. */
	fragment(&c, "f", 400);
	write_file(&c, "gone", 10 * BLOCK, 1);
	make(&c.root, "file", S_FILE, &vi);
	assert_int_equal(vmem_truncate(&vi, CHUNK), 0);
	assert_int_equal(vmem_sync(c.fs), 0);
	assert_int_equal(vmem_trim(c.fs, 0, UINT64_MAX, 0, &trimmed), 0);
	host.limit = host.nr;
	unlink_name(&c.root, "gone");
	assert_true(c.fs->pending_blocks > 0);
	f = (struct filler){ .c = &c, .vi = &vi };
	c.sim->on_flush = fill_meanwhile;
	c.sim->on_flush_arg = &f;
	assert_int_equal(vmem_map_write(&vi, 0, CHUNK / BLOCK, &map), 0);
	assert_null(c.sim->on_flush);
	assert_int_equal(map.pblk, f.map.pblk);
	assert_int_equal(map.nr, 1);
	assert_int_equal(c.fs->reserved, 0);
	put(&vi);
	thin_finish(&c);
}

static void a_host_that_breaks_while_it_is_asked_is_an_io_error(void **state)
{
	struct vmem_inode vi;
	uint64_t trimmed;
	unsigned int n;
	struct ctx c;

	thin_up(&c, domain_of(state), 8 * MiB);
	fragment(&c, "f", 100);
	make(&c.root, "file", S_FILE, &vi);
	for (n = 1; n < 6; n++) {
		assert_int_equal(vmem_sync(c.fs), 0);
		assert_int_equal(vmem_trim(c.fs, 0, UINT64_MAX, 0, &trimmed), 0);
		host.limit = host.nr;
		host.breaks_after = host.refused + n;
		assert_int_equal(write_at(&vi, 0, host.sim->now, BLOCK), -EIO);
		host.breaks_after = 0;
		assert_false(vmem_is_read_only(c.fs));
		host.limit = host.sim->size / BLOCK;
	}
	write_pattern(&vi, 0, 3 * BLOCK, 9);
	expect_pattern(&vi, 0, 3 * BLOCK, 9);
	expect_fragments(&c, "f", 100);
	put(&vi);
	thin_finish(&c);
}

static void what_cannot_be_trimmed_is_refused(void **state)
{
	uint64_t trimmed = 1;
	struct ctx c;

	thin_up(&c, domain_of(state), 32 * MiB);
	/* Metadata: nothing is free there. */
	assert_int_equal(vmem_trim(c.fs, 0, 8 * BLOCK, 0, &trimmed), 0);
	assert_int_equal(trimmed, 0);
	assert_int_equal(host.discards, 0);
	assert_int_equal(vmem_trim(c.fs, 0, UINT64_MAX, 32 * MiB + BLOCK, &trimmed), -EINVAL);
	assert_int_equal(vmem_remount(c.fs, true), 0);
	assert_int_equal(vmem_trim(c.fs, 0, UINT64_MAX, 0, &trimmed), -EROFS);
	assert_int_equal(vmem_remount(c.fs, false), 0);
	c.sim->store.discard = NULL;
	assert_int_equal(vmem_trim(c.fs, 0, UINT64_MAX, 0, &trimmed), -EOPNOTSUPP);
	vmem_set_discard(c.fs, true);	/* in vain */
	write_file(&c, "file", 100000, 1);
	unlink_name(&c.root, "file");
	assert_int_equal(vmem_sync(c.fs), 0);
	assert_int_equal(vmem_checkpoint(c.fs), 0);
	assert_int_equal(host.discards, 0);
	thin_finish(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_DOMAIN(every_store_goes_where_the_host_has_room),
		EACH_DOMAIN(a_used_chunk_is_not_provisioned_again),
		EACH_DOMAIN(a_full_host_is_an_error_of_the_call_and_nothing_else),
		EACH_DOMAIN(a_mount_does_not_need_more_than_it_had),
		EACH_DOMAIN(after_a_mount_a_full_host_still_has_what_it_had),
		EACH_DOMAIN(an_overwrite_of_what_a_full_host_does_not_have_is_refused),
		EACH_DOMAIN(what_is_preallocated_has_room_or_is_refused),
		EACH_DOMAIN(a_hole_gives_room_back),
		EACH_DOMAIN(a_mount_without_room_for_its_log_is_refused),
		EACH_DOMAIN(freed_blocks_are_discarded_at_the_next_checkpoint),
		EACH_DOMAIN(a_host_that_cannot_discard_is_asked_once),
		EACH_DOMAIN(nothing_is_discarded_that_a_failure_brings_back),
		EACH_DOMAIN(trimming_gives_all_free_blocks_back),
		EACH_DOMAIN(however_scattered_all_that_is_free_is_given_back),
		EACH_DOMAIN(a_full_host_is_not_asked_for_ever),
		cmocka_unit_test(who_waited_for_room_to_fill_a_hole_may_find_it_filled),
		EACH_DOMAIN(a_host_that_breaks_while_it_is_asked_is_an_io_error),
		EACH_DOMAIN(what_cannot_be_trimmed_is_refused),
	};

	return cmocka_run_group_tests_name("thin", tests, NULL, NULL);
}
