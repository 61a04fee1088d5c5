// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* dump_vmemfs.c - dump.vmemfs: show what lies in a vmemfs image */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "dump.h"
#include "medium/root.h"

static const char usage_text[] =
	"Usage: dump.vmemfs [-jr] [-s] [-u] [-l] [-t] [-i INO] [-c INO] [-b BLOCK] FILE|/dev/pmemN\n"
	"Show what lies in a vmemfs image; never changes it.  Default: -s.\n\n"
	"  -s, --superblock      superblock and root slots\n"
	"  -u, --udev            type, label and UUID, as udev wants them\n"
	"  -l, --log             log records from the newest root's tail, with each change\n"
	"  -t, --tree            all names, with inode, mode, links, owner and size\n"
	"  -i, --inode INO       one inode, with its extents or directory entries\n"
	"  -c, --contents INO    the contents of a file, to standard output\n"
	"  -b, --block BLOCK     one block in hexadecimal\n"
	"  -j, --json            as JSON, but for -u and -c\n"
	"  -r, --recover         replay the log first, in memory\n"
	"  -V, --version         version of this program\n"
	"  -h, --help            this text\n";

const uint8_t *dump_block(const struct dump *d, uint64_t block)
{
	return block < d->nr_blocks ? d->img.store.base + (block << VMEM_BLOCK_SHIFT) : NULL;
}

const char *dump_time(int64_t ns, char *buf)
{
	int64_t sec = ns / 1000000000, rest = ns % 1000000000;
	char day[24];
	struct tm tm;
	time_t t;

	if (rest < 0) {
		rest += 1000000000;
		sec--;
	}
	t = sec;
	if (!gmtime_r(&t, &tm) || !strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &tm))
		day[0] = 0;
	snprintf(buf, 40, "%s.%09lld", day, (long long)rest);
	return buf;
}

/* ---- Superblock and roots ------------------------------------------------ */

static void print_hex(const char *name, const uint8_t *p, size_t len)
{
	printf("  %-14s", name);
	while (len--)
		printf("%02x", *p++);
	putchar('\n');
}

const struct vmem_root *dump_root_slot(const struct dump *d, unsigned int slot)
{
	return (const struct vmem_root *)(d->img.store.base +
					  VMEM_ROOT_BLOCK(slot) * VMEM_BLOCK_SIZE);
}

const struct vmem_root *dump_newest_root(const struct dump *d)
{
	struct vmem_root root;
	unsigned int slot = vmem_newest_root(d->img.store.base, d->sb->uuid, d->env->crc32c, &root);

	return slot < VMEM_NR_ROOTS ? dump_root_slot(d, slot) : NULL;
}

const char *dump_domain(uint32_t domain)
{
	static const char *const names[] = { "?", "guest", "host", "pmem" };

	return names[domain <= VMEM_DOMAIN_PMEM ? domain : 0];
}

static void print_root(const struct dump *d, unsigned int slot)
{
	const struct vmem_root *root = dump_root_slot(d, slot);
	uint32_t state = vmem_get32(root->state);
	char buf[40];

	if (!vmem_root_valid(root, d->sb->uuid, d->env->crc32c)) {
		printf("root %u: not valid\n", slot);
		return;
	}
	printf("root %u:%s\n", slot, root == dump_newest_root(d) ? " newest" : "");
	printf("  seq           %llu\n", (ull)vmem_get64(root->seq));
	printf("  state         %x%s%s%s%s\n", state, state ? "" : " clean",
	       state & VMEM_STATE_MOUNTED ? " mounted" : "",
	       state & VMEM_STATE_NEEDS_CHECK ? " needs-check" : "",
	       state & VMEM_STATE_ERROR ? " error" : "");
	printf("  domain        %s\n", dump_domain(vmem_get32(root->domain)));
	printf("  tail          %llu\n", (ull)vmem_get64(root->tail));
	printf("  applied       %llu\n", (ull)vmem_get64(root->applied));
	printf("  log_seed      %08x\n", vmem_get32(root->log_seed));
	print_hex("generation", root->generation, VMEM_GENERATION_LEN);
	printf("  mount_count   %llu\n", (ull)vmem_get64(root->mount_count));
	printf("  mount_time    %s\n", dump_time((int64_t)vmem_get64(root->mount_time), buf));
	printf("  write_time    %s\n", dump_time((int64_t)vmem_get64(root->write_time), buf));
	if (vmem_get64(root->grow_to))
		printf("  growing       from %llu to %llu blocks%s\n", (ull)vmem_get64(root->grow_from),
		       (ull)vmem_get64(root->grow_to),
		       vmem_get64(root->grow_mount) == vmem_get64(root->mount_count) ? "" : ", given up");
}

