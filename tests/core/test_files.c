// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* test_files.c - reading, writing and truncating */
#include "fixture.h"

static void every_odd_offset_and_length_reads_back(void **state)
{
	static const uint64_t offs[] = { 0, 1, 7, 511, 4095, 4096, 4097, 8191, 12288, 40001 };
	static const size_t lens[] = { 1, 3, 512, 4095, 4096, 4097, 8193, 30001 };
	uint8_t *want = calloc(1, 80000), *buf = malloc(80000);
	uint64_t size = 0;
	struct vmem_inode vi;
	struct ctx c;
	size_t i, k, b;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	for (i = 0; i < sizeof(offs) / sizeof(offs[0]); i++)
		for (k = 0; k < sizeof(lens) / sizeof(lens[0]); k++) {
			for (b = 0; b < lens[k]; b++)
				buf[b] = (uint8_t)sim_random(c.sim, 256);
			assert_int_equal(write_at(&vi, offs[i], buf, lens[k]), lens[k]);
			memcpy(want + offs[i], buf, lens[k]);
			if (offs[i] + lens[k] > size)
				size = offs[i] + lens[k];
			assert_int_equal(vmem_size(&vi), size);
			expect_bytes(&vi, 0, want, size);
			expect_bytes(&vi, size / 3, want + size / 3, size / 2);
		}
	free(want);
	free(buf);
	put(&vi);
	finish(&c);
}

static void holes_read_as_zeros(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	write_pattern(&vi, 100000, 10, 1);
	expect_zeros(&vi, 0, 100000);
	write_pattern(&vi, 50000, 10, 1);
	expect_zeros(&vi, 0, 50000);
	expect_pattern(&vi, 50000, 10, 1);
	expect_zeros(&vi, 50010, 49990);
	expect_pattern(&vi, 100000, 10, 1);
	assert_int_equal(vmem_seek(&vi, 0, false), 49152);
	assert_int_equal(vmem_seek(&vi, 0, true), 0);
	assert_int_equal(vmem_seek(&vi, 50000, true), 53248);
	assert_int_equal(vmem_seek(&vi, 100005, true), 100010);
	assert_int_equal(vmem_seek(&vi, 100010, false), -ENXIO);
	put(&vi);
	finish(&c);
}

static void reading_ends_at_the_end_of_file(void **state)
{
	struct vmem_inode vi;
	uint8_t buf[100];
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	assert_int_equal(read_at(&vi, 0, buf, 100), 0);
	write_pattern(&vi, 0, 60, 1);
	assert_int_equal(read_at(&vi, 50, buf, 100), 10);
	assert_int_equal(read_at(&vi, 60, buf, 100), 0);
	assert_int_equal(read_at(&vi, UINT64_MAX, buf, 100), 0);
	put(&vi);
	finish(&c);
}

static void appending_byte_by_byte_gives_one_extent(void **state)
{
	struct vmem_map map;
	struct vmem_inode vi;
	struct ctx c;
	unsigned int i;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	for (i = 0; i < 300; i++)
		write_pattern(&vi, i * 101ull, 101, 1);
	expect_pattern(&vi, 0, 30300, 1);
	assert_int_equal(vmem_map(&vi, 0, 100, &map), 0);
	assert_int_equal(map.nr, 8);
	put(&vi);
	finish(&c);
}

static void truncating_down_and_up_shows_no_old_bytes(void **state)
{
	static const uint64_t cuts[] = { 0, 1, 100, 4095, 4096, 4097, 8192, 8193, 20000 };
	struct vmem_inode vi;
	struct ctx c;
	size_t i;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	for (i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		write_pattern(&vi, 0, 30000, 1);
		assert_int_equal(vmem_truncate(&vi, cuts[i]), 0);
		assert_int_equal(vmem_size(&vi), cuts[i]);
		assert_int_equal(vmem_truncate(&vi, 30000), 0);
		expect_pattern(&vi, 0, cuts[i], 1);
		expect_zeros(&vi, cuts[i], 30000 - cuts[i]);
	}
	put(&vi);
	finish(&c);
}

