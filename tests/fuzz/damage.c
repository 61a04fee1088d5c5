// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* damage.c - what the records of an input do to the image */
#include "fuzz.h"

bool decode_input(const uint8_t *data, size_t size, struct fuzz_input *in)
{
	memset(in, 0, sizeof(*in));
	if (size < sizeof(in->head))
		return false;
	memcpy(&in->head, data, sizeof(in->head));
	in->nr = (size - sizeof(in->head)) / sizeof(in->rec[0]);
	if (in->nr > MAX_RECORDS)
		in->nr = MAX_RECORDS;
	memcpy(in->rec, data + sizeof(in->head), in->nr * sizeof(in->rec[0]));
	return true;
}

size_t encode_input(const struct fuzz_input *in, uint8_t *data, size_t max)
{
	size_t nr = in->nr, len;

	while (nr && sizeof(in->head) + nr * sizeof(in->rec[0]) > max)
		nr--;
	len = sizeof(in->head) + nr * sizeof(in->rec[0]);
	if (len > max)
		return 0;
	memcpy(data, &in->head, sizeof(in->head));
	memcpy(data + sizeof(in->head), in->rec, nr * sizeof(in->rec[0]));
	return len;
}

bool has_damage(const struct fuzz_input *in)
{
	size_t i;

	for (i = 0; i < in->nr; i++)
		if (in->rec[i].kind < FUZZ_OP)
			return true;
	return false;
}

enum {
	D_RAW, D_SUPER, D_ROOT, D_DESC, D_BITS, D_INODE_BIT, D_INODE, D_EXTENT, D_NODE, D_ENTRY,
	D_DIRENT, D_COPY_NODE, D_COPY_INODE, D_RECORD, D_ADD_RECORD, D_PARENT, D_XATTR, NR_DAMAGES
};

static const char *const damage_names[NR_DAMAGES] = {
	"raw", "superblock", "root", "descriptor", "bits", "inode-bit", "inode", "extent", "node",
	"entry", "dirent", "copy-node", "copy-inode", "record", "add-record", "parent", "xattr",
};

void print_input(const struct fuzz_input *in)
{
	const struct fuzz_header *h = &in->head;
	size_t i;

	fprintf(stderr, "# image %u, mount %02x, keep %02x, backing %u, fail_alloc %u\n", h->base,
		h->mount, h->keep, h->backing, h->fail_alloc);
	for (i = 0; i < in->nr; i++) {
		const struct fuzz_record *r = &in->rec[i];

		fprintf(stderr, "# %-10s a %u b %u c %u d %u e %u v %llx\n",
			r->kind < FUZZ_OP ? damage_names[r->kind % NR_DAMAGES] : op_name(r->kind),
			r->a, r->b, r->c, r->d, r->e, (unsigned long long)r->v);
	}
}

/* ---- Fields ---- */

struct field {
	uint16_t off, len;
};

#define F(type, f) { offsetof(struct type, f), sizeof(((struct type *)0)->f) }

