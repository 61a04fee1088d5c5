// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* files.c - reading, writing, positions, sizes */
#include "check.h"

static uint8_t buf[64 * 1024], got[64 * 1024];

static void what_is_written_is_read(void)
{
	struct vmemos_file *f = make_file("a");
	size_t len;

	CHECK(f);
	for (len = 1; len <= sizeof(buf); len = len * 3 + 1) {
		pattern(buf, len, (unsigned int)len);
		EXPECT(vmemos_pwrite(f, buf, len, 7 * len), len);
		EXPECT(vmemos_pread(f, got, len, 7 * len), len);
		CHECK(is_pattern(got, len, (unsigned int)len));
	}
	OK(vmemos_close(f));
	CHECK(again());
	OK(vmemos_open(root, "a", VMEMOS_O_RDONLY, 0, &f));
	EXPECT(vmemos_pread(f, got, 29524, 7 * 29524), 29524);
	CHECK(is_pattern(got, 29524, 29524));
	OK(vmemos_close(f));
	OK(vmemos_unlink(root, "a"));
}

static void reads_end_at_the_end_of_file(void)
{
	struct vmemos_file *f = make_file("a");

	CHECK(f);
	EXPECT(vmemos_read(f, got, 10), 0);
	EXPECT(vmemos_write(f, "hello", 5), 5);
	EXPECT(vmemos_pread(f, got, 10, 2), 3);
	EXPECT(vmemos_pread(f, got, 10, 5), 0);
	EXPECT(vmemos_pread(f, got, 10, 1 << 30), 0);
	CHECK(!memcmp(got, "llo", 3));
	OK(vmemos_close(f));
	OK(vmemos_unlink(root, "a"));
}

static void positions_move_as_lseek_says(void)
{
	struct vmemos_file *f = make_file("a");

	CHECK(f);
	EXPECT(vmemos_write(f, "0123456789", 10), 10);
	EXPECT(vmemos_lseek(f, 0, VMEMOS_SEEK_CUR), 10);
	EXPECT(vmemos_lseek(f, -3, VMEMOS_SEEK_END), 7);
	EXPECT(vmemos_read(f, got, 2), 2);
	CHECK(!memcmp(got, "78", 2));
	EXPECT(vmemos_lseek(f, -8, VMEMOS_SEEK_CUR), 1);
	EXPECT(vmemos_lseek(f, -2, VMEMOS_SEEK_CUR), -EINVAL);
	EXPECT(vmemos_lseek(f, -1, VMEMOS_SEEK_SET), -EINVAL);
	EXPECT(vmemos_lseek(f, 5 * BLOCK, VMEMOS_SEEK_SET), 5 * BLOCK);
	EXPECT(vmemos_write(f, "x", 1), 1);
	EXPECT(vmemos_lseek(f, 0, VMEMOS_SEEK_HOLE), BLOCK);
	EXPECT(vmemos_lseek(f, BLOCK, VMEMOS_SEEK_DATA), 5 * BLOCK);
	EXPECT(vmemos_lseek(f, 6 * BLOCK, VMEMOS_SEEK_DATA), -ENXIO);
	OK(vmemos_close(f));
	OK(vmemos_unlink(root, "a"));
}

static void appends_go_to_the_end(void)
{
	struct vmemos_file *f, *g;

	OK(vmemos_open(root, "a", VMEMOS_O_WRONLY | VMEMOS_O_CREAT | VMEMOS_O_APPEND, 0600, &f));
	OK(vmemos_open(root, "a", VMEMOS_O_RDWR, 0, &g));
	EXPECT(vmemos_write(f, "ab", 2), 2);
	EXPECT(vmemos_write(g, "XYZ", 3), 3);
	EXPECT(vmemos_lseek(f, 0, VMEMOS_SEEK_SET), 0);
	EXPECT(vmemos_write(f, "cd", 2), 2);
	EXPECT(vmemos_pread(g, got, 10, 0), 5);
	CHECK(!memcmp(got, "XYZcd", 5));
	OK(vmemos_close(f));
	OK(vmemos_close(g));
	OK(vmemos_unlink(root, "a"));
}

static void what_no_one_wrote_is_zeros(void)
{
	struct vmemos_file *f = make_file("a");
	unsigned int round;

	CHECK(f);
	/* Space that held something else is used again. */
	for (round = 0; round < 3; round++) {
		pattern(buf, sizeof(buf), round + 1);
		EXPECT(vmemos_pwrite(f, buf, sizeof(buf), 0), sizeof(buf));
		OK(vmemos_ftruncate(f, 100));
		OK(vmemos_ftruncate(f, 40000));
		EXPECT(vmemos_pread(f, got, sizeof(got), 0), 40000);
		CHECK(is_pattern(got, 100, round + 1));
		CHECK(is_zeros(got + 100, 39900));
		EXPECT(vmemos_pwrite(f, "x", 1, 50000), 1);
		EXPECT(vmemos_pread(f, got, sizeof(got), 0), 50001);
		CHECK(is_zeros(got + 100, 49900));
		OK(vmemos_ftruncate(f, 0));
	}
	OK(vmemos_close(f));
	OK(vmemos_unlink(root, "a"));
}

