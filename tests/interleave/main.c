// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* main.c - the concurrency explorer: options, replay */
#define _GNU_SOURCE
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "medium/fault.h"
#include "sets.h"

static const char usage[] =
"usage: interleave [OPTION...] SET...\n"
"       interleave [OPTION...] --replay MODE STORE START A B [SCHEDULE [STATE]]\n"
"\n"
"Two programs over the core, each run by a thread of its own, under every schedule;\n"
"what comes of it must come from one of the orders of whole operations.  Sets:\n"
"  pairs        every two operations\n"
"  known        pairs of programs that once showed a bug, or show one that is easily made\n"
"Options:\n"
"  -m MODE      guest, kill (durability=host, the VM dies), host, pmem; default: guest, host, pmem\n"
"  -S STORE     plain, two-flushes, thin, no-discard (thin, the host cannot discard); default: plain\n"
"  -s START     standard, brim, quiet, full, pieces; default: all\n"
"  --preempt N  so many preemptions at most (2)\n"
"  --flags      where a flag is looked at without a lock is a step, too\n"
"  --sample N   one pair in N (1)\n"
"  --cut N      of the schedules with as many preemptions as there may be, one in N (1)\n"
"  --crash N    crash states within one schedule in N (0: none); 1: at every event\n"
"  --seed N     of everything random (1)\n"
"  --seconds T  stop after T seconds of CPU time\n"
"  --stop N     stop after N failures (10)\n"
"  --journal F  note in file F what is done, and do not do that again\n"
"  --progress   say every few seconds how far it is\n"
"  --fault N    (interleave-faults) seed the N-th bug of guestfs/core/medium/fault.h; is it caught?\n"
"  --faults     list those that need two threads\n"
"  -v           show the schedule (--replay)\n"
"Operations: tests/interleave/ops.h; schedules: tests/interleave/sched.h; starts: tests/interleave/gen.c\n";

static struct run run = {
	.modes = 1u << MODE_GUEST | 1u << MODE_HOST | 1u << MODE_PMEM, .stores = 1u << STORE_PLAIN, .preempt = 2,
	.sample = 1, .cut = 1, .stop = 10, .seed = 1,
};

static struct {
	bool replay, list_faults;
	unsigned int fault;
} choice;

static unsigned int find_name(const char *name, const char *const *names, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr && strcmp(name, names[i]); i++)
		;
	return i;
}

static int replay(char **arg, int nr)
{
	static struct program a, b;
	unsigned int mode = find_name(arg[0], mode_name, NR_MODES), store = find_name(arg[1], store_name, NR_STORES);
	const struct start *start = find_start(arg[2]);
	struct schedule s = { 0 };

	if (mode == NR_MODES || store == NR_STORES || !start || !program_parse(arg[3], &a) ||
	    !program_parse(arg[4], &b) || (nr > 5 && !schedule_parse(arg[5], &s))) {
		fprintf(stderr, "interleave: no such mode, store, start, operation or schedule (--help)\n");
		return 2;
	}
	if (!begin_start(&run, (enum mode)mode, (enum store_kind)store, start))
		return 1;
	run.lab.only = nr > 6 ? arg[6] : NULL;
	if (nr <= 5)
		try_pair(&run, &a, &b);
	else if (!lab_load(&run.lab, &a, &b))
		report_order(&run);
	else if (!try_schedule(&run, &s) || run.lab.verbose)
		sched_print();
	printf("%llu schedules, %llu failures\n", (unsigned long long)run.lab.count.schedules,
	       (unsigned long long)run.lab.count.failures);
	return run.lab.count.failures ? 1 : 0;
}

enum { O_PREEMPT = 256, O_FLAGS, O_SAMPLE, O_CUT, O_CRASH, O_SEED, O_SECONDS, O_STOP, O_JOURNAL, O_PROGRESS,
       O_REPLAY, O_FAULT, O_FAULTS };

static const struct option long_options[] = {
	{ "preempt", 1, NULL, O_PREEMPT }, { "flags", 0, NULL, O_FLAGS }, { "sample", 1, NULL, O_SAMPLE },
	{ "cut", 1, NULL, O_CUT }, { "crash", 1, NULL, O_CRASH }, { "seed", 1, NULL, O_SEED },
	{ "seconds", 1, NULL, O_SECONDS }, { "stop", 1, NULL, O_STOP }, { "journal", 1, NULL, O_JOURNAL },
	{ "progress", 0, NULL, O_PROGRESS }, { "replay", 0, NULL, O_REPLAY }, { "fault", 1, NULL, O_FAULT },
	{ "faults", 0, NULL, O_FAULTS }, { "help", 0, NULL, 'h' }, { 0 },
};

static bool one_option(int opt)
{
	unsigned int n = optarg ? (unsigned int)strtoul(optarg, NULL, 0) : 0;

	switch (opt) {
	case 'm': run.modes = 1u << find_name(optarg, mode_name, NR_MODES); return run.modes < 1u << NR_MODES;
	case 'S': run.stores = 1u << find_name(optarg, store_name, NR_STORES); return run.stores < 1u << NR_STORES;
	case 's': run.start = optarg; return find_start(optarg);
	case 'v': run.lab.verbose = true; return true;
	case O_PREEMPT: run.preempt = n; return n <= MAX_PREEMPTIONS;
	case O_FLAGS: run.flags = true; return true;
	case O_SAMPLE: run.sample = n; return n > 0;
	case O_CUT: run.cut = n; return n > 0;
	case O_CRASH: run.lab.crash_every = n; return true;
	case O_SEED: run.seed = n; return true;
	case O_SECONDS: run.seconds = atof(optarg); return true;
	case O_STOP: run.stop = n; return n > 0;
	case O_JOURNAL: run.journal = optarg; return true;
	case O_PROGRESS: run.progress = true; return true;
	case O_REPLAY: choice.replay = true; return true;
	case O_FAULT: choice.fault = n; return is_race(n);
	case O_FAULTS: choice.list_faults = true; return true;
	default: return false;
	}
}

int main(int argc, char **argv)
{
	int opt, status = 0, i;

	while ((opt = getopt_long(argc, argv, "+m:S:s:vh", long_options, NULL)) != -1)
		if (!one_option(opt)) {
			fputs(usage, opt == 'h' ? stdout : stderr);
			return opt == 'h' ? 0 : 2;
		}
	if (choice.list_faults) {
		list_races();
		return 0;
	}
	if ((optind == argc && !choice.fault) || (choice.replay && argc - optind < 5)) {
		fputs(usage, stderr);
		return 2;
	}
	sched.hooks = ~(1u << HOOK_STORE | (run.flags ? 0 : 1u << HOOK_FLAG));
	run.lab.opt = (struct options){ .every = run.lab.crash_every == 1 ? 1 : 3, .vectors = 1, .behind = 3, .again = 16, .seed = run.seed };
	lab_init(&run.lab);
	if (choice.fault && optind == argc)
		status = try_race(&run, choice.fault);
#ifdef VMEM_FAULTS
	vmem_fault = (enum vmem_fault)choice.fault;
#endif
	if (choice.replay)
		return replay(argv + optind, argc - optind);
	for (i = optind; i < argc && status < 2; i++)
		status = run_set(&run, argv[i]);
	if (status == 2)
		fprintf(stderr, "interleave: no such set\n");
	lab_free(&run.lab);
	return status;
}
