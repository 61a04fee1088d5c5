// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* fsprobe-stress.c - several processes at once, each checking what it can know */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "fsprobe.h"

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((random_state >> 33) % n);
}

static bool before(time_t end)
{
	return time(NULL) < end;
}

/* Run `work` in nr processes; all must succeed. */
static void in_processes(int nr, char **argv, time_t end, void (*work)(int, char **, time_t))
{
	int i, status, failed = 0;

	for (i = 0; i < nr; i++) {
		pid_t pid = fork();

		if (pid < 0)
			fail("fork");
		if (!pid) {
			random_state = (uint64_t)i * 77 + 1;
			work(i, argv, end);
			exit(0);
		}
	}
	for (i = 0; i < nr; i++) {
		wait(&status);
		if (status)
			failed++;
	}
	if (failed)
		wrong("%d of %d processes failed", failed, nr);
}

/* ---- own files: a model in memory knows every byte ---- */

#define MODEL_SIZE 300000

struct model {
	char path[256];
	int fd;
	size_t size;
	char data[MODEL_SIZE];
};

static void model_write(struct model *m)
{
	size_t off = random_below(MODEL_SIZE - 1), len = random_below(20000) + 1, i;
	static char buf[20001];

	if (random_below(4) == 0)
		off = m->size < MODEL_SIZE - 1 ? m->size : 0;
	if (len > MODEL_SIZE - off)
		len = MODEL_SIZE - off;
	for (i = 0; i < len; i++)
		buf[i] = (char)random_below(256);
	write_at(m->fd, buf, len, (off_t)off);
	memcpy(m->data + off, buf, len);
	if (off + len > m->size)
		m->size = off + len;
}

static void model_map(struct model *m)
{
	size_t off, len, i;
	char *p;

	if (!m->size)
		return;
	p = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
	if (p == MAP_FAILED)
		fail("mmap");
	off = random_below((uint32_t)m->size);
	len = random_below((uint32_t)(m->size - off)) % 5000;
	for (i = 0; i < len; i++)
		p[off + i] = m->data[off + i] = (char)random_below(256);
	if (random_below(3) == 0 && msync(p, m->size, MS_SYNC))
		fail("msync");
	if (memcmp(p, m->data, m->size))
		wrong("%s: the mapping differs from what was stored", m->path);
	munmap(p, m->size);
}

static void model_truncate(struct model *m)
{
	size_t size = random_below(MODEL_SIZE);

	if (ftruncate(m->fd, (off_t)size))
		fail("ftruncate");
	if (size < m->size)
		memset(m->data + size, 0, m->size - size);
	m->size = size;
}

static void model_check(struct model *m)
{
	static char buf[MODEL_SIZE];
	size_t n = read_at(m->fd, buf, MODEL_SIZE, 0), i;

	if (n != m->size)
		wrong("%s: %zu bytes, not %zu", m->path, n, m->size);
	for (i = 0; i < n; i++)
		if (buf[i] != m->data[i])
			wrong("%s: wrong byte at %zu", m->path, i);
}

static void model_reopen(struct model *m)
{
	close(m->fd);
	m->fd = open_file(m->path, O_RDWR);
}

/* The pieces of COLLAPSE_RANGE and INSERT_RANGE are of whole blocks. */
static void model_move(struct model *m)
{
	size_t len = (random_below(4) + 1) * 4096, off = random_below((uint32_t)(m->size / 4096 + 1)) * 4096;
	bool insert = random_below(2);

	if (insert ? off >= m->size || m->size + len > MODEL_SIZE : off + len >= m->size)
		return;
	if (fallocate(m->fd, insert ? FALLOC_FL_INSERT_RANGE : FALLOC_FL_COLLAPSE_RANGE, (off_t)off, (off_t)len)) {
		/* FUSE has neither. */
		if (errno != EOPNOTSUPP)
			fail("fallocate");
		return;
	}
	if (insert) {
		memmove(m->data + off + len, m->data + off, m->size - off);
		memset(m->data + off, 0, len);
		m->size += len;
	} else {
		memmove(m->data + off, m->data + off + len, m->size - off - len);
		m->size -= len;
		memset(m->data + m->size, 0, len);
	}
}

