// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * measure.c - run a command, and say what it took
 *
 * usage: measure COMMAND ...
 *
 * Prints: exit status, seconds, CPU seconds, MiB of memory of its own at most
 * (anonymous pages, looked at every 5 ms), MiB of the image mapped at most.
 * The command's standard output is dropped.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void look(pid_t pid, long *anon, long *file)
{
	char path[64], line[256];
	long kib;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "RssAnon: %ld", &kib) == 1 && kib > *anon)
			*anon = kib;
		if (sscanf(line, "RssFile: %ld", &kib) == 1 && kib > *file)
			*file = kib;
	}
	fclose(f);
}

int main(int argc, char **argv)
{
	struct timespec pause = { 0, 5000000 };
	long anon = 0, file = 0;
	double start = now(), cpu;
	struct rusage ru;
	int status, null;
	pid_t pid;

	if (argc < 2) {
		fputs("usage: measure COMMAND ...\n", stderr);
		return 2;
	}
	pid = fork();
	if (pid == 0) {
		null = open("/dev/null", O_WRONLY);
		if (null >= 0 && dup2(null, 1) == 1)
			execv(argv[1], argv + 1);
		perror(argv[1]);
		_exit(127);
	}
	while (pid > 0 && wait4(pid, &status, WNOHANG, &ru) == 0) {
		look(pid, &anon, &file);
		nanosleep(&pause, NULL);
	}
	if (pid < 0)
		return 2;
	cpu = (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	      (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
	printf("%d %.2f %.2f %ld %ld\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128, now() - start,
	       cpu, anon / 1024, file / 1024);
	return 0;
}
