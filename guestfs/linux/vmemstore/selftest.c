// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * selftest.c - vmemstore_selftest.ko: the exported interface, used and timed
 *
 * Loading it runs the checks on the store behind /dev/pmem0 (parameter dev=),
 * whose contents it overwrites, then times flushes.  The kernel log has one
 * line per check; loading fails if one failed.
 *
 *   insmod vmemstore_selftest.ko dev=/dev/pmem0 threads=4 rounds=1000
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/blkdev.h>
#include <linux/dax.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/pfn_t.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "compat.h"
#include "vmemstore.h"

static char *dev = "/dev/pmem0";
module_param(dev, charp, 0);
MODULE_PARM_DESC(dev, "block device; its contents are overwritten");

static unsigned int rounds = 1000;
module_param(rounds, uint, 0);
MODULE_PARM_DESC(rounds, "flushes that each thread times");

static unsigned int threads = 1;
module_param(threads, uint, 0);
MODULE_PARM_DESC(threads, "threads that flush at once");

static unsigned int ranges = 1;
module_param(ranges, uint, 0);
MODULE_PARM_DESC(ranges, "4 KiB ranges per timed flush");

static bool dirty = true;
module_param(dirty, bool, 0);
MODULE_PARM_DESC(dirty, "store into each range before its flush");

struct selftest {
	struct vmemstore *store;
	struct block_device *bdev;
	u8 *base;
	unsigned int failures;
	atomic_t running;
	struct completion all_done;
};

struct timer_thread {
	struct selftest *test;
	unsigned int seed;
	int error;
	u64 *ns;
};

static void check(struct selftest *test, bool good, const char *what)
{
	pr_info("%s - %s\n", good ? "ok" : "not ok", what);
	if (!good)
		test->failures++;
}

static int flush_one(struct selftest *test, u64 offset, u64 length)
{
	struct vmemstore_krange range = { offset, length };

	return vmemstore_flush(test->store, &range, 1);
}

/* Far more advice than anybody takes: what is too much is dropped, and nobody waits. */
static void check_prefetch(struct selftest *test)
{
	struct vmemstore_krange ranges[] = { { 0, SZ_4K }, { SZ_4K, SZ_4K }, { SZ_1M, SZ_64K } };
	u64 size = vmemstore_size(test->store);
	struct vmemstore_krange outside = { size, 1 };
	unsigned int i, sent = 0;
	bool resident = false;

	if (!vmemstore_prefetches(test->store)) {
		check(test, !vmemstore_prefetch(test->store, ranges, 1, 1),
		      "a device that cannot read ahead is not asked to");
		return;
	}
	for (i = 0; i < 10000; i++)
		sent += vmemstore_prefetch(test->store, ranges, ARRAY_SIZE(ranges), 1);
	check(test, sent > 0, "advice to read ahead is sent, and nobody waits for it");
	check(test, !flush_one(test, 0, SZ_4K), "a flush works beside it");
	for (i = 0; i < 100000 && !resident; i++) {
		vmemstore_prefetch(test->store, ranges, ARRAY_SIZE(ranges), 1);
		usleep_range(1000, 2000);
		resident = vmemstore_was_resident(test->store, 1);
	}
	check(test, resident, "the answer to advice says that all was in memory");
	check(test, !vmemstore_was_resident(test->store, 2), "to others it says nothing");
	check(test, !vmemstore_prefetch(test->store, &outside, 1, 1),
	      "advice for what is not in the store is dropped");
}

static void check_ranges(struct selftest *test)
{
	u64 size = vmemstore_size(test->store);
	struct vmemstore_krange *many;
	const unsigned int nr = 3 * VMEMSTORE_MAX_RANGES + 1;
	unsigned int i;

	check(test, flush_one(test, 0, 1) == 0, "one byte is flushed");
	check(test, flush_one(test, size - 1, 1) == 0, "the last byte is flushed");
	check(test, flush_one(test, 0, size) == 0, "the whole range is flushed");
	check(test, vmemstore_flush(test->store, NULL, 0) == 0,
	      "no range means the whole store");
	check(test, flush_one(test, 0, 0) == -EINVAL, "an empty range is refused");
	check(test, flush_one(test, size, 1) == -EINVAL,
	      "a range behind the end is refused");
	check(test, flush_one(test, 1, size) == -EINVAL,
	      "a range across the end is refused");
	check(test, flush_one(test, U64_MAX, 2) == -EINVAL,
	      "a range that wraps is refused");

	many = kcalloc(nr, sizeof(*many), GFP_KERNEL);
	if (!many)
		return;
	for (i = 0; i < nr; i++) {
		many[i].offset = (u64)i * SZ_8K;
		many[i].length = SZ_4K;
	}
	check(test, vmemstore_flush(test->store, many, nr) == 0,
	      "more ranges than one request takes are flushed");
	kfree(many);
}

