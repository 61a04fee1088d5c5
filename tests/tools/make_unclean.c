// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * make_unclean.c - leave an image as a killed VM leaves it
 *
 * usage: make_unclean FILE host|guest N M
 *
 * Mounts FILE, makes the files synced-1 ... synced-N, syncs, makes late-1 ...
 * late-M and one file that is unlinked but open, and ends without unmounting.
 */
#include <stdio.h>
#include <stdlib.h>

#include "toolenv.h"

static size_t fill(void *ctx, void *addr, size_t len)
{
	(void)ctx;
	memset(addr, 'x', len);
	return len;
}

static int make_file(struct vmem_inode *root, const char *text, struct vmem_inode *vi)
{
	struct vmem_name name = { text, strlen(text) };
	struct vmem_attr attr = { .mode = 0100644 };
	int err = vmem_create(root, name, &attr, vi);

	if (!err && vmem_write(vi, 0, 10000, fill, NULL) != 10000)
		err = -EIO;
	return err;
}

static int make_files(struct vmem_inode *root, const char *prefix, int nr)
{
	struct vmem_inode vi;
	char text[64];
	int i, err = 0;

	for (i = 1; i <= nr && !err; i++) {
		snprintf(text, sizeof(text), "%s-%d", prefix, i);
		err = make_file(root, text, &vi);
		if (!err)
			err = vmem_iput(&vi);
	}
	return err;
}

int main(int argc, char **argv)
{
	const struct vmem_env *env = tool_init("make_unclean", true);
	struct vmem_mount_opts opts = { .read_only = false };
	struct vmem_name orphan = { "orphan", 6 };
	struct vmem_inode root, vi;
	struct tool_image img;
	struct vmem_fs *fs;
	int err;

	if (argc != 5 || tool_open(&img, argv[1], TOOL_WRITE))
		return 2;
	opts.domain = strcmp(argv[2], "host") ? VMEM_DOMAIN_GUEST : VMEM_DOMAIN_HOST;
	err = vmem_mount(&img.store, env, &opts, &fs, NULL);
	if (!err)
		err = vmem_iget(fs, VMEM_ROOT_INO, &root);
	if (!err)
		err = make_files(&root, "synced", atoi(argv[3]));
	if (!err)
		err = vmem_sync(fs);
	if (!err)
		err = make_files(&root, "late", atoi(argv[4]));
	if (!err)
		err = make_file(&root, orphan.name, &vi);
	if (!err)
		err = vmem_unlink(&root, orphan, &vi);
	if (err)
		tool_error("%s", strerror(-err));
	_Exit(err ? 1 : 0);	/* without unmounting, as SIGKILL does it */
}
