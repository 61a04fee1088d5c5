// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* test_recovery.c - the log: checkpoint, replay, backing generation */
#include "fixture.h"
#include "fs/fs.h"
#include "log/log_internal.h"

/* ---- Replay ---- */

static void a_clean_unmount_leaves_nothing_to_replay(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	up(&c, domain_of(state), 4 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	put(&vi);
	down(&c);
	again(&c);
	assert_false(c.info.was_dirty);
	assert_int_equal(c.info.replayed, 0);
	finish(&c);
}

static void every_returned_operation_survives_the_guest(void **state)
{
	struct vmem_inode vi, dir;
	struct ctx c;

	up(&c, domain_of(state), 4 * MiB, 0);
	make(&c.root, "dir", S_DIR, &dir);
	make(&dir, "file", S_FILE, &vi);
	write_pattern(&vi, 3, 12345, 1);
	assert_int_equal(vmem_rename(&dir, N("file"), &vi, &c.root, N("moved"), NULL, 0), 0);
	assert_int_equal(vmem_rmdir(&c.root, N("dir"), &dir), 0);
	fail_and_mount(&c, SIM_GUEST);
	assert_true(c.info.was_dirty);
	assert_false(c.info.host_failed);
	assert_false(exists(&c.root, "dir"));
	open_name(&c.root, "moved", &vi);
	expect_pattern(&vi, 3, 12345, 1);
	put(&vi);
	finish(&c);
}

static void after_the_host_failed_the_last_fsync_is_the_state(void **state)
{
	unsigned int seed;

	(void)state;
	for (seed = 0; seed < 20; seed++) {
		struct vmem_inode vi, late;
		struct ctx c;

		up(&c, VMEM_DOMAIN_HOST, 4 * MiB, 0);
		c.sim->snapshots = true;
		c.sim->rng += seed;
		make(&c.root, "file", S_FILE, &vi);
		write_pattern(&vi, 0, 10000, 1);
		assert_int_equal(vmem_fsync(&vi, false), 0);
		make(&c.root, "late", S_FILE, &late);
		write_pattern(&late, 0, 10000, 2);
		assert_int_equal(vmem_unlink(&c.root, N("file"), &vi), 0);
		fail_and_mount(&c, SIM_HOST);
		assert_true(c.info.host_failed);
		assert_false(exists(&c.root, "late"));
		open_name(&c.root, "file", &vi);
		expect_pattern(&vi, 0, 10000, 1);
		put(&vi);
		finish(&c);
	}
}

static void a_torn_newest_record_is_as_if_it_never_was(void **state)
{
	struct vmem_inode vi;
	struct ctx c;
	uint64_t before;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 4 * MiB, 0);
	make(&c.root, "one", S_FILE, &vi);
	before = c.fs->head;
	make(&c.root, "two", S_FILE, &vi);
	c.sim->now[vmem_ring_off(c.fs, before) + 100] ^= 1;
	fail_and_mount(&c, SIM_GUEST);
	assert_true(exists(&c.root, "one"));
	assert_false(exists(&c.root, "two"));
	finish(&c);
}

/*
 * Two failures of the host may leave a record of the first history where one of the
 * second was: whole, and of the right number.
 */
static void a_record_of_another_history_is_none_of_its_group(void **state)
{
	struct vmem_inode vi;
	struct vmem_rec *rec;
	struct ctx c;
	uint64_t lsn;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 4 * MiB, 0);
	make(&c.root, "one", S_FILE, &vi);
	assert_int_equal(vmem_sync(c.fs), 0);
	lsn = c.fs->head;
	make(&c.root, "two", S_FILE, &vi);
	assert_int_equal(vmem_sync(c.fs), 0);
	rec = (void *)(c.sim->now + vmem_ring_off(c.fs, lsn));
	rec->time = vmem_le64_of(vmem_get64(rec->time) + 1);
	vmem_seal_record(c.fs, rec, lsn, vmem_get32(rec->len), vmem_get16(rec->type));
	fail_and_mount(&c, SIM_HOST);
	assert_true(exists(&c.root, "one"));
	assert_false(exists(&c.root, "two"));
	finish(&c);
}

