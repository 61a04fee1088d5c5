// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* tree.c - trees of names and contents, compared */
#include "medium/hash.h"
#include "big.h"
#include "player.h"

void tree_free(struct tree *t)
{
	while (t->nr) {
		struct entry *e = &t->e[--t->nr];

		big_free(e->bytes, e->attr.size + 1);
	}
	free(t->e);
	memset(t, 0, sizeof(*t));
}

static char why[900];

__attribute__((format(printf, 2, 3)))
static const char *say(const struct entry *e, const char *fmt, ...)
{
	size_t n = (size_t)snprintf(why, sizeof(why), "%.60s: ", e->path);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why + n, sizeof(why) - n, fmt, ap);
	va_end(ap);
	return why;
}

static const char *attr_differs(const struct entry *is, const struct entry *want)
{
	const struct vmem_attr *a = &is->attr, *b = &want->attr;

	if (is->type != want->type || a->mode != b->mode)
		return say(is, "mode %o, should be %o", a->mode, b->mode);
	if (a->uid != b->uid || a->gid != b->gid || a->rdev != b->rdev)
		return say(is, "owner or device");
	if (is->xattrs != want->xattrs)
		return say(is, "extended attributes");
	if (a->nlink != b->nlink)
		return say(is, "%u links, should be %u", a->nlink, b->nlink);
	return NULL;
}

static const char *bytes_differ(const struct entry *is, const struct entry *old,
				const struct entry *new)
{
	uint64_t i, size = is->attr.size;

	if (size != old->attr.size && (size < old->attr.size ? size < new->attr.size :
				       size > new->attr.size))
		return say(is, "size %llu, should be %llu to %llu", (unsigned long long)size,
			   (unsigned long long)old->attr.size, (unsigned long long)new->attr.size);
	/* Nearly always. */
	if (is->bytes && new->bytes && size == new->attr.size &&
	    !memcmp(is->bytes, new->bytes, size))
		return NULL;
	for (i = 0; i < size && is->bytes; i++) {
		uint8_t a = i < old->attr.size ? old->bytes[i] : 0;
		uint8_t b = i < new->attr.size ? new->bytes[i] : 0;

		if (is->bytes[i] != a && is->bytes[i] != b)
			return say(is, "byte %llu is %02x, should be %02x or %02x",
				   (unsigned long long)i, is->bytes[i], a, b);
	}
	return NULL;
}

const char *tree_between(const struct tree *is, const struct tree *old, const struct tree *new)
{
	unsigned int i;

	if (is->nr != old->nr || is->nr != new->nr)
		return "number of names";
	for (i = 0; i < is->nr; i++) {
		const struct entry *e = &is->e[i];
		const char *bad;

		if (strcmp(e->path, old->e[i].path))
			return say(e, "should be %.60s", old->e[i].path);
		bad = attr_differs(e, &old->e[i]);
		if (bad && attr_differs(e, &new->e[i]))
			return bad;
		bad = bytes_differ(e, &old->e[i], &new->e[i]);
		if (bad)
			return bad;
	}
	return NULL;
}

const char *tree_differs(const struct tree *is, const struct tree *want)
{
	return tree_between(is, want, want);
}

bool tree_same_names(const struct tree *a, const struct tree *b)
{
	unsigned int i;

	if (a->nr != b->nr)
		return false;
	for (i = 0; i < a->nr; i++)
		if (strcmp(a->e[i].path, b->e[i].path) || a->e[i].type != b->e[i].type)
			return false;
	return true;
}

/* ---- Looking ---- */

struct look {
	struct player *p;
	struct tree *t;
	const char *dir;
};

