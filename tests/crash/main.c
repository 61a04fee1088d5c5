// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* main.c - the crash explorer: options, sets of workloads, replay */
#define _GNU_SOURCE
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "explore.h"
#include "fault.h"
#include "gen.h"

static const char usage[] =
"usage: crash [OPTION...] SET...\n"
"       crash [OPTION...] --replay MODE SETUP WORKLOAD [STATE]\n"
"\n"
"Runs workloads over the core, builds the states that a crash may leave behind\n"
"each of its stores, recovers each and judges it.  Sets of workloads:\n"
"  one          every operation, after every setup\n"
"  two          every two operations, with every kind of sync between and behind\n"
"  random       long random ones, from --seed on, for --seconds\n"
"  known        those that once showed a bug\n"
"Options:\n"
"  -m MODE      guest, kill (durability=host, the VM dies), host, pmem; default: all\n"
"  -s SETUP     only this setup: standard, empty, full-leaf, extents, wrap, full\n"
"  --part I/N   of the workloads, the I-th of N parts (I from 0)\n"
"  --sample N   of the workloads, one in N\n"
"  --seconds T  stop after T seconds per mode\n"
"  --seed N     of everything random (1)\n"
"  --steps N    operations of a random workload (150)\n"
"  --every N    look at one crash point in N (1)\n"
"  --nest N     fail again in the recovery of one state in N (0: none)\n"
"  --again N    recover one state in N twice (4)\n"
"  --vectors N  random states at each crash point (2)\n"
"  --behind N   pages or lines behind or ahead, one at a time, at each point (8)\n"
"  --stop N     stop after N failures (10)\n"
"  --two-flushes  the store has no commit in two parts: the core flushes twice\n"
"  --fault N    (crash-faults) seed the N-th bug of guestfs/core/fault.h; is it caught?\n"
"  --faults     list them\n"
"  -v           show the trace and what was found (--replay)\n";

struct run {
	struct options opt;
	enum mode mode;
	const struct setup *setup;
	struct machine live;
	struct world world, start;	/* start: as the setup left it */
	uint8_t *start_image, *mounted;
	struct trace trace;
	struct explorer x;
	uint64_t workloads, failures, stop;
	unsigned int part, parts, sample, steps;
	uint64_t counter;
	double seconds, deadline;
	const char *only;
};

static double clock_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- One workload ---- */

static void workload_text(const struct op *op, unsigned int nr, char *out, size_t size)
{
	size_t n = 0;
	unsigned int i;

	out[0] = 0;
	for (i = 0; i < nr && n < size; i++) {
		char one[100];

		op_print(&op[i], one, sizeof(one));
		n += (size_t)snprintf(out + n, size - n, "%s%s", i ? "; " : "", one);
	}
}

static void report(struct run *r, const struct op *op, unsigned int nr, const char *why)
{
	static char text[MAX_OPS * 100];
	const struct options *o = &r->opt;

	workload_text(op, nr, text, sizeof(text));
	r->failures++;
	printf("# FAILED in mode %s, setup %s, state %s: %s\n", mode_name[r->mode], r->setup->name,
	       r->x.failed[0] ? r->x.failed : "-", why);
	printf("#   build/tests/crash --seed %llu --every %u --vectors %u --behind %u%s -v --replay %s %s '%s' %s\n",
	       (unsigned long long)o->seed, o->every, o->vectors, o->behind,
	       o->two_flushes ? " --two-flushes" : "", mode_name[r->mode], r->setup->name, text,
	       r->x.failed);
	fflush(stdout);
}

/* Run the operations, recorded; the last one unmounts.  RUN_INVALID: one makes no sense. */
static enum run_result record(struct run *r, const struct op *op, unsigned int nr)
{
	static const struct op umount = { .kind = OP_UMOUNT };
	struct world *w = &r->world;
	enum run_result result = RUN_OK;
	unsigned int i;
	int err;

