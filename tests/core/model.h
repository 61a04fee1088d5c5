/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * model.h - what the tree must look like: the present, and every past since
 * it was last durable
 *
 * A history of states, one per operation.  A state names what exists; the
 * contents of files are kept once per change.  A failure may bring back
 * any state from `first` on (domain host), or none but the newest (guest,
 * pmem); contents may mix those versions, as the comment of model_bytes_fit()
 * says.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_NODES	24u
#define MODEL_NAMES	32u
#define MODEL_STATES	64u
#define MODEL_MAX_FILE	(96u * 1024u)

enum model_kind { MODEL_NONE, MODEL_FILE, MODEL_DIR, MODEL_LINK };

struct model_name {
	bool used;
	uint8_t dir, node;		/* indices of nodes; 0 is the root */
	char name[40];
};

/* Contents of a file, shared by the states in which they are the same. */
struct model_data {
	unsigned int refs;
	uint32_t size;
	uint8_t bytes[MODEL_MAX_FILE];
};

struct model_node {
	enum model_kind kind;
	uint64_t ino;
	struct model_data *data;	/* of a file or symlink */
	uint32_t flags;			/* as chattr(1) sets them */
	uint64_t xattr;			/* hash of the value of its attribute; 0: it has none */
};

struct model_state {
	struct model_node node[MODEL_NODES];
	struct model_name name[MODEL_NAMES];
};

struct model {
	struct model_state *state[MODEL_STATES];
	unsigned int nr;		/* state[nr - 1] is now */
	unsigned int first;		/* oldest state that a host failure may bring back */
	unsigned int durable[MODEL_NODES]; /* contents are at least as new as in this state */
};

void model_init(struct model *m, uint64_t root_ino);
void model_free(struct model *m);
static inline struct model_state *model_now(struct model *m)
{
	return m->state[m->nr - 1];
}

/* Begin an operation: a new state, as yet equal to the one before. */
struct model_state *model_step(struct model *m);
/* The operation failed: it never was. */
void model_undo(struct model *m);
/* Another state cannot be kept: something must become durable first. */
bool model_full(const struct model *m);

/* The contents of the node are about to change in the newest state. */
struct model_data *model_change(struct model *m, unsigned int node);

/* The node is gone in the newest state. */
void model_drop(struct model *m, unsigned int node);

/* An fsync of the node, or a sync (all of them), returned. */
void model_fsynced(struct model *m, unsigned int node);
void model_synced(struct model *m);

/* A failure brought back state k: history ends and begins there; what has no name is gone. */
void model_fall_back(struct model *m, unsigned int k);

unsigned int model_links(const struct model_state *s, unsigned int node);
unsigned int model_subdirs(const struct model_state *s, unsigned int node);

/*
 * May the file have these bytes, if the names are those of state k?  A byte
 * may be as in any state in which the file reached that far without having
 * been cut shorter between that state and k, from the durable one on: data
 * goes in place as the host pleases.  *where gets the first byte that does not fit.
 */
bool model_bytes_fit(const struct model *m, unsigned int node, unsigned int k,
		     const uint8_t *bytes, size_t *where);

#endif
