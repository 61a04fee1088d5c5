// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* test_threads.c - several threads on one mount: group commit, and no mix-ups */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <unistd.h>
#include "fixture.h"
#include "fs/fs.h"

static void nap(void)
{
	usleep(20000);
}

/* ---- Group commit ---- */

/* A flush that waits until it is let go. */
struct gate {
	atomic_int arrived, open;
};

static void wait_at_gate(void *arg)
{
	struct gate *g = arg;

	atomic_fetch_add(&g->arrived, 1);
	while (!atomic_load(&g->open))
		usleep(1000);
}

struct syncer {
	pthread_t thread;
	struct vmem_inode vi;
	int result;
};

static void *run_fsync(void *arg)
{
	struct syncer *s = arg;

	s->result = vmem_fsync(&s->vi, false);
	return NULL;
}

static void start(struct syncer *s)
{
	assert_int_equal(pthread_create(&s->thread, NULL, run_fsync, s), 0);
}

static void join(struct syncer *s)
{
	assert_int_equal(pthread_join(s->thread, NULL), 0);
	assert_int_equal(s->result, 0);
}

#define WAITERS 8

static void waiters_for_fsync_share_one_commit(void **state)
{
	struct syncer s[WAITERS + 1];
	struct gate gate = { 0, 0 };
	struct vmem_stats before, after;
	char name[16];
	struct ctx c;
	unsigned int i;

	(void)state;
	up_threaded(&c, VMEM_DOMAIN_HOST, 16 * MiB);
	for (i = 0; i <= WAITERS; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		make(&c.root, name, S_FILE, &s[i].vi);
	}
	vmem_get_stats(c.fs, &before);
	c.sim->on_flush = wait_at_gate;
	c.sim->on_flush_arg = &gate;
	start(&s[0]);
	while (!atomic_load(&gate.arrived))
		nap();
	/* The commit of the first is on its way: these need the next. */
	for (i = 1; i <= WAITERS; i++) {
		assert_int_equal(vmem_setattr(&s[i].vi, VMEM_SET_MODE,
					      &(struct vmem_attr){ .mode = 0600 }), 0);
		start(&s[i]);
	}
	nap();
	atomic_store(&gate.open, 1);
	for (i = 0; i <= WAITERS; i++)
		join(&s[i]);
	vmem_get_stats(c.fs, &after);
	assert_int_equal(after.commits - before.commits, 2);
	assert_int_equal(after.flushes - before.flushes, 2);
	c.sim->on_flush = NULL;
	for (i = 0; i <= WAITERS; i++)
		put(&s[i].vi);
	finish(&c);
}

/*
 * A commit is under way, its record is in the log but does not count yet.  What
 * is done then stands behind it, and must be there when the VM is killed.
 */
static void what_returns_during_a_commit_survives_a_kill(void **state)
{
	struct gate gate = { 0, 0 };
	struct vmem_inode vi;
	struct syncer s;
	uint8_t *image;
	struct ctx c;

	(void)state;
	up_threaded(&c, VMEM_DOMAIN_HOST, 16 * MiB);
	sim_use_commits(c.sim);
	make(&c.root, "file", S_FILE, &s.vi);
	write_pattern(&s.vi, 0, 5 * BLOCK, 1);
	c.sim->on_flush = wait_at_gate;
	c.sim->on_flush_arg = &gate;
	start(&s);
	while (!atomic_load(&gate.arrived))
		nap();
	make(&c.root, "meanwhile", S_FILE, &vi);
	put(&vi);
	image = sim_failed_image(c.sim, SIM_GUEST);
	atomic_store(&gate.open, 1);
	join(&s);
	c.sim->on_flush = NULL;
	put(&s.vi);
	down(&c);
	sim_restart(c.sim, image, SIM_GUEST);
	again(&c);
	open_name(&c.root, "file", &vi);
	expect_pattern(&vi, 0, 5 * BLOCK, 1);
	put(&vi);
	open_name(&c.root, "meanwhile", &vi);
	put(&vi);
	finish(&c);
}

/*
 * A commit has taken its ranges and is flushing.  A file whose record it
 * covers is overwritten and fsynced: its bytes are not among those ranges.
 */
