// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * fuzz_ops.c - sequences of operations on a damaged image
 *
 * When the check finds nothing before them, the core must report no damage
 * and the check find nothing after them either.
 */
#include "fuzz.h"

const char *const harness_name = "ops";

void fuzz_one(const struct fuzz_input *in)
{
	struct base *base = &bases[in->head.base % NR_BASES];
	uint8_t unsafe = MOUNT_CHECK | MOUNT_CHECK_DONE;
	bool needs_check;
	struct vmem_fs *fs;
	int err;

	world_start(base, &in->head);
	apply_damage(in);
	world.fail_at = 0;
	world.pristine = !base->dirty && world_check(&needs_check) == 0 && !needs_check &&
			 !(in->head.mount & unsafe);
	world_end();
	world.allocs = 0;
	world.fail_at = in->head.fail_alloc ? in->head.fail_alloc + 20ull : 0;
	if (mount_input(in, &fs, NULL)) {
		world_end();
		return;
	}
	fs = run_ops(fs, in);
	err = fs ? vmem_umount(fs) : -EIO;
	expect_errno(err);
	world_end();
	if (!err && world.pristine && !in->head.fail_alloc && world_check(NULL))
		broken("the check finds something after operations on an image without damage");
}
