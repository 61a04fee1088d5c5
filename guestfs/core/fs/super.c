// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* super.c - the superblock: reading it, checking it; statistics */
#include "medium/geometry.h"
#include "fs/super.h"

static int check_version(const struct vmem_env *env, const struct vmem_superblock *sb,
			 bool *force_ro)
{
	uint64_t in = vmem_get64(sb->incompat) & ~VMEM_INCOMPAT_KNOWN;
	uint64_t ro = vmem_get64(sb->ro_compat) & ~VMEM_RO_COMPAT_KNOWN;

	if (vmem_get16(sb->version_major) != VMEM_VERSION_MAJOR)
		return VMEM_REFUSE(env, -EPROTONOSUPPORT,
			      "format version %u, this code knows %u: use the vmemfs that wrote it",
			      vmem_get16(sb->version_major), VMEM_VERSION_MAJOR);
	if (in)
		return VMEM_REFUSE(env, -EPROTONOSUPPORT,
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
	fs->features = vmem_get64(sb->incompat);
	memcpy(fs->hash_key, sb->hash_key, sizeof(fs->hash_key));
	memcpy(fs->uuid, sb->uuid, sizeof(fs->uuid));
	memcpy(fs->label, sb->label, VMEM_LABEL_LEN);
	if (!geometry_ok(fs))
		return VMEM_REFUSE(env, -EUCLEAN, "the superblock contradicts itself: run fsck.vmemfs");
	if (fs->nr_blocks > fs->store->size >> VMEM_BLOCK_SHIFT)
		return VMEM_REFUSE(env, -EINVAL,
			      "the store has %llu bytes, the file system needs %llu: it was truncated; restore it, or run fsck.vmemfs, which says how to keep the rest",
			      (unsigned long long)fs->store->size,
			      (unsigned long long)fs->nr_blocks << VMEM_BLOCK_SHIFT);
	fs->log_off = fs->log_start << VMEM_BLOCK_SHIFT;
	fs->log_size = fs->log_blocks << VMEM_BLOCK_SHIFT;
	return 0;
}

int vmem_read_super(struct vmem_fs *fs, bool *force_ro)
{
	const struct vmem_env *env = fs->env;
	struct vmem_superblock sb, grown;
	bool found, growing;
	int err;

	if (fs->store->size < VMEM_MIN_BLOCKS * VMEM_BLOCK_SIZE)
		return VMEM_REFUSE(env, -EINVAL, "the store has %llu bytes, too small for vmemfs",
			      (unsigned long long)fs->store->size);
	memcpy(&sb, fs->store->base, sizeof(sb));
	if (vmem_get64(sb.magic) != VMEM_SB_MAGIC)
		return VMEM_REFUSE(env, -EINVAL, "no vmemfs found: run mkfs.vmemfs, or give the right device");
	err = check_version(env, &sb, force_ro);
	if (err)
		return err;
	memcpy(fs->uuid, sb.uuid, sizeof(fs->uuid));
	found = vmem_find_root(fs);
	growing = found && vmem_growing(fs, &fs->root, &grown);
	if (!growing && !vmem_sb_sealed(&sb, fs->crc)) {
		fs->super_torn = vmem_complete_super(&sb, fs->crc) ||
				 (found && vmem_get32(fs->root.state) & VMEM_STATE_MOUNTED &&
				  vmem_relabel_super(fs->store, &sb, fs->crc));
		if (!fs->super_torn)
			return VMEM_REFUSE(env, -EUCLEAN, "the superblock is damaged (checksum): run fsck.vmemfs");
	}
	err = take_super(fs, growing ? &grown : &sb);
	if (err)
		return err;
	if (!found)
		return VMEM_REFUSE(env, -EUCLEAN, "both root slots are damaged: run fsck.vmemfs");
	if (!growing)
		vmem_forget_growth(&fs->root);
	fs->tail = vmem_get64(fs->root.tail);
	fs->head = fs->tail;
	fs->seed = vmem_get32(fs->root.log_seed);
	return 0;
}

/* ---- Statistics ---- */

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

int vmem_report_damage(struct vmem_fs *fs, uint64_t ino, const char *what)
{
	return vmem_corrupt(fs, ino, 0, what);
}

int vmem_report_loss(struct vmem_fs *fs)
{
	return vmem_io_failed(fs);
}

void vmem_hot_ranges(const struct vmem_fs *fs, struct vmem_range ranges[VMEM_HOT_RANGES])
{
	ranges[0].offset = (uint64_t)VMEM_ROOT_BLOCK(0) << VMEM_BLOCK_SHIFT;
	ranges[0].length = VMEM_NR_ROOTS * VMEM_BLOCK_SIZE;
	ranges[1].offset = fs->log_off;
	ranges[1].length = fs->log_size;
}