static void an_overwrite_during_a_commit_is_durable_when_its_fsync_returns(void **state)
{
	struct syncer other, own;
	struct gate gate = { 0, 0 };
	struct ctx c;
	uint64_t off;

	(void)state;
	up_threaded(&c, VMEM_DOMAIN_HOST, 16 * MiB);
	make(&c.root, "other", S_FILE, &other.vi);
	make(&c.root, "own", S_FILE, &own.vi);
	write_pattern(&own.vi, 0, 4 * BLOCK, 1);
	assert_int_equal(vmem_sync(c.fs), 0);
	assert_int_equal(vmem_setattr(&own.vi, VMEM_SET_MODE, &(struct vmem_attr){ .mode = 0600 }), 0);
	assert_int_equal(vmem_setattr(&other.vi, VMEM_SET_MODE, &(struct vmem_attr){ .mode = 0600 }), 0);
	off = where(&own.vi, 0);
	c.sim->on_flush = wait_at_gate;
	c.sim->on_flush_arg = &gate;
	start(&other);
	while (!atomic_load(&gate.arrived))
		nap();
	write_pattern(&own.vi, 0, BLOCK, 2);
	own.vi.times_dirty = false;	/* as for fdatasync: no record of its own */
	start(&own);
	nap();
	atomic_store(&gate.open, 1);
	join(&other);
	join(&own);
	assert_memory_equal(c.sim->durable + off, c.sim->now + off, BLOCK);
	c.sim->on_flush = NULL;
	put(&other.vi);
	put(&own.vi);
	finish(&c);
}

static void a_failed_commit_is_an_error_to_every_waiter(void **state)
{
	struct syncer s[4];
	struct gate gate = { 0, 0 };
	char name[16];
	struct ctx c;
	unsigned int i;

	(void)state;
	up_threaded(&c, VMEM_DOMAIN_HOST, 16 * MiB);
	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		make(&c.root, name, S_FILE, &s[i].vi);
	}
	c.sim->on_flush = wait_at_gate;
	c.sim->on_flush_arg = &gate;
	c.sim->flush_fails = true;
	for (i = 0; i < 4; i++)
		start(&s[i]);
	nap();
	atomic_store(&gate.open, 1);
	for (i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(s[i].thread, NULL), 0);
		assert_int_equal(s[i].result, -EIO);
		vmem_iput(&s[i].vi);
	}
	put(&c.root);
	assert_int_equal(vmem_umount(c.fs), -EIO);
	assert_int_equal(c.sim->live, 0);
	sim_free(c.sim);
}

/* ---- Stress ---- */

#define WORKERS 4
#define ROUNDS 400u

struct worker {
	pthread_t thread;
	struct ctx *c;
	unsigned int nr;
	atomic_int *stop;
	struct vmem_inode *vi;
	const char *error;
};

#define CHECK(w, x) do { if (!(x)) { (w)->error = #x; return NULL; } } while (0)

static size_t fill(void *ctx, void *addr, size_t len)
{
	memset(addr, *(int *)ctx, len);
	return len;
}

static size_t compare(void *ctx, void *addr, size_t len)
{
	const uint8_t *p = addr;
	size_t i;

	for (i = 0; i < len && p[i] == *(int *)ctx; i++)
		;
	return i;
}

/* Each has a directory of its own, so no inode is shared. */
static void *work(void *arg)
{
	struct worker *w = arg;
	struct vmem_attr attr = { .mode = S_FILE };
	struct vmem_inode dir, vi;
	unsigned int i;
	char name[32];
	uint64_t ino;
	int byte;

	snprintf(name, sizeof(name), "dir%u", w->nr);
	CHECK(w, !vmem_lookup(&w->c->root, N(name), &ino, NULL));
	CHECK(w, !vmem_iget(w->c->fs, ino, &dir));
	for (i = 0; i < ROUNDS; i++) {
		size_t len = 100 + i * 37 % 20000;

		byte = 1 + (int)((w->nr * 50 + i) % 200);
		snprintf(name, sizeof(name), "file%u", i);
		CHECK(w, !vmem_create(&dir, N(name), &attr, &vi));
		CHECK(w, vmem_write(&vi, i % 5000, len, fill, &byte) == (int64_t)len);
		if (i % 3 == 0)
			CHECK(w, !vmem_fsync(&vi, i % 2));
		CHECK(w, vmem_write(&vi, i % 5000, len / 2, fill, &byte) == (int64_t)(len / 2));
		if (i % 5 == 0)
			CHECK(w, !vmem_fsync(&vi, i % 2));
		CHECK(w, vmem_read(&vi, i % 5000, len, compare, &byte) == (int64_t)len);
		CHECK(w, !vmem_truncate(&vi, len / 3));
		if (i % 4)
			CHECK(w, !vmem_unlink(&dir, N(name), &vi));
		CHECK(w, !vmem_iput(&vi));
	}
	CHECK(w, !vmem_iput(&dir));
	return NULL;
}

