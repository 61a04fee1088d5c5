// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * room.c - thin stores: the host's room for what is stored
 *
 * A thin store has holes, and a host whose disk may be full.  Before a block is
 * stored to, its 2 MiB chunk is provisioned by a request to the host, once per
 * mount: `ready` remembers which are, one bit per chunk and one word per
 * allocation group.  When the host has no room for a whole chunk, it may have
 * had it for the very blocks for long: so they are asked for, each time.  New
 * blocks come from ready chunks then, or from where some were used before:
 * `refused` remembers the chunks in which that was tried in vain.
 */
#include "medium/medium.h"

static size_t chunks_size(uint32_t nr_ags)
{
	return sizeof(struct vmem_chunks) + 2 * (size_t)nr_ags * sizeof(uint64_t);
}

struct vmem_chunks *vmem_chunks_new(struct vmem_fs *fs, uint64_t nr_blocks, uint32_t nr_ags)
{
	struct vmem_chunks *c = vmem_alloc(fs, chunks_size(nr_ags));

	if (c) {
		c->nr_blocks = nr_blocks;
		c->nr_ags = nr_ags;
		c->ready = c->word;
		c->refused = c->word + nr_ags;
	}
	return c;
}

void vmem_chunks_free(struct vmem_fs *fs, struct vmem_chunks *c)
{
	if (c)
		vmem_free(fs, c, chunks_size(c->nr_ags));
}

static struct vmem_chunks *chunks_of(const struct vmem_fs *fs)
{
	return __atomic_load_n(&fs->chunks, __ATOMIC_ACQUIRE);
}

/*
 * Who looks at the old one sees what was ready, and still is as long as its
 * blocks are in use; what it notes there is lost, and asked for again.
 */
void vmem_room_extend(struct vmem_fs *fs, struct vmem_chunks *c, uint64_t nr_blocks)
{
	struct vmem_chunks *old = chunks_of(fs);
	uint64_t last = nr_blocks - 1;
	uint32_t ag;

	for (ag = 0; ag < old->nr_ags; ag++)
		c->ready[ag] = __atomic_load_n(&old->ready[ag], __ATOMIC_RELAXED);
	/* Of the chunk with the old end, the host was asked for a part. */
	c->ready[last / fs->ag_blocks] &= ~(1ull << last % fs->ag_blocks / VMEM_CHUNK_BLOCKS);
	c->older = old;
	__atomic_store_n(&fs->chunks, c, __ATOMIC_RELEASE);
}

int vmem_room_load(struct vmem_fs *fs)
{
	int err;

	if (!fs->store->provision)
		return 0;
	fs->chunks = vmem_chunks_new(fs, fs->nr_blocks, fs->nr_ags);
	if (!fs->chunks)
		return -ENOMEM;
	/* What a mount, and the log, write without asking again. */
	err = vmem_provision(fs, 0, fs->agmeta0 + 2 + fs->itable_blocks);
	return err ? err : vmem_provision(fs, fs->backup, 1);
}

void vmem_room_unload(struct vmem_fs *fs)
{
	while (fs->chunks) {
		struct vmem_chunks *c = fs->chunks;

		fs->chunks = c->older;
		vmem_chunks_free(fs, c);
	}
}

int vmem_ask_for_room(struct vmem_fs *fs, uint64_t start, uint64_t end)
{
	int err = fs->store->provision(fs->store, start << VMEM_BLOCK_SHIFT,
				       (end - start) << VMEM_BLOCK_SHIFT);

	vmem_count(&fs->stats.provisions, 1);
	return err && err != -ENOSPC ? -EIO : err;
}

static void forget_refusals(struct vmem_fs *fs, struct vmem_chunks *c)
{
	uint32_t ag;

	if (!__atomic_exchange_n(&fs->host_full, false, __ATOMIC_RELAXED))
		return;
	for (ag = 0; ag < c->nr_ags; ag++)
		__atomic_store_n(&c->refused[ag], 0, __ATOMIC_RELAXED);
}

