/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * loader.h - what the parts of the loader know of each other
 *
 * elf.c	the program's segments and first stack
 * vm.c		its address space
 * fd.c		its descriptors
 * files.c, process.c	its system calls; each gets the six arguments, checked
 *		as calls.h says, and returns a result or a negative errno
 */
#ifndef LOADER_H
#define LOADER_H

#include "platform.h"

typedef int64_t syscall_fn(const uint64_t *a);

/* A system call of the program: sys_NAME(a). */
#define SYSCALL(name) syscall_fn sys_##name; int64_t sys_##name(const uint64_t *a)

extern struct vmemos *fs;
extern bool read_only;			/* it is mounted so */

/* ---- vm.c ---- */

#define PROGRAM_MIN	0x10000ull		/* below: no mapping, null pointers trap */
#define PROGRAM_TOP	0x800000000000ull
#define STACK_TOP	0x7ffffffff000ull
#define STACK_SIZE	(8ull << 20)
#define DYN_BASE	0x555555554000ull	/* of static-PIE */

struct open_file;

struct vm_counters {
	uint64_t faults, pages;
};

extern struct vm_counters vm_counters;

/* Map [start, start+len), replacing what is there; of NULL: anonymous. */
int vm_map(uint64_t start, uint64_t len, unsigned int prot, unsigned int flags,
	   struct open_file *of, uint64_t off);
/* The page at va, by its address in the direct map, faulted in whatever its protection; NULL. */
void *vm_page(uint64_t va);
void vm_set_brk(uint64_t start);
/* page_fault_hook */
int vm_fault(uint64_t addr, uint64_t error, const char **why);

/*
 * The program's memory, before the library touches it: true if [addr, addr +
 * len) is the program's and, with write, writable; its pages are then present.
 */
bool user_memory(uint64_t addr, uint64_t len, bool write);
/* The same of a string. */
bool user_string(uint64_t addr);
/* Copy a result out to the program: 0 or -EFAULT; and the same when it may be NULL. */
int64_t put(uint64_t to, const void *from, uint64_t len);
int64_t put_if_wanted(uint64_t to, const void *from, uint64_t len);

/* The file was written to: holes that are mapped may have gone. */
void vm_file_written(uint64_t ino);
/* The file is about to shrink: no page of it stays mapped, no block acquired. */
void vm_file_cut(uint64_t ino);
/* The end of the program: give everything back to the library. */
void vm_exit(void);

/* Zeroed objects of one size, in pages. */
struct pool {
	uint64_t size;
	void *free;			/* the first; it holds the next one's address */
};

void *pool_take(struct pool *p);	/* NULL: no memory */
void pool_give(struct pool *p, void *object);

/* ---- fd.c ---- */

#define MAX_FDS		1024
extern uint64_t max_fds;		/* RLIMIT_NOFILE */

enum file_kind { KIND_FILE, KIND_CONSOLE, KIND_NULL, KIND_ZERO, KIND_RANDOM };

/* An open file description: shared by dup()ed descriptors and mappings. */
struct open_file {
	enum file_kind kind;
	unsigned int refs, flags;
	struct vmemos_file *file;	/* of a device: O_PATH; NULL: the console as it was given */
	uint64_t ino;
	unsigned int maps;		/* of vm.c: mappings, and what they have acquired */
	struct mapped_area *areas;
	struct open_file *next;
};

extern struct open_file *open_files;

void fd_init(void);
struct open_file *fd_get(uint64_t fd);		/* NULL: EBADF */
void open_file_put(struct open_file *of);
/* a[0] and a[1] are a directory and a path (calls.h, p), or a descriptor alone (e). */
int check_path(uint64_t *a, bool may_be_alone, bool may_be_empty);
void fd_exit(void);

/* What checked arguments are. */
static inline struct vmemos_file *handle(uint64_t a)
{
	return (struct vmemos_file *)a;
}

static inline struct open_file *open_file(uint64_t a)
{
	return (struct open_file *)a;
}

static inline const char *text(uint64_t a)
{
	return (const char *)a;
}

extern unsigned int umask_bits;

/* ---- elf.c ---- */

/* Load the module and build its stack; sets what enter_program() needs. */
void elf_load(int argc, char **argv, uint64_t *entry, uint64_t *stack);
const char *elf_symbol(uint64_t address, uint64_t *offset);

/* ---- process.c, main.c ---- */

struct timespec;
/*
 * When a wait ends that is to take, or last until, *t, on clock_monotonic():
 * UINT64_MAX when t is NULL, so never.
 */
int64_t wait_end(const struct timespec *t, bool absolute, bool wall, uint64_t *end);
/* Of clock_monotonic(); returns 0.  UINT64_MAX, a wait that nobody can end, ends the program. */
int64_t wait_until(uint64_t end, const char *what);
void program_exit(int status) __attribute__((noreturn));
void enter_program(uint64_t entry, uint64_t stack) __attribute__((noreturn));

/* What SYSCALL enters by; a[i] as the registers were. */
struct syscall_frame {
	uint64_t a[6];			/* rdi, rsi, rdx, r10, r8, r9 */
	uint64_t nr;			/* rax */
	uint64_t rbp, rip, rsp, rflags;
};

void syscall_entry(void);
extern char syscall_stack_guard[];
int64_t syscall_dispatch(struct syscall_frame *frame);

#endif /* LOADER_H */
