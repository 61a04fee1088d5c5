// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* env.c - mounting: the platform becomes the core's surroundings and its store */
#include "medium/hash.h"
#include "internal.h"

_Static_assert(sizeof(struct vmemos_range) == sizeof(struct vmem_range) &&
	       offsetof(struct vmemos_range, length) == offsetof(struct vmem_range, length),
	       "ranges are handed over as they are");
_Static_assert(VMEMOS_GENERATION_LEN == VMEM_GENERATION_LEN, "generation");
_Static_assert((int)VMEMOS_DOMAIN_GUEST == (int)VMEM_DOMAIN_GUEST &&
	       (int)VMEMOS_DOMAIN_HOST == (int)VMEM_DOMAIN_HOST &&
	       (int)VMEMOS_DOMAIN_PMEM == (int)VMEM_DOMAIN_PMEM, "domains");
_Static_assert((int)VMEMOS_BACKING_PAGE_CACHE == (int)VMEM_BACKING_PAGE_CACHE &&
	       (int)VMEMOS_BACKING_DAX == (int)VMEM_BACKING_DAX &&
	       (int)VMEMOS_BACKING_VOLATILE == (int)VMEM_BACKING_VOLATILE, "backings");

/* ---- struct vmem_store ---- */

static int store_flush(struct vmem_store *store, const struct vmem_range *ranges, unsigned int nr)
{
	struct vmemos *fs = store->ctx;

	return fs->platform->flush(fs->platform, (const void *)ranges, nr);
}

static int store_commit(struct vmem_store *store, const struct vmem_parts *parts)
{
	struct vmemos *fs = store->ctx;
	const struct vmemos_commit c = {
		.ranges = (const void *)parts->ranges, .nr_first = parts->nr_first, .nr = parts->nr,
		.mark_offset = parts->mark_offset, .mark_value = parts->mark_value,
	};

	return fs->platform->commit(fs->platform, &c);
}

static int store_provision(struct vmem_store *store, uint64_t off, uint64_t len)
{
	struct vmemos *fs = store->ctx;
	const struct vmemos_range range = { off, len };

	return fs->platform->provision(fs->platform, &range);
}

static void store_writeback(struct vmem_store *store, const void *addr, size_t len)
{
	struct vmemos *fs = store->ctx;

	fs->platform->writeback(fs->platform, addr, len);
}

static void store_drain(struct vmem_store *store)
{
	struct vmemos *fs = store->ctx;

	fs->platform->drain(fs->platform);
}

/* ---- struct vmem_env ---- */

static int64_t env_now(const struct vmem_env *env)
{
	struct vmemos *fs = env->ctx;

	return fs->platform->now(fs->platform);
}

static void env_random(const struct vmem_env *env, void *buf, size_t len)
{
	struct vmemos *fs = env->ctx;

	fs->platform->random(fs->platform, buf, len);
}

__attribute__((format(printf, 3, 4)))
static void env_log(const struct vmem_env *env, enum vmem_log_level level, const char *fmt, ...)
{
	struct vmemos *fs = env->ctx;
	char line[256];
	va_list ap;

	if (!fs->platform->log)
		return;
	va_start(ap, fmt);
	vmemos_vformat(line, sizeof(line), fmt, ap);
	va_end(ap);
	fs->platform->log(fs->platform, (enum vmemos_log_level)level, line);
}

static void *env_lock_new(const struct vmem_env *env)
{
	struct vmemos *fs = env->ctx;

	return fs->platform->lock_new(fs->platform);
}

static void env_lock_free(const struct vmem_env *env, void *lock)
{
	struct vmemos *fs = env->ctx;

	fs->platform->lock_free(fs->platform, lock);
}

/* ---- Mounting ---- */

static bool platform_complete(const struct vmemos_platform *p)
{
	int locks = !!p->lock_new + !!p->lock_free + !!p->lock + !!p->unlock +
		    !!p->lock_shared + !!p->unlock_shared;

	return p->base && !((uintptr_t)p->base & VMEM_BLOCK_MASK) && p->now && p->random &&
	       (locks == 0 || locks == 6) &&
	       p->backing >= VMEMOS_BACKING_PAGE_CACHE && p->backing <= VMEMOS_BACKING_VOLATILE &&
	       (p->backing != VMEMOS_BACKING_DAX || (p->writeback && p->drain));
}

static void set_store(struct vmemos *fs, const struct vmemos_platform *p)
{
	bool dax = p->backing == VMEMOS_BACKING_DAX;
	bool flush = p->backing == VMEMOS_BACKING_PAGE_CACHE && p->flush;

	fs->store = (struct vmem_store){
		.base = p->base, .size = p->size, .backing = (enum vmem_backing)p->backing,
		.read_only = p->read_only, .ctx = fs,
		.writeback = dax ? store_writeback : NULL, .drain = dax ? store_drain : NULL,
		.flush = flush ? store_flush : NULL,
		.commit = flush && p->commit ? store_commit : NULL,
		.provision = p->provision ? store_provision : NULL,
	};
	memcpy(fs->store.generation, p->generation, sizeof(p->generation));
}

