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
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "offline/check.h"
#include "fsck_report.h"
#include "fsck_store.h"
#include "medium/geometry.h"
#include "medium/hash.h"
#include "offline/repair.h"
#include "medium/root.h"
#include "toolenv.h"

/* Exit codes of e2fsck(8); 128 (shared library) cannot occur. */
#define EXIT_CLEAN	0
#define EXIT_CORRECTED	1
#define EXIT_REBOOT	2	/* beside the one before: the root file system was changed */
#define EXIT_ERRORS	4
#define EXIT_CANCELLED	32

#define MAX_LINES	1000u	/* findings shown without -v */

static const char usage_text[] =
	"Usage: fsck.vmemfs [-n | -p | -y] [-Cfjqv] FILE|/dev/pmemN\n"
	"Check a vmemfs that is not mounted, or mounted read-only, and repair it.\n\n"
	"  -n, --no-changes  change nothing (default); an unclean image is recovered in memory\n"
	"  -p, --preen       recover an unclean image for good, and repair what loses nothing;\n"
	"                    nothing to do on a clean one\n"
	"  -y, --yes         check and repair everything; what has no name goes to lost+found\n"
	"  -f, --force       with -p: check also a clean image\n"
	"  -C, --progress    show progress from the start (else after two seconds)\n"
	"  -j, --json        all that is said as JSON, at the end\n"
	"  -q, --quiet       no summary\n"
	"  -v, --verbose     all findings, and what the recovery says\n"
	"  -V, --version     version of this program\n"
	"  -h, --help        this text\n\n"
	"Exit status: 0 clean, 1 corrected, 3 corrected: reboot, 4 something is left to correct,\n"
	"8 could not check or write, 16 usage, 32 cancelled\n";

struct options {
	const char *path;
	bool no_changes, preen, yes, force, quiet, verbose, json;
};

struct fsck {
	const struct options *o;
	const struct vmem_env *env;
	struct tool_image img;
	struct vmem_mount_info recovery;	/* was_dirty: it ran */
	struct vmem_check_result result;
	uint64_t lines;

	struct fsck_report report;
	uint64_t problems;		/* of all checks */
	bool checked;			/* one came to its end */

	struct fsck_copy copy;		/* what is repaired */
	bool needs_yes;			/* -p met what only -y repairs */
};

/* ---- Signals ------------------------------------------------------------- */

static const char *cancelled_json, *failed_json;	/* with --json, where nothing else can be said any more */

/* In a signal handler. */
static void end_with(const char *text, const char *json, int status)
{
	ssize_t written = write(STDERR_FILENO, text, strlen(text));

	if (json)
		written = write(STDOUT_FILENO, json, strlen(json));
	(void)written;
	_exit(status);
}

/* At any time but while a repair is stored: the image is then as good as before. */
static void on_cancel(int sig)
{
	(void)sig;
	end_with("\nfsck.vmemfs: cancelled; no repair was made\n", cancelled_json, EXIT_CANCELLED);
}

/* A mapped image tells so of errors below: as if the tool had been killed there. */
static void on_bus_error(int sig)
{
	(void)sig;
	end_with("fsck.vmemfs: the image cannot be read or stored to: a disk error, or no space "
		 "below a sparse file; run fsck.vmemfs again\n", failed_json, TOOL_EXIT_FAILED);
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

/* What is no finding. */
#define say(f, ...) fsck_line(&(f)->report, FSCK_MESSAGE, __VA_ARGS__)

/* ---- Findings ------------------------------------------------------------ */

__attribute__((format(printf, 2, 0)))
static void on_problem(void *ctx, const char *fmt, va_list ap)
{
	struct fsck *f = ctx;

	f->lines++;
	f->problems++;
	if (!f->o->verbose && f->lines > MAX_LINES) {
		if (f->lines == MAX_LINES + 1)
			fsck_line(&f->report, FSCK_FINDING, "... and more (-v shows all)");
		return;
	}
	fsck_vline(&f->report, FSCK_FINDING, fmt, ap);
}

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
	(void)ctx;
	tool_progress("checking", done, total);
}

