/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker.h - a thread for requests that may take long and are no flushes
 *
 * One job at a time, in the order of submission.  Like the flush engine: a job
 * is submitted and completed under the big QEMU lock, and runs without it.
 */
#ifndef VMEMSTORE_WORKER_H
#define VMEMSTORE_WORKER_H

#include "qemu/queue.h"

/* Embedded in what the job is about. */
typedef struct VMemStoreJob {
    QSIMPLEQ_ENTRY(VMemStoreJob) next;
} VMemStoreJob;

typedef struct VMemStoreWorker VMemStoreWorker;

typedef struct VMemStoreWorkerOps {
    /* In the worker's thread, no lock held. */
    void (*run)(void *opaque, VMemStoreJob *job);
    /* Big QEMU lock held; @cancelled: it was not run, or nobody is to know. */
    void (*complete)(void *opaque, VMemStoreJob *job, bool cancelled);
} VMemStoreWorkerOps;

/* Big QEMU lock held in all of these. */
VMemStoreWorker *vmemstore_worker_new(const char *name,
                                      const VMemStoreWorkerOps *ops,
                                      void *opaque);
void vmemstore_worker_submit(VMemStoreWorker *w, VMemStoreJob *job);
/* Run and complete all jobs, in this thread: for a VM that has just stopped. */
void vmemstore_worker_drain(VMemStoreWorker *w);
/* Wait for the running job, then complete all as cancelled. */
void vmemstore_worker_cancel(VMemStoreWorker *w);
/* Cancel and free; the thread ends by itself. */
void vmemstore_worker_destroy(VMemStoreWorker *w);

#endif /* VMEMSTORE_WORKER_H */
