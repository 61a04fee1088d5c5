// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* hash.c - checksums and name hashes */
#include "medium/fault.h"
#include "medium/hash.h"
#if defined(__x86_64__) && !defined(__KERNEL__)
#include <cpuid.h>
#endif

/* Table of the reflected Castagnoli polynomial 0x82f63b78, one nibble a step:
 * 64 bytes of cache; for CPUs without an instruction for it. */
static const uint32_t crc_nibble[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
	0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
	0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t vmem_crc32c(uint32_t crc, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	while (len--) {
		crc ^= *p++;
		crc = crc_nibble[crc & 15] ^ (crc >> 4);
		crc = crc_nibble[crc & 15] ^ (crc >> 4);
	}
	return crc;
}

#if defined(__x86_64__)
/*
 * The instruction computes just this polynomial.  Written as assembly, so that
 * it needs no compiler flag; and no vector register, which a kernel must save.
 */
uint32_t vmem_crc32c_insn(uint32_t crc, const void *buf, size_t len)
{
	const uint8_t *p = buf;
	uint64_t c = crc, word;

	for (; len >= 32; len -= 32, p += 32)
		__asm__("crc32q 0(%1), %0\n\t"
			"crc32q 8(%1), %0\n\t"
			"crc32q 16(%1), %0\n\t"
			"crc32q 24(%1), %0"
			: "+&r" (c) : "r" (p), "m" (*(const uint8_t (*)[32])p));
	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&word, p, sizeof(word));
		__asm__("crc32q %1, %0" : "+r" (c) : "r" (word));
	}
	crc = (uint32_t)c;
	for (; len; len--, p++)
		__asm__("crc32b %1, %0" : "+r" (crc) : "r" (*p));
	return crc;
}
#endif

#ifndef __KERNEL__
vmem_crc_fn vmem_best_crc32c(void)
{
#if defined(__x86_64__)
	unsigned int a, b, c, d;

	if (__get_cpuid(1, &a, &b, &c, &d) && c & bit_SSE4_2)
		return vmem_crc32c_insn;
#endif
	return vmem_crc32c;
}
#endif

static inline uint64_t rotl(uint64_t x, unsigned int b)
{
	return (x << b) | (x >> (64 - b));
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static inline uint64_t load_le64(const uint8_t *p)
{
	vmem_le64 v;

	memcpy(&v, p, sizeof(v));
	return vmem_get64(v);
}

static inline void sip_absorb(uint64_t v[4], uint64_t m)
{
	v[3] ^= m;
	sip_round(v);
	sip_round(v);
	v[0] ^= m;
}

uint64_t vmem_name_hash(const uint8_t key[16], const void *name, size_t len)
{
	const uint8_t *p = name;
	uint64_t k0 = load_le64(key), k1 = load_le64(key + 8);
	uint64_t v[4] = {
		k0 ^ 0x736f6d6570736575ull, k1 ^ 0x646f72616e646f6dull,
		k0 ^ 0x6c7967656e657261ull, k1 ^ 0x7465646279746573ull,
	};
	uint64_t last = (uint64_t)len << 56, h;
	unsigned int i;

	for (; len >= 8; len -= 8, p += 8)
		sip_absorb(v, load_le64(p));
	for (i = 0; i < len; i++)
		last |= (uint64_t)p[i] << (8 * i);
	sip_absorb(v, last);

	v[2] ^= 0xff;
	for (i = 0; i < 4; i++)
		sip_round(v);
	h = (v[0] ^ v[1] ^ v[2] ^ v[3]) >> 2;
	return h < 2 ? 2 : h;
}

/* The CRC of a structure with its own csum field taken as zero. */
static uint32_t csum_around(vmem_crc_fn crc, const void *p, size_t csum_off, size_t len)
{
	static const uint8_t zero[4];
	const uint8_t *b = p;
	uint32_t c = crc(~0u, b, csum_off);

	c = crc(c, zero, 4);
	return crc(c, b + csum_off + 4, len - csum_off - 4);
}

uint32_t vmem_superblock_csum(vmem_crc_fn crc, const struct vmem_superblock *sb)
{
	return csum_around(crc, sb, offsetof(struct vmem_superblock, csum), sizeof(*sb));
}

uint32_t vmem_root_csum(vmem_crc_fn crc, const struct vmem_root *root)
{
	return csum_around(crc, root, offsetof(struct vmem_root, csum), 256);
}

uint32_t vmem_inode_csum(vmem_crc_fn crc, const struct vmem_dinode *di, uint64_t ino)
{
	static const uint8_t zero[24];
	const uint8_t *b = (const uint8_t *)di;
	const size_t times = offsetof(struct vmem_dinode, atime);
	const size_t after = offsetof(struct vmem_dinode, btime);
	vmem_le64 head = vmem_le64_of(ino);
	uint32_t c = crc(~0u, &head, sizeof(head));

	c = crc(c, zero, 4);
	c = crc(c, b + 4, times - 4);
	c = crc(c, zero, after - times);
	return crc(c, b + after, sizeof(*di) - after);
}

uint32_t vmem_xattr_csum(vmem_crc_fn crc, const struct vmem_xattr_node *node, uint32_t len)
{
	struct vmem_xattr_node head = *node;

	head.csum = vmem_le32_of(0);
	return crc(crc(~0u, &head, sizeof(head)), node + 1, len);
}

uint32_t vmem_rec_csum(vmem_crc_fn crc, uint32_t seed, const struct vmem_rec *rec, size_t len)
{
	const uint8_t *b = (const uint8_t *)rec;
	const size_t body = offsetof(struct vmem_rec, len);

	if (VMEM_BROKEN(SHORT_CSUM) || VMEM_BROKEN(PUBLISH_EARLY))
		len = sizeof(*rec);
	return crc(crc(seed, b, 8), b + body, len - body);
}
