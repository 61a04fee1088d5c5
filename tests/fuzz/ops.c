// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * ops.c - operations on a file system of which nothing is known to be right
 *
 * The caller's duties of vmem.h are kept: one struct vmem_inode per number,
 * names that were looked up.
 */
#include "user.h"

struct source {
	uint8_t byte;
	size_t left;	/* then it faults */
	/* A store through a mapping fills the hole meanwhile. */
	struct vmem_inode *vi;
	uint64_t lblk;
};

static size_t copy_in(void *ctx, void *addr, size_t len)
{
	struct source *s = ctx;
	size_t n = len < s->left ? len : s->left;
	struct vmem_map map;

	if (s->vi)
		expect_errno(vmem_map_write(s->vi, s->lblk, 2, &map));
	s->vi = NULL;
	memset(addr, s->byte, n);
	s->left -= n;
	return n;
}

/* ---- Names ---- */

struct text {
	char buf[VMEM_NAME_MAX + 8];
	struct vmem_name name;
};

/* Names of the images, new names, long ones that split leaves, and bad ones. */
static struct vmem_name name_of(struct text *t, unsigned int v)
{
	static const char *const known[] = {
		"f0", "d0", "f1", "d1", "f2", "p0", "s0", "s1", "h0", "b0", "l0", "l1", "late",
		"a", "b", ".", "..", "x/y",
	};
	unsigned int nr = sizeof(known) / sizeof(known[0]);

	t->name.name = t->buf;
	if (v % 64 < nr) {
		t->name.len = strlen(known[v % 64]);
		memcpy(t->buf, known[v % 64], t->name.len);
	} else if (v % 64 < 40) {
		t->name.len = (size_t)snprintf(t->buf, sizeof(t->buf), "n%u", v % 256);
	} else {
		memset(t->buf, 'n', sizeof(t->buf));
		snprintf(t->buf + 200, sizeof(t->buf) - 200, "%u", v % 512);
		t->name.len = strlen(t->buf);
	}
	return t->name;
}

static struct slot *slot_of(struct user *u, unsigned int i)
{
	struct slot *s = u->open[i % SLOTS];

	return s ? s : u->open[0];
}

/* Whom a name leads to, opened. */
static struct slot *open_name(struct user *u, struct slot *dir, struct vmem_name name)
{
	uint64_t ino;
	int err = vmem_lookup(dir->vi, name, &ino, NULL);

	expect_errno(err);
	return err ? NULL : get_inode(u, ino);
}

static void keep_open(struct user *u, unsigned int at, struct slot *s)
{
	at = 1 + at % (SLOTS - 1);
	if (!s)
		return;
	put_inode(u->open[at]);
	u->open[at] = s;
}

/* ---- Operations on names ---- */

static void op_create(struct user *u, const struct fuzz_record *r)
{
	static const uint16_t modes[] = { 0100644, 0040755, 0100600, 0010644, 0020600, 0140600, 0, 0120777 };
	struct vmem_attr attr = { .mode = modes[r->d % 8], .rdev = r->d % 8 == 4 ? 0x103 : 0 };
	struct vmem_inode *vi = malloc(sizeof(*vi));
	struct text t;
	struct slot *s = NULL;
	int err = vmem_create(slot_of(u, r->a)->vi, name_of(&t, r->b), &attr, vi);

	expect_errno(err);
	if (!err)
		s = adopt_inode(u, vi);
	if (!s)
		free(vi);
	keep_open(u, r->e, s);
}

static void op_symlink(struct user *u, const struct fuzz_record *r)
{
	struct vmem_attr attr = { .mode = 0777 };
	struct vmem_inode *vi = malloc(sizeof(*vi));
	char target[BLOCK + 8];
	struct text t;
	struct slot *s = NULL;
	int err;

	memset(target, 'x', sizeof(target));
	err = vmem_symlink(slot_of(u, r->a)->vi, name_of(&t, r->b), target,
			   r->d & 1 ? r->v % sizeof(target) : r->v % 150, &attr, vi);
	expect_errno(err);
	if (!err)
		s = adopt_inode(u, vi);
	if (!s)
		free(vi);
	keep_open(u, r->e, s);
}

