// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * vm.c - the program's address space
 *
 * Pages come when they are touched.  An anonymous page is fresh memory; one
 * of a private file mapping a copy; one of a shared file mapping is the
 * store itself: the page table points at the file's block, so loads and
 * stores are the file, and msync needs no copy.  The blocks are held by areas
 * (vmemos_acquire) that belong to the open file, as long as it is mapped.
 */
#include <asm/signal.h>
#include <errno.h>
#include <linux/mman.h>

#include "loader.h"

#define MMAP_TOP	(STACK_TOP - STACK_SIZE - (1ull << 20))
#define LOW_BASE	0x40000000ull	/* MAP_32BIT: the second GiB, as on Linux */
#define WINDOW		(256ull << 10)	/* of a file, acquired at once for stores */
#define AROUND		(64ull << 10)	/* of it, mapped at a fault */
#define MAP_KNOWN	((unsigned int)(MAP_TYPE | MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_ANONYMOUS | \
					MAP_POPULATE | MAP_NORESERVE | MAP_LOCKED | MAP_STACK | \
					MAP_NONBLOCK | MAP_DENYWRITE | MAP_EXECUTABLE))

struct vma {
	uint64_t start, end;
	unsigned int prot;
	bool shared;
	struct open_file *of;		/* NULL: anonymous */
	uint64_t off;			/* of start in the file */
	struct vma *next;
};

/* Blocks of an open file that are mapped somewhere. */
struct mapped_area {
	struct vmemos_area area;
	struct mapped_area *next;
};

struct vm_counters vm_counters;

static struct pool vma_pool = { .size = sizeof(struct vma) };
static struct pool area_pool = { .size = sizeof(struct mapped_area) };
static struct vma *vmas;		/* by address */
static uint64_t brk_start, brk_end;
static uint64_t zero_page;

void pool_give(struct pool *p, void *object)
{
	*(void **)object = p->free;
	p->free = object;
}

void *pool_take(struct pool *p)
{
	uint64_t page, off;
	void *object;

	if (!p->free) {
		page = page_alloc();
		for (off = 0; page && off + p->size <= PAGE_SIZE; off += p->size)
			pool_give(p, (uint8_t *)direct(page) + off);
	}
	object = p->free;
	if (object) {
		p->free = *(void **)object;
		memset(object, 0, p->size);
	}
	return object;
}

/* ---- The list of mappings ---- */

/* The mapping that holds addr or else the first above it. */
static struct vma *vma_from(uint64_t addr)
{
	struct vma *v = vmas;

	while (v && v->end <= addr)
		v = v->next;
	return v;
}

static struct vma *vma_at(uint64_t addr)
{
	struct vma *v = vma_from(addr);

	return v && v->start <= addr ? v : NULL;
}

static void hold_file(struct open_file *of)
{
	if (of) {
		of->refs++;
		of->maps++;
	}
}

/* Split so that no mapping crosses addr. */
static int vma_split(uint64_t addr)
{
	struct vma *v = vma_at(addr), *tail;

	if (!v || v->start == addr)
		return 0;
	tail = pool_take(&vma_pool);
	if (!tail)
		return -ENOMEM;
	*tail = *v;
	tail->start = addr;
	tail->off += addr - v->start;
	v->end = addr;
	v->next = tail;
	hold_file(tail->of);
	return 0;
}

static void release_first_area(struct open_file *of)
{
	struct mapped_area *m = of->areas;

	of->areas = m->next;
	vmemos_release(&m->area);
	pool_give(&area_pool, m);
}

static void release_areas(struct open_file *of)
{
	while (of->areas)
		release_first_area(of);
}

/* A mapping that is in the list no more. */
static void vma_free(struct vma *v)
{
	if (v->of) {
		if (--v->of->maps == 0)
			release_areas(v->of);
		open_file_put(v->of);
	}
	pool_give(&vma_pool, v);
}

/* Make one of v and the mapping behind it, if they are alike. */
static bool vma_join_next(struct vma *v)
{
	struct vma *n = v->next;

	if (!n || v->end != n->start || v->prot != n->prot || v->shared != n->shared ||
	    v->of != n->of || (v->of && n->off != v->off + (v->end - v->start)))
		return false;
	v->end = n->end;
	v->next = n->next;
	vma_free(n);
	return true;
}

