// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * resize_vmemfs.c - resize.vmemfs: make a vmemfs larger or smaller
 *
 * A mounted one grows by a request to the kernel.  In a file, or on a device that
 * is not mounted, the core grows it here in the same way; shrinking cuts what is
 * free at the end (shrink.c).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "offline/check.h"
#include "medium/geometry.h"
#include "offline/shrink.h"
#include "json.h"
#include "toolenv.h"
#include "vmemfs_ioctl.h"

#define SIZE_STEP	(2ull << 20)	/* the device's granularity */
#define VMEMFS_MAGIC	0x464d4556	/* statfs(2) f_type */

static const char usage_text[] =
	"Usage: resize.vmemfs [-Mfpq] MOUNTPOINT|/dev/pmemN|FILE [SIZE]\n"
	"       resize.vmemfs -P [-j] /dev/pmemN|FILE\n"
	"Make a vmemfs larger, mounted or not, or smaller while it is not mounted.\n"
	"Without SIZE (K, M, G, T) it becomes as large as its file or device.\n\n"
	"  -M, --minimum        shrink as far as that is possible without moving anything\n"
	"  -P, --print-minimum  print that size in bytes, and change nothing\n"
	"  -j, --json           with -P: as JSON\n"
	"  -f, --force          shrink without checking it before\n"
	"  -p, --progress       show progress from the start (else after two seconds)\n"
	"  -q, --quiet          only errors\n"
	"  -V, --version        version of this program\n"
	"  -h, --help           this text\n";

struct options {
	const char *path;
	uint64_t size;			/* 0: as large as what it is in */
	bool minimum, print, json, force, quiet;
};

/* ---- Options ------------------------------------------------------------- */

static int take_option(void *ctx, int c, const char *arg)
{
	struct options *o = ctx;

	(void)arg;
	switch (c) {
	case 'M':
		o->minimum = true;
		break;
	case 'P':
		o->print = true;
		break;
	case 'j':
		o->json = true;
		break;
	case 'f':
		o->force = true;
		break;
	case 'p':
		tool_progress_now();
		break;
	case 'q':
		o->quiet = true;
		break;
	}
	return 0;
}

static int parse_options(struct options *o, int argc, char **argv)
{
	static const struct option words[] = {
		{ "minimum", 0, NULL, 'M' }, { "print-minimum", 0, NULL, 'P' },
		{ "json", 0, NULL, 'j' }, { "force", 0, NULL, 'f' }, { "progress", 0, NULL, 'p' },
		{ "quiet", 0, NULL, 'q' }, TOOL_WORDS
	};
	static const struct tool_options all = { usage_text, "MPjfpq" TOOL_LETTERS, words, take_option };
	int err = tool_parse_options(&all, o, argc, argv);

	if (err)
		return err;
	if (optind == argc || argc - optind > 2)
		return tool_usage_error("a mount point, device or file must be given, and at most a size", "");
	if (o->json && !o->print)
		return tool_usage_error("-j goes with -P only", "");
	o->path = argv[optind];
	if (argc - optind < 2)
		return 0;
	if (o->minimum || o->print)
		return tool_usage_error("-M and -P find the size by themselves, but it was given: ", argv[optind + 1]);
	if (!tool_parse_size(argv[optind + 1], &o->size) || o->size < SIZE_STEP)
		return tool_usage_error("not a size of 2 MiB or more: ", argv[optind + 1]);
	o->size &= ~(SIZE_STEP - 1);
	return 0;
}

/* ---- Mounted ------------------------------------------------------------- */

static const char *why_not(int err)
{
	switch (err) {
	case EPERM: return "only root (CAP_SYS_RESOURCE) may do that";
	case ENOTTY: return "this kernel's vmemfs cannot grow: use a newer module";
	case EINVAL: return "the disk is not as large, or it is larger already and would have to be unmounted to shrink";
	case EFBIG: return "its descriptors have no room: the kernel log says how large it can get";
	case EROFS: return "it is mounted read-only";
	case ENOSPC: return "the host's disk is full";
	case EIO: return "the host could not write: see the kernel log";
	default: return strerror(err);
	}
}