static void op_tmpfile(struct user *u, const struct fuzz_record *r)
{
	struct vmem_attr attr = { .mode = 0100600 };
	struct vmem_inode *vi = malloc(sizeof(*vi));
	struct slot *s = NULL;
	int err = vmem_tmpfile(u->fs, &attr, slot_of(u, r->a)->vi->ino, vi);

	expect_errno(err);
	if (!err)
		s = adopt_inode(u, vi);
	if (!s)
		free(vi);
	keep_open(u, r->e, s);
}

static void op_remove(struct user *u, const struct fuzz_record *r)
{
	struct slot *dir = slot_of(u, r->a), *s;
	struct text t;
	struct vmem_name name = name_of(&t, r->b);

	s = open_name(u, dir, name);
	if (!s || s == dir) {
		put_inode(s);
		return;
	}
	if (vmem_is_read_only(u->fs) || (vmem_get16(s->vi->raw.mode) & 0170000) != 0040000)
		expect_errno(vmem_unlink(dir->vi, name, s->vi));
	else
		expect_errno(vmem_rmdir(dir->vi, name, s->vi));
	put_inode(s);
}

static void op_link(struct user *u, const struct fuzz_record *r)
{
	struct text t;

	expect_errno(vmem_link(slot_of(u, r->a)->vi, name_of(&t, r->b), slot_of(u, r->d)->vi));
}

static void op_rename(struct user *u, const struct fuzz_record *r)
{
	struct slot *from = slot_of(u, r->a), *to = slot_of(u, r->d), *vi, *victim;
	struct text t1, t2;
	struct vmem_name name1 = name_of(&t1, r->b), name2 = name_of(&t2, r->c);

	vi = open_name(u, from, name1);
	victim = vi ? open_name(u, to, name2) : NULL;
	if (vi)
		expect_errno(vmem_rename(from->vi, name1, vi->vi, to->vi, name2,
					 victim ? victim->vi : NULL, r->e % 4));
	put_inode(victim);
	put_inode(vi);
}

static void op_open(struct user *u, const struct fuzz_record *r)
{
	struct text t;

	keep_open(u, r->e, open_name(u, slot_of(u, r->a), name_of(&t, r->b)));
}

static void op_close(struct user *u, const struct fuzz_record *r)
{
	unsigned int at = 1 + r->a % (SLOTS - 1);

	put_inode(u->open[at]);
	u->open[at] = NULL;
}

/* ---- Operations on contents ---- */

static uint64_t some_offset(const struct fuzz_record *r)
{
	static const uint64_t starts[] = {
		0, 0, 0, BLOCK, 300 * BLOCK, 1ull << 32, 1ull << 40, VMEM_MAX_FILE_SIZE - 2 * BLOCK,
	};

	return starts[r->d % 8] + (uint64_t)r->b * (r->d & 8 ? 1 : BLOCK / 2);
}

static void op_write(struct user *u, const struct fuzz_record *r)
{
	struct source s = { .byte = (uint8_t)r->v, .left = r->d & 16 ? r->c / 2 : SIZE_MAX };
	struct slot *f = slot_of(u, r->a);
	size_t len = r->d & 32 ? r->c : r->c % 600;
	int64_t n;

	if (r->e & 16)
		len *= 64;
	if (r->e & 32 && some_offset(r) + 2 * BLOCK < vmem_size(f->vi)) {
		s.vi = f->vi;
		s.lblk = some_offset(r) / BLOCK;
	}
	n = vmem_write(f->vi, some_offset(r), len, copy_in, &s);
	if (n != -EFAULT)
		expect_errno(n);
	if (n > (int64_t)len)
		broken("wrote %lld of %zu bytes", (long long)n, len);
	if (r->d & 64)
		expect_errno(vmem_fsync(f->vi, r->d & 128));
}

static void op_read(struct user *u, const struct fuzz_record *r)
{
	struct vmem_inode *vi = slot_of(u, r->a)->vi;
	uint8_t sum = 0;
	int64_t n = vmem_read(vi, some_offset(r), r->c, copy_out, &sum);

	expect_errno(n);
	if (n > r->c)
		broken("read %lld of %u bytes", (long long)n, r->c);
	expect_errno(vmem_seek(vi, some_offset(r), r->e & 1));
}

