// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* super.c - mount, unmount, roots, statistics */
#include "medium/geometry.h"
#include "mount.h"
#include "medium/root.h"

/* ---- Errors ---- */

/* Sticky.  Also asks for a checkpoint, which notes it in the root. */
static void set_error(struct vmem_fs *fs, int err)
{
	VMEM_FLAG(fs->error, err);
	if (fs->env->kick)
		fs->env->kick(fs->env);
}

int vmem_corrupt(struct vmem_fs *fs, uint64_t ino, uint64_t block, const char *what)
{
	if (!vmem_error(fs)) {
		set_error(fs, -EUCLEAN);
		fs->env->log(fs->env, VMEM_LOG_ERR,
			     "damaged: %s (inode %llu, block %llu); now read-only, unmount and run fsck.vmemfs",
			     what, (unsigned long long)ino, (unsigned long long)block);
	}
	return -EUCLEAN;
}

int vmem_report_damage(struct vmem_fs *fs, uint64_t ino, const char *what)
{
	return vmem_corrupt(fs, ino, 0, what);
}

int vmem_io_failed(struct vmem_fs *fs)
{
	if (vmem_error(fs) != -EIO) {
		set_error(fs, -EIO);
		fs->env->log(fs->env, VMEM_LOG_ERR,
			     "the host could not read or write back the store; nothing since the last fsync is durable, now read-only: check the host's disk");
	}
	return -EIO;
}

int vmem_report_loss(struct vmem_fs *fs)
{
	return vmem_io_failed(fs);
}

int vmem_refusal(const struct vmem_fs *fs)
{
	return vmem_error(fs) == -EIO ? -EIO : -EROFS;
}

/* ---- Superblock ---- */

#define BAD_SB(env, code, ...) \
	((env)->log((env), VMEM_LOG_ERR, __VA_ARGS__), (code))

static int check_version(const struct vmem_env *env, const struct vmem_superblock *sb,
			 bool *force_ro)
{
	uint64_t in = vmem_get64(sb->incompat) & ~VMEM_INCOMPAT_KNOWN;
	uint64_t ro = vmem_get64(sb->ro_compat) & ~VMEM_RO_COMPAT_KNOWN;

	if (vmem_get16(sb->version_major) != VMEM_VERSION_MAJOR)
		return BAD_SB(env, -EPROTONOSUPPORT,
			      "format version %u, this code knows %u: use the vmemfs that wrote it",
			      vmem_get16(sb->version_major), VMEM_VERSION_MAJOR);
	if (in)
		return BAD_SB(env, -EPROTONOSUPPORT,
			      "unknown incompatible features 0x%llx: use a newer vmemfs",
			      (unsigned long long)in);
	if (ro)
		env->log(env, VMEM_LOG_WARN,
			 "unknown features 0x%llx make it read-only here: use a newer vmemfs to write",
			 (unsigned long long)ro);
	*force_ro = ro != 0;
	return 0;
}

static bool geometry_ok(const struct vmem_fs *fs)
{
	uint64_t descs, log_end, ag0_end;

	if (fs->nr_blocks < VMEM_MIN_BLOCKS || fs->nr_blocks > VMEM_MAX_BLOCKS)
		return false;
	if (!fs->ag_blocks || fs->ag_blocks > VMEM_MAX_AG_BLOCKS || fs->ag_blocks % 8)
		return false;
	if (fs->nr_ags != (fs->nr_blocks + fs->ag_blocks - 1) / fs->ag_blocks)
		return false;
	if (!fs->inodes_per_ag || fs->inodes_per_ag > VMEM_MAX_AG_INODES ||
	    fs->inodes_per_ag % VMEM_INODES_PER_BLOCK ||
	    fs->itable_blocks != fs->inodes_per_ag / VMEM_INODES_PER_BLOCK)
		return false;
	if (fs->nr_inodes != (uint64_t)fs->nr_ags * fs->inodes_per_ag ||
	    fs->nr_inodes > UINT32_MAX)
		return false;
	descs = (fs->nr_ags * sizeof(struct vmem_ag_desc) + VMEM_BLOCK_MASK) >> VMEM_BLOCK_SHIFT;
	if (fs->desc_start != VMEM_DESC_START || fs->log_blocks < VMEM_MIN_LOG_BLOCKS ||
	    fs->log_blocks > fs->nr_blocks || fs->log_start < fs->desc_start + descs)
		return false;
	log_end = fs->log_start + fs->log_blocks;
	ag0_end = VMEM_MIN(fs->ag_blocks, fs->nr_blocks);
	if (fs->log_start > ag0_end || fs->agmeta0 < log_end ||
	    fs->agmeta0 > ag0_end || fs->agmeta0 + 2 + fs->itable_blocks + 1 > ag0_end)
		return false;
	/* The backup superblock lies behind the metadata of the last group. */
	if ((uint64_t)(fs->nr_ags - 1) * fs->ag_blocks + 2 + fs->itable_blocks + 1 > fs->nr_blocks)
		return false;
	return fs->backup == fs->nr_blocks - 1;
}

