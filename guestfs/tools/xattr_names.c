// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* xattr_names.c - see xattr_names.h */
#include <string.h>

#include "medium/format.h"
#include "xattr_names.h"

static const struct xattr_prefix prefixes[] = {
	{ "user.", VMEM_XATTR_USER, false },
	{ "trusted.", VMEM_XATTR_TRUSTED, false },
	{ "security.", VMEM_XATTR_SECURITY, false },
	{ "system.posix_acl_access", VMEM_XATTR_ACL_ACCESS, true },
	{ "system.posix_acl_default", VMEM_XATTR_ACL_DEFAULT, true },
};
#define NR_PREFIXES (sizeof(prefixes) / sizeof(prefixes[0]))

const struct xattr_prefix *xattr_prefix_of(const char *name)
{
	size_t i;

	for (i = 0; i < NR_PREFIXES; i++) {
		size_t len = strlen(prefixes[i].text);

		if (!strncmp(name, prefixes[i].text, len) && (!prefixes[i].whole || !name[len]))
			return &prefixes[i];
	}
	return NULL;
}

const struct xattr_prefix *xattr_prefix_at(unsigned int index)
{
	size_t i;

	for (i = 0; i < NR_PREFIXES; i++)
		if (prefixes[i].index == index)
			return &prefixes[i];
	return NULL;
}
