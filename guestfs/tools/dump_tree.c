// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* dump_tree.c - inodes, extents, directories */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "dump.h"
#include "medium/fields.h"
#include "xattr_names.h"

#define MAX_DEPTH	1000u	/* directories below each other that -t follows */

const struct vmem_dinode *dump_find_inode(const struct dump *d, uint64_t ino)
{
	uint64_t ag = ino / d->inodes_per_ag, idx = ino % d->inodes_per_ag;
	const struct vmem_ag_desc *desc;

	if (ino == 0 || ag >= vmem_get32(d->sb->nr_ags))
		return NULL;
	desc = (const struct vmem_ag_desc *)dump_block(d, vmem_get64(d->sb->desc_start)) + ag;
	if (idx / VMEM_INODES_PER_BLOCK >= vmem_get32(desc->itable_init))
		return NULL;
	return (const struct vmem_dinode *)
		dump_block(d, vmem_sb_group_meta(d->sb, (uint32_t)ag) + 2) + idx;
}

static char type_letter(uint32_t mode)
{
	static const char letters[16] = "?pc?d?b?-?l?s???";

	return letters[(mode & S_IFMT) >> 12];
}

/* Names and targets may hold anything: show only what a terminal stands. */
static void print_name(const uint8_t *name, size_t len)
{
	for (; len; len--, name++) {
		if (*name < ' ' || *name == 127 || *name == '\\')
			printf("\\%03o", *name);
		else
			putchar(*name);
	}
}

/* ---- Extents ------------------------------------------------------------- */

static int walk_extents(const struct dump *d, const struct vmem_extent *e, uint32_t count,
			uint32_t level, uint64_t *budget, dump_extent_fn fn, void *ctx)
{
	uint32_t i;
	int err = 0;

	for (i = 0; i < count && !err; i++) {
		uint64_t pblk = ext_pblk(&e[i]);
		const struct vmem_node *node;

		if (!level) {
			err = fn(ctx, &e[i]);
			continue;
		}
		node = (const struct vmem_node *)dump_block(d, pblk);
		if (!node || vmem_get32(node->magic) != VMEM_EXT_NODE_MAGIC ||
		    vmem_get16(node->level) != level - 1 ||
		    vmem_get16(node->count) > VMEM_NODE_ENTRIES || !*budget) {
			tool_error("block %llu is not the extent node it should be", (ull)pblk);
			continue;
		}
		--*budget;
		err = walk_extents(d, (const struct vmem_extent *)(node + 1),
				   vmem_get16(node->count), level - 1, budget, fn, ctx);
	}
	return err;
}

int dump_extents(const struct dump *d, const struct vmem_dinode *di, dump_extent_fn fn, void *ctx)
{
	uint64_t budget = d->nr_blocks;
	uint32_t depth = vmem_get16(di->depth), count = vmem_get16(di->nr_ext);

	if (depth > VMEM_EXT_MAX_DEPTH || count > root_extents(di)) {
		tool_error("extent tree of depth %u with %u entries", depth, count);
		return -1;
	}
	return walk_extents(d, di->u.ext, count, depth, &budget, fn, ctx);
}

static int print_extent(void *ctx, const struct vmem_extent *e)
{
	(void)ctx;
	printf("  %12llu %10llu blocks at %llu%s\n", (ull)ext_lblk(e), (ull)ext_len(e), (ull)ext_pblk(e),
	       ext_unwritten(e) ? ", unwritten" : "");
	return 0;
}

/* ---- Directories --------------------------------------------------------- */

static int walk_leaf(const uint8_t *leaf, dump_dirent_fn fn, void *ctx)
{
	uint32_t off, rec_len;
	int err = 0;

	for (off = VMEM_NODE_HEAD; off < VMEM_BLOCK_SIZE && !err; off += rec_len) {
		const struct vmem_dirent *de = (const struct vmem_dirent *)(leaf + off);

		if (VMEM_BLOCK_SIZE - off < VMEM_DIRENT_HEAD)
			break;
		rec_len = vmem_get16(de->rec_len);
		if (rec_len < VMEM_DIRENT_HEAD || rec_len % 8 || rec_len > VMEM_BLOCK_SIZE - off)
			break;
		if (vmem_get32(de->ino) && VMEM_DIRENT_HEAD + de->name_len <= rec_len)
			err = fn(ctx, de);
	}
	return err;
}