static void model_allocate(struct model *m)
{
	static const int modes[] = { 0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE };
	size_t off = random_below(MODEL_SIZE - 1), len = random_below(50000) + 1;
	int mode = modes[random_below(5)];

	if (len > MODEL_SIZE - off)
		len = MODEL_SIZE - off;
	if (fallocate(m->fd, mode, (off_t)off, (off_t)len))
		fail("fallocate");
	/* What is behind the end is zeros. */
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		memset(m->data + off, 0, len);
	if (!(mode & FALLOC_FL_KEEP_SIZE) && off + len > m->size)
		m->size = off + len;
}

static void model_step(struct model *m)
{
	switch (random_below(15)) {
	case 0:
		model_truncate(m);
		break;
	case 1:
	case 2:
	case 3:
		model_map(m);
		break;
	case 4:
		if (fsync(m->fd))
			fail("fsync");
		break;
	case 5:
		model_reopen(m);
		break;
	case 6:
	case 7:
		model_check(m);
		break;
	case 8:
	case 9:
		model_allocate(m);
		break;
	case 10:
		model_move(m);
		break;
	default:
		model_write(m);
	}
}

static void stress_file(int nr, char **argv, time_t end)
{
	static struct model m;

	snprintf(m.path, sizeof(m.path), "%s/stress.%d", argv[0], nr);
	m.fd = open_file(m.path, O_RDWR | O_CREAT | O_TRUNC);
	while (before(end))
		model_step(&m);
	model_check(&m);
	if (unlink(m.path))
		fail("unlink");
}

static void cmd_stress_files(char **argv)	/* DIRECTORY PROCESSES SECONDS */
{
	in_processes((int)number(argv[1]), argv, time(NULL) + number(argv[2]), stress_file);
}

/* ---- one file for all: each process owns one byte in eight ---- */

#define SHARED_SIZE 200000
#define SHARED_STABLE 100000	/* never truncated */

