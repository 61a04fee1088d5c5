// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* vfsprobe-async.c - AIO, io_uring and requests that may not wait */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vfsprobe.h"

/* ---- AIO ---- */

static void aio(const char *name, aio_context_t ctx, struct iocb cb)
{
	struct iocb *list[1] = { &cb };
	struct io_event event;

	if (syscall(SYS_io_submit, ctx, 1, list) != 1) {
		result(name, -1);
		return;
	}
	must(syscall(SYS_io_getevents, ctx, 1, 1, &event, NULL) == 1, name);
	errno = event.res < 0 ? (int)-event.res : 0;
	result(name, event.res);
}

static void ask_aio(int fd, int direct, void *buf)
{
	struct iocb cb = { .aio_fildes = (unsigned int)fd, .aio_buf = (uintptr_t)buf, .aio_nbytes = 4096,
			   .aio_lio_opcode = IOCB_CMD_PREAD };
	aio_context_t ctx = 0;

	must(!syscall(SYS_io_setup, 4, &ctx), "io_setup");
	aio("aio read", ctx, cb);
	cb.aio_fildes = (unsigned int)direct;
	aio("aio read O_DIRECT", ctx, cb);
	cb.aio_lio_opcode = IOCB_CMD_PWRITE;
	aio("aio write O_DIRECT", ctx, cb);
	cb.aio_offset = 1 << 20;
	aio("aio write O_DIRECT behind the end", ctx, cb);
	cb.aio_rw_flags = RWF_NOWAIT;
	cb.aio_offset = 0;
	aio("aio write O_DIRECT RWF_NOWAIT", ctx, cb);
	cb.aio_rw_flags = RWF_HIPRI;
	aio("aio write RWF_HIPRI", ctx, cb);
	cb.aio_rw_flags = 0;
	cb.aio_lio_opcode = IOCB_CMD_FSYNC;
	cb.aio_buf = cb.aio_nbytes = 0;
	aio("aio fsync", ctx, cb);
	cb.aio_lio_opcode = IOCB_CMD_FDSYNC;
	aio("aio fdsync", ctx, cb);
	syscall(SYS_io_destroy, ctx);
}

/* ---- io_uring, one request at a time ---- */

struct ring {
	int fd;
	struct io_uring_params p;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
};

static bool ring_open(struct ring *r, unsigned int flags)
{
	memset(r, 0, sizeof(*r));
	r->p.flags = flags;
	r->fd = (int)syscall(SYS_io_uring_setup, 4, &r->p);
	if (r->fd < 0)
		return false;
	r->sq = mmap(NULL, r->p.sq_off.array + r->p.sq_entries * sizeof(uint32_t),
		     PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_SQ_RING);
	r->cq = mmap(NULL, r->p.cq_off.cqes + r->p.cq_entries * sizeof(struct io_uring_cqe),
		     PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_CQ_RING);
	r->sqes = mmap(NULL, r->p.sq_entries * sizeof(struct io_uring_sqe),
		       PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_SQES);
	must(r->sq != MAP_FAILED && r->cq != MAP_FAILED && r->sqes != MAP_FAILED, "io_uring");
	return true;
}

