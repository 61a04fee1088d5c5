// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* flusher.c - a unikernel that writes two pages and flushes them, until it is killed */
#include "vmemos.h"

int vmemos_main(struct vmemos_platform *p, int argc, char **argv)
{
	static const char page[4096];
	struct vmemos_file *f;
	struct vmemos *fs;

	(void)argc, (void)argv;
	if (vmemos_mount(p, NULL, &fs) ||
	    vmemos_open(vmemos_root(fs), "file", VMEMOS_O_RDWR | VMEMOS_O_CREAT, 0644, &f))
		return 1;
	for (unsigned int n = 1;; n++) {
		if (vmemos_pwrite(f, page, sizeof(page), 0) < 0 ||
		    vmemos_pwrite(f, page, sizeof(page), 1 << 20) < 0 || vmemos_fsync(f, false))
			return 1;
		if (n % 100 == 1)
			vmemos_printf(p, "flush %u\n", n);
	}
}