static void *sync_and_checkpoint(void *arg)
{
	struct worker *w = arg;
	struct vmem_statfs st;

	while (!atomic_load(w->stop)) {
		CHECK(w, !vmem_sync(w->c->fs));
		CHECK(w, !vmem_checkpoint(w->c->fs));
		vmem_statfs(w->c->fs, &st);
		CHECK(w, st.free_blocks <= st.blocks);
		usleep(500);
	}
	return NULL;
}

/* The workers, somebody who syncs all the time, and what happens meanwhile. */
static void let_work(struct ctx *c, void (*meanwhile)(struct ctx *c))
{
	struct worker w[WORKERS + 1];
	atomic_int stop = 0;
	char name[32];
	unsigned int i;

	if (c->domain == VMEM_DOMAIN_HOST)
		sim_use_commits(c->sim);
	for (i = 0; i <= WORKERS; i++) {
		struct vmem_inode dir;

		w[i] = (struct worker){ .c = c, .nr = i, .stop = &stop };
		snprintf(name, sizeof(name), "dir%u", i);
		make(&c->root, name, S_DIR, &dir);
		put(&dir);
	}
	for (i = 0; i <= WORKERS; i++)
		assert_int_equal(pthread_create(&w[i].thread, NULL,
						i < WORKERS ? work : sync_and_checkpoint, &w[i]), 0);
	if (meanwhile)
		meanwhile(c);
	for (i = 0; i <= WORKERS; i++) {
		if (i == WORKERS)
			atomic_store(&stop, 1);
		assert_int_equal(pthread_join(w[i].thread, NULL), 0);
	}
	for (i = 0; i <= WORKERS; i++)
		if (w[i].error)
			fail_msg("thread %u: not true: %s", i, w[i].error);
}

static void threads_on_their_own_files_do_not_disturb_each_other(void **state)
{
	struct ctx c;

	up_threaded(&c, domain_of(state), 16 * MiB);
	let_work(&c, NULL);
	finish(&c);
}

static int has_room(struct vmem_store *store, uint64_t off, uint64_t len)
{
	return off + len <= store->size ? 0 : -EIO;
}

static void grow_in_steps(struct ctx *c)
{
	uint64_t size;

	for (size = 8 * MiB; size <= 16 * MiB; size += 64 * BLOCK) {
		assert_int_equal(vmem_grow(c->fs, size), 0);
		usleep(1000);
	}
}

static void it_grows_beside_threads_that_use_it(void **state)
{
	struct vmem_mkfs_params params = { .size = 8 * MiB };
	struct vmem_statfs st;
	struct ctx c = { .domain = domain_of(state) };

	c.sim = sim_new(16 * MiB, c.domain == VMEM_DOMAIN_PMEM ? VMEM_BACKING_DAX : VMEM_BACKING_PAGE_CACHE, 1);
	c.sim->store.provision = has_room;
	assert_int_equal(vmem_mkfs(&c.sim->store, &c.sim->env, &params), 0);
	sim_use_threads(c.sim);
	again(&c);
	let_work(&c, grow_in_steps);
	vmem_statfs(c.fs, &st);
	assert_int_equal(st.blocks * BLOCK, 16 * MiB);
	finish(&c);
}

/* Readers of a directory and its files beside a writer. */
static void *look(void *arg)
{
	struct worker *w = arg;
	uint64_t ino;

	while (!atomic_load(w->stop)) {
		struct vmem_inode vi;
		int err = vmem_lookup(&w->c->root, N("stays"), &ino, NULL);

		CHECK(w, !err);
		CHECK(w, !vmem_iget(w->c->fs, ino, &vi));
		CHECK(w, !vmem_iput(&vi));
	}
	return NULL;
}

