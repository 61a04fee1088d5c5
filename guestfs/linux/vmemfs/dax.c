// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dax.c - mmap: the store's memory in page tables, by fs/dax
 *
 * fs/dax keeps, per file, an entry for each mapped block, tagged dirty before
 * it becomes writable in a page table.  In the domain host an fsync must flush
 * what was stored that way: vmemfs_writepages() tells the core which entries
 * are dirty, and has fs/dax write-protect them.  It holds the invalidate_lock
 * exclusively, so that no fault comes between the two: a page cannot become
 * writable without the core being told, by this or by a later fsync.
 */
#include <linux/dax.h>
#include <linux/huge_mm.h>
#include <linux/iomap.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/wait_bit.h>
#include <linux/writeback.h>

#include "vmemfs.h"

/* ---- mapping of blocks ---- */

/*
 * A huge page is worth filling a hole of its size where the file grows on from
 * the blocks before; a lone store in a sparse file gets a block only.
 */
static int map_store(struct vmem_inode *core, u64 first, u64 nr, struct vmem_map *map)
{
	struct vmem_map before;
	int err;

	if (nr > 1 && first) {
		err = vmem_map(core, first, nr, map);
		if (err)
			return err;
		if (map->kind == VMEM_HOLE) {
			err = vmem_map(core, first - 1, 1, &before);
			/* Less than it asked for: fs/dax comes again for a block. */
			map->nr = 1;
			if (err || !before.pblk)
				return err;
		}
	}
	return vmem_map_write(core, first, nr, map);
}

/* For fs/dax a preallocated piece is a hole: a read shows zeros. */
static u16 iomap_type(const struct vmem_map *map)
{
	switch (map->kind) {
	case VMEM_DATA:
		return IOMAP_MAPPED;
	case VMEM_UNWRITTEN:
		return IOMAP_UNWRITTEN;
	default:
		return IOMAP_HOLE;
	}
}

static int vmemfs_iomap_begin(struct inode *inode, loff_t pos, loff_t length,
			      unsigned int flags, struct iomap *iomap, struct iomap *srcmap)
{
	struct vmemfs_sb *sbi = VMEMFS_SB(inode->i_sb);
	u64 first = pos >> VMEM_BLOCK_SHIFT;
	u64 nr = ((pos + length - 1) >> VMEM_BLOCK_SHIFT) - first + 1;
	struct vmem_map map;
	int err;

	if (flags & IOMAP_WRITE)
		err = map_store(vmemfs_core(inode), first, nr, &map);
	else
		err = vmem_map(vmemfs_core(inode), first, nr, &map);
	if (err)
		return err;
	if (flags & IOMAP_WRITE)
		vmemfs_sync_blocks(inode);
	iomap->bdev = inode->i_sb->s_bdev;
	iomap->dax_dev = sbi->dax_dev;
	iomap->offset = map.lblk << VMEM_BLOCK_SHIFT;
	iomap->length = map.nr << VMEM_BLOCK_SHIFT;
	iomap->type = iomap_type(&map);
	iomap->addr = map.pblk ? map.pblk << VMEM_BLOCK_SHIFT : IOMAP_NULL_ADDR;
	iomap->flags = 0;
	return 0;
}

const struct iomap_ops vmemfs_iomap_ops = {
	.iomap_begin = vmemfs_iomap_begin,
};

/* ---- faults ---- */

static vm_fault_t dax_fault(struct vm_fault *vmf, vmemfs_fault_order order, bool maps)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	bool write = (vmf->flags & FAULT_FLAG_WRITE) && (vmf->vma->vm_flags & VM_SHARED);
	vm_fault_t ret;

	if (vmemfs_is_shut(inode))
		return VM_FAULT_SIGBUS;
	if (write) {
		sb_start_pagefault(inode->i_sb);
		vmemfs_touch_mapped(vmf->vma->vm_file);
	}
	filemap_invalidate_lock_shared(inode->i_mapping);
	ret = dax_iomap_fault(vmf, order, NULL, NULL, &vmemfs_iomap_ops);
	if (maps && !(ret & (VM_FAULT_ERROR | VM_FAULT_FALLBACK | VM_FAULT_RETRY)))
		vmemfs_ahead_fault(vmf, vmemfs_fault_pages(order));
	filemap_invalidate_unlock_shared(inode->i_mapping);
	if (write)
		sb_end_pagefault(inode->i_sb);
	return ret;
}

static vm_fault_t vmemfs_huge_fault(struct vm_fault *vmf, vmemfs_fault_order order)
{
	return dax_fault(vmf, order, true);
}

