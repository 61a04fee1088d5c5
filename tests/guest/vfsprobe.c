// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* vfsprobe.c - ask the file system of a directory all questions */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vfsprobe.h"

void say(const char *name, const char *format, ...)
{
	va_list args;

	printf("%s: ", name);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

void result(const char *name, long long ret)
{
	if (ret < 0)
		say(name, "%s", errno ? strerrorname_np(errno) : "negative");
	else
		say(name, "%lld", ret);
}

void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "vfsprobe: %s: %s\n", what, strerror(errno));
	exit(1);
}

int make_file(const char *path, size_t len)
{
	char buf[4096];
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);

	must(fd >= 0, path);
	memset(buf, 'x', sizeof(buf));
	while (len) {
		size_t n = len < sizeof(buf) ? len : sizeof(buf);

		must(write(fd, buf, n) == (ssize_t)n, path);
		len -= n;
	}
	return fd;
}

void let_time_pass(void)
{
	usleep(12000);
}

void ask_as(uid_t uid, gid_t gid, void (*ask)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	must(pid >= 0, "fork");
	if (!pid) {
		if (!setgroups(0, NULL) && !setgid(gid) && !setuid(uid))
			ask();
		fflush(stdout);
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid && !status, "a child");
}

static const struct {
	const char *name;
	void (*ask)(void);
} topics[] = {
	{ "names", ask_names },
	{ "times", ask_times },
	{ "data", ask_data },
	{ "maps", ask_maps },
	{ "attrs", ask_attrs },
	{ "rights", ask_rights },
	{ "ioctls", ask_ioctls },
	{ "flags", ask_flags_enforced },
	{ "extents", ask_extents },
	{ "alloc", ask_alloc },
	{ "async", ask_async },
	{ "others", ask_others },
};

int main(int argc, char **argv)
{
	size_t i;

	must((argc == 2 || argc == 3) && !chdir(argv[1]), "usage: vfsprobe DIRECTORY [MODE OF SHUTTING IT DOWN]");
	umask(022);
	if (argc == 3) {
		printf("# shutting down\n");
		ask_shutdown(atoi(argv[2]));
		return 0;
	}
	for (i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
		printf("# %s\n", topics[i].name);
		must(!mkdir(topics[i].name, 0777) && !chdir(topics[i].name), topics[i].name);
		topics[i].ask();
		must(!chdir(".."), "..");
	}
	return 0;
}
