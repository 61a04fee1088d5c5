// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* mkfs_vmemfs.c - mkfs.vmemfs: make a vmemfs in a file or on a device */
#define _GNU_SOURCE
#include <blkid/blkid.h>
#include <ctype.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "offline/mkfs.h"
#include "populate.h"
#include "toolenv.h"
#include "untar.h"

#define OPTION_TAR	256		/* has no letter */
#define SIZE_STEP	(2ull << 20)	/* the device's granularity */
#define MIN_INODE_RATIO	1024u		/* bytes, as mke2fs(8) has them */
#define MAX_INODE_RATIO	(64u << 20)

static const char usage_text[] =
	"Usage: mkfs.vmemfs [options] FILE|/dev/pmemN\n"
	"Make an empty vmemfs.\n\n"
	"  -s, --size SIZE      create FILE with this size (K, M, G, T), or use only so much\n"
	"  -L, --label TEXT     volume label, up to 64 bytes\n"
	"  -U, --uuid UUID      volume UUID (default: random); with SOURCE_DATE_EPOCH\n                       in the environment it decides all that is random\n"
	"  -N, --inodes N       room for at least N inodes\n"
	"  -i, --bytes-per-inode SIZE\n                       one inode for SIZE bytes, 1K to 64M (default: 16K)\n"
	"  -l, --log-size SIZE  size of the log (default: 1/32 of the store, 1 to 16 MiB)\n"
	"  -E, --extended resize=SIZE\n                       room to grow to SIZE (default: 1024 times the size, if that\n"
	"                       takes at most 1/1024 of the store)\n"
	"  -d, --directory DIR  copy the contents of DIR into it\n"
	"      --tar FILE       unpack a tar archive into it; - is standard input\n"
	"  -f, --force          overwrite another file system\n"
	"  -n, --dry-run        only say what would be made\n"
	"  -q, --quiet          only errors\n"
	"  -V, --version        version of this program\n"
	"  -h, --help           this text\n";

struct options {
	struct vmem_mkfs_params params;
	const char *path, *directory, *archive;
	uint64_t size;
	bool uuid_given, reproducible;
	bool force, dry_run, quiet;
};

static bool parse_uuid(const char *text, uint8_t uuid[VMEM_UUID_LEN])
{
	unsigned int byte, any = 0, i;

	for (i = 0; i < VMEM_UUID_LEN; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			if (*text++ != '-')
				return false;
		if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]) ||
		    sscanf(text, "%2x", &byte) != 1)
			return false;
		uuid[i] = (uint8_t)byte;
		any |= uuid[i];
		text += 2;
	}
	/* The nil UUID is no identity; RFC 4122, 4.1.7. */
	return *text == 0 && any;
}

static int take_option(void *ctx, int c, const char *arg)
{
	struct options *o = ctx;
	uint64_t bytes;

	switch (c) {
	case 's':
		if (!tool_parse_size(arg, &o->size) || !o->size)
			return tool_usage_error("not a size: ", arg);
		break;
	case 'L':
		o->params.label = arg;
		break;
	case 'U':
		o->uuid_given = strcmp(arg, "random");
		if (o->uuid_given && !parse_uuid(arg, o->params.uuid))
			return tool_usage_error("not a UUID: ", arg);
		break;
	case 'N':
		if (!tool_parse_size(arg, &o->params.inodes) || !o->params.inodes)
			return tool_usage_error("not a number of inodes: ", arg);
		break;
	case 'i':
		if (!tool_parse_size(arg, &bytes) || bytes < MIN_INODE_RATIO || bytes > MAX_INODE_RATIO)
			return tool_usage_error("not 1K to 64M bytes per inode: ", arg);
		o->params.inode_ratio = bytes;
		break;
	case 'l':
		if (!tool_parse_size(arg, &bytes) || bytes < VMEM_BLOCK_SIZE)
			return tool_usage_error("not a size: ", arg);
		o->params.log_blocks = bytes >> VMEM_BLOCK_SHIFT;
		break;
	case 'E':
		if (strncmp(arg, "resize=", 7) || !tool_parse_size(arg + 7, &o->params.max_size) ||
		    !o->params.max_size)
			return tool_usage_error("not resize=SIZE: ", arg);
		break;
	case 'd':
		o->directory = arg;
		break;
	case OPTION_TAR:
		o->archive = arg;
		break;
	case 'f':
		o->force = true;
		break;
	case 'n':
		o->dry_run = true;
		break;
	case 'q':
		o->quiet = true;
		break;
	}
	return 0;
}