/* ---- Recovery ------------------------------------------------------------ */

static const struct vmem_superblock *super_of(const struct fsck *f)
{
	return (const struct vmem_superblock *)(const void *)f->img.store.base;
}

/* The root that a mount takes: is there one? */
static bool find_root(const struct fsck *f, struct vmem_root *root)
{
	return f->img.store.size >= VMEM_DESC_START * (uint64_t)VMEM_BLOCK_SIZE &&
	       vmem_newest_root(f->img.store.base, super_of(f)->uuid, f->env->crc32c, root) < VMEM_NR_ROOTS;
}

/* What a mount looks at says that nothing is wrong. */
static bool is_clean(const struct fsck *f)
{
	struct vmem_root root;

	return find_root(f, &root) && !vmem_get32(root.state) &&
	       vmem_sb_sealed(super_of(f), f->env->crc32c) &&
	       !vmem_check_geometry(super_of(f), f->img.store.size);
}

/* Bytes that the file system had when the file or device was longer, or 0. */
static uint64_t cut_from(const struct fsck *f)
{
	uint64_t blocks;

	if (!f->img.store.base || !vmem_sb_sealed(super_of(f), f->env->crc32c))
		return 0;
	blocks = vmem_get64(super_of(f)->nr_blocks);
	return blocks > f->img.store.size >> VMEM_BLOCK_SHIFT && blocks <= VMEM_MAX_BLOCKS ?
	       blocks << VMEM_BLOCK_SHIFT : 0;
}

/* Mount and unmount: replays the log and frees orphans.  0 or a negative errno. */
static int mount_once(struct fsck *f, bool check_done, struct vmem_mount_info *info)
{
	struct vmem_mount_opts opts = { .check = true, .check_done = check_done };
	struct vmem_fs *fs;
	int err = vmem_mount(&f->img.store, f->env, &opts, &fs, info);

	return err ? err : vmem_umount(fs);
}

static int recover(struct fsck *f)
{
	struct vmem_root root;
	int err;

	if (!find_root(f, &root) || !(vmem_get32(root.state) & VMEM_STATE_MOUNTED))
		return 0;
	err = mount_once(f, false, &f->recovery);
	if (err == -ENOMEM)
		tool_error("out of memory");
	else if (err == -EIO)
		tool_error("cannot write %s: run fsck.vmemfs again", f->o->path);
	else if (err)
		say(f, "%s: the log cannot be replayed: %s", f->o->path, strerror(-err));
	return err;
}

/* Nothing that the medium says: the tool itself could not go on. */
static bool is_operational(int err)
{
	return err == -ENOMEM || err == -EIO;
}

/* ---- Summary ------------------------------------------------------------- */

static void say_recovery(struct fsck *f)
{
	const struct vmem_mount_info *r = &f->recovery;

	if (!r->was_dirty)
		return;
	say(f, "%s: was not unmounted%s; %llu records %s, %llu dropped, %llu orphans freed\n",
	       f->o->path, r->host_failed ? " and the host failed" : "",
	       (unsigned long long)r->replayed,
	       f->o->preen || f->o->yes ? "replayed" : "replayed in memory only",
	       (unsigned long long)r->dropped, (unsigned long long)r->orphans);
}

static void say_summary(struct fsck *f, bool clean)
{
	const struct vmem_check_result *r = &f->result;
	const char *state = clean ? "clean" : "DAMAGED";

	if (f->o->quiet || f->o->json)
		return;
	say_recovery(f);
	if (!clean && !f->lines && f->result.needs_check)
		state = "consistent, not allowed to be mounted";
	say(f, "%s: %s, %llu files, %llu directories, %llu symlinks, %llu others, %llu/%llu inodes, %llu/%llu blocks",
	       f->o->path, state, (unsigned long long)r->files,
	       (unsigned long long)r->dirs, (unsigned long long)r->symlinks,
	       (unsigned long long)r->others, (unsigned long long)r->used_inodes,
	       (unsigned long long)r->nr_inodes, (unsigned long long)r->used_blocks,
	       (unsigned long long)r->nr_blocks);
}

