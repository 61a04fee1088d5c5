// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* crc.c - CRC32C by the instruction that computes just this polynomial (SSE 4.2) */
#include "internal.h"

#if defined(__x86_64__)
/* Written as assembly, so that it needs no compiler flag and no vector register. */
static uint32_t crc32c_insn(uint32_t crc, const void *buf, size_t len)
{
	const uint8_t *p = buf;
	uint64_t c = crc;

	for (; len >= 8; len -= 8, p += 8) {
		uint64_t word;

		memcpy(&word, p, sizeof(word));
		__asm__("crc32q %1, %0" : "+r"(c) : "r"(word));
	}
	for (; len; len--, p++)
		__asm__("crc32b %1, %k0" : "+r"(c) : "r"(*p));
	return (uint32_t)c;
}

/* CPUID leaf 1, ECX bit 20: SSE 4.2. */
static bool has_crc32(void)
{
	uint32_t a = 1, b, c = 0, d;

	__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return c >> 20 & 1;
}

uint32_t (*vmemos_best_crc32c(void))(uint32_t, const void *, size_t)
{
	return has_crc32() ? crc32c_insn : NULL;
}
#else
uint32_t (*vmemos_best_crc32c(void))(uint32_t, const void *, size_t)
{
	return NULL;
}
#endif
