// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* mount.c - mount, remount, unmount: recovery, sessions, and how they end */
#include "fs/super.h"

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

		vmem_put_root(fs, VMEM_STATE_MOUNTED, fs->tail);
		err = vmem_flush_root(fs);
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
		err = vmem_flush_range(fs, 0, fs->store->size);
	if (vmem_error(fs)) {
		int noted = vmem_note_error(fs);

		return vmem_error(fs) == -EUCLEAN ? noted : -EIO;
	}
	if (err)
		return err;
	if (fs->check_done)
		fs->root.state = vmem_le32_of(0);
	vmem_put_root(fs, 0, fs->head);
	fs->tail = fs->head;
	VMEM_FLAG(fs->read_only, true);
	err = vmem_flush_root(fs);
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
		return VMEM_REFUSE(fs->env, -ENOTSUP, want == VMEM_DOMAIN_HOST ?
			      "durability=host is not possible on this backing: mount without it" :
			      "this durability is not possible on this backing: mount without it");
	if (fs->domain == VMEM_DOMAIN_HOST && !fs->store->flush && !fs->store->read_only)
		return VMEM_REFUSE(fs->env, -ENOTSUP,
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

	if (fs->buckets && fs->stripes)
		vmem_overlay_drop(fs, true);
	vmem_alloc_unload(fs);
	vmem_room_unload(fs);
	for (i = 0; i < sizeof(locks) / sizeof(locks[0]); i++)
		if (locks[i])
			env->lock_free(env, locks[i]);
	for (i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		vmem_free(fs, sets[i], sizeof(*sets[i]));
	vmem_free(fs, fs->buckets, VMEM_OVERLAY_BUCKETS * sizeof(fs->buckets[0]));
	vmem_free(fs, fs->stripes, VMEM_STRIPES * sizeof(fs->stripes[0]));
	vmem_free(fs, fs->logged, VMEM_LOGGED_MAX * sizeof(fs->logged[0]));
	vmem_free(fs, fs->txn.buf, VMEM_TXN_BYTES);
	vmem_free(fs, fs->txn.undo, 2 * VMEM_TXN_BYTES);
	vmem_free(fs, fs->scratch, 2 * VMEM_BLOCK_SIZE);
	vmem_free(fs, fs->home_buf, VMEM_HOME_BATCH * VMEM_BLOCK_SIZE);
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
	fs->stripes = vmem_alloc(fs, VMEM_STRIPES * sizeof(fs->stripes[0]));
	fs->logged = vmem_alloc(fs, VMEM_LOGGED_MAX * sizeof(fs->logged[0]));
	fs->txn.buf = vmem_alloc(fs, VMEM_TXN_BYTES);
	fs->txn.undo = vmem_alloc(fs, 2 * VMEM_TXN_BYTES);
	fs->txn.fs = fs;
	fs->scratch = vmem_alloc(fs, 2 * VMEM_BLOCK_SIZE);
	fs->home_buf = vmem_alloc(fs, VMEM_HOME_BATCH * VMEM_BLOCK_SIZE);
	return ok && fs->buckets && fs->stripes && fs->logged && fs->txn.buf && fs->txn.undo && fs->scratch &&
	       fs->home_buf;
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
		return VMEM_REFUSE(fs->env, -EUCLEAN,
			      "the host failed (or the image was copied) while mounted with durability=guest: run fsck.vmemfs -p");
	if (state & VMEM_STATE_ERROR && !opts->check)
		fs->env->log(fs->env, VMEM_LOG_WARN, "damage or a failed write-back was met earlier: run fsck.vmemfs");
	if (!info->was_dirty)
		return 0;
	return vmem_recover(fs, info->host_failed && was == VMEM_DOMAIN_HOST, info);
}

/* Recovery's result goes home and becomes durable; the log starts anew. */
static int bring_recovery_home(struct vmem_fs *fs, const struct vmem_mount_info *info)
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
	vmem_overlay_end_epoch(fs);
	vmem_overlay_writeback(fs, fs->ckpt_set);
	fs->ckpt_set->nr = 0;
	fs->home->nr = 0;
	vmem_fence(fs->store);
	/* What the lost session had stored but not flushed is unknown: flush all. */
	err = vmem_flush_range(fs, 0, fs->store->size);
	vmem_overlay_drop(fs, true);
	return err;
}

static int load_space(struct vmem_fs *fs)
{
	int err = vmem_room_load(fs);

	if (err != -ENOSPC)
		return err;
	return VMEM_REFUSE(fs->env, err,
		      "the host has no room for what a mount writes: free space on its disk");
}

static int mount_steps(struct vmem_fs *fs, const struct vmem_mount_opts *opts,
		       struct vmem_mount_info *info)
{
	bool ro = opts->read_only || opts->no_recovery, force_ro = false;
	int err = vmem_read_super(fs, &force_ro);

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
		return VMEM_REFUSE(fs->env, -EROFS,
			      "needs recovery, but has unknown read-only features: use a newer vmemfs");
	if (ro && !info->was_dirty)
		return 0;
	if (info->was_dirty)
		err = bring_recovery_home(fs, info);
	if (!err)
		err = start_session(fs);
	if (!err)
		err = vmem_resume_growth(fs);
	if (!err && (fs->features || info->was_dirty))
		err = vmem_mend_supers(fs);
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
	fs->hooks = &vmem_space_hooks;
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

/* ---- Unmount ---- */

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

/* ---- Remount ---- */

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
	if (vmem_root_is_others(fs))
		return VMEM_REFUSE(fs->env, -EROFS,
			      "the store was changed since it was mounted, by fsck.vmemfs or another program: unmount it and mount it again, or reboot");
	err = start_session(fs);
	return err ? err : vmem_resume_growth(fs);
}
