/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* time.h - of Unikraft (include/uk/plat/time.h) */
#ifndef MOCK_TIME_H
#define MOCK_TIME_H

#include <stdint.h>

typedef uint64_t __nsec;
__nsec ukplat_wall_clock(void);

#endif
