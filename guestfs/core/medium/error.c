// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* error.c - damage and failed flushes: told once, sticky */
#include "medium/medium.h"

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

int vmem_io_failed(struct vmem_fs *fs)
{
	if (vmem_error(fs) != -EIO) {
		set_error(fs, -EIO);
		fs->env->log(fs->env, VMEM_LOG_ERR,
			     "the host could not read or write back the store; nothing since the last fsync is durable, now read-only: check the host's disk");
	}
	return -EIO;
}

int vmem_refusal(const struct vmem_fs *fs)
{
	return vmem_error(fs) == -EIO ? -EIO : -EROFS;
}

bool vmem_is_read_only(const struct vmem_fs *fs)
{
	return VMEM_PEEK(fs->read_only) || vmem_error(fs);
}
