/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * break.h - builds with VMEM_FAULTS only: be wrong on purpose
 *
 * wanted: a seeded bug of guestfs/core/medium/fault.h, or FLUSH: flushes do nothing;
 * other words and NULL: nothing.
 */
#ifndef BREAK_H
#define BREAK_H

#include "vmemos.h"

void break_on_purpose(const char *wanted, struct vmemos_platform *p);

#endif
