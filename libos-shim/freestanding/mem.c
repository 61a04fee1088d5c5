// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * mem.c - memory and string functions where there is no libc
 *
 * Copies by "rep movsq/stosq": they need no vector registers, which a system
 * call must leave alone, and are fast on every CPU, an emulated one included.
 */
#include <stdint.h>
#include <string.h>

void *memcpy(void *restrict to, const void *restrict from, size_t len)
{
	void *d = to;
	size_t words = len / 8, rest = len % 8;

	__asm__ volatile("rep movsq" : "+D"(d), "+S"(from), "+c"(words) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(rest) : : "memory");
	return to;
}

void *memmove(void *to, const void *from, size_t len)
{
	const uint8_t *s = from;
	uint8_t *d = to;

	if ((uintptr_t)d - (uintptr_t)s >= len)
		return memcpy(to, from, len);
	for (; len >= 8; len -= 8) {
		uint64_t word;

		__builtin_memcpy(&word, s + len - 8, 8);
		__builtin_memcpy(d + len - 8, &word, 8);
	}
	while (len--)
		d[len] = s[len];
	return to;
}

void *memset(void *to, int value, size_t len)
{
	uint64_t pattern = (uint8_t)value * 0x0101010101010101ull;
	size_t words = len / 8, rest = len % 8;
	void *d = to;

	__asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(pattern) : "memory");
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(rest) : "a"(pattern) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t len)
{
	const uint8_t *p = a, *q = b;

	for (; len >= 8; len -= 8, p += 8, q += 8) {
		uint64_t x, y;

		__builtin_memcpy(&x, p, 8);
		__builtin_memcpy(&y, q, 8);
		if (x != y)
			break;
	}
	for (; len; len--, p++, q++)
		if (*p != *q)
			return *p - *q;
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t len)
{
	for (; len && *a && *a == *b; len--) {
		a++;
		b++;
	}
	return len ? (unsigned char)*a - (unsigned char)*b : 0;
}

char *strrchr(const char *s, int c)
{
	const char *found = NULL;

	for (;; s++) {
		if (*s == (char)c)
			found = s;
		if (!*s)
			return (char *)(uintptr_t)found;
	}
}

size_t strcspn(const char *s, const char *reject)
{
	size_t n = 0;

	for (; s[n]; n++) {
		const char *r = reject;

		while (*r && *r != s[n])
			r++;
		if (*r)
			break;
	}
	return n;
}
