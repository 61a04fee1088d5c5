// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* test_roots.c - the mount, the check and the repair take the same root */
#include "offline/check.h"
#include "fixture.h"
#include "medium/hash.h"
#include "fs/fs.h"
#include "offline/repair.h"
#include "medium/root.h"

/* Ways in which a slot may lie there; seq is set before. */
enum { GOOD, BAD_CSUM, BAD_MAGIC, OTHER_UUID, ZERO, SEQ_LAST, SEQ_END, TAIL_ODD, TAIL_LAST, TAIL_END,
       APPLIED_ODD, NR_WAYS };
static const char *const names[NR_WAYS] = {
	"good", "csum", "magic", "uuid", "zero", "last seq", "seq past its end", "odd tail", "last tail",
	"tail past its end", "odd applied",
};

static struct vmem_root *slot_of(struct ctx *c, unsigned int slot)
{
	return (struct vmem_root *)(void *)(c->sim->store.base + VMEM_ROOT_BLOCK(slot) * BLOCK);
}

static void spoil(struct vmem_root *r, int way)
{
	uint64_t last = VMEM_ROOT_SEQ_END - 1;

	if (way == SEQ_LAST || way == SEQ_END)
		r->seq = vmem_le64_of(way == SEQ_END ? last + 1 : last);
	if (way == TAIL_ODD)
		r->tail = vmem_le64_of(vmem_get64(r->tail) + 8);
	if (way == TAIL_LAST || way == TAIL_END)
		r->tail = vmem_le64_of((last & ~31ull) + (way == TAIL_END ? 32 : 0));
	if (way == TAIL_ODD || way == TAIL_LAST || way == TAIL_END)
		r->applied = r->tail;
	if (way == APPLIED_ODD)
		r->applied = vmem_le64_of(vmem_get64(r->tail) + 8);
	if (way == OTHER_UUID)
		r->uuid[3] ^= 1;
	if (way == BAD_MAGIC)
		r->magic = vmem_le64_of(VMEM_ROOT_MAGIC ^ 1);
	r->csum = vmem_le32_of(vmem_root_csum(vmem_crc32c, r) ^ (way == BAD_CSUM));
	if (way == ZERO)
		memset(r, 0, sizeof(*r));
}

static void no_problem(void *ctx, const char *fmt, va_list ap)
{
	(void)ctx;
	(void)fmt;
	(void)ap;
}

static void no_report(void *ctx, const char *fmt, va_list ap)
{
	no_problem(ctx, fmt, ap);
}

/* The slot that a mount takes, VMEM_NR_ROOTS: it finds none. */
static unsigned int slot_of_mount(struct ctx *c)
{
	struct vmem_mount_opts opts = { .no_recovery = true };
	unsigned int slot;
	int err = try_mount(c, &opts);

	if (err) {
		assert_int_equal(err, -EUCLEAN);
		return VMEM_NR_ROOTS;
	}
	slot = c->fs->root_slot;
	vmem_umount(c->fs);
	return slot;
}

static unsigned int slot_of_check(struct ctx *c)
{
	struct vmem_check_params params = {
		.base = c->sim->store.base, .size = c->sim->store.size, .env = &c->sim->env, .problem = no_problem,
	};
	struct vmem_check_result result;

	assert_true(vmem_check(&params, &result) >= 0);
	return result.root_slot;
}

/* What the repair makes of it mounts; its roots are newer than those before. */
static void repair_and_mount(struct ctx *c)
{
	struct vmem_repair_result result;
	struct vmem_repair_params params = {
		.store = &c->sim->store, .env = &c->sim->env, .domain = c->domain, .report = no_report,
	};
	struct vmem_mount_opts opts = { .read_only = false };

	assert_int_equal(vmem_repair(&params, &result), 0);
	assert_int_equal(sim_check(c->sim), 0);
	assert_int_equal(try_mount(c, &opts), 0);
	assert_int_equal(vmem_umount(c->fs), 0);
}

