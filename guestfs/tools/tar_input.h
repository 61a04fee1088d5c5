/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * tar_input.h - the entries of a tar archive, by libarchive
 *
 * All dialects that libarchive reads: v7, ustar, GNU's, PAX.  Not compressed ones.
 * What libarchive lets pass, and a file system must not be made of, is refused here:
 * a damaged header, and an archive that ends without its mark.
 */
#ifndef VMEM_TAR_INPUT_H
#define VMEM_TAR_INPUT_H

#if !__has_include(<archive.h>)
#error mkfs.vmemfs --tar needs libarchive: apt-get install libarchive-dev
#endif
#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tar_input {
	const char *name;		/* of the archive, for people */
	int fd;
	struct archive *archive;
	char shown[128];		/* the entry's name, for people */
	uint8_t *chunk;			/* what was read last */
	uint64_t chunk_off, chunk_len;
	uint64_t total;			/* bytes, 0: unknown */
	uint64_t header_at;		/* where the next header is */
	uint64_t globals;		/* global headers that say more than a comment */
	bool in_entry, unreadable;
};

/* path: "-" is standard input.  0, or -1 after a line that says what is wrong. */
int tar_open(struct tar_input *t, const char *path);
void tar_close(struct tar_input *t);

/* 1 and the next entry, 0: there is none; or -1, told. */
int tar_next(struct tar_input *t, struct archive_entry **entry);

/* 1 and bytes at an offset of the entry's file, 0: there are no more; or -1, told. */
int tar_data(struct tar_input *t, const void **buf, size_t *len, uint64_t *off);

/* The whole archive was read.  Reads what follows it, so that who writes it does not fail. */
void tar_drain(struct tar_input *t);

/* One line: the archive, the entry, and what is wrong.  -1. */
int tar_error(const struct tar_input *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif /* VMEM_TAR_INPUT_H */
