// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ahead.c - read-ahead: the host is told what of a file will be read soon
 *
 * A page that the host does not have costs whoever loads from it a read of the disk, for
 * that page alone (docs/device.md, PREFETCH).  There is no page cache here whose readahead
 * would know better, so this file does what mm/readahead.c does: a sequential reader has a
 * window that starts small, doubles, and stays ahead of it.  Nothing is waited for, and
 * nothing tells whether the host has the pages already; so a window costs one request,
 * and what was asked for lately is not asked for again.
 *
 * The window is the open file's file_ra_state, with the meaning that it has elsewhere:
 * pages [start, start + size) were asked for, and who comes to the last async_size of them
 * asks for more; prev_pos is where the last read ended that was not inside.  Several readers of
 * one open file may confuse it: then too little or too much is asked for.
 */
#include <linux/backing-dev.h>
#include <linux/fadvise.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "vmemfs.h"
#include "vmemstore.h"

/* The largest window. */
#define MOST_PAGES	(SZ_8M >> PAGE_SHIFT)

/* One request, see vmemstore_prefetch(). */
#define REQUEST_PAGES	(VMEMSTORE_PREFETCH_MOST >> PAGE_SHIFT)

/* A read of so many at a random place is worth a request of its own. */
#define LARGE_PAGES	(SZ_16K >> PAGE_SHIFT)

/* Of a program, so many from its start on are brought when it is run. */
#define PROGRAM_PAGES	(SZ_2M >> PAGE_SHIFT)

/* A huge fault at the start of a file says little about what comes. */
#define FIRST_FAULT_PAGES	(SZ_64K >> PAGE_SHIFT)
#define HUGE_FAULTS_IN_ORDER	3

/* A file of no more is small; a region in which so many were read is brought as a whole. */
#define SMALL_PAGES	(SZ_64K >> PAGE_SHIFT)
#define REGION_SHIFT	18
#define REGION_READS	3

/* What was asked for counts as there for so long. */
#define REMEMBERED	(30 * HZ)

/* Extents of one request. */
#define MOST_RANGES	16

/* Can the host be asked at all? */
static bool host_reads_ahead(const struct inode *inode)
{
	struct vmemstore *device = VMEMFS_SB(inode->i_sb)->device;

	return device && vmemstore_prefetches(device);
}

/* If not, nobody comes here for that file again: the VFS sets ra_pages after ->open. */
static bool may_ask(struct file *file)
{
	if (likely(host_reads_ahead(file_inode(file))))
		return true;
	file->f_ra.ra_pages = 0;
	return false;
}

static pgoff_t file_pages(const struct inode *inode)
{
	return DIV_ROUND_UP(i_size_read(inode), PAGE_SIZE);
}

/* For vmemstore_was_resident(); never 0. */
static u32 reader_of(const struct inode *inode)
{
	return (u32)inode->i_ino ?: 1;
}

/* Pages [first, end) of the file, holes left out.  False: the driver takes no more. */
static bool send(struct inode *inode, pgoff_t first, pgoff_t end)
{
	struct vmemstore *device = VMEMFS_SB(inode->i_sb)->device;
	struct vmemstore_krange ranges[MOST_RANGES];
	struct vmem_map map;
	unsigned int nr = 0;
	bool sent = true;

	for (; sent && first < end; first = map.lblk + map.nr) {
		if (vmem_map(vmemfs_core(inode), first, end - first, &map))
			break;
		if (map.kind != VMEM_DATA)
			continue;
		ranges[nr].offset = map.pblk << VMEM_BLOCK_SHIFT;
		ranges[nr++].length = map.nr << VMEM_BLOCK_SHIFT;
		if (nr == MOST_RANGES) {
			sent = vmemstore_prefetch(device, ranges, nr, reader_of(inode));
			nr = 0;
		}
	}
	return nr ? vmemstore_prefetch(device, ranges, nr, reader_of(inode)) : sent;
}

static bool asked_lately(const struct vmemfs_inode *vi, pgoff_t end)
{
	return end <= READ_ONCE(vi->asked_end) && time_before(jiffies, READ_ONCE(vi->asked_until));
}

/* The start of the file up to some page is remembered: most files are read from there. */
static void note_asked(struct vmemfs_inode *vi, pgoff_t first, pgoff_t end)
{
	if (!time_before(jiffies, READ_ONCE(vi->asked_until))) {
		WRITE_ONCE(vi->asked_end, 0);
		WRITE_ONCE(vi->asked_until, jiffies + REMEMBERED);
	}
	if (first <= READ_ONCE(vi->asked_end) && end > READ_ONCE(vi->asked_end))
		WRITE_ONCE(vi->asked_end, end);
}

static bool ask(struct inode *inode, pgoff_t first, pgoff_t end)
{
	struct vmemfs_inode *vi = VMEMFS_I(inode);

	if (first >= end || asked_lately(vi, end))
		return true;
	if (!send(inode, first, end))
		return false;
	note_asked(vi, first, end);
	return true;
}

