// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * driver.c - the Unikraft driver's operations, called as vfscore calls them
 *
 * A small stand-in for vfscore (vnodes found by number, counted; uiomove), and
 * the host port in place of Unikraft's platform.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>

#include <vfscore/dentry.h>
#include <vfscore/file.h>
#include <vfscore/mount.h>
#include <vfscore/vnode.h>

#include "../check.h"
#include "vmemfs.h"

enum vtype iftovt_tab[16] = {
	VNON, VFIFO, VCHR, VNON, VDIR, VNON, VBLK, VNON, VREG, VNON, VLNK, VNON, VSOCK, VNON, VNON, VBAD,
};

/* ---- vfscore ---- */

#define MAX_VNODES 64

static struct vnode *vnodes[MAX_VNODES];

int vfscore_vop_nullop(void)
{
	return 0;
}

int vfscore_vop_einval(void)
{
	return EINVAL;
}

int vfscore_nullop(void)
{
	return 0;
}

int vfscore_vget(struct mount *mp, uint64_t ino, struct vnode **vpp)
{
	unsigned int i, slot = MAX_VNODES;

	for (i = 0; i < MAX_VNODES; i++) {
		if (vnodes[i] && vnodes[i]->v_ino == ino) {
			vnodes[i]->v_refcnt++;
			*vpp = vnodes[i];
			return 1;
		}
		if (!vnodes[i])
			slot = i;
	}
	*vpp = slot < MAX_VNODES ? calloc(1, sizeof(**vpp)) : NULL;
	if (!*vpp)
		return 0;
	vnodes[slot] = *vpp;
	(*vpp)->v_ino = ino;
	(*vpp)->v_mount = mp;
	(*vpp)->v_refcnt = 1;
	(*vpp)->v_op = mp->m_op->vfs_vnops;
	mp->m_op->vfs_vget(mp, *vpp);
	return 0;
}

static void put(struct vnode *vp)
{
	unsigned int i;

	if (--vp->v_refcnt)
		return;
	for (i = 0; i < MAX_VNODES; i++)
		if (vnodes[i] == vp)
			vnodes[i] = NULL;
	vp->v_op->vop_inactive(vp);
	free(vp);
}

void vfscore_release_mp_dentries(struct mount *mp)
{
	put(mp->m_root->d_vnode);
	mp->m_root->d_vnode = NULL;
}

int vfscore_uiomove(void *cp, int n, struct uio *uio)
{
	char *from = cp;

	while (n > 0 && uio->uio_resid) {
		struct iovec *iov = uio->uio_iov;
		size_t step = iov->iov_len < (size_t)n ? iov->iov_len : (size_t)n;

		if (!step) {
			uio->uio_iov++;
			uio->uio_iovcnt--;
			continue;
		}
		memcpy(iov->iov_base, from, step);
		iov->iov_base = (char *)iov->iov_base + step;
		iov->iov_len -= step;
		uio->uio_resid -= (ssize_t)step;
		uio->uio_offset += (off_t)step;
		from += step;
		n -= (int)step;
	}
	return 0;
}

/* A copy of the store on a host that fails, when there is one. */
static struct vmemos_platform machine;
static int host_failed;

static int flush_or_fail(struct vmemos_platform *p, const struct vmemos_range *r, unsigned int nr)
{
	(void)p;
	(void)r;
	(void)nr;
	return host_failed;
}

/* The driver's other file has Unikraft's platform; here it is the host port's. */
int vmemfs_platform(struct vmemos_platform **out)
{
	*out = machine.base ? &machine : platform;
	return 0;
}

/* ---- Words of the tests ---- */

static struct mount mp;
static struct dentry root_dentry;
static struct vnops *op;