	machine_forget(&r->live);
	memcpy(r->live.image, r->start_image, IMAGE_SIZE);
	r->live.clock = 2000000000;
	r->live.rng = 1000;
	err = world_begin(w, &r->start);
	if (err) {
		snprintf(w->why, sizeof(w->why), "mount: error %d (%s)", -err, r->live.last_log);
		return RUN_FAILED;
	}
	memcpy(r->mounted, r->live.image, IMAGE_SIZE);
	machine_record(&r->live, &r->trace, false);
	for (i = 0; i < nr && result == RUN_OK; i++)
		result = world_run(w, &op[i]);
	if (result == RUN_OK)
		result = world_run(w, &umount);
	machine_stop_recording(&r->live);
	if (result == RUN_OK && machine_check(&r->live)) {
		snprintf(w->why, sizeof(w->why), "check without any failure: %s", r->live.finding);
		return RUN_FAILED;
	}
	return result;
}

static bool ours(struct run *r)
{
	uint64_t n = r->counter++;

	return mix(n + r->opt.seed * 77) % r->sample == 0 && n / r->sample % r->parts == r->part;
}

static bool try_ops(struct run *r, const struct op *op, unsigned int nr)
{
	enum run_result result = record(r, op, nr);

	r->x.failed[0] = 0;
	if (result == RUN_INVALID)
		return false;
	r->workloads++;
	if (result == RUN_FAILED) {
		report(r, op, nr, r->world.why);
		return true;
	}
	if (r->opt.verbose)
		explorer_print(&r->world, &r->trace, 0);
	r->x.only = r->only;
	r->x.generation = r->live.store.generation[1];
	r->x.id[0] = 0;
	if (!explore(&r->x, &r->world, &r->trace, 0, r->mounted, r->mode,
		     r->mode == MODE_HOST ? MODE_KILL : r->mode, NULL)) {
		if (r->opt.verbose)
			printf("state %s: at event %zu\n", r->x.failed, r->x.at);
		report(r, op, nr, r->x.why);
	}
	return true;
}

static bool finished(const struct run *r)
{
	return r->failures >= r->stop || (r->deadline > 0 && clock_seconds() > r->deadline);
}

/* ---- Setups ---- */

static bool begin_setup(struct run *r, const struct setup *setup)
{
	static struct op op[MAX_OPS];
	static const struct op umount = { .kind = OP_UMOUNT };
	struct vmem_mkfs_params p = { .label = "crash", .log_blocks = 64, .now = 1, .log_seed = 7 };
	int nr = ops_parse(setup->text, op, MAX_OPS), i;
	enum run_result result = RUN_OK;

	r->setup = setup;
	machine_forget(&r->live);
	machine_set_mode(&r->live, r->mode);
	memset(r->live.image, 0xa5, IMAGE_SIZE);
	r->live.rng = 1;
	world_free(&r->start);
	world_init(&r->start, &r->live, r->mode);
	if (vmem_mkfs(&r->live.store, &r->live.env, &p) || world_begin(&r->start, NULL)) {
		printf("# mkfs: %s\n", r->live.last_log);
		return false;
	}
	for (i = 0; i < nr && result == RUN_OK; i++)
		result = world_run(&r->start, &op[i]);
	if (result == RUN_OK)
		result = world_run(&r->start, &umount);
	if (nr < 0 || result != RUN_OK || machine_check(&r->live)) {
		printf("# setup %s failed: %s %s\n", setup->name, r->start.why, r->live.finding);
		r->failures++;
		return false;
	}
	memcpy(r->start_image, r->live.image, IMAGE_SIZE);
	return true;
}

/* ---- Sets ---- */

static void set_one(struct run *r)
{
	static struct op op[MAX_VOCABULARY];
	unsigned int nr = vocabulary(op), i;

	for (i = 0; i < nr && !finished(r); i++)
		if (ours(r))
			try_ops(r, &op[i], 1);
}

