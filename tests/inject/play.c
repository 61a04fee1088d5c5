// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* play.c - the operations of a script */
#include "player.h"

struct args {
	struct player *p;
	const char *path, *to;
	uint64_t n[3];		/* numbers, in order */
	uint32_t seed;		/* of the bytes that are written */
	int err;		/* of what was done meanwhile */
};

unsigned int parse_script(const char *text, struct op *ops)
{
	unsigned int nr = 0;

	memset(ops, 0, MAX_OPS * sizeof(*ops));
	while (*text) {
		size_t len = strcspn(text, ";");
		const char *start = text + strspn(text, " \n\t");

		if (start < text + len) {
			assert_true(nr < MAX_OPS && text + len - start < (long)sizeof(ops[nr].text));
			memcpy(ops[nr].text, start, (size_t)(text + len - start));
			ops[nr].changes_many = !strncmp(start, "many", 4) || !strncmp(start, "fill", 4);
			nr++;
		}
		text += len + (text[len] == ';');
	}
	return nr;
}

/* ---- Inodes ---- */

static int hold(struct player *p, uint64_t ino, struct vmem_inode **vi)
{
	struct held *empty = NULL;
	unsigned int i;
	int err;

	for (i = 0; i < MAX_HELD; i++) {
		if (!p->held[i].used) {
			empty = &p->held[i];
		} else if (p->held[i].vi.ino == ino) {
			*vi = &p->held[i].vi;
			return 0;
		}
	}
	assert_non_null(empty);
	err = vmem_iget(p->c.fs, ino, &empty->vi);
	empty->used = !err;
	*vi = &empty->vi;
	return err;
}

/* A new inode comes here; hold() finds it once it is marked used. */
static struct held *new_held(struct player *p)
{
	unsigned int i;

	for (i = 0; i < MAX_HELD && p->held[i].used; i++)
		;
	assert_true(i < MAX_HELD);
	return &p->held[i];
}

static int forget(struct vmem_inode *vi)
{
	int err = vmem_iput(vi);

	((struct held *)(void *)((char *)vi - offsetof(struct held, vi)))->used = false;
	return err;
}

static bool has_handle(const struct player *p, uint64_t ino)
{
	unsigned int i;

	for (i = 0; i < MAX_HANDLES; i++)
		if (p->handle[i] == ino)
			return true;
	return false;
}

/* The last name is gone: without a handle the inode goes, too. */
static int dropped(struct player *p, struct vmem_inode *vi)
{
	struct vmem_attr a;

	vmem_getattr(vi, &a);
	return a.nlink || has_handle(p, vi->ino) ? 0 : forget(vi);
}

/* The directory of the path, and its last part. */
static int find_dir(struct player *p, const char *path, struct vmem_inode **dir,
		    struct vmem_name *name)
{
	int err = hold(p, VMEM_ROOT_INO, dir);

	for (;;) {
		size_t len = strcspn(path, "/");
		uint64_t ino;

		name->name = path;
		name->len = len;
		if (err || !path[len])
			return err;
		err = vmem_lookup(*dir, *name, &ino, NULL);
		if (!err)
			err = hold(p, ino, dir);
		path += len + 1;
	}
}

static int find(struct player *p, const char *path, struct vmem_inode **vi)
{
	struct vmem_inode *dir;
	struct vmem_name name;
	uint64_t ino;
	int err;

	if (path[0] == '#')
		return hold(p, p->handle[path[1] - '0'], vi);
	if (!strcmp(path, "."))
		return hold(p, VMEM_ROOT_INO, vi);
	err = find_dir(p, path, &dir, &name);
	if (!err)
		err = vmem_lookup(dir, name, &ino, NULL);
	return err ? err : hold(p, ino, vi);
}

/* ---- Names ---- */

