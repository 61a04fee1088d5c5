// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * test_random.c - random operations against a model, with failures between
 * and in the middle of them
 *
 * SEED=n where to start (default: the time), RANDOM_SECONDS=n for how long in
 * all (default 20).  A finding prints the seed; SEED=that RANDOM_SECONDS=0
 * runs it alone, TRACE=1 prints each operation.
 */
#include <time.h>
#include "fixture.h"
#include "model.h"

#define STORE_SIZE	(6 * MiB)
#define STEPS		250u

struct world {
	struct ctx c;
	struct model m;
	struct vmem_inode *open[MODEL_NODES];
	unsigned int step, failures;
	char label, new_label;		/* the first character; and while another is being given */
	uint64_t seed;
};

static unsigned int pick(struct world *w, unsigned int below)
{
	return (unsigned int)sim_random(w->c.sim, below);
}

#define MUST(w, x) do { \
		int64_t result_ = (x); \
		if (result_ < 0) \
			fail_msg("seed %llu step %u: %s gives %lld (%s)", \
				 (unsigned long long)(w)->seed, (w)->step, #x, (long long)result_, \
				 (w)->c.sim->last_log); \
	} while (0)

__attribute__((format(printf, 2, 3)))
static void trace(struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (!getenv("TRACE"))
		return;
	va_start(ap, fmt);
	printf("# step %u: ", w->step);
	vprintf(fmt, ap);
	putchar('\n');
	va_end(ap);
}

/* ---- Handles ---- */

static struct vmem_inode *open_node(struct world *w, unsigned int node)
{
	if (node == 0)
		return &w->c.root;
	if (!w->open[node]) {
		w->open[node] = calloc(1, sizeof(*w->open[node]));
		MUST(w, vmem_iget(w->c.fs, model_now(&w->m)->node[node].ino, w->open[node]));
	}
	return w->open[node];
}

static void close_node(struct world *w, unsigned int node)
{
	struct model_state *s = model_now(&w->m);

	if (node == 0 || !w->open[node])
		return;
	trace(w, "put %u", node);
	MUST(w, vmem_iput(w->open[node]));
	free(w->open[node]);
	w->open[node] = NULL;
	if (s->node[node].kind != MODEL_NONE && !model_links(s, node)) {
		model_step(&w->m);
		model_drop(&w->m, node);
	}
}

static void lose_handles(struct world *w)
{
	unsigned int i;

	for (i = 1; i < MODEL_NODES; i++) {
		free(w->open[i]);
		w->open[i] = NULL;
	}
}

/* ---- Choosing ---- */

/* A node of that kind, named or open; MODEL_NODES: none. */
static unsigned int pick_node(struct world *w, enum model_kind kind)
{
	struct model_state *s = model_now(&w->m);
	unsigned int start = pick(w, MODEL_NODES), i;

	for (i = 0; i < MODEL_NODES; i++) {
		unsigned int n = (start + i) % MODEL_NODES;

		if (s->node[n].kind == kind && (kind != MODEL_DIR || !n || model_links(s, n)))
			return n;
	}
	return MODEL_NODES;
}

static struct model_name *pick_name(struct world *w, bool used)
{
	struct model_state *s = model_now(&w->m);
	unsigned int start = pick(w, MODEL_NAMES), i;

	for (i = 0; i < MODEL_NAMES; i++) {
		struct model_name *n = &s->name[(start + i) % MODEL_NAMES];

		if (n->used == used)
			return n;
	}
	return NULL;
}

static bool is_above(const struct model_state *s, unsigned int above, unsigned int node)
{
	unsigned int i;

	while (node) {
		if (node == above)
			return true;
		for (i = 0; i < MODEL_NAMES; i++)
			if (s->name[i].used && s->name[i].node == node)
				break;
		if (i == MODEL_NAMES)
			return false;
		node = s->name[i].dir;
	}
	return above == 0;
}