static const struct field super_fields[] = {
	F(vmem_superblock, magic), F(vmem_superblock, csum), F(vmem_superblock, version_major),
	F(vmem_superblock, compat), F(vmem_superblock, ro_compat), F(vmem_superblock, incompat),
	F(vmem_superblock, nr_blocks), F(vmem_superblock, nr_inodes),
	F(vmem_superblock, desc_start), F(vmem_superblock, log_start),
	F(vmem_superblock, log_blocks), F(vmem_superblock, agmeta0), F(vmem_superblock, backup),
	F(vmem_superblock, ag_blocks), F(vmem_superblock, nr_ags),
	F(vmem_superblock, inodes_per_ag), F(vmem_superblock, itable_blocks),
};
static const struct field root_fields[] = {
	F(vmem_root, magic), F(vmem_root, csum), F(vmem_root, state), F(vmem_root, seq),
	F(vmem_root, tail), F(vmem_root, log_seed), F(vmem_root, domain), F(vmem_root, applied),
	{ 40, 8 }, { 56, 8 },
};
static const struct field desc_fields[] = {
	F(vmem_ag_desc, free_blocks), F(vmem_ag_desc, free_inodes), F(vmem_ag_desc, nr_dirs),
	F(vmem_ag_desc, nr_orphans), F(vmem_ag_desc, itable_init),
};
static const struct field inode_fields[] = {
	F(vmem_dinode, csum), F(vmem_dinode, mode), F(vmem_dinode, format),
	F(vmem_dinode, nlink), F(vmem_dinode, flags), F(vmem_dinode, size),
	F(vmem_dinode, blocks), F(vmem_dinode, generation), F(vmem_dinode, rdev),
	F(vmem_dinode, parent), F(vmem_dinode, xattr), F(vmem_dinode, xattr_units), F(vmem_dinode, depth),
	F(vmem_dinode, nr_ext), F(vmem_dinode, u.dir.root), F(vmem_dinode, u.dir.height),
	F(vmem_dinode, u.dir.nr_entries), F(vmem_dinode, u.ext[0].w0),
	F(vmem_dinode, u.ext[0].w1), F(vmem_dinode, u.ext[1].w0), F(vmem_dinode, u.ext[1].w1),
	F(vmem_dinode, u.ext[8].w0), F(vmem_dinode, u.ext[8].w1),
};
static const struct field node_fields[] = {
	F(vmem_node, magic), F(vmem_node, level), F(vmem_node, count), F(vmem_node, owner),
	F(vmem_node, self), { 32, 8 }, { 40, 8 }, { 44, 2 }, { 46, 1 }, { 47, 1 },
	{ 48, 8 }, { 56, 8 },
};
/* Of a set; their entries have no fixed places. */
static const struct field xattr_fields[] = {
	F(vmem_xattr_node, magic), F(vmem_xattr_node, piece), F(vmem_xattr_node, owner),
	F(vmem_xattr_node, self), F(vmem_xattr_node, csum), F(vmem_xattr_node, len),
	{ 32, 1 }, { 33, 1 }, { 34, 2 }, { 36, 1 }, { 37, 4 }, { 41, 8 }, { 45, 8 }, { 53, 8 },
};
static const struct field record_fields[] = {
	F(vmem_rec, lsn), F(vmem_rec, csum), F(vmem_rec, len), F(vmem_rec, type),
	F(vmem_rec, nr_deltas), { 32, 8 }, { 39, 1 }, { 40, 8 }, { 40, 4 }, { 44, 4 }, { 48, 4 },
};

#define NR(a) (sizeof(a) / sizeof((a)[0]))

/* The field that a record means: one of the known, or any bytes up to limit. */
static struct field pick_field(const struct fuzz_record *r, const struct field *known, size_t nr,
			       unsigned int limit)
{
	struct field f;

	if (!(r->e & 0x80))
		return known[r->b % nr];
	f.len = (uint16_t)(1u << (r->e & 3));
	f.off = (uint16_t)(r->b % (limit - f.len + 1));
	if (!(r->e & 0x40))
		f.off = (uint16_t)(f.off & ~(f.len - 1u));
	return f;
}

/* ---- Values ---- */

static uint64_t some_block(const struct base *b, uint64_t v)
{
	static const uint32_t fixed[] = { 0, 1, 2, 3, 4, 5 };
	uint64_t meta0 = vmem_get64(b->sb.agmeta0), n = v % 16;

	if (n < 8 && b->nr_nodes)
		return b->node[(v >> 4) % b->nr_nodes];
	if (n < 12)
		return (v >> 4) % b->nr_blocks;
	if (n == 12)
		return fixed[(v >> 4) % NR(fixed)];
	if (n == 13)
		return meta0 + (v >> 4) % 12;
	if (n == 14)
		return b->nr_blocks - 2 + (v >> 4) % 4;
	return (uint64_t)vmem_get32(b->sb.ag_blocks) * ((v >> 4) % 5) + (v >> 8) % 12;
}

static uint64_t special(uint64_t v)
{
	static const uint64_t values[] = {
		0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 15, 16, 17, 31, 32, 64, 127, 128, 144, 145, 253, 254,
		255, 256, 511, 512, 4064, 4080, 4095, 4096, 4097, 16383, 16384, 32767, 32768, 65535,
		65536, 0x7fffffff, 0x80000000, 0xffffffff, 1ull << 32, 1ull << 40, (1ull << 44) - 1,
		1ull << 44, (1ull << 56) - 1, 1ull << 56, INT64_MAX, 1ull << 63, UINT64_MAX,
		UINT64_MAX - 1, 0040755, 0100644, 0120777, 0010644, 0020600, 0060600, 0140600,
	};

	return values[v % NR(values)];
}

