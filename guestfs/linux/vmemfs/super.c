// SPDX-License-Identifier: GPL-2.0-or-later
/* super.c - mount options, mount, remount, unmount, statfs, sync */
#include <linux/blkdev.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/statfs.h>

#include "vmemfs.h"

enum { OPT_DURABILITY, OPT_COMMIT, OPT_DISCARD, OPT_DAX, OPT_DAX_MODE, OPT_ERRORS, OPT_ACL, OPT_XATTR };

static const struct constant_table durability_names[] = {
	{ "host", VMEM_DOMAIN_HOST },
	{ "guest", VMEM_DOMAIN_GUEST },
	/* Shown for DAX backing; a remount gives back what is shown. */
	{ "pmem", VMEM_DOMAIN_PMEM },
	{}
};

enum { DAX_ALWAYS, DAX_INODE, DAX_NEVER };

static const struct constant_table dax_names[] = {
	{ "always", DAX_ALWAYS },
	{ "inode", DAX_INODE },
	{ "never", DAX_NEVER },
	{}
};

enum { ERRORS_REMOUNT_RO, ERRORS_CONTINUE, ERRORS_PANIC };

static const struct constant_table errors_names[] = {
	{ "remount-ro", ERRORS_REMOUNT_RO },
	{ "continue", ERRORS_CONTINUE },
	{ "panic", ERRORS_PANIC },
	{}
};

const struct fs_parameter_spec vmemfs_parameters[] = {
	fsparam_enum("durability", OPT_DURABILITY, durability_names),
	fsparam_u32("commit", OPT_COMMIT),
	fsparam_flag_no("discard", OPT_DISCARD),
	/* Of ext4 and xfs: taken where what they ask for is so. */
	fsparam_flag("dax", OPT_DAX),
	fsparam_enum("dax", OPT_DAX_MODE, dax_names),
	fsparam_enum("errors", OPT_ERRORS, errors_names),
	fsparam_flag_no("acl", OPT_ACL),
	fsparam_flag_no("user_xattr", OPT_XATTR),
	{}
};

/* Mount options; 0 and false where none was given. */
struct vmemfs_options {
	enum vmem_domain domain;
	unsigned int commit_seconds;
	bool commit_given;
	bool discard, discard_given;
	bool acl, acl_given;
	bool user_xattr, user_xattr_given;
};

static int vmemfs_parse_param(struct fs_context *fc, struct fs_parameter *param)
{
	struct vmemfs_options *options = fc->fs_private;
	struct fs_parse_result result;
	int opt = fs_parse(fc, vmemfs_parameters, param, &result);

	switch (opt) {
	case OPT_DURABILITY:
		options->domain = result.uint_32;
		return 0;
	case OPT_COMMIT:
		if (result.uint_32 > 3600)
			return invalf(fc, "commit= is 0 to 3600 seconds");
		options->commit_seconds = result.uint_32;
		options->commit_given = true;
		return 0;
	case OPT_DISCARD:
		options->discard = !result.negated;
		options->discard_given = true;
		return 0;
	case OPT_DAX:
		return 0;
	case OPT_DAX_MODE:
		if (result.uint_32 != DAX_ALWAYS)
			return invalf(fc, "every file is DAX: dax=always, or none");
		return 0;
	case OPT_ERRORS:
		if (result.uint_32 != ERRORS_REMOUNT_RO)
			return invalf(fc, "after an error it is read-only: errors=remount-ro, or none");
		return 0;
	case OPT_ACL:
		if (!result.negated && !IS_ENABLED(CONFIG_FS_POSIX_ACL))
			return invalf(fc, "this kernel has no access control lists: noacl, or none");
		options->acl = !result.negated;
		options->acl_given = true;
		return 0;
	case OPT_XATTR:
		options->user_xattr = !result.negated;
		options->user_xattr_given = true;
		return 0;
	default:
		return opt;
	}
}

/* ---- mount ---- */

static const char *domain_name(enum vmem_domain domain)
{
	switch (domain) {
	case VMEM_DOMAIN_GUEST:
		return "guest";
	case VMEM_DOMAIN_HOST:
		return "host";
	case VMEM_DOMAIN_PMEM:
		return "pmem";
	}
	return "unknown";
}

