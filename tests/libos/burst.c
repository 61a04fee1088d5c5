// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * burst.c - the longest log that a guest may leave is replayed by the next one
 *
 *	burst leave	with much memory: change more metadata than VMEMOS_ARENA_GOOD
 *			holds, no checkpoint in between, and end in the middle of it
 *	burst find	with the memory that the platform gives
 */
#include "check.h"

#define DIRS	14000u

static bool left;
static uint8_t arena[192 * MiB] __attribute__((aligned(64)));

/* Each directory has a block of its own. */
static void leave(void)
{
	struct vmemos_counters c;
	char name[32];
	unsigned int i;

	for (i = 0; i < DIRS; i++) {
		vmemos_format(name, sizeof(name), "d%u", i);
		OK(vmemos_mkdir(root, name, 0755));
		vmemos_format(name, sizeof(name), "d%u/file", i);
		OK(vmemos_mknod(root, name, VMEMOS_S_IFREG | 0644, 0));
	}
	vmemos_get_counters(fs, &c);
	EXPECT(c.checkpoints, 0);
	CHECK(c.arena_used > VMEMOS_ARENA_GOOD);
	left = true;
	/* No unmount: as if killed here. */
}

static void find(void)
{
	char name[32];
	unsigned int i;

	for (i = 0; i < DIRS; i++) {
		vmemos_format(name, sizeof(name), "d%u/file", i);
		CHECK(exists(name));
	}
}

int vmemos_main(struct vmemos_platform *p, int argc, char **argv)
{
	static const struct property list[] = {
		{ "the longest log is replayed with the memory that the platform gives", find, false },
	};
	static struct vmemos_platform large;

	if (argc == 0 || strcmp(argv[0], "leave"))
		return check_all(p, 0, NULL, list, NR(list));
	platform = p;
	large = *p;
	large.arena = arena;
	large.arena_size = sizeof(arena);
	if (vmemos_mount(&large, NULL, &fs))
		return 1;
	root = vmemos_root(fs);
	leave();
	vmemos_printf(p, "%s - leave\n", left ? "ok" : "not ok");
	return !left;
}