/* First, something or nothing, second, something or nothing. */
static void set_two(struct run *r)
{
	static struct op op[MAX_VOCABULARY];
	unsigned int nr = vocabulary(op), i, k, p, q;

	for (i = 0; i < nr; i++) {
		struct op seq[4], between[4], behind[4];
		unsigned int nr_between = persistence(&op[i], between, 4);

		seq[0] = op[i];
		for (k = 0; k < nr; k++) {
			unsigned int nr_behind = persistence(&op[k], behind, 4);

			for (p = 0; p <= nr_between; p++)
				for (q = 0; q <= nr_behind; q++) {
					unsigned int n = 1;

					if (finished(r))
						return;
					if (!ours(r))
						continue;
					if (p)
						seq[n++] = between[p - 1];
					seq[n++] = op[k];
					if (q)
						seq[n++] = behind[q - 1];
					try_ops(r, seq, n);
				}
		}
	}
}

/* The operations of a random workload are found by running them. */
static unsigned int make_random(struct run *r, uint64_t seed, struct op *op)
{
	uint64_t rng = mix(seed) << 20;
	unsigned int nr = 0, tries;

	machine_forget(&r->live);
	memcpy(r->live.image, r->start_image, IMAGE_SIZE);
	if (world_begin(&r->world, &r->start))
		return 0;
	for (tries = 0; tries < 20 * r->steps && nr < r->steps && nr < MAX_OPS; tries++) {
		enum run_result result;

		random_op(&r->world, &rng, &op[nr]);
		result = world_run(&r->world, &op[nr]);
		nr += result != RUN_INVALID;
		if (result == RUN_FAILED)
			break;
	}
	return nr;
}

static void set_random(struct run *r)
{
	static struct op op[MAX_OPS + 1];
	uint64_t i;

	for (i = r->part; !finished(r); i += r->parts) {
		static const unsigned int from[] = { 0, 0, 4, 5, 1, 2 };
		uint64_t seed = r->opt.seed + i;

		if (!begin_setup(r, &setups[from[seed % 6]]))
			return;
		try_ops(r, op, make_random(r, seed, op));
	}
}

static void set_known(struct run *r)
{
	static struct op op[MAX_OPS];
	unsigned int i, k;

	for (i = 0; i < nr_known && !finished(r); i++)
		for (k = 0; k < nr_setups; k++)
			if (!strcmp(known[i].name, setups[k].name) && begin_setup(r, &setups[k]))
				try_ops(r, op, (unsigned int)ops_parse(known[i].text, op, MAX_OPS));
}

static void run_set(struct run *r, const char *set, const char *setup)
{
	double start = clock_seconds();
	uint64_t failures = r->failures;
	unsigned int i;

	r->workloads = 0;
	r->x.states = 0;
	r->x.judged = 0;
	r->counter = 0;
	r->deadline = r->seconds > 0 ? start + r->seconds : 0;
	if (!strcmp(set, "random"))
		set_random(r);
	else if (!strcmp(set, "known"))
		set_known(r);
	for (i = 0; i < nr_setups && (!strcmp(set, "one") || !strcmp(set, "two")); i++) {
		if (finished(r) || (setup && strcmp(setup, setups[i].name)) || !begin_setup(r, &setups[i]))
			continue;
		if (!strcmp(set, "one"))
			set_one(r);
		else
			set_two(r);
	}
	printf("%s %s %s workloads %llu states %llu judged %llu failures %llu seconds %.1f\n",
	       r->failures == failures ? "pass" : "fail", set, mode_name[r->mode],
	       (unsigned long long)r->workloads, (unsigned long long)r->x.states,
	       (unsigned long long)r->x.judged, (unsigned long long)(r->failures - failures),
	       clock_seconds() - start);
	fflush(stdout);
}

/* ---- Seeded bugs ---- */

#ifdef VMEM_FAULTS
enum vmem_fault vmem_fault;
#endif

#define FAULT_TEXT(name, text) #name ": " text,
static const char *const fault_text[] = { "", VMEM_FAULT_LIST(FAULT_TEXT) };

