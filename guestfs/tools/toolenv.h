/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * toolenv.h - the surroundings of the core in a host process, and its store
 *
 * Shared by the programs of this folder and by libos-shim/host.  An image is a regular
 * file on the host or a block device (/dev/pmemN in a guest), mapped whole.
 */
#ifndef VMEM_TOOLENV_H
#define VMEM_TOOLENV_H

#include <getopt.h>
#include <sys/types.h>

#include "vmem.h"

/* From the file VERSION; what is never installed has none. */
#ifndef TOOL_VERSION
#define TOOL_VERSION "unknown"
#endif

#define TOOL_EXIT_FAILED	8	/* operational error, as e2fsck(8) */
#define TOOL_EXIT_USAGE		16

/* Set first: the prefix of messages, and whether VMEM_LOG_INFO lines are shown. */
const struct vmem_env *tool_init(const char *name, bool verbose);

/* For a process with threads: the same surroundings, and locks. */
const struct vmem_env *tool_threaded_env(void);

/*
 * The same surroundings with a clock that stands at now (ns since 1970) and,
 * unless key is NULL, "random" numbers that follow from it: who does the same
 * twice makes the same bytes.
 */
const struct vmem_env *tool_fixed_env(int64_t now, const uint8_t key[16]);

/* One line to stderr, prefixed with the tool's name. */
void tool_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* From now on these lines are kept, too, the first thousand; tool_kept_errors() shows them. */
void tool_keep_errors(void);
size_t tool_kept_errors(const char *const **lines);

/* All that was printed has reached standard output; -1 after a line if it has not. */
int tool_end_output(void);

/* From now on lines go to syslog(3): of a program that goes on in the background. */
void tool_use_syslog(void);

/*
 * Progress on stderr: nothing in the first two seconds, then a line that is
 * rewritten on a terminal, or one line every ten seconds elsewhere.
 */
void tool_progress(const char *what, uint64_t done, uint64_t total);
void tool_progress_end(void);
/* From the start, and every second elsewhere, too: someone asked for it. */
void tool_progress_now(void);

/* A program's options: each goes to take(), but --version and --help (V, h). */
struct tool_options {
	const char *usage, *letters;	/* the latter as for getopt(3) */
	const struct option *words;	/* for getopt_long(3); TOOL_WORDS are the last */
	int (*take)(void *ctx, int c, const char *arg);	/* 0 or an exit status, told */
};

#define TOOL_LETTERS	"Vh"
#define TOOL_WORDS	{ "version", 0, NULL, 'V' }, { "help", 0, NULL, 'h' }, { NULL, 0, NULL, 0 }

/* 0: go on at argv[optind]; -1: all is done, and well; or an exit status, told. */
int tool_parse_options(const struct tool_options *t, void *ctx, int argc, char **argv);

/* What is wrong with the command line, or how it should be; both TOOL_EXIT_USAGE. */
int tool_usage_error(const char *what, const char *arg);
int tool_usage(const struct tool_options *t);

/* "512", "64K", "1M", "2G", "1T" to bytes; false when it is not a size. */
bool tool_parse_size(const char *text, uint64_t *bytes);

enum tool_mount { TOOL_NOT_MOUNTED, TOOL_MOUNTED_RO, TOOL_MOUNTED_RW };

/* How is the device mounted, and where (one of the places, / before others; to be freed)? */
enum tool_mount tool_find_mount(dev_t dev, char **where);

enum tool_access {
	TOOL_SNAPSHOT,		/* private: stores never reach the image */
	TOOL_SNAPSHOT_BUSY,	/* the same, even while a VM uses the image */
	TOOL_WRITE,		/* shared, and locked as the device locks it */
};

struct tool_image {
	struct vmem_store store;	/* ctx points here */
	int fd;
	bool mounted;			/* read-only; see tool_open_mounted() */
	bool is_root;			/* and as / */
	size_t mapped;			/* bytes */
	bool by_libpmem;
	bool is_pmem;			/* a CPU cache flush makes stores durable */
	bool failed;			/* a write-back failed: tool_sync() tells */
	bool in_use;			/* noted, until it is closed in good order */
};

/*
 * Map an image.  Returns 0, or -1 after a line that says what is wrong and
 * what to do; errno tells it, too (EBUSY: in use; EINVAL: it can hold no image).
 * TOOL_WRITE refuses an image that is mounted or used by a VM.
 */
int tool_open(struct tool_image *img, const char *path, enum tool_access access);
/* The same, but a device that is mounted read-only is accepted. */
int tool_open_mounted(struct tool_image *img, const char *path, enum tool_access access);
void tool_close(struct tool_image *img);

/*
 * The image may have holes, and its disk no room for them: from now on the host is asked
 * for room before a store, and with `discard` it gets back what became free.  Without
 * effect where nothing can be asked.  Before the mount.
 */
void tool_thin(struct tool_image *img, bool discard);

/* A write-back has failed: whoever uses the image next will know.  -EIO. */
int tool_lost(const struct tool_image *img);

/* As if this host's file system were any: its kind and its generation are not noted in the image. */
void tool_forget_backing(struct tool_image *img);

/* Write back what write-back is still open, and its host metadata.  0 or -1, told. */
int tool_sync(const struct tool_image *img, const char *path);

/*
 * A regular file that is open by TOOL_WRITE gets another size and is mapped
 * anew, at another base.  More of it is allocated, unless it is sparse.  0 or
 * -1, told; then it may not be mapped any more.
 */
int tool_set_size(struct tool_image *img, const char *path, uint64_t size);

#endif /* VMEM_TOOLENV_H */