static void ring_do(const char *name, struct ring *r, const struct io_uring_sqe *sqe)
{
	uint32_t *tail = (uint32_t *)(r->sq + r->p.sq_off.tail);
	uint32_t mask = *(uint32_t *)(r->sq + r->p.sq_off.ring_mask), at = *tail & mask;
	uint32_t *head = (uint32_t *)(r->cq + r->p.cq_off.head);
	struct io_uring_cqe *cqe;
	int n;

	r->sqes[at] = *sqe;
	((uint32_t *)(r->sq + r->p.sq_off.array))[at] = at;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	do
		n = (int)syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	while (n < 0 && errno == EINTR);
	must(n == 1, name);
	while (__atomic_load_n((uint32_t *)(r->cq + r->p.cq_off.tail), __ATOMIC_ACQUIRE) == *head)
		syscall(SYS_io_uring_enter, r->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	cqe = (struct io_uring_cqe *)(r->cq + r->p.cq_off.cqes) + (*head & (r->p.cq_entries - 1));
	errno = cqe->res < 0 ? -cqe->res : 0;
	result(name, cqe->res);
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
}

static struct io_uring_sqe transfer(int op, int fd, void *buf, uint64_t off)
{
	return (struct io_uring_sqe){ .opcode = (uint8_t)op, .fd = fd, .addr = (uintptr_t)buf,
				      .len = 4096, .off = off };
}

static void ask_ring(int fd, int direct, void *buf)
{
	struct io_uring_sqe sqe;
	struct ring r;

	if (!ring_open(&r, 0)) {
		result("io_uring", -1);
		return;
	}
	sqe = transfer(IORING_OP_READ, fd, buf, 0);
	ring_do("io_uring read", &r, &sqe);
	sqe = transfer(IORING_OP_WRITE, fd, buf, 0);
	ring_do("io_uring write", &r, &sqe);
	sqe = transfer(IORING_OP_WRITE, direct, buf, 0);
	ring_do("io_uring write O_DIRECT", &r, &sqe);
	sqe = transfer(IORING_OP_WRITE, fd, buf, 1 << 21);
	ring_do("io_uring write behind the end", &r, &sqe);
	sqe = (struct io_uring_sqe){ .opcode = IORING_OP_FSYNC, .fd = fd };
	ring_do("io_uring fsync", &r, &sqe);
	sqe = (struct io_uring_sqe){ .opcode = IORING_OP_FALLOCATE, .fd = fd, .addr = 4096 };
	ring_do("io_uring fallocate", &r, &sqe);
	sqe = (struct io_uring_sqe){ .opcode = IORING_OP_POLL_ADD, .fd = fd, .poll_events = 1 };
	ring_do("io_uring poll", &r, &sqe);
	close(r.fd);
}

static void ask_polled_ring(int fd, int direct, void *buf)
{
	struct io_uring_sqe sqe;
	struct ring r;

	if (!ring_open(&r, IORING_SETUP_IOPOLL)) {
		result("io_uring IOPOLL", -1);
		return;
	}
	sqe = transfer(IORING_OP_READ, direct, buf, 0);
	ring_do("io_uring IOPOLL read O_DIRECT", &r, &sqe);
	sqe = transfer(IORING_OP_WRITE, direct, buf, 0);
	ring_do("io_uring IOPOLL write O_DIRECT", &r, &sqe);
	sqe = transfer(IORING_OP_WRITE, direct, buf, 1 << 22);
	ring_do("io_uring IOPOLL write O_DIRECT behind the end", &r, &sqe);
	sqe = transfer(IORING_OP_READ, fd, buf, 0);
	ring_do("io_uring IOPOLL read", &r, &sqe);
	close(r.fd);
}

void ask_async(void)
{
	int fd = make_file("f", 16384), direct = open("f", O_RDWR | O_DIRECT);
	char *buf = aligned_alloc(4096, 4096);
	struct iovec iov = { buf, 4096 };

	must(direct >= 0 && buf, "open");
	memset(buf, 'u', 4096);
	ask_aio(fd, direct, buf);
	ask_ring(fd, direct, buf);
	ask_polled_ring(fd, direct, buf);
	ASK("RWF_NOWAIT read", preadv2(fd, &iov, 1, 0, RWF_NOWAIT));
	ASK("RWF_NOWAIT write in place", pwritev2(fd, &iov, 1, 0, RWF_NOWAIT));
	ASK("RWF_NOWAIT write in place, O_DIRECT", pwritev2(direct, &iov, 1, 0, RWF_NOWAIT));
	close(fd);
	close(direct);
	free(buf);
}
