/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * hash.h - checksums and name hashes of the medium format
 *
 * Pure functions without state; used by the core, the checker and the tools,
 * so that each checksum is computed by one piece of code.
 */
#ifndef VMEM_HASH_H
#define VMEM_HASH_H

#include "medium/format.h"

typedef uint32_t (*vmem_crc_fn)(uint32_t crc, const void *buf, size_t len);

/* CRC32C (RFC 3720 B.4 polynomial), reflected, neither inverted before nor after. */
uint32_t vmem_crc32c(uint32_t crc, const void *buf, size_t len);
#if defined(__x86_64__)
/* The same by the CPU's own instruction; the caller knows that it has it (SSE 4.2). */
uint32_t vmem_crc32c_insn(uint32_t crc, const void *buf, size_t len);
#endif
#ifndef __KERNEL__
/* The best of them; a kernel knows its CPU without asking it. */
vmem_crc_fn vmem_best_crc32c(void);
#endif

/* SipHash-2-4 of the name (Aumasson and Bernstein, 2012), >> 2, at least 2. */
uint64_t vmem_name_hash(const uint8_t key[16], const void *name, size_t len);

/* Each returns what the structure's csum field must hold; all start from ~0. */
uint32_t vmem_superblock_csum(vmem_crc_fn crc, const struct vmem_superblock *sb);
uint32_t vmem_root_csum(vmem_crc_fn crc, const struct vmem_root *root);
/* Covers ino, then the inode with csum and the three times as zero. */
uint32_t vmem_inode_csum(vmem_crc_fn crc, const struct vmem_dinode *di, uint64_t ino);
/* Of a block of extended attributes; len, of its contents, is checked already. */
uint32_t vmem_xattr_csum(vmem_crc_fn crc, const struct vmem_xattr_node *node, uint32_t len);
/* Seeded; len is that of the record, already checked; PAD: the header alone. */
uint32_t vmem_rec_csum(vmem_crc_fn crc, uint32_t seed, const struct vmem_rec *rec, size_t len);

#endif /* VMEM_HASH_H */
