// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* test_fsync.c - what an fsync asks of the host, and what it promises */
#include "fixture.h"
#include "fs/fs.h"

static void fresh(struct ctx *c)
{
	up(c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
}

/* A file of some blocks that is durable, with no credit for riding in records left. */
static void durable_file(struct ctx *c, struct vmem_inode *vi, size_t len)
{
	make(&c->root, "file", S_FILE, vi);
	write_pattern(vi, 0, len, 1);
	assert_int_equal(vmem_fsync(vi, false), 0);
	sim_forget_flushes(c->sim);
}

static uint64_t request_bytes(struct ctx *c, unsigned int i)
{
	const struct sim_request *q = &c->sim->requests[i];
	uint64_t sum = 0;
	unsigned int k;

	for (k = 0; k < q->nr; k++)
		sum += q->r[k].length;
	return sum;
}

static bool in_log(struct ctx *c, const struct vmem_range *r)
{
	return r->offset >= c->fs->log_off &&
	       r->offset + r->length <= c->fs->log_off + c->fs->log_size;
}

static void fsync_of_an_unchanged_file_needs_no_flush(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	(void)state;
	fresh(&c);
	durable_file(&c, &vi, 3 * BLOCK);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	assert_int_equal(vmem_sync(c.fs), 0);
	assert_int_equal(flushes_of(&c), 0);
	put(&vi);
	finish(&c);
}

static void times_that_became_what_they_were_are_no_record(void **state)
{
	struct vmem_attr before;
	struct vmem_inode vi;
	struct ctx c;
	uint64_t head;

	(void)state;
	fresh(&c);
	durable_file(&c, &vi, 3 * BLOCK);
	vmem_getattr(&vi, &before);
	vmem_touch(&vi, VMEM_SET_ATIME, before.atime + 5);
	vmem_touch(&vi, VMEM_SET_ATIME, before.atime);
	assert_true(vi.times_dirty);
	head = c.fs->head;
	assert_int_equal(vmem_fsync(&vi, false), 0);
	assert_int_equal(vmem_sync(c.fs), 0);
	assert_true(c.fs->head == head);
	assert_int_equal(flushes_of(&c), 0);
	put(&vi);
	assert_true(c.fs->head == head);
	finish(&c);
}

static void fdatasync_of_an_overwrite_flushes_exactly_its_range(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	(void)state;
	fresh(&c);
	durable_file(&c, &vi, 8 * BLOCK);
	write_pattern(&vi, 2 * BLOCK + 100, 3000, 2);
	assert_int_equal(vmem_fsync(&vi, true), 0);
	assert_int_equal(flushes_of(&c), 1);
	assert_int_equal(request_bytes(&c, 0), BLOCK);
	assert_true(sim_request_has(c.sim, 0, where(&vi, 2 * BLOCK)));
	put(&vi);
	finish(&c);
}

static void two_overwrites_far_apart_are_two_ranges_of_one_flush(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	(void)state;
	fresh(&c);
	durable_file(&c, &vi, 64 * BLOCK);
	write_pattern(&vi, 2 * BLOCK, 10, 2);
	write_pattern(&vi, 50 * BLOCK, 10, 2);
	assert_int_equal(vmem_fsync(&vi, true), 0);
	assert_int_equal(flushes_of(&c), 1);
	assert_int_equal(c.sim->requests[0].nr, 2);
	assert_int_equal(request_bytes(&c, 0), 2 * BLOCK);
	put(&vi);
	finish(&c);
}

static void fsync_of_an_overwrite_adds_only_the_log_for_its_times(void **state)
{
	struct vmem_inode vi;
	struct ctx c;
	unsigned int k;

	(void)state;
	fresh(&c);
	durable_file(&c, &vi, 8 * BLOCK);
	write_pattern(&vi, 5 * BLOCK, BLOCK, 2);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	assert_int_equal(flushes_of(&c), 1);
	for (k = 0; k < c.sim->requests[0].nr; k++)
		assert_true(in_log(&c, &c.sim->requests[0].r[k]) ||
			    c.sim->requests[0].r[k].offset == where(&vi, 5 * BLOCK));
	put(&vi);
	finish(&c);
}

static void a_small_append_after_an_fsync_needs_the_log_alone(void **state)
{
	struct vmem_inode vi;
	struct ctx c;
	unsigned int k;

	(void)state;
	fresh(&c);
	durable_file(&c, &vi, 512);
	write_pattern(&vi, 512, 512, 1);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	assert_int_equal(flushes_of(&c), 1);
	for (k = 0; k < c.sim->requests[0].nr; k++)
		assert_true(in_log(&c, &c.sim->requests[0].r[k]));
	assert_false(sim_request_has(c.sim, 0, where(&vi, 512)));
	fail_and_mount(&c, SIM_HOST);
	open_name(&c.root, "file", &vi);
	expect_pattern(&vi, 0, 1024, 1);
	put(&vi);
	finish(&c);
}

static void new_data_outside_the_log_is_flushed_before_the_log(void **state)
{
	struct vmem_inode vi;
	struct ctx c;
	uint64_t data;

	(void)state;
	fresh(&c);
	make(&c.root, "file", S_FILE, &vi);
	write_pattern(&vi, 0, 5 * BLOCK, 1);
	data = where(&vi, 0);
	sim_forget_flushes(c.sim);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	assert_int_equal(flushes_of(&c), 2);
	assert_true(sim_request_has(c.sim, 0, data));
	assert_int_equal(request_bytes(&c, 0), 5 * BLOCK);
	assert_false(sim_request_has(c.sim, 1, data));
	assert_true(in_log(&c, &c.sim->requests[1].r[0]));
	put(&vi);
	finish(&c);
}

static void a_commit_in_two_parts_is_one_request(void **state)
{
	struct vmem_stats before, after;
	struct vmem_inode vi;
	struct ctx c;
	uint64_t data;
	unsigned int i;

	(void)state;
	fresh(&c);
	sim_use_commits(c.sim);
	make(&c.root, "file", S_FILE, &vi);
	/* Several, so that one finds the end of the ring. */
	for (i = 0; i < 40; i++) {
		write_pattern(&vi, i * 5 * BLOCK, 5 * BLOCK, 1);
		data = where(&vi, i * 5 * BLOCK);
		sim_forget_flushes(c.sim);
		vmem_get_stats(c.fs, &before);
		assert_int_equal(vmem_fsync(&vi, false), 0);
		vmem_get_stats(c.fs, &after);
		assert_int_equal(after.flushes - before.flushes, 1);
		assert_int_equal(c.sim->commits, 1);
		assert_true(sim_request_has(c.sim, 0, data));
		assert_true(in_log(&c, &c.sim->requests[1].r[0]));
	}
	fail_and_mount(&c, SIM_HOST);
	open_name(&c.root, "file", &vi);
	expect_pattern(&vi, 0, 40 * 5 * BLOCK, 1);
	put(&vi);
	finish(&c);
}

static int refuse_commit(struct vmem_store *store, const struct vmem_parts *parts)
{
	(void)store;
	(void)parts;
	return -EOPNOTSUPP;
}

static void a_store_that_refuses_a_commit_gets_two_flushes(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	(void)state;
	fresh(&c);
	c.sim->store.commit = refuse_commit;
	make(&c.root, "file", S_FILE, &vi);
	write_pattern(&vi, 0, 5 * BLOCK, 1);
	sim_forget_flushes(c.sim);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	assert_int_equal(flushes_of(&c), 2);
	fail_and_mount(&c, SIM_HOST);
	open_name(&c.root, "file", &vi);
	expect_pattern(&vi, 0, 5 * BLOCK, 1);
	put(&vi);
	finish(&c);
}

static void operations_on_names_are_flushed_by_the_log_alone(void **state)
{
	struct vmem_inode vi, dir;
	struct ctx c;

	(void)state;
	fresh(&c);
	make(&c.root, "dir", S_DIR, &dir);
	make(&dir, "file", S_FILE, &vi);
	assert_int_equal(vmem_link(&c.root, N("other"), &vi), 0);
	sim_forget_flushes(c.sim);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	assert_int_equal(flushes_of(&c), 1);
	put(&vi);
	put(&dir);
	finish(&c);
}

static void no_operation_but_fsync_flushes(void **state)
{
	struct vmem_inode vi, dir;
	struct ctx c;

	(void)state;
	fresh(&c);
	sim_forget_flushes(c.sim);
	make(&c.root, "dir", S_DIR, &dir);
	make(&dir, "file", S_FILE, &vi);
	write_pattern(&vi, 0, 100000, 1);
	write_pattern(&vi, 5000, 1000, 2);
	assert_int_equal(vmem_truncate(&vi, 333), 0);
	assert_int_equal(vmem_rename(&dir, N("file"), &vi, &c.root, N("new"), NULL, 0), 0);
	assert_int_equal(vmem_unlink(&c.root, N("new"), &vi), 0);
	put(&vi);
	assert_int_equal(flushes_of(&c), 0);
	put(&dir);
	finish(&c);
}

static void the_guest_domain_never_flushes_between_mount_and_unmount(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_GUEST, 16 * MiB, 0);
	sim_forget_flushes(c.sim);
	make(&c.root, "file", S_FILE, &vi);
	write_pattern(&vi, 0, 100000, 1);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	assert_int_equal(vmem_sync(c.fs), 0);
	assert_int_equal(vmem_checkpoint(c.fs), 0);
	assert_int_equal(flushes_of(&c), 0);
	put(&vi);
	finish(&c);
}

