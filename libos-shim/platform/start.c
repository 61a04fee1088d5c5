// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * start.c - from boot.S to vmemos_main()
 */
#include "platform.h"
#include "start_info.h"

#define MAX_WORDS	64
#define COMMAND_LINE	4096

extern uint64_t boot_start_info;
extern uint64_t boot_pml4[];

bool error_told;

static void log_line(struct vmemos_platform *p, enum vmemos_log_level level, const char *line)
{
	(void)p;
	if (level != VMEMOS_LOG_INFO || platform_option("verbose", NULL))
		say("vmemos: %s\n", line);
	error_told |= level == VMEMOS_LOG_ERR;
}

struct vmemos_platform machine = {
	.now = clock_wall, .random = random_bytes, .log = log_line, .console = console_write,
};

struct module boot_module;

static char command_line[COMMAND_LINE];
static char *words[MAX_WORDS + 1];
static int nr_words, nr_options;

/*
 * Split as a shell does, by blanks, with '...', "..." and \x; in place.  The
 * words before "--" are options.
 */
static void split_command_line(void)
{
	char *in = command_line, *out = command_line, quote;

	for (;;) {
		while (*in == ' ')
			in++;
		if (!*in)
			break;
		if (nr_words == MAX_WORDS)
			fatal("more than %d words on the command line", MAX_WORDS);
		words[nr_words++] = out;
		for (quote = 0; *in && (quote || *in != ' '); in++) {
			if (quote ? *in == quote : *in == '\'' || *in == '"')
				quote = quote ? 0 : *in;
			else if (*in == '\\' && quote != '\'' && in[1])
				*out++ = *++in;
			else
				*out++ = *in;
		}
		in += *in != '\0';
		*out++ = '\0';
		if (!nr_options && strcmp(words[nr_words - 1], "--") == 0)
			nr_options = nr_words;
	}
}

const char *platform_option(const char *name, unsigned int *at)
{
	size_t len = strlen(name);
	unsigned int i;

	for (i = at ? *at : 0; i + 1 < (unsigned int)nr_options; i++) {
		if (strncmp(words[i], name, len) || (words[i][len] && words[i][len] != '='))
			continue;
		if (at)
			*at = i + 1;
		return words[i] + len + (words[i][len] == '=');
	}
	return NULL;
}

static void take_start_info(const struct hvm_start_info *info)
{
	const struct hvm_module *module = direct(info->modules);
	const char *line = direct(info->cmdline);

	if (info->magic != HVM_START_MAGIC)
		fatal("not started by the PVH protocol (boot by QEMU -kernel), or the command "
		      "line is far too long");
	if (info->nr_modules && info->modules) {
		boot_module.data = direct(module->address);
		boot_module.size = module->size;
	}
	if (!info->cmdline)
		return;
	if (strlen(line) >= sizeof(command_line))
		fatal("the command line has more than %d bytes", COMMAND_LINE - 1);
	memcpy(command_line, line, strlen(line) + 1);
}

/*
 * The library's memory: a quarter of the machine's, as much as it can use; to
 * replay a long log it may need more than VMEMOS_ARENA_GOOD.
 */
static void give_arena(void)
{
	uint64_t size = ALIGN_DOWN(pages_total * PAGE_SIZE / 4, LARGE_PAGE);

	machine.arena_size = MIN(MAX(size, VMEMOS_ARENA_MIN), 2 * VMEMOS_ARENA_GOOD);
	machine.arena = memory_take(machine.arena_size);
	if (!machine.arena)
		fatal("%llu MiB of memory are too little: give the machine more (-m)",
		      pages_total * PAGE_SIZE >> 20);
}

void platform_start(void);
void platform_start(void)
{
	console_init();
	trap_init();
	cpu_init();
	take_start_info(direct(boot_start_info));
	split_command_line();
	memory_init(direct(boot_start_info));
	clock_init();
	/* Address 0 and what follows belong to the program from here on. */
	boot_pml4[0] = 0;
	__asm__ volatile("mov %%cr3, %%rax; mov %%rax, %%cr3" : : : "rax", "memory");
	if (store_init())
		fatal("no vmemstore device: give QEMU -device vmemstore,file=... "
		      "(on microvm also pcie=on)");
	give_arena();
	platform_exit(vmemos_main(&machine, nr_words - nr_options, words + nr_options));
}
