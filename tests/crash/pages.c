// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* pages.c - hashes of images */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include "medium/hash.h"
#include "pages.h"

#define RING_STEP (16u << 10)

void layout_read(struct layout *l, const uint8_t *image)
{
	const struct vmem_superblock *sb = (const void *)image;

	/* Of the first group; pages of others count as they are. */
	l->log = (uint32_t)vmem_get64(sb->log_start);
	l->log_end = l->log + (uint32_t)vmem_get64(sb->log_blocks);
	l->bitmap = (uint32_t)vmem_get64(sb->agmeta0);
	l->itable = l->bitmap + 2;
	l->itable_end = l->itable + vmem_get32(sb->itable_blocks);
}

#if defined(__x86_64__)
/* A round of AES for every 16 bytes, in four lanes. */
__attribute__((target("aes,sse4.1"))) static uint64_t aes_hash(uint64_t seed, const uint8_t *p, size_t len)
{
	const __m128i key = _mm_set_epi64x(0x243f6a8885a308d3, 0x13198a2e03707344);
	__m128i h[4] = { _mm_set_epi64x(0, (int64_t)seed), _mm_set1_epi64x(1), _mm_set1_epi64x(2),
			 _mm_set1_epi64x(3) };
	unsigned int k;
	size_t i;

	for (i = 0; i + 64 <= len; i += 64)
		for (k = 0; k < 4; k++)
			h[k] = _mm_aesenc_si128(_mm_xor_si128(h[k], _mm_loadu_si128((const void *)(p + i + 16 * k))), key);
	for (; i < len; i += 16)
		h[0] = _mm_aesenc_si128(_mm_xor_si128(h[0], _mm_loadu_si128((const void *)(p + i))), key);
	/* Three more rounds, and what one bit has changed in a lane is nowhere else. */
	for (i = 0; i < 3; i++)
		for (k = 0; k < 4; k++)
			h[k] = _mm_aesenc_si128(h[k], key);
	for (k = 1; k < 4; k++)
		h[0] = _mm_aesenc_si128(_mm_aesenc_si128(_mm_xor_si128(h[0], h[k]), key), key);
	return (uint64_t)_mm_cvtsi128_si64(h[0]) ^ (uint64_t)_mm_extract_epi64(h[0], 1);
}
#endif

/* Whole multiples of 32 bytes, in four lanes. */
static uint64_t lanes_hash(uint64_t seed, const uint8_t *p, size_t len)
{
	uint64_t h[4] = { seed, 1, 2, 3 }, v[4];
	size_t i;
	unsigned int k;

#if defined(__x86_64__)
	if (__builtin_cpu_supports("aes"))
		return aes_hash(seed, p, len);
#endif
	for (i = 0; i < len; i += 32) {
		memcpy(v, p + i, 32);
		for (k = 0; k < 4; k++)
			h[k] = (h[k] ^ v[k]) * 0x9e3779b97f4a7c15ull + (h[k] >> 29);
	}
	return mix(h[0] ^ mix(h[1] ^ mix(h[2] ^ mix(h[3]))));
}

uint64_t bytes_hash(const void *p, size_t len)
{
	size_t whole = len & ~(size_t)31;
	uint8_t rest[32] = { 0 };

	memcpy(rest, (const uint8_t *)p + whole, len - whole);
	return mix(lanes_hash(len, p, whole) + lanes_hash(len + 1, rest, 32));
}

uint64_t page_hash(uint32_t page, const uint8_t *p)
{
	return lanes_hash(page, p, PAGE);
}

uint64_t inodes_hash(const struct layout *l, vmem_crc_fn crc, uint32_t page, const uint8_t *p)
{
	uint8_t copy[PAGE];
	unsigned int i;

	memcpy(copy, p, PAGE);
	for (i = 0; i < VMEM_INODES_PER_BLOCK; i++) {
		struct vmem_dinode *n = (void *)(copy + i * VMEM_INODE_SIZE);
		uint64_t ino = (page - l->itable) * VMEM_INODES_PER_BLOCK + i;
		bool right = vmem_get32(n->csum) == vmem_inode_csum(crc, n, ino);

		n->csum = vmem_le32_of(right);
		memset(&n->atime, 0, offsetof(struct vmem_dinode, generation) -
		       offsetof(struct vmem_dinode, atime));
	}
	return page_hash(page, copy);
}

void hash_page(struct page_hashes *h, const struct layout *l, vmem_crc_fn crc, uint32_t page,
	       const uint8_t *p)
{
	h->raw[page] = page_hash(page, p);
	if (in_itable(l, page))
		h->inodes[page] = inodes_hash(l, crc, page, p);
}

static const struct vmem_root *newest_root(const uint8_t *image)
{
	const struct vmem_root *a = (const void *)(image + PAGE), *b = (const void *)(image + 2 * PAGE);

	return vmem_get64(a->seq) > vmem_get64(b->seq) ? a : b;
}

uint64_t ring_place(const struct layout *l, const uint8_t *image)
{
	return vmem_get64(newest_root(image)->tail) % ((uint64_t)(l->log_end - l->log) * PAGE) / RING_STEP;
}

uint64_t recovered_hash(const struct page_hashes *h, const struct layout *l, const uint8_t *image,
			uint64_t *not_zero)
{
	static const uint8_t zeros[PAGE];
	static uint64_t zero[PAGES];
	static bool known;
	const uint8_t *used = image + (size_t)l->bitmap * PAGE;
	uint64_t sum = mix(vmem_get32(newest_root(image)->state) & ~VMEM_STATE_MOUNTED);
	uint32_t p;

	for (p = 0; !known && p < PAGES; p++)
		zero[p] = page_hash(p, zeros);
	known = true;
	for (p = 0; p < PAGES; p++) {
		if (p == VMEM_ROOT_BLOCK(0) || p == VMEM_ROOT_BLOCK(1) || (p >= l->log && p < l->log_end))
			continue;
		if (in_itable(l, p))
			sum += h->inodes[p];
		else if (used[p / 8] >> (p % 8) & 1)
			sum += h->raw[p];
		else if (not_zero)
			*not_zero += h->raw[p] == zero[p] ? 0 : mix(p + 1);
	}
	return mix(sum);
}