/* Recovery itself is cut after each of its stores, up to three times over. */
static void recovery_may_be_cut_anywhere_and_start_again(void **state)
{
	enum vmem_domain domain = domain_of(state);
	uint64_t at;
	bool cut = true;

	for (at = 1; cut; at++) {
		struct vmem_inode vi;
		struct ctx c;
		unsigned int depth;

		up(&c, domain, 4 * MiB, 64);
		c.sim->rng += at;
		make(&c.root, "gone", S_FILE, &vi);
		write_pattern(&vi, 0, 50000, 3);
		assert_int_equal(vmem_unlink(&c.root, N("gone"), &vi), 0);
		make(&c.root, "file", S_FILE, &vi);
		write_pattern(&vi, 0, 1000, 1);
		assert_int_equal(vmem_fsync(&vi, false), 0);
		write_pattern(&vi, 1000, 1000, 1);	/* rides */
		assert_int_equal(vmem_fsync(&vi, false), 0);
		fail_now(&c, (enum sim_failure)domain);
		cut = false;
		for (depth = 0; depth < 3; depth++) {
			struct vmem_mount_opts opts = { .domain = domain };

			c.sim->fail_kind = (enum sim_failure)domain;
			c.sim->fail_at = c.sim->stores + at + depth * 3;
			assert_int_equal(try_mount(&c, &opts), 0);
			if (!c.sim->left) {
				fail_now(&c, (enum sim_failure)domain);
				continue;
			}
			cut = true;
			sim_restart(c.sim, c.sim->left, c.sim->fail_kind);
		}
		again(&c);
		open_name(&c.root, "file", &vi);
		assert_int_equal(vmem_size(&vi), 2000);
		expect_pattern(&vi, 0, 2000, 1);
		assert_false(exists(&c.root, "gone"));
		put(&vi);
		finish(&c);
	}
	assert_true(at > 10);
}

