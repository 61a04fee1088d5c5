// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * ackload - a workload that says what it was promised, and its checker
 *
 *	ackload run DIR SEED [fsync|append|sync]
 *					operate on DIR until killed; after each
 *					operation print "ack N" (N = 1, 2, ...)
 *	ackload verify DIR SEED N [append|sync|ext4|fuse]
 *					DIR must be what N operations made, or some
 *					more: those whose "ack" was still on its way,
 *					or that nobody looked at any more (with `sync`
 *					1000 at most), and the one that was running
 *	ackload make DIR SEED N		operate until operation N is a truncate that
 *					cuts a block with data around it, N or later:
 *					print "N NAME OLD-SIZE NEW-SIZE", do not make it
 *	ackload clean DIR		remove what run made
 *
 * Operation N is a function of SEED and N alone, so the checker makes the
 * same ones in memory.  With `fsync` each is followed by fsync of the file,
 * and of the directory when a name changed; with `append` too, and nearly all
 * give a file some new blocks.  With `sync` some are followed by
 * syncfs(2), and only those are acknowledged; of what was overwritten in place
 * since the last, any byte may then be the old one or a newer one.  With `ext4` the
 * file system is that one with -o dax: it zeroes the rest of the last block of a file
 * that is cut at once, and commits the size later.  With `fuse` the kernel may pass a
 * write on in parts, at ends of pages.  Exit status:
 * 0 right, 1 lost or damaged (said in one line), 2 could not run.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "load.h"

#define FILES		12
#define MAX_SIZE	(96 * 1024)
#define MAX_IO		9000
#define BLOCK		4096

enum kind { CREATE, APPEND, OVERWRITE, TRUNCATE, RENAME, UNLINK };

struct op {
	enum kind kind;
	unsigned int file, to;		/* slots; to: of RENAME */
	uint32_t off, len;
	uint64_t pattern;
};

struct file {
	bool exists;
	uint32_t size;
	uint8_t *data;
};

static const char *const kind_name[] = {
	"create", "append", "overwrite", "truncate", "rename", "unlink",
};

static bool appends;			/* the operations are those of `append` */
static bool zeroes_first;		/* a truncate does, before the size changes */
static bool in_parts;			/* a write may be made */

#define die(...)	die_as("ackload", __VA_ARGS__)

/* ---- The model: what the operations make ---- */

static void fill(uint8_t *buf, uint32_t len, uint64_t pattern)
{
	for (uint32_t i = 0; i < len; i += 8) {
		uint64_t v = mix(pattern + i);

		memcpy(buf + i, &v, len - i < 8 ? len - i : 8);
	}
}

/* What an `append` is followed by is what needs its data to be durable before it. */
static struct op plan_append(const struct file *f, uint64_t r)
{
	struct op op = { .file = (unsigned int)(r % FILES), .pattern = mix(r) };
	const struct file *at = &f[op.file];

	op.len = MAX_IO / 2 + (uint32_t)(r >> 24) % (MAX_IO / 2);
	op.off = at->size;
	if (!at->exists)
		op.kind = CREATE;
	else
		op.kind = at->size + op.len <= MAX_SIZE ? APPEND : UNLINK;
	return op;
}

static struct op plan(const struct file *f, uint64_t seed, uint64_t n)
{
	uint64_t r = mix(seed * 1000003 + n);
	struct op op = { .file = (unsigned int)(r % FILES), .pattern = mix(r) };
	const struct file *at = &f[op.file];
	unsigned int dice = (unsigned int)(r >> 8) % 100;

	if (appends)
		return plan_append(f, r);

	op.to = (unsigned int)(r >> 16) % FILES;
	op.len = 1 + (uint32_t)(r >> 24) % (dice % 2 ? 600 : MAX_IO);
	if (!at->exists) {
		op.kind = CREATE;
	} else if (dice < 40 && at->size + op.len <= MAX_SIZE) {
		op.kind = APPEND;
		op.off = at->size;
	} else if (dice < 80 && at->size) {
		op.kind = OVERWRITE;
		op.off = (uint32_t)(r >> 40) % at->size;
		if (op.off + op.len > at->size)
			op.len = at->size - op.off;
	} else if (dice < 88) {
		op.kind = TRUNCATE;
		op.len = (uint32_t)(r >> 40) % MAX_SIZE;
	} else if (dice < 94 && op.to != op.file) {
		op.kind = RENAME;
	} else {
		op.kind = UNLINK;
	}
	return op;
}

