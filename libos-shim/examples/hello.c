// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#include "vmemos.h"

int vmemos_main(struct vmemos_platform *p, int argc, char **argv)
{
	struct vmemos_file *f;
	struct vmemos *fs;
	uint32_t boots = 0;

	(void)argc, (void)argv;
	if (vmemos_mount(p, NULL, &fs) ||
	    vmemos_open(vmemos_root(fs), "boots", VMEMOS_O_RDWR | VMEMOS_O_CREAT, 0644, &f))
		return 1;
	vmemos_pread(f, &boots, sizeof(boots), 0);
	boots++;
	vmemos_pwrite(f, &boots, sizeof(boots), 0);
	vmemos_fsync(f, false);		/* host-durable from here on */
	vmemos_printf(p, "boot number %u\n", boots);
	vmemos_close(f);
	return vmemos_umount(fs) ? 1 : 0;
}