static uint64_t value_of(const struct fuzz_record *r, uint64_t old)
{
	const struct base *b = world.base;

	switch (r->d % 10) {
	case 0:
		return r->v;
	case 1:
		return old + (uint64_t)(int64_t)(int8_t)r->v;
	case 2:
		return old ^ 1ull << r->v % 64;
	case 3:
		return special(r->v);
	case 4:
		return some_block(b, r->v);
	case 5:
		return b->nr_inos ? b->ino[r->v % b->nr_inos] : 0;
	case 6:	/* extent, first word: logical block and length */
		return (r->v & 0xffff) | (r->v >> 16 & 0x3ff) << VMEM_LBLK_BITS;
	case 7:
		return old + special(r->v);
	case 8:
		return old - special(r->v);
	default:
		return r->v & 0xff;
	}
}

static void change(const struct fuzz_record *r, uint64_t off, struct field f)
{
	uint8_t *p = world.store.base + off + f.off;
	uint64_t v = 0;

	memcpy(&v, p, f.len);
	v = value_of(r, v);
	memcpy(p, &v, f.len);
	world_touch(off + f.off, f.len);
}

/* ---- Targets ---- */

static uint64_t group_meta(const struct fuzz_record *r)
{
	const struct base *b = world.base;

	return vmem_sb_group_meta(&b->sb, r->a % vmem_get32(b->sb.nr_ags)) * BLOCK;
}

static uint64_t inode_off(uint64_t ino)
{
	const struct base *b = world.base;
	uint32_t per_ag = vmem_get32(b->sb.inodes_per_ag);

	return (vmem_sb_group_meta(&b->sb, (uint32_t)(ino / per_ag)) + 2) * BLOCK +
	       ino % per_ag * VMEM_INODE_SIZE;
}

static uint64_t some_ino(const struct fuzz_record *r)
{
	const struct base *b = world.base;

	if (r->e & 0x20 || !b->nr_inos)
		return r->a % vmem_get64(b->sb.nr_inodes);
	return b->ino[r->a % b->nr_inos];
}

static void change_bits(const struct fuzz_record *r)
{
	uint8_t *map = world.store.base + group_meta(r);
	uint32_t i, nr = r->c % 64 + 1u, first = r->b % (2 * 8 * BLOCK - 64);

	/* b beyond the block bitmap: the inode and orphan bitmaps, as they follow. */
	for (i = first; i < first + nr; i++)
		map[i / 8] = (uint8_t)(r->e & 1 ? map[i / 8] | 1u << i % 8 : map[i / 8] & ~(1u << i % 8));
	world_touch(group_meta(r) + first / 8, nr / 8 + 2);
}

static void change_inode_bit(const struct fuzz_record *r)
{
	uint64_t ino = some_ino(r), per_ag = vmem_get32(world.base->sb.inodes_per_ag);
	struct fuzz_record bits = *r;
	uint64_t i = ino % per_ag, off;
	uint8_t *p;

	bits.a = (uint8_t)(ino / per_ag);
	off = group_meta(&bits) + BLOCK + (r->e & 2 ? VMEM_ORPHAN_BITMAP_OFF : 0) + i / 8;
	p = world.store.base + off;
	*p = (uint8_t)(r->e & 1 ? *p | 1u << i % 8 : *p & ~(1u << i % 8));
	world_touch(off, 1);
}

static void copy_inode(const struct fuzz_record *r)
{
	struct fuzz_record from = *r;

	from.a = (uint8_t)r->b;
	memmove(world.store.base + inode_off(some_ino(r)), world.store.base + inode_off(some_ino(&from)),
		VMEM_INODE_SIZE);
	world_touch(inode_off(some_ino(r)), VMEM_INODE_SIZE);
}

/* Another node's contents, that say they are this one, for the other's owner or this one's. */
static void copy_node(const struct fuzz_record *r)
{
	const struct base *b = world.base;
	struct vmem_node *to;
	vmem_le64 owner;
	uint64_t block;

	if (!b->nr_nodes)
		return;
	block = b->node[r->a % b->nr_nodes];
	to = (void *)(world.store.base + block * BLOCK);
	owner = to->owner;
	memmove(to, world.store.base + (uint64_t)b->node[r->b % b->nr_nodes] * BLOCK, BLOCK);
	if (r->e & 1)
		to->owner = owner;
	if (!(r->e & 2))
		to->self = vmem_le64_of(block);
	world_touch(block * BLOCK, BLOCK);
}

