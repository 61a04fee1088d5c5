/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * machine.h - a machine that runs the core over an image, and can record all
 * that happens to it: every store, write-back, drain and flush
 */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "offline/check.h"
#include "offline/mkfs.h"
#include "vmem.h"

#define FS_SIZE		(2u << 20)
#define IMAGE_SIZE	(FS_SIZE + (512u << 10))	/* room to grow */
#define PAGE		4096u
#define PAGES		(IMAGE_SIZE / PAGE)
#define SECTOR		512u
#define LINE		64u
#define LINES		(IMAGE_SIZE / LINE)

/* What fails, and how the file system was mounted. */
enum mode {
	MODE_GUEST,		/* durability=guest, the VM is killed */
	MODE_KILL,		/* durability=host, the VM is killed */
	MODE_HOST,		/* durability=host, the host fails */
	MODE_PMEM,		/* DAX, power fails */
	NR_MODES
};

extern const char *const mode_name[NR_MODES];

enum event_kind {
	EV_STORE,		/* data: the bytes that are there then */
	EV_WRITEBACK,		/* cache lines [off, off + len) on their way */
	EV_DRAIN,		/* ... have arrived */
	EV_FLUSH,		/* completed flush of the ranges in data */
	EV_BEGIN,		/* the operation `off` begins, */
	EV_DONE,		/* has returned */
};

struct event {
	enum event_kind kind;
	uint32_t off, len;	/* bytes; EV_FLUSH: len is the number of ranges */
	size_t data;		/* position in trace.bytes */
};

struct trace {
	struct event *ev;
	size_t nr, max;
	uint8_t *bytes;
	size_t nr_bytes, max_bytes;
};

struct machine {
	struct vmem_store store;
	struct vmem_env env;
	uint8_t *image;
	bool two_flushes;	/* the store has no commit in two parts */
	bool thin;		/* pages must be provisioned, and can be discarded */
	bool mounted;		/* since the last machine_forget() */
	bool provided[PAGES];	/* provisioned in this mount, and not discarded since */
	int hole;		/* the first page that was stored to without that; -1: none */
	struct trace *trace;	/* NULL: nothing is recorded */
	uint8_t *shadow;	/* the image as the trace has it, while recording */
	bool touched[PAGES];	/* stored to since somebody looked */
	uint32_t touched_list[PAGES];
	unsigned int nr_touched;
	int64_t clock;
	uint64_t rng;
	uint64_t live;		/* bytes that the core has allocated */
	uint8_t *arena;
	size_t arena_used, arena_top;
	void *blocks;
	char last_log[300];
	char finding[300];	/* first one of machine_check() */
};

void machine_init(struct machine *m);
void machine_free(struct machine *m);
/* Backing as the mode wants it. */
void machine_set_mode(struct machine *m, enum mode mode);
/* From now on all goes into t (emptied before, unless more). */
void machine_record(struct machine *m, struct trace *t, bool more);
/* Store the start image, all of it. */
void machine_load(struct machine *m, const uint8_t *start);
/* As machine_record(), after machine_load() and one machine_record(): back to the start first. */
void machine_record_again(struct machine *m, struct trace *t, const uint8_t *start);
void machine_stop_recording(struct machine *m);
/* All that the core had allocated is gone, as after a crash. */
void machine_forget(struct machine *m);
/* The bytes were stored by somebody else than the core; on DAX, written back. */
void machine_stored(struct machine *m, uint64_t off, size_t len);
int machine_mount(struct machine *m, enum mode mode, struct vmem_fs **fs);
/* Was a page stored to, in this mount, that had not been provisioned?  Notes the finding. */
bool machine_met_hole(struct machine *m);
/* Number of findings of a full check; a hole is one. */
int64_t machine_check(struct machine *m);

void trace_add(struct trace *t, enum event_kind kind, uint32_t off, uint32_t len,
	       const void *data, size_t data_len);
void trace_free(struct trace *t);
/* The first nr events of t, as a trace of its own. */
void trace_copy(struct trace *to, const struct trace *t, size_t nr);
void trace_print(const struct machine *m, const struct event *e, const struct trace *t);

uint64_t mix(uint64_t x);

#endif
