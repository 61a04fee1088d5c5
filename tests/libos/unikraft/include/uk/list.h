/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* list.h - of Unikraft (include/uk/list.h): the heads only */
#ifndef MOCK_LIST_H
#define MOCK_LIST_H

struct uk_list_head {
	struct uk_list_head *next, *prev;
};

struct uk_hlist_node {
	struct uk_hlist_node *next, **pprev;
};

#endif
