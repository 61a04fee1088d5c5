// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* break.c - seeds a bug, that a test must find; for a process and for the loader */
#include <string.h>

#include "break.h"
#include "medium/fault.h"

enum vmem_fault vmem_fault;

static int no_flush(struct vmemos_platform *p, const struct vmemos_range *ranges, unsigned int nr)
{
	(void)p;
	(void)ranges;
	(void)nr;
	return 0;
}

void break_on_purpose(const char *wanted, struct vmemos_platform *p)
{
#define FAULT_NAME(name, text) #name,
	static const char *const names[] = { "NONE", VMEM_FAULT_LIST(FAULT_NAME) };
	unsigned int i;

	if (!wanted)
		return;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(wanted, names[i]))
			vmem_fault = (enum vmem_fault)i;
	if (!strcmp(wanted, "FLUSH"))
		p->flush = no_flush;
}
