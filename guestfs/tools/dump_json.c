// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* dump_json.c - superblock, roots, inodes and names as JSON; dump.vmemfs(8) has the fields */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "dump.h"
#include "medium/fields.h"
#include "medium/root.h"
#include "xattr_names.h"

void dump_json_time(struct json *j, const char *key, int64_t ns)
{
	char text[40], iso[44];

	dump_time(ns, text);
	if (text[0] != '.')
		text[10] = 'T';
	snprintf(iso, sizeof(iso), "%sZ", text);
	json_string(j, key, iso);
}

/* ---- Superblock and roots -------------------------------------------------- */

static void put_uuid(struct json *j, const char *key, const uint8_t *u)
{
	char uuid[37];

	snprintf(uuid, sizeof(uuid), "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13],
		 u[14], u[15]);
	json_string(j, key, uuid);
}

static void put_root(const struct dump *d, unsigned int slot)
{
	const struct vmem_root *root = dump_root_slot(d, slot);
	bool valid = vmem_root_valid(root, d->sb->uuid, d->env->crc32c);
	uint32_t state = vmem_get32(root->state);
	struct json *j = d->json;

	json_object(j, NULL);
	json_number(j, "slot", slot);
	json_bool(j, "valid", valid);
	if (valid) {
		json_bool(j, "newest", root == dump_newest_root(d));
		json_number(j, "seq", vmem_get64(root->seq));
		json_bool(j, "mounted", state & VMEM_STATE_MOUNTED);
		json_bool(j, "needs_check", state & VMEM_STATE_NEEDS_CHECK);
		json_bool(j, "error", state & VMEM_STATE_ERROR);
		json_string(j, "domain", dump_domain(vmem_get32(root->domain)));
		json_number(j, "tail", vmem_get64(root->tail));
		json_number(j, "applied", vmem_get64(root->applied));
		json_hex(j, "generation", root->generation, VMEM_GENERATION_LEN);
		json_number(j, "mount_count", vmem_get64(root->mount_count));
		dump_json_time(j, "mount_time", (int64_t)vmem_get64(root->mount_time));
		dump_json_time(j, "write_time", (int64_t)vmem_get64(root->write_time));
		json_number(j, "grow_from", vmem_get64(root->grow_from));
		json_number(j, "grow_to", vmem_get64(root->grow_to));
	}
	json_close(j);
}

static void put_geometry(struct json *j, const struct vmem_superblock *sb)
{
	json_number(j, "nr_blocks", vmem_get64(sb->nr_blocks));
	json_number(j, "max_blocks", vmem_sb_max_blocks(sb));
	json_number(j, "nr_inodes", vmem_get64(sb->nr_inodes));
	json_number(j, "desc_start", vmem_get64(sb->desc_start));
	json_number(j, "log_start", vmem_get64(sb->log_start));
	json_number(j, "log_blocks", vmem_get64(sb->log_blocks));
	json_number(j, "agmeta0", vmem_get64(sb->agmeta0));
	json_number(j, "backup", vmem_get64(sb->backup));
	json_number(j, "ag_blocks", vmem_get32(sb->ag_blocks));
	json_number(j, "nr_ags", vmem_get32(sb->nr_ags));
	json_number(j, "inodes_per_ag", vmem_get32(sb->inodes_per_ag));
	json_number(j, "itable_blocks", vmem_get32(sb->itable_blocks));
}

void dump_json_superblock(const struct dump *d)
{
	const struct vmem_superblock *sb = d->sb;
	const uint8_t *backup = dump_block(d, vmem_get64(sb->backup));
	struct json *j = d->json;
	char version[16];

	snprintf(version, sizeof(version), "%u.%u", vmem_get16(sb->version_major), vmem_get16(sb->version_minor));
	json_object(j, "superblock");
	json_bool(j, "csum_ok", vmem_get32(sb->csum) == vmem_superblock_csum(d->env->crc32c, sb));
	json_bool(j, "backup_ok", backup && !memcmp(sb, backup, sizeof(*sb)));
	json_string(j, "version", version);
	json_hex_number(j, "compat", vmem_get64(sb->compat), 1);
	json_hex_number(j, "ro_compat", vmem_get64(sb->ro_compat), 1);
	json_hex_number(j, "incompat", vmem_get64(sb->incompat), 1);
	put_uuid(j, "uuid", sb->uuid);
	json_name(j, "label", sb->label, strnlen((const char *)sb->label, VMEM_LABEL_LEN));
	json_number(j, "block_size", VMEM_BLOCK_SIZE);
	put_geometry(j, sb);
	dump_json_time(j, "created", (int64_t)vmem_get64(sb->created));
	json_close(j);
	json_list(j, "roots");
	put_root(d, 0);
	put_root(d, 1);
	json_close(j);
}

/* ---- Inodes ---------------------------------------------------------------- */

static const char *type_name(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG: return "file";
	case S_IFDIR: return "directory";
	case S_IFLNK: return "symlink";
	case S_IFCHR: return "character device";
	case S_IFBLK: return "block device";
	case S_IFIFO: return "fifo";
	case S_IFSOCK: return "socket";
	default: return "unknown";
	}
}

