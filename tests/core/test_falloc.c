// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* test_falloc.c - blocks in advance, holes and zeros, pieces cut out and put in */
#include "fixture.h"

#define KEEP	VMEM_FALLOC_KEEP_SIZE
#define PUNCH	(VMEM_FALLOC_PUNCH_HOLE | KEEP)
#define ZERO	VMEM_FALLOC_ZERO_RANGE
#define CUT	VMEM_FALLOC_COLLAPSE_RANGE
#define INSERT	VMEM_FALLOC_INSERT_RANGE

static uint64_t blocks_of(struct vmem_inode *vi)
{
	struct vmem_attr a;

	vmem_getattr(vi, &a);
	return a.blocks;
}

static enum vmem_kind kind_at(struct vmem_inode *vi, uint64_t lblk)
{
	struct vmem_map map;

	assert_int_equal(vmem_map(vi, lblk, 1, &map), 0);
	return map.kind;
}

static struct vmem_superblock *super_of(struct ctx *c)
{
	return (void *)c->sim->store.base;
}

/* All that is free has been something else's. */
static void soil(struct ctx *c)
{
	struct vmem_inode f;

	make(&c->root, "junk", S_FILE, &f);
	write_pattern(&f, 0, 6 * MiB, 77);
	unlink_name(&c->root, "junk");
	put(&f);
	assert_int_equal(vmem_checkpoint(c->fs), 0);
}

/* A store through a mapping. */
static void store_mapped(struct ctx *c, struct vmem_inode *vi, uint64_t off, uint8_t byte)
{
	struct vmem_map map;
	uint8_t *at;

	assert_int_equal(vmem_map_write(vi, off / BLOCK, 1, &map), 0);
	assert_int_equal(map.kind, VMEM_DATA);
	at = c->sim->now + map.pblk * BLOCK + off % BLOCK;
	sim_store(c->sim, at, &byte, 1);
	if (c->domain == VMEM_DOMAIN_PMEM)
		c->sim->store.drain(&c->sim->store);
	vmem_mark_dirty(vi, off, 1);
}

static void preallocated_blocks_read_as_zeros_and_take_what_is_written(void **state)
{
	uint8_t byte = 9;
	struct vmem_inode f;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	soil(&c);
	make(&c.root, "f", S_FILE, &f);
	assert_int_equal(vmem_fallocate(&f, 0, 100, 40 * BLOCK), 0);
	assert_int_equal(vmem_size(&f), 100 + 40 * BLOCK);
	assert_int_equal(blocks_of(&f), 41);
	assert_int_equal(kind_at(&f, 40), VMEM_UNWRITTEN);
	expect_zeros(&f, 0, 100 + 40 * BLOCK);
	assert_int_equal(vmem_seek(&f, 0, false), -ENXIO);
	assert_int_equal(vmem_seek(&f, 5, true), 5);
	write_pattern(&f, 10 * BLOCK + 50, 3 * BLOCK, 1);
	store_mapped(&c, &f, 20 * BLOCK + 7, byte);
	assert_int_equal(blocks_of(&f), 41);
	expect_zeros(&f, 0, 10 * BLOCK + 50);
	expect_pattern(&f, 10 * BLOCK + 50, 3 * BLOCK, 1);
	expect_zeros(&f, 13 * BLOCK + 50, 7 * BLOCK - 50 + 7);
	expect_bytes(&f, 20 * BLOCK + 7, &byte, 1);
	expect_zeros(&f, 20 * BLOCK + 8, 20 * BLOCK);
	assert_int_equal(kind_at(&f, 9), VMEM_UNWRITTEN);
	assert_int_equal(kind_at(&f, 14), VMEM_UNWRITTEN);
	assert_int_equal(vmem_fsync(&f, false), 0);
	fail_and_mount(&c, (enum sim_failure)c.domain);
	open_name(&c.root, "f", &f);
	expect_pattern(&f, 10 * BLOCK + 50, 3 * BLOCK, 1);
	expect_zeros(&f, 20 * BLOCK + 8, 20 * BLOCK);
	put(&f);
	finish(&c);
}

