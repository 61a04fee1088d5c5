// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * fuse_xattr.c - extended attributes of user, trusted and security
 *
 * Access control lists are not among them: the kernel leaves it to the server to keep
 * mode and list alike, and to hand on default lists.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "fuse_vmemfs.h"
#include "xattr_names.h"

/* Its index, and in *rest the name without its prefix; 0: it is not shown. */
static unsigned int index_of(const char *name, struct vmem_name *rest)
{
	const struct xattr_prefix *prefix = xattr_prefix_of(name);

	if (!prefix || prefix->whole)
		return 0;
	name += strlen(prefix->text);
	*rest = (struct vmem_name){ .name = name, .len = strlen(name) };
	return prefix->index;
}

/* size 0: only the length is asked for. */
static void reply_bytes(fuse_req_t req, const void *bytes, int64_t len, size_t size)
{
	if (len < 0)
		fuse_reply_err(req, (int)-len);
	else if (!size)
		fuse_reply_xattr(req, (size_t)len);
	else
		fuse_reply_buf(req, bytes, (size_t)len);
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct vmem_name rest;
	unsigned int index = index_of(name, &rest);
	struct node *node = asked(req, ino);
	void *value = NULL;

	if (!node)
		return;
	size = size < VMEM_XATTR_MAX_VALUE ? size : VMEM_XATTR_MAX_VALUE;
	if (!index)
		fuse_reply_err(req, EOPNOTSUPP);
	else if (size && !(value = malloc(size)))
		fuse_reply_err(req, ENOMEM);
	else
		reply_bytes(req, value, vmem_getxattr(&node->core, index, rest, value, size), size);
	free(value);
}

/* value NULL: it is removed. */
static void change(fuse_req_t req, fuse_ino_t ino, const char *name, const void *value, size_t size,
		   int flags)
{
	struct vmem_xattr x = { .value = value, .size = size, .flags = (unsigned int)flags };
	struct node *node = asked(req, ino);
	int err;

	if (!node)
		return;
	x.index = index_of(name, &x.name);
	if (!x.index) {
		fuse_reply_err(req, EOPNOTSUPP);
		return;
	}
	pthread_rwlock_wrlock(&node->lock);
	err = vmem_setxattr(&node->core, &x, 1, 0, NULL);
	pthread_rwlock_unlock(&node->lock);
	fuse_reply_err(req, -err);
}

_Static_assert(VMEM_XATTR_CREATE == XATTR_CREATE && VMEM_XATTR_REPLACE == XATTR_REPLACE,
	       "flags are passed on");

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
		 int flags)
{
	change(req, ino, name, value ? value : "", size, flags);
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	change(req, ino, name, NULL, 0, 0);
}

/* A list is as long as a set of names can be: each has a head of 4 bytes in place of a prefix. */
struct list {
	bool all;			/* trusted ones, too */
	size_t len;
	char names[4 * VMEM_BLOCK_SIZE];
};

static int add_one(void *ctx, unsigned int index, struct vmem_name name)
{
	struct list *list = ctx;
	const struct xattr_prefix *prefix = xattr_prefix_at(index);
	size_t head;

	if (!prefix || prefix->whole || (index == VMEM_XATTR_TRUSTED && !list->all))
		return 0;
	head = strlen(prefix->text);
	if (sizeof(list->names) - list->len < head + name.len + 1)
		return -E2BIG;
	memcpy(list->names + list->len, prefix->text, head);
	memcpy(list->names + list->len + head, name.name, name.len);
	list->len += head + name.len + 1;
	list->names[list->len - 1] = 0;
	return 0;
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct node *node = asked(req, ino);
	struct list list = { .all = fuse_req_ctx(req)->uid == 0 };
	int err;

	if (!node)
		return;
	err = vmem_listxattr(&node->core, add_one, &list);
	if (!err && size && size < list.len)
		err = -ERANGE;
	reply_bytes(req, list.names, err ? err : (int64_t)list.len, size);
}