static void lookups_see_a_name_throughout(void **state)
{
	struct worker w = { 0 };
	atomic_int stop = 0;
	struct vmem_inode vi, dir;
	char name[32];
	struct ctx c;
	unsigned int i;

	up_threaded(&c, domain_of(state), 16 * MiB);
	if (c.domain == VMEM_DOMAIN_HOST)
		sim_use_commits(c.sim);
	make(&c.root, "stays", S_FILE, &vi);
	put(&vi);
	make(&c.root, "dir", S_DIR, &dir);
	w.c = &c;
	w.stop = &stop;
	assert_int_equal(pthread_create(&w.thread, NULL, look, &w), 0);
	for (i = 0; i < 500; i++) {	/* another directory: the root is not changed */
		snprintf(name, sizeof(name), "name%u", i);
		make(&dir, name, S_FILE, &vi);
		put(&vi);
		if (i % 100 == 0)
			assert_int_equal(vmem_checkpoint(c.fs), 0);
	}
	atomic_store(&stop, 1);
	assert_int_equal(pthread_join(w.thread, NULL), 0);
	assert_null(w.error);
	put(&dir);
	finish(&c);
}

/* ---- Checkpoints ---- */

#define STORMERS 16u

struct stormer {
	pthread_t thread;
	struct vmem_inode vi;
	unsigned int nr;
	int result;
};

static void *change_modes(void *arg)
{
	struct stormer *s = arg;
	unsigned int i;

	for (i = 0; i < s->nr && !s->result; i++)
		s->result = vmem_setattr(&s->vi, VMEM_SET_MODE,
					 &(struct vmem_attr){ .mode = i % 2 ? 0600 : 0644 });
	return NULL;
}

/* Of those who find the log full at once, one makes room. */
static void many_threads_at_a_full_log_make_one_checkpoint(void **state)
{
	struct stormer s[STORMERS];
	struct vmem_stats before, after;
	uint64_t bytes, room;
	char name[16];
	unsigned int i;
	struct ctx c;

	up_threaded(&c, domain_of(state), 16 * MiB);
	for (i = 0; i < STORMERS; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		make(&c.root, name, S_FILE, &s[i].vi);
		s[i].result = 0;
		/* A record has more than 64 bytes: the log is full several times. */
		s[i].nr = (unsigned int)(5 * c.fs->log_size / 64 / STORMERS);
	}
	vmem_get_stats(c.fs, &before);
	for (i = 0; i < STORMERS; i++)
		assert_int_equal(pthread_create(&s[i].thread, NULL, change_modes, &s[i]), 0);
	for (i = 0; i < STORMERS; i++) {
		assert_int_equal(pthread_join(s[i].thread, NULL), 0);
		assert_int_equal(s[i].result, 0);
	}
	vmem_get_stats(c.fs, &after);
	bytes = after.record_bytes - before.record_bytes;
	room = c.fs->log_size - 2 * VMEM_LOG_SLACK;
	assert_true(bytes > 4 * c.fs->log_size);
	assert_true(after.checkpoints - before.checkpoints >= 3);
	assert_true(after.checkpoints - before.checkpoints <= bytes / room + 1);
	for (i = 0; i < STORMERS; i++)
		put(&s[i].vi);
	finish(&c);
}

/* Another thread, while a flush is under way: it must come to its end. */
struct other {
	struct ctx *c;
	struct vmem_inode *vi;		/* "file": three blocks, the second a hole */
	unsigned int flushes;
	bool full;			/* the log has no room for a record */
};

/* What needs no record. */
static bool read_and_overwrite(struct other *o)
{
	struct vmem_map map;
	uint8_t buf[64] = { 0 };
	uint64_t ino;

	if (vmem_lookup(&o->c->root, N("file"), &ino, NULL) || vmem_map(o->vi, 0, 1, &map) ||
	    vmem_map_write(o->vi, 2, 1, &map) || read_at(o->vi, 0, buf, sizeof(buf)) != sizeof(buf) ||
	    write_at(o->vi, 100, buf, sizeof(buf)) != sizeof(buf))
		return false;
	vmem_touch(o->vi, VMEM_SET_ATIME, 5000 + o->flushes);
	return true;
}

/* What needs one. */
static bool make_and_append(struct other *o)
{
	struct vmem_attr attr = { .mode = S_FILE };
	struct vmem_inode vi;
	struct vmem_map map;
	char name[16];

	snprintf(name, sizeof(name), "new%u", o->flushes);
	return !vmem_create(&o->c->root, N(name), &attr, &vi) && write_at(&vi, 0, name, 10) == 10 &&
	       write_at(o->vi, vmem_size(o->vi), name, 10) == 10 && !vmem_map_write(&vi, 8, 1, &map) &&
	       !vmem_unlink(&o->c->root, N(name), &vi) && !vmem_iput(&vi);
}