static void apply(struct file *f, const struct op *op)
{
	struct file *at = &f[op->file], *to = &f[op->to];
	uint8_t *data = at->data;

	switch (op->kind) {
	case CREATE:
		at->exists = true;
		at->size = 0;
		memset(data, 0, MAX_SIZE);
		break;
	case APPEND:
	case OVERWRITE:
		fill(data + op->off, op->len, op->pattern);
		if (op->off + op->len > at->size)
			at->size = op->off + op->len;
		break;
	case TRUNCATE:
		if (op->len < at->size)
			memset(data + op->len, 0, at->size - op->len);
		at->size = op->len;
		break;
	case RENAME:
		at->data = to->data;
		*to = (struct file){ true, at->size, data };
		at->exists = false;
		break;
	case UNLINK:
		at->exists = false;
		break;
	}
}

static void make_model(struct file *f)
{
	for (unsigned int i = 0; i < FILES; i++) {
		f[i].exists = false;
		f[i].data = calloc(1, MAX_SIZE + 8);
		if (!f[i].data)
			die(2, "out of memory");
	}
}

static void name_of(unsigned int file, char *name, size_t size)
{
	/* Some names are long, to cross what short ones do not. */
	snprintf(name, size, file % 4 == 3 ? "file-%0200u" : "file-%u", file);
}

/* ---- Running ---- */

static void must(bool ok, const char *what, uint64_t n)
{
	if (!ok)
		die(2, "operation %llu: %s: %s", (unsigned long long)n, what, strerror(errno));
}

static void sync_dir(uint64_t n)
{
	int fd = open(".", O_RDONLY | O_DIRECTORY);

	must(fd >= 0, "open .", n);
	must(!fsync(fd), "fsync .", n);
	close(fd);
}

static void do_names(const struct op *op, const char *name, uint64_t n)
{
	char to[256];

	name_of(op->to, to, sizeof(to));
	if (op->kind == RENAME)
		must(!rename(name, to), "rename", n);
	else
		must(!unlink(name), "unlink", n);
}

static void do_file(const struct op *op, const char *name, uint64_t n, bool durable)
{
	static uint8_t buf[MAX_IO + 8];
	int fd = open(name, op->kind == CREATE ? O_RDWR | O_CREAT | O_EXCL : O_RDWR, 0644);

	must(fd >= 0, "open", n);
	if (op->kind == TRUNCATE) {
		must(!ftruncate(fd, op->len), "ftruncate", n);
	} else if (op->kind != CREATE) {
		fill(buf, op->len, op->pattern);
		must(pwrite(fd, buf, op->len, op->off) == (ssize_t)op->len, "pwrite", n);
	}
	if (durable)
		must(!fsync(fd), "fsync", n);
	close(fd);
}

/* After operation N, with `sync`: is it time? */
static bool syncs_after(uint64_t seed, uint64_t n)
{
	return mix(seed ^ mix(n)) % 24 == 0;
}

static void sync_all(uint64_t n)
{
	int fd = open(".", O_RDONLY | O_DIRECTORY);

	must(fd >= 0, "open .", n);
	must(!syncfs(fd), "syncfs", n);
	close(fd);
}

static void operate(const struct op *op, uint64_t n, bool durable)
{
	char name[256];

	name_of(op->file, name, sizeof(name));
	if (op->kind == RENAME || op->kind == UNLINK)
		do_names(op, name, n);
	else
		do_file(op, name, n, durable);
	if (durable && (op->kind == RENAME || op->kind == UNLINK || op->kind == CREATE))
		sync_dir(n);
}

static _Noreturn void run(uint64_t seed, bool durable, bool batches)
{
	struct file f[FILES];

	make_model(f);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (uint64_t n = 1;; n++) {
		struct op op = plan(f, seed, n);

		operate(&op, n, durable);
		apply(f, &op);
		if (batches && !syncs_after(seed, n))
			continue;
		if (batches)
			sync_all(n);
		printf("ack %llu\n", (unsigned long long)n);
	}
}

/* Where does it cut a block, which ends there or later?  The size when it does not. */
static uint32_t end_of_zeroes(const struct op *op, uint32_t size)
{
	uint32_t end = (op->len + BLOCK - 1) / BLOCK * BLOCK;

	return op->len < size && op->len < end ? end < size ? end : size : op->len;
}