static int take_super(struct vmem_fs *fs, const struct vmem_superblock *sb)
{
	const struct vmem_env *env = fs->env;

	fs->nr_blocks = vmem_get64(sb->nr_blocks);
	fs->nr_inodes = vmem_get64(sb->nr_inodes);
	fs->desc_start = vmem_get64(sb->desc_start);
	fs->log_start = vmem_get64(sb->log_start);
	fs->log_blocks = vmem_get64(sb->log_blocks);
	fs->agmeta0 = vmem_get64(sb->agmeta0);
	fs->backup = vmem_get64(sb->backup);
	fs->ag_blocks = vmem_get32(sb->ag_blocks);
	fs->nr_ags = vmem_get32(sb->nr_ags);
	fs->inodes_per_ag = vmem_get32(sb->inodes_per_ag);
	fs->itable_blocks = vmem_get32(sb->itable_blocks);
	memcpy(fs->hash_key, sb->hash_key, sizeof(fs->hash_key));
	memcpy(fs->uuid, sb->uuid, sizeof(fs->uuid));
	memcpy(fs->label, sb->label, VMEM_LABEL_LEN);
	if (!geometry_ok(fs))
		return BAD_SB(env, -EUCLEAN, "the superblock contradicts itself: run fsck.vmemfs");
	if (fs->nr_blocks > fs->store->size >> VMEM_BLOCK_SHIFT)
		return BAD_SB(env, -EINVAL,
			      "the store has %llu bytes, the file system needs %llu: it was truncated; restore it, or run fsck.vmemfs, which says how to keep the rest",
			      (unsigned long long)fs->store->size,
			      (unsigned long long)fs->nr_blocks << VMEM_BLOCK_SHIFT);
	fs->log_off = fs->log_start << VMEM_BLOCK_SHIFT;
	fs->log_size = fs->log_blocks << VMEM_BLOCK_SHIFT;
	return 0;
}

/* ---- Roots ---- */

static uint64_t root_off(unsigned int slot)
{
	return (uint64_t)VMEM_ROOT_BLOCK(slot) << VMEM_BLOCK_SHIFT;
}

/* The newest root of the file system with this uuid. */
static bool find_root(struct vmem_fs *fs)
{
	unsigned int slot = vmem_newest_root(fs->store->base, fs->uuid, fs->crc, &fs->root);

	if (slot < VMEM_NR_ROOTS)
		fs->root_slot = slot;
	return slot < VMEM_NR_ROOTS;
}

/* Has somebody else written a root since this mount read or wrote its own? */
static bool root_is_others(struct vmem_fs *fs)
{
	struct vmem_root r;
	unsigned int slot = vmem_newest_root(fs->store->base, fs->uuid, fs->crc, &r);

	return slot != fs->root_slot || vmem_get64(r.seq) != vmem_get64(fs->root.seq);
}

