// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * make_many.c - fill an image with many files
 *
 * usage: make_many FILE N
 *
 * N files of one block each, a thousand to a directory.  Their contents are
 * never stored, so that a sparse image takes no more space on the host than
 * its metadata.
 */
#include <stdio.h>
#include <stdlib.h>

#include "toolenv.h"

#define PER_DIR 1000u

/* What lies in the blocks stays there: zeros, in a new image. */
static size_t store_nothing(void *ctx, void *addr, size_t len)
{
	(void)ctx;
	(void)addr;
	return len;
}

static int make(struct vmem_inode *dir, const char *prefix, unsigned long nr, uint16_t mode,
		struct vmem_inode *vi)
{
	struct vmem_attr attr = { .mode = mode };
	char text[64];
	struct vmem_name name = { text, 0 };

	name.len = (size_t)snprintf(text, sizeof(text), "%s-%lu", prefix, nr);
	return vmem_create(dir, name, &attr, vi);
}

static int make_file(struct vmem_inode *dir, unsigned long nr)
{
	struct vmem_inode vi;
	int err = make(dir, "file", nr, 0100644, &vi);

	if (!err && vmem_write(&vi, 0, VMEM_BLOCK_SIZE, store_nothing, NULL) != VMEM_BLOCK_SIZE)
		err = -ENOSPC;
	return err ? err : vmem_iput(&vi);
}

static int make_dir(struct vmem_inode *root, unsigned long first, unsigned long end)
{
	struct vmem_inode dir;
	int err = make(root, "dir", first / PER_DIR, 0040755, &dir);

	for (; !err && first < end; first++)
		err = make_file(&dir, first);
	return err ? err : vmem_iput(&dir);
}

int main(int argc, char **argv)
{
	const struct vmem_env *env = tool_init("make_many", false);
	struct vmem_mount_opts opts = { .domain = VMEM_DOMAIN_GUEST };
	unsigned long i, nr = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	struct vmem_inode root;
	struct tool_image img;
	struct vmem_fs *fs;
	int err;

	if (!nr) {
		fputs("usage: make_many FILE N\n", stderr);
		return 2;
	}
	if (tool_open(&img, argv[1], TOOL_WRITE))
		return 2;
	err = vmem_mount(&img.store, env, &opts, &fs, NULL);
	if (!err)
		err = vmem_iget(fs, VMEM_ROOT_INO, &root);
	for (i = 0; i < nr && !err; i += PER_DIR) {
		err = make_dir(&root, i, i + PER_DIR < nr ? i + PER_DIR : nr);
		tool_progress("making files", i, nr);
	}
	if (!err)
		err = vmem_iput(&root);
	if (!err)
		err = vmem_umount(fs);
	if (err)
		tool_error("%s", strerror(-err));
	tool_close(&img);
	return err ? 1 : 0;
}
