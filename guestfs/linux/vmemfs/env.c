// SPDX-License-Identifier: GPL-2.0-or-later
/* env.c - the services that the core asks of its surroundings */
#include <linux/crc32.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/rwsem.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#ifdef CONFIG_X86_64
#include <asm/cpufeature.h>
#endif

#include "medium/hash.h"
#include "vmemfs.h"

static struct vmemfs_sb *env_sbi(const struct vmem_env *env)
{
	return env->ctx;
}

/* Reclaim may not come back into a file system that waits for memory. */
static void *env_alloc(const struct vmem_env *env, size_t size)
{
	unsigned int saved = memalloc_nofs_save();
	void *p = kvzalloc(size, GFP_KERNEL | __GFP_NOWARN);

	memalloc_nofs_restore(saved);
	return p;
}

static void env_free(const struct vmem_env *env, void *p, size_t size)
{
	kvfree(p);
}

/* The clock of current_time(), so that times never go back. */
static int64_t env_now(const struct vmem_env *env)
{
	return ktime_get_coarse_real_ns();
}

static void env_random(const struct vmem_env *env, void *buf, size_t len)
{
	get_random_bytes(buf, len);
}

/* The crypto API's crc32c uses vector registers: to save them costs more than a short record. */
static uint32_t env_crc32c(uint32_t crc, const void *buf, size_t len)
{
#ifdef CONFIG_X86_64
	if (static_cpu_has(X86_FEATURE_XMM4_2))
		return vmem_crc32c_insn(crc, buf, len);
#endif
	return __crc32c_le(crc, buf, len);
}

static __printf(3, 4)
void env_log(const struct vmem_env *env, enum vmem_log_level level, const char *fmt, ...)
{
	const char *id = env_sbi(env)->sb->s_id;
	struct va_format vaf;
	va_list args;

	va_start(args, fmt);
	vaf.fmt = fmt;
	vaf.va = &args;
	switch (level) {
	case VMEM_LOG_ERR:
		pr_err("vmemfs (%s): %pV\n", id, &vaf);
		break;
	case VMEM_LOG_WARN:
		pr_warn("vmemfs (%s): %pV\n", id, &vaf);
		break;
	case VMEM_LOG_INFO:
		pr_info("vmemfs (%s): %pV\n", id, &vaf);
		break;
	}
	va_end(args);
}

/* ---- locks ---- */

/* The core nests its locks, so each is a class of its own for lockdep. */
struct vmemfs_lock {
	struct rw_semaphore sem;
	struct lock_class_key key;
};

static void *env_lock_new(const struct vmem_env *env)
{
	struct vmemfs_lock *lock = kzalloc(sizeof(*lock), GFP_KERNEL);

	if (!lock)
		return NULL;
	lockdep_register_key(&lock->key);
	__init_rwsem(&lock->sem, "vmemfs core", &lock->key);
	return lock;
}

static void env_lock_free(const struct vmem_env *env, void *p)
{
	struct vmemfs_lock *lock = p;

	if (!lock)
		return;
	lockdep_unregister_key(&lock->key);
	kfree(lock);
}

static void env_lock(void *p)
{
	down_write(&((struct vmemfs_lock *)p)->sem);
}

static void env_unlock(void *p)
{
	up_write(&((struct vmemfs_lock *)p)->sem);
}

static void env_lock_shared(void *p)
{
	down_read(&((struct vmemfs_lock *)p)->sem);
}

static void env_unlock_shared(void *p)
{
	up_read(&((struct vmemfs_lock *)p)->sem);
}

static bool env_trylock_shared(void *p)
{
	return down_read_trylock(&((struct vmemfs_lock *)p)->sem);
}

/* ---- work in the background ---- */

static void env_kick(const struct vmem_env *env)
{
	struct vmemfs_sb *sbi = env_sbi(env);

	/* While mounting or stopping: remember it for vmemfs_work_start(). */
	if (test_bit(VMEMFS_SB_WORKING, &sbi->flags))
		queue_work(vmemfs_wq, &sbi->checkpoint_work);
	else
		set_bit(VMEMFS_SB_KICKED, &sbi->flags);
}

static void checkpoint_worker(struct work_struct *work)
{
	struct vmemfs_sb *sbi = container_of(work, struct vmemfs_sb, checkpoint_work);
	struct super_block *sb = sbi->sb;
	int err = vmem_checkpoint(sbi->fs);

	if (!vmem_is_read_only(sbi->fs) || sb_rdonly(sb) || test_bit(VMEMFS_SB_SHUT_DOWN, &sbi->flags))
		return;
	/*
	 * The core has reported a failure, and every fsync will.  mount(8) shows it, too;
	 * syncfs(2), which skips a read-only file system, has it from here.
	 */
	if (err == -EIO)
		errseq_set(&sb->s_wb_err, err);
	sb->s_flags |= SB_RDONLY;
}

static void queue_commit(struct vmemfs_sb *sbi)
{
	if (sbi->commit_seconds && test_bit(VMEMFS_SB_WORKING, &sbi->flags))
		mod_delayed_work(vmemfs_wq, &sbi->commit_work,
				 sbi->commit_seconds * HZ);
}

static void commit_worker(struct work_struct *work)
{
	struct vmemfs_sb *sbi = container_of(to_delayed_work(work), struct vmemfs_sb,
					     commit_work);

	(void)vmem_sync(sbi->fs);
	queue_commit(sbi);
}

void vmemfs_work_start(struct vmemfs_sb *sbi)
{
	if (vmem_is_read_only(sbi->fs))
		return;
	set_bit(VMEMFS_SB_WORKING, &sbi->flags);
	if (test_and_clear_bit(VMEMFS_SB_KICKED, &sbi->flags))
		queue_work(vmemfs_wq, &sbi->checkpoint_work);
	queue_delayed_work(vmemfs_wq, &sbi->orphan_work, 0);
	/* In the other domains a call is durable when it returns. */
	if (vmem_get_domain(sbi->fs) == VMEM_DOMAIN_HOST)
		queue_commit(sbi);
}

void vmemfs_work_stop(struct vmemfs_sb *sbi)
{
	clear_bit(VMEMFS_SB_WORKING, &sbi->flags);
	cancel_delayed_work_sync(&sbi->orphan_work);
	cancel_delayed_work_sync(&sbi->commit_work);
	/* Last, because a commit may ask for a checkpoint. */
	cancel_work_sync(&sbi->checkpoint_work);
}

void vmemfs_env_init(struct vmemfs_sb *sbi)
{
	sbi->env = (struct vmem_env) {
		.ctx = sbi,
		.alloc = env_alloc,
		.free = env_free,
		.now = env_now,
		.random = env_random,
		.crc32c = env_crc32c,
		.log = env_log,
		.lock_new = env_lock_new,
		.lock_free = env_lock_free,
		.lock = env_lock,
		.unlock = env_unlock,
		.lock_shared = env_lock_shared,
		.unlock_shared = env_unlock_shared,
		.trylock_shared = env_trylock_shared,
		.kick = env_kick,
	};
	INIT_DELAYED_WORK(&sbi->commit_work, commit_worker);
	INIT_WORK(&sbi->checkpoint_work, checkpoint_worker);
	vmemfs_orphans_init(sbi);
}
