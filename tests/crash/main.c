// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* main.c - the crash explorer: options, replay */
#define _GNU_SOURCE
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "medium/fault.h"
#include "run.h"

static const char usage[] =
"usage: crash [OPTION...] SET...\n"
"       crash [OPTION...] --replay MODE SETUP WORKLOAD [STATE]\n"
"\n"
"Runs workloads over the core, builds the states that a crash may leave behind\n"
"each of its stores, recovers each and judges it.  Sets of workloads:\n"
"  one          every operation after every setup, with every kind of sync behind\n"
"  two          every two operations, with every kind of sync between and behind\n"
"  three        every three operations on names\n"
"  random       long random ones, from --seed on: --count, or for --seconds\n"
"  known        those that once showed a bug\n"
"  grow         those that grow\n"
"Options:\n"
"  -m MODE      guest, kill (durability=host, the VM dies), host, pmem; default: all\n"
"  -s SETUP     only this setup: standard, empty, full-leaf, extents, labelled, advance, wrap, full,\n"
"               handles, epoch, brim, within, within-full\n"
"  --sample N   of the workloads, one in N\n"
"  --seconds T  stop after T seconds per mode\n"
"  --count N    of the random ones, N\n"
"  --seed N     of everything random (1)\n"
"  --steps N    operations of a random workload (150)\n"
"  --every N    look at one crash point in N (1)\n"
"  --nest N     fail again in the recovery of one state in N (0: none)\n"
"  --again N    recover one state in N twice (4)\n"
"  --vectors N  random states at each crash point (2)\n"
"  --behind N   pages or lines behind or ahead, one at a time, at each point (8)\n"
"  --cuts N     stores of up to N words are cut behind each of them (16)\n"
"  --thorough   check and use what is recovered even if it was seen before\n"
"  --verify N   look for stores that the core did not tell in one workload of N (1)\n"
"  --journal F  note in file F what is done, and do not do that again\n"
"  --progress   say every few seconds how far it is\n"
"  --stop N     stop after N failures (10)\n"
"  --two-flushes  the store has no commit in two parts: the core flushes twice\n"
"  --thin       the store is thin: room is asked for, free blocks are given back\n"
"  --fault N    (crash-faults) seed the N-th bug of guestfs/core/medium/fault.h; is it caught?\n"
"  --faults     list them\n"
"  -v           show the trace and what was found (--replay)\n";

static const char *const help_of_names =
	"modes: guest kill host pmem; setups and operations: tests/crash/gen.c, tests/crash/world.h";

/* Is there a state of this name?  It is as deep as it has dots. */
static bool was_built(const struct run *r)
{
	unsigned int depth = 0;
	const char *p;

	for (p = r->only; p && *p; p++)
		depth += *p == '.';
	return r->failures || !r->only || (depth < MAX_DEPTH && r->memory.count.deep[depth]);
}

static int replay(struct run *r, char **arg, int nr)
{
	static struct op op[MAX_OPS];
	const struct setup *setup = find_setup(arg[1]);
	int n = ops_parse(arg[2], op, MAX_OPS);
	unsigned int mode;

	for (mode = 0; mode < NR_MODES && strcmp(arg[0], mode_name[mode]); mode++)
		;
	if (mode == NR_MODES || !setup || n < 0) {
		fprintf(stderr, "crash: no such %s (%s)\n",
			n < 0 ? "operation" : !setup ? "setup" : "mode", help_of_names);
		return 2;
	}
	r->mode = (enum mode)mode;
	r->world.mode = r->mode;
	r->only = nr > 3 ? arg[3] : NULL;
	if (r->only && (r->only[0] < '0' || r->only[0] > '9' || !strchr(r->only, ':'))) {
		fprintf(stderr, "crash: \"%s\" is no name of a state, which is like 153:2\n", r->only);
		return 2;
	}
	if (!begin_setup(r, setup))
		return 2;
	if (!try_ops(r, op, (unsigned int)n)) {
		fprintf(stderr, "crash: an operation makes no sense in this workload\n");
		return 2;
	}
	if (!was_built(r)) {
		fprintf(stderr, "crash: no state %s here: give the options that were printed with it\n", r->only);
		return 2;
	}
	printf("%llu states, %llu failures\n", (unsigned long long)r->memory.count.states, (unsigned long long)r->failures);
	return r->failures ? 1 : 0;
}

enum { O_SAMPLE = 256, O_SECONDS, O_SEED, O_STEPS, O_EVERY, O_NEST, O_AGAIN, O_VECTORS, O_BEHIND,
       O_CUTS, O_VERIFY, O_JOURNAL, O_PROGRESS, O_STOP, O_REPLAY, O_FAULT, O_FAULTS, O_TWO_FLUSHES, O_THIN,
       O_THOROUGH, O_COUNT };