static void fsync_of_one_file_does_not_flush_overwrites_of_another(void **state)
{
	struct vmem_inode a, b;
	struct ctx c;

	(void)state;
	fresh(&c);
	make(&c.root, "b", S_FILE, &b);
	write_pattern(&b, 0, 4 * BLOCK, 1);
	assert_int_equal(vmem_fsync(&b, false), 0);
	durable_file(&c, &a, 4 * BLOCK);
	write_pattern(&a, 0, BLOCK, 2);
	write_pattern(&b, 0, BLOCK, 2);
	assert_int_equal(vmem_fsync(&a, true), 0);
	assert_int_equal(flushes_of(&c), 1);
	assert_false(sim_request_has(c.sim, 0, where(&b, 0)));
	put(&a);
	put(&b);
	finish(&c);
}

static void a_store_through_a_mapping_is_flushed_once_marked(void **state)
{
	struct vmem_map map;
	struct vmem_inode vi;
	struct ctx c;

	(void)state;
	fresh(&c);
	durable_file(&c, &vi, 4 * BLOCK);
	assert_int_equal(vmem_map_write(&vi, 1, 1, &map), 0);
	memset(c.sim->now + map.pblk * BLOCK, 0x55, BLOCK);
	sim_stored(c.sim, map.pblk * BLOCK, BLOCK);
	vmem_mark_dirty(&vi, BLOCK, BLOCK);
	assert_int_equal(vmem_fsync(&vi, true), 0);
	assert_int_equal(c.sim->durable[map.pblk * BLOCK], 0x55);
	assert_int_equal(c.sim->durable[map.pblk * BLOCK + BLOCK - 1], 0x55);
	put(&vi);
	finish(&c);
}

