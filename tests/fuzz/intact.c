// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * intact.c - what the damage did not touch
 *
 * A file is intact when its inode, its bit in the inode bitmap and every block
 * that it holds are as they were built; a name, when the directory that holds
 * it and the file that it leads to are.
 */
#include "intact.h"

struct known_name {
	uint32_t dir, ino;
	const struct vmem_dirent *de;		/* in base->image */
};

struct known {
	uint32_t nr_inodes, nr_names;
	uint32_t *owner;			/* per block: the inode that holds it */
	uint64_t *digest;			/* per inode: 0 = not in use */
	struct known_name *names;
};

static struct known known[NR_BASES];
static bool *intact;				/* per inode of the base in use; NULL: cannot be told */

static struct known *this_known(void)
{
	return &known[world.base - bases];
}

static const struct vmem_dinode *built_inode(uint64_t ino)
{
	const struct base *b = world.base;
	uint32_t per_ag = vmem_get32(b->sb.inodes_per_ag);
	uint64_t table = vmem_sb_group_meta(&b->sb, (uint32_t)(ino / per_ag)) + 2;

	return (const struct vmem_dinode *)(const void *)(b->image + table * BLOCK) + ino % per_ag;
}

/* ---- Contents ---- */

__attribute__((no_sanitize("address", "undefined")))
static uint64_t hash_words(uint64_t h, const void *p, size_t len)
{
	const uint64_t *w = p;

	for (len /= 8; len; len--)
		h = (h ^ *w++) * 0x9e3779b97f4a7c15ull + (h >> 29);
	return h;
}

static bool all_zero_block(const uint8_t *p)
{
	return !p[0] && !memcmp(p, p + 1, BLOCK - 1);
}

/* Every block of a file; those of zeros count as holes do. */
static uint64_t hash_file(struct vmem_inode *vi, uint64_t h)
{
	uint64_t end = (vmem_size(vi) + BLOCK - 1) / BLOCK, lblk = 0, i;
	struct vmem_map map;

	while (lblk < end && !vmem_map(vi, lblk, end - lblk, &map) && map.nr) {
		for (i = 0; map.pblk && i < map.nr; i++) {
			const uint8_t *p = world.store.base + (map.pblk + i) * BLOCK;
			uint64_t at = lblk + i;

			if (!all_zero_block(p))
				h = hash_words(hash_words(h, &at, 8), p, BLOCK);
		}
		lblk += map.nr;
	}
	return lblk < end ? 1 : h;
}

static uint64_t hash_xattrs(struct vmem_inode *vi, uint64_t h)
{
	static const char *const names[] = { "a", "b", "c", "label" };
	static uint64_t value[VMEM_XATTR_MAX_VALUE / 8];
	unsigned int index, i;

	for (index = VMEM_XATTR_USER; index <= VMEM_XATTR_ACL_DEFAULT; index++)
		for (i = 0; i < (index < VMEM_XATTR_ACL_ACCESS ? 4 : 1); i++) {
			struct vmem_name name = { names[i], index < VMEM_XATTR_ACL_ACCESS ? strlen(names[i]) : 0 };
			int64_t len;

			memset(value, 0, sizeof(value));
			len = vmem_getxattr(vi, index, name, value, sizeof(value));
			if (len > 0)
				h = hash_words(h, value, ((size_t)len + 7) / 8 * 8);
		}
	return h;
}

static uint64_t digest_of(struct vmem_fs *fs, uint64_t ino)
{
	uint64_t h = 0x243f6a8885a308d3ull;
	struct vmem_inode vi;
	struct vmem_attr a;
	char text[BLOCK] = { 0 };

	if (vmem_iget(fs, ino, &vi))
		return 0;
	vmem_getattr(&vi, &a);
	h = hash_xattrs(&vi, h);
	h = hash_words(h, &(uint64_t){ a.mode | (uint64_t)a.uid << 32 }, 8);
	if ((a.mode & 0170000) == 0100000)
		h = hash_file(&vi, hash_words(h, &a.size, 8));
	else if ((a.mode & 0170000) == 0120000 && vmem_readlink(&vi, text, sizeof(text)) > 0)
		h = hash_words(hash_words(h, &a.size, 8), text, sizeof(text));
	vmem_iput(&vi);
	return h | 1;
}

/* ---- What there was ---- */

static void own(struct known *k, uint64_t block, uint64_t nr, uint64_t ino)
{
	for (; nr; nr--, block++)
		k->owner[block] = (uint32_t)ino;
}