static int grow_mounted(const struct options *o, const char *where)
{
	struct statfs before, after;
	__u64 size = o->size;
	int fd, err = 0;

	if (o->minimum || o->print) {
		tool_error("%s is mounted: only growing is possible; unmount it first", o->path);
		return 1;
	}
	fd = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstatfs(fd, &before)) {
		tool_error("cannot open %s: %s", where, strerror(errno));
		return 1;
	}
	if ((unsigned int)before.f_type != VMEMFS_MAGIC) {
		tool_error("%s is no vmemfs", where);
		close(fd);
		return 1;
	}
	if (ioctl(fd, VMEMFS_IOC_RESIZE, &size) || fstatfs(fd, &after))
		err = errno;
	close(fd);
	if (err)
		tool_error("%s does not grow: %s", where, why_not(err));
	else if (!o->quiet)
		printf("%s: %llu MiB, was %llu MiB\n", where, (unsigned long long)after.f_blocks >> 8,
		       (unsigned long long)before.f_blocks >> 8);
	return err ? 1 : 0;
}

/* ---- In a file, or on a device that is not mounted ----------------------- */

struct resize {
	const struct options *o;
	const struct vmem_env *env;
	struct tool_image img;
	bool regular;
	uint64_t problems;
	uint64_t minimum, size;		/* bytes, in the end */
};

static const struct vmem_superblock *super_of(const struct resize *r)
{
	return (const struct vmem_superblock *)(const void *)r->img.store.base;
}

/* A mapped image tells so of errors below. */
static void on_bus_error(int sig)
{
	static const char text[] = "resize.vmemfs: the image cannot be read or stored to: a disk error, "
				   "or no space below a sparse file; run fsck.vmemfs -p\n";
	ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)sig;
	(void)written;
	_exit(1);
}

static int told(const struct resize *r, const char *what, int err)
{
	if (!err)
		return 0;
	tool_error("%s: %s: %s", r->o->path, what, strerror(-err));
	return 1;
}

static int say_size(const struct resize *r, uint64_t blocks, uint64_t was)
{
	if (tool_sync(&r->img, r->o->path))
		return 1;
	if (!r->o->quiet)
		printf("%s: %llu MiB, %s%llu MiB\n", r->o->path, (unsigned long long)blocks >> 8,
		       blocks == was ? "as before: " : "was ", (unsigned long long)was >> 8);
	return 0;
}

__attribute__((format(printf, 2, 0)))
static void on_problem(void *ctx, const char *fmt, va_list ap)
{
	struct resize *r = ctx;

	if (r->problems++ < 10) {
		vprintf(fmt, ap);
		putchar('\n');
	}
}

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
	(void)ctx;
	tool_progress("checking", done, total);
}

/* What the bitmaps say to be free must be free. */
static int check_first(struct resize *r)
{
	struct vmem_check_params params = {
		.base = r->img.store.base, .size = r->img.store.size, .env = r->env, .ctx = r,
		.problem = on_problem, .progress = on_progress,
	};
	struct vmem_check_result result;
	int64_t found;

	if (r->o->force)
		return 0;
	found = vmem_check(&params, &result);
	tool_progress_end();
	if (!found)
		return 0;
	tool_error("%s is damaged: run fsck.vmemfs -y first", r->o->path);
	return 1;
}

/* Not mounted any more. */
static int shrink(struct resize *r, uint64_t size, uint64_t was)
{
	const struct vmem_superblock *sb = super_of(r);
	uint64_t blocks, bytes;

	if (check_first(r) || (!size && vmem_shrink_limit(&r->img.store, r->env, &size)) ||
	    vmem_shrink(&r->img.store, r->env, size))
		return 1;
	blocks = vmem_get64(sb->nr_blocks);
	bytes = ((blocks << VMEM_BLOCK_SHIFT) + SIZE_STEP - 1) & ~(SIZE_STEP - 1);
	if (tool_sync(&r->img, r->o->path))
		return 1;
	if (r->regular && bytes < r->img.store.size && tool_set_size(&r->img, r->o->path, bytes))
		return 1;
	return say_size(r, blocks, was);
}