/* Where a fault shows soonest. */
static const struct {
	enum vmem_fault fault;
	const char *set;
	enum mode mode;
} hints[] = {
	{ VMEM_FAULT_FENCE_RECORD, "one", MODE_PMEM }, { VMEM_FAULT_WRITEBACK, "one", MODE_PMEM },
	{ VMEM_FAULT_REPLAY_OLD, "random", MODE_GUEST }, { VMEM_FAULT_DATA_LATE, "one", MODE_HOST },
	{ VMEM_FAULT_MARK_EARLY, "one", MODE_HOST },
	{ VMEM_FAULT_HOME_EARLY, "two", MODE_HOST }, { VMEM_FAULT_TAIL_EARLY, "one", MODE_HOST },
	{ VMEM_FAULT_RECOVERY_EARLY, "one", MODE_KILL }, { VMEM_FAULT_REUSE_EARLY, "random", MODE_HOST },
	{ VMEM_FAULT_ROOT_IN_PLACE, "one", MODE_PMEM }, { VMEM_FAULT_UNLOG, "random", MODE_HOST },
	{ VMEM_FAULT_FSYNC_DATA, "two", MODE_HOST }, { VMEM_FAULT_HANDLE_LOCAL, "one", MODE_HOST },
};

static bool caught(struct run *r, const char *set, enum mode mode, double seconds)
{
	r->mode = mode;
	r->world.mode = mode;
	r->sample = strcmp(set, "two") ? 1 : 500;
	r->seconds = seconds;
	r->opt.nest = 40;
	r->opt.every = strcmp(set, "random") ? 1 : 3;
	run_set(r, set, NULL);
	return r->failures > 0;
}

/* The hint, then everything; 0: caught. */
static int try_fault(struct run *r, unsigned int fault)
{
	static const char *const sets[] = { "one", "random", "two" };
	const char *set = "one";
	enum mode mode = MODE_GUEST;
	unsigned int i;
	bool found;

	r->stop = 1;
	for (i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if ((unsigned int)hints[i].fault == fault) {
			set = hints[i].set;
			mode = hints[i].mode;
		}
	found = caught(r, set, mode, 15);
	for (i = 0; i < 3 * NR_MODES && !found; i++) {
		set = sets[i / NR_MODES];
		mode = i % NR_MODES;
		found = caught(r, set, mode, 5);
	}
	printf(found ? "pass fault %s: caught by set %s in mode %s\n" : "fail fault %s: not caught\n",
	       fault_text[fault], set, mode_name[mode]);
	return !found;
}

static int replay(struct run *r, char **arg, int nr)
{
	static struct op op[MAX_OPS];
	unsigned int i;
	int n;

	for (i = 0; i < NR_MODES && strcmp(arg[0], mode_name[i]); i++)
		;
	r->mode = (enum mode)i;
	for (i = 0; i < nr_setups && strcmp(arg[1], setups[i].name); i++)
		;
	n = ops_parse(arg[2], op, MAX_OPS);
	r->world.mode = r->mode;
	if (r->mode == NR_MODES || i == nr_setups || n < 0) {
		fprintf(stderr, "crash: no such %s\n", n < 0 ? "operation" : i == nr_setups ? "setup" : "mode");
		return 2;
	}
	r->only = nr > 3 ? arg[3] : NULL;
	if (!begin_setup(r, &setups[i]))
		return 2;
	if (!try_ops(r, op, (unsigned int)n)) {
		fprintf(stderr, "crash: an operation makes no sense in this workload\n");
		return 2;
	}
	printf("%llu states, %llu failures\n", (unsigned long long)r->x.states, (unsigned long long)r->failures);
	return r->failures ? 1 : 0;
}

enum { O_PART = 256, O_SAMPLE, O_SECONDS, O_SEED, O_STEPS, O_EVERY, O_NEST, O_AGAIN, O_VECTORS, O_BEHIND,
       O_STOP, O_REPLAY, O_FAULT, O_FAULTS, O_TWO_FLUSHES };

static const struct option long_options[] = {
	{ "part", 1, NULL, O_PART }, { "sample", 1, NULL, O_SAMPLE }, { "seconds", 1, NULL, O_SECONDS },
	{ "seed", 1, NULL, O_SEED }, { "steps", 1, NULL, O_STEPS }, { "every", 1, NULL, O_EVERY },
	{ "nest", 1, NULL, O_NEST }, { "again", 1, NULL, O_AGAIN }, { "vectors", 1, NULL, O_VECTORS },
	{ "behind", 1, NULL, O_BEHIND }, { "stop", 1, NULL, O_STOP }, { "replay", 0, NULL, O_REPLAY },
	{ "two-flushes", 0, NULL, O_TWO_FLUSHES }, { "fault", 1, NULL, O_FAULT }, { "faults", 0, NULL, O_FAULTS }, { "help", 0, NULL, 'h' }, { 0 },
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
	case O_PART: return sscanf(optarg, "%u/%u", &r->part, &r->parts) == 2 && r->part < r->parts;
	case O_SAMPLE: r->sample = n; return n > 0;
	case O_SECONDS: r->seconds = atof(optarg); return true;
	case O_SEED: r->opt.seed = strtoull(optarg, NULL, 0); return true;
	case O_STEPS: r->steps = n; return n > 0 && n < MAX_OPS;
	case O_EVERY: r->opt.every = n; return n > 0;
	case O_NEST: r->opt.nest = n; return true;
	case O_AGAIN: r->opt.again = n; return true;
	case O_VECTORS: r->opt.vectors = n; return true;
	case O_BEHIND: r->opt.behind = n; return true;
	case O_STOP: r->stop = n; return n > 0;
	case O_TWO_FLUSHES: r->opt.two_flushes = true; return true;
	case O_REPLAY: c->replay = true; return true;
	case O_FAULT: c->fault = n; return n > 0 && n < VMEM_NR_FAULTS;
	case O_FAULTS: c->list_faults = true; return true;
	default: return false;
	}
}

