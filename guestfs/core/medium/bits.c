// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* bits.c - runs of bits in a bitmap of the medium */
#include "medium/medium.h"

const uint8_t vmem_zero_block[VMEM_BLOCK_SIZE];

void vmem_bits_apply(uint8_t *map, uint32_t first, uint32_t nr, bool set)
{
	uint32_t i = first, end = first + nr;

	while (i < end) {
		uint32_t bit = i & 7, n = VMEM_MIN(8 - bit, end - i);
		uint8_t mask = (uint8_t)(((1u << n) - 1) << bit);

		if (n == 8) {
			n = (end - i) & ~7u;
			memset(map + (i >> 3), set ? 0xff : 0, n >> 3);
		} else if (set) {
			map[i >> 3] = (uint8_t)(map[i >> 3] | mask);
		} else {
			map[i >> 3] = (uint8_t)(map[i >> 3] & ~mask);
		}
		i += n;
	}
}
