// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * fuse_flush.c - flushing for several threads, by the device's own function
 *
 * Of a failed write-back Linux tells each open file once: so each thread that flushes has
 * one (sync.h).  Several ranges cost one flush of the disk's cache, where that is enough.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/magic.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "fuse_vmemfs.h"

#define LANES		16
#define SPANS		64	/* at once */
#define XFS_SUPER_MAGIC	0x58465342

/* Where one sync commits what belongs to the file, not just to the range. */
static bool one_sync_is_enough(int fd)
{
	struct stat st;
	struct statfs host;

	if (fstat(fd, &st) || fstatfs(fd, &host))
		return false;
	return S_ISBLK(st.st_mode) || host.f_type == EXT4_SUPER_MAGIC || host.f_type == XFS_SUPER_MAGIC;
}

static unsigned int take_lane(struct fuse_fs *fs)
{
	unsigned int lane;

	pthread_mutex_lock(&fs->lanes_lock);
	while (!fs->free_lanes)
		pthread_cond_wait(&fs->lanes_cond, &fs->lanes_lock);
	lane = (unsigned int)__builtin_ctz(fs->free_lanes);
	fs->free_lanes &= ~(1u << lane);
	pthread_mutex_unlock(&fs->lanes_lock);
	return lane;
}

static void leave_lane(struct fuse_fs *fs, unsigned int lane)
{
	pthread_mutex_lock(&fs->lanes_lock);
	fs->free_lanes |= 1u << lane;
	pthread_cond_signal(&fs->lanes_cond);
	pthread_mutex_unlock(&fs->lanes_lock);
}

static int flush_spans(struct fuse_fs *fs, VMemStoreSpan *spans, uint32_t nr)
{
	unsigned int lane;
	int err;

	if (!nr)
		return 0;
	nr = vmemstore_merge_spans(spans, nr, VMEM_BLOCK_SIZE);
	lane = take_lane(fs);
	err = vmemstore_sync_spans(&fs->sync, lane, spans, nr);
	leave_lane(fs, lane);
	return err ? tool_lost(&fs->image) : 0;
}

static int flush(struct vmem_store *store, const struct vmem_range *ranges, unsigned int nr)
{
	struct fuse_fs *fs = (struct fuse_fs *)((char *)store - offsetof(struct fuse_fs, image.store));
	VMemStoreSpan spans[SPANS];
	uint32_t taken = 0;
	unsigned int i;
	int err = 0;

	for (i = 0; i < nr && !err; i++) {
		if (ranges[i].length)
			spans[taken++] = (VMemStoreSpan){ ranges[i].offset, ranges[i].length };
		if (taken == SPANS) {
			err = flush_spans(fs, spans, taken);
			taken = 0;
		}
	}
	return err ? err : flush_spans(fs, spans, taken);
}

void flush_init(struct fuse_fs *fs)
{
	struct tool_image *image = &fs->image;

	vmemstore_sync_init(&fs->sync, image->fd, 0, image->store.base, one_sync_is_enough(image->fd), LANES);
	pthread_mutex_init(&fs->lanes_lock, NULL);
	pthread_cond_init(&fs->lanes_cond, NULL);
	fs->free_lanes = (1u << fs->sync.nr_lanes) - 1;
	image->store.flush = flush;
}

void flush_end(struct fuse_fs *fs)
{
	vmemstore_sync_fini(&fs->sync);
}
