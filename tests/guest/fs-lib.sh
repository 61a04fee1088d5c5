# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# fs-lib.sh - what the guest tests fs-*.sh share; sourced, not run
#
# The file system is mounted at $MNT in the domain $DURABILITY (host, guest or
# pmem) when a test script starts.
# shellcheck shell=sh

DEV=${DEV:-/dev/pmem0}
MNT=${MNT:-/mnt}
DURABILITY=${DURABILITY:-host}
SLOW=${SLOW:-1}			# how many times slower the kernel is: so many rounds less
PATH=$PATH:/tests
. /tests/lib.sh

skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

# mount_fs [OPTIONS]: with $mount_options, too; the domain pmem is that of the disk, not an option
mount_fs() {
	options=${mount_options:-rw}
	[ "$DURABILITY" = pmem ] || options=$options,durability=$DURABILITY
	mount -t vmemfs -o "$options${1:+,$1}" "$DEV" "$MNT"
}

is_mounted() {
	grep -q "^$DEV $MNT " /proc/mounts
}

remount_fresh() {
	umount "$MNT"
	mount_fs "$@"
}

# counter NAME: of /sys/fs/vmemfs
counter() {
	cat "/sys/fs/vmemfs/${DEV##*/}/$1"
}

# Kernel messages since the last call, of a kind that no test may leave.
kernel_is_quiet() {
	dmesg -c >/tmp/dmesg.now
	cat /tmp/dmesg.now >>/share/dmesg.all
	! kernel-faults /tmp/dmesg.now && ! grep -E 'damaged|fsck' /tmp/dmesg.now
}

fsck_is_clean() {
	fsck.vmemfs -n "$DEV"
}

# finish: unmount, check the image and the kernel log, give the result
finish() {
	cd /
	check "the file system unmounts" umount "$MNT"
	if command -v fsck.vmemfs >/dev/null; then
		check "fsck.vmemfs -n finds nothing" fsck_is_clean
	else
		skip "fsck.vmemfs -n finds nothing" "fsck.vmemfs is not built"
	fi
	check "the kernel log is clean" kernel_is_quiet
	echo "1..$tap_count"
	[ $tap_failed -eq 0 ]
	exit
}

# The disk appears a moment after its driver.
wait_until [ -b "$DEV" ]
mount_fs || {
	echo "Bail out! cannot mount $DEV"
	dmesg | tail -n 5
	exit 1
}
cd "$MNT" || exit 1