/*
 * No window helps who reads large pieces at random places.  As long as the answers say that
 * all was in memory, fewer and fewer of the reads ask.
 */
static void ask_large(struct inode *inode, pgoff_t first, pgoff_t end)
{
	struct vmemfs_inode *vi = VMEMFS_I(inode);
	u8 vain = READ_ONCE(vi->asked_in_vain);

	if (READ_ONCE(vi->ask_again)) {
		WRITE_ONCE(vi->ask_again, vi->ask_again - 1);
		return;
	}
	vain = vmemstore_was_resident(VMEMFS_SB(inode->i_sb)->device, reader_of(inode)) ?
	       min(vain + 1, 8) : 0;
	WRITE_ONCE(vi->asked_in_vain, vain);
	WRITE_ONCE(vi->ask_again, (1 << vain) - 1);
	send(inode, first, min_t(pgoff_t, end, first + REQUEST_PAGES));
}

/*
 * A small file is read in one go, and its neighbours on the store are often read by the
 * same walk.  So a region in which a few were read is brought as a whole.  It is
 * forgotten, and may be brought again, when another region takes its place in the table.
 */
static void note_region(struct vmemfs_sb *sbi, u64 offset)
{
	u64 region = offset >> REGION_SHIFT;
	u32 tag = (u32)region << 8, *place = &sbi->regions[region % VMEMFS_REGIONS];
	u32 reads = READ_ONCE(*place);
	struct vmemstore_krange range = { region << REGION_SHIFT, 1ULL << REGION_SHIFT };

	reads = (reads ^ tag) >> 8 ? tag : reads;
	if ((reads & 0xff) == REGION_READS)
		return;
	WRITE_ONCE(*place, ++reads);
	if ((reads & 0xff) < REGION_READS)
		return;
	range.length = min_t(u64, range.length, sbi->store.size - range.offset);
	vmemstore_prefetch(sbi->device, &range, 1, U32_MAX);
}

static void read_small_file(struct inode *inode, pgoff_t eof)
{
	struct vmemfs_inode *vi = VMEMFS_I(inode);
	struct vmem_map map;

	if (asked_lately(vi, eof))
		return;
	note_asked(vi, 0, eof);
	if (!vmem_map(&vi->core, 0, eof, &map) && map.kind == VMEM_DATA)
		note_region(VMEMFS_SB(inode->i_sb), map.pblk << VMEM_BLOCK_SHIFT);
	if (eof >= LARGE_PAGES)
		send(inode, 0, eof);
}

/* As get_init_ra_size() and get_next_ra_size() in mm/readahead.c. */
static unsigned int first_window(unsigned long pages)
{
	unsigned long window = roundup_pow_of_two(pages);

	if (window <= MOST_PAGES / 32)
		return window * 4;
	return min_t(unsigned long, window <= MOST_PAGES / 4 ? window * 2 : window, REQUEST_PAGES);
}

/* Where all was in memory, a large window costs nothing but its request. */
static unsigned int next_window(const struct inode *inode, unsigned int window)
{
	unsigned int times = window < MOST_PAGES / 16 ? 4 : 2;

	if (vmemstore_was_resident(VMEMFS_SB(inode->i_sb)->device, reader_of(inode)))
		times = 16;
	return clamp_t(unsigned int, window * times, 4, MOST_PAGES);
}

static void window_open(struct inode *inode, struct file_ra_state *ra, pgoff_t first,
			pgoff_t end, pgoff_t eof)
{
	unsigned int window = first_window(end - first);

	if (!ask(inode, first, min_t(pgoff_t, first + window, eof)))
		return;
	ra->start = first;
	ra->size = window;
	ra->async_size = window - min_t(pgoff_t, end - first, window / 2);
}

/* The reader is in the last part of the window, or at its end. */
static void window_move(struct inode *inode, struct file_ra_state *ra, pgoff_t end, pgoff_t eof)
{
	pgoff_t next = ra->start + ra->size;
	unsigned int window = next_window(inode, ra->async_size);

	if (end > next)
		window = clamp_t(pgoff_t, end - next, window, REQUEST_PAGES);
	if (!ask(inode, next, min_t(pgoff_t, next + window, eof)))
		return;
	ra->start = next - ra->async_size;
	ra->size = ra->async_size + window;
	ra->async_size = window;
}

static bool read_on(const struct file_ra_state *ra, pgoff_t first)
{
	return ra->size && first >= ra->start && first <= ra->start + ra->size;
}