static int make_labelled(struct args *a, unsigned int mode, const struct vmem_xattr *x, unsigned int nr)
{
	struct vmem_attr attr = { .mode = (uint16_t)mode, .uid = 1, .gid = 2, .xattrs = x, .nr_xattrs = nr };
	struct vmem_inode *dir;
	struct vmem_name name;
	struct held *h;
	int err = find_dir(a->p, a->path, &dir, &name);

	h = new_held(a->p);
	if (!err)
		err = vmem_create(dir, name, &attr, &h->vi);
	h->used = !err;
	return err;
}

static int make_node(struct args *a, unsigned int mode)
{
	return make_labelled(a, mode, NULL, 0);
}

static int op_labelled(struct args *a)
{
	static const uint8_t large[6000] = "large";
	const struct vmem_xattr x[] = {
		{ VMEM_XATTR_SECURITY, N("label"), "system_u:object_r:usr_t:s0", 26, 0 },
		{ VMEM_XATTR_USER, N("large"), large, sizeof(large), 0 },
	};

	return make_labelled(a, S_FILE, x, 2);
}

static int op_creat(struct args *a)
{
	return make_node(a, S_FILE);
}

static int op_mkdir(struct args *a)
{
	return make_node(a, S_DIR);
}

static int op_fifo(struct args *a)
{
	return make_node(a, 0010600);
}

static int op_symlink(struct args *a)
{
	struct vmem_attr attr = { .mode = 0777 };
	struct vmem_inode *dir;
	struct vmem_name name;
	char target[4096];
	struct held *h;
	int err = find_dir(a->p, a->path, &dir, &name);

	h = new_held(a->p);
	memset(target, 't', sizeof(target));
	if (!err)
		err = vmem_symlink(dir, name, target, a->n[0], &attr, &h->vi);
	h->used = !err;
	return err;
}

static int op_tmpfile(struct args *a)
{
	struct vmem_attr attr = { .mode = S_FILE };
	struct held *h = new_held(a->p);
	int err = vmem_tmpfile(a->p->c.fs, &attr, VMEM_ROOT_INO, &h->vi);

	h->used = !err;
	if (!err)
		a->p->handle[a->path[1] - '0'] = h->vi.ino;
	return err;
}

static int op_open(struct args *a)
{
	struct vmem_inode *vi;
	int err = find(a->p, a->to, &vi);

	if (!err)
		a->p->handle[a->path[1] - '0'] = vi->ino;
	return err;
}

static int op_link(struct args *a)
{
	struct vmem_inode *vi, *dir;
	struct vmem_name name;
	int err = find(a->p, a->path, &vi);

	if (!err)
		err = find_dir(a->p, a->to, &dir, &name);
	return err ? err : vmem_link(dir, name, vi);
}

static int remove_name(struct args *a, int (*op)(struct vmem_inode *dir, struct vmem_name name,
						 struct vmem_inode *vi))
{
	struct vmem_inode *vi, *dir;
	struct vmem_name name;
	int err = find(a->p, a->path, &vi);

	/* Played again: the name had gone, but not the inode. */
	if (err == -ENOENT && a->p->fired)
		return 0;
	if (!err)
		err = find_dir(a->p, a->path, &dir, &name);
	if (!err)
		err = op(dir, name, vi);
	return err ? err : dropped(a->p, vi);
}

static int op_unlink(struct args *a)
{
	return remove_name(a, vmem_unlink);
}

static int op_rmdir(struct args *a)
{
	return remove_name(a, vmem_rmdir);
}

/* What is left in place of the name goes out of memory at once. */
static int leave_white(struct vmem_inode *from_dir, struct vmem_name from, struct vmem_inode *vi,
		       struct vmem_inode *to_dir, struct vmem_name to, struct vmem_inode *victim)
{
	struct vmem_attr attr = { .mode = 0020000 };
	struct vmem_inode white;
	struct vmem_whiteout w = { &attr, &white };
	int err = vmem_rename_whiteout(from_dir, from, vi, to_dir, to, victim, 0, &w);

