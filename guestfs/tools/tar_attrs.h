/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* tar_attrs.h - the attributes of an entry of an archive, as the core takes them */
#ifndef VMEM_TAR_ATTRS_H
#define VMEM_TAR_ATTRS_H

#include "tar_input.h"
#include "vmem.h"

/* Of one entry: extended attributes, and access control lists, which are two of them. */
struct tar_xattrs {
	struct vmem_xattr *x;		/* names are the entry's; values, too, but for the lists */
	unsigned int nr;
	void *lists[2];			/* to be freed */
	bool others;			/* there are some that the format has no place for */
};

/* 0, or -1 after a line that says what cannot be kept as it is. */
int tar_xattrs_read(const struct tar_input *t, struct archive_entry *entry, struct tar_xattrs *set);
void tar_xattrs_free(struct tar_xattrs *set);

/* Mode with type, owner and device; the list of `set` decides the mode's group. 0, or -1, told. */
int tar_attr_read(const struct tar_input *t, struct archive_entry *entry, const struct tar_xattrs *set,
		  struct vmem_attr *attr);

#endif /* VMEM_TAR_ATTRS_H */