static void blocks_behind_the_end_are_kept_for_appends(void **state)
{
	struct vmem_inode f;
	uint64_t before;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	soil(&c);
	make(&c.root, "f", S_FILE, &f);
	write_pattern(&f, 0, 5000, 1);
	assert_int_equal(vmem_fallocate(&f, KEEP, 0, 20 * BLOCK), 0);
	assert_int_equal(vmem_size(&f), 5000);
	assert_int_equal(blocks_of(&f), 20);
	before = free_blocks(&c);
	write_pattern(&f, 5000, 6 * BLOCK, 2);
	write_pattern(&f, 12 * BLOCK + 9, 3, 3);
	assert_int_equal(free_blocks(&c), before);
	assert_int_equal(vmem_size(&f), 12 * BLOCK + 12);
	expect_pattern(&f, 5000, 6 * BLOCK, 2);
	expect_zeros(&f, 5000 + 6 * BLOCK, 12 * BLOCK + 9 - 5000 - 6 * BLOCK);
	assert_int_equal(vmem_truncate(&f, 14 * BLOCK + 1), 0);
	expect_zeros(&f, 12 * BLOCK + 12, 2 * BLOCK - 11);
	put(&f);
	down(&c);
	again(&c);
	open_name(&c.root, "f", &f);
	assert_int_equal(blocks_of(&f), 20);
	/* A truncate to the size that it has gives them back. */
	assert_int_equal(vmem_truncate(&f, 14 * BLOCK + 1), 0);
	assert_int_equal(blocks_of(&f), 15);
	expect_pattern(&f, 0, 5000, 1);
	put(&f);
	finish(&c);
}

static void a_full_store_refuses_and_keeps_nothing(void **state)
{
	struct vmem_inode f;
	uint64_t before;
	struct ctx c;

	up(&c, domain_of(state), 8 * MiB, 0);
	make(&c.root, "f", S_FILE, &f);
	write_pattern(&f, 30 * BLOCK, 10, 1);
	before = free_blocks(&c);
	assert_int_equal(vmem_fallocate(&f, 0, 0, (before + 1) * BLOCK), -ENOSPC);
	assert_int_equal(free_blocks(&c), before);
	assert_int_equal(vmem_size(&f), 30 * BLOCK + 10);
	assert_int_equal(blocks_of(&f), 1);
	assert_int_equal(vmem_fallocate(&f, ZERO, 0, (before + 1) * BLOCK), -ENOSPC);
	expect_pattern(&f, 30 * BLOCK, 10, 1);
	assert_int_equal(vmem_fallocate(&f, 0, 0, (before - 40) * BLOCK), 0);
	put(&f);
	finish(&c);
}

static void a_hole_frees_whole_blocks_and_zeroes_parts(void **state)
{
	struct vmem_inode f;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "f", S_FILE, &f);
	write_pattern(&f, 0, 20 * BLOCK + 77, 1);
	assert_int_equal(vmem_fallocate(&f, PUNCH, 3 * BLOCK + 100, 5 * BLOCK), 0);
	assert_int_equal(blocks_of(&f), 17);
	expect_pattern(&f, 0, 3 * BLOCK + 100, 1);
	expect_zeros(&f, 3 * BLOCK + 100, 5 * BLOCK);
	expect_pattern(&f, 8 * BLOCK + 100, 12 * BLOCK - 23, 1);
	assert_int_equal(vmem_fallocate(&f, PUNCH, 10, 20), 0);
	expect_zeros(&f, 10, 20);
	expect_pattern(&f, 30, 1000, 1);
	assert_int_equal(vmem_fallocate(&f, PUNCH, 20 * BLOCK, 100 * BLOCK), 0);
	assert_int_equal(vmem_size(&f), 20 * BLOCK + 77);
	expect_zeros(&f, 20 * BLOCK, 77);
	assert_int_equal(vmem_fallocate(&f, PUNCH, 0, 30 * BLOCK), 0);
	assert_int_equal(blocks_of(&f), 0);
	expect_zeros(&f, 0, 20 * BLOCK + 77);
	assert_int_equal(vmem_get64(super_of(&c)->incompat), 0);
	put(&f);
	finish(&c);
}

/* More extents than a record can name frees for. */
static void a_hole_in_many_extents_is_made_whole(void **state)
{
	struct vmem_inode f;
	uint64_t before;
	struct ctx c;
	unsigned int i;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "f", S_FILE, &f);
	before = free_blocks(&c);
	for (i = 0; i < 700; i++)
		write_pattern(&f, i * 2ull * BLOCK, 100, i);
	assert_int_equal(vmem_fallocate(&f, PUNCH, BLOCK, 1396ull * BLOCK + 50), 0);
	expect_pattern(&f, 0, 100, 0);
	expect_zeros(&f, BLOCK, 1396ull * BLOCK);
	expect_pattern(&f, 699 * 2ull * BLOCK, 100, 699);
	assert_true(blocks_of(&f) <= 6);
	assert_int_equal(vmem_fallocate(&f, ZERO, 0, 1400ull * BLOCK), 0);
	assert_int_equal(vmem_truncate(&f, 0), 0);
	assert_int_equal(vmem_checkpoint(c.fs), 0);
	assert_int_equal(free_blocks(&c), before);
	put(&f);
	finish(&c);
}

