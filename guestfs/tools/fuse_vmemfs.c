// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * fuse_vmemfs.c - fuse.vmemfs: mount a vmemfs on the host, without a VM
 *
 * Also what mount(8) starts as mount.fuse.vmemfs: its options are taken, and the exit
 * status is of its kind.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fuse_vmemfs.h"

#define COMMIT_SECONDS	5

/* Of mount(8). */
#define EXIT_USAGE	1
#define EXIT_MOUNT	32

static const char usage_text[] =
	"Usage: fuse.vmemfs [-fd] [-o OPTION[,OPTION...]] FILE|/dev/pmemN DIRECTORY\n"
	"Mount a vmemfs on the host, without a VM.\n\n"
	"  -o ro                read-only: the image is not changed, not even recovered\n"
	"  -o durability=host   fsync survives a failure of the host (the default on a disk)\n"
	"  -o durability=guest  fsync survives the end of this program only\n"
	"  -o commit=N          everything is as durable as that after N seconds (5; 0: never)\n"
	"  -o discard           give the host back what becomes free\n"
	"  -o noatime           reading does not change times\n"
	"  -o OPTION            others as for mount.fuse3(8)\n"
	"  -f, --foreground     stay in the foreground\n"
	"  -d, --debug          and show every request\n"
	"  -V, --version        version of this program\n"
	"  -h, --help           this text\n\n"
	"Unmount with umount or fusermount3 -u.\n";

struct options {
	const char *path, *directory;
	enum vmem_domain domain;
	unsigned int commit_seconds;
	bool read_only, discard, noatime, foreground, debug;
	char *others;			/* for libfuse */
};

/* ---- Options ------------------------------------------------------------- */

static bool takes_number(const char *word, const char *name, unsigned int *number)
{
	size_t len = strlen(name);
	char *end;

	if (strncmp(word, name, len))
		return false;
	*number = (unsigned int)strtoul(word + len, &end, 10);
	return word[len] >= '0' && word[len] <= '9' && !*end;
}

/* For mount(8) and who reads fstab(5). */
static bool is_for_others(const char *word)
{
	static const char *const words[] = {
		"defaults", "auto", "noauto", "user", "nouser", "users", "_netdev", "nofail", "rw",
		"relatime",
	};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(word, words[i]))
			return true;
	return !strncmp(word, "x-", 2) || !strncmp(word, "comment=", 8);
}

static int take_word(struct options *o, const char *word)
{
	if (!*word || is_for_others(word) || takes_number(word, "commit=", &o->commit_seconds))
		return 0;
	if (!strcmp(word, "durability=host"))
		o->domain = VMEM_DOMAIN_HOST;
	else if (!strcmp(word, "durability=guest"))
		o->domain = VMEM_DOMAIN_GUEST;
	else if (!strcmp(word, "discard"))
		o->discard = true;
	else if (!strncmp(word, "durability=", 11) || !strncmp(word, "commit=", 7))
		return tool_usage_error("no such option: -o ", word);
	else if (fuse_opt_add_opt_escaped(&o->others, word))
		return tool_usage_error("no memory for -o ", word);
	o->read_only |= !strcmp(word, "ro");
	o->noatime |= !strcmp(word, "noatime");
	return 0;
}

static int take_words(struct options *o, const char *arg)
{
	char *words = strdup(arg), *rest = words, *word;
	int err = 0;

	while (!err && (word = strsep(&rest, ",")))
		err = take_word(o, word);
	free(words);
	return err;
}

static int take_option(void *ctx, int c, const char *arg)
{
	struct options *o = ctx;

	switch (c) {
	case 'o':
		return take_words(o, arg);
	case 'd':
		o->debug = true;
		o->foreground = true;
		break;
	case 'f':
		o->foreground = true;
		break;
	}
	/* -n, -s, -v, -w, -t are mount(8)'s, and mean nothing here. */
	if (c == 'r')
		return take_words(o, "ro");
	return 0;
}

static int parse_options(struct options *o, int argc, char **argv)
{
	static const struct option words[] = {
		{ "foreground", 0, NULL, 'f' }, { "debug", 0, NULL, 'd' }, TOOL_WORDS
	};
	static const struct tool_options all = { usage_text, "fdo:nrsvwt:" TOOL_LETTERS, words, take_option };
	int err = tool_parse_options(&all, o, argc, argv);

	if (err)
		return err;
	if (argc - optind != 2)
		return tool_usage_error("an image and a directory must be given", "");
	o->path = argv[optind];
	o->directory = realpath(argv[optind + 1], NULL);
	return 0;
}

/* ---- The core ------------------------------------------------------------ */

/* Called with locks of the core held. */
static void kick(const struct vmem_env *env)
{
	struct fuse_fs *fs = env->ctx;

	pthread_mutex_lock(&fs->keeper_lock);
	fs->kicked = true;
	pthread_cond_signal(&fs->keeper_cond);
	pthread_mutex_unlock(&fs->keeper_lock);
}

