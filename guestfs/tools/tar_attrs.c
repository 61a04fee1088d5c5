// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * tar_attrs.c - see tar_attrs.h
 *
 * An archive has an access control list as text (SCHILY.acl.*, which libarchive takes
 * apart) or as the bytes of the attribute that Linux has it in (SCHILY.xattr.system.*).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fill.h"
#include "tar_attrs.h"
#include "xattr_names.h"

#define MAX_XATTRS	1024u	/* far more than the set of an inode has room for */
#define MAX_MAJOR	0xfffu	/* Linux: 12 and 20 bits */
#define MAX_MINOR	0xfffffu

/* ---- Access control lists -------------------------------------------------- */

/* Of linux/posix_acl_xattr.h, in the core's types. */
struct list_entry {
	vmem_le16 tag, perm;
	vmem_le32 id;
};

struct list {
	vmem_le32 version;
	struct list_entry e[];
};

static unsigned int list_entries(size_t size)
{
	return (unsigned int)((size - sizeof(struct list)) / sizeof(struct list_entry));
}

/* As the kernel demands it: one of each of the file's own, in this order, and a mask if others are named. */
static bool list_valid(const struct list *list, size_t size)
{
	uint16_t last = 0, seen = 0, tag;
	unsigned int i;

	if (size < sizeof(*list) || (size - sizeof(*list)) % sizeof(list->e[0]) ||
	    vmem_get32(list->version) != POSIX_ACL_XATTR_VERSION)
		return false;
	for (i = 0; i < list_entries(size); i++) {
		bool named;

		tag = vmem_get16(list->e[i].tag);
		named = tag == ACL_USER || tag == ACL_GROUP;
		if (!tag || tag & (tag - 1) || tag > ACL_OTHER || tag < last || (tag == last && !named) ||
		    vmem_get16(list->e[i].perm) > 7 || (named && vmem_get32(list->e[i].id) == UINT32_MAX))
			return false;
		last = tag;
		seen |= tag;
	}
	return (seen & (ACL_USER_OBJ | ACL_GROUP_OBJ | ACL_OTHER)) == (ACL_USER_OBJ | ACL_GROUP_OBJ | ACL_OTHER) &&
	       (seen & ACL_MASK || !(seen & (ACL_USER | ACL_GROUP)));
}

static int by_tag_and_id(const void *a, const void *b)
{
	const struct list_entry *x = a, *y = b;
	uint64_t kx = (uint64_t)vmem_get16(x->tag) << 32 | vmem_get32(x->id);
	uint64_t ky = (uint64_t)vmem_get16(y->tag) << 32 | vmem_get32(y->id);

	return kx < ky ? -1 : kx > ky;
}

static uint16_t tag_of(int tag)
{
	switch (tag) {
	case ARCHIVE_ENTRY_ACL_USER: return ACL_USER;
	case ARCHIVE_ENTRY_ACL_USER_OBJ: return ACL_USER_OBJ;
	case ARCHIVE_ENTRY_ACL_GROUP: return ACL_GROUP;
	case ARCHIVE_ENTRY_ACL_GROUP_OBJ: return ACL_GROUP_OBJ;
	case ARCHIVE_ENTRY_ACL_MASK: return ACL_MASK;
	case ARCHIVE_ENTRY_ACL_OTHER: return ACL_OTHER;
	default: return 0;
	}
}

/*
 * GNU tar writes names only.  They are looked up where it would do it, but without the
 * name service switch, which a static program lacks.
 */
static bool find_id(const char *name, bool is_user, uint32_t *id)
{
	FILE *f = fopen(is_user ? "/etc/passwd" : "/etc/group", "re");
	const struct passwd *user = NULL;
	const struct group *group = NULL;

	while (f && is_user && (user = fgetpwent(f)) && strcmp(user->pw_name, name))
		;
	while (f && !is_user && (group = fgetgrent(f)) && strcmp(group->gr_name, name))
		;
	*id = user ? user->pw_uid : group ? group->gr_gid : 0;
	if (f)
		fclose(f);
	return user || group;
}

