// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* tree.c - what is there, and whether it may be there */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "pages.h"
#include "world.h"

#define BYTES_MAX (8u << 20)

static bool fail(struct tree *t, const char *what, const char *path, long long n)
{
	snprintf(t->why, sizeof(t->why), "%s: %s (%lld)", path[0] ? path : ".", what, n);
	return false;
}

/* ---- Reading ---- */

struct listing {
	struct tree *t;
	const char *dir;
	bool bad;
};

/* The inverse of real_name(). */
static bool short_name(const char *name, size_t len, char *out, size_t size)
{
	size_t i, n = len;

	if (name[0] == 'L')
		while (n > 1 && name[n - 1] == 'x')
			n--;
	for (i = n; i < len; i++)
		if (name[i] != 'x')
			return false;
	if (n >= size || (name[0] == 'L' && len != 250))
		return false;
	memcpy(out, name, n);
	out[n] = 0;
	return true;
}

static int see(void *ctx, const char *name, size_t len, uint64_t ino, unsigned int type,
	       uint64_t cookie)
{
	struct listing *l = ctx;
	struct seen *s = &l->t->s[l->t->nr];
	char part[PATH_LEN];
	size_t dir = strlen(l->dir);

	(void)cookie;
	if (len <= 2 && name[0] == '.')
		return 0;
	if (l->t->nr == ENTRIES || !short_name(name, len, part, sizeof(part)) ||
	    dir + 1 + strlen(part) >= PATH_LEN) {
		l->bad = true;
		return 1;
	}
	memset(s, 0, sizeof(*s));
	memcpy(s->path, l->dir, dir);
	if (dir)
		s->path[dir++] = '/';
	strcpy(s->path + dir, part);
	s->ino = ino;
	s->kind = type == 4 ? K_DIR : type == 8 ? K_FILE : type == 10 ? K_LINK : type == 2 ? K_WHITE : K_NONE;
	l->t->nr++;
	return 0;
}

static size_t to_tree(void *ctx, void *addr, size_t len)
{
	struct tree *t = ctx;

	memcpy(t->bytes + t->nr_bytes, addr, len);
	t->nr_bytes += len;
	return len;
}

static bool read_contents(struct tree *t, struct seen *s, struct vmem_inode *vi)
{
	int64_t n;

	s->data = t->nr_bytes;
	if (s->size > BYTES_MAX - t->nr_bytes)
		return fail(t, "more bytes than there can be", s->path, (long long)s->size);
	if (s->kind == K_FILE) {
		n = vmem_read(vi, 0, (size_t)s->size + 1, to_tree, t);
	} else {
		n = vmem_readlink(vi, (char *)t->bytes + t->nr_bytes, (size_t)s->size);
		t->nr_bytes += (size_t)s->size;
	}
	return n == (int64_t)s->size || fail(t, "cannot be read", s->path, n);
}

struct vmem_name x_name(unsigned int x, unsigned int *index)
{
	*index = x == X_ACL ? VMEM_XATTR_ACL_ACCESS : VMEM_XATTR_USER;
	return x == X_ACL ? (struct vmem_name){ NULL, 0 } :
			    (struct vmem_name){ x == X_SMALL ? "small" : "large", 5 };
}

static int count_xattr(void *ctx, unsigned int index, struct vmem_name name)
{
	(void)index;
	(void)name;
	++*(unsigned int *)ctx;
	return 0;
}

static bool read_xattrs(struct tree *t, struct seen *s, struct vmem_inode *vi)
{
	static uint8_t value[VMEM_XATTR_MAX_VALUE];
	unsigned int k, index, nr = 0, listed = 0;
	int err = vmem_listxattr(vi, count_xattr, &listed);

	if (err)
		return fail(t, "attributes cannot be listed", s->path, err);
	for (k = 0; k < NR_X; k++) {
		struct vmem_name name = x_name(k, &index);
		int64_t len = vmem_getxattr(vi, index, name, value, sizeof(value));

		if (len < 0 && len != -ENODATA)
			return fail(t, "an attribute cannot be read", s->path, len);
		s->x[k] = len < 0 ? 0 : bytes_hash(value, (size_t)len) | 1;
		nr += len >= 0;
	}
	return nr == listed || fail(t, "an attribute that nobody set", s->path, listed);
}

