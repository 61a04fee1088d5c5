// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * test_races.c - what another thread does in the middle of a call
 *
 * The core calls its surroundings where another thread could run: to copy, for
 * the time, to discard, to flush.  The other thread's work is done in these
 * calls, so each race happens every time.  tests/interleave goes through all of
 * them; here are those that have been met.
 */
#include <errno.h>
#include "fixture.h"
#include "fs/fs.h"

/* ---- A copy during which something else happens ---- */

struct copying {
	struct sim *sim;
	const uint8_t *from;
	void (*meanwhile)(void *arg);	/* once, before the first byte */
	void *arg;
};

static size_t copy_meanwhile(void *ctx, void *addr, size_t len)
{
	struct copying *c = ctx;
	void (*f)(void *) = c->meanwhile;

	c->meanwhile = NULL;
	if (f)
		f(c->arg);
	sim_store(c->sim, addr, c->from, len);
	c->from += len;
	return len;
}

static uint8_t *some_bytes(size_t len, unsigned int seed)
{
	uint8_t *buf = malloc(len);
	size_t i;

	for (i = 0; i < len; i++)
		buf[i] = (uint8_t)(1 + (i / 512 * 7 + i + seed) % 255);
	return buf;
}

static int64_t write_meanwhile(struct ctx *c, struct vmem_inode *vi, uint64_t off, const uint8_t *buf,
			       size_t len, void (*f)(void *), void *arg)
{
	struct copying copying = { c->sim, buf, f, arg };

	return vmem_write(vi, off, len, copy_meanwhile, &copying);
}

/* A store through a mapping of the file: as a page fault, and then the CPU, do it. */
static void store_mapped(struct ctx *c, struct vmem_inode *vi, uint64_t off, const void *p, size_t len)
{
	struct vmem_map map;
	uint8_t *to;

	assert_int_equal(vmem_map_write(vi, off / BLOCK, 1, &map), 0);
	to = c->sim->store.base + map.pblk * BLOCK + off % BLOCK;
	sim_store(c->sim, to, p, len);
	vmem_mark_dirty(vi, off, len);
}

/* ---- Writes that no single record takes ---- */

static void a_write_over_thousands_of_holes_takes_as_many_records_as_it_needs(void **state)
{
	const uint64_t nr = 4000;
	struct vmem_stats before, after;
	struct vmem_inode a, b;
	uint8_t *buf = some_bytes(nr * BLOCK, 1);
	struct ctx c;
	uint64_t i;

	up(&c, domain_of(state), 96 * MiB, 0);
	make(&c.root, "a", S_FILE, &a);
	make(&c.root, "b", S_FILE, &b);
	/* By turns, so that no extent is longer than a block; every other one is a hole. */
	for (i = 0; i < nr; i += 2) {
		write_pattern(&a, i * BLOCK, BLOCK, 1);
		write_pattern(&b, i * BLOCK, BLOCK, 2);
	}
	vmem_get_stats(c.fs, &before);
	c.sim->log_lines = 0;
	assert_int_equal(write_at(&a, 0, buf, nr * BLOCK), nr * BLOCK);
	assert_int_equal(c.sim->log_lines, 0);
	vmem_get_stats(c.fs, &after);
	assert_true(after.records - before.records > 1);
	assert_int_equal(c.fs->reserved, 0);
	expect_bytes(&a, 0, buf, nr * BLOCK);
	assert_int_equal(vmem_fsync(&a, false), 0);
	put(&a);
	put(&b);
	fail_and_mount(&c, (enum sim_failure)c.domain);
	open_name(&c.root, "a", &a);
	expect_bytes(&a, 0, buf, nr * BLOCK);
	put(&a);
	finish(&c);
	free(buf);
}

/* Blocks of inodes, as a whole, more than a record has room for. */
static int change_too_much(struct vmem_txn *t, void *arg)
{
	struct ctx *c = arg;
	uint64_t off = vmem_inode_off(c->fs, VMEM_ROOT_INO) & ~(uint64_t)(BLOCK - 1);
	uint8_t block[BLOCK];
	unsigned int i;

	for (i = 0; i <= VMEM_REC_MAX / BLOCK; i++) {
		memset(block, (int)(0xf0 + i % 2), sizeof(block));
		txn_write(t, off, block, sizeof(block));
	}
	return 0;
}

