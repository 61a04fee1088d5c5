// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* fuzz_replay.c - replay a damaged log */
#include "fuzz.h"

const char *const harness_name = "replay";

void fuzz_one(const struct fuzz_input *in)
{
	struct vmem_mount_info info;
	struct vmem_fs *fs;
	int err;

	world_start(&bases[BASE_LOG_HOST + in->head.base % 3], &in->head);
	apply_damage(in);
	err = mount_input(in, &fs, &info);
	/* Without memory it failed; the next mount starts again. */
	if (err == -ENOMEM && in->head.fail_alloc) {
		world_end();
		world.fail_at = 0;
		err = mount_input(in, &fs, &info);
	}
	if (err) {
		world_end();
		return;
	}
	walk_all(fs);
	err = vmem_umount(fs);
	expect_errno(err);
	world_end();
	if (!err && !has_damage(in) && !world.frozen && !world.fail_at && world_check(NULL))
		broken("the check finds something after replaying an undamaged log");
}
