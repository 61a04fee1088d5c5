// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* map.c - shared mappings: page tables, faults, write-back; guestfs/linux/vmemfs/dax.c */
#include <stdio.h>
#include <string.h>
#include "fs/fs.h"
#include "pages.h"
#include "vfs.h"

struct pte *pte_find(struct vnode *n, uint64_t lblk)
{
	unsigned int i;

	for (i = 0; i < n->nr_ptes; i++)
		if (n->pte[i].lblk == lblk)
			return &n->pte[i];
	return NULL;
}

static struct pte *pte_make(struct vnode *n, uint64_t lblk)
{
	struct pte *p = pte_find(n, lblk);

	if (p)
		return p;
	if (n->nr_ptes == PTES) {
		vfs_wrong("no room for pages", "map", PTES);
		return &n->pte[0];
	}
	p = &n->pte[n->nr_ptes++];
	*p = (struct pte){ .lblk = lblk };
	return p;
}

static int fault(struct vnode *n, uint64_t lblk, bool write)
{
	struct mtime_set set;
	struct vmem_map map;
	int err;

	if (write) {
		lock_read(&vfs.freezing);
		set = mtime_begin();
		vmem_touch(&n->vi, VMEM_SET_MTIME | VMEM_SET_CTIME, vfs.m->env.now(&vfs.m->env));
		mtime_end(n, set);
	}
	lock_read(&n->invalidate);
	if (lblk >= vmem_blocks_for(vmem_size(&n->vi)))
		err = -EFAULT;		/* SIGBUS */
	else if (write)
		err = vmem_map_write(&n->vi, lblk, 1, &map);
	else
		err = vmem_map(&n->vi, lblk, 1, &map);
	if (!err && map.pblk) {
		struct pte *p = pte_make(n, lblk);

		if (p->pblk && p->pblk != map.pblk)
			vfs_wrong("a block has moved under its mapping", "map", (long long)lblk);
		p->pblk = map.pblk;
		p->writable |= write;
		p->dirty |= write;
	}
	unlock_read(&n->invalidate);
	if (write)
		unlock_read(&vfs.freezing);
	return err;
}

int map_store(struct vnode *n, uint64_t off, const uint8_t *bytes, size_t len)
{
	uint64_t lblk = off / PAGE, at;
	struct pte *p;
	int err;

	for (;;) {
		sched_hook(HOOK_MAPPED);
		p = pte_find(n, lblk);
		if (p && p->writable)
			break;
		err = fault(n, lblk, true);
		if (err)
			return err;
	}
	at = p->pblk * PAGE + off % PAGE;
	memcpy(vfs.m->image + at, bytes, len);
	machine_stored(vfs.m, at, len);
	return 0;
}

int map_load(struct vnode *n, uint64_t off, uint8_t *bytes, size_t len)
{
	struct pte *p = pte_find(n, off / PAGE);
	int err = 0;

	if (!p)
		err = fault(n, off / PAGE, false);
	sched_hook(HOOK_MAPPED);
	p = pte_find(n, off / PAGE);
	memset(bytes, 0, len);
	if (p)
		memcpy(bytes, vfs.m->image + p->pblk * PAGE + off % PAGE, len);
	return err;
}

void map_drop(struct vnode *n, uint64_t off, uint64_t end)
{
	uint64_t from = off / PAGE, to = vmem_blocks_for(end);
	unsigned int i;

	for (i = 0; i < n->nr_ptes; i++)
		n->pte[i].writable &= n->pte[i].lblk < from || n->pte[i].lblk >= to;
	for (i = 0; i < n->nr_ptes;) {
		struct pte p = n->pte[i];

		if (p.lblk < from || p.lblk >= to) {
			i++;
			continue;
		}
		if (p.dirty && p.lblk == from)
			vmem_mark_dirty(&n->vi, p.lblk * PAGE, PAGE);
		n->pte[i] = n->pte[--n->nr_ptes];
	}
}

void map_writeback_locked(struct vnode *n)
{
	enum vmem_domain domain = vmem_get_domain(vfs.fs);
	unsigned int i;

	vfs.nr_found[sched.thread] = 0;
	for (i = 0; i < n->nr_ptes; i++) {
		struct pte *p = &n->pte[i];

		if (!p->dirty)
			continue;
		vfs.found[sched.thread][vfs.nr_found[sched.thread]++] = (struct promise){
			p->pblk, bytes_hash(vfs.m->image + p->pblk * PAGE, PAGE) };
		if (domain == VMEM_DOMAIN_HOST) {
			vmem_mark_dirty(&n->vi, p->lblk * PAGE, PAGE);
		} else {
			p->writable = false;	/* first: what is stored later is written back later */
			if (domain == VMEM_DOMAIN_PMEM)
				vfs.m->store.writeback(&vfs.m->store, vfs.m->image + p->pblk * PAGE, PAGE);
		}
		p->dirty = false;
		p->writable = false;
	}
}

void map_writeback(struct vnode *n)
{
	vfs.nr_found[sched.thread] = 0;
	if (!n->nr_ptes)
		return;
	lock_write(&n->invalidate);
	map_writeback_locked(n);
	unlock_write(&n->invalidate);
}

bool map_right(void)
{
	unsigned int i, k;

	for (i = 0; i < VNODES; i++) {
		struct vnode *n = &vfs.node[i];

		for (k = 0; n->used && k < n->nr_ptes; k++) {
			struct vmem_map map;

			if (n->pte[k].lblk >= vmem_blocks_for(vmem_size(&n->vi)))
				continue;
			if (vmem_map(&n->vi, n->pte[k].lblk, 1, &map) || map.pblk != n->pte[k].pblk) {
				vfs_wrong("a mapped page is not the file's any more", "map",
					  (long long)n->pte[k].lblk);
				return false;
			}
		}
	}
	return true;
}