static bool dir_is_empty(const struct model_state *s, unsigned int dir)
{
	unsigned int i;

	for (i = 0; i < MODEL_NAMES; i++)
		if (s->name[i].used && s->name[i].dir == dir)
			return false;
	return true;
}

static void fresh_name(struct world *w, char *name, size_t size)
{
	snprintf(name, size, "n%u%.*s", w->step, (int)pick(w, 25), "xxxxxxxxxxxxxxxxxxxxxxxxxxx");
}

/* ---- Operations: each changes the model by at most one step ---- */

static void do_create(struct world *w)
{
	unsigned int node = pick_node(w, MODEL_NONE), dir = pick_node(w, MODEL_DIR);
	unsigned int kind = pick(w, 8);
	struct model_name *name = pick_name(w, false);
	struct vmem_attr attr = { .mode = kind == 0 ? S_DIR : S_FILE };
	struct vmem_inode *parent = open_node(w, dir), *vi;
	struct model_state *s;

	if (node == MODEL_NODES || !name)
		return;
	s = model_step(&w->m);
	name = pick_name(w, false);
	fresh_name(w, name->name, sizeof(name->name));
	vi = w->open[node] = calloc(1, sizeof(*vi));
	if (kind == 1) {
		char target[400];
		size_t len = 1 + pick(w, 399);
		struct model_data *d = model_change(&w->m, node);

		memset(target, 'a' + (int)(w->step % 26), len);
		MUST(w, vmem_symlink(parent, N(name->name), target, len, &attr, vi));
		memcpy(d->bytes, target, len);
		d->size = (uint32_t)len;
	} else {
		if (kind > 1)
			model_change(&w->m, node);
		MUST(w, vmem_create(parent, N(name->name), &attr, vi));
	}
	s->node[node].kind = kind == 0 ? MODEL_DIR : kind == 1 ? MODEL_LINK : MODEL_FILE;
	s->node[node].ino = vi->ino;
	name->used = true;
	name->dir = (uint8_t)dir;
	name->node = (uint8_t)node;
	trace(w, "create %u in %u, kind %u", node, dir, kind);
}

static void do_write(struct world *w)
{
	unsigned int node = pick_node(w, MODEL_FILE);
	uint32_t size, off, len;
	struct model_data *d;
	struct vmem_inode *vi;
	uint8_t *buf;
	size_t i;

	if (node == MODEL_NODES)
		return;
	vi = open_node(w, node);
	size = model_now(&w->m)->node[node].data->size;
	off = pick(w, 3) ? size : pick(w, size + 1 + pick(w, 3) * 5000);
	len = 1 + (pick(w, 3) ? pick(w, 700) : pick(w, 30000));
	if (off + len > MODEL_MAX_FILE)
		return;
	model_step(&w->m);
	d = model_change(&w->m, node);
	trace(w, "write %u at %u length %u, size %u", node, off, len, size);
	buf = malloc(len);
	for (i = 0; i < len; i++)
		buf[i] = (uint8_t)sim_random(w->c.sim, 256);
	memcpy(d->bytes + off, buf, len);
	if (off + len > d->size)
		d->size = off + len;
	MUST(w, write_at(vi, off, buf, len) == len ? 0 : -EIO);
	free(buf);
}

static void do_truncate(struct world *w)
{
	unsigned int node = pick_node(w, MODEL_FILE);
	struct model_data *d;
	struct vmem_inode *vi;
	uint32_t size;

	if (node == MODEL_NODES)
		return;
	vi = open_node(w, node);
	model_step(&w->m);
	d = model_change(&w->m, node);
	size = pick(w, 3) ? pick(w, d->size + 1) : pick(w, MODEL_MAX_FILE);
	trace(w, "truncate %u from %u to %u", node, d->size, size);
	if (size < d->size)
		memset(d->bytes + size, 0, d->size - size);
	d->size = size;
	MUST(w, vmem_truncate(vi, size));
}