static int see(void *ctx, const char *name, size_t len, uint64_t ino, unsigned int type,
	       uint64_t cookie)
{
	struct look *l = ctx;
	struct tree *t = l->t;
	struct entry *e;

	(void)cookie;
	if (name[0] == '.')
		return 0;
	if (t->nr == t->max) {
		t->max = t->max ? 2 * t->max : 64;
		t->e = realloc(t->e, t->max * sizeof(*t->e));
	}
	e = &t->e[t->nr++];
	memset(e, 0, sizeof(*e));
	snprintf(e->path, sizeof(e->path), "%s/%.*s", l->dir, (int)len, name);
	e->type = type;
	e->attr.size = ino;	/* until it is read */
	return 0;
}

/* One struct vmem_inode per number: that of the player, if it holds one. */
static struct vmem_inode *get(struct player *p, uint64_t ino, struct vmem_inode *own)
{
	unsigned int i;

	for (i = 0; i < MAX_HELD; i++)
		if (p->held[i].used && p->held[i].vi.ino == ino)
			return &p->held[i].vi;
	assert_int_equal(vmem_iget(p->c.fs, ino, own), 0);
	return own;
}

struct xattrs {
	struct vmem_inode *vi;
	uint32_t crc;
	struct {
		unsigned int index;
		char name[256];
		size_t len;
	} list[8];
	unsigned int nr;
};

static int note_xattr(void *ctx, unsigned int index, struct vmem_name name)
{
	struct xattrs *x = ctx;

	assert_true(x->nr < 8);
	x->list[x->nr].index = index;
	memcpy(x->list[x->nr].name, name.name, name.len);
	x->list[x->nr++].len = name.len;
	return 0;
}

static uint32_t digest_xattrs(struct vmem_inode *vi)
{
	static uint8_t value[VMEM_XATTR_MAX_VALUE];
	struct xattrs x = { .vi = vi };
	unsigned int i;

	assert_int_equal(vmem_listxattr(vi, note_xattr, &x), 0);
	for (i = 0; i < x.nr; i++) {
		struct vmem_name name = { x.list[i].name, x.list[i].len };
		int64_t len = vmem_getxattr(vi, x.list[i].index, name, value, sizeof(value));

		assert_true(len >= 0);
		x.crc = vmem_crc32c(x.crc + 1, name.name, name.len);
		x.crc = vmem_crc32c(x.crc, value, (size_t)len);
	}
	return x.crc;
}

static void read_entry(struct player *p, struct entry *e)
{
	struct vmem_inode own, *vi = get(p, e->attr.size, &own);

	vmem_getattr(vi, &e->attr);
	e->xattrs = digest_xattrs(vi);
	if (e->type == 8 || e->type == 10) {
		e->bytes = big_zalloc(e->attr.size + 1);
		if (e->type == 10)
			assert_int_equal(vmem_readlink(vi, (char *)e->bytes, e->attr.size), e->attr.size);
		else if (e->attr.size)
			assert_int_equal(read_at(vi, 0, e->bytes, e->attr.size), e->attr.size);
	} else {
		e->attr.size = 0;	/* a directory's blocks are its own affair */
	}
	if (vi == &own)
		assert_int_equal(vmem_iput(vi), 0);
}

static void look_at(struct look *l, uint64_t dir_ino)
{
	struct vmem_inode own, *dir = get(l->p, dir_ino, &own);
	unsigned int i, first = l->t->nr, end;
	uint64_t cookie = 0;
	char path[300];

	assert_int_equal(vmem_readdir(dir, &cookie, see, l), 0);
	if (dir == &own)
		assert_int_equal(vmem_iput(dir), 0);
	end = l->t->nr;
	for (i = first; i < end; i++) {
		uint64_t ino = l->t->e[i].attr.size;

		read_entry(l->p, &l->t->e[i]);
		if (l->t->e[i].type != 4)
			continue;
		memcpy(path, l->t->e[i].path, sizeof(path));
		l->dir = path;
		look_at(l, ino);
	}
}

void player_look(struct player *p, struct tree *t)
{
	struct look l = { p, t, "" };

	p->disarmed = true;
	memset(t, 0, sizeof(*t));
	look_at(&l, VMEM_ROOT_INO);
	p->disarmed = false;
}
