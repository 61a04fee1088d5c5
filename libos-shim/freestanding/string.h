/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* string.h - where there is no libc: what the core and SQLite call (mem.c) */
#ifndef VMEMOS_STRING_H
#define VMEMOS_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t len);
void *memmove(void *to, const void *from, size_t len);
void *memset(void *to, int value, size_t len);
int memcmp(const void *a, const void *b, size_t len);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t len);
char *strrchr(const char *s, int c);
size_t strcspn(const char *s, const char *reject);

#endif
