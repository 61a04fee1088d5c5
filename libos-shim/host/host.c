// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * host.c - the port to a process of the host
 *
 * The image is opened, locked and mapped as the tools do it (toolenv.c: by
 * libpmem), then moved to the fixed base.  A range is flushed by pmem_msync().
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "toolenv.h"
#include "vmemos.h"

struct host {
	struct tool_image image;
	const struct vmem_env *env;
};

static int host_flush(struct vmemos_platform *p, const struct vmemos_range *ranges,
		      unsigned int nr)
{
	struct host *h = p->ctx;

	return h->image.store.flush(&h->image.store, (const void *)ranges, nr);
}

static void host_writeback(struct vmemos_platform *p, const void *addr, size_t len)
{
	struct host *h = p->ctx;

	h->image.store.writeback(&h->image.store, addr, len);
}

static void host_drain(struct vmemos_platform *p)
{
	struct host *h = p->ctx;

	h->image.store.drain(&h->image.store);
}

static int64_t host_now(struct vmemos_platform *p)
{
	struct host *h = p->ctx;

	return h->env->now(h->env);
}

static void host_random(struct vmemos_platform *p, void *buf, size_t len)
{
	struct host *h = p->ctx;

	h->env->random(h->env, buf, len);
}

static void host_log(struct vmemos_platform *p, enum vmemos_log_level level, const char *line)
{
	(void)p;
	if (level != VMEMOS_LOG_INFO)
		tool_error("%s", line);
}

static void host_console(struct vmemos_platform *p, const char *text, size_t len)
{
	(void)p;
	fwrite(text, 1, len, stdout);
	fflush(stdout);
}

/* ---- Locks ---- */

static void *host_lock_new(struct vmemos_platform *p)
{
	struct host *h = p->ctx;

	return h->env->lock_new(h->env);
}

static void host_lock_free(struct vmemos_platform *p, void *lock)
{
	struct host *h = p->ctx;

	h->env->lock_free(h->env, lock);
}

/* ---- The store ---- */

/* Move the mapping to VMEMOS_BASE; nothing else may be there. */
static int move_to_base(struct tool_image *img)
{
	void *base = (void *)(uintptr_t)VMEMOS_BASE, *hold;

	hold = mmap(base, img->mapped, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (hold == MAP_FAILED) {
		tool_error("cannot map %zu bytes at %p: %s", img->mapped, base, strerror(errno));
		return errno == EEXIST ? -EEXIST : -ENOMEM;
	}
	if (mremap(img->store.base, img->mapped, img->mapped, MREMAP_MAYMOVE | MREMAP_FIXED,
		   base) != base) {
		int err = -errno;

		tool_error("cannot move the mapping to %p: %s", base, strerror(-err));
		munmap(base, img->mapped);
		return err;
	}
	img->store.base = base;
	/* The tools touch scattered metadata only; a program reads its files. */
	madvise(base, img->mapped, MADV_NORMAL);
	return 0;
}

static int give_arena(struct vmemos_platform *p)
{
	p->arena_size = 2 * VMEMOS_ARENA_GOOD;	/* to replay the longest log; only what is used costs */
	p->arena = mmap(NULL, p->arena_size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return p->arena == MAP_FAILED ? -ENOMEM : 0;
}

int vmemos_host_open(struct vmemos_platform *p, const char *path)
{
	struct host *h = calloc(1, sizeof(*h));
	const struct vmem_store *store;
	int err;

	if (!h)
		return -ENOMEM;
	tool_init(program_invocation_short_name, false);
	h->env = tool_threaded_env();
	if (tool_open(&h->image, path, TOOL_WRITE)) {
		err = -errno;
		free(h);
		return err;
	}
	err = move_to_base(&h->image);
	store = &h->image.store;
	*p = (struct vmemos_platform){
		.ctx = h, .base = store->base, .size = store->size,
		.backing = (enum vmemos_backing)store->backing,
		.flush = store->flush ? host_flush : NULL,
		.writeback = store->writeback ? host_writeback : NULL,
		.drain = store->drain ? host_drain : NULL,
		.now = host_now, .random = host_random, .log = host_log, .console = host_console,
		.lock_new = host_lock_new, .lock_free = host_lock_free, .lock = h->env->lock,
		.unlock = h->env->unlock, .lock_shared = h->env->lock_shared,
		.unlock_shared = h->env->unlock_shared,
	};
	memcpy(p->generation, store->generation, sizeof(p->generation));
	if (!err)
		err = give_arena(p);
	if (err) {
		tool_close(&h->image);
		free(h);
	}
	return err;
}

void vmemos_host_close(struct vmemos_platform *p)
{
	struct host *h = p->ctx;

	tool_close(&h->image);
	munmap(p->arena, p->arena_size);
	free(h);
}