	return err ? err : vmem_iput(&white);
}

static int rename_to(struct args *a, unsigned int flags, bool leaves)
{
	struct vmem_inode *vi, *victim, *from_dir, *to_dir;
	struct vmem_name from, to;
	int err = find(a->p, a->path, &vi);

	if (err == -ENOENT && a->p->fired)
		return 0;
	if (!err)
		err = find(a->p, a->to, &victim);
	if (err == -ENOENT)
		victim = NULL;
	else if (err)
		return err;
	err = find_dir(a->p, a->path, &from_dir, &from);
	if (!err)
		err = find_dir(a->p, a->to, &to_dir, &to);
	if (!err && leaves)
		err = leave_white(from_dir, from, vi, to_dir, to, victim);
	else if (!err)
		err = vmem_rename(from_dir, from, vi, to_dir, to, victim, flags);
	return err || !victim ? err : dropped(a->p, victim);
}

static int op_rename(struct args *a)
{
	return rename_to(a, 0, false);
}

static int op_exchange(struct args *a)
{
	return rename_to(a, VMEM_RENAME_EXCHANGE, false);
}

static int op_whiteout(struct args *a)
{
	return rename_to(a, 0, true);
}

static int op_many(struct args *a)
{
	struct vmem_attr attr = { .mode = S_FILE };
	struct vmem_inode *dir, vi;
	char name[260];
	uint64_t i;
	int err = find(a->p, a->path, &dir);

	for (i = 0; !err && i < a->n[0]; i++) {
		memset(name, 'n', sizeof(name));
		name[snprintf(name, sizeof(name), "%llu", (unsigned long long)i)] = '_';
		err = vmem_create(dir, (struct vmem_name){ name, a->n[1] }, &attr, &vi);
		if (!err)
			err = vmem_iput(&vi);
		if (err == -EEXIST && a->p->fired)
			err = 0;
	}
	return err;
}

/* ---- Attributes ---- */

static int op_chmod(struct args *a)
{
	struct vmem_attr attr = { .mode = (uint16_t)a->n[0], .uid = 7, .gid = 8 };
	struct vmem_inode *vi;
	int err = find(a->p, a->path, &vi);

	return err ? err : vmem_setattr(vi, VMEM_SET_MODE | VMEM_SET_UID | VMEM_SET_GID, &attr);
}

static int op_chflags(struct args *a)
{
	struct vmem_attr attr = { .flags = (uint32_t)a->n[0] };
	struct vmem_inode *vi;
	int err = find(a->p, a->path, &vi);

	return err ? err : vmem_setattr(vi, VMEM_SET_FLAGS, &attr);
}

/* Its bytes depend on their number alone. */
static int op_setxattr(struct args *a)
{
	static uint8_t value[VMEM_XATTR_MAX_VALUE];
	struct vmem_xattr x = { VMEM_XATTR_USER, N("a"), value, a->n[0], 0 };
	struct vmem_inode *vi;
	int err = find(a->p, a->path, &vi);

	memset(value, (int)(1 + a->n[0] % 250), a->n[0]);
	return err ? err : vmem_setxattr(vi, &x, 1, 0, NULL);
}

/* Played again, it may be gone already. */
static int op_unsetxattr(struct args *a)
{
	struct vmem_xattr x = { VMEM_XATTR_USER, N("a"), NULL, 0, 0 };
	struct vmem_inode *vi;
	int err = find(a->p, a->path, &vi);

	if (!err)
		err = vmem_setxattr(vi, &x, 1, 0, NULL);
	return err == -ENODATA ? 0 : err;
}

