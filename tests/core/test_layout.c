// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* test_layout.c - file contents at consecutive addresses */
#include "fixture.h"

static void runs_are_laid_out_whole_or_not_at_all(void **state)
{
	struct vmem_inode a, vi;
	struct vmem_map map;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "a", S_FILE, &a);
	assert_int_equal(vmem_layout(&c.root, 0, BLOCK), -EINVAL);
	assert_int_equal(vmem_layout(&a, 0, 0), -EINVAL);
	assert_int_equal(vmem_layout(&a, 1, BLOCK), -EINVAL);
	assert_int_equal(vmem_layout(&a, 0, UINT64_MAX), -EFBIG);
	assert_int_equal(vmem_layout(&a, VMEM_MAX_FILE_SIZE + 1, BLOCK), -EFBIG);
	/* What cannot be does not change the size. */
	assert_int_equal(vmem_layout(&a, 0, 9000 * BLOCK), -ENOSPC);
	assert_int_equal(vmem_size(&a), 0);
	assert_int_equal(vmem_layout(&a, 2 * BLOCK, 3 * BLOCK + 1), 0);
	assert_int_equal(vmem_size(&a), 5 * BLOCK + 1);
	assert_int_equal(vmem_layout(&a, 5 * BLOCK, 3 * BLOCK), -EEXIST);
	assert_int_equal(vmem_layout(&a, 6 * BLOCK, 700 * BLOCK), 0);
	assert_int_equal(vmem_map(&a, 6, 700, &map), 0);
	assert_int_equal(map.nr, 700);
	expect_zeros(&a, 0, 706 * BLOCK);
	/* It lies so already: at most the size changes. */
	assert_int_equal(vmem_truncate(&a, 705 * BLOCK + 1), 0);
	assert_int_equal(vmem_layout(&a, 7 * BLOCK, 600 * BLOCK), 0);
	assert_int_equal(vmem_size(&a), 705 * BLOCK + 1);
	assert_int_equal(vmem_layout(&a, 705 * BLOCK, 2), 0);
	assert_int_equal(vmem_size(&a), 705 * BLOCK + 2);
	make(&c.root, "filler", S_FILE, &vi);
	fill_store(&vi, 0);
	assert_int_equal(vmem_layout(&a, 800 * BLOCK, 200 * BLOCK), -ENOSPC);
	assert_int_equal(vmem_size(&a), 705 * BLOCK + 2);
	put(&vi);
	assert_int_equal(vmem_remount(c.fs, true), 0);
	assert_int_equal(vmem_layout(&a, 800 * BLOCK, BLOCK), -EROFS);
	put(&a);
	finish(&c);
}