/* Who maps the file sees them. */
static void behind_the_end_of_a_cut_file_are_zeros(void **state)
{
	struct vmem_inode vi;
	uint64_t i;
	struct ctx c;

	up(&c, domain_of(state), 4 * MiB, 0);
	make(&c.root, "old", S_FILE, &vi);
	fill_store(&vi, 0);
	put(&vi);
	unlink_name(&c.root, "old");
	assert_int_equal(vmem_checkpoint(c.fs), 0);
	/* Wherever the new last block lies, bytes of that file were there. */
	make(&c.root, "file", S_FILE, &vi);
	write_pattern(&vi, 0, 10000, 2);
	assert_int_equal(vmem_truncate(&vi, 5000), 0);
	for (i = where(&vi, 4999) + 1; i % BLOCK; i++)
		assert_int_equal(c.sim->now[i], 0);
	put(&vi);
	finish(&c);
}

static void writing_behind_the_end_shows_no_old_bytes(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	write_pattern(&vi, 0, 10000, 1);
	assert_int_equal(vmem_truncate(&vi, 5000), 0);
	write_pattern(&vi, 7000, 10, 2);
	expect_pattern(&vi, 0, 5000, 1);
	expect_zeros(&vi, 5000, 2000);
	expect_pattern(&vi, 7000, 10, 2);
	put(&vi);
	finish(&c);
}

/* The bytes of an append that was lost lie behind the end of file. */
static void a_lost_append_does_not_show_when_the_file_grows(void **state)
{
	enum vmem_domain domain = domain_of(state);
	unsigned int round, grow;

	for (round = 1; round < 40; round++)
		for (grow = 0; grow < 2; grow++) {
			struct vmem_inode vi;
			struct ctx c;
			uint64_t size;

			up(&c, domain, 4 * MiB, 0);
			c.sim->rng += round;
			make(&c.root, "file", S_FILE, &vi);
			write_pattern(&vi, 0, 1000, 1);
			assert_int_equal(vmem_fsync(&vi, false), 0);
			vi.sync_credit = 0;	/* no riding in the record */
			c.sim->fail_kind = (enum sim_failure)domain;
			c.sim->fail_at = c.sim->stores + 1 + round % 4;
			write_pattern(&vi, 1000, 1000, 1);
			if (!c.sim->left)
				c.sim->left = sim_failed_image(c.sim, c.sim->fail_kind);
			sim_restart(c.sim, c.sim->left, c.sim->fail_kind);
			again(&c);
			open_name(&c.root, "file", &vi);
			size = vmem_size(&vi);
			assert_true(size == 1000 || size == 2000);
			if (grow)
				assert_int_equal(vmem_truncate(&vi, 4000), 0);
			else
				write_pattern(&vi, 4000, 10, 1);
			expect_pattern(&vi, 0, size, 1);
			expect_zeros(&vi, size, 4000 - size);
			put(&vi);
			finish(&c);
		}
}

/* As above, and the host fails once more, after the growth was made durable. */
static void the_zeros_behind_the_old_end_are_durable_with_the_growth(void **state)
{
	unsigned int seed;

	(void)state;
	for (seed = 1; seed < 30; seed++) {
		struct vmem_inode vi, other;
		uint64_t off;
		struct ctx c;

		up(&c, VMEM_DOMAIN_HOST, 4 * MiB, 0);
		c.sim->rng += seed * 77;
		make(&c.root, "file", S_FILE, &vi);
		make(&c.root, "other", S_FILE, &other);
		write_pattern(&vi, 0, 1000, 1);
		assert_int_equal(vmem_sync(c.fs), 0);
		/* What a lost append leaves. */
		off = where(&vi, 1000);
		memset(c.sim->now + off, 0x77, 500);
		memset(c.sim->durable + off, 0x77, 500);
		assert_int_equal(vmem_truncate(&vi, 3000), 0);
		assert_int_equal(vmem_setattr(&other, VMEM_SET_MODE,
					      &(struct vmem_attr){ .mode = 0600 }), 0);
		assert_int_equal(vmem_fsync(&other, false), 0);
		fail_and_mount(&c, SIM_HOST);
		open_name(&c.root, "file", &vi);
		assert_int_equal(vmem_size(&vi), 3000);
		expect_zeros(&vi, 1000, 2000);
		put(&vi);
		finish(&c);
	}
}