static int walk_dir(const struct dump *d, uint64_t block, uint32_t level, uint64_t *budget,
		    dump_dirent_fn fn, void *ctx)
{
	const struct vmem_node *node = (const struct vmem_node *)dump_block(d, block);
	uint32_t magic = level ? VMEM_DIR_INDEX_MAGIC : VMEM_DIR_LEAF_MAGIC, i;
	const struct vmem_dir_index *idx;
	int err = 0;

	if (!node || vmem_get32(node->magic) != magic || vmem_get16(node->level) != level ||
	    vmem_get16(node->count) > VMEM_NODE_ENTRIES || !*budget) {
		tool_error("block %llu is not the directory node it should be", (ull)block);
		return 0;
	}
	--*budget;
	if (!level)
		return walk_leaf((const uint8_t *)node, fn, ctx);
	idx = (const struct vmem_dir_index *)(node + 1);
	for (i = 0; i < vmem_get16(node->count) && !err; i++)
		err = walk_dir(d, vmem_get64(idx[i].block), level - 1, budget, fn, ctx);
	return err;
}

int dump_dirents(const struct dump *d, const struct vmem_dinode *di, dump_dirent_fn fn, void *ctx)
{
	uint32_t height = vmem_get32(di->u.dir.height);
	uint64_t budget = d->nr_blocks;

	if (height > VMEM_DIR_MAX_HEIGHT) {
		tool_error("directory tree of height %u", height);
		return -1;
	}
	if (!height)
		return 0;
	return walk_dir(d, vmem_get64(di->u.dir.root), height - 1, &budget, fn, ctx);
}

static int print_dirent(void *ctx, const struct vmem_dirent *de)
{
	(void)ctx;
	printf("  %10u %c %016llx ", vmem_get32(de->ino), type_letter((uint32_t)de->type << 12),
	       (ull)vmem_get64(de->hash));
	print_name(de->name, de->name_len);
	putchar('\n');
	return 0;
}

/* ---- One inode ----------------------------------------------------------- */

const uint8_t *dump_target(const struct dump *d, const struct vmem_dinode *di, size_t *len)
{
	uint64_t size = vmem_get64(di->size);
	const uint8_t *p = di->u.bytes;

	if (vmem_get16(di->format) == VMEM_FMT_EXTENTS)
		p = dump_block(d, vmem_get64(di->u.ext[0].w1) & ((1ull << VMEM_PBLK_BITS) - 1));
	else if (size > payload_size(di))
		size = payload_size(di);
	*len = p ? size < VMEM_BLOCK_SIZE ? (size_t)size : VMEM_BLOCK_SIZE : 0;
	return p;
}

static void print_target(const struct dump *d, const struct vmem_dinode *di)
{
	size_t len;
	const uint8_t *p = dump_target(d, di, &len);

	print_name(p, len);
}

/* ---- Extended attributes --------------------------------------------------- */

static void print_value(const struct xattr_item *x)
{
	uint64_t block, nr;
	unsigned int i;

	if (x->outside) {
		printf(" %u bytes in blocks", xattr_ref_size(x));
		for (i = 0; i < xattr_ref_runs(x); i++) {
			xattr_ref_run(x, i, &block, &nr);
			printf(" %llu+%llu", (ull)block, (ull)nr);
		}
		return;
	}
	printf(" %u bytes", x->size);
	for (i = 0; i < x->size && i < 64; i++)
		printf("%s%02x", i ? "" : " ", x->value[i]);
	if (i < x->size)
		fputs("...", stdout);
}