static vm_fault_t vmemfs_fault(struct vm_fault *vmf)
{
	return dax_fault(vmf, VMEMFS_FAULT_PTE, true);
}

/* The page is mapped, so somebody has read it. */
static vm_fault_t vmemfs_mkwrite(struct vm_fault *vmf)
{
	return dax_fault(vmf, VMEMFS_FAULT_PTE, false);
}

static const struct vm_operations_struct vmemfs_vm_ops = {
	.fault = vmemfs_fault,
	.huge_fault = vmemfs_huge_fault,
	.page_mkwrite = vmemfs_mkwrite,
	.pfn_mkwrite = vmemfs_mkwrite,
};

int vmemfs_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct vmemfs_sb *sbi = VMEMFS_SB(file_inode(file)->i_sb);

	if (vmemfs_is_shut(file_inode(file)))
		return -EIO;
	/* MAP_SYNC promises durability by cache-line flushes alone. */
	if (!daxdev_mapping_supported(vma, sbi->dax_dev))
		return -EOPNOTSUPP;
	file_accessed(file);
	WRITE_ONCE(VMEMFS_I(file_inode(file))->mapped, true);
	vma->vm_ops = &vmemfs_vm_ops;
	vmemfs_vm_flags_set(vma, VM_HUGEPAGE);
	return 0;
}

/* ---- write-back: what was stored through mappings ---- */

/* The next run of dirty entries from *index on, not beyond end: [start, *index). */
static bool next_dirty_run(struct address_space *mapping, pgoff_t *index, pgoff_t end,
			   pgoff_t *start)
{
	XA_STATE(xas, &mapping->i_pages, *index);
	bool found = false;
	void *entry;

	rcu_read_lock();
	xas_for_each_marked(&xas, entry, end, PAGECACHE_TAG_DIRTY) {
		unsigned long pages, first;

		if (xas_retry(&xas, entry))
			continue;
		pages = 1UL << xa_get_order(xas.xa, xas.xa_index);
		first = round_down(xas.xa_index, pages);
		if (found && first > *index)
			break;
		if (!found)
			*start = first;
		found = true;
		*index = first + pages;
	}
	rcu_read_unlock();
	return found;
}

static void mark_dirty_entries(struct address_space *mapping, pgoff_t index, pgoff_t end)
{
	struct vmem_inode *core = vmemfs_core(mapping->host);
	pgoff_t start;

	while (index <= end && next_dirty_run(mapping, &index, end, &start)) {
		vmem_mark_dirty(core, (u64)start << PAGE_SHIFT,
				(u64)(index - start) << PAGE_SHIFT);
		cond_resched();
	}
}

static int vmemfs_writepages(struct address_space *mapping, struct writeback_control *wbc)
{
	struct vmemfs_sb *sbi = VMEMFS_SB(mapping->host->i_sb);
	int err;

	/* Before somebody waits for it there is nothing to gain; fs/dax thinks so, too. */
	if (wbc->sync_mode != WB_SYNC_ALL)
		return 0;
	if (vmem_get_domain(sbi->fs) != VMEM_DOMAIN_HOST)
		return dax_writeback_mapping_range(mapping, sbi->dax_dev, wbc);
	filemap_invalidate_lock(mapping);
	mark_dirty_entries(mapping, wbc->range_start >> PAGE_SHIFT,
			   wbc->range_end >> PAGE_SHIFT);
	err = dax_writeback_mapping_range(mapping, sbi->dax_dev, wbc);
	filemap_invalidate_unlock(mapping);
	return err;
}

const struct address_space_operations vmemfs_aops = {
	.writepages = vmemfs_writepages,
	.dirty_folio = noop_dirty_folio,
};

/* ---- unmapping ---- */

/*
 * fs/dax tells this of pages that are still mapped only.  Pages are held for direct
 * I/O, or in a pipe, when the mapping has long gone.
 */
struct page *vmemfs_pinned_page(struct vmemfs_sb *sbi, struct vmem_inode *core, u64 lblk, u64 end)
{
	struct vmem_map map;
	u64 i;

	end = min_t(u64, end, VMEM_MAX_LBLK + 1);
	while (lblk < end && !vmem_map(core, lblk, end - lblk, &map)) {
		for (i = 0; map.kind == VMEM_DATA && i < map.nr; i++) {
			u64 offset = (map.pblk + i) << VMEM_BLOCK_SHIFT;
			struct page *page = virt_to_page(sbi->store.base + offset);

			if (page_ref_count(page) != VMEMFS_DAX_PAGE_FREE)
				return page;
			if (!(i % 4096))
				cond_resched();
		}
		lblk = map.lblk + map.nr;
	}
	return NULL;
}