static int make(uint64_t seed, uint64_t from)
{
	struct file f[FILES];

	make_model(f);
	for (uint64_t n = 1;; n++) {
		struct op op = plan(f, seed, n);
		uint32_t size = f[op.file].size, end = end_of_zeroes(&op, size);
		const uint8_t *data = f[op.file].data;
		char name[256];

		name_of(op.file, name, sizeof(name));
		if (n >= from && op.kind == TRUNCATE && op.len < end && data[op.len] &&
		    data[end]) {
			printf("%llu %s %u %u\n", (unsigned long long)n, name, size, op.len);
			return 0;
		}
		operate(&op, n, false);
		apply(f, &op);
	}
}

/* ---- Verifying ---- */

/* What is really there, by the names that the model knows. */
static void load(struct file *is)
{
	DIR *d = opendir(".");
	struct dirent *e;
	unsigned int names = 0, known = 0;

	if (!d)
		die(2, "opendir: %s", strerror(errno));
	while ((e = readdir(d)) != NULL)
		names += e->d_name[0] != '.';
	closedir(d);
	for (unsigned int i = 0; i < FILES; i++) {
		char name[256];
		ssize_t len;
		int fd;

		name_of(i, name, sizeof(name));
		fd = open(name, O_RDONLY);
		is[i].exists = fd >= 0;
		if (fd < 0)
			continue;
		len = read(fd, is[i].data, MAX_SIZE + 8);
		close(fd);
		if (len < 0)
			die(1, "%s: %s", name, strerror(errno));
		is[i].size = (uint32_t)len;
		known++;
	}
	if (names != known)
		die(1, "the directory lists %u names, %u can be opened", names, known);
}

/* An overwrite whose bytes may be there or not, whatever else is: the model keeps the old ones. */
struct loose {
	const uint8_t *data;		/* of the file, in the model */
	uint32_t off, len;
	uint64_t pattern;
};

static struct loose loose[AHEAD + 2];
static unsigned int nr_loose;

/* The overwrites in place after operation `from`, up to `to`. */
static void gather_loose(struct file *f, uint64_t seed, uint64_t from, uint64_t to)
{
	uint64_t n;

	for (n = 1; n <= to; n++) {
		struct op op = plan(f, seed, n);

		if (n > from && op.kind == OVERWRITE)
			loose[nr_loose++] = (struct loose){ f[op.file].data, op.off, op.len,
							    op.pattern };
		apply(f, &op);
	}
}

static bool loosely_right(const uint8_t *data, uint32_t at, uint8_t is)
{
	for (unsigned int i = 0; i < nr_loose; i++) {
		const struct loose *l = &loose[i];
		uint64_t v;

		if (l->data != data || at < l->off || at - l->off >= l->len)
			continue;
		v = mix(l->pattern + ((at - l->off) & ~7u));
		if (is == (uint8_t)(v >> (8 * ((at - l->off) & 7))))
			return true;
	}
	return false;
}

/* What `running` may have changed in place of file i: those bytes, and to what. */
struct half {
	uint32_t off, end;
	uint8_t data[MAX_IO + BLOCK];
};

static void half_of(const struct op *running, unsigned int i, uint32_t size, struct half *half)
{
	half->off = half->end = 0;
	if (running->file != i)
		return;
	if (running->kind == OVERWRITE) {
		half->off = running->off;
		half->end = running->off + running->len;
		fill(half->data, running->len, running->pattern);
	} else if (running->kind == TRUNCATE && zeroes_first) {
		half->off = running->len;
		half->end = end_of_zeroes(running, size);
		memset(half->data, 0, half->end - half->off);
	}
}

/* Bytes of file i that differ although `running` did not change them; size when none. */
static uint32_t first_wrong(const struct file *is, const struct file *want, unsigned int i,
			    const struct op *running)
{
	static struct half half;
	uint32_t k;

	if (!memcmp(is[i].data, want[i].data, want[i].size))
		return want[i].size;
	half_of(running, i, want[i].size, &half);
	for (k = 0; k < want[i].size; k++) {
		if (is[i].data[k] == want[i].data[k] ||
		    loosely_right(want[i].data, k, is[i].data[k]))
			continue;
		if (k < half.off || k >= half.end || is[i].data[k] != half.data[k - half.off])
			break;
	}
	return k;
}

