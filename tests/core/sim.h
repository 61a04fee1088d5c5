/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * sim.h - a store in memory, and the three ways in which it can fail
 *
 * `now` is what the guest sees (on a page-cache backing: the host's page
 * cache); `durable` is what the host's disk, or the DIMM, has for sure.  In
 * between lie, for a page-cache backing, some versions that each page went
 * through since its last completed flush, and for a DAX backing the cache
 * lines that were not written back and drained.
 */
#ifndef SIM_H
#define SIM_H

#include <pthread.h>
#include "offline/check.h"
#include "offline/mkfs.h"
#include "vmem.h"

#define SIM_SNAPS	3u	/* versions kept of a page that is not flushed */
#define SIM_REQUESTS	16u	/* flush requests remembered */
#define SIM_REQ_RANGES	300u

enum sim_failure {
	SIM_GUEST = VMEM_DOMAIN_GUEST,	/* nothing is lost */
	SIM_HOST = VMEM_DOMAIN_HOST,	/* page cache lost, torn at 512 bytes */
	SIM_PMEM = VMEM_DOMAIN_PMEM,	/* cache lines lost, torn at 8 bytes */
};

struct sim_page {
	bool dirty;
	unsigned int nr;
	uint8_t *snap[SIM_SNAPS];
};

struct sim_request {
	unsigned int nr;
	struct vmem_range r[SIM_REQ_RANGES];
};

struct sim_block;

struct sim {
	struct vmem_store store;
	struct vmem_env env;
	uint8_t *now, *durable;
	uint64_t size;
	uint64_t rng;			/* state of the generator; the seed at first */
	int64_t clock;

	/* page-cache backing */
	bool snapshots;			/* keep versions of pages (slower) */
	struct sim_page *pages;
	unsigned int flushes;		/* since the last sim_forget_flushes() */
	struct sim_request requests[SIM_REQUESTS];
	unsigned int commits;		/* in two parts; each part is a flush, too */
	bool flush_fails;
	void (*on_flush)(void *arg);	/* called at the start of each flush */
	void *on_flush_arg;

	/* DAX backing */
	uint8_t *line;			/* per 64 bytes: enum line_state */
	uint64_t *dirty_lines;
	size_t nr_dirty_lines;
	unsigned int writebacks, drains;

	/* a failure in the middle of things: at that store, the image it leaves */
	uint64_t stores, fail_at;	/* fail_at 0: never */
	enum sim_failure fail_kind;
	uint8_t *left;			/* NULL until it happened */

	/* memory */
	struct sim_block *blocks;
	uint64_t live;			/* bytes allocated now */
	uint64_t allocs, alloc_fails_at; /* the how manieth allocation fails; 0: none */

	char last_log[512];		/* newest line of the core */
	unsigned int log_lines;
	bool quiet;			/* do not print what a check finds */
	pthread_mutex_t mutex;		/* of all the above, where threads come in */
};

/* A store of size bytes of rubbish.  Backing as in vmem.h. */
struct sim *sim_new(uint64_t size, enum vmem_backing backing, uint64_t seed);
/* A store that holds image, here and on the host's disk. */
struct sim *sim_new_of(const uint8_t *image, uint64_t size, enum vmem_backing backing, uint64_t seed);
void sim_free(struct sim *sim);

/* Let env have real locks. */
void sim_use_threads(struct sim *sim);

/* Everything the core allocated is gone, as after a crash. */
void sim_forget_memory(struct sim *sim);
void sim_forget_flushes(struct sim *sim);
/* The store takes commits in two parts from the next mount on. */
void sim_use_commits(struct sim *sim);

/* The bytes [off, off+len) were stored by somebody else than the core. */
void sim_stored(struct sim *sim, uint64_t off, size_t len);
/* Follow the caller's duty of vmem_copy: store and, on DAX, write back. */
void sim_store(struct sim *sim, void *to, const void *from, size_t len);

/* Make the image that a failure leaves; the store goes on with sim_restart(). */
uint8_t *sim_failed_image(struct sim *sim, enum sim_failure kind);
/* Continue from image (of big_alloc(), given back), as a machine that boots again. */
void sim_restart(struct sim *sim, uint8_t *image, enum sim_failure kind);

/* Both at once: fail, and go on. */
void sim_fail(struct sim *sim, enum sim_failure kind);

/* Number of findings of a full check of the store as it lies, each printed. */
int64_t sim_check(struct sim *sim);

/* Is the byte at off in a range of the i-th flush request? */
bool sim_request_has(const struct sim *sim, unsigned int i, uint64_t off);

uint64_t sim_random(struct sim *sim, uint64_t below);

#endif
