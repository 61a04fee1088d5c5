// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * durable.c - what a failure of the host leaves, and what durability costs
 *
 * The store is memory that plays the host's page cache; a second copy plays
 * its disk, and a flush copies pages to it.  When the host fails, the page
 * cache comes back as the disk is, under another generation.
 *
 *	durable [noflush]	with a flush that does nothing the tests must fail
 */
#include "check.h"

#define STORE	(8 * MiB)

static uint8_t cache[STORE] __attribute__((aligned(4096)));
static uint8_t disk[STORE], arena[4 * MiB] __attribute__((aligned(64)));
static uint8_t buf[64 * 1024], got[64 * 1024];
static struct vmemos_platform machine;
static unsigned int flushes, commits;
static bool broken, flush_fails, fails_before_the_mark;
static uint64_t room;		/* bytes that the host can still give */

static void copy_to_disk(const struct vmemos_range *r, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr && !broken; i++) {
		uint64_t from = r[i].offset & ~4095ull;
		uint64_t to = (r[i].offset + r[i].length + 4095) & ~4095ull;

		memcpy(disk + from, cache + from, to - from);
	}
}

static int flush_to_disk(struct vmemos_platform *p, const struct vmemos_range *r, unsigned int nr)
{
	(void)p;
	flushes++;
	if (flush_fails)
		return -EIO;
	copy_to_disk(r, nr);
	return 0;
}

/* Two flushes and the store between them, as a device does it. */
static int commit_to_disk(struct vmemos_platform *p, const struct vmemos_commit *c)
{
	(void)p;
	commits++;
	copy_to_disk(c->ranges, c->nr_first);
	if (fails_before_the_mark)
		return -EIO;
	memcpy(cache + c->mark_offset, &c->mark_value, sizeof(c->mark_value));
	copy_to_disk(c->ranges + c->nr_first, c->nr - c->nr_first);
	return 0;
}

static int give_room(struct vmemos_platform *p, const struct vmemos_range *range)
{
	(void)p;
	if (range->length > room)
		return -ENOSPC;
	room -= range->length;
	return 0;
}

/* The image that the program was given, as it is on the disk of this machine. */
static bool power_on(void)
{
	struct vmemos_platform *p = platform;

	if (p->size < STORE)
		return check_failed(__FILE__, __LINE__, "size of the image", (long long)p->size, STORE);
	memset(&machine, 0, sizeof(machine));
	memcpy(cache, p->base, STORE);
	memcpy(disk, cache, STORE);
	machine.ctx = p->ctx;
	machine.base = cache;
	machine.size = STORE;
	machine.backing = VMEMOS_BACKING_PAGE_CACHE;
	machine.generation[0] = 1;
	machine.flush = flush_to_disk;
	machine.now = p->now;
	machine.random = p->random;
	machine.log = p->log;
	machine.arena = arena;
	machine.arena_size = sizeof(arena);
	return true;
}

static int mount_machine(void)
{
	int err = vmemos_mount(&machine, NULL, &fs);

	if (!err)
		root = vmemos_root(fs);
	return err;
}

/* Nothing is closed or unmounted; what was not flushed is lost. */
static int host_fails(void)
{
	memcpy(cache, disk, STORE);
	machine.generation[0]++;
	return mount_machine();
}

static int guest_fails(void)
{
	return mount_machine();
}

static void fsync_makes_a_file_durable(void)
{
	struct vmemos_file *f;
	unsigned int i;
	char name[16];

	CHECK(power_on());
	OK(mount_machine());
	for (i = 1; i < 20; i++) {
		vmemos_format(name, sizeof(name), "f%u", i);
		f = make_file(name);
		CHECK(f);
		pattern(buf, i * 3000, i);
		EXPECT(vmemos_pwrite(f, buf, i * 3000, 0), i * 3000);
		OK(vmemos_fsync(f, i % 2));
		/* In place, and by an append; synced again. */
		EXPECT(vmemos_pwrite(f, buf, i * 100, 0), i * 100);
		EXPECT(vmemos_pwrite(f, buf, 100, i * 3000), 100);
		OK(vmemos_fsync(f, i % 2));
		/* Not synced: may be lost. */
		EXPECT(vmemos_pwrite(f, buf, 100, i * 3000 + 100), 100);
	}
	OK(host_fails());
	for (i = 1; i < 20; i++) {
		int64_t n;

		vmemos_format(name, sizeof(name), "f%u", i);
		OK(vmemos_open(root, name, VMEMOS_O_RDONLY, 0, &f));
		n = vmemos_pread(f, got, sizeof(got), 0);
		CHECK(n >= i * 3000 + 100);
		pattern(buf, i * 3000, i);
		CHECK(!memcmp(got, buf, i * 3000));
		CHECK(!memcmp(got + i * 3000, buf, 100));
		OK(vmemos_close(f));
	}
	OK(vmemos_umount(fs));
}

