// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * elf.c - the loader's reader of programs, on files that lie
 *
 * loader/elf.c itself, in a process with sanitizers; the machine around it is
 * played.  The file is as long as its allocation, so a byte read behind its end
 * is noticed.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../libos-shim/loader/elf.c"

#define BASE	0x400000ull
#define RUNS	150000u

struct module boot_module;
struct cpu cpu;

static jmp_buf refused;
static struct { uint64_t start, end; } maps[MAX_PHDRS + 1];
static unsigned int nr_maps;

/* ---- The machine ---- */

static void no_random(struct vmemos_platform *p, void *buf, size_t len)
{
	(void)p;
	memset(buf, 0, len);
}

struct vmemos_platform machine = { .random = no_random };

void vmemos_printf(struct vmemos_platform *p, const char *format, ...)
{
	(void)p, (void)format;
}

void platform_exit(int status)
{
	(void)status;
	longjmp(refused, 1);
}

const char *platform_option(const char *name, unsigned int *at)
{
	(void)name, (void)at;
	return NULL;
}

int vm_map(uint64_t start, uint64_t len, unsigned int prot, unsigned int flags,
	   struct open_file *of, uint64_t off)
{
	(void)prot, (void)flags, (void)of, (void)off;
	if (start % PAGE_SIZE || !len || start < PROGRAM_MIN || len > PROGRAM_TOP ||
	    start + len > PROGRAM_TOP)
		return -1;
	maps[nr_maps].start = start;
	maps[nr_maps++].end = start + len;
	return 0;
}

void *vm_page(uint64_t va)
{
	static uint8_t page[PAGE_SIZE];
	unsigned int i;

	for (i = 0; i < nr_maps; i++)
		if (va >= maps[i].start && va < maps[i].end)
			return page;
	return NULL;
}

void vm_set_brk(uint64_t start)
{
	(void)start;
}

/* ---- A small program, its names at the very end of the file ---- */

struct program {
	Elf64_Ehdr header;
	Elf64_Phdr ph[2];
	Elf64_Shdr sh[3];
	Elf64_Sym symbols[3];
	uint8_t code[64];
	char names[16];			/* "", "first", "second" */
};

static const struct program good = {
	.header = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_entry = BASE,
		.e_phoff = offsetof(struct program, ph), .e_shoff = offsetof(struct program, sh),
		.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 2,
		.e_shentsize = sizeof(Elf64_Shdr), .e_shnum = 3,
	},
	.ph = {
		{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = offsetof(struct program, code),
		  .p_vaddr = BASE, .p_filesz = 64, .p_memsz = 64 },
		{ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 0,
		  .p_vaddr = BASE + 0x10000, .p_filesz = 100, .p_memsz = 10000 },
	},
	.sh = {
		{ .sh_type = SHT_NULL },
		{ .sh_type = SHT_SYMTAB, .sh_offset = offsetof(struct program, symbols),
		  .sh_size = 3 * sizeof(Elf64_Sym), .sh_link = 2 },
		{ .sh_type = SHT_STRTAB, .sh_offset = offsetof(struct program, names), .sh_size = 16 },
	},
	.symbols = {
		{ .st_name = 0 },
		{ .st_name = 1, .st_info = STT_FUNC, .st_value = BASE, .st_size = 16 },
		{ .st_name = 7, .st_info = STT_FUNC, .st_value = BASE + 16, .st_size = 16 },
	},
	.names = "\0first\0second\0",
};

/* As the loader is started: 0, or 1 when it refuses the program. */
static int load(const struct program *p, size_t size)
{
	static char *argv[] = { "name", "argument", NULL };
	uint64_t entry, stack;
	uint8_t *file = malloc(size);

	memcpy(file, p, size);
	boot_module = (struct module){ file, size };
	nr_maps = 0;
	if (setjmp(refused))
		return 1;
	elf_load(2, argv, &entry, &stack);
	return 0;
}

static void unload(void)
{
	free((void *)(uintptr_t)boot_module.data);
}

/* A name is read to its end, as a report of a fault does. */
static const char *name_at(uint64_t address)
{
	static char copy[32];
	uint64_t offset;
	const char *name = elf_symbol(address, &offset);

	if (name)
		snprintf(copy, sizeof(copy), "%s", name);
	return name ? copy : NULL;
}

static bool is_name(uint64_t address, const char *want)
{
	const char *name = name_at(address);

	return want ? name && !strcmp(name, want) : !name;
}

/* ---- The tests ---- */

static bool good_program(void)
{
	bool ok = !load(&good, sizeof(good)) && is_name(BASE + 3, "first") &&
		  is_name(BASE + 16, "second") && is_name(BASE + 40, NULL);

	unload();
	return ok;
}

static bool names_without_end(void)
{
	struct program p = good;
	bool ok;

	memset(p.names + 7, 'x', sizeof(p.names) - 7);
	ok = !load(&p, sizeof(p)) && is_name(BASE, "first") && is_name(BASE + 16, NULL);
	unload();
	/* The end of the table counts, not that of the file. */
	p = good;
	p.sh[2].sh_size = 10;
	ok = ok && !load(&p, sizeof(p)) && is_name(BASE, "first") && is_name(BASE + 16, NULL);
	unload();
	return ok;
}

static bool short_files(void)
{
	size_t size;

	for (size = 1; size < sizeof(good); size++) {
		if (!load(&good, size))
			name_at(BASE + 16);
		unload();
	}
	return true;
}

static uint64_t state = 88172645463325252ull;

static uint64_t rnd(uint64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

/* One to four fields of 1 to 8 bytes become what is near a limit. */
static void damage(struct program *p)
{
	static const uint64_t odd[] = {
		0, 1, 7, 8, 63, 64, sizeof(*p) - 1, sizeof(*p), 4095, 4096, BASE, 0xffff,
		PROGRAM_TOP - 1, PROGRAM_TOP, 1ull << 63, ~0ull, ~0ull - 4095,
	};
	unsigned int n = 1 + (unsigned int)rnd(4);
	uint64_t v;
	size_t len;

	while (n--) {
		v = rnd(3) ? odd[rnd(sizeof(odd) / sizeof(odd[0]))] + rnd(3) - 1 : rnd(~0ull);
		len = (size_t)1 << rnd(4);
		memcpy((uint8_t *)p + rnd(sizeof(*p) / len) * len, &v, len);
	}
}

static bool damaged_files(void)
{
	static const uint64_t addresses[] = { 0, BASE, BASE + 17, BASE + 0x10000, PROGRAM_TOP, ~0ull };
	unsigned int i, k, loaded = 0;

	for (i = 0; i < RUNS; i++) {
		struct program p = good;

		damage(&p);
		if (!load(&p, sizeof(p))) {
			loaded++;
			for (k = 0; k < sizeof(addresses) / sizeof(addresses[0]); k++)
				name_at(addresses[k]);
		}
		unload();
	}
	/* It would prove little if all were refused. */
	return loaded > RUNS / 10 && loaded < RUNS / 10 * 9;
}

int main(void)
{
	static const struct { const char *name; bool (*test)(void); } tests[] = {
		{ "a program is loaded, and its functions have names", good_program },
		{ "a name without an end is none", names_without_end },
		{ "a program that was cut off anywhere is read within its file", short_files },
		{ "a program damaged anywhere is read within its file", damaged_files },
	};
	int status = 0;
	size_t i;

	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		bool ok = tests[i].test();

		printf("%s - %s\n", ok ? "ok" : "not ok", tests[i].name);
		fflush(stdout);
		status |= !ok;
	}
	return status;
}
