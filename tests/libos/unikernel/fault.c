// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * fault.c - a unikernel, platform and all in one image, that does what it must not
 *
 *	fault null|stack|code
 */
#include <string.h>

#include "vmemos.h"

__attribute__((noinline)) static void store_to(volatile char *address)
{
	*address = 1;
}

__attribute__((noinline)) static int overflow(volatile int *depth)
{
	volatile int more[256] = { *depth + 1 };

	return overflow(more) + more[0];
}

int vmemos_main(struct vmemos_platform *p, int argc, char **argv)
{
	volatile int depth = 0;

	(void)p;
	if (argc > 0 && !strcmp(argv[0], "null"))
		store_to((char *)16);
	if (argc > 0 && !strcmp(argv[0], "code"))
		store_to((char *)(uintptr_t)vmemos_main);
	if (argc > 0 && !strcmp(argv[0], "stack"))
		return overflow(&depth);
	return 0;
}
