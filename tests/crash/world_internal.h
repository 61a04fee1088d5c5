/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * world_internal.h - what model.c, names.c, contents.c and world.c share
 */
#ifndef WORLD_INTERNAL_H
#define WORLD_INTERNAL_H

#include "world.h"

#define NOWHERE		UINT32_MAX
#define INVALID		1	/* of an operation: it makes no sense here, and did nothing */

/* ---- model.c ---- */

/* The state after the running operation. */
struct state *model_now(struct world *w);
unsigned int model_find(const struct state *s, const char *path);
/* Node of a path or handle; NOWHERE. */
unsigned int model_node(const struct world *w, const struct state *s, const char *path);
/* The directory that has, or would have, the path. */
unsigned int model_parent(const struct world *w, const struct state *s, const char *path);
const char *last_part(const char *path);
void model_add(struct state *s, const char *path, unsigned int node);
void model_remove(struct state *s, const char *path);
bool model_below(const char *path, const char *dir);
bool model_empty(const struct state *s, const char *dir);
/* Everything at or below `from` goes to `to`, which is not below it; false: too long. */
bool model_move(struct state *s, const char *from, const char *to);
unsigned int model_links(const struct state *s, unsigned int node);
/* A record of the running operation changes the node. */
void model_touched(struct world *w, unsigned int node);
/* Contents of size bytes that begin as the old ones. */
struct data *model_data(struct world *w, const struct data *old, uint32_t size);
/* The byte that the write number `write` puts at off. */
uint8_t model_pattern(unsigned int write, uint64_t off);

/* Bytes of the value that the write number `write` gives an attribute, and their hash. */
uint64_t model_value(unsigned int write, uint8_t *bytes, uint32_t size);

void model_hash(const struct world *w, struct state *s);

/* ---- world.c: inodes in memory, as a VFS would keep them ---- */

struct vmem_inode *world_inode(struct world *w, unsigned int node);
int world_forget(struct world *w, unsigned int node);
/* The node may have lost its last name. */
int world_evict(struct world *w, unsigned int node);

/* ---- Operations: 0, an errno, or INVALID before anything was done ---- */

int do_make(struct world *w, const struct op *op);
int do_remove(struct world *w, const struct op *op);
int do_link(struct world *w, const struct op *op);
int do_rename(struct world *w, const struct op *op);
int do_chmod(struct world *w, const struct op *op);
int do_xattr(struct world *w, const struct op *op);
int do_acl(struct world *w, const struct op *op);
int do_open(struct world *w, const struct op *op);
int do_close(struct world *w, const struct op *op);
int do_write(struct world *w, const struct op *op);
int do_truncate(struct world *w, const struct op *op);
int do_falloc(struct world *w, const struct op *op);
int do_map(struct world *w, const struct op *op);
int do_junk(struct world *w, const struct op *op);
int do_fsync(struct world *w, const struct op *op);
int do_fill(struct world *w, const struct op *op);

#endif
