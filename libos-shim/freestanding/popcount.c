// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* popcount.c - a function of libgcc that the core needs, where libgcc is not linked */
#include <stdint.h>

/* What GCC calls for __builtin_popcountll() where the instruction may be missing. */
int __popcountdi2(int64_t word);

int __popcountdi2(int64_t word)
{
	uint64_t w = (uint64_t)word;

	w -= w >> 1 & 0x5555555555555555ull;
	w = (w & 0x3333333333333333ull) + (w >> 2 & 0x3333333333333333ull);
	w = (w + (w >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (int)(w * 0x0101010101010101ull >> 56);
}
