// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * area.c - file bytes as addresses: borrow, layout, acquire, persist, release
 *
 * The core puts data in place and never moves it but when a file shrinks, or a piece of
 * it becomes zeros or is moved.  Where somebody holds the address of such bytes, that
 * is refused.
 */
#include "internal.h"

static const uint8_t zeros[VMEM_BLOCK_SIZE];

int vmemos_truncate_inode(struct vmemos_inode *inode, uint64_t size)
{
	const struct vmemos_area *area;
	uint64_t kept = vmem_truncate_keeps(&inode->core, size);

	if (inode->borrows && inode->borrowed_end > kept)
		return -EBUSY;
	for (area = inode->areas; area; area = area->next)
		if (area->off + area->len > kept)
			return -EBUSY;
	return vmem_truncate(&inode->core, size);
}

int vmemos_fallocate_inode(struct vmemos_inode *inode, unsigned int mode, uint64_t off, uint64_t len)
{
	const unsigned int moves = VMEM_FALLOC_COLLAPSE_RANGE | VMEM_FALLOC_INSERT_RANGE;
	const unsigned int takes = VMEM_FALLOC_PUNCH_HOLE | VMEM_FALLOC_ZERO_RANGE;
	/* A block of which a part becomes zeros is replaced by a copy. */
	uint64_t start = off & ~(uint64_t)VMEM_BLOCK_MASK, end = UINT64_MAX;
	const struct vmemos_area *area;

	if (!(mode & moves) && len < UINT64_MAX - off - VMEM_BLOCK_SIZE)
		end = (off + len + VMEM_BLOCK_MASK) & ~(uint64_t)VMEM_BLOCK_MASK;
	if (mode & (moves | takes)) {
		if (inode->borrows && inode->borrowed_end > start)
			return -EBUSY;
		for (area = inode->areas; area; area = area->next)
			if (area->off < end && area->off + area->len > start)
				return -EBUSY;
	}
	return vmem_fallocate(&inode->core, mode, off, len);
}

/* [off, off + len) was stored to, at these addresses. */
static void stored(struct vmemos_inode *inode, uint64_t off, const void *addr, uint64_t len)
{
	struct vmemos_platform *p = inode->fs->platform;

	if (p->writeback)
		p->writeback(p, addr, (size_t)len);
	vmem_mark_dirty(&inode->core, off, len);
}

void vmemos_areas_stored(struct vmemos_inode *inode)
{
	const struct vmemos_area *area;

	for (area = inode->areas; area; area = area->next)
		if (!(area->flags & VMEMOS_READ))
			stored(inode, area->off, area->addr, area->len);
}

/* ---- Borrowing ---- */

/* Stores are loads, too: who writes must be allowed to read. */
static int may_store(const struct vmemos_file *file)
{
	int err = vmemos_may_read(file);

	return err || (file->flags & VMEMOS_O_ACCMODE) == VMEMOS_O_RDWR ? err : -EBADF;
}

int64_t vmemos_borrow(struct vmemos_file *file, uint64_t off, size_t len, const void **addr)
{
	struct vmemos_inode *inode = file->inode;
	struct vmemos *fs = inode->fs;
	uint64_t size, n;
	struct vmem_span span;
	int err = vmemos_may_read(file);

	if (err || !len)
		return err;
	vmemos_lock(fs);
	size = vmem_size(&inode->core);
	n = off < size ? vmemos_min(len, size - off) : 0;
	if (n)
		err = vmem_find_span(&inode->core, off, n, false, &span);
	if (n && !err) {
		n = span.addr ? span.len : vmemos_min(n, sizeof(zeros));
		*addr = span.addr ? span.addr : zeros;
		if (!inode->borrows++ || inode->borrowed_end < off + n)
			inode->borrowed_end = off + n;
	}
	vmemos_unlock(fs);
	return err ? err : (int64_t)n;
}

void vmemos_give_back(struct vmemos_file *file)
{
	vmemos_lock(file->inode->fs);
	if (file->inode->borrows)
		file->inode->borrows--;
	vmemos_unlock(file->inode->fs);
}

/* ---- Layout ---- */

int vmemos_layout(struct vmemos_file *file, uint64_t off, uint64_t len)
{
	int err = may_store(file);

	if (err)
		return err;
	vmemos_lock(file->inode->fs);
	err = vmem_layout(&file->inode->core, off, len);
	vmemos_unlock(file->inode->fs);
	return err;
}

/* ---- Acquiring ---- */

static int acquire(struct vmemos_inode *inode, uint64_t off, uint64_t len, unsigned int flags,
		   struct vmemos_area *area)
{
	struct vmem_span span;
	int err = vmem_find_span(&inode->core, off, len, !(flags & VMEMOS_READ), &span);

	/* The store may be full where a part of it will do. */
	if (err && (err != -ENOSPC || !span.len || flags & VMEMOS_WHOLE))
		return err;
	if (span.len < len && flags & VMEMOS_WHOLE)
		return -EXDEV;
	*area = (struct vmemos_area){
		.addr = span.addr, .off = off, .len = span.len, .flags = flags,
		.inode = inode, .next = inode->areas, .link = &inode->areas,
	};
	if (area->next)
		area->next->link = &area->next;
	inode->areas = area;
	inode->fs->nr_areas++;
	vmemos_ihold(inode);
	return 0;
}

int vmemos_acquire(struct vmemos_file *file, uint64_t off, uint64_t len, unsigned int flags,
		   struct vmemos_area *area)
{
	int err = flags & VMEMOS_READ ? vmemos_may_read(file) : may_store(file);

	memset(area, 0, sizeof(*area));
	if (flags & ~(VMEMOS_READ | VMEMOS_WHOLE))
		err = -EINVAL;
	if (err)
		return err;
	vmemos_lock(file->inode->fs);
	err = acquire(file->inode, off, len, flags, area);
	vmemos_unlock(file->inode->fs);
	return err;
}

int vmemos_persist(struct vmemos_area *area, const void *addr, size_t len)
{
	uint64_t in = (uint64_t)((uintptr_t)addr - (uintptr_t)area->addr);

	if (!area->inode || area->flags & VMEMOS_READ || in > area->len || len > area->len - in)
		return -EINVAL;
	stored(area->inode, area->off + in, addr, len);
	return vmem_fsync(&area->inode->core, true);
}

int vmemos_release(struct vmemos_area *area)
{
	struct vmemos_inode *inode = area->inode;
	struct vmemos *fs;

	if (!inode)
		return -EINVAL;
	fs = inode->fs;
	vmemos_lock(fs);
	if (!(area->flags & VMEMOS_READ))
		stored(inode, area->off, area->addr, area->len);
	*area->link = area->next;
	if (area->next)
		area->next->link = area->link;
	area->inode = NULL;
	area->addr = NULL;
	fs->nr_areas--;
	vmemos_iput(inode);
	vmemos_unlock(fs);
	return 0;
}
