// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* lost_attrs.c - see lost_attrs.h */
#define _GNU_SOURCE
#include <limits.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "lost_attrs.h"
#include "toolenv.h"

/* ---- Counting ------------------------------------------------------------ */

void lost_note(struct lost_attrs *lost, enum lost_kind kind, const char *path)
{
	if (!lost->kind[kind].files++)
		lost->kind[kind].first = strdup(path);
}

void lost_say(struct lost_attrs *lost)
{
	static const char *const what[NR_LOST] = {
		[LOST_CAPABILITIES] = "capabilities (setcap), which are not kept",
		[LOST_ACL] = "access control lists, of which only the mode is kept",
		[LOST_LABELS] = "security labels, which are not kept",
		[LOST_USER] = "user attributes (user.*), which are not kept",
		[LOST_OTHER] = "other extended attributes, which are not kept",
		[LOST_TIMES] = "times outside 1677 to 2262, set to the end of that",
	};
	unsigned int i;

	for (i = 0; i < NR_LOST; i++) {
		uint64_t files = lost->kind[i].files;

		if (files)
			tool_error("note: %llu file%s with %s; the first is %s", (unsigned long long)files,
				   files == 1 ? "" : "s", what[i],
				   lost->kind[i].first ? lost->kind[i].first : "unknown");
		free(lost->kind[i].first);
	}
	memset(lost, 0, sizeof(*lost));
}

/* ---- Extended attributes ------------------------------------------------- */

static enum lost_kind kind_of(const char *attr)
{
	if (!strcmp(attr, "security.capability"))
		return LOST_CAPABILITIES;
	if (!strncmp(attr, "system.posix_acl_", 17))
		return LOST_ACL;
	if (!strncmp(attr, "security.", 9))
		return LOST_LABELS;
	return strncmp(attr, "user.", 5) ? LOST_OTHER : LOST_USER;
}

/* As the kernel gives system.posix_acl_access (linux/posix_acl_xattr.h). */
#define ACL_VERSION	2u
#define ACL_GROUP_OBJ	0x04u
#define ACL_MASK	0x10u

struct acl_entry {
	vmem_le16 tag, perm;
	vmem_le32 id;
};

/* The owning group's permissions, or -1: what is there is no list with a mask. */
static int acl_group(const char *name)
{
	struct {
		vmem_le32 version;
		struct acl_entry entry[1024];
	} acl;
	ssize_t size = lgetxattr(name, "system.posix_acl_access", &acl, sizeof(acl));
	int group = -1, mask = -1;
	size_t i;

	if (size < (ssize_t)sizeof(acl.version) || vmem_get32(acl.version) != ACL_VERSION)
		return -1;
	for (i = 0; i < ((size_t)size - sizeof(acl.version)) / sizeof(acl.entry[0]); i++) {
		if (vmem_get16(acl.entry[i].tag) == ACL_GROUP_OBJ)
			group = vmem_get16(acl.entry[i].perm) & 7;
		else if (vmem_get16(acl.entry[i].tag) == ACL_MASK)
			mask = vmem_get16(acl.entry[i].perm) & 7;
	}
	return group < 0 || mask < 0 ? -1 : group & mask;
}

int lost_xattrs(struct lost_attrs *lost, const char *name, const char *path, struct stat *st)
{
	static char list[XATTR_LIST_MAX + 1];
	bool seen[NR_LOST] = { false };
	ssize_t len = llistxattr(name, list, sizeof(list) - 1);
	const char *attr;
	unsigned int i;
	int group;

	if (len < 0)
		return errno == ENOTSUP ? 0 : errno;
	list[len] = 0;
	for (attr = list; attr < list + len; attr += strlen(attr) + 1)
		seen[kind_of(attr)] = true;
	for (i = 0; i < NR_LOST; i++)
		if (seen[i])
			lost_note(lost, i, path);
	group = seen[LOST_ACL] ? acl_group(name) : -1;
	if (group >= 0)
		st->st_mode = (st->st_mode & ~(mode_t)070) | (mode_t)group << 3;
	return 0;
}

/* ---- Times --------------------------------------------------------------- */

/* Whole seconds, as Linux ends its range (s_time_min, s_time_max). */
#define TIME_MAX (INT64_MAX / 1000000000 - 1)

int64_t lost_time(struct timespec ts, bool *fits)
{
	if (ts.tv_sec >= -TIME_MAX && ts.tv_sec < TIME_MAX)
		return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
	if (ts.tv_sec != TIME_MAX || ts.tv_nsec)
		*fits = false;
	return (ts.tv_sec < 0 ? -TIME_MAX : TIME_MAX) * 1000000000;
}