static int op_spin(struct args *a)
{
	struct vmem_attr attr = { .mode = 0 };
	struct vmem_inode *vi;
	uint64_t i;
	int err = find(a->p, a->path, &vi);

	for (i = 0; !err && i < a->n[0]; i++) {
		attr.atime = a->p->c.sim->clock++;
		attr.mtime = a->p->c.sim->clock++;
		attr.ctime = a->p->c.sim->clock++;
		err = vmem_setattr(vi, VMEM_SET_ATIME | VMEM_SET_MTIME | VMEM_SET_CTIME, &attr);
	}
	return err;
}

static int op_touch(struct args *a)
{
	struct vmem_inode *vi;
	int err = find(a->p, a->path, &vi);

	if (!err)
		vmem_touch(vi, VMEM_SET_ATIME | VMEM_SET_MTIME, a->p->c.sim->clock++);
	return err;
}

static int op_stat(struct args *a)
{
	struct vmem_statfs st;
	struct vmem_inode *vi;
	struct vmem_attr attr;
	int err = find(a->p, a->path, &vi);

	if (!err)
		vmem_getattr(vi, &attr);
	vmem_statfs(a->p->c.fs, &st);
	assert_true(st.free_blocks <= st.blocks && st.avail_blocks <= st.free_blocks);
	return err;
}

/* ---- Contents ---- */

struct source {
	struct player *p;
	uint64_t pos;		/* of the file */
	uint32_t seed;
	size_t left;		/* then it faults */
	struct vmem_inode *race;	/* a mapping fills a block of it meanwhile */
	uint64_t race_lblk;
};

static uint8_t byte_at(uint32_t seed, uint64_t pos)
{
	return (uint8_t)(1 + ((pos * 0x9e3779b97f4a7c15ull) >> 40 ^ seed) % 251);
}

static void store_bytes(struct player *p, uint8_t *to, uint64_t pos, size_t len, uint32_t seed)
{
	size_t i;

	for (i = 0; i < len; i++)
		to[i] = byte_at(seed, pos + i);
	if (p->c.domain == VMEM_DOMAIN_PMEM)
		p->c.sim->store.writeback(&p->c.sim->store, to, len);
	else
		sim_stored(p->c.sim, (uint64_t)(to - p->c.sim->now), len);
	player_stored(p, (uint64_t)(to - p->c.sim->now), len);
}

static size_t copy_in(void *ctx, void *addr, size_t len)
{
	struct source *s = ctx;
	size_t n = len < s->left ? len : s->left;
	struct vmem_map map;

	if (s->p->locks_held)
		fail_msg("data is copied with a lock held");
	if (s->race)
		(void)vmem_map_write(s->race, s->race_lblk, 1, &map);
	s->race = NULL;
	store_bytes(s->p, addr, s->pos, n, s->seed);
	s->pos += n;
	s->left -= n;
	return n;
}

static int write_bytes(struct args *a, struct vmem_inode *vi, uint64_t off, uint64_t len,
		       struct source *s)
{
	uint64_t done = 0;

	while (done < len) {
		uint64_t size = vmem_size(vi);
		int64_t n;

		s->p = a->p;
		s->pos = off + done;
		s->seed = a->seed;
		n = vmem_write(vi, off + done, len - done, copy_in, s);
		if (n < 0 && vmem_size(vi) != size)
			fail_msg("a write that failed changed the size");
		if (n < 0)
			return (int)n;
		done += (uint64_t)n;
	}
	return 0;
}

static int op_write(struct args *a)
{
	struct source s = { .left = SIZE_MAX };
	struct vmem_inode *vi;
	int err = find(a->p, a->path, &vi);

	return err ? err : write_bytes(a, vi, a->n[0], a->n[1], &s);
}

static int op_append(struct args *a)
{
	struct source s = { .left = SIZE_MAX };
	struct vmem_inode *vi;
	int err = find(a->p, a->path, &vi);

	return err ? err : write_bytes(a, vi, vmem_size(vi), a->n[0], &s);
}

