// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * main.c - the loader: mount, load the module, serve its system calls
 *
 * Command line: [OPTION... --] ARGV0 [ARG...].  Options:
 *   durability=guest|host	what fsync promises (docs/libos.md)
 *   ro				mount read-only
 *   env=NAME=VALUE		one more variable of the environment
 *   trace			report each system call
 *   stats			report counters at the end
 *   verbose, time=SECONDS, tsc_khz=N	see the platform
 * `run` knows them, too, and refuses others.
 */
#include <asm/unistd.h>
#include <errno.h>
#include <linux/fcntl.h>

#include "loader.h"
#ifdef VMEM_FAULTS
#include "break.h"
#endif

#define MSR_STAR	0xc0000081
#define MSR_LSTAR	0xc0000082
#define MSR_SFMASK	0xc0000084
#define FLAGS_CLEARED	0x44700		/* AC, NT, DF, IF, TF */
#define __NR_vmemos_where 0x7665	/* not Linux'; see vm.c */

struct vmemos *fs;
bool read_only;

static uint64_t served;
static uint64_t started, mounted, first_instruction;	/* ns from the PVH entry */
static bool trace;

/* ---- The table of calls ---- */

struct call {
	syscall_fn *fn;
	const char *name, *checks;
	const char *args;	/* NULL: as they are */
};

#define CALL(name, checks)	syscall_fn sys_##name; static const char checks_##name[] = checks;
#define FN(name, checks)	CALL(name, checks)
#define AS(name, fn, args)
#include "calls.h"
#undef CALL
#undef FN
#undef AS

#define AS(name, fn, args)	\
	case __NR_##name: return (struct call){ sys_##fn, #name, checks_##fn, args };
#define CALL(name, checks)	AS(name, name, NULL)
#define FN(name, checks)

static struct call find_call(uint64_t nr)
{
	switch (nr) {
#include "calls.h"
	default: return (struct call){ .args = NULL };
	}
}

static uint64_t argument(char what, const uint64_t *a)
{
	switch (what) {
	case '@': return (uint64_t)AT_FDCWD;
	case 'N': return AT_SYMLINK_NOFOLLOW;
	case 'R': return AT_REMOVEDIR;
	case 'C': return O_CREAT | O_WRONLY | O_TRUNC;
	case 'E': return AT_EMPTY_PATH;
	case 'F': return AT_SYMLINK_FOLLOW;
	case 'A': return AT_NO_AUTOMOUNT;
	case 't': return 1;
	case '-': return 0;
	default: return a[what - '0'];
	}
}

/* The arguments become what sys_name() wants. */
static int64_t check(const char *how, uint64_t *all)
{
	uint64_t *a = all, bits;
	int64_t err = 0;

	for (; *how && !err; how++) {
		struct open_file *of = fd_get(*a);

		switch (*how) {
		case 'p':
			err = check_path(a, false, false);
			a += 2;
			break;
		case 'e':
			err = check_path(a, true, all[*++how - '0'] & AT_EMPTY_PATH);
			a += 2;
			break;
		case 's':
			err = user_string(*a++) ? 0 : -EFAULT;
			break;
		case 'f':
			err = of ? 0 : -EBADF;
			*a++ = (uint64_t)of;
			break;
		case 'F':
			err = !of ? -EBADF : of->kind != KIND_FILE ? -EINVAL : 0;
			*a++ = err ? 0 : (uint64_t)of->file;
			break;
		case 'w':
			err = user_memory(a[0], a[1], true) ? 0 : -EFAULT;
			a += 2;
			break;
		case 'n':
			err = (int64_t)all[*++how - '0'] < 0 ? -EINVAL : 0;
			break;
		case 'b':
			for (bits = all[*++how - '0']; how[1]; how++)
				bits &= ~argument(how[1], all);
			err = bits ? -EINVAL : 0;
			break;
		}
	}
	return err;
}

int64_t syscall_dispatch(struct syscall_frame *frame)
{
	const struct call call = find_call(frame->nr);
	int64_t result = -ENOSYS;
	const uint64_t before = guard_open();
	uint64_t a[6];
	unsigned int i;

	served++;
	memcpy(a, frame->a, sizeof(a));
	for (i = 0; call.args && call.args[i]; i++)
		a[i] = argument(call.args[i], frame->a);
	if (call.fn) {
		result = check(call.checks, a);
		result = result ? result : call.fn(a);
	}
	if (trace && !call.fn)
		say("vmemos: call %lu is not served\n", frame->nr);
	else if (trace)
		say("vmemos: %s(0x%lx, 0x%lx, 0x%lx) = %ld\n", call.name, frame->a[0],
		    frame->a[1], frame->a[2], result);
	guard_close(before);
	return result;
}

/* ---- Begin and end ---- */

static void print_stats(void)
{
	struct vmemos_counters c;

	vmemos_get_counters(fs, &c);
	say("vmemos: us from the PVH entry: %lu platform up, %lu mounted, %lu in the program\n",
	    started / 1000, mounted / 1000, first_instruction / 1000);
	say("vmemos: %lu system calls, %lu page faults, %lu pages of memory\n", served,
	    vm_counters.faults, vm_counters.pages);
	say("vmemos: exits: %lu doorbells, %lu console\n", exits.doorbells, exits.console);
	say("vmemos: %lu records, %lu bytes; %lu flushes of %lu ranges, %lu bytes\n", c.records,
	    c.record_bytes, c.flushes, c.flush_ranges, c.flush_bytes);
}

void program_exit(int status)
{
	int err;

	if (platform_option("stats", NULL))
		print_stats();
	vm_exit();
	fd_exit();
	err = vmemos_umount(fs);
	if (err) {
		say("vmemos: unmounting failed (%d)\n", err);
		status = status ? status : 125;
	}
	platform_exit(status);
}

static void mount_root(struct vmemos_platform *p)
{
	const char *domain = platform_option("durability", NULL);
	struct vmemos_mount_opts opts = { .read_only = platform_option("ro", NULL) };
	int err;

	read_only = opts.read_only || p->read_only;
	if (domain && strcmp(domain, "guest") == 0)
		opts.domain = VMEMOS_DOMAIN_GUEST;
	else if (domain && strcmp(domain, "host") == 0)
		opts.domain = VMEMOS_DOMAIN_HOST;
	else if (domain)
		fatal("durability= is guest or host, not '%s'", domain);
	err = vmemos_mount(p, &opts, &fs);
	if (err && error_told)
		platform_exit(125);
	if (err)
		fatal("the store cannot be mounted (%d)%s", err, err == -ENOMEM ?
		      ": give the machine more memory (-m)" : err == -EOPNOTSUPP ?
		      ": it does not offer this durability" : "");
}

int vmemos_main(struct vmemos_platform *p, int argc, char **argv)
{
	uint64_t entry, stack;

	started = clock_since_boot();
	if (argc == 0)
		fatal("no program name on the command line (-append): [OPTION... --] NAME [ARG...]");
	trace = platform_option("trace", NULL);
#ifdef VMEM_FAULTS
	break_on_purpose(platform_option("x-break", NULL), p);
#endif
	mount_root(p);
	mounted = clock_since_boot();
	fd_init();
	page_fault_hook = vm_fault;
	guard_page(syscall_stack_guard);
	elf_load(argc, argv, &entry, &stack);
	symbol_hook = elf_symbol;
	wrmsr(MSR_STAR, (uint64_t)CODE_SELECTOR << 32);
	wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
	wrmsr(MSR_SFMASK, FLAGS_CLEARED);
	first_instruction = clock_since_boot();
	guard_memory();
	enter_program(entry, stack);
}
