// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* json.c - see json.h */
#include <assert.h>
#include <string.h>

#include "json.h"
#include "toolenv.h"

typedef unsigned long long ull;

/* ---- Text ------------------------------------------------------------------ */

/* The length of the UTF-8 sequence at p, or 0: it is none (Unicode 15, table 3-7). */
static size_t sequence(const uint8_t *p, size_t left)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0, i;

	if (len > left)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf4)
		high = 0x8f;
	for (i = 1; i < len; i++, low = 0x80, high = 0xbf)
		if (p[i] < low || p[i] > high)
			return 0;
	return len;
}

/* Returns whether all of it is UTF-8. */
static bool put_text(FILE *out, const uint8_t *p, size_t len)
{
	bool all = true;
	size_t n;

	putc('"', out);
	for (; len; p += n, len -= n) {
		n = sequence(p, len);
		if (!n) {
			fputs("\xef\xbf\xbd", out);
			all = false;
			n = 1;
		} else if (*p == '"' || *p == '\\') {
			fprintf(out, "\\%c", *p);
		} else if (*p < ' ' || *p == 127) {
			fprintf(out, "\\u%04x", *p);
		} else {
			fwrite(p, 1, n, out);
		}
	}
	putc('"', out);
	return all;
}

/* ---- Structure ------------------------------------------------------------- */

/* What comes before a value; the upper two levels have a line for each. */
static void begin(struct json *j, const char *key)
{
	if (j->depth) {
		unsigned int i = j->depth - 1;

		assert(!key == j->is_list[i]);
		fputs(j->any[i] ? "," : "", j->out);
		fputs(j->depth <= 2 ? "\n" : j->any[i] ? " " : "", j->out);
		j->any[i] = true;
	}
	if (key) {
		put_text(j->out, (const uint8_t *)key, strlen(key));
		fputs(": ", j->out);
	}
}

static void open_level(struct json *j, const char *key, bool is_list)
{
	begin(j, key);
	assert(j->depth < JSON_DEPTH);
	j->is_list[j->depth] = is_list;
	j->any[j->depth++] = false;
	putc(is_list ? '[' : '{', j->out);
}

void json_object(struct json *j, const char *key)
{
	open_level(j, key, false);
}

void json_list(struct json *j, const char *key)
{
	open_level(j, key, true);
}

void json_close(struct json *j)
{
	assert(j->depth);
	j->depth--;
	putc(j->is_list[j->depth] ? ']' : '}', j->out);
	if (!j->depth)
		putc('\n', j->out);
}

/* ---- Values ---------------------------------------------------------------- */

void json_number(struct json *j, const char *key, uint64_t n)
{
	begin(j, key);
	fprintf(j->out, "%llu", (ull)n);
}

void json_bool(struct json *j, const char *key, bool value)
{
	begin(j, key);
	fputs(value ? "true" : "false", j->out);
}

void json_null(struct json *j, const char *key)
{
	begin(j, key);
	fputs("null", j->out);
}

void json_string(struct json *j, const char *key, const char *text)
{
	begin(j, key);
	put_text(j->out, (const uint8_t *)text, strlen(text));
}

void json_hex(struct json *j, const char *key, const uint8_t *p, size_t len)
{
	begin(j, key);
	putc('"', j->out);
	for (; len; len--, p++)
		fprintf(j->out, "%02x", *p);
	putc('"', j->out);
}

void json_hex_number(struct json *j, const char *key, uint64_t n, int digits)
{
	begin(j, key);
	fprintf(j->out, "\"%0*llx\"", digits, (ull)n);
}

void json_name(struct json *j, const char *key, const uint8_t *p, size_t len)
{
	char hex[32];

	begin(j, key);
	if (put_text(j->out, p, len))
		return;
	snprintf(hex, sizeof(hex), "%s_hex", key);
	json_hex(j, hex, p, len);
}

void json_errors(struct json *j)
{
	const char *const *lines;
	size_t nr = tool_kept_errors(&lines), i;

	json_list(j, "errors");
	for (i = 0; i < nr; i++)
		json_string(j, NULL, lines[i]);
	json_close(j);
}
