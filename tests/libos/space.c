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
	unsigned int i, j;
	char name[64];

	for (i = 0; i < 80; i++) {
		vmemos_format(name, sizeof(name), "d%u", i);
		OK(vmemos_mkdir(root, name, 0755));
		for (j = 0; j < 30; j++) {
			vmemos_format(name, sizeof(name), "d%u/%040u", i, j);
			OK(vmemos_mknod(root, name, VMEMOS_S_IFREG | 0644, 0));
		}
	}
	for (i = 0; i < 80; i++) {
		for (j = 0; j < 30; j++) {
			vmemos_format(name, sizeof(name), "d%u/%040u", i, j);
			OK(vmemos_unlink(root, name));
		}
		vmemos_format(name, sizeof(name), "d%u", i);
		OK(vmemos_rmdir(root, name));
	}
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
	/* More changed than it holds. */
	CHECK(after.checkpoints > before.checkpoints);
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

/* ---- No memory left ---- */

static struct vmemos_file *many[sizeof(arena) / 64];	/* handles of "many", which take all of it */
static unsigned int nr_many;
static struct vmemos_file *cut, *from;

static bool mount_small(void)
{
	static struct vmemos_platform small;

	small = *platform;
	small.arena = arena;
	small.arena_size = sizeof(arena);
	if (vmemos_mount(&small, NULL, &fs))
		return false;
	root = vmemos_root(fs);
	return true;
}

/* Take all memory but that of `left` handles; the smallest pieces, so none remains. */
static bool exhaust(unsigned int left)
{
	int err = 0;

	while (nr_many < NR(many) && !err) {
		err = vmemos_open(root, "many", VMEMOS_O_RDONLY, 0, &many[nr_many]);
		nr_many += !err;
	}
	while (left-- && nr_many)
		vmemos_close(many[--nr_many]);
	return err == -ENOMEM;
}

static void give_back(void)
{
	while (nr_many)
		vmemos_close(many[--nr_many]);
}

static int open_new(void)
{
	struct vmemos_file *f;
	int err = vmemos_open(root, "new", VMEMOS_O_RDWR | VMEMOS_O_CREAT, 0600, &f);

	return err ? err : vmemos_close(f);
}

static int open_to_cut(void)
{
	struct vmemos_file *f;
	int err = vmemos_open(root, "cut", VMEMOS_O_RDWR | VMEMOS_O_TRUNC, 0, &f);

	return err ? err : vmemos_close(f);
}

static int make_directory(void)
{
	return vmemos_mkdir(root, "new", 0755);
}

static int make_symlink(void)
{
	char target[301];

	memset(target, 't', sizeof(target) - 1);
	target[sizeof(target) - 1] = 0;
	return vmemos_symlink(target, root, "new");
}

static int make_link(void)
{
	return vmemos_link(from, NULL, root, "new");
}

static int move(void)
{
	return vmemos_rename(root, "from", root, "new", 0);
}

/* Looking for it takes no memory: it is not there, nor has anything else happened. */
static void nothing_happened(void)
{
	struct vmemos_stat st;

	EXPECT(vmemos_stat(root, "new", VMEMOS_NOFOLLOW, &st), -ENOENT);
	OK(vmemos_fstat(cut, &st));
	EXPECT(st.size, sizeof(buf));
	OK(vmemos_stat(root, "from", 0, &st));
	EXPECT(st.nlink, 1);
}

static void without_memory_nothing_is_done_by_halves(void)
{
	static int (*const operations[])(void) = {
		open_new, make_directory, make_symlink, make_link, move, open_to_cut
	};
	struct vmemos_stat st;
	unsigned int i, left, refused = 0;
	int err;

	CHECK(mount_small());
	OK(vmemos_close(make_file("many")));
	cut = make_file("cut");
	from = make_file("from");
	CHECK(cut && from);
	EXPECT(vmemos_pwrite(cut, buf, sizeof(buf), 0), sizeof(buf));
	for (i = 0; i < NR(operations); i++) {
		for (left = 0, err = -ENOMEM; err == -ENOMEM; left++) {
			CHECK(exhaust(left));
			err = operations[i]();
			if (err == -ENOMEM) {
				refused++;
				nothing_happened();
			}
		}
		OK(err);
		give_back();
		if (operations[i] == open_to_cut)
			break;
		OK(vmemos_stat(root, "new", VMEMOS_NOFOLLOW, &st));
		if (operations[i] == move)
			OK(vmemos_rename(root, "new", root, "from", 0));
		else if (operations[i] == make_directory)
			OK(vmemos_rmdir(root, "new"));
		else
			OK(vmemos_unlink(root, "new"));
	}
	CHECK(refused > NR(operations));
	OK(vmemos_close(cut));
	OK(vmemos_close(from));
	OK(vmemos_unlink(root, "cut"));
	OK(vmemos_unlink(root, "from"));
	OK(vmemos_unlink(root, "many"));
	OK(vmemos_umount(fs));
}

static void a_last_close_without_memory_frees_the_file_all_the_same(void)
{
	struct vmemos_file *f;
	uint64_t before;
	unsigned int i;

	CHECK(mount_small());
	OK(vmemos_close(make_file("many")));
	before = free_blocks();
	f = make_file("pieces");
	CHECK(f);
	for (i = 0; i < 200; i++)
		EXPECT(vmemos_pwrite(f, buf, 2 * BLOCK, i * 4 * BLOCK), 2 * BLOCK);
	OK(vmemos_unlink(root, "pieces"));
	CHECK(exhaust(0));
	OK(vmemos_close(f));
	CHECK(free_blocks() < before);		/* else there was memory enough */
	give_back();
	EXPECT(free_blocks(), before);
	OK(vmemos_unlink(root, "many"));
	OK(vmemos_umount(fs));
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
	p.backing = 0;
	EXPECT(vmemos_mount(&p, NULL, &fs), -EINVAL);
	p.backing = VMEMOS_BACKING_VOLATILE + 1;
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
		{ "without memory nothing is done by halves", without_memory_nothing_is_done_by_halves, true },
		{ "a last close without memory frees the file all the same",
		  a_last_close_without_memory_frees_the_file_all_the_same, true },
		{ "a read-only mount changes nothing", a_read_only_mount_changes_nothing, true },
		{ "an incomplete platform is refused", an_incomplete_platform_is_refused, true },
	};

	return check_all(p, argc, argv, list, NR(list));
}
