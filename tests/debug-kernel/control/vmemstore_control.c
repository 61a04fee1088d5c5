// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vmemstore_control.c - a module with one fault of each kind that a debug kernel finds
 *
 * Loading it with what=KIND commits the fault once; the log must then tell of it.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

static char *what = "";
module_param(what, charp, 0);
MODULE_PARM_DESC(what, "none, freed, list, order, sleep, shift, object or race");

static void use_freed(void)
{
	/* Volatile, so that the compiler does not know better. */
	char *volatile p = kmalloc(64, GFP_KERNEL);

	kfree(p);
	if (p)
		pr_info("control: %d\n", READ_ONCE(p[1]));
}

static void remove_twice(void)
{
	static LIST_HEAD(list);
	static struct list_head link;

	list_add(&link, &list);
	__list_del_entry(&link);
	__list_del_entry(&link);
}

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);

static void lock_both(struct mutex *a, struct mutex *b)
{
	mutex_lock(a);
	mutex_lock(b);
	mutex_unlock(b);
	mutex_unlock(a);
}

static void sleep_in_atomic(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	might_sleep();
	spin_unlock(&lock);
}

static void shift_too_far(void)
{
	volatile int bits = 40;

	pr_info("control: %d\n", 1 << bits);
}

static void nothing(struct timer_list *unused)
{
}

/* The memory of a timer that is still to run. */
static void free_active(void)
{
	struct timer_list *timer = kzalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return;
	timer_setup(timer, nothing, 0);
	mod_timer(timer, jiffies + 3600 * HZ);
	kfree(timer);
}

static u64 shared;

static int race(void *unused)
{
	unsigned long end = jiffies + 20 * HZ;

	while (time_before(jiffies, end) && !kthread_should_stop()) {
		/* A plain read, change and store by two threads. */
		shared++;
		barrier();
		cond_resched();
	}
	while (!kthread_should_stop())
		msleep(20);
	return 0;
}

static void race_both(void)
{
	struct task_struct *threads[2];
	int i;

	for (i = 0; i < 2; i++)
		threads[i] = kthread_run(race, NULL, "control-%d", i);
	ssleep(10);
	for (i = 0; i < 2; i++)
		if (!IS_ERR(threads[i]))
			kthread_stop(threads[i]);
}

static int __init control_init(void)
{
	if (!strcmp(what, "freed")) {
		use_freed();
	} else if (!strcmp(what, "list")) {
		remove_twice();
	} else if (!strcmp(what, "order")) {
		lock_both(&first, &second);
		lock_both(&second, &first);
	} else if (!strcmp(what, "sleep")) {
		sleep_in_atomic();
	} else if (!strcmp(what, "shift")) {
		shift_too_far();
	} else if (!strcmp(what, "object")) {
		free_active();
	} else if (!strcmp(what, "race")) {
		race_both();
	} else if (strcmp(what, "none")) {
		return -EINVAL;
	}
	return 0;
}

static void __exit control_exit(void)
{
}

module_init(control_init);
module_exit(control_exit);
MODULE_DESCRIPTION("known faults, for tests/debug-kernel");
MODULE_LICENSE("GPL");