const struct vmem_xattr_node *dump_xattr_set(const struct dump *d, const struct vmem_dinode *di,
					     const uint8_t **p, const uint8_t **end)
{
	uint64_t block = vmem_get64(di->xattr);
	const struct vmem_xattr_node *node = block ? (const void *)dump_block(d, block) : NULL;
	uint32_t len;

	*p = di->u.bytes + payload_size(di);
	*end = block ? *p : di->u.bytes + VMEM_PAYLOAD_SIZE;
	if (node) {
		len = vmem_get32(node->len);
		*p = (const uint8_t *)(node + 1);
		*end = *p + (len < VMEM_XATTR_NODE_SPACE ? len : VMEM_XATTR_NODE_SPACE);
	}
	return node;
}

static void print_xattrs(const struct dump *d, const struct vmem_dinode *di)
{
	const uint8_t *p, *end;
	const struct vmem_xattr_node *node = dump_xattr_set(d, di, &p, &end);
	struct xattr_item x;

	if (node)
		printf("  attributes  in block %llu, %u bytes of inode %llu, csum %08x\n",
		       (ull)vmem_get64(di->xattr), vmem_get32(node->len), (ull)vmem_get64(node->owner),
		       vmem_get32(node->csum));
	else if (p < end && di->xattr_units)
		printf("  attributes  in the inode, %u units\n", di->xattr_units);
	for (; xattr_item_at(p, end, &x); p += x.total) {
		printf("    %s", xattr_prefix_at(x.index)->text);
		print_name(x.name, x.name_len);
		print_value(&x);
		putchar('\n');
	}
}

static void print_payload(const struct dump *d, const struct vmem_dinode *di)
{
	if (vmem_get16(di->format) == VMEM_FMT_DIR) {
		printf("  entries     %llu, height %u, root block %llu\n",
		       (ull)vmem_get64(di->u.dir.nr_entries), vmem_get32(di->u.dir.height),
		       (ull)vmem_get64(di->u.dir.root));
		dump_dirents(d, di, print_dirent, NULL);
	} else if (vmem_get16(di->format) == VMEM_FMT_EXTENTS) {
		printf("  extents     depth %u, %u in the inode\n", vmem_get16(di->depth),
		       vmem_get16(di->nr_ext));
		dump_extents(d, di, print_extent, NULL);
	}
	if (S_ISLNK(vmem_get16(di->mode))) {
		printf("  target      ");
		print_target(d, di);
		putchar('\n');
	}
}

void dump_flags(uint32_t flags, char letters[DUMP_FLAGS])
{
	static const struct {
		uint32_t flag;
		char letter;
	} known[] = {
		{ VMEM_FL_SYNC, 'S' }, { VMEM_FL_DIRSYNC, 'D' }, { VMEM_FL_IMMUTABLE, 'i' },
		{ VMEM_FL_APPEND, 'a' }, { VMEM_FL_NODUMP, 'd' }, { VMEM_FL_NOATIME, 'A' },
	};
	unsigned int i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (flags & known[i].flag)
			*letters++ = known[i].letter;
	*letters = 0;
}