void __vmemfs_ahead(struct file *file, pgoff_t first, pgoff_t end, unsigned int hints)
{
	struct inode *inode = file_inode(file);
	struct file_ra_state *ra = &file->f_ra;
	pgoff_t eof = file_pages(inode);
	bool reads_on = first == ra->prev_pos >> PAGE_SHIFT;

	if ((file->f_mode & FMODE_RANDOM) || first >= eof || !may_ask(file))
		return;
	end = min(end, eof);
	if (eof <= SMALL_PAGES && !first)
		read_small_file(inode, eof);
	else if (read_on(ra, first))
		window_move(inode, ra, end, eof);
	else if (reads_on || !first || (hints & VMEMFS_AHEAD_SEQUENTIAL) ||
		 ra->ra_pages > inode_to_bdi(inode)->ra_pages)
		window_open(inode, ra, first, end, eof);
	else if (end - first >= LARGE_PAGES && !(hints & VMEMFS_AHEAD_FAULT))
		ask_large(inode, first, end);
	ra->prev_pos = (loff_t)end << PAGE_SHIFT;
}

/*
 * A huge fault tells of one load in 2 MiB.  Several such faults in order are a reader, and
 * so are fewer from the start of the file on; mmap_miss counts them.
 */
static bool reads_in_order(struct file_ra_state *ra, pgoff_t first)
{
	if (first && first == ra->prev_pos >> PAGE_SHIFT)
		ra->mmap_miss++;
	else
		ra->mmap_miss = !first;
	return ra->mmap_miss >= HUGE_FAULTS_IN_ORDER;
}

static void huge_fault(struct file *file, const struct vm_fault *vmf, pgoff_t first,
		       unsigned long pages, unsigned int hints)
{
	struct file_ra_state *ra = &file->f_ra;

	if (!(hints & VMEMFS_AHEAD_SEQUENTIAL) && !read_on(ra, first)) {
		if (reads_in_order(ra, first))
			hints |= VMEMFS_AHEAD_SEQUENTIAL;
		else if (!vmf->pgoff)
			ask(file_inode(file), 0, min_t(pgoff_t, pages, FIRST_FAULT_PAGES));
	}
	if (hints & VMEMFS_AHEAD_SEQUENTIAL || read_on(ra, first))
		vmemfs_ahead(file, first, first + pages, hints);
	else
		ra->prev_pos = (loff_t)(first + pages) << PAGE_SHIFT;
}

void vmemfs_ahead_fault(struct vm_fault *vmf, unsigned long pages)
{
	struct file *file = vmf->vma->vm_file;
	unsigned long flags = vmf->vma->vm_flags;
	pgoff_t first = round_down(vmf->pgoff, pages);
	unsigned int hints = VMEMFS_AHEAD_FAULT;

	if (!file->f_ra.ra_pages || (flags & VM_RAND_READ) || !may_ask(file))
		return;
	if (flags & VM_SEQ_READ)
		hints |= VMEMFS_AHEAD_SEQUENTIAL;
	if ((flags & VM_EXEC) && vmf->pgoff < PROGRAM_PAGES)
		ask(file_inode(file), 0, min_t(pgoff_t, PROGRAM_PAGES, file_pages(file_inode(file))));
	else if (pages > 1)
		huge_fault(file, vmf, first, pages, hints);
	else
		vmemfs_ahead(file, first, first + 1, hints);
}

/* ---- advice of user space ---- */

static void will_need(struct inode *inode, loff_t offset, loff_t len)
{
	pgoff_t first = offset >> PAGE_SHIFT, end, eof, part;

	inode_lock_shared(inode);
	eof = file_pages(inode);
	end = !len || len > LLONG_MAX - offset ? eof :
	      min_t(pgoff_t, eof, DIV_ROUND_UP(offset + len, PAGE_SIZE));
	for (; first < end; first = part) {
		part = min_t(pgoff_t, end, first + REQUEST_PAGES);
		if (!send(inode, first, part))
			break;
	}
	inode_unlock_shared(inode);
}

/* As generic_fadvise(), which does nothing for DAX. */
int vmemfs_fadvise(struct file *file, loff_t offset, loff_t len, int advice)
{
	struct inode *inode = file_inode(file);
	unsigned int normal = inode_to_bdi(inode)->ra_pages;

	if (len < 0)
		return -EINVAL;
	switch (advice) {
	case POSIX_FADV_NORMAL:
	case POSIX_FADV_SEQUENTIAL:
	case POSIX_FADV_RANDOM:
		spin_lock(&file->f_lock);
		if (advice == POSIX_FADV_RANDOM)
			file->f_mode |= FMODE_RANDOM;
		else
			file->f_mode &= ~FMODE_RANDOM;
		if (file->f_ra.ra_pages)
			file->f_ra.ra_pages = advice == POSIX_FADV_SEQUENTIAL ? normal * 2 : normal;
		spin_unlock(&file->f_lock);
		return 0;
	case POSIX_FADV_WILLNEED:
		if (host_reads_ahead(inode))
			will_need(inode, max_t(loff_t, offset, 0), len);
		return 0;
	case POSIX_FADV_DONTNEED:
	case POSIX_FADV_NOREUSE:
		return 0;
	default:
		return -EINVAL;
	}
}