/* True: somebody asked for a checkpoint.  The lock is held. */
static bool wait_for_kick(struct fuse_fs *fs)
{
	struct timespec until;
	bool kicked;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += fs->commit_seconds;
	while (!fs->kicked && !fs->stopping && err != ETIMEDOUT) {
		if (fs->commit_seconds)
			err = pthread_cond_timedwait(&fs->keeper_cond, &fs->keeper_lock, &until);
		else
			pthread_cond_wait(&fs->keeper_cond, &fs->keeper_lock);
	}
	kicked = fs->kicked;
	fs->kicked = false;
	return kicked;
}

/* What fails is told by the core, once, and by every fsync. */
static void *keep(void *arg)
{
	struct fuse_fs *fs = arg;

	pthread_mutex_lock(&fs->keeper_lock);
	while (!fs->stopping) {
		bool kicked = wait_for_kick(fs);

		pthread_mutex_unlock(&fs->keeper_lock);
		if (kicked)
			(void)vmem_checkpoint(fs->core);
		else
			(void)vmem_sync(fs->core);
		pthread_mutex_lock(&fs->keeper_lock);
	}
	pthread_mutex_unlock(&fs->keeper_lock);
	return NULL;
}

static void stop_keeper(struct fuse_fs *fs)
{
	pthread_mutex_lock(&fs->keeper_lock);
	fs->stopping = true;
	pthread_cond_signal(&fs->keeper_cond);
	pthread_mutex_unlock(&fs->keeper_lock);
	pthread_join(fs->keeper, NULL);
}

static int mount_core(struct fuse_fs *fs, const struct options *o)
{
	const struct vmem_mount_opts opts = { .domain = o->domain, .read_only = o->read_only };
	struct vmem_mount_info info;
	struct node *root;
	int err;

	fs->env = *tool_threaded_env();
	fs->env.ctx = fs;
	fs->env.kick = kick;
	fs->commit_seconds = o->commit_seconds;
	fs->noatime = o->noatime;
	err = vmem_mount(&fs->image.store, &fs->env, &opts, &fs->core, &info);
	/* Of all else the core has told. */
	if (err == -ENOMEM || err == -EIO)
		tool_error("%s cannot be mounted: %s", o->path, strerror(-err));
	if (err)
		return err;
	if (info.was_dirty)
		tool_error("%s was not unmounted: recovered%s, %llu records replayed, %llu dropped", o->path,
			   o->read_only ? " in memory" : "", (unsigned long long)info.replayed,
			   (unsigned long long)info.dropped);
	vmem_set_discard(fs->core, o->discard);
	err = nodes_init(fs);
	/* The kernel has it without having asked, and never forgets it. */
	if (!err)
		err = node_get(fs, VMEM_ROOT_INO, &root);
	if (err)
		tool_error("%s: the root directory cannot be read: %s", o->path, strerror(-err));
	return err;
}

/* False: it is not as clean as an unmount should leave it. */
static bool umount_core(struct fuse_fs *fs, const struct options *o)
{
	int err;

	if (!fs->core)
		return true;
	if (fs->nodes)
		nodes_end(fs);
	err = vmem_umount(fs->core);
	if (err)
		tool_error("%s is not unmounted cleanly (%s): the next mount recovers", o->path, strerror(-err));
	return !err;
}

/* ---- The session --------------------------------------------------------- */

struct ending {
	struct fuse_fs *fs;
	struct fuse_session *session;
	sigset_t signals;
	pthread_t thread, main;
	bool over;			/* atomic */
};

static void on_wake(int sig)
{
	(void)sig;
}

/*
 * What was stored through mappings is with the kernel still.  It writes that, and waits,
 * before it lets go of the pages of a file; syncfs(2) would not wait for a FUSE mount.
 */
static void take_from_kernel(struct ending *e)
{
	size_t nr, i;
	uint64_t *files = nodes_files(e->fs, &nr);

	for (i = 0; i < nr; i++)
		(void)fuse_lowlevel_notify_inval_inode(e->session, files[i], 0, 0);
	free(files);
}

/*
 * A signal ends the mount, in good order: first while requests are answered, then by waking
 * the main thread, which may be about to wait: until it has noticed.
 */
static void *end_by_signal(void *arg)
{
	const struct timespec moment = { .tv_nsec = 10000000 };
	struct ending *e = arg;
	int sig;

	while (sigwait(&e->signals, &sig))
		;
	/* It is over already, and this one is from stop_ending(). */
	if (__atomic_load_n(&e->over, __ATOMIC_ACQUIRE))
		return NULL;
	take_from_kernel(e);
	fuse_session_exit(e->session);
	while (!__atomic_load_n(&e->over, __ATOMIC_ACQUIRE)) {
		pthread_kill(e->main, SIGUSR1);
		nanosleep(&moment, NULL);
	}
	return NULL;
}

/* All threads, which come later, leave the signals to one. */
static int start_ending(struct ending *e)
{
	struct sigaction wake = { .sa_handler = on_wake };

	sigemptyset(&e->signals);
	sigaddset(&e->signals, SIGTERM);
	sigaddset(&e->signals, SIGINT);
	sigaddset(&e->signals, SIGHUP);
	sigaction(SIGUSR1, &wake, NULL);
	signal(SIGPIPE, SIG_IGN);
	pthread_sigmask(SIG_BLOCK, &e->signals, NULL);
	e->main = pthread_self();
	return pthread_create(&e->thread, NULL, end_by_signal, e);
}

