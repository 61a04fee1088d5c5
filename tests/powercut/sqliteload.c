// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * sqliteload - transactions of SQLite that say when they were committed
 *
 *	sqliteload run FILE SEED	commit until killed; after each transaction
 *					print "ack N" (N = 1, 2, ...)
 *	sqliteload verify FILE SEED N	the database is consistent and is what N
 *					transactions made, or some more
 *	sqliteload clean FILE		remove it
 *
 * Transaction N is a function of SEED and N alone.  Even seeds use a write-ahead
 * log, odd ones a rollback journal, both with synchronous=EXTRA: with FULL SQLite
 * does not sync the unlink of the journal, which commits, so that a power cut may
 * undo the last transaction.  Exit status: 0 right, 1 lost or damaged (said in one
 * line), 2 could not run.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "../kill/load.h"

#define ROWS		150u
#define MAX_VALUE	6000u

/* What a row is: value of transaction `by`, 0 = none. */
static uint64_t row_by[ROWS];
static unsigned int row_nth[ROWS];
static uint8_t value[MAX_VALUE + 8];

#define die(...)	die_as("sqliteload", __VA_ARGS__)

/* ---- The transactions ---- */

static uint64_t dice(uint64_t seed, uint64_t n, unsigned int nth)
{
	return mix(mix(seed * 1000003 + n) + nth);
}

static unsigned int changes(uint64_t seed, uint64_t n)
{
	return 1 + (unsigned int)(dice(seed, n, 100) % 6);
}

static unsigned int change_row(uint64_t seed, uint64_t n, unsigned int nth)
{
	return (unsigned int)(dice(seed, n, nth) % ROWS);
}

static int change_deletes(uint64_t seed, uint64_t n, unsigned int nth)
{
	return (dice(seed, n, nth) >> 20) % 5 == 0;
}

/* Fills `value`; its length. */
static int make_value(uint64_t seed, uint64_t n, unsigned int nth)
{
	uint64_t r = dice(seed, n, nth);
	uint32_t len = 1 + (uint32_t)(r >> 32) % (r % 4 ? 400 : MAX_VALUE), i;

	for (i = 0; i < len; i += 8) {
		uint64_t v = mix(r + i);

		memcpy(value + i, &v, 8);
	}
	return (int)len;
}

/* ---- The database ---- */

static sqlite3 *db;

static void must(int ok, const char *what)
{
	if (!ok)
		die(2, "%s: %s", what, sqlite3_errmsg(db));
}

static void execute(const char *sql)
{
	must(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, sql);
}

static sqlite3_stmt *prepare(const char *sql)
{
	sqlite3_stmt *s;

	must(sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK, sql);
	return s;
}

static void step(sqlite3_stmt *s)
{
	must(sqlite3_step(s) == SQLITE_DONE, sqlite3_sql(s));
	sqlite3_reset(s);
}

static void open_db(const char *path)
{
	must(sqlite3_open(path, &db) == SQLITE_OK, path);
	execute("PRAGMA synchronous=EXTRA; PRAGMA cache_size=50; PRAGMA wal_autocheckpoint=40;");
}

static _Noreturn void run(const char *path, uint64_t seed)
{
	sqlite3_stmt *put, *drop, *count;
	unsigned int i;
	uint64_t n;

	open_db(path);
	execute(seed % 2 ? "PRAGMA journal_mode=DELETE" : "PRAGMA journal_mode=WAL");
	execute("CREATE TABLE kv(k INTEGER PRIMARY KEY, v BLOB); CREATE INDEX lengths ON kv(length(v), k);"
		"CREATE TABLE done(n INTEGER); INSERT INTO done VALUES(0)");
	put = prepare("INSERT OR REPLACE INTO kv VALUES(?1, ?2)");
	drop = prepare("DELETE FROM kv WHERE k = ?1");
	count = prepare("UPDATE done SET n = ?1");
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("started");
	for (n = 1;; n++) {
		execute("BEGIN");
		for (i = 0; i < changes(seed, n); i++) {
			int deletes = change_deletes(seed, n, i), len;
			sqlite3_stmt *s = deletes ? drop : put;

			sqlite3_bind_int(s, 1, (int)change_row(seed, n, i));
			if (!deletes) {
				len = make_value(seed, n, i);
				sqlite3_bind_blob(s, 2, value, len, SQLITE_STATIC);
			}
			step(s);
		}
		sqlite3_bind_int64(count, 1, (sqlite3_int64)n);
		step(count);
		execute("COMMIT");
		printf("ack %llu\n", (unsigned long long)n);
	}
}

