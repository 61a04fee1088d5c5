// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* gen.c - where pairs begin, and which there are */
#include <string.h>
#include "gen.h"

#define STANDARD "mkdir A; mkdir B; mkdir A/C; creat foo; write foo 0 5000; creat A/bar; write A/bar 0 100; " \
		 "creat holes; write holes 0 4096; truncate holes 65536; creat gone; write gone 0 5000; "
/* A handle of a file without a name; bytes that ride in the log; a page that is mapped; blocks that wait to be free. */
#define BUSY	 "open #1 gone; unlink gone; fsync A/bar; write A/bar e 50; fsync A/bar; map foo 0 10; "

const struct start starts[] = {
	{ "standard", STANDARD "creat old; write old 0 20000", BUSY "unlink old; sync", false, false },
	/* Soon an operation must wait for a checkpoint. */
	{ "brim", STANDARD, BUSY "sync; brim 700", false, false },
	/* Nothing rides in the log. */
	{ "quiet", STANDARD "creat old; write old 0 20000", BUSY "unlink old; sync; checkpoint", false, false },
	/* Nothing is free but what waits for a checkpoint. */
	{ "full", STANDARD "creat old; write old 0 60000; creat big; fill big 4", BUSY "open #2 big; unlink big; unlink old; sync", true, false },
	/* Blocks in advance: of holes, behind the end, between data. */
	{ "ahead", STANDARD "falloc holes 0 60000; write holes 20480 100; falloc-keep foo e 20000", BUSY "sync", false, false },
	/* Freeing it takes several records. */
	{ "pieces", STANDARD "creat many; holes many 150", BUSY "sync", false, true },
};

const unsigned int nr_starts = sizeof(starts) / sizeof(starts[0]);

const struct start *find_start(const char *name)
{
	unsigned int i;

	for (i = 0; i < nr_starts; i++)
		if (!strcmp(name, starts[i].name))
			return &starts[i];
	return NULL;
}

const char *const vocabulary_text[] = {
	"creat x", "creat A/y", "mkdir A/D", "symlink s 300", "unlink foo", "unlink A/bar", "rmdir A/C", "tmpfile #3",
	"link foo B/foo", "link #1 B/gone", "rename foo bar", "rename A/bar foo", "rename A/C B/C", "rename B A/C/B",
	"exchange foo A/bar", "exchange A/C B", "rename-new foo A/bar", "rename-white foo A/bar", "rename-white A/C B/C",
	"chmod foo 0600", "touch foo", "stat foo", "list .", "list A",
	"read foo 0 9000", "write foo 100 50", "write foo e 300", "write foo e+9000 5000", "write A/bar e 60", "write A/bar 20 60",
	"write holes 4096 40000", "write #1 e 5000",
	"truncate foo 50", "truncate foo 4096", "truncate foo 30000", "truncate A/bar 10", "truncate holes 100", "truncate #1 0",
	"falloc holes 4096 40000", "falloc-keep foo e 9000", "punch foo 50 5000", "punch holes 0 16384", "zero foo 10 4500",
	"zero holes 8192 20000", "collapse foo 0 4096", "insert foo 4096 8192", "chflags foo 0x30", "label 1",
	"map foo 10 80", "map foo 4090 12", "map holes 8192 4", "map holes 12288 9000", "map A/bar 20 60", "load holes 8192 100",
	"span holes 0 20000", "layout holes 32768 8192", "seek holes 0",
	"fsync foo", "fdatasync foo", "fsync A/bar", "fsync holes", "fsync .", "sync", "checkpoint", "trim",
	"discard-off", "close #1", "shrink", "handle 9", "freeze", "grow", "statfs",
};

const unsigned int nr_vocabulary = sizeof(vocabulary_text) / sizeof(vocabulary_text[0]);

