// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* judge.c - recovers a state, compares it with what may be there, and uses it */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "explore.h"

static bool fail(struct explorer *x, const char *what, const char *detail)
{
	snprintf(x->why, sizeof(x->why), "%s: %s", what, detail);
	machine_forget(&x->test);
	return false;
}

static bool mount(struct explorer *x, struct vmem_fs **fs, const char *what)
{
	char detail[400];
	int err = machine_mount(&x->test, x->mount, fs);

	if (!err)
		return true;
	snprintf(detail, sizeof(detail), "error %d (%s)", -err, x->test.last_log);
	return fail(x, what, detail);
}

static bool read_tree(struct explorer *x, struct vmem_fs *fs, struct tree *t, const char *what)
{
	return tree_read(t, fs) || fail(x, what, x->test.last_log[0] ? x->test.last_log : t->why);
}

static bool unmount_and_check(struct explorer *x, struct vmem_fs *fs, const char *what)
{
	char detail[400];
	int err = vmem_umount(fs);

	if (err) {
		snprintf(detail, sizeof(detail), "unmount: error %d (%s)", -err, x->test.last_log);
		return fail(x, what, detail);
	}
	if (x->test.live)
		return fail(x, what, "unmount left memory allocated");
	if (machine_check(&x->test))
		return fail(x, what, x->test.finding);
	machine_forget(&x->test);
	return true;
}

/* ---- Using it: create, write and delete everywhere ---- */

static size_t put_bytes(void *ctx, void *addr, size_t len)
{
	memset(addr, *(uint8_t *)ctx, len);
	return len;
}

struct zeros {
	bool ok;
};

static size_t see_zeros(void *ctx, void *addr, size_t len)
{
	const uint8_t *p = addr;
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i])
			((struct zeros *)ctx)->ok = false;
	return len;
}

/* What the file did not reach must read as zeros when it grows. */
static int grow_file(struct vmem_inode *vi, const char **what)
{
	struct zeros z = { true };
	uint64_t size = vmem_size(vi), more = 5000;
	uint8_t byte = 0x5a;
	int64_t n;
	int err = vmem_truncate(vi, size + more);

	*what = "growing a file";
	if (err)
		return err == -ENOSPC ? 0 : err;
	n = vmem_read(vi, size, (size_t)more, see_zeros, &z);
	if (n != (int64_t)more || !z.ok) {
		*what = "a file that grew shows bytes that were not written";
		return -EIO;
	}
	*what = "writing to a file";
	n = vmem_write(vi, size + 10, 4100, put_bytes, &byte);
	if (n < 0 && n != -ENOSPC)
		return (int)n;
	*what = "fsync";
	return vmem_fsync(vi, false);
}

static int use_dir(struct vmem_inode *dir, const char **what)
{
	struct vmem_attr attr = { .mode = 0100644 };
	struct vmem_name name = { "new file", 8 };
	uint8_t byte = 0xa5;
	struct vmem_inode vi;
	int64_t n;
	int err = vmem_create(dir, name, &attr, &vi);

	*what = "creating a file";
	if (err)
		return err == -ENOSPC ? 0 : err;
	*what = "writing to a new file";
	n = vmem_write(&vi, 3, 4200, put_bytes, &byte);
	if (n < 0 && n != -ENOSPC)
		return (int)n;
	*what = "removing a new file";
	err = vmem_unlink(dir, name, &vi);
	return err ? err : vmem_iput(&vi);
}

static int remove_one(struct vmem_fs *fs, const struct tree *t, const struct seen *s)
{
	const char *slash = strrchr(s->path, '/'), *part = slash ? slash + 1 : s->path;
	uint64_t parent = VMEM_ROOT_INO;
	struct vmem_inode dir, vi;
	struct vmem_name name;
	unsigned int i;
	char buf[256];
	int err;

	for (i = 0; slash && i < t->nr; i++)
		if (strlen(t->s[i].path) == (size_t)(slash - s->path) &&
		    !strncmp(t->s[i].path, s->path, (size_t)(slash - s->path)))
			parent = t->s[i].ino;
	real_name(part, strlen(part), buf, &name);
	err = vmem_iget(fs, parent, &dir);
	if (!err)
		err = vmem_iget(fs, s->ino, &vi);
	if (!err)
		err = s->kind == K_DIR ? vmem_rmdir(&dir, name, &vi) : vmem_unlink(&dir, name, &vi);
	if (!err)
		err = vmem_iput(&vi);
	return err ? err : vmem_iput(&dir);
}

static int use_one(struct vmem_fs *fs, uint64_t ino, enum kind kind, const char **what)
{
	struct vmem_inode vi;
	int err = vmem_iget(fs, ino, &vi);

	*what = "iget";
	if (!err && kind == K_DIR)
		err = use_dir(&vi, what);
	else if (!err && kind == K_FILE)
		err = grow_file(&vi, what);
	return err ? err : vmem_iput(&vi);
}

