/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * vmemos_sqlite.h - SQLite on the library, without an operating system below
 *
 * Compile sqlite3.c with the options of libos-shim/sqlite/Makefile, link vfs.c,
 * and it needs no libc: memory comes from a heap that the program gives.
 */
#ifndef VMEMOS_SQLITE_H
#define VMEMOS_SQLITE_H

#include "vmemos.h"

/*
 * Make fs the place of all databases: registers the VFS "vmemos" as the
 * default one.  Before any other call of SQLite; heap (aligned to 8 bytes)
 * becomes all memory that SQLite has.  The mount must outlive the databases.
 * 0, or an SQLITE_ error.
 *
 * What the VFS declares is what the store does:
 *   POWERSAFE_OVERWRITE	bytes around a write never change
 *   SAFE_APPEND	the size grows when the data is there, in every domain
 *   SEQUENTIAL		domains GUEST and PMEM only: writes survive in their order
 * and not BATCH_ATOMIC, ATOMIC: data is overwritten in place, not journaled.
 *
 * With a mmap_size pages are read where they lie in the store (xFetch).  Locks
 * and the WAL index are kept in memory: the store has one owner.
 */
int vmemos_sqlite(struct vmemos_platform *p, struct vmemos *fs, void *heap, int heap_size);

/* Calls of xFetch that gave an address in the store, and that could not. */
extern unsigned long vmemos_sqlite_fetched, vmemos_sqlite_copied;

#endif
