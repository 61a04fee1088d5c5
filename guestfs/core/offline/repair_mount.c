// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* repair_mount.c - the part of a repair that the core does: names, lost+found, copies */
#include "offline/repair_internal.h"

static struct vmem_name name_of(const char *text, size_t len)
{
	struct vmem_name n = { text, len };

	return n;
}

/* "#123", and "#123.4" when k is not 0; returns the length. */
static size_t number_name(char *buf, uint64_t ino, unsigned int k)
{
	char digits[24];
	size_t len = 0, n = 0;

	buf[len++] = '#';
	do
		digits[n++] = (char)('0' + ino % 10);
	while ((ino /= 10) != 0);
	while (n)
		buf[len++] = digits[--n];
	if (!k)
		return len;
	buf[len++] = '.';
	do
		digits[n++] = (char)('0' + k % 10);
	while ((k /= 10) != 0);
	while (n)
		buf[len++] = digits[--n];
	return len;
}

/* ---- Names --------------------------------------------------------------- */

struct add {
	struct vmem_inode *dir, *child;
	struct vmem_name name;
	unsigned int type;
	bool connect;		/* child was lost: dir becomes its parent */
};

static int do_add(struct vmem_txn *t, void *arg)
{
	struct add *a = arg;
	struct vmem_dinode *n;
	struct vmem_dir_place place;
	int err = vmem_dir_place(t, a->dir, a->name, &place);

	t->privileged = true;	/* nobody else needs what is kept back */
	if (!err)
		err = txn_dir_add(t, a->dir, &place, a->name, a->child->ino, a->type);
	if (err || !a->connect || !vmem_is_dir(&a->child->raw))
		return err;
	txn_inode(t, a->child)->parent = vmem_le32_of(a->dir->ino);
	n = txn_inode(t, a->dir);
	n->nlink = vmem_le32_of(vmem_get32(n->nlink) + 1ull);
	return 0;
}

/* Add a name, or one made of the inode's number when it is taken. */
static int add_name(struct repair *r, struct vmem_inode *dir, struct vmem_name name, uint64_t ino,
		    bool connect)
{
	struct vmem_inode child;
	struct add a = { .dir = dir, .child = &child, .name = name, .connect = connect };
	unsigned int tries;
	uint64_t there;
	char buf[64];
	int err = vmem_iget(dir->fs, ino, &child);

	if (err)
		return err;
	a.type = (vmem_get16(child.raw.mode) & MODE_TYPE) >> 12;
	err = vmem_run(dir->fs, do_add, &a);
	/* Met twice, as after a repair that was cut: the next round counts links again. */
	if (err == -EEXIST && !connect && !vmem_lookup(dir, name, &there, NULL) && there == ino)
		return 0;
	/* Numbers are not used again, so that many double names take no longer. */
	for (tries = 0; err == -EEXIST && tries < 1000; tries++) {
		a.name = name_of(buf, number_name(buf, ino, tries ? ++r->suffix : 0));
		err = vmem_run(dir->fs, do_add, &a);
	}
	return err;
}

static uint64_t mixed(const struct rname *n)
{
	return n->id * 0x9e3779b97f4a7c15ull;
}

static bool comes_first(const struct rname *a, const struct rname *b)
{
	return a->dir != b->dir ? a->dir < b->dir : mixed(a) < mixed(b);
}

static struct rname *merge(struct rname *a, struct rname *b)
{
	struct rname *head = NULL, **end = &head;

	while (a && b) {
		struct rname **least = comes_first(b, a) ? &b : &a;

		*end = *least;
		*least = (*least)->next;
		end = &(*end)->next;
	}
	*end = a ? a : b;
	return head;
}

/*
 * By directory, and in it at random: names that come in the order of their
 * hashes leave each leaf half empty, and there may be no space for that.
 */
