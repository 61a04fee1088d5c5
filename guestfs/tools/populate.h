/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* populate.h - fill a new file system from a directory of the host */
#ifndef VMEM_POPULATE_H
#define VMEM_POPULATE_H

#include <sys/stat.h>

#include "vmem.h"

struct populate_params {
	const char *path;		/* the directory */
	const struct stat *image;	/* what is filled: not copied into itself */
	bool reproducible;		/* only names, contents, modes and owners count: see below */
	int64_t now;			/* then: ns since 1970 */
};

/*
 * Copy the contents of the directory, and its own owner, mode and times,
 * into the root of fs: directories, files with their holes, symbolic and hard
 * links, devices, fifos, sockets; with owner, mode and times.  What cannot be
 * kept is told.  Names are taken in the order of their bytes.  However deep
 * the tree is, a handful of files are open.
 *
 * Reproducible: every time is `now`, but an mtime before it stays; blocks of
 * zeros become holes, wherever the host has some.
 *
 * Returns the number of inodes made, or -1 after a line that says what failed.
 */
int64_t populate(struct vmem_fs *fs, const struct populate_params *params);

#endif /* VMEM_POPULATE_H */