static void op_fallocate(struct vmem_inode *vi, const struct fuzz_record *r)
{
	static const unsigned int modes[] = {
		0, VMEM_FALLOC_KEEP_SIZE, VMEM_FALLOC_PUNCH_HOLE | VMEM_FALLOC_KEEP_SIZE, VMEM_FALLOC_ZERO_RANGE,
		VMEM_FALLOC_ZERO_RANGE | VMEM_FALLOC_KEEP_SIZE, VMEM_FALLOC_COLLAPSE_RANGE, VMEM_FALLOC_INSERT_RANGE,
		VMEM_FALLOC_UNSHARE_RANGE,
	};
	unsigned int mode = modes[r->e >> 2 & 7];
	uint64_t off = some_offset(r), len = (uint64_t)r->c * (r->d & 16 ? BLOCK : 1);

	if (mode & (VMEM_FALLOC_COLLAPSE_RANGE | VMEM_FALLOC_INSERT_RANGE) && !(r->d & 32)) {
		off &= ~(uint64_t)(BLOCK - 1);
		len = (len + BLOCK) & ~(uint64_t)(BLOCK - 1);
	}
	expect_errno(vmem_fallocate(vi, mode, off, len));
}

static void op_truncate(struct user *u, const struct fuzz_record *r)
{
	if (r->e & 2)
		op_fallocate(slot_of(u, r->a)->vi, r);
	else
		expect_errno(vmem_truncate(slot_of(u, r->a)->vi, some_offset(r)));
}

static void op_map_write(struct user *u, const struct fuzz_record *r)
{
	struct vmem_inode *vi = slot_of(u, r->a)->vi;
	uint64_t off = some_offset(r), end = (vmem_size(vi) + BLOCK - 1) / BLOCK, max = r->c % 8 + 1;
	struct vmem_map map;
	int err;

	/* No page behind the end of file is ever mapped. */
	if (off / BLOCK >= end)
		return;
	if (max > end - off / BLOCK)
		max = end - off / BLOCK;
	err = vmem_map_write(vi, off / BLOCK, max, &map);
	expect_errno(err);
	if (err)
		return;
	if (!map.pblk || !map.nr || map.nr > max)
		broken("a mapping of %llu blocks at %llu", (unsigned long long)map.nr,
		       (unsigned long long)map.pblk);
	memset(world.store.base + map.pblk * BLOCK, r->e, map.nr * BLOCK);
	world_touch(map.pblk * BLOCK, map.nr * BLOCK);
	vmem_mark_dirty(vi, off / BLOCK * BLOCK, map.nr * BLOCK);
}

static void op_xattr(struct vmem_inode *vi, const struct fuzz_record *r)
{
	static uint8_t value[VMEM_XATTR_MAX_VALUE];
	static const char *const names[] = { "a", "b", "label", "new" };
	const char *name = names[r->d % 4];
	struct vmem_xattr x = { 1 + r->b % 5, { name, r->b % 5 < 3 ? strlen(name) : 0 }, value, 0, r->d >> 6 };
	struct vmem_attr attr = { .mode = r->c };

	memset(value, r->e, sizeof(value));
	x.size = r->v & 64 ? r->v >> 8 & 0xffff : r->v % 200;
	if (r->v & 32)
		x.value = NULL;
	expect_errno(vmem_setxattr(vi, &x, 1, r->e & 4 ? VMEM_SET_MODE : 0, &attr));
}

static void op_attr(struct user *u, const struct fuzz_record *r)
{
	struct vmem_inode *vi = slot_of(u, r->a)->vi;
	struct vmem_attr attr = { .mode = r->c, .uid = r->b, .mtime = (int64_t)r->v, .flags = (uint32_t)r->v };

	if (r->e & 2) {
		op_xattr(vi, r);
		return;
	}
	if (r->e & 1)
		vmem_touch(vi, VMEM_SET_ATIME | VMEM_SET_MTIME, (int64_t)r->v);
	else
		expect_errno(vmem_setattr(vi, r->d % 128, &attr));
}