static void every_pair_of_slots_is_judged_alike(void **state)
{
	unsigned int a, b, order, mount, check;
	struct vmem_root good;
	struct ctx c;

	up(&c, domain_of(state), 2 * MiB, 64);
	down(&c);
	for (a = 0; a < NR_WAYS; a++)
		for (b = 0; b < NR_WAYS; b++)
			for (order = 0; order < 3; order++) {
				if (!a && !b && !order)
					vmem_newest_root(c.sim->store.base, slot_of(&c, 0)->uuid, vmem_crc32c, &good);
				*slot_of(&c, 0) = good;
				*slot_of(&c, 1) = good;
				slot_of(&c, 0)->seq = vmem_le64_of(100 + (order == 0));
				slot_of(&c, 1)->seq = vmem_le64_of(100 + (order == 1));
				spoil(slot_of(&c, 0), (int)a);
				spoil(slot_of(&c, 1), (int)b);
				mount = slot_of_mount(&c);
				check = slot_of_check(&c);
				if (mount != check)
					fail_msg("%s, %s, order %u: the mount takes slot %u, the check %u", names[a],
						 names[b], order, mount, check);
				/* Never one that is not valid, and one if one is valid. */
				assert_int_equal(mount == VMEM_NR_ROOTS,
						 !vmem_root_valid(slot_of(&c, 0), good.uuid, vmem_crc32c) &&
						 !vmem_root_valid(slot_of(&c, 1), good.uuid, vmem_crc32c));
				if (a == GOOD && b == GOOD)
					assert_int_equal(mount, order == 1);
			}
	sim_free(c.sim);
}

static void what_was_repaired_mounts(void **state)
{
	unsigned int a, b;
	struct vmem_root good;
	struct ctx c;

	up(&c, domain_of(state), 2 * MiB, 64);
	down(&c);
	for (a = 0; a < NR_WAYS; a++)
		for (b = 0; b < NR_WAYS; b++) {
			vmem_newest_root(c.sim->store.base, slot_of(&c, 0)->uuid, vmem_crc32c, &good);
			*slot_of(&c, 0) = good;
			*slot_of(&c, 1) = good;
			slot_of(&c, 1)->seq = vmem_le64_of(vmem_get64(good.seq) + 1);
			spoil(slot_of(&c, 0), (int)a);
			spoil(slot_of(&c, 1), (int)b);
			/* Where the clock of the file system ran out, the repair starts it anew. */
			repair_and_mount(&c);
		}
	sim_free(c.sim);
}

/* fsck may have been there, or somebody who mounted it elsewhere. */
static void a_read_only_mount_of_what_has_changed_stays_read_only(void **state)
{
	struct vmem_mount_opts ro = { .read_only = true }, rw = { .read_only = false };
	struct vmem_fs *other;
	struct ctx c;

	up(&c, domain_of(state), 2 * MiB, 64);
	down(&c);
	assert_int_equal(try_mount(&c, &ro), 0);
	assert_int_equal(vmem_remount(c.fs, false), 0);
	assert_int_equal(vmem_remount(c.fs, true), 0);
	assert_int_equal(vmem_mount(&c.sim->store, &c.sim->env, &rw, &other, NULL), 0);
	assert_int_equal(vmem_umount(other), 0);
	assert_int_equal(vmem_remount(c.fs, false), -EROFS);
	assert_true(vmem_is_read_only(c.fs));
	assert_int_equal(vmem_umount(c.fs), 0);
	assert_int_equal(try_mount(&c, &rw), 0);
	assert_int_equal(vmem_umount(c.fs), 0);
	again(&c);
	finish(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_DOMAIN(every_pair_of_slots_is_judged_alike),
		EACH_DOMAIN(what_was_repaired_mounts),
		EACH_DOMAIN(a_read_only_mount_of_what_has_changed_stays_read_only),
	};

	return cmocka_run_group_tests_name("roots", tests, NULL, NULL);
}