/* The model knows a byte by its place: what moves is durable before and after. */
static void settle(struct world *w, unsigned int node, struct vmem_inode *vi)
{
	MUST(w, vmem_fsync(vi, false));
	if (!w->c.sim->left)
		model_fsynced(&w->m, node);
}

/* fallocate(2), of each kind. */
static void do_falloc(struct world *w)
{
	static const unsigned int modes[] = {
		0, VMEM_FALLOC_KEEP_SIZE, VMEM_FALLOC_PUNCH_HOLE | VMEM_FALLOC_KEEP_SIZE,
		VMEM_FALLOC_ZERO_RANGE, VMEM_FALLOC_COLLAPSE_RANGE, VMEM_FALLOC_INSERT_RANGE,
	};
	unsigned int node = pick_node(w, MODEL_FILE), kind = pick(w, 6);
	struct model_data *d;
	struct vmem_inode *vi;
	uint32_t size, off, len, end;

	if (node == MODEL_NODES)
		return;
	vi = open_node(w, node);
	size = model_now(&w->m)->node[node].data->size;
	off = pick(w, size + 3000);
	len = 1 + pick(w, 20000);
	if (kind > 3) {
		off &= ~(BLOCK - 1);
		len = (len + BLOCK - 1) & ~(BLOCK - 1);
	}
	end = off + len;
	if (end > MODEL_MAX_FILE || (kind == 4 && end >= size) ||
	    (kind == 5 && (off >= size || size + len > MODEL_MAX_FILE)))
		return;
	if (kind > 3)
		settle(w, node, vi);
	model_step(&w->m);
	d = model_change(&w->m, node);
	trace(w, "fallocate %u, mode %x, at %u length %u, size %u", node, modes[kind], off, len, size);
	if (kind == 5)
		memmove(d->bytes + end, d->bytes + off, size - off);
	if (kind == 4)
		memmove(d->bytes + off, d->bytes + end, size - end);
	d->size = kind == 5 ? size + len : kind == 4 ? size - len : (kind == 0 || kind == 3) && end > size ? end : size;
	if (kind == 4)
		memset(d->bytes + d->size, 0, len);
	else if (kind > 1 && off < d->size)
		memset(d->bytes + off, 0, (end < d->size ? end : d->size) - off);
	MUST(w, vmem_fallocate(vi, modes[kind], off, len));
	if (kind > 3)
		settle(w, node, vi);
}

/* A store through a shared mapping, as a page fault and a store would do. */
static void do_map(struct world *w)
{
	unsigned int node = pick_node(w, MODEL_FILE);
	struct vmem_map map;
	struct model_data *d;
	struct vmem_inode *vi;
	uint8_t *at, byte = (uint8_t)(1 + w->step % 255);
	uint32_t off, len;

	if (node == MODEL_NODES || model_now(&w->m)->node[node].data->size < 10)
		return;
	vi = open_node(w, node);
	model_step(&w->m);
	d = model_change(&w->m, node);
	off = pick(w, d->size);
	len = BLOCK - off % BLOCK;
	if (len > d->size - off)
		len = d->size - off;
	trace(w, "map %u at %u length %u", node, off, len);
	MUST(w, vmem_map_write(vi, off / BLOCK, 1, &map));
	at = w->c.sim->now + map.pblk * BLOCK + off % BLOCK;
	memset(d->bytes + off, byte, len);
	sim_store(w->c.sim, at, d->bytes + off, len);
	if (w->c.domain == VMEM_DOMAIN_PMEM)
		w->c.sim->store.drain(&w->c.sim->store);	/* as its user would */
	else
		sim_stored(w->c.sim, (uint64_t)(at - w->c.sim->now), len);
	vmem_mark_dirty(vi, off, len);
}

