// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * elf.c - the module as a Linux program: segments, first stack, symbols
 *
 * The file comes from whoever starts the machine, and is checked all the same.
 */
#include <linux/auxvec.h>
#include <linux/elf.h>
#include <linux/mman.h>

#include "loader.h"

#define MAX_PHDRS	32

static const Elf64_Ehdr *header;
static uint64_t bias;		/* of ET_DYN */

/* An array of the file, or NULL if it is not all there. */
static const void *in_file(uint64_t off, uint64_t nr, uint64_t size)
{
	if (off > boot_module.size || nr > (boot_module.size - off) / size || off % 8)
		return NULL;
	return boot_module.data + off;
}

static const Elf64_Phdr *check(void)
{
	const Elf64_Phdr *ph;
	unsigned int i;

	header = in_file(0, 1, sizeof(*header));
	if (!boot_module.size)
		fatal("no program: give QEMU one as -initrd");
	if (!header || memcmp(header->e_ident, ELFMAG, SELFMAG) ||
	    header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != EM_X86_64 ||
	    (header->e_type != ET_EXEC && header->e_type != ET_DYN))
		fatal("the program (-initrd) is not an x86-64 Linux executable");
	ph = in_file(header->e_phoff, header->e_phnum, sizeof(*ph));
	if (!ph || header->e_phentsize != sizeof(*ph) || header->e_phnum > MAX_PHDRS)
		fatal("the program (-initrd) has no usable program headers");
	for (i = 0; i < header->e_phnum; i++)
		if (ph[i].p_type == PT_INTERP)
			fatal("the program (-initrd) needs shared libraries: link it with -static");
	return ph;
}

/* Copy to the program's memory whatever its protection. */
static void copy_in(uint64_t va, const void *from, uint64_t len)
{
	uint64_t n;
	uint8_t *page;

	for (; len; len -= n, va += n, from = (const uint8_t *)from + n) {
		page = vm_page(ALIGN_DOWN(va, PAGE_SIZE));
		if (!page)
			fatal("no memory for the program: give the machine more (-m)");
		n = MIN(len, PAGE_SIZE - va % PAGE_SIZE);
		memcpy(page + va % PAGE_SIZE, from, n);
	}
}

/* Load the segments; the end of the highest. */
static uint64_t load_segments(const Elf64_Phdr *ph)
{
	uint64_t va, start, end, top = 0;
	unsigned int i, prot;
	const void *data;

	for (i = 0; i < header->e_phnum; i++) {
		if (ph[i].p_type != PT_LOAD || !ph[i].p_memsz)
			continue;
		va = bias + ph[i].p_vaddr;
		/* It may share its first page with the one before. */
		start = MAX(top, ALIGN_DOWN(va, PAGE_SIZE));
		end = ALIGN_UP(va + ph[i].p_memsz, PAGE_SIZE);
		prot = (ph[i].p_flags & PF_R ? PROT_READ : 0) |
		       (ph[i].p_flags & PF_W ? PROT_WRITE : 0) |
		       (ph[i].p_flags & PF_X ? PROT_EXEC : 0);
		data = ph[i].p_offset <= boot_module.size &&
		       ph[i].p_filesz <= boot_module.size - ph[i].p_offset ?
			boot_module.data + ph[i].p_offset : NULL;
		if (!data || ph[i].p_filesz > ph[i].p_memsz ||
		    MAX(va, ph[i].p_memsz) > PROGRAM_TOP || va + PAGE_SIZE <= top ||
		    (start < end && vm_map(start, end - start, prot, MAP_PRIVATE, NULL, 0)))
			fatal("the program (-initrd) has a segment that cannot be loaded");
		copy_in(va, data, ph[i].p_filesz);
		top = MAX(top, end);
	}
	return top;
}

/* The stack grows down from sp; the program is not running yet. */
static uint64_t push_bytes(uint64_t *sp, const void *data, uint64_t len)
{
	*sp -= len;
	copy_in(*sp, data, len);
	return *sp;
}

static uint64_t header_address(const Elf64_Phdr *ph)
{
	unsigned int i;

	for (i = 0; i < header->e_phnum; i++)
		if (ph[i].p_type == PT_LOAD && ph[i].p_offset <= header->e_phoff &&
		    header->e_phoff - ph[i].p_offset < ph[i].p_filesz)
			return bias + ph[i].p_vaddr + header->e_phoff - ph[i].p_offset;
	return 0;
}