/* The superblock, or what it is going to be, and the newest root. */
static int read_super(struct vmem_fs *fs, bool *force_ro)
{
	const struct vmem_env *env = fs->env;
	struct vmem_superblock sb, grown;
	bool found, growing;
	int err;

	if (fs->store->size < VMEM_MIN_BLOCKS * VMEM_BLOCK_SIZE)
		return BAD_SB(env, -EINVAL, "the store has %llu bytes, too small for vmemfs",
			      (unsigned long long)fs->store->size);
	memcpy(&sb, fs->store->base, sizeof(sb));
	if (vmem_get64(sb.magic) != VMEM_SB_MAGIC)
		return BAD_SB(env, -EINVAL, "no vmemfs found: run mkfs.vmemfs, or give the right device");
	err = check_version(env, &sb, force_ro);
	if (err)
		return err;
	memcpy(fs->uuid, sb.uuid, sizeof(fs->uuid));
	found = find_root(fs);
	growing = found && vmem_growing(fs, &fs->root, &grown);
	if (!growing && !vmem_sb_sealed(&sb, fs->crc))
		return BAD_SB(env, -EUCLEAN, "the superblock is damaged (checksum): run fsck.vmemfs");
	err = take_super(fs, growing ? &grown : &sb);
	if (err)
		return err;
	if (!found)
		return BAD_SB(env, -EUCLEAN, "both root slots are damaged: run fsck.vmemfs");
	if (!growing)
		vmem_forget_growth(&fs->root);
	fs->tail = vmem_get64(fs->root.tail);
	fs->head = fs->tail;
	fs->seed = vmem_get32(fs->root.log_seed);
	return 0;
}

/* Write the other slot.  It becomes valid at once, by its checksum, or not at all. */
static void put_root(struct vmem_fs *fs, uint32_t state, uint64_t tail)
{
	struct vmem_root *r = &fs->root;
	unsigned int slot = VMEM_BROKEN(ROOT_IN_PLACE) ? fs->root_slot : 1 - fs->root_slot;
	uint32_t keep = vmem_get32(r->state) & ~VMEM_STATE_MOUNTED;

	r->state = vmem_le32_of(keep | state);
	r->seq = vmem_le64_of(vmem_get64(r->seq) + 1);
	r->tail = vmem_le64_of(tail);
	r->log_seed = vmem_le32_of(fs->seed);
	r->domain = vmem_le32_of(fs->domain);
	r->write_time = vmem_le64_of((uint64_t)vmem_now(fs));
	r->applied = vmem_le64_of(tail);
	r->csum = vmem_le32_of(vmem_root_csum(fs->crc, r));
	vmem_put64(fs->store, root_off(slot) + offsetof(struct vmem_root, applied), tail);
	vmem_fence(fs->store);
	vmem_put(fs->store, root_off(slot), r, 256);
	vmem_fence(fs->store);
	fs->root_slot = slot;
	fs->pmem_applied = tail;
}

static int flush_range(struct vmem_fs *fs, uint64_t off, uint64_t len)
{
	struct vmem_range r = { off, len };

	if (!fs->store->flush)
		return 0;
	vmem_count(&fs->stats.flushes, 1);
	vmem_count(&fs->stats.flush_ranges, 1);
	vmem_count(&fs->stats.flush_bytes, len);
	return fs->store->flush(fs->store, &r, 1) ? vmem_io_failed(fs) : 0;
}

int vmem_write_root(struct vmem_fs *fs, uint32_t state, uint64_t tail)
{
	put_root(fs, state, tail);
	if (vmem_immediate(fs))
		return 0;
	return flush_range(fs, root_off(fs->root_slot), VMEM_BLOCK_SIZE);
}

int vmem_settle(struct vmem_fs *fs, uint64_t off, uint64_t len)
{
	vmem_fence(fs->store);
	return flush_range(fs, off, len);
}

int vmem_rewrite_root(struct vmem_fs *fs)
{
	/* What is home already must not be replayed: put_root() says `applied` anew. */
	uint64_t tail = vmem_immediate(fs) ? fs->head : vmem_get64(fs->root.tail);

	vmem_fence(fs->store);
	put_root(fs, VMEM_STATE_MOUNTED, tail);
	return flush_range(fs, root_off(fs->root_slot), VMEM_BLOCK_SIZE);
}

