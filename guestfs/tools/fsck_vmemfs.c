// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * fsck_vmemfs.c - fsck.vmemfs: check and repair a vmemfs
 *
 * An image that was not unmounted is first mounted and unmounted by the core:
 * with -n in private memory, so that the image stays as it is; with -p and -y
 * for good.  What then lies there is walked by vmem_check().
 *
 * A repair happens in a private mapping.  Only when the result is consistent
 * are the blocks that changed stored (fsck_store.c), so that a refusal changes
 * nothing.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "fsck_store.h"
#include "hash.h"
#include "repair.h"
#include "toolenv.h"

/* Exit codes of e2fsck(8); 2 (reboot) and 128 (shared library) cannot occur. */
#define EXIT_CLEAN	0
#define EXIT_CORRECTED	1
#define EXIT_ERRORS	4
#define EXIT_CANCELLED	32

#define MAX_LINES	1000u	/* findings shown without -v */

static const char usage_text[] =
	"Usage: fsck.vmemfs [-n | -p | -y] [-Cfqv] FILE|/dev/pmemN\n"
	"Check a vmemfs that is not mounted, and repair it.\n\n"
	"  -n, --no-changes  change nothing (default); an unclean image is recovered in memory\n"
	"  -p, --preen       recover an unclean image for good, and repair what loses nothing;\n"
	"                    nothing to do on a clean one\n"
	"  -y, --yes         check and repair everything; what has no name goes to lost+found\n"
	"  -f, --force       with -p: check also a clean image\n"
	"  -C, --progress    show progress from the start (else after two seconds)\n"
	"  -q, --quiet       no summary\n"
	"  -v, --verbose     all findings, and what the recovery says\n"
	"  -V, --version     version of this program\n"
	"  -h, --help        this text\n\n"
	"Exit status: 0 clean, 1 corrected, 4 something is left to correct,\n"
	"8 could not check or write, 16 usage, 32 cancelled\n";

struct options {
	const char *path;
	bool no_changes, preen, yes, force, quiet, verbose;
};

struct fsck {
	const struct options *o;
	const struct vmem_env *env;
	struct tool_image img;
	struct vmem_mount_info recovery;	/* was_dirty: it ran */
	struct vmem_check_result result;
	uint64_t lines;

	struct fsck_copy copy;		/* what is repaired */
	bool needs_yes;			/* -p met what only -y repairs */
};

/* ---- Signals ------------------------------------------------------------- */

/* In a signal handler. */
static void end_with(const char *text, int status)
{
	ssize_t written = write(STDERR_FILENO, text, strlen(text));

	(void)written;
	_exit(status);
}

/* At any time but while a repair is stored: the image is then as good as before. */
static void on_cancel(int sig)
{
	(void)sig;
	end_with("\nfsck.vmemfs: cancelled; no repair was made\n", EXIT_CANCELLED);
}

/* A mapped image tells so of errors below: as if the tool had been killed there. */
static void on_bus_error(int sig)
{
	(void)sig;
	end_with("fsck.vmemfs: the image cannot be read or stored to: a disk error, or no space "
		 "below a sparse file; run fsck.vmemfs again\n", TOOL_EXIT_FAILED);
}

static void allow_cancel(bool allow)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(allow ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
}

static void catch_signals(void)
{
	struct sigaction cancel = { .sa_handler = on_cancel }, bus = { .sa_handler = on_bus_error };

	sigaction(SIGINT, &cancel, NULL);
	sigaction(SIGTERM, &cancel, NULL);
	sigaction(SIGBUS, &bus, NULL);
}

/* ---- Findings ------------------------------------------------------------ */

__attribute__((format(printf, 2, 0)))
static void on_problem(void *ctx, const char *fmt, va_list ap)
{
	struct fsck *f = ctx;

	f->lines++;
	if (!f->o->verbose && f->lines > MAX_LINES) {
		if (f->lines == MAX_LINES + 1)
			puts("... and more (-v shows all)");
		return;
	}
	vprintf(fmt, ap);
	putchar('\n');
}

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
	(void)ctx;
	tool_progress("checking", done, total);
}

/* ---- Recovery ------------------------------------------------------------ */

