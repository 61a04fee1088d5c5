// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* ops.c - operations as text */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "world.h"

/* Arguments: a, b: paths; o: offset; n: number. */
static const struct {
	const char *name, *args;
} ops[NR_OPS] = {
	[OP_CREAT] = { "creat", "a" }, [OP_MKDIR] = { "mkdir", "a" },
	[OP_UNLINK] = { "unlink", "a" }, [OP_RMDIR] = { "rmdir", "a" },
	[OP_SETXATTR] = { "setxattr", "an" }, [OP_UNSETXATTR] = { "unsetxattr", "an" },
	[OP_ACL] = { "acl", "an" }, [OP_LABELLED] = { "creat-labelled", "a" },
	[OP_SYMLINK] = { "symlink", "an" }, [OP_CHMOD] = { "chmod", "an" }, [OP_CHFLAGS] = { "chflags", "an" },
	[OP_LABEL] = { "label", "" },
	[OP_LINK] = { "link", "ab" }, [OP_RENAME] = { "rename", "ab" },
	[OP_NOREPLACE] = { "rename-new", "ab" }, [OP_WHITEOUT] = { "rename-white", "ab" },
	[OP_EXCHANGE] = { "exchange", "ab" }, [OP_WRITE] = { "write", "aon" },
	[OP_TRUNCATE] = { "truncate", "ao" },
	[OP_FALLOC] = { "falloc", "aon" }, [OP_FALLOC_KEEP] = { "falloc-keep", "aon" },
	[OP_PUNCH] = { "punch", "aon" }, [OP_ZERO] = { "zero", "aon" },
	[OP_COLLAPSE] = { "collapse", "aon" }, [OP_INSERT] = { "insert", "aon" },
	[OP_MAP] = { "map", "aon" },
	[OP_JUNK] = { "junk", "a" }, [OP_FSYNC] = { "fsync", "a" },
	[OP_FDATASYNC] = { "fdatasync", "a" }, [OP_SYNC] = { "sync", "" },
	[OP_CHECKPOINT] = { "checkpoint", "" }, [OP_OPEN] = { "open", "ab" },
	[OP_TMPFILE] = { "tmpfile", "a" }, [OP_CLOSE] = { "close", "a" },
	[OP_FILL] = { "fill", "an" }, [OP_SPIN] = { "spin", "n" },
	[OP_BRIM] = { "brim", "n" }, [OP_GROW] = { "grow", "" }, [OP_UMOUNT] = { "umount", "" },
};

static bool parse_offset(const char *word, struct op *op)
{
	op->from_end = word[0] == 'e';
	op->off = strtoll(word + op->from_end, NULL, 0);
	return true;
}

static bool parse_arg(char kind, const char *word, struct op *op)
{
	switch (kind) {
	case 'a':
		snprintf(op->a, sizeof(op->a), "%s", strcmp(word, ".") ? word : "");
		return strlen(word) < sizeof(op->a);
	case 'b':
		snprintf(op->b, sizeof(op->b), "%s", word);
		return strlen(word) < sizeof(op->b);
	case 'o':
		return parse_offset(word, op);
	default:
		op->len = (uint32_t)strtoul(word, NULL, 0);
		return true;
	}
}

static bool parse_one(char *text, struct op *op)
{
	char *save, *word = strtok_r(text, " \n", &save);
	unsigned int k;
	const char *arg;

	memset(op, 0, sizeof(*op));
	for (k = 0; k < NR_OPS && (!word || strcmp(word, ops[k].name)); k++)
		;
	if (k == NR_OPS)
		return false;
	op->kind = (enum op_kind)k;
	for (arg = ops[k].args; *arg; arg++) {
		word = strtok_r(NULL, " \n", &save);
		if (!word || !parse_arg(*arg, word, op))
			return false;
	}
	return !strtok_r(NULL, " \n", &save);
}

int ops_parse(const char *text, struct op *op, unsigned int max)
{
	char *copy = strdup(text), *save, *one;
	unsigned int nr = 0;

	for (one = strtok_r(copy, ";", &save); one; one = strtok_r(NULL, ";", &save)) {
		if (one[strspn(one, " \n")] == 0)
			continue;
		if (nr == max || !parse_one(one, &op[nr])) {
			free(copy);
			return -1;
		}
		nr++;
	}
	free(copy);
	return (int)nr;
}

void op_print(const struct op *op, char *buf, size_t size)
{
	size_t n = (size_t)snprintf(buf, size, "%s", ops[op->kind].name);
	const char *arg;

	for (arg = ops[op->kind].args; *arg && n < size; arg++) {
		if (*arg == 'a')
			n += (size_t)snprintf(buf + n, size - n, " %s", op->a[0] ? op->a : ".");
		else if (*arg == 'b')
			n += (size_t)snprintf(buf + n, size - n, " %s", op->b);
		else if (*arg == 'n')
			n += (size_t)snprintf(buf + n, size - n, op->kind == OP_CHMOD || op->kind == OP_ACL ? " %#o" : " %u", op->len);
		else if (op->from_end && !op->off)
			n += (size_t)snprintf(buf + n, size - n, " e");
		else
			n += (size_t)snprintf(buf + n, size - n, op->from_end ? " e%+lld" : " %lld",
					      (long long)op->off);
	}
}