/* A directory entry: the fields of the c-th entry of a leaf. */
static void change_dirent(const struct fuzz_record *r)
{
	static const struct field fields[] = {
		{ 0, 8 }, { 8, 4 }, { 12, 2 }, { 14, 1 }, { 15, 1 }, { 16, 1 }, { 17, 1 }, { 24, 8 },
	};
	const struct base *b = world.base;
	uint64_t off;
	unsigned int pos = VMEM_NODE_HEAD, i;

	if (!b->nr_nodes)
		return;
	off = (uint64_t)b->node[r->a % b->nr_nodes] * BLOCK;
	for (i = r->c % 32; i; i--) {
		const struct vmem_dirent *de = (const void *)(world.store.base + off + pos);
		unsigned int len = vmem_get16(de->rec_len);

		if (len < VMEM_DIRENT_HEAD || len % 8 || pos + len + VMEM_DIRENT_HEAD + 16 > BLOCK)
			break;
		pos += len;
	}
	change(r, off + pos, fields[r->b % NR(fields)]);
}

static bool is_xattr_node(uint64_t block)
{
	uint32_t magic = vmem_get32(((const struct vmem_node *)(const void *)(world.base->image + block * BLOCK))->magic);

	return magic == VMEM_XATTR_SET_MAGIC || magic == VMEM_XATTR_VALUE_MAGIC;
}

/* A block of extended attributes, or, where it has none, the set in an inode. */
static void change_xattr(const struct fuzz_record *r)
{
	struct base *b = world.base;
	unsigned int i;

	for (i = 0; i < b->nr_nodes && !(r->e & 0x10); i++) {
		uint64_t block = b->node[(r->a + i) % b->nr_nodes];

		if (!is_xattr_node(block))
			continue;
		change(r, block * BLOCK, pick_field(r, xattr_fields, NR(xattr_fields), BLOCK));
		return;
	}
	change(r, inode_off(some_ino(r)), (struct field){ (uint16_t)(256 - 8 - r->b % 96), (uint16_t)(1u << (r->c & 3)) });
}

/* A new record behind the newest: one change, described by this record. */
static void add_record(const struct fuzz_record *r)
{
	struct base *b = world.base;
	uint64_t size = vmem_get64(b->sb.log_blocks) * BLOCK, in = b->log_end % size;
	uint8_t *at = world.store.base + vmem_get64(b->sb.log_start) * BLOCK + in;
	struct vmem_rec rec = {
		.lsn = vmem_le64_of(b->log_end), .len = vmem_le32_of(BLOCK + 64),
		.type = vmem_le16_of(VMEM_REC_OP), .nr_deltas = vmem_le16_of(r->e ? 1 + r->e % 4 : 1),
	};
	unsigned int kind = r->d % 9;
	uint64_t where = some_block(b, r->b) * BLOCK + (kind == 3 || kind == 4 ? 0 : r->c % BLOCK);
	struct vmem_delta d = {
		.where = vmem_le64_of(where | (uint64_t)kind << 56),
		.len = vmem_le32_of(r->a & 0x80 ? special(r->v) : r->a & 0x7fu),
		.aux = vmem_le32_of(r->v),
	};

	if (in + 2 * BLOCK > size)
		return;
	memcpy(at, &rec, sizeof(rec));
	memset(at + sizeof(rec), (int)(r->v & 0xff), BLOCK + 32);
	memcpy(at + sizeof(rec), &d, sizeof(d));
	world_touch((uint64_t)(at - world.store.base), BLOCK + 64);
}

static void flip_unwritten(const struct fuzz_record *r)
{
	uint64_t off = inode_off(some_ino(r)) + 112 + r->b % 9 * 16 + 15;

	world.store.base[off] ^= 0x80;
	world_touch(off, 1);
}

static void change_extent(const struct fuzz_record *r)
{
	struct field f = { (uint16_t)(112 + r->b % 9 * 16 + (r->c & 1) * 8), 8 };

	/* Data becomes preallocated, or the other way round. */
	if (r->e & 0x40) {
		flip_unwritten(r);
		return;
	}
	change(r, inode_off(some_ino(r)), f);
}