/* Extents of one block each, not neighbours on the store. */
static void fragment(struct vmem_inode *vi, struct vmem_inode *other, unsigned int nr)
{
	unsigned int i;

	/* From the end: in order, large files get chunks of their own. */
	for (i = nr; i--;) {
		write_pattern(vi, (uint64_t)i * BLOCK, BLOCK, 1);
		write_pattern(other, (uint64_t)i * BLOCK, BLOCK, 2);
	}
}

static void a_fragmented_file_has_a_deep_tree_and_reads_back(void **state)
{
	const unsigned int nr = 3000;
	struct vmem_inode vi, other;
	struct ctx c;
	uint64_t free;

	up(&c, domain_of(state), 32 * MiB, 0);
	free = free_blocks(&c);
	make(&c.root, "file", S_FILE, &vi);
	make(&c.root, "other", S_FILE, &other);
	fragment(&vi, &other, nr);
	assert_true(vmem_get16(vi.raw.depth) >= 2);
	expect_pattern(&vi, 0, (size_t)nr * BLOCK, 1);
	expect_pattern(&other, 0, (size_t)nr * BLOCK, 2);
	assert_int_equal(vmem_truncate(&vi, 1234567), 0);
	assert_int_equal(vmem_truncate(&vi, (uint64_t)nr * BLOCK), 0);
	expect_pattern(&vi, 0, 1234567, 1);
	expect_zeros(&vi, 1234567, (size_t)nr * BLOCK - 1234567);
	assert_int_equal(vmem_truncate(&vi, 0), 0);
	assert_int_equal(vmem_truncate(&other, 0), 0);
	put(&vi);
	put(&other);
	assert_int_equal(vmem_checkpoint(c.fs), 0);
	assert_int_equal(free_blocks(&c), free - 1);	/* the directory's */
	finish(&c);
}

