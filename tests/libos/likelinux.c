// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * likelinux.c - names and paths behave as Linux' do
 *
 * The same random calls go to the library and, in a chroot on tmpfs, to Linux:
 * results, error numbers and what stat tells must be equal.
 *
 *	likelinux DIRECTORY [SEED [CALLS]]	an empty directory on tmpfs; needs root
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

static uint64_t state;

static unsigned int rnd(unsigned int n)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned int)(state >> 33) % n;
}

static void random_path(char *path)
{
	static const char *const names[] = { "a", "b", "c", "d", ".", "..", "a", "b", "c" };
	unsigned int parts = 1 + rnd(4);

	*path = 0;
	if (rnd(3) == 0)
		strcat(path, rnd(8) ? "/" : "//");
	while (parts--) {
		strcat(path, names[rnd(NR(names))]);
		if (parts)
			strcat(path, rnd(8) ? "/" : "//");
	}
	if (rnd(6) == 0)
		strcat(path, "/");
}

/* 0 or -errno of a Linux call. */
static int linux_result(long result)
{
	return result < 0 ? -errno : 0;
}

/* ---- One call each; what was tried is in words ---- */

static char words[700], a[300], b[300];

static void try_make(int *ours, int *theirs)
{
	switch (rnd(3)) {
	case 0:
		snprintf(words, sizeof(words), "mkdir %s", a);
		*ours = vmemos_mkdir(root, a, 0755);
		*theirs = linux_result(mkdir(a, 0755));
		break;
	case 1:
		snprintf(words, sizeof(words), "symlink %s at %s", b, a);
		*ours = vmemos_symlink(b, root, a);
		*theirs = linux_result(symlink(b, a));
		break;
	default:
		snprintf(words, sizeof(words), "link %s to %s", a, b);
		*ours = vmemos_link(root, a, root, b);
		*theirs = linux_result(link(a, b));
	}
}

static void try_remove(int *ours, int *theirs)
{
	if (rnd(2)) {
		snprintf(words, sizeof(words), "unlink %s", a);
		*ours = vmemos_unlink(root, a);
		*theirs = linux_result(unlink(a));
	} else {
		snprintf(words, sizeof(words), "rmdir %s", a);
		*ours = vmemos_rmdir(root, a);
		*theirs = linux_result(rmdir(a));
	}
}

static void try_rename(int *ours, int *theirs)
{
	unsigned int flags = rnd(4) ? 0 : 1 + rnd(2);

	snprintf(words, sizeof(words), "rename %s to %s, flags %u", a, b, flags);
	*ours = vmemos_rename(root, a, root, b, flags);
	*theirs = linux_result(syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, flags));
}

static void try_open(int *ours, int *theirs)
{
	static const unsigned int some[] = {
		VMEMOS_O_CREAT, VMEMOS_O_EXCL, VMEMOS_O_TRUNC, VMEMOS_O_DIRECTORY, VMEMOS_O_NOFOLLOW,
	};
	unsigned int flags = rnd(3), i;
	struct vmemos_file *f;
	int fd;

	for (i = 0; i < NR(some); i++)
		flags |= rnd(3) ? 0 : some[i];
	/* Undefined together (open(2)). */
	if (flags & VMEMOS_O_EXCL && !(flags & VMEMOS_O_CREAT))
		flags &= ~(unsigned int)VMEMOS_O_EXCL;
	if (flags & VMEMOS_O_DIRECTORY)
		flags &= ~(unsigned int)VMEMOS_O_CREAT & ~(unsigned int)VMEMOS_O_EXCL;
	snprintf(words, sizeof(words), "open %s, flags 0%o", a, flags);
	*ours = vmemos_open(root, a, flags, 0644, &f);
	fd = open(a, (int)flags, 0644);
	*theirs = linux_result(fd);
	if (!*ours) {
		if (flags & 3)
			vmemos_write(f, words, 10);
		vmemos_close(f);
	}
	if (fd >= 0) {
		if (flags & 3 && write(fd, words, 10) < 0)
			*theirs = -errno;
		close(fd);
	}
}

/* Type, links, size (of directories it is each file system's own) as one number. */
static int digest(unsigned int mode, unsigned long links, unsigned long size)
{
	bool dir = (mode & S_IFMT) == S_IFDIR;

	return (int)((mode >> 12) * 1000000 + links * 10000 + (dir ? 0 : size));
}

static void try_stat(int *ours, int *theirs)
{
	bool follow = rnd(2);
	struct vmemos_stat st;
	struct stat lst;

	snprintf(words, sizeof(words), "%s %s", follow ? "stat" : "lstat", a);
	*ours = vmemos_stat(root, a, follow ? 0 : VMEMOS_NOFOLLOW, &st);
	*theirs = linux_result(follow ? stat(a, &lst) : lstat(a, &lst));
	if (!*ours)
		*ours = digest(st.mode, st.nlink, st.size);
	if (!*theirs)
		*theirs = digest(lst.st_mode, lst.st_nlink, (unsigned long)lst.st_size);
}

static void try_readlink(int *ours, int *theirs)
{
	char x[300], y[300];
	int64_t n = vmemos_readlink(root, a, x, sizeof(x));
	ssize_t m = readlink(a, y, sizeof(y));

	snprintf(words, sizeof(words), "readlink %s", a);
	*ours = (int)n;
	*theirs = m < 0 ? -errno : (int)m;
	if (n == m && n > 0 && memcmp(x, y, (size_t)n))
		*ours = -EIO;
}

static void (*const calls[])(int *, int *) = {
	try_make, try_make, try_open, try_open, try_remove, try_rename, try_stat, try_stat, try_readlink,
};

static unsigned long nr_calls = 60000;

static void names_behave_as_linux(void)
{
	unsigned long i, succeeded = 0;

	for (i = 0; i < nr_calls; i++) {
		int ours = 0, theirs = 0;

		random_path(a);
		random_path(b);
		calls[rnd(NR(calls))](&ours, &theirs);
		if (ours != theirs) {
			vmemos_printf(platform, "# call %lu: %s\n", i, words);
			EXPECT(ours, theirs);
		}
		succeeded += ours >= 0;
	}
	/* It would prove little if everything failed. */
	CHECK(succeeded > nr_calls / 20);
}

int vmemos_main(struct vmemos_platform *p, int argc, char **argv)
{
	static const struct property list[] = {
		{ "names and paths behave as on Linux", names_behave_as_linux, false },
	};

	if (argc < 1 || chroot(argv[0]) || chdir("/")) {
		fprintf(stderr, "usage, as root: likelinux IMAGE DIRECTORY [SEED [CALLS]]\n");
		return 2;
	}
	umask(0);
	state = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
	if (argc > 2)
		nr_calls = strtoul(argv[2], NULL, 10);
	return check_all(p, 0, NULL, list, NR(list));
}
