/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * json.h - write JSON (RFC 8259), piece by piece
 *
 * A key is NULL in a list.  Text is UTF-8 in the end, whatever bytes it has: those that
 * are none become U+FFFD.
 */
#ifndef VMEM_JSON_H
#define VMEM_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH 8u

struct json {
	FILE *out;
	unsigned int depth;
	bool is_list[JSON_DEPTH], any[JSON_DEPTH];
};

void json_object(struct json *j, const char *key);
void json_list(struct json *j, const char *key);
void json_close(struct json *j);	/* the innermost of them; the last one with a newline */

void json_number(struct json *j, const char *key, uint64_t n);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);
void json_string(struct json *j, const char *key, const char *text);
/* Bytes in hexadecimal. */
void json_hex(struct json *j, const char *key, const uint8_t *p, size_t len);
/* n in hexadecimal, of at least that many digits. */
void json_hex_number(struct json *j, const char *key, uint64_t n, int digits);
/* A name, whose bytes need not be UTF-8: in that case KEY_hex has them, too. */
void json_name(struct json *j, const char *key, const uint8_t *p, size_t len);

/* "errors": what tool_error() has said so far, after tool_keep_errors(). */
void json_errors(struct json *j);

#endif /* VMEM_JSON_H */