static void zeroed_data_stays_allocated(void **state)
{
	struct vmem_inode f;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "f", S_FILE, &f);
	write_pattern(&f, 0, 10 * BLOCK, 1);
	write_pattern(&f, 14 * BLOCK, BLOCK, 2);
	assert_int_equal(vmem_fallocate(&f, ZERO, BLOCK + 1, 14 * BLOCK + 50), 0);
	assert_int_equal(vmem_size(&f), 15 * BLOCK + 51);
	assert_int_equal(blocks_of(&f), 16);
	expect_pattern(&f, 0, BLOCK + 1, 1);
	expect_zeros(&f, BLOCK + 1, 14 * BLOCK + 50);
	assert_int_equal(kind_at(&f, 1), VMEM_DATA);
	assert_int_equal(kind_at(&f, 2), VMEM_UNWRITTEN);
	assert_int_equal(vmem_fallocate(&f, ZERO | KEEP, 12 * BLOCK, 20 * BLOCK), 0);
	assert_int_equal(vmem_size(&f), 15 * BLOCK + 51);
	assert_int_equal(blocks_of(&f), 32);
	write_pattern(&f, 5 * BLOCK, 40, 3);
	expect_zeros(&f, 5 * BLOCK + 40, 9 * BLOCK);
	put(&f);
	finish(&c);
}

static void a_piece_is_cut_out_and_put_in(void **state)
{
	struct vmem_inode f;
	struct ctx c;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "f", S_FILE, &f);
	write_pattern(&f, 0, 20 * BLOCK + 5, 1);
	assert_int_equal(vmem_fallocate(&f, INSERT, 5 * BLOCK, 3 * BLOCK), 0);
	assert_int_equal(vmem_size(&f), 23 * BLOCK + 5);
	assert_int_equal(blocks_of(&f), 21);
	expect_pattern(&f, 0, 5 * BLOCK, 1);
	expect_zeros(&f, 5 * BLOCK, 3 * BLOCK);
	assert_int_equal(vmem_fallocate(&f, CUT, 5 * BLOCK, 3 * BLOCK), 0);
	expect_pattern(&f, 0, 20 * BLOCK + 5, 1);
	assert_int_equal(vmem_fallocate(&f, CUT, 0, BLOCK), 0);
	assert_int_equal(vmem_fallocate(&f, INSERT, 0, BLOCK), 0);
	expect_zeros(&f, 0, BLOCK);
	expect_pattern(&f, BLOCK, 19 * BLOCK + 5, 1);
	assert_int_equal(vmem_size(&f), 20 * BLOCK + 5);
	put(&f);
	finish(&c);
}

static void what_cannot_be_is_refused(void **state)
{
	struct vmem_inode f;
	struct ctx c;

	(void)state;
	up(&c, VMEM_DOMAIN_GUEST, 16 * MiB, 0);
	make(&c.root, "f", S_FILE, &f);
	write_pattern(&f, 0, 4 * BLOCK, 1);
	assert_int_equal(vmem_fallocate(&f, 0, 0, 0), -EINVAL);
	assert_int_equal(vmem_fallocate(&f, CUT, BLOCK, 3 * BLOCK), -EINVAL);
	assert_int_equal(vmem_fallocate(&f, CUT, 1, BLOCK), -EINVAL);
	assert_int_equal(vmem_fallocate(&f, CUT, 0, 100), -EINVAL);
	assert_int_equal(vmem_fallocate(&f, INSERT, 4 * BLOCK, BLOCK), -EINVAL);
	assert_int_equal(vmem_fallocate(&f, INSERT, BLOCK, 1), -EINVAL);
	assert_int_equal(vmem_fallocate(&f, INSERT, BLOCK, VMEM_MAX_FILE_SIZE & ~4095ull), -EFBIG);
	assert_int_equal(vmem_fallocate(&f, VMEM_FALLOC_PUNCH_HOLE, 0, BLOCK), -EOPNOTSUPP);
	assert_int_equal(vmem_fallocate(&f, CUT | KEEP, 0, BLOCK), -EOPNOTSUPP);
	assert_int_equal(vmem_fallocate(&f, 0x80, 0, BLOCK), -EOPNOTSUPP);
	assert_int_equal(vmem_fallocate(&f, 0, VMEM_MAX_FILE_SIZE, BLOCK), -EFBIG);
	assert_int_equal(vmem_fallocate(&c.root, 0, 0, BLOCK), -EISDIR);
	expect_pattern(&f, 0, 4 * BLOCK, 1);
	put(&f);
	finish(&c);
}