static void do_unlink(struct world *w)
{
	struct model_name *name = pick_name(w, true);
	struct model_state *s = model_now(&w->m);
	struct vmem_inode *dir, *vi;
	unsigned int node, slot;

	if (!name)
		return;
	node = name->node;
	if (s->node[node].kind == MODEL_DIR && !dir_is_empty(s, node))
		return;
	dir = open_node(w, name->dir);
	vi = open_node(w, node);
	trace(w, "unlink %u", node);
	slot = (unsigned int)(name - s->name);
	s = model_step(&w->m);
	name = &s->name[slot];
	name->used = false;
	if (s->node[node].kind == MODEL_DIR)
		MUST(w, vmem_rmdir(dir, N(name->name), vi));
	else
		MUST(w, vmem_unlink(dir, N(name->name), vi));
	memset(name, 0, sizeof(*name));
}

static void do_link(struct world *w)
{
	unsigned int node = pick_node(w, MODEL_FILE), dir = pick_node(w, MODEL_DIR);
	struct model_state *s = model_now(&w->m);
	struct model_name *name;
	struct vmem_inode *parent, *vi;

	if (node == MODEL_NODES || !model_links(s, node) || !pick_name(w, false))
		return;
	parent = open_node(w, dir);
	vi = open_node(w, node);
	model_step(&w->m);
	name = pick_name(w, false);
	fresh_name(w, name->name, sizeof(name->name));
	name->used = true;
	name->dir = (uint8_t)dir;
	name->node = (uint8_t)node;
	trace(w, "link %u in %u", node, dir);
	MUST(w, vmem_link(parent, N(name->name), vi));
}

/* Rename over an existing name, or exchange with it. */
static void rename_over(struct world *w, struct model_name *from, struct model_name *to)
{
	struct model_state *s = model_now(&w->m);
	bool dir = s->node[from->node].kind == MODEL_DIR;
	bool to_dir = s->node[to->node].kind == MODEL_DIR;
	bool swap = pick(w, 2);
	struct vmem_inode *a = open_node(w, from->dir), *b = open_node(w, to->dir);
	struct vmem_inode *vi = open_node(w, from->node), *victim = open_node(w, to->node);
	unsigned int i = (unsigned int)(from - s->name), k = (unsigned int)(to - s->name);
	uint8_t moved = from->node;

	if (from->node == to->node || (dir && is_above(s, from->node, to->dir)) ||
	    (to_dir && is_above(s, to->node, from->dir)))
		return;
	if (!swap && (dir != to_dir || (to_dir && !dir_is_empty(s, to->node))))
		return;
	s = model_step(&w->m);
	from = &s->name[i];
	to = &s->name[k];
	trace(w, "%s %u over %u", swap ? "exchange" : "rename", moved, to->node);
	MUST(w, vmem_rename(a, N(from->name), vi, b, N(to->name), victim,
			    swap ? VMEM_RENAME_EXCHANGE : 0));
	if (swap)
		from->node = to->node;
	else
		memset(from, 0, sizeof(*from));
	to->node = moved;
}

static void do_rename(struct world *w)
{
	struct model_name *from = pick_name(w, true), *to;
	struct model_state *s = model_now(&w->m);
	struct vmem_inode *a, *b, *vi;
	unsigned int dir = pick_node(w, MODEL_DIR), slot;
	char name[40];

	if (!from)
		return;
	if (pick(w, 2)) {
		to = pick_name(w, true);
		if (to != from)
			rename_over(w, from, to);
		return;
	}
	if (s->node[from->node].kind == MODEL_DIR && is_above(s, from->node, dir))
		return;
	a = open_node(w, from->dir);
	b = open_node(w, dir);
	vi = open_node(w, from->node);
	slot = (unsigned int)(from - s->name);
	s = model_step(&w->m);
	from = &s->name[slot];
	fresh_name(w, name, sizeof(name));
	trace(w, "rename %u to %u", from->node, dir);
	MUST(w, vmem_rename(a, N(from->name), vi, b, N(name), NULL, 0));
	memset(from->name, 0, sizeof(from->name));
	memcpy(from->name, name, strlen(name));
	from->dir = (uint8_t)dir;
}

