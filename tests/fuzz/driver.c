// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * driver.c - a harness without libFuzzer: seeds, then random mutations of them
 *
 * usage: mount|check|replay|ops [-v] [-t SECONDS] [-n MANY] [-s SEED] [-l FILE] [INPUT ...]
 *
 * The inputs are run; or, with -t or -n, are what random ones begin with, for so long and
 * at least so many.  The input that is being run lies in FILE, where a run that dies leaves it.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define INPUT_MAX	(sizeof(struct fuzz_header) + MAX_RECORDS * sizeof(struct fuzz_record))
#define POOL		256u
#define HANG_SECONDS	10u

struct seed {
	uint8_t data[INPUT_MAX];
	size_t size;
};

static struct seed pool[POOL];
static unsigned int nr_seeds;
static volatile uint64_t executions;
static int last = -1;

/* The same input as at the last alarm: it hangs.  CPU time: the machine may be busy. */
static void on_alarm(int sig)
{
	static const char text[] = "broken: one input takes longer than 10 s of CPU time\n";
	static uint64_t before = UINT64_MAX;

	(void)sig;
	if (executions == before && write(2, text, sizeof(text) - 1) > 0)
		abort();
	before = executions;
}

static void set_alarm(void)
{
	const struct itimerval each = {
		.it_value.tv_sec = HANG_SECONDS, .it_interval.tv_sec = HANG_SECONDS,
	};

	signal(SIGPROF, on_alarm);
	setitimer(ITIMER_PROF, &each, NULL);
}

static void run_input(const uint8_t *data, size_t size)
{
	struct fuzz_input in;

	if (last >= 0 && (pwrite(last, data, size, 0) != (ssize_t)size || ftruncate(last, (off_t)size))) {
		perror("the input cannot be kept");
		exit(2);
	}
	if (decode_input(data, size, &in)) {
		if (world.verbose)
			print_input(&in);
		fuzz_one(&in);
	}
	executions++;
}

static void keep_last(const char *path)
{
	last = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
	if (last < 0) {
		perror(path);
		exit(2);
	}
}

static void read_seed(const char *path, bool run)
{
	struct seed *s = &pool[nr_seeds % POOL];
	FILE *f = fopen(path, "rb");

	if (!f) {
		perror(path);
		exit(2);
	}
	s->size = fread(s->data, 1, sizeof(s->data), f);
	fclose(f);
	nr_seeds++;
	if (run)
		run_input(s->data, s->size);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Mutate a seed, its result again, and so on for a few rounds. */
static void run_random(uint64_t seed)
{
	struct seed s = { .size = 0 };
	unsigned int nr = nr_seeds < POOL ? nr_seeds : POOL, round;

	memset(s.data, 0, sizeof(s.data));
	s.size = sizeof(struct fuzz_header);
	if (nr)
		s = pool[seed * 2654435761u % nr];
	for (round = 0; round < 1 + seed % 24; round++)
		s.size = mutate_input(s.data, s.size, sizeof(s.data), seed * 32 + round + 1);
	run_input(s.data, s.size);
}

int main(int argc, char **argv)
{
	double seconds = 0, start, elapsed;
	uint64_t seed = 1, many = 0, end;
	int c;

	while ((c = getopt(argc, argv, "vt:n:s:l:")) != -1)
		switch (c) {
		case 'v':
			world.verbose = true;
			break;
		case 't':
			seconds = atof(optarg);
			break;
		case 'n':
			many = strtoull(optarg, NULL, 0);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'l':
			keep_last(optarg);
			break;
		default:
			fprintf(stderr, "usage: %s [-v] [-t SECONDS] [-n MANY] [-s SEED] [-l FILE] [INPUT ...]\n", argv[0]);
			return 2;
		}
	make_bases();
	set_alarm();
	start = now();
	for (; optind < argc; optind++)
		read_seed(argv[optind], !many && seconds <= 0);
	seed *= 1000000007ull;
	for (end = seed + many; (elapsed = now() - start) < seconds || seed < end; seed++)
		run_random(seed);
	printf("# %s: %llu inputs in %.1f s, no crash, no hang, no leak\n", harness_name,
	       (unsigned long long)executions, elapsed);
	return 0;
}