/* Deep trees: cut, insert and punch at random places among many extents. */
static void many_extents_move(void **state)
{
	struct vmem_inode f;
	struct ctx c;
	unsigned int i;

	up(&c, domain_of(state), 16 * MiB, 0);
	make(&c.root, "f", S_FILE, &f);
	for (i = 0; i < 300; i++)
		write_pattern(&f, i * 3ull * BLOCK, 100, 1);
	assert_int_equal(vmem_fallocate(&f, INSERT, 300ull * BLOCK, 7 * BLOCK), 0);
	assert_int_equal(vmem_fallocate(&f, CUT, 30ull * BLOCK, 9 * BLOCK), 0);
	expect_zeros(&f, 291ull * BLOCK, 7 * BLOCK);
	assert_int_equal(vmem_fallocate(&f, INSERT, 30ull * BLOCK, 9 * BLOCK), 0);
	assert_int_equal(vmem_fallocate(&f, CUT, 300ull * BLOCK, 7 * BLOCK), 0);
	for (i = 0; i < 300; i++)
		if (i >= 10 && i < 13)
			expect_zeros(&f, i * 3ull * BLOCK, 100);
		else
			expect_pattern(&f, i * 3ull * BLOCK, 100, 1);
	put(&f);
	finish(&c);
}

/* ---- Against an array ---- */

#define FILE_MAX (100u * BLOCK)

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

struct array {
	struct ctx c;
	struct vmem_inode f;
	uint8_t bytes[FILE_MAX + 1];
	uint64_t size;
};

static unsigned int pick(struct array *a, unsigned int below)
{
	return (unsigned int)sim_random(a->c.sim, below);
}

static void change_array(struct array *a, unsigned int op, uint64_t off, uint64_t len)
{
	uint64_t end = least(off + len, a->size);

	switch (op) {
	case 0:
		a->size = most(a->size, off + len);
		break;
	case 2:
		a->size = most(a->size, off + len);
		end = off + len;
		/* fall through */
	case 1:
	case 3:
		if (off < end)
			memset(a->bytes + off, 0, end - off);
		break;
	case 4:
		memmove(a->bytes + off, a->bytes + off + len, a->size - off - len);
		a->size -= len;
		memset(a->bytes + a->size, 0, len);
		break;
	default:
		memmove(a->bytes + off + len, a->bytes + off, a->size - off);
		memset(a->bytes + off, 0, len);
		a->size += len;
	}
}

static void random_fallocate(struct array *a)
{
	static const unsigned int mode[] = { 0, PUNCH, ZERO, ZERO | KEEP, CUT, INSERT };
	unsigned int op = pick(a, 6);
	uint64_t off = pick(a, FILE_MAX / 2), len = 1 + pick(a, pick(a, 2) ? FILE_MAX / 2 : 9000);
	int err;

	if (op > 3 || pick(a, 2)) {
		off &= ~4095ull;
		len = (len + 4095) & ~4095ull;
	}
	if ((op == 4 && off + len >= a->size) || (op == 5 && (off >= a->size || a->size + len > FILE_MAX)))
		return;
	err = vmem_fallocate(&a->f, mode[op], off, len);
	/* In more pieces than a record can name: few, where limits are small. */
	if (err == -EFBIG && op > 3)
		return;
	if (err)
		fail_msg("mode %x at %llu length %llu of %llu: %d (%s)", mode[op], (unsigned long long)off,
			 (unsigned long long)len, (unsigned long long)a->size, err, a->c.sim->last_log);
	change_array(a, op, off, len);
}

static void random_write(struct array *a)
{
	uint64_t off = pick(a, FILE_MAX), len = 1 + pick(a, 12000), i;

	if (pick(a, 3) == 0)
		off = a->size;
	if (off + len > FILE_MAX)
		return;
	for (i = 0; i < len; i++)
		a->bytes[off + i] = (uint8_t)(1 + pick(a, 255));
	assert_int_equal(write_at(&a->f, off, a->bytes + off, len), (int64_t)len);
	a->size = most(a->size, off + len);
}