int dump_inode(const struct dump *d, uint64_t ino)
{
	const struct vmem_dinode *di = dump_find_inode(d, ino);
	char buf[40], letters[DUMP_FLAGS];
	bool csum_ok;

	if (!di) {
		tool_error("inode %llu is not initialised or does not exist", (ull)ino);
		return 1;
	}
	if (d->json) {
		dump_json_inode(d, ino, di);
		return 0;
	}
	csum_ok = vmem_get32(di->csum) == vmem_inode_csum(d->env->crc32c, di, ino);
	printf("inode %llu:%s\n", (ull)ino, vmem_get16(di->mode) ? "" : " free");
	printf("  csum        %08x%s\n", vmem_get32(di->csum),
	       csum_ok || !vmem_get16(di->mode) ? "" : " WRONG");
	printf("  mode        %o (%c), format %u\n", vmem_get16(di->mode),
	       type_letter(vmem_get16(di->mode)), vmem_get16(di->format));
	printf("  uid, gid    %u, %u\n", vmem_get32(di->uid), vmem_get32(di->gid));
	printf("  nlink       %u\n", vmem_get32(di->nlink));
	dump_flags(vmem_get32(di->flags), letters);
	printf("  flags       %x%s%s\n", vmem_get32(di->flags), *letters ? " " : "", letters);
	printf("  size        %llu bytes, %llu blocks\n", (ull)vmem_get64(di->size),
	       (ull)vmem_get64(di->blocks));
	printf("  atime       %s\n", dump_time((int64_t)vmem_get64(di->atime), buf));
	printf("  mtime       %s\n", dump_time((int64_t)vmem_get64(di->mtime), buf));
	printf("  ctime       %s\n", dump_time((int64_t)vmem_get64(di->ctime), buf));
	printf("  btime       %s\n", dump_time((int64_t)vmem_get64(di->btime), buf));
	printf("  generation  %u\n", vmem_get32(di->generation));
	printf("  rdev        %x\n", vmem_get32(di->rdev));
	printf("  parent      %u\n", vmem_get32(di->parent));
	printf("  xattr       %llu\n", (ull)vmem_get64(di->xattr));
	if (vmem_get16(di->mode)) {
		print_xattrs(d, di);
		print_payload(d, di);
	}
	return 0;
}

/* ---- Contents ------------------------------------------------------------ */

struct contents {
	const struct dump *d;
	uint64_t pos, size;
};

static int write_bytes(const uint8_t *p, uint64_t len)
{
	static const uint8_t zeros[VMEM_BLOCK_SIZE];

	while (len) {
		size_t n = p || len < sizeof(zeros) ? (size_t)len : sizeof(zeros);

		if (fwrite(p ? p : zeros, 1, n, stdout) != n) {
			tool_error("cannot write: %s", strerror(errno));
			return -1;
		}
		len -= n;
	}
	return 0;
}

static int write_hole(struct contents *c, uint64_t end)
{
	uint64_t from = c->pos;

	if (end > c->size)
		end = c->size;
	if (end <= from)
		return 0;
	c->pos = end;
	return write_bytes(NULL, end - from);
}

static int write_extent(void *ctx, const struct vmem_extent *e)
{
	struct contents *c = ctx;
	uint64_t lblk = ext_lblk(e), len = ext_len(e), pblk = ext_pblk(e);
	uint64_t end = (lblk + len) << VMEM_BLOCK_SHIFT, n;

	if (ext_unwritten(e))
		return write_hole(c, end);
	if (write_hole(c, lblk << VMEM_BLOCK_SHIFT))
		return -1;
	if (pblk >= c->d->nr_blocks || len > c->d->nr_blocks - pblk ||
	    c->pos != lblk << VMEM_BLOCK_SHIFT) {
		tool_error("extent at %llu is damaged", (ull)lblk);
		return -1;
	}
	if (end > c->size)
		end = c->size;
	if (end <= c->pos)
		return 0;
	n = end - c->pos;
	c->pos = end;
	return write_bytes(dump_block(c->d, pblk), n);
}

int dump_contents(const struct dump *d, uint64_t ino)
{
	const struct vmem_dinode *di = dump_find_inode(d, ino);
	struct contents c = { .d = d };

	if (!di || !S_ISREG(vmem_get16(di->mode)) || vmem_get16(di->format) != VMEM_FMT_EXTENTS) {
		tool_error("inode %llu is not a file", (ull)ino);
		return 1;
	}
	c.size = vmem_get64(di->size);
	return dump_extents(d, di, write_extent, &c) || write_hole(&c, c.size) ? 1 : 0;
}

/* ---- The tree ------------------------------------------------------------ */

/* One directory on the way down; names lead back up to the root. */
struct level {
	const struct dump *d;
	const struct level *up;
	uint8_t *seen;			/* a bit per inode: directories shown */
	const struct vmem_dirent *name;	/* NULL: the root */
	uint32_t depth;
};

