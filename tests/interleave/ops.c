// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* ops.c - operations as text, and which is which */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ops.h"

/* Arguments: a, b: paths; o: offset; n: number. */
static const struct {
	const char *name, *args;
} ops[NR_OPERATIONS] = {
	[DO_CREAT] = { "creat", "a" }, [DO_MKDIR] = { "mkdir", "a" }, [DO_SYMLINK] = { "symlink", "an" },
	[DO_UNLINK] = { "unlink", "a" }, [DO_RMDIR] = { "rmdir", "a" }, [DO_TMPFILE] = { "tmpfile", "a" },
	[DO_LINK] = { "link", "ab" }, [DO_RENAME] = { "rename", "ab" }, [DO_EXCHANGE] = { "exchange", "ab" },
	[DO_NOREPLACE] = { "rename-new", "ab" }, [DO_WHITEOUT] = { "rename-white", "ab" }, [DO_CHMOD] = { "chmod", "an" }, [DO_TOUCH] = { "touch", "a" },
	[DO_STAT] = { "stat", "a" }, [DO_LIST] = { "list", "a" }, [DO_READ] = { "read", "aon" },
	[DO_WRITE] = { "write", "aon" }, [DO_TRUNCATE] = { "truncate", "ao" }, [DO_POOR] = { "truncate-poor", "ao" },
	[DO_FALLOC] = { "falloc", "aon" }, [DO_FALLOC_KEEP] = { "falloc-keep", "aon" }, [DO_PUNCH] = { "punch", "aon" },
	[DO_ZERO] = { "zero", "aon" }, [DO_COLLAPSE] = { "collapse", "aon" }, [DO_INSERT] = { "insert", "aon" },
	[DO_CHFLAGS] = { "chflags", "an" }, [DO_LABEL] = { "label", "n" },
	[DO_MAP] = { "map", "aon" }, [DO_LOAD] = { "load", "aon" }, [DO_SPAN] = { "span", "aon" },
	[DO_LAYOUT] = { "layout", "aon" }, [DO_SEEK] = { "seek", "ao" }, [DO_FSYNC] = { "fsync", "a" },
	[DO_FDATASYNC] = { "fdatasync", "a" }, [DO_SYNC] = { "sync", "" }, [DO_CHECKPOINT] = { "checkpoint", "" },
	[DO_TRIM] = { "trim", "" }, [DO_DISCARD_ON] = { "discard-on", "" }, [DO_DISCARD_OFF] = { "discard-off", "" },
	[DO_OPEN] = { "open", "ab" }, [DO_CLOSE] = { "close", "a" }, [DO_SHRINK] = { "shrink", "" },
	[DO_HANDLE] = { "handle", "n" }, [DO_FREEZE] = { "freeze", "" }, [DO_GROW] = { "grow", "" },
	[DO_STATFS] = { "statfs", "" }, [DO_SPOIL] = { "spoil", "a" }, [DO_FILL] = { "fill", "an" }, [DO_BRIM] = { "brim", "n" },
	[DO_HOLES] = { "holes", "an" },
};

static bool parse_arg(char kind, const char *word, struct operation_text *o)
{
	switch (kind) {
	case 'a':
		snprintf(o->a, sizeof(o->a), "%s", word);
		return strlen(word) < sizeof(o->a);
	case 'b':
		snprintf(o->b, sizeof(o->b), "%s", word);
		return strlen(word) < sizeof(o->b);
	case 'o':
		o->from_end = word[0] == 'e';
		o->off = strtoll(word + o->from_end, NULL, 0);
		return true;
	default:
		o->len = (uint32_t)strtoul(word, NULL, 0);
		return true;
	}
}

static bool parse_one(char *text, struct operation_text *o)
{
	char *save, *word;
	const char *arg, *p;
	unsigned int k;

	memset(o, 0, sizeof(*o));
	for (p = text; *p; p++)
		o->salt = o->salt * 31 + (uint8_t)*p;
	word = strtok_r(text, " \n", &save);
	for (k = 0; k < NR_OPERATIONS && (!word || strcmp(word, ops[k].name)); k++)
		;
	if (k == NR_OPERATIONS)
		return false;
	o->kind = (enum operation)k;
	for (arg = ops[k].args; *arg; arg++) {
		word = strtok_r(NULL, " \n", &save);
		if (!word || !parse_arg(*arg, word, o))
			return false;
	}
	return !strtok_r(NULL, " \n", &save);
}

bool program_parse(const char *text, struct program *p)
{
	char *copy = strdup(text), *save, *one;
	bool ok = true;

	p->nr = 0;
	for (one = strtok_r(copy, ";", &save); one && ok; one = strtok_r(NULL, ";", &save)) {
		one += strspn(one, " \n");
		if (!*one)
			continue;
		ok = p->nr < MAX_PROGRAM && parse_one(one, &p->op[p->nr]);
		p->nr += ok;
	}
	free(copy);
	return ok;
}

void program_print(const struct program *p, char *buf, size_t size)
{
	size_t n = 0;
	unsigned int i;
	const char *arg;

	buf[0] = 0;
	for (i = 0; i < p->nr && n < size; i++) {
		const struct operation_text *o = &p->op[i];

		n += (size_t)snprintf(buf + n, size - n, "%s%s", i ? "; " : "", ops[o->kind].name);
		for (arg = ops[o->kind].args; *arg && n < size; arg++) {
			if (*arg == 'a' || *arg == 'b')
				n += (size_t)snprintf(buf + n, size - n, " %s", *arg == 'a' ? o->a : o->b);
			else if (*arg == 'n')
				n += (size_t)snprintf(buf + n, size - n, o->kind == DO_CHMOD ? " %#o" : " %u", o->len);
			else if (o->from_end && !o->off)
				n += (size_t)snprintf(buf + n, size - n, " e");
			else
				n += (size_t)snprintf(buf + n, size - n, o->from_end ? " e%+lld" : " %lld",
						      (long long)o->off);
		}
	}
}
