// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * feature.c - feature bits that are set when what they say is first used
 *
 * They are a word of the superblock, and the checksum another: no failure leaves
 * both as they were or both new.  So a superblock whose checksum is right with
 * one bit set, or with that bit clear, is a whole one that has it.  The
 * superblock is durable before its backup is stored, and both are before a record
 * uses what the bit says.
 */
#include "medium/geometry.h"
#include "fs/fs.h"

static void seal(struct vmem_superblock *sb, vmem_crc_fn crc)
{
	sb->csum = vmem_le32_of(vmem_superblock_csum(crc, sb));
}

bool vmem_complete_super(struct vmem_superblock *sb, vmem_crc_fn crc)
{
	struct vmem_superblock other = *sb;
	uint64_t bits = vmem_get64(sb->incompat), bit;

	for (bit = 1; bit && bit <= VMEM_INCOMPAT_LATE; bit <<= 1) {
		if (!(bit & VMEM_INCOMPAT_LATE))
			continue;
		other.incompat = vmem_le64_of(bits ^ bit);
		if (!vmem_sb_sealed(&other, crc))
			continue;
		sb->incompat = vmem_le64_of(bits | bit);
		seal(sb, crc);
		return true;
	}
	return false;
}

/* Two words of the superblock, each by one store. */
static int put_bit(struct vmem_fs *fs, const struct vmem_superblock *sb)
{
	uint64_t off = (uint64_t)VMEM_SB_BLOCK << VMEM_BLOCK_SHIFT;
	vmem_le64 word;

	memcpy(&word, (const uint8_t *)sb + offsetof(struct vmem_superblock, csum), sizeof(word));
	vmem_put64(fs->store, off + offsetof(struct vmem_superblock, csum), vmem_get64(word));
	vmem_put64(fs->store, off + offsetof(struct vmem_superblock, incompat), vmem_get64(sb->incompat));
	return vmem_make_durable(fs, off, VMEM_BLOCK_SIZE);
}

static int put_backup(struct vmem_fs *fs, const struct vmem_superblock *sb)
{
	vmem_store_super(fs->store, sb, fs->backup);
	return vmem_make_durable(fs, fs->backup << VMEM_BLOCK_SHIFT, VMEM_BLOCK_SIZE);
}

/* ckpt_lock is held: nobody grows the file system. */
static int set_feature(struct vmem_fs *fs, uint64_t bit)
{
	struct vmem_superblock sb;
	int err;

	if (vmem_is_read_only(fs))
		return vmem_refusal(fs);
	/* A growth that ran out of memory makes the superblock from an older one. */
	if (vmem_get64(fs->root.grow_to))
		return -ENOMEM;
	memcpy(&sb, fs->store->base, sizeof(sb));
	if (!vmem_sb_sealed(&sb, fs->crc) || memcmp(sb.uuid, fs->uuid, VMEM_UUID_LEN))
		return vmem_corrupt(fs, 0, VMEM_SB_BLOCK, "superblock");
	sb.incompat = vmem_le64_of(vmem_get64(sb.incompat) | bit);
	seal(&sb, fs->crc);
	err = put_bit(fs, &sb);
	if (!err)
		err = put_backup(fs, &sb);
	if (!err)
		VMEM_FLAG(fs->features, vmem_get64(sb.incompat));
	return err;
}

int vmem_enable(struct vmem_fs *fs, uint64_t bit)
{
	int err;

	if (vmem_has(fs, bit))
		return 0;
	if (VMEM_BROKEN(FEATURE_LATE)) {
		VMEM_FLAG(fs->features, fs->features | bit);
		return 0;
	}
	err = vmem_resume_growth(fs);
	if (err)
		return err;
	vmem_lock(fs, fs->ckpt_lock);
	err = vmem_has(fs, bit) ? 0 : set_feature(fs, bit);
	vmem_unlock(fs, fs->ckpt_lock);
	return err;
}

int vmem_mend_supers(struct vmem_fs *fs)
{
	const uint8_t *backup = fs->store->base + (fs->backup << VMEM_BLOCK_SHIFT);
	struct vmem_superblock sb;
	int err = 0;

	if (!fs->features)
		return 0;
	memcpy(&sb, fs->store->base, sizeof(sb));
	if (fs->super_torn && vmem_complete_super(&sb, fs->crc))
		err = put_bit(fs, &sb);
	fs->super_torn = false;
	return err || !memcmp(backup, &sb, sizeof(sb)) ? err : put_backup(fs, &sb);
}
