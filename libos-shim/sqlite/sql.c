// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * sql.c - SQLite as a program without an operating system
 *
 *	sql DATABASE STATEMENT...	run them, print what they give
 *	sql DATABASE fill FROM [SQL]	insert rows FROM, FROM+1, ...; tell each when it is committed
 *	sql DATABASE check LAST [SQL]	are the rows 1 to LAST there, and the database whole?
 *
 * SQL is run first, "PRAGMA journal_mode=wal" for example.
 */
#include <string.h>

#include "sqlite3.h"
#include "vmemos_sqlite.h"

static struct vmemos_platform *platform;
static sqlite3 *db;
static char heap[32 << 20] __attribute__((aligned(64)));

static int print_row(void *ctx, int nr, char **values, char **names)
{
	int i;

	(void)ctx;
	(void)names;
	for (i = 0; i < nr; i++)
		vmemos_printf(platform, "%s%s", i ? "|" : "", values[i] ? values[i] : "");
	vmemos_printf(platform, "\n");
	return 0;
}

static int run(const char *sql)
{
	char *message = NULL;
	int err = sqlite3_exec(db, sql, print_row, NULL, &message);

	if (err)
		vmemos_printf(platform, "error: %s\n", message ? message : "no memory");
	sqlite3_free(message);
	return err;
}

static long number(const char *s)
{
	long n = 0;

	while (*s >= '0' && *s <= '9')
		n = n * 10 + (*s++ - '0');
	return n;
}

static int fill(long from)
{
	int err = run("CREATE TABLE IF NOT EXISTS rows(id INTEGER PRIMARY KEY, text, filler)");

	for (; !err; from++) {
		char sql[128];

		sqlite3_snprintf(sizeof(sql), sql,
				 "INSERT OR REPLACE INTO rows VALUES(%ld, 'row %ld', randomblob(%ld))",
				 from, from, 20 + from % 300);
		err = run(sql);
		if (!err)
			vmemos_printf(platform, "ack %ld\n", from);
	}
	return err;
}

static int get_number(const char *sql, sqlite3_int64 *n)
{
	sqlite3_stmt *stmt;
	int err = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

	if (err)
		return err;
	err = sqlite3_step(stmt) == SQLITE_ROW ? SQLITE_OK : SQLITE_ERROR;
	*n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return err;
}

static int check(long last)
{
	sqlite3_int64 rows = 0, whole = 0;
	char sql[128];
	int err = SQLITE_OK;

	sqlite3_snprintf(sizeof(sql), sql,
			 "SELECT count(*) FROM rows WHERE id BETWEEN 1 AND %ld AND text='row '||id",
			 last);
	if (last)
		err = get_number(sql, &rows);
	if (!err)
		err = get_number("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check='ok'",
				 &whole);
	vmemos_printf(platform, "%ld of %ld lost, integrity %s\n", last - (long)rows, last,
		      !err && whole == 1 ? "ok" : "BROKEN");
	return err || rows != last || whole != 1;
}

static int work(int argc, char **argv)
{
	int i, err = 0;

	if (argc >= 3 && (!strcmp(argv[1], "fill") || !strcmp(argv[1], "check"))) {
		if (argc > 3)
			err = run(argv[3]);
		if (!err)
			err = strcmp(argv[1], "fill") ? check(number(argv[2])) : fill(number(argv[2]));
		return err;
	}
	for (i = 1; i < argc && !err; i++)
		err = run(argv[i]);
	return err;
}

int vmemos_main(struct vmemos_platform *p, int argc, char **argv)
{
	struct vmemos *fs;
	int err, end;

	platform = p;
	if (argc < 2) {
		vmemos_printf(p, "usage: sql DATABASE STATEMENT... | DATABASE fill FROM [SQL] | DATABASE check LAST [SQL]\n");
		return 2;
	}
	err = vmemos_mount(p, NULL, &fs);
	if (err) {
		vmemos_printf(p, "cannot mount: error %d\n", -err);
		return 1;
	}
	err = vmemos_sqlite(p, fs, heap, sizeof(heap));
	if (!err)
		err = sqlite3_open(argv[0], &db);
	if (err)
		vmemos_printf(p, "cannot open %s: %s\n", argv[0], sqlite3_errstr(err));
	else
		err = work(argc, argv);
	sqlite3_close(db);
	end = vmemos_umount(fs);
	if (end)
		vmemos_printf(p, "cannot unmount: error %d\n", -end);
	return err || end ? 1 : 0;
}