static void holes_filled_in_any_order_read_back(void **state)
{
	const unsigned int nr = 1009;
	struct vmem_inode vi;
	struct ctx c;
	unsigned int i;

	up(&c, domain_of(state), 32 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	for (i = 0; i < nr; i++)	/* 397 generates all residues */
		write_pattern(&vi, (uint64_t)(i * 397u % nr) * 2 * BLOCK, BLOCK, 1);
	for (i = 0; i < nr; i++)
		expect_pattern(&vi, (uint64_t)i * 2 * BLOCK, BLOCK, 1);
	for (i = 0; i + 1 < nr; i++)
		expect_zeros(&vi, (uint64_t)i * 2 * BLOCK + BLOCK, BLOCK);
	put(&vi);
	finish(&c);
}

/* The cut goes through a block, behind every number of extents that one record can free. */
static void truncating_any_number_of_extents_keeps_what_is_before(void **state)
{
	struct vmem_inode vi;
	struct ctx c;
	unsigned int nr, i;

	up(&c, domain_of(state), 32 * MiB, 0);
	for (nr = 80; nr < 100; nr++) {
		make(&c.root, "file", S_FILE, &vi);
		write_pattern(&vi, 0, 3 * BLOCK, 1);
		for (i = 0; i < nr; i++)
			write_pattern(&vi, (4 + 2 * i) * (uint64_t)BLOCK, BLOCK, 1);
		assert_int_equal(vmem_truncate(&vi, BLOCK + 100), 0);
		assert_int_equal(vmem_truncate(&vi, 3 * BLOCK), 0);
		expect_pattern(&vi, 0, BLOCK + 100, 1);
		expect_zeros(&vi, BLOCK + 100, 2 * BLOCK - 100);
		put(&vi);
		down(&c);	/* the check sees blocks that are mapped twice */
		again(&c);
		unlink_name(&c.root, "file");
	}
	finish(&c);
}

static void offsets_beyond_the_largest_file_are_refused(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	assert_int_equal(write_at(&vi, VMEM_MAX_FILE_SIZE, "x", 1), -EFBIG);
	assert_int_equal(write_at(&vi, UINT64_MAX, "x", 1), -EFBIG);
	assert_int_equal(vmem_truncate(&vi, VMEM_MAX_FILE_SIZE + 1), -EFBIG);
	assert_int_equal(vmem_truncate(&vi, VMEM_MAX_FILE_SIZE), 0);
	assert_int_equal(write_at(&vi, VMEM_MAX_FILE_SIZE - 1, "x", 1), 1);
	expect_bytes(&vi, VMEM_MAX_FILE_SIZE - 1, "x", 1);
	expect_zeros(&vi, VMEM_MAX_FILE_SIZE - 1000, 999);
	assert_int_equal(vmem_truncate(&vi, 1), 0);
	expect_zeros(&vi, 0, 1);
	put(&vi);
	finish(&c);
}

static void a_write_of_many_mebibytes_arrives_whole(void **state)
{
	struct vmem_inode vi;
	struct ctx c;

	up(&c, domain_of(state), 64 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	write_pattern(&vi, 12345, 20 * MiB, 1);
	expect_zeros(&vi, 0, 12345);
	expect_pattern(&vi, 12345, 20 * MiB, 1);
	put(&vi);
	finish(&c);
}

static void large_files_start_on_huge_page_borders(void **state)
{
	struct vmem_map map;
	struct vmem_inode vi;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 64 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	write_pattern(&vi, 0, 8 * MiB, 1);
	assert_int_equal(vmem_map(&vi, 0, 4096, &map), 0);
	assert_int_equal(map.pblk % 512, 0);
	assert_true(map.nr >= 512);
	put(&vi);
	finish(&c);
}

/* A copy function that faults after so many bytes. */
struct faulty {
	struct sim *sim;
	size_t left;
};

static size_t faulty_copy(void *ctx, void *addr, size_t len)
{
	struct faulty *f = ctx;
	size_t n = len < f->left ? len : f->left;
	uint8_t *buf = malloc(n + 1);

	memset(buf, 0x42, n);
	sim_store(f->sim, addr, buf, n);
	free(buf);
	f->left -= n;
	return n;
}

/* Through vmem_write_nowait(): 'n' into [off, off + len). */
static int64_t nowait(struct ctx *c, struct vmem_inode *vi, uint64_t off, size_t len)
{
	struct faulty f = { c->sim, len };

	return vmem_write_nowait(vi, off, len, faulty_copy, &f);
}

static void what_may_not_wait_is_written_in_place_or_not_at_all(void **state)
{
	uint8_t buf[20000];
	struct vmem_inode vi;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	memset(buf, 'w', sizeof(buf));
	assert_int_equal(nowait(&c, &vi, 0, 1), -EAGAIN);
	assert_int_equal(write_at(&vi, 0, buf, 20000), 20000);
	assert_int_equal(write_at(&vi, 100000, buf, 5000), 5000);
	assert_int_equal(nowait(&c, &vi, 10, 8000), 8000);
	assert_int_equal(nowait(&c, &vi, 19000, 5000), 1480);	/* what lies together */
	assert_int_equal(nowait(&c, &vi, 30000, 10), -EAGAIN);	/* a hole */
	assert_int_equal(nowait(&c, &vi, 104000, 1001), -EAGAIN);	/* behind the end */
	assert_int_equal(vmem_size(&vi), 105000);
	read_at(&vi, 0, buf, 20000);
	assert_true(buf[9] == 'w' && buf[10] == 0x42 && buf[8009] == 0x42 && buf[8010] == 'w');
	assert_true(buf[18999] == 'w' && buf[19000] == 0x42);
	/* Bytes that ride in a record: first it must be revoked. */
	assert_int_equal(vmem_fsync(&vi, false), 0);
	assert_int_equal(write_at(&vi, 105000, buf, 100), 100);
	assert_int_equal(nowait(&c, &vi, 105050, 10), c.domain == VMEM_DOMAIN_HOST ? -EAGAIN : 10);
	assert_int_equal(nowait(&c, &vi, 0, 10), 10);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	fail_and_mount(&c, (enum sim_failure)c.domain);
	open_name(&c.root, "file", &vi);
	read_at(&vi, 0, buf, 20000);
	assert_true(buf[0] == 0x42 && buf[10] == 0x42 && buf[8009] == 0x42 && buf[8010] == 'w');
	put(&vi);
	finish(&c);
}

static void a_fault_in_the_middle_of_a_write_keeps_what_arrived(void **state)
{
	static const size_t faults[] = { 0, 1, 100, 4096, 5000, 20000 };
	struct vmem_inode vi;
	struct ctx c;
	uint64_t free;
	size_t i;

	up(&c, domain_of(state), 16 * MiB, 0);
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct faulty f = { c.sim, faults[i] };
		uint8_t want[30000];

		make(&c.root, "file", S_FILE, &vi);
		free = free_blocks(&c);
		memset(want, 0x42, sizeof(want));
		assert_int_equal(vmem_write(&vi, 50, 30000, faulty_copy, &f),
				 faults[i] ? (int64_t)faults[i] : -EFAULT);
		assert_int_equal(vmem_size(&vi), faults[i] ? 50 + faults[i] : 0);
		if (faults[i]) {
			expect_zeros(&vi, 0, 50);
			expect_bytes(&vi, 50, want, faults[i]);
			assert_int_equal(vmem_truncate(&vi, 40000), 0);
			expect_zeros(&vi, 50 + faults[i], 39950 - faults[i]);
		} else {
			assert_int_equal(free_blocks(&c), free);
		}
		assert_int_equal(vmem_unlink(&c.root, N("file"), &vi), 0);
		put(&vi);
	}
	finish(&c);
}

static void a_hole_filled_through_a_mapping_reads_as_zeros_first(void **state)
{
	struct vmem_map map;
	struct vmem_inode vi;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	assert_int_equal(vmem_truncate(&vi, 100 * BLOCK), 0);
	assert_int_equal(vmem_map_write(&vi, 10, 1, &map), 0);
	assert_int_equal(map.lblk, 10);
	assert_int_equal(map.nr, 1);
	expect_zeros(&vi, 0, 100 * BLOCK);
	memset(c.sim->now + map.pblk * BLOCK, 0x11, BLOCK);
	sim_store(c.sim, c.sim->now + map.pblk * BLOCK, c.sim->now + map.pblk * BLOCK, BLOCK);
	vmem_mark_dirty(&vi, 10 * BLOCK, BLOCK);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	expect_zeros(&vi, 11 * BLOCK, BLOCK);
	fail_and_mount(&c, (enum sim_failure)c.domain);
	open_name(&c.root, "file", &vi);
	assert_int_equal(c.sim->now[where(&vi, 10 * BLOCK)], 0x11);
	put(&vi);
	finish(&c);
}

/* mmap can store behind the end of file, within its last block. */
static void stores_through_a_mapping_behind_the_end_never_show(void **state)
{
	struct vmem_map map;
	struct vmem_inode vi;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	write_pattern(&vi, 0, 1000, 1);
	assert_int_equal(vmem_map_write(&vi, 0, 1, &map), 0);
	memset(c.sim->now + map.pblk * BLOCK + 1000, 0x99, 3096);
	sim_store(c.sim, c.sim->now + map.pblk * BLOCK, c.sim->now + map.pblk * BLOCK, BLOCK);
	put(&vi);
	open_name(&c.root, "file", &vi);
	assert_int_equal(vmem_truncate(&vi, 3000), 0);
	expect_pattern(&vi, 0, 1000, 1);
	expect_zeros(&vi, 1000, 2000);
	put(&vi);
	finish(&c);
}

static void data_operations_on_a_directory_are_refused(void **state)
{
	struct vmem_inode vi;
	uint8_t b = 0;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_HOST, 16 * MiB, 0);
	make(&c.root, "dir", S_DIR, &vi);
	assert_int_equal(write_at(&vi, 0, &b, 1), -EISDIR);
	assert_int_equal(read_at(&vi, 0, &b, 1), -EISDIR);
	assert_int_equal(vmem_truncate(&vi, 0), -EISDIR);
	put(&vi);
	finish(&c);
}

