/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * player.h - plays a script of operations on the core, while the world around
 * it fails at a given call
 *
 * A script is text, one operation after each ';':
 *
 *	creat P | mkdir P | fifo P | symlink P LEN | tmpfile #N | open #N P
 *	link P Q | unlink P | rmdir P | rename P Q | exchange P Q
 *	chflags P FLAGS
 *	rename-white P Q		P leads to a whiteout then
 *	setxattr P LEN | unsetxattr P	of one attribute
 *	labelled P		a file with two attributes from the beginning
 *	chmod P MODE | utime P | touch P | stat P
 *	write P OFF LEN | append P LEN | truncate P SIZE
 *	holes P N		every other block of the first 2N
 *	churn P OFF N		N times: 20 bytes, fsync, the same bytes again
 *	fault P OFF LEN GOT	a write whose copy stops after GOT bytes
 *	race P OFF LEN		a write into a hole that a mapping fills meanwhile
 *	falloc P KIND OFF LEN	0 blocks in advance, 1 keeping the size, 2 a hole, 3 zeros, 4 cut out, 5 put in
 *	layout P BLOCK N	one run of N blocks for a hole
 *	map P OFF LEN		a store through a shared mapping
 *	read P | list P | readlink P | seek P
 *	fsync P | fdatasync P | sync | checkpoint
 *	meanwhile P MODE	a checkpoint, and chmod P MODE while it flushes
 *	put P			forget the inode; of #N: close the handle
 *	many P N LEN		N files with names of LEN bytes in directory P
 *	spin P N		N changes of P's times, each a record
 *	trim | discard ON	give free room back to the host, now or at each checkpoint
 *	fill P LIMIT		append until no space is left, or LIMIT bytes
 *	grow			to all of the store
 *	remount | crash | hostcrash | ro | rw
 *
 * Every operation may be played again after it failed, and then does what is
 * left of it.  Of the tree it changes one thing, or (marked so) several.
 */
#ifndef PLAYER_H
#define PLAYER_H

#include "fixture.h"

#define MAX_OPS		192u
#define MAX_SITES	128u
#define MAX_HELD	64u
#define MAX_HANDLES	10u

struct script {
	const char *name;
	uint64_t size;		/* of the store */
	uint64_t fs_size;	/* to begin with; 0: as large as the store */
	uint64_t log_blocks;
	bool thin;		/* the host has room only for what was asked for */
	const char *before;	/* played once, without failures */
	const char *text;
};
extern const struct script scripts[];
extern const unsigned int nr_scripts;

/* ---- What is there ---- */

struct entry {
	char path[300];
	unsigned int type;
	struct vmem_attr attr;
	uint8_t *bytes;		/* of a file or symlink */
	uint32_t xattrs;	/* all names and values, in one number */
};

struct tree {
	struct entry *e;
	unsigned int nr, max;
};

void tree_free(struct tree *t);
/* NULL, or how they differ.  loose: contents of files are between old and new. */
const char *tree_differs(const struct tree *is, const struct tree *want);
const char *tree_between(const struct tree *is, const struct tree *old, const struct tree *new);
/* The same names, whatever they lead to. */
bool tree_same_names(const struct tree *a, const struct tree *b);

/* ---- The player ---- */

struct held {
	struct vmem_inode vi;
	bool used;
};

struct lock {
	bool exclusive;
	unsigned int shared;
};

enum failing {
	FAIL_NOTHING,
	FAIL_ALLOC,
	FAIL_FLUSH,
	FAIL_FLUSHES,		/* that one and all that follow */
	FAIL_PROVISION,
	HOST_FULL,		/* from that provisioning on, until player_make_room(); the next fails with error */
	FAIL_DISCARD,
};

#define MAX_BLOCKS	4096u

/* The host below a thin store: which blocks it has room for, and how many it can have. */
struct host {
	bool thin;
	bool has[MAX_BLOCKS];
	uint64_t nr, limit;
	uint64_t homeless;	/* stores to blocks that it has no room for: must stay 0 */
};

struct player {
	struct ctx c;		/* c.fs is NULL while not mounted */
	struct held held[MAX_HELD];
	uint64_t handle[MAX_HANDLES];	/* inode number */
	unsigned int writes;
	void (*meanwhile)(struct player *p);	/* once, in the next flush */
	void *meanwhile_arg;

	/* the failure */
	enum failing failing;
	int error;			/* of provision or discard */
	uint64_t calls, fail_at;	/* of the kind that fails */
	bool fired;
	bool disarmed;			/* nothing is counted */
	bool kicked;
	char first_log[512];		/* since the failure */
	unsigned int lines;		/* likewise */
	unsigned int locks_held;
	struct host host;
};

struct op {
	char text[80];
	bool changes_many;	/* what lies between before and after is no single step */
};

unsigned int parse_script(const char *text, struct op *ops);

/* A formatted store with the script's first part played, to be copied. */
struct image {
	uint8_t *bytes;
	uint64_t size;
	enum vmem_domain domain;
	bool thin;
};
void make_image(struct image *image, const struct script *script, enum vmem_domain domain);

/* The store can flush in two parts. */
extern bool player_commits;
/* A store of rubbish, not mounted. */
void player_new(struct player *p, uint64_t size, enum vmem_domain domain);
void player_open(struct player *p, const struct image *image);
void player_close(struct player *p);
/* Mount if it is not. */
int player_mount(struct player *p);
/* 0 or a negative errno. */
int play(struct player *p, const struct op *op);
/* Give all inodes back; the first error. */
int player_put_all(struct player *p);
int player_umount(struct player *p);
/* The host has room for everything again. */
void player_make_room(struct player *p);
/* Somebody else than the core stored these bytes. */
void player_stored(struct player *p, uint64_t off, size_t len);
/* All that the core must keep in order between operations. */
void player_check(struct player *p, const char *after);
/* A full check of the store as it lies, which may run out of memory. */
int64_t player_fsck(struct player *p, struct vmem_check_result *result);
/* What is there, without being counted or failed. */
void player_look(struct player *p, struct tree *t);

/* Where the core asked, and was refused: addresses for run.sh. */
void print_sites(const char *kind);

#endif
