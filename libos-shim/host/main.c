// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* main.c - a program for vmemos_main() as a process: PROGRAM IMAGE [WORD...] */
#include <stdio.h>
#include <stdlib.h>

#include "vmemos.h"
#ifdef VMEM_FAULTS
#include "break.h"	/* of tests/libos: VMEM_BREAK=NAME makes the core wrong on purpose */
#endif

int main(int argc, char **argv)
{
	struct vmemos_platform platform;
	int status;

	if (argc < 2) {
		fprintf(stderr, "usage: %s IMAGE [WORD...]; mkfs.vmemfs makes an image\n", argv[0]);
		return 2;
	}
	if (vmemos_host_open(&platform, argv[1]))
		return 125;
#ifdef VMEM_FAULTS
	break_on_purpose(getenv("VMEM_BREAK"), &platform);
#endif
	status = vmemos_main(&platform, argc - 2, argv + 2);
	vmemos_host_close(&platform);
	return status;
}