static void spans_end_where_addresses_do(void **state)
{
	struct vmem_inode a, b;
	struct vmem_span one, two, hole;
	struct ctx c;
	unsigned int i;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "a", S_FILE, &a);
	make(&c.root, "b", S_FILE, &b);
	/* Two extents of one run, or of two: a span is what the addresses say. */
	for (i = 0; i < 4; i++) {
		write_pattern(&a, i * 3 * BLOCK, 3 * BLOCK, i);
		write_pattern(&b, i * BLOCK, BLOCK, i);
	}
	assert_int_equal(vmem_truncate(&a, 20 * BLOCK), 0);
	for (i = 0; i < 12 * BLOCK; i += (unsigned int)one.len) {
		assert_int_equal(vmem_find_span(&a, i, 12 * BLOCK - i, false, &one), 0);
		assert_true(one.len > 0 && one.len <= 12 * BLOCK - i);
		assert_int_equal((uint64_t)(one.addr - c.sim->store.base), where(&a, i));
		if (i + one.len == 12 * BLOCK)
			break;
		assert_int_equal(vmem_find_span(&a, i + one.len, 1, false, &two), 0);
		assert_ptr_not_equal(two.addr, one.addr + one.len);
	}
	/* From the middle of a block, and not more than asked for. */
	assert_int_equal(vmem_find_span(&a, 100, 200, false, &one), 0);
	assert_int_equal(one.len, 200);
	assert_int_equal((uint64_t)(one.addr - c.sim->store.base), where(&a, 0) + 100);
	/* A hole is one span; filled, it has addresses. */
	assert_int_equal(vmem_find_span(&a, 12 * BLOCK + 5, 7 * BLOCK, false, &hole), 0);
	assert_null(hole.addr);
	assert_int_equal(hole.len, 7 * BLOCK);
	assert_int_equal(vmem_find_span(&a, 12 * BLOCK + 5, 7 * BLOCK, true, &hole), 0);
	assert_non_null(hole.addr);
	expect_zeros(&a, 12 * BLOCK, 8 * BLOCK);
	/* A hole ends where data begins; a large one, filled piece by piece, is one span. */
	assert_int_equal(vmem_layout(&b, 10 * BLOCK, 3 * BLOCK), 0);
	assert_int_equal(vmem_find_span(&b, 4 * BLOCK, 9 * BLOCK, false, &hole), 0);
	assert_null(hole.addr);
	assert_int_equal(hole.len, 6 * BLOCK);
	assert_int_equal(vmem_truncate(&b, 720 * BLOCK), 0);
	assert_int_equal(vmem_find_span(&b, 20 * BLOCK, 700 * BLOCK, true, &hole), 0);
	assert_int_equal(hole.len, 700 * BLOCK);
	/* To the end of the last block, and no further. */
	assert_int_equal(vmem_truncate(&a, 19 * BLOCK + 1), 0);
	assert_int_equal(vmem_find_span(&a, 19 * BLOCK, BLOCK, true, &hole), 0);
	assert_int_equal(hole.len, BLOCK);
	assert_int_equal(vmem_find_span(&a, 19 * BLOCK, BLOCK + 1, true, &hole), -EINVAL);
	assert_int_equal(vmem_find_span(&a, 20 * BLOCK, 1, true, &hole), -EINVAL);
	assert_int_equal(vmem_find_span(&a, 0, 0, true, &hole), -EINVAL);
	assert_int_equal(vmem_find_span(&a, BLOCK, UINT64_MAX, true, &hole), -EINVAL);
	assert_int_equal(vmem_find_span(&a, BLOCK, VMEM_MAX_FILE_SIZE, true, &hole), -EINVAL);
	put(&a);
	put(&b);
	finish(&c);
}

static void a_span_ends_where_the_store_is_full(void **state)
{
	struct vmem_inode a, few, filler;
	struct vmem_span span;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "a", S_FILE, &a);
	assert_int_equal(vmem_truncate(&a, 100 * BLOCK), 0);
	make(&c.root, "few", S_FILE, &few);
	write_pattern(&few, 0, 7 * BLOCK, 1);
	make(&c.root, "filler", S_FILE, &filler);
	fill_store(&filler, 0);
	assert_int_equal(vmem_find_span(&a, 0, 100 * BLOCK, true, &span), -ENOSPC);
	assert_int_equal(span.len, 0);
	assert_null(span.addr);
	unlink_name(&c.root, "few");
	put(&few);
	assert_int_equal(vmem_sync(c.fs), 0);
	assert_int_equal(vmem_checkpoint(c.fs), 0);
	assert_int_equal(vmem_find_span(&a, 0, 100 * BLOCK, true, &span), -ENOSPC);
	assert_true(span.len >= BLOCK && span.len < 100 * BLOCK);
	assert_int_equal((uint64_t)(span.addr - c.sim->store.base), where(&a, 0));
	put(&a);
	put(&filler);
	finish(&c);
}

static void a_truncate_moves_no_byte_that_it_keeps(void **state)
{
	struct vmem_span before, after;
	struct vmem_inode a;
	uint64_t size, kept;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "a", S_FILE, &a);
	assert_int_equal(vmem_layout(&a, 0, 20 * BLOCK), 0);
	assert_true(vmem_truncate_keeps(&a, 30 * BLOCK) >= 20 * BLOCK);
	for (size = 19 * BLOCK + 7; size > 3 * BLOCK; size -= BLOCK + 1) {
		kept = vmem_truncate_keeps(&a, size);
		assert_true(kept <= size && size - kept < BLOCK);
		assert_int_equal(vmem_find_span(&a, 0, kept, false, &before), 0);
		assert_int_equal(vmem_truncate(&a, size), 0);
		assert_int_equal(vmem_find_span(&a, 0, kept, false, &after), 0);
		assert_ptr_equal(after.addr, before.addr);
		assert_int_equal(after.len, kept);
	}
	put(&a);
	finish(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_DOMAIN(runs_are_laid_out_whole_or_not_at_all),
		EACH_DOMAIN(spans_end_where_addresses_do),
		EACH_DOMAIN(a_span_ends_where_the_store_is_full),
		EACH_DOMAIN(a_truncate_moves_no_byte_that_it_keeps),
	};

	return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
