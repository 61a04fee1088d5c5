// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* bases.c - the images that inputs damage */
#include "fuzz.h"

struct base bases[NR_BASES];

static void must(int64_t err, const char *what)
{
	if (err < 0)
		broken("building an image: %s: %lld", what, (long long)err);
}

static size_t fill(void *ctx, void *addr, size_t len)
{
	memset(addr, *(int *)ctx, len);
	return len;
}

static struct vmem_name name_of(const char *s)
{
	return (struct vmem_name){ s, strlen(s) };
}

static void make(struct vmem_inode *dir, const char *name, unsigned int mode,
		 struct vmem_inode *vi)
{
	struct vmem_attr attr = { .mode = (uint16_t)mode, .uid = 1000, .gid = 1000 };

	must(vmem_create(dir, name_of(name), &attr, vi), name);
}

static void make_link(struct vmem_inode *dir, const char *name, size_t len)
{
	struct vmem_attr attr = { .mode = 0777 };
	char target[BLOCK];
	struct vmem_inode vi;

	memset(target, 't', sizeof(target));
	must(vmem_symlink(dir, name_of(name), target, len, &attr, &vi), name);
	must(vmem_iput(&vi), name);
}

/* nr single blocks with holes between them: as many extents; or blocks in advance, in a node. */
static void make_holes(struct vmem_inode *dir, const char *name, unsigned int nr, bool ahead)
{
	struct vmem_inode vi;
	int c = 'h';
	unsigned int i;

	make(dir, name, 0100644, &vi);
	for (i = 0; i < nr; i++)
		must(vmem_write(&vi, (uint64_t)i * 2 * BLOCK + i, 100, fill, &c), name);
	if (ahead)
		must(vmem_fallocate(&vi, VMEM_FALLOC_ZERO_RANGE, 10 * BLOCK, 4 * BLOCK), name);
	must(vmem_iput(&vi), name);
}

static void make_big_dir(struct vmem_inode *dir, const char *name, unsigned int nr)
{
	struct vmem_inode d, vi;
	char text[VMEM_NAME_MAX + 1];
	unsigned int i;

	make(dir, name, 0040755, &d);
	for (i = 0; i < nr; i++) {
		memset(text, 'n', sizeof(text));
		snprintf(text + 200, sizeof(text) - 200, "%u", i);
		make(&d, text, 0100644, &vi);
		must(vmem_iput(&vi), text);
	}
	must(vmem_iput(&d), name);
}

static void label(struct vmem_inode *vi, unsigned int index, const char *name, size_t size)
{
	static uint8_t value[VMEM_XATTR_MAX_VALUE];
	struct vmem_xattr x = { index, name_of(name), value, size, 0 };

	memset(value, 'v', sizeof(value));
	must(vmem_setxattr(vi, &x, 1, 0, NULL), name);
}

/* One of each kind, under names that the operations know. */
static void populate(struct vmem_fs *fs, unsigned int holes, unsigned int entries)
{
	struct vmem_inode root, vi, sub;
	int c = 'f';

	must(vmem_iget(fs, VMEM_ROOT_INO, &root), "root");
	make(&root, "f0", 0100644, &vi);
	must(vmem_write(&vi, 0, 5 * BLOCK + 77, fill, &c), "f0");
	make(&root, "d0", 0040755, &sub);
	must(vmem_link(&sub, name_of("f1"), &vi), "f1");
	/* In the inode; in a block; with values in blocks. */
	/* Blocks in advance: between data, and behind the end. */
	must(vmem_fallocate(&vi, VMEM_FALLOC_ZERO_RANGE, 2 * BLOCK, BLOCK), "f0");
	must(vmem_fallocate(&vi, VMEM_FALLOC_KEEP_SIZE, 8 * BLOCK, 3 * BLOCK), "f0");
	label(&vi, VMEM_XATTR_SECURITY, "label", 30);
	label(&vi, VMEM_XATTR_ACL_ACCESS, "", 44);
	label(&sub, VMEM_XATTR_ACL_DEFAULT, "", 44);
	label(&sub, VMEM_XATTR_USER, "a", 800);
	must(vmem_iput(&vi), "f0");
	make(&sub, "d1", 0040755, &vi);
	must(vmem_iput(&vi), "d1");
	make(&sub, "f2", 0100644, &vi);
	must(vmem_write(&vi, 1ull << 40, 10, fill, &c), "f2");
	label(&vi, VMEM_XATTR_USER, "a", 9000);
	label(&vi, VMEM_XATTR_TRUSTED, "b", 500);
	label(&vi, VMEM_XATTR_USER, "c", 3000);
	must(vmem_iput(&vi), "f2");
	must(vmem_iput(&sub), "d0");
	make(&root, "p0", 0010644, &vi);
	must(vmem_iput(&vi), "p0");
	make_link(&root, "s0", 20);
	make_link(&root, "s1", 600);
	make_holes(&root, "h0", holes, true);
	make_big_dir(&root, "b0", entries);
	must(vmem_iput(&root), "root");
}