static void op_sync(struct user *u, const struct fuzz_record *r)
{
	if (r->e & 4) {
		if (r->d % 8)
			expect_errno(vmem_set_label(u->fs, "another label", r->d % (VMEM_LABEL_LEN + 2) % 13));
		else
			vmem_shutdown(u->fs);
		return;
	}
	switch (r->d % 3) {
	case 0:
		expect_errno(vmem_fsync(slot_of(u, r->a)->vi, r->e & 1));
		return;
	case 1:
		expect_errno(vmem_sync(u->fs));
		return;
	default:
		expect_errno(vmem_checkpoint(u->fs));
	}
}

static int count_entry(void *ctx, const char *name, size_t len, uint64_t ino, unsigned int type,
		       uint64_t cookie)
{
	(void)name;
	(void)len;
	(void)ino;
	(void)type;
	(void)cookie;
	return (*(unsigned int *)ctx)-- == 0;
}

static void op_list(struct user *u, const struct fuzz_record *r)
{
	unsigned int stop = r->b;
	uint64_t cookie = r->v;

	expect_errno(vmem_readdir(slot_of(u, r->a)->vi, &cookie, count_entry, &stop));
}

/* ---- Mounting again ---- */

static void close_all(struct user *u)
{
	unsigned int i;

	for (i = SLOTS; i-- > 0;) {
		put_inode(u->open[i]);
		u->open[i] = NULL;
	}
}

static void forget_all(struct user *u)
{
	unsigned int i;

	for (i = 0; i < MAX_OPEN; i++)
		free(u->all[i].vi);
	memset(u->all, 0, sizeof(u->all));
	memset(u->open, 0, sizeof(u->open));
}

/* The guest dies, or the file system is unmounted, and it is mounted again. */
static bool mount_again(struct user *u, const struct fuzz_input *in, bool crash, bool host)
{
	if (crash) {
		forget_all(u);
		world_crash();
	} else {
		close_all(u);
		expect_errno(vmem_umount(u->fs));
		world_end();
	}
	if (host)
		world.store.generation[1]++;
	u->fs = NULL;
	if (mount_input(in, &u->fs, NULL))
		return false;
	u->open[0] = get_inode(u, VMEM_ROOT_INO);
	return u->open[0] != NULL;
}

/* Linux refuses to make a file system read-only while one is open. */
static bool has_unlinked(struct user *u)
{
	unsigned int i;

	for (i = 0; i < MAX_OPEN; i++)
		if (u->all[i].vi && !vmem_get32(u->all[i].vi->raw.nlink))
			return true;
	return false;
}

enum {
	O_CREATE, O_WRITE, O_OPEN, O_REMOVE, O_RENAME, O_TRUNCATE, O_LINK, O_SYMLINK, O_CLOSE,
	O_READ, O_SYNC, O_LIST, O_ATTR, O_MAP_WRITE, O_TMPFILE, O_REMOUNT, O_AGAIN, O_SCRIBBLE, NR_OPS
};

/* Counters move by steps; one that went below zero jumps. */
static void check_counters(struct user *u)
{
	struct vmem_statfs st;
	unsigned int i;

	for (i = 0; i < MAX_OPEN; i++) {
		struct slot *s = &u->all[i];
		uint32_t nlink;

		if (!s->vi)
			continue;
		nlink = vmem_get32(s->vi->raw.nlink);
		if (s->counted && nlink > s->nlink && nlink - s->nlink > 1)
			broken("inode %llu had %u links and has %u", (unsigned long long)s->vi->ino,
			       s->nlink, nlink);
		s->nlink = nlink;
		s->counted = true;
	}
	vmem_statfs(u->fs, &st);
	if (st.free_blocks > st.blocks || st.free_inodes > st.inodes)
		broken("%llu of %llu blocks and %llu of %llu inodes are free",
		       (unsigned long long)st.free_blocks, (unsigned long long)st.blocks,
		       (unsigned long long)st.free_inodes, (unsigned long long)st.inodes);
}

const char *op_name(uint8_t kind)
{
	static const char *const names[NR_OPS] = {
		"create", "write", "open", "remove", "rename", "truncate", "link", "symlink", "close",
		"read", "sync", "list", "attr", "map-write", "tmpfile", "remount", "again", "scribble",
	};

	return names[(kind - FUZZ_OP) % NR_OPS];
}