static void persist_makes_an_area_durable(void)
{
	struct vmemos_file *f;
	struct vmemos_area area;

	CHECK(power_on());
	OK(mount_machine());
	f = make_file("a");
	CHECK(f);
	OK(vmemos_layout(f, 0, sizeof(buf)));
	OK(vmemos_acquire(f, 0, sizeof(buf), VMEMOS_WHOLE, &area));
	OK(vmemos_persist(&area, area.addr, 1));	/* the record of the layout */
	pattern(area.addr, sizeof(buf), 5);
	flushes = 0;
	OK(vmemos_persist(&area, (char *)area.addr + 3 * BLOCK, 2 * BLOCK));
	EXPECT(flushes, 1);
	OK(host_fails());
	pattern(buf, sizeof(buf), 5);
	OK(vmemos_open(root, "a", VMEMOS_O_RDONLY, 0, &f));
	EXPECT(vmemos_pread(f, got, 2 * BLOCK, 3 * BLOCK), 2 * BLOCK);
	CHECK(!memcmp(got, buf + 3 * BLOCK, 2 * BLOCK));
	/* A lost page is old, not foreign. */
	EXPECT(vmemos_pread(f, got, BLOCK, 8 * BLOCK), BLOCK);
	CHECK(is_zeros(got, BLOCK));
	OK(vmemos_close(f));
	OK(vmemos_umount(fs));
}

static void fsync_takes_areas_along(void)
{
	struct vmemos_file *f;
	struct vmemos_area area;
	unsigned int how;

	for (how = 0; how < 3; how++) {
		CHECK(power_on());
		OK(mount_machine());
		f = make_file("a");
		CHECK(f);
		OK(vmemos_layout(f, 0, sizeof(buf)));
		OK(vmemos_acquire(f, 0, sizeof(buf), VMEMOS_WHOLE, &area));
		OK(vmemos_fsync(f, false));
		pattern(area.addr, sizeof(buf), how);
		if (how == 0)
			OK(vmemos_fsync(f, true));
		if (how == 1)
			OK(vmemos_sync(fs));
		if (how == 2) {
			OK(vmemos_release(&area));
			OK(vmemos_close(f));
			OK(vmemos_open(root, "a", VMEMOS_O_RDWR, 0, &f));
			OK(vmemos_fsync(f, true));
		}
		OK(host_fails());
		OK(vmemos_open(root, "a", VMEMOS_O_RDONLY, 0, &f));
		EXPECT(vmemos_pread(f, got, sizeof(got), 0), sizeof(got));
		CHECK(is_pattern(got, sizeof(got), how));
		OK(vmemos_close(f));
		OK(vmemos_umount(fs));
	}
}

static void a_call_that_returned_survives_the_guest(void)
{
	struct vmemos_file *f;
	unsigned int i;
	char name[16];

	CHECK(power_on());
	OK(mount_machine());
	for (i = 0; i < 30; i++) {
		vmemos_format(name, sizeof(name), "f%u", i);
		f = make_file(name);
		CHECK(f);
		pattern(buf, 1000 * i, i);
		EXPECT(vmemos_write(f, buf, 1000 * i), 1000 * i);
		if (i % 3 == 2)
			OK(vmemos_rename(root, name, root, "last", 0));
	}
	OK(guest_fails());
	for (i = 0; i < 30; i++) {
		vmemos_format(name, sizeof(name), "f%u", i);
		if (i % 3 == 2) {
			CHECK(!exists(name));
			if (i < 29)
				continue;
			memcpy(name, "last", 5);
		}
		OK(vmemos_open(root, name, VMEMOS_O_RDONLY, 0, &f));
		EXPECT(vmemos_pread(f, got, sizeof(got), 0), 1000 * i);
		CHECK(is_pattern(got, 1000 * i, i));
		OK(vmemos_close(f));
	}
	OK(vmemos_umount(fs));
}

static void durability_costs_as_many_flushes_as_said(void)
{
	struct vmemos_file *f;

	CHECK(power_on());
	OK(mount_machine());
	f = make_file("a");
	CHECK(f);
	EXPECT(vmemos_pwrite(f, buf, sizeof(buf), 0), sizeof(buf));
	flushes = 0;
	OK(vmemos_fsync(f, false));
	EXPECT(flushes, 2);		/* data, then the log */
	OK(vmemos_fsync(f, false));
	EXPECT(flushes, 2);		/* nothing changed */
	EXPECT(vmemos_pwrite(f, buf, 4096, 8192), 4096);
	EXPECT(flushes, 2);
	OK(vmemos_fsync(f, true));
	EXPECT(flushes, 3);		/* its pages */
	OK(vmemos_mkdir(root, "d", 0755));
	OK(vmemos_rename(root, "a", root, "d/b", 0));
	EXPECT(flushes, 3);
	OK(vmemos_fsync(f, false));
	EXPECT(flushes, 4);		/* the log */
	OK(vmemos_close(f));
	OK(vmemos_umount(fs));
}