/* ---- Sessions: from the first root that says "mounted" to one that does not ---- */

/*
 * Home is complete and tail == head.  Both slots must say "mounted" on the
 * host's disk before anything is stored: in the domain guest nothing else is
 * flushed later, and an old "clean" root would hide a failed host.
 */
static int start_session(struct vmem_fs *fs)
{
	struct vmem_root *r = &fs->root;
	unsigned int i;

	fs->env->random(fs->env, &fs->seed, sizeof(fs->seed));
	memcpy(r->generation, fs->store->generation, VMEM_GENERATION_LEN);
	r->mount_count = vmem_le64_of(vmem_get64(r->mount_count) + 1);
	if (vmem_get64(r->grow_to))
		r->grow_mount = r->mount_count;
	r->mount_time = vmem_le64_of((uint64_t)vmem_now(fs));
	fs->head = vmem_align_up(fs->head, VMEM_REC_ALIGN);
	fs->tail = fs->head;
	fs->last_op = fs->head;
	fs->committed = fs->head;
	fs->flushed = fs->head;
	fs->group_start = fs->head;
	fs->floor = fs->head;
	fs->chain = fs->seed;
	for (i = 0; i < VMEM_NR_ROOTS; i++) {
		int err;

		put_root(fs, VMEM_STATE_MOUNTED, fs->tail);
		err = flush_range(fs, root_off(fs->root_slot), VMEM_BLOCK_SIZE);
		if (err) {
			vmem_note_error(fs);
			return err;
		}
	}
	VMEM_FLAG(fs->read_only, false);
	return 0;
}

static int end_session(struct vmem_fs *fs)
{
	int err = vmem_sync(fs);

	if (!err)
		err = vmem_checkpoint(fs);
	/* "Clean" is a promise to the host domain too. */
	if (!err && vmem_immediate(fs))
		err = flush_range(fs, 0, fs->store->size);
	if (vmem_error(fs)) {
		int noted = vmem_note_error(fs);

		return vmem_error(fs) == -EUCLEAN ? noted : -EIO;
	}
	if (err)
		return err;
	if (fs->check_done)
		fs->root.state = vmem_le32_of(0);
	put_root(fs, 0, fs->head);
	fs->tail = fs->head;
	VMEM_FLAG(fs->read_only, true);
	err = flush_range(fs, root_off(fs->root_slot), VMEM_BLOCK_SIZE);
	if (err)
		vmem_note_error(fs);
	return err;
}

/* ---- Mount ---- */

static int choose_domain(struct vmem_fs *fs, enum vmem_domain want)
{
	switch (fs->store->backing) {
	case VMEM_BACKING_DAX:
		fs->domain = VMEM_DOMAIN_PMEM;
		break;
	case VMEM_BACKING_VOLATILE:
		fs->domain = VMEM_DOMAIN_GUEST;
		break;
	default:
		/* Where nothing can be stored, nothing needs a flush. */
		if (!want && !fs->store->flush && !fs->store->read_only)
			want = VMEM_DOMAIN_GUEST;
		fs->domain = want == VMEM_DOMAIN_GUEST ? VMEM_DOMAIN_GUEST : VMEM_DOMAIN_HOST;
	}
	if (want && want != fs->domain)
		return BAD_SB(fs->env, -ENOTSUP, want == VMEM_DOMAIN_HOST ?
			      "durability=host is not possible on this backing: mount without it" :
			      "this durability is not possible on this backing: mount without it");
	if (fs->domain == VMEM_DOMAIN_HOST && !fs->store->flush && !fs->store->read_only)
		return BAD_SB(fs->env, -ENOTSUP,
			      "durability=host needs a store that can flush: mount with durability=guest");
	return 0;
}