static void stop_ending(struct ending *e)
{
	__atomic_store_n(&e->over, true, __ATOMIC_RELEASE);
	pthread_kill(e->thread, SIGTERM);
	pthread_join(e->thread, NULL);
}

/* Mounted: answers requests until the unmount, or a signal. */
static int serve(struct fuse_fs *fs, struct fuse_session *session, const struct options *o)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	struct ending end = { .fs = fs, .session = session };
	bool keeps = !o->read_only;
	int err;

	if (fuse_daemonize(o->foreground))
		return EXIT_MOUNT;
	if (!o->foreground)
		tool_use_syslog();
	err = start_ending(&end);
	if (!err && keeps && (err = pthread_create(&fs->keeper, NULL, keep, fs)))
		stop_ending(&end);
	if (err) {
		tool_error("cannot start threads: %s", strerror(err));
		fuse_loop_cfg_destroy(config);
		return EXIT_MOUNT;
	}
	err = fuse_session_loop_mt(session, config);
	stop_ending(&end);
	if (keeps)
		stop_keeper(fs);
	fuse_loop_cfg_destroy(config);
	return err < 0 ? EXIT_MOUNT : 0;
}

/* The options for libfuse: ours, then those of the user. */
static struct fuse_session *new_session(struct fuse_fs *fs, const struct options *o)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *session = NULL;
	char *words = NULL, *name;

	/* Others may come in: their rights are checked by the kernel. */
	if (fuse_opt_add_opt(&words, "subtype=vmemfs,default_permissions") == 0 &&
	    (geteuid() || fuse_opt_add_opt(&words, "allow_other") == 0) &&
	    asprintf(&name, "fsname=%s", o->path) >= 0) {
		if (!fuse_opt_add_opt_escaped(&words, name) && !fuse_opt_add_arg(&args, "fuse.vmemfs") &&
		    !fuse_opt_add_arg(&args, "-o") && !fuse_opt_add_arg(&args, words) &&
		    (!o->others || (!fuse_opt_add_arg(&args, "-o") && !fuse_opt_add_arg(&args, o->others))) &&
		    (!o->debug || !fuse_opt_add_arg(&args, "-d")))
			session = fuse_session_new(&args, &fuse_ops, sizeof(fuse_ops), fs);
		free(name);
	}
	free(words);
	fuse_opt_free_args(&args);
	return session;
}

static int mount_and_serve(struct fuse_fs *fs, const struct options *o)
{
	struct fuse_session *session = new_session(fs, o);
	int status = EXIT_MOUNT;

	/* libfuse has told why not. */
	if (!session)
		return EXIT_USAGE;
	if (!fuse_session_mount(session, o->directory)) {
		status = serve(fs, session, o);
		fuse_session_unmount(session);
	}
	fuse_session_destroy(session);
	return status;
}

static int run(struct fuse_fs *fs, const struct options *o)
{
	int status = EXIT_MOUNT;

	/* A private copy: what a recovery stores there never reaches the image. */
	if (tool_open(&fs->image, o->path, o->read_only ? TOOL_SNAPSHOT : TOOL_WRITE))
		return EXIT_MOUNT;
	/* The tools read scattered metadata only; here are files, too. */
	madvise(fs->image.store.base, fs->image.mapped, MADV_NORMAL);
	if (!o->read_only) {
		tool_thin(&fs->image, o->discard);
		if (fs->image.store.flush)
			flush_init(fs);
	}
	if (!mount_core(fs, o))
		status = mount_and_serve(fs, o);
	if (!umount_core(fs, o) && !status)
		status = EXIT_MOUNT;
	flush_end(fs);
	tool_close(&fs->image);
	return status;
}

int main(int argc, char **argv)
{
	static struct fuse_fs fs = {
		.keeper_lock = PTHREAD_MUTEX_INITIALIZER, .keeper_cond = PTHREAD_COND_INITIALIZER,
	};
	/* A copy that fails is left by a jump: the signal must come again. */
	struct sigaction bus = { .sa_handler = on_bus_error, .sa_flags = SA_NODEFER };
	struct options o = { .commit_seconds = COMMIT_SECONDS };
	struct stat st;
	int status;

	tool_init("fuse.vmemfs", false);
	status = parse_options(&o, argc, argv);
	if (status) {
		status = status < 0 ? 0 : EXIT_USAGE;
	} else if (!o.directory || stat(o.directory, &st) || !S_ISDIR(st.st_mode)) {
		tool_error("cannot mount on %s: %s", argv[optind + 1],
			   o.directory ? strerror(ENOTDIR) : strerror(errno));
		status = EXIT_MOUNT;
	} else {
		sigaction(SIGBUS, &bus, NULL);
		status = run(&fs, &o);
	}
	free((char *)o.directory);
	free(o.others);
	return status;
}
