# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# The sources of the core, for every makefile that builds it: layer by layer, the lowest first.

# The file system itself: what the kernel, a unikernel and the tools need.
CORE_SRCS := $(addprefix medium/,hash.c geometry.c root.c bits.c place.c error.c ranges.c room.c) \
	     $(addprefix log/,overlay.c roots.c dirty.c logged.c txn.c record.c journal.c commit.c checkpoint.c recovery.c) \
	     $(addprefix space/,groups.c blocks.c inodes.c discard.c) \
	     $(addprefix tree/,extent.c peek.c dir.c) \
	     $(addprefix fs/,inode.c xattr.c feature.c times.c sync.c namei.c parent.c file.c write.c unwritten.c falloc.c layout.c super.c orphans.c mount.c grow.c)

# Making, checking and repairing a store: tools and tests only.
CORE_TOOL_SRCS := $(addprefix offline/,mkfs.c shrink.c check.c check_tree.c check_xattr.c \
		  repair.c repair_inode.c repair_xattr.c repair_dir.c repair_mount.c)