static int timed_flush(struct timer_thread *t, unsigned int round)
{
	struct vmemstore_krange r[VMEMSTORE_MAX_RANGES];
	u64 pages = vmemstore_size(t->test->store) / SZ_4K;
	ktime_t start;
	unsigned int i;
	int ret;

	for (i = 0; i < ranges; i++) {
		u64 page;

		t->seed = t->seed * 1664525 + 1013904223;
		page = ((u64)t->seed * pages) >> 32;
		r[i].offset = page * SZ_4K;
		r[i].length = SZ_4K;
		if (dirty)
			WRITE_ONCE(*(u32 *)(t->test->base + r[i].offset), round);
	}
	start = ktime_get();
	ret = vmemstore_flush(t->test->store, r, ranges);
	t->ns[round] = ktime_to_ns(ktime_sub(ktime_get(), start));
	return ret;
}

static int timer_thread_run(void *arg)
{
	struct timer_thread *t = arg;
	struct selftest *test = t->test;
	unsigned int i;

	for (i = 0; i < rounds && !t->error; i++)
		t->error = timed_flush(t, i);
	if (atomic_dec_and_test(&test->running))
		complete(&test->all_done);
	return 0;
}

static int compare_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static void report_times(struct timer_thread *t, u64 elapsed_ns)
{
	u64 *all = t[0].ns;
	unsigned int nr = threads * rounds;

	sort(all, nr, sizeof(*all), compare_u64, NULL);
	pr_info("time - threads %u, ranges %u: %llu flushes/s, p50 %llu ns, p99 %llu ns\n",
		threads, ranges, div64_u64((u64)nr * NSEC_PER_SEC, elapsed_ns),
		all[nr / 2], all[nr - 1 - nr / 100]);
}

static void time_flushes(struct selftest *test)
{
	struct timer_thread *t = kcalloc(threads, sizeof(*t), GFP_KERNEL);
	u64 *ns = kvcalloc(threads * rounds, sizeof(*ns), GFP_KERNEL);
	unsigned int i;
	bool good = true;
	ktime_t start;

	if (!t || !ns)
		goto out;
	atomic_set(&test->running, threads);
	init_completion(&test->all_done);
	start = ktime_get();
	for (i = 0; i < threads; i++) {
		struct task_struct *task;

		t[i].test = test;
		t[i].seed = get_random_u32();
		t[i].ns = ns + i * rounds;
		task = kthread_run(timer_thread_run, &t[i], "vmemstore_test/%u", i);
		if (IS_ERR(task)) {
			t[i].error = PTR_ERR(task);
			if (atomic_dec_and_test(&test->running))
				complete(&test->all_done);
		}
	}
	wait_for_completion(&test->all_done);
	for (i = 0; i < threads; i++)
		good = good && !t[i].error;
	check(test, good, "threads flush at once");
	report_times(t, ktime_to_ns(ktime_sub(ktime_get(), start)));
out:
	kvfree(ns);
	kfree(t);
}

/* The memory of the store, as fs/dax maps it. */
static u8 *map_store(struct block_device *bdev)
{
	struct dax_device *dax;
	void *addr = NULL;
	u64 offset;
	long ret;
	int id;

	dax = fs_dax_get_by_bdev(bdev, &offset, NULL, NULL);
	if (!dax)
		return NULL;
	id = dax_read_lock();
	ret = dax_direct_access(dax, PHYS_PFN(offset), PHYS_PFN(bdev_nr_bytes(bdev)),
				DAX_ACCESS, &addr, NULL);
	dax_read_unlock(id);
	fs_put_dax(dax, NULL);
	return ret == PHYS_PFN(bdev_nr_bytes(bdev)) ? addr : NULL;
}

static int __init selftest_init(void)
{
	struct selftest test = {};
	struct vmem_bdev handle;
	u8 generation[VMEMSTORE_GENERATION_LEN];
	int ret;

	if (!threads || !rounds || !ranges || ranges > VMEMSTORE_MAX_RANGES)
		return -EINVAL;
	ret = vmem_bdev_open(&handle, dev, &test);
	if (ret)
		return ret;
	test.bdev = handle.bdev;
	test.store = vmemstore_get(test.bdev);
	test.base = map_store(test.bdev);
	if (!test.store || !test.base) {
		pr_err("%s is not a store\n", dev);
		ret = -ENODEV;
		goto out;
	}
	vmemstore_generation(test.store, generation);
	check(&test, memchr_inv(generation, 0, sizeof(generation)),
	      "the store has a generation");
	check(&test, !vmemstore_failed(test.store), "no flush has failed");
	check_ranges(&test);
	check_prefetch(&test);
	time_flushes(&test);
	ret = test.failures ? -EIO : 0;
out:
	vmemstore_put(test.store);
	vmem_bdev_close(&handle, &test);
	return ret;
}
module_init(selftest_init);

static void __exit selftest_exit(void)
{
}
module_exit(selftest_exit);

MODULE_DESCRIPTION("vmemstore: test of the exported interface");
MODULE_LICENSE("GPL");