static void apply_one(const struct fuzz_record *r)
{
	struct base *b = world.base;
	struct field any = { 0, (uint16_t)(1u << (r->e & 3)) };
	uint64_t node = b->nr_nodes ? (uint64_t)b->node[r->a % b->nr_nodes] * BLOCK : 0;

	switch (r->kind % NR_DAMAGES) {
	case D_RAW:
		change(r, ((uint64_t)r->c << 16 | r->b) % (world.store.size - 8), any);
		return;
	case D_SUPER:
		change(r, 0, pick_field(r, super_fields, NR(super_fields), 512));
		return;
	case D_ROOT:
		change(r, VMEM_ROOT_BLOCK(r->a & 1) * BLOCK,
		       pick_field(r, root_fields, NR(root_fields), 520));
		return;
	case D_DESC:
		change(r, VMEM_DESC_START * BLOCK + r->a % vmem_get32(b->sb.nr_ags) * 32ull,
		       pick_field(r, desc_fields, NR(desc_fields), 32));
		return;
	case D_BITS:
		change_bits(r);
		return;
	case D_INODE_BIT:
		change_inode_bit(r);
		return;
	case D_INODE:
		change(r, inode_off(some_ino(r)),
		       pick_field(r, inode_fields, NR(inode_fields), VMEM_INODE_SIZE));
		return;
	case D_EXTENT:
		change_extent(r);
		return;
	case D_NODE:
		if (node)
			change(r, node, pick_field(r, node_fields, NR(node_fields), BLOCK));
		return;
	case D_ENTRY:
		any = (struct field){ (uint16_t)(VMEM_NODE_HEAD + r->b % 32 * 16 + (r->c & 1) * 8), 8 };
		if (node)
			change(r, node, any);
		return;
	case D_DIRENT:
		change_dirent(r);
		return;
	case D_XATTR:
		change_xattr(r);
		return;
	case D_COPY_NODE:
		copy_node(r);
		return;
	case D_COPY_INODE:
		copy_inode(r);
		return;
	case D_RECORD:
		if (b->nr_recs)
			change(r, b->rec[r->a % b->nr_recs],
			       pick_field(r, record_fields, NR(record_fields), 256));
		return;
	case D_ADD_RECORD:
		add_record(r);
		return;
	default:
		change(r, inode_off(some_ino(r)), (struct field){ 80, 4 });
	}
}

void scribble(const struct fuzz_record *r)
{
	struct fuzz_record node = *r;
	static const uint8_t kinds[] = { D_NODE, D_ENTRY, D_DIRENT };

	node.kind = kinds[r->kind % NR(kinds)];
	apply_one(&node);
}

/* ---- Checksums ---- */

static void fix_super(void)
{
	struct vmem_superblock *sb = (void *)world.store.base;
	uint64_t backup = world.base->nr_blocks - 1;

	sb->csum = vmem_le32_of(vmem_superblock_csum(vmem_crc32c, sb));
	memcpy(world.store.base + backup * BLOCK, sb, sizeof(*sb));
	world_touch(0, 1);
	world_touch(backup * BLOCK, 1);
}

static void fix_roots(void)
{
	unsigned int i;

	for (i = 0; i < VMEM_NR_ROOTS; i++) {
		struct vmem_root *r = (void *)(world.store.base + VMEM_ROOT_BLOCK(i) * BLOCK);

		if (vmem_get64(r->magic) == VMEM_ROOT_MAGIC)
			r->csum = vmem_le32_of(vmem_root_csum(vmem_crc32c, r));
	}
}

static void fix_inodes(void)
{
	const struct base *b = world.base;
	uint64_t ino, nr = vmem_get64(b->sb.nr_inodes);

	for (ino = 0; ino < nr; ino++) {
		struct vmem_dinode *n = (void *)(world.store.base + inode_off(ino));

		if (!b->touched[inode_off(ino) / BLOCK])
			ino |= 15;
		else if (vmem_get16(n->mode))
			n->csum = vmem_le32_of(vmem_inode_csum(vmem_crc32c, n, ino));
	}
}

