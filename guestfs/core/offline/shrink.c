// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* shrink.c - see shrink.h */
#include "offline/check.h"
#include "medium/geometry.h"
#include "fs/fs.h"
#include "medium/fields.h"
#include "medium/root.h"
#include "offline/shrink.h"

struct shrink {
	struct vmem_store *store;
	const struct vmem_env *env;
	vmem_crc_fn crc;
	struct vmem_superblock sb;	/* as it is, then as it will be */
	struct vmem_root root;		/* the newest */
	unsigned int slot;
	uint64_t nr_blocks;
};

static int refuse(const struct shrink *s, int err, const char *why)
{
	s->env->log(s->env, VMEM_LOG_ERR, "cannot shrink: %s", why);
	return err;
}

static uint8_t *block_ptr(const struct shrink *s, uint64_t block)
{
	return s->store->base + (block << VMEM_BLOCK_SHIFT);
}

/* ---- What there is ---- */

static bool find_root(struct shrink *s)
{
	s->slot = vmem_newest_root(s->store->base, s->sb.uuid, s->crc, &s->root);
	return s->slot < VMEM_NR_ROOTS;
}

static int look(struct shrink *s, struct vmem_store *store, const struct vmem_env *env)
{
	memset(s, 0, sizeof(*s));
	s->store = store;
	s->env = env;
	s->crc = env->crc32c ? env->crc32c : vmem_crc32c;
	if (store->size < VMEM_MIN_BLOCKS * VMEM_BLOCK_SIZE)
		return refuse(s, -EINVAL, "the store is too small for a vmemfs");
	memcpy(&s->sb, store->base, sizeof(s->sb));
	if (vmem_get64(s->sb.magic) != VMEM_SB_MAGIC)
		return refuse(s, -EINVAL, "no vmemfs found");
	if (vmem_get16(s->sb.version_major) != VMEM_VERSION_MAJOR ||
	    vmem_get64(s->sb.incompat) & ~VMEM_INCOMPAT_KNOWN ||
	    vmem_get64(s->sb.ro_compat) & ~VMEM_RO_COMPAT_KNOWN)
		return refuse(s, -EPROTONOSUPPORT, "unknown version or features: use a newer resize.vmemfs");
	if (!vmem_sb_sealed(&s->sb, s->crc) || vmem_check_geometry(&s->sb, store->size) || !find_root(s))
		return refuse(s, -EUCLEAN, "the superblock or the roots are damaged: run fsck.vmemfs -y");
	if (vmem_get32(s->root.state) || vmem_get64(s->root.grow_to))
		return refuse(s, -EUCLEAN, "it was not unmounted, or asks for a check: run fsck.vmemfs -p");
	s->nr_blocks = vmem_get64(s->sb.nr_blocks);
	return 0;
}

/* ---- How far it can shrink ---- */

/* Blocks of the group, from its start, that are metadata. */
static uint32_t meta_len(const struct shrink *s, uint32_t ag)
{
	return (uint32_t)(vmem_sb_group_meta(&s->sb, ag) - (uint64_t)ag * vmem_get32(s->sb.ag_blocks)) + 2 +
	       vmem_get32(s->sb.itable_blocks);
}

/* Behind the last set bit in [from, end), or from. */
static uint32_t last_set(const uint8_t *map, uint32_t from, uint32_t end)
{
	while (end > from && !test_bit8(map, end - 1))
		end = (end - 1) % 8 == 7 && !map[(end - 1) / 8] && end - from > 8 ? end - 8 : end - 1;
	return end;
}

/* The end of what is in use in the group; its start: nothing is. */
static uint64_t used_end(const struct shrink *s, uint32_t ag)
{
	uint64_t start = (uint64_t)ag * vmem_get32(s->sb.ag_blocks), meta = vmem_sb_group_meta(&s->sb, ag);
	uint32_t blocks = vmem_sb_group_blocks(&s->sb, ag), len = meta_len(s, ag);
	uint32_t end = last_set(block_ptr(s, meta), len,
				ag + 1 == vmem_get32(s->sb.nr_ags) ? blocks - 1 : blocks);

	if (end > len || !ag || last_set(block_ptr(s, meta + 1), 0, vmem_get32(s->sb.inodes_per_ag)))
		return start + end;
	return start;
}

static uint64_t least_blocks(const struct shrink *s)
{
	uint64_t ag_blocks = vmem_get32(s->sb.ag_blocks), n;
	uint32_t ag = vmem_get32(s->sb.nr_ags);

	do
		n = used_end(s, --ag);
	while (n == ag * ag_blocks && ag);
	n = VMEM_MAX(n + 1, VMEM_MIN_BLOCKS);	/* and the backup */
	ag = (uint32_t)((n - 1) / ag_blocks);
	if ((n - 1) % ag_blocks < meta_len(s, ag))
		n = ag * ag_blocks + meta_len(s, ag) + 1;
	return VMEM_MIN(n, s->nr_blocks);
}