static void random_other(struct array *a)
{
	uint64_t off = pick(a, FILE_MAX);
	uint8_t byte = (uint8_t)(1 + pick(a, 255));

	switch (pick(a, 5)) {
	case 0:
		off = pick(a, 3) ? off : a->size;
		if (off < a->size)
			memset(a->bytes + off, 0, a->size - off);
		a->size = off;
		assert_int_equal(vmem_truncate(&a->f, off), 0);
		break;
	case 1:
	case 2:
		if (off >= a->size)
			break;
		a->bytes[off] = byte;
		store_mapped(&a->c, &a->f, off, byte);
		break;
	case 3:
		assert_int_equal(vmem_fsync(&a->f, false), 0);
		break;
	default:
		assert_int_equal(vmem_checkpoint(a->c.fs), 0);
	}
}

static void random_calls_agree_with_an_array(void **state)
{
	struct array *a = calloc(1, sizeof(*a));
	unsigned int seed, i;

	for (seed = 1; seed <= 6; seed++) {
		memset(a, 0, sizeof(*a));
		up(&a->c, domain_of(state), 16 * MiB, 0);
		a->c.sim->rng = seed * 77 + a->c.domain;
		soil(&a->c);
		make(&a->c.root, "f", S_FILE, &a->f);
		for (i = 0; i < 150; i++) {
			unsigned int k = pick(a, 8);

			if (k < 3)
				random_fallocate(a);
			else if (k < 6)
				random_write(a);
			else if (k != 6 || pick(a, 3))
				random_other(a);
			assert_int_equal(vmem_size(&a->f), a->size);
			expect_bytes(&a->f, 0, a->bytes, a->size);
		}
		assert_int_equal(vmem_fsync(&a->f, false), 0);
		fail_and_mount(&a->c, (enum sim_failure)a->c.domain);
		open_name(&a->c.root, "f", &a->f);
		expect_bytes(&a->f, 0, a->bytes, a->size);
		put(&a->f);
		finish(&a->c);
	}
	free(a);
}

/* ---- The feature bit ---- */

static void the_bit_comes_with_the_first_unwritten_block_and_beside_another(void **state)
{
	unsigned int lost;

	(void)state;
	for (lost = 0; lost < 4; lost++) {
		struct vmem_xattr x = { VMEM_XATTR_USER, N("a"), "1", 1, 0 };
		struct vmem_superblock old, *sb, *backup;
		struct vmem_inode f;
		struct ctx c;

		up(&c, VMEM_DOMAIN_GUEST, 16 * MiB, 0);
		make(&c.root, "f", S_FILE, &f);
		assert_int_equal(vmem_setxattr(&f, &x, 1, 0, NULL), 0);
		memcpy(&old, super_of(&c), sizeof(old));
		assert_int_equal(vmem_get64(old.incompat), VMEM_INCOMPAT_XATTR);
		assert_int_equal(vmem_fallocate(&f, 0, 0, BLOCK), 0);
		assert_int_equal(vmem_fallocate(&f, PUNCH, 0, BLOCK), 0);
		put(&f);
		fail_now(&c, SIM_GUEST);
		sb = super_of(&c);
		backup = (void *)(c.sim->store.base + vmem_get64(sb->backup) * BLOCK);
		if (lost & 1)
			sb->csum = old.csum;
		if (lost & 2)
			sb->incompat = old.incompat;
		*backup = old;
		again(&c);
		assert_int_equal(vmem_get64(sb->incompat), VMEM_INCOMPAT_XATTR |
				 (lost == 3 ? 0 : VMEM_INCOMPAT_UNWRITTEN));
		down(&c);
		assert_memory_equal(sb, backup, sizeof(*sb));
		sim_free(c.sim);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_DOMAIN(preallocated_blocks_read_as_zeros_and_take_what_is_written),
		EACH_DOMAIN(blocks_behind_the_end_are_kept_for_appends),
		EACH_DOMAIN(a_full_store_refuses_and_keeps_nothing),
		EACH_DOMAIN(a_hole_frees_whole_blocks_and_zeroes_parts),
		EACH_DOMAIN(a_hole_in_many_extents_is_made_whole),
		EACH_DOMAIN(zeroed_data_stays_allocated),
		EACH_DOMAIN(a_piece_is_cut_out_and_put_in),
		cmocka_unit_test(what_cannot_be_is_refused),
		EACH_DOMAIN(many_extents_move),
		EACH_DOMAIN(random_calls_agree_with_an_array),
		cmocka_unit_test(the_bit_comes_with_the_first_unwritten_block_and_beside_another),
	};

	return cmocka_run_group_tests_name("falloc", tests, NULL, NULL);
}
