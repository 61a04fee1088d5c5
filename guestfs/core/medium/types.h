/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * types.h - the little that the core needs from the compiler's surroundings
 *
 * The core is freestanding C11: fixed-width integers, size_t, bool, and the
 * four memory functions that a compiler may call by itself (memcpy, memmove,
 * memset, memcmp).  This header is the only one that knows where they come
 * from; errno values are those of Linux everywhere, because they reach
 * applications unchanged.
 */
#ifndef VMEM_TYPES_H
#define VMEM_TYPES_H

#ifdef __KERNEL__
#include <linux/bitops.h>
#include <linux/types.h>
#include <linux/string.h>
#include <linux/errno.h>
#include <linux/stddef.h>
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <errno.h>
#endif

#ifndef UINT32_MAX
#define UINT32_MAX (~(uint32_t)0)
#endif
#ifndef UINT64_MAX
#define UINT64_MAX (~(uint64_t)0)
#endif
#ifndef INT64_MAX
#define INT64_MAX ((int64_t)(UINT64_MAX >> 1))
#endif

/* "Structure needs cleaning": the medium contradicts the format. */
#ifndef EFSCORRUPTED
#define EFSCORRUPTED EUCLEAN
#endif

/* Set bits of a word.  GCC's builtin calls libgcc, which not every home links. */
static inline unsigned int vmem_popcount64(uint64_t w)
{
#ifdef __KERNEL__
	return (unsigned int)hweight64(w);
#else
	w -= w >> 1 & 0x5555555555555555ull;
	w = (w & 0x3333333333333333ull) + (w >> 2 & 0x3333333333333333ull);
	w = (w + (w >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (unsigned int)(w * 0x0101010101010101ull >> 56);
#endif
}

/* The kernel knows it by its other name only. */
#ifndef ENOTSUP
#define ENOTSUP EOPNOTSUPP
#endif

/*
 * For a large variable on a hot path that is written before it is read: the
 * kernel is compiled so that every other one is filled with zeros first.
 */
#if defined(__has_attribute)
#if __has_attribute(__uninitialized__)
#define VMEM_UNINITIALIZED __attribute__((__uninitialized__))
#endif
#endif
#ifndef VMEM_UNINITIALIZED
#define VMEM_UNINITIALIZED
#endif

/*
 * Little-endian integers of the medium.  They are structs, so that every
 * compiler, not only sparse, refuses to mix them with native integers.
 */
typedef struct { uint16_t raw; } vmem_le16;
typedef struct { uint32_t raw; } vmem_le32;
typedef struct { uint64_t raw; } vmem_le64;

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define VMEM_SWAP16(x) __builtin_bswap16(x)
#define VMEM_SWAP32(x) __builtin_bswap32(x)
#define VMEM_SWAP64(x) __builtin_bswap64(x)
#else
#define VMEM_SWAP16(x) (x)
#define VMEM_SWAP32(x) (x)
#define VMEM_SWAP64(x) (x)
#endif

static inline uint16_t vmem_get16(vmem_le16 v) { return VMEM_SWAP16(v.raw); }
static inline uint32_t vmem_get32(vmem_le32 v) { return VMEM_SWAP32(v.raw); }
static inline uint64_t vmem_get64(vmem_le64 v) { return VMEM_SWAP64(v.raw); }

static inline vmem_le16 vmem_le16_of(uint64_t v)
{
	vmem_le16 r = { VMEM_SWAP16((uint16_t)v) };

	return r;
}

static inline vmem_le32 vmem_le32_of(uint64_t v)
{
	vmem_le32 r = { VMEM_SWAP32((uint32_t)v) };

	return r;
}

static inline vmem_le64 vmem_le64_of(uint64_t v)
{
	vmem_le64 r = { VMEM_SWAP64(v) };

	return r;
}

#endif /* VMEM_TYPES_H */