/* State of the newest valid root, or 0 when there is none. */
static uint32_t image_state(const struct fsck *f)
{
	const struct vmem_superblock *sb = (const struct vmem_superblock *)f->img.store.base;
	uint64_t newest = 0;
	uint32_t state = 0;
	unsigned int i;

	if (f->img.store.size < 4ull * VMEM_BLOCK_SIZE)
		return 0;
	for (i = 0; i < VMEM_NR_ROOTS; i++) {
		const struct vmem_root *root = (const struct vmem_root *)
			(f->img.store.base + VMEM_ROOT_BLOCK(i) * VMEM_BLOCK_SIZE);

		if (vmem_get64(root->magic) != VMEM_ROOT_MAGIC ||
		    vmem_get32(root->csum) != vmem_root_csum(f->env->crc32c, root) ||
		    memcmp(root->uuid, sb->uuid, VMEM_UUID_LEN) ||
		    vmem_get64(root->seq) < newest)
			continue;
		newest = vmem_get64(root->seq);
		state = vmem_get32(root->state);
	}
	return state;
}

/* Mount and unmount: replays the log and frees orphans.  0 or a negative errno. */
static int settle(struct fsck *f, bool check_done, struct vmem_mount_info *info)
{
	struct vmem_mount_opts opts = { .check = true, .check_done = check_done };
	struct vmem_fs *fs;
	int err = vmem_mount(&f->img.store, f->env, &opts, &fs, info);

	return err ? err : vmem_umount(fs);
}

static int recover(struct fsck *f)
{
	int err;

	if (!(image_state(f) & VMEM_STATE_MOUNTED))
		return 0;
	err = settle(f, false, &f->recovery);
	if (err == -ENOMEM)
		tool_error("out of memory");
	else if (err == -EIO)
		tool_error("cannot write %s: run fsck.vmemfs again", f->o->path);
	else if (err)
		printf("%s: the log cannot be replayed: %s\n", f->o->path, strerror(-err));
	return err;
}

/* Nothing that the medium says: the tool itself could not go on. */
static bool is_operational(int err)
{
	return err == -ENOMEM || err == -EIO;
}

/* ---- Summary ------------------------------------------------------------- */

static void say_recovery(const struct fsck *f)
{
	const struct vmem_mount_info *r = &f->recovery;

	if (!r->was_dirty)
		return;
	printf("%s: was not unmounted%s; %llu records %s, %llu dropped, %llu orphans freed\n",
	       f->o->path, r->host_failed ? " and the host failed" : "",
	       (unsigned long long)r->replayed,
	       f->o->preen || f->o->yes ? "replayed" : "replayed in memory only",
	       (unsigned long long)r->dropped, (unsigned long long)r->orphans);
}

static void say_summary(const struct fsck *f, bool clean)
{
	const struct vmem_check_result *r = &f->result;
	const char *state = clean ? "clean" : "DAMAGED";

	if (f->o->quiet)
		return;
	say_recovery(f);
	if (!clean && !f->lines && f->result.needs_check)
		state = "consistent, not allowed to be mounted";
	printf("%s: %s, %llu files, %llu directories, %llu symlinks, %llu others, %llu/%llu inodes, %llu/%llu blocks\n",
	       f->o->path, state, (unsigned long long)r->files,
	       (unsigned long long)r->dirs, (unsigned long long)r->symlinks,
	       (unsigned long long)r->others, (unsigned long long)r->used_inodes,
	       (unsigned long long)r->nr_inodes, (unsigned long long)r->used_blocks,
	       (unsigned long long)r->nr_blocks);
}

static int say_damage(const struct fsck *f)
{
	if (!f->lines && f->result.needs_check) {
		printf("%s: asks for a check before the next mount: fsck.vmemfs -p allows it\n",
		       f->o->path);
		return EXIT_ERRORS;
	}
	printf("%s: %llu problems found; %s\n", f->o->path, (unsigned long long)f->lines,
	       f->o->yes ? "not repaired: mount it read-only and copy what is needed" :
	       f->needs_yes ? "nothing was changed: some can only be repaired with losses or guesses, by fsck.vmemfs -y" :
	       f->o->preen ? "not repaired" : "fsck.vmemfs -y repairs");
	return EXIT_ERRORS;
}