/* ---- Deep trees: valid, but nothing small enough grows them by itself ---- */

static struct vmem_dinode *inode_at(struct base *b, uint64_t ino)
{
	uint64_t table = vmem_sb_group_meta(&b->sb, (uint32_t)(ino / vmem_get32(b->sb.inodes_per_ag))) + 2;

	return (struct vmem_dinode *)(void *)(b->work + table * BLOCK) +
	       ino % vmem_get32(b->sb.inodes_per_ag);
}

/* A free block of group 0, marked used. */
static uint64_t take_block(struct base *b)
{
	uint8_t *map = b->work + vmem_get64(b->sb.agmeta0) * BLOCK;
	struct vmem_ag_desc *desc = (void *)(b->work + VMEM_DESC_START * BLOCK);
	uint64_t i = 0;

	while (map[i / 8] >> i % 8 & 1)
		i++;
	map[i / 8] = (uint8_t)(map[i / 8] | 1u << i % 8);
	desc->free_blocks = vmem_le32_of(vmem_get32(desc->free_blocks) - 1u);
	return i;
}

static uint8_t *put_node(struct base *b, uint64_t block, uint32_t magic, uint64_t ino,
			 unsigned int level, unsigned int count)
{
	struct vmem_node head = {
		.magic = vmem_le32_of(magic), .level = vmem_le16_of(level),
		.count = vmem_le16_of(count), .owner = vmem_le64_of(ino),
		.self = vmem_le64_of(block),
	};

	memset(b->work + block * BLOCK, 0, BLOCK);
	memcpy(b->work + block * BLOCK, &head, sizeof(head));
	return b->work + block * BLOCK + VMEM_NODE_HEAD;
}

/* Put a node with a single entry above the root, so often. */
static void deepen(struct base *b, uint64_t ino, unsigned int times)
{
	struct vmem_dinode *n = inode_at(b, ino);
	bool dir = vmem_get16(n->format) == VMEM_FMT_DIR;
	uint64_t block, held = vmem_get64(n->blocks);

	for (; times; times--, held++) {
		block = take_block(b);
		if (dir) {
			unsigned int height = vmem_get32(n->u.dir.height);
			struct vmem_dir_index e = { vmem_le64_of(0), n->u.dir.root };

			memcpy(put_node(b, block, VMEM_DIR_INDEX_MAGIC, ino, height, 1), &e, sizeof(e));
			n->u.dir.root = vmem_le64_of(block);
			n->u.dir.height = vmem_le32_of(height + 1);
		} else {
			unsigned int depth = vmem_get16(n->depth), nr = vmem_get16(n->nr_ext);
			struct vmem_extent e = {
				vmem_le64_of(vmem_get64(n->u.ext[0].w0) & VMEM_MAX_LBLK),
				vmem_le64_of(block),
			};

			memcpy(put_node(b, block, VMEM_EXT_NODE_MAGIC, ino, depth, nr), n->u.ext,
			       nr * sizeof(e));
			memset(&n->u, 0, sizeof(n->u));
			n->u.ext[0] = e;
			n->nr_ext = vmem_le16_of(1);
			n->depth = vmem_le16_of(depth + 1);
		}
	}
	n->blocks = vmem_le64_of(held);
	if (dir)
		n->size = vmem_le64_of(held * BLOCK);
	n->csum = vmem_le32_of(vmem_inode_csum(vmem_crc32c, n, ino));
}

static void deepen_all(struct base *b)
{
	uint64_t ino;

	for (ino = VMEM_ROOT_INO; ino < vmem_get32(b->sb.inodes_per_ag); ino++) {
		struct vmem_dinode *n = inode_at(b, ino);

		if (vmem_get16(n->format) == VMEM_FMT_DIR && vmem_get32(n->u.dir.height) == 2)
			deepen(b, ino, 3);
		else if (vmem_get16(n->format) == VMEM_FMT_EXTENTS && vmem_get16(n->depth))
			deepen(b, ino, 3);
	}
}