static void fs_free(struct vmem_fs *fs)
{
	const struct vmem_env *env = fs->env;
	void *locks[] = { fs->lock, fs->ckpt_lock, fs->commit_lock, fs->dirty_lock };
	struct vmem_rangeset *sets[] = { fs->linked, fs->linked_spare, fs->stored,
					 fs->stored_spare, fs->home, fs->log_set,
					 fs->ckpt_set };
	size_t i;

	if (fs->buckets)
		vmem_overlay_drop(fs, true);
	vmem_alloc_unload(fs);
	vmem_space_unload(fs);
	for (i = 0; i < sizeof(locks) / sizeof(locks[0]); i++)
		if (locks[i])
			env->lock_free(env, locks[i]);
	for (i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		vmem_free(fs, sets[i], sizeof(*sets[i]));
	vmem_free(fs, fs->buckets, VMEM_OVERLAY_BUCKETS * sizeof(fs->buckets[0]));
	vmem_free(fs, fs->logged, VMEM_LOGGED_MAX * sizeof(fs->logged[0]));
	vmem_free(fs, fs->txn.buf, VMEM_TXN_BYTES);
	vmem_free(fs, fs->txn.undo, 2 * VMEM_TXN_BYTES);
	vmem_free(fs, fs->scratch, 2 * VMEM_BLOCK_SIZE);
	vmem_free(fs, fs, sizeof(*fs));
}

static bool alloc_parts(struct vmem_fs *fs)
{
	const struct vmem_env *env = fs->env;
	struct vmem_rangeset **sets[] = { &fs->linked, &fs->linked_spare, &fs->stored,
					  &fs->stored_spare, &fs->home, &fs->log_set,
					  &fs->ckpt_set };
	void **locks[] = { &fs->lock, &fs->ckpt_lock, &fs->commit_lock, &fs->dirty_lock };
	bool ok = true;
	size_t i;

	for (i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		ok &= (*sets[i] = vmem_alloc(fs, sizeof(**sets[i]))) != NULL;
	for (i = 0; env->lock_new && i < sizeof(locks) / sizeof(locks[0]); i++)
		ok &= (*locks[i] = env->lock_new(env)) != NULL;
	fs->buckets = vmem_alloc(fs, VMEM_OVERLAY_BUCKETS * sizeof(fs->buckets[0]));
	fs->logged = vmem_alloc(fs, VMEM_LOGGED_MAX * sizeof(fs->logged[0]));
	fs->txn.buf = vmem_alloc(fs, VMEM_TXN_BYTES);
	fs->txn.undo = vmem_alloc(fs, 2 * VMEM_TXN_BYTES);
	fs->txn.fs = fs;
	fs->scratch = vmem_alloc(fs, 2 * VMEM_BLOCK_SIZE);
	return ok && fs->buckets && fs->logged && fs->txn.buf && fs->txn.undo && fs->scratch;
}

static bool same_generation(const struct vmem_fs *fs)
{
	static const uint8_t unknown[VMEM_GENERATION_LEN];

	return memcmp(fs->root.generation, unknown, sizeof(unknown)) &&
	       !memcmp(fs->root.generation, fs->store->generation, sizeof(unknown));
}

/* Replay the log into the overlay, if the last session did not end. */
static int recover_log(struct vmem_fs *fs, const struct vmem_mount_opts *opts,
		       struct vmem_mount_info *info)
{
	uint32_t was = vmem_get32(fs->root.domain), state = vmem_get32(fs->root.state);
	bool host_failed = was != VMEM_DOMAIN_PMEM && !same_generation(fs);

	info->was_dirty = state & VMEM_STATE_MOUNTED;
	info->host_failed = info->was_dirty && host_failed;
	if (info->host_failed && was != VMEM_DOMAIN_HOST)
		fs->root.state = vmem_le32_of(state | VMEM_STATE_NEEDS_CHECK);
	if (vmem_get32(fs->root.state) & VMEM_STATE_NEEDS_CHECK && !opts->check)
		return BAD_SB(fs->env, -EUCLEAN,
			      "the host failed (or the image was copied) while mounted with durability=guest: run fsck.vmemfs -p");
	if (state & VMEM_STATE_ERROR && !opts->check)
		fs->env->log(fs->env, VMEM_LOG_WARN, "damage or a failed write-back was met earlier: run fsck.vmemfs");
	if (!info->was_dirty)
		return 0;
	return vmem_recover(fs, info->host_failed && was == VMEM_DOMAIN_HOST, info);
}

/* Recovery's result goes home and becomes durable; the log starts anew. */
static int settle_recovery(struct vmem_fs *fs, const struct vmem_mount_info *info)
{
	int err = 0;

	if (vmem_get32(fs->root.domain) == VMEM_DOMAIN_HOST && !info->host_failed && fs->store->flush &&
	    !VMEM_BROKEN(RECOVERY_EARLY))
		err = vmem_close_recovered(fs);
	if (err)
		return err;
	err = vmem_overlay_provision(fs);
	if (err)
		return err;
	vmem_overlay_writeback(fs, fs->ckpt_set);
	fs->ckpt_set->nr = 0;
	fs->home->nr = 0;
	vmem_fence(fs->store);
	/* What the lost session had stored but not flushed is unknown: flush all. */
	err = flush_range(fs, 0, fs->store->size);
	vmem_overlay_drop(fs, true);
	return err;
}

static int load_space(struct vmem_fs *fs)
{
	int err = vmem_space_load(fs);

	if (err != -ENOSPC)
		return err;
	return BAD_SB(fs->env, err,
		      "the host has no room for what a mount writes: free space on its disk");
}

static int mount_steps(struct vmem_fs *fs, const struct vmem_mount_opts *opts,
		       struct vmem_mount_info *info)
{
	bool ro = opts->read_only || opts->no_recovery, force_ro = false;
	int err = read_super(fs, &force_ro);

	if (!err)
		err = choose_domain(fs, opts->domain);
	if (!err && !opts->no_recovery && !fs->store->read_only)
		err = load_space(fs);
	if (!err && VMEM_BROKEN(ORPHANS_EARLY))
		err = vmem_alloc_load(fs);
	if (!err && !opts->no_recovery)
		err = recover_log(fs, opts, info);
	if (!err && !VMEM_BROKEN(ORPHANS_EARLY))
		err = vmem_alloc_load(fs);
	if (err)
		return err;
	fs->read_only = true;
	fs->never_write = opts->no_recovery || force_ro;
	if (fs->store->read_only || opts->no_recovery || (force_ro && !info->was_dirty))
		return 0;
	if (force_ro)
		return BAD_SB(fs->env, -EROFS,
			      "needs recovery, but has unknown read-only features: use a newer vmemfs");
	if (ro && !info->was_dirty)
		return 0;
	if (info->was_dirty)
		err = settle_recovery(fs, info);
	if (!err)
		err = start_session(fs);
	if (!err)
		err = vmem_resume_growth(fs);
	if (!err)
		err = vmem_recover_orphans(fs, info);
	if (!err && ro)
		err = end_session(fs);
	return err;
}

int vmem_mount(struct vmem_store *store, const struct vmem_env *env,
	       const struct vmem_mount_opts *opts, struct vmem_fs **out,
	       struct vmem_mount_info *info)
{
	struct vmem_mount_info local;
	struct vmem_fs *fs;
	int err;

	if (!info)
		info = &local;
	memset(info, 0, sizeof(*info));
	fs = env->alloc(env, sizeof(*fs));
	if (!fs)
		return -ENOMEM;
	fs->store = store;
	fs->env = env;
	fs->crc = env->crc32c ? env->crc32c : vmem_crc32c;
	fs->check_done = opts->check_done;
	fs->ckpt_seq = 1;
	fs->ckpt_live = 1;
	fs->overlay_max = env->overlay_pages ? VMEM_MAX(env->overlay_pages, VMEM_OVERLAY_MIN) :
			  VMEM_OVERLAY_PAGES;
	err = alloc_parts(fs) ? mount_steps(fs, opts, info) : -ENOMEM;
	if (err) {
		fs_free(fs);
		return err;
	}
	*out = fs;
	return 0;
}

/* No inode is held any more: orphans that are left had a put that failed. */
static int free_left_orphans(struct vmem_fs *fs)
{
	struct vmem_mount_info info = { 0 };

	return vmem_error(fs) ? 0 : vmem_recover_orphans(fs, &info);
}

/* A growth ran out of memory at its end. */
static int finish_growth(struct vmem_fs *fs)
{
	return vmem_error(fs) ? 0 : vmem_resume_growth(fs);
}

int vmem_umount(struct vmem_fs *fs)
{
	int err = 0;

	if (!fs->read_only) {
		err = free_left_orphans(fs);
		if (!err)
			err = finish_growth(fs);
		if (err && !vmem_error(fs))
			vmem_sync(fs);		/* not clean: the next mount does it */
		else
			err = end_session(fs);
	}
	if (vmem_error(fs) == -EIO)
		err = -EIO;
	fs_free(fs);
	return err;
}

static bool has_orphans(const struct vmem_fs *fs)
{
	uint32_t ag;

	for (ag = 0; ag < fs->nr_ags; ag++)
		if (vmem_orphans_in(fs, ag))
			return true;
	return false;
}

static int become_read_only(struct vmem_fs *fs)
{
	bool failed_before = vmem_error(fs);
	int err;

	if (!failed_before && has_orphans(fs))
		return -EBUSY;
	err = finish_growth(fs);
	if (err && !vmem_error(fs))
		return err;
	err = end_session(fs);
	if (vmem_error(fs))
		VMEM_FLAG(fs->read_only, true);
	return failed_before ? 0 : err;		/* it was read-only before, and that was reported */
}

int vmem_remount(struct vmem_fs *fs, bool read_only)
{
	int err;

	if (!read_only && vmem_error(fs)) {
		fs->env->log(fs->env, VMEM_LOG_ERR,
			     "stays read-only after %s: unmount it, run fsck.vmemfs, mount it again",
			     vmem_error(fs) == -EIO ? "a failed write-back" : "damage");
		return -EROFS;
	}
	if (read_only == fs->read_only)
		return 0;
	if (read_only)
		return become_read_only(fs);
	if (fs->store->read_only || fs->never_write)
		return -EROFS;
	/* Below a read-only mount fsck may repair: what is in memory is then of before. */
	if (root_is_others(fs))
		return BAD_SB(fs->env, -EROFS,
			      "the store was changed since it was mounted, by fsck.vmemfs or another program: unmount it and mount it again, or reboot");
	err = start_session(fs);
	return err ? err : vmem_resume_growth(fs);
}

/* ---- Statistics ---- */

void vmem_hot_ranges(const struct vmem_fs *fs, struct vmem_range ranges[VMEM_HOT_RANGES])
{
	ranges[0].offset = root_off(0);
	ranges[0].length = VMEM_NR_ROOTS * VMEM_BLOCK_SIZE;
	ranges[1].offset = fs->log_off;
	ranges[1].length = fs->log_size;
}

void vmem_statfs(struct vmem_fs *fs, struct vmem_statfs *st)
{
	uint64_t held;

	vmem_lock_shared(fs);
	held = fs->reserved + VMEM_RESERVED_BLOCKS;
	st->blocks = fs->nr_blocks;
	st->free_blocks = fs->free_blocks;
	st->avail_blocks = fs->free_blocks > held ? fs->free_blocks - held : 0;
	st->inodes = fs->nr_inodes;
	st->free_inodes = fs->free_inodes;
	st->dirs = fs->nr_dirs;
	memcpy(st->uuid, fs->uuid, sizeof(st->uuid));
	memcpy(st->label, fs->label, sizeof(st->label));
	vmem_unlock_shared(fs);
}

void vmem_get_stats(struct vmem_fs *fs, struct vmem_stats *st)
{
	vmem_lock_shared(fs);
	*st = fs->stats;
	st->overlay_pages = fs->nr_opages;
	vmem_unlock_shared(fs);
}

enum vmem_domain vmem_get_domain(const struct vmem_fs *fs)
{
	return fs->domain;
}

bool vmem_is_read_only(const struct vmem_fs *fs)
{
	return VMEM_PEEK(fs->read_only) || vmem_error(fs);
}
