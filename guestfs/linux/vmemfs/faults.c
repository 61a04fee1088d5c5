// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * faults.c - be wrong on purpose: tests must find it (core/fault.h)
 *
 * Only in modules made by "make FAULTS=1".  The parameter "fault" is the name of
 * the bug that is switched on; NONE: none.
 */
#include <linux/module.h>
#include <linux/string.h>

/* Not the device's, which is on the path, too. */
#include "../../core/medium/fault.h"

enum vmem_fault vmem_fault;

#define FAULT_NAME(name, text) #name,
static const char *const names[] = { "NONE", VMEM_FAULT_LIST(FAULT_NAME) };

static int set_fault(const char *name, const struct kernel_param *kp)
{
	int nr = sysfs_match_string(names, name);

	if (nr < 0)
		return nr;
	vmem_fault = nr;
	return 0;
}

static int get_fault(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", names[vmem_fault]);
}

static const struct kernel_param_ops fault_ops = {
	.set = set_fault,
	.get = get_fault,
};
module_param_cb(fault, &fault_ops, NULL, 0600);
MODULE_PARM_DESC(fault, "name of a bug to switch on, for tests");