/* ---- The check ----------------------------------------------------------- */

/* Exit status, as far as the walk decides it. */
static int walk(struct fsck *f)
{
	struct vmem_check_params params = {
		.base = f->img.store.base,
		.size = f->img.store.size,
		.env = f->env,
		.ctx = f,
		.problem = on_problem,
		.progress = on_progress,
	};
	int64_t found = vmem_check(&params, &f->result);

	tool_progress_end();
	if (found == -ENOMEM) {
		tool_error("out of memory");
		return TOOL_EXIT_FAILED;
	}
	if (found < 0)
		return TOOL_EXIT_FAILED;
	return found ? EXIT_ERRORS : EXIT_CLEAN;
}

static int check_only(struct fsck *f)
{
	int err, status;

	if (tool_open(&f->img, f->o->path, TOOL_SNAPSHOT))
		return TOOL_EXIT_FAILED;
	err = recover(f);
	if (is_operational(err))
		return TOOL_EXIT_FAILED;
	/* Without the log the walk still tells what is wrong. */
	status = walk(f);
	if (err && status == EXIT_CLEAN)
		status = EXIT_ERRORS;
	/* Nothing is wrong, but until it is told so no mount accepts it. */
	if (status == EXIT_CLEAN && f->result.needs_check)
		status = EXIT_ERRORS;
	return status;
}

/* ---- Repair -------------------------------------------------------------- */

__attribute__((format(printf, 2, 0)))
static void on_report(void *ctx, const char *fmt, va_list ap)
{
	struct fsck *f = ctx;

	if (f->o->quiet && !f->o->verbose)
		return;
	fputs("repair: ", stdout);
	vprintf(fmt, ap);
	putchar('\n');
}

static void on_repair_progress(void *ctx, const char *what, uint64_t done, uint64_t total)
{
	(void)ctx;
	tool_progress(what, done, total);
}

static bool open_copy(struct fsck *f)
{
	uint64_t size = f->img.store.size;
	/* Only pages that are stored to become memory of our own. */
	void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE,
			  f->img.fd, 0);

	if (base == MAP_FAILED) {
		tool_error("cannot map a copy of %s: %s", f->o->path, strerror(errno));
		return false;
	}
	madvise(base, size, MADV_RANDOM);
	if (!fsck_copy_init(&f->copy, &f->img.store, base))
		return true;
	munmap(base, size);
	tool_error("out of memory");
	return false;
}

static void close_copy(struct fsck *f)
{
	if (!f->copy.changed)
		return;
	munmap(f->copy.store.base, f->copy.store.size);
	fsck_copy_free(&f->copy);
}

static bool store_repair(struct fsck *f)
{
	int err;

	allow_cancel(false);
	err = fsck_copy_store(&f->copy, &f->img.store, f->env->crc32c);
	if (!err && tool_sync(&f->img, f->o->path))
		err = -EIO;
	allow_cancel(true);
	if (err)
		tool_error("the repair of %s could not be written: run fsck.vmemfs again", f->o->path);
	return !err;
}

static enum vmem_domain natural_domain(enum vmem_backing backing)
{
	return backing == VMEM_BACKING_DAX ? VMEM_DOMAIN_PMEM :
	       backing == VMEM_BACKING_VOLATILE ? VMEM_DOMAIN_GUEST : VMEM_DOMAIN_HOST;
}

/* Exit status. */
static int repair(struct fsck *f)
{
	struct vmem_repair_result result;
	struct vmem_repair_params params = {
		.env = f->env, .ctx = f,
		.domain = natural_domain(f->img.store.backing),
		.report = on_report, .progress = on_repair_progress,
	};
	int err, status;

	if (!open_copy(f))
		return TOOL_EXIT_FAILED;
	params.store = &f->copy.store;
	params.in_use = f->copy.in_use;
	err = vmem_repair(&params, &result);
	tool_progress_end();
	if (err == -ENOMEM)
		tool_error("out of memory");
	f->needs_yes = !err && f->o->preen && result.unsafe;
	if (err || f->needs_yes)
		return err == -ENOMEM ? TOOL_EXIT_FAILED : EXIT_ERRORS;
	if (!store_repair(f))
		return TOOL_EXIT_FAILED;
	if (!f->o->quiet)
		printf("%s: repaired by %llu changes, %llu inodes went to lost+found, %llu blocks copied\n",
		       f->o->path, (unsigned long long)(result.safe + result.unsafe),
		       (unsigned long long)result.connected, (unsigned long long)result.copied);
	f->lines = 0;
	status = walk(f);
	return status == EXIT_CLEAN ? EXIT_CORRECTED : status;
}