static void set_env(struct vmemos *fs, const struct vmemos_platform *p)
{
	fs->env = (struct vmem_env){
		.ctx = fs, .alloc = vmemos_alloc, .free = vmemos_free, .now = env_now,
		.random = env_random, .log = env_log, .crc32c = vmem_best_crc32c(),
		.overlay_pages = vmem_overlay_pages(p->arena_size),
		.lock_new = p->lock_new ? env_lock_new : NULL,
		.lock_free = p->lock_new ? env_lock_free : NULL,
		.lock = p->lock, .unlock = p->unlock,
		.lock_shared = p->lock_shared, .unlock_shared = p->unlock_shared,
	};
}

static int mount_core(struct vmemos *fs, const struct vmemos_mount_opts *opts)
{
	struct vmem_mount_opts o = {
		.domain = (enum vmem_domain)opts->domain,
		.read_only = opts->read_only,
	};
	struct vmem_mount_info info;
	int err;

	err = vmem_mount(&fs->store, &fs->env, &o, &fs->core, &info);
	if (!err && info.was_dirty)
		env_log(&fs->env, VMEM_LOG_INFO, "recovered: %llu records replayed, %llu dropped, %llu files freed",
			(unsigned long long)info.replayed, (unsigned long long)info.dropped,
			(unsigned long long)info.orphans);
	return err;
}

static int make_locks(struct vmemos *fs, struct vmemos_platform *p)
{
	if (!p->lock_new)
		return 0;
	fs->lock = p->lock_new(p);
	fs->arena.lock = p->lock_new(p);
	return fs->lock && fs->arena.lock ? 0 : -ENOMEM;
}

static void free_locks(struct vmemos *fs, struct vmemos_platform *p)
{
	if (fs->lock)
		p->lock_free(p, fs->lock);
	if (fs->arena.lock)
		p->lock_free(p, fs->arena.lock);
}

int vmemos_mount(struct vmemos_platform *p, const struct vmemos_mount_opts *opts,
		 struct vmemos **out)
{
	static const struct vmemos_mount_opts defaults;
	struct vmemos *fs;
	int err;

	*out = NULL;
	if (!platform_complete(p))
		return -EINVAL;
	fs = vmemos_arena_init(p);
	if (!fs)
		return -ENOMEM;
	fs->platform = p;
	set_store(fs, p);
	set_env(fs, p);
	err = make_locks(fs, p);
	if (!err)
		err = mount_core(fs, opts ? opts : &defaults);
	if (!err) {
		fs->root.flags = VMEMOS_O_DIRECTORY;
		err = vmemos_iget(fs, VMEM_ROOT_INO, &fs->root.inode);
		if (err)
			vmem_umount(fs->core);
	}
	if (err)
		free_locks(fs, p);
	else
		*out = fs;
	return err;
}

int vmemos_umount(struct vmemos *fs)
{
	int err;

	vmemos_lock(fs);
	/* Besides the root nothing may be in use. */
	if (fs->nr_files || fs->nr_areas) {
		vmemos_unlock(fs);
		return -EBUSY;
	}
	vmemos_iput(fs->root.inode);
	vmemos_ishrink(fs, 0);
	vmemos_unlock(fs);
	err = vmem_umount(fs->core);
	free_locks(fs, fs->platform);
	return err;
}

struct vmemos_file *vmemos_root(struct vmemos *fs)
{
	return &fs->root;
}

int vmemos_sync(struct vmemos *fs)
{
	unsigned int i;

	vmemos_lock_shared(fs);
	for (i = 0; i < VMEMOS_BUCKETS; i++) {
		struct vmemos_inode *inode;

		for (inode = fs->hash[i]; inode; inode = inode->hash_next)
			vmemos_areas_stored(inode);
	}
	vmemos_unlock_shared(fs);
	return vmem_sync(fs->core);
}

void vmemos_statfs(struct vmemos *fs, struct vmemos_statfs *st)
{
	struct vmem_statfs s;

	vmem_statfs(fs->core, &s);
	*st = (struct vmemos_statfs){
		.blocks = s.blocks, .free_blocks = s.free_blocks, .avail_blocks = s.avail_blocks,
		.inodes = s.inodes, .free_inodes = s.free_inodes, .name_max = VMEM_NAME_MAX,
	};
	memcpy(st->uuid, s.uuid, sizeof(st->uuid));
	memcpy(st->label, s.label, sizeof(st->label));
}

void vmemos_get_counters(struct vmemos *fs, struct vmemos_counters *c)
{
	struct vmem_stats s;

	vmem_get_stats(fs->core, &s);
	*c = (struct vmemos_counters){
		.records = s.records, .record_bytes = s.record_bytes, .commits = s.commits,
		.flushes = s.flushes, .flush_ranges = s.flush_ranges,
		.flush_bytes = s.flush_bytes, .checkpoints = s.checkpoints,
		.arena_used = fs->arena.used, .arena_peak = fs->arena.peak,
	};
}

enum vmemos_domain vmemos_get_domain(struct vmemos *fs)
{
	return (enum vmemos_domain)vmem_get_domain(fs->core);
}