/* argc, argv, environment, auxiliary vector: System V ABI, x86-64, 3.4.1. */
static uint64_t build_stack(const Elf64_Phdr *ph, int argc, char **argv)
{
	static const char *const defaults[] = { "HOME=/", "PATH=/bin:/usr/bin:/sbin:/usr/sbin",
						"TERM=dumb" };
	uint64_t words[256], sp = STACK_TOP, random[2], name;
	unsigned int n = 0, i, at = 0;
	const char *value;

	machine.random(&machine, random, sizeof(random));
	push_bytes(&sp, random, sizeof(random));
	const uint64_t at_random = sp;
	name = push_bytes(&sp, argv[0], strlen(argv[0]) + 1);
	words[n++] = (uint64_t)argc;
	for (i = 0; i < (unsigned int)argc; i++)
		words[n++] = push_bytes(&sp, argv[i], strlen(argv[i]) + 1);
	words[n++] = 0;
	/* getenv() takes the first of two equal names: the command line's. */
	while ((value = platform_option("env", &at)))
		words[n++] = push_bytes(&sp, value, strlen(value) + 1);
	for (i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		words[n++] = push_bytes(&sp, defaults[i], strlen(defaults[i]) + 1);
	words[n++] = 0;
	const uint64_t auxv[][2] = {
		{ AT_PHDR, header_address(ph) }, { AT_PHENT, sizeof(*ph) },
		{ AT_PHNUM, header->e_phnum }, { AT_PAGESZ, PAGE_SIZE }, { AT_BASE, 0 },
		{ AT_FLAGS, 0 }, { AT_ENTRY, bias + header->e_entry }, { AT_UID, 0 },
		{ AT_EUID, 0 }, { AT_GID, 0 }, { AT_EGID, 0 }, { AT_SECURE, 0 },
		{ AT_HWCAP, cpu.features_edx }, { AT_CLKTCK, 100 },
		{ AT_RANDOM, at_random }, { AT_EXECFN, name }, { AT_NULL, 0 },
	};
	sp = ALIGN_DOWN(sp - n * 8 - sizeof(auxv), 16);
	copy_in(sp, words, n * 8);
	copy_in(sp + n * 8, auxv, sizeof(auxv));
	return sp;
}

void elf_load(int argc, char **argv, uint64_t *entry, uint64_t *stack)
{
	const Elf64_Phdr *ph = check();

	bias = header->e_type == ET_DYN ? DYN_BASE : 0;
	vm_set_brk(load_segments(ph));
	if (vm_map(STACK_TOP - STACK_SIZE, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, NULL, 0))
		fatal("no memory for the stack: give the machine more (-m)");
	*entry = bias + header->e_entry;
	*stack = build_stack(ph, argc, argv);
}

/* A string of a table in the file; NULL when it does not end in there. */
static const char *string_in(const Elf64_Shdr *table, uint64_t at)
{
	const char *strings = (const char *)boot_module.data + table->sh_offset;
	uint64_t end = at;

	while (end < table->sh_size && strings[end])
		end++;
	return end < table->sh_size ? strings + at : NULL;
}

/* From the symbol table of the file, if it was not stripped. */
const char *elf_symbol(uint64_t address, uint64_t *offset)
{
	const Elf64_Shdr *sh = in_file(header->e_shoff, header->e_shnum, sizeof(*sh)), *names;
	const Elf64_Sym *symbols;
	const char *name = NULL, *found;
	uint64_t i, k, start, best = 0;

	for (i = 0; sh && i < header->e_shnum; i++) {
		if (sh[i].sh_type != SHT_SYMTAB || sh[i].sh_link >= header->e_shnum)
			continue;
		names = &sh[sh[i].sh_link];
		k = sh[i].sh_size / sizeof(*symbols);
		symbols = in_file(sh[i].sh_offset, k, sizeof(*symbols));
		if (!symbols || names->sh_offset > boot_module.size ||
		    names->sh_size > boot_module.size - names->sh_offset)
			return NULL;
		for (; k--; symbols++) {
			start = bias + symbols->st_value;
			if (ELF64_ST_TYPE(symbols->st_info) != STT_FUNC || start > address ||
			    address - start >= (symbols->st_size ? symbols->st_size : PAGE_SIZE) ||
			    start < best)
				continue;
			found = string_in(names, symbols->st_name);
			name = found ? found : name;
			best = found ? start : best;
		}
	}
	*offset = address - best;
	return name;
}