static bool read_node(struct tree *t, struct vmem_fs *fs, struct seen *s)
{
	static const uint16_t type[] = { [K_FILE] = 8, [K_DIR] = 4, [K_LINK] = 10, [K_WHITE] = 2 };
	struct vmem_inode vi;
	struct vmem_attr a;
	int err = vmem_iget(fs, s->ino, &vi);
	bool ok = true;

	if (err)
		return fail(t, "iget", s->path, err);
	vmem_getattr(&vi, &a);
	s->size = a.size;
	s->nlink = a.nlink;
	s->mode = node_mode(a.mode, a.flags);
	if (s->kind == K_NONE || a.mode >> 12 != type[s->kind])
		ok = fail(t, "the entry's type is not the inode's", s->path, a.mode);
	else if (s->kind != K_DIR && s->kind != K_WHITE)
		ok = read_contents(t, s, &vi);
	if (ok)
		ok = read_xattrs(t, s, &vi);
	err = vmem_iput(&vi);
	return err ? fail(t, "iput", s->path, err) : ok;
}

static bool lookup_agrees(struct tree *t, struct vmem_inode *dir, const struct seen *s)
{
	const char *slash = strrchr(s->path, '/'), *part = slash ? slash + 1 : s->path;
	struct vmem_name name;
	char buf[256];
	uint64_t ino = 0;
	int err;

	real_name(part, strlen(part), buf, &name);
	err = vmem_lookup(dir, name, &ino, NULL);
	return (!err && ino == s->ino) || fail(t, "lookup does not find what readdir shows", s->path, err);
}

static bool read_dir(struct tree *t, struct vmem_fs *fs, uint64_t ino, const char *path)
{
	struct listing l = { .t = t, .dir = path };
	unsigned int first = t->nr, end, i;
	struct vmem_inode vi;
	uint64_t cookie = 0;
	int err = vmem_iget(fs, ino, &vi);

	if (!err)
		err = vmem_readdir(&vi, &cookie, see, &l);
	if (err || l.bad)
		return fail(t, l.bad ? "a name that nobody gave" : "readdir", path, err);
	end = t->nr;
	for (i = first; i < end; i++)
		if (!lookup_agrees(t, &vi, &t->s[i]))
			return false;
	err = vmem_iput(&vi);
	if (err)
		return fail(t, "iput", path, err);
	for (i = first; i < end; i++) {
		if (!read_node(t, fs, &t->s[i]))
			return false;
		if (t->s[i].kind == K_DIR && !read_dir(t, fs, t->s[i].ino, t->s[i].path))
			return false;
	}
	return true;
}

static bool read_label(struct tree *t, struct vmem_fs *fs)
{
	struct vmem_statfs st;
	char one[VMEM_LABEL_LEN + 1] = "";

	vmem_statfs(fs, &st);
	t->label = 0;
	if (!strcmp(st.label, "crash"))
		return true;
	t->label = (unsigned int)(st.label[0] - 'a') + 1;
	memset(one, st.label[0], VMEM_LABEL_LEN);
	return !strcmp(st.label, one) || fail(t, "a label that nobody gave", st.label, 0);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct seen *)a)->path, ((const struct seen *)b)->path);
}

bool tree_read(struct tree *t, struct vmem_fs *fs)
{
	bool ok;

	if (!t->bytes)
		t->bytes = malloc(BYTES_MAX + PAGE);
	t->nr = 0;
	t->nr_bytes = 0;
	t->why[0] = 0;
	ok = read_label(t, fs) && read_dir(t, fs, VMEM_ROOT_INO, "");
	if (ok)
		qsort(t->s, t->nr, sizeof(t->s[0]), by_path);
	return ok;
}

bool tree_equal(struct tree *t, const struct tree *u)
{
	unsigned int i;

	if (t->label != u->label)
		return fail(t, "another label", "", t->label);
	if (t->nr != u->nr)
		return fail(t, "another number of names", "", t->nr);
	for (i = 0; i < t->nr; i++) {
		const struct seen *a = &t->s[i], *b = &u->s[i];

		if (strcmp(a->path, b->path) || a->ino != b->ino || a->size != b->size ||
		    a->nlink != b->nlink || a->mode != b->mode || a->kind != b->kind ||
		    memcmp(a->x, b->x, sizeof(a->x)) ||
		    memcmp(t->bytes + a->data, u->bytes + b->data, a->kind == K_DIR ? 0 : a->size))
			return fail(t, "differs", a->path, 0);
	}
	return true;
}

/* ---- What may be there ---- */

unsigned int labels_before(const struct world *w, unsigned int op)
{
	unsigned int i, n = 0;

	for (i = 0; i < op; i++)
		n += w->op[i].kind == OP_LABEL;
	return n;
}

