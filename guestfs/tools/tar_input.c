// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* tar_input.c - see tar_input.h */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tar_input.h"
#include "toolenv.h"

#define CHUNK	(1u << 20)	/* bytes, a multiple of RECORD */
#define NOWHERE	(UINT64_MAX - RECORD)
#define RECORD	512u		/* a header, and what bodies are padded to; pax(1) */

int tar_error(const struct tar_input *t, const char *fmt, ...)
{
	char why[256];
	va_list ap;

	tool_progress_end();
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	if (t->shown[0])
		tool_error("%s: %s: %s", t->name, t->shown, why);
	else
		tool_error("%s: %s", t->name, why);
	return -1;
}

/* ---- Reading ------------------------------------------------------------- */

/* A number in octal, as headers have it; 0: it is something else. */
static uint64_t octal(const uint8_t *field, size_t len)
{
	uint64_t n = 0;

	for (; len && *field >= '0' && *field <= '7'; len--, field++)
		n = n * 8 + (*field - '0');
	return n;
}

/*
 * libarchive passes over global headers without a word.  A lone comment, as git writes
 * it, changes nothing; other keywords would be defaults of all that follows.
 */
static void look_at_header(struct tar_input *t)
{
	uint64_t end_of_chunk = t->chunk_off + t->chunk_len, size;
	char body[RECORD + 1];
	unsigned long length;
	const uint8_t *h;
	bool is_whole;
	char *end;

	if (t->header_at < t->chunk_off || t->header_at + RECORD > end_of_chunk)
		return;
	h = t->chunk + (t->header_at - t->chunk_off);
	is_whole = t->header_at + 2 * RECORD <= end_of_chunk;
	t->header_at = NOWHERE;	/* only once */
	if (h[156] != 'g')
		return;
	size = octal(h + 124, 12);
	memset(body, 0, sizeof(body));
	if (is_whole)
		memcpy(body, h + RECORD, RECORD);
	length = strtoul(body, &end, 10);
	if (strncmp(end, " comment=", 9) || length != size)
		t->globals++;
}

static la_ssize_t read_chunk(struct archive *a, void *ctx, const void **buf)
{
	struct tar_input *t = ctx;
	ssize_t got = 1;

	(void)a;
	t->chunk_off += t->chunk_len;
	t->chunk_len = 0;
	/* Whole chunks: what is made must not depend on the pieces in which a pipe has it. */
	while (t->chunk_len < CHUNK && got) {
		got = read(t->fd, t->chunk + t->chunk_len, CHUNK - (size_t)t->chunk_len);
		if (got < 0 && errno != EINTR) {
			t->unreadable = true;
			archive_set_error(t->archive, errno, "cannot be read: %s", strerror(errno));
			return ARCHIVE_FATAL;
		}
		t->chunk_len += got > 0 ? (uint64_t)got : 0;
	}
	look_at_header(t);
	if (t->total)
		tool_progress("reading the archive", t->chunk_off, t->total);
	else
		tool_progress("MiB of the archive read", t->chunk_off >> 20, 0);
	*buf = t->chunk;
	return (la_ssize_t)t->chunk_len;
}

static int open_file(struct tar_input *t, const char *path)
{
	struct stat st;

	t->name = strcmp(path, "-") ? path : "standard input";
	t->fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
	if (t->fd < 0 || fstat(t->fd, &st)) {
		tool_error("cannot open %s: %s", t->name, strerror(errno));
		return -1;
	}
	t->total = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	return 0;
}