static void *do_other(void *arg)
{
	struct other *o = arg;

	return read_and_overwrite(o) && (o->full || make_and_append(o)) ? NULL : o;
}

static void run_other(void *arg)
{
	struct other *o = arg;
	struct timespec limit;
	pthread_t thread;
	void *failed;

	o->flushes++;
	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += 120;
	assert_int_equal(pthread_create(&thread, NULL, do_other, o), 0);
	assert_int_equal(pthread_timedjoin_np(thread, &failed, &limit), 0);
	assert_null(failed);
}

static void start_other(struct ctx *c, struct other *o, struct vmem_inode *vi)
{
	up_threaded(c, VMEM_DOMAIN_HOST, 16 * MiB);
	make(&c->root, "file", S_FILE, vi);
	write_pattern(vi, 0, BLOCK, 1);
	write_pattern(vi, 2 * BLOCK, BLOCK, 1);
	*o = (struct other){ .c = c, .vi = vi };
	c->sim->on_flush_arg = o;
}

static void nobody_waits_for_the_flushes_of_a_checkpoint(void **state)
{
	struct vmem_inode vi, other;
	struct other o;
	struct ctx c;

	(void)state;
	start_other(&c, &o, &vi);
	make(&c.root, "other", S_FILE, &other);
	c.sim->on_flush = run_other;
	assert_int_equal(vmem_checkpoint(c.fs), 0);
	/* The group's data and its record, what is home, the root. */
	assert_int_equal(o.flushes, 4);
	write_pattern(&other, 0, BLOCK, 1);
	assert_int_equal(vmem_fsync(&other, false), 0);
	assert_true(o.flushes > 4);
	c.sim->on_flush = NULL;
	put(&vi);
	put(&other);
	finish(&c);
}

/* A record has no room until a checkpoint has made some: that is nobody else's business. */
static void at_a_full_log_only_those_wait_who_need_a_record(void **state)
{
	uint64_t checkpoints;
	struct vmem_inode vi;
	struct other o;
	unsigned int i;
	struct ctx c;

	(void)state;
	start_other(&c, &o, &vi);
	checkpoints = c.fs->ckpts_done;
	for (i = 0; c.fs->head - c.fs->tail + VMEM_LOG_SLACK <= c.fs->log_size; i++)
		assert_int_equal(vmem_setattr(&c.root, VMEM_SET_MODE,
					      &(struct vmem_attr){ .mode = i % 2 ? 0755 : 0700 }), 0);
	assert_int_equal(c.fs->ckpts_done, checkpoints);
	o.full = true;
	c.sim->on_flush = run_other;
	assert_int_equal(vmem_setattr(&c.root, VMEM_SET_MODE, &(struct vmem_attr){ .mode = 0755 }), 0);
	assert_int_equal(c.fs->ckpts_done, checkpoints + 1);
	assert_true(o.flushes >= 4);
	c.sim->on_flush = NULL;
	put(&vi);
	finish(&c);
}

/* ---- Without the lock ---- */

static int count_entry(void *ctx, const char *name, size_t len, uint64_t ino, unsigned int type,
		       uint64_t cookie)
{
	(void)name;
	(void)len;
	(void)ino;
	(void)type;
	(void)cookie;
	++*(unsigned int *)ctx;
	return 0;
}

static void *look_around(void *arg)
{
	struct other *o = arg;
	unsigned int type, entries = 0;
	struct vmem_map map;
	uint64_t ino, cookie = 0;
	uint8_t buf[64];

	if (vmem_lookup(&o->c->root, N("file"), &ino, &type) || ino != o->vi->ino ||
	    vmem_lookup(&o->c->root, N("none"), &ino, &type) != -ENOENT ||
	    vmem_readdir(&o->c->root, &cookie, count_entry, &entries) || entries != 3 ||
	    vmem_map(o->vi, 2, 1, &map) || !map.pblk || vmem_map(o->vi, 1, 1, &map) || map.pblk ||
	    vmem_map_write(o->vi, 2, 1, &map) || vmem_seek(o->vi, 0, true) != BLOCK ||
	    read_at(o->vi, 0, buf, sizeof(buf)) != sizeof(buf))
		return o;
	vmem_mark_dirty(o->vi, 0, BLOCK);
	if (o->c->domain == VMEM_DOMAIN_HOST && !read_and_overwrite(o))
		return o;
	return NULL;
}