/* Before a file becomes larger for nothing. */
static bool can_become(const struct resize *r, uint64_t size)
{
	const struct vmem_superblock *sb = super_of(r);
	uint64_t most;

	/* The mount says what is wrong. */
	if (vmem_get64(sb->magic) != VMEM_SB_MAGIC || vmem_check_geometry(sb, r->img.store.size))
		return true;
	most = vmem_sb_max_blocks(sb) << VMEM_BLOCK_SHIFT;
	if (size > most)
		tool_error("%s can grow to %llu MiB at most: for more, make it anew by mkfs.vmemfs -E resize=SIZE",
			   r->o->path, (unsigned long long)most >> 20);
	return size <= most;
}

static int resize(struct resize *r)
{
	uint64_t had = r->img.store.size, size = r->o->size ? r->o->size : had, was;
	struct vmem_mount_opts opts = { .read_only = false };
	struct vmem_statfs st;
	struct vmem_fs *fs;
	int err, end;

	if (size > had && !r->regular) {
		tool_error("%s has only %llu bytes", r->o->path, (unsigned long long)had);
		return 1;
	}
	if (size > had && (!can_become(r, size) || tool_set_size(&r->img, r->o->path, size)))
		return 1;
	err = vmem_mount(&r->img.store, r->env, &opts, &fs, NULL);
	if (err) {
		if (size > had)
			tool_set_size(&r->img, r->o->path, had);
		return told(r, "cannot be mounted, and is as it was", err);
	}
	vmem_statfs(fs, &st);
	was = st.blocks;
	if (!r->o->minimum && size >> VMEM_BLOCK_SHIFT > was)
		err = vmem_grow(fs, size);
	vmem_statfs(fs, &st);
	end = vmem_umount(fs);
	if (err && err != -EIO && !end && size > had && st.blocks == was)
		tool_set_size(&r->img, r->o->path, had);
	if (err || end)
		return told(r, "does not grow", err ? err : end);
	if (r->o->minimum || size >> VMEM_BLOCK_SHIFT < was)
		return shrink(r, r->o->minimum ? 0 : size, was);
	return say_size(r, st.blocks, was);
}

static int print_minimum(struct resize *r)
{
	uint64_t bytes;

	if (vmem_shrink_limit(&r->img.store, r->env, &bytes))
		return 1;
	if (!r->o->json)
		printf("%llu\n", (unsigned long long)bytes);
	r->minimum = bytes;
	return 0;
}

static int end(struct resize *r, int status)
{
	const struct options *o = r->o;
	struct json j = { .out = stdout };

	if (o->json) {
		json_object(&j, NULL);
		json_name(&j, "file", (const uint8_t *)o->path, strlen(o->path));
		json_number(&j, "exit_status", (uint64_t)status);
		if (!status) {
			json_number(&j, "minimum", r->minimum);
			json_number(&j, "size", r->size);
		}
		json_errors(&j);
		json_close(&j);
	}
	return tool_end_output() ? 1 : status;
}

static int in_file(struct resize *r)
{
	int status;

	if (tool_open(&r->img, r->o->path, r->o->print ? TOOL_SNAPSHOT : TOOL_WRITE))
		return 1;
	status = r->o->print ? print_minimum(r) : resize(r);
	if (!status)
		r->size = vmem_get64(super_of(r)->nr_blocks) << VMEM_BLOCK_SHIFT;
	tool_close(&r->img);
	return status;
}

static int resize_any(struct resize *r)
{
	const struct options *o = r->o;
	char *where = NULL;
	struct stat st;
	int status;

	if (stat(o->path, &st)) {
		tool_error("cannot open %s: %s", o->path, strerror(errno));
		return 1;
	}
	if (S_ISDIR(st.st_mode))
		return grow_mounted(o, o->path);
	if (S_ISBLK(st.st_mode))
		tool_find_mount(st.st_rdev, &where);
	if (where) {
		status = grow_mounted(o, where);
		free(where);
		return status;
	}
	r->regular = S_ISREG(st.st_mode);
	return in_file(r);
}

int main(int argc, char **argv)
{
	struct options o = { .path = NULL };
	struct resize r = { .o = &o, .env = tool_init("resize.vmemfs", false) };
	struct sigaction bus = { .sa_handler = on_bus_error };
	int status = parse_options(&o, argc, argv);

	if (status)
		return status < 0 ? 0 : status;
	if (o.json)
		tool_keep_errors();
	sigaction(SIGBUS, &bus, NULL);
	return end(&r, resize_any(&r));
}