/* How a compressed archive can be given, or NULL: this is none. */
static const char *unpacker(const struct tar_input *t)
{
	static const struct {
		const char *magic;
		size_t len;
		const char *program;
	} kinds[] = {
		{ "\x1f\x8b", 2, "zcat" }, { "BZh", 3, "bzcat" }, { "\xfd" "7zXZ", 5, "xzcat" },
		{ "\x28\xb5\x2f\xfd", 4, "zstdcat" }, { "\x04\x22\x4d\x18", 4, "lz4cat" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!t->chunk_off && t->chunk_len >= kinds[i].len &&
		    !memcmp(t->chunk, kinds[i].magic, kinds[i].len))
			return kinds[i].program;
	return NULL;
}

static int no_archive(const struct tar_input *t)
{
	const char *program = unpacker(t);

	if (program)
		return tar_error(t, "is compressed: %s ARCHIVE | mkfs.vmemfs --tar - ...", program);
	return tar_error(t, "%s", t->unreadable ? archive_error_string(t->archive) : "is no tar archive");
}

int tar_open(struct tar_input *t, const char *path)
{
	memset(t, 0, sizeof(*t));
	if (open_file(t, path))
		return -1;
	t->header_at = NOWHERE;
	t->chunk = malloc(CHUNK);
	t->archive = archive_read_new();
	if (!t->chunk || !t->archive || archive_read_support_format_tar(t->archive)) {
		tool_error("out of memory");
		tar_close(t);
		return -1;
	}
	if (archive_read_open(t->archive, t, NULL, read_chunk, NULL) == ARCHIVE_OK)
		return 0;
	no_archive(t);
	tar_close(t);
	return -1;
}

void tar_close(struct tar_input *t)
{
	tool_progress_end();
	if (t->archive)
		archive_read_free(t->archive);
	free(t->chunk);
	if (t->fd >= 0)
		close(t->fd);
	t->archive = NULL;
	t->chunk = NULL;
	t->fd = -1;
}

void tar_drain(struct tar_input *t)
{
	ssize_t got;

	while ((got = read(t->fd, t->chunk, CHUNK)) > 0 || (got < 0 && errno == EINTR))
		;
}

/* ---- Entries ------------------------------------------------------------- */

static int no_header(struct tar_input *t, int status)
{
	const char *why = archive_error_string(t->archive);

	if (status == ARCHIVE_RETRY)
		why = "a header has a wrong checksum: the archive is damaged";
	t->shown[0] = 0;
	return tar_error(t, "byte %llu: %s", (unsigned long long)archive_filter_bytes(t->archive, 0),
			 why ? why : "no header of a tar archive");
}

/* Names may hold anything; and a line is one line. */
static void show(struct tar_input *t, const char *name)
{
	size_t at = 0;

	for (; name && *name && at + 5 < sizeof(t->shown); name++) {
		unsigned char c = (unsigned char)*name;

		at += (size_t)snprintf(t->shown + at, sizeof(t->shown) - at,
				       c < ' ' || c == 127 || c == '\\' ? "\\%03o" : "%c", c);
	}
	t->shown[at] = 0;
	if (!at)
		strcpy(t->shown, "an entry without name");
}

/*
 * In the C locale, in which this program runs, libarchive tells of each name that is not
 * ASCII, and keeps its bytes, which is what is wanted.  Other warnings are of damage.
 */
static bool is_of_charset(const struct tar_input *t)
{
	const char *why = archive_error_string(t->archive);

	return why && strstr(why, "can't be converted from");
}

int tar_next(struct tar_input *t, struct archive_entry **entry)
{
	uint64_t at;
	int status;

	/* What is left of the last one is passed over here, so that it is known where the next begins. */
	if (t->in_entry && archive_read_data_skip(t->archive) < ARCHIVE_WARN)
		return tar_error(t, "%s", archive_error_string(t->archive));
	t->in_entry = false;
	t->shown[0] = 0;
	at = (uint64_t)archive_filter_bytes(t->archive, 0);
	t->header_at = at;
	look_at_header(t);
	status = archive_read_next_header(t->archive, entry);
	if (status == ARCHIVE_EOF) {
		if ((uint64_t)archive_filter_bytes(t->archive, 0) - at < RECORD)
			return tar_error(t, "ends without the mark of its end: it was cut off");
		return 0;
	}
	if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
		return no_header(t, status);
	show(t, archive_entry_pathname(*entry));
	if (status == ARCHIVE_WARN && !is_of_charset(t))
		return tar_error(t, "%s", archive_error_string(t->archive));
	t->in_entry = true;
	return 1;
}

int tar_data(struct tar_input *t, const void **buf, size_t *len, uint64_t *off)
{
	la_int64_t at = 0;
	int status = archive_read_data_block(t->archive, buf, len, &at);

	*off = (uint64_t)at;
	if (status == ARCHIVE_EOF)
		return 0;
	if (status == ARCHIVE_OK && at >= 0)
		return 1;
	return tar_error(t, "%s", status == ARCHIVE_OK || !archive_error_string(t->archive) ?
			 "its map of holes is damaged" : archive_error_string(t->archive));
}
