/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* mutex.h - of Unikraft (lib/uklock/include/uk/mutex.h) */
#ifndef MOCK_MUTEX_H
#define MOCK_MUTEX_H

struct uk_mutex {
	int lock_count;
};

void uk_mutex_init(struct uk_mutex *m);
void uk_mutex_lock(struct uk_mutex *m);
void uk_mutex_unlock(struct uk_mutex *m);

#endif