static void report_mount(struct vmemfs_sb *sbi, const struct vmem_mount_info *info)
{
	const char *id = sbi->sb->s_id, *domain = domain_name(vmem_get_domain(sbi->fs));
	struct vmem_statfs st;
	const char *label = st.label;

	vmem_statfs(sbi->fs, &st);

	if (!info->was_dirty) {
		pr_info("vmemfs (%s): mounted, label '%s', durability=%s\n", id, label, domain);
		return;
	}
	pr_info("vmemfs (%s): mounted, label '%s', durability=%s, recovered from a failure of the %s: %llu records replayed, %llu dropped, %llu orphans\n",
		id, label, domain, info->host_failed ? "host" : "guest",
		info->replayed, info->dropped, info->orphans);
}

static void set_limits(struct super_block *sb)
{
	/* The times are counted in a signed 64-bit number of nanoseconds. */
	sb->s_time_min = div_s64(S64_MIN, NSEC_PER_SEC) + 1;
	sb->s_time_max = div_s64(S64_MAX, NSEC_PER_SEC) - 1;
	sb->s_time_gran = 1;
	sb->s_maxbytes = min_t(u64, VMEM_MAX_FILE_SIZE, MAX_LFS_FILESIZE);
	sb->s_magic = VMEMFS_MAGIC;
	sb->s_op = &vmemfs_super_ops;
	sb->s_export_op = &vmemfs_export_ops;
	sb->s_xattr = vmemfs_xattr_handlers;
	/* A file that has no capabilities is noted as such: no write needs to look for them. */
	sb->s_flags |= SB_NOSEC;
	if (IS_ENABLED(CONFIG_FS_POSIX_ACL))
		sb->s_flags |= SB_POSIXACL;
}

static int mount_core(struct vmemfs_sb *sbi, const struct vmemfs_options *options,
		      struct vmem_mount_info *info)
{
	struct super_block *sb = sbi->sb;
	struct vmem_mount_opts opts = {
		.domain = options->domain,
		.read_only = sb_rdonly(sb),
	};
	struct vmem_statfs st;
	int err;

	err = vmem_mount(&sbi->store, &sbi->env, &opts, &sbi->fs, info);
	if (err)
		return err;
	vmemfs_store_mounted(sbi);
	vmem_statfs(sbi->fs, &st);
	vmemfs_set_uuid(sb, st.uuid);
	if (vmem_is_read_only(sbi->fs))
		sb->s_flags |= SB_RDONLY;
	return 0;
}

static int make_root(struct super_block *sb)
{
	struct inode *root = vmemfs_iget(sb, VMEM_ROOT_INO);

	if (IS_ERR(root))
		return PTR_ERR(root);
	if (!S_ISDIR(root->i_mode) || !root->i_nlink) {
		iput(root);
		return vmemfs_corrupt(sb, VMEM_ROOT_INO, "the root is not a directory");
	}
	sb->s_root = d_make_root(root);
	return sb->s_root ? 0 : -ENOMEM;
}

static void set_discard(struct vmemfs_sb *sbi, const struct vmemfs_options *options)
{
	if (!options->discard_given)
		return;
	if (options->discard && !sbi->store.discard)
		pr_warn("vmemfs (%s): discard has no effect: the device does not have prealloc=off\n",
			sbi->sb->s_id);
	vmem_set_discard(sbi->fs, options->discard);
	assign_bit(VMEMFS_SB_DISCARD, &sbi->flags, options->discard && sbi->store.discard);
}

static void set_attributes(struct vmemfs_sb *sbi, const struct vmemfs_options *options)
{
	if (options->acl_given && options->acl)
		sbi->sb->s_flags |= SB_POSIXACL;
	else if (options->acl_given)
		sbi->sb->s_flags &= ~SB_POSIXACL;
	if (options->user_xattr_given)
		assign_bit(VMEMFS_SB_NO_USER_XATTR, &sbi->flags, !options->user_xattr);
}

static struct vmemfs_sb *new_sbi(struct super_block *sb, const struct vmemfs_options *options)
{
	struct vmemfs_sb *sbi = kzalloc(sizeof(*sbi), GFP_KERNEL);

	if (!sbi)
		return NULL;
	sbi->sb = sb;
	sbi->commit_seconds = options->commit_given ? options->commit_seconds :
						      VMEMFS_COMMIT_SECONDS;
	mutex_init(&sbi->resize_lock);
	vmemfs_env_init(sbi);
	return sbi;
}