/*
 * The chunk was provisioned.  Whoever asked without the lock looks whether a part was
 * discarded meanwhile: not his own blocks, which are in use, but others of the chunk.
 */
static void note_ready(struct vmem_fs *fs, struct vmem_chunks *c, uint32_t ag, uint32_t chunk,
		       bool locked, uint64_t discards)
{
	if (!locked)
		vmem_lock_shared(fs);
	if (fs->discards == discards || VMEM_BROKEN(READY_LATE))
		__atomic_fetch_or(&c->ready[ag], 1ull << chunk, __ATOMIC_RELEASE);
	if (!locked)
		vmem_unlock_shared(fs);
}

/* The chunk, or at least blocks [from, to) of it. */
static int provision_chunk(struct vmem_fs *fs, struct vmem_chunks *c, uint32_t ag, uint32_t chunk,
			   uint64_t from, uint64_t to, bool locked)
{
	uint64_t discards = __atomic_load_n(&fs->discards, __ATOMIC_ACQUIRE);
	uint64_t start = (uint64_t)ag * fs->ag_blocks + chunk * VMEM_CHUNK_BLOCKS;
	uint64_t end = VMEM_MIN(start + VMEM_CHUNK_BLOCKS, c->nr_blocks);
	int err;

	end = VMEM_MIN(end, (uint64_t)(ag + 1) * fs->ag_blocks);
	err = vmem_ask_for_room(fs, start, end);
	if (err == -ENOSPC) {
		__atomic_store_n(&fs->host_full, true, __ATOMIC_RELAXED);
		return vmem_ask_for_room(fs, from, to);
	}
	if (!err) {
		forget_refusals(fs, c);
		note_ready(fs, c, ag, chunk, locked, discards);
	}
	return err;
}

int vmem_provision_slow(struct vmem_fs *fs, uint64_t start, uint64_t nr, bool locked)
{
	struct vmem_chunks *c = chunks_of(fs);
	uint64_t end = start + nr;

	while (start < end) {
		uint32_t ag = (uint32_t)(start / fs->ag_blocks);
		uint32_t in = (uint32_t)(start % fs->ag_blocks), chunk = in / VMEM_CHUNK_BLOCKS;
		uint64_t next = (uint64_t)ag * fs->ag_blocks +
				VMEM_MIN((chunk + 1) * VMEM_CHUNK_BLOCKS, fs->ag_blocks);

		if (!(__atomic_load_n(&c->ready[ag], __ATOMIC_ACQUIRE) >> chunk & 1)) {
			int err = provision_chunk(fs, c, ag, chunk, start, VMEM_MIN(end, next), locked);

			if (err)
				return err;
		}
		start = next;
	}
	return 0;
}

uint64_t vmem_ready_chunks(const struct vmem_fs *fs, uint32_t ag)
{
	return fs->chunks ? __atomic_load_n(&fs->chunks->ready[ag], __ATOMIC_ACQUIRE) : ~0ull;
}

void vmem_note_free(struct vmem_fs *fs, uint32_t ag, uint32_t chunk)
{
	__atomic_fetch_and(&fs->chunks->refused[ag], ~(1ull << chunk), __ATOMIC_RELAXED);
}

void vmem_forget_ready(struct vmem_fs *fs, struct vmem_run run)
{
	uint32_t ag = (uint32_t)(run.start / fs->ag_blocks);
	uint32_t c = (uint32_t)(run.start % fs->ag_blocks) / VMEM_CHUNK_BLOCKS;
	uint32_t last = (uint32_t)((run.start + run.len - 1) % fs->ag_blocks) / VMEM_CHUNK_BLOCKS;

	__atomic_fetch_add(&fs->discards, 1, __ATOMIC_RELEASE);
	for (; fs->chunks && c <= last && !VMEM_BROKEN(HOLE); c++)
		__atomic_fetch_and(&fs->chunks->ready[ag], ~(1ull << c), __ATOMIC_RELEASE);
}
