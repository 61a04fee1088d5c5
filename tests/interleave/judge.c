// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* judge.c - what is looked at behind each schedule */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fs/fs.h"
#include "ops_internal.h"
#include "pair.h"

#define HANDLE_MAX (100u << 10)	/* what only takes up space is not read */

/* ---- At once, while everything is as the threads left it ---- */

static bool at_rest(struct lab *l)
{
	struct vmem_fs *fs = vfs.fs;
	char detail[200];

	if (vfs.why[0])
		return lab_fail(l, vfs.why, "");
	if (vmem_error(fs) && !vfs.spoiled)
		return lab_fail(l, "an error", l->m.last_log);
	if (!hooks_locks_free(detail, sizeof(detail)))
		return lab_fail(l, "locks", detail);
	snprintf(detail, sizeof(detail), "%llu blocks", (unsigned long long)fs->reserved);
	if (fs->reserved)
		return lab_fail(l, "reserved blocks that nobody will use", detail);
	return vfs.spoiled || map_right() || lab_fail(l, vfs.why, "");
}

static bool times_moved(struct lab *l)
{
	struct vmem_attr a;
	char detail[100];
	unsigned int i;

	for (i = 0; i < VNODES; i++) {
		struct vnode *n = &vfs.node[i];

		if (!n->used || !n->nr_mtimes)
			continue;
		vmem_getattr(&n->vi, &a);
		if (!mtime_went_back(n, a.mtime))
			continue;
		snprintf(detail, sizeof(detail), "inode %llu: mtime %lld", (unsigned long long)n->vi.ino,
			 (long long)a.mtime);
		return lab_fail(l, "a time went back", detail);
	}
	return true;
}

/* ---- Then everything is made durable ---- */

static int fsync_all(void)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < VNODES && !err; i++)
		if (vfs.node[i].used) {
			map_writeback(&vfs.node[i]);
			err = vmem_fsync(&vfs.node[i].vi, false);
		}
	return err;
}

static bool has(const struct lab *l, enum operation kind)
{
	unsigned int t, i;

	for (t = 0; t < THREADS; t++)
		for (i = 0; i < l->program[t].nr; i++)
			if (l->program[t].op[i].kind == kind)
				return true;
	return false;
}

static bool times_on_record(const struct vmem_inode *vi)
{
	const struct vmem_dinode *n = (const void *)vmem_meta(vfs.fs, vmem_inode_off(vfs.fs, vi->ino));

	return !memcmp(&n->atime, &vi->raw.atime, 3 * sizeof(n->atime));
}

static bool make_durable(struct lab *l)
{
	static const struct operation_text sync = { .kind = DO_SYNC };
	bool by_sync = l->by_sync || has(l, DO_SHRINK);	/* what has left memory cannot be fsynced */
	const struct vmem_inode *vi;
	int64_t err = by_sync ? operation_run(&sync).result : fsync_all();

	if (err)
		return lab_fail(l, by_sync ? "sync" : "fsync", l->m.last_log);
	for (vi = vfs.fs->dirty_inodes; vi; vi = vi->dirty_next)
		if (vi->nr_dirty || (vi->times_dirty && !times_on_record(vi)))
			return lab_fail(l, "an inode is dirty for ever", by_sync ? "after sync" : "after fsync");
	return true;
}

/* ---- Then the inodes leave memory ---- */

static size_t take_bytes(void *ctx, void *addr, size_t len)
{
	uint8_t **to = ctx;

	memcpy(*to, addr, len);
	*to += len;
	return len;
}

static bool sum_file(struct vnode *n, uint64_t *sum)
{
	static uint8_t bytes[HANDLE_MAX];
	uint64_t size = vmem_size(&n->vi);
	uint8_t *to = bytes;

	if (!vmem_is_reg(&n->vi.raw) || size > HANDLE_MAX)
		return true;
	if (vmem_read(&n->vi, 0, size, take_bytes, &to) != (int64_t)size)
		return false;
	*sum = mix(*sum + bytes_hash(bytes, size));
	return true;
}