static void fix_xattrs(void)
{
	const struct base *b = world.base;
	unsigned int i;

	for (i = 0; i < b->nr_nodes; i++) {
		struct vmem_xattr_node *n = (void *)(world.store.base + (uint64_t)b->node[i] * BLOCK);

		if (b->touched[b->node[i]] && is_xattr_node(b->node[i]) &&
		    vmem_get32(n->len) <= VMEM_XATTR_NODE_SPACE)
			n->csum = vmem_le32_of(vmem_xattr_csum(vmem_crc32c, n, vmem_get32(n->len)));
	}
}

/* The chain that a commit record must have, over records whose checksums are right. */
static uint32_t chain_of(uint32_t seed, uint64_t from, uint64_t to)
{
	const struct base *b = world.base;
	uint64_t size = vmem_get64(b->sb.log_blocks) * BLOCK;
	const uint8_t *log = world.store.base + vmem_get64(b->sb.log_start) * BLOCK;
	unsigned int n;

	for (n = 0; from < to && n < 1024; n++) {
		struct vmem_rec rec;
		uint32_t len;

		if (from % size > size - sizeof(rec))
			break;
		memcpy(&rec, log + from % size, sizeof(rec));
		len = vmem_get32(rec.len);
		if (len < sizeof(rec) || len % VMEM_REC_ALIGN)
			break;
		seed = vmem_crc32c(seed, &rec.csum, sizeof(rec.csum));
		from += len;
	}
	return seed;
}

static void fix_log(void)
{
	struct base *b = world.base;
	const struct vmem_root *r0 = (const void *)(world.store.base + BLOCK);
	const struct vmem_root *r1 = (const void *)(world.store.base + 2 * BLOCK);
	const struct vmem_root *root = vmem_get64(r1->seq) > vmem_get64(r0->seq) ? r1 : r0;
	uint64_t size = vmem_get64(b->sb.log_blocks) * BLOCK, lsn = vmem_get64(root->tail);
	uint8_t *log = world.store.base + vmem_get64(b->sb.log_start) * BLOCK;
	uint32_t seed = vmem_get32(root->log_seed);
	unsigned int n;

	if (lsn % VMEM_REC_ALIGN || lsn > UINT64_MAX / 2)
		return;
	for (n = 0; n < 1024; n++) {
		struct vmem_rec *rec = (void *)(log + lsn % size);
		uint64_t room = size - lsn % size, len = vmem_get32(rec->len);
		struct vmem_rec_commit *c = (void *)(rec + 1);

		if (vmem_get64(rec->lsn) != lsn || len < sizeof(*rec) || len > room ||
		    len > VMEM_REC_MAX || len % VMEM_REC_ALIGN)
			return;
		if (vmem_get16(rec->type) == VMEM_REC_COMMIT && len >= sizeof(*rec) + sizeof(*c))
			c->chain = vmem_le32_of(chain_of(seed, vmem_get64(c->start), vmem_get64(c->covers)));
		rec->csum = vmem_le32_of(vmem_rec_csum(vmem_crc32c, seed, rec,
				vmem_get16(rec->type) == VMEM_REC_PAD ? sizeof(*rec) : len));
		world_touch((uint64_t)((uint8_t *)rec - world.store.base), sizeof(*rec) + sizeof(*c));
		lsn += len;
	}
}

void apply_damage(const struct fuzz_input *in)
{
	bool super = false, root = false, log = false;
	size_t i;

	for (i = 0; i < in->nr; i++) {
		const struct fuzz_record *r = &in->rec[i];

		if (r->kind >= FUZZ_OP)
			continue;
		super |= r->kind % NR_DAMAGES == D_SUPER;
		root |= r->kind % NR_DAMAGES == D_ROOT;
		log |= r->kind % NR_DAMAGES == D_RECORD || r->kind % NR_DAMAGES == D_ADD_RECORD ||
		       r->kind % NR_DAMAGES == D_RAW || root;
		apply_one(r);
	}
	if (super && !(in->head.keep & KEEP_SUPER))
		fix_super();
	if (root && !(in->head.keep & KEEP_ROOT))
		fix_roots();
	if (!(in->head.keep & KEEP_INODES))
		fix_inodes();
	if (!(in->head.keep & KEEP_XATTRS))
		fix_xattrs();
	if (log && !(in->head.keep & KEEP_LOG))
		fix_log();
}