static const struct option long_options[] = {
	{ "sample", 1, NULL, O_SAMPLE }, { "seconds", 1, NULL, O_SECONDS },
	{ "count", 1, NULL, O_COUNT },
	{ "seed", 1, NULL, O_SEED }, { "steps", 1, NULL, O_STEPS }, { "every", 1, NULL, O_EVERY },
	{ "nest", 1, NULL, O_NEST }, { "again", 1, NULL, O_AGAIN }, { "vectors", 1, NULL, O_VECTORS },
	{ "behind", 1, NULL, O_BEHIND }, { "cuts", 1, NULL, O_CUTS }, { "verify", 1, NULL, O_VERIFY },
	{ "journal", 1, NULL, O_JOURNAL }, { "progress", 0, NULL, O_PROGRESS },
	{ "stop", 1, NULL, O_STOP }, { "replay", 0, NULL, O_REPLAY },
	{ "two-flushes", 0, NULL, O_TWO_FLUSHES }, { "thin", 0, NULL, O_THIN }, { "thorough", 0, NULL, O_THOROUGH },
	{ "fault", 1, NULL, O_FAULT }, { "faults", 0, NULL, O_FAULTS }, { "help", 0, NULL, 'h' }, { 0 },
};

struct choice {
	const char *setup;
	unsigned int modes;	/* bits */
	bool replay, list_faults;
	unsigned int fault;
};

static bool one_option(struct run *r, struct choice *c, int opt)
{
	unsigned int n = optarg ? (unsigned int)strtoul(optarg, NULL, 0) : 0, i;

	switch (opt) {
	case 'm':
		for (i = 0; i < NR_MODES && strcmp(optarg, mode_name[i]); i++)
			;
		c->modes = 1u << i;
		return i < NR_MODES;
	case 's': c->setup = optarg; return true;
	case 'v': r->opt.verbose = true; return true;
	case O_SAMPLE: r->sample = n; return n > 0;
	case O_SECONDS: r->seconds = atof(optarg); return true;
	case O_COUNT: r->count = n; return n > 0;
	case O_SEED: r->opt.seed = strtoull(optarg, NULL, 0); return true;
	case O_STEPS: r->steps = n; return n > 0 && n < MAX_OPS;
	case O_EVERY: r->opt.every = n; return n > 0;
	case O_NEST: r->opt.nest = n; return true;
	case O_AGAIN: r->opt.again = n; return true;
	case O_VECTORS: r->opt.vectors = n; return true;
	case O_BEHIND: r->opt.behind = n; return true;
	case O_CUTS: r->opt.cuts = n; return true;
	case O_VERIFY: r->verify = n; return n > 0;
	case O_JOURNAL: r->journal = optarg; return true;
	case O_PROGRESS: r->progress = true; return true;
	case O_STOP: r->stop = n; return n > 0;
	case O_TWO_FLUSHES: r->opt.two_flushes = true; return true;
	case O_THIN: r->opt.thin = true; return true;
	case O_THOROUGH: r->opt.thorough = true; return true;
	case O_REPLAY: c->replay = true; return true;
	case O_FAULT: c->fault = n; return n > 0 && n < nr_faults();
	case O_FAULTS: c->list_faults = true; return true;
	default: return false;
	}
}

static struct run run = {
	.opt = { .every = 1, .again = 4, .vectors = 2, .behind = 8, .cuts = 16, .seed = 1 },
	.sample = 1, .steps = 150, .stop = 10, .verify = 1,
};

static int run_sets(char **set, int nr, const struct choice *c)
{
	int i;

	for (i = 0; i < nr; i++)
		for (run.mode = 0; run.mode < NR_MODES; run.mode++) {
			run.world.mode = run.mode;
			if (c->modes >> run.mode & 1 && !run_set(&run, set[i], c->setup)) {
				fprintf(stderr, "crash: no such set: %s\n", set[i]);
				return 2;
			}
		}
	return run.failures ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct choice c = { .modes = (1u << NR_MODES) - 1 };
	int opt, status;

	while ((opt = getopt_long(argc, argv, "+m:s:vh", long_options, NULL)) != -1)
		if (!one_option(&run, &c, opt)) {
			fputs(usage, opt == 'h' ? stdout : stderr);
			return opt == 'h' ? 0 : 2;
		}
	if (c.list_faults) {
		list_faults();
		return 0;
	}
	if ((optind == argc && !c.fault) || (c.replay && argc - optind < 3)) {
		fputs(usage, stderr);
		return 2;
	}
#ifdef VMEM_FAULTS
	vmem_fault = (enum vmem_fault)c.fault;
#endif
	run.opt.thin |= fault_is_thin(c.fault);
	run_init(&run);
	if (c.replay)
		status = replay(&run, argv + optind, argc - optind);
	else if (c.fault && optind == argc)
		status = try_fault(&run, c.fault);
	else
		status = run_sets(argv + optind, argc - optind, &c);
	run_free(&run);
	return status;
}
