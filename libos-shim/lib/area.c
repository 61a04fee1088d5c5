// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * area.c - file bytes as addresses: borrow, layout, acquire, persist, release
 *
 * The core puts data in place and never moves it, but for one case: shrinking
 * a file into a block gives what stays a new one.  So a truncate that would
 * take, or move, a block whose address somebody holds is refused.
 */
#include "internal.h"

static const uint8_t zeros[VMEM_BLOCK_SIZE];

static uint64_t block_up(uint64_t bytes)
{
	return (bytes + VMEM_BLOCK_MASK) & ~(uint64_t)VMEM_BLOCK_MASK;
}

int vmemos_truncate_inode(struct vmemos_inode *inode, uint64_t size)
{
	const struct vmemos_area *area;
	uint64_t kept = size & ~(uint64_t)VMEM_BLOCK_MASK;	/* stays where it is */

	if (size < vmem_size(&inode->core)) {
		if (inode->borrows && inode->borrowed_end > kept)
			return -EBUSY;
		for (area = inode->areas; area; area = area->next)
			if (area->off + area->len > kept)
				return -EBUSY;
	}
	return vmem_truncate(&inode->core, size);
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

/*
 * Consecutive blocks of the file that are consecutive in the store, or a hole;
 * with `fill` holes get blocks: only then it shows whether they fit on.  After
 * an error run->nr blocks are so all the same.
 */
static int map_run(struct vmem_inode *core, uint64_t lblk, uint64_t max, bool fill,
		   struct vmem_map *run)
{
	struct vmem_map next;
	int err = fill ? vmem_map_write(core, lblk, max, run) : vmem_map(core, lblk, max, run);

	if (err)
		run->nr = 0;
	while (!err && run->nr < max) {
		uint64_t from = lblk + run->nr, room = max - run->nr;

		err = fill ? vmem_map_write(core, from, room, &next) :
			     vmem_map(core, from, room, &next);
		if (err || next.pblk != (run->pblk ? run->pblk + run->nr : 0))
			break;
		run->nr += next.nr;
	}
	return err;
}

int64_t vmemos_borrow(struct vmemos_file *file, uint64_t off, size_t len, const void **addr)
{
	struct vmemos_inode *inode = file->inode;
	struct vmemos *fs = inode->fs;
	uint64_t in = off & VMEM_BLOCK_MASK, size, n;
	struct vmem_map map;
	int err = vmemos_may_read(file);

	if (err || !len)
		return err;
	vmemos_lock(fs);
	size = vmem_size(&inode->core);
	n = off < size ? vmemos_min(len, size - off) : 0;
	if (n)
		err = map_run(&inode->core, off >> VMEM_BLOCK_SHIFT,
			      block_up(in + n) >> VMEM_BLOCK_SHIFT, false, &map);
	if (n && !err) {
		n = vmemos_min(n, ((map.pblk ? map.nr : 1) << VMEM_BLOCK_SHIFT) - in);
		*addr = (map.pblk ? fs->store.base + (map.pblk << VMEM_BLOCK_SHIFT) : zeros) + in;
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

/* The lock is held. */
static int lay_out(struct vmem_inode *core, uint64_t off, uint64_t len)
{
	uint64_t lblk = off >> VMEM_BLOCK_SHIFT, nr = block_up(len) >> VMEM_BLOCK_SHIFT;
	struct vmem_map run;
	int err = map_run(core, lblk, nr, false, &run);

	if (err)
		return err;
	if (run.nr < nr)
		return -EEXIST;
	if (run.pblk && vmem_size(core) >= off + len)
		return 0;
	if (!run.pblk && len > VMEMOS_LAYOUT_MAX)
		return -ENOSPC;
	/* The core does not keep blocks behind the end of a file. */
	if (vmem_size(core) < off + len)
		err = vmem_truncate(core, off + len);
	return err || run.pblk ? err : vmem_layout(core, lblk, nr);
}

int vmemos_layout(struct vmemos_file *file, uint64_t off, uint64_t len)
{
	int err = may_store(file);

	if (err)
		return err;
	if (off & VMEM_BLOCK_MASK || !len)
		return -EINVAL;
	if (off > VMEM_MAX_FILE_SIZE || len > VMEM_MAX_FILE_SIZE - off)
		return -EFBIG;
	vmemos_lock(file->inode->fs);
	err = lay_out(&file->inode->core, off, len);
	vmemos_unlock(file->inode->fs);
	return err;
}

/* ---- Acquiring ---- */

static int acquire(struct vmemos_inode *inode, uint64_t off, uint64_t len, unsigned int flags,
		   struct vmemos_area *area)
{
	uint64_t in = off & VMEM_BLOCK_MASK, got;
	struct vmem_map run;
	int err;

	if (!len || off + len < off || off + len > block_up(vmem_size(&inode->core)))
		return -EINVAL;
	err = map_run(&inode->core, off >> VMEM_BLOCK_SHIFT, block_up(in + len) >> VMEM_BLOCK_SHIFT,
		      !(flags & VMEMOS_READ), &run);
	/* The store may be full where a part of it will do. */
	if (err && (err != -ENOSPC || !run.nr || flags & VMEMOS_WHOLE))
		return err;
	got = vmemos_min(len, (run.nr << VMEM_BLOCK_SHIFT) - in);
	if (got < len && flags & VMEMOS_WHOLE)
		return -EXDEV;
	*area = (struct vmemos_area){
		.addr = !run.pblk ? NULL :
			inode->fs->store.base + (run.pblk << VMEM_BLOCK_SHIFT) + in,
		.off = off, .len = got, .flags = flags, .inode = inode,
		.next = inode->areas, .link = &inode->areas,
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