static void vma_insert(struct vma *v)
{
	struct vma **link = &vmas, *prev = NULL;

	while (*link && (*link)->start < v->start) {
		prev = *link;
		link = &prev->next;
	}
	v->next = *link;
	*link = v;
	vma_join_next(v);
	if (prev)
		vma_join_next(prev);
}

static bool valid_range(uint64_t start, uint64_t len)
{
	return start % PAGE_SIZE == 0 && len && len <= PROGRAM_TOP && start >= PROGRAM_MIN &&
	       start + len <= PROGRAM_TOP &&
	       (start + len <= VMEMOS_BASE || start >= 2 * VMEMOS_BASE);
}

/* A hole of len bytes at the hint, or as high as possible in [low, top); 0: none. */
static uint64_t find_hole(uint64_t hint, uint64_t len, uint64_t low, uint64_t top)
{
	uint64_t best = 0, high;
	struct vma *v = vma_from(hint);

	if (valid_range(hint, len) && (!v || v->start >= hint + len))
		return hint;
	for (v = vma_from(low);; v = v->next) {
		high = v ? MIN(v->start, top) : top;
		if (low <= high && high - low >= len)
			best = high - len;
		if (!v || v->end >= top)
			return best;
		low = MAX(low, v->end);
	}
}

/* ---- Page tables ---- */

typedef void pte_fn(uint64_t *pte, uint64_t va, void *ctx);

/* Call fn for each entry in [start, end) that has a page. */
static void for_each_page(uint64_t start, uint64_t end, pte_fn *fn, void *ctx)
{
	uint64_t va = start, *pte, stop;

	while (va < end) {
		stop = ALIGN_DOWN(va, LARGE_PAGE) + LARGE_PAGE;
		pte = page_entry(va, 1, false);
		for (; pte && va < stop && va < end; va += PAGE_SIZE, pte++)
			if (*pte)
				fn(pte, va, ctx);
		if (!pte)
			va = stop;
	}
}

static void drop_page(uint64_t *pte, uint64_t va, void *ctx)
{
	(void)ctx;
	if (*pte & PTE_OWNED) {
		page_free(*pte & PTE_ADDRESS);
		vm_counters.pages--;
	}
	*pte = 0;
	flush_tlb_page(va);
}

static uint64_t pte_bits(const struct vma *v)
{
	/* Without any permission the entry keeps its page, but not for the CPU. */
	return (v->prot ? PTE_PRESENT : 0) | (v->prot & PROT_WRITE ? PTE_WRITE : 0) |
	       (v->prot & PROT_EXEC ? 0 : cpu.nx);
}

static void protect_page(uint64_t *pte, uint64_t va, void *ctx)
{
	const struct vma *v = ctx;
	uint64_t bits = pte_bits(v);

	*pte = (*pte & (PTE_ADDRESS | PTE_OWNED)) | bits;
	flush_tlb_page(va);
}

static void drop_zero_page(uint64_t *pte, uint64_t va, void *ctx)
{
	if ((*pte & PTE_ADDRESS) == zero_page)
		drop_page(pte, va, ctx);
}

/* Call fn for what is mapped of [off, end) of a file, shared. */
static void for_each_page_of(uint64_t ino, uint64_t off, uint64_t end, pte_fn *fn)
{
	struct vma *v;

	for (v = vmas; v; v = v->next)
		if (v->of && v->shared && v->of->ino == ino && off < v->off + (v->end - v->start) &&
		    v->off < end)
			for_each_page(v->start + (MAX(off, v->off) - v->off),
				      MIN(v->end, v->start + (end - v->off)), fn, NULL);
}

/* Blocks came where holes may be mapped. */
static void holes_filled(uint64_t ino, uint64_t off, uint64_t end)
{
	if (zero_page)
		for_each_page_of(ino, off, end, drop_zero_page);
}

/* ---- Mapping and unmapping ---- */

static int unmap(uint64_t start, uint64_t len)
{
	struct vma **link, *v;
	uint64_t end = start + len;

	if (vma_split(start) || vma_split(end))
		return -ENOMEM;
	for (link = &vmas; (v = *link) && v->start < end;) {
		if (v->end <= start) {
			link = &v->next;
			continue;
		}
		for_each_page(v->start, v->end, drop_page, NULL);
		*link = v->next;
		vma_free(v);
	}
	return 0;
}

int vm_map(uint64_t start, uint64_t len, unsigned int prot, unsigned int flags,
	   struct open_file *of, uint64_t off)
{
	struct vma *v;

