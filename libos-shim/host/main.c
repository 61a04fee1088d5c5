// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* main.c - a program for vmemos_main() as a process: PROGRAM IMAGE [WORD...] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "vmemos.h"

#ifdef VMEM_FAULTS
/* A build for tests: VMEM_BREAK=NAME makes the core wrong on purpose (fault.h). */
enum vmem_fault vmem_fault;

static void seed_fault(const char *wanted)
{
#define VMEM_FAULT_NAME(name, text) #name,
	static const char *const names[] = { "NONE", VMEM_FAULT_LIST(VMEM_FAULT_NAME) };
	unsigned int i;

	for (i = 0; wanted && i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(wanted, names[i]))
			vmem_fault = (enum vmem_fault)i;
}
#endif

int main(int argc, char **argv)
{
	struct vmemos_platform platform;
	int status;

	if (argc < 2) {
		fprintf(stderr, "usage: %s IMAGE [WORD...]; mkfs.vmemfs makes an image\n", argv[0]);
		return 2;
	}
#ifdef VMEM_FAULTS
	seed_fault(getenv("VMEM_BREAK"));
#endif
	if (vmemos_host_open(&platform, argv[1], 0))
		return 125;
	status = vmemos_main(&platform, argc - 2, argv + 2);
	vmemos_host_close(&platform);
	return status;
}