static void attributes_are_kept(void **state)
{
	struct vmem_attr set = { .mode = 01750, .uid = 7, .gid = 8, .atime = -5, .mtime = 1ll << 60,
				 .ctime = 3 }, got;
	struct vmem_inode vi;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	assert_int_equal(vmem_setattr(&vi, 0x3f, &set), 0);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	fail_and_mount(&c, (enum sim_failure)c.domain);
	open_name(&c.root, "file", &vi);
	vmem_getattr(&vi, &got);
	assert_int_equal(got.mode, 0100000 | 01750);
	assert_int_equal(got.uid, 7);
	assert_int_equal(got.gid, 8);
	assert_true(got.atime == -5);
	assert_true(got.mtime == 1ll << 60);
	assert_true(got.ctime == 3);
	put(&vi);
	finish(&c);
}

static void touched_times_are_durable_after_fsync(void **state)
{
	struct vmem_attr got;
	struct vmem_inode vi;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	vmem_touch(&vi, VMEM_SET_ATIME | VMEM_SET_MTIME, 4242);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	fail_and_mount(&c, (enum sim_failure)c.domain);
	open_name(&c.root, "file", &vi);
	vmem_getattr(&vi, &got);
	assert_true(got.atime == 4242);
	assert_true(got.mtime == 4242);
	put(&vi);
	finish(&c);
}

