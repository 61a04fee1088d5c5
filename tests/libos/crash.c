// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * crash.c - what a boot that just ends leaves to the next one
 *
 *	crash leave	open and unlink files, acquire an area, end in the middle of it
 *	crash find	in the next boot: names and acknowledged bytes are there,
 *			the storage of what had no name is free again
 */
#include "check.h"

static uint8_t buf[64 * 1024];

static void leave(void)
{
	struct vmemos_file *f = make_file("free-blocks"), *g;
	struct vmemos_area area;
	uint64_t before;
	unsigned int i;
	char name[16];

	CHECK(f);
	EXPECT(vmemos_pwrite(f, &before, sizeof(before), 0), sizeof(before));
	g = make_file("kept");
	CHECK(g);
	pattern(buf, sizeof(buf), 1);
	EXPECT(vmemos_pwrite(g, buf, sizeof(buf), 0), sizeof(buf));
	before = free_blocks();
	EXPECT(vmemos_pwrite(f, &before, sizeof(before), 0), sizeof(before));
	for (i = 0; i < 20; i++) {
		vmemos_format(name, sizeof(name), "gone%u", i);
		g = make_file(name);
		CHECK(g);
		EXPECT(vmemos_pwrite(g, buf, sizeof(buf), 0), sizeof(buf));
		if (i == 7)
			OK(vmemos_acquire(g, 0, sizeof(buf), 0, &area));
		OK(vmemos_unlink(root, name));
	}
	CHECK(free_blocks() < before);
	vmemos_printf(platform, "ok - leave\n");
	/* No unmount: as if killed here. */
}

static void find(void)
{
	struct vmemos_file *f;
	uint64_t before;

	OK(vmemos_open(root, "free-blocks", VMEMOS_O_RDONLY, 0, &f));
	EXPECT(vmemos_pread(f, &before, sizeof(before), 0), sizeof(before));
	OK(vmemos_close(f));
	EXPECT(free_blocks(), before);
	CHECK(!exists("gone7"));
	OK(vmemos_open(root, "kept", VMEMOS_O_RDONLY, 0, &f));
	EXPECT(vmemos_pread(f, buf, sizeof(buf), 0), sizeof(buf));
	CHECK(is_pattern(buf, sizeof(buf), 1));
	OK(vmemos_close(f));
	OK(vmemos_unlink(root, "kept"));
	OK(vmemos_unlink(root, "free-blocks"));
}

int vmemos_main(struct vmemos_platform *p, int argc, char **argv)
{
	static const struct property list[] = {
		{ "find", find, false },
	};

	if (argc > 0 && !strcmp(argv[0], "leave")) {
		platform = p;
		if (vmemos_mount(p, NULL, &fs))
			return 1;
		root = vmemos_root(fs);
		leave();
		return 0;
	}
	return check_all(p, argc, argv, list, NR(list));
}