/* sync, iput and fsync of another file leave nothing of an overwrite behind. */
static void sync_covers_overwrites_of_inodes_that_were_put(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	(void)state;
	fresh(&c);
	durable_file(&c, &vi, 4 * BLOCK);
	write_pattern(&vi, BLOCK, BLOCK, 2);
	put(&vi);
	assert_int_equal(vmem_sync(c.fs), 0);
	fail_and_mount(&c, SIM_HOST);
	open_name(&c.root, "file", &vi);
	expect_pattern(&vi, BLOCK, BLOCK, 2);
	put(&vi);
	finish(&c);
}

static void a_failed_flush_is_an_error_from_then_on(void **state)
{
	struct vmem_inode vi, other;
	struct ctx c;

	(void)state;
	fresh(&c);
	make(&c.root, "other", S_FILE, &other);
	durable_file(&c, &vi, 4 * BLOCK);
	write_pattern(&vi, 0, 10, 2);
	c.sim->flush_fails = true;
	assert_int_equal(vmem_fsync(&vi, false), -EIO);
	c.sim->flush_fails = false;
	assert_int_equal(vmem_fsync(&vi, false), -EIO);
	assert_int_equal(vmem_fsync(&other, false), -EIO);
	assert_int_equal(vmem_sync(c.fs), -EIO);
	assert_true(vmem_is_read_only(c.fs));
	assert_int_equal(write_at(&vi, 0, "x", 1), -EIO);
	assert_int_equal(vmem_truncate(&vi, 1), -EIO);
	expect_pattern(&vi, 100, 1000, 1);	/* reading goes on */
	put(&vi);
	put(&other);
	put(&c.root);
	assert_int_equal(vmem_umount(c.fs), -EIO);
	assert_int_equal(c.sim->live, 0);
	again(&c);
	finish(&c);
}

static void what_was_durable_survives_a_failed_flush_and_the_host(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	(void)state;
	fresh(&c);
	durable_file(&c, &vi, 4 * BLOCK);
	c.sim->flush_fails = true;
	write_pattern(&vi, 4 * BLOCK, BLOCK, 1);
	assert_int_equal(vmem_fsync(&vi, false), -EIO);
	c.sim->flush_fails = false;
	fail_and_mount(&c, SIM_HOST);
	open_name(&c.root, "file", &vi);
	expect_pattern(&vi, 0, 4 * BLOCK, 1);
	put(&vi);
	finish(&c);
}

/*
 * Holes of a sparse file, filled one by one with an fsync each, ride in
 * records.  Overwriting one of them revokes them all, however scattered.
 */
