// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * break_many.c - damage a large image at many places
 *
 * usage: break_many FILE maps|names|double|root
 *
 *	maps	bitmaps and descriptors of all groups that are in use are zero
 *	names	no directory has a topmost node: all names are added anew
 *	double	one file in ten claims the block of the file before it
 *	root	there is no root directory
 */
#include <stdio.h>
#include <stdlib.h>

#include "medium/hash.h"
#include "offline/mkfs.h"
#include "toolenv.h"

static struct tool_image img;
static const struct vmem_env *env;

static struct vmem_superblock *superblock(void)
{
	return (struct vmem_superblock *)img.store.base;
}

static struct vmem_ag_desc *desc_of(uint32_t ag)
{
	return (struct vmem_ag_desc *)(img.store.base + VMEM_DESC_START * (uint64_t)VMEM_BLOCK_SIZE) + ag;
}

static uint8_t *meta_of(uint32_t ag)
{
	return img.store.base + vmem_sb_group_meta(superblock(), ag) * VMEM_BLOCK_SIZE;
}

static void break_maps(uint32_t ag)
{
	memset(meta_of(ag), 0, 2ull * VMEM_BLOCK_SIZE);
	memset(desc_of(ag), 0, 4 * sizeof(vmem_le32));
}

static void break_names(struct vmem_dinode *di)
{
	uint64_t root = vmem_get64(di->u.dir.root);

	if (vmem_get16(di->format) == VMEM_FMT_DIR && root)
		memset(img.store.base + root * VMEM_BLOCK_SIZE, 0, sizeof(struct vmem_node));
}

static void break_extent(struct vmem_dinode *di, uint64_t ino)
{
	static vmem_le64 last;
	static unsigned int serial;

	if (vmem_get16(di->format) != VMEM_FMT_EXTENTS || vmem_get16(di->nr_ext) != 1)
		return;
	if (++serial % 10 == 0) {
		di->u.ext[0].w1 = last;
		di->csum = vmem_le32_of(vmem_inode_csum(env->crc32c, di, ino));
	}
	last = di->u.ext[0].w1;
}

static void break_group(uint32_t ag, const char *kind)
{
	struct vmem_dinode *table = (struct vmem_dinode *)(void *)(meta_of(ag) + 2 * VMEM_BLOCK_SIZE);
	uint32_t i, nr = vmem_get32(desc_of(ag)->itable_init) * VMEM_INODES_PER_BLOCK;
	uint64_t first = (uint64_t)ag * vmem_get32(superblock()->inodes_per_ag);

	if (!strcmp(kind, "maps") && nr)
		break_maps(ag);
	for (i = 0; i < nr; i++) {
		if (!strcmp(kind, "names"))
			break_names(&table[i]);
		else if (!strcmp(kind, "double"))
			break_extent(&table[i], first + i);
	}
}

int main(int argc, char **argv)
{
	uint32_t ag;

	env = tool_init("break_many", false);
	if (argc != 3) {
		fputs("usage: break_many FILE maps|names|double|root\n", stderr);
		return 2;
	}
	if (tool_open(&img, argv[1], TOOL_WRITE))
		return 2;
	if (!strcmp(argv[2], "root"))
		memset(meta_of(0) + 2 * VMEM_BLOCK_SIZE + VMEM_INODE_SIZE, 0, VMEM_INODE_SIZE);
	else
		for (ag = 0; ag < vmem_get32(superblock()->nr_ags); ag++)
			break_group(ag, argv[2]);
	tool_close(&img);
	return 0;
}