/* On a copy in memory: does a read-only mount, too, refuse what could not be repaired? */
static bool mounts_read_only(const struct fsck *f)
{
	struct vmem_mount_opts opts = { .read_only = true };
	struct vmem_store store = { .size = f->img.store.size, .backing = VMEM_BACKING_VOLATILE };
	struct vmem_inode root;
	struct vmem_fs *fs;
	bool mounts;

	store.base = mmap(NULL, store.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, f->img.fd, 0);
	if (store.base == MAP_FAILED)
		return false;
	mounts = !vmem_mount(&store, f->env, &opts, &fs, NULL);
	if (mounts) {
		mounts = !vmem_iget(fs, VMEM_ROOT_INO, &root) && !vmem_iput(&root);
		vmem_umount(fs);
	}
	munmap(store.base, store.size);
	return mounts;
}

/* What is missing cannot be repaired, but what is there can be kept. */
static void say_cut(struct fsck *f, uint64_t bytes)
{
	struct stat st;
	bool regular = fstat(f->img.fd, &st) || S_ISREG(st.st_mode);
	const char *but = "restore it, or keep what was not cut off";

	if (regular)
		say(f, "%s: has %llu bytes, the file system needs %llu: %s: truncate -s %llu %s, then fsck.vmemfs -y",
		    f->o->path, (unsigned long long)f->img.store.size, (unsigned long long)bytes, but,
		    (unsigned long long)bytes, f->o->path);
	else
		say(f, "%s: has %llu bytes, the file system needs %llu: %s: make the device as large again, then fsck.vmemfs -y",
		    f->o->path, (unsigned long long)f->img.store.size, (unsigned long long)bytes, but);
}

static const char *what_to_do(const struct fsck *f)
{
	if (f->needs_yes)
		return "nothing was changed: some can only be repaired with losses or guesses, by fsck.vmemfs -y";
	if (!f->o->yes)
		return f->o->preen ? "not repaired" : "fsck.vmemfs -y repairs what it can";
	return mounts_read_only(f) ? "not repaired: mount it read-only and copy what is needed" :
	       "not repaired, and no mount shows anything: restore it; dump.vmemfs shows what is left";
}

static int say_damage(struct fsck *f)
{
	uint64_t cut = cut_from(f);

	if (cut) {
		say_cut(f, cut);
		return EXIT_ERRORS;
	}
	if (!f->lines && f->result.needs_check) {
		say(f, "%s: asks for a check before the next mount: fsck.vmemfs -p allows it",
		       f->o->path);
		return EXIT_ERRORS;
	}
	say(f, "%s: %llu problems found; %s\n", f->o->path, (unsigned long long)f->lines, what_to_do(f));
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
	f->checked = true;
	return found ? EXIT_ERRORS : EXIT_CLEAN;
}

static int check_only(struct fsck *f)
{
	int err, status;

	if (tool_open_mounted(&f->img, f->o->path, TOOL_SNAPSHOT))
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

	if (!f->o->quiet || f->o->verbose || f->o->json)
		fsck_vline(&f->report, FSCK_REPAIR, fmt, ap);
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
		say(f, "%s: repaired by %llu changes, %llu inodes went to lost+found, %llu blocks copied",
		       f->o->path, (unsigned long long)(result.safe + result.unsafe),
		       (unsigned long long)result.connected, (unsigned long long)result.copied);
	f->lines = 0;
	status = walk(f);
	return status == EXIT_CLEAN ? EXIT_CORRECTED : status;
}

/* Nothing can be stored, whatever rights one has. */
static bool is_write_protected(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), set = 0;
	struct stat st;
	bool protected = false;

	if (fd < 0)
		return false;	/* tool_open() tells */
	if (fstat(fd, &st) == 0 && S_ISBLK(st.st_mode))
		protected = ioctl(fd, BLKROGET, &set) == 0 && set;
	else if (access(path, W_OK) < 0)
		protected = errno == EROFS;
	close(fd);
	return protected;
}

