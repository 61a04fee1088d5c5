/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* random.h - of Unikraft (lib/ukrandom/include/uk/random.h) */
#ifndef MOCK_RANDOM_H
#define MOCK_RANDOM_H

#include <sys/types.h>

ssize_t uk_random_fill_buffer(void *buf, size_t buflen);

#endif
