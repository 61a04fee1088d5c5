// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* gen.c - where workloads begin, and workloads that nobody wrote */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gen.h"

#define STANDARD "mkdir A; mkdir B; mkdir A/C; creat foo; write foo 0 5000; creat A/bar; write A/bar 0 100; "

const struct setup setups[] = {
	{ "standard", STANDARD, "", 3, false },
	{ "empty", "", "", 3, false },
	/* The root directory's only leaf is full. */
	{ "full-leaf", STANDARD
	  "creat L0; creat L1; creat L2; creat L3; creat L4; creat L5; creat L6; creat L7; creat L8;"
	  "creat L9; creat L10; creat L11; creat L12; creat L13; creat L14; creat z1", "", 3, false },
	/* The payload of foo's inode holds no further extent. */
	{ "extents", STANDARD
	  "write foo 12288 10; write foo 20480 10; write foo 28672 10; write foo 36864 10;"
	  "write foo 45056 10; write foo 53248 10; write foo 61440 10; write foo 69632 10", "", 2, false },
	/* Attributes of each kind, so that the feature bit is set already. */
	{ "labelled", STANDARD
	  "setxattr foo 30; setxattr foo 9000; acl A/bar 0640; setxattr A/bar 700; acl A 0750", "", 2, false },
	/* foo: data, unwritten before and behind the end, data, a hole. */
	{ "advance", STANDARD
	  "falloc foo 8192 16384; write foo 12288 10; falloc-keep foo 40000 9000; write foo 32768 100; fsync foo", "", 2, false },
	{ "wrap", STANDARD "spin 900", "", 2, false },
	{ "full", STANDARD "creat big; fill big 1", "", 2, false },
	/* Several handles, of files with a name and without. */
	{ "handles", STANDARD "creat bar; write bar 0 300",
	  "open #1 foo; open #2 bar; unlink bar; tmpfile #3; write #3 0 5000", 2, false },
	/* Nothing is free but what was freed in the epoch that still runs. */
	{ "epoch", STANDARD "creat old; write old 0 60000; creat big; fill big 1",
	  "write A/bar 0 50; fsync A/bar; unlink old", 2, false },
	/* The log is nearly full: soon an operation must wait for a checkpoint. */
	{ "brim", STANDARD, "brim 900", 1, false },
	/* For growing. */
	{ "within", STANDARD, "", 0, true },
	{ "within-full", STANDARD "creat big; fill big 1", "", 0, true },
};

const unsigned int nr_setups = sizeof(setups) / sizeof(setups[0]);

const struct setup *find_setup(const char *name)
{
	unsigned int i;

	for (i = 0; i < nr_setups; i++)
		if (!strcmp(name, setups[i].name))
			return &setups[i];
	return NULL;
}