/* ---- Finding the structures again ---- */

static void note_nodes(struct base *b)
{
	uint64_t i, first = vmem_get64(b->sb.agmeta0) + 2 + vmem_get32(b->sb.itable_blocks);
	uint64_t ino, nr_inodes = vmem_get64(b->sb.nr_inodes);

	for (i = first; i < b->nr_blocks - 1 && b->nr_nodes < 128; i++) {
		const struct vmem_node *n = (const void *)(b->work + i * BLOCK);
		uint32_t magic = vmem_get32(n->magic);

		if (vmem_get64(n->self) == i && (magic == VMEM_DIR_LEAF_MAGIC ||
		    magic == VMEM_DIR_INDEX_MAGIC || magic == VMEM_EXT_NODE_MAGIC ||
		    magic == VMEM_XATTR_SET_MAGIC || magic == VMEM_XATTR_VALUE_MAGIC))
			b->node[b->nr_nodes++] = (uint32_t)i;
	}
	for (ino = 1; ino < nr_inodes && b->nr_inos < 64; ino++) {
		uint16_t format = vmem_get16(inode_at(b, ino)->format);

		/* Of the many empty files a few are enough. */
		if (format && (format != VMEM_FMT_EXTENTS || vmem_get64(inode_at(b, ino)->blocks) ||
			       ino % 8 == 0))
			b->ino[b->nr_inos++] = (uint32_t)ino;
	}
}

static void note_records(struct base *b)
{
	const struct vmem_root *r0 = (const void *)(b->work + BLOCK), *r1 = (const void *)(b->work + 2 * BLOCK);
	const struct vmem_root *r = vmem_get64(r1->seq) > vmem_get64(r0->seq) ? r1 : r0;
	uint64_t size = vmem_get64(b->sb.log_blocks) * BLOCK, lsn = vmem_get64(r->tail);

	while (b->nr_recs < 256) {
		uint64_t off = vmem_get64(b->sb.log_start) * BLOCK + lsn % size;
		const struct vmem_rec *rec = (const void *)(b->work + off);

		if (vmem_get64(rec->lsn) != lsn || !vmem_get32(rec->len))
			break;
		b->rec[b->nr_recs++] = off;
		lsn += vmem_get32(rec->len);
	}
	b->log_end = lsn;
}

/* ---- Building ---- */

static void format_base(struct base *b, const char *name, uint64_t size, uint32_t ag_blocks,
			enum vmem_backing backing)
{
	struct vmem_mkfs_params params = { .ag_blocks = ag_blocks, .label = "fuzz" };

	b->name = name;
	b->nr_blocks = size / BLOCK;
	b->backing = backing;
	b->image = aligned_alloc(BLOCK, size);
	b->work = aligned_alloc(BLOCK, size);
	b->touched = calloc(1, b->nr_blocks);
	if (!b->image || !b->work || !b->touched)
		broken("no memory");
	memset(b->work, 0, size);
	init_world(b);
	must(vmem_mkfs(&world.store, &world.env, &params), "mkfs");
	memcpy(&b->sb, b->work, sizeof(b->sb));
}

static int no_flush(struct vmem_store *store, const struct vmem_range *r, unsigned int nr)
{
	(void)store;
	(void)r;
	(void)nr;
	return 0;
}

static struct vmem_fs *mount_base(enum vmem_domain domain)
{
	struct vmem_mount_opts opts = { .domain = domain };
	struct vmem_fs *fs;

	if (domain == VMEM_DOMAIN_HOST)
		world.store.flush = no_flush;
	must(vmem_mount(&world.store, &world.env, &opts, &fs, NULL), "mount");
	return fs;
}

static void finish_base(struct base *b)
{
	note_nodes(b);
	note_records(b);
	memcpy(b->image, b->work, b->nr_blocks * BLOCK);
}

static void make_clean(struct base *b, const char *name, uint64_t size, uint32_t ag_blocks,
		       unsigned int holes, unsigned int entries)
{
	struct vmem_fs *fs;

	format_base(b, name, size, ag_blocks, VMEM_BACKING_PAGE_CACHE);
	fs = mount_base(VMEM_DOMAIN_GUEST);
	populate(fs, holes, entries);
	must(vmem_umount(fs), "unmount");
	deepen_all(b);
	if (world_check(NULL))
		broken("image %s is not clean", name);
	finish_base(b);
}