	len = ALIGN_UP(len, PAGE_SIZE);
	if (!valid_range(start, len))
		return -EINVAL;
	if (unmap(start, len))
		return -ENOMEM;
	v = pool_take(&vma_pool);
	if (!v)
		return -ENOMEM;
	*v = (struct vma){ .start = start, .end = start + len, .prot = prot,
			   .shared = flags & MAP_SHARED, .of = of, .off = off };
	hold_file(of);
	vma_insert(v);
	return 0;
}

SYSCALL(mmap)
{
	uint64_t addr = a[0], len = ALIGN_UP(a[1], PAGE_SIZE), off = a[5];
	unsigned int prot = (unsigned int)a[2], flags = (unsigned int)a[3];
	struct vmemos_stat st = { .mode = 0 };
	struct open_file *of = NULL;
	int err;

	/* MAP_SHARED_VALIDATE is both bits; MAP_SYNC would promise more than there is. */
	if (!(flags & MAP_TYPE) || !a[1] || off % PAGE_SIZE || len < a[1])
		return -EINVAL;
	if ((flags & MAP_TYPE) == MAP_SHARED_VALIDATE && flags & ~MAP_KNOWN)
		return -EOPNOTSUPP;
	if (!(flags & MAP_ANONYMOUS)) {
		of = fd_get(a[4]);
		if (!of || of->flags & VMEMOS_O_PATH)
			return -EBADF;
		if (of->kind == KIND_ZERO)
			of = NULL;
		else if (of->kind == KIND_FILE)
			vmemos_fstat(of->file, &st);
		if (of && (st.mode & VMEMOS_S_IFMT) != VMEMOS_S_IFREG)
			return -ENODEV;
		if (of && (int64_t)(off | (off + len)) < 0)
			return -EOVERFLOW;
		if (of && (of->flags & VMEMOS_O_ACCMODE) == VMEMOS_O_WRONLY)
			return -EACCES;
		if (of && flags & MAP_SHARED && prot & PROT_WRITE &&
		    (of->flags & VMEMOS_O_ACCMODE) != VMEMOS_O_RDWR)
			return -EACCES;
	}
	if (flags & MAP_FIXED_NOREPLACE) {
		struct vma *v = vma_from(addr);

		if (v && v->start < addr + len)
			return -EEXIST;
	} else if (!(flags & MAP_FIXED)) {
		addr = flags & MAP_32BIT ? find_hole(0, len, LOW_BASE, 2 * LOW_BASE) :
					   find_hole(addr, len, MMAP_TOP / 2, MMAP_TOP);
		if (!addr)
			return -ENOMEM;
	}
	err = vm_map(addr, len, prot, flags, of, off);
	return err ? err : (int64_t)addr;
}

SYSCALL(munmap)
{
	uint64_t len = ALIGN_UP(a[1], PAGE_SIZE);

	return valid_range(a[0], len) ? unmap(a[0], len) : -EINVAL;
}

SYSCALL(mprotect)
{
	uint64_t start = a[0], end = start + ALIGN_UP(a[1], PAGE_SIZE);
	struct vma *v;

	if (start % PAGE_SIZE)
		return -EINVAL;
	if (!a[1])
		return 0;
	if (!valid_range(start, end - start) || vma_split(start) || vma_split(end))
		return -ENOMEM;
	for (v = vma_at(start); start < end; start = v->end, v = v->next) {
		if (!v || v->start > start)
			return -ENOMEM;
		if (v->of && v->shared && a[2] & PROT_WRITE &&
		    (v->of->flags & VMEMOS_O_ACCMODE) != VMEMOS_O_RDWR)
			return -EACCES;
		v->prot = (unsigned int)a[2];
		/* A block of a file that becomes writable must be acquired as such. */
		if (v->of && v->shared)
			for_each_page(v->start, v->end, drop_page, NULL);
		else
			for_each_page(v->start, v->end, protect_page, v);
	}
	for (v = vmas; v; v = v->next)
		while (vma_join_next(v))
			;
	return 0;
}

static void move_page(uint64_t *pte, uint64_t va, void *distance)
{
	*page_entry(va + *(const uint64_t *)distance, 1, true) = *pte;
	*pte = 0;
	flush_tlb_page(va);
}