const struct known known[] = {
	/* After a kill, recovery wrote home what was durable in the page cache only. */
	{ "standard", "write foo 16384 10" },
	{ "extents", "write A/bar 1 9000" },
	/* A write that failed had zeroed the gap; the next to grow the file did not flush that. */
	{ "full", "write A/bar e 8090; sync; junk foo; fsync foo; write foo e+20000 8000; truncate foo e+7; fsync foo" },
	{ "full", "write A/bar e 4090; junk foo; fsync foo; write foo e+20000 8000; truncate foo e+7; fsync foo; sync" },
	/* What was a directory's block is a file's. */
	{ "full", "mkdir A/D; creat A/D/x; unlink A/D/x; rmdir A/D; write foo e+4000 4096" },
	/* Bytes that rode in a record are overwritten in place. */
	{ "standard", "fsync A/bar; write A/bar e 50; fsync A/bar; write A/bar 100 20; fsync A/bar" },
	/* The second page of the mapping finds no block, the first was stored to. */
	{ "full", "write A/bar e+20000 3; map A/bar 4090 12" },
	/* The first attribute of all: the superblock changes. */
	{ "standard", "setxattr foo 30; fsync foo" },
	{ "empty", "creat-labelled foo; sync" },
	/* The first flag, beside the first attribute. */
	{ "standard", "chflags foo 0x10; fsync foo; chflags A 0x10000; setxattr A 30; sync" },
	{ "empty", "creat foo; setxattr foo 700; chflags foo 0x40; fsync foo" },
	{ "standard", "label; setxattr foo 30; label; fsync foo" },
	/* A value in blocks counts with its record only. */
	{ "labelled", "setxattr foo 5000; fsync foo; setxattr foo 20000; fsync foo; unlink foo; setxattr A/bar 9000; sync" },
	{ "labelled", "acl foo 0600; acl A/bar 0604; fsync A/bar; unsetxattr A/bar 1" },
	/* The first unwritten block: the superblock changes. */
	{ "empty", "creat foo; falloc foo 0 9000; write foo 4000 200; fsync foo" },
	/* Zeroed, not durably so, then written to in place. */
	{ "standard", "fsync foo; zero foo 0 8192; write foo 100 10; fsync foo" },
	{ "standard", "fsync foo; zero foo 0 5000; map foo 10 80; fdatasync foo" },
	{ "advance", "punch foo 100 20000; write foo 8000 9000; collapse foo 4096 8192; insert foo 0 4096; fsync foo" },
	/* Rode in records, moved, and is overwritten where it is now. */
	{ "standard", "write foo e 5000; fsync foo; write foo e 50; fsync foo; collapse foo 0 4096; write foo e-100 90; sync" },
	{ "full", "falloc A/bar 0 200000; falloc-keep A/bar e 4096; punch foo 10 20; zero foo 0 4096; write foo 0 10" },
	/* Extents and attributes share an inode. */
	{ "labelled", "write foo 12288 10; write foo 20480 10; write foo 28672 10; acl foo 0640; truncate foo 0; sync" },
	{ "full", "setxattr A/bar 30; setxattr A/bar 9000; unsetxattr A/bar 1; creat-labelled x" },
	/* The name that a rename leaves always leads to something. */
	{ "standard", "rename-white foo A/bar; fsync A; rename-white A B; sync" },
	{ "full", "rename-white foo x; rename-white A/bar x; unlink foo" },
	/* One of the records with a long name crosses a page. */
	{ "standard", "creat L0; creat L1; creat L2; creat L3; creat L4; creat L5; creat L6; creat L7" },
};

const unsigned int nr_known = sizeof(known) / sizeof(known[0]);

const struct known growing[] = {
	{ "standard", "grow" },
	{ "within", "grow" },
	{ "standard", "write foo 16384 10; grow; write A/bar e 9000; fsync A/bar; creat x" },
	{ "within", "write foo 16384 10; grow; write A/bar e 9000; fsync A/bar; creat x" },
	/* What is written next has room nowhere but in the new part. */
	{ "full", "grow; write A/bar e 150000; fsync A/bar" },
	{ "within-full", "grow; write A/bar e 150000; fsync A/bar" },
	{ "full", "unlink foo; grow; write A/bar e 20000; checkpoint; mkdir A/D" },
	/* What waits in the log when it grows, and what rode there. */
	{ "standard", "fsync A/bar; write A/bar e 50; grow; write A/bar 100 20; fsync A/bar" },
	{ "brim", "creat x; grow; creat y; grow; sync" },
	{ "handles", "unlink foo; grow; write #1 e 9000; close #1; checkpoint" },
};

const unsigned int nr_growing = sizeof(growing) / sizeof(growing[0]);

static unsigned int add(struct op *op, unsigned int nr, const char *text)
{
	if (nr >= MAX_VOCABULARY || ops_parse(text, &op[nr], 1) != 1) {
		fprintf(stderr, "crash: bad operation: %s\n", text);
		exit(2);
	}
	return nr + 1;
}

#define ARRAY(x) (sizeof(x) / sizeof((x)[0]))

