// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * feature.c - what of the superblock changes: feature bits, set when what they say is first used; the label
 *
 * They are a word of the superblock, and the checksum another: no failure leaves
 * both as they were or both new.  So a superblock whose checksum is right with
 * one bit set, or with that bit clear, is a whole one that has it.  The
 * superblock is durable before its backup is stored, and both are before a record
 * uses what the bit says.
 *
 * The label is many words.  It is in the backup first, so that a superblock that differs
 * from its backup in nothing else, and is not whole, is to become that.
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

bool vmem_relabel_super(const struct vmem_store *store, struct vmem_superblock *sb, vmem_crc_fn crc)
{
	uint64_t block = vmem_get64(sb->backup);
	struct vmem_superblock other, same;

	if (block >= store->size >> VMEM_BLOCK_SHIFT)
		return false;
	memcpy(&other, store->base + (block << VMEM_BLOCK_SHIFT), sizeof(other));
	same = other;
	same.csum = sb->csum;
	memcpy(same.label, sb->label, sizeof(same.label));
	if (memcmp(&same, sb, sizeof(same)) || !vmem_sb_sealed(&other, crc))
		return false;
	*sb = other;
	return true;
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

static int put_whole(struct vmem_fs *fs, const struct vmem_superblock *sb, uint64_t block)
{
	vmem_store_super(fs->store, sb, block);
	return vmem_make_durable(fs, block << VMEM_BLOCK_SHIFT, VMEM_BLOCK_SIZE);
}

/* The superblock as it is, to be changed.  ckpt_lock is held: nobody grows the file system. */
static int take_super(struct vmem_fs *fs, struct vmem_superblock *sb)
{
	if (vmem_is_read_only(fs))
		return vmem_refusal(fs);
	/* A growth that ran out of memory makes the superblock from an older one. */
	if (vmem_get64(fs->root.grow_to))
		return -ENOMEM;
	memcpy(sb, fs->store->base, sizeof(*sb));
	if (!vmem_sb_sealed(sb, fs->crc) || memcmp(sb->uuid, fs->uuid, VMEM_UUID_LEN))
		return vmem_corrupt(fs, 0, VMEM_SB_BLOCK, "superblock");
	return 0;
}

static int set_feature(struct vmem_fs *fs, uint64_t bit)
{
	struct vmem_superblock sb;
	int err = take_super(fs, &sb);

	if (err)
		return err;
	sb.incompat = vmem_le64_of(vmem_get64(sb.incompat) | bit);
	seal(&sb, fs->crc);
	err = put_bit(fs, &sb);
	if (!err)
		err = put_whole(fs, &sb, fs->backup);
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

static int store_label(struct vmem_fs *fs, const char *label, size_t len)
{
	struct vmem_superblock sb;
	int err = take_super(fs, &sb);

	if (err)
		return err;
	memset(sb.label, 0, sizeof(sb.label));
	memcpy(sb.label, label, len);
	seal(&sb, fs->crc);
	/* Never both at once: one of them is always whole. */
	if (VMEM_BROKEN(LABEL_AT_ONCE))
		vmem_store_super(fs->store, &sb, fs->backup);
	else
		err = put_whole(fs, &sb, fs->backup);
	if (!err)
		err = put_whole(fs, &sb, VMEM_SB_BLOCK);
	if (err)
		return err;
	vmem_lock(fs, fs->lock);
	memcpy(fs->label, sb.label, sizeof(sb.label));
	vmem_unlock(fs, fs->lock);
	return 0;
}

int vmem_set_label(struct vmem_fs *fs, const char *label, size_t len)
{
	size_t i;
	int err;

	if (len > VMEM_LABEL_LEN)
		return -EINVAL;
	for (i = 0; i < len; i++)
		if (!label[i])
			return -EINVAL;
	err = vmem_is_read_only(fs) ? vmem_refusal(fs) : vmem_resume_growth(fs);
	if (err)
		return err;
	vmem_lock(fs, fs->ckpt_lock);
	err = store_label(fs, label, len);
	vmem_unlock(fs, fs->ckpt_lock);
	return err;
}

int vmem_mend_supers(struct vmem_fs *fs)
{
	const uint8_t *backup = fs->store->base + (fs->backup << VMEM_BLOCK_SHIFT);
	struct vmem_superblock sb;
	int err = 0;

	memcpy(&sb, fs->store->base, sizeof(sb));
	if (fs->super_torn && vmem_complete_super(&sb, fs->crc))
		err = put_bit(fs, &sb);
	else if (fs->super_torn && vmem_relabel_super(fs->store, &sb, fs->crc))
		err = put_whole(fs, &sb, VMEM_SB_BLOCK);
	fs->super_torn = false;
	return err || !memcmp(backup, &sb, sizeof(sb)) ? err : put_whole(fs, &sb, fs->backup);
}
