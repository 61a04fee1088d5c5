// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* threads.c - calls from several threads (for processes: it needs pthreads) */
#include <pthread.h>

#include "check.h"

#define THREADS	4
#define ROUNDS	60u

static int status[THREADS];
static struct vmemos_file *shared;

/* A thread must not use EXPECT: the harness is not made for it. */
static int work(unsigned int me)
{
	static uint8_t bufs[THREADS][9000];
	char name[16], other[16], line[16];
	struct vmemos_area area;
	struct vmemos_file *f;
	unsigned int i;
	int err = 0;

	for (i = 0; i < ROUNDS && !err; i++) {
		vmemos_format(name, sizeof(name), "t%u-%u", me, i);
		vmemos_format(other, sizeof(other), "r%u-%u", me, i);
		vmemos_format(line, sizeof(line), "%u %05u\n", me, i);
		err = vmemos_open(root, name, VMEMOS_O_RDWR | VMEMOS_O_CREAT, 0644, &f);
		if (err)
			return err;
		pattern(bufs[me], sizeof(bufs[me]), me + i);
		if (vmemos_pwrite(f, bufs[me], sizeof(bufs[me]), 0) != (int64_t)sizeof(bufs[me]))
			err = -EIO;
		if (!err && vmemos_write(shared, line, 8) != 8)
			err = -EIO;
		if (!err)
			err = vmemos_acquire(f, 0, BLOCK, 0, &area);
		if (!err) {
			memcpy(area.addr, line, 8);
			err = vmemos_persist(&area, area.addr, 8);
			vmemos_release(&area);
		}
		if (!err && i % 4 == 0)
			err = vmemos_fsync(i % 8 ? f : shared, false);
		if (!err)
			err = vmemos_rename(root, name, root, other, 0);
		if (!err && (vmemos_pread(f, bufs[me], 8, 0) != 8 || memcmp(bufs[me], line, 8)))
			err = -EIO;
		vmemos_close(f);
		if (!err && i % 2)
			err = vmemos_unlink(root, other);
	}
	return err;
}

static void *thread(void *arg)
{
	unsigned int me = (unsigned int)(uintptr_t)arg;

	status[me] = work(me);
	return NULL;
}

static void threads_share_a_mount(void)
{
	static char lines[THREADS * ROUNDS * 8];
	unsigned int i, next[THREADS] = { 0 };
	pthread_t threads[THREADS];
	char name[16];

	OK(vmemos_open(root, "shared", VMEMOS_O_RDWR | VMEMOS_O_CREAT | VMEMOS_O_APPEND, 0644, &shared));
	for (i = 0; i < THREADS; i++)
		OK(pthread_create(&threads[i], NULL, thread, (void *)(uintptr_t)i));
	for (i = 0; i < THREADS; i++)
		OK(pthread_join(threads[i], NULL));
	for (i = 0; i < THREADS; i++)
		OK(status[i]);
	/* No appended line is lost or torn, and each thread's are in order. */
	EXPECT(vmemos_pread(shared, lines, sizeof(lines), 0), sizeof(lines));
	for (i = 0; i < THREADS * ROUNDS; i++) {
		unsigned int me = (unsigned int)(lines[i * 8] - '0');
		char want[16];

		CHECK(me < THREADS);
		vmemos_format(want, sizeof(want), "%u %05u\n", me, next[me]++);
		CHECK(!memcmp(lines + i * 8, want, 8));
	}
	OK(vmemos_close(shared));
	OK(vmemos_unlink(root, "shared"));
	for (i = 0; i < THREADS * ROUNDS; i += 2) {
		vmemos_format(name, sizeof(name), "r%u-%u", i / ROUNDS, i % ROUNDS);
		OK(vmemos_unlink(root, name));
	}
}

int vmemos_main(struct vmemos_platform *p, int argc, char **argv)
{
	static const struct property list[] = {
		{ "threads share a mount", threads_share_a_mount, false },
	};

	return check_all(p, argc, argv, list, NR(list));
}
