/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* host_xattrs.h - the extended attributes of a host file, as the core takes them */
#ifndef VMEM_HOST_XATTRS_H
#define VMEM_HOST_XATTRS_H

#include "vmem.h"

struct host_xattrs {
	struct vmem_xattr *x;
	unsigned int nr;
	char *names;		/* as llistxattr(2) gives them; those of x point into it */
	bool others;		/* there are some that the format has no place for */
};

/* Of the file `name` of the working directory, which may be a symlink.  0, or an errno. */
int host_xattrs_read(const char *name, struct host_xattrs *set);
void host_xattrs_free(struct host_xattrs *set);

#endif /* VMEM_HOST_XATTRS_H */
