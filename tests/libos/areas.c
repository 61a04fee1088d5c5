// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* areas.c - file bytes as addresses in the store */
#include "check.h"

static uint8_t buf[64 * 1024], got[64 * 1024];

static void borrowed_bytes_are_the_file(void)
{
	struct vmemos_file *f = make_file("a");
	const void *addr, *same;

	CHECK(f);
	pattern(buf, sizeof(buf), 1);
	EXPECT(vmemos_pwrite(f, buf, sizeof(buf), 0), sizeof(buf));
	EXPECT(vmemos_borrow(f, 0, sizeof(buf), &addr), sizeof(buf));
	CHECK(in_store(addr, sizeof(buf)));
	CHECK(is_pattern(addr, sizeof(buf), 1));
	EXPECT(vmemos_borrow(f, 5000, 10, &same), 10);
	EXPECT((uintptr_t)same - (uintptr_t)addr, 5000);
	/* No copy: a write is seen at the address. */
	EXPECT(vmemos_pwrite(f, "new", 3, 5000), 3);
	CHECK(!memcmp(same, "new", 3));
	EXPECT(vmemos_ftruncate(f, 4000), -EBUSY);
	EXPECT(vmemos_umount(fs), -EBUSY);
	OK(vmemos_ftruncate(f, 2 * sizeof(buf)));
	vmemos_give_back(f);
	vmemos_give_back(f);
	OK(vmemos_ftruncate(f, 4000));
	EXPECT(vmemos_borrow(f, 4000, 10, &addr), 0);
	OK(vmemos_ftruncate(f, 3 * BLOCK));
	EXPECT(vmemos_borrow(f, BLOCK, 2 * BLOCK, &addr), BLOCK);
	CHECK(is_zeros(addr, BLOCK));
	vmemos_give_back(f);
	OK(vmemos_close(f));
	OK(vmemos_unlink(root, "a"));
}

static void stores_to_an_area_are_the_file(void)
{
	struct vmemos_area area;
	struct vmemos_file *f = make_file("a");

	CHECK(f);
	EXPECT(vmemos_acquire(f, 0, 1, 0, &area), -EINVAL);
	OK(vmemos_ftruncate(f, sizeof(buf)));
	OK(vmemos_acquire(f, 100, sizeof(buf) - 100, VMEMOS_WHOLE, &area));
	CHECK(in_store(area.addr, area.len));
	EXPECT(area.len, sizeof(buf) - 100);
	CHECK(is_zeros(area.addr, area.len));
	pattern(area.addr, area.len, 2);
	EXPECT(vmemos_pread(f, got, sizeof(got), 100), area.len);
	CHECK(is_pattern(got, area.len, 2));
	EXPECT(vmemos_pwrite(f, "new", 3, 100), 3);
	CHECK(!memcmp(area.addr, "new", 3));
	OK(vmemos_persist(&area, area.addr, area.len));
	EXPECT(vmemos_persist(&area, (char *)area.addr - 1, 1), -EINVAL);
	EXPECT(vmemos_persist(&area, area.addr, area.len + 1), -EINVAL);
	OK(vmemos_release(&area));
	EXPECT(vmemos_release(&area), -EINVAL);
	OK(vmemos_close(f));
	OK(vmemos_unlink(root, "a"));
}

static void a_layout_is_one_run(void)
{
	struct vmemos_area area;
	struct vmemos_file *f = make_file("a"), *noise;
	struct vmemos_stat st;
	uint64_t len = 4 * MiB, i;
	char name[16];

	CHECK(f);
	/* Small files here and there, so that free space is in pieces. */
	for (i = 0; i < 64; i++) {
		vmemos_format(name, sizeof(name), "n%lu", (unsigned long)i);
		noise = make_file(name);
		CHECK(noise);
		EXPECT(vmemos_pwrite(noise, buf, BLOCK * (1 + i % 3), 0), BLOCK * (1 + i % 3));
		OK(vmemos_close(noise));
		if (i % 2)
			OK(vmemos_unlink(root, name));
	}
	OK(vmemos_layout(f, 0, len));
	OK(vmemos_layout(f, 0, len));
	OK(vmemos_fstat(f, &st));
	EXPECT(st.size, len);
	EXPECT(st.blocks, len / BLOCK);
	OK(vmemos_acquire(f, 0, len, VMEMOS_WHOLE, &area));
	EXPECT(area.len, len);
	CHECK(in_store(area.addr, len));
	CHECK(is_zeros(area.addr, len));
	OK(vmemos_release(&area));
	EXPECT(vmemos_layout(f, 0, 2 * len), -EEXIST);
	EXPECT(vmemos_layout(f, 1, len), -EINVAL);
	EXPECT(vmemos_layout(f, len, 1ull << 40), -ENOSPC);
	OK(vmemos_fstat(f, &st));
	EXPECT(st.size, len);
	OK(vmemos_close(f));
	OK(vmemos_unlink(root, "a"));
	for (i = 0; i < 64; i += 2) {
		vmemos_format(name, sizeof(name), "n%lu", (unsigned long)i);
		OK(vmemos_unlink(root, name));
	}
}