void allowed_init(struct allowed *a, enum mode mode)
{
	memset(a, 0, sizeof(*a));
	a->host = mode == MODE_HOST;
}

static void durable_up_to(struct allowed *a, unsigned int state)
{
	unsigned int i;

	a->lo = state;
	for (i = 0; i < NODES; i++)
		a->dur[i] = state;
}

void allowed_begin(struct allowed *a, unsigned int op)
{
	a->hi = op + 1;
}

/* The newest state up to the present one that a record about the node made. */
static unsigned int last_record(const struct world *w, unsigned int node, unsigned int state)
{
	unsigned int i;

	for (; state > 0; state--)
		for (i = 0; i < w->s[state]->nr_touched; i++)
			if (w->s[state]->touched[i] == node)
				return state;
	return 0;
}

void allowed_done(struct allowed *a, const struct world *w, unsigned int op)
{
	enum op_kind kind = w->op[op].kind;
	unsigned int node = w->node_of_op[op], k;

	a->hi = op + 1;
	a->label = labels_before(w, op + 1);
	if (!a->host || kind == OP_SYNC || kind == OP_UMOUNT) {
		durable_up_to(a, op + 1);
		return;
	}
	if (kind != OP_FSYNC && kind != OP_FDATASYNC)
		return;
	k = last_record(w, node, op + 1);
	if (k > a->lo)
		a->lo = k;
	a->dur[node] = op + 1;
}

uint64_t allowed_hash(const struct allowed *a, const struct world *w)
{
	unsigned int first = a->lo, place[MAX_OPS + 2], i;
	uint64_t hash = a->host + 2ull * a->label;

	for (i = 0; i < w->next_node; i++)
		first = a->dur[i] < first ? a->dur[i] : first;
	/* An operation that changed nothing makes no difference. */
	place[first] = 1;
	hash = mix(hash + w->s[first]->hash);
	for (i = first + 1; i <= a->hi && i <= w->nr; i++) {
		place[i] = place[i - 1];
		if (w->s[i]->hash == w->s[i - 1]->hash)
			continue;
		place[i]++;
		hash = mix(hash + w->s[i]->hash + (op_is_falloc(w->op[i - 1].kind) ? w->op[i - 1].kind : 0u));
	}
	hash = mix(hash + place[a->lo]);
	for (i = 0; i < w->next_node; i++)
		if (place[a->dur[i]] > 1)
			hash = mix(hash + i * 1000003ull + place[a->dur[i]]);
	return hash;
}

static unsigned int links_of(const struct state *s, const struct entry *e)
{
	size_t len = strlen(e->path);
	unsigned int i, n = 0;

	for (i = 0; i < s->nr; i++) {
		if (s->node[e->node].kind != K_DIR)
			n += s->e[i].node == e->node;
		else
			n += s->node[s->e[i].node].kind == K_DIR && strlen(s->e[i].path) > len &&
			     !memcmp(s->e[i].path, e->path, len) && s->e[i].path[len] == '/' &&
			     !strchr(s->e[i].path + len + 1, '/');
	}
	return s->node[e->node].kind == K_DIR ? n + 2 : n;
}

static bool names_match(struct tree *t, const struct world *w, const struct state *s)
{
	unsigned int i;

	for (i = 0; i < s->nr && i < t->nr; i++) {
		const struct entry *e = &s->e[i];
		const struct node *n = &s->node[e->node];
		const struct seen *x = &t->s[i];

		if (strcmp(x->path, e->path))
			return fail(t, strcmp(x->path, e->path) < 0 ? "should not be there" : "another is missing before it",
				    x->path, i);
		/* One whiteout is as good as another: which number it gets depends on who runs beside it. */
		if ((n->kind != K_WHITE && x->ino != w->ino[e->node]) || x->kind != n->kind)
			return fail(t, "is another inode", x->path, (long long)x->ino);
		if (x->nlink != links_of(s, e))
			return fail(t, "has a wrong link count", x->path, x->nlink);
		if (x->mode != n->mode)
			return fail(t, "has a wrong mode", x->path, x->mode);
		if (memcmp(x->x, n->x, sizeof(x->x)))
			return fail(t, "has wrong attributes", x->path, i);
		if (n->data && x->size != n->data->size)
			return fail(t, "has a wrong size", x->path, (long long)x->size);
	}
	return s->nr == t->nr || fail(t, s->nr > t->nr ? "names are missing" : "there are names too many",
				      "", (long long)t->nr);
}