static void do_setattr(struct world *w)
{
	unsigned int node = pick_node(w, MODEL_FILE);
	struct vmem_attr attr = { .mode = (uint16_t)pick(w, 01000) };

	if (node != MODEL_NODES)
		MUST(w, vmem_setattr(open_node(w, node), VMEM_SET_MODE, &attr));
}

/* As chattr(1). */
static void do_flags(struct world *w)
{
	static const uint32_t flags[] = { 0, VMEM_FL_NODUMP, VMEM_FL_NOATIME | VMEM_FL_SYNC, VMEM_FL_NOATIME };
	unsigned int node = pick_node(w, MODEL_FILE);
	struct vmem_attr attr = { .flags = flags[pick(w, 4)] };
	struct vmem_inode *vi;

	if (node == MODEL_NODES)
		return;
	vi = open_node(w, node);
	trace(w, "flags %x of %u", attr.flags, node);
	model_step(&w->m)->node[node].flags = attr.flags;
	MUST(w, vmem_setattr(vi, VMEM_SET_FLAGS, &attr));
}

/* It is durable when the call has returned, in each domain. */
static void do_label(struct world *w)
{
	char label[VMEM_LABEL_LEN];

	w->new_label = (char)('a' + pick(w, 26));
	trace(w, "label %c", w->new_label);
	memset(label, w->new_label, sizeof(label));
	MUST(w, vmem_set_label(w->c.fs, label, sizeof(label)));
	if (!w->c.sim->left)
		w->label = w->new_label;
}

static void compare_label(struct world *w)
{
	char old[VMEM_LABEL_LEN + 1] = "", new[VMEM_LABEL_LEN + 1] = "";
	struct vmem_statfs st;

	if (!w->new_label)
		return;
	vmem_statfs(w->c.fs, &st);
	memset(new, w->new_label, VMEM_LABEL_LEN);
	memset(old, w->label, VMEM_LABEL_LEN);
	if (!strcmp(st.label, new))
		w->label = w->new_label;
	else if (strcmp(st.label, w->label ? old : "test"))
		fail_msg("seed %llu step %u: label %s, given were %s and %s", (unsigned long long)w->seed, w->step,
			 st.label, old, new);
	w->new_label = w->label;
}

/* ---- One extended attribute ---- */

#define XATTR VMEM_XATTR_USER, N("random")

static uint64_t value_hash(const uint8_t *value, int64_t len)
{
	uint64_t hash = 1 + (uint64_t)len;
	int64_t i;

	for (i = 0; i < len; i++)
		hash = (hash ^ value[i]) * 0x9e3779b97f4a7c15ull;
	return hash | 1;
}

static void do_xattr(struct world *w)
{
	static uint8_t value[20000];
	unsigned int node = pick_node(w, pick(w, 3) ? MODEL_FILE : MODEL_DIR), i;
	struct vmem_xattr x = { XATTR, value, 0, 0 };
	struct vmem_inode *vi;
	struct model_state *s;

	if (node == MODEL_NODES || !node)
		return;
	vi = open_node(w, node);
	if (model_now(&w->m)->node[node].xattr && !pick(w, 3))
		x.value = NULL;
	else
		x.size = 1 + pick(w, pick(w, 2) ? 100 : pick(w, 2) ? 1100 : sizeof(value));
	trace(w, "%s attribute of %u, %zu bytes", x.value ? "set" : "remove", node, x.size);
	for (i = 0; i < x.size; i++)
		value[i] = (uint8_t)(w->step * 31 + i * 7 + i / 256);
	s = model_step(&w->m);
	s->node[node].xattr = x.value ? value_hash(value, (int64_t)x.size) : 0;
	MUST(w, vmem_setxattr(vi, &x, 1, 0, NULL));
}