static bool forget_inodes(struct lab *l)
{
	unsigned int i;
	int err = 0;

	l->now.handles = 0;
	for (i = 0; i < NR_HANDLES && !err; i++) {
		struct vnode *n = vfs.handle[i];
		uint64_t sum = i + 1;

		if (!n)
			continue;
		if (!sum_file(n, &sum))
			return lab_fail(l, "an open file cannot be read", "");
		l->now.handles = mix(l->now.handles + sum);
		vfs.handle[i] = NULL;
		err = vnode_put(n);
	}
	if (!err)
		err = vfs_shrink();
	if (err || vfs.why[0])
		return lab_fail(l, "putting inodes", vfs.why[0] ? vfs.why : l->m.last_log);
	for (i = 0; i < VNODES; i++)
		if (vfs.node[i].used)
			return lab_fail(l, "a reference to an inode is left", "");
	return true;
}

/* ---- Does it come from an order? ---- */

static unsigned int first_of(const struct tree *t, unsigned int i)
{
	unsigned int k;

	for (k = 0; t->s[k].ino != t->s[i].ino; k++)
		;
	return k;
}

/* All but inode numbers and bytes; links go to the same file. */
static bool same_names(const struct tree *t, const struct tree *u, char *why, size_t size)
{
	unsigned int i;

	for (i = 0; i < t->nr || i < u->nr; i++) {
		const struct seen *a = &t->s[i], *b = &u->s[i];

		if (i == t->nr || i == u->nr || strcmp(a->path, b->path)) {
			snprintf(why, size, "%s is there, but not %s", i == t->nr ? "nothing more" : a->path,
				 i == u->nr ? "(the end)" : b->path);
			return false;
		}
		if (a->kind == b->kind && a->size == b->size && a->nlink == b->nlink && a->mode == b->mode &&
		    first_of(t, i) == first_of(u, i))
			continue;
		snprintf(why, size, "%s: size %llu (%llu in this order), %u links (%u), mode %o (%o)", a->path,
			 (unsigned long long)a->size, (unsigned long long)b->size, a->nlink, b->nlink, a->mode, b->mode);
		return false;
	}
	return true;
}

static const struct seen *find_seen(const struct tree *t, const char *path)
{
	unsigned int i;

	for (i = 0; i < t->nr; i++)
		if (!strcmp(t->s[i].path, path))
			return &t->s[i];
	return NULL;
}

/* Is the byte that of any order? */
static bool byte_of_some(const struct lab *l, const struct seen *s, uint64_t i, uint8_t byte)
{
	unsigned int k;

	for (k = 0; k < l->nr_orders; k++) {
		const struct seen *o = find_seen(&l->order[k].tree, s->path);

		if (o && i < o->size && l->order[k].tree.bytes[o->data + i] == byte)
			return true;
	}
	return false;
}

/* mixed: a mapping was stored to meanwhile, which is not one step. */
static bool same_bytes(const struct lab *l, const struct tree *t, const struct tree *u, bool mixed,
		       char *why, size_t size)
{
	bool moves = has(l, DO_COLLAPSE) || has(l, DO_INSERT);
	unsigned int i;
	uint64_t k;

	for (i = 0; i < t->nr; i++) {
		const struct seen *a = &t->s[i], *b = &u->s[i];

		if (a->kind == K_DIR || !memcmp(t->bytes + a->data, u->bytes + b->data, a->size))
			continue;
		for (k = 0; k < a->size; k++) {
			uint8_t byte = t->bytes[a->data + k];

			/* What a mapping stored page by page may have moved in between. */
			if (byte == u->bytes[b->data + k] || (mixed && (moves || byte_of_some(l, a, k, byte))))
				continue;
			snprintf(why, size, "%s: byte %llu is %02x (%02x in this order)", a->path,
				 (unsigned long long)k, byte, u->bytes[b->data + k]);
			return false;
		}
	}
	return true;
}