static void print_path(const struct level *l)
{
	if (!l->name)
		return;
	print_path(l->up);
	putchar('/');
	print_name(l->name->name, l->name->name_len);
}

static size_t path_length(const struct level *l)
{
	return l->name ? path_length(l->up) + 1 + l->name->name_len : 0;
}

/* Into the bytes that end at `end`. */
static void copy_path(const struct level *l, uint8_t *end)
{
	for (; l->name; l = l->up) {
		end -= l->name->name_len;
		memcpy(end, l->name->name, l->name->name_len);
		*--end = '/';
	}
}

/* di is NULL: the name leads to nothing. */
static void show_json(const struct level *l, uint64_t ino, const struct vmem_dinode *di)
{
	size_t len = path_length(l);
	uint8_t *path = malloc(len + 1);

	if (!path) {
		tool_error("out of memory");
		return;
	}
	path[0] = '/';	/* of the root */
	copy_path(l, path + len);
	dump_json_entry(l->d, path, len ? len : 1, ino, di);
	free(path);
}

static void print_line(const struct level *l, uint64_t ino, const struct vmem_dinode *di)
{
	uint32_t mode = vmem_get16(di->mode), rdev = vmem_get32(di->rdev);

	printf("%8llu %c%04o %4u %5u %5u ", (ull)ino, type_letter(mode), mode & 07777,
	       vmem_get32(di->nlink), vmem_get32(di->uid), vmem_get32(di->gid));
	if (S_ISCHR(mode) || S_ISBLK(mode))
		printf("%6u,%5u ", (rdev >> 8) & 0xfff, (rdev & 0xff) | ((rdev >> 12) & 0xfff00));
	else
		printf("%12llu ", (ull)vmem_get64(di->size));
	if (l->name)
		print_path(l);
	else
		putchar('/');
	if (S_ISLNK(mode)) {
		fputs(" -> ", stdout);
		print_target(l->d, di);
	}
	putchar('\n');
}

static void show_line(const struct level *l, uint64_t ino, const struct vmem_dinode *di)
{
	if (l->d->json)
		show_json(l, ino, di);
	else
		print_line(l, ino, di);
}

static int show_entry(void *ctx, const struct vmem_dirent *de)
{
	const struct level *up = ctx;
	struct level l = *up;
	uint64_t ino = vmem_get32(de->ino);
	const struct vmem_dinode *di = dump_find_inode(l.d, ino);

	l.up = up;
	l.name = de;
	l.depth++;
	if (!di || !vmem_get16(di->mode)) {
		if (l.d->json) {
			show_json(&l, ino, NULL);
			return 0;
		}
		printf("%8llu UNUSED ", (ull)ino);
		print_path(&l);
		putchar('\n');
		return 0;
	}
	show_line(&l, ino, di);
	if (!S_ISDIR(vmem_get16(di->mode)) || l.depth > MAX_DEPTH ||
	    l.seen[ino / 8] & 1u << ino % 8)
		return 0;
	l.seen[ino / 8] = (uint8_t)(l.seen[ino / 8] | 1u << ino % 8);
	dump_dirents(l.d, di, show_entry, &l);
	return 0;	/* damage below is told; go on beside it */
}

int dump_tree(const struct dump *d)
{
	const struct vmem_dinode *di = dump_find_inode(d, VMEM_ROOT_INO);
	struct level root = { .d = d };

	if (!di || !S_ISDIR(vmem_get16(di->mode))) {
		tool_error("there is no root directory");
		return 1;
	}
	root.seen = calloc(1, vmem_get64(d->sb->nr_inodes) / 8 + 1);
	if (!root.seen) {
		tool_error("out of memory");
		return TOOL_EXIT_FAILED;
	}
	root.seen[0] = 1u << VMEM_ROOT_INO;
	if (d->json)
		json_list(d->json, "tree");
	show_line(&root, VMEM_ROOT_INO, di);
	dump_dirents(d, di, show_entry, &root);
	if (d->json)
		json_close(d->json);
	free(root.seen);
	return 0;
}
