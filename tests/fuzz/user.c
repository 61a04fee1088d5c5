// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* user.c - mounting, and the inodes that are open */
#include "user.h"

size_t copy_out(void *ctx, void *addr, size_t len)
{
	volatile uint8_t *sum = ctx;
	const uint8_t *p = addr;
	size_t i;

	for (i = 0; i < len; i += 64)
		*sum = (uint8_t)(*sum + p[i]);
	if (len)
		*sum = (uint8_t)(*sum + p[len - 1]);
	return len;
}

/* ---- Mounting ---- */

int mount_input(const struct fuzz_input *in, struct vmem_fs **fs, struct vmem_mount_info *info)
{
	uint8_t m = in->head.mount;
	struct vmem_mount_opts opts = {
		.domain = (enum vmem_domain)(m & MOUNT_DOMAIN),
		.read_only = m & MOUNT_READ_ONLY, .no_recovery = m & MOUNT_NO_RECOVERY,
		.check = m & MOUNT_CHECK, .check_done = m & MOUNT_CHECK_DONE,
	};
	int err;

	world.frozen = world.store.read_only || opts.no_recovery;
	err = vmem_mount(&world.store, &world.env, &opts, fs, info);
	expect_errno(err);
	if (err > 0)
		broken("mount says %d", err);
	return err;
}

/* ---- Inodes ---- */

struct slot *get_inode(struct user *u, uint64_t ino)
{
	struct slot *s, *free_slot = NULL;
	int err;

	for (s = u->all; s < u->all + MAX_OPEN; s++) {
		if (!s->vi)
			free_slot = s;
		else if (s->vi->ino == ino) {
			s->refs++;
			return s;
		}
	}
	if (!free_slot)
		return NULL;
	s = free_slot;
	s->vi = malloc(sizeof(*s->vi));
	if (!s->vi)
		abort();
	err = vmem_iget(u->fs, ino, s->vi);
	expect_errno(err);
	if (err) {
		free(s->vi);
		s->vi = NULL;
		return NULL;
	}
	s->refs = 1;
	s->counted = false;
	return s;
}

void put_inode(struct slot *s)
{
	if (!s || --s->refs)
		return;
	expect_errno(vmem_iput(s->vi));
	free(s->vi);
	s->vi = NULL;
}

struct slot *adopt_inode(struct user *u, struct vmem_inode *vi)
{
	struct slot *s;

	for (s = u->all; s < u->all + MAX_OPEN; s++)
		if (s->vi && s->vi->ino == vi->ino) {
			/* A new inode that is in use already: only damage makes one. */
			if (world.pristine)
				broken("new inode %llu is open", (unsigned long long)vi->ino);
			return NULL;
		}
	for (s = u->all; s < u->all + MAX_OPEN && s->vi; s++)
		;
	if (s == u->all + MAX_OPEN)
		return NULL;
	s->vi = vi;
	s->refs = 1;
	s->counted = false;
	return s;
}
