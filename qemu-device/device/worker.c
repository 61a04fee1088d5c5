/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker.c - a thread for requests that may take long and are no flushes (worker.h)
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/rcu.h"
#include "qemu/thread.h"

#include "compat.h"
#include "worker.h"

typedef QSIMPLEQ_HEAD(, VMemStoreJob) JobList;

/*
 * The device holds one reference, the thread another: it may still be on its
 * way to the big QEMU lock when the device goes.
 */
struct VMemStoreWorker {
    const char *name;           /* of the thread */
    const VMemStoreWorkerOps *ops;
    void *opaque;
    int refs;                   /* atomic */

    QemuMutex lock;             /* the fields below; inside the big QEMU lock */
    QemuCond work;              /* something was submitted, or quit */
    QemuCond idle;              /* nothing runs */
    JobList submitted;
    JobList done;               /* run, to be completed */
    bool started;
    bool running;
    bool quit;
};

static void worker_unref(VMemStoreWorker *w)
{
    if (qatomic_fetch_dec(&w->refs) == 1) {
        qemu_cond_destroy(&w->work);
        qemu_cond_destroy(&w->idle);
        qemu_mutex_destroy(&w->lock);
        g_free(w);
    }
}

static void complete_list(VMemStoreWorker *w, JobList *list, bool cancelled)
{
    VMemStoreJob *job;

    while ((job = QSIMPLEQ_FIRST(list))) {
        QSIMPLEQ_REMOVE_HEAD(list, next);
        w->ops->complete(w->opaque, job, cancelled);
    }
}

/* Big QEMU lock held.  A reset may have taken the job meanwhile. */
static void complete_done(VMemStoreWorker *w)
{
    JobList list = QSIMPLEQ_HEAD_INITIALIZER(list);

    qemu_mutex_lock(&w->lock);
    QSIMPLEQ_CONCAT(&list, &w->done);
    qemu_mutex_unlock(&w->lock);
    complete_list(w, &list, false);
}

/* w->lock held; NULL when the thread is to end. */
static VMemStoreJob *next_job(VMemStoreWorker *w)
{
    VMemStoreJob *job;

    while (QSIMPLEQ_EMPTY(&w->submitted) && !w->quit) {
        qemu_cond_wait(&w->work, &w->lock);
    }
    job = QSIMPLEQ_FIRST(&w->submitted);
    if (job) {
        QSIMPLEQ_REMOVE_HEAD(&w->submitted, next);
        w->running = true;
    }
    return job;
}

static void *worker_thread(void *opaque)
{
    VMemStoreWorker *w = opaque;
    VMemStoreJob *job;

    rcu_register_thread();
    qemu_mutex_lock(&w->lock);
    while ((job = next_job(w))) {
        qemu_mutex_unlock(&w->lock);
        w->ops->run(w->opaque, job);
        qemu_mutex_lock(&w->lock);
        QSIMPLEQ_INSERT_TAIL(&w->done, job, next);
        w->running = false;
        qemu_cond_broadcast(&w->idle);
        qemu_mutex_unlock(&w->lock);

        bql_lock();
        complete_done(w);
        bql_unlock();
        qemu_mutex_lock(&w->lock);
    }
    qemu_mutex_unlock(&w->lock);
    worker_unref(w);
    rcu_unregister_thread();
    return NULL;
}

VMemStoreWorker *vmemstore_worker_new(const char *name,
                                      const VMemStoreWorkerOps *ops,
                                      void *opaque)
{
    VMemStoreWorker *w = g_new0(VMemStoreWorker, 1);

    w->name = name;
    w->ops = ops;
    w->opaque = opaque;
    w->refs = 1;
    qemu_mutex_init(&w->lock);
    qemu_cond_init(&w->work);
    qemu_cond_init(&w->idle);
    QSIMPLEQ_INIT(&w->submitted);
    QSIMPLEQ_INIT(&w->done);
    return w;
}

void vmemstore_worker_submit(VMemStoreWorker *w, VMemStoreJob *job)
{
    QemuThread thread;

    qemu_mutex_lock(&w->lock);
    QSIMPLEQ_INSERT_TAIL(&w->submitted, job, next);
    if (!w->started) {
        w->started = true;
        qatomic_inc(&w->refs);
        qemu_thread_create(&thread, w->name, worker_thread, w,
                           QEMU_THREAD_DETACHED);
    }
    qemu_cond_signal(&w->work);
    qemu_mutex_unlock(&w->lock);
}

void vmemstore_worker_drain(VMemStoreWorker *w)
{
    VMemStoreJob *job;

    qemu_mutex_lock(&w->lock);
    /* The worker may be waiting for the big QEMU lock, which stays taken. */
    while (w->running || !QSIMPLEQ_EMPTY(&w->submitted)) {
        if (w->running) {
            qemu_cond_wait(&w->idle, &w->lock);
            continue;
        }
        job = QSIMPLEQ_FIRST(&w->submitted);
        QSIMPLEQ_REMOVE_HEAD(&w->submitted, next);
        qemu_mutex_unlock(&w->lock);
        w->ops->run(w->opaque, job);
        qemu_mutex_lock(&w->lock);
        QSIMPLEQ_INSERT_TAIL(&w->done, job, next);
    }
    qemu_mutex_unlock(&w->lock);
    complete_done(w);
}

void vmemstore_worker_cancel(VMemStoreWorker *w)
{
    JobList list = QSIMPLEQ_HEAD_INITIALIZER(list);

    qemu_mutex_lock(&w->lock);
    QSIMPLEQ_CONCAT(&list, &w->submitted);
    while (w->running) {
        qemu_cond_wait(&w->idle, &w->lock);
    }
    QSIMPLEQ_CONCAT(&list, &w->done);
    qemu_mutex_unlock(&w->lock);
    complete_list(w, &list, true);
}

void vmemstore_worker_destroy(VMemStoreWorker *w)
{
    vmemstore_worker_cancel(w);
    qemu_mutex_lock(&w->lock);
    w->quit = true;
    qemu_cond_broadcast(&w->work);
    qemu_mutex_unlock(&w->lock);
    worker_unref(w);
}
