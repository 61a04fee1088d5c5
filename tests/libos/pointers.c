// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * pointers.c - raw pointers into the store survive a reboot
 *
 *	pointers make	build a list whose links are addresses
 *	pointers walk	follow them, in another boot
 */
#include "check.h"

#define NODES 5000u

struct node {
	struct node *next;
	uint64_t value;
};

struct list {
	struct list *self;		/* tells when the store is mapped elsewhere */
	struct node *first;
	struct node nodes[NODES];
};

static void make_list(void)
{
	struct vmemos_file *f = make_file("list");
	struct vmemos_area area;
	struct list *list;
	unsigned int i;

	CHECK(f);
	OK(vmemos_ftruncate(f, 0));
	OK(vmemos_layout(f, 0, sizeof(*list)));
	OK(vmemos_acquire(f, 0, sizeof(*list), VMEMOS_WHOLE, &area));
	list = area.addr;
	for (i = 0; i < NODES; i++) {
		/* Backwards, in leaps: each link crosses pages. */
		struct node *node = &list->nodes[i * 1237 % NODES];

		node->value = i;
		node->next = list->first;
		list->first = node;
	}
	list->self = list;
	OK(vmemos_persist(&area, list, sizeof(*list)));
	OK(vmemos_release(&area));
	OK(vmemos_close(f));
}

static void walk_list(void)
{
	struct vmemos_file *f;
	struct vmemos_area area;
	const struct list *list;
	const struct node *node;
	unsigned int n = 0;

	OK(vmemos_open(root, "list", VMEMOS_O_RDONLY, 0, &f));
	OK(vmemos_acquire(f, 0, sizeof(*list), VMEMOS_READ | VMEMOS_WHOLE, &area));
	list = area.addr;
	CHECK(list->self == list);
	for (node = list->first; node; node = node->next) {
		CHECK(in_store(node, sizeof(*node)));
		n++;
		EXPECT(node->value, NODES - n);
	}
	EXPECT(n, NODES);
	OK(vmemos_release(&area));
	OK(vmemos_close(f));
}

int vmemos_main(struct vmemos_platform *p, int argc, char **argv)
{
	static const struct property list[] = {
		{ "make", make_list, false },
		{ "walk", walk_list, false },
	};

	return check_all(p, argc, argv, list, NR(list));
}