static void what_no_record_has_room_for_is_refused_and_told_once_and_no_damage(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	c.sim->log_lines = 0;
	assert_int_equal(vmem_try(c.fs, change_too_much, &c), -EOVERFLOW);
	assert_int_equal(c.sim->log_lines, 0);
	assert_int_equal(vmem_run(c.fs, change_too_much, &c), -EOVERFLOW);
	assert_int_equal(c.sim->log_lines, 1);
	assert_non_null(strstr(c.sim->last_log, "nothing is damaged: this is a bug"));
	assert_int_equal(vmem_run(c.fs, change_too_much, &c), -EOVERFLOW);
	assert_int_equal(c.sim->log_lines, 1);
	assert_int_equal(vmem_error(c.fs), 0);
	make(&c.root, "file", S_FILE, &vi);
	write_pattern(&vi, 0, BLOCK, 1);
	put(&vi);
	finish(&c);
}

struct faulter {
	struct ctx *c;
	struct vmem_inode *vi;
	uint64_t nr, step;		/* blocks 0, step, ... of the first nr */
};

static void fault_pages(void *arg)
{
	struct faulter *f = arg;
	struct vmem_map map;
	uint64_t i;

	for (i = 0; i < f->nr; i += f->step)
		assert_int_equal(vmem_map_write(f->vi, i, 1, &map), 0);
}