/* SOURCE_DATE_EPOCH (reproducible-builds.org): the time that everything is made at. */
static int take_epoch(struct options *o)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	unsigned long long seconds;
	char *end;

	if (!text)
		return 0;
	errno = 0;
	seconds = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end || errno || seconds >= INT64_MAX / 1000000000)
		return tool_usage_error("SOURCE_DATE_EPOCH is not a number of seconds: ", text);
	o->params.now = (int64_t)seconds * 1000000000;
	o->reproducible = true;
	if (!o->uuid_given && !o->quiet)
		tool_error("note: SOURCE_DATE_EPOCH is set, but without -U the UUID is random, and so are the bytes");
	return 0;
}

static int parse_options(struct options *o, int argc, char **argv)
{
	static const struct option words[] = {
		{ "size", 1, NULL, 's' }, { "label", 1, NULL, 'L' },
		{ "uuid", 1, NULL, 'U' }, { "inodes", 1, NULL, 'N' },
		{ "bytes-per-inode", 1, NULL, 'i' },
		{ "log-size", 1, NULL, 'l' }, { "extended", 1, NULL, 'E' }, { "directory", 1, NULL, 'd' },
		{ "tar", 1, NULL, OPTION_TAR },
		{ "force", 0, NULL, 'f' }, { "dry-run", 0, NULL, 'n' },
		{ "quiet", 0, NULL, 'q' }, TOOL_WORDS
	};
	static const struct tool_options all = {
		usage_text, "s:L:U:N:i:l:E:d:fnq" TOOL_LETTERS, words, take_option,
	};
	int err = tool_parse_options(&all, o, argc, argv);

	if (err)
		return err;
	if (optind + 1 != argc)
		return tool_usage_error("exactly one file or device must be given", "");
	if (o->params.inodes && o->params.inode_ratio)
		return tool_usage_error("-i and -N say the same in two ways: give one of them", "");
	if (o->directory && o->archive)
		return tool_usage_error("-d and --tar fill it in two ways: give one of them", "");
	o->path = argv[optind];
	return take_epoch(o);
}

/* ---- What is there already ----------------------------------------------- */

/* Refuse to overwrite something; 0 when nothing is recognised. */
static int check_foreign(const struct options *o)
{
	const char *type = NULL;
	blkid_probe probe;
	struct stat st;
	char magic[8] = "";
	int fd, err = 0;

	if (o->force || stat(o->path, &st) < 0)
		return 0;
	fd = open(o->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;	/* tool_open() will say why */
	if (pread(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
	    !memcmp(magic, "VMEMFS\0\1", sizeof(magic)))
		type = "vmemfs";
	probe = type ? NULL : blkid_new_probe();
	if (probe && blkid_probe_set_device(probe, fd, 0, 0) == 0) {
		blkid_probe_enable_partitions(probe, 1);
		if (blkid_do_safeprobe(probe) != 1 &&
		    blkid_probe_lookup_value(probe, "TYPE", &type, NULL) &&
		    blkid_probe_lookup_value(probe, "PTTYPE", &type, NULL))
			type = "something";
	}
	if (type) {
		tool_error("%s contains %s already: use -f to overwrite it", o->path, type);
		err = -1;
	}
	blkid_free_probe(probe);
	close(fd);
	return err;
}

/* ---- Will a mount take it? ------------------------------------------------ */

static bool sysfs_is(const char *dir, const char *name, char *line, size_t size)
{
	char path[PATH_MAX + 32];
	FILE *f;
	bool any;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	if (!f)
		return false;
	any = fgets(line, (int)size, f) && line[0] != '\n';
	fclose(f);
	return any;
}

/* Is the disk in this sysfs folder memory? */
static bool is_dax(const char *disk)
{
	char line[64];

	return sysfs_is(disk, "queue/dax", line, sizeof(line)) && line[0] == '1';
}

/* Why no mount accepts this device here; NULL: it does. */
static const char *why_no_mount(const char *disk, bool partition, bool *elsewhere)
{
	char line[256];

	*elsewhere = !is_dax(disk);
	if (*elsewhere)
		return "is not memory";
	if (partition)
		return "is a partition, and only whole disks are mounted";
	if (sysfs_is(disk, "badblocks", line, sizeof(line)))
		return "has bad blocks, and is not mapped in one piece";
	if (strstr(disk, "/virtio") && strstr(disk, "/ndbus"))
		return "is a virtio-pmem, which flushes only as a whole";
	return NULL;
}

/* A device on which a file system would be made in vain; -f makes it, for another machine. */
static int check_device(const struct options *o)
{
	char link[64], dir[PATH_MAX], *slash;
	const char *why;
	bool elsewhere, partition;
	struct stat st;

	if (stat(o->path, &st) < 0 || !S_ISBLK(st.st_mode))
		return 0;
	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u/partition", major(st.st_rdev), minor(st.st_rdev));
	partition = access(link, F_OK) == 0;
	link[strlen(link) - strlen("/partition")] = 0;
	if (!realpath(link, dir))
		return 0;
	slash = strrchr(dir, '/');
	if (partition && slash)
		*slash = 0;
	why = why_no_mount(dir, partition, &elsewhere);
	if (!why || o->force)
		return 0;
	if (elsewhere) {
		if (!o->quiet)
			tool_error("note: %s %s here: give it to a VM, as file= of -device vmemstore", o->path, why);
		return 0;
	}
	tool_error("%s %s: use -f if another machine gets it as its disk", o->path, why);
	return -1;
}

/* ---- Creating the file --------------------------------------------------- */

static void sync_directory_of(const char *path)
{
	char *copy = strdup(path);
	int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(copy);
}

/* Really allocated: a store into a hole of a full host disk would kill the VM. */
static int create_file(const char *path, uint64_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666), err;

	if (fd < 0) {
		tool_error("cannot create %s: %s", path, strerror(errno));
		return -1;
	}
	err = posix_fallocate(fd, 0, (off_t)size);
	if (!err && fsync(fd) < 0)
		err = errno;
	close(fd);
	if (err) {
		unlink(path);
		tool_error("cannot reserve %llu bytes for %s: %s", (unsigned long long)size, path,
			   strerror(err));
		return -1;
	}
	sync_directory_of(path);
	return 0;
}

/* ---- Making it ----------------------------------------------------------- */

static void say_layout(const struct options *o, const struct vmem_superblock *sb)
{
	const uint8_t *u = sb->uuid;
	unsigned long long blocks = vmem_get64(sb->nr_blocks);

	if (o->quiet)
		return;
	printf("%s: vmemfs %u.%u, %llu MiB\n", o->path, vmem_get16(sb->version_major),
	       vmem_get16(sb->version_minor), blocks >> (20 - VMEM_BLOCK_SHIFT));
	printf("  UUID    %02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x\n",
	       u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12],
	       u[13], u[14], u[15]);
	if (sb->label[0])
		printf("  label   %.*s\n", VMEM_LABEL_LEN, (const char *)sb->label);
	printf("  blocks  %llu of 4 KiB in %u groups of up to %u\n", blocks,
	       vmem_get32(sb->nr_ags), vmem_get32(sb->ag_blocks));
	printf("  inodes  %llu\n", (unsigned long long)vmem_get64(sb->nr_inodes));
	printf("  log     %llu KiB\n",
	       (unsigned long long)vmem_get64(sb->log_blocks) * (VMEM_BLOCK_SIZE / 1024));
	printf("  growth  to %llu MiB at most\n",
	       (unsigned long long)vmem_sb_max_blocks(sb) >> (20 - VMEM_BLOCK_SHIFT));
}

