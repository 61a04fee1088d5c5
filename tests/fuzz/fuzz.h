/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * fuzz.h - damaged images for the core, and what must hold on them
 *
 * An input is a header and records of 16 bytes.  A record either damages the
 * image before it is used (kind below FUZZ_OP) or is one operation on the
 * mounted file system.  The image itself is one of a few built at startup, so
 * that an input has tens of bytes, not megabytes.  After the damage checksums
 * are made right again, unless the header says not to.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "offline/check.h"
#include "medium/hash.h"
#include "offline/mkfs.h"
#include "vmem.h"

#define BLOCK		VMEM_BLOCK_SIZE
#define MAX_RECORDS	64u
#define FUZZ_OP		0x80u

struct fuzz_header {
	uint8_t base;
	uint8_t mount;		/* MOUNT_* */
	uint8_t keep;		/* KEEP_*: checksums that are not made right */
	uint8_t backing;	/* 0: that of the image, else an enum vmem_backing */
	uint8_t fail_alloc;	/* the how manieth allocation fails; 0: none */
	uint8_t unused[3];
};

#define MOUNT_DOMAIN		0x03	/* enum vmem_domain */
#define MOUNT_READ_ONLY		0x04
#define MOUNT_NO_RECOVERY	0x08
#define MOUNT_CHECK		0x10
#define MOUNT_CHECK_DONE	0x20
#define MOUNT_STORE_READ_ONLY	0x40
#define MOUNT_HOST_FAILED	0x80	/* the backing generation is another one */

#define KEEP_SUPER	0x01
#define KEEP_ROOT	0x02
#define KEEP_INODES	0x04
#define KEEP_LOG	0x08
#define KEEP_XATTRS	0x10

struct fuzz_record {
	uint8_t kind, a, d, e;
	uint16_t b, c;
	uint64_t v;
};

struct fuzz_input {
	struct fuzz_header head;
	struct fuzz_record rec[MAX_RECORDS];
	size_t nr;
};

/* An image to damage, and where its structures lie. */
struct base {
	const char *name;
	uint8_t *image, *work;		/* as built; as the harness left it */
	uint8_t *touched;		/* per block: work may differ from image */
	uint64_t nr_blocks;
	enum vmem_backing backing;
	bool dirty;			/* the log must be replayed */
	struct vmem_superblock sb;
	uint32_t node[128], ino[64];	/* tree nodes; inodes in use */
	uint64_t rec[256];		/* store offsets of log records */
	unsigned int nr_nodes, nr_inos, nr_recs;
	uint64_t log_end;		/* LSN behind the newest record */
};

/* The harness's world: one store, one environment. */
struct world {
	struct base *base;
	struct vmem_store store;
	struct vmem_env env;
	uint64_t live, peak, allocs, fail_at, clock, rng;
	bool frozen;			/* a store to the medium is a bug */
	bool damaged;			/* the core has reported damage */
	bool repairing;			/* superblocks may be stored to */
	bool pristine;			/* it must not */
	bool verbose;
};
extern struct world world;

/* Say what broke and abort. */
void broken(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* ---- world.c ---- */

/* The base's image as built, its store and a fresh environment. */
void world_start(struct base *base, const struct fuzz_header *head);
/* Nothing may be left allocated; work is put back when it is used next. */
void world_end(void);
/* Everything the core allocated is forgotten, as after a crash. */
void world_crash(void);
void world_touch(uint64_t off, uint64_t len);
/* The findings of a full check. */
int64_t world_check(bool *needs_check);
/* Is err a result that vmem.h allows anywhere? */
void expect_errno(int64_t err);
void init_world(struct base *base);

/* ---- bases.c ---- */

enum {
	BASE_SMALL, BASE_GROUPS, BASE_LOG_HOST, BASE_LOG_GUEST, BASE_LOG_PMEM, BASE_WIDE, NR_BASES
};
extern struct base bases[NR_BASES];
void make_bases(void);

/* ---- damage.c ---- */

bool decode_input(const uint8_t *data, size_t size, struct fuzz_input *in);
size_t encode_input(const struct fuzz_input *in, uint8_t *data, size_t max);
/* Apply the damage of all records, then make checksums right. */
void apply_damage(const struct fuzz_input *in);
bool has_damage(const struct fuzz_input *in);
/* Tell people what the input does. */
void print_input(const struct fuzz_input *in);
/* Damage one record while the file system is mounted: blocks that a file could hold. */
void scribble(const struct fuzz_record *r);

/* ---- mutate.c ---- */

/* Change, add or remove a few records; the same code for both drivers. */
size_t mutate_input(uint8_t *data, size_t size, size_t max, uint64_t seed);

/* ---- walk.c ---- */

int mount_input(const struct fuzz_input *in, struct vmem_fs **fs, struct vmem_mount_info *info);
/* Look at everything that the root leads to. */
void walk_all(struct vmem_fs *fs);
/* Do what the records say; returns the file system, which may be another mount. */
struct vmem_fs *run_ops(struct vmem_fs *fs, const struct fuzz_input *in);
const char *op_name(uint8_t kind);
/* One of each operation. */
void run_standard_ops(struct vmem_fs *fs);

/* ---- fuzz_*.c ---- */

extern const char *const harness_name;
/* The base that the harness takes for this header. */
void fuzz_one(const struct fuzz_input *in);

#endif
