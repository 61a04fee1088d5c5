// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * journal.c - which units of a long run are done, a line each:
 *
 *	two host standard 17 workloads states judged results failures deep1 deep2 deep3 seconds
 */
#include <stdlib.h>
#include <string.h>
#include "run.h"

static void add_line(struct run *r, const char *figures)
{
	struct counts *c = &r->memory.count;
	unsigned long long n[8] = { 0 };

	sscanf(figures, "%llu %llu %llu %llu %llu %llu %llu %llu", &n[0], &n[1], &n[2], &n[3], &n[4],
	       &n[5], &n[6], &n[7]);
	r->workloads += n[0];
	c->states += n[1];
	c->judged += n[2];
	c->used += n[3];
	r->failures += n[4];
	c->deep[1] += n[5];
	c->deep[2] += n[6];
	c->deep[3] += n[7];
}

bool unit_done(struct run *r, const struct unit *u)
{
	FILE *f = r->journal ? fopen(r->journal, "r") : NULL;
	char line[300], key[100];
	bool done = false;
	int len = snprintf(key, sizeof(key), "%s %s %s %u ", u->set, mode_name[u->mode], u->setup, u->first);

	while (f && !done && fgets(line, sizeof(line), f))
		/* A line without an end was being written when the run was killed. */
		if (!strncmp(line, key, (size_t)len) && strchr(line, '\n')) {
			add_line(r, line + len);
			done = true;
		}
	if (f)
		fclose(f);
	return done;
}

void unit_note(struct run *r, const struct unit *u, const struct counts *before,
	       uint64_t workloads, uint64_t failures, double cpu)
{
	const struct counts *c = &r->memory.count;
	FILE *f = r->journal ? fopen(r->journal, "a") : NULL;

	if (!f)
		return;
	fprintf(f, "%s %s %s %u %llu %llu %llu %llu %llu %llu %llu %llu %.3f\n", u->set,
		mode_name[u->mode], u->setup, u->first, (unsigned long long)(r->workloads - workloads),
		(unsigned long long)(c->states - before->states), (unsigned long long)(c->judged - before->judged),
		(unsigned long long)(c->used - before->used), (unsigned long long)(r->failures - failures),
		(unsigned long long)(c->deep[1] - before->deep[1]), (unsigned long long)(c->deep[2] - before->deep[2]),
		(unsigned long long)(c->deep[3] - before->deep[3]), cpu);
	if (fclose(f)) {
		perror(r->journal);
		exit(2);
	}
}