static bool use_everything(struct explorer *x)
{
	struct tree *t = &x->tree;
	const char *what = "";
	struct vmem_fs *fs;
	char detail[400];
	unsigned int i;
	int err;

	if (!mount(x, &fs, "mounting what was recovered"))
		return false;
	err = use_one(fs, VMEM_ROOT_INO, K_DIR, &what);
	for (i = 0; !err && i < t->nr; i++)
		err = use_one(fs, t->s[i].ino, t->s[i].kind, &what);
	for (i = t->nr; !err && i-- > 0;) {
		what = "removing everything";
		err = remove_one(fs, t, &t->s[i]);
	}
	if (err) {
		snprintf(detail, sizeof(detail), "%s: error %d (%s)", what, -err, x->test.last_log);
		return fail(x, "using what was recovered", detail);
	}
	return unmount_and_check(x, fs, "check after using everything");
}

/* ---- Failing again while it recovers ---- */

static bool wanted_below(struct explorer *x, unsigned int salt, char kind)
{
	const char *dot = x->only ? strchr(x->only, '.') : NULL;

	if (!x->below || (kind == 'h' && x->mode != MODE_KILL))
		return false;
	if (x->only)
		return dot && (dot[1] == 'h') == (kind == 'h');
	return x->opt->nest && mix(x->number * 7ull + salt + x->opt->seed) % x->opt->nest == 0;
}

/* Explore the recovery that x->recovery has recorded. */
static bool explore_below(struct explorer *x, size_t from, const uint8_t *start, enum mode mode,
			  const struct allowed *allowed, const char *kind)
{
	struct explorer *b = x->below;
	bool ok;

	b->only = x->only ? strchr(x->only, '.') + 1 : NULL;
	snprintf(b->id, sizeof(b->id), "%.40s%u.%s", x->id, x->number, kind);
	if (x->opt->verbose) {
		printf("---- recovery of state %s%u\n", x->id, x->number);
		explorer_print(x->w, &x->recovery, from);
	}
	b->generation = x->test.store.generation[1];
	ok = explore(b, x->w, &x->recovery, from, start, mode, x->mount, allowed);
	x->states += b->states;
	x->judged += b->judged;
	b->states = 0;
	b->judged = 0;
	if (!ok) {
		memcpy(x->why, b->why, sizeof(x->why));
		memcpy(x->failed, b->failed, sizeof(x->failed));
	}
	return ok;
}

static bool fail_again(struct explorer *x, bool host)
{
	struct machine *m = &x->test;
	size_t from = host ? x->at + 1 : 0;
	struct vmem_fs *fs;
	bool ok = true;

	memcpy(x->saved, m->image, IMAGE_SIZE);
	trace_copy(&x->recovery, x->t, from);
	machine_record(m, &x->recovery, true);
	/* That it cannot be mounted at all is told later. */
	if (!machine_mount(m, x->mount, &fs))
		ok = explore_below(x, from, host ? x->start : x->saved, host ? MODE_HOST : x->mode,
				   host ? NULL : &x->allowed, host ? "h" : "");
	machine_stop_recording(m);
	machine_forget(m);
	memcpy(m->image, x->saved, IMAGE_SIZE);
	return ok;
}

/* ---- Recovering ---- */

/* A second recovery, of what the first has left, changes nothing. */
static bool recover_twice(struct explorer *x, struct vmem_fs **fs)
{
	machine_forget(&x->test);
	if (!mount(x, fs, "second recovery") || !read_tree(x, *fs, &x->tree2, "reading after a second recovery"))
		return false;
	return tree_equal(&x->tree2, &x->tree) || fail(x, "a second recovery changed something", x->tree2.why);
}

static void print_tree(const struct tree *t)
{
	unsigned int i;

	for (i = 0; i < t->nr; i++)
		printf("found: %-24s inode %-4llu %6llu bytes, %u links, mode %o\n", t->s[i].path,
		       (unsigned long long)t->s[i].ino, (unsigned long long)t->s[i].size,
		       t->s[i].nlink, t->s[i].mode);
}

bool judge(struct explorer *x)
{
	bool whole = !x->test.nr_touched;	/* what the guest saw, and nothing else */
	struct vmem_fs *fs;

	/* A replay must see what was seen here. */
	x->test.clock = 5000000000 + x->number;
	x->test.rng = ((uint64_t)x->depth + 1) << 56 | (uint64_t)x->number << 20;
	x->test.store.generation[1] = (uint8_t)(x->generation +
						(x->mode == MODE_HOST || x->mode == MODE_PMEM));
	if (wanted_below(x, 0, 0) && !fail_again(x, false))
		return false;
	if (whole && x->depth == 0 && wanted_below(x, 1, 'h') && !fail_again(x, true))
		return false;
	if (x->only && strchr(x->only, '.'))
		return true;
	if (!mount(x, &fs, "mount") || !read_tree(x, fs, &x->tree, "reading what was recovered"))
		return false;
	if (x->opt->verbose)
		print_tree(&x->tree);
	if (!tree_allowed(&x->tree, x->w, &x->allowed))
		return fail(x, "not what may be there", x->tree.why);
	if (x->opt->again && mix(x->number) % x->opt->again == 0 && !recover_twice(x, &fs))
		return false;
	if (!unmount_and_check(x, fs, "check after recovery"))
		return false;
	/* Below, one in four. */
	return (x->depth && x->number % 4) || use_everything(x);
}