static void wait_unlocked(struct inode *inode)
{
	filemap_invalidate_unlock(inode->i_mapping);
	schedule();
	filemap_invalidate_lock(inode->i_mapping);
}

/* Pages [start, end) of the file.  Nobody comes to hold one without its being mapped. */
static int wait_to_free(struct inode *inode, pgoff_t start, pgoff_t end)
{
	struct vmemfs_sb *sbi = VMEMFS_SB(inode->i_sb);
	struct page *page;
	int err = 0;

	while (!err && READ_ONCE(VMEMFS_I(inode)->mapped)) {
		unmap_mapping_pages(inode->i_mapping, start, end - start, false);
		page = vmemfs_pinned_page(sbi, vmemfs_core(inode), start, end);
		if (!page)
			break;
		err = ___wait_var_event(&page->_refcount,
					page_ref_count(page) == VMEMFS_DAX_PAGE_FREE,
					TASK_INTERRUPTIBLE, 0, 0, wait_unlocked(inode));
	}
	return err;
}

/* The pages that the entry for that page covers: a huge one may begin before it. */
static unsigned long entry_pages(struct address_space *mapping, pgoff_t index)
{
	XA_STATE(xas, &mapping->i_pages, index);
	unsigned long pages = 1;
	void *entry;

	rcu_read_lock();
	do {
		entry = xas_load(&xas);
	} while (xas_retry(&xas, entry));
	if (entry)
		pages = 1UL << xa_get_order(xas.xa, index);
	rcu_read_unlock();
	return pages;
}

static pgoff_t entry_start(struct address_space *mapping, pgoff_t index)
{
	return round_down(index, entry_pages(mapping, index));
}

static pgoff_t entry_end(struct address_space *mapping, pgoff_t index)
{
	return round_up(index + 1, entry_pages(mapping, index));
}

int vmemfs_unmap_from(struct inode *inode, loff_t from, bool frees)
{
	struct address_space *mapping = inode->i_mapping;
	pgoff_t cut = from >> PAGE_SHIFT, start;
	int err;

	if (!READ_ONCE(VMEMFS_I(inode)->mapped))
		return 0;
	do {
		start = entry_start(mapping, cut);
		err = frees ? wait_to_free(inode, start, ULONG_MAX) : 0;
		if (err)
			return err;
	} while (start != entry_start(mapping, cut));
	/*
	 * Its entry goes, too, for the core may move the block.  All that the entry covers is
	 * unmapped, or stores there would be found by no fsync.  What stays keeps its
	 * private copies; those beyond are lost.
	 */
	unmap_mapping_pages(mapping, start, cut - start + 1, false);
	unmap_mapping_range(mapping, round_up(from, PAGE_SIZE), 0, 1);
	mark_dirty_entries(mapping, start, cut);
	truncate_inode_pages(mapping, (loff_t)start << PAGE_SHIFT);
	return 0;
}

int vmemfs_unmap_range(struct inode *inode, loff_t from, loff_t to)
{
	struct address_space *mapping = inode->i_mapping;
	pgoff_t first = from >> PAGE_SHIFT, last = (to - 1) >> PAGE_SHIFT, start, end;
	int err;

	if (!READ_ONCE(VMEMFS_I(inode)->mapped))
		return 0;
	do {
		start = entry_start(mapping, first);
		end = entry_end(mapping, last);
		err = wait_to_free(inode, start, end);
		if (err)
			return err;
	} while (start != entry_start(mapping, first) || end != entry_end(mapping, last));
	/* The file keeps what lies beside the range, and moves what lies behind it. */
	mark_dirty_entries(mapping, start, end - 1);
	truncate_inode_pages_range(mapping, (loff_t)start << PAGE_SHIFT,
				   ((loff_t)end << PAGE_SHIFT) - 1);
	return 0;
}

bool vmemfs_empty_mapping(struct inode *inode)
{
	struct vmemfs_sb *sbi = VMEMFS_SB(inode->i_sb);
	struct vmem_inode *core = vmemfs_core(inode);
	bool pinned;

	pinned = READ_ONCE(VMEMFS_I(inode)->mapped) && core->fs && vmemfs_pinned_page(sbi, core, 0, U64_MAX);
	/* With links, it is an unmount: the next mount may free its blocks. */
	if (pinned && inode->i_nlink)
		pinned = !vmemfs_wait_unpinned(sbi, core);
	if (pinned) {
		/* Truncation would take it for a bug.  Clean entries can be left behind. */
		(void)filemap_write_and_wait(&inode->i_data);
		(void)invalidate_inode_pages2(&inode->i_data);
	}
	truncate_inode_pages_final(&inode->i_data);
	return pinned;
}
