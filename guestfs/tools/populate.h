/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* populate.h - fill a new file system from a directory of the host */
#ifndef VMEM_POPULATE_H
#define VMEM_POPULATE_H

#include "vmem.h"

/*
 * Copy the contents of the directory path, and its own owner, mode and times,
 * into the root of fs: directories, files with their holes, symbolic and hard
 * links, devices, fifos, sockets; with owner, mode and times.  Returns the
 * number of inodes made, or -1 after a line that says what failed.
 */
int64_t populate(struct vmem_fs *fs, const char *path);

#endif /* VMEM_POPULATE_H */