int dump_superblock(const struct dump *d)
{
	const struct vmem_superblock *sb = d->sb;
	const uint8_t *backup = dump_block(d, vmem_get64(sb->backup));
	bool csum_ok = vmem_get32(sb->csum) == vmem_superblock_csum(d->env->crc32c, sb);
	char buf[40];

	if (d->json) {
		dump_json_superblock(d);
		return 0;
	}
	printf("superblock:\n");
	printf("  csum          %08x%s\n", vmem_get32(sb->csum), csum_ok ? "" : " WRONG");
	printf("  version       %u.%u\n", vmem_get16(sb->version_major),
	       vmem_get16(sb->version_minor));
	printf("  features      compat %llx ro_compat %llx incompat %llx\n",
	       (ull)vmem_get64(sb->compat), (ull)vmem_get64(sb->ro_compat),
	       (ull)vmem_get64(sb->incompat));
	print_hex("uuid", sb->uuid, VMEM_UUID_LEN);
	printf("  label         %.*s\n", VMEM_LABEL_LEN, (const char *)sb->label);
	printf("  nr_blocks     %llu\n", (ull)vmem_get64(sb->nr_blocks));
	printf("  nr_inodes     %llu\n", (ull)vmem_get64(sb->nr_inodes));
	printf("  desc_start    %llu\n", (ull)vmem_get64(sb->desc_start));
	printf("  log_start     %llu\n", (ull)vmem_get64(sb->log_start));
	printf("  log_blocks    %llu\n", (ull)vmem_get64(sb->log_blocks));
	printf("  agmeta0       %llu\n", (ull)vmem_get64(sb->agmeta0));
	printf("  backup        %llu%s\n", (ull)vmem_get64(sb->backup),
	       backup && !memcmp(sb, backup, sizeof(*sb)) ? "" : " DIFFERS");
	printf("  ag_blocks     %u\n", vmem_get32(sb->ag_blocks));
	printf("  nr_ags        %u\n", vmem_get32(sb->nr_ags));
	printf("  inodes_per_ag %u\n", vmem_get32(sb->inodes_per_ag));
	printf("  itable_blocks %u\n", vmem_get32(sb->itable_blocks));
	printf("  can grow to   %llu blocks\n", (ull)vmem_sb_max_blocks(sb));
	print_hex("hash_key", sb->hash_key, sizeof(sb->hash_key));
	printf("  created       %s\n", dump_time((int64_t)vmem_get64(sb->created), buf));
	print_root(d, 0);
	print_root(d, 1);
	return 0;
}

int dump_hex(const struct dump *d, uint64_t block)
{
	const uint8_t *p = dump_block(d, block);
	unsigned int i, k;

	if (!p) {
		tool_error("block %llu lies outside the file system", (ull)block);
		return 1;
	}
	if (d->json) {
		json_object(d->json, "block");
		json_number(d->json, "number", block);
		json_hex(d->json, "bytes", p, VMEM_BLOCK_SIZE);
		json_close(d->json);
		return 0;
	}
	for (i = 0; i < VMEM_BLOCK_SIZE; i += 16) {
		printf("%012llx ", (ull)((block << VMEM_BLOCK_SHIFT) + i));
		for (k = 0; k < 16; k++)
			printf("%s%02x", k % 8 ? " " : "  ", p[i + k]);
		fputs("  |", stdout);
		for (k = 0; k < 16; k++)
			putchar(p[i + k] >= ' ' && p[i + k] < 127 ? p[i + k] : '.');
		puts("|");
	}
	return 0;
}

/* ---- Options ------------------------------------------------------------- */

struct options {
	const char *path;
	bool superblock, udev, log, tree, recover, json;
	int64_t inode, contents, block;		/* -1 = not asked for */
};

static int parse_number(const char *text, int64_t *n)
{
	char *end;

	errno = 0;
	*n = strtoll(text, &end, 0);
	if (!errno && *text && !*end && *n >= 0)
		return 0;
	tool_error("not a number: %s", text);
	return TOOL_EXIT_USAGE;
}