static void own_extents(struct known *k, const struct vmem_extent *e, unsigned int nr, uint64_t ino)
{
	for (; nr; nr--, e++)
		own(k, vmem_get64(e->w1) & ((1ull << VMEM_PBLK_BITS) - 1),
		    (vmem_get64(e->w0) >> VMEM_LBLK_BITS) + 1, ino);
}

static void note_names(struct known *k, const uint8_t *leaf, uint64_t dir)
{
	const struct vmem_dirent *de;
	unsigned int off;

	for (off = VMEM_NODE_HEAD; off < BLOCK; off += vmem_get16(de->rec_len)) {
		de = (const void *)(leaf + off);
		if (!vmem_get32(de->ino))
			continue;
		k->names = realloc(k->names, (k->nr_names + 1) * sizeof(*k->names));
		if (!k->names)
			abort();
		k->names[k->nr_names++] = (struct known_name){ (uint32_t)dir, vmem_get32(de->ino), de };
	}
}

/* Nodes say whose they are; free blocks hold old ones, so only blocks in use count. */
static void note_blocks(struct known *k)
{
	const struct base *b = world.base;
	uint32_t per_ag = vmem_get32(b->sb.ag_blocks);
	uint64_t i, ino;

	for (i = vmem_get64(b->sb.agmeta0); i < b->nr_blocks; i++) {
		const uint8_t *map = b->image + vmem_sb_group_meta(&b->sb, (uint32_t)(i / per_ag)) * BLOCK;
		const struct vmem_node *n = (const void *)(b->image + i * BLOCK);
		uint32_t magic = vmem_get32(n->magic);

		if (!(map[i % per_ag / 8] >> i % 8 & 1) || vmem_get64(n->self) != i)
			continue;
		if (magic == VMEM_DIR_LEAF_MAGIC)
			note_names(k, (const uint8_t *)n, vmem_get64(n->owner));
		else if (magic == VMEM_EXT_NODE_MAGIC && !vmem_get16(n->level))
			own_extents(k, (const void *)(n + 1), vmem_get16(n->count), vmem_get64(n->owner));
		if (magic == VMEM_DIR_LEAF_MAGIC || magic == VMEM_DIR_INDEX_MAGIC || magic == VMEM_EXT_NODE_MAGIC ||
		    magic == VMEM_XATTR_SET_MAGIC || magic == VMEM_XATTR_VALUE_MAGIC)
			own(k, i, 1, vmem_get64(n->owner));
	}
	for (ino = 1; ino < k->nr_inodes; ino++) {
		const struct vmem_dinode *n = built_inode(ino);

		if (vmem_get16(n->mode) && vmem_get16(n->format) == VMEM_FMT_EXTENTS && !vmem_get16(n->depth))
			own_extents(k, n->u.ext, vmem_get16(n->nr_ext), ino);
	}
}

static struct vmem_fs *mount_as_it_lies(void)
{
	struct vmem_mount_opts opts = { .no_recovery = true, .check = true };
	struct vmem_fs *fs;

	if (vmem_mount(&world.store, &world.env, &opts, &fs, NULL))
		broken("an image that should be sound cannot be mounted");
	return fs;
}

static void learn(struct known *k)
{
	struct base *b = world.base;
	struct vmem_store store = world.store;
	uint64_t fail_at = world.fail_at, ino;
	struct vmem_fs *fs;

	k->nr_inodes = (uint32_t)vmem_get64(b->sb.nr_inodes);
	k->owner = calloc(b->nr_blocks, sizeof(*k->owner));
	k->digest = calloc(k->nr_inodes, sizeof(*k->digest));
	if (!k->owner || !k->digest)
		abort();
	world.fail_at = 0;
	world.store.base = b->image;
	world.store.backing = b->backing;
	fs = mount_as_it_lies();
	for (ino = 1; ino < k->nr_inodes; ino++)
		k->digest[ino] = digest_of(fs, ino);
	vmem_umount(fs);
	world.store = store;
	world.fail_at = fail_at;
	note_blocks(k);
}

/* ---- What the damage left ---- */

static bool changed(uint64_t off, size_t len)
{
	return memcmp(world.base->image + off, world.base->work + off, len) != 0;
}