/*
 * Until all is done the first block is memory of our own, and zeros lie in the
 * image: whatever ends this program, nothing is taken for a file system.
 */
static int hide_first_block(struct tool_image *img, const char *path)
{
	static const uint8_t none[VMEM_BLOCK_SIZE];

	if (pwrite(img->fd, none, sizeof(none), 0) != (ssize_t)sizeof(none) || fsync(img->fd)) {
		tool_error("cannot write to %s: %s", path, strerror(errno));
		return -1;
	}
	if (mmap(img->store.base, sizeof(none), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
		 img->fd, 0) != MAP_FAILED)
		return 0;
	tool_error("cannot map the first block of %s: %s", path, strerror(errno));
	return -1;
}

static int show_first_block(struct tool_image *img, const char *path)
{
	if (tool_sync(img, path))
		return -1;
	if (pwrite(img->fd, img->store.base, VMEM_BLOCK_SIZE, 0) == (ssize_t)VMEM_BLOCK_SIZE)
		return tool_sync(img, path);
	tool_error("cannot write the superblock of %s: %s", path, strerror(errno));
	return -1;
}

/* From the directory or the archive; the number of inodes made, or -1, told. */
static int64_t fill_from(struct tool_image *img, struct vmem_fs *fs, const struct options *o)
{
	struct stat image;
	struct populate_params tree = {
		.path = o->directory, .image = &image,
		.reproducible = o->reproducible, .now = o->params.now,
	};
	struct untar_params archive = {
		.path = o->archive, .reproducible = o->reproducible, .now = o->params.now,
	};

	if (o->archive)
		return untar(fs, &archive);
	if (!fstat(img->fd, &image))
		return populate(fs, &tree);
	tool_error("cannot stat %s: %s", o->path, strerror(errno));
	return -1;
}