static int mount_driver(struct vfsops *ops)
{
	struct vnode *vp;

	memset(&mp, 0, sizeof(mp));
	mp.m_op = ops;
	mp.m_root = &root_dentry;
	op = ops->vfs_vnops;
	vfscore_vget(&mp, 0, &vp);
	vp->v_type = VDIR;
	vp->v_flags = VROOT;
	root_dentry.d_vnode = vp;
	return ops->vfs_mount(&mp, "", 0, NULL);
}

static struct vnode *look(struct vnode *dir, const char *name)
{
	struct vnode *vp = NULL;

	return op->vop_lookup(dir, (char *)(uintptr_t)name, &vp) ? NULL : vp;
}

static ssize_t put_data(struct vnode *vp, const void *a, size_t a_len, const void *b, size_t b_len,
			off_t off, int flags)
{
	struct iovec iov[3] = {
		{ (void *)(uintptr_t)a, a_len }, { NULL, 0 }, { (void *)(uintptr_t)b, b_len }
	};
	struct uio uio = { iov, 3, off, (ssize_t)(a_len + b_len), UIO_WRITE };
	int err = op->vop_write(vp, &uio, flags);

	return err ? -err : (ssize_t)(a_len + b_len) - uio.uio_resid;
}

static ssize_t get_data(struct vnode *vp, void *buf, size_t len, off_t off)
{
	struct iovec iov[2] = { { buf, len / 3 }, { (char *)buf + len / 3, len - len / 3 } };
	struct uio uio = { iov, 2, off, (ssize_t)len, UIO_READ };
	struct vfscore_file file = { .f_flags = 0 };
	int err = op->vop_read(vp, &file, &uio, 0);

	return err ? -err : (ssize_t)len - uio.uio_resid;
}

static char *N(const char *name)
{
	return (char *)(uintptr_t)name;
}

static struct vfsops *driver(void)
{
	return registered_fs->vs_op;
}

/* ---- Properties ---- */

static uint8_t buf[50000], got[50000];

static void files_are_made_read_and_removed(void)
{
	struct vnode *r, *f, *again_f;
	struct vattr attr;

	OK(mount_driver(driver()));
	CHECK(vmemfs_mounted());
	r = root_dentry.d_vnode;
	CHECK(!look(r, "f"));
	OK(op->vop_create(r, N("f"), S_IFREG | 0640));
	EXPECT(op->vop_create(r, N("f"), S_IFREG | 0640), EEXIST);
	f = look(r, "f");
	CHECK(f && f->v_type == VREG && f->v_mode == 0640 && f->v_size == 0);
	again_f = look(r, "f");
	CHECK(again_f == f && f->v_refcnt == 2);
	put(again_f);
	pattern(buf, sizeof(buf), 1);
	EXPECT(put_data(f, buf, 20000, buf + 20000, 30000, 0, 0), 50000);
	EXPECT(f->v_size, 50000);
	EXPECT(get_data(f, got, sizeof(got), 0), 50000);
	CHECK(is_pattern(got, sizeof(got), 1));
	EXPECT(get_data(f, got, 100, 49990), 10);
	EXPECT(get_data(f, got, 100, 50000), 0);
	EXPECT(put_data(f, "end", 3, "!", 1, 0, IO_APPEND | IO_SYNC), 4);
	EXPECT(f->v_size, 50004);
	OK(op->vop_truncate(f, 60000));
	OK(op->vop_fsync(f, NULL));
	memset(&attr, 0, sizeof(attr));
	OK(op->vop_getattr(f, &attr));
	EXPECT(attr.va_size, 60000);
	EXPECT(attr.va_nlink, 1);
	attr.va_mask = AT_MODE | AT_MTIME;
	attr.va_mode = 0600;
	attr.va_mtime.tv_sec = 77;
	attr.va_mtime.tv_nsec = 88;
	OK(op->vop_setattr(f, &attr));
	OK(op->vop_getattr(f, &attr));
	CHECK(attr.va_mode == 0600 && attr.va_mtime.tv_sec == 77 && attr.va_mtime.tv_nsec == 88);
	/* Unlinked while open: it stays. */
	OK(op->vop_remove(r, f, N("f")));
	CHECK(!look(r, "f"));
	EXPECT(get_data(f, got, 3, 50000), 3);
	CHECK(!memcmp(got, "end", 3));
	put(f);
	OK(driver()->vfs_unmount(&mp, 0));
	CHECK(!vmemfs_mounted());
}

