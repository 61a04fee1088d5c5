// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* fsprobe-stress.c - several processes at once, each checking what it can know */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

static void model_step(struct model *m)
{
	switch (random_below(12)) {
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

/* ---- names: whoever comes first; only sensible errors ---- */

static void allowed(int result, const char *what)
{
	if (result < 0 && errno != ENOENT && errno != EEXIST && errno != ENOTEMPTY &&
	    errno != EISDIR && errno != ENOTDIR && errno != EINVAL && errno != EPERM &&
	    errno != EBUSY)
		fail("%s", what);
}

static void random_path(char *path, char **dirs)
{
	snprintf(path, 256, "%s/n%u", dirs[random_below(2)], random_below(12));
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
		allowed(renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE), "exchange");
		break;
	default:
		allowed(rename(a, b), "rename");
	}
}

static void stress_names(int nr, char **argv, time_t end)
{
	(void)nr;
	while (before(end))
		name_step(argv);
}

static void cmd_stress_names(char **argv)	/* DIRECTORY DIRECTORY PROCESSES SECONDS */
{
	in_processes((int)number(argv[2]), argv, time(NULL) + number(argv[3]), stress_names);
}

const struct command stress_commands[] = {
	{ "stress-files", 3, cmd_stress_files },
	{ "stress-shared", 3, cmd_stress_shared },
	{ "stress-names", 4, cmd_stress_names },
	{ NULL, 0, NULL }
};
