// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* fuzz_mount.c - mount a damaged image, look at everything, use it, mount it again */
#include "fuzz.h"

const char *const harness_name = "mount";

void fuzz_one(const struct fuzz_input *in)
{
	struct vmem_fs *fs;
	int round;

	world_start(&bases[in->head.base % NR_BASES], &in->head);
	apply_damage(in);
	for (round = 0; round < 2; round++) {
		if (mount_input(in, &fs, NULL))
			break;
		walk_all(fs);
		if (!round) {
			run_standard_ops(fs);
			walk_all(fs);
		}
		expect_errno(vmem_umount(fs));
		world_end();
	}
	world_end();
}
