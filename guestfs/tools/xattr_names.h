/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* xattr_names.h - what the names of extended attributes begin with, by index (format.h) */
#ifndef VMEM_XATTR_NAMES_H
#define VMEM_XATTR_NAMES_H

#include <stdbool.h>

struct xattr_prefix {
	const char *text;
	unsigned int index;	/* VMEM_XATTR_* */
	bool whole;		/* it is all of the name */
};

/* NULL: the format has no place for it. */
const struct xattr_prefix *xattr_prefix_of(const char *name);
/* NULL: there is no such index. */
const struct xattr_prefix *xattr_prefix_at(unsigned int index);

#endif /* VMEM_XATTR_NAMES_H */