static bool maps_somewhere(const struct lab *l)
{
	return has(l, DO_MAP) || has(l, DO_LOAD) || has(l, DO_SPAN);
}

static bool same_answers(const struct lab *l, const struct outcome *o, bool mixed, char *why, size_t size)
{
	unsigned int t, i;

	for (t = 0; t < THREADS; t++)
		for (i = 0; i < l->program[t].nr; i++) {
			const struct answer *a = &l->now.answer[t][i], *b = &o->answer[t][i];
			bool data = l->program[t].op[i].kind == DO_READ || l->program[t].op[i].kind == DO_LOAD;

			/* Its path led elsewhere meanwhile, so that it did nothing. */
			if (o->without == (int)t && (a->result == -EINVAL || a->result == -ENOENT))
				continue;
			if (a->result == b->result && (a->value == b->value || (mixed && data)))
				continue;
			snprintf(why, size, "%c's operation %u answers %lld, in this order %lld%s", 'A' + (int)t, i + 1,
				 (long long)a->result, (long long)b->result, a->result == b->result ? " (other data)" : "");
			return false;
		}
	return true;
}

static bool no_room(const struct lab *l, const struct outcome *o)
{
	unsigned int t, i;

	for (t = 0; t < THREADS; t++)
		for (i = 0; i < l->program[t].nr; i++) {
			int64_t result = o->answer[t][i].result;

			if (result == -ENOSPC || (l->program[t].op[i].kind == DO_WRITE && result >= 0 &&
						  result < l->program[t].op[i].len))
				return true;
		}
	return false;
}

/* Who finds the last block is not said. */
static bool no_room_met(const struct lab *l)
{
	bool met = no_room(l, &l->now);
	unsigned int k;

	for (k = 0; k < l->nr_orders; k++)
		met |= no_room(l, &l->order[k]);
	return met;
}

static bool from_an_order(struct lab *l)
{
	bool mixed = maps_somewhere(l);
	char why[300], all[700] = "";
	unsigned int k;

	if (l->start->tight && no_room_met(l))
		return true;
	for (k = 0; k < l->nr_orders; k++) {
		const struct outcome *o = &l->order[k];

		if (same_answers(l, o, mixed, why, sizeof(why)) &&
		    same_names(&l->now.tree, &o->tree, why, sizeof(why)) &&
		    same_bytes(l, &l->now.tree, &o->tree, mixed, why, sizeof(why))) {
			if (mixed || o->handles == l->now.handles)
				return true;
			snprintf(why, sizeof(why), "an open file has other contents");
		}
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s: %s", k ? "; " : "", o->order, why);
	}
	return lab_fail(l, "not from any order", all);
}

/* ---- Then nothing may be pending, and every block accounted for ---- */

static bool blocks_add_up(struct lab *l)
{
	struct vmem_fs *fs = vfs.fs;
	char detail[200];
	uint32_t i;
	int err = 0, k;

	for (k = 0; k < 3 && !err; k++)
		err = vmem_checkpoint(fs);
	if (err)
		return lab_fail(l, "checkpoint", l->m.last_log);
	snprintf(detail, sizeof(detail), "%llu blocks, %llu runs", (unsigned long long)fs->pending_blocks,
		 (unsigned long long)fs->pending_nr);
	/* With discarding off they wait for the next free. */
	if (fs->pending_nr || fs->pending_blocks)
		return lab_fail(l, "freed blocks are pending for ever", detail);
	if (fs->reserved)
		return lab_fail(l, "reserved blocks that nobody will use", "after the inodes left memory");
	for (i = 0; i < fs->nr_ags; i++) {
		const struct vmem_ag *a = &fs->ags[i];

		snprintf(detail, sizeof(detail), "group %u: %u in memory, %u on the medium", i, a->busy_free,
			 vmem_get32(a->desc.free_blocks));
		if (a->busy && a->busy_free != vmem_get32(a->desc.free_blocks))
			return lab_fail(l, "free blocks that cannot be found", detail);
	}
	return true;
}

