// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * inside.c - linked into LMDB's own tests: what LMDB returns lies in the store
 *
 * In a read-only transaction, and with MDB_WRITEMAP in every one, the data
 * that mdb_get() and mdb_cursor_get() return is in LMDB's map.  The loader
 * says where in the store an address is (vmemos_where): anything else than an
 * offset ends the test.  Natively, where nobody answers, nothing is checked.
 * INSIDE_WRITEMAP=1 adds MDB_WRITEMAP to the tests' own flags.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lmdb.h"

#define SYS_VMEMOS_WHERE 0x7665

int __real_mdb_get(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data);
int __real_mdb_cursor_get(MDB_cursor *cursor, MDB_val *key, MDB_val *data, MDB_cursor_op op);
int __real_mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned int flags, MDB_txn **txn);
int __real_mdb_env_open(MDB_env *env, const char *path, unsigned int flags, mdb_mode_t mode);

static int writemap, read_only;
static unsigned long checked;

static void report(void)
{
	printf("inside: %lu pointers into the store\n", checked);
}

int __wrap_mdb_env_open(MDB_env *env, const char *path, unsigned int flags, mdb_mode_t mode)
{
	writemap = getenv("INSIDE_WRITEMAP") != NULL;
	atexit(report);
	return __real_mdb_env_open(env, path, flags | (writemap ? MDB_WRITEMAP : 0), mode);
}

/* The tests have one transaction at a time, or children of one. */
int __wrap_mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned int flags, MDB_txn **txn)
{
	read_only = (flags & MDB_RDONLY) != 0;
	return __real_mdb_txn_begin(env, parent, flags, txn);
}

static int check(int rc, const MDB_val *data)
{
	long offset;

	if (rc || !data || !data->mv_size || !(read_only || writemap))
		return rc;
	offset = syscall(SYS_VMEMOS_WHERE, data->mv_data);
	if (offset < 0 && errno == ENOSYS)
		return rc;
	if (offset < 0) {
		fprintf(stderr, "inside: %p is not in the store\n", data->mv_data);
		_exit(99);
	}
	checked++;
	return rc;
}

int __wrap_mdb_get(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data)
{
	return check(__real_mdb_get(txn, dbi, key, data), data);
}

int __wrap_mdb_cursor_get(MDB_cursor *cursor, MDB_val *key, MDB_val *data, MDB_cursor_op op)
{
	return check(__real_mdb_cursor_get(cursor, key, data, op), data);
}
