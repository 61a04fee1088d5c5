// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* env.c - mounting: the platform becomes the core's surroundings and its store */
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

static void *env_alloc(const struct vmem_env *env, size_t size)
{
	struct vmemos *fs = env->ctx;

	return vmemos_arena_alloc(&fs->arena, size);
}

static void env_free(const struct vmem_env *env, void *p, size_t size)
{
	struct vmemos *fs = env->ctx;

	vmemos_arena_free(&fs->arena, p, size);
}

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
	       (p->backing != VMEMOS_BACKING_DAX || (p->writeback && p->drain));
}

static void set_store(struct vmemos *fs)
{
	struct vmemos_platform *p = fs->platform;
	struct vmem_store *store = &fs->store;

	store->base = p->base;
	store->size = p->size;
	store->backing = (enum vmem_backing)p->backing;
	store->read_only = p->read_only;
	store->ctx = fs;
	memcpy(store->generation, p->generation, sizeof(store->generation));
	if (p->backing == VMEMOS_BACKING_DAX) {
		store->writeback = store_writeback;
		store->drain = store_drain;
	} else if (p->backing == VMEMOS_BACKING_PAGE_CACHE && p->flush) {
		store->flush = store_flush;
	}
}

static void set_env(struct vmemos *fs)
{
	struct vmemos_platform *p = fs->platform;
	struct vmem_env *env = &fs->env;

	env->ctx = fs;
	env->alloc = env_alloc;
	env->free = env_free;
	env->now = env_now;
	env->random = env_random;
	env->log = env_log;
	env->crc32c = p->crc32c ? p->crc32c : vmemos_best_crc32c();
	/* Pages that are home and pages that are not: twice as many, with some room. */
	env->overlay_pages = (uint32_t)(p->arena_size / (VMEM_BLOCK_SIZE + 64) * 3 / 8);
	if (!p->lock_new)
		return;
	env->lock_new = env_lock_new;
	env->lock_free = env_lock_free;
	env->lock = p->lock;
	env->unlock = p->unlock;
	env->lock_shared = p->lock_shared;
	env->unlock_shared = p->unlock_shared;
}

static int mount_core(struct vmemos *fs, const struct vmemos_mount_opts *opts)
{
	struct vmem_mount_opts o = {
		.domain = (enum vmem_domain)opts->domain,
		.read_only = opts->read_only,
	};
	struct vmem_mount_info info;
	int err;

	if (!o.domain && fs->store.backing == VMEM_BACKING_PAGE_CACHE && !fs->store.flush)
		o.domain = VMEM_DOMAIN_GUEST;
	err = vmem_mount(&fs->store, &fs->env, &o, &fs->core, &info);
	if (!err && info.was_dirty)
		env_log(&fs->env, VMEM_LOG_INFO, "recovered: %llu records replayed, %llu dropped, %llu files freed",
			(unsigned long long)info.replayed, (unsigned long long)info.dropped,
			(unsigned long long)info.orphans);
	return err;
}

static void free_mount(struct vmemos *fs)
{
	struct vmemos_arena arena = fs->arena;

	if (fs->lock)
		fs->platform->lock_free(fs->platform, fs->lock);
	vmemos_arena_fini(&arena);
}

int vmemos_mount(struct vmemos_platform *p, const struct vmemos_mount_opts *opts,
		 struct vmemos **out)
{
	static const struct vmemos_mount_opts defaults;
	struct vmemos_arena arena;
	struct vmemos *fs;
	int err;

	*out = NULL;
	if (!platform_complete(p))
		return -EINVAL;
	if (!vmemos_arena_init(&arena, p, p->arena, p->arena_size))
		return -ENOMEM;
	opts = opts ? opts : &defaults;
	fs = vmemos_arena_alloc(&arena, sizeof(*fs));
	if (!fs) {
		vmemos_arena_fini(&arena);
		return -ENOMEM;
	}
	vmemos_arena_move(&fs->arena, &arena);
	fs->platform = p;
	fs->uid = opts->uid;
	fs->gid = opts->gid;
	set_store(fs);
	set_env(fs);
	if (p->lock_new)
		fs->lock = p->lock_new(p);
	err = p->lock_new && !fs->lock ? -ENOMEM : mount_core(fs, opts);
	if (err) {
		free_mount(fs);
		return err;
	}
	fs->root.flags = VMEMOS_O_DIRECTORY;
	err = vmemos_iget(fs, VMEMOS_ROOT_INO, &fs->root.inode);
	if (err) {
		vmem_umount(fs->core);
		free_mount(fs);
		return err;
	}
	*out = fs;
	return 0;
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
	free_mount(fs);
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
	st->blocks = s.blocks;
	st->free_blocks = s.free_blocks;
	st->avail_blocks = s.avail_blocks;
	st->inodes = s.inodes;
	st->free_inodes = s.free_inodes;
	memcpy(st->uuid, s.uuid, sizeof(st->uuid));
	memcpy(st->label, s.label, sizeof(st->label));
	st->name_max = VMEM_NAME_MAX;
}

void vmemos_get_counters(struct vmemos *fs, struct vmemos_counters *c)
{
	struct vmem_stats s;

	vmem_get_stats(fs->core, &s);
	c->records = s.records;
	c->record_bytes = s.record_bytes;
	c->commits = s.commits;
	c->flushes = s.flushes;
	c->flush_ranges = s.flush_ranges;
	c->flush_bytes = s.flush_bytes;
	c->checkpoints = s.checkpoints;
	c->arena_used = fs->arena.used;
	c->arena_peak = fs->arena.peak;
}

enum vmemos_domain vmemos_get_domain(struct vmemos *fs)
{
	return (enum vmemos_domain)vmem_get_domain(fs->core);
}