static void overwriting_after_many_scattered_logged_writes_succeeds(void **state)
{
	struct vmem_inode vi;
	struct ctx c;
	unsigned int i;

	(void)state;
	fresh(&c);
	make(&c.root, "file", S_FILE, &vi);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	for (i = 0; i < 200; i++) {
		write_pattern(&vi, (uint64_t)i * 3 * BLOCK, BLOCK, 1);
		assert_int_equal(vmem_fsync(&vi, false), 0);
	}
	write_pattern(&vi, 0, BLOCK, 2);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	fail_and_mount(&c, SIM_HOST);
	open_name(&c.root, "file", &vi);
	expect_pattern(&vi, 0, BLOCK, 2);
	for (i = 1; i < 200; i++)
		expect_pattern(&vi, (uint64_t)i * 3 * BLOCK, BLOCK, 1);
	put(&vi);
	finish(&c);
}

static void an_overwrite_after_a_logged_append_is_not_undone_by_replay(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	(void)state;
	fresh(&c);
	durable_file(&c, &vi, 100);
	write_pattern(&vi, 100, 200, 1);	/* rides */
	assert_int_equal(vmem_fsync(&vi, false), 0);
	write_pattern(&vi, 50, 200, 2);
	assert_int_equal(vmem_fsync(&vi, true), 0);
	fail_and_mount(&c, SIM_HOST);
	open_name(&c.root, "file", &vi);
	expect_pattern(&vi, 0, 50, 1);
	expect_pattern(&vi, 50, 200, 2);
	expect_pattern(&vi, 250, 50, 1);
	put(&vi);
	finish(&c);
}

static void an_append_that_rides_after_a_revoke_is_replayed(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	(void)state;
	fresh(&c);
	durable_file(&c, &vi, 100);
	write_pattern(&vi, 100, 200, 1);	/* rides */
	assert_int_equal(vmem_fsync(&vi, false), 0);
	write_pattern(&vi, 50, 200, 2);		/* revokes it */
	assert_int_equal(vmem_fsync(&vi, true), 0);
	write_pattern(&vi, 300, 100, 3);	/* rides again */
	sim_forget_flushes(c.sim);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	assert_int_equal(flushes_of(&c), 1);
	assert_false(sim_request_has(c.sim, 0, where(&vi, 300)));
	fail_and_mount(&c, SIM_HOST);
	open_name(&c.root, "file", &vi);
	expect_pattern(&vi, 50, 200, 2);
	expect_pattern(&vi, 300, 100, 3);
	put(&vi);
	finish(&c);
}

static void page_cache_backing_sees_no_cache_line_operation(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	(void)state;
	fresh(&c);
	assert_null(c.sim->store.writeback);
	durable_file(&c, &vi, 4 * BLOCK);
	write_pattern(&vi, 10, 100, 2);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	put(&vi);
	assert_int_equal(c.sim->writebacks, 0);
	assert_int_equal(c.sim->drains, 0);
	finish(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fsync_of_an_unchanged_file_needs_no_flush),
		cmocka_unit_test(times_that_became_what_they_were_are_no_record),
		cmocka_unit_test(fdatasync_of_an_overwrite_flushes_exactly_its_range),
		cmocka_unit_test(two_overwrites_far_apart_are_two_ranges_of_one_flush),
		cmocka_unit_test(fsync_of_an_overwrite_adds_only_the_log_for_its_times),
		cmocka_unit_test(a_small_append_after_an_fsync_needs_the_log_alone),
		cmocka_unit_test(new_data_outside_the_log_is_flushed_before_the_log),
		cmocka_unit_test(a_commit_in_two_parts_is_one_request),
		cmocka_unit_test(a_store_that_refuses_a_commit_gets_two_flushes),
		cmocka_unit_test(operations_on_names_are_flushed_by_the_log_alone),
		cmocka_unit_test(no_operation_but_fsync_flushes),
		cmocka_unit_test(the_guest_domain_never_flushes_between_mount_and_unmount),
		cmocka_unit_test(fsync_of_one_file_does_not_flush_overwrites_of_another),
		cmocka_unit_test(a_store_through_a_mapping_is_flushed_once_marked),
		cmocka_unit_test(sync_covers_overwrites_of_inodes_that_were_put),
		cmocka_unit_test(a_failed_flush_is_an_error_from_then_on),
		cmocka_unit_test(what_was_durable_survives_a_failed_flush_and_the_host),
		cmocka_unit_test(overwriting_after_many_scattered_logged_writes_succeeds),
		cmocka_unit_test(an_overwrite_after_a_logged_append_is_not_undone_by_replay),
		cmocka_unit_test(an_append_that_rides_after_a_revoke_is_replayed),
		cmocka_unit_test(page_cache_backing_sees_no_cache_line_operation),
	};

	return cmocka_run_group_tests_name("fsync", tests, NULL, NULL);
}
