// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * fuzz_repair.c - repair a damaged image
 *
 * Then the check finds nothing, a second repair stores nothing, what the
 * damage did not touch is still there, and the image can be used; or there is
 * a reason why not.  Each change was told by writeback, because only those
 * blocks reach the image.  Memory is linear in the size of the image.
 */
#include "offline/repair.h"

#include "intact.h"

const char *const harness_name = "repair";

/* Of the largest base: blocks that were told, blocks that were damaged, and what was in them. */
static uint8_t *noted, *damaged, *snapshot;
static uint64_t nr_noted;
static bool no_space;
static char last_report[512];

static void note_store(struct vmem_store *store, const void *addr, size_t len)
{
	uint64_t off = (uint64_t)((const uint8_t *)addr - store->base), i;

	if (off > store->size || len > store->size - off)
		broken("store to %llu+%zu", (unsigned long long)off, len);
	for (i = off / BLOCK; len && i <= (off + len - 1) / BLOCK; i++)
		noted[i] = 1;
	nr_noted++;
}

static void no_drain(struct vmem_store *store)
{
	(void)store;
}

__attribute__((format(printf, 2, 0)))
static void on_report(void *ctx, const char *fmt, va_list ap)
{
	(void)ctx;
	vsnprintf(last_report, sizeof(last_report), fmt, ap);
	no_space |= strstr(last_report, "no space") || strstr(last_report, "too often");
	if (world.verbose)
		fprintf(stderr, "# repair: %s\n", last_report);
}

static int repair(struct vmem_repair_result *r)
{
	struct vmem_store copy = world.store;
	enum vmem_backing backing = world.base->backing;
	struct vmem_repair_params params = {
		.store = &copy, .env = &world.env, .report = on_report,
		.domain = backing == VMEM_BACKING_DAX ? VMEM_DOMAIN_PMEM : VMEM_DOMAIN_HOST,
	};
	int err;

	copy.backing = VMEM_BACKING_DAX;
	copy.writeback = note_store;
	copy.drain = no_drain;
	copy.flush = NULL;
	nr_noted = 0;
	last_report[0] = 0;
	world.peak = 0;
	world.repairing = true;
	err = vmem_repair(&params, r);
	world.repairing = false;
	world_end();
	if (world.peak > (4ull << 20) + 3 * copy.size)
		broken("the repair wanted %llu bytes", (unsigned long long)world.peak);
	return err;
}

static void allocate(void)
{
	uint64_t most = 0;
	unsigned int i;

	for (i = 0; i < NR_BASES; i++)
		if (bases[i].nr_blocks > most)
			most = bases[i].nr_blocks;
	noted = calloc(1, most);
	damaged = calloc(1, most);
	snapshot = malloc(most * BLOCK);
	if (!noted || !damaged || !snapshot)
		abort();
}

/* The damaged image, as far as it is not the base's. */
static void take_snapshot(void)
{
	const struct base *b = world.base;
	uint64_t i;

	if (!noted)
		allocate();
	memset(noted, 0, b->nr_blocks);
	memcpy(damaged, b->touched, b->nr_blocks);
	for (i = 0; i < b->nr_blocks; i++)
		if (damaged[i])
			memcpy(snapshot + i * BLOCK, b->work + i * BLOCK, BLOCK);
}

/* A run of blocks that were neither told nor damaged is compared at once. */
static void check_notes(void)
{
	const struct base *b = world.base;
	uint64_t i, end;

	for (i = 0; i < b->nr_blocks; i = end) {
		const uint8_t *was = (damaged[i] ? snapshot : b->image) + i * BLOCK;

		end = i + 1;
		if (noted[i])
			continue;
		while (!damaged[i] && end < b->nr_blocks && !damaged[end] && !noted[end])
			end++;
		if (memcmp(was, b->work + i * BLOCK, (end - i) * BLOCK))
			broken("something changed in %llu blocks from %llu, but the caller was not told",
			       (unsigned long long)(end - i), (unsigned long long)i);
	}
}

static void repair_again(void)
{
	struct vmem_repair_result r;
	int err = repair(&r);

	if (err || nr_noted || r.safe || r.unsafe)
		broken("a second repair gives %d, %llu stores: %s", err, (unsigned long long)nr_noted,
		       last_report);
}

/* What was repaired can be used, and the core finds nothing either. */
static void use_it(void)
{
	struct vmem_mount_opts opts = { .read_only = false };
	struct vmem_fs *fs;
	int err;

	world.pristine = true;
	world.store.backing = world.base->backing;
	err = vmem_mount(&world.store, &world.env, &opts, &fs, NULL);
	if (err)
		broken("mounting what was repaired gives %d", err);
	walk_all(fs);
	run_standard_ops(fs);
	expect_errno(vmem_umount(fs));
	world_end();
	if (world_check(NULL))
		broken("the check finds something after using what was repaired");
}

void fuzz_one(const struct fuzz_input *in)
{
	struct fuzz_header head = in->head;
	struct vmem_repair_result r;
	bool needs_check;
	int err;

	head.mount &= MOUNT_HOST_FAILED;
	head.backing = 0;
	world_start(&bases[in->head.base % NR_BASES], &head);
	apply_damage(in);
	world.fail_at = 0;
	intact_note();
	take_snapshot();
	no_space = false;
	world.allocs = 0;
	world.fail_at = in->head.fail_alloc;
	err = repair(&r);
	if (err && err != -ENOMEM && err != -EUCLEAN && err != -EPROTONOSUPPORT)
		broken("the repair gives %d", err);
	if (err == -ENOMEM && !in->head.fail_alloc)
		broken("the repair says that there is no memory");
	if (err && err != -ENOMEM && !strstr(last_report, "refused: "))
		broken("the repair gives %d without a reason: %s", err, last_report);
	if (err == 0) {
		world.fail_at = 0;
		check_notes();
		if (world_check(&needs_check) || needs_check)
			broken("the check finds something after the repair");
		repair_again();
		if (!no_space)
			intact_check();
		world_end();
		use_it();
	}
}