static uint64_t see_xattr(struct world *w, struct vmem_inode *vi)
{
	static uint8_t value[VMEM_XATTR_MAX_VALUE];
	int64_t len = vmem_getxattr(vi, XATTR, value, sizeof(value));

	if (len == -ENODATA)
		return 0;
	MUST(w, len);
	return value_hash(value, len);
}

static void do_fsync(struct world *w)
{
	unsigned int node = pick_node(w, pick(w, 6) ? MODEL_FILE : MODEL_DIR);

	if (node == MODEL_NODES)
		return;
	trace(w, "fsync %u", node);
	MUST(w, vmem_fsync(open_node(w, node), pick(w, 2)));
	if (!w->c.sim->left)
		model_fsynced(&w->m, node);
}

static void do_sync(struct world *w)
{
	trace(w, "sync");
	MUST(w, vmem_sync(w->c.fs));
	if (!w->c.sim->left)
		model_synced(&w->m);
}

/* ---- What is there ---- */

struct seen {
	uint64_t dir, ino, size, xattr;
	uint32_t nlink, flags;
	unsigned int type;
	char name[256];
};

struct tree {
	struct world *w;
	struct seen seen[2 * MODEL_NAMES];
	unsigned int nr;
	uint64_t dir;
};

static int see(void *ctx, const char *name, size_t len, uint64_t ino, unsigned int type,
	       uint64_t cookie)
{
	struct tree *t = ctx;
	struct seen *s = &t->seen[t->nr];

	(void)cookie;
	if (name[0] == '.')
		return 0;
	if (t->nr == 2 * MODEL_NAMES)
		return 1;
	memset(s, 0, sizeof(*s));
	s->dir = t->dir;
	s->ino = ino;
	s->type = type;
	memcpy(s->name, name, len);
	t->nr++;
	return 0;
}

static void walk_dir(struct tree *t, uint64_t ino)
{
	unsigned int i, first = t->nr, end;
	struct vmem_inode vi;
	uint64_t cookie = 0;

	MUST(t->w, vmem_iget(t->w->c.fs, ino, &vi));
	t->dir = ino;
	MUST(t->w, vmem_readdir(&vi, &cookie, see, t));
	MUST(t->w, vmem_iput(&vi));
	end = t->nr;
	for (i = first; i < end; i++) {
		struct seen *s = &t->seen[i];
		struct vmem_attr a;

		MUST(t->w, vmem_iget(t->w->c.fs, s->ino, &vi));
		vmem_getattr(&vi, &a);
		s->size = a.size;
		s->nlink = a.nlink;
		s->xattr = see_xattr(t->w, &vi);
		s->flags = a.flags;
		MUST(t->w, vmem_iput(&vi));
		if (s->type == 4)
			walk_dir(t, s->ino);
	}
}

static bool name_matches(const struct model_state *s, const struct model_name *n,
			 const struct seen *x)
{
	static const unsigned int type[] = { [MODEL_FILE] = 8, [MODEL_DIR] = 4, [MODEL_LINK] = 10 };
	const struct model_node *node = &s->node[n->node];

	if (strcmp(x->name, n->name) || x->dir != s->node[n->dir].ino)
		return false;
	if (x->xattr != node->xattr || x->flags != node->flags || x->ino != node->ino || x->type != type[node->kind])
		return false;
	if (node->kind == MODEL_DIR)
		return x->nlink == 2 + model_subdirs(s, n->node);
	return x->size == node->data->size && x->nlink == model_links(s, n->node);
}

static bool tree_matches(const struct tree *t, const struct model_state *s)
{
	unsigned int i, k, nr = 0;

	for (i = 0; i < MODEL_NAMES; i++) {
		if (!s->name[i].used)
			continue;
		for (k = 0; k < t->nr && !name_matches(s, &s->name[i], &t->seen[k]); k++)
			;
		if (k == t->nr)
			return false;
		nr++;
	}
	return nr == t->nr;
}

