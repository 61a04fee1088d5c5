/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * writeback.h - keep a file nearly clean while a migration runs
 *
 * At switch-over the whole file is flushed, and nobody may run meanwhile.  So
 * that little is left by then, a thread has dirty pages written back all along.
 */
#ifndef VMEMSTORE_WRITEBACK_H
#define VMEMSTORE_WRITEBACK_H

#include "qemu/thread.h"

typedef struct VMemStoreWriteback {
    int fd;                 /* its own */
    QemuThread thread;
    QemuSemaphore stop;
    bool started;
} VMemStoreWriteback;

/* Best effort: nothing is promised, and no error is hidden from a real flush. */
void vmemstore_writeback_start(VMemStoreWriteback *w, const char *path);
/* Harmless when not started. */
void vmemstore_writeback_stop(VMemStoreWriteback *w);

#endif /* VMEMSTORE_WRITEBACK_H */
