/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* alloc.h - of Unikraft (lib/ukalloc/include/uk/alloc.h) */
#ifndef MOCK_ALLOC_H
#define MOCK_ALLOC_H

#include <stddef.h>

struct uk_alloc;

struct uk_alloc *uk_alloc_get_default(void);
void *uk_malloc(struct uk_alloc *a, size_t size);
void *uk_memalign(struct uk_alloc *a, size_t align, size_t size);
void uk_free(struct uk_alloc *a, void *ptr);

#endif