static bool run_op(struct user *u, const struct fuzz_input *in, const struct fuzz_record *r)
{
	static void (*const simple[])(struct user *u, const struct fuzz_record *r) = {
		[O_CREATE] = op_create, [O_WRITE] = op_write, [O_OPEN] = op_open,
		[O_REMOVE] = op_remove, [O_RENAME] = op_rename, [O_TRUNCATE] = op_truncate,
		[O_LINK] = op_link, [O_SYMLINK] = op_symlink, [O_CLOSE] = op_close,
		[O_READ] = op_read, [O_SYNC] = op_sync, [O_LIST] = op_list, [O_ATTR] = op_attr,
		[O_MAP_WRITE] = op_map_write, [O_TMPFILE] = op_tmpfile,
	};
	unsigned int op = (r->kind - FUZZ_OP) % NR_OPS;

	if (op < O_REMOUNT) {
		simple[op](u, r);
		return true;
	}
	switch (op) {
	case O_REMOUNT:
		if (!(r->a & 1) || !has_unlinked(u))
			expect_errno(vmem_remount(u->fs, r->a & 1));
		return true;
	case O_AGAIN:
		return mount_again(u, in, r->a & 1, r->a & 2);
	default:
		if (!world.pristine && !world.frozen)
			scribble(r);
		return true;
	}
}

struct vmem_fs *run_ops(struct vmem_fs *fs, const struct fuzz_input *in)
{
	struct user *u = calloc(1, sizeof(*u));
	size_t i;

	if (!u)
		abort();
	u->fs = fs;
	u->open[0] = get_inode(u, VMEM_ROOT_INO);
	for (i = 0; i < in->nr && u->open[0]; i++) {
		if (in->rec[i].kind < FUZZ_OP)
			continue;
		check_counters(u);
		if (!run_op(u, in, &in->rec[i]))
			break;
		check_counters(u);
	}
	close_all(u);
	fs = u->fs;
	free(u);
	return fs;
}

void run_standard_ops(struct vmem_fs *fs)
{
#define OP(op, ...) { .kind = FUZZ_OP + O_ ## op, __VA_ARGS__ }
	static const struct fuzz_record script[] = {
		OP(OPEN, .b = 1, .e = 0), OP(OPEN, .b = 9, .e = 1), OP(OPEN, .b = 8, .e = 2),
		OP(OPEN, .b = 0, .e = 3),
		OP(CREATE, .a = 0, .b = 20, .e = 4), OP(WRITE, .a = 5, .c = 500, .d = 64),
		OP(CREATE, .a = 2, .b = 41, .e = 5), OP(CREATE, .a = 1, .b = 13, .d = 1, .e = 6),
		OP(WRITE, .a = 3, .b = 1, .c = 9000, .d = 32), OP(WRITE, .a = 4, .b = 7, .c = 500),
		OP(MAP_WRITE, .a = 3, .b = 6, .c = 3), OP(LINK, .a = 0, .b = 21, .d = 4),
		OP(RENAME, .a = 0, .b = 20, .c = 22, .d = 1), OP(RENAME, .a = 0, .b = 0, .c = 2, .d = 1),
		OP(SYMLINK, .a = 0, .b = 23, .v = 100), OP(SYMLINK, .a = 0, .b = 24, .d = 1, .v = 900),
		OP(TRUNCATE, .a = 3, .b = 9), OP(TRUNCATE, .a = 3, .b = 0), OP(SYNC, .d = 1),
		OP(REMOVE, .a = 0, .b = 8), OP(REMOVE, .a = 0, .b = 7), OP(REMOVE, .a = 1, .b = 3),
		OP(REMOVE, .a = 1, .b = 13), OP(REMOVE, .a = 2, .b = 41), OP(SYNC, .d = 2),
		OP(TRUNCATE, .a = 4, .b = 2, .c = 9, .d = 16, .e = 2), OP(WRITE, .a = 4, .b = 6, .c = 500),
		OP(TRUNCATE, .a = 4, .b = 4, .c = 5000, .e = 2 | 2 << 2), OP(TRUNCATE, .a = 4, .b = 2, .e = 2 | 5 << 2),
		OP(LIST, .a = 1, .b = 100), OP(LIST, .a = 2, .b = 100),
	};
#undef OP
	struct fuzz_input in = { .nr = sizeof(script) / sizeof(script[0]) };

	memcpy(in.rec, script, sizeof(script));
	run_ops(fs, &in);
}