static void pieces_of_a_scattered_file(void)
{
	struct vmemos_file *f = make_file("a"), *g = make_file("b");
	struct vmemos_area area[8];
	uint64_t off;
	unsigned int nr = 0, i;

	CHECK(f && g);
	/* Two files that grow in turn take turns in the store, too. */
	for (i = 0; i < 4; i++) {
		pattern(buf, BLOCK, i);
		EXPECT(vmemos_pwrite(f, buf, BLOCK, 2 * i * BLOCK), BLOCK);
		EXPECT(vmemos_pwrite(g, buf, BLOCK, i * BLOCK), BLOCK);
	}
	EXPECT(vmemos_acquire(f, 0, 7 * BLOCK, VMEMOS_READ | VMEMOS_WHOLE, &area[0]), -EXDEV);
	for (off = 0; off < 7 * BLOCK && nr < NR(area); off += area[nr++].len) {
		OK(vmemos_acquire(f, off, 7 * BLOCK - off, VMEMOS_READ, &area[nr]));
		if (off / BLOCK % 2)
			CHECK(!area[nr].addr);
		else
			CHECK(is_pattern(area[nr].addr, BLOCK, (unsigned int)(off / BLOCK / 2)));
	}
	EXPECT(off, 7 * BLOCK);
	EXPECT(nr, 7);
	while (nr)
		OK(vmemos_release(&area[--nr]));
	OK(vmemos_close(f));
	OK(vmemos_close(g));
	OK(vmemos_unlink(root, "a"));
	OK(vmemos_unlink(root, "b"));
}

static void rename_does_not_move_an_area(void)
{
	struct vmemos_file *f = make_file("a");
	struct vmemos_area area;

	CHECK(f);
	OK(vmemos_ftruncate(f, BLOCK));
	OK(vmemos_acquire(f, 0, BLOCK, 0, &area));
	OK(vmemos_rename(root, "a", root, "b", 0));
	memcpy(area.addr, "after", 5);
	OK(vmemos_close(f));
	OK(vmemos_open(root, "b", 0, 0, &f));
	EXPECT(vmemos_pread(f, got, 5, 0), 5);
	CHECK(!memcmp(got, "after", 5));
	OK(vmemos_close(f));
	OK(vmemos_release(&area));
	OK(vmemos_unlink(root, "b"));
}

static void unlink_keeps_an_area_until_it_is_released(void)
{
	uint64_t before = free_blocks();
	struct vmemos_file *f = make_file("a"), *g;
	struct vmemos_area area;
	unsigned int i;

	CHECK(f);
	OK(vmemos_layout(f, 0, sizeof(buf)));
	OK(vmemos_acquire(f, 0, sizeof(buf), VMEMOS_WHOLE, &area));
	pattern(area.addr, sizeof(buf), 3);
	OK(vmemos_close(f));
	g = make_file("b");
	CHECK(g);
	OK(vmemos_close(g));
	OK(vmemos_rename(root, "b", root, "a", 0));	/* over it: unlinked */
	/* Nobody gets its blocks meanwhile. */
	for (i = 0; i < 64; i++) {
		g = make_file("c");
		CHECK(g);
		EXPECT(vmemos_pwrite(g, buf, sizeof(buf), 0), sizeof(buf));
		OK(vmemos_close(g));
		OK(vmemos_unlink(root, "c"));
	}
	CHECK(is_pattern(area.addr, sizeof(buf), 3));
	CHECK(free_blocks() < before);
	EXPECT(vmemos_umount(fs), -EBUSY);
	OK(vmemos_release(&area));
	OK(vmemos_unlink(root, "a"));
	EXPECT(free_blocks(), before);
}

static void truncate_into_an_area_is_refused(void)
{
	struct vmemos_file *f = make_file("a"), *g;
	struct vmemos_area area;

	CHECK(f);
	OK(vmemos_layout(f, 0, 8 * BLOCK));
	OK(vmemos_acquire(f, BLOCK, 2 * BLOCK, 0, &area));
	pattern(area.addr, area.len, 4);
	EXPECT(vmemos_ftruncate(f, 0), -EBUSY);
	EXPECT(vmemos_ftruncate(f, 3 * BLOCK - 1), -EBUSY);
	EXPECT(vmemos_open(root, "a", VMEMOS_O_RDWR | VMEMOS_O_TRUNC, 0, &g), -EBUSY);
	CHECK(is_pattern(area.addr, area.len, 4));
	EXPECT(vmemos_pread(f, got, 2 * BLOCK, BLOCK), 2 * BLOCK);
	CHECK(is_pattern(got, 2 * BLOCK, 4));
	OK(vmemos_ftruncate(f, 3 * BLOCK));
	OK(vmemos_ftruncate(f, 6 * BLOCK + 5));
	/* Into the block behind it: that one moves, the area does not. */
	OK(vmemos_ftruncate(f, 3 * BLOCK + 7));
	memcpy(area.addr, "still", 5);
	EXPECT(vmemos_pread(f, got, 5, BLOCK), 5);
	CHECK(!memcmp(got, "still", 5));
	OK(vmemos_release(&area));
	OK(vmemos_ftruncate(f, 0));
	OK(vmemos_close(f));
	OK(vmemos_unlink(root, "a"));
}