/* -p and -y. */
static int correct(struct fsck *f)
{
	uint32_t state;
	int status, err;

	if (tool_open(&f->img, f->o->path, TOOL_WRITE))
		return TOOL_EXIT_FAILED;
	state = image_state(f);
	if (!f->o->yes && !f->o->force &&
	    vmem_get64(*(vmem_le64 *)f->img.store.base) == VMEM_SB_MAGIC &&
	    !(state & (VMEM_STATE_MOUNTED | VMEM_STATE_NEEDS_CHECK | VMEM_STATE_ERROR))) {
		if (!f->o->quiet)
			printf("%s: clean, not checked (-f checks)\n", f->o->path);
		return -1;
	}
	err = recover(f);
	if (is_operational(err))
		return TOOL_EXIT_FAILED;
	status = walk(f);
	if (status == TOOL_EXIT_FAILED)
		return TOOL_EXIT_FAILED;
	if (err || status == EXIT_ERRORS) {
		status = repair(f);
	} else if (f->result.needs_check) {
		err = settle(f, true, NULL);
		if (err) {
			tool_error("cannot clear the request for a check: %s", strerror(-err));
			return TOOL_EXIT_FAILED;
		}
		if (!f->o->quiet)
			printf("%s: consistent; it may be mounted again\n", f->o->path);
		status = EXIT_CORRECTED;
	}
	if (status == EXIT_CLEAN && f->recovery.was_dirty)
		status = EXIT_CORRECTED;
	if (tool_sync(&f->img, f->o->path))
		return TOOL_EXIT_FAILED;
	return status;
}

/* ---- Options ------------------------------------------------------------- */

static int take_option(void *ctx, int c, const char *arg)
{
	struct options *o = ctx;

	(void)arg;
	switch (c) {
	case 'n':
		o->no_changes = true;
		break;
	case 'p':
	case 'a':	/* as fsck(8) calls it */
		o->preen = true;
		break;
	case 'y':
		o->yes = true;
		break;
	case 'C':
		tool_progress_now();
		break;
	case 'f':
		o->force = true;
		break;
	case 'q':
		o->quiet = true;
		break;
	case 'v':
		o->verbose = true;
		break;
	}
	return 0;
}

static int parse_options(struct options *o, int argc, char **argv)
{
	static const struct option words[] = {
		{ "no-changes", 0, NULL, 'n' }, { "preen", 0, NULL, 'p' },
		{ "yes", 0, NULL, 'y' }, { "progress", 0, NULL, 'C' },
		{ "force", 0, NULL, 'f' }, { "quiet", 0, NULL, 'q' },
		{ "verbose", 0, NULL, 'v' }, TOOL_WORDS
	};
	static const struct tool_options all = {
		usage_text, "npayCfqv" TOOL_LETTERS, words, take_option,
	};
	int err = tool_parse_options(&all, o, argc, argv);

	if (err)
		return err;
	if (optind + 1 != argc || o->no_changes + o->preen + o->yes > 1)
		return tool_usage(&all);
	o->path = argv[optind];
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = { .path = NULL };
	struct fsck f = { .o = &o, .img = { .fd = -1 } };
	int status;

	tool_init("fsck.vmemfs", false);
	status = parse_options(&o, argc, argv);
	if (status)
		return status < 0 ? 0 : status;
	f.env = tool_init("fsck.vmemfs", o.verbose);
	catch_signals();
	status = o.preen || o.yes ? correct(&f) : check_only(&f);
	if (status >= 0 && status != TOOL_EXIT_FAILED) {
		say_summary(&f, status != EXIT_ERRORS);
		if (status == EXIT_ERRORS)
			say_damage(&f);
	}
	close_copy(&f);
	tool_close(&f.img);
	return status < 0 ? EXIT_CLEAN : status;
}
