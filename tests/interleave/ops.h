/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * ops.h - operations as programs see them
 *
 * A thread's program is text: "write foo 0 100; fsync foo".
 *
 *	creat P | mkdir P | symlink P LEN | unlink P | rmdir P | tmpfile #N
 *	link P Q | rename P Q | exchange P Q | rename-new P Q
 *	rename-white P Q	P leads to a whiteout then
 *	chmod P MODE | touch P (atime, without a record) | stat P | list P
 *	read P OFF LEN | write P OFF LEN | truncate P OFF	OFF: bytes, or from the end: e, e+10, e-10
 *	truncate-poor P OFF	memory runs out behind its first record
 *	falloc P OFF LEN | falloc-keep P OFF LEN	blocks in advance; -keep: the size stays
 *	punch P OFF LEN | zero P OFF LEN | collapse P OFF LEN | insert P OFF LEN
 *	chflags P FLAGS | label N	(N: which one)
 *	map P OFF LEN		store through a shared mapping; the pages stay mapped
 *	load P OFF LEN		load through one
 *	span P OFF LEN		addresses for a unikernel: holes are filled
 *	layout P OFF LEN	one run of blocks
 *	seek P OFF		to the next hole
 *	fsync P | fdatasync P | sync | checkpoint | trim | discard-on | discard-off
 *	open #N P | close #N | shrink (inodes that nobody uses leave memory)
 *	handle N		is there an inode number N?  as for a file handle, stale or not
 *	freeze			everything to rest, look, thaw
 *	grow | statfs
 *	spoil P			the medium is damaged: P's extents cannot be read
 * To prepare: fill P N (until N blocks are left), brim N (make records until N bytes
 * more want a checkpoint), holes P N (N blocks of data, each behind a hole).
 */
#ifndef OPS_H
#define OPS_H

#include "vfs.h"

#define PATH_MAX_LEN	32u
#define MAX_PROGRAM	64u

enum operation {
	DO_CREAT, DO_MKDIR, DO_SYMLINK, DO_UNLINK, DO_RMDIR, DO_TMPFILE, DO_LINK, DO_RENAME, DO_EXCHANGE,
	DO_NOREPLACE, DO_WHITEOUT, DO_CHMOD, DO_TOUCH, DO_STAT, DO_LIST, DO_READ, DO_WRITE, DO_TRUNCATE, DO_POOR,
	DO_FALLOC, DO_FALLOC_KEEP, DO_PUNCH, DO_ZERO, DO_COLLAPSE, DO_INSERT, DO_CHFLAGS, DO_LABEL, DO_MAP,
	DO_LOAD, DO_SPAN, DO_LAYOUT, DO_SEEK, DO_FSYNC, DO_FDATASYNC, DO_SYNC, DO_CHECKPOINT, DO_TRIM,
	DO_DISCARD_ON, DO_DISCARD_OFF, DO_OPEN, DO_CLOSE, DO_SHRINK, DO_HANDLE, DO_FREEZE, DO_GROW, DO_STATFS,
	DO_SPOIL, DO_FILL, DO_BRIM, DO_HOLES, NR_OPERATIONS
};

struct operation_text {
	enum operation kind;
	char a[PATH_MAX_LEN], b[PATH_MAX_LEN];
	int64_t off;
	bool from_end;
	uint32_t len;
	uint32_t salt;			/* of the bytes that it writes */
};

struct program {
	struct operation_text op[MAX_PROGRAM];
	unsigned int nr;
};

/* What the caller of an operation sees. */
struct answer {
	int64_t result;
	uint64_t value;			/* what was read, listed ... */
};

bool program_parse(const char *text, struct program *p);
void program_print(const struct program *p, char *buf, size_t size);
struct answer operation_run(const struct operation_text *o);


/* From here on the thread's allocations fail once it has made a record; false: they do not. */
void poor(bool on);

#endif