/* Nodes that are nearly full: one name or extent more splits an index, or grows a root. */
static void make_wide(struct base *b)
{
	struct vmem_inode root, dir, vi;
	char text[VMEM_NAME_MAX + 1];
	struct vmem_fs *fs;
	unsigned int i;

	format_base(b, "wide", 40ull << 20, 512, VMEM_BACKING_PAGE_CACHE);
	fs = mount_base(VMEM_DOMAIN_GUEST);
	must(vmem_iget(fs, VMEM_ROOT_INO, &root), "root");
	make_holes(&root, "h0", 8 * 253 + 252, false);
	make(&root, "f0", 0100644, &vi);
	make(&root, "b0", 0040755, &dir);
	for (i = 0; vmem_get64(dir.raw.blocks) < 253; i++) {
		memset(text, 'n', sizeof(text));
		snprintf(text + 200, sizeof(text) - 200, "%u", i);
		must(vmem_link(&dir, name_of(text), &vi), text);
	}
	must(vmem_iput(&dir), "b0");
	must(vmem_iput(&vi), "f0");
	must(vmem_iput(&root), "root");
	must(vmem_umount(fs), "unmount");
	finish_base(b);
}

/* Small appended writes that ride in their records, an overwrite that revokes them, groups. */
static void fill_log(struct vmem_fs *fs)
{
	struct vmem_inode root, vi, gone;
	int c = 'l';
	unsigned int i;

	must(vmem_iget(fs, VMEM_ROOT_INO, &root), "root");
	make(&root, "l0", 0100644, &vi);
	for (i = 0; i < 6; i++) {
		must(vmem_write(&vi, i * 300ull, 300, fill, &c), "append");
		must(vmem_fsync(&vi, false), "fsync");
	}
	must(vmem_write(&vi, 0, 3000, fill, &c), "overwrite");
	must(vmem_truncate(&vi, 1000), "truncate");
	must(vmem_sync(fs), "sync");
	make(&root, "gone", 0100644, &gone);
	must(vmem_write(&gone, 0, 3 * BLOCK, fill, &c), "write");
	must(vmem_unlink(&root, name_of("gone"), &gone), "unlink");
	must(vmem_rename(&root, name_of("l0"), &vi, &root, name_of("l1"), NULL, 0), "rename");
	must(vmem_fsync(&root, false), "fsync");
	make(&root, "late", 0040700, &gone);
}

/* A log that was not replayed; several laps old, so that it wraps in the middle. */
static void make_dirty(struct base *b, const char *name, enum vmem_domain domain)
{
	bool pmem = domain == VMEM_DOMAIN_PMEM;
	struct vmem_attr attr = { .mode = 0600 };
	struct vmem_inode root;
	struct vmem_fs *fs;
	unsigned int i;

	format_base(b, name, 2ull << 20, 0, pmem ? VMEM_BACKING_DAX : VMEM_BACKING_PAGE_CACHE);
	fs = mount_base(domain);
	populate(fs, 12, 30);
	must(vmem_iget(fs, VMEM_ROOT_INO, &root), "root");
	for (i = 0; i < 1500; i++) {
		struct vmem_stats st;

		attr.uid = i;
		must(vmem_setattr(&root, VMEM_SET_UID, &attr), "chown");
		vmem_get_stats(fs, &st);
		if (st.record_bytes % (256 << 10) > (254 << 10))
			break;
	}
	must(vmem_iput(&root), "root");
	must(vmem_checkpoint(fs), "checkpoint");
	fill_log(fs);
	world_crash();
	b->dirty = true;
	/* In these domains everything is home: go back, so that there is something to replay. */
	if (domain != VMEM_DOMAIN_HOST)
		for (i = 1; i <= VMEM_NR_ROOTS; i++) {
			struct vmem_root *r = (void *)(b->work + i * BLOCK);

			r->applied = r->tail;
		}
	finish_base(b);
}

void make_bases(void)
{
	if (bases[0].image)
		return;
	make_clean(&bases[BASE_SMALL], "small", 2ull << 20, 0, 60, 60);
	make_clean(&bases[BASE_GROUPS], "groups", 8ull << 20, 512, 270, 120);
	make_dirty(&bases[BASE_LOG_HOST], "log-host", VMEM_DOMAIN_HOST);
	make_dirty(&bases[BASE_LOG_GUEST], "log-guest", VMEM_DOMAIN_GUEST);
	make_dirty(&bases[BASE_LOG_PMEM], "log-pmem", VMEM_DOMAIN_PMEM);
	make_wide(&bases[BASE_WIDE]);
}