/* All pairs that a rename (link, exchange) of the kind can have. */
static unsigned int add_pairs(struct op *op, unsigned int nr, const char *verb,
			      const char *const *from, size_t nr_from, const char *const *to, size_t nr_to)
{
	char text[100];
	size_t i, k;

	for (i = 0; i < nr_from; i++)
		for (k = 0; k < nr_to; k++) {
			if (!strcmp(from[i], to[k]))
				continue;
			snprintf(text, sizeof(text), "%s %s %s", verb, from[i], to[k]);
			nr = add(op, nr, text);
		}
	return nr;
}

static unsigned int add_each(struct op *op, unsigned int nr, const char *format,
			     const char *const *path, size_t nr_paths)
{
	char text[100];
	size_t i;

	for (i = 0; i < nr_paths; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(text, sizeof(text), format, path[i]);
#pragma GCC diagnostic pop
		nr = add(op, nr, text);
	}
	return nr;
}

unsigned int vocabulary(struct op *op)
{
	static const char *const files[] = { "foo", "bar", "A/foo", "A/bar", "B/foo", "B/bar", "A/C/foo" };
	static const char *const dirs[] = { "A", "B", "A/C", "B/C", "A/C/D" };
	static const char *const here[] = { "foo", "A/bar" };
	static const char *const handles[] = { "#1", "#2", "#3" };
	static const char *const to[] = { "bar", "Lbar", "A/foo", "A/bar", "foo", "B/bar", "A/C/foo" };
	static const char *const data[] = {
		"write %s 0 100", "write %s 4000 200", "write %s 1 9000", "write %s e 1", "write %s e 300",
		"write %s e 5000", "write %s e+3000 100", "write %s e+20000 3", "write %s 16384 10", "write %s e-5 10", "write %s 8191 2",
		"truncate %s 0", "truncate %s 50", "truncate %s 4096", "truncate %s 4100",
		"truncate %s e+7", "truncate %s 30000", "map %s 10 80", "map %s 4090 12", "junk %s",
		"chmod %s 0600", "fsync %s", "fdatasync %s", "close %s", "open #1 %s",
	};
	static const char *const advance[] = {
		"falloc %s e 9000", "falloc %s 0 5000", "falloc-keep %s e 20000", "punch %s 0 4096", "punch %s 50 8000",
		"zero %s 10 60", "zero %s 0 8192", "zero %s e-5 9000", "collapse %s 0 4096", "insert %s 0 4096",
		"collapse %s 4096 8192", "insert %s 4096 8192",
	};
	static const char *const labelled[] = { "foo", "A/bar", "A" };
	static const char *const attributes[] = {
		"setxattr %s 30", "setxattr %s 700", "setxattr %s 9000", "unsetxattr %s 1", "unsetxattr %s 9000",
		"acl %s 0640", "chflags %s 0x30", "chflags %s 0",
	};
	unsigned int nr = 0;
	size_t i;

	nr = add_each(op, nr, "creat %s", files, ARRAY(files));
	nr = add(op, nr, "creat Lnew");
	nr = add_each(op, nr, "mkdir %s", dirs, ARRAY(dirs));
	nr = add_each(op, nr, "unlink %s", files, ARRAY(files));
	nr = add_each(op, nr, "rmdir %s", dirs, ARRAY(dirs));
	nr = add_each(op, nr, "symlink %s 20", to, 3);
	nr = add_each(op, nr, "symlink %s 300", to, 3);
	nr = add_pairs(op, nr, "link", here, 2, to, ARRAY(to));
	nr = add_pairs(op, nr, "rename", files, ARRAY(files), to, ARRAY(to));
	nr = add_pairs(op, nr, "rename", dirs, ARRAY(dirs), dirs, ARRAY(dirs));
	nr = add(op, nr, "rename-new foo bar");
	nr = add(op, nr, "rename-new foo A/bar");
	nr = add(op, nr, "rename-new A B/C");
	nr = add(op, nr, "rename-new A/C B");
	nr = add_pairs(op, nr, "rename-white", here, 2, to, ARRAY(to));
	nr = add_pairs(op, nr, "rename-white", dirs, 3, dirs, ARRAY(dirs));
	nr = add_pairs(op, nr, "exchange", here, 2, to, ARRAY(to));
	nr = add_pairs(op, nr, "exchange", here, 2, dirs, ARRAY(dirs));
	nr = add_pairs(op, nr, "exchange", dirs, 3, dirs, ARRAY(dirs));
	for (i = 0; i < ARRAY(data); i++)
		nr = add_each(op, nr, data[i], here, 2);
	for (i = 0; i < ARRAY(advance); i++)
		nr = add_each(op, nr, advance[i], here, 2);
	for (i = 0; i < ARRAY(attributes); i++)
		nr = add_each(op, nr, attributes[i], labelled, ARRAY(labelled));
	nr = add(op, nr, "creat-labelled bar");
	nr = add(op, nr, "creat-labelled A/foo");
	nr = add(op, nr, "write bar e 300");
	nr = add(op, nr, "unlink L3");
	nr = add(op, nr, "rename L3 L4");
	nr = add(op, nr, "rename L3 B/bar");
	nr = add(op, nr, "fsync .");
	nr = add(op, nr, "fsync A");
	nr = add(op, nr, "label");
	nr = add(op, nr, "sync");
	nr = add(op, nr, "checkpoint");
	nr = add(op, nr, "tmpfile #3");
	nr = add(op, nr, "link #3 B/bar");
	nr = add_each(op, nr, "write %s e 300", handles, ARRAY(handles));
	nr = add_each(op, nr, "truncate %s 50", handles, ARRAY(handles));
	nr = add_each(op, nr, "fsync %s", handles, ARRAY(handles));
	nr = add_each(op, nr, "close %s", handles, ARRAY(handles));
	return nr;
}