/* Is it `want` with the first part of what `running` appends? */
static bool appended_partly(const struct file *is, const struct file *want, unsigned int i,
			    const struct op *running)
{
	static uint8_t buf[MAX_IO + 8];
	uint32_t more = is->size - want->size;

	if (!in_parts || running->kind != APPEND || running->file != i || is->size < want->size ||
	    more > running->len || is->size % BLOCK)
		return false;
	fill(buf, running->len, running->pattern);
	return !memcmp(is->data, want->data, want->size) && !memcmp(is->data + want->size, buf, more);
}

/* NULL when what is there is what `want` says, give or take the running overwrite. */
static const char *differs(const struct file *is, const struct file *want,
			   const struct op *running)
{
	static char why[128];

	for (unsigned int i = 0; i < FILES; i++) {
		uint32_t k;

		if (is[i].exists != want[i].exists) {
			snprintf(why, sizeof(why), "file %u %s", i,
				 is[i].exists ? "is there" : "is missing");
			return why;
		}
		if (!is[i].exists)
			continue;
		if (appended_partly(&is[i], &want[i], i, running))
			continue;
		if (is[i].size != want[i].size) {
			snprintf(why, sizeof(why), "file %u has %u bytes, not %u", i, is[i].size,
				 want[i].size);
			return why;
		}
		k = first_wrong(is, want, i, running);
		if (k < want[i].size) {
			snprintf(why, sizeof(why), "file %u differs at byte %u of %u", i, k,
				 want[i].size);
			return why;
		}
	}
	return NULL;
}

static int verify(uint64_t seed, uint64_t acked, bool batches)
{
	struct file want[FILES], start[FILES], is[FILES];
	static char first[512];
	uint64_t n;

	make_model(start);
	memcpy(want, start, sizeof(want));
	make_model(is);
	load(is);
	if (batches) {
		/* Which buffer belongs to which file is the same when it runs again. */
		gather_loose(want, seed, acked, acked + AHEAD + 1);
		memcpy(want, start, sizeof(want));
		for (unsigned int i = 0; i < FILES; i++)
			memset(want[i].data, 0, MAX_SIZE);
	}
	for (n = 1; n <= acked + (batches ? AHEAD : UNSEEN) + 1; n++) {
		struct op op = plan(want, seed, n);
		const char *why = n > acked ? differs(is, want, &op) : "";

		if (!why) {
			printf("all %llu acknowledged operations are there, and %llu more\n",
			       (unsigned long long)acked, (unsigned long long)(n - 1 - acked));
			return 0;
		}
		if (n == acked + 1)
			snprintf(first, sizeof(first), "%s (running: %s of file %u)", why,
				 kind_name[op.kind], op.file);
		if (!batches || n <= acked || op.kind != OVERWRITE)
			apply(want, &op);
	}
	die(1, "not the result of %llu acknowledged operations nor of any more: %s",
	    (unsigned long long)acked, first);
	return 1;
}

static int clean(void)
{
	for (unsigned int i = 0; i < FILES; i++) {
		char name[256];

		name_of(i, name, sizeof(name));
		if (unlink(name) && errno != ENOENT)
			die(2, "unlink %s: %s", name, strerror(errno));
	}
	return 0;
}

int main(int argc, char **argv)
{
	bool batches;

	if (argc < 3)
		die(2, "usage: ackload run DIR SEED [fsync|append|sync] | verify DIR SEED ACKED [append|sync|ext4|fuse] | make DIR SEED N | clean DIR");
	if (chdir(argv[2]))
		die(2, "%s: %s", argv[2], strerror(errno));
	if (!strcmp(argv[1], "clean"))
		return clean();
	appends = !strcmp(argv[argc - 1], "append");
	batches = !strcmp(argv[argc - 1], "sync");
	zeroes_first = !strcmp(argv[argc - 1], "ext4");
	in_parts = !strcmp(argv[argc - 1], "fuse");
	if (argc == 5 && !strcmp(argv[1], "make"))
		return make(strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
	if (argc >= 4 && !strcmp(argv[1], "run"))
		run(strtoull(argv[3], NULL, 10), appends || !strcmp(argv[argc - 1], "fsync"), batches);
	if (argc >= 5 && !strcmp(argv[1], "verify"))
		return verify(strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10), batches);
	die(2, "unknown command %s", argv[1]);
}
