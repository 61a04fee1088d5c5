// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* strcspn.c - for SQLite; musl's has a stack protector, for which there is no thread's block here */
#include <string.h>

size_t strcspn(const char *s, const char *reject)
{
	size_t n = 0;
	const char *r;

	for (; s[n]; n++)
		for (r = reject; *r; r++)
			if (*r == s[n])
				return n;
	return n;
}
