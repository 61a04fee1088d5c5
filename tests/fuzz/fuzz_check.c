// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* fuzz_check.c - check a damaged image; what the check accepts, the core must */
#include "fuzz.h"

const char *const harness_name = "check";

void fuzz_one(const struct fuzz_input *in)
{
	struct vmem_fs *fs;
	bool needs_check;
	int64_t found;
	int err;

	world_start(&bases[in->head.base % NR_BASES], &in->head);
	apply_damage(in);
	found = world_check(&needs_check);
	world_end();
	if (found || needs_check)
		return;
	world.fail_at = 0;
	world.pristine = true;
	err = mount_input(in, &fs, NULL);
	if (err == -ENOTSUP)	/* that domain, on that backing */
		return;
	if (err)
		broken("the check finds nothing, but mount says %d", err);
	walk_all(fs);
	expect_errno(vmem_umount(fs));
	world_end();
	if (world_check(NULL))
		broken("the check finds something only after mounting");
}
