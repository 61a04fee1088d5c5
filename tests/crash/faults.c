// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* faults.c - seeds known bugs in the core: the explorer must catch each */
#include <string.h>
#include "medium/fault.h"
#include "run.h"

#ifdef VMEM_FAULTS
enum vmem_fault vmem_fault;
#endif

#define FAULT_TEXT(name, text) #name ": " text,
static const char *const fault_text[] = { "", VMEM_FAULT_LIST(FAULT_TEXT) };

/* Where a fault shows soonest; the others: set one in mode guest. */
static const struct {
	enum vmem_fault fault;
	const char *set;
	enum mode mode;
} hints[] = {
	{ VMEM_FAULT_FENCE_RECORD, "one", MODE_PMEM }, { VMEM_FAULT_WRITEBACK, "one", MODE_PMEM },
	{ VMEM_FAULT_FENCE_DATA, "one", MODE_PMEM }, { VMEM_FAULT_LONG_NAME, "known", MODE_PMEM },
	{ VMEM_FAULT_OPEN_GROUP, "one", MODE_HOST },
	{ VMEM_FAULT_REPLAY_OLD, "known", MODE_GUEST }, { VMEM_FAULT_DATA_LATE, "one", MODE_HOST },
	{ VMEM_FAULT_MARK_EARLY, "one", MODE_HOST }, { VMEM_FAULT_ONE_FLUSH, "one", MODE_HOST },
	{ VMEM_FAULT_FLUSH, "one", MODE_HOST },
	{ VMEM_FAULT_HOME_EARLY, "two", MODE_HOST }, { VMEM_FAULT_TAIL_EARLY, "one", MODE_HOST },
	{ VMEM_FAULT_RECOVERY_EARLY, "one", MODE_KILL }, { VMEM_FAULT_REUSE_EARLY, "one", MODE_HOST },
	{ VMEM_FAULT_ROOT_IN_PLACE, "one", MODE_PMEM }, { VMEM_FAULT_UNLOG, "known", MODE_HOST },
	{ VMEM_FAULT_DISCARD_EARLY, "one", MODE_HOST },
	{ VMEM_FAULT_FSYNC_DATA, "two", MODE_HOST }, { VMEM_FAULT_HANDLE_LOCAL, "one", MODE_HOST },
	{ VMEM_FAULT_GROW_SUPER_FIRST, "grow", MODE_PMEM }, { VMEM_FAULT_GROW_EARLY, "grow", MODE_HOST },
	{ VMEM_FAULT_GROW_DONE_EARLY, "grow", MODE_PMEM },
	{ VMEM_FAULT_FEATURE_LATE, "known", MODE_GUEST }, { VMEM_FAULT_VALUE_UNLINKED, "known", MODE_HOST },
	{ VMEM_FAULT_WHITEOUT_LATE, "known", MODE_GUEST },
	{ VMEM_FAULT_LABEL_AT_ONCE, "known", MODE_PMEM },
	{ VMEM_FAULT_CONVERT_EARLY, "known", MODE_HOST }, { VMEM_FAULT_ZERO_EARLY, "known", MODE_HOST },
	{ VMEM_FAULT_ACL_AND_MODE, "known", MODE_GUEST },
};

unsigned int nr_faults(void)
{
	return VMEM_NR_FAULTS;
}

void list_faults(void)
{
	unsigned int i;

	for (i = 1; i < VMEM_NR_FAULTS; i++)
		printf("%u %s\n", i, fault_text[i]);
}

bool fault_is_thin(unsigned int fault)
{
	return fault == VMEM_FAULT_DISCARD_EARLY || fault == VMEM_FAULT_HOLE;
}

static bool caught(struct run *r, const char *set, enum mode mode, double seconds)
{
	r->mode = mode;
	r->world.mode = mode;
	r->sample = strcmp(set, "two") ? 1 : 500;
	r->seconds = seconds;
	r->opt.nest = 40;
	r->opt.every = strcmp(set, "random") ? 1 : 3;
	run_set(r, set, NULL);
	return r->failures > 0;
}

/* The hint, then everything. */
int try_fault(struct run *r, unsigned int fault)
{
	static const char *const sets[] = { "known", "one", "random", "two" };
	const char *set = "one";
	enum mode mode = MODE_GUEST;
	unsigned int i;
	bool found;

#ifdef VMEM_FAULTS
	vmem_fault = (enum vmem_fault)fault;
#endif
	r->stop = 1;
	for (i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if ((unsigned int)hints[i].fault == fault) {
			set = hints[i].set;
			mode = hints[i].mode;
		}
	found = caught(r, set, mode, 120);
	for (i = 0; i < 4 * NR_MODES && !found; i++) {
		set = sets[i / NR_MODES];
		mode = i % NR_MODES;
		found = caught(r, set, mode, 5);
	}
	printf(found ? "pass fault %s: caught by set %s in mode %s\n" : "fail fault %s: not caught\n",
	       fault_text[fault], set, mode_name[mode]);
	return !found;
}