static int op_holes(struct args *a)
{
	struct vmem_inode *vi;
	uint64_t i;
	int err = find(a->p, a->path, &vi);

	for (i = 0; !err && i < a->n[0]; i++) {
		struct source s = { .left = SIZE_MAX };

		err = write_bytes(a, vi, 2 * i * BLOCK, 100, &s);
	}
	return err;
}

static int op_churn(struct args *a)
{
	uint64_t off = a->n[0], i;
	struct vmem_inode *vi;
	int err = find(a->p, a->path, &vi);

	for (i = 0; !err && i < 2 * a->n[1]; i++) {
		struct source s = { .left = SIZE_MAX };

		/* What rode in the record of the first write must not come back over the second. */
		err = write_bytes(a, vi, off + i / 2 * 20, 20, &s);
		if (!err && i % 2 == 0)
			err = vmem_fsync(vi, false);
	}
	return err;
}

static int op_fault(struct args *a)
{
	struct source s = { .left = a->n[2] };
	struct vmem_inode *vi;
	int err = find(a->p, a->path, &vi);

	if (!err)
		err = write_bytes(a, vi, a->n[0], a->n[1], &s);
	return err == -EFAULT ? 0 : err;
}

static int op_race(struct args *a)
{
	struct source s = { .left = SIZE_MAX };
	struct vmem_inode *vi;
	int err = find(a->p, a->path, &vi);

	if (err)
		return err;
	s.race = vi;
	s.race_lblk = (a->n[0] + a->n[1] / 2) / BLOCK;
	return write_bytes(a, vi, a->n[0], a->n[1], &s);
}

static int op_fill(struct args *a)
{
	struct vmem_inode *vi;
	int err = find(a->p, a->path, &vi);

	while (!err && vmem_size(vi) < a->n[0]) {
		struct source s = { .left = SIZE_MAX };

		err = write_bytes(a, vi, vmem_size(vi), 2 * BLOCK, &s);
	}
	return err == -ENOSPC ? 0 : err;
}

static int op_map(struct args *a)
{
	uint64_t off = a->n[0], end = off + a->n[1];
	struct vmem_inode *vi;
	int err = find(a->p, a->path, &vi);

	while (!err && off < end) {
		uint64_t in = off % BLOCK, n = BLOCK - in < end - off ? BLOCK - in : end - off;
		struct vmem_map map;

		err = vmem_map_write(vi, off / BLOCK, 1, &map);
		if (err)
			break;
		store_bytes(a->p, a->p->c.sim->now + map.pblk * BLOCK + in, off, n, a->seed);
		if (a->p->c.sim->store.drain)
			a->p->c.sim->store.drain(&a->p->c.sim->store);
		vmem_mark_dirty(vi, off, n);
		off += n;
	}
	return err;
}

static int op_layout(struct args *a)
{
	struct vmem_inode *vi;
	int err = find(a->p, a->path, &vi);

	return err ? err : vmem_layout(vi, a->n[0] * BLOCK, a->n[1] * BLOCK);
}

static int op_falloc(struct args *a)
{
	static const unsigned int modes[] = {
		0, VMEM_FALLOC_KEEP_SIZE, VMEM_FALLOC_PUNCH_HOLE | VMEM_FALLOC_KEEP_SIZE, VMEM_FALLOC_ZERO_RANGE,
		VMEM_FALLOC_COLLAPSE_RANGE, VMEM_FALLOC_INSERT_RANGE,
	};
	struct vmem_inode *vi;
	int err = find(a->p, a->path, &vi);

	return err ? err : vmem_fallocate(vi, modes[a->n[0] % 6], a->n[1], a->n[2]);
}

static int op_truncate(struct args *a)
{
	struct vmem_inode *vi;
	int err = find(a->p, a->path, &vi);

	return err ? err : vmem_truncate(vi, a->n[0]);
}

static size_t count_bytes(void *ctx, void *addr, size_t len)
{
	uint8_t *sum = ctx;
	size_t i;

	for (i = 0; i < len; i++)
		*sum = (uint8_t)(*sum + ((uint8_t *)addr)[i]);
	return len;
}

