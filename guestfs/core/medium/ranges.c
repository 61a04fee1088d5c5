// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* ranges.c - bounded sets of byte ranges to flush, in whole blocks */
#include "medium/medium.h"

/* How many of the newest ranges an addition is tried to merge with. */
#define MERGE_WINDOW 8

static bool merge_into(struct vmem_range *r, uint64_t start, uint64_t end)
{
	uint64_t r_end = r->offset + r->length;

	if (start > r_end || end < r->offset)
		return false;
	start = VMEM_MIN(start, r->offset);
	r->length = VMEM_MAX(end, r_end) - start;
	r->offset = start;
	return true;
}

/* Shell sort: no recursion, no memory, fast enough for a few hundred. */
static void sort_by_offset(struct vmem_range *r, unsigned int nr)
{
	static const unsigned int gaps[] = { 132, 57, 23, 10, 4, 1 };
	unsigned int g, i, j;

	for (g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++) {
		for (i = gaps[g]; i < nr; i++) {
			struct vmem_range x = r[i];

			for (j = i; j >= gaps[g] && r[j - gaps[g]].offset > x.offset; j -= gaps[g])
				r[j] = r[j - gaps[g]];
			r[j] = x;
		}
	}
}

void vmem_ranges_sort(struct vmem_rangeset *set)
{
	unsigned int i, out = 0;

	sort_by_offset(set->r, set->nr);
	for (i = 1; i < set->nr; i++) {
		struct vmem_range *x = &set->r[i];

		if (!merge_into(&set->r[out], x->offset, x->offset + x->length))
			set->r[++out] = *x;
	}
	if (set->nr)
		set->nr = out + 1;
}

/* Full: join neighbours, two and two.  Flushing what lies between is only slower. */
static void make_room(struct vmem_rangeset *set)
{
	unsigned int i, out = 0;

	vmem_ranges_sort(set);
	if (set->nr < VMEM_RANGES_MAX)
		return;
	for (i = 0; i + 1 < set->nr; i += 2) {
		struct vmem_range *b = &set->r[i + 1];

		set->r[out] = set->r[i];
		set->r[out].length = b->offset + b->length - set->r[out].offset;
		out++;
	}
	set->nr = out;
}

void vmem_ranges_add(struct vmem_rangeset *set, uint64_t off, uint64_t len)
{
	uint64_t start = off & ~(uint64_t)VMEM_BLOCK_MASK;
	uint64_t end = vmem_align_up(off + len, VMEM_BLOCK_SIZE);
	unsigned int i;

	if (!len)
		return;
	for (i = set->nr; i > 0 && i + MERGE_WINDOW > set->nr; i--)
		if (merge_into(&set->r[i - 1], start, end))
			return;
	if (set->nr == VMEM_RANGES_MAX)
		make_room(set);
	set->r[set->nr].offset = start;
	set->r[set->nr].length = end - start;
	set->nr++;
}

/* Move everything into the first set, which must be able to hold a merged union. */
static struct vmem_rangeset *unite(struct vmem_rangeset *const *sets, unsigned int nr)
{
	struct vmem_rangeset *all = sets[0];
	unsigned int i, k;

	for (k = 1; k < nr; k++) {
		for (i = 0; i < sets[k]->nr; i++)
			vmem_ranges_add(all, sets[k]->r[i].offset, sets[k]->r[i].length);
		sets[k]->nr = 0;
	}
	vmem_ranges_sort(all);
	return all;
}

static void count_flush(struct vmem_fs *fs, const struct vmem_range *r, unsigned int nr)
{
	unsigned int i;

	vmem_count(&fs->stats.flushes, 1);
	vmem_count(&fs->stats.flush_ranges, nr);
	for (i = 0; i < nr; i++)
		vmem_count(&fs->stats.flush_bytes, r[i].length);
}

int vmem_flush_sets(struct vmem_fs *fs, struct vmem_rangeset *const *sets, unsigned int nr)
{
	struct vmem_rangeset *all = unite(sets, nr);
	int err;

	if (!all->nr)
		return vmem_error(fs) == -EIO ? -EIO : 0;
	count_flush(fs, all->r, all->nr);
	err = VMEM_BROKEN(FLUSH) ? 0 : fs->store->flush(fs->store, all->r, all->nr);
	all->nr = 0;
	return err ? vmem_io_failed(fs) : 0;
}

int vmem_commit_sets(struct vmem_fs *fs, struct vmem_rangeset *const *sets, unsigned int nr,
		     struct vmem_rangeset *second, uint64_t mark_off, uint64_t mark_value)
{
	struct vmem_rangeset *first = unite(sets, nr);
	struct vmem_parts parts = {
		.ranges = first->r, .nr_first = first->nr, .nr = first->nr + second->nr,
		.mark_offset = mark_off, .mark_value = mark_value,
	};
	int err;

	if (!first->nr || parts.nr > VMEM_RANGES_MAX)
		return -EOPNOTSUPP;
	memcpy(first->r + first->nr, second->r, second->nr * sizeof(second->r[0]));
	err = VMEM_BROKEN(FLUSH) ? 0 : fs->store->commit(fs->store, &parts);
	if (err == -EOPNOTSUPP)
		return err;
	count_flush(fs, parts.ranges, parts.nr);
	first->nr = 0;
	second->nr = 0;
	return err ? vmem_io_failed(fs) : 0;
}

int vmem_flush_range(struct vmem_fs *fs, uint64_t off, uint64_t len)
{
	struct vmem_range r = { off, len };

	if (!fs->store->flush)
		return 0;
	vmem_count(&fs->stats.flushes, 1);
	vmem_count(&fs->stats.flush_ranges, 1);
	vmem_count(&fs->stats.flush_bytes, len);
	return fs->store->flush(fs->store, &r, 1) ? vmem_io_failed(fs) : 0;
}

int vmem_make_durable(struct vmem_fs *fs, uint64_t off, uint64_t len)
{
	vmem_fence(fs->store);
	return vmem_flush_range(fs, off, len);
}