static int vmemfs_fill_super(struct super_block *sb, struct fs_context *fc)
{
	const struct vmemfs_options *options = fc->fs_private;
	struct vmem_mount_info info = {};
	struct vmemfs_sb *sbi;
	int err;

	/* fs/dax maps pages, and the format has blocks of 4 KiB. */
	if (PAGE_SIZE != VMEM_BLOCK_SIZE) {
		errorf(fc, "this kernel has pages of %lu bytes: vmemfs needs pages of 4 KiB",
		       PAGE_SIZE);
		return -EINVAL;
	}
	if (!sb_set_blocksize(sb, VMEM_BLOCK_SIZE)) {
		errorf(fc, "the disk cannot do blocks of 4 KiB");
		return -EINVAL;
	}
	sbi = new_sbi(sb, options);
	if (!sbi)
		return -ENOMEM;
	sb->s_fs_info = sbi;
	set_limits(sb);
	set_attributes(sbi, options);
	err = vmemfs_store_open(sbi);
	if (err)
		goto out_free;
	err = mount_core(sbi, options, &info);
	if (err)
		goto out_store;
	err = make_root(sb);
	if (err)
		goto out_core;
	set_discard(sbi, options);
	err = vmemfs_sysfs_add(sbi);
	if (err)
		goto out_root;
	vmemfs_work_start(sbi);
	report_mount(sbi, &info);
	return 0;

out_root:
	dput(sb->s_root);
	sb->s_root = NULL;
out_core:
	vmemfs_store_umount(sbi);
	vmem_umount(sbi->fs);
out_store:
	vmemfs_store_close(sbi);
out_free:
	sb->s_fs_info = NULL;
	kfree(sbi);
	return err;
}

/*
 * The second mount of a disk is one more view of the first, and its options do
 * nothing.  That must not be so for what fsync promises.
 */
static int vmemfs_get_tree(struct fs_context *fc)
{
	const struct vmemfs_options *options = fc->fs_private;
	int err = get_tree_bdev(fc, vmemfs_fill_super);
	struct super_block *sb;

	if (err)
		return err;
	sb = fc->root->d_sb;
	if (!options->domain || options->domain == vmem_get_domain(VMEMFS_SB(sb)->fs))
		return 0;
	errorf(fc, "%s is mounted with durability=%s already", sb->s_id,
	       domain_name(vmem_get_domain(VMEMFS_SB(sb)->fs)));
	dput(fc->root);
	fc->root = NULL;
	deactivate_locked_super(sb);
	return -EBUSY;
}

static int set_read_only(struct vmemfs_sb *sbi, bool read_only)
{
	int err;

	if (!read_only) {
		err = vmem_remount(sbi->fs, false);
		if (!err)
			vmemfs_work_start(sbi);
		return err;
	}
	vmemfs_work_stop(sbi);
	vmemfs_free_orphans(sbi);
	err = vmem_remount(sbi->fs, true);
	if (err)
		vmemfs_work_start(sbi);
	return err;
}

static int vmemfs_reconfigure(struct fs_context *fc)
{
	const struct vmemfs_options *options = fc->fs_private;
	struct super_block *sb = fc->root->d_sb;
	struct vmemfs_sb *sbi = VMEMFS_SB(sb);
	bool read_only = fc->sb_flags & SB_RDONLY;
	int err;

	if (options->domain && options->domain != vmem_get_domain(sbi->fs))
		return invalf(fc, "durability= cannot change while mounted");
	sync_filesystem(sb);
	if (read_only != sb_rdonly(sb)) {
		if (!read_only && sbi->store.read_only) {
			errorf(fc, "the disk is read-only");
			return -EROFS;
		}
		err = set_read_only(sbi, read_only);
		if (err)
			return err;
	}
	set_discard(sbi, options);
	set_attributes(sbi, options);
	if (options->commit_given) {
		sbi->commit_seconds = options->commit_seconds;
		if (!read_only)
			vmemfs_work_start(sbi);
	}
	return 0;
}

static void vmemfs_free_fc(struct fs_context *fc)
{
	kfree(fc->fs_private);
}

static const struct fs_context_operations vmemfs_context_ops = {
	.parse_param = vmemfs_parse_param,
	.get_tree = vmemfs_get_tree,
	.reconfigure = vmemfs_reconfigure,
	.free = vmemfs_free_fc,
};

int vmemfs_init_fs_context(struct fs_context *fc)
{
	fc->fs_private = kzalloc(sizeof(struct vmemfs_options), GFP_KERNEL);
	if (!fc->fs_private)
		return -ENOMEM;
	fc->ops = &vmemfs_context_ops;
	return 0;
}

/* ---- a mounted file system ---- */

