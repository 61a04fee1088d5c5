/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* ops_internal.h - what names.c, contents.c and run.c share: each returns a result or an errno */
#ifndef OPS_INTERNAL_H
#define OPS_INTERNAL_H

#include "ops.h"

int vfs_make(const struct operation_text *o);
int vfs_remove(const struct operation_text *o);
int vfs_link(const struct operation_text *o);
int vfs_rename(const struct operation_text *o);
int vfs_chmod(const struct operation_text *o);
int vfs_list(const struct operation_text *o, uint64_t *value);
int vfs_stat(const struct operation_text *o, uint64_t *value);
int vfs_tmpfile(const struct operation_text *o);
int vfs_open(const struct operation_text *o);
int vfs_close(const struct operation_text *o);
int vfs_handle(const struct operation_text *o);

/* ... on contents; size and offset come from the file, under its lock. */
typedef int64_t (*on_file)(struct vnode *n, const struct operation_text *o, uint64_t *value);
int64_t vfs_on_file(const struct operation_text *o, uint64_t *value);

int vfs_holes(const struct operation_text *o);
int vfs_fill(const struct operation_text *o);

#endif