/* Contents of every named node fit state k; adopt: they are the model's from now on. */
static bool contents_match(struct world *w, unsigned int k, bool adopt, char *why, size_t why_size)
{
	static uint8_t buf[MODEL_MAX_FILE + 1];
	struct model_state *s = w->m.state[k];
	unsigned int i;
	size_t at = 0;

	for (i = 1; i < MODEL_NODES; i++) {
		struct model_data *d = s->node[i].data;
		struct vmem_inode vi;
		int64_t n;

		if (!d || !model_links(s, i))
			continue;
		MUST(w, vmem_iget(w->c.fs, s->node[i].ino, &vi));
		n = s->node[i].kind == MODEL_LINK ? vmem_readlink(&vi, (char *)buf, sizeof(buf)) :
			read_at(&vi, 0, buf, sizeof(buf));
		MUST(w, vmem_iput(&vi));
		if (n != d->size || (!adopt && !model_bytes_fit(&w->m, i, k, buf, &at))) {
			snprintf(why, why_size, "inode %llu: %lld of %u bytes, byte %zu is %02x, model %02x",
				 (unsigned long long)s->node[i].ino, (long long)n, d->size, at,
				 buf[at], d->bytes[at]);
			return false;
		}
		if (adopt)
			memcpy(model_change(&w->m, i)->bytes, buf, (size_t)n);
	}
	return true;
}

/* ---- Failing ---- */

static void print_tree(const struct tree *t)
{
	unsigned int i;

	for (i = 0; i < t->nr; i++)
		printf("# found: dir %llu %s -> %llu, %llu bytes, %u links\n",
		       (unsigned long long)t->seen[i].dir, t->seen[i].name,
		       (unsigned long long)t->seen[i].ino, (unsigned long long)t->seen[i].size,
		       t->seen[i].nlink);
}

/* Which of the states that may be there is there? */
static void compare(struct world *w)
{
	struct tree *t = calloc(1, sizeof(*t));
	char why[200] = "the names are those of no state";
	unsigned int k;

	t->w = w;
	walk_dir(t, VMEM_ROOT_INO);
	for (k = w->m.nr; k-- > w->m.first;)
		if (tree_matches(t, w->m.state[k]) && contents_match(w, k, false, why, sizeof(why)))
			break;
	if (k + 1 == w->m.first || k == UINT32_MAX) {
		print_tree(t);
		fail_msg("seed %llu step %u, %u states from %u: %s", (unsigned long long)w->seed,
			 w->step, w->m.nr, w->m.first, why);
	}
	model_fall_back(&w->m, k);
	contents_match(w, w->m.nr - 1, true, why, sizeof(why));
	free(t);
	compare_label(w);
}

static void mount_and_compare(struct world *w)
{
	lose_handles(w);
	again(&w->c);
	compare(w);
	down(&w->c);
	again(&w->c);
}

static void fail_here(struct world *w)
{
	trace(w, "fail");
	w->failures++;
	fail_now(&w->c, (enum sim_failure)w->c.domain);
	mount_and_compare(w);
}

/* FS_IOC_SHUTDOWN: nothing reaches the store from here on, and the next mount recovers. */
static void shut_down(struct world *w)
{
	struct vmem_attr attr = { .mode = 0600 };
	unsigned int i;

	trace(w, "shut down");
	vmem_shutdown(w->c.fs);
	assert_int_equal(vmem_setattr(&w->c.root, VMEM_SET_MODE, &attr), -EIO);
	for (i = 1; i < MODEL_NODES; i++)
		if (w->open[i])
			(void)vmem_iput(w->open[i]);
	(void)vmem_iput(&w->c.root);
	assert_int_equal(vmem_umount(w->c.fs), -EIO);
	assert_int_equal(w->c.sim->live, 0);
	mount_and_compare(w);
}

static void failed_inside(struct world *w)
{
	trace(w, "fail inside");
	w->failures++;
	sim_restart(w->c.sim, w->c.sim->left, w->c.sim->fail_kind);
	mount_and_compare(w);
}