/* ---- Verifying ---- */

static void check_integrity(void)
{
	sqlite3_stmt *s = prepare("PRAGMA integrity_check");
	const char *text;

	if (sqlite3_step(s) != SQLITE_ROW)
		die(1, "integrity_check: %s", sqlite3_errmsg(db));
	text = (const char *)sqlite3_column_text(s, 0);
	if (strcmp(text, "ok"))
		die(1, "integrity_check: %s", text);
	sqlite3_finalize(s);
}

static uint64_t committed(void)
{
	sqlite3_stmt *s = prepare("SELECT n FROM done");
	uint64_t n;

	if (sqlite3_step(s) != SQLITE_ROW)
		die(1, "the table of transactions is empty");
	n = (uint64_t)sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

static void check_row(sqlite3_stmt *s, uint64_t seed, unsigned int k)
{
	int found, len;

	sqlite3_bind_int(s, 1, (int)k);
	found = sqlite3_step(s);
	if (found != SQLITE_ROW && found != SQLITE_DONE)
		die(1, "row %u: %s", k, sqlite3_errmsg(db));
	if ((found == SQLITE_ROW) != (row_by[k] != 0))
		die(1, "row %u is %s", k, row_by[k] ? "missing" : "there");
	if (row_by[k]) {
		len = make_value(seed, row_by[k], row_nth[k]);
		if (sqlite3_column_bytes(s, 0) != len || memcmp(sqlite3_column_blob(s, 0), value, (size_t)len))
			die(1, "row %u is not what transaction %llu made it", k,
			    (unsigned long long)row_by[k]);
	}
	sqlite3_reset(s);
}

static int verify(const char *path, uint64_t seed, uint64_t acked)
{
	uint64_t n, newest;
	sqlite3_stmt *s;
	unsigned int i;

	if (access(path, F_OK))
		die(1, "%s is missing", path);
	open_db(path);
	check_integrity();
	newest = committed();
	if (newest < acked || newest > acked + AHEAD)
		die(1, "%llu transactions are there, %llu were acknowledged",
		    (unsigned long long)newest, (unsigned long long)acked);
	for (n = 1; n <= newest; n++)
		for (i = 0; i < changes(seed, n); i++) {
			unsigned int k = change_row(seed, n, i);

			row_by[k] = change_deletes(seed, n, i) ? 0 : n;
			row_nth[k] = i;
		}
	s = prepare("SELECT v FROM kv WHERE k = ?1");
	for (i = 0; i < ROWS; i++)
		check_row(s, seed, i);
	sqlite3_finalize(s);
	sqlite3_close(db);
	printf("all %llu acknowledged transactions are there, and %llu more\n",
	       (unsigned long long)acked, (unsigned long long)(newest - acked));
	return 0;
}

static int clean(const char *path)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
	char name[300];
	unsigned int i;

	for (i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		unlink(name);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "clean"))
		return clean(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "run"))
		run(argv[2], strtoull(argv[3], NULL, 10));
	if (argc == 5 && !strcmp(argv[1], "verify"))
		return verify(argv[2], strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
	die(2, "usage: sqliteload run FILE SEED | verify FILE SEED ACKED | clean FILE");
}
