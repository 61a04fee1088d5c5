// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* faults.c - seeds known bugs of two threads in the core: the explorer must catch each */
#include <stdio.h>
#include <string.h>
#include "medium/fault.h"
#include "sets.h"

#ifdef VMEM_FAULTS
enum vmem_fault vmem_fault;
#endif

#define FAULT_TEXT(name, text) [VMEM_FAULT_##name] = #name ": " text,
static const char *const race_text[] = { VMEM_RACE_LIST(FAULT_TEXT) };

/* Where a fault shows soonest; the others: known pairs. */
static const struct {
	enum vmem_fault fault;
	enum mode mode;
	enum store_kind store;
	bool flags, crash;		/* it takes steps at flags; failures meanwhile */
	const char *start, *a, *b;
} hints[] = {
	{ VMEM_FAULT_LATE_TAIL, MODE_HOST, STORE_PLAIN, false, false, "pieces", "truncate-poor many 100",
	  "map many 10 80; write many 10 20" },
	{ VMEM_FAULT_TOUCH_LOST, MODE_HOST, STORE_PLAIN, false, false, "standard", "map holes 8192 4", "map holes 0 50" },
	{ VMEM_FAULT_RIDE_RACE, MODE_HOST, STORE_PLAIN, true, false, "quiet", "write A/bar e 60",
	  "map A/bar 160 8; fsync A/bar" },
	{ VMEM_FAULT_MARK_LOST, MODE_HOST, STORE_PLAIN, false, false, "pieces", "map many 4096 80; spoil many", "fsync many" },
	{ VMEM_FAULT_JOIN_CLOSED, MODE_HOST, STORE_PLAIN, false, true, "standard", "creat x; fsync x",
	  "creat A/y; fsync A/y" },
	{ VMEM_FAULT_ROUND_OLD, MODE_HOST, STORE_PLAIN, false, false, "standard", "write foo 100 50; fsync foo",
	  "creat x; fsync x" },
	{ VMEM_FAULT_DIRTY_LOST, MODE_HOST, STORE_PLAIN, false, false, "standard", "write foo 100 50",
	  "write foo 4200 50; fsync foo" },
	{ VMEM_FAULT_IGET_EARLY, MODE_HOST, STORE_PLAIN, false, false, "standard", "creat x", "handle 9" },
	{ VMEM_FAULT_HOME_NEWER, MODE_HOST, STORE_PLAIN, false, true, "standard", "creat A/y; checkpoint", "creat x" },
	{ VMEM_FAULT_SEQ_KEPT, MODE_GUEST, STORE_PLAIN, false, false, "pieces", "seek many 1224704", "map many 0 8" },
	{ VMEM_FAULT_SEQ_BLIND, MODE_GUEST, STORE_PLAIN, false, false, "pieces", "seek many 1224704", "map many 0 8" },
	{ VMEM_FAULT_PAGE_EARLY, MODE_HOST, STORE_PLAIN, false, false, "pieces", "map many 0 8; seek many 1224704", "checkpoint" },
	{ VMEM_FAULT_TAIL_LATE, MODE_HOST, STORE_PLAIN, false, false, "standard", "checkpoint", "creat x; fsync x" },
	{ VMEM_FAULT_FILL_BLIND, MODE_GUEST, STORE_PLAIN, false, false, "standard", "map holes 8192 4", "map holes 8196 4" },
	{ VMEM_FAULT_CONVERT_BLIND, MODE_GUEST, STORE_PLAIN, false, false, "ahead", "map holes 8192 4", "map holes 8300 4" },
	{ VMEM_FAULT_GIVE_BLIND, MODE_GUEST, STORE_PLAIN, true, false, "standard", "falloc holes 0 20000", "map holes 4096 9000" },
	{ VMEM_FAULT_WRITE_BLIND, MODE_GUEST, STORE_PLAIN, false, false, "standard", "write holes 4096 40000",
	  "map holes 8192 4" },
	{ VMEM_FAULT_TRIM_UNHELD, MODE_GUEST, STORE_THIN, false, false, "quiet", "trim", "write foo e 20000" },
	{ VMEM_FAULT_READY_LATE, MODE_HOST, STORE_THIN, false, false, "quiet", "write #1 e 5000", "trim" },
	{ VMEM_FAULT_LOCK_KEPT, MODE_HOST, STORE_PLAIN, false, false, "standard", "creat x; fsync x", "creat A/y; fsync A/y" },
	{ VMEM_FAULT_LOCK_ORDER, MODE_HOST, STORE_PLAIN, false, false, "standard", "checkpoint", "creat x; fsync x" },
};

bool is_race(unsigned int fault)
{
	return fault < sizeof(race_text) / sizeof(race_text[0]) && race_text[fault];
}

void list_races(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(race_text) / sizeof(race_text[0]); i++)
		if (race_text[i])
			printf("%u %s\n", i, race_text[i]);
}

static bool caught_by_hint(struct run *r, unsigned int fault)
{
	static struct program a, b;
	unsigned int i;

	for (i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		if ((unsigned int)hints[i].fault != fault)
			continue;
		r->flags = hints[i].flags;
		sched.hooks = r->flags ? sched.hooks | 1u << HOOK_FLAG : sched.hooks & ~(1u << HOOK_FLAG);
		if (hints[i].crash) {
			r->lab.crash_every = 1;
			r->lab.opt.every = 1;
		}
		program_parse(hints[i].a, &a);
		program_parse(hints[i].b, &b);
		if (begin_start(r, hints[i].mode, hints[i].store, find_start(hints[i].start)))
			try_pair(r, &a, &b);
		if (r->lab.count.failures)
			return true;
	}
	return false;
}

int try_race(struct run *r, unsigned int fault)
{
	unsigned int store;
	bool found;

#ifdef VMEM_FAULTS
	vmem_fault = (enum vmem_fault)fault;
#endif
	r->stop = 1;
	found = caught_by_hint(r, fault);
	for (store = 0; store < NR_STORES && !found; store++) {
		r->flags = true;
		sched.hooks |= 1u << HOOK_FLAG;
		r->stores = 1u << store;
		r->seconds = cpu_seconds() + 20;
		run_set(r, "known");
		found = r->lab.count.failures > 0;
	}
	printf(found ? "pass fault %s: caught\n" : "fail fault %s: not caught\n", race_text[fault]);
	return !found;
}