static int op_read(struct args *a)
{
	struct vmem_inode *vi;
	uint8_t sum = 0;
	int64_t n = find(a->p, a->path, &vi);

	if (!n)
		n = vmem_read(vi, 0, vmem_size(vi), count_bytes, &sum);
	return n < 0 ? (int)n : 0;
}

static int op_seek(struct args *a)
{
	struct vmem_inode *vi;
	int64_t n = find(a->p, a->path, &vi);

	if (!n)
		n = vmem_seek(vi, 0, true);
	if (n >= 0)
		n = vmem_seek(vi, 0, false);
	return n < 0 && n != -ENXIO ? (int)n : 0;
}

static int op_readlink(struct args *a)
{
	struct vmem_inode *vi;
	char buf[4096];
	int err = find(a->p, a->path, &vi);

	if (!err)
		err = vmem_readlink(vi, buf, sizeof(buf));
	return err < 0 ? err : 0;
}

static int count_name(void *ctx, const char *name, size_t len, uint64_t ino, unsigned int type,
		      uint64_t cookie)
{
	(void)name;
	(void)len;
	(void)ino;
	(void)type;
	(void)cookie;
	++*(unsigned int *)ctx;
	return 0;
}

static int op_list(struct args *a)
{
	struct vmem_inode *vi;
	uint64_t cookie = 0;
	unsigned int n = 0;
	int err = find(a->p, a->path, &vi);

	return err ? err : vmem_readdir(vi, &cookie, count_name, &n);
}

/* ---- Durability, and the whole ---- */

static int op_fsync(struct args *a)
{
	struct vmem_inode *vi;
	int err = find(a->p, a->path, &vi);

	return err ? err : vmem_fsync(vi, false);
}

static int op_fdatasync(struct args *a)
{
	struct vmem_inode *vi;
	int err = find(a->p, a->path, &vi);

	return err ? err : vmem_fsync(vi, true);
}

static int op_sync(struct args *a)
{
	return vmem_sync(a->p->c.fs);
}

static int op_checkpoint(struct args *a)
{
	return vmem_checkpoint(a->p->c.fs);
}

static void chmod_now(struct player *p)
{
	struct args *a = p->meanwhile_arg;

	a->err = op_chmod(a);
}

/* A checkpoint without a flush is over before anybody else comes. */
static int op_meanwhile(struct args *a)
{
	int err;

	a->p->meanwhile = chmod_now;
	a->p->meanwhile_arg = a;
	err = vmem_checkpoint(a->p->c.fs);
	if (!err && a->p->meanwhile)
		chmod_now(a->p);
	a->p->meanwhile = NULL;
	return err ? err : a->err;
}

static int op_put(struct args *a)
{
	struct vmem_inode *vi;
	int err = find(a->p, a->path, &vi);

	/* Played again: it is forgotten whatever vmem_iput() said. */
	if (err && a->p->fired)
		return 0;
	if (err)
		return err;
	if (a->path[0] == '#')
		a->p->handle[a->path[1] - '0'] = 0;
	return forget(vi);
}

static int op_remount(struct args *a)
{
	int err = 0, err2;

	if (a->p->c.fs) {
		err = player_put_all(a->p);
		err2 = player_umount(a->p);
		err = err ? err : err2;
	}
	return err ? err : player_mount(a->p);
}

static int crash(struct player *p, enum sim_failure kind)
{
	if (!p->c.fs)
		return player_mount(p);
	memset(p->held, 0, sizeof(p->held));
	memset(p->handle, 0, sizeof(p->handle));
	fail_now(&p->c, kind);
	p->c.fs = NULL;
	return player_mount(p);
}

static int op_crash(struct args *a)
{
	return crash(a->p, SIM_GUEST);
}