/* The kernel goes on with what it had read of the file system before. */
static int say_reboot(struct fsck *f, int status)
{
	if (!f->img.mounted || status != EXIT_CORRECTED)
		return status;
	say(f, "%s: was changed while it is mounted read-only: %s", f->o->path,
	       f->img.is_root ? "REBOOT" : "unmount it and mount it again");
	return f->img.is_root ? EXIT_CORRECTED | EXIT_REBOOT : status;
}

/* -p and -y. */
static int correct(struct fsck *f)
{
	bool protected = is_write_protected(f->o->path);
	int status, err;

	if (tool_open_mounted(&f->img, f->o->path, protected ? TOOL_SNAPSHOT : TOOL_WRITE))
		return TOOL_EXIT_FAILED;
	if (!f->o->yes && !f->o->force && is_clean(f)) {
		if (!f->o->quiet)
			say(f, "%s: clean, not checked (-f checks)", f->o->path);
		return -1;
	}
	if (protected) {
		tool_error("%s is write-protected: fsck.vmemfs -n checks it", f->o->path);
		return TOOL_EXIT_FAILED;
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
		err = mount_once(f, true, NULL);
		if (err) {
			tool_error("cannot clear the request for a check: %s", strerror(-err));
			return TOOL_EXIT_FAILED;
		}
		if (!f->o->quiet)
			say(f, "%s: consistent; it may be mounted again\n", f->o->path);
		status = EXIT_CORRECTED;
	}
	if (status == EXIT_CLEAN && f->recovery.was_dirty)
		status = EXIT_CORRECTED;
	if (tool_sync(&f->img, f->o->path))
		return TOOL_EXIT_FAILED;
	return say_reboot(f, status);
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
	case 'j':
		o->json = true;
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
		{ "force", 0, NULL, 'f' }, { "json", 0, NULL, 'j' }, { "quiet", 0, NULL, 'q' },
		{ "verbose", 0, NULL, 'v' }, TOOL_WORDS
	};
	static const struct tool_options all = {
		usage_text, "npayCfjqv" TOOL_LETTERS, words, take_option,
	};
	int err = tool_parse_options(&all, o, argc, argv);

	if (err)
		return err;
	if (optind + 1 != argc || o->no_changes + o->preen + o->yes > 1)
		return tool_usage(&all);
	o->path = argv[optind];
	return 0;
}

static const char *state_of(const struct fsck *f, int status)
{
	switch (status) {
	case EXIT_CLEAN:
		return "clean";
	case TOOL_EXIT_FAILED:
		return "failed";
	case EXIT_ERRORS:
		return !f->lines && f->result.needs_check ? "needs check" : "damaged";
	default:
		return "corrected";
	}
}

/* Everything was said, or is said now. */
static int end(struct fsck *f, int status)
{
	const struct fsck_facts facts = {
		.path = f->o->path, .state = state_of(f, status), .status = status,
		.checked = f->checked, .kept = f->o->preen || f->o->yes, .problems = f->problems,
		.recovery = &f->recovery, .result = &f->result,
	};

	allow_cancel(false);
	if (f->o->json)
		fsck_json(&f->report, &facts);
	fsck_report_free(&f->report);
	return tool_end_output() ? TOOL_EXIT_FAILED : status;
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
	f.report.json = o.json;
	if (o.json) {
		tool_keep_errors();
		cancelled_json = "{\"exit_status\": 32, \"state\": \"cancelled\"}\n";
		failed_json = "{\"exit_status\": 8, \"state\": \"failed\"}\n";
	}
	catch_signals();
	status = o.preen || o.yes ? correct(&f) : check_only(&f);
	if (status >= 0 && status != TOOL_EXIT_FAILED) {
		say_summary(&f, status != EXIT_ERRORS);
		if (status == EXIT_ERRORS)
			say_damage(&f);
	}
	close_copy(&f);
	tool_close(&f.img);
	return end(&f, status < 0 ? EXIT_CLEAN : status);
}
