/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * world.h - workloads: operations on a machine, and what the tree was after
 * each of them
 *
 * A workload is text, so that a failing one can be read, changed and run by
 * hand: "mkdir A; creat A/foo; write A/foo 0 100; fsync A/foo".
 *
 *	creat P | mkdir P | unlink P | rmdir P | symlink P LEN | chmod P MODE
 *	link P Q | rename P Q | exchange P Q
 *	rename-white P Q		P leads to a whiteout then
 *	setxattr P LEN | unsetxattr P LEN	an attribute for values up to 1000 bytes, another for larger
 *	label				of the file system: another than before
 *	chflags P FLAGS			as chattr: VMEM_FL_*
 *	acl P MODE			an access list, and the mode that goes with it
 *	creat-labelled P		with an attribute and an access list from the beginning
 *	rename-new P Q			unless Q exists
 *	write P OFF LEN | truncate P OFF	OFF: bytes, or from the end: e, e+10, e-10
 *	falloc P OFF LEN | falloc-keep P OFF LEN	blocks in advance; -keep: the size stays
 *	punch P OFF LEN | zero P OFF LEN | collapse P OFF LEN | insert P OFF LEN
 *	map P OFF LEN			store through a shared mapping
 *	junk P				store through one behind the end of file
 *	fsync P | fdatasync P | sync | checkpoint (of a thin store: and trim)
 *	open #N P | tmpfile #N		an open handle; #N then goes for P
 *	close P				forget the inode (of a handle: the handle)
 *	fill P N			append until N blocks are left
 *	spin N				make records until the log wraps after N bytes
 *	brim N				make records until N bytes more want a checkpoint
 *	grow				to all of the store
 *
 * A name that begins with L is 250 bytes long on the medium.
 */
#ifndef WORLD_H
#define WORLD_H

#include "machine.h"

#define NODES		256u
#define ENTRIES		64u
#define MAX_OPS		512u
#define PATH_LEN	32u
#define HANDLES		8u
#define MAX_FILE	(2u << 20)

enum kind { K_NONE, K_FILE, K_DIR, K_LINK, K_WHITE };

struct data {
	struct data *next;	/* of all, to be freed */
	uint64_t hash;		/* 0: not known yet */
	uint32_t size;
	uint8_t bytes[];
};

enum { X_SMALL, X_LARGE, X_ACL, NR_X };

struct node {
	enum kind kind;
	uint32_t mode;		/* permissions, and above them the flags of chattr */
	struct data *data;
	uint64_t x[NR_X];	/* hashes of the values of extended attributes; 0: there is none */
};

static inline uint32_t node_mode(uint32_t mode, uint32_t flags)
{
	return (mode & 07777) | flags << 12;
}

struct entry {
	char path[PATH_LEN];
	unsigned int node;
};

/* What exists after an operation; entries are sorted by path. */
struct state {
	unsigned int nr;
	struct entry e[ENTRIES];
	struct node node[NODES];
	unsigned int touched[8], nr_touched;	/* nodes that a record of the operation changed */
	uint64_t hash;		/* of all but what was touched */
};

enum op_kind {
	OP_CREAT, OP_MKDIR, OP_UNLINK, OP_RMDIR, OP_SYMLINK, OP_CHMOD, OP_CHFLAGS, OP_LABEL, OP_LINK, OP_RENAME,
	OP_NOREPLACE, OP_EXCHANGE, OP_WHITEOUT, OP_WRITE, OP_TRUNCATE,
	OP_FALLOC, OP_FALLOC_KEEP, OP_PUNCH, OP_ZERO, OP_COLLAPSE, OP_INSERT, OP_MAP, OP_JUNK, OP_FSYNC, OP_FDATASYNC, OP_SYNC,
	OP_CHECKPOINT, OP_SETXATTR, OP_UNSETXATTR, OP_ACL, OP_LABELLED, OP_OPEN, OP_TMPFILE, OP_CLOSE, OP_FILL, OP_SPIN, OP_BRIM, OP_GROW, OP_UMOUNT, NR_OPS
};

struct op {
	enum op_kind kind;
	char a[PATH_LEN], b[PATH_LEN];
	int64_t off;
	bool from_end;
	uint32_t len;
};

struct world {
	struct machine *m;
	struct vmem_fs *fs;
	enum mode mode;
	struct state *s[MAX_OPS + 2];	/* s[0]: at the start; s[i + 1]: after operation i */
	struct op op[MAX_OPS + 1];
	unsigned int node_of_op[MAX_OPS + 1];
	unsigned int nr;		/* operations done */
	unsigned int next_node;
	uint64_t ino[NODES];
	struct vmem_inode *vi[NODES];
	unsigned int opens[NODES];
	unsigned int handle[HANDLES];	/* node, 0 = none */
	unsigned int next_write;	/* number of the next write, for its pattern */
	struct data *all_data;
	bool trusting;			/* do not look for stores that were not recorded */
	char why[500];
};

enum run_result { RUN_OK, RUN_INVALID, RUN_FAILED };

/* Is it a kind of fallocate(2)?  No byte changes in place then. */
static inline bool op_is_falloc(enum op_kind kind)
{
	return kind >= OP_FALLOC && kind <= OP_INSERT;
}

/* "op; op; ..."; the number of operations, or -1. */
int ops_parse(const char *text, struct op *op, unsigned int max);
void op_print(const struct op *op, char *buf, size_t size);

void world_init(struct world *w, struct machine *m, enum mode mode);
/* Begin where another world ended, and mount; 0 or an error. */
int world_begin(struct world *w, const struct world *from);
void world_free(struct world *w);
/* INVALID: the model says that the operation makes no sense here. FAILED: see why. */
enum run_result world_run(struct world *w, const struct op *op);

/* ---- What is there, and what may be ---- */

struct seen {
	char path[PATH_LEN];
	uint64_t ino, size;
	uint32_t nlink;
	uint32_t mode;
	enum kind kind;
	size_t data;
	uint64_t x[NR_X];
};

struct tree {
	struct seen s[ENTRIES + 1];
	unsigned int nr;
	uint8_t *bytes;
	size_t nr_bytes;
	unsigned int label;		/* how often it has been changed */
	char why[300];
};

/* States lo..hi may be there; contents of a node at least as new as state dur[node]. */
struct allowed {
	bool host;
	unsigned int lo, hi;
	unsigned int label;		/* changes of the label that are done */
	unsigned int dur[NODES];
};

/* How often the operations before this one change the label. */
unsigned int labels_before(const struct world *w, unsigned int op);

void allowed_init(struct allowed *a, enum mode mode);
void allowed_begin(struct allowed *a, unsigned int op);
void allowed_done(struct allowed *a, const struct world *w, unsigned int op);

/* Two of the same hash allow the same. */
uint64_t allowed_hash(const struct allowed *a, const struct world *w);

/* Read all; false: see why. */
bool tree_read(struct tree *t, struct vmem_fs *fs);
bool tree_equal(struct tree *t, const struct tree *u);
/* Is it a state that may be there?  Else why. */
bool tree_allowed(struct tree *t, const struct world *w, const struct allowed *a);
/* The name of an attribute, of X_ACL none, and what of format.h it begins with. */
struct vmem_name x_name(unsigned int x, unsigned int *index);
void real_name(const char *name, size_t len, char *buf, struct vmem_name *out);

#endif