const struct known_pair known_pairs[] = {
	/* A fault fills holes that a write has blocks for. */
	{ "standard", "write holes 4096 60000", "map holes 8192 4; map holes 16384 4; map holes 24576 4; map holes 32768 4; "
	  "map holes 40960 4; map holes 49152 4", STORE_PLAIN, false },
	/* Discarding ends while it runs. */
	{ "standard", "checkpoint", "discard-off; write foo e 20000; fsync foo", STORE_THIN, false },
	{ "standard", "checkpoint", "write foo e 20000; fsync foo", STORE_NO_DISCARD, false },
	{ "full", "checkpoint", "discard-off; write foo e 20000; fsync foo", STORE_THIN, false },
	{ "full", "checkpoint", "write foo e 20000; fsync foo", STORE_NO_DISCARD, false },
	/* A chunk is noted as provisioned when a part of it is discarded already. */
	{ "quiet", "write #1 e 5000", "trim", STORE_THIN, false },
	{ "quiet", "span holes 0 20000", "trim", STORE_THIN, false },
	/* Two want the same blocks in advance; a fault fills what is being given blocks. */
	{ "ahead", "map holes 8192 4", "map holes 8300 4", STORE_PLAIN, false },
	{ "ahead", "write holes 8192 100", "map holes 8300 4", STORE_PLAIN, false },
	{ "ahead", "map holes 8192 4", "write holes 4096 20000", STORE_PLAIN, false },
	{ "standard", "falloc holes 0 20000", "map holes 8192 4", STORE_PLAIN, false },
	{ "standard", "falloc holes 0 20000", "map holes 4096 9000", STORE_PLAIN, false },
	/* A hole beside who stores, loads, reads, and looks for the end of it. */
	{ "quiet", "map foo 10 80; punch foo 0 4096", "map foo 50 8; load foo 0 100", STORE_PLAIN, false },
	{ "quiet", "punch foo 0 4096; write foo 0 50", "fsync foo; map foo 60 20", STORE_PLAIN, false },
	{ "quiet", "zero foo 0 8192; map foo 10 80", "sync; checkpoint", STORE_PLAIN, false },
	{ "quiet", "write A/bar e 60; collapse A/bar 0 4096", "map A/bar 20 8; fsync A/bar", STORE_PLAIN, false },
	{ "pieces", "punch many 4096 900000", "seek many 1224704; load many 4096 50", STORE_PLAIN, false },
	{ "pieces", "collapse many 4096 8192", "seek many 1224704; load many 1224704 50", STORE_PLAIN, false },
	{ "quiet", "punch foo 0 4096; write foo e 9000", "trim", STORE_THIN, false },
	/* A later call moves what is mapped. */
	{ "pieces", "truncate-poor many 100", "map many 10 80; write many 10 20", STORE_PLAIN, false },
	{ "pieces", "truncate-poor many 100; map many 10 80", "write many 0 10; write foo e 9000; map many 0 9", STORE_PLAIN, false },
	/* The last block is looked for while all entries of its leaf move. */
	{ "pieces", "seek many 1224704", "map many 0 8", STORE_PLAIN, false },
	{ "pieces", "load many 1224704 50", "write many 0 9000", STORE_PLAIN, false },
	{ "pieces", "map many 0 8; seek many 1224704", "checkpoint", STORE_PLAIN, false },
	/* A record changes what a checkpoint is taking home. */
	{ "standard", "creat A/y; checkpoint", "creat x; fsync x", STORE_PLAIN, false },
	/* What was stored through a mapping cannot be found. */
	{ "pieces", "map many 4096 80; spoil many", "fsync many", STORE_PLAIN, false },
	/* A time is touched while a record is made. */
	{ "standard", "map holes 8192 4", "write holes 0 50", STORE_PLAIN, false },
	{ "standard", "map holes 8192 4", "map holes 0 50", STORE_PLAIN, false },
	/* What rides in a record is stored to in place. */
	{ "quiet", "write A/bar e 60", "map A/bar 160 8; fsync A/bar", STORE_PLAIN, true },
	{ "quiet", "write A/bar e 60", "map A/bar 160 8", STORE_PLAIN, true },
	/* An fsync beside what dirties. */
	{ "standard", "write foo 100 50; fsync foo", "map foo 10 80; fsync foo", STORE_PLAIN, false },
	{ "standard", "write foo 100 50; fsync foo", "write foo 4000 50; fsync foo", STORE_PLAIN, false },
	{ "standard", "write foo e 5000; fsync foo", "write A/bar e 5000; fsync A/bar", STORE_PLAIN, false },
	{ "standard", "write foo 100 50; shrink", "write A/bar 10 50; sync", STORE_PLAIN, false },
	{ "standard", "creat x; fsync x", "creat A/y; fsync A/y", STORE_PLAIN, false },
	{ "brim", "creat x; fsync x", "creat A/y; fsync A/y", STORE_PLAIN, false },
	{ "standard", "unlink foo; creat x", "handle 9; handle 10", STORE_PLAIN, false },
	{ "full", "write foo e 40000; fsync foo", "write A/bar e 40000; fsync A/bar", STORE_PLAIN, false },
	{ "full", "write foo e 40000; fsync foo", "checkpoint; trim", STORE_THIN, false },
};

const unsigned int nr_known_pairs = sizeof(known_pairs) / sizeof(known_pairs[0]);