static void directories_links_and_renames(void)
{
	struct vfscore_file file = { .f_offset = 0 };
	struct vnode *r, *d, *f, *l;
	struct dirent entry;
	struct iovec iov = { got, 100 };
	struct uio uio = { &iov, 1, 0, 100, UIO_READ };
	struct statfs st;
	unsigned int n = 0;

	OK(mount_driver(driver()));
	r = root_dentry.d_vnode;
	OK(op->vop_mkdir(r, N("d"), S_IFDIR | 0755));
	d = look(r, "d");
	CHECK(d && d->v_type == VDIR);
	OK(op->vop_create(d, N("f"), S_IFREG | 0644));
	f = look(d, "f");
	CHECK(f);
	OK(op->vop_link(r, f, N("hard")));
	OK(op->vop_symlink(d, N("soft"), N("f")));
	l = look(d, "soft");
	CHECK(l && l->v_type == VLNK);
	OK(op->vop_readlink(l, &uio));
	EXPECT(uio.uio_resid, 99);
	CHECK(got[0] == 'f');
	put(l);
	OK(op->vop_rename(d, f, N("f"), r, NULL, N("moved")));
	put(f);
	CHECK(!look(d, "f"));
	while (op->vop_readdir(r, &file, &entry) == 0) {
		CHECK(!strcmp(entry.d_name, ".") || !strcmp(entry.d_name, "..") ||
		      (!strcmp(entry.d_name, "d") && entry.d_type == DT_DIR) ||
		      (!strcmp(entry.d_name, "hard") && entry.d_type == DT_REG) ||
		      (!strcmp(entry.d_name, "moved") && entry.d_type == DT_REG));
		n++;
	}
	EXPECT(n, 5);
	EXPECT(op->vop_rmdir(r, d, N("d")), ENOTEMPTY);
	OK(op->vop_remove(d, NULL, N("soft")));
	OK(op->vop_rmdir(r, d, N("d")));
	put(d);
	OK(op->vop_remove(r, NULL, N("hard")));
	OK(op->vop_remove(r, NULL, N("moved")));
	OK(driver()->vfs_statfs(&mp, &st));
	CHECK(st.f_blocks > 0 && st.f_namelen == 255);
	OK(driver()->vfs_sync(&mp));
	OK(driver()->vfs_unmount(&mp, 0));
}

static void a_failed_unmount_leaves_room_for_the_next_mount(void)
{
	void *copy = aligned_alloc(4096, platform->size);

	CHECK(copy);
	machine = *platform;
	machine.base = memcpy(copy, platform->base, platform->size);
	machine.backing = VMEMOS_BACKING_PAGE_CACHE;
	machine.flush = flush_or_fail;
	machine.log = NULL;
	OK(mount_driver(driver()));
	OK(op->vop_create(root_dentry.d_vnode, N("f"), S_IFREG | 0600));
	host_failed = -EIO;
	EXPECT(driver()->vfs_unmount(&mp, 0), EIO);
	CHECK(!vmemfs_mounted());
	machine.base = NULL;
	free(copy);
	OK(mount_driver(driver()));
	OK(driver()->vfs_unmount(&mp, 0));
}

int vmemos_main(struct vmemos_platform *p, int argc, char **argv)
{
	static const struct property list[] = {
		{ "files are made, read and removed", files_are_made_read_and_removed, true },
		{ "directories, links and renames", directories_links_and_renames, true },
		{ "a failed unmount leaves room for the next mount",
		  a_failed_unmount_leaves_room_for_the_next_mount, true },
	};

	return check_all(p, argc, argv, list, NR(list));
}