/* Does the superblock that counts say what it said? */
static bool superblock_holds(void)
{
	const struct base *b = world.base;
	const struct vmem_superblock *sb = (const void *)b->work;
	uint64_t backup = vmem_get64(b->sb.backup) * BLOCK;

	if (vmem_get64(sb->magic) == VMEM_SB_MAGIC &&
	    vmem_get32(sb->csum) == vmem_superblock_csum(vmem_crc32c, sb))
		return !changed(0, sizeof(*sb));
	return !changed(backup, sizeof(*sb));
}

/* Each root slot is as it was, or not valid; the log is as it was. */
static bool log_holds(void)
{
	const struct base *b = world.base;
	uint64_t i, log = vmem_get64(b->sb.log_start), end = log + vmem_get64(b->sb.log_blocks);

	for (i = 0; i < VMEM_NR_ROOTS; i++) {
		uint64_t off = VMEM_ROOT_BLOCK(i) * BLOCK;
		const struct vmem_root *root = (const void *)(b->work + off);

		if (changed(off, sizeof(*root)) &&
		    (vmem_get32(root->csum) == vmem_root_csum(vmem_crc32c, root) ||
		     changed(off + offsetof(struct vmem_root, applied), 8)))
			return false;
	}
	for (i = log; i < end; i++)
		if (b->touched[i] && changed(i * BLOCK, BLOCK))
			return false;
	return true;
}

/* Block i is a part of the metadata of group ag, at place in it. */
static void note_meta(struct known *k, uint32_t ag, uint64_t place, uint64_t i)
{
	const struct base *b = world.base;
	uint32_t per_ag = vmem_get32(b->sb.inodes_per_ag), n;
	const uint8_t *now = b->work + i * BLOCK;

	for (n = 0; place == 1 && n < per_ag; n++)
		if (!(now[n / 8] >> n % 8 & 1) || now[VMEM_ORPHAN_BITMAP_OFF + n / 8] >> n % 8 & 1)
			intact[ag * per_ag + n] = false;
	for (n = 0; place >= 2 && n < VMEM_INODES_PER_BLOCK; n++)
		if (changed(i * BLOCK + n * VMEM_INODE_SIZE, VMEM_INODE_SIZE))
			intact[ag * per_ag + (place - 2) * VMEM_INODES_PER_BLOCK + n] = false;
	(void)k;
}

void intact_note(void)
{
	const struct base *b = world.base;
	struct known *k = this_known();
	uint32_t ag_blocks = vmem_get32(b->sb.ag_blocks), ag;
	uint64_t i, meta;

	if (!k->owner)
		learn(k);
	free(intact);
	intact = NULL;
	if (b->dirty || !superblock_holds() || !log_holds())
		return;
	intact = calloc(k->nr_inodes, sizeof(*intact));
	if (!intact)
		abort();
	for (i = 1; i < k->nr_inodes; i++)
		intact[i] = k->digest[i] != 0;
	for (i = 0; i < b->nr_blocks; i++) {
		if (!b->touched[i] || !changed(i * BLOCK, BLOCK))
			continue;
		intact[k->owner[i]] = false;
		ag = (uint32_t)(i / ag_blocks);
		meta = vmem_sb_group_meta(&b->sb, ag);
		if (i > meta && i < meta + 2 + vmem_get32(b->sb.itable_blocks))
			note_meta(k, ag, i - meta, i);
	}
	intact[0] = false;
}

/* ---- What the repair left ---- */

static void check_name(struct vmem_fs *fs, const struct known_name *n)
{
	struct vmem_name name = { (const char *)n->de->name, n->de->name_len };
	struct vmem_inode dir;
	uint64_t ino = 0;

	if (vmem_iget(fs, n->dir, &dir) || vmem_lookup(&dir, name, &ino, NULL) || ino != n->ino)
		broken("the repair lost the name %.*s of inode %u in directory %u, which the damage did not touch",
		       (int)name.len, name.name, n->ino, n->dir);
	vmem_iput(&dir);
}

void intact_check(void)
{
	struct known *k = this_known();
	struct vmem_fs *fs;
	uint32_t i;

	if (!intact)
		return;
	fs = mount_as_it_lies();
	for (i = 1; i < k->nr_inodes; i++)
		if (intact[i] && digest_of(fs, i) != k->digest[i])
			broken("the repair changed inode %u, which the damage did not touch", i);
	for (i = 0; i < k->nr_names; i++)
		if (intact[k->names[i].dir] && intact[k->names[i].ino])
			check_name(fs, &k->names[i]);
	vmem_umount(fs);
}