static bool reaches(const struct world *w, unsigned int node, unsigned int k, uint64_t i)
{
	const struct node *n = &w->s[k]->node[node];

	return n->kind == K_FILE && i < n->data->size;
}

/*
 * Where the byte at *i of state j was in the state before, or (!back) the other way round;
 * false: it is another byte.  Only what fallocate(2) did makes a difference.
 */
static bool same_byte(const struct world *w, unsigned int node, unsigned int j, bool back, uint64_t *i)
{
	const struct op *op = &w->op[j - 1];
	const struct data *old = w->s[j - 1]->node[node].data;
	uint64_t off, end;

	if (!op_is_falloc(op->kind) || w->node_of_op[j - 1] != node || !old || old == w->s[j]->node[node].data)
		return true;
	off = (uint64_t)(op->off + (op->from_end ? old->size : 0));
	end = off + op->len;
	switch (op->kind) {
	case OP_PUNCH: case OP_ZERO:
		return *i < off || *i >= end;
	case OP_COLLAPSE: case OP_INSERT:
		if (*i < off)
			return true;
		if (back == (op->kind == OP_COLLAPSE)) {
			*i += op->len;
			return true;
		}
		if (*i < end)
			return false;
		*i -= op->len;
		return true;
	default:
		return true;
	}
}

/* A byte in place may be as in any state between which the file reached it. */
static bool byte_allowed(const struct world *w, const struct allowed *a, unsigned int node,
			 unsigned int k, uint64_t i, uint8_t byte)
{
	uint64_t at = i;
	unsigned int j;

	for (j = k; reaches(w, node, j, at); j--) {
		if (w->s[j]->node[node].data->bytes[at] == byte)
			return true;
		if (j <= a->dur[node] || !same_byte(w, node, j, true, &at))
			break;
	}
	at = i;
	for (j = k + 1; j <= a->hi && same_byte(w, node, j, false, &at) && reaches(w, node, j, at); j++)
		if (w->s[j]->node[node].data->bytes[at] == byte)
			return true;
	return false;
}

static bool contents_match(struct tree *t, const struct world *w, const struct allowed *a,
			   unsigned int k, const struct entry *e, const struct seen *x)
{
	const struct data *d = w->s[k]->node[e->node].data;
	const uint8_t *bytes = t->bytes + x->data;
	uint64_t i;

	if (!memcmp(bytes, d->bytes, d->size))
		return true;
	/* The record of a running write comes after all of its data. */
	if (!a->host && k > a->lo && w->s[a->lo]->node[e->node].data &&
	    w->s[a->lo]->node[e->node].data->size != d->size)
		return fail(t, "has the new size, but not the contents", x->path, (long long)x->size);
	if (!a->host && a->hi == a->lo + 1 && op_is_falloc(w->op[a->lo].kind))
		return fail(t, "half of what one record does has happened", x->path, (long long)k);
	for (i = 0; i < d->size; i++)
		if (bytes[i] != d->bytes[i] &&
		    (x->kind != K_FILE || !byte_allowed(w, a, e->node, k, i, bytes[i])))
			return fail(t, "has a byte that it never had there", x->path, (long long)i);
	return true;
}

static bool state_matches(struct tree *t, const struct world *w, const struct allowed *a,
			  unsigned int k)
{
	const struct state *s = w->s[k];
	unsigned int i;

	if (!names_match(t, w, s))
		return false;
	for (i = 0; i < s->nr; i++) {
		unsigned int node = s->e[i].node, from = k < a->dur[node] ? a->dur[node] : k;

		/* An fsync behind state k only overwrote in place. */
		if (s->node[node].data && (!w->s[from]->node[node].data ||
		    w->s[from]->node[node].data->size != s->node[node].data->size))
			from = k;
		if (s->node[node].data && !contents_match(t, w, a, from, &s->e[i], &t->s[i]))
			return false;
	}
	return true;
}

bool tree_allowed(struct tree *t, const struct world *w, const struct allowed *a)
{
	char why[300] = "";
	unsigned int k;

	/* In every domain it is durable when the call returns. */
	if (t->label < a->label || t->label > labels_before(w, a->hi))
		return fail(t, "another label than was given", "", t->label);

	for (k = a->hi + 1; k-- > a->lo;) {
		if (state_matches(t, w, a, k))
			return true;
		/* What differs least tells most. */
		if (!why[0] || strstr(t->why, "byte"))
			memcpy(why, t->why, sizeof(why));
	}
	memcpy(t->why, why, sizeof(why));
	return false;
}