/* nr pages of a hole are faulted in while it is written to. */
static void write_beside_faults(enum vmem_domain domain, uint64_t nr)
{
	const uint64_t blocks = 2048;
	uint8_t *buf = some_bytes(blocks * BLOCK, 3);
	struct faulter f = { .nr = 2 * nr, .step = 2 };
	struct vmem_inode vi;
	uint64_t before;
	struct ctx c;

	up(&c, domain, 64 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	assert_int_equal(vmem_truncate(&vi, blocks * BLOCK), 0);
	before = free_blocks(&c);
	f.c = &c;
	f.vi = &vi;
	assert_int_equal(write_meanwhile(&c, &vi, 0, buf, blocks * BLOCK, fault_pages, &f),
			 blocks * BLOCK);
	expect_bytes(&vi, 0, buf, blocks * BLOCK);
	assert_int_equal(c.fs->reserved, 0);
	/* The data, and nodes of the map, but no block that nobody has. */
	assert_true(before - free_blocks(&c) <= blocks + 20 + nr / 8);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	put(&vi);
	fail_and_mount(&c, (enum sim_failure)domain);
	open_name(&c.root, "file", &vi);
	expect_bytes(&vi, 0, buf, blocks * BLOCK);
	put(&vi);
	finish(&c);
	free(buf);
}

static void a_write_into_a_hole_that_faults_fill_meanwhile_is_whole(void **state)
{
	write_beside_faults(domain_of(state), 1024);
}

static void few_faults_into_the_hole_of_a_write_lose_no_block(void **state)
{
	write_beside_faults(domain_of(state), 40);
}

/* ---- Discarding is switched off while the host discards ---- */

struct switcher {
	struct ctx *c;
	struct vmem_inode *vi;
	uint8_t *buf;
	size_t len;
	int answer;
	unsigned int calls;
	int64_t written;
};

static struct switcher switcher;

/* Between the request and its effect another thread switches it off, writes, and fsyncs. */
static int discard_late(struct vmem_store *store, const struct vmem_range *ranges, unsigned int nr)
{
	struct switcher *s = &switcher;
	unsigned int i;

	if (!s->calls++) {
		vmem_set_discard(s->c->fs, false);
		s->written = write_at(s->vi, 0, s->buf, s->len);
		assert_true(s->written > 0);
		assert_int_equal(vmem_fsync(s->vi, false), 0);
	}
	for (i = 0; i < nr && !s->answer; i++) {
		memset(store->base + ranges[i].offset, 0, ranges[i].length);
		sim_stored(s->c->sim, ranges[i].offset, ranges[i].length);
	}
	return s->answer;
}

static void discard_and_write(enum vmem_domain domain, int answer)
{
	struct vmem_inode old, vi;
	struct ctx c;

	up(&c, domain, 16 * MiB, 0);
	down(&c);
	c.sim->store.discard = discard_late;
	again(&c);
	vmem_set_discard(c.fs, true);
	make(&c.root, "old", S_FILE, &old);
	/* Most of it, so that who needs blocks takes these when they may be taken. */
	write_pattern(&old, 0, 12 * MiB, 1);
	make(&c.root, "file", S_FILE, &vi);
	assert_int_equal(vmem_sync(c.fs), 0);
	assert_int_equal(vmem_truncate(&old, 0), 0);
	switcher = (struct switcher){ &c, &vi, some_bytes(6 * MiB, 5), 6 * MiB, answer, 0, 0 };
	assert_int_equal(vmem_checkpoint(c.fs), 0);
	assert_int_equal(switcher.calls, 1);
	expect_bytes(&vi, 0, switcher.buf, (size_t)switcher.written);
	assert_int_equal(vmem_checkpoint(c.fs), 0);
	assert_int_equal(c.fs->pending_blocks, 0);
	put(&vi);
	put(&old);
	c.sim->store.discard = NULL;
	finish(&c);
	free(switcher.buf);
}

static void switching_discard_off_while_one_runs_loses_nothing(void **state)
{
	discard_and_write(domain_of(state), 0);
}

static void a_host_that_cannot_discard_loses_nothing(void **state)
{
	discard_and_write(domain_of(state), -EOPNOTSUPP);
}

/* ---- Times that are touched while a record is made ---- */

#define TOUCHED 5000000000000ll

static struct vmem_inode *to_touch;

static int64_t touch_when_asked(const struct vmem_env *env)
{
	struct vmem_inode *vi = to_touch;

	(void)env;
	to_touch = NULL;
	if (vi)
		vmem_touch(vi, VMEM_SET_ATIME | VMEM_SET_MTIME, TOUCHED);
	return 77;
}

static void a_time_that_is_touched_while_a_record_is_made_is_kept(void **state)
{
	struct vmem_attr attr = { .mode = 0600 };
	struct vmem_inode vi, other;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	c.sim->env.now = touch_when_asked;
	/* Its link count changes, and its ctime, but no other time. */
	to_touch = &vi;
	assert_int_equal(vmem_link(&c.root, N("second"), &vi), 0);
	assert_null(to_touch);
	vmem_getattr(&vi, &attr);
	assert_int_equal(attr.atime, TOUCHED);
	assert_int_equal(attr.mtime, TOUCHED);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	make(&c.root, "other", S_FILE, &other);
	put(&other);
	put(&vi);
	fail_and_mount(&c, (enum sim_failure)c.domain);
	open_name(&c.root, "second", &vi);
	vmem_getattr(&vi, &attr);
	assert_int_equal(attr.atime, TOUCHED);
	assert_int_equal(attr.mtime, TOUCHED);
	put(&vi);
	finish(&c);
}

/* ---- Data that rides in records, and a mapping that is made meanwhile ---- */

struct mapper {
	struct ctx *c;
	struct vmem_inode *vi;
	uint64_t off;
};

static void map_and_store(void *arg)
{
	struct mapper *m = arg;

	store_mapped(m->c, m->vi, m->off, "mapped", 6);
}

/* A file whose appends ride in their records. */
static void make_rider(struct ctx *c, struct vmem_inode *vi)
{
	make(&c->root, "file", S_FILE, vi);
	write_pattern(vi, 0, BLOCK, 1);
	assert_int_equal(vmem_fsync(vi, false), 0);
	write_pattern(vi, BLOCK, 100, 1);
	assert_int_equal(c->fs->stats.carried, 1);
}

/* What the file has now must be there after a failure of the host. */
static void fsync_and_fail(struct ctx *c, struct vmem_inode *vi)
{
	assert_int_equal(vmem_fsync(vi, false), 0);
	put(vi);
	fail_and_mount(c, SIM_HOST);
	open_name(&c->root, "file", vi);
}

static void an_append_beside_a_first_mapping_survives_the_replay_of_one_that_rode(void **state)
{
	struct mapper m;
	struct vmem_inode vi;
	uint8_t *buf = some_bytes(100, 9);
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	make_rider(&c, &vi);
	/* It was to ride, too; but now another page of the file is mapped. */
	m = (struct mapper){ &c, &vi, 0 };
	assert_int_equal(write_meanwhile(&c, &vi, BLOCK + 100, buf, 100, map_and_store, &m), 100);
	assert_int_equal(c.fs->stats.carried, 1);
	fsync_and_fail(&c, &vi);
	expect_bytes(&vi, 0, "mapped", 6);
	expect_pattern(&vi, BLOCK, 100, 1);
	expect_bytes(&vi, BLOCK + 100, buf, 100);
	put(&vi);
	finish(&c);
	free(buf);
}

static void a_store_through_a_mapping_is_not_replayed_over_by_a_write_beside_it(void **state)
{
	struct mapper m;
	struct vmem_inode vi;
	uint8_t *buf = some_bytes(100, 9);
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	make_rider(&c, &vi);
	m = (struct mapper){ &c, &vi, BLOCK };
	assert_int_equal(write_meanwhile(&c, &vi, BLOCK + 100, buf, 100, map_and_store, &m), 100);
	store_mapped(&c, &vi, BLOCK + 110, "stored", 6);
	fsync_and_fail(&c, &vi);
	expect_bytes(&vi, BLOCK, "mapped", 6);
	expect_bytes(&vi, BLOCK + 110, "stored", 6);
	put(&vi);
	finish(&c);
	free(buf);
}

static void a_write_that_rides_into_a_hole_filled_meanwhile_is_there(void **state)
{
	struct faulter f;
	struct vmem_inode vi;
	uint8_t *buf = some_bytes(100, 9);
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	make_rider(&c, &vi);
	assert_int_equal(vmem_truncate(&vi, 8 * BLOCK), 0);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	f = (struct faulter){ &c, &vi, 8, 1 };
	assert_int_equal(write_meanwhile(&c, &vi, 4 * BLOCK, buf, 100, fault_pages, &f), 100);
	assert_int_equal(c.fs->reserved, 0);
	fsync_and_fail(&c, &vi);
	expect_bytes(&vi, 4 * BLOCK, buf, 100);
	put(&vi);
	finish(&c);
	free(buf);
}

/* ---- A truncate that could not finish ---- */

/* Metadata must be read into memory again. */
static void forget_pages(struct ctx *c)
{
	assert_int_equal(vmem_checkpoint(c->fs), 0);
	vmem_lock(c->fs, c->fs->lock);
	vmem_overlay_drop(c->fs, false);
	vmem_unlock(c->fs, c->fs->lock);
}

/* Its first record is there, and for a later one there was no memory. */
static void truncate_in_part(struct ctx *c, struct vmem_inode *vi, uint64_t size)
{
	unsigned int k;

	for (k = 1; !vi->cut; k++) {
		int err;

		assert_true(k < 100);
		forget_pages(c);
		c->sim->alloc_fails_at = c->sim->allocs + k;
		err = vmem_truncate(vi, size);
		c->sim->alloc_fails_at = 0;
		assert_int_equal(err, vi->cut ? 0 : -ENOMEM);
	}
}

static void a_block_that_may_be_mapped_stays_where_it_is_after_an_unfinished_truncate(void **state)
{
	const uint64_t nr = 3000, size = 5 * BLOCK + 100;
	struct vmem_inode a, b;
	uint64_t at, i;
	struct ctx c;

	up(&c, domain_of(state), 64 * MiB, 0);
	make(&c.root, "a", S_FILE, &a);
	make(&c.root, "b", S_FILE, &b);
	for (i = 0; i < nr; i++) {
		write_pattern(&a, i * BLOCK, BLOCK, 1);
		write_pattern(&b, i * BLOCK, BLOCK, 2);
	}
	truncate_in_part(&c, &a, size);
	at = where(&a, 5 * BLOCK);
	assert_true(at);
	write_pattern(&a, 0, 10, 1);
	assert_false(a.cut);
	assert_int_equal(where(&a, 5 * BLOCK), at);
	expect_pattern(&a, 0, size, 1);
	assert_int_equal(vmem_truncate(&a, 8 * BLOCK), 0);
	expect_zeros(&a, size, 8 * BLOCK - size);
	put(&a);
	put(&b);
	finish(&c);
}

/* ---- Marking dirty what cannot be found ---- */

static void what_cannot_be_found_to_be_marked_dirty_is_flushed_all_the_same(void **state)
{
	struct vmem_inode vi;
	uint64_t at;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	write_pattern(&vi, 0, 2 * BLOCK, 1);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	at = where(&vi, 0);
	store_mapped(&c, &vi, 0, "x", 1);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	vi.raw.u.ext[0].w1 = vmem_le64_of(UINT64_MAX);
	vmem_mark_dirty(&vi, 0, 10);
	sim_forget_flushes(c.sim);
	assert_int_equal(vmem_fsync(&vi, true), 0);
	assert_int_equal(flushes_of(&c), 1);
	assert_true(sim_request_has(c.sim, 0, at));
	vmem_umount(c.fs);
	sim_free(c.sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_DOMAIN(a_write_over_thousands_of_holes_takes_as_many_records_as_it_needs),
		EACH_DOMAIN(what_no_record_has_room_for_is_refused_and_told_once_and_no_damage),
		EACH_DOMAIN(a_write_into_a_hole_that_faults_fill_meanwhile_is_whole),
		EACH_DOMAIN(few_faults_into_the_hole_of_a_write_lose_no_block),
		EACH_DOMAIN(switching_discard_off_while_one_runs_loses_nothing),
		EACH_DOMAIN(a_host_that_cannot_discard_loses_nothing),
		cmocka_unit_test(a_time_that_is_touched_while_a_record_is_made_is_kept),
		cmocka_unit_test(an_append_beside_a_first_mapping_survives_the_replay_of_one_that_rode),
		cmocka_unit_test(a_store_through_a_mapping_is_not_replayed_over_by_a_write_beside_it),
		cmocka_unit_test(a_write_that_rides_into_a_hole_filled_meanwhile_is_there),
		EACH_DOMAIN(a_block_that_may_be_mapped_stays_where_it_is_after_an_unfinished_truncate),
		cmocka_unit_test(what_cannot_be_found_to_be_marked_dirty_is_flushed_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
