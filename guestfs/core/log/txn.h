/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* txn.h - between txn.c, which builds transactions, and journal.c, which ends them */
#ifndef VMEM_TXN_H
#define VMEM_TXN_H

#include "mount.h"

/* Put the overlay back as it was, newest change first. */
void vmem_txn_undo(struct vmem_txn *t);
/* Checksum the changed inodes and turn them into deltas. */
void vmem_txn_write_inodes(struct vmem_txn *t);

#endif /* VMEM_TXN_H */