static struct run run = {
	.opt = { .every = 1, .again = 4, .vectors = 2, .behind = 8, .seed = 1 },
	.parts = 1, .sample = 1, .steps = 150, .stop = 10,
};

int main(int argc, char **argv)
{
	struct choice c = { .modes = (1u << NR_MODES) - 1 };
	int opt, i, status = 0;

	while ((opt = getopt_long(argc, argv, "+m:s:vh", long_options, NULL)) != -1)
		if (!one_option(&run, &c, opt)) {
			fputs(usage, opt == 'h' ? stdout : stderr);
			return opt == 'h' ? 0 : 2;
		}
	for (i = 1; c.list_faults && i < VMEM_NR_FAULTS; i++)
		printf("%d %s\n", i, fault_text[i]);
	if (c.list_faults)
		return 0;
	if ((optind == argc && !c.fault) || (c.replay && argc - optind < 3)) {
		fputs(usage, stderr);
		return 2;
	}
#ifdef VMEM_FAULTS
	vmem_fault = (enum vmem_fault)c.fault;
#endif
	machine_init(&run.live);
	run.live.two_flushes = run.opt.two_flushes;
	explorer_init(&run.x, &run.opt, 0);
	run.start_image = malloc(IMAGE_SIZE);
	run.mounted = malloc(IMAGE_SIZE);
	world_init(&run.world, &run.live, MODE_GUEST);
	if (c.replay)
		status = replay(&run, argv + optind, argc - optind);
	if (c.fault && !c.replay)
		return try_fault(&run, c.fault);
	for (i = optind; i < argc && !c.replay; i++)
		for (run.mode = 0; run.mode < NR_MODES; run.mode++)
			if (c.modes >> run.mode & 1) {
				run.world.mode = run.mode;
				run_set(&run, argv[i], c.setup);
			}
	explorer_free(&run.x);
	world_free(&run.world);
	world_free(&run.start);
	trace_free(&run.trace);
	free(run.start_image);
	free(run.mounted);
	machine_free(&run.live);
	return run.failures ? 1 : status;
}
