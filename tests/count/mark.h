/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * mark.h - instructions that do nothing, and that the QEMU plugin watch.c sees
 *
 * A seven-byte NOP (0f 1f 80, Intel SDM volume 2B) whose displacement says
 * what it marks: byte 0 is the kind, byte 1 a number, bytes 2-3 a magic.
 */
#ifndef MARK_H
#define MARK_H

#define MARK_BEGIN	0u
#define MARK_END	1u
#define MARK_MAGIC	0x564d0000u
#define MARK_IDS	8u

/* kind and id are constants. */
#define MARK(kind, id) \
	__asm__ volatile(".byte 0x0f, 0x1f, 0x80; .long %c0" \
			 : : "i"(MARK_MAGIC | (id) << 8 | (kind)) : "memory")

#endif /* MARK_H */