static void shuffle_names(struct repair *r)
{
	struct rname *runs[48] = { NULL }, *n, *next;	/* runs[i]: 2^i names in order */
	unsigned int i;

	for (n = r->names; n; n = next) {
		next = n->next;
		n->next = NULL;
		for (i = 0; runs[i]; i++) {
			n = merge(runs[i], n);
			runs[i] = NULL;
		}
		runs[i] = n;
	}
	for (n = NULL, i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		n = merge(n, runs[i]);
	r->names = n;
}

static int add_names(struct repair *r, struct vmem_fs *fs)
{
	struct vmem_inode dir;
	uint64_t done = 0;
	struct rname *n;
	int err = 0;

	shuffle_names(r);
	for (n = r->names; n && !err; n = n->next) {
		vmem_repair_step(r, "adding names", done++, 0);
		if (!n->ino)
			continue;
		err = vmem_iget(fs, n->dir, &dir);
		if (!err)
			err = add_name(r, &dir, name_of(n->name, n->len), n->ino, false);
		if (!err)
			err = vmem_iput(&dir);
	}
	r->names_left = err == -ENOSPC && !r->hold;
	return err;
}

/* ---- lost+found ---------------------------------------------------------- */

static int open_lost_found(struct vmem_fs *fs, struct vmem_inode *lf)
{
	static const char *const names[] = { "lost+found", "lost+found.1", "lost+found.2" };
	struct vmem_attr attr = { .mode = MODE_DIR | 0700 };
	struct vmem_inode root;
	unsigned int i, type;
	uint64_t ino;
	int err = vmem_iget(fs, VMEM_ROOT_INO, &root);

	if (err)
		return err;
	err = -EEXIST;
	for (i = 0; i < sizeof(names) / sizeof(names[0]) && err == -EEXIST; i++) {
		struct vmem_name name = name_of(names[i], i ? 12 : 10);

		err = vmem_lookup(&root, name, &ino, &type);
		if (!err)
			err = type == MODE_DIR >> 12 ? vmem_iget(fs, ino, lf) : -EEXIST;
		else if (err == -ENOENT)
			err = vmem_create(&root, name, &attr, lf);
	}
	return err ? err : vmem_iput(&root);
}

static int connect_lost(struct repair *r, struct vmem_fs *fs)
{
	struct vmem_inode lf;
	struct rlost *l;
	char buf[64];
	int err;

	if (!r->lost)
		return 0;
	err = open_lost_found(fs, &lf);
	for (l = r->lost; l && !err; l = l->next) {
		vmem_repair_step(r, "filling lost+found", r->res->connected, 0);
		vmem_repair_fixed(r, false, "inode %u: no name leads to it: now in lost+found", l->ino);
		r->res->connected++;
		err = add_name(r, &lf, name_of(buf, number_name(buf, l->ino, 0)), l->ino, true);
	}
	return err ? err : vmem_iput(&lf);
}

/* ---- Copies -------------------------------------------------------------- */

struct copy_source {
	struct vmem_store *store;
	const uint8_t *from;
};

/* The core leaves it to this to tell of what is stored to data blocks. */
static size_t copy_from(void *ctx, void *addr, size_t len)
{
	struct copy_source *s = ctx;

	memcpy(addr, s->from, len);
	s->from += len;
	vmem_stored(s->store, (uint64_t)((uint8_t *)addr - s->store->base), len);
	return len;
}

/* The block of a symlink, which nothing but a transaction can give it. */
struct copy_target {
	struct vmem_inode *vi;
	const uint8_t *from;
};

static int do_copy_target(struct vmem_txn *t, void *arg)
{
	struct copy_target *c = arg;
	struct vmem_dinode *n = txn_inode(t, c->vi);
	uint64_t block;
	int err;

	t->privileged = true;
	err = txn_alloc_block(t, 0, &block);
	if (err)
		return err;
	txn_new_block(t, block, c->from, VMEM_BLOCK_SIZE);
	return txn_ext_insert(t, n, c->vi->ino, 0, block, 1, VMEM_DATA);
}

static int copy_target(struct repair *r, struct vmem_inode *vi, const struct rcopy *c)
{
	struct copy_target a = { vi, block_ptr(r, c->pblk) };

	return vmem_run(vi->fs, do_copy_target, &a);
}

static int copy_contents(struct repair *r, struct vmem_inode *vi, const struct rcopy *c)
{
	struct copy_source from = { r->store, block_ptr(r, c->pblk) };
	uint64_t off = c->lblk << VMEM_BLOCK_SHIFT, len = c->nr << VMEM_BLOCK_SHIFT;
	struct vmem_attr old;
	int64_t done;
	int err;

	/* No extent was left that starts behind the end of the file. */
	vmem_getattr(vi, &old);
	if (len > old.size - off)
		len = old.size - off;
	done = vmem_write(vi, off, (size_t)len, copy_from, &from);
	if (done >= 0 && (uint64_t)done < len)
		done = -ENOSPC;
	err = vmem_setattr(vi, VMEM_SET_ATIME | VMEM_SET_MTIME | VMEM_SET_CTIME, &old);
	return done < 0 ? (int)done : err;
}

static int copy_blocks(struct repair *r, struct vmem_fs *fs, const struct rcopy *c)
{
	struct vmem_inode vi;
	int err = vmem_iget(fs, c->ino, &vi);

	if (err)	/* -ESTALE: it was freed, because nothing leads to it */
		return err == -ESTALE ? 0 : err;
	if (vmem_is_reg(&vi.raw))
		err = copy_contents(r, &vi, c);
	else	/* a symlink: nothing else has extents */
		err = copy_target(r, &vi, c);
	if (err == -ENOSPC) {
		vmem_repair_fixed(r, false, "inode %u: no space for all copies: %s", c->ino,
			vmem_is_lnk(&vi.raw) ? "its target is lost" : "zeros remain");
		err = 0;
	}
	r->res->copied += c->nr;
	return err ? err : vmem_iput(&vi);
}

int vmem_repair_mounted(struct repair *r)
{
	struct vmem_mount_opts opts = { .check = true, .check_done = true };
	const struct rcopy *c;
	struct vmem_fs *fs;
	int err = vmem_mount(r->store, r->env, &opts, &fs, NULL), end;

	if (err)
		return err;
	for (c = r->copies; c && !err; c = c->next) {
		vmem_repair_step(r, "copying blocks", r->res->copied, 0);
		err = copy_blocks(r, fs, c);
	}
	if (!err)
		err = add_names(r, fs);
	if (!err)
		err = connect_lost(r, fs);
	end = vmem_umount(fs);
	return err ? err : end;
}