/* Touch at that time of the clock; the ctime that comes of it. */
static int64_t touched(struct vmem_inode *vi, int64_t now)
{
	struct vmem_attr got;

	vmem_touch(vi, VMEM_SET_CTIME, now);
	vmem_getattr(vi, &got);
	return got.ctime;
}

static void a_change_after_a_look_at_ctime_gives_another(void **state)
{
	const int64_t now = 1ll << 60;
	struct vmem_attr got;
	struct vmem_inode vi;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "file", S_FILE, &vi);
	assert_true(touched(&vi, now) == now);
	assert_true(touched(&vi, now) == now);
	vmem_see_ctime(&vi);
	assert_true(touched(&vi, now) == now + 1);
	assert_true(touched(&vi, now) == now + 1);
	vmem_see_ctime(&vi);
	assert_true(touched(&vi, now) == now + 2);
	vmem_see_ctime(&vi);
	assert_true(touched(&vi, now - 900000000) == now + 3);
	assert_int_equal(vmem_fsync(&vi, false), 0);
	fail_and_mount(&c, (enum sim_failure)c.domain);
	open_name(&c.root, "file", &vi);
	vmem_getattr(&vi, &got);
	assert_true(got.ctime == now + 3);
	assert_true(touched(&vi, now - 2000000000) == now - 2000000000);
	put(&vi);
	finish(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_DOMAIN(every_odd_offset_and_length_reads_back),
		EACH_DOMAIN(holes_read_as_zeros),
		cmocka_unit_test(reading_ends_at_the_end_of_file),
		EACH_DOMAIN(appending_byte_by_byte_gives_one_extent),
		EACH_DOMAIN(truncating_down_and_up_shows_no_old_bytes),
		EACH_DOMAIN(behind_the_end_of_a_cut_file_are_zeros),
		EACH_DOMAIN(writing_behind_the_end_shows_no_old_bytes),
		EACH_DOMAIN(a_lost_append_does_not_show_when_the_file_grows),
		cmocka_unit_test(the_zeros_behind_the_old_end_are_durable_with_the_growth),
		EACH_DOMAIN(a_fragmented_file_has_a_deep_tree_and_reads_back),
		EACH_DOMAIN(holes_filled_in_any_order_read_back),
		EACH_DOMAIN(truncating_any_number_of_extents_keeps_what_is_before),
		cmocka_unit_test(offsets_beyond_the_largest_file_are_refused),
		EACH_DOMAIN(a_write_of_many_mebibytes_arrives_whole),
		cmocka_unit_test(large_files_start_on_huge_page_borders),
		EACH_DOMAIN(a_fault_in_the_middle_of_a_write_keeps_what_arrived),
		EACH_DOMAIN(what_may_not_wait_is_written_in_place_or_not_at_all),
		EACH_DOMAIN(a_hole_filled_through_a_mapping_reads_as_zeros_first),
		EACH_DOMAIN(stores_through_a_mapping_behind_the_end_never_show),
		cmocka_unit_test(data_operations_on_a_directory_are_refused),
		EACH_DOMAIN(attributes_are_kept),
		EACH_DOMAIN(touched_times_are_durable_after_fsync),
		EACH_DOMAIN(a_change_after_a_look_at_ctime_gives_another),
	};

	return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
