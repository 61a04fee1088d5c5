// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* walk.c - looking at a file system of which nothing is known to be right */
#include "user.h"

#define MAX_VISITS	600u

struct walk {
	struct user u;
	uint64_t todo[MAX_VISITS];
	unsigned int nr, next;
	uint64_t cookie;
	struct slot *dir;
	unsigned int left;		/* entries until see_entry() stops */
};

static int see_entry(void *ctx, const char *name, size_t len, uint64_t ino, unsigned int type,
		     uint64_t cookie)
{
	struct walk *w = ctx;
	unsigned int i;

	(void)type;
	if (cookie < w->cookie || cookie >= INT64_MAX)
		broken("readdir went from %llu to %llu", (unsigned long long)w->cookie,
		       (unsigned long long)cookie);
	w->cookie = cookie;
	if (!len || len > VMEM_NAME_MAX || (cookie >= 2 && (memchr(name, '/', len) || memchr(name, 0, len))))
		broken("readdir gave a name that cannot be one");
	if (!w->left)
		return 1;
	w->left--;
	if (cookie < 2)
		return 0;
	for (i = 0; i < w->nr; i++)
		if (w->todo[i] == ino)
			return 0;
	if (w->nr < MAX_VISITS)
		w->todo[w->nr++] = ino;
	return 0;
}

static int stop_at_second(void *ctx, const char *name, size_t len, uint64_t ino,
			  unsigned int type, uint64_t cookie)
{
	(void)name;
	(void)len;
	(void)ino;
	(void)type;
	(void)cookie;
	return (*(unsigned int *)ctx)++ > 0;
}

static void walk_dir(struct walk *w, struct vmem_inode *dir)
{
	static const char *const names[] = { "f0", "d0", "b0", "none", "nnnn" };
	uint64_t cookie = 0, ino;
	unsigned int i, calls, type;

	w->cookie = 0;
	w->left = 1000;
	expect_errno(vmem_readdir(dir, &cookie, see_entry, w));
	cookie = 0;
	for (i = 0; i < 20 && cookie < INT64_MAX; i++) {
		uint64_t before = cookie;

		calls = 0;
		if (vmem_readdir(dir, &cookie, stop_at_second, &calls))
			break;
		if (cookie < before)
			broken("readdir went back");
	}
	cookie = w->cookie ^ 1ull << 40;
	w->cookie = 0;
	w->left = 20;
	expect_errno(vmem_readdir(dir, &cookie, see_entry, w));
	for (i = 0; i < 5; i++)
		expect_errno(vmem_lookup(dir, (struct vmem_name){ names[i], strlen(names[i]) },
					 &ino, &type));
}

static void walk_file(struct vmem_inode *vi)
{
	uint64_t off = 0, size = vmem_size(vi);
	struct vmem_map map;
	volatile uint8_t sum = 0;
	unsigned int i;

	for (i = 0; i < 600 && off < size; i++) {
		int64_t data = vmem_seek(vi, off, false), hole;

		expect_errno(data);
		if (data < 0)
			break;
		if ((uint64_t)data < off)
			broken("seek went back");
		expect_errno(vmem_read(vi, (uint64_t)data, 5000, copy_out, (void *)(uintptr_t)&sum));
		hole = vmem_seek(vi, (uint64_t)data, true);
		expect_errno(hole);
		if (hole >= 0 && hole <= data)
			broken("a hole where data was");
		if (hole < 0)
			break;
		off = (uint64_t)hole;
	}
	if (size)
		expect_errno(vmem_read(vi, size - 1, 100, copy_out, (void *)(uintptr_t)&sum));
	expect_errno(vmem_read(vi, 0, 3 * BLOCK, copy_out, (void *)(uintptr_t)&sum));
	for (i = 0; i < 44; i++)
		if (!vmem_map(vi, (1ull << i) - 1, 1u << 20, &map) && (!map.nr || map.nr > 1u << 20))
			broken("a mapping of %llu blocks", (unsigned long long)map.nr);
}

static void walk_link(struct vmem_inode *vi)
{
	char buf[VMEM_BLOCK_SIZE];
	int n = vmem_readlink(vi, buf, sizeof(buf));

	expect_errno(n);
	if (n > (int)sizeof(buf))
		broken("a symlink of %d bytes", n);
}

static int see_xattr(void *ctx, unsigned int index, struct vmem_name name)
{
	unsigned int *nr = ctx;

	if (index < VMEM_XATTR_USER || index > VMEM_XATTR_ACL_DEFAULT || name.len > VMEM_NAME_MAX)
		broken("an attribute of index %u with a name of %zu bytes", index, name.len);
	return ++*nr > VMEM_BLOCK_SIZE / 4 ? 1 : 0;
}

static void walk_xattrs(struct vmem_inode *vi)
{
	static uint8_t value[VMEM_XATTR_MAX_VALUE];
	static const char *const names[] = { "a", "b", "c", "label", "new" };
	unsigned int nr = 0, i, index;
	int err = vmem_listxattr(vi, see_xattr, &nr);

	if (err > 0)
		broken("%u attributes in one block", nr);
	expect_errno(err);
	for (index = VMEM_XATTR_USER; index <= VMEM_XATTR_ACL_DEFAULT; index++)
		for (i = 0; i < 5; i++) {
			struct vmem_name name = { names[i], index < VMEM_XATTR_ACL_ACCESS ? strlen(names[i]) : 0 };

			expect_errno(vmem_getxattr(vi, index, name, value, i ? sizeof(value) : 0));
		}
}

static void walk_inode(struct walk *w, uint64_t ino)
{
	struct slot *s = get_inode(&w->u, ino);
	struct vmem_attr attr;

	if (!s)
		return;
	vmem_getattr(s->vi, &attr);
	walk_xattrs(s->vi);
	if ((attr.mode & 0170000) == 0040000)
		walk_dir(w, s->vi);
	else if ((attr.mode & 0170000) == 0120000)
		walk_link(s->vi);
	else
		walk_file(s->vi);
	put_inode(s);
}

void walk_all(struct vmem_fs *fs)
{
	struct walk *w = calloc(1, sizeof(*w));
	struct vmem_statfs st;

	if (!w)
		abort();
	w->u.fs = fs;
	w->todo[w->nr++] = VMEM_ROOT_INO;
	while (w->next < w->nr)
		walk_inode(w, w->todo[w->next++]);
	vmem_statfs(fs, &st);
	if (st.avail_blocks > st.blocks || st.free_blocks > st.blocks || st.free_inodes > st.inodes)
		broken("%llu of %llu blocks are free", (unsigned long long)st.free_blocks,
		       (unsigned long long)st.blocks);
	free(w);
}