/* Move the mapping to where it has room for new_len; -ENOMEM. */
static int64_t move_mapping(struct vma *v, uint64_t new_len)
{
	const uint64_t start = v->start, end = v->end;	/* v may be merged with a neighbour */
	uint64_t to = find_hole(0, new_len, MMAP_TOP / 2, MMAP_TOP), distance = to - start;
	unsigned int flags = v->shared ? MAP_SHARED : MAP_PRIVATE;
	int err;

	/* Every page that moves needs a page table that can be had. */
	if (!to || pages_free < (end - start) / (LARGE_PAGE / 2) + 16)
		return -ENOMEM;
	err = vm_map(to, new_len, v->prot, flags, v->of, v->off);
	if (err)
		return err;
	for_each_page(start, end, move_page, &distance);
	err = unmap(start, end - start);
	return err ? err : (int64_t)to;
}

SYSCALL(mremap)
{
	uint64_t start = a[0], old = ALIGN_UP(a[1], PAGE_SIZE), len = ALIGN_UP(a[2], PAGE_SIZE);
	struct vma *v = vma_at(start);
	int err;

	if (start % PAGE_SIZE || !old || !len || a[3] & ~(uint64_t)MREMAP_MAYMOVE)
		return -EINVAL;
	if (!v || v->end - start < old)
		return -EFAULT;
	if (len <= old)
		return len == old || !(err = unmap(start + len, old - len)) ?
			(int64_t)start : err;
	if (vma_split(start) || vma_split(start + old))
		return -ENOMEM;
	v = vma_at(start);
	if (v->next && v->next->start < start + len) {
		if (!(a[3] & MREMAP_MAYMOVE))
			return -ENOMEM;
		return move_mapping(v, len);
	}
	if (!valid_range(start, len))
		return -ENOMEM;
	v->end = start + len;
	return (int64_t)start;
}

void vm_set_brk(uint64_t start)
{
	brk_start = brk_end = ALIGN_UP(start, PAGE_SIZE);
}

SYSCALL(brk)
{
	uint64_t old = ALIGN_UP(brk_end, PAGE_SIZE), want = ALIGN_UP(a[0], PAGE_SIZE);
	struct vma *above = vma_from(old);

	if (a[0] < brk_start || want < a[0] || (above && above->start < want) || want > DYN_BASE * 2)
		return (int64_t)brk_end;
	if (want > old && vm_map(old, want - old, PROT_READ | PROT_WRITE, MAP_PRIVATE, NULL, 0))
		return (int64_t)brk_end;
	if (want < old)
		unmap(want, old - want);
	brk_end = a[0];
	return (int64_t)brk_end;
}

/* MADV_DONTNEED: memory reads as zeros then, files as they are.  The rest is advice. */
SYSCALL(madvise)
{
	uint64_t len = ALIGN_UP(a[1], PAGE_SIZE);

	if (a[0] % PAGE_SIZE || len < a[1] || a[2] == MADV_REMOVE || a[2] > MADV_POPULATE_WRITE)
		return -EINVAL;
	if (len && !valid_range(a[0], len))
		return -ENOMEM;
	if (a[2] == MADV_DONTNEED)
		for_each_page(a[0], a[0] + len, drop_page, NULL);
	if (a[2] == MADV_POPULATE_READ || a[2] == MADV_POPULATE_WRITE)
		return user_memory(a[0], len, a[2] == MADV_POPULATE_WRITE) ? 0 : -ENOMEM;
	return 0;
}

/* Memory never goes anywhere else: it only has to be there. */
SYSCALL(mlock)
{
	return user_memory(a[0], a[1], false) ? 0 : -ENOMEM;
}

/* ---- Faults ---- */

/*
 * An area of the open file that holds file offset off, acquired if need be.  To
 * acquire it for stores fills its holes: only a store may do that.
 */
static struct vmemos_area *get_area(struct vma *v, uint64_t off, bool write, int *err)
{
	unsigned int want = write ? 0 : VMEMOS_READ;
	uint64_t end = ALIGN_DOWN(off, WINDOW) + WINDOW;
	struct mapped_area **link, *m;
	struct vmemos_stat st;