static void recovering_twice_equals_recovering_once(void **state)
{
	struct vmem_mount_opts opts = { .read_only = true, .domain = domain_of(state) };
	struct vmem_inode vi;
	uint8_t *once;
	struct ctx c;
	uint64_t skip = 3 * BLOCK;	/* the roots have times and counters */

	up(&c, opts.domain, 4 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	write_pattern(&vi, 0, 50000, 1);
	fail_now(&c, SIM_GUEST);
	assert_int_equal(try_mount(&c, &opts), 0);
	assert_int_equal(vmem_umount(c.fs), 0);
	once = malloc(c.sim->size);
	memcpy(once, c.sim->now, c.sim->size);
	assert_int_equal(try_mount(&c, &opts), 0);
	assert_int_equal(c.info.replayed, 0);
	assert_int_equal(vmem_umount(c.fs), 0);
	assert_memory_equal(once + skip, c.sim->now + skip, c.sim->size - skip);
	free(once);
	again(&c);
	finish(&c);
}

/* ---- The backing generation ---- */

static void the_guest_domain_demands_a_check_after_the_host_failed(void **state)
{
	struct vmem_mount_opts opts = { .domain = VMEM_DOMAIN_GUEST };
	struct vmem_inode vi;
	struct ctx c;
	unsigned int i;

	(void)state;
	up(&c, VMEM_DOMAIN_GUEST, 4 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	fail_now(&c, SIM_GUEST);
	c.sim->store.generation[0]++;
	for (i = 0; i < 2; i++)		/* asking again does not help */
		assert_int_equal(try_mount(&c, &opts), -EUCLEAN);
	opts.check = true;
	assert_int_equal(try_mount(&c, &opts), 0);
	assert_true(c.info.host_failed);
	assert_int_equal(vmem_umount(c.fs), 0);
	opts.check = false;		/* checked, but not approved */
	assert_int_equal(try_mount(&c, &opts), -EUCLEAN);
	opts.check = true;
	opts.check_done = true;
	assert_int_equal(try_mount(&c, &opts), 0);
	assert_int_equal(vmem_umount(c.fs), 0);
	again(&c);
	assert_true(exists(&c.root, "file"));
	finish(&c);
}

static void a_cleanly_unmounted_image_may_move_to_another_host(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	up(&c, domain_of(state), 4 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	write_pattern(&vi, 0, 5000, 1);
	put(&vi);
	down(&c);
	sim_restart(c.sim, sim_failed_image(c.sim, (enum sim_failure)c.domain),
		    (enum sim_failure)c.domain);
	c.sim->store.generation[0]++;
	again(&c);
	assert_false(c.info.host_failed);
	open_name(&c.root, "file", &vi);
	expect_pattern(&vi, 0, 5000, 1);
	put(&vi);
	finish(&c);
}

static void unmounting_makes_everything_host_durable_in_every_domain(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	up(&c, domain_of(state), 4 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	write_pattern(&vi, 0, 5000, 1);
	put(&vi);
	down(&c);
	assert_memory_equal(c.sim->now, c.sim->durable, c.sim->size);
	sim_free(c.sim);
}

/* ---- Checkpoint ---- */

static void a_checkpoint_leaves_nothing_to_replay(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	up(&c, domain_of(state), 4 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	write_pattern(&vi, 0, 5000, 1);
	assert_int_equal(vmem_sync(c.fs), 0);
	assert_int_equal(vmem_checkpoint(c.fs), 0);
	fail_and_mount(&c, (enum sim_failure)c.domain);
	assert_int_equal(c.info.replayed, 0);
	open_name(&c.root, "file", &vi);
	expect_pattern(&vi, 0, 5000, 1);
	put(&vi);
	finish(&c);
}

static void the_log_wraps_many_times(void **state)
{
	struct vmem_stats stats;
	struct vmem_inode vi;
	char name[32];
	struct ctx c;
	unsigned int i;

	up(&c, domain_of(state), 8 * MiB, 64);
	for (i = 0; i < 8000; i++) {
		snprintf(name, sizeof(name), "name%u", i % 300);
		if (exists(&c.root, name)) {
			unlink_name(&c.root, name);
			continue;
		}
		make(&c.root, name, S_FILE, &vi);
		if (i % 5 == 0)
			write_pattern(&vi, i % 7000, 3000, 1);
		if (i % 50 == 0)
			assert_int_equal(vmem_fsync(&vi, false), 0);
		put(&vi);
		assert_true(c.fs->head - c.fs->tail <= c.fs->log_size);
		if (i % 1000 == 999) {
			assert_int_equal(vmem_sync(c.fs), 0);
			vmem_get_stats(c.fs, &stats);
			assert_true(stats.record_bytes > 0);
			fail_and_mount(&c, (enum sim_failure)c.domain);
			down(&c);
			again(&c);
		}
	}
	assert_true(c.fs->head > 6 * c.fs->log_size);
	finish(&c);
}

static unsigned int kicks;

static void count_kick(const struct vmem_env *env)
{
	(void)env;
	kicks++;
}

static void a_half_full_log_asks_for_a_checkpoint_once(void **state)
{
	struct vmem_attr attr = { .mode = 0640 };
	struct ctx c;
	uint64_t head;

	up(&c, domain_of(state), 4 * MiB, 128);
	c.sim->env.kick = count_kick;
	kicks = 0;
	head = c.fs->head;
	while (c.fs->head - head < c.fs->log_size * 6 / 10) {
		if (c.fs->head - c.fs->tail < c.fs->log_size / 2)
			assert_int_equal(kicks, 0);
		assert_int_equal(vmem_setattr(&c.root, VMEM_SET_MODE, &attr), 0);
		attr.mode ^= 1;
	}
	assert_int_equal(kicks, 1);
	assert_int_equal(vmem_checkpoint(c.fs), 0);
	finish(&c);
}

/* ---- Errors at unmount ---- */

/*
 * A block was a directory's, then a file's.  Unmounting with an error must
 * not make recovery write the directory's record again.
 */
static void an_unmount_after_damage_keeps_the_data(void **state)
{
	struct vmem_mount_opts opts = { .domain = domain_of(state), .check = true };
	struct vmem_inode dir, vi, bad;
	uint64_t ino;
	struct ctx c;

	up(&c, opts.domain, 4 * MiB, 256);	/* no checkpoint on the way */
	make(&c.root, "bad", S_FILE, &bad);
	ino = bad.ino;
	put(&bad);
	down(&c);
	c.sim->now[((vmem_get64(((struct vmem_superblock *)(void *)c.sim->now)->agmeta0) + 2)
		    * BLOCK) + ino * VMEM_INODE_SIZE + 24] ^= 1;
	again(&c);
	make(&c.root, "dir", S_DIR, &dir);
	make(&dir, "x", S_FILE, &vi);
	assert_int_equal(vmem_unlink(&dir, N("x"), &vi), 0);
	put(&vi);
	assert_int_equal(vmem_rmdir(&c.root, N("dir"), &dir), 0);
	put(&dir);
	make(&c.root, "file", S_FILE, &vi);
	fill_store(&vi, 0);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	assert_int_equal(vmem_iget(c.fs, ino, &bad), -EUCLEAN);
	put(&vi);
	put(&c.root);
	vmem_umount(c.fs);

	assert_int_equal(try_mount(&c, &opts), 0);
	assert_int_equal(vmem_iget(c.fs, VMEM_ROOT_INO, &c.root), 0);
	open_name(&c.root, "file", &vi);
	assert_true(vmem_size(&vi) > MiB);
	expect_pattern(&vi, 0, vmem_size(&vi), 7);
	put(&vi);
	put(&c.root);
	vmem_umount(c.fs);
	sim_free(c.sim);
}

static void a_mount_whose_flush_fails_is_an_error(void **state)
{
	struct vmem_mount_opts opts = { .domain = VMEM_DOMAIN_HOST };
	struct vmem_inode vi;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 4 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	fail_now(&c, SIM_GUEST);
	c.sim->flush_fails = true;
	assert_int_equal(try_mount(&c, &opts), -EIO);
	assert_int_equal(c.sim->live, 0);
	c.sim->flush_fails = false;
	again(&c);
	assert_true(exists(&c.root, "file"));
	finish(&c);
}

static void what_is_shut_down_stores_nothing_and_is_recovered(void **state)
{
	struct vmem_attr attr = { .mode = 0600 };
	struct vmem_inode vi, other;
	uint8_t *before;
	struct ctx c;

	up(&c, domain_of(state), 4 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	write_pattern(&vi, 0, 9000, 1);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	vmem_shutdown(c.fs);
	before = malloc(c.sim->store.size);
	memcpy(before, c.sim->store.base, c.sim->store.size);
	assert_int_equal(vmem_setattr(&vi, VMEM_SET_MODE, &attr), -EIO);
	assert_int_equal(try_make(&c.root, "other", S_FILE, &other), -EIO);
	assert_int_equal(vmem_unlink(&c.root, N("file"), &vi), -EIO);
	assert_int_equal(vmem_truncate(&vi, 0), -EIO);
	assert_int_equal(vmem_fsync(&vi, false), -EIO);
	assert_int_equal(vmem_sync(c.fs), -EIO);
	assert_int_equal(vmem_checkpoint(c.fs), -EIO);
	put(&vi);
	put(&c.root);
	assert_int_equal(vmem_umount(c.fs), -EIO);
	assert_memory_equal(before, c.sim->store.base, c.sim->store.size);
	free(before);
	again(&c);
	assert_true(c.info.was_dirty);
	open_name(&c.root, "file", &vi);
	expect_pattern(&vi, 0, 9000, 1);
	put(&vi);
	finish(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_DOMAIN(what_is_shut_down_stores_nothing_and_is_recovered),
		EACH_DOMAIN(a_clean_unmount_leaves_nothing_to_replay),
		EACH_DOMAIN(every_returned_operation_survives_the_guest),
		cmocka_unit_test(after_the_host_failed_the_last_fsync_is_the_state),
		cmocka_unit_test(a_torn_newest_record_is_as_if_it_never_was),
		cmocka_unit_test(a_record_of_another_history_is_none_of_its_group),
		EACH_DOMAIN(recovery_may_be_cut_anywhere_and_start_again),
		EACH_DOMAIN(recovering_twice_equals_recovering_once),
		cmocka_unit_test(the_guest_domain_demands_a_check_after_the_host_failed),
		EACH_DOMAIN(a_cleanly_unmounted_image_may_move_to_another_host),
		EACH_DOMAIN(unmounting_makes_everything_host_durable_in_every_domain),
		EACH_DOMAIN(a_checkpoint_leaves_nothing_to_replay),
		EACH_DOMAIN(the_log_wraps_many_times),
		EACH_DOMAIN(a_half_full_log_asks_for_a_checkpoint_once),
		EACH_DOMAIN(an_unmount_after_damage_keeps_the_data),
		cmocka_unit_test(a_mount_whose_flush_fails_is_an_error),
	};

	return cmocka_run_group_tests_name("recovery", tests, NULL, NULL);
}
