// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* judge.c - recovers a state, compares it with what may be there, and uses it */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "explore.h"
#include "fs/fs.h"

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

static size_t see_zeros(void *ctx, void *addr, size_t len)
{
	static const uint8_t zeros[PAGE];
	bool *ok = ctx;
	size_t i;

	for (i = 0; i < len; i += PAGE)
		*ok &= !memcmp((uint8_t *)addr + i, zeros, len - i < PAGE ? len - i : PAGE);
	return len;
}

/* What the file did not reach must read as zeros when it grows. */
static int grow_file(struct vmem_inode *vi, const char **what)
{
	bool zeros = true;
	uint64_t size = vmem_size(vi), more = 5000;
	uint8_t byte = 0x5a;
	int64_t n;
	int err = vmem_truncate(vi, size + more);

	*what = "growing a file";
	if (err)
		return err == -ENOSPC ? 0 : err;
	n = vmem_read(vi, size, (size_t)more, see_zeros, &zeros);
	if (n != (int64_t)more || !zeros) {
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

/* ---- The state, kept while it is judged ---- */

static void keep(struct explorer *x)
{
	const struct machine *m = &x->test;
	unsigned int i;

	x->nr_kept = m->nr_touched;
	for (i = 0; i < m->nr_touched; i++) {
		uint32_t p = m->touched_list[i];

		x->kept_list[i] = p;
		memcpy(x->kept + (size_t)p * PAGE, m->image + (size_t)p * PAGE, PAGE);
	}
}

static void put_back(struct explorer *x)
{
	struct machine *m = &x->test;
	unsigned int i;

	while (m->nr_touched) {
		uint32_t p = m->touched_list[--m->nr_touched];

		memcpy(m->image + (size_t)p * PAGE, x->now + (size_t)p * PAGE, PAGE);
		m->touched[p] = false;
	}
	for (i = 0; i < x->nr_kept; i++)
		memcpy(state_change(x, x->kept_list[i] * PAGE), x->kept + (size_t)x->kept_list[i] * PAGE, PAGE);
}

/* ---- Failing again while it recovers ---- */

#define NEST_BELOW 64u

static bool wanted_below(struct explorer *x, uint64_t state, int kind)
{
	const char *dot = x->only ? strchr(x->only, '.') : NULL;
	unsigned int nest = x->depth && x->opt->nest > NEST_BELOW ? NEST_BELOW : x->opt->nest;

	if (!x->below || (kind == 'h' && x->mode != MODE_KILL))
		return false;
	if (x->only)
		return dot && (dot[1] == 'h') == (kind == 'h');
	return nest && mix(state + (uint64_t)kind) % nest == 0;
}

/* Explore the recovery that x->recovery has recorded. */
static bool explore_below(struct explorer *x, size_t from, const uint8_t *start, enum mode mode,
			  const struct allowed *allowed, const char *kind)
{
	struct explorer *b = x->below;
	bool ok;

	b->only = x->only ? strchr(x->only, '.') + 1 : NULL;
	snprintf(b->id, sizeof(b->id), "%.40s%zu:%u.%s", x->id, x->at, x->number, kind);
	if (x->opt->verbose) {
		printf("---- recovery of state %s%zu:%u\n", x->id, x->at, x->number);
		explorer_print(x->w, &x->recovery, from);
	}
	b->generation = x->test.store.generation[1];
	explorer_load(b, start);
	ok = explore(b, x->w, &x->recovery, from, mode, x->mount, allowed);
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
	struct vmem_fs *fs = NULL;
	bool ok = true;

	put_back(x);
	memcpy(x->saved, m->image, IMAGE_SIZE);
	trace_copy(&x->recovery, x->t, from);
	machine_record(m, &x->recovery, true);
	/* That it cannot be mounted at all is told later. */
	if (!machine_mount(m, x->mount, &fs) && memcmp(m->shadow, m->image, IMAGE_SIZE))
		ok = fail(x, "recovery", "a store to the medium was not reported");
	else if (fs)
		ok = explore_below(x, from, host ? x->start : x->saved, host ? MODE_HOST : x->mode,
				   host ? NULL : &x->allowed, host ? "h" : "");
	machine_stop_recording(m);
	machine_forget(m);
	return ok;
}

/* ---- Recovering ---- */

static void print_tree(const struct tree *t)
{
	unsigned int i;

	for (i = 0; i < t->nr; i++)
		printf("found: %-24s inode %-4llu %6llu bytes, %u links, mode %o\n", t->s[i].path,
		       (unsigned long long)t->s[i].ino, (unsigned long long)t->s[i].size,
		       t->s[i].nlink, t->s[i].mode);
}

struct result {
	uint64_t hash, place;
	uint64_t not_zero;	/* which free blocks */
};

/* The hash of what is there now, which is what now has but in touched pages. */
static struct result result_of(struct explorer *x)
{
	static struct page_hashes h;
	const struct machine *m = &x->test;
	struct result result = { 0 };
	unsigned int i;

	h = x->hashes;
	for (i = 0; i < m->nr_touched; i++) {
		uint32_t p = m->touched_list[i];

		if (p < x->layout.log || p >= x->layout.log_end)
			hash_page(&h, &x->layout, m->env.crc32c, p, m->image + (size_t)p * PAGE);
	}
	result.hash = recovered_hash(&h, &x->layout, m->image, &result.not_zero);
	result.place = ring_place(&x->layout, m->image);
	return result;
}

/* Mount, and unmount what the mount left to be written. */
static bool recover(struct explorer *x, const char *what, struct result *result)
{
	struct vmem_fs *fs;
	char detail[400];
	int err;

	if (!mount(x, &fs, what))
		return false;
	if (fs->head != fs->tail || fs->nr_dirty) {
		err = vmem_umount(fs);
		snprintf(detail, sizeof(detail), "unmount: error %d (%s)", -err, x->test.last_log);
		if (err)
			return fail(x, what, detail);
	}
	machine_forget(&x->test);
	*result = result_of(x);
	return true;
}

/*
 * A failure right behind a recovery: a second one changes nothing.  But it does not know
 * of blocks that the first one freed, and would have given back to the host.
 */
static bool recover_twice(struct explorer *x, struct result once)
{
	struct vmem_fs *fs;
	struct result twice;

	put_back(x);
	if (!mount(x, &fs, "mount"))
		return false;
	machine_forget(&x->test);
	if (!recover(x, "second recovery", &twice))
		return false;
	return (twice.hash == once.hash && (x->opt->thin || twice.not_zero == once.not_zero)) ||
	       fail(x, "a second recovery changed something", "the images differ");
}

static bool look_at_tree(struct explorer *x, struct vmem_fs *fs)
{
	if (!read_tree(x, fs, &x->tree, "reading what was recovered"))
		return false;
	if (x->opt->verbose)
		print_tree(&x->tree);
	return (x->other ? x->other->tree_allowed(x) : tree_allowed(&x->tree, x->w, &x->allowed)) ||
	       fail(x, "not what may be there", x->tree.why);
}

/* The result was checked and used before, but behind another history. */
static bool judge_history(struct explorer *x)
{
	struct vmem_fs *fs;

	if (!mount(x, &fs, "mounting what was recovered") || !look_at_tree(x, fs))
		return false;
	machine_forget(&x->test);
	return true;
}

static bool judge_all(struct explorer *x)
{
	struct vmem_fs *fs;

	put_back(x);
	if (!mount(x, &fs, "mount") || !look_at_tree(x, fs) ||
	    !unmount_and_check(x, fs, "check after recovery") || !use_everything(x))
		return false;
	x->memory->count.used++;
	return true;
}

/* Recover, look at the result, use it; what was looked at before passes. */
static bool judge_result(struct explorer *x, uint64_t state)
{
	struct memory *known = x->memory;
	struct result result;
	bool again = x->only || x->opt->thorough, ok;
	uint64_t key, pair;

	if (!recover(x, "mount", &result))
		return false;
	if (x->opt->again && mix(state) % x->opt->again == 0 && !recover_twice(x, result))
		return false;
	key = mix(result.hash + result.not_zero + result.place);
	pair = mix(key + x->allowed_hash);
	if (!again && set_has(&known->pairs, pair))
		return true;
	ok = !again && set_has(&known->results, key) ? judge_history(x) : judge_all(x);
	if (ok) {
		set_add(&known->results, key);
		set_add(&known->pairs, pair);
	}
	return ok;
}

bool judge(struct explorer *x, uint64_t state)
{
	bool whole = !x->test.nr_touched;	/* what the guest saw, and nothing else */

	/* A replay must see what was seen here. */
	x->test.clock = 5000000000 + x->number;
	x->test.rng = ((uint64_t)x->depth + 1) << 56 | (uint64_t)x->at << 30 | (uint64_t)x->number << 16;
	x->test.store.generation[1] = (uint8_t)(x->generation +
						(x->mode == MODE_HOST || x->mode == MODE_PMEM));
	keep(x);
	if (!(x->only && strchr(x->only, '.')) && !judge_result(x, state))
		return false;
	if (wanted_below(x, state, 0) && !fail_again(x, false))
		return false;
	return !whole || x->depth || !wanted_below(x, state, 'h') || fail_again(x, true);
}