	for (link = &v->of->areas; (m = *link); link = &m->next) {
		if (off < m->area.off || off >= ALIGN_UP(m->area.off + m->area.len, PAGE_SIZE) ||
		    (m->area.flags & VMEMOS_READ) > want)
			continue;
		*link = m->next;		/* the next fault is near */
		m->next = v->of->areas;
		v->of->areas = m;
		return &m->area;
	}
	vmemos_fstat(v->of->file, &st);
	/* Loads allocate nothing: as much as there is in one piece. */
	end = MIN(write ? end : UINT64_MAX, ALIGN_UP(st.size, PAGE_SIZE));
	m = pool_take(&area_pool);
	*err = !m ? -ENOMEM : off >= end ? -EINVAL :
	       vmemos_acquire(v->of->file, off, end - off, want, &m->area);
	if (*err) {
		if (m)
			pool_give(&area_pool, m);
		return NULL;
	}
	m->next = v->of->areas;
	v->of->areas = m;
	if (write)
		holes_filled(v->of->ino, off, off + m->area.len);
	return &m->area;
}

/* Where the store begins in physical memory. */
static uint64_t store_start(void)
{
	return *page_entry(VMEMOS_BASE, 2, false) & PTE_ADDRESS;
}

/* Map pages of the area around the one at va; for stores only if it was acquired so. */
static int map_area(struct vma *v, const struct vmemos_area *area, uint64_t va)
{
	const uint64_t bits = pte_bits(v) & ~(area->flags & VMEMOS_READ ? PTE_WRITE : 0);
	const uint64_t around = ALIGN_DOWN(va, AROUND), file_start = v->start - v->off;
	uint64_t from = v->start + (area->off > v->off ? area->off - v->off : 0), *pte;
	uint64_t to = file_start + ALIGN_UP(area->off + area->len, PAGE_SIZE);

	to = MIN(MIN(to, v->end), around + AROUND);
	for (from = MAX(from, around); from < to; from += PAGE_SIZE) {
		pte = page_entry(from, 1, true);
		if (!pte)
			return SIGBUS;
		if (*pte & PTE_PRESENT && *pte & PTE_WRITE && from != va)
			continue;
		*pte = ((uint64_t)area->addr + (from - file_start - area->off) - VMEMOS_BASE +
			store_start()) | bits;
		flush_tlb_page(from);
	}
	return 0;
}

static int fault_shared(struct vma *v, uint64_t va, bool write, const char **why)
{
	uint64_t off = v->off + (va - v->start), *pte;
	struct vmemos_area *area;
	int err = 0;

	area = get_area(v, off, write, &err);
	if (!area) {
		*why = err == -EINVAL ? "behind the end of the file" :
		       err == -ENOSPC ? "no space for a block of the file" :
					"the file system failed";
		return SIGBUS;
	}
	if (area->addr)
		return map_area(v, area, va);
	/* A hole that is only read.  The area is not kept: a write may fill it. */
	release_first_area(v->of);
	if (!zero_page)
		zero_page = page_alloc();
	pte = page_entry(va, 1, true);
	if (!zero_page || !pte)
		return SIGBUS;
	*pte = zero_page | (pte_bits(v) & ~PTE_WRITE);
	return 0;
}

static int fault_private(struct vma *v, uint64_t va, const char **why)
{
	uint64_t phys, *pte = page_entry(va, 1, true);
	int64_t n = 1;

	if (pte && *pte) {		/* it was kept by mprotect(PROT_NONE) */
		*pte = (*pte & (PTE_ADDRESS | PTE_OWNED)) | pte_bits(v);
		return 0;
	}
	phys = page_alloc();
	if (!phys || !pte) {
		*why = "out of memory: give the machine more (-m)";
		return SIGSEGV;
	}
	if (v->of)
		n = vmemos_pread(v->of->file, direct(phys), PAGE_SIZE, v->off + (va - v->start));
	if (n <= 0) {
		page_free(phys);
		*why = n ? "the file cannot be read" : "behind the end of the file";
		return SIGBUS;
	}
	vm_counters.pages++;
	*pte = phys | pte_bits(v) | PTE_OWNED;
	return 0;
}

/* Make the page of addr present: 0, or a signal and *why. */
static int fault(uint64_t addr, bool write, bool force, const char **why)
{
	uint64_t va = ALIGN_DOWN(addr, PAGE_SIZE);
	struct vma *v = vma_at(va);

	*why = va < PROGRAM_MIN ? "null pointer" : "not mapped";
	if (!v)
		return SIGSEGV;
	*why = "not allowed by the mapping";
	if (!force && (!v->prot || (write && !(v->prot & PROT_WRITE))))
		return SIGSEGV;
	vm_counters.faults++;
	return v->of && v->shared ? fault_shared(v, va, write, why) : fault_private(v, va, why);
}