/* All inodes have been evicted. */
static void vmemfs_put_super(struct super_block *sb)
{
	struct vmemfs_sb *sbi = VMEMFS_SB(sb);

	vmemfs_sysfs_remove(sbi);
	vmemfs_store_umount(sbi);
	vmemfs_work_stop(sbi);
	vmemfs_orphans_end(sbi);
	if (vmem_umount(sbi->fs) && !test_bit(VMEMFS_SB_SHUT_DOWN, &sbi->flags))
		pr_err("vmemfs (%s): not unmounted cleanly: the next mount recovers\n", sb->s_id);
	vmemfs_store_close(sbi);
	sb->s_fs_info = NULL;
	kfree(sbi);
}

/* The pass with wait = 0 has nothing to start: flushing is what takes the time. */
static int vmemfs_sync_fs(struct super_block *sb, int wait)
{
	return wait ? vmem_sync(VMEMFS_SB(sb)->fs) : 0;
}

/* A frozen image is at rest: everything home, and nothing in the background. */
static int vmemfs_freeze(struct super_block *sb)
{
	struct vmemfs_sb *sbi = VMEMFS_SB(sb);
	int err;

	vmemfs_work_stop(sbi);
	err = vmem_sync(sbi->fs);
	if (!err)
		err = vmem_checkpoint(sbi->fs);
	if (err)
		vmemfs_work_start(sbi);
	return err;
}

static int vmemfs_unfreeze(struct super_block *sb)
{
	vmemfs_work_start(VMEMFS_SB(sb));
	return 0;
}

#define SHUT_SYNC	0	/* everything is home first */
#define SHUT_LOG	1	/* records are durable first */
#define SHUT_AT_ONCE	2

int vmemfs_shutdown(struct super_block *sb, u32 mode)
{
	struct vmemfs_sb *sbi = VMEMFS_SB(sb);

	if (mode > SHUT_AT_ONCE)
		return -EINVAL;
	if (test_bit(VMEMFS_SB_SHUT_DOWN, &sbi->flags))
		return 0;
	if (mode != SHUT_AT_ONCE) {
		down_read(&sb->s_umount);
		sync_filesystem(sb);
		up_read(&sb->s_umount);
	}
	if (mode == SHUT_SYNC)
		(void)vmem_checkpoint(sbi->fs);
	set_bit(VMEMFS_SB_SHUT_DOWN, &sbi->flags);
	vmem_shutdown(sbi->fs);
	pr_notice("vmemfs (%s): shut down: unmount it\n", sb->s_id);
	return 0;
}

static int vmemfs_statfs(struct dentry *dentry, struct kstatfs *buf)
{
	struct vmem_statfs st;

	vmem_statfs(VMEMFS_SB(dentry->d_sb)->fs, &st);
	buf->f_type = VMEMFS_MAGIC;
	buf->f_bsize = VMEM_BLOCK_SIZE;
	buf->f_frsize = VMEM_BLOCK_SIZE;
	buf->f_blocks = st.blocks;
	buf->f_bfree = st.free_blocks;
	buf->f_bavail = st.avail_blocks;
	buf->f_files = st.inodes;
	buf->f_ffree = st.free_inodes;
	buf->f_fsid = uuid_to_fsid(st.uuid);
	buf->f_namelen = VMEM_NAME_MAX;
	return 0;
}

static int vmemfs_show_options(struct seq_file *m, struct dentry *root)
{
	struct vmemfs_sb *sbi = VMEMFS_SB(root->d_sb);

	seq_printf(m, ",durability=%s", domain_name(vmem_get_domain(sbi->fs)));
	if (sbi->commit_seconds != VMEMFS_COMMIT_SECONDS)
		seq_printf(m, ",commit=%u", sbi->commit_seconds);
	if (test_bit(VMEMFS_SB_DISCARD, &sbi->flags))
		seq_puts(m, ",discard");
	if (IS_ENABLED(CONFIG_FS_POSIX_ACL) && !(root->d_sb->s_flags & SB_POSIXACL))
		seq_puts(m, ",noacl");
	if (test_bit(VMEMFS_SB_NO_USER_XATTR, &sbi->flags))
		seq_puts(m, ",nouser_xattr");
	return 0;
}

const struct super_operations vmemfs_super_ops = {
	.alloc_inode = vmemfs_alloc_inode,
	.free_inode = vmemfs_free_inode,
	.evict_inode = vmemfs_evict_inode,
	.put_super = vmemfs_put_super,
	.sync_fs = vmemfs_sync_fs,
	.freeze_fs = vmemfs_freeze,
	.unfreeze_fs = vmemfs_unfreeze,
	.statfs = vmemfs_statfs,
	.show_options = vmemfs_show_options,
};