static void remount_cleanly(struct world *w)
{
	unsigned int i;

	trace(w, "remount");
	for (i = 1; i < MODEL_NODES; i++)
		close_node(w, i);
	down(&w->c);
	model_synced(&w->m);
	again(&w->c);
	compare(w);
}

/* ---- Running ---- */

static void one_operation(struct world *w)
{
	unsigned int op = pick(w, 100);

	if (op < 16)
		do_create(w);
	else if (op < 37)
		do_write(w);
	else if (op < 42)
		do_falloc(w);
	else if (op < 46)
		do_xattr(w);
	else if (op < 54)
		do_truncate(w);
	else if (op < 58)
		do_map(w);
	else if (op < 66)
		do_unlink(w);
	else if (op < 69)
		do_link(w);
	else if (op < 78)
		do_rename(w);
	else if (op < 79)
		do_setattr(w);
	else if (op < 80)
		do_flags(w);
	else if (op < 88)
		do_fsync(w);
	else if (op < 90)
		do_sync(w);
	else if (op < 92)
		MUST(w, vmem_checkpoint(w->c.fs));
	else if (op < 93)
		do_label(w);
	else
		close_node(w, pick(w, MODEL_NODES));
}

static void one_step(struct world *w)
{
	unsigned int kind = pick(w, 100);

	if (model_full(&w->m)) {
		MUST(w, vmem_sync(w->c.fs));
		model_synced(&w->m);
	}
	/* What returned is durable in these domains. */
	if (w->c.domain != VMEM_DOMAIN_HOST)
		model_synced(&w->m);
	if (kind < 2) {
		if (pick(w, 4))
			fail_here(w);
		else
			shut_down(w);
	} else if (kind < 3) {
		remount_cleanly(w);
	} else if (kind < 6) {
		w->c.sim->fail_kind = (enum sim_failure)w->c.domain;
		w->c.sim->fail_at = w->c.sim->stores + 1 + pick(w, pick(w, 2) ? 6 : 40);
		one_operation(w);
		if (w->c.sim->left)
			failed_inside(w);
		w->c.sim->fail_at = 0;
	} else {
		one_operation(w);
	}
}

static void run_seed(enum vmem_domain domain, uint64_t seed, unsigned int *failures)
{
	struct world *w = calloc(1, sizeof(*w));

	w->seed = seed;
	up(&w->c, domain, STORE_SIZE, seed % 3 ? 64 : 0);
	w->c.sim->rng = seed * 0x9e3779b97f4a7c15ull + domain;
	w->c.sim->snapshots = true;
	if (domain == VMEM_DOMAIN_HOST && seed % 4)
		sim_use_commits(w->c.sim);
	model_init(&w->m, VMEM_ROOT_INO);
	for (w->step = 0; w->step < STEPS; w->step++)
		one_step(w);
	remount_cleanly(w);
	finish(&w->c);
	*failures += w->failures;
	model_free(&w->m);
	free(w);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void random_operations_and_failures_leave_an_allowed_state(void **state)
{
	const char *s = getenv("SEED"), *t = getenv("RANDOM_SECONDS"), *n = getenv("RANDOM_SEEDS");
	uint64_t seed = s ? strtoull(s, NULL, 0) : (uint64_t)time(NULL), first = seed;
	double end = seconds() + (t ? atof(t) : 20) / 3;
	uint64_t least = n ? strtoull(n, NULL, 0) : 1;
	unsigned int failures = 0;

	do
		run_seed(domain_of(state), seed++, &failures);
	while (seconds() < end || seed - first < least);
	printf("# domain %d: seeds %llu to %llu, %u steps each, %u failures\n", domain_of(state),
	       (unsigned long long)first, (unsigned long long)seed - 1, STEPS, failures);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_DOMAIN(random_operations_and_failures_leave_an_allowed_state),
	};

	return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
