/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* intact.h - what a repair must not lose: everything that the damage did not touch */
#ifndef INTACT_H
#define INTACT_H

#include "fuzz.h"

/*
 * The image was damaged: which inodes and names are as they were built?  None
 * when that cannot be told, because superblock, roots or log lead elsewhere.
 */
void intact_note(void);
/* They must be there, with contents and names. */
void intact_check(void);

#endif