static void put_mode(struct json *j, const struct vmem_dinode *di)
{
	uint32_t mode = vmem_get16(di->mode), rdev = vmem_get32(di->rdev);
	char octal[8], letters[DUMP_FLAGS];

	snprintf(octal, sizeof(octal), "%04o", mode & 07777);
	json_string(j, "type", type_name(mode));
	json_string(j, "mode", octal);
	json_number(j, "nlink", vmem_get32(di->nlink));
	json_number(j, "uid", vmem_get32(di->uid));
	json_number(j, "gid", vmem_get32(di->gid));
	json_number(j, "size", vmem_get64(di->size));
	json_number(j, "blocks", vmem_get64(di->blocks));
	if (S_ISCHR(mode) || S_ISBLK(mode)) {
		json_number(j, "major", (rdev >> 8) & 0xfff);
		json_number(j, "minor", (rdev & 0xff) | ((rdev >> 12) & 0xfff00));
	}
	dump_json_time(j, "atime", (int64_t)vmem_get64(di->atime));
	dump_json_time(j, "mtime", (int64_t)vmem_get64(di->mtime));
	dump_json_time(j, "ctime", (int64_t)vmem_get64(di->ctime));
	dump_json_time(j, "btime", (int64_t)vmem_get64(di->btime));
	dump_flags(vmem_get32(di->flags), letters);
	json_string(j, "flags", letters);
}

/* The bytes of a value that lies in blocks, as far as they can be read. */
static size_t read_value(const struct dump *d, const struct xattr_item *x, uint8_t *buf)
{
	size_t size = xattr_ref_size(x), done = 0;
	unsigned int run;
	uint64_t block, nr;

	if (size > VMEM_XATTR_MAX_VALUE)
		return 0;
	for (run = 0; run < xattr_ref_runs(x); run++) {
		xattr_ref_run(x, run, &block, &nr);
		for (; nr && done < size; nr--, block++) {
			const uint8_t *p = dump_block(d, block);
			size_t n = size - done < VMEM_XATTR_NODE_SPACE ? size - done : VMEM_XATTR_NODE_SPACE;

			if (!p)
				return done;
			memcpy(buf + done, p + VMEM_NODE_HEAD, n);
			done += n;
		}
	}
	return done;
}

static void put_xattr(const struct dump *d, const struct xattr_item *x)
{
	static uint8_t buf[VMEM_XATTR_MAX_VALUE];
	const char *prefix = xattr_prefix_at(x->index)->text;
	uint8_t name[32 + 255];
	size_t len = strlen(prefix);
	struct json *j = d->json;

	memcpy(name, prefix, len);
	memcpy(name + len, x->name, x->name_len);
	json_object(j, NULL);
	json_name(j, "name", name, len + x->name_len);
	json_number(j, "size", x->outside ? xattr_ref_size(x) : x->size);
	if (x->outside)
		json_hex(j, "value", buf, read_value(d, x, buf));
	else
		json_hex(j, "value", x->value, x->size);
	json_close(j);
}

static void put_xattrs(const struct dump *d, const struct vmem_dinode *di)
{
	const uint8_t *p, *end;
	struct xattr_item x;

	dump_xattr_set(d, di, &p, &end);
	json_list(d->json, "xattrs");
	for (; xattr_item_at(p, end, &x); p += x.total)
		put_xattr(d, &x);
	json_close(d->json);
}

static void put_target(const struct dump *d, const struct vmem_dinode *di)
{
	const uint8_t *p;
	size_t len;

	if (!S_ISLNK(vmem_get16(di->mode)))
		return;
	p = dump_target(d, di, &len);
	json_name(d->json, "target", p, len);
}

void dump_json_entry(const struct dump *d, const uint8_t *path, size_t len, uint64_t ino,
		     const struct vmem_dinode *di)
{
	struct json *j = d->json;

	json_object(j, NULL);
	json_name(j, "path", path, len);
	json_number(j, "ino", ino);
	if (di) {
		put_mode(j, di);
		put_target(d, di);
		put_xattrs(d, di);
	} else {
		json_string(j, "type", "unused");
	}
	json_close(j);
}

static int put_extent(void *ctx, const struct vmem_extent *e)
{
	struct json *j = ctx;

	json_object(j, NULL);
	json_number(j, "file_block", ext_lblk(e));
	json_number(j, "blocks", ext_len(e));
	json_number(j, "block", ext_pblk(e));
	json_bool(j, "unwritten", ext_unwritten(e));
	json_close(j);
	return 0;
}

static int put_dirent(void *ctx, const struct vmem_dirent *de)
{
	struct json *j = ctx;

	json_object(j, NULL);
	json_name(j, "name", de->name, de->name_len);
	json_number(j, "ino", vmem_get32(de->ino));
	json_string(j, "type", type_name((uint32_t)de->type << 12));
	json_hex_number(j, "hash", vmem_get64(de->hash), 16);
	json_close(j);
	return 0;
}

void dump_json_inode(const struct dump *d, uint64_t ino, const struct vmem_dinode *di)
{
	struct json *j = d->json;
	bool used = vmem_get16(di->mode);

	json_object(j, "inode");
	json_number(j, "ino", ino);
	json_bool(j, "used", used);
	if (used) {
		json_bool(j, "csum_ok", vmem_get32(di->csum) == vmem_inode_csum(d->env->crc32c, di, ino));
		put_mode(j, di);
		json_number(j, "generation", vmem_get32(di->generation));
		json_number(j, "parent", vmem_get32(di->parent));
		put_target(d, di);
		put_xattrs(d, di);
	}
	if (used && vmem_get16(di->format) == VMEM_FMT_DIR) {
		json_list(j, "entries");
		dump_dirents(d, di, put_dirent, j);
		json_close(j);
	} else if (used && vmem_get16(di->format) == VMEM_FMT_EXTENTS) {
		json_list(j, "extents");
		dump_extents(d, di, put_extent, j);
		json_close(j);
	}
	json_close(j);
}
