# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# fs-lib.sh - for tests/guest/fs-*.sh, when they run on the host; sourced, not run
#
# The image $DEV is mounted at $MNT by $FUSE, in place of the kernel module; $TESTS_DIR is the
# folder of this file.
# shellcheck shell=sh

. "$TESTS_DIR/../guest/lib.sh"
DURABILITY=host
SLOW=1
# The kernel's FUSE does not pass it on, or keeps pages of its own that know nothing of it.
tap_skip='a file made by O_TMPFILE can be given a name
handles are refused, or open, while files of their numbers are made
the birth time is that of creation and stays
statx says that a file is DAX
a read with RWF_NOWAIT works or says EAGAIN
a store into a hole makes a block
bytes stored past the end are zeros when the file grows
bytes stored past the end are zeros when a write extends the file
msync flushes to the host in the domain host only
each msync after a store flushes, and one without a store does not
each msync flushes also in the block that a truncation has cut
each fsync flushes what is stored before the cut of a truncated huge page
so it does beside a punched hole, and where a collapse has moved it to'

skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

# The last option wins.
mount_fs() {
	"$FUSE" -o "dev,suid${1:+,$1}" "$DEV" "$MNT"
}

fsck_is_clean() {
	"$FSCK" -n "$DEV"
}

# 8: it is in use.  The program ends a moment after the mount.
is_unused() {
	status=0
	fsck_is_clean >/tmp/fsck.out 2>&1 || status=$?
	[ $status -ne 8 ]
}

umount() {
	command umount "$@"
	wait_until is_unused
}

remount_fresh() {
	umount "$MNT"
	mount_fs "$@"
}

finish() {
	cd /
	check "the file system unmounts" umount "$MNT"
	check "fsck.vmemfs -n finds nothing" fsck_is_clean
	echo "1..$tap_count"
	[ $tap_failed -eq 0 ]
	exit
}

mount_fs || exit 1
cd "$MNT" || exit 1
