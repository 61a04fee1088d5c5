/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * big.h - large blocks of memory, kept for the next who asks
 *
 * AddressSanitizer maps each large block anew, and its shadow with it: the page faults
 * are most of the time of a short test.  These blocks stay mapped.  They are poisoned
 * before, behind, and while nobody has them, so that no error goes unseen.
 */
#ifndef BIG_H
#define BIG_H

#include <stddef.h>

/* size bytes, zero. */
void *big_zalloc(size_t size);
/* size bytes of anything. */
void *big_alloc(size_t size);
/* size: that of the allocation. */
void big_free(void *p, size_t size);

#endif