static void what_an_area_holds_becomes_no_hole(void)
{
	const unsigned int punch = VMEMOS_FALLOC_PUNCH_HOLE | VMEMOS_FALLOC_KEEP_SIZE;
	struct vmemos_file *f = make_file("a");
	struct vmemos_area area;

	CHECK(f);
	OK(vmemos_layout(f, 0, 8 * BLOCK));
	OK(vmemos_acquire(f, 2 * BLOCK, 2 * BLOCK, 0, &area));
	pattern(area.addr, area.len, 4);
	EXPECT(vmemos_fallocate(f, punch, BLOCK, BLOCK + 1), -EBUSY);
	/* The rest of a block moves when a part of it becomes zeros. */
	EXPECT(vmemos_fallocate(f, VMEMOS_FALLOC_ZERO_RANGE, 4 * BLOCK - 1, 1), -EBUSY);
	EXPECT(vmemos_fallocate(f, VMEMOS_FALLOC_COLLAPSE_RANGE, BLOCK, BLOCK), -EBUSY);
	EXPECT(vmemos_fallocate(f, VMEMOS_FALLOC_INSERT_RANGE, 0, BLOCK), -EBUSY);
	CHECK(is_pattern(area.addr, area.len, 4));
	OK(vmemos_fallocate(f, punch, 0, 2 * BLOCK));
	OK(vmemos_fallocate(f, VMEMOS_FALLOC_ZERO_RANGE, 4 * BLOCK, 8 * BLOCK));
	OK(vmemos_fallocate(f, VMEMOS_FALLOC_COLLAPSE_RANGE, 4 * BLOCK, BLOCK));
	OK(vmemos_fallocate(f, 0, 0, 20 * BLOCK));
	memcpy(area.addr, "still", 5);
	EXPECT(vmemos_pread(f, got, 5, 2 * BLOCK), 5);
	CHECK(!memcmp(got, "still", 5));
	OK(vmemos_release(&area));
	OK(vmemos_fallocate(f, punch, 0, 20 * BLOCK));
	EXPECT(vmemos_pread(f, got, 4 * BLOCK, BLOCK), 4 * BLOCK);
	CHECK(is_zeros(got, 4 * BLOCK));
	OK(vmemos_close(f));
	OK(vmemos_unlink(root, "a"));
}

static void areas_ask_for_the_right_handle(void)
{
	struct vmemos_file *f = make_file("a");
	struct vmemos_area area;
	const void *addr;

	CHECK(f);
	OK(vmemos_ftruncate(f, BLOCK));
	OK(vmemos_close(f));
	OK(vmemos_open(root, "a", VMEMOS_O_RDONLY, 0, &f));
	EXPECT(vmemos_acquire(f, 0, BLOCK, 0, &area), -EBADF);
	EXPECT(vmemos_layout(f, 0, BLOCK), -EBADF);
	OK(vmemos_acquire(f, 0, BLOCK, VMEMOS_READ, &area));
	EXPECT(vmemos_persist(&area, area.addr, 1), -EINVAL);
	OK(vmemos_release(&area));
	OK(vmemos_close(f));
	EXPECT(vmemos_acquire(root, 0, BLOCK, VMEMOS_READ, &area), -EISDIR);
	EXPECT(vmemos_borrow(root, 0, BLOCK, &addr), -EISDIR);
	OK(vmemos_unlink(root, "a"));
}

int vmemos_main(struct vmemos_platform *p, int argc, char **argv)
{
	static const struct property list[] = {
		{ "borrowed bytes are the file, in the store", borrowed_bytes_are_the_file, false },
		{ "stores to an area are the file", stores_to_an_area_are_the_file, false },
		{ "a layout is one run of zeros", a_layout_is_one_run, false },
		{ "a scattered file comes in pieces, holes included", pieces_of_a_scattered_file, false },
		{ "a rename does not move an area", rename_does_not_move_an_area, false },
		{ "an unlinked file keeps its area until it is released", unlink_keeps_an_area_until_it_is_released, false },
		{ "a truncate into an area is refused", truncate_into_an_area_is_refused, false },
		{ "what an area holds becomes no hole, and does not move", what_an_area_holds_becomes_no_hole, false },
		{ "an area needs a handle that may do it", areas_ask_for_the_right_handle, false },
	};

	return check_all(p, argc, argv, list, NR(list));
}