/* The entry of a page that is there for the CPU; NULL. */
static const uint64_t *present(uint64_t va)
{
	const uint64_t *pte = page_entry(va, 1, false);

	return pte && *pte & PTE_PRESENT ? pte : NULL;
}

int vm_fault(uint64_t addr, uint64_t error, const char **why)
{
	const uint64_t *pte = present(addr);

	if (addr >= VMEMOS_BASE && addr < 2 * VMEMOS_BASE) {
		*why = "in the store, but in no mapping of the program";
		return SIGSEGV;
	}
	if (addr >= PROGRAM_TOP) {
		*why = "not the program's memory";
		return SIGSEGV;
	}
	/* Present: only the first store to a page that was read so far is allowed. */
	if (pte && (*pte & PTE_WRITE || !(error & FAULT_WRITE))) {
		*why = "not allowed by the mapping";
		return SIGSEGV;
	}
	return fault(addr, error & FAULT_WRITE, false, why);
}

void *vm_page(uint64_t va)
{
	const char *why;

	if (!present(va) && fault(va, true, true, &why))
		return NULL;
	return direct(*page_entry(va, 1, false) & PTE_ADDRESS);
}

bool user_memory(uint64_t addr, uint64_t len, bool write)
{
	uint64_t va, end = addr + len;
	const uint64_t *pte;
	const char *why;

	if (end < addr || end > PROGRAM_TOP)
		return false;
	for (va = ALIGN_DOWN(addr, PAGE_SIZE); va < end; va += PAGE_SIZE) {
		pte = present(va);
		if ((!pte || (write && !(*pte & PTE_WRITE))) && fault(va, write, false, &why))
			return false;
	}
	return true;
}

bool user_string(uint64_t addr)
{
	do {
		if (!user_memory(addr, 1, false))
			return false;
		while (*(const char *)addr && (addr + 1) % PAGE_SIZE)
			addr++;
	} while (*(const char *)addr++);
	return true;
}

int64_t put(uint64_t to, const void *from, uint64_t len)
{
	if (!user_memory(to, len, true))
		return -EFAULT;
	memcpy((void *)to, from, len);
	return 0;
}

int64_t put_if_wanted(uint64_t to, const void *from, uint64_t len)
{
	return to ? put(to, from, len) : 0;
}

/* ---- Files that are mapped ---- */

void vm_file_written(uint64_t ino)
{
	holes_filled(ino, 0, INT64_MAX);
}

void vm_file_cut(uint64_t ino)
{
	struct open_file *of;

	for_each_page_of(ino, 0, INT64_MAX, drop_page);
	for (of = open_files; of; of = of->next)
		if (of->ino == ino)
			release_areas(of);
}

SYSCALL(msync)
{
	uint64_t start = a[0], end = start + ALIGN_UP(a[1], PAGE_SIZE), stop;
	struct vma *v;
	int err;

	if (start % PAGE_SIZE || a[2] & ~(uint64_t)(MS_ASYNC | MS_INVALIDATE | MS_SYNC) ||
	    (a[2] & MS_ASYNC && a[2] & MS_SYNC))
		return -EINVAL;
	for (; start < end; start = stop) {
		v = vma_at(start);
		if (!v)
			return -ENOMEM;
		stop = MIN(v->end, end);
		if (!v->of || !v->shared || a[2] & MS_ASYNC)
			continue;
		err = vmemos_fsync(v->of->file, true);
		if (err)
			return err;
	}
	return 0;
}

/*
 * Not of Linux: where in the store is this address?  Its offset, or -ENOENT
 * when it is in memory of the program.  A test can thus see that a pointer
 * which the program got leads to the file itself.
 */
SYSCALL(vmemos_where)
{
	struct vmemos_statfs st;
	uint64_t at;

	if (!user_memory(a[0], 1, false))
		return -EFAULT;
	vmemos_statfs(fs, &st);
	at = (*page_entry(a[0], 1, false) & PTE_ADDRESS) - store_start();
	return at < st.blocks * PAGE_SIZE ? (int64_t)(at + a[0] % PAGE_SIZE) : -ENOENT;
}

void vm_exit(void)
{
	while (vmas)
		unmap(vmas->start, vmas->end - vmas->start);
}