/* While somebody changes the file system, however long that takes. */
static void what_needs_no_record_needs_no_lock(void **state)
{
	struct timespec limit;
	struct vmem_inode vi;
	struct vmem_map map;
	pthread_t thread;
	struct other o;
	void *failed;
	struct ctx c;

	up_threaded(&c, domain_of(state), 16 * MiB);
	make(&c.root, "file", S_FILE, &vi);
	write_pattern(&vi, 0, BLOCK, 1);
	write_pattern(&vi, 2 * BLOCK, BLOCK, 1);
	assert_int_equal(vmem_map_write(&vi, 0, 1, &map), 0);
	o = (struct other){ .c = &c, .vi = &vi };
	vmem_lock(c.fs, c.fs->lock);
	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += 120;
	assert_int_equal(pthread_create(&thread, NULL, look_around, &o), 0);
	assert_int_equal(pthread_timedjoin_np(thread, &failed, &limit), 0);
	assert_null(failed);
	vmem_unlock(c.fs, c.fs->lock);
	put(&vi);
	finish(&c);
}

static void a_page_that_is_dropped_stays_until_its_readers_leave(void **state)
{
	struct vmem_inode vi;
	const uint8_t *page;
	uint32_t *reader;
	uint8_t before;
	uint64_t off;
	struct ctx c;

	(void)state;
	up_threaded(&c, VMEM_DOMAIN_GUEST, 16 * MiB);
	make(&c.root, "file", S_FILE, &vi);
	off = vmem_inode_off(c.fs, vi.ino);
	reader = vmem_overlay_enter(c.fs);
	page = vmem_meta(c.fs, off);
	assert_ptr_not_equal(page, c.fs->store->base + off);
	before = *page;
	vmem_lock(c.fs, c.fs->lock);
	vmem_overlay_drop(c.fs, false);
	assert_ptr_equal(vmem_meta(c.fs, off), c.fs->store->base + off);
	vmem_overlay_reap(c.fs);
	assert_non_null(c.fs->limbo);
	assert_int_equal(*page, before);
	vmem_unlock(c.fs, c.fs->lock);
	/* What comes after them waits in the overlay: else there could be any number. */
	assert_int_equal(vmem_setattr(&vi, VMEM_SET_MODE, &(struct vmem_attr){ .mode = 0600 }), 0);
	vmem_lock(c.fs, c.fs->lock);
	vmem_overlay_drop(c.fs, false);
	assert_ptr_not_equal(vmem_meta(c.fs, off), c.fs->store->base + off);
	assert_int_equal(*page, before);
	vmem_overlay_leave(reader);
	vmem_overlay_drop(c.fs, false);
	assert_ptr_equal(vmem_meta(c.fs, off), c.fs->store->base + off);
	assert_null(c.fs->limbo);
	vmem_unlock(c.fs, c.fs->lock);
	put(&vi);
	finish(&c);
}

/* What a long store finds. */
static struct {
	struct vmem_fs *fs;
	void (*recorded)(struct vmem_store *store, uint64_t off, size_t len);
	unsigned int nr, locked;
} long_stores;

static void look_at_store(struct vmem_store *store, uint64_t off, size_t len)
{
	if (long_stores.recorded)
		long_stores.recorded(store, off, len);
	if (len < MiB)
		return;
	long_stores.nr++;
	if (vmem_trylock_shared(long_stores.fs))
		vmem_unlock_shared(long_stores.fs);
	else
		long_stores.locked++;
}

static void a_large_hole_is_zeroed_without_the_lock(void **state)
{
	struct vmem_inode vi;
	struct vmem_map map;
	struct ctx c;

	up_threaded(&c, domain_of(state), 32 * MiB);
	make(&c.root, "file", S_FILE, &vi);
	assert_int_equal(vmem_truncate(&vi, 4 * MiB), 0);
	long_stores.fs = c.fs;
	long_stores.recorded = c.sim->store.recorded;
	long_stores.nr = 0;
	long_stores.locked = 0;
	c.sim->store.recorded = look_at_store;
	assert_int_equal(vmem_map_write(&vi, 512, 512, &map), 0);
	c.sim->store.recorded = long_stores.recorded;
	assert_int_equal(map.nr, 512);
	assert_int_equal(long_stores.nr, 1);
	assert_int_equal(long_stores.locked, 0);
	assert_int_equal(c.fs->reserved, 0);
	put(&vi);
	finish(&c);
}

