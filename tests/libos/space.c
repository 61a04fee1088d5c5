// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* space.c - memory and space have ends, which are told, and come back */
#include "check.h"

static uint8_t arena[VMEMOS_ARENA_MIN] __attribute__((aligned(64)));
static uint8_t buf[64 * 1024];

static void a_full_store_says_so_and_recovers(void)
{
	struct vmemos_file *f = make_file("big"), *g;
	struct vmemos_area area;
	uint64_t before = free_blocks(), off = 0;
	int64_t n;

	CHECK(f);
	while ((n = vmemos_pwrite(f, buf, sizeof(buf), off)) > 0)
		off += (uint64_t)n;
	EXPECT(n, -ENOSPC);
	g = make_file("small");
	CHECK(g);
	OK(vmemos_ftruncate(g, BLOCK));
	EXPECT(vmemos_acquire(g, 0, BLOCK, 0, &area), -ENOSPC);
	EXPECT(vmemos_layout(g, 0, MiB), -ENOSPC);
	OK(vmemos_unlink(root, "small"));
	OK(vmemos_close(g));
	OK(vmemos_unlink(root, "big"));
	OK(vmemos_close(f));
	EXPECT(free_blocks(), before);
	f = make_file("again");
	CHECK(f);
	EXPECT(vmemos_pwrite(f, buf, sizeof(buf), 0), sizeof(buf));
	OK(vmemos_close(f));
	OK(vmemos_unlink(root, "again"));
}

/* Many names in many directories, in the smallest arena. */
static void churn(void)
{
	struct vmemos_counters c;
	unsigned int i, j;
	char name[64];

	for (i = 0; i < 40; i++) {
		vmemos_format(name, sizeof(name), "d%u", i);
		OK(vmemos_mkdir(root, name, 0755));
		for (j = 0; j < 40; j++) {
			vmemos_format(name, sizeof(name), "d%u/%040u", i, j);
			OK(vmemos_mknod(root, name, VMEMOS_S_IFREG | 0644, 0));
		}
	}
	for (i = 0; i < 40; i++) {
		for (j = 0; j < 40; j++) {
			vmemos_format(name, sizeof(name), "d%u/%040u", i, j);
			OK(vmemos_unlink(root, name));
		}
		vmemos_format(name, sizeof(name), "d%u", i);
		OK(vmemos_rmdir(root, name));
	}
	vmemos_get_counters(fs, &c);
	CHECK(c.arena_peak <= sizeof(arena));
}

static void the_smallest_arena_is_enough(void)
{
	struct vmemos_platform small = *platform;
	struct vmemos_counters before, after;

	small.arena = arena;
	small.arena_size = sizeof(arena);
	OK(vmemos_mount(&small, NULL, &fs));
	root = vmemos_root(fs);
	vmemos_get_counters(fs, &before);
	churn();
	vmemos_get_counters(fs, &after);
	CHECK(after.checkpoints >= before.checkpoints);
	OK(vmemos_umount(fs));
	small.arena_size = VMEMOS_ARENA_MIN - 1;
	EXPECT(vmemos_mount(&small, NULL, &fs), -ENOMEM);
}

static void handles_take_memory_and_give_it_back(void)
{
	static struct vmemos_file *f[1000];
	struct vmemos_counters before, most, after;
	struct vmemos_file *keep = make_file("a");
	unsigned int i;

	CHECK(keep);
	vmemos_get_counters(fs, &before);
	for (i = 0; i < NR(f); i++)
		OK(vmemos_open(root, "a", VMEMOS_O_RDWR, 0, &f[i]));
	vmemos_get_counters(fs, &most);
	CHECK(most.arena_used > before.arena_used);
	for (i = 0; i < NR(f); i++)
		OK(vmemos_close(f[i]));
	vmemos_get_counters(fs, &after);
	EXPECT(after.arena_used, before.arena_used);
	OK(vmemos_close(keep));
	OK(vmemos_unlink(root, "a"));
}

static void a_read_only_mount_changes_nothing(void)
{
	struct vmemos_mount_opts ro = { .read_only = true };
	struct vmemos_file *f;
	struct vmemos_area area;

	OK(vmemos_mount(platform, NULL, &fs));
	root = vmemos_root(fs);
	f = make_file("a");
	CHECK(f);
	EXPECT(vmemos_write(f, "x", 1), 1);
	OK(vmemos_close(f));
	OK(vmemos_umount(fs));
	OK(vmemos_mount(platform, &ro, &fs));
	root = vmemos_root(fs);
	EXPECT(vmemos_open(root, "a", VMEMOS_O_RDWR, 0, &f), -EROFS);
	EXPECT(vmemos_open(root, "b", VMEMOS_O_RDWR | VMEMOS_O_CREAT, 0600, &f), -EROFS);
	EXPECT(vmemos_unlink(root, "a"), -EROFS);
	EXPECT(vmemos_rename(root, "a", root, "b", 0), -EROFS);
	OK(vmemos_open(root, "a", VMEMOS_O_RDONLY, 0, &f));
	OK(vmemos_acquire(f, 0, 1, VMEMOS_READ, &area));
	CHECK(*(char *)area.addr == 'x');
	OK(vmemos_release(&area));
	OK(vmemos_close(f));
	OK(vmemos_umount(fs));
	OK(vmemos_mount(platform, NULL, &fs));
	root = vmemos_root(fs);
	OK(vmemos_unlink(root, "a"));
	OK(vmemos_umount(fs));
}

static void an_incomplete_platform_is_refused(void)
{
	struct vmemos_platform p = *platform;

	p.now = NULL;
	EXPECT(vmemos_mount(&p, NULL, &fs), -EINVAL);
	p = *platform;
	p.base = (char *)p.base + 1;
	EXPECT(vmemos_mount(&p, NULL, &fs), -EINVAL);
	p = *platform;
	p.lock = p.lock ? NULL : platform->unlock;
	if (platform->lock)
		EXPECT(vmemos_mount(&p, NULL, &fs), -EINVAL);
}

int vmemos_main(struct vmemos_platform *p, int argc, char **argv)
{
	static const struct property list[] = {
		{ "a full store says so, and recovers", a_full_store_says_so_and_recovers, false },
		{ "the smallest arena is enough", the_smallest_arena_is_enough, true },
		{ "handles take memory and give it back", handles_take_memory_and_give_it_back, false },
		{ "a read-only mount changes nothing", a_read_only_mount_changes_nothing, true },
		{ "an incomplete platform is refused", an_incomplete_platform_is_refused, true },
	};

	return check_all(p, argc, argv, list, NR(list));
}