/* The entries of what libarchive has; the number of them, or -1, told. */
static int list_fill(const struct tar_input *t, struct archive_entry *entry, int want, struct list *list, int max)
{
	int type, perm, tag, id, nr = 0;
	const char *name;

	while (archive_entry_acl_next(entry, want, &type, &perm, &tag, &id, &name) == ARCHIVE_OK && nr < max) {
		bool is_user = tag == ARCHIVE_ENTRY_ACL_USER, named = is_user || tag == ARCHIVE_ENTRY_ACL_GROUP;
		struct list_entry *e = &list->e[nr++];
		uint32_t n = named ? (uint32_t)id : UINT32_MAX;

		/* Their names are not ASCII, or in no file: who that is must not be guessed. */
		if (named && id < 0 && (!name || !find_id(name, is_user, &n)))
			return tar_error(t, "its access control list has %s \"%s\", who has no number here",
					 is_user ? "a user" : "a group", name ? name : "");
		e->tag = vmem_le16_of(tag_of(tag));
		e->perm = vmem_le16_of((uint16_t)(perm & 7));
		e->id = vmem_le32_of(n);
	}
	return nr;
}

/* From text.  0; 0 without *list: there is none; or -1, told. */
static int list_read(const struct tar_input *t, struct archive_entry *entry, int want, struct list **list, size_t *size)
{
	int max = archive_entry_acl_reset(entry, want), nr;

	*list = NULL;
	if (max <= 0)
		return 0;
	*list = calloc(1, sizeof(**list) + (size_t)max * sizeof((*list)->e[0]));
	if (!*list)
		return tar_error(t, "%s", strerror(ENOMEM));
	nr = list_fill(t, entry, want, *list, max);
	if (nr < 0) {
		free(*list);
		*list = NULL;
		return -1;
	}
	qsort((*list)->e, (size_t)nr, sizeof((*list)->e[0]), by_tag_and_id);
	(*list)->version = vmem_le32_of(POSIX_ACL_XATTR_VERSION);
	*size = sizeof(**list) + (size_t)nr * sizeof((*list)->e[0]);
	return 0;
}

/* ---- Extended attributes --------------------------------------------------- */

static struct vmem_xattr *find(const struct tar_xattrs *set, unsigned int index, struct vmem_name name)
{
	unsigned int i;

	for (i = 0; i < set->nr; i++)
		if (set->x[i].index == index && set->x[i].name.len == name.len &&
		    !memcmp(set->x[i].name.name, name.name, name.len))
			return &set->x[i];
	return NULL;
}

/* The first one of a name counts: libarchive gives the same one twice, where the archive has it in two ways. */
static void add(struct tar_xattrs *set, unsigned int index, const char *name, const void *value, size_t size)
{
	struct vmem_name n = { name, strlen(name) };

	if (!find(set, index, n))
		set->x[set->nr++] = (struct vmem_xattr){
			.index = index, .name = n, .value = value ? value : "", .size = size,
		};
}

static void add_one(struct tar_xattrs *set, const char *name, const void *value, size_t size)
{
	const struct xattr_prefix *p = xattr_prefix_of(name);

	if (p)
		add(set, p->index, name + strlen(p->text), value, size);
	else
		set->others = true;
}

static int add_lists(const struct tar_input *t, struct archive_entry *entry, struct tar_xattrs *set)
{
	static const struct {
		int want;
		unsigned int index;
	} kinds[2] = {
		{ ARCHIVE_ENTRY_ACL_TYPE_ACCESS, VMEM_XATTR_ACL_ACCESS },
		{ ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, VMEM_XATTR_ACL_DEFAULT },
	};
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct list *list;
		size_t size;

		if (list_read(t, entry, kinds[i].want, &list, &size))
			return -1;
		set->lists[i] = list;
		if (list)
			add(set, kinds[i].index, "", list, size);
	}
	set->others |= archive_entry_acl_types(entry) & ARCHIVE_ENTRY_ACL_TYPE_NFS4;
	return 0;
}

