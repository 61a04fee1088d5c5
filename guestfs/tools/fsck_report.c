// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* fsck_report.c - see fsck_report.h */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "fsck_report.h"
#include "toolenv.h"

static char **room_for_one(struct fsck_report *r, enum fsck_part part)
{
	size_t max = r->part[part].max;
	char **line;

	if (r->part[part].nr == max) {
		max = max ? 2 * max : 64;
		line = realloc(r->part[part].line, max * sizeof(*line));
		if (!line)
			return NULL;
		r->part[part].line = line;
		r->part[part].max = max;
	}
	return &r->part[part].line[r->part[part].nr];
}

void fsck_vline(struct fsck_report *r, enum fsck_part part, const char *fmt, va_list ap)
{
	char **line;

	if (!r->json) {
		fputs(part == FSCK_REPAIR ? "repair: " : "", stdout);
		vprintf(fmt, ap);
		putchar('\n');
		return;
	}
	line = room_for_one(r, part);
	if (!line || vasprintf(line, fmt, ap) < 0)
		tool_error("out of memory: a line is missing");
	else
		r->part[part].nr++;
}

void fsck_line(struct fsck_report *r, enum fsck_part part, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fsck_vline(r, part, fmt, ap);
	va_end(ap);
}

static void put_recovery(struct json *j, const struct fsck_facts *f)
{
	const struct vmem_mount_info *r = f->recovery;

	json_object(j, "recovery");
	json_bool(j, "needed", r->was_dirty);
	json_bool(j, "kept", r->was_dirty && f->kept);
	json_bool(j, "host_failed", r->host_failed);
	json_number(j, "replayed", r->replayed);
	json_number(j, "dropped", r->dropped);
	json_number(j, "orphans", r->orphans);
	json_close(j);
}

static void put_counts(struct json *j, const struct vmem_check_result *r)
{
	json_object(j, "found");
	json_number(j, "files", r->files);
	json_number(j, "directories", r->dirs);
	json_number(j, "symlinks", r->symlinks);
	json_number(j, "others", r->others);
	json_number(j, "inodes_used", r->used_inodes);
	json_number(j, "inodes", r->nr_inodes);
	json_number(j, "blocks_used", r->used_blocks);
	json_number(j, "blocks", r->nr_blocks);
	json_close(j);
}

void fsck_json(const struct fsck_report *r, const struct fsck_facts *f)
{
	static const char *const keys[FSCK_PARTS] = { "findings", "repairs", "messages" };
	struct json j = { .out = stdout };
	unsigned int part;
	size_t i;

	json_object(&j, NULL);
	json_name(&j, "file", (const uint8_t *)f->path, strlen(f->path));
	json_number(&j, "exit_status", (uint64_t)f->status);
	json_string(&j, "state", f->state);
	json_bool(&j, "checked", f->checked);
	json_bool(&j, "needs_check", f->checked && f->result->needs_check);
	json_number(&j, "problems", f->problems);
	put_recovery(&j, f);
	if (f->checked)
		put_counts(&j, f->result);
	for (part = 0; part < FSCK_PARTS; part++) {
		json_list(&j, keys[part]);
		for (i = 0; i < r->part[part].nr; i++)
			json_string(&j, NULL, r->part[part].line[i]);
		json_close(&j);
	}
	json_errors(&j);
	json_close(&j);
}

void fsck_report_free(struct fsck_report *r)
{
	unsigned int part;

	for (part = 0; part < FSCK_PARTS; part++) {
		while (r->part[part].nr)
			free(r->part[part].line[--r->part[part].nr]);
		free(r->part[part].line);
	}
}