static int fill_mounted(struct tool_image *img, struct vmem_fs *fs, const struct options *o)
{
	int64_t made = fill_from(img, fs, o);
	int err = vmem_umount(fs);

	if (err)
		tool_error("cannot unmount: %s", strerror(-err));
	if (err || made < 0)
		return -1;
	if (!o->quiet)
		printf("  copied  %lld files and directories from %s\n", (long long)made,
		       o->directory ? o->directory : strcmp(o->archive, "-") ? o->archive : "standard input");
	return 0;
}

static int fill(struct tool_image *img, const struct vmem_env *env, const struct options *o)
{
	struct vmem_mount_opts mount = { .read_only = false };
	struct vmem_fs *fs;
	int err = vmem_mount(&img->store, env, &mount, &fs, NULL);

	if (!err)
		return fill_mounted(img, fs, o);
	tool_error("cannot mount what was just made: %s", strerror(-err));
	return -1;
}

static int make_in(struct tool_image *img, const struct vmem_env *env, const struct options *o)
{
	struct vmem_superblock sb;
	int err = vmem_mkfs_plan(img->store.size, env, &o->params, &sb);

	if (!err && o->dry_run) {
		say_layout(o, &sb);
		return 0;
	}
	if (!err)
		err = hide_first_block(img, o->path);
	if (!err)
		err = vmem_mkfs(&img->store, env, &o->params);
	if (err)
		return err;
	memcpy(&sb, img->store.base, sizeof(sb));
	say_layout(o, &sb);
	if ((o->directory || o->archive) && fill(img, env, o))
		return -1;
	return show_first_block(img, o->path);
}

static int make(struct options *o, const struct vmem_env *env)
{
	struct tool_image img;
	int err;

	if (tool_open(&img, o->path, o->dry_run ? TOOL_SNAPSHOT : TOOL_WRITE))
		return -1;
	if (o->size > img.store.size) {
		tool_error("%s exists and has only %llu bytes: remove it first, or leave out -s",
			   o->path, (unsigned long long)img.store.size);
		tool_close(&img);
		return -1;
	}
	if (o->reproducible)
		tool_forget_backing(&img);
	o->params.size = (o->size ? o->size : img.store.size) & ~(SIZE_STEP - 1);
	if (!o->quiet && o->params.size != img.store.size && !o->size)
		tool_error("note: only whole 2 MiB are used, the last %llu bytes are not; -device vmemstore "
			   "takes a file of whole 2 MiB only (truncate -s %%2M makes it so)",
			   (unsigned long long)(img.store.size - o->params.size));
	if (!o->params.size)	/* would mean the whole store */
		o->params.size = VMEM_BLOCK_SIZE;
	err = make_in(&img, env, o);
	tool_close(&img);
	return err;
}

/* Plan a file that does not exist yet. */
static int dry_run_new(struct options *o, const struct vmem_env *env)
{
	struct vmem_superblock sb;

	if (vmem_mkfs_plan(o->size, env, &o->params, &sb))
		return -1;
	say_layout(o, &sb);
	return 0;
}

/* What is random is drawn here, once: planning twice must not change it. */
static const struct vmem_env *reproducible_env(struct options *o)
{
	const struct vmem_env *env = tool_fixed_env(o->params.now, o->uuid_given ? o->params.uuid : NULL);

	env->random(env, o->params.hash_key, sizeof(o->params.hash_key));
	env->random(env, &o->params.log_seed, sizeof(o->params.log_seed));
	return env;
}

/* A mapped image tells so of errors below. */
static void on_bus_error(int sig)
{
	static const char text[] = "mkfs.vmemfs: the image cannot be stored to: a disk error, or no space below a "
				   "sparse file; no file system was made\n";
	ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)sig;
	(void)written;
	_exit(1);
}

int main(int argc, char **argv)
{
	const struct vmem_env *env = tool_init("mkfs.vmemfs", false);
	struct options o = { .path = NULL };
	struct sigaction bus = { .sa_handler = on_bus_error };
	struct vmem_superblock sb;
	bool create;
	int err = parse_options(&o, argc, argv);

	if (err)
		return err < 0 ? 0 : err;
	sigaction(SIGBUS, &bus, NULL);
	if (o.reproducible)
		env = reproducible_env(&o);
	create = access(o.path, F_OK) != 0 && o.size;
	if (create) {
		o.size &= ~(SIZE_STEP - 1);
		if (o.dry_run)
			return dry_run_new(&o, env) ? 1 : 0;
		/* Say what is impossible before a large file is made. */
		if (vmem_mkfs_plan(o.size, env, &o.params, &sb) || create_file(o.path, o.size))
			return 1;
	} else if (check_device(&o) || check_foreign(&o)) {
		return 1;
	}
	err = make(&o, env);
	if (err && create && !o.dry_run)
		unlink(o.path);
	return err ? 1 : 0;
}