static void stress_shared(int nr, char **argv, time_t end)
{
	int fd = open_file(argv[0], O_RDWR);
	char *p = mmap(NULL, SHARED_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	uint8_t value = 0, byte;

	if (p == MAP_FAILED)
		fail("mmap");
	while (before(end)) {
		size_t off = random_below(SHARED_STABLE / 8) * 8 + (size_t)nr;

		value++;
		if (random_below(2))
			write_at(fd, &value, 1, (off_t)off);
		else
			p[off] = (char)value;
		if (random_below(20) == 0 && fsync(fd))
			fail("fsync");
		/* A hole for a moment, and blocks in advance, where no process looks. */
		if (random_below(20) == 0 &&
		    fallocate(fd, random_below(2) ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : FALLOC_FL_KEEP_SIZE,
			      SHARED_STABLE + random_below(50000), 1 + random_below(50000)))
			fail("fallocate");
		if (random_below(20) == 0 &&
		    ftruncate(fd, SHARED_STABLE + random_below(SHARED_SIZE - SHARED_STABLE)))
			fail("ftruncate");
		if (random_below(10) == 0)
			write_at(fd, &value, 1, SHARED_STABLE + random_below(SHARED_SIZE - SHARED_STABLE));
		if ((uint8_t)p[off] != value)
			wrong("process %d: the mapping has %d at %zu, not %d", nr, p[off], off, value);
		if (read_at(fd, &byte, 1, (off_t)off) != 1 || byte != value)
			wrong("process %d: the file has %d at %zu, not %d", nr, byte, off, value);
	}
}

static void cmd_stress_shared(char **argv)	/* FILE PROCESSES SECONDS */
{
	int fd = open_file(argv[0], O_RDWR | O_CREAT | O_TRUNC);

	if (ftruncate(fd, SHARED_SIZE))
		fail("ftruncate");
	close(fd);
	in_processes((int)number(argv[1]), argv, time(NULL) + number(argv[2]), stress_shared);
	if (unlink(argv[0]))
		fail("unlink");
}

/* ---- names and attributes: whoever comes first; only sensible errors ---- */

#define NR_NAMES 12

static void allowed(ssize_t result, const char *what)
{
	static const int errors[] = { ENOENT, EEXIST, ENOTEMPTY, EISDIR, ENOTDIR, EINVAL, EPERM, EBUSY,
				      ENXIO /* a whiteout */, EACCES /* ... of a nodev mount */, ENODATA, ERANGE };
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (result >= 0 || errno == errors[i])
			return;
	fail("%s", what);
}

static void random_path(char *path, char **dirs)
{
	snprintf(path, 256, "%s/n%u", dirs[random_below(2)], random_below(NR_NAMES));
}

static void name_step(char **argv)
{
	char a[256], b[256];
	int fd;

	random_path(a, argv);
	random_path(b, argv);
	switch (random_below(9)) {
	case 0:
	case 1:
		fd = open(a, O_RDWR | O_CREAT, 0644);
		allowed(fd, "open");
		if (fd >= 0) {
			if (write(fd, a, sizeof(a)) < 0)
				fail("write");
			close(fd);
		}
		break;
	case 2:
		allowed(link(a, b), "link");
		break;
	case 3:
		allowed(mkdir(a, 0755), "mkdir");
		break;
	case 4:
		allowed(rmdir(a), "rmdir");
		break;
	case 5:
		allowed(unlink(a), "unlink");
		break;
	case 6:
		allowed(symlink(a, b), "symlink");
		break;
	case 7:
		allowed(renameat2(AT_FDCWD, a, AT_FDCWD, b,
				  random_below(2) ? RENAME_EXCHANGE : RENAME_WHITEOUT), "renameat2");
		break;
	default:
		allowed(rename(a, b), "rename");
	}
}

/* A kernel may be without access lists. */
static void allowed_of_list(int result, const char *what)
{
	if (result && errno != EOPNOTSUPP)
		allowed(result, what);
}

/* An access list: owner rw-, user `id` r--, group ---, mask r--, others ---. */
static void set_access_list(const char *path, uint32_t id)
{
	struct {
		uint32_t version;
		struct {
			uint16_t tag, perm;
			uint32_t id;
		} entry[5];
	} list = { 2, { { 1, 6, ~0u }, { 2, 4, id }, { 4, 0, ~0u }, { 16, 4, ~0u }, { 32, 0, ~0u } } };

	/* EACCES: only a directory has a default. */
	if (random_below(2) && !setxattr(path, "system.posix_acl_default", &list, sizeof(list), 0))
		return;
	allowed_of_list(setxattr(path, "system.posix_acl_access", &list, sizeof(list), 0),
			"setxattr of an access list");
}

static void attribute_step(char **argv)
{
	char a[256], name[32], value[3000];

	random_path(a, argv);
	snprintf(name, sizeof(name), "user.%u", random_below(5));
	memset(value, 'v', sizeof(value));
	switch (random_below(6)) {
	case 0:
		/* From the inode to a block of its own, and back. */
		allowed(setxattr(a, name, value, random_below(2) ? 10 : random_below(sizeof(value)), 0),
			"setxattr");
		break;
	case 1:
		allowed(getxattr(a, name, value, sizeof(value)), "getxattr");
		break;
	case 2:
		allowed(listxattr(a, value, sizeof(value)), "listxattr");
		break;
	case 3:
		allowed(removexattr(a, name), "removexattr");
		break;
	case 4:
		set_access_list(a, 1000 + random_below(3));
		break;
	default:
		allowed_of_list(removexattr(a, "system.posix_acl_access"), "removexattr of an access list");
	}
}

/* What forbids a change is taken away by who set it: nobody else knows the flag's value before. */
static void flag_step(char **argv)
{
	static const int kinds[] = { FS_NODUMP_FL, FS_NOATIME_FL, FS_SYNC_FL, FS_IMMUTABLE_FL, FS_APPEND_FL };
	int flags = kinds[random_below(5)], none = 0, fd;
	char a[256];

	random_path(a, argv);
	fd = open(a, O_RDONLY | O_NONBLOCK);
	allowed(fd, "open");
	if (fd < 0)
		return;
	/* ENOTTY: fuse.vmemfs has neither. */
	if ((ioctl(fd, FS_IOC_SETFLAGS, &flags) || ioctl(fd, FS_IOC_GETFLAGS, &flags) ||
	     ioctl(fd, FS_IOC_SETFLAGS, &none)) && errno != ENOTTY)
		fail("flags");
	close(fd);
}

static void label_step(char **argv)
{
	char label[FSLABEL_MAX] = "stress", got[FSLABEL_MAX];
	int fd = open_file(argv[0], O_RDONLY | O_DIRECTORY);

	label[5] = (char)('a' + random_below(26));
	if (!ioctl(fd, FS_IOC_SETFSLABEL, label) && !ioctl(fd, FS_IOC_GETFSLABEL, got)) {
		got[5] = 's';
		if (strcmp(got, "stress"))
			wrong("the label is '%s'", got);
	} else if (errno != ENOTTY) {
		fail("label");
	}
	close(fd);
}

static void stress_names(int nr, char **argv, time_t end)
{
	(void)nr;
	while (before(end)) {
		name_step(argv);
		attribute_step(argv);
		if (random_below(4) == 0)
			flag_step(argv);
		if (random_below(50) == 0)
			label_step(argv);
	}
}

static void cmd_stress_names(char **argv)	/* DIRECTORY DIRECTORY PROCESSES SECONDS */
{
	in_processes((int)number(argv[2]), argv, time(NULL) + number(argv[3]), stress_names);
}

/* ---- the file system is shut down under all: they get -EIO, and that is all ---- */

#define SHUTDOWN	_IOR('X', 125, uint32_t)

static void on_sigbus(int signal)
{
	(void)signal;
	_exit(0);
}

/* -1 with errno of what failed */
static int ended_step(const char *path)
{
	char to[300], buf[5000] = "";
	int fd = open(path, O_RDWR | O_CREAT, 0644), error = 0;
	char *p;

	if (fd < 0)
		return -1;
	snprintf(to, sizeof(to), "%s.to", path);
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED || pwrite(fd, buf, sizeof(buf), random_below(200000)) < 0 ||
	    pwrite(fd, buf, 1, 0) < 0) {
		error = errno;
	} else {
		p[random_below(4096)]++;
		if (fsync(fd) || fsetxattr(fd, "user.a", buf, random_below(3000), 0) ||
		    rename(path, to) || ftruncate(fd, random_below(200000)) ||
		    (random_below(2) && unlink(to)))
			error = errno;
	}
	if (p != MAP_FAILED)
		munmap(p, 4096);
	close(fd);
	errno = error;
	return error ? -1 : 0;
}

static void stress_ended(int nr, char **argv, time_t end)
{
	uint32_t mode = (uint32_t)number(argv[2]);
	char path[256];

	if (!nr) {
		usleep(300000);
		if (ioctl(open_file(argv[0], O_RDONLY | O_DIRECTORY), SHUTDOWN, &mode))
			fail("shut down");
		return;
	}
	signal(SIGBUS, on_sigbus);
	snprintf(path, sizeof(path), "%s/ended.%d", argv[0], nr);
	while (before(end))
		if (ended_step(path)) {
			if (errno != EIO)
				fail("%s", path);
			return;
		}
	wrong("%s: it is not shut down", path);
}

static void cmd_stress_ended(char **argv)	/* DIRECTORY PROCESSES MODE */
{
	in_processes((int)number(argv[1]), argv, time(NULL) + 300, stress_ended);
}

const struct command stress_commands[] = {
	{ "stress-files", 3, cmd_stress_files },
	{ "stress-shared", 3, cmd_stress_shared },
	{ "stress-names", 4, cmd_stress_names },
	{ "stress-ended", 3, cmd_stress_ended },
	{ NULL, 0, NULL }
};