unsigned int metadata_vocabulary(struct op *op)
{
	unsigned int nr = vocabulary(op), i, out = 0;

	for (i = 0; i < nr; i++)
		switch (op[i].kind) {
		case OP_CREAT: case OP_MKDIR: case OP_UNLINK: case OP_RMDIR: case OP_LINK:
		case OP_RENAME: case OP_NOREPLACE: case OP_EXCHANGE: case OP_WHITEOUT: case OP_SYMLINK:
			op[out++] = op[i];
			break;
		default:
			break;
		}
	return out;
}

unsigned int persistence(const struct op *after, struct op *op, unsigned int max)
{
	const char *path = after->kind == OP_LINK || after->kind == OP_RENAME || after->kind == OP_NOREPLACE ||
			   after->kind == OP_EXCHANGE || after->kind == OP_WHITEOUT ?
		after->b : after->a;
	unsigned int nr = 0;

	if (max < 4)
		return 0;
	if (path[0] && after->kind != OP_UNLINK && after->kind != OP_RMDIR) {
		memset(&op[nr], 0, sizeof(*op));
		op[nr].kind = OP_FSYNC;
		memcpy(op[nr++].a, path, PATH_LEN);
	}
	memset(&op[nr], 0, sizeof(*op));
	op[nr++].kind = OP_FSYNC;	/* of the root directory */
	memset(&op[nr], 0, sizeof(*op));
	op[nr++].kind = OP_SYNC;
	memset(&op[nr], 0, sizeof(*op));
	op[nr++].kind = OP_CHECKPOINT;
	return nr;
}

/* ---- Random ---- */

static unsigned int pick(uint64_t *rng, unsigned int below)
{
	return (unsigned int)(mix(++*rng) % below);
}