static void one_request_commits_data_and_log(void)
{
	struct vmemos_file *f;
	int fails;

	for (fails = 0; fails < 2; fails++) {
		CHECK(power_on());
		machine.commit = commit_to_disk;
		fails_before_the_mark = false;
		OK(mount_machine());
		f = make_file("a");
		CHECK(f);
		pattern(buf, 40000, 1);
		EXPECT(vmemos_pwrite(f, buf, 40000, 0), 40000);
		flushes = commits = 0;
		fails_before_the_mark = fails;
		EXPECT(vmemos_fsync(f, false), fails ? -EIO : 0);
		EXPECT(commits, 1);
		CHECK(fails || !flushes);
		/* The data is on the disk; whether it counts says the mark. */
		OK(host_fails());
		EXPECT(vmemos_open(root, "a", VMEMOS_O_RDONLY, 0, &f), fails ? -ENOENT : 0);
		if (!fails) {
			EXPECT(vmemos_pread(f, got, sizeof(got), 0), 40000);
			CHECK(!memcmp(got, buf, 40000));
			OK(vmemos_close(f));
		}
		fails_before_the_mark = false;
		OK(vmemos_umount(fs));
	}
}

static void a_full_host_is_an_error_and_nothing_else(void)
{
	struct vmemos_file *f;
	uint64_t done = 0;
	int64_t n;

	CHECK(power_on());
	machine.provision = give_room;
	room = 0;
	EXPECT(mount_machine(), -ENOSPC);
	room = STORE / 2;
	OK(mount_machine());
	f = make_file("a");
	CHECK(f);
	pattern(buf, sizeof(buf), 3);
	while ((n = vmemos_pwrite(f, buf, sizeof(buf), done)) > 0)
		done += (uint64_t)n;
	EXPECT(n, -ENOSPC);
	CHECK(done && done < STORE / 2);
	/* What has room goes on. */
	EXPECT(vmemos_pwrite(f, buf, 100, 0), 100);
	OK(vmemos_fsync(f, false));
	EXPECT(vmemos_pread(f, got, sizeof(got), 0), (int64_t)sizeof(got));
	CHECK(!memcmp(got, buf, sizeof(got)));
	/* And so does all when there is room again. */
	room = STORE;
	EXPECT(vmemos_pwrite(f, buf, sizeof(buf), done), (int64_t)sizeof(buf));
	OK(vmemos_close(f));
	OK(vmemos_umount(fs));
}

static void an_unmount_that_fails_is_one_all_the_same(void)
{
	struct vmemos_file *f;

	CHECK(power_on());
	machine.log = NULL;
	OK(mount_machine());
	f = make_file("a");
	CHECK(f);
	EXPECT(vmemos_write(f, "x", 1), 1);
	EXPECT(vmemos_umount(fs), -EBUSY);
	OK(vmemos_fsync(f, false));		/* it is still mounted */
	EXPECT(vmemos_write(f, "y", 1), 1);
	OK(vmemos_close(f));
	flush_fails = true;
	EXPECT(vmemos_umount(fs), -EIO);
	flush_fails = false;
	OK(mount_machine());
	OK(vmemos_unlink(root, "a"));
	OK(vmemos_umount(fs));
}

int vmemos_main(struct vmemos_platform *p, int argc, char **argv)
{
	static const struct property list[] = {
		{ "fsync makes a file durable on the host", fsync_makes_a_file_durable, true },
		{ "persist makes an area durable, by one flush", persist_makes_an_area_durable, true },
		{ "fsync, sync and release take areas along", fsync_takes_areas_along, true },
		{ "a call that returned survives the guest", a_call_that_returned_survives_the_guest, true },
		{ "durability costs as many flushes as said", durability_costs_as_many_flushes_as_said, true },
		{ "one request commits data and log, in order", one_request_commits_data_and_log, true },
		{ "an unmount that fails is one all the same", an_unmount_that_fails_is_one_all_the_same, true },
		{ "a full host is ENOSPC, and nothing else", a_full_host_is_an_error_and_nothing_else, true },
	};

	broken = argc > 0 && !strcmp(argv[0], "noflush");
	return check_all(p, argc - broken, argv + broken, list, NR(list));
}