static int op_hostcrash(struct args *a)
{
	return crash(a->p, (enum sim_failure)a->p->c.domain);
}

static int op_ro(struct args *a)
{
	return vmem_remount(a->p->c.fs, true);
}

static int op_rw(struct args *a)
{
	return vmem_remount(a->p->c.fs, false);
}

static int op_grow(struct args *a)
{
	return vmem_grow(a->p->c.fs, 0);
}

static int op_trim(struct args *a)
{
	uint64_t before, trimmed;
	struct vmem_statfs st;
	int err;

	vmem_statfs(a->p->c.fs, &st);
	before = st.free_blocks;
	err = vmem_trim(a->p->c.fs, 0, UINT64_MAX, 0, &trimmed);
	vmem_statfs(a->p->c.fs, &st);
	if (st.free_blocks != before || trimmed > before * BLOCK)
		fail_msg("trimming %llu bytes changed the free space", (unsigned long long)trimmed);
	return err;
}

static int op_discard(struct args *a)
{
	vmem_set_discard(a->p->c.fs, a->n[0]);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct args *a);
} table[] = {
	{ "creat", op_creat }, { "mkdir", op_mkdir }, { "fifo", op_fifo },
	{ "symlink", op_symlink }, { "tmpfile", op_tmpfile }, { "open", op_open },
	{ "link", op_link }, { "unlink", op_unlink }, { "rmdir", op_rmdir },
	{ "rename", op_rename }, { "exchange", op_exchange }, { "rename-white", op_whiteout }, { "chmod", op_chmod },
	{ "chflags", op_chflags },
	{ "setxattr", op_setxattr }, { "unsetxattr", op_unsetxattr }, { "labelled", op_labelled },
	{ "spin", op_spin }, { "touch", op_touch }, { "stat", op_stat }, { "write", op_write },
	{ "append", op_append }, { "holes", op_holes }, { "fault", op_fault },
	{ "race", op_race }, { "churn", op_churn }, { "fill", op_fill }, { "map", op_map }, { "layout", op_layout },
	{ "truncate", op_truncate }, { "falloc", op_falloc }, { "read", op_read }, { "seek", op_seek },
	{ "readlink", op_readlink }, { "list", op_list }, { "fsync", op_fsync },
	{ "fdatasync", op_fdatasync }, { "sync", op_sync }, { "checkpoint", op_checkpoint },
	{ "meanwhile", op_meanwhile },
	{ "put", op_put }, { "many", op_many }, { "remount", op_remount },
	{ "crash", op_crash }, { "hostcrash", op_hostcrash }, { "ro", op_ro }, { "rw", op_rw },
	{ "trim", op_trim }, { "discard", op_discard }, { "grow", op_grow },
};

int play(struct player *p, const struct op *op)
{
	struct args a = { .p = p, .path = "", .to = "" };
	char text[sizeof(op->text)], *save, *word;
	unsigned int i, numbers = 0;
	int err = 0;

	memcpy(text, op->text, sizeof(text));
	for (i = 0; text[i]; i++)
		a.seed = a.seed * 31 + (uint8_t)text[i];
	word = strtok_r(text, " ", &save);
	for (i = 0; strcmp(word, table[i].name); )
		assert_true(++i < sizeof(table) / sizeof(table[0]));
	while ((word = strtok_r(NULL, " ", &save)) != NULL) {
		if (word[0] >= '0' && word[0] <= '9')
			a.n[numbers++] = strtoull(word, NULL, 0);
		else if (!a.path[0])
			a.path = word;
		else
			a.to = word;
	}
	/* As the kernel's worker. */
	if (p->kicked && p->c.fs) {
		p->kicked = false;
		err = vmem_checkpoint(p->c.fs);
	}
	if (!err && !p->c.fs && table[i].run != op_crash && table[i].run != op_hostcrash)
		err = player_mount(p);
	return err ? err : table[i].run(&a);
}