#define SCATTERED 600u		/* blocks: more than a node's entries, each an extent of its own */

struct mapper {
	struct ctx *c;
	struct vmem_inode *vi;
	atomic_int *stop;
	uint64_t pblk[SCATTERED];
	const char *error;
};

/* A fault, again and again: where a block was it stays. */
static void *map_again(void *arg)
{
	struct mapper *m = arg;
	unsigned int i;

	for (i = 0; !atomic_load(m->stop); i = (i + 7) % SCATTERED) {
		struct vmem_map map;

		CHECK(m, !vmem_map(m->vi, 4 * i, 1, &map));
		CHECK(m, map.pblk == m->pblk[i]);
		CHECK(m, !vmem_map(m->vi, 4 * i + 2, 8, &map));
		CHECK(m, map.lblk == 4 * i + 2 && map.nr >= 1 && (map.nr <= 2 || i + 1 == SCATTERED));
	}
	return NULL;
}

/* Other blocks of the file appear, and its tree is split and split again. */
static void blocks_are_found_while_the_tree_of_their_file_grows(void **state)
{
	static struct mapper m;
	struct vmem_inode vi;
	atomic_int stop = 0;
	struct vmem_map map;
	pthread_t thread;
	unsigned int i;
	struct ctx c;

	up_threaded(&c, domain_of(state), 32 * MiB);
	make(&c.root, "file", S_FILE, &vi);
	assert_int_equal(vmem_truncate(&vi, 4 * SCATTERED * BLOCK), 0);
	m = (struct mapper){ .c = &c, .vi = &vi, .stop = &stop };
	for (i = 0; i < SCATTERED; i++) {
		assert_int_equal(vmem_map_write(&vi, 4 * i, 1, &map), 0);
		m.pblk[i] = map.pblk;
	}
	assert_int_equal(vmem_sync(c.fs), 0);
	assert_int_equal(pthread_create(&thread, NULL, map_again, &m), 0);
	for (i = 0; i < SCATTERED; i++) {
		unsigned int at = 4 * (i * 77 % SCATTERED) + 2;

		assert_int_equal(vmem_map_write(&vi, at, 1, &map), 0);
		if (i % 150 == 149)
			assert_int_equal(vmem_checkpoint(c.fs), 0);
	}
	atomic_store(&stop, 1);
	assert_int_equal(pthread_join(thread, NULL), 0);
	if (m.error)
		fail_msg("not true: %s", m.error);
	put(&vi);
	finish(&c);
}

static void expect_the_same_by_both_ways(struct vmem_inode *vi, uint64_t nr)
{
	uint64_t lblk;

	for (lblk = 0; lblk < nr; lblk++) {
		struct vmem_map seen, map;

		assert_true(vmem_peek_map(vi, lblk, &seen));
		assert_int_equal(vmem_ext_lookup(vi->fs, &vi->raw, vi->ino, lblk, &map), 0);
		/* Not the bytes: behind the kind there is padding. */
		assert_int_equal(seen.lblk, map.lblk);
		assert_int_equal(seen.nr, map.nr);
		assert_int_equal(seen.pblk, map.pblk);
		assert_int_equal(seen.next_to, map.next_to);
		assert_int_equal(seen.kind, map.kind);
	}
}

static void without_the_lock_the_same_extents_are_found(void **state)
{
	static const unsigned int extents[] = { 0, 1, VMEM_INLINE_EXTENTS, VMEM_INLINE_EXTENTS + 1, SCATTERED };
	struct vmem_inode vi;
	unsigned int i, k;
	char name[16];
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_GUEST, 32 * MiB, 0);
	for (i = 0; i < sizeof(extents) / sizeof(extents[0]); i++) {
		snprintf(name, sizeof(name), "f%u", i);
		make(&c.root, name, S_FILE, &vi);
		/* A hole in front, and one behind each. */
		for (k = 0; k < extents[i]; k++)
			write_pattern(&vi, (4 * k + 1) * BLOCK, (1 + k % 3) * BLOCK, k);
		expect_the_same_by_both_ways(&vi, 4 * extents[i] + 8);
		put(&vi);
	}
	finish(&c);
}