/* ---- At last it unmounts ---- */

static uint64_t image_hash(struct lab *l)
{
	static struct page_hashes h;
	uint64_t not_zero = 0, hash;
	unsigned int i;

	h = l->snap.hashes;
	for (i = 0; i < l->m.nr_touched; i++) {
		uint32_t p = l->m.touched_list[i];

		if (p < l->layout.log || p >= l->layout.log_end)
			hash_page(&h, &l->layout, l->m.env.crc32c, p, l->m.image + (size_t)p * PAGE);
	}
	hash = recovered_hash(&h, &l->layout, l->m.image, &not_zero);
	return mix(hash + not_zero);
}

static bool next_mount(struct lab *l)
{
	static struct tree again;
	struct vmem_fs *fs;
	bool ok;

	if (machine_check(&l->m))
		return lab_fail(l, "check", l->m.finding);
	machine_stop_recording(&l->m);
	machine_forget(&l->m);
	hooks_forget_locks();
	if (machine_mount(&l->m, l->mode, &fs))
		return lab_fail(l, "the next mount", l->m.last_log);
	ok = tree_read(&again, fs);
	if (!ok)
		return lab_fail(l, "the next mount", again.why);
	if (!tree_equal(&again, &l->now.tree))
		return lab_fail(l, "the next mount finds something else", again.why);
	vmem_umount(fs);
	return true;
}

static bool end_session(struct lab *l, bool all)
{
	struct vmem_fs *fs = vfs.fs;

	vfs.fs = NULL;
	if (vmem_umount(fs))
		return lab_fail(l, "unmount", l->m.last_log);
	if (l->m.live)
		return lab_fail(l, "unmount left memory allocated", "");
	if (machine_met_hole(&l->m))
		return lab_fail(l, "thin store", l->m.finding);
	if (!set_add(&l->results, image_hash(l)) && !all)
		return true;
	l->count.outcomes++;
	return next_mount(l);
}

/* ---- All of it ---- */

static bool durable_is_there(struct lab *l, struct tree *durable)
{
	if (tree_equal(durable, &l->now.tree))
		return true;
	return lab_fail(l, "what was made durable is not there after a failure", durable->why);
}

/* The model counts them. */
static bool two_labels(const struct lab *l)
{
	unsigned int t, i, nr = 0;

	for (t = 0; t < THREADS; t++)
		for (i = 0; i < l->program[t].nr; i++)
			nr += l->program[t].op[i].kind == DO_LABEL;
	return nr > 1;
}

/* What a mapping stores, or who finds the last block, is not known step by step. */
bool crash_wanted(const struct lab *l)
{
	return l->crash_every && !l->start->tight && !maps_somewhere(l) && !has(l, DO_SPOIL) && !two_labels(l);
}

bool judge_run(struct lab *l, bool order)
{
	static struct tree durable;

	if (vfs.spoiled)
		return at_rest(l) && crash_at_end(l, &durable);
	if (!at_rest(l) || !times_moved(l) || !make_durable(l) || !crash_at_end(l, &durable) ||
	    !forget_inodes(l))
		return false;
	if (!tree_read(&l->now.tree, vfs.fs))
		return lab_fail(l, "reading the tree", l->m.last_log[0] ? l->m.last_log : l->now.tree.why);
	if (!durable_is_there(l, &durable) || (!order && !from_an_order(l)) || !blocks_add_up(l) ||
	    !end_session(l, order || l->verbose))
		return false;
	if (order || !crash_wanted(l) || (!l->only && mix(l->number + l->count.pairs * 131) % l->crash_every))
		return true;
	return crash_within(l);
}
