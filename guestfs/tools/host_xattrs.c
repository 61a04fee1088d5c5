// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* host_xattrs.c - see host_xattrs.h */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "host_xattrs.h"
#include "xattr_names.h"

static int read_one(const char *file, const char *attr, const struct xattr_prefix *p, struct vmem_xattr *x)
{
	static char value[XATTR_SIZE_MAX];
	ssize_t len = lgetxattr(file, attr, value, sizeof(value));
	void *copy;

	if (len < 0)
		return errno;
	copy = malloc((size_t)len + 1);
	if (!copy)
		return ENOMEM;
	memcpy(copy, value, (size_t)len);
	attr += strlen(p->text);
	x->index = p->index;
	x->name = (struct vmem_name){ attr, strlen(attr) };
	x->value = copy;
	x->size = (size_t)len;
	x->flags = 0;
	return 0;
}

static int list(const char *file, struct host_xattrs *set, size_t *len)
{
	static char names[XATTR_LIST_MAX];
	ssize_t got = llistxattr(file, names, sizeof(names));

	*len = got > 0 ? (size_t)got : 0;
	if (got < 0)
		return errno == ENOTSUP ? 0 : errno;
	set->names = malloc(*len + 1);
	if (!set->names)
		return ENOMEM;
	memcpy(set->names, names, *len);
	set->names[*len] = 0;
	return 0;
}

int host_xattrs_read(const char *name, struct host_xattrs *set)
{
	size_t len, max = 0;
	const char *attr;
	int err;

	memset(set, 0, sizeof(*set));
	err = list(name, set, &len);
	for (attr = set->names; !err && attr < set->names + len; attr += strlen(attr) + 1)
		max++;
	if (!err && max)
		set->x = calloc(max, sizeof(*set->x));
	if (!err && max && !set->x)
		err = ENOMEM;
	for (attr = set->names; !err && attr < set->names + len; attr += strlen(attr) + 1) {
		const struct xattr_prefix *p = xattr_prefix_of(attr);

		if (!p)
			set->others = true;
		else
			err = read_one(name, attr, p, &set->x[set->nr]);
		/* It may have been removed meanwhile. */
		if (err == ENODATA)
			err = 0;
		else if (p && !err)
			set->nr++;
	}
	if (err)
		host_xattrs_free(set);
	return err;
}

void host_xattrs_free(struct host_xattrs *set)
{
	unsigned int i;

	for (i = 0; i < set->nr; i++)
		free((void *)(uintptr_t)set->x[i].value);
	free(set->x);
	free(set->names);
	memset(set, 0, sizeof(*set));
}