int vmem_shrink_limit(struct vmem_store *store, const struct vmem_env *env, uint64_t *bytes)
{
	struct shrink s;
	int err = look(&s, store, env);

	if (!err)
		*bytes = least_blocks(&s) << VMEM_BLOCK_SHIFT;
	return err;
}

/* ---- Shrinking ---- */

static int make_durable(const struct shrink *s, uint64_t off, uint64_t len)
{
	struct vmem_range r = { off, len };

	vmem_fence(s->store);
	return s->store->flush && s->store->flush(s->store, &r, 1) ? -EIO : 0;
}

/* Into the other slot. */
static int put_root(struct shrink *s, uint32_t state)
{
	s->slot = 1 - s->slot;
	s->root.seq = vmem_le64_of(vmem_get64(s->root.seq) + 1);
	s->root.state = vmem_le32_of(state);
	vmem_store_root(s->store, s->slot, &s->root, s->crc);
	return make_durable(s, (uint64_t)VMEM_ROOT_BLOCK(s->slot) << VMEM_BLOCK_SHIFT, VMEM_BLOCK_SIZE);
}

static int put_super(const struct shrink *s, uint64_t block)
{
	vmem_store_super(s->store, &s->sb, block);
	return make_durable(s, block << VMEM_BLOCK_SHIFT, VMEM_BLOCK_SIZE);
}

/* What the last group had behind its new end, and the new backup, are in use. */
static int cut_group(const struct shrink *s, uint64_t nr_blocks)
{
	uint64_t ag_blocks = vmem_get32(s->sb.ag_blocks), off;
	uint32_t ag = (uint32_t)((nr_blocks - 1) / ag_blocks), first = (uint32_t)((nr_blocks - 1) % ag_blocks), i;
	uint32_t free_blocks = 0;
	struct vmem_ag_desc desc;
	uint8_t map[VMEM_BLOCK_SIZE];
	int err;

	off = vmem_sb_group_meta(&s->sb, ag) << VMEM_BLOCK_SHIFT;
	memcpy(map, s->store->base + off, sizeof(map));
	vmem_bits_apply(map, first, VMEM_MAX_AG_BLOCKS - first, true);
	for (i = 0; i < sizeof(map); i++)
		free_blocks += 8 - (uint32_t)vmem_popcount64(map[i]);
	vmem_put(s->store, off, map, sizeof(map));
	err = make_durable(s, off, sizeof(map));
	if (err)
		return err;
	off = (vmem_get64(s->sb.desc_start) << VMEM_BLOCK_SHIFT) + ag * sizeof(desc);
	memcpy(&desc, s->store->base + off, sizeof(desc));
	desc.free_blocks = vmem_le32_of(free_blocks);
	vmem_put(s->store, off, &desc, sizeof(desc));
	return make_durable(s, off & ~(uint64_t)VMEM_BLOCK_MASK, VMEM_BLOCK_SIZE);
}

static int shrink(struct shrink *s, uint64_t nr_blocks)
{
	uint64_t old = s->nr_blocks - 1;
	int err = put_root(s, VMEM_STATE_NEEDS_CHECK);

	if (!err)
		err = cut_group(s, nr_blocks);
	vmem_sb_resize(&s->sb, nr_blocks, s->crc);
	if (!err)
		err = put_super(s, nr_blocks - 1);
	if (!err)
		err = put_super(s, VMEM_SB_BLOCK);
	if (err)
		return err;
	/* Whoever looks for a backup from the end of the store on shall find the new one. */
	vmem_put_zero(s->store, old << VMEM_BLOCK_SHIFT, VMEM_BLOCK_SIZE);
	err = make_durable(s, old << VMEM_BLOCK_SHIFT, VMEM_BLOCK_SIZE);
	return err ? err : put_root(s, 0);
}

int vmem_shrink(struct vmem_store *store, const struct vmem_env *env, uint64_t new_size)
{
	uint64_t nr_blocks = new_size >> VMEM_BLOCK_SHIFT, least;
	struct shrink s;
	int err = look(&s, store, env);

	if (err)
		return err;
	if (store->read_only)
		return refuse(&s, -EROFS, "the store is read-only");
	if (nr_blocks > s.nr_blocks)
		return refuse(&s, -EINVAL, "it is smaller already");
	least = least_blocks(&s);
	if (nr_blocks < least) {
		env->log(env, VMEM_LOG_ERR,
			 "cannot shrink to less than %llu bytes: what lies there is in use, and nothing is moved",
			 (unsigned long long)(least << VMEM_BLOCK_SHIFT));
		return -ENOSPC;
	}
	nr_blocks = vmem_sb_useful_blocks(&s.sb, nr_blocks, least - 1);
	return nr_blocks < s.nr_blocks ? shrink(&s, nr_blocks) : 0;
}