static size_t copy_bytes(void *ctx, void *addr, size_t len)
{
	memcpy(addr, ctx, len);
	return len;
}

static void what_may_not_wait_does_not_wait_for_a_lock(void **state)
{
	struct vmem_inode vi;
	uint8_t buf[100];
	struct ctx c;

	(void)state;
	up_threaded(&c, VMEM_DOMAIN_HOST, 16 * MiB);
	make(&c.root, "file", S_FILE, &vi);
	memset(buf, 'w', sizeof(buf));
	assert_int_equal(write_at(&vi, 0, buf, 100), 100);
	assert_false(vmem_would_wait(c.fs));
	assert_int_equal(vmem_write_nowait(&vi, 0, 10, copy_bytes, buf), 10);
	vmem_lock(c.fs, c.fs->lock);
	assert_true(vmem_would_wait(c.fs));
	assert_int_equal(vmem_write_nowait(&vi, 0, 10, copy_bytes, buf), -EAGAIN);
	vmem_unlock(c.fs, c.fs->lock);
	put(&vi);
	finish(&c);
}

/* Reads and page faults touch times while others look; ThreadSanitizer looks, too. */
#define TOUCHES 3000

static void *touch(void *arg)
{
	struct worker *w = arg;
	unsigned int i;

	for (i = 0; i < TOUCHES; i++)
		vmem_touch(w->vi, VMEM_SET_ATIME | VMEM_SET_CTIME, 1000);
	return NULL;
}

static void *look_at_ctime(void *arg)
{
	struct worker *w = arg;
	struct vmem_attr attr = { 0 };

	while (!atomic_load(w->stop)) {
		int64_t before = attr.ctime;

		vmem_see_ctime(w->vi);
		vmem_getattr(w->vi, &attr);
		CHECK(w, attr.ctime >= before);
	}
	return NULL;
}

static void ctime_never_goes_back_however_many_touch_it(void **state)
{
	struct worker w[3] = { 0 };
	atomic_int stop = 0;
	struct vmem_inode vi;
	struct ctx c;
	unsigned int i;

	up_threaded(&c, domain_of(state), 16 * MiB);
	make(&c.root, "file", S_FILE, &vi);
	for (i = 0; i < 3; i++) {
		w[i].vi = &vi;
		w[i].stop = &stop;
		assert_int_equal(pthread_create(&w[i].thread, NULL, i < 2 ? touch : look_at_ctime,
						&w[i]), 0);
	}
	for (i = 0; i < 3; i++) {
		if (i == 2)
			atomic_store(&stop, 1);
		assert_int_equal(pthread_join(w[i].thread, NULL), 0);
	}
	if (w[2].error)
		fail_msg("not true: %s", w[2].error);
	put(&vi);
	finish(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_DOMAIN(ctime_never_goes_back_however_many_touch_it),
		EACH_DOMAIN(many_threads_at_a_full_log_make_one_checkpoint),
		cmocka_unit_test(nobody_waits_for_the_flushes_of_a_checkpoint),
		cmocka_unit_test(at_a_full_log_only_those_wait_who_need_a_record),
		cmocka_unit_test(waiters_for_fsync_share_one_commit),
		cmocka_unit_test(what_returns_during_a_commit_survives_a_kill),
		cmocka_unit_test(an_overwrite_during_a_commit_is_durable_when_its_fsync_returns),
		cmocka_unit_test(a_failed_commit_is_an_error_to_every_waiter),
		EACH_DOMAIN(what_needs_no_record_needs_no_lock),
		cmocka_unit_test(a_page_that_is_dropped_stays_until_its_readers_leave),
		EACH_DOMAIN(a_large_hole_is_zeroed_without_the_lock),
		cmocka_unit_test(without_the_lock_the_same_extents_are_found),
		EACH_DOMAIN(blocks_are_found_while_the_tree_of_their_file_grows),
		EACH_DOMAIN(threads_on_their_own_files_do_not_disturb_each_other),
		EACH_DOMAIN(it_grows_beside_threads_that_use_it),
		EACH_DOMAIN(lookups_see_a_name_throughout),
		cmocka_unit_test(what_may_not_wait_does_not_wait_for_a_lock),
	};

	return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