static int take_option(void *ctx, int c, const char *arg)
{
	struct options *o = ctx;

	switch (c) {
	case 's':
		o->superblock = true;
		break;
	case 'u':
		o->udev = true;
		break;
	case 'l':
		o->log = true;
		break;
	case 't':
		o->tree = true;
		break;
	case 'j':
		o->json = true;
		break;
	case 'r':
		o->recover = true;
		break;
	case 'i':
		return parse_number(arg, &o->inode);
	case 'c':
		return parse_number(arg, &o->contents);
	case 'b':
		return parse_number(arg, &o->block);
	}
	return 0;
}

static int parse_options(struct options *o, int argc, char **argv)
{
	static const struct option words[] = {
		{ "superblock", 0, NULL, 's' }, { "udev", 0, NULL, 'u' }, { "log", 0, NULL, 'l' },
		{ "tree", 0, NULL, 't' }, { "json", 0, NULL, 'j' }, { "recover", 0, NULL, 'r' },
		{ "inode", 1, NULL, 'i' }, { "contents", 1, NULL, 'c' },
		{ "block", 1, NULL, 'b' }, TOOL_WORDS
	};
	static const struct tool_options all = {
		usage_text, "sultjri:c:b:" TOOL_LETTERS, words, take_option,
	};
	int err = tool_parse_options(&all, o, argc, argv);

	if (err)
		return err;
	if (optind + 1 != argc)
		return tool_usage(&all);
	if (o->json && (o->udev || o->contents >= 0))
		return tool_usage_error("-u and -c are no JSON", "");
	o->path = argv[optind];
	if (!o->udev && !o->log && !o->tree && o->inode < 0 && o->contents < 0 && o->block < 0)
		o->superblock = true;
	return 0;
}

static int open_image(struct dump *d, const struct options *o)
{
	struct vmem_mount_opts opts = { .read_only = true, .check = true };
	const char *wrong;
	struct vmem_fs *fs;

	if (tool_open(&d->img, o->path, TOOL_SNAPSHOT_BUSY))
		return -1;
	if (o->recover) {
		if (vmem_mount(&d->img.store, d->env, &opts, &fs, NULL))
			return -1;
		vmem_umount(fs);
	}
	d->sb = (const struct vmem_superblock *)d->img.store.base;
	if (vmem_get64(d->sb->magic) != VMEM_SB_MAGIC) {
		tool_error("%s is not a vmemfs image", o->path);
		return -1;
	}
	wrong = vmem_check_geometry(d->sb, d->img.store.size);
	if (wrong) {
		tool_error("%s: superblock: %s", o->path, wrong);
		return -1;
	}
	d->nr_blocks = vmem_get64(d->sb->nr_blocks);
	d->inodes_per_ag = vmem_get32(d->sb->inodes_per_ag);
	return 0;
}

static int show(const struct dump *d, const struct options *o)
{
	int status = 0;

	if (o->superblock)
		status |= dump_superblock(d);
	if (o->udev)
		status |= dump_udev(d);
	if (o->log)
		status |= dump_log(d);
	if (o->tree)
		status |= dump_tree(d);
	if (o->inode >= 0)
		status |= dump_inode(d, (uint64_t)o->inode);
	if (o->contents >= 0)
		status |= dump_contents(d, (uint64_t)o->contents);
	if (o->block >= 0)
		status |= dump_hex(d, (uint64_t)o->block);
	return status;
}

int main(int argc, char **argv)
{
	struct options o = { .inode = -1, .contents = -1, .block = -1 };
	struct dump d = { .env = tool_init("dump.vmemfs", false) };
	struct json json = { .out = stdout };
	int status = parse_options(&o, argc, argv);

	if (status)
		return status < 0 ? 0 : status;
	if (o.json) {
		tool_keep_errors();
		d.json = &json;
		json_object(d.json, NULL);
		json_name(d.json, "file", (const uint8_t *)o.path, strlen(o.path));
	}
	status = open_image(&d, &o) ? TOOL_EXIT_FAILED : show(&d, &o);
	if (o.json) {
		json_errors(d.json);
		json_close(d.json);
	}
	tool_close(&d.img);
	return tool_end_output() ? TOOL_EXIT_FAILED : status;
}