static void attributes_are_kept(void)
{
	struct vmemos_stat st, set = { .mode = 04711, .uid = 17, .gid = 18, .mtime = 123456789012345 };
	struct vmemos_file *f = make_file("a");
	int64_t before = platform->now(platform);

	CHECK(f);
	EXPECT(vmemos_write(f, "hello", 5), 5);
	OK(vmemos_setattr(f, NULL, 0, VMEMOS_SET_MODE | VMEMOS_SET_UID | VMEMOS_SET_GID |
			  VMEMOS_SET_MTIME, &set));
	EXPECT(vmemos_setattr(f, NULL, 0, 1u << 30, &set), -EINVAL);
	OK(vmemos_close(f));
	CHECK(again());
	OK(vmemos_stat(root, "a", 0, &st));
	EXPECT(st.mode, VMEMOS_S_IFREG | 04711);
	EXPECT(st.uid, 17);
	EXPECT(st.gid, 18);
	EXPECT(st.mtime, 123456789012345);
	EXPECT(st.size, 5);
	EXPECT(st.blocks, 1);
	EXPECT(st.nlink, 1);
	CHECK(st.ctime >= before - 1000000000 && st.btime >= before - 1000000000);
	OK(vmemos_unlink(root, "a"));
}

static void a_handle_does_what_it_was_opened_for(void)
{
	struct vmemos_file *f, *d;

	OK(vmemos_open(root, "a", VMEMOS_O_WRONLY | VMEMOS_O_CREAT, 0644, &f));
	EXPECT(vmemos_read(f, got, 1), -EBADF);
	EXPECT(vmemos_write(f, "x", 1), 1);
	OK(vmemos_close(f));
	OK(vmemos_open(root, "a", VMEMOS_O_RDONLY, 0, &f));
	EXPECT(vmemos_write(f, "x", 1), -EBADF);
	EXPECT(vmemos_ftruncate(f, 0), -EINVAL);
	OK(vmemos_close(f));
	OK(vmemos_open(root, "a", VMEMOS_O_PATH, 0, &f));
	EXPECT(vmemos_read(f, got, 1), -EBADF);
	EXPECT(vmemos_fsync(f, false), -EBADF);
	OK(vmemos_close(f));
	OK(vmemos_open(root, "/", VMEMOS_O_RDONLY, 0, &d));
	EXPECT(vmemos_read(d, got, 1), -EISDIR);
	OK(vmemos_close(d));
	EXPECT(vmemos_close(root), -EBADF);
	OK(vmemos_unlink(root, "a"));
}

static void an_unlinked_file_lives_until_it_is_closed(void)
{
	uint64_t before = free_blocks();
	struct vmemos_file *f = make_file("a");

	CHECK(f);
	pattern(buf, sizeof(buf), 9);
	EXPECT(vmemos_pwrite(f, buf, sizeof(buf), 0), sizeof(buf));
	OK(vmemos_unlink(root, "a"));
	CHECK(!exists("a"));
	EXPECT(vmemos_pwrite(f, buf, 100, sizeof(buf)), 100);
	EXPECT(vmemos_pread(f, got, sizeof(got), 0), sizeof(got));
	CHECK(is_pattern(got, sizeof(got), 9));
	CHECK(free_blocks() < before);
	OK(vmemos_close(f));
	EXPECT(free_blocks(), before);
}

static void numbers_are_written_as_by_printf(void)
{
	static const struct {
		const char *format, *want;
		int value;
	} cases[] = {
		{ "%d", "-3", -3 }, { "%05d", "-0003", -3 }, { "%5d", "   -3", -3 }, { "%05d", "00012", 12 },
		{ "%02d", "-3", -3 }, { "%01d", "-3", -3 }, { "%x", "ff", 255 }, { "%08x", "000000ff", 255 },
		{ "%d", "-2147483648", INT32_MIN }, { "%030d", "-00000000000000000000000000007", -7 },
	};
	char text[40];
	unsigned int i;

	for (i = 0; i < NR(cases); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
		EXPECT(vmemos_format(text, sizeof(text), cases[i].format, cases[i].value),
		       strlen(cases[i].want));
#pragma GCC diagnostic pop
		CHECK(!strcmp(text, cases[i].want));
	}
}

int vmemos_main(struct vmemos_platform *p, int argc, char **argv)
{
	static const struct property list[] = {
		{ "what is written is read, after a remount, too", what_is_written_is_read, false },
		{ "reads end at the end of file", reads_end_at_the_end_of_file, false },
		{ "positions move as lseek says", positions_move_as_lseek_says, false },
		{ "appends go to the end, whatever the position", appends_go_to_the_end, false },
		{ "what no one wrote is zeros, in used space, too", what_no_one_wrote_is_zeros, false },
		{ "attributes are kept", attributes_are_kept, false },
		{ "a handle does what it was opened for", a_handle_does_what_it_was_opened_for, false },
		{ "numbers are written as by printf", numbers_are_written_as_by_printf, false },
		{ "an unlinked file lives until it is closed", an_unlinked_file_lives_until_it_is_closed, false },
	};

	return check_all(p, argc, argv, list, NR(list));
}