/* Lists that the kernel takes, and where it looks for them. */
static int check_lists(const struct tar_input *t, struct archive_entry *entry, struct tar_xattrs *set)
{
	unsigned int i, kept = 0;

	for (i = 0; i < set->nr; i++) {
		struct vmem_xattr *x = &set->x[i];
		bool is_default = x->index == VMEM_XATTR_ACL_DEFAULT;

		if ((is_default || x->index == VMEM_XATTR_ACL_ACCESS) && !list_valid(x->value, x->size))
			return tar_error(t, "its access control list makes no sense");
		if (is_default && archive_entry_filetype(entry) != AE_IFDIR)
			set->others = true;
		else
			set->x[kept++] = *x;
	}
	set->nr = kept;
	return 0;
}

int tar_xattrs_read(const struct tar_input *t, struct archive_entry *entry, struct tar_xattrs *set)
{
	int nr = archive_entry_xattr_reset(entry);
	const char *name;
	const void *value;
	size_t size;
	int err = 0;

	memset(set, 0, sizeof(*set));
	if ((unsigned int)nr > MAX_XATTRS)
		return tar_error(t, "it has too many extended attributes");
	set->x = calloc((size_t)nr + 2, sizeof(*set->x));
	if (!set->x)
		return tar_error(t, "%s", strerror(ENOMEM));
	while (nr-- && archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK)
		add_one(set, name, value, size);
	err = add_lists(t, entry, set);
	if (!err)
		err = check_lists(t, entry, set);
	if (err)
		tar_xattrs_free(set);
	return err;
}

void tar_xattrs_free(struct tar_xattrs *set)
{
	free(set->x);
	free(set->lists[0]);
	free(set->lists[1]);
	memset(set, 0, sizeof(*set));
}

/* ---- Mode, owner, device --------------------------------------------------- */

/* Where there is an access list, the mode shows it: of the group the mask, if there is one. */
static uint32_t mode_of_list(const struct list *list, size_t size, uint32_t mode)
{
	unsigned int i;

	for (i = 0; i < list_entries(size); i++) {
		uint32_t perm = vmem_get16(list->e[i].perm);

		switch (vmem_get16(list->e[i].tag)) {
		case ACL_USER_OBJ:
			mode = (mode & ~0700u) | perm << 6;
			break;
		case ACL_GROUP_OBJ:
		case ACL_MASK:	/* is behind it */
			mode = (mode & ~0070u) | perm << 3;
			break;
		case ACL_OTHER:
			mode = (mode & ~0007u) | perm;
			break;
		}
	}
	return mode;
}

int tar_attr_read(const struct tar_input *t, struct archive_entry *entry, const struct tar_xattrs *set,
		  struct vmem_attr *attr)
{
	const struct vmem_xattr *list = find(set, VMEM_XATTR_ACL_ACCESS, (struct vmem_name){ "", 0 });
	uint32_t mode = (uint32_t)archive_entry_mode(entry) & (S_IFMT | 07777);
	la_int64_t uid = archive_entry_uid(entry), gid = archive_entry_gid(entry);
	uint64_t major = archive_entry_rdevmajor(entry), minor = archive_entry_rdevminor(entry);

	memset(attr, 0, sizeof(*attr));
	attr->mode = (uint16_t)(list ? mode_of_list(list->value, list->size, mode) : mode);
	if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
		return tar_error(t, "its owner %lld:%lld is none that Linux has", (long long)uid, (long long)gid);
	attr->uid = (uint32_t)uid;
	attr->gid = (uint32_t)gid;
	if (S_ISCHR(mode) || S_ISBLK(mode)) {
		if (major > MAX_MAJOR || minor > MAX_MINOR)
			return tar_error(t, "its device %llu, %llu is none that Linux has",
					 (unsigned long long)major, (unsigned long long)minor);
		attr->rdev = fill_rdev((uint32_t)major, (uint32_t)minor);
	}
	attr->xattrs = set->x;
	attr->nr_xattrs = set->nr;
	return 0;
}
