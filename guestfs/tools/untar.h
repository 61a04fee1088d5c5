/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* untar.h - fill a new file system from a tar archive */
#ifndef VMEM_UNTAR_H
#define VMEM_UNTAR_H

#include <sys/stat.h>

#include "vmem.h"

struct untar_params {
	const char *path;	/* of the archive; "-" is standard input */
	bool reproducible;	/* as of populate.h */
	int64_t now;		/* then: ns since 1970 */
};

/*
 * Make what the archive has, as GNU tar would as root with --numeric-owner, --xattrs and
 * --acls: of two entries of one name the later one is there in the end, a leading / is left
 * out, and a directory that has no entry is root's with mode 755.  Names with "..", and
 * those behind a symbolic link, are errors.
 *
 * Returns the number of inodes made, or -1 after a line that says what failed.
 */
int64_t untar(struct vmem_fs *fs, const struct untar_params *params);

#endif /* VMEM_UNTAR_H */