static void some_path(const struct world *w, uint64_t *rng, bool exists, char *out)
{
	static const char *const names[] = { "foo", "bar", "L0", "L1", "L2", "L3", "L4", "L5", "x", "y",
					     "L6", "L7", "L8", "L9", "LA", "LB", "z" };
	static const char *const dirs[] = { "", "", "", "A/", "B/", "A/C/", "B/D/" };
	const struct state *s = w->s[w->nr];

	memset(out, 0, PATH_LEN);
	if (exists && pick(rng, 8) == 0) {
		snprintf(out, PATH_LEN, "#%u", pick(rng, HANDLES));
		return;
	}
	if (exists && s->nr) {
		memcpy(out, s->e[pick(rng, s->nr)].path, PATH_LEN);
		return;
	}
	snprintf(out, PATH_LEN, "%s%s", dirs[pick(rng, ARRAY(dirs))], names[pick(rng, ARRAY(names))]);
}

static uint32_t some_length(uint64_t *rng)
{
	switch (pick(rng, 4)) {
	case 0: return 1 + pick(rng, 30000);
	case 1: return PAGE * (1 + pick(rng, 4));
	default: return 1 + pick(rng, 600);
	}
}

void random_op(const struct world *w, uint64_t *rng, struct op *op)
{
	static const enum op_kind often[] = {
		OP_CREAT, OP_CREAT, OP_CREAT, OP_MKDIR, OP_UNLINK, OP_UNLINK, OP_RMDIR, OP_SYMLINK,
		OP_CHMOD, OP_CHFLAGS, OP_LINK, OP_RENAME, OP_RENAME, OP_NOREPLACE, OP_EXCHANGE, OP_WHITEOUT, OP_WRITE, OP_WRITE, OP_WRITE,
		OP_WRITE, OP_WRITE, OP_WRITE, OP_TRUNCATE, OP_TRUNCATE, OP_MAP, OP_JUNK, OP_FSYNC,
		OP_FSYNC, OP_FSYNC, OP_FDATASYNC, OP_SYNC, OP_CHECKPOINT, OP_OPEN, OP_TMPFILE,
		OP_FALLOC, OP_FALLOC_KEEP, OP_PUNCH, OP_PUNCH, OP_ZERO, OP_ZERO, OP_COLLAPSE, OP_INSERT,
		OP_CLOSE, OP_CLOSE, OP_SETXATTR, OP_SETXATTR, OP_UNSETXATTR, OP_ACL, OP_LABELLED,
	};
	bool make, second;

	memset(op, 0, sizeof(*op));
	op->kind = often[pick(rng, ARRAY(often))];
	make = op->kind == OP_CREAT || op->kind == OP_LABELLED || op->kind == OP_MKDIR || op->kind == OP_SYMLINK;
	second = op->kind == OP_OPEN || op->kind == OP_EXCHANGE ||
		 ((op->kind == OP_RENAME || op->kind == OP_WHITEOUT) && pick(rng, 2));
	some_path(w, rng, !make, op->a);
	some_path(w, rng, second, op->b);
	if (op->kind == OP_OPEN || op->kind == OP_TMPFILE)
		snprintf(op->a, PATH_LEN, "#%u", pick(rng, HANDLES));
	op->from_end = op->kind == OP_WRITE ? pick(rng, 3) > 0 : pick(rng, 3) == 0;
	op->off = op->from_end ? (pick(rng, 3) ? 0 : (int64_t)pick(rng, 9000)) : (int64_t)pick(rng, 40000);
	if (op->kind == OP_TRUNCATE && pick(rng, 2))
		op->off = -op->off;
	if (op->kind == OP_MAP && pick(rng, 2))
		op->off = pick(rng, 3000);
	op->len = op->kind == OP_SYMLINK ? 1 + pick(rng, 400) : some_length(rng);
	if (op->kind == OP_COLLAPSE || op->kind == OP_INSERT) {
		op->off = op->from_end ? 0 : op->off / PAGE * PAGE;
		op->from_end = false;
		op->len = PAGE * (1 + pick(rng, 4));
	}
}
